/*
 * The control socket's language: packets on an AF_UNIX SOCK_SEQPACKET connection, each a header and up to
 * SYS_MSG_DATA_MAX bytes, one of them with a descriptor (SCM_RIGHTS).
 *
 *   client                                server
 *     | -- HELLO ------------------------> |      version and sizes must agree
 *     | <------------------------ RESULT -- |
 *     | -- BPF cmd, attr's address ------> |      the attr's bytes come along
 *     | <------------- READ addr, len ---- |      upcalls, any number of them: the server works on
 *     | -- DATA bytes -------------------> |      the client's memory and descriptors by asking
 *     | <------------- WRITE addr, bytes - |      the client, which acts on itself
 *     | -- DONE value -------------------> |
 *     | <------------- FD number --------- |
 *     | -- DONE + descriptor ------------> |
 *     | <------------- INSTALL + descriptor|
 *     | -- DONE its number --------------> |
 *     | <------------- LOG text ---------- |      not answered
 *     | <------------------------ RESULT -- |      ends the request
 *
 * What a call will ask for anyway comes along, so that a map lookup is one exchange: with BPF the attr's
 * bytes, behind them bytes that stand where the attr's second word points (an element's key), and the
 * descriptor in its first word (value says which; -1: none). What does not come along, or not enough of
 * it, is asked for. With RESULT comes the last thing the call wrote (a = 1: data belongs at addr); if it
 * cannot be written there, the call's result is -EFAULT.
 *
 * One request is under way on a connection at a time. Either side closes a connection on which it gets
 * what does not fit here. Both sides are the same build on the same machine: numbers are native, and
 * HELLO compares a version that changes with any structure.
 */
#ifndef SYS_PROTO_H
#define SYS_PROTO_H

#include "base/types.h"

enum {
	SYS_PROTO_VERSION = 3,
	SYS_PROTO_MAGIC = 0x70656b73, /* "skep" */
	SYS_MSG_DATA_MAX = 32768,     /* bytes after the header; longer memory is read in parts */
	SYS_MSG_KEY_MAX = 64,	      /* bytes of a key that come along */
	SYS_MSG_LATE_MAX = 4096,      /* bytes of the last write */
};

enum sys_msg_kind {
	/* requests */
	SYS_MSG_HELLO = 1,    /* a = magic, b = version; the answer's data is struct sys_status */
	SYS_MSG_BPF,	      /* a = cmd, b = size, addr = attr; value and data: below */
	SYS_MSG_STATUS,	      /* data: struct sys_status */
	SYS_MSG_DEV_ADD,      /* data = spec; value is the ifindex */
	SYS_MSG_DEV_DEL,      /* a = ifindex */
	SYS_MSG_DEV_JOIN,     /* a, b = ifindexes */
	SYS_MSG_DEV_NEXT,     /* a = ifindex; data: struct sys_dev */
	SYS_MSG_DEV_GET,      /* a = ifindex; data: struct sys_dev */
	SYS_MSG_DEV_INDEX,    /* data = name; value is the ifindex */
	SYS_MSG_XDP_ATTACH,   /* a = ifindex, b = flags, value = descriptor or -1 */
	SYS_MSG_FDINFO,	      /* value = descriptor, data = key; data: u64 */
	SYS_MSG_PIN_NEXT,     /* data = path; data: path */
	SYS_MSG_TRACE_READ,   /* a = bytes at most; data: text */
	SYS_MSG_EVENT_OPEN,   /* data: struct sys_event; value is the descriptor */
	SYS_MSG_EVENT_ENABLE, /* value = descriptor, a = on */
	SYS_MSG_MAPPED,	      /* value = descriptor, data: struct sys_mapping */
	SYS_MSG_WAKE_FD, /* value = descriptor; value is the eventfd, data: u32, is it for writers? */
	SYS_MSG_SHUTDOWN,
	SYS_MSG_REQUEST_END,
	/* from the server while a request is under way */
	SYS_MSG_READ = 64, /* addr, a = bytes */
	SYS_MSG_WRITE,	   /* addr, data */
	SYS_MSG_FD,	   /* value = the client's descriptor */
	SYS_MSG_INSTALL,   /* with a descriptor */
	SYS_MSG_LOG,	   /* a = level, data = text */
	SYS_MSG_RESULT,	   /* value, data; a sentence for the user if value < 0; a: below */
	/* the client's answers */
	SYS_MSG_DATA, /* value 0 and data, or value < 0 */
	SYS_MSG_DONE, /* value; a descriptor for FD */
};

struct sys_msg {
	u32 kind; /* enum sys_msg_kind */
	u32 a, b;
	u32 len; /* bytes of data, <= SYS_MSG_DATA_MAX */
	u64 addr;
	s64 value;
};

/* Sends a whole message; pass_fd -1: none; it stays the caller's. -EPIPE: nobody is there; -errno. */
int sys_msg_send(int sock, const struct sys_msg *msg, const void *data, int pass_fd);
/*
 * Waits for a message. Its data goes to ret_data (SYS_MSG_DATA_MAX bytes and a NUL behind them). A
 * descriptor goes to *ret_fd (else -1); the caller closes it. -EPIPE: the other side is gone; -EPROTO:
 * not a message; -EMFILE: a descriptor came that there was no room for.
 */
int sys_msg_recv(int sock, struct sys_msg *ret_msg, char *ret_data, int *ret_fd);

#endif
