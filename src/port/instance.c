/*
 * Instances in the background: starting one, ending one, finding them.
 *
 * The one that is started is a child that has left its parent's session: it closes what it inherited,
 * takes the place of its name, and tells the parent through a pipe that it listens, or why not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "port/place.h"
#include "port/remote.h"
#include "port/serve.h"
#include "port/text.h"
#include "sys/inst.h"
#include "sys/state.h"

enum {
	STEP_MS = 1000,
	STEP_FRAMES = 1024,
	END_PATIENCE_MS = 10000, /* how long `down` waits for the end */
	END_POLL_MS = 5,
};

/* --- the instance's own process ---------------------------------------------------------------- */

struct daemon {
	struct skep inst;
	struct port_serving serving;
	bool is_serving;
	bool is_ending;
	int log_fd;
};

/* What the child tells its parent. */
struct report {
	int err;
	struct port_text text;
};

static void write_log(struct daemon *d, const char *text)
{
	char line[SINK_TEXT_MAX + 2];
	int len = snprintf(line, sizeof(line), "%s\n", text);

	if (d->log_fd >= 0 && write(d->log_fd, line, MIN((size_t)len, sizeof(line) - 1)) < 0)
		return; /* the disk is full: there is nobody to tell */
}

static void emit(void *arg, enum sink_level level, const char *text)
{
	struct daemon *d = arg;

	if (__atomic_load_n(&d->is_serving, __ATOMIC_ACQUIRE) &&
		sys_server_log(d->serving.server, level, text))
		return;
	if (level == SINK_WARN)
		write_log(d, text);
}

static void ask_end(void *arg)
{
	struct daemon *d = arg;

	__atomic_store_n(&d->is_ending, true, __ATOMIC_RELEASE);
	sys_wake(&d->inst);
}

/* SIGTERM and SIGINT end the instance; they are blocked everywhere and waited for here. */
static void *wait_signals(void *arg)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	while (sigwait(&set, &sig))
		;
	ask_end(arg);
	return NULL;
}

static int catch_signals(struct daemon *d)
{
	pthread_t thread;
	sigset_t all;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	err = pthread_create(&thread, NULL, wait_signals, d);
	if (!err)
		pthread_detach(thread);
	return -err;
}

static void move_frames(struct daemon *d)
{
	struct buf text = BUF_INIT;

	while (!__atomic_load_n(&d->is_ending, __ATOMIC_ACQUIRE)) {
		if (sys_step(&d->inst, STEP_MS, STEP_FRAMES, &text) < 0)
			write_log(d, buf_text(&text));
		buf_reset(&text);
	}
	if (sys_flush(&d->inst, &text))
		write_log(d, buf_text(&text));
	buf_done(&text);
}

/* Each object takes a descriptor, so the instance takes as many as it may have. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Keeps the pipe to the parent, as descriptor 3; nothing else that was inherited. */
static int shed(int pipe_fd)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	if (pipe_fd != 3) {
		if (dup3(pipe_fd, 3, O_CLOEXEC) < 0)
			return -errno;
		pipe_fd = 3;
	}
	if (close_range(pipe_fd + 1, ~0U, 0) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static void send_report(int fd, const struct report *report)
{
	if (write(fd, report, sizeof(*report)) < 0)
		return; /* the parent is gone; the instance runs all the same */
}

static int open_log(const struct port_place *place)
{
	char path[PLACE_PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/log", place->dir);
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int open_state(struct daemon *d, const char *dir, struct port_text *ret_text)
{
	struct buf text = BUF_INIT;
	int err = sys_state_open(&d->inst, dir, &text);

	if (err)
		snprintf(ret_text->text, sizeof(ret_text->text), "%s", buf_text(&text));
	buf_done(&text);
	return err;
}

static void run_daemon(int report_fd, const char *name, const struct port_opts *opts)
{
	static struct daemon d; /* one a process, too large for a stack */
	struct inst_options want = {
		.sink = {.emit = emit, .arg = &d},
		.cpu_cnt = opts->cpus,
		.no_jit = opts->interp,
		.checked = opts->checked,
		.jitdump = opts->jitdump,
		.clock = opts->replay_clock ? INST_CLOCK_REPLAY : INST_CLOCK_REAL,
		.kernel_btf = opts->kernel_btf,
	};
	struct report report = {0};

	d.log_fd = -1;
	report.err = shed(report_fd);
	raise_limit();
	report_fd = 3;
	if (!report.err)
		report.err = sys_inst_init(&d.inst, &want);
	if (!report.err && opts->state_dir)
		report.err = open_state(&d, opts->state_dir, &report.text);
	if (!report.err)
		report.err = catch_signals(&d);
	if (!report.err)
		report.err = port_serve_start(&d.inst, name, ask_end, &d, &d.serving, &report.text);
	if (!report.err) {
		d.log_fd = open_log(&d.serving.place);
		__atomic_store_n(&d.is_serving, true, __ATOMIC_RELEASE);
	}
	send_report(report_fd, &report);
	close(report_fd);
	if (report.err)
		return;
	move_frames(&d);
	__atomic_store_n(&d.is_serving, false, __ATOMIC_RELEASE);
	port_serve_stop(&d.serving);
	sys_inst_done(&d.inst);
	port_serve_leave(&d.serving);
}

/* Twice forked: the instance is nobody's child, so nobody has to wait for it. */
static void become_daemon(int report_fd, const char *name, const struct port_opts *opts)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (!pid)
		run_daemon(report_fd, name, opts);
	_exit(pid < 0);
}

static int read_report(int fd, struct report *ret)
{
	size_t have = 0;
	ssize_t part;

	while (have < sizeof(*ret)) {
		part = read(fd, (char *)ret + have, sizeof(*ret) - have);
		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return -EIO;
		have += part;
	}
	return 0;
}

/* The instance works in another folder. */
static int make_absolute(const char *dir, char ret_path[PLACE_PATH_MAX], struct port_text *err)
{
	char here[PLACE_PATH_MAX] = "";

	if (dir[0] != '/' && !getcwd(here, sizeof(here)))
		return -errno;
	if (snprintf(ret_path, PLACE_PATH_MAX, "%s%s%s", here, dir[0] == '/' ? "" : "/", dir) >=
		PLACE_PATH_MAX)
		return port_fail(-ENAMETOOLONG, err, "%s: the path is too long", dir);
	return 0;
}

int port_instance_up(const char *name, const struct port_opts *given, struct port_text *err)
{
	char state_dir[PLACE_PATH_MAX];
	struct port_opts opts = *given;
	struct port_place place;
	struct report report;
	int fds[2], ret;
	pid_t pid;

	err->text[0] = 0;
	/* What can be said without a process is said at once. */
	ret = port_place_of(name, true, &place, err);
	if (!ret && opts.state_dir) {
		ret = make_absolute(opts.state_dir, state_dir, err);
		opts.state_dir = state_dir;
	}
	if (ret)
		return ret;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		become_daemon(fds[1], name, &opts);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -errno;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	ret = read_report(fds[0], &report);
	close(fds[0]);
	if (ret)
		return port_fail(ret, err, "the instance ended before it listened");
	if (!report.err)
		return 0;
	*err = report.text;
	if (!err->text[0])
		port_fail(report.err, err, "%s", port_errno_text(report.err));
	return report.err;
}

/* --- looking for them -------------------------------------------------------------------------- */

int port_open_instance(const char *name, struct port **ret, struct port_text *err)
{
	struct port_place place;
	int res;

	err->text[0] = 0;
	res = port_place_of(name, false, &place, err);
	return res ? res : port_remote_open(&place, ret, err);
}

static int wait_end(const struct port_place *place, struct port_text *err)
{
	const struct timespec pause = {.tv_nsec = END_POLL_MS * 1000000L};

	for (int ms = 0; ms < END_PATIENCE_MS; ms += END_POLL_MS) {
		if (!port_place_is_taken(place))
			return 0;
		nanosleep(&pause, NULL);
	}
	return port_fail(-ETIMEDOUT, err,
		"instance %s was asked to end and still runs after %d seconds; kill its process",
		place->name, END_PATIENCE_MS / 1000);
}

int port_instance_down(const char *name, struct port_text *err)
{
	struct port_place place;
	struct port *p;
	int ret;

	err->text[0] = 0;
	ret = port_place_of(name, false, &place, err);
	if (!ret)
		ret = port_remote_open(&place, &p, err);
	if (ret)
		return ret;
	ret = port_remote_shutdown(p);
	port_close(p);
	/* -EIO: it was ending already */
	return ret && ret != -EIO ? ret : wait_end(&place, err);
}

static int show(const char *name, int (*fn)(void *arg, const struct port_instance *inst), void *arg)
{
	struct port_instance inst = {0};
	struct port_text err = {0};
	struct sys_status status;
	struct port_place place;
	struct sockaddr_un addr;
	struct port *p;
	int ret;

	if (port_place_of(name, false, &place, &err) || port_place_socket(&place, &addr) ||
		port_remote_open(&place, &p, &err))
		return 0;
	ret = port_remote_status(p, &status);
	port_close(p);
	if (ret)
		return 0; /* it has just ended */
	strcpy(inst.name, place.name);
	strcpy(inst.socket, addr.sun_path);
	inst.pid = status.pid;
	inst.uptime_ns = status.uptime_ns;
	return fn(arg, &inst);
}

int port_instance_each(int (*fn)(void *arg, const struct port_instance *inst), void *arg)
{
	char base[PLACE_PATH_MAX];
	struct port_text err = {0};
	struct dirent **names;
	int cnt, ret = port_place_base(false, base, &err);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	cnt = scandir(base, &names, NULL, alphasort);
	if (cnt < 0)
		return -errno;
	for (int i = 0; i < cnt; i++) {
		if (!ret && names[i]->d_name[0] != '.')
			ret = show(names[i]->d_name, fn, arg);
		free(names[i]);
	}
	free(names);
	return ret;
}
