/*
 * BTF as an object with an id: the parsed, validated blob (layer btf) plus what BTF_GET_INFO shows.
 */
#ifndef CORE_BTF_H
#define CORE_BTF_H

#include "core/obj.h"

struct btf_obj; /* btf/btf.h */

struct core_btf {
	struct obj obj;
	struct btf_obj *btf; /* owned */
	char name[64];	     /* "" for a program's own */
};

/* Takes over btf, also on failure. -ENOMEM. The result is unpublished, with one reference. */
int core_btf_new(struct skep *inst, struct btf_obj *btf, struct core_btf **ret_btf);

#endif
