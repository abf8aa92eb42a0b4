/*
 * Kernel functions one by one: iterators, strings, dynptrs, lists and trees, and functions that run later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "btf/fields.h"
#include "core/dynptr.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/map.h"
#include "core/prog.h"
#include "helpers/helpers.h"
#include "helpers/timers.h"
#include "helpers/tree.h"
#include "isa/uapi.h"
#include "maps/maps.h"

#define PTR(p)		     ((uintptr_t)(p))
#define CALLK(name, ...)     ((s64)call(#name, (const u64[5]){__VA_ARGS__}, NULL))
#define CALL(run, name, ...) call_helper(BPF_FUNC_##name, (const u64[5]){__VA_ARGS__}, run)

static u64 call(const char *name, const u64 args[5], struct run *run)
{
	static struct run unused;

	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		const struct hlp_proto *proto = &hlp_kfuncs[i]->proto;

		if (!strcmp(proto->name, name))
			return proto->fn(
				args[0], args[1], args[2], args[3], args[4], run ? run : &unused);
	}
	fail_msg("no row for %s", name);
	return 0;
}

static s64 call_helper(u32 id, const u64 args[5], struct run *run)
{
	return (s64)hlp_table[id]->fn(args[0], args[1], args[2], args[3], args[4], run);
}

/* The verifier's table of kernel functions, which has all of Linux's. */
static const struct {
	const char *name;
	u32 flags;
} linux_kfuncs[] = {
#define KFUNC(name, hooks, flags) {#name, flags},
#include "verifier/kfuncs.def"
};

static void flags_are_those_that_the_verifier_knows(void **state)
{
	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		u32 at = 0;

		while (at < ARRAY_SIZE(linux_kfuncs) &&
			strcmp(linux_kfuncs[at].name, hlp_kfuncs[i]->proto.name))
			at++;
		assert_true(at < ARRAY_SIZE(linux_kfuncs));
		assert_int_equal(hlp_kfuncs[i]->flags, linux_kfuncs[at].flags);
	}
}

static void every_row_has_a_function_a_release_and_words(void **state)
{
	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		const struct hlp_proto *proto = &hlp_kfuncs[i]->proto;

		assert_non_null(proto->fn);
		assert_true(proto->since_major >= 6 && proto->doc[0]);
		assert_memory_equal(proto->name, "bpf_", 4);
		for (u32 j = 0; j < i; j++)
			assert_string_not_equal(proto->name, hlp_kfuncs[j]->proto.name);
	}
}

static void numbers_count_from_start_to_before_end(void **state)
{
	static const struct {
		s32 start, end;
		s64 ret;
		u32 cnt;
	} rows[] = {
		{0, 3, 0, 3},
		{-2, 2, 0, 4},
		{5, 5, 0, 0},
		{INT32_MAX - 1, INT32_MAX, 0, 1},
		{INT32_MIN, INT32_MIN + 2, 0, 2},
		{3, 2, -EINVAL, 0},
		{0, 8 * 1024 * 1024 + 1, -E2BIG, 0},
	};
	u64 it;
	const s32 *num;
	u32 cnt;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(CALLK(bpf_iter_num_new, PTR(&it), (u64)(s64)rows[i].start,
					 (u64)(s64)rows[i].end),
			rows[i].ret);
		for (cnt = 0; (num = (const s32 *)CALLK(bpf_iter_num_next, PTR(&it))); cnt++)
			assert_int_equal(*num, rows[i].start + (s32)cnt);
		assert_int_equal(cnt, rows[i].cnt);
		assert_int_equal(CALLK(bpf_iter_num_next, PTR(&it)), 0);
		CALLK(bpf_iter_num_destroy, PTR(&it));
	}
}

static void bits_that_are_set_come_in_order(void **state)
{
	u64 words[3] = {1ULL << 63 | 1, 0, 1ULL << 5}, it[2];
	const s32 want[] = {0, 63, 128 + 5}, *bit;

	assert_int_equal(CALLK(bpf_iter_bits_new, PTR(it), PTR(words), 3), 0);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		bit = (const s32 *)CALLK(bpf_iter_bits_next, PTR(it));
		assert_int_equal(*bit, want[i]);
	}
	assert_int_equal(CALLK(bpf_iter_bits_next, PTR(it)), 0);
	assert_int_equal(CALLK(bpf_iter_bits_next, PTR(it)), 0);
	CALLK(bpf_iter_bits_destroy, PTR(it));
	assert_int_equal(CALLK(bpf_iter_bits_new, PTR(it), PTR(words), 1), 0);
	assert_int_equal(*(const s32 *)CALLK(bpf_iter_bits_next, PTR(it)), 0);
	CALLK(bpf_iter_bits_destroy, PTR(it));
	assert_int_equal(CALLK(bpf_iter_bits_new, PTR(it), 0, 1), -EINVAL);
	assert_int_equal(CALLK(bpf_iter_bits_new, PTR(it), PTR(words), 512), -E2BIG);
	assert_int_equal(CALLK(bpf_iter_bits_new, PTR(it), 8, 2), -EFAULT);
	assert_int_equal(CALLK(bpf_iter_bits_next, PTR(it)), 0);
}

static void strings_are_read_only_as_far_as_they_are_there(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *end;

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect(page + 4096, 4096, PROT_NONE), 0);
	end = page + 4096 - 6;
	memcpy(end, "hello", 6);
	assert_int_equal(CALLK(bpf_strlen, PTR(end)), 5);
	assert_int_equal(CALLK(bpf_strnlen, PTR(end), 3), 3);
	assert_int_equal(CALLK(bpf_strcmp, PTR(end), PTR("hello")), 0);
	assert_int_equal(CALLK(bpf_strcmp, PTR(end), PTR("help")), -1);
	assert_int_equal(CALLK(bpf_strcmp, PTR(end), PTR("hell")), 1);
	assert_int_equal(CALLK(bpf_strcasecmp, PTR(end), PTR("HeLLo")), 0);
	assert_int_equal(CALLK(bpf_strchr, PTR(end), 'l'), 2);
	assert_int_equal(CALLK(bpf_strrchr, PTR(end), 'l'), 3);
	assert_int_equal(CALLK(bpf_strchr, PTR(end), 'x'), -ENOENT);
	assert_int_equal(CALLK(bpf_strchrnul, PTR(end), 'x'), 5);
	assert_int_equal(CALLK(bpf_strnchr, PTR(end), 2, 'l'), -ENOENT);
	assert_int_equal(CALLK(bpf_strspn, PTR(end), PTR("leh")), 4);
	assert_int_equal(CALLK(bpf_strcspn, PTR(end), PTR("lo")), 2);
	assert_int_equal(CALLK(bpf_strstr, PTR(end), PTR("lo")), 3);
	assert_int_equal(CALLK(bpf_strstr, PTR(end), PTR("")), 0);
	assert_int_equal(CALLK(bpf_strstr, PTR(end), PTR("lox")), -ENOENT);
	assert_int_equal(CALLK(bpf_strnstr, PTR(end), PTR("lo"), 4), -ENOENT);
	assert_int_equal(CALLK(bpf_strnstr, PTR(end), PTR("lo"), 5), 3);
	end[5] = '!';
	assert_int_equal(CALLK(bpf_strlen, PTR(end)), -EFAULT);
	assert_int_equal(CALLK(bpf_strchr, PTR(end), 'o'), 4);
	assert_int_equal(CALLK(bpf_strcmp, PTR(end), 0), -EFAULT);
	munmap(page, 8192);
}

static void dynptrs_become_parts_of_themselves(void **state)
{
	u8 mem[32] = {0};
	struct dynptr ptr, other;

	assert_int_equal(CALL(NULL, dynptr_from_mem, PTR(mem), 32, 0, PTR(&ptr)), 0);
	assert_int_equal(CALLK(bpf_dynptr_adjust, PTR(&ptr), 8, 40), -ERANGE);
	assert_int_equal(CALLK(bpf_dynptr_adjust, PTR(&ptr), 8, 7), -EINVAL);
	assert_int_equal(CALLK(bpf_dynptr_adjust, PTR(&ptr), 8, 24), 0);
	assert_int_equal(CALLK(bpf_dynptr_size, PTR(&ptr)), 16);
	assert_int_equal(CALLK(bpf_dynptr_clone, PTR(&ptr), PTR(&other)), 0);
	assert_int_equal(CALLK(bpf_dynptr_memset, PTR(&other), 1, 15, 0x77), 0);
	assert_int_equal(CALLK(bpf_dynptr_memset, PTR(&other), 2, 15, 0x77), -E2BIG);
	assert_int_equal(mem[8], 0);
	assert_int_equal(mem[9], 0x77);
	assert_int_equal(mem[24], 0);
	assert_int_equal(CALLK(bpf_dynptr_slice, PTR(&ptr), 1, 0, 15), PTR(mem + 9));
	assert_int_equal(CALLK(bpf_dynptr_slice_rdwr, PTR(&ptr), 2, 0, 15), 0);
	assert_int_equal(CALLK(bpf_dynptr_copy, PTR(&ptr), 0, PTR(&other), 8, 8), 0);
	assert_int_equal(mem[8], 0x77);
	other.data = NULL;
	assert_int_equal(CALLK(bpf_dynptr_is_null, PTR(&other)), 1);
	assert_int_equal((s32)CALLK(bpf_dynptr_size, PTR(&other)), -EINVAL);
}

/* Nodes are the first member of what they are in, and no object is put. */
struct item {
	struct hlp_tree_node node;
	u32 key;
};

static u64 is_less(u64 a, u64 b, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return ((struct item *)(uintptr_t)a)->key < ((struct item *)(uintptr_t)b)->key;
}

static void trees_keep_their_order(void **state)
{
	enum { CNT = 500 };
	static struct item items[CNT];
	struct hlp_tree tree = {0};
	struct run run = {0};
	u32 last, seen;

	srandom(7);
	for (u32 i = 0; i < CNT; i++) {
		items[i].key = (u32)random() % 1000;
		assert_int_equal(call("bpf_rbtree_add_impl",
					 (u64[5]){PTR(&tree), PTR(&items[i]), PTR(is_less)}, &run),
			0);
	}
	for (u32 i = 0; i < CNT; i += 3)
		assert_int_equal(
			CALLK(bpf_rbtree_remove, PTR(&tree), PTR(&items[i])), PTR(&items[i]));
	assert_int_equal(CALLK(bpf_rbtree_remove, PTR(&tree), PTR(&items[0])), 0);
	assert_int_equal(CALLK(bpf_rbtree_root, PTR(&tree)), PTR(tree.top));
	assert_int_equal(CALLK(bpf_rbtree_left, PTR(&tree), PTR(tree.top)), PTR(tree.top->left));
	assert_int_equal(CALLK(bpf_rbtree_right, PTR(&tree), PTR(tree.top)), PTR(tree.top->right));
	assert_int_equal(CALLK(bpf_rbtree_right, PTR(&run), PTR(tree.top)), 0);
	for (last = seen = 0; tree.top; seen++) {
		struct item *first = (struct item *)CALLK(bpf_rbtree_first, PTR(&tree));

		assert_true(first->key >= last);
		last = first->key;
		CALLK(bpf_rbtree_remove, PTR(&tree), PTR(first));
	}
	assert_int_equal(seen, CNT - (CNT + 2) / 3);
}

static void lists_give_back_what_was_put(void **state)
{
	u64 root[2] = {0}, nodes[3][3] = {{0}};

	assert_int_equal(CALLK(bpf_list_push_back_impl, PTR(root), PTR(nodes[0])), 0);
	assert_int_equal(CALLK(bpf_list_push_back_impl, PTR(root), PTR(nodes[1])), 0);
	assert_int_equal(CALLK(bpf_list_push_front_impl, PTR(root), PTR(nodes[2])), 0);
	assert_int_equal(CALLK(bpf_list_front, PTR(root)), PTR(nodes[2]));
	assert_int_equal(CALLK(bpf_list_back, PTR(root)), PTR(nodes[1]));
	assert_int_equal(CALLK(bpf_list_pop_front, PTR(root)), PTR(nodes[2]));
	assert_int_equal(CALLK(bpf_list_pop_back, PTR(root)), PTR(nodes[1]));
	assert_int_equal(CALLK(bpf_list_pop_back, PTR(root)), PTR(nodes[0]));
	assert_int_equal(CALLK(bpf_list_pop_back, PTR(root)), 0);
	assert_int_equal(CALLK(bpf_list_front, PTR(root)), 0);
}

/* ---- later ---- */

static u32 ran, seen_key;
static u64 again_ns, cancel_ret, field_off;
static struct map *the_map;

static u64 on_call(struct prog *prog, u64 func, const u64 args[5], struct run *run)
{
	assert_int_equal(func, 0x1234);
	assert_ptr_equal((void *)(uintptr_t)args[0], the_map);
	seen_key = *(u32 *)(uintptr_t)args[1];
	cancel_ret = (u64)CALL(run, timer_cancel, args[2] + field_off);
	if (again_ns && ran < 3)
		CALL(run, timer_start, args[2] + field_off, again_ns, 0);
	__atomic_fetch_add(&ran, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static bool wait_for(u32 cnt)
{
	for (u32 i = 0; i < 2000 && __atomic_load_n(&ran, __ATOMIC_SEQ_CST) < cnt; i++)
		usleep(1000);
	return __atomic_load_n(&ran, __ATOMIC_SEQ_CST) == cnt;
}

static void keep(struct obj *obj)
{
}

static void timers_run_when_it_is_time_and_not_when_they_are_stopped(void **state)
{
	static const struct obj_ops kept = {.free = keep};
	struct map_attr attr = {
		.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 32, .max_entries = 4};
	struct btf_fields fields = {.mask = BTF_FIELD_TIMER | BTF_FIELD_WORKQUEUE,
		.cnt = 2,
		.items = {{.kind = BTF_FIELD_TIMER, .off = 0, .size = 16},
			{.kind = BTF_FIELD_WORKQUEUE, .off = 16, .size = 16}}};
	struct inst_options opts = {.cpu_cnt = 1};
	struct prog prog = {0};
	struct skep inst;
	struct run *run;
	u32 key = 2;
	u64 field;

	assert_int_equal(inst_init(&inst, &opts), 0);
	inst.map_types = map_types;
	inst.map_type_cnt = map_types_cnt;
	inst.call = on_call;
	inst.free_timers = hlp_timers_free;
	run = &inst.runs[0];
	obj_init(&prog.obj, &inst, OBJ_PROG, &kept);
	run->prog = &prog;
	assert_int_equal(map_new(&inst, &attr, &the_map), 0);
	the_map->fields = &fields;
	field = PTR(the_map->ops->lookup(the_map, &key, 0));

	assert_int_equal(CALL(run, timer_start, field, 0, 0), -EINVAL);
	assert_int_equal(CALL(run, timer_init, field, PTR(the_map), 99), -EINVAL);
	assert_int_equal(CALL(run, timer_init, field, PTR(the_map), CLOCK_MONOTONIC), 0);
	assert_int_equal(CALL(run, timer_init, field, PTR(the_map), CLOCK_MONOTONIC), -EBUSY);
	assert_int_equal(CALL(run, timer_start, field, 0, 0), -EINVAL);
	assert_int_equal(CALL(run, timer_set_callback, field, 0x1234), 0);
	assert_int_equal(CALL(run, timer_start, field, 0, 4), -EINVAL);
	assert_int_equal(CALL(run, timer_start, field, 2000000, 0), 0);
	assert_true(wait_for(1));
	assert_int_equal(seen_key, 2);
	assert_int_equal(cancel_ret, -EDEADLK);
	assert_int_equal(CALL(run, timer_start, field, 3600000000000, 0), 0);
	assert_int_equal(CALL(run, timer_cancel, field), 1);
	assert_int_equal(CALL(run, timer_cancel, field), 0);
	assert_int_equal(CALL(run, timer_start, field, 0, 0), -EINVAL);
	again_ns = 1000;
	assert_int_equal(CALL(run, timer_set_callback, field, 0x1234), 0);
	assert_int_equal(CALL(run, timer_start, field, 0, 0), 0);
	assert_true(wait_for(4)); /* it starts itself until it ran three times */
	hlp_release_field(the_map, &fields.items[0], (void *)(uintptr_t)field);
	assert_int_equal(*(u64 *)(uintptr_t)field, 0);
	/* a work item is a timer that is due at once */
	field_off = 16;
	again_ns = 0;
	assert_int_equal(call("bpf_wq_start", (u64[5]){field + 16}, run), -EINVAL);
	assert_int_equal(call("bpf_wq_init", (u64[5]){field + 16, PTR(the_map)}, run), 0);
	assert_int_equal(call("bpf_wq_init", (u64[5]){field + 16, PTR(the_map)}, run), -EBUSY);
	assert_int_equal(call("bpf_wq_set_callback_impl", (u64[5]){field + 16, 0x1234}, run), 0);
	assert_int_equal(call("bpf_wq_start", (u64[5]){field + 16, 1}, run), -EINVAL);
	assert_int_equal(call("bpf_wq_start", (u64[5]){field + 16}, run), 0);
	assert_true(wait_for(5));
	/* once nothing of user space holds the map, nothing is left to run later */
	inst.release_field = hlp_release_field;
	map_forget(the_map);
	assert_int_equal(*(u64 *)(uintptr_t)(field + 16), 0);
	assert_int_equal(CALL(run, timer_init, field, PTR(the_map), CLOCK_MONOTONIC), -EPERM);
	assert_int_equal(*(u64 *)(uintptr_t)field, 0);
	the_map->fields = NULL;
	the_map->ops->free(the_map);
	run->prog = NULL;
	inst_done(&inst);
	assert_int_equal(prog.obj.refs, 1); /* every reference was given back */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_a_function_a_release_and_words),
		cmocka_unit_test(flags_are_those_that_the_verifier_knows),
		cmocka_unit_test(numbers_count_from_start_to_before_end),
		cmocka_unit_test(bits_that_are_set_come_in_order),
		cmocka_unit_test(strings_are_read_only_as_far_as_they_are_there),
		cmocka_unit_test(dynptrs_become_parts_of_themselves),
		cmocka_unit_test(trees_keep_their_order),
		cmocka_unit_test(lists_give_back_what_was_put),
		cmocka_unit_test(timers_run_when_it_is_time_and_not_when_they_are_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
