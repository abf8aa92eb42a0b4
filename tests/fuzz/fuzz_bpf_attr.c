/*
 * bpf(2) with arbitrary attributes: a series of calls whose attr, memory and descriptors are made from the
 * input. The caller is not this process but an arena of ARENA_LEN bytes at address 0, so that any pointer is
 * either inside it or bad, and nothing of the fuzzer can be overwritten.
 *
 * Input, call by call:  command | length | that many bytes of attr, zeros behind them
 * The arena begins with the attr and has good material at known places (below), so that small numbers found
 * in a corpus point at something useful. Descriptors are numbers of slots; the first few hold good objects.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/skep.h>

#include "base/bug.h"
#include "core/inst.h"
#include "sys/attr.h"
#include "sys/fd.h"
#include "sys/pin.h"
#include "sys/sys.h"
#include "sys/caller.h"
#include "sys/verbs.h"

enum {
	ARENA_LEN = 1 << 16,
	AT_INSNS = 0x200,
	AT_LICENSE = 0x300,
	AT_PATH = 0x310,
	AT_BTF = 0x340,
	AT_FD_ARRAY = 0x400,
	AT_FUNC_INFO = 0x420,
	AT_LINE_INFO = 0x430,
	SLOTS = 24,
	CALLS_MAX = 32,
	ENTRIES_MAX = 0xfff, /* what a map may ask for: memory is not what is tried here */
	VALUE_MAX = 0x3fff,
	REPEAT_MAX = 8,
};

static struct skep *skep;
static u8 arena[ARENA_LEN];
static int slots[SLOTS];
static u32 slot_cnt;

static int read_arena(struct sys_user *user, u64 addr, void *ret, size_t len)
{
	if (addr > ARENA_LEN || len > ARENA_LEN - addr)
		return -EFAULT;
	memcpy(ret, arena + addr, len);
	return 0;
}

static int write_arena(struct sys_user *user, u64 addr, const void *data, size_t len)
{
	if (addr > ARENA_LEN || len > ARENA_LEN - addr)
		return -EFAULT;
	memcpy(arena + addr, data, len);
	return 0;
}

static int get_slot(struct sys_user *user, int fd, int *ret_fd)
{
	if (fd < 0 || (u32)fd >= slot_cnt)
		return -EBADF;
	*ret_fd = slots[fd];
	return 0;
}

static void put_slot(struct sys_user *user, int fd)
{
}

static int install(struct sys_user *user, int fd)
{
	if (slot_cnt == SLOTS) {
		close(fd);
		return -EMFILE;
	}
	slots[slot_cnt] = fd;
	return (int)slot_cnt++;
}

static const struct sys_user_ops arena_ops = {
	.read = read_arena,
	.write = write_arena,
	.fd_get = get_slot,
	.fd_put = put_slot,
	.fd_install = install,
};

static struct sys_user user = {.ops = &arena_ops};

static const struct bpf_insn insns[] = {
	{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = 0},
	{0},
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
	{.code = BPF_JMP | BPF_EXIT},
};

/* int (1), int f(void) (2, 3) */
static const u32 btf[] = {0x0001eb9f, 24, 0, 40, 40, 8, 1, BTF_KIND_INT << 24, 4,
	BTF_INT_SIGNED << 24 | 32, 0, BTF_KIND_FUNC_PROTO << 24, 1, 5, BTF_KIND_FUNC << 24, 2,
	0x746e6900, 0x00006600};

static void fill_arena(void)
{
	static const u32 fds[] = {0, 1, 2, 0}, func_info[] = {0, 3},
			 line_info[] = {0, 1, 1, 1 << 10};

	memset(arena, 0, sizeof(arena));
	memcpy(arena + AT_INSNS, insns, sizeof(insns));
	strcpy((char *)arena + AT_LICENSE, "GPL");
	strcpy((char *)arena + AT_PATH, "/sys/fs/bpf/x");
	memcpy(arena + AT_BTF, btf, sizeof(btf));
	memcpy(arena + AT_FD_ARRAY, fds, sizeof(fds));
	memcpy(arena + AT_FUNC_INFO, func_info, sizeof(func_info));
	memcpy(arena + AT_LINE_INFO, line_info, sizeof(line_info));
}

static long call(int cmd, const union sys_attr *attr)
{
	memcpy(arena, attr, SYS_ATTR_SIZE);
	return sys_bpf(skep, &user, cmd, 0, SYS_ATTR_SIZE);
}

static void make_objects(void)
{
	union sys_attr map = {.map_create = {.map_type = BPF_MAP_TYPE_HASH,
				      .key_size = 4,
				      .value_size = 8,
				      .max_entries = 4}};
	union sys_attr prog = {.prog_load = {.prog_type = BPF_PROG_TYPE_XDP,
				       .insns = AT_INSNS,
				       .insn_cnt = ARRAY_SIZE(insns),
				       .license = AT_LICENSE}};
	union sys_attr types = {.btf_load = {.btf = AT_BTF, .btf_size = sizeof(btf)}};

	skep_bug_if(call(BPF_MAP_CREATE, &map) != 0, "no map to begin with");
	skep_bug_if(call(BPF_PROG_LOAD, &prog) != 1, "no program to begin with");
	skep_bug_if(call(BPF_BTF_LOAD, &types) != 2, "no BTF to begin with");
}

/* Requests for more memory or time than a fuzzer has. */
static void tame(int cmd, union sys_attr *attr)
{
	if (cmd == BPF_MAP_CREATE) {
		attr->map_create.max_entries &= ENTRIES_MAX;
		attr->map_create.value_size &= VALUE_MAX;
	}
	if (cmd == BPF_PROG_TEST_RUN)
		attr->uapi.test.repeat %= REPEAT_MAX;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct skep_options opts = {.sz = sizeof(opts), .flags = SKEP_REPLAY, .cpu_cnt = 1};
	struct buf text = BUF_INIT;
	u32 ifindex;

	if (skep_new(&opts, &skep) || sys_dev_add(skep, "veth:a,b", &text, &ifindex))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	fill_arena();
	make_objects();
	for (int i = 0; i < CALLS_MAX && len >= 2; i++) {
		u8 cmd = data[0];
		size_t part = MIN(data[1], len - 2);
		union sys_attr attr = {0};

		memcpy(&attr, data + 2, MIN(part, sizeof(attr)));
		tame(cmd, &attr);
		call(cmd, &attr);
		data += 2 + part;
		len -= 2 + part;
	}
	while (slot_cnt)
		close(slots[--slot_cnt]);
	while (!sys_pin_path_after(skep, "", (char *)arena, SYS_PIN_PATH_MAX))
		sys_pin_del(skep, (char *)arena);
	sys_fd_reap(skep);
	for (int kind = 0; kind < OBJ_KIND_CNT; kind++)
		skep_bug_if(skep->tables[kind].cnt, "%u objects of kind %d are left",
			skep->tables[kind].cnt, kind);
	return 0;
}
