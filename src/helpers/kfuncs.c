/*
 * The rows of kfuncs.def as the structs that the verifier and the engines read.
 */
#include "core/kfunc.h"

#include "helpers/helpers.h"
#include "helpers/kfns.h"

/* Words of the columns */
#define HLP_OUT_MEM	    (HLP_MEM | HLP_UNINIT | HLP_WRITE)
#define HLP_RET_MEM_OR_NULL (HLP_RET_MEM | HLP_MAYBE_NULL)
/* clang-format off */
#define NO_ARGS			{HLP_NONE}
#define ARGS1(a)		{HLP_##a}
#define ARGS2(a, b)		{HLP_##a, HLP_##b}
#define ARGS3(a, b, c)		{HLP_##a, HLP_##b, HLP_##c}
#define ARGS4(a, b, c, d)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d}
#define ARGS5(a, b, c, d, e)	{HLP_##a, HLP_##b, HLP_##c, HLP_##d, HLP_##e}
#define WHY(text)		.why = (text)
#define KFUNC(word, func, what, returns, arguments, bits, major, minor, text, ...)		\
	static const struct kfunc_proto proto_##word = {					\
		.proto = {.name = #word, .fn = func, .ret = HLP_RET_##returns, .args = arguments,	\
			.progs = ~0ULL, .since_major = major, .since_minor = minor,		\
			.doc = text, __VA_ARGS__},						\
		.kind = KFUNC_##what, .flags = bits};
/* clang-format on */
#include "helpers/kfuncs.def"

const struct kfunc_proto *const hlp_kfuncs[] = {
#define KFUNC(word, ...) &proto_##word,
#include "helpers/kfuncs.def"
};

const u32 hlp_kfunc_cnt = ARRAY_SIZE(hlp_kfuncs);
