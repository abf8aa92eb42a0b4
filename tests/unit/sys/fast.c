/*
 * Calls of trusted callers: the same results as everybody's, without asking the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/types.h"
#include "calls.h"

static long on_trusted(void *arg, int cmd, union bpf_attr *attr, unsigned int size)
{
	return skep_bpf_trusted(arg, cmd, attr, size);
}

static struct target trusted_of(struct skep *skep)
{
	return (struct target){on_trusted, skep};
}

static void elements_come_and_go(void **state)
{
	struct skep *skep;
	u64 value = 7;
	u32 key = 1;

	assert_int_equal(skep_new(NULL, &skep), 0);
	const struct target t = trusted_of(skep), slow = target_of(skep);
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");

	assert_true(fd >= 0);
	assert_int_equal(get(&t, fd, 1), -ENOENT);
	assert_int_equal(set(&t, fd, 1, 5), 0);
	assert_int_equal(get(&t, fd, 1), 5);
	assert_int_equal(get(&slow, fd, 1), 5);
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_F_LOCK), -EINVAL);
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, fd, &key, &value, 77), -EINVAL);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, &value, 1), -EINVAL);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, fd, &key, &value, BPF_F_LOCK), -EINVAL);
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, fd, &key, NULL, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, fd, &key, NULL, 0), -ENOENT);
	assert_int_equal(elem(&t, BPF_MAP_DELETE_ELEM, fd, &key, NULL, 1), -EINVAL);
	assert_int_equal(skep_close(skep, fd), 0);
	skep_free(skep);
}

static void modes_and_freezing_hold(void **state)
{
	struct skep *skep;
	union sys_attr attr = {0};

	assert_int_equal(skep_new(NULL, &skep), 0);
	const struct target t = trusted_of(skep);
	int reader = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_RDONLY, "r");
	int writer = make_map(&t, BPF_MAP_TYPE_ARRAY, BPF_F_WRONLY, "w");
	int both = make_map(&t, BPF_MAP_TYPE_ARRAY, 0, "b");

	for (int again = 0; again < 2; again++) { /* unknown, then known descriptors */
		assert_int_equal(set(&t, reader, 1, 1), -EPERM);
		assert_int_equal(get(&t, reader, 1), 0);
		assert_int_equal(set(&t, writer, 1, 1), 0);
		assert_int_equal(get(&t, writer, 1), -EPERM);
	}
	assert_int_equal(set(&t, both, 1, 3), 0);
	attr.uapi.map_fd = (u32)both;
	assert_int_equal(call(&t, BPF_MAP_FREEZE, &attr), 0);
	assert_int_equal(set(&t, both, 1, 4), -EPERM);
	assert_int_equal(get(&t, both, 1), 3);
	skep_free(skep); /* with descriptors open and remembered */
	close(reader);
	close(writer);
	close(both);
}

/* Values that hold descriptors, or are asked instead of given, go the long way. */
static void other_types_answer_as_always(void **state)
{
	struct skep *skep;
	u64 value = 5;
	u32 key = 0;
	union sys_attr attr = {0};

	assert_int_equal(skep_new(NULL, &skep), 0);
	const struct target t = trusted_of(skep);
	int progs = make_map(&t, BPF_MAP_TYPE_HASH, 0, "h");

	attr.map_create.map_type = BPF_MAP_TYPE_BLOOM_FILTER;
	attr.map_create.value_size = 8;
	attr.map_create.max_entries = 8;
	int bloom = (int)call(&t, BPF_MAP_CREATE, &attr);

	assert_true(bloom >= 0);
	assert_int_equal(elem(&t, BPF_MAP_UPDATE_ELEM, bloom, NULL, &value, 0), 0);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, bloom, NULL, &value, 0), 0);
	value = 6;
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, bloom, NULL, &value, 0), -ENOENT);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, -1, &key, &value, 0), -EBADF);
	assert_int_equal(elem(&t, BPF_MAP_LOOKUP_ELEM, 900, &key, &value, 0), -EBADF);
	skep_close(skep, progs);
	skep_close(skep, bloom);
	skep_free(skep);
}

static void a_closed_descriptor_is_forgotten(void **state)
{
	struct skep *skep;

	assert_int_equal(skep_new(NULL, &skep), 0);
	const struct target t = trusted_of(skep);
	int fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "one"), other;

	assert_int_equal(set(&t, fd, 1, 1), 0);
	assert_int_equal(skep_close(skep, fd), 0);
	assert_int_equal(get(&t, fd, 1), -EBADF);
	assert_int_equal(skep_close(skep, fd), -EBADF);
	other = make_map(&t, BPF_MAP_TYPE_HASH, 0, "two");
	assert_int_equal(set(&t, other, 1, 2), 0);
	assert_int_equal(dup2(other, fd), fd); /* the same number */
	assert_int_equal(get(&t, fd, 1), 2);
	skep_close(skep, fd);
	skep_close(skep, other);
	skep_free(skep);
}

enum { ROUNDS = 3000 };

struct shared {
	struct skep *skep;
	int fd;
};

static void *use(void *arg)
{
	struct shared *shared = arg;
	const struct target t = trusted_of(shared->skep);

	for (u32 i = 0; i < ROUNDS; i++) {
		long ret = get(&t, __atomic_load_n(&shared->fd, __ATOMIC_RELAXED), 1);

		/* EINVAL: the number was just given to a descriptor in the making */
		assert_true(ret == -ENOENT || ret == -EBADF || ret == -EINVAL || ret == 1);
	}
	return NULL;
}

static void one_thread_closes_what_another_uses(void **state)
{
	struct shared shared = {0};
	pthread_t thread;

	assert_int_equal(skep_new(NULL, &shared.skep), 0);
	const struct target t = trusted_of(shared.skep);

	shared.fd = make_map(&t, BPF_MAP_TYPE_HASH, 0, "m");
	assert_int_equal(pthread_create(&thread, NULL, use, &shared), 0);
	for (u32 i = 0; i < ROUNDS / 10; i++) {
		set(&t, shared.fd, 1, 1);
		skep_close(shared.skep, shared.fd);
		__atomic_store_n(
			&shared.fd, make_map(&t, BPF_MAP_TYPE_HASH, 0, "m"), __ATOMIC_RELAXED);
	}
	pthread_join(thread, NULL);
	skep_close(shared.skep, shared.fd);
	skep_free(shared.skep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_come_and_go),
		cmocka_unit_test(modes_and_freezing_hold),
		cmocka_unit_test(other_types_answer_as_always),
		cmocka_unit_test(a_closed_descriptor_is_forgotten),
		cmocka_unit_test(one_thread_closes_what_another_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
