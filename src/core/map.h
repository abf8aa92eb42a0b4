/*
 * The contract between a map type and everything that uses maps.
 *
 * A type is a row in maps/maps.def (numbers, names, which flags and sizes are legal) and a struct of
 * ops. Program-side ops get the logical CPU and return a pointer into the map; user-side ops copy whole
 * values (all CPUs' values side by side, each rounded up to 8 bytes, for per-CPU types).
 *
 * All ops may be called from any thread without a lock. Readers take no lock. A value pointer stays
 * readable for as long as the map lives (entries are recycled, never unmapped), as with Linux's
 * preallocated maps.
 */
#ifndef CORE_MAP_H
#define CORE_MAP_H

#include "core/obj.h"
#include "isa/uapi.h"

struct map;
struct prog;
struct btf_field;
struct btf_fields;
struct arena;
struct ring;
struct map_store;

enum {
	MAP_NAME_LEN = BPF_OBJ_NAME_LEN,
	MAP_FD_KEY_MAX = 16, /* bytes */
	MAP_ENOTSUPP = 524,  /* Linux's ENOTSUPP, which has no name in user space */
};

/* What MAP_CREATE asked for, already checked for size and unknown fields. */
struct map_attr {
	u32 type;
	u32 key_size, value_size; /* bytes */
	u32 max_entries;
	u32 flags; /* BPF_F_* as the user gave them */
	u64 extra;
	u32 numa_node;
	char name[MAP_NAME_LEN];
	int inner_fd; /* maps of maps: the caller's descriptor of a map like the inner ones */
	const struct map_fds *fds; /* looks it up; NULL where nobody can */
	u32 btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	struct map_store *store; /* where the map's memory is; NULL: in this process alone */
};

/* How ops find what descriptors of the caller name: layer sys knows the caller. */
struct map_fds {
	/* A counted reference. -EBADF; -EINVAL: an object of another kind, or none. */
	int (*get)(const struct map_fds *fds, int fd, enum obj_kind kind, struct obj **ret_obj);
	/* A descriptor of ours on the same open file, which the callee closes. -EBADF. */
	int (*open)(const struct map_fds *fds, int fd, int *ret_fd);
};

/*
 * What stands in maps of things outside of the engine: sockets by cookie, cgroups by id, perf events.
 * lookup gives its address.
 */
struct map_handle {
	u64 id;		 /* 0: nothing is there */
	struct obj *obj; /* the engine's own counterpart, counted; NULL: none */
};

/*
 * Whom local storage belongs to, as a key of the storage maps: programs look up, update and remove with it,
 * and user space's descriptors are turned into it (fd_key).
 *
 *	SK_STORAGE     socket's cookie, 0
 *	INODE_STORAGE  inode, device
 *	TASK_STORAGE   thread id, its start time (clock ticks after boot)
 *	CGRP_STORAGE   cgroup's id, 0
 */
struct map_owner_key {
	u64 id, more;
};

/* What a program may do with a map through helpers; also what the verifier needs to know. */
enum map_access { MAP_PROG_READ = 1, MAP_PROG_WRITE = 2 };

/* A program's lookup: the value's address or NULL. */
typedef void *(*map_lookup_fn)(struct map *map, const void *key, u32 cpu);

enum map_batch {
	MAP_BATCH_LOOKUP = 1,
	MAP_BATCH_UPDATE = 2,
	MAP_BATCH_DELETE = 4,
	MAP_BATCH_TAKE = 8,
	MAP_BATCH_ALL = 15,
};

struct map_ops {
	/* Linux's map_alloc_check: -EINVAL, -E2BIG, -EPERM … */
	int (*check)(const struct skep *inst, const struct map_attr *attr);
	/* *ret_map has its type's memory ready; the common fields are filled by map_new, but for
	 * max_entries where the type needs another number than asked for, and flags it adds. */
	int (*alloc)(struct skep *inst, const struct map_attr *attr, struct map **ret_map);
	void (*free)(struct map *map);

	/* From programs. lookup gives the value's address or NULL. */
	map_lookup_fn lookup;
	/* The same for this one map, where its sizes allow a faster one. NULL: lookup. */
	map_lookup_fn (*lookup_fn)(const struct map *map);
	int (*update)(struct map *map, const void *key, const void *value, u64 flags, u32 cpu);
	int (*remove)(struct map *map, const void *key);
	/* key NULL or unknown: the first key. -ENOENT after the last. */
	int (*next_key)(struct map *map, const void *key, void *ret_next);

	/* From user space; value has map_user_value_len(map) bytes. flags as BPF_ANY …; when reading
	 * BPF_F_LOCK: under the value's spin lock. Special fields read as zero and are not written. */
	int (*copy_out)(struct map *map, const void *key, void *ret_value, u64 flags);
	int (*copy_in)(struct map *map, const void *key, const void *value, u64 flags);
	/* copy_out and remove in one step. NULL: -ENOTSUPP. */
	int (*take_out)(struct map *map, const void *key, void *ret_value, u64 flags);
	/* copy_in for values that hold descriptors; what is kept is a counted reference, what copy_out
	 * gives is the id. NULL: values are bytes. */
	int (*fd_in)(struct map *map, const void *key, const void *value, u64 flags,
		const struct map_fds *fds);

	/* User space's keys are descriptors: the key that the other ops take, of up to MAP_FD_KEY_MAX
	 * bytes. NULL: keys are bytes. */
	int (*fd_key)(
		const struct map *map, const void *key, const struct map_fds *fds, void *ret_key);

	u32 batches; /* MAP_BATCH_*: what user space may do to many elements at once */
	/* Hash tables: the keys of one bucket, side by side, at most cap. -ENOENT past the last bucket,
	 * -ENOSPC if there are more keys. With it batches are of whole buckets. */
	int (*bucket_keys)(struct map *map, u32 bucket, u32 cap, void *ret_keys, u32 *ret_cnt);

	/* Maps without keys, from programs; NULL for all others. */
	int (*push)(struct map *map, const void *value, u64 flags);
	int (*pop)(struct map *map, void *ret_value);
	int (*peek)(struct map *map, void *value);
	/* User space mapped the map's memory: len bytes from off on, at addr of its own. An errno: it may not.
	 * NULL: it may. */
	int (*mapped)(struct map *map, u64 addr, u64 len, u64 off, bool is_writable);
	/* Maps whose keys come and go with attachments (CGROUP_STORAGE): a zero value, unless there is one,
	 * -ENOMEM; and its end. */
	int (*add_key)(struct map *map, const void *key);
	int (*remove_added)(struct map *map, const void *key);
	/* Maps that user space waits for: an eventfd, the map's, that is written to when Linux would wake
	 * who polls the map's descriptor. NULL: the descriptor cannot be polled. */
	int (*wake_fd)(struct map *map, int *ret_fd);
	/* A stack of cnt return addresses, innermost first, from bpf_get_stackid: its id >= 0, -EEXIST,
	 * -ENOMEM, -EINVAL (flags). NULL: the map holds no stacks. */
	int (*put_stack)(struct map *map, const u64 *addrs, u32 cnt, u64 flags);
	/* copy_out does not fill the value: it is the question (bloom filter). */
	bool asks_value;

	/* May the map stand among inner maps that are like meta? NULL: maps of the type never may. */
	bool (*meta_equal)(const struct map *meta, const struct map *map);
	/* May the program be called through the map, or call through it? The first one decides what the
	 * others must be like. NULL: the map holds no programs. */
	bool (*fits_prog)(struct map *map, const struct prog *prog);
	/* What the first one was: its type and whether it is compiled. False: there was none yet. */
	bool (*owner)(struct map *map, u32 *ret_prog_type, bool *ret_is_jited);
	/* The last descriptor and pin are gone; programs may still use the map. NULL: nothing to do. */
	void (*forget)(struct map *map);

	/* Array-like maps: the address of value bytes at offset off of the only entry (BPF_PSEUDO_MAP_VALUE).
	 * NULL op: the type has no direct values. */
	int (*value_addr)(const struct map *map, u32 off, u64 *ret_addr);
	/* Checked mode: are [addr, addr + len) bytes of one live or recycled value of this map? */
	bool (*owns)(const struct map *map, const void *addr, size_t len);
	/* Calls fn for every value that ever was in the map, of every CPU. Types whose values may have
	 * special fields have it. */
	void (*each_value)(
		struct map *map, void (*fn)(struct map *map, void *value, void *arg), void *arg);
	/* The memory is what another process left in a file: makes all else fit it again. -EINVAL: no map
	 * could have left that; -ENOMEM. NULL: maps of the type are never in files. */
	int (*recover)(struct map *map);
	/* Bytes of memory charged, as shown by fdinfo's memlock. */
	u64 (*mem_usage)(const struct map *map);
};

/* A row of maps.def. */
struct map_type {
	u32 type;
	const char *name; /* bpftool's word: "percpu_hash" */
	u32 flags_ok;	  /* BPF_F_* that MAP_CREATE accepts */
	bool is_percpu;
	bool can_mmap;	 /* honours BPF_F_MMAPABLE */
	bool flags_last; /* Linux looks at sizes before flags */
	u8 since_major, since_minor;
	const struct map_ops *ops;
};

struct map {
	struct obj obj;
	const struct map_type *type;
	const struct map_ops *ops;
	u32 key_size, value_size;
	u32 value_stride; /* value_size rounded up to 8 */
	u32 max_entries;
	u32 flags;
	u32 numa_node;
	u64 extra;
	char name[MAP_NAME_LEN];
	bool is_frozen; /* user space may no longer write */
	bool is_forgotten; /* no descriptor or pin holds it: nothing may be left to run later. Atomic */
	struct obj *btf; /* counted; NULL without */
	u32 btf_key_type_id, btf_value_type_id;
	/* Members of a value that only the engine may touch (locks, timers, kptrs, roots: btf/fields.h), by
	 * offset; the types they name are of btf. Owned; NULL: none. */
	struct btf_fields *fields;
	struct map_store *store; /* the file behind the map's memory; NULL without */
	u64 mem_len;		 /* bytes that count against the instance's limit */
	int mem_fd;		 /* memfd behind the values of a BPF_F_MMAPABLE map, else -1 */
	/* Maps of maps: what inner maps are like (type, ops, sizes, flags, BTF), not an object; else NULL.
	 * lookup gives the inner struct map, which lives until every run that found it has ended. */
	struct map *inner;
};

/* BPF_MAP_TYPE_PROG_ARRAY as engines see it: max_entries programs, NULL where there is none, read with
 * acquire order. All of one array run on the same engine (Linux: update is -EINVAL otherwise), and one that
 * is taken out lives until every run that began before has ended. */
struct map_progs {
	struct map map;
	struct prog **progs;
};

/* BPF_MAP_TYPE_RINGBUF and USER_RINGBUF as helpers see them. */
struct map_ring {
	struct map map;
	struct ring *ring; /* core/ring.h */
};

/* BPF_MAP_TYPE_ARENA as helpers and engines see it. */
struct map_arena {
	struct map map;
	struct arena *arena; /* core/arena.h */
};

/* What lookup in a DEVMAP, DEVMAP_HASH or CPUMAP gives: the first two words are what programs and user
 * space see. prog runs on frames that get there (NULL: none); it lives as those of a program array. */
struct map_target {
	u32 value; /* ifindex, or length of the queue */
	u32 prog_id;
	struct prog *prog;
};

/* Checks attr against the type and makes an unpublished map with one reference.
 * -EINVAL, -E2BIG, -ENOMEM, -EPERM as Linux's map_create; -EINVAL for a type that is not known. */
int map_new(struct skep *inst, const struct map_attr *attr, struct map **ret_map);
/* The template of a map of maps. Takes NULL. */
void map_inner_free(struct map *inner);
/* Bytes of a value as user space reads and writes it. */
u32 map_user_value_len(const struct map *map);
/* Which MAP_PROG_* accesses BPF_F_RDONLY_PROG/WRONLY_PROG leave. */
u32 map_prog_access(const struct map *map);
/* True if the verifier may treat the content as constant: RDONLY_PROG and frozen. */
bool map_is_rdonly(const struct map *map);
/* The value leaves the map, or its fields are overwritten: what they hold (timers, owned objects) is let go.
 * mask: of enum btf_field_kind. What helpers put there goes through inst->release_field. */
void map_release_fields(struct map *map, void *value, u32 mask);
/* The map's last descriptor and pin are gone; programs may still use it. */
void map_forget(struct map *map);
/* True if its values have a field of one of the kinds in mask. */
bool map_has_field(const struct map *map, u32 mask);
/* BPF_F_LOCK where the value has no spin lock: -EINVAL. */
int map_check_lock_flag(const struct map *map, u64 flags);
/* User-side operations with Linux's rules on flags and freezing; -EPERM when frozen. */
int map_user_lookup(struct map *map, const void *key, void *ret_value, u64 flags);
int map_user_update(struct map *map, const void *key, const void *value, u64 flags);
/* The same, for values that may hold descriptors. */
int map_user_update_fds(
	struct map *map, const void *key, const void *value, u64 flags, const struct map_fds *fds);
int map_user_delete(struct map *map, const void *key);
int map_user_next_key(struct map *map, const void *key, void *ret_next);
/* -ENOTSUPP (524) if the type cannot. */
int map_user_take(struct map *map, const void *key, void *ret_value, u64 flags);

#endif
