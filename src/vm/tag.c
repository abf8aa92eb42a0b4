/*
 * Computing the tag on a copy with both halves of each map-loading ld_imm64 blanked.
 */
#include "vm/tag.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "isa/isa.h"

static bool loads_map(const struct bpf_insn *insn)
{
	return isa_is_lddw(insn) &&
	       (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE);
}

int vm_tag(const struct bpf_insn *insns, u32 cnt, u8 ret_tag[PROG_TAG_LEN])
{
	struct bpf_insn *copy = mem_dup(insns, cnt * sizeof(*insns));
	u8 digest[SHA256_LEN];

	if (!copy)
		return -ENOMEM;
	for (u32 i = 0; i + 1 < cnt; i++) {
		if (!loads_map(&copy[i]))
			continue;
		copy[i].imm = copy[i + 1].imm = 0;
		i++;
	}
	sha256(copy, cnt * sizeof(*insns), digest);
	memcpy(ret_tag, digest, PROG_TAG_LEN);
	mem_free(copy);
	return 0;
}
