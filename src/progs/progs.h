/*
 * The program types, indexed by BPF_PROG_TYPE_*, and the type rows of each file of the layer.
 */
#ifndef PROGS_PROGS_H
#define PROGS_PROGS_H

#include "core/prog_type.h"

/* NULL where a number has no row: the type is not there. */
extern const struct prog_type *const prog_types[];
extern const u32 prog_types_cnt;

extern const struct prog_type prog_type_socket_filter;
extern const struct prog_type prog_type_kprobe;
extern const struct prog_type prog_type_sched_cls;
extern const struct prog_type prog_type_sched_act;
extern const struct prog_type prog_type_tracepoint;
extern const struct prog_type prog_type_xdp;
extern const struct prog_type prog_type_perf_event;
extern const struct prog_type prog_type_cgroup_skb;
extern const struct prog_type prog_type_cgroup_sock;
extern const struct prog_type prog_type_lwt_in;
extern const struct prog_type prog_type_lwt_out;
extern const struct prog_type prog_type_lwt_xmit;
extern const struct prog_type prog_type_sock_ops;
extern const struct prog_type prog_type_sk_skb;
extern const struct prog_type prog_type_cgroup_device;
extern const struct prog_type prog_type_sk_msg;
extern const struct prog_type prog_type_raw_tracepoint;
extern const struct prog_type prog_type_cgroup_sock_addr;
extern const struct prog_type prog_type_lwt_seg6local;
extern const struct prog_type prog_type_sk_reuseport;
extern const struct prog_type prog_type_flow_dissector;
extern const struct prog_type prog_type_cgroup_sysctl;
extern const struct prog_type prog_type_cgroup_sockopt;
extern const struct prog_type prog_type_sk_lookup;
extern const struct prog_type prog_type_netfilter;
extern const struct prog_type prog_type_tracing;
extern const struct prog_type prog_type_lsm;
extern const struct prog_type prog_type_struct_ops;
extern const struct prog_type prog_type_syscall;
extern const struct prog_type prog_type_lirc_mode2;
extern const struct prog_type prog_type_raw_tracepoint_writable;

#endif
