/*
 * Writes the manual page of the command on stdout: the verbs from tools/skep/verbs.def, so that the
 * page, `skep help` and the dispatcher say the same; what is prose stands here. Source of the
 * macros: man-pages(7), groff_man(7).
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *object, *command, *grammar, *text;
};

static const struct row rows[] = {
#define VERB(object, command, fn, grammar, text) {object, command, grammar, text},
#define NOTE(object, text)			 {object, NULL, NULL, text},
#include "verbs.def"
#undef VERB
#undef NOTE
};

enum { ROW_CNT = sizeof(rows) / sizeof(rows[0]) };

static const char head[] =
	".TH SKEP 1 \"\" \"skep " SKEP_VERSION "\" \"User Commands\"\n"
	".SH NAME\n"
	"skep \\- eBPF in an ordinary process, or on the real kernel\n"
	".SH SYNOPSIS\n"
	".B skep\n"
	"[\\fIoptions\\fR] \\fIobject command\\fR ...\n"
	".SH DESCRIPTION\n"
	"Verifies, compiles and runs eBPF programs without privileges and without the kernel's "
	"eBPF:\n"
	"the objects that clang builds, loaded by libbpf, filter captures, TAPs and interfaces in "
	"an\n"
	"ordinary process. With\n"
	".B \\-K\n"
	"the same verbs drive the kernel instead. Objects, commands, output and exit status are\n"
	"those of\n"
	".BR bpftool (8)\n"
	"where it has them.\n"
	".SH OPTIONS\n"
	"They may stand before or after the verb.\n"
	".TP\n.BR \\-K \", \" \\-\\-real\\-kernel\nWork on the real kernel.\n"
	".TP\n.BR \\-i \", \" \\-\\-instance \" \\fINAME\\fR\"\n"
	"Work on that running instance; without it, on the one named \\(lqdefault\\(rq.\n"
	".TP\n.BR \\-j \", \" \\-\\-json\nResults as JSON.\n"
	".TP\n.BR \\-p \", \" \\-\\-pretty\nResults as indented JSON.\n"
	".TP\n.B \\-\\-ip\nShow values of 4 and 16 bytes as addresses.\n"
	".TP\n.BR \\-f \", \" \\-\\-bpffs\nShow the pins of objects.\n"
	".TP\n.BR \\-d \", \" \\-\\-debug\nShow libbpf's own words.\n"
	".TP\n.BR \\-V \", \" \\-\\-version\nThe versions of skep and of libbpf.\n";

static const char tail[] =
	".SH EXIT STATUS\n"
	"0 when all went well. Errors exit with the low eight bits of a negative number, as in\n"
	".BR bpftool (8).\n"
	".B skep verify\n"
	"exits with 0 when all programs are accepted, 1 when some are rejected, 2 when an object "
	"could\n"
	"not be read.\n"
	".SH FILES\n"
	".TP\n.I $XDG_RUNTIME_DIR/skep/NAME/ctl.sock\nThe control socket of the instance NAME.\n"
	".SH SEE ALSO\n"
	".BR bpf (2),\n.BR bpf\\-helpers (7),\n.BR bpftool (8)\n";

/* Text for roff: a hyphen that is to be copied stays a hyphen, a backslash a backslash. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			putchar('\\');
		putchar(*text == '\\' ? 'e' : *text);
	}
}

static void print_row(const struct row *row)
{
	if (!row->command) {
		printf(".PP\n");
		print_text(row->text);
		putchar('\n');
		return;
	}
	printf(".TP\n\\fBskep %s%s%s\\fR ", row->object, *row->object ? " " : "", row->command);
	print_text(row->grammar);
	putchar('\n');
	putchar((row->text[0] >= 'a' && row->text[0] <= 'z') ? row->text[0] - 'a' + 'A'
							     : row->text[0]);
	print_text(row->text + 1);
	printf(".\n");
}

/* Rows of one object stand together but for the verbs of their own, which are gathered. */
static void print_object(const char *object)
{
	if (*object)
		printf(".SS Object %s\n", object);
	for (size_t i = 0; i < ROW_CNT; i++)
		if (!strcmp(rows[i].object, object))
			print_row(&rows[i]);
}

static int is_first(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(rows[i].object, rows[at].object))
			return 0;
	return 1;
}

int main(void)
{
	fputs(head, stdout);
	printf(".SH VERBS\n");
	for (size_t i = 0; i < ROW_CNT; i++)
		if (is_first(i))
			print_object(rows[i].object);
	fputs(tail, stdout);
	return fflush(stdout) ? 1 : 0;
}
