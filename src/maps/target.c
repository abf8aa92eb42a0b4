/*
 * BPF_MAP_TYPE_DEVMAP, DEVMAP_HASH and CPUMAP: where frames may be redirected to. An entry is a device or
 * the length of a CPU's queue, and a program to run there (struct map_target). The first and the last are
 * arrays whose entries may be absent; the second is a hash table of devices.
 *
 * Invariants
 * 1. An entry is there if its value is not 0. Value and program's id are one aligned word, written whole;
 *    the program is written before it, and put after all runs that may have found it have ended.
 * 2. Changes happen under the map's lock.
 */
#include <errno.h>

#include "base/mem.h"
#include "core/inst.h"
#include "maps/array.h"
#include "maps/owner.h"
#include "maps/table.h"

enum {
	QUEUE_MAX = 16384,   /* frames in a CPU's queue */
	CPU_ENTRIES = 256,   /* of a CPUMAP at most; Linux: NR_CPUS */
	HASH_MAX = 1U << 31, /* entries */
	LINUX_DEVMAP_LEN = 344,
	LINUX_DEV_LEN = 64,
	LINUX_CPUMAP_LEN = 304,
};

struct target_map {
	struct map map;
	struct map_owner owner;
	u32 lock;
	u32 cnt;		    /* entries that are there, as Linux counts them */
	struct map_target *targets; /* NULL: a hash */
	u64 len;
	struct map_table table;
};

/* What user space writes. */
struct request {
	u32 value;
	s32 prog_fd;
};

static struct target_map *to_targets(const struct map *map)
{
	return container_of(map, struct target_map, map);
}

static bool is_cpumap(const struct map *map)
{
	return map->type->type == BPF_MAP_TYPE_CPUMAP;
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	int err = map_check_common(attr, false);

	if (err)
		return err;
	if (attr->key_size != sizeof(u32) ||
		(attr->value_size != sizeof(u32) && attr->value_size != sizeof(struct request)))
		return -EINVAL;
	if (attr->type == BPF_MAP_TYPE_DEVMAP_HASH && attr->max_entries > HASH_MAX)
		return -EINVAL;
	return attr->type == BPF_MAP_TYPE_CPUMAP && attr->max_entries > CPU_ENTRIES ? -E2BIG : 0;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct target_map *targets = mem_zalloc(sizeof(*targets));
	int err = 0;

	if (!targets)
		return -ENOMEM;
	if (attr->type == BPF_MAP_TYPE_DEVMAP_HASH) {
		err = map_table_init(&targets->table, inst, attr, sizeof(struct map_target));
	} else {
		targets->len = (u64)attr->max_entries * sizeof(struct map_target);
		targets->targets = mem_pages(targets->len, false);
		err = targets->targets ? 0 : -ENOMEM;
	}
	if (err) {
		mem_free(targets);
		return err;
	}
	if (attr->type != BPF_MAP_TYPE_CPUMAP)
		targets->map.flags = BPF_F_RDONLY_PROG; /* Linux: programs get its own structure */
	targets->map.mem_fd = -1;
	*ret_map = &targets->map;
	return 0;
}

static void put_prog(struct prog *prog)
{
	obj_put(prog ? &prog->obj : NULL);
}

static void free_map(struct map *map)
{
	struct target_map *targets = to_targets(map);
	struct map_table *table = &targets->table;

	if (targets->targets) {
		for (u32 i = 0; i < map->max_entries; i++)
			put_prog(targets->targets[i].prog);
		mem_pages_free(targets->targets, targets->len);
		mem_free(targets);
		return;
	}
	for (u32 bucket = 0; bucket <= table->bucket_mask; bucket++) {
		u32 num = table->buckets[bucket].head;

		for (; num; num = map_table_slot(table, num)->next)
			put_prog(((struct map_target *)map_table_value(table, num))->prog);
	}
	map_table_done(table);
	mem_free(targets);
}

/* The words that programs see, at once. */
static u64 load_words(const struct map_target *target)
{
	return __atomic_load_n((const u64 *)target, __ATOMIC_ACQUIRE);
}

static void store_target(struct map_target *to, const struct map_target *from)
{
	u64 words;

	memcpy(&words, from, sizeof(words));
	__atomic_store_n(&to->prog, from->prog, __ATOMIC_RELEASE);
	__atomic_store_n((u64 *)to, words, __ATOMIC_RELEASE);
}

static void *lookup(struct map *map, const void *key, u32 cpu)
{
	struct target_map *targets = to_targets(map);
	u32 index = map_array_index(key), num;

	if (!targets->targets) {
		num = map_table_find(&targets->table, key);
		return num ? map_table_value(&targets->table, num) : NULL;
	}
	if (index >= map->max_entries || !load_words(&targets->targets[index]))
		return NULL;
	return &targets->targets[index];
}

static bool fits_prog(struct map *map, const struct prog *prog)
{
	return map_owner_fits(&to_targets(map)->owner, prog, false);
}

static bool owner(struct map *map, u32 *ret_prog_type, bool *ret_is_jited)
{
	return map_owner_tell(&to_targets(map)->owner, ret_prog_type, ret_is_jited);
}

/* The program that the request names, if any: XDP, and made for maps of this type. */
static int take_prog(struct map *map, const struct map_fds *fds, const struct request *request,
	struct map_target *target)
{
	u32 attach_type = is_cpumap(map) ? BPF_XDP_CPUMAP : BPF_XDP_DEVMAP;
	struct prog *prog;
	struct obj *obj;

	if (request->prog_fd <= 0)
		return 0;
	if (fds->get(fds, request->prog_fd, OBJ_PROG, &obj))
		return -EINVAL;
	prog = container_of(obj, struct prog, obj);
	if (prog->type->type != BPF_PROG_TYPE_XDP || prog->expected_attach_type != attach_type ||
		!fits_prog(map, prog)) {
		obj_put(obj);
		return -EINVAL;
	}
	target->prog = prog;
	target->prog_id = prog->obj.id;
	return 0;
}

static int take_dev(struct map *map, const struct map_fds *fds, const struct request *request,
	struct map_target *ret_target)
{
	struct skep *inst = map->obj.inst;

	if (!inst->check_rxq || inst->check_rxq(inst, request->value, 0) == -ENODEV)
		return -EINVAL;
	ret_target->value = request->value;
	return take_prog(map, fds, request, ret_target);
}

static int take_queue(struct map *map, const struct map_fds *fds, u32 cpu,
	const struct request *request, struct map_target *ret_target)
{
	if (request->value > QUEUE_MAX)
		return -EOVERFLOW;
	if (cpu >= map->obj.inst->cpu_cnt)
		return -ENODEV;
	ret_target->value = request->value;
	if (!request->value) /* the same as deleting */
		return 0;
	/* Linux makes the thread and the program at once, and says only that it could not */
	return take_prog(map, fds, request, ret_target) ? -ENOMEM : 0;
}

static struct request read_request(const struct map *map, const void *value)
{
	struct request request = {0};

	memcpy(&request, value, map->value_size);
	return request;
}

/* Another target, or none, for an entry of an array. */
static void swap(struct map *map, u32 index, const struct map_target *target, bool is_update)
{
	struct target_map *targets = to_targets(map);
	struct map_target *entry = &targets->targets[index];
	struct prog *old;

	map_lock(&targets->lock);
	old = entry->prog;
	/* as Linux counts for mem_usage: an update of an absent entry counts, whatever it writes */
	targets->cnt += is_update ? !entry->value : -(entry->value != 0);
	store_target(entry, target);
	map_unlock(&targets->lock);
	if (!old)
		return;
	inst_wait_runs(map->obj.inst);
	put_prog(old);
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	struct request request = read_request(map, value);
	u32 index = map_array_index(key);
	struct map_target target = {0};
	int err = map_array_update_check(map, index, flags);

	if (err)
		return err;
	if (is_cpumap(map))
		err = take_queue(map, fds, index, &request, &target);
	else if (request.value)
		err = take_dev(map, fds, &request, &target);
	else
		err = request.prog_fd > 0 ? -EINVAL : 0;
	if (!err)
		swap(map, index, &target, true);
	return err;
}

/* BPF_EXIST asks for nothing here, as in Linux. */
static int fd_in_hash(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	struct target_map *targets = to_targets(map);
	struct request request = read_request(map, value);
	struct map_target target = {0};
	struct prog *old = NULL;
	struct map_entry entry;
	u32 num;
	int err;

	if (flags > BPF_EXIST || !request.value)
		return -EINVAL;
	if (flags == BPF_NOEXIST && map_table_find(&targets->table, key))
		return -EEXIST;
	err = take_dev(map, fds, &request, &target);
	if (err)
		return err;
	entry = map_table_lock(&targets->table, key);
	if (entry.num && flags == BPF_NOEXIST)
		err = -EEXIST;
	if (!err)
		err = map_table_take(&targets->table, &entry, key, MAP_CPU_USER, &num);
	if (!err) {
		if (entry.num)
			old = ((struct map_target *)map_table_value(&targets->table, entry.num))
				      ->prog;
		store_target(map_table_value(&targets->table, num), &target);
		map_table_link(&targets->table, &entry, num, MAP_CPU_USER);
	}
	map_table_unlock(&targets->table, &entry);
	if (old)
		inst_wait_runs(map->obj.inst);
	put_prog(err ? target.prog : old);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	const struct map_target *target = lookup(map, key, 0);
	u64 words;

	if (!target)
		return -ENOENT;
	words = load_words(target);
	memcpy(ret_value, &words, map->value_size);
	return 0;
}

static int remove_key(struct map *map, const void *key)
{
	static const struct map_target nothing;
	u32 index = map_array_index(key);

	if (index >= map->max_entries)
		return -EINVAL;
	swap(map, index, &nothing, false);
	return 0;
}

static int remove_hash(struct map *map, const void *key)
{
	struct target_map *targets = to_targets(map);
	struct map_entry entry = map_table_lock(&targets->table, key);
	struct prog *old;

	if (!entry.num) {
		map_table_unlock(&targets->table, &entry);
		return -ENOENT;
	}
	old = ((struct map_target *)map_table_value(&targets->table, entry.num))->prog;
	map_table_drop(&targets->table, &entry);
	if (old)
		inst_wait_runs(map->obj.inst);
	put_prog(old);
	return 0;
}

static int next_key_hash(struct map *map, const void *key, void *ret_next)
{
	return map_table_next_key(&to_targets(map)->table, key, ret_next);
}

static bool owns(const struct map *map, const void *addr, size_t len)
{
	const struct target_map *targets = to_targets(map);
	u64 off = (u64)((uintptr_t)addr - (uintptr_t)targets->targets);
	u64 in_entry = off % sizeof(struct map_target);

	if (!targets->targets)
		return map_table_owns(&targets->table, addr, len, map->value_size);
	return off < targets->len && in_entry <= map->value_size &&
	       len <= map->value_size - in_entry;
}

static u64 mem_usage(const struct map *map)
{
	const struct target_map *targets = to_targets(map);
	u64 len = (u64)map->max_entries * sizeof(void *);

	if (is_cpumap(map))
		return LINUX_CPUMAP_LEN + len;
	if (targets->targets)
		return LINUX_DEVMAP_LEN + len + (u64)targets->cnt * LINUX_DEV_LEN;
	return LINUX_DEVMAP_LEN + ((u64)targets->table.bucket_mask + 1) * sizeof(void *) +
	       (u64)targets->table.cnt * LINUX_DEV_LEN;
}

#define TARGET_OPS(in, out, next)                                                                  \
	{                                                                                          \
		.check = check, .alloc = alloc, .free = free_map, .lookup = lookup,                \
		.update = map_no_update, .remove = out, .next_key = next, .copy_out = copy_out,    \
		.copy_in = copy_in, .fd_in = in, .fits_prog = fits_prog, .owner = owner,           \
		.meta_equal = map_meta_equal, .owns = owns, .mem_usage = mem_usage,                \
	}

const struct map_ops map_devmap_ops = TARGET_OPS(fd_in, remove_key, map_array_next_key);
const struct map_ops map_cpumap_ops = TARGET_OPS(fd_in, remove_key, map_array_next_key);
const struct map_ops map_devmap_hash_ops = TARGET_OPS(fd_in_hash, remove_hash, next_key_hash);
