/*
 * The rows of helpers.def as the structs that the verifier and the engines read.
 */
#include "helpers/helpers.h"

#include "helpers/fns.h"
#include "helpers/format.h"
#include "isa/uapi.h"

#define PROG(word) (1ULL << BPF_PROG_TYPE_##word)
#define MAP(word)  (1ULL << BPF_MAP_TYPE_##word)

/* PROGS column. ALL_PROGS: Linux's base set, given to every type; NET_PROGS: types whose base set is
 * that of sockets (bpf_sk_base_func_proto) or names it, as asked of Linux 6.18. */
#define ALL_PROGS (~0ULL)
#define XDP_ONLY  PROG(XDP)
#define SKB_PROGS                                                                                  \
	(PROG(SCHED_CLS) | PROG(SCHED_ACT) | PROG(LWT_IN) | PROG(LWT_OUT) | PROG(LWT_XMIT) |       \
		PROG(LWT_SEG6LOCAL))
#define NET_PROGS                                                                                  \
	(PROG(SOCKET_FILTER) | PROG(SCHED_CLS) | PROG(SCHED_ACT) | PROG(XDP) | PROG(CGROUP_SKB) |  \
		PROG(CGROUP_SOCK) | PROG(LWT_IN) | PROG(LWT_OUT) | PROG(LWT_XMIT) |                \
		PROG(SOCK_OPS) | PROG(SK_SKB) | PROG(SK_MSG) | PROG(CGROUP_SOCK_ADDR) |            \
		PROG(LWT_SEG6LOCAL) | PROG(FLOW_DISSECTOR) | PROG(SK_LOOKUP) |                     \
		PROG(SK_REUSEPORT) | PROG(CGROUP_SYSCTL))

/* MAPS column */
#define PERCPU_MAPS (MAP(PERCPU_ARRAY) | MAP(PERCPU_HASH) | MAP(LRU_PERCPU_HASH))
#define KEYED_MAPS                                                                                 \
	(MAP(HASH) | MAP(ARRAY) | MAP(PERCPU_HASH) | MAP(PERCPU_ARRAY) | MAP(LRU_HASH) |           \
		MAP(LRU_PERCPU_HASH) | MAP(LPM_TRIE))

/* BITS column */
enum hlp_bits {
	PKT = 1,     /* memory arguments may be packet memory */
	MOVES = 2,   /* packet pointers are stale afterwards */
	GPL = 4,     /* only for programs with a GPL-compatible licence */
	LONG4 = 8,   /* argument 4 points to 8 bytes */
	FORMAT = 16, /* argument 3 is a format string for the values of argument 4 */
};

/* ARGS column: what Linux writes as a base type with flags */
#define HLP_IN_MEM	   (HLP_MEM | HLP_RDONLY)
#define HLP_IN_MEM_OR_NULL (HLP_MEM | HLP_RDONLY | HLP_MAYBE_NULL)
#define HLP_IN_MAP_VALUE   (HLP_MAP_VALUE | HLP_RDONLY)
#define HLP_OUT_MAP_VALUE  (HLP_MAP_VALUE | HLP_UNINIT | HLP_WRITE)
#define HLP_OUT_MEM	   (HLP_MEM | HLP_UNINIT | HLP_WRITE)
/* Linux does not say of this one that the memory may be uninitialised */
#define HLP_OUT_MEM_OR_NULL (HLP_MEM | HLP_MAYBE_NULL | HLP_WRITE)
#define HLP_OUT_LONG	    (HLP_MEM | HLP_UNINIT | HLP_WRITE | HLP_FIXED_SIZE | HLP_ALIGNED)
/* clang-format off */
#define NO_ARGS			{HLP_NONE}
#define ARGS1(a)		{HLP_##a}
#define ARGS2(a, b)		{HLP_##a, HLP_##b}
#define ARGS3(a, b, c)		{HLP_##a, HLP_##b, HLP_##c}
#define ARGS4(a, b, c, d)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d}
#define ARGS5(a, b, c, d, e)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d, HLP_##e}
/* clang-format on */

#define HELPER(num, word, func, returns, arguments, types, kinds, bits, major, minor, text)        \
	static const struct hlp_proto proto_##num = {                                              \
		.id = num,                                                                         \
		.name = #word,                                                                     \
		.fn = func,                                                                        \
		.ret = HLP_RET_##returns,                                                          \
		.args = arguments,                                                                 \
		.arg_size = {0, 0, 0, (bits)&LONG4 ? 8 : 0, 0},                                    \
		.progs = types,                                                                    \
		.maps = kinds,                                                                     \
		.gpl_only = (bits)&GPL,                                                            \
		.pkt_access = (bits)&PKT,                                                          \
		.changes_pkt = (bits)&MOVES,                                                       \
		.check_format = (bits)&FORMAT ? hlp_format_check : NULL,                           \
		.since_major = major,                                                              \
		.since_minor = minor,                                                              \
		.doc = text,                                                                       \
	};
#define NAMED(num, word, major, minor)                                                             \
	static const struct hlp_proto proto_##num = {                                              \
		.id = num, .name = #word, .since_major = major, .since_minor = minor, .doc = ""};
#include "helpers/helpers.def"

const struct hlp_proto *const hlp_table[] = {
#define HELPER(num, ...) [num] = &proto_##num,
#define NAMED(num, ...)	 [num] = &proto_##num,
#include "helpers/helpers.def"
};

const u32 hlp_table_cnt = ARRAY_SIZE(hlp_table);
