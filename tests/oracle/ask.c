/*
 * Loading one program through libbpf into a fresh instance of the engine. The port's bpf(2) is watched:
 * what counts is the result of the BPF_PROG_LOAD that carries our log, not what libbpf makes of it.
 *
 * The object is prepared as the recorded verdicts were taken: flags and helper programs by the object's
 * own declaration tags, maps without a size get one, nothing is pinned, the program type is the recorded.
 */
#include "ask.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "isa/uapi.h"
#include "port/port.h"

#define OBJECT_NAME "o"

enum {
	LOG_MAX = 16 << 20,
	LEVEL_FIGURES = 4,
	LEVEL_ALL = 6,
	REFUSED_MAX = 32,
	TYPES_NS = 20000000,
	POISON_FIRST = 2000000000, /* what libbpf puts in the place of maps that were not created */
};

const char *const outcome_names[OUTCOME_CNT] = {
	[OUT_ACCEPTED] = "accepted",
	[OUT_REJECTED] = "rejected",
	[OUT_NO_PROG_TYPE] = "no such program type",
	[OUT_NO_MAP_TYPE] = "no such map type",
	[OUT_NOT_OPENED] = "not opened by libbpf",
	[OUT_NOT_LOADED] = "not loaded by libbpf",
	[OUT_TIMEOUT] = "out of time",
	[OUT_CRASH] = "crashed",
};

/* The child's one engine and what it said. */
struct spy {
	struct port_ops ops;
	const struct port_ops *real;
	char *log;
	struct answer *answer;
	load_fn on_load; /* may be NULL */
	void *arg;
	bool is_asked, uses_missing_map;
	/* maps that the engine refuses with the BTF of their values, i.e. with locks, timers, … in them */
	char refused[REFUSED_MAX][BPF_OBJ_NAME_LEN];
	u32 refused_cnt;
	char libbpf_words[MSG_LEN];
};

static struct spy spy;

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static void look_for_poison(const union bpf_attr *attr)
{
	const struct bpf_insn *insns = (const void *)(uintptr_t)attr->insns;

	for (u32 i = 0; i < attr->insn_cnt; i++)
		spy.uses_missing_map |= insns[i].code == (BPF_JMP | BPF_CALL) &&
					!insns[i].src_reg && insns[i].imm >= POISON_FIRST;
}

static bool is_refused(const char *name)
{
	for (u32 i = 0; i < spy.refused_cnt; i++)
		if (!strncmp(spy.refused[i], name, BPF_OBJ_NAME_LEN - 1))
			return true;
	return false;
}

/* libbpf tries again without BTF, which makes another map: one whose fields are plain memory. */
static long create_map(struct port *p, union bpf_attr *attr, unsigned int size)
{
	long ret;

	if (is_refused(attr->map_name))
		return -EINVAL;
	ret = spy.real->bpf(p, BPF_MAP_CREATE, attr, size);
	if (ret < 0 && attr->btf_value_type_id && spy.refused_cnt < REFUSED_MAX)
		memcpy(spy.refused[spy.refused_cnt++], attr->map_name, BPF_OBJ_NAME_LEN);
	return ret;
}

static long watch(struct port *p, int cmd, union bpf_attr *attr, unsigned int size)
{
	bool is_ours = cmd == BPF_PROG_LOAD && attr->log_buf == (uintptr_t)spy.log;
	u64 start = now_ns();
	long ret;

	if (cmd == BPF_MAP_CREATE)
		return create_map(p, attr, size);
	ret = spy.real->bpf(p, cmd, attr, size);
	if (!is_ours)
		return ret;
	spy.answer->ns = now_ns() - start;
	/* what was slow may have read the kernel's types, which an engine does once */
	if (spy.answer->ns > TYPES_NS && !spy.on_load) {
		if (ret >= 0)
			close(ret);
		start = now_ns();
		ret = spy.real->bpf(p, cmd, attr, size);
		spy.answer->ns = now_ns() - start;
	}
	spy.answer->outcome = ret < 0 ? OUT_REJECTED : OUT_ACCEPTED;
	spy.answer->err = ret < 0 ? -ret : 0;
	spy.is_asked = true;
	look_for_poison(attr);
	if (spy.on_load)
		spy.on_load(spy.arg, attr, ret);
	return ret;
}

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !strstr(fmt, "failed to load"))
		vsnprintf(spy.libbpf_words, sizeof(spy.libbpf_words), fmt, ap);
	return 0;
}

/* A line of figures or states, not of words. */
static bool is_figure(const char *line)
{
	static const char *const starts[] = {"processed ", "verification time ", "stack depth ",
		"cur state:", "old state:", "; ", "func#"};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (!strncmp(line, starts[i], strlen(starts[i])))
			return true;
	return false;
}

void last_words(const char *text, const char *sep, char ret[MSG_LEN])
{
	ret[0] = 0;
	while (*text) {
		const char *end = strstr(text, sep);
		size_t len = end ? (size_t)(end - text) : strlen(text);

		if (len && !is_figure(text))
			snprintf(ret, MSG_LEN, "%.*s", (int)len, text);
		text += len + (end ? strlen(sep) : 0);
	}
}

static s64 figure(const char *log, const char *key)
{
	const char *at = NULL;

	for (const char *next = log; (next = strstr(next, key)); next++)
		at = next;
	return at ? atoll(at + strlen(key)) : -1;
}

/* ---- preparing the object ----------------------------------------------------------------------- */

static u32 flag_by_name(const char *name)
{
	static const struct {
		const char *name;
		u32 flag;
	} rows[] = {
		{"BPF_F_STRICT_ALIGNMENT", BPF_F_STRICT_ALIGNMENT},
		{"BPF_F_ANY_ALIGNMENT", BPF_F_ANY_ALIGNMENT},
		{"BPF_F_TEST_RND_HI32", BPF_F_TEST_RND_HI32},
		{"BPF_F_TEST_STATE_FREQ", BPF_F_TEST_STATE_FREQ},
		{"BPF_F_SLEEPABLE", BPF_F_SLEEPABLE},
		{"BPF_F_XDP_HAS_FRAGS", BPF_F_XDP_HAS_FRAGS},
		{"BPF_F_TEST_REG_INVARIANTS", BPF_F_TEST_REG_INVARIANTS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, name))
			return rows[i].flag;
	return strtoul(name, NULL, 0);
}

struct tags {
	bool is_auxiliary;
	u32 set, clear;
};

static void read_tag(const char *text, struct tags *tags)
{
	static const char flags[] = "comment:test_prog_flags=";

	if (!strcmp(text, "comment:test_auxiliary"))
		tags->is_auxiliary = true;
	if (strncmp(text, flags, strlen(flags)))
		return;
	text += strlen(flags);
	if (*text == '!')
		tags->clear |= flag_by_name(text + 1);
	else
		tags->set |= flag_by_name(text);
}

static struct tags read_tags(struct bpf_object *obj, struct bpf_program *prog)
{
	const struct btf *btf = bpf_object__btf(obj);
	struct tags tags = {0};
	int func;

	if (!btf)
		return tags;
	func = btf__find_by_name_kind(btf, bpf_program__name(prog), BTF_KIND_FUNC);
	for (u32 id = 1; func > 0 && id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_decl_tag(type) && (int)type->type == func &&
			btf_decl_tag(type)->component_idx == -1)
			read_tag(btf__str_by_offset(btf, type->name_off), &tags);
	}
	return tags;
}

static bool has_no_entries(u32 type)
{
	switch (type) {
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE: return true;
	default: return false;
	}
}

static void prepare_map(struct bpf_map *map)
{
	u32 type = bpf_map__type(map);
	char name[NAME_LEN];
	bool is_plain_data;

	bpf_map__set_pin_path(map, NULL);
	if (!has_no_entries(type) && !bpf_map__max_entries(map))
		bpf_map__set_max_entries(map, 1);
	if (type == BPF_MAP_TYPE_HASH && !bpf_map__key_size(map))
		bpf_map__set_key_size(map, 8);
	if ((type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_ARRAY ||
		    type == BPF_MAP_TYPE_BLOOM_FILTER) &&
		!bpf_map__value_size(map))
		bpf_map__set_value_size(map, 8);
	/* .data, but not .data.mine, carries the object's name too */
	is_plain_data = bpf_map__is_internal(map) && !strchr(bpf_map__name(map) + 1, '.');
	snprintf(name, sizeof(name), "%s%s", is_plain_data ? OBJECT_NAME : "", bpf_map__name(map));
	if (is_refused(name))
		bpf_map__set_autocreate(map, false);
}

/* A type that the engine does not know is refused before the verifier, which always has something to say. */
static bool has_prog_type(const struct question *q)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	char log[4096] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = q->attach_type,
		.log_buf = log, .log_size = sizeof(log), .log_level = LEVEL_FIGURES);
	int fd = bpf_prog_load(q->prog_type, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || log[0];
}

static void prepare(struct bpf_object *obj, struct bpf_program *chosen, const struct question *q,
	u32 level, bool with_helpers)
{
	struct tags tags = read_tags(obj, chosen);
	struct bpf_program *prog;
	struct bpf_map *map;

	bpf_object__for_each_program(prog, obj) bpf_program__set_autoload(
		prog, prog == chosen || (with_helpers && read_tags(obj, prog).is_auxiliary));
	bpf_object__for_each_map(map, obj) prepare_map(map);
	bpf_program__set_type(chosen, q->prog_type);
	bpf_program__set_expected_attach_type(chosen, q->attach_type);
	bpf_program__set_flags(chosen, (bpf_program__flags(chosen) | tags.set) & ~tags.clear);
	bpf_program__set_log_buf(chosen, spy.log, LOG_MAX);
	bpf_program__set_log_level(chosen, level);
}

/* ---- the object's file -------------------------------------------------------------------------- */

struct image {
	u8 *bytes;
	size_t len;
};

static bool read_image(const char *path, struct image *ret)
{
	FILE *file = fopen(path, "re");
	long len = -1;

	if (!file)
		return false;
	if (!fseek(file, 0, SEEK_END))
		len = ftell(file);
	rewind(file);
	ret->len = MAX(len, 0);
	ret->bytes = calloc(1, ret->len + 1);
	if (!ret->bytes || fread(ret->bytes, 1, ret->len, file) != ret->len)
		len = -1;
	fclose(file);
	return len > 0;
}

/* Names of the kernel that this one lacks become 0, which is only an error where they are used. */
static void weaken(struct image *image)
{
	const Elf64_Ehdr *head = (const void *)image->bytes;
	const Elf64_Shdr *sections = (const void *)(image->bytes + head->e_shoff);

	for (u32 i = 0; i < head->e_shnum; i++) {
		Elf64_Sym *syms = (void *)(image->bytes + sections[i].sh_offset);

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t s = 0; s < sections[i].sh_size / sizeof(*syms); s++) {
			u8 *info = &syms[s].st_info;

			if (syms[s].st_shndx == SHN_UNDEF && ELF64_ST_BIND(*info) == STB_GLOBAL)
				*info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(*info));
		}
	}
}

/* ---- the child ---------------------------------------------------------------------------------- */

static void try_load(
	const struct question *q, const struct image *image, u32 level, bool with_helpers)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = OBJECT_NAME);
	struct bpf_object *obj = bpf_object__open_mem(image->bytes, image->len, &opts);
	struct bpf_program *prog = obj ? bpf_object__find_program_by_name(obj, q->program) : NULL;

	spy.answer->outcome = prog ? OUT_NOT_LOADED : OUT_NOT_OPENED;
	if (!prog)
		return;
	/* libbpf 1.1 looks for the program to replace, whatever type is set */
	if (libbpf_major_version() == 1 && libbpf_minor_version() < 5 &&
		bpf_program__type(prog) == BPF_PROG_TYPE_EXT && q->prog_type != BPF_PROG_TYPE_EXT) {
		snprintf(spy.libbpf_words, MSG_LEN, "a replacement under another type");
		return;
	}
	prepare(obj, prog, q, level, with_helpers);
	bpf_object__load(obj);
}

static void load(const struct question *q, u32 level, struct answer *answer)
{
	static const struct {
		bool weak, with_helpers;
	} tries[] = {{false, true}, {true, true}, {true, false}};
	struct image image = {0};

	answer->outcome = OUT_NOT_OPENED;
	if (!read_image(q->path, &image)) {
		snprintf(answer->msg, MSG_LEN, "cannot be read");
		return;
	}
	answer->outcome = OUT_NO_PROG_TYPE;
	if (!has_prog_type(q))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(tries) && !spy.is_asked; i++) {
		u32 refused;

		if (tries[i].weak)
			weaken(&image);
		do {
			refused = spy.refused_cnt;
			try_load(q, &image, level, tries[i].with_helpers);
		} while (!spy.is_asked && spy.refused_cnt > refused);
	}
	if (!spy.is_asked) {
		last_words(spy.libbpf_words, "\n", answer->msg);
		return;
	}
	if (spy.uses_missing_map && answer->outcome == OUT_REJECTED)
		answer->outcome = OUT_NO_MAP_TYPE;
	answer->insns_processed = figure(spy.log, "processed ");
	answer->peak_states = figure(spy.log, "peak_states ");
	last_words(spy.log, "\n", answer->msg);
}

void ask_here(const struct question *q, struct port *port, u32 log_level, load_fn on_load,
	void *arg, struct answer *ret)
{
	libbpf_set_print(keep_words);
	free(spy.log);
	spy = (struct spy){
		.log = calloc(1, LOG_MAX), .answer = ret, .on_load = on_load, .arg = arg};
	if (!spy.log) {
		ret->outcome = OUT_NOT_OPENED;
		return;
	}
	spy.real = port->ops;
	spy.ops = *port->ops;
	spy.ops.bpf = watch;
	spy.ops.is_kernel = false; /* the seam would go past the port */
	port->ops = &spy.ops;
	port_use(port);
	load(q, log_level, ret);
	port->ops = spy.real;
}

/* The engine reads the kernel's types when the first program asks for them; a kernel has them at hand. So
 * that the time of a load is that of its verification, one asks beforehand. */
static void load_kernel_btf(struct port *port)
{
	const struct bpf_insn insn = {.code = BPF_JMP | BPF_EXIT};
	union bpf_attr attr = {0};

	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.insns = (uintptr_t)&insn;
	attr.insn_cnt = 1;
	attr.license = (uintptr_t) "GPL";
	attr.attach_btf_id = 1;
	if (port->ops->bpf(port, BPF_PROG_LOAD, &attr, sizeof(attr)) >= 0)
		fprintf(stderr, "a program without a target is accepted\n");
}

static int run_child(const struct question *q, bool log, struct answer *answer)
{
	const struct rlimit space = {(u64)ASK_MEM << 30, (u64)ASK_MEM << 30};
	const struct port_opts opts = {.cpus = 2, .verify_only = true};
	struct port_text why = {""};
	struct port *port;

	alarm(q->seconds);
	setrlimit(RLIMIT_AS, &space);
	if (port_open_local(&opts, &port, &why)) {
		fprintf(stderr, "no engine: %s\n", why.text);
		return 1;
	}
	load_kernel_btf(port);
	ask_here(q, port, log ? LEVEL_ALL : LEVEL_FIGURES, NULL, NULL, answer);
	if (log && spy.log)
		fputs(spy.log, stdout);
	return 0;
}

int ask(const struct question *q, bool log, struct answer *ret)
{
	struct answer *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, err = 0;
	pid_t pid;

	if (shared == MAP_FAILED)
		return -errno;
	*shared = (struct answer){.outcome = OUT_CRASH, .insns_processed = -1, .peak_states = -1};
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int code = run_child(q, log, shared);

		fflush(NULL);
		_exit(code);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		err = -errno;
	} else {
		*ret = *shared;
		if (WIFSIGNALED(status)) {
			ret->outcome = WTERMSIG(status) == SIGALRM ? OUT_TIMEOUT : OUT_CRASH;
			ret->err = WTERMSIG(status);
		} else if (WEXITSTATUS(status)) {
			ret->outcome = OUT_CRASH;
		}
	}
	munmap(shared, sizeof(*shared));
	return err;
}
