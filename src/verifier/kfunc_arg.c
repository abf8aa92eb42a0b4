/*
 * Arguments of kernel functions. What an argument must be follows from its type in BTF, from the end of its
 * name (__sz: size of the memory before it, __k: a constant, __ign: not looked at …) and, for plain pointers,
 * from what the register holds. Checks come in Linux's order (check_kfunc_args of 6.18).
 */
#include <errno.h>
#include <string.h>

#include "verifier/access.h"
#include "verifier/call_arg.h"
#include "verifier/dynptr.h"
#include "verifier/iter.h"
#include "verifier/kfunc.h"
#include "verifier/lock.h"
#include "verifier/object.h"
#include "verifier/precision.h"
#include "verifier/section.h"
#include "verifier/ctx_type.h"
#include "verifier/step.h"

enum arg {
	ARG_CTX,
	ARG_NULL,
	ARG_ALLOC,
	ARG_REFCOUNTED,
	ARG_DYNPTR,
	ARG_ITER,
	ARG_LIST_HEAD,
	ARG_LIST_NODE,
	ARG_RB_ROOT,
	ARG_RB_NODE,
	ARG_STR,
	ARG_MAP,
	ARG_WQ,
	ARG_TASK_WORK,
	ARG_IRQ,
	ARG_RES_LOCK,
	ARG_BTF,
	ARG_CALLBACK,
	ARG_MEM,
	ARG_MEM_SIZE,
};

enum { NESTING_MAX = 4 };

/* One pointer argument. */
struct arg_info {
	u32 no, regno;
	const struct btf_param *param;
	u32 type_id; /* pointed to, modifiers skipped; 0: void */
	enum arg kind;
};

/* ---- types ---------------------------------------------------------------------------------------- */

static bool is_number(const struct btf_type *t)
{
	return btf_type_is(t, BTF_KIND_INT) || btf_type_is_enum(t);
}

const char *vf_btf_word(const struct btf_type *t)
{
	return btf_kind_name(btf_type_kind(t));
}

static bool is_scalar_struct(struct vf_env *env, const struct btf_obj *btf, u32 id, u32 depth)
{
	const struct btf_type *t = btf_type_at(btf, id);

	if (!btf_type_is_struct(t))
		return false;
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		u32 member = btf_skip_modifiers(btf, btf_member_at(btf, t, i).type_id);
		const struct btf_type *m = btf_type_at(btf, member);

		if (btf_type_is_struct(m)) {
			if (depth + 1 >= NESTING_MAX) {
				vf_note(env, "max struct nesting depth exceeded\n");
				return false;
			}
			if (!is_scalar_struct(env, btf, member, depth + 1))
				return false;
			continue;
		}
		if (btf_type_is(m, BTF_KIND_ARRAY)) {
			if (!btf_type_array(m)->nelems)
				return false;
			m = btf_type_at(btf, btf_skip_modifiers(btf, btf_type_array(m)->type));
		}
		if (!is_number(m))
			return false;
	}
	return true;
}

bool vf_is_scalar_struct(struct vf_env *env, const struct btf_obj *btf, u32 type_id)
{
	return is_scalar_struct(env, btf, type_id, 0);
}

/* "__sz" or "__szk" after a number: the size of the memory in the argument before it. */
static bool is_size(const struct vf_env *env, const struct vf_kfunc *fn, u32 no, const char *suffix)
{
	const struct btf_param *param = &fn->proto.args[no];
	const struct vf_reg *reg = &vf_top(env->cur)->regs[BPF_REG_1 + no];

	if (no >= fn->proto.arg_cnt || no + 1 > VF_ARG_CNT || !vf_is_scalar(reg))
		return false;
	return is_number(btf_type_at(fn->btf, btf_skip_modifiers(fn->btf, param->type))) &&
	       vf_param_has_suffix(fn->btf, param, suffix);
}

/* Pointers to these structs are more than memory. */
static bool find_by_struct(const struct vf_kfunc *fn, u32 type_id, enum arg *ret_kind)
{
	static const struct {
		const char *name;
		enum arg kind;
	} rows[] = {
		{"bpf_dynptr", ARG_DYNPTR},
		{"bpf_list_head", ARG_LIST_HEAD},
		{"bpf_list_node", ARG_LIST_NODE},
		{"bpf_rb_root", ARG_RB_ROOT},
		{"bpf_rb_node", ARG_RB_NODE},
		{"bpf_wq", ARG_WQ},
		{"bpf_task_work", ARG_TASK_WORK},
		{"bpf_res_spin_lock", ARG_RES_LOCK},
	};

	if (!btf_type_is(btf_type_at(fn->btf, type_id), BTF_KIND_STRUCT))
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strcmp(btf_type_name(fn->btf, type_id), rows[i].name)) {
			*ret_kind = rows[i].kind;
			return true;
		}
	}
	return false;
}

static bool find_by_suffix(
	const struct vf_kfunc *fn, const struct btf_param *param, enum arg *ret_kind)
{
	static const struct {
		const char *suffix;
		enum arg kind;
	} rows[] = {
		{"__alloc", ARG_ALLOC},
		{"__refcounted_kptr", ARG_REFCOUNTED},
		{"__iter", ARG_ITER},
		{"__str", ARG_STR},
		{"__map", ARG_MAP},
		{"__irq_flag", ARG_IRQ},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (vf_param_has_suffix(fn->btf, param, rows[i].suffix)) {
			*ret_kind = rows[i].kind;
			return true;
		}
	}
	return false;
}

static bool is_function(const struct btf_obj *btf, const struct btf_param *param)
{
	const struct btf_type *t = btf_type_at(btf, btf_skip_modifiers(btf, param->type));

	if (!btf_type_is(t, BTF_KIND_PTR))
		return false;
	t = btf_type_at(btf, btf_skip_modifiers(btf, t->type));
	return btf_type_is(t, BTF_KIND_FUNC_PROTO);
}

static int find_memory(struct vf_env *env, const struct vf_kcall *call, struct arg_info *info)
{
	const struct btf_obj *btf = call->fn->btf;
	const struct btf_type *t = btf_type_at(btf, info->type_id);
	bool has_size = is_size(env, call->fn, info->no + 1, "__sz") ||
			is_size(env, call->fn, info->no + 1, "__szk");

	info->kind = has_size ? ARG_MEM_SIZE : ARG_MEM;
	if (is_number(t) || vf_is_scalar_struct(env, btf, info->type_id) ||
		(has_size && !info->type_id))
		return 0;
	return vf_complain(env, VF_C_KARG_POINTEE, info->no, vf_btf_word(t),
		btf_type_name(btf, info->type_id), has_size ? "void, " : "");
}

static int find_kind(struct vf_env *env, const struct vf_kcall *call, struct arg_info *info)
{
	const struct vf_kfunc *fn = call->fn;
	const struct vf_reg *reg = &vf_regs(env)[info->regno];
	const struct btf_type *ptr = btf_type_at(
		fn->btf, btf_skip_modifiers(fn->btf, info->param->type));

	if (fn->no == VF_KF_bpf_cast_to_kern_ctx || vf_ctx_is_type(env, fn->btf, ptr->type)) {
		info->kind = ARG_CTX;
		return 0;
	}
	if (vf_param_has_suffix(fn->btf, info->param, "__nullable") && vf_is_null(reg)) {
		info->kind = ARG_NULL;
		return 0;
	}
	if (!info->no && fn->flags & (KF_ITER_NEW | KF_ITER_NEXT | KF_ITER_DESTROY)) {
		info->kind = ARG_ITER;
		return 0;
	}
	if (find_by_suffix(fn, info->param, &info->kind) ||
		find_by_struct(fn, info->type_id, &info->kind))
		return 0;
	if (vf_kernel_struct(env, reg, NULL, NULL)) {
		info->kind = ARG_BTF;
		if (btf_type_is_struct(btf_type_at(fn->btf, info->type_id)))
			return 0;
		return vf_complain(env, VF_C_KARG_NO_STRUCT, fn->name, info->no,
			vf_btf_word(btf_type_at(fn->btf, info->type_id)),
			btf_type_name(fn->btf, info->type_id));
	}
	if (is_function(fn->btf, info->param)) {
		info->kind = ARG_CALLBACK;
		return 0;
	}
	return find_memory(env, call, info);
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static int take_constant(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_KARG_CONSTANT, regno);
	call->has_constant = true;
	call->constant = reg->num.var_off.value;
	return 0;
}

/* The size of what the function returns. */
static int take_result_size(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (call->r0_size)
		return vf_complain(env, VF_C_KARG_TWO_SIZES);
	if (!tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_ARG_CONST, regno);
	call->r0_size = reg->num.var_off.value;
	return vf_mark_precise(env, regno);
}

static int check_number(struct vf_env *env, struct vf_kcall *call, u32 no)
{
	const struct btf_param *param = &call->fn->proto.args[no];
	const char *name = btf_str(call->fn->btf, param->name_off);
	u32 regno = BPF_REG_1 + no;
	int err;

	if (!vf_is_scalar(&vf_regs(env)[regno]))
		return vf_complain(env, VF_C_KARG_SCALAR, regno);
	if (vf_param_has_suffix(call->fn->btf, param, "__k")) {
		err = take_constant(env, call, regno);
		return err ? err : vf_mark_precise(env, regno);
	}
	if (!strcmp(name, "rdonly_buf_size")) {
		call->r0_rdonly = true;
		return take_result_size(env, call, regno);
	}
	return strcmp(name, "rdwr_buf_size") ? 0 : take_result_size(env, call, regno);
}

/* ---- pointers ------------------------------------------------------------------------------------- */

static bool wants_trust(const struct vf_kfunc *fn)
{
	return fn->flags & (KF_TRUSTED_ARGS | KF_RELEASE);
}

static int check_null(struct vf_env *env, const struct vf_kcall *call, const struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];

	if (!wants_trust(call->fn) && !(call->fn->flags & KF_RCU))
		return 0;
	if (!vf_is_null(reg) && !reg->may_be_null)
		return 0;
	if (vf_param_has_suffix(call->fn->btf, info->param, "__nullable"))
		return 0;
	return vf_complain(env, VF_C_KARG_NULL, info->no);
}

static int check_trust(struct vf_env *env, const struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (!wants_trust(call->fn) && !(call->fn->flags & KF_RCU))
		return 0;
	if (vf_kernel_is_trusted(env, reg))
		return 0;
	if (!(call->fn->flags & KF_RCU))
		return vf_complain(env, VF_C_KARG_TRUSTED, regno);
	return reg->flags & VF_RCU ? 0 : vf_complain(env, VF_C_KARG_RCU, regno);
}

/* How far the pointer may have been moved. */
static int check_moved(struct vf_env *env, u32 regno, bool is_release)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const u16 odd = VF_UNTRUSTED | VF_PERCPU | VF_USER;

	if (is_release && reg->off)
		return vf_complain(env, VF_C_KARG_MOVED, regno);
	if (is_release)
		return vf_reg_unmoved(env, regno);
	if (vf_is_scalar(reg))
		return 0;
	if (vf_kind_bits(reg->kind) & KIND_MOVED && !reg->may_be_null &&
		!(reg->kind == VF_MEM && reg->flags & odd))
		return 0;
	if (reg->kind == VF_BTF && !reg->may_be_null && !(reg->flags & odd))
		return vf_reg_fixed(env, regno);
	return vf_reg_unmoved(env, regno);
}

static int check_map(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];

	if (reg->kind != VF_MAP_PTR)
		return vf_complain(env, VF_C_KARG_MAP, regno);
	if (call->map && map_has_field(reg->map, BTF_FIELD_WORKQUEUE | BTF_FIELD_TASK_WORK) &&
		(call->map != reg->map || call->map_uid != reg->map_uid))
		return vf_complain(env, VF_C_KARG_MAP_UID,
			map_has_field(reg->map, BTF_FIELD_TASK_WORK) ? "bpf_task_work"
								     : "workqueue",
			regno - 1, call->map_uid, regno, reg->map_uid);
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}

/* The field of this kind, of which a value has one at most. */
static int check_field(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info,
	enum btf_field_kind kind)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];
	const struct btf_field *field;
	s64 off;

	if (reg->kind != VF_MAP_VALUE || reg->may_be_null)
		return vf_complain(env, VF_C_KARG_MAP_VALUE, info->no);
	off = (s64)reg->num.var_off.value + reg->off;
	field = reg->map->fields ? btf_fields_at(reg->map->fields, kind) : NULL;
	if (!field || field->off != off || !tnum_is_const(reg->num.var_off))
		return vf_complain(env, VF_C_KARG_FIELD_OFF, (long long)off,
			btf_type_name(call->fn->btf, info->type_id), field ? (int)field->off : -1);
	call->map = reg->map;
	call->map_uid = reg->map_uid;
	return 0;
}

/* Memory of the pointed-to type's size, read and written; NULL is the function's to handle. */
static int check_memory(
	struct vf_env *env, const struct vf_kcall *call, const struct arg_info *info)
{
	struct vf_reg *reg = &vf_regs(env)[info->regno], saved = *reg;
	u32 size;
	int err = btf_size(call->fn->btf, info->type_id, NULL, &size);

	if (err)
		return vf_complain(env, VF_C_KARG_SIZE, info->no,
			vf_btf_word(btf_type_at(call->fn->btf, info->type_id)),
			btf_type_name(call->fn->btf, info->type_id), err);
	if (vf_is_null(reg))
		return 0;
	if (reg->may_be_null)
		vf_reg_not_null(reg);
	err = vf_call_mem(env, NULL, info->regno, size, false, true);
	if (!err)
		err = vf_call_mem(env, NULL, info->regno, size, true, true);
	if (saved.may_be_null)
		*reg = saved;
	return err;
}

static int check_sized(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info)
{
	struct vf_reg *reg = &vf_regs(env)[info->regno], saved = *reg;
	int err = 0;

	if (!vf_is_null(reg) || !vf_param_has_suffix(call->fn->btf, info->param, "__opt")) {
		if (reg->may_be_null)
			vf_reg_not_null(reg);
		err = vf_call_size(env, info->regno + 1, false);
		if (!err)
			err = vf_call_size(env, info->regno + 1, true);
		if (saved.may_be_null)
			*reg = saved;
	}
	if (err)
		return err;
	if (is_size(env, call->fn, info->no + 1, "__szk"))
		return take_constant(env, call, info->regno + 1);
	return 0;
}

static int check_dynptr(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info)
{
	struct vf_dynptr_want want = {
		.is_uninit = vf_param_has_suffix(call->fn->btf, info->param, "__uninit"),
		.is_rdonly = vf_regs(env)[info->regno].kind == VF_DYNPTR,
	};
	const struct vf_reg *dynptr;
	int err;

	switch (call->fn->no) {
	case VF_KF_bpf_dynptr_from_skb: want.type = VF_DYNPTR_SKB; break;
	case VF_KF_bpf_dynptr_from_xdp: want.type = VF_DYNPTR_XDP; break;
	case VF_KF_bpf_dynptr_from_skb_meta: want.type = VF_DYNPTR_SKB_META; break;
	case VF_KF_bpf_dynptr_clone:
		if (want.is_uninit) {
			want.type = call->dynptr.type;
			want.ref_id = call->dynptr.ref_id;
		}
		break;
	default: break;
	}
	err = vf_dynptr_arg(env, info->regno, &want);
	if (err || want.is_uninit)
		return err;
	dynptr = vf_dynptr_of(env, info->regno);
	call->dynptr = (struct vf_kcall_dynptr){
		.type = dynptr->dynptr.type, .id = dynptr->id, .ref_id = dynptr->ref_id};
	return 0;
}

/* css_task iterators take a lock that other programs may run under. */
static bool may_iterate_tasks(const struct vf_env *env)
{
	u32 type = env->type->type;

	return type == BPF_PROG_TYPE_LSM || env->cur->may_sleep ||
	       (type == BPF_PROG_TYPE_TRACING &&
		       env->params->expected_attach_type == BPF_TRACE_ITER);
}

static int check_string(struct vf_env *env, const struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];

	if (reg->kind != VF_MAP_VALUE || reg->may_be_null)
		return vf_complain(env, VF_C_KARG_STR, info->no);
	return vf_call_string(env, info->regno);
}

static int check_callback(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];

	if (reg->kind != VF_FUNC)
		return vf_complain(env, VF_C_KARG_FUNC, info->no);
	call->sub = reg->sub;
	return 0;
}

static int check_ctx(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];

	if (reg->kind != VF_CTX)
		return vf_complain(env, VF_C_KARG_CTX, info->no, vf_kind_str(reg));
	return call->fn->no == VF_KF_bpf_cast_to_kern_ctx ? vf_kernel_ctx(env, call) : 0;
}

static int check_res_lock(struct vf_env *env, struct vf_kcall *call, const struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];
	u32 flags = VF_LOCK_RES;

	if (!vf_is_object(reg) && (reg->kind != VF_MAP_VALUE || reg->may_be_null))
		return vf_complain(env, VF_C_KARG_RES_LOCK, info->no);
	if (call->fn->no == VF_KF_bpf_res_spin_lock ||
		call->fn->no == VF_KF_bpf_res_spin_lock_irqsave)
		flags |= VF_LOCK_TAKE;
	if (call->fn->no == VF_KF_bpf_res_spin_lock_irqsave ||
		call->fn->no == VF_KF_bpf_res_spin_unlock_irqrestore)
		flags |= VF_LOCK_IRQ;
	return vf_lock(env, info->regno, flags);
}

static int check_kind(struct vf_env *env, struct vf_kcall *call, struct arg_info *info)
{
	u32 regno = info->regno;

	switch (info->kind) {
	case ARG_CTX: return check_ctx(env, call, info);
	case ARG_ALLOC: return vf_object_arg(env, call, regno);
	case ARG_REFCOUNTED: return vf_refcount_arg(env, call, regno);
	case ARG_DYNPTR: return check_dynptr(env, call, info);
	case ARG_ITER:
		if (call->fn->no == VF_KF_bpf_iter_css_task_new && !may_iterate_tasks(env))
			return vf_complain(env, VF_C_ITER_CSS_TASK);
		return vf_iter_arg(env, call, regno);
	case ARG_LIST_HEAD: return vf_graph_root_arg(env, call, regno, BTF_FIELD_LIST_HEAD);
	case ARG_RB_ROOT: return vf_graph_root_arg(env, call, regno, BTF_FIELD_RB_ROOT);
	case ARG_LIST_NODE: return vf_graph_node_arg(env, call, regno, BTF_FIELD_LIST_NODE);
	case ARG_RB_NODE: return vf_graph_node_arg(env, call, regno, BTF_FIELD_RB_NODE);
	case ARG_STR: return check_string(env, info);
	case ARG_MAP: return vf_kernel_map_arg(env, call, regno);
	case ARG_BTF: return vf_kernel_arg(env, call, regno, info->type_id);
	case ARG_WQ: return check_field(env, call, info, BTF_FIELD_WORKQUEUE);
	case ARG_TASK_WORK: return check_field(env, call, info, BTF_FIELD_TASK_WORK);
	case ARG_IRQ: return vf_irq_arg(env, call, regno);
	case ARG_RES_LOCK: return check_res_lock(env, call, info);
	case ARG_CALLBACK: return check_callback(env, call, info);
	case ARG_MEM: return check_memory(env, call, info);
	case ARG_MEM_SIZE: return check_sized(env, call, info);
	default: return 0;
	}
}

static int check_pointer(struct vf_env *env, struct vf_kcall *call, struct arg_info *info)
{
	const struct vf_reg *reg = &vf_regs(env)[info->regno];
	bool is_release = call->fn->flags & KF_RELEASE && reg->ref_id;
	int err = check_null(env, call, info);

	if (err)
		return err;
	if (reg->ref_id) {
		call->ref_id = reg->ref_id;
		if (is_release)
			call->release_regno = info->regno;
	}
	err = find_kind(env, call, info);
	if (err || info->kind == ARG_NULL)
		return err;
	if (info->kind == ARG_MAP)
		err = check_map(env, call, info->regno);
	if (!err && (info->kind == ARG_MAP || info->kind == ARG_ALLOC || info->kind == ARG_BTF))
		err = check_trust(env, call, info->regno);
	if (!err)
		err = check_moved(env, info->regno, is_release);
	return err ? err : check_kind(env, call, info);
}

int vf_kfunc_args(struct vf_env *env, struct vf_kcall *call)
{
	const struct vf_kfunc *fn = call->fn;
	int err = 0;

	if (fn->proto.arg_cnt > VF_ARG_CNT)
		return vf_complain(env, VF_C_KARG_CNT, fn->name, fn->proto.arg_cnt, VF_ARG_CNT);
	for (u32 i = 0; i < fn->proto.arg_cnt && !err; i++) {
		struct arg_info info = {
			.no = i, .regno = BPF_REG_1 + i, .param = &fn->proto.args[i]};
		const struct btf_type *t = btf_type_at(
			fn->btf, btf_skip_modifiers(fn->btf, info.param->type));

		if (vf_param_has_suffix(fn->btf, info.param, "__ign") ||
			vf_param_has_suffix(fn->btf, info.param, "__prog"))
			continue;
		if (is_number(t)) {
			err = check_number(env, call, i);
			continue;
		}
		if (!btf_type_is(t, BTF_KIND_PTR))
			return vf_complain(env, VF_C_KARG_TYPE, i, vf_btf_word(t));
		info.type_id = btf_skip_modifiers(fn->btf, t->type);
		err = check_pointer(env, call, &info);
		/* the size was looked at together with its memory */
		i += info.kind == ARG_MEM_SIZE;
	}
	if (!err && fn->flags & KF_RELEASE && !call->release_regno)
		return vf_complain(env, VF_C_KARG_RELEASE, fn->name);
	return err;
}
