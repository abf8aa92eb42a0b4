/*
 * /proc/kallsyms has "ADDRESS TYPE NAME [MODULE]" a line; addresses are zero for readers without
 * the right to see them, and then nothing is found, which is no error.
 */
#include "symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Calls fn for each line until it returns true. */
static void each_symbol(bool (*fn)(void *arg, u64 addr, const char *name, size_t len), void *arg)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], *end;

	while (file && fgets(line, sizeof(line), file)) {
		u64 addr = strtoull(line, &end, 16);
		const char *name;

		if (end[0] != ' ' || !end[1] || end[2] != ' ')
			continue;
		name = end + 3;
		if (fn(arg, addr, name, strcspn(name, " \t\n")))
			break;
	}
	if (file)
		fclose(file);
}

static bool take_base(void *arg, u64 addr, const char *name, size_t len)
{
	static const char base[] = "__bpf_call_base";
	struct symbols *s = arg;

	if (len != sizeof(base) - 1 || memcmp(name, base, len))
		return false;
	s->call_base = addr;
	return true;
}

void symbols_init(struct symbols *s, bool is_kernel)
{
	*s = (struct symbols){0};
	if (is_kernel)
		each_symbol(take_base, s);
}

int symbols_add(struct symbols *s, u64 addr)
{
	struct symbol *more = mem_realloc(s->items, s->cnt + 1, sizeof(*more));

	if (!more)
		return -1;
	s->items = more;
	more[s->cnt++] = (struct symbol){.addr = addr};
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct symbol *at(const struct symbols *s, u64 addr)
{
	const struct symbol key = {.addr = addr};

	return s->cnt ? bsearch(&key, s->items, s->cnt, sizeof(key), by_addr) : NULL;
}

static bool take_name(void *arg, u64 addr, const char *name, size_t len)
{
	struct symbol *symbol = addr ? at(arg, addr) : NULL;

	if (symbol && !symbol->name[0])
		snprintf(symbol->name, sizeof(symbol->name), "%.*s", (int)len, name);
	return false;
}

void symbols_find(struct symbols *s)
{
	size_t cnt = 0;

	if (!s->cnt)
		return;
	qsort(s->items, s->cnt, sizeof(*s->items), by_addr);
	for (size_t i = 0; i < s->cnt; i++)
		if (!cnt || s->items[cnt - 1].addr != s->items[i].addr)
			s->items[cnt++] = s->items[i];
	s->cnt = cnt;
	each_symbol(take_name, s);
}

const char *symbols_name(const struct symbols *s, u64 addr)
{
	const struct symbol *symbol = at(s, addr);

	return symbol && symbol->name[0] ? symbol->name : NULL;
}

void symbols_done(struct symbols *s)
{
	mem_free(s->items);
	*s = (struct symbols){0};
}
