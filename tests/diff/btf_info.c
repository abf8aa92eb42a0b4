/*
 * func_info and line_info of BPF_PROG_LOAD: the running kernel against btf/info.h. One program of two
 * subprograms is loaded again and again with records that are right, and with random changes of them;
 * errno and complaint must be the same.
 *
 *	btf_info [--count N] [--seed N]
 *
 * Exit status 77 where bpf(2) is not to be had.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/btf/text.h"
#include "btf/btf.h"
#include "btf/info.h"

enum { RECS_MAX = 8, WORDS_MAX = 96, LOG_LEN = 65536, SHOWN_MAX = 20, INSNS = 8 };

static const char types[] = "INT int size=4\n"
			    "FUNC_PROTO type=1\n"
			    "FUNC main type=2 vlen=1\n"
			    "FUNC sub type=2\n"
			    "FUNC_PROTO type=0\n"
			    "FUNC none type=5\n"
			    "str \"a line of code\"\n";

/* main: r1 = 64 bits (2 places), call sub, exit; sub: r0 = 0, exit, with one more line between */
static const struct bpf_insn insns[INSNS] = {
	{.code = 0x18, .dst_reg = 1},
	{0},
	{.code = 0x85, .src_reg = 1, .imm = 1},
	{.code = 0x95},
	{.code = 0xb7, .dst_reg = 0},
	{.code = 0xb7, .dst_reg = 2},
	{.code = 0xb7, .dst_reg = 0},
	{.code = 0x95},
};
static const struct btf_subprog subprogs[2] = {{0}, {4}};

struct given {
	u32 func_words[WORDS_MAX], line_words[WORDS_MAX];
	struct btf_recs funcs, lines;
};

static struct btf_obj *btf;
static int btf_fd;
static u64 state = 0x9e3779b97f4a7c15;

static u32 below(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static int kernel_load(const struct given *g, char *log)
{
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (u64)(uintptr_t)insns;
	attr.insn_cnt = INSNS;
	attr.license = (u64)(uintptr_t) "GPL";
	attr.log_buf = (u64)(uintptr_t)log;
	attr.log_size = LOG_LEN;
	attr.log_level = 1;
	attr.prog_btf_fd = btf_fd;
	attr.func_info = (u64)(uintptr_t)g->func_words;
	attr.func_info_cnt = g->funcs.cnt;
	attr.func_info_rec_size = g->funcs.rec_size;
	attr.line_info = (u64)(uintptr_t)g->line_words;
	attr.line_info_cnt = g->lines.cnt;
	attr.line_info_rec_size = g->lines.rec_size;
	log[0] = '\0';
	fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int our_check(const struct given *g, struct buf *log)
{
	struct bpf_func_info info[RECS_MAX];
	struct bpf_line_info line[RECS_MAX];
	int err = 0;

	if (g->funcs.cnt)
		err = btf_func_info_check(btf, &g->funcs, log, info);
	if (!err && g->funcs.cnt)
		err = btf_func_info_layout_check(btf, info, g->funcs.cnt, subprogs, 2, log);
	if (!err && g->lines.cnt)
		err = btf_line_info_check(
			btf, &g->lines, insns, INSNS, subprogs, 2, log, line, NULL);
	return err;
}

/* Records that are right, as long as rec_size allows. */
static void fill(struct given *g)
{
	static const u32 starts[] = {0, 2, 4, 5, 7};
	u32 func_words, line_words;

	memset(g, 0, sizeof(*g));
	g->funcs = (struct btf_recs){g->func_words, 2, 8 + 4 * (below(4) ? 0 : below(3))};
	g->lines = (struct btf_recs){g->line_words, 5, 16 + 4 * (below(4) ? 0 : below(2))};
	func_words = g->funcs.rec_size / 4;
	line_words = g->lines.rec_size / 4;
	for (u32 i = 0; i < 2; i++) {
		g->func_words[i * func_words] = subprogs[i].start;
		g->func_words[i * func_words + 1] = 3 + i;
	}
	for (u32 i = 0; i < 5; i++) {
		g->line_words[i * line_words] = starts[i];
		g->line_words[i * line_words + 1] = 1;
		g->line_words[i * line_words + 2] = 1;
		g->line_words[i * line_words + 3] = 7 << 10 | 1;
	}
}

static void change(struct given *g)
{
	static const u32 sizes[] = {0, 4, 6, 8, 12, 16, 18, 20, 24, 28, 252, 256};

	switch (below(10)) {
	case 0: g->funcs.cnt = below(4); break;
	case 1: g->lines.cnt = below(7); break;
	case 2:
		if (!below(3))
			g->funcs.rec_size = sizes[below(ARRAY_SIZE(sizes) - 2)];
		break;
	case 3:
		if (!below(3))
			g->lines.rec_size = sizes[below(ARRAY_SIZE(sizes) - 2)];
		break;
	case 4:
	case 5: g->func_words[below(6)] = below(9); break;
	case 6: g->func_words[below(6)] = below(2) ? 0xffffffff : 100; break;
	case 7:
	case 8: g->line_words[below(26)] = below(10); break;
	case 9: g->line_words[below(26)] = below(2) ? 0xffffffff : 100; break;
	}
}

/* The kernel says the same, then counts what it processed. */
static bool is_same_text(const char *kernel, const char *ours)
{
	size_t len = strlen(ours);

	return !strncmp(kernel, ours, len) &&
	       (!kernel[len] || !strncmp(kernel + len, "processed ", 10));
}

static bool compare(const struct given *g, u32 nr)
{
	static char kernel_log[LOG_LEN];
	struct buf log = BUF_INIT;
	int kernel_err = kernel_load(g, kernel_log), err = our_check(g, &log);
	bool same = err == kernel_err && (!err || is_same_text(kernel_log, buf_text(&log)));

	if (!same)
		printf("change %u: kernel %d %s\n  ours %d %s\n", nr, kernel_err, kernel_log, err,
			buf_text(&log));
	buf_done(&log);
	return same;
}

static int load_btf(void)
{
	struct buf data = btf_text(types);
	union bpf_attr attr = {0};
	int err = btf_new(data.data, data.len, NULL, &btf);

	attr.btf = (u64)(uintptr_t)data.data;
	attr.btf_size = data.len;
	btf_fd = syscall(__NR_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	if (btf_fd < 0)
		err = -errno;
	buf_done(&data);
	return err;
}

int main(int argc, char **argv)
{
	u32 count = 5000, failed = 0, refused = 0;
	struct given g;
	int err;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--count"))
			count = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			state = strtoull(argv[i + 1], NULL, 0) * 2 + 1;
	}
	err = load_btf();
	if (err == -EPERM || err == -ENOSYS) {
		printf("skipped: bpf(2) is not permitted here (needs root or CAP_BPF)\n");
		btf_free(btf);
		return 77;
	}
	if (err)
		return 1;
	for (u32 i = 0; i < count && failed < SHOWN_MAX; i++) {
		struct buf log = BUF_INIT;

		fill(&g);
		for (u32 changes = i ? 1 + below(3) : 0; changes; changes--)
			change(&g);
		failed += !compare(&g, i);
		refused += !!our_check(&g, &log);
		buf_done(&log);
	}
	printf("%u loads, %u refused, %u differ\n", count, refused, failed);
	close(btf_fd);
	btf_free(btf);
	return failed || !refused || refused == count;
}
