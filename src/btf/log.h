/*
 * The log of BPF_BTF_LOAD, line for line the kernel's:
 *
 *	magic: 0xeb9f … btf_total_size: 81
 *	[1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
 *	[2] STRUCT s size=4 vlen=1
 *		a type_id=1 bits_offset=0 Invalid member
 */
#ifndef BTF_LOG_H
#define BTF_LOG_H

#include "btf/obj.h"

__attribute__((format(printf, 2, 3))) void btf_log(struct btf_check *c, const char *fmt, ...);
/* "[id] KIND name details complaint\n"; "%s", "" for no complaint */
__attribute__((format(printf, 3, 4))) void btf_log_type(
	struct btf_check *c, const struct btf_type *t, const char *fmt, ...);
/* The same without details, for a type too damaged to give them. */
__attribute__((format(printf, 3, 4))) void btf_log_basic(
	struct btf_check *c, const struct btf_type *t, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void btf_log_member(struct btf_check *c,
	const struct btf_type *st, const struct btf_member *m, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void btf_log_var(struct btf_check *c,
	const struct btf_type *sec, const struct btf_var_secinfo *var, const char *fmt, ...);
void btf_log_header(struct btf_check *c);

#endif
