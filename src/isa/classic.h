/*
 * Classic BPF, the filters of SO_ATTACH_FILTER and of `tcpdump -ddd`, made into programs of today's
 * instructions for BPF_PROG_TYPE_SOCKET_FILTER or _SCHED_CLS. Pure and thread-safe.
 */
#ifndef ISA_CLASSIC_H
#define ISA_CLASSIC_H

#include "base/buf.h"
#include "base/types.h"

struct bpf_insn;

enum {
	ISA_CLASSIC_MAX = 4096, /* instructions of a filter */
	ISA_CLASSIC_MEM = 16,	/* words of its memory M[] */
};

/* An instruction of a filter, laid out as struct sock_filter. */
struct isa_classic {
	u16 code;
	u8 jt, jf;
	u32 k;
};

/*
 * ret_insns is for mem_free. -EINVAL: Linux refuses the filter; -EOPNOTSUPP: it reads what programs of
 * these types cannot (the device's type, netlink attributes, the payload's offset); -ENOMEM. The first
 * two add a sentence to why, which may be NULL.
 */
int isa_from_classic(const struct isa_classic *filter, u32 cnt, struct buf *why,
	struct bpf_insn **ret_insns, u32 *ret_cnt);

#endif
