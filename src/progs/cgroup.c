/*
 * Programs of a cgroup at sockets, devices, sysctls and socket options. 1 lets the operation go on. There
 * is no hook here yet: they are verified, and have no test run. Contexts in memory are what programs see.
 * Source: sock_filter_is_valid_access, cgroup_dev_is_valid_access, sysctl_is_valid_access and
 * cg_sockopt_is_valid_access of Linux 6.18.
 */
#include "progs/plain.h"
#include "progs/progs.h"

enum { RD = CTX_RD, RD_WR = CTX_RD | CTX_WR, PARTS = CTX_RD | CTX_NARROW };

#define AT(hook) (1ULL << BPF_CGROUP_##hook)

/* Unset (0, BPF_CGROUP_INET_INGRESS) counts as BPF_CGROUP_INET_SOCK_CREATE, as in Linux. */
#define CREATE	(1ULL | AT(INET_SOCK_CREATE))
#define OPEN	(CREATE | AT(INET_SOCK_RELEASE))
#define BOUND_4 AT(INET4_POST_BIND)
#define BOUND_6 AT(INET6_POST_BIND)

#define SOCK(field, rights, attach) PLAIN(struct bpf_sock, field, CTX_SCALAR, rights, attach)

/* The padding behind dst_port is read only together with it. */
static const struct ctx_field sock_fields[] = {
	SOCK(bound_dev_if, RD_WR, OPEN),
	SOCK(family, RD, 0),
	SOCK(type, RD, 0),
	SOCK(protocol, RD, 0),
	SOCK(mark, RD_WR, OPEN),
	SOCK(priority, RD_WR, OPEN),
	SOCK(src_ip4, PARTS, BOUND_4),
	PLAIN_IP6(struct bpf_sock, src_ip6, PARTS, BOUND_6),
	SOCK(src_port, RD, BOUND_4 | BOUND_6),
	SOCK(dst_port, PARTS | CTX_WIDE, 0),
	PLAIN_ROW("padding", offsetof(struct bpf_sock, dst_port) + 2, 2, CTX_SCALAR, CTX_WIDE, 0),
	SOCK(dst_ip4, PARTS, 0),
	PLAIN_IP6(struct bpf_sock, dst_ip6, PARTS, 0),
	SOCK(state, RD, 0),
	SOCK(rx_queue_mapping, RD, 0),
};

const struct prog_type prog_type_cgroup_sock = {
	.type = BPF_PROG_TYPE_CGROUP_SOCK,
	.name = "cgroup_sock",
	.ctx_name = "bpf_sock",
	.ctx_size = sizeof(struct bpf_sock),
	.fields = sock_fields,
	.field_cnt = ARRAY_SIZE(sock_fields),
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = OPEN | BOUND_4 | BOUND_6,
	.since_major = 4,
	.since_minor = 10,
};

static const struct ctx_field device_fields[] = {
	PLAIN_NUM(struct bpf_cgroup_dev_ctx, access_type, PARTS),
	PLAIN_NUM(struct bpf_cgroup_dev_ctx, major, RD),
	PLAIN_NUM(struct bpf_cgroup_dev_ctx, minor, RD),
};

const struct prog_type prog_type_cgroup_device = {
	.type = BPF_PROG_TYPE_CGROUP_DEVICE,
	.name = "cgroup_device",
	.ctx_name = "bpf_cgroup_dev_ctx",
	.ctx_size = sizeof(struct bpf_cgroup_dev_ctx),
	.fields = device_fields,
	.field_cnt = ARRAY_SIZE(device_fields),
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 15,
};

static const struct ctx_field sysctl_fields[] = {
	PLAIN_NUM(struct bpf_sysctl, write, PARTS),
	PLAIN_NUM(struct bpf_sysctl, file_pos, PARTS | CTX_WR),
};

const struct prog_type prog_type_cgroup_sysctl = {
	.type = BPF_PROG_TYPE_CGROUP_SYSCTL,
	.name = "cgroup_sysctl",
	.ctx_name = "bpf_sysctl",
	.ctx_size = sizeof(struct bpf_sysctl),
	.fields = sysctl_fields,
	.field_cnt = ARRAY_SIZE(sysctl_fields),
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = ~0ULL,
	.since_major = 5,
	.since_minor = 2,
};

#define OPT(field, rights, attach) PLAIN(struct bpf_sockopt, field, CTX_SCALAR, rights, attach)

static const struct ctx_field sockopt_fields[] = {
	PLAIN_SOCK(struct bpf_sockopt, sk, CTX_SOCKET),
	PLAIN_DATA(struct bpf_sockopt, optval),
	PLAIN_DATA_END(struct bpf_sockopt, optval_end),
	OPT(level, RD_WR, AT(SETSOCKOPT)),
	OPT(level, RD, AT(GETSOCKOPT)),
	OPT(optname, RD_WR, AT(SETSOCKOPT)),
	OPT(optname, RD, AT(GETSOCKOPT)),
	OPT(optlen, RD_WR, 0),
	OPT(retval, RD_WR, AT(GETSOCKOPT)),
};

const struct prog_type prog_type_cgroup_sockopt = {
	.type = BPF_PROG_TYPE_CGROUP_SOCKOPT,
	.name = "cgroup_sockopt",
	.ctx_name = "bpf_sockopt",
	.ctx_size = sizeof(struct bpf_sockopt),
	.fields = sockopt_fields,
	.field_cnt = ARRAY_SIZE(sockopt_fields),
	.has_packet = true,
	.can_write_packet = true,
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = AT(SETSOCKOPT) | AT(GETSOCKOPT),
	.since_major = 5,
	.since_minor = 3,
};
