/*
 * Programs at the creation, binding and release of a cgroup's sockets. No context field is there: a program
 * that reads its context is refused. The row is here because libbpf asks for it: its feature probes load
 * two-instruction programs of this type.
 */
#include "progs/progs.h"

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
