/*
 * The verifier as a call of its own.
 */
#include <skep/verify.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "core/btf.h"
#include "core/inst.h"
#include "embed/embed.h"
#include "sys/caller.h"
#include "sys/fd.h"
#include "verifier/explain.h"
#include "verifier/verify.h"

struct call {
	struct skep *skep;
	const struct skep_verify *what;
};

static int map_get(void *arg, int fd, bool is_idx, struct map **ret_map)
{
	const struct call *call = arg;

	return is_idx ? -EINVAL : embed_map_ref(call->skep, fd, ret_map);
}

static void pass_log(void *arg, const char *text, size_t len)
{
	const struct call *call = arg;

	if (call->what->log)
		call->what->log(call->what->arg, text, len);
}

static bool ask_cancel(void *arg)
{
	const struct call *call = arg;

	return call->what->cancel(call->what->arg);
}

static void fill_stats(struct skep_verdict *ret, const struct vf_verdict *verdict)
{
	ret->insns_processed = verdict->stats.insns_processed;
	ret->total_states = verdict->stats.total_states;
	ret->peak_states = verdict->stats.peak_states;
	ret->max_states_per_insn = verdict->stats.max_states_per_insn;
	ret->time_ns = verdict->stats.time_ns;
}

static void fill(
	struct skep_verdict *ret, const struct vf_verdict *verdict, const struct vf_params *params)
{
	const struct vf_explain_ctx place = {.btf = params->btf,
		.line_info = params->line_info,
		.line_info_cnt = params->line_info_cnt,
		.insns = params->insns,
		.insn_cnt = params->insn_cnt};
	struct buf text = BUF_INIT;

	ret->id = vf_complaint_id(verdict->complaint);
	ret->insn_idx = verdict->insn_idx;
	ret->is_unsupported = vf_complaint_is_unsupported(verdict->complaint);
	snprintf(ret->kernel_text, sizeof(ret->kernel_text), "%s", verdict->msg);
	vf_explain(&text, verdict, &place);
	snprintf(ret->text, sizeof(ret->text), "%s", buf_text(&text));
	buf_done(&text);
	fill_stats(ret, verdict);
}

static int get_btf(struct skep *skep, int fd, struct core_btf **ret_btf)
{
	struct sys_user user;
	struct obj *obj;
	int err;

	*ret_btf = NULL;
	if (!fd)
		return 0;
	sys_user_local_init(&user);
	err = sys_fd_obj(skep, &user, fd, OBJ_BTF, &obj, NULL);
	if (!err)
		*ret_btf = container_of(obj, struct core_btf, obj);
	return err;
}

static int verify(struct call *call, struct core_btf *btf, struct skep_verdict *ret_verdict)
{
	const struct skep_verify *what = call->what;
	struct vf_params params = {
		.inst = call->skep,
		.type = call->skep->prog_types[what->type],
		.expected_attach_type = what->expected_attach_type,
		.flags = what->flags,
		.is_gpl = embed_is_gpl(what->license),
		.insns = what->insns,
		.insn_cnt = what->insn_cnt,
		.btf = btf ? btf->btf : NULL,
		.func_info = what->func_info,
		.func_info_cnt = what->func_info_cnt,
		.line_info = what->line_info,
		.line_info_cnt = what->line_info_cnt,
		.map_get = map_get,
		.arg = call,
		.log_level = what->log ? what->log_level : 0,
		.log = pass_log,
		.log_arg = call,
		.cancel = what->cancel ? ask_cancel : NULL,
		.cancel_arg = call,
		.mem_max = what->mem_max,
		.insns_max = what->insns_max,
	};
	struct vf_result result;
	struct vf_verdict verdict;
	int err = vf_verify(&params, &result, &verdict);

	if (!err)
		vf_result_done(&result);
	if (ret_verdict)
		fill(ret_verdict, &verdict, &params);
	return err;
}

int skep_verify(
	struct skep *skep, const struct skep_verify *given, struct skep_verdict *ret_verdict)
{
	struct skep_verify what;
	struct call call = {.skep = skep, .what = &what};
	struct core_btf *btf;
	int err = embed_options(given, &what, sizeof(what));

	if (ret_verdict && ret_verdict->sz != sizeof(*ret_verdict))
		return -EINVAL;
	if (ret_verdict)
		*ret_verdict = (struct skep_verdict){.sz = sizeof(*ret_verdict), .id = ""};
	if (err || (what.insn_cnt && !what.insns) || (what.func_info_cnt && !what.func_info) ||
		(what.line_info_cnt && !what.line_info))
		return -EINVAL;
	if (what.type >= skep->prog_type_cnt || !skep->prog_types[what.type])
		return -EINVAL;
	err = get_btf(skep, what.btf_fd, &btf);
	if (err)
		return err;
	err = verify(&call, btf, ret_verdict);
	if (btf)
		obj_put(&btf->obj);
	return err;
}
