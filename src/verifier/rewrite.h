/*
 * From a verified program to what an engine runs.
 */
#ifndef VERIFIER_REWRITE_H
#define VERIFIER_REWRITE_H

struct vf_env;
struct vf_result;

/* Fills code, func_info and line_info of a zeroed result; on failure it holds nothing. */
int vf_rewrite(struct vf_env *env, struct vf_result *ret_result);

#endif
