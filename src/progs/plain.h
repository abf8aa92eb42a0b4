/*
 * Rows of contexts that stand in memory as the program sees them: each field is loaded where it is.
 */
#ifndef PROGS_PLAIN_H
#define PROGS_PLAIN_H

#include "core/prog_type.h"

#define PLAIN_ROW(word, at, bytes, kind, rights, attach)                                           \
	{                                                                                          \
		.name = word, .off = (at), .size = (bytes), .reg = (kind), .access = (rights),     \
		.attach_types = (attach), .step_cnt = 1, .step = {                                 \
			{(at), (bytes)}                                                            \
		}                                                                                  \
	}
#define PLAIN(ctx, field, kind, rights, attach)                                                    \
	PLAIN_ROW(#field, offsetof(ctx, field), sizeof(((ctx *)0)->field), kind, rights, attach)

/* A number of any width; a pointer to the packet or its end; a pointer that the verifier does not know. */
#define PLAIN_NUM(ctx, field, rights) PLAIN(ctx, field, CTX_SCALAR, rights, 0)
#define PLAIN_DATA(ctx, field)	      PLAIN(ctx, field, CTX_PACKET, CTX_RD, 0)
#define PLAIN_DATA_END(ctx, field)    PLAIN(ctx, field, CTX_PACKET_END, CTX_RD, 0)
#define PLAIN_SOCK(ctx, field, kind)  PLAIN(ctx, field, kind, CTX_RD, 0)

/* The four words of an IPv6 address. */
#define PLAIN_IP6(ctx, field, rights, attach)                                                      \
	PLAIN(ctx, field[0], CTX_SCALAR, rights, attach),                                          \
		PLAIN(ctx, field[1], CTX_SCALAR, rights, attach),                                  \
		PLAIN(ctx, field[2], CTX_SCALAR, rights, attach),                                  \
		PLAIN(ctx, field[3], CTX_SCALAR, rights, attach)

#endif
