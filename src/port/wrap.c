/*
 * Where libbpf's system calls leave for the engine. The linker's --wrap sends every syscall() and
 * statfs() of the static libbpf here; bpf(2) goes to the port in use, all else to the kernel.
 *
 * libbpf checks that a pin's directory is a bpffs with statfs(), so an engine that keeps pins
 * elsewhere answers that too. Where the types of the kernel come from can be said as well, so that ids
 * that libbpf finds there mean the same to the engine. All this is process-wide because libbpf passes no
 * context.
 */
#include "port/port.h"

#include <bpf/btf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <sys/syscall.h>

long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
int __real_statfs(const char *path, struct statfs *ret);
int __wrap_statfs(const char *path, struct statfs *ret);
int __real_statfs64(const char *path, struct statfs64 *ret);
int __wrap_statfs64(const char *path, struct statfs64 *ret);

struct btf *__real_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void);

static struct port *in_use;
static _Thread_local struct port *here;
static const char *kernel_btf;

void port_use(struct port *p)
{
	in_use = p;
}

void port_use_here(struct port *p)
{
	here = p;
}

struct port *port_in_use(void)
{
	return here ? here : in_use;
}

void port_kernel_btf(const char *path)
{
	kernel_btf = path;
}

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	return kernel_btf ? btf__parse(kernel_btf, NULL) : __real_btf__load_vmlinux_btf();
}

long port_real_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return __real_syscall(nr, a, b, c, d, e, f);
}

void port_close(struct port *p)
{
	if (!p)
		return;
	if (p == in_use)
		in_use = NULL;
	p->ops->close(p);
}

static long set_errno(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

/* What programs write records to; all other events are the kernel's. */
static bool is_output_event(const struct perf_event_attr *attr)
{
	return attr && attr->type == PERF_TYPE_SOFTWARE && attr->config == PERF_COUNT_SW_BPF_OUTPUT;
}

/* Reading six whatever the call takes is what the C library's own syscall() does; only a checker minds. */
__attribute__((no_sanitize_address)) long __wrap_syscall(long nr, ...)
{
	struct port *port = port_in_use();
	long arg[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == __NR_bpf && port && !port->ops->is_kernel)
		return set_errno(port->ops->bpf(
			port, (int)arg[0], (union bpf_attr *)arg[1], (unsigned int)arg[2]));
	if (nr == __NR_perf_event_open && port && port->ops->event_open &&
		is_output_event((const struct perf_event_attr *)arg[0]) && (int)arg[1] == -1 &&
		(int)arg[2] >= 0)
		return set_errno(port->ops->event_open(
			port, (const struct perf_event_attr *)arg[0], (int)arg[2]));
	return __real_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int __wrap_statfs(const char *path, struct statfs *ret)
{
	struct port *port = port_in_use();

	if (port && port->ops->statfs)
		return (int)set_errno(port->ops->statfs(port, path, ret));
	return __real_statfs(path, ret);
}

/* The two structures are one on 64-bit machines; libbpf is compiled with large file support. */
_Static_assert(sizeof(struct statfs) == sizeof(struct statfs64), "statfs is statfs64");

int __wrap_statfs64(const char *path, struct statfs64 *ret)
{
	struct port *port = port_in_use();

	if (port && port->ops->statfs)
		return (int)set_errno(port->ops->statfs(port, path, (struct statfs *)ret));
	return __real_statfs64(path, ret);
}
