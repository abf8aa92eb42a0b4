/*
 * The contract of a program type: its context as seen by programs, how each field is really read, which
 * values it may return, and how a test run works. One file of layer progs fills one struct prog_type.
 *
 * Contexts are rewritten as Linux does: a program loads u32 `data` of struct xdp_md; what runs is a
 * 64-bit load from struct xdp_buff. A field row holds that path: each step loads `size` bytes at `off`
 * from the pointer of the step before (the first from the context itself).
 */
#ifndef CORE_PROG_TYPE_H
#define CORE_PROG_TYPE_H

#include "isa/uapi.h"
#include "base/types.h"

struct skep;
struct prog;
struct run;

/* What the verifier gives a register that loads the field. */
enum ctx_reg {
	CTX_SCALAR,
	CTX_PACKET,
	CTX_PACKET_END,
	CTX_PACKET_META,
	CTX_BTF,       /* an object of the kernel: btf_name */
	CTX_TP_BUFFER, /* the record of a writable tracepoint */
	CTX_FLOW_KEYS, /* struct bpf_flow_keys */
	CTX_SOCKET,    /* struct bpf_sock */
	CTX_SOCKET_OR_NULL,
	CTX_SOCK_COMMON_OR_NULL, /* the part of it that sockets in a handshake have too */
	CTX_OTHER, /* a pointer of a kind that the verifier does not know: refused, and said so */
};

enum ctx_access {
	CTX_RD = 1,
	CTX_WR = 2,
	CTX_NARROW = 4, /* smaller loads inside the field are fine */
	CTX_RAW =
		8, /* aligned accesses of any size inside; in memory it is as the program sees it */
	CTX_WIDE = 16, /* 8 bytes at once, of this row and of the next; both stand so in memory */
};

enum { CTX_STEP_MAX = 3, CTX_FIELD_END = 0xffff };

struct ctx_field {
	const char *name;
	u16 off, size; /* bytes, in the program's view */
	enum ctx_reg reg;
	u8 access; /* CTX_* */
	/* Bits of the expected attach types whose programs have the field; 0: all programs. */
	u64 attach_types;
	u8 step_cnt;
	struct {
		u16 off;
		u8 size; /* 1, 2, 4 or 8 */
	} step[CTX_STEP_MAX];
	const char *btf_name; /* CTX_BTF: the struct pointed to */
};

/* Where test-run data goes; all pointers are the engine's own memory. */
struct prog_test_run {
	const void *data_in;
	u32 data_in_len;
	const void *ctx_in;
	u32 ctx_in_len;
	void *data_out;			    /* room for data_out_cap bytes, may be NULL */
	u32 data_out_cap, ret_data_out_len; /* len is the real one even if it did not fit */
	void *ctx_out;
	u32 ctx_out_cap, ret_ctx_out_len;
	u32 repeat, flags, batch_size, cpu;
	u32 ret_retval;
	u32 ret_duration_ns; /* mean of one run */
};

/* What r0 may be at exit for some expected attach types. */
struct ctx_ret {
	u64 attach_types; /* bits BPF_x */
	s32 min, max;
};

enum ctx_model {
	CTX_BY_ROWS, /* fields below */
	CTX_BY_BTF,  /* the arguments of what the program attaches to, 8 bytes each */
};

struct prog_type {
	u32 type;	      /* BPF_PROG_TYPE_* */
	const char *name;     /* bpftool's word: "xdp" */
	const char *ctx_name; /* "struct xdp_md" without struct */
	enum ctx_model ctx_model;
	u32 ctx_size; /* bytes in the program's view */
	const struct ctx_field *fields;
	u32 field_cnt;
	s32 ret_min, ret_max; /* what r0 may be at exit; ret_any: no rule */
	bool ret_any;
	const struct ctx_ret *rets; /* these attach types have a range of their own */
	u32 ret_cnt;
	bool has_packet; /* direct packet access */
	bool can_write_packet;
	bool may_sleep;	  /* BPF_F_SLEEPABLE is taken */
	u64 attach_types; /* bits BPF_x that expected_attach_type may be; ~0: any value */
	u8 since_major, since_minor;
	/* 0 or -errno (-ENOSPC: data_out was too small, and what fitted is there). NULL: -ENOTSUPP. */
	int (*test_run)(struct prog *prog, struct run *run, struct prog_test_run *io);
};

#endif
