/*
 * A verdict in words: what the complaint means, where in the source, and what to do.
 */
#ifndef VERIFIER_EXPLAIN_H
#define VERIFIER_EXPLAIN_H

#include "base/buf.h"
#include "base/types.h"

struct btf_obj;
struct bpf_line_info;
struct vf_verdict;

struct vf_explain_ctx {
	const struct btf_obj *btf;	       /* NULL without */
	const struct bpf_line_info *line_info; /* as loaded */
	u32 line_info_cnt;
	const struct bpf_insn *insns; /* as loaded */
	u32 insn_cnt;
};

/* "MEM_KIND", … the row's name; "" for no complaint. */
const char *vf_complaint_id(u32 complaint);
/* The human text and the hint of a row; "" for no complaint. */
const char *vf_complaint_human(u32 complaint);
const char *vf_complaint_hint(u32 complaint);
/* True for what Linux may accept and skep does not understand. */
bool vf_complaint_is_unsupported(u32 complaint);

/*
 * Several lines: the place (source line if known, and the instruction), what is wrong, what to do.
 * Nothing is added for a verdict without complaint. ctx may be NULL.
 */
void vf_explain(
	struct buf *out, const struct vf_verdict *verdict, const struct vf_explain_ctx *ctx);

#endif
