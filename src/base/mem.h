/*
 * Memory from the heap. Every allocation can fail, and tests make the n-th one fail: all layers
 * allocate through these functions so that a test reaches every failure path.
 * Thread-safe; the failure counter is per thread.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/types.h"

/* NULL when there is no memory. len 0 is allowed and gives a pointer that may be freed. */
void *mem_alloc(size_t len);
void *mem_zalloc(size_t len);
/* cnt items of len bytes, zeroed; NULL also when the product overflows. */
void *mem_array(size_t cnt, size_t len);
/* Grows or shrinks p to cnt items of len bytes; p is untouched on failure (NULL). */
void *mem_realloc(void *p, size_t cnt, size_t len);
void *mem_dup(const void *p, size_t len);
void mem_free(void *p);

/* len bytes of zeroed pages, page-aligned, given by the system when first touched. lazy: not counted
 * against the memory there is until then. Long ones are of huge pages where the system has them: programs
 * look at map memory all over, and each page needs an entry in the processor's tables. NULL when there is no memory or address space; len > 0. */
void *mem_pages(size_t len, bool lazy);
/* How long a mapping mem_pages makes of that; mem_pages_free undoes any of this length. */
size_t mem_pages_len(size_t len);
/* p may be NULL; len as it was asked for. */
void mem_pages_free(void *p, size_t len);
/* The whole pages in there read as zeros from now on and cost nothing until they are written. */
void mem_pages_drop(void *p, size_t len);

/* len bytes of fd from its beginning, readable, writable and shared; `at` NULL: anywhere, else there,
 * whatever is mapped there now. NULL when there is no memory or address space. */
void *mem_map_fd(void *at, size_t len, int fd);
/* The first len bytes of fd, not to be written; undone by mem_file_free. NULL when it cannot be mapped. */
void *mem_map_file(int fd, size_t len);
/* p may be NULL. */
void mem_file_free(void *p, size_t len);

/* Tests: the nth next allocation of this thread fails (1 = the next one); 0 = none. */
void mem_fail_at(u64 nth);
/* Tests: true once the failure asked for has happened. */
bool mem_did_fail(void);

#endif
