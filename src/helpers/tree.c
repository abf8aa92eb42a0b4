/*
 * The treap of tree.h: a child's priority is never above its parent's. A new node rises by rotations, one that
 * goes sinks to a leaf first.
 *
 *	    parent             child
 *	    /    \     ->      /   \
 *	 child    c           a   parent
 *	 /  \                      /  \
 *	a    b                    b    c
 */
#include "helpers/tree.h"

#include "base/hash.h"

static u64 priority(const struct hlp_tree_node *node)
{
	return hash_mix((uintptr_t)node, 0x9e3779b97f4a7c15);
}

/* The link that leads to a node. */
static struct hlp_tree_node **link_to(struct hlp_tree *tree, const struct hlp_tree_node *node)
{
	if (!node->parent)
		return &tree->top;
	return node->parent->left == node ? &node->parent->left : &node->parent->right;
}

/* The child takes its parent's place. */
static void rotate_up(struct hlp_tree *tree, struct hlp_tree_node *child)
{
	struct hlp_tree_node *parent = child->parent, *moved;
	struct hlp_tree_node **from_above = link_to(tree, parent);
	bool is_left = parent->left == child;

	moved = is_left ? child->right : child->left;
	if (is_left) {
		parent->left = moved;
		child->right = parent;
	} else {
		parent->right = moved;
		child->left = parent;
	}
	if (moved)
		moved->parent = parent;
	child->parent = parent->parent;
	parent->parent = child;
	*from_above = child;
}

void hlp_tree_link(
	struct hlp_tree *tree, struct hlp_tree_node *parent, bool left, struct hlp_tree_node *node)
{
	node->parent = parent;
	node->left = node->right = NULL;
	if (!parent)
		tree->top = node;
	else if (left)
		parent->left = node;
	else
		parent->right = node;
	while (node->parent && priority(node) > priority(node->parent))
		rotate_up(tree, node);
}

void hlp_tree_unlink(struct hlp_tree *tree, struct hlp_tree_node *node)
{
	struct hlp_tree_node *child;

	while (node->left && node->right) {
		child = priority(node->left) > priority(node->right) ? node->left : node->right;
		rotate_up(tree, child);
	}
	child = node->left ? node->left : node->right;
	*link_to(tree, node) = child;
	if (child)
		child->parent = node->parent;
	node->parent = node->left = node->right = NULL;
}
