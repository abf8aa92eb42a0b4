/*
 * Devices and routes as programs may ask for them. An instance forwards nothing and has no routing table:
 * a look-up says so. Every device has the MTU that Linux gives its kind.
 * Source: bpf_check_mtu and bpf_fib_lookup in net/core/filter.c of Linux 6.18.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>

#include "core/inst.h"
#include "core/prog.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/fns.h"
#include "isa/uapi.h"

enum {
	LOOPBACK_IFINDEX = 1,
	LOOPBACK_MTU = 65536,
	CHECK_SEGMENTS = 1, /* BPF_MTU_CHK_SEGS */
	FIB_FLAGS = 0x7f,   /* BPF_FIB_LOOKUP_* up to MARK */
};

static bool is_xdp(const struct run *run)
{
	return !run->prog || run->prog->type->type == BPF_PROG_TYPE_XDP;
}

/* -ENODEV */
static int mtu_of(struct skep *inst, u32 ifindex, u32 *ret_mtu)
{
	if (ifindex != LOOPBACK_IFINDEX && (!inst->check_rxq || inst->check_rxq(inst, ifindex, 0)))
		return -ENODEV;
	*ret_mtu = ifindex == LOOPBACK_IFINDEX ? LOOPBACK_MTU : ETH_DATA_LEN;
	return 0;
}

/* (context, device or 0, in: length behind the link header or 0, out: MTU; change of length, flags) */
u64 hlp_check_mtu(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct net_skb *skb = hlp_ptr(r1);
	const struct xdp_buff *xdp = hlp_ptr(r1);
	u32 *inout_len = hlp_ptr(r3), ifindex = (u32)r2, mtu, len;
	int err;

	if (r5 & ~(u64)(is_xdp(run) ? 0 : CHECK_SEGMENTS))
		return (u64)-EINVAL;
	if (r5 && ((s32)r4 || *inout_len))
		return (u64)-EINVAL;
	if (!ifindex && is_xdp(run))
		ifindex = xdp->rxq ? xdp->rxq->ifindex : LOOPBACK_IFINDEX;
	else if (!ifindex)
		ifindex = skb->ifindex;
	err = mtu_of(run->inst, ifindex, &mtu);
	if (err)
		return (u64)err;
	len = is_xdp(run) ? (u32)(xdp->data_end - xdp->data) : skb->len;
	if (*inout_len)
		len = *inout_len + ETH_HLEN;
	len += (u32)r4;
	*inout_len = mtu;
	if ((s32)len <= (s32)(mtu + ETH_HLEN) || (!is_xdp(run) && skb->gso_size))
		return BPF_MTU_CHK_RET_SUCCESS;
	return BPF_MTU_CHK_RET_FRAG_NEEDED;
}

/* (context, what is asked and answered, its size, flags) */
u64 hlp_fib_lookup(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct bpf_fib_lookup *params = hlp_ptr(r2);
	u32 mtu;

	if ((u32)r3 < sizeof(*params) || r4 & ~(u64)FIB_FLAGS)
		return (u64)-EINVAL;
	if (params->family != AF_INET && params->family != AF_INET6)
		return (u64)-EAFNOSUPPORT;
	if (mtu_of(run->inst, params->ifindex, &mtu))
		return (u64)-ENODEV;
	return BPF_FIB_LKUP_RET_FWD_DISABLED;
}
