/*
 * Sections of a program in which more, or less, is allowed: RCU read-side sections, preemption and
 * interrupts disabled.
 */
#ifndef VERIFIER_SECTION_H
#define VERIFIER_SECTION_H

#include "verifier/kfunc.h"

/* Which kfunc saved the flags: those of a lock go back through the lock only. */
enum vf_irq_class { VF_IRQ_NATIVE, VF_IRQ_LOCK };

/* Pointers that are good under RCU are good here: a section, or a program that runs in one. */
bool vf_in_rcu(const struct vf_env *env);
/* What a call of fn does to sections; a function that sleeps is not called in one. */
int vf_section_call(struct vf_env *env, const struct vf_kfunc *fn);
/* The flags that argument regno points to are saved or restored. */
int vf_irq_arg(struct vf_env *env, const struct vf_kcall *call, u32 regno);

#endif
