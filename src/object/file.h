/*
 * Inside the check of object files: the file and what has been found in it so far. Each step relies
 * on what the steps before it saw to be sound, in this order:
 *
 *	check.c    ELF header, section table, names       -> secs, the special sections
 *	syms.c     symbols, functions                     -> syms, funcs
 *	relocs.c   relocations of code and maps           -> code_relos
 *	btf.c      .BTF: types one by one and together    -> btf
 *	btf_ext.c  .BTF.ext: records of code              -> recs, core_relos
 *	data.c     sections of variables: maps, externs   -> vars, map_cnt
 *	work.c     how much of all this is too much
 *
 * Nothing in the file need be aligned: what is not bytes is read through copies.
 */
#ifndef OBJECT_FILE_H
#define OBJECT_FILE_H

#include <elf.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <string.h>

#include "base/types.h"

struct port_text;

enum { OBJECT_CODE_MAX = 64 << 20 }; /* bytes of code, in the file or once it is copied together */

struct object_types {
	u8 *mem; /* a copy of the section, aligned */
	const char *strings;
	u32 str_len;
	const struct btf_type **types; /* types[0] is void */
	u32 cnt;
	u64 *sizes;	    /* bytes of a value; 0 for what has none */
	u32 datasecs, vars; /* sections of variables, and what is in all of them */
};

struct object_func {
	const char *name;
	u32 sec;
	u64 off, len; /* bytes; in the section */
};

struct object_file {
	const char *path;
	struct port_text *err;
	const u8 *data;
	u64 len;

	Elf64_Shdr *secs; /* a copy */
	u32 sec_cnt;
	u32 names_idx, sym_idx, str_idx; /* sections; 0: there is none */
	u32 text_idx, maps_idx, ops_idx, btf_idx, ext_idx;

	u32 sym_cnt, extern_cnt;
	struct object_func *funcs;	     /* functions in sections of code, in order of these */
	u32 func_cnt, func_cap, subprog_cnt; /* subprograms: those in .text */
	u64 code_len;			     /* bytes of all functions */
	u32 relo_cnt, text_relo_cnt;

	const u8 *btf_data; /* the bytes of .BTF; NULL: there is none */
	u64 btf_len;
	struct object_types btf; /* cnt 0: there is none */
	u32 rec_cnt;		 /* records of .BTF.ext */
	u32 core_relo_cnt;
	u32 map_cnt;
};

/* "PATH is malformed: ...; compile it again". -EINVAL. */
__attribute__((format(printf, 2, 3))) int object_bad(
	const struct object_file *f, const char *fmt, ...);
/* "PATH is too large: ...". -E2BIG. */
__attribute__((format(printf, 2, 3))) int object_too_large(
	const struct object_file *f, const char *fmt, ...);
/* Any sentence after the path. */
__attribute__((format(printf, 3, 4))) int object_refuse(
	const struct object_file *f, int err, const char *fmt, ...);

/* idx < sec_cnt; valid once the section table is. */
const char *object_sec_name(const struct object_file *f, u32 idx);
/* PROGBITS with instructions: where functions become programs. */
bool object_is_code(const struct object_file *f, u32 idx);
/* off + len lies in the section, without wrapping. */
static inline bool object_in_sec(const struct object_file *f, u32 idx, u64 off, u64 len)
{
	u64 size = f->secs[idx].sh_size;

	return off <= size && len <= size - off;
}
/* The first section of that name, 0: none. */
u32 object_find_sec(const struct object_file *f, const char *name);

/* i < sym_cnt. */
static inline Elf64_Sym object_sym(const struct object_file *f, u32 i)
{
	Elf64_Sym sym;

	memcpy(&sym, f->data + f->secs[f->sym_idx].sh_offset + (u64)i * sizeof(sym), sizeof(sym));
	return sym;
}
/* What libbpf takes for an extern variable or function. */
bool object_sym_is_extern(const Elf64_Sym *sym);
const char *object_sym_name(const struct object_file *f, const Elf64_Sym *sym);
/* The instruction at byte off of a section of code, which is in it. */
static inline struct bpf_insn object_insn(const struct object_file *f, u32 idx, u64 off)
{
	struct bpf_insn insn;

	memcpy(&insn, f->data + f->secs[idx].sh_offset + off, sizeof(insn));
	return insn;
}

/* The text at an offset that is in the string section of BTF; "" for 0. */
static inline const char *object_btf_str(const struct object_file *f, u32 off)
{
	return f->btf.strings + off;
}
/* Past typedefs, qualifiers and type tags; valid once object_check_btf() is done. */
const struct btf_type *object_skip_modifiers(const struct object_file *f, u32 id);

int object_check_syms(struct object_file *f);
int object_check_relocs(struct object_file *f);
int object_check_btf(struct object_file *f);
void object_btf_done(struct object_types *btf);
/* The types together: containment and members, with sizes filled. */
int object_check_nests(struct object_file *f);
/* And through pointers, for who writes them as C; after object_check_btf(). */
int object_check_ptrs(struct object_file *f);
int object_check_btf_ext(struct object_file *f);
int object_check_data(struct object_file *f);
int object_check_work(struct object_file *f);

#endif
