/*
 * Values of all CPUs are added when the value is an integer, or a struct of integers as BTF tells;
 * other per-CPU values stand one after the other. Rows are sorted by key, so that two runs over one
 * capture print the same text whatever order the hash table has.
 */
#include "map_table.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "info.h"
#include "map_data.h"
#include "out.h"

enum { DEPTH_MAX = 16 };

struct row {
	u8 *key, *value;
	u32 key_len;
	bool is_number; /* keys are numbers in the machine's order */
};

struct table {
	struct map_data data;
	struct row *rows;
	size_t cnt;
	bool adds; /* the values of CPUs can be added */
};

static void add_word(u8 *sum, const u8 *add, u32 len)
{
	u64 a = 0, b = 0;

	memcpy(&a, sum, len);
	memcpy(&b, add, len);
	a += b;
	memcpy(sum, &a, len);
}

static bool is_word(u32 len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

/*
 * Adds a value of type id at add to the one at sum; false when it is not made of integers alone.
 * With add NULL it only tells.
 */
static bool add_typed(const struct btf *btf, u32 id, u8 *sum, const u8 *add, int depth)
{
	int real = btf__resolve_type(btf, id);
	const struct btf_type *type = real > 0 ? btf__type_by_id(btf, (u32)real) : NULL;
	const struct btf_member *m;

	if (!type || depth > DEPTH_MAX)
		return false;
	if (btf_is_int(type)) {
		if (!is_word(type->size))
			return false;
		if (add)
			add_word(sum, add, type->size);
		return true;
	}
	if (btf_kind(type) != BTF_KIND_STRUCT)
		return false;
	m = btf_members(type);
	for (u32 i = 0; i < btf_vlen(type); i++) {
		u32 bits = btf_member_bit_offset(type, i);

		if (btf_member_bitfield_size(type, i) || bits % 8 ||
			!add_typed(btf, m[i].type, sum + bits / 8, add ? add + bits / 8 : NULL,
				depth + 1))
			return false;
	}
	return true;
}

static bool can_add(const struct map_data *d)
{
	u8 none[1];

	if (!info_is_percpu(d->info.type))
		return false;
	if (d->btf && d->value_id)
		return add_typed(d->btf, d->value_id, none, NULL, 0);
	return is_word(d->info.value_size);
}

static void add_cpus(const struct map_data *d, u8 *value)
{
	u32 step = ROUND_UP(d->info.value_size, 8);

	for (unsigned int i = 1; i < d->cpu_cnt; i++) {
		if (d->btf && d->value_id)
			add_typed(d->btf, d->value_id, value, value + (size_t)i * step, 0);
		else
			add_word(value, value + (size_t)i * step, d->info.value_size);
	}
}

static bool is_zero(const u8 *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static int add_row(struct table *t, const void *key, const void *value)
{
	struct row *more, *row;
	const struct map_data *d = &t->data;

	if (info_is_indexed(d->info.type) && is_zero(value, d->value_len))
		return 0;
	more = mem_realloc(t->rows, t->cnt + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->rows = more;
	row = &more[t->cnt];
	*row = (struct row){.key = mem_dup(key, d->info.key_size),
		.value = mem_dup(value, d->value_len),
		.key_len = d->info.key_size,
		.is_number = info_is_indexed(d->info.type)};
	t->cnt++;
	if (!row->key || !row->value)
		return -ENOMEM;
	if (t->adds)
		add_cpus(d, row->value);
	return 0;
}

static int read_rows(struct table *t, int fd)
{
	u32 key_len = t->data.info.key_size;
	u8 *key = mem_zalloc(key_len), *next = mem_zalloc(key_len), *prev = NULL;
	u8 *value = mem_zalloc(t->data.value_len);
	int err = key && next && value ? 0 : -ENOMEM;

	while (!err) {
		err = bpf_map_get_next_key(fd, prev, next);
		if (err)
			break;
		if (!bpf_map_lookup_elem(fd, next, value))
			err = add_row(t, next, value);
		memcpy(key, next, key_len);
		prev = key;
	}
	mem_free(key);
	mem_free(next);
	mem_free(value);
	return err == -ENOENT ? 0 : err;
}

/* Keys of arrays by number, all others byte by byte: addresses stand in their own order. */
static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	u32 i, j;

	if (!x->is_number || x->key_len != sizeof(i))
		return memcmp(x->key, y->key, x->key_len);
	memcpy(&i, x->key, sizeof(i));
	memcpy(&j, y->key, sizeof(j));
	return i < j ? -1 : i > j;
}

static void print_item(struct tool *t, const struct map_data *d, enum map_item item, const u8 *data,
	struct json *w)
{
	u32 len = item == MAP_KEY ? d->info.key_size : d->info.value_size;
	u32 id = item == MAP_KEY ? d->key_id : d->value_id;
	bool typed = d->btf && id;
	u64 number = 0;

	if (typed || (item == MAP_KEY && t->dotted) || !is_word(len)) {
		map_data_print_typed(t, d, item, data, w);
		return;
	}
	memcpy(&number, data, len);
	json_uint(w, number);
}

static void print_value(struct tool *t, const struct table *table, const u8 *value, struct json *w)
{
	const struct map_data *d = &table->data;
	u32 step = ROUND_UP(d->info.value_size, 8);

	if (!info_is_percpu(d->info.type) || table->adds) {
		print_item(t, d, MAP_VALUE, value, w);
		return;
	}
	json_start_array(w);
	for (unsigned int i = 0; i < d->cpu_cnt; i++)
		print_item(t, d, MAP_VALUE, value + (size_t)i * step, w);
	json_end_array(w);
}

static void print_json(struct tool *t, const struct table *table)
{
	json_start_array(&t->w);
	for (size_t i = 0; i < table->cnt; i++) {
		json_start_object(&t->w);
		json_name(&t->w, "key");
		print_item(t, &table->data, MAP_KEY, table->rows[i].key, &t->w);
		json_name(&t->w, "value");
		print_value(t, table, table->rows[i].value, &t->w);
		json_end_object(&t->w);
	}
	json_end_array(&t->w);
}

/* Values are compact JSON, of which a number is the plain number. A key that is a string goes bare. */
static void print_text(struct tool *t, const struct table *table, const char *name)
{
	const struct bpf_map_info *info = &table->data.info;
	const char *type = libbpf_bpf_map_type_str(info->type);
	char address[64];

	printf("map %s (%s, %zu %s%s)\n", name, type ? type : "unknown type", table->cnt,
		info_is_indexed(info->type) ? "not zero"
		: table->cnt == 1	    ? "entry"
					    : "entries",
		"");
	for (size_t i = 0; i < table->cnt; i++) {
		struct json w;

		printf("\t");
		if (t->dotted && map_data_address(&table->data, MAP_KEY, table->rows[i].key,
					 address, sizeof(address))) {
			printf("%s", address);
		} else {
			json_init(&w, stdout, false);
			print_item(t, &table->data, MAP_KEY, table->rows[i].key, &w);
		}
		printf("  ");
		json_init(&w, stdout, false);
		print_value(t, table, table->rows[i].value, &w);
		printf("\n");
	}
}

int map_table_print(struct tool *t, int fd, const char *name)
{
	struct table table = {0};
	int err = map_data_open(t, fd, &table.data);

	if (err)
		return err;
	table.adds = can_add(&table.data);
	err = read_rows(&table, fd);
	if (!err) {
		if (table.cnt)
			qsort(table.rows, table.cnt, sizeof(*table.rows), by_key);
		if (t->json)
			print_json(t, &table);
		else
			print_text(t, &table, name);
	}
	for (size_t i = 0; i < table.cnt; i++) {
		mem_free(table.rows[i].key);
		mem_free(table.rows[i].value);
	}
	mem_free(table.rows);
	map_data_done(&table.data);
	return err;
}
