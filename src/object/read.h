/*
 * Object files as bytes, and the last look before libbpf loads one.
 */
#ifndef OBJECT_READ_H
#define OBJECT_READ_H

#include "base/types.h"
#include "port/port.h"

struct bpf_object;

/* The file as it is now; ret_data is for mem_free. A negative errno with its reason in err. */
int object_read(const char *path, u8 **ret_data, size_t *ret_len, struct port_text *err);
/* 0, or -EOPNOTSUPP with the reason: libbpf 1.1 would not survive loading it. */
int object_can_load(const struct bpf_object *object, struct port_text *err);

#endif
