/*
 * The bytes of a packet, from a file that holds them or from a capture.
 */
#ifndef SKEP_BENCH_DATA_H
#define SKEP_BENCH_DATA_H

#include "base/types.h"

enum { BENCH_REASON_MAX = 256, BENCH_DATA_MAX = 1 << 20 };

/*
 * frame: which one of a capture, from 1. ret_data is for mem_free. A negative errno, with the reason in
 * ret_reason.
 */
int bench_data(const char *path, u32 frame, u8 **ret_data, u32 *ret_len,
	char ret_reason[BENCH_REASON_MAX]);

#endif
