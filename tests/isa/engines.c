/*
 * The same program on every engine: interpreter, checked interpreter, JIT, checked JIT and, where bpf(2) is there,
 * the running kernel. Programs are drawn (draw.h) with a fixed seed, and fold all registers and the stack they used
 * into their result; the content of an array is compared too.
 *
 *	engines [ROUNDS [SEED [nokernel]]]
 *
 * Exit status: 0 all agree, 1 not (the program is printed, made as small as it still differs), 2 an engine
 * refused a program.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"
#include "draw.h"

enum { ROUNDS = 500, LOG_LEN = 1 << 18 };

/* ---- the array and the helpers, as the kernel has them ---- */

struct array {
	struct map map;
	_Alignas(8) u8 values[ENTRY_CNT * VALUE_LEN];
};

static void *array_lookup(struct map *map, const void *key, u32 cpu)
{
	struct array *array = container_of(map, struct array, map);
	u32 idx;

	memcpy(&idx, key, sizeof(idx));
	return idx < ENTRY_CNT ? array->values + idx * VALUE_LEN : NULL;
}

static bool array_owns(const struct map *map, const void *addr, size_t len)
{
	const struct array *array = container_of(map, struct array, map);
	const u64 off = (uintptr_t)addr - (uintptr_t)array->values;

	return off < sizeof(array->values) && len <= VALUE_LEN - off % VALUE_LEN;
}

static const struct map_ops array_ops = {.lookup = array_lookup, .owns = array_owns};
static const struct map_type array_type = {.type = BPF_MAP_TYPE_ARRAY, .name = "array"};
static struct array array = {.map = {.type = &array_type,
				     .ops = &array_ops,
				     .key_size = 4,
				     .value_size = VALUE_LEN,
				     .value_stride = VALUE_LEN,
				     .max_entries = ENTRY_CNT}};
static struct map *maps[] = {&array.map};

static u64 lookup(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)array_lookup((struct map *)(uintptr_t)r1, (void *)(uintptr_t)r2, 0);
}

static u64 update(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	void *value = array_lookup((struct map *)(uintptr_t)r1, (void *)(uintptr_t)r2, 0);

	if (!value)
		return (u64)-E2BIG;
	if (r4 == BPF_NOEXIST)
		return (u64)-EEXIST;
	memcpy(value, (void *)(uintptr_t)r3, VALUE_LEN);
	return 0;
}

static u64 loop(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	for (u32 i = 0; i < (u32)r1; i++)
		if (run_callback(run, r2, i, r3, 0, 0, 0))
			return i + 1;
	return (u32)r1;
}

static const struct hlp_proto lookup_proto = {.id = BPF_FUNC_map_lookup_elem,
	.fn = lookup,
	.ret = HLP_RET_MAP_VALUE_OR_NULL,
	.args = {HLP_CONST_MAP_PTR, HLP_MAP_KEY}};
static const struct hlp_proto update_proto = {.id = BPF_FUNC_map_update_elem,
	.fn = update,
	.args = {HLP_CONST_MAP_PTR, HLP_MAP_KEY, HLP_MAP_VALUE, HLP_ANYTHING}};
static const struct hlp_proto loop_proto = {.id = BPF_FUNC_loop,
	.fn = loop,
	.args = {HLP_ANYTHING, HLP_FUNC, HLP_STACK | HLP_MAYBE_NULL, HLP_ANYTHING}};
static const struct hlp_proto *const helpers[] = {[BPF_FUNC_map_lookup_elem] = &lookup_proto,
	[BPF_FUNC_map_update_elem] = &update_proto,
	[BPF_FUNC_loop] = &loop_proto};

/* What the array holds when a program begins. */
static void fill_array(u8 *values)
{
	for (u32 i = 0; i < sizeof(array.values); i++)
		values[i] = (u8)(i * 37 + 11);
}

/* In code that runs, maps are addresses and functions are places. */
static void rewrite(const struct draw *d, struct bpf_insn *insns)
{
	const u64 addr = (uintptr_t)&array.map;

	memcpy(insns, d->insns, d->cnt * sizeof(*insns));
	for (u32 i = 0; i < d->cnt; i++) {
		if (!isa_is_lddw(&insns[i]))
			continue;
		if (insns[i].src_reg == BPF_PSEUDO_FUNC) {
			insns[i].imm += (s32)i + 1;
		} else if (insns[i].src_reg == BPF_PSEUDO_MAP_FD) {
			insns[i].imm = (s32)addr;
			insns[i + 1].imm = (s32)(addr >> 32);
		}
		i++;
	}
}

/* The result, with the array's content in it. */
static u64 with_array(u64 result, const u8 *values)
{
	u64 word;

	for (u32 i = 0; i < sizeof(array.values); i += sizeof(word)) {
		memcpy(&word, values + i, sizeof(word));
		result = (result ^ word) * 0x9e3779b97f4a7c15;
	}
	return result;
}

/* ---- engines ---- */

static char kernel_log[LOG_LEN];

/* The kernel wants to know the functions of a program with callbacks: "int f()" for the first ones, and
 * "long f(u32, void *)" for the one that is called back. */
static int load_btf(void)
{
	enum { SIGNED_INT = 1 << 24, HDR_LEN = 24 };
	static const struct {
		u16 magic;
		u8 version, flags;
		u32 hdr_len, type_off, type_len, str_off, str_len;
		u32 types[42];
		char strs[30];
	} blob = {0xeb9f, 1, 0, HDR_LEN, 0, sizeof(blob.types), sizeof(blob.types),
		sizeof(blob.strs),
		/* 1 int, 2 u32, 3 long, 4 void * */
		{1, 1 << 24, 4, SIGNED_INT | 32, 5, 1 << 24, 4, 32, 9, 1 << 24, 8, SIGNED_INT | 64,
			0, 2 << 24, 0,
			/* 5 int (void *a), 6 long (u32 a, void *b), 7 int (void) */
			0, 13 << 24 | 1, 1, 14, 4, 0, 13 << 24 | 2, 3, 14, 2, 16, 4, 0, 13 << 24, 1,
			/* 8 f0, 9 f1, 10 f2, 11 cb: static */
			18, 12 << 24, 5, 21, 12 << 24, 7, 24, 12 << 24, 7, 27, 12 << 24, 6},
		"\0int\0u32\0long\0a\0b\0f0\0f1\0f2\0cb"};
	union bpf_attr attr = {.btf = (u64)(uintptr_t)&blob,
		.btf_size = HDR_LEN + sizeof(blob.types) + sizeof(blob.strs)};

	return (int)syscall(SYS_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
}

/* The kernel's side, made once: the array as memory, the types of the functions. */
static struct {
	int map_fd, btf_fd;
	u8 *values;
} kernel_side = {.map_fd = -1};

/* -errno */
static int open_kernel(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = VALUE_LEN,
		.max_entries = ENTRY_CNT,
		.map_flags = BPF_F_MMAPABLE};

	if (kernel_side.map_fd >= 0)
		return 0;
	kernel_side.map_fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	if (kernel_side.map_fd < 0)
		return -errno;
	kernel_side.values = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, kernel_side.map_fd, 0);
	if (kernel_side.values == MAP_FAILED)
		return -errno;
	kernel_side.btf_fd = load_btf();
	return kernel_side.btf_fd < 0 ? -errno : 0;
}

static int load_kernel(const struct draw *d)
{
	struct bpf_insn insns[INSN_CNT];
	struct bpf_func_info info[SUB_CNT];
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (u64)(uintptr_t)insns,
		.insn_cnt = d->cnt,
		.license = (u64)(uintptr_t) "GPL",
		.log_buf = (u64)(uintptr_t)kernel_log,
		.log_size = LOG_LEN,
		.prog_btf_fd = (u32)kernel_side.btf_fd,
		.func_info_rec_size = sizeof(info[0]),
		.func_info = (u64)(uintptr_t)info,
		.func_info_cnt = SUB_CNT};
	int fd;

	memcpy(insns, d->insns, d->cnt * sizeof(*insns));
	for (u32 i = 0; i < d->cnt; i++)
		if (isa_is_lddw(&insns[i]) && insns[i].src_reg == BPF_PSEUDO_MAP_FD)
			insns[i].imm = kernel_side.map_fd;
	for (u32 i = 0; i < SUB_CNT; i++)
		info[i] = (struct bpf_func_info){d->subs[i].start, 8 + i};
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0 && errno != EPERM && errno != ENOSYS) {
		load.log_level = 1;
		fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	}
	return fd < 0 ? -errno : fd;
}

/* -errno, or 0 and the result. */
static int run_kernel(const struct draw *d, u64 *ret_result)
{
	u8 packet[64] = {0};
	union bpf_attr test = {0};
	int err = open_kernel(), fd;

	if (err)
		return err;
	fd = load_kernel(d);
	if (fd < 0)
		return fd;
	fill_array(kernel_side.values);
	test.test.prog_fd = (u32)fd;
	test.test.data_in = (u64)(uintptr_t)packet;
	test.test.data_size_in = sizeof(packet);
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &test, sizeof(test)))
		err = -errno;
	close(fd);
	if (!err)
		*ret_result = with_array(test.test.retval, kernel_side.values);
	return err;
}

static void print_program(const struct draw *d)
{
	struct buf line = BUF_INIT;

	for (u32 i = 0; i < d->cnt; i++) {
		if (d->insns[i].code == (BPF_JMP | BPF_JA) && !d->insns[i].off)
			continue;
		buf_reset(&line);
		isa_disasm(&line, &d->insns[i], NULL);
		printf("%u: %s\n", i, buf_text(&line));
		i += isa_is_lddw(&d->insns[i]);
	}
	buf_done(&line);
}

struct tally {
	u32 programs, kernel, jits[3];
	u64 insns;
	bool asks_kernel;
	bool is_quiet;
};

#define SAY(...)                                                                                   \
	do {                                                                                       \
		if (!tally->is_quiet)                                                              \
			printf(__VA_ARGS__);                                                       \
	} while (0)

enum jit { JIT_FUSED, JIT_PLAIN, JIT_CHECKED, JIT_CNT };
static const char *const jit_names[] = {"JIT", "JIT one by one", "checked JIT"};

/* -errno, or 0 and the result. */
static int run_jit(enum jit kind, const struct prog *prog, struct run *run, u64 *ret_result)
{
	struct prog_image image = {0};
	int err;

	switch (kind) {
	case JIT_FUSED: err = jit_compile(&prog->code, run->inst, &image); break;
	case JIT_PLAIN: err = jit_compile_plain(&prog->code, run->inst, &image); break;
	default: err = jit_compile_checked(prog, run->inst, &image); break;
	}
	if (err)
		return err;
	run->fault.kind = RUN_FAULT_NONE;
	fill_array(array.values);
	*ret_result = with_array((u32)image.entry(NULL, run), array.values);
	jit_free(&image);
	return 0;
}

/* 0 all agree, 1 not, 2 the JIT refuses. */
static int compare_jits(const struct prog *prog, struct run *run, u64 want, struct tally *tally)
{
	u64 result = 0;
	int err;

	for (enum jit kind = 0; kind < JIT_CNT; kind++) {
		err = run_jit(kind, prog, run, &result);
		if (err == -ENOSYS)
			continue;
		if (err) {
			SAY("the %s refuses the program: %s\n", jit_names[kind], strerror(-err));
			return 2;
		}
		tally->jits[kind]++;
		if (result == want)
			continue;
		SAY("interpreter %#" PRIx64 ", %s %#" PRIx64 ", fault %d at %u\n", want,
			jit_names[kind], result, run->fault.kind, run->fault.insn_idx);
		return 1;
	}
	return 0;
}

static int compare(struct draw *d, struct run *run, struct tally *tally)
{
	static struct bpf_insn insns[INSN_CNT];
	const struct prog prog = {.code = {insns, d->cnt, d->subs, SUB_CNT},
		.maps = maps,
		.map_cnt = ARRAY_SIZE(maps)};
	u64 plain, checked, kernel = 0;
	int err;

	rewrite(d, insns);
	/* first the one that a wild program does no harm to: shrinking makes such */
	fill_array(array.values);
	checked = (u32)interp_run_checked(&prog.code, maps, ARRAY_SIZE(maps), NULL, run);
	checked = with_array(checked, array.values);
	if (run->fault.kind) {
		SAY("checked interpreter: fault %u at insn %u\n", run->fault.kind,
			run->fault.insn_idx);
		return 2;
	}
	fill_array(array.values);
	plain = with_array((u32)interp_run(&prog.code, NULL, run), array.values);
	if (checked != plain) {
		SAY("interpreter %#" PRIx64 ", checked %#" PRIx64 "\n", plain, checked);
		return 1;
	}
	err = compare_jits(&prog, run, plain, tally);
	if (err)
		return err;
	if (!tally->asks_kernel)
		return 0;
	err = run_kernel(d, &kernel);
	if (err == -EPERM || err == -ENOSYS)
		return 0;
	if (err) {
		SAY("the kernel refuses the program: %s\n%s\n", strerror(-err), kernel_log);
		return 2;
	}
	tally->kernel++;
	if (kernel == plain)
		return 0;
	SAY("interpreter %#" PRIx64 ", kernel %#" PRIx64 "\n", plain, kernel);
	return 1;
}

/* Instructions without which the engines still differ become "goto +0" and are not printed. */
static void shrink(struct draw *d, struct run *run, struct tally *tally)
{
	bool is_changed = true;

	tally->is_quiet = true;
	while (is_changed) {
		is_changed = false;
		for (u32 i = d->cnt; i-- > 0;) {
			const struct bpf_insn old = d->insns[i], nop = {.code = BPF_JMP | BPF_JA};

			if (!old.code || isa_is_lddw(&old) || d->is_kept[i] ||
				!memcmp(&old, &nop, sizeof(nop)))
				continue;
			d->insns[i] = nop;
			if (compare(d, run, tally) == 1)
				is_changed = true;
			else
				d->insns[i] = old;
		}
	}
	tally->is_quiet = false;
	compare(d, run, tally);
}

static void note_rows(struct draw *d)
{
	for (u32 i = 0; i < d->cnt; i++) {
		const struct isa_op *op = isa_find(&d->insns[i]);

		if (op)
			d->has_row[op->id] = true;
		i += isa_is_lddw(&d->insns[i]);
	}
}

int main(int argc, char **argv)
{
	const u32 rounds = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : ROUNDS;
	struct draw *d = mem_zalloc(sizeof(*d));
	struct skep inst = {.cpu_cnt = 1, .helpers = helpers, .helper_cnt = ARRAY_SIZE(helpers)};
	struct run run = {.inst = &inst, .budget = 1 << 20};
	struct tally tally = {.asks_kernel = argc < 4};
	u32 row_cnt = 0;
	int err = 0;

	if (!d)
		return 2;
	d->has_no_fetch = tally.asks_kernel;
	d->seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	while (!err && tally.programs < rounds) {
		draw_program(d);
		if (!draw_calls_all(d))
			continue;
		err = compare(d, &run, &tally);
		if (err == 1)
			shrink(d, &run, &tally);
		if (err)
			print_program(d);
		note_rows(d);
		tally.programs++;
		tally.insns += d->cnt;
	}
	for (u32 id = 0; id < ISA_CNT; id++)
		row_cnt += d->has_row[id];
	printf("%u programs, %" PRIu64
	       " instructions of %u rows; %u on the JIT, %u on the checked JIT, "
	       "%u on the kernel%s\n",
		tally.programs, tally.insns, row_cnt, tally.jits[JIT_FUSED],
		tally.jits[JIT_CHECKED], tally.kernel,
		tally.kernel	    ? ""
		: tally.asks_kernel ? " (bpf(2) is not available: not compared)"
				    : " (not asked)");
	mem_free(d);
	return err;
}
