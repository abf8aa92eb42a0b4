/*
 * A program array from bpf(2) to the run: a tail call goes where user space pointed it, and a program that
 * stands in the array it uses goes with the last descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "calls.h"

static int make_array(const struct target *t)
{
	union sys_attr attr = {0};

	attr.map_create.map_type = BPF_MAP_TYPE_PROG_ARRAY;
	attr.map_create.key_size = attr.map_create.value_size = 4;
	attr.map_create.max_entries = 2;
	return (int)call(t, BPF_MAP_CREATE, &attr);
}

/* tail_call(ctx, array, 1); r0 = 1; exit */
static int make_caller(const struct target *t, int array_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 2,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = array_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = sizeof(insns) / sizeof(*insns);
	attr.prog_load.license = (uintptr_t) "GPL";
	return (int)call(t, BPF_PROG_LOAD, &attr);
}

static u32 run(const struct target *t, int prog_fd)
{
	u8 frame[64] = {0};
	union sys_attr attr = {0};

	attr.uapi.test.prog_fd = (u32)prog_fd;
	attr.uapi.test.data_in = (uintptr_t)frame;
	attr.uapi.test.data_size_in = sizeof(frame);
	assert_int_equal(call(t, BPF_PROG_TEST_RUN, &attr), 0);
	return attr.uapi.test.retval;
}

static long point(const struct target *t, int array_fd, u32 key, int prog_fd)
{
	return elem(t, BPF_MAP_UPDATE_ELEM, array_fd, &key, &prog_fd, BPF_ANY);
}

static void tail_call_goes_where_it_is_pointed(void **state)
{
	struct skep *skep;
	struct target t;
	int array, caller, callee;
	u32 key = 1, id = 0;

	assert_int_equal(skep_new(NULL, &skep), 0);
	t = target_of(skep);
	array = make_array(&t);
	caller = make_caller(&t, array);
	callee = make_prog(&t, 2);
	assert_true(array >= 0 && caller >= 0 && callee >= 0);
	assert_int_equal(run(&t, caller), 1);
	assert_int_equal(point(&t, array, 1, callee), 0);
	assert_int_equal(run(&t, caller), 2);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, array, &key, &id, 0), 0);
	assert_int_equal(id, id_of(&t, callee));
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, array, &key, NULL, 0), 0);
	assert_int_equal(run(&t, caller), 1);
	close(array);
	close(caller);
	close(callee);
	skep_free(skep);
}

static void programs_in_their_own_array_end(void **state)
{
	struct skep *skep;
	struct target t;
	int array, caller;

	assert_int_equal(skep_new(NULL, &skep), 0);
	t = target_of(skep);
	array = make_array(&t);
	caller = make_caller(&t, array);
	assert_int_equal(point(&t, array, 0, caller), 0);
	close(caller);
	assert_int_not_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	close(array);
	assert_int_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	skep_free(skep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tail_call_goes_where_it_is_pointed),
		cmocka_unit_test(programs_in_their_own_array_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
