/*
 * From layer sys's words to the port's.
 */
#include "port/devs.h"

#include <linux/if_link.h>
#include <linux/magic.h>
#include <string.h>

_Static_assert((int)SYS_DEV_NAME_LEN == (int)PORT_IFNAME_MAX, "names are the same");
_Static_assert((int)SYS_DEV_NAME_LEN == (int)PORT_KIND_MAX, "kinds are the same");
_Static_assert((int)SYS_DEV_ACTIONS == (int)PORT_XDP_ACTIONS, "actions are the same");

void port_dev_from(const struct sys_dev *dev, struct port_dev *ret)
{
	*ret = (struct port_dev){
		.ifindex = dev->ifindex,
		.peer_ifindex = dev->peer_ifindex,
		.rx_packets = dev->rx_cnt,
		.rx_bytes = dev->rx_len,
		.tx_packets = dev->tx_cnt,
		.tx_bytes = dev->tx_len,
		.tx_failed = dev->tx_failed,
		.redirect_failed = dev->redirect_failed,
		.passed = dev->passed_cnt,
		.has_counters = true,
	};
	memcpy(ret->name, dev->name, sizeof(ret->name));
	memcpy(ret->kind, dev->kind, sizeof(ret->kind));
	memcpy(ret->xdp, dev->action, sizeof(ret->xdp));
}

void port_xdp_from(const struct sys_dev *dev, struct port_xdp *ret)
{
	*ret = (struct port_xdp){.prog_id = dev->prog_id};
	if (!dev->prog_id)
		return;
	if (dev->xdp_flags & XDP_FLAGS_SKB_MODE) {
		ret->mode = XDP_ATTACHED_SKB;
		ret->skb_prog_id = dev->prog_id;
	} else {
		ret->mode = XDP_ATTACHED_DRV;
		ret->drv_prog_id = dev->prog_id;
	}
}

int port_statfs_bpf(struct port *p, const char *path, struct statfs *ret)
{
	*ret = (struct statfs){.f_type = BPF_FS_MAGIC};
	return 0;
}
