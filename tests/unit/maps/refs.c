/*
 * Maps that hold references: what is put in is held, what is taken out is put, programs must be alike, and
 * inner maps must be like the one the map was made with.
 */
#include "fixture.h"

#include <errno.h>

#include "base/mem.h"
#include "core/prog.h"

/* Descriptors of the tests: places in this array. */
static struct obj *by_fd[8];

static int get(const struct map_fds *fds, int fd, enum obj_kind kind, struct obj **ret_obj)
{
	if (fd < 0 || fd >= (int)ARRAY_SIZE(by_fd) || !by_fd[fd])
		return -EBADF;
	if (by_fd[fd]->kind != kind)
		return -EINVAL;
	obj_get(by_fd[fd]);
	*ret_obj = by_fd[fd];
	return 0;
}

static const struct map_fds fds = {get};

static u32 progs_freed;

static void free_prog(struct obj *obj)
{
	progs_freed++;
}

static const struct obj_ops prog_ops = {.free = free_prog};
static const struct prog_type xdp = {.type = BPF_PROG_TYPE_XDP};
static const struct prog_type filter = {.type = BPF_PROG_TYPE_SOCKET_FILTER};

static void make_prog(struct skep *inst, struct prog *prog, const struct prog_type *type)
{
	*prog = (struct prog){.type = type};
	obj_init(&prog->obj, inst, OBJ_PROG, &prog_ops);
	prog->obj.id = 0;
}

static int put(struct map *map, u32 key, u32 fd)
{
	return map_user_update_fds(map, &key, &fd, BPF_ANY, &fds);
}

static void program_array_holds_programs(void **state)
{
	struct prog progs[2];
	struct map_progs *array;
	struct skep inst;
	struct map *map;
	u32 key = 1;

	inst_start(&inst);
	progs_freed = 0;
	map = map_make(&inst, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3, 0);
	array = container_of(map, struct map_progs, map);
	make_prog(&inst, &progs[0], &xdp);
	make_prog(&inst, &progs[1], &xdp);
	by_fd[3] = &progs[0].obj;
	by_fd[4] = &progs[1].obj;
	assert_int_equal(put(map, 1, 3), 0);
	assert_int_equal(put(map, 2, 4), 0);
	assert_ptr_equal(array->progs[1], &progs[0]);
	assert_null(array->progs[0]);
	assert_int_equal(put(map, 3, 3), -E2BIG);
	assert_int_equal(put(map, 0, 5), -EBADF);
	assert_int_equal(map_user_update(map, &key, &key, 0), -EBADF);
	obj_put(&progs[0].obj);
	obj_put(&progs[1].obj);
	assert_int_equal(progs_freed, 0);
	assert_int_equal(map_user_delete(map, &key), 0);
	assert_int_equal(map_user_delete(map, &key), -ENOENT);
	assert_int_equal(progs_freed, 1);
	map->ops->forget(map);
	assert_int_equal(progs_freed, 2);
	assert_null(array->progs[2]);
	obj_put(&map->obj);
	inst_done(&inst);
}

/* Of a program that is interpreted and one that is compiled, neither can go on as the other. */
static void programs_of_an_array_are_alike(void **state)
{
	static const struct {
		const char *what;
		const struct prog_type *type;
		bool is_jited;
		u32 flags, attach_type;
		int err;
	} rows[] = {
		{"the first decides", &xdp, false, 0, 0, 0},
		{"like it", &xdp, false, 0, 0, 0},
		{"another type", &filter, false, 0, 0, -EINVAL},
		{"compiled", &xdp, true, 0, 0, -EINVAL},
		{"knows fragments", &xdp, false, BPF_F_XDP_HAS_FRAGS, 0, -EINVAL},
		{"attached elsewhere", &xdp, false, 0, BPF_XDP_DEVMAP, -EINVAL},
	};
	struct skep inst;
	struct prog prog;
	struct map *map;
	bool is_jited;
	u32 type;

	inst_start(&inst);
	map = map_make(&inst, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3, 0);
	assert_false(map->ops->owner(map, &type, &is_jited));
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		make_prog(&inst, &prog, rows[i].type);
		prog.load_flags = rows[i].flags;
		prog.expected_attach_type = rows[i].attach_type;
		if (rows[i].is_jited)
			prog.image.entry = (u64(*)(void *, struct run *))(uintptr_t)1;
		by_fd[3] = &prog.obj;
		if (put(map, 0, 3) != rows[i].err)
			fail_msg("%s", rows[i].what);
		if (!rows[i].err)
			map->ops->forget(map);
	}
	assert_true(map->ops->owner(map, &type, &is_jited));
	assert_int_equal(type, BPF_PROG_TYPE_XDP);
	assert_false(is_jited);
	obj_put(&map->obj);
	inst_done(&inst);
}

static int make_outer(struct skep *inst, u32 type, int inner_fd, struct map **ret_map)
{
	struct map_attr attr = {.type = type,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 2,
		.inner_fd = inner_fd,
		.fds = &fds};

	return map_new(inst, &attr, ret_map);
}

static void inner_maps_are_like_the_first(void **state)
{
	static const u32 types[] = {BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS};
	struct map *map, *like, *other, *outer;
	struct skep inst;
	u32 key = 1;

	inst_start(&inst);
	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		map = map_make(&inst, BPF_MAP_TYPE_HASH, 4, 8, 2, 0);
		like = map_make(&inst, BPF_MAP_TYPE_HASH, 4, 8, 100, 0);
		other = map_make(&inst, BPF_MAP_TYPE_HASH, 4, 4, 2, 0);
		by_fd[1] = &map->obj;
		by_fd[2] = &like->obj;
		by_fd[3] = &other->obj;
		assert_int_equal(make_outer(&inst, types[i], 1, &outer), 0);
		by_fd[4] = &outer->obj;
		obj_put(&map->obj); /* what it was made with is not kept */
		by_fd[1] = NULL;
		assert_int_equal(put(outer, 1, 2), 0);
		assert_int_equal(put(outer, 1, 3), -EINVAL);
		assert_int_equal(put(outer, 1, 4), -EINVAL);
		assert_int_equal(make_outer(&inst, types[i], 4, &map), -EINVAL);
		assert_ptr_equal(outer->ops->lookup(outer, &key, 0), like);
		assert_int_equal(like->obj.refs, 2);
		assert_int_equal(put(outer, 1, 2), 0);
		assert_int_equal(like->obj.refs, 2);
		assert_int_equal(map_user_delete(outer, &key), 0);
		assert_int_equal(like->obj.refs, 1);
		assert_null(outer->ops->lookup(outer, &key, 0));
		assert_int_equal(put(outer, 0, 2), 0);
		obj_put(&outer->obj);
		assert_int_equal(like->obj.refs, 1);
		obj_put(&like->obj);
		obj_put(&other->obj);
	}
	inst_done(&inst);
}

static void making_one_may_fail_everywhere(void **state)
{
	static const u32 types[] = {BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_ARRAY_OF_MAPS,
		BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH,
		BPF_MAP_TYPE_CPUMAP};
	struct map *inner, *map;
	struct skep inst;

	inst_start(&inst);
	inner = map_make(&inst, BPF_MAP_TYPE_HASH, 4, 8, 2, 0);
	by_fd[1] = &inner->obj;
	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		u64 nth = 0;
		int err;

		do {
			mem_fail_at(++nth);
			map = NULL;
			err = make_outer(&inst, types[i], 1, &map);
			assert_int_equal(err, mem_did_fail() ? -ENOMEM : 0);
		} while (mem_did_fail());
		mem_fail_at(0);
		assert_true(nth > 2);
		obj_put(&map->obj);
	}
	assert_int_equal(inner->obj.refs, 1);
	obj_put(&inner->obj);
	inst_done(&inst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_array_holds_programs),
		cmocka_unit_test(programs_of_an_array_are_alike),
		cmocka_unit_test(inner_maps_are_like_the_first),
		cmocka_unit_test(making_one_may_fail_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
