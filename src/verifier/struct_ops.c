/*
 * Operations of the kernel that programs may stand in for (struct tcp_congestion_ops and others): which
 * member of which struct, what it may change, what its stub says of arguments.
 * Source: check_struct_ops_btf_id and the struct bpf_struct_ops of Linux 6.18.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/env.h"
#include "verifier/target.h"

enum { NAME_MAX_LEN = 128 };

/* Members that programs may not fill, at all or when they sleep. */
static const struct {
	const char *ops, *member;
	bool is_off;
} members[] = {
	{"tcp_congestion_ops", "get_info", .is_off = true},
	{"bpf_dummy_ops", "test_1"},
	{"bpf_dummy_ops", "test_2"},
};

/*
 * What tcp_congestion_ops may write of struct tcp_sock, at exactly these places or, where is_range says so,
 * anywhere inside. The structs of a TCP socket begin with one another, so offsets need not be added up.
 */
static const struct {
	const char *of, *member;
	bool is_range;
	u8 len; /* of the first part of the member that is meant; 0: all of it */
} tcp_members[] = {
	{"sock", "sk_pacing_rate", .is_range = false},
	{"sock", "sk_pacing_status", .is_range = false},
	{"inet_connection_sock", "icsk_ca_priv", .is_range = true},
	{"inet_connection_sock", "icsk_ack", .len = 1}, /* pending */
	{"tcp_sock", "snd_cwnd", .is_range = false},
	{"tcp_sock", "snd_cwnd_cnt", .is_range = false},
	{"tcp_sock", "snd_cwnd_stamp", .is_range = false},
	{"tcp_sock", "snd_ssthresh", .is_range = false},
	{"tcp_sock", "ecn_flags", .is_range = false},
	{"tcp_sock", "app_limited", .is_range = false},
};

static int check_member(struct vf_env *env, const char *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (strcmp(members[i].ops, env->target.ops) || strcmp(members[i].member, member))
			continue;
		if (members[i].is_off)
			return vf_complain_err(
				env, -BTF_ENOTSUPP, VF_C_OPS_UNSUPPORTED, member, env->target.ops);
		if (env->params->flags & BPF_F_SLEEPABLE)
			return vf_complain(env, VF_C_OPS_UNSUPPORTED, member, env->target.ops);
	}
	return 0;
}

/* The stub OPS__MEMBER gives names to arguments; a name with the suffix says that it may be NULL. */
static void read_stub(struct vf_env *env)
{
	static const char suffix[] = "__nullable";
	struct vf_target *target = &env->target;
	char name[NAME_MAX_LEN];
	struct btf_proto proto;
	u32 id;

	snprintf(name, sizeof(name), "%s__%s", target->ops, target->name);
	if (btf_find(target->btf, name, BTF_KIND_FUNC, &id) ||
		btf_proto_of(target->btf, id, &proto))
		return;
	for (u32 i = 0; i < proto.arg_cnt && i < VF_TARGET_ARG_MAX; i++) {
		const char *arg = btf_str(target->btf, proto.args[i].name_off);
		size_t len = strlen(arg);

		if (len < sizeof(suffix) || strcmp(arg + len - strlen(suffix), suffix))
			continue;
		target->args[i].is_known = true;
		target->args[i].may_be_null = true;
		target->args[i].flags = VF_TRUSTED;
	}
}

static bool is_supported(const struct vf_target *target)
{
	char name[NAME_MAX_LEN];
	u32 id;

	snprintf(name, sizeof(name), "bpf_struct_ops_%s", target->ops);
	return *target->ops && !btf_find(target->btf, name, BTF_KIND_STRUCT, &id);
}

static int find_member(struct vf_env *env, const struct btf_type *t)
{
	struct vf_target *target = &env->target;
	u32 idx = env->params->expected_attach_type;
	struct btf_field_ref member;
	struct btf_proto proto;

	if (idx >= btf_type_vlen(t))
		return vf_complain(env, VF_C_OPS_MEMBER_IDX, idx, target->ops);
	member = btf_member_at(target->btf, t, idx);
	if (!btf_type_is(btf_type_at(target->btf, btf_skip_modifiers(target->btf, member.type_id)),
		    BTF_KIND_PTR) ||
		btf_proto_of(target->btf, member.type_id, &proto))
		return vf_complain(env, VF_C_OPS_MEMBER, member.name, idx, target->ops);
	target->name = member.name;
	target->off = member.bit_off / 8;
	target->proto_id = proto.proto_id;
	target->is_trusted = true;
	read_stub(env);
	return check_member(env, member.name);
}

int vf_struct_ops_find(struct vf_env *env)
{
	struct vf_target *target = &env->target;
	const struct btf_type *t;

	if (!env->params->is_gpl)
		return vf_complain(env, VF_C_OPS_GPL);
	if (!env->params->attach_btf_id || !env->params->attach_btf)
		return vf_complain(env, VF_C_OPS_NONE);
	target->btf = env->params->attach_btf;
	target->type_id = env->params->attach_btf_id;
	t = btf_type_at(target->btf, target->type_id);
	target->ops = t ? btf_type_name(target->btf, target->type_id) : "";
	if (!t || !btf_type_is(t, BTF_KIND_STRUCT) || !is_supported(target))
		return vf_complain(env, VF_C_OPS_STRUCT, target->type_id);
	return find_member(env, t);
}

/* A socket of TCP's operations is a TCP socket. */
u32 vf_struct_ops_promote(const struct vf_env *env, u32 id)
{
	const struct btf_obj *btf = env->target.btf;
	u32 tcp_id;

	if (!env->target.ops || strcmp(env->target.ops, "tcp_congestion_ops") ||
		strcmp(btf_type_name(btf, id), "sock") ||
		btf_find(btf, "tcp_sock", BTF_KIND_STRUCT, &tcp_id))
		return id;
	return tcp_id;
}

/* ---- writes ------------------------------------------------------------------------------------- */

/* The member `name` of struct `of`: where in that struct, and how long. */
static bool find_place(
	const struct btf_obj *btf, const char *of, const char *name, s32 *ret_off, u32 *ret_len)
{
	const struct btf_type *t;
	u32 id;

	if (btf_find(btf, of, BTF_KIND_STRUCT, &id))
		return false;
	t = btf_type_at(btf, id);
	for (u32 i = 0; i < btf_type_vlen(t); i++) {
		struct btf_field_ref member = btf_member_at(btf, t, i);

		if (strcmp(member.name, name))
			continue;
		*ret_off = member.bit_off / 8;
		if (member.bit_size)
			*ret_len = (member.bit_size + 7) / 8;
		else if (btf_size(btf, member.type_id, NULL, ret_len))
			return false;
		return true;
	}
	return false;
}

static int write_tcp(struct vf_env *env, u32 type_id, s32 off, u32 size)
{
	const struct btf_obj *btf = env->target.btf;

	if (strcmp(btf_type_name(btf, type_id), "tcp_sock"))
		return vf_complain(env, VF_C_BTF_READ_ONLY);
	for (size_t i = 0; i < ARRAY_SIZE(tcp_members); i++) {
		s32 at;
		u32 len;

		if (!find_place(btf, tcp_members[i].of, tcp_members[i].member, &at, &len))
			continue;
		if (tcp_members[i].len)
			len = tcp_members[i].len;
		if (off < at || off >= at + (s32)len || (off > at && !tcp_members[i].is_range))
			continue;
		if (off + size > at + len)
			return vf_complain(env, VF_C_OPS_WRITE_LONG, off, size, at + len);
		return 0;
	}
	return vf_complain(env, VF_C_OPS_WRITE_TCP, off);
}

static int write_dummy(struct vf_env *env, u32 type_id, s32 off, u32 size)
{
	const struct btf_type *t = btf_type_at(env->target.btf, type_id);

	if (strcmp(btf_type_name(env->target.btf, type_id), "bpf_dummy_ops_state"))
		return vf_complain(env, VF_C_OPS_WRITE_DUMMY);
	if (off + size > t->size)
		return vf_complain(env, VF_C_OPS_WRITE_BEYOND, off, size);
	return 0;
}

int vf_struct_ops_write(struct vf_env *env, u32 type_id, s32 off, u32 size)
{
	if (!strcmp(env->target.ops, "tcp_congestion_ops"))
		return write_tcp(env, type_id, off, size);
	if (!strcmp(env->target.ops, "bpf_dummy_ops"))
		return write_dummy(env, type_id, off, size);
	return vf_complain(env, VF_C_BTF_READ_ONLY);
}
