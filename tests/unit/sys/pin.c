/*
 * Pins: names, what they keep alive, and their markers in a directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "calls.h"
#include "sys/pin.h"
#include "sys/verbs.h"

static struct target t;
static char dir[64];
static int dir_fd;

static int setup(void **state)
{
	struct skep *skep;

	assert_int_equal(skep_new(NULL, &skep), 0);
	t = target_of(skep);
	*state = skep;
	return 0;
}

static int teardown(void **state)
{
	skep_free(*state);
	return 0;
}

static int setup_dir(void **state)
{
	strcpy(dir, "/tmp/skep-test-pin-XXXXXX");
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	setup(state);
	assert_int_equal(sys_pins_use_dir(*state, dir_fd), 0);
	return 0;
}

static int teardown_dir(void **state)
{
	teardown(state);
	close(dir_fd);
	assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
	return 0;
}

static void paths_have_a_plain_form(void **state)
{
	static const struct {
		const char *path, *plain;
		int err;
	} rows[] = {
		{"/a", "/a", 0},
		{"/sys/fs/bpf/x", "/sys/fs/bpf/x", 0},
		{"//sys///fs/bpf/x", "/sys/fs/bpf/x", 0},
		{"/sys/./fs/bpf/x/", "/sys/fs/bpf/x", 0},
		{"/sys/fs/../x", "/sys/x", 0},
		{"/../../x", "/x", 0},
		{"/a.b/c", "/a.b/c", 0},
		{"", NULL, -ENOENT},
		{"/", NULL, -EINVAL},
		{"/a/..", NULL, -EINVAL},
		{"x", NULL, -EPERM},
		{"./x", NULL, -EPERM},
		{"/a/b.c", NULL, -EPERM},
	};
	char plain[SYS_PIN_PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(sys_pin_path(rows[i].path, plain), rows[i].err);
		if (!rows[i].err)
			assert_string_equal(plain, rows[i].plain);
	}
}

static void long_paths_are_refused(void **state)
{
	char path[5000], plain[SYS_PIN_PATH_MAX];
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[256] = 0;
	assert_int_equal(sys_pin_path(path, plain), 0);
	path[256] = 'a';
	path[257] = 0;
	assert_int_equal(sys_pin_path(path, plain), -ENAMETOOLONG);
	path[257] = 'a';
	for (size_t i = 0; i < sizeof(path); i += 100)
		path[i] = '/';
	path[4096] = 0;
	assert_int_equal(pin(&t, map, path), -ENAMETOOLONG);
	path[4096] = '/';
	path[4090] = 0;
	assert_int_equal(pin(&t, map, path), 0);
	close(map);
	map = get_pin(&t, path, 0);
	assert_true(map >= 0);
	close(map);
}

static void a_pin_keeps_its_object(void **state)
{
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m"), again;

	set(&t, map, 1, 42);
	assert_int_equal(pin(&t, map, "/sys/fs/bpf/m"), 0);
	close(map);
	assert_int_not_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	again = get_pin(&t, "/sys/fs/bpf/../bpf/m", 0);
	assert_int_equal(get(&t, again, 1), 42);
	close(again);
	assert_int_equal(sys_pin_del(*state, "/sys/fs/bpf/m"), 0);
	assert_int_equal(sys_pin_del(*state, "/sys/fs/bpf/m"), -ENOENT);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

static void names_are_taken_once(void **state)
{
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");

	assert_int_equal(pin(&t, map, "/b/m"), 0);
	assert_int_equal(pin(&t, map, "/b/m"), -EEXIST);
	assert_int_equal(pin(&t, map, "/b"), -EEXIST); /* a directory by now */
	assert_int_equal(pin(&t, map, "/b/m/x"), -ENOTDIR);
	assert_int_equal(pin(&t, map, "/b/m2"), 0);
	assert_int_equal(get_pin(&t, "/b", 0), -EACCES);
	assert_int_equal(get_pin(&t, "/c", 0), -ENOENT);
	assert_int_equal(get_pin(&t, "/b/m", 0) < 0, 0);
	close(map);
}

static void pins_are_listed_by_path(void **state)
{
	static const char *const paths[] = {"/b/z", "/a", "/b/y", "/b-", "/b/y2"};
	static const char *const sorted[] = {"/a", "/b-", "/b/y", "/b/y2", "/b/z"};
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	char path[SYS_PIN_PATH_MAX] = "";

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_int_equal(pin(&t, map, paths[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
		assert_int_equal(sys_pin_next(*state, path, path, sizeof(path)), 0);
		assert_string_equal(path, sorted[i]);
	}
	assert_int_equal(sys_pin_next(*state, path, path, sizeof(path)), -ENOENT);
	close(map);
}

static void what_can_be_pinned(void **state)
{
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m"), prog = make_prog(&t, 2), link;
	struct buf text = BUF_INIT;
	u32 ifindex;

	assert_int_equal(sys_dev_add(*state, "veth:a,b", &text, &ifindex), 0);
	link = make_link(&t, prog, ifindex);
	assert_int_equal(pin(&t, prog, "/p"), 0);
	assert_int_equal(pin(&t, link, "/l"), 0);
	assert_int_equal(pin(&t, 987654, "/x"), -EINVAL);
	close(prog);
	close(link);
	prog = get_pin(&t, "/p", 0);
	link = get_pin(&t, "/l", 0);
	assert_true(prog >= 0 && link >= 0);
	assert_int_equal(get_pin(&t, "/l", BPF_F_RDONLY), -EINVAL);
	close(map);
	close(prog);
	close(link);
}

static void path_of(const char *name, char ret[256])
{
	snprintf(ret, 256, "%s/pins%s", dir, name);
}

static void removing_the_marker_removes_the_pin(void **state)
{
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	char path[256];
	struct stat st;

	assert_int_equal(pin(&t, map, "/sys/fs/bpf/m"), 0);
	close(map);
	path_of("/sys/fs/bpf/m", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_not_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	assert_int_equal(get_pin(&t, "/sys/fs/bpf/m", 0), -ENOENT);
	/* the empty directories are the user's to keep or remove */
	path_of("/sys/fs/bpf", path);
	rmdir(path);
	path_of("/sys/fs", path);
	rmdir(path);
	path_of("/sys", path);
	rmdir(path);
	path_of("", path);
	rmdir(path);
}

static void a_marker_made_anew_is_not_the_old_pin(void **state)
{
	int map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	char path[256], kept[256];

	assert_int_equal(pin(&t, map, "/m"), 0);
	path_of("/m", path);
	path_of("/kept", kept);
	assert_int_equal(rename(path, kept), 0); /* so that the number is not used again */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(get_pin(&t, "/m", 0), -ENOENT);
	assert_int_equal(pin(&t, map, "/m"), 0);
	unlink(kept);
	close(map);
}

static void what_a_killed_instance_left_is_removed(void **state)
{
	struct skep *second;
	char path[256];
	struct stat st;

	path_of("", path);
	mkdir(path, 0700);
	path_of("/deep", path);
	mkdir(path, 0700);
	path_of("/deep/m", path);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(skep_new(NULL, &second), 0);
	assert_int_equal(sys_pins_use_dir(second, dir_fd), 0);
	assert_int_equal(stat(path, &st), -1);
	skep_free(second);
	path_of("", path);
	rmdir(path);
}

#define TEST(f)	    cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_DIR(f) cmocka_unit_test_setup_teardown(f, setup_dir, teardown_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_have_a_plain_form),
		TEST(long_paths_are_refused),
		TEST(a_pin_keeps_its_object),
		TEST(names_are_taken_once),
		TEST(pins_are_listed_by_path),
		TEST(what_can_be_pinned),
		TEST_DIR(removing_the_marker_removes_the_pin),
		TEST_DIR(a_marker_made_anew_is_not_the_old_pin),
		TEST_DIR(what_a_killed_instance_left_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
