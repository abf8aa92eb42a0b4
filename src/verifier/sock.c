/*
 * Sockets as programs see them: the four views of core/sock.h, read only, whole fields or aligned parts of
 * those that allow it. In memory they are as the program sees them, so accesses are not rewritten. Source:
 * struct bpf_sock, bpf_tcp_sock and bpf_xdp_sock, and *_sock_is_valid_access in Linux.
 */
#include <errno.h>

#include "verifier/access.h"
#include "verifier/step.h"

/* Which loads of a field are fine. */
enum {
	WHOLE = 1,
	NARROW = 2, /* aligned parts too */
	FIRST = 8,  /* the first bytes too */
	WIDE = 4,   /* as 4 bytes with the padding behind it */
};

struct sock_field {
	u16 off, size, loads;
};

#define FIELD(type, name, loads)                                                                   \
	{                                                                                          \
		offsetof(struct type, name), sizeof(((struct type *)0)->name), loads               \
	}

static const struct sock_field sock_fields[] = {
	FIELD(bpf_sock, bound_dev_if, WHOLE),
	FIELD(bpf_sock, family, FIRST),
	FIELD(bpf_sock, type, FIRST),
	FIELD(bpf_sock, protocol, FIRST),
	FIELD(bpf_sock, mark, WHOLE),
	FIELD(bpf_sock, priority, WHOLE),
	FIELD(bpf_sock, src_ip4, NARROW),
	FIELD(bpf_sock, src_ip6[0], NARROW),
	FIELD(bpf_sock, src_ip6[1], NARROW),
	FIELD(bpf_sock, src_ip6[2], NARROW),
	FIELD(bpf_sock, src_ip6[3], NARROW),
	FIELD(bpf_sock, src_port, FIRST),
	FIELD(bpf_sock, dst_port, NARROW | WIDE),
	FIELD(bpf_sock, dst_ip4, NARROW),
	FIELD(bpf_sock, dst_ip6[0], NARROW),
	FIELD(bpf_sock, dst_ip6[1], NARROW),
	FIELD(bpf_sock, dst_ip6[2], NARROW),
	FIELD(bpf_sock, dst_ip6[3], NARROW),
	FIELD(bpf_sock, state, FIRST),
	FIELD(bpf_sock, rx_queue_mapping, FIRST),
};

static bool fits(const struct sock_field *field, s32 off, u32 size)
{
	u32 len = field->loads & WIDE && size == 4 ? 4 : field->size;

	if (off == field->off && (size == len || (field->loads & FIRST && size < len)))
		return true;
	return field->loads & NARROW && off >= field->off && size < len &&
	       off + size <= field->off + len;
}

/* Of these all fields have 4 bytes but for two. */
static bool is_tcp_field(s32 off, u32 size)
{
	bool is_long = off == offsetof(struct bpf_tcp_sock, bytes_received) ||
		       off == offsetof(struct bpf_tcp_sock, bytes_acked);

	return off < (s32)sizeof(struct bpf_tcp_sock) && size == (is_long ? 8 : 4);
}

static bool is_common(s32 off)
{
	return off < (s32)offsetof(struct bpf_sock, type) ||
	       off >= (s32)offsetof(struct bpf_sock, src_ip4);
}

static bool is_allowed(enum vf_kind kind, s32 off, u32 size)
{
	if (off < 0 || off % size)
		return false;
	switch (kind) {
	case VF_TCP_SOCK: return is_tcp_field(off, size);
	case VF_XDP_SOCK: return off < (s32)sizeof(struct bpf_xdp_sock) && size == 4;
	case VF_SOCK_COMMON:
		if (!is_common(off))
			return false;
		break;
	default: break;
	}
	for (u32 f = 0; f < ARRAY_SIZE(sock_fields); f++) {
		if (fits(&sock_fields[f], off, size))
			return true;
	}
	return false;
}

bool vf_is_sock(const struct vf_reg *reg)
{
	return reg->kind == VF_SOCKET || reg->kind == VF_SOCK_COMMON || reg->kind == VF_TCP_SOCK ||
	       reg->kind == VF_XDP_SOCK;
}

int vf_sock_access(struct vf_env *env, const struct vf_access *acc)
{
	const struct vf_reg *reg = &vf_regs(env)[acc->regno];

	if (acc->is_write)
		return vf_complain(env, VF_C_MEM_RDONLY, acc->regno, vf_kind_str(reg));
	if (reg->num.smin < 0)
		return vf_complain(env, VF_C_MIN_NEGATIVE, acc->regno);
	if (!is_allowed(reg->kind, acc->off, acc->size))
		return vf_complain(
			env, VF_C_SOCK_ACCESS, acc->regno, vf_kind_str(reg), acc->off, acc->size);
	if (acc->value >= 0)
		vf_reg_unknown(&vf_regs(env)[acc->value]);
	return 0;
}
