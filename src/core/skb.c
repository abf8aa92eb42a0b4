/*
 * Room around a packet: its buffer is its maker's, until it grows out of it.
 */
#include "core/skb.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

enum { ROOM_MAX = 1 << 20 }; /* bytes that a packet may ask for at one end */

int skb_reserve(struct net_skb *skb, u32 headroom, u32 tailroom)
{
	u32 had = skb_headroom(skb), room = had, cap;
	u8 *head;

	if (headroom > ROOM_MAX || tailroom > ROOM_MAX)
		return -ENOMEM;
	if (headroom <= had && tailroom <= skb->cap - had - skb->len)
		return 0;
	if (headroom > had)
		room += ROUND_UP(headroom - had, SKB_HEADROOM_STEP);
	cap = room + skb->len + MAX(tailroom, skb->cap - had - skb->len);
	head = mem_zalloc(cap);
	if (!head)
		return -ENOMEM;
	memcpy(head + room - had, skb->head, had + skb->len);
	skb->mac_off += room - had;
	skb->net_off += room - had;
	skb->trans_off += (u16)(room - had);
	mem_free(skb->grown);
	skb->grown = skb->head = head;
	skb->cap = cap;
	skb->data = head + room;
	skb_note_ends(skb);
	return 0;
}

void skb_done(struct net_skb *skb)
{
	mem_free(skb->grown);
	skb->grown = NULL;
}

void skb_set_regions(struct net_skb *skb, struct run *run, bool has_packet, bool can_write)
{
	u8 *fields = has_packet ? (u8 *)&skb->mark : (u8 *)skb->cb;
	size_t len = has_packet ? offsetof(struct net_skb, tstamp_type) -
					  offsetof(struct net_skb, mark)
				: sizeof(skb->cb);

	run->regions[0] = (struct run_region){
		.name = "fields", .start = fields, .len = len, .can_write = true};
	run->regions[1] = (struct run_region){
		.name = "ctx", .start = (u8 *)skb, .len = sizeof(*skb)};
	run->region_cnt = 2;
	run->skb = skb;
	if (!has_packet)
		return;
	run->regions[run->region_cnt++] = (struct run_region){.name = "packet",
		.can_write = can_write,
		.live_start = &skb->data,
		.live_end = &skb->data_end};
}
