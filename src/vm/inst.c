/*
 * An instance with everything this build has: the registries of map types, helpers and program types
 * are tables of the layers below, put together only here.
 */
#include "vm/vm.h"

#include "helpers/helpers.h"
#include "helpers/timers.h"
#include "jit/jit.h"
#include "maps/maps.h"
#include "progs/progs.h"

int vm_inst_init(struct skep *inst, const struct inst_options *opts)
{
	int err = inst_init(inst, opts);

	if (err)
		return err;
	inst->map_types = map_types;
	inst->map_type_cnt = map_types_cnt;
	inst->helpers = hlp_table;
	inst->helper_cnt = hlp_table_cnt;
	inst->kfuncs = hlp_kfuncs;
	inst->kfunc_cnt = hlp_kfunc_cnt;
	inst->prog_types = prog_types;
	inst->prog_type_cnt = prog_types_cnt;
	inst->exec = vm_run;
	inst->call = vm_call;
	inst->free_timers = hlp_timers_free;
	inst->release_field = hlp_release_field;
	err = jit_arena_new(opts->jitdump, &inst->code);
	if (err)
		inst_done(inst);
	else
		inst->free_code = jit_arena_free;
	return err;
}
