/*
 * Perf events and descriptors to wait on, in the port's words.
 */
#ifndef PORT_EVENTS_H
#define PORT_EVENTS_H

#include <linux/perf_event.h>
#include <sys/types.h>

#include "sys/events.h"

/* What to wait on for an object, known by its descriptors' inode. */
struct port_wake {
	ino_t ino;
	int fd;
	bool is_writer;
};

void port_event_from(const struct perf_event_attr *attr, int cpu, struct sys_event *ret_event);
/* Room for one more than cnt; false: no memory. */
bool port_wakes_grow(struct port_wake **wakes, u32 cnt);

#endif
