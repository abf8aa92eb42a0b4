/*
 * Programs from text. A line is: [label ":"] [number ":"] [instruction] [comment], where an
 * instruction is in the assembler's notation (RFC 9669 conformance cases) or in the kernel's, with or
 * without its "(07)", and a comment begins with # or ;. Every row of insn.def is tried in turn, so
 * there is no table of mnemonics besides that one. Labels may be used before they are set and are
 * resolved at the end; the first exit also sets the label "exit" if nothing else does.
 * Limit: ISA_INSN_MAX instructions.
 */
#include "isa/text.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/* A label set, or used by the instruction at insn_idx */
struct label {
	const char *name;
	u32 len;
	u32 insn_idx;
	u32 line;
};

struct labels {
	struct label *at;
	u32 cnt, cap;
};

struct asm_state {
	struct bpf_insn *insns;
	u32 cnt, cap;
	struct labels set, used;
	bool has_exit;
	u32 exit_idx;
	u32 line;
	struct buf *err;
};

static int complain(struct asm_state *state, u32 line, const char *what, const char *text, u32 len)
{
	if (state->err)
		buf_printf(state->err, "line %u: %s '%.*s'", line, what, (int)len, text);
	return -EINVAL;
}

static int add_label(struct labels *labels, const char *name, u32 len, u32 insn_idx, u32 line)
{
	const u32 cap = labels->cap ? labels->cap * 2 : 16;
	struct label *grown;

	if (labels->cnt == labels->cap) {
		grown = mem_realloc(labels->at, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		labels->at = grown;
		labels->cap = cap;
	}
	labels->at[labels->cnt++] = (struct label){name, len, insn_idx, line};
	return 0;
}

static const struct label *find_label(const struct labels *labels, const char *name, u32 len)
{
	for (u32 i = 0; i < labels->cnt; i++)
		if (labels->at[i].len == len && !memcmp(labels->at[i].name, name, len))
			return &labels->at[i];
	return NULL;
}

/* Room for the two slots of an ld_imm64. */
static int reserve_insns(struct asm_state *state)
{
	const u32 cap = state->cap ? state->cap * 2 : 64;
	struct bpf_insn *grown;

	if (state->cnt >= ISA_INSN_MAX)
		return complain(state, state->line, "too many instructions at", "", 0);
	if (state->cnt + 2 <= state->cap)
		return 0;
	grown = mem_realloc(state->insns, cap, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	state->insns = grown;
	state->cap = cap;
	return 0;
}

/* "name:" at the start of a line */
static int take_labels(struct asm_state *state, struct isa_parse *parse)
{
	u32 len;
	int err;

	for (isa_parse_space(parse); (len = isa_parse_word(parse)) && parse->at[len] == ':';
		isa_parse_space(parse)) {
		if (find_label(&state->set, parse->at, len))
			return complain(state, state->line, "label set twice:", parse->at, len);
		err = add_label(&state->set, parse->at, len, state->cnt, state->line);
		if (err)
			return err;
		parse->at += len + 1;
	}
	return 0;
}

static u32 hex_digit(char c)
{
	return c >= '0' && c <= '9' ? (u32)(c - '0') : (u32)((c | 0x20) - 'a' + 10);
}

/* "12:" of a dump, which says nothing, and "(07)", the opcode; ret_code is -1 without it. */
static void take_dump_prefix(struct isa_parse *parse, int *ret_code)
{
	const size_t digits = strspn(parse->at, "0123456789");

	if (digits && parse->at[digits] == ':') {
		parse->at += digits + 1;
		isa_parse_space(parse);
	}
	*ret_code = -1;
	if (parse->at[0] == '(' && strspn(parse->at + 1, "0123456789abcdefABCDEF") == 2 &&
		parse->at[3] == ')') {
		*ret_code = (int)(hex_digit(parse->at[1]) << 4 | hex_digit(parse->at[2]));
		parse->at += 4;
		isa_parse_space(parse);
	}
}

static const struct isa_op *parse_insn(struct asm_state *state, struct isa_parse *parse, int code)
{
	struct bpf_insn *insn = &state->insns[state->cnt];

	for (u32 notation = ISA_KERNEL_NOTATION; notation <= ISA_TEXT_NOTATION; notation++)
		for (u32 id = 0; id < ISA_CNT; id++)
			if ((code < 0 || isa_op(id)->code == code) &&
				isa_text_parse(isa_op(id), notation, parse, insn))
				return isa_op(id);
	return NULL;
}

static int take_insn(struct asm_state *state, struct isa_parse *parse)
{
	const struct isa_op *op;
	int err = reserve_insns(state), code;

	if (err)
		return err;
	take_dump_prefix(parse, &code);
	op = parse_insn(state, parse, code);
	if (!op)
		return complain(state, state->line, "not an instruction:", parse->at,
			(u32)strcspn(parse->at, "\r\n"));
	if (parse->label_len) {
		err = add_label(
			&state->used, parse->label, parse->label_len, state->cnt, state->line);
		if (err)
			return err;
	}
	if (op->form == ISA_FORM_EXIT && !state->has_exit) {
		state->has_exit = true;
		state->exit_idx = state->cnt;
	}
	state->cnt += op->form == ISA_FORM_LDDW ? 2 : 1;
	return 0;
}

static int take_line(struct asm_state *state, const char *line, u32 len)
{
	struct isa_parse parse = {.at = line};
	int err = take_labels(state, &parse);

	if (err || parse.at >= line + len || strchr("#;\r\n", *parse.at))
		return err;
	return take_insn(state, &parse);
}

/* Distances count from the next instruction and are in slots. */
static int resolve(struct asm_state *state, const struct label *use)
{
	const struct label *label = find_label(&state->set, use->name, use->len);
	struct bpf_insn *insn = &state->insns[use->insn_idx];
	s64 target, off;

	if (label)
		target = label->insn_idx;
	else if (state->has_exit && use->len == 4 && !memcmp(use->name, "exit", 4))
		target = state->exit_idx;
	else
		return complain(state, use->line, "no such label:", use->name, use->len);
	off = target - use->insn_idx - 1;
	if (BPF_CLASS(insn->code) == BPF_LD || insn->code == (BPF_JMP | BPF_CALL) ||
		insn->code == (BPF_JMP32 | BPF_JA))
		insn->imm = (s32)off;
	else if (off < INT16_MIN || off > INT16_MAX)
		return complain(state, use->line, "label too far:", use->name, use->len);
	else
		insn->off = (s16)off;
	return 0;
}

static int assemble(struct asm_state *state, const char *text)
{
	int err;
	u32 len;

	for (state->line = 1; *text; state->line++) {
		len = (u32)strcspn(text, "\n");
		err = take_line(state, text, len);
		if (err)
			return err;
		text += len + (text[len] == '\n');
	}
	for (u32 i = 0; i < state->used.cnt; i++) {
		err = resolve(state, &state->used.at[i]);
		if (err)
			return err;
	}
	return 0;
}

int isa_asm(const char *text, struct bpf_insn **ret_insns, u32 *ret_cnt, struct buf *err)
{
	struct asm_state state = {.err = err};
	int ret = assemble(&state, text);

	mem_free(state.set.at);
	mem_free(state.used.at);
	if (ret) {
		mem_free(state.insns);
		return ret;
	}
	*ret_insns = state.insns;
	*ret_cnt = state.cnt;
	return 0;
}
