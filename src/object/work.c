/*
 * How much of everything. libbpf searches lists from their beginning and copies each function that a
 * program calls into that program; so a file of a megabyte can ask for hours and for all memory.
 * What it would do is estimated from the counts, generously, and refused where no real object goes.
 */
#include "object/file.h"

enum {
	SUBPROGS_MAX = 4096,   /* called one by another: one level of recursion each */
	RELO_LEN = 32,	       /* bytes libbpf needs for a relocation */
	KERNEL_TYPES = 200000, /* to look through for a CO-RE type */
};
#define STEPS_MAX (1ULL << 31)

static int check_code(const struct object_file *f)
{
	u64 text_len = 0, each, mains = f->func_cnt - f->subprog_cnt;

	for (u32 i = 0; i < f->func_cnt; i++)
		text_len += f->funcs[i].sec == f->text_idx ? f->funcs[i].len : 0;
	each = text_len + (u64)f->text_relo_cnt * RELO_LEN;
	if (f->ext_idx)
		each += f->secs[f->ext_idx].sh_size;
	if (f->subprog_cnt > SUBPROGS_MAX)
		return object_too_large(
			f, "it has %u functions in .text (limit %u)", f->subprog_cnt, SUBPROGS_MAX);
	if (f->subprog_cnt && mains * each > 4ULL * OBJECT_CODE_MAX)
		return object_too_large(f,
			"its %llu programs with the functions they call would have %llu bytes",
			(unsigned long long)mains, (unsigned long long)(mains * each));
	return 0;
}

int object_check_work(struct object_file *f)
{
	u64 mains = f->func_cnt - f->subprog_cnt, core = MIN(f->core_relo_cnt, f->btf.cnt);
	u64 lists = (u64)f->map_cnt + f->extern_cnt + f->func_cnt + f->sec_cnt;
	int err = check_code(f);

	const struct {
		const char *what, *with;
		u64 a, b;
	} rows[] = {
		{"symbols", "sections", f->sym_cnt, f->sec_cnt},
		{"symbols", "variables", f->sym_cnt, f->btf.vars},
		{"externs", "types", f->extern_cnt, (u64)f->btf.cnt + f->btf.vars},
		{"sections", "types", f->sec_cnt, f->btf.cnt},
		{"functions", "types", f->func_cnt, f->btf.cnt},
		{"relocations", "maps, externs and functions", f->relo_cnt, lists},
		{"functions", "line records", f->func_cnt + mains * f->subprog_cnt, f->rec_cnt},
		{"CO-RE types", "kernel types", core, KERNEL_TYPES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) && !err; i++)
		if (rows[i].a && rows[i].b > STEPS_MAX / rows[i].a)
			err = object_too_large(f, "it has %llu %s and %llu %s",
				(unsigned long long)rows[i].a, rows[i].what,
				(unsigned long long)rows[i].b, rows[i].with);
	return err;
}
