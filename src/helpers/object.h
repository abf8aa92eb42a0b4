/*
 * Objects that programs allocate: a header of the engine's before the program's bytes, which holds what is
 * needed to let the object go.
 *
 *	| header | size bytes |                                  bpf_obj_new
 *	| header | stride bytes of CPU 0 | stride of CPU 1 | …   bpf_percpu_obj_new
 *
 * Lists and trees link nodes inside of objects. A node is in one of them at most: the low 48 bits of `owner` are
 * the root, 0: in none; the other 16 are the node's offset in its object, from the start on. All that programs see
 * of roots and nodes is zeroes.
 *
 *	struct bpf_list_head  { first, last }           24 of a node: prev, next, owner
 *	struct bpf_rb_root    { root, unused }          32 of a node: parent, left, right, owner
 */
#ifndef HELPERS_OBJECT_H
#define HELPERS_OBJECT_H

#include "base/types.h"

struct map;
struct btf_field;
struct obj;

struct hlp_object {
	struct obj *btf; /* counted: the types of the program that made it */
	u32 type_id;
	u32 size;   /* bytes of a copy */
	u32 stride; /* per-CPU objects: bytes from one CPU's to the next; 0: not per CPU */
	u32 unused;
};

/* The copy of a CPU; NULL: there is no such CPU. */
void *hlp_object_of_cpu(void *object, u32 cpu, u32 cpu_cnt);
/* One reference less; the last lets go of the object and what it holds. Takes NULL. */
void hlp_object_put(void *object);
/* As inst->release_field: lets go of what a list, a tree or a kptr in a map's value holds. */
void hlp_object_release_field(struct map *map, const struct btf_field *field, void *at);

#endif
