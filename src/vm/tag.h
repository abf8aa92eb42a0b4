/*
 * The tag of a program: the first 8 bytes of the SHA-256 of its instructions as loaded, with what
 * differs from load to load (map descriptors) blanked. Same as Linux since 6.18.
 */
#ifndef VM_TAG_H
#define VM_TAG_H

#include "core/prog.h"

/* -ENOMEM */
int vm_tag(const struct bpf_insn *insns, u32 cnt, u8 ret_tag[PROG_TAG_LEN]);

#endif
