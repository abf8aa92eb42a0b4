/*
 * Where objects are pinned, for `-f`: one look at all pins, then questions by kind and id.
 */
#ifndef SKEP_PINS_H
#define SKEP_PINS_H

#include "ref.h"

struct pin {
	const struct ref_kind *kind;
	u32 id;
	char *path;
};

struct pins {
	struct pin *items;
	size_t cnt;
};

/* All pins the engine knows; none unless -f was given. What cannot be opened is left out. */
int pins_find(struct tool *t, struct pins *ret);
void pins_done(struct pins *pins);
/* LEAD "pinned PATH" TAIL for each pin of the object; or the JSON field of all of them. */
void pins_print(struct tool *t, const struct pins *pins, const struct ref_kind *kind, u32 id,
	const char *lead, const char *tail);

#endif
