/*
 * Where calls for records leave for the engine. --wrap sends libbpf's mmap64(), ioctl() and epoll_ctl()
 * here; syscall(), for perf_event_open, comes through wrap.c.
 *
 *	mmap64     made as asked for, then the engine is told; what it refuses is undone
 *	ioctl      PERF_EVENT_IOC_ENABLE and _DISABLE of the engine's events
 *	epoll_ctl  a memfd cannot be polled: the object's eventfd takes its place, edge-triggered, so that
 *	           each wake-up is an event once and nobody has to read the eventfd
 *
 * Everything that is not the engine's goes to the kernel as it is.
 */
#include "port/events.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "port/port.h"

void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

void port_event_from(const struct perf_event_attr *attr, int cpu, struct sys_event *ret_event)
{
	*ret_event = (struct sys_event){
		.sample_type = attr->sample_type,
		.cpu = (u32)cpu,
		.wakeup = attr->watermark ? attr->wakeup_watermark : attr->wakeup_events,
		.is_watermark = attr->watermark,
		.is_disabled = attr->disabled,
	};
}

bool port_wakes_grow(struct port_wake **wakes, u32 cnt)
{
	struct port_wake *more = mem_realloc(*wakes, cnt + 1, sizeof(*more));

	if (more)
		*wakes = more;
	return more;
}

/* May it be an object of an engine? Only these are asked about. */
static bool is_memfd_of_engine(int fd)
{
	static const char *const names[] = {"/memfd:bpf-map", "/memfd:perf-event"};
	char path[32], target[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len >= (ssize_t)strlen(names[i]) && !memcmp(target, names[i], strlen(names[i])))
			return true;
	return false;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct port *port = port_in_use();
	void *at = __real_mmap64(addr, len, prot, flags, fd, off);
	int err;

	if (at == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) || !port || !port->ops->mapped ||
		!is_memfd_of_engine(fd))
		return at;
	err = port->ops->mapped(port, fd, (uintptr_t)at, len, (u64)off, prot & PROT_WRITE);
	if (!err)
		return at;
	munmap(at, len);
	errno = -err;
	return MAP_FAILED;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct port *port = port_in_use();
	va_list ap;
	void *arg;
	int err;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (port && port->ops->event_enable &&
		(request == PERF_EVENT_IOC_ENABLE || request == PERF_EVENT_IOC_DISABLE)) {
		err = port->ops->event_enable(port, fd, request == PERF_EVENT_IOC_ENABLE);
		if (!err)
			return 0;
	}
	return __real_ioctl(fd, request, arg);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct port *port = port_in_use();
	int ret = __real_epoll_ctl(epfd, op, fd, event), wake;
	struct epoll_event edge;
	bool is_writer;

	if (!ret || errno != EPERM || !port || !port->ops->wake_fd)
		return ret;
	wake = port->ops->wake_fd(port, fd, &is_writer);
	if (wake < 0) {
		errno = wake == -EPERM ? EPERM : -wake;
		return -1;
	}
	if (!event)
		return __real_epoll_ctl(epfd, op, wake, NULL);
	/* an eventfd says EPOLLIN for each wake-up, also to who waits for room */
	edge = *event;
	edge.events = EPOLLET | EPOLLIN | (is_writer ? event->events & EPOLLOUT : 0);
	return __real_epoll_ctl(epfd, op, wake, &edge);
}
