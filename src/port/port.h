/*
 * The seam: which engine serves bpf(2) and the few calls around it. A port is one engine chosen at
 * run time - an instance inside this process, an instance that runs elsewhere and is reached over
 * its control socket, or the real kernel - and everything above (the command, the tracer, libbpf
 * itself) knows only this interface.
 *
 * libbpf reaches the port through the linker: `--wrap=syscall` turns its syscall(__NR_bpf, ...) into
 * __wrap_syscall() (wrap.c), which hands the call to the port given to port_use(). libbpf has no
 * other way to be told, so the port in use is the one process-wide variable of the project.
 *
 * Results are >= 0 or a negative errno. Operations that can fail for reasons a user must act on take
 * a `struct port_text` and leave one sentence in it (what, why, what to do; no newline, "" when the
 * errno says it all). Descriptors handed out are real descriptors of this process.
 * A port is used by one thread at a time.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "isa/uapi.h"
#include <signal.h>
#include <sys/statfs.h>

#include "base/types.h"

enum { PORT_NAME_MAX = 64, PORT_IFNAME_MAX = 16, PORT_KIND_MAX = 16, PORT_TEXT_MAX = 512 };

struct port_text {
	char text[PORT_TEXT_MAX];
};

/* What XDP runs on a device. mode is XDP_ATTACHED_* of <linux/if_link.h>; ids are 0 when absent. */
struct port_xdp {
	u32 prog_id; /* the only program, 0 when mode is XDP_ATTACHED_MULTI */
	u32 drv_prog_id, skb_prog_id, hw_prog_id;
	u8 mode;
};

/* XDP verdicts are counted under their own number (XDP_ABORTED 0 ... XDP_REDIRECT 4). */
enum { PORT_XDP_ACTIONS = 5 };

struct port_dev {
	u32 ifindex;
	char name[PORT_IFNAME_MAX];
	char kind[PORT_KIND_MAX]; /* "pcap", "tap", "packet", "veth", ...; "" on the kernel */
	u32 peer_ifindex;	  /* the other end of a join or of a veth pair, 0 = none */
	u64 rx_packets, rx_bytes; /* frames that came in, before any program */
	u64 tx_packets, tx_bytes; /* frames that left through this device */
	u64 tx_failed;		  /* frames for this device that could not leave */
	u64 redirect_failed;	  /* redirects to nowhere, or refused there */
	u64 passed;		  /* passed and delivered nowhere: no peer */
	u64 xdp[PORT_XDP_ACTIONS];
	bool has_counters; /* false: the engine counts nothing per device (the kernel) */
};

/* How an in-process engine, or an instance being started, is to run. */
struct port_opts {
	bool interp;	     /* interpret, never compile */
	const char *jitdump; /* folder for what perf is told of compiled code; NULL = nothing */
	bool checked;	     /* check every access while running */
	bool checked_jit;    /* with checked: in machine code, where there is some */
	bool replay_clock; /* the clock follows the time stamps of captures: a run is reproducible */
	u32 cpus;	   /* logical CPUs; 0 = as many as the host has */
	const char *kernel_btf; /* file with the types of the kernel; NULL = the host's */
	bool verify_only;	/* programs are loaded to be verified, not to be run */
	const char *state_dir;	/* a background instance keeps pinned maps there; NULL: nowhere */
	u32 insns_max; /* instructions the verifier processes a program; 0 = as many as Linux */
};

struct port_run {
	u64 count;			   /* frames to take in, 0 = until all devices end */
	const volatile sig_atomic_t *stop; /* becomes non-zero when the user has had enough */
};

struct port;

struct perf_event_attr; /* <linux/perf_event.h> */

struct port_ops {
	const char *name; /* "kernel", "local", "instance" */
	bool is_kernel;

	/* bpf(2): attr as the caller gave it, size its claimed size. */
	long (*bpf)(struct port *p, int cmd, union bpf_attr *attr, unsigned int size);
	/* statfs(2) of a pin directory; NULL: the host's. */
	int (*statfs)(struct port *p, const char *path, struct statfs *ret);
	/*
	 * What /proc/PID/fdinfo says of an object's descriptor under that key ("memlock", "frozen",
	 * "owner_prog_type", "owner_jited"), as a number; -ENOENT when it says nothing.
	 */
	int (*fdinfo)(struct port *p, int fd, const char *key, u64 *ret);
	/*
	 * Before BPF_OBJ_PIN: the path is free and its directory is a place for pins (made if it can
	 * be). NULL: every path is.
	 */
	int (*pin_prepare)(struct port *p, const char *path, struct port_text *err);

	/*
	 * perf_event_open(2) for a PERF_COUNT_SW_BPF_OUTPUT event of a CPU: its descriptor. NULL, as the
	 * three that follow: the kernel's own calls do.
	 */
	int (*event_open)(struct port *p, const struct perf_event_attr *attr, int cpu);
	/* PERF_EVENT_IOC_ENABLE and _DISABLE; -EINVAL, -EBADF: it is no event of the engine's. */
	int (*event_enable)(struct port *p, int fd, bool on);
	/* A shared mapping of fd was made; an errno: it must be undone. 0 for what is not the engine's. */
	int (*mapped)(struct port *p, int fd, u64 addr, u64 len, u64 off, bool is_writable);
	/*
	 * A descriptor of this process, the port's, to poll instead of fd: an eventfd whose writes are
	 * wake-ups. -EPERM: fd is not the engine's, or nothing to poll.
	 */
	int (*wake_fd)(struct port *p, int fd, bool *ret_is_writer);

	/* The interface of that name > 0, or -ENODEV. */
	int (*if_index)(struct port *p, const char *name);
	/* -ENODEV when there is none of that number. */
	int (*if_name)(struct port *p, u32 ifindex, char ret[PORT_IFNAME_MAX]);

	/* prog_fd -1 detaches. flags: XDP_FLAGS_* of <linux/if_link.h>. */
	int (*xdp_attach)(
		struct port *p, u32 ifindex, int prog_fd, u32 flags, struct port_text *err);
	int (*xdp_query)(struct port *p, u32 ifindex, struct port_xdp *ret);

	/* Every device, by rising ifindex, until fn returns non-zero, which is then returned. */
	int (*dev_each)(
		struct port *p, int (*fn)(void *arg, const struct port_dev *dev), void *arg);
	/*
	 * spec: pcap:IN[,OUT] | tap:NAME | packet:IFACE | veth:A,B, each with an optional NAME= in
	 * front. Gives the ifindex of the (first) device. Names default to the TAP's or interface's
	 * own, to A and B, and to pcap0, pcap1, ...
	 */
	int (*dev_add)(struct port *p, const char *spec, u32 *ret_ifindex, struct port_text *err);
	int (*dev_del)(struct port *p, u32 ifindex, struct port_text *err);
	/* Frames that pass on one leave through the other, both ways. */
	int (*dev_join)(struct port *p, u32 ifindex_a, u32 ifindex_b, struct port_text *err);
	/*
	 * Moves frames until every device has ended, run->count frames came in or *run->stop is
	 * set. An instance elsewhere moves them by itself: there this waits for the same events.
	 * A device that broke, a capture cut in the middle of a frame, is told of in err and is no
	 * failure; not being able to write an output is one.
	 */
	int (*run)(struct port *p, const struct port_run *run, struct port_text *err);

	/*
	 * Every pin, by path, until fn returns non-zero, then returned. NULL: none are known.
	 */
	int (*pin_each)(struct port *p, int (*fn)(void *arg, const char *path), void *arg);

	/*
	 * Trace texts (bpf_trace_printk), as a stream: bytes read, 0 at its end, -EINTR when a
	 * signal came. Blocks.
	 */
	long (*trace_read)(struct port *p, char *buf, size_t len);
	/* Also listens under that name, for `-i NAME` in another terminal, until closed. May be NULL. */
	int (*serve)(struct port *p, const char *name, struct port_text *err);

	void (*close)(struct port *p);
};

/*
 * Every implementation begins with this. `say` may be set by the caller once the port is open: it gets
 * the engine's messages (why a call was refused, …), without a newline; level 0 is a warning. Called
 * during the port's own calls, and with serve also from other threads. NULL: they are dropped.
 */
struct port {
	const struct port_ops *ops;
	void (*say)(void *arg, int level, const char *text);
	void *say_arg;
};

/* The real kernel. Nothing is opened yet: cannot fail but for memory. */
int port_open_kernel(struct port **ret);
/* A fresh instance in this process; it ends with port_close(). */
int port_open_local(const struct port_opts *opts, struct port **ret, struct port_text *err);
/* A running instance. -ENOENT: none of that name runs; -EACCES: it is another user's. */
int port_open_instance(const char *name, struct port **ret, struct port_text *err);
/* NULL is allowed. Detaches it from libbpf when it is in use. */
void port_close(struct port *p);

/*
 * Where instances are kept: the caller's $XDG_RUNTIME_DIR. NULL, or never called: /run/user/UID, or
 * /tmp/skep-UID where that does not exist. Process-wide, like the port in use.
 */
void port_instance_root(const char *dir);

/* What a running instance is. */
struct port_instance {
	char name[PORT_NAME_MAX];
	char socket[108];
	int pid;
	u64 uptime_ns;
};

/* Starts an instance in the background; it listens when this returns. -EEXIST: the name runs. */
int port_instance_up(const char *name, const struct port_opts *opts, struct port_text *err);
/* Ends it: its devices, pins and objects are gone when this returns. */
int port_instance_down(const char *name, struct port_text *err);
/* Every running instance of this user, by name, until fn returns non-zero, then returned. */
int port_instance_each(int (*fn)(void *arg, const struct port_instance *inst), void *arg);

/* libbpf's bpf(2) goes to p from now on; NULL: to the kernel. */
void port_use(struct port *p);
struct port *port_in_use(void);
/* The same for this thread's calls alone, before what port_use() says; NULL ends it. */
void port_use_here(struct port *p);
/* The file in which libbpf looks for the kernel's types; NULL: where it always does. Not copied. */
void port_kernel_btf(const char *path);
/* The system call as it is, past the wrapper. Result or -1 and errno. */
long port_real_syscall(long nr, long a, long b, long c, long d, long e, long f);

#endif
