/*
 * The ELF header and the section table: the file is whole, sections lie in it, their names are
 * texts, and those that libbpf knows by name are there once. The other steps follow from here.
 */
#include "object/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "object/file.h"
#include "port/port.h"

enum {
	PATH_SHOWN = 128, /* bytes of a path that there is always room for */
	SECS_MAX = 8192,
	ZEROES_MAX = 256 << 20, /* bytes of .bss and the like, which no file has to hold */
};

int object_refuse(const struct object_file *f, int err, const char *fmt, ...)
{
	char text[PORT_TEXT_MAX - PATH_SHOWN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(f->err->text, sizeof(f->err->text), "%s %s", f->path, text);
	return err;
}

int object_bad(const struct object_file *f, const char *fmt, ...)
{
	char text[PORT_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return object_refuse(f, -EINVAL, "is malformed: %s; compile it again", text);
}

int object_too_large(const struct object_file *f, const char *fmt, ...)
{
	char text[PORT_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return object_refuse(f, -E2BIG, "is too large: %s; make smaller objects of it", text);
}

static int check_head(const struct object_file *f, const Elf64_Ehdr *head)
{
	if (f->len < SELFMAG || memcmp(f->data, ELFMAG, SELFMAG))
		return object_refuse(f, -EINVAL,
			"is not an ELF file: name the object that clang made "
			"(clang -O2 -g --target=bpf -c FILE.c -o FILE.o)");
	if (f->len < sizeof(*head))
		return object_refuse(f, -EINVAL, "is cut short: not even its ELF header is whole");
	if (head->e_ident[EI_CLASS] != ELFCLASS64 ||
		(head->e_machine != EM_BPF && head->e_machine != EM_NONE))
		return object_refuse(f, -EINVAL,
			"is an ELF file for another machine (number %u): compile with --target=bpf",
			head->e_machine);
	if (head->e_ident[EI_DATA] != ELFDATA2LSB)
		return object_refuse(f, -EINVAL,
			"is big endian, this machine is not: compile with --target=bpfel");
	/* A count of 0 would mean that section 0 holds it: 65,280 sections or more. */
	if (!head->e_shoff || !head->e_shnum || head->e_shentsize != sizeof(Elf64_Shdr))
		return object_refuse(f, -EINVAL,
			"has no sections: it is no relocatable object "
			"(compile with clang -O2 -g --target=bpf -c)");
	return 0;
}

static int read_table(struct object_file *f, const Elf64_Ehdr *head)
{
	u64 len = (u64)head->e_shnum * sizeof(Elf64_Shdr);

	if (head->e_shoff > f->len || len > f->len - head->e_shoff)
		return object_refuse(f, -EINVAL,
			"is cut short: its section table ends at byte %llu, the file at %llu; "
			"compile or copy it again",
			(unsigned long long)(head->e_shoff + len), (unsigned long long)f->len);
	if (head->e_shnum > SECS_MAX)
		return object_too_large(
			f, "it has %u sections (limit %u)", head->e_shnum, SECS_MAX);
	f->secs = mem_dup(f->data + head->e_shoff, len);
	if (!f->secs)
		return object_refuse(f, -ENOMEM, "cannot be read: not enough memory");
	f->sec_cnt = head->e_shnum;
	return 0;
}

/* The section is in the file, as far as it is in any. */
static int check_extent(const struct object_file *f, u32 i)
{
	const Elf64_Shdr *s = &f->secs[i];

	if (s->sh_type == SHT_NOBITS ||
		(s->sh_offset <= f->len && s->sh_size <= f->len - s->sh_offset))
		return 0;
	return object_refuse(f, -EINVAL,
		"is cut short: section %u ends at byte %llu, the file at %llu; "
		"compile or copy it again",
		i, (unsigned long long)(s->sh_offset + s->sh_size), (unsigned long long)f->len);
}

static int check_extents(const struct object_file *f)
{
	u64 zeroes = 0;
	int err = 0;

	for (u32 i = 0; i < f->sec_cnt && !err; i++) {
		const Elf64_Shdr *s = &f->secs[i];

		if (s->sh_type == SHT_NOBITS) {
			if (s->sh_size > ZEROES_MAX - zeroes)
				return object_too_large(f,
					"section %u asks for %llu bytes of zeroes (limit %u)", i,
					(unsigned long long)s->sh_size, ZEROES_MAX);
			zeroes += s->sh_size;
		}
		err = check_extent(f, i);
	}
	if (err)
		return err;
	if (f->secs[0].sh_type != SHT_NULL || f->secs[0].sh_flags)
		return object_bad(f, "its section 0 is in use");
	return 0;
}

/* A table of texts, the last of which ends in it. */
static bool is_strings(const struct object_file *f, u32 idx)
{
	const Elf64_Shdr *s = &f->secs[idx];

	return idx && s->sh_type == SHT_STRTAB && !(s->sh_flags & SHF_COMPRESSED) && s->sh_size &&
	       !f->data[s->sh_offset + s->sh_size - 1];
}

const char *object_sec_name(const struct object_file *f, u32 idx)
{
	return (const char *)f->data + f->secs[f->names_idx].sh_offset + f->secs[idx].sh_name;
}

bool object_is_code(const struct object_file *f, u32 idx)
{
	const Elf64_Shdr *s = &f->secs[idx];

	return s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR && s->sh_size;
}

u32 object_find_sec(const struct object_file *f, const char *name)
{
	for (u32 i = 1; i < f->sec_cnt; i++)
		if (!strcmp(object_sec_name(f, i), name))
			return i;
	return 0;
}

static int check_names(struct object_file *f, u32 names_idx)
{
	if (names_idx >= f->sec_cnt || !is_strings(f, names_idx))
		return object_bad(f, "the names of its sections are no texts");
	f->names_idx = names_idx;
	for (u32 i = 0; i < f->sec_cnt; i++)
		if (f->secs[i].sh_name >= f->secs[names_idx].sh_size)
			return object_bad(f, "section %u has a name that is not in the file", i);
	return 0;
}

/* Sections that libbpf knows by name; of two it would take the last here and the first there. */
static int find_known(struct object_file *f)
{
	const struct {
		const char *name;
		u32 *idx;
	} known[] = {{".text", &f->text_idx}, {".maps", &f->maps_idx}, {".struct_ops", &f->ops_idx},
		{".BTF", &f->btf_idx}, {".BTF.ext", &f->ext_idx}};

	for (u32 i = 1; i < f->sec_cnt; i++) {
		const char *name = object_sec_name(f, i);

		for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
			if (strcmp(name, known[k].name))
				continue;
			if (*known[k].idx)
				return object_bad(f, "it has two sections %s", name);
			if (f->secs[i].sh_type != SHT_PROGBITS)
				return object_bad(f, "its section %s has no content", name);
			*known[k].idx = i;
		}
	}
	return 0;
}

static int find_symbols(struct object_file *f)
{
	for (u32 i = 1; i < f->sec_cnt; i++) {
		const Elf64_Shdr *s = &f->secs[i];

		if (s->sh_type != SHT_SYMTAB)
			continue;
		if (f->sym_idx)
			return object_bad(f, "it has two symbol tables");
		if (s->sh_entsize != sizeof(Elf64_Sym) || s->sh_size % sizeof(Elf64_Sym))
			return object_bad(f, "its symbol table holds no whole symbols");
		if (s->sh_link >= f->sec_cnt || !is_strings(f, s->sh_link))
			return object_bad(f, "the names of its symbols are no texts");
		f->sym_idx = i;
		f->str_idx = s->sh_link;
	}
	if (!f->sym_idx)
		return object_refuse(f, -EINVAL,
			"has no symbols, so that nothing in it can be named: do not strip it "
			"(llvm-strip -g keeps them)");
	return 0;
}

static int check_elf(struct object_file *f)
{
	Elf64_Ehdr head = {0};
	int err;

	memcpy(&head, f->data, MIN(f->len, sizeof(head)));
	err = check_head(f, &head);
	if (!err)
		err = read_table(f, &head);
	if (!err)
		err = check_extents(f);
	if (!err)
		err = check_names(f, head.e_shstrndx);
	if (!err)
		err = find_known(f);
	if (!err)
		err = find_symbols(f);
	if (!err && f->btf_idx) {
		f->btf_data = f->data + f->secs[f->btf_idx].sh_offset;
		f->btf_len = f->secs[f->btf_idx].sh_size;
	}
	return err;
}

int object_check(const char *path, const void *data, size_t len, struct port_text *err)
{
	static int (*const steps[])(struct object_file *) = {check_elf, object_check_syms,
		object_check_relocs, object_check_btf, object_check_btf_ext, object_check_data,
		object_check_work};
	struct object_file f = {.path = path, .err = err, .data = data, .len = len};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && !ret; i++)
		ret = steps[i](&f);
	object_btf_done(&f.btf);
	mem_free(f.funcs);
	mem_free(f.secs);
	return ret;
}

/* Where the types of an ELF file of 64 bits are, whatever it was made for: 0, or -ENOENT. */
static int find_types(struct object_file *f)
{
	Elf64_Ehdr head;
	int err;

	if (f->len < sizeof(head))
		return -ENOENT;
	memcpy(&head, f->data, sizeof(head));
	if (memcmp(f->data, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
		head.e_ident[EI_DATA] != ELFDATA2LSB || !head.e_shoff || !head.e_shnum ||
		head.e_shentsize != sizeof(Elf64_Shdr))
		return -ENOENT;
	err = read_table(f, &head);
	for (u32 i = 0; i < f->sec_cnt && !err; i++)
		err = check_extent(f, i);
	if (!err)
		err = check_names(f, head.e_shstrndx);
	if (!err && !(f->btf_idx = object_find_sec(f, ".BTF")))
		err = -ENOENT;
	if (!err && f->secs[f->btf_idx].sh_type == SHT_NOBITS)
		err = -ENOENT;
	return err;
}

int object_check_types(const char *path, const void *data, size_t len, const void **ret_btf,
	u32 *ret_len, struct port_text *err)
{
	struct object_file f = {.path = path, .err = err, .data = data, .len = len};
	u16 magic = 0;
	int ret = 0;

	memcpy(&magic, data, MIN(len, sizeof(magic)));
	if (magic == BTF_MAGIC) {
		f.btf_data = data;
		f.btf_len = len;
	} else {
		ret = find_types(&f);
		if (!ret) {
			f.btf_data = f.data + f.secs[f.btf_idx].sh_offset;
			f.btf_len = f.secs[f.btf_idx].sh_size;
		}
	}
	if (!ret)
		ret = object_check_btf(&f);
	if (!ret)
		ret = object_check_ptrs(&f);
	if (!ret) {
		*ret_btf = f.btf_data;
		*ret_len = (u32)f.btf_len;
	}
	object_btf_done(&f.btf);
	mem_free(f.secs);
	return ret;
}
