/*
 * The interpreter's door. Both runs execute the rewritten instructions of core/prog.h; helpers come from
 * run->inst->helpers. Thread-safe as far as the run belongs to one thread.
 */
#ifndef INTERP_INTERP_H
#define INTERP_INTERP_H

#include "base/buf.h"
#include "core/prog.h"

/* Can an engine run code that no verifier has seen? 0, or -EINVAL and the reason added to why, which may be
 * NULL. Says nothing about memory: only interp_run_checked is safe with such code. */
int interp_check(const struct prog_code *code, struct buf *why);

/* For verified programs: no checks. */
u64 interp_run(const struct prog_code *code, void *ctx, struct run *run);

/* A function of a verified program, from outside of a run: func as run_callback takes it. */
u64 interp_call(const struct prog_code *code, u64 func, const u64 args[5], struct run *run);

/* For any code, verified or not: every access must lie in the program's stack, in run->regions, or in a value
 * of one of maps (struct map **, may be NULL); run->budget bounds the instructions. A fault ends the run with
 * result 0 and is left in run->fault (kind RUN_FAULT_NONE: none). */
u64 interp_run_checked(const struct prog_code *code, struct map *const *maps, u32 map_cnt,
	void *ctx, struct run *run);

#endif
