/*
 * Instances in the background: one a name, found by name, gone after `down`, and recovered from after a
 * kill.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../sys/calls.h"
#include "port/port.h"

static struct port_text err;
static const struct port_opts opts = {.cpus = 1};
static char root[64];

static long on_port(void *arg, int cmd, union bpf_attr *attr, unsigned int size)
{
	struct port *p = arg;

	return p->ops->bpf(p, cmd, attr, size);
}

static void up(const char *name)
{
	if (port_instance_up(name, &opts, &err))
		fail_msg("up %s: %s", name, err.text);
}

static void down(const char *name)
{
	if (port_instance_down(name, &err))
		fail_msg("down %s: %s", name, err.text);
}

static struct port *reach(const char *name)
{
	struct port *p;

	if (port_open_instance(name, &p, &err))
		fail_msg("%s: %s", name, err.text);
	return p;
}

static bool has_file(const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/skep/%s", root, name);
	return !lstat(path, &st);
}

static struct port_instance seen[8];
static int seen_cnt;

static int see(void *arg, const struct port_instance *inst)
{
	seen[seen_cnt++] = *inst;
	return 0;
}

static void look(void)
{
	seen_cnt = 0;
	assert_int_equal(port_instance_each(see, NULL), 0);
}

static void one_comes_up_is_found_and_goes_down(void **state)
{
	struct port *p;

	look();
	assert_int_equal(seen_cnt, 0);
	assert_int_equal(port_open_instance("one", &p, &err), -ENOENT);
	up("one");
	look();
	assert_int_equal(seen_cnt, 1);
	assert_string_equal(seen[0].name, "one");
	assert_int_not_equal(seen[0].pid, getpid());
	assert_int_equal(kill(seen[0].pid, 0), 0);
	assert_true(seen[0].uptime_ns > 0 && seen[0].uptime_ns < 60000000000ull);
	p = reach("one");
	port_close(p);
	down("one");
	assert_false(has_file("one"));
	assert_int_equal(port_open_instance("one", &p, &err), -ENOENT);
	assert_int_equal(port_instance_down("one", &err), -ENOENT);
}

static void the_socket_is_the_users_alone(void **state)
{
	struct stat st;

	up("one");
	look();
	assert_int_equal(stat(seen[0].socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	*strrchr(seen[0].socket, '/') = 0;
	assert_int_equal(stat(seen[0].socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	down("one");
}

static void a_name_runs_once(void **state)
{
	up("one");
	assert_int_equal(port_instance_up("one", &opts, &err), -EEXIST);
	assert_non_null(strstr(err.text, "one"));
	assert_non_null(strstr(err.text, "runs already"));
	up("two");
	look();
	assert_int_equal(seen_cnt, 2);
	assert_string_equal(seen[1].name, "two");
	down("one");
	down("two");
}

static void names_are_checked(void **state)
{
	static const char *const names[] = {"", ".", "..", "a/b", "-a", "a b", ".hidden",
		"0123456789012345678901234567890123456789012345678901234567890123"};
	struct port *p;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(port_instance_up(names[i], &opts, &err), -EINVAL);
		assert_int_equal(port_open_instance(names[i], &p, &err), -EINVAL);
		assert_int_equal(port_instance_down(names[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "no name"));
	}
}

static void a_killed_one_is_recovered_from(void **state)
{
	struct port *p;
	struct target t;
	int fd;

	up("one");
	p = reach("one");
	t = (struct target){on_port, p};
	fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	assert_int_equal(pin(&t, fd, "/sys/fs/bpf/m"), 0);
	assert_true(has_file("one/pins/sys/fs/bpf/m"));
	look();
	assert_int_equal(kill(seen[0].pid, SIGKILL), 0);
	while (!kill(seen[0].pid, 0))
		usleep(1000);
	/* the port says so, and does not wait */
	assert_int_equal(get(&t, fd, 1), -EIO);
	port_close(p);
	close(fd);
	assert_true(has_file("one/ctl.sock"));
	assert_int_equal(port_open_instance("one", &p, &err), -ENOENT);
	look();
	assert_int_equal(seen_cnt, 0);
	up("one");
	assert_false(has_file("one/pins/sys"));
	p = reach("one");
	t.arg = p;
	assert_int_equal(get_pin(&t, "/sys/fs/bpf/m", 0), -ENOENT);
	port_close(p);
	down("one");
	assert_false(has_file("one"));
}

static void sigterm_ends_one(void **state)
{
	up("one");
	look();
	assert_int_equal(kill(seen[0].pid, SIGTERM), 0);
	for (int i = 0; i < 5000 && has_file("one"); i++)
		usleep(1000);
	assert_false(has_file("one"));
}

static void objects_outlive_the_connection_only_if_held(void **state)
{
	struct port *p;
	struct target t;
	int kept, map;

	up("one");
	p = reach("one");
	t = (struct target){on_port, p};
	kept = make_map(&t, BPF_MAP_TYPE_HASH, 0, "kept");
	map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "pinned");
	assert_int_equal(pin(&t, map, "/sys/fs/bpf/m"), 0);
	close(map);
	close(make_map(&t, BPF_MAP_TYPE_HASH, 0, "gone"));
	set(&t, kept, 1, 77);
	port_close(p);
	p = reach("one");
	t.arg = p;
	/* a descriptor made over one connection is an object over any other */
	assert_int_equal(get(&t, kept, 1), 77);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), id_of(&t, kept));
	map = get_pin(&t, "/sys/fs/bpf/m", 0);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, id_of(&t, kept)), id_of(&t, map));
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, id_of(&t, map)), 0);
	port_close(p);
	close(kept);
	close(map);
	down("one");
}

static void removing_a_marker_unpins(void **state)
{
	char path[256];
	struct port *p;
	struct target t;
	int map;

	up("one");
	p = reach("one");
	t = (struct target){on_port, p};
	map = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	assert_int_equal(pin(&t, map, "/sys/fs/bpf/m"), 0);
	close(map);
	assert_int_not_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	snprintf(path, sizeof(path), "%s/skep/one/pins/sys/fs/bpf/m", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	port_close(p);
	down("one");
	snprintf(path, sizeof(path), "rm -r %s/skep/one 2>/dev/null", root);
	if (system(path)) {
	}
}

static void descriptors_and_directory_are_not_inherited(void **state)
{
	char link[64], path[256];
	ssize_t len;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	up("one");
	close(ends[1]);
	/* nobody else has the writing end: reading ends */
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	look();
	snprintf(link, sizeof(link), "/proc/%d/cwd", seen[0].pid);
	len = readlink(link, path, sizeof(path) - 1);
	assert_int_equal(len, 1);
	assert_int_equal(path[0], '/');
	down("one");
}

static void a_local_instance_listens_too(void **state)
{
	struct port *here, *there;
	struct target t_here, t_there;
	int map, again;
	u32 id;

	assert_int_equal(port_open_local(&opts, &here, &err), 0);
	t_here = (struct target){on_port, here};
	map = make_map(&t_here, BPF_MAP_TYPE_HASH, 0, "m");
	assert_int_equal(pin(&t_here, map, "/before"), 0);
	assert_int_equal(here->ops->serve(here, "here", &err), 0);
	assert_int_equal(here->ops->serve(here, "again", &err), -EBUSY);
	assert_true(has_file("here/pins/before"));
	id = id_of(&t_here, map);
	there = reach("here");
	t_there = (struct target){on_port, there};
	again = by_id(&t_there, BPF_MAP_GET_FD_BY_ID, id);
	assert_true(again >= 0);
	set(&t_here, map, 1, 42);
	assert_int_equal(get(&t_there, again, 1), 42);
	assert_int_equal(port_instance_up("here", &opts, &err), -EEXIST);
	port_close(there);
	port_close(here);
	assert_false(has_file("here"));
	close(map);
	close(again);
}

static void what_is_not_ours_is_not_used(void **state)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/skep", root);
	mkdir(path, 0700);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(port_instance_up("one", &opts, &err), -EACCES);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(chmod(path, 0700), 0);
}

static void long_paths_are_explained(void **state)
{
	char deep[256] = "";

	snprintf(deep, sizeof(deep), "%s/%0100d", root, 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	port_instance_root(deep);
	assert_int_equal(port_instance_up("one", &opts, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "107"));
	port_instance_root(root);
	strcat(deep, "/skep");
	rmdir(deep);
	*strrchr(deep, '/') = 0;
	rmdir(deep);
}

static void another_user_may_not_connect(void **state)
{
	struct port *p;
	pid_t pid;
	int status;

	if (geteuid()) {
		print_message("skipped: only root can be another user\n");
		skip();
	}
	up("one");
	/* the folder's mode is the first lock; with it open, the peer's uid is the second */
	look();
	chmod(root, 0755);
	for (int pass = 0; pass < 2; pass++) {
		pid = fork();
		if (!pid) {
			if (setgid(65534) || setuid(65534))
				_exit(2);
			_exit(!port_open_instance("one", &p, &err));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 0);
		if (!pass) {
			char dir[sizeof(seen[0].socket)];

			strcpy(dir, seen[0].socket);
			chmod(dir, 0666);
			*strrchr(dir, '/') = 0;
			chmod(dir, 0755);
			*strrchr(dir, '/') = 0;
			chmod(dir, 0755);
		}
	}
	down("one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_comes_up_is_found_and_goes_down),
		cmocka_unit_test(the_socket_is_the_users_alone),
		cmocka_unit_test(a_name_runs_once),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(a_killed_one_is_recovered_from),
		cmocka_unit_test(sigterm_ends_one),
		cmocka_unit_test(objects_outlive_the_connection_only_if_held),
		cmocka_unit_test(removing_a_marker_unpins),
		cmocka_unit_test(descriptors_and_directory_are_not_inherited),
		cmocka_unit_test(a_local_instance_listens_too),
		cmocka_unit_test(what_is_not_ours_is_not_used),
		cmocka_unit_test(long_paths_are_explained),
		cmocka_unit_test(another_user_may_not_connect),
	};
	int failed;

	strcpy(root, "/tmp/skep-test-inst-XXXXXX");
	if (!mkdtemp(root))
		return 1;
	port_instance_root(root);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir(root) || rmdir("skep") || chdir("/") || rmdir(root)) {
		printf("instances left something in %s\n", root);
		return 1;
	}
	return failed;
}
