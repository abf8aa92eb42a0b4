/*
 * Objects: ids rise per kind, the last reference frees, lookups give references.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/inst.h"

static int freed;

static void free_obj(struct obj *obj)
{
	freed++;
	mem_free(obj);
}

static const struct obj_ops ops = {.free = free_obj};

static struct obj *make(struct skep *inst, enum obj_kind kind)
{
	struct obj *obj = mem_zalloc(sizeof(*obj));

	obj_init(obj, inst, kind, &ops);
	assert_int_equal(obj_publish(obj), 0);
	return obj;
}

static int set_up(void **state)
{
	struct skep *inst = malloc(sizeof(*inst));

	*state = inst;
	freed = 0;
	return inst_init(inst, &(struct inst_options){.cpu_cnt = 3});
}

static int tear_down(void **state)
{
	inst_done(*state);
	free(*state);
	return 0;
}

static void ids_rise_per_kind_and_are_not_reused_at_once(void **state)
{
	struct obj *map1 = make(*state, OBJ_MAP), *map2 = make(*state, OBJ_MAP);
	struct obj *prog = make(*state, OBJ_PROG), *map3;

	assert_int_equal(map1->id, 1);
	assert_int_equal(map2->id, 2);
	assert_int_equal(prog->id, 1);
	obj_put(map2);
	map3 = make(*state, OBJ_MAP);
	assert_int_equal(map3->id, 3);
	assert_int_equal(obj_next_id(*state, OBJ_MAP, 0), 1);
	assert_int_equal(obj_next_id(*state, OBJ_MAP, 1), 3);
	assert_int_equal(obj_next_id(*state, OBJ_MAP, 3), 0);
	assert_int_equal(obj_next_id(*state, OBJ_MAP, 0xffffffff), 0);
	obj_put(map1);
	obj_put(map3);
	obj_put(prog);
	assert_int_equal(freed, 4);
}

static void ids_wrap_and_skip_those_in_use(void **state)
{
	struct skep *inst = *state;
	struct obj *low = make(inst, OBJ_MAP), *last, *wrapped;

	inst->tables[OBJ_MAP].last_id = 0x7ffffffe;
	last = make(inst, OBJ_MAP);
	wrapped = make(inst, OBJ_MAP);
	assert_int_equal(last->id, 0x7fffffff);
	assert_int_equal(wrapped->id, 2);
	assert_ptr_equal(obj_by_id(inst, OBJ_MAP, 2), wrapped);
	obj_put(wrapped);
	obj_put(wrapped);
	obj_put(last);
	obj_put(low);
}

static void a_lookup_holds_the_object(void **state)
{
	struct obj *obj = make(*state, OBJ_LINK), *again = obj_by_id(*state, OBJ_LINK, 1);

	assert_ptr_equal(again, obj);
	obj_put(obj);
	assert_int_equal(freed, 0);
	obj_put(again);
	assert_int_equal(freed, 1);
	assert_null(obj_by_id(*state, OBJ_LINK, 1));
	obj_put(NULL);
}

static void an_inode_finds_its_object(void **state)
{
	struct obj *obj = make(*state, OBJ_BTF), *found;

	assert_null(obj_by_ino(*state, 0)); /* no descriptor was handed out yet */
	obj->anchor_fd = 1000000;
	obj->anchor_ino = 77;
	found = obj_by_ino(*state, 77);
	assert_ptr_equal(found, obj);
	obj->anchor_fd = -1;
	obj_put(found);
	obj_put(obj);
}

static void publishing_without_memory_leaves_the_object_unpublished(void **state)
{
	struct obj *obj = mem_zalloc(sizeof(*obj));

	obj_init(obj, *state, OBJ_MAP, &ops);
	mem_fail_at(1);
	assert_int_equal(obj_publish(obj), -ENOMEM);
	mem_fail_at(0);
	assert_int_equal(obj->id, 0);
	obj_put(obj);
	assert_int_equal(freed, 1);
}

static void the_replay_clock_and_its_randomness_repeat(void **state)
{
	struct skep a, b;
	struct inst_options opts = {.cpu_cnt = 1, .clock = INST_CLOCK_REPLAY, .seed = 42};

	assert_int_equal(inst_init(&a, &opts), 0);
	assert_int_equal(inst_init(&b, &opts), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(inst_random(&a), inst_random(&b));
	assert_int_not_equal(inst_random(&a), inst_random(&a));
	a.replay_ns = 123;
	assert_int_equal(inst_now_ns(&a), 123);
	assert_int_equal(inst_wall_ns(&a), 123);
	inst_done(&a);
	inst_done(&b);
	assert_true(inst_now_ns(*state) > 123);
}

static void the_trace_ring_keeps_the_newest_lines(void **state)
{
	struct skep *inst = *state;
	struct buf out = BUF_INIT;
	u64 lost = 0;

	for (int i = 0; i < TRACE_LINES_MAX + 3; i++)
		assert_int_equal(trace_write(&inst->trace, 1, 5000000ull + i * 1000,
					 i == 3 ? "fourth" : "x"),
			0);
	trace_read(&inst->trace, &out, &lost);
	assert_int_equal(lost, 3);
	assert_non_null(strstr(buf_text(&out), "[001]"));
	assert_non_null(strstr(buf_text(&out), "0.005003: bpf_trace_printk: fourth\n"));
	buf_reset(&out);
	trace_read(&inst->trace, &out, &lost);
	assert_int_equal(lost, 0);
	assert_string_equal(buf_text(&out), "");
	buf_done(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ids_rise_per_kind_and_are_not_reused_at_once),
		CASE(ids_wrap_and_skip_those_in_use),
		CASE(a_lookup_holds_the_object),
		CASE(an_inode_finds_its_object),
		CASE(publishing_without_memory_leaves_the_object_unpublished),
		CASE(the_replay_clock_and_its_randomness_repeat),
		CASE(the_trace_ring_keeps_the_newest_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
