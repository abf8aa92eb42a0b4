/* What is called when an exception is thrown, and what may not be. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CATCH(name) __attribute__((btf_decl_tag("exception_callback:" #name)))
/* the loader takes along what is called, and the verifier sees that nobody calls it */
#define NEVER                                                                                      \
	({                                                                                         \
		long zero;                                                                         \
		asm volatile("%0 = 0" : "=r"(zero));                                               \
		zero != 0;                                                                         \
	})
#define NOINLINE __attribute__((noinline))

extern void bpf_throw(__u64 cookie) __ksym;

NOINLINE int one(__u64 cookie)
{
	return 0;
}

NOINLINE int other(__u64 cookie)
{
	return 1;
}

static NOINLINE int hidden(__u64 cookie)
{
	asm volatile("" : "+r"(cookie));
	return cookie;
}

NOINLINE int two_numbers(__u64 cookie, __u64 more)
{
	asm volatile("" ::"r"(cookie));
	return 1;
}

NOINLINE int takes_pointer(int *cookie)
{
	asm volatile("" ::"r"(cookie));
	return 1;
}

// expect two_catch: EEXIST multiple exception callback tags for main subprog
SEC("tc")
CATCH(one)
CATCH(other)
int two_catch(struct __sk_buff *ctx)
{
	bpf_throw(0);
	return 0;
}

// expect nobody_catches: ENOENT exception callback 'nobody' could not be found in BTF
SEC("tc")
CATCH(nobody)
int nobody_catches(struct __sk_buff *ctx)
{
	bpf_throw(0);
	return 0;
}

// expect static_catches: EINVAL exception callback 'hidden' must have global linkage
SEC("tc")
CATCH(hidden)
int static_catches(struct __sk_buff *ctx)
{
	if (NEVER)
		return hidden(1);
	bpf_throw(0);
	return 0;
}

// expect another_program_catches: EINVAL exception callback type id not found in func_info
SEC("tc")
CATCH(two_catch)
int another_program_catches(struct __sk_buff *ctx)
{
	bpf_throw(0);
	return 0;
}

// expect program_catches: EINVAL invalid exception callback insn_off in func_info: 0
SEC("tc")
CATCH(program_catches)
int program_catches(struct __sk_buff *ctx)
{
	bpf_throw(0);
	return 0;
}

// expect two_numbers_are_caught: EINVAL exception cb only supports single integer argument
SEC("tc")
CATCH(two_numbers)
int two_numbers_are_caught(struct __sk_buff *ctx)
{
	if (NEVER)
		return two_numbers(1, 2);
	bpf_throw(0);
	return 0;
}

// expect pointer_is_caught: EINVAL exception cb only supports single integer argument
SEC("tc")
CATCH(takes_pointer)
int pointer_is_caught(struct __sk_buff *ctx)
{
	if (NEVER)
		return takes_pointer((void *)ctx);
	bpf_throw(0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
