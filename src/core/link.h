/*
 * A link: the attachment of one program to one hook, as an object. What it is attached to belongs to
 * the hook's layer, which fills the ops.
 */
#ifndef CORE_LINK_H
#define CORE_LINK_H

#include "core/obj.h"
#include "isa/uapi.h"

struct prog;
struct link;

struct link_ops {
	/* Ends the attachment; called once, by LINK_DETACH or when the link goes. May be called with
	 * the device already gone. */
	void (*detach)(struct link *link);
	/* Replaces the program; old NULL: whatever it is. -EPERM if old does not match. */
	int (*update)(struct link *link, struct prog *prog, struct prog *old, u32 flags);
	void (*fill_info)(const struct link *link, struct bpf_link_info *ret_info);
	void (*free)(struct link *link);
};

struct link {
	struct obj obj;
	u32 type; /* BPF_LINK_TYPE_* */
	u32 attach_type;
	struct prog *prog; /* counted */
	const struct link_ops *ops;
	bool is_detached;
};

/* Fills a link embedded in the hook's own struct; takes a reference of prog. Unpublished, one reference. */
void link_init(struct link *link, struct skep *inst, u32 type, u32 attach_type, struct prog *prog,
	const struct link_ops *ops);
/* Detaches once; later calls do nothing. */
void link_detach(struct link *link);

#endif
