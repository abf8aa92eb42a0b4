/*
 * Programs from instructions: through the verifier as PROG_LOAD would, or for checked runs without it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "vm/vm.h"

enum { LOG_LEVEL = 1, FLAGS_KNOWN = SKEP_UNVERIFIED };

static int map_of_fd(void *arg, int fd, bool is_idx, struct map **ret_map)
{
	return is_idx ? -EINVAL /* there is no array of descriptors */
		      : embed_map_ref(arg, fd, ret_map);
}

bool embed_is_gpl(const char *license)
{
	return !license || prog_license_is_gpl(license);
}

static void keep_log(void *arg, const char *text, size_t len)
{
	buf_add(arg, text, len);
}

/* The last line of the log that is a complaint stands before its statistics. */
static void say_rejected(struct skep_text *ret_why, int err, const char *log)
{
	const char *end = strstr(log, "processed "), *line;

	if (!end)
		end = log + strlen(log);
	while (end > log && end[-1] == '\n')
		end--;
	for (line = end; line > log && line[-1] != '\n';)
		line--;
	embed_say(ret_why, err, "the program is rejected: %.*s",
		end > line ? (int)(end - line) : (int)strlen(strerror(-err)),
		end > line ? line : strerror(-err));
}

static int load_verified(struct skep *skep, const struct vm_load *given, struct prog **ret_prog,
	struct skep_text *ret_why)
{
	struct buf log = BUF_INIT;
	struct vm_load load = *given;
	int err;

	load.log_level = LOG_LEVEL;
	load.log = keep_log;
	load.log_arg = &log;
	err = vm_prog_load(skep, &load, ret_prog);
	if (err)
		say_rejected(ret_why, err, buf_text(&log));
	buf_done(&log);
	return err;
}

static int load_unverified(struct skep *skep, const struct vm_load *load, struct prog **ret_prog,
	struct skep_text *ret_why)
{
	struct buf why = BUF_INIT;
	int err = vm_prog_load_unverified(skep, load, &why, ret_prog);

	if (err)
		embed_say(ret_why, err, "the program cannot run: %s",
			buf_text(&why)[0] ? buf_text(&why) : strerror(-err));
	buf_done(&why);
	return err;
}

int skep_prog_load(struct skep *skep, const struct skep_prog_options *given,
	struct skep_prog **ret_prog, struct skep_text *ret_why)
{
	struct skep_prog_options opts;
	struct vm_load load = {.map_get = map_of_fd, .arg = skep};
	struct skep_prog *prog;
	int err = embed_options(given, &opts, sizeof(opts));

	if (err || opts.flags & ~FLAGS_KNOWN)
		return embed_say(ret_why, -EINVAL, "options that this version does not know");
	if (!opts.insns || !opts.insn_cnt || opts.insn_cnt > PROG_INSN_MAX)
		return embed_say(ret_why, opts.insn_cnt > PROG_INSN_MAX ? -E2BIG : -EINVAL,
			"a program has 1 to %d instructions", PROG_INSN_MAX);
	load.type = opts.type;
	load.insns = opts.insns;
	load.insn_cnt = opts.insn_cnt;
	load.is_gpl = embed_is_gpl(opts.license);
	if (opts.name)
		snprintf(load.name, sizeof(load.name), "%s", opts.name);
	prog = mem_alloc(sizeof(*prog));
	if (!prog)
		return -ENOMEM;
	err = opts.flags & SKEP_UNVERIFIED ? load_unverified(skep, &load, &prog->prog, ret_why)
					   : load_verified(skep, &load, &prog->prog, ret_why);
	if (err)
		mem_free(prog);
	else
		*ret_prog = prog;
	return err;
}
