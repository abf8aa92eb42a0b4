/*
 * Files behind maps (store.h).
 */
#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

static const u64 store_magic = 0x70616d2e70656b73; /* "skep.map" */

enum { VERSION = 1, SPIN_MAX = 64 };

static u64 sum_of(const struct map_store_head *head)
{
	struct map_store_head copy = *head;

	copy.is_made = 1;
	return hash_bytes(&copy, offsetof(struct map_store_head, sum), store_magic);
}

static u64 whole(u64 len)
{
	return ROUND_UP(len, (u64)MAP_STORE_PAGE);
}

/* The head and the journal. */
static int map_head(struct map_store *store, u64 journal_len)
{
	u64 len = MAP_STORE_PAGE + journal_len;
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	store->head = mem;
	store->used = len;
	return 0;
}

static u8 *journal_of(const struct map_store *store)
{
	return (u8 *)store->head + MAP_STORE_PAGE;
}

static int store_alloc(int dir_fd, const char *file, struct map_store **ret_store)
{
	struct map_store *store;

	if (strlen(file) >= sizeof(store->file))
		return -ENAMETOOLONG;
	store = mem_zalloc(sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->fd = -1;
	store->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	if (store->dir_fd < 0) {
		mem_free(store);
		return -errno;
	}
	*ret_store = store;
	return 0;
}

void map_store_free(struct map_store *store)
{
	if (!store)
		return;
	if (store->head)
		munmap(store->head, MAP_STORE_PAGE + store->head->journal_len);
	if (store->fd >= 0)
		close(store->fd);
	if (store->file[0])
		unlinkat(store->dir_fd, store->file, 0);
	close(store->dir_fd);
	mem_free(store);
}

int map_store_create(int dir_fd, const char *file, const struct map_attr *attr, u32 cpu_cnt,
	struct map_store **ret_store)
{
	u64 journal_len = whole((u64)ROUND_UP(attr->value_size, 8) * cpu_cnt);
	struct map_store *store;
	int err = store_alloc(dir_fd, file, &store);

	if (err)
		return err;
	store->fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->fd < 0) {
		err = -errno;
		goto free_store;
	}
	strcpy(store->file, file);
	err = ftruncate(store->fd, (off_t)(MAP_STORE_PAGE + journal_len)) ? -errno : 0;
	if (!err)
		err = map_head(store, journal_len);
	if (err)
		goto free_store;
	*store->head = (struct map_store_head){
		.magic = store_magic,
		.version = VERSION,
		.cpu_cnt = cpu_cnt,
		.type = attr->type,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.max_entries = attr->max_entries,
		.flags = attr->flags,
		.extra = attr->extra,
		.journal_len = journal_len,
	};
	memcpy(store->head->name, attr->name, sizeof(attr->name));
	*ret_store = store;
	return 0;
free_store:
	map_store_free(store);
	return err;
}

void map_store_made(struct map_store *store)
{
	store->head->sum = sum_of(store->head);
	__atomic_store_n(&store->head->is_made, 1, __ATOMIC_RELEASE);
}

/* Is what the file says of itself possible? */
static bool is_sound(const struct map_store_head *head, u64 file_len, u32 cpu_cnt)
{
	return head->magic == store_magic && head->version == VERSION && head->is_made == 1 &&
	       head->sum == sum_of(head) && head->cpu_cnt == cpu_cnt &&
	       !head->name[MAP_NAME_LEN - 1] &&
	       head->journal_len == whole((u64)ROUND_UP(head->value_size, 8) * cpu_cnt) &&
	       file_len >= MAP_STORE_PAGE + head->journal_len;
}

/* The value that was on its way goes to its place. */
static int replay(struct map_store *store, u64 file_len)
{
	const struct map_store_head *head = store->head;
	const u8 *from = journal_of(store);

	for (u32 i = 0; i < head->parts; i++, from += head->part_len) {
		u64 at = head->off + i * head->apart;

		if (head->part_len > head->journal_len ||
			(u64)(from - journal_of(store)) > head->journal_len - head->part_len ||
			at < MAP_STORE_PAGE + head->journal_len || at > file_len ||
			head->part_len > file_len - at)
			return -EINVAL;
		if (pwrite(store->fd, from, head->part_len, (off_t)at) != (ssize_t)head->part_len)
			return -EIO;
	}
	__atomic_store_n(&store->head->parts, 0, __ATOMIC_RELEASE);
	return 0;
}

static int open_head(struct map_store *store, const char *file, u32 cpu_cnt)
{
	struct map_store_head head;
	struct stat st;
	int err;

	store->fd = openat(store->dir_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (store->fd < 0 || fstat(store->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || pread(store->fd, &head, sizeof(head), 0) != sizeof(head) ||
		!is_sound(&head, (u64)st.st_size, cpu_cnt))
		return -EINVAL;
	err = map_head(store, head.journal_len);
	return err ? err : replay(store, (u64)st.st_size);
}

int map_store_open(int dir_fd, const char *file, u32 cpu_cnt, struct map_attr *ret_attr,
	struct map_store **ret_store)
{
	const struct map_store_head *head;
	struct map_store *store;
	int err = store_alloc(dir_fd, file, &store);

	if (err)
		return err;
	err = open_head(store, file, cpu_cnt);
	if (err) {
		map_store_free(store);
		return err;
	}
	store->is_old = true;
	head = store->head;
	*ret_attr = (struct map_attr){
		.type = head->type,
		.key_size = head->key_size,
		.value_size = head->value_size,
		.max_entries = head->max_entries,
		.flags = head->flags,
		.extra = head->extra,
		.store = store,
	};
	memcpy(ret_attr->name, head->name, sizeof(ret_attr->name));
	*ret_store = store;
	return 0;
}

void *map_store_pages(struct map_store *store, u64 len, bool lazy)
{
	struct stat st;
	void *mem;

	if (!store)
		return mem_pages(len, lazy);
	len = mem_pages_len(len);
	if (store->region_cnt == MAP_STORE_REGIONS || fstat(store->fd, &st) < 0)
		return NULL;
	if ((u64)st.st_size < store->used + len &&
		(store->is_old || ftruncate(store->fd, (off_t)(store->used + len))))
		return NULL;
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, store->fd, (off_t)store->used);
	if (mem == MAP_FAILED)
		return NULL;
	store->regions[store->region_cnt].mem = mem;
	store->regions[store->region_cnt].len = len;
	store->regions[store->region_cnt++].off = store->used;
	store->used += whole(len);
	return mem;
}

static u64 offset_of(const struct map_store *store, const void *at)
{
	u64 in_region = 0;
	u32 i = 0;

	for (; i < store->region_cnt; i++) {
		in_region = (u64)((uintptr_t)at - (uintptr_t)store->regions[i].mem);
		if (in_region < store->regions[i].len)
			break;
	}
	return i < store->region_cnt ? store->regions[i].off + in_region : 0;
}

static void copy_words(u8 *to, const u8 *from, u64 len)
{
	u64 word;

	for (; len >= 8; len -= 8, to += 8, from += 8) {
		memcpy(&word, from, 8);
		__atomic_store_n((u64 *)to, word, __ATOMIC_RELEASE);
	}
	for (; len; len--)
		__atomic_store_n(to++, *from++, __ATOMIC_RELEASE);
}

void map_store_put(
	struct map_store *store, void *to, const void *from, u64 len, u32 parts, u64 apart)
{
	struct map_store_head *head = store->head;
	u32 tries = 0;

	while (__atomic_exchange_n(&store->lock, 1, __ATOMIC_ACQUIRE))
		if (++tries % SPIN_MAX == 0)
			sched_yield();
	copy_words(journal_of(store), from, len * parts);
	head->off = offset_of(store, to);
	head->part_len = len;
	head->apart = apart;
	__atomic_store_n(&head->parts, parts, __ATOMIC_RELEASE);
	for (u32 i = 0; i < parts; i++)
		copy_words((u8 *)to + i * apart, (const u8 *)from + i * len, len);
	__atomic_store_n(&head->parts, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&store->lock, 0, __ATOMIC_RELEASE);
}
