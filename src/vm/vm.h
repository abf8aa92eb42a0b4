/*
 * The machine: from loaded bytes to a running program (verify, rewrite, compile), running it, and test
 * runs. Also where an instance gets its registries, because only this layer sees all of them.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "base/buf.h"
#include "core/inst.h"
#include "core/prog.h"
#include "verifier/verify.h"

struct btf_obj;
struct core_btf;

/* An instance with every map type, helper and program type that this build has. -ENOMEM. */
int vm_inst_init(struct skep *inst, const struct inst_options *opts);

/* What PROG_LOAD asked for, copied into the engine's memory and checked for sizes. */
struct vm_load {
	u32 type, expected_attach_type, flags;
	char name[BPF_OBJ_NAME_LEN];
	bool is_gpl;
	/* what it attaches to: borrowed, NULL without */
	const struct btf_obj *attach_btf;
	u32 attach_btf_id;
	u32 uid;
	const struct bpf_insn *insns;
	u32 insn_cnt;
	struct core_btf *btf; /* borrowed; NULL without */
	const struct bpf_func_info *func_info;
	u32 func_info_cnt;
	const struct bpf_line_info *line_info;
	u32 line_info_cnt;
	const struct bpf_core_relo *core_relos;
	u32 core_relo_cnt;
	int (*map_get)(void *arg, int fd, bool is_idx, struct map **ret_map);
	void *arg;
	u32 log_level;
	void (*log)(void *log_arg, const char *text, size_t len);
	void *log_arg;
};

/* Verifies and compiles. The program is unpublished, with one reference. Errors: the verifier's, or
 * -EINVAL for a program type that is not known, -ENOMEM. */
int vm_prog_load(struct skep *inst, const struct vm_load *load, struct prog **ret_prog);
/* The same without verification, for checked runs only: type and BTF are not looked at. What is wrong with its
 * form is added to why. -EINVAL, -EBADF, -E2BIG (maps), -ENOMEM. */
int vm_prog_load_unverified(
	struct skep *inst, const struct vm_load *load, struct buf *why, struct prog **ret_prog);
/* A program without anything in it, unpublished, with one reference; NULL: no memory. For this layer. */
struct prog *vm_prog_new(struct skep *inst, const struct prog_type *type, const char *name);
/* export.c: tells whoever the instance was asked to tell of the program's code. */
void vm_export(const struct prog *prog);
/* One more map kept alive by the program (PROG_BIND_MAP). -ENOMEM. */
int vm_prog_bind_map(struct prog *prog, struct map *map);

/* Takes the logical CPU for this thread until vm_run_put. */
struct run *vm_run_get(struct skep *inst, u32 cpu);
void vm_run_put(struct run *run);
/* Returns when every run that had begun before the call has ended. The caller holds no CPU. */
void vm_run_wait(struct skep *inst);

/* One run on the CPU that the caller holds. ctx is the rewritten program's context (struct xdp_buff …).
 * In checked mode the caller has filled run->regions; a fault ends the program with result 0 and is left in
 * run->fault. Not for unverified programs. */
u64 vm_run(struct prog *prog, void *ctx, struct run *run);
/* A function of the program, as helpers were given it, on the CPU that the caller holds: outside of any run. */
u64 vm_call(struct prog *prog, u64 func, const u64 args[5], struct run *run);
/* As vm_run over ctx, memory of the caller's own, and run->regions, for run->budget instructions: checked,
 * whatever the instance. Helpers that want the type's context are refused (RUN_FAULT_ACCESS). */
u64 vm_run_checked(struct prog *prog, void *ctx, struct run *run);
/* BPF_PROG_TEST_RUN. -ENOTSUPP (524) where the type has none. */
int vm_test_run(struct prog *prog, struct prog_test_run *io);

#endif
