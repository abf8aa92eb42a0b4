/*
 * Helpers and test runs beside the running kernel.
 *
 *   calls    one helper with random arguments over 2 KiB of memory: result and memory must agree
 *   frames   BPF_PROG_TEST_RUN of XDP programs that move a frame's ends and copy bytes, with random
 *            frames, contexts and room for output: errno, retval, frame and context must agree
 *   packets  the same for programs on packets: socket filters, traffic control, light-weight tunnels and
 *            cgroups; they read every field of their context before and after the calls
 *
 * Frames of several pages, which are refused here, are not compared.
 *
 * helpers [COUNT [SEED [list]]]: a third argument lists every helper, with the reason where it is not compared; exit 77 where there is no kernel to compare with.
 */
#include <time.h>

#include "helpers_diff.h"
#include "kernel.h"

u64 random_state, done_cnt, refused_cnt;
u32 compared[HELPERS_MAX];
char log_text[1 << 16];

/* Why a helper that runs here is not compared here. */
static const struct {
	u32 id;
	const char *why;
} elsewhere[] = {
	{BPF_FUNC_map_lookup_elem, "tests/diff/maps"},
	{BPF_FUNC_map_update_elem, "tests/diff/maps"},
	{BPF_FUNC_map_delete_elem, "tests/diff/maps"},
	{BPF_FUNC_map_push_elem, "tests/diff/maps"},
	{BPF_FUNC_map_pop_elem, "tests/diff/maps"},
	{BPF_FUNC_map_peek_elem, "tests/diff/maps"},
	{BPF_FUNC_map_lookup_percpu_elem, "tests/unit/helpers/rest"},
	{BPF_FUNC_ktime_get_ns, "time differs"},
	{BPF_FUNC_ktime_get_boot_ns, "time differs"},
	{BPF_FUNC_ktime_get_coarse_ns, "time differs"},
	{BPF_FUNC_ktime_get_tai_ns, "time differs"},
	{BPF_FUNC_jiffies64, "time differs"},
	{BPF_FUNC_get_prandom_u32, "random"},
	{BPF_FUNC_get_smp_processor_id, "logical CPUs are skep's own"},
	{BPF_FUNC_get_numa_node_id, "an instance is one node"},
	{BPF_FUNC_get_hash_recalc, "the kernel's hash depends on a secret"},
	{BPF_FUNC_get_socket_cookie, "the kernel's test run has a socket"},
	{BPF_FUNC_get_socket_uid, "the kernel's test run has a socket"},
	{BPF_FUNC_get_netns_cookie, "the namespace's own number"},
	{BPF_FUNC_skb_under_cgroup, "the kernel's test run has a socket"},
	{BPF_FUNC_skb_cgroup_id, "the kernel's test run has a socket"},
	{BPF_FUNC_skb_ancestor_cgroup_id, "the kernel's test run has a socket"},
	{BPF_FUNC_skb_cgroup_classid, "the kernel's test run has a socket"},
	{BPF_FUNC_clone_redirect, "it would send packets on this machine"},
	{BPF_FUNC_redirect_map, "devices are skep's own"},
	{BPF_FUNC_fib_lookup, "the machine's routes"},
	{BPF_FUNC_tail_call, "tests/jit/tail"},
	{BPF_FUNC_loop, "tests/isa/engines"},
	{BPF_FUNC_for_each_map_elem, "tests/isa/engines"},
	{BPF_FUNC_dynptr_from_mem, "made before dynptr_read and dynptr_write"},
};

static const char *why_not(u32 id)
{
	const struct hlp_proto *proto = hlp_table[id];

	if (proto->why)
		return proto->why;
	for (u32 i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		if (elsewhere[i].id == id)
			return elsewhere[i].why;
	}
	return "tests/unit/helpers";
}

static void print_counts(bool lists)
{
	u32 cnt = 0, skipped = 0;

	for (u32 id = 1; id < hlp_table_cnt; id++) {
		cnt += compared[id] != 0;
		skipped += !compared[id];
		if (lists && !compared[id])
			printf("not compared: %s: %s\n", hlp_table[id]->name, why_not(id));
		else if (lists)
			printf("compared: %s: %u calls\n", hlp_table[id]->name, compared[id]);
	}
	printf("%u helpers compared, %u not\n", cnt, skipped);
}

int main(int argc, char **argv)
{
	u64 cnt = argc > 1 ? strtoull(argv[1], NULL, 0) : 3000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (u64)time(NULL) << 20 ^ (u64)getpid();
	struct inst_options opts = {.cpu_cnt = 1};
	struct skep inst;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	if (inst_init(&inst, &opts))
		return 1;
	inst.exec = exec_steps;
	printf("seed %llu\n", (unsigned long long)seed);
	random_state = seed * 2 + 1;
	while (done_cnt + refused_cnt < cnt) {
		compare_call(&inst.runs[0]);
		compare_runs(&inst);
	}
	printf("%llu calls and runs agree, %llu refused\n", (unsigned long long)done_cnt,
		(unsigned long long)refused_cnt);
	print_counts(argc > 3);
	inst_done(&inst);
	return 0;
}
