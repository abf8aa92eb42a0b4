/*
 * Objects of programs, and the lists and trees they stand in. The verifier has proven that a lock guards each
 * list and tree, and which types meet; what is looked up here is the size of a type and the fields inside of it.
 * Source: kernel/bpf/helpers.c of Linux 6.18.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "btf/fields.h"
#include "core/btf.h"
#include "core/inst.h"
#include "core/prog.h"
#include "helpers/kfns.h"
#include "helpers/object.h"
#include "helpers/tree.h"

/* struct bpf_list_node and bpf_list_head */
struct list_node {
	struct list_node *prev, *next;
	u64 owner;
};

enum { OFF_SHIFT = 48, OBJECT_MAX = 1 << 16 };
#define ROOT_MASK ((1ULL << OFF_SHIFT) - 1)

struct list_root {
	struct list_node *first, *last;
};

static const struct btf_obj *types_of(const struct obj *btf)
{
	return ((const struct core_btf *)btf)->btf;
}

static struct hlp_object *header_of(void *object)
{
	return (struct hlp_object *)object - 1;
}

void *hlp_object_of_cpu(void *object, u32 cpu, u32 cpu_cnt)
{
	return cpu < cpu_cnt ? (u8 *)object + (size_t)header_of(object)->stride * cpu : NULL;
}

/* A node's owner: its offset in the object, and the root it stands below; 0: none. */
static void *root_of(const u64 *owner)
{
	return (void *)(uintptr_t)(__atomic_load_n(owner, __ATOMIC_ACQUIRE) & ROOT_MASK);
}

static void *object_of(void *node, u64 owner)
{
	return (u8 *)node - (owner >> OFF_SHIFT);
}

/* True if it was below none. */
static bool take_node(u64 *owner, void *root)
{
	u64 none = __atomic_load_n(owner, __ATOMIC_RELAXED) & ~ROOT_MASK;

	return __atomic_compare_exchange_n(
		owner, &none, none | (uintptr_t)root, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void leave_root(u64 *owner)
{
	__atomic_and_fetch(owner, ~ROOT_MASK, __ATOMIC_RELEASE);
}

/* Nodes know from the start where they are. */
static void init_nodes(u8 *object, const struct btf_fields *fields)
{
	for (u32 i = 0; fields && i < fields->cnt; i++) {
		const struct btf_field *field = &fields->items[i];
		u8 *node = object + field->off;

		if (field->kind == BTF_FIELD_LIST_NODE)
			((struct list_node *)node)->owner = (u64)field->off << OFF_SHIFT;
		if (field->kind == BTF_FIELD_RB_NODE)
			((struct hlp_tree_node *)node)->owner = (u64)field->off << OFF_SHIFT;
	}
}

static u32 *refcount_of(void *object, const struct btf_fields *fields)
{
	const struct btf_field *field = fields ? btf_fields_at(fields, BTF_FIELD_REFCOUNT) : NULL;

	return field ? (u32 *)((u8 *)object + field->off) : NULL;
}

/* NULL, or what must be freed by btf_fields_free; a type that could not be looked at is kept for ever. */
static int fields_of(const struct hlp_object *header, struct btf_fields **ret_fields)
{
	const u32 kinds = BTF_FIELD_SPIN_LOCK | BTF_FIELD_KPTR | BTF_FIELD_GRAPH_ROOT |
			  BTF_FIELD_GRAPH_NODE | BTF_FIELD_REFCOUNT | BTF_FIELD_RES_SPIN_LOCK;

	return btf_fields_find(
		types_of(header->btf), header->type_id, kinds, header->size, ret_fields);
}

static void *object_new(struct run *run, u32 type_id, bool is_percpu)
{
	struct obj *btf = run->prog ? run->prog->btf : NULL;
	struct hlp_object *header;
	struct btf_fields *fields = NULL;
	u32 size, stride = 0, *refs;

	if (!btf || btf_size(types_of(btf), type_id, NULL, &size) || size >= OBJECT_MAX)
		return NULL;
	if (is_percpu)
		stride = ROUND_UP(size, 64);
	header = mem_zalloc(
		sizeof(*header) + (is_percpu ? (size_t)stride * run->inst->cpu_cnt : size));
	if (!header)
		return NULL;
	*header = (struct hlp_object){
		.btf = btf, .type_id = type_id, .size = size, .stride = stride};
	if (fields_of(header, &fields)) {
		mem_free(header);
		return NULL;
	}
	obj_get(btf);
	refs = refcount_of(header + 1, fields);
	if (refs)
		*refs = 1;
	if (!is_percpu)
		init_nodes((u8 *)(header + 1), fields);
	btf_fields_free(fields);
	return header + 1;
}

static void release_all(void *object, const struct btf_fields *fields);

/* What stands in the list goes; nobody can see the list any more. */
static void release_list(struct list_root *root)
{
	struct list_node *node = root->first, *next;

	*root = (struct list_root){0};
	for (; node; node = next) {
		next = node->next;
		node->prev = node->next = NULL;
		leave_root(&node->owner);
		hlp_object_put(object_of(node, node->owner));
	}
}

static void release_tree(struct hlp_tree *tree)
{
	struct hlp_tree_node *node;

	while (tree->top) {
		node = tree->top;
		hlp_tree_unlink(tree, node);
		leave_root(&node->owner);
		hlp_object_put(object_of(node, node->owner));
	}
}

static void release_field(const struct btf_field *field, void *at)
{
	switch (field->kind) {
	case BTF_FIELD_LIST_HEAD: release_list(at); break;
	case BTF_FIELD_RB_ROOT: release_tree(at); break;
	case BTF_FIELD_KPTR_REF:
	case BTF_FIELD_KPTR_PERCPU:
		/* there are no objects of the kernel to give back */
		if (!field->of_kernel)
			hlp_object_put((void *)(uintptr_t)__atomic_exchange_n(
				(u64 *)at, 0, __ATOMIC_ACQ_REL));
		break;
	default: break;
	}
}

static void release_all(void *object, const struct btf_fields *fields)
{
	for (u32 i = 0; fields && i < fields->cnt; i++)
		release_field(&fields->items[i], (u8 *)object + fields->items[i].off);
}

void hlp_object_release_field(struct map *map, const struct btf_field *field, void *at)
{
	release_field(field, at);
}

void hlp_object_put(void *object)
{
	struct btf_fields *fields = NULL;
	struct hlp_object *header;
	u32 *refs;

	if (!object)
		return;
	header = header_of(object);
	if (fields_of(header, &fields))
		return;
	refs = refcount_of(object, fields);
	if (!refs || __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0) {
		if (!header->stride)
			release_all(object, fields);
		obj_put(header->btf);
		mem_free(header);
	}
	btf_fields_free(fields);
}

u64 hlp_kf_obj_new(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)object_new(run, (u32)r1, false);
}

u64 hlp_kf_percpu_obj_new(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)object_new(run, (u32)r1, true);
}

u64 hlp_kf_obj_drop(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	hlp_object_put(hlp_ptr(r1));
	return 0;
}

/* The program holds a reference, or a lock under which one is held: the count is not 0. */
u64 hlp_kf_refcount_acquire(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	void *object = hlp_ptr(r1);
	struct btf_fields *fields = NULL;
	u32 *refs, was = 0;

	if (fields_of(header_of(object), &fields))
		return 0;
	refs = refcount_of(object, fields);
	if (refs)
		was = __atomic_load_n(refs, __ATOMIC_RELAXED);
	while (was && !__atomic_compare_exchange_n(
			      refs, &was, was + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	btf_fields_free(fields);
	return was ? r1 : 0;
}

/* ---- lists ---- */

static u64 list_push(struct list_root *root, struct list_node *node, bool at_front)
{
	if (!take_node(&node->owner, root)) {
		hlp_object_put(object_of(node, node->owner));
		return (u64)-EINVAL;
	}
	node->prev = at_front ? NULL : root->last;
	node->next = at_front ? root->first : NULL;
	if (node->prev)
		node->prev->next = node;
	else
		root->first = node;
	if (node->next)
		node->next->prev = node;
	else
		root->last = node;
	return 0;
}

u64 hlp_kf_list_push_front(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return list_push(hlp_ptr(r1), hlp_ptr(r2), true);
}

u64 hlp_kf_list_push_back(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return list_push(hlp_ptr(r1), hlp_ptr(r2), false);
}

static u64 list_pop(struct list_root *root, struct list_node *node)
{
	if (!node)
		return 0;
	if (node->prev)
		node->prev->next = node->next;
	else
		root->first = node->next;
	if (node->next)
		node->next->prev = node->prev;
	else
		root->last = node->prev;
	node->prev = node->next = NULL;
	leave_root(&node->owner);
	return (uintptr_t)node;
}

u64 hlp_kf_list_pop_front(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct list_root *root = hlp_ptr(r1);

	return list_pop(root, root->first);
}

u64 hlp_kf_list_pop_back(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct list_root *root = hlp_ptr(r1);

	return list_pop(root, root->last);
}

u64 hlp_kf_list_front(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)((struct list_root *)hlp_ptr(r1))->first;
}

u64 hlp_kf_list_back(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)((struct list_root *)hlp_ptr(r1))->last;
}

/* ---- trees ---- */

/* (root, node, less) */
u64 hlp_kf_rbtree_add(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct hlp_tree *tree = hlp_ptr(r1);
	struct hlp_tree_node *node = hlp_ptr(r2), *parent = NULL, *at = tree->top;
	bool left = false;

	if (!take_node(&node->owner, tree)) {
		hlp_object_put(object_of(node, node->owner));
		return (u64)-EINVAL;
	}
	while (at) {
		parent = at;
		left = run_callback(run, r3, r2, (uintptr_t)at, 0, 0, 0) != 0;
		at = left ? at->left : at->right;
	}
	hlp_tree_link(tree, parent, left, node);
	return 0;
}

u64 hlp_kf_rbtree_remove(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct hlp_tree *tree = hlp_ptr(r1);
	struct hlp_tree_node *node = hlp_ptr(r2);

	if (root_of(&node->owner) != tree)
		return 0;
	hlp_tree_unlink(tree, node);
	leave_root(&node->owner);
	return r2;
}

u64 hlp_kf_rbtree_first(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	struct hlp_tree_node *node = ((struct hlp_tree *)hlp_ptr(r1))->top;

	while (node && node->left)
		node = node->left;
	return (uintptr_t)node;
}

u64 hlp_kf_rbtree_root(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	return (uintptr_t)((struct hlp_tree *)hlp_ptr(r1))->top;
}

/* (root, node): NULL too if the node is in another tree. */
u64 hlp_kf_rbtree_left(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct hlp_tree_node *node = hlp_ptr(r2);

	return root_of(&node->owner) == hlp_ptr(r1) ? (uintptr_t)node->left : 0;
}

u64 hlp_kf_rbtree_right(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	const struct hlp_tree_node *node = hlp_ptr(r2);

	return root_of(&node->owner) == hlp_ptr(r1) ? (uintptr_t)node->right : 0;
}
