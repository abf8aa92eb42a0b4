/*
 * The BTF records of BPF_PROG_LOAD: which function and which source line an instruction belongs to.
 * Pure checks of bytes already copied from the caller of bpf(2); same order, errno and log text as
 * Linux 6.18.
 *
 * A record may be longer than the kernel's struct (from a newer program) if the rest is zero, and is
 * refused with -E2BIG if not; bpf(2) then also writes the size it knows into the attribute
 * (func_info_rec_size or line_info_rec_size).
 */
#ifndef BTF_INFO_H
#define BTF_INFO_H

#include <linux/bpf.h>

#include "base/types.h"

struct buf;
struct btf_obj;

enum {
	BTF_INFO_REC_MAX = 252, /* bytes of a record */
	BTF_FUNC_INFO_MIN = 8,	/* struct bpf_func_info */
	BTF_LINE_INFO_MIN = 16, /* struct bpf_line_info */
	BTF_LINE_INFO_CNT_MAX = 0x7fffffff / 16,
};

/* Records as given: cnt of rec_size bytes each. */
struct btf_recs {
	const void *data;
	u32 cnt;
	u32 rec_size;
};

/* What the checks need to know of a subprogram; in order of start, the first starts at 0. */
struct btf_subprog {
	u32 start; /* index of its first instruction */
	bool has_ld_abs;
	bool has_tail_call;
};

/*
 * Whether the sizes are possible at all: asked before the records are copied, data may be NULL.
 * cnt 0 is the caller's to handle (nothing to check). -EINVAL.
 */
int btf_func_info_size_check(const struct btf_recs *recs, struct buf *log);
int btf_line_info_size_check(const struct btf_recs *recs, struct buf *log);

/*
 * Before subprograms are known: tails, increasing offsets beginning with 0, each type a FUNC.
 * ret_info has room for recs->cnt. -EINVAL, -E2BIG.
 */
int btf_func_info_check(const struct btf_obj *btf, const struct btf_recs *recs, struct buf *log,
	struct bpf_func_info *ret_info);
/*
 * Once they are: exactly one record a subprogram, at its start; LD_ABS and tail calls in subprograms
 * only where the function returns a scalar. -EINVAL.
 */
int btf_func_info_layout_check(const struct btf_obj *btf, const struct bpf_func_info *info, u32 cnt,
	const struct btf_subprog *subprogs, u32 subprog_cnt, struct buf *log);
/* Without func_info: LD_ABS and tail calls are not allowed in subprograms but the first. -EINVAL. */
int btf_no_func_info_check(const struct btf_subprog *subprogs, u32 subprog_cnt, struct buf *log);

/*
 * Tails, increasing offsets below insn_cnt that are no second half of a 16-byte instruction, texts in
 * the string section, and a line at the start of every subprogram.
 * ret_info has room for recs->cnt; ret_first, when not NULL, for subprog_cnt: the index of each
 * subprogram's first line. -EINVAL, -E2BIG.
 */
int btf_line_info_check(const struct btf_obj *btf, const struct btf_recs *recs,
	const struct bpf_insn *insns, u32 insn_cnt, const struct btf_subprog *subprogs,
	u32 subprog_cnt, struct buf *log, struct bpf_line_info *ret_info, u32 *ret_first);

#endif
