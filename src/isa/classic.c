/*
 * From classic BPF to today's. The filter's accumulator A is R0, its index register X is R7, its memory
 * M[] lies on the stack, and R6 holds the context, which LD_ABS and LD_IND ask for. R2 and R8 hold what
 * must be kept for a moment, R8 over a packet load.
 *
 * 1. A filter that Linux refuses is refused: codes, constants, jumps, a word of M[] that is read before
 *    it is written on some path.
 * 2. Jumps go forward only, so one pass finds what can be reached. The rest is left out: verifiers refuse
 *    unreachable instructions, which classic filters may have.
 * 3. The first writing pass finds where each instruction starts, the second one knows every target.
 *    What an instruction becomes has the same length in both.
 *
 * Source: bpf_check_classic and bpf_convert_filter of Linux 6.18 for what is refused and for the corners:
 * division by X = 0 ends the filter with 0, a load of the interface where there is none with A.
 */
#include "isa/classic.h"

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>

#include "base/mem.h"
#include "isa/uapi.h"

enum { A = BPF_REG_0, TMP = BPF_REG_2, CTX = BPF_REG_6, X = BPF_REG_7, KEPT = BPF_REG_8 };

enum form {
	REFUSED,
	ALU_K,
	ALU_X,
	DIV_K,
	DIV_X,
	SHIFT_K,
	NEG,
	LD_ABS,
	LD_IND,
	LEN,
	IMM,
	LD_MEM,
	MSH,
	ST,
	TAX,
	TXA,
	RET_K,
	RET_A,
	JA,
	JCC,
};

static const u8 forms[256] = {
#define CLASSIC(code, form) [code] = form,
#include "isa/classic.def"
#undef CLASSIC
};

enum ext_form { NONE, FIELD, FIELD_BE16, IFINDEX, CPU, RANDOM, XOR_X };

struct extension {
	const char *name;
	u32 k;
	enum ext_form form;
	u16 off; /* in struct __sk_buff */
};

static const struct extension extensions[] = {
#define EXTENSION(name, form, field)                                                               \
	{#name, (u32)(SKF_AD_OFF + SKF_AD_##name), form, offsetof(struct __sk_buff, field)},
#include "isa/classic.def"
#undef EXTENSION
};

struct conv {
	const struct isa_classic *filter;
	u32 cnt;
	struct buf *why;
	bool *live;
	u32 *start; /* of each instruction in the new program */
	struct bpf_insn *insns;
	u32 len, cap;
};

/* ---- what Linux refuses ---- */

__attribute__((format(printf, 3, 4))) static int refuse(
	struct conv *c, u32 idx, const char *fmt, ...)
{
	va_list ap;

	if (!c->why)
		return -EINVAL;
	buf_printf(c->why, "instruction %u: ", idx);
	va_start(ap, fmt);
	buf_vprintf(c->why, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static enum form form_of(const struct isa_classic *insn)
{
	return insn->code < ARRAY_SIZE(forms) ? forms[insn->code] : REFUSED;
}

static const struct extension *extension_of(const struct isa_classic *insn)
{
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].k == insn->k)
			return &extensions[i];
	return NULL;
}

static int check_packet_load(struct conv *c, u32 idx)
{
	const struct isa_classic *insn = &c->filter[idx];
	const struct extension *ext = extension_of(insn);

	if (insn->k < (u32)SKF_AD_OFF) /* the packet, or from its headers with a negative offset */
		return 0;
	if (!ext)
		return refuse(c, idx, "offset %d is no extension's", (s32)insn->k);
	if (ext->form == NONE) {
		refuse(c, idx, "SKF_AD_%s cannot be read by programs of this type", ext->name);
		return -EOPNOTSUPP;
	}
	return 0;
}

static int check_insn(struct conv *c, u32 idx)
{
	const struct isa_classic *insn = &c->filter[idx];
	const u32 left = c->cnt - idx - 1;

	switch (form_of(insn)) {
	case REFUSED: return refuse(c, idx, "code 0x%x is unknown", insn->code);
	case DIV_K: return insn->k ? 0 : refuse(c, idx, "division by 0");
	case SHIFT_K:
		return insn->k < 32 ? 0 : refuse(c, idx, "a shift by %u, 31 at most", insn->k);
	case ST:
	case LD_MEM:
		return insn->k < ISA_CLASSIC_MEM ? 0
						 : refuse(c, idx, "M[%u]: there are %d words",
							   insn->k, ISA_CLASSIC_MEM);
	case JA: return insn->k < left ? 0 : refuse(c, idx, "a jump out of the filter");
	case JCC:
		return insn->jt < left && insn->jf < left
			       ? 0
			       : refuse(c, idx, "a jump out of the filter");
	case LD_ABS: return check_packet_load(c, idx);
	default: return 0;
	}
}

/* valid: a bit for each word of M[] that is written on every path; Linux's walk, unreachable code included. */
static int check_memory(struct conv *c, u16 *valid)
{
	u16 now = 0;

	for (u32 i = 0; i < c->cnt; i++)
		valid[i] = UINT16_MAX;
	for (u32 i = 0; i < c->cnt; i++) {
		const struct isa_classic *insn = &c->filter[i];

		now &= valid[i];
		switch (form_of(insn)) {
		case ST: now |= 1u << insn->k; break;
		case LD_MEM:
			if (!(now & 1u << insn->k))
				return refuse(c, i, "M[%u] is read before it is written", insn->k);
			break;
		case JA:
			valid[i + 1 + insn->k] &= now;
			now = UINT16_MAX;
			break;
		case JCC:
			valid[i + 1 + insn->jt] &= now;
			valid[i + 1 + insn->jf] &= now;
			now = UINT16_MAX;
			break;
		default: break;
		}
	}
	return 0;
}

static int check(struct conv *c)
{
	u16 *valid;
	int err = 0;

	for (u32 i = 0; i < c->cnt && !err; i++)
		err = check_insn(c, i);
	if (err)
		return err;
	if (form_of(&c->filter[c->cnt - 1]) != RET_K && form_of(&c->filter[c->cnt - 1]) != RET_A)
		return refuse(c, c->cnt - 1, "the last one is no RET");
	valid = mem_array(c->cnt, sizeof(*valid));
	if (!valid)
		return -ENOMEM;
	err = check_memory(c, valid);
	mem_free(valid);
	return err;
}

static void find_live(struct conv *c)
{
	c->live[0] = true;
	for (u32 i = 0; i < c->cnt; i++) {
		const struct isa_classic *insn = &c->filter[i];

		if (!c->live[i])
			continue;
		switch (form_of(insn)) {
		case RET_K:
		case RET_A: break;
		case JA: c->live[i + 1 + insn->k] = true; break;
		case JCC:
			c->live[i + 1 + insn->jt] = true;
			c->live[i + 1 + insn->jf] = true;
			break;
		default: c->live[i + 1] = true;
		}
	}
}

/* ---- writing ---- */

static void put(struct conv *c, struct bpf_insn insn)
{
	if (c->len < c->cap)
		c->insns[c->len] = insn;
	c->len++;
}

#define INSN(...) ((struct bpf_insn){__VA_ARGS__})

static void put_mov(struct conv *c, u8 dst, u8 src)
{
	put(c, INSN(.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = dst, .src_reg = src));
}

static void put_alu_k(struct conv *c, u8 op, u8 dst, u32 k)
{
	put(c, INSN(.code = BPF_ALU | op | BPF_K, .dst_reg = dst, .imm = (s32)k));
}

static void put_load(struct conv *c, u8 dst, u8 base, s16 off)
{
	put(c, INSN(.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = dst, .src_reg = base,
		       .off = off));
}

static void put_exit(struct conv *c)
{
	put(c, INSN(.code = BPF_JMP | BPF_EXIT));
}

static void put_call(struct conv *c, u32 helper)
{
	put(c, INSN(.code = BPF_JMP | BPF_CALL, .imm = (s32)helper));
}

/* to: an instruction of the filter */
static void put_jump(struct conv *c, struct bpf_insn insn, u32 to)
{
	insn.off = (s16)(c->start[to] - c->len - 1);
	put(c, insn);
}

static void put_extension(struct conv *c, const struct extension *ext)
{
	switch (ext->form) {
	case FIELD: put_load(c, A, CTX, (s16)ext->off); break;
	case FIELD_BE16:
		put_load(c, A, CTX, (s16)ext->off);
		put(c, INSN(.code = BPF_ALU | BPF_END | BPF_TO_BE, .dst_reg = A, .imm = 16));
		break;
	case IFINDEX:
		put_load(c, TMP, CTX, (s16)ext->off);
		put(c, INSN(.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = TMP, .off = 1));
		put_exit(c);
		put_mov(c, A, TMP);
		break;
	case CPU: put_call(c, BPF_FUNC_get_smp_processor_id); break;
	case RANDOM: put_call(c, BPF_FUNC_get_prandom_u32); break;
	case XOR_X:
		put(c, INSN(.code = BPF_ALU | BPF_XOR | BPF_X, .dst_reg = A, .src_reg = X));
		break;
	case NONE: break; /* refused by check */
	}
}

static void put_ld_abs(struct conv *c, const struct isa_classic *insn)
{
	const struct extension *ext = extension_of(insn);

	if (ext)
		put_extension(c, ext);
	else
		put(c, INSN(.code = (u8)insn->code, .imm = (s32)insn->k));
}

/* X = 4 * (the low four bits of a byte of the packet): an IPv4 header's length. */
static void put_msh(struct conv *c, u32 k)
{
	put_mov(c, KEPT, A);
	put(c, INSN(.code = BPF_LD | BPF_ABS | BPF_B, .imm = (s32)k));
	put_alu_k(c, BPF_AND, A, 0xf);
	put_alu_k(c, BPF_LSH, A, 2);
	put_mov(c, X, A);
	put_mov(c, A, KEPT);
}

static void put_div_x(struct conv *c, u8 code)
{
	put(c, INSN(.code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = X, .off = 2));
	put_alu_k(c, BPF_MOV, A, 0);
	put_exit(c);
	put(c, INSN(.code = code, .dst_reg = A, .src_reg = X));
}

static u8 opposite(u8 op)
{
	switch (op) {
	case BPF_JEQ: return BPF_JNE;
	case BPF_JGT: return BPF_JLE;
	case BPF_JGE: return BPF_JLT;
	default: return 0; /* JSET has none */
	}
}

static void put_jcc(struct conv *c, const struct isa_classic *insn, u32 next)
{
	struct bpf_insn jump = {
		.code = BPF_JMP32 | BPF_OP(insn->code) | BPF_SRC(insn->code), .dst_reg = A};

	if (BPF_SRC(insn->code) == BPF_X)
		jump.src_reg = X;
	else
		jump.imm = (s32)insn->k;
	if (insn->jt == insn->jf) {
		jump = INSN(.code = BPF_JMP | BPF_JA);
	} else if (!insn->jt && opposite(BPF_OP(insn->code))) {
		jump.code = BPF_JMP32 | opposite(BPF_OP(insn->code)) | BPF_SRC(insn->code);
		put_jump(c, jump, next + insn->jf);
		return;
	}
	put_jump(c, jump, next + insn->jt);
	if (insn->jf && insn->jt != insn->jf)
		put_jump(c, INSN(.code = BPF_JMP | BPF_JA), next + insn->jf);
}

static void put_insn(struct conv *c, u32 idx)
{
	const struct isa_classic *insn = &c->filter[idx];
	const u8 code = (u8)insn->code;
	const u8 reg = BPF_CLASS(code) == BPF_LDX || BPF_CLASS(code) == BPF_STX ? X : A;
	const s16 mem = (s16)(-4 * (s32)(insn->k % ISA_CLASSIC_MEM) - 4); /* of M[k] */

	switch (form_of(insn)) {
	case REFUSED: break;
	case ALU_K:
	case DIV_K:
	case SHIFT_K: put_alu_k(c, BPF_OP(code), A, insn->k); break;
	case ALU_X: put(c, INSN(.code = code, .dst_reg = A, .src_reg = X)); break;
	case DIV_X: put_div_x(c, code); break;
	case NEG: put(c, INSN(.code = BPF_ALU | BPF_NEG, .dst_reg = A)); break;
	case LD_ABS: put_ld_abs(c, insn); break;
	case LD_IND: put(c, INSN(.code = code, .src_reg = X, .imm = (s32)insn->k)); break;
	case LEN: put_load(c, reg, CTX, offsetof(struct __sk_buff, len)); break;
	case IMM: put_alu_k(c, BPF_MOV, reg, insn->k); break;
	case LD_MEM: put_load(c, reg, BPF_REG_10, mem); break;
	case MSH: put_msh(c, insn->k); break;
	case ST:
		put(c, INSN(.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10,
			       .src_reg = reg, .off = mem));
		break;
	case TAX: put_mov(c, X, A); break;
	case TXA: put_mov(c, A, X); break;
	case RET_K:
		put_alu_k(c, BPF_MOV, A, insn->k);
		put_exit(c);
		break;
	case RET_A: put_exit(c); break;
	case JA: put_jump(c, INSN(.code = BPF_JMP | BPF_JA), idx + 1 + insn->k); break;
	case JCC: put_jcc(c, insn, idx + 1); break;
	}
}

static void write_all(struct conv *c)
{
	c->len = 0;
	put_mov(c, CTX, BPF_REG_1);
	put_alu_k(c, BPF_MOV, A, 0);
	put_alu_k(c, BPF_MOV, X, 0);
	for (u32 i = 0; i < c->cnt; i++) {
		c->start[i] = c->len;
		if (c->live[i])
			put_insn(c, i);
	}
}

static int convert(struct conv *c)
{
	write_all(c);
	c->cap = c->len;
	c->insns = mem_array(c->cap, sizeof(*c->insns));
	if (!c->insns)
		return -ENOMEM;
	write_all(c);
	return 0;
}

int isa_from_classic(const struct isa_classic *filter, u32 cnt, struct buf *why,
	struct bpf_insn **ret_insns, u32 *ret_cnt)
{
	struct conv c = {.filter = filter, .cnt = cnt, .why = why};
	int err;

	if (!cnt || cnt > ISA_CLASSIC_MAX) {
		if (why)
			buf_printf(why, "a filter has 1 to %d instructions, not %u",
				ISA_CLASSIC_MAX, cnt);
		return -EINVAL;
	}
	err = check(&c);
	if (err)
		return err;
	c.live = mem_array(cnt, sizeof(*c.live));
	c.start = mem_array(cnt, sizeof(*c.start));
	if (c.live && c.start) {
		find_live(&c);
		err = convert(&c);
	} else {
		err = -ENOMEM;
	}
	mem_free(c.live);
	mem_free(c.start);
	if (err)
		return err;
	*ret_insns = c.insns;
	*ret_cnt = c.len;
	return 0;
}
