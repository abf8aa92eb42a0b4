/*
 * Program types whose context is struct __sk_buff and that have no hook here yet: traffic control,
 * cgroup_skb and the light-weight tunnels. They are verified and can be tested.
 * Source: tc_cls_act_is_valid_access, cg_skb_is_valid_access and lwt_is_valid_access of Linux 6.18.
 */
#include "progs/progs.h"
#include "progs/skb_fields.h"
#include "progs/test_skb.h"

static const struct ctx_field tc_fields[] = {
	SKB_COMMON,
	SKB(mark, SKB_RD_WR),
	SKB(queue_mapping, SKB_RD_WR),
	SKB(priority, SKB_RD_WR),
	SKB(tc_index, SKB_RD_WR),
	SKB(tc_classid, SKB_RD_WR),
	SKB_PACKET(data, CTX_PACKET),
	SKB_PACKET(data_end, CTX_PACKET_END),
	SKB_PACKET(data_meta, CTX_PACKET_META),
	SKB_TSTAMP(CTX_RD | CTX_WR),
	SKB(wire_len, SKB_RD),
	SKB_ROW(tstamp_type, 1, CTX_SCALAR, CTX_RD, tstamp_type, 1),
	SKB_HWTSTAMP,
};

static const struct ctx_field cgroup_fields[] = {
	SKB_COMMON,
	SKB(mark, SKB_RD_WR),
	SKB(queue_mapping, SKB_RD),
	SKB(priority, SKB_RD_WR),
	SKB(tc_index, SKB_RD),
	SKB_PACKET(data, CTX_PACKET),
	SKB_PACKET(data_end, CTX_PACKET_END),
	SKB_SOCKET,
	SKB_TSTAMP(CTX_RD | CTX_WR),
	SKB_HWTSTAMP,
};

static const struct ctx_field lwt_fields[] = {
	SKB_COMMON,
	SKB(mark, SKB_RD_WR),
	SKB(queue_mapping, SKB_RD),
	SKB(priority, SKB_RD_WR),
	SKB(tc_index, SKB_RD),
	SKB_PACKET(data, CTX_PACKET),
	SKB_PACKET(data_end, CTX_PACKET_END),
};

#define SKB_TYPE(number, word, rows)                                                               \
	.type = BPF_PROG_TYPE_##number, .name = word, .ctx_name = "__sk_buff",                     \
	.ctx_size = sizeof(struct __sk_buff), .fields = rows, .field_cnt = ARRAY_SIZE(rows),       \
	.has_packet = true, .test_run = prog_test_skb

const struct prog_type prog_type_sched_cls = {
	SKB_TYPE(SCHED_CLS, "sched_cls", tc_fields),
	.can_write_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 1,
};

const struct prog_type prog_type_sched_act = {
	SKB_TYPE(SCHED_ACT, "sched_act", tc_fields),
	.can_write_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 1,
};

/* Outgoing packets may also be reported as congested. */
static const struct ctx_ret cgroup_rets[] = {
	{1ULL << BPF_CGROUP_INET_EGRESS, 0, 3},
};

const struct prog_type prog_type_cgroup_skb = {
	SKB_TYPE(CGROUP_SKB, "cgroup_skb", cgroup_fields),
	.ret_min = 0,
	.ret_max = 1,
	.rets = cgroup_rets,
	.ret_cnt = ARRAY_SIZE(cgroup_rets),
	.attach_types = 1ULL << BPF_CGROUP_INET_INGRESS | 1ULL << BPF_CGROUP_INET_EGRESS,
	.since_major = 4,
	.since_minor = 10,
};

const struct prog_type prog_type_lwt_in = {
	SKB_TYPE(LWT_IN, "lwt_in", lwt_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 10,
};

const struct prog_type prog_type_lwt_out = {
	SKB_TYPE(LWT_OUT, "lwt_out", lwt_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 10,
};

const struct prog_type prog_type_lwt_xmit = {
	SKB_TYPE(LWT_XMIT, "lwt_xmit", lwt_fields),
	.can_write_packet = true,
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 10,
};

const struct prog_type prog_type_lwt_seg6local = {
	SKB_TYPE(LWT_SEG6LOCAL, "lwt_seg6local", lwt_fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 4,
	.since_minor = 18,
};
