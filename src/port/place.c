/*
 * The folder of an instance and the lock in it (place.h).
 */
#include "port/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/text.h"

/* What port_instance_root() was given; "" until then. Process-wide, as the port in use is. */
static char root[PLACE_PATH_MAX];

void port_instance_root(const char *dir)
{
	snprintf(root, sizeof(root), "%s", dir ? dir : "");
}

/* A directory of ours that nobody else can write to. */
static int check_own(const char *dir, struct port_text *err)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		return port_fail(-EACCES, err,
			"%s is not a directory of this user's own: remove it, or set "
			"XDG_RUNTIME_DIR to one that is",
			dir);
	return 0;
}

static int make_own(const char *dir, bool make, struct port_text *err)
{
	if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return port_fail(
			-errno, err, "cannot make directory %s: %s", dir, port_errno_text(errno));
	return check_own(dir, err);
}

/* Without a directory given: the system's for this user, else one in /tmp. */
static int find_root(bool make, char ret_dir[PLACE_PATH_MAX], struct port_text *err)
{
	struct stat st;

	if (root[0]) {
		strcpy(ret_dir, root);
		return 0;
	}
	snprintf(ret_dir, PLACE_PATH_MAX, "/run/user/%u", geteuid());
	if (!stat(ret_dir, &st) && st.st_uid == geteuid())
		return 0;
	snprintf(ret_dir, PLACE_PATH_MAX, "/tmp/skep-%u", geteuid());
	return make_own(ret_dir, make, err);
}

int port_place_base(bool make, char ret_dir[PLACE_PATH_MAX], struct port_text *err)
{
	char dir[PLACE_PATH_MAX];
	int ret = find_root(make, dir, err);

	if (ret)
		return ret;
	if (snprintf(ret_dir, PLACE_PATH_MAX, "%.*s/skep", PLACE_PATH_MAX - 8, dir) >
		PLACE_PATH_MAX - 2)
		return -ENAMETOOLONG;
	return make_own(ret_dir, make, err);
}

static bool is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-");

	return len && !name[len] && len < PORT_NAME_MAX && name[0] != '.' && name[0] != '-';
}

int port_place_of(
	const char *name, bool make_base, struct port_place *ret_place, struct port_text *err)
{
	char base[PLACE_PATH_MAX];
	int ret;

	if (!is_name(name))
		return port_fail(-EINVAL, err,
			"'%.80s' is no name for an instance: use 1 to %d letters, digits, '.', "
			"'_' and '-'",
			name, PORT_NAME_MAX - 1);
	ret = port_place_base(make_base, base, err);
	if (ret)
		return ret;
	strcpy(ret_place->name, name);
	if (strlen(base) + strlen(name) + 2 > sizeof(ret_place->dir))
		return -ENAMETOOLONG;
	strcpy(ret_place->dir, base);
	strcat(ret_place->dir, "/");
	strcat(ret_place->dir, name);
	return 0;
}

/* "DIR/file"; place->dir leaves room for the names above. */
static void file_in(const struct port_place *place, const char *file, char ret[PLACE_PATH_MAX + 16])
{
	snprintf(ret, PLACE_PATH_MAX + 16, "%s/%s", place->dir, file);
}

int port_place_socket(const struct port_place *place, struct sockaddr_un *ret_addr)
{
	char path[PLACE_PATH_MAX + 16];

	file_in(place, "ctl.sock", path);
	*ret_addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret_addr->sun_path, path);
	return 0;
}

static int open_lock(const struct port_place *place, int flags)
{
	char path[PLACE_PATH_MAX + 16];
	int fd;

	file_in(place, "lock", path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return fd < 0 ? -errno : fd;
}

/* The holder before may have removed the file between our opening and locking it. */
static bool is_still_there(const struct port_place *place, int fd)
{
	char path[PLACE_PATH_MAX + 16];
	struct stat ours, theirs;

	file_in(place, "lock", path);
	return !fstat(fd, &ours) && !stat(path, &theirs) && ours.st_ino == theirs.st_ino;
}

static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

int port_place_take(const struct port_place *place, int *ret_lock_fd, struct port_text *err)
{
	struct flock lock = whole_file;
	int fd, ret;

	for (;;) {
		ret = make_own(place->dir, true, err);
		if (ret)
			return ret;
		fd = open_lock(place, O_CREAT);
		if (fd == -ENOENT)
			continue; /* the holder before has just removed the folder */
		if (fd < 0)
			return port_fail(fd, err, "cannot make %s/lock: %s", place->dir,
				port_errno_text(fd));
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
			close(fd);
			return port_fail(-EEXIST, err,
				"an instance named %s runs already: choose another name, or end it "
				"with `skep down %s`",
				place->name, place->name);
		}
		if (is_still_there(place, fd))
			break;
		close(fd);
	}
	*ret_lock_fd = fd;
	return 0;
}

bool port_place_is_taken(const struct port_place *place)
{
	struct flock lock = whole_file;
	int fd = open_lock(place, 0);
	bool is_taken;

	if (fd < 0)
		return false;
	is_taken = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	return is_taken;
}

void port_place_leave(const struct port_place *place, int lock_fd)
{
	static const char *const files[] = {"ctl.sock", "log", "pins", "lock"};
	char path[PLACE_PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		file_in(place, files[i], path);
		if (unlink(path) < 0 && errno == EISDIR)
			rmdir(path);
	}
	rmdir(place->dir);
	close(lock_fd);
}
