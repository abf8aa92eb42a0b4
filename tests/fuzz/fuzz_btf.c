/*
 * BTF: arbitrary bytes through BPF_BTF_LOAD's checks and, when they pass, every question to every
 * type. An input is taken again with its header made right, so that the types behind it are reached.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "btf/btf.h"
#include "btf/fields.h"
#include "btf/info.h"
#include "btf/mapkv.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

enum { TYPES_ASKED = 64 };

static void ask_type(const struct btf_obj *btf, u32 id, struct buf *text)
{
	const struct btf_type *t = btf_type_at(btf, id);
	struct btf_fields *fields = NULL;
	struct btf_proto proto;
	u32 other, size = 0, cnt;

	btf_print_type(text, btf, id);
	btf_elems(btf, id, &other, &cnt);
	btf_proto_of(btf, id, &proto);
	btf_find(btf, btf_type_name(btf, id), btf_type_kind(t), &other);
	btf_find_decl_tag(btf, id, -1, "contains:", 0, &other);
	if (btf_type_is_struct(t))
		for (u32 i = 0; i < btf_type_vlen(t); i++)
			buf_str(text, btf_member_at(btf, t, i).name);
	if (btf_size(btf, id, &other, &size))
		return;
	for (u32 type = 0; type < 34; type++) {
		struct btf_map_want want = {type, 0, 1, size, size, id, id};

		if (!btf_map_check(btf, &want, &fields))
			btf_fields_free(fields);
		fields = NULL;
	}
}

/* The object's own bytes as records: their order and ranges are as good as any. */
static void ask_records(const struct btf_obj *btf, const u8 *data, size_t len)
{
	static const struct bpf_insn insns[8] = {{.code = 0xb7}, {.code = 0x95}};
	static const struct btf_subprog subprogs[2] = {{0}, {1, true, true}};
	struct btf_recs funcs = {data, len / 8, 8}, lines = {data, len / 16, 16};
	struct bpf_func_info *info = mem_array(funcs.cnt, sizeof(*info));
	struct bpf_line_info *line = mem_array(lines.cnt, sizeof(*line));
	struct buf log = BUF_INIT;
	u32 first[2];

	if (info && line) {
		if (!btf_func_info_check(btf, &funcs, &log, info))
			btf_func_info_layout_check(btf, info, funcs.cnt, subprogs, 2, &log);
		btf_line_info_check(btf, &lines, insns, 8, subprogs, 2, &log, line, first);
	}
	mem_free(info);
	mem_free(line);
	buf_done(&log);
}

static void load(const u8 *data, size_t len)
{
	struct buf log = BUF_INIT, text = BUF_INIT;
	struct btf_obj *btf = NULL;

	if (!btf_new(data, len, &log, &btf)) {
		for (u32 id = 0; id < btf_type_cnt(btf) && id < TYPES_ASKED; id++)
			ask_type(btf, id, &text);
		ask_records(btf, data, len);
	}
	btf_free(btf);
	buf_done(&log);
	buf_done(&text);
}

/* The header that fits: strings from the first byte of the last run that could be strings. */
static void load_mended(const u8 *data, size_t len)
{
	struct btf_header hdr = {
		.magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(hdr)};
	u8 *copy;
	u32 given;

	if (len <= sizeof(hdr) + 4)
		return;
	copy = mem_dup(data, len);
	if (!copy)
		return;
	memcpy(&given, data + offsetof(struct btf_header, type_len), sizeof(given));
	len -= sizeof(hdr);
	hdr.type_len = hdr.str_off = given % len & ~3u;
	hdr.str_len = len - hdr.type_len;
	memcpy(copy, &hdr, sizeof(hdr));
	copy[sizeof(hdr) + hdr.str_off] = 0;
	copy[sizeof(hdr) + len - 1] = 0;
	load(copy, len + sizeof(hdr));
	mem_free(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	load(data, len);
	load_mended(data, len);
	return 0;
}
