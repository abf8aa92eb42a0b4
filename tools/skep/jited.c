/*
 * prog dump jited: machine code, a function at a time, each instruction below its source line.
 * Addresses count from the start of a function; jump and call targets are written as they run.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "machine.h"
#include "out.h"
#include "prog_dump.h"

struct jited {
	struct code *c;
	struct machine *machine;
};

/* "a, (b, c), d" in parts: a comma outside brackets ends an operand. */
static void print_operands(struct json *w, const char *text)
{
	int depth = 0;
	size_t len = 0;

	json_name(w, "operands");
	json_start_array(w);
	for (;; len++) {
		char c = text[len];

		depth += (c == '(') - (c == ')');
		if (c && (c != ',' || depth))
			continue;
		if (len)
			json_string_len(w, text, len);
		if (!c)
			break;
		text += len + 1;
		text += strspn(text, " ");
		len = (size_t)-1;
	}
	if (!*text && !len) /* no operands: one empty string, as bpftool writes */
		json_string(w, "");
	json_end_array(w);
}

static void print_insn(struct jited *j, const u8 *code, u32 pc, const struct machine_insn *insn)
{
	struct json *w = &j->c->t->w;

	if (!j->c->t->json) {
		printf("%4x:\t%s%s%s", pc, insn->mnemonic, insn->operands[0] ? "\t" : "",
			insn->operands);
		if (j->c->opcodes) {
			printf("\n\t");
			print_hex(code, insn->len, " ");
		}
		printf("\n");
		return;
	}
	json_name(w, "pc");
	json_printf(w, "\"0x%x\"", pc);
	json_string_field(w, "operation", insn->mnemonic);
	print_operands(w, insn->operands);
	if (j->c->opcodes) {
		json_name(w, "opcodes");
		json_hex_array(w, code, insn->len);
	}
}

/* The addresses of line info are those the function runs at. */
static void dump_func(struct jited *j, u32 idx, const u8 *code, u32 len, u64 addr)
{
	struct code *c = j->c;
	u32 skip = 0;

	for (u32 pc = 0; pc < len;) {
		const struct bpf_line_info *line = NULL;
		struct machine_insn insn = {.len = 1};

		if (c->t->json)
			json_start_object(&c->t->w);
		if (c->lines && addr)
			line = bpf_prog_linfo__lfind_addr_func(c->lines, addr + pc, idx, skip);
		if (line) {
			code_print_line(c, line);
			skip++;
		}
		machine_disasm(j->machine, code + pc, len - pc, addr + pc, &insn);
		print_insn(j, code + pc, pc, &insn);
		if (c->t->json)
			json_end_object(&c->t->w);
		pc += insn.len;
	}
}

/* Code of an instance has no symbols; its functions are named as the kernel would. */
static void name_own(const struct code *c, u32 idx, char *ret, size_t len)
{
	const u8 *tag = c->prog.info.tag;

	if (idx)
		snprintf(ret, len, "subprog_%u", idx);
	else
		snprintf(ret, len, "bpf_prog_%02x%02x%02x%02x%02x%02x%02x%02x_%s", tag[0], tag[1],
			tag[2], tag[3], tag[4], tag[5], tag[6], tag[7], c->prog.info.name);
}

static void start_func(struct jited *j, u32 idx, u64 addr, struct buf *signature)
{
	struct code *c = j->c;
	const char *text = code_signature(c, idx, signature), *name = NULL;
	char number[64];

	if (addr)
		name = symbols_name(&c->symbols, addr);
	if (c->t->port->ops->is_kernel)
		snprintf(number, sizeof(number), "0x%016llx", (unsigned long long)addr);
	else
		name_own(c, idx, number, sizeof(number));
	if (c->t->json) {
		json_start_object(&c->t->w);
		if (*text)
			json_string_field(&c->t->w, "proto", text);
		json_string_field(&c->t->w, "name", name ? name : number);
		json_name(&c->t->w, "insns");
		json_start_array(&c->t->w);
		return;
	}
	if (*text)
		printf("%s:\n", text);
	printf("%s:\n", name ? name : number);
}

static void end_func(struct jited *j)
{
	if (!j->c->t->json) {
		printf("\n");
		return;
	}
	json_end_array(&j->c->t->w);
	json_end_object(&j->c->t->w);
}

static void dump_funcs(struct jited *j)
{
	const struct bpf_prog_info *info = &j->c->prog.info;
	const u32 *lens = info_ptr(info->jited_func_lens);
	const u64 *addrs = info_ptr(info->jited_ksyms);
	const u8 *code = info_ptr(info->jited_prog_insns);
	u32 cnt = info->nr_jited_func_lens ? info->nr_jited_func_lens : 1, left;
	struct buf signature = {0};

	left = info->jited_prog_len;
	for (u32 i = 0; i < cnt && left; i++) {
		u32 len = info->nr_jited_func_lens ? MIN(lens[i], left) : left;
		u64 addr = i < info->nr_jited_ksyms ? addrs[i] : 0;

		start_func(j, i, addr, &signature);
		dump_func(j, i, code, len, addr);
		end_func(j);
		code += len;
		left -= len;
	}
	buf_done(&signature);
}

int code_dump_jited(struct code *c)
{
	const struct bpf_prog_info *info = &c->prog.info;
	const u64 *addrs = info_ptr(info->jited_ksyms);
	struct jited j = {.c = c};
	const char *why;

	j.machine = machine_open(&why);
	if (!j.machine)
		return fail(c->t, "%s", why);
	symbols_init(&c->symbols, false);
	for (u32 i = 0; i < info->nr_jited_ksyms && c->t->port->ops->is_kernel; i++)
		symbols_add(&c->symbols, addrs[i]);
	symbols_find(&c->symbols);
	if (c->t->json)
		json_start_array(&c->t->w);
	dump_funcs(&j);
	if (c->t->json)
		json_end_array(&c->t->w);
	machine_close(j.machine);
	return 0;
}
