/*
 * Applying CO-RE records: what the compiler wrote for the program's own types (checked, so that a record
 * cannot be applied to the wrong instruction) is replaced by what the kernel's types say.
 *
 * All types of the kernel with the name must lead to the same value.
 */
#include "btf/core_relo.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "btf/core_spec.h"

struct value {
	u64 val;
	u32 size;	 /* of the member; 0: loads keep theirs */
	u32 type_id;	 /* with size: of the member */
	bool is_checked; /* the compiler writes just this value */
	bool is_missing; /* the instruction must not be reached */
};

struct relo {
	const struct bpf_core_relo *rec;
	u32 no, insn_idx;
	struct buf *log;
	struct core_spec local, found, candidate;
};

#define say(r, fmt, ...)                                                                           \
	buf_printf((r)->log, "prog '': relo #%u: " fmt "\n", (r)->no, ##__VA_ARGS__)

/* ---- values ------------------------------------------------------------------------------------- */

static int element_value(struct relo *r, const struct core_spec *spec, struct value *ret)
{
	u32 id = spec->steps[spec->step_cnt - 1].type_id, size;

	if (btf_size(spec->btf, id, NULL, &size))
		return -EINVAL;
	switch (r->rec->kind) {
	case BPF_CORE_FIELD_BYTE_OFFSET:
		*ret = (struct value){
			.val = spec->bit_off / 8, .size = size, .type_id = id, .is_checked = true};
		return 0;
	case BPF_CORE_FIELD_BYTE_SIZE:
		*ret = (struct value){.val = size, .is_checked = true};
		return 0;
	default:
		buf_printf(r->log,
			"prog '': relo %u at insn #%u can't be applied to array access\n",
			r->rec->kind, r->insn_idx);
		return -EINVAL;
	}
}

/* The smallest load at an aligned place that has all bits of a bitfield. */
static int bitfield_place(struct relo *r, u32 bit_off, u32 bit_size, u32 *ret_off, u32 *ret_size)
{
	u32 size = *ret_size, off;

	if (!size)
		return -EINVAL;
	off = bit_off / 8 / size * size;
	while (bit_off + bit_size - off * 8 > size * 8) {
		if (size >= 8) {
			buf_printf(r->log,
				"prog '': relo %u at insn #%u can't be satisfied for bitfield\n",
				r->rec->kind, r->insn_idx);
			return -E2BIG;
		}
		size *= 2;
		off = bit_off / 8 / size * size;
	}
	*ret_off = off;
	*ret_size = size;
	return 0;
}

static int member_value(struct relo *r, const struct core_spec *spec, struct value *ret)
{
	const struct core_step *step = &spec->steps[spec->step_cnt - 1];
	struct btf_field_ref member = btf_member_at(
		spec->btf, btf_type_at(spec->btf, step->type_id), step->idx);
	u32 id = btf_skip_modifiers(spec->btf, member.type_id), off = spec->bit_off / 8, size;
	const struct btf_type *t = btf_type_at(spec->btf, id);
	u32 bits = member.bit_size;
	int err;

	if (btf_size(spec->btf, id, NULL, &size))
		return -EINVAL;
	if (bits) {
		err = bitfield_place(r, spec->bit_off, bits, &off, &size);
		if (err)
			return err;
	}
	*ret = (struct value){.is_checked = !member.bit_size};
	bits = bits ? bits : size * 8;
	switch (r->rec->kind) {
	case BPF_CORE_FIELD_BYTE_OFFSET:
		ret->val = off;
		if (!member.bit_size) {
			ret->size = size;
			ret->type_id = id;
		}
		return 0;
	case BPF_CORE_FIELD_BYTE_SIZE: ret->val = size; return 0;
	case BPF_CORE_FIELD_SIGNED:
		ret->val = (btf_type_is_enum(t) && btf_type_kflag(t)) ||
			   (btf_type_is(t, BTF_KIND_INT) &&
				   BTF_INT_ENCODING(btf_type_int(t)) & BTF_INT_SIGNED);
		ret->is_checked = true;
		return 0;
	case BPF_CORE_FIELD_LSHIFT_U64: ret->val = 64 - (spec->bit_off + bits - off * 8); return 0;
	case BPF_CORE_FIELD_RSHIFT_U64:
		ret->val = 64 - bits;
		ret->is_checked = true;
		return 0;
	default: return -EOPNOTSUPP;
	}
}

static int type_value(struct relo *r, const struct core_spec *spec, struct value *ret)
{
	u32 size;

	*ret = (struct value){.is_checked = true};
	if (!spec)
		return 0;
	switch (r->rec->kind) {
	case BPF_CORE_TYPE_ID_TARGET:
		ret->val = spec->root_id;
		ret->is_checked = false;
		return 0;
	case BPF_CORE_TYPE_EXISTS:
	case BPF_CORE_TYPE_MATCHES: ret->val = 1; return 0;
	case BPF_CORE_TYPE_SIZE:
		if (btf_size(spec->btf, spec->root_id, NULL, &size))
			return -EINVAL;
		ret->val = size;
		return 0;
	default: return -EOPNOTSUPP;
	}
}

static int enum_value(struct relo *r, const struct core_spec *spec, struct value *ret)
{
	const struct btf_type *t;
	u32 idx;

	*ret = (struct value){.is_checked = true};
	if (r->rec->kind == BPF_CORE_ENUMVAL_EXISTS) {
		ret->val = spec != NULL;
		return 0;
	}
	if (!spec) {
		ret->is_missing = true;
		return 0;
	}
	t = btf_type_at(spec->btf, spec->steps[0].type_id);
	idx = spec->steps[0].idx;
	if (btf_type_is(t, BTF_KIND_ENUM)) {
		/* sign or not, the kernel takes it as 32 bits with a sign */
		ret->val = (s64)((const struct btf_enum *)btf_type_tail(t))[idx].val;
	} else {
		const struct btf_enum64 *e = btf_type_tail(t);

		ret->val = (u64)e[idx].val_hi32 << 32 | e[idx].val_lo32;
	}
	return 0;
}

/* spec NULL: the kernel has no such thing. */
static int value_of(struct relo *r, const struct core_spec *spec, struct value *ret)
{
	u32 kind = r->rec->kind;

	if (core_is_type(kind))
		return type_value(r, spec, ret);
	if (core_is_enumval(kind))
		return enum_value(r, spec, ret);
	if (kind == BPF_CORE_FIELD_EXISTS || !spec) {
		*ret = (struct value){.val = spec != NULL,
			.is_checked = true,
			.is_missing = kind != BPF_CORE_FIELD_EXISTS};
		return 0;
	}
	return spec->steps[spec->step_cnt - 1].name ? member_value(r, spec, ret)
						    : element_value(r, spec, ret);
}

/* ---- instructions ------------------------------------------------------------------------------- */

static bool is_lddw(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static void poison(struct bpf_insn *insn)
{
	u32 cnt = is_lddw(insn) ? 2 : 1;

	for (u32 i = 0; i < cnt; i++)
		insn[i] = (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = BTF_CORE_POISON};
}

static int unexpected(
	struct relo *r, const char *what, u64 got, const struct value *from, const struct value *to)
{
	say(r, "unexpected insn #%u (%s) value: got %llu, exp %llu -> %llu", r->insn_idx, what,
		(unsigned long long)got, (unsigned long long)from->val,
		(unsigned long long)to->val);
	return -EINVAL;
}

/* Loads of pointers and unsigned numbers may change their width. */
static bool may_resize(const struct relo *r, const struct value *from, const struct value *to)
{
	const struct btf_type *s = btf_type_at(r->local.btf, from->type_id);
	const struct btf_type *t = btf_type_at(r->found.btf, to->type_id);

	if (!from->size || !to->size)
		return false;
	if (btf_type_is(s, BTF_KIND_PTR) && btf_type_is(t, BTF_KIND_PTR))
		return true;
	return btf_type_is(s, BTF_KIND_INT) && btf_type_is(t, BTF_KIND_INT) &&
	       BTF_INT_ENCODING(btf_type_int(s)) != BTF_INT_SIGNED &&
	       BTF_INT_ENCODING(btf_type_int(t)) != BTF_INT_SIGNED;
}

static int patch_access(
	struct relo *r, struct bpf_insn *insn, const struct value *from, const struct value *to)
{
	static const u8 sizes[] = {[1] = BPF_B, [2] = BPF_H, [4] = BPF_W, [8] = BPF_DW};
	u32 size;

	if (from->is_checked && (u64)(s64)insn->off != from->val)
		return unexpected(r, "LDX/ST/STX", (u32)(s32)insn->off, from, to);
	if (to->val > INT16_MAX) {
		say(r, "insn #%u (LDX/ST/STX) value too big: %llu", r->insn_idx,
			(unsigned long long)to->val);
		return -ERANGE;
	}
	if (from->size != to->size && !may_resize(r, from, to)) {
		say(r,
			"insn #%u (LDX/ST/STX) accesses field incorrectly. Make sure you are "
			"accessing "
			"pointers, unsigned integers, or fields of matching type and size.",
			r->insn_idx);
		poison(insn);
		return 0;
	}
	insn->off = to->val;
	if (from->size == to->size)
		return 0;
	for (size = 8; size > 1 && sizes[size] != BPF_SIZE(insn->code); size /= 2)
		;
	if (size != from->size) {
		say(r, "insn #%u (LDX/ST/STX) unexpected mem size: got %u, exp %u", r->insn_idx,
			size, from->size);
		return -EINVAL;
	}
	if (to->size > 8 || !to->size || to->size & (to->size - 1)) {
		say(r, "insn #%u (LDX/ST/STX) invalid new mem size: %u", r->insn_idx, to->size);
		return -EINVAL;
	}
	insn->code = BPF_MODE(insn->code) | sizes[to->size] | BPF_CLASS(insn->code);
	return 0;
}

static int patch_constant(
	struct relo *r, struct bpf_insn *insn, const struct value *from, const struct value *to)
{
	u64 imm = (u32)insn[0].imm | (u64)(u32)insn[1].imm << 32;

	if (from->is_checked && imm != from->val)
		return unexpected(r, "LDIMM64", imm, from, to);
	insn[0].imm = (s32)(u32)to->val;
	insn[1].imm = (s32)(u32)(to->val >> 32);
	return 0;
}

static bool is_plain_lddw(const struct relo *r, const struct bpf_insn *insn, u32 insn_cnt)
{
	return is_lddw(insn) && r->insn_idx + 1 < insn_cnt && !insn[0].src_reg && !insn[0].off &&
	       !insn[1].code && !insn[1].dst_reg && !insn[1].src_reg && !insn[1].off;
}

static int patch(struct relo *r, struct bpf_insn *insn, u32 insn_cnt, const struct value *from,
	const struct value *to)
{
	u8 class = BPF_CLASS(insn->code);
	bool is_access = class == BPF_LDX || class == BPF_ST || class == BPF_STX;
	bool is_alu = (class == BPF_ALU || class == BPF_ALU64) && BPF_SRC(insn->code) == BPF_K;

	if (class == BPF_LD && !is_plain_lddw(r, insn, insn_cnt)) {
		say(r, "insn #%u (LDIMM64) has unexpected form", r->insn_idx);
		return -EINVAL;
	}
	if (class != BPF_LD && !is_access && !is_alu && !to->is_missing) {
		say(r,
			"trying to relocate unrecognized insn #%u, code:0x%x, src:0x%x, dst:0x%x, "
			"off:0x%x, imm:0x%x",
			r->insn_idx, insn->code, insn->src_reg, insn->dst_reg, (u16)insn->off,
			(u32)insn->imm);
		return -EINVAL;
	}
	if (to->is_missing) {
		poison(insn);
		return 0;
	}
	if (is_access)
		return patch_access(r, insn, from, to);
	if (class == BPF_LD)
		return patch_constant(r, insn, from, to);
	if (from->is_checked && (u64)(s64)insn->imm != from->val)
		return unexpected(r, "ALU/ALU64", (u32)insn->imm, from, to);
	insn->imm = (s32)(u32)to->val;
	return 0;
}

/* ---- candidates --------------------------------------------------------------------------------- */

static bool is_candidate(const struct btf_obj *kernel, u32 id, u32 kind, const char *name)
{
	const struct btf_type *t = btf_type_at(kernel, id);
	size_t len = core_name_len(name);
	const char *other;

	if (btf_type_kind(t) != kind)
		return false;
	other = btf_type_name(kernel, id);
	return !strncmp(other, name, len) && core_name_len(other) == len;
}

/* All that the kernel has under the name must agree. */
static int find_value(struct relo *r, const struct btf_obj *kernel, struct value *ret)
{
	const struct btf_type *t = btf_type_at(r->local.btf, r->rec->type_id);
	const char *name = btf_type_name(r->local.btf, r->rec->type_id);
	bool is_found = false;
	int err;

	for (u32 id = 1; id < btf_type_cnt(kernel); id++) {
		struct value value;

		if (!is_candidate(kernel, id, btf_type_kind(t), name))
			continue;
		err = core_spec_match(&r->local, kernel, id, &r->candidate);
		if (!err)
			continue;
		if (err > 0)
			err = value_of(r, &r->candidate, &value);
		if (err < 0)
			return err;
		if (!is_found) {
			*ret = value;
			r->found = r->candidate;
			is_found = true;
			continue;
		}
		if (r->candidate.bit_off != r->found.bit_off) {
			say(r, "field offset ambiguity: %u != %u", r->candidate.bit_off,
				r->found.bit_off);
			return -EINVAL;
		}
		if (value.val != ret->val || value.is_missing != ret->is_missing) {
			say(r, "relocation decision ambiguity: %llu != %llu",
				(unsigned long long)value.val, (unsigned long long)ret->val);
			return -EINVAL;
		}
	}
	return is_found ? 0 : value_of(r, NULL, ret);
}

static int apply(struct relo *r, const struct btf_obj *local, const struct btf_obj *kernel,
	struct bpf_insn *insn, u32 insn_cnt)
{
	const char *name = btf_type_name(local, r->rec->type_id);
	struct value from, to = {0};
	int err;

	if (r->rec->kind != BPF_CORE_TYPE_ID_LOCAL && (!*name || !kernel)) {
		buf_printf(r->log, "target candidate search failed for %u\n", r->rec->type_id);
		return -EINVAL;
	}
	err = core_spec_parse(local, r->rec, &r->local);
	if (err) {
		const char *text = btf_str(local, r->rec->access_str_off);

		say(r, "parsing [%u] %s %s + %s failed: %d", r->rec->type_id,
			btf_kind_name(btf_type_kind(btf_type_at(local, r->rec->type_id))),
			*name ? name : "<anon>", text ? text : "<?>", err);
		return -EINVAL;
	}
	if (r->rec->kind == BPF_CORE_TYPE_ID_LOCAL) {
		from = (struct value){.val = r->rec->type_id};
		return patch(r, insn, insn_cnt, &from, &from);
	}
	err = value_of(r, &r->local, &from);
	if (!err)
		err = find_value(r, kernel, &to);
	return err ? err : patch(r, insn, insn_cnt, &from, &to);
}

int btf_core_apply(const struct btf_obj *local, const struct btf_obj *kernel,
	const struct bpf_core_relo *relo, u32 relo_no, struct bpf_insn *insns, u32 insn_cnt,
	struct buf *log)
{
	struct relo *r;
	int err;

	if (relo->insn_off % sizeof(*insns) || relo->insn_off / sizeof(*insns) >= insn_cnt) {
		buf_printf(log, "Invalid core_relo[%u].insn_off:%u prog->len:%u\n", relo_no,
			relo->insn_off, insn_cnt);
		return -EINVAL;
	}
	if (!btf_type_at(local, relo->type_id)) {
		buf_printf(log, "relo #%u: bad type id %u\n", relo_no, relo->type_id);
		return -EINVAL;
	}
	r = mem_zalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->rec = relo;
	r->no = relo_no;
	r->insn_idx = relo->insn_off / sizeof(*insns);
	r->log = log;
	err = apply(r, local, kernel, &insns[r->insn_idx], insn_cnt);
	mem_free(r);
	return err;
}
