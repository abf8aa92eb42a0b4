/*
 * BTF_LOAD.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/buf.h"
#include "base/mem.h"
#include "btf/btf.h"
#include "core/btf.h"
#include "sys/call.h"
#include "sys/log.h"
#include "sys/token.h"

static int parse(struct sys_call *call, struct sys_log *log, struct core_btf **ret_btf)
{
	struct buf text = BUF_INIT;
	struct btf_obj *parsed;
	void *data;
	int err = sys_user_dup(
		call->user, call->attr.btf_load.btf, call->attr.btf_load.btf_size, &data);

	if (err)
		return err;
	err = btf_new(data, call->attr.btf_load.btf_size, log->level ? &text : NULL, &parsed);
	mem_free(data);
	sys_log_write(log, buf_text(&text), text.len);
	buf_done(&text);
	return err ? err : core_btf_new(call->inst, parsed, ret_btf);
}

/* What went wrong with the log hides what was wrong with the BTF, as in Linux. */
static int finish_log(struct sys_call *call, struct sys_log *log)
{
	u32 true_size;
	int err = sys_log_finish(log, call->user, &true_size);

	if (call->size >= SYS_END_OF(btf_load, btf_log_true_size) &&
		SYS_PUT(call, btf_load, btf_log_true_size, true_size))
		err = -EFAULT;
	return err;
}

static int load(struct sys_call *call, struct core_btf **ret_btf)
{
	const struct sys_attr_btf_load *attr = &call->attr.btf_load;
	struct core_btf *btf = NULL;
	struct sys_log log;
	int err, log_err;

	if (attr->btf_size > BTF_SIZE_MAX)
		return -E2BIG;
	err = sys_log_init(&log, attr->btf_log_level, attr->btf_log_buf, attr->btf_log_size);
	if (err)
		return err;
	err = parse(call, &log, &btf);
	log_err = finish_log(call, &log);
	sys_log_done(&log);
	if (log_err) {
		obj_put(btf ? &btf->obj : NULL);
		return log_err;
	}
	if (!err)
		*ret_btf = btf;
	return err;
}

long sys_btf_load(struct sys_call *call)
{
	const struct sys_attr_btf_load *attr = &call->attr.btf_load;
	struct core_btf *btf;
	int err;

	if (attr->btf_flags & ~BPF_F_TOKEN_FD)
		return -EINVAL;
	if (attr->btf_flags & BPF_F_TOKEN_FD) {
		err = sys_token_check(call, attr->btf_token_fd);
		if (err)
			return err;
	}
	sys_fd_reap_sometimes(call->inst);
	err = load(call, &btf);
	if (err)
		return err;
	err = obj_publish(&btf->obj);
	if (!err)
		err = sys_fd_new(call->inst, call->user, &btf->obj, O_RDWR);
	obj_put(&btf->obj);
	return err;
}
