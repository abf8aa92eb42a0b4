/*
 * Classic filters beside the running kernel: random filters are attached to a socket as they are
 * (SO_ATTACH_FILTER) and, translated, as programs of today (SO_ATTACH_BPF). Both must be refused alike and
 * let pass as many bytes of the same datagrams. Filters that only the translation refuses, because they
 * read what no program can, are counted.
 *
 * classic [COUNT [SEED]]; exit 77 where there is no kernel to compare with.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "isa/classic.h"
#include "kernel.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

enum { FILTER_MAX = 24, FRAME_MAX = 256, FRAMES = 3, LEN_BITS = 8, LOG_LEN = 65536 };

static u64 random_state;

static u32 rnd(u32 below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)((random_state * 0x2545f4914f6cdd1d) >> 32) % below;
}

static const u8 codes[] = {
#define CLASSIC(code, form) code,
#include "isa/classic.def"
#undef CLASSIC
};

static const u32 extension_offs[] = {
#define EXTENSION(name, form, field) (u32)(SKF_AD_OFF + SKF_AD_##name),
#include "isa/classic.def"
#undef EXTENSION
};

static u32 constant(void)
{
	static const u32 some[] = {
		0, 1, 2, 3, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0};

	switch (rnd(4)) {
	case 0: return some[rnd(ARRAY_SIZE(some))];
	case 1: return rnd(0xffffffff);
	default: return rnd(40);
	}
}

static u32 packet_offset(void)
{
	switch (rnd(12)) {
	case 0: return extension_offs[rnd(ARRAY_SIZE(extension_offs))];
	case 1: return (u32)SKF_NET_OFF + rnd(30);
	case 2: return (u32)SKF_LL_OFF + rnd(30);
	case 3: return constant();
	default: return rnd(80);
	}
}

/* Mostly legal, so that most filters run; now and then anything. CPU and RANDOM differ from run to run. */
static struct isa_classic random_insn(u32 left)
{
	struct isa_classic insn = {.code = codes[rnd(ARRAY_SIZE(codes))], .k = constant()};
	bool wild = !rnd(60);

	if (BPF_CLASS(insn.code) == BPF_RET && rnd(3))
		insn.code = BPF_LD | BPF_B | BPF_ABS;
	switch (BPF_CLASS(insn.code)) {
	case BPF_JMP:
		insn.jt = (u8)rnd(wild ? 256 : left);
		insn.jf = (u8)rnd(wild ? 256 : left);
		if (BPF_OP(insn.code) == BPF_JA)
			insn.k = rnd(wild ? 256 : left);
		break;
	case BPF_LD:
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		if (BPF_MODE(insn.code) == BPF_ABS || BPF_MODE(insn.code) == BPF_IND ||
			BPF_MODE(insn.code) == BPF_MSH)
			insn.k = packet_offset();
		else if (BPF_MODE(insn.code) != BPF_IMM || BPF_CLASS(insn.code) >= BPF_ST)
			insn.k = rnd(wild ? 20 : 3);
		break;
	case BPF_ALU:
		if (!wild && (BPF_OP(insn.code) == BPF_LSH || BPF_OP(insn.code) == BPF_RSH))
			insn.k = rnd(32);
		if (!wild && (BPF_OP(insn.code) == BPF_DIV || BPF_OP(insn.code) == BPF_MOD))
			insn.k |= 1;
		break;
	}
	if (insn.k == (u32)(SKF_AD_OFF + SKF_AD_CPU) || insn.k == (u32)(SKF_AD_OFF + SKF_AD_RANDOM))
		insn.k = 0;
	if (wild && !rnd(3))
		insn.code = (u16)rnd(600);
	return insn;
}

static u32 random_filter(struct isa_classic *filter)
{
	u32 cnt = 0, body = 1 + rnd(FILTER_MAX - 8);

	for (u32 i = 0; i < 3; i++) /* most words of M[] that are read are written */
		if (rnd(8))
			filter[cnt++] = (struct isa_classic){
				.code = rnd(2) ? BPF_ST : BPF_STX, .k = i};
	for (u32 i = 0; i < body; i++)
		filter[cnt++] = random_insn(body - i + 3);
	/* the result is small enough to be a length, and not 0, which drops the datagram */
	filter[cnt++] = (struct isa_classic){
		.code = BPF_ALU | BPF_AND | BPF_K, .k = (1 << LEN_BITS) - 1};
	filter[cnt++] = (struct isa_classic){.code = BPF_ALU | BPF_ADD | BPF_K, .k = 1};
	filter[cnt++] = (struct isa_classic){
		.code = rnd(40) ? BPF_RET | BPF_A : BPF_MISC | BPF_TAX};
	return cnt;
}

/* A translation as a program: its descriptor or -errno, with the log printed. */
static int load(const struct bpf_insn *insns, u32 cnt)
{
	static char log[LOG_LEN];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = cnt,
		.license = (uintptr_t) "GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	long fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0) {
		fd = -errno;
		printf("%s", log);
	}
	return (int)fd;
}

/* How many bytes come through, -1: none. */
static long pass(const int pair[2], const u8 *frame, u32 len)
{
	u8 got[FRAME_MAX];

	if (send(pair[0], frame, len, 0) != (ssize_t)len)
		return -2;
	return recv(pair[1], got, sizeof(got), MSG_DONTWAIT);
}

struct counts {
	u32 refused, unsupported, run, differ;
};

static void print_filter(const struct isa_classic *filter, u32 cnt)
{
	printf("%u\n", cnt);
	for (u32 i = 0; i < cnt; i++)
		printf("%u %u %u %u\n", filter[i].code, filter[i].jt, filter[i].jf, filter[i].k);
}

static bool same_runs(const int old[2], const int new[2])
{
	u8 frame[FRAME_MAX];
	bool same = true;

	for (u32 i = 0; i < FRAMES; i++) {
		u32 len = 1 + rnd(i ? 100 : FRAME_MAX);
		long a, b;

		for (u32 k = 0; k < len; k++)
			frame[k] = (u8)rnd(rnd(2) ? 256 : 4);
		a = pass(old, frame, len);
		b = pass(new, frame, len);
		if (a != b) {
			printf("of %u bytes the filter passes %ld, its translation %ld\n", len, a,
				b);
			same = false;
		}
	}
	return same;
}

/* False: they differ, said why. */
static bool compare(const struct isa_classic *filter, u32 cnt, struct counts *counts)
{
	struct sock_fprog old_prog = {(unsigned short)cnt, (struct sock_filter *)(uintptr_t)filter};
	struct bpf_insn *insns = NULL;
	struct buf why = BUF_INIT;
	int old[2], new[2], old_err = 0, fd = -1;
	u32 insn_cnt;
	bool same = false;
	int err = isa_from_classic(filter, cnt, &why, &insns, &insn_cnt);

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, old) || socketpair(AF_UNIX, SOCK_DGRAM, 0, new)) {
		perror("socketpair");
		exit(1);
	}
	if (setsockopt(old[1], SOL_SOCKET, SO_ATTACH_FILTER, &old_prog, sizeof(old_prog)))
		old_err = -errno;
	if (err == -EOPNOTSUPP || (err && err == old_err)) {
		counts->unsupported += err == -EOPNOTSUPP;
		counts->refused += err != -EOPNOTSUPP;
		same = buf_text(&why)[0];
		goto out;
	}
	if (err || old_err) {
		printf("translated: %d %s, attached: %d\n", err, buf_text(&why), old_err);
		goto out;
	}
	fd = load(insns, insn_cnt);
	if (fd < 0 || setsockopt(new[1], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd))) {
		printf("the translation is refused: %d\n", fd < 0 ? fd : -errno);
		goto out;
	}
	counts->run++;
	same = same_runs(old, new);
out:
	for (int i = 0; i < 2; i++) {
		close(old[i]);
		close(new[i]);
	}
	if (fd >= 0)
		close(fd);
	mem_free(insns);
	buf_done(&why);
	return same;
}

int main(int argc, char **argv)
{
	u64 count = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL);
	struct isa_classic filter[FILTER_MAX];
	struct counts counts = {0};

	if (kernel_is_missing())
		return KERNEL_SKIP;
	random_state = seed * 0x9e3779b97f4a7c15 + 1;
	for (u64 i = 0; i < count; i++) {
		u32 cnt = random_filter(filter);

		if (!compare(filter, cnt, &counts)) {
			print_filter(filter, cnt);
			counts.differ++;
		}
	}
	printf("%llu filters, seed %llu: %u run, %u refused by both, %u read what programs cannot, "
	       "%u differ\n",
		(unsigned long long)count, (unsigned long long)seed, counts.run, counts.refused,
		counts.unsupported, counts.differ);
	return counts.differ || !counts.run;
}
