/*
 * The log in Linux's format. Level 1 shows only the path that failed: what was written for a path that
 * turned out well is taken back when the next one starts, so the text is kept until the end. Level 2
 * keeps everything and is passed on in pieces. What a register or stack slot has become is printed
 * after the instruction that touched it, for which touched ones are noted here ("scratched" in Linux).
 */
#ifndef VERIFIER_LOG_H
#define VERIFIER_LOG_H

#include "base/buf.h"
#include "base/types.h"

struct vf_env;
struct vf_state;
struct vf_reg;
struct vf_frame;

struct vf_log {
	struct buf buf;
	u64 passed_on; /* bytes already given to params->log */
	u32 touched_regs;
	u64 touched_slots;
	/* where the running instruction's line ends, and how wide it is */
	u64 insn_end, insn_width;
	const void *last_line; /* line info printed last */
};

__attribute__((format(printf, 2, 3))) void vf_note(struct vf_env *env, const char *fmt, ...);
u64 vf_log_pos(const struct vf_env *env);
/* Forgets what was written after pos; level 2 forgets nothing. */
void vf_log_rewind(struct vf_env *env, u64 pos);
/* Hands the rest to params->log. */
void vf_log_finish(struct vf_env *env);

void vf_log_touch_reg(struct vf_env *env, u32 regno);
void vf_log_touch_slot(struct vf_env *env, u32 slot);
void vf_log_touch_all(struct vf_env *env);
void vf_log_touch_none(struct vf_env *env);
bool vf_log_is_touched(const struct vf_env *env);

/* The source line of an instruction, once. */
void vf_log_source(struct vf_env *env, u32 insn_idx);
void vf_log_insn(struct vf_env *env, u32 insn_idx);
/* All of a frame of st on one line; with all = false only what was touched. */
void vf_log_frame(struct vf_env *env, const struct vf_state *st, u32 frame, bool all);
/* The state after an instruction, behind its text if that is still the last line. */
void vf_log_after_insn(struct vf_env *env, const struct vf_state *st, u32 frame);

/* "map_value_or_null", … in one of a few rotating buffers of the caller. */
struct vf_kind_text {
	char text[96];
};
const char *vf_kind_text(const struct vf_reg *reg, struct vf_kind_text *ret_text);
#define vf_kind_str(reg) vf_kind_text((reg), &(struct vf_kind_text){{0}})
/* A tnum as text. */
struct vf_tnum_text {
	char text[64];
};
const char *vf_tnum_text(const struct vf_reg *reg, struct vf_tnum_text *ret_text);
#define vf_tnum_str(reg) vf_tnum_text((reg), &(struct vf_tnum_text){{0}})

#endif
