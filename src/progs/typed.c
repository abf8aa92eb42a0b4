/*
 * Program types whose context is the arguments of something in the kernel, by its BTF: functions,
 * tracepoints, iterators, security hooks, operations. The kernel they speak of is not here: they are
 * verified, and have no test run.
 * Source: tracing_prog_is_valid_access, btf_ctx_access and check_return_code of Linux 6.18.
 */
#include "progs/progs.h"

enum { CTX_ARGS_LEN = 12 * 8 };

#define TYPED(number, word)                                                                        \
	.type = BPF_PROG_TYPE_##number, .name = word, .ctx_name = "", .ctx_size = CTX_ARGS_LEN,    \
	.ctx_model = CTX_BY_BTF, .ret_any = true

static const struct ctx_ret tracing_rets[] = {
	{1ULL << BPF_TRACE_FENTRY | 1ULL << BPF_TRACE_FEXIT, 0, 0},
	{1ULL << BPF_TRACE_ITER, 0, 1},
};

const struct prog_type prog_type_tracing = {
	TYPED(TRACING, "tracing"),
	.may_sleep = true,
	.rets = tracing_rets,
	.ret_cnt = ARRAY_SIZE(tracing_rets),
	.attach_types = ~0ULL,
	.since_major = 5,
	.since_minor = 5,
};

const struct prog_type prog_type_lsm = {
	TYPED(LSM, "lsm"),
	.may_sleep = true,
	.attach_types = ~0ULL,
	.since_major = 5,
	.since_minor = 7,
};

/* The expected attach type is the number of the member. */
const struct prog_type prog_type_struct_ops = {
	TYPED(STRUCT_OPS, "struct_ops"),
	.may_sleep = true,
	.attach_types = ~0ULL,
	.since_major = 5,
	.since_minor = 6,
};
