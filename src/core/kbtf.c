/*
 * The kernel's types, from a file.
 *
 * Invariant: `btf` and `err` change only under `lock`, and never once `is_tried` is set.
 */
#include "core/kbtf.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/mem.h"
#include "btf/btf.h"
#include "core/inst.h"

enum { PATH_LEN_MAX = 4096, READ_STEP = 1 << 20 };

struct core_kbtf {
	pthread_mutex_t lock;
	bool is_tried;
	int err;
	struct btf_obj *btf;
	/* the file itself, where it is the running kernel's and can be mapped; else NULL */
	void *map;
	size_t map_len;
	char path[PATH_LEN_MAX];
};

int core_kbtf_new(const char *path, struct core_kbtf **ret_kbtf)
{
	struct core_kbtf *kbtf;

	if (!path)
		path = CORE_KBTF_PATH;
	if (strlen(path) >= PATH_LEN_MAX)
		return -ENAMETOOLONG;
	kbtf = mem_zalloc(sizeof(*kbtf));
	if (!kbtf)
		return -ENOMEM;
	pthread_mutex_init(&kbtf->lock, NULL);
	memcpy(kbtf->path, path, strlen(path) + 1);
	*ret_kbtf = kbtf;
	return 0;
}

void core_kbtf_free(struct core_kbtf *kbtf)
{
	if (!kbtf)
		return;
	btf_free(kbtf->btf);
	mem_file_free(kbtf->map, kbtf->map_len);
	pthread_mutex_destroy(&kbtf->lock);
	mem_free(kbtf);
}

/* The sizes of files in sysfs may not be trusted, so the end is where reading says it is. */
static int read_all(FILE *file, u8 **ret_data, size_t *ret_len)
{
	size_t len = 0, cap = 0, got;
	u8 *data = NULL;

	do {
		if (len == cap) {
			u8 *more = cap <= BTF_SIZE_MAX ? mem_realloc(data, cap + READ_STEP, 1)
						       : NULL;

			if (!more) {
				mem_free(data);
				return cap <= BTF_SIZE_MAX ? -ENOMEM : -E2BIG;
			}
			data = more;
			cap += READ_STEP;
		}
		got = fread(data + len, 1, cap - len, file);
		len += got;
	} while (got);
	if (ferror(file)) {
		mem_free(data);
		return -EIO;
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}

/*
 * What the running kernel gives out under this name it has checked itself, and nobody else can put a file
 * into sysfs: its types are used where they are. Older kernels do not let the file be mapped.
 */
static int map_types(struct core_kbtf *kbtf, FILE *file)
{
	struct statfs fs;
	struct stat st;
	int err;

	if (strcmp(kbtf->path, CORE_KBTF_PATH) || fstatfs(fileno(file), &fs) ||
		fs.f_type != SYSFS_MAGIC || fstat(fileno(file), &st) || st.st_size <= 0)
		return -ENODEV;
	kbtf->map = mem_map_file(fileno(file), st.st_size);
	if (!kbtf->map)
		return -ENODEV;
	kbtf->map_len = st.st_size;
	err = btf_new_trusted(kbtf->map, kbtf->map_len, &kbtf->btf);
	if (err) {
		mem_file_free(kbtf->map, kbtf->map_len);
		kbtf->map = NULL;
	}
	return err;
}

static int read_types(struct core_kbtf *kbtf)
{
	FILE *file = fopen(kbtf->path, "re");
	size_t len;
	u8 *data;
	int err;

	if (!file)
		return -errno;
	err = map_types(kbtf, file);
	if (!err || err == -ENOMEM) {
		fclose(file);
		return err;
	}
	err = read_all(file, &data, &len);
	fclose(file);
	if (err)
		return err;
	err = btf_new(data, len, NULL, &kbtf->btf);
	mem_free(data);
	return err && err != -ENOMEM ? -EINVAL : err;
}

int core_kbtf_get(const struct skep *inst, const struct btf_obj **ret_btf)
{
	struct core_kbtf *kbtf = inst->kbtf;
	int err;

	if (!kbtf)
		return -ENOENT;
	pthread_mutex_lock(&kbtf->lock);
	if (!kbtf->is_tried) {
		kbtf->err = read_types(kbtf);
		/* memory may come back, what the file holds stays */
		kbtf->is_tried = kbtf->err != -ENOMEM;
	}
	err = kbtf->err;
	pthread_mutex_unlock(&kbtf->lock);
	if (!err)
		*ret_btf = kbtf->btf;
	return err;
}

const char *core_kbtf_path(const struct skep *inst)
{
	return inst->kbtf ? inst->kbtf->path : "";
}
