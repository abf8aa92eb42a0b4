/*
 * Writes a page of docs/parity on stdout from the engine's own tables. Where a test stands, the name's tests
 * are looked up by check.sh: the cell holds @TESTS:name@.
 *
 *	generate helpers | kfuncs
 */
#include <stdio.h>
#include <string.h>

#include "core/kfunc.h"
#include "helpers/helpers.h"

struct counts {
	u32 runs, absent, refused;
};

static const char *state_of(const struct hlp_proto *proto, struct counts *counts)
{
	if (!proto->fn) {
		counts->refused++;
		return "refused";
	}
	if (proto->why) {
		counts->absent++;
		return "no meaning";
	}
	counts->runs++;
	return "runs";
}

static void print_row(const struct hlp_proto *proto, const char *name, const char *state)
{
	printf("%s | %s | %u.%u | %s%s%s | @TESTS:%s@ |\n", name, state, proto->since_major,
		proto->since_minor, proto->doc, proto->why ? "; here: " : "",
		proto->why ? proto->why : "", name);
}

static void print_helpers(void)
{
	struct counts counts = {0};

	printf("# Helpers beside Linux 6.18\n\n"
	       "Every helper, made from src/helpers/helpers.def by `make ref`. *runs*: as in "
	       "Linux. *no "
	       "meaning*: programs that call\nit are accepted, and it answers -EOPNOTSUPP, NULL or "
	       "what Linux answers where there is none of what it asks for.\n*refused*: a program "
	       "that "
	       "calls it is refused when it is right otherwise. Who may call what is compared with "
	       "the\n"
	       "running kernel for every helper (tests/diff/helper_progs).\n\n"
	       "| id | helper | state | since | what it does | tests "
	       "|\n|---|---|---|---|---|---|\n");
	for (u32 id = 1; id < hlp_table_cnt; id++) {
		printf("| %u | ", id);
		print_row(hlp_table[id], hlp_table[id]->name, state_of(hlp_table[id], &counts));
	}
	printf("\n%u run, %u have no meaning here, %u are refused.\n", counts.runs, counts.absent,
		counts.refused);
}

static void print_kfuncs(void)
{
	struct counts counts = {0};

	printf("# Kernel functions beside Linux 6.18\n\n"
	       "Those that run here, made from src/helpers/kfuncs.def by `make ref`; words as in "
	       "[helpers](helpers.md). All others of\nLinux are known to the verifier, and a "
	       "program "
	       "that calls one is refused when it is right otherwise.\n\n"
	       "| function | state | since | what it does | tests |\n|---|---|---|---|---|\n");
	for (u32 i = 0; i < hlp_kfunc_cnt; i++) {
		const struct hlp_proto *proto = &hlp_kfuncs[i]->proto;

		printf("| ");
		print_row(proto, proto->name, state_of(proto, &counts));
	}
	printf("\n%u run, %u have no meaning here.\n", counts.runs, counts.absent);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "helpers"))
		print_helpers();
	else if (argc == 2 && !strcmp(argv[1], "kfuncs"))
		print_kfuncs();
	else
		return 2;
	return ferror(stdout) != 0;
}
