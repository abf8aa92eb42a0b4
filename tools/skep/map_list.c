/*
 * map show, map list: what maps there are.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "info.h"
#include "map_list.h"
#include "out.h"
#include "pins.h"

/* What the descriptor itself tells, beyond GET_INFO. */
struct extras {
	u64 memlock, frozen, owner_type, owner_jited;
	bool has_memlock, has_owner_type, has_owner_jited;
};

void map_json_head(struct json *w, const struct bpf_map_info *info)
{
	const char *type = libbpf_bpf_map_type_str(info->type);

	json_uint_field(w, "id", info->id);
	if (type)
		json_string_field(w, "type", type);
	else
		json_uint_field(w, "type", info->type);
	if (*info->name)
		json_string_field(w, "name", info->name);
	json_uint_field(w, "flags", info->map_flags);
}

void map_print_head(const struct bpf_map_info *info)
{
	const char *type = libbpf_bpf_map_type_str(info->type);

	printf("%u: ", info->id);
	if (type)
		printf("%s  ", type);
	else
		printf("type %u  ", info->type);
	if (*info->name)
		printf("name %s  ", info->name);
	printf("flags 0x%x", info->map_flags);
}

static bool ask(struct tool *t, int fd, const char *key, u64 *ret)
{
	return t->port->ops->fdinfo && !t->port->ops->fdinfo(t->port, fd, key, ret);
}

static struct extras get_extras(struct tool *t, int fd, const struct bpf_map_info *info)
{
	struct extras x = {0};

	x.has_memlock = ask(t, fd, "memlock", &x.memlock);
	ask(t, fd, "frozen", &x.frozen);
	if (info->type == BPF_MAP_TYPE_PROG_ARRAY) {
		x.has_owner_type = ask(t, fd, "owner_prog_type", &x.owner_type);
		x.has_owner_jited = ask(t, fd, "owner_jited", &x.owner_jited);
	}
	return x;
}

static void print_json(struct tool *t, int fd, const struct bpf_map_info *info,
	const struct extras *x, const struct pins *pins)
{
	struct json *w = &t->w;
	const char *owner;

	json_start_object(w);
	map_json_head(w, info);
	json_uint_field(w, "bytes_key", info->key_size);
	json_uint_field(w, "bytes_value", info->value_size);
	json_uint_field(w, "max_entries", info->max_entries);
	if (x->has_memlock)
		json_uint_field(w, "bytes_memlock", x->memlock);
	if (x->has_owner_type) {
		owner = libbpf_bpf_prog_type_str((enum bpf_prog_type)x->owner_type);
		if (owner)
			json_string_field(w, "owner_prog_type", owner);
		else
			json_uint_field(w, "owner_prog_type", x->owner_type);
	}
	if (x->has_owner_jited)
		json_bool_field(w, "owner_jited", x->owner_jited);
	json_uint_field(w, "frozen", x->frozen);
	if (info->btf_id)
		json_uint_field(w, "btf_id", info->btf_id);
	pins_print(t, pins, &ref_kind_map, info->id, "", "");
	json_end_object(w);
}

static void print_text(struct tool *t, int fd, const struct bpf_map_info *info,
	const struct extras *x, const struct pins *pins)
{
	const char *owner;

	map_print_head(info);
	printf("\n\tkey %uB  value %uB  max_entries %u", info->key_size, info->value_size,
		info->max_entries);
	if (x->has_memlock)
		printf("  memlock %lluB", (unsigned long long)x->memlock);
	if (x->has_owner_type || x->has_owner_jited)
		printf("\n\t");
	if (x->has_owner_type) {
		owner = libbpf_bpf_prog_type_str((enum bpf_prog_type)x->owner_type);
		if (owner)
			printf("owner_prog_type %s  ", owner);
		else
			printf("owner_prog_type %llu  ", (unsigned long long)x->owner_type);
	}
	if (x->has_owner_jited)
		printf("owner%s jited", x->owner_jited ? "" : " not");
	pins_print(t, pins, &ref_kind_map, info->id, "\n\t", "");
	if (info->btf_id || x->frozen)
		printf("\n\t");
	if (info->btf_id)
		printf("btf_id %u", info->btf_id);
	if (x->frozen)
		printf("%sfrozen", info->btf_id ? "  " : "");
	printf("\n");
}

static int show_one(struct tool *t, int fd, void *arg)
{
	const struct pins *pins = arg;
	struct bpf_map_info info;
	struct extras x;
	int err = info_map_get(fd, &info);

	if (err)
		return fail(t, "can't get map info: %s", errno_text(err));
	x = get_extras(t, fd, &info);
	if (t->json)
		print_json(t, fd, &info, &x, pins);
	else
		print_text(t, fd, &info, &x, pins);
	return 0;
}

static int show_some(struct tool *t, struct args *a, struct pins *pins)
{
	struct ref ref;
	int err = ref_maps(t, a, &ref);

	if (err)
		return err;
	if (a->cnt)
		err = fail_extra(t, a);
	if (t->json && ref.cnt > 1)
		json_start_array(&t->w);
	for (size_t i = 0; i < ref.cnt && !err; i++)
		err = show_one(t, ref.fds[i], pins);
	if (t->json && ref.cnt > 1)
		json_end_array(&t->w);
	ref_done(&ref);
	return err;
}

int verb_map_list(struct tool *t, struct args *a)
{
	struct pins pins;
	int err = tool_engine_running(t);

	if (!err)
		err = pins_find(t, &pins);
	if (err)
		return err;
	if (a->cnt) {
		err = show_some(t, a, &pins);
	} else {
		if (t->json)
			json_start_array(&t->w);
		err = ref_each(t, &ref_kind_map, show_one, &pins);
		if (t->json)
			json_end_array(&t->w);
	}
	pins_done(&pins);
	return err;
}
