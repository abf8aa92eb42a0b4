/*
 * libbpf's errors for a bad file are an errno and lines meant for its developers, and there are files
 * that it does not survive. So the file is read once, checked (object_check.c), and only then given to
 * libbpf; what libbpf finds later is passed on in its own last words.
 */
#include "object.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "object/check.h"
#include "object/log.h"
#include "object/read.h"
#include "out.h"

__attribute__((format(printf, 3, 4))) static int say(
	int err, struct port_text *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return err;
}

/* What libbpf says last is often that it failed; why stands above. */
static bool says_nothing(const char *line)
{
	static const char *const phrases[] = {"failed to load object", "failed to load program"};

	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (strstr(line, phrases[i]))
			return true;
	return false;
}

const char *object_libbpf_reason(struct tool *t, char *buf, size_t len)
{
	const char *line = out_bpf_text(t);
	char copy[512];

	buf[0] = 0;
	while (*line) {
		size_t line_len = strcspn(line, "\n");

		snprintf(copy, sizeof(copy), "%.*s", (int)line_len, line);
		if (line_len && (!buf[0] || !says_nothing(copy)))
			snprintf(buf, len, "%s", !strncmp(copy, "libbpf: ", 8) ? copy + 8 : copy);
		line += line_len + (line[line_len] == '\n');
	}
	return buf;
}

/* libbpf's open of a path names the object so: the file's name up to its first dot. */
static void name_object(const char *path, char *name, size_t len)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	snprintf(name, len, "%.*s", (int)strcspn(base, "."), base);
}

static int open_checked(const char *path, const u8 *data, size_t len, struct bpf_object **ret,
	struct port_text *err)
{
	char name[NAME_MAX + 1], reason[256];
	const struct bpf_object_open_opts opts = {.sz = sizeof(opts), .object_name = name};
	int ret_err = object_check(path, data, len, err);
	struct bpf_object *object;

	if (ret_err)
		return ret_err;
	name_object(path, name, sizeof(name));
	object = bpf_object__open_mem(data, len, &opts);
	if (!object) {
		ret_err = -errno;
		object_libbpf_reason(NULL, reason, sizeof(reason));
		return say(ret_err, err, "%s cannot be opened: %s", path,
			reason[0] ? reason : strerror(-ret_err));
	}
	if (!bpf_object__next_program(object, NULL)) {
		bpf_object__close(object);
		return say(-ENOENT, err, "%s has no programs: mark a function with SEC(\"xdp\")",
			path);
	}
	*ret = object;
	return 0;
}

int object_try_open(const char *path, struct bpf_object **ret, struct port_text *err)
{
	size_t len = 0;
	u8 *data = NULL;
	int ret_err;

	out_bpf_forget(NULL);
	ret_err = object_read(path, &data, &len, err);
	if (ret_err)
		return ret_err;
	ret_err = open_checked(path, data, len, ret, err);
	mem_free(data); /* libbpf has copied what it needs */
	return ret_err;
}

int object_types(const char *path, struct btf **ret, struct port_text *err)
{
	const void *types = NULL;
	struct btf *btf = NULL;
	u32 types_len = 0;
	size_t len = 0;
	u8 *data = NULL;
	int ret_err = object_read(path, &data, &len, err);

	if (ret_err)
		return ret_err;
	ret_err = object_check_types(path, data, len, &types, &types_len, err);
	if (ret_err == -ENOENT)
		say(ret_err, err, "%s has no BTF: compile it with -g", path);
	if (!ret_err) {
		btf = btf__new(types, types_len);
		if (!btf)
			ret_err = say(-errno, err, "%s: its types cannot be read: %s", path,
				strerror(errno));
	}
	mem_free(data);
	if (!ret_err) {
		btf__set_pointer_size(btf, sizeof(u64));
		*ret = btf;
	}
	return ret_err;
}

int object_load(struct bpf_object *object)
{
	struct port_text why;
	int err = object_can_load(object, &why);

	if (err) {
		out_bpf_add("%s", why.text);
		return err;
	}
	return bpf_object__load(object);
}

int object_open(struct tool *t, const char *path, struct bpf_object **ret)
{
	struct port_text text = {0};
	int err = object_try_open(path, ret, &text);

	return err ? fail(t, "%s", text.text) : 0;
}

int object_load_failed(struct tool *t, const char *path, const char *prog, int err)
{
	const char *text = out_bpf_text(t), *end, *log = object_log_find(text, &end), *reason;
	char copy[1024];
	size_t len;

	if (err == -EPERM && t->port->ops->is_kernel && !log)
		return fail(t,
			"%s: the kernel does not let this user load programs: -K needs root, "
			"or CAP_BPF and CAP_NET_ADMIN",
			path);
	if (!log) {
		object_libbpf_reason(t, copy, sizeof(copy));
		return fail(t, "%s: %s%scannot be loaded: %s (%s)", path, prog ? prog : "",
			prog ? " " : "", copy[0] ? copy : "no reason was given", errno_text(err));
	}
	len = MIN((size_t)(end - log), sizeof(copy) - 1);
	memcpy(copy, end - len, len); /* the last words are at the end */
	copy[len] = 0;
	reason = object_log_reason(copy, &len);
	return fail(t, "%s: %s rejected %s: %.*s; `skep verify %s` explains", path,
		prog ? prog : "a program is", errno_name(err) ? errno_name(err) : "error",
		reason ? (int)len : 0, reason ? reason : "", path);
}

int object_load_one(struct tool *t, struct bpf_object *object, const char *path,
	struct bpf_program *prog, int *ret_fd)
{
	struct bpf_program *p;
	int err, fd;

	if (!prog)
		prog = bpf_object__next_program(object, NULL);
	bpf_object__for_each_program(p, object) bpf_program__set_autoload(p, p == prog);
	out_bpf_forget(t);
	err = object_load(object);
	if (err)
		return object_load_failed(t, path, bpf_program__name(prog), err);
	fd = dup(bpf_program__fd(prog));
	if (fd < 0)
		return fail(t, "can't keep a descriptor: %s", errno_text(errno));
	*ret_fd = fd;
	return 0;
}
