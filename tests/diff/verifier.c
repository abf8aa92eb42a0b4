/*
 * The verifier against the running kernel: random programs (verifier_gen.c) are given to both; verdict,
 * errno and last log line are compared. A program that skep accepts and the kernel rejects fails the
 * test; the other way round is counted. What skep accepts is then run in checked mode on a few packets: a
 * fault would mean that the verifier let something unsafe pass.
 *
 * usage: verifier [COUNT [FIRST_SEED]] [--list] [--lines] [--dump SEED]
 *	COUNT programs (default 1500) from FIRST_SEED on (default 1)
 *	--list shows every difference; --lines what the kernel says of each; --dump both logs of one
 * Exit: 0 fine, 1 a difference that matters, 77 no bpf(2) here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "isa/isa.h"
#include "verifier/explain.h"
#include "verifier_gen.h"
#include "vm/vm.h"

enum { SKIP = 77, LOG_LEN = 1 << 20, COMPLETENESS_PERCENT = 1, NOT_SUPPORTED = 524 };

struct verdict {
	int err; /* 0 or negative errno */
	char line[256];
	u32 insns;
};

struct diff {
	struct skep inst;
	struct map *maps[GEN_MAP_CNT];
	int fds[GEN_MAP_CNT];
	int prog_fd; /* the program last given to the kernel */
	char *log;
	bool list, lines;
	u32 accepted, rejected, unsound, incomplete, other_err, other_line, other_insns,
		unsupported, faults, ran, other_result;
};

static const struct map_attr map_attrs[GEN_MAP_CNT] = {
	[GEN_HASH] = {.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 24, .max_entries = 8},
	[GEN_ARRAY] = {.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 64,
		.max_entries = 4},
	[GEN_GLOBAL] = {.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 64,
		.max_entries = 1},
	[GEN_PERCPU] = {.type = BPF_MAP_TYPE_PERCPU_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 2},
	[GEN_RODATA] = {.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 32,
		.max_entries = 1,
		.flags = BPF_F_RDONLY_PROG},
	[GEN_WRONLY] = {.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 16,
		.max_entries = 1,
		.flags = BPF_F_WRONLY_PROG},
	[GEN_LPM] = {.type = BPF_MAP_TYPE_LPM_TRIE,
		.key_size = 8,
		.value_size = 8,
		.max_entries = 8,
		.flags = BPF_F_NO_PREALLOC},
};

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

static int make_maps(struct diff *d)
{
	u8 rodata[32] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 255, 255, 255, 255, 16};
	u32 zero = 0;

	for (u32 m = 0; m < GEN_MAP_CNT; m++) {
		const struct map_attr *a = &map_attrs[m];
		union bpf_attr attr = {.map_type = a->type,
			.key_size = a->key_size,
			.value_size = a->value_size,
			.max_entries = a->max_entries,
			.map_flags = a->flags};

		d->fds[m] = sys_bpf(BPF_MAP_CREATE, &attr);
		if (d->fds[m] < 0 || map_new(&d->inst, a, &d->maps[m]))
			return -EINVAL;
		if (m != GEN_RODATA)
			continue;
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = d->fds[m];
		attr.key = (uintptr_t)&zero;
		attr.value = (uintptr_t)rodata;
		if (sys_bpf(BPF_MAP_UPDATE_ELEM, &attr) ||
			map_user_update(d->maps[m], &zero, rodata, 0))
			return -EINVAL;
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = d->fds[m];
		if (sys_bpf(BPF_MAP_FREEZE, &attr))
			return -EINVAL;
		d->maps[m]->is_frozen = true;
	}
	return 0;
}

/* The last line of a log that is no statistics. */
static void take_line(const char *log, struct verdict *ret)
{
	const char *last = "", *stats = strstr(log, "processed ");
	size_t len = 0;

	for (const char *line = log; *line;) {
		size_t n = strcspn(line, "\n");

		if (!strncmp(line, "verification time", 17) || !strncmp(line, "stack depth ", 12)) {
			line += n + (line[n] == '\n');
			continue;
		}
		if (strncmp(line, "processed ", 10) && n) {
			last = line;
			len = n;
		} else if (n) {
			stats = line;
		}
		line += n + (line[n] == '\n');
	}
	snprintf(ret->line, sizeof(ret->line), "%.*s", (int)len, last);
	ret->insns = stats && !strncmp(stats, "processed ", 10) ? strtoul(stats + 10, NULL, 10) : 0;
}

/* Empties the maps of both sides, so that a run depends on nothing that came before. */
static void clear_maps(struct diff *d)
{
	static const u8 zeros[64];

	for (u32 m = 0; m < GEN_MAP_CNT; m++) {
		u8 key[8] = {0}, values[64 * 64] = {0};
		union bpf_attr attr = {
			.map_fd = d->fds[m], .key = (uintptr_t)key, .value = (uintptr_t)values};

		if (m == GEN_RODATA || m == GEN_WRONLY)
			continue;
		if (map_attrs[m].type == BPF_MAP_TYPE_HASH ||
			map_attrs[m].type == BPF_MAP_TYPE_LPM_TRIE) {
			union bpf_attr first = {.map_fd = d->fds[m], .next_key = (uintptr_t)key};
			union bpf_attr gone = {.map_fd = d->fds[m], .key = (uintptr_t)key};

			while (!sys_bpf(BPF_MAP_GET_NEXT_KEY, &first) &&
				!sys_bpf(BPF_MAP_DELETE_ELEM, &gone))
				;
			while (!map_user_next_key(d->maps[m], NULL, key) &&
				!map_user_delete(d->maps[m], key))
				;
			continue;
		}
		for (u32 i = 0; i < map_attrs[m].max_entries; i++) {
			memcpy(key, &i, 4);
			sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
			map_user_update(d->maps[m], key,
				map_attrs[m].type == BPF_MAP_TYPE_ARRAY ? zeros : values, 0);
		}
	}
}

/* What a run on a packet gave. */
struct outcome {
	int err;
	u32 retval, len;
	u8 data[512];
};

static void run_kernel(int fd, const u8 *packet, u32 len, struct outcome *ret)
{
	union bpf_attr attr = {0};

	memset(ret, 0, sizeof(*ret));
	attr.test.prog_fd = fd;
	attr.test.data_in = (uintptr_t)packet;
	attr.test.data_size_in = len;
	attr.test.data_out = (uintptr_t)ret->data;
	attr.test.data_size_out = sizeof(ret->data);
	attr.test.repeat = 1;
	ret->err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	ret->retval = attr.test.retval;
	ret->len = attr.test.data_size_out;
}

static void ask_kernel(struct diff *d, const struct gen_prog *prog, u32 level, struct verdict *ret)
{
	static struct bpf_insn insns[GEN_INSN_MAX];
	union bpf_attr attr = {.prog_type = prog->type,
		.insns = (uintptr_t)insns,
		.insn_cnt = prog->cnt,
		.license = (uintptr_t) "GPL",
		.log_level = level,
		.prog_flags = prog->flags,
		.log_buf = (uintptr_t)d->log,
		.log_size = LOG_LEN};

	memcpy(insns, prog->insns, prog->cnt * sizeof(*insns));
	for (u32 i = 0; i < prog->cnt; i++) {
		if (isa_is_lddw(&insns[i]) &&
			(insns[i].src_reg == BPF_PSEUDO_MAP_FD ||
				insns[i].src_reg == BPF_PSEUDO_MAP_VALUE) &&
			(u32)insns[i].imm < GEN_MAP_CNT)
			insns[i].imm = d->fds[insns[i].imm];
	}
	d->log[0] = '\0';
	ret->err = sys_bpf(BPF_PROG_LOAD, &attr);
	d->prog_fd = ret->err;
	if (ret->err >= 0)
		ret->err = 0;
	take_line(d->log, ret);
}

static int get_map(void *arg, int fd, bool is_idx, struct map **ret_map)
{
	struct diff *d = arg;

	if (is_idx)
		return -EPROTO;
	if (fd < 0 || fd >= GEN_MAP_CNT)
		return -EBADF;
	obj_get(&d->maps[fd]->obj);
	*ret_map = d->maps[fd];
	return 0;
}

static void take_log(void *arg, const char *text, size_t len)
{
	buf_add(arg, text, len);
}

static int run_skep(struct prog *prog, const u8 *packet, u32 len, struct outcome *ret)
{
	struct prog_test_run io = {.data_in = packet,
		.data_in_len = len,
		.repeat = 1,
		.data_out = ret->data,
		.data_out_cap = sizeof(ret->data)};

	memset(ret, 0, sizeof(*ret));
	ret->err = vm_test_run(prog, &io);
	ret->retval = io.ret_retval;
	ret->len = io.ret_data_out_len;
	return ret->err;
}

/* Runs an accepted program in checked mode; beside the kernel if all it does is determined. */
static void run_both(struct diff *d, u64 seed, const struct gen_prog *gen, struct prog *prog)
{
	static const u32 lens[] = {14, 15, 34, 60, 128};
	struct outcome k, s;
	u8 packet[128];

	for (u32 i = 0; i < sizeof(packet); i++)
		packet[i] = (seed + 1) * (i + 3) >> 3;
	if (gen->is_determined)
		clear_maps(d);
	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		if (run_skep(prog, packet, lens[i], &s) == -EFAULT) {
			d->faults++;
			printf("seed %llu: accepted, and faults when run on %u bytes\n",
				(unsigned long long)seed, lens[i]);
			return;
		}
		if (!gen->is_determined || d->prog_fd < 0 || s.err == -NOT_SUPPORTED)
			continue;
		run_kernel(d->prog_fd, packet, lens[i], &k);
		d->ran++;
		if (k.err == s.err && k.retval == s.retval && k.len == s.len &&
			!memcmp(k.data, s.data, sizeof(k.data)))
			continue;
		d->other_result++;
		printf("seed %llu: on %u bytes the kernel gives %d, %u, %u bytes, skep %d, %u, %u "
		       "bytes\n",
			(unsigned long long)seed, lens[i], k.err, k.retval, k.len, s.err, s.retval,
			s.len);
		return;
	}
}

static void ask_skep(struct diff *d, u64 seed, const struct gen_prog *prog, u32 level,
	struct verdict *ret, struct buf *log)
{
	struct vm_load load = {.type = prog->type,
		.flags = prog->flags,
		.is_gpl = true,
		.insns = prog->insns,
		.insn_cnt = prog->cnt,
		.map_get = get_map,
		.arg = d,
		.log_level = level,
		.log = take_log,
		.log_arg = log};
	struct prog *loaded;

	buf_reset(log);
	ret->err = vm_prog_load(&d->inst, &load, &loaded);
	take_line(buf_text(log), ret);
	if (ret->err)
		return;
	run_both(d, seed, prog, loaded);
	obj_put(&loaded->obj);
}

/* Lines that differ in ids, addresses and descriptors only are the same. */
static bool is_same_line(const char *a, const char *b)
{
	while (*a && *b) {
		if (!strncmp(a, "id=", 3) && !strncmp(b, "id=", 3)) {
			a += 3 + strspn(a + 3, "0123456789");
			b += 3 + strspn(b + 3, "0123456789");
			continue;
		}
		if (!strncmp(a, "fd ", 3) && !strncmp(b, "fd ", 3)) {
			a += 3 + strspn(a + 3, "-0123456789");
			b += 3 + strspn(b + 3, "-0123456789");
			continue;
		}
		if (*a++ != *b++)
			return false;
	}
	return *a == *b;
}

static void tell(struct diff *d, u64 seed, const char *what, const struct verdict *k,
	const struct verdict *s)
{
	if (d->list)
		printf("seed %llu: %s\n  kernel %d (%u insns): %s\n  skep   %d (%u insns): %s\n",
			(unsigned long long)seed, what, k->err, k->insns, k->line, s->err, s->insns,
			s->line);
}

static void compare(struct diff *d, u64 seed, struct buf *log)
{
	static struct gen_prog prog;
	struct verdict k = {0}, s = {0};

	gen_prog(seed, &prog);
	ask_kernel(d, &prog, 4, &k);
	ask_skep(d, seed, &prog, 4, &s, log);
	if (d->prog_fd >= 0)
		close(d->prog_fd);
	if (d->lines)
		printf("%d %s\n", k.err, k.line);
	if (k.err)
		d->rejected++;
	else
		d->accepted++;
	if (s.err && !strncmp(s.line, "skep: ", 6)) {
		d->unsupported++;
		if (!k.err)
			tell(d, seed, "unsupported", &k, &s);
	} else if (k.err && !s.err) {
		d->unsound++;
		d->list = true;
		tell(d, seed, "ACCEPTED BY SKEP ONLY", &k, &s);
	} else if (!k.err && s.err) {
		d->incomplete++;
		tell(d, seed, "accepted by the kernel only", &k, &s);
	} else if (k.err != s.err) {
		d->other_err++;
		tell(d, seed, "other errno", &k, &s);
	} else if (k.err && !is_same_line(k.line, s.line)) {
		d->other_line++;
		tell(d, seed, "other words", &k, &s);
	} else if (k.insns != s.insns) {
		d->other_insns++;
		tell(d, seed, "other number of instructions", &k, &s);
	}
}

static void dump(struct diff *d, u64 seed, struct buf *log)
{
	static struct gen_prog prog;
	struct verdict v = {0};
	struct buf text = BUF_INIT;

	gen_prog(seed, &prog);
	for (u32 i = 0; i < prog.cnt; i++) {
		buf_printf(&text, "%u: ", i);
		isa_disasm(&text, &prog.insns[i], NULL);
		buf_str(&text, "\n");
	}
	printf("%s", buf_text(&text));
	buf_done(&text);
	ask_kernel(d, &prog, 2, &v);
	printf("---- kernel: %d\n%s", v.err, d->log);
	ask_skep(d, seed, &prog, 2, &v, log);
	printf("---- skep: %d\n%s", v.err, buf_text(log));
}

static int report(const struct diff *d)
{
	u32 all = d->accepted + d->rejected;

	printf("%u programs: the kernel accepts %u, rejects %u\n"
	       "accepted by skep only: %u, accepted by the kernel only: %u, not supported by skep: "
	       "%u\n"
	       "both reject, other errno: %u, other words: %u; same verdict, other work: %u\n"
	       "accepted programs that fault in checked mode: %u; runs compared: %u, other "
	       "results: %u\n",
		all, d->accepted, d->rejected, d->unsound, d->incomplete, d->unsupported,
		d->other_err, d->other_line, d->other_insns, d->faults, d->ran, d->other_result);
	if (d->unsound || d->faults || d->other_result ||
		d->incomplete * 100 > all * COMPLETENESS_PERCENT)
		return 1;
	return 0;
}

int main(int argc, char **argv)
{
	static struct diff d;
	struct inst_options opts = {.no_jit = true, .checked = true};
	u64 cnt = 1500, first = 1, only = 0, given = 0;
	struct buf log = BUF_INIT;
	union bpf_attr probe = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	int ret = sys_bpf(BPF_MAP_CREATE, &probe);

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--list"))
			d.list = true;
		else if (!strcmp(argv[i], "--lines"))
			d.lines = true;
		else if (!strcmp(argv[i], "--dump") && i + 1 < argc)
			only = strtoull(argv[++i], NULL, 0);
		else if (!given++)
			cnt = strtoull(argv[i], NULL, 0);
		else
			first = strtoull(argv[i], NULL, 0);
	}
	if (ret < 0) {
		printf("skipped: bpf(2) gives %s\n", strerrorname_np(-ret));
		return SKIP;
	}
	close(ret);
	d.log = malloc(LOG_LEN);
	if (!d.log || vm_inst_init(&d.inst, &opts) || make_maps(&d)) {
		fprintf(stderr, "cannot set up\n");
		return 2;
	}
	if (only) {
		dump(&d, only, &log);
		ret = 0;
	} else {
		for (u64 seed = first; seed < first + cnt; seed++)
			compare(&d, seed, &log);
		ret = report(&d);
	}
	for (u32 m = 0; m < GEN_MAP_CNT; m++) {
		obj_put(&d.maps[m]->obj);
		close(d.fds[m]);
	}
	inst_done(&d.inst);
	buf_done(&log);
	free(d.log);
	return ret;
}
