/*
 * The contract of a device kind, and a device as the rest of layer net sees it. One file dev_KIND.c a
 * kind ends with its ops.
 */
#ifndef NET_DEV_H
#define NET_DEV_H

#include <pthread.h>

#include "base/list.h"
#include "core/inst.h"
#include "core/xdp.h"
#include "net/net.h"

struct net_dev;

enum {
	NET_FRAME_MAX = 262144, /* bytes; libpcap's largest snapshot */
	NET_FRAME_MIN = 14,	/* an Ethernet header */
	NET_ROOM_LEN = XDP_HEADROOM + NET_FRAME_MAX + XDP_TAILROOM,
};

/* A frame on its way. data points into a buffer with XDP_HEADROOM bytes before it while it is received;
 * senders only read data[0 .. len). */
struct net_frame {
	u8 *data;
	u32 len;      /* bytes at data */
	u32 cut_len;  /* bytes that the capture left out (pcap snapshot length) */
	u64 stamp_ns; /* when it arrived, CLOCK_REALTIME; 0: not known */
};

struct net_dev_ops {
	const char *kind;
	const char *syntax; /* "pcap:IN[,OUT]" */
	/* Opens what args names. May set dev->name when it is empty. err: the sentence for the user. */
	int (*open)(struct net_dev *dev, const char *args, struct buf *err);
	void (*close)(struct net_dev *dev);
	/* The next frame into frame->data (room: NET_FRAME_MAX). 0; -EAGAIN: none now; -ENODATA: never one
	 * again; another errno: the device broke, err says how. */
	int (*recv)(struct net_dev *dev, struct net_frame *frame, struct buf *err);
	/* Sends or queues one frame. -errno: it was not taken. */
	int (*send)(struct net_dev *dev, const struct net_frame *frame);
	/* A frame that passed and has no peer. NULL: it is only counted. */
	int (*record)(struct net_dev *dev, const struct net_frame *frame);
	int (*flush)(struct net_dev *dev);
	/* Frames are there without waiting on dev->fd (captures, queues). NULL: only fd tells. */
	bool (*has_frame)(const struct net_dev *dev);
};

struct net_dev {
	struct list node; /* in net->devs, by rising ifindex */
	struct net *net;
	const struct net_dev_ops *ops;
	void *priv; /* the kind's own */
	char name[NET_NAME_LEN];
	u32 ifindex;
	int fd; /* polled for reading; -1: none */
	bool is_ended;
	struct net_dev *peer; /* joined */
	struct net_dev *twin; /* the other end of a veth pair */
	struct prog *prog;    /* counted; NULL: everything passes */
	struct net_xdp_link *link;
	u32 xdp_flags;
	struct xdp_rxq rxq;
	struct net_stats stats;
};

struct net {
	struct skep *inst;
	pthread_mutex_t lock;
	struct list devs;
	/* Also guards devs, for a reader that holds a CPU already and so must not wait for lock. */
	pthread_mutex_t devs_lock;
	u32 last_ifindex;
	int epoll_fd, wake_fd;
	struct net_dev *next; /* where the next step begins, so that no device starves */
	u8 *room;	      /* NET_ROOM_LEN bytes: the frame being received */
};

extern const struct net_dev_ops net_dev_pcap, net_dev_tap, net_dev_packet, net_dev_veth;

/* NULL when there is none; the caller holds one of the two locks. */
struct net_dev *net_dev_find(struct net *net, u32 ifindex);
/* Makes one more device while another is being opened (veth). */
int net_dev_make(struct net *net, const struct net_dev_ops *ops, struct net_dev **ret_dev);
/* Takes it out of the list again and frees it. */
void net_dev_unmake(struct net_dev *dev);
int net_dev_set_name(struct net_dev *dev, const char *name, struct buf *err);
/* Drops the program without asking the link. Takes the lock's holder. */
void net_xdp_drop(struct net_dev *dev);

/* The hook: runs the device's program over the frame and does what it says. Called with net->lock and
 * the CPU held. */
void net_xdp_run(struct net_dev *dev, struct net_frame *frame, struct run *run);
/* Sends and counts. */
int net_dev_send(struct net_dev *dev, const struct net_frame *frame);

#endif
