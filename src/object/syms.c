/*
 * Symbols: each has a name and lies in its section. Functions in sections of code are what libbpf
 * makes programs of: it copies their instructions, and takes the one behind a `lddw` for its second
 * half.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "object/file.h"

enum { LDDW = BPF_LD | BPF_IMM | BPF_DW };

bool object_sym_is_extern(const Elf64_Sym *sym)
{
	u32 bind = ELF64_ST_BIND(sym->st_info);

	return sym->st_shndx == SHN_UNDEF && (bind == STB_GLOBAL || bind == STB_WEAK) &&
	       ELF64_ST_TYPE(sym->st_info) == STT_NOTYPE;
}

const char *object_sym_name(const struct object_file *f, const Elf64_Sym *sym)
{
	return (const char *)f->data + f->secs[f->str_idx].sh_offset + sym->st_name;
}

static int add_function(struct object_file *f, const Elf64_Sym *sym)
{
	const char *name = object_sym_name(f, sym);
	u64 end = sym->st_value + sym->st_size;

	if (sym->st_size >= sizeof(struct bpf_insn) &&
		object_insn(f, sym->st_shndx, end - sizeof(struct bpf_insn)).code == LDDW)
		return object_bad(f, "function %s ends in the middle of an instruction", name);
	f->code_len += sym->st_size;
	if (f->code_len > OBJECT_CODE_MAX)
		return object_too_large(
			f, "its functions have more than %u bytes", OBJECT_CODE_MAX);
	if (f->func_cnt == f->func_cap) {
		u32 cap = f->func_cap ? f->func_cap * 2 : 16;
		struct object_func *funcs = mem_realloc(f->funcs, cap, sizeof(*funcs));

		if (!funcs)
			return object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
		f->funcs = funcs;
		f->func_cap = cap;
	}
	f->funcs[f->func_cnt++] = (struct object_func){
		.name = name, .sec = sym->st_shndx, .off = sym->st_value, .len = sym->st_size};
	f->subprog_cnt += sym->st_shndx == f->text_idx;
	return 0;
}

static int check_sym(struct object_file *f, u32 i)
{
	Elf64_Sym sym = object_sym(f, i);
	u32 type = ELF64_ST_TYPE(sym.st_info);

	if (sym.st_name >= f->secs[f->str_idx].sh_size)
		return object_bad(f, "symbol %u has a name that is not in the file", i);
	f->extern_cnt += object_sym_is_extern(&sym);
	if (sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE)
		return 0;
	if (sym.st_shndx >= f->sec_cnt)
		return object_bad(f, "symbol %s is in section %u of %u", object_sym_name(f, &sym),
			sym.st_shndx, f->sec_cnt);
	if (!object_in_sec(f, sym.st_shndx, sym.st_value, sym.st_size))
		return object_bad(f, "symbol %s lies outside of its section %s",
			object_sym_name(f, &sym), object_sec_name(f, sym.st_shndx));
	if (type == STT_FUNC && object_is_code(f, sym.st_shndx))
		return add_function(f, &sym);
	return 0;
}

static int by_section(const void *a, const void *b)
{
	const struct object_func *x = a, *y = b;

	return (x->sec > y->sec) - (x->sec < y->sec);
}

int object_check_syms(struct object_file *f)
{
	int err = 0;

	f->sym_cnt = (u32)(f->secs[f->sym_idx].sh_size / sizeof(Elf64_Sym));
	for (u32 i = 0; i < f->sym_cnt && !err; i++)
		err = check_sym(f, i);
	if (f->func_cnt)
		qsort(f->funcs, f->func_cnt, sizeof(*f->funcs), by_section);
	return err;
}
