/*
 * What surrounds bpf(2) where programs send records to user space: the engine's perf events, who mapped what,
 * and what to wait on. In Linux these are perf_event_open(2), ioctl(2), mmap(2) and poll(2).
 *
 * The structures go over the control socket as they are.
 */
#ifndef SYS_EVENTS_H
#define SYS_EVENTS_H

#include "core/inst.h"

struct sys_user;

/* A perf event of type PERF_COUNT_SW_BPF_OUTPUT. */
struct sys_event {
	u64 sample_type;
	u32 cpu;
	u32 wakeup; /* records, or bytes if is_watermark */
	u32 is_watermark;
	u32 is_disabled;
};

/* A mapping that a user has made of a descriptor. */
struct sys_mapping {
	u64 addr, len, off;
	u32 is_writable;
	u32 unused;
};

/* The event's descriptor; -EINVAL, -ENODEV (no such CPU), -ENOMEM, -EMFILE. */
int sys_event_open(struct skep *inst, struct sys_user *user, const struct sys_event *event);
/* -EBADF, -EINVAL: no event. */
int sys_event_enable(struct skep *inst, struct sys_user *user, int fd, bool on);
/* Told after the mapping was made; 0, also for what is no business of ours. -EPERM, -EINVAL, -EBUSY: it must
 * be undone. */
int sys_mapped(struct skep *inst, struct sys_user *user, int fd, const struct sys_mapping *mapping);
/* An eventfd of ours that is written to when Linux would wake who polls fd; it lives as long as fd's
 * object. *ret_is_writer: Linux would say POLLOUT. -EPERM: nothing that can be polled. */
int sys_wake_fd(struct skep *inst, struct sys_user *user, int fd, int *ret_fd, bool *ret_is_writer);

#endif
