/*
 * PROG_LOAD and PROG_BIND_MAP: everything about a program that is not the verifier's - what the caller's
 * attr may say, copies of what it points at, and the log.
 *
 * The order of the checks is Linux's: flags, sizes, what it attaches to, instructions, licence, type,
 * name, then the log's attributes, and from there on complaints go to the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "btf/btf.h"
#include "btf/core_relo.h"
#include "btf/info.h"
#include "core/btf.h"
#include "core/kbtf.h"
#include "core/map.h"
#include "sys/call.h"
#include "sys/log.h"
#include "sys/token.h"
#include "vm/vm.h"

enum {
	LICENSE_MAX = 128, /* bytes with the NUL; the rest is cut, as in Linux */
	FLAGS_KNOWN = BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_RND_HI32 |
		      BPF_F_TEST_STATE_FREQ | BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS |
		      BPF_F_XDP_DEV_BOUND_ONLY | BPF_F_TEST_REG_INVARIANTS | BPF_F_TOKEN_FD,
};

/* A load in progress; everything in it is freed by load_done. */
struct load {
	struct sys_call *call;
	const struct sys_attr_prog_load *attr;
	struct vm_load want;
	struct sys_log log;
	struct bpf_insn *insns;
	struct obj *btf;
	struct bpf_func_info *func_info;
	struct bpf_line_info *line_info;
	struct bpf_core_relo *core_relos;
	struct map **bound; /* from fd_array, counted */
	u32 bound_cnt;
};

static void load_done(struct load *load)
{
	for (u32 i = 0; i < load->bound_cnt; i++)
		obj_put(&load->bound[i]->obj);
	mem_free(load->bound);
	mem_free(load->insns);
	mem_free(load->func_info);
	mem_free(load->line_info);
	mem_free(load->core_relos);
	obj_put(load->btf);
	sys_log_done(&load->log);
}

__attribute__((format(printf, 2, 3))) static void say(struct load *load, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int len;

	if (!load->log.level)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sys_log_write(&load->log, text, MIN((size_t)len, sizeof(text) - 1));
}

/* --- before the log ---------------------------------------------------------------------------- */

/* A type that is not here is refused later, as Linux would refuse a number that it does not know. */
static int check_attach_type(struct load *load)
{
	const struct skep *inst = load->call->inst;
	u32 type = load->attr->prog_type, attach = load->attr->expected_attach_type;
	const struct prog_type *known = type < inst->prog_type_cnt ? inst->prog_types[type] : NULL;

	if (!known || known->attach_types == ~0ULL)
		return 0;
	return attach < ISA_ATTACH_TYPE_CNT && known->attach_types & 1ULL << attach ? 0 : -EINVAL;
}

/* Types whose programs stand for something in the kernel, or in another program. */
static bool has_target(u32 type)
{
	return type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_LSM ||
	       type == BPF_PROG_TYPE_STRUCT_OPS || type == BPF_PROG_TYPE_EXT;
}

/* What attach_btf_id is a type of: the kernel's BTF, unless a descriptor says otherwise. The BTF of
 * modules and targets in other programs are not available. */
static int find_attach_btf(struct load *load)
{
	struct sys_call *call = load->call;
	struct obj *obj;
	int err;

	if (load->attr->attach_prog_fd) {
		err = sys_call_obj(call, load->attr->attach_prog_fd, OBJ_BTF, &obj);
		if (err)
			return -EINVAL;
		obj_put(obj);
		return -SYS_ENOTSUPP;
	}
	if (!load->attr->attach_btf_id)
		return 0;
	err = core_kbtf_get(call->inst, &load->want.attach_btf);
	if (err && err != -ENOMEM) {
		sink_emit(&call->inst->sink, SINK_WARN,
			"BPF_PROG_LOAD: the kernel's types, which attach_btf_id speaks of, cannot "
			"be "
			"read from %s: name a file that has them (--btf FILE)",
			core_kbtf_path(call->inst));
		return -EINVAL;
	}
	return err;
}

static int check_attach(struct load *load)
{
	u32 btf_id = load->attr->attach_btf_id;
	int err = find_attach_btf(load);

	if (err)
		return err;
	if (btf_id >= BTF_MAX_TYPE || (btf_id && !has_target(load->attr->prog_type)))
		return -EINVAL;
	load->want.attach_btf_id = btf_id;
	return check_attach_type(load);
}

static int check_type(struct load *load)
{
	struct skep *inst = load->call->inst;
	u32 type = load->attr->prog_type;

	if (type < inst->prog_type_cnt && inst->prog_types[type])
		return 0;
	if (type && type < ISA_PROG_TYPE_CNT)
		sink_emit(&inst->sink, SINK_WARN,
			"BPF_PROG_LOAD: programs of type %u are not available in this engine",
			type);
	return -EINVAL;
}

static int refuse_extras(struct load *load)
{
	struct sink *sink = &load->call->inst->sink;

	if (load->attr->prog_ifindex) {
		sink_emit(sink, SINK_WARN,
			"BPF_PROG_LOAD: prog_ifindex %u: programs bound to a device are not "
			"available",
			load->attr->prog_ifindex);
		return -EINVAL;
	}
	if (load->attr->signature) {
		sink_emit(sink, SINK_WARN,
			"BPF_PROG_LOAD: signature: signed programs are not available");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int read_license(struct load *load)
{
	char license[LICENSE_MAX];
	int ret = sys_user_str(
		load->call->user, load->attr->license, license, sizeof(license), true);

	if (ret < 0)
		return -EFAULT;
	load->want.is_gpl = prog_license_is_gpl(license);
	return 0;
}

static int read_insns(struct load *load)
{
	size_t len = (size_t)load->attr->insn_cnt * sizeof(*load->insns);
	int err = sys_user_dup(load->call->user, load->attr->insns, len, (void **)&load->insns);

	if (err)
		return err;
	load->want.insns = load->insns;
	load->want.insn_cnt = load->attr->insn_cnt;
	return 0;
}

static int check_before_log(struct load *load)
{
	const struct sys_attr_prog_load *attr = load->attr;
	int err;

	if (attr->prog_flags & ~FLAGS_KNOWN)
		return -EINVAL;
	if (attr->prog_flags & BPF_F_TOKEN_FD) {
		err = sys_token_check(load->call, attr->prog_token_fd);
		if (err)
			return err;
	}
	if (!attr->insn_cnt || attr->insn_cnt > PROG_INSN_MAX)
		return -E2BIG;
	err = check_attach(load);
	if (!err)
		err = read_insns(load);
	if (!err)
		err = read_license(load);
	if (!err)
		err = refuse_extras(load);
	if (!err)
		err = check_type(load);
	if (!err)
		err = sys_name_copy(load->want.name, attr->prog_name);
	return err;
}

/* --- with the log ------------------------------------------------------------------------------ */

/* cnt records of rec_size bytes become records of known bytes; what is longer must be zero there, else
 * the caller is told the size we know. -E2BIG, -EFAULT, -ENOMEM. */
static int read_recs(struct load *load, u64 addr, const struct btf_recs *recs, const char *what,
	u32 known, size_t size_off, void **ret_recs)
{
	u8 *raw, *out;
	int err = sys_user_dup(
		load->call->user, addr, (size_t)recs->cnt * recs->rec_size, (void **)&raw);

	if (err)
		return err;
	out = mem_array(recs->cnt, known);
	if (!out)
		err = -ENOMEM;
	for (u32 i = 0; i < recs->cnt && !err; i++) {
		const u8 *rec = raw + (size_t)i * recs->rec_size;

		for (u32 at = known; at < recs->rec_size; at++)
			err = rec[at] ? -E2BIG : err;
		memcpy(out + (size_t)i * known, rec, known);
	}
	mem_free(raw);
	if (!err) {
		*ret_recs = out;
		return 0;
	}
	mem_free(out);
	if (err == -E2BIG) {
		say(load, "nonzero tailing record in %s", what);
		if (sys_put(load->call, size_off, &known, sizeof(known)))
			err = -EFAULT;
	}
	return err;
}

static int read_func_info(struct load *load)
{
	const struct sys_attr_prog_load *attr = load->attr;
	struct btf_recs recs = {.cnt = attr->func_info_cnt, .rec_size = attr->func_info_rec_size};
	struct buf text = BUF_INIT;
	int err;

	if (!recs.cnt)
		return 0;
	err = btf_func_info_size_check(&recs, &text);
	say(load, "%s", buf_text(&text));
	buf_done(&text);
	if (err)
		return err;
	if ((u64)recs.cnt * sizeof(*load->func_info) > INT_MAX)
		return -ENOMEM;
	/* One record a function, and a function has an instruction. */
	if (recs.cnt > attr->insn_cnt) {
		say(load, "number of funcs in func_info doesn't match number of subprogs\n");
		return -EINVAL;
	}
	err = read_recs(load, attr->func_info, &recs, "func_info", sizeof(*load->func_info),
		offsetof(union sys_attr, prog_load.func_info_rec_size), (void **)&load->func_info);
	load->want.func_info = load->func_info;
	load->want.func_info_cnt = recs.cnt;
	return err;
}

static int read_line_info(struct load *load)
{
	const struct sys_attr_prog_load *attr = load->attr;
	struct btf_recs recs = {.cnt = attr->line_info_cnt, .rec_size = attr->line_info_rec_size};
	struct buf text = BUF_INIT;
	int err;

	if (!recs.cnt)
		return 0;
	err = btf_line_info_size_check(&recs, &text);
	say(load, "%s", buf_text(&text));
	buf_done(&text);
	if (err)
		return err;
	/* Offsets rise and lie inside the program. */
	if (recs.cnt > attr->insn_cnt)
		return -EINVAL;
	err = read_recs(load, attr->line_info, &recs, "line_info", sizeof(*load->line_info),
		offsetof(union sys_attr, prog_load.line_info_rec_size), (void **)&load->line_info);
	load->want.line_info = load->line_info;
	load->want.line_info_cnt = recs.cnt;
	return err;
}

/* They are looked at only with func_info or line_info. */
static int read_core_relos(struct load *load)
{
	const struct sys_attr_prog_load *attr = load->attr;
	struct btf_recs recs = {.cnt = attr->core_relo_cnt, .rec_size = attr->core_relo_rec_size};
	int err;

	if (!recs.cnt)
		return 0;
	if (recs.cnt > INT_MAX / sizeof(*load->core_relos) || recs.rec_size < BTF_CORE_RELO_MIN ||
		recs.rec_size > BTF_CORE_RELO_MAX || recs.rec_size % sizeof(u32))
		return -EINVAL;
	err = read_recs(load, attr->core_relos, &recs, "core_relo", sizeof(*load->core_relos),
		offsetof(union sys_attr, prog_load.core_relo_rec_size), (void **)&load->core_relos);
	load->want.core_relos = load->core_relos;
	load->want.core_relo_cnt = recs.cnt;
	return err;
}

/* Without records the BTF is not looked at, not even its descriptor. */
static int read_btf_info(struct load *load)
{
	int err;

	if (!load->attr->func_info_cnt && !load->attr->line_info_cnt)
		return 0;
	err = sys_call_obj(load->call, load->attr->prog_btf_fd, OBJ_BTF, &load->btf);
	if (err)
		return err;
	load->want.btf = container_of(load->btf, struct core_btf, obj);
	err = read_func_info(load);
	if (!err)
		err = read_line_info(load);
	return err ? err : read_core_relos(load);
}

static int read_array_fd(struct load *load, u32 idx, int *ret_fd)
{
	return sys_user_read(load->call->user, load->attr->fd_array + (u64)idx * sizeof(int),
		ret_fd, sizeof(*ret_fd));
}

static int bind_array_fd(struct load *load, int fd)
{
	struct sys_call *call = load->call;
	struct obj *obj;
	int err = sys_call_obj(call, fd, OBJ_MAP, &obj);

	if (!err) {
		struct map *map = container_of(obj, struct map, obj);

		for (u32 i = 0; i < load->bound_cnt; i++) {
			if (load->bound[i] == map) {
				obj_put(obj);
				return 0;
			}
		}
		if (load->bound_cnt == PROG_MAP_MAX) {
			obj_put(obj);
			say(load,
				"The total number of maps per program has reached the limit of "
				"%u\n",
				PROG_MAP_MAX);
			return -E2BIG;
		}
		load->bound[load->bound_cnt++] = map;
		return 0;
	}
	if (sys_call_obj(call, fd, OBJ_BTF, &obj)) {
		say(load, "fd %d is not pointing to valid bpf_map or btf\n", fd);
		return err;
	}
	obj_put(obj);
	return 0;
}

/* With fd_array_cnt all of the array belongs to the program, used or not. */
static int read_fd_array(struct load *load)
{
	u32 cnt = load->attr->fd_array_cnt;
	int fd, err = 0;

	if (!cnt)
		return 0;
	if (cnt >= UINT32_MAX / sizeof(int)) {
		say(load, "fd_array_cnt is too big (%u)\n", cnt);
		return -EINVAL;
	}
	load->bound = mem_array(PROG_MAP_MAX, sizeof(struct map *));
	if (!load->bound)
		return -ENOMEM;
	for (u32 i = 0; i < cnt && !err; i++) {
		err = read_array_fd(load, i, &fd);
		if (!err)
			err = bind_array_fd(load, fd);
	}
	return err;
}

/* For the verifier: the map of a ld_imm64. */
static int get_map(void *arg, int fd, bool is_idx, struct map **ret_map)
{
	struct load *load = arg;
	struct obj *obj;
	int err;

	if (is_idx) {
		if (!load->attr->fd_array) {
			say(load, "fd_idx without fd_array is invalid\n");
			return -EPROTO;
		}
		err = read_array_fd(load, (u32)fd, &fd);
		if (err)
			return err;
	}
	err = sys_call_obj(load->call, fd, OBJ_MAP, &obj);
	if (err)
		return err;
	*ret_map = container_of(obj, struct map, obj);
	return 0;
}

static int bind_maps(struct load *load, struct prog *prog)
{
	int err = 0;

	for (u32 i = 0; i < load->bound_cnt && !err; i++)
		err = vm_prog_bind_map(prog, load->bound[i]);
	return err;
}

static int verify(struct load *load, struct prog **ret_prog)
{
	struct prog *prog;
	int err = read_fd_array(load);

	if (!err)
		err = read_btf_info(load);
	if (!err)
		err = vm_prog_load(load->call->inst, &load->want, &prog);
	if (err)
		return err;
	err = bind_maps(load, prog);
	if (err)
		obj_put(&prog->obj);
	else
		*ret_prog = prog;
	return err;
}

/* The log is written whatever became of the program, and can still make the load fail. */
static int finish_log(struct load *load)
{
	struct sys_call *call = load->call;
	u32 true_size;
	int err = sys_log_finish(&load->log, call->user, &true_size);

	if (call->size >= SYS_END_OF(prog_load, log_true_size) &&
		SYS_PUT(call, prog_load, log_true_size, true_size))
		err = -EFAULT;
	return err;
}

static int load_prog(struct load *load, struct prog **ret_prog)
{
	struct vm_load *want = &load->want;
	struct prog *prog = NULL;
	int err, log_err;

	err = check_before_log(load);
	if (err)
		return err;
	err = sys_log_init(
		&load->log, load->attr->log_level, load->attr->log_buf, load->attr->log_size);
	if (err)
		return err;
	want->type = load->attr->prog_type;
	want->expected_attach_type = load->attr->expected_attach_type;
	want->flags = load->attr->prog_flags;
	want->uid = sys_user_uid(load->call->user);
	want->map_get = get_map;
	want->arg = load;
	want->log_level = load->attr->log_level; /* BPF_LOG_FIXED alone: messages, no states */
	want->log = sys_log_write;
	want->log_arg = &load->log;
	err = verify(load, &prog);
	log_err = finish_log(load);
	if (log_err) {
		obj_put(prog ? &prog->obj : NULL);
		return log_err;
	}
	if (!err)
		*ret_prog = prog;
	return err;
}

long sys_prog_load(struct sys_call *call)
{
	struct load load = {.call = call, .attr = &call->attr.prog_load};
	struct prog *prog = NULL;
	int err;

	sys_fd_reap_sometimes(call->inst);
	err = load_prog(&load, &prog);
	load_done(&load);
	if (err)
		return err;
	err = obj_publish(&prog->obj);
	if (!err)
		err = sys_fd_new(call->inst, call->user, &prog->obj, O_RDWR);
	obj_put(&prog->obj);
	return err;
}

long sys_prog_bind_map(struct sys_call *call)
{
	struct obj *prog, *map;
	int err;

	if (call->attr.uapi.prog_bind_map.flags)
		return -EINVAL;
	err = sys_call_obj(call, call->attr.uapi.prog_bind_map.prog_fd, OBJ_PROG, &prog);
	if (err)
		return err;
	err = sys_call_obj(call, call->attr.uapi.prog_bind_map.map_fd, OBJ_MAP, &map);
	if (!err) {
		err = vm_prog_bind_map(
			container_of(prog, struct prog, obj), container_of(map, struct map, obj));
		obj_put(map);
	}
	obj_put(prog);
	return err;
}
