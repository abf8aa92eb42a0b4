/*
 * Explanations come from the rows of complaints.def; the place comes from the program's line info.
 */
#include "verifier/explain.h"

#include <string.h>

#include "btf/btf.h"
#include "isa/isa.h"
#include "verifier/complain.h"
#include "verifier/verify.h"

const char *vf_complaint_id(u32 complaint)
{
	const struct vf_complaint_row *row = vf_complaint_row(complaint);

	return row ? row->id : "";
}

const char *vf_complaint_human(u32 complaint)
{
	const struct vf_complaint_row *row = vf_complaint_row(complaint);

	return row ? row->human : "";
}

const char *vf_complaint_hint(u32 complaint)
{
	const struct vf_complaint_row *row = vf_complaint_row(complaint);

	return row ? row->hint : "";
}

bool vf_complaint_is_unsupported(u32 complaint)
{
	return !strncmp(vf_complaint_id(complaint), "UNSUPPORTED_", strlen("UNSUPPORTED_"));
}

static const struct bpf_line_info *find_line(const struct vf_explain_ctx *ctx, u32 insn_idx)
{
	const struct bpf_line_info *found = NULL;

	for (u32 l = 0; l < ctx->line_info_cnt && ctx->line_info[l].insn_off <= insn_idx; l++)
		found = &ctx->line_info[l];
	return found;
}

static void add_place(struct buf *out, u32 insn_idx, const struct vf_explain_ctx *ctx)
{
	const struct bpf_line_info *line = ctx->btf ? find_line(ctx, insn_idx) : NULL;
	const char *file = line ? btf_str(ctx->btf, line->file_name_off) : NULL;
	const char *text = line ? btf_str(ctx->btf, line->line_off) : NULL;

	if (file && text) {
		while (*text == ' ' || *text == '\t')
			text++;
		buf_printf(out, "  at %s:%u: %s\n", file, BPF_LINE_INFO_LINE_NUM(line->line_col),
			text);
	}
	if (insn_idx < ctx->insn_cnt &&
		(!isa_is_lddw(&ctx->insns[insn_idx]) || insn_idx + 1 < ctx->insn_cnt)) {
		buf_printf(out, "  at insn %u: ", insn_idx);
		isa_disasm(out, &ctx->insns[insn_idx], NULL);
		buf_str(out, "\n");
	}
}

void vf_explain(struct buf *out, const struct vf_verdict *verdict, const struct vf_explain_ctx *ctx)
{
	const struct vf_complaint_row *row = vf_complaint_row(verdict->complaint);

	if (!row)
		return;
	buf_printf(out, "  %s\n", verdict->msg);
	if (ctx)
		add_place(out, verdict->insn_idx, ctx);
	buf_printf(out, "  what: %s\n  do:   %s\n", row->human, row->hint);
}
