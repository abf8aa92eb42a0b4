/*
 * The pass that applies CO-RE records given to BPF_PROG_LOAD (btf/core_relo.h). Libbpf applies them itself;
 * other loaders leave it to the kernel.
 */
#include <errno.h>

#include "btf/core_relo.h"
#include "core/kbtf.h"
#include "verifier/env.h"
#include "verifier/static.h"

int vf_core_relos(struct vf_env *env)
{
	const struct vf_params *params = env->params;
	const struct btf_obj *kernel = NULL;
	struct buf log = BUF_INIT;
	int err = 0;

	if (!params->core_relo_cnt || !params->btf)
		return 0;
	if (core_kbtf_get(params->inst, &kernel) == -ENOMEM)
		return -ENOMEM;
	for (u32 i = 0; i < params->core_relo_cnt && !err; i++)
		err = btf_core_apply(params->btf, kernel, &params->core_relos[i], i, env->insns,
			env->insn_cnt, &log);
	if (err && err != -ENOMEM)
		err = vf_complain_text(env, err, VF_C_CORE_RELO, buf_text(&log));
	else if (log.len)
		vf_note(env, "%s", buf_text(&log));
	buf_done(&log);
	return err;
}
