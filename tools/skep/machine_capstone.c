/*
 * Disassembly with Capstone, in the AT&T notation that kernel developers read.
 *
 * The library is opened when it is needed, not when the command starts: its tables take longer to
 * relocate than most verbs take to run, and a machine without it only lacks this one verb.
 */
#include <capstone/capstone.h>
#include <dlfcn.h>
#include <stdio.h>

#include "base/mem.h"
#include "machine.h"

#define TEXT_OF(number)	 #number
#define SONAME_OF(major) "libcapstone.so." TEXT_OF(major)

#if defined(__x86_64__)
static const cs_arch arch = CS_ARCH_X86;
static const cs_mode mode = CS_MODE_64;
#elif defined(__aarch64__)
static const cs_arch arch = CS_ARCH_ARM64;
static const cs_mode mode = CS_MODE_ARM;
#else
#error "tell Capstone about this machine here"
#endif

struct machine {
	void *library;
	csh handle;
	cs_insn *insn;
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*option)(csh handle, cs_opt_type type, size_t value);
	cs_insn *(*alloc)(csh handle);
	bool (*disasm)(csh handle, const u8 **code, size_t *len, u64 *addr, cs_insn *insn);
	void (*free)(cs_insn *insn, size_t cnt);
	cs_err (*close)(csh *handle);
};

/* POSIX lets a function's address be read through a pointer to it. */
static bool find_functions(struct machine *m)
{
	const struct {
		const char *name;
		void *ret;
	} all[] = {{"cs_open", &m->open}, {"cs_option", &m->option}, {"cs_malloc", &m->alloc},
		{"cs_disasm_iter", &m->disasm}, {"cs_free", &m->free}, {"cs_close", &m->close}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		void *addr = dlsym(m->library, all[i].name);

		if (!addr)
			return false;
		*(void **)all[i].ret = addr;
	}
	return true;
}

static bool start(struct machine *m)
{
	if (m->open(arch, mode, &m->handle))
		return false;
	m->option(m->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	m->insn = m->alloc(m->handle);
	if (!m->insn)
		m->close(&m->handle);
	return m->insn;
}

struct machine *machine_open(const char **ret_why)
{
	struct machine *m = mem_zalloc(sizeof(*m));

	*ret_why = "out of memory";
	if (!m)
		return NULL;
	*ret_why = "the disassembler is not installed (" SONAME_OF(
		CS_API_MAJOR) "; on Debian "
			      "libcapstone4); `file FILE` writes the bytes";
	m->library = dlopen(SONAME_OF(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL);
	if (m->library && find_functions(m)) {
		*ret_why = "the Capstone library does not know this machine";
		if (start(m))
			return m;
	}
	if (m->library)
		dlclose(m->library);
	mem_free(m);
	return NULL;
}

void machine_close(struct machine *m)
{
	if (!m)
		return;
	m->free(m->insn, 1);
	m->close(&m->handle);
	dlclose(m->library);
	mem_free(m);
}

void machine_disasm(
	struct machine *m, const u8 *code, size_t len, u64 addr, struct machine_insn *ret)
{
	const u8 *at = code;

	if (m->disasm(m->handle, &at, &len, &addr, m->insn)) {
		ret->len = m->insn->size;
		snprintf(ret->mnemonic, sizeof(ret->mnemonic), "%s", m->insn->mnemonic);
		snprintf(ret->operands, sizeof(ret->operands), "%s", m->insn->op_str);
		return;
	}
	ret->len = 1;
	snprintf(ret->mnemonic, sizeof(ret->mnemonic), ".byte");
	snprintf(ret->operands, sizeof(ret->operands), "0x%02x", *code);
}
