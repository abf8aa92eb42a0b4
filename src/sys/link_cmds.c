/*
 * Links: making, changing and ending attachments. The hook behind a link is layer net's; XDP is the one
 * there is.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/link.h"
#include "core/prog.h"
#include "net/net.h"
#include "sys/call.h"

/* The attach types a program type may be linked with: Linux's bpf_prog_attach_check_attach_type. */
static bool fits(const struct prog *prog, u32 attach_type)
{
	return prog->type->type == BPF_PROG_TYPE_XDP && attach_type == BPF_XDP;
}

static int make_xdp_link(struct sys_call *call, struct prog *prog, struct link **ret_link)
{
	const struct sys_attr_link_create *attr = &call->attr.link_create;
	struct net *net;
	int err = net_of(call->inst, &net);

	if (err)
		return err;
	err = net_xdp_link(net, attr->target, prog, attr->flags, ret_link);
	return err == -ENODEV ? -EINVAL : err;
}

long sys_link_create(struct sys_call *call)
{
	const struct sys_attr_link_create *attr = &call->attr.link_create;
	struct link *link;
	struct obj *prog;
	long err = sys_call_obj(call, attr->prog_fd, OBJ_PROG, &prog);

	if (err)
		return err;
	/* A link whose descriptor was closed may still stand where the new one wants to. */
	sys_fd_reap(call->inst);
	if (fits(container_of(prog, struct prog, obj), attr->attach_type))
		err = make_xdp_link(call, container_of(prog, struct prog, obj), &link);
	else
		err = -EINVAL;
	obj_put(prog);
	if (err)
		return err;
	err = obj_publish(&link->obj);
	if (!err)
		err = sys_fd_new(call->inst, call->user, &link->obj, O_RDWR);
	obj_put(&link->obj);
	return err;
}

static int update(struct sys_call *call, struct link *link, struct prog *prog, struct prog *old)
{
	struct sys *sys = sys_of(call->inst);
	int err;

	if (!link->ops->update)
		return -EINVAL;
	pthread_mutex_lock(&sys->links);
	err = link->ops->update(link, prog, old, call->attr.uapi.link_update.flags);
	pthread_mutex_unlock(&sys->links);
	return err;
}

static int update_progs(struct sys_call *call, struct link *link)
{
	u32 flags = call->attr.uapi.link_update.flags;
	u32 old_fd = call->attr.uapi.link_update.old_prog_fd;
	struct obj *prog, *old = NULL;
	int err;

	err = sys_call_obj(call, call->attr.uapi.link_update.new_prog_fd, OBJ_PROG, &prog);
	if (err)
		return err;
	if (flags & BPF_F_REPLACE)
		err = sys_call_obj(call, old_fd, OBJ_PROG, &old);
	else if (old_fd)
		err = -EINVAL;
	if (!err)
		err = update(call, link, container_of(prog, struct prog, obj),
			old ? container_of(old, struct prog, obj) : NULL);
	obj_put(old);
	obj_put(prog);
	return err;
}

long sys_link_update(struct sys_call *call)
{
	struct obj *link;
	int err;

	if (call->attr.uapi.link_update.flags & ~BPF_F_REPLACE)
		return -EINVAL;
	err = sys_call_obj(call, call->attr.uapi.link_update.link_fd, OBJ_LINK, &link);
	if (err)
		return err;
	err = update_progs(call, container_of(link, struct link, obj));
	obj_put(link);
	return err;
}

long sys_link_detach(struct sys_call *call)
{
	struct obj *link;
	int err = sys_call_obj(call, call->attr.uapi.link_detach.link_fd, OBJ_LINK, &link);

	if (err)
		return err;
	link_detach(container_of(link, struct link, obj));
	obj_put(link);
	return 0;
}
