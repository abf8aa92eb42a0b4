/*
 * The port of the real kernel: bpf(2) goes straight through, XDP is attached over rtnetlink with
 * libbpf, and trace texts come from tracefs. The kernel has no devices of ours: adding, joining and
 * running devices is refused with what to do instead.
 */
#include "port/port.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <mntent.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

struct kernel {
	struct port port;
	int trace_fd; /* -1 until the first read */
};

__attribute__((format(printf, 3, 4))) static int fail(
	int err, struct port_text *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	return err;
}

static long kernel_bpf(struct port *p, int cmd, union bpf_attr *attr, unsigned int size)
{
	long ret = port_real_syscall(__NR_bpf, cmd, (long)attr, size, 0, 0, 0);

	return ret < 0 ? -errno : ret;
}

static int kernel_fdinfo(struct port *p, int fd, const char *key, u64 *ret)
{
	char path[64], line[256], *colon;
	FILE *file;
	int err = -ENOENT;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (err && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (!colon || strlen(key) != (size_t)(colon - line) ||
			strncmp(line, key, strlen(key)))
			continue;
		*ret = strtoull(colon + 1, NULL, 0);
		err = 0;
	}
	fclose(file);
	return err;
}

static bool is_bpffs(const char *path)
{
	struct statfs st;

	return !statfs(path, &st) && (unsigned long)st.f_type == BPF_FS_MAGIC;
}

/* The directory of path, "." when it names none. */
static int parent_of(const char *path, char *ret, size_t len)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(ret, len, ".");
	else if ((size_t)(slash - path) >= len)
		return -ENAMETOOLONG;
	else
		snprintf(ret, len, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return 0;
}

/* Directories are made on a bpffs only: elsewhere a directory would not become a place for pins. */
static int make_dirs(const char *dir)
{
	char parent[PATH_MAX];
	int err;

	if (!access(dir, F_OK))
		return 0;
	err = parent_of(dir, parent, sizeof(parent));
	if (err)
		return err;
	err = make_dirs(parent);
	if (err)
		return err;
	if (!is_bpffs(parent))
		return -EINVAL;
	return mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
}

static int kernel_pin_prepare(struct port *p, const char *path, struct port_text *err)
{
	char dir[PATH_MAX];
	int ret;

	if (!access(path, F_OK))
		return fail(
			-EEXIST, err, "%s exists already: remove it, or choose another path", path);
	ret = parent_of(path, dir, sizeof(dir));
	if (!ret)
		ret = make_dirs(dir);
	if (ret == -EACCES || ret == -EPERM)
		return fail(
			ret, err, "no permission to pin in %s: pinning with -K needs root", dir);
	if (ret && ret != -EINVAL)
		return fail(ret, err, "cannot make directory %s: %s", dir, strerror(-ret));
	if (ret || !is_bpffs(dir))
		return fail(-EINVAL, err,
			"%s is not on a bpf filesystem: choose a path under /sys/fs/bpf (to mount "
			"it "
			"there: mount -t bpf bpf /sys/fs/bpf)",
			dir);
	return 0;
}

/* nftw() passes no argument, so the walk is written out. Symbolic links are not followed. */
static int walk_pins(char *path, size_t len, int (*fn)(void *arg, const char *path), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *ent;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (ent = readdir(dir))) {
		size_t add = strlen(ent->d_name) + 1;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..") ||
			len + add >= PATH_MAX)
			continue;
		snprintf(path + len, PATH_MAX - len, "/%s", ent->d_name);
		if (ent->d_type == DT_DIR)
			ret = walk_pins(path, len + add, fn, arg);
		else if (ent->d_type == DT_REG)
			ret = fn(arg, path);
	}
	path[len] = 0;
	closedir(dir);
	return ret;
}

static int kernel_pin_each(struct port *p, int (*fn)(void *arg, const char *path), void *arg)
{
	FILE *mounts = setmntent("/proc/mounts", "re");
	struct mntent *mnt;
	char path[PATH_MAX];
	int ret = 0;

	if (!mounts)
		return -errno;
	while (!ret && (mnt = getmntent(mounts))) {
		if (strcmp(mnt->mnt_type, "bpf"))
			continue;
		snprintf(path, sizeof(path), "%s", mnt->mnt_dir);
		ret = walk_pins(path, strlen(path), fn, arg);
	}
	endmntent(mounts);
	return ret;
}

static int kernel_if_index(struct port *p, const char *name)
{
	unsigned int ifindex = if_nametoindex(name);

	return ifindex ? (int)ifindex : -ENODEV;
}

static int kernel_if_name(struct port *p, u32 ifindex, char ret[PORT_IFNAME_MAX])
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	snprintf(ret, PORT_IFNAME_MAX, "%s", name);
	return 0;
}

static int kernel_xdp_attach(
	struct port *p, u32 ifindex, int prog_fd, u32 flags, struct port_text *err)
{
	err->text[0] = 0;
	return bpf_xdp_attach((int)ifindex, prog_fd, flags, NULL);
}

static int kernel_xdp_query(struct port *p, u32 ifindex, struct port_xdp *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int err = bpf_xdp_query((int)ifindex, 0, &opts);

	if (err)
		return err;
	*ret = (struct port_xdp){
		.prog_id = opts.prog_id,
		.drv_prog_id = opts.drv_prog_id,
		.skb_prog_id = opts.skb_prog_id,
		.hw_prog_id = opts.hw_prog_id,
		.mode = opts.attach_mode,
	};
	return 0;
}

static int kernel_dev_each(
	struct port *p, int (*fn)(void *arg, const struct port_dev *dev), void *arg)
{
	struct if_nameindex *all = if_nameindex();
	int ret = 0;

	if (!all)
		return -errno;
	for (struct if_nameindex *i = all; i->if_index && !ret; i++) {
		struct port_dev dev = {.ifindex = i->if_index};

		snprintf(dev.name, sizeof(dev.name), "%s", i->if_name);
		ret = fn(arg, &dev);
	}
	if_freenameindex(all);
	return ret;
}

static int kernel_dev_add(struct port *p, const char *spec, u32 *ret_ifindex, struct port_text *err)
{
	return fail(-EOPNOTSUPP, err,
		"%s: the kernel's interfaces are made with ip(8) (ip link add ..., ip tuntap add "
		"...), "
		"not with -K",
		spec);
}

static int kernel_dev_del(struct port *p, u32 ifindex, struct port_text *err)
{
	return fail(-EOPNOTSUPP, err,
		"the kernel's interfaces are removed with ip(8) (ip link del ...), not with -K");
}

static int kernel_dev_join(struct port *p, u32 a, u32 b, struct port_text *err)
{
	return fail(-EOPNOTSUPP, err,
		"the kernel's interfaces are joined by a bridge (ip link add br0 type bridge, ip "
		"link "
		"set IFACE master br0), not with -K");
}

/* The kernel moves the frames by itself, so all there is to do is wait for the user. */
static int kernel_run(struct port *p, const struct port_run *run, struct port_text *err)
{
	if (run->count)
		return fail(-EOPNOTSUPP, err,
			"the kernel does not stop after a number of frames: "
			"leave --count out, and end with ^C");
	while (!*run->stop)
		usleep(20 * 1000);
	return 0;
}

/*
 * trace_pipe, wherever tracefs is mounted; where it is not, it is mounted at its usual place, as
 * bpftool does.
 */
static int open_trace(struct kernel *k)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/trace_pipe", "/sys/kernel/debug/tracing/trace_pipe"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		k->trace_fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (k->trace_fd >= 0)
			return 0;
		if (errno != ENOENT)
			return -errno;
	}
	if (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL))
		return -errno;
	k->trace_fd = open(paths[0], O_RDONLY | O_CLOEXEC);
	return k->trace_fd < 0 ? -errno : 0;
}

static long kernel_trace_read(struct port *p, char *buf, size_t len)
{
	struct kernel *k = container_of(p, struct kernel, port);
	ssize_t ret;
	int err;

	if (k->trace_fd < 0) {
		err = open_trace(k);
		if (err)
			return err;
	}
	ret = read(k->trace_fd, buf, len);
	return ret < 0 ? -errno : ret;
}

static void kernel_close(struct port *p)
{
	struct kernel *k = container_of(p, struct kernel, port);

	if (k->trace_fd >= 0)
		close(k->trace_fd);
	mem_free(k);
}

static const struct port_ops kernel_ops;

int port_open_kernel(struct port **ret)
{
	struct kernel *k = mem_zalloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->port.ops = &kernel_ops;
	k->trace_fd = -1;
	*ret = &k->port;
	return 0;
}

static const struct port_ops kernel_ops = {
	.name = "kernel",
	.is_kernel = true,
	.bpf = kernel_bpf,
	.fdinfo = kernel_fdinfo,
	.pin_prepare = kernel_pin_prepare,
	.pin_each = kernel_pin_each,
	.if_index = kernel_if_index,
	.if_name = kernel_if_name,
	.xdp_attach = kernel_xdp_attach,
	.xdp_query = kernel_xdp_query,
	.dev_each = kernel_dev_each,
	.dev_add = kernel_dev_add,
	.dev_del = kernel_dev_del,
	.dev_join = kernel_dev_join,
	.run = kernel_run,
	.trace_read = kernel_trace_read,
	.close = kernel_close,
};
