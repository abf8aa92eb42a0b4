/* What the types of the program's own functions say, and what may not be said. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define TAG(x)	 __attribute__((btf_decl_tag("arg:" x)))
#define NOINLINE __attribute__((noinline))
#define PROG(name)                                                                                 \
	SEC("tc")                                                                                  \
	int name(struct __sk_buff *ctx)

NOINLINE long gives_pointer(struct __sk_buff *ctx)
{
	return (long)ctx;
}

// expect function_gives_pointer: EINVAL At subprogram exit the register R0 is not a scalar value (ctx)
PROG(function_gives_pointer)
{
	return gives_pointer(ctx);
}

struct pair {
	long a, b;
};

NOINLINE int *gives_typed_pointer(struct __sk_buff *ctx)
{
	return ctx->len ? 0 : (int *)8;
}

// expect result_is_a_pointer: EINVAL Caller passes invalid args into
PROG(result_is_a_pointer)
{
	return gives_typed_pointer(ctx) == 0;
}

NOINLINE int takes_number(int a, struct __sk_buff *ctx)
{
	return a + ctx->len;
}

// expect pointer_for_number: EINVAL Caller passes invalid args into
PROG(pointer_for_number)
{
	long (*f)(long, struct __sk_buff *) = (void *)takes_number;

	return f((long)ctx, ctx);
}

NOINLINE int takes_context(struct __sk_buff *ctx)
{
	return ctx->len;
}

// expect stack_for_context: EINVAL Caller passes invalid args into
PROG(stack_for_context)
{
	long room[8] = {0};

	return takes_context((void *)room);
}

NOINLINE int takes_memory(int *p TAG("nonnull"))
{
	return *p;
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, int);
} numbers SEC(".maps");

// expect perhaps_null_for_memory: EINVAL Caller passes invalid args into
PROG(perhaps_null_for_memory)
{
	__u32 key = 0;

	return takes_memory(bpf_map_lookup_elem(&numbers, &key));
}

struct unknown;

NOINLINE int takes_unknown(struct unknown *p, struct __sk_buff *ctx)
{
	return p ? ctx->len : 1;
}

// expect memory_of_unknown_size: EINVAL Caller passes invalid args into
PROG(memory_of_unknown_size)
{
	return takes_unknown((void *)0, ctx);
}

NOINLINE int tagged_number(int a TAG("ctx"))
{
	return a + 1;
}

// expect number_with_tag: EINVAL Caller passes invalid args into
PROG(number_with_tag)
{
	return tagged_number(ctx->len);
}

NOINLINE int two_tags(struct __sk_buff *ctx TAG("ctx") TAG("nonnull"))
{
	return ctx->len;
}

// expect tags_that_contradict: EINVAL Caller passes invalid args into
PROG(tags_that_contradict)
{
	return two_tags(ctx);
}

NOINLINE int new_tag(struct __sk_buff *ctx TAG("new"))
{
	return ctx->len;
}

// expect tag_that_there_is_not: EOPNOTSUPP Caller passes invalid args into
PROG(tag_that_there_is_not)
{
	return new_tag(ctx);
}

NOINLINE int untrusted_and_more(int *p TAG("untrusted") TAG("nonnull"))
{
	return *p;
}

// expect untrusted_with_another_tag: EINVAL Caller passes invalid args into
PROG(untrusted_with_another_tag)
{
	int a = ctx->len;

	return untrusted_and_more(&a);
}

struct nothing_like_it {
	int a;
};

NOINLINE int trusted_stranger(struct nothing_like_it *p TAG("trusted"))
{
	return p->a;
}

// expect trusted_type_that_the_kernel_lacks: ENOENT Caller passes invalid args into
PROG(trusted_type_that_the_kernel_lacks)
{
	struct nothing_like_it a = {0};

	return trusted_stranger(&a);
}

NOINLINE int in_arena(int *p TAG("arena"))
{
	return p != 0;
}

// expect context_for_arena: EINVAL Caller passes invalid args into
PROG(context_for_arena)
{
	return in_arena((void *)ctx);
}

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__uint(value_size, 4);
} queue SEC(".maps");

static long each(void *map, const void *key, void *value, void *ctx)
{
	return 0;
}

// expect each_entry_of_a_queue: ENOTSUPP callback function not allowed for map
PROG(each_entry_of_a_queue)
{
	return bpf_for_each_map_elem(&queue, each, 0, 0);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");

static NOINLINE int jump(struct __sk_buff *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return ctx->len;
}

// expect tail_call_below_much_stack: EACCES tail_calls are not allowed when call stack of previous frames is 304 bytes. Too large
PROG(tail_call_below_much_stack)
{
	asm volatile("*(u64 *)(r10 - 304) = %0" ::"r"(0L));
	return jump(ctx);
}

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ring SEC(".maps");

static long submits(struct bpf_dynptr *dynptr, void *ctx)
{
	bpf_ringbuf_submit_dynptr(dynptr, 0);
	return 0;
}

// expect borrowed_record_submitted: EINVAL cannot release unowned const bpf_dynptr
PROG(borrowed_record_submitted)
{
	return bpf_user_ringbuf_drain(&user_ring, submits, 0, 0);
}

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static long reserves(struct bpf_dynptr *dynptr, void *ctx)
{
	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, dynptr);
	return 0;
}

// expect borrowed_record_overwritten: EINVAL Dynptr has to be an uninitialized dynptr
PROG(borrowed_record_overwritten)
{
	return bpf_user_ringbuf_drain(&user_ring, reserves, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
