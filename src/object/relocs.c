/*
 * Relocations of code, of maps (the maps and programs they begin with) and of struct_ops: each
 * changes bytes that are in its section and refers to a symbol that is there.
 *
 * Calls without a relocation are fine inside .text. Elsewhere libbpf looks the target up in .text all
 * the same, and two cases break it: a program without any relocation that calls, and an object whose
 * only program stands in .text and calls itself.
 */
#include <errno.h>

#include "base/mem.h"
#include "object/file.h"

enum { CALL = BPF_JMP | BPF_CALL, LDDW = BPF_LD | BPF_IMM | BPF_DW, RELO_BYTES = 8 };

static Elf64_Rel relo_at(const struct object_file *f, u32 idx, u32 i)
{
	Elf64_Rel rel;

	memcpy(&rel, f->data + f->secs[idx].sh_offset + (u64)i * sizeof(rel), sizeof(rel));
	return rel;
}

static u32 relo_cnt(const struct object_file *f, u32 idx)
{
	return (u32)(f->secs[idx].sh_size / sizeof(Elf64_Rel));
}

static int check_relo(const struct object_file *f, u32 idx, u32 i)
{
	u32 target = f->secs[idx].sh_info;
	Elf64_Rel rel = relo_at(f, idx, i);

	if (!object_in_sec(f, target, rel.r_offset, RELO_BYTES) ||
		(object_is_code(f, target) && rel.r_offset % sizeof(struct bpf_insn)))
		return object_bad(f, "relocation %u of section %s is for byte %llu of %llu", i,
			object_sec_name(f, target), (unsigned long long)rel.r_offset,
			(unsigned long long)f->secs[target].sh_size);
	if (ELF64_R_SYM(rel.r_info) >= f->sym_cnt)
		return object_bad(f, "relocation %u of section %s is against symbol %llu of %u", i,
			object_sec_name(f, target), (unsigned long long)ELF64_R_SYM(rel.r_info),
			f->sym_cnt);
	return 0;
}

/* libbpf reads the relocations of code and those with these names, whatever they are for. */
static bool is_read(const struct object_file *f, u32 idx)
{
	const Elf64_Shdr *s = &f->secs[idx];
	const char *name = object_sec_name(f, idx);

	return s->sh_type == SHT_REL &&
	       (!strcmp(name, ".rel.maps") || !strcmp(name, ".rel.struct_ops") ||
		       (s->sh_info < f->sec_cnt && f->secs[s->sh_info].sh_flags & SHF_EXECINSTR));
}

static int check_table(struct object_file *f, u32 idx)
{
	const Elf64_Shdr *s = &f->secs[idx];
	u32 cnt = relo_cnt(f, idx);
	int err = 0;

	if (s->sh_entsize != sizeof(Elf64_Rel) || s->sh_size % sizeof(Elf64_Rel))
		return object_bad(
			f, "section %s holds no whole relocations", object_sec_name(f, idx));
	if (s->sh_link != f->sym_idx || !s->sh_info || s->sh_info >= f->sec_cnt ||
		f->secs[s->sh_info].sh_type != SHT_PROGBITS)
		return object_bad(f, "section %s is for no section that has content",
			object_sec_name(f, idx));
	for (u32 i = 0; i < cnt && !err; i++)
		err = check_relo(f, idx, i);
	f->relo_cnt += cnt;
	if (s->sh_info == f->text_idx)
		f->text_relo_cnt += cnt;
	return err;
}

/* marks[i]: what relocates instruction i of section target. */
enum { MARK_RELO = 1, MARK_EXTERN = 2 };

static void mark_relos(const struct object_file *f, u32 target, u8 *marks)
{
	for (u32 idx = 1; idx < f->sec_cnt; idx++) {
		if (f->secs[idx].sh_info != target || !is_read(f, idx))
			continue;
		for (u32 i = 0; i < relo_cnt(f, idx); i++) {
			Elf64_Rel rel = relo_at(f, idx, i);
			Elf64_Sym sym = object_sym(f, (u32)ELF64_R_SYM(rel.r_info));

			marks[rel.r_offset / sizeof(struct bpf_insn)] |=
				MARK_RELO | (object_sym_is_extern(&sym) ? MARK_EXTERN : 0);
		}
	}
}

static bool is_call(struct bpf_insn insn)
{
	return (insn.code == CALL && insn.src_reg == BPF_PSEUDO_CALL) ||
	       (insn.code == LDDW && insn.src_reg == BPF_PSEUDO_FUNC);
}

static int check_calls_of(
	const struct object_file *f, const struct object_func *func, const u8 *marks)
{
	bool is_text = func->sec == f->text_idx, calls = false, relocated = false;
	const u32 step = sizeof(struct bpf_insn);

	for (u64 off = 0; off + step <= func->len; off += step) {
		u8 mark = marks[(func->off + off) / step];
		bool call = is_call(object_insn(f, func->sec, func->off + off));

		calls |= call && !(mark & MARK_EXTERN);
		relocated |= mark & MARK_RELO;
	}
	/* The only program of the object: whatever it calls can only be itself. */
	if (calls && is_text && f->func_cnt == 1)
		return object_refuse(f, -EINVAL,
			"has one function, %s, which calls itself: mark it with SEC(\"xdp\") and "
			"let it call others",
			func->name);
	if (calls && !is_text && !relocated && f->subprog_cnt)
		return object_bad(f, "function %s calls another without a relocation", func->name);
	return 0;
}

/* The functions stand in order of their sections. */
static int check_calls(const struct object_file *f)
{
	u8 *marks = NULL;
	int err = 0;

	for (u32 i = 0; i < f->func_cnt && !err; i++) {
		const struct object_func *func = &f->funcs[i];

		if (!i || func->sec != func[-1].sec) {
			mem_free(marks);
			marks = mem_array(
				f->secs[func->sec].sh_size / sizeof(struct bpf_insn) + 1, 1);
			if (!marks)
				return object_refuse(
					f, -ENOMEM, "cannot be read: not enough memory");
			mark_relos(f, func->sec, marks);
		}
		err = check_calls_of(f, func, marks);
	}
	mem_free(marks);
	return err;
}

int object_check_relocs(struct object_file *f)
{
	int err = 0;

	for (u32 i = 1; i < f->sec_cnt && !err; i++)
		if (is_read(f, i))
			err = check_table(f, i);
	return err ? err : check_calls(f);
}
