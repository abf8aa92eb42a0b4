/*
 * Machine code to text. One of two files is in the build: machine_capstone.c, or machine_none.c where
 * the Capstone library is not installed.
 */
#ifndef SKEP_MACHINE_H
#define SKEP_MACHINE_H

#include "base/types.h"

struct machine;

struct machine_insn {
	unsigned int len; /* bytes; at least 1 */
	char mnemonic[32];
	char operands[160];
};

/* NULL and why when there is no disassembler for this machine. */
struct machine *machine_open(const char **ret_why);
void machine_close(struct machine *m);
/* The instruction at code, which runs at addr; what is none becomes ".byte 0xNN". */
void machine_disasm(
	struct machine *m, const u8 *code, size_t len, u64 addr, struct machine_insn *ret);

#endif
