/*
 * The two ports of an instance - in this process, and behind its control socket - do the same: every test
 * here runs on both.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../sys/calls.h"
#include "port/port.h"

static struct port *port;
static struct target t;
static struct port_text err;
static char root[64];
static int said_cnt;
static char said[512];

static long on_port(void *arg, int cmd, union bpf_attr *attr, unsigned int size)
{
	return port->ops->bpf(port, cmd, attr, size);
}

static void hear(void *arg, int level, const char *text)
{
	said_cnt++;
	snprintf(said, sizeof(said), "%s", text);
}

static int setup(void)
{
	t = (struct target){on_port, NULL};
	port->say = hear;
	said_cnt = 0;
	said[0] = 0;
	return 0;
}

static int setup_local(void **state)
{
	struct port_opts opts = {.cpus = 2};

	assert_int_equal(port_open_local(&opts, &port, &err), 0);
	return setup();
}

static int teardown_local(void **state)
{
	port_close(port);
	return 0;
}

static int setup_remote(void **state)
{
	struct port_opts opts = {.cpus = 2};

	assert_int_equal(port_instance_up("test", &opts, &err), 0);
	assert_int_equal(port_open_instance("test", &port, &err), 0);
	return setup();
}

static int teardown_remote(void **state)
{
	port_close(port);
	assert_int_equal(port_instance_down("test", &err), 0);
	return 0;
}

/* --- bpf(2) ------------------------------------------------------------------------------------ */

static void maps_are_made_read_and_written(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	u32 key = 1;

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(set(&t, fd, 1, 42), 0);
	assert_int_equal(get(&t, fd, 1), 42);
	assert_int_equal(get(&t, fd, 2), -ENOENT);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, (void *)8, 0), -EFAULT);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, NULL, &key, 0), -EFAULT);
	assert_int_equal(get(&t, -1, 1), -EBADF);
	assert_int_equal(get(&t, 0, 1), -EINVAL);
	assert_int_equal(t.bpf(NULL, BPF_MAP_CREATE, NULL, 72), -EFAULT);
	assert_int_equal(t.bpf(NULL, BPF_MAP_CREATE, (void *)8, 72), -EFAULT);
	assert_int_equal(t.bpf(NULL, BPF_MAP_CREATE, (void *)8, 5000), -E2BIG);
	close(fd);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

static void large_values_are_moved_whole(void **state)
{
	static u8 in[200001], out[200001];
	union sys_attr attr = {0};
	u32 key = 0;
	int fd;

	attr.map_create.map_type = BPF_MAP_TYPE_ARRAY;
	attr.map_create.key_size = 4;
	attr.map_create.value_size = sizeof(in);
	attr.map_create.max_entries = 1;
	fd = call(&t, BPF_MAP_CREATE, &attr);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i * 13;
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, in, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, out, 0), 0);
	assert_memory_equal(in, out, sizeof(in));
	close(fd);
}

static void mapped_values_are_the_maps(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "m");
	u64 *values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(values, MAP_FAILED);
	values[3] = 99;
	assert_int_equal(get(&t, fd, 3), 99);
	close(fd);
	assert_int_not_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	munmap(values, 4096);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

static void programs_are_loaded_run_and_shown(void **state)
{
	int prog = make_prog(&t, 3), again;
	struct bpf_prog_info head = {0};
	union sys_attr attr = {0};
	u8 frame[64] = {0};

	assert_true(prog >= 0);
	attr.uapi.test.prog_fd = prog;
	attr.uapi.test.data_in = (uintptr_t)frame;
	attr.uapi.test.data_size_in = sizeof(frame);
	assert_int_equal(call(&t, BPF_PROG_TEST_RUN, &attr), 0);
	assert_int_equal(attr.uapi.test.retval, 3);
	assert_int_equal(info(&t, prog, &head, sizeof(head)), 0);
	assert_int_equal(head.type, BPF_PROG_TYPE_XDP);
	assert_int_equal(head.created_by_uid, geteuid());
	again = by_id(&t, BPF_PROG_GET_FD_BY_ID, head.id);
	assert_int_equal(id_of(&t, again), head.id);
	close(prog);
	close(again);
	assert_int_equal(by_id(&t, BPF_PROG_GET_FD_BY_ID, head.id), -ENOENT);
}

static void the_log_comes_back(void **state)
{
	const struct bpf_insn no_exit = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
	char log[1000] = "";
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)&no_exit;
	attr.prog_load.insn_cnt = 1;
	attr.prog_load.license = (uintptr_t) "GPL";
	attr.prog_load.log_level = 1;
	attr.prog_load.log_buf = (uintptr_t)log;
	attr.prog_load.log_size = sizeof(log);
	assert_int_equal(call(&t, BPF_PROG_LOAD, &attr), -EINVAL);
	assert_non_null(strstr(log, "last insn is not an exit or jmp"));
	assert_int_equal(attr.prog_load.log_true_size, strlen(log) + 1);
}

static void refusals_are_said(void **state)
{
	union sys_attr attr = {0};

	assert_int_equal(call(&t, BPF_PROG_ATTACH, &attr), -EOPNOTSUPP);
	assert_int_equal(said_cnt, 1);
	assert_non_null(strstr(said, "BPF_PROG_ATTACH"));
}

/* Whether the number came with the call or is asked for in its middle. */
static void descriptors_that_are_not_open_are_ebadf(void **state)
{
	union sys_attr attr = {0};

	assert_int_equal(get(&t, 987654, 1), -EBADF);
	assert_int_equal(get(&t, -1, 1), -EBADF);
	attr.map_create.map_type = BPF_MAP_TYPE_HASH;
	attr.map_create.key_size = attr.map_create.value_size = 4;
	attr.map_create.max_entries = 1;
	attr.map_create.btf_fd = 987654;
	attr.map_create.btf_key_type_id = attr.map_create.btf_value_type_id = 1;
	assert_int_equal(call(&t, BPF_MAP_CREATE, &attr), -EBADF);
	attr.map_create.btf_fd = -1;
	assert_int_equal(call(&t, BPF_MAP_CREATE, &attr), -EBADF);
	attr.map_create.btf_fd = 0;
	assert_int_equal(call(&t, BPF_MAP_CREATE, &attr), -EINVAL);
}

/* The program is not there if its log, or its length, could not be written. */
static void what_cannot_be_written_fails_the_call(void **state)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union sys_attr attr = {0};
	u32 key = 0;
	int fd;

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = 2;
	attr.prog_load.license = (uintptr_t) "GPL";
	attr.prog_load.log_level = 1;
	attr.prog_load.log_buf = 8;
	attr.prog_load.log_size = 1000;
	assert_int_equal(call(&t, BPF_PROG_LOAD, &attr), -EFAULT);
	assert_int_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	fd = make_map(&t, BPF_MAP_TYPE_ARRAY, 0, "m");
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, (void *)8, 0), -EFAULT);
	assert_int_equal(elem(&t, BPF_MAP_GET_NEXT_KEY, fd, &key, (void *)8, 0), -EFAULT);
	close(fd);
}

static void a_full_descriptor_table_is_emfile(void **state)
{
	struct rlimit before, few;
	u32 made = 0;
	int fds[64], last;

	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 40;
	setrlimit(RLIMIT_NOFILE, &few);
	while ((last = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m")) >= 0 && made < 63)
		fds[made++] = last;
	assert_int_equal(last, -EMFILE);
	/* the call that failed left no map, and the connection works */
	for (u32 id = 0, i = 0; i <= made; i++) {
		id = next_id(&t, BPF_MAP_GET_NEXT_ID, id);
		assert_int_equal(!id, i == made);
	}
	while (made)
		close(fds[--made]);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void pins_are_kept_and_listed(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	struct statfs st;

	assert_int_equal(port->ops->statfs(port, "/sys/fs/bpf", &st), 0);
	assert_int_equal(st.f_type, BPF_FS_MAGIC);
	set(&t, fd, 1, 5);
	assert_int_equal(pin(&t, fd, "/sys/fs/bpf/m"), 0);
	assert_int_equal(pin(&t, fd, "/sys/fs/bpf/m"), -EEXIST);
	close(fd);
	fd = get_pin(&t, "/sys/fs/bpf/m", 0);
	assert_int_equal(get(&t, fd, 1), 5);
	close(fd);
}

static int note_path(void *arg, const char *path)
{
	char *all = arg;

	strcat(all, path);
	strcat(all, " ");
	return strcmp(path, "/c") ? 0 : 7;
}

static void listing_stops_when_told(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	char all[100] = "";

	pin(&t, fd, "/d");
	pin(&t, fd, "/a");
	assert_int_equal(port->ops->pin_each(port, note_path, all), 0);
	assert_string_equal(all, "/a /d ");
	pin(&t, fd, "/c");
	all[0] = 0;
	assert_int_equal(port->ops->pin_each(port, note_path, all), 7);
	assert_string_equal(all, "/a /c ");
	close(fd);
}

static void fdinfo_has_its_keys(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	u64 value = 7;

	assert_int_equal(port->ops->fdinfo(port, fd, "frozen", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(port->ops->fdinfo(port, fd, "memlock", &value), 0);
	assert_true(value > 0);
	assert_int_equal(port->ops->fdinfo(port, fd, "owner_jited", &value), -ENOENT);
	assert_int_equal(port->ops->fdinfo(port, -1, "frozen", &value), -EBADF);
	close(fd);
}

/* --- devices ----------------------------------------------------------------------------------- */

static u32 add(const char *spec)
{
	u32 ifindex = 0;

	assert_int_equal(port->ops->dev_add(port, spec, &ifindex, &err), 0);
	assert_true(ifindex > 0);
	return ifindex;
}

static int note_dev(void *arg, const struct port_dev *dev)
{
	char *all = arg;

	sprintf(all + strlen(all), "%u:%s:%s ", dev->ifindex, dev->name, dev->kind);
	return 0;
}

static void devices_are_added_listed_and_removed(void **state)
{
	char all[200] = "", name[PORT_IFNAME_MAX];
	u32 ifindex = add("veth:left,right");

	assert_int_equal(port->ops->dev_each(port, note_dev, all), 0);
	assert_string_equal(all, "1:left:veth 2:right:veth ");
	assert_int_equal(port->ops->if_index(port, "right"), 2);
	assert_int_equal(port->ops->if_index(port, "middle"), -ENODEV);
	assert_int_equal(port->ops->if_name(port, 2, name), 0);
	assert_string_equal(name, "right");
	assert_int_equal(port->ops->if_name(port, 3, name), -ENODEV);
	assert_int_equal(port->ops->dev_del(port, ifindex, &err), 0);
	assert_int_equal(port->ops->dev_del(port, ifindex, &err), -ENODEV);
	all[0] = 0;
	assert_int_equal(port->ops->dev_each(port, note_dev, all), 0);
	assert_string_equal(all, "");
}

static void wrong_devices_are_explained(void **state)
{
	static const struct {
		const char *spec, *says;
		int err;
	} rows[] = {
		{"nonsense", "unknown kind", -EINVAL},
		{"", "unknown kind", -EINVAL},
		{"pcap:/none/such.pcap", "/none/such.pcap", -ENOENT},
		{"left=veth:left,left", "left", -EEXIST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 ifindex;
		int ret = port->ops->dev_add(port, rows[i].spec, &ifindex, &err);

		if (ret >= 0 || !strstr(err.text, rows[i].says))
			fail_msg("'%s' gives %d: %s", rows[i].spec, ret, err.text);
	}
}

static void programs_are_attached_and_queried(void **state)
{
	u32 ifindex = add("veth:a,b");
	int prog = make_prog(&t, 2), link;
	struct port_xdp xdp;

	assert_int_equal(port->ops->xdp_query(port, ifindex, &xdp), 0);
	assert_int_equal(xdp.mode, XDP_ATTACHED_NONE);
	assert_int_equal(port->ops->xdp_attach(port, ifindex, prog, 0, &err), 0);
	assert_int_equal(port->ops->xdp_query(port, ifindex, &xdp), 0);
	assert_int_equal(xdp.mode, XDP_ATTACHED_DRV);
	assert_int_equal(xdp.prog_id, id_of(&t, prog));
	assert_int_equal(make_link(&t, prog, ifindex), -EBUSY);
	assert_int_equal(
		port->ops->xdp_attach(port, ifindex, prog, XDP_FLAGS_UPDATE_IF_NOEXIST, &err),
		-EBUSY);
	assert_int_equal(port->ops->xdp_attach(port, 77, prog, 0, &err), -ENODEV);
	assert_int_equal(port->ops->xdp_attach(port, ifindex, 0, 0, &err), -EINVAL);
	/* the device holds the program */
	close(prog);
	assert_int_not_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	assert_int_equal(port->ops->xdp_attach(port, ifindex, -1, 0, &err), 0);
	assert_int_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	/* a link goes with its descriptor */
	prog = make_prog(&t, 2);
	link = make_link(&t, prog, ifindex);
	assert_true(link >= 0);
	assert_int_equal(port->ops->xdp_attach(port, ifindex, prog, 0, &err), -EBUSY);
	close(link);
	assert_int_equal(port->ops->xdp_query(port, ifindex, &xdp), 0);
	assert_int_equal(xdp.mode, XDP_ATTACHED_NONE);
	close(prog);
}

static void write_capture(const char *path, u32 cnt)
{
	const u32 head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	for (u32 i = 0; i < cnt; i++) {
		const u32 rec[4] = {i, 0, 60, 60};
		u8 frame[60] = {0};

		fwrite(rec, sizeof(rec), 1, f);
		fwrite(frame, sizeof(frame), 1, f);
	}
	fclose(f);
}

static volatile sig_atomic_t stop;

static struct port_dev found;

static int take_first(void *arg, const struct port_dev *dev)
{
	found = *dev;
	return 1;
}

/* A relative path is this process's, wherever the instance runs. */
static void a_capture_is_run_to_its_end(void **state)
{
	const struct port_run run = {.stop = &stop};
	int prog = make_prog(&t, 1);
	u32 ifindex;

	assert_int_equal(chdir(root), 0);
	write_capture("in.pcap", 100);
	ifindex = add("cap=pcap:in.pcap");
	port->ops->xdp_attach(port, ifindex, prog, 0, &err);
	assert_int_equal(port->ops->run(port, &run, &err), 0);
	assert_int_equal(port->ops->dev_each(port, take_first, NULL), 1);
	assert_string_equal(found.name, "cap");
	assert_int_equal(found.rx_packets, 100);
	assert_true(found.has_counters);
	/* the instance elsewhere may have begun before the program was there */
	if (!strcmp(port->ops->name, "local")) {
		assert_int_equal(found.xdp[1], 100);
		assert_int_equal(found.passed, 0);
	}
	unlink("in.pcap");
	close(prog);
}

static void stopping_ends_a_run(void **state)
{
	const struct port_run run = {.stop = &stop};

	add("veth:a,b");
	stop = 1;
	assert_int_equal(port->ops->run(port, &run, &err), 0);
	stop = 0;
}

/* --- trace ------------------------------------------------------------------------------------- */

static void wake(int sig)
{
}

static void trace_lines_are_read_and_waiting_can_be_interrupted(void **state)
{
	/* bpf_trace_printk("hi", 3): on the stack as a number */
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 0x006968},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 1, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 3},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_trace_printk},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};
	/* Again and again: the first may come before the read has begun to wait. */
	const struct itimerval soon = {{.tv_usec = 100000}, {.tv_usec = 100000}}, never = {0};
	struct sigaction act = {.sa_handler = wake};
	union sys_attr attr = {0};
	char line[300], part[5];
	u8 frame[64] = {0};
	long len;
	int prog;

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)insns;
	attr.prog_load.insn_cnt = ARRAY_SIZE(insns);
	attr.prog_load.license = (uintptr_t) "GPL";
	prog = call(&t, BPF_PROG_LOAD, &attr);
	assert_true(prog >= 0);
	attr = (union sys_attr){0};
	attr.uapi.test.prog_fd = prog;
	attr.uapi.test.data_in = (uintptr_t)frame;
	attr.uapi.test.data_size_in = sizeof(frame);
	attr.uapi.test.repeat = 2;
	assert_int_equal(call(&t, BPF_PROG_TEST_RUN, &attr), 0);
	assert_int_equal(port->ops->trace_read(port, part, sizeof(part)), sizeof(part));
	len = port->ops->trace_read(port, line, sizeof(line) - 1);
	assert_true(len > 0);
	line[len] = 0;
	assert_non_null(strstr(line, "bpf_trace_printk: hi\n"));
	assert_string_equal(line + len - 4, " hi\n");
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(port->ops->trace_read(port, line, sizeof(line)), -EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	close(prog);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(maps_are_made_read_and_written),
		BOTH(large_values_are_moved_whole),
		BOTH(mapped_values_are_the_maps),
		BOTH(programs_are_loaded_run_and_shown),
		BOTH(the_log_comes_back),
		BOTH(refusals_are_said),
		BOTH(descriptors_that_are_not_open_are_ebadf),
		BOTH(what_cannot_be_written_fails_the_call),
		BOTH(a_full_descriptor_table_is_emfile),
		BOTH(pins_are_kept_and_listed),
		BOTH(listing_stops_when_told),
		BOTH(fdinfo_has_its_keys),
		BOTH(devices_are_added_listed_and_removed),
		BOTH(wrong_devices_are_explained),
		BOTH(programs_are_attached_and_queried),
		BOTH(a_capture_is_run_to_its_end),
		BOTH(stopping_ends_a_run),
		BOTH(trace_lines_are_read_and_waiting_can_be_interrupted),
	};
	int failed;

	strcpy(root, "/tmp/skep-test-ports-XXXXXX");
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
