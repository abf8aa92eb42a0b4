/*
 * A classic filter from text to a loaded program. `tcpdump -ddd` writes the number of instructions and
 * four decimal numbers for each; `tcpdump -dd` writes them as C initialisers. Both are numbers with
 * signs between, and the brace tells them apart.
 */
#include "filter.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "isa/classic.h"
#include "out.h"

enum { TEXT_MAX = 1 << 20, LOG_LEN = 1 << 16, NUMBERS = 4 };

struct filter {
	struct isa_classic insns[ISA_CLASSIC_MAX];
	u32 cnt;
};

static int read_text(struct tool *t, const char *path, char *text)
{
	FILE *file = !strcmp(path, "-") ? stdin : fopen(path, "re");
	size_t len;
	int err = 0;

	if (!file)
		return fail(t, "%s: %s", path, strerror(errno));
	len = fread(text, 1, TEXT_MAX - 1, file);
	if (ferror(file))
		err = fail(t, "%s: %s", path, strerror(errno));
	else if (len == TEXT_MAX - 1)
		err = fail(t, "%s is too long for a filter", path);
	else if (memchr(text, 0, len))
		err = fail(t, "%s is no text: a filter is what `tcpdump -ddd` prints", path);
	text[len] = 0;
	if (file != stdin)
		fclose(file);
	return err;
}

/* The next number; signs of C between numbers are passed over. False at the end. */
static bool next_number(const char **text, u64 *ret, bool *ret_is_bad)
{
	char *end;

	*text += strspn(*text, " \t\r\n{},");
	*ret_is_bad = false;
	if (!**text)
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 0);
	*ret_is_bad = end == *text || errno || !isdigit((unsigned char)**text) ||
		      (*end && !strchr(" \t\r\n{},", *end)) || *ret > UINT32_MAX;
	*text = end;
	return !*ret_is_bad;
}

static int bad_text(struct tool *t, const char *path, const char *text, const char *at)
{
	u32 line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return fail(t, "%s:%u: `tcpdump -ddd` prints numbers of 32 bits, this is '%.*s'", path,
		line, (int)strcspn(at, "\r\n"), at);
}

static int parse_insns(struct tool *t, const char *path, const char *text, struct filter *f)
{
	const char *at = text, *before;
	u64 n[NUMBERS], announced = UINT64_MAX;
	u32 have = 0;
	bool bad;

	if (text[strspn(text, " \t\r\n")] != '{' && !next_number(&at, &announced, &bad))
		return bad ? bad_text(t, path, text, text) : fail(t, "%s is empty", path);
	for (before = at; next_number(&at, &n[have], &bad); before = at) {
		if (++have < NUMBERS)
			continue;
		have = 0;
		if (f->cnt == ISA_CLASSIC_MAX)
			return fail(t, "%s has more than %d instructions", path, ISA_CLASSIC_MAX);
		if (n[0] > UINT16_MAX || n[1] > UINT8_MAX || n[2] > UINT8_MAX)
			return fail(t, "%s: instruction %u has numbers that are too large", path,
				f->cnt);
		f->insns[f->cnt++] = (struct isa_classic){(u16)n[0], (u8)n[1], (u8)n[2], (u32)n[3]};
	}
	if (bad)
		return bad_text(t, path, text, before + strspn(before, " \t\r\n{},"));
	if (have || (announced != UINT64_MAX && announced != f->cnt))
		return fail(t, "%s is cut: it says %llu instructions and has %u%s", path,
			(unsigned long long)(announced == UINT64_MAX ? f->cnt + 1 : announced),
			f->cnt, have ? " and a part of one" : "");
	return 0;
}

static int load(
	struct tool *t, const char *path, const struct filter *f, bool as_classifier, int *ret_fd)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	char *log = mem_zalloc(LOG_LEN);
	struct buf why = BUF_INIT;
	struct bpf_insn *insns = NULL;
	u32 cnt = 0;
	int fd, err = log ? isa_from_classic(f->insns, f->cnt, &why, &insns, &cnt) : -ENOMEM;

	if (err) {
		err = fail(t, "%s: %s", path, buf_text(&why)[0] ? buf_text(&why) : errno_text(err));
		goto out;
	}
	opts.log_buf = log;
	opts.log_size = LOG_LEN;
	opts.log_level = 1;
	fd = bpf_prog_load(as_classifier ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_SOCKET_FILTER,
		"filter", "GPL", insns, cnt, &opts);
	if (fd < 0)
		err = fail(t, "%s cannot be loaded: %s%s%s", path, errno_text(fd),
			log[0] ? ": " : "", log);
	else
		*ret_fd = fd;
out:
	mem_free(insns);
	mem_free(log);
	buf_done(&why);
	return err;
}

int filter_load(struct tool *t, const char *path, bool as_classifier, int *ret_fd)
{
	struct filter *f = mem_zalloc(sizeof(*f));
	char *text = mem_alloc(TEXT_MAX);
	int err = f && text ? read_text(t, path, text) : fail(t, "out of memory");

	if (!err)
		err = parse_insns(t, path, text, f);
	if (!err)
		err = load(t, path, f, as_classifier, ret_fd);
	mem_free(text);
	mem_free(f);
	return err;
}
