/*
 * libpcap's side of the comparison. It stands alone because libpcap and <linux/bpf.h> both have a
 * struct bpf_insn.
 */
#ifndef DIFF_FILTERS_PCAP_H
#define DIFF_FILTERS_PCAP_H

#include "base/types.h"
#include "isa/classic.h"

struct filters_frame {
	u32 len;
	u8 *data;
};

/* The frames of a capture. False, and the reason printed, if it cannot be read. */
bool filters_read(const char *path, struct filters_frame **ret_frames, u32 *ret_cnt);
void filters_free(struct filters_frame *frames, u32 cnt);
/* The expression as tcpdump compiles it for Ethernet; 0: it does not compile. */
u32 filters_compile(const char *expression, struct isa_classic *ret_filter, u32 cap);
/* What libpcap's own interpreter makes of the frame. */
u32 filters_match(const struct isa_classic *filter, const struct filters_frame *frame);

#endif
