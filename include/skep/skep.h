/*
 * skep: eBPF in an ordinary process.
 *
 * An instance is one userspace kernel. skep_bpf is its bpf(2): the same commands, structures and errno as
 * Linux, so libbpf drives it when its syscall() is wrapped (docs/design/port.md shows the two lines).
 *
 * Thread-safety: every function may be called from any thread; an instance is closed by one thread when
 * no other uses it.
 */
#ifndef SKEP_SKEP_H
#define SKEP_SKEP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SKEP_API __attribute__((visibility("default")))

struct skep;
union bpf_attr;

enum skep_log_level { SKEP_LOG_WARN, SKEP_LOG_INFO, SKEP_LOG_DEBUG };

enum skep_flags {
	SKEP_NO_JIT = 1 << 0,  /* interpret every program */
	SKEP_CHECKED = 1 << 1, /* check every memory access while running (slow; for tests) */
	SKEP_REPLAY = 1 << 2,  /* clock and randomness come from the capture and the seed */
};

struct skep_options {
	size_t sz;	  /* sizeof(struct skep_options) */
	uint32_t flags;	  /* enum skep_flags */
	uint32_t cpu_cnt; /* logical CPUs; 0: the host's possible CPUs */
	uint64_t seed;	  /* for SKEP_REPLAY */
	/* Messages; text has no newline. Called from any thread that uses the instance. NULL: dropped. */
	void (*log)(void *arg, enum skep_log_level level, const char *text);
	void *log_arg;
	/* Bytes of all maps together, from the sizes they are made with; one that does not fit is -ENOMEM.
	 * 0: no limit. */
	uint64_t map_mem_max;
};

/* A new instance; opts may be NULL. 0, -EINVAL (unknown flags, sz), -ENOMEM. */
SKEP_API int skep_new(const struct skep_options *opts, struct skep **ret_skep);
/* Ends it: devices are closed, objects dropped. Descriptors handed out stay open but are dead. NULL is fine. */
SKEP_API void skep_free(struct skep *skep);
/* bpf(2): cmd is enum bpf_cmd, attr has size bytes. A descriptor or 0, or -errno. Pointers inside attr are
 * the caller's memory; a bad one gives -EFAULT. */
SKEP_API long skep_bpf(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size);

/*
 * The same for callers who make two promises, so that commands on single elements need no system call:
 *
 *   - pointers in attr are good for what the command reads and writes there (a bad one is a fault, as with memcpy);
 *   - a descriptor that was given to skep_bpf_trusted is closed with skep_close. Until then its object stays.
 */
SKEP_API long skep_bpf_trusted(struct skep *skep, int cmd, union bpf_attr *attr, unsigned int size);
/* close(2) of a descriptor that the instance may remember. 0 or -errno. */
SKEP_API int skep_close(struct skep *skep, int fd);

#ifdef __cplusplus
}
#endif

#endif
