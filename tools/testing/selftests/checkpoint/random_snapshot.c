// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what can be seen of a tree of tasks. See random.c.
 *
 * We look from outside, so that tasks can be in any state. Descriptors are
 * fetched with pidfd_getfd(2): what the tasks themselves would be told is told
 * to us. Numbers that may change are replaced by the order in which they come.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/kcmp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>

#include "ckpt_util.h"
#include "random.h"

#define MAX_SEEN	600
#define MAX_INODES	1000

static struct snapshot *snap;
static char text[1 << 17];
static char buf[1 << 17];

/* Open file descriptions, each by a descriptor that we have of it. */
static struct {
	int fd;
	dev_t dev;
	ino_t ino;
	char name[32];
} seen[MAX_SEEN];
static int nr_seen;

static struct {
	dev_t dev;
	ino_t ino;
} inodes[MAX_INODES];
static int nr_inodes;

static pid_t tids[64], tgids[64];
static int nr_tids;

static __printf(1, 2) void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (snap->size - snap->len < 4096) {
		snap->size = snap->size * 2 + 65536;
		snap->text = realloc(snap->text, snap->size);
	}
	va_start(ap, fmt);
	n = vsnprintf(snap->text + snap->len, 4096, fmt, ap);
	va_end(ap);
	snap->len += n < 4096 ? n : 4095;
}

static int inode_number(dev_t dev, ino_t ino)
{
	int i;

	for (i = 0; i < nr_inodes; i++)
		if (inodes[i].dev == dev && inodes[i].ino == ino)
			return i;
	if (i == MAX_INODES)
		return -1;
	inodes[i].dev = dev;
	inodes[i].ino = ino;
	nr_inodes++;
	return i;
}

/* Of which only the inode number is known; -1 if no task has it open. */
static int bare_inode(ino_t ino)
{
	int i;

	for (i = 0; i < nr_inodes; i++)
		if (inodes[i].ino == ino)
			return i;
	return -1;
}

/* Is there something of this name, which was deleted? fd tells where. */
static bool name_again(const char *name, int fd)
{
	struct mq_attr attr;
	struct stat st;
	int other;

	if (fd < 0 || mq_getattr(fd, &attr))
		return !lstat(name, &st);
	/* the system call takes a name without the slash of mq_open(3) */
	other = syscall(SYS_mq_open, name + 1, O_RDONLY | O_CLOEXEC, 0, NULL);
	if (other >= 0)
		close(other);
	return other >= 0;
}

/*
 * The name of a file, with what is a matter of chance replaced where it is just
 * that:
 *
 * - the name of a file of O_TMPFILE is its inode number;
 * - one that was deleted, and that has a namesake by now, comes back as
 *   .restart-NUMBER. Where the name is free, it must be the same.
 */
static const char *name_of(const char *link, ino_t ino, int fd)
{
	static char out[PATH_MAX + 32];
	const char *base = strrchr(link, '/'), *tail = strstr(link, " (deleted)");
	unsigned long long number;
	int len = 0;

	/* the memory of MAP_SHARED | MAP_ANONYMOUS has that name, and no other */
	if (!base || !tail || tail < base || tail[10] || !strncmp(link, "/dev/zero ", 10))
		return link;
	base++;
	snprintf(out, sizeof(out), "%.*s", (int)(tail - link), link);
	if (sscanf(base, "#%llu%n", &number, &len) == 1 && base + len == tail) {
		if (number == ino)
			snprintf(out, sizeof(out), "%.*s# (deleted)", (int)(base - link), link);
		else
			return link;
	} else if ((sscanf(base, ".restart-%16llx%n", &number, &len) == 1 &&
		    base + len == tail) || name_again(out, fd)) {
		snprintf(out, sizeof(out), "%.*s (deleted, as is its name)",
			 (int)(base - link), link);
	} else {
		return link;
	}
	return out;
}

/* ---- tasks ---- */

static int by_number(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static void list_tasks(void)
{
	struct dirent *p, *t;
	char path[300];
	DIR *proc = opendir("/proc"), *dir;
	pid_t tgid;
	int i;

	nr_tids = 0;
	while (proc && (p = readdir(proc))) {
		tgid = atoi(p->d_name);
		if (tgid <= 0 || tgid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", p->d_name);
		dir = opendir(path);
		while (dir && (t = readdir(dir)))
			if (atoi(t->d_name) > 0 && nr_tids < 64)
				tids[nr_tids++] = atoi(t->d_name);
		if (dir)
			closedir(dir);
	}
	if (proc)
		closedir(proc);
	qsort(tids, nr_tids, sizeof(pid_t), by_number);
	for (i = 0; i < nr_tids; i++) {
		char *line;

		snprintf(path, sizeof(path), "/proc/%d/status", tids[i]);
		tgids[i] = 0;
		if (ckpt_slurp(path, text, sizeof(text)) > 0) {
			line = strstr(text, "\nTgid:");
			tgids[i] = line ? atoi(line + 6) : 0;
		}
	}
}

/* Waits until nobody but who spins runs; nobody may stop meanwhile. */
int snapshot_wait(void)
{
	char was[64] = "", now[64];
	int i, round, same = 0, running;

	for (round = 0; round < 400; round++) {
		list_tasks();
		memset(now, 0, sizeof(now));
		running = 0;
		for (i = 0; i < nr_tids && i < 63; i++) {
			now[i] = ckpt_state(tids[i]) ?: '?';
			running += now[i] == 'R';
		}
		same = strcmp(was, now) ? 0 : same + 1;
		if (same > (running ? 20 : 2))
			return 0;
		memcpy(was, now, sizeof(was));
		ckpt_sleep_ms(3);
	}
	return -1;
}

/*
 * What only a task that lives has a use for, and what is the process's only as
 * long as one does: signals that wait, that are blocked, ignored, or handled.
 */
static bool is_moot(int i, bool of_process)
{
	int k;

	if (ckpt_state(tids[i]) != 'Z')
		return false;
	for (k = 0; k < nr_tids && of_process; k++)
		if (tgids[k] == tgids[i] && ckpt_state(tids[k]) != 'Z')
			return false;
	return true;
}

static void stat_fields(int task)
{
	/* numbers as in proc(5) */
	static const char fields[] = {
		4, 5, 6, 7, 8, 18, 19, 20, 23, 26, 27, 28, 31, 32, 33, 34, 38, 40, 41,
		45, 46, 47, 48, 49, 50, 51, 52,
	};
	char path[64], *p, *word, *next = NULL;
	bool no_mask = is_moot(task, false), no_handlers = is_moot(task, true);
	pid_t tid = tids[task];
	int n = 3;
	unsigned int i = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0) {
		say("%d: gone\n", tid);
		return;
	}
	p = strrchr(text, ')');
	*p = 0;
	say("%d: %s\n", tid, text);
	for (word = strtok_r(p + 1, "\n ", &next); word;
	     word = strtok_r(NULL, "\n ", &next), n++) {
		if (n == 3)
			say("%d: state %s\n", tid,
			    strchr("RSD", *word) ? "sleeps or runs" : word);
		if (i < sizeof(fields) && fields[i] == n) {
			i++;
			/* pending and blocked; ignored and caught */
			if (n < 33 ? n > 30 && no_mask : n < 35 && no_handlers)
				continue;
			say("%d: stat %d %s\n", tid, n, word);
		}
	}
}

static void lines_of(pid_t tid, const char *file, const char *const *keys)
{
	char path[64], *line, *next = NULL;
	unsigned int i;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return;
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		for (i = 0; keys && keys[i]; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				break;
		if (!keys || keys[i])
			say("%d: %s %s\n", tid, file, line);
	}
}

static void link_of(pid_t tid, const char *file)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	n = readlink(path, text, sizeof(text) - 1);
	say("%d: %s %.*s\n", tid, file, n < 0 ? 0 : (int)n, text);
}

static void sharing(int i)
{
	static const struct {
		int type;
		const char *name;
	} types[] = {
		{ KCMP_VM, "memory" }, { KCMP_FILES, "descriptors" }, { KCMP_FS, "fs" },
		{ KCMP_SIGHAND, "handlers" }, { KCMP_IO, "io" }, { KCMP_SYSVSEM, "semundo" },
	};
	unsigned int t;
	int j;

	for (t = 0; t < 6; t++)
		for (j = 0; j < i; j++)
			if (!syscall(SYS_kcmp, tids[i], tids[j], types[t].type, 0, 0)) {
				say("%d: shares %s with %d\n", tids[i], types[t].name, tids[j]);
				break;
			}
}

/* ---- memory ---- */

struct mapping {
	unsigned long from, to, offset, ino;
	unsigned int major, minor;
	char prot[8], name[256], flags[256];
};

static uint64_t sum_memory(int mem, unsigned long from, unsigned long to)
{
	uint64_t sum = HASH_START, *words = (uint64_t *)buf;
	ssize_t n, i;

	while (from < to) {
		n = to - from < sizeof(buf) ? to - from : sizeof(buf);
		n = pread(mem, buf, n, from);
		if (n <= 0) {
			/* beyond the end of the file */
			sum = sum * 31 + 7;
			from += 4096;
			continue;
		}
		for (i = 0; i < n / 8; i++)
			sum = (sum ^ words[i]) * 1099511628211ULL;
		from += n;
	}
	return sum;
}

/* How long poll() and select() may still wait: they note that when interrupted. */
static void patience(int mem, pid_t tid)
{
	struct timespec left[MAX_TASKS];
	int i;

	if (pread(mem, left, sizeof(left), PATIENCE_ADDR) != sizeof(left))
		return;
	for (i = 0; i < MAX_TASKS; i++)
		say("%d: patience of %d: %s\n", tid, i, !left[i].tv_sec && !left[i].tv_nsec ?
		    "none" : left[i].tv_sec < 0 || left[i].tv_sec > PATIENCE_SECONDS ?
		    "not possible" : "some");
}

static void one_mapping(int mem, pid_t tid, const struct mapping *map)
{
	uint64_t sum = 0;

	if (!map->to)
		return;
	if (map->from == PATIENCE_ADDR)
		patience(mem, tid);
	else if (!strstr(map->name, "[vv") && map->prot[0] == 'r')
		sum = sum_memory(mem, map->from, map->to);
	say("%d: map %lx-%lx %s %lx inode %d %s flags %s sum %016lx\n", tid, map->from, map->to,
	    map->prot, map->offset,
	    map->ino ? inode_number(makedev(map->major, map->minor), map->ino) : -1,
	    name_of(map->name, map->ino, -1), map->flags, sum);
}

/*
 * Whether two mappings, side by side, of which nothing else differs, are one or two
 * is a matter of when each of them was first written to.
 */
static bool may_merge(const struct mapping *a, const struct mapping *b)
{
	return a->to == b->from && a->ino == b->ino && a->major == b->major &&
	       a->minor == b->minor && !strcmp(a->prot, b->prot) &&
	       !strcmp(a->name, b->name) && !strcmp(a->flags, b->flags) &&
	       (!a->ino || a->offset + (a->to - a->from) == b->offset);
}

static void memory(pid_t tid)
{
	static char maps[1 << 18];
	struct mapping last = { }, map = { }, head;
	char path[64], *line, *next = NULL;
	int mem, name;

	snprintf(path, sizeof(path), "/proc/%d/smaps", tid);
	if (ckpt_slurp(path, maps, sizeof(maps)) <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	for (line = strtok_r(maps, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		name = 0;
		/* "Anonymous:" begins like a number */
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %n", &head.from, &head.to,
			   head.prot, &head.offset, &head.major, &head.minor, &head.ino,
			   &name) >= 7) {
			map = head;
			snprintf(map.name, sizeof(map.name), "%s", name ? line + name : "");
			continue;
		}
		if (strncmp(line, "VmFlags: ", 9))
			continue;
		snprintf(map.flags, sizeof(map.flags), "%s", line + 9);
		if (may_merge(&last, &map)) {
			last.to = map.to;
		} else {
			one_mapping(mem, tid, &last);
			last = map;
		}
	}
	one_mapping(mem, tid, &last);
	close(mem);
}

/* ---- descriptors ---- */

static void one_file(const char *name, int fd, int depth);

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * A lock of flock(2) belongs to an open file, one of fcntl(2) to a descriptor table.
 * Of the processes that have that in common, the one that called is named, but after
 * a restart the one that came first: leave the former out, and of the latter tell
 * the first one. Who waits for a lock is named as before.
 */
static void lock_owner(char *line)
{
	char *p = strstr(line, "FLOCK ") ?: strstr(line, "POSIX "), name[16] = "-";
	int from = 0, to = 0, pid, i, j;

	if (!p || strstr(line, "-> ") ||
	    sscanf(p, "%*s ADVISORY %*s %n%d%n", &from, &pid, &to) != 1)
		return;
	if (*p == 'P') {
		for (i = 0; i < nr_tids && tids[i] != pid; i++)
			;
		for (j = 0; j < i && i < nr_tids; j++)
			if (!syscall(SYS_kcmp, tids[i], tids[j], KCMP_FILES, 0, 0))
				break;
		if (i == nr_tids)
			return;
		/* not longer than it was */
		snprintf(name, to - from + 1, "%d", tgids[j]);
	}
	memmove(p + from + strlen(name), p + to, strlen(p + to) + 1);
	memcpy(p + from, name, strlen(name));
}

/* One line of what the kernel tells of a descriptor, with other numbers. */
static void info_line(char *line, char *out, size_t size)
{
	unsigned int major, minor;
	unsigned long ino, dev;
	char *p;

	*out = 0;
	/* fstat() tells the inode */
	if (!strncmp(line, "mnt_id:", 7) || !strncmp(line, "eventfd-id:", 11) ||
	    !strncmp(line, "it_interval", 11) || !strncmp(line, "ticks", 5) ||
	    !strncmp(line, "ino:", 4))
		return;
	if (!strncmp(line, "it_value: (", 11)) {
		snprintf(out, size, "armed %d", atol(line + 11) > 0);
		return;
	}
	p = strstr(line, " ino:");
	if (!strncmp(line, "tfd:", 4) && p) {
		*p = 0;
		snprintf(out, size, "%s inode %d", line, bare_inode(strtoul(p + 5, NULL, 16)));
		return;
	}
	if (!strncmp(line, "inotify wd:", 11) && p) {
		if (sscanf(p, " ino:%lx sdev:%lx", &ino, &dev) != 2)
			return;
		*p = 0;
		p = strstr(p + 1, " mask");
		if (p)
			p[strcspn(p + 1, " ") + 1] = 0;
		snprintf(out, size, "%s inode %d%s", line, bare_inode(ino), p ?: "");
		return;
	}
	if (!strncmp(line, "lock:", 5)) {
		/* lock:	1: POSIX  ADVISORY  WRITE 12 00:1a:77 0 EOF */
		line = strchr(line + 5, ':') ?: line;
		for (p = line; *p && sscanf(p, " %x:%x:%lu", &major, &minor, &ino) != 3; p++)
			;
		if (*p)
			snprintf(out, size, "lock%.*s inode %d%s", (int)(p - line), line,
				 bare_inode(ino), strchr(p + 1, ' ') ?: "");
		lock_owner(out);
		return;
	}
	snprintf(out, size, "%s", line);
}

/* In no order: that of an epoll instance is that of addresses. */
static void info_lines(const char *name, pid_t pid, int fd)
{
	static char info[16384], out[64][200];
	char path[64], *line, *next = NULL, *lines[64];
	int nr = 0, i;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	if (ckpt_slurp(path, info, sizeof(info)) <= 0)
		return;
	for (line = strtok_r(info, "\n", &next); line && nr < 64;
	     line = strtok_r(NULL, "\n", &next)) {
		info_line(line, out[nr], sizeof(out[nr]));
		lines[nr] = out[nr];
		nr += !!*out[nr];
	}
	qsort(lines, nr, sizeof(char *), by_text);
	for (i = 0; i < nr; i++)
		say("%s: %s\n", name, lines[i]);
}

static void pipe_contents(const char *name, int fd, int flags)
{
	int fds[2], n = 0;
	ssize_t len;

	ioctl(fd, FIONREAD, &n);
	say("%s: size %d, %d bytes\n", name, fcntl(fd, F_GETPIPE_SZ), n);
	if ((flags & O_ACCMODE) == O_WRONLY || pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC))
		return;
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	tee(fd, fds[1], 1 << 20, SPLICE_F_NONBLOCK);
	while ((len = read(fds[0], buf, sizeof(buf))) > 0)
		say("%s: piece %zd %08x\n", name, len, hash_add(HASH_START, buf, len));
	close(fds[0]);
	close(fds[1]);
}

static void say_address(const char *name, const char *what, int fd,
			int (*fn)(int, struct sockaddr *, socklen_t *))
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
	} u;
	socklen_t len = sizeof(u), i;
	char hex[300];

	memset(&u, 0, sizeof(u));
	if (fn(fd, &u.sa, &len)) {
		say("%s: %s %s\n", name, what, strerrorname_np(errno));
		return;
	}
	if (u.sa.sa_family == AF_INET) {
		say("%s: %s inet port %u\n", name, what, ntohs(u.in.sin_port));
		return;
	}
	if (u.sa.sa_family == AF_INET6) {
		say("%s: %s inet6 port %u\n", name, what, ntohs(u.in6.sin6_port));
		return;
	}
	for (i = 0; i + 2 < len && i < 110; i++)
		hex[i] = u.un.sun_path[i] > ' ' ? u.un.sun_path[i] : '@';
	hex[i] = 0;
	say("%s: %s family %d length %u %s\n", name, what, u.sa.sa_family, len, hex);
}

static void socket_state(const char *name, int fd, int revents, int depth)
{
	static const struct {
		int opt;
		const char *name;
	} options[] = {
		{ SO_TYPE, "type" }, { SO_DOMAIN, "domain" }, { SO_PROTOCOL, "protocol" },
		{ SO_ACCEPTCONN, "listens" }, { SO_PASSCRED, "passcred" },
		{ SO_SNDBUF, "sndbuf" }, { SO_RCVBUF, "rcvbuf" }, { SO_RCVLOWAT, "rcvlowat" },
		{ SO_KEEPALIVE, "keepalive" }, { SO_TIMESTAMP, "timestamp" },
		{ SO_REUSEADDR, "reuseaddr" }, { SO_BROADCAST, "broadcast" },
	};
	char control[512], nested[48];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	struct ucred cred = { };
	struct linger linger = { };
	struct timeval tv = { };
	socklen_t len;
	unsigned int i;
	int value, listens = 0, fds[64], nr, k;
	ssize_t n;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		value = -1;
		len = sizeof(value);
		if (getsockopt(fd, SOL_SOCKET, options[i].opt, &value, &len))
			value = -errno;
		say("%s: %s %d\n", name, options[i].name, value);
		if (options[i].opt == SO_ACCEPTCONN)
			listens = value;
	}
	len = sizeof(cred);
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		say("%s: peer pid %d uid %d gid %d\n", name, cred.pid, cred.uid, cred.gid);
	len = sizeof(linger);
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len);
	len = sizeof(tv);
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	say("%s: linger %d %d timeout %ld\n", name, linger.l_onoff, linger.l_linger, tv.tv_sec);
	say_address(name, "address", fd, getsockname);
	say_address(name, "peer", fd, getpeername);
	if (listens == 1)
		return;
	value = -1;
	ioctl(fd, FIONREAD, &value);
	say("%s: %d bytes wait", name, value);
	value = -1;
	ioctl(fd, TIOCOUTQ, &value);
	/* in memory, which depends on how it came there */
	say(", sent %d\n", value > 0);
	/* an error is told once: not to us */
	if (revents & POLLERR)
		return;
	n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) {
		say("%s: peek %s\n", name, strerrorname_np(errno));
		return;
	}
	say("%s: peek %zd %08x flags %x\n", name, n, hash_add(HASH_START, buf, n),
	    msg.msg_flags);
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
			say("%s: from pid %d uid %d gid %d\n", name, cred.pid, cred.uid,
			    cred.gid);
		}
		if (cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(int));
		for (k = 0; k < nr; k++) {
			snprintf(nested, sizeof(nested), "%s!%d", name, k);
			one_file(nested, fds[k], depth + 1);
		}
	}
}

static void tty_state(const char *name, int fd)
{
	struct winsize ws = { };
	struct termios t;
	int v = -1;

	memset(&t, 0, sizeof(t));
	if (ioctl(fd, TCGETS, &t) && errno != EIO)
		return;
	ioctl(fd, TIOCGWINSZ, &ws);
	say("%s: tty %08x %ux%u", name, hash_add(HASH_START, &t, 36), ws.ws_row, ws.ws_col);
	ioctl(fd, FIONREAD, &v);
	say(" in %d", v);
	v = -1;
	ioctl(fd, TIOCOUTQ, &v);
	say(" out %d", v);
	v = -1;
	ioctl(fd, TIOCGPTN, &v);
	say(" number %d", v);
	v = -1;
	ioctl(fd, TIOCGPKT, &v);
	say(" packet %d", v);
	v = -1;
	ioctl(fd, TIOCGEXCL, &v);
	say(" exclusive %d", v);
	v = -1;
	ioctl(fd, TIOCGPGRP, &v);
	say(" group %d\n", v);
}

/* Takes the descriptor over. */
static void one_file(const char *name, int fd, int depth)
{
	struct pollfd p = {
		fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDBAND | POLLWRBAND
	};
	struct f_owner_ex owner = { };
	char link[64], info[64];
	struct mq_attr attr;
	struct stat st;
	int i, flags, v;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		say("%s: %s\n", name, strerrorname_np(errno));
		return;
	}
	for (i = 0; i < nr_seen; i++) {
		if (seen[i].ino != st.st_ino || seen[i].dev != st.st_dev)
			continue;
		if (!syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, seen[i].fd)) {
			say("%s: same as %s\n", name, seen[i].name);
			close(fd);
			return;
		}
	}
	if (nr_seen < MAX_SEEN) {
		seen[nr_seen].fd = fd;
		seen[nr_seen].dev = st.st_dev;
		seen[nr_seen].ino = st.st_ino;
		snprintf(seen[nr_seen++].name, sizeof(seen[0].name), "%s", name);
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	if (!S_ISFIFO(st.st_mode) || text[0] == '/')
		if (!S_ISSOCK(st.st_mode))
			say("%s: link %s\n", name, name_of(text, st.st_ino, fd));
	say("%s: inode %d mode %o uid %d gid %d links %lu", name,
	    inode_number(st.st_dev, st.st_ino), st.st_mode, st.st_uid, st.st_gid,
	    (unsigned long)st.st_nlink);
	if (S_ISREG(st.st_mode))
		say(" size %ld", (long)st.st_size);
	if (S_ISREG(st.st_mode) && st.st_nlink)
		say(" mtime %ld.%09ld", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	flags = fcntl(fd, F_GETFL);
	say("\n%s: flags %#o", name, flags);
	if (flags & O_PATH) {
		say("\n");
		return;
	}
	if (!fcntl(fd, F_GETOWN_EX, &owner) && owner.pid)
		say(" owner %d %d", owner.type, owner.pid);
	v = fcntl(fd, F_GETSIG);
	if (v > 0)
		say(" signal %d", v);
	v = fcntl(fd, F_GET_SEALS);
	if (v >= 0)
		say(" seals %d", v);
	v = fcntl(fd, F_GETLEASE);
	if (v >= 0 && v != F_UNLCK)
		say(" lease %d", v);
	poll(&p, 1, 0);
	say(" poll %#x\n", p.revents);
	info_lines(name, getpid(), fd);

	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		if (!mq_getattr(fd, &attr)) {
			say("%s: queue %ld of %ld, %ld\n", name, attr.mq_curmsgs,
			    attr.mq_maxmsg, attr.mq_msgsize);
			/* SIGNO and the like; not the position that it changes */
			n = pread(fd, info, sizeof(info) - 1, 0);
			if (n > 0)
				say("%s: queue %.*s\n", name, (int)n - 1, info);
			break;
		}
		if ((flags & O_ACCMODE) == O_WRONLY)
			break;
		v = 0;
		n = pread(fd, buf, sizeof(buf), 0);
		if (n >= 0)
			say("%s: contents %zd %08x\n", name, n, hash_add(HASH_START, buf, n));
		break;
	case S_IFIFO:
		pipe_contents(name, fd, flags);
		break;
	case S_IFSOCK:
		if (depth < 3)
			socket_state(name, fd, p.revents, depth);
		break;
	case S_IFCHR:
		if (strstr(text, "/pt"))
			tty_state(name, fd);
		break;
	case 0:
		if (strstr(text, "inotify")) {
			v = -1;
			ioctl(fd, FIONREAD, &v);
			say("%s: %d bytes of events\n", name, v);
		}
	}
}

static int list_fds(pid_t tid, int *fds, int max)
{
	struct dirent *d;
	char path[64];
	int nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.' && nr < max)
			fds[nr++] = atoi(d->d_name);
	if (dir)
		closedir(dir);
	qsort(fds, nr, sizeof(int), by_number);
	return nr;
}

/* Gives inodes their numbers: a file may be named before its turn comes. */
static void number_inodes(pid_t tid)
{
	int fds[256], nr = list_fds(tid, fds, 256), i;
	struct stat st;
	char path[64];

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fds[i]);
		if (!stat(path, &st))
			inode_number(st.st_dev, st.st_ino);
	}
}

static void descriptors(pid_t tid)
{
	int fds[256], nr = list_fds(tid, fds, 256), pidfd, i, fd;
	char path[64], name[32];

	pidfd = syscall(SYS_pidfd_open, tid, 0);
	if (pidfd < 0)
		pidfd = syscall(SYS_pidfd_open, tid, O_EXCL /* PIDFD_THREAD */);
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%d/%d", tid, fds[i]);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fds[i]);
		if (ckpt_slurp(path, text, sizeof(text)) > 0 && strstr(text, "flags:"))
			say("%s: cloexec %d\n", name,
			    !!(strtoul(strstr(text, "flags:") + 6, NULL, 8) & O_CLOEXEC));
		fd = syscall(SYS_pidfd_getfd, pidfd, fds[i], 0);
		if (fd < 0)
			say("%s: %s\n", name, strerrorname_np(errno));
		else
			one_file(name, fd, 0);
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* ---- what is nobody's ---- */

static void all_locks(void)
{
	static char all[32768];
	char *lines[200], *line, *next = NULL, *p, one[256];
	unsigned int major, minor;
	unsigned long ino;
	int nr = 0, i;

	if (ckpt_slurp("/proc/locks", all, sizeof(all)) <= 0)
		return;
	for (line = strtok_r(all, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		line = strchr(line, ':');
		if (!line)
			continue;
		for (p = line + 1; *p && sscanf(p, " %x:%x:%lu", &major, &minor, &ino) != 3; p++)
			;
		for (i = 0; i < nr_inodes; i++)
			if (inodes[i].ino == ino)
				break;
		/* of another machine's half, perhaps */
		if (!*p || i == nr_inodes || nr == 200)
			continue;
		snprintf(one, sizeof(one), "lock%.*s inode %d%s", (int)(p - line), line, i,
			 strchr(p + 1, ' ') ?: "");
		lock_owner(one);
		lines[nr++] = strdup(one);
	}
	qsort(lines, nr, sizeof(char *), by_text);
	for (i = 0; i < nr; i++) {
		say("%s\n", lines[i]);
		free(lines[i]);
	}
}

static void ipc(void)
{
	union {
		struct shmid_ds shm;
		struct msqid_ds msg;
		struct semid_ds sem;
	} u;
	struct {
		long type;
		char data[2048];
	} m;
	unsigned short values[64];
	struct shm_info si;
	int i, k, max, id;
	long n;

	max = shmctl(0, SHM_INFO, (void *)&si);
	for (i = 0; i <= max; i++) {
		id = shmctl(i, SHM_STAT, &u.shm);
		if (id < 0)
			continue;
		say("shm %d: key %x mode %o size %zu attached %lu by %d %d\n", id,
		    u.shm.shm_perm.__key, u.shm.shm_perm.mode, u.shm.shm_segsz,
		    (unsigned long)u.shm.shm_nattch, u.shm.shm_cpid, u.shm.shm_lpid);
	}
	max = semctl(0, 0, SEM_INFO, &si);
	for (i = 0; i <= max; i++) {
		id = semctl(i, 0, SEM_STAT, &u.sem);
		if (id < 0)
			continue;
		say("sem %d: key %x mode %o", id, u.sem.sem_perm.__key, u.sem.sem_perm.mode);
		memset(values, 0, sizeof(values));
		semctl(id, 0, GETALL, values);
		for (k = 0; k < (int)u.sem.sem_nsems && k < 64; k++)
			say(" %u(%d,%d,%d)", values[k], semctl(id, k, GETPID, 0),
			    semctl(id, k, GETNCNT, 0), semctl(id, k, GETZCNT, 0));
		say("\n");
	}
	max = msgctl(0, MSG_INFO, (void *)&u.msg);
	for (i = 0; i <= max; i++) {
		id = msgctl(i, MSG_STAT, &u.msg);
		if (id < 0)
			continue;
		say("msg %d: key %x mode %o %lu messages by %d %d\n", id, u.msg.msg_perm.__key,
		    u.msg.msg_perm.mode, (unsigned long)u.msg.msg_qnum, u.msg.msg_lspid,
		    u.msg.msg_lrpid);
		for (k = 0; k < 50; k++) {
			n = msgrcv(id, &m, sizeof(m.data), k, MSG_COPY | IPC_NOWAIT);
			if (n < 0)
				break;
			say("msg %d: message %ld %ld %08x\n", id, m.type, n,
			    hash_add(HASH_START, m.data, n));
		}
	}
}

void snapshot_take(struct snapshot *s)
{
	static const char *const status[] = {
		"Umask", "Tgid", "NStgid", "NSpgid", "NSsid", "TracerPid", "Uid", "Gid",
		"Groups", "Threads", "Cap", "NoNewPrivs", "Seccomp", "Speculation",
		"Cpus_allowed:", "Mems_allowed:",
		"CoreDumping", "THP_enabled", "VmLck", "VmPin", NULL
	};
	static const char *const status_of_thread[] = { "SigPnd", "SigBlk", NULL };
	static const char *const status_of_process[] = { "ShdPnd", "SigIgn", "SigCgt", NULL };
	int i, j;

	memset(s, 0, sizeof(*s));
	snap = s;
	nr_seen = 0;
	nr_inodes = 0;
	list_tasks();
	for (i = 0; i < nr_tids; i++)
		number_inodes(tids[i]);
	for (i = 0; i < nr_tids; i++) {
		stat_fields(i);
		lines_of(tids[i], "status", status);
		if (!is_moot(i, false))
			lines_of(tids[i], "status", status_of_thread);
		if (!is_moot(i, true))
			lines_of(tids[i], "status", status_of_process);
		if (ckpt_state(tids[i]) == 'Z')
			continue;
		sharing(i);
		link_of(tids[i], "cwd");
		link_of(tids[i], "root");
		link_of(tids[i], "exe");
		lines_of(tids[i], "personality", NULL);
		lines_of(tids[i], "limits", NULL);
		lines_of(tids[i], "oom_score_adj", NULL);
		lines_of(tids[i], "timerslack_ns", NULL);
		lines_of(tids[i], "coredump_filter", NULL);
		if (tgids[i] == tids[i])
			lines_of(tids[i], "timers", NULL);
		for (j = 0; j < i; j++)
			if (!syscall(SYS_kcmp, tids[i], tids[j], KCMP_FILES, 0, 0))
				break;
		if (j == i)
			descriptors(tids[i]);
	}
	for (i = 0; i < nr_tids; i++) {
		if (ckpt_state(tids[i]) == 'Z')
			continue;
		for (j = 0; j < i; j++)
			if (!syscall(SYS_kcmp, tids[i], tids[j], KCMP_VM, 0, 0))
				break;
		if (j == i)
			memory(tids[i]);
	}
	all_locks();
	ipc();
	for (i = 0; i < nr_seen; i++)
		close(seen[i].fd);
}

void snapshot_free(struct snapshot *s)
{
	free(s->text);
	memset(s, 0, sizeof(*s));
}

static bool has_line(const struct snapshot *s, const char *line, size_t len)
{
	const char *p = s->text, *end = s->text + s->len, *next;

	for (; p < end; p = next + 1) {
		next = memchr(p, '\n', end - p);
		if (!next)
			return false;
		if ((size_t)(next - p) == len && !memcmp(p, line, len))
			return true;
	}
	return false;
}

static int lines_without(const struct snapshot *a, const struct snapshot *b, char sign,
			 char *first, size_t size)
{
	const char *p, *next;
	int nr = 0;

	for (p = a->text; p < a->text + a->len; p = next + 1) {
		next = memchr(p, '\n', a->text + a->len - p);
		if (!next)
			break;
		if (has_line(b, p, next - p))
			continue;
		if (!*first)
			snprintf(first, size, "%.*s", (int)(next - p), p);
		if (nr++ < 40)
			ckpt_msg("  %c %.*s", sign, (int)(next - p), p);
	}
	return nr;
}

/* Prints the lines that only one of them has, keeps one, and returns how many. */
int snapshot_diff(const struct snapshot *a, const struct snapshot *b, char *first, size_t size)
{
	if (a->len == b->len && !memcmp(a->text, b->text, a->len))
		return 0;
	return lines_without(a, b, '-', first, size) + lines_without(b, a, '+', first, size) ?: 1;
}
