/*
 * Variables and functions of the kernel whose address a program takes (ld_imm64 of BPF_PSEUDO_BTF_ID). They
 * are not here: what the program gets is the address of zeros, which reads as what the variable holds in a
 * kernel that nothing has happened to.
 *
 *   per-CPU variable	a pointer that bpf_per_cpu_ptr() and bpf_this_cpu_ptr() take
 *   struct		an object of the kernel
 *   anything else	memory of its size, read only; of a function, none
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "core/kbtf.h"
#include "verifier/env.h"
#include "verifier/static.h"
#include "verifier/step.h"

enum { KSYM_SIZE_MAX = 64 << 10 };

static const u8 zeros[KSYM_SIZE_MAX];

static bool is_percpu(const struct btf_obj *btf, u32 var_id)
{
	const struct btf_var_secinfo *vars;
	const struct btf_type *t;
	u32 id;

	if (btf_find(btf, ".data..percpu", BTF_KIND_DATASEC, &id))
		return false;
	t = btf_type_at(btf, id);
	vars = btf_type_tail(t);
	for (u32 i = 0; i < btf_type_vlen(t); i++)
		if (vars[i].type == var_id)
			return true;
	return false;
}

/* What the register of a variable of type type_id holds. */
static int set_variable(
	struct vf_env *env, const struct btf_obj *btf, u32 var_id, u32 type_id, struct vf_reg *reg)
{
	u32 id = btf_skip_modifiers(btf, type_id), size;

	if (is_percpu(btf, var_id) || btf_type_is_struct(btf_type_at(btf, id))) {
		vf_reg_pointer(reg, VF_BTF);
		reg->btf = btf;
		reg->btf_id = type_id;
		reg->flags = is_percpu(btf, var_id) ? VF_PERCPU : 0;
		return 0;
	}
	if (btf_size(btf, id, NULL, &size))
		return vf_complain(env, VF_C_KSYM_SIZE, btf_type_name(btf, id), -EINVAL);
	if (size > KSYM_SIZE_MAX)
		return vf_complain(env, VF_C_UNSUPPORTED_KSYM, btf_type_name(btf, var_id), size);
	vf_reg_pointer(reg, VF_MEM);
	reg->is_rdonly = true;
	reg->mem_size = size;
	return 0;
}

int vf_ksym_load(struct vf_env *env, struct vf_reg *ret_reg)
{
	const struct btf_obj *btf;
	const struct btf_type *t;
	u32 id = env->aux[env->insn_idx].btf_id;
	struct vf_reg reg;
	int err = core_kbtf_get(env->params->inst, &btf);

	if (err)
		return vf_complain(env, VF_C_KSYM_BTF);
	t = btf_type_at(btf, id);
	if (!t)
		return vf_complain(env, VF_C_KSYM_NONE, id);
	if (btf_type_is(t, BTF_KIND_FUNC)) {
		vf_reg_pointer(&reg, VF_MEM);
		reg.is_rdonly = true;
	} else {
		err = set_variable(env, btf, id, t->type, &reg);
	}
	if (!err)
		*ret_reg = reg;
	return err;
}

int vf_ksym_resolve(struct vf_env *env, struct bpf_insn *insn, struct vf_aux *aux)
{
	const struct btf_obj *btf;
	const struct btf_type *t;
	u64 addr = (uintptr_t)zeros;
	u32 id = insn->imm;
	struct vf_reg reg;

	if (insn[1].imm || core_kbtf_get(env->params->inst, &btf))
		return vf_complain(env, VF_C_KSYM_BTF);
	t = btf_type_at(btf, id);
	if (!t || !id)
		return vf_complain(env, VF_C_KSYM_NONE, id);
	if (!btf_type_is(t, BTF_KIND_VAR) && !btf_type_is(t, BTF_KIND_FUNC))
		return vf_complain(env, VF_C_KSYM_KIND, id);
	aux->btf_id = id;
	insn[0].imm = (s32)(u32)addr;
	insn[1].imm = (s32)(u32)(addr >> 32);
	/* its size is looked at now, as Linux does */
	return btf_type_is(t, BTF_KIND_FUNC) ? 0 : set_variable(env, btf, id, t->type, &reg);
}
