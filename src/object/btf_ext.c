/*
 * .BTF.ext: which function, which source line and which kernel type an instruction belongs to. Three
 * segments, each of sections of code, each of records of one size:
 *
 *	header | rec_size | section, cnt | record … | section, cnt | record … | rec_size | …
 *
 * A CO-RE record names a member by an access text, "0:1:3"; libbpf takes its numbers for indices and
 * does not look whether they are below zero.
 */
#include <limits.h>

#include "btf/btf.h"
#include "object/file.h"

enum { ACCESS_MAX = 64 }; /* numbers in an access text */

/* As <bpf/btf.h> has it; the kernel has no word for it. */
struct ext_header {
	u16 magic;
	u8 version, flags;
	u32 hdr_len;
	struct {
		u32 off, len;
	} segs[3];
};
enum { SEG_FUNC, SEG_LINE, SEG_CORE, SEG_CNT };
/* A header without the last segment is an old one. */
#define HEADER_MIN offsetof(struct ext_header, segs[SEG_CORE])

struct ext_sec {
	u32 name_off, cnt;
};

struct ext_line {
	u32 insn_off, file_name_off, line_off, line_col;
};

struct ext_core {
	u32 insn_off, type_id, access_off, kind;
};

static int check_id(const struct object_file *f, const char *what, u32 id)
{
	if (id < f->btf.cnt)
		return 0;
	return object_bad(
		f, "its %s information refers to type %u of %u", what, id, f->btf.cnt - 1);
}

static int check_text(const struct object_file *f, const char *what, u32 off)
{
	if (off < f->btf.str_len)
		return 0;
	return object_bad(
		f, "its %s information has a text at byte %u of %u", what, off, f->btf.str_len);
}

/* "0", "0:1:3": as many numbers as libbpf takes, each of them an int. */
static bool is_access(const char *text)
{
	for (u32 cnt = 0; cnt < ACCESS_MAX; cnt++) {
		u64 number = 0;

		if (*text < '0' || *text > '9')
			return false;
		for (; *text >= '0' && *text <= '9'; text++) {
			number = number * 10 + (u64)(*text - '0');
			if (number > INT_MAX)
				return false;
		}
		if (!*text)
			return true;
		if (*text++ != ':')
			return false;
	}
	return false;
}

static int check_func(struct object_file *f, const void *rec)
{
	struct bpf_func_info func;

	memcpy(&func, rec, sizeof(func));
	return check_id(f, "function", func.type_id);
}

static int check_line(struct object_file *f, const void *rec)
{
	struct ext_line line;
	int err;

	memcpy(&line, rec, sizeof(line));
	err = check_text(f, "line", line.file_name_off);
	return err ? err : check_text(f, "line", line.line_off);
}

static int check_core(struct object_file *f, const void *rec)
{
	struct ext_core core;
	int err;

	memcpy(&core, rec, sizeof(core));
	err = check_id(f, "CO-RE", core.type_id);
	if (!err)
		err = check_text(f, "CO-RE", core.access_off);
	if (!err && !is_access(object_btf_str(f, core.access_off)))
		return object_bad(f, "its CO-RE information asks for member \"%.32s\" of type %u",
			object_btf_str(f, core.access_off), core.type_id);
	f->core_relo_cnt++;
	return err;
}

static const struct {
	const char *what;
	u32 rec_len;
	int (*check)(struct object_file *f, const void *rec);
} segs[SEG_CNT] = {
	[SEG_FUNC] = {"function", sizeof(struct bpf_func_info), check_func},
	[SEG_LINE] = {"line", sizeof(struct ext_line), check_line},
	[SEG_CORE] = {"CO-RE", sizeof(struct ext_core), check_core},
};

static int cut_short(const struct object_file *f, int seg)
{
	return object_bad(f, "its %s information is cut short", segs[seg].what);
}

/* The records of one section of code. */
static int check_recs(
	struct object_file *f, int seg, const u8 *rec, u32 cnt, u32 rec_len, const char *sec_name)
{
	u32 sec = object_find_sec(f, sec_name), insn_off;
	int err = 0;

	for (u32 i = 0; i < cnt && !err; i++, rec += rec_len) {
		memcpy(&insn_off, rec, sizeof(insn_off));
		if (sec && (insn_off % sizeof(struct bpf_insn) ||
				   !object_in_sec(f, sec, insn_off, sizeof(struct bpf_insn))))
			return object_bad(f,
				"its %s information is for byte %u of %llu of section %s",
				segs[seg].what, insn_off, (unsigned long long)f->secs[sec].sh_size,
				sec_name);
		err = segs[seg].check(f, rec);
	}
	f->rec_cnt += cnt;
	return err;
}

static int check_seg(struct object_file *f, int seg, const u8 *at, u32 len)
{
	const u8 *end = at + len;
	u32 rec_len;
	int err = 0;

	if (!len)
		return 0;
	if (len < sizeof(rec_len))
		return cut_short(f, seg);
	memcpy(&rec_len, at, sizeof(rec_len));
	if (rec_len < segs[seg].rec_len || rec_len % sizeof(u32))
		return object_bad(
			f, "its %s information has records of %u bytes", segs[seg].what, rec_len);
	for (at += sizeof(rec_len); at < end && !err;) {
		struct ext_sec sec;
		u64 recs_len;

		if ((size_t)(end - at) < sizeof(sec))
			return cut_short(f, seg);
		memcpy(&sec, at, sizeof(sec));
		at += sizeof(sec);
		recs_len = (u64)sec.cnt * rec_len;
		if (recs_len > (u64)(end - at))
			return cut_short(f, seg);
		err = check_text(f, segs[seg].what, sec.name_off);
		if (!err)
			err = check_recs(
				f, seg, at, sec.cnt, rec_len, object_btf_str(f, sec.name_off));
		at += recs_len;
	}
	return err;
}

int object_check_btf_ext(struct object_file *f)
{
	const Elf64_Shdr *s = &f->secs[f->ext_idx];
	struct ext_header hdr = {0};
	const u8 *data = f->data + s->sh_offset;
	int err = 0;

	if (!f->ext_idx || !f->btf.cnt)
		return 0;
	if (s->sh_size < HEADER_MIN)
		return object_bad(f, "its .BTF.ext is shorter than a header");
	memcpy(&hdr, data, MIN(s->sh_size, sizeof(hdr)));
	if (hdr.magic != BTF_MAGIC || hdr.version != BTF_VERSION || hdr.flags)
		return object_bad(f, "its .BTF.ext is of another version or byte order");
	if (hdr.hdr_len < HEADER_MIN || hdr.hdr_len > s->sh_size)
		return object_bad(f, "its .BTF.ext has a header of %u bytes", hdr.hdr_len);
	for (int seg = 0; seg < SEG_CNT && !err; seg++) {
		u64 off = (u64)hdr.hdr_len + hdr.segs[seg].off;

		if (hdr.hdr_len < offsetof(struct ext_header, segs) + (seg + 1) * sizeof(*hdr.segs))
			break;
		if (!object_in_sec(f, f->ext_idx, off, hdr.segs[seg].len))
			return cut_short(f, seg);
		err = check_seg(f, seg, data + off, hdr.segs[seg].len);
	}
	return err;
}
