/*
 * Devices and the XDP hook: what stands in an instance for Linux's network interfaces.
 *
 * A device brings frames in (from a capture, a TAP, a socket, the other end of a veth pair), its XDP
 * program decides, and the frame is dropped, sent back, sent out of another device, or passed. What
 * passes leaves through the device it is joined to; without one it is counted, and a device that
 * keeps a record (pcap) writes it there.
 *
 *     in ──> XDP program ──PASS──> joined device (out) | record of this device
 *                │  ├─TX──────> this device (out)
 *                │  └─REDIRECT> device of bpf_redirect (out)
 *                └─DROP, ABORTED, unknown: counted
 *
 * Locking: `net->lock` is held while frames move and while devices or attachments change, so a program
 * that was replaced or detached never runs again once the call has returned. It is taken before the
 * instance's lock. One thread at a time steps.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/buf.h"
#include "base/types.h"

struct link;
struct net;
struct prog;
struct skep;

enum { NET_NAME_LEN = 16, NET_ACTION_CNT = 5, NET_ERR_MAX = 512 };

/* Counters of one device; actions are indexed by XDP_ABORTED … XDP_REDIRECT, unknown codes count as
 * ABORTED. */
struct net_stats {
	u64 rx_cnt, rx_len; /* frames and bytes that came in */
	u64 action[NET_ACTION_CNT];
	u64 redirect_failed; /* of REDIRECT: no such device, or it did not take the frame */
	u64 tx_cnt, tx_len;  /* frames and bytes that went out */
	u64 tx_failed;
	u64 passed_cnt; /* passed without a peer */
};

struct net_dev_info {
	char name[NET_NAME_LEN];
	const char *kind;
	u32 ifindex;
	u32 peer_ifindex; /* joined device; 0: none */
	u32 prog_id;	  /* 0: none */
	u32 link_id;	  /* 0: attached without a link */
	u32 xdp_flags;	  /* XDP_FLAGS_* mode bit it was attached with */
	bool is_ended;	  /* brings no more frames */
	struct net_stats stats;
};

/* The instance's devices; made at the first call. -ENOMEM, -EMFILE. */
int net_of(struct skep *inst, struct net **ret_net);
/* Closes every device and drops every attachment. NULL is fine. */
void net_free(struct net *net);

/* Adds the device that spec describes: [NAME=]KIND[:ARGS]. On failure err holds the sentence for the user and
 * the result is -EINVAL (spec), -EEXIST (name), -EPERM, -EACCES, -ENOENT, -ENODEV, …. ret_ifindex: the
 * (first) new device. */
int net_dev_add(struct net *net, const char *spec, struct buf *err, u32 *ret_ifindex);
/* -ENODEV; a veth end takes the other one with it. */
int net_dev_del(struct net *net, u32 ifindex);
/* Wires two devices: what passes one goes out of the other. -ENODEV; -EBUSY: one is joined already; -EINVAL:
 * the same device twice. */
int net_dev_join(struct net *net, u32 ifindex_a, u32 ifindex_b);
/* -ENODEV */
int net_dev_info(struct net *net, u32 ifindex, struct net_dev_info *ret_info);
/* The smallest ifindex above the given one; 0: none. */
u32 net_dev_next(struct net *net, u32 ifindex);
/* 0: none of that name */
u32 net_dev_index(struct net *net, const char *name);
/* Table of kinds with their syntax, for help texts: NULL past the last. */
const char *net_dev_syntax(u32 idx);

/* Attaches as Linux's IFLA_XDP: flags are XDP_FLAGS_*; prog NULL detaches; with XDP_FLAGS_REPLACE the program
 * must be `old`. -ENODEV, -EBUSY, -EEXIST, -EINVAL. */
int net_xdp_attach(struct net *net, u32 ifindex, struct prog *prog, u32 flags, struct prog *old);
/* Attaches through a link (BPF_LINK_CREATE); the caller publishes it. */
int net_xdp_link(
	struct net *net, u32 ifindex, struct prog *prog, u32 flags, struct link **ret_link);

/* Moves frames that are ready, at most `budget` taken in, waiting up to timeout_ms (-1: for ever) for the
 * first. Returns how many were taken in, 0 when none came, or the errno of a device that broke, with its
 * sentence in err (the device has ended then; going on is fine). */
int net_step(struct net *net, int timeout_ms, u32 budget, struct buf *err);
/* True when no device will ever bring a frame again: every capture was read and nothing is queued. */
bool net_is_done(struct net *net);
/* Readable when net_step has something to do without waiting, for a caller with an event loop; captures
 * and queues make it readable too. */
int net_fd(const struct net *net);
/* Ends a net_step that waits; may be called from a signal handler or another thread. */
void net_wake(struct net *net);
/* Writes out what devices have buffered. 0 or the first errno, with the sentence in err. */
int net_flush(struct net *net, struct buf *err);

#endif
