/*
 * Maps in files: what was pinned is there again after the instance ended, or was killed at any moment.
 *
 *	state [KILLS]
 *
 * A child writes and deletes entries of maps of every kind and notes, in memory that we share, what it begins and what
 * was acknowledged. It is killed at a random moment, and what it left is opened here. Each key must have what the last
 * acknowledged operation left, or the one that was under way; and all words of a value must be of one operation. Then
 * the next child goes on with the same files.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "calls.h"
#include "sys/pin.h"
#include "sys/state.h"

enum { KEYS = 48, WORDS = 40, CPUS = 2, KEY_MAX = 20, KILL_US = 2500, MANY = 1 << 20 };

static u32 kills = 24;
static char dir[] = "/tmp/skep-state-XXXXXX";

struct kind {
	const char *pin;
	u32 type, key_size, flags;
	bool deletes, is_percpu;
};

static const struct kind kinds[] = {
	{"/hash", BPF_MAP_TYPE_HASH, 8, 0, true},
	{"/lazy", BPF_MAP_TYPE_HASH, 4, BPF_F_NO_PREALLOC, true},
	{"/array", BPF_MAP_TYPE_ARRAY, 4, 0, false},
	{"/lpm", BPF_MAP_TYPE_LPM_TRIE, 8, BPF_F_NO_PREALLOC, true},
	{"/lpm6", BPF_MAP_TYPE_LPM_TRIE, 20, BPF_F_NO_PREALLOC, true},
	{"/lru", BPF_MAP_TYPE_LRU_HASH, 8, 0, true},
	{"/percpu/hash", BPF_MAP_TYPE_PERCPU_HASH, 8, 0, true, true},
	{"/percpu/array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 0, false, true},
};

enum { KIND_CNT = ARRAY_SIZE(kinds) };

/* Which operation on a key was begun last, and which was acknowledged; an odd fourth one deletes. */
struct notes {
	u64 begun[KIND_CNT][KEYS], acked[KIND_CNT][KEYS];
	u64 ready;
};

static bool is_delete(const struct kind *kind, u64 op)
{
	return !op || (kind->deletes && op % 4 == 3);
}

static struct skep *start(void)
{
	struct skep_options opts = {.sz = sizeof(opts), .cpu_cnt = CPUS};
	struct buf text = BUF_INIT;
	struct skep *skep;

	assert_int_equal(skep_new(&opts, &skep), 0);
	if (sys_state_open(skep, dir, &text))
		fail_msg("%s", buf_text(&text));
	buf_done(&text);
	return skep;
}

static void make_key(const struct kind *kind, u32 number, u8 key[KEY_MAX])
{
	/* prefixes hang below each other */
	u32 len = (kind->key_size - 4) * 8 - number % 5;

	memset(key, 0, KEY_MAX);
	if (kind->type == BPF_MAP_TYPE_LPM_TRIE) {
		memcpy(key, &len, sizeof(len));
		key[kind->key_size - 1] = (u8)(number << 3);
		key[4] = (u8)(number & 32);
	} else {
		memcpy(key, &number, sizeof(number));
	}
}

static long name_call(const struct target *t, int cmd, int fd, const char *path)
{
	union sys_attr attr = {0};

	attr.obj.pathname = (uintptr_t)path;
	attr.obj.bpf_fd = (u32)fd;
	return call(t, cmd, &attr);
}

static int open_or_make(const struct target *t, const struct kind *kind, u32 entries, u32 words)
{
	union sys_attr attr = {0};
	int fd = (int)name_call(t, BPF_OBJ_GET, 0, kind->pin);

	if (fd != -ENOENT)
		return fd;
	attr.map_create.map_type = kind->type;
	attr.map_create.key_size = kind->key_size;
	attr.map_create.value_size = words * 8;
	attr.map_create.max_entries = entries;
	attr.map_create.map_flags = kind->flags;
	strcpy(attr.map_create.map_name, "kept");
	fd = (int)call(t, BPF_MAP_CREATE, &attr);
	assert_true(fd >= 0);
	assert_int_equal(name_call(t, BPF_OBJ_PIN, fd, kind->pin), 0);
	return fd;
}

/* --- the child --------------------------------------------------------------------------------- */

static void operate(const struct target *t, u32 k, int fd, u32 number, struct notes *notes)
{
	const struct kind *kind = &kinds[k];
	u64 op = notes->begun[k][number] + 1, values[CPUS * WORDS];
	u8 key[KEY_MAX];
	long err;

	make_key(kind, number, key);
	for (u32 i = 0; i < CPUS * WORDS; i++)
		values[i] = op << 16 | number;
	__atomic_store_n(&notes->begun[k][number], op, __ATOMIC_SEQ_CST);
	if (is_delete(kind, op))
		err = elem(t, BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
	else
		err = elem(t, BPF_MAP_UPDATE_ELEM, fd, key, values, BPF_ANY);
	if (err && !(err == -ENOENT && is_delete(kind, op)))
		_exit(1);
	__atomic_store_n(&notes->acked[k][number], op, __ATOMIC_SEQ_CST);
}

/* Without system calls, so that most of the time goes into maps and that is where it is killed. */
static long on_trusted(void *arg, int cmd, union bpf_attr *attr, unsigned int size)
{
	return skep_bpf_trusted(arg, cmd, attr, size);
}

static void write_for_ever(struct notes *notes, u32 seed)
{
	struct skep *skep = start();
	const struct target t = {on_trusted, skep};
	int fds[KIND_CNT];

	for (u32 k = 0; k < KIND_CNT; k++)
		fds[k] = open_or_make(&t, &kinds[k], KEYS * 2, WORDS);
	__atomic_store_n(&notes->ready, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		u32 k;

		seed = seed * 1103515245 + 12345;
		k = (seed >> 8) % KIND_CNT;
		operate(&t, k, fds[k], (seed >> 16) % KEYS, notes);
	}
}

/* --- what it left ------------------------------------------------------------------------------ */

static void check_key(const struct target *t, u32 k, int fd, u32 number, struct notes *notes)
{
	const struct kind *kind = &kinds[k];
	u64 values[CPUS * WORDS] = {0}, acked = notes->acked[k][number];
	u64 begun = notes->begun[k][number], op;
	u8 key[KEY_MAX];
	long err;

	make_key(kind, number, key);
	err = elem(t, BPF_MAP_LOOKUP_ELEM, fd, key, values, 0);
	if (kind->type == BPF_MAP_TYPE_LPM_TRIE && !err && (u16)values[0] != number)
		err = -ENOENT; /* a shorter prefix's */
	if (err == -ENOENT || (!kind->deletes && !values[0])) {
		if (!is_delete(kind, acked) && !is_delete(kind, begun))
			fail_msg("%s: key %u is gone, operation %lu was acknowledged", kind->pin,
				number, (unsigned long)acked);
		return;
	}
	assert_int_equal(err, 0);
	for (u32 i = 1; i < (kind->is_percpu ? CPUS : 1) * WORDS; i++)
		if (values[i] != values[0])
			fail_msg("%s: key %u has a torn value", kind->pin, number);
	op = values[0] >> 16;
	assert_int_equal((u16)values[0], number);
	if ((op != acked && op != begun) || is_delete(kind, op))
		fail_msg("%s: key %u has operation %lu, %lu was acknowledged, %lu begun", kind->pin,
			number, (unsigned long)op, (unsigned long)acked, (unsigned long)begun);
}

static u32 count_keys(const struct target *t, int fd)
{
	u8 keys[2][KEY_MAX];
	union sys_attr attr = {0};
	u32 cnt = 0;

	attr.uapi.map_fd = (u32)fd;
	attr.uapi.next_key = (uintptr_t)keys[0];
	while (!call(t, BPF_MAP_GET_NEXT_KEY, &attr)) {
		attr.uapi.key = (uintptr_t)keys[cnt % 2];
		attr.uapi.next_key = (uintptr_t)keys[++cnt % 2];
		assert_true(cnt < KEYS * 4);
	}
	return cnt;
}

static void check_all(struct notes *notes)
{
	struct skep *skep = start();
	const struct target t = target_of(skep);

	for (u32 k = 0; k < KIND_CNT; k++) {
		u32 max = kinds[k].deletes ? KEYS : KEYS * 2;
		int fd = (int)name_call(&t, BPF_OBJ_GET, 0, kinds[k].pin);

		if (fd < 0)
			fail_msg("%s is gone: %d", kinds[k].pin, fd);
		for (u32 number = 0; number < KEYS; number++)
			check_key(&t, k, fd, number, notes);
		assert_in_range(count_keys(&t, fd), kinds[k].deletes ? 0 : max, max);
		/* and it works: it holds as many as it should */
		for (u32 number = 0; number < KEYS; number++)
			operate(&t, k, fd, number, notes);
		close(fd);
	}
	skep_free(skep);
}

static void killed_at_any_moment(void **state)
{
	struct notes *notes = mmap(
		NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u32 seed = 1;
	int status;

	assert_true(notes != MAP_FAILED);
	for (u32 i = 0; i < kills; i++) {
		pid_t pid;

		notes->ready = 0;
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			write_for_ever(notes, i * 77 + 1);
		while (!__atomic_load_n(&notes->ready, __ATOMIC_SEQ_CST) &&
			!waitpid(pid, &status, WNOHANG))
			usleep(50);
		seed = seed * 1103515245 + 12345;
		usleep((seed >> 8) % KILL_US);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		check_all(notes);
	}
	munmap(notes, sizeof(*notes));
}

static bool has_file(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !stat(path, &st);
}

static void names_come_back_and_go(void **state)
{
	struct skep *skep = start();
	struct target t = target_of(skep);
	const struct kind kind = {"/a/b", BPF_MAP_TYPE_HASH, 4, 0};
	union sys_attr attr = {0};
	int fd = open_or_make(&t, &kind, 8, 1), other;

	assert_int_equal(set(&t, fd, 1, 5), 0);
	assert_int_equal(name_call(&t, BPF_OBJ_PIN, fd, "/second"), 0);
	attr.uapi.map_fd = (u32)fd;
	assert_int_equal(call(&t, BPF_MAP_FREEZE, &attr), 0);
	close(fd);
	skep_free(skep);
	assert_true(has_file("%2Fa%2Fb"));
	skep = start();
	t = target_of(skep);
	fd = (int)name_call(&t, BPF_OBJ_GET, 0, "/a/b");
	other = (int)name_call(&t, BPF_OBJ_GET, 0, "/second");
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(get(&t, fd, 1), 5);
	assert_int_equal(set(&t, other, 1, 6), -EPERM); /* still frozen, the same map */
	assert_int_equal(sys_pin_del(skep, "/a/b"), 0);
	assert_false(has_file("%2Fa%2Fb"));
	assert_int_equal(sys_pin_del(skep, "/second"), 0);
	close(fd);
	close(other);
	skep_free(skep);
}

static void a_folder_is_one_instances(void **state)
{
	struct skep *skep = start(), *second;
	struct buf text = BUF_INIT;

	assert_int_equal(skep_new(NULL, &second), 0);
	assert_int_equal(sys_state_open(second, dir, &text), -EBUSY);
	assert_non_null(strstr(buf_text(&text), "used by another instance"));
	buf_done(&text);
	skep_free(second);
	skep_free(skep);
}

/* Every byte of a file may be anything: it is refused or taken, and what is taken works. */
static void damaged_files_do_no_harm(void **state)
{
	const u32 type = BPF_MAP_TYPE_HASH;
	u32 refused = 0;

	for (u32 round = 0; round < 200; round++) {
		const struct kind kind = {"/damaged",
			round % 3 == 0	 ? type
			: round % 3 == 1 ? BPF_MAP_TYPE_LPM_TRIE
					 : BPF_MAP_TYPE_LRU_HASH,
			8, round % 3 == 1 ? BPF_F_NO_PREALLOC : 0, true};
		struct skep_options opts = {.sz = sizeof(opts), .cpu_cnt = CPUS};
		struct skep *skep = start();
		struct target t = target_of(skep);
		struct buf text = BUF_INIT;
		char path[128];
		u64 value = 1;
		u8 key[KEY_MAX], bad = (u8)(round * 37 + 1);
		int fd = open_or_make(&t, &kind, 16, 1), file;

		for (u32 number = 0; number < 12; number++) {
			make_key(&kind, number, key);
			elem(&t, BPF_MAP_UPDATE_ELEM, fd, key, &value, 0);
		}
		close(fd);
		skep_free(skep);
		snprintf(path, sizeof(path), "%s/%%2Fdamaged", dir);
		file = open(path, O_RDWR);
		assert_true(file >= 0);
		assert_int_equal(
			pwrite(file, &bad, 1, round < 60 ? round * 3 : 4096 * 2 + (round - 60) * 5),
			1);
		close(file);
		assert_int_equal(skep_new(&opts, &skep), 0);
		t = target_of(skep);
		if (sys_state_open(skep, dir, &text)) {
			refused++;
		} else {
			fd = (int)name_call(&t, BPF_OBJ_GET, 0, "/damaged");
			for (u32 number = 0; fd >= 0 && number < 12; number++) {
				make_key(&kind, number, key);
				elem(&t, BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
				elem(&t, BPF_MAP_UPDATE_ELEM, fd, key, &value, 0);
			}
			close(fd);
		}
		buf_done(&text);
		skep_free(skep);
		unlink(path);
	}
	assert_in_range(refused, 40, 190);
}

/* With the first allocation failing, the second, … until all succeed: refused, and nothing is lost. */
static void opening_survives_memory_running_out(void **state)
{
	struct skep *skep = start();
	struct target t = target_of(skep);
	const struct kind kind = {"/a/scarce", BPF_MAP_TYPE_LPM_TRIE, 8, BPF_F_NO_PREALLOC};
	u64 value = 3, nth = 0;
	u8 key[KEY_MAX];
	int fd = open_or_make(&t, &kind, 16, 1), err;

	make_key(&kind, 1, key);
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, key, &value, 0), 0);
	close(fd);
	skep_free(skep);
	do {
		struct buf text = BUF_INIT;

		struct skep_options opts = {.sz = sizeof(opts), .cpu_cnt = CPUS};

		assert_int_equal(skep_new(&opts, &skep), 0);
		mem_fail_at(++nth);
		err = sys_state_open(skep, dir, &text);
		if (mem_did_fail() && err)
			assert_int_equal(err, -ENOMEM);
		nth = mem_did_fail() ? nth : 0;
		mem_fail_at(0);
		buf_done(&text);
		if (!nth) {
			assert_int_equal(err, 0);
			t = target_of(skep);
			fd = (int)name_call(&t, BPF_OBJ_GET, 0, kind.pin);
			assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, key, &value, 0), 0);
			assert_int_equal(value, 3);
			close(fd);
		}
		skep_free(skep);
	} while (nth);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A million entries come back in less than a second. Only asked for: it takes a while to write them. */
static void many_entries_come_back_soon(void **state)
{
	const struct kind kind = {"/many", BPF_MAP_TYPE_HASH, 4, 0};
	struct skep *skep;
	struct target t;
	double began;
	int fd;

	if (kills < 1000)
		skip();
	skep = start();
	t = target_of(skep);
	fd = open_or_make(&t, &kind, MANY, 1);
	for (u32 i = 0; i < MANY; i++)
		assert_int_equal(set(&t, fd, i, i), 0);
	close(fd);
	skep_free(skep);
	began = seconds();
	skep = start();
	began = seconds() - began;
	printf("a start with %u entries took %.3f s\n", MANY, began);
	assert_true(began < 1);
	t = target_of(skep);
	fd = (int)name_call(&t, BPF_OBJ_GET, 0, "/many");
	for (u32 i = 0; i < MANY; i += 997)
		assert_int_equal(get(&t, fd, i), i);
	close(fd);
	skep_free(skep);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_moment),
		cmocka_unit_test(names_come_back_and_go),
		cmocka_unit_test(a_folder_is_one_instances),
		cmocka_unit_test(damaged_files_do_no_harm),
		cmocka_unit_test(opening_survives_memory_running_out),
		cmocka_unit_test(many_entries_come_back_soon),
	};
	char command[64];
	int ret;

	if (argc > 1)
		kills = (u32)strtoul(argv[1], NULL, 0);
	if (!mkdtemp(dir))
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : ret;
}
