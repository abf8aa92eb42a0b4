/*
 * Helpers on memory: reads that may fail, dynptrs, records, locks. tests/diff/helpers compares many of these with
 * the kernel; here stand pages that are not there, and maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "core/inst.h"
#include "core/map.h"
#include "core/ring.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/dynptr.h"
#include "helpers/helpers.h"
#include "isa/uapi.h"
#include "maps/maps.h"

#define CALL(run, name, a, b, c, d, e)                                                             \
	((s64)hlp_table[BPF_FUNC_##name]->fn(                                                      \
		(u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (run)))
#define PTR(p) ((uintptr_t)(p))

enum { PAGE_LEN = 4096 };

/* Two pages, the second one not readable. */
static u8 *half_readable(void)
{
	u8 *page = mmap(
		NULL, 2 * PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(mprotect(page + PAGE_LEN, PAGE_LEN, PROT_NONE), 0);
	return page;
}

static void a_bad_address_is_an_error_and_zeroes(void **state)
{
	u8 *page = half_readable(), got[16], zero[16] = {0};
	const u64 bad[] = {
		0, 1, PTR(page) + PAGE_LEN, PTR(page) + PAGE_LEN - 15, ~0ULL, 1ULL << 63};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(got, 0xee, sizeof(got));
		assert_int_equal(CALL(NULL, probe_read_kernel, got, 16, bad[i], 0, 0), -EFAULT);
		assert_memory_equal(got, zero, sizeof(got));
		assert_int_equal(CALL(NULL, copy_from_user, got, 16, bad[i], 0, 0), -EFAULT);
	}
	assert_int_equal(CALL(NULL, probe_read_user, got, 0, 0, 0, 0), 0);
	munmap(page, 2 * PAGE_LEN);
}

static void a_string_may_end_right_before_what_is_not_there(void **state)
{
	u8 *page = half_readable();
	char *text = (char *)page + PAGE_LEN - 600, got[700];

	memset(text, 'a', 600);
	text[599] = 0;
	assert_int_equal(CALL(NULL, probe_read_kernel_str, got, 700, text, 0, 0), 600);
	assert_string_equal(got, text);
	assert_int_equal(CALL(NULL, probe_read_user_str, got, 300, text, 0, 0), 300);
	assert_int_equal(strlen(got), 299);
	assert_int_equal(CALL(NULL, probe_read_str, got, 0, text, 0, 0), 0);
	assert_int_equal(CALL(NULL, probe_read_str, got, 1, text, 0, 0), 1);
	assert_int_equal(CALL(NULL, probe_read_str, got, 256, text + 344, 0, 0), 256);
	text[599] = 'a';
	assert_int_equal(CALL(NULL, probe_read_kernel_str, got, 700, text, 0, 0), -EFAULT);
	for (u32 i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], 0);
	munmap(page, 2 * PAGE_LEN);
}

static void dynptrs_stay_inside_their_memory(void **state)
{
	u8 mem[64] = {0}, got[64];
	struct dynptr ptr;

	assert_int_equal(CALL(NULL, dynptr_from_mem, mem, 1 << 24, 0, &ptr, 0), -E2BIG);
	assert_null(ptr.data);
	assert_int_equal(CALL(NULL, dynptr_read, got, 0, &ptr, 0, 0), -EINVAL);
	assert_int_equal(CALL(NULL, dynptr_from_mem, mem, 64, 0, &ptr, 0), 0);
	assert_int_equal(CALL(NULL, dynptr_write, &ptr, 60, "abcd", 4, 0), 0);
	assert_int_equal(CALL(NULL, dynptr_write, &ptr, 61, "abcd", 4, 0), -E2BIG);
	assert_int_equal(CALL(NULL, dynptr_write, &ptr, ~0u, "abcd", 4, 0), -E2BIG);
	assert_int_equal(CALL(NULL, dynptr_write, &ptr, 0, "abcd", 4, 1), -EINVAL);
	assert_int_equal(CALL(NULL, dynptr_read, got, 4, &ptr, 60, 0), 0);
	assert_memory_equal(got, "abcd", 4);
	assert_int_equal(CALL(NULL, dynptr_data, &ptr, 8, 56, 0, 0), PTR(mem + 8));
	assert_int_equal(CALL(NULL, dynptr_data, &ptr, 9, 56, 0, 0), 0);
}

static struct map *new_map(struct skep *inst, u32 type, u32 value_size, u32 max_entries)
{
	struct map_attr attr = {.type = type, .max_entries = max_entries};
	struct map *map;

	attr.key_size = attr.value_size = value_size;
	assert_int_equal(map_new(inst, &attr, &map), 0);
	return map;
}

static void inst_start(struct skep *inst)
{
	struct inst_options opts = {.cpu_cnt = 1};

	assert_int_equal(inst_init(inst, &opts), 0);
	inst->map_types = map_types;
	inst->map_type_cnt = map_types_cnt;
}

static void records_are_seen_when_they_are_submitted(void **state)
{
	struct dynptr ptr;
	struct skep inst;
	struct map *map;
	u64 sample;

	inst_start(&inst);
	map = new_map(&inst, BPF_MAP_TYPE_RINGBUF, 0, PAGE_LEN);
	sample = (u64)CALL(&inst.runs[0], ringbuf_reserve, map, 24, 0, 0, 0);
	assert_int_not_equal(sample, 0);
	assert_int_equal(CALL(&inst.runs[0], ringbuf_query, map, BPF_RB_AVAIL_DATA, 0, 0, 0), 32);
	assert_int_equal(CALL(&inst.runs[0], ringbuf_reserve, map, 24, 1, 0, 0), 0);
	CALL(&inst.runs[0], ringbuf_submit, sample, 0, 0, 0, 0);
	assert_int_equal(CALL(&inst.runs[0], ringbuf_output, map, "12345678", 8, 0, 0), 0);
	assert_int_equal(CALL(&inst.runs[0], ringbuf_reserve_dynptr, map, 8, 0, &ptr, 0), 0);
	assert_int_equal(CALL(&inst.runs[0], dynptr_write, &ptr, 0, "abcd", 4, 0), 0);
	CALL(&inst.runs[0], ringbuf_discard_dynptr, &ptr, 0, 0, 0, 0);
	assert_null(ptr.data);
	assert_int_equal(
		CALL(&inst.runs[0], ringbuf_reserve_dynptr, map, PAGE_LEN, 0, &ptr, 0), -EINVAL);
	CALL(&inst.runs[0], ringbuf_submit_dynptr, &ptr, 0, 0, 0, 0); /* of nothing: fine */
	map->ops->free(map);
	inst_done(&inst);
}

enum { ROUNDS = 20000 };

static u32 lock, counter;

static void *count(void *unused)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		CALL(NULL, spin_lock, &lock, 0, 0, 0, 0);
		counter++;
		CALL(NULL, spin_unlock, &lock, 0, 0, 0, 0);
	}
	return NULL;
}

static void a_lock_lets_one_in(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, count, NULL), 0);
	count(NULL);
	pthread_join(thread, NULL);
	assert_int_equal(counter, 2 * ROUNDS);
	assert_int_equal(lock, 0);
}

static void an_exchange_gives_what_was_there(void **state)
{
	u64 field = 5;

	assert_int_equal(CALL(NULL, kptr_xchg, &field, 7, 0, 0, 0), 5);
	assert_int_equal(field, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_address_is_an_error_and_zeroes),
		cmocka_unit_test(a_string_may_end_right_before_what_is_not_there),
		cmocka_unit_test(dynptrs_stay_inside_their_memory),
		cmocka_unit_test(records_are_seen_when_they_are_submitted),
		cmocka_unit_test(a_lock_lets_one_in),
		cmocka_unit_test(an_exchange_gives_what_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
