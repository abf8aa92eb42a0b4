/*
 * The instruction set as data: what an instruction is (isa_decode), what is wrong with one
 * (isa_check), its text in the kernel's notation (isa_disasm) and programs from text (isa_asm).
 * All functions are pure and thread-safe; all facts are rows of insn.def.
 * Source: RFC 9669; Linux 6.18 for the checks of unused fields, for the words of a refusal and for
 * the notation.
 */
#ifndef ISA_ISA_H
#define ISA_ISA_H

#include "base/buf.h"
#include "base/types.h"
#include "isa/uapi.h"

/* ISA_ADD64_K, ISA_ADD64_X, ...: one number a row of insn.def, dense from 0 */
enum isa_id {
#define INSN(id, ...)	   ISA_##id,
#define INSN_MORE(id, ...) ISA_##id,
#include "isa/insn.def"
	ISA_CNT
};

enum isa_form {
#define FORM(id, ...) ISA_FORM_##id,
#include "isa/insn.def"
	ISA_FORM_CNT
};

/* Conformance groups of RFC 9669, then what is outside of it */
enum isa_group {
	ISA_GROUP_BASE32,
	ISA_GROUP_BASE64,
	ISA_GROUP_DIVMUL32,
	ISA_GROUP_DIVMUL64,
	ISA_GROUP_ATOMIC32,
	ISA_GROUP_ATOMIC64,
	ISA_GROUP_PACKET,
	ISA_GROUP_LINUX,    /* only Linux has it */
	ISA_GROUP_CALLX,    /* call of the helper whose number a register holds; Linux refuses it */
	ISA_GROUP_INTERNAL, /* written by a verifier's rewriting, refused from a loader */
};

enum isa_key { ISA_KEY_NONE, ISA_KEY_OFF, ISA_KEY_IMM, ISA_KEY_SRC };

/* Fields of an instruction, as bits */
enum { ISA_DST = 1, ISA_SRC = 2, ISA_OFF = 4, ISA_IMM = 8 };

struct isa_op {
	const char *name; /* mnemonic, e.g. "add32", "lock fetch or", "lddw map_fd" */
	const char *sym;  /* operator or type in the kernel's notation, e.g. "+=", "u32" */
	s32 key_val;	  /* what the key field holds */
	u16 since;	  /* first Linux release, ISA_KERNEL(major, minor) */
	u8 id;		  /* enum isa_id */
	u8 code;	  /* the opcode byte */
	u8 key;		  /* enum isa_key: which field tells it from others of its code */
	u8 form;	  /* enum isa_form */
	u8 group;	  /* enum isa_group */
	u8 cpu;		  /* clang -mcpu=v<cpu> */
	u8 uses;	  /* ISA_DST | ...: fields in use, the key included; others must be 0 */
};

#define ISA_KERNEL(major, minor) ((major) << 8 | (minor))

/* Row number id; NULL when id is not below ISA_CNT. */
const struct isa_op *isa_op(u32 id);

/* The row of insn, all groups, or NULL. Reads one slot and checks the key, no other field. */
const struct isa_op *isa_find(const struct bpf_insn *insn);

/* The first row of an opcode byte, or NULL. */
const struct isa_op *isa_find_code(u8 code);

/*
 * The row of insn, or NULL for what Linux refuses by its form alone: unknown opcodes (callx and the
 * internal ones too), a non-zero field that is not in use, registers above R10. Reads one slot; the
 * second slot of ld_imm64 is isa_check's. What Linux refuses only after looking at more (division by
 * a constant 0, a shift by more than the width, a write to R10) is decoded.
 */
const struct isa_op *isa_decode(const struct bpf_insn *insn);

/*
 * isa_decode with a reason: 0, or -EINVAL and Linux's words ("unknown opcode 06", "BPF_MOV uses
 * reserved fields", no newline) added to why, which may be NULL. cnt is the number of slots left in
 * the program, insn included.
 */
int isa_check(const struct bpf_insn *insn, u32 cnt, struct buf *why);

static inline bool isa_is_lddw(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* The 64-bit constant of an ld_imm64; reads two slots. */
static inline u64 isa_imm64(const struct bpf_insn *insn)
{
	return (u64)(u32)insn[1].imm << 32 | (u32)insn->imm;
}

/* Bytes of memory that a load, store or atomic instruction moves: 1, 2, 4 or 8. */
static inline u32 isa_access_len(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B: return 1;
	case BPF_H: return 2;
	case BPF_W: return 4;
	default: return 8;
	}
}

static inline bool isa_is_atomic(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_STX &&
	       (BPF_MODE(insn->code) == BPF_ATOMIC || BPF_MODE(insn->code) == BPF_PROBE_ATOMIC);
}

/* Of a load, a store, or an atomic operation: does it only read memory? Then src_reg is the base, else dst_reg. */
static inline bool isa_is_read(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_LDX ||
	       (isa_is_atomic(insn) && insn->imm == BPF_LOAD_ACQ);
}

/* Does it go through a pointer into the arena? Only rewritten code has such loads and stores. */
static inline bool isa_is_arena(const struct bpf_insn *insn)
{
	const u8 class = BPF_CLASS(insn->code), mode = BPF_MODE(insn->code);

	switch (mode) {
	case BPF_PROBE_MEM32: return class == BPF_LDX || class == BPF_ST || class == BPF_STX;
	case BPF_PROBE_MEM32SX: return class == BPF_LDX;
	case BPF_PROBE_ATOMIC: return class == BPF_STX;
	default: return false;
	}
}

static inline bool isa_is_jump(const struct bpf_insn *insn)
{
	const u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

/* Slots from the next instruction to the target of a jump, JA32 included. */
static inline s32 isa_jump_off(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off;
}

/*
 * Registers, as bits, that insn reads and writes; calls count R1-R5 read and R0-R5 written. A form
 * the table does not know has none.
 */
u16 isa_regs_read(const struct bpf_insn *insn);
u16 isa_regs_written(const struct bpf_insn *insn);
/* Both at once. */
void isa_regs(const struct bpf_insn *insn, u16 *ret_read, u16 *ret_written);

/* "bpf_map_lookup_elem" for 1; NULL for a number Linux 6.18 does not have. */
const char *isa_helper_name(u32 id);

/*
 * How the disassembler names what only its caller knows. Both functions may be NULL; they add the
 * name to out and return true, or return false for the plain form.
 */
struct isa_names {
	void *arg;
	/*
	 * A call. For a bpf-to-bpf call the text stands after "call pc" (plain: "+3"), for a kfunc or
	 * an unknown helper before "#imm" (plain: "kernel-function", "unknown").
	 */
	bool (*call)(void *arg, const struct bpf_insn *insn, struct buf *out);
	/* The constant of an ld_imm64 (plain: hexadecimal). */
	bool (*imm)(void *arg, const struct bpf_insn *insn, u64 imm, struct buf *out);
	bool hide_addresses; /* constants that are addresses print as 0x0 */
};

/*
 * Adds one instruction in the kernel's notation, e.g. "(07) r3 += 14", without a newline. Reads two
 * slots for ld_imm64. names may be NULL. Accepts any 8 bytes. 0, or out->err.
 */
int isa_disasm(struct buf *out, const struct bpf_insn *insn, const struct isa_names *names);

/* Adds the instruction in the assembler's notation, e.g. "add %r3, 14", which isa_asm reads back. */
int isa_disasm_text(struct buf *out, const struct bpf_insn *insn);

/*
 * A program from text, one instruction a line: the mnemonics of insn.def ("add32 %r1, 5") or the
 * kernel's notation ("w1 += 5", with or without the "(04)" before it), with labels ("L1:") and
 * comments (# or ;). ret_insns is for mem_free. 0, -ENOMEM, or -EINVAL and "line N: ..." added to
 * err, which may be NULL.
 */
int isa_asm(const char *text, struct bpf_insn **ret_insns, u32 *ret_cnt, struct buf *err);

#endif
