/*
 * A main() for fuzz targets in builds without the fuzzer: runs the target once over each file of the folders
 * and files given, so that the committed corpora are part of every test run.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/types.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	long len = -1;
	u8 *data;

	if (file && !fseek(file, 0, SEEK_END))
		len = ftell(file);
	if (len < 0) {
		fprintf(stderr, "%s cannot be read\n", path);
		return -1;
	}
	rewind(file);
	data = malloc(len ? len : 1); /* its own block, so that reading past the end is seen */
	if (!data || fread(data, 1, len, file) != (size_t)len)
		abort();
	fclose(file);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

/* The number of inputs run, or -1. */
static int replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	int cnt, total = 0, one;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return replay_file(path);
	cnt = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < cnt; i++) {
		char full[4096];

		snprintf(full, sizeof(full), "%s/%s", path, names[i]->d_name);
		one = names[i]->d_name[0] == '.' ? 0 : replay(full);
		total = one < 0 || total < 0 ? -1 : total + one;
		free(names[i]);
	}
	if (cnt >= 0)
		free(names);
	return cnt < 0 ? -1 : total;
}

int main(int argc, char **argv)
{
	int total = 0, one;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		one = replay(argv[i]);
		if (one < 0)
			return 1;
		total += one;
	}
	printf("%d inputs\n", total);
	return total ? 0 : 1;
}
