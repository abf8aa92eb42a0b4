/*
 * Counters by name: one table for both forms of output.
 */
#include "dev_print.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const actions[PORT_XDP_ACTIONS] = {
	"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};

static const struct {
	const char *name;
	size_t off;
} counters[] = {
	{"rx_packets", offsetof(struct port_dev, rx_packets)},
	{"rx_bytes", offsetof(struct port_dev, rx_bytes)},
	{"tx_packets", offsetof(struct port_dev, tx_packets)},
	{"tx_bytes", offsetof(struct port_dev, tx_bytes)},
	{"tx_failed", offsetof(struct port_dev, tx_failed)},
	{"redirect_failed", offsetof(struct port_dev, redirect_failed)},
	{"passed", offsetof(struct port_dev, passed)},
};

static u64 counter_at(const struct port_dev *dev, size_t i)
{
	return *(const u64 *)((const char *)dev + counters[i].off);
}

static void print_json(struct tool *t, const struct port_dev *dev)
{
	struct json *w = &t->w;

	json_start_object(w);
	json_string_field(w, "devname", dev->name);
	json_uint_field(w, "ifindex", dev->ifindex);
	if (dev->kind[0])
		json_string_field(w, "kind", dev->kind);
	if (dev->peer_ifindex)
		json_uint_field(w, "peer_ifindex", dev->peer_ifindex);
	if (dev->has_counters) {
		for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
			json_uint_field(w, counters[i].name, counter_at(dev, i));
		json_name(w, "xdp");
		json_start_object(w);
		for (size_t i = 0; i < PORT_XDP_ACTIONS; i++)
			json_uint_field(w, actions[i], dev->xdp[i]);
		json_end_object(w);
	}
	json_end_object(w);
}

/*
 * b0(2) tap  peer 3
 *	in 10500 (840000 bytes)  out 9876 (790080 bytes)
 *	XDP_DROP 624  XDP_PASS 9876
 * Actions that were never taken, and failures that did not happen, are left out.
 */
static void print_text(const struct port_dev *dev)
{
	u64 decided = 0;

	printf("%s(%u)%s%s", dev->name, dev->ifindex, dev->kind[0] ? " " : "", dev->kind);
	if (dev->peer_ifindex)
		printf("  peer %u", dev->peer_ifindex);
	printf("\n");
	if (!dev->has_counters)
		return;
	printf("\tin %" PRIu64 " (%" PRIu64 " bytes)  out %" PRIu64 " (%" PRIu64 " bytes)",
		dev->rx_packets, dev->rx_bytes, dev->tx_packets, dev->tx_bytes);
	if (dev->tx_failed)
		printf("  not sent %" PRIu64, dev->tx_failed);
	for (size_t i = 0; i < PORT_XDP_ACTIONS; i++) {
		if (dev->xdp[i])
			printf("%s%s %" PRIu64, decided ? "  " : "\n\t", actions[i], dev->xdp[i]);
		decided += dev->xdp[i];
	}
	if (dev->redirect_failed)
		printf("  not redirected %" PRIu64, dev->redirect_failed);
	printf("\n");
}

void dev_print(struct tool *t, const struct port_dev *dev)
{
	if (t->json)
		print_json(t, dev);
	else
		print_text(dev);
}
