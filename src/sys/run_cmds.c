/*
 * BPF_PROG_TEST_RUN: the caller's packet and context in, what the program made of them out. What a run
 * means is the program type's; this file moves the bytes. And BPF_ENABLE_STATS, which has runs counted.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/prog.h"
#include "sys/call.h"
#include "vm/vm.h"

enum { TEST_DATA_MAX = 1 << 20 /* bytes of a packet, in or out */ };

/* A run in progress; buffers are freed by test_done. */
struct test {
	struct sys_call *call;
	struct prog *prog;
	struct prog_test_run io;
	void *data_in, *ctx_in;
};

static void test_done(struct test *test)
{
	mem_free(test->data_in);
	mem_free(test->ctx_in);
	mem_free(test->io.data_out);
	mem_free(test->io.ctx_out);
	obj_put(&test->prog->obj);
}

/* A context longer than the program type's must be zero there. */
static int read_ctx(struct test *test)
{
	struct sys_call *call = test->call;
	u32 size = call->attr.uapi.test.ctx_size_in, known = test->prog->type->ctx_size;
	int err;

	if (!size)
		return 0;
	err = sys_uarg_tail_check(call->user, call->attr.uapi.test.ctx_in, known, size);
	if (err)
		return err;
	test->ctx_in = mem_zalloc(known);
	if (!test->ctx_in)
		return -ENOMEM;
	test->io.ctx_in = test->ctx_in;
	test->io.ctx_in_len = MIN(size, known);
	return sys_user_read(
		call->user, call->attr.uapi.test.ctx_in, test->ctx_in, test->io.ctx_in_len);
}

static int read_data(struct test *test)
{
	u32 size = test->call->attr.uapi.test.data_size_in;
	int err;

	if (!size)
		return 0;
	if (size > TEST_DATA_MAX)
		return -EINVAL;
	err = sys_user_dup(
		test->call->user, test->call->attr.uapi.test.data_in, size, &test->data_in);
	if (err)
		return err;
	test->io.data_in = test->data_in;
	test->io.data_in_len = size;
	return 0;
}

/* A data_out without a size takes whatever comes, as in Linux. */
static int need_out(struct test *test)
{
	const union bpf_attr *attr = &test->call->attr.uapi;
	u32 cap = attr->test.data_size_out ? attr->test.data_size_out : TEST_DATA_MAX;

	if (attr->test.data_out) {
		test->io.data_out_cap = MIN(cap, TEST_DATA_MAX);
		test->io.data_out = mem_alloc(test->io.data_out_cap);
		if (!test->io.data_out)
			return -ENOMEM;
	}
	if (attr->test.ctx_out) {
		test->io.ctx_out_cap = MIN(attr->test.ctx_size_out, test->prog->type->ctx_size);
		test->io.ctx_out = mem_zalloc(test->io.ctx_out_cap);
		if (!test->io.ctx_out)
			return -ENOMEM;
	}
	return 0;
}

static int write_out(struct test *test)
{
	const struct prog_test_run *io = &test->io;
	struct sys_call *call = test->call;
	const union bpf_attr *attr = &call->attr.uapi;
	int err = 0;

	if (io->data_out)
		err = sys_user_write(call->user, attr->test.data_out, io->data_out,
			MIN(io->ret_data_out_len, io->data_out_cap));
	if (!err && io->ctx_out)
		err = sys_user_write(call->user, attr->test.ctx_out, io->ctx_out,
			MIN(io->ret_ctx_out_len, io->ctx_out_cap));
	if (!err && io->ctx_out)
		err = SYS_PUT(call, uapi, test.ctx_size_out, io->ret_ctx_out_len);
	if (!err)
		err = SYS_PUT(call, uapi, test.data_size_out, io->ret_data_out_len);
	if (!err)
		err = SYS_PUT(call, uapi, test.retval, io->ret_retval);
	if (!err)
		err = SYS_PUT(call, uapi, test.duration, io->ret_duration_ns);
	return err;
}

static int run(struct test *test)
{
	int err = read_ctx(test), out_err;

	if (!err)
		err = read_data(test);
	if (!err)
		err = need_out(test);
	if (err)
		return err;
	sys_fd_check_stats(test->call->inst);
	err = vm_test_run(test->prog, &test->io);
	if (err && err != -ENOSPC)
		return err;
	out_err = write_out(test);
	return out_err ? out_err : err;
}

long sys_prog_test_run(struct sys_call *call)
{
	const union bpf_attr *attr = &call->attr.uapi;
	struct test test = {
		.call = call,
		.io =
			{
				.repeat = attr->test.repeat,
				.flags = attr->test.flags,
				.batch_size = attr->test.batch_size,
				.cpu = attr->test.cpu,
			},
	};
	struct obj *obj;
	int err;

	if (!attr->test.ctx_size_in != !attr->test.ctx_in ||
		!attr->test.ctx_size_out != !attr->test.ctx_out)
		return -EINVAL;
	err = sys_call_obj(call, attr->test.prog_fd, OBJ_PROG, &obj);
	if (err)
		return err;
	test.prog = container_of(obj, struct prog, obj);
	err = test.prog->type->test_run ? run(&test) : -SYS_ENOTSUPP;
	test_done(&test);
	return err;
}

long sys_enable_stats(struct sys_call *call)
{
	if (call->attr.uapi.enable_stats.type != BPF_STATS_RUN_TIME)
		return -EINVAL;
	return sys_fd_new_stats(call->inst, call->user);
}
