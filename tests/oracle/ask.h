/*
 * One program of one object put to skep's own engine, in a process of its own: a crash, an endless loop
 * or a flood of memory is an answer too, and touches no other program.
 */
#ifndef ORACLE_ASK_H
#define ORACLE_ASK_H

#include "base/types.h"

enum {
	NAME_LEN = 128,
	MSG_LEN = 512,
	ASK_SECONDS = 60,
	ASK_MEM = 16 /* GiB of address space */,
};

enum outcome {
	OUT_ACCEPTED,
	OUT_REJECTED,
	OUT_NO_PROG_TYPE, /* the engine has no such programs */
	OUT_NO_MAP_TYPE,  /* the program uses a map of a type that the engine lacks */
	OUT_NOT_OPENED,	  /* libbpf cannot read the object, or has no such program */
	OUT_NOT_LOADED,	  /* libbpf gave up before BPF_PROG_LOAD */
	OUT_TIMEOUT,
	OUT_CRASH,
	OUTCOME_CNT,
};

struct question {
	const char *path; /* the object */
	const char *program;
	u32 prog_type, attach_type; /* what the running kernel was asked with */
	u32 seconds;
};

struct answer {
	enum outcome outcome;
	int err; /* positive errno of BPF_PROG_LOAD; the signal of OUT_CRASH */
	u64 ns;	 /* spent in BPF_PROG_LOAD */
	s64 insns_processed, peak_states; /* -1: the log does not say */
	char msg[MSG_LEN];		  /* last line of the log that says something */
};

extern const char *const outcome_names[OUTCOME_CNT];

union bpf_attr;
struct port;

/*
 * Loads the program through libbpf into this engine, in this process; on_load gets the BPF_PROG_LOAD of
 * the program asked about, while everything it points at is there, with its result. What libbpf made
 * (maps, BTF) lives until the process ends.
 */
typedef void (*load_fn)(void *arg, const union bpf_attr *attr, long ret);
void ask_here(const struct question *q, struct port *port, u32 log_level, load_fn on_load,
	void *arg, struct answer *ret);

/* 0, or a negative errno when no process could be started. log: also print the whole log, level 2. */
int ask(const struct question *q, bool log, struct answer *ret);
/* The last line of text that is no figure, lines ending at sep. */
void last_words(const char *text, const char *sep, char ret[MSG_LEN]);

#endif
