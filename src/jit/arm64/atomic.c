/*
 * Atomic instructions. What gives back the old value orders everything before and after it, as Linux
 * demands of it; what gives back nothing orders nothing.
 *
 * Processors since Armv8.1 have each operation as one instruction (LSE); for older ones it is a loop of
 * an exclusive load and store. Nothing else may touch memory inside such a loop.
 */
#include <errno.h>

#include "isa/isa.h"
#include "jit/arm64/arm64.h"

/* One row an operation; what LSE has no row for is done by changing src first. */
struct operation {
	enum a64_lse lse;
	enum a64_alu alu;
};

static const struct operation operations[] = {
	[BPF_ADD >> 4] = {A64_LDADD, A64_ADD},
	[BPF_OR >> 4] = {A64_LDSET, A64_ORR},
	[BPF_AND >> 4] = {A64_LDCLR, A64_AND},
	[BPF_XOR >> 4] = {A64_LDEOR, A64_EOR},
};

static void with_lse(struct buf *out, s32 imm, bool w, enum a64_reg addr, enum a64_reg src)
{
	const bool fetches = imm & BPF_FETCH;
	const u32 op = (u32)(imm & ~BPF_FETCH) >> 4;
	enum a64_reg value = src;

	if (imm == BPF_CMPXCHG) {
		a64_casal(out, w, a64_reg_of(BPF_REG_0), src, addr);
		return;
	}
	if (imm == BPF_XCHG) {
		a64_lse(out, A64_SWP, w, true, src, src, addr);
		return;
	}
	if (operations[op].lse == A64_LDCLR) { /* clears the bits that are set */
		a64_alu(out, A64_ORN, w, TMP2, XZR, src);
		value = TMP2;
	}
	a64_lse(out, operations[op].lse, w, fetches, value, fetches ? src : XZR, addr);
}

/* TMP2 the old value, TMP3 the new one, TMP4 whether the store failed. */
static void with_loop(struct buf *out, s32 imm, bool w, enum a64_reg addr, enum a64_reg src)
{
	const bool gives = imm & BPF_FETCH || imm == BPF_XCHG || imm == BPF_CMPXCHG;
	const enum a64_reg result = imm == BPF_CMPXCHG ? a64_reg_of(BPF_REG_0) : src;
	const u32 loop = (u32)out->len, len = w ? 8 : 4;
	enum a64_reg value = src;
	u32 differs = 0;

	a64_ordered(out, A64_LDXR, len, TMP2, addr);
	if (imm == BPF_CMPXCHG) {
		a64_alu(out, A64_SUBS, w, XZR, result, TMP2);
		differs = a64_bcc(out, A64_NE);
	} else if (imm != BPF_XCHG) {
		value = TMP3;
		a64_alu(out, operations[(imm & ~BPF_FETCH) >> 4].alu, w, value, TMP2, src);
	}
	a64_stxr(out, gives, len, TMP4, value, addr);
	a64_patch(out, a64_cbz(out, false, true, TMP4), loop);
	if (gives)
		a64_dmb_ish(out);
	if (imm == BPF_CMPXCHG)
		a64_patch(out, differs, (u32)out->len);
	if (gives)
		a64_mov_rr(out, w, result, TMP2);
}

static bool is_operation(s32 imm)
{
	switch (imm & ~BPF_FETCH) {
	case BPF_ADD:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR: return true;
	default: return imm == BPF_XCHG || imm == BPF_CMPXCHG;
	}
}

void a64_emit_atomic(struct jit *jit, const struct bpf_insn *insn)
{
	struct buf *out = &jit->out;
	const u32 len = isa_access_len(insn);
	const bool is_load = insn->imm == BPF_LOAD_ACQ;
	const enum a64_reg dst = a64_reg_of(insn->dst_reg), src = a64_reg_of(insn->src_reg);
	enum a64_reg addr = is_load ? src : dst;

	if (!is_load && insn->imm != BPF_STORE_REL && (len < 4 || !is_operation(insn->imm))) {
		jit->err = -EINVAL;
		return;
	}
	if (insn->off) {
		a64_emit_add(out, true, TMP, addr, insn->off);
		addr = TMP;
	}
	if (is_load)
		a64_ordered(out, A64_LDAR, len, dst, addr);
	else if (insn->imm == BPF_STORE_REL)
		a64_ordered(out, A64_STLR, len, src, addr);
	else if (jit->features & A64_HAS_LSE)
		with_lse(out, insn->imm, len == 8, addr, src);
	else
		with_loop(out, insn->imm, len == 8, addr, src);
}
