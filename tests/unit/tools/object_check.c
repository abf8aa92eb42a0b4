/*
 * An object that libbpf opens, and what becomes of it when one number in it is another: the command
 * says what is wrong, and libbpf never sees it.
 */
#include <elf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h" /* before cmocka.h, which makes a macro of its fail() */

#include <cmocka.h>

#include "base/mem.h"
#include "object.h"
#include "object/check.h"

/* Texts of sections and symbols, of BTF and its records: one table for all. */
#define NAMES(X)                                                                                   \
	X(STRTAB, ".strtab")                                                                       \
	X(SYMTAB, ".symtab")                                                                       \
	X(TEXT, ".text")                                                                           \
	X(XDP, "xdp")                                                                              \
	X(RELXDP, ".relxdp")                                                                       \
	X(MAPS, ".maps")                                                                           \
	X(BTF, ".BTF")                                                                             \
	X(BTF_EXT, ".BTF.ext")                                                                     \
	X(BSS, ".bss")                                                                             \
	X(KCONFIG, ".kconfig")                                                                     \
	X(SUB, "sub")                                                                              \
	X(PROG, "prog")                                                                            \
	X(MAP, "map")                                                                              \
	X(VERSION, "LINUX_KERNEL_VERSION")                                                         \
	X(INT, "int")                                                                              \
	X(TYPE, "type")                                                                            \
	X(KEY_SIZE, "key_size")                                                                    \
	X(VALUE_SIZE, "value_size")                                                                \
	X(MAX_ENTRIES, "max_entries")                                                              \
	X(BITS, "bits")                                                                            \
	X(ACCESS, "0:0")                                                                           \
	X(NEGATIVE, "0:-1")                                                                        \
	X(SLASH, "a/b")                                                                            \
	X(OPS, ".struct_ops")

struct names {
	char none[1];
#define X(id, text) char id[sizeof(text)];
	NAMES(X)
#undef X
};
#define NAME(id) offsetof(struct names, id)

enum {
	S_NULL,
	S_STRTAB,
	S_TEXT,
	S_XDP,
	S_RELXDP,
	S_MAPS,
	S_BTF,
	S_BTF_EXT,
	S_SYMTAB,
	S_BSS,
	S_CNT
};
enum { SYM_NULL, SYM_SUB, SYM_PROG, SYM_MAP, SYM_VERSION, SYM_CNT };
enum {
	T_VOID,
	T_INT,
	T_ARRAY,
	T_PTR,
	T_MAP,
	T_MAP_VAR,
	T_MAPS,
	T_PROTO,
	T_FUNC,
	T_VERSION,
	T_KCONFIG,
	T_TYPEDEF,
	T_BITS,
	T_CNT
};
#define INFO(kind, vlen) (BTF_KIND_##kind << 24 | (vlen))

struct types {
	struct btf_type integer;
	u32 int_data;
	struct btf_type array;
	struct btf_array array_data;
	struct btf_type ptr, map;
	struct btf_member map_members[4];
	struct btf_type map_var;
	u32 map_linkage;
	struct btf_type maps;
	struct btf_var_secinfo maps_map;
	struct btf_type proto, func, version;
	u32 version_linkage;
	struct btf_type kconfig;
	struct btf_var_secinfo kconfig_version;
	struct btf_type type_def, bits;
	struct btf_member bits_bits;
};

struct seg {
	u32 rec_len, name, cnt;
};

struct image {
	Elf64_Ehdr head;
	struct bpf_insn sub[2], prog[5];
	Elf64_Rel relos[2];
	u64 maps[4];
	struct {
		struct btf_header head;
		struct types types;
		struct names names;
	} btf __attribute__((aligned(8)));
	struct {
		u32 head[8];
		struct seg func_seg;
		u32 func[2];
		struct seg line_seg;
		u32 line[4];
		struct seg core_seg;
		u32 core[4];
	} ext __attribute__((aligned(8)));
	Elf64_Sym syms[SYM_CNT];
	struct names names;
	Elf64_Shdr secs[S_CNT] __attribute__((aligned(8)));
};

static const struct names names = {
#define X(id, text) .id = text,
	NAMES(X)
#undef X
};

#define AT(field)     offsetof(struct image, field)
#define LEN(field)    sizeof(((struct image *)0)->field)
#define PLACE(field)  .sh_offset = AT(field), .sh_size = LEN(field)
#define EXT_AT(field) (AT(ext.field) - AT(ext.func_seg))
#define EXT_LEN(a, b) (AT(ext.a) - AT(ext.b))

static const struct image good = {
	.head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = EM_BPF,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shoff = AT(secs),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = S_CNT,
		.e_shstrndx = S_STRTAB},
	.sub = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}},
	.prog = {{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1}, {0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT}},
	.relos = {{.r_offset = 0, .r_info = ELF64_R_INFO(SYM_MAP, 1)},
		{.r_offset = 24, .r_info = ELF64_R_INFO(SYM_SUB, 10)}},
	.btf.head = {.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(struct btf_header),
		.type_len = sizeof(struct types),
		.str_off = sizeof(struct types),
		.str_len = sizeof(struct names)},
	.btf.types = {.integer = {NAME(INT), INFO(INT, 0), {4}},
		.int_data = BTF_INT_SIGNED << 24 | 32,
		.array = {0, INFO(ARRAY, 0), {0}},
		.array_data = {T_INT, T_INT, BPF_MAP_TYPE_PERF_EVENT_ARRAY},
		.ptr = {0, INFO(PTR, 0), {T_ARRAY}},
		.map = {NAME(MAP), INFO(STRUCT, 4), {32}},
		.map_members = {{NAME(TYPE), T_PTR, 0}, {NAME(KEY_SIZE), T_PTR, 64},
			{NAME(VALUE_SIZE), T_PTR, 128}, {NAME(MAX_ENTRIES), T_PTR, 192}},
		.map_var = {NAME(MAP), INFO(VAR, 0), {T_MAP}},
		.map_linkage = BTF_VAR_GLOBAL_ALLOCATED,
		.maps = {NAME(MAPS), INFO(DATASEC, 1), {0}},
		.maps_map = {T_MAP_VAR, 0, 32},
		.proto = {0, INFO(FUNC_PROTO, 0), {T_INT}},
		.func = {NAME(PROG), INFO(FUNC, BTF_FUNC_GLOBAL), {T_PROTO}},
		.version = {NAME(VERSION), INFO(VAR, 0), {T_INT}},
		.version_linkage = BTF_VAR_GLOBAL_EXTERN,
		.kconfig = {NAME(KCONFIG), INFO(DATASEC, 1), {0}},
		.kconfig_version = {T_VERSION, 0, 4},
		.type_def = {NAME(TYPE), INFO(TYPEDEF, 0), {T_INT}},
		.bits = {NAME(BITS), INFO(STRUCT, 1) | 1u << 31, {4}},
		.bits_bits = {NAME(BITS), T_TYPEDEF, 7 << 24 | 3}},
	.ext.head = {BTF_MAGIC | BTF_VERSION << 16, sizeof(((struct image *)0)->ext.head),
		EXT_AT(func_seg), EXT_LEN(line_seg, func_seg), EXT_AT(line_seg),
		EXT_LEN(core_seg, line_seg), EXT_AT(core_seg), LEN(ext.core_seg) + LEN(ext.core)},
	.ext.func_seg = {8, NAME(XDP), 1},
	.ext.func = {0, T_FUNC},
	.ext.line_seg = {16, NAME(XDP), 1},
	.ext.line = {0, NAME(XDP), NAME(XDP), 1 << 10},
	.ext.core_seg = {16, NAME(XDP), 1},
	.ext.core = {16, T_MAP, NAME(ACCESS), 0},
	.syms = {[SYM_SUB] = {NAME(SUB), STB_GLOBAL << 4 | STT_FUNC, 0, S_TEXT, 0, 16},
		[SYM_PROG] = {NAME(PROG), STB_GLOBAL << 4 | STT_FUNC, 0, S_XDP, 0, 40},
		[SYM_MAP] = {NAME(MAP), STB_GLOBAL << 4 | STT_OBJECT, 0, S_MAPS, 0, 32},
		[SYM_VERSION] = {NAME(VERSION), STB_GLOBAL << 4 | STT_NOTYPE, 0, SHN_UNDEF, 0, 0}},
	.secs = {[S_STRTAB] = {NAME(STRTAB), SHT_STRTAB, PLACE(names)},
		[S_TEXT] = {NAME(TEXT), SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, PLACE(sub)},
		[S_XDP] = {NAME(XDP), SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, PLACE(prog)},
		[S_RELXDP] = {NAME(RELXDP), SHT_REL, PLACE(relos), .sh_link = S_SYMTAB,
			.sh_info = S_XDP, .sh_entsize = sizeof(Elf64_Rel)},
		[S_MAPS] = {NAME(MAPS), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, PLACE(maps)},
		[S_BTF] = {NAME(BTF), SHT_PROGBITS, .sh_offset = AT(btf),
			.sh_size = AT(btf.names) + LEN(names) - AT(btf)},
		[S_BTF_EXT] = {NAME(BTF_EXT), SHT_PROGBITS, PLACE(ext)},
		[S_SYMTAB] = {NAME(SYMTAB), SHT_SYMTAB, PLACE(syms), .sh_link = S_STRTAB,
			.sh_info = 1, .sh_entsize = sizeof(Elf64_Sym)},
		[S_BSS] = {NAME(BSS), SHT_NOBITS, SHF_ALLOC | SHF_WRITE, .sh_size = 8}},
};

static struct image make_good(void)
{
	struct image image = good;

	image.names = names;
	image.btf.names = names;
	return image;
}

static struct bpf_object *open_image(const struct image *image)
{
	char path[] = "/tmp/skep-unit-XXXXXX";
	struct port_text text = {0};
	struct bpf_object *object;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(*image)), sizeof(*image));
	close(fd);
	if (object_try_open(path, &object, &text))
		fail_msg("%s", text.text);
	unlink(path);
	return object;
}

static void an_object_that_is_sound_opens(void **state)
{
	struct image image = make_good();
	struct bpf_object *object = open_image(&image);

	assert_non_null(bpf_object__find_program_by_name(object, "prog"));
	assert_non_null(bpf_object__find_map_by_name(object, "map"));
	/* named as the file is */
	assert_memory_equal(bpf_object__name(object), "skep-unit-", 10);
	bpf_object__close(object);
}

/* One number of the image, and what is said when it is `value`. */
struct row {
	size_t at, len;
	u64 value;
	const char *words;
};
#define ROW(field, value, words)                                                                   \
	{                                                                                          \
		AT(field), LEN(field), (u64)(value), words                                         \
	}
#define ONE(type, field, value, words)                                                             \
	{                                                                                          \
		AT(btf.types) + offsetof(struct types, field) + offsetof(struct btf_type, type),   \
			4, (u64)(value), words                                                     \
	}

static const struct row rows[] = {
	/* header and sections */
	ROW(head.e_shnum, 0, "has no sections"),
	ROW(head.e_shnum, 9999, "is cut short: its section table ends"),
	ROW(head.e_shoff, 100000, "is cut short: its section table ends"),
	ROW(head.e_shstrndx, S_MAPS, "the names of its sections are no texts"),
	ROW(head.e_shstrndx, 0xffff, "the names of its sections are no texts"),
	ROW(secs[0].sh_type, SHT_NOTE, "its section 0 is in use"),
	ROW(secs[S_STRTAB].sh_size, LEN(names) - 1, "the names of its sections are no texts"),
	ROW(secs[S_STRTAB].sh_flags, SHF_COMPRESSED, "the names of its sections are no texts"),
	ROW(secs[S_MAPS].sh_name, 4000, "section 5 has a name that is not in the file"),
	ROW(secs[S_MAPS].sh_name, NAME(BTF), "it has two sections .BTF"),
	ROW(secs[S_MAPS].sh_type, SHT_NOBITS, "its section .maps has no content"),
	ROW(secs[S_MAPS].sh_size, UINT64_MAX - 8, "is cut short: section 5"),
	ROW(secs[S_BSS].sh_size, 1ULL << 40,
		"is too large: section 9 asks for 1099511627776 bytes"),
	ROW(secs[S_SYMTAB].sh_type, SHT_PROGBITS, "has no symbols"),
	ROW(secs[S_SYMTAB].sh_entsize, 16, "its symbol table holds no whole symbols"),
	ROW(secs[S_SYMTAB].sh_link, S_CNT, "the names of its symbols are no texts"),
	ROW(secs[S_RELXDP].sh_type, SHT_SYMTAB, "its symbol table holds no whole symbols"),
	/* symbols */
	ROW(syms[SYM_MAP].st_name, 4000, "symbol 3 has a name that is not in the file"),
	ROW(syms[SYM_MAP].st_shndx, S_CNT, "symbol map is in section 10 of 10"),
	ROW(syms[SYM_MAP].st_value, 4, "symbol map lies outside of its section .maps"),
	ROW(syms[SYM_PROG].st_value, -8, "symbol prog lies outside of its section xdp"),
	ROW(syms[SYM_PROG].st_size, -8, "symbol prog lies outside of its section xdp"),
	ROW(syms[SYM_PROG].st_size, 8, "function prog ends in the middle of an instruction"),
	/* relocations */
	ROW(secs[S_RELXDP].sh_entsize, 24, "section .relxdp holds no whole relocations"),
	ROW(secs[S_RELXDP].sh_link, S_MAPS, "section .relxdp is for no section that has content"),
	ROW(relos[1].r_offset, 12, "relocation 1 of section xdp is for byte 12 of 40"),
	ROW(relos[1].r_offset, 40, "relocation 1 of section xdp is for byte 40 of 40"),
	ROW(relos[1].r_offset, -8, "relocation 1 of section xdp is for byte 18446744073709551608"),
	ROW(relos[1].r_info, 7ULL << 32, "relocation 1 of section xdp is against symbol 7 of 5"),
	ROW(secs[S_RELXDP].sh_size, 0, "function prog calls another without a relocation"),
	/* BTF: its parts */
	ROW(btf.head.magic, 0x9feb, "its BTF is of another version or byte order"),
	ROW(btf.head.hdr_len, 20, "its BTF has a header of 20 bytes"),
	ROW(btf.head.hdr_len, 1 << 20, "its BTF has a header of 1048576 bytes"),
	ROW(btf.head.str_len, 1 << 20, "its BTF has types or texts past its end"),
	ROW(btf.head.type_len, -1, "its BTF has types or texts past its end"),
	ROW(btf.head.str_len, LEN(names) - 1, "the names in its BTF are no texts"),
	ROW(btf.head.type_len, LEN(btf.types) - 4, "type 12 of its BTF is cut short"),
	ROW(btf.head.type_len, 0, "its BTF has no types"),
	ROW(secs[S_BTF].sh_size, 8, "its BTF is shorter than a header"),
	/* BTF: types */
	ONE(info, integer, INFO(ENUM64, 0) | 31u << 24,
		"has a type of kind 31 in its BTF (number 1)"),
	ONE(info, bits, INFO(STRUCT, 900), "type 12 of its BTF is cut short"),
	ONE(name_off, func, 4000, "type 8 of its BTF has a name at byte 4000 of"),
	ONE(type, ptr, 70,
		"is malformed: type 3 of its BTF refers to type 70 of 12; compile it again"),
	ONE(type, map_var, 13, "type 5 of its BTF refers to type 13 of 12"),
	ONE(type, func, T_INT, "function prog in its BTF has type 1, which is no prototype"),
	ONE(type, type_def, T_TYPEDEF, "type 11 of its BTF contains itself"),
	ROW(btf.types.array_data.type, 70, "type 2 of its BTF refers to type 70"),
	ROW(btf.types.array_data.index_type, 70, "type 2 of its BTF refers to type 70"),
	ROW(btf.types.array_data.type, T_ARRAY, "type 2 of its BTF contains itself"),
	ROW(btf.types.map_members[0].type, 70, "type 4 of its BTF refers to type 70"),
	ROW(btf.types.map_members[0].type, T_MAP, "type 4 of its BTF contains itself"),
	ROW(btf.types.map_members[0].name_off, 4000, "type 4 of its BTF has a name at byte 4000"),
	ROW(btf.types.map_members[0].offset, 256 - 8,
		"member type of type 4 of its BTF is outside of it"),
	ROW(btf.types.bits_bits.type, T_PTR,
		"member bits of type 12 of its BTF has bits of no number"),
	ROW(btf.types.bits_bits.offset, 7 << 24 | 26,
		"member bits of type 12 of its BTF is outside"),
	ONE(size, integer, 17, "type 1 of its BTF is a number of 17 bytes"),
	ONE(size, integer, 0, "member bits of type 12 of its BTF is of no size"),
	/* BTF: sections of variables */
	ROW(btf.types.maps_map.type, 70, "type 6 of its BTF refers to type 70"),
	ROW(btf.types.maps_map.type, T_PTR, "section .maps has type 3 of its BTF in it"),
	ROW(btf.types.kconfig_version.type, T_FUNC, "section .kconfig has type 8 of its BTF in it"),
	ONE(name_off, kconfig, NAME(MAPS), "its BTF has section .maps twice"),
	ONE(size, maps, 4, "map lies outside of its section .maps in its BTF"),
	ONE(name_off, map_var, 0, "a map in it is named \"\""),
	ONE(name_off, map_var, NAME(SLASH), "a map in it is named \"a/b\""),
	ONE(type, map_var, T_INT, "map map is not described by a struct"),
	ROW(btf.types.array_data.nelems, 26, "has map map of type struct_ops in .maps"),
	ONE(type, version, T_MAP,
		"has the .kconfig variable LINUX_KERNEL_VERSION of a type that no setting has"),
	/* .BTF.ext */
	ROW(secs[S_BTF_EXT].sh_size, 20, "its .BTF.ext is shorter than a header"),
	ROW(ext.head[0], 0, "its .BTF.ext is of another version"),
	ROW(ext.head[1], 1 << 20, "its .BTF.ext has a header of 1048576 bytes"),
	ROW(ext.head[5], 1 << 20, "its line information is cut short"),
	ROW(ext.head[4], -4, "its line information is cut short"),
	ROW(ext.func_seg.rec_len, 4, "its function information has records of 4 bytes"),
	ROW(ext.func_seg.cnt, -1, "its function information is cut short"),
	ROW(ext.func_seg.name, 4000, "its function information has a text at byte 4000"),
	ROW(ext.func[0], 4, "its function information is for byte 4 of 40 of section xdp"),
	ROW(ext.func[0], 40, "its function information is for byte 40 of 40 of section xdp"),
	ROW(ext.func[1], 70, "its function information refers to type 70 of 12"),
	ROW(ext.line[1], 4000, "its line information has a text at byte 4000"),
	ROW(ext.line[2], 4000, "its line information has a text at byte 4000"),
	ROW(ext.core[1], 70, "its CO-RE information refers to type 70 of 12"),
	ROW(ext.core[2], 4000, "its CO-RE information has a text at byte 4000"),
	ROW(ext.core[2], NAME(NEGATIVE),
		"its CO-RE information asks for member \"0:-1\" of type 4"),
	ROW(ext.core[2], NAME(XDP), "its CO-RE information asks for member \"xdp\" of type 4"),
};

static void what_is_malformed_is_told(void **state)
{
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image image = make_good();
		struct port_text text = {0};

		memcpy((u8 *)&image + rows[i].at, &rows[i].value, rows[i].len);
		if (object_check("a.o", &image, sizeof(image), &text) >= 0 ||
			!strstr(text.text, rows[i].words) || strncmp(text.text, "a.o ", 4)) {
			print_error("'%s' does not say '%s'\n", text.text, rows[i].words);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* Cut anywhere, the object is refused and nothing is read that is not there. */
static void a_cut_object_is_refused_wherever_it_is_cut(void **state)
{
	struct image image = make_good();

	for (size_t len = 0; len < sizeof(image); len++) {
		struct port_text text = {0};
		u8 *data = mem_dup(&image, len);

		assert_non_null(data);
		if (object_check("a.o", data, len, &text) >= 0 || !text.text[0])
			fail_msg("%zu bytes are taken for an object", len);
		mem_free(data);
	}
}

/* Its only function is in .text and calls: it can only call itself, which libbpf does not survive. */
static void a_lone_function_that_calls_itself_is_refused(void **state)
{
	struct image image = make_good();
	struct port_text text = {0};

	image.syms[SYM_PROG].st_info = STB_GLOBAL << 4 | STT_OBJECT;
	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), 0);
	image.sub[0] = (struct bpf_insn){
		.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = -1};
	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), -EINVAL);
	assert_non_null(strstr(text.text, "has one function, sub, which calls itself"));
}

/* Its extern variable becomes one in .struct_ops; CO-RE would have the kernel's types read, so there is none. */
static struct image make_ops(void)
{
	struct image image = make_good();

	image.ext.head[7] = 0;
	image.syms[SYM_VERSION].st_shndx = SHN_ABS;
	image.btf.types.version_linkage = BTF_VAR_STATIC;
	image.btf.types.version.type = T_BITS;
	image.btf.types.kconfig.name_off = NAME(OPS);
	image.secs[S_BSS] = (Elf64_Shdr){
		NAME(OPS), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, PLACE(maps)};
	return image;
}

static void struct_ops_end_in_their_section(void **state)
{
	struct image image = make_ops();
	struct port_text text = {0};

	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), 0);
	image.btf.types.kconfig_version.offset = UINT32_MAX - 1;
	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), -EINVAL);
	assert_non_null(strstr(text.text, "ends past the end of section .struct_ops"));
}

/* libbpf would look for the map in the kernel's types, which it reads for such programs only. */
static void struct_ops_without_their_programs_are_not_loaded(void **state)
{
	struct image image = make_ops();
	struct bpf_object *object = open_image(&image);

	out_bpf_forget(NULL);
	assert_int_equal(object_load(object), -EOPNOTSUPP);
	assert_non_null(strstr(out_bpf_text(NULL), "struct_ops map LINUX_KERNEL_VERSION needs"));
	out_bpf_done(NULL);
	bpf_object__close(object);
}

static void expect_types(const void *data, size_t len, int want, const char *words)
{
	struct port_text text = {0};
	const void *types = NULL;
	u32 types_len = 0;

	assert_int_equal(object_check_types("a.o", data, len, &types, &types_len, &text), want);
	if (!strstr(text.text, words))
		fail_msg("'%s' does not say '%s'", text.text, words);
	if (!want)
		assert_int_equal(types_len, AT(btf.names) + LEN(names) - AT(btf));
}

static void types_are_found_in_any_elf_file_and_alone(void **state)
{
	struct image image = make_good();
	size_t len = AT(btf.names) + LEN(names) - AT(btf);

	image.head.e_machine = EM_X86_64;
	image.secs[S_SYMTAB].sh_type = SHT_PROGBITS;
	expect_types(&image, sizeof(image), 0, "");
	expect_types(&image.btf, len, 0, "");
	expect_types(&image.btf, len - 1, -EINVAL, "its BTF has types or texts past its end");
	expect_types("text", 4, -ENOENT, "");
	image.secs[S_BTF].sh_name = NAME(BSS);
	expect_types(&image, sizeof(image), -ENOENT, "");
	image.secs[S_BTF].sh_size = UINT64_MAX;
	expect_types(&image, sizeof(image), -EINVAL, "is cut short: section 6");
}

/* As no C can say it: a pointer to itself, without a struct in between that has a name. */
static void types_that_cannot_be_written_are_refused_for_that_alone(void **state)
{
	struct image image = make_good();
	struct port_text text = {0};

	image.btf.types.type_def.type = T_PTR;
	image.btf.types.bits_bits = (struct btf_member){0};
	image.btf.types.ptr.type = T_TYPEDEF;
	image.btf.types.bits.size = 8;
	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), 0);
	expect_types(&image, sizeof(image), -EINVAL, "of its BTF contains itself");
	image.btf.types.bits_bits.type = T_PTR;
	image.btf.types.ptr.type = T_BITS; /* a struct with a name */
	expect_types(&image, sizeof(image), 0, "");

	image.btf.types.bits.size = 1 << 26;
	expect_types(&image, sizeof(image), -E2BIG, "type 12 of its BTF is nothing but padding");
	image.btf.types.bits.size = UINT32_MAX;
	expect_types(&image, sizeof(image), -E2BIG, "type 12 of its BTF has 4294967295 bytes");
	image = make_good();
	image.btf.types.bits.info = INFO(STRUCT, 1);
	image.btf.types.bits_bits.offset = 0;
	image.btf.types.int_data = 0;
	image.btf.types.integer.size = 0;
	assert_int_equal(object_check("a.o", &image, sizeof(image), &text), 0);
	expect_types(
		&image, sizeof(image), -EINVAL, "member bits of type 12 of its BTF is no value");
}

static void no_failing_allocation_is_overlooked(void **state)
{
	struct image image = make_good();

	for (u64 nth = 1;; nth++) {
		struct port_text text = {0};
		int err;

		mem_fail_at(nth);
		err = object_check("a.o", &image, sizeof(image), &text);
		if (!mem_did_fail()) {
			mem_fail_at(0);
			assert_int_equal(err, 0);
			return;
		}
		assert_int_equal(err, -ENOMEM);
		assert_non_null(strstr(text.text, "not enough memory"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_that_is_sound_opens),
		cmocka_unit_test(what_is_malformed_is_told),
		cmocka_unit_test(a_cut_object_is_refused_wherever_it_is_cut),
		cmocka_unit_test(a_lone_function_that_calls_itself_is_refused),
		cmocka_unit_test(struct_ops_end_in_their_section),
		cmocka_unit_test(struct_ops_without_their_programs_are_not_loaded),
		cmocka_unit_test(types_are_found_in_any_elf_file_and_alone),
		cmocka_unit_test(types_that_cannot_be_written_are_refused_for_that_alone),
		cmocka_unit_test(no_failing_allocation_is_overlooked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
