/*
 * The abstract scalar against the running kernel: random programs compute on two unknown registers and
 * branch on them; the kernel's log of level 2 shows what it knows after every instruction, and that must
 * be the text of our own domains, byte for byte. Equality both ways: less would reject what Linux
 * accepts, more would accept what Linux rejects.
 *
 * A program is a straight path. Every condition either goes on with its fall-through and leaves for the
 * end when taken, or the other way round:
 *
 *	if a op b goto end        or        if a op b goto +1
 *	                                    goto end
 *
 * usage: domains [--seed N] [--programs N] [--keep-going]; exit 77: no bpf(2) here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "isa/uapi.h"
#include "verifier/scalar.h"

enum {
	SKIP = 77,
	STEPS = 14,
	INSNS_MAX = 8 + STEPS * 6,
	LOG_MAX = 1 << 20,
	PROGRAMS = 3000,
	REGS = 2,
	FIRST_REG = 6, /* R6 and R7 are the unknowns, R8 holds 64-bit constants */
	CONST_REG = 8,
};

struct run {
	u64 random;
	struct bpf_insn insns[INSNS_MAX];
	u32 cnt;
	u32 ends[STEPS]; /* jumps to the end, to be patched */
	u32 end_cnt;
	struct vf_scalar reg[REGS];
	char *log;
	struct buf why; /* what differs; empty: nothing */
	u64 compared;
	bool forked; /* the kernel follows a second value along the same instructions */
	u64 dead;    /* paths that end because the condition is decided */
};

static u64 random_next(struct run *r)
{
	u64 z = r->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u64 random_number(struct run *r)
{
	u64 n = random_next(r), v = 1ull << (n >> 8 & 63);

	if ((n & 7) == 0)
		v = random_next(r);
	else if ((n & 7) < 4)
		v = random_next(r) & 0xff;
	else if ((n & 7) == 4)
		v = 0x80000000;
	if (n >> 16 & 1)
		v += (s64)(n >> 24 & 7) - 4;
	if (n >> 17 & 1)
		v = -v;
	return v;
}

static u32 emit(struct run *r, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	r->insns[r->cnt] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
	return r->cnt++;
}

/* ---- the kernel's word ---- */

static long load(const struct run *r)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)r->insns;
	attr.insn_cnt = r->cnt;
	attr.license = (uintptr_t) "GPL";
	attr.log_level = 2;
	attr.log_buf = (uintptr_t)r->log;
	attr.log_size = LOG_MAX;
	r->log[0] = 0;
	return syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* The line that starts with text, or NULL. */
static const char *find_line(const char *log, const char *text)
{
	size_t len = strlen(text);

	for (const char *line = log; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, text, len))
			return line;
	}
	return NULL;
}

/*
 * What the line says of a register: "5", "scalar(smin=0,...)". Left out are the marks of other parts of
 * the verifier: P for precise, id=N for registers known to be equal.
 */
static bool read_reg(const char *line, u32 regno, struct buf *out)
{
	const char *end = strchrnul(line, '\n'), *p;
	char name[8];
	int depth = 0;

	snprintf(name, sizeof(name), " R%u=", regno);
	p = memmem(line, end - line, name, strlen(name));
	if (!p)
		return false;
	p += strlen(name);
	p += *p == 'P';
	for (; p < end && (depth || *p != ' '); p++) {
		if (!strncmp(p, "(id=", 4)) {
			buf_str(out, "(");
			depth++;
			p += strcspn(p, ",)");
			if (*p == ',')
				continue;
		}
		depth += *p == '(';
		depth -= *p == ')';
		buf_add(out, p, 1);
	}
	return true;
}

/* Compares what line says of R6 and R7 with ours. */
static void compare(struct run *r, const char *line)
{
	for (u32 i = 0; i < REGS; i++) {
		struct buf theirs = BUF_INIT, ours = BUF_INIT;

		if (read_reg(line, FIRST_REG + i, &theirs)) {
			vf_scalar_print(&ours, &r->reg[i]);
			r->compared++;
			if (strcmp(buf_text(&theirs), buf_text(&ours)))
				buf_printf(&r->why, "R%u in %.*s\n  ours: %s\n", FIRST_REG + i,
					(int)strcspn(line, "\n"), line, buf_text(&ours));
		}
		buf_done(&theirs);
		buf_done(&ours);
	}
}

/* ---- one program ---- */

/*
 * A step has been emitted and simulated; when the kernel's log is there, it is looked up. Programs are
 * built twice from the same random numbers: first without a log, to be loaded, then along it.
 */
static void check_at(struct run *r, const char *prefix)
{
	const char *line;

	if (!r->log[0])
		return;
	line = find_line(r->log, prefix);
	if (line)
		compare(r, line);
	else
		buf_printf(&r->why, "the log has no line \"%s\"\n", prefix);
}

static void check_step(struct run *r, u32 insn)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "%u: (", insn);
	check_at(r, prefix);
}

/* as Linux when bounds contradict each other */
static void heal(struct vf_scalar *s)
{
	if (!vf_scalar_is_sane(s))
		vf_scalar_unbound(s);
}

struct operand {
	bool is_reg;
	u8 reg;
	s32 imm;
	struct vf_scalar value;
};

static struct operand pick_operand(struct run *r, u32 other)
{
	u64 n = random_next(r), c = random_number(r);
	struct operand o = {.is_reg = n & 1, .reg = FIRST_REG + other, .imm = c};

	if (!o.is_reg) {
		o.value = vf_scalar_const((s64)o.imm);
	} else if (n & 2) {
		o.value = r->reg[other];
	} else {
		emit(r, BPF_LD | BPF_IMM | BPF_DW, CONST_REG, 0, 0, (u32)c);
		emit(r, 0, 0, 0, 0, c >> 32);
		o.reg = CONST_REG;
		o.value = vf_scalar_const(c);
	}
	return o;
}

static void step_alu(struct run *r)
{
	static const u8 ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD, BPF_AND, BPF_OR,
		BPF_XOR, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_AND, BPF_RSH, BPF_ADD};
	u64 n = random_next(r);
	u8 op = ops[n % ARRAY_SIZE(ops)];
	u32 dst = n >> 16 & 1;
	bool is_64 = n >> 17 & 1, is_shift = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
	bool is_div = op == BPF_DIV || op == BPF_MOD;
	unsigned bits = is_64 ? 64 : 32;
	struct operand o = pick_operand(r, !dst);
	struct vf_scalar zero;
	u32 insn;

	if (is_div && !o.is_reg && !o.imm)
		o.imm = 3;
	if (is_shift && !o.is_reg) {
		o.imm = (n >> 24 & 3) ? n >> 32 & (bits - 1) : bits / 2;
		o.value = vf_scalar_const(o.imm);
	}
	insn = emit(r, (is_64 ? BPF_ALU64 : BPF_ALU) | op | (o.is_reg ? BPF_X : BPF_K),
		FIRST_REG + dst, o.is_reg ? o.reg : 0, is_div && n >> 40 & 1, o.is_reg ? 0 : o.imm);
	/* the other one is explored later, after the path that is looked at */
	r->forked |= vf_scalar_fork(&r->reg[dst], op, &o.value, &zero);
	vf_scalar_alu(&r->reg[dst], op, &o.value, bits);
	heal(&r->reg[dst]);
	check_step(r, insn);
}

/* neg, byte swaps, sign extension, zero extension */
static void step_unary(struct run *r)
{
	static const u8 sizes[] = {8, 16, 32}, ends[] = {16, 32, 64};
	u64 n = random_next(r);
	u32 dst = n & 1, insn;
	bool is_64 = n >> 1 & 1;
	u8 class = is_64 ? BPF_ALU64 : BPF_ALU, reg = FIRST_REG + dst;
	unsigned bits = is_64 ? 64 : 32, from = sizes[(n >> 8) % (is_64 ? 3 : 2)];

	switch (n >> 2 & 3) {
	case 0:
		insn = emit(r, class | BPF_NEG, reg, 0, 0, 0);
		vf_scalar_alu(&r->reg[dst], BPF_NEG, NULL, bits);
		break;
	case 1:
		from = ends[(n >> 8) % ARRAY_SIZE(ends)];
		insn = emit(r, (n >> 16 & 1 ? BPF_ALU64 : BPF_ALU | BPF_TO_BE) | BPF_END, reg, 0, 0,
			from);
		vf_scalar_swap(&r->reg[dst], from);
		break;
	case 2:
		insn = emit(r, class | BPF_MOV | BPF_X, reg, reg, from, 0);
		vf_scalar_sext(&r->reg[dst], from, bits);
		break;
	default:
		insn = emit(r, BPF_ALU | BPF_MOV | BPF_X, reg, reg, 0, 0);
		vf_scalar_alu(&r->reg[dst], BPF_MOV, &r->reg[dst], 32);
		break;
	}
	heal(&r->reg[dst]);
	check_step(r, insn);
}

/* False when the path ends here: the condition is decided against going on. */
static bool step_branch(struct run *r)
{
	static const u8 ops[] = {BPF_JEQ, BPF_JNE, BPF_JSET, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE,
		BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
	u64 n = random_next(r);
	u8 op = ops[n % ARRAY_SIZE(ops)];
	u32 dst = n >> 16 & 1, insn;
	bool is_64 = n >> 17 & 3, follow_taken = n >> 20 & 1;
	unsigned bits = is_64 ? 64 : 32;
	struct operand o = pick_operand(r, !dst);
	struct vf_scalar right = o.value;
	char prefix[48];
	int claim;

	insn = emit(r, (is_64 ? BPF_JMP : BPF_JMP32) | op | (o.is_reg ? BPF_X : BPF_K),
		FIRST_REG + dst, o.is_reg ? o.reg : 0, 1, o.is_reg ? 0 : o.imm);
	r->ends[r->end_cnt++] = follow_taken ? emit(r, BPF_JMP | BPF_JA, 0, 0, 0, 0) : insn;
	claim = vf_scalar_branch(&r->reg[dst], &right, op, bits);
	if (claim == !follow_taken) {
		snprintf(prefix, sizeof(prefix), "from %u to %u:", insn, r->cnt);
		if (!r->forked && follow_taken && find_line(r->log, prefix))
			buf_printf(&r->why, "the kernel goes on: %s\n", prefix);
		snprintf(prefix, sizeof(prefix), "%u: (", r->cnt);
		if (!r->forked && find_line(r->log, prefix))
			buf_printf(&r->why, "the kernel goes on: %s\n", prefix);
		/* the place where it would go on */
		emit(r, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
		return false;
	}
	if (claim >= 0)
		return true; /* a decided condition teaches nothing */
	vf_scalar_refine(&r->reg[dst], &right, op, bits, follow_taken);
	heal(&r->reg[dst]);
	heal(&right);
	if (o.reg == FIRST_REG + !dst && o.is_reg)
		r->reg[!dst] = right;
	snprintf(prefix, sizeof(prefix), "from %u to %u:", insn, r->cnt);
	if (follow_taken)
		check_at(r, prefix);
	else
		check_step(r, insn);
	return true;
}

static void build(struct run *r)
{
	bool goes_on = true;
	u32 end;

	r->cnt = r->end_cnt = 0;
	r->forked = false;
	for (u32 i = 0; i < REGS; i++) {
		emit(r, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns);
		emit(r, BPF_ALU64 | BPF_MOV | BPF_X, FIRST_REG + i, 0, 0, 0);
		r->reg[i] = vf_scalar_unknown();
	}
	for (u32 i = 0; i < STEPS && goes_on; i++) {
		u64 kind = random_next(r) % 8;

		if (kind < 4)
			step_alu(r);
		else if (kind < 5)
			step_unary(r);
		else
			goes_on = step_branch(r);
	}
	r->dead += !goes_on && r->log[0];
	/* both registers are read at the end, so that nothing is forgotten on the way */
	end = emit(r, BPF_ALU64 | BPF_MOV | BPF_X, 0, FIRST_REG, 0, 0);
	emit(r, BPF_ALU64 | BPF_XOR | BPF_X, 0, FIRST_REG + 1, 0, 0);
	emit(r, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (u32 i = 0; i < r->end_cnt; i++)
		r->insns[r->ends[i]].off = end - r->ends[i] - 1;
}

/* 1 different, 0 equal, or a negative errno */
static int try_program(struct run *r)
{
	u64 random = r->random;
	long fd;

	r->log[0] = 0;
	build(r);
	fd = load(r);
	if (fd < 0)
		return -errno;
	close(fd);
	r->random = random;
	build(r);
	return r->why.len ? 1 : 0;
}

static u64 option(int argc, char **argv, const char *name, u64 otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return strtoull(argv[i + 1], NULL, 0);
	return otherwise;
}

int main(int argc, char **argv)
{
	u64 seed = option(argc, argv, "--seed", (u64)time(NULL) * 1000003u);
	u64 programs = option(argc, argv, "--programs", PROGRAMS);
	bool keep_going = argc > 1 && !strcmp(argv[argc - 1], "--keep-going");
	struct run r = {.random = seed, .log = malloc(LOG_MAX)};
	u64 different = 0;

	if (!r.log)
		return 1;
	printf("--seed %" PRIu64 "\n", seed);
	for (u64 i = 0; i < programs && (!different || keep_going); i++) {
		int res = try_program(&r);

		if (res == -EPERM || res == -ENOSYS) {
			printf("skipped: bpf(2) says %s\n", strerror(-res));
			return SKIP;
		}
		if (res < 0)
			printf("program %" PRIu64 ": refused: %s\n%s\n", i, strerror(-res), r.log);
		if (res > 0)
			printf("program %" PRIu64 ":\n%s%s\n", i, buf_text(&r.why), r.log);
		different += res != 0;
		buf_reset(&r.why);
	}
	printf("%" PRIu64 " programs, %" PRIu64 " register states equal, %" PRIu64
	       " paths found dead, %" PRIu64 " programs differ\n",
		programs, r.compared, r.dead, different);
	buf_done(&r.why);
	free(r.log);
	return different ? 1 : 0;
}
