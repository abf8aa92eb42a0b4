/*
 * Pins: names that keep objects alive, as bpffs does. The tree is the instance's own: any absolute path
 * is a name in it, whatever the host's file system has there.
 *
 * An instance with a directory (one that runs behind a socket) keeps an empty marker file for each pin
 * under DIR/pins, so that a pin is listed with ls and removed with rm; an instance inside a process has
 * names only. Invariant: one pin holds one counted reference.
 */
#ifndef SYS_PIN_H
#define SYS_PIN_H

#include "base/types.h"

struct skep;
struct obj;
struct sys_pin;

enum { SYS_PIN_PATH_MAX = 4096 };

struct sys_pins {
	struct sys_pin **pins; /* sorted by path */
	u32 cnt, cap;
	int dir_fd; /* markers live below it; -1: no markers */
};

/*
 * The path in its plain form: absolute, single slashes, no "." or "..". -ENOENT: empty, -EINVAL: "/", -EPERM: relative, or a '.' in the last part, which bpffs reserves; -ENAMETOOLONG: a part is
 * over 255 bytes.
 */
int sys_pin_path(const char *path, char ret_path[SYS_PIN_PATH_MAX]);
/* -EEXIST, -ENOMEM, and with markers what the file system says. path is plain. Takes a reference. */
int sys_pin_add(struct skep *inst, const char *path, struct obj *obj);
/* A new reference to what is pinned there. -ENOENT; -EACCES for a directory of pins. */
int sys_pin_get(struct skep *inst, const char *path, struct obj **ret_obj);
/* Is the object pinned anywhere? */
bool sys_pin_has(const struct obj *obj);
/* The first path above `after` ("": the first). -ENOENT: none. */
int sys_pin_path_after(struct skep *inst, const char *after, char *ret_path, size_t cap);
/* -ENOENT. */
int sys_pin_del(struct skep *inst, const char *path);
/* From now on pins have markers below dir_fd, which stays the caller's; what an instance that was killed
 * left there is removed first. -errno. */
int sys_pins_use_dir(struct skep *inst, int dir_fd);
/* No markers any more; those that are there stay. */
void sys_pins_no_dir(struct skep *inst);
/* Drops pins whose marker was removed. */
void sys_pins_sweep(struct skep *inst);
/* Drops all pins, and their markers. */
void sys_pins_clear(struct skep *inst);

#endif
