/*
 * Maps from the application: the operations of bpf(2) without the descriptor and the copies.
 */
#include <errno.h>

#include "embed/embed.h"
#include "sys/sys.h"

size_t skep_map_key_size(const struct skep_map *map)
{
	return map->map->key_size;
}

size_t skep_map_value_size(const struct skep_map *map)
{
	return map_user_value_len(map->map);
}

int skep_map_lookup(const struct skep_map *map, const void *key, void *ret_value)
{
	return map_user_lookup(map->map, key, ret_value, 0);
}

/* Writers hold `writers` for reading, so that after FREEZE no write is under way. */
int skep_map_update(const struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct sys *sys = sys_of(map->map->obj.inst);
	int err;

	pthread_rwlock_rdlock(&sys->writers);
	err = map_user_update(map->map, key, value, flags);
	pthread_rwlock_unlock(&sys->writers);
	return err;
}

int skep_map_delete(const struct skep_map *map, const void *key)
{
	struct sys *sys = sys_of(map->map->obj.inst);
	int err;

	pthread_rwlock_rdlock(&sys->writers);
	err = map_user_delete(map->map, key);
	pthread_rwlock_unlock(&sys->writers);
	return err;
}

int skep_map_next_key(const struct skep_map *map, const void *key, void *ret_next)
{
	return map_user_next_key(map->map, key, ret_next);
}
