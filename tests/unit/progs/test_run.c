/*
 * The program types' tables, and test runs with a stand-in for the program: a function that looks at the
 * context as a rewritten program would. tests/diff/helpers compares test runs with the kernel at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "core/prog.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "progs/progs.h"

static u32 runs;

/* Drops two bytes in front, writes a mark, returns the receive queue's device. */
static u64 move_and_mark(struct prog *prog, void *ctx, struct run *run)
{
	struct xdp_buff *xdp = ctx;

	runs++;
	assert_true(run->region_cnt >= 2);
	xdp->data += 2;
	xdp->data_meta += 2;
	xdp->data[0] = 0xaa;
	return xdp->rxq->ifindex * 1000 + xdp->rxq->queue;
}

static u64 touch_nothing(struct prog *prog, void *ctx, struct run *run)
{
	return XDP_PASS;
}

static int device_seven(struct skep *inst, u32 ifindex, u32 queue)
{
	return ifindex != 7 ? -ENODEV : queue > 1 ? -EINVAL : 0;
}

static void start(struct skep *inst, u64 (*exec)(struct prog *, void *, struct run *))
{
	struct inst_options opts = {.cpu_cnt = 1};

	assert_int_equal(inst_init(inst, &opts), 0);
	inst->exec = exec;
	inst->check_rxq = device_seven;
}

static bool overlap(const struct ctx_field *a, const struct ctx_field *b)
{
	return a->off < b->off + b->size && b->off < a->off + a->size;
}

/* Every row lies inside the context, leads somewhere, and has its bytes to itself. */
static void check_rows(const struct prog_type *type)
{
	const struct ctx_field *fields = type->fields;

	for (u32 i = 0; i < type->field_cnt; i++) {
		if (fields[i].off + fields[i].size > type->ctx_size || !fields[i].step_cnt)
			fail_msg("%s: %s", type->name, fields[i].name);
		for (u32 j = 0; j < i; j++) {
			u64 both = fields[i].attach_types & fields[j].attach_types;
			bool apart = fields[i].attach_types && fields[j].attach_types && !both;

			if (overlap(&fields[i], &fields[j]) && !apart)
				fail_msg("%s: %s and %s", type->name, fields[i].name,
					fields[j].name);
		}
	}
}

static void types_are_under_their_numbers(void **state)
{
	assert_ptr_equal(prog_types[BPF_PROG_TYPE_XDP], &prog_type_xdp);
	assert_ptr_equal(prog_types[BPF_PROG_TYPE_SOCKET_FILTER], &prog_type_socket_filter);
	for (u32 i = 0; i < prog_types_cnt; i++) {
		if (!prog_types[i])
			continue;
		assert_int_equal(prog_types[i]->type, i);
		check_rows(prog_types[i]);
	}
}

/* Frames and contexts that a test run refuses, and with what. */
static const struct {
	const char *what;
	u32 len, flags, batch;
	bool has_ctx;
	struct xdp_md md;
	int err;
} refusals[] = {
	{"fine", 64, 0, 0, false, {0}, 0},
	{"shorter than an Ethernet header", 13, 0, 0, false, {0}, -EINVAL},
	{"just an Ethernet header", 14, 0, 0, false, {0}, 0},
	{"as long as a page holds", 3520, 0, 0, false, {0}, 0},
	{"more than a page", 3521, 0, 0, false, {0}, -EOPNOTSUPP},
	{"live frames", 64, 2, 0, false, {0}, -EOPNOTSUPP},
	{"unknown flag", 64, 1, 0, false, {0}, -EINVAL},
	{"batches are for live frames", 64, 0, 1, false, {0}, -EINVAL},
	{"all of it frame", 64, 0, 0, true, {.data_end = 64}, 0},
	{"metadata", 64, 0, 0, true, {.data = 8, .data_end = 64}, 0},
	{"metadata of odd length", 64, 0, 0, true, {.data = 6, .data_end = 64}, -EINVAL},
	{"metadata and too little frame", 64, 0, 0, true, {.data = 52, .data_end = 64}, -EINVAL},
	{"metadata over the head room", 400, 0, 0, true, {.data = 220, .data_end = 400}, -EINVAL},
	{"end past the data", 64, 0, 0, true, {.data_end = 65}, -EINVAL},
	{"the rest in fragments", 64, 0, 0, true, {.data_end = 60}, -EOPNOTSUPP},
	{"data_meta", 64, 0, 0, true, {.data_end = 64, .data_meta = 4}, -EINVAL},
	{"device 7", 64, 0, 0, true, {.data_end = 64, .ingress_ifindex = 7}, 0},
	{"its queue 2", 64, 0, 0, true, {.data_end = 64, .ingress_ifindex = 7, .rx_queue_index = 2},
		-EINVAL},
	{"no such device", 64, 0, 0, true, {.data_end = 64, .ingress_ifindex = 8}, -ENODEV},
	{"queue of no device", 64, 0, 0, true, {.data_end = 64, .rx_queue_index = 1}, -EINVAL},
	{"egress device", 64, 0, 0, true, {.data_end = 64, .egress_ifindex = 7}, -EINVAL},
};

static void xdp_refuses_as_linux(void **state)
{
	static u8 data[4096], out[4096];
	struct prog prog = {.type = &prog_type_xdp};
	struct skep inst;

	start(&inst, touch_nothing);
	prog.obj.inst = &inst;
	for (u32 i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct prog_test_run io = {
			.data_in = data,
			.data_in_len = refusals[i].len,
			.data_out = out,
			.data_out_cap = sizeof(out),
			.ctx_in = refusals[i].has_ctx ? &refusals[i].md : NULL,
			.ctx_in_len = refusals[i].has_ctx ? sizeof(struct xdp_md) : 0,
			.flags = refusals[i].flags,
			.batch_size = refusals[i].batch,
		};
		int err = prog_type_xdp.test_run(&prog, &inst.runs[0], &io);

		if (err != refusals[i].err)
			fail_msg("%s: %d, not %d", refusals[i].what, err, refusals[i].err);
	}
	prog.expected_attach_type = BPF_XDP_DEVMAP;
	struct prog_test_run io = {.data_in = data, .data_in_len = 64};

	assert_int_equal(prog_type_xdp.test_run(&prog, &inst.runs[0], &io), -EINVAL);
	inst_done(&inst);
}

/* The frame is not put back between repeats. */
static void xdp_gives_back_frame_and_context(void **state)
{
	struct prog prog = {.type = &prog_type_xdp};
	struct xdp_md md = {.data = 4, .data_end = 64, .ingress_ifindex = 7, .rx_queue_index = 1},
		      md_out;
	u8 data[64], out[64];
	struct prog_test_run io = {
		.data_in = data,
		.data_in_len = sizeof(data),
		.ctx_in = &md,
		.ctx_in_len = sizeof(md),
		.data_out = out,
		.data_out_cap = sizeof(out),
		.ctx_out = &md_out,
		.ctx_out_cap = sizeof(md_out),
		.repeat = 3,
	};
	struct skep inst;

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)i;
	start(&inst, move_and_mark);
	prog.obj.inst = &inst;
	runs = 0;
	assert_int_equal(prog_type_xdp.test_run(&prog, &inst.runs[0], &io), 0);
	assert_int_equal(runs, 3);
	assert_int_equal(io.ret_retval, 7001);
	assert_int_equal(io.ret_data_out_len, 58);		 /* metadata included */
	assert_memory_equal(out, "\xaa\x07\xaa\x09\xaa\x0b", 6); /* a mark from each run */
	assert_int_equal(md_out.data, 4);
	assert_int_equal(md_out.data_end, 58);
	assert_int_equal(md_out.ingress_ifindex, 7);
	assert_int_equal(inst.runs[0].region_cnt, 0);
	inst_done(&inst);
}

static void too_little_room_gives_what_fits(void **state)
{
	struct prog prog = {.type = &prog_type_xdp};
	u8 data[64] = {1, 2, 3, 4, 5}, out[8] = {0};
	struct prog_test_run io = {
		.data_in = data, .data_in_len = 64, .data_out = out, .data_out_cap = 4};
	struct skep inst;

	start(&inst, touch_nothing);
	prog.obj.inst = &inst;
	assert_int_equal(prog_type_xdp.test_run(&prog, &inst.runs[0], &io), -ENOSPC);
	assert_int_equal(io.ret_data_out_len, 64);
	assert_int_equal(io.ret_retval, XDP_PASS);
	assert_memory_equal(out, "\1\2\3\4\0\0\0\0", 8);
	inst_done(&inst);
}

static void a_longer_context_must_be_zero(void **state)
{
	struct prog prog = {.type = &prog_type_xdp};
	struct {
		struct xdp_md md;
		u32 more;
	} ctx = {.md = {.data_end = 64}};
	u8 data[64] = {0};
	struct prog_test_run io = {
		.data_in = data, .data_in_len = 64, .ctx_in = &ctx, .ctx_in_len = sizeof(ctx)};
	struct skep inst;

	start(&inst, touch_nothing);
	prog.obj.inst = &inst;
	assert_int_equal(prog_type_xdp.test_run(&prog, &inst.runs[0], &io), 0);
	ctx.more = 1;
	assert_int_equal(prog_type_xdp.test_run(&prog, &inst.runs[0], &io), -E2BIG);
	inst_done(&inst);
}

static void no_memory_is_said(void **state)
{
	const struct prog_type *types[] = {&prog_type_xdp, &prog_type_socket_filter};
	u8 data[64] = {0};
	struct skep inst;

	start(&inst, touch_nothing);
	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		struct prog prog = {.type = types[i], .obj.inst = &inst};
		struct prog_test_run io = {.data_in = data, .data_in_len = 64};

		mem_fail_at(1);
		assert_int_equal(types[i]->test_run(&prog, &inst.runs[0], &io), -ENOMEM);
		mem_fail_at(0);
	}
	inst_done(&inst);
}

static u64 look_at_skb(struct prog *prog, void *ctx, struct run *run)
{
	struct net_skb *skb = ctx;

	skb->cb[1] = skb->cb[0] + 1;
	return skb->len << 16 | skb->protocol;
}

/* The Ethernet header is taken off for the program and comes back as zeroes. */
static void filters_see_the_packet_behind_the_header(void **state)
{
	struct prog prog = {.type = &prog_type_socket_filter};
	struct __sk_buff skb = {.mark = 5, .cb = {41}}, skb_out;
	u8 data[60], out[60], zeroes[14] = {0};
	struct prog_test_run io = {
		.data_in = data,
		.data_in_len = sizeof(data),
		.ctx_in = &skb,
		.ctx_in_len = sizeof(skb),
		.data_out = out,
		.data_out_cap = sizeof(out),
		.ctx_out = &skb_out,
		.ctx_out_cap = sizeof(skb_out),
	};
	struct skep inst;

	memset(data, 0x11, sizeof(data));
	data[12] = 0x08;
	data[13] = 0x00;
	start(&inst, look_at_skb);
	prog.obj.inst = &inst;
	assert_int_equal(prog_type_socket_filter.test_run(&prog, &inst.runs[0], &io), 0);
	assert_int_equal(io.ret_retval, 46 << 16 | 0x0008);
	assert_int_equal(io.ret_data_out_len, 60);
	assert_memory_equal(out, zeroes, 14);
	assert_memory_equal(out + 14, data + 14, 46);
	assert_int_equal(skb_out.mark, 5);
	assert_int_equal(skb_out.cb[1], 42);
	assert_int_equal(skb_out.ifindex, 1);
	skb.len = 1;
	assert_int_equal(prog_type_socket_filter.test_run(&prog, &inst.runs[0], &io), -EINVAL);
	inst_done(&inst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_under_their_numbers),
		cmocka_unit_test(xdp_refuses_as_linux),
		cmocka_unit_test(xdp_gives_back_frame_and_context),
		cmocka_unit_test(too_little_room_gives_what_fits),
		cmocka_unit_test(a_longer_context_must_be_zero),
		cmocka_unit_test(no_memory_is_said),
		cmocka_unit_test(filters_see_the_packet_behind_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
