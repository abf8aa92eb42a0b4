/*
 * Programs that compute: on the frame's bytes, on the stack, on numbers.
 */
#include "bench.bpf.h"

#define ROL64(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define ROL32(x, n) ((x) << (n) | (x) >> (32 - (n)))

enum { LEN = 64 };

PROG(empty)
{
	return 2;
}

/* The first LEN bytes, or the program ends. */
#define BYTES(p)                                                                                   \
	const __u8 *p = DATA(ctx);                                                                 \
	if (p + LEN > (const __u8 *)DATA_END(ctx))                                                 \
	return 0

PROG_RUNS(arithmetic, 16)
{
	BYTES(p);
	__u64 a = p[0], b = p[1] + 3;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		a = a * 6364136223846793005ULL + b;
		b ^= a >> 29;
		b += a << 7;
		a -= b & 0xff;
	}
	return (int)(a ^ b ^ a >> 32);
}

PROG_RUNS(arithmetic32, 16)
{
	BYTES(p);
	__u32 a = p[0], b = p[1] + 3;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		a = a * 1664525U + b;
		b ^= a >> 15;
		b += a << 7;
		a -= b & 0xff;
	}
	return (int)(a ^ b);
}

PROG_RUNS(branches, 8)
{
	BYTES(p);
	__u32 upper = 0, lower = 0, digit = 0, other = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			upper += i;
		else if (p[i] >= 'a' && p[i] <= 'z')
			lower += 2;
		else if (p[i] >= '0' && p[i] <= '9')
			digit++;
		else
			other ^= p[i];
	}
	return (int)(upper << 16 ^ lower << 8 ^ digit << 4 ^ other);
}

PROG_RUNS(fibonacci, 16)
{
	BYTES(p);
	__u64 a = p[0], b = p[1];

#pragma clang loop unroll(disable)
	for (int i = 0; i < 90; i++) {
		__u64 c = a + b;

		a = b;
		b = c;
	}
	return (int)(a ^ a >> 32);
}

/* Words of the frame, mixed as in Jenkins' lookup3. */
#define JMIX(a, b, c)                                                                              \
	do {                                                                                       \
		a -= c, a ^= ROL32(c, 4), c += b;                                                  \
		b -= a, b ^= ROL32(a, 6), a += c;                                                  \
		c -= b, c ^= ROL32(b, 8), b += a;                                                  \
		a -= c, a ^= ROL32(c, 16), c += b;                                                 \
		b -= a, b ^= ROL32(a, 19), a += c;                                                 \
		c -= b, c ^= ROL32(b, 4), b += a;                                                  \
	} while (0)

PROG_RUNS(jenkins, 32)
{
	BYTES(p);
	__u32 a = 0xdeadbeef, b = a + LEN, c = a;
	const __u32 *w = (const __u32 *)p;

#pragma clang loop unroll(full)
	for (int i = 0; i < 15; i += 3) {
		a += w[i], b += w[i + 1], c += w[i + 2];
		JMIX(a, b, c);
	}
	return (int)c;
}

PROG_RUNS(fnv1a, 4)
{
	BYTES(p);
	__u64 hash = 0xcbf29ce484222325ULL;

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return (int)(hash ^ hash >> 32);
}

#define SIPROUND                                                                                   \
	do {                                                                                       \
		v0 += v1, v1 = ROL64(v1, 13), v1 ^= v0, v0 = ROL64(v0, 32);                        \
		v2 += v3, v3 = ROL64(v3, 16), v3 ^= v2;                                            \
		v0 += v3, v3 = ROL64(v3, 21), v3 ^= v0;                                            \
		v2 += v1, v1 = ROL64(v1, 17), v1 ^= v2, v2 = ROL64(v2, 32);                        \
	} while (0)

PROG_RUNS(siphash, 16)
{
	BYTES(p);
	__u64 v0 = 0x736f6d6570736575ULL, v1 = 0x646f72616e646f6dULL, v2 = 0x6c7967656e657261ULL,
	      v3 = 0x7465646279746573ULL;
	const __u64 *w = (const __u64 *)p;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++) {
		__u64 m = w[i];

		v3 ^= m;
		SIPROUND;
		SIPROUND;
		v0 ^= m;
	}
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	v0 ^= v1 ^ v2 ^ v3;
	return (int)(v0 ^ v0 >> 32);
}

PROG_RUNS(checksum, 32)
{
	BYTES(p);
	const __u16 *w = (const __u16 *)p;
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN / 2; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* CRC-32 of each value of four bits */
static const __u32 nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190,
	0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};

PROG_RUNS(crc32, 8)
{
	BYTES(p);
	__u32 crc = ~0U;

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return (int)~crc;
}

static __always_inline __u32 count_bits(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return x * 0x0101010101010101ULL >> 56;
}

PROG_RUNS(bits, 16)
{
	BYTES(p);
	const __u64 *w = (const __u64 *)p;
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN / 8; i++) {
		__u64 x = w[i];

		sum += count_bits(x) + count_bits(x & -x) * 3 + count_bits(x ^ x >> 1);
	}
	return (int)sum;
}

PROG_RUNS(matrix, 128)
{
	BYTES(p);
	__u32 a[4][4], b[4][4], sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 16; i++) {
		a[i / 4][i % 4] = p[i];
		b[i / 4][i % 4] = p[i + 16];
	}
#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
#pragma clang loop unroll(full)
		for (int j = 0; j < 4; j++) {
			__u32 cell = 0;

#pragma clang loop unroll(full)
			for (int k = 0; k < 4; k++)
				cell += a[i][k] * b[k][j];
			sum = sum * 31 + cell;
		}
	return (int)sum;
}

/* Where "\r\n" stands, or LEN */
PROG_RUNS(scan, 16)
{
	BYTES(p);

#pragma clang loop unroll(disable)
	for (int i = 0; i < LEN - 1; i++)
		if (p[i] == '\r' && p[i + 1] == '\n')
			return i;
	return LEN;
}

PROG_RUNS(decimal, 32)
{
	BYTES(p);
	__u32 number = (__u32)p[30] << 24 | p[31] << 16 | p[32] << 8 | p[33], sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 10; i++) {
		sum = sum * 17 + number % 10;
		number /= 10;
	}
	return (int)sum;
}

PROG_RUNS(gcd, 16)
{
	BYTES(p);
	__u64 a = *(const __u64 *)p | 1, b = *(const __u64 *)(p + 8) | 1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 16 && b; i++) {
		__u64 rest = a % b;

		a = b;
		b = rest;
	}
	return (int)(a ^ b ^ b >> 32);
}

PROG_RUNS(sort, 32)
{
	BYTES(p);
	__u64 v[8];
	__u64 sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 8; i++)
		v[i] = p[i * 5];
#pragma clang loop unroll(full)
	for (int i = 0; i < 8; i++)
#pragma clang loop unroll(full)
		for (int j = 0; j < 7 - i; j++)
			if (v[j] > v[j + 1]) {
				__u64 t = v[j];

				v[j] = v[j + 1];
				v[j + 1] = t;
			}
#pragma clang loop unroll(full)
	for (int i = 0; i < 8; i++)
		sum = sum * 3 + v[i];
	return (int)sum;
}

/* More values at once than there are registers */
PROG_RUNS(spills, 32)
{
	BYTES(p);
	const __u32 *w = (const __u32 *)p;
	__u64 v[16], sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 16; i++)
		v[i] = w[i] * (__u64)(i + 1);
#pragma clang loop unroll(full)
	for (int r = 0; r < 3; r++)
#pragma clang loop unroll(full)
		for (int i = 0; i < 16; i++)
			v[i] = v[i] * 3 + v[(i + 7) % 16];
#pragma clang loop unroll(full)
	for (int i = 0; i < 16; i++)
		sum ^= v[i];
	return (int)(sum ^ sum >> 32);
}

PROG_RUNS(cases, 16)
{
	BYTES(p);
	__u32 sum = 1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 48; i++) {
		switch (p[i] & 7) {
		case 0: sum += 3; break;
		case 1: sum ^= 0x55; break;
		case 2: sum *= 5; break;
		case 3: sum -= 7; break;
		case 4: sum <<= 1; break;
		case 5: sum |= 0x10; break;
		case 6: sum ^= sum >> 5; break;
		default: sum = ~sum;
		}
	}
	return (int)sum;
}

PROG_RUNS(endian, 64)
{
	BYTES(p);
	const __u16 *h = (const __u16 *)p;
	const __u32 *w = (const __u32 *)p;
	__u32 sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 16; i++)
		sum = sum * 3 + bpf_ntohl(w[i]) + bpf_ntohs(h[i]);
	return (int)sum;
}

struct record {
	__u8 kind;
	__u32 a;
	__u16 b;
	__u64 c;
} __attribute__((packed));

PROG_RUNS(packed, 128)
{
	BYTES(p);
	const struct record *r = (const struct record *)p;
	__u64 sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 4; i++)
		sum += r[i].kind + r[i].a + (__u64)r[i].b * 3 + r[i].c;
	return (int)(sum ^ sum >> 32);
}

PROG_RUNS(xorshift, 16)
{
	BYTES(p);
	__u64 x = *(const __u64 *)p | 1, sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 40; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sum += x;
	}
	return (int)(sum ^ sum >> 32);
}

static __noinline __u32 mix(__u32 a, __u32 b)
{
	return (a ^ b >> 3) * 2654435761U + 7;
}

static __noinline __u32 fold(__u32 a, __u32 b)
{
	return mix(a, b) ^ mix(b, a);
}

PROG_RUNS(calls, 16)
{
	BYTES(p);
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 16; i++)
		sum = fold(sum, p[i]);
	return (int)sum;
}
