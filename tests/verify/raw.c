/*
 * Cases from text files: instructions as they are, without a compiler in between. A file holds cases,
 * each begun by a line with its name:
 *
 *	== a register is read before it was written
 *	prog: xdp				the default; libbpf's names of program types, or numbers
 *	map: counts hash 4 8 16 [flags [extra]]	name, type, key, value, entries; extra is a number, or
 *		`frozen`: a map with one entry, of key 0 and a value of bytes 'x', that is frozen
 *	license: none				the default is GPL
 *	flags: 1				of BPF_PROG_LOAD
 *	attach: cgroup_inet4_bind		the expected attach type, libbpf's name; default none
 *	target: typedef btf_trace_sched_switch	what it attaches to, by kind and name in the kernel's BTF, or
 *		id NUMBER
 *	expect: EACCES R2 !read_ok
 *	r0 = r2
 *	exit
 *
 * Instructions are those of isa_asm. `lddw map_fd %r1, @counts` and `lddw map_value %r1, @counts` name a
 * map; `$task_struct.pid` stands for the offset of a member in the kernel's BTF; `ksym REG
 * NAME` loads the address of a variable or function of the kernel; `kfunc NAME` calls one; `raw CODE DST SRC OFF IMM` stands for an instruction that has no text;
 * `times COUNT INSTRUCTION` is the instruction that often.
 */
#include "verdict.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "isa/isa.h"

enum { MAPS_MAX = 4, NAME_MAX_LEN = 64, CASE_NAME_MAX = 160, RAWS_MAX = 32 };

struct map_spec {
	char name[NAME_MAX_LEN];
	u32 type, key_size, value_size, max_entries, flags;
	u64 extra;
	bool is_frozen;
};

struct raw_case {
	char name[CASE_NAME_MAX];
	struct map_spec maps[MAPS_MAX];
	u32 map_cnt;
	u32 flags;
	u32 attach_btf_id;
	bool lacks_types; /* it names types that this machine's kernel does not tell of */
	bool is_gpl;
	struct bpf_insn raws[RAWS_MAX];
	u32 raw_cnt;
	struct buf text; /* instructions */
	u32 line;	 /* of its name, for messages */
};

/* The placeholder of raw instruction number i is `r0 = RAW_MARK + i`. */
enum { RAW_MARK = 0x7e570000 };

static u32 type_by_name(const char *name, const char *(*str)(u32 type), u32 max)
{
	/* libbpf does not have all names, and members of operations have none */
	if (*name >= '0' && *name <= '9')
		return strtoul(name, NULL, 0);
	for (u32 type = 1; type < max; type++) {
		const char *known = str(type);

		if (known && !strcmp(known, name))
			return type;
	}
	return 0;
}

static const char *map_type_str(u32 type)
{
	return libbpf_bpf_map_type_str(type);
}

static const char *attach_type_str(u32 type)
{
	return libbpf_bpf_attach_type_str(type);
}

static const char *prog_type_str(u32 type)
{
	return libbpf_bpf_prog_type_str(type);
}

/* ---- types of the kernel ---- */

/* Kept for all cases: reading it takes longer than a case. */
static const struct btf *kernel_btf(void)
{
	static struct btf *btf;

	if (!btf)
		btf = btf__load_vmlinux_btf();
	return btf;
}

/* "func NAME", "typedef NAME", "struct NAME", "id NUMBER" */
static bool parse_target(struct raw_case *raw, const char *text)
{
	static const struct {
		const char *word;
		u32 kind;
	} kinds[] = {{"func ", BTF_KIND_FUNC}, {"typedef ", BTF_KIND_TYPEDEF},
		{"struct ", BTF_KIND_STRUCT}};

	if (sscanf(text, "id %u", &raw->attach_btf_id) == 1)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int id = -ENOENT;

		if (strncmp(text, kinds[i].word, strlen(kinds[i].word)))
			continue;
		if (kernel_btf())
			id = btf__find_by_name_kind(
				kernel_btf(), text + strlen(kinds[i].word), kinds[i].kind);
		raw->lacks_types |= id < 0;
		raw->attach_btf_id = MAX(id, 0);
		return true;
	}
	return false;
}

/* The byte offset of the member in "struct.member"; -ENOENT. */
static int member_off(const char *text, size_t len)
{
	const char *dot = memchr(text, '.', len);
	char name[NAME_MAX_LEN];
	const struct btf_type *t;
	int id;

	if (!dot || !kernel_btf())
		return -ENOENT;
	snprintf(name, sizeof(name), "%.*s", (int)(dot - text), text);
	id = btf__find_by_name_kind(kernel_btf(), name, BTF_KIND_STRUCT);
	t = id > 0 ? btf__type_by_id(kernel_btf(), id) : NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(text + len - dot - 1), dot + 1);
	for (u32 i = 0; t && i < btf_vlen(t); i++) {
		const char *member = btf__name_by_offset(kernel_btf(), btf_members(t)[i].name_off);

		if (!strcmp(member, name))
			return btf_member_bit_offset(t, i) / 8;
	}
	return -ENOENT;
}

/* ---- asking ---- */

static bool fill_and_freeze(const struct map_spec *map, int fd)
{
	char key[64] = "", value[64];

	memset(value, 'x', sizeof(value));
	errno = E2BIG;
	return map->key_size <= sizeof(key) && map->value_size <= sizeof(value) &&
	       !bpf_map_update_elem(fd, key, value, BPF_ANY) && !bpf_map_freeze(fd);
}

static int create_maps(const struct raw_case *raw, int fds[MAPS_MAX], char why[WORDS_MAX])
{
	for (u32 i = 0; i < raw->map_cnt; i++) {
		const struct map_spec *map = &raw->maps[i];
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = map->flags,
			.map_extra = map->extra);

		fds[i] = bpf_map_create(map->type, map->name, map->key_size, map->value_size,
			map->max_entries, &opts);
		if (fds[i] < 0) {
			snprintf(why, WORDS_MAX, "map %s: %s", map->name, strerror(errno));
			return errno == EINVAL ? ENGINE_LACKS : -errno;
		}
		if (map->is_frozen && !fill_and_freeze(map, fds[i])) {
			snprintf(why, WORDS_MAX, "freezing map %s: %s", map->name, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

static void patch(
	const struct raw_case *raw, const int fds[MAPS_MAX], struct bpf_insn *insns, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++) {
		struct bpf_insn *insn = &insns[i];
		u32 mark = (u32)insn->imm - RAW_MARK;

		if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_K) && mark < raw->raw_cnt)
			*insn = raw->raws[mark];
	}
	for (u32 i = 0; i < cnt; i++) {
		struct bpf_insn *insn = &insns[i];

		if (!isa_is_lddw(insn))
			continue;
		if ((insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE) &&
			(u32)insn->imm < raw->map_cnt)
			insn->imm = fds[insn->imm];
		i++;
	}
}

static int load(const struct test_case *c, u32 log_level, char *log, struct verdict *ret,
	char why[WORDS_MAX])
{
	const struct raw_case *raw = c->arg;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = LOG_MAX,
		.log_level = log_level, .prog_flags = raw->flags,
		.expected_attach_type = c->attach_type, .attach_btf_id = raw->attach_btf_id);
	int fds[MAPS_MAX] = {-1, -1, -1, -1};
	struct bpf_insn *insns = NULL;
	struct buf err_text = BUF_INIT;
	u32 cnt = 0;
	int err, fd;

	if (raw->lacks_types) {
		snprintf(why, WORDS_MAX, "no such type in the kernel's BTF");
		return ENGINE_LACKS;
	}
	err = isa_asm(buf_text(&raw->text), &insns, &cnt, &err_text);
	if (err)
		snprintf(why, WORDS_MAX, "%s", buf_text(&err_text));
	else
		err = create_maps(raw, fds, why);
	if (!err) {
		patch(raw, fds, insns, cnt);
		log[0] = 0;
		fd = bpf_prog_load(
			c->prog_type, "raw", raw->is_gpl ? "GPL" : "none", insns, cnt, &opts);
		verdict_set(ret, fd < 0 ? errno : 0, log);
		if (fd >= 0)
			close(fd);
	}
	for (u32 i = 0; i < MAPS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	mem_free(insns);
	buf_done(&err_text);
	return err;
}

/* ---- reading ---- */

static bool parse_map(struct raw_case *raw, const char *text)
{
	struct map_spec *map = &raw->maps[raw->map_cnt];
	char type[NAME_MAX_LEN], extra[NAME_MAX_LEN] = "";

	if (raw->map_cnt == MAPS_MAX ||
		sscanf(text, "%63s %63s %u %u %u %u %63s", map->name, type, &map->key_size,
			&map->value_size, &map->max_entries, &map->flags, extra) < 5)
		return false;
	map->is_frozen = !strcmp(extra, "frozen");
	map->extra = map->is_frozen ? 0 : strtoull(extra, NULL, 16);
	map->type = type_by_name(type, map_type_str, 64);
	raw->map_cnt++;
	return map->type;
}

static bool parse_raw(struct raw_case *raw, const char *text)
{
	struct bpf_insn *insn = &raw->raws[raw->raw_cnt];
	int code, dst, src, off, imm;

	if (raw->raw_cnt == RAWS_MAX ||
		sscanf(text, "%i %i %i %i %i", &code, &dst, &src, &off, &imm) != 5)
		return false;
	*insn = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
	buf_printf(&raw->text, "r0 = %u\n", RAW_MARK + raw->raw_cnt++);
	return true;
}

/* "NUMBER NAME": the address of that variable or function of the kernel into the register of that number. */
static bool parse_ksym(struct raw_case *raw, const char *text)
{
	char name[NAME_MAX_LEN], line[64];
	int reg, id = -ENOENT;

	if (sscanf(text, "%i %63s", &reg, name) != 2)
		return false;
	if (kernel_btf()) {
		id = btf__find_by_name_kind(kernel_btf(), name, BTF_KIND_VAR);
		if (id < 0)
			id = btf__find_by_name_kind(kernel_btf(), name, BTF_KIND_FUNC);
	}
	raw->lacks_types |= id < 0;
	snprintf(line, sizeof(line), "%i %i %i 0 %i", BPF_LD | BPF_IMM | BPF_DW, reg,
		BPF_PSEUDO_BTF_ID, MAX(id, 0));
	return parse_raw(raw, line) && parse_raw(raw, "0 0 0 0 0");
}

/* "NAME": a call of that function of the kernel. */
static bool parse_kfunc(struct raw_case *raw, const char *name)
{
	char line[64];
	int id = -ENOENT;

	if (kernel_btf())
		id = btf__find_by_name_kind(kernel_btf(), name, BTF_KIND_FUNC);
	raw->lacks_types |= id < 0;
	snprintf(line, sizeof(line), "%i 0 %i 0 %i", BPF_JMP | BPF_CALL, BPF_PSEUDO_KFUNC_CALL,
		MAX(id, 0));
	return parse_raw(raw, line);
}

/* An instruction line, with @NAME replaced by the map's number, $STRUCT.MEMBER by an offset. */
static bool add_insn(struct raw_case *raw, const char *line)
{
	const char *at = strpbrk(line, "@$");
	size_t len;
	int off;

	if (at && *at == '$') {
		len = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.");
		off = member_off(at + 1, len);
		raw->lacks_types |= off < 0;
		buf_printf(&raw->text, "%.*s%d%s\n", (int)(at - line), line, MAX(off, 0),
			at + 1 + len);
		return true;
	}
	if (!at) {
		buf_printf(&raw->text, "%s\n", line);
		return true;
	}
	len = strcspn(at + 1, " \t,");
	for (u32 i = 0; i < raw->map_cnt; i++) {
		if (strlen(raw->maps[i].name) != len || memcmp(raw->maps[i].name, at + 1, len))
			continue;
		buf_printf(&raw->text, "%.*s%u%s\n", (int)(at - line), line, i, at + 1 + len);
		return true;
	}
	return false;
}

/* The rest of line when it begins with key, else NULL. */
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len))
		return NULL;
	return line + len + strspn(line + len, " \t");
}

/* "COUNT INSTRUCTION" */
static bool repeat_insn(struct raw_case *raw, const char *text)
{
	char line[128];
	size_t start = raw->text.len;
	const char *insn, *value;
	char *end;
	u32 cnt = strtoul(text, &end, 0);
	bool ok;

	insn = end + strspn(end, " ");
	value = value_of(insn, "raw ");
	ok = cnt && (value ? parse_raw(raw, value) : add_insn(raw, insn));
	if (!ok)
		return false;
	snprintf(line, sizeof(line), "%s", buf_text(&raw->text) + start);
	while (--cnt)
		buf_printf(&raw->text, "%s", line);
	return true;
}

static bool add_line(struct raw_case *raw, struct test_case *c, const char *line)
{
	const char *value;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return true;
	value = value_of(line, "prog:");
	if (value) {
		c->prog_type = type_by_name(value, prog_type_str, 64);
		return c->prog_type;
	}
	value = value_of(line, "map:");
	if (value)
		return parse_map(raw, value);
	value = value_of(line, "license:");
	if (value) {
		raw->is_gpl = !strcmp(value, "GPL");
		return true;
	}
	value = value_of(line, "flags:");
	if (value) {
		raw->flags = strtoul(value, NULL, 0);
		return true;
	}
	value = value_of(line, "attach:");
	if (value) {
		c->attach_type = type_by_name(value, attach_type_str, 64);
		return c->attach_type || *value == '0';
	}
	value = value_of(line, "target:");
	if (value)
		return parse_target(raw, value);
	value = value_of(line, "expect:");
	if (value)
		return expectation_parse(value, &c->expect);
	value = value_of(line, "ksym ");
	if (value)
		return parse_ksym(raw, value);
	value = value_of(line, "kfunc ");
	if (value)
		return parse_kfunc(raw, value);
	value = value_of(line, "raw ");
	if (value)
		return parse_raw(raw, value);
	value = value_of(line, "times ");
	if (value)
		return repeat_insn(raw, value);
	return add_insn(raw, line);
}

static void begin_case(struct raw_case *raw, struct test_case *c, const char *name, u32 line)
{
	struct buf text = raw->text;

	buf_reset(&text);
	memset(raw, 0, sizeof(*raw));
	raw->text = text;
	raw->is_gpl = true;
	raw->line = line;
	snprintf(raw->name, sizeof(raw->name), "%s", name);
	c->prog_type = BPF_PROG_TYPE_XDP;
	c->attach_type = 0;
	memset(&c->expect, 0, sizeof(c->expect));
}

static int end_case(struct raw_case *raw, struct test_case *c, case_fn fn, void *arg)
{
	return raw->line ? fn(arg, c) : 0;
}

int raw_each(const char *path, case_fn fn, void *arg, char why[WORDS_MAX])
{
	struct raw_case raw = {.text = BUF_INIT};
	struct test_case c = {.file = path, .name = raw.name, .ask = load, .arg = &raw};
	FILE *file = fopen(path, "re");
	char line[1024];
	u32 line_nr = 0;
	int err = 0;

	if (!file) {
		snprintf(why, WORDS_MAX, "%s: %s", path, strerror(errno));
		return -errno;
	}
	while (!err && fgets(line, sizeof(line), file)) {
		const char *name = value_of(line, "==");

		line_nr++;
		line[strcspn(line, "\n")] = 0;
		if (name) {
			err = end_case(&raw, &c, fn, arg);
			begin_case(&raw, &c, name, line_nr);
		} else if (!add_line(&raw, &c, line)) {
			snprintf(why, WORDS_MAX, "%s:%u: cannot read \"%.80s\"", path, line_nr,
				line);
			err = -EINVAL;
		}
	}
	if (!err)
		err = end_case(&raw, &c, fn, arg);
	fclose(file);
	buf_done(&raw.text);
	return err;
}
