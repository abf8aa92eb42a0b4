/*
 * bpf(2) without system calls, for callers in this process who promise good addresses and to close descriptors with
 * sys_fast_forget (fast.c).
 */
#ifndef SYS_FAST_H
#define SYS_FAST_H

#include "isa/uapi.h"

#include "core/inst.h"

enum { SYS_FAST_FDS = 1024 /* descriptors above are not remembered */ };

/* What a descriptor of this process stands for; obj NULL: not known. */
struct sys_fast_fd {
	u32 lock;
	int mode;
	struct obj *obj;
};

/* As sys_bpf for this process, which it falls back to. */
long sys_bpf_trusted(struct skep *inst, int cmd, const union bpf_attr *attr, u32 size);
/* The descriptor is about to be closed, or its number was given to another object. */
void sys_fast_forget(struct skep *inst, int fd);
void sys_fast_done(struct skep *inst);

#endif
