/*
 * Cgroups of the host: directories, named by their inode number, which Linux calls the cgroup's id.
 */
#ifndef MAPS_CGROUPS_H
#define MAPS_CGROUPS_H

#include "core/map.h"

/* The id of the cgroup whose directory fd is. is_any: of cgroup v1 too. -EBADF. */
int map_cgroup_take(const struct map_fds *fds, int fd, bool is_any, u64 *ret_id);

#endif
