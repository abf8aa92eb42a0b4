/*
 * Programs from text, given to the verifier of an instance with all program types, helpers and maps of the
 * build, without a kernel.
 */
#ifndef UNIT_VERIFIER_FIXTURE_H
#define UNIT_VERIFIER_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/inst.h"
#include "core/map.h"
#include "helpers/helpers.h"
#include "isa/isa.h"
#include "maps/maps.h"
#include "progs/progs.h"
#include "verifier/explain.h"
#include "verifier/verify.h"

enum { MAP_HASH, MAP_ARRAY, MAP_GLOBAL, MAP_CNT };

struct fixture {
	struct skep inst;
	struct map *maps[MAP_CNT];
	struct buf log;
	struct vf_params params; /* may be changed before verify() */
	struct vf_result result;
	struct vf_verdict verdict;
	struct bpf_insn *insns;
};

static int get_map(void *arg, int fd, bool is_idx, struct map **ret_map)
{
	struct fixture *f = arg;

	if (is_idx)
		return -EPROTO;
	if (fd < 0 || fd >= MAP_CNT)
		return -EBADF;
	obj_get(&f->maps[fd]->obj);
	*ret_map = f->maps[fd];
	return 0;
}

static void take_log(void *arg, const char *text, size_t len)
{
	buf_add(arg, text, len);
}

static int setup(void **state)
{
	static const struct map_attr attrs[MAP_CNT] = {
		[MAP_HASH] = {BPF_MAP_TYPE_HASH, 4, 8, 16},
		[MAP_ARRAY] = {BPF_MAP_TYPE_ARRAY, 4, 16, 4},
		[MAP_GLOBAL] = {BPF_MAP_TYPE_ARRAY, 4, 64, 1},
	};
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct inst_options opts = {.no_jit = true, .cpu_cnt = 2};

	assert_non_null(f);
	assert_int_equal(inst_init(&f->inst, &opts), 0);
	f->inst.map_types = map_types;
	f->inst.map_type_cnt = map_types_cnt;
	f->inst.helpers = hlp_table;
	f->inst.helper_cnt = hlp_table_cnt;
	f->inst.prog_types = prog_types;
	f->inst.prog_type_cnt = prog_types_cnt;
	for (u32 m = 0; m < MAP_CNT; m++)
		assert_int_equal(map_new(&f->inst, &attrs[m], &f->maps[m]), 0);
	f->params = (struct vf_params){
		.inst = &f->inst,
		.type = prog_types[BPF_PROG_TYPE_XDP],
		.is_gpl = true,
		.map_get = get_map,
		.arg = f,
		.log = take_log,
		.log_arg = &f->log,
	};
	*state = f;
	return 0;
}

static void forget(struct fixture *f)
{
	vf_result_done(&f->result);
	mem_free(f->insns);
	f->insns = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	forget(f);
	for (u32 m = 0; m < MAP_CNT; m++)
		obj_put(&f->maps[m]->obj);
	buf_done(&f->log);
	inst_done(&f->inst);
	mem_free(f);
	return 0;
}

/* The verdict of a program text; f->result, verdict and log hold the rest. */
static int verify(struct fixture *f, const char *text)
{
	struct buf err = BUF_INIT;
	u32 cnt;

	forget(f);
	buf_reset(&f->log);
	if (isa_asm(text, &f->insns, &cnt, &err))
		fail_msg("%s", buf_text(&err));
	buf_done(&err);
	f->params.insns = f->insns;
	f->params.insn_cnt = cnt;
	return vf_verify(&f->params, &f->result, &f->verdict);
}

#endif
