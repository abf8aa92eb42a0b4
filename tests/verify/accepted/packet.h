/* What the accepted programs share: the ends of the packet, the licence. */
#ifndef VERIFY_PACKET_H
#define VERIFY_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PACKET(ctx)                                                                                \
	void *data = (void *)(long)(ctx)->data;                                                    \
	void *data_end = (void *)(long)(ctx)->data_end

#define __noinline __attribute__((noinline))

char _license[] SEC("license") = "Dual BSD/GPL";

#endif
