/*
 * Showing entries in the layout of bpftool: with BTF as JSON objects, also in text mode; without as
 * bytes in hex. In JSON mode bytes always stand beside the typed form ("formatted").
 */
#include "map_data.h"

#include <arpa/inet.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf_value.h"
#include "info.h"
#include "out.h"

enum { ONE_LINE_MAX = 24, NAMED_LINE_MAX = 16, HEX_LINE = 16 };

int map_data_open(struct tool *t, int fd, struct map_data *ret)
{
	struct map_data d = {0};
	int err = info_map_get(fd, &d.info);

	if (err)
		return fail(t, "can't get map info: %s", errno_text(err));
	d.cpu_cnt = info_is_percpu(d.info.type) ? info_cpu_cnt() : 1;
	d.value_len = info_value_len(&d.info);
	if (d.info.btf_vmlinux_value_type_id) {
		d.btf = btf__load_vmlinux_btf();
		d.value_id = d.info.btf_vmlinux_value_type_id;
	} else if (d.info.btf_value_type_id) {
		d.btf = info_btf(d.info.btf_id);
		d.key_id = d.info.btf_key_type_id;
		d.value_id = d.info.btf_value_type_id;
	}
	*ret = d;
	return 0;
}

void map_data_done(struct map_data *d)
{
	btf__free(d->btf);
	d->btf = NULL;
}

size_t map_item_len(const struct map_data *d, enum map_item item)
{
	return item == MAP_KEY ? d->info.key_size : d->info.value_size;
}

bool map_data_has_types(const struct tool *t, const struct map_data *d)
{
	return d->btf != NULL;
}

void map_data_print_bytes(const void *data, size_t len)
{
	const u8 *p = data;

	for (size_t i = 0; i < len; i++)
		printf("%s%02x", !i ? "" : !(i % HEX_LINE) ? "\n" : !(i % 8) ? "  " : " ", p[i]);
}

static bool is_trie_key(const struct map_data *d, enum map_item item, size_t addr_len)
{
	return item == MAP_KEY && d->info.type == BPF_MAP_TYPE_LPM_TRIE &&
	       d->info.key_size == sizeof(u32) + addr_len;
}

bool map_data_address(
	const struct map_data *d, enum map_item item, const void *data, char *ret, size_t len)
{
	size_t size = map_item_len(d, item);
	char text[INET6_ADDRSTRLEN];
	const u8 *p = data;
	u32 prefix;

	if (item == MAP_KEY && info_is_indexed(d->info.type))
		return false;
	if (size == 4 || size == 16) {
		inet_ntop(size == 4 ? AF_INET : AF_INET6, data, ret, (socklen_t)len);
		return true;
	}
	if (!is_trie_key(d, item, 4) && !is_trie_key(d, item, 16))
		return false;
	memcpy(&prefix, p, sizeof(prefix));
	inet_ntop(size == 8 ? AF_INET : AF_INET6, p + sizeof(prefix), text, sizeof(text));
	snprintf(ret, len, "%s/%u", text, prefix);
	return true;
}

void map_data_print_typed(struct tool *t, const struct map_data *d, enum map_item item,
	const void *data, struct json *w)
{
	u32 id = item == MAP_KEY ? d->key_id : d->value_id;
	char text[INET6_ADDRSTRLEN + 8];

	if (t->dotted && item == MAP_KEY && map_data_address(d, item, data, text, sizeof(text)))
		json_string(w, text);
	else if (!d->btf || !id ||
		 btf_value_print(w, d->btf, id, data, map_item_len(d, item), !t->json))
		json_hex_array(w, data, map_item_len(d, item));
}

static const u8 *cpu_value(const struct map_data *d, const void *value, unsigned int cpu)
{
	return (const u8 *)value + (size_t)cpu * ROUND_UP(d->info.value_size, 8);
}

/* {"key": ..., "value": ...} or, for per-CPU maps, "values": [{"cpu": ..., "value": ...}] */
static void print_typed_entry(struct tool *t, const struct map_data *d, const void *key,
	const void *value, struct json *w)
{
	json_start_object(w);
	if (d->key_id || (t->dotted && d->info.key_size)) {
		json_name(w, "key");
		map_data_print_typed(t, d, MAP_KEY, key, w);
	}
	if (!info_is_percpu(d->info.type)) {
		json_name(w, "value");
		map_data_print_typed(t, d, MAP_VALUE, value, w);
	} else {
		json_name(w, "values");
		json_start_array(w);
		for (unsigned int i = 0; i < d->cpu_cnt; i++) {
			json_start_object(w);
			json_int_field(w, "cpu", i);
			json_name(w, "value");
			map_data_print_typed(t, d, MAP_VALUE, cpu_value(d, value, i), w);
			json_end_object(w);
		}
		json_end_array(w);
	}
	json_end_object(w);
}

static void print_json_entry(
	struct tool *t, const struct map_data *d, const void *key, const void *value)
{
	struct json *w = &t->w;

	json_start_object(w);
	json_name(w, "key");
	json_hex_array(w, key, d->info.key_size);
	if (!info_is_percpu(d->info.type)) {
		json_name(w, "value");
		json_hex_array(w, value, d->info.value_size);
	} else {
		json_name(w, "values");
		json_start_array(w);
		for (unsigned int i = 0; i < d->cpu_cnt; i++) {
			json_start_object(w);
			json_int_field(w, "cpu", i);
			json_name(w, "value");
			json_hex_array(w, cpu_value(d, value, i), d->info.value_size);
			json_end_object(w);
		}
		json_end_array(w);
	}
	if (d->btf) {
		json_name(w, "formatted");
		print_typed_entry(t, d, key, value, w);
	}
	json_end_object(w);
}

static void print_text_key(struct tool *t, const struct map_data *d, const void *key)
{
	char text[INET6_ADDRSTRLEN + 8];

	if (t->dotted && map_data_address(d, MAP_KEY, key, text, sizeof(text)))
		printf("%s", text);
	else
		map_data_print_bytes(key, d->info.key_size);
}

static void print_text_cpus(
	struct tool *t, const struct map_data *d, const void *key, const void *value)
{
	if (d->info.key_size) {
		printf("key:\n");
		print_text_key(t, d, key);
		printf("\n");
	}
	for (unsigned int i = 0; i < d->cpu_cnt && d->info.value_size; i++) {
		printf("value (CPU %02u):%c", i, d->info.value_size > NAMED_LINE_MAX ? '\n' : ' ');
		map_data_print_bytes(cpu_value(d, value, i), d->info.value_size);
		printf("\n");
	}
}

static void print_text_entry(
	struct tool *t, const struct map_data *d, const void *key, const void *value)
{
	u32 key_len = d->info.key_size, value_len = d->info.value_size;
	bool breaks = key_len > NAMED_LINE_MAX || value_len > NAMED_LINE_MAX;
	bool one_line = key_len + value_len <= ONE_LINE_MAX && !breaks;

	if (key_len) {
		printf("key:%c", breaks ? '\n' : ' ');
		print_text_key(t, d, key);
		printf(one_line ? "  " : "\n");
	}
	if (value_len) {
		printf("value:%c", breaks ? '\n' : ' ');
		map_data_print_bytes(value, value_len);
	}
	printf("\n");
}

void map_data_print_entry(
	struct tool *t, const struct map_data *d, const void *key, const void *value)
{
	if (t->json)
		print_json_entry(t, d, key, value);
	else if (d->btf)
		print_typed_entry(t, d, key, value, &t->w);
	else if (info_is_percpu(d->info.type))
		print_text_cpus(t, d, key, value);
	else
		print_text_entry(t, d, key, value);
}

void map_data_print_error(struct tool *t, const struct map_data *d, const void *key, int err)
{
	const char *text = err == -ENOENT ? "<no entry>" : errno_text(err);
	bool breaks = d->info.key_size > NAMED_LINE_MAX || strlen(text) > NAMED_LINE_MAX;
	bool one_line = d->info.key_size + strlen(text) <= ONE_LINE_MAX && !breaks;

	if (t->json) {
		json_start_object(&t->w);
		json_name(&t->w, "key");
		json_hex_array(&t->w, key, d->info.key_size);
		json_name(&t->w, "value");
		json_start_object(&t->w);
		json_string_field(&t->w, "error", errno_text(err));
		json_end_object(&t->w);
		json_end_object(&t->w);
		return;
	}
	if (d->info.key_size) {
		printf("key:%c", breaks ? '\n' : ' ');
		print_text_key(t, d, key);
		printf(one_line ? "  " : "\n");
	}
	if (d->info.value_size)
		printf("value:%c%s", breaks ? '\n' : ' ', text);
	printf("\n");
}
