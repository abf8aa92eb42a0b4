/*
 * bpf(2) beside the running kernel: the same calls, most of them wrong in one way, on both engines. Each
 * call's result (errno, or that a descriptor came) and what was written back must be the same.
 *
 * A section makes calls through `eng` and names each result; it runs once on each engine, and the two lists
 * are compared line by line. Sections that need what an engine lacks are left out by name, never silently:
 * commands that skep answers with EOPNOTSUPP are compared only where the attribute itself is wrong.
 *
 * Runs in a network namespace of its own. Exit 77 where bpf(2) may not be used.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/skep.h>

#include "base/buf.h"
#include "btf/btf.h"
#include "sys/attr.h"
#include "sys/verbs.h"

enum { SKIPPED = 77, PAGE = 4096, DIFF_SHOWN_MAX = 100 };

struct engine {
	const char *name;
	struct skep *skep; /* NULL: the kernel */
	struct buf lines;
	const char *section;
	u32 link_ifindex;
	int map, prog, prog2, btf, link; /* one good object of each kind */
};

static struct engine *eng;
static u8 page[2 * PAGE] __attribute__((aligned(PAGE)));

static long call(int cmd, void *attr, u32 size)
{
	long ret;

	if (eng->skep)
		return skep_bpf(eng->skep, cmd, attr, size);
	ret = syscall(__NR_bpf, cmd, attr, size);
	return ret < 0 ? -errno : ret;
}

static void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_printf(&eng->lines, "%s: ", eng->section);
	buf_vprintf(&eng->lines, fmt, ap);
	buf_str(&eng->lines, "\n");
	va_end(ap);
}

static const char *result_text(long ret)
{
	static char text[32];

	if (ret < 0 && strerrorname_np(-ret))
		return strerrorname_np(-ret);
	snprintf(text, sizeof(text), ret > 0 ? "fd" : "%ld", ret);
	return text;
}

/* Records a call; a descriptor that came is closed. */
static void try_size(const char *what, int cmd, const union sys_attr *attr, u32 size)
{
	union sys_attr copy = *attr;
	long ret = call(cmd, &copy, size);

	line("%s = %s", what, result_text(ret));
	if (ret > 0)
		close(ret);
}

static void try(const char *what, int cmd, const union sys_attr *attr)
{
	try_size(what, cmd, attr, SYS_ATTR_SIZE);
}

static void tryf(int cmd, const union sys_attr *attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void tryf(int cmd, const union sys_attr *attr, const char *fmt, ...)
{
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	try(what, cmd, attr);
}

/* --- good arguments to start from -------------------------------------------------------------- */

static const struct bpf_insn return_pass[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
	{.code = BPF_JMP | BPF_EXIT},
};

static union sys_attr map_attr(u32 type)
{
	union sys_attr attr = {0};

	attr.map_create.map_type = type;
	attr.map_create.key_size = type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4;
	attr.map_create.value_size = 8;
	attr.map_create.max_entries = 4;
	if (type == BPF_MAP_TYPE_LPM_TRIE)
		attr.map_create.map_flags = BPF_F_NO_PREALLOC;
	return attr;
}

static union sys_attr prog_attr(void)
{
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)return_pass;
	attr.prog_load.insn_cnt = ARRAY_SIZE(return_pass);
	attr.prog_load.license = (uintptr_t) "GPL";
	return attr;
}

/* int (id 1), func_proto int(void) (2), func f (3), struct s { int a; } (4) */
static const struct {
	struct btf_header head;
	u32 types[3 + 1 + 3 + 3 + 3 + 3];
	char strs[16];
} btf_raw_bytes = {
	.head = {.magic = 0xeb9f,
		.version = 1,
		.hdr_len = sizeof(struct btf_header),
		.type_len = 64,
		.str_off = 64,
		.str_len = 13},
	.types = {1, BTF_KIND_INT << 24, 4, BTF_INT_SIGNED << 24 | 32, 0, BTF_KIND_FUNC_PROTO << 24,
		1, 5, BTF_KIND_FUNC << 24, 2, 7, BTF_KIND_STRUCT << 24 | 1, 4, 9, 1, 0},
	.strs = "\0int\0f\0s\0a\0\0",
};

static union sys_attr btf_attr(void)
{
	union sys_attr attr = {0};

	attr.btf_load.btf = (uintptr_t)&btf_raw_bytes;
	attr.btf_load.btf_size = sizeof(btf_raw_bytes.head) + 64 + 13;
	return attr;
}

static int need(long fd, const char *what)
{
	if (fd < 0) {
		fprintf(stderr, "%s: cannot make the %s the test begins with: %s\n", eng->name,
			what, strerrorname_np(-fd));
		exit(1);
	}
	return fd;
}

static int make(int cmd, union sys_attr attr, const char *what)
{
	return need(call(cmd, &attr, SYS_ATTR_SIZE), what);
}

static int make_link(void)
{
	union sys_attr attr = {0};

	attr.link_create.prog_fd = eng->prog;
	attr.link_create.target = eng->link_ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = 2; /* generic mode: any interface has it */
	return make(BPF_LINK_CREATE, attr, "link");
}

static void make_objects(void)
{
	eng->map = make(BPF_MAP_CREATE, map_attr(BPF_MAP_TYPE_HASH), "map");
	eng->prog = make(BPF_PROG_LOAD, prog_attr(), "program");
	eng->prog2 = make(BPF_PROG_LOAD, prog_attr(), "program");
	eng->btf = make(BPF_BTF_LOAD, btf_attr(), "BTF");
	eng->link = make_link();
}

/* A descriptor that is open and no object, and one that is not open. */
static int other_fd, closed_fd = 987654;

static void try_fds(int cmd, union sys_attr *attr, u32 *fd, const char *field)
{
	u32 good = *fd;
	const struct {
		const char *what;
		int fd;
	} cases[] = {
		{"closed", closed_fd},
		{"-1", -1},
		{"file", other_fd},
		{"map", eng->map},
		{"prog", eng->prog},
		{"btf", eng->btf},
		{"link", eng->link},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		*fd = cases[i].fd;
		tryf(cmd, attr, "cmd %d %s %s", cmd, field, cases[i].what);
	}
	*fd = good;
}

/* --- the attribute itself ---------------------------------------------------------------------- */

/* Known and not available here: what the command would do is not compared. */
static const u8 unavailable[] = {8, 9, 16, 17, 20, 21, 24, 25, 26, 27, 32, 33, 36, 37};

static bool is_unavailable(int cmd)
{
	return memchr(unavailable, cmd, sizeof(unavailable)) != NULL;
}

static void section_sizes(void)
{
	static const u32 sizes[] = {0, 1, 3, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64, 72, 100, 120,
		144, 160, 167, 168, 169, 200, 512, 4095, 4096, 4097, 65536, 0xffffffff};

	for (int cmd = 0; cmd <= 60; cmd++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			char what[64];

			if (is_unavailable(cmd) && sizes[i] <= PAGE)
				continue;
			memset(page, 0, sizeof(page));
			snprintf(what, sizeof(what), "cmd %d size %u", cmd, sizes[i]);
			line("%s = %s", what, result_text(call(cmd, page, sizes[i])));
		}
}

static void section_tails(void)
{
	static const u32 places[] = {168, 169, 255, 1000, 4094, 4095};

	for (int cmd = 0; cmd <= 60; cmd++)
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			memset(page, 0, sizeof(page));
			page[places[i]] = 1;
			line("cmd %d tail at %u = %s", cmd, places[i],
				result_text(call(cmd, page, PAGE)));
			if (is_unavailable(cmd))
				continue;
			line("cmd %d tail at %u past the size = %s", cmd, places[i],
				result_text(call(cmd, page, 100)));
		}
}

static void section_memory(void)
{
	u8 *none = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(none + PAGE, PAGE);
	for (int cmd = 0; cmd <= 40; cmd++) {
		line("cmd %d NULL = %s", cmd, result_text(call(cmd, NULL, 16)));
		line("cmd %d at 1 = %s", cmd, result_text(call(cmd, (void *)1, 16)));
		line("cmd %d not there = %s", cmd, result_text(call(cmd, none + PAGE, 100)));
		line("cmd %d runs off = %s", cmd, result_text(call(cmd, none + PAGE - 8, 100)));
		line("cmd %d tail runs off = %s", cmd,
			result_text(call(cmd, none + PAGE - 168, 200)));
	}
	munmap(none, PAGE);
	munmap(none + 2 * PAGE, PAGE);
}

/* One byte of an otherwise zero attribute: what is after the last field is EINVAL, what is a field may be
 * anything, but the same. */
static void section_bytes(void)
{
	static const u8 values[] = {1, 0x80, 0xff};

	for (int cmd = 0; cmd <= 38; cmd++) {
		/* numbers of objects mean different objects */
		bool has_id = cmd == 13 || cmd == 14 || cmd == 19 || cmd == 30 || cmd == 11 ||
			      cmd == 12 || cmd == 23 || cmd == 31;

		if (is_unavailable(cmd))
			continue;
		for (u32 at = has_id ? 4 : 0; at < SYS_ATTR_SIZE; at++)
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				union sys_attr attr = {0};

				if (has_id)
					attr.by_id.id = 0x7ffffff0;
				attr.bytes[at] = values[v];
				tryf(cmd, &attr, "cmd %d byte %u = %#x", cmd, at, values[v]);
			}
	}
}

/* For commands that are not available, the bytes after the last field still decide. */
static void section_unused(void)
{
	static const struct {
		u8 cmd, end;
	} ends[] = {{8, 32}, {9, 32}, {16, 64}, {17, 24}, {20, 48}, {21, 32}, {24, 56}, {25, 56},
		{26, 56}, {27, 56}, {32, 4}, {33, 8}, {36, 8}, {37, 20}};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		for (u32 at = ends[i].end; at < SYS_ATTR_SIZE; at++) {
			union sys_attr attr = {0};

			attr.bytes[at] = 1;
			tryf(ends[i].cmd, &attr, "cmd %d byte %u", ends[i].cmd, at);
		}
}

/* --- maps -------------------------------------------------------------------------------------- */

static const u32 map_types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
	BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LPM_TRIE};

static void section_map_create(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_types); i++) {
		union sys_attr good = map_attr(map_types[i]), attr;
		u32 t = map_types[i];

#define WITH(field, value)                                                                         \
	(attr = good, attr.map_create.field = (value),                                             \
		tryf(BPF_MAP_CREATE, &attr, "type %u " #field " = " #value, t))
		WITH(key_size, 0);
		WITH(key_size, 3);
		WITH(key_size, 5);
		WITH(key_size, 512);
		WITH(key_size, 513);
		WITH(key_size, 0xffffffff);
		WITH(value_size, 0);
		WITH(value_size, 1);
		WITH(value_size, 0xffffffff);
		WITH(value_size, 1 << 20);
		WITH(max_entries, 0);
		WITH(max_entries, 0xffffffff);
		WITH(numa_node, 0);
		WITH(numa_node, 7);
		WITH(map_extra, 1);
		WITH(map_ifindex, 9999);
		WITH(btf_fd, eng->btf);
		WITH(btf_fd, closed_fd);
		WITH(btf_key_type_id, 1);
		WITH(btf_value_type_id, 1);
		WITH(btf_vmlinux_value_type_id, 1);
		WITH(value_type_btf_obj_fd, 1);
		WITH(map_token_fd, 1);
		WITH(excl_prog_hash_size, 32);
		WITH(inner_map_fd, eng->map);
#undef WITH
		for (u32 bit = 0; bit < 32; bit++) {
			attr = good;
			attr.map_create.map_flags ^= 1u << bit;
			/* with a token flag the answer is of the descriptor 0 that is given */
			if (1u << bit == BPF_F_TOKEN_FD)
				attr.map_create.map_token_fd = closed_fd;
			tryf(BPF_MAP_CREATE, &attr, "type %u flags ^ 1 << %u", t, bit);
		}
	}
	for (u32 t = 34; t < 50; t++) {
		union sys_attr attr = map_attr(t);

		tryf(BPF_MAP_CREATE, &attr, "type %u", t);
	}
}

static void section_map_btf(void)
{
	union sys_attr good = map_attr(BPF_MAP_TYPE_ARRAY), attr;
	u32 ids[] = {0, 1, 2, 3, 4, 5, 0xffffffff};

	good.map_create.value_size = 4;
	for (size_t k = 0; k < ARRAY_SIZE(ids); k++)
		for (size_t v = 0; v < ARRAY_SIZE(ids); v++) {
			attr = good;
			attr.map_create.btf_fd = eng->btf;
			attr.map_create.btf_key_type_id = ids[k];
			attr.map_create.btf_value_type_id = ids[v];
			tryf(BPF_MAP_CREATE, &attr, "array key id %u value id %u", ids[k], ids[v]);
			attr.map_create.map_type = BPF_MAP_TYPE_HASH;
			tryf(BPF_MAP_CREATE, &attr, "hash key id %u value id %u", ids[k], ids[v]);
		}
	attr = good;
	attr.map_create.btf_key_type_id = attr.map_create.btf_value_type_id = 1;
	try_fds(BPF_MAP_CREATE, &attr, &attr.map_create.btf_fd, "btf_fd");
}

static void section_names(void)
{
	static const char *const names[] = {"", "a", "A.b_9", "a b", "a-b", "caf\xc3\xa9", "a/b",
		"123456789012345", "1234567890123456", "\x01", "a\n"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		union sys_attr map = map_attr(BPF_MAP_TYPE_HASH), prog = prog_attr();

		memcpy(map.map_create.map_name, names[i], MIN(strlen(names[i]), 16));
		memcpy(prog.prog_load.prog_name, names[i], MIN(strlen(names[i]), 16));
		tryf(BPF_MAP_CREATE, &map, "map name %zu", i);
		tryf(BPF_PROG_LOAD, &prog, "prog name %zu", i);
	}
}

static void try_elem(
	const char *what, int cmd, int fd, const void *key, const void *value, u64 flags)
{
	union sys_attr attr = {0};

	attr.uapi.map_fd = fd;
	attr.uapi.key = (uintptr_t)key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	tryf(cmd, &attr, "cmd %d %s", cmd, what);
}

static const int elem_cmds[] = {
	BPF_MAP_UPDATE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_DELETE_ELEM};

/* Every element command with every kind of wrong pointer, on a map opened that way. */
static void try_elems(const char *how, int fd)
{
	u32 key = 1;
	u64 value[1024] = {0};
	char what[64];

	for (size_t i = 0; i < ARRAY_SIZE(elem_cmds); i++) {
		int cmd = elem_cmds[i];
		u64 flags = 0;

#define TRY(text, key, value, flags)                                                               \
	(snprintf(what, sizeof(what), "%s: %s", how, text),                                        \
		try_elem(what, cmd, fd, key, value, flags))
		TRY("good", &key, value, flags);
		TRY("key NULL", NULL, value, flags);
		TRY("value NULL", &key, NULL, flags);
		TRY("key bad", (void *)8, value, flags);
		TRY("value bad", &key, (void *)8, flags);
		TRY("both bad", (void *)8, (void *)8, flags);
#undef TRY
	}
}

static void section_elems(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_types); i++) {
		static const u32 modes[] = {0, BPF_F_RDONLY, BPF_F_WRONLY};

		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			union sys_attr attr = map_attr(map_types[i]);
			char how[64];
			int fd;

			attr.map_create.map_flags |= modes[m];
			fd = make(BPF_MAP_CREATE, attr, "map");
			snprintf(how, sizeof(how), "type %u mode %#x", map_types[i], modes[m]);
			try_elems(how, fd);
			attr = (union sys_attr){.uapi.map_fd = fd};
			tryf(BPF_MAP_FREEZE, &attr, "%s: freeze", how);
			try_elems("frozen", fd);
			tryf(BPF_MAP_FREEZE, &attr, "%s: freeze again", how);
			close(fd);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(elem_cmds); i++) {
		union sys_attr attr = {0};
		u32 key = 1;
		u64 value = 0;

		attr.uapi.key = (uintptr_t)&key;
		attr.uapi.value = (uintptr_t)&value;
		try_fds(elem_cmds[i], &attr, &attr.uapi.map_fd, "map_fd");
	}
}

static void section_elem_flags(void)
{
	static const u64 flags[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 1ull << 32, ~0ull};
	u64 value[1024] = {0};
	u32 key = 1;

	for (size_t t = 0; t < ARRAY_SIZE(map_types); t++) {
		union sys_attr attr = map_attr(map_types[t]);
		int fd = make(BPF_MAP_CREATE, attr, "map");

		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			char what[64];

			snprintf(what, sizeof(what), "type %u flags %#llx", map_types[t],
				(unsigned long long)flags[i]);
			for (size_t c = 0; c < ARRAY_SIZE(elem_cmds); c++)
				try_elem(what, elem_cmds[c], fd, &key, value, flags[i]);
		}
		close(fd);
	}
}

/* --- programs ---------------------------------------------------------------------------------- */

static void section_prog_load(void)
{
	union sys_attr good = prog_attr(), attr;
	static char long_license[4096];

	memset(long_license, 'x', sizeof(long_license) - 1);
#define WITH(field, value)                                                                         \
	(attr = good, attr.prog_load.field = (value),                                              \
		tryf(BPF_PROG_LOAD, &attr, #field " = " #value))
	WITH(insn_cnt, 0);
	WITH(insn_cnt, 1);
	WITH(insn_cnt, 1000001);
	WITH(insn_cnt, 0xffffffff);
	WITH(insns, 0);
	WITH(insns, 8);
	WITH(license, 0);
	WITH(license, 8);
	WITH(license, (uintptr_t) "");
	WITH(license, (uintptr_t)long_license);
	WITH(kern_version, 0x10203);
	WITH(expected_attach_type, 1);
	WITH(expected_attach_type, BPF_XDP_DEVMAP);
	WITH(prog_ifindex, 9999);
	WITH(prog_btf_fd, closed_fd);
	WITH(prog_btf_fd, eng->map);
	WITH(func_info_rec_size, 8);
	WITH(func_info, 8);
	WITH(line_info_rec_size, 8);
	WITH(attach_btf_id, 1);
	WITH(attach_prog_fd, closed_fd);
	WITH(attach_prog_fd, other_fd);
	WITH(attach_prog_fd, eng->prog);
	WITH(attach_prog_fd, eng->map);
	WITH(attach_prog_fd, eng->btf);
	WITH(fd_array, 8);
	WITH(core_relos, 8);
	WITH(core_relo_rec_size, 1);
	WITH(log_true_size, 77);
	WITH(prog_token_fd, 1);
	WITH(fd_array_cnt, 1);
	WITH(fd_array_cnt, 0xffffffff);
	WITH(keyring_id, 1);
#undef WITH
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.prog_load.prog_flags = 1u << bit;
		attr.prog_load.prog_token_fd = 0;
		if (1u << bit == BPF_F_TOKEN_FD)
			attr.prog_load.prog_token_fd = closed_fd;
		if (1u << bit == BPF_F_SLEEPABLE || 1u << bit == BPF_F_XDP_DEV_BOUND_ONLY)
			continue; /* the verifier's, and of programs bound to devices */
		tryf(BPF_PROG_LOAD, &attr, "flags 1 << %u", bit);
	}
	for (u32 t = 33; t < 40; t++) {
		attr = good;
		attr.prog_load.prog_type = t;
		tryf(BPF_PROG_LOAD, &attr, "type %u", t);
	}
}

static void section_fd_array(void)
{
	int fds[] = {eng->map, eng->btf, eng->map};
	union sys_attr attr = prog_attr();

	attr.prog_load.fd_array = (uintptr_t)fds;
	attr.prog_load.fd_array_cnt = 3;
	try("map, btf, map", BPF_PROG_LOAD, &attr);
	attr.prog_load.fd_array_cnt = 1;
	for (int i = 0; i < 4; i++) {
		fds[0] = i == 0 ? eng->prog : i == 1 ? other_fd : i == 2 ? closed_fd : -1;
		tryf(BPF_PROG_LOAD, &attr, "bad fd %d", i);
	}
	attr.prog_load.fd_array = 0;
	try("cnt without array", BPF_PROG_LOAD, &attr);
}

static void section_func_info(void)
{
	struct {
		u32 insn_off, type_id, more[62];
	} func[2] = {{0, 3}};
	struct {
		u32 off, file, text, col, more[60];
	} lines[4] = {{0, 1, 1, 1 << 10}};
	union sys_attr good = prog_attr(), attr;

	good.prog_load.prog_btf_fd = eng->btf;
	good.prog_load.func_info = (uintptr_t)func;
	good.prog_load.line_info = (uintptr_t)lines;
	good.prog_load.func_info_cnt = 1;
	good.prog_load.func_info_rec_size = 8;
	for (u32 size = 0; size < 300; size++) {
		if (size > 40 && size < 240)
			continue;
		attr = good;
		attr.prog_load.func_info_rec_size = size;
		tryf(BPF_PROG_LOAD, &attr, "func rec size %u", size);
		attr.prog_load.func_info_cnt = 0;
		attr.prog_load.line_info_cnt = 1;
		attr.prog_load.line_info_rec_size = size;
		tryf(BPF_PROG_LOAD, &attr, "line rec size %u alone", size);
		attr.prog_load.func_info_cnt = 1;
		attr.prog_load.func_info_rec_size = 8;
		tryf(BPF_PROG_LOAD, &attr, "line rec size %u", size);
	}
	func[0].more[3] = 1;
	for (u32 size = 8; size < 40; size += 4) {
		attr = good;
		attr.prog_load.func_info_rec_size = size;
		line("func tail size %u = %s", size, result_text(call(BPF_PROG_LOAD, &attr, 168)));
		line("func tail size %u gives %u", size, attr.prog_load.func_info_rec_size);
	}
	func[0].more[3] = 0;
	attr = good;
	attr.prog_load.func_info = 8;
	try("func info bad", BPF_PROG_LOAD, &attr);
	attr = good;
	attr.prog_load.func_info_cnt = 2;
	try("two funcs", BPF_PROG_LOAD, &attr);
	attr.prog_load.func_info_cnt = 0x7fffffff;
	try("many funcs", BPF_PROG_LOAD, &attr);
	attr = good;
	try_fds(BPF_PROG_LOAD, &attr, &attr.prog_load.prog_btf_fd, "prog_btf_fd");
	for (u32 id = 0; id < 6; id++) {
		func[0].type_id = id;
		tryf(BPF_PROG_LOAD, &good, "func type %u", id);
	}
}

static void try_log(int cmd, u32 level, u32 size, bool has_buf, bool good)
{
	static char text[PAGE];
	union sys_attr prog = prog_attr(), btf = btf_attr();
	static const struct bpf_insn no_exit[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}};
	struct btf_header bad_btf = btf_raw_bytes.head;
	long ret;

	memset(text, 1, sizeof(text));
	bad_btf.version = 2;
	if (!good) {
		prog.prog_load.insns = (uintptr_t)no_exit;
		prog.prog_load.insn_cnt = 1;
		btf.btf_load.btf = (uintptr_t)&bad_btf;
		btf.btf_load.btf_size = sizeof(bad_btf);
	}
	prog.prog_load.log_level = btf.btf_load.btf_log_level = level;
	prog.prog_load.log_size = btf.btf_load.btf_log_size = size;
	prog.prog_load.log_buf = btf.btf_load.btf_log_buf = has_buf ? (uintptr_t)text : 0;
	ret = call(cmd, cmd == BPF_PROG_LOAD ? &prog : &btf, SYS_ATTR_SIZE);
	line("cmd %d level %u size %u buf %d good %d = %s", cmd, level, size, has_buf, good,
		result_text(ret));
	line("... true size %u", cmd == BPF_PROG_LOAD ? prog.prog_load.log_true_size
						      : btf.btf_load.btf_log_true_size);
	text[PAGE - 1] = 0;
	/* a byte 1 is not the log's: it was there before */
	text[strcspn(text, "\1")] = 0;
	for (char *end; (end = strchr(text, '\n'));)
		*end = '|';
	line("... text '%s'", text);
	if (ret > 0)
		close(ret);
}

static void section_log(void)
{
	static const u32 levels[] = {0, 1, 2, 3, 8, 9, 10, 16, 0x80000000};
	static const u32 sizes[] = {0, 1, 2, 20, 128, 1000, 1u << 30};

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			for (int mode = 0; mode < 8; mode++) {
				if (sizes[s] > PAGE && mode & 1)
					continue;
				try_log(mode & 4 ? BPF_PROG_LOAD : BPF_BTF_LOAD, levels[l],
					sizes[s], mode & 1, mode & 2);
			}
}

static void section_log_memory(void)
{
	union sys_attr attr = prog_attr();

	attr.prog_load.log_level = 2;
	attr.prog_load.log_size = 4096;
	attr.prog_load.log_buf = 8;
	line("bad log buffer = %s", result_text(call(BPF_PROG_LOAD, &attr, 168)));
	line("... true size %d", attr.prog_load.log_true_size > 0);
	attr = prog_attr();
	attr.prog_load.log_true_size = 7;
	attr.prog_load.log_level = 2;
	/* an attr that ends before the field keeps it */
	line("short attr = %s",
		result_text(call(BPF_PROG_LOAD, &attr, SYS_END_OF(prog_load, core_relo_rec_size))));
	line("... true size %u", attr.prog_load.log_true_size);
}

static void section_bind(void)
{
	union sys_attr attr = {0};

	attr.uapi.prog_bind_map.prog_fd = eng->prog2;
	attr.uapi.prog_bind_map.map_fd = eng->map;
	try("good", BPF_PROG_BIND_MAP, &attr);
	try("again", BPF_PROG_BIND_MAP, &attr);
	try_fds(BPF_PROG_BIND_MAP, &attr, &attr.uapi.prog_bind_map.prog_fd, "prog_fd");
	try_fds(BPF_PROG_BIND_MAP, &attr, &attr.uapi.prog_bind_map.map_fd, "map_fd");
	attr.uapi.prog_bind_map.flags = 1;
	try("flags", BPF_PROG_BIND_MAP, &attr);
}

static void section_test_run(void)
{
	static const u32 sizes[] = {0, 1, 13, 14, 15, 60, 1500, 3000, 3520};
	static u8 data[8192], out[8192];
	/* a frame in one piece: skep has no fragments, and says so */
	u32 whole_frame[6] = {0, 64};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		union sys_attr attr = {0};
		long ret;

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = sizes[i];
		attr.uapi.test.data_out = (uintptr_t)out;
		attr.uapi.test.data_size_out = 64;
		attr.uapi.test.duration = 0;
		ret = call(BPF_PROG_TEST_RUN, &attr, 168);
		line("data %u = %s retval %u out %u", sizes[i], result_text(ret),
			attr.uapi.test.retval, attr.uapi.test.data_size_out);
	}
	for (int i = 0; i < 16; i++) {
		union sys_attr attr = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		attr.uapi.test.ctx_in = i & 1 ? (uintptr_t)whole_frame : 0;
		attr.uapi.test.ctx_size_in = i & 2 ? 24 : 0;
		attr.uapi.test.ctx_out = i & 4 ? (uintptr_t)out : 0;
		attr.uapi.test.ctx_size_out = i & 8 ? 24 : 0;
		/* a context that only comes out goes in as zeros: a frame all in fragments */
		if (i != 12)
			tryf(BPF_PROG_TEST_RUN, &attr, "ctx combination %d", i);
	}
	for (u32 bit = 0; bit < 8; bit++) {
		union sys_attr attr = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		if (bit == 1)
			continue; /* live frames */
		attr.uapi.test.flags = 1u << bit;
		tryf(BPF_PROG_TEST_RUN, &attr, "flags 1 << %u", bit);
		attr.uapi.test.flags = 0;
		attr.uapi.test.cpu = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "cpu");
		attr.uapi.test.cpu = 0;
		attr.uapi.test.batch_size = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "batch");
	}
	for (u32 size = 8; size < 40; size++) {
		union sys_attr attr = {0};
		u8 ctx[64] = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		*(u32 *)(ctx + 4) = 64; /* data_end */
		attr.uapi.test.ctx_in = (uintptr_t)ctx;
		attr.uapi.test.ctx_size_in = size;
		tryf(BPF_PROG_TEST_RUN, &attr, "ctx size %u", size);
		ctx[30] = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "ctx size %u, byte 30 set", size);
	}
	{
		union sys_attr attr = {0};

		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		try_fds(BPF_PROG_TEST_RUN, &attr, &attr.uapi.test.prog_fd, "prog_fd");
		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = 8;
		try("bad data_in", BPF_PROG_TEST_RUN, &attr);
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_out = 8;
		attr.uapi.test.data_size_out = 64;
		try("bad data_out", BPF_PROG_TEST_RUN, &attr);
	}
}

/* --- objects ----------------------------------------------------------------------------------- */

static void try_info(const char *what, int fd, u32 len, int dirty)
{
	static u8 info[2 * PAGE];
	union sys_attr attr = {0};
	long ret;

	memset(info, 0, sizeof(info));
	if (dirty >= 0)
		info[dirty] = 1;
	attr.uapi.info.bpf_fd = fd;
	attr.uapi.info.info_len = len;
	attr.uapi.info.info = (uintptr_t)info;
	ret = call(BPF_OBJ_GET_INFO_BY_FD, &attr, SYS_ATTR_SIZE);
	line("%s len %u dirty %d = %s, len %u", what, len, dirty, result_text(ret),
		attr.uapi.info.info_len);
}

static void section_info_sizes(void)
{
	const struct {
		const char *what;
		int fd;
	} objs[] = {{"map", eng->map}, {"prog", eng->prog}, {"btf", eng->btf}, {"link", eng->link},
		{"file", other_fd}, {"closed", closed_fd}};

	for (size_t i = 0; i < ARRAY_SIZE(objs); i++) {
		for (u32 len = 0; len < 260; len++)
			try_info(objs[i].what, objs[i].fd, len, -1);
		try_info(objs[i].what, objs[i].fd, 4096, -1);
		try_info(objs[i].what, objs[i].fd, 4097, -1);
		try_info(objs[i].what, objs[i].fd, 0xffffffff, -1);
		/* BTF's structure begins with a pointer: its bytes are tried below */
		for (int dirty = i == 2 ? 32 : 60; dirty < 260; dirty++)
			if (i != 1 || dirty >= 224) /* a program's counts need their pointers */
				try_info(objs[i].what, objs[i].fd, 256, dirty);
	}
}

static void section_info_memory(void)
{
	const int fds[] = {eng->map, eng->prog, eng->btf, eng->link};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		union sys_attr attr = {0};

		attr.uapi.info.bpf_fd = fds[i];
		attr.uapi.info.info_len = 80;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info NULL", i);
		attr.uapi.info.info = 8;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info bad", i);
		attr.uapi.info.info_len = 0;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info bad, no length", i);
	}
}

/* The figures that are the same on both: not ids, times, code. */
static void section_info_map(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(map_types); i++) {
		union sys_attr attr = map_attr(map_types[i]), ask = {0};
		u32 info[26] = {0};
		int fd;

		attr.map_create.value_size = 4;
		if (map_types[i] == BPF_MAP_TYPE_ARRAY) {
			attr.map_create.btf_fd = eng->btf;
			attr.map_create.btf_key_type_id = 1;
			attr.map_create.btf_value_type_id = 4;
			attr.map_create.map_flags = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG;
		}
		memcpy(attr.map_create.map_name, "name.of_map", 12);
		fd = make(BPF_MAP_CREATE, attr, "map");
		ask.uapi.info.bpf_fd = fd;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)info;
		line("type %u = %s", map_types[i],
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
		info[1] = !!info[1];   /* id */
		info[16] = !!info[16]; /* btf_id */
		for (size_t w = 0; w < ARRAY_SIZE(info); w++)
			line("type %u word %zu = %#x", map_types[i], w, info[w]);
		close(fd);
	}
}

static void section_info_prog(void)
{
	struct bpf_prog_info info = {0};
	u32 ids[4] = {0};
	union sys_attr ask = {0};
	u8 tags[4][8] = {{0}};

	ask.uapi.info.bpf_fd = eng->prog2;
	ask.uapi.info.info_len = sizeof(info);
	ask.uapi.info.info = (uintptr_t)&info;
	info.nr_map_ids = 4;
	info.map_ids = (uintptr_t)ids;
	info.nr_prog_tags = 4;
	info.prog_tags = (uintptr_t)tags;
	line("prog = %s", result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
	line("type %u maps %u id %d time %d uid %u gpl %u", info.type, info.nr_map_ids, !!ids[0],
		info.load_time > 0, info.created_by_uid, info.gpl_compatible);
	line("xlated %u funcs %u lines %u jited lines %u", info.xlated_prog_len, info.nr_func_info,
		info.nr_line_info, info.nr_jited_line_info);
	line("ksyms %u lens %u tags %u recs %u %u %u", info.nr_jited_ksyms, info.nr_jited_func_lens,
		info.nr_prog_tags, info.func_info_rec_size, info.line_info_rec_size,
		info.jited_line_info_rec_size);
	line("insns %u runs %llu tag same %d", info.verified_insns,
		(unsigned long long)info.run_cnt, !memcmp(info.tag, tags[0], 8));
	line("tag %02x%02x%02x%02x%02x%02x%02x%02x", info.tag[0], info.tag[1], info.tag[2],
		info.tag[3], info.tag[4], info.tag[5], info.tag[6], info.tag[7]);
	for (int field = 0; field < 8; field++) {
		static u8 room[4096];
		const u64 bad = 8;

		memset(&info, 0, sizeof(info));
		if (field == 0)
			info.xlated_prog_len = 16, info.xlated_prog_insns = bad;
		if (field == 1)
			info.nr_map_ids = 1, info.map_ids = bad;
		if (field == 2)
			info.func_info_rec_size = 7;
		if (field == 3)
			info.nr_line_info = 1;
		if (field == 4)
			info.jited_line_info_rec_size = 9;
		if (field == 5)
			info.nr_prog_tags = 1, info.prog_tags = bad;
		if (field == 6)
			info.xlated_prog_len = 8, info.xlated_prog_insns = (uintptr_t)room;
		if (field == 7)
			info.nr_jited_func_lens = 1, info.jited_func_lens = bad;
		ask.uapi.info.info_len = sizeof(info);
		line("field %d = %s xlated %u", field,
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)),
			info.xlated_prog_len);
	}
}

static void section_info_btf(void)
{
	static const u32 rooms[] = {0, 1, 50, 101, 200};
	u8 raw[256];
	char name[16];

	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		struct bpf_btf_info info = {.btf = (uintptr_t)raw, .btf_size = rooms[i]};
		union sys_attr ask = {0};

		memset(raw, '#', sizeof(raw));
		ask.uapi.info.bpf_fd = eng->btf;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)&info;
		line("room %u = %s", rooms[i],
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
		line("size %u name_len %u kernel %u same %d", info.btf_size, info.name_len,
			info.kernel_btf,
			!memcmp(raw, &btf_raw_bytes,
				MIN(rooms[i], (u32)sizeof(btf_raw_bytes.head) + 77)));
	}
	for (int i = 0; i < 6; i++) {
		struct bpf_btf_info info = {0};
		union sys_attr ask = {0};

		info.name = i & 1 ? (uintptr_t)name : i & 4 ? 8 : 0;
		info.name_len = i & 2 ? 16 : 0;
		if (i == 5)
			info.name_len = 1;
		ask.uapi.info.bpf_fd = eng->btf;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)&info;
		line("name %d = %s len %u", i,
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)),
			info.name_len);
	}
}

static void section_ids(void)
{
	static const int next[] = {11, 12, 23, 31}, by_id[] = {13, 14, 19, 30};
	static const u32 ids[] = {0x7ffffff0, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff};

	for (int k = 0; k < 4; k++) {
		union sys_attr attr = {0};

		try("first", next[k], &attr);
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			attr.by_id.id = ids[i];
			tryf(next[k], &attr, "cmd %d id %#x", next[k], ids[i]);
			tryf(by_id[k], &attr, "cmd %d id %#x", by_id[k], ids[i]);
		}
		attr.by_id.id = 0;
		tryf(by_id[k], &attr, "cmd %d id 0", by_id[k]);
		attr.by_id.id = 0x7ffffff0;
		for (u32 bit = 0; bit < 32; bit++) {
			attr.by_id.open_flags = 1u << bit;
			if (1u << bit == BPF_F_TOKEN_FD)
				attr.by_id.fd_by_id_token_fd = closed_fd;
			tryf(by_id[k], &attr, "cmd %d open flags 1 << %u", by_id[k], bit);
			attr.by_id.fd_by_id_token_fd = 0;
		}
		attr.by_id.open_flags = BPF_F_RDONLY | BPF_F_WRONLY;
		tryf(by_id[k], &attr, "cmd %d both modes", by_id[k]);
	}
}

static u32 id_of(int fd)
{
	u32 info[20] = {0};
	union sys_attr ask = {0};

	ask.uapi.info.bpf_fd = fd;
	ask.uapi.info.info_len = 8;
	ask.uapi.info.info = (uintptr_t)info;
	need(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE), "info");
	return info[1];
}

/* A map lives as long as a descriptor of it does, and no longer. */
static void section_lifetime(void)
{
	int fd = make(BPF_MAP_CREATE, map_attr(BPF_MAP_TYPE_ARRAY), "map"), again, copy;
	union sys_attr attr = {.by_id.id = id_of(fd)};

	again = call(BPF_MAP_GET_FD_BY_ID, &attr, SYS_ATTR_SIZE);
	line("by id = %s", result_text(again));
	close(fd);
	copy = dup(again);
	close(again);
	try("by id, a dup is left", BPF_MAP_GET_FD_BY_ID, &attr);
	close(copy);
	if (!eng->skep)
		usleep(100000); /* the kernel frees behind a grace period */
	try("by id, none is left", BPF_MAP_GET_FD_BY_ID, &attr);
}

static char pin_dir[64];

static void section_pins(void)
{
	char path[128];
	union sys_attr attr = {0};
	int got;

	snprintf(path, sizeof(path), "%s/a", pin_dir);
	attr.obj.pathname = (uintptr_t)path;
	attr.obj.bpf_fd = eng->map;
	try("pin", BPF_OBJ_PIN, &attr);
	try("pin again", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = closed_fd;
	try("pin closed", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = other_fd;
	try("pin file", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = eng->btf;
	try("pin btf", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = eng->map;
	for (u32 bit = 0; bit < 32; bit++) {
		attr.obj.file_flags = 1u << bit;
		if (1u << bit != 1u << 14) /* BPF_F_PATH_FD */
			tryf(BPF_OBJ_PIN, &attr, "pin flags 1 << %u", bit);
	}
	attr.obj.file_flags = 0;
	attr.obj.path_fd = 3;
	try("pin path_fd", BPF_OBJ_PIN, &attr);
	attr.obj.path_fd = 0;
	attr.obj.pathname = 0;
	try("pin NULL", BPF_OBJ_PIN, &attr);
	attr.obj.pathname = 8;
	try("pin bad", BPF_OBJ_PIN, &attr);
	attr.obj.pathname = (uintptr_t) "";
	try("pin empty", BPF_OBJ_PIN, &attr);
	snprintf(path, sizeof(path), "%s/a.b", pin_dir);
	attr.obj.pathname = (uintptr_t)path;
	try("pin with a dot", BPF_OBJ_PIN, &attr);
	snprintf(path, sizeof(path), "%s/a/b", pin_dir);
	try("pin below a pin", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = 0;
	snprintf(path, sizeof(path), "%s/a", pin_dir);
	try("get", BPF_OBJ_GET, &attr);
	for (u32 bit = 0; bit < 32; bit++) {
		attr.obj.file_flags = 1u << bit;
		if (1u << bit != 1u << 14)
			tryf(BPF_OBJ_GET, &attr, "get flags 1 << %u", bit);
	}
	attr.obj.file_flags = BPF_F_RDONLY | BPF_F_WRONLY;
	try("get both modes", BPF_OBJ_GET, &attr);
	attr.obj.file_flags = BPF_F_RDONLY;
	got = call(BPF_OBJ_GET, &attr, SYS_ATTR_SIZE);
	try_elems("got read-only", got);
	close(got);
	attr.obj.file_flags = BPF_F_WRONLY;
	got = call(BPF_OBJ_GET, &attr, SYS_ATTR_SIZE);
	try_elems("got write-only", got);
	close(got);
	attr.obj.file_flags = 0;
	attr.obj.bpf_fd = 1;
	try("get with fd", BPF_OBJ_GET, &attr);
	attr.obj.bpf_fd = 0;
	snprintf(path, sizeof(path), "%s/./x/../a", pin_dir);
	snprintf(path, sizeof(path), "%s//.//a", pin_dir);
	try("get by another spelling", BPF_OBJ_GET, &attr);
	snprintf(path, sizeof(path), "%s/none", pin_dir);
	try("get none", BPF_OBJ_GET, &attr);
	attr.obj.pathname = 8;
	try("get bad", BPF_OBJ_GET, &attr);
	attr.obj.pathname = (uintptr_t) "";
	try("get empty", BPF_OBJ_GET, &attr);
}

/* --- links ------------------------------------------------------------------------------------- */

static void section_link_create(void)
{
	union sys_attr good = {0}, attr;

	close(eng->link);
	good.link_create.prog_fd = eng->prog;
	good.link_create.target = eng->link_ifindex;
	good.link_create.attach_type = BPF_XDP;
	good.link_create.flags = 2;
	try("good", BPF_LINK_CREATE, &good);
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.link_create.flags = 1u << bit;
		if (bit != 0 && bit != 2) /* native mode is the interface's matter */
			tryf(BPF_LINK_CREATE, &attr, "flags 1 << %u", bit);
	}
	attr = good;
	attr.link_create.target = 99999;
	try("no such interface", BPF_LINK_CREATE, &attr);
	attr.link_create.target = 0;
	try("interface 0", BPF_LINK_CREATE, &attr);
	for (u32 type = 0; type < 60; type++) {
		attr = good;
		attr.link_create.attach_type = type;
		if (type != BPF_XDP && type != BPF_STRUCT_OPS)
			tryf(BPF_LINK_CREATE, &attr, "attach type %u", type);
	}
	eng->link = make_link();
	try("second", BPF_LINK_CREATE, &good);
	attr = good;
	try_fds(BPF_LINK_CREATE, &attr, &attr.link_create.prog_fd, "prog_fd");
}

static void section_link_update(void)
{
	union sys_attr good = {0}, attr;

	good.uapi.link_update.link_fd = eng->link;
	good.uapi.link_update.new_prog_fd = eng->prog2;
	try("update", BPF_LINK_UPDATE, &good);
	attr = good;
	attr.uapi.link_update.flags = BPF_F_REPLACE;
	attr.uapi.link_update.old_prog_fd = eng->prog;
	try("replace the wrong one", BPF_LINK_UPDATE, &attr);
	attr.uapi.link_update.new_prog_fd = eng->prog;
	attr.uapi.link_update.old_prog_fd = eng->prog2;
	try("replace", BPF_LINK_UPDATE, &attr);
	attr.uapi.link_update.flags = 0;
	try("old without flag", BPF_LINK_UPDATE, &attr);
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.uapi.link_update.flags = 1u << bit;
		tryf(BPF_LINK_UPDATE, &attr, "flags 1 << %u", bit);
	}
	attr = good;
	try_fds(BPF_LINK_UPDATE, &attr, &attr.uapi.link_update.new_prog_fd, "new_prog_fd");
	attr.uapi.link_update.flags = BPF_F_REPLACE;
	try_fds(BPF_LINK_UPDATE, &attr, &attr.uapi.link_update.old_prog_fd, "old_prog_fd");
}

static void show_link(const char *what)
{
	u32 info[16] = {0};
	union sys_attr ask = {0};

	ask.uapi.info.bpf_fd = eng->link;
	ask.uapi.info.info_len = sizeof(info);
	ask.uapi.info.info = (uintptr_t)info;
	line("%s = %s", what, result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
	line("... type %u id %d prog %d ifindex %d", info[0], !!info[1], !!info[2],
		info[4] ? info[4] == eng->link_ifindex : -1);
}

static void section_link_detach(void)
{
	union sys_attr attr = {0};

	show_link("attached");
	attr.uapi.link_detach.link_fd = closed_fd;
	try("closed", BPF_LINK_DETACH, &attr);
	attr.uapi.link_detach.link_fd = eng->prog;
	try("a program", BPF_LINK_DETACH, &attr);
	attr.uapi.link_detach.link_fd = eng->link;
	try("good", BPF_LINK_DETACH, &attr);
	try("again", BPF_LINK_DETACH, &attr);
	show_link("detached");
	attr = (union sys_attr){0};
	attr.uapi.link_update.link_fd = eng->link;
	attr.uapi.link_update.new_prog_fd = eng->prog2;
	try("update a detached link", BPF_LINK_UPDATE, &attr);
}

/* --- running both ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(void);
} sections[] = {
	{"sizes", section_sizes},
	{"tails", section_tails},
	{"memory", section_memory},
	{"bytes", section_bytes},
	{"unused", section_unused},
	{"map create", section_map_create},
	{"map btf", section_map_btf},
	{"names", section_names},
	{"elems", section_elems},
	{"elem flags", section_elem_flags},
	{"prog load", section_prog_load},
	{"fd array", section_fd_array},
	{"func info", section_func_info},
	{"log", section_log},
	{"log memory", section_log_memory},
	{"bind", section_bind},
	{"test run", section_test_run},
	{"info sizes", section_info_sizes},
	{"info memory", section_info_memory},
	{"info map", section_info_map},
	{"info prog", section_info_prog},
	{"info btf", section_info_btf},
	{"ids", section_ids},
	{"lifetime", section_lifetime},
	{"pins", section_pins},
	{"link create", section_link_create},
	{"link update", section_link_update},
	{"link detach", section_link_detach},
};

static void run(struct engine *engine)
{
	eng = engine;
	eng->section = "objects";
	make_objects();
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		eng->section = sections[i].name;
		/* A pin needs a bpffs in the kernel's run. */
		if (!strcmp(eng->section, "pins") && !pin_dir[0])
			continue;
		sections[i].run();
	}
}

/* Lines that differ. Both lists have the same lines in the same order but for their ends. */
static u32 compare(const struct engine *kernel, const struct engine *skep, u32 *ret_cnt)
{
	const char *a = buf_text(&kernel->lines), *b = buf_text(&skep->lines);
	u32 bad = 0, cnt = 0;

	while (*a && *b) {
		size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");

		cnt++;
		if ((a_len != b_len || memcmp(a, b, a_len)) && ++bad <= DIFF_SHOWN_MAX)
			printf("kernel %.*s\n  skep %.*s\n", (int)a_len, a, (int)b_len, b);
		a += a_len + 1;
		b += b_len + 1;
	}
	*ret_cnt = cnt;
	return bad + (*a || *b);
}

static bool make_pin_dir(void)
{
	struct stat st;

	if (stat("/sys/fs/bpf", &st) < 0)
		return false;
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/skep-diff-%d", getpid());
	if (!mkdir(pin_dir, 0700))
		return true;
	pin_dir[0] = 0;
	return false;
}

static void remove_pin_dir(void)
{
	char path[96];

	if (!pin_dir[0])
		return;
	snprintf(path, sizeof(path), "%s/a", pin_dir);
	unlink(path);
	rmdir(pin_dir);
}

int main(void)
{
	struct engine kernel = {.name = "kernel", .link_ifindex = 1}, skep = {.name = "skep"};
	union sys_attr probe = map_attr(BPF_MAP_TYPE_ARRAY);
	struct buf text = BUF_INIT;
	u32 bad, cnt;
	int fd;

	eng = &kernel;
	fd = call(BPF_MAP_CREATE, &probe, SYS_ATTR_SIZE);
	if (fd < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: bpf(2) and a network namespace need root here\n");
		return SKIPPED;
	}
	close(fd);
	other_fd = open("/dev/null", O_RDWR);
	if (!make_pin_dir())
		printf("pins are left out: no bpf file system at /sys/fs/bpf\n");
	if (skep_new(NULL, &skep.skep) ||
		sys_dev_add(skep.skep, "veth:a,b", &text, &skep.link_ifindex))
		return 1;
	run(&kernel);
	remove_pin_dir();
	run(&skep);
	bad = compare(&kernel, &skep, &cnt);
	printf("%u results compared, %u differ\n", cnt, bad);
	skep_free(skep.skep);
	buf_done(&kernel.lines);
	buf_done(&skep.lines);
	return bad != 0;
}
