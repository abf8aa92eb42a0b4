/*
 * What a benchmark program is written against: compiled for BPF, an XDP program; compiled for the machine
 * (-DNATIVE), a C function that gets the ends of the same frame.
 */
#ifndef BENCH_BPF_H
#define BENCH_BPF_H

#ifdef NATIVE
#include <stddef.h>
#include <stdint.h>

typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef int32_t __s32;

struct xdp_md {
	void *data, *data_end;
};

#define SEC(name)
#define DATA(ctx)     ((ctx)->data)
#define DATA_END(ctx) ((ctx)->data_end)
#define bpf_ntohs(x)  __builtin_bswap16(x)
#define bpf_ntohl(x)  __builtin_bswap32(x)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline	__attribute__((noinline))
#else
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DATA(ctx)     ((void *)(long)(ctx)->data)
#define DATA_END(ctx) ((void *)(long)(ctx)->data_end)

char _license[] SEC("license") = "GPL";
#endif

#define PROG(name) SEC("xdp") int name(struct xdp_md *ctx)

/*
 * The work of a program is done `runs` times a run, and reads the frame each time: what the harness takes for
 * a run, and what of it the processor does beside the program, is small beside that.
 */
#define PROG_RUNS(name, runs)                                                                      \
	static __always_inline int name##_once(struct xdp_md *ctx);                                \
	PROG(name)                                                                                 \
	{                                                                                          \
		__u32 sum = 0;                                                                     \
                                                                                                   \
		_Pragma("clang loop unroll(disable)") for (int i = 0; i < (runs); i++)             \
		{                                                                                  \
			sum = sum * 3 + (__u32)name##_once(ctx);                                   \
			asm volatile("" : : : "memory");                                           \
		}                                                                                  \
		return (int)sum;                                                                   \
	}                                                                                          \
	static __always_inline int name##_once(struct xdp_md *ctx)

#endif
