/*
 * OBJ_GET_INFO_BY_FD: the numbers of an object, and for programs the arrays behind them. An array is
 * copied as far as the caller has room; its count is always the true one.
 *
 * What stands in the caller's structure on entry are his pointers and rooms; what stands there afterwards
 * are the counts. A structure longer than 6.18's must be zero there.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "core/btf.h"
#include "core/link.h"
#include "core/map.h"
#include "core/prog.h"
#include "sys/call.h"
#include "vm/tag.h"

union prog_info {
	struct bpf_prog_info info;
	u8 bytes[SYS_PROG_INFO_SIZE];
};

struct map_info {
	u32 type, id, key_size, value_size, max_entries, map_flags;
	char name[BPF_OBJ_NAME_LEN];
	u32 ifindex, btf_vmlinux_value_type_id;
	u64 netns_dev, netns_ino;
	u32 btf_id, btf_key_type_id, btf_value_type_id, btf_vmlinux_id;
	u64 map_extra;
	u64 hash;
	u32 hash_size, pad;
};
_Static_assert(sizeof(struct map_info) == SYS_MAP_INFO_SIZE, "the layout is Linux's");

union link_info {
	struct bpf_link_info info;
	u8 bytes[SYS_LINK_INFO_SIZE];
};

/* The caller's structure: `known` bytes up to the last field, `size` with padding. ret_len is how much of
 * it there is. */
static int read_info(struct sys_call *call, void *ret_info, u32 known, u32 size, u32 *ret_len)
{
	u32 given = call->attr.uapi.info.info_len;
	u64 addr = call->attr.uapi.info.info;
	int err = sys_uarg_tail_check(call->user, addr, known, given);

	if (err)
		return err;
	*ret_len = MIN(given, size);
	return sys_user_read(call->user, addr, ret_info, *ret_len);
}

static int write_info(struct sys_call *call, const void *info, u32 len)
{
	int err = sys_user_write(call->user, call->attr.uapi.info.info, info, len);

	return err ? err : SYS_PUT(call, uapi, info.info_len, len);
}

/* --- programs ---------------------------------------------------------------------------------- */

/* min(cnt, *inout_cnt) items to the caller's array; *inout_cnt becomes cnt. */
static int put_array(struct sys_call *call, u64 addr, u32 *inout_cnt, const void *items, u32 cnt,
	size_t item_len)
{
	u32 room = MIN(*inout_cnt, cnt);

	*inout_cnt = cnt;
	return sys_user_write(call->user, addr, items, room * item_len);
}

static int put_map_ids(struct sys_call *call, struct prog *prog, struct bpf_prog_info *info)
{
	u32 cnt, *ids;
	int err;

	/* PROG_BIND_MAP may add maps at any time, under the lock. */
	pthread_mutex_lock(&call->inst->lock);
	cnt = prog->map_cnt;
	ids = mem_array(cnt, sizeof(*ids));
	for (u32 i = 0; ids && i < cnt; i++)
		ids[i] = prog->maps[i]->obj.id;
	pthread_mutex_unlock(&call->inst->lock);
	if (!ids)
		return -ENOMEM;
	err = put_array(call, info->map_ids, &info->nr_map_ids, ids, cnt, sizeof(*ids));
	mem_free(ids);
	return err;
}

/* Zero sizes are filled in when the counts are zero too; anything else must be ours. */
static int check_rec_sizes(struct bpf_prog_info *info)
{
	if ((info->nr_func_info || info->func_info_rec_size) &&
		info->func_info_rec_size != sizeof(struct bpf_func_info))
		return -EINVAL;
	if ((info->nr_line_info || info->line_info_rec_size) &&
		info->line_info_rec_size != sizeof(struct bpf_line_info))
		return -EINVAL;
	if ((info->nr_jited_line_info || info->jited_line_info_rec_size) &&
		info->jited_line_info_rec_size != sizeof(u64))
		return -EINVAL;
	info->func_info_rec_size = sizeof(struct bpf_func_info);
	info->line_info_rec_size = sizeof(struct bpf_line_info);
	info->jited_line_info_rec_size = sizeof(u64);
	return 0;
}

static u64 imm64_of(const struct bpf_insn *insn)
{
	return (u64)(u32)insn[1].imm << 32 | (u32)insn[0].imm;
}

/* Addresses of maps and values go back to what a reader can use: the map's id and the offset. */
static void hide_address(const struct prog *prog, struct bpf_insn *insn)
{
	u64 addr = imm64_of(insn), base;

	for (u32 i = 0; i < prog->map_cnt; i++) {
		const struct map *map = prog->maps[i];

		if (insn->src_reg == BPF_PSEUDO_MAP_FD && addr == (uintptr_t)map) {
			insn[0].imm = map->obj.id;
			insn[1].imm = 0;
			return;
		}
		if (insn->src_reg != BPF_PSEUDO_MAP_VALUE || !map->ops->value_addr ||
			map->ops->value_addr(map, 0, &base))
			continue;
		if (addr - base < map->value_size) {
			insn[0].imm = map->obj.id;
			insn[1].imm = addr - base;
			return;
		}
	}
}

/* Linux shows accesses of an arena as they came, but for those that extend a sign and the atomic ones. */
static u8 as_loaded(u8 code)
{
	const u8 class = BPF_CLASS(code);

	if (BPF_MODE(code) != BPF_PROBE_MEM32 ||
		(class != BPF_LDX && class != BPF_ST && class != BPF_STX))
		return code;
	return class | BPF_SIZE(code) | BPF_MEM;
}

static int put_xlated(struct sys_call *call, const struct prog *prog, struct bpf_prog_info *info)
{
	u32 cnt = prog->code.insn_cnt, len = cnt * sizeof(struct bpf_insn);
	struct bpf_insn *insns;
	int err;

	if (!info->xlated_prog_len) {
		info->xlated_prog_len = len;
		return 0;
	}
	insns = mem_dup(prog->code.insns, len);
	if (!insns)
		return -ENOMEM;
	pthread_mutex_lock(&call->inst->lock);
	for (u32 i = 0; i < cnt; i++) {
		insns[i].code = as_loaded(insns[i].code);
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		hide_address(prog, &insns[i]);
		i++;
	}
	pthread_mutex_unlock(&call->inst->lock);
	err = put_array(
		call, info->xlated_prog_insns, &info->xlated_prog_len, insns, len, sizeof(u8));
	mem_free(insns);
	return err;
}

/* Where function idx ends: at the next function's start, wherever in the image that is. */
static u32 func_len(const struct prog *prog, u32 idx)
{
	const struct prog_image *image = &prog->image;
	u32 start = image->sub_off[idx], end = image->len;

	for (u32 i = 0; i < prog->code.sub_cnt; i++)
		if (image->sub_off[i] > start && image->sub_off[i] < end)
			end = image->sub_off[i];
	return end - start;
}

static int put_funcs(struct sys_call *call, const struct prog *prog, struct bpf_prog_info *info)
{
	const struct prog_image *image = &prog->image;
	u32 cnt = prog->code.sub_cnt, *lens = mem_array(cnt, sizeof(*lens));
	u64 *addrs = mem_array(cnt, sizeof(*addrs));
	int err = lens && addrs ? 0 : -ENOMEM;

	for (u32 i = 0; !err && image->entry && i < cnt; i++) {
		addrs[i] = (uintptr_t)image->code + image->sub_off[i];
		lens[i] = func_len(prog, i);
	}
	if (!err)
		err = put_array(
			call, info->jited_ksyms, &info->nr_jited_ksyms, addrs, cnt, sizeof(*addrs));
	if (!err)
		err = put_array(call, info->jited_func_lens, &info->nr_jited_func_lens, lens, cnt,
			sizeof(*lens));
	mem_free(lens);
	mem_free(addrs);
	return err;
}

/*
 * The functions one after the other, as the lengths of put_funcs say; what the engine has around them
 * (its entry from C) belongs to none and is left out.
 */
static int put_jited(struct sys_call *call, const struct prog *prog, struct bpf_prog_info *info)
{
	const struct prog_image *image = &prog->image;
	u32 len = 0, cnt = image->entry ? prog->code.sub_cnt : 0;
	u8 *code = mem_alloc(image->entry ? image->len : 0);
	int err;

	if (!code)
		return -ENOMEM;
	for (u32 i = 0; i < cnt; i++) {
		u32 part = func_len(prog, i);

		memcpy(code + len, (const u8 *)image->code + image->sub_off[i], part);
		len += part;
	}
	err = put_array(call, info->jited_prog_insns, &info->jited_prog_len, code, len, sizeof(u8));
	mem_free(code);
	return err;
}

/* Where a line's code starts; that of a function's first line is the function's, prologue and all. */
static u64 line_addr(const struct prog *prog, const struct bpf_line_info *line)
{
	const struct prog_image *image = &prog->image;
	u32 off = image->insn_off[line->insn_off];

	for (u32 i = 0; i < prog->code.sub_cnt; i++)
		if (prog->code.subs[i].start == line->insn_off)
			off = image->sub_off[i];
	return (uintptr_t)image->code + off;
}

static int put_lines(struct sys_call *call, const struct prog *prog, struct bpf_prog_info *info)
{
	const struct prog_image *image = &prog->image;
	u32 cnt = image->entry ? prog->line_info_cnt : 0;
	u64 *addrs;
	int err;

	err = put_array(call, info->func_info, &info->nr_func_info, prog->func_info,
		prog->func_info_cnt, sizeof(*prog->func_info));
	if (!err)
		err = put_array(call, info->line_info, &info->nr_line_info, prog->line_info,
			prog->line_info_cnt, sizeof(*prog->line_info));
	if (err)
		return err;
	addrs = mem_array(cnt, sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	for (u32 i = 0; i < cnt; i++)
		addrs[i] = line_addr(prog, &prog->line_info[i]);
	err = put_array(
		call, info->jited_line_info, &info->nr_jited_line_info, addrs, cnt, sizeof(*addrs));
	mem_free(addrs);
	return err;
}

/* Each function's own tag; a program of one function has the program's. */
static int put_tags(struct sys_call *call, const struct prog *prog, struct bpf_prog_info *info)
{
	u32 cnt = prog->code.sub_cnt;
	u8(*tags)[PROG_TAG_LEN] = mem_array(cnt, PROG_TAG_LEN);
	int err = tags ? 0 : -ENOMEM;

	for (u32 i = 0; !err && i < cnt; i++) {
		u32 start = prog->code.subs[i].start;
		u32 end = i + 1 < cnt ? prog->code.subs[i + 1].start : prog->code.insn_cnt;

		if (cnt == 1)
			memcpy(tags[i], prog->tag, PROG_TAG_LEN);
		else
			err = vm_tag(prog->code.insns + start, end - start, tags[i]);
	}
	if (!err)
		err = put_array(
			call, info->prog_tags, &info->nr_prog_tags, tags, cnt, PROG_TAG_LEN);
	mem_free(tags);
	return err;
}

static int fill_prog(struct sys_call *call, struct prog *prog, struct bpf_prog_info *info)
{
	int err;

	info->type = prog->type->type;
	info->id = prog->obj.id;
	info->load_time = prog->load_time_ns;
	info->created_by_uid = prog->uid;
	info->gpl_compatible = prog->is_gpl;
	memcpy(info->tag, prog->tag, sizeof(info->tag));
	memcpy(info->name, prog->name, sizeof(info->name));
	err = put_map_ids(call, prog, info);
	if (!err)
		err = check_rec_sizes(info);
	if (err)
		return err;
	info->run_time_ns = __atomic_load_n(&prog->stats.run_time_ns, __ATOMIC_RELAXED);
	info->run_cnt = __atomic_load_n(&prog->stats.run_cnt, __ATOMIC_RELAXED);
	info->recursion_misses = __atomic_load_n(&prog->stats.recursion_misses, __ATOMIC_RELAXED);
	info->verified_insns = prog->stats.verified_insns;
	info->btf_id = prog->btf ? prog->btf->id : 0;
	info->attach_btf_id = prog->attach_btf_id;
	info->attach_btf_obj_id = 0;
	return 0;
}

static int prog_info(struct sys_call *call, struct prog *prog)
{
	union prog_info u = {0};
	u32 len;
	int err = read_info(call, &u, SYS_PROG_INFO_END, SYS_PROG_INFO_SIZE, &len);

	if (!err)
		err = fill_prog(call, prog, &u.info);
	if (!err)
		err = put_xlated(call, prog, &u.info);
	if (!err)
		err = put_jited(call, prog, &u.info);
	if (!err)
		err = put_funcs(call, prog, &u.info);
	if (!err)
		err = put_lines(call, prog, &u.info);
	if (!err)
		err = put_tags(call, prog, &u.info);
	return err ? err : write_info(call, &u, len);
}

/* --- the others -------------------------------------------------------------------------------- */

static int map_info(struct sys_call *call, const struct map *map)
{
	struct map_info info = {0};
	u64 hash;
	u32 hash_size, len;
	int err = read_info(call, &info, SYS_MAP_INFO_END, SYS_MAP_INFO_SIZE, &len);

	if (err)
		return err;
	hash = info.hash;
	hash_size = info.hash_size;
	info = (struct map_info){
		.type = map->type->type,
		.id = map->obj.id,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.map_flags = map->flags,
		.map_extra = map->extra,
		.btf_id = map->btf ? map->btf->id : 0,
		.btf_key_type_id = map->btf_key_type_id,
		.btf_value_type_id = map->btf_value_type_id,
		.hash = hash,
		.hash_size = hash_size,
	};
	memcpy(info.name, map->name, sizeof(info.name));
	if (hash || hash_size) /* digests of contents are not available */
		return -EINVAL;
	return write_info(call, &info, len);
}

/* The caller's room for the name takes it whole, or cut with -ENOSPC. */
static int put_btf_name(struct sys_call *call, const char *name, struct bpf_btf_info *info)
{
	u32 room = info->name_len, len = strlen(name);
	int err;

	if (!info->name != !room)
		return -EINVAL;
	info->name_len = len;
	if (!room)
		return 0;
	if (room > len)
		return sys_user_write(call->user, info->name, name, len + 1);
	err = sys_user_write(call->user, info->name, name, room - 1);
	if (!err)
		err = sys_user_write(call->user, info->name + room - 1, "", 1);
	return err ? err : -ENOSPC;
}

static int btf_info(struct sys_call *call, const struct core_btf *btf)
{
	struct bpf_btf_info info = {0};
	const void *raw;
	u32 raw_len, len;
	int err = read_info(call, &info, sizeof(info), sizeof(info), &len), name_err;

	if (err)
		return err;
	raw = btf_raw(btf->btf, &raw_len);
	info.id = btf->obj.id;
	info.kernel_btf = 0;
	err = put_array(call, info.btf, &info.btf_size, raw, raw_len, sizeof(u8));
	if (err)
		return err;
	name_err = put_btf_name(call, btf->name, &info);
	if (name_err && name_err != -ENOSPC)
		return name_err;
	err = write_info(call, &info, len);
	return err ? err : name_err;
}

static int link_info(struct sys_call *call, const struct link *link)
{
	struct sys *sys = sys_of(call->inst);
	union link_info u = {0};
	u32 len;
	int err = read_info(call, &u, SYS_LINK_INFO_SIZE, SYS_LINK_INFO_SIZE, &len);

	if (err)
		return err;
	u.info.type = link->type;
	u.info.id = link->obj.id;
	pthread_mutex_lock(&sys->links);
	u.info.prog_id = link->prog->obj.id;
	pthread_mutex_unlock(&sys->links);
	link->ops->fill_info(link, &u.info);
	return write_info(call, &u, len);
}

long sys_obj_info(struct sys_call *call)
{
	struct obj *obj;
	int err = sys_call_obj(call, call->attr.uapi.info.bpf_fd, OBJ_KIND_CNT, &obj);

	if (err)
		return err == -EBADF ? -EBADFD : err;
	switch (obj->kind) {
	case OBJ_PROG: err = prog_info(call, container_of(obj, struct prog, obj)); break;
	case OBJ_MAP: err = map_info(call, container_of(obj, struct map, obj)); break;
	case OBJ_BTF: err = btf_info(call, container_of(obj, struct core_btf, obj)); break;
	default: err = link_info(call, container_of(obj, struct link, obj)); break;
	}
	obj_put(obj);
	return err;
}
