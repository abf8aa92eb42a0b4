/*
 * Which registers fit which kind of argument: one row a kind, with the kinds and flags of registers that it
 * takes, in the order in which Linux's log names them. Flags must be the same, but for those that the
 * argument allows besides.
 */
#include <string.h>

#include "verifier/call_arg.h"
#include "verifier/log.h"

enum { FITS_MAX = 10 };

struct fit {
	u8 kind;
	u16 flags;
};

#define FITS(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define SOCKS                                                                                      \
	{VF_SOCK_COMMON}, {VF_SOCKET}, {VF_TCP_SOCK},                                              \
	{                                                                                          \
		VF_XDP_SOCK                                                                        \
	}
#define MEMS                                                                                       \
	{VF_STACK}, {VF_PACKET}, {VF_PACKET_META}, {VF_MAP_KEY}, {VF_MAP_VALUE}, {VF_MEM},         \
		{VF_MEM, VF_RINGBUF}, {VF_BUF},                                                    \
	{                                                                                          \
		VF_BTF, VF_TRUSTED                                                                 \
	}

static const struct fit rows[HLP_ARG_KIND_CNT][FITS_MAX] = {
	[HLP_CONST_MAP_PTR] = FITS({VF_MAP_PTR}),
	[HLP_MAP_KEY] = FITS(MEMS),
	[HLP_MAP_VALUE] = FITS(MEMS),
	[HLP_MEM] = FITS(MEMS),
	[HLP_ARENA] = FITS({VF_SCALAR}),
	[HLP_CONST_SIZE] = FITS({VF_SCALAR}),
	[HLP_CONST_SIZE_OR_ZERO] = FITS({VF_SCALAR}),
	[HLP_CTX] = FITS({VF_CTX}),
	[HLP_SPIN_LOCK] = FITS({VF_MAP_VALUE}, {VF_BTF, VF_ALLOC}),
	[HLP_SOCK_COMMON] = FITS(SOCKS),
	[HLP_SOCKET] = FITS({VF_SOCKET}),
	[HLP_BTF_ID] = FITS({VF_BTF}, {VF_BTF, VF_TRUSTED}, {VF_BTF, VF_RCU}),
	[HLP_RINGBUF_MEM] = FITS({VF_MEM, VF_RINGBUF}),
	[HLP_CONST_ALLOC_SIZE_OR_ZERO] = FITS({VF_SCALAR}),
	[HLP_BTF_ID_SOCK_COMMON] = FITS(SOCKS, {VF_BTF}, {VF_BTF, VF_TRUSTED}),
	[HLP_PERCPU_BTF_ID] = FITS({VF_BTF, VF_PERCPU}, {VF_BTF, VF_PERCPU | VF_RCU},
		{VF_BTF, VF_PERCPU | VF_TRUSTED}),
	[HLP_FUNC] = FITS({VF_FUNC}),
	[HLP_STACK] = FITS({VF_STACK}),
	[HLP_CONST_STR] = FITS({VF_MAP_VALUE}),
	[HLP_TIMER] = FITS({VF_MAP_VALUE}),
	[HLP_KPTR_XCHG_DEST] = FITS({VF_MAP_VALUE}, {VF_BTF, VF_ALLOC}),
	[HLP_DYNPTR] = FITS({VF_STACK}, {VF_DYNPTR}),
	[HLP_SCALAR_CONST] = FITS({VF_SCALAR}),
};

bool vf_arg_fits(u32 arg, const struct vf_reg *reg, u16 ignored)
{
	const struct fit *fits = rows[HLP_KIND(arg)];

	if (reg->may_be_null && !(arg & HLP_MAYBE_NULL))
		return false;
	/* a view of a dynptr is memory like any other */
	if (HLP_KIND(arg) == HLP_MEM)
		ignored |= VF_PACKET_SLICE;
	if (reg->is_rdonly && !(arg & HLP_RDONLY))
		return false;
	for (u32 i = 0; i < FITS_MAX && fits[i].kind != VF_NOT_INIT; i++) {
		if (fits[i].kind == reg->kind && fits[i].flags == (u16)(reg->flags & (u16)~ignored))
			return true;
	}
	return false;
}

void vf_arg_words(u32 arg, struct buf *out)
{
	const struct fit *fits = rows[HLP_KIND(arg)];

	for (u32 i = 0; i < FITS_MAX && fits[i].kind != VF_NOT_INIT; i++) {
		const struct vf_reg reg = {.kind = fits[i].kind, .flags = fits[i].flags};

		buf_printf(out, "%s%s", i ? ", " : "", vf_kind_str(&reg));
	}
}
