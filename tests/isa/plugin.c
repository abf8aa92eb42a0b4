/*
 * The program under test of the RFC 9669 conformance runner (bpf_conformance's plugin protocol).
 *
 *	skep-plugin [MEM] [--jit | --checked | --checked-jit] [--elf] < PROGRAM
 *
 * MEM is two-digit hexadecimal bytes separated by blanks; the program sees its address in r1 (0 without)
 * and its length in r2. PROGRAM is hexadecimal too: raw instructions, or with --elf an ELF object whose
 * section .text has the function main. Prints r0 in hexadecimal and exits with 0; on failure prints the
 * reason on standard error and exits with 1 (2 for a wrong command line).
 *
 * Programs come unverified: their form is checked here; only --checked also checks what they touch.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/inst.h"
#include "interp/interp.h"
#include "isa/isa.h"
#include "jit/jit.h"

enum {
	PROLOGUE_CNT = 2, /* slots before the program: r2 = length, and a jump to the entry */
	CHECKED_BUDGET = 1 << 26,
	HELPER_CNT = 16,
	HELPER_UNWIND = 5, /* the public suite's number for it */
};

enum engine { ENGINE_INTERP, ENGINE_CHECKED, ENGINE_CHECKED_JIT, ENGINE_JIT };

struct options {
	const char *mem;
	enum engine engine;
	bool is_elf;
};

struct bytes {
	u8 *data;
	size_t len;
};

static int fail(const char *what, const char *detail)
{
	fprintf(stderr, "%s%s%s\n", what, *detail ? ": " : "", detail);
	return 1;
}

/* In ubpf an unwinding call ends the program when it returns 0; the suite needs one that does not. */
static u64 unwind(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return r1;
}

static const struct hlp_proto unwind_proto = {
	.id = HELPER_UNWIND,
	.name = "unwind",
	.fn = unwind,
	.ret = HLP_RET_INTEGER,
	.args = {HLP_ANYTHING},
};

static const struct hlp_proto *const helpers[HELPER_CNT] = {[HELPER_UNWIND] = &unwind_proto};

/* ---- input ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_bytes(const char *text, struct bytes *ret_bytes)
{
	u8 *data = mem_alloc(strlen(text) / 2 + 1);
	size_t len = 0;
	int high, low;

	if (!data)
		return -ENOMEM;
	while (*text) {
		if (is_blank(*text)) {
			text++;
			continue;
		}
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0) {
			mem_free(data);
			return -EINVAL;
		}
		data[len++] = (u8)(high << 4 | low);
		text += 2;
	}
	*ret_bytes = (struct bytes){data, len};
	return 0;
}

static int read_bytes(FILE *file, struct bytes *ret_bytes)
{
	struct buf text = BUF_INIT;
	char chunk[4096];
	size_t len;
	int err;

	while ((len = fread(chunk, 1, sizeof(chunk), file)))
		buf_add(&text, chunk, len);
	err = text.err ? text.err : parse_bytes(buf_text(&text), ret_bytes);
	buf_done(&text);
	return err;
}

/* ---- ELF: section .text and symbol main, every offset checked against the file ---- */

struct elf {
	const struct bytes *file;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *sections;
};

static bool is_in_file(const struct elf *elf, u64 off, u64 len)
{
	return off <= elf->file->len && len <= elf->file->len - off;
}

/* A NUL-terminated name in string section idx, or "". */
static const char *elf_string(const struct elf *elf, u32 idx, u64 off)
{
	const Elf64_Shdr *strings;
	const char *text;

	if (idx >= elf->head->e_shnum)
		return "";
	strings = &elf->sections[idx];
	if (off >= strings->sh_size || !is_in_file(elf, strings->sh_offset, strings->sh_size))
		return "";
	text = (const char *)elf->file->data + strings->sh_offset + off;
	return memchr(text, 0, strings->sh_size - off) ? text : "";
}

static const Elf64_Shdr *find_section(const struct elf *elf, u32 type, const char *name)
{
	const Elf64_Shdr *section;

	for (u32 i = 0; i < elf->head->e_shnum; i++) {
		section = &elf->sections[i];
		if (section->sh_type == type &&
			is_in_file(elf, section->sh_offset, section->sh_size) &&
			(!name || !strcmp(elf_string(elf, elf->head->e_shstrndx, section->sh_name),
					  name)))
			return section;
	}
	return NULL;
}

static int open_elf(const struct bytes *file, struct elf *elf)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)file->data;

	*elf = (struct elf){.file = file, .head = head};
	if (file->len < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG) ||
		head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
		head->e_machine != EM_BPF)
		return fail("not a little-endian ELF64 object for BPF", "");
	if (head->e_shentsize != sizeof(Elf64_Shdr) || head->e_shoff % 8 ||
		!is_in_file(elf, head->e_shoff, (u64)head->e_shnum * sizeof(Elf64_Shdr)))
		return fail("the ELF object's section table is cut", "");
	elf->sections = (const Elf64_Shdr *)(file->data + head->e_shoff);
	return 0;
}

/* The slot of .text where main starts. */
static int find_main(const struct elf *elf, const Elf64_Shdr *text, u32 *ret_entry)
{
	const Elf64_Shdr *table = find_section(elf, SHT_SYMTAB, NULL);
	Elf64_Sym symbol;

	for (u64 off = 0; table && off + sizeof(symbol) <= table->sh_size; off += sizeof(symbol)) {
		memcpy(&symbol, elf->file->data + table->sh_offset + off, sizeof(symbol));
		if (symbol.st_shndx != text - elf->sections ||
			strcmp(elf_string(elf, table->sh_link, symbol.st_name), "main"))
			continue;
		if (symbol.st_value % sizeof(struct bpf_insn) || symbol.st_value >= text->sh_size)
			return fail("main lies outside of .text", "");
		*ret_entry = (u32)(symbol.st_value / sizeof(struct bpf_insn));
		return 0;
	}
	return fail("the ELF object has no function main in .text", "");
}

/* Replaces the file by the content of its .text. */
static int take_elf(struct bytes *file, u32 *ret_entry)
{
	const Elf64_Shdr *text, *relocations;
	struct elf elf;
	int err = open_elf(file, &elf);

	if (err)
		return err;
	text = find_section(&elf, SHT_PROGBITS, ".text");
	if (!text)
		return fail("the ELF object has no section .text", "");
	relocations = find_section(&elf, SHT_REL, ".rel.text");
	if (relocations && relocations->sh_size)
		return fail("the ELF object has relocations in .text; link it first", "");
	err = find_main(&elf, text, ret_entry);
	if (err)
		return err;
	file->len = text->sh_size;
	memmove(file->data, file->data + text->sh_offset, file->len);
	return 0;
}

/* ---- the program ---- */

static int add_sub(struct prog_code *code, u32 start)
{
	u32 at = code->sub_cnt;

	for (u32 i = 0; i < code->sub_cnt; i++)
		if (code->subs[i].start == start)
			return 0;
	if (at == PROG_SUB_MAX)
		return fail("too many functions", "");
	for (; at && code->subs[at - 1].start > start; at--)
		code->subs[at] = code->subs[at - 1];
	code->subs[at] = (struct prog_sub){start, PROG_STACK_MAX};
	code->sub_cnt++;
	return 0;
}

/* Every target of a call starts a function. */
static int find_subs(struct prog_code *code)
{
	int err = add_sub(code, 0);

	for (u32 idx = 0; idx < code->insn_cnt && !err; idx++) {
		const struct bpf_insn *insn = &code->insns[idx];

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
			err = add_sub(code, (u32)((s64)idx + 1 + insn->imm));
		idx += isa_is_lddw(insn);
	}
	return err;
}

static int check(const struct prog_code *code)
{
	struct buf why = BUF_INIT;
	int err = interp_check(code, &why) ? fail(buf_text(&why), "") : 0;

	buf_done(&why);
	return err;
}

/* Checks the program alone, then puts the prologue before it. code owns insns and subs. */
static int make_code(const struct bytes *text, u32 entry, u32 mem_len, struct prog_code *code)
{
	const u32 cnt = (u32)(text->len / sizeof(struct bpf_insn));

	if (text->len % sizeof(struct bpf_insn) ||
		text->len / sizeof(struct bpf_insn) > PROG_INSN_MAX)
		return fail("the program's length is not a number of instructions", "");
	code->insns = mem_array(cnt + PROLOGUE_CNT, sizeof(*code->insns));
	code->subs = mem_array(PROG_SUB_MAX, sizeof(*code->subs));
	if (!code->insns || !code->subs)
		return fail("no memory", "");
	memcpy(code->insns, text->data, text->len);
	code->insn_cnt = cnt;
	if (check(code))
		return 1;
	memmove(code->insns + PROLOGUE_CNT, code->insns, text->len);
	code->insns[0] = (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = (s32)mem_len};
	code->insns[1] = (struct bpf_insn){.code = BPF_JMP32 | BPF_JA, .imm = (s32)entry};
	code->insn_cnt += PROLOGUE_CNT;
	return find_subs(code);
}

static int run_jit(
	const struct prog_code *code, void *mem, struct run *run, bool is_checked, u64 *ret_r0)
{
	struct prog_image image = {0};
	const struct prog prog = {.code = *code};
	int err = is_checked ? jit_compile_checked(&prog, run->inst, &image)
			     : jit_compile(code, run->inst, &image);

	if (err)
		return fail("the JIT refuses the program", strerror(-err));
	*ret_r0 = image.entry(mem, run);
	jit_free(&image);
	return 0;
}

static int run_checked(const struct prog_code *code, void *mem, struct run *run, u64 *ret_r0)
{
	static const char *const words[] = {
		[RUN_FAULT_ACCESS] = "access outside of the program's memory",
		[RUN_FAULT_BUDGET] = "more instructions than allowed",
		[RUN_FAULT_DEPTH] = "calls nested too deep",
		[RUN_FAULT_INSN] = "not an instruction",
		[RUN_FAULT_CALL] = "no such helper",
		[RUN_FAULT_ALIGN] = "misaligned atomic access",
	};

	*ret_r0 = interp_run_checked(code, NULL, 0, mem, run);
	if (!run->fault.kind)
		return 0;
	fprintf(stderr, "insn %d: %s\n", (int)run->fault.insn_idx - PROLOGUE_CNT,
		words[run->fault.kind]);
	return 1;
}

static int execute(const struct prog_code *code, struct bytes *mem, enum engine engine)
{
	struct skep inst = {.helpers = helpers, .helper_cnt = HELPER_CNT, .cpu_cnt = 1};
	struct run run = {.inst = &inst,
		.budget = CHECKED_BUDGET,
		.regions =
			{{.name = "mem", .start = mem->data, .len = mem->len, .can_write = true}},
		.region_cnt = 1};
	u64 r0 = 0;
	int err = 0;

	switch (engine) {
	case ENGINE_JIT: err = run_jit(code, mem->data, &run, false, &r0); break;
	case ENGINE_CHECKED_JIT:
		err = run_jit(code, mem->data, &run, true, &r0);
		if (!err && run.fault.kind)
			err = fail("checked machine code ended with a fault", "");
		break;
	case ENGINE_CHECKED: err = run_checked(code, mem->data, &run, &r0); break;
	case ENGINE_INTERP: r0 = interp_run(code, mem->data, &run); break;
	}
	if (!err)
		printf("%" PRIx64 "\n", r0);
	return err;
}

static int take_options(int argc, char **argv, struct options *opts)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--jit"))
			opts->engine = ENGINE_JIT;
		else if (!strcmp(argv[i], "--checked-jit"))
			opts->engine = ENGINE_CHECKED_JIT;
		else if (!strcmp(argv[i], "--checked"))
			opts->engine = ENGINE_CHECKED;
		else if (!strcmp(argv[i], "--elf"))
			opts->is_elf = true;
		else if (strncmp(argv[i], "--", 2) && !opts->mem)
			opts->mem = argv[i];
		else
			return fail("usage: skep-plugin [MEM] [--jit | --checked | --checked-jit] "
				    "[--elf] < PROGRAM; "
				    "not understood",
				argv[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options opts = {0};
	struct bytes text = {0}, mem = {0};
	struct prog_code code = {0};
	u32 entry = 0;
	int err;

	if (take_options(argc, argv, &opts))
		return 2;
	if (opts.mem && *opts.mem && parse_bytes(opts.mem, &mem))
		return fail("MEM is not a row of hexadecimal bytes", opts.mem);
	if (read_bytes(stdin, &text)) {
		err = fail("the program on standard input is not hexadecimal bytes", "");
		goto free_mem;
	}
	err = opts.is_elf ? take_elf(&text, &entry) : 0;
	err = err ? err : make_code(&text, entry, (u32)mem.len, &code);
	err = err ? err : execute(&code, &mem, opts.engine);
	mem_free(code.insns);
	mem_free(code.subs);
	mem_free(text.data);
free_mem:
	mem_free(mem.data);
	return err;
}
