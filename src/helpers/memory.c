/*
 * bpf_probe_read and its kin. Program, engine and process share one address space, so "user" and "kernel"
 * name the same memory; a bad address is -EFAULT and the program's buffer reads as zero.
 */
#include <errno.h>
#include <string.h>

#include "helpers/fns.h"
#include "helpers/peek.h"

/* (to, size, address) */
u64 hlp_probe_read(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	int err = hlp_peek(r3, hlp_ptr(r1), (u32)r2);

	if (err)
		memset(hlp_ptr(r1), 0, (u32)r2);
	return (u64)err;
}

/* The same; the bytes behind the string's end stay what they are. */
u64 hlp_probe_read_str(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, struct run *run)
{
	u32 cap = (u32)r2, len = 0;
	char *to = hlp_ptr(r1), part[256];
	int got;

	while (len < cap) {
		got = hlp_peek_text(r3 + len, part, MIN(cap - len, (u32)sizeof(part)));
		if (got < 0) {
			memset(to, 0, cap);
			return (u64)got;
		}
		memcpy(to + len, part, (u32)got);
		len += (u32)got;
		if (len == cap || strnlen(part, (size_t)got) < (size_t)got - 1 ||
			got < (int)sizeof(part))
			return len;
		len--; /* the zero byte that cut it */
	}
	return 0;
}
