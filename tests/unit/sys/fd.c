/*
 * Descriptors: an object lives exactly as long as one of them, or something else that holds it, is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "calls.h"
#include "core/inst.h"
#include "sys/verbs.h"

static struct target t;

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

static u32 map_cnt(void)
{
	u32 cnt = 0;

	for (u32 id = 0; (id = next_id(&t, BPF_MAP_GET_NEXT_ID, id));)
		cnt++;
	return cnt;
}

static int new_map(void)
{
	return make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
}

static void closing_the_only_descriptor_ends_a_map(void **state)
{
	int fd = new_map();
	u32 id = id_of(&t, fd);

	assert_int_equal(map_cnt(), 1);
	close(fd);
	assert_int_equal(by_id(&t, BPF_MAP_GET_FD_BY_ID, id), -ENOENT);
	assert_int_equal(map_cnt(), 0);
}

static void a_dup_keeps_a_map(void **state)
{
	int fd = new_map(), copy = dup(fd);

	set(&t, fd, 1, 42);
	close(fd);
	assert_int_equal(map_cnt(), 1);
	assert_int_equal(get(&t, copy, 1), 42);
	close(copy);
	assert_int_equal(map_cnt(), 0);
}

static void descriptors_may_be_closed_in_any_order(void **state)
{
	int first = new_map(), second, third;
	u32 id = id_of(&t, first);

	second = by_id(&t, BPF_MAP_GET_FD_BY_ID, id);
	third = by_id(&t, BPF_MAP_GET_FD_BY_ID, id);
	assert_true(second >= 0 && third >= 0);
	close(second);
	assert_int_equal(map_cnt(), 1);
	close(first);
	assert_int_equal(map_cnt(), 1);
	assert_int_equal(set(&t, third, 1, 1), 0);
	close(third);
	assert_int_equal(map_cnt(), 0);
}

static void a_child_that_inherited_keeps_a_map(void **state)
{
	int go[2], fd = new_map(), status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	close(go[0]);
	close(fd);
	assert_int_equal(map_cnt(), 1);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(map_cnt(), 0);
}

static void send_fd(int sock, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr head = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&head);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &head, 0), 1);
}

static int receive_fd(int sock)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec part = {&byte, 1};
	struct msghdr head = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	int fd;

	assert_int_equal(recvmsg(sock, &head, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&head)), sizeof(fd));
	return fd;
}

static void a_descriptor_in_flight_keeps_a_map(void **state)
{
	int ends[2], fd = new_map();

	set(&t, fd, 1, 7);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	send_fd(ends[0], fd);
	close(fd);
	assert_int_equal(map_cnt(), 1);
	fd = receive_fd(ends[1]);
	assert_int_equal(get(&t, fd, 1), 7);
	close(fd);
	assert_int_equal(map_cnt(), 0);
	close(ends[0]);
	close(ends[1]);
}

static void a_mapping_keeps_a_map_and_shows_its_values(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "m");
	volatile u64 *values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	u32 id = id_of(&t, fd);

	assert_ptr_not_equal((void *)values, MAP_FAILED);
	set(&t, fd, 1, 42);
	assert_int_equal(values[1], 42);
	values[2] = 43;
	assert_int_equal(get(&t, fd, 2), 43);
	close(fd);
	assert_int_equal(map_cnt(), 1);
	fd = by_id(&t, BPF_MAP_GET_FD_BY_ID, id);
	assert_int_equal(get(&t, fd, 2), 43);
	close(fd);
	munmap((void *)values, 4096);
	assert_int_equal(map_cnt(), 0);
}

/* Else a user could take the memory away from under the programs. */
static void a_map_cannot_be_cut_or_filled_through_its_descriptor(void **state)
{
	int array = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "m"), hash = new_map();

	assert_int_equal(ftruncate(array, 0), -1);
	assert_int_equal(ftruncate(array, 1 << 20), -1);
	assert_int_equal(ftruncate(hash, 1), -1);
	assert_int_equal(write(hash, "x", 1), -1);
	close(array);
	close(hash);
}

static void a_frozen_map_takes_no_writable_mapping(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "m");
	union sys_attr attr = {.uapi.map_fd = fd};

	assert_int_equal(call(&t, BPF_MAP_FREEZE, &attr), 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EPERM);
	assert_ptr_not_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
}

/* The verifier may take such values for constants once the map is frozen. */
static void a_map_that_programs_only_read_takes_no_writable_mapping(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG, "m");

	assert_true(fd >= 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(set(&t, fd, 1, 5), 0);
	assert_int_equal(get(&t, fd, 1), 5);
	close(fd);
}

static void a_program_keeps_its_map_and_a_link_its_program(void **state)
{
	struct buf text = BUF_INIT;
	u32 ifindex, map_id;
	int map = new_map(), prog, link;

	assert_int_equal(sys_dev_add(*state, "veth:a,b", &text, &ifindex), 0);
	map_id = id_of(&t, map);
	prog = make_prog_with_map(&t, map);
	assert_true(prog >= 0);
	close(map);
	assert_int_equal(map_cnt(), 1);
	link = make_link(&t, prog, ifindex);
	assert_true(link >= 0);
	close(prog);
	assert_int_not_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	map = by_id(&t, BPF_MAP_GET_FD_BY_ID, map_id);
	assert_true(map >= 0);
	close(map);
	close(link);
	assert_int_equal(map_cnt(), 0);
	assert_int_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	assert_int_equal(next_id(&t, BPF_LINK_GET_NEXT_ID, 0), 0);
}

/* What only a dead program held is not found by its id either, whatever was asked before. */
static void an_id_held_by_a_dead_program_only_is_gone(void **state)
{
	int map = new_map(), prog = make_prog_with_map(&t, map);
	u32 id = id_of(&t, map);

	close(map);
	close(prog);
	assert_int_equal(by_id(&t, BPF_MAP_GET_FD_BY_ID, id), -ENOENT);
}

static void a_closed_link_frees_its_device(void **state)
{
	struct buf text = BUF_INIT;
	struct sys_dev dev;
	u32 ifindex;
	int prog = make_prog(&t, 2), link;

	assert_int_equal(sys_dev_add(*state, "veth:a,b", &text, &ifindex), 0);
	link = make_link(&t, prog, ifindex);
	assert_true(link >= 0);
	assert_int_equal(make_link(&t, prog, ifindex), -EBUSY);
	close(link);
	link = make_link(&t, prog, ifindex);
	assert_true(link >= 0);
	assert_int_equal(sys_dev_get(*state, ifindex, &dev), 0);
	assert_int_equal(dev.prog_id, id_of(&t, prog));
	close(link);
	assert_int_equal(sys_dev_next(*state, 0, &dev), 0);
	assert_int_equal(dev.prog_id, 0);
	close(prog);
}

static void descriptors_of_others_are_not_objects(void **state)
{
	int file = open("/dev/null", O_RDWR), memfd = memfd_create("bpf-map", 0);
	struct skep *other;
	struct target t2;
	int fd;

	assert_int_equal(skep_new(NULL, &other), 0);
	t2 = target_of(other);
	fd = make_map(&t2, BPF_MAP_TYPE_HASH, 0, "m");
	assert_int_equal(get(&t, file, 1), -EINVAL);
	assert_int_equal(get(&t, memfd, 1), -EINVAL);
	assert_int_equal(get(&t, fd, 1), -EINVAL);
	assert_int_equal(get(&t, 987654, 1), -EBADF);
	assert_int_equal(get(&t, -1, 1), -EBADF);
	skep_free(other);
	/* dead: its instance is gone */
	assert_int_equal(get(&t, fd, 1), -EINVAL);
	close(fd);
	close(memfd);
	close(file);
}

static void modes_decide_who_reads_and_writes(void **state)
{
	static const struct {
		u32 flags;
		long set, get;
	} rows[] = {
		{0, 0, 5},
		{BPF_F_RDONLY, -EPERM, -ENOENT},
		{BPF_F_WRONLY, 0, -EPERM},
		{BPF_F_RDONLY | BPF_F_WRONLY, -EINVAL, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = make_map(&t, BPF_MAP_TYPE_HASH, rows[i].flags, "m");

		if (rows[i].get == -EINVAL) {
			assert_int_equal(fd, -EINVAL);
			continue;
		}
		assert_int_equal(set(&t, fd, 1, 5), rows[i].set);
		assert_int_equal(get(&t, fd, 1), rows[i].get);
		close(fd);
		assert_int_equal(map_cnt(), 0);
	}
}

static void many_write_only_descriptors_live_side_by_side(void **state)
{
	int fds[20];

	for (int i = 0; i < 20; i++) {
		fds[i] = make_map(&t, BPF_MAP_TYPE_HASH, BPF_F_WRONLY, "m");
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(map_cnt(), 20);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	assert_int_equal(map_cnt(), 0);
}

static void descriptors_close_on_exec(void **state)
{
	int fd = new_map();

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void a_full_descriptor_table_is_emfile_and_leaves_nothing(void **state)
{
	struct rlimit before, few;
	u32 made = 0;
	int fds[64], err;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((err = new_map()) >= 0)
		fds[made++] = err;
	assert_int_equal(err, -EMFILE);
	assert_int_equal(map_cnt(), made);
	assert_true(made > 5);
	/* what was closed makes room again, anchors included */
	for (u32 i = 0; i < made; i++)
		close(fds[i]);
	for (u32 i = 0; i < made; i++) {
		fds[i] = new_map();
		assert_true(fds[i] >= 0);
	}
	for (u32 i = 0; i < made; i++)
		close(fds[i]);
	assert_int_equal(map_cnt(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void dead_objects_do_not_pile_up(void **state)
{
	struct skep *inst = *state;

	for (int i = 0; i < 500; i++)
		close(new_map());
	assert_true(inst->tables[OBJ_MAP].cnt < 64);
}

static void an_anchor_that_somebody_closed_is_let_go(void **state)
{
	struct skep *inst = *state;
	int fd = new_map(), anchor = inst->tables[OBJ_MAP].objs[0]->anchor_fd, file;

	close(anchor);
	close(fd);
	file = open("/dev/null", O_RDONLY);
	assert_int_equal(map_cnt(), 0);
	file = fcntl(file, F_DUPFD, anchor);
	/* the number that was ours belongs to another file now, which stays open */
	assert_true(fcntl(file, F_GETFD) >= 0);
	close(file);
}

static void freeing_an_instance_with_everything_in_use_is_fine(void **state)
{
	struct buf text = BUF_INIT;
	struct skep *skep;
	struct target t2;
	int map, prog, link;
	u32 ifindex;

	assert_int_equal(skep_new(NULL, &skep), 0);
	t2 = target_of(skep);
	map = make_map(&t2, BPF_MAP_TYPE_HASH, 0, "m");
	prog = make_prog_with_map(&t2, map);
	assert_int_equal(sys_dev_add(skep, "veth:a,b", &text, &ifindex), 0);
	link = make_link(&t2, prog, ifindex);
	assert_int_equal(pin(&t2, map, "/sys/fs/bpf/m"), 0);
	assert_int_equal(pin(&t2, link, "/sys/fs/bpf/l"), 0);
	skep_free(skep);
	close(map);
	close(prog);
	close(link);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closing_the_only_descriptor_ends_a_map),
		TEST(a_dup_keeps_a_map),
		TEST(descriptors_may_be_closed_in_any_order),
		TEST(a_child_that_inherited_keeps_a_map),
		TEST(a_descriptor_in_flight_keeps_a_map),
		TEST(a_mapping_keeps_a_map_and_shows_its_values),
		TEST(a_map_cannot_be_cut_or_filled_through_its_descriptor),
		TEST(a_frozen_map_takes_no_writable_mapping),
		TEST(a_map_that_programs_only_read_takes_no_writable_mapping),
		TEST(a_program_keeps_its_map_and_a_link_its_program),
		TEST(an_id_held_by_a_dead_program_only_is_gone),
		TEST(a_closed_link_frees_its_device),
		TEST(descriptors_of_others_are_not_objects),
		TEST(modes_decide_who_reads_and_writes),
		TEST(many_write_only_descriptors_live_side_by_side),
		TEST(descriptors_close_on_exec),
		TEST(a_full_descriptor_table_is_emfile_and_leaves_nothing),
		TEST(dead_objects_do_not_pile_up),
		TEST(an_anchor_that_somebody_closed_is_let_go),
		TEST(freeing_an_instance_with_everything_in_use_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
