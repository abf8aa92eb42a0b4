/*
 * The interface for applications, used as one would: objects, instructions, maps, packets and checked runs.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <skep/embed.h>
#include <skep/verify.h>

#include "base/types.h"

#ifndef BPF_JCOND
#define BPF_JCOND 0xe0
#endif

static const char *firewall; /* the example's object file */

#define LOAD(size, dst, src, offset)                                                               \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | (size), .dst_reg = (dst), .src_reg = (src),            \
		.off = (offset)                                                                    \
	}
#define STORE_K(size, dst, offset, value)                                                          \
	{                                                                                          \
		.code = BPF_ST | BPF_MEM | (size), .dst_reg = (dst), .off = (offset),              \
		.imm = (value)                                                                     \
	}
#define MOV_K(dst, value)                                                                          \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (dst), .imm = (value)              \
	}
#define MOV(dst, src)                                                                              \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src)            \
	}
#define ADD_K(dst, value)                                                                          \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (dst), .imm = (value)              \
	}
#define CALL(number)                                                                               \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = (number)                                        \
	}
#define EXIT                                                                                       \
	{                                                                                          \
		.code = BPF_JMP | BPF_EXIT                                                         \
	}

static struct skep *make_instance(uint32_t flags)
{
	struct skep_options opts = {.sz = sizeof(opts), .flags = flags};
	struct skep *skep;

	assert_int_equal(skep_new(&opts, &skep), 0);
	return skep;
}

static int load(struct skep *skep, uint32_t type, uint32_t flags, const struct bpf_insn *insns,
	size_t cnt, struct skep_prog **ret_prog, struct skep_text *why)
{
	const struct skep_prog_options opts = {.sz = sizeof(opts),
		.type = type,
		.flags = flags,
		.insns = insns,
		.insn_cnt = (uint32_t)cnt,
		.name = "prog"};

	return skep_prog_load(skep, &opts, ret_prog, why);
}

static long make_hash(struct skep *skep)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 16;
	return skep_bpf(skep, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void an_object_gives_its_programs_and_maps(void **state)
{
	struct skep *skep = make_instance(0);
	uint8_t frame[256] = {
		[12] = 8, [14] = 0x45, [16] = 0, [17] = 46, [23] = 17, [26] = 10, [29] = 9};
	struct skep_packet packet = {.buf = frame, .cap = sizeof(frame), .len = 60, .ifindex = 1};
	struct skep_object *object;
	struct skep_text why = {""};
	struct skep_map *blocklist;
	const uint8_t source[4] = {10, 0, 0, 9};
	const uint8_t blocks = 1;

	if (skep_object_open(skep, firewall, NULL, &object, &why))
		fail_msg("%s", why.text);
	assert_null(skep_object_prog(object, "nosuch"));
	assert_null(skep_object_map(object, "nosuch"));
	assert_ptr_equal(skep_object_prog(object, NULL), skep_object_prog(object, "xdp_firewall"));
	blocklist = skep_object_map(object, "blocklist");
	assert_non_null(blocklist);
	assert_int_equal(skep_run_packets(skep_object_prog(object, NULL), &packet, 1), 0);
	assert_int_equal(packet.verdict, XDP_PASS);
	assert_int_equal(skep_map_update(blocklist, source, &blocks, BPF_NOEXIST), 0);
	assert_int_equal(skep_map_update(blocklist, source, &blocks, BPF_NOEXIST), -EEXIST);
	assert_int_equal(skep_run_packets(skep_object_prog(object, NULL), &packet, 1), 0);
	assert_int_equal(packet.verdict, XDP_DROP);
	skep_object_close(object);
	skep_free(skep);
}

static void a_map_can_stand_in_several_objects(void **state)
{
	struct skep *skep = make_instance(0);
	struct skep_object *first, *second;
	struct skep_text why = {""};
	struct skep_shared_map shared = {.name = "blocklist"};
	const struct skep_object_options opts = {.sz = sizeof(opts), .maps = &shared, .map_cnt = 1};
	const uint8_t source[4] = {10, 0, 0, 9};
	uint8_t value = 7, got = 0;

	assert_int_equal(skep_object_open(skep, firewall, NULL, &first, &why), 0);
	shared.map = skep_object_map(first, "blocklist");
	if (skep_object_open(skep, firewall, &opts, &second, &why))
		fail_msg("%s", why.text);
	assert_int_equal(skep_map_update(shared.map, source, &value, BPF_ANY), 0);
	assert_int_equal(skep_map_lookup(skep_object_map(second, "blocklist"), source, &got), 0);
	assert_int_equal(got, 7);
	shared.name = "nosuch";
	skep_object_close(second);
	assert_int_equal(skep_object_open(skep, firewall, &opts, &second, &why), -ENOENT);
	assert_non_null(strstr(why.text, "no map named nosuch"));
	skep_object_close(first);
	skep_free(skep);
}

static void what_cannot_be_opened_is_told(void **state)
{
	const struct skep_object_options no_prog = {.sz = sizeof(no_prog), .prog = "nosuch"};
	struct {
		struct skep_object_options opts;
		uint64_t newer;
	} newer = {{.sz = sizeof(newer)}, 1};
	struct skep *skep = make_instance(0);
	struct skep_object *object;
	struct skep_text why = {""};

	assert_int_equal(skep_object_open(skep, "/nonexistent.o", NULL, &object, &why), -ENOENT);
	assert_string_equal(why.text, "/nonexistent.o: No such file or directory");
	assert_int_equal(skep_object_open(skep, "/etc/passwd", NULL, &object, &why), -EINVAL);
	assert_non_null(strstr(why.text, "not an ELF file"));
	assert_int_equal(skep_object_open(skep, firewall, &no_prog, &object, &why), -ENOENT);
	assert_non_null(strstr(why.text, "no program named nosuch"));
	assert_int_equal(skep_object_open(skep, firewall, &newer.opts, &object, &why), -EINVAL);
	assert_int_equal(skep_object_open(skep, "/nonexistent.o", NULL, &object, NULL), -ENOENT);
	skep_free(skep);
}

static void maps_have_their_operations(void **state)
{
	struct skep *skep = make_instance(0);
	long fd = make_hash(skep), again;
	uint32_t key = 3, next = 0;
	uint64_t value = 5, got = 0;
	struct skep_map *map;

	assert_true(fd >= 0);
	assert_int_equal(skep_map_open(skep, 0, &map), -EINVAL);
	assert_int_equal(skep_map_open(skep, -1, &map), -EBADF);
	assert_int_equal(skep_map_open(skep, (int)fd, &map), 0);
	close((int)fd);
	assert_int_equal(skep_map_key_size(map), 4);
	assert_int_equal(skep_map_value_size(map), 8);
	assert_int_equal(skep_map_lookup(map, &key, &got), -ENOENT);
	assert_int_equal(skep_map_update(map, &key, &value, BPF_ANY), 0);
	assert_int_equal(skep_map_lookup(map, &key, &got), 0);
	assert_int_equal(got, 5);
	assert_int_equal(skep_map_next_key(map, NULL, &next), 0);
	assert_int_equal(next, 3);
	assert_int_equal(skep_map_next_key(map, &next, &next), -ENOENT);
	again = skep_map_fd(map);
	assert_true(again >= 0);
	close((int)again);
	assert_int_equal(skep_map_delete(map, &key), 0);
	assert_int_equal(skep_map_delete(map, &key), -ENOENT);
	skep_map_close(map);
	skep_free(skep);
}

/* r0 = first argument + second argument */
static const struct bpf_insn add_args[] = {LOAD(BPF_DW, 0, 1, 0), LOAD(BPF_DW, 2, 1, 8),
	{.code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 0, .src_reg = 2}, EXIT};

static void a_program_runs_over_memory(void **state)
{
	for (uint32_t flags = 0; flags <= SKEP_CHECKED; flags++) { /* JIT, interpreted, checked */
		struct skep *skep = make_instance(flags);
		uint64_t args[2] = {40, 2}, value = 0;
		struct skep_prog *prog;
		struct skep_text why = {""};

		if (load(skep, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, add_args, ARRAY_SIZE(add_args),
			    &prog, &why))
			fail_msg("%s", why.text);
		assert_int_equal(skep_run(prog, args, sizeof(args), &value), 0);
		assert_int_equal(value, 42);
		assert_int_equal(skep_run(prog, args, sizeof(args), NULL), 0);
		assert_int_equal(skep_run(prog, args, 15, &value), -EINVAL); /* it reads 16 */
		skep_prog_close(prog);
		skep_free(skep);
	}
}

static void what_the_verifier_rejects_is_told(void **state)
{
	static const struct bpf_insn wild[] = {MOV_K(0, 0), LOAD(BPF_DW, 0, 0, 0), EXIT};
	struct skep *skep = make_instance(0);
	struct skep_prog *prog;
	struct skep_text why = {""};

	assert_int_equal(
		load(skep, BPF_PROG_TYPE_XDP, 0, wild, ARRAY_SIZE(wild), &prog, &why), -EACCES);
	assert_string_equal(why.text, "the program is rejected: R0 invalid mem access 'scalar'");
	assert_int_equal(load(skep, BPF_PROG_TYPE_XDP, 0, wild, 0, &prog, &why), -EINVAL);
	assert_int_equal(load(skep, BPF_PROG_TYPE_XDP, 1u << 31, wild, 1, &prog, &why), -EINVAL);
	assert_int_equal(load(skep, 9999, 0, wild, ARRAY_SIZE(wild), &prog, &why), -EINVAL);
	skep_free(skep);
}

/* Drops frames whose first byte is odd, and gives the others two bytes more in front. */
static const struct bpf_insn odd_or_longer[] = {LOAD(BPF_W, 2, 1, 0), LOAD(BPF_W, 3, 1, 4),
	MOV(4, 2), ADD_K(4, 1), MOV_K(0, XDP_DROP),
	{.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3, .off = 5},
	LOAD(BPF_B, 5, 2, 0),
	{.code = BPF_JMP | BPF_JSET | BPF_K, .dst_reg = 5, .off = 3, .imm = 1}, MOV_K(2, -2),
	CALL(BPF_FUNC_xdp_adjust_head), MOV_K(0, XDP_PASS), EXIT};

static void packets_move_in_their_buffers(void **state)
{
	enum { CNT = 3 * SKEP_BATCH + 1 };
	static uint8_t bufs[CNT][256];
	static struct skep_packet packets[CNT];
	struct skep *skep = make_instance(0);
	struct skep_prog *prog;
	struct skep_text why = {""};

	if (load(skep, BPF_PROG_TYPE_XDP, 0, odd_or_longer, ARRAY_SIZE(odd_or_longer), &prog, &why))
		fail_msg("%s", why.text);
	for (int i = 0; i < CNT; i++) {
		packets[i] = (struct skep_packet){.buf = bufs[i], .cap = 256, .off = 64, .len = 60};
		bufs[i][64] = (uint8_t)i;
	}
	packets[10].off = 41; /* no room for both what Linux keeps in front and two bytes */
	bufs[10][41] = 10;
	assert_int_equal(skep_run_packets(prog, packets, CNT), 0);
	for (int i = 0; i < CNT; i++) {
		bool moves = i % 2 == 0 && i != 10;

		assert_int_equal(packets[i].verdict, i % 2 ? XDP_DROP : XDP_PASS);
		assert_int_equal(packets[i].len, moves ? 62 : 60);
		assert_int_equal(packets[i].off, i == 10 ? 41 : moves ? 62 : 64);
		assert_int_equal(packets[i].meta_len, 0);
	}
	packets[1].len = 256;
	packets[0].verdict = 99;
	assert_int_equal(skep_run_packets(prog, packets, CNT), -EINVAL);
	assert_int_equal(packets[0].verdict, 99);
	assert_int_equal(skep_run_packets(prog, packets, 0), 0);
	assert_int_equal(skep_run(prog, bufs, sizeof(bufs), NULL), -EINVAL);
	skep_prog_close(prog);
	skep_free(skep);
}

/* ---- checked ---- */

struct checked_row {
	const char *name;
	struct bpf_insn insns[8];
	int err;
	uint64_t value; /* or the instruction of the fault */
	const char *why;
};

static const struct checked_row checked_rows[] = {
	{"reads its region", {LOAD(BPF_DW, 0, 1, 8), EXIT}, 0, 0x0807060504030201},
	{"has a stack", {STORE_K(BPF_DW, 10, -8, 7), LOAD(BPF_DW, 0, 10, -8), EXIT}, 0, 7},
	{"reads past its region", {MOV(2, 1), LOAD(BPF_DW, 0, 2, 12), EXIT}, -EFAULT, 1,
		"reads 8 bytes at 0x.*4 bytes past the end of request"},
	{"reads before its region", {LOAD(BPF_B, 0, 1, -3), EXIT}, -EFAULT, 0,
		"3 bytes before request"},
	{"reads far away", {MOV_K(2, 64), LOAD(BPF_W, 0, 2, 0), EXIT}, -EFAULT, 1,
		"reads 4 bytes at 0x40: outside of what it may touch"},
	{"writes what it may only read", {STORE_K(BPF_W, 1, 0, 1), MOV_K(0, 0), EXIT}, -EFAULT, 0,
		"request, which is read-only"},
	{"overruns its stack", {STORE_K(BPF_W, 10, 0, 1), EXIT}, -EFAULT, 0, "writes 4 bytes"},
	{"does not end", {{.code = BPF_JMP | BPF_JA, .off = -1}}, -EFAULT, 0,
		"more instructions than the budget"},
	{"calls no helper", {CALL(9999), EXIT}, -EFAULT, 0,
		"calls helper 9999, which does not exist"},
	{"gives a helper a wild pointer",
		{MOV_K(1, 64), MOV_K(2, 64), CALL(BPF_FUNC_map_lookup_elem), EXIT}, -EFAULT, 2,
		"instruction 2"},
	/* the context is the caller's memory, not a struct xdp_buff */
	{"gives a helper its context", {MOV_K(2, 0), CALL(BPF_FUNC_xdp_adjust_head), EXIT}, -EFAULT,
		1, "instruction 1"},
	{"calls itself for ever",
		{{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = -1}, EXIT},
		-EFAULT, 0, "more than 8 functions deep"},
	{"adds to a misaligned word",
		{MOV_K(2, 1),
			{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
				.dst_reg = 10,
				.src_reg = 2,
				.off = -12},
			EXIT},
		-EFAULT, 1, "atomic access"},
};

/* pattern is text with at most one ".*" in it */
static bool matches(const char *text, const char *pattern)
{
	const char *any = strstr(pattern, ".*");
	char head[128];

	if (!any)
		return strstr(text, pattern);
	snprintf(head, sizeof(head), "%.*s", (int)(any - pattern), pattern);
	text = strstr(text, head);
	return text && strstr(text, any + 2);
}

static size_t insn_cnt(const struct bpf_insn *insns)
{
	size_t cnt = 8;

	while (cnt && !insns[cnt - 1].code)
		cnt--;
	return cnt;
}

static void a_checked_run_ends_in_a_result_or_a_report(void **state)
{
	struct skep *skep = make_instance(0);

	for (size_t i = 0; i < ARRAY_SIZE(checked_rows); i++) {
		const struct checked_row *row = &checked_rows[i];
		uint8_t request[16] = {[8] = 1, 2, 3, 4, 5, 6, 7, 8};
		const struct skep_region region = {"request", request, sizeof(request), false};
		struct skep_checked_run run = {.sz = sizeof(run),
			.ctx = request,
			.regions = &region,
			.region_cnt = 1,
			.budget = 1000};
		struct skep_text why = {""};
		struct skep_prog *prog;

		if (load(skep, 0, SKEP_UNVERIFIED, row->insns, insn_cnt(row->insns), &prog, &why))
			fail_msg("%s: %s", row->name, why.text);
		if (skep_run_checked(prog, &run) != row->err)
			fail_msg("%s: not %d: %s", row->name, row->err, run.fault.why.text);
		if (row->err ? run.fault.insn_idx != row->value ||
					!matches(run.fault.why.text, row->why)
			     : run.ret_value != row->value)
			fail_msg("%s: %llu, %s", row->name, (unsigned long long)run.ret_value,
				run.fault.why.text);
		assert_int_equal(skep_run(prog, request, sizeof(request), NULL), -EINVAL);
		skep_prog_close(prog);
	}
	skep_free(skep);
}

static void unverified_code_uses_maps(void **state)
{
	struct skep *skep = make_instance(0);
	long fd = make_hash(skep);
	const struct bpf_insn insns[] = {STORE_K(BPF_W, 10, -4, 9), STORE_K(BPF_DW, 10, -16, 33),
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = (int)fd},
		{0}, MOV(2, 10), ADD_K(2, -4), MOV(3, 10), ADD_K(3, -16), MOV_K(4, 0),
		CALL(BPF_FUNC_map_update_elem), EXIT};
	struct skep_checked_run run = {.sz = sizeof(run)};
	struct skep_text why = {""};
	struct skep_prog *prog;
	struct skep_map *map;
	uint32_t key = 9;
	uint64_t value = 0;

	if (load(skep, 0, SKEP_UNVERIFIED, insns, ARRAY_SIZE(insns), &prog, &why))
		fail_msg("%s", why.text);
	assert_int_equal(skep_map_open(skep, (int)fd, &map), 0);
	close((int)fd);
	assert_int_equal(skep_run_checked(prog, &run), 0);
	assert_int_equal(run.ret_value, 0);
	assert_int_equal(skep_map_lookup(map, &key, &value), 0);
	assert_int_equal(value, 33);
	run.region_cnt = SKEP_REGION_MAX + 1;
	assert_int_equal(skep_run_checked(prog, &run), -EINVAL);
	skep_map_close(map);
	skep_prog_close(prog);
	skep_free(skep);
}

static void code_of_no_sound_form_is_refused(void **state)
{
	static const struct {
		struct bpf_insn insns[2];
		const char *why;
	} rows[] = {
		{{{.code = 0xff}, EXIT}, "unknown opcode ff"},
		{{{.code = BPF_JMP | BPF_JA, .off = 7}, EXIT}, "jumps out of the program"},
		{{{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_FD, .imm = -1},
			 {0}},
			""},
		{{MOV_K(0, 1), MOV_K(0, 2)}, ""},
	};
	struct skep *skep = make_instance(0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skep_text why = {""};
		struct skep_prog *prog;

		assert_int_equal(
			load(skep, 0, SKEP_UNVERIFIED, rows[i].insns, 2, &prog, &why), -EINVAL);
		if (!why.text[0] || !strstr(why.text, rows[i].why))
			fail_msg("'%s' does not say '%s'", why.text, rows[i].why);
	}
	skep_free(skep);
}

/* ---- arenas ---- */

/* r1 = an address of user space as the program uses it */
#define CAST(dst, src)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src), .off = 1, \
		.imm = 1                                                                           \
	}

static long make_arena(struct skep *skep, uint64_t user_start)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = 33; /* BPF_MAP_TYPE_ARENA */
	attr.max_entries = 4;
	attr.map_flags = BPF_F_MMAPABLE;
	attr.map_extra = user_start;
	return skep_bpf(skep, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* What user space writes into its mapping a program reads through the map's address, and the other way. */
static void an_arena_is_shared_with_programs(void **state)
{
	const uint64_t user_start = 0x200000000000;

	for (uint32_t flags = 0; flags <= SKEP_CHECKED; flags++) {
		struct skep *skep = make_instance(flags);
		long fd = make_arena(skep, user_start);
		const struct bpf_insn insns[] = {{.code = BPF_LD | BPF_IMM | BPF_DW,
							 .dst_reg = 1,
							 .src_reg = BPF_PSEUDO_MAP_VALUE,
							 .imm = (int)fd},
			{0}, CAST(2, 1), LOAD(BPF_DW, 0, 2, 8), MOV(3, 0), ADD_K(3, 1),
			{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 2, .src_reg = 3, .off = 16},
			{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
				.dst_reg = 2,
				.src_reg = 3,
				.off = 24,
				.imm = BPF_ADD},
			STORE_K(BPF_W, 2, 32, -5), EXIT};
		struct skep_text why = {""};
		struct skep_prog *prog;
		uint64_t args[1] = {0}, value = 0, *page;

		assert_true(fd >= 0);
		page = mmap((void *)(uintptr_t)user_start, 4 * 4096, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED_NOREPLACE, (int)fd, 0);
		assert_ptr_equal(page, (void *)(uintptr_t)user_start);
		page[1] = 41;
		page[3] = 100;
		if (load(skep, BPF_PROG_TYPE_RAW_TRACEPOINT, 0, insns, ARRAY_SIZE(insns), &prog,
			    &why))
			fail_msg("%s", why.text);
		assert_int_equal(skep_run(prog, args, sizeof(args), &value), 0);
		assert_int_equal(value, 41);
		assert_int_equal(page[2], 42);
		assert_int_equal(page[3], 142);
		assert_int_equal(page[4], 0xfffffffb);
		skep_prog_close(prog);
		munmap(page, 4 * 4096);
		close((int)fd);
		skep_free(skep);
	}
}

/* ---- the verifier alone ---- */

static void keep_text(void *arg, const char *text, size_t len)
{
	char *log = arg;
	size_t have = strlen(log);

	if (have + len < 65536) {
		memcpy(log + have, text, len);
		log[have + len] = 0;
	}
}

static void a_verdict_says_where_and_why(void **state)
{
	static const struct bpf_insn wild[] = {MOV_K(0, 0), LOAD(BPF_DW, 0, 0, 0), EXIT};
	static char log[65536];
	struct skep *skep = make_instance(0);
	struct skep_verify what = {.sz = sizeof(what),
		.type = BPF_PROG_TYPE_XDP,
		.insns = wild,
		.insn_cnt = ARRAY_SIZE(wild),
		.log = keep_text,
		.arg = log,
		.log_level = 2};
	struct skep_verdict verdict = {.sz = sizeof(verdict)};

	log[0] = 0;
	assert_int_equal(skep_verify(skep, &what, &verdict), -EACCES);
	assert_string_equal(verdict.kernel_text, "R0 invalid mem access 'scalar'");
	assert_int_equal(verdict.insn_idx, 1);
	assert_int_equal(verdict.insns_processed, 2);
	assert_false(verdict.is_unsupported);
	assert_true(verdict.id[0] && verdict.text[0]);
	assert_non_null(strstr(log, "0: (b7) r0 = 0"));
	assert_non_null(strstr(log, "R0 invalid mem access 'scalar'\nprocessed 2 insns"));
	what.insns = odd_or_longer;
	what.insn_cnt = ARRAY_SIZE(odd_or_longer);
	what.log = NULL;
	assert_int_equal(skep_verify(skep, &what, &verdict), 0);
	assert_string_equal(verdict.id, "");
	assert_string_equal(verdict.text, "");
	assert_true(verdict.insns_processed >= ARRAY_SIZE(odd_or_longer));
	assert_int_equal(skep_verify(skep, &what, NULL), 0);
	what.type = 9999;
	assert_int_equal(skep_verify(skep, &what, &verdict), -EINVAL);
	what.type = BPF_PROG_TYPE_XDP;
	what.btf_fd = 1;
	assert_int_equal(skep_verify(skep, &what, &verdict), -EINVAL);
	skep_free(skep);
}

static bool count_and_cancel(void *arg)
{
	return ++*(int *)arg == 3;
}

static void verification_can_be_cut_short(void **state)
{
	/* r0 is a number that is not known; a loop until it is 7 goes on to Linux's limit */
	static const struct bpf_insn endless[] = {CALL(BPF_FUNC_get_prandom_u32), MOV_K(6, 0),
		ADD_K(6, 1),
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 6, .off = -2, .imm = 900000},
		MOV_K(0, 0), EXIT};
	struct skep *skep = make_instance(0);
	int asked = 0;
	struct skep_verify what = {.sz = sizeof(what),
		.type = BPF_PROG_TYPE_XDP,
		.insns = endless,
		.insn_cnt = ARRAY_SIZE(endless),
		.cancel = count_and_cancel,
		.arg = &asked};
	struct skep_verdict verdict = {.sz = sizeof(verdict)};

	assert_int_equal(skep_verify(skep, &what, &verdict), -ECANCELED);
	assert_int_equal(asked, 3);
	assert_string_equal(verdict.id, "CANCELLED");
	what.cancel = NULL;
	what.insns_max = 1000;
	assert_int_equal(skep_verify(skep, &what, &verdict), -E2BIG);
	what.insns_max = 0;
	what.mem_max = 1 << 16;
	assert_int_equal(skep_verify(skep, &what, &verdict), -ENOMEM);
	skep_free(skep);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_gives_its_programs_and_maps),
		cmocka_unit_test(a_map_can_stand_in_several_objects),
		cmocka_unit_test(what_cannot_be_opened_is_told),
		cmocka_unit_test(maps_have_their_operations),
		cmocka_unit_test(a_program_runs_over_memory),
		cmocka_unit_test(what_the_verifier_rejects_is_told),
		cmocka_unit_test(packets_move_in_their_buffers),
		cmocka_unit_test(a_checked_run_ends_in_a_result_or_a_report),
		cmocka_unit_test(unverified_code_uses_maps),
		cmocka_unit_test(code_of_no_sound_form_is_refused),
		cmocka_unit_test(an_arena_is_shared_with_programs),
		cmocka_unit_test(a_verdict_says_where_and_why),
		cmocka_unit_test(verification_can_be_cut_short),
	};

	firewall = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
