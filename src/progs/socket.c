/*
 * Programs at the socket layer: messages and streams of a sockmap, TCP's events, the choice of a listening
 * socket, the dissection of flows. There is no hook here yet: they are verified, and have no test run.
 * Source: sk_msg_is_valid_access, sk_skb_is_valid_access, sock_ops_is_valid_access,
 * sk_lookup_is_valid_access, sk_reuseport_is_valid_access and flow_dissector_is_valid_access of Linux 6.18.
 */
#include "progs/plain.h"
#include "progs/progs.h"
#include "progs/skb_fields.h"

enum { RD = CTX_RD, RD_WR = CTX_RD | CTX_WR, PARTS = CTX_RD | CTX_NARROW };

static const struct ctx_field msg_fields[] = {
	PLAIN_DATA(struct sk_msg_md, data),
	PLAIN_DATA_END(struct sk_msg_md, data_end),
	PLAIN_NUM(struct sk_msg_md, family, RD),
	PLAIN_NUM(struct sk_msg_md, remote_ip4, RD),
	PLAIN_NUM(struct sk_msg_md, local_ip4, RD),
	PLAIN_IP6(struct sk_msg_md, remote_ip6, RD, 0),
	PLAIN_IP6(struct sk_msg_md, local_ip6, RD, 0),
	PLAIN_NUM(struct sk_msg_md, remote_port, RD),
	PLAIN_NUM(struct sk_msg_md, local_port, RD),
	PLAIN_NUM(struct sk_msg_md, size, RD),
	PLAIN_SOCK(struct sk_msg_md, sk, CTX_SOCKET),
};

const struct prog_type prog_type_sk_msg = {
	.type = BPF_PROG_TYPE_SK_MSG,
	.name = "sk_msg",
	.ctx_name = "sk_msg_md",
	.ctx_size = sizeof(struct sk_msg_md),
	.fields = msg_fields,
	.field_cnt = ARRAY_SIZE(msg_fields),
	.has_packet = true,
	.can_write_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 17,
};

static const struct ctx_field stream_fields[] = {
	SKB(len, SKB_RD),
	SKB(pkt_type, SKB_RD),
	SKB(queue_mapping, SKB_RD),
	SKB(protocol, SKB_RD),
	SKB(vlan_present, SKB_RD),
	SKB(vlan_tci, SKB_RD),
	SKB(vlan_proto, SKB_RD),
	SKB(priority, SKB_RD_WR),
	SKB(ingress_ifindex, SKB_RD),
	SKB(ifindex, SKB_RD),
	SKB(tc_index, SKB_RD_WR),
	SKB_ROW(cb, 20, CTX_SCALAR, CTX_RD | CTX_RAW, cb, 20),
	SKB(hash, SKB_RD),
	SKB_PACKET(data, CTX_PACKET),
	SKB_PACKET(data_end, CTX_PACKET_END),
	SKB(napi_id, SKB_RD),
	SKB_SOCKET,
	SKB(gso_segs, SKB_RD),
	SKB_SK,
	SKB(gso_size, SKB_RD),
};

const struct prog_type prog_type_sk_skb = {
	.type = BPF_PROG_TYPE_SK_SKB,
	.name = "sk_skb",
	.ctx_name = "__sk_buff",
	.ctx_size = sizeof(struct __sk_buff),
	.fields = stream_fields,
	.field_cnt = ARRAY_SIZE(stream_fields),
	.has_packet = true,
	.can_write_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 14,
};

/* The last field, which older headers do not have. */
enum { OPS_HWTSTAMP = 216 };

#define OPS(field) PLAIN_NUM(struct bpf_sock_ops, field, RD)

static const struct ctx_field ops_fields[] = {
	OPS(op),
	PLAIN_NUM(struct bpf_sock_ops, reply, RD_WR),
	OPS(args[1]),
	OPS(args[2]),
	OPS(args[3]),
	OPS(family),
	OPS(remote_ip4),
	OPS(local_ip4),
	PLAIN_IP6(struct bpf_sock_ops, remote_ip6, RD, 0),
	PLAIN_IP6(struct bpf_sock_ops, local_ip6, RD, 0),
	OPS(remote_port),
	OPS(local_port),
	OPS(is_fullsock),
	OPS(snd_cwnd),
	OPS(srtt_us),
	OPS(bpf_sock_ops_cb_flags),
	OPS(state),
	OPS(rtt_min),
	OPS(snd_ssthresh),
	OPS(rcv_nxt),
	OPS(snd_nxt),
	OPS(snd_una),
	OPS(mss_cache),
	OPS(ecn_flags),
	OPS(rate_delivered),
	OPS(rate_interval_us),
	OPS(packets_out),
	OPS(retrans_out),
	OPS(total_retrans),
	OPS(segs_in),
	OPS(data_segs_in),
	OPS(segs_out),
	OPS(data_segs_out),
	OPS(lost_out),
	OPS(sacked_out),
	PLAIN_NUM(struct bpf_sock_ops, sk_txhash, RD_WR),
	OPS(bytes_received),
	OPS(bytes_acked),
	PLAIN_SOCK(struct bpf_sock_ops, sk, CTX_SOCKET_OR_NULL),
	PLAIN_DATA(struct bpf_sock_ops, skb_data),
	PLAIN_DATA_END(struct bpf_sock_ops, skb_data_end),
	OPS(skb_len),
	PLAIN_NUM(struct bpf_sock_ops, skb_tcp_flags, PARTS),
	PLAIN_ROW("skb_hwtstamp", OPS_HWTSTAMP, 8, CTX_SCALAR, RD, 0),
};

/* Helpers take no pointers to the header that such programs see. */
const struct prog_type prog_type_sock_ops = {
	.type = BPF_PROG_TYPE_SOCK_OPS,
	.name = "sock_ops",
	.ctx_name = "bpf_sock_ops",
	.ctx_size = OPS_HWTSTAMP + 8,
	.fields = ops_fields,
	.field_cnt = ARRAY_SIZE(ops_fields),
	.ret_min = 0,
	.ret_max = 1,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 13,
};

/* The remote port is 2 bytes; older programs load 4, or its padding alone. */
static const struct ctx_field lookup_fields[] = {
	PLAIN_SOCK(struct bpf_sk_lookup, sk, CTX_SOCKET_OR_NULL),
	PLAIN_NUM(struct bpf_sk_lookup, family, PARTS),
	PLAIN_NUM(struct bpf_sk_lookup, protocol, PARTS),
	PLAIN_NUM(struct bpf_sk_lookup, remote_ip4, PARTS),
	PLAIN_IP6(struct bpf_sk_lookup, remote_ip6, PARTS, 0),
	PLAIN_NUM(struct bpf_sk_lookup, remote_port, PARTS | CTX_WIDE),
	PLAIN_ROW("padding", offsetof(struct bpf_sk_lookup, remote_port) + 2, 2, CTX_SCALAR,
		PARTS | CTX_WIDE, 0),
	PLAIN_NUM(struct bpf_sk_lookup, local_ip4, PARTS),
	PLAIN_IP6(struct bpf_sk_lookup, local_ip6, PARTS, 0),
	PLAIN_NUM(struct bpf_sk_lookup, local_port, PARTS),
	PLAIN_NUM(struct bpf_sk_lookup, ingress_ifindex, PARTS),
};

const struct prog_type prog_type_sk_lookup = {
	.type = BPF_PROG_TYPE_SK_LOOKUP,
	.name = "sk_lookup",
	.ctx_name = "bpf_sk_lookup",
	.ctx_size = sizeof(struct bpf_sk_lookup),
	.fields = lookup_fields,
	.field_cnt = ARRAY_SIZE(lookup_fields),
	.ret_min = SK_DROP,
	.ret_max = SK_PASS,
	.attach_types = 1ULL << BPF_SK_LOOKUP,
	.since_major = 5,
	.since_minor = 9,
};

/* The protocol is two bytes that may be loaded as four. */
static const struct ctx_field reuseport_fields[] = {
	PLAIN_DATA(struct sk_reuseport_md, data),
	PLAIN_DATA_END(struct sk_reuseport_md, data_end),
	PLAIN_NUM(struct sk_reuseport_md, len, PARTS),
	PLAIN_ROW("eth_protocol", offsetof(struct sk_reuseport_md, eth_protocol), 2, CTX_SCALAR,
		RD | CTX_WIDE, 0),
	PLAIN_ROW("eth_protocol", offsetof(struct sk_reuseport_md, eth_protocol) + 2, 2, CTX_SCALAR,
		RD | CTX_WIDE, 0),
	PLAIN_NUM(struct sk_reuseport_md, ip_protocol, PARTS),
	PLAIN_NUM(struct sk_reuseport_md, bind_inany, PARTS),
	PLAIN_NUM(struct sk_reuseport_md, hash, RD),
	PLAIN_SOCK(struct sk_reuseport_md, sk, CTX_SOCKET),
	PLAIN_SOCK(struct sk_reuseport_md, migrating_sk, CTX_SOCK_COMMON_OR_NULL),
};

/* Unset (0) counts as BPF_SK_REUSEPORT_SELECT, as in Linux. */
const struct prog_type prog_type_sk_reuseport = {
	.type = BPF_PROG_TYPE_SK_REUSEPORT,
	.name = "sk_reuseport",
	.ctx_name = "sk_reuseport_md",
	.ctx_size = sizeof(struct sk_reuseport_md),
	.fields = reuseport_fields,
	.field_cnt = ARRAY_SIZE(reuseport_fields),
	.has_packet = true,
	.ret_any = true,
	.attach_types = 1ULL | 1ULL << BPF_SK_REUSEPORT_SELECT |
			1ULL << BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
	.since_major = 4,
	.since_minor = 19,
};

static const struct ctx_field dissector_fields[] = {
	SKB_PACKET(data, CTX_PACKET),
	SKB_PACKET(data_end, CTX_PACKET_END),
	SKB_ROW(flow_keys, 8, CTX_FLOW_KEYS, CTX_RD, flow_keys, 8),
};

const struct prog_type prog_type_flow_dissector = {
	.type = BPF_PROG_TYPE_FLOW_DISSECTOR,
	.name = "flow_dissector",
	.ctx_name = "__sk_buff",
	.ctx_size = sizeof(struct __sk_buff),
	.fields = dissector_fields,
	.field_cnt = ARRAY_SIZE(dissector_fields),
	.has_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 20,
};

#define OBJECT(word, type, at)                                                                     \
	{                                                                                          \
		.name = word, .off = (at), .size = 8, .reg = CTX_BTF, .access = CTX_RD,            \
		.btf_name = type, .step_cnt = 1, .step = {                                         \
			{(at), 8}                                                                  \
		}                                                                                  \
	}

/* struct bpf_nf_ctx: two pointers to objects of the kernel. */
static const struct ctx_field netfilter_fields[] = {
	OBJECT("state", "nf_hook_state", 0),
	OBJECT("skb", "sk_buff", 8),
};

enum { NF_DROP_CODE = 0, NF_ACCEPT_CODE = 1 };

const struct prog_type prog_type_netfilter = {
	.type = BPF_PROG_TYPE_NETFILTER,
	.name = "netfilter",
	.ctx_name = "bpf_nf_ctx",
	.ctx_size = 16,
	.fields = netfilter_fields,
	.field_cnt = ARRAY_SIZE(netfilter_fields),
	.ret_min = NF_DROP_CODE,
	.ret_max = NF_ACCEPT_CODE,
	.attach_types = 1ULL << BPF_NETFILTER,
	.since_major = 6,
	.since_minor = 4,
};
