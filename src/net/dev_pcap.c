/*
 * pcap:IN[,OUT] - a device that replays a capture. IN is classic pcap or pcapng (libpcap reads it, with
 * nanosecond stamps); OUT gets what leaves the device and what passed without a peer, with the stamps the
 * frames came with. IN may be "-" for standard input; empty IN (pcap:,OUT) only records.
 *
 * A capture that is cut in the middle of a frame is a report, not a failure of what came before: whole
 * frames have been processed when it is met.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/mem.h"
#include "net/capture.h"
#include "net/dev.h"

struct port {
	pcap_t *in; /* NULL: nothing comes in */
	char *in_path;
	bool has_out;
	struct capture out;
	u64 frame_cnt; /* read so far */
};

static int open_in(struct port *port, const char *path, struct buf *err)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	const char *link;

	port->in_path = mem_dup(path, strlen(path) + 1);
	if (!port->in_path)
		return -ENOMEM;
	if (!*path)
		return 0;
	errno = 0;
	port->in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!port->in) {
		int res = errno == ENOENT || errno == EACCES || errno == EISDIR ? -errno : -EINVAL;

		buf_printf(err, "pcap:%s: %s", path, text);
		return res;
	}
	if (pcap_datalink(port->in) == DLT_EN10MB)
		return 0;
	link = pcap_datalink_val_to_name(pcap_datalink(port->in));
	buf_printf(err, "pcap:%s: its link type is %s; XDP programs need Ethernet frames (EN10MB)",
		path, link ? link : "unknown");
	return -EINVAL;
}

static int open_out(struct port *port, const char *path, struct buf *err)
{
	int res = net_capture_open(path, &port->out);

	if (res) {
		buf_printf(err, "pcap output %s: %s", path, strerror(-res));
		return res;
	}
	port->has_out = true;
	return 0;
}

static void close_port(struct port *port)
{
	if (port->in)
		pcap_close(port->in);
	if (port->has_out)
		net_capture_close(&port->out);
	mem_free(port->in_path);
	mem_free(port);
}

static int open_pcap(struct net_dev *dev, const char *args, struct buf *err)
{
	char path[4096];
	size_t in_len = strcspn(args, ",");
	const char *out = args[in_len] ? args + in_len + 1 : NULL;
	struct port *port;
	int res;

	if (!*args || (!in_len && !out) || in_len >= sizeof(path) ||
		(out && (!*out || strchr(out, ',')))) {
		buf_printf(err,
			"'pcap:%s': write pcap:IN or pcap:IN,OUT with the names of captures", args);
		return -EINVAL;
	}
	memcpy(path, args, in_len);
	path[in_len] = '\0';
	if (out && !strcmp(path, out)) {
		buf_printf(err, "pcap:%s: input and output are the same file", args);
		return -EINVAL;
	}
	port = mem_zalloc(sizeof(*port));
	if (!port)
		return -ENOMEM;
	res = open_in(port, path, err);
	if (!res && out)
		res = open_out(port, out, err);
	if (res) {
		close_port(port);
		return res;
	}
	dev->priv = port;
	dev->is_ended = !port->in;
	return 0;
}

static void close_pcap(struct net_dev *dev)
{
	close_port(dev->priv);
}

static int recv_frame(struct net_dev *dev, struct net_frame *frame, struct buf *err)
{
	struct port *port = dev->priv;
	struct pcap_pkthdr *head;
	const u8 *data;
	int res = pcap_next_ex(port->in, &head, &data);

	if (res == PCAP_ERROR_BREAK)
		return -ENODATA;
	if (res != 1) {
		buf_printf(err, "pcap:%s: after %llu whole frames: %s", port->in_path,
			(unsigned long long)port->frame_cnt, pcap_geterr(port->in));
		return -EIO;
	}
	if (head->caplen > NET_FRAME_MAX) {
		buf_printf(err, "pcap:%s: frame %llu has %u bytes; at most %d are possible",
			port->in_path, (unsigned long long)port->frame_cnt + 1, head->caplen,
			NET_FRAME_MAX);
		return -EMSGSIZE;
	}
	port->frame_cnt++;
	memcpy(frame->data, data, head->caplen);
	frame->len = head->caplen;
	frame->cut_len = head->len > head->caplen ? head->len - head->caplen : 0;
	/* with nanosecond precision tv_usec holds nanoseconds */
	frame->stamp_ns = (u64)head->ts.tv_sec * 1000000000 + head->ts.tv_usec;
	return 0;
}

static int write_out(struct net_dev *dev, const struct net_frame *frame)
{
	struct port *port = dev->priv;

	return port->has_out ? net_capture_write(&port->out, frame) : 0;
}

static int flush(struct net_dev *dev)
{
	struct port *port = dev->priv;

	return port->has_out ? net_capture_flush(&port->out) : 0;
}

static bool has_frame(const struct net_dev *dev)
{
	const struct port *port = dev->priv;

	return port->in && !dev->is_ended;
}

const struct net_dev_ops net_dev_pcap = {
	.kind = "pcap",
	.syntax = "pcap:IN[,OUT]",
	.open = open_pcap,
	.close = close_pcap,
	.recv = recv_frame,
	.send = write_out,
	.record = write_out,
	.flush = flush,
	.has_frame = has_frame,
};
