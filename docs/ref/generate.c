/*
 * Writes a page of docs/ref on stdout from the table that the engine itself is built from.
 *
 *	generate isa | complaints
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "isa/isa.h"

/* ---- isa ---- */

static const char *const group_names[] = {
	[ISA_GROUP_BASE32] = "base32",
	[ISA_GROUP_BASE64] = "base64",
	[ISA_GROUP_DIVMUL32] = "divmul32",
	[ISA_GROUP_DIVMUL64] = "divmul64",
	[ISA_GROUP_ATOMIC32] = "atomic32",
	[ISA_GROUP_ATOMIC64] = "atomic64",
	[ISA_GROUP_PACKET] = "packet",
	[ISA_GROUP_LINUX] = "Linux",
	[ISA_GROUP_CALLX] = "callx",
	[ISA_GROUP_INTERNAL] = "internal",
};

/* An instruction of that row: r1 and r2, offset 4, constant 7, where they are in use. */
static void make(const struct isa_op *op, struct bpf_insn ret[2])
{
	memset(ret, 0, 2 * sizeof(*ret));
	ret[0].code = op->code;
	if (op->uses & ISA_DST)
		ret[0].dst_reg = BPF_REG_1;
	if (op->uses & ISA_SRC)
		ret[0].src_reg = BPF_REG_2;
	if (op->uses & ISA_OFF)
		ret[0].off = 4;
	if (op->uses & ISA_IMM)
		ret[0].imm = 7;
	if (op->key == ISA_KEY_OFF)
		ret[0].off = (s16)op->key_val;
	else if (op->key == ISA_KEY_IMM)
		ret[0].imm = op->key_val;
	else if (op->key == ISA_KEY_SRC)
		ret[0].src_reg = (u8)op->key_val & 0xf;
}

/* A bar would end the cell. */
static void print_cell(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_op(const struct isa_op *op)
{
	static const char *const keys[] = {
		[ISA_KEY_OFF] = "off", [ISA_KEY_IMM] = "imm", [ISA_KEY_SRC] = "src_reg"};
	struct buf text = BUF_INIT;
	struct bpf_insn insn[2];
	char key[32] = "", since[16];

	make(op, insn);
	isa_disasm(&text, insn, NULL);
	if (op->key != ISA_KEY_NONE)
		snprintf(key, sizeof(key), "%s = %d", keys[op->key], op->key_val);
	snprintf(since, sizeof(since), "%d.%d", op->since >> 8, op->since & 0xff);
	printf("| 0x%02x | %s | %s | `", op->code, key, op->name);
	print_cell(buf_text(&text));
	printf("` | %s | %s%s%s%s | v%d | %s |\n", group_names[op->group],
		op->uses & ISA_DST ? "d" : "", op->uses & ISA_SRC ? "s" : "",
		op->uses & ISA_OFF ? "o" : "", op->uses & ISA_IMM ? "i" : "", op->cpu, since);
	buf_done(&text);
}

static void print_isa(void)
{
	printf("# Instructions\n\n"
	       "Every instruction that skep knows, a row each, made from src/isa/insn.def. Code: "
	       "the opcode byte. "
	       "Key: the\nfield that tells rows of one code apart. Example: the kernel's notation "
	       "with r1 as "
	       "destination, r2 as source,\noffset 4 and constant 7. Group: conformance group of "
	       "RFC 9669; "
	       "`Linux` for what only Linux has, `callx` for code\nthat is not verified, "
	       "`internal` for what a "
	       "verifier writes and no loader may pass. Fields: destination, source,\noffset, "
	       "immediate; those "
	       "that are not in use must be 0. CPU: clang's -mcpu that first emits it. Since: the "
	       "first\n"
	       "Linux release that takes it.\n\n"
	       "| code | key | name | example | group | fields | cpu | since "
	       "|\n|---|---|---|---|---|---|---|---|\n");
	for (u32 id = 0; id < ISA_CNT; id++)
		print_op(isa_op(id));
}

/* ---- complaints ---- */

static const struct {
	const char *id, *err, *text, *human, *hint;
} complaints[] = {
#define COMPLAINT(id, err, text, human, hint) {#id, #err, text, human, hint},
#include "verifier/complaints.def"
#undef COMPLAINT
};

static void print_complaints(void)
{
	printf("# What the verifier says\n\n"
	       "Every complaint, made from src/verifier/complaints.def: the errno of the load, the "
	       "last line of the "
	       "log as Linux\nwrites it (a printf format), what that means and what to do. Ids "
	       "that begin with "
	       "UNSUPPORTED are of programs that\nLinux may accept and skep does not "
	       "understand.\n");
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++)
		printf("\n## %s\n\n    %s\n\n%s. %s %s\n", complaints[i].id, complaints[i].text,
			complaints[i].err, complaints[i].human, complaints[i].hint);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "isa"))
		print_isa();
	else if (argc == 2 && !strcmp(argv[1], "complaints"))
		print_complaints();
	else
		return 2;
	return ferror(stdout) != 0;
}
