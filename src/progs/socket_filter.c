/*
 * Socket filters: a program sees a packet from its network header on as struct __sk_buff and says how
 * many bytes of it to keep. It reads the packet with helpers, not through pointers, and writes only cb.
 * Source: sk_filter_is_valid_access of Linux 6.18.
 */
#include "progs/progs.h"
#include "progs/skb_fields.h"
#include "progs/test_skb.h"

static const struct ctx_field fields[] = {
	SKB_COMMON,
	SKB(mark, SKB_RD),
	SKB(queue_mapping, SKB_RD),
	SKB(priority, SKB_RD),
	SKB(tc_index, SKB_RD),
};

const struct prog_type prog_type_socket_filter = {
	.type = BPF_PROG_TYPE_SOCKET_FILTER,
	.name = "socket_filter",
	.ctx_name = "__sk_buff",
	.ctx_size = sizeof(struct __sk_buff),
	.fields = fields,
	.field_cnt = ARRAY_SIZE(fields),
	.ret_any = true,
	.attach_types = ~0ULL,
	.since_major = 3,
	.since_minor = 19,
	.test_run = prog_test_skb,
};
