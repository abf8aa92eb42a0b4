/*
 * What one may ask an instance beside bpf(2): devices and what runs on them (rtnetlink, in Linux), the
 * words of /proc/PID/fdinfo, pins, trace lines. Used by the instance in this process and, through
 * messages of the same contents, by the control socket.
 *
 * The structures go over the socket as they are: fixed sizes, no pointers, zeroed padding.
 */
#ifndef SYS_VERBS_H
#define SYS_VERBS_H

#include "base/buf.h"
#include "base/types.h"
#include "core/inst.h"

struct sys_user;

enum {
	SYS_DEV_NAME_LEN = 16,
	SYS_DEV_ACTIONS = 5,
	SYS_SPEC_MAX = 8192, /* bytes of a device's description */
};

struct sys_dev {
	char name[SYS_DEV_NAME_LEN], kind[SYS_DEV_NAME_LEN];
	u32 ifindex, peer_ifindex, prog_id, link_id;
	u32 xdp_flags; /* XDP_FLAGS_* mode bit; 0: nothing attached */
	u32 is_ended;  /* brings no more frames */
	u64 rx_cnt, rx_len, tx_cnt, tx_len, tx_failed;
	u64 redirect_failed, passed_cnt;
	u64 action[SYS_DEV_ACTIONS];
};

struct sys_status {
	u32 pid;
	u32 cpu_cnt;
	u32 obj_cnt[OBJ_KIND_CNT];
	u32 dev_cnt;
	u32 is_idle; /* no device will bring another frame */
	u64 uptime_ns;
	u64 rx_cnt; /* frames taken in by all devices that are there */
};

/* Errors and texts as net_dev_add and its like; err gets the sentence for the user. */
int sys_dev_add(struct skep *inst, const char *spec, struct buf *err, u32 *ret_ifindex);
int sys_dev_del(struct skep *inst, u32 ifindex);
int sys_dev_join(struct skep *inst, u32 ifindex_a, u32 ifindex_b);
/* The device with the smallest ifindex above the given one. -ENODEV: none. */
int sys_dev_next(struct skep *inst, u32 ifindex, struct sys_dev *ret_dev);
int sys_dev_get(struct skep *inst, u32 ifindex, struct sys_dev *ret_dev);
/* > 0, or -ENODEV. */
int sys_dev_index(struct skep *inst, const char *name);
/* The user's prog_fd, -1 to detach; flags are XDP_FLAGS_*. -ENODEV, -EBUSY, -EEXIST, -EINVAL, -EBADF. */
int sys_xdp_attach(struct skep *inst, struct sys_user *user, u32 ifindex, int prog_fd, u32 flags);

/* "memlock", "frozen": what Linux shows in fdinfo. -ENOENT: nothing under that key. */
int sys_fdinfo(struct skep *inst, struct sys_user *user, int fd, const char *key, u64 *ret_value);
/* The first path above `after` ("" for the first of all) as text. -ENOENT: none. */
int sys_pin_next(struct skep *inst, const char *after, char *ret_path, size_t cap);
void sys_status_get(struct skep *inst, u64 start_ns, struct sys_status *ret_status);

/* A reader of trace lines: what was taken from the ring and did not fit yet. */
struct sys_tail {
	struct buf text;
	size_t off;
};
/* Bytes read, at most len; 0: nothing is there now. -ENOMEM. Does not wait. */
long sys_trace_read(struct skep *inst, struct sys_tail *tail, char *ret, size_t len);
void sys_tail_done(struct sys_tail *tail);

/*
 * Moves frames for a while: at most `budget`, waiting up to timeout_ms for the first. Frames taken in, or
 * the errno of a device that broke, with its sentence in err. One thread at a time.
 */
int sys_step(struct skep *inst, int timeout_ms, u32 budget, struct buf *err);
bool sys_is_idle(struct skep *inst);
/* Ends a sys_step that waits; fine from a signal handler and from other threads. */
void sys_wake(struct skep *inst);
int sys_flush(struct skep *inst, struct buf *err);

#endif
