/*
 * The contract of a helper: what the verifier must know to allow a call, and the function behind it.
 * One row of helpers/helpers.def gives one struct hlp_proto. The words are Linux's (enum bpf_arg_type).
 */
#ifndef CORE_HELPER_H
#define CORE_HELPER_H

#include "core/run.h"

enum { HLP_ARG_MAX = 5 };

/* Base kinds of arguments; HLP_* flags below are or-ed in. */
enum hlp_arg {
	HLP_NONE,	   /* the argument does not exist */
	HLP_CONST_MAP_PTR, /* a map */
	HLP_MAP_KEY,	   /* readable memory of the map's key size */
	HLP_MAP_VALUE,	   /* memory of the map's value size */
	HLP_MEM,	/* memory; its size is the next argument, or arg_size with HLP_FIXED_SIZE */
	HLP_CONST_SIZE, /* size of the HLP_MEM before it, > 0 */
	HLP_CONST_SIZE_OR_ZERO,
	HLP_CTX,	  /* the program's context */
	HLP_ANYTHING,	  /* any initialised value */
	HLP_STACK,	  /* pointer into the stack */
	HLP_SCALAR_CONST, /* a scalar known at verification time */
	HLP_CONST_STR,	  /* constant string in a read-only map */
	HLP_ARG_KIND_CNT,
};

enum hlp_flag {
	HLP_MAYBE_NULL = 1 << 8,  /* a null pointer is fine too */
	HLP_RDONLY = 1 << 9,	  /* the helper only reads the memory */
	HLP_UNINIT = 1 << 10,	  /* the helper fills the memory; it need not be initialised */
	HLP_WRITE = 1 << 11,	  /* the helper writes the memory */
	HLP_FIXED_SIZE = 1 << 12, /* HLP_MEM whose size is arg_size */
	HLP_ALIGNED = 1 << 13,
};
#define HLP_KIND(arg) ((enum hlp_arg)((arg)&0xff))

enum hlp_ret {
	HLP_RET_INTEGER, /* any scalar */
	HLP_RET_VOID,	 /* r0 is unreadable afterwards */
	HLP_RET_MAP_VALUE,
	HLP_RET_MAP_VALUE_OR_NULL,
};

struct hlp_proto {
	u32 id;		  /* BPF_FUNC_* */
	const char *name; /* without "bpf_" */
	hlp_fn fn;	  /* NULL: known by name, not available; calling it is refused at load */
	enum hlp_ret ret;
	u32 args[HLP_ARG_MAX];	   /* enum hlp_arg | hlp_flag */
	u32 arg_size[HLP_ARG_MAX]; /* with HLP_FIXED_SIZE: bytes */
	u64 progs;		   /* bit BPF_PROG_TYPE_x: allowed there */
	u64 maps; /* bit BPF_MAP_TYPE_x: map types that the map argument may have; 0: no map argument */
	bool gpl_only;
	bool pkt_access;  /* memory arguments may point into the packet */
	bool changes_pkt; /* packet pointers are stale afterwards */
	bool may_sleep;
	bool might_fail_err; /* returns 0 or a negative errno: Linux bounds r0 to [-4095, 0] for these */
	/* Argument 3 is a constant string for the u64 values at argument 4; argument 5 is their size in
	 * bytes. -EINVAL: they do not fit. NULL: no format, or not looked at when the program is loaded. */
	int (*check_format)(const char *fmt, u32 size, u32 value_cnt);
	u8 since_major, since_minor;
	const char *doc; /* one line */
};

#endif
