/*
 * The rows of helpers.def as the structs that the verifier and the engines read.
 */
#include "helpers/helpers.h"

#include <errno.h>

#include "helpers/fns.h"
#include "helpers/format.h"
#include "isa/uapi.h"

#define PROG(word) (1ULL << BPF_PROG_TYPE_##word)
#define MAP(word)  (1ULL << BPF_MAP_TYPE_##word)

#define AT(word) (1ULL << BPF_##word)

/* PROGS column. BASE_PROGS: Linux's base set, given to every type but one. BPF_PROG_TYPE_EXT goes by
 * the program it extends. */
#define ALL_PROGS  (~(1ULL | PROG(EXT)))
#define BASE_PROGS (ALL_PROGS & ~PROG(LIRC_MODE2))
#define TC_PROGS   (PROG(SCHED_CLS) | PROG(SCHED_ACT))
#define LWT_PROGS  (PROG(LWT_IN) | PROG(LWT_OUT) | PROG(LWT_XMIT) | PROG(LWT_SEG6LOCAL))
#define TRACE_PROGS                                                                                \
	(PROG(KPROBE) | PROG(TRACEPOINT) | PROG(PERF_EVENT) | PROG(RAW_TRACEPOINT) |               \
		PROG(RAW_TRACEPOINT_WRITABLE) | PROG(TRACING) | PROG(LSM) | PROG(SYSCALL))
#define SOCKET_PROGS                                                                               \
	(TC_PROGS | LWT_PROGS | PROG(SOCKET_FILTER) | PROG(XDP) | PROG(CGROUP_SKB) |               \
		PROG(SOCK_OPS) | PROG(SK_SKB) | PROG(SK_MSG) | PROG(CGROUP_SOCK_ADDR) |            \
		PROG(FLOW_DISSECTOR) | PROG(SK_LOOKUP))

/* HOOKS: expected attach types. */
#define MULTI_HOOKS                                                                                \
	(AT(TRACE_KPROBE_MULTI) | AT(TRACE_KPROBE_SESSION) | AT(TRACE_UPROBE_MULTI) |              \
		AT(TRACE_UPROBE_SESSION))
#define FUNC_HOOKS (AT(TRACE_FENTRY) | AT(TRACE_FEXIT) | AT(MODIFY_RETURN) | AT(LSM_MAC))
/* the cgroup hooks whose result nothing reads */
#define FIXED_RETVAL_HOOKS                                                                         \
	(AT(CGROUP_INET_INGRESS) | AT(CGROUP_INET_EGRESS) | AT(CGROUP_SOCK_OPS) |                  \
		AT(CGROUP_UDP4_RECVMSG) | AT(CGROUP_UDP6_RECVMSG) | AT(CGROUP_UNIX_RECVMSG) |      \
		AT(CGROUP_INET4_GETPEERNAME) | AT(CGROUP_INET6_GETPEERNAME) |                      \
		AT(CGROUP_UNIX_GETPEERNAME) | AT(CGROUP_INET4_GETSOCKNAME) |                       \
		AT(CGROUP_INET6_GETSOCKNAME) | AT(CGROUP_UNIX_GETSOCKNAME))

/* MAPS column. KEYED_MAPS: values that stay where they are; a look-up in other maps gives other things. */
#define PERCPU_MAPS (MAP(PERCPU_ARRAY) | MAP(PERCPU_HASH) | MAP(LRU_PERCPU_HASH))
#define KEYED_MAPS                                                                                 \
	(MAP(HASH) | MAP(ARRAY) | MAP(PERCPU_HASH) | MAP(PERCPU_ARRAY) | MAP(LRU_HASH) |           \
		MAP(LRU_PERCPU_HASH) | MAP(LPM_TRIE))
#define SOCK_MAPS (MAP(SOCKMAP) | MAP(SOCKHASH)) /* changed by some program types only */
#define LOOKUP_MAPS                                                                                \
	(KEYED_MAPS | SOCK_MAPS | MAP(ARRAY_OF_MAPS) | MAP(HASH_OF_MAPS) | MAP(XSKMAP) |           \
		MAP(DEVMAP) | MAP(DEVMAP_HASH))

/* BITS column */
enum hlp_bits {
	PKT = 1,    /* memory arguments may be packet memory */
	MOVES = 2,  /* packet pointers are stale afterwards */
	GPL = 4,    /* only for programs with a GPL-compatible licence */
	SLEEPS = 8, /* only for programs that may sleep */
	FAST = 16,  /* leaves registers alone */
};

/* ARGS column: what Linux writes as a base type with flags. IN_ is read, OUT_ is filled, INOUT_ must be
 * initialised and is written; NEW_ makes the object, END_ ends the claim on it. */
#define HLP_IN_MEM		       (HLP_MEM | HLP_RDONLY)
#define HLP_IN_MEM_OR_NULL	       (HLP_MEM | HLP_RDONLY | HLP_MAYBE_NULL)
#define HLP_OUT_MEM		       (HLP_MEM | HLP_UNINIT | HLP_WRITE)
#define HLP_INOUT_MEM		       (HLP_MEM | HLP_WRITE)
#define HLP_INOUT_MEM_OR_NULL	       (HLP_MEM | HLP_MAYBE_NULL | HLP_WRITE)
#define HLP_IN_FIXED		       (HLP_MEM | HLP_RDONLY | HLP_FIXED_SIZE)
#define HLP_OUT_FIXED		       (HLP_MEM | HLP_UNINIT | HLP_WRITE | HLP_FIXED_SIZE | HLP_ALIGNED)
#define HLP_INOUT_FIXED		       (HLP_MEM | HLP_WRITE | HLP_FIXED_SIZE | HLP_ALIGNED)
#define HLP_MAP_VALUE_OR_NULL	       (HLP_MAP_VALUE | HLP_MAYBE_NULL)
#define HLP_OUT_MAP_VALUE	       (HLP_MAP_VALUE | HLP_UNINIT | HLP_WRITE)
#define HLP_CTX_OR_NULL		       (HLP_CTX | HLP_MAYBE_NULL)
#define HLP_STACK_OR_NULL	       (HLP_STACK | HLP_MAYBE_NULL)
#define HLP_BTF_ID_OR_NULL	       (HLP_BTF_ID | HLP_MAYBE_NULL)
#define HLP_END_BTF_ID_OR_NULL	       (HLP_BTF_ID | HLP_MAYBE_NULL | HLP_OBJ_RELEASE)
#define HLP_SOCKET_OR_NULL	       (HLP_SOCKET | HLP_MAYBE_NULL)
#define HLP_BTF_ID_SOCK_COMMON_OR_NULL (HLP_BTF_ID_SOCK_COMMON | HLP_MAYBE_NULL)
#define HLP_END_SOCK		       (HLP_BTF_ID_SOCK_COMMON | HLP_OBJ_RELEASE)
#define HLP_END_RINGBUF_MEM	       (HLP_RINGBUF_MEM | HLP_OBJ_RELEASE)
#define HLP_IN_DYNPTR		       (HLP_DYNPTR | HLP_RDONLY)
#define HLP_NEW_DYNPTR_LOCAL	       (HLP_DYNPTR | HLP_DYNPTR_LOCAL | HLP_UNINIT | HLP_WRITE)
#define HLP_NEW_DYNPTR_RINGBUF	       (HLP_DYNPTR | HLP_DYNPTR_RINGBUF | HLP_UNINIT | HLP_WRITE)
#define HLP_END_DYNPTR_RINGBUF	       (HLP_DYNPTR | HLP_DYNPTR_RINGBUF | HLP_OBJ_RELEASE)
/* clang-format off */
#define NO_ARGS			{HLP_NONE}
#define ARGS1(a)		{HLP_##a}
#define ARGS2(a, b)		{HLP_##a, HLP_##b}
#define ARGS3(a, b, c)		{HLP_##a, HLP_##b, HLP_##c}
#define ARGS4(a, b, c, d)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d}
#define ARGS5(a, b, c, d, e)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d, HLP_##e}
/* the further members */
#define SIZE(n, bytes)		.arg_size[(n) - 1] = (bytes)
#define BTF(n, type)		.arg_btf[(n) - 1] = #type
#define RET_BTF(type)		.ret_btf = #type
#define HOOKS(mask)		.hooks = (mask)
#define VARIANTS(n)		.variant_cnt = (n)
#define WHY(text)		.why = (text)
/* clang-format on */

/* What a helper without a meaning answers: an errno, or no object. */
static u64 answer_errno(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (u64)-EOPNOTSUPP;
}

static u64 answer_null(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return 0;
}

/* clang-format off */
#define COMMON(num, word, returns, types, kinds, bits)						\
	.id = num, .name = #word, .ret = HLP_RET_##returns, .progs = types, .maps = kinds,	\
	.gpl_only = (bits) & GPL, .pkt_access = (bits) & PKT, .changes_pkt = (bits) & MOVES,	\
	.may_sleep = (bits) & SLEEPS, .allow_fastcall = (bits) & FAST
#define HELPER(num, word, func, returns, arguments, types, kinds, bits, major, minor, text, ...)	\
	{COMMON(num, word, returns, types, kinds, bits), .fn = func, .args = arguments,		\
		.since_major = major, .since_minor = minor, .doc = text, __VA_ARGS__},
#define ABSENT(num, word, returns, arguments, types, kinds, bits, major, minor, text, ...)	\
	{COMMON(num, word, returns, types, kinds, bits), .args = arguments,			\
		.fn = HLP_RET_##returns & HLP_MAYBE_NULL ? answer_null : answer_errno,		\
		.since_major = major, .since_minor = minor, .doc = text, __VA_ARGS__},
#define REFUSED(num, word, returns, arguments, types, kinds, bits, major, minor, text, ...)	\
	{COMMON(num, word, returns, types, kinds, bits), .args = arguments,			\
		.since_major = major, .since_minor = minor, .doc = text, __VA_ARGS__},
#define VARIANT(num, nth, word, returns, arguments, types, kinds, bits, ...)			\
	{COMMON(num, word, returns, types, kinds, bits), .args = arguments, __VA_ARGS__},
/* clang-format on */

static const struct hlp_proto rows[] = {
#include "helpers/helpers.def"
};

enum row_idx {
#define HELPER(num, ...)       ROW_##num,
#define ABSENT(num, ...)       ROW_##num,
#define REFUSED(num, ...)      ROW_##num,
#define VARIANT(num, nth, ...) ROW_##num##_##nth,
#include "helpers/helpers.def"
};

const struct hlp_proto *const hlp_table[] = {
#define HELPER(num, ...)  [num] = &rows[ROW_##num],
#define ABSENT(num, ...)  [num] = &rows[ROW_##num],
#define REFUSED(num, ...) [num] = &rows[ROW_##num],
#define VARIANT(...)
#include "helpers/helpers.def"
};

const u32 hlp_table_cnt = ARRAY_SIZE(hlp_table);
