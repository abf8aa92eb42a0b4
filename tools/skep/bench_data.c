/*
 * A packet from a file. A capture is known by its first four bytes; libpcap reads it. This file stands
 * alone because libpcap and libbpf both have a struct bpf_insn.
 */
#include "bench_data.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int say(int err, char *ret, const char *text)
{
	snprintf(ret, BENCH_REASON_MAX, "%s", text);
	return err;
}

static bool is_capture(const u8 *data, size_t len)
{
	static const u32 magics[] = {0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a};
	u32 magic;

	if (len < sizeof(magic))
		return false;
	memcpy(&magic, data, sizeof(magic));
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (magic == magics[i])
			return true;
	return false;
}

/* Takes file over. */
static int read_capture(FILE *file, u32 frame, u8 **ret_data, u32 *ret_len, char *ret_reason)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_fopen_offline(file, text);
	struct pcap_pkthdr *head;
	const u8 *bytes;
	u8 *data = NULL;
	int got = 1;

	if (!pcap) {
		fclose(file);
		return say(-EINVAL, ret_reason, text);
	}
	for (u32 i = 0; i < frame && got == 1; i++)
		got = pcap_next_ex(pcap, &head, &bytes);
	if (got == 1) {
		data = mem_dup(bytes, head->caplen);
		*ret_len = head->caplen;
	}
	pcap_close(pcap);
	if (got != 1) {
		snprintf(ret_reason, BENCH_REASON_MAX, "the capture has no frame %u", frame);
		return -ENOENT;
	}
	if (!data)
		return say(-ENOMEM, ret_reason, "out of memory");
	*ret_data = data;
	return 0;
}

static int read_bytes(FILE *file, u8 *data, u32 *ret_len, char *ret_reason)
{
	size_t len = fread(data, 1, BENCH_DATA_MAX, file);

	if (ferror(file))
		return say(-errno, ret_reason, strerror(errno));
	if (len == BENCH_DATA_MAX && !is_capture(data, len))
		return say(-E2BIG, ret_reason, "more bytes than a packet can have");
	*ret_len = (u32)len;
	return 0;
}

int bench_data(
	const char *path, u32 frame, u8 **ret_data, u32 *ret_len, char ret_reason[BENCH_REASON_MAX])
{
	FILE *file = fopen(path, "re");
	u8 *data;
	u32 len = 0;
	int err;

	if (!file)
		return say(-errno, ret_reason, strerror(errno));
	data = mem_alloc(BENCH_DATA_MAX);
	err = data ? read_bytes(file, data, &len, ret_reason)
		   : say(-ENOMEM, ret_reason, "out of memory");
	if (!err && is_capture(data, len)) {
		mem_free(data);
		rewind(file);
		return read_capture(file, frame, ret_data, ret_len, ret_reason);
	}
	fclose(file);
	if (!err && frame != 1)
		err = say(-EINVAL, ret_reason, "only a capture has more frames than one");
	if (err) {
		mem_free(data);
		return err;
	}
	*ret_data = data;
	*ret_len = len;
	return 0;
}
