/*
 * Objects of the kernel as arguments: the struct that the register points to must be the one asked for, or
 * begin with it. A release takes exactly the struct that it is for; so do structs that are told apart by
 * "___init" at the end of their name, which are the same in memory and not in meaning.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verifier/btf_walk.h"
#include "verifier/object.h"

enum { CTX_MEMBER_MAX = 64 };
#define NO_CAST "___init"

/* Pointers of kinds of their own are pointers to these. */
static const char *struct_of_kind(u8 kind)
{
	switch (kind) {
	case VF_MAP_PTR: return "bpf_map";
	case VF_SOCKET: return "sock";
	case VF_SOCK_COMMON: return "sock_common";
	case VF_TCP_SOCK: return "tcp_sock";
	default: return NULL;
	}
}

bool vf_kernel_struct(const struct vf_env *env, const struct vf_reg *reg,
	const struct btf_obj **ret_btf, u32 *ret_id)
{
	const struct btf_obj *btf = NULL;
	u32 id = 0;

	if (reg->kind == VF_BTF) {
		btf = reg->btf;
		id = btf_skip_modifiers(btf, reg->btf_id);
	} else {
		if (!struct_of_kind(reg->kind) || !env->kfunc_cnt)
			return false;
		btf = env->kfuncs[0].btf;
		if (btf_find(btf, struct_of_kind(reg->kind), BTF_KIND_STRUCT, &id))
			return false;
	}
	if (ret_btf)
		*ret_btf = btf;
	if (ret_id)
		*ret_id = id;
	return true;
}

bool vf_kernel_is_trusted(const struct vf_env *env, const struct vf_reg *reg)
{
	const u16 trusted = VF_TRUSTED | VF_ALLOC;

	if (reg->ref_id)
		return true;
	if (reg->may_be_null)
		return false;
	if (struct_of_kind(reg->kind))
		return !reg->flags;
	return reg->flags & trusted && !(reg->flags & ~trusted);
}

/* ___init at the end of one of two names that are the same otherwise. */
static bool is_no_cast(const char *a, const char *b)
{
	size_t len = strlen(b), tail = strlen(NO_CAST);

	return strlen(a) == len + tail && !strncmp(a, b, len) && !strcmp(a + len, NO_CAST);
}

/* What the program sees is a view of what the kernel has. */
static bool is_view_of(const char *view, const char *name)
{
	return (!strcmp(view, "__sk_buff") && !strcmp(name, "sk_buff")) ||
	       (!strcmp(view, "xdp_md") && !strcmp(name, "xdp_buff"));
}

static int check_struct(struct vf_env *env, struct vf_kcall *call, u32 regno, u32 want_id)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	const struct btf_obj *want_btf = call->fn->btf, *btf = NULL;
	const char *want = btf_type_name(want_btf, want_id), *name;
	bool is_strict;
	u32 id = 0;

	if (!vf_kernel_struct(env, reg, &btf, &id))
		return vf_complain(env, VF_C_KARG_MAP, regno);
	name = btf_type_name(btf, id);
	is_strict = (call->fn->flags & KF_RELEASE && reg->ref_id) || is_no_cast(name, want) ||
		    is_no_cast(want, name);
	if (is_view_of(want, name) ||
		vf_btf_is_within(btf, id, reg->off, want_btf, want_id, is_strict))
		return 0;
	return vf_complain(env, VF_C_KARG_STRUCT, call->fn->name, regno - 1,
		vf_btf_word(btf_type_at(want_btf, want_id)), want, regno,
		vf_btf_word(btf_type_at(btf, id)), name);
}

int vf_kernel_arg(struct vf_env *env, struct vf_kcall *call, u32 regno, u32 type_id)
{
	const struct vf_reg *reg = &vf_regs(env)[regno];
	struct vf_reg plain = *reg;
	const u16 unsafe = VF_UNTRUSTED | VF_PERCPU | VF_USER | VF_NON_OWN | VF_RCU;

	if (reg->kind == VF_BTF && (reg->may_be_null || reg->flags & unsafe) &&
		!(reg->flags & VF_RCU)) {
		plain.may_be_null = false;
		plain.flags &= VF_TRUSTED | VF_ALLOC;
		return vf_complain(
			env, VF_C_KARG_UNSAFE, regno - 1, vf_kind_str(reg), vf_kind_str(&plain));
	}
	return check_struct(env, call, regno, type_id);
}

int vf_kernel_map_arg(struct vf_env *env, struct vf_kcall *call, u32 regno)
{
	u32 id = 0;

	if (btf_find(call->fn->btf, "bpf_map", BTF_KIND_STRUCT, &id))
		return vf_complain(env, VF_C_KARG_MAP, regno);
	return vf_kernel_arg(env, call, regno, id);
}

/* struct bpf_ctx_convert has two members for each program type: the program's view and the kernel's. */
int vf_kernel_ctx(struct vf_env *env, struct vf_kcall *call)
{
	const struct btf_obj *btf = call->fn->btf;
	char want[CTX_MEMBER_MAX];
	const struct btf_type *t;
	u32 id = 0;

	snprintf(want, sizeof(want), "BPF_PROG_TYPE_%s_kern", env->type->name);
	for (char *c = want + strlen("BPF_PROG_TYPE_"); strcmp(c, "_kern") != 0; c++)
		*c = toupper((unsigned char)*c);
	if (btf_find(btf, "bpf_ctx_convert", BTF_KIND_STRUCT, &id))
		return vf_complain(env, VF_C_CAST_CTX, 0);
	t = btf_type_at(btf, id);
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(btf, t, i);

		if (strcmp(member.name, want) != 0)
			continue;
		if (!btf_type_is(btf_type_at(btf, member.type_id), BTF_KIND_STRUCT))
			return vf_complain(env, VF_C_CAST_CTX, member.type_id);
		call->ret_btf_id = member.type_id;
		return 0;
	}
	return vf_complain(env, VF_C_CAST_CTX, 0);
}
