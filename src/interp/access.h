/*
 * Checked mode's question: may the program touch these bytes? Private to layer interp.
 */
#ifndef INTERP_ACCESS_H
#define INTERP_ACCESS_H

#include "core/prog.h"

/* What a checked run may use. The stack is what frames in use cover, [stack, stack_end). */
struct access {
	struct run *run;
	struct map *const *maps;
	u32 map_cnt;
	const void *ctx;
	const struct prog_code *code; /* that a callback would be in */
	u64 stack, stack_end;
};

bool access_may(const struct access *access, u64 addr, u64 len, bool is_write);
/* The arguments of a call against the helper's prototype. On a refusal fills all but the index of fault. */
bool access_may_call(const struct access *access, const struct hlp_proto *proto, const u64 *r,
	struct run_fault *ret_fault);

#endif
