/*
 * A key-value store that runs a user's filter on each request.
 *
 *	store FILTER.o < REQUESTS		"set KEY VALUE" or "get KEY", one a line
 *
 * The filter is verified when it is loaded; then it costs a few nanoseconds a request. It sees the request
 * as it lies in this process's memory and may change it, and this process reads the filter's map.
 */
#include <skep/embed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

enum { ENTRIES = 1024 };

static struct {
	char key[32], value[64];
} store[ENTRIES];

/* The key's place, or a free one, or NULL: full. */
static int find(const char *key)
{
	for (int i = 0; i < ENTRIES; i++)
		if (!store[i].key[0] || !strcmp(store[i].key, key))
			return i;
	return -1;
}

static void serve(const struct request *req)
{
	int at = find(req->key);

	if (at < 0) {
		printf("full\n");
	} else if (req->op == OP_GET) {
		printf("%s\n", store[at].key[0] ? store[at].value : "not found");
	} else {
		strcpy(store[at].key, req->key);
		strcpy(store[at].value, req->value);
		printf("stored\n");
	}
}

/* False: neither "set KEY VALUE" nor "get KEY". */
static int parse(const char *line, struct request *req)
{
	char verb[4];
	int words;

	memset(req, 0, sizeof(*req));
	words = sscanf(line, "%3s %31s %63[^\n]", verb, req->key, req->value);
	req->op = words == 3 ? OP_SET : OP_GET;
	req->len = (unsigned int)strlen(req->value);
	return words >= 2 && !strcmp(verb, words == 3 ? "set" : "get");
}

static int serve_all(struct skep_prog *filter)
{
	struct request req;
	uint64_t verdict;
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		if (!parse(line, &req)) {
			printf("not a request\n");
			continue;
		}
		if (skep_run(filter, &req, sizeof(req), &verdict)) {
			fprintf(stderr,
				"the filter is no SEC(\"syscall\") program over a request\n");
			return 1;
		}
		if (verdict == ALLOW)
			serve(&req);
		else
			printf("denied\n");
	}
	return 0;
}

static void print_counts(const struct skep_map *counts)
{
	static const char *const names[OP_CNT] = {"get", "set"};
	uint64_t count;

	for (uint32_t op = 0; counts && op < OP_CNT; op++)
		if (!skep_map_lookup(counts, &op, &count))
			printf("%s: %llu\n", names[op], (unsigned long long)count);
}

int main(int argc, char **argv)
{
	struct skep_object *object;
	struct skep_text why = {""};
	struct skep *skep;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: store FILTER.o < REQUESTS\n");
		return 2;
	}
	if (skep_new(NULL, &skep))
		return 1;
	if (skep_object_open(skep, argv[1], NULL, &object, &why)) {
		fprintf(stderr, "%s\n", why.text);
		skep_free(skep);
		return 1;
	}
	status = serve_all(skep_object_prog(object, NULL));
	print_counts(skep_object_map(object, "counts"));
	skep_object_close(object);
	skep_free(skep);
	return status;
}
