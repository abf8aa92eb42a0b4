/*
 * Rows of struct __sk_buff: where each field stands in struct net_skb, and the ways to access it that all
 * program types share. What a type may do with a field is the rights column of its own table.
 * Source: bpf_skb_is_valid_access of Linux 6.18.
 */
#ifndef PROGS_SKB_FIELDS_H
#define PROGS_SKB_FIELDS_H

#include "core/prog_type.h"
#include "core/skb.h"

#define SKB_ROW(word, bytes, kind, rights, from, len)                                              \
	{                                                                                          \
		.name = #word, .off = offsetof(struct __sk_buff, word), .size = (bytes),           \
		.reg = (kind), .access = (rights), .step_cnt = 1, .step = {                        \
			{offsetof(struct net_skb, from), (len)}                                    \
		}                                                                                  \
	}

#define SKB_RD	  (CTX_RD | CTX_NARROW)
#define SKB_RD_WR (CTX_RD | CTX_WR | CTX_NARROW)

/* A number of 4 bytes under the same name. */
#define SKB(field, rights) SKB_ROW(field, 4, CTX_SCALAR, rights, field, 4)
/* Read as a whole only. */
#define SKB_WHOLE(field) SKB_ROW(field, 4, CTX_SCALAR, CTX_RD, field, 4)
/* The program's own 20 bytes, at any width. */
#define SKB_CB			SKB_ROW(cb, 20, CTX_SCALAR, CTX_RD | CTX_WR | CTX_RAW, cb, 20)
#define SKB_TSTAMP(rights)	SKB_ROW(tstamp, 8, CTX_SCALAR, rights, tstamp, 8)
#define SKB_HWTSTAMP		SKB_ROW(hwtstamp, 8, CTX_SCALAR, CTX_RD, hwtstamp, 8)
#define SKB_SK			SKB_ROW(sk, 8, CTX_SOCK_COMMON_OR_NULL, CTX_RD, sk, 8)
#define SKB_PACKET(field, kind) SKB_ROW(field, 4, kind, CTX_RD, field, 8)

/* Addresses and ports of the packet's socket. */
#define SKB_IP6(field)                                                                             \
	SKB_WHOLE(field[0]), SKB_WHOLE(field[1]), SKB_WHOLE(field[2]), SKB_WHOLE(field[3])
#define SKB_SOCKET                                                                                 \
	SKB(family, SKB_RD), SKB_WHOLE(remote_ip4), SKB_WHOLE(local_ip4), SKB_IP6(remote_ip6),     \
		SKB_IP6(local_ip6), SKB(remote_port, SKB_RD), SKB(local_port, SKB_RD)

/* What every type may read. */
#define SKB_COMMON                                                                                 \
	SKB(len, SKB_RD), SKB(pkt_type, SKB_RD), SKB(protocol, SKB_RD), SKB(vlan_present, SKB_RD), \
		SKB(vlan_tci, SKB_RD), SKB(vlan_proto, SKB_RD), SKB(ingress_ifindex, SKB_RD),      \
		SKB(ifindex, SKB_RD), SKB(hash, SKB_RD), SKB(napi_id, SKB_RD),                     \
		SKB(gso_segs, SKB_RD), SKB(gso_size, SKB_RD), SKB_CB, SKB_SK

#endif
