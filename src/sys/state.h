/*
 * Pinned maps that outlive the instance: a folder with a file a pin.
 *
 *	DIR/lock        held while an instance uses the folder
 *	DIR/%2Fa%2Fb    the map pinned at /a/b (core/store.h); two pins of a map are two links to one file
 *	DIR/.new-7      the memory of a map that is not pinned, or not yet; removed with it
 *
 * Every map whose type can be in a file has its memory there from the start, so that pinning it is one link. What an
 * instance leaves, ended or killed, the next one finds: each file becomes a map again, pinned where it was.
 */
#ifndef SYS_STATE_H
#define SYS_STATE_H

#include "base/buf.h"
#include "core/inst.h"

struct map_attr;
struct map_store;
struct obj;

struct sys_state {
	int dir_fd, lock_fd; /* -1: no folder */
	u32 next_file;
};

/* Uses the folder, which is made if need be, and takes back what is there. -EBUSY: another instance uses it; -EINVAL: a
 * file is no map; -errno. A sentence goes to ret_text. */
int sys_state_open(struct skep *inst, const char *dir, struct buf *ret_text);
void sys_state_close(struct skep *inst);
/* A file for a map in the making; NULL where it has none. -errno. */
int sys_state_store(struct skep *inst, const struct map_attr *attr, struct map_store **ret_store);
/* A pin came or went; one that cannot be kept is only warned about. */
void sys_state_pin(struct skep *inst, const char *path, struct obj *obj);
void sys_state_unpin(struct skep *inst, const char *path);

#endif
