/*
 * Several BPF instructions as one of the machine's: what three operands, an address with an index, or an
 * operand in memory can say at once. A pattern holds only where no jump arrives between its instructions and
 * where the registers that it no longer writes are dead behind it.
 */
#include "isa/isa.h"
#include "jit/x86/x86.h"

const struct bpf_insn *x86_next(const struct jit *jit, u32 idx, u32 n)
{
	const u32 at = idx + n;

	for (u32 i = idx + 1; i <= at; i++)
		if (i >= jit->code->insn_cnt || jit->flow.is_target[i])
			return NULL;
	return &jit->code->insns[at];
}

bool x86_is_alu(const struct bpf_insn *insn, u8 op)
{
	const u8 class = BPF_CLASS(insn->code);

	return (class == BPF_ALU || class == BPF_ALU64) && (insn->code & ~7) == op;
}

static bool is_wide(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64;
}

static bool is_mem(const struct bpf_insn *insn, u8 class)
{
	return BPF_CLASS(insn->code) == class && BPF_MODE(insn->code) == BPF_MEM;
}

static u8 alu_op(const struct bpf_insn *insn)
{
	switch (BPF_OP(insn->code)) {
	case BPF_ADD: return X86_ADD;
	case BPF_SUB: return X86_SUB;
	case BPF_AND: return X86_AND;
	case BPF_OR: return X86_OR;
	case BPF_XOR: return X86_XOR;
	default: return 0;
	}
}

/* A load or store through base, which is dead behind it, goes to mem instead. */
static bool access_at(struct jit *jit, u32 idx, u8 base, struct x86_mem mem)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];
	const u32 len = isa_access_len(insn);
	const bool is_load = is_mem(insn, BPF_LDX);

	if (!is_load && !is_mem(insn, BPF_STX) && !is_mem(insn, BPF_ST))
		return false;
	if ((is_load ? insn->src_reg : insn->dst_reg) != base)
		return false;
	if (!(is_load && insn->dst_reg == base) && x86_is_live(jit, idx, base))
		return false;
	if (is_mem(insn, BPF_STX) && insn->src_reg == base)
		return false;
	mem.disp += insn->off;
	if (is_load)
		x86_load(&jit->out, len, x86_reg_of(insn->dst_reg), mem);
	else if (is_mem(insn, BPF_STX))
		x86_store(&jit->out, len, mem, x86_reg_of(insn->src_reg));
	else
		x86_store_imm(&jit->out, len, mem, insn->imm);
	return true;
}

/* dst = mem's address at idx + n, or the access behind it where only that wants dst. */
static u32 address(struct jit *jit, u32 idx, u32 n, bool w, u8 dst, struct x86_mem mem)
{
	if (w && x86_next(jit, idx, n) && access_at(jit, idx + n, dst, mem))
		return n + 1;
	x86_lea(&jit->out, w, x86_reg_of(dst), mem);
	return n;
}

/* r2 = r1; r2 <<= k; r2 >>= 64 - k, or the right shift first */
static u32 rotate(struct jit *jit, u32 idx)
{
	const struct bpf_insn *mov = &jit->code->insns[idx], *a = mov + 1, *b = mov + 2,
			      * or = mov + 3;
	const u32 width = BPF_CLASS(mov[1].code) == BPF_ALU64 ? 64 : 32;
	const struct bpf_insn *left;
	enum x86_reg dst, src = x86_reg_of(mov->src_reg);

	if (!x86_next(jit, idx, 3) || mov->dst_reg == mov->src_reg)
		return 0;
	if (x86_is_alu(a, BPF_LSH | BPF_K) && x86_is_alu(b, BPF_RSH | BPF_K))
		left = a;
	else if (x86_is_alu(a, BPF_RSH | BPF_K) && x86_is_alu(b, BPF_LSH | BPF_K))
		left = b;
	else
		return 0;
	if (!x86_is_alu(or, BPF_OR | BPF_X) && !x86_is_alu(or, BPF_XOR | BPF_X) &&
		!x86_is_alu(or, BPF_ADD | BPF_X))
		return 0;
	if (is_wide(a) != is_wide(b) || is_wide(a) != is_wide(or) || (is_wide(a) && !is_wide(mov)))
		return 0;
	if (a->imm <= 0 || b->imm <= 0 || (u32)a->imm + (u32)b->imm != width)
		return 0;
	if (a->dst_reg == b->dst_reg || or->dst_reg == or->src_reg ||
		(1 << a->dst_reg | 1 << b->dst_reg) != (1 << mov->dst_reg | 1 << mov->src_reg) ||
		(1 << or->dst_reg | 1 << or->src_reg) != (1 << mov->dst_reg | 1 << mov->src_reg) ||
		x86_is_live(jit, idx + 3, or->src_reg))
		return 0;
	dst = x86_reg_of(or->dst_reg);
	if (jit->features & X86_BMI2) {
		x86_rorx(&jit->out, width == 64, dst, src, width - (u32)left->imm);
		return 4;
	}
	if (dst != src)
		x86_mov_rr(&jit->out, width == 64, dst, src);
	x86_shift_ri(&jit->out, X86_ROL, width == 64, dst, (u8)left->imm);
	return 4;
}

/* r2 = r1; r2 += ..., perhaps with r2 <<= k before */
static u32 mov_add(struct jit *jit, u32 idx)
{
	const struct bpf_insn *mov = &jit->code->insns[idx], *add = x86_next(jit, idx, 1);
	const bool w = is_wide(mov);
	struct x86_mem mem = {.base = x86_reg_of(mov->src_reg)};
	u32 n = 2;

	if (add && x86_is_alu(add, BPF_LSH | BPF_K) && add->dst_reg == mov->dst_reg &&
		is_wide(add) == w && add->imm >= 1 && add->imm <= 3) {
		mem = (struct x86_mem){.index = mem.base, .scale = (u8)(1 << add->imm)};
		add = x86_next(jit, idx, 2);
		n = 3;
	}
	if (!add || add->dst_reg != mov->dst_reg || is_wide(add) != w)
		return 0;
	if (x86_is_alu(add, BPF_ADD | BPF_K) && n == 2)
		mem.disp = add->imm;
	else if (x86_is_alu(add, BPF_ADD | BPF_X) && add->src_reg != mov->dst_reg && n == 2)
		mem = (struct x86_mem){
			.base = mem.base, .index = x86_reg_of(add->src_reg), .scale = 1};
	else if (x86_is_alu(add, BPF_ADD | BPF_X) && add->src_reg != mov->dst_reg)
		mem.base = x86_reg_of(add->src_reg);
	else
		return 0;
	if (mem.disp > INT32_MAX - INT16_MAX || mem.disp < INT32_MIN - INT16_MIN)
		return 0;
	return address(jit, idx, n, w, mov->dst_reg, mem);
}

/* r2 = r1; r2 op= ... where the machine has three operands */
static u32 mov_op(struct jit *jit, u32 idx)
{
	const struct bpf_insn *mov = &jit->code->insns[idx], *op = x86_next(jit, idx, 1);
	const enum x86_reg dst = x86_reg_of(mov->dst_reg), src = x86_reg_of(mov->src_reg);
	enum x86_shift shift;
	bool w;

	if (!op || (BPF_CLASS(op->code) != BPF_ALU && BPF_CLASS(op->code) != BPF_ALU64) ||
		op->dst_reg != mov->dst_reg || (is_wide(op) && !is_wide(mov)))
		return 0;
	w = is_wide(op);
	if (x86_is_alu(op, BPF_MUL | BPF_K)) {
		x86_multiply(jit, w, dst, src, op->imm);
		return 2;
	}
	if (x86_is_alu(op, BPF_AND | BPF_K) && (op->imm == 0xff || op->imm == 0xffff)) {
		x86_movzx_rr(&jit->out, op->imm == 0xff ? 1 : 2, dst, src);
		return 2;
	}
	switch (BPF_OP(op->code)) {
	case BPF_LSH: shift = X86_SHL; break;
	case BPF_RSH: shift = X86_SHR; break;
	case BPF_ARSH: shift = X86_SAR; break;
	default: return 0;
	}
	if (BPF_SRC(op->code) == BPF_K || op->src_reg == mov->dst_reg ||
		!(jit->features & X86_BMI2))
		return 0;
	x86_shiftx(&jit->out, shift, w, dst, src, x86_reg_of(op->src_reg));
	return 2;
}

/* [r2 = r1;] r2 <<= 32; r2 >>= 32, and with 48 and 56, signed too; from 32 bits also with more to the right */
static u32 extend(struct jit *jit, u32 idx, u32 n, enum x86_reg src)
{
	const struct bpf_insn *left = n ? x86_next(jit, idx, n) : &jit->code->insns[idx];
	const struct bpf_insn *right = x86_next(jit, idx, n + 1);
	const bool is_signed = right && right->code == (BPF_ALU64 | BPF_ARSH | BPF_K);
	struct buf *out = &jit->out;
	enum x86_reg dst;
	u32 len, more;

	if (!left || !right || left->code != (BPF_ALU64 | BPF_LSH | BPF_K) ||
		right->dst_reg != left->dst_reg ||
		(!is_signed && right->code != (BPF_ALU64 | BPF_RSH | BPF_K)))
		return 0;
	if (left->imm != 32 && left->imm != 48 && left->imm != 56)
		return 0;
	if (right->imm < left->imm || right->imm > 63 ||
		(right->imm > left->imm && left->imm != 32))
		return 0;
	more = (u32)(right->imm - left->imm);
	len = (64 - (u32)left->imm) / 8;
	dst = x86_reg_of(left->dst_reg);
	if (is_signed)
		x86_movsx_rr(out, len, true, dst, src);
	else if (len < 4 || dst != src || !(more || jit->zext & 1 << left->dst_reg))
		x86_movzx_rr(out, len, dst, src);
	if (more)
		x86_shift_ri(out, is_signed ? X86_SAR : X86_SHR, is_signed, dst, (u8)more);
	return n + 2;
}

/* [r2 = r1;] r3 = the upper 32 - k bits of 32; r2 &= r3; r2 >>= k, half of a rotation */
static u32 upper_bits(struct jit *jit, u32 idx, u32 n, enum x86_reg src)
{
	const struct bpf_insn *mask = n ? x86_next(jit, idx, n) : &jit->code->insns[idx];
	const struct bpf_insn *and = x86_next(jit, idx, n + 2), *shift = x86_next(jit, idx, n + 3);
	enum x86_reg dst;

	if (!mask || !isa_is_lddw(mask) || mask->src_reg || !and ||
		!shift || and->code != (BPF_ALU64 | BPF_AND | BPF_X) ||
				  and->src_reg != mask->dst_reg ||
		shift->code != (BPF_ALU64 | BPF_RSH | BPF_K) ||
		shift->dst_reg != and->dst_reg || and->dst_reg == and->src_reg)
		return 0;
	if (n ? jit->code->insns[idx].dst_reg != and->dst_reg ||
				jit->code->insns[idx].src_reg == mask->dst_reg
	      : x86_reg_of(and->dst_reg) != src)
		return 0;
	if (shift->imm < 1 || shift->imm > 31 || isa_imm64(mask) != (UINT32_MAX << shift->imm))
		return 0;
	dst = x86_reg_of(and->dst_reg);
	x86_mov_rr(&jit->out, false, dst, src);
	x86_shift_ri(&jit->out, X86_SHR, false, dst, (u8)shift->imm);
	if (x86_is_live(jit, idx + n + 3, mask->dst_reg))
		x86_mov_ri(&jit->out, x86_reg_of(mask->dst_reg), isa_imm64(mask));
	return n + 4;
}

/* The second instruction says which patterns to look for. */
static u32 fuse_mov(struct jit *jit, u32 idx)
{
	const struct bpf_insn *mov = &jit->code->insns[idx];
	const enum x86_reg src = x86_reg_of(mov->src_reg);
	const struct bpf_insn *next;
	u32 len;

	if (BPF_SRC(mov->code) != BPF_X || mov->off)
		return 0;
	next = x86_next(jit, idx, 1);
	if (!next)
		return 0;
	if (BPF_CLASS(next->code) == BPF_LD)
		return is_wide(mov) ? upper_bits(jit, idx, 1, src) : 0;
	if (BPF_CLASS(next->code) != BPF_ALU && BPF_CLASS(next->code) != BPF_ALU64)
		return 0;
	switch (BPF_OP(next->code)) {
	case BPF_ADD: return mov_add(jit, idx);
	case BPF_AND: len = x86_fuse_jump(jit, idx); break;
	case BPF_RSH: len = rotate(jit, idx); break;
	case BPF_LSH:
		len = rotate(jit, idx);
		len = len ? len : mov_add(jit, idx);
		len = len ? len : x86_fuse_jump(jit, idx);
		if (!len && is_wide(mov) && next->dst_reg == mov->dst_reg)
			len = extend(jit, idx, 1, src);
		break;
	case BPF_ARSH:
	case BPF_MUL: len = 0; break;
	default: return 0;
	}
	return len ? len : mov_op(jit, idx);
}

/* r2 <<= k; r1 += r2 with r2 dead behind: an index */
static u32 fuse_shift(struct jit *jit, u32 idx)
{
	const struct bpf_insn *shift = &jit->code->insns[idx], *add;
	u32 len;

	if (shift->code != (BPF_ALU64 | BPF_LSH | BPF_K))
		return 0;
	if (shift->imm >= 32) {
		len = x86_fuse_jump(jit, idx);
		return len ? len : extend(jit, idx, 0, x86_reg_of(shift->dst_reg));
	}
	add = x86_next(jit, idx, 1);
	if (!add || shift->imm < 1 || shift->imm > 3 ||
		add->code != (BPF_ALU64 | BPF_ADD | BPF_X) || add->src_reg != shift->dst_reg ||
		add->dst_reg == add->src_reg || x86_is_live(jit, idx + 1, shift->dst_reg))
		return 0;
	return address(jit, idx, 2, true, add->dst_reg,
		(struct x86_mem){.base = x86_reg_of(add->dst_reg),
			.index = x86_reg_of(shift->dst_reg),
			.scale = (u8)(1 << shift->imm)});
}

/* r2 += r1 (or a constant); access through r2, which is dead behind */
static u32 fuse_add(struct jit *jit, u32 idx)
{
	const struct bpf_insn *add = &jit->code->insns[idx];
	struct x86_mem mem = {.base = x86_reg_of(add->dst_reg)};

	if (add->code != (BPF_ALU64 | BPF_ADD | BPF_X) || add->dst_reg == add->src_reg ||
		!x86_next(jit, idx, 1))
		return 0;
	mem.index = x86_reg_of(add->src_reg);
	mem.scale = 1;
	return access_at(jit, idx + 1, add->dst_reg, mem) ? 2 : 0;
}

/* r2 = [m]; r2 op= ...; [m] = r2 with r2 dead behind */
static u32 change_memory(struct jit *jit, u32 idx, struct x86_mem mem)
{
	const struct bpf_insn *load = &jit->code->insns[idx], *op = load + 1;
	const struct bpf_insn *store = x86_next(jit, idx, 2);
	const bool is_const = store && BPF_SRC(op->code) == BPF_K;
	u8 alu;

	if (!store || (BPF_CLASS(op->code) != BPF_ALU && BPF_CLASS(op->code) != BPF_ALU64) ||
		!is_mem(store, BPF_STX))
		return 0;
	alu = alu_op(op);
	if (!alu || op->dst_reg != load->dst_reg || load->dst_reg == load->src_reg ||
		(!is_const && op->src_reg == load->dst_reg) ||
		BPF_SIZE(store->code) != BPF_SIZE(load->code) || store->dst_reg != load->src_reg ||
		store->off != load->off || store->src_reg != load->dst_reg ||
		x86_is_live(jit, idx + 2, load->dst_reg))
		return 0;
	if (isa_access_len(load) == 8 && !is_wide(op))
		return 0;
	if (is_const)
		x86_alu_mi(&jit->out, alu, isa_access_len(load), mem, op->imm);
	else
		x86_alu_mr(&jit->out, alu, isa_access_len(load), mem, x86_reg_of(op->src_reg));
	return 3;
}

/* r2 = [m]; r1 op= r2 with r2 dead behind */
static u32 memory_operand(struct jit *jit, u32 idx, struct x86_mem mem)
{
	const struct bpf_insn *load = &jit->code->insns[idx], *op = x86_next(jit, idx, 1);
	const u32 len = isa_access_len(load);
	u8 alu;

	if (!op || BPF_SRC(op->code) != BPF_X ||
		BPF_CLASS(op->code) != (len == 8 ? BPF_ALU64 : BPF_ALU) || len < 4)
		return 0;
	alu = alu_op(op);
	if (!alu || op->src_reg != load->dst_reg || op->dst_reg == load->dst_reg ||
		x86_is_live(jit, idx + 1, load->dst_reg))
		return 0;
	x86_alu_rm(&jit->out, alu, len == 8, x86_reg_of(op->dst_reg), mem);
	return 2;
}

static u32 fuse_load(struct jit *jit, u32 idx)
{
	const struct bpf_insn *load = &jit->code->insns[idx], *next;
	const struct x86_mem mem = {.base = x86_reg_of(load->src_reg), .disp = load->off};
	u32 len;

	if (BPF_MODE(load->code) != BPF_MEM)
		return 0;
	next = x86_next(jit, idx, 1);
	if (!next)
		return 0;
	switch (BPF_CLASS(next->code)) {
	case BPF_JMP:
	case BPF_JMP32: return x86_fuse_jump(jit, idx);
	case BPF_LDX: return x86_merge_loads(jit, idx);
	case BPF_ALU:
	case BPF_ALU64: break;
	default: return 0;
	}
	len = x86_merge_loads(jit, idx);
	len = len ? len : change_memory(jit, idx, mem);
	return len ? len : memory_operand(jit, idx, mem);
}

u32 x86_fuse(struct jit *jit, u32 idx)
{
	const struct bpf_insn *insn = &jit->code->insns[idx];

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX: return fuse_load(jit, idx);
	case BPF_JMP:
	case BPF_JMP32: return x86_fuse_jump(jit, idx);
	case BPF_ALU:
	case BPF_ALU64: break;
	default: return 0;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_MOV: return fuse_mov(jit, idx);
	case BPF_LSH: return fuse_shift(jit, idx);
	case BPF_ADD: return fuse_add(jit, idx);
	case BPF_AND: return x86_fuse_jump(jit, idx);
	default: return 0;
	}
}
