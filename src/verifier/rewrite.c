/*
 * Rewriting: instructions that no path reaches go, conditional jumps that always go one way become plain,
 * jumps to the next instruction go, and accesses to the context become the loads of its field row.
 *
 * In two passes: first how many slots each instruction becomes, then emission with every offset taken
 * from the map old index -> new index. A dead instruction maps to the next one that is emitted, so that
 * records pointing at it move forward.
 *
 * Invariant: every jump target is an instruction that was seen, hence one that is emitted or a jump to
 * the next one.
 */
#include "verifier/rewrite.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "verifier/access.h"
#include "verifier/env.h"
#include "verifier/kfunc.h"

enum { CTX_INSNS_MAX = CTX_STEP_MAX + 3 };

/* What becomes of one conditional jump. */
enum fate { FATE_KEEP, FATE_TAKEN, FATE_FALL };

struct plan {
	struct vf_env *env;
	u8 *len;      /* slots that instruction i becomes */
	u32 *new_idx; /* insn_cnt + 1 */
	struct bpf_insn *out;
	u32 out_cnt;
};

static bool is_cond(const struct bpf_insn *insn)
{
	return isa_is_jump(insn) && BPF_OP(insn->code) != BPF_JA;
}

static bool is_seen(const struct plan *plan, u32 i)
{
	return plan->env->aux[i].is_seen;
}

static enum fate fate_of(const struct plan *plan, u32 i)
{
	const struct bpf_insn *insn = &plan->env->insns[i];

	if (!is_seen(plan, i + 1))
		return FATE_TAKEN;
	return is_seen(plan, i + 1 + insn->off) ? FATE_KEEP : FATE_FALL;
}

static bool is_ctx_access(const struct plan *plan, u32 i)
{
	u8 class = BPF_CLASS(plan->env->insns[i].code);

	return plan->env->aux[i].access_kind == VF_CTX &&
	       plan->env->type->ctx_model == CTX_BY_ROWS &&
	       (class == BPF_LDX || class == BPF_ST || class == BPF_STX);
}

static u8 size_bits(u32 size)
{
	switch (size) {
	case 1: return BPF_B;
	case 2: return BPF_H;
	case 4: return BPF_W;
	default: return BPF_DW;
	}
}

/* The field's low part at shift, of size bytes, in a register that holds all of it. */
static u32 emit_part(struct bpf_insn *out, u8 dst, u32 shift, u32 size, bool is_wide)
{
	u8 class = is_wide ? BPF_ALU64 : BPF_ALU;
	u32 cnt = 0;

	if (shift)
		out[cnt++] = (struct bpf_insn){
			.code = class | BPF_RSH | BPF_K, .dst_reg = dst, .imm = shift};
	if (size < 4)
		out[cnt++] = (struct bpf_insn){.code = BPF_ALU | BPF_AND | BPF_K,
			.dst_reg = dst,
			.imm = (1 << size * 8) - 1};
	else
		out[cnt++] = (struct bpf_insn){
			.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = dst, .src_reg = dst};
	return cnt;
}

static u32 emit_ctx_load(
	struct bpf_insn *out, const struct bpf_insn *insn, const struct ctx_field *field)
{
	u32 size = isa_access_len(insn), cnt = 0;
	u8 dst = insn->dst_reg, from = insn->src_reg;

	for (u32 s = 0; s < field->step_cnt; s++) {
		out[cnt++] = (struct bpf_insn){
			.code = BPF_LDX | BPF_MEM | size_bits(field->step[s].size),
			.dst_reg = dst,
			.src_reg = from,
			.off = field->step[s].off,
		};
		from = dst;
	}
	if (size < field->size)
		cnt += emit_part(
			out + cnt, dst, (insn->off - field->off) * 8, size, field->size == 8);
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		out[cnt++] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
			.dst_reg = dst,
			.src_reg = dst,
			.off = size * 8};
	return cnt;
}

static u32 emit_ctx(const struct plan *plan, u32 i, struct bpf_insn *out)
{
	const struct bpf_insn *insn = &plan->env->insns[i];
	bool is_write = BPF_CLASS(insn->code) != BPF_LDX, is_direct;
	const struct ctx_field *field = vf_ctx_field(
		plan->env, insn->off, isa_access_len(insn), is_write);

	skep_bug_if(!field, "context access at insn %u was verified and has no field", i);
	is_direct = is_write || field->access & CTX_RAW || isa_access_len(insn) > field->size;
	if (!is_direct)
		return emit_ctx_load(out, insn, field);
	*out = *insn;
	out->off = field->step[0].off + (insn->off - field->off);
	return 1;
}

static bool is_arena_access(const struct plan *plan, u32 i)
{
	return plan->env->aux[i].access_kind == VF_ARENA;
}

/* Through an arena pointer: only its low 32 bits count. */
static struct bpf_insn emit_arena(const struct bpf_insn *insn)
{
	struct bpf_insn out = *insn;
	u8 mode = BPF_PROBE_MEM32;

	if (BPF_MODE(insn->code) == BPF_ATOMIC)
		mode = BPF_PROBE_ATOMIC;
	else if (BPF_MODE(insn->code) == BPF_MEMSX)
		mode = BPF_PROBE_MEM32SX;
	out.code = BPF_CLASS(insn->code) | mode | BPF_SIZE(insn->code);
	return out;
}

/*
 * Objects of the kernel do not exist here: what is loaded from them is what a load from a bad address
 * yields, 0; stores to them go. Of a map's record the fields that it has here are read.
 */
static bool is_object_access(const struct plan *plan, u32 i)
{
	const struct vf_aux *aux = &plan->env->aux[i];
	u8 class = BPF_CLASS(plan->env->insns[i].code);

	return (aux->is_probed || aux->access_kind == VF_MAP_PTR) &&
	       (class == BPF_LDX || class == BPF_ST || class == BPF_STX);
}

static struct bpf_insn emit_zero(u8 dst)
{
	return (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst};
}

static struct bpf_insn emit_object(const struct plan *plan, u32 i)
{
	const struct bpf_insn *insn = &plan->env->insns[i];
	struct bpf_insn out = *insn;
	u32 off;

	if (BPF_CLASS(insn->code) == BPF_LDX) {
		if (plan->env->aux[i].access_kind != VF_MAP_PTR ||
			!vf_map_ptr_field(plan->env, insn->off, isa_access_len(insn), &off))
			return emit_zero(insn->dst_reg);
		out.off = off;
		return out;
	}
	if (BPF_MODE(insn->code) == BPF_ATOMIC && insn->imm == BPF_LOAD_ACQ)
		return emit_zero(insn->dst_reg);
	if (BPF_MODE(insn->code) == BPF_ATOMIC && insn->imm & BPF_FETCH)
		return emit_zero(insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg);
	return (struct bpf_insn){.code = BPF_JMP | BPF_JA};
}

/* ---- pass 1: lengths ---------------------------------------------------------------------------- */

static u32 length_of(const struct plan *plan, u32 i)
{
	const struct bpf_insn *insn = &plan->env->insns[i];
	struct bpf_insn scratch[CTX_INSNS_MAX];

	if (!is_seen(plan, i))
		return 0;
	if (isa_is_lddw(insn))
		return 2;
	if (is_cond(insn) && fate_of(plan, i) == FATE_FALL)
		return 0;
	return is_ctx_access(plan, i) ? emit_ctx(plan, i, scratch) : 1;
}

/* Where the jump at i goes: any jump that stays one. */
static u32 target_of(const struct plan *plan, u32 i)
{
	return i + 1 + isa_jump_off(&plan->env->insns[i]);
}

static bool is_plain_jump(const struct plan *plan, u32 i)
{
	const struct bpf_insn *insn = &plan->env->insns[i];

	if (!isa_is_jump(insn))
		return false;
	return !is_cond(insn) || fate_of(plan, i) == FATE_TAKEN;
}

/*
 * new_idx serves twice: first as the index of the first instruction at or after i that is emitted, to
 * find jumps to what comes next anyway, then as the sum of lengths before i.
 */
static void measure(struct plan *plan)
{
	u32 cnt = plan->env->insn_cnt, sum = 0;

	for (u32 i = 0; i < cnt; i++) {
		plan->len[i] = length_of(plan, i);
		if (isa_is_lddw(&plan->env->insns[i]))
			plan->len[++i] = 0;
	}
	plan->new_idx[cnt] = cnt;
	for (u32 i = cnt; i-- > 0;) {
		if (plan->len[i] && is_plain_jump(plan, i) && target_of(plan, i) > i &&
			plan->new_idx[i + 1] == plan->new_idx[target_of(plan, i)])
			plan->len[i] = 0;
		plan->new_idx[i] = plan->len[i] ? i : plan->new_idx[i + 1];
	}
	for (u32 i = 0; i < cnt; i++) {
		plan->new_idx[i] = sum;
		sum += plan->len[i];
	}
	plan->new_idx[cnt] = sum;
	plan->out_cnt = sum;
}

/* ---- pass 2: instructions ----------------------------------------------------------------------- */

static int emit_jump(struct plan *plan, u32 i, struct bpf_insn *out)
{
	const struct bpf_insn *insn = &plan->env->insns[i];
	s64 off = (s64)plan->new_idx[target_of(plan, i)] - (plan->new_idx[i] + 1);

	*out = *insn;
	if (is_cond(insn) && fate_of(plan, i) == FATE_TAKEN)
		*out = (struct bpf_insn){.code = BPF_JMP | BPF_JA};
	if (out->code == (BPF_JMP | BPF_JA) && off != (s16)off)
		*out = (struct bpf_insn){.code = BPF_JMP32 | BPF_JA};
	if (out->code == (BPF_JMP32 | BPF_JA)) {
		out->imm = off;
		return 0;
	}
	if (off != (s16)off) {
		plan->env->insn_idx = i;
		return vf_complain(plan->env, VF_C_UNSUPPORTED_JUMP_FAR, i);
	}
	out->off = off;
	return 0;
}

/* The number in the engine's registry. One that the engine does not have is told to the caller: the program
 * is right, but cannot be run here. */
static int emit_kfunc(struct plan *plan, u32 i, struct bpf_insn *out)
{
	struct vf_env *env = plan->env;
	const struct vf_kfunc *fn = vf_kfunc_of(env, &env->insns[i]);

	env->insn_idx = i;
	if (!fn)
		return vf_complain(env, VF_C_KFUNC_NULL);
	if (fn->no == VF_KF_bpf_cast_to_kern_ctx || fn->no == VF_KF_bpf_rdonly_cast) {
		*out = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
			.dst_reg = BPF_REG_0,
			.src_reg = BPF_REG_1};
		return 0;
	}
	out->imm = vf_kfunc_engine_no(env, fn);
	if (out->imm < 0)
		env->missing = fn->name;
	return 0;
}

static int emit(struct plan *plan, u32 i)
{
	const struct bpf_insn *insn = &plan->env->insns[i];
	struct bpf_insn *out = &plan->out[plan->new_idx[i]];

	if (isa_is_jump(insn))
		return emit_jump(plan, i, out);
	if (is_ctx_access(plan, i)) {
		emit_ctx(plan, i, out);
		return 0;
	}
	out[0] = is_arena_access(plan, i)    ? emit_arena(insn)
		 : is_object_access(plan, i) ? emit_object(plan, i)
					     : *insn;
	if (isa_is_lddw(insn)) {
		out[1] = insn[1];
		if (insn->src_reg == BPF_PSEUDO_BTF_ID)
			out->src_reg = 0; /* an address like any other */
		if (insn->src_reg == BPF_PSEUDO_FUNC)
			out->imm = plan->new_idx[i + 1 + insn->imm];
	}
	if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return emit_kfunc(plan, i, out);
	if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
		out->imm = (s32)plan->new_idx[i + 1 + insn->imm] - (s32)(plan->new_idx[i] + 1);
	return 0;
}

static int emit_all(struct plan *plan)
{
	int err = 0;

	plan->out = mem_array(plan->out_cnt, sizeof(*plan->out));
	if (!plan->out)
		return -ENOMEM;
	for (u32 i = 0; i < plan->env->insn_cnt && !err; i++) {
		if (plan->len[i])
			err = emit(plan, i);
	}
	return err;
}

/* ---- records ------------------------------------------------------------------------------------ */

static int move_subs(struct plan *plan, struct vf_result *res)
{
	const struct vf_env *env = plan->env;
	bool has_info = env->func_info_cnt != 0;

	res->code.subs = mem_array(env->sub_cnt, sizeof(*res->code.subs));
	res->func_info = has_info ? mem_array(env->func_info_cnt, sizeof(*res->func_info)) : NULL;
	if (!res->code.subs || (has_info && !res->func_info))
		return -ENOMEM;
	for (u32 s = 0; s < env->sub_cnt; s++) {
		u32 start = plan->new_idx[env->subs[s].start];

		if (start == plan->new_idx[env->subs[s + 1].start])
			continue; /* never called */
		if (s && s == env->exception_sub)
			res->code.exception_sub = res->code.sub_cnt;
		res->code.subs[res->code.sub_cnt++] = (struct prog_sub){
			.start = start, .stack_depth = env->subs[s].stack_depth};
		if (s < env->func_info_cnt) {
			res->func_info[res->func_info_cnt] = env->func_info[s];
			res->func_info[res->func_info_cnt++].insn_off = start;
		}
	}
	return 0;
}

static int move_lines(struct plan *plan, struct vf_result *res)
{
	const struct vf_env *env = plan->env;

	if (!env->line_info_cnt)
		return 0;
	res->line_info = mem_array(env->line_info_cnt, sizeof(*res->line_info));
	if (!res->line_info)
		return -ENOMEM;
	for (u32 l = 0; l < env->line_info_cnt; l++) {
		bool is_last = l + 1 == env->line_info_cnt;
		u32 end = is_last ? env->insn_cnt : env->line_info[l + 1].insn_off;
		u32 start = plan->new_idx[env->line_info[l].insn_off];

		if (start == plan->new_idx[end])
			continue;
		res->line_info[res->line_info_cnt] = env->line_info[l];
		res->line_info[res->line_info_cnt++].insn_off = start;
	}
	return 0;
}

int vf_rewrite(struct vf_env *env, struct vf_result *ret_result)
{
	struct vf_result res = {0};
	struct plan plan = {
		.env = env,
		.len = mem_array(env->insn_cnt, sizeof(*plan.len)),
		.new_idx = mem_array(env->insn_cnt + 1, sizeof(*plan.new_idx)),
	};
	int err = -ENOMEM;

	if (!plan.len || !plan.new_idx)
		goto out;
	measure(&plan);
	err = emit_all(&plan);
	if (!err)
		err = move_subs(&plan, &res);
	if (!err)
		err = move_lines(&plan, &res);
	if (!err) {
		res.code.insns = plan.out;
		res.code.insn_cnt = plan.out_cnt;
		plan.out = NULL;
		*ret_result = res;
	} else {
		mem_free(res.code.subs);
		mem_free(res.func_info);
		mem_free(res.line_info);
	}
out:
	mem_free(plan.out);
	mem_free(plan.len);
	mem_free(plan.new_idx);
	return err;
}
