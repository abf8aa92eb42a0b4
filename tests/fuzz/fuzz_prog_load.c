/*
 * BPF_PROG_LOAD with arbitrary instructions through bpf(2). What the verifier accepts runs in the checked
 * interpreter on an arbitrary frame: a fault there means that an unsafe program was accepted, and aborts.
 *
 * Input:  mode | frame length | then 8 bytes an instruction
 *	mode bit 0	0: the bytes are the instructions
 *			1: each 8 bytes choose a row of the instruction table and fill its fields, so that most
 *			   programs are well-formed and the fuzzer explores meaning instead of syntax
 *	mode bit 1	1: begin with packet pointers in R2 (data) and R3 (data_end)
 *	mode bit 2	1: begin with a map value's address, maybe null, in R0
 *	mode bit 3	1: the verifier's full log is asked for
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/skep.h>

#include "base/bug.h"
#include "base/types.h"
#include "core/inst.h"
#include "isa/isa.h"

enum {
	INSN_MAX = 256,
	FRAME_MIN = 14,
	FRAME_MAX = 256,
	LOG_LEN = 1 << 16,
	VALUE_LEN = 24,
	VERIFY_INSNS = 20000,
	MODE_TABLE = 1,
	MODE_PACKET = 2,
	MODE_MAP = 4,
	MODE_LOG = 8,
};

static struct skep *skep;
static int map_fds[2];
static char log_text[LOG_LEN];

static int make_map(u32 type, u32 entries)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = 4, .value_size = VALUE_LEN, .max_entries = entries};

	return skep_bpf(skep, BPF_MAP_CREATE, &attr, sizeof(attr));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct skep_options opts = {
		.sz = sizeof(opts), .flags = SKEP_CHECKED | SKEP_REPLAY, .cpu_cnt = 1};

	if (skep_new(&opts, &skep))
		abort();
	skep->verify_insns_max =
		VERIFY_INSNS; /* many small explorations find more than a few long ones */
	map_fds[0] = make_map(BPF_MAP_TYPE_ARRAY, 4);
	map_fds[1] = make_map(BPF_MAP_TYPE_HASH, 16);
	if (map_fds[0] < 0 || map_fds[1] < 0)
		abort();
	return 0;
}

static void add(struct bpf_insn *insns, u32 *cnt, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	insns[(*cnt)++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void add_map(struct bpf_insn *insns, u32 *cnt, u8 dst, int fd)
{
	add(insns, cnt, BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, fd);
	add(insns, cnt, 0, 0, 0, 0, 0);
}

/* The fields that the row says are constants get their constants, the others what the bytes say. */
static void add_row(struct bpf_insn *insns, u32 *cnt, const u8 bytes[8])
{
	const struct isa_op *op = isa_op((bytes[0] | (bytes[1] & 1) << 8) % ISA_CNT);
	struct bpf_insn insn = {.code = op->code};

	if (op->uses & ISA_DST)
		insn.dst_reg = (bytes[1] >> 4) % 11;
	if (op->uses & ISA_SRC)
		insn.src_reg = (bytes[2] >> 4) % 11;
	if (op->uses & ISA_OFF)
		insn.off = (s8)bytes[3];
	if (op->uses & ISA_IMM)
		insn.imm = bytes[2] & 1 ? (s8)bytes[4]
					: (s32)(bytes[4] | bytes[5] << 8 | bytes[6] << 16 |
						  (u32)bytes[7] << 24);
	if (op->key == ISA_KEY_OFF)
		insn.off = op->key_val;
	if (op->key == ISA_KEY_IMM)
		insn.imm = op->key_val;
	if (op->key == ISA_KEY_SRC)
		insn.src_reg = op->key_val;
	if (isa_is_lddw(&insn) && insn.src_reg)
		insn.imm = map_fds[bytes[4] & 1];
	insns[(*cnt)++] = insn;
	if (isa_is_lddw(&insn))
		add(insns, cnt, 0, 0, 0, 0,
			insn.src_reg ? bytes[5] % (VALUE_LEN + 2) : (s8)bytes[5]);
}

static void add_prefix(struct bpf_insn *insns, u32 *cnt, u8 mode)
{
	if (mode & MODE_MAP) {
		add(insns, cnt, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
		add(insns, cnt, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 1);
		add(insns, cnt, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0);
		add(insns, cnt, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4);
		add_map(insns, cnt, BPF_REG_1, map_fds[0]);
		add(insns, cnt, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
		add(insns, cnt, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0);
	}
	if (mode & MODE_PACKET) {
		add(insns, cnt, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
		add(insns, cnt, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, 4, 0);
	}
}

static u32 build(struct bpf_insn *insns, u8 mode, const u8 *data, size_t len)
{
	u32 cnt = 0;

	add_prefix(insns, &cnt, mode);
	for (; len >= 8 && cnt < INSN_MAX - 2; data += 8, len -= 8) {
		if (mode & MODE_TABLE)
			add_row(insns, &cnt, data);
		else
			memcpy(&insns[cnt++], data, 8);
	}
	if (mode & MODE_TABLE) {
		add(insns, &cnt, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 2);
		add(insns, &cnt, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	return cnt;
}

static void run(int prog_fd, u32 frame_len, u8 fill)
{
	u8 frame[FRAME_MAX], out[FRAME_MAX * 20];
	union bpf_attr attr = {0};
	long res;

	memset(frame, fill, sizeof(frame));
	attr.test.prog_fd = prog_fd;
	attr.test.data_in = (uintptr_t)frame;
	attr.test.data_size_in = frame_len;
	attr.test.data_out = (uintptr_t)out;
	attr.test.data_size_out = sizeof(out);
	attr.test.repeat = 1;
	res = skep_bpf(skep, BPF_PROG_TEST_RUN, &attr, sizeof(attr));
	skep_bug_if(res == -EFAULT, "a program that was accepted left its memory or its budget");
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static const char license[] = "GPL";
	struct bpf_insn insns[INSN_MAX + 16];
	union bpf_attr attr = {0};
	u32 cnt;
	int fd;

	if (len < 2)
		return 0;
	cnt = build(insns, data[0], data + 2, len - 2);
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = cnt;
	attr.license = (uintptr_t)license;
	if (data[0] & MODE_LOG) {
		attr.log_level = 2;
		attr.log_buf = (uintptr_t)log_text;
		attr.log_size = sizeof(log_text);
	}
	fd = skep_bpf(skep, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return 0;
	run(fd, FRAME_MIN + data[1] % (FRAME_MAX - FRAME_MIN), data[1]);
	close(fd);
	return 0;
}
