/*
 * bpf(2) beside the running kernel: loading, binding and running programs, and links.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf_attr.h"

/* --- programs ---------------------------------------------------------------------------------- */

void section_prog_load(void)
{
	union sys_attr good = prog_attr(), attr;
	static char long_license[4096];

	memset(long_license, 'x', sizeof(long_license) - 1);
#define WITH(field, value)                                                                         \
	(attr = good, attr.prog_load.field = (value),                                              \
		tryf(BPF_PROG_LOAD, &attr, #field " = " #value))
	WITH(insn_cnt, 0);
	WITH(insn_cnt, 1);
	WITH(insn_cnt, 1000001);
	WITH(insn_cnt, 0xffffffff);
	WITH(insns, 0);
	WITH(insns, 8);
	WITH(license, 0);
	WITH(license, 8);
	WITH(license, (uintptr_t) "");
	WITH(license, (uintptr_t)long_license);
	WITH(kern_version, 0x10203);
	WITH(expected_attach_type, 1);
	WITH(expected_attach_type, BPF_XDP_DEVMAP);
	WITH(prog_ifindex, 9999);
	WITH(prog_btf_fd, closed_fd);
	WITH(prog_btf_fd, eng->map);
	WITH(func_info_rec_size, 8);
	WITH(func_info, 8);
	WITH(line_info_rec_size, 8);
	WITH(attach_btf_id, 1);
	WITH(attach_prog_fd, closed_fd);
	WITH(attach_prog_fd, other_fd);
	WITH(attach_prog_fd, eng->prog);
	WITH(attach_prog_fd, eng->map);
	WITH(attach_prog_fd, eng->btf);
	WITH(fd_array, 8);
	WITH(core_relos, 8);
	WITH(core_relo_rec_size, 1);
	WITH(log_true_size, 77);
	WITH(prog_token_fd, 1);
	WITH(fd_array_cnt, 1);
	WITH(fd_array_cnt, 0xffffffff);
	WITH(keyring_id, 1);
#undef WITH
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.prog_load.prog_flags = 1u << bit;
		attr.prog_load.prog_token_fd = 0;
		if (1u << bit == BPF_F_TOKEN_FD)
			attr.prog_load.prog_token_fd = closed_fd;
		if (1u << bit == BPF_F_SLEEPABLE || 1u << bit == BPF_F_XDP_DEV_BOUND_ONLY)
			continue; /* the verifier's, and of programs bound to devices */
		tryf(BPF_PROG_LOAD, &attr, "flags 1 << %u", bit);
	}
	for (u32 t = 33; t < 40; t++) {
		attr = good;
		attr.prog_load.prog_type = t;
		tryf(BPF_PROG_LOAD, &attr, "type %u", t);
	}
}

void section_fd_array(void)
{
	int fds[] = {eng->map, eng->btf, eng->map};
	union sys_attr attr = prog_attr();

	attr.prog_load.fd_array = (uintptr_t)fds;
	attr.prog_load.fd_array_cnt = 3;
	try("map, btf, map", BPF_PROG_LOAD, &attr);
	attr.prog_load.fd_array_cnt = 1;
	for (int i = 0; i < 4; i++) {
		fds[0] = i == 0 ? eng->prog : i == 1 ? other_fd : i == 2 ? closed_fd : -1;
		tryf(BPF_PROG_LOAD, &attr, "bad fd %d", i);
	}
	attr.prog_load.fd_array = 0;
	try("cnt without array", BPF_PROG_LOAD, &attr);
}

void section_func_info(void)
{
	struct {
		u32 insn_off, type_id, more[62];
	} func[2] = {{0, 3}};
	struct {
		u32 off, file, text, col, more[60];
	} lines[4] = {{0, 1, 1, 1 << 10}};
	union sys_attr good = prog_attr(), attr;

	good.prog_load.prog_btf_fd = eng->btf;
	good.prog_load.func_info = (uintptr_t)func;
	good.prog_load.line_info = (uintptr_t)lines;
	good.prog_load.func_info_cnt = 1;
	good.prog_load.func_info_rec_size = 8;
	for (u32 size = 0; size < 300; size++) {
		if (size > 40 && size < 240)
			continue;
		attr = good;
		attr.prog_load.func_info_rec_size = size;
		tryf(BPF_PROG_LOAD, &attr, "func rec size %u", size);
		attr.prog_load.func_info_cnt = 0;
		attr.prog_load.line_info_cnt = 1;
		attr.prog_load.line_info_rec_size = size;
		tryf(BPF_PROG_LOAD, &attr, "line rec size %u alone", size);
		attr.prog_load.func_info_cnt = 1;
		attr.prog_load.func_info_rec_size = 8;
		tryf(BPF_PROG_LOAD, &attr, "line rec size %u", size);
	}
	func[0].more[3] = 1;
	for (u32 size = 8; size < 40; size += 4) {
		attr = good;
		attr.prog_load.func_info_rec_size = size;
		line("func tail size %u = %s", size, result_text(call(BPF_PROG_LOAD, &attr, 168)));
		line("func tail size %u gives %u", size, attr.prog_load.func_info_rec_size);
	}
	func[0].more[3] = 0;
	attr = good;
	attr.prog_load.func_info = 8;
	try("func info bad", BPF_PROG_LOAD, &attr);
	attr = good;
	attr.prog_load.func_info_cnt = 2;
	try("two funcs", BPF_PROG_LOAD, &attr);
	attr.prog_load.func_info_cnt = 0x7fffffff;
	try("many funcs", BPF_PROG_LOAD, &attr);
	attr = good;
	try_fds(BPF_PROG_LOAD, &attr, &attr.prog_load.prog_btf_fd, "prog_btf_fd");
	for (u32 id = 0; id < 6; id++) {
		func[0].type_id = id;
		tryf(BPF_PROG_LOAD, &good, "func type %u", id);
	}
}

static void try_log(int cmd, u32 level, u32 size, bool has_buf, bool good)
{
	static char text[PAGE];
	union sys_attr prog = prog_attr(), btf = btf_attr();
	static const struct bpf_insn no_exit[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}};
	struct btf_header bad_btf = btf_raw_bytes.head;
	long ret;

	memset(text, 1, sizeof(text));
	bad_btf.version = 2;
	if (!good) {
		prog.prog_load.insns = (uintptr_t)no_exit;
		prog.prog_load.insn_cnt = 1;
		btf.btf_load.btf = (uintptr_t)&bad_btf;
		btf.btf_load.btf_size = sizeof(bad_btf);
	}
	prog.prog_load.log_level = btf.btf_load.btf_log_level = level;
	prog.prog_load.log_size = btf.btf_load.btf_log_size = size;
	prog.prog_load.log_buf = btf.btf_load.btf_log_buf = has_buf ? (uintptr_t)text : 0;
	ret = call(cmd, cmd == BPF_PROG_LOAD ? &prog : &btf, SYS_ATTR_SIZE);
	line("cmd %d level %u size %u buf %d good %d = %s", cmd, level, size, has_buf, good,
		result_text(ret));
	line("... true size %u", cmd == BPF_PROG_LOAD ? prog.prog_load.log_true_size
						      : btf.btf_load.btf_log_true_size);
	text[PAGE - 1] = 0;
	/* a byte 1 is not the log's: it was there before */
	text[strcspn(text, "\1")] = 0;
	for (char *end; (end = strchr(text, '\n'));)
		*end = '|';
	line("... text '%s'", text);
}

void section_log(void)
{
	static const u32 levels[] = {0, 1, 2, 3, 8, 9, 10, 16, 0x80000000};
	static const u32 sizes[] = {0, 1, 2, 20, 128, 1000, 1u << 30};

	for (size_t l = 0; l < ARRAY_SIZE(levels); l++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			for (int mode = 0; mode < 8; mode++) {
				if (sizes[s] > PAGE && mode & 1)
					continue;
				try_log(mode & 4 ? BPF_PROG_LOAD : BPF_BTF_LOAD, levels[l],
					sizes[s], mode & 1, mode & 2);
			}
}

void section_log_memory(void)
{
	union sys_attr attr = prog_attr();

	attr.prog_load.log_level = 2;
	attr.prog_load.log_size = 4096;
	attr.prog_load.log_buf = 8;
	line("bad log buffer = %s", result_text(call(BPF_PROG_LOAD, &attr, 168)));
	line("... true size %d", attr.prog_load.log_true_size > 0);
	attr = prog_attr();
	attr.prog_load.log_true_size = 7;
	attr.prog_load.log_level = 2;
	/* an attr that ends before the field keeps it */
	line("short attr = %s",
		result_text(call(BPF_PROG_LOAD, &attr, SYS_END_OF(prog_load, core_relo_rec_size))));
	line("... true size %u", attr.prog_load.log_true_size);
}

void section_bind(void)
{
	union sys_attr attr = {0};

	attr.uapi.prog_bind_map.prog_fd = eng->prog2;
	attr.uapi.prog_bind_map.map_fd = eng->map;
	try("good", BPF_PROG_BIND_MAP, &attr);
	try("again", BPF_PROG_BIND_MAP, &attr);
	try_fds(BPF_PROG_BIND_MAP, &attr, &attr.uapi.prog_bind_map.prog_fd, "prog_fd");
	try_fds(BPF_PROG_BIND_MAP, &attr, &attr.uapi.prog_bind_map.map_fd, "map_fd");
	attr.uapi.prog_bind_map.flags = 1;
	try("flags", BPF_PROG_BIND_MAP, &attr);
}

void section_test_run(void)
{
	static const u32 sizes[] = {0, 1, 13, 14, 15, 60, 1500, 3000, 3520};
	static u8 data[8192], out[8192];
	/* a frame in one piece: skep has no fragments, and says so */
	u32 whole_frame[6] = {0, 64};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		union sys_attr attr = {0};
		long ret;

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = sizes[i];
		attr.uapi.test.data_out = (uintptr_t)out;
		attr.uapi.test.data_size_out = 64;
		attr.uapi.test.duration = 0;
		ret = call(BPF_PROG_TEST_RUN, &attr, 168);
		line("data %u = %s retval %u out %u", sizes[i], result_text(ret),
			attr.uapi.test.retval, attr.uapi.test.data_size_out);
	}
	for (int i = 0; i < 16; i++) {
		union sys_attr attr = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		attr.uapi.test.ctx_in = i & 1 ? (uintptr_t)whole_frame : 0;
		attr.uapi.test.ctx_size_in = i & 2 ? 24 : 0;
		attr.uapi.test.ctx_out = i & 4 ? (uintptr_t)out : 0;
		attr.uapi.test.ctx_size_out = i & 8 ? 24 : 0;
		/* a context that only comes out goes in as zeros: a frame all in fragments */
		if (i != 12)
			tryf(BPF_PROG_TEST_RUN, &attr, "ctx combination %d", i);
	}
	for (u32 bit = 0; bit < 8; bit++) {
		union sys_attr attr = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		if (bit == 1)
			continue; /* live frames */
		attr.uapi.test.flags = 1u << bit;
		tryf(BPF_PROG_TEST_RUN, &attr, "flags 1 << %u", bit);
		attr.uapi.test.flags = 0;
		attr.uapi.test.cpu = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "cpu");
		attr.uapi.test.cpu = 0;
		attr.uapi.test.batch_size = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "batch");
	}
	for (u32 size = 8; size < 40; size++) {
		union sys_attr attr = {0};
		u8 ctx[64] = {0};

		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		*(u32 *)(ctx + 4) = 64; /* data_end */
		attr.uapi.test.ctx_in = (uintptr_t)ctx;
		attr.uapi.test.ctx_size_in = size;
		tryf(BPF_PROG_TEST_RUN, &attr, "ctx size %u", size);
		ctx[30] = 1;
		tryf(BPF_PROG_TEST_RUN, &attr, "ctx size %u, byte 30 set", size);
	}
	{
		union sys_attr attr = {0};

		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_size_in = 64;
		try_fds(BPF_PROG_TEST_RUN, &attr, &attr.uapi.test.prog_fd, "prog_fd");
		attr.uapi.test.prog_fd = eng->prog;
		attr.uapi.test.data_in = 8;
		try("bad data_in", BPF_PROG_TEST_RUN, &attr);
		attr.uapi.test.data_in = (uintptr_t)data;
		attr.uapi.test.data_out = 8;
		attr.uapi.test.data_size_out = 64;
		try("bad data_out", BPF_PROG_TEST_RUN, &attr);
	}
}

/* --- links ------------------------------------------------------------------------------------- */

void section_link_create(void)
{
	union sys_attr good = {0}, attr;

	close(eng->link);
	good.link_create.prog_fd = eng->prog;
	good.link_create.target = eng->link_ifindex;
	good.link_create.attach_type = BPF_XDP;
	good.link_create.flags = 2;
	try("good", BPF_LINK_CREATE, &good);
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.link_create.flags = 1u << bit;
		if (bit != 0 && bit != 2) /* native mode is the interface's matter */
			tryf(BPF_LINK_CREATE, &attr, "flags 1 << %u", bit);
	}
	attr = good;
	attr.link_create.target = 99999;
	try("no such interface", BPF_LINK_CREATE, &attr);
	attr.link_create.target = 0;
	try("interface 0", BPF_LINK_CREATE, &attr);
	for (u32 type = 0; type < 60; type++) {
		attr = good;
		attr.link_create.attach_type = type;
		if (type != BPF_XDP && type != BPF_STRUCT_OPS)
			tryf(BPF_LINK_CREATE, &attr, "attach type %u", type);
	}
	eng->link = make_link();
	try("second", BPF_LINK_CREATE, &good);
	attr = good;
	try_fds(BPF_LINK_CREATE, &attr, &attr.link_create.prog_fd, "prog_fd");
}

void section_link_update(void)
{
	union sys_attr good = {0}, attr;

	good.uapi.link_update.link_fd = eng->link;
	good.uapi.link_update.new_prog_fd = eng->prog2;
	try("update", BPF_LINK_UPDATE, &good);
	attr = good;
	attr.uapi.link_update.flags = BPF_F_REPLACE;
	attr.uapi.link_update.old_prog_fd = eng->prog;
	try("replace the wrong one", BPF_LINK_UPDATE, &attr);
	attr.uapi.link_update.new_prog_fd = eng->prog;
	attr.uapi.link_update.old_prog_fd = eng->prog2;
	try("replace", BPF_LINK_UPDATE, &attr);
	attr.uapi.link_update.flags = 0;
	try("old without flag", BPF_LINK_UPDATE, &attr);
	for (u32 bit = 0; bit < 32; bit++) {
		attr = good;
		attr.uapi.link_update.flags = 1u << bit;
		tryf(BPF_LINK_UPDATE, &attr, "flags 1 << %u", bit);
	}
	attr = good;
	try_fds(BPF_LINK_UPDATE, &attr, &attr.uapi.link_update.new_prog_fd, "new_prog_fd");
	attr.uapi.link_update.flags = BPF_F_REPLACE;
	try_fds(BPF_LINK_UPDATE, &attr, &attr.uapi.link_update.old_prog_fd, "old_prog_fd");
}

static void show_link(const char *what)
{
	u32 info[16] = {0};
	union sys_attr ask = {0};

	ask.uapi.info.bpf_fd = eng->link;
	ask.uapi.info.info_len = sizeof(info);
	ask.uapi.info.info = (uintptr_t)info;
	line("%s = %s", what, result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
	line("... type %u id %d prog %d ifindex %d", info[0], !!info[1], !!info[2],
		info[4] ? info[4] == eng->link_ifindex : -1);
}

void section_link_detach(void)
{
	union sys_attr attr = {0};

	show_link("attached");
	attr.uapi.link_detach.link_fd = closed_fd;
	try("closed", BPF_LINK_DETACH, &attr);
	attr.uapi.link_detach.link_fd = eng->prog;
	try("a program", BPF_LINK_DETACH, &attr);
	attr.uapi.link_detach.link_fd = eng->link;
	try("good", BPF_LINK_DETACH, &attr);
	try("again", BPF_LINK_DETACH, &attr);
	show_link("detached");
	attr = (union sys_attr){0};
	attr.uapi.link_update.link_fd = eng->link;
	attr.uapi.link_update.new_prog_fd = eng->prog2;
	try("update a detached link", BPF_LINK_UPDATE, &attr);
}
