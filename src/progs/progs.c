/*
 * The table of program types.
 */
#include "progs/progs.h"

const struct prog_type *const prog_types[] = {
	[BPF_PROG_TYPE_SOCKET_FILTER] = &prog_type_socket_filter,
	[BPF_PROG_TYPE_KPROBE] = &prog_type_kprobe,
	[BPF_PROG_TYPE_SCHED_CLS] = &prog_type_sched_cls,
	[BPF_PROG_TYPE_SCHED_ACT] = &prog_type_sched_act,
	[BPF_PROG_TYPE_TRACEPOINT] = &prog_type_tracepoint,
	[BPF_PROG_TYPE_XDP] = &prog_type_xdp,
	[BPF_PROG_TYPE_PERF_EVENT] = &prog_type_perf_event,
	[BPF_PROG_TYPE_CGROUP_SKB] = &prog_type_cgroup_skb,
	[BPF_PROG_TYPE_CGROUP_SOCK] = &prog_type_cgroup_sock,
	[BPF_PROG_TYPE_LWT_IN] = &prog_type_lwt_in,
	[BPF_PROG_TYPE_LWT_OUT] = &prog_type_lwt_out,
	[BPF_PROG_TYPE_LWT_XMIT] = &prog_type_lwt_xmit,
	[BPF_PROG_TYPE_SOCK_OPS] = &prog_type_sock_ops,
	[BPF_PROG_TYPE_SK_SKB] = &prog_type_sk_skb,
	[BPF_PROG_TYPE_CGROUP_DEVICE] = &prog_type_cgroup_device,
	[BPF_PROG_TYPE_SK_MSG] = &prog_type_sk_msg,
	[BPF_PROG_TYPE_RAW_TRACEPOINT] = &prog_type_raw_tracepoint,
	[BPF_PROG_TYPE_CGROUP_SOCK_ADDR] = &prog_type_cgroup_sock_addr,
	[BPF_PROG_TYPE_LWT_SEG6LOCAL] = &prog_type_lwt_seg6local,
	[BPF_PROG_TYPE_SK_REUSEPORT] = &prog_type_sk_reuseport,
	[BPF_PROG_TYPE_FLOW_DISSECTOR] = &prog_type_flow_dissector,
	[BPF_PROG_TYPE_CGROUP_SYSCTL] = &prog_type_cgroup_sysctl,
	[BPF_PROG_TYPE_CGROUP_SOCKOPT] = &prog_type_cgroup_sockopt,
	[BPF_PROG_TYPE_SK_LOOKUP] = &prog_type_sk_lookup,
	[BPF_PROG_TYPE_NETFILTER] = &prog_type_netfilter,
	[BPF_PROG_TYPE_TRACING] = &prog_type_tracing,
	[BPF_PROG_TYPE_LSM] = &prog_type_lsm,
	[BPF_PROG_TYPE_STRUCT_OPS] = &prog_type_struct_ops,
	[BPF_PROG_TYPE_SYSCALL] = &prog_type_syscall,
	[BPF_PROG_TYPE_LIRC_MODE2] = &prog_type_lirc_mode2,
	[BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE] = &prog_type_raw_tracepoint_writable,
};

const u32 prog_types_cnt = ARRAY_SIZE(prog_types);
