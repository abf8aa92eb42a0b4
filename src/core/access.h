/*
 * Checked mode's question: may the program touch these bytes? What a checked run may use; for the interpreter
 * and for checked machine code.
 */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include "core/prog.h"

/* What a checked run may use. The stack is what frames in use cover, [stack, stack_end). */
struct access {
	struct run *run;
	struct map *const *maps;
	u32 map_cnt;
	const void *ctx;
	const struct prog_code *code; /* that a callback would be in */
	u64 stack, stack_end;
	/* Machine code: a callback is one of these addresses, not an instruction's index. */
	const u64 *doors;
	u32 door_cnt;
	bool has_doors;
};

bool access_may(const struct access *access, u64 addr, u64 len, bool is_write);

/* A stretch of memory that may be touched; region: 1 + that of the run, 0: none of them. */
struct access_bounds {
	u64 start, end;
	u32 region;
};

/* The whole frame, region or value that the bytes lie in. False: access_may says no. */
bool access_bounds(const struct access *access, u64 addr, u64 len, bool is_write,
	struct access_bounds *ret_bounds);
/* The arguments of a call against the helper's prototype. On a refusal fills all but the index of fault. */
bool access_may_call(const struct access *access, const struct hlp_proto *proto, const u64 *r,
	struct run_fault *ret_fault);

#endif
