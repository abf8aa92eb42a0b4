/*
 * skep inside an application: programs from object files or from instructions, run over the
 * application's own memory and packets, and maps shared with it.
 *
 * What the verifier accepted runs at full speed on the caller's thread. Code that it has not seen runs
 * checked: inside the memory that the caller grants, for as many instructions as he allows, and what it
 * does wrong ends in a report.
 *
 * Results are 0 or a negative errno; where a `struct skep_text` is given it gets one sentence that says
 * why (it may be NULL). Structures that the caller fills begin with their size.
 *
 * Thread-safety: any thread may use any handle. Runs of one program on several threads go on side by
 * side, as many as the instance has logical CPUs. A handle is closed by one thread when no other uses it.
 */
#ifndef SKEP_EMBED_H
#define SKEP_EMBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/skep.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bpf_insn;
struct skep_object;
struct skep_prog;
struct skep_map;

struct skep_text {
	char text[1024];
};

/* ---- object files ---- */

/* A map that takes the place of the object's map of that name; its sizes must be the same. */
struct skep_shared_map {
	const char *name;
	const struct skep_map *map;
};

struct skep_object_options {
	size_t sz;	  /* sizeof(struct skep_object_options) */
	const char *prog; /* load this program alone; NULL: all of them */
	const struct skep_shared_map *maps;
	size_t map_cnt;
};

/*
 * Loads an object that clang made: its maps, and its programs through the verifier. opts may be NULL.
 * -ENOENT, -EINVAL, -EACCES and others as the file, libbpf or the verifier has it.
 */
SKEP_API int skep_object_open(struct skep *skep, const char *path,
	const struct skep_object_options *opts, struct skep_object **ret_object,
	struct skep_text *ret_why);
/* Its programs and maps are closed with it. NULL is fine. */
SKEP_API void skep_object_close(struct skep_object *object);
/* The object's own handle, or NULL: no program (map) of that name was loaded. name NULL: the first program. */
SKEP_API struct skep_prog *skep_object_prog(const struct skep_object *object, const char *name);
SKEP_API struct skep_map *skep_object_map(const struct skep_object *object, const char *name);

/* ---- instructions ---- */

enum skep_prog_flags {
	SKEP_UNVERIFIED = 1 << 0, /* not put to the verifier: for skep_run_checked() only */
};

struct skep_prog_options {
	size_t sz;	/* sizeof(struct skep_prog_options) */
	uint32_t type;	/* BPF_PROG_TYPE_*; not looked at when unverified */
	uint32_t flags; /* enum skep_prog_flags */
	const struct bpf_insn *insns;
	uint32_t insn_cnt;
	const char *name;    /* NULL: none */
	const char *license; /* NULL: "GPL" */
};

/* Maps are named by descriptors of the instance (skep_map_fd). For skep_prog_close(). */
SKEP_API int skep_prog_load(struct skep *skep, const struct skep_prog_options *opts,
	struct skep_prog **ret_prog, struct skep_text *ret_why);
SKEP_API void skep_prog_close(struct skep_prog *prog);

/* ---- maps ---- */

/* A handle of the map behind a descriptor of the instance (BPF_MAP_CREATE through skep_bpf, BPF_OBJ_GET).
 * For skep_map_close(). -EBADF, -EINVAL, -ENOMEM. */
SKEP_API int skep_map_open(struct skep *skep, int fd, struct skep_map **ret_map);
SKEP_API void skep_map_close(struct skep_map *map);
/* A new descriptor of the map, for libbpf or skep_bpf(); closed with close(2). -EMFILE, -ENOMEM. */
SKEP_API int skep_map_fd(const struct skep_map *map);
/* Bytes of a key, and of a value as the functions below copy it: for per-CPU maps those of all CPUs. */
SKEP_API size_t skep_map_key_size(const struct skep_map *map);
SKEP_API size_t skep_map_value_size(const struct skep_map *map);
/* As BPF_MAP_*_ELEM: -ENOENT, -EEXIST, -E2BIG, -EPERM, … ; -EBADF for maps whose values are descriptors. */
SKEP_API int skep_map_lookup(const struct skep_map *map, const void *key, void *ret_value);
SKEP_API int skep_map_update(
	const struct skep_map *map, const void *key, const void *value, uint64_t flags);
SKEP_API int skep_map_delete(const struct skep_map *map, const void *key);
/* key NULL or unknown: the first one. -ENOENT after the last. */
SKEP_API int skep_map_next_key(const struct skep_map *map, const void *key, void *ret_next);

/* ---- running ---- */

/*
 * Runs a program over ctx, memory that it sees as it is: BPF_PROG_TYPE_SYSCALL reads and writes it,
 * RAW_TRACEPOINT, TRACEPOINT and KPROBE read it. ret_value may be NULL. -EINVAL: a program of another type, or len is
 * less than what the program may touch; -EFAULT: it faulted, in an instance that checks.
 */
SKEP_API int skep_run(struct skep_prog *prog, void *ctx, size_t len, uint64_t *ret_value);

/* A frame in the caller's buffer, for an XDP program, which may move its ends inside the buffer. */
struct skep_packet {
	uint8_t *buf;
	uint32_t cap;	   /* bytes of buf */
	uint32_t off, len; /* the frame: buf[off] and len bytes; what it is afterwards */
	uint32_t meta_len; /* metadata before the frame; what it is afterwards */
	uint32_t ifindex, queue;
	uint32_t verdict;	   /* XDP_*, as the program returned it */
	uint32_t redirect_ifindex; /* with XDP_REDIRECT */
};

enum { SKEP_BATCH = 64 /* packets in a batch that pays */ };

/*
 * Runs an XDP program over cnt packets, in order. Batches cost less a packet: the CPU is taken once and
 * the frames to come are fetched while one is worked on. -EINVAL: no XDP program, or a packet that does not lie
 * in its buffer (none has run then).
 */
SKEP_API int skep_run_packets(struct skep_prog *prog, struct skep_packet *packets, size_t cnt);

/* Memory that a checked run may touch. */
struct skep_region {
	const char *name; /* for the report */
	void *start;
	size_t len; /* bytes */
	bool can_write;
};

enum { SKEP_REGION_MAX = 8 };

/* How a checked run ended. */
struct skep_fault {
	bool is_fault;
	uint32_t insn_idx;
	uint64_t addr; /* of the access, or the number of the helper */
	uint32_t len;
	bool is_write;
	struct skep_text
		why; /* "instruction 3: writes 8 bytes at 0x7f… (4 past the end of request)" */
};

struct skep_checked_run {
	size_t sz; /* sizeof(struct skep_checked_run) */
	void *ctx; /* r1 */
	const struct skep_region *regions;
	size_t region_cnt; /* at most SKEP_REGION_MAX */
	uint64_t budget;   /* instructions; 0: 1,000,000 */
	uint64_t ret_value;
	struct skep_fault fault;
};

/*
 * Runs any program checked. Besides its regions it may touch its stack and the values of its maps. 0: it
 * ended, its result is in ret_value; -EFAULT: fault says why it did not. -EINVAL: too many regions.
 */
SKEP_API int skep_run_checked(struct skep_prog *prog, struct skep_checked_run *run);

#ifdef __cplusplus
}
#endif

#endif
