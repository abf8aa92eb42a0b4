/*
 * Global data of every kind: what libbpf makes of it are array maps that programs address directly.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

const volatile int limit = 1; /* .rodata: set before the load */
int seen = 40;		      /* .data */
int over;		      /* .bss */
static int table[4] = {10, 20, 30, 40};

static __noinline int is_over(int cnt)
{
	return cnt > limit;
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	seen++;
	if (is_over(seen))
		over++;
	table[seen & 3]++;
	bpf_printk("seen %d", seen);
	return table[seen & 3];
}

char _license[] SEC("license") = "GPL";
