/*
 * The rows of insn.def as a table, and the questions asked of one instruction by its form alone.
 * A row is found by the opcode byte and then by its key field, so a lookup looks at one to eleven
 * neighbouring rows.
 * Source: RFC 9669 section 7 (appendix) and, for what is refused and in which words, Linux 6.18.
 */
#include "isa/isa.h"

#include <errno.h>

enum { NONE = ISA_KEY_NONE, OFF = ISA_KEY_OFF, IMM = ISA_KEY_IMM, SRC = ISA_KEY_SRC };
enum { D = ISA_DST, S = ISA_SRC, O = ISA_OFF, I = ISA_IMM };

/* Registers of a form: the low bits are R0 to R10, the two bits below name a field instead. */
enum { DST = 1 << 16, SRC_REG = 1 << 17, ARGS = 0x3e, SAVED = 0x3f };
#define R(n) (1 << (n))

static const struct form {
	u32 reads, writes;
	const char *words;
} forms[ISA_FORM_CNT] = {
/* SRC is the name of a key too; here it is the register */
#define SRC						   SRC_REG
#define FORM(id, uses, reads, writes, kernel, text, words) [ISA_FORM_##id] = {reads, writes, words},
#include "isa/insn.def"
#undef SRC
};

/* The fields that forms and keys use, as constants for the table below */
enum {
#define FORM(id, uses, ...) USES_##id = (uses),
#include "isa/insn.def"
	KEY_USES_NONE = 0,
	KEY_USES_OFF = ISA_OFF,
	KEY_USES_IMM = ISA_IMM,
	KEY_USES_SRC = ISA_SRC,
};

#define KV(major, minor) ISA_KERNEL(major, minor)
static const struct isa_op ops[ISA_CNT] = {
#define INSN(row, opcode, k, val, low, symbol, f, g, v, s)                                         \
	[ISA_##row] = {.name = (low),                                                              \
		.sym = (symbol),                                                                   \
		.key_val = (val),                                                                  \
		.since = (s),                                                                      \
		.id = ISA_##row,                                                                   \
		.code = (opcode),                                                                  \
		.key = (k),                                                                        \
		.form = ISA_FORM_##f,                                                              \
		.group = ISA_GROUP_##g,                                                            \
		.cpu = (v),                                                                        \
		.uses = USES_##f | KEY_USES_##k},
#define INSN_MORE INSN
#include "isa/insn.def"
};
#undef KV

/* Opcode byte -> 1 + its first row; 0: none */
static const u8 first_row[256] = {
#define INSN(row, opcode, ...) [opcode] = ISA_##row + 1,
#define INSN_MORE(...)
#include "isa/insn.def"
};

_Static_assert(ISA_CNT < 255, "a row number fits a byte");

const struct isa_op *isa_op(u32 id)
{
	return id < ISA_CNT ? &ops[id] : NULL;
}

/* A table: which field it is cannot be foreseen, so a branch would cost more. */
static s32 key_field(const struct bpf_insn *insn, u8 key)
{
	const s32 fields[] = {[ISA_KEY_NONE] = 0,
		[ISA_KEY_OFF] = insn->off,
		[ISA_KEY_IMM] = insn->imm,
		[ISA_KEY_SRC] = insn->src_reg};

	return fields[key];
}

const struct isa_op *isa_find(const struct bpf_insn *insn)
{
	const u32 first = first_row[insn->code];

	for (u32 id = first - 1; first && id < ISA_CNT && ops[id].code == insn->code; id++)
		if (key_field(insn, ops[id].key) == ops[id].key_val)
			return &ops[id];
	return NULL;
}

const struct isa_op *isa_find_code(u8 code)
{
	return first_row[code] ? &ops[first_row[code] - 1] : NULL;
}

/* Fields that are not 0, as bits */
static u8 set_fields(const struct bpf_insn *insn)
{
	return (insn->dst_reg ? ISA_DST : 0) | (insn->src_reg ? ISA_SRC : 0) |
	       (insn->off ? ISA_OFF : 0) | (insn->imm ? ISA_IMM : 0);
}

static bool has_bad_reg(const struct bpf_insn *insn, u8 uses)
{
	return ((uses & ISA_DST) && insn->dst_reg >= ISA_REG_CNT) ||
	       ((uses & ISA_SRC) && insn->src_reg >= ISA_REG_CNT);
}

/* An address-space cast converts between spaces 1 (the arena) and 0 only. */
static bool has_bad_cast(const struct isa_op *op, const struct bpf_insn *insn)
{
	return op->form == ISA_FORM_CAST && insn->imm != 1 && insn->imm != 1 << 16;
}

const struct isa_op *isa_decode(const struct bpf_insn *insn)
{
	const struct isa_op *op = isa_find(insn);

	if (!op || op->group >= ISA_GROUP_CALLX || set_fields(insn) & ~op->uses ||
		has_bad_reg(insn, op->uses) || has_bad_cast(op, insn))
		return NULL;
	return op;
}

static int refuse(struct buf *why, const char *words)
{
	if (why)
		buf_str(why, words);
	return -EINVAL;
}

/* Linux looks at the mode and imm of a load before it looks for the opcode. */
static int refuse_opcode(struct buf *why, const struct bpf_insn *insn)
{
	const u8 mode = BPF_MODE(insn->code);

	if (BPF_CLASS(insn->code) == BPF_LDX &&
		(insn->imm || (mode != BPF_MEM && mode != BPF_MEMSX)))
		return refuse(why, forms[ISA_FORM_LDX].words);
	if (why)
		buf_printf(why, "unknown opcode %02x", insn->code);
	return -EINVAL;
}

/* Operations that are there for 8 bytes may not be for 1 or 2. */
static int refuse_atomic(struct buf *why, const struct bpf_insn *insn)
{
	const struct bpf_insn wide = {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = insn->imm};

	if (isa_find(&wide))
		return refuse(why, "invalid atomic operand size");
	if (why)
		buf_printf(why, "BPF_ATOMIC uses invalid atomic opcode %02x", insn->imm);
	return -EINVAL;
}

/* No row has the value of the key field, or a field that is not in use is set. */
static int refuse_fields(struct buf *why, const struct isa_op *first, const struct bpf_insn *insn)
{
	if (first->key == ISA_KEY_IMM && BPF_CLASS(insn->code) == BPF_STX)
		return refuse_atomic(why, insn);
	if (first->form == ISA_FORM_MAY_GOTO) {
		if (why)
			buf_printf(why, "invalid may_goto imm %d", insn->imm);
		return -EINVAL;
	}
	if (first->form == ISA_FORM_LDDW && insn->src_reg > BPF_PSEUDO_MAP_IDX_VALUE)
		return refuse(why, "unrecognized bpf_ld_imm64 insn");
	return refuse(why, forms[first->form].words);
}

static bool is_bad_second_slot(const struct bpf_insn *insn, u32 cnt)
{
	return cnt < 2 || insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off;
}

int isa_check(const struct bpf_insn *insn, u32 cnt, struct buf *why)
{
	const struct isa_op *op = isa_find(insn), *first = isa_find_code(insn->code);

	if (!first || first->group >= ISA_GROUP_CALLX)
		return refuse_opcode(why, insn);
	if (isa_is_lddw(insn) && is_bad_second_slot(insn, cnt))
		return refuse(why, "invalid bpf_ld_imm64 insn");
	if (!op || op->group >= ISA_GROUP_CALLX)
		return refuse_fields(why, first, insn);
	if (set_fields(insn) & ~op->uses)
		return refuse_fields(why, op, insn);
	if (has_bad_reg(insn, op->uses)) {
		if (why)
			buf_printf(why, "R%d is invalid",
				(op->uses & ISA_SRC) && insn->src_reg >= ISA_REG_CNT
					? insn->src_reg
					: insn->dst_reg);
		return -EINVAL;
	}
	if (has_bad_cast(op, insn))
		return refuse(
			why, "addr_space_cast insn can only convert between address space 1 and 0");
	return 0;
}

static u16 named_regs(const struct bpf_insn *insn, u32 regs)
{
	const u32 has_dst = !!(regs & DST), has_src = !!(regs & SRC_REG);

	return (u16)((regs & 0x7ff) | has_dst << insn->dst_reg | has_src << insn->src_reg);
}

void isa_regs(const struct bpf_insn *insn, u16 *ret_read, u16 *ret_written)
{
	const struct isa_op *op = isa_find(insn);

	*ret_read = op ? named_regs(insn, forms[op->form].reads) : 0;
	*ret_written = op ? named_regs(insn, forms[op->form].writes) : 0;
}

u16 isa_regs_read(const struct bpf_insn *insn)
{
	u16 read, written;

	isa_regs(insn, &read, &written);
	return read;
}

u16 isa_regs_written(const struct bpf_insn *insn)
{
	u16 read, written;

	isa_regs(insn, &read, &written);
	return written;
}

#define NAME(x, ...) "bpf_" #x
/* <linux/bpf.h> 6.1 ends at 209; the two helpers since then are added where they are asked for. */
static const char *const helper_names[] = {__BPF_FUNC_MAPPER(NAME)};
static const char *const helper_names_new[] = {"bpf_cgrp_storage_get", "bpf_cgrp_storage_delete"};

enum { HELPER_NEW = 210 };

const char *isa_helper_name(u32 id)
{
	if (id >= HELPER_NEW)
		return id - HELPER_NEW < ARRAY_SIZE(helper_names_new)
			       ? helper_names_new[id - HELPER_NEW]
			       : NULL;
	return id && id < ARRAY_SIZE(helper_names) ? helper_names[id] : NULL;
}
