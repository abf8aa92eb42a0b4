/*
 * Programs at the socket calls of a cgroup (bind, connect, sendmsg, …): they see the address as struct
 * bpf_sock_addr and may change it; 1 lets the call go on. There is no hook here yet: they are verified,
 * and have no test run. The context in memory is what the program sees.
 * Source: sock_addr_is_valid_access and check_return_code of Linux 6.18.
 */
#include "progs/progs.h"

#define AT(call) (1ULL << BPF_CGROUP_##call)

enum { RD = CTX_RD, PARTS = CTX_RD | CTX_WR | CTX_NARROW, WIDE = PARTS | CTX_WIDE };

#define IP4                                                                                        \
	(AT(INET4_BIND) | AT(INET4_CONNECT) | AT(INET4_GETPEERNAME) | AT(INET4_GETSOCKNAME) |      \
		AT(UDP4_SENDMSG) | AT(UDP4_RECVMSG))
#define IP6                                                                                        \
	(AT(INET6_BIND) | AT(INET6_CONNECT) | AT(INET6_GETPEERNAME) | AT(INET6_GETSOCKNAME) |      \
		AT(UDP6_SENDMSG) | AT(UDP6_RECVMSG))
#define UNIX                                                                                       \
	(AT(UNIX_CONNECT) | AT(UNIX_SENDMSG) | AT(UNIX_RECVMSG) | AT(UNIX_GETPEERNAME) |           \
		AT(UNIX_GETSOCKNAME))

#define ADDR(field, rights, attach)                                                                \
	{                                                                                          \
		.name = #field, .off = offsetof(struct bpf_sock_addr, field), .size = 4,           \
		.reg = CTX_SCALAR, .access = (rights), .attach_types = (attach), .step_cnt = 1,    \
		.step = {                                                                          \
			{offsetof(struct bpf_sock_addr, field), 4}                                 \
		}                                                                                  \
	}

/* Two words of an IPv6 address may be accessed as one, where they stand at a multiple of 8. */
static const struct ctx_field fields[] = {
	ADDR(user_family, RD, 0),
	ADDR(user_ip4, PARTS, IP4),
	ADDR(user_ip6[0], WIDE, IP6),
	ADDR(user_ip6[1], WIDE, IP6),
	ADDR(user_ip6[2], WIDE, IP6),
	ADDR(user_ip6[3], WIDE, IP6),
	ADDR(user_port, PARTS, 0),
	ADDR(family, RD, 0),
	ADDR(type, RD, 0),
	ADDR(protocol, RD, 0),
	ADDR(msg_src_ip4, PARTS, AT(UDP4_SENDMSG)),
	ADDR(msg_src_ip6[0], WIDE, AT(UDP6_SENDMSG)),
	ADDR(msg_src_ip6[1], WIDE, AT(UDP6_SENDMSG)),
	ADDR(msg_src_ip6[2], WIDE, AT(UDP6_SENDMSG)),
	ADDR(msg_src_ip6[3], WIDE, AT(UDP6_SENDMSG)),
	{.name = "sk",
		.off = offsetof(struct bpf_sock_addr, sk),
		.size = 8,
		.reg = CTX_SOCKET,
		.access = CTX_RD,
		.step_cnt = 1,
		.step = {{offsetof(struct bpf_sock_addr, sk), 8}}},
};

/* What has happened already cannot be refused; bind may also skip the check of low ports. */
static const struct ctx_ret rets[] = {
	{AT(UDP4_RECVMSG) | AT(UDP6_RECVMSG) | AT(UNIX_RECVMSG) | AT(INET4_GETPEERNAME) |
			AT(INET6_GETPEERNAME) | AT(UNIX_GETPEERNAME) | AT(INET4_GETSOCKNAME) |
			AT(INET6_GETSOCKNAME) | AT(UNIX_GETSOCKNAME),
		1, 1},
	{AT(INET4_BIND) | AT(INET6_BIND), 0, 3},
};

const struct prog_type prog_type_cgroup_sock_addr = {
	.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	.name = "cgroup_sock_addr",
	.ctx_name = "bpf_sock_addr",
	.ctx_size = sizeof(struct bpf_sock_addr),
	.fields = fields,
	.field_cnt = ARRAY_SIZE(fields),
	.ret_min = 0,
	.ret_max = 1,
	.rets = rets,
	.ret_cnt = ARRAY_SIZE(rets),
	.attach_types = IP4 | IP6 | UNIX,
	.since_major = 4,
	.since_minor = 17,
};
