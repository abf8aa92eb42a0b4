/*
 * The contract of a helper: what the verifier must know to allow a call, and the function behind it.
 * One row of helpers/helpers.def gives one struct hlp_proto. Kinds, flags and their numbers are those of
 * Linux 6.18 (enum bpf_arg_type, bpf_return_type, bpf_type_flag). A helper that takes other arguments
 * in some program types has a row for each, one behind the other; the first one has the function. The verifier refuses kinds and flags that it does
 * not know; whether a helper has a function plays no part until a program is accepted otherwise.
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
	HLP_ARENA,	/* a pointer into the program's arena */
	HLP_CONST_SIZE, /* size of the HLP_MEM before it, > 0 */
	HLP_CONST_SIZE_OR_ZERO,
	HLP_CTX,		      /* the program's context */
	HLP_ANYTHING,		      /* any initialised value */
	HLP_SPIN_LOCK,		      /* struct bpf_spin_lock in a map value or object */
	HLP_SOCK_COMMON,	      /* any kind of socket, as struct bpf_sock */
	HLP_SOCKET,		      /* a full socket, as struct bpf_sock */
	HLP_BTF_ID,		      /* a struct of the kernel: arg_btf */
	HLP_RINGBUF_MEM,	      /* a reserved record */
	HLP_CONST_ALLOC_SIZE_OR_ZERO, /* a known number: bytes of the memory returned */
	HLP_BTF_ID_SOCK_COMMON,	      /* struct sock_common, or a kind of struct bpf_sock */
	HLP_PERCPU_BTF_ID,	      /* a per-CPU variable of the kernel */
	HLP_FUNC,		      /* a function of the program */
	HLP_STACK,		      /* pointer into the stack */
	HLP_CONST_STR,		      /* constant string in a read-only map */
	HLP_TIMER,		      /* struct bpf_timer in a map value */
	HLP_KPTR_XCHG_DEST,	      /* a kptr field of a map value or object */
	HLP_DYNPTR,		      /* struct bpf_dynptr on the stack */
	HLP_ARG_KIND_LINUX,	      /* kinds from here on are skep's own */
	HLP_SCALAR_CONST = HLP_ARG_KIND_LINUX, /* a scalar known at verification time */
	HLP_ARG_KIND_CNT,
};

/* Linux's bits, for arguments and results. */
enum hlp_flag {
	HLP_MAYBE_NULL = 1 << 8, /* a null pointer is fine too */
	HLP_RDONLY = 1 << 9,	 /* the helper only reads the memory; a result may not be written */
	HLP_RINGBUF = 1 << 10,	 /* a record of a ring buffer */
	HLP_USER = 1 << 11,	 /* memory of user space */
	HLP_PERCPU = 1 << 12,	 /* a per-CPU object */
	HLP_OBJ_RELEASE = 1 << 13,     /* the call ends the program's claim on the object */
	HLP_UNTRUSTED = 1 << 14,       /* may be invalid */
	HLP_UNINIT = 1 << 15,	       /* the helper fills the memory; it need not be initialised */
	HLP_DYNPTR_LOCAL = 1 << 16,    /* of memory of the program */
	HLP_DYNPTR_RINGBUF = 1 << 17,  /* of a record */
	HLP_FIXED_SIZE = 1 << 18,      /* HLP_MEM whose size is arg_size */
	HLP_ALLOC = 1 << 19,	       /* an object of the program's own */
	HLP_TRUSTED = 1 << 20,	       /* valid while the program runs */
	HLP_RCU = 1 << 21,	       /* valid inside a read section */
	HLP_NON_OWN_REF = 1 << 22,     /* a node that a list or tree owns */
	HLP_DYNPTR_SKB = 1 << 23,      /* of a packet */
	HLP_DYNPTR_XDP = 1 << 24,      /* of a frame */
	HLP_ALIGNED = 1 << 25,	       /* with HLP_FIXED_SIZE: aligned to its size */
	HLP_WRITE = 1 << 26,	       /* the helper writes the memory */
	HLP_DYNPTR_SKB_META = 1 << 27, /* of a packet's metadata */
};
#define HLP_KIND(arg) ((arg)&0xff)

/* Base kinds of results; flags are or-ed in. */
enum hlp_ret {
	HLP_RET_INTEGER,   /* any scalar */
	HLP_RET_VOID,	   /* r0 is unreadable afterwards */
	HLP_RET_MAP_VALUE, /* a value of the map among the arguments */
	HLP_RET_SOCKET,
	HLP_RET_TCP_SOCK,
	HLP_RET_SOCK_COMMON,
	HLP_RET_MEM,	       /* as many bytes as HLP_CONST_ALLOC_SIZE_OR_ZERO says */
	HLP_RET_MEM_OR_BTF_ID, /* the variable that an HLP_PERCPU_BTF_ID names: memory or a struct */
	HLP_RET_BTF_ID,	       /* a struct of the kernel: ret_btf; of kptr_xchg, the kptr's */
	HLP_RET_KIND_CNT,

	HLP_RET_MAP_VALUE_OR_NULL = HLP_RET_MAP_VALUE | HLP_MAYBE_NULL,
	HLP_RET_SOCKET_OR_NULL = HLP_RET_SOCKET | HLP_MAYBE_NULL,
	HLP_RET_TCP_SOCK_OR_NULL = HLP_RET_TCP_SOCK | HLP_MAYBE_NULL,
	HLP_RET_SOCK_COMMON_OR_NULL = HLP_RET_SOCK_COMMON | HLP_MAYBE_NULL,
	HLP_RET_RINGBUF_MEM_OR_NULL = HLP_RET_MEM | HLP_MAYBE_NULL | HLP_RINGBUF,
	HLP_RET_DYNPTR_MEM_OR_NULL = HLP_RET_MEM | HLP_MAYBE_NULL,
	HLP_RET_RDONLY_MEM_OR_BTF_ID = HLP_RET_MEM_OR_BTF_ID | HLP_RDONLY,
	HLP_RET_RDONLY_MEM_OR_BTF_ID_OR_NULL = HLP_RET_RDONLY_MEM_OR_BTF_ID | HLP_MAYBE_NULL,
	HLP_RET_BTF_ID_OR_NULL = HLP_RET_BTF_ID | HLP_MAYBE_NULL,
	HLP_RET_BTF_ID_TRUSTED = HLP_RET_BTF_ID | HLP_TRUSTED,
};

struct hlp_proto {
	u32 id;		       /* BPF_FUNC_* */
	const char *name;      /* without "bpf_" */
	hlp_fn fn;	       /* NULL: a program that calls it is refused once it is verified */
	u32 variant_cnt;       /* rows behind this one, for other program types or hooks */
	u32 ret;	       /* enum hlp_ret | hlp_flag */
	const char *ret_btf;   /* HLP_RET_BTF_ID: the struct's name; NULL: see hlp_ret */
	u32 args[HLP_ARG_MAX]; /* enum hlp_arg | hlp_flag */
	u32 arg_size[HLP_ARG_MAX];	  /* with HLP_FIXED_SIZE: bytes */
	const char *arg_btf[HLP_ARG_MAX]; /* HLP_BTF_ID: the struct's name; NULL: see the kind */
	u64 progs;			  /* bit BPF_PROG_TYPE_x: allowed there */
	u64 hooks;			  /* bit expected attach type: allowed there; 0: at all */
	u64 maps; /* bit BPF_MAP_TYPE_x: map types that the map argument may have; 0: no map argument */
	bool asks_hook; /* allowed only at places in the kernel that its source lists */
	bool gpl_only;
	bool pkt_access;     /* memory arguments may point into the packet */
	bool changes_pkt;    /* packet pointers are stale afterwards */
	bool may_sleep;	     /* for programs that may sleep only */
	bool allow_fastcall; /* changes no register but r0 (and the arguments' own) */
	/* Argument 3 is a constant string for the u64 values at argument 4; argument 5 is their size in
	 * bytes. -EINVAL: they do not fit. NULL: no format, or not looked at when the program is loaded. */
	int (*check_format)(const char *fmt, u32 size, u32 value_cnt);
	u8 since_major, since_minor;
	const char *doc; /* one line */
	const char *why; /* fn does nothing, or is NULL: the reason; NULL: it runs */
};

/* The first row of the helper that is for this program, or NULL. */
static inline const struct hlp_proto *hlp_for(
	const struct hlp_proto *first, u32 prog_type, u32 attach_type)
{
	for (u32 i = 0; first && i <= first->variant_cnt; i++) {
		const struct hlp_proto *proto = first + i;

		if (!(proto->progs & 1ull << prog_type))
			continue;
		if (!proto->hooks || (attach_type < 64 && proto->hooks & 1ull << attach_type))
			return proto;
	}
	return NULL;
}

/* Does the program give it a function to call back? */
static inline bool hlp_takes_func(const struct hlp_proto *proto)
{
	for (int i = 0; i < HLP_ARG_MAX; i++)
		if (HLP_KIND(proto->args[i]) == HLP_FUNC)
			return true;
	return false;
}

#endif
