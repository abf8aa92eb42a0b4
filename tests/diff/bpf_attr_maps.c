/*
 * bpf(2) beside the running kernel: maps, their elements and what GET_INFO, ids and pins say of objects.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf_attr.h"

/* --- maps -------------------------------------------------------------------------------------- */

void section_map_create(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(types_tried); i++) {
		union sys_attr good = map_attr(types_tried[i]), attr;
		u32 t = types_tried[i];

#define WITH(field, value)                                                                         \
	(attr = good, attr.map_create.field = (value),                                             \
		tryf(BPF_MAP_CREATE, &attr, "type %u " #field " = " #value, t))
		WITH(key_size, 0);
		WITH(key_size, 3);
		WITH(key_size, 5);
		WITH(key_size, 512);
		WITH(key_size, 513);
		WITH(key_size, 0xffffffff);
		WITH(value_size, 0);
		WITH(value_size, 1);
		WITH(value_size, 0xffffffff);
		WITH(value_size, 1 << 20);
		WITH(max_entries, 0);
		WITH(max_entries, 0xffffffff);
		WITH(numa_node, 0);
		WITH(numa_node, 7);
		WITH(map_extra, 1);
		WITH(map_ifindex, 9999);
		WITH(btf_fd, eng->btf);
		WITH(btf_fd, closed_fd);
		WITH(btf_key_type_id, 1);
		WITH(btf_value_type_id, 1);
		WITH(btf_vmlinux_value_type_id, 1);
		WITH(value_type_btf_obj_fd, 1);
		WITH(map_token_fd, 1);
		WITH(excl_prog_hash_size, 32);
		WITH(inner_map_fd, eng->map);
#undef WITH
		for (u32 bit = 0; bit < 32; bit++) {
			attr = good;
			attr.map_create.map_flags ^= 1u << bit;
			/* with a token flag the answer is of the descriptor 0 that is given */
			if (1u << bit == BPF_F_TOKEN_FD)
				attr.map_create.map_token_fd = closed_fd;
			tryf(BPF_MAP_CREATE, &attr, "type %u flags ^ 1 << %u", t, bit);
		}
	}
	for (u32 t = 34; t < 50; t++) {
		union sys_attr attr = map_attr(t);

		tryf(BPF_MAP_CREATE, &attr, "type %u", t);
	}
}

void section_map_btf(void)
{
	union sys_attr good = map_attr(BPF_MAP_TYPE_ARRAY), attr;
	u32 ids[] = {0, 1, 2, 3, 4, 5, 0xffffffff};

	good.map_create.value_size = 4;
	for (size_t k = 0; k < ARRAY_SIZE(ids); k++)
		for (size_t v = 0; v < ARRAY_SIZE(ids); v++) {
			attr = good;
			attr.map_create.btf_fd = eng->btf;
			attr.map_create.btf_key_type_id = ids[k];
			attr.map_create.btf_value_type_id = ids[v];
			tryf(BPF_MAP_CREATE, &attr, "array key id %u value id %u", ids[k], ids[v]);
			attr.map_create.map_type = BPF_MAP_TYPE_HASH;
			tryf(BPF_MAP_CREATE, &attr, "hash key id %u value id %u", ids[k], ids[v]);
		}
	attr = good;
	attr.map_create.btf_key_type_id = attr.map_create.btf_value_type_id = 1;
	try_fds(BPF_MAP_CREATE, &attr, &attr.map_create.btf_fd, "btf_fd");
}

void section_names(void)
{
	static const char *const names[] = {"", "a", "A.b_9", "a b", "a-b", "caf\xc3\xa9", "a/b",
		"123456789012345", "1234567890123456", "\x01", "a\n"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		union sys_attr map = map_attr(BPF_MAP_TYPE_HASH), prog = prog_attr();

		memcpy(map.map_create.map_name, names[i], MIN(strlen(names[i]), 16));
		memcpy(prog.prog_load.prog_name, names[i], MIN(strlen(names[i]), 16));
		tryf(BPF_MAP_CREATE, &map, "map name %zu", i);
		tryf(BPF_PROG_LOAD, &prog, "prog name %zu", i);
	}
}

static void try_elem(
	const char *what, int cmd, int fd, const void *key, const void *value, u64 flags)
{
	union sys_attr attr = {0};

	attr.uapi.map_fd = fd;
	attr.uapi.key = (uintptr_t)key;
	attr.uapi.value = (uintptr_t)value;
	attr.uapi.flags = flags;
	tryf(cmd, &attr, "cmd %d %s", cmd, what);
}

static const int elem_cmds[] = {BPF_MAP_UPDATE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY,
	BPF_MAP_DELETE_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_LOOKUP_AND_DELETE_ELEM};

/* Every element command with every kind of wrong pointer, on a map opened that way. */
static void try_elems(const char *how, int fd)
{
	u32 key = 1;
	u64 value[1024] = {0};
	char what[64];

	for (size_t i = 0; i < ARRAY_SIZE(elem_cmds); i++) {
		int cmd = elem_cmds[i];
		u64 flags = 0;

#define TRY(text, key, value, flags)                                                               \
	(snprintf(what, sizeof(what), "%s: %s", how, text),                                        \
		try_elem(what, cmd, fd, key, value, flags))
		TRY("good", &key, value, flags);
		TRY("key NULL", NULL, value, flags);
		TRY("value NULL", &key, NULL, flags);
		TRY("key bad", (void *)8, value, flags);
		TRY("value bad", &key, (void *)8, flags);
		TRY("both bad", (void *)8, (void *)8, flags);
#undef TRY
	}
}

void section_elems(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(types_tried); i++) {
		static const u32 modes[] = {0, BPF_F_RDONLY, BPF_F_WRONLY};

		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			union sys_attr attr = map_attr(types_tried[i]);
			char how[64];
			int fd;

			attr.map_create.map_flags |= modes[m];
			fd = make(BPF_MAP_CREATE, attr, "map");
			snprintf(how, sizeof(how), "type %u mode %#x", types_tried[i], modes[m]);
			try_elems(how, fd);
			attr = (union sys_attr){.uapi.map_fd = fd};
			tryf(BPF_MAP_FREEZE, &attr, "%s: freeze", how);
			try_elems("frozen", fd);
			tryf(BPF_MAP_FREEZE, &attr, "%s: freeze again", how);
			close(fd);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(elem_cmds); i++) {
		union sys_attr attr = {0};
		u32 key = 1;
		u64 value = 0;

		attr.uapi.key = (uintptr_t)&key;
		attr.uapi.value = (uintptr_t)&value;
		try_fds(elem_cmds[i], &attr, &attr.uapi.map_fd, "map_fd");
	}
}

void section_elem_flags(void)
{
	static const u64 flags[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 1ull << 32, ~0ull};
	u64 value[1024] = {0};
	u32 key = 1;

	for (size_t t = 0; t < ARRAY_SIZE(types_tried); t++) {
		union sys_attr attr = map_attr(types_tried[t]);
		int fd = make(BPF_MAP_CREATE, attr, "map");

		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			char what[64];

			snprintf(what, sizeof(what), "type %u flags %#llx", types_tried[t],
				(unsigned long long)flags[i]);
			for (size_t c = 0; c < ARRAY_SIZE(elem_cmds); c++)
				try_elem(what, elem_cmds[c], fd, &key, value, flags[i]);
		}
		close(fd);
	}
}

/* --- objects ----------------------------------------------------------------------------------- */

static void try_info(const char *what, int fd, u32 len, int dirty)
{
	static u8 info[2 * PAGE];
	union sys_attr attr = {0};
	long ret;

	memset(info, 0, sizeof(info));
	if (dirty >= 0)
		info[dirty] = 1;
	attr.uapi.info.bpf_fd = fd;
	attr.uapi.info.info_len = len;
	attr.uapi.info.info = (uintptr_t)info;
	ret = call(BPF_OBJ_GET_INFO_BY_FD, &attr, SYS_ATTR_SIZE);
	line("%s len %u dirty %d = %s, len %u", what, len, dirty, result_text(ret),
		attr.uapi.info.info_len);
}

void section_info_sizes(void)
{
	const struct {
		const char *what;
		int fd;
	} objs[] = {{"map", eng->map}, {"prog", eng->prog}, {"btf", eng->btf}, {"link", eng->link},
		{"file", other_fd}, {"closed", closed_fd}};

	for (size_t i = 0; i < ARRAY_SIZE(objs); i++) {
		for (u32 len = 0; len < 260; len++)
			try_info(objs[i].what, objs[i].fd, len, -1);
		try_info(objs[i].what, objs[i].fd, 4096, -1);
		try_info(objs[i].what, objs[i].fd, 4097, -1);
		try_info(objs[i].what, objs[i].fd, 0xffffffff, -1);
		/* BTF's structure begins with a pointer: its bytes are tried below */
		for (int dirty = i == 2 ? 32 : 60; dirty < 260; dirty++)
			if (i != 1 || dirty >= 224) /* a program's counts need their pointers */
				try_info(objs[i].what, objs[i].fd, 256, dirty);
	}
}

void section_info_memory(void)
{
	const int fds[] = {eng->map, eng->prog, eng->btf, eng->link};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		union sys_attr attr = {0};

		attr.uapi.info.bpf_fd = fds[i];
		attr.uapi.info.info_len = 80;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info NULL", i);
		attr.uapi.info.info = 8;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info bad", i);
		attr.uapi.info.info_len = 0;
		tryf(BPF_OBJ_GET_INFO_BY_FD, &attr, "object %zu info bad, no length", i);
	}
}

/* The figures that are the same on both: not ids, times, code. */
void section_info_map(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(types_tried); i++) {
		union sys_attr attr = map_attr(types_tried[i]), ask = {0};
		u32 info[26] = {0};
		int fd;

		attr.map_create.value_size = 4;
		if (types_tried[i] == BPF_MAP_TYPE_ARRAY) {
			attr.map_create.btf_fd = eng->btf;
			attr.map_create.btf_key_type_id = 1;
			attr.map_create.btf_value_type_id = 4;
			attr.map_create.map_flags = BPF_F_MMAPABLE | BPF_F_RDONLY_PROG;
		}
		memcpy(attr.map_create.map_name, "name.of_map", 12);
		fd = make(BPF_MAP_CREATE, attr, "map");
		ask.uapi.info.bpf_fd = fd;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)info;
		line("type %u = %s", types_tried[i],
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
		info[1] = !!info[1];   /* id */
		info[16] = !!info[16]; /* btf_id */
		for (size_t w = 0; w < ARRAY_SIZE(info); w++)
			line("type %u word %zu = %#x", types_tried[i], w, info[w]);
		close(fd);
	}
}

void section_info_prog(void)
{
	struct bpf_prog_info info = {0};
	u32 ids[4] = {0};
	union sys_attr ask = {0};
	u8 tags[4][8] = {{0}};

	ask.uapi.info.bpf_fd = eng->prog2;
	ask.uapi.info.info_len = sizeof(info);
	ask.uapi.info.info = (uintptr_t)&info;
	info.nr_map_ids = 4;
	info.map_ids = (uintptr_t)ids;
	info.nr_prog_tags = 4;
	info.prog_tags = (uintptr_t)tags;
	line("prog = %s", result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
	line("type %u maps %u id %d time %d uid %u gpl %u", info.type, info.nr_map_ids, !!ids[0],
		info.load_time > 0, info.created_by_uid, info.gpl_compatible);
	line("xlated %u funcs %u lines %u jited lines %u", info.xlated_prog_len, info.nr_func_info,
		info.nr_line_info, info.nr_jited_line_info);
	line("ksyms %u lens %u tags %u recs %u %u %u", info.nr_jited_ksyms, info.nr_jited_func_lens,
		info.nr_prog_tags, info.func_info_rec_size, info.line_info_rec_size,
		info.jited_line_info_rec_size);
	line("insns %u runs %llu tag same %d", info.verified_insns,
		(unsigned long long)info.run_cnt, !memcmp(info.tag, tags[0], 8));
	line("tag %02x%02x%02x%02x%02x%02x%02x%02x", info.tag[0], info.tag[1], info.tag[2],
		info.tag[3], info.tag[4], info.tag[5], info.tag[6], info.tag[7]);
	for (int field = 0; field < 8; field++) {
		static u8 room[4096];
		const u64 bad = 8;

		memset(&info, 0, sizeof(info));
		if (field == 0)
			info.xlated_prog_len = 16, info.xlated_prog_insns = bad;
		if (field == 1)
			info.nr_map_ids = 1, info.map_ids = bad;
		if (field == 2)
			info.func_info_rec_size = 7;
		if (field == 3)
			info.nr_line_info = 1;
		if (field == 4)
			info.jited_line_info_rec_size = 9;
		if (field == 5)
			info.nr_prog_tags = 1, info.prog_tags = bad;
		if (field == 6)
			info.xlated_prog_len = 8, info.xlated_prog_insns = (uintptr_t)room;
		if (field == 7)
			info.nr_jited_func_lens = 1, info.jited_func_lens = bad;
		ask.uapi.info.info_len = sizeof(info);
		line("field %d = %s xlated %u", field,
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)),
			info.xlated_prog_len);
	}
}

void section_info_btf(void)
{
	static const u32 rooms[] = {0, 1, 50, 101, 200};
	u8 raw[256];
	char name[16];

	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		struct bpf_btf_info info = {.btf = (uintptr_t)raw, .btf_size = rooms[i]};
		union sys_attr ask = {0};

		memset(raw, '#', sizeof(raw));
		ask.uapi.info.bpf_fd = eng->btf;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)&info;
		line("room %u = %s", rooms[i],
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)));
		line("size %u name_len %u kernel %u same %d", info.btf_size, info.name_len,
			info.kernel_btf,
			!memcmp(raw, &btf_raw_bytes,
				MIN(rooms[i], (u32)sizeof(btf_raw_bytes.head) + 77)));
	}
	for (int i = 0; i < 6; i++) {
		struct bpf_btf_info info = {0};
		union sys_attr ask = {0};

		info.name = i & 1 ? (uintptr_t)name : i & 4 ? 8 : 0;
		info.name_len = i & 2 ? 16 : 0;
		if (i == 5)
			info.name_len = 1;
		ask.uapi.info.bpf_fd = eng->btf;
		ask.uapi.info.info_len = sizeof(info);
		ask.uapi.info.info = (uintptr_t)&info;
		line("name %d = %s len %u", i,
			result_text(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE)),
			info.name_len);
	}
}

void section_ids(void)
{
	static const int next[] = {11, 12, 23, 31}, by_id[] = {13, 14, 19, 30};
	static const u32 ids[] = {0x7ffffff0, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff};

	for (int k = 0; k < 4; k++) {
		union sys_attr attr = {0};

		try("first", next[k], &attr);
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
			attr.by_id.id = ids[i];
			tryf(next[k], &attr, "cmd %d id %#x", next[k], ids[i]);
			tryf(by_id[k], &attr, "cmd %d id %#x", by_id[k], ids[i]);
		}
		attr.by_id.id = 0;
		tryf(by_id[k], &attr, "cmd %d id 0", by_id[k]);
		attr.by_id.id = 0x7ffffff0;
		for (u32 bit = 0; bit < 32; bit++) {
			attr.by_id.open_flags = 1u << bit;
			if (1u << bit == BPF_F_TOKEN_FD)
				attr.by_id.fd_by_id_token_fd = closed_fd;
			tryf(by_id[k], &attr, "cmd %d open flags 1 << %u", by_id[k], bit);
			attr.by_id.fd_by_id_token_fd = 0;
		}
		attr.by_id.open_flags = BPF_F_RDONLY | BPF_F_WRONLY;
		tryf(by_id[k], &attr, "cmd %d both modes", by_id[k]);
	}
}

static u32 id_of(int fd)
{
	u32 info[20] = {0};
	union sys_attr ask = {0};

	ask.uapi.info.bpf_fd = fd;
	ask.uapi.info.info_len = 8;
	ask.uapi.info.info = (uintptr_t)info;
	need(call(BPF_OBJ_GET_INFO_BY_FD, &ask, SYS_ATTR_SIZE), "info");
	return info[1];
}

/* A map lives as long as a descriptor of it does, and no longer. */
void section_lifetime(void)
{
	int fd = make(BPF_MAP_CREATE, map_attr(BPF_MAP_TYPE_ARRAY), "map"), again, copy;
	union sys_attr attr = {.by_id.id = id_of(fd)};

	again = call(BPF_MAP_GET_FD_BY_ID, &attr, SYS_ATTR_SIZE);
	line("by id = %s", again < 0 ? strerrorname_np(-again) : "fd");
	close(fd);
	copy = dup(again);
	close(again);
	try("by id, a dup is left", BPF_MAP_GET_FD_BY_ID, &attr);
	close(copy);
	if (eng->port->ops->is_kernel)
		usleep(100000); /* the kernel frees behind a grace period */
	try("by id, none is left", BPF_MAP_GET_FD_BY_ID, &attr);
}

void section_pins(void)
{
	char path[128];
	union sys_attr attr = {0};
	int got;

	snprintf(path, sizeof(path), "%s/a", pin_dir);
	attr.obj.pathname = (uintptr_t)path;
	attr.obj.bpf_fd = eng->map;
	try("pin", BPF_OBJ_PIN, &attr);
	try("pin again", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = closed_fd;
	try("pin closed", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = other_fd;
	try("pin file", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = eng->btf;
	try("pin btf", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = eng->map;
	for (u32 bit = 0; bit < 32; bit++) {
		attr.obj.file_flags = 1u << bit;
		if (1u << bit != 1u << 14) /* BPF_F_PATH_FD */
			tryf(BPF_OBJ_PIN, &attr, "pin flags 1 << %u", bit);
	}
	attr.obj.file_flags = 0;
	attr.obj.path_fd = 3;
	try("pin path_fd", BPF_OBJ_PIN, &attr);
	attr.obj.path_fd = 0;
	attr.obj.pathname = 0;
	try("pin NULL", BPF_OBJ_PIN, &attr);
	attr.obj.pathname = 8;
	try("pin bad", BPF_OBJ_PIN, &attr);
	attr.obj.pathname = (uintptr_t) "";
	try("pin empty", BPF_OBJ_PIN, &attr);
	snprintf(path, sizeof(path), "%s/a.b", pin_dir);
	attr.obj.pathname = (uintptr_t)path;
	try("pin with a dot", BPF_OBJ_PIN, &attr);
	snprintf(path, sizeof(path), "%s/a/b", pin_dir);
	try("pin below a pin", BPF_OBJ_PIN, &attr);
	attr.obj.bpf_fd = 0;
	snprintf(path, sizeof(path), "%s/a", pin_dir);
	try("get", BPF_OBJ_GET, &attr);
	for (u32 bit = 0; bit < 32; bit++) {
		attr.obj.file_flags = 1u << bit;
		if (1u << bit != 1u << 14)
			tryf(BPF_OBJ_GET, &attr, "get flags 1 << %u", bit);
	}
	attr.obj.file_flags = BPF_F_RDONLY | BPF_F_WRONLY;
	try("get both modes", BPF_OBJ_GET, &attr);
	attr.obj.file_flags = BPF_F_RDONLY;
	got = call(BPF_OBJ_GET, &attr, SYS_ATTR_SIZE);
	try_elems("got read-only", got);
	close(got);
	attr.obj.file_flags = BPF_F_WRONLY;
	got = call(BPF_OBJ_GET, &attr, SYS_ATTR_SIZE);
	try_elems("got write-only", got);
	close(got);
	attr.obj.file_flags = 0;
	attr.obj.bpf_fd = 1;
	try("get with fd", BPF_OBJ_GET, &attr);
	attr.obj.bpf_fd = 0;
	snprintf(path, sizeof(path), "%s/./x/../a", pin_dir);
	snprintf(path, sizeof(path), "%s//.//a", pin_dir);
	try("get by another spelling", BPF_OBJ_GET, &attr);
	snprintf(path, sizeof(path), "%s/none", pin_dir);
	try("get none", BPF_OBJ_GET, &attr);
	attr.obj.pathname = 8;
	try("get bad", BPF_OBJ_GET, &attr);
	attr.obj.pathname = (uintptr_t) "";
	try("get empty", BPF_OBJ_GET, &attr);
}
