/*
 * The header and the two sections it describes. They must tile what follows the header without gap or
 * overlap, strings last; a longer header than ours is fine as long as the rest of it is zero.
 */
#include <errno.h>
#include <string.h>

#include "btf/log.h"

struct section {
	u32 off, len;
};

/* The kernel's order of two sections: by offset, then by length, as differences of 32 bits. */
static bool is_after(struct section a, struct section b)
{
	s32 diff = (s32)(a.off - b.off);

	return (diff ? diff : (s32)(a.len - b.len)) > 0;
}

static int check_sections(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;
	struct section types = {hdr->type_off, hdr->type_len};
	struct section strings = {hdr->str_off, hdr->str_len};
	bool swapped = is_after(types, strings);
	struct section secs[] = {swapped ? strings : types, swapped ? types : strings};
	u32 space = c->btf->len - hdr->hdr_len, total = 0;
	const char *complaint = NULL;

	for (int i = 0; i < 2 && !complaint; i++) {
		if (space < secs[i].off)
			complaint = "Invalid section offset";
		else if (total < secs[i].off)
			complaint = "Unsupported section found";
		else if (total > secs[i].off)
			complaint = "Section overlap found";
		else if (space - total < secs[i].len)
			complaint = "Total section length too long";
		else
			total += secs[i].len;
	}
	if (!complaint && total != space)
		complaint = "Unsupported section found";
	if (complaint)
		btf_log(c, "%s", complaint);
	return complaint ? -EINVAL : 0;
}

static int read_header(struct btf_check *c)
{
	struct btf_obj *btf = c->btf;
	u32 hdr_len;

	if (btf->len < offsetof(struct btf_header, type_off)) {
		btf_log(c, "hdr_len not found");
		return -EINVAL;
	}
	memcpy(&hdr_len, btf->data + offsetof(struct btf_header, hdr_len), sizeof(hdr_len));
	if (btf->len < hdr_len) {
		btf_log(c, "btf_header not found");
		return -EINVAL;
	}
	for (u32 i = sizeof(btf->hdr); i < hdr_len; i++) {
		if (btf->data[i]) {
			btf_log(c, "Unsupported btf_header");
			return -E2BIG;
		}
	}
	memcpy(&btf->hdr, btf->data, MIN(hdr_len, sizeof(btf->hdr)));
	return 0;
}

int btf_check_header(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;
	int err = read_header(c);

	if (err)
		return err;
	btf_log_header(c);
	if (hdr->magic != BTF_MAGIC) {
		btf_log(c, "Invalid magic");
		return -EINVAL;
	}
	if (hdr->version != BTF_VERSION) {
		btf_log(c, "Unsupported version");
		return -BTF_ENOTSUPP;
	}
	if (hdr->flags) {
		btf_log(c, "Unsupported flags");
		return -BTF_ENOTSUPP;
	}
	if (c->btf->len == hdr->hdr_len) {
		btf_log(c, "No data");
		return -EINVAL;
	}
	return check_sections(c);
}

int btf_check_strings(struct btf_check *c)
{
	const struct btf_header *hdr = &c->btf->hdr;
	u32 space = c->btf->len - hdr->hdr_len;
	const char *strings = (const char *)c->btf->data + hdr->hdr_len + hdr->str_off;

	if (hdr->str_off + hdr->str_len != space) {
		btf_log(c, "String section is not at the end");
		return -EINVAL;
	}
	if (!hdr->str_len || hdr->str_len - 1 > BTF_MAX_NAME_OFFSET || strings[hdr->str_len - 1] ||
		strings[0]) {
		btf_log(c, "Invalid string section");
		return -EINVAL;
	}
	c->btf->strings = strings;
	return 0;
}
