/*
 * func_info and line_info. The order of the checks inside a record, and of the records, decides which
 * complaint a wrong program gets; it is the kernel's.
 */
#include "btf/info.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "btf/btf.h"
#include "btf/obj.h"

__attribute__((format(printf, 2, 3))) static int refuse(struct buf *log, const char *fmt, ...)
{
	va_list ap;

	if (log) {
		va_start(ap, fmt);
		buf_vprintf(log, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

static bool is_rec_size(u32 size, u32 min)
{
	return size >= min && size <= BTF_INFO_REC_MAX && size % sizeof(u32) == 0;
}

int btf_func_info_size_check(const struct btf_recs *recs, struct buf *log)
{
	if (!is_rec_size(recs->rec_size, BTF_FUNC_INFO_MIN))
		return refuse(log, "invalid func info rec size %u\n", recs->rec_size);
	return 0;
}

int btf_line_info_size_check(const struct btf_recs *recs, struct buf *log)
{
	if (recs->cnt > BTF_LINE_INFO_CNT_MAX || !is_rec_size(recs->rec_size, BTF_LINE_INFO_MIN))
		return -EINVAL;
	return 0;
}

/* Record i into ret, which has `known` bytes; -E2BIG when what we do not know is not zero. */
static int read_rec(const struct btf_recs *recs, u32 i, u32 known, void *ret)
{
	const u8 *rec = (const u8 *)recs->data + (size_t)i * recs->rec_size;

	for (u32 at = known; at < recs->rec_size; at++)
		if (rec[at])
			return -E2BIG;
	memset(ret, 0, known);
	memcpy(ret, rec, MIN(known, recs->rec_size));
	return 0;
}

static int check_func(const struct btf_obj *btf, const struct bpf_func_info *rec, u32 i,
	u32 prev_off, struct buf *log)
{
	const struct btf_type *t;

	if (!i && rec->insn_off)
		return refuse(
			log, "nonzero insn_off %u for the first func info record", rec->insn_off);
	if (i && rec->insn_off <= prev_off)
		return refuse(log,
			"same or smaller insn offset (%u) than previous func info record (%u)",
			rec->insn_off, prev_off);
	t = btf_type_at(btf, rec->type_id);
	if (!t || !btf_type_is(t, BTF_KIND_FUNC))
		return refuse(log, "invalid type id %d in func info", (int)rec->type_id);
	return 0;
}

int btf_func_info_check(const struct btf_obj *btf, const struct btf_recs *recs, struct buf *log,
	struct bpf_func_info *ret_info)
{
	int err = btf_func_info_size_check(recs, log);

	for (u32 i = 0; i < recs->cnt && !err; i++) {
		err = read_rec(recs, i, sizeof(*ret_info), &ret_info[i]);
		if (err)
			refuse(log, "nonzero tailing record in func info");
		else
			err = check_func(
				btf, &ret_info[i], i, i ? ret_info[i - 1].insn_off : 0, log);
	}
	return err;
}

int btf_func_info_layout_check(const struct btf_obj *btf, const struct bpf_func_info *info, u32 cnt,
	const struct btf_subprog *subprogs, u32 subprog_cnt, struct buf *log)
{
	if (cnt != subprog_cnt)
		return refuse(
			log, "number of funcs in func_info doesn't match number of subprogs\n");
	for (u32 i = 0; i < cnt; i++) {
		bool scalar = btf_func_returns_scalar(btf, info[i].type_id);

		if (subprogs[i].start != info[i].insn_off)
			return refuse(log, "func_info BTF section doesn't match subprog layout in "
					   "BPF program\n");
		if (i && !scalar && subprogs[i].has_ld_abs)
			return refuse(
				log, "LD_ABS is only allowed in functions that return 'int'.\n");
		if (i && !scalar && subprogs[i].has_tail_call)
			return refuse(
				log, "tail_call is only allowed in functions that return 'int'.\n");
	}
	return 0;
}

int btf_no_func_info_check(const struct btf_subprog *subprogs, u32 subprog_cnt, struct buf *log)
{
	for (u32 i = 1; i < subprog_cnt; i++) {
		if (subprogs[i].has_ld_abs)
			return refuse(log, "LD_ABS is not allowed in subprogs without BTF\n");
		if (subprogs[i].has_tail_call)
			return refuse(log, "tail_call is not allowed in subprogs without BTF\n");
	}
	return 0;
}

struct lines {
	const struct btf_obj *btf;
	const struct bpf_insn *insns;
	u32 insn_cnt;
	const struct btf_subprog *subprogs;
	u32 subprog_cnt;
	u32 sub; /* the next subprogram that needs a line */
	struct buf *log;
	u32 *ret_first;
};

static int check_line(struct lines *l, const struct bpf_line_info *rec, u32 i, u32 prev_off)
{
	if ((i && rec->insn_off <= prev_off) || rec->insn_off >= l->insn_cnt)
		return refuse(l->log,
			"Invalid line_info[%u].insn_off:%u (prev_offset:%u prog->len:%u)\n", i,
			rec->insn_off, prev_off, l->insn_cnt);
	/* opcode 0 is the second half of a 16-byte instruction */
	if (!l->insns[rec->insn_off].code)
		return refuse(l->log, "Invalid insn code at line_info[%u].insn_off\n", i);
	if (!btf_str(l->btf, rec->line_off) || !btf_str(l->btf, rec->file_name_off))
		return refuse(l->log, "Invalid line_info[%u].line_off or .file_name_off\n", i);
	if (l->sub == l->subprog_cnt)
		return 0;
	if (rec->insn_off == l->subprogs[l->sub].start) {
		if (l->ret_first)
			l->ret_first[l->sub] = i;
		l->sub++;
	} else if (l->subprogs[l->sub].start < rec->insn_off) {
		return refuse(l->log, "missing bpf_line_info for func#%u\n", l->sub);
	}
	return 0;
}

int btf_line_info_check(const struct btf_obj *btf, const struct btf_recs *recs,
	const struct bpf_insn *insns, u32 insn_cnt, const struct btf_subprog *subprogs,
	u32 subprog_cnt, struct buf *log, struct bpf_line_info *ret_info, u32 *ret_first)
{
	struct lines l = {btf, insns, insn_cnt, subprogs, subprog_cnt, 0, log, ret_first};
	int err = btf_line_info_size_check(recs, log);

	for (u32 i = 0; i < recs->cnt && !err; i++) {
		err = read_rec(recs, i, sizeof(*ret_info), &ret_info[i]);
		if (err)
			refuse(log, "nonzero tailing record in line_info");
		else
			err = check_line(&l, &ret_info[i], i, i ? ret_info[i - 1].insn_off : 0);
	}
	if (!err && l.sub != subprog_cnt)
		err = refuse(log, "missing bpf_line_info for %u funcs starting from func#%u\n",
			subprog_cnt - l.sub, l.sub);
	return err;
}
