/*
 * The rows of kfuncs.def as the structs that the verifier and the engines read.
 */
#include "core/kfunc.h"

#include "helpers/helpers.h"

/* Words of the columns */
#define ALL_PROGS (~0ULL)
/* clang-format off */
#define ARGS1(a) {HLP_##a}
/* clang-format on */

#define KFUNC(word, func, what, returns, arguments, types, bits, major, minor, text)               \
	static const struct kfunc_proto proto_##word = {                                           \
		.proto = {.name = #word,                                                           \
			.fn = func,                                                                \
			.ret = HLP_RET_##returns,                                                  \
			.args = arguments,                                                         \
			.progs = types,                                                            \
			.since_major = major,                                                      \
			.since_minor = minor,                                                      \
			.doc = text},                                                              \
		.kind = KFUNC_##what,                                                              \
		.flags = bits,                                                                     \
	};
#include "helpers/kfuncs.def"

const struct kfunc_proto *const hlp_kfuncs[] = {
#define KFUNC(word, ...) &proto_##word,
#include "helpers/kfuncs.def"
};

const u32 hlp_kfunc_cnt = ARRAY_SIZE(hlp_kfuncs);
