/*
 * Reading an object file, and what libbpf must not be asked to load. The file is read once: what is checked
 * is what libbpf gets.
 */
#include "object/read.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { FILE_MAX = 256 << 20 };

__attribute__((format(printf, 3, 4))) static int say(
	int err, struct port_text *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return err;
}

static int read_whole(int fd, const char *path, u8 *data, size_t len, struct port_text *err)
{
	size_t have = 0;

	while (have < len) {
		ssize_t got = pread(fd, data + have, len - have, (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return say(-EIO, err, "%s cannot be read: %s", path,
				got ? strerror(errno) : "it became shorter meanwhile");
		have += (size_t)got;
	}
	return 0;
}

/* The file as it is now: what is checked is what libbpf gets. */
int object_read(const char *path, u8 **ret_data, size_t *ret_len, struct port_text *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
	struct stat st;
	u8 *data;

	if (fd < 0 || fstat(fd, &st))
		ret = say(-errno, err, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		ret = say(-EINVAL, err, "%s is no file: name an object that clang made", path);
	else if (st.st_size > FILE_MAX)
		ret = say(-E2BIG, err, "%s is too large for an object: %lld bytes (limit %d)", path,
			(long long)st.st_size, FILE_MAX);
	if (ret)
		goto out;
	data = mem_alloc((size_t)st.st_size);
	if (!data) {
		ret = say(-ENOMEM, err, "%s cannot be read: not enough memory", path);
		goto out;
	}
	ret = read_whole(fd, path, data, (size_t)st.st_size, err);
	if (ret) {
		mem_free(data);
		goto out;
	}
	*ret_data = data;
	*ret_len = (size_t)st.st_size;
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Programs for which libbpf reads the kernel's types. */
static bool needs_kernel_types(const struct bpf_program *p)
{
	enum bpf_prog_type type = bpf_program__type(p);

	return bpf_program__autoload(p) &&
	       (type == BPF_PROG_TYPE_STRUCT_OPS || type == BPF_PROG_TYPE_LSM ||
		       type == BPF_PROG_TYPE_TRACING);
}

int object_can_load(const struct bpf_object *object, struct port_text *err)
{
	const struct bpf_program *p = NULL;
	const struct bpf_map *map, *ops = NULL;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			ops = map;
	}
	while (ops && (p = bpf_object__next_program(object, (struct bpf_program *)p)))
		if (needs_kernel_types(p))
			return 0;
	/* libbpf looks for the map in the kernel's types without having read them. */
	if (ops)
		return say(-EOPNOTSUPP, err,
			"struct_ops map %s needs one of its programs: load them together",
			bpf_map__name(ops));
	return 0;
}
