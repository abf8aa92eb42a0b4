/*
 * net dev: the devices of an instance and what went through them.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dev_print.h"
#include "out.h"

static int failed(struct tool *t, int err, const char *what, const struct port_text *text)
{
	if (strstr(text->text, what)) /* it names the device itself */
		return fail(t, "%s", text->text);
	return fail(t, "%s: %s", what, text->text[0] ? text->text : errno_text(err));
}

static int need_dev(struct tool *t, const char *name, u32 *ret)
{
	int ifindex;

	if (!name)
		return fail(t, "the name of a device is missing");
	ifindex = t->port->ops->if_index(t->port, name);
	if (ifindex <= 0)
		return fail(t, "there is no device named %s: `skep net dev list` lists them", name);
	*ret = (u32)ifindex;
	return 0;
}

/*
 * The instance opens a capture from its own folder, so paths are made whole: [NAME=]pcap:IN[,OUT] with
 * the folder of this process before what does not begin with a slash. The result is the caller's to
 * free; NULL when there is no memory.
 */
static char *whole_paths(const char *spec)
{
	const char *kind = strstr(spec, "pcap:"), *path;
	struct buf out = BUF_INIT;
	char cwd[PATH_MAX];

	if (!kind || (kind != spec && kind[-1] != '=') || !getcwd(cwd, sizeof(cwd)))
		return mem_dup(spec, strlen(spec) + 1);
	path = kind + strlen("pcap:");
	buf_add(&out, spec, (size_t)(path - spec));
	while (*path) {
		size_t len = strcspn(path, ",");

		if (len && *path != '/')
			buf_printf(&out, "%s/", cwd);
		buf_printf(&out, "%.*s%s", (int)len, path, path[len] ? "," : "");
		path += len + (path[len] == ',');
	}
	if (!out.err)
		return out.data;
	buf_done(&out);
	return NULL;
}

static int dev_add(struct tool *t, struct args *a)
{
	const char *spec = args_next(a);
	struct port_text text = {0};
	char *whole;
	u32 ifindex = 0;
	int err;

	if (!spec)
		return fail(t, "what to add is missing: pcap:IN[,OUT], tap:NAME, packet:IFACE or "
			       "veth:A,B");
	if (a->cnt)
		return fail_extra(t, a);
	whole = whole_paths(spec);
	if (!whole)
		return fail(t, "out of memory");
	err = t->port->ops->dev_add(t->port, whole, &ifindex, &text);
	mem_free(whole);
	if (err)
		return failed(t, err, spec, &text);
	done_silently(t);
	return 0;
}

static int dev_del(struct tool *t, struct args *a)
{
	const char *name = args_next(a);
	struct port_text text = {0};
	u32 ifindex = 0;
	int err = need_dev(t, name, &ifindex);

	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (err)
		return err;
	err = t->port->ops->dev_del(t->port, ifindex, &text);
	if (err)
		return failed(t, err, name, &text);
	done_silently(t);
	return 0;
}

static int dev_join(struct tool *t, struct args *a)
{
	const char *name = args_next(a);
	struct port_text text = {0};
	u32 one = 0, other = 0;
	int err = need_dev(t, name, &one);

	if (!err)
		err = need_dev(t, args_next(a), &other);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (err)
		return err;
	err = t->port->ops->dev_join(t->port, one, other, &text);
	if (err)
		return failed(t, err, name, &text);
	done_silently(t);
	return 0;
}

struct lister {
	struct tool *t;
	u32 only;
};

static int list_one(void *arg, const struct port_dev *dev)
{
	struct lister *l = arg;

	if (!l->only || l->only == dev->ifindex)
		dev_print(l->t, dev);
	return 0;
}

static int dev_list(struct tool *t, struct args *a)
{
	struct lister l = {.t = t};
	int err = 0;

	if (a->cnt)
		err = need_dev(t, args_next(a), &l.only);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (err)
		return err;
	if (t->json)
		json_start_array(&t->w);
	err = t->port->ops->dev_each(t->port, list_one, &l);
	if (t->json)
		json_end_array(&t->w);
	return err ? fail(t, "cannot list the devices: %s", errno_text(err)) : 0;
}

int verb_net_dev(struct tool *t, struct args *a)
{
	static const struct {
		const char *word;
		int (*fn)(struct tool *t, struct args *a);
	} commands[] = {{"list", dev_list}, {"show", dev_list}, {"add", dev_add}, {"del", dev_del},
		{"join", dev_join}};
	const char *word = args_next(a);
	int err;

	if (!word)
		word = "list";
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!args_is_prefix(word, commands[i].word))
			continue;
		err = tool_engine_running(t);
		return err ? err : commands[i].fn(t, a);
	}
	return fail(t, "'%s' is no command of net dev: add, del, join or list", word);
}
