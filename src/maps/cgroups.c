/*
 * Recognising a cgroup's directory by its file system.
 */
#include "maps/cgroups.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int map_cgroup_take(const struct map_fds *fds, int fd, bool is_any, u64 *ret_id)
{
	struct statfs fs;
	struct stat st;
	int own, err = fds ? fds->open(fds, fd, &own) : -EBADF;

	if (err)
		return err;
	if (fstatfs(own, &fs) < 0 || fstat(own, &st) < 0 || !S_ISDIR(st.st_mode) ||
		(fs.f_type != CGROUP2_SUPER_MAGIC && !(is_any && fs.f_type == CGROUP_SUPER_MAGIC)))
		err = -EBADF;
	close(own);
	if (!err)
		*ret_id = st.st_ino;
	return err;
}
