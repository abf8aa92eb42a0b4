/*
 * What test runs of all types share: the context that goes in and comes out, the loop, the results.
 */
#ifndef PROGS_TEST_IO_H
#define PROGS_TEST_IO_H

#include "core/prog.h"

/* Copies ctx_in into ctx (size bytes, zeroed before). True in ret_given if there is a context to read or
 * to write. -E2BIG: more than size bytes and not zero. */
int prog_test_ctx_in(const struct prog_test_run *io, void *ctx, u32 size, bool *ret_given);
/* -ENOSPC: ctx_out is too small; what fitted is there. */
int prog_test_ctx_out(struct prog_test_run *io, const void *ctx, u32 size);
/* Runs the program io->repeat times (0 counts as 1) and fills the retval and the mean duration. */
void prog_test_loop(struct prog *prog, void *ctx, struct run *run, struct prog_test_run *io);
/* Gives the data back. -ENOSPC: data_out_cap is set and too small; what fitted is there. */
int prog_test_data_out(struct prog_test_run *io, const void *data, u32 len);

#endif
