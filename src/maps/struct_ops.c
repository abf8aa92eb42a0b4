/*
 * BPF_MAP_TYPE_STRUCT_OPS: one value, a struct bpf_struct_ops_NAME of the kernel's BTF: state, count of
 * references, and a structure whose members are functions (programs) and plain data.
 *
 *	INIT --update--> READY (BPF_F_LINK)
 *	INIT --update--> INUSE --delete--> TOBEFREE      registered by inst->struct_ops_reg
 *
 * Invariant: programs are held from the update on until the map ends; a value that was written does not
 * change.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "core/inst.h"
#include "core/kbtf.h"
#include "core/prog.h"
#include "maps/array.h"
#include "maps/maps.h"

enum state { STATE_INIT, STATE_INUSE, STATE_TOBEFREE, STATE_READY };

enum {
	LINUX_OPS_LEN = 448,
	LINUX_CODE_LEN = 4096,
};

static const char value_prefix[] = "bpf_struct_ops_";

struct struct_ops {
	struct map map;
	const struct btf_obj *btf; /* the kernel's, of the instance */
	u32 value_id, ops_id;	   /* the value's type, the structure's */
	u32 data_off;		   /* bytes to the structure */
	u32 state;
	pthread_mutex_t lock;
	u8 *value; /* as user space reads it: ids of programs */
	struct prog **progs;
	u32 prog_cnt;
};

static struct struct_ops *to_ops(const struct map *map)
{
	return container_of(map, struct struct_ops, map);
}

static int check(const struct skep *inst, const struct map_attr *attr)
{
	if (attr->extra || attr->key_size != sizeof(u32) || attr->max_entries != 1 ||
		attr->flags & ~(u32)(BPF_F_LINK | BPF_F_VTYPE_BTF_OBJ_FD) ||
		!attr->btf_vmlinux_value_type_id)
		return -EINVAL;
	return 0;
}

/* The structure inside a value: its last member. */
static int find_type(struct struct_ops *ops, const struct map_attr *attr)
{
	const struct btf_type *t = btf_type_at(ops->btf, attr->btf_vmlinux_value_type_id);
	struct btf_field_ref data;

	if (!t || !btf_type_is(t, BTF_KIND_STRUCT) || !btf_type_vlen(t) ||
		strncmp(btf_type_name(ops->btf, attr->btf_vmlinux_value_type_id), value_prefix,
			sizeof(value_prefix) - 1))
		return -MAP_ENOTSUPP;
	data = btf_member_at(ops->btf, t, btf_type_vlen(t) - 1);
	ops->value_id = attr->btf_vmlinux_value_type_id;
	ops->ops_id = btf_skip_modifiers(ops->btf, data.type_id);
	ops->data_off = data.bit_off / 8;
	if (!btf_type_is(btf_type_at(ops->btf, ops->ops_id), BTF_KIND_STRUCT))
		return -MAP_ENOTSUPP;
	return attr->value_size == t->size ? 0 : -EINVAL;
}

static int alloc(struct skep *inst, const struct map_attr *attr, struct map **ret_map)
{
	struct struct_ops *ops = mem_zalloc(sizeof(*ops));
	int err;

	if (!ops)
		return -ENOMEM;
	err = attr->flags & BPF_F_VTYPE_BTF_OBJ_FD ? -EINVAL : 0; /* modules: there are none */
	if (!err && core_kbtf_get(inst, &ops->btf))
		err = -MAP_ENOTSUPP;
	if (!err)
		err = find_type(ops, attr);
	if (!err) {
		ops->value = mem_zalloc(attr->value_size);
		ops->progs = mem_array(
			btf_type_vlen(btf_type_at(ops->btf, ops->ops_id)), sizeof(*ops->progs));
		err = ops->value && ops->progs ? 0 : -ENOMEM;
	}
	if (err) {
		mem_free(ops->value);
		mem_free(ops->progs);
		mem_free(ops);
		return err;
	}
	pthread_mutex_init(&ops->lock, NULL);
	ops->map.mem_fd = -1;
	*ret_map = &ops->map;
	return 0;
}

static void put_progs(struct struct_ops *ops)
{
	while (ops->prog_cnt)
		obj_put(&ops->progs[--ops->prog_cnt]->obj);
}

static void free_map(struct map *map)
{
	struct struct_ops *ops = to_ops(map);

	put_progs(ops);
	pthread_mutex_destroy(&ops->lock);
	mem_free(ops->value);
	mem_free(ops->progs);
	mem_free(ops);
}

static bool is_zero(const u8 *bytes, u32 len)
{
	for (u32 i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

/* What stands between the members of a structure, and behind them, is zero. */
static int check_holes(const struct btf_obj *btf, u32 id, const u8 *data)
{
	const struct btf_type *t = btf_type_at(btf, id);
	u32 end = 0, size;
	int err;

	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref m = btf_member_at(btf, t, i);

		if (m.bit_off / 8 > end && !is_zero(data + end, m.bit_off / 8 - end))
			return -EINVAL;
		err = btf_size(btf, m.type_id, NULL, &size);
		if (err)
			return err;
		end = m.bit_off / 8 + size;
	}
	return t->size > end && !is_zero(data + end, t->size - end) ? -EINVAL : 0;
}

static bool is_function(const struct btf_obj *btf, u32 type_id)
{
	struct btf_proto proto;
	u32 id = btf_skip_modifiers(btf, type_id);

	return btf_type_is(btf_type_at(btf, id), BTF_KIND_PTR) && !btf_proto_of(btf, id, &proto);
}

/* The program whose descriptor stands in member i; its id takes the place. */
static int take_prog(struct struct_ops *ops, const struct map_fds *fds, u32 i, u8 *at)
{
	struct prog *prog;
	struct obj *obj;
	u64 fd, id;
	int err;

	memcpy(&fd, at, sizeof(fd));
	if (!(int)fd)
		return 0;
	err = fds->get(fds, (int)fd, OBJ_PROG, &obj);
	if (err)
		return err;
	prog = container_of(obj, struct prog, obj);
	if (prog->type->type != BPF_PROG_TYPE_STRUCT_OPS || prog->attach_btf_id != ops->ops_id ||
		prog->expected_attach_type != i) {
		obj_put(obj);
		return -EINVAL;
	}
	ops->progs[ops->prog_cnt++] = prog;
	id = obj->id;
	memcpy(at, &id, sizeof(id));
	return 0;
}

/* Under the lock: the value with programs instead of descriptors. */
static int take_value(struct struct_ops *ops, const struct map_fds *fds, u8 *value)
{
	const struct btf_type *t = btf_type_at(ops->btf, ops->ops_id);
	int err = 0;

	for (u32 i = 0; i < btf_type_vlen(t) && !err; i++) {
		struct btf_field_ref m = btf_member_at(ops->btf, t, i);

		if (is_function(ops->btf, m.type_id))
			err = take_prog(ops, fds, i, value + ops->data_off + m.bit_off / 8);
	}
	return err;
}

static int set_value(struct struct_ops *ops, const struct map_fds *fds, u8 *value)
{
	struct skep *inst = ops->map.obj.inst;
	bool has_link = ops->map.flags & BPF_F_LINK;
	int err = ops->state != STATE_INIT ? -EBUSY : take_value(ops, fds, value);

	if (err == -EBUSY)
		return err;
	if (!err)
		memcpy(ops->value, value, ops->map.value_size);
	if (!err && !has_link)
		err = inst->struct_ops_reg ? inst->struct_ops_reg(&ops->map, true) : -EOPNOTSUPP;
	if (err) {
		put_progs(ops);
		memset(ops->value, 0, ops->map.value_size);
		return err;
	}
	__atomic_store_n(&ops->state, has_link ? STATE_READY : STATE_INUSE, __ATOMIC_RELEASE);
	return 0;
}

static int fd_in(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds)
{
	struct struct_ops *ops = to_ops(map);
	u8 *copy;
	int err;

	if (flags)
		return -EINVAL;
	if (map_array_index(key))
		return -E2BIG;
	err = check_holes(ops->btf, ops->value_id, value);
	if (!err)
		err = check_holes(ops->btf, ops->ops_id, (const u8 *)value + ops->data_off);
	if (!err && !is_zero(value, MIN(ops->data_off, 8U))) /* refcnt and state */
		err = -EINVAL;
	if (err)
		return err;
	copy = mem_dup(value, map->value_size);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&ops->lock);
	err = set_value(ops, fds, copy);
	pthread_mutex_unlock(&ops->lock);
	mem_free(copy);
	return err;
}

static int copy_in(struct map *map, const void *key, const void *value, u64 flags)
{
	return -EBADF; /* without a caller there are no descriptors */
}

/* refcnt, then state, at the value's start */
static int copy_out(struct map *map, const void *key, void *ret_value, u64 flags)
{
	struct struct_ops *ops = to_ops(map);
	u32 head[2] = {0};

	if (map_array_index(key))
		return -ENOENT;
	pthread_mutex_lock(&ops->lock);
	head[1] = ops->state;
	memcpy(ret_value, ops->value, map->value_size);
	if (head[1] != STATE_INIT)
		memcpy(ret_value, head, MIN(sizeof(head), (size_t)map->value_size));
	pthread_mutex_unlock(&ops->lock);
	return 0;
}

static int remove_key(struct map *map, const void *key)
{
	struct struct_ops *ops = to_ops(map);
	int err = 0;

	if (map->flags & BPF_F_LINK)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&ops->lock);
	switch (ops->state) {
	case STATE_INUSE:
		map->obj.inst->struct_ops_reg(map, false);
		ops->state = STATE_TOBEFREE;
		break;
	case STATE_TOBEFREE: err = -EINPROGRESS; break;
	default: err = -ENOENT;
	}
	pthread_mutex_unlock(&ops->lock);
	return err;
}

static int next_key(struct map *map, const void *key, void *ret_next)
{
	u32 first = 0;

	if (key && !map_array_index(key))
		return -ENOENT;
	memcpy(ret_next, &first, sizeof(first));
	return 0;
}

static u64 mem_usage(const struct map *map)
{
	const struct struct_ops *ops = to_ops(map);
	const struct btf_type *t = btf_type_at(ops->btf, ops->ops_id);
	u64 functions = 0;

	for (u32 i = 0; i < btf_type_vlen(t); i++)
		functions += is_function(ops->btf, btf_member_at(ops->btf, t, i).type_id);
	return LINUX_OPS_LEN + (u64)2 * map->value_size + functions * 2 * sizeof(void *) +
	       LINUX_CODE_LEN;
}

const struct map_ops map_struct_ops_ops = {
	.check = check,
	.alloc = alloc,
	.free = free_map,
	.lookup = map_no_lookup,
	.update = map_no_update,
	.remove = remove_key,
	.next_key = next_key,
	.copy_out = copy_out,
	.copy_in = copy_in,
	.fd_in = fd_in,
	.owns = map_no_owns,
	.mem_usage = mem_usage,
};
