/*
 * Writing captures: classic pcap with nanosecond stamps, or pcapng when the name ends in .pcapng. One
 * writer a file; not thread-safe.
 */
#ifndef NET_CAPTURE_H
#define NET_CAPTURE_H

#include <stdio.h>

#include "net/dev.h"

struct capture {
	FILE *file;
	bool is_ng;
};

/* Creates or empties the file and writes its header. -errno. */
int net_capture_open(const char *path, struct capture *ret_capture);
/* One frame; frame->cut_len is kept as the difference between captured and original length. -errno */
int net_capture_write(struct capture *capture, const struct net_frame *frame);
int net_capture_flush(struct capture *capture);
void net_capture_close(struct capture *capture);

#endif
