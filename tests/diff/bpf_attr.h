/*
 * What the sections of the comparison share: the engine under test, calls on it, and the lines they leave
 * (bpf_attr.c says how it works).
 */
#ifndef TEST_DIFF_BPF_ATTR_H
#define TEST_DIFF_BPF_ATTR_H

#include <linux/btf.h>

#include "base/buf.h"
#include "port/port.h"
#include "sys/attr.h"

enum { PAGE = 4096, MAP_TYPES = 10, PIN_DIR_LEN = 64 };

struct engine {
	const char *name;
	struct port *port;
	struct buf lines;
	const char *section;
	u32 link_ifindex;
	int map, prog, prog2, btf, link; /* one good object of each kind */
};

/* int (id 1), func_proto int(void) (2), func f (3), struct s { int a; } (4) */
struct btf_bytes {
	struct btf_header head;
	u32 types[16];
	char strs[16];
};

extern struct engine *eng;
extern const struct btf_bytes btf_raw_bytes;
/* A descriptor that is open and no object, and one that is not open. */
extern int other_fd, closed_fd;
extern char pin_dir[PIN_DIR_LEN]; /* "": no bpf file system */
extern const u32 types_tried[MAP_TYPES];

long call(int cmd, void *attr, u32 size);
/* A line of the section's own. */
void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "EINVAL", "0", or "fd" for a descriptor, which is closed. */
const char *result_text(long ret);
/* Records a call. */
void try(const char *what, int cmd, const union sys_attr *attr);
void tryf(int cmd, const union sys_attr *attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The call with every kind of descriptor in that field of attr. */
void try_fds(int cmd, union sys_attr *attr, u32 *fd, const char *field);

union sys_attr map_attr(u32 type);
union sys_attr prog_attr(void);
union sys_attr btf_attr(void);
int make_link(void);
/* The result, which must be none of an error. */
int need(long fd, const char *what);
int make(int cmd, union sys_attr attr, const char *what);

/* bpf_attr_maps.c, bpf_attr_progs.c */
void section_map_create(void);
void section_map_btf(void);
void section_names(void);
void section_elems(void);
void section_elem_flags(void);
void section_info_sizes(void);
void section_info_memory(void);
void section_info_map(void);
void section_info_prog(void);
void section_info_btf(void);
void section_ids(void);
void section_lifetime(void);
void section_pins(void);
void section_prog_load(void);
void section_fd_array(void);
void section_func_info(void);
void section_log(void);
void section_log_memory(void);
void section_bind(void);
void section_test_run(void);
void section_link_create(void);
void section_link_update(void);
void section_link_detach(void);

#endif
