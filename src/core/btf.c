/*
 * BTF as an object.
 */
#include "core/btf.h"

#include <errno.h>

#include "base/mem.h"
#include "btf/btf.h"

static void free_btf(struct obj *obj)
{
	struct core_btf *btf = container_of(obj, struct core_btf, obj);

	btf_free(btf->btf);
	mem_free(btf);
}

static const struct obj_ops btf_obj_ops = {
	.free = free_btf,
};

int core_btf_new(struct skep *inst, struct btf_obj *btf, struct core_btf **ret_btf)
{
	struct core_btf *new = mem_zalloc(sizeof(*new));

	if (!new) {
		btf_free(btf);
		return -ENOMEM;
	}
	obj_init(&new->obj, inst, OBJ_BTF, &btf_obj_ops);
	new->btf = btf;
	*ret_btf = new;
	return 0;
}
