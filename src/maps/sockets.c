/*
 * Which sockets which map takes; the questions are put to the host's kernel by getsockopt.
 *
 *	SOCKMAP, SOCKHASH    TCP that is connected or listens, UDP that is bound, connected unix streams,
 *	                     unix datagrams
 *	XSKMAP               AF_XDP
 *	REUSEPORT_SOCKARRAY  SO_REUSEPORT, and TCP that listens or UDP that is bound
 *
 * Source: Linux's sock_map_sk_is_suitable and sock_map_sk_state_allowed, xsk_map_update_elem,
 * reuseport_array_update_check.
 */
#include "maps/sockets.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAMILY_XDP = 44 }; /* AF_XDP, which old headers lack */

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

struct socket {
	int fd;
	int domain, type, protocol;
	int state; /* of TCP */
	bool has_reuseport;
	u64 cookie;
};

int map_socket_fd(const struct map *map, const void *value, int *ret_fd)
{
	bool is_sockmap = map->type->type == BPF_MAP_TYPE_SOCKMAP ||
			  map->type->type == BPF_MAP_TYPE_SOCKHASH;
	u64 fd = 0;

	memcpy(&fd, value, map->value_size);
	if (fd > INT_MAX && (is_sockmap || map->value_size == sizeof(u64)))
		return -EINVAL;
	*ret_fd = (int)fd;
	return 0;
}

static int option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

static bool is_inet(const struct socket *sock)
{
	return sock->domain == AF_INET || sock->domain == AF_INET6;
}

static bool is_tcp(const struct socket *sock)
{
	return is_inet(sock) && sock->type == SOCK_STREAM && sock->protocol == IPPROTO_TCP;
}

static bool is_udp(const struct socket *sock)
{
	return is_inet(sock) && sock->type == SOCK_DGRAM && sock->protocol == IPPROTO_UDP;
}

static int read_socket(int fd, struct socket *ret_sock)
{
	struct socket sock = {.fd = fd, .domain = option(fd, SO_DOMAIN)};
	struct tcp_info info = {0};
	socklen_t len = sizeof(sock.cookie);

	if (sock.domain < 0)
		return sock.domain;
	sock.type = option(fd, SO_TYPE);
	sock.protocol = option(fd, SO_PROTOCOL);
	sock.has_reuseport = option(fd, SO_REUSEPORT) == 1;
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &sock.cookie, &len) < 0)
		return -errno;
	len = sizeof(info);
	if (is_tcp(&sock) && !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		sock.state = info.tcpi_state;
	*ret_sock = sock;
	return 0;
}

static bool is_bound(const struct socket *sock)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);

	if (getsockname(sock->fd, (struct sockaddr *)&addr, &len) < 0)
		return false;
	return addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
					  : ((struct sockaddr_in *)&addr)->sin_port;
}

static bool is_connected(const struct socket *sock)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	return getpeername(sock->fd, (struct sockaddr *)&addr, &len) == 0;
}

static int fits_sockmap(const struct socket *sock)
{
	bool fits = false;

	if (is_tcp(sock))
		fits = sock->state == TCP_ESTABLISHED || sock->state == TCP_LISTEN;
	else if (sock->domain == AF_UNIX)
		fits = sock->type != SOCK_STREAM || is_connected(sock);
	else
		fits = is_udp(sock) && is_bound(sock);
	return fits ? 0 : -EOPNOTSUPP;
}

static int fits_reuseport(const struct socket *sock)
{
	if (!is_tcp(sock) && !is_udp(sock))
		return -MAP_ENOTSUPP;
	if (!sock->has_reuseport)
		return -EINVAL;
	if (is_tcp(sock))
		return sock->state == TCP_LISTEN ? 0 : -EINVAL;
	return is_bound(sock) ? 0 : -EINVAL;
}

static int fits(u32 map_type, const struct socket *sock)
{
	switch (map_type) {
	case BPF_MAP_TYPE_XSKMAP: return sock->domain == FAMILY_XDP ? 0 : -EOPNOTSUPP;
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
	case BPF_MAP_TYPE_SK_STORAGE: return 0;
	default: return fits_sockmap(sock);
	}
}

static int fits_late(u32 map_type, const struct socket *sock)
{
	bool is_seqpacket = sock->domain == AF_UNIX && sock->type == SOCK_SEQPACKET;

	switch (map_type) {
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: return fits_reuseport(sock);
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH: return is_seqpacket ? -EOPNOTSUPP : 0;
	default: return 0;
	}
}

int map_socket_take(const struct map_fds *fds, u32 map_type, int fd, u64 *ret_cookie, int *ret_late)
{
	struct socket sock = {0};
	int own, err = fds ? fds->open(fds, fd, &own) : -EBADF;

	if (err)
		return err;
	err = read_socket(own, &sock);
	if (!err)
		err = fits(map_type, &sock);
	if (!err) {
		*ret_late = fits_late(map_type, &sock);
		*ret_cookie = sock.cookie;
	}
	close(own);
	return err;
}

int map_socket_copy(const struct map *map, const struct map_handle *handle, void *ret_value)
{
	u64 cookie;

	if (map->value_size != sizeof(cookie))
		return -ENOSPC;
	cookie = handle ? __atomic_load_n(&handle->id, __ATOMIC_ACQUIRE) : 0;
	if (!cookie)
		return -ENOENT;
	memcpy(ret_value, &cookie, sizeof(cookie));
	return 0;
}
