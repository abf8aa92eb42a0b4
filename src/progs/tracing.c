/*
 * Program types of tracing that have no hook here yet. Their contexts are plain memory that is only read:
 * the saved registers (x86-64's struct pt_regs), the record of a tracepoint, the arguments of a raw one.
 * Source: kprobe_prog_is_valid_access, tp_prog_is_valid_access, raw_tp_prog_is_valid_access,
 * pe_prog_is_valid_access and check_return_code of Linux 6.18.
 */
#include "progs/progs.h"

enum {
	REG_CNT = 21, /* of struct pt_regs */
	REGS_LEN = REG_CNT * 8,
	RECORD_HEADER_LEN = 8, /* for the kernel's own use */
	RECORD_MAX = 8192,
	RAW_ARGS_MAX = 12,
	SYSCALL_CTX_MAX = 65535,
};

/* Aligned loads of any size. */
#define MEMORY(word, from, to)                                                                     \
	{                                                                                          \
		.name = word, .off = (from), .size = (to) - (from), .reg = CTX_SCALAR,             \
		.access = CTX_RD | CTX_RAW, .step_cnt = 1, .step = {                               \
			{(from), 8}                                                                \
		}                                                                                  \
	}

static const struct ctx_field kprobe_fields[] = {MEMORY("regs", 0, REGS_LEN)};
static const struct ctx_field tracepoint_fields[] = {
	MEMORY("record", RECORD_HEADER_LEN, RECORD_MAX)};
static const struct ctx_field raw_fields[] = {MEMORY("args", 0, RAW_ARGS_MAX * 8)};

/* Session programs say whether the return of the function is wanted too. */
static const struct ctx_ret kprobe_rets[] = {
	{1ULL << BPF_TRACE_KPROBE_SESSION | 1ULL << BPF_TRACE_UPROBE_SESSION, 0, 1},
};

const struct prog_type prog_type_kprobe = {
	.type = BPF_PROG_TYPE_KPROBE,
	.name = "kprobe",
	.may_sleep = true, /* at uprobes */
	.ctx_name = "bpf_user_pt_regs_t",
	.ctx_size = REGS_LEN,
	.fields = kprobe_fields,
	.field_cnt = ARRAY_SIZE(kprobe_fields),
	.ret_any = true,
	.rets = kprobe_rets,
	.ret_cnt = ARRAY_SIZE(kprobe_rets),
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 1,
};

const struct prog_type prog_type_tracepoint = {
	.type = BPF_PROG_TYPE_TRACEPOINT,
	.name = "tracepoint",
	.ctx_name = "__u64",
	.ctx_size = RECORD_MAX,
	.fields = tracepoint_fields,
	.field_cnt = ARRAY_SIZE(tracepoint_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 7,
};

const struct prog_type prog_type_raw_tracepoint = {
	.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
	.name = "raw_tracepoint",
	.ctx_name = "bpf_raw_tracepoint_args",
	.ctx_size = RAW_ARGS_MAX * 8,
	.fields = raw_fields,
	.field_cnt = ARRAY_SIZE(raw_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 17,
};

/* The first argument is a record that the program may change. */
static const struct ctx_field writable_fields[] = {
	{
		.name = "record",
		.off = 0,
		.size = 8,
		.reg = CTX_TP_BUFFER,
		.access = CTX_RD,
		.step_cnt = 1,
		.step = {{0, 8}},
	},
	MEMORY("args", 8, RAW_ARGS_MAX * 8),
};

const struct prog_type prog_type_raw_tracepoint_writable = {
	.type = BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
	.name = "raw_tracepoint_writable",
	.ctx_name = "bpf_raw_tracepoint_args",
	.ctx_size = RAW_ARGS_MAX * 8,
	.fields = writable_fields,
	.field_cnt = ARRAY_SIZE(writable_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 5,
	.since_minor = 2,
};

/* The context is what the caller of a test run gives: memory of any size, read and written. */
static const struct ctx_field syscall_fields[] = {
	{
		.name = "args",
		.off = 0,
		.size = SYSCALL_CTX_MAX,
		.reg = CTX_SCALAR,
		.access = CTX_RD | CTX_WR | CTX_RAW,
		.step_cnt = 1,
		.step = {{0, 8}},
	},
};

const struct prog_type prog_type_syscall = {
	.type = BPF_PROG_TYPE_SYSCALL,
	.name = "syscall",
	.may_sleep = true,
	.ctx_name = "",
	.ctx_size = SYSCALL_CTX_MAX,
	.fields = syscall_fields,
	.field_cnt = ARRAY_SIZE(syscall_fields),
	.ret_any = true,
	.attach_types = 1,
	.since_major = 5,
	.since_minor = 14,
};

static const struct ctx_field lirc_fields[] = {
	{
		.name = "sample",
		.off = 0,
		.size = 4,
		.reg = CTX_SCALAR,
		.access = CTX_RD,
		.step_cnt = 1,
		.step = {{0, 4}},
	},
};

const struct prog_type prog_type_lirc_mode2 = {
	.type = BPF_PROG_TYPE_LIRC_MODE2,
	.name = "lirc_mode2",
	.ctx_name = "__u32",
	.ctx_size = 4,
	.fields = lirc_fields,
	.field_cnt = ARRAY_SIZE(lirc_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 18,
};

#define WORD(word, at, rights)                                                                     \
	{                                                                                          \
		.name = word, .off = (at), .size = 8, .reg = CTX_SCALAR, .access = (rights),       \
		.step_cnt = 1, .step = {                                                           \
			{(at), 8}                                                                  \
		}                                                                                  \
	}
#define REG(no) WORD("regs", (no)*8, CTX_RD)

/* struct bpf_perf_event_data: registers whole, the two numbers after them also in parts. */
static const struct ctx_field perf_event_fields[] = {
	REG(0),
	REG(1),
	REG(2),
	REG(3),
	REG(4),
	REG(5),
	REG(6),
	REG(7),
	REG(8),
	REG(9),
	REG(10),
	REG(11),
	REG(12),
	REG(13),
	REG(14),
	REG(15),
	REG(16),
	REG(17),
	REG(18),
	REG(19),
	REG(20),
	WORD("sample_period", REGS_LEN, CTX_RD | CTX_NARROW),
	WORD("addr", REGS_LEN + 8, CTX_RD | CTX_NARROW),
};

const struct prog_type prog_type_perf_event = {
	.type = BPF_PROG_TYPE_PERF_EVENT,
	.name = "perf_event",
	.ctx_name = "bpf_perf_event_data",
	.ctx_size = REGS_LEN + 16,
	.fields = perf_event_fields,
	.field_cnt = ARRAY_SIZE(perf_event_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 9,
};
