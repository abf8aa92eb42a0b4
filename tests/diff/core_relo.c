/*
 * CO-RE records of BPF_PROG_LOAD: the running kernel against this engine, with the kernel's own BTF. A
 * program of one relocated instruction is loaded with records of all kinds on types that the kernel has,
 * nearly has and has not; errno, complaint and what the program then returns must be the same.
 *
 *	core_relo [COUNT SEED]
 *
 * Exit status 77 where bpf(2) or the kernel's BTF is not to be had.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isa/uapi.h"
#include "base/types.h"
#include "core/kbtf.h"
#include "port/port.h"

enum { SKIP = 77, LOG_LEN = 1 << 20, SHOWN_MAX = 10, WORDS_LEN = 256, INSNS = 5 };

static const char *const paths[] = {"0", "0:0", "0:1", "0:2", "0:2:3", "0:2:16", "0:3", "0:4", "1",
	"1:0", "2", "0:9", "", ":", "0:0:0", "x", "0:5", "0:5:0", "0:6", "-1"};
static const s32 values[] = {0, 1, 2, 4, 7, 8, 9, 11, 16, 24, 28, 32, 40, 60, 64};
enum { PATHS = ARRAY_SIZE(paths), VALUES = ARRAY_SIZE(values) };

/* A case: which type, path and kind, and the instruction as the compiler is said to have written it. */
struct question {
	struct bpf_core_relo relo;
	struct bpf_insn insns[INSNS];
	u32 insn_cnt;
};

struct answer {
	int err;
	u32 retval;
	char words[WORDS_LEN];
};

struct types {
	struct btf *btf;
	u32 path_off[PATHS];
	u32 type_cnt, func_id;
	int fd;
};

static u64 state;
static char log_text[LOG_LEN];

static u32 below(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* ---- the program's types ------------------------------------------------------------------------ */

static void add_task(struct btf *btf, const char *name, u32 num, u32 chars, u32 self)
{
	btf__add_struct(btf, name, 64);
	btf__add_field(btf, "pid", num, 0, 0);
	btf__add_field(btf, "tgid", num, 32, 0);
	btf__add_field(btf, "comm", chars, 64, 0);
	btf__add_field(btf, "no_such_member", num, 192, 0);
	btf__add_field(btf, "group_leader", self, 256, 0);
	btf__add_field(btf, "in_execve", num, 320, 1);
	btf__add_field(btf, "start_time", num, 352, 0);
}

static void add_types(struct types *t)
{
	struct btf *btf = t->btf = btf__new_empty();
	u32 num = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	u32 chr = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	u32 chars = btf__add_array(btf, num, chr, 16), pointer;

	add_task(btf, "task_struct", num, chars, btf__add_ptr(btf, 0));
	add_task(btf, "task_struct___mine", num, chars, btf__add_ptr(btf, 0));
	add_task(btf, "no_such_struct", num, chars, btf__add_ptr(btf, 0));
	btf__add_struct(btf, "list_head", 16);
	pointer = btf__type_cnt(btf);
	btf__add_field(btf, "next", pointer, 0, 0);
	btf__add_field(btf, "prev", pointer, 64, 0);
	btf__add_ptr(btf, pointer - 1);
	btf__add_struct(btf, "list_head___wrong", 16);
	btf__add_field(btf, "next", num, 0, 0);
	btf__add_enum(btf, "pid_type", 4);
	btf__add_enum_value(btf, "PIDTYPE_PID", 0);
	btf__add_enum_value(btf, "PIDTYPE_SID___mine", 7);
	btf__add_enum_value(btf, "PIDTYPE_NO_SUCH", 9);
	btf__add_enum(btf, "pid_type___fits", 4);
	btf__add_enum_value(btf, "PIDTYPE_TGID", 2);
	btf__add_typedef(btf, "pid_t", num);
	btf__add_typedef(btf, "u64", num);
	btf__add_union(btf, "sigval", 8);
	btf__add_field(btf, "sival_int", num, 0, 0);
	btf__add_fwd(btf, "mm_struct", BTF_FWD_STRUCT);
	t->type_cnt = btf__type_cnt(btf);
	btf__add_func(btf, "main", BTF_FUNC_STATIC, btf__add_func_proto(btf, num));
	t->func_id = btf__type_cnt(btf) - 1;
	for (u32 p = 0; p < PATHS; p++)
		t->path_off[p] = *paths[p] ? btf__add_str(btf, paths[p]) : 0;
}

/* ---- asking ------------------------------------------------------------------------------------- */

static long bpf(struct port *port, int cmd, union bpf_attr *attr)
{
	return port->ops->bpf(port, cmd, attr, sizeof(*attr));
}

static int load_types(struct port *port, const struct types *t)
{
	union bpf_attr attr = {0};
	u32 size;

	attr.btf = (uintptr_t)btf__raw_data(t->btf, &size);
	attr.btf_size = size;
	return bpf(port, BPF_BTF_LOAD, &attr);
}

/* The last line that is a complaint, not an account of the search or figures. */
static void keep_words(struct answer *ret)
{
	char *line = log_text, *end;

	ret->words[0] = 0;
	for (; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = 0;
		if (!strncmp(line, "processed ", 10) || strstr(line, "found target candidate") ||
			strstr(line, "matching candidate") || strstr(line, "> [") ||
			strstr(line, "no matching targets") || strstr(line, "patched insn") ||
			strstr(line, "substituting insn") || strstr(line, "_cand_cache") ||
			strstr(line, "relo #0: <"))
			continue;
		snprintf(ret->words, sizeof(ret->words), "%.*s", (int)sizeof(ret->words) - 1, line);
	}
}

static void ask(struct port *port, const struct types *t, int btf_fd, const struct question *q,
	struct answer *ret)
{
	const struct bpf_func_info func = {.type_id = t->func_id};
	union bpf_attr attr = {0}, run = {0};
	u8 packet[64] = {0};
	long fd;

	*ret = (struct answer){0};
	log_text[0] = 0;
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)q->insns;
	attr.insn_cnt = q->insn_cnt;
	attr.license = (uintptr_t) "GPL";
	attr.log_buf = (uintptr_t)log_text;
	attr.log_size = sizeof(log_text);
	attr.log_level = 1;
	attr.prog_btf_fd = btf_fd;
	attr.func_info = (uintptr_t)&func;
	attr.func_info_cnt = 1;
	attr.func_info_rec_size = sizeof(func);
	attr.core_relos = (uintptr_t)&q->relo;
	attr.core_relo_cnt = 1;
	attr.core_relo_rec_size = sizeof(q->relo);
	fd = bpf(port, BPF_PROG_LOAD, &attr);
	if (fd < 0) {
		ret->err = -fd;
		keep_words(ret);
		return;
	}
	run.test.prog_fd = fd;
	run.test.data_in = (uintptr_t)packet;
	run.test.data_size_in = sizeof(packet);
	if (bpf(port, BPF_PROG_TEST_RUN, &run) < 0)
		ret->retval = ~0u;
	else
		ret->retval = run.test.retval;
	close(fd);
}

/* A move of a constant, a load of 64 bits, or a load from the stack at a place that is relocated. */
static void make_question(const struct types *t, struct question *q)
{
	s32 value = values[below(VALUES)];
	u32 shape = below(4);

	*q = (struct question){
		.relo = {.type_id = below(20) ? 1 + below(t->type_cnt - 1) : below(100),
			.access_str_off = t->path_off[below(PATHS)],
			.kind = below(14)},
	};
	if (q->relo.kind >= BPF_CORE_TYPE_ID_LOCAL && below(10))
		q->relo.access_str_off =
			t->path_off[q->relo.kind < 10 || below(2) ? 0 : 8 + 2 * below(2)];
	switch (shape) {
	case 0:
	case 1:
		q->insns[0] = (struct bpf_insn){
			.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = value};
		q->insns[1].code = BPF_JMP | BPF_EXIT;
		q->insn_cnt = 2;
		break;
	case 2:
		q->insns[0] = (struct bpf_insn){.code = BPF_LD | BPF_IMM | BPF_DW, .imm = value};
		q->insns[2].code = BPF_JMP | BPF_EXIT;
		q->insn_cnt = 3;
		break;
	default:
		q->insns[0] = (struct bpf_insn){
			.code = BPF_LDX | BPF_MEM | (below(2) ? BPF_W : BPF_DW),
			.src_reg = BPF_REG_10,
			.off = value};
		q->insns[1].code = BPF_JMP | BPF_EXIT;
		q->insn_cnt = 2;
		break;
	}
	if (!below(100))
		q->relo.insn_off = below(32);
}

/* The kernel says what it expects to find in the instruction: the same question, rightly put. */
static bool correct(const struct answer *answer, struct question *q)
{
	const char *at = strstr(answer->words, ", exp ");
	long long value;

	if (!at || sscanf(at, ", exp %lld", &value) != 1)
		return false;
	if (BPF_CLASS(q->insns[0].code) == BPF_LDX)
		q->insns[0].off = value;
	else
		q->insns[0].imm = value;
	return true;
}

static bool is_same(const struct answer *a, const struct answer *b)
{
	return a->err == b->err && a->retval == b->retval && !strcmp(a->words, b->words);
}

static void show(const struct types *t, const struct question *q, const struct answer answers[2])
{
	printf("type %u path \"%s\" kind %u code %#x imm %d off %d:\n", q->relo.type_id,
		btf__str_by_offset(t->btf, q->relo.access_str_off), q->relo.kind, q->insns[0].code,
		q->insns[0].imm, q->insns[0].off);
	for (int e = 0; e < 2; e++)
		printf("  %s: errno %d, returns %u: %s\n", e ? "skep" : "kernel", answers[e].err,
			answers[e].retval, answers[e].words);
}

int main(int argc, char **argv)
{
	u32 cnt = argc > 1 ? strtoul(argv[1], NULL, 0) : 3000, bad = 0, accepted = 0;
	const struct port_opts opts = {.interp = true};
	struct port *ports[2];
	struct port_text why;
	struct types t = {0};
	int fds[2];

	state = (argc > 2 ? strtoull(argv[2], NULL, 0) : 1) * 0x9e3779b97f4a7c15;
	add_types(&t);
	if (port_open_kernel(&ports[0]) || port_open_local(&opts, &ports[1], &why))
		return 2;
	for (int e = 0; e < 2; e++)
		fds[e] = load_types(ports[e], &t);
	if (fds[0] < 0 || access(CORE_KBTF_PATH, R_OK)) {
		printf("no bpf(2), or no BTF of the kernel: skipped\n");
		return SKIP;
	}
	for (u32 i = 0; i < cnt; i++) {
		struct answer answers[2];
		struct question q;

		make_question(&t, &q);
		for (int e = 0; e < 2; e++)
			ask(ports[e], &t, fds[e], &q, &answers[e]);
		if (is_same(&answers[0], &answers[1]) && correct(&answers[0], &q))
			for (int e = 0; e < 2; e++)
				ask(ports[e], &t, fds[e], &q, &answers[e]);
		accepted += !answers[0].err;
		if (is_same(&answers[0], &answers[1]))
			continue;
		if (bad++ < SHOWN_MAX)
			show(&t, &q, answers);
	}
	printf("%u records, %u accepted, %u with another answer\n", cnt, accepted, bad);
	for (int e = 0; e < 2; e++) {
		close(fds[e]);
		port_close(ports[e]);
	}
	btf__free(t.btf);
	return bad != 0;
}
