/*
 * The two capture formats, written in the host's byte order with a snapshot length of NET_FRAME_MAX and
 * link type Ethernet. libpcap reads both but writes only the first, so both are written here by one rule.
 * Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 *
 *   pcap:   magic|ver|0|0|snaplen|link      then  sec|nsec|caplen|len|bytes
 *   pcapng: section header, interface (if_tsresol 9)   then  enhanced packet blocks, padded to 4
 */
#include "net/capture.h"

#include <errno.h>
#include <string.h>

enum {
	LINK_ETHERNET = 1,
	NG_SECTION = 0x0a0d0d0a,
	NG_INTERFACE = 1,
	NG_PACKET = 6,
	NG_ORDER = 0x1a2b3c4d,
	NG_OPT_TSRESOL = 9,
};

static const u32 pcap_magic_ns = 0xa1b23c4d;
static const u64 nsec_per_sec = 1000000000;

static int put(struct capture *capture, const void *data, size_t len)
{
	return len && fwrite(data, len, 1, capture->file) != 1 ? -EIO : 0;
}

static int put_words(struct capture *capture, const u32 *words, u32 cnt)
{
	return put(capture, words, cnt * sizeof(*words));
}

static int put_header(struct capture *capture)
{
	const u32 classic[] = {pcap_magic_ns, 2 | 4 << 16, 0, 0, NET_FRAME_MAX, LINK_ETHERNET};
	const u32 section[] = {NG_SECTION, 28, NG_ORDER, 1, ~0u, ~0u, 28};
	/* option if_tsresol: one byte, 9: units of 10^-9 s; then end of options */
	const u32 iface[] = {
		NG_INTERFACE, 32, LINK_ETHERNET, NET_FRAME_MAX, NG_OPT_TSRESOL | 1 << 16, 9, 0, 32};
	int err;

	if (!capture->is_ng)
		return put_words(capture, classic, ARRAY_SIZE(classic));
	err = put_words(capture, section, ARRAY_SIZE(section));
	return err ? err : put_words(capture, iface, ARRAY_SIZE(iface));
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

int net_capture_open(const char *path, struct capture *ret_capture)
{
	struct capture capture = {.is_ng = ends_with(path, ".pcapng")};
	int err;

	capture.file = fopen(path, "we");
	if (!capture.file)
		return -errno;
	err = put_header(&capture);
	if (err) {
		fclose(capture.file);
		return err;
	}
	*ret_capture = capture;
	return 0;
}

static int put_ng(struct capture *capture, const struct net_frame *frame)
{
	static const u8 zeros[4];
	u32 pad = -frame->len & 3, block_len = 32 + frame->len + pad;
	const u32 head[] = {NG_PACKET, block_len, 0, frame->stamp_ns >> 32, frame->stamp_ns,
		frame->len, frame->len + frame->cut_len};
	int err = put_words(capture, head, ARRAY_SIZE(head));

	if (!err)
		err = put(capture, frame->data, frame->len);
	if (!err)
		err = put(capture, zeros, pad);
	return err ? err : put_words(capture, &block_len, 1);
}

static int put_classic(struct capture *capture, const struct net_frame *frame)
{
	const u32 head[] = {frame->stamp_ns / nsec_per_sec, frame->stamp_ns % nsec_per_sec,
		frame->len, frame->len + frame->cut_len};
	int err = put_words(capture, head, ARRAY_SIZE(head));

	return err ? err : put(capture, frame->data, frame->len);
}

int net_capture_write(struct capture *capture, const struct net_frame *frame)
{
	return capture->is_ng ? put_ng(capture, frame) : put_classic(capture, frame);
}

int net_capture_flush(struct capture *capture)
{
	return fflush(capture->file) ? -errno : 0;
}

void net_capture_close(struct capture *capture)
{
	if (capture->file)
		fclose(capture->file);
	capture->file = NULL;
}
