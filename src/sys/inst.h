/*
 * A whole instance, with devices, pins and descriptors: what the public handle and an instance behind a
 * socket are made of.
 */
#ifndef SYS_INST_H
#define SYS_INST_H

#include "core/inst.h"

/* -ENOMEM, -EMFILE, -EINVAL (too many CPUs). Not to be moved in memory afterwards. */
int sys_inst_init(struct skep *inst, const struct inst_options *opts);
/* Closes devices and drops all objects. */
void sys_inst_done(struct skep *inst);

#endif
