/*
 * prog show, prog list: what programs are loaded.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "info.h"
#include "out.h"
#include "pins.h"

struct lister {
	struct pins pins;
};

/* load_time counts from boot; the wall clock at boot is what both clocks say now. */
static time_t loaded_at(u64 load_time_ns)
{
	struct timespec wall, boot;
	s64 ns;

	if (clock_gettime(CLOCK_REALTIME, &wall) || clock_gettime(CLOCK_BOOTTIME, &boot))
		return 0;
	ns = wall.tv_nsec - boot.tv_nsec + (s64)load_time_ns;
	return wall.tv_sec - boot.tv_sec + ns / 1000000000;
}

static void print_json(struct tool *t, const struct bpf_prog_info *info, const char *name, int fd,
	const struct pins *pins)
{
	const char *type = libbpf_bpf_prog_type_str(info->type);
	struct json *w = &t->w;
	u64 memlock;

	json_start_object(w);
	json_uint_field(w, "id", info->id);
	if (type)
		json_string_field(w, "type", type);
	else
		json_uint_field(w, "type", info->type);
	if (*name)
		json_string_field(w, "name", name);
	json_name(w, "tag");
	json_printf(w, "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", info->tag[0], info->tag[1],
		info->tag[2], info->tag[3], info->tag[4], info->tag[5], info->tag[6], info->tag[7]);
	json_bool_field(w, "gpl_compatible", info->gpl_compatible);
	if (info->run_time_ns) {
		json_uint_field(w, "run_time_ns", info->run_time_ns);
		json_uint_field(w, "run_cnt", info->run_cnt);
	}
	if (info->recursion_misses)
		json_uint_field(w, "recursion_misses", info->recursion_misses);
	if (info->load_time) {
		json_int_field(w, "loaded_at", loaded_at(info->load_time));
		json_uint_field(w, "uid", info->created_by_uid);
	}
	json_uint_field(w, "bytes_xlated", info->xlated_prog_len);
	json_bool_field(w, "jited", info->jited_prog_len);
	if (info->jited_prog_len)
		json_uint_field(w, "bytes_jited", info->jited_prog_len);
	if (t->port->ops->fdinfo && !t->port->ops->fdinfo(t->port, fd, "memlock", &memlock))
		json_uint_field(w, "bytes_memlock", memlock);
	if (info->nr_map_ids) {
		const u32 *ids = info_ptr(info->map_ids);

		json_name(w, "map_ids");
		json_start_array(w);
		for (u32 i = 0; i < info->nr_map_ids; i++)
			json_uint(w, ids[i]);
		json_end_array(w);
	}
	if (info->btf_id)
		json_uint_field(w, "btf_id", info->btf_id);
	pins_print(t, pins, &ref_kind_prog, info->id, "", "");
	json_end_object(w);
}

static void print_head(const struct bpf_prog_info *info, const char *name)
{
	const char *type = libbpf_bpf_prog_type_str(info->type);

	printf("%u: ", info->id);
	if (type)
		printf("%s  ", type);
	else
		printf("type %u  ", info->type);
	if (*name)
		printf("name %s  ", name);
	printf("tag ");
	print_hex(info->tag, sizeof(info->tag), "");
	printf("%s", info->gpl_compatible ? "  gpl" : "");
	if (info->run_time_ns)
		printf(" run_time_ns %llu run_cnt %llu", info->run_time_ns, info->run_cnt);
	if (info->recursion_misses)
		printf(" recursion_misses %llu", info->recursion_misses);
	printf("\n");
}

static void print_text(struct tool *t, const struct bpf_prog_info *info, const char *name, int fd,
	const struct pins *pins)
{
	u64 memlock;

	print_head(info, name);
	if (info->load_time) {
		time_t at = loaded_at(info->load_time);
		struct tm tm;
		char text[64];

		if (localtime_r(&at, &tm) && strftime(text, sizeof(text), "%FT%T%z", &tm))
			printf("\tloaded_at %s  uid %u\n", text, info->created_by_uid);
	}
	printf("\txlated %uB", info->xlated_prog_len);
	if (info->jited_prog_len)
		printf("  jited %uB", info->jited_prog_len);
	else
		printf("  not jited");
	if (t->port->ops->fdinfo && !t->port->ops->fdinfo(t->port, fd, "memlock", &memlock))
		printf("  memlock %lluB", (unsigned long long)memlock);
	if (info->nr_map_ids) {
		const u32 *ids = info_ptr(info->map_ids);

		printf("  map_ids ");
		for (u32 i = 0; i < info->nr_map_ids; i++)
			printf("%s%u", i ? "," : "", ids[i]);
	}
	pins_print(t, pins, &ref_kind_prog, info->id, "\n\t", "");
	if (info->btf_id)
		printf("\n\tbtf_id %u", info->btf_id);
	printf("\n");
}

static int show_one(struct tool *t, int fd, void *arg)
{
	struct lister *l = arg;
	struct info_prog prog;
	char name[512];
	int err = info_prog_get(fd, INFO_MAP_IDS, &prog);

	if (err)
		return fail(t, "can't get prog info: %s", errno_text(err));
	info_prog_name(&prog.info, fd, name, sizeof(name));
	if (t->json)
		print_json(t, &prog.info, name, fd, &l->pins);
	else
		print_text(t, &prog.info, name, fd, &l->pins);
	info_prog_done(&prog);
	return 0;
}

/* One object alone for an id or a pin; a list for a name or a tag, even of one. */
static int show_some(struct tool *t, struct args *a, struct lister *l)
{
	struct ref ref;
	int err = ref_progs(t, a, &ref);

	if (err)
		return err;
	if (a->cnt)
		err = fail_extra(t, a);
	if (t->json && ref.cnt > 1)
		json_start_array(&t->w);
	for (size_t i = 0; i < ref.cnt && !err; i++)
		err = show_one(t, ref.fds[i], l);
	if (t->json && ref.cnt > 1)
		json_end_array(&t->w);
	ref_done(&ref);
	return err;
}

int verb_prog_list(struct tool *t, struct args *a)
{
	struct lister l = {0};
	int err = ref_is_file(a) ? tool_engine_fresh(t) : tool_engine_running(t);

	if (!err)
		err = pins_find(t, &l.pins);
	if (err)
		return err;
	if (a->cnt) {
		err = show_some(t, a, &l);
	} else {
		if (t->json)
			json_start_array(&t->w);
		err = ref_each(t, &ref_kind_prog, show_one, &l);
		if (t->json)
			json_end_array(&t->w);
	}
	pins_done(&l.pins);
	return err;
}
