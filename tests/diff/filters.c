/*
 * What `tcpdump` compiles, over a capture: expressions through libpcap's interpreter, and translated, on skep's
 * engines. They must let the same frames pass.
 *
 * filters CAPTURE
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <skep/embed.h>

#include "base/mem.h"
#include "filters_pcap.h"
#include "isa/uapi.h"

enum { STEP = 5 }; /* every fifth frame: kinds come in turn */

static const char *const expressions[] = {
	"ip",
	"ip6",
	"arp",
	"vlan",
	"tcp",
	"udp port 53",
	"tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
	"src net 10.0.0.0/8 and not dst port 80",
	"ip[6:2] & 0x1fff != 0",
	"greater 1000",
	"less 64",
	"ether[0] & 1 = 1",
	"ip proto 17 and ip[8] < 10",
	"icmp or icmp6",
	"tcp[((tcp[12] & 0xf0) >> 2):2] = 0x4745",
	"len - 14 > 60 and ip[2:2] * 2 / 3 > 30",
	"vlan and ip host 10.0.0.9",
	"ip6 and ip6[6] = 17",
};

/* The filter as a program for whole frames; -1: it could not be loaded, said why. */
static int load(struct skep *skep, const struct isa_classic *filter, u32 cnt)
{
	static char log[65536];
	struct buf why = BUF_INIT;
	struct bpf_insn *insns;
	union bpf_attr attr;
	u32 insn_cnt;
	long fd;

	if (isa_from_classic(filter, cnt, &why, &insns, &insn_cnt)) {
		printf("not translated: %s\n", buf_text(&why));
		buf_done(&why);
		return -1;
	}
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = insn_cnt;
	attr.license = (uintptr_t) "GPL";
	attr.log_buf = (uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	fd = skep_bpf(skep, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		printf("not loaded: %ld %s\n", fd, log);
	mem_free(insns);
	buf_done(&why);
	return (int)fd;
}

/* What the program returns of the frame, or -errno. */
static long run(struct skep *skep, int fd, const struct filters_frame *frame)
{
	union bpf_attr attr;
	long err;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (u32)fd;
	attr.test.data_in = (uintptr_t)frame->data;
	attr.test.data_size_in = frame->len;
	err = skep_bpf(skep, BPF_PROG_TEST_RUN, &attr, sizeof(attr));
	return err ? err : (long)attr.test.retval;
}

struct counts {
	u32 runs, passed, wrong;
	u32 refused; /* frames that no test run takes: IP without all of its header, as in Linux */
};

static void compare(struct skep *skep, const char *expression, const struct filters_frame *frames,
	u32 cnt, struct counts *counts)
{
	struct isa_classic filter[ISA_CLASSIC_MAX];
	u32 filter_cnt = filters_compile(expression, filter, ISA_CLASSIC_MAX);
	int fd = filter_cnt ? load(skep, filter, filter_cnt) : -1;

	if (fd < 0)
		counts->wrong++;
	for (u32 i = 0; i < cnt && fd >= 0; i += STEP) {
		bool expected = filters_match(filter, &frames[i]);
		long got = run(skep, fd, &frames[i]);

		counts->runs++;
		counts->passed += expected;
		counts->refused += got == -EINVAL;
		if (got == -EINVAL || (got >= 0 && expected == !!got))
			continue;
		if (!counts->wrong++)
			printf("%s: frame %u of %u bytes: %d expected, %ld returned\n", expression,
				i, frames[i].len, expected, got);
	}
}

int main(int argc, char **argv)
{
	struct filters_frame *frames;
	struct counts counts = {0};
	u32 cnt;

	if (argc != 2 || !filters_read(argv[1], &frames, &cnt))
		return 1;
	for (u32 flags = 0; flags <= SKEP_CHECKED; flags++) { /* JIT, interpreted, checked */
		struct skep_options opts = {.sz = sizeof(opts), .flags = flags};
		struct skep *skep;

		if (skep_new(&opts, &skep))
			return 1;
		for (size_t i = 0; i < ARRAY_SIZE(expressions); i++)
			compare(skep, expressions[i], frames, cnt, &counts);
		skep_free(skep);
	}
	printf("%zu filters on 3 engines, %u runs, %u let pass, %u not taken, %u differ\n",
		ARRAY_SIZE(expressions), counts.runs, counts.passed, counts.refused, counts.wrong);
	filters_free(frames, cnt);
	return counts.wrong || !counts.passed || counts.refused > counts.runs / 100;
}
