/*
 * Descriptors of objects. Each one is a real descriptor of the caller on the object's memfd, so dup,
 * fork, SCM_RIGHTS and mmap work without us.
 *
 *   anchor (ours, no lock) ---+
 *   handed out, read lock  ---+--- one memfd inode = one object
 *   handed out, read lock  ---+
 *
 * Invariants: each descriptor handed out is an open file description of its own and holds a lock (OFD)
 * on it; the anchor holds none. So the anchor sees a conflicting lock exactly while a descriptor, a
 * duplicate of one, or a mapping made from one exists anywhere. `has_fds` is set after the lock was
 * taken and cleared, under the instance's lock, after none was seen: a descriptor in the making is never
 * missed. Access mode is the open mode of the descriptor, as for Linux's maps.
 */
#ifndef SYS_FD_H
#define SYS_FD_H

#include "core/inst.h"

struct sys_user;

/* A new descriptor of obj for the user; mode is O_RDONLY, O_WRONLY or O_RDWR. Its number there, -EMFILE,
 * -ENFILE, -ENOMEM. The caller keeps its own reference. */
int sys_fd_new(struct skep *inst, struct sys_user *user, struct obj *obj, int mode);
/* A new reference to the object behind the user's fd, and its mode (ret_mode may be NULL). -EBADF: not
 * open; -EINVAL: no object of that kind (OBJ_KIND_CNT: any). */
int sys_fd_obj(struct skep *inst, struct sys_user *user, int fd, enum obj_kind kind,
	struct obj **ret_obj, int *ret_mode);
/* Drops the references of objects without descriptors, and removes pins whose marker is gone. */
void sys_fd_reap(struct skep *inst);
/* For a loop that runs often: links whose descriptors are gone end now, everything else soon. */
void sys_fd_reap_tick(struct skep *inst);
/* A reap now and then, in step with the descriptors made. */
void sys_fd_reap_sometimes(struct skep *inst);
/* A descriptor or a pin of obj, which the caller holds, went: if it was the last, the object is told. */
void sys_obj_unnamed(struct obj *obj);
/* True if a descriptor of obj exists now. */
bool sys_fd_is_held(struct obj *obj);

/* A descriptor that switches the counting of runs on for as long as it exists. Its number there. */
int sys_fd_new_stats(struct skep *inst, struct sys_user *user);
/* Switches it off if none is left. */
void sys_fd_check_stats(struct skep *inst);

/* O_RDONLY, O_WRONLY, O_RDWR from BPF_F_RDONLY/WRONLY; -EINVAL for both. */
int sys_fd_mode(u32 flags);

#endif
