/*
 * Which programs may call which helper: every helper with every program type and the attach types that
 * matter, asked of the running kernel by loading a program of one call. Beside that, what else the table
 * says and a refused program tells: licence and sleeping.
 *
 * A hook that the kernel has no program type for, or does not let us load for, is not compared, and
 * said so. So are the helpers that its configuration leaves out (`configured`).
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/helpers.h"
#include "kernel.h"

enum { LOG_LEN = 4096, HOOKS_MAX = 128 };

/* Helpers that 6.18 has and this kernel may not, with the options that bring them. */
static const struct {
	u32 id;
	const char *option;
} configured[] = {
	{BPF_FUNC_override_return, "CONFIG_BPF_KPROBE_OVERRIDE"},
	{BPF_FUNC_probe_write_user, "no lockdown"},
};

/* Program types with the attach types that make a difference; -1 ends the list. */
static const struct {
	u32 type;
	const char *btf_name; /* of attach_btf_id */
	u32 btf_kind;
	bool is_sleepable;
	s8 hooks[24];
} hooks[] = {
	{BPF_PROG_TYPE_SOCKET_FILTER, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_KPROBE, NULL, 0, false, {0, 42, 48, 56, 57, -1}},
	{BPF_PROG_TYPE_KPROBE, NULL, 0, true, {48, -1}},
	{BPF_PROG_TYPE_SCHED_CLS, NULL, 0, false, {0, 46, 47, 54, -1}},
	{BPF_PROG_TYPE_SCHED_ACT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_TRACEPOINT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_XDP, NULL, 0, false, {0, 33, 35, 37, -1}},
	{BPF_PROG_TYPE_PERF_EVENT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_CGROUP_SKB, NULL, 0, false, {0, 1, -1}},
	{BPF_PROG_TYPE_CGROUP_SOCK, NULL, 0, false, {2, 12, 13, 34, -1}},
	{BPF_PROG_TYPE_LWT_IN, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_LWT_OUT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_LWT_XMIT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_SOCK_OPS, NULL, 0, false, {0, 3, 5, -1}},
	{BPF_PROG_TYPE_SK_SKB, NULL, 0, false, {0, 4, 5, 38, -1}},
	{BPF_PROG_TYPE_CGROUP_DEVICE, NULL, 0, false, {0, 6, -1}},
	{BPF_PROG_TYPE_SK_MSG, NULL, 0, false, {0, 7, -1}},
	{BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_CGROUP_SOCK_ADDR, NULL, 0, false,
		{8, 9, 10, 11, 14, 15, 19, 20, 29, 30, 31, 32, 49, 50, 51, 52, 53, -1}},
	{BPF_PROG_TYPE_LWT_SEG6LOCAL, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_LIRC_MODE2, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_SK_REUSEPORT, NULL, 0, false, {0, 39, 40, -1}},
	{BPF_PROG_TYPE_FLOW_DISSECTOR, NULL, 0, false, {0, 17, -1}},
	{BPF_PROG_TYPE_CGROUP_SYSCTL, NULL, 0, false, {0, 18, -1}},
	{BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_CGROUP_SOCKOPT, NULL, 0, false, {21, 22, -1}},
	{BPF_PROG_TYPE_TRACING, "btf_trace_sched_switch", BTF_KIND_TYPEDEF, false, {23, -1}},
	{BPF_PROG_TYPE_TRACING, "bpf_fentry_test1", BTF_KIND_FUNC, false, {24, 25, 26, -1}},
	{BPF_PROG_TYPE_TRACING, "bpf_iter_task", BTF_KIND_FUNC, false, {28, -1}},
	{BPF_PROG_TYPE_TRACING, "bpf_iter_task", BTF_KIND_FUNC, true, {28, -1}},
	{BPF_PROG_TYPE_STRUCT_OPS, "tcp_congestion_ops", BTF_KIND_STRUCT, false, {0, 1, -1}},
	{BPF_PROG_TYPE_EXT, NULL, 0, false, {0, -1}},
	{BPF_PROG_TYPE_LSM, "bpf_lsm_file_open", BTF_KIND_FUNC, false, {27, 43, -1}},
	{BPF_PROG_TYPE_SK_LOOKUP, NULL, 0, false, {36, -1}},
	{BPF_PROG_TYPE_SYSCALL, NULL, 0, true, {0, -1}},
	{BPF_PROG_TYPE_NETFILTER, NULL, 0, false, {45, -1}},
};

static char log_text[LOG_LEN];

struct probe {
	u32 type, hook, btf_id;
	bool is_sleepable;
};

/* Loads a program that calls the helper, 0: that does nothing. */
static long load(const struct probe *probe, u32 id, const char *licence)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = (s32)id},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = probe->type,
		.expected_attach_type = probe->hook,
		.attach_btf_id = probe->btf_id,
		.prog_flags = probe->is_sleepable ? BPF_F_SLEEPABLE : 0,
		.insns = (uintptr_t)(id ? insns : insns + 1),
		.insn_cnt = id ? 3 : 2,
		.license = (uintptr_t)licence,
		.log_buf = (uintptr_t)log_text,
		.log_size = sizeof(log_text),
		.log_level = 1,
	};
	long fd;

	log_text[0] = 0;
	fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static bool log_says(const char *text)
{
	return strstr(log_text, text) != NULL;
}

static const char *why_not_configured(u32 id)
{
	for (u32 i = 0; i < ARRAY_SIZE(configured); i++) {
		if (configured[i].id == id)
			return configured[i].option;
	}
	return NULL;
}

static u32 compared_cnt, allowed_cnt, skipped_cnt, wrong_cnt;

static void complain(const struct probe *probe, u32 id, const char *what, bool kernel)
{
	printf("bpf_%s, program type %u, attach type %u%s: the kernel says %s: %s\n",
		hlp_table[id]->name, probe->type, probe->hook,
		probe->is_sleepable ? ", sleepable" : "", what, kernel ? "yes" : "no");
	wrong_cnt++;
}

/* What a program that the helper is given to says of itself when it is refused for another reason. */
static void compare_flags(const struct probe *probe, u32 id, const struct hlp_proto *proto)
{
	bool is_refused;

	load(probe, id, "GPL");
	is_refused = log_says("helper call might sleep in a non-sleepable prog");
	if (is_refused != (proto->may_sleep && !probe->is_sleepable))
		complain(probe, id, "may sleep", is_refused);
	if (load(probe, 0, "GPL") != load(probe, 0, "none"))
		return; /* programs of this type must be under the GPL anyway */
	load(probe, id, "none");
	is_refused = log_says("cannot call GPL-restricted function");
	if (is_refused != proto->gpl_only)
		complain(probe, id, "GPL only", is_refused);
}

static void compare(const struct probe *probe, u32 id)
{
	const struct hlp_proto *proto = hlp_for(hlp_table[id], probe->type, probe->hook);
	bool is_allowed;

	load(probe, id, "GPL");
	is_allowed = !log_says("cannot use helper") && !log_says("invalid func");
	if (!is_allowed && proto && why_not_configured(id)) {
		skipped_cnt++;
		return;
	}
	compared_cnt++;
	if (is_allowed != (proto != NULL)) {
		complain(probe, id, "may call it", is_allowed);
		return;
	}
	allowed_cnt += is_allowed;
	if (proto)
		compare_flags(probe, id, proto);
}

static void compare_hook(struct probe *probe, s32 hook)
{
	long err;

	probe->hook = (u32)hook;
	err = load(probe, 0, "GPL");
	/* a program that does nothing must at least reach the verifier */
	if (err && !log_says("R0") && !log_says("processed")) {
		printf("not compared: program type %u, attach type %d: %s\n", probe->type, hook,
			strerror((int)-err));
		skipped_cnt += hlp_table_cnt - 1;
		return;
	}
	for (u32 id = 1; id < hlp_table_cnt; id++)
		compare(probe, id);
}

int main(void)
{
	struct btf *btf;
	u32 hook_cnt = 0;

	if (kernel_is_missing())
		return KERNEL_SKIP;
	btf = btf__load_vmlinux_btf();
	for (u32 h = 0; h < ARRAY_SIZE(hooks); h++) {
		struct probe probe = {.type = hooks[h].type, .is_sleepable = hooks[h].is_sleepable};

		if (hooks[h].btf_name && btf) {
			s32 id = btf__find_by_name_kind(btf, hooks[h].btf_name, hooks[h].btf_kind);

			probe.btf_id = id > 0 ? (u32)id : 0;
		}
		for (const s8 *hook = hooks[h].hooks; *hook >= 0; hook++, hook_cnt++)
			compare_hook(&probe, *hook);
	}
	btf__free(btf);
	for (u32 i = 0; i < ARRAY_SIZE(configured); i++)
		printf("not compared where this kernel lacks it: bpf_%s (%s)\n",
			hlp_table[configured[i].id]->name, configured[i].option);
	printf("%u helpers x %u hooks of 32 program types: %u pairs compared, %u allowed, %u not "
	       "compared, %u differences\n",
		hlp_table_cnt - 1, hook_cnt, compared_cnt, allowed_cnt, skipped_cnt, wrong_cnt);
	return wrong_cnt ? EXIT_FAILURE : EXIT_SUCCESS;
}
