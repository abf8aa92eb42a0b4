/*
 * What layer sys keeps for an instance, and the door for callers that have a struct sys_user.
 */
#ifndef SYS_SYS_H
#define SYS_SYS_H

#include "core/inst.h"
#include "sys/fast.h"
#include "sys/pin.h"
#include "sys/state.h"

struct sys_user;

struct sys {
	struct sys_pins pins;	  /* guarded by the instance's lock */
	u64 memfd_dev;		  /* st_dev of every memfd; 0 until the first one */
	u32 wr_lock_next;	  /* the next byte for a write-only descriptor's lock */
	u32 made_cnt;		  /* descriptors made since the last reap */
	u32 live_cnt;		  /* objects with descriptors found by the last reap */
	u64 reap_ns;		  /* when that was */
	int stats_fd;		  /* anchor of BPF_ENABLE_STATS's descriptors; -1: none yet */
	pthread_mutex_t links;	  /* held to change or look at a link's program */
	pthread_rwlock_t writers; /* read: a map is being written from user space */
	struct sys_state state;
	struct sys_fast_fd fast_fds[SYS_FAST_FDS];
};

static inline struct sys *sys_of(const struct skep *inst)
{
	return inst->sys;
}

/* CLOCK_MONOTONIC, whatever clock programs see. */
u64 sys_clock_ns(void);
/* Gives an instance its pins and inst->reap. -ENOMEM. */
int sys_init(struct skep *inst);
/* Drops pins and the references that descriptors hold; afterwards descriptors handed out are dead. */
void sys_done(struct skep *inst);

/* bpf(2) for this caller: a descriptor's number or 0, or -errno. addr is the caller's union bpf_attr. */
long sys_bpf(struct skep *inst, struct sys_user *user, int cmd, u64 addr, u32 size);

#endif
