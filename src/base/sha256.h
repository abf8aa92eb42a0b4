/*
 * SHA-256 (FIPS 180-4) of one piece of memory: the tag of a program is made from it. Pure.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/types.h"

enum { SHA256_LEN = 32 };

void sha256(const void *data, size_t len, u8 ret_digest[SHA256_LEN]);

#endif
