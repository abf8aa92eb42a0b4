/*
 * link list, detach: what holds programs in place. Which fields a link type shows is a row of the
 * table below.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "info.h"
#include "out.h"
#include "pins.h"

enum { NAME_LEN = 128 };

static void show_attach_type(struct tool *t, u32 type)
{
	const char *name = libbpf_bpf_attach_type_str(type);

	if (t->json && name)
		json_string_field(&t->w, "attach_type", name);
	else if (t->json)
		json_uint_field(&t->w, "attach_type", type);
	else if (name)
		printf("attach_type %s  ", name);
	else
		printf("attach_type %u  ", type);
}

static void show_raw_tp(struct tool *t, const struct bpf_link_info *info, const char *name)
{
	if (t->json)
		json_string_field(&t->w, "tp_name", name);
	else
		printf("\n\ttp '%s'  ", name);
}

static void show_prog_type(struct tool *t, u32 prog_id)
{
	struct info_prog prog;
	const char *name;
	int fd = bpf_prog_get_fd_by_id(prog_id);

	if (fd < 0)
		return;
	if (!info_prog_get(fd, 0, &prog)) {
		name = libbpf_bpf_prog_type_str(prog.info.type);
		if (t->json && name)
			json_string_field(&t->w, "prog_type", name);
		else if (t->json)
			json_uint_field(&t->w, "prog_type", prog.info.type);
		else if (name)
			printf("\n\tprog_type %s  ", name);
		else
			printf("\n\tprog_type %u  ", prog.info.type);
		info_prog_done(&prog);
	}
	close(fd);
}

static void show_tracing(struct tool *t, const struct bpf_link_info *info, const char *name)
{
	show_prog_type(t, info->prog_id);
	show_attach_type(t, info->tracing.attach_type);
	if (t->json) {
		json_uint_field(&t->w, "target_obj_id", info->tracing.target_obj_id);
		json_uint_field(&t->w, "target_btf_id", info->tracing.target_btf_id);
	} else if (info->tracing.target_obj_id || info->tracing.target_btf_id) {
		printf("\n\ttarget_obj_id %u  target_btf_id %u  ", info->tracing.target_obj_id,
			info->tracing.target_btf_id);
	}
}

static void show_cgroup(struct tool *t, const struct bpf_link_info *info, const char *name)
{
	if (t->json)
		json_uint_field(&t->w, "cgroup_id", info->cgroup.cgroup_id);
	else
		printf("\n\tcgroup_id %llu  ", info->cgroup.cgroup_id);
	show_attach_type(t, info->cgroup.attach_type);
}

static void show_iter(struct tool *t, const struct bpf_link_info *info, const char *name)
{
	bool of_map = !strcmp(name, "bpf_map_elem") || !strcmp(name, "bpf_sk_storage_map");

	if (t->json) {
		json_string_field(&t->w, "target_name", name);
		if (of_map)
			json_uint_field(&t->w, "map_id", info->iter.map.map_id);
		return;
	}
	printf("target_name %s  ", name);
	if (of_map)
		printf("map_id %u  ", info->iter.map.map_id);
}

static void show_netns(struct tool *t, const struct bpf_link_info *info, const char *name)
{
	if (t->json)
		json_uint_field(&t->w, "netns_ino", info->netns.netns_ino);
	else
		printf("\n\tnetns_ino %u  ", info->netns.netns_ino);
	show_attach_type(t, info->netns.attach_type);
}

static void (*const show_type[])(
	struct tool *t, const struct bpf_link_info *info, const char *name) = {
	[BPF_LINK_TYPE_RAW_TRACEPOINT] = show_raw_tp,
	[BPF_LINK_TYPE_TRACING] = show_tracing,
	[BPF_LINK_TYPE_CGROUP] = show_cgroup,
	[BPF_LINK_TYPE_ITER] = show_iter,
	[BPF_LINK_TYPE_NETNS] = show_netns,
};

/* The two types with a name get a buffer for it and are asked again. */
static int get_info(int fd, struct bpf_link_info *info, char *name)
{
	u32 len = sizeof(*info);
	int err = info_link_get(fd, info);

	if (err)
		return err;
	if (info->type == BPF_LINK_TYPE_RAW_TRACEPOINT && !info->raw_tracepoint.tp_name) {
		info->raw_tracepoint.tp_name = (u64)(uintptr_t)name;
		info->raw_tracepoint.tp_name_len = NAME_LEN;
	} else if (info->type == BPF_LINK_TYPE_ITER && !info->iter.target_name) {
		info->iter.target_name = (u64)(uintptr_t)name;
		info->iter.target_name_len = NAME_LEN;
	} else {
		return 0;
	}
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

static int show_one(struct tool *t, int fd, void *arg)
{
	struct bpf_link_info info;
	char name[NAME_LEN] = "";
	const char *type;
	int err = get_info(fd, &info, name);

	if (err)
		return fail(t, "can't get link info: %s", errno_text(err));
	type = libbpf_bpf_link_type_str((enum bpf_link_type)info.type);
	if (t->json) {
		json_start_object(&t->w);
		json_uint_field(&t->w, "id", info.id);
		if (type)
			json_string_field(&t->w, "type", type);
		else
			json_uint_field(&t->w, "type", info.type);
		json_uint_field(&t->w, "prog_id", info.prog_id);
	} else if (type) {
		printf("%u: %s  prog %u  ", info.id, type, info.prog_id);
	} else {
		printf("%u: type %u  prog %u  ", info.id, info.type, info.prog_id);
	}
	if (info.type < ARRAY_SIZE(show_type) && show_type[info.type])
		show_type[info.type](t, &info, name);
	pins_print(t, arg, &ref_kind_link, info.id, "\n\t", "");
	if (t->json)
		json_end_object(&t->w);
	else
		printf("\n");
	return 0;
}

int verb_link_list(struct tool *t, struct args *a)
{
	struct pins pins;
	int err = tool_engine_running(t), fd;

	if (!err)
		err = pins_find(t, &pins);
	if (err)
		return err;
	if (a->cnt) {
		fd = ref_link_fd(t, a);
		err = fd < 0 ? fd : a->cnt ? fail_extra(t, a) : show_one(t, fd, &pins);
		if (fd >= 0)
			close(fd);
	} else {
		if (t->json)
			json_start_array(&t->w);
		err = ref_each(t, &ref_kind_link, show_one, &pins);
		if (t->json)
			json_end_array(&t->w);
	}
	pins_done(&pins);
	return err;
}

int verb_link_detach(struct tool *t, struct args *a)
{
	int err = tool_engine_running(t), fd;

	if (err)
		return err;
	fd = ref_link_fd(t, a);
	if (fd < 0)
		return fd;
	err = a->cnt ? fail_extra(t, a) : bpf_link_detach(fd);
	if (err && !t->failed)
		fail(t, "failed link detach: %s", errno_text(err));
	close(fd);
	if (!err)
		done_silently(t);
	return err;
}
