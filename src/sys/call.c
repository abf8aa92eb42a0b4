/*
 * The door of bpf(2): read the argument under Linux's rules, find the row, check what follows the last
 * field, run the handler.
 */
#include "sys/call.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static const struct command {
	const char *name; /* NULL: no command has the number */
	sys_handler handler;
	u32 end;
} commands[] = {
#define END(field) (offsetof(union bpf_attr, field) + sizeof(((union bpf_attr *)0)->field))
#define CMD(number, cmd_name, function, last)                                                      \
	[number] = {.name = "BPF_" #cmd_name, .handler = (function), .end = (last)},
#include "sys/cmds.def"
#undef CMD
#undef END
};

long sys_bpf(struct skep *inst, struct sys_user *user, int cmd, u64 addr, u32 size)
{
	struct sys_call call = {
		.inst = inst, .user = user, .addr = addr, .size = MIN(size, SYS_ATTR_SIZE)};
	const struct command *command;
	int err = sys_attr_read(user, addr, size, &call.attr);

	if (err)
		return err;
	if (cmd < 0 || cmd >= (int)ARRAY_SIZE(commands) || !commands[cmd].name)
		return -EINVAL;
	command = &commands[cmd];
	if (sys_attr_has_tail(&call.attr, command->end))
		return -EINVAL;
	if (!command->handler) {
		sink_emit(&inst->sink, SINK_WARN,
			"%s is not available in this engine; the kernel has it (-K)",
			command->name);
		return -EOPNOTSUPP;
	}
	return command->handler(&call);
}

u64 sys_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int sys_init(struct skep *inst)
{
	struct sys *sys = mem_zalloc(sizeof(*sys));

	if (!sys)
		return -ENOMEM;
	sys->pins.dir_fd = -1;
	sys->stats_fd = -1;
	sys->state.dir_fd = sys->state.lock_fd = -1;
	pthread_mutex_init(&sys->links, NULL);
	pthread_rwlock_init(&sys->writers, NULL);
	inst->sys = sys;
	inst->reap = sys_fd_reap_tick;
	return 0;
}

/* The references that descriptors hold, whether or not descriptors are still there. */
static void forget_fds(struct skep *inst)
{
	for (int kind = 0; kind < OBJ_KIND_CNT; kind++) {
		struct obj_table *table = &inst->tables[kind];

		for (u32 i = 0; i < table->cnt;) {
			struct obj *obj = table->objs[i];
			u32 cnt = table->cnt;

			if (obj->has_fds) {
				obj->has_fds = false;
				sys_obj_unnamed(obj);
				obj_put(obj);
			}
			/* Objects that went moved the others down: look at this place again. */
			if (table->cnt == cnt)
				i++;
			else
				i = 0;
		}
	}
}

void sys_done(struct skep *inst)
{
	struct sys *sys = sys_of(inst);

	if (!sys)
		return;
	inst->reap = NULL;
	sys_fast_done(inst);
	sys_pins_clear(inst);
	forget_fds(inst);
	sys_state_close(inst);
	if (sys->stats_fd >= 0)
		close(sys->stats_fd);
	pthread_rwlock_destroy(&sys->writers);
	pthread_mutex_destroy(&sys->links);
	mem_free(sys);
	inst->sys = NULL;
}
