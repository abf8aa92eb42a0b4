/*
 * The table of pins. A pin's kind is read off its descriptor's name, and its id by GET_INFO.
 */
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "out.h"

static const struct ref_kind *kind_of(int fd)
{
	static const struct ref_kind *const all[] = {&ref_kind_prog, &ref_kind_map, &ref_kind_link};
	char path[64], link[256] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strstr(link, all[i]->file))
			return all[i];
	return NULL;
}

/* The id stands at the same place, 4 bytes in, in the info of programs, maps and links. */
static int id_of(int fd, u32 *ret)
{
	union {
		struct bpf_prog_info prog;
		struct bpf_map_info map;
		struct bpf_link_info link;
		u32 words[2];
	} info = {0};
	u32 len = sizeof(info.words);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (!err)
		*ret = info.words[1];
	return err;
}

static int add_pin(void *arg, const char *path)
{
	struct pins *pins = arg;
	struct pin pin = {0}, *more;
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	pin.kind = kind_of(fd);
	if (!pin.kind || id_of(fd, &pin.id)) {
		close(fd);
		return 0;
	}
	close(fd);
	more = mem_realloc(pins->items, pins->cnt + 1, sizeof(pin));
	if (!more)
		return -ENOMEM;
	pins->items = more;
	pin.path = mem_dup(path, strlen(path) + 1);
	if (!pin.path)
		return -ENOMEM;
	pins->items[pins->cnt++] = pin;
	return 0;
}

int pins_find(struct tool *t, struct pins *ret)
{
	struct pins pins = {0};
	int err = 0;

	if (t->pins && t->port->ops->pin_each)
		err = t->port->ops->pin_each(t->port, add_pin, &pins);
	if (err) {
		pins_done(&pins);
		return fail_errno(t, err, "cannot list the pins: %s", errno_text(err));
	}
	*ret = pins;
	return 0;
}

void pins_done(struct pins *pins)
{
	for (size_t i = 0; i < pins->cnt; i++)
		mem_free(pins->items[i].path);
	mem_free(pins->items);
	*pins = (struct pins){0};
}

/* An array in JSON, empty or not, once any object of the kind is pinned. */
static void print_json(struct tool *t, const struct pins *pins, const struct ref_kind *kind, u32 id)
{
	bool open = false;

	for (size_t i = 0; i < pins->cnt; i++) {
		const struct pin *pin = &pins->items[i];

		if (pin->kind != kind)
			continue;
		if (!open) {
			json_name(&t->w, "pinned");
			json_start_array(&t->w);
		}
		open = true;
		if (pin->id == id)
			json_string(&t->w, pin->path);
	}
	if (open)
		json_end_array(&t->w);
}

void pins_print(struct tool *t, const struct pins *pins, const struct ref_kind *kind, u32 id,
	const char *lead, const char *tail)
{
	if (t->json) {
		print_json(t, pins, kind, id);
		return;
	}
	for (size_t i = 0; i < pins->cnt; i++)
		if (pins->items[i].kind == kind && pins->items[i].id == id)
			printf("%spinned %s%s", lead, pins->items[i].path, tail);
}
