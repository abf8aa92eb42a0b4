/*
 * Functions that run later, and what a map's special fields hold.
 */
#ifndef HELPERS_TIMERS_H
#define HELPERS_TIMERS_H

struct btf_field;
struct hlp_timers;
struct map;

/* Ends the thread. No map with timers is left. Takes NULL. */
void hlp_timers_free(struct hlp_timers *timers);
/* As inst->release_field. */
void hlp_release_field(struct map *map, const struct btf_field *field, void *at);

#endif
