/*
 * Helper calls: one engine for all prototypes (core/helper.h). Arguments are checked in order, because a
 * map argument gives meaning to the key and value that follow, and memory to the size after it. Then R0-R5
 * become what the helper leaves.
 */
#include <errno.h>
#include <string.h>

#include "verifier/access.h"
#include "verifier/call_arg.h"
#include "verifier/dynptr.h"
#include "verifier/kptr.h"
#include "verifier/callback.h"
#include "verifier/lock.h"
#include "verifier/precision.h"
#include "verifier/references.h"
#include "verifier/static.h"
#include "verifier/step.h"

enum { MAX_ERRNO_RET = 4095 };

static const char *name_of(u32 id)
{
	const char *name = isa_helper_name(id);

	return name ? name : "unknown";
}

/* The kinds and flags that the files of calls give a meaning to; all others are refused. */
static const u64 known_args =
	1ull << HLP_NONE | 1ull << HLP_CONST_MAP_PTR | 1ull << HLP_MAP_KEY | 1ull << HLP_MAP_VALUE |
	1ull << HLP_MEM | 1ull << HLP_CONST_SIZE | 1ull << HLP_CONST_SIZE_OR_ZERO |
	1ull << HLP_CTX | 1ull << HLP_ANYTHING | 1ull << HLP_STACK | 1ull << HLP_CONST_STR |
	1ull << HLP_SCALAR_CONST | 1ull << HLP_SOCK_COMMON | 1ull << HLP_SOCKET |
	1ull << HLP_RINGBUF_MEM | 1ull << HLP_CONST_ALLOC_SIZE_OR_ZERO |
	1ull << HLP_BTF_ID_SOCK_COMMON | 1ull << HLP_FUNC | 1ull << HLP_SPIN_LOCK |
	1ull << HLP_TIMER | 1ull << HLP_BTF_ID | 1ull << HLP_PERCPU_BTF_ID | 1ull << HLP_DYNPTR |
	1ull << HLP_KPTR_XCHG_DEST;
static const u32 known_arg_flags = HLP_MAYBE_NULL | HLP_RDONLY | HLP_UNINIT | HLP_WRITE |
				   HLP_FIXED_SIZE | HLP_ALIGNED | HLP_OBJ_RELEASE |
				   HLP_DYNPTR_LOCAL | HLP_DYNPTR_RINGBUF;
static const u64 known_rets = 1ull << HLP_RET_INTEGER | 1ull << HLP_RET_VOID |
			      1ull << HLP_RET_MAP_VALUE | 1ull << HLP_RET_SOCKET |
			      1ull << HLP_RET_TCP_SOCK | 1ull << HLP_RET_SOCK_COMMON |
			      1ull << HLP_RET_MEM | 1ull << HLP_RET_BTF_ID |
			      1ull << HLP_RET_MEM_OR_BTF_ID;
static const u32 known_ret_flags = HLP_MAYBE_NULL | HLP_RINGBUF | HLP_TRUSTED | HLP_RDONLY;

static int check_known(struct vf_env *env, const struct hlp_proto *hlp)
{
	for (u32 i = 0; i < HLP_ARG_MAX; i++) {
		u32 arg = hlp->args[i];

		if (!(known_args & 1ull << HLP_KIND(arg)) || arg & ~0xffu & ~known_arg_flags)
			return vf_complain(env, VF_C_UNSUPPORTED_HELPER_ARG, name_of(hlp->id),
				hlp->id, i + 1, arg);
	}
	if (!(known_rets & 1ull << HLP_KIND(hlp->ret)) || hlp->ret & ~0xffu & ~known_ret_flags)
		return vf_complain(
			env, VF_C_UNSUPPORTED_HELPER_RET, name_of(hlp->id), hlp->id, hlp->ret);
	return 0;
}

static int find_helper(struct vf_env *env, u32 id, const struct hlp_proto **ret_hlp)
{
	const struct skep *inst = env->params->inst;
	const struct hlp_proto *hlp = id < inst->helper_cnt ? inst->helpers[id] : NULL;

	if (!isa_helper_name(id) && id)
		return vf_complain(env, VF_C_HELPER_ID, name_of(id), (int)id);
	hlp = vf_helper_here(env, hlp);
	if (!hlp)
		return vf_complain(env, VF_C_HELPER_PROG, id ? name_of(id) : "bpf_unspec", id);
	if (hlp->gpl_only && !env->params->is_gpl)
		return vf_complain(env, VF_C_HELPER_GPL);
	if (hlp->asks_hook && !vf_helper_is_allowed(env, id))
		return vf_complain(env, VF_C_HELPER_PLACE);
	if (hlp->may_sleep && !env->cur->may_sleep)
		return vf_complain(env, VF_C_HELPER_SLEEP);
	*ret_hlp = hlp;
	return check_known(env, hlp);
}

/* No helper that sleeps inside of what may not be interrupted. */
static int check_sections(struct vf_env *env, const struct hlp_proto *hlp)
{
	const struct vf_state *st = env->cur;
	const char *where = st->rcu_cnt	      ? "rcu_read_lock"
			    : st->preempt_cnt ? "non-preemptible"
			    : st->irq_id      ? "IRQ-disabled"
					      : NULL;

	if (!hlp->may_sleep || !where)
		return 0;
	return vf_complain(env, VF_C_HELPER_SLEEP_IN, name_of(hlp->id), hlp->id, where);
}

/* Whether the map's type is one the helper works on, and a read-only map stays unchanged. */
static int check_map(struct vf_env *env, const struct hlp_proto *hlp, const struct map *map)
{
	bool changes = hlp->id == BPF_FUNC_map_update_elem || hlp->id == BPF_FUNC_map_delete_elem ||
		       hlp->id == BPF_FUNC_map_push_elem || hlp->id == BPF_FUNC_map_pop_elem;

	if (map && changes && map->flags & BPF_F_RDONLY_PROG)
		return vf_complain(env, VF_C_HELPER_MAP_RDONLY);
	return 0;
}

static bool is_sock_map(const struct map *map)
{
	return map && (map->type->type == BPF_MAP_TYPE_SOCKMAP ||
			      map->type->type == BPF_MAP_TYPE_SOCKHASH);
}

/* Sockets are put into maps where nobody holds their lock. */
static bool may_change(struct vf_env *env, const struct hlp_proto *hlp, const struct map *map)
{
	if (!is_sock_map(map) ||
		(hlp->id != BPF_FUNC_map_update_elem && hlp->id != BPF_FUNC_map_delete_elem))
		return true;
	switch (env->type->type) {
	case BPF_PROG_TYPE_SOCK_OPS:
		if (hlp->id == BPF_FUNC_map_delete_elem)
			return true;
		break;
	case BPF_PROG_TYPE_TRACING:
		if (env->params->expected_attach_type == BPF_TRACE_ITER)
			return true;
		break;
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_SK_REUSEPORT:
	case BPF_PROG_TYPE_FLOW_DISSECTOR:
	case BPF_PROG_TYPE_SK_LOOKUP: return true;
	default: break;
	}
	vf_note(env, "cannot update sockmap in this context\n");
	return false;
}

static int check_map_type(struct vf_env *env, const struct hlp_proto *hlp, const struct map *map)
{
	if (map && hlp->maps &&
		(!(hlp->maps & 1ull << map->type->type) || !may_change(env, hlp, map)))
		return vf_complain(
			env, VF_C_HELPER_MAP, map->type->type, name_of(hlp->id), hlp->id);
	return 0;
}

/* The values and their specifiers, once the arguments are known to be a constant string and memory. */
static int check_format(struct vf_env *env, const struct hlp_proto *hlp)
{
	const struct vf_reg *fmt = &vf_regs(env)[BPF_REG_3];
	u64 len = vf_regs(env)[BPF_REG_5].num.var_off.value, addr;
	u32 off = fmt->off + fmt->num.var_off.value;
	int err = -EINVAL;

	if (!hlp->check_format)
		return 0;
	if (len % 8 == 0)
		err = fmt->map->ops->value_addr(fmt->map, off, &addr);
	if (!err)
		err = hlp->check_format((const char *)(uintptr_t)addr, fmt->map->value_size - off,
			(u32)MIN(len / 8, (u64)UINT32_MAX));
	return err ? vf_complain(env, VF_C_FORMAT) : 0;
}

/* The helper fills a stretch of the stack whose place is known: the same as storing to it. */
static int store_raw(struct vf_env *env, const struct vf_call *call)
{
	for (u32 i = 0; i < call->raw_size; i++) {
		struct vf_access acc = {
			.regno = call->raw_regno,
			.off = i,
			.size = 1,
			.is_write = true,
			.value = VF_NO_REG,
		};
		int err = vf_access(env, &acc);

		if (err)
			return err;
	}
	return 0;
}

/* What is irregular about results: bounds that Linux knows of single helpers. */
static void refine_result(struct vf_env *env, const struct vf_call *call, struct vf_reg *r0)
{
	switch (call->hlp->id) {
	case BPF_FUNC_get_smp_processor_id:
		if (env->params->inst->cpu_cnt)
			r0->num = vf_scalar_between(0, env->params->inst->cpu_cnt - 1);
		break;
	case BPF_FUNC_get_stack:
	case BPF_FUNC_get_task_stack:
	case BPF_FUNC_probe_read_str:
	case BPF_FUNC_probe_read_kernel_str:
	case BPF_FUNC_probe_read_user_str:
		/* bytes of the buffer, or an errno */
		for (unsigned bits = 32; bits <= 64; bits += 32) {
			struct vf_range range = vf_scalar_range(&r0->num, bits);

			range.smin = -MAX_ERRNO_RET;
			range.smax = vf_sext(call->size_max, bits);
			vf_scalar_set_range(&r0->num, range, bits);
		}
		vf_scalar_sync(&r0->num);
		break;
	default: break;
	}
}

static bool is_array(const struct map *map)
{
	return map->type->type == BPF_MAP_TYPE_ARRAY ||
	       map->type->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* The caller owns what these return. */
static bool acquires(const struct hlp_proto *hlp, const struct map *map)
{
	switch (hlp->id) {
	case BPF_FUNC_sk_lookup_tcp:
	case BPF_FUNC_sk_lookup_udp:
	case BPF_FUNC_skc_lookup_tcp:
	case BPF_FUNC_ringbuf_reserve:
	case BPF_FUNC_kptr_xchg: return true;
	case BPF_FUNC_map_lookup_elem: return is_sock_map(map);
	default: return false;
	}
}

/* What these return is their argument, seen as something else. */
static bool casts(const struct hlp_proto *hlp)
{
	switch (hlp->id) {
	case BPF_FUNC_tcp_sock:
	case BPF_FUNC_sk_fullsock:
	case BPF_FUNC_skc_to_tcp_sock:
	case BPF_FUNC_skc_to_tcp6_sock:
	case BPF_FUNC_skc_to_udp6_sock:
	case BPF_FUNC_skc_to_mptcp_sock:
	case BPF_FUNC_skc_to_tcp_timewait_sock:
	case BPF_FUNC_skc_to_tcp_request_sock: return true;
	default: return false;
	}
}

static void set_pointer(struct vf_env *env, const struct hlp_proto *hlp, const struct vf_call *call)
{
	static const u8 kinds[HLP_RET_KIND_CNT] = {
		[HLP_RET_MAP_VALUE] = VF_MAP_VALUE,
		[HLP_RET_SOCKET] = VF_SOCKET,
		[HLP_RET_TCP_SOCK] = VF_TCP_SOCK,
		[HLP_RET_SOCK_COMMON] = VF_SOCK_COMMON,
		[HLP_RET_MEM] = VF_MEM,
	};
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];

	vf_reg_pointer(r0, kinds[HLP_KIND(hlp->ret)]);
	r0->may_be_null = hlp->ret & HLP_MAYBE_NULL;
	if (r0->kind == VF_MAP_VALUE) {
		r0->map = call->map;
		r0->map_uid = call->map_uid;
		/* an element of an array that is known to exist */
		if (hlp->id == BPF_FUNC_map_lookup_elem && is_array(call->map) && call->has_key &&
			call->key < call->map->max_entries)
			r0->may_be_null = false;
		if (!r0->may_be_null && vf_reg_has_lock(r0))
			r0->id = ++env->id_gen;
	} else if (r0->kind == VF_MEM) {
		r0->mem_size = call->mem_size;
		r0->flags = hlp->ret & HLP_RINGBUF ? VF_RINGBUF : 0;
		r0->dynptr_id = call->dynptr.id;
		r0->ref_id = call->dynptr.ref_id;
	}
}

static int set_result(struct vf_env *env, const struct hlp_proto *hlp, const struct vf_call *call)
{
	struct vf_reg *r0 = &vf_regs(env)[BPF_REG_0];
	u32 id;
	int err = 0;

	switch (HLP_KIND(hlp->ret)) {
	case HLP_RET_INTEGER:
		vf_reg_unknown(r0);
		refine_result(env, call, r0);
		break;
	case HLP_RET_VOID: break;
	case HLP_RET_BTF_ID:
	case HLP_RET_MEM_OR_BTF_ID:
		err = call->kptr ? vf_kptr_result(env, call) : vf_call_btf_result(env, call);
		break;
	default: set_pointer(env, hlp, call); break;
	}
	if (err)
		return err;
	if (r0->may_be_null)
		r0->id = ++env->id_gen;
	if (casts(hlp)) {
		r0->ref_id = call->ref_id;
	} else if (acquires(hlp, call->map)) {
		err = vf_ref_acquire(env, &id);
		if (err)
			return err;
		r0->id = r0->ref_id = id;
	}
	return 0;
}

/* What an argument gives back is gone, in all registers. */
static int release(struct vf_env *env, const struct hlp_proto *hlp, const struct vf_call *call)
{
	int err = -EINVAL;

	if (!call->release_regno)
		return 0;
	if (HLP_KIND(hlp->args[call->release_regno - BPF_REG_1]) == HLP_DYNPTR)
		err = vf_dynptr_release(env, call->release_regno);
	else if (hlp->id == BPF_FUNC_kptr_xchg && call->ref_id)
		err = vf_kptr_give(env, call->ref_id);
	else if (call->ref_id)
		err = vf_ref_release(env, call->ref_id);
	else if (vf_is_null(&vf_regs(env)[call->release_regno]))
		err = 0;
	return err == -EINVAL ? vf_complain(env, VF_C_REF_NOT_HELD, name_of(hlp->id), hlp->id)
			      : err;
}

/* What single helpers ask for beyond their prototypes, or begin. */
static int special(struct vf_env *env, const struct hlp_proto *hlp, const struct vf_call *call)
{
	int err = 0;

	switch (hlp->id) {
	case BPF_FUNC_get_func_ip: return vf_helper_func_ip(env);
	case BPF_FUNC_tail_call: return vf_ref_check_leaks(env, false, true, "tail_call");
	case BPF_FUNC_dynptr_from_mem:
		if (vf_regs(env)[BPF_REG_1].kind != VF_MAP_VALUE)
			return vf_complain(
				env, VF_C_DYNPTR_MEM, vf_kind_str(&vf_regs(env)[BPF_REG_1]));
		return 0;
	case BPF_FUNC_get_local_storage:
		if (!vf_is_null(&vf_regs(env)[BPF_REG_2]))
			err = vf_complain(env, VF_C_LOCAL_STORAGE_FLAGS);
		return err;
	default: break;
	}
	err = check_format(env, hlp);
	if (err)
		return err;
	/* nobody follows the function: then the call cannot be allowed */
	if (hlp_takes_func(hlp) && !vf_callback_of(hlp->id))
		return vf_complain(env, VF_C_UNSUPPORTED_HELPER, name_of(hlp->id), hlp->id);
	return vf_call_callback(env, hlp->id, call->sub);
}

int vf_call_helper(struct vf_env *env, const struct bpf_insn *insn)
{
	struct vf_call call = {0};
	const struct hlp_proto *hlp = NULL;
	bool changes_pkt;
	int err = find_helper(env, insn->imm, &hlp);

	if (err)
		return err;
	err = check_sections(env, hlp);
	if (err)
		return err;
	call.hlp = hlp;
	for (u32 i = 0; i < HLP_ARG_MAX; i++) {
		err = vf_call_arg(env, &call, i);
		if (err)
			return err;
	}
	err = check_map(env, hlp, call.map);
	if (!err && hlp->id == BPF_FUNC_tail_call)
		err = vf_tail_call_key(env, call.map);
	if (!err)
		err = store_raw(env, &call);
	if (!err)
		err = release(env, hlp, &call);
	if (!err)
		err = special(env, hlp, &call);
	if (err)
		return err;
	if (call.dynptr_regno)
		call.dynptr = *vf_dynptr_of(env, call.dynptr_regno);
	changes_pkt = hlp->changes_pkt || (hlp->id == BPF_FUNC_dynptr_write &&
						  vf_dynptr_is_packet(call.dynptr.dynptr.type) &&
						  call.dynptr.dynptr.type != VF_DYNPTR_XDP);
	if (hlp->id != BPF_FUNC_dynptr_data)
		call.dynptr.id = call.dynptr.ref_id = 0;
	vf_regs_clobber(env);
	if (HLP_KIND(hlp->ret) == HLP_RET_MAP_VALUE && !call.map)
		return vf_complain(env, VF_C_HELPER_NO_MAP);
	err = set_result(env, hlp, &call);
	/* Linux looks at the map's type last */
	if (!err)
		err = check_map_type(env, hlp, call.map);
	if (err)
		return err;
	/* one that comes back has changed nothing */
	if (hlp->id == BPF_FUNC_tail_call)
		return vf_tail_call(env);
	if (changes_pkt)
		vf_packet_forget(env);
	return 0;
}

/* The last question of all: can what the program calls run here? */
int vf_helpers_check(struct vf_env *env)
{
	const struct skep *inst = env->params->inst;

	for (u32 i = 0; i < env->insn_cnt && !inst->verify_only; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg || !env->aux[i].is_seen)
			continue;
		if (!inst->helpers[insn->imm]->fn) {
			env->insn_idx = i;
			return vf_complain(
				env, VF_C_UNSUPPORTED_HELPER, name_of(insn->imm), insn->imm);
		}
	}
	return 0;
}
