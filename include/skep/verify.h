/*
 * The verifier alone: is a program safe, and if not, why? Nothing is loaded and nothing runs.
 *
 * Thread-safety: any number of verifications at once, in one instance too.
 */
#ifndef SKEP_VERIFY_H
#define SKEP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/skep.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bpf_insn;
struct bpf_func_info;
struct bpf_line_info;

/* What BPF_PROG_LOAD would be given. */
struct skep_verify {
	size_t sz;     /* sizeof(struct skep_verify) */
	uint32_t type; /* BPF_PROG_TYPE_* */
	uint32_t expected_attach_type;
	uint32_t flags;		      /* BPF_F_STRICT_ALIGNMENT, BPF_F_TEST_STATE_FREQ, … */
	const struct bpf_insn *insns; /* maps are named by descriptors of the instance */
	uint32_t insn_cnt;
	const char *license;		       /* NULL: "GPL" */
	int btf_fd;			       /* of the instance (BPF_BTF_LOAD); 0: none */
	const struct bpf_func_info *func_info; /* 8 bytes each, as Linux has them */
	uint32_t func_info_cnt;
	const struct bpf_line_info *line_info; /* 16 bytes each */
	uint32_t line_info_cnt;
	uint32_t
		log_level; /* 1: the path to the error, 2: every instruction, 4: statistics; or-ed; 0: none */
	/* Receives the log in the kernel's format, piece by piece, on the calling thread. */
	void (*log)(void *arg, const char *text, size_t len);
	/* Asked from time to time, every few microseconds; true: give up, -ECANCELED. NULL: never. */
	bool (*cancel)(void *arg);
	void *arg;	    /* of both */
	uint64_t mem_max;   /* bytes; 0: 1 GiB. -ENOMEM beyond */
	uint32_t insns_max; /* instructions processed; 0: 1,000,000, as Linux. -E2BIG beyond */
};

struct skep_verdict {
	size_t sz;	       /* sizeof(struct skep_verdict) */
	const char *id;	       /* of the complaint, "" when there is none: docs/ref/complaints.md */
	uint32_t insn_idx;     /* where */
	bool is_unsupported;   /* Linux may accept the program; skep does not understand it */
	char kernel_text[256]; /* the last line of the log, in Linux's words */
	char text[2048];       /* lines for a reader: the place, what is wrong, what to do */
	uint32_t insns_processed, total_states, peak_states, max_states_per_insn;
	uint64_t time_ns;
};

/*
 * 0: the program is safe. Else the errno of Linux's PROG_LOAD: -EACCES, -EINVAL, -E2BIG, …; -EINVAL also for
 * a program type that does not exist, -EBADF for a descriptor that is none. ret_verdict may be NULL; it is filled in
 * both cases.
 */
SKEP_API int skep_verify(
	struct skep *skep, const struct skep_verify *what, struct skep_verdict *ret_verdict);

#ifdef __cplusplus
}
#endif

#endif
