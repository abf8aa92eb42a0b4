/*
 * bpf(2) beside the running kernel: the same calls, most of them wrong in one way, on the kernel, on an
 * instance in this process and on one behind its control socket. Each call's result (errno, or that a
 * descriptor came) and what was written back must be the same.
 *
 * A section makes calls through `eng` and names each result; it runs once on each engine, and the lists
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
#include <unistd.h>

#include "bpf_attr.h"

enum { SKIPPED = 77, DIFF_SHOWN_MAX = 100 };

struct engine *eng;
int other_fd, closed_fd = 987654;
char pin_dir[PIN_DIR_LEN];
const u32 types_tried[MAP_TYPES] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
	BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_LRU_HASH,
	BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK,
	BPF_MAP_TYPE_BLOOM_FILTER};
static u8 page[2 * PAGE] __attribute__((aligned(PAGE)));

long call(int cmd, void *attr, u32 size)
{
	return eng->port->ops->bpf(eng->port, cmd, attr, size);
}

void line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_printf(&eng->lines, "%s: ", eng->section);
	buf_vprintf(&eng->lines, fmt, ap);
	buf_str(&eng->lines, "\n");
	va_end(ap);
}

const char *result_text(long ret)
{
	static char text[32];

	if (ret > 0)
		close(ret);
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
}

void try(const char *what, int cmd, const union sys_attr *attr)
{
	try_size(what, cmd, attr, SYS_ATTR_SIZE);
}

void tryf(int cmd, const union sys_attr *attr, const char *fmt, ...)
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

union sys_attr map_attr(u32 type)
{
	union sys_attr attr = {0};

	attr.map_create.map_type = type;
	attr.map_create.key_size = type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4;
	if (type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK ||
		type == BPF_MAP_TYPE_BLOOM_FILTER)
		attr.map_create.key_size = 0;
	attr.map_create.value_size = 8;
	attr.map_create.max_entries = 4;
	if (type == BPF_MAP_TYPE_LPM_TRIE)
		attr.map_create.map_flags = BPF_F_NO_PREALLOC;
	return attr;
}

union sys_attr prog_attr(void)
{
	union sys_attr attr = {0};

	attr.prog_load.prog_type = BPF_PROG_TYPE_XDP;
	attr.prog_load.insns = (uintptr_t)return_pass;
	attr.prog_load.insn_cnt = ARRAY_SIZE(return_pass);
	attr.prog_load.license = (uintptr_t) "GPL";
	return attr;
}

const struct btf_bytes btf_raw_bytes = {
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

union sys_attr btf_attr(void)
{
	union sys_attr attr = {0};

	attr.btf_load.btf = (uintptr_t)&btf_raw_bytes;
	attr.btf_load.btf_size = sizeof(btf_raw_bytes.head) + 64 + 13;
	return attr;
}

int need(long fd, const char *what)
{
	if (fd < 0) {
		fprintf(stderr, "%s, %s: cannot make the %s to begin with: %s\n", eng->name,
			eng->section, what, strerrorname_np(-fd));
		exit(1);
	}
	return fd;
}

int make(int cmd, union sys_attr attr, const char *what)
{
	return need(call(cmd, &attr, SYS_ATTR_SIZE), what);
}

int make_link(void)
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

void try_fds(int cmd, union sys_attr *attr, u32 *fd, const char *field)
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
static const u8 unavailable[] = {8, 9, 16, 17, 20, 21, 24, 25, 26, 27, 33, 36, 37};

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

/* A directory of our own for the instance, removed again with it. */
static char root[PIN_DIR_LEN];

static bool open_engines(struct engine *kernel, struct engine *local, struct engine *remote)
{
	const struct port_opts opts = {0};
	struct port_text err = {""};

	strcpy(root, "/tmp/skep-diff-XXXXXX");
	if (!mkdtemp(root))
		return false;
	port_instance_root(root);
	if (port_open_kernel(&kernel->port) || port_open_local(&opts, &local->port, &err) ||
		port_instance_up("diff", &opts, &err) ||
		port_open_instance("diff", &remote->port, &err)) {
		printf("cannot open an engine: %s\n", err.text);
		return false;
	}
	return true;
}

static void close_engine(struct engine *engine)
{
	buf_done(&engine->lines);
	port_close(engine->port);
}

static u32 run_and_compare(const struct engine *kernel, struct engine *skep)
{
	struct port_text err;
	u32 bad, cnt;

	if (skep->port->ops->dev_add(skep->port, "veth:a,b", &skep->link_ifindex, &err)) {
		printf("%s: no device: %s\n", skep->name, err.text);
		return 1;
	}
	run(skep);
	bad = compare(kernel, skep, &cnt);
	printf("%s: %u results compared, %u differ\n", skep->name, cnt, bad);
	return bad;
}

int main(void)
{
	struct engine kernel = {.name = "kernel", .link_ifindex = 1}, local = {.name = "local"},
		      remote = {.name = "remote"};
	union sys_attr probe = map_attr(BPF_MAP_TYPE_ARRAY);
	struct port_text err;
	u32 bad;
	int fd;

	if (!open_engines(&kernel, &local, &remote))
		return 1;
	eng = &kernel;
	fd = call(BPF_MAP_CREATE, &probe, SYS_ATTR_SIZE);
	if (fd < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: bpf(2) and a network namespace need root here\n");
		fd = -1;
		bad = 0;
	} else {
		close(fd);
		other_fd = open("/dev/null", O_RDWR);
		if (!make_pin_dir())
			printf("pins are left out: no bpf file system at /sys/fs/bpf\n");
		run(&kernel);
		remove_pin_dir();
		bad = run_and_compare(&kernel, &local) + run_and_compare(&kernel, &remote);
	}
	close_engine(&kernel);
	close_engine(&local);
	close_engine(&remote);
	port_instance_down("diff", &err);
	if (chdir(root) || rmdir("skep") || rmdir(root))
		printf("something was left in %s\n", root);
	return fd < 0 ? SKIPPED : bad != 0;
}
