/*
 * How long compiling takes: the programs of the bench one by one, and all of them as one program, as often as
 * the rounds say.
 *
 *	bench_compile [--json] [--rounds N] FOLDER
 *
 * Printed is CPU time of the thread in microseconds per 1,000 instructions, the median of the rounds. A
 * program's compilation is all that loading does in the JIT: from instructions to code that can run.
 * Exit status: 0, 2 when nothing could be measured.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "core/inst.h"
#include "jit/jit.h"

enum { ROUNDS = 51, PROGS_MAX = 64, INSN_MAX = 16384 };

struct input {
	struct bpf_insn insns[INSN_MAX];
	struct prog_sub sub;
	struct prog_code code;
};

/* the programs, and behind them the one that is all of them */
static struct input inputs[PROGS_MAX + 1];
static u32 input_cnt;
static struct skep inst; /* an arena and nothing else */

static bool has_call(const struct bpf_insn *insns, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL))
			return true;
	return false;
}

static void add_insns(struct input *in, const struct bpf_insn *insns, u32 cnt)
{
	if (in->code.insn_cnt + cnt > INSN_MAX)
		return;
	memcpy(in->insns + in->code.insn_cnt, insns, cnt * sizeof(*insns));
	in->sub.stack_depth = PROG_STACK_MAX;
	in->code.insns = in->insns;
	in->code.insn_cnt += cnt;
	in->code.subs = &in->sub;
	in->code.sub_cnt = 1;
}

/* One after the other: what ended a program leads to the next one. */
static void add_to_all(struct input *all, const struct bpf_insn *insns, u32 cnt)
{
	const u32 start = all->code.insn_cnt;

	add_insns(all, insns, cnt);
	for (u32 i = start; i < all->code.insn_cnt; i++)
		if (all->insns[i].code == (BPF_JMP | BPF_EXIT))
			all->insns[i] = (struct bpf_insn){
				.code = BPF_JMP | BPF_JA, .off = (s16)(start + cnt - i - 1)};
}

static void read_object(const char *folder, const char *name, struct input *all)
{
	struct bpf_program *prog;
	struct bpf_object *obj;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder, name);
	obj = bpf_object__open_file(path, NULL);
	if (!obj)
		return;
	bpf_object__for_each_program(prog, obj)
	{
		const struct bpf_insn *insns = bpf_program__insns(prog);
		const size_t cnt = bpf_program__insn_cnt(prog);

		if (has_call(insns, cnt) || input_cnt == PROGS_MAX || cnt > INSN_MAX)
			continue;
		add_insns(&inputs[input_cnt++], insns, (u32)cnt);
		add_to_all(all, insns, (u32)cnt);
	}
	bpf_object__close(obj);
}

static double cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* The time of one compilation each; negative: refused. */
static double compile_us(const struct input *in, u32 cnt)
{
	struct prog_image images[PROGS_MAX] = {0};
	const double start = cpu_us();
	double spent;
	int err = 0;

	for (u32 i = 0; i < cnt && !err; i++)
		err = jit_compile(&in[i].code, &inst, &images[i]);
	spent = cpu_us() - start;
	for (u32 i = 0; i < cnt; i++)
		jit_free(&images[i]);
	return err ? -1 : spent;
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

static double median_us(const struct input *in, u32 cnt, u32 rounds)
{
	double *us = calloc(rounds, sizeof(*us)), median = -1;

	for (u32 i = 0; us && i < rounds; i++)
		us[i] = compile_us(in, cnt);
	if (us) {
		qsort(us, rounds, sizeof(*us), compare);
		median = us[0] < 0 ? -1 : us[rounds / 2];
	}
	free(us);
	return median;
}

int main(int argc, char **argv)
{
	u32 rounds = ROUNDS, insn_cnt = 0;
	struct input *all;
	bool json = false;
	double each, one;
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		if (!strcmp(argv[at], "--json"))
			json = true;
		else if (!strcmp(argv[at], "--rounds") && at + 1 < argc)
			rounds = (u32)strtoul(argv[++at], NULL, 0);
		else
			break;
	}
	if (at + 1 != argc || !rounds) {
		fprintf(stderr, "usage: bench_compile [--json] [--rounds N] FOLDER\n");
		return 2;
	}
	if (jit_arena_new(NULL, &inst.code))
		return 2;
	all = &inputs[PROGS_MAX];
	read_object(argv[at], "compute", all);
	read_object(argv[at], "parse", all);
	for (u32 i = 0; i < input_cnt; i++)
		insn_cnt += inputs[i].code.insn_cnt;
	each = median_us(inputs, input_cnt, rounds);
	one = median_us(all, 1, rounds);
	jit_arena_free(inst.code);
	if (!input_cnt || each < 0 || one < 0)
		return 2;
	each *= 1000.0 / insn_cnt;
	one *= 1000.0 / all->code.insn_cnt;
	if (json)
		printf("{\"insns\":%u,\"programs\":%u,\"us_per_1000\":{\"each\":%.2f,\"one\":%.2f}}"
		       "\n",
			insn_cnt, input_cnt, each, one);
	else
		printf("compiling, us of CPU per 1,000 instructions: %.1f for %u programs of %u on "
		       "average, %.1f for one of %u\n",
			each, input_cnt, insn_cnt / input_cnt, one, all->code.insn_cnt);
	return 0;
}
