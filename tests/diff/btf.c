/*
 * BPF_BTF_LOAD of the running kernel against btf_new(): the same verdict, errno and log text, for
 *  - every text case of tests/unit/btf/cases,
 *  - the BTF of every object file given (made by clang),
 *  - random changes of both, from a fixed seed: words replaced by other words of the same BTF or by
 *    small numbers, bits flipped, sections cut, the header bent.
 *
 *	btf [--count N] [--seed N] FILE.txt… FILE.o…
 *
 * Exit status 77 where bpf(2) is not to be had.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../unit/btf/text.h"
#include "btf/btf.h"
#include "btf/fields.h"

enum { LOG_LEN = 8 << 20, SHOWN_MAX = 20, SEEDS_MAX = 1024, WITH_LOG_MAX = 1 << 16 };

struct bytes {
	u8 *data;
	u32 len;
};

static struct {
	struct bytes seeds[SEEDS_MAX];
	u32 seed_cnt;
	char *kernel_log;
	u64 random;
	u32 compared, accepted, failed, known;
	struct btf *vmlinux; /* the running kernel's types */
} test;

static u64 next_random(void)
{
	test.random ^= test.random << 13;
	test.random ^= test.random >> 7;
	test.random ^= test.random << 17;
	return test.random;
}

static u32 below(u32 n)
{
	return next_random() % n;
}

/* 0 or -errno */
static int kernel_load(const void *data, u32 len, bool with_log)
{
	union bpf_attr attr = {0};
	int fd;

	attr.btf = (u64)(uintptr_t)data;
	attr.btf_size = len;
	if (with_log) {
		attr.btf_log_buf = (u64)(uintptr_t)test.kernel_log;
		attr.btf_log_size = LOG_LEN;
		attr.btf_log_level = 1;
		test.kernel_log[0] = '\0';
	}
	fd = syscall(__NR_bpf, BPF_BTF_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static const char *last_line(const char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == '\n')
		len--;
	while (len && text[len - 1] != '\n')
		len--;
	return text + len;
}

static void complain(const char *what, const void *data, u32 len, int kernel_err, int err,
	const char *log, bool with_log)
{
	if (test.failed++ >= SHOWN_MAX)
		return;
	printf("%s: kernel %d, ours %d\n", what, kernel_err, err);
	if (with_log)
		printf("  kernel: %s\n  ours:   %s\n", last_line(test.kernel_log), last_line(log));
	printf(" ");
	for (u32 i = 0; i < len && i < 512; i++)
		printf("%s%02x", i % 4 ? "" : " ", ((const u8 *)data)[i]);
	printf("\n");
}

/*
 * A kptr to a struct whose name the kernel happens to have, but no way to release: -ENOENT there.
 * Here the engine's own structs are a short list (btf/fields.c), and it is the program's.
 */
static bool is_known_difference(const struct btf_obj *btf, int kernel_err)
{
	if (kernel_err != -ENOENT || !btf || !test.vmlinux)
		return false;
	for (u32 id = 1; id < btf_type_cnt(btf); id++) {
		const struct btf_fields *fields = btf_struct_fields(btf, id);

		for (u32 i = 0; fields && i < fields->cnt; i++) {
			const struct btf_field *f = &fields->items[i];

			if (f->kind == BTF_FIELD_KPTR_REF && !f->of_kernel &&
				btf__find_by_name_kind(test.vmlinux, btf_type_name(btf, f->type_id),
					BTF_KIND_STRUCT) > 0)
				return true;
		}
	}
	return false;
}

static bool compare(const char *what, const void *data, u32 len)
{
	bool with_log = len <= WITH_LOG_MAX;
	struct buf log = BUF_INIT;
	struct btf_obj *btf = NULL;
	int kernel_err = kernel_load(data, len, with_log);
	int err = btf_new(data, len, with_log ? &log : NULL, &btf);

	test.compared++;
	test.accepted += !err;
	if (is_known_difference(btf, kernel_err))
		test.known++;
	else if (err != kernel_err || (with_log && strcmp(test.kernel_log, buf_text(&log))))
		complain(what, data, len, kernel_err, err, buf_text(&log), with_log);
	btf_free(btf);
	buf_done(&log);
	return !err;
}

static void add_seed(const void *data, u32 len)
{
	struct bytes *seed = &test.seeds[test.seed_cnt];

	if (test.seed_cnt == SEEDS_MAX)
		return;
	seed->data = malloc(len);
	seed->len = len;
	memcpy(seed->data, data, len);
	test.seed_cnt++;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || !fread(text, 1, (1 << 20) - 1, f)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	return text;
}

static void compare_cases(const char *path)
{
	char *text = read_file(path), what[512];
	const char *p = text;
	struct btf_case c;
	int line = 1, ret;

	while ((ret = btf_text_next(&p, &line, &c)) > 0) {
		snprintf(what, sizeof(what), "%s:%d%s", path, c.line, c.title);
		/* what is sound breaks in more ways than what is broken */
		for (int copies = compare(what, c.data.data, c.data.len) ? 4 : 1; copies; copies--)
			add_seed(c.data.data, c.data.len);
		buf_done(&c.data);
	}
	if (ret < 0)
		exit(1);
	free(text);
}

static void compare_object(const char *path)
{
	struct btf *btf = btf__parse(path, NULL);
	const void *data;
	u32 len;

	if (!btf) {
		fprintf(stderr, "%s: no BTF: %s\n", path, strerror(errno));
		exit(1);
	}
	data = btf__raw_data(btf, &len);
	compare(path, data, len);
	/* more often changed than the many small ones */
	for (int i = 0; i < 128; i++)
		add_seed(data, len);
	btf__free(btf);
}

static void change_word(u8 *data, u32 len, u32 from)
{
	u32 words = (len - from) / 4, at = from + 4 * below(words), v,
	    other = from + 4 * below(words);

	memcpy(&v, data + at, 4);
	switch (below(7)) {
	case 0: memcpy(&v, data + other, 4); break;
	case 1: v = below(16); break;
	case 2: v ^= 1u << below(32); break;
	case 3: v += below(2) ? 1 : -1; break;
	case 4: v = below(20) << 24 | (v & 0x80ffffff); break;
	case 5: v = (v & ~0xffffu) | below(4); break;
	case 6: v = next_random(); break;
	}
	memcpy(data + at, &v, 4);
}

static void change_and_compare(u32 nr)
{
	struct bytes *seed = &test.seeds[below(test.seed_cnt)];
	u32 len = seed->len, from = below(16) ? 24 : 0;
	u8 *data = malloc(len + 1);
	char what[64];

	memcpy(data, seed->data, len);
	for (u32 i = below(4); i < 4 && len > from + 4; i += 1 + below(4))
		change_word(data, len, from);
	if (!below(32))
		len = below(len + 1);
	if (!below(16))
		data[below(len + 1)] = next_random();
	snprintf(what, sizeof(what), "change %u", nr);
	compare(what, data, len);
	free(data);
}

/* Some BTF makes Linux 6.18 warn (two locks, one in a nested struct): no random tries there. */
static bool warnings_are_deadly(void)
{
	FILE *f = fopen("/proc/sys/kernel/panic_on_warn", "r");
	int ch = f ? fgetc(f) : '0';

	if (f)
		fclose(f);
	return ch != '0';
}

int main(int argc, char **argv)
{
	u32 count = 20000;

	test.vmlinux = btf__load_vmlinux_btf();
	test.random = 0x9e3779b97f4a7c15;
	test.kernel_log = malloc(LOG_LEN);
	if (!test.kernel_log)
		return 1;
	if (kernel_load("", 0, false) != -EINVAL) {
		printf("skipped: BPF_BTF_LOAD is not permitted here (needs root or CAP_BPF)\n");
		return 77;
	}
	for (int i = 1; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (!strcmp(argv[i], "--count") && i + 1 < argc)
			count = strtoul(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			test.random = strtoull(argv[++i], NULL, 0) * 2 + 1;
		else if (len > 2 && !strcmp(argv[i] + len - 2, ".o"))
			compare_object(argv[i]);
		else
			compare_cases(argv[i]);
	}
	if (!test.seed_cnt)
		return 1;
	printf("%u given, %u differ\n", test.compared, test.failed);
	if (warnings_are_deadly()) {
		printf("no random changes: the kernel's panic_on_warn is set\n");
		count = 0;
	}
	for (u32 i = 0; i < count; i++)
		change_and_compare(i);
	printf("%u compared with the kernel: %u accepted, %u kptrs to kernel names, %u differ\n",
		test.compared, test.accepted, test.known, test.failed);
	return test.failed ? 1 : 0;
}
