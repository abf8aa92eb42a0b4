/*
 * Helpers one by one, a row a case. tests/diff/helpers compares them with the kernel at random; here
 * stand the edges, and what no other kernel can be asked: the instance's clock, CPUs and trace ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/inst.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/helpers.h"
#include "isa/uapi.h"
#include "base/buf.h"

#define CALL(run, name, a, b, c, d, e)                                                             \
	((s64)hlp_table[BPF_FUNC_##name]->fn(                                                      \
		(u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (run)))
#define PTR(p) ((uintptr_t)(p))

enum { START = 256, LEN = 100, ENOTSUPP_LINUX = 524 };

struct frame {
	u8 page[XDP_FRAME_SZ];
	struct xdp_rxq rxq;
	struct xdp_buff xdp;
};

static void frame_init(struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	for (u32 i = 0; i < LEN; i++)
		frame->page[START + i] = (u8)i;
	memset(frame->page + START + LEN, 0xee, 400);
	frame->xdp = (struct xdp_buff){
		.data_hard_start = frame->page,
		.data = frame->page + START,
		.data_meta = frame->page + START,
		.data_end = frame->page + START + LEN,
		.frame_sz = XDP_FRAME_SZ,
		.rxq = &frame->rxq,
	};
}

/* Moves of a new frame of 100 bytes with `meta` bytes of metadata. */
static const struct {
	u32 id;
	s32 meta;
	s64 offset;
	s64 ret;
} moves[] = {
	{BPF_FUNC_xdp_adjust_head, 0, 0, 0},
	{BPF_FUNC_xdp_adjust_head, 0, -216, 0}, /* down to the 40 bytes that Linux keeps */
	{BPF_FUNC_xdp_adjust_head, 0, -217, -EINVAL},
	{BPF_FUNC_xdp_adjust_head, 0, LEN - 14, 0}, /* an Ethernet header must stay */
	{BPF_FUNC_xdp_adjust_head, 0, LEN - 13, -EINVAL},
	{BPF_FUNC_xdp_adjust_head, 8, -208, 0}, /* metadata moves along */
	{BPF_FUNC_xdp_adjust_head, 8, -209, -EINVAL},
	{BPF_FUNC_xdp_adjust_head, 0, 0x100000000, 0}, /* an int counts */
	{BPF_FUNC_xdp_adjust_head, 0, INT32_MIN, -EINVAL},
	{BPF_FUNC_xdp_adjust_head, 0, INT32_MAX, -EINVAL},
	{BPF_FUNC_xdp_adjust_tail, 0, -LEN + 14, 0},
	{BPF_FUNC_xdp_adjust_tail, 0, -LEN + 13, -EINVAL},
	{BPF_FUNC_xdp_adjust_tail, 0, XDP_FRAME_SZ - XDP_TAILROOM - START - LEN, 0},
	{BPF_FUNC_xdp_adjust_tail, 0, XDP_FRAME_SZ - XDP_TAILROOM - START - LEN + 1, -EINVAL},
	{BPF_FUNC_xdp_adjust_tail, 0, INT32_MIN, -EINVAL},
	{BPF_FUNC_xdp_adjust_tail, 0, INT32_MAX, -EINVAL}, {BPF_FUNC_xdp_adjust_meta, 0, -4, 0},
	{BPF_FUNC_xdp_adjust_meta, 0, -3, -EACCES},
	{BPF_FUNC_xdp_adjust_meta, 0, 4, -EINVAL}, /* past the frame */
	{BPF_FUNC_xdp_adjust_meta, 8, 8, 0}, {BPF_FUNC_xdp_adjust_meta, 0, -216, 0},
	{BPF_FUNC_xdp_adjust_meta, 0, -220, -EINVAL},
	{BPF_FUNC_xdp_adjust_meta, -1, -4, -ENOTSUPP_LINUX}, /* a hook without metadata */
};

static void frames_move_within_linux_limits(void **state)
{
	struct run run = {0};
	struct frame frame;

	for (u32 i = 0; i < ARRAY_SIZE(moves); i++) {
		struct xdp_buff before;
		s64 ret, offset = (s32)moves[i].offset;
		bool is_head = moves[i].id == BPF_FUNC_xdp_adjust_head;

		frame_init(&frame);
		frame.xdp.data_meta -= moves[i].meta;
		before = frame.xdp;
		ret = (s64)hlp_table[moves[i].id]->fn(
			PTR(&frame.xdp), (u64)moves[i].offset, 0, 0, 0, &run);
		if (ret != moves[i].ret)
			fail_msg("row %u: %lld, not %lld", i, (long long)ret,
				(long long)moves[i].ret);
		if (ret)
			offset = 0;
		assert_ptr_equal(frame.xdp.data, before.data + (is_head ? offset : 0));
		assert_ptr_equal(frame.xdp.data_meta,
			before.data_meta + (moves[i].id != BPF_FUNC_xdp_adjust_tail ? offset : 0));
		assert_ptr_equal(frame.xdp.data_end,
			before.data_end + (moves[i].id == BPF_FUNC_xdp_adjust_tail ? offset : 0));
	}
}

static void metadata_moves_with_the_head(void **state)
{
	struct run run = {0};
	struct frame frame;
	u32 mark = 0x12345678;

	frame_init(&frame);
	frame.xdp.data_meta -= 4;
	memcpy(frame.xdp.data_meta, &mark, 4);
	assert_int_equal(CALL(&run, xdp_adjust_head, PTR(&frame.xdp), -20, 0, 0, 0), 0);
	assert_memory_equal(frame.xdp.data_meta, &mark, 4);
	assert_int_equal(frame.xdp.data - frame.xdp.data_meta, 4);
}

static void a_grown_tail_is_zero(void **state)
{
	struct run run = {0};
	u8 zeroes[50] = {0};
	struct frame frame;

	frame_init(&frame);
	assert_int_equal(CALL(&run, xdp_adjust_tail, PTR(&frame.xdp), 50, 0, 0, 0), 0);
	assert_memory_equal(frame.page + START + LEN, zeroes, 50);
	assert_int_equal(frame.page[START + LEN + 50], 0xee);
	assert_int_equal(CALL(&run, xdp_get_buff_len, PTR(&frame.xdp), 0, 0, 0, 0), LEN + 50);
}

/* In checked mode a program may touch exactly the frame as it is after the move. */
static void checked_regions_follow_the_frame(void **state)
{
	struct run run = {0};
	struct frame frame;

	frame_init(&frame);
	xdp_set_regions(&frame.xdp, &run);
	CALL(&run, xdp_adjust_meta, PTR(&frame.xdp), -8, 0, 0, 0);
	CALL(&run, xdp_adjust_tail, PTR(&frame.xdp), -10, 0, 0, 0);
	assert_true(run_region_holds(&run.regions[0], PTR(frame.page + START - 8), LEN - 10 + 8));
	assert_false(run_region_holds(&run.regions[0], PTR(frame.page + START - 9), 2));
	assert_false(run_region_holds(&run.regions[0], PTR(frame.page + START + LEN - 10), 1));
	CALL(&run, xdp_adjust_head, PTR(&frame.xdp), 20, 0, 0, 0);
	assert_false(run_region_holds(&run.regions[0], PTR(frame.page + START + 11), 2));
	assert_true(run_region_holds(&run.regions[0], PTR(frame.page + START + 12), 2));
}

static void bytes_are_copied_inside_the_frame_only(void **state)
{
	static const struct {
		u32 offset, len;
		s64 ret;
	} rows[] = {
		{0, 1, 0},
		{LEN - 8, 8, 0},
		{LEN - 7, 8, -EINVAL},
		{LEN, 1, -EINVAL},
		{0, LEN, 0},
		{0x10000, 1, -EFAULT},
		{0, 0x10000, -EFAULT},
		{UINT32_MAX, 1, -EFAULT},
	};
	struct run run = {0};
	static u8 buf[0x10000];
	struct frame frame;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 offset = rows[i].offset, len = rows[i].len;

		frame_init(&frame);
		assert_int_equal(
			CALL(&run, xdp_load_bytes, PTR(&frame.xdp), offset, PTR(buf), len, 0),
			rows[i].ret);
		if (!rows[i].ret)
			assert_memory_equal(buf, frame.xdp.data + offset, len);
		memset(buf, 0x55, sizeof(buf));
		assert_int_equal(
			CALL(&run, xdp_store_bytes, PTR(&frame.xdp), offset, PTR(buf), len, 0),
			rows[i].ret);
		if (!rows[i].ret)
			assert_memory_equal(frame.xdp.data + offset, buf, len);
	}
}

static void filters_read_past_the_end_as_zeroes(void **state)
{
	u8 packet[20] = {1, 2, 3}, buf[8], zeroes[8] = {0};
	struct net_skb skb = {.data = packet, .len = sizeof(packet)};
	struct run run = {0};

	assert_int_equal(CALL(&run, skb_load_bytes, PTR(&skb), 1, PTR(buf), 2, 0), 0);
	assert_memory_equal(buf, packet + 1, 2);
	assert_int_equal(CALL(&run, skb_load_bytes, PTR(&skb), 12, PTR(buf), 8, 0), 0);
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(CALL(&run, skb_load_bytes, PTR(&skb), 13, PTR(buf), 8, 0), -EFAULT);
	assert_memory_equal(buf, zeroes, 8);
	assert_int_equal(CALL(&run, skb_load_bytes, PTR(&skb), -1, PTR(buf), 8, 0), -EFAULT);
}

static void redirect_takes_no_flags(void **state)
{
	struct run run = {0};

	assert_int_equal(CALL(&run, redirect, 7, 0, 0, 0, 0), XDP_REDIRECT);
	assert_int_equal(run.redirect.ifindex, 7);
	assert_int_equal(CALL(&run, redirect, 8, 1, 0, 0, 0), XDP_ABORTED);
	assert_int_equal(run.redirect.ifindex, 7);
}

static void csum_diff_is_the_checksum_of_the_change(void **state)
{
	u32 from[] = {0x01020304}, to[] = {0x0a0b0c0d};
	struct run run = {0};
	s64 added, removed;

	/* RFC 1071's own example: 00 01 f2 03 f4 f5 f6 f7 sum up to ddf2 (in network order) */
	static const u8 rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(CALL(&run, csum_diff, 0, 0, PTR(rfc), 8, 0), 0xf2dd);
	assert_int_equal(CALL(&run, csum_diff, 0, 0, 0, 0, 0x12345), 0x2346);
	added = CALL(&run, csum_diff, 0, 0, PTR(to), 4, 0x1111);
	removed = CALL(&run, csum_diff, PTR(to), 4, 0, 0, added);
	assert_int_equal(removed, 0x1111);
	assert_int_equal(CALL(&run, csum_diff, PTR(from), 4, PTR(from), 4, 0), 0xffff);
	assert_int_equal(CALL(&run, csum_diff, PTR(from), 4, PTR(to), 4, 0), 0x1212);
}

static const struct {
	const char *text;
	u64 flags;
	s64 ret, value;
} numbers[] = {
	{"42", 10, 2, 42},
	{" \t-42x", 10, 5, -42},
	{"0x1fg", 0, 4, 0x1f},
	{"0x1f", 16, 4, 0x1f},
	{"017", 0, 3, 15},
	{"0x", 0, 1, 0}, /* an octal zero, then an x */
	{"0x", 16, -EINVAL, 0},
	{"-", 10, -EINVAL, 0},
	{"  ", 10, -EINVAL, 0},
	{"+1", 10, -EINVAL, 0},
	{"9", 8, -EINVAL, 0},
	{"1", 7, -EINVAL, 0},
	{"1", 10 | 32, -EINVAL, 0},
	{"9223372036854775807", 10, 19, INT64_MAX},
	{"9223372036854775808", 10, -ERANGE, 0},
	{"-9223372036854775808", 10, 20, INT64_MIN},
	{"-9223372036854775809", 10, -ERANGE, 0},
	{"99999999999999999999", 10, -ERANGE, 0},
};

static void strtol_parses_as_linux(void **state)
{
	struct run run = {0};

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		s64 value = -1;
		s64 ret = CALL(&run, strtol, PTR(numbers[i].text), strlen(numbers[i].text),
			numbers[i].flags, PTR(&value), 0);

		if (ret != numbers[i].ret || value != numbers[i].value)
			fail_msg("\"%s\": %lld, %lld", numbers[i].text, (long long)ret,
				(long long)value);
	}
}

static void strtoul_takes_no_sign(void **state)
{
	struct run run = {0};
	u64 value;

	assert_int_equal(CALL(&run, strtoul, PTR("-1"), 2, 10, PTR(&value), 0), -EINVAL);
	assert_int_equal(
		CALL(&run, strtoul, PTR("18446744073709551615"), 20, 10, PTR(&value), 0), 20);
	assert_true(value == UINT64_MAX);
	/* the length counts, not a zero byte */
	assert_int_equal(CALL(&run, strtoul, PTR("1234"), 2, 10, PTR(&value), 0), 2);
	assert_int_equal(value, 12);
}

static void strncmp_orders_bytes(void **state)
{
	struct run run = {0};

	assert_int_equal(CALL(&run, strncmp, PTR("abc"), 4, PTR("abc"), 0, 0), 0);
	assert_int_equal(CALL(&run, strncmp, PTR("abX"), 2, PTR("abc"), 0, 0), 0);
	assert_int_equal(CALL(&run, strncmp, PTR("ab"), 3, PTR("abc"), 0, 0), -1);
	assert_int_equal(CALL(&run, strncmp, PTR("\xff"), 2, PTR("abc"), 0, 0), 1);
}

/* A line per case: format, values, text or errno. */
static const struct {
	const char *fmt;
	u64 args[3];
	s64 ret;
	const char *text;
} lines[] = {
	{"plain", {0}, 5, "plain"},
	{"100%%", {0}, 4, "100%"},
	{"%d %u %x", {(u64)-1, (u64)-1, 255}, 16, "-1 4294967295 ff"},
	{"%ld %llu %lX", {(u64)-1, 5, 0xabc}, 8, "-1 5 ABC"},
	{"%5d|%-5d|%05d", {1, 2, 3}, 17, "    1|2    |00003"},
	{"%c%c", {'o', 'k'}, 2, "ok"},
	{"%px", {0x1234}, 16, "0000000000001234"},
	{"%pS", {0x1234}, 6, "0x1234"},
	{"%s!", {8}, 1, "!"}, /* an address that cannot be read */
	{"%pI4", {8}, 7, "0.0.0.0"},
	{"tab\tnewline\n", {0}, 12, "tab\tnewline\n"},
	{"%d %d %d %d", {1, 2, 3}, -EINVAL, NULL}, /* three values at most */
	{"%", {0}, -EINVAL, NULL},
	{"%h", {0}, -EINVAL, NULL},
	{"%.3d", {0}, -EINVAL, NULL},
	{"%#x", {0}, -EINVAL, NULL},
	{"%f", {0}, -EINVAL, NULL},
	{"%n", {0}, -EINVAL, NULL},
	{"%lc", {0}, -EINVAL, NULL},
	{"%sx", {0}, -EINVAL, NULL},
	{"%pz", {0}, -EINVAL, NULL},
	{"%pI5", {0}, -EINVAL, NULL},
	{"\x01", {0}, -EINVAL, NULL},
	{"\xc3\xa4", {0}, 2, "\xc3\xa4"},
};

static void printk_speaks_linux_format_language(void **state)
{
	struct inst_options opts = {.cpu_cnt = 1};
	struct skep inst;
	u64 lost;

	assert_int_equal(inst_init(&inst, &opts), 0);
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		struct buf out = BUF_INIT;
		s64 ret = CALL(&inst.runs[0], trace_printk, PTR(lines[i].fmt),
			strlen(lines[i].fmt) + 1, lines[i].args[0], lines[i].args[1],
			lines[i].args[2]);
		const char *text;

		if (ret != lines[i].ret)
			fail_msg("\"%s\": %lld", lines[i].fmt, (long long)ret);
		trace_read(&inst.trace, &out, &lost);
		if (lines[i].text) {
			text = strstr(buf_text(&out), "bpf_trace_printk: ");
			assert_non_null(text);
			text += strlen("bpf_trace_printk: ");
			assert_int_equal(strlen(text), strlen(lines[i].text) + 1);
			assert_memory_equal(text, lines[i].text, strlen(lines[i].text));
		} else {
			assert_int_equal(out.len, 0);
		}
		buf_done(&out);
	}
	inst_done(&inst);
}

static void printk_needs_the_zero_byte(void **state)
{
	struct run run = {0};

	assert_int_equal(CALL(&run, trace_printk, PTR("abc"), 3, 0, 0, 0), -EINVAL);
}

static void strings_and_addresses_are_read_from_memory(void **state)
{
	static const u8 addr4[] = {192, 168, 1, 5};
	static const u8 addr6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	u64 args[] = {PTR("name"), PTR(addr4), PTR(addr4), PTR(addr6), PTR(addr6)};
	const char *expected = "name 192.168.1.5 192.168.001.005 "
			       "2001:0db8:0000:0000:0000:0000:0000:0001 "
			       "20010db8000000000000000000000001";
	struct run run = {0};
	char text[200];

	assert_int_equal(CALL(&run, snprintf, PTR(text), sizeof(text),
				 PTR("%s %pI4 %pi4 %pI6 %pi6"), PTR(args), sizeof(args)),
		strlen(expected) + 1);
	assert_string_equal(text, expected);
	/* cut, with the whole length */
	assert_int_equal(CALL(&run, snprintf, PTR(text), 8, PTR("%s %pI4 %pi4 %pI6 %pi6"),
				 PTR(args), sizeof(args)),
		strlen(expected) + 1);
	assert_string_equal(text, "name 19");
}

/* The end of a mapping cuts no string that ends before it, and a string that does not is empty. */
static void strings_end_before_unmapped_memory(void **state)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct run run = {0};
	char text[20];
	u64 arg;

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(munmap(pages + 4096, 4096), 0);
	strcpy(pages + 4096 - 4, "end");
	arg = PTR(pages + 4096 - 4);
	assert_int_equal(CALL(&run, snprintf, PTR(text), sizeof(text), PTR("%s"), PTR(&arg), 8), 4);
	assert_string_equal(text, "end");
	pages[4095] = 'x';
	assert_int_equal(CALL(&run, snprintf, PTR(text), sizeof(text), PTR("%s"), PTR(&arg), 8), 1);
	assert_string_equal(text, "");
	munmap(pages, 4096);
}

static void clocks_follow_a_replayed_capture(void **state)
{
	struct inst_options opts = {.cpu_cnt = 1, .clock = INST_CLOCK_REPLAY, .seed = 5};
	struct skep inst;
	struct run *run;
	s64 first;

	assert_int_equal(inst_init(&inst, &opts), 0);
	run = &inst.runs[0];
	inst.replay_ns = 4000000000;
	assert_int_equal(CALL(run, ktime_get_ns, 0, 0, 0, 0, 0), 4000000000);
	assert_int_equal(CALL(run, ktime_get_boot_ns, 0, 0, 0, 0, 0), 4000000000);
	assert_int_equal(CALL(run, ktime_get_coarse_ns, 0, 0, 0, 0, 0), 4000000000);
	first = CALL(run, jiffies64, 0, 0, 0, 0, 0);
	inst.replay_ns += 1000000000;
	assert_int_equal(CALL(run, jiffies64, 0, 0, 0, 0, 0) - first, 250);
	inst_done(&inst);
}

static void clocks_run_otherwise(void **state)
{
	struct inst_options opts = {.cpu_cnt = 1};
	struct skep inst;
	s64 first;

	assert_int_equal(inst_init(&inst, &opts), 0);
	first = CALL(&inst.runs[0], ktime_get_ns, 0, 0, 0, 0, 0);
	assert_true(first > 0);
	assert_true(CALL(&inst.runs[0], ktime_get_ns, 0, 0, 0, 0, 0) >= first);
	assert_true(CALL(&inst.runs[0], ktime_get_boot_ns, 0, 0, 0, 0, 0) >= first);
	inst_done(&inst);
}

static void task_is_the_running_thread(void **state)
{
	struct run run = {.cpu = 3};
	char comm[20], old[16];

	assert_int_equal(CALL(&run, get_smp_processor_id, 0, 0, 0, 0, 0), 3);
	assert_int_equal(
		CALL(&run, get_current_pid_tgid, 0, 0, 0, 0, 0), (s64)getpid() << 32 | gettid());
	assert_int_equal(CALL(&run, get_current_uid_gid, 0, 0, 0, 0, 0),
		(s64)((u64)getgid() << 32 | getuid()));
	prctl(PR_GET_NAME, old);
	prctl(PR_SET_NAME, "a thread");
	memset(comm, 0xee, sizeof(comm));
	assert_int_equal(CALL(&run, get_current_comm, PTR(comm), 20, 0, 0, 0), 0);
	assert_memory_equal(comm, "a thread\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_int_equal(CALL(&run, get_current_comm, PTR(comm), 4, 0, 0, 0), 0);
	assert_string_equal(comm, "a t");
	prctl(PR_SET_NAME, old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_move_within_linux_limits),
		cmocka_unit_test(metadata_moves_with_the_head),
		cmocka_unit_test(a_grown_tail_is_zero),
		cmocka_unit_test(checked_regions_follow_the_frame),
		cmocka_unit_test(bytes_are_copied_inside_the_frame_only),
		cmocka_unit_test(filters_read_past_the_end_as_zeroes),
		cmocka_unit_test(redirect_takes_no_flags),
		cmocka_unit_test(csum_diff_is_the_checksum_of_the_change),
		cmocka_unit_test(strtol_parses_as_linux),
		cmocka_unit_test(strtoul_takes_no_sign),
		cmocka_unit_test(strncmp_orders_bytes),
		cmocka_unit_test(printk_speaks_linux_format_language),
		cmocka_unit_test(printk_needs_the_zero_byte),
		cmocka_unit_test(strings_and_addresses_are_read_from_memory),
		cmocka_unit_test(strings_end_before_unmapped_memory),
		cmocka_unit_test(clocks_follow_a_replayed_capture),
		cmocka_unit_test(clocks_run_otherwise),
		cmocka_unit_test(task_is_the_running_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
