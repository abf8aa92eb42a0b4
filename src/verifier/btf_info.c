/*
 * What the program's BTF says of it: functions by name and linkage, source lines. The records
 * themselves are checked by layer btf; here they meet the subprograms.
 */
#include <errno.h>
#include <string.h>

#include "btf/btf.h"
#include "btf/info.h"
#include "verifier/env.h"
#include "verifier/static.h"

int vf_btf_check_early(struct vf_env *env)
{
	const struct vf_params *params = env->params;
	struct btf_recs recs = {
		params->func_info, params->func_info_cnt, sizeof(*params->func_info)};
	struct buf log = BUF_INIT;
	int err;

	if (!params->btf || !params->func_info_cnt)
		return 0;
	env->func_info = vf_alloc(env, params->func_info_cnt * sizeof(*env->func_info));
	if (!env->func_info)
		return -ENOMEM;
	env->func_info_cnt = params->func_info_cnt;
	err = btf_func_info_check(params->btf, &recs, &log, env->func_info);
	if (err)
		err = vf_complain_text(env, err, VF_C_FUNC_INFO, buf_text(&log));
	buf_done(&log);
	return err;
}

static void name_subs(struct vf_env *env)
{
	for (u32 s = 0; s < env->func_info_cnt && s < env->sub_cnt; s++) {
		u32 id = env->func_info[s].type_id;
		const struct btf_type *func = btf_type_at(env->params->btf, id);

		env->subs[s].name = btf_type_name(env->params->btf, id);
		env->subs[s].is_global = s && btf_func_linkage(func) == BTF_FUNC_GLOBAL;
	}
}

static int check_records(struct vf_env *env, const struct btf_subprog *subs, struct buf *log)
{
	const struct vf_params *params = env->params;
	struct btf_recs recs = {
		params->line_info, params->line_info_cnt, sizeof(*params->line_info)};
	int err;

	if (!params->func_info_cnt || !params->btf)
		err = btf_no_func_info_check(subs, env->sub_cnt, log);
	else
		err = btf_func_info_layout_check(
			params->btf, env->func_info, env->func_info_cnt, subs, env->sub_cnt, log);
	if (err)
		return vf_complain_text(env, err, VF_C_FUNC_INFO, buf_text(log));
	if (!params->line_info_cnt || !params->btf)
		return 0;
	env->line_info = vf_alloc(env, params->line_info_cnt * sizeof(*env->line_info));
	if (!env->line_info)
		return -ENOMEM;
	env->line_info_cnt = params->line_info_cnt;
	err = btf_line_info_check(params->btf, &recs, env->insns, env->insn_cnt, subs, env->sub_cnt,
		log, env->line_info, NULL);
	if (err) {
		vf_free(env, env->line_info, env->line_info_cnt * sizeof(*env->line_info));
		env->line_info = NULL;
		env->line_info_cnt = 0;
		return vf_complain_text(env, err, VF_C_LINE_INFO, buf_text(log));
	}
	return 0;
}

/*
 * The function that exceptions end in, named by a tag on the program's first one.
 */
int vf_btf_exception_callback(struct vf_env *env, u32 *ret_start)
{
	static const char tag[] = "exception_callback:";
	const struct btf_obj *btf = env->params->btf;
	const char *name;
	u32 id, second, func;

	*ret_start = 0;
	if (!env->func_info_cnt ||
		btf_find_decl_tag(btf, env->func_info[0].type_id, -1, tag, 0, &id))
		return 0;
	if (!btf_find_decl_tag(btf, env->func_info[0].type_id, -1, tag, id, &second))
		return vf_complain(env, VF_C_THROW_TAGS);
	name = btf_type_name(btf, id) + strlen(tag);
	if (btf_find(btf, name, BTF_KIND_FUNC, &func))
		return vf_complain(env, VF_C_THROW_NAME, name);
	if (btf_func_linkage(btf_type_at(btf, func)) != BTF_FUNC_GLOBAL)
		return vf_complain(env, VF_C_THROW_STATIC, name);
	for (u32 i = 0; i < env->func_info_cnt; i++) {
		if (env->func_info[i].type_id != func)
			continue;
		*ret_start = env->func_info[i].insn_off;
		if (!*ret_start)
			return vf_complain(env, VF_C_THROW_MAIN);
	}
	return *ret_start ? 0 : vf_complain(env, VF_C_THROW_FUNC);
}

int vf_btf_check(struct vf_env *env)
{
	size_t len = env->sub_cnt * sizeof(struct btf_subprog);
	struct btf_subprog *subs = vf_alloc(env, len);
	struct buf log = BUF_INIT;
	int err;

	if (!subs)
		return -ENOMEM;
	for (u32 s = 0; s < env->sub_cnt; s++)
		subs[s] = (struct btf_subprog){
			.start = env->subs[s].start,
			.has_ld_abs = env->subs[s].has_ld_abs,
			.has_tail_call = env->subs[s].has_tail_call,
		};
	err = check_records(env, subs, &log);
	if (!err)
		name_subs(env);
	buf_done(&log);
	vf_free(env, subs, len);
	return err;
}
