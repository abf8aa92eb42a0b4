/*
 * Calls: one helper with random arguments over 2 KiB of memory, in a program of the kernel's and here. Result and memory
 * must agree.
 */
#include <sys/stat.h>

#include "helpers_diff.h"

enum {
	MEM_LEN = 2048,
	RESULT_OFF = MEM_LEN - 8,
	TEXT_LEN = 64,
};

static int make_map(u32 value_size, u32 flags)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = value_size,
		.max_entries = 1,
		.map_flags = flags};

	return (int)sys_bpf(BPF_MAP_CREATE, &attr);
}

static long map_value(int cmd, int fd, void *value)
{
	u32 key = 0;
	union bpf_attr attr = {
		.map_fd = (u32)fd, .key = (uintptr_t)&key, .value = (uintptr_t)value};

	return sys_bpf(cmd, &attr);
}

/* An argument: a number, or an offset into one of the two memories. */
struct arg {
	enum { NUMBER, MEM, TEXT, DYNPTR } kind;
	u64 value;
};

struct call {
	u32 id;
	struct arg args[5];
	u8 mem[MEM_LEN];
	char text[TEXT_LEN]; /* constant for the verifier */
	bool has_dynptr;     /* of the memory's start: made before the call */
	u32 dynptr_len;
	u64 dynptr_flags;
};

static void random_text(u8 *text, u32 len)
{
	static const char chars[] = " \t-+0x017779aAfFgz\n0123456789";

	for (u32 i = 0; i < len; i++)
		text[i] = (u8)(one_in(20) ? rnd(256) : (u32)chars[rnd(sizeof(chars) - 1)]);
}

/* Mostly specifiers that the format language has; %p and %s of real memory differ by nature. */
static void random_format(char *text, u32 len, bool with_addresses)
{
	static const char *const parts[] = {"%d", "%u", "%x", "%X", "%i", "%ld", "%llu", "%lx",
		"%c", "%px", "%pS", "%pB", "%s", "%pks", "%pI4", "%pi6", "%5d", "%-7x", "%016llx",
		"%+ld", "% d", "%05d", "%%", " ", ",", "text", "%", "%h", "%8s", "%.3d", "%#x",
		"%z", "%pz", "%sa", "\n", "\x01", "\xc3\xa4", "%-08d", "%lc", "%lll", "%3c",
		"%12px"};
	const char *part;
	u32 pos = 0, limit = one_in(4) ? (u32)ARRAY_SIZE(parts) : 26;

	memset(text, 0, len);
	for (u32 cnt = rnd(7); cnt; cnt--) {
		part = parts[rnd(limit)];
		if (pos + strlen(part) >= len)
			break;
		if ((strpbrk(part, "BIk") || strstr(part, "pi")) && !with_addresses)
			continue;
		memcpy(text + pos, part, strlen(part));
		pos += (u32)strlen(part);
	}
}

/* Numbers that are no addresses: reading them must fail on both sides. */
static void random_args(u8 *mem, u32 cnt)
{
	static const u64 values[] = {0, 1, 42, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 0x8000000000000000, 0xffffffffffffffff};
	u64 value;

	for (u32 i = 0; i < cnt; i++) {
		value = one_in(2) ? values[rnd(ARRAY_SIZE(values))] : rnd(200);
		memcpy(mem + i * 8, &value, 8);
	}
}

static void make_ns_call(struct call *call)
{
	struct stat st = {0};

	stat("/proc/self/ns/pid", &st);
	call->args[0] = (struct arg){NUMBER, one_in(4) ? rnd64() : st.st_dev};
	call->args[1] = (struct arg){NUMBER, one_in(4) ? rnd64() : st.st_ino};
	call->args[2] = (struct arg){MEM, 64};
	call->args[3] = (struct arg){
		NUMBER, one_in(4) ? 1 + rnd(20) : sizeof(struct bpf_pidns_info)};
}

static void make_dynptr(struct call *call)
{
	call->has_dynptr = true;
	call->dynptr_len = one_in(4) ? rnd(3) : rnd(900);
	call->dynptr_flags = one_in(10);
}

/* Memory of this process that both sides read. */
static const char call_text[1024] = "a text of this process";

static void make_memory_call(struct call *call)
{
	/* nothing is there, in the half that the helper reads: else Linux says -ERANGE */
	static const u64 nowhere[] = {0, 8, 0x1000}, nowhere_high[] = {~0ULL, ~0ULL - 4096};
	u64 flags = one_in(10), len = one_in(6) ? rnd(3) : rnd(600), off = rnd(700);

	switch (call->id) {
	case BPF_FUNC_probe_read_kernel:
	case BPF_FUNC_probe_read_kernel_str:
		for (u32 i = 0; i < 4; i++)
			call->mem[1024 + rnd(400)] = 0;
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = one_in(4) ? (struct arg){NUMBER, nowhere_high[rnd(2)]}
					  : (struct arg){MEM, 1024 + rnd(100)};
		break;
	case BPF_FUNC_probe_read_user:
	case BPF_FUNC_probe_read_user_str:
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = (struct arg){
			NUMBER, one_in(2) ? nowhere[rnd(3)] : (uintptr_t)(call_text + rnd(64))};
		break;
	case BPF_FUNC_dynptr_read:
		make_dynptr(call);
		call->args[0] = (struct arg){MEM, rnd(1200)};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = (struct arg){DYNPTR, 0};
		call->args[3] = (struct arg){NUMBER, off};
		call->args[4] = (struct arg){NUMBER, flags};
		break;
	case BPF_FUNC_dynptr_write:
		make_dynptr(call);
		call->args[0] = (struct arg){DYNPTR, 0};
		call->args[1] = (struct arg){NUMBER, off};
		call->args[2] = (struct arg){MEM, rnd(1200)};
		call->args[3] = (struct arg){NUMBER, len};
		call->args[4] = (struct arg){NUMBER, flags};
		break;
	case BPF_FUNC_get_ns_current_pid_tgid: make_ns_call(call); break;
	case BPF_FUNC_get_current_comm:
		call->args[0] = (struct arg){MEM, rnd(64)};
		call->args[1] = (struct arg){NUMBER, 1 + rnd(24)};
		break;
	case BPF_FUNC_trace_vprintk:
		random_format((char *)call->mem, TEXT_LEN, true);
		random_args(call->mem + 1024, 12);
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, one_in(8) ? 1 + rnd(10) : TEXT_LEN};
		call->args[2] = (struct arg){MEM, 1024};
		call->args[3] = (struct arg){NUMBER, one_in(8) ? rnd(120) : 8 * rnd(13)};
		break;
	}
}

static void make_call(struct call *call)
{
	static const u32 ids[] = {BPF_FUNC_csum_diff, BPF_FUNC_strtol, BPF_FUNC_strtoul,
		BPF_FUNC_strncmp, BPF_FUNC_snprintf, BPF_FUNC_trace_printk,
		BPF_FUNC_probe_read_kernel, BPF_FUNC_probe_read_kernel_str, BPF_FUNC_dynptr_read,
		BPF_FUNC_dynptr_write, BPF_FUNC_get_ns_current_pid_tgid, BPF_FUNC_probe_read_user,
		BPF_FUNC_probe_read_user_str};
	u32 len = 1 + rnd(40), other = 1 + rnd(40);

	*call = (struct call){.id = ids[rnd(ARRAY_SIZE(ids))]};
	for (u32 i = 0; i < MEM_LEN; i++)
		call->mem[i] = one_in(3) ? 0xff : (u8)rnd(256);
	switch (call->id) {
	case BPF_FUNC_csum_diff:
		len = one_in(5) ? rnd(70) : rnd(150) * 4;
		other = one_in(5) ? rnd(70) : rnd(150) * 4;
		call->args[0] = (struct arg){MEM, 4 * rnd(4)};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = (struct arg){MEM, 1024 + rnd(8)};
		call->args[3] = (struct arg){NUMBER, other};
		call->args[4] = (struct arg){NUMBER, one_in(3) ? ~0u : (u32)rnd64()};
		break;
	case BPF_FUNC_strtol:
	case BPF_FUNC_strtoul:
		random_text(call->mem, len);
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = (struct arg){NUMBER, (u64[]){0, 8, 10, 16, 0, 10, 7, 32}[rnd(8)]};
		call->args[3] = (struct arg){MEM, 1024};
		break;
	case BPF_FUNC_strncmp:
		random_text((u8 *)call->text, 8);
		memcpy(call->mem, call->text, sizeof(call->text));
		call->mem[rnd(10)] ^= (u8)(one_in(2) ? rnd(256) : 0);
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, 1 + rnd(12)};
		call->args[2] = (struct arg){TEXT, 0};
		break;
	case BPF_FUNC_snprintf:
		len = one_in(4) ? rnd(20) : 500;
		/* Linux loses its place among the values when the text is full before an address */
		random_format(call->text, sizeof(call->text), len == 500);
		random_args(call->mem + 1024, 6);
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, len};
		call->args[2] = (struct arg){TEXT, 0};
		call->args[3] = (struct arg){MEM, 1024};
		call->args[4] = (struct arg){NUMBER, 8 * rnd(7)};
		break;
	case BPF_FUNC_trace_printk:
		random_format((char *)call->mem, TEXT_LEN, true);
		call->args[0] = (struct arg){MEM, 0};
		call->args[1] = (struct arg){NUMBER, one_in(8) ? 1 + rnd(10) : TEXT_LEN};
		for (u32 i = 2; i < 5; i++)
			call->args[i] = (struct arg){NUMBER, rnd(1000)};
		break;
	default: make_memory_call(call); break;
	}
}

/* -EINVAL of the load is Linux's way to refuse a constant format. */
static void emit_dynptr(struct code *code, u8 reg)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, reg, 10, 0, 0);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, -16);
}

static long kernel_call(struct call *call, u8 *ret_mem)
{
	union bpf_attr attr = {0};
	struct code code = {0};
	int mem_fd = make_map(MEM_LEN, 0), text_fd = make_map(TEXT_LEN, BPF_F_RDONLY_PROG), fd;
	u8 packet[64] = {0};
	long err;

	map_value(BPF_MAP_UPDATE_ELEM, mem_fd, call->mem);
	map_value(BPF_MAP_UPDATE_ELEM, text_fd, call->text);
	attr.map_fd = (u32)text_fd;
	sys_bpf(BPF_MAP_FREEZE, &attr);
	if (call->has_dynptr) {
		emit_imm64(&code, 1, BPF_PSEUDO_MAP_VALUE, (u32)mem_fd, 0);
		emit_imm64(&code, 2, 0, call->dynptr_len, 0);
		emit_imm64(&code, 3, 0, (u32)call->dynptr_flags, 0);
		emit_dynptr(&code, 4);
		emit(&code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_dynptr_from_mem);
	}
	for (u8 i = 0; i < 5; i++) {
		const struct arg *arg = &call->args[i];

		if (arg->kind == NUMBER)
			emit_imm64(&code, i + 1, 0, (u32)arg->value, (u32)(arg->value >> 32));
		else if (arg->kind == DYNPTR)
			emit_dynptr(&code, i + 1);
		else
			emit_imm64(&code, i + 1, BPF_PSEUDO_MAP_VALUE,
				(u32)(arg->kind == MEM ? mem_fd : text_fd), (u32)arg->value);
	}
	emit(&code, BPF_JMP | BPF_CALL, 0, 0, 0, (s32)call->id);
	emit_imm64(&code, 1, BPF_PSEUDO_MAP_VALUE, (u32)mem_fd, RESULT_OFF);
	emit(&code, BPF_STX | BPF_MEM | BPF_DW, 1, 0, 0, 0);
	emit(&code, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	emit(&code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	fd = load(&code, BPF_PROG_TYPE_XDP);
	err = fd;
	if (fd >= 0) {
		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = (u32)fd;
		attr.test.data_in = (uintptr_t)packet;
		attr.test.data_size_in = sizeof(packet);
		err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
		if (!err)
			err = map_value(BPF_MAP_LOOKUP_ELEM, mem_fd, ret_mem);
		close(fd);
	}
	close(mem_fd);
	close(text_fd);
	return err;
}

static void our_call(struct call *call, struct run *run, u8 *ret_mem)
{
	u64 args[5], result, dynptr[2];

	memcpy(ret_mem, call->mem, MEM_LEN);
	if (call->has_dynptr)
		hlp_call(BPF_FUNC_dynptr_from_mem,
			(u64[]){(uintptr_t)ret_mem, call->dynptr_len, call->dynptr_flags,
				(uintptr_t)dynptr, 0},
			run);
	for (u32 i = 0; i < 5; i++) {
		args[i] = call->args[i].value;
		if (call->args[i].kind == MEM)
			args[i] += (uintptr_t)ret_mem;
		if (call->args[i].kind == TEXT)
			args[i] += (uintptr_t)call->text;
		if (call->args[i].kind == DYNPTR)
			args[i] = (uintptr_t)dynptr;
	}
	result = hlp_call(call->id, args, run);
	memcpy(ret_mem + RESULT_OFF, &result, 8);
}

void compare_call(struct run *run)
{
	static u8 ours[MEM_LEN] __attribute__((aligned(8))), kernels[MEM_LEN];
	struct call call;
	s64 result[2];
	long err;

	make_call(&call);
	err = kernel_call(&call, kernels);
	our_call(&call, run, ours);
	memcpy(&result[0], ours + RESULT_OFF, 8);
	if (err == -EINVAL && call.id == BPF_FUNC_snprintf) { /* refused at load there */
		if (result[0] != -EINVAL) {
			printf("snprintf \"%s\": kernel refuses, skep %lld\n", call.text,
				(long long)result[0]);
			exit(1);
		}
		refused_cnt++;
		return;
	}
	if (err) {
		printf("call of %s fails: %ld\n%s\n", hlp_table[call.id]->name, err, log_text);
		exit(1);
	}
	/* Linux copies strings of user space by words and clears the rest of the last one */
	if (call.id == BPF_FUNC_probe_read_user_str && result[0] > 0) {
		memset(ours + result[0], 0, sizeof(u64));
		memset(kernels + result[0], 0, sizeof(u64));
	}
	if (memcmp(ours, kernels, MEM_LEN)) {
		memcpy(&result[1], kernels + RESULT_OFF, 8);
		printf("%s: skep %lld, kernel %lld\n  text \"%s\" mem \"%.64s\" \"%.64s\"\n",
			hlp_table[call.id]->name, (long long)result[0], (long long)result[1],
			call.text, ours, kernels);
		for (u32 i = 0; i < 5; i++)
			printf("  R%u = %llu\n", i + 1, (unsigned long long)call.args[i].value);
		exit(1);
	}
	done_cnt++;
}
