/*
 * net list, attach, detach: programs on devices. On the kernel the list also shows the BPF filters of
 * traffic control and the flow dissector; skep's own devices have XDP only.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net_tc.h"
#include "out.h"
#include "ref.h"

struct lister {
	struct tool *t;
	u32 only; /* ifindex, 0 = all */
};

static void print_id(struct tool *t, const char *mode, u32 id, bool object)
{
	if (!id)
		return;
	if (!t->json) {
		printf(" %s id %u", mode, id);
		return;
	}
	if (object)
		json_start_object(&t->w);
	json_string_field(&t->w, "mode", mode);
	json_uint_field(&t->w, "id", id);
	if (object)
		json_end_object(&t->w);
}

static void print_modes(struct tool *t, const struct port_xdp *x)
{
	static const char *const modes[] = {[XDP_ATTACHED_DRV] = "driver",
		[XDP_ATTACHED_SKB] = "generic",
		[XDP_ATTACHED_HW] = "offload"};

	if (x->mode != XDP_ATTACHED_MULTI) {
		if (x->mode < ARRAY_SIZE(modes) && modes[x->mode])
			print_id(t, modes[x->mode], x->prog_id, false);
		return;
	}
	if (t->json) {
		json_name(&t->w, "multi_attachments");
		json_start_array(&t->w);
	}
	print_id(t, "generic", x->skb_prog_id, true);
	print_id(t, "driver", x->drv_prog_id, true);
	print_id(t, "offload", x->hw_prog_id, true);
	if (t->json)
		json_end_array(&t->w);
}

static int list_xdp(void *arg, const struct port_dev *dev)
{
	struct lister *l = arg;
	struct tool *t = l->t;
	struct port_xdp x = {0};

	if (l->only && l->only != dev->ifindex)
		return 0;
	/* A device that is gone by now has nothing attached. */
	if (t->port->ops->xdp_query(t->port, dev->ifindex, &x) || x.mode == XDP_ATTACHED_NONE)
		return 0;
	if (t->json) {
		json_start_object(&t->w);
		json_string_field(&t->w, "devname", dev->name);
		json_uint_field(&t->w, "ifindex", dev->ifindex);
	} else {
		printf("%s(%u)", dev->name, dev->ifindex);
	}
	print_modes(t, &x);
	if (t->json)
		json_end_object(&t->w);
	else
		printf("\n");
	return 0;
}

static void start_section(struct tool *t, const char *name)
{
	if (t->json) {
		json_name(&t->w, name);
		json_start_array(&t->w);
	} else {
		printf("%s:\n", name);
	}
}

static void end_section(struct tool *t)
{
	if (t->json)
		json_end_array(&t->w);
	else
		printf("\n");
}

/* A name and number without an object around them is what bpftool writes here. */
static void list_flow_dissector(struct tool *t)
{
	u32 flags, id = 0, cnt = 1;
	int fd;

	if (!t->port->ops->is_kernel)
		return;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!bpf_prog_query(fd, BPF_FLOW_DISSECTOR, 0, &flags, &id, &cnt) && cnt) {
		if (t->json)
			json_uint_field(&t->w, "id", id);
		else
			printf("id %u", id);
	}
	close(fd);
}

static int find_dev(struct tool *t, struct args *a, u32 *ret)
{
	const char *name = args_next(a);
	int ifindex;

	if (!name)
		return fail_missing(t, "the name of a device", "dev");
	ifindex = t->port->ops->if_index(t->port, name);
	if (ifindex <= 0)
		return fail_errno(t, -EINVAL, "there is no device named %s: %s", name,
			t->port->ops->is_kernel ? "`ip link` lists them"
						: "`skep net dev list` lists them");
	*ret = (u32)ifindex;
	return 0;
}

int verb_net_list(struct tool *t, struct args *a)
{
	struct lister l = {.t = t};
	int err = tool_engine_running(t);

	if (!err && args_take(a, "dev"))
		err = find_dev(t, a, &l.only);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (err)
		return err;
	if (t->json) {
		json_start_array(&t->w);
		json_start_object(&t->w);
	}
	start_section(t, "xdp");
	err = t->port->ops->dev_each(t->port, list_xdp, &l);
	end_section(t);
	start_section(t, "tc");
	if (!err && t->port->ops->is_kernel)
		err = net_tc_list(t, l.only);
	end_section(t);
	start_section(t, "flow_dissector");
	list_flow_dissector(t);
	end_section(t);
	if (t->json) {
		json_end_object(&t->w);
		json_end_array(&t->w);
	}
	if (err < 0 && !t->failed)
		return fail_errno(t, err, "cannot list the devices: %s", errno_text(err));
	return err;
}

static int parse_attach_type(struct tool *t, struct args *a, u32 *ret_flags, const char **ret_word)
{
	static const struct {
		const char *word;
		u32 flags;
	} types[] = {{"xdp", 0}, {"xdpgeneric", XDP_FLAGS_SKB_MODE}, {"xdpdrv", XDP_FLAGS_DRV_MODE},
		{"xdpoffload", XDP_FLAGS_HW_MODE}};
	const char *word = args_next(a);

	for (size_t i = 0; i < ARRAY_SIZE(types) && word; i++) {
		if (!args_is_prefix(word, types[i].word))
			continue;
		*ret_flags = types[i].flags;
		*ret_word = types[i].word;
		return 0;
	}
	return fail_errno(t, -EINVAL,
		"invalid net attach/detach type: %s (xdp, xdpgeneric, xdpdrv or xdpoffload)",
		word ? word : "nothing given");
}

static int parse_dev(struct tool *t, struct args *a, u32 *ret)
{
	if (!args_take(a, "dev"))
		return fail(t, "expected 'dev', got: '%s'", a->cnt ? args_peek(a) : "nothing");
	return find_dev(t, a, ret);
}

static int attach_failed(
	struct tool *t, int err, const char *word, const char *what, const struct port_text *text)
{
	char reason[PORT_TEXT_MAX + 8] = "";

	if (text->text[0])
		snprintf(reason, sizeof(reason), " (%s)", text->text);
	else if (err == -EBUSY)
		snprintf(reason, sizeof(reason),
			" (a program is attached already: detach it, or "
			"add 'overwrite')");
	else if (err == -EPERM && t->port->ops->is_kernel)
		snprintf(reason, sizeof(reason), " (-K needs root, or CAP_NET_ADMIN)");
	else if (err == -EOPNOTSUPP)
		snprintf(
			reason, sizeof(reason), " (this device has no such place: try xdpgeneric)");
	return fail_errno(
		t, err, "interface %s %s failed: %s%s", word, what, errno_text(err), reason);
}

int verb_net_attach(struct tool *t, struct args *a)
{
	struct port_text text = {0};
	u32 flags = 0, ifindex = 0;
	const char *word = NULL;
	struct ref ref;
	int err = tool_engine_running(t);

	if (!err)
		err = parse_attach_type(t, a, &flags, &word);
	if (!err)
		err = ref_prog(t, a, &ref);
	if (err)
		return err;
	err = parse_dev(t, a, &ifindex);
	if (!err && !args_take(a, "overwrite"))
		flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (!err) {
		err = t->port->ops->xdp_attach(t->port, ifindex, ref.fds[0], flags, &text);
		if (err)
			err = attach_failed(t, err, word, "attach", &text);
	}
	ref_done(&ref);
	if (!err)
		done_silently(t);
	return err;
}

int verb_net_detach(struct tool *t, struct args *a)
{
	struct port_text text = {0};
	u32 flags = 0, ifindex = 0;
	const char *word = NULL;
	int err = tool_engine_running(t);

	if (!err)
		err = parse_attach_type(t, a, &flags, &word);
	if (!err)
		err = parse_dev(t, a, &ifindex);
	if (!err && a->cnt)
		err = fail_extra(t, a);
	if (err)
		return err;
	err = t->port->ops->xdp_attach(t->port, ifindex, -1, flags, &text);
	if (err)
		return attach_failed(t, err, word, "detach", &text);
	done_silently(t);
	return 0;
}
