/* What belongs to the engine in the values of maps: owned pointers, locks, timers, lists and trees. */
/* the machine's header may be older than these types */
#define bpf_list_head header_list_head
#define bpf_list_node header_list_node
#define bpf_rb_root   header_rb_root
#define bpf_rb_node   header_rb_node
#include <linux/bpf.h>
#undef bpf_list_head
#undef bpf_list_node
#undef bpf_rb_root
#undef bpf_rb_node
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));

struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));
#define __holds(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
extern void *bpf_obj_new_impl(__u64 id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 id, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *p, void *meta) __ksym;
extern int bpf_list_push_front_impl(
	struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
	_Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta,
	__u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(
	struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[4]);
} numbers SEC(".maps");

#define PROG(name)                                                                                 \
	SEC("tc")                                                                                  \
	int name(struct __sk_buff *ctx)

// expect exchange_in_numbers: EINVAL has no valid kptr
PROG(exchange_in_numbers)
{
	__u32 key = 0;
	__u64 *v = bpf_map_lookup_elem(&numbers, &key);

	if (v)
		bpf_kptr_xchg(v, (void *)0);
	return 0;
}

/* ---- locks ---- */

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct locked);
} lockeds SEC(".maps");

// expect lock_of_numbers: EINVAL map 'numbers' has no valid bpf_spin_lock
PROG(lock_of_numbers)
{
	__u32 key = 0;
	__u64 *v = bpf_map_lookup_elem(&numbers, &key);

	if (v)
		bpf_spin_lock((void *)v);
	return 0;
}

__attribute__((noinline)) int count(struct __sk_buff *ctx)
{
	return ctx->len;
}

// expect global_function_under_lock: EINVAL use static function instead
PROG(global_function_under_lock)
{
	__u32 key = 0;
	struct locked *v = bpf_map_lookup_elem(&lockeds, &key);

	if (!v)
		return 0;
	bpf_spin_lock(&v->lock);
	v->count = count(ctx);
	bpf_spin_unlock(&v->lock);
	return 0;
}

/* ---- timers ---- */

struct timed {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps"), other_timers SEC(".maps");

// expect timer_of_another_map: EINVAL timer pointer in
PROG(timer_of_another_map)
{
	__u32 key = 0;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	return v ? bpf_timer_init(&v->timer, &other_timers, 1) : 0;
}

/* ---- objects of our own ---- */

struct plain {
	__u64 a;
};
struct item {
	struct bpf_list_node list;
	struct bpf_list_node second;
	__u64 key;
};
struct leaf {
	struct bpf_rb_node tree;
	__u64 key;
};
struct with_pointer {
	__u64 *p;
};
struct huge {
	char bytes[4096];
};
typedef __u32 number;

#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

// expect new_number: EINVAL bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct
PROG(new_number)
{
	void *p = bpf_obj_new_impl(bpf_core_type_id_local(number), 0);

	if (p)
		bpf_obj_drop_impl(p, 0);
	return 0;
}

// expect huge_object_per_cpu: EINVAL bpf_percpu_obj_new type size (4096) is greater than 512
PROG(huge_object_per_cpu)
{
	bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct huge), 0);
	return 0;
}

// expect pointer_per_cpu: EINVAL bpf_percpu_obj_new type ID argument must be of a struct of scalars
PROG(pointer_per_cpu)
{
	bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct with_pointer), 0);
	return 0;
}

// expect list_node_per_cpu: EINVAL bpf_percpu_obj_new type ID argument must not contain special fields
PROG(list_node_per_cpu)
{
	bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct item), 0);
	return 0;
}

// expect second_owner_of_what_is_not_counted: EINVAL arg#0 doesn't point to a type with bpf_refcount field
PROG(second_owner_of_what_is_not_counted)
{
	struct item *p = NEW(struct item);

	if (p)
		bpf_refcount_acquire_impl(p, 0);
	return 0;
}

// expect node_is_written: EACCES direct access to bpf_list_node is disallowed
PROG(node_is_written)
{
	struct item *p = NEW(struct item);

	if (!p)
		return 0;
	*(volatile __u64 *)&p->list = 1;
	bpf_obj_drop_impl(p, 0);
	return 0;
}

// expect object_per_cpu_dropped_as_one: EINVAL arg#0 expected for bpf_percpu_obj_drop_impl()
PROG(object_per_cpu_dropped_as_one)
{
	struct plain *p = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct plain), 0);

	if (p)
		bpf_obj_drop_impl(p, 0);
	return 0;
}

// expect object_of_the_kernel_dropped: EINVAL arg#0 expected pointer to allocated object
PROG(object_of_the_kernel_dropped)
{
	struct task_struct *p = bpf_task_from_pid(1);

	if (p)
		bpf_obj_drop_impl(p, 0);
	return 0;
}

struct roots {
	struct bpf_spin_lock lock;
	struct bpf_list_head list __holds(item, list);
};
struct trunk {
	struct bpf_spin_lock lock;
	struct bpf_rb_root tree __holds(leaf, tree);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct roots);
} all SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct trunk);
} trees SEC(".maps");

struct trunk garden SEC(".data.garden");

static struct roots *get_roots(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&all, &key);
}

static struct trunk *get_tree(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&trees, &key);
}

// expect list_without_its_lock: EINVAL bpf_spin_lock at off=0 must be held for bpf_list_head
PROG(list_without_its_lock)
{
	struct roots *r = get_roots();
	struct item *p;

	if (!r)
		return 0;
	p = NEW(struct item);
	if (p)
		bpf_list_push_front_impl(&r->list, &p->list, 0, 0);
	return 0;
}

// expect other_node_of_the_object: EINVAL arg#1 offset=24, but expected bpf_list_node at offset=0 in struct item
PROG(other_node_of_the_object)
{
	struct roots *r = get_roots();
	struct item *p;

	if (!r)
		return 0;
	p = NEW(struct item);
	if (!p)
		return 0;
	bpf_spin_lock(&r->lock);
	bpf_list_push_front_impl(&r->list, &p->second, 0, 0);
	bpf_spin_unlock(&r->lock);
	return 0;
}

struct stranger {
	struct bpf_list_node list;
};

// expect node_of_another_object: EINVAL operation on bpf_list_head expects arg#1 bpf_list_node at offset=0 in struct item, but arg is at offset=0 in struct stranger
PROG(node_of_another_object)
{
	struct roots *r = get_roots();
	struct stranger *p;

	if (!r)
		return 0;
	p = NEW(struct stranger);
	if (!p)
		return 0;
	bpf_spin_lock(&r->lock);
	bpf_list_push_front_impl(&r->list, &p->list, 0, 0);
	bpf_spin_unlock(&r->lock);
	return 0;
}

// expect removed_what_is_no_node: EINVAL bpf_rbtree_remove can only take non-owning or refcounted bpf_rb_node pointer
PROG(removed_what_is_no_node)
{
	struct bpf_rb_node on_stack = {0};
	struct trunk *r = get_tree();

	if (!r)
		return 0;
	bpf_spin_lock(&r->lock);
	bpf_rbtree_remove(&r->tree, &on_stack);
	bpf_spin_unlock(&r->lock);
	return 0;
}

static __always_inline int add_to_tree(
	_Bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b))
{
	struct trunk *r = &garden;
	struct leaf *p;

	p = NEW(struct leaf);
	if (!p)
		return 0;
	bpf_spin_lock(&r->lock);
	bpf_rbtree_add_impl(&r->tree, &p->tree, less, 0, 0);
	bpf_spin_unlock(&r->lock);
	return 0;
}

static _Bool unlocks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_spin_unlock(&garden.lock);
	return 0;
}

// expect unlock_while_nodes_are_compared: EACCES can't spin_{lock,unlock} in rbtree cb
PROG(unlock_while_nodes_are_compared)
{
	return add_to_tree(unlocks);
}

static _Bool removes(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_rbtree_remove(&garden.tree, a);
	return 0;
}

// expect node_removed_while_nodes_are_compared: EINVAL bpf_rbtree_remove not allowed in rbtree cb
PROG(node_removed_while_nodes_are_compared)
{
	return add_to_tree(removes);
}

char LICENSE[] SEC("license") = "GPL";
