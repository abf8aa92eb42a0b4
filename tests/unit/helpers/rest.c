/*
 * Helpers that the other tests leave out: on maps, callbacks, what packets lack, names, sections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "btf/btf.h"
#include "core/arena.h"
#include "core/dynptr.h"
#include "core/inst.h"
#include "core/kfunc.h"
#include "core/map.h"
#include "core/prog.h"
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers/helpers.h"
#include "isa/uapi.h"
#include "maps/maps.h"

#define PTR(p)		     ((uintptr_t)(p))
#define CALL(run, name, ...) call_helper(BPF_FUNC_##name, (const u64[5]){__VA_ARGS__}, run)
#define CALLK(name, ...)     ((s64)call_kfunc(#name, (const u64[5]){__VA_ARGS__}, &inst.runs[0]))

static struct skep inst;

static s64 call_helper(u32 id, const u64 args[5], struct run *run)
{
	return (s64)hlp_table[id]->fn(args[0], args[1], args[2], args[3], args[4], run);
}

static u64 call_kfunc(const char *name, const u64 args[5], struct run *run)
{
	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		if (!strcmp(hlp_kfuncs[i]->proto.name, name))
			return hlp_kfuncs[i]->proto.fn(
				args[0], args[1], args[2], args[3], args[4], run);
	}
	fail_msg("no row for %s", name);
	return 0;
}

static int start(void **state)
{
	struct inst_options opts = {.cpu_cnt = 2};
	int err = inst_init(&inst, &opts);

	inst.map_types = map_types;
	inst.map_type_cnt = map_types_cnt;
	return err;
}

static int end(void **state)
{
	inst_done(&inst);
	return 0;
}

static struct map *new_map(u32 type, u32 key_size, u32 value_size, u32 max_entries, u32 flags)
{
	struct map_attr attr = {.type = type,
		.key_size = key_size,
		.value_size = value_size,
		.max_entries = max_entries,
		.flags = flags};
	struct map *map;

	assert_int_equal(map_new(&inst, &attr, &map), 0);
	return map;
}

static void maps_are_read_and_written(void **state)
{
	struct map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 4, 0);
	struct map *percpu = new_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, 0);
	struct map *queue = new_map(BPF_MAP_TYPE_QUEUE, 0, 4, 2, 0);
	struct run *run = &inst.runs[1];
	u64 value = 77, *found;
	u32 key = 5, zero = 0, got;

	assert_int_equal(CALL(run, map_lookup_elem, PTR(map), PTR(&key)), 0);
	assert_int_equal(
		CALL(run, map_update_elem, PTR(map), PTR(&key), PTR(&value), BPF_EXIST), -ENOENT);
	assert_int_equal(CALL(run, map_update_elem, PTR(map), PTR(&key), PTR(&value), 0), 0);
	found = (u64 *)CALL(run, map_lookup_elem, PTR(map), PTR(&key));
	assert_int_equal(*found, 77);
	assert_int_equal(CALL(run, map_delete_elem, PTR(map), PTR(&key)), 0);
	assert_int_equal(CALL(run, map_delete_elem, PTR(map), PTR(&key)), -ENOENT);
	assert_int_equal(CALL(run, map_lookup_percpu_elem, PTR(percpu), PTR(&zero), 1),
		CALL(run, map_lookup_elem, PTR(percpu), PTR(&zero)));
	assert_int_equal(CALL(run, map_lookup_percpu_elem, PTR(percpu), PTR(&zero), 2), 0);
	assert_int_equal(CALL(run, map_push_elem, PTR(queue), PTR(&key), 0), 0);
	assert_int_equal(CALL(run, map_peek_elem, PTR(queue), PTR(&got)), 0);
	assert_int_equal(got, 5);
	assert_int_equal(CALL(run, map_pop_elem, PTR(queue), PTR(&got)), 0);
	assert_int_equal(CALL(run, map_pop_elem, PTR(queue), PTR(&got)), -ENOENT);
	map->ops->free(map);
	percpu->ops->free(percpu);
	queue->ops->free(queue);
}

/* Adds the number, or the value; enough at 3 calls. */
static u64 add(u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, struct run *run)
{
	u64 *sum = (u64 *)(uintptr_t)(a3 && a4 ? a4 : a2);

	sum[0] += a3 && a4 ? *(u64 *)(uintptr_t)a3 : a1;
	return ++sum[1] == sum[2];
}

static void functions_are_called_back(void **state)
{
	struct map *map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
	struct run *run = &inst.runs[0];
	u64 sum[3] = {0};

	assert_int_equal(CALL(run, loop, 10, PTR(add), PTR(sum), 0), 10);
	assert_int_equal(sum[0], 45);
	memcpy(sum, (u64[3]){0, 0, 3}, sizeof(sum));
	assert_int_equal(CALL(run, loop, 10, PTR(add), PTR(sum), 0), 3);
	assert_int_equal(CALL(run, loop, 10, PTR(add), PTR(sum), 1), -EINVAL);
	assert_int_equal(CALL(run, loop, 1 << 24, PTR(add), PTR(sum), 0), -E2BIG);
	for (u32 key = 0; key < 4; key++)
		CALL(run, map_update_elem, PTR(map), PTR(&key), PTR(&(u64){key * 10}), 0);
	memset(sum, 0, sizeof(sum));
	assert_int_equal(CALL(run, for_each_map_elem, PTR(map), PTR(add), PTR(sum), 0), 4);
	assert_int_equal(sum[0], 60);
	assert_int_equal(CALL(run, for_each_map_elem, PTR(map), PTR(add), PTR(sum), 1), -EINVAL);
	map->ops->free(map);
}

static void records_come_and_go(void **state)
{
	struct map *ring = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct map *user = new_map(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096, 0);
	struct map *events = new_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2, 0);
	struct run *run = &inst.runs[0];
	u64 sample = (u64)CALL(run, ringbuf_reserve, PTR(ring), 8, 0);

	assert_int_not_equal(sample, 0);
	CALL(run, ringbuf_discard, sample, 0);
	assert_int_equal(CALL(run, user_ringbuf_drain, PTR(user), PTR(add), 0, 0), 0);
	assert_int_equal(CALL(run, user_ringbuf_drain, PTR(user), PTR(add), 0, 99), -EINVAL);
	assert_int_equal(
		CALL(run, perf_event_output, 0, PTR(events), BPF_F_CURRENT_CPU, PTR("abcd"), 4),
		-ENOENT);
	assert_int_equal(CALL(run, perf_event_output, 0, PTR(events), 7, PTR("abcd"), 4), -E2BIG);
	ring->ops->free(ring);
	user->ops->free(user);
	events->ops->free(events);
}

static void packets_have_no_socket_cgroup_or_route(void **state)
{
	u8 bytes[64] = {0};
	struct net_skb skb = {
		.head = bytes, .cap = 64, .data = bytes, .len = 64, .protocol = 0x0008};
	struct map *cgroups = new_map(BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 1, 0);
	struct map *devices = new_map(BPF_MAP_TYPE_DEVMAP, 4, 4, 1, 0);
	struct bpf_fib_lookup fib = {.family = AF_INET, .ifindex = 1};
	struct run *run = &inst.runs[0];
	s64 hash;

	assert_int_equal(CALL(run, get_socket_cookie, PTR(&skb)), 0);
	assert_int_equal(CALL(run, get_socket_uid, PTR(&skb)), 65534);
	assert_int_equal(CALL(run, skb_cgroup_id, PTR(&skb)), 0);
	assert_int_equal(CALL(run, skb_ancestor_cgroup_id, PTR(&skb), 1), 0);
	assert_int_equal(CALL(run, skb_cgroup_classid, PTR(&skb)), 0);
	assert_int_equal(CALL(run, skb_under_cgroup, PTR(&skb), PTR(cgroups), 0), -ENOENT);
	assert_int_equal(CALL(run, get_netns_cookie, 0), 1);
	hash = CALL(run, get_hash_recalc, PTR(&skb));
	assert_int_not_equal(hash, 0);
	assert_int_equal(CALL(run, get_hash_recalc, PTR(&skb)), hash);
	assert_int_equal(CALL(run, clone_redirect, PTR(&skb), 1, 8), -EINVAL);
	assert_int_equal(CALL(run, clone_redirect, PTR(&skb), 99, 0), -EINVAL);
	assert_int_equal(CALL(run, redirect_map, PTR(devices), 0, XDP_PASS), XDP_PASS);
	assert_int_equal(CALL(run, redirect_map, PTR(devices), 0, 4), XDP_ABORTED);
	assert_int_equal(CALL(run, redirect_map, PTR(cgroups), 0, 0), XDP_ABORTED);
	assert_int_equal(CALL(run, fib_lookup, PTR(&skb), PTR(&fib), 8, 0), -EINVAL);
	assert_int_equal(
		CALL(run, fib_lookup, PTR(&skb), PTR(&fib), sizeof(fib), 1 << 10), -EINVAL);
	assert_int_equal(CALL(run, fib_lookup, PTR(&skb), PTR(&fib), sizeof(fib), 0),
		BPF_FIB_LKUP_RET_FWD_DISABLED);
	fib.ifindex = 99;
	assert_int_equal(CALL(run, fib_lookup, PTR(&skb), PTR(&fib), sizeof(fib), 0), -ENODEV);
	fib.family = AF_UNIX;
	assert_int_equal(
		CALL(run, fib_lookup, PTR(&skb), PTR(&fib), sizeof(fib), 0), -EAFNOSUPPORT);
	cgroups->ops->free(cgroups);
	devices->ops->free(devices);
}

static void names_and_places(void **state)
{
	struct run *run = &inst.runs[1];
	s64 id = CALL(run, btf_find_by_name_kind, PTR("task_struct"), 12, BTF_KIND_STRUCT, 0);
	char mem[16] = "";
	u64 addr = 5;

	assert_true(id > 0 || id == -ENOENT); /* -ENOENT: no file with the kernel's types */
	assert_int_equal(
		CALL(run, btf_find_by_name_kind, PTR("a"), 1, BTF_KIND_STRUCT, 0), -EINVAL);
	assert_int_equal(
		CALL(run, btf_find_by_name_kind, PTR("a"), 2, BTF_KIND_STRUCT, 1), -EINVAL);
	assert_int_equal(CALL(run, kallsyms_lookup_name, PTR("printk"), 7, 0, PTR(&addr)), -ENOENT);
	assert_int_equal(addr, 0);
	assert_int_equal(CALL(run, get_attach_cookie, 0), 0);
	assert_int_equal(CALL(run, get_retval), 0);
	assert_int_equal(CALL(run, get_numa_node_id), 0);
	assert_int_equal(CALL(run, get_prandom_u32) >> 32, 0);
	assert_true(CALL(run, ktime_get_tai_ns) > 0);
	assert_int_equal(CALL(run, trace_vprintk, PTR("%d"), 3, PTR(&addr), 7), -EINVAL);
	assert_int_equal(CALL(run, trace_vprintk, PTR("%d!"), 4, PTR(&addr), 8), 2);
	assert_int_equal(CALL(run, probe_read, PTR(mem), 4, PTR("abcd")), 0);
	assert_memory_equal(mem, "abcd", 4);
}

static void dynptrs_of_packets_follow_the_packet(void **state)
{
	static const struct prog_type reads = {.type = BPF_PROG_TYPE_SOCKET_FILTER};
	u8 bytes[128] = {0};
	struct net_skb skb = {.head = bytes, .cap = 128, .data = bytes, .len = 64};
	struct xdp_buff xdp = {.data_hard_start = bytes, .data = bytes, .data_end = bytes + 64};
	struct prog prog = {.type = &reads};
	struct dynptr ptr;
	u8 got[8];

	assert_int_equal(CALLK(bpf_dynptr_from_xdp, PTR(&xdp), 1, PTR(&ptr)), -EINVAL);
	assert_int_equal(CALLK(bpf_dynptr_from_xdp, PTR(&xdp), 0, PTR(&ptr)), 0);
	assert_int_equal(CALL(NULL, dynptr_write, PTR(&ptr), 60, PTR("abcd"), 4), 0);
	assert_int_equal(bytes[60], 'a');
	xdp.data_end -= 2;
	assert_int_equal(CALL(NULL, dynptr_read, PTR(got), 4, PTR(&ptr), 60), -EINVAL);
	assert_int_equal(CALLK(bpf_dynptr_slice, PTR(&ptr), 60, PTR(got), 4), 0);
	inst.runs[0].prog = &prog;
	assert_int_equal(CALLK(bpf_dynptr_from_skb, PTR(&skb), 0, PTR(&ptr)), 0);
	inst.runs[0].prog = NULL;
	assert_int_equal(CALLK(bpf_dynptr_is_rdonly, PTR(&ptr)), 1);
	assert_int_equal(CALL(NULL, dynptr_write, PTR(&ptr), 0, PTR("abcd"), 4), -EINVAL);
	assert_int_equal(CALLK(bpf_dynptr_slice, PTR(&ptr), 60, PTR(got), 4), PTR(bytes + 60));
	skb.len = 10;
	assert_int_equal(CALL(NULL, dynptr_read, PTR(got), 4, PTR(&ptr), 8), -EFAULT);
}

static void sections_do_nothing_and_say_so(void **state)
{
	u64 flags = 7;

	CALLK(bpf_rcu_read_lock);
	CALLK(bpf_preempt_disable);
	CALLK(bpf_local_irq_save, PTR(&flags));
	assert_int_equal(flags, 0);
	CALLK(bpf_local_irq_restore, PTR(&flags));
	CALLK(bpf_preempt_enable);
	CALLK(bpf_rcu_read_unlock);
	assert_int_equal(CALLK(bpf_get_kmem_cache, 0), 0);
	assert_int_equal((s32)CALLK(bpf_xdp_metadata_rx_hash, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(CALLK(bpf_obj_new_impl, 1, 0), 0); /* no program, no types */
	CALLK(bpf_obj_drop_impl, 0);
}

static void pages_of_an_arena_come_and_go(void **state)
{
	enum { USER_AT = 0x100000, PAGES = 2 };
	struct map *map = new_map(BPF_MAP_TYPE_ARENA, 0, 0, PAGES, BPF_F_MMAPABLE);
	u64 first, second;

	assert_int_equal(map->ops->mapped(map, USER_AT, PAGES * ARENA_PAGE, 0, true), 0);
	first = (u64)CALLK(bpf_arena_alloc_pages, PTR(map), 0, 1, (u64)-1, 0);
	second = (u64)CALLK(bpf_arena_alloc_pages, PTR(map), 0, 1, (u64)-1, 0);
	assert_int_equal(first + second, 2 * USER_AT + ARENA_PAGE);
	assert_int_equal(CALLK(bpf_arena_alloc_pages, PTR(map), 0, 1, (u64)-1, 0), 0);
	CALLK(bpf_arena_free_pages, PTR(map), second, 1);
	assert_int_equal(CALLK(bpf_arena_alloc_pages, PTR(map), 0, 1, (u64)-1, 1), 0);
	assert_int_equal(
		CALLK(bpf_arena_alloc_pages, PTR(map), second, 1, (u64)-1, 0), (s64)second);
	map->ops->free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(maps_are_read_and_written, start, end),
		cmocka_unit_test_setup_teardown(functions_are_called_back, start, end),
		cmocka_unit_test_setup_teardown(records_come_and_go, start, end),
		cmocka_unit_test_setup_teardown(packets_have_no_socket_cgroup_or_route, start, end),
		cmocka_unit_test_setup_teardown(names_and_places, start, end),
		cmocka_unit_test_setup_teardown(dynptrs_of_packets_follow_the_packet, start, end),
		cmocka_unit_test_setup_teardown(sections_do_nothing_and_say_so, start, end),
		cmocka_unit_test_setup_teardown(pages_of_an_arena_come_and_go, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
