/*
 * prog dump xlated: instructions in the kernel's notation, as they are after the verifier, each below
 * the source line it comes from. prog dump jited: jited.c.
 */
#include "prog_dump.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "isa/isa.h"
#include "out.h"
#include "ref.h"
#include "signature.h"

static const char *skip_space(const char *text)
{
	return text + strspn(text, " \t\r\n\v\f");
}

void code_print_line(const struct code *c, const struct bpf_line_info *line)
{
	const char *text = btf__name_by_offset(c->btf, line->line_off), *file;
	u32 number = BPF_LINE_INFO_LINE_NUM(line->line_col),
	    column = BPF_LINE_INFO_LINE_COL(line->line_col);
	struct json *w = &c->t->w;

	if (!text)
		return;
	text = skip_space(text);
	file = btf__name_by_offset(c->btf, line->file_name_off);
	if (!c->t->json && c->linum)
		printf("; %s [file:%s line_num:%u line_col:%u]\n", text, file ? file : "", number,
			column);
	else if (!c->t->json)
		printf("; %s\n", text);
	if (!c->t->json)
		return;
	json_string_field(w, "src", text);
	if (!c->linum)
		return;
	if (file && *file)
		json_string_field(w, "file", file);
	if (number)
		json_uint_field(w, "line_num", number);
	if (column)
		json_uint_field(w, "line_col", column);
}

static const struct bpf_func_info *func_at(const struct code *c, u32 idx)
{
	const u8 *records = info_ptr(c->prog.info.func_info);

	if (!c->btf || idx >= c->prog.info.nr_func_info)
		return NULL;
	return (const void *)(records + (size_t)idx * c->prog.info.func_info_rec_size);
}

const char *code_signature(const struct code *c, u32 idx, struct buf *buf)
{
	const struct bpf_func_info *func = func_at(c, idx);

	buf_reset(buf);
	if (func)
		signature_add(buf, c->btf, func->type_id);
	return buf_text(buf);
}

static u64 call_addr(const struct code *c, const struct bpf_insn *insn)
{
	return c->symbols.call_base + (u64)(s64)insn->imm;
}

/*
 * The address of the function a bpf-to-bpf call goes to. Once the kernel has compiled a program, imm
 * is the number of the function and off the distance, which imm was before.
 */
static bool callee(const struct code *c, const struct bpf_insn *insn, u64 *ret)
{
	const u64 *ksyms = info_ptr(c->prog.info.jited_ksyms);

	if (insn->src_reg != BPF_PSEUDO_CALL || (u32)insn->imm >= c->prog.info.nr_jited_ksyms ||
		!c->prog.info.nr_jited_ksyms)
		return false;
	*ret = ksyms[insn->imm];
	return true;
}

static bool name_call(void *arg, const struct bpf_insn *insn, struct buf *out)
{
	const struct code *c = arg;
	const char *name;
	u64 addr;

	if (insn->src_reg == BPF_PSEUDO_CALL) {
		if (!callee(c, insn, &addr))
			return false;
		name = symbols_name(&c->symbols, addr);
		if (name)
			buf_printf(out, "%+d#%s", insn->off, name);
		else
			buf_printf(out, "%+d#0x%llx", insn->off, (unsigned long long)addr);
		return true;
	}
	if (!c->t->port->ops->is_kernel)
		return false;
	name = symbols_name(&c->symbols, call_addr(c, insn));
	if (name)
		buf_str(out, name);
	else
		buf_printf(out, "0x%llx", (unsigned long long)call_addr(c, insn));
	return true;
}

static bool name_imm(void *arg, const struct bpf_insn *insn, u64 imm, struct buf *out)
{
	switch (insn->src_reg) {
	case BPF_PSEUDO_MAP_FD: buf_printf(out, "map[id:%d]", insn->imm); return true;
	case BPF_PSEUDO_MAP_VALUE:
		buf_printf(out, "map[id:%d][0]+%u", insn->imm, (u32)insn[1].imm);
		return true;
	case BPF_PSEUDO_MAP_IDX_VALUE:
		buf_printf(out, "map[idx:%d]+%u", insn->imm, (u32)insn[1].imm);
		return true;
	case BPF_PSEUDO_FUNC: buf_printf(out, "subprog[%+d]", insn->imm); return true;
	}
	return false;
}

static void print_opcodes_json(struct json *w, const struct bpf_insn *insn, bool wide)
{
	u8 imm[12];

	json_name(w, "opcodes");
	json_start_object(w);
	json_name(w, "code");
	json_printf(w, "\"0x%02x\"", insn->code);
	json_name(w, "src_reg");
	json_printf(w, "\"0x%x\"", insn->src_reg);
	json_name(w, "dst_reg");
	json_printf(w, "\"0x%x\"", insn->dst_reg);
	json_name(w, "off");
	json_hex_array(w, &insn->off, sizeof(insn->off));
	memcpy(imm, &insn->imm, 4);
	if (wide)
		memcpy(imm + 4, &insn[1], 8);
	json_name(w, "imm");
	json_hex_array(w, imm, wide ? 12 : 4);
	json_end_object(w);
}

static void print_opcodes_text(const struct bpf_insn *insn, bool wide)
{
	printf("       ");
	print_hex(insn, sizeof(*insn), " ");
	if (wide) {
		printf(" ");
		print_hex(insn + 1, sizeof(*insn), " ");
	}
	printf("\n");
}

static void print_insn(struct code *c, u32 at, const struct bpf_insn *insn, const char *disasm)
{
	bool wide = isa_is_lddw(insn);

	if (c->t->json) {
		json_string_field(&c->t->w, "disasm", disasm);
		if (c->opcodes)
			print_opcodes_json(&c->t->w, insn, wide);
		return;
	}
	printf("%4u: %s\n", at, disasm);
	if (c->opcodes)
		print_opcodes_text(insn, wide);
}

static void print_signature(struct code *c, const char *signature)
{
	if (!*signature)
		return;
	if (c->t->json)
		json_string_field(&c->t->w, "proto", signature);
	else
		printf("%s:\n", signature);
}

static int dump_insns(struct code *c, const struct bpf_insn *insns, u32 cnt)
{
	const struct isa_names names = {.arg = c, .call = name_call, .imm = name_imm};
	struct buf text = {0}, signature = {0};
	u32 func = 0, skip = 0;

	for (u32 i = 0; i < cnt; i += isa_is_lddw(&insns[i]) ? 2 : 1) {
		const struct bpf_func_info *f = func_at(c, func);
		const struct bpf_line_info *line = NULL;

		if (isa_is_lddw(&insns[i]) && i + 1 == cnt)
			break;
		if (c->t->json)
			json_start_object(&c->t->w);
		if (f && f->insn_off == i)
			print_signature(c, code_signature(c, func++, &signature));
		if (c->lines)
			line = bpf_prog_linfo__lfind(c->lines, i, skip);
		if (line) {
			code_print_line(c, line);
			skip++;
		}
		buf_reset(&text);
		isa_disasm(&text, &insns[i], &names);
		print_insn(c, i, &insns[i], buf_text(&text));
		if (c->t->json)
			json_end_object(&c->t->w);
	}
	buf_done(&signature);
	buf_done(&text);
	return 0;
}

static void find_names(struct code *c, const struct bpf_insn *insns, u32 cnt)
{
	u64 addr;

	symbols_init(&c->symbols, c->t->port->ops->is_kernel);
	for (u32 i = 0; i < cnt; i += isa_is_lddw(&insns[i]) ? 2 : 1) {
		if (insns[i].code != (BPF_JMP | BPF_CALL))
			continue;
		if (callee(c, &insns[i], &addr))
			symbols_add(&c->symbols, addr);
		else if (c->symbols.call_base)
			symbols_add(&c->symbols, call_addr(c, &insns[i]));
	}
	if (c->t->port->ops->is_kernel)
		symbols_find(&c->symbols);
}

static int dump_xlated(struct code *c)
{
	const struct bpf_insn *insns = info_ptr(c->prog.info.xlated_prog_insns);
	u32 cnt = c->prog.info.xlated_prog_len / sizeof(*insns);
	int err;

	if (c->t->json)
		json_start_array(&c->t->w);
	find_names(c, insns, cnt);
	err = dump_insns(c, insns, cnt);
	if (c->t->json)
		json_end_array(&c->t->w);
	return err;
}

static int write_file(struct code *c, const void *data, size_t len)
{
	FILE *file = fopen(c->file, "we");
	bool bad;

	if (!file)
		return fail(c->t, "can't open file %s: %s", c->file, strerror(errno));
	bad = fwrite(data, 1, len, file) != len;
	bad |= fclose(file) != 0;
	if (bad)
		return fail(c->t, "error writing output file %s: %s", c->file, strerror(errno));
	done_silently(c->t);
	return 0;
}

static int dump(struct code *c, int fd, bool jited)
{
	struct bpf_prog_info *info = &c->prog.info;
	int err = info_prog_get(fd, INFO_LINES | (jited ? INFO_JITED : INFO_XLATED), &c->prog);

	if (err)
		return fail(c->t, "can't get prog info: %s", errno_text(err));
	if (jited ? !info->jited_prog_len : !info->xlated_prog_len)
		return fail(c->t, "no instructions returned: %s",
			jited ? "the program is interpreted, not compiled"
			      : "the program is empty");
	if (jited ? !info->jited_prog_insns : !info->xlated_prog_insns)
		return fail(c->t,
			"error retrieving insn dump: kernel.kptr_restrict set, or no right "
			"to see code?");
	if (info->btf_id)
		c->btf = info_btf(info->btf_id);
	if (c->btf && info->nr_line_info)
		c->lines = bpf_prog_linfo__new(info);
	if (libbpf_get_error(c->lines))
		c->lines = NULL;
	if (c->file)
		return jited ? write_file(c, info_ptr(info->jited_prog_insns), info->jited_prog_len)
			     : write_file(
				       c, info_ptr(info->xlated_prog_insns), info->xlated_prog_len);
	return jited ? code_dump_jited(c) : dump_xlated(c);
}

static void code_done(struct code *c)
{
	symbols_done(&c->symbols);
	bpf_prog_linfo__free(c->lines);
	btf__free(c->btf);
	info_prog_done(&c->prog);
}

static int parse_options(struct code *c, struct args *a, bool jited)
{
	while (a->cnt) {
		if (args_take(a, "file")) {
			c->file = args_next(a);
			if (!c->file)
				return fail_missing(c->t, "a file", "file");
		} else if (args_take(a, "opcodes")) {
			c->opcodes = true;
		} else if (args_take(a, "linum")) {
			c->linum = true;
		} else {
			return fail_extra(c->t, a);
		}
	}
	return 0;
}

int verb_prog_dump(struct tool *t, struct args *a)
{
	struct code c = {.t = t};
	struct ref ref;
	bool jited;
	int err;

	if (args_take(a, "jited"))
		jited = true;
	else if (args_take(a, "xlated"))
		jited = false;
	else
		return fail(t, "expected 'xlated' or 'jited', got: %s",
			a->cnt ? args_peek(a) : "nothing");
	err = ref_is_file(a) ? tool_engine_fresh(t) : tool_engine_running(t);
	if (!err)
		err = ref_prog(t, a, &ref);
	if (err)
		return err;
	err = parse_options(&c, a, jited);
	if (!err)
		err = dump(&c, ref.fds[0], jited);
	code_done(&c);
	ref_done(&ref);
	return err;
}
