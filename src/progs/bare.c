/*
 * Program types that can be loaded but have no hook here yet: no context fields (a program that reads
 * its context is refused by the verifier) and no test run. They are rows because libbpf asks for them:
 * its feature probes load two-instruction programs of these types.
 */
#include "progs/progs.h"

const struct prog_type prog_type_kprobe = {
	.type = BPF_PROG_TYPE_KPROBE,
	.name = "kprobe",
	.ctx_name = "bpf_user_pt_regs_t",
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 1,
};

const struct prog_type prog_type_tracepoint = {
	.type = BPF_PROG_TYPE_TRACEPOINT,
	.name = "tracepoint",
	.ctx_name = "__u64",
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 7,
};

const struct prog_type prog_type_raw_tracepoint = {
	.type = BPF_PROG_TYPE_RAW_TRACEPOINT,
	.name = "raw_tracepoint",
	.ctx_name = "bpf_raw_tracepoint_args",
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 17,
};

const struct prog_type prog_type_perf_event = {
	.type = BPF_PROG_TYPE_PERF_EVENT,
	.name = "perf_event",
	.ctx_name = "bpf_perf_event_data",
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 9,
};

/* Unset (0, BPF_CGROUP_INET_INGRESS) counts as BPF_CGROUP_INET_SOCK_CREATE, as in Linux. */
const struct prog_type prog_type_cgroup_sock = {
	.type = BPF_PROG_TYPE_CGROUP_SOCK,
	.name = "cgroup_sock",
	.ctx_name = "bpf_sock",
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = 1ULL | 1ULL << BPF_CGROUP_INET_SOCK_CREATE |
			1ULL << BPF_CGROUP_INET4_POST_BIND | 1ULL << BPF_CGROUP_INET6_POST_BIND |
			1ULL << BPF_CGROUP_INET_SOCK_RELEASE,
	.since_major = 4,
	.since_minor = 10,
};
