/*
 * The numbers of the bpf(2) interface up to Linux 6.18 that an older <linux/bpf.h> (6.1) does not
 * know. Every file of the project includes this header instead of <linux/bpf.h>, so that a build on
 * an old and on a new distribution knows the same set.
 * Invariant: only numbers, all of them Linux's own. Where a newer <linux/bpf.h> has the name as an
 * enum constant, the macro below expands to the same value and does no harm.
 * Source: include/uapi/linux/bpf.h; RFC 9669 for the instruction fields.
 */
#ifndef ISA_UAPI_H
#define ISA_UAPI_H

#include <linux/bpf.h>

/* Instruction fields: classes, sizes and modes come from <linux/bpf_common.h> */
#ifndef BPF_MEMSX
#define BPF_MEMSX 0x80 /* mode of LDX: sign-extending load */
#endif
/* Modes that only a verifier's rewriting writes: accesses through arena pointers */
#ifndef BPF_PROBE_MEM32
#define BPF_PROBE_MEM32 0xa0 /* of LDX, ST and STX */
#endif
#ifndef BPF_PROBE_MEM32SX
#define BPF_PROBE_MEM32SX 0xc0 /* of LDX: sign-extending load */
#endif
#ifndef BPF_PROBE_ATOMIC
#define BPF_PROBE_ATOMIC 0xe0 /* of STX */
#endif
#ifndef BPF_JCOND
#define BPF_JCOND 0xe0 /* JMP op: conditional pseudo jumps, src_reg selects */
#endif
#ifndef BPF_MAY_GOTO
#define BPF_MAY_GOTO 0 /* src_reg of JCOND */
#endif
#ifndef BPF_LOAD_ACQ
#define BPF_LOAD_ACQ 0x100 /* imm of ATOMIC */
#endif
#ifndef BPF_STORE_REL
#define BPF_STORE_REL 0x110 /* imm of ATOMIC */
#endif
#ifndef BPF_ADDR_SPACE_CAST
#define BPF_ADDR_SPACE_CAST 1 /* off of ALU64 MOV X */
#endif
/* Modes that only the verifier makes, for addresses in an arena: Linux's internal ones. */
#ifndef BPF_PROBE_MEM32
#define BPF_PROBE_MEM32	  0xa0
#define BPF_PROBE_MEM32SX 0xc0
#define BPF_PROBE_ATOMIC  0xe0
#endif
#ifndef BPF_ADDR_PERCPU
#define BPF_ADDR_PERCPU (-1) /* off of ALU64 MOV X; only the verifier makes it */
#endif

/* bpf(2) commands */
#define BPF_TOKEN_CREATE	   36
#define BPF_PROG_STREAM_READ_BY_FD 37

/* Map types and flags */
#define BPF_MAP_TYPE_CGRP_STORAGE 32
#define BPF_MAP_TYPE_ARENA	  33

#define BPF_F_PATH_FD	       (1U << 14)
#define BPF_F_VTYPE_BTF_OBJ_FD (1U << 15)
#define BPF_F_TOKEN_FD	       (1U << 16)
#define BPF_F_SEGV_ON_FAULT    (1U << 17)
#define BPF_F_NO_USER_CONV     (1U << 18)

/* Program types and load flags */
#define BPF_PROG_TYPE_NETFILTER 32

#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY (1U << 6)
#endif
#ifndef BPF_F_TEST_REG_INVARIANTS
#define BPF_F_TEST_REG_INVARIANTS (1U << 7)
#endif

/* Attach types and flags */
#define BPF_STRUCT_OPS		    44
#define BPF_NETFILTER		    45
#define BPF_TCX_INGRESS		    46
#define BPF_TCX_EGRESS		    47
#define BPF_TRACE_UPROBE_MULTI	    48
#define BPF_CGROUP_UNIX_CONNECT	    49
#define BPF_CGROUP_UNIX_SENDMSG	    50
#define BPF_CGROUP_UNIX_RECVMSG	    51
#define BPF_CGROUP_UNIX_GETPEERNAME 52
#define BPF_CGROUP_UNIX_GETSOCKNAME 53
#define BPF_NETKIT_PRIMARY	    54
#define BPF_NETKIT_PEER		    55
#define BPF_TRACE_KPROBE_SESSION    56
#define BPF_TRACE_UPROBE_SESSION    57

#ifndef BPF_F_BEFORE
#define BPF_F_BEFORE (1U << 3)
#endif
#ifndef BPF_F_AFTER
#define BPF_F_AFTER (1U << 4)
#endif
#ifndef BPF_F_ID
#define BPF_F_ID (1U << 5)
#endif
#ifndef BPF_F_PREORDER
#define BPF_F_PREORDER (1U << 6)
#endif
#ifndef BPF_F_LINK
#define BPF_F_LINK (1U << 13)
#endif

/* Link types */
#define BPF_LINK_TYPE_NETFILTER	   10
#define BPF_LINK_TYPE_TCX	   11
#define BPF_LINK_TYPE_UPROBE_MULTI 12
#define BPF_LINK_TYPE_NETKIT	   13
#define BPF_LINK_TYPE_SOCKMAP	   14

/* First number that Linux 6.18 does not know, for range checks */
enum {
	ISA_CMD_CNT = 38,
	ISA_MAP_TYPE_CNT = 34,
	ISA_PROG_TYPE_CNT = 33,
	ISA_ATTACH_TYPE_CNT = 58,
	ISA_LINK_TYPE_CNT = 15,
};

/* Limits every layer shares with Linux */
enum {
	ISA_REG_CNT = 11,	   /* R0 to R10 */
	ISA_STACK_MAX = 512,	   /* bytes of stack a call chain may use */
	ISA_FRAME_MAX = 8,	   /* nested bpf-to-bpf calls, the entry included */
	ISA_INSN_MAX = 1000000,	   /* instructions of a program, privileged */
	ISA_INSN_MAX_UNPRIV = 4096 /* the same for an unprivileged loader */
};

#endif
