/*
 * Machines without a JIT: every program is interpreted.
 */
#include "jit/target.h"

const struct jit_target *const jit_target = NULL;
