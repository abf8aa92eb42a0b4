/*
 * One instruction: its fields are in order (looked at when it is first reached, as in Linux), then what
 * its class does.
 */
#include "verifier/step.h"

#include <errno.h>

#include "verifier/access.h"
#include "verifier/kfunc.h"
#include "verifier/lock.h"
#include "verifier/references.h"
#include "verifier/static.h"

static int check_fields(struct vf_env *env, const struct bpf_insn *insn)
{
	struct buf why = BUF_INIT;
	int err;

	if (env->aux[env->insn_idx].is_checked)
		return 0;
	/* Linux looks at the first operand of a comparison before its fields */
	if (isa_is_jump(insn) && BPF_OP(insn->code) < BPF_JCOND && BPF_OP(insn->code) != BPF_JA) {
		err = vf_reg_read(env, insn->dst_reg);
		if (err)
			return err;
	}
	err = isa_check(insn, env->insn_cnt - env->insn_idx, &why);
	if (err)
		err = vf_complain_text(env, err, VF_C_FIELDS, buf_text(&why));
	else
		env->aux[env->insn_idx].is_checked = true;
	buf_done(&why);
	return err;
}

static bool is_object(u8 kind)
{
	return kind == VF_BTF || kind == VF_MEM;
}

/* An access that is rewritten for one kind of pointer must not meet another one on another path. */
static int note_kind(struct vf_env *env, const struct vf_reg *reg, bool may_mix)
{
	struct vf_aux *aux = &env->aux[env->insn_idx];
	bool is_foreign = reg->kind == VF_BTF && !(reg->flags & VF_ALLOC);

	if (aux->access_kind == VF_NOT_INIT) {
		aux->access_kind = reg->kind;
		aux->access_flags = reg->flags;
	} else if ((vf_kind_bits(aux->access_kind) | vf_kind_bits(reg->kind)) & KIND_LONE &&
		   (aux->access_kind != reg->kind || aux->access_flags != reg->flags)) {
		/* of two ways to trust an object, the lesser one is rewritten for */
		if (!may_mix || !is_object(aux->access_kind) || !is_object(reg->kind))
			return vf_complain(env, VF_C_MIXED_POINTERS);
	}
	aux->is_probed |= is_foreign || reg->flags & VF_UNTRUSTED;
	return 0;
}

static int load(struct vf_env *env, const struct bpf_insn *insn, bool is_aligned)
{
	struct vf_access acc = {
		.regno = insn->src_reg,
		.off = insn->off,
		.size = isa_access_len(insn),
		.is_signed = BPF_MODE(insn->code) == BPF_MEMSX,
		.is_aligned = is_aligned,
		.value = insn->dst_reg,
	};
	int err = vf_reg_read(env, insn->src_reg);
	struct vf_reg reg;

	if (err || (err = vf_reg_write(env, insn->dst_reg)))
		return err;
	reg = vf_regs(env)[insn->src_reg];
	err = vf_access(env, &acc);
	if (err || (err = note_kind(env, &reg, !is_aligned)))
		return err;
	return vf_reg_sanity(env, &vf_regs(env)[insn->dst_reg]);
}

static int store(struct vf_env *env, const struct bpf_insn *insn, bool is_aligned)
{
	bool has_src = BPF_CLASS(insn->code) == BPF_STX;
	struct vf_access acc = {
		.regno = insn->dst_reg,
		.off = insn->off,
		.size = isa_access_len(insn),
		.is_write = true,
		.is_aligned = is_aligned,
		.value = has_src ? insn->src_reg : VF_NO_REG,
	};
	int err = has_src ? vf_reg_read(env, insn->src_reg) : 0;
	struct vf_reg reg;

	if (err || (err = vf_reg_read(env, insn->dst_reg)))
		return err;
	reg = vf_regs(env)[insn->dst_reg];
	err = vf_access(env, &acc);
	return err ? err : note_kind(env, &reg, false);
}

/* Atomics work on plain memory: not the context, whose accesses are rewritten, and not the packet. */
static int check_atomic_target(struct vf_env *env, u32 regno, const char *way)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (reg->kind != VF_CTX && !vf_is_packet(reg) && !(vf_is_sock(reg) && !reg->may_be_null))
		return 0;
	return vf_complain(env, VF_C_ATOMIC_KIND, way, regno, vf_kind_str(reg));
}

static int read_modify_write(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_access acc = {
		.regno = insn->dst_reg,
		.off = insn->off,
		.size = isa_access_len(insn),
		.is_aligned = true,
		.value = VF_NO_REG,
	};
	int err = vf_reg_read(env, insn->src_reg), result = VF_NO_REG;
	struct vf_reg reg;

	if (!err)
		err = vf_reg_read(env, insn->dst_reg);
	reg = vf_regs(env)[insn->dst_reg];
	if (!err && insn->imm == BPF_CMPXCHG)
		err = vf_reg_read(env, BPF_REG_0);
	if (!err)
		err = check_atomic_target(env, insn->dst_reg, "stores into");
	if (err)
		return err;
	if (insn->imm & BPF_FETCH) {
		result = insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg;
		err = vf_reg_write(env, result);
		if (err)
			return err;
		vf_reg_unknown(&vf_regs(env)[result]);
	}
	err = vf_access(env, &acc);
	if (!err && result >= 0) {
		acc.value = result;
		err = vf_access(env, &acc);
	}
	if (err)
		return err;
	acc.is_write = true;
	acc.value = VF_NO_REG;
	err = vf_access(env, &acc);
	return err ? err : note_kind(env, &reg, false);
}

static int atomic(struct vf_env *env, const struct bpf_insn *insn)
{
	int err;

	switch (insn->imm) {
	case BPF_LOAD_ACQ:
		err = load(env, insn, true);
		return err ? err : check_atomic_target(env, insn->src_reg, "loads from");
	case BPF_STORE_REL:
		err = store(env, insn, true);
		return err ? err : check_atomic_target(env, insn->dst_reg, "stores into");
	default: return read_modify_write(env, insn);
	}
}

/* The address of a function: for whoever calls it back. */
static int load_function(struct vf_env *env, const struct bpf_insn *insn, struct vf_reg *dst)
{
	int sub = vf_sub_at(env, env->insn_idx + insn->imm + 1);

	if (!env->func_info_cnt)
		return vf_complain(env, VF_C_CALLBACK_BTF);
	if (sub < 0 || env->subs[sub].is_global)
		return vf_complain(env, VF_C_CALLBACK_STATIC);
	vf_reg_pointer(dst, VF_FUNC);
	dst->sub = sub;
	return 0;
}

static int load_constant(struct vf_env *env, const struct bpf_insn *insn)
{
	const struct vf_aux *aux = &env->aux[env->insn_idx];
	struct vf_reg *dst = &vf_regs(env)[insn->dst_reg];
	int err = vf_reg_write(env, insn->dst_reg);

	if (err)
		return err;
	switch (insn->src_reg) {
	case 0: vf_reg_known(dst, isa_imm64(insn)); break;
	case BPF_PSEUDO_MAP_FD:
		vf_reg_pointer(dst, VF_MAP_PTR);
		dst->map = aux->map;
		break;
	case BPF_PSEUDO_MAP_VALUE:
		if (aux->map->type->type == BPF_MAP_TYPE_ARENA) { /* an address of user space */
			vf_reg_unknown(dst);
			break;
		}
		vf_reg_pointer(dst, VF_MAP_VALUE);
		dst->map = aux->map;
		dst->off = aux->map_off;
		break;
	case BPF_PSEUDO_BTF_ID:
		err = vf_ksym_load(env, dst);
		if (err)
			return err;
		break;
	default:
		err = load_function(env, insn, dst);
		if (err)
			return err;
		break;
	}
	env->aux[env->insn_idx + 1].is_seen = true;
	env->insn_idx++;
	return 0;
}

static int leave(struct vf_env *env, bool *ret_print_state, enum vf_next *ret_next)
{
	int err = vf_ref_check_leaks(
		env, false, !env->cur->top, "BPF_EXIT instruction in main prog");

	if (err)
		return err;
	if (!env->cur->top) {
		*ret_next = VF_NEXT_DONE;
		return vf_exit_check(env, BPF_REG_0);
	}
	*ret_print_state = true;
	return vf_return_sub(env);
}

static int jump(struct vf_env *env, const struct bpf_insn *insn)
{
	int err;

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		if (insn->src_reg == BPF_PSEUDO_CALL) {
			err = vf_call_sub(env, insn);
		} else {
			err = vf_lock_check_call(env, insn);
			if (!err && insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
				err = vf_call_kfunc(env, insn);
			else if (!err)
				err = vf_call_helper(env, insn);
		}
		vf_log_touch_reg(env, BPF_REG_0);
		return err;
	case BPF_JA: env->insn_idx += isa_jump_off(insn); return 0;
	case BPF_JCOND: return vf_may_goto(env, insn);
	default: return vf_jump(env, insn);
	}
}

int vf_step(struct vf_env *env, bool *ret_print_state, enum vf_next *ret_next)
{
	const struct bpf_insn *insn = vf_insn(env);
	int err = check_fields(env, insn);

	*ret_next = VF_NEXT_INSN;
	if (err)
		return err;
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64: err = vf_alu(env, insn); break;
	case BPF_LDX: err = load(env, insn, false); break;
	case BPF_ST: err = store(env, insn, false); break;
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			err = atomic(env, insn);
		else
			err = store(env, insn, false);
		break;
	case BPF_JMP:
	case BPF_JMP32:
		env->jmps++;
		if (insn->code == (BPF_JMP | BPF_EXIT))
			return leave(env, ret_print_state, ret_next);
		err = jump(env, insn);
		if (!err && vf_is_throw(env, insn))
			*ret_next = VF_NEXT_DONE;
		break;
	case BPF_LD:
		if (isa_is_lddw(insn))
			err = load_constant(env, insn);
		else
			err = vf_ld_abs(env, insn);
		break;
	}
	if (!err)
		env->insn_idx++;
	return err;
}
