/*
 * What stands behind the handles of <skep/embed.h>: each is a counted reference of an object.
 */
#ifndef EMBED_EMBED_H
#define EMBED_EMBED_H

#include <skep/embed.h>

#include "core/map.h"
#include "core/prog.h"

struct skep_prog {
	struct prog *prog;
};

struct skep_map {
	struct map *map;
};

/* Copies the options that the caller's version knows over zeroes. -EINVAL: unknown ones are set. */
int embed_options(const void *given, void *ret_opts, size_t size);
/* The sentence of a result; NULL takes none. Returns err. */
__attribute__((format(printf, 3, 4))) int embed_say(
	struct skep_text *ret_why, int err, const char *fmt, ...);
/* A handle of the program (map) behind a descriptor of this process. -EBADF, -EINVAL, -ENOMEM. */
int embed_prog_of_fd(struct skep *skep, int fd, struct skep_prog **ret_prog);
int embed_map_of_fd(struct skep *skep, int fd, struct skep_map **ret_map);

/* The map behind a descriptor of this process, as a counted reference. -EBADF, -EINVAL. */
int embed_map_ref(struct skep *skep, int fd, struct map **ret_map);
/* May a program under this licence use helpers for the GPL? As Linux's license_is_gpl_compatible; NULL is "GPL". */
bool embed_is_gpl(const char *license);

#endif
