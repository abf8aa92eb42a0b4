/*
 * CO-RE: instructions that hold an offset, a size, a type's id or an enumerator's value of the program's
 * own BTF get those of the kernel's. What the kernel does not have poisons its instruction, which is an
 * error only if it can be reached.
 *
 * Source: struct bpf_core_relo of <linux/bpf.h>; behaviour of bpf_core_apply() of Linux 6.18.
 */
#ifndef BTF_CORE_RELO_H
#define BTF_CORE_RELO_H

#include "isa/uapi.h"
#include "base/types.h"

struct btf_obj;
struct buf;

enum {
	BTF_CORE_RELO_MIN = 16, /* bytes of a record */
	BTF_CORE_RELO_MAX = 252,
	BTF_CORE_POISON = 195896080, /* of a call: the helper that does not exist */
};

/*
 * Record number relo_no, applied to insns[relo->insn_off / 8], where insn_cnt instructions are. log: what
 * was wrong. kernel NULL: there is none. -EINVAL, -ERANGE, -E2BIG, -EOPNOTSUPP, -ENOMEM.
 */
int btf_core_apply(const struct btf_obj *local, const struct btf_obj *kernel,
	const struct bpf_core_relo *relo, u32 relo_no, struct bpf_insn *insns, u32 insn_cnt,
	struct buf *log);

#endif
