/*
 * The parts of BPF_PROG_TEST_RUN that are the same for every program type, with the errno of Linux's
 * bpf_ctx_init, bpf_test_run, bpf_test_finish and bpf_ctx_finish.
 */
#include "progs/test_io.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/inst.h"

enum { CTX_IN_MAX = 4096 }; /* Linux: PAGE_SIZE */

int prog_test_ctx_in(const struct prog_test_run *io, void *ctx, u32 size, bool *ret_given)
{
	const u8 *in = io->ctx_in;

	if (in && io->ctx_in_len > CTX_IN_MAX)
		return -E2BIG;
	for (u32 i = size; in && i < io->ctx_in_len; i++) {
		if (in[i])
			return -E2BIG;
	}
	if (in)
		memcpy(ctx, in, MIN(size, io->ctx_in_len));
	*ret_given = in || io->ctx_out;
	return 0;
}

int prog_test_ctx_out(struct prog_test_run *io, const void *ctx, u32 size)
{
	if (!io->ctx_out)
		return 0;
	memcpy(io->ctx_out, ctx, MIN(size, io->ctx_out_cap));
	io->ret_ctx_out_len = size;
	return size > io->ctx_out_cap ? -ENOSPC : 0;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

void prog_test_loop(struct prog *prog, void *ctx, struct run *run, struct prog_test_run *io)
{
	u32 repeat = io->repeat ? io->repeat : 1;
	u64 start = now_ns(), spent;

	for (u32 i = 0; i < repeat; i++)
		io->ret_retval = (u32)run->inst->exec(prog, ctx, run);
	spent = (now_ns() - start) / repeat;
	io->ret_duration_ns = (u32)MIN(spent, (u64)UINT32_MAX);
}

int prog_test_data_out(struct prog_test_run *io, const void *data, u32 len)
{
	if (io->data_out)
		memcpy(io->data_out, data, MIN(len, io->data_out_cap));
	io->ret_data_out_len = len;
	return io->data_out_cap && len > io->data_out_cap ? -ENOSPC : 0;
}
