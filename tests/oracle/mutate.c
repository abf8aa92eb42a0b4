/*
 * Real programs with small defects, put to the running kernel and to skep: each program of the corpus is
 * loaded through libbpf into both engines, what libbpf gave them is kept, and copies with one to three
 * changed instructions, some with a test flag, are loaded into both. That skep accepts what the kernel rejects is the finding;
 * other differences are counted.
 *
 * A mutant is known by object, program and its number: --only and --mutant show it again.
 *
 * usage: mutate [--count N] [--seed N] [--seconds N] [--only OBJECT[:PROGRAM]] [--mutant N] [--verbose]
 *	VERDICTS.csv OBJECT_DIR
 * Exit: 0 nothing accepted by skep alone, 1 else, 2 wrong input, 77 no corpus or no bpf(2).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "base/buf.h"
#include "isa/isa.h"
#include "isa/uapi.h"
#include "port/port.h"
#include "table.h"

enum {
	SKIP = 77,
	LOG_LEN = 1 << 18,
	CHANGES_MAX = 3,
	COSTLY_INSNS = 30000, /* processed: such programs are left out */
	PROGRAM_SECONDS = 60,
};
enum { KERNEL, SKEP, ENGINES };

/* What libbpf gave an engine, copied. */
struct kept {
	struct port *port;
	union bpf_attr attr;
	u32 flags; /* more flags of BPF_PROG_LOAD, of this mutant */
	struct bpf_insn *insns;
	u32 cnt;
	char *log;
	long ret;
	char words[MSG_LEN];
};

struct tally {
	u32 mutants, accepted, unsound, gave_up, refused, unsupported, other_errno, other_words;
};

struct mutate {
	const char *dir, *only;
	u32 count, seed, seconds;
	s64 mutant; /* -1: all */
	bool verbose;
	struct tally *tally; /* shared with the children */
};

/* ---- random ------------------------------------------------------------------------------------- */

static u64 rand_state;

static u32 rnd(u32 below)
{
	rand_state ^= rand_state << 13;
	rand_state ^= rand_state >> 7;
	rand_state ^= rand_state << 17;
	return (u32)((rand_state >> 16) % below);
}

static void seed_from(const char *text, u32 seed, u32 no)
{
	rand_state = 14695981039346656037ull ^ seed;
	for (; *text; text++)
		rand_state = (rand_state ^ (u8)*text) * 1099511628211ull;
	rand_state = (rand_state ^ no) * 0x9e3779b97f4a7c15ull | 1;
	for (u32 i = 0; i < 4; i++)
		rnd(2);
}

/* ---- changes ------------------------------------------------------------------------------------ */

static bool is_jump(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static void change_imm(struct bpf_insn *insn)
{
	static const s32 edges[] = {0, 1, -1, 2, 4, 7, 8, 14, 15, 16, 31, 32, 33, 63, 64, 255, 256,
		511, 512, 4095, 65535, 65536, INT32_MAX, INT32_MIN, INT32_MAX - 1, -2, -8};

	switch (rnd(3)) {
	case 0: insn->imm = edges[rnd(ARRAY_SIZE(edges))]; break;
	case 1: insn->imm = (s32)((u32)insn->imm + (rnd(2) ? 1 : -1)); break;
	default: insn->imm ^= 1u << rnd(32); break;
	}
}

static void change_off(struct bpf_insn *insn)
{
	static const s16 steps[] = {1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 64, -64, 256, -512};

	insn->off += steps[rnd(ARRAY_SIZE(steps))];
}

static void change_condition(struct bpf_insn *insn)
{
	static const u8 ops[] = {BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT,
		BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};

	if (rnd(4))
		insn->code = (insn->code & ~0xf0) | ops[rnd(ARRAY_SIZE(ops))];
	else
		insn->code ^= BPF_JMP ^ BPF_JMP32;
}

static void change_arithmetic(struct bpf_insn *insn)
{
	static const u8 ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH,
		BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH};

	if (rnd(3))
		insn->code = (insn->code & ~0xf0) | ops[rnd(ARRAY_SIZE(ops))];
	else
		insn->code ^= BPF_ALU ^ BPF_ALU64;
}

static void change_operation(struct bpf_insn *insn)
{
	static const u8 sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: change_arithmetic(insn); break;
	case BPF_JMP:
	case BPF_JMP32:
		if (is_jump(insn) && BPF_OP(insn->code) != BPF_JA)
			change_condition(insn);
		else
			change_off(insn);
		break;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: insn->code = (insn->code & ~0x18) | sizes[rnd(4)]; break;
	default: change_imm(insn); break;
	}
}

static void change_register(struct bpf_insn *insn)
{
	if (rnd(2))
		insn->dst_reg = rnd(11);
	else
		insn->src_reg = rnd(11);
}

/* The halves of a 16-byte load stay together, and descriptors stay what they are. */
static bool is_whole(const struct bpf_insn *insns, u32 i)
{
	return insns[i].code != (BPF_LD | BPF_DW | BPF_IMM) && insns[i].code;
}

/* The same change in both engines' copies; false: not possible here. */
static bool change(struct kept kept[ENGINES], u32 i)
{
	struct bpf_insn insn = kept[KERNEL].insns[i];
	u32 other;

	if (!is_whole(kept[KERNEL].insns, i))
		return false;
	switch (rnd(8)) {
	case 0: change_imm(&insn); break;
	case 1: change_off(&insn); break;
	case 2: change_register(&insn); break;
	case 3: insn = (struct bpf_insn){.code = BPF_JMP | BPF_JA}; break;
	case 4:
		other = rnd(kept[KERNEL].cnt);
		if (!is_whole(kept[KERNEL].insns, other))
			return false;
		insn = kept[KERNEL].insns[other];
		break;
	default: change_operation(&insn); break;
	}
	if (!memcmp(&insn, &kept[KERNEL].insns[i], sizeof(insn)))
		return false;
	for (int e = 0; e < ENGINES; e++)
		kept[e].insns[i] = insn;
	return true;
}

/* ---- one mutant --------------------------------------------------------------------------------- */

static void load(struct kept *kept)
{
	union bpf_attr attr = kept->attr;

	attr.insns = (uintptr_t)kept->insns;
	attr.log_buf = (uintptr_t)kept->log;
	attr.log_size = LOG_LEN;
	attr.log_level = 4;
	attr.prog_flags |= kept->flags;
	kept->log[0] = 0;
	kept->ret = kept->port->ops->bpf(kept->port, BPF_PROG_LOAD, &attr, sizeof(attr));
	last_words(kept->log, "\n", kept->words);
	if (kept->ret >= 0)
		close((int)kept->ret);
}

/* The kernel says nothing about the program: it met a state that its verifier holds impossible. */
static bool is_given_up(const struct kept *kernel)
{
	return kernel->ret == -EFAULT && strstr(kernel->words, "verifier bug");
}

static void say(const struct row *row, u32 no, const struct kept kept[ENGINES], const char *what)
{
	printf("%s: %s:%s mutant %u flags %#x\n  kernel %ld %s\n  skep   %ld %s\n", what,
		row->object, row->program, no, kept[SKEP].flags, MIN(kept[KERNEL].ret, 0),
		kept[KERNEL].words, MIN(kept[SKEP].ret, 0), kept[SKEP].words);
}

static void judge(
	const struct mutate *m, const struct row *row, u32 no, const struct kept kept[ENGINES])
{
	bool kernel = kept[KERNEL].ret >= 0, skep = kept[SKEP].ret >= 0;
	struct tally *tally = m->tally;

	tally->mutants++;
	tally->accepted += kernel;
	if (skep && !kernel && is_given_up(&kept[KERNEL])) {
		tally->gave_up++;
	} else if (skep && !kernel) {
		tally->unsound++;
		say(row, no, kept, "ACCEPTED BY SKEP ALONE");
	} else if (!strncmp(kept[SKEP].words, "skep: ", strlen("skep: "))) {
		tally->unsupported++;
	} else if (kernel && !skep) {
		tally->refused++;
		say(row, no, kept, "accepted by the kernel alone");
	} else if (!kernel && kept[KERNEL].ret != kept[SKEP].ret) {
		tally->other_errno++;
		say(row, no, kept, "other errno");
	} else if (!kernel && strcmp(kept[KERNEL].words, kept[SKEP].words)) {
		tally->other_words++;
		if (m->verbose)
			say(row, no, kept, "other words");
	}
}

static void print(const struct kept *kept)
{
	struct buf text = BUF_INIT;

	for (u32 i = 0; i < kept->cnt; i++) {
		buf_printf(&text, "%4u: ", i);
		isa_disasm(&text, &kept->insns[i], NULL);
		buf_str(&text, "\n");
		if (isa_is_lddw(&kept->insns[i]))
			i++;
	}
	printf("%s", buf_text(&text));
	buf_done(&text);
}

static void try_mutant(const struct mutate *m, const struct row *row, struct kept kept[ENGINES],
	struct bpf_insn *const originals[ENGINES], u32 no)
{
	static const u32 flags[] = {
		0, 0, 0, BPF_F_TEST_STATE_FREQ, BPF_F_TEST_REG_INVARIANTS, BPF_F_STRICT_ALIGNMENT};
	size_t len = kept[KERNEL].cnt * sizeof(struct bpf_insn);
	u32 changes;

	seed_from(row->program, m->seed, no);
	for (int e = 0; e < ENGINES; e++)
		memcpy(kept[e].insns, originals[e], len);
	kept[KERNEL].flags = kept[SKEP].flags = flags[rnd(ARRAY_SIZE(flags))];
	changes = 1 + rnd(CHANGES_MAX);
	for (u32 c = 0, tries = 0; c < changes && tries < 100; tries++) {
		u32 i = rnd(kept[KERNEL].cnt);

		if (change(kept, i)) {
			c++;
			if (m->mutant >= 0)
				printf("changed %u\n", i);
		}
	}
	if (m->mutant >= 0)
		print(&kept[SKEP]);
	for (int e = 0; e < ENGINES; e++)
		load(&kept[e]);
	judge(m, row, no, kept);
	if (m->mutant >= 0)
		say(row, no, kept, "mutant");
}

/* ---- one program -------------------------------------------------------------------------------- */

static void *dup_of(u64 addr, size_t len)
{
	void *copy = len ? malloc(len) : NULL;

	return copy ? memcpy(copy, (const void *)(uintptr_t)addr, len) : NULL;
}

/* libbpf closes what it made when the load fails. */
static void keep_descriptors(struct kept *kept)
{
	for (u32 i = 0; i < kept->cnt; i++) {
		struct bpf_insn *insn = &kept->insns[i];

		if (isa_is_lddw(insn) && (insn->src_reg == BPF_PSEUDO_MAP_FD ||
						 insn->src_reg == BPF_PSEUDO_MAP_VALUE))
			insn->imm = dup(insn->imm);
	}
	if (kept->attr.prog_btf_fd)
		kept->attr.prog_btf_fd = dup((int)kept->attr.prog_btf_fd);
}

/* Leaks by design: the process ends with the program. */
static void keep(void *arg, const union bpf_attr *attr, long ret)
{
	struct kept *kept = arg;

	if (kept->insns)
		return;
	kept->attr = *attr;
	kept->cnt = attr->insn_cnt;
	kept->insns = dup_of(attr->insns, attr->insn_cnt * sizeof(struct bpf_insn));
	kept->attr.func_info = (uintptr_t)dup_of(
		attr->func_info, (size_t)attr->func_info_cnt * attr->func_info_rec_size);
	kept->attr.line_info = (uintptr_t)dup_of(
		attr->line_info, (size_t)attr->line_info_cnt * attr->line_info_rec_size);
	kept->attr.license = (uintptr_t)strdup((const char *)(uintptr_t)attr->license);
	kept->attr.core_relo_cnt = 0;
	kept->attr.fd_array = 0; /* kernel functions: not supported anyway */
	keep_descriptors(kept);
}

static bool open_engines(struct kept kept[ENGINES])
{
	const struct port_opts opts = {.cpus = 2, .verify_only = true};
	struct port_text why = {""};

	for (int e = 0; e < ENGINES; e++) {
		kept[e].log = calloc(1, LOG_LEN);
		if (!kept[e].log)
			return false;
	}
	return !port_open_kernel(&kept[KERNEL].port) &&
	       !port_open_local(&opts, &kept[SKEP].port, &why);
}

static int try_program(const struct mutate *m, const struct row *row)
{
	struct kept kept[ENGINES] = {0};
	struct bpf_insn *originals[ENGINES];
	struct question q = {.program = row->program,
		.prog_type = row->prog_type,
		.attach_type = row->attach_type};
	struct answer answer;
	char path[4096];

	alarm(PROGRAM_SECONDS);
	snprintf(path, sizeof(path), "%s/%s", m->dir, row->object);
	q.path = path;
	if (!open_engines(kept))
		return 1;
	for (int e = ENGINES; e-- > 0;) {
		ask_here(&q, kept[e].port, 4, keep, &kept[e], &answer);
		if (answer.outcome > OUT_REJECTED || !kept[e].insns)
			return 0;
		if (!strncmp(answer.msg, "skep: ", strlen("skep: ")))
			return 0;
		originals[e] = dup_of(
			(uintptr_t)kept[e].insns, kept[e].cnt * sizeof(struct bpf_insn));
	}
	if (kept[KERNEL].cnt != kept[SKEP].cnt)
		return 0;
	for (u32 no = 0; no < m->count; no++)
		if (m->mutant < 0 || m->mutant == no)
			try_mutant(m, row, kept, originals, no);
	return 0;
}

static bool is_chosen(const struct mutate *m, const struct row *row)
{
	size_t len = strlen(row->object);

	if (row->env[0] || row->prog_type == ~0u || row->insns_processed > COSTLY_INSNS)
		return false;
	if (!m->only)
		return true;
	if (strncmp(m->only, row->object, len))
		return false;
	return !m->only[len] || (m->only[len] == ':' && !strcmp(m->only + len + 1, row->program));
}

static void in_a_process(const struct mutate *m, const struct row *row)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		int code = try_program(m, row);

		fflush(NULL);
		_exit(code);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status)) {
		printf("ended by signal %d: %s:%s\n", WTERMSIG(status), row->object, row->program);
		if (WTERMSIG(status) != SIGALRM)
			m->tally->unsound++;
	}
}

/* ---- all ---------------------------------------------------------------------------------------- */

static int read_options(struct mutate *m, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--verbose")) {
			m->verbose = true;
			continue;
		}
		if (!strcmp(argv[i], "--only"))
			m->only = value;
		else if (!strcmp(argv[i], "--count"))
			m->count = strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			m->seed = strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--seconds"))
			m->seconds = strtoul(value, NULL, 0);
		else if (!strcmp(argv[i], "--mutant"))
			m->mutant = strtoul(value, NULL, 0);
		else
			return -1;
		i++;
	}
	return i;
}

static void report(const struct tally *t)
{
	printf("%u mutants, the kernel accepts %u\n", t->mutants, t->accepted);
	printf("accepted by skep alone %u, by the kernel alone %u; not supported by skep %u\n",
		t->unsound, t->refused, t->unsupported);
	printf("accepted by skep while the kernel reports a bug of its verifier: %u\n", t->gave_up);
	printf("both reject: other errno %u, other words %u\n", t->other_errno, t->other_words);
}

int main(int argc, char **argv)
{
	struct mutate m = {.count = 10, .seconds = 3600, .mutant = -1};
	int first = read_options(&m, argc, argv);
	time_t end = time(NULL) + m.seconds;
	struct table table;

	if (first < 0 || argc - first < 2 || access(argv[first + 1], R_OK) ||
		table_read(argv[first], &table)) {
		printf("no recorded verdicts and no objects given: see tests/oracle/README.md\n");
		return first < 0 ? 2 : SKIP;
	}
	m.dir = argv[first + 1];
	m.tally = mmap(
		NULL, sizeof(*m.tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m.tally == MAP_FAILED)
		return 2;
	for (u32 i = 0; i < table.cnt && time(NULL) < end; i++)
		if (is_chosen(&m, &table.rows[i]))
			in_a_process(&m, &table.rows[i]);
	report(m.tally);
	table_done(&table);
	return m.tally->unsound != 0;
}
