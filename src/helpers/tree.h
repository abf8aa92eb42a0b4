/*
 * An ordered tree whose nodes lie in objects of programs: a treap. A node's priority is a hash of its address, so
 * it needs no room for balance, and the tree's depth is logarithmic whatever order nodes come in.
 */
#ifndef HELPERS_TREE_H
#define HELPERS_TREE_H

#include "base/types.h"

/* struct bpf_rb_node, 32 bytes */
struct hlp_tree_node {
	struct hlp_tree_node *parent, *left, *right;
	u64 owner; /* kf_object.c */
};

/* struct bpf_rb_root, 16 bytes */
struct hlp_tree {
	struct hlp_tree_node *top;
	u64 unused;
};

/* Hangs a node below parent (NULL: the tree is empty), on its left or right, where there was none. */
void hlp_tree_link(
	struct hlp_tree *tree, struct hlp_tree_node *parent, bool left, struct hlp_tree_node *node);
void hlp_tree_unlink(struct hlp_tree *tree, struct hlp_tree_node *node);

#endif
