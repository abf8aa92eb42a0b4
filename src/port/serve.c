/*
 * Taking a place and listening there.
 */
#include "port/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/text.h"
#include "sys/pin.h"

enum { BACKLOG = 16 };

/* A socket that is there already belongs to nobody: we hold the lock. */
static int listen_at(const struct port_place *place, struct port_text *err)
{
	struct sockaddr_un addr;
	int sock, ret = port_place_socket(place, &addr);
	mode_t mask;

	if (ret)
		return port_fail(ret, err,
			"%s/ctl.sock is too long for a socket's path (107 bytes): choose a shorter "
			"name, or set XDG_RUNTIME_DIR to a shorter path",
			place->dir);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	unlink(addr.sun_path);
	mask = umask(0177); /* mode 0600 from the first moment */
	ret = bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(sock, BACKLOG) < 0
		      ? -errno
		      : sock;
	umask(mask);
	if (ret < 0) {
		close(sock);
		return port_fail(
			ret, err, "cannot listen on %s: %s", addr.sun_path, port_errno_text(ret));
	}
	return sock;
}

int port_serve_start(struct skep *inst, const char *name, void (*on_stop)(void *arg), void *arg,
	struct port_serving *ret_serving, struct port_text *err)
{
	struct port_serving serving;
	int sock, ret = port_place_of(name, true, &serving.place, err);

	if (!ret)
		ret = port_place_take(&serving.place, &serving.lock_fd, err);
	if (ret)
		return ret;
	serving.dir_fd = open(serving.place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = serving.dir_fd < 0 ? -errno : sys_pins_use_dir(inst, serving.dir_fd);
	if (ret)
		goto leave;
	sock = listen_at(&serving.place, err);
	if (sock < 0) {
		ret = sock;
		goto leave;
	}
	ret = sys_server_new(inst, sock, on_stop, arg, &serving.server);
	if (ret)
		goto leave;
	*ret_serving = serving;
	return 0;
leave:
	sys_pins_no_dir(inst);
	if (serving.dir_fd >= 0)
		close(serving.dir_fd);
	port_place_leave(&serving.place, serving.lock_fd);
	return ret;
}

void port_serve_stop(struct port_serving *serving)
{
	sys_server_free(serving->server);
	serving->server = NULL;
}

void port_serve_leave(struct port_serving *serving)
{
	close(serving->dir_fd);
	port_place_leave(&serving->place, serving->lock_fd);
}
