/*
 * The verifier as a whole: what comes out of the door besides the verdict (tests/verify and tests/diff
 * compare verdicts with the kernel's): limits, memory, references, unsupported programs, words.
 */
#include "fixture.h"

#include <errno.h>

#include "verifier/complain.h"

/* Branches on unknown bits whose outcomes stay alive, so that states do not cover one another. */
static const char *const wide_program = "call 7\n"
					"r6 = r0\n"
					"r7 = 0\n"
					"r1 = r6\n"
					"r1 &= 1\n"
					"if r1 == 0 goto a\n"
					"r7 += 3\n"
					"a:\n"
					"r1 = r6\n"
					"r1 &= 2\n"
					"if r1 == 0 goto b\n"
					"r7 *= 5\n"
					"b:\n"
					"r8 = r10\n"
					"r7 &= 15\n"
					"r8 += r7\n"
					"*(u8 *)(r8 -32) = 1\n"
					"r0 = 2\n"
					"exit\n";

static const char *const map_program = "r6 = r1\n"
				       "*(u32 *)(r10 -4) = 1\n"
				       "r2 = r10\n"
				       "r2 += -4\n"
				       "lddw map_fd %r1, 0\n"
				       "call 1\n"
				       "if r0 == 0 goto exit\n"
				       "r1 = 1\n"
				       "lock *(u64 *)(r0 +0) += r1\n"
				       "call local fn\n"
				       "exit:\n"
				       "r0 = 2\n"
				       "exit\n"
				       "fn:\n"
				       "r0 = 0\n"
				       "exit\n";

static void a_program_passes_and_its_maps_are_held(void **state)
{
	struct fixture *f = *state;
	u32 refs = f->maps[MAP_HASH]->obj.refs;

	assert_int_equal(verify(f, map_program), 0);
	assert_int_equal(f->verdict.complaint, 0);
	assert_int_equal(f->result.map_cnt, 1);
	assert_ptr_equal(f->result.maps[0], f->maps[MAP_HASH]);
	assert_int_equal(f->maps[MAP_HASH]->obj.refs, refs + 1);
	assert_int_equal(f->result.code.sub_cnt, 2);
	assert_int_equal(f->result.code.subs[0].stack_depth, 8);
	vf_result_done(&f->result);
	assert_int_equal(f->maps[MAP_HASH]->obj.refs, refs);
}

static void a_rejected_program_holds_no_map(void **state)
{
	struct fixture *f = *state;
	u32 refs = f->maps[MAP_HASH]->obj.refs;

	assert_int_equal(verify(f, "lddw map_fd %r1, 0\nexit"), -EACCES);
	assert_string_equal(f->verdict.msg, "R0 !read_ok");
	assert_int_equal(f->verdict.insn_idx, 2);
	assert_int_equal(f->maps[MAP_HASH]->obj.refs, refs);
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	const char *const texts[] = {wide_program, map_program};

	for (u32 p = 0; p < ARRAY_SIZE(texts); p++) {
		struct bpf_insn *insns;
		u32 cnt;
		int err = -ENOMEM;

		assert_int_equal(isa_asm(texts[p], &insns, &cnt, NULL), 0);
		f->params.insns = insns;
		f->params.insn_cnt = cnt;
		for (u64 nth = 1; err; nth++) {
			mem_fail_at(nth);
			err = vf_verify(&f->params, &f->result, &f->verdict);
			if (err) {
				assert_true(mem_did_fail());
				assert_int_equal(err, -ENOMEM);
				assert_int_equal(f->verdict.complaint, VF_C_NO_MEMORY);
			}
		}
		mem_fail_at(0);
		vf_result_done(&f->result);
		mem_free(insns);
	}
}

static void memory_of_states_is_bounded(void **state)
{
	struct fixture *f = *state;

	f->params.flags = BPF_F_TEST_STATE_FREQ;
	assert_int_equal(verify(f, wide_program), 0);
	f->params.mem_max = 16 << 10;
	assert_int_equal(verify(f, wide_program), -ENOMEM);
	assert_int_equal(f->verdict.complaint, VF_C_NO_MEMORY);
	assert_string_equal(f->verdict.msg, "out of memory: states take more than 16384 bytes");
}

static void work_is_bounded(void **state)
{
	struct fixture *f = *state;
	const char *loop = "r6 = 0\nagain:\nr6 += 1\nif r6 < 1000000 goto again\nr0 = 0\nexit";

	f->params.insns_max = 1000;
	assert_int_equal(verify(f, loop), -E2BIG);
	assert_string_equal(f->verdict.msg, "BPF program is too large. Processed 1001 insn");
	f->params.insns_max = 0;
	assert_int_equal(verify(f, loop), -E2BIG);
	assert_string_equal(f->verdict.msg, "BPF program is too large. Processed 1000001 insn");
}

static void an_empty_program_is_refused(void **state)
{
	struct fixture *f = *state;
	struct bpf_insn exit = {.code = BPF_JMP | BPF_EXIT};

	f->params.insns = &exit;
	f->params.insn_cnt = 0;
	assert_int_equal(vf_verify(&f->params, &f->result, &f->verdict), -E2BIG);
	assert_int_equal(f->verdict.complaint, VF_C_INSN_CNT);
	f->params.insn_cnt = PROG_INSN_MAX + 1;
	assert_int_equal(vf_verify(&f->params, &f->result, NULL), -E2BIG);
}

/* Each says so: nobody should have to guess whether the program or skep is at fault. */
static void what_is_not_understood_is_called_unsupported(void **state)
{
	static const struct {
		const char *what;
		struct bpf_insn insns[4];
		u32 cnt, type, complaint;
	} rows[] = {
		{"function of a module",
			{{BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 1, 77},
				{BPF_JMP | BPF_EXIT}},
			2, BPF_PROG_TYPE_XDP, VF_C_UNSUPPORTED_KFUNC_MODULE},
		{"helper",
			{{BPF_ALU64 | BPF_MOV | BPF_K, 2},
				{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_override_return},
				{BPF_ALU64 | BPF_MOV | BPF_K, 0}, {BPF_JMP | BPF_EXIT}},
			4, BPF_PROG_TYPE_KPROBE, VF_C_UNSUPPORTED_HELPER},
	};
	struct fixture *f = *state;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		f->params.insns = rows[i].insns;
		f->params.insn_cnt = rows[i].cnt;
		f->params.type = prog_types[rows[i].type];
		assert_true(vf_verify(&f->params, &f->result, &f->verdict) < 0);
		/* where no BTF of a kernel can be read no call is understood */
		if (f->verdict.complaint != rows[i].complaint &&
			f->verdict.complaint != VF_C_UNSUPPORTED_KFUNC_BTF)
			fail_msg("%s: %s", rows[i].what, f->verdict.msg);
		assert_true(vf_complaint_is_unsupported(f->verdict.complaint));
		assert_memory_equal(f->verdict.msg, "skep: ", 6);
	}
}

static void every_complaint_has_an_errno_words_and_a_hint(void **state)
{
	assert_null(vf_complaint_row(VF_C_NONE));
	assert_null(vf_complaint_row(VF_COMPLAINT_CNT));
	for (u32 c = VF_C_NONE + 1; c < VF_COMPLAINT_CNT; c++) {
		const struct vf_complaint_row *row = vf_complaint_row(c);

		assert_true(row->err < 0);
		assert_true(strlen(row->text) > 5 && !strchr(row->text, '\n'));
		assert_true(strlen(row->human) > 10 && row->human[strlen(row->human) - 1] == '.');
		assert_true(strlen(row->hint) > 10 && row->hint[strlen(row->hint) - 1] == '.');
		assert_int_equal(vf_complaint_is_unsupported(c), !strncmp(row->text, "skep: ", 6));
	}
}

static void an_explanation_names_the_place_the_reason_and_the_way_out(void **state)
{
	struct fixture *f = *state;
	struct buf out = BUF_INIT;
	struct vf_explain_ctx ctx = {0};

	assert_int_equal(verify(f, "r2 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r2 +3)\nexit"), -EACCES);
	ctx.insns = f->insns;
	ctx.insn_cnt = 3;
	vf_explain(&out, &f->verdict, &ctx);
	assert_string_equal(buf_text(&out),
		"  R2 offset is outside of the packet\n"
		"  at insn 1: (71) r0 = *(u8 *)(r2 +3)\n"
		"  what: The packet may be shorter than what is read here.\n"
		"  do:   Compare with data_end first: if (ptr + size > data_end) return ...; "
		"use the very pointer that was compared.\n");
	buf_reset(&out);
	assert_int_equal(verify(f, "r0 = 0\nexit"), 0);
	vf_explain(&out, &f->verdict, &ctx);
	assert_string_equal(buf_text(&out), "");
	buf_done(&out);
}

static void level_1_shows_the_path_that_failed(void **state)
{
	struct fixture *f = *state;

	f->params.log_level = VF_LOG_BRIEF;
	assert_int_equal(verify(f, "r0 = *(u32 *)(r1 +12)\n"
				   "if r0 == 7 goto bad\n"
				   "r0 = 1\n"
				   "exit\n"
				   "bad:\n"
				   "r0 = r3\n"
				   "exit"),
		-EACCES);
	assert_string_equal(buf_text(&f->log),
		"0: R1=ctx() R10=fp0\n"
		"0: (61) r0 = *(u32 *)(r1 +12)         ; R0=scalar(smin=0,smax=umax=0xffffffff,"
		"var_off=(0x0; 0xffffffff)) R1=ctx()\n"
		"1: (15) if r0 == 0x7 goto pc+2 4: R0=7 R1=ctx() R10=fp0\n" /* as Linux does */
		"4: (bf) r0 = r3\n"
		"R3 !read_ok\n"
		"processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
		"peak_states 0 mark_read 0\n");
}

static void level_2_shows_all_paths(void **state)
{
	struct fixture *f = *state;

	f->params.log_level = VF_LOG_FULL;
	assert_int_equal(verify(f, "r0 = 1\n*(u64 *)(r10 -8) = r1\nexit"), 0);
	assert_string_equal(buf_text(&f->log),
		"func#0 @0\n"
		"Live regs before insn:\n"
		"      0: .1........ (b7) r0 = 1\n"
		"      1: 01........ (7b) *(u64 *)(r10 -8) = r1\n"
		"      2: 0......... (95) exit\n"
		"0: R1=ctx() R10=fp0\n"
		"0: (b7) r0 = 1                        ; R0=1\n"
		"1: (7b) *(u64 *)(r10 -8) = r1         ; R1=ctx() R10=fp0 fp-8=ctx()\n"
		"2: (95) exit\n"
		"processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
		"peak_states 0 mark_read 0\n");
}

static void a_good_program_leaves_only_statistics_at_level_1(void **state)
{
	struct fixture *f = *state;

	f->params.log_level = VF_LOG_BRIEF;
	assert_int_equal(verify(f, "r0 = 1\nexit"), 0);
	assert_string_equal(buf_text(&f->log),
		"processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
		"peak_states 0 mark_read 0\n");
	f->params.log_level = 0;
	assert_int_equal(verify(f, "r0 = 1\nexit"), 0);
	assert_string_equal(buf_text(&f->log), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_program_passes_and_its_maps_are_held),
		TEST(a_rejected_program_holds_no_map),
		TEST(every_failed_allocation_is_reported_and_leaks_nothing),
		TEST(memory_of_states_is_bounded),
		TEST(work_is_bounded),
		TEST(an_empty_program_is_refused),
		TEST(what_is_not_understood_is_called_unsupported),
		TEST(every_complaint_has_an_errno_words_and_a_hint),
		TEST(an_explanation_names_the_place_the_reason_and_the_way_out),
		TEST(level_1_shows_the_path_that_failed),
		TEST(level_2_shows_all_paths),
		TEST(a_good_program_leaves_only_statistics_at_level_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
