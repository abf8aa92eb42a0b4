/*
 * libbpf's errors for a bad file are an errno and lines meant for its developers. So the file is
 * looked at first, as far as the ELF header and the section table, and what is wrong with it is said
 * in one sentence; what libbpf finds later is passed on in its own last words.
 */
#include "object.h"

#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
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

/* Sections end where the file says, or it was cut. */
static int check_sections(
	int fd, const char *path, const Elf64_Ehdr *head, u64 file_len, struct port_text *err)
{
	u64 end = head->e_shoff + (u64)head->e_shnum * sizeof(Elf64_Shdr);
	Elf64_Shdr section;

	if (!head->e_shoff || head->e_shentsize != sizeof(section))
		return say(-EINVAL, err,
			"%s has no sections: it is no relocatable object "
			"(compile with clang -O2 -g --target=bpf -c)",
			path);
	if (end < head->e_shoff || end > file_len)
		return say(-EINVAL, err,
			"%s is cut short: its section table ends at byte %llu, "
			"the file at %llu; compile or copy it again",
			path, (unsigned long long)end, (unsigned long long)file_len);
	for (u32 i = 0; i < head->e_shnum; i++) {
		if (pread(fd, &section, sizeof(section),
			    (off_t)(head->e_shoff + i * sizeof(section))) != sizeof(section))
			return say(-EIO, err, "%s cannot be read: %s", path, strerror(errno));
		if (section.sh_type == SHT_NOBITS)
			continue;
		end = section.sh_offset + section.sh_size;
		if (end < section.sh_offset || end > file_len)
			return say(-EINVAL, err,
				"%s is cut short: section %u ends at byte %llu, the file at %llu; "
				"compile or copy it again",
				path, i, (unsigned long long)end, (unsigned long long)file_len);
	}
	return 0;
}

static int check_elf(int fd, const char *path, struct port_text *err)
{
	Elf64_Ehdr head;
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st))
		return say(-errno, err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return say(-EINVAL, err, "%s is no file: name an object that clang made", path);
	len = pread(fd, &head, sizeof(head), 0);
	if (len < 0)
		return say(-errno, err, "%s: %s", path, strerror(errno));
	if (len < SELFMAG || memcmp(head.e_ident, ELFMAG, SELFMAG))
		return say(-EINVAL, err,
			"%s is not an ELF file: name the object that clang made "
			"(clang -O2 -g --target=bpf -c FILE.c -o FILE.o)",
			path);
	if (len < (ssize_t)sizeof(head))
		return say(-EINVAL, err, "%s is cut short: not even its ELF header is whole", path);
	if (head.e_ident[EI_CLASS] != ELFCLASS64 ||
		(head.e_machine != EM_BPF && head.e_machine != EM_NONE))
		return say(-EINVAL, err,
			"%s is an ELF file for another machine (number %u): "
			"compile with --target=bpf",
			path, head.e_machine);
	if (head.e_ident[EI_DATA] != ELFDATA2LSB)
		return say(-EINVAL, err,
			"%s is big endian, this machine is not: compile with "
			"--target=bpfel",
			path);
	return check_sections(fd, path, &head, (u64)st.st_size, err);
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

int object_try_open(const char *path, struct bpf_object **ret, struct port_text *err)
{
	struct bpf_object *object;
	int fd, ret_err;

	out_bpf_forget(NULL);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say(-errno, err, "%s: %s", path, strerror(errno));
	ret_err = check_elf(fd, path, err);
	close(fd);
	if (ret_err)
		return ret_err;
	object = bpf_object__open_file(path, NULL);
	if (!object) {
		char reason[256];

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

int object_open(struct tool *t, const char *path, struct bpf_object **ret)
{
	struct port_text text = {0};
	int err = object_try_open(path, ret, &text);

	return err ? fail(t, "%s", text.text) : 0;
}

/* A complaint may follow the instruction on its line: "8: (5d) if ... infinite loop detected". */
static const char *past_insn(const char *line, const char *end)
{
	static const char *const complaints[] = {"infinite loop detected"};

	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
		const char *at = memmem(
			line, (size_t)(end - line), complaints[i], strlen(complaints[i]));

		if (at)
			return at;
	}
	return line;
}

bool object_log_is_noise(const char *line)
{
	static const char *const noise[] = {"processed ", "verification time ", "stack depth ",
		"max_states", "-- END", "mark_precise", "peak_states", "cur state:", "old state:"};

	for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
		if (!strncmp(line, noise[i], strlen(noise[i])))
			return true;
	return false;
}

const char *object_log_reason(const char *log, size_t *ret_len)
{
	const char *end = log + strlen(log), *line;

	for (; end > log; end = line) {
		while (end > log && end[-1] == '\n')
			end--;
		for (line = end; line > log && line[-1] != '\n';)
			line--;
		if (end > line && !object_log_is_noise(line)) {
			line = past_insn(line, end);
			*ret_len = (size_t)(end - line);
			return line;
		}
	}
	return NULL;
}

/*
 * The log libbpf printed between its BEGIN and END marks, or NULL. The text is not changed; the log
 * runs up to ret_end.
 */
static const char *find_log(const char *text, const char **ret_end)
{
	static const char begin[] = "-- BEGIN PROG LOAD LOG --\n",
			  end[] = "-- END PROG LOAD LOG --";
	const char *from = strstr(text, begin), *to;

	if (!from)
		return NULL;
	from += sizeof(begin) - 1;
	to = strstr(from, end);
	*ret_end = to ? to : from + strlen(from);
	return from;
}

int object_load_failed(struct tool *t, const char *path, const char *prog, int err)
{
	const char *text = out_bpf_text(t), *end, *log = find_log(text, &end), *reason;
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
	err = bpf_object__load(object);
	if (err)
		return object_load_failed(t, path, bpf_program__name(prog), err);
	fd = dup(bpf_program__fd(prog));
	if (fd < 0)
		return fail(t, "can't keep a descriptor: %s", errno_text(errno));
	*ret_fd = fd;
	return 0;
}
