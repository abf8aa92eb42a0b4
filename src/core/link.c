/*
 * What is the same for every link: one detach, then the end.
 */
#include "core/link.h"

#include "core/prog.h"

static void free_link(struct obj *obj)
{
	struct link *link = container_of(obj, struct link, obj);
	struct prog *prog = link->prog;

	link_detach(link);
	link->ops->free(link);
	obj_put(&prog->obj);
}

static const struct obj_ops link_obj_ops = {
	.free = free_link,
};

void link_init(struct link *link, struct skep *inst, u32 type, u32 attach_type, struct prog *prog,
	const struct link_ops *ops)
{
	obj_init(&link->obj, inst, OBJ_LINK, &link_obj_ops);
	obj_get(&prog->obj);
	link->type = type;
	link->attach_type = attach_type;
	link->prog = prog;
	link->ops = ops;
	link->is_detached = false;
}

void link_detach(struct link *link)
{
	if (__atomic_exchange_n(&link->is_detached, true, __ATOMIC_ACQ_REL))
		return;
	link->ops->detach(link);
}
