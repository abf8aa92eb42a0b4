/*
 * A build without Capstone: code can be written to a file, not shown.
 */
#include <stddef.h>

#include "machine.h"

struct machine *machine_open(const char **ret_why)
{
	*ret_why = "this build has no disassembler (install libcapstone-dev and build again); "
		   "`file FILE` writes the bytes";
	return NULL;
}

void machine_close(struct machine *m)
{
}

void machine_disasm(
	struct machine *m, const u8 *code, size_t len, u64 addr, struct machine_insn *ret)
{
	ret->len = 1;
}
