/*
 * The public interface: an instance as a handle, and bpf(2) on it.
 */
#include <skep/skep.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/inst.h"
#include "net/net.h"
#include "sys/inst.h"
#include "sys/sys.h"
#include "sys/caller.h"
#include "vm/vm.h"

enum { FLAGS_KNOWN = SKEP_NO_JIT | SKEP_CHECKED | SKEP_REPLAY };

_Static_assert((int)SKEP_LOG_WARN == (int)SINK_WARN && (int)SKEP_LOG_DEBUG == (int)SINK_DEBUG,
	"levels are the same");

/* struct skep is the first member, so a handle is the instance. */
struct handle {
	struct skep inst;
	void (*log)(void *arg, enum skep_log_level level, const char *text);
	void *log_arg;
};

static void emit(void *arg, enum sink_level level, const char *text)
{
	const struct handle *handle = arg;

	handle->log(handle->log_arg, (enum skep_log_level)level, text);
}

int sys_inst_init(struct skep *inst, const struct inst_options *opts)
{
	struct net *net;
	int err = vm_inst_init(inst, opts);

	if (err)
		return err;
	err = sys_init(inst);
	if (err)
		goto done_inst;
	/* Made here, because making it later would race with another thread that does. */
	err = net_of(inst, &net);
	if (err)
		goto done_sys;
	return 0;
done_sys:
	sys_done(inst);
done_inst:
	inst_done(inst);
	return err;
}

/* Links end while their devices are there; then devices let go of programs. */
void sys_inst_done(struct skep *inst)
{
	sys_done(inst);
	net_free(inst->net);
	inst_done(inst);
}

/* Fields that an older caller does not have are 0; a newer caller's must be. */
static int read_options(const struct skep_options *given, struct skep_options *ret_opts)
{
	struct skep_options opts = {.sz = sizeof(opts)};
	const uint8_t *bytes = (const uint8_t *)given;

	if (given) {
		if (given->sz < sizeof(given->sz))
			return -EINVAL;
		memcpy(&opts, given, MIN(given->sz, sizeof(opts)));
		for (size_t i = sizeof(opts); i < given->sz; i++)
			if (bytes[i])
				return -EINVAL;
	}
	if (opts.flags & ~FLAGS_KNOWN)
		return -EINVAL;
	*ret_opts = opts;
	return 0;
}

int skep_new(const struct skep_options *given, struct skep **ret_skep)
{
	struct inst_options want = {0};
	struct skep_options opts;
	struct handle *handle;
	int err = read_options(given, &opts);

	if (err)
		return err;
	handle = mem_zalloc(sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	handle->log = opts.log;
	handle->log_arg = opts.log_arg;
	if (opts.log)
		want.sink = (struct sink){.emit = emit, .arg = handle};
	want.cpu_cnt = opts.cpu_cnt;
	want.no_jit = opts.flags & SKEP_NO_JIT;
	want.checked = opts.flags & SKEP_CHECKED;
	want.clock = opts.flags & SKEP_REPLAY ? INST_CLOCK_REPLAY : INST_CLOCK_REAL;
	want.seed = opts.seed;
	want.map_mem_max = opts.map_mem_max;
	err = sys_inst_init(&handle->inst, &want);
	if (err)
		mem_free(handle);
	else
		*ret_skep = &handle->inst;
	return err;
}

void skep_free(struct skep *skep)
{
	if (!skep)
		return;
	sys_inst_done(skep);
	mem_free(container_of(skep, struct handle, inst));
}

long skep_bpf(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size)
{
	struct sys_user user;

	sys_user_local_init(&user);
	return sys_bpf(skep, &user, cmd, (uintptr_t)attr, size);
}

long skep_bpf_trusted(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size)
{
	return sys_bpf_trusted(skep, cmd, attr, size);
}

int skep_close(struct skep *skep, int fd)
{
	sys_fast_forget(skep, fd);
	return close(fd) ? -errno : 0;
}
