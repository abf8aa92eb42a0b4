/*
 * Writing the log; see log.h for the rules. Formats are those of Linux 6.18.
 */
#include "verifier/log.h"

#include <stdio.h>
#include <string.h>

#include "btf/btf.h"
#include "verifier/dynptr.h"
#include "verifier/env.h"
#include "verifier/iter.h"

enum {
	PASS_ON_LEN = 64 << 10,	 /* bytes collected at level 2 before they are passed on */
	LOG_KEPT_MAX = 64 << 20, /* bytes that may still be taken back at level 1 */
	STATE_COLUMN = 40,
	STATE_TAB = 8,
};

static void pass_on(struct vf_env *env)
{
	struct buf *buf = &env->log.buf;

	if (buf->len && env->params->log)
		env->params->log(env->params->log_arg, buf->data, buf->len);
	env->log.passed_on += buf->len;
	buf_reset(buf);
}

void vf_note(struct vf_env *env, const char *fmt, ...)
{
	struct buf *buf = &env->log.buf;
	va_list ap;

	if (!vf_logs(env))
		return;
	if (buf->len > LOG_KEPT_MAX)
		pass_on(env);
	va_start(ap, fmt);
	buf_vprintf(buf, fmt, ap);
	va_end(ap);
}

u64 vf_log_pos(const struct vf_env *env)
{
	return env->log.passed_on + env->log.buf.len;
}

void vf_log_rewind(struct vf_env *env, u64 pos)
{
	struct buf *buf = &env->log.buf;

	if (vf_logs_full(env) || pos > vf_log_pos(env))
		return;
	buf->len = pos > env->log.passed_on ? pos - env->log.passed_on : 0;
	buf->err = 0;
	if (buf->data)
		buf->data[buf->len] = '\0';
}

/* Takes back bytes of the running line, at every level. */
static void cut_line(struct vf_env *env, u64 pos)
{
	struct buf *buf = &env->log.buf;

	if (pos < env->log.passed_on || pos > vf_log_pos(env) || !buf->data)
		return;
	buf->len = pos - env->log.passed_on;
	buf->data[buf->len] = '\0';
}

void vf_log_finish(struct vf_env *env)
{
	pass_on(env);
	buf_done(&env->log.buf);
}

void vf_log_touch_reg(struct vf_env *env, u32 regno)
{
	env->log.touched_regs |= 1u << regno;
}

void vf_log_touch_slot(struct vf_env *env, u32 slot)
{
	env->log.touched_slots |= 1ull << slot;
}

void vf_log_touch_all(struct vf_env *env)
{
	env->log.touched_regs = ~0u;
	env->log.touched_slots = ~0ull;
}

void vf_log_touch_none(struct vf_env *env)
{
	env->log.touched_regs = 0;
	env->log.touched_slots = 0;
}

bool vf_log_is_touched(const struct vf_env *env)
{
	return env->log.touched_regs || env->log.touched_slots;
}

static const struct bpf_line_info *find_line(const struct vf_env *env, u32 insn_idx)
{
	u32 lo = 0, hi = env->line_info_cnt;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (env->line_info[mid].insn_off <= insn_idx)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &env->line_info[lo - 1] : NULL;
}

void vf_log_source(struct vf_env *env, u32 insn_idx)
{
	const struct bpf_line_info *line, *last = env->log.last_line;
	const char *text, *file, *slash;

	if (!vf_logs(env) || !env->line_info || !env->params->btf)
		return;
	line = find_line(env, insn_idx);
	if (!line || line == last)
		return;
	if (last && line->file_name_off == last->file_name_off &&
		BPF_LINE_INFO_LINE_NUM(line->line_col) == BPF_LINE_INFO_LINE_NUM(last->line_col))
		return;
	text = btf_str(env->params->btf, line->line_off);
	file = btf_str(env->params->btf, line->file_name_off);
	if (!text || !file)
		return;
	while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		text++;
	slash = strrchr(file, '/');
	vf_note(env, "; %s @ %s:%u\n", text, slash ? slash + 1 : file,
		BPF_LINE_INFO_LINE_NUM(line->line_col));
	env->log.last_line = line;
}

void vf_log_insn(struct vf_env *env, u32 insn_idx)
{
	u64 start;

	if (vf_logs_full(env) && env->log.buf.len > PASS_ON_LEN)
		pass_on(env);
	start = vf_log_pos(env);
	vf_note(env, "%u: ", insn_idx);
	isa_disasm(&env->log.buf, &env->insns[insn_idx], NULL);
	vf_note(env, "\n");
	env->log.insn_end = vf_log_pos(env);
	env->log.insn_width = env->log.insn_end - start;
}

static void print_reg(struct vf_env *env, const struct vf_frame *frame, const struct vf_reg *reg)
{
	struct buf *out = &env->log.buf;
	const char *sep = "";

	if (vf_is_scalar(reg) && reg->is_precise)
		buf_str(out, "P");
	if (vf_is_scalar(reg) && tnum_is_const(reg->num.var_off)) {
		vf_print_snum(out, reg->num.var_off.value);
		return;
	}
	buf_str(out, vf_kind_str(reg));
	if (reg->kind == VF_STACK) {
		if (frame->no != reg->frame)
			buf_printf(out, "[%u]", reg->frame);
		if (tnum_is_const(reg->num.var_off)) {
			vf_print_snum(out, reg->num.var_off.value + reg->off);
			return;
		}
	}
#define FIELD(...) (buf_str(out, sep), buf_printf(out, __VA_ARGS__), sep = ",")
	if (reg->kind == VF_BTF)
		buf_str(out, btf_type_name(reg->btf, reg->btf_id));
	buf_str(out, "(");
	if (reg->id)
		FIELD("id=%u", reg->id & ~VF_ID_DELTA);
	if (reg->id & VF_ID_DELTA)
		buf_printf(out, "%+d", reg->off);
	if (reg->ref_id)
		FIELD("ref_obj_id=%u", reg->ref_id);
	if (reg->flags & VF_NON_OWN)
		FIELD("non_own_ref");
	if (reg->kind == VF_MAP_PTR || reg->kind == VF_MAP_VALUE || reg->kind == VF_MAP_KEY) {
		if (reg->map->name[0])
			FIELD("map=%s", reg->map->name);
		FIELD("ks=%u,vs=%u", reg->map->key_size, reg->map->value_size);
	}
	if (!vf_is_scalar(reg) && reg->off) {
		FIELD("off=");
		vf_print_snum(out, reg->off);
	}
	if (vf_is_packet(reg)) {
		FIELD("r=");
		vf_print_unum(out, (s64)reg->range);
	}
	if (reg->kind == VF_MEM) {
		FIELD("sz=");
		vf_print_unum(out, reg->mem_size);
	}
	if (tnum_is_const(reg->num.var_off)) {
		if (reg->num.var_off.value) {
			FIELD("imm=");
			vf_print_snum(out, reg->num.var_off.value);
		}
	} else {
		vf_scalar_print_fields(out, &reg->num, &sep);
	}
	buf_str(out, ")");
#undef FIELD
}

/* Dynptrs and iterators: once each, at their first slot. */
static bool print_object(struct vf_env *env, const struct vf_slot *slot, u32 no)
{
	const struct vf_reg *is = &slot->spill;
	int at = -(int)(no + 1) * VF_SLOT_LEN;

	switch (slot->byte[VF_SLOT_LEN - 1]) {
	case VF_BYTE_DYNPTR:
		if (!is->dynptr.is_first)
			return true;
		vf_note(env, " fp%d=dynptr_%s(", at, vf_dynptr_type_str(is->dynptr.type));
		vf_note(env, "id=%u", is->id);
		if (is->ref_id)
			vf_note(env, ",ref_id=%u", is->ref_id);
		vf_note(env, ")");
		return true;
	case VF_BYTE_ITER:
		if (!is->ref_id)
			return true;
		vf_note(env, " fp%d=iter_%s(ref_id=%u,state=%s,depth=%d)", at,
			btf_type_name(is->btf, is->btf_id) + strlen("bpf_iter_"), is->ref_id,
			vf_iter_state_str(is->iter_state), is->off);
		return true;
	default: return false;
	}
}

static void print_slot(
	struct vf_env *env, const struct vf_frame *frame, const struct vf_slot *slot, u32 no)
{
	static const char letters[] = {
		[VF_BYTE_INVALID] = '?',
		[VF_BYTE_SPILL] = 'r',
		[VF_BYTE_MISC] = 'm',
		[VF_BYTE_ZERO] = '0',
		[VF_BYTE_DYNPTR] = 'd',
		[VF_BYTE_ITER] = 'i',
		[VF_BYTE_IRQ] = 'f',
	};
	char text[VF_SLOT_LEN + 1] = "";
	bool is_valid = false;

	if (print_object(env, slot, no))
		return;
	for (u32 b = 0; b < VF_SLOT_LEN; b++) {
		is_valid |= slot->byte[b] != VF_BYTE_INVALID;
		text[b] = letters[slot->byte[b]];
	}
	if (!is_valid)
		return;
	if (vf_has_spill(slot)) {
		/* what lies above a short spill, then the spill itself */
		for (u32 b = 0; b < VF_SLOT_LEN; b++) {
			if (slot->byte[b] == VF_BYTE_SPILL) {
				text[b] = '\0';
				break;
			}
		}
	}
	vf_note(env, " fp%d=%s", -(int)(no + 1) * VF_SLOT_LEN, text);
	if (vf_has_spill(slot))
		print_reg(env, frame, &slot->spill);
}

static void print_held(struct vf_env *env, const struct vf_state *st, const struct vf_frame *frame)
{
	for (u32 i = 0; i < st->ref_cnt; i++)
		vf_note(env, i ? ",%u" : " refs=%u", st->refs[i].id);
	if (frame->is_callback)
		vf_note(env, " cb");
	if (frame->is_async)
		vf_note(env, " async_cb");
}

void vf_log_frame(struct vf_env *env, const struct vf_state *st, u32 frame_no, bool all)
{
	const struct vf_frame *frame = st->frames[frame_no];

	if (!vf_logs(env))
		return;
	if (frame->no)
		vf_note(env, " frame%u:", frame->no);
	for (u32 r = 0; r < VF_REG_CNT; r++) {
		if (frame->regs[r].kind == VF_NOT_INIT)
			continue;
		if (!all && !(env->log.touched_regs & 1u << r))
			continue;
		vf_note(env, " R%u=", r);
		print_reg(env, frame, &frame->regs[r]);
	}
	for (u32 s = 0; s < frame->slot_cnt; s++) {
		if (all || env->log.touched_slots & 1ull << s)
			print_slot(env, frame, &frame->slots[s], s);
	}
	print_held(env, st, frame);
	vf_note(env, "\n");
	if (!all)
		vf_log_touch_none(env);
}

void vf_log_after_insn(struct vf_env *env, const struct vf_state *st, u32 frame)
{
	if (env->log.insn_end && env->log.insn_end == vf_log_pos(env)) {
		/* the width counts the newline, which goes */
		u64 width = env->log.insn_width;
		u64 column = MAX(width + STATE_TAB / 2, STATE_COLUMN);

		cut_line(env, env->log.insn_end - 1);
		vf_note(env, "%*c;", (int)(ROUND_UP(column, STATE_TAB) - width - 1), ' ');
	} else {
		vf_note(env, "%u:", env->insn_idx);
	}
	vf_log_frame(env, st, frame, false);
}

const char *vf_kind_text(const struct vf_reg *reg, struct vf_kind_text *ret_text)
{
	static const struct {
		u16 flag;
		const char *word;
	} words[] = {
		{VF_RINGBUF, "ringbuf_"},
		{VF_USER, "user_"},
		{VF_PERCPU, "percpu_"},
		{VF_RCU, "rcu_"},
		{VF_UNTRUSTED, "untrusted_"},
		{VF_TRUSTED, "trusted_"},
	};
	const char *null = reg->kind == VF_BTF ? "or_null_" : "_or_null";
	char *text = ret_text->text, *end = text + sizeof(ret_text->text);

	*text = '\0';
	if (reg->is_rdonly)
		text = stpcpy(text, "rdonly_");
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (reg->flags & words[i].flag)
			text = stpcpy(text, words[i].word);
	}
	snprintf(text, end - text, "%s%s", vf_kind_name(reg->kind), reg->may_be_null ? null : "");
	return ret_text->text;
}

const char *vf_tnum_text(const struct vf_reg *reg, struct vf_tnum_text *ret_text)
{
	struct buf buf = BUF_INIT;

	tnum_print(&buf, reg->num.var_off);
	snprintf(ret_text->text, sizeof(ret_text->text), "%s", buf_text(&buf));
	buf_done(&buf);
	return ret_text->text;
}
