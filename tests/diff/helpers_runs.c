/*
 * Frames and packets: BPF_PROG_TEST_RUN of programs that read every field of their context, call random helpers and
 * read the fields again, with random frames, contexts and room for output. errno, retval, packet and context must
 * agree. Our side of a program is the list of its steps, run on the helpers and the field rows directly.
 * A difference is shrunk to the steps that it needs.
 */
#include "core/skb.h"
#include "core/xdp.h"
#include "helpers_diff.h"
#include "progs/progs.h"

enum {
	STEPS_MAX = 6,
	BYTES = 32, /* on the stack, for load_bytes and store_bytes */
	FRAME_MAX = 3600,
	STEPS_ALL = 80,
	ARGS = 5,
};

/*
 * A helper and what its arguments are drawn from:
 *   c context   b the bytes on the stack   l their length   o offset   d distance
 *   n small number   w number   f flags   p protocol   k bytes of a checksum's field
 */
struct recipe {
	u32 id;
	const char *args;
};

static const struct recipe xdp_recipes[] = {
	{BPF_FUNC_xdp_adjust_head, "cd"},
	{BPF_FUNC_xdp_adjust_tail, "cd"},
	{BPF_FUNC_xdp_adjust_meta, "cm"},
	{BPF_FUNC_xdp_get_buff_len, "c"},
	{BPF_FUNC_xdp_load_bytes, "cobl"},
	{BPF_FUNC_xdp_store_bytes, "cobl"},
	{BPF_FUNC_check_mtu, "c0rdf"},
	{BPF_FUNC_redirect, "nf"},
};

static const struct recipe filter_recipes[] = {
	{BPF_FUNC_skb_load_bytes, "cobl"},
	{BPF_FUNC_skb_load_bytes_relative, "cobln"},
};

static const struct recipe tc_recipes[] = {
	{BPF_FUNC_skb_load_bytes, "cobl"},
	{BPF_FUNC_skb_load_bytes_relative, "cobln"},
	{BPF_FUNC_skb_store_bytes, "coblf"},
	{BPF_FUNC_skb_pull_data, "co"},
	{BPF_FUNC_l3_csum_replace, "coxxk"},
	{BPF_FUNC_l4_csum_replace, "coxxk"},
	{BPF_FUNC_csum_update, "cw"},
	{BPF_FUNC_csum_level, "cn"},
	{BPF_FUNC_skb_vlan_push, "cpw"},
	{BPF_FUNC_skb_vlan_pop, "c"},
	{BPF_FUNC_skb_change_proto, "cpz"},
	{BPF_FUNC_skb_change_type, "cn"},
	{BPF_FUNC_skb_change_tail, "coz"},
	{BPF_FUNC_skb_change_head, "chz"},
	{BPF_FUNC_skb_adjust_room, "cdna"},
	{BPF_FUNC_set_hash, "cw"},
	{BPF_FUNC_set_hash_invalid, "c"},
	{BPF_FUNC_skb_set_tstamp, "cnn"},
	{BPF_FUNC_skb_ecn_set_ce, "c"},
	{BPF_FUNC_redirect, "nf"},
	{BPF_FUNC_redirect_peer, "nz"},
	{BPF_FUNC_redirect_neigh, "nbln"},
	{BPF_FUNC_skb_get_tunnel_key, "cblf"},
	{BPF_FUNC_skb_get_tunnel_opt, "cbl"},
	{BPF_FUNC_skb_get_xfrm_state, "cnblf"},
	{BPF_FUNC_get_route_realm, "c"},
	{BPF_FUNC_get_cgroup_classid, "c"},
	{BPF_FUNC_check_mtu, "c0rdf"},
};

/* Of the above, what every type with light-weight tunnels has. */
static const struct recipe lwt_recipes[] = {
	{BPF_FUNC_skb_load_bytes, "cobl"},
	{BPF_FUNC_skb_store_bytes, "coblf"},
	{BPF_FUNC_skb_pull_data, "co"},
	{BPF_FUNC_l3_csum_replace, "coxxk"},
	{BPF_FUNC_l4_csum_replace, "coxxk"},
	{BPF_FUNC_csum_update, "cw"},
	{BPF_FUNC_csum_level, "cn"},
	{BPF_FUNC_skb_change_tail, "coz"},
	{BPF_FUNC_skb_change_head, "chz"},
	{BPF_FUNC_set_hash_invalid, "c"},
};

static const struct recipe cgroup_recipes[] = {
	{BPF_FUNC_skb_load_bytes, "cobl"},
	{BPF_FUNC_skb_load_bytes_relative, "cobln"},
	{BPF_FUNC_skb_ecn_set_ce, "c"},
};

#define SUBJECT(word, rows)                                                                        \
	{                                                                                          \
		&prog_type_##word, rows, ARRAY_SIZE(rows)                                          \
	}

/* Program types and what their programs call. */
static const struct subject {
	const struct prog_type *type;
	const struct recipe *recipes;
	u32 recipe_cnt;
} subjects[] = {
	SUBJECT(xdp, xdp_recipes),
	SUBJECT(socket_filter, filter_recipes),
	SUBJECT(sched_cls, tc_recipes),
	SUBJECT(sched_cls, tc_recipes),
	SUBJECT(sched_act, tc_recipes),
	SUBJECT(lwt_xmit, lwt_recipes),
	SUBJECT(cgroup_skb, cgroup_recipes),
};

/* A step of a program; its result goes into the program's. */
struct step {
	u32 id;	   /* a helper; or 0: */
	s32 field; /* the row of a context field to read */
	const char *kinds;
	u64 args[ARGS];
};

struct steps {
	const struct prog_type *type;
	struct step step[STEPS_ALL];
	u32 cnt;
};

/* Bytes to read of a field: of one that is more than a number, the first four. */
static u32 field_width(const struct ctx_field *field)
{
	return field->size == 8 ? 8 : 4;
}

/* R7 = R7 * 31 + R0 */
static void emit_mix(struct code *code)
{
	emit(code, BPF_ALU64 | BPF_MUL | BPF_K, 7, 0, 0, 31);
	emit(code, BPF_ALU64 | BPF_ADD | BPF_X, 7, 0, 0, 0);
}

static void emit_step(struct code *code, const struct steps *steps, const struct step *step)
{
	const struct ctx_field *field = &steps->type->fields[step->field];

	if (!step->id) {
		emit(code, BPF_LDX | BPF_MEM | (field_width(field) == 8 ? BPF_DW : BPF_W), 0, 6,
			(s16)field->off, 0);
		emit_mix(code);
		return;
	}
	for (u8 i = 0; step->kinds[i]; i++) {
		emit_imm64(code, i + 1, 0, (u32)step->args[i], (u32)(step->args[i] >> 32));
		if (step->kinds[i] == 'c')
			emit(code, BPF_ALU64 | BPF_MOV | BPF_X, i + 1, 6, 0, 0);
		if (strchr("br", step->kinds[i])) {
			emit(code, BPF_ALU64 | BPF_MOV | BPF_X, i + 1, 10, 0, 0);
			emit(code, BPF_ALU64 | BPF_ADD | BPF_K, i + 1, 0, 0, -BYTES);
		}
	}
	emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, (s32)step->id);
	emit_mix(code);
	emit(code, BPF_LDX | BPF_MEM | BPF_DW, 0, 10, -BYTES, 0);
	emit_mix(code);
}

static int load_steps(const struct steps *steps)
{
	struct code code = {0};

	emit(&code, BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	emit(&code, BPF_ALU64 | BPF_MOV | BPF_K, 7, 0, 0, 0);
	for (s16 off = 0; off < BYTES; off += 8)
		emit(&code, BPF_ST | BPF_MEM | BPF_DW, 10, 0, (s16)(off - BYTES), 0x1234567);
	for (u32 i = 0; i < steps->cnt; i++)
		emit_step(&code, steps, &steps->step[i]);
	emit(&code, BPF_ALU64 | BPF_MOV | BPF_X, 0, 7, 0, 0);
	if (!steps->type->ret_any)
		emit(&code, BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 1);
	emit(&code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return load(&code, steps->type->type);
}

/* Follows a field's path, as the rewritten program does. */
static u64 read_field(const struct ctx_field *field, const void *ctx)
{
	u64 value = (uintptr_t)ctx;

	for (u32 i = 0; i < field->step_cnt; i++) {
		const u8 *at = (const u8 *)(uintptr_t)value + field->step[i].off;

		value = 0;
		memcpy(&value, at,
			i + 1 < field->step_cnt ? field->step[i].size
						: MIN(field->step[i].size, field_width(field)));
	}
	return value;
}

static const struct steps *current;

u64 exec_steps(struct prog *prog, void *ctx, struct run *run)
{
	u64 bytes[BYTES / 8], result = 0;

	for (u32 i = 0; i < BYTES / 8; i++)
		bytes[i] = 0x1234567;
	for (u32 i = 0; i < current->cnt; i++) {
		const struct step *step = &current->step[i];
		u64 args[ARGS] = {0};

		if (!step->id) {
			result = result * 31 + read_field(&current->type->fields[step->field], ctx);
			continue;
		}
		for (u32 a = 0; step->kinds[a]; a++)
			args[a] = step->kinds[a] == 'c'		 ? (uintptr_t)ctx
				  : strchr("br", step->kinds[a]) ? (uintptr_t)bytes
								 : step->args[a];
		result = result * 31 + hlp_call(step->id, args, run);
		result = result * 31 + bytes[0];
	}
	return current->type->ret_any ? result : result & 1;
}

static s32 random_move(void)
{
	static const s32 edges[] = {0, 4, -4, 14, -14, -216, -215, -217, -256, 252, 256, 320,
		0x7fffffff, -0x7fffffff - 1, 1 << 20};

	return one_in(3) ? edges[rnd(ARRAY_SIZE(edges))]
			 : (one_in(2) ? (s32)rnd(80) - 40 : (s32)rnd(600) - 300);
}

static u64 random_flags(void)
{
	return one_in(2) ? 0 : one_in(2) ? 1ULL << rnd(10) : rnd(64);
}

static u64 random_arg(char kind)
{
	static const u16 protocols[] = {0x0008, 0xdd86, 0x0081, 0xa888, 0x0608};
	static const u16 rooms[] = {
		0, 1, 2, 4, 8, 16, 32, 0x40, 2 | 8, 2 | 16, 4 | 16, 6, 24, 0x80, 0x100, 0x180};

	switch (kind) {
	case 'l': return 1 + rnd(BYTES);
	case 'o': return one_in(6) ? (u64)(s64)random_move() : rnd(120);
	case 'h': return one_in(10) ? rnd(17000) : rnd(300); /* more stops Linux with a BUG */
	case 'd': return (u64)(s64)random_move();
	case 'm': return (u64)(s64)(one_in(4) ? random_move() : -4 * (s32)rnd(70));
	case 'n': return rnd(5);
	case 'w': return one_in(2) ? rnd(5000) : rnd64();
	case 'f': return random_flags();
	case 'p': return one_in(8) ? rnd(65536) : protocols[rnd(ARRAY_SIZE(protocols))];
	case 'x': return one_in(3) ? 0 : one_in(2) ? rnd(65536) : (u32)rnd64();
	case 'z': return one_in(20);
	case 'k': return one_in(8) ? rnd(512) : 2 * rnd(3) + (one_in(2) ? 16 : 0) + 32 * one_in(4);
	case 'a': return one_in(8) ? random_flags() : rooms[rnd(ARRAY_SIZE(rooms))];
	default: return 0;
	}
}

static void random_step(struct step *step, const struct subject *subject)
{
	const struct recipe *recipe = &subject->recipes[rnd(subject->recipe_cnt)];

	*step = (struct step){.id = recipe->id, .kinds = recipe->args};
	for (u32 i = 0; recipe->args[i]; i++)
		step->args[i] = random_arg(recipe->args[i]);
}

static void read_fields(struct steps *steps)
{
	const struct prog_type *type = steps->type;

	for (u32 i = 0; i < type->field_cnt; i++) {
		if (type->fields[i].reg == CTX_SCALAR && type->fields[i].size == 4 &&
			!type->fields[i].attach_types)
			steps->step[steps->cnt++].field = (s32)i;
	}
}

/* Linux 6.18 stops with a BUG in skb_checksum when a test run asks for complete checksums and the packet ends
 * before its network header begins: such runs are left out. */
static bool may_check_sum(const struct steps *steps)
{
	for (u32 i = 0; i < steps->cnt; i++) {
		if (steps->step[i].id && hlp_table[steps->step[i].id]->changes_pkt &&
			steps->step[i].id != BPF_FUNC_skb_store_bytes &&
			steps->step[i].id != BPF_FUNC_l3_csum_replace &&
			steps->step[i].id != BPF_FUNC_l4_csum_replace &&
			steps->step[i].id != BPF_FUNC_skb_pull_data)
			return false;
	}
	return true;
}

static void make_steps(struct steps *steps, const struct subject *subject)
{
	*steps = (struct steps){.type = subject->type};
	read_fields(steps);
	for (u32 i = 1 + rnd(STEPS_MAX); i; i--)
		random_step(&steps->step[steps->cnt++], subject);
	read_fields(steps);
}

struct input {
	u8 data[FRAME_MAX + 64];
	union {
		struct xdp_md md;
		struct __sk_buff skb;
		u8 bytes[256];
	} ctx;
	u32 data_len, ctx_len, data_cap, ctx_cap, repeat, flags;
};

static void random_md(struct input *in)
{
	struct xdp_md *md = &in->ctx.md;

	md->data_end = in->data_len;
	md->data = one_in(3) ? rnd(300) : 4 * rnd(16);
	if (one_in(6))
		md->data_end += rnd(3);
	if (one_in(10))
		md->ingress_ifindex = one_in(2) ? 1 : 99999999;
	if (one_in(10))
		md->rx_queue_index = rnd(2);
	if (one_in(20))
		md->egress_ifindex = 1;
	if (one_in(20))
		md->data_meta = 4;
}

static void random_skb(struct input *in)
{
	struct __sk_buff *skb = &in->ctx.skb;

	skb->mark = rnd(9);
	skb->priority = rnd(9);
	skb->ingress_ifindex = rnd(4);
	skb->cb[rnd(5)] = (u32)rnd64();
	skb->tstamp = rnd(5);
	skb->gso_size = rnd(70000);
	skb->gso_segs = one_in(8) ? 65535 + rnd(3) : rnd(9);
	skb->wire_len = one_in(3) ? rnd(70000) : 0;
	if (one_in(8))
		in->ctx.bytes[rnd(sizeof(*skb))] ^= 1;
	if (one_in(20))
		skb->ifindex = one_in(2) ? 99999999 : rnd(2);
}

static void make_input(struct input *in, u32 type)
{
	static const u16 protocols[] = {0x0800, 0x86dd, 0x0806, 0x0026, 0x05ff, 0x0600, 0xffff};
	u16 proto = protocols[rnd(ARRAY_SIZE(protocols))];

	memset(in, 0, sizeof(*in));
	in->data_len = one_in(4) ? rnd(FRAME_MAX) : one_in(4) ? rnd(60) : 60 + rnd(60);
	for (u32 i = 0; i < in->data_len; i++)
		in->data[i] = (u8)rnd64();
	if (one_in(3))
		memset(in->data, (int)(one_in(2) * 255), 6);
	in->data[12] = (u8)(proto >> 8);
	in->data[13] = (u8)proto;
	if (one_in(6))
		in->data[14] = in->data[15] = 0xff;
	in->data_cap = one_in(3) ? 1 + rnd(200) : FRAME_MAX + 600;
	in->repeat = one_in(16) ? 2 + rnd(3) : rnd(2); /* changing the program costs Linux time */
	if (one_in(20))
		in->flags = 1U << rnd(6);
	if (one_in(2)) {
		in->ctx_len = type == BPF_PROG_TYPE_XDP ? sizeof(struct xdp_md)
							: sizeof(struct __sk_buff);
		if (type == BPF_PROG_TYPE_XDP)
			random_md(in);
		else
			random_skb(in);
		if (one_in(10)) {
			in->ctx.bytes[in->ctx_len] = (u8)rnd(2);
			in->ctx_len = in->ctx_len + 1;
		}
		if (one_in(10))
			in->ctx_len -= rnd(8);
	}
	if (one_in(2))
		in->ctx_cap = one_in(4) ? 1 + rnd(200) : 256;
}

struct output {
	long err;
	u32 retval, data_len, ctx_len;
	u8 data[4800], ctx[256];
};

static void kernel_run(const struct steps *steps, const struct input *in, struct output *out)
{
	union bpf_attr attr = {0};
	int fd = load_steps(steps);

	if (fd < 0) {
		printf("the kernel does not load the program: %d\n%s\n", fd, log_text);
		exit(1);
	}
	attr.test.prog_fd = (u32)fd;
	attr.test.data_in = (uintptr_t)in->data;
	attr.test.data_size_in = in->data_len;
	attr.test.data_out = (uintptr_t)out->data;
	attr.test.data_size_out = in->data_cap;
	attr.test.ctx_in = in->ctx_len ? (uintptr_t)&in->ctx : 0;
	attr.test.ctx_size_in = in->ctx_len;
	attr.test.ctx_out = in->ctx_cap ? (uintptr_t)out->ctx : 0;
	attr.test.ctx_size_out = in->ctx_cap;
	attr.test.repeat = in->repeat;
	attr.test.flags = in->flags;
	out->err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	if (!out->err || out->err == -ENOSPC) {
		out->retval = attr.test.retval;
		out->data_len = attr.test.data_size_out;
		out->ctx_len = in->ctx_cap ? attr.test.ctx_size_out : 0;
	}
	close(fd);
}

static void our_run(
	struct skep *inst, const struct steps *steps, const struct input *in, struct output *out)
{
	struct prog prog = {.type = steps->type, .obj.inst = inst};
	struct prog_test_run io = {
		.data_in = in->data,
		.data_in_len = in->data_len,
		.ctx_in = in->ctx_len ? &in->ctx : NULL,
		.ctx_in_len = in->ctx_len,
		.data_out = out->data,
		.data_out_cap = in->data_cap,
		.ctx_out = in->ctx_cap ? out->ctx : NULL,
		.ctx_out_cap = in->ctx_cap,
		.ret_ctx_out_len = in->ctx_cap, /* what the caller's attribute holds before */
		.repeat = in->repeat,
		.flags = in->flags,
	};

	current = steps;
	inst->runs[0].prog = &prog;
	out->err = steps->type->test_run(&prog, &inst->runs[0], &io);
	if (!out->err || out->err == -ENOSPC) {
		out->retval = io.ret_retval;
		out->data_len = io.ret_data_out_len;
		out->ctx_len = io.ret_ctx_out_len;
	}
}

static void show_run(const struct steps *steps, const struct input *in, const struct output *ours,
	const struct output *kernels)
{
	printf("%s: data %u ctx %u out %u, %u repeat %u flags %u\n", steps->type->name,
		in->data_len, in->ctx_len, in->data_cap, in->ctx_cap, in->repeat, in->flags);
	for (u32 i = 0; i < 48; i++)
		printf("%02x%s", in->ctx.bytes[i], i % 4 == 3 ? " " : "");
	printf("\n");
	for (u32 i = 0; i < steps->cnt; i++)
		if (steps->step[i].id)
			printf("  %s(%s) %#llx %#llx %#llx %#llx\n",
				hlp_table[steps->step[i].id]->name, steps->step[i].kinds,
				(unsigned long long)steps->step[i].args[1],
				(unsigned long long)steps->step[i].args[2],
				(unsigned long long)steps->step[i].args[3],
				(unsigned long long)steps->step[i].args[4]);
	printf("skep   %ld retval %#x data %u ctx %u\nkernel %ld retval %#x data %u ctx %u\n",
		ours->err, ours->retval, ours->data_len, ours->ctx_len, kernels->err,
		kernels->retval, kernels->data_len, kernels->ctx_len);
}

static struct output ours, kernels;

static bool runs_differ(struct skep *inst, const struct steps *steps, const struct input *in)
{

	memset(&ours, 0xee, sizeof(ours));
	memset(&kernels, 0xee, sizeof(kernels));
	our_run(inst, steps, in, &ours);
	kernel_run(steps, in, &kernels);
	return memcmp(&ours, &kernels, sizeof(ours)) != 0;
}

/* The steps that the difference needs. */
static void show_least_steps(struct skep *inst, struct steps *steps, const struct input *in)
{
	struct steps less;

	for (u32 i = 0; i < steps->cnt;) {
		less = *steps;
		less.cnt--;
		memmove(&less.step[i], &less.step[i + 1], (less.cnt - i) * sizeof(*less.step));
		if (runs_differ(inst, &less, in))
			*steps = less;
		else
			i++;
	}
	printf("least:");
	for (u32 i = 0; i < steps->cnt; i++)
		printf(" %s", steps->step[i].id ? hlp_table[steps->step[i].id]->name
						: steps->type->fields[steps->step[i].field].name);
	(void)runs_differ(inst, steps, in);
	/* of one step: what it returned, R0 = (R7 - bytes) / 31 modulo 2^32 */
	printf("\n  skep %#x (%d), kernel %#x (%d)\n", ours.retval,
		(s32)((ours.retval - 0x1234567) * 0xbdef7bdf), kernels.retval,
		(s32)((kernels.retval - 0x1234567) * 0xbdef7bdf));
}

static void compare_run(struct skep *inst, const struct subject *subject)
{
	struct steps steps;
	struct input in;

	make_steps(&steps, subject);
	make_input(&in, subject->type->type);
	if (!may_check_sum(&steps))
		in.flags &= ~4U;
	memset(&ours, 0xee, sizeof(ours));
	memset(&kernels, 0xee, sizeof(kernels));
	our_run(inst, &steps, &in, &ours);
	if (ours.err == -EOPNOTSUPP) {
		refused_cnt++;
		return;
	}
	kernel_run(&steps, &in, &kernels);
	if (memcmp(&ours, &kernels, sizeof(ours))) {
		show_run(&steps, &in, &ours, &kernels);
		show_least_steps(inst, &steps, &in);
		exit(1);
	}
	done_cnt++;
}

void compare_runs(struct skep *inst)
{
	for (u32 i = 0; i < ARRAY_SIZE(subjects); i++)
		compare_run(inst, &subjects[i]);
}
