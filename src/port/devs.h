/*
 * A device of an instance in the port's words.
 */
#ifndef PORT_DEVS_H
#define PORT_DEVS_H

#include "port/port.h"
#include "sys/verbs.h"

void port_dev_from(const struct sys_dev *dev, struct port_dev *ret);
void port_xdp_from(const struct sys_dev *dev, struct port_xdp *ret);
/* Pins of an instance live in its own tree: every directory is a place for them. */
int port_statfs_bpf(struct port *p, const char *path, struct statfs *ret);

#endif
