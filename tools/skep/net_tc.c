/*
 * Asking rtnetlink: each class or qdisc that can hold filters is a parent, and the BPF filters are
 * those of a parent. A reply is a run of messages until NLMSG_DONE; attributes are length, type,
 * bytes, padded to 4 (RFC 3549).
 */
#include "net_tc.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { REPLY_MAX = 256 * 1024, PARENTS_MAX = 256 };

struct parent {
	u32 handle;
	char kind[32]; /* "clsact/ingress", "htb", ... */
};

struct query {
	struct tool *t;
	const char *devname;
	u32 ifindex;
	struct parent parents[PARENTS_MAX];
	size_t cnt;
	const char *kind; /* of the parent whose filters are listed */
};

typedef void (*reply_fn)(struct query *q, const struct tcmsg *msg, struct rtattr *attrs, int len);

static const struct rtattr *find_attr(struct rtattr *attr, int len, u16 type)
{
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if ((attr->rta_type & NLA_TYPE_MASK) == type)
			return attr;
	return NULL;
}

static const char *attr_text(const struct rtattr *attr)
{
	return attr && RTA_PAYLOAD(attr) > 0 &&
			       ((const char *)RTA_DATA(attr))[RTA_PAYLOAD(attr) - 1] == 0
		       ? RTA_DATA(attr)
		       : NULL;
}

static u32 attr_u32(const struct rtattr *attr)
{
	u32 value = 0;

	if (attr && RTA_PAYLOAD(attr) >= sizeof(value))
		memcpy(&value, RTA_DATA(attr), sizeof(value));
	return value;
}

/* True while more messages of the reply are to come. */
static int read_messages(struct query *q, char *buf, int len, reply_fn fn)
{
	struct nlmsghdr *head = (struct nlmsghdr *)buf;

	for (; NLMSG_OK(head, (u32)len); head = NLMSG_NEXT(head, len)) {
		const struct tcmsg *msg = NLMSG_DATA(head);

		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
			return -EPROTO;
		fn(q, msg, (struct rtattr *)((char *)msg + NLMSG_ALIGN(sizeof(*msg))),
			(int)(head->nlmsg_len - NLMSG_LENGTH(NLMSG_ALIGN(sizeof(*msg)))));
	}
	return 1;
}

static int ask(struct query *q, int fd, u16 type, u32 parent, reply_fn fn)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg msg;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.msg = {.tcm_ifindex = (int)q->ifindex, .tcm_parent = parent},
	};
	char *buf;
	int ret = 1;

	if (send(fd, &request, sizeof(request), 0) != sizeof(request))
		return -errno;
	buf = mem_alloc(REPLY_MAX);
	if (!buf)
		return -ENOMEM;
	while (ret > 0) {
		ssize_t len = recv(fd, buf, REPLY_MAX, 0);

		ret = len < 0 ? -errno : read_messages(q, buf, (int)len, fn);
	}
	mem_free(buf);
	return ret;
}

static void add_parent(struct query *q, u32 handle, const char *kind)
{
	struct parent *p = &q->parents[q->cnt];

	if (q->cnt == PARENTS_MAX)
		return;
	p->handle = handle;
	snprintf(p->kind, sizeof(p->kind), "%s", kind);
	q->cnt++;
}

/* clsact is listed as its two sides below; other qdiscs hold filters of their own. */
static void take_parent(struct query *q, const struct tcmsg *msg, struct rtattr *attrs, int len)
{
	const char *kind = attr_text(find_attr(attrs, len, TCA_KIND));

	if (!kind || (u32)msg->tcm_ifindex != q->ifindex || !strcmp(kind, "clsact"))
		return;
	add_parent(q, msg->tcm_handle, kind);
}

static void print_row(struct query *q, const char *name, u32 id)
{
	struct json *w = &q->t->w;

	if (!q->t->json) {
		printf("%s(%u) %s %s id %u\n", q->devname, q->ifindex, q->kind, name, id);
		return;
	}
	json_start_object(w);
	json_string_field(w, "devname", q->devname);
	json_uint_field(w, "ifindex", q->ifindex);
	json_string_field(w, "kind", q->kind);
	json_string_field(w, "name", name);
	json_uint_field(w, "id", id);
	json_end_object(w);
}

/* A filter that has no program yet (the head of its chain) has no id. */
static void take_filter(struct query *q, const struct tcmsg *msg, struct rtattr *attrs, int len)
{
	const char *kind = attr_text(find_attr(attrs, len, TCA_KIND)), *name;
	const struct rtattr *opts = find_attr(attrs, len, TCA_OPTIONS), *id;

	if (!kind || strcmp(kind, "bpf") || !opts || (u32)msg->tcm_ifindex != q->ifindex)
		return;
	id = find_attr(RTA_DATA(opts), (int)RTA_PAYLOAD(opts), TCA_BPF_ID);
	name = attr_text(find_attr(RTA_DATA(opts), (int)RTA_PAYLOAD(opts), TCA_BPF_NAME));
	if (id)
		print_row(q, name ? name : "", attr_u32(id));
}

static int list_dev(struct query *q, int fd)
{
	int err;

	q->cnt = 0;
	err = ask(q, fd, RTM_GETTCLASS, 0, take_parent);
	if (!err)
		err = ask(q, fd, RTM_GETQDISC, 0, take_parent);
	if (err)
		return err;
	add_parent(q, TC_H_ROOT, "root");
	add_parent(q, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "clsact/ingress");
	add_parent(q, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), "clsact/egress");
	for (size_t i = 0; i < q->cnt; i++) {
		q->kind = q->parents[i].kind;
		err = ask(q, fd, RTM_GETTFILTER, q->parents[i].handle, take_filter);
		/* A qdisc without classes has no filters to ask for. */
		if (err && err != -EINVAL && err != -EOPNOTSUPP)
			return err;
	}
	return 0;
}

struct walk {
	struct tool *t;
	struct query *query;
	u32 only;
	int fd;
};

static int walk_dev(void *arg, const struct port_dev *dev)
{
	struct walk *w = arg;

	if (w->only && w->only != dev->ifindex)
		return 0;
	w->query->devname = dev->name;
	w->query->ifindex = dev->ifindex;
	return list_dev(w->query, w->fd);
}

int net_tc_list(struct tool *t, u32 ifindex)
{
	struct query *q = mem_zalloc(sizeof(*q));
	struct walk w = {.t = t, .query = q, .only = ifindex};
	int err;

	if (!q)
		return -ENOMEM;
	q->t = t;
	w.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	err = w.fd < 0 ? -errno : t->port->ops->dev_each(t->port, walk_dev, &w);
	if (w.fd >= 0)
		close(w.fd);
	mem_free(q);
	return err;
}
