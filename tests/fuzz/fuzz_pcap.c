/*
 * Captures: arbitrary bytes as the input of a pcap device with an output: every frame is read and written
 * again, and nothing else happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/inst.h"
#include "net/net.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct inst_options opts = {.cpu_cnt = 1, .clock = INST_CLOCK_REPLAY};
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct buf err = BUF_INIT;
	struct skep inst;
	struct net *net;
	char spec[64];
	u32 ifindex;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || inst_init(&inst, &opts) ||
		net_of(&inst, &net))
		abort();
	snprintf(spec, sizeof(spec), "pcap:/proc/self/fd/%d,/dev/null", fd);
	if (!net_dev_add(net, spec, &err, &ifindex))
		while (!net_is_done(net))
			net_step(net, 0, 64, &err);
	net_free(net);
	inst_done(&inst);
	buf_done(&err);
	close(fd);
	return 0;
}
