/*
 * The copies of value.h for values with special fields: what stands between the fields, and the padding
 * behind the last.
 */
#include "maps/value.h"

#include "btf/fields.h"

/* Bytes at any place: map_put and map_get want places that are multiples of 8. */
static void put_bytes(u8 *to, const u8 *from, u32 len)
{
	for (; len && (uintptr_t)to % 8; len--)
		__atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
	map_put(to, from, len);
}

static void get_bytes(u8 *to, const u8 *from, u32 len)
{
	for (; len && (uintptr_t)from % 8; len--)
		*to++ = __atomic_load_n(from++, __ATOMIC_ACQUIRE);
	map_get(to, from, len);
}

static u32 *lock_of(const struct map *map, const void *value, u64 flags)
{
	const struct btf_field *field;

	if (!(flags & BPF_F_LOCK))
		return NULL;
	field = btf_fields_at(map->fields, BTF_FIELD_SPIN_LOCK);
	return field ? (u32 *)((u8 *)value + field->off) : NULL;
}

void map_value_put_fields(const struct map *map, void *to, const void *from, u64 flags)
{
	const struct btf_fields *fields = map->fields;
	u32 *lock = lock_of(map, to, flags), at = 0;

	if (lock)
		map_lock(lock);
	for (u32 i = 0; i < fields->cnt; i++) {
		put_bytes((u8 *)to + at, (const u8 *)from + at, fields->items[i].off - at);
		at = fields->items[i].off + fields->items[i].size;
	}
	put_bytes((u8 *)to + at, (const u8 *)from + at, map->value_size - at);
	if (lock)
		map_unlock(lock);
}

void map_value_get_fields(const struct map *map, void *to, const void *from, u64 flags)
{
	const struct btf_fields *fields = map->fields;
	u32 *lock = lock_of(map, from, flags), at = 0;

	if (lock)
		map_lock(lock);
	for (u32 i = 0; i < fields->cnt; i++) {
		get_bytes((u8 *)to + at, (const u8 *)from + at, fields->items[i].off - at);
		memset((u8 *)to + fields->items[i].off, 0, fields->items[i].size);
		at = fields->items[i].off + fields->items[i].size;
	}
	get_bytes((u8 *)to + at, (const u8 *)from + at, map->value_size - at);
	if (lock)
		map_unlock(lock);
}
