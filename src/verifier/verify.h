/*
 * The verifier's door: instructions in; out comes either the rewritten program that an engine may run
 * without any check, or a complaint. A pure function of its parameters: it touches no object table and
 * may run on many threads at once.
 */
#ifndef VERIFIER_VERIFY_H
#define VERIFIER_VERIFY_H

#include "base/types.h"
#include "core/prog.h"

struct btf_obj;
struct map;

enum { VF_CANCEL_STEP = 256 };
enum vf_log_level { VF_LOG_BRIEF = 1, VF_LOG_FULL = 2, VF_LOG_STATS = 4 };

struct vf_params {
	const struct skep *inst; /* registries of helpers and map types */
	const struct prog_type *type;
	u32 expected_attach_type;
	u32 flags; /* BPF_F_STRICT_ALIGNMENT, BPF_F_TEST_STATE_FREQ … */
	bool is_gpl;
	/* what the program attaches to: NULL or the types in which attach_btf_id is, borrowed */
	const struct btf_obj *attach_btf;
	u32 attach_btf_id;
	const struct bpf_insn *insns; /* not changed */
	u32 insn_cnt;
	const struct btf_obj *btf;	       /* NULL without */
	const struct bpf_func_info *func_info; /* record contents not yet checked */
	u32 func_info_cnt;
	const struct bpf_line_info *line_info;
	u32 line_info_cnt;
	const struct bpf_core_relo *core_relos;
	u32 core_relo_cnt;
	/* Map of a BPF_PSEUDO_MAP_FD/VALUE (by descriptor) or _IDX (by index into fd_array). Gives a
	 * counted reference; -EBADF, -EINVAL … */
	int (*map_get)(void *arg, int fd, bool is_idx, struct map **ret_map);
	void *arg;
	u32 log_level; /* vf_log_level bits; 0: nothing is written */
	/* Receives the log piece by piece, kernel format. */
	void (*log)(void *log_arg, const char *text, size_t len);
	void *log_arg;
	/* Asked every VF_CANCEL_STEP instructions; true: -ECANCELED. NULL: never. */
	bool (*cancel)(void *cancel_arg);
	void *cancel_arg;
	u64 mem_max;   /* bytes of states kept; 0: VF_MEM_MAX. -ENOMEM beyond */
	u32 insns_max; /* instructions processed; 0: VF_INSNS_MAX, as Linux. -E2BIG beyond */
};

struct vf_stats {
	u32 insns_processed, total_states, peak_states, max_states_per_insn, longest_mark_read;
	u64 time_ns;
};

/* Everything is owned by the caller after success: pass it on or call vf_result_done. */
struct vf_result {
	struct prog_code code; /* rewritten: core/prog.h says what the instructions hold */
	struct map **maps;     /* counted references, in order of first use */
	u32 map_cnt;
	struct bpf_func_info *func_info; /* moved with the instructions */
	u32 func_info_cnt;
	struct bpf_line_info *line_info;
	u32 line_info_cnt;
	u32 ctx_len; /* bytes of the context that it may touch */
	/* a kernel function that it calls and the engine does not have; NULL: none */
	const char *missing;
	struct vf_stats stats;
};

/* What was wrong: filled on failure too. */
struct vf_verdict {
	u32 complaint; /* row of complaints.def; 0: none */
	u32 cause;     /* the one before, from which it follows; 0: none */
	u32 insn_idx;
	char msg[256]; /* the last log line, kernel words, no newline */
	struct vf_stats stats;
};

/* 0, or the errno of the complaint (-EACCES, -EINVAL, -E2BIG …), or -ENOMEM. ret_result is untouched on
 * failure; ret_verdict (may be NULL) is always filled. */
int vf_verify(const struct vf_params *params, struct vf_result *ret_result,
	struct vf_verdict *ret_verdict);
void vf_result_done(struct vf_result *result);

#endif
