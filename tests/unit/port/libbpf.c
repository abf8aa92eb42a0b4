/*
 * Debian's libbpf, linked with --wrap=syscall, opens and loads an object compiled by clang - with no bpf(2) of
 * the kernel involved: as root the test goes on as user nobody, who may not use it.
 *
 * libbpf OBJECT.bpf.o GLOBALS.bpf.o
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/types.h"
#include "port/port.h"

enum { NOBODY = 65534, SKIPPED = 77 };

static const char *object_path, *globals_path;
static struct port *port;
static char root[64];
static struct port_text err;
static const struct port_opts opts = {.cpus = 2};

static int setup_local(void **state)
{
	assert_int_equal(port_open_local(&opts, &port, &err), 0);
	port_use(port);
	return 0;
}

static int setup_remote(void **state)
{
	assert_int_equal(port_instance_up("libbpf", &opts, &err), 0);
	assert_int_equal(port_open_instance("libbpf", &port, &err), 0);
	port_use(port);
	return 0;
}

static int teardown_local(void **state)
{
	port_close(port);
	return 0;
}

static int teardown_remote(void **state)
{
	port_close(port);
	assert_int_equal(port_instance_down("libbpf", &err), 0);
	return 0;
}

/* An Ethernet frame with an IPv4 packet from 192.168.1.5. */
static const u8 frame[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0,
	64, 17, 0, 0, 192, 168, 1, 5, 10, 0, 0, 1};

static u32 run(struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_test_run_opts, run_opts, .data_in = frame, .data_size_in = sizeof(frame));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &run_opts), 0);
	return run_opts.retval;
}

static void an_object_is_loaded_and_its_maps_are_used(void **state)
{
	struct bpf_object *obj = bpf_object__open_file(object_path, NULL);
	struct bpf_program *prog;
	struct bpf_map *blocklist;
	u8 source[4] = {192, 168, 1, 5};
	u64 value[8] = {0};

	assert_non_null(obj);
	assert_int_equal(bpf_object__load(obj), 0);
	prog = bpf_object__next_program(obj, NULL);
	blocklist = bpf_object__find_map_by_name(obj, "blocklist");
	assert_non_null(prog);
	assert_non_null(blocklist);
	assert_int_equal(bpf_map__key_size(blocklist), 4);
	assert_true(bpf_map__value_size(blocklist) <= sizeof(value));
	assert_int_equal(run(prog), 2);
	value[0] = 1;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(blocklist), source, value, BPF_ANY), 0);
	assert_int_equal(run(prog), 1);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(blocklist), source), 0);
	assert_int_equal(run(prog), 2);
	bpf_object__close(obj);
}

static void what_libbpf_loads_can_be_shown(void **state)
{
	struct bpf_object *obj = bpf_object__open_file(object_path, NULL);
	struct bpf_prog_info info = {0};
	struct bpf_btf_info btf_info = {0};
	u32 len = sizeof(info), id = 0, maps = 0;
	int fd;

	assert_int_equal(bpf_object__load(obj), 0);
	fd = bpf_program__fd(bpf_object__next_program(obj, NULL));
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	assert_true(info.btf_id && info.nr_line_info && info.nr_func_info);
	assert_int_equal(info.gpl_compatible, 1);
	while (!bpf_map_get_next_id(id, &id))
		maps++;
	assert_true(maps >= info.nr_map_ids && info.nr_map_ids > 0);
	fd = bpf_btf_get_fd_by_id(info.btf_id);
	len = sizeof(btf_info);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &btf_info, &len), 0);
	assert_true(btf_info.btf_size > 100);
	close(fd);
	bpf_object__close(obj);
	id = 0;
	assert_int_equal(bpf_map_get_next_id(id, &id), -ENOENT);
	assert_int_equal(bpf_btf_get_next_id(id, &id), -ENOENT);
	assert_int_equal(bpf_prog_get_next_id(id, &id), -ENOENT);
}

/* What a skeleton of libbpf does once the object is loaded. */
static int *map_values(struct bpf_map *map)
{
	void *values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_ptr_not_equal(values, MAP_FAILED);
	return values;
}

/* The maps behind .data and .bss are mapped: what programs write is read in place. */
static void global_data_is_shared(void **state)
{
	struct bpf_object *obj = bpf_object__open_file(globals_path, NULL);
	struct bpf_program *prog = bpf_object__next_program(obj, NULL);
	struct bpf_map *rodata, *data, *bss, *map;
	size_t size;
	int *limit, *seen, *over;

	rodata = data = bss = NULL;
	bpf_object__for_each_map(map, obj)
	{
		if (strstr(bpf_map__name(map), ".rodata") && !rodata)
			rodata = map;
		else if (strstr(bpf_map__name(map), ".data"))
			data = map;
		else if (strstr(bpf_map__name(map), ".bss"))
			bss = map;
	}
	assert_true(rodata && data && bss);
	limit = (int *)bpf_map__initial_value(rodata, &size);
	assert_int_equal(*limit, 1);
	*limit = 42;
	assert_int_equal(bpf_object__load(obj), 0);
	seen = map_values(data);
	over = map_values(bss);
	for (int i = 41; i < 45; i++) {
		run(prog);
		assert_int_equal(*seen, i);
		assert_int_equal(*over, i > 42 ? i - 42 : 0);
	}
	*seen = 0;
	run(prog);
	assert_int_equal(*seen, 1);
	assert_ptr_equal(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(rodata), 0),
		MAP_FAILED);
	bpf_object__close(obj);
	munmap(seen, 4096);
	munmap(over, 4096);
}

static void pins_outlive_the_object(void **state)
{
	struct bpf_object *obj = bpf_object__open_file(object_path, NULL);
	struct bpf_program *prog = bpf_object__next_program(obj, NULL);
	int fd;

	assert_int_equal(bpf_object__load(obj), 0);
	assert_int_equal(bpf_program__pin(prog, "/sys/fs/bpf/firewall"), 0);
	bpf_object__close(obj);
	fd = bpf_obj_get("/sys/fs/bpf/firewall");
	assert_true(fd >= 0);
	close(fd);
}

static void the_kernel_is_not_asked(void **state)
{
	union bpf_attr attr = {0};

	if (!geteuid()) {
		print_message("skipped: root may use the kernel's bpf(2)\n");
		skip();
	}
	assert_int_equal(port_real_syscall(__NR_bpf, BPF_PROG_GET_NEXT_ID, (long)&attr,
				 sizeof(attr), 0, 0, 0),
		-1);
	assert_int_equal(errno, EPERM);
}

#define LOCAL(f)                                                                                   \
	{                                                                                          \
		"local: " #f, f, setup_local, teardown_local, NULL                                 \
	}
#define REMOTE(f)                                                                                  \
	{                                                                                          \
		"remote: " #f, f, setup_remote, teardown_remote, NULL                              \
	}
#define BOTH(f) LOCAL(f), REMOTE(f)

/* Execs itself, because a process that only changes its user may not look into its own /proc. */
static void become_nobody(char **argv)
{
	char *again[] = {argv[0], argv[1], argv[2], NULL};

	if (access(argv[0], X_OK) || setgid(NOBODY) || setuid(NOBODY))
		return;
	if (access(argv[0], X_OK) || access(argv[1], R_OK)) {
		printf("skipped: nobody may not read %s\n", argv[1]);
		exit(SKIPPED);
	}
	execv(argv[0], again);
	exit(1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(an_object_is_loaded_and_its_maps_are_used),
		BOTH(what_libbpf_loads_can_be_shown),
		BOTH(global_data_is_shared),
		BOTH(pins_outlive_the_object),
		LOCAL(the_kernel_is_not_asked),
	};
	int failed;

	if (argc < 3)
		return 1;
	if (!geteuid())
		become_nobody(argv);
	printf("as user %u\n", geteuid());
	object_path = argv[1];
	globals_path = argv[2];
	strcpy(root, "/tmp/skep-test-libbpf-XXXXXX");
	if (!mkdtemp(root))
		return 1;
	port_instance_root(root);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir(root) || rmdir("skep") || chdir("/") || rmdir(root))
		return 1;
	return failed;
}
