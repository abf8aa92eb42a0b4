/*
 * Keys and values of maps: how they are written on a line, and how they are shown.
 *
 * DATA := [hex] BYTE... | NUMBER | ADDRESS[/LEN] | a value as the map's BTF names it
 *
 * As many words as the item has bytes are bytes. One word alone is a number, an address (dotted or
 * with colons; with /LEN for the keys of LPM tries) or what BTF makes of it. A number or address must
 * fit the item exactly: nothing is cut or extended silently.
 */
#ifndef SKEP_MAP_DATA_H
#define SKEP_MAP_DATA_H

#include "isa/uapi.h"

#include "tool.h"

struct btf;

struct map_data {
	struct bpf_map_info info;
	struct btf *btf;      /* libbpf's; NULL: bytes are all that is known */
	u32 key_id, value_id; /* types in btf; 0: none */
	unsigned int cpu_cnt;
	size_t value_len; /* of all CPUs, as bpf(2) moves it */
};

/* What is known of the map behind fd. 0 or the exit status after an error. */
int map_data_open(struct tool *t, int fd, struct map_data *ret);
void map_data_done(struct map_data *d);

enum map_item { MAP_KEY, MAP_VALUE };
size_t map_item_len(const struct map_data *d, enum map_item item);

/* Reads DATA up to the next keyword into buf, of map_item_len() bytes. */
int map_data_parse(
	struct tool *t, const struct map_data *d, enum map_item item, struct args *a, void *buf);
/* Is the next word one of the words that end DATA (key, value, any, exist, noexist)? */
bool map_data_ends(const struct args *a);

/* One entry as an element of the output: an object in JSON, lines in text. */
void map_data_print_entry(
	struct tool *t, const struct map_data *d, const void *key, const void *value);
/* The entry whose value could not be read. */
void map_data_print_error(struct tool *t, const struct map_data *d, const void *key, int err);
/* Is text output JSON as well, because BTF is known? */
bool map_data_has_types(const struct tool *t, const struct map_data *d);
/* The value of one key or value through BTF, or as an address, into w. */
void map_data_print_typed(struct tool *t, const struct map_data *d, enum map_item item,
	const void *data, struct json *w);
/* fprint_hex of bpftool: 16 bytes a line, two spaces between eights. */
void map_data_print_bytes(const void *data, size_t len);
/* "10.1.0.9" for 4 bytes, an IPv6 address for 16, "10.0.0.0/8" for a trie's key; else false. */
bool map_data_address(
	const struct map_data *d, enum map_item item, const void *data, char *ret, size_t len);

#endif
