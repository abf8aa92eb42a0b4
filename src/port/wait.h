/*
 * Waiting that no signal slips past: signals are held back while one looks for what one waits for, and let
 * through only during the pause itself.
 */
#ifndef PORT_WAIT_H
#define PORT_WAIT_H

#include <errno.h>
#include <poll.h>
#include <signal.h>

struct port_wait {
	sigset_t before;
};

static inline void port_wait_begin(struct port_wait *wait)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &wait->before);
}

/* -EINTR: a signal came, now or since port_wait_begin. */
static inline int port_wait_ms(const struct port_wait *wait, int ms)
{
	const struct timespec pause = {.tv_nsec = ms * 1000000L};

	return ppoll(NULL, 0, &pause, &wait->before) < 0 ? -EINTR : 0;
}

static inline void port_wait_end(const struct port_wait *wait)
{
	pthread_sigmask(SIG_SETMASK, &wait->before, NULL);
}

#endif
