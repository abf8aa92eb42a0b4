/*
 * Commands of bpf(2) on an instance: what they do when all is well, with memory running out at every
 * point, and the rules that need no kernel beside to be compared with (tests/diff/bpf_attr.c does that).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "calls.h"
#include "core/inst.h"
#include "sys/fd.h"
#include "sys/pin.h"
#include "sys/caller.h"
#include "sys/verbs.h"

static struct target t;
static char said[1024];

static void hear(void *arg, enum skep_log_level level, const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static int setup(void **state)
{
	struct skep_options opts = {.sz = sizeof(opts), .log = hear, .cpu_cnt = 3};
	struct skep *skep;

	assert_int_equal(skep_new(&opts, &skep), 0);
	t = target_of(skep);
	said[0] = 0;
	*state = skep;
	return 0;
}

static int teardown(void **state)
{
	skep_free(*state);
	return 0;
}

static void options_are_checked(void **state)
{
	struct {
		struct skep_options opts;
		u64 newer;
	} big = {.opts = {.sz = sizeof(big)}};
	struct skep_options opts = {.sz = sizeof(opts), .flags = 1 << 30};
	struct skep *skep;

	assert_int_equal(skep_new(&opts, &skep), -EINVAL);
	opts.flags = 0;
	opts.sz = 4;
	assert_int_equal(skep_new(&opts, &skep), -EINVAL);
	opts.sz = sizeof(opts);
	opts.cpu_cnt = 1000000;
	assert_int_equal(skep_new(&opts, &skep), -EINVAL);
	assert_int_equal(skep_new(&big.opts, &skep), 0);
	skep_free(skep);
	big.newer = 1;
	assert_int_equal(skep_new(&big.opts, &skep), -EINVAL);
	skep_free(NULL);
}

static void elements_come_and_go(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	u32 key = 0, next, seen = 0;

	assert_int_equal(get(&t, fd, 1), -ENOENT);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(set(&t, fd, i, i * 10), 0);
	assert_int_equal(set(&t, fd, 8, 1), -E2BIG);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(get(&t, fd, i), i * 10);
	for (void *at = NULL; !elem(&t, BPF_MAP_GET_NEXT_KEY, fd, at, &next, 0); at = &key) {
		key = next;
		seen |= 1 << key;
	}
	assert_int_equal(seen, 0xff);
	key = 3;
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, fd, &key, NULL, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, fd, &key, NULL, 0), -ENOENT);
	close(fd);
}

static void per_cpu_values_are_read_and_written_together(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_PERCPU_ARRAY, 0, "m");
	u64 in[3] = {11, 22, 33}, out[4] = {0, 0, 0, 77};
	u32 key = 2;

	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, in, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, out, 0), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(out[3], 77);
	close(fd);
}

static void values_that_do_not_fit_a_page_are_moved_whole(void **state)
{
	union sys_attr attr = {0};
	static u8 in[300000], out[300000];
	u32 key = 0;
	int fd;

	attr.map_create.map_type = BPF_MAP_TYPE_ARRAY;
	attr.map_create.key_size = 4;
	attr.map_create.value_size = sizeof(in);
	attr.map_create.max_entries = 1;
	fd = call(&t, BPF_MAP_CREATE, &attr);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i * 7;
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, in, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, out, 0), 0);
	assert_memory_equal(in, out, sizeof(in));
	close(fd);
}

static void ids_rise_and_are_not_used_again(void **state)
{
	int first = make_map(&t, BPF_MAP_TYPE_HASH, 0, "a"), second;
	u32 id = id_of(&t, first);

	close(first);
	second = make_map(&t, BPF_MAP_TYPE_HASH, 0, "b");
	assert_int_equal(id_of(&t, second), id + 1);
	close(second);
}

static void commands_that_are_not_available_are_named(void **state)
{
	union sys_attr attr = {0};

	assert_int_equal(call(&t, BPF_PROG_ATTACH, &attr), -EOPNOTSUPP);
	assert_non_null(strstr(said, "BPF_PROG_ATTACH"));
	assert_int_equal(call(&t, 38, &attr), -EINVAL);
	assert_int_equal(call(&t, -1, &attr), -EINVAL);
}

/* Each allocation of a call fails once; nothing may be left behind, and the last try succeeds. */
static void a_call_survives_memory_running_out(
	struct skep *inst, int (*make)(void), int kind, const char *what)
{
	int fd = -1;

	for (u64 nth = 1; nth < 1000; nth++) {
		mem_fail_at(nth);
		fd = make();
		if (!mem_did_fail()) {
			mem_fail_at(0);
			break;
		}
		mem_fail_at(0);
		if (fd >= 0)
			close(fd); /* it did without */
		else if (fd != -ENOMEM)
			fail_msg("%s: allocation %u failed and gave %d", what, (u32)nth, fd);
		sys_fd_reap(inst);
		assert_int_equal(inst->tables[kind].cnt, 0);
	}
	if (fd < 0)
		fail_msg("%s: gives %d with all memory there", what, fd);
	close(fd);
	sys_fd_reap(inst);
	assert_int_equal(inst->tables[kind].cnt, 0);
}

static int make_hash(void)
{
	return make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
}

static int make_array(void)
{
	return make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "m");
}

static int make_xdp(void)
{
	return make_prog(&t, 2);
}

static void memory_may_run_out_anywhere(void **state)
{
	a_call_survives_memory_running_out(*state, make_hash, OBJ_MAP, "hash");
	a_call_survives_memory_running_out(*state, make_array, OBJ_MAP, "array");
	a_call_survives_memory_running_out(*state, make_xdp, OBJ_PROG, "program");
}

static void pinning_survives_memory_running_out(void **state)
{
	int fd = make_hash();
	long err = -ENOMEM;

	for (u64 nth = 1; err == -ENOMEM; nth++) {
		mem_fail_at(nth);
		err = pin(&t, fd, "/sys/fs/bpf/m");
		mem_fail_at(0);
	}
	assert_int_equal(err, 0);
	close(fd);
	sys_pin_del(*state, "/sys/fs/bpf/m");
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

static void a_program_runs(void **state)
{
	u8 frame[64] = {0}, out[64];
	union sys_attr attr = {0};
	int prog = make_prog(&t, 1);

	attr.uapi.test.prog_fd = prog;
	attr.uapi.test.data_in = (uintptr_t)frame;
	attr.uapi.test.data_size_in = sizeof(frame);
	attr.uapi.test.data_out = (uintptr_t)out;
	attr.uapi.test.data_size_out = 60;
	attr.uapi.test.repeat = 3;
	memset(frame, 0xab, sizeof(frame));
	assert_int_equal(call(&t, BPF_PROG_TEST_RUN, &attr), -ENOSPC);
	assert_int_equal(attr.uapi.test.retval, 1);
	assert_int_equal(attr.uapi.test.data_size_out, 64);
	assert_memory_equal(out, frame, 60);
	attr.uapi.test.data_size_out = 64;
	assert_int_equal(call(&t, BPF_PROG_TEST_RUN, &attr), 0);
	close(prog);
}

static u64 run_cnt(int prog)
{
	struct bpf_prog_info head = {0};

	assert_int_equal(info(&t, prog, &head, sizeof(head)), 0);
	assert_true(!head.run_cnt == !head.run_time_ns);
	return head.run_cnt;
}

static void run_times(int prog, u32 times)
{
	u8 frame[64] = {0};
	union sys_attr attr = {0};

	attr.uapi.test.prog_fd = prog;
	attr.uapi.test.data_in = (uintptr_t)frame;
	attr.uapi.test.data_size_in = sizeof(frame);
	attr.uapi.test.repeat = times;
	assert_int_equal(call(&t, BPF_PROG_TEST_RUN, &attr), 0);
}

static void runs_are_counted_while_somebody_asks(void **state)
{
	int prog = make_prog(&t, 2), first, second;
	union sys_attr attr = {0};

	run_times(prog, 10);
	assert_int_equal(run_cnt(prog), 0);
	first = call(&t, BPF_ENABLE_STATS, &attr);
	assert_true(first >= 0);
	run_times(prog, 10);
	assert_int_equal(run_cnt(prog), 10);
	second = call(&t, BPF_ENABLE_STATS, &attr);
	close(first);
	run_times(prog, 5);
	assert_int_equal(run_cnt(prog), 15);
	close(second);
	run_times(prog, 5);
	assert_int_equal(run_cnt(prog), 15);
	attr.uapi.enable_stats.type = 1;
	assert_int_equal(call(&t, BPF_ENABLE_STATS, &attr), -EINVAL);
	close(prog);
}

static void a_dump_has_ids_for_addresses(void **state)
{
	union sys_attr attr = {.map_create = {.map_type = BPF_MAP_TYPE_ARRAY,
				       .key_size = 4,
				       .value_size = 8,
				       .max_entries = 1}};
	int map = call(&t, BPF_MAP_CREATE, &attr), prog;
	const struct bpf_insn load[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_VALUE,
			.imm = map},
		{.imm = 4},
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 2,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_prog_info head = {0};
	struct bpf_insn insns[16];

	attr = (union sys_attr){0};
	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)load;
	attr.prog_load.insn_cnt = ARRAY_SIZE(load);
	attr.prog_load.license = (uintptr_t) "GPL";
	prog = call(&t, BPF_PROG_LOAD, &attr);
	assert_true(prog >= 0);
	head.xlated_prog_insns = (uintptr_t)insns;
	head.xlated_prog_len = sizeof(insns);
	assert_int_equal(info(&t, prog, &head, sizeof(head)), 0);
	assert_int_equal(head.xlated_prog_len, sizeof(load));
	assert_int_equal(insns[0].imm, id_of(&t, map));
	assert_int_equal(insns[0].src_reg, BPF_PSEUDO_MAP_VALUE);
	assert_int_equal(insns[1].imm, 4);
	assert_int_equal(insns[2].imm, id_of(&t, map));
	assert_int_equal(insns[3].imm, 0);
	assert_int_equal(head.nr_map_ids, 1);
	close(prog);
	close(map);
}

static void what_fdinfo_says(void **state)
{
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	union sys_attr attr = {.uapi.map_fd = fd};
	struct sys_user user;
	u64 value = 9;

	sys_user_local_init(&user);
	assert_int_equal(sys_fdinfo(*state, &user, fd, "frozen", &value), 0);
	assert_int_equal(value, 0);
	call(&t, BPF_MAP_FREEZE, &attr);
	assert_int_equal(sys_fdinfo(*state, &user, fd, "frozen", &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(sys_fdinfo(*state, &user, fd, "memlock", &value), 0);
	assert_true(value > 0);
	assert_int_equal(sys_fdinfo(*state, &user, fd, "nothing", &value), -ENOENT);
	assert_int_equal(sys_fdinfo(*state, &user, 0, "memlock", &value), -EINVAL);
	close(fd);
}

/* A filter that answers process_vm_readv and process_vm_writev with EPERM. */
static void forbid_vm_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_process_vm_readv, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_process_vm_writev, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_SIZE(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(2);
}

static int use_a_map_by_pipe(void)
{
	struct iovec part = {said, 1};
	union sys_attr attr = {0};
	static u8 in[70001], out[70001];
	u32 key = 0;
	int fd;

	forbid_vm_calls();
	if (process_vm_readv(getpid(), &part, 1, &part, 1, 0) != -1)
		return 3;
	attr.map_create.map_type = BPF_MAP_TYPE_ARRAY;
	attr.map_create.key_size = 4;
	attr.map_create.value_size = sizeof(in);
	attr.map_create.max_entries = 1;
	fd = call(&t, BPF_MAP_CREATE, &attr);
	memset(in, 0x5a, sizeof(in));
	if (fd < 0 || elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, in, 0) ||
		elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, out, 0) || memcmp(in, out, sizeof(in)))
		return 4;
	if (elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, (void *)8, 0) != -EFAULT ||
		elem(&t, BPF_MAP_LOOKUP_ELEM, fd, (void *)8, out, 0) != -EFAULT)
		return 5;
	return 0;
}

static void a_filter_on_our_own_memory_does_not_matter(void **state)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(use_a_map_by_pipe());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 2) {
		print_message("skipped: no seccomp filters here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* --- threads ----------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 300 };

static void *make_and_drop(void *arg)
{
	u32 seed = (uintptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		int map = make_hash(), prog = make_prog_with_map(&t, map), again;

		if (map < 0 || prog < 0)
			return "cannot make";
		again = by_id(&t, BPF_MAP_GET_FD_BY_ID, id_of(&t, map));
		close(map);
		if (set(&t, again, seed, i) || get(&t, again, seed) != i)
			return "lost a value";
		close(again);
		next_id(&t, BPF_MAP_GET_NEXT_ID, 0);
		close(prog);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[THREADS];
	void *complaint;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, make_and_drop, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &complaint);
		assert_null(complaint);
	}
	assert_int_equal(next_id(&t, BPF_PROG_GET_NEXT_ID, 0), 0);
	assert_int_equal(next_id(&t, BPF_MAP_GET_NEXT_ID, 0), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_checked),
		TEST(elements_come_and_go),
		TEST(per_cpu_values_are_read_and_written_together),
		TEST(values_that_do_not_fit_a_page_are_moved_whole),
		TEST(ids_rise_and_are_not_used_again),
		TEST(commands_that_are_not_available_are_named),
		TEST(memory_may_run_out_anywhere),
		TEST(pinning_survives_memory_running_out),
		TEST(a_program_runs),
		TEST(runs_are_counted_while_somebody_asks),
		TEST(a_dump_has_ids_for_addresses),
		TEST(what_fdinfo_says),
		TEST(a_filter_on_our_own_memory_does_not_matter),
		TEST(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
