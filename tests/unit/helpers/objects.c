/*
 * Objects of programs: made by their type, counted, kept in lists and trees, and let go with what holds them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "btf/fields.h"
#include "core/btf.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/prog.h"
#include "helpers/helpers.h"
#include "helpers/object.h"
#include "helpers/timers.h"
#include "isa/uapi.h"

#define PTR(p)		 ((uintptr_t)(p))
#define CALLK(name, ...) (call_kfunc(#name, (const u64[5]){__VA_ARGS__}))

/* struct item { long key; struct bpf_list_node list; struct bpf_rb_node tree; struct bpf_refcount refs; } */
struct item {
	u64 key;
	u64 list[3];
	u64 tree[4];
	u32 refs;
};

static struct skep inst;
static struct prog prog;
static struct core_btf *types;
static u32 item_id, plain_id;

static u64 call_kfunc(const char *name, const u64 args[5])
{
	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		if (!strcmp(hlp_kfuncs[i]->proto.name, name))
			return hlp_kfuncs[i]->proto.fn(
				args[0], args[1], args[2], args[3], args[4], &inst.runs[0]);
	}
	fail_msg("no row for %s", name);
	return 0;
}

static struct btf_obj *make_types(void)
{
	struct btf *btf = btf__new_empty();
	struct btf_obj *obj;
	const void *bytes;
	u32 len;
	int num, word, list, tree, refs;

	num = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	word = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	list = btf__add_struct(btf, "bpf_list_node", 24);
	btf__add_field(btf, "a", num, 0, 0);
	tree = btf__add_struct(btf, "bpf_rb_node", 32);
	btf__add_field(btf, "a", num, 0, 0);
	refs = btf__add_struct(btf, "bpf_refcount", 4);
	btf__add_field(btf, "a", word, 0, 0);
	item_id = (u32)btf__add_struct(btf, "item", sizeof(struct item));
	btf__add_field(btf, "key", num, 0, 0);
	btf__add_field(btf, "list", list, 64, 0);
	btf__add_field(btf, "tree", tree, 256, 0);
	btf__add_field(btf, "refs", refs, 512, 0);
	plain_id = (u32)btf__add_struct(btf, "plain", 16);
	btf__add_field(btf, "key", num, 0, 0);
	bytes = btf__raw_data(btf, &len);
	assert_int_equal(btf_new(bytes, len, NULL, &obj), 0);
	btf__free(btf);
	return obj;
}

static int start(void **state)
{
	struct inst_options opts = {.cpu_cnt = 3};

	assert_int_equal(inst_init(&inst, &opts), 0);
	assert_int_equal(core_btf_new(&inst, make_types(), &types), 0);
	prog.btf = &types->obj;
	inst.runs[0].prog = &prog;
	return 0;
}

/* Every object gave its reference to the types back. */
static int end(void **state)
{
	assert_int_equal(types->obj.refs, 1);
	obj_put(&types->obj);
	inst_done(&inst);
	return 0;
}

static struct item *new_item(u64 key)
{
	struct item *item = (struct item *)CALLK(bpf_obj_new_impl, item_id);

	assert_non_null(item);
	assert_int_equal(item->refs, 1);
	item->key = key;
	return item;
}

static void an_object_goes_with_its_last_reference(void **state)
{
	struct item *item = new_item(1);

	assert_int_equal(types->obj.refs, 2);
	assert_int_equal(CALLK(bpf_refcount_acquire_impl, PTR(item)), PTR(item));
	CALLK(bpf_obj_drop_impl, PTR(item));
	assert_int_equal(types->obj.refs, 2);
	assert_int_equal(item->key, 1);
	CALLK(bpf_obj_drop_impl, PTR(item));
	assert_int_equal(types->obj.refs, 1);
	assert_int_equal(CALLK(bpf_obj_new_impl, 999), 0);
}

static void an_object_has_a_copy_for_each_cpu(void **state)
{
	u64 *first = (u64 *)CALLK(bpf_percpu_obj_new_impl, plain_id), *third;

	assert_non_null(first);
	assert_ptr_equal(hlp_object_of_cpu(first, 0, 3), first);
	third = hlp_object_of_cpu(first, 2, 3);
	third[0] = third[1] = 7;
	assert_int_equal(first[0], 0);
	assert_null(hlp_object_of_cpu(first, 3, 3));
	CALLK(bpf_percpu_obj_drop_impl, PTR(first));
}

/* What cannot be put anywhere is let go: the program gave it away. */
static void an_object_is_in_one_list_or_tree_at_a_time(void **state)
{
	struct item *item = new_item(1);
	u64 list[2] = {0}, other[2] = {0};

	CALLK(bpf_refcount_acquire_impl, PTR(item));
	assert_int_equal(CALLK(bpf_list_push_back_impl, PTR(list), PTR(item->list)), 0);
	assert_int_equal((s64)CALLK(bpf_list_push_back_impl, PTR(other), PTR(item->list)), -EINVAL);
	assert_int_equal(item->refs, 1);
	assert_int_equal(CALLK(bpf_list_pop_front, PTR(list)), PTR(item->list));
	assert_int_equal(CALLK(bpf_list_push_back_impl, PTR(other), PTR(item->list)), 0);
	assert_int_equal(CALLK(bpf_list_pop_front, PTR(other)), PTR(item->list));
	CALLK(bpf_obj_drop_impl, PTR(item));
}

static u64 is_less(u64 a, u64 b, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return a < b;
}

static void a_map_lets_go_of_what_its_fields_hold(void **state)
{
	u64 list[2] = {0}, tree[2] = {0}, kptr;
	const struct btf_field fields[] = {
		{.kind = BTF_FIELD_LIST_HEAD, .node_off = 8},
		{.kind = BTF_FIELD_RB_ROOT, .node_off = 32},
		{.kind = BTF_FIELD_KPTR_REF},
	};

	for (u32 i = 0; i < 5; i++) {
		CALLK(bpf_list_push_front_impl, PTR(list), PTR(new_item(i)->list));
		CALLK(bpf_rbtree_add_impl, PTR(tree), PTR(new_item(i)->tree), PTR(is_less));
	}
	kptr = PTR(new_item(9));
	assert_int_equal(types->obj.refs, 12);
	hlp_release_field(NULL, &fields[0], list);
	assert_int_equal(types->obj.refs, 7);
	hlp_release_field(NULL, &fields[1], tree);
	assert_int_equal(types->obj.refs, 2);
	hlp_release_field(NULL, &fields[2], &kptr);
	assert_int_equal(kptr, 0);
	hlp_release_field(NULL, &fields[2], &kptr);
}

static void a_string_is_cut_or_padded(void **state)
{
	char got[8];

	assert_int_equal(CALLK(bpf_copy_from_user_str, PTR(got), 4, PTR("hello"), 0), 4);
	assert_string_equal(got, "hel");
	memset(got, 'x', sizeof(got));
	assert_int_equal(CALLK(bpf_copy_from_user_str, PTR(got), 8, PTR("ab"), 1), 3);
	assert_memory_equal(got, "ab\0\0\0\0\0", 8);
	assert_int_equal((s64)CALLK(bpf_copy_from_user_str, PTR(got), 8, 1, 0), -EFAULT);
	assert_int_equal((s64)CALLK(bpf_copy_from_user_str, PTR(got), 8, PTR("ab"), 2), -EINVAL);
	assert_int_equal(CALLK(bpf_copy_from_user_str, PTR(got), 0, PTR("ab"), 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_object_goes_with_its_last_reference, start, end),
		cmocka_unit_test_setup_teardown(an_object_has_a_copy_for_each_cpu, start, end),
		cmocka_unit_test_setup_teardown(
			an_object_is_in_one_list_or_tree_at_a_time, start, end),
		cmocka_unit_test_setup_teardown(a_map_lets_go_of_what_its_fields_hold, start, end),
		cmocka_unit_test_setup_teardown(a_string_is_cut_or_padded, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
