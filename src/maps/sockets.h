/*
 * Sockets of the host as map entries. A map keeps a socket's cookie, a number that the host gives to no
 * other, and no descriptor: a descriptor of ours would keep a connection open that its owner has closed.
 */
#ifndef MAPS_SOCKETS_H
#define MAPS_SOCKETS_H

#include "core/map.h"

/* The fd in an entry's value of 4 or 8 bytes. -EINVAL: it is none, for Linux says
 * so before it looks. */
int map_socket_fd(const struct map *map, const void *value, int *ret_fd);
/* The cookie of a socket for a map of that type. -EBADF, -ENOTSOCK, -EOPNOTSUPP. Some are refused only
 * after index and flags were looked at: *ret_late is what to answer then, or 0. */
int map_socket_take(
	const struct map_fds *fds, u32 map_type, int fd, u64 *ret_cookie, int *ret_late);
/* What user space reads: -ENOSPC where values have no room for a cookie. */
int map_socket_copy(const struct map *map, const struct map_handle *handle, void *ret_value);

#endif
