/*
 * Disassembly with Capstone, in the AT&T notation that kernel developers read.
 */
#include <capstone/capstone.h>
#include <stdio.h>

#include "base/mem.h"
#include "machine.h"

struct machine {
	csh handle;
	cs_insn *insn;
};

#if defined(__x86_64__)
static const cs_arch arch = CS_ARCH_X86;
static const cs_mode mode = CS_MODE_64;
#elif defined(__aarch64__)
static const cs_arch arch = CS_ARCH_ARM64;
static const cs_mode mode = CS_MODE_ARM;
#else
#error "tell Capstone about this machine here"
#endif

struct machine *machine_open(const char **ret_why)
{
	struct machine *m = mem_zalloc(sizeof(*m));

	*ret_why = "out of memory";
	if (!m)
		return NULL;
	if (cs_open(arch, mode, &m->handle)) {
		*ret_why = "the Capstone library does not know this machine";
		mem_free(m);
		return NULL;
	}
	cs_option(m->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	m->insn = cs_malloc(m->handle);
	if (m->insn)
		return m;
	cs_close(&m->handle);
	mem_free(m);
	return NULL;
}

void machine_close(struct machine *m)
{
	if (!m)
		return;
	cs_free(m->insn, 1);
	cs_close(&m->handle);
	mem_free(m);
}

void machine_disasm(
	struct machine *m, const u8 *code, size_t len, u64 addr, struct machine_insn *ret)
{
	const u8 *at = code;

	if (cs_disasm_iter(m->handle, &at, &len, &addr, m->insn)) {
		ret->len = m->insn->size;
		snprintf(ret->mnemonic, sizeof(ret->mnemonic), "%s", m->insn->mnemonic);
		snprintf(ret->operands, sizeof(ret->operands), "%s", m->insn->op_str);
		return;
	}
	ret->len = 1;
	snprintf(ret->mnemonic, sizeof(ret->mnemonic), ".byte");
	snprintf(ret->operands, sizeof(ret->operands), "0x%02x", *code);
}
