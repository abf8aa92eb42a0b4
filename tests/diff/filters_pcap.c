/*
 * Captures, expressions and libpcap's interpreter.
 */
#include "filters_pcap.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPLEN = 65535, GROW = 1024 };

bool filters_read(const char *path, struct filters_frame **ret_frames, u32 *ret_cnt)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, text);
	struct filters_frame *frames = NULL;
	struct pcap_pkthdr *head;
	const u8 *data;
	u32 cnt = 0;

	if (!pcap) {
		printf("%s: %s\n", path, text);
		return false;
	}
	while (pcap_next_ex(pcap, &head, &data) == 1) {
		if (cnt % GROW == 0)
			frames = realloc(frames, (cnt + GROW) * sizeof(*frames));
		frames[cnt].len = head->caplen;
		frames[cnt].data = malloc(head->caplen);
		memcpy(frames[cnt++].data, data, head->caplen);
	}
	pcap_close(pcap);
	*ret_frames = frames;
	*ret_cnt = cnt;
	return cnt;
}

void filters_free(struct filters_frame *frames, u32 cnt)
{
	for (u32 i = 0; i < cnt; i++)
		free(frames[i].data);
	free(frames);
}

u32 filters_compile(const char *expression, struct isa_classic *ret_filter, u32 cap)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	struct bpf_program program;
	u32 cnt = 0;

	if (pcap_compile(pcap, &program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
		printf("%s: %s\n", expression, pcap_geterr(pcap));
	} else {
		for (; cnt < program.bf_len && cnt < cap; cnt++)
			ret_filter[cnt] = (struct isa_classic){program.bf_insns[cnt].code,
				program.bf_insns[cnt].jt, program.bf_insns[cnt].jf,
				program.bf_insns[cnt].k};
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return cnt;
}

u32 filters_match(const struct isa_classic *filter, const struct filters_frame *frame)
{
	_Static_assert(sizeof(struct isa_classic) == sizeof(struct bpf_insn), "the same layout");
	return bpf_filter((const struct bpf_insn *)filter, frame->data, frame->len, frame->len);
}
