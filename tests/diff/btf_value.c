/*
 * Values by type: what bpftool shows of maps of the running kernel against btf_value_print(), for
 * random values of many types, as JSON and as text. Blanks between words are not compared.
 *
 * Left out is what bpftool does not write well: floats, and a quote or backslash as a char.
 * Exit status 77 where bpf(2) or bpftool is not to be had.
 */
#include "btf_value.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/btf/text.h"

enum { ENTRIES = 24, TEXT_MAX = 1 << 20 };

static const char types[] = "INT int size=4 enc=1\n"		 /* 1 */
			    "INT \"unsigned char\" size=1\n"	 /* 2 */
			    "INT \"unsigned short\" size=2\n"	 /* 3 */
			    "INT \"unsigned int\" size=4\n"	 /* 4 */
			    "INT u64 size=8\n"			 /* 5 */
			    "INT \"signed char\" size=1 enc=1\n" /* 6 */
			    "INT char size=1 enc=1\n"		 /* 7, as clang has it */
			    "INT _Bool size=1 enc=4\n"		 /* 8 */
			    "PTR type=0\n"			 /* 9 */
			    "ENUM colour size=4\n"		 /* 10 */
			    "	RED val=0\n"
			    "	GREEN val=7\n"
			    "	BLUE val=-3\n"
			    "ENUM tiny size=1\n" /* 11 */
			    "	ONE val=1\n"
			    "ARRAY elem=7 index=4 nelems=8\n" /* 12 */
			    "STRUCT bits size=8 kflag=1\n"    /* 13 */
			    "	a type=4 off=0 bitsize=3\n"
			    "	b type=1 off=3 bitsize=5\n"
			    "	c type=10 off=8 bitsize=4\n"
			    "	d type=3 off=16\n"
			    "	e type=5 off=32 bitsize=31\n"
			    "UNION either size=4\n" /* 14 */
			    "	word type=4\n"
			    "	half type=3\n"
			    "STRUCT outer size=40 kflag=0\n" /* 15 */
			    "	id type=4\n"
			    "	u type=14 off=32\n"
			    "	list type=16 off=64\n"
			    "	c type=10 off=128\n"
			    "	p type=9 off=192\n"
			    "	name type=12 off=256\n"
			    "ARRAY elem=3 index=4 nelems=3\n" /* 16 */
			    "ENUM64 flags size=8\n"	      /* 17 */
			    "	HIGH val=0x100000000\n"
			    "	LOW val=1\n"
			    "INT \"unsigned __int128\" size=16\n" /* 18 */
			    "INT \"long long\" size=8 enc=1\n"	  /* 19 */
			    "INT short size=2 enc=1\n"		  /* 20 */
			    "TYPEDEF number type=1\n"		  /* 21 */
			    "VOLATILE type=21\n"		  /* 22 */
			    "ARRAY elem=13 index=4 nelems=2\n"	  /* 23 */
			    "ARRAY elem=16 index=4 nelems=2\n"	  /* 24 */
			    "INT odd size=4 bits=27\n"		  /* 25 */
			    "STRUCT wrapped size=8\n"		  /* 26 */
			    "	odd type=25\n"
			    "	type=27 off=32\n"
			    "STRUCT size=4\n" /* 27 */
			    "	x type=3\n"
			    "	y type=20 off=16\n"
			    "INT letter size=1 enc=2\n" /* 28 */
			    "STRUCT letters size=2\n"	/* 29 */
			    "	a type=28\n"
			    "	b type=8 off=8\n";

static const u32 shown[] = {1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22,
	23, 24, 25, 26, 28, 29};

static struct btf *btf;
static u64 state = 0x9e3779b97f4a7c15;
static char theirs[TEXT_MAX], ours[TEXT_MAX];

static u32 below(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* Small numbers, whole words of ones, texts and noise. */
static void make_value(u8 *value, size_t len)
{
	u32 kind = below(4);

	for (size_t i = 0; i < len; i++) {
		switch (kind) {
		case 0: value[i] = i % 4 ? 0 : (u8)below(9); break;
		case 1: value[i] = 0xff; break;
		case 2: value[i] = (u8)(i % 8 == 7 ? 0 : 'a' + below(26)); break;
		default: value[i] = (u8)below(256); break;
		}
		if (value[i] == '"' || value[i] == '\\')
			value[i] = '!';
	}
}

/* A bool is 0 or 1: other values are no bools, and read as one they are undefined. */
static void mend_bools(u32 id, u8 *value)
{
	if (id == 8)
		value[0] &= 1;
	if (id == 29)
		value[1] &= 1;
}

/* Without blanks outside of quotes. */
static void squeeze(char *text)
{
	char *out = text;
	bool quoted = false;

	for (; *text; text++) {
		quoted ^= *text == '"';
		if (quoted || !strchr(" \t\n", *text))
			*out++ = *text;
	}
	*out = '\0';
}

static int read_theirs(const char *options, u32 map_id)
{
	char command[128];
	size_t len;
	FILE *f;

	snprintf(command, sizeof(command), "bpftool %s map dump id %u 2>&1", options, map_id);
	f = popen(command, "r");
	if (!f)
		return -errno;
	len = fread(theirs, 1, TEXT_MAX - 1, f);
	theirs[len] = '\0';
	squeeze(theirs);
	return pclose(f);
}

/* The whole dump as bpftool lays it out. */
static int write_ours(u32 id, size_t len, int map_fd, bool text)
{
	FILE *f = fmemopen(ours, TEXT_MAX, "w");
	u32 key = 0, *prev = NULL;
	struct json w;
	u8 value[64];
	int err = 0;

	json_init(&w, f, false);
	json_start_array(&w);
	for (; !err && !bpf_map_get_next_key(map_fd, prev, &key); prev = &key) {
		err = bpf_map_lookup_elem(map_fd, &key, value);
		json_start_object(&w);
		if (!text) {
			json_name(&w, "key");
			json_hex_array(&w, &key, sizeof(key));
			json_name(&w, "value");
			json_hex_array(&w, value, len);
			json_name(&w, "formatted");
			json_start_object(&w);
		}
		json_name(&w, "key");
		err = err ? err : btf_value_print(&w, btf, 4, &key, sizeof(key), text);
		json_name(&w, "value");
		err = err ? err : btf_value_print(&w, btf, id, value, len, text);
		json_end_object(&w);
		if (!text)
			json_end_object(&w);
	}
	json_end_array(&w);
	fclose(f);
	squeeze(ours);
	return err;
}

static int compare_type(u32 id, int btf_fd)
{
	size_t len = (size_t)btf__resolve_size(btf, id);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = btf_fd, .btf_key_type_id = 4,
		.btf_value_type_id = id);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "values", 4, len, ENTRIES, &opts);
	struct bpf_map_info info = {0};
	u32 info_len = sizeof(info);
	int failed = 0;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &info_len)) {
		printf("type %u: no map: %s\n", id, strerror(errno));
		return 1;
	}
	for (u32 key = 0; key < ENTRIES; key++) {
		u8 value[64];

		make_value(value, len);
		mend_bools(id, value);
		bpf_map_update_elem(fd, &key, value, BPF_ANY);
	}
	for (int text = 0; text < 2; text++) {
		int err = write_ours(id, len, fd, text);

		if (read_theirs(text ? "" : "-j", info.id) || err || strcmp(ours, theirs)) {
			printf("type %u:\n  bpftool: %s\n  ours:    %s\n", id, theirs, ours);
			failed = 1;
		}
	}
	close(fd);
	return failed;
}

int main(void)
{
	struct buf data = btf_text(types);
	int fd, failed = 0;

	fd = bpf_btf_load(data.data, data.len, NULL);
	if (fd < 0 && (fd == -EPERM || fd == -ENOSYS)) {
		printf("skipped: bpf(2) is not permitted here (needs root or CAP_BPF)\n");
		buf_done(&data);
		return 77;
	}
	if (system("bpftool version >/dev/null 2>&1")) {
		printf("skipped: bpftool is not installed\n");
		buf_done(&data);
		return 77;
	}
	btf = btf__new(data.data, data.len);
	buf_done(&data);
	if (fd < 0 || !btf)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		failed += compare_type(shown[i], fd);
	printf("%zu types, %d values each, %d differ\n", ARRAY_SIZE(shown), ENTRIES, failed);
	btf__free(btf);
	close(fd);
	return failed ? 1 : 0;
}
