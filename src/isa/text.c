/*
 * The tokens of the patterns that give each operand form its text. A pattern is printed by printing
 * its literals and tokens, and parsed by matching them, so the two directions cannot disagree:
 *
 *	$D $S	register named by dst_reg, src_reg with its width's letter: r1 or w1
 *	$d $s	the same, always r (%r in the assembler's notation)
 *	$i $x	imm, decimal or hexadecimal
 *	$h $k	imm >> 16, imm & 0xffff
 *	$l	the 64-bit constant of an ld_imm64
 *	$o $p	off with its sign; $p is empty when off is 0
 *	$t $q	jump or call target: +3, or a label; $q puts pc before a number
 *	$c	helper or kernel function: bpf_map_lookup_elem#1
 *	$@	the row's sym; $a operator, $w word of an atomic's operation; $6 "64" for 8-byte operands
 *
 * A blank in a pattern stands for any number of blanks in parsed text.
 */
#include "isa/text.h"

#include <string.h>

struct print {
	struct buf *out;
	const struct isa_op *op;
	const struct bpf_insn *insn;
	const struct isa_names *names;
	enum isa_notation notation;
};

struct token {
	char letter;
	void (*print)(const struct print *print);
	bool (*parse)(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn);
};

static const char *const patterns[ISA_FORM_CNT][2] = {
#define FORM(id, uses, reads, writes, kernel, text, words) [ISA_FORM_##id] = {kernel, text},
#include "isa/insn.def"
};

/* ---- reading ---- */

void isa_parse_space(struct isa_parse *parse)
{
	parse->at += strspn(parse->at, " \t");
}

static bool is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

u32 isa_parse_word(const struct isa_parse *parse)
{
	u32 len = 0;

	if (!is_word_start(parse->at[0]))
		return 0;
	while (is_word_start(parse->at[len]) || (parse->at[len] >= '0' && parse->at[len] <= '9') ||
		parse->at[len] == '.')
		len++;
	return len;
}

static bool accept(struct isa_parse *parse, const char *literal)
{
	const size_t len = strlen(literal);

	if (strncmp(parse->at, literal, len))
		return false;
	parse->at += len;
	return true;
}

static bool parse_reg(struct isa_parse *parse, char letter, u32 *ret_reg)
{
	const char *at = parse->at + (parse->at[0] == '%');
	u32 reg;

	if (at[0] != letter || at[1] < '0' || at[1] > '9')
		return false;
	reg = at[1] - '0';
	at += 2;
	if (*at >= '0' && *at <= '9')
		reg = reg * 10 + (*at++ - '0');
	if (reg >= ISA_REG_CNT || is_word_start(*at) || (*at >= '0' && *at <= '9'))
		return false;
	parse->at = at;
	*ret_reg = reg;
	return true;
}

/* Decimal or 0x hexadecimal with an optional sign; false also when it does not fit 64 bits. */
static bool parse_number(struct isa_parse *parse, s64 *ret_value)
{
	const char *at = parse->at;
	const bool is_negative = *at == '-';
	u64 value = 0, digit, base = 10;
	u32 digits = 0;

	at += *at == '-' || *at == '+';
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	}
	for (;; at++, digits++) {
		if (*at >= '0' && *at <= '9')
			digit = *at - '0';
		else if (base == 16 && (*at | 0x20) >= 'a' && (*at | 0x20) <= 'f')
			digit = (*at | 0x20) - 'a' + 10;
		else
			break;
		if (value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (!digits || is_word_start(*at) || (is_negative && value > (u64)INT64_MAX + 1))
		return false;
	parse->at = at;
	*ret_value = is_negative ? (s64)(0 - value) : (s64)value;
	return true;
}

/* A 32-bit field holds -2^31 to 2^32 - 1: both readings of the same bits. */
static bool parse_imm32(struct isa_parse *parse, s32 *ret_imm)
{
	s64 value;

	if (!parse_number(parse, &value) || value < INT32_MIN || value > UINT32_MAX)
		return false;
	*ret_imm = (s32)value;
	return true;
}

static bool parse_off16(struct isa_parse *parse, s16 *ret_off)
{
	s64 value;

	if ((*parse->at != '+' && *parse->at != '-') || !parse_number(parse, &value) ||
		value < INT16_MIN || value > INT16_MAX)
		return false;
	*ret_off = (s16)value;
	return true;
}

/* ---- tokens ---- */

static char width_letter(u8 code)
{
	const u8 class = BPF_CLASS(code);

	return class == BPF_ALU || class == BPF_JMP32 ? 'w' : 'r';
}

static void print_reg(const struct print *p, char letter, u32 reg)
{
	buf_printf(p->out, "%s%c%u", p->notation == ISA_TEXT_NOTATION ? "%" : "", letter, reg);
}

/* A register that a pattern names twice must be the same both times. */
static bool parse_dst(struct isa_parse *parse, char letter, struct bpf_insn *insn)
{
	u32 reg;

	if (!parse_reg(parse, letter, &reg) || ((parse->seen & ISA_DST) && insn->dst_reg != reg))
		return false;
	parse->seen |= ISA_DST;
	insn->dst_reg = reg;
	return true;
}

static bool parse_src(struct isa_parse *parse, char letter, struct bpf_insn *insn)
{
	u32 reg;

	if (!parse_reg(parse, letter, &reg) || ((parse->seen & ISA_SRC) && insn->src_reg != reg))
		return false;
	parse->seen |= ISA_SRC;
	insn->src_reg = reg;
	return true;
}

static void print_wide_dst(const struct print *p)
{
	print_reg(p, width_letter(p->insn->code), p->insn->dst_reg);
}

static bool parse_wide_dst(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_dst(parse, width_letter(op->code), insn);
}

static void print_wide_src(const struct print *p)
{
	print_reg(p, width_letter(p->insn->code), p->insn->src_reg);
}

static bool parse_wide_src(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_src(parse, width_letter(op->code), insn);
}

static void print_dst(const struct print *p)
{
	print_reg(p, 'r', p->insn->dst_reg);
}

static bool parse_r_dst(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_dst(parse, 'r', insn);
}

static void print_src(const struct print *p)
{
	print_reg(p, 'r', p->insn->src_reg);
}

static bool parse_r_src(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_src(parse, 'r', insn);
}

static void print_imm(const struct print *p)
{
	buf_printf(p->out, "%d", p->insn->imm);
}

static void print_hex(const struct print *p)
{
	buf_printf(p->out, "0x%x", (u32)p->insn->imm);
}

static bool parse_imm(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_imm32(parse, &insn->imm);
}

static void print_imm_high(const struct print *p)
{
	buf_printf(p->out, "%u", (u32)p->insn->imm >> 16);
}

static void print_imm_low(const struct print *p)
{
	buf_printf(p->out, "%u", (u32)p->insn->imm & 0xffff);
}

static bool parse_half(struct isa_parse *parse, u32 *ret_half)
{
	s64 value;

	if (!parse_number(parse, &value) || value < 0 || value > UINT16_MAX)
		return false;
	*ret_half = (u32)value;
	return true;
}

static bool parse_imm_high(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	u32 half;

	if (!parse_half(parse, &half))
		return false;
	insn->imm = (s32)((u32)insn->imm | half << 16);
	return true;
}

static bool parse_imm_low(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	u32 half;

	if (!parse_half(parse, &half))
		return false;
	insn->imm = (s32)((u32)insn->imm | half);
	return true;
}

static bool holds_address(u8 pseudo)
{
	return pseudo && pseudo != BPF_PSEUDO_FUNC && pseudo <= BPF_PSEUDO_MAP_IDX_VALUE;
}

static void print_imm64(const struct print *p)
{
	const struct isa_names *names = p->names;
	const bool is_hidden = names && names->hide_addresses && holds_address(p->insn->src_reg);
	const u64 imm = is_hidden ? 0 : isa_imm64(p->insn);

	if (!names || !names->imm || !names->imm(names->arg, p->insn, imm, p->out))
		buf_printf(p->out, "0x%llx", (unsigned long long)imm);
}

static bool parse_label(struct isa_parse *parse)
{
	parse->label = parse->at;
	parse->label_len = isa_parse_word(parse);
	parse->at += parse->label_len;
	return parse->label_len;
}

/* A label names a function for ld_imm64 func; numbers there are relative to the next instruction. */
static bool parse_imm64(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	s64 value;

	if (op->id == ISA_LDDW_FUNC && isa_parse_word(parse))
		return parse_label(parse);
	if (!parse_number(parse, &value))
		return false;
	insn[0].imm = (s32)value;
	insn[1].imm = (s32)(value >> 32);
	return true;
}

static void print_off(const struct print *p)
{
	buf_printf(p->out, "%+d", p->insn->off);
}

static bool parse_off(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_off16(parse, &insn->off);
}

static void print_opt_off(const struct print *p)
{
	if (p->insn->off)
		print_off(p);
}

static bool parse_opt_off(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	isa_parse_space(parse);
	if (*parse->at != '+' && *parse->at != '-')
		return true;
	return parse_off16(parse, &insn->off);
}

static bool has_imm_target(const struct isa_op *op)
{
	return op->form == ISA_FORM_JA32 || op->form == ISA_FORM_CALL_LOCAL;
}

static void print_target(const struct print *p)
{
	const struct isa_names *names = p->names;
	const bool is_call = p->op->form == ISA_FORM_CALL_LOCAL;

	if (!is_call || !names || !names->call || !names->call(names->arg, p->insn, p->out))
		buf_printf(p->out, "%+d", has_imm_target(p->op) ? p->insn->imm : p->insn->off);
}

static void print_pc_target(const struct print *p)
{
	buf_str(p->out, "pc");
	print_target(p);
}

static bool parse_distance(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	if (*parse->at != '+' && *parse->at != '-')
		return false;
	return has_imm_target(op) ? parse_imm32(parse, &insn->imm) : parse_off16(parse, &insn->off);
}

static bool parse_target(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	return parse_distance(op, parse, insn) || parse_label(parse);
}

static bool parse_pc_target(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	struct isa_parse after = *parse;

	if (accept(&after, "pc") && parse_distance(op, &after, insn)) {
		*parse = after;
		return true;
	}
	return parse_label(parse);
}

static const char kernel_function[] = "kernel-function";

static void print_callee(const struct print *p)
{
	const struct isa_names *names = p->names;
	const struct bpf_insn *insn = p->insn;
	const char *helper = insn->src_reg ? NULL : isa_helper_name(insn->imm);

	if (!insn->src_reg && !insn->imm)
		helper = "bpf_unspec"; /* Linux has a name for it, though no such helper */
	if (helper)
		buf_str(p->out, helper);
	else if (!names || !names->call || !names->call(names->arg, insn, p->out))
		buf_str(p->out,
			insn->src_reg == BPF_PSEUDO_KFUNC_CALL ? kernel_function : "unknown");
	buf_printf(p->out, "#%d", insn->imm);
}

static bool find_helper(const char *name, u32 len, s32 *ret_id)
{
	for (u32 id = 1; isa_helper_name(id); id++) {
		if (strncmp(isa_helper_name(id), name, len) || isa_helper_name(id)[len])
			continue;
		*ret_id = (s32)id;
		return true;
	}
	return false;
}

/* name#id, where only the id counts, or the name of a helper alone */
static bool parse_callee(const struct isa_op *op, struct isa_parse *parse, struct bpf_insn *insn)
{
	const bool is_kfunc = op->form == ISA_FORM_CALL_KFUNC;
	const u32 len = (u32)strcspn(parse->at, "# \t\r\n;");
	const bool says_kfunc = len == sizeof(kernel_function) - 1 &&
				!strncmp(parse->at, kernel_function, len);

	if (!len || says_kfunc != is_kfunc)
		return false;
	if (parse->at[len] == '#' && parse->at[len + 1] != ' ') {
		parse->at += len + 1;
		return parse_imm32(parse, &insn->imm);
	}
	if (is_kfunc || !find_helper(parse->at, len, &insn->imm))
		return false;
	parse->at += len;
	return true;
}

static const struct token tokens[] = {
	{'D', print_wide_dst, parse_wide_dst},
	{'S', print_wide_src, parse_wide_src},
	{'d', print_dst, parse_r_dst},
	{'s', print_src, parse_r_src},
	{'i', print_imm, parse_imm},
	{'x', print_hex, parse_imm},
	{'h', print_imm_high, parse_imm_high},
	{'k', print_imm_low, parse_imm_low},
	{'l', print_imm64, parse_imm64},
	{'o', print_off, parse_off},
	{'p', print_opt_off, parse_opt_off},
	{'t', print_target, parse_target},
	{'q', print_pc_target, parse_pc_target},
	{'c', print_callee, parse_callee},
};

static const struct token *find_token(char letter)
{
	for (u32 i = 0; i < ARRAY_SIZE(tokens); i++)
		if (tokens[i].letter == letter)
			return &tokens[i];
	return NULL;
}

/* ---- literals that a row gives ---- */

/* "add" of "lock fetch add32" */
static const char *operation_word(const char *name, u32 *ret_len)
{
	const char *word = strrchr(name, ' ') + 1;

	*ret_len = (u32)strspn(word, "abcdefghijklmnopqrstuvwxyz");
	return word;
}

/* The text of $@, $a, $w or $6; NULL for any other letter. */
static const char *row_literal(const struct isa_op *op, char letter, u32 *ret_len)
{
	const char *text = NULL;

	switch (letter) {
	case '@': text = op->sym; break;
	case 'a': text = isa_find_code(BPF_ALU64 | BPF_OP(op->key_val) | BPF_X)->sym; break;
	case '6': text = BPF_SIZE(op->code) == BPF_DW ? "64" : ""; break;
	case 'w': return operation_word(op->name, ret_len);
	default: return NULL;
	}
	*ret_len = (u32)strlen(text);
	return text;
}

/* ---- patterns ---- */

void isa_text_print(struct buf *out, const struct isa_op *op, enum isa_notation notation,
	const struct bpf_insn *insn, const struct isa_names *names)
{
	const struct print print = {out, op, insn, names, notation};
	const char *pattern = patterns[op->form][notation], *text;
	u32 len;

	if (notation == ISA_TEXT_NOTATION)
		buf_printf(out, "%s%s", op->name, *pattern ? " " : "");
	for (; *pattern; pattern++) {
		if (*pattern != '$') {
			buf_add(out, pattern, 1);
			continue;
		}
		pattern++;
		text = row_literal(op, *pattern, &len);
		if (text)
			buf_add(out, text, len);
		else
			find_token(*pattern)->print(&print);
	}
}

static bool parse_pattern(const struct isa_op *op, const char *pattern, struct isa_parse *parse,
	struct bpf_insn *insn)
{
	const char *text;
	u32 len;

	for (; *pattern; pattern++) {
		if (*pattern == ' ') {
			isa_parse_space(parse);
			continue;
		}
		if (*pattern != '$') {
			if (*parse->at++ != *pattern)
				return false;
			continue;
		}
		pattern++;
		text = row_literal(op, *pattern, &len);
		if (text && strncmp(parse->at, text, len))
			return false;
		if (text)
			parse->at += len;
		else if (!find_token(*pattern)->parse(op, parse, insn))
			return false;
	}
	return true;
}

/* Blanks in the name stand for one or more blanks; "add64" is another word for "add". */
static bool parse_name(const char *name, struct isa_parse *parse)
{
	if (!strncmp(parse->at, "bswap", 5))
		parse->at++;
	for (; *name; name++) {
		if (*name != *parse->at)
			return false;
		parse->at++;
		if (*name == ' ')
			isa_parse_space(parse);
	}
	if (name[-1] < '0' || name[-1] > '9')
		accept(parse, "64");
	if (is_word_start(*parse->at) || (*parse->at >= '0' && *parse->at <= '9'))
		return false;
	isa_parse_space(parse);
	return true;
}

static bool is_line_end(const char *at)
{
	return !*at || *at == '\n' || *at == '\r' || *at == '#' || *at == ';';
}

static void preset(const struct isa_op *op, struct bpf_insn *insn)
{
	memset(insn, 0, (op->form == ISA_FORM_LDDW ? 2 : 1) * sizeof(*insn));
	insn->code = op->code;
	if (op->key == ISA_KEY_OFF)
		insn->off = (s16)op->key_val;
	else if (op->key == ISA_KEY_IMM)
		insn->imm = op->key_val;
	else if (op->key == ISA_KEY_SRC)
		insn->src_reg = op->key_val;
}

bool isa_text_parse(const struct isa_op *op, enum isa_notation notation, struct isa_parse *parse,
	struct bpf_insn *insn)
{
	struct isa_parse at = *parse;

	at.label_len = 0;
	at.seen = 0;
	preset(op, insn);
	if (notation == ISA_TEXT_NOTATION && !parse_name(op->name, &at))
		return false;
	if (!parse_pattern(op, patterns[op->form][notation], &at, insn))
		return false;
	isa_parse_space(&at);
	if (!is_line_end(at.at) || isa_find(insn) != op)
		return false;
	*parse = at;
	return true;
}
