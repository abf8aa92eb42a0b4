/*
 * A function's signature in C, from BTF: "int xdp_firewall(struct xdp_md * ctx)".
 */
#ifndef SKEP_SIGNATURE_H
#define SKEP_SIGNATURE_H

#include "base/buf.h"

struct btf;

/* Adds the signature of a FUNC; nothing when id is none. */
void signature_add(struct buf *out, const struct btf *btf, u32 id);

#endif
