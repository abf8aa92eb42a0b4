/*
 * Telling profilers of a program's code: each function under the name that Linux gives it in /proc/kallsyms
 * (bpf_prog_TAG_NAME), with the lines of its source. Off unless the instance was asked for it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "core/btf.h"
#include "jit/dump.h"
#include "jit/jit.h"
#include "vm/vm.h"

enum { NAME_LEN = 512 };

static const struct btf_obj *btf_of(const struct prog *prog)
{
	return prog->btf ? container_of(prog->btf, struct core_btf, obj)->btf : NULL;
}

static void print_name(const struct prog *prog, u32 sub, struct buf *out)
{
	const struct btf_obj *btf = btf_of(prog);
	const char *name = sub ? "" : prog->name;

	buf_str(out, "bpf_prog_");
	for (u32 i = 0; i < PROG_TAG_LEN; i++)
		buf_printf(out, "%02x", prog->tag[i]);
	for (u32 i = 0; btf && i < prog->func_info_cnt; i++)
		if (prog->func_info[i].insn_off == prog->code.subs[sub].start)
			name = btf_type_name(btf, prog->func_info[i].type_id);
	buf_printf(out, "_%s", name);
}

/* Those of instructions [start, end); returns how many. */
static u32 find_lines(const struct prog *prog, u32 start, u32 end, struct jit_line *lines)
{
	const struct btf_obj *btf = btf_of(prog);
	const char *file;
	u32 cnt = 0;

	for (u32 i = 0; btf && i < prog->line_info_cnt; i++) {
		const struct bpf_line_info *info = &prog->line_info[i];

		file = btf_str(btf, info->file_name_off);
		if (!file || info->insn_off < start || info->insn_off >= end)
			continue;
		lines[cnt++] = (struct jit_line){
			.code = (const u8 *)prog->image.code + prog->image.insn_off[info->insn_off],
			.line = BPF_LINE_INFO_LINE_NUM(info->line_col),
			.file = file};
	}
	return cnt;
}

static int export_sub(
	struct jit_dump *dump, const struct prog *prog, u32 sub, struct jit_line *lines)
{
	const struct prog_code *code = &prog->code;
	const bool is_last = sub + 1 == code->sub_cnt;
	const u32 from = sub ? prog->image.sub_off[sub] : 0; /* the entry belongs to function 0 */
	const u32 to = is_last ? prog->image.len : prog->image.sub_off[sub + 1];
	struct buf name = BUF_INIT_MAX(NAME_LEN);
	struct jit_symbol symbol = {.code = (const u8 *)prog->image.code + from,
		.len = to - from,
		.lines = lines,
		.line_cnt = find_lines(prog, code->subs[sub].start,
			is_last ? code->insn_cnt : code->subs[sub + 1].start, lines)};
	int err;

	print_name(prog, sub, &name);
	symbol.name = buf_text(&name);
	err = jit_dump_add(dump, &symbol);
	buf_done(&name);
	return err;
}

void vm_export(const struct prog *prog)
{
	struct skep *inst = prog->obj.inst;
	struct jit_dump *dump = jit_arena_dump(inst->code);
	struct jit_line *lines;
	int err = -ENOMEM;

	if (!dump || !prog->image.entry)
		return;
	lines = mem_array(prog->line_info_cnt + 1, sizeof(*lines));
	if (lines)
		err = 0;
	for (u32 sub = 0; sub < prog->code.sub_cnt && !err; sub++)
		err = export_sub(dump, prog, sub, lines);
	mem_free(lines);
	if (err)
		sink_emit(&inst->sink, SINK_INFO, "program '%s' is not in the jitdump: %s",
			prog->name, strerrorname_np(-err));
}
