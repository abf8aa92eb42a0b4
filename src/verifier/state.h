/*
 * The abstract machine at one instruction of one path: for each nested call a frame of registers and
 * of stack slots. Pure data and copying; what the facts mean is decided elsewhere.
 *
 * Stack geometry of a frame: slot s covers the bytes [fp - 8*(s+1), fp - 8*s). Byte b of slot s is the
 * one at fp - 8*s - 1 - b, so that byte 7 is the lowest address, where an 8-byte spill begins:
 *
 *	   fp-16           fp-8            fp
 *	    | 7 6 5 4 3 2 1 0 | 7 6 5 4 3 2 1 0 |
 *	    |     slot 1      |     slot 0      |
 *
 * Invariants
 *  S1  a register that is not a scalar has no use for sub-register bounds
 *  S2  spill is meaningful only if byte 7 is VF_BYTE_SPILL; a spill of less than 8 bytes occupies the
 *      bytes from 7 downwards
 *  S3  a pointer that may be null has a nonzero id and offset 0
 *  S4  two scalars with one id (but for VF_ID_DELTA) hold the same number, or numbers that differ by
 *      their `off` where VF_ID_DELTA is set
 */
#ifndef VERIFIER_STATE_H
#define VERIFIER_STATE_H

#include "base/types.h"
#include "core/prog.h"
#include "verifier/scalar.h"

struct btf_obj;
struct map;
struct vf_env;

enum {
	KIND_ADD = 1,
	KIND_PKT = 2,
	KIND_VALID = 4,
	KIND_MEM = 8,
	KIND_MOVED = 16,
	KIND_LONE = 32,
};

enum vf_kind {
#define KIND(id, ...) VF_##id,
#include "verifier/types.def"
	VF_KIND_CNT
};

enum {
	VF_REG_CNT = 11,
	VF_FP = 10,
	VF_SLOT_LEN = 8,
	VF_SLOT_MAX = PROG_STACK_MAX / VF_SLOT_LEN,
	/* packet pointers known to be at or beyond the end; as `range` */
	VF_RANGE_AT_END = -1,
	VF_RANGE_BEYOND_END = -2,
	VF_PACKET_OFF_MAX = 0xffff,
	VF_VAR_OFF_MAX = 1 << 29,
};

/* In reg.id: the number is that of the id plus off, added with 64 bits or with 32. */
#define VF_ID_DELTA64 (1u << 31)
#define VF_ID_DELTA32 (1u << 30)
#define VF_ID_DELTA   (VF_ID_DELTA64 | VF_ID_DELTA32)

/* What else is known of a pointer: Linux's type flags. */
enum vf_flag {
	VF_TRUSTED = 1 << 0,   /* valid as long as the program runs, and not null */
	VF_UNTRUSTED = 1 << 1, /* may be stale: reads are probed, nobody takes it */
	VF_RCU = 1 << 2,       /* valid until the read-side section ends */
	VF_ALLOC = 1 << 3,     /* BTF: an object of a type of the program's own */
	VF_NON_OWN = 1 << 4,   /* BTF: lives in a list or tree; valid until the lock goes */
	VF_PERCPU = 1 << 5,
	VF_USER = 1 << 6,
	VF_RINGBUF = 1 << 7,	  /* MEM: a reserved record */
	VF_PACKET_SLICE = 1 << 8, /* MEM: a dynptr's view of a packet; goes stale as packets do */
};

struct vf_reg {
	u8 kind; /* enum vf_kind */
	bool may_be_null;
	bool is_rdonly;	 /* MEM: no writes */
	bool is_precise; /* scalar: a later decision hung on its value */
	s32 off;	 /* fixed offset of a pointer; delta of a linked scalar */
	u32 id;
	u32 ref_id; /* the reference that the pointer holds; 0: none (Linux: ref_obj_id) */
	u16 flags;  /* enum vf_flag */
	union {
		u32 frame;     /* STACK: whose */
		s32 range;     /* PACKET, PACKET_META: bytes from the base known to be there, or
			      VF_RANGE_* */
		u32 dynptr_id; /* MEM: the dynptr it is a view of */
		u32 sub;       /* FUNC: which */
		u32 map_uid; /* MAP_PTR, MAP_VALUE: tells inner maps of different look-ups apart */
		struct {
			u8 type; /* DYNPTR, and slots of one: enum vf_dynptr_type */
			bool is_first;
		} dynptr;
		u8 iter_state; /* slots of an iterator: enum vf_iter_state; `off` is its depth */
		u8 irq_class;  /* slots of a saved interrupt flag: enum vf_irq_class */
	};
	union {
		u32 mem_size; /* MEM */
		u32 btf_id;   /* BTF: the struct that it points to; iterator: its struct */
	};
	union {
		struct map *map;	   /* MAP_PTR, MAP_VALUE */
		const struct btf_obj *btf; /* BTF, iterator: the program's, or the kernel's */
	};
	struct vf_scalar num; /* the number, or the variable part of the pointer's offset */
};

/* From VF_BYTE_DYNPTR on: an object of the engine lives there; the slot's spill says which. */
enum vf_byte {
	VF_BYTE_INVALID,
	VF_BYTE_SPILL,
	VF_BYTE_MISC,
	VF_BYTE_ZERO,
	VF_BYTE_DYNPTR,
	VF_BYTE_ITER,
	VF_BYTE_IRQ,
};

struct vf_slot {
	struct vf_reg spill;
	u8 byte[VF_SLOT_LEN]; /* enum vf_byte */
};

struct vf_frame {
	u32 no;	      /* depth, 0 is the outermost */
	u32 sub;      /* which subprogram runs */
	s32 callsite; /* the call instruction in the frame below; -1 in the outermost */
	u32 slot_cnt;
	struct vf_slot *slots;
	struct vf_live *live; /* stack liveness of this chain of calls */
	bool is_callback;   /* called by a helper: returns to the call itself, in cb_min..cb_max */
	bool is_async;	    /* called later, with nothing of the caller's around it */
	bool is_exception;  /* what bpf_throw ends in */
	s32 cb_min, cb_max; /* what R0 may be at the end of a callback */
	u32 callback_depth; /* calls of callbacks since bpf_loop was entered */
	u32 async_entries;  /* on the way here */
	struct vf_reg regs[VF_REG_CNT];
};

/* What one executed instruction did that precision tracking must know. */
struct vf_hist {
	u32 idx, prev_idx;
	u16 flags; /* VF_HIST_* */
	u8 frame, slot;
	u64 linked; /* packed vf_linked set; 0: none */
};

enum {
	VF_HIST_STACK = 1,     /* a spill to or fill from frame, slot */
	VF_HIST_SRC_STACK = 2, /* a comparison whose src or dst is a stack pointer */
	VF_HIST_DST_STACK = 4,
};

/* Something that must be given back, in the order it was taken. */
enum vf_ref_kind {
	VF_REF_PTR = 1,
	VF_REF_IRQ = 2,
	VF_REF_LOCK = 4,
	VF_REF_RES_LOCK = 8,
	VF_REF_RES_LOCK_IRQ = 16,
};

struct vf_ref {
	u8 kind; /* enum vf_ref_kind */
	u32 id;
	u32 insn_idx;	 /* that took it */
	const void *ptr; /* locks: the map or type whose lock it is */
};

struct vf_state {
	struct vf_frame *frames[PROG_FRAME_MAX];
	u32 top; /* index of the running frame */
	/* what is held (references.h) */
	struct vf_ref *refs;
	u32 ref_cnt;
	u32 lock_cnt;	      /* refs that are locks */
	u32 lock_id;	      /* of the lock taken last; 0: none */
	const void *lock_ptr; /* of the same */
	u32 rcu_cnt, preempt_cnt;
	u32 irq_id; /* of the flags saved last; 0: interrupts are on */
	bool may_sleep;
	struct vf_state *parent;
	u32 may_goto_depth;  /* rounds of loops with may_goto on the way here */
	u32 callback_rounds; /* calls of callbacks on the way here */
	u32 saved_depth;     /* saved states on the way here */
	u32 branches;	     /* paths through this state that are still to be explored */
	u32 insn_idx;	     /* the instruction about to run */
	u32 first_idx;	     /* the first of the stretch since the parent */
	s32 last_idx;	     /* the one executed before insn_idx */
	struct vf_hist *hist;
	u32 hist_cnt, hist_cap;
};

static inline const char *vf_kind_name(u8 kind)
{
	static const char *const names[] = {
#define KIND(id, name, bits) name,
#include "verifier/types.def"
	};
	return names[kind];
}

static inline unsigned vf_kind_bits(u8 kind)
{
	static const u8 bits_of[] = {
#define KIND(id, name, bits) (bits),
#include "verifier/types.def"
	};
	return bits_of[kind];
}

static inline struct vf_frame *vf_top(const struct vf_state *st)
{
	return st->frames[st->top];
}

static inline bool vf_is_scalar(const struct vf_reg *reg)
{
	return reg->kind == VF_SCALAR;
}

static inline bool vf_is_packet(const struct vf_reg *reg)
{
	return reg->kind == VF_PACKET || reg->kind == VF_PACKET_META;
}

/* The known constant 0. */
static inline bool vf_is_null(const struct vf_reg *reg)
{
	return reg->kind == VF_SCALAR && tnum_equals_const(reg->num.var_off, 0);
}

static inline bool vf_has_spill(const struct vf_slot *slot)
{
	return slot->byte[VF_SLOT_LEN - 1] == VF_BYTE_SPILL;
}

static inline bool vf_has_scalar_spill(const struct vf_slot *slot)
{
	return vf_has_spill(slot) && slot->spill.kind == VF_SCALAR;
}

/* Bits that the unsigned value may need. */
static inline unsigned vf_reg_width(const struct vf_reg *reg)
{
	return reg->num.umax ? 64 - __builtin_clzll(reg->num.umax) : 0;
}

/* The slot and the byte in it of the byte at fp + off (off < 0). */
static inline u32 vf_slot_of(s32 off)
{
	return (u32)(-off - 1) / VF_SLOT_LEN;
}

static inline u32 vf_byte_of(s32 off)
{
	return (u32)(-off - 1) % VF_SLOT_LEN;
}

void vf_reg_clear(struct vf_reg *reg);	 /* NOT_INIT */
void vf_reg_unknown(struct vf_reg *reg); /* any scalar */
void vf_reg_known(struct vf_reg *reg, u64 value);
void vf_reg_pointer(struct vf_reg *reg, enum vf_kind kind); /* at offset 0 */
/* What a pointer becomes when it turned out not to be null: a value of a map of maps, say, is a map. */
void vf_reg_not_null(struct vf_reg *reg);

/* Calls visit on all registers and spilled registers of all frames. */
void vf_each_reg(struct vf_state *st, void (*visit)(struct vf_reg *reg, void *arg), void *arg);

/* Memory of states is charged to env; -ENOMEM or NULL when it is used up. */
struct vf_frame *vf_frame_new(struct vf_env *env, u32 no, u32 sub, s32 callsite);
void vf_frame_free(struct vf_env *env, struct vf_frame *frame);
/* At least cnt slots; new ones are invalid. */
int vf_frame_grow(struct vf_env *env, struct vf_frame *frame, u32 cnt);
/* dst is zeroed or a state; becomes a copy of src without its history. */
int vf_state_copy(struct vf_env *env, struct vf_state *dst, const struct vf_state *src);
void vf_state_done(struct vf_env *env, struct vf_state *st);
int vf_hist_copy(struct vf_env *env, struct vf_state *dst, const struct vf_state *src);
/* Records that insn_idx ran (flags or-ed in when it has an entry already). */
int vf_hist_push(struct vf_env *env, u16 flags, u32 frame, u32 slot, u64 linked);

#endif
