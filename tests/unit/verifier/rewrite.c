/*
 * Rewriting: a program in, the instructions an engine runs out.
 */
#include "fixture.h"

#include <errno.h>

struct rewriting {
	const char *name;
	u32 type;
	const char *in, *out;
};

static const struct rewriting rewritings[] = {
	{
		"fields of xdp_md become loads from xdp_buff",
		BPF_PROG_TYPE_XDP,
		"r2 = *(u32 *)(r1 +0)\n"
		"r3 = *(u32 *)(r1 +4)\n"
		"r0 = *(u32 *)(r1 +12)\n"
		"exit",
		"(79) r2 = *(u64 *)(r1 +0)\n"
		"(79) r3 = *(u64 *)(r1 +8)\n"
		"(79) r0 = *(u64 *)(r1 +32)\n"
		"(61) r0 = *(u32 *)(r0 +0)\n"
		"(95) exit\n",
	},
	{
		"a jump over a longer access goes further",
		BPF_PROG_TYPE_XDP,
		"r0 = *(u32 *)(r1 +12)\n"
		"if r0 == 1 goto end\n"
		"r0 = *(u32 *)(r1 +16)\n"
		"end:\n"
		"exit",
		"(79) r0 = *(u64 *)(r1 +32)\n"
		"(61) r0 = *(u32 *)(r0 +0)\n"
		"(15) if r0 == 0x1 goto pc+2\n"
		"(79) r0 = *(u64 *)(r1 +32)\n"
		"(61) r0 = *(u32 *)(r0 +4)\n"
		"(95) exit\n",
	},
	{
		"a branch never taken goes with what it led to",
		BPF_PROG_TYPE_XDP,
		"r0 = 1\n"
		"if r0 == 2 goto dead\n"
		"r0 = 3\n"
		"exit\n"
		"dead:\n"
		"r0 = 4\n"
		"exit",
		"(b7) r0 = 1\n"
		"(b7) r0 = 3\n"
		"(95) exit\n",
	},
	{
		"a branch always taken needs no condition, and no jump to what follows",
		BPF_PROG_TYPE_XDP,
		"r0 = 1\n"
		"if r0 == 1 goto end\n"
		"r0 = 3\n"
		"end:\n"
		"exit",
		"(b7) r0 = 1\n"
		"(95) exit\n",
	},
	{
		"jumps to the next instruction go, also when they come to be that",
		BPF_PROG_TYPE_XDP,
		"r0 = *(u32 *)(r1 +12)\n"
		"if r0 == 1 goto a\n"
		"goto b\n"
		"a:\n"
		"goto b\n"
		"b:\n"
		"goto c\n"
		"c:\n"
		"r0 = 2\n"
		"exit",
		"(79) r0 = *(u64 *)(r1 +32)\n"
		"(61) r0 = *(u32 *)(r0 +0)\n"
		"(15) if r0 == 0x1 goto pc+0\n"
		"(b7) r0 = 2\n"
		"(95) exit\n",
	},
	{
		"calls follow their function, and one never called goes",
		BPF_PROG_TYPE_XDP,
		"r6 = *(u32 *)(r1 +12)\n"
		"r1 = 1\n"
		"if r1 == 1 goto over\n"
		"call local dead\n"
		"over:\n"
		"call local live\n"
		"exit\n"
		"dead:\n"
		"r0 = 1\n"
		"exit\n"
		"live:\n"
		"r0 = 2\n"
		"exit",
		"(79) r6 = *(u64 *)(r1 +32)\n"
		"(61) r6 = *(u32 *)(r6 +0)\n"
		"(b7) r1 = 1\n"
		"(85) call pc+1\n"
		"(95) exit\n"
		"(b7) r0 = 2\n"
		"(95) exit\n",
	},
	{
		"a part of a field is cut out of it",
		BPF_PROG_TYPE_SOCKET_FILTER,
		"r2 = *(u8 *)(r1 +9)\n"
		"r0 = *(u16 *)(r1 +8)\n"
		"exit",
		"(61) r2 = *(u32 *)(r1 +88)\n"
		"(74) w2 >>= 8\n"
		"(54) w2 &= 255\n"
		"(61) r0 = *(u32 *)(r1 +88)\n"
		"(54) w0 &= 65535\n"
		"(95) exit\n",
	},
};

static void programs_are_rewritten(void **state)
{
	struct fixture *f = *state;

	for (u32 i = 0; i < ARRAY_SIZE(rewritings); i++) {
		const struct rewriting *row = &rewritings[i];
		struct buf out = BUF_INIT;

		f->params.type = prog_types[row->type];
		if (verify(f, row->in))
			fail_msg("%s: %s", row->name, f->verdict.msg);
		for (u32 n = 0; n < f->result.code.insn_cnt; n++) {
			isa_disasm(&out, &f->result.code.insns[n], NULL);
			buf_str(&out, "\n");
		}
		if (strcmp(buf_text(&out), row->out))
			fail_msg("%s:\n%s", row->name, buf_text(&out));
		buf_done(&out);
	}
}

static void references_become_addresses(void **state)
{
	struct fixture *f = *state;
	u64 addr;

	assert_int_equal(verify(f, "lddw map_fd %r1, 1\nr0 = 0\nexit"), 0);
	assert_int_equal(isa_imm64(f->result.code.insns), (uintptr_t)f->maps[MAP_ARRAY]);
	assert_int_equal(f->result.code.insns[0].src_reg, BPF_PSEUDO_MAP_FD);

	forget(f);
	f->insns = mem_zalloc(4 * sizeof(*f->insns));
	f->insns[0] = (struct bpf_insn){
		BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_VALUE, 0, MAP_GLOBAL};
	f->insns[1].imm = 24;
	f->insns[2] = (struct bpf_insn){BPF_ALU64 | BPF_MOV | BPF_K};
	f->insns[3] = (struct bpf_insn){BPF_JMP | BPF_EXIT};
	f->params.insns = f->insns;
	f->params.insn_cnt = 4;
	assert_int_equal(vf_verify(&f->params, &f->result, &f->verdict), 0);
	assert_int_equal(f->maps[MAP_GLOBAL]->ops->value_addr(f->maps[MAP_GLOBAL], 24, &addr), 0);
	assert_int_equal(isa_imm64(f->result.code.insns), addr);
}

static void functions_know_where_they_start_and_how_much_stack_they_need(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(verify(f, "r0 = *(u32 *)(r1 +12)\n"
				   "*(u8 *)(r10 -1) = 1\n"
				   "call local fn\n"
				   "exit\n"
				   "fn:\n"
				   "*(u64 *)(r10 -40) = 1\n"
				   "r0 = 1\n"
				   "exit"),
		0);
	assert_int_equal(f->result.code.sub_cnt, 2);
	assert_int_equal(f->result.code.subs[0].start, 0);
	assert_int_equal(f->result.code.subs[0].stack_depth, 8);
	assert_int_equal(f->result.code.subs[1].start, 5);
	assert_int_equal(f->result.code.subs[1].stack_depth, 40);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(programs_are_rewritten),
		TEST(references_become_addresses),
		TEST(functions_know_where_they_start_and_how_much_stack_they_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
