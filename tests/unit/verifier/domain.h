/*
 * Shared by the tests of the abstract domains: concrete arithmetic at any width, sets of concrete
 * values as bit masks for widths up to 4, numbers near the boundaries where bugs live, and a counter of
 * checks. The concrete side is written from RFC 9669 and shares no code with the domains.
 */
#ifndef TEST_DOMAIN_H
#define TEST_DOMAIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "isa/uapi.h"
#include "verifier/width.h"

static u64 checks_done;

/* Counts, and on failure says which values broke the claim. */
#define CHECK(claim, ...)                                                                          \
	do {                                                                                       \
		checks_done++;                                                                     \
		if (!(claim)) {                                                                    \
			print_error("not so: %s: ", #claim);                                       \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

static inline void report_checks(const char *what)
{
	print_message("%s: %llu checks\n", what, (unsigned long long)checks_done);
	checks_done = 0;
}

/* ---- concrete arithmetic ---- */

static inline u64 concrete_div(u64 a, u64 b)
{
	return b ? a / b : 0;
}

/* a op b at the width, as the instruction set defines it; the result is zero-extended */
static inline u64 concrete_alu(u8 op, u64 a, u64 b, unsigned bits)
{
	u64 mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
	u64 sign = 1ull << (bits - 1);
	unsigned shift;
	u64 res = 0;

	a &= mask;
	b &= mask;
	shift = b % bits;
	switch (op) {
	case BPF_ADD: res = a + b; break;
	case BPF_SUB: res = a - b; break;
	case BPF_MUL: res = a * b; break;
	case BPF_DIV: res = concrete_div(a, b); break;
	case BPF_MOD: res = b ? a % b : a; break;
	case BPF_AND: res = a & b; break;
	case BPF_OR: res = a | b; break;
	case BPF_XOR: res = a ^ b; break;
	case BPF_LSH: res = a << shift; break;
	case BPF_RSH: res = a >> shift; break;
	case BPF_ARSH: res = a & sign ? ~(~(a | ~mask) >> shift) : a >> shift; break;
	case BPF_NEG: res = -a; break;
	case BPF_MOV: res = b; break;
	default: fail_msg("no operation 0x%x", op);
	}
	return res & mask;
}

static inline s64 concrete_signed(u64 a, unsigned bits)
{
	u64 sign = 1ull << (bits - 1);
	u64 low = bits == 64 ? a : a & ((1ull << bits) - 1);

	return (s64)((low ^ sign) - sign);
}

static inline bool concrete_holds(u8 op, u64 a, u64 b, unsigned bits)
{
	u64 mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
	s64 sa = concrete_signed(a, bits), sb = concrete_signed(b, bits);

	a &= mask;
	b &= mask;
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JSET: return a & b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: fail_msg("no condition 0x%x", op);
	}
	return false;
}

struct named_op {
	const char *name;
	u8 op;
};

static const struct named_op alu_ops[] = {
	{"+", BPF_ADD},
	{"-", BPF_SUB},
	{"*", BPF_MUL},
	{"/", BPF_DIV},
	{"%", BPF_MOD},
	{"&", BPF_AND},
	{"|", BPF_OR},
	{"^", BPF_XOR},
	{"<<", BPF_LSH},
	{">>", BPF_RSH},
	{"s>>", BPF_ARSH},
	{"neg", BPF_NEG},
	{"=", BPF_MOV},
};

static const struct named_op conditions[] = {
	{"==", BPF_JEQ},
	{"!=", BPF_JNE},
	{"&", BPF_JSET},
	{">", BPF_JGT},
	{">=", BPF_JGE},
	{"<", BPF_JLT},
	{"<=", BPF_JLE},
	{"s>", BPF_JSGT},
	{"s>=", BPF_JSGE},
	{"s<", BPF_JSLT},
	{"s<=", BPF_JSLE},
};

/* ---- random numbers ---- */

static u64 random_state;

static inline u64 random_next(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* --seed N repeats a run */
static inline u64 random_seed(int argc, char **argv)
{
	struct timespec now;
	u64 seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (u64)now.tv_sec * 1000000007u + now.tv_nsec;
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
	random_state = seed;
	print_message("--seed %llu\n", (unsigned long long)seed);
	return seed;
}

/* mostly near 0, powers of two and the ends of the types; sometimes anywhere */
static inline u64 random_boundary(void)
{
	u64 r = random_next(), v;

	switch (r & 7) {
	case 0: v = random_next(); break;
	case 1: v = 0; break;
	case 2: v = random_next() >> (r >> 8 & 63); break;
	case 3: v = 0x80000000; break;
	case 4: v = 0x100000000; break;
	default: v = 1ull << (r >> 8 & 63); break;
	}
	if (r >> 16 & 1)
		v += (s64)(r >> 24 & 7) - 4;
	if (r >> 17 & 1)
		v = -v;
	return v;
}

#endif
