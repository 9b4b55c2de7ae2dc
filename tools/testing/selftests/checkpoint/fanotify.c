// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: fanotify groups, their marks and their events.
 *
 * What is marked is in a directory of its own, "w", or, where a whole mount or
 * filesystem is marked, on a filesystem of its own, OWN, that can be reached by
 * another mount, too, OTHER. The test gets rid of these in the end.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD	0x00000080
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID	0x00001000
#endif
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR	0x00002000
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE	0x00000200
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE		0x00000400
#endif
#ifndef FAN_RENAME
#define FAN_RENAME		0x10000000
#endif
#ifndef FAN_FS_ERROR
#define FAN_FS_ERROR		0x00008000
#endif
#ifndef FAN_EVENT_INFO_TYPE_PIDFD
#define FAN_EVENT_INFO_TYPE_PIDFD	4
struct fanotify_event_info_pidfd {
	struct fanotify_event_info_header hdr;
	__s32 pidfd;
};
#endif

#define DFID_NAME	(FAN_REPORT_DIR_FID | FAN_REPORT_NAME)
#define ALL_FID		(DFID_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID)

#define OWN		"/tmp/ckpt-fanotify-own"
#define OTHER		"/tmp/ckpt-fanotify-other"

#define MAX_EVENTS	64

struct events {
	int nr;
	struct event {
		uint64_t mask;
		int pid;
		/* what is opened for it, and how; or "" */
		char path[128];
		int flags;
		/* the process of a pidfd, or what is there instead */
		int pidfd;
		int info_len;
		unsigned char info[400];
	} e[MAX_EVENTS];
};

static int unread(int fd)
{
	int n = -1;

	CHECK_EQ(0, ioctl(fd, FIONREAD, &n));
	return n;
}

/* Which process a pidfd is of; -1 if that is gone. */
static int pid_of(int pidfd)
{
	char path[64], text[1024], *pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	pid = strstr(text, "\nPid:");
	CHECK(pid);
	return atoi(pid + 5);
}

static void take_info(struct event *e, const unsigned char *info, int len)
{
	struct fanotify_event_info_pidfd *p;
	struct fanotify_event_info_header *h;
	int pos;

	CHECK(len <= (int)sizeof(e->info));
	memcpy(e->info, info, len);
	e->info_len = len;
	for (pos = 0; pos < len; pos += h->len) {
		h = (void *)&e->info[pos];
		CHECK(h->len >= sizeof(*h) && h->len <= len - pos);
		if (h->info_type != FAN_EVENT_INFO_TYPE_PIDFD)
			continue;
		p = (void *)h;
		e->pidfd = p->pidfd;
		if (p->pidfd >= 0) {
			e->pidfd = pid_of(p->pidfd);
			close(p->pidfd);
		}
		p->pidfd = 0;
	}
}

/* Read what there is. */
static void take(int fd, struct events *ev)
{
	static unsigned char buf[1 << 16] __attribute__((aligned(8)));
	struct fanotify_event_metadata *m;
	int want = unread(fd), n, pos;
	char link[64];

	memset(ev, 0, sizeof(*ev));
	if (!want)
		return;
	n = read(fd, buf, sizeof(buf));
	CHECK_EQ(want, n);
	for (pos = 0; pos < n; pos += m->event_len) {
		struct event *e = &ev->e[ev->nr];

		CHECK(ev->nr++ < MAX_EVENTS);
		m = (void *)&buf[pos];
		CHECK_EQ(FANOTIFY_METADATA_VERSION, m->vers);
		e->mask = m->mask;
		e->pid = m->pid;
		if (m->fd >= 0) {
			snprintf(link, sizeof(link), "/proc/self/fd/%d", m->fd);
			CHECK(readlink(link, e->path, sizeof(e->path) - 1) > 0);
			e->flags = fcntl(m->fd, F_GETFL);
			close(m->fd);
		}
		take_info(e, &buf[pos + m->metadata_len], m->event_len - m->metadata_len);
	}
}

/* The name that is in the nth information with a name, or "". */
static const char *name_in(const struct event *e, int nth)
{
	const struct fanotify_event_info_fid *fid;
	const struct file_handle *handle;
	int pos;

	for (pos = 0; pos < e->info_len; pos += fid->hdr.len) {
		fid = (const void *)&e->info[pos];
		handle = (const void *)fid->handle;
		switch (fid->hdr.info_type) {
		case FAN_EVENT_INFO_TYPE_DFID_NAME:
		case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
		case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
			if (!nth--)
				return (const char *)handle->f_handle + handle->handle_bytes;
		}
	}
	return "";
}

static void expect_at(const struct events *ev, int i, uint64_t mask, const char *name)
{
	CHECK(i < ev->nr);
	CHECK_EQ(mask, ev->e[i].mask);
	CHECK(!strcmp(name, name_in(&ev->e[i], 0)));
}

static void expect(int fd, uint64_t mask, const char *name)
{
	struct events ev;

	take(fd, &ev);
	expect_at(&ev, 0, mask, name);
	CHECK_EQ(1, ev.nr);
}

static void expect_path(int fd, uint64_t mask, const char *path)
{
	struct events ev;

	take(fd, &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_EQ(mask, ev.e[0].mask);
	CHECK(!strcmp(path, ev.e[0].path));
}

static void expect_none(int fd)
{
	struct events ev;

	if (!unread(fd))
		return;
	take(fd, &ev);
	subject_fail(__FILE__, __LINE__, "%d events, first %#llx, of %d, %s%s", ev.nr,
		     (long long)ev.e[0].mask, ev.e[0].pid, ev.e[0].path,
		     name_in(&ev.e[0], 0));
}

static const char *in_w(const char *name)
{
	char path[264];

	snprintf(path, sizeof(path), "w/%s", name);
	return subject_path(path);
}

static void make_dir(const char *name)
{
	CHECK(!mkdir(subject_path(name), 0755) || errno == EEXIST);
}

static void make_file_at(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static void make_file(const char *name)
{
	make_file_at(in_w(name));
}

static void touch(const char *path)
{
	CHECK_EQ(0, chmod(path, 0644));
}

/* As often as needed: open, and close. */
static void visit(const char *path)
{
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	close(fd);
}

static int group(unsigned int flags, unsigned int event_f_flags)
{
	int fd = fanotify_init(flags, event_f_flags);

	CHECK(fd >= 0);
	return fd;
}

static void mark(int fd, unsigned int flags, uint64_t mask, const char *path)
{
	CHECK_EQ(0, fanotify_mark(fd, FAN_MARK_ADD | flags, mask, AT_FDCWD, path));
}

/* What /proc tells: flags of the file, of the group, and all marks. */
static void info(int fd, char *text, size_t size)
{
	static char all[1 << 16];
	char path[64], *flags, *from;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, all, sizeof(all)) > 0);
	flags = strstr(all, "flags:");
	from = strstr(all, "fanotify flags:");
	CHECK(flags && from && strlen(from) + 64 < size);
	snprintf(text, size, "%.*s\n%s", (int)strcspn(flags, "\n"), flags, from);
}

/* Take the first mark out of that. */
static void drop_mark(char *text)
{
	char *line = strstr(text, "fanotify ino:"), *end;

	CHECK(line);
	end = line + strcspn(line, "\n") + 1;
	memmove(line, end, strlen(end) + 1);
}

SUBJECT(groups)
{
	static const unsigned int flags[] = {
		0,
		FAN_CLOEXEC | FAN_NONBLOCK,
		FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
		FAN_REPORT_TID | FAN_NONBLOCK,
		FAN_REPORT_PIDFD | FAN_REPORT_FD_ERROR,
		FAN_REPORT_FID,
		FAN_REPORT_DIR_FID,
		FAN_REPORT_DIR_FID | FAN_REPORT_FID | FAN_CLOEXEC,
		DFID_NAME,
		ALL_FID | FAN_REPORT_PIDFD,
	};
	enum { NR = ARRAY_SIZE(flags) };
	static const unsigned int f_flags[NR] = {
		O_RDONLY, O_RDWR | O_NOATIME, O_WRONLY | O_APPEND,
		O_RDONLY | O_NONBLOCK | O_CLOEXEC, O_RDWR | O_DSYNC, O_RDONLY,
	};
	static char was[NR][2048], is[2048];
	int fd[NR], i, file, status[NR], fd_flags[NR];
	struct events ev;

	make_dir("w");
	make_file("file");
	file = open(in_w("file"), O_WRONLY);
	for (i = 0; i < NR; i++) {
		fd[i] = group(flags[i], f_flags[i]);
		mark(fd[i], 0, FAN_MODIFY, in_w("file"));
		if (i & 1)
			CHECK_EQ(0, fcntl(fd[i], F_SETFL, fcntl(fd[i], F_GETFL) ^ O_NONBLOCK));
		status[i] = fcntl(fd[i], F_GETFL);
		fd_flags[i] = fcntl(fd[i], F_GETFD);
		info(fd[i], was[i], sizeof(was[i]));
	}

	subject_point();

	for (i = 0; i < NR; i++) {
		expect_none(fd[i]);
		CHECK_EQ(status[i], fcntl(fd[i], F_GETFL));
		CHECK_EQ(fd_flags[i], fcntl(fd[i], F_GETFD));
		info(fd[i], is, sizeof(is));
		CHECK(!strcmp(was[i], is));
	}
	CHECK_EQ(1, write(file, "x", 1));
	for (i = 0; i < NR; i++) {
		/* without the handle of the file there is nothing to tell */
		if (flags[i] & FAN_REPORT_DIR_FID && !(flags[i] & FAN_REPORT_FID) &&
		    !unread(fd[i]))
			continue;
		take(fd[i], &ev);
		CHECK_EQ(1, ev.nr);
		CHECK_EQ(FAN_MODIFY, ev.e[0].mask);
		CHECK_EQ(getpid(), ev.e[0].pid);
		if (flags[i] & FAN_REPORT_PIDFD)
			CHECK_EQ(getpid(), ev.e[0].pidfd);
		CHECK_EQ(!(flags[i] & (FAN_REPORT_FID | FAN_REPORT_DIR_FID)),
			 !strcmp(ev.e[0].path, in_w("file")));
		if (ev.e[0].path[0])
			CHECK_EQ(f_flags[i] & (O_ACCMODE | O_APPEND | O_NOATIME | O_NONBLOCK),
				 ev.e[0].flags & (O_ACCMODE | O_APPEND | O_NOATIME |
						  O_NONBLOCK));
	}
}

/* Marks on inodes, of all kinds; and files that are opened at the restart. */
SUBJECT(marks)
{
	int fd[2], i, a, b, d, deleted, dir;
	static char was[2][8192], is[8192];
	struct events ev;

	make_dir("w");
	make_dir("w/sub");
	for (i = 0; i < 8; i++)
		make_file((char []) { 'a' + i, 0 });
	make_file("sub/x");
	unlink(in_w("link"));
	CHECK_EQ(0, symlink("a", in_w("link")));
	a = open(in_w("a"), O_RDWR);
	d = open(in_w("d"), O_RDWR);
	deleted = open(in_w("deleted"), O_CREAT | O_RDWR, 0600);
	CHECK_EQ(0, unlink(in_w("deleted")));
	dir = open(subject_path("w"), O_RDONLY | O_DIRECTORY);
	CHECK(a >= 0 && d >= 0 && deleted >= 0 && dir >= 0);
	close(d);

	fd[0] = group(FAN_NONBLOCK | DFID_NAME | FAN_REPORT_FID, O_RDONLY);
	fd[1] = group(FAN_NONBLOCK, O_RDONLY);
	/* a directory, with what is in it, and one without */
	mark(fd[0], 0, FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ATTRIB | FAN_ONDIR |
	     FAN_EVENT_ON_CHILD, subject_path("w"));
	mark(fd[0], FAN_MARK_ONLYDIR, FAN_CREATE, in_w("sub"));
	mark(fd[0], 0, FAN_MODIFY | FAN_ATTRIB | FAN_DELETE_SELF, in_w("a"));
	mark(fd[0], FAN_MARK_DONT_FOLLOW, FAN_ATTRIB, in_w("link"));
	/* what is ignored: until it is modified, or always */
	mark(fd[0], FAN_MARK_IGNORED_MASK, FAN_ATTRIB, in_w("c"));
	mark(fd[0], FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
	     FAN_ATTRIB, in_w("d"));
	mark(fd[0], FAN_MARK_IGNORE_SURV, FAN_ATTRIB, in_w("e"));
	mark(fd[0], FAN_MARK_IGNORE, FAN_ATTRIB, in_w("f"));
	mark(fd[0], FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD,
	     in_w("sub"));
	/* what is ignored no more, but is still known to have been */
	mark(fd[0], FAN_MARK_IGNORED_MASK, FAN_OPEN, in_w("g"));
	i = open(in_w("g"), O_WRONLY);
	CHECK_EQ(1, write(i, "x", 1));
	close(i);
	mark(fd[0], FAN_MARK_EVICTABLE, FAN_OPEN, in_w("h"));
	mark(fd[0], 0, FAN_ATTRIB, subject_path("f"));
	/* a mark that was changed, and one that is for flags only */
	mark(fd[1], 0, FAN_OPEN | FAN_CLOSE, in_w("a"));
	CHECK_EQ(0, fanotify_mark(fd[1], FAN_MARK_REMOVE, FAN_CLOSE, AT_FDCWD, in_w("a")));
	/* which would do nothing if it was open for writing */
	mark(fd[1], FAN_MARK_IGNORED_MASK, FAN_OPEN, in_w("b"));
	b = open(in_w("b"), O_RDWR);
	CHECK(b >= 0);
	mark(fd[1], 0, FAN_OPEN | FAN_EVENT_ON_CHILD, subject_path("w"));
	mark(fd[1], 0, FAN_ONDIR, in_w("sub"));
	mark(fd[1], 0, FAN_MODIFY, in_w("c"));
	CHECK_EQ(0, fanotify_mark(fd[1], FAN_MARK_REMOVE, FAN_MODIFY, AT_FDCWD, in_w("c")));
	CHECK_EQ(0, fanotify_mark(fd[1], FAN_MARK_ADD, FAN_MODIFY, deleted, NULL));
	for (i = 0; i < 2; i++) {
		take(fd[i], &ev);
		info(fd[i], was[i], sizeof(was[i]));
	}

	subject_point();

	for (i = 0; i < 2; i++) {
		expect_none(fd[i]);
		info(fd[i], is, sizeof(is));
		/* the first one is on what was deleted, and is another inode now */
		if (i) {
			drop_mark(was[i]);
			drop_mark(is);
		}
		CHECK(!strcmp(was[i], is));
	}
	CHECK_EQ(1, write(deleted, "x", 1));
	take(fd[1], &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_EQ(FAN_MODIFY, ev.e[0].mask);
	CHECK_EQ(1, write(a, "x", 1));
	expect(fd[0], FAN_MODIFY, "a");
	touch(in_w("c"));
	touch(in_w("d"));
	touch(in_w("e"));
	touch(in_w("f"));
	expect_none(fd[0]);
	/* two of them do not survive that */
	for (i = 2; i < 6; i++) {
		d = open(in_w((char []) { 'a' + i, 0 }), O_WRONLY);
		CHECK_EQ(1, write(d, "x", 1));
		close(d);
	}
	take(fd[1], &ev);
	expect_none(fd[0]);
	for (i = 2; i < 6; i++)
		touch(in_w((char []) { 'a' + i, 0 }));
	take(fd[0], &ev);
	expect_at(&ev, 0, FAN_ATTRIB, "c");
	expect_at(&ev, 1, FAN_ATTRIB, "f");
	CHECK_EQ(2, ev.nr);
	make_file("sub/new");
	expect(fd[0], FAN_CREATE, "new");
	visit(in_w("h"));
	expect(fd[0], FAN_OPEN, "h");
	take(fd[1], &ev);
	visit(in_w("a"));
	expect_path(fd[1], FAN_OPEN, in_w("a"));
	visit(in_w("b"));
	expect_none(fd[1]);
	CHECK_EQ(1, write(b, "x", 1));
	visit(in_w("b"));
	expect_path(fd[1], FAN_OPEN, in_w("b"));
	CHECK_EQ(0, unlink(in_w("sub/new")));
}

/* Somebody else does it, and is gone then. */
static void by_other(void (*fn)(void))
{
	pid_t pid = fork();

	if (!pid) {
		fn();
		_exit(0);
	}
	subject_join(pid);
}

static void make_other(void)
{
	make_file("other");
}

/* Three are told the same: two are read before, and two after. */
static void check_events(unsigned int flags, uint64_t mask, void (*more)(void))
{
	int fd[2], i, file, left;
	static struct events want, ev;

	make_dir("w");
	unlink(in_w("other"));
	unlink(in_w("second"));
	make_file("file");
	file = open(in_w("file"), O_WRONLY);
	for (i = 0; i < 2; i++) {
		fd[i] = group(FAN_NONBLOCK | flags, O_RDWR);
		mark(fd[i], 0, mask | FAN_EVENT_ON_CHILD, subject_path("w"));
	}
	more();
	by_other(make_other);
	CHECK_EQ(1, write(file, "x", 1));
	CHECK_EQ(1, write(file, "x", 1));
	take(fd[0], &want);
	CHECK(want.nr > 1);
	left = unread(fd[1]);

	subject_point();

	CHECK_EQ(left, unread(fd[1]));
	expect_none(fd[0]);
	/* one more of the same is the same */
	CHECK_EQ(1, write(file, "x", 1));
	CHECK_EQ(left, unread(fd[1]));
	take(fd[0], &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_EQ(FAN_MODIFY, ev.e[0].mask);
	CHECK_EQ(getpid(), ev.e[0].pid);
	take(fd[1], &ev);
	CHECK_EQ(want.nr, ev.nr);
	for (i = 0; i < want.nr; i++) {
		CHECK_EQ(want.e[i].mask, ev.e[i].mask);
		CHECK_EQ(want.e[i].pid, ev.e[i].pid);
		CHECK_EQ(want.e[i].pidfd, ev.e[i].pidfd);
		CHECK_EQ(want.e[i].flags, ev.e[i].flags);
		CHECK(!strcmp(want.e[i].path, ev.e[i].path));
		CHECK_EQ(want.e[i].info_len, ev.e[i].info_len);
		CHECK_MEM(want.e[i].info, ev.e[i].info, ev.e[i].info_len);
	}
	CHECK_EQ(1, write(file, "x", 1));
	take(fd[1], &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_EQ(0, unlink(in_w("other")));
}

static void change_names(void)
{
	char name[256];
	int i;

	make_dir("w/dir");
	make_file("first");
	CHECK_EQ(0, rename(in_w("first"), subject_path("w/second")));
	CHECK_EQ(0, rename(in_w("second"), subject_path("w/dir/third")));
	CHECK_EQ(0, rename(in_w("dir/third"), subject_path("w/second")));
	CHECK_EQ(0, rmdir(in_w("dir")));
	touch(in_w("second"));
	CHECK_EQ(0, unlink(in_w("second")));
	for (i = 0; i < 255; i++)
		name[i] = 'a' + i % 26;
	name[i] = 0;
	make_file(name);
	CHECK_EQ(0, unlink(in_w(name)));
}

#define NAME_EVENTS	(FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_MODIFY | FAN_ATTRIB | FAN_ONDIR)

SUBJECT(events_fid)
{
	check_events(FAN_REPORT_FID, NAME_EVENTS, change_names);
}

SUBJECT(events_dir)
{
	check_events(FAN_REPORT_DIR_FID | FAN_REPORT_FID, NAME_EVENTS, change_names);
}

SUBJECT(events_name)
{
	check_events(DFID_NAME, NAME_EVENTS | FAN_RENAME, change_names);
}

SUBJECT(events_target)
{
	check_events(ALL_FID | FAN_REPORT_PIDFD, NAME_EVENTS | FAN_RENAME, change_names);
}

static void visit_some(void)
{
	make_dir("w/dir");
	make_file("some");
	make_file("dir/one");
	visit(in_w("dir/one"));
	visit(in_w("dir"));
	visit(in_w("some"));
}

SUBJECT(events_path)
{
	check_events(0, FAN_OPEN | FAN_CLOSE | FAN_MODIFY, visit_some);
}

SUBJECT(events_tid)
{
	check_events(FAN_REPORT_TID | FAN_REPORT_FID, NAME_EVENTS | FAN_OPEN, visit_some);
}

/* An event of a file that was deleted, but is open. */
SUBJECT(deleted)
{
	int fd = group(FAN_NONBLOCK, O_RDWR), file;
	char buf[8] = "";
	struct fanotify_event_metadata m;

	make_dir("w");
	make_file("gone");
	file = open(in_w("gone"), O_RDWR);
	mark(fd, 0, FAN_MODIFY, in_w("gone"));
	CHECK_EQ(4, write(file, "text", 4));
	CHECK_EQ(0, unlink(in_w("gone")));
	subject_point();
	CHECK_EQ(sizeof(m), read(fd, &m, sizeof(m)));
	CHECK_EQ(FAN_MODIFY, m.mask);
	CHECK_EQ(getpid(), m.pid);
	CHECK(m.fd >= 0);
	CHECK_EQ(4, pread(m.fd, buf, sizeof(buf), 0));
	CHECK_MEM("text", buf, 4);
	/* it is the same file; and who got it by an event is not told of */
	CHECK_EQ(4, pwrite(m.fd, "TEXT", 4, 0));
	CHECK_EQ(4, pread(file, buf, sizeof(buf), 0));
	CHECK_MEM("TEXT", buf, 4);
	expect_none(fd);
	CHECK_EQ(1, write(file, "x", 1));
	CHECK_EQ(sizeof(m), read(fd, &m, sizeof(m)));
	CHECK_EQ(FAN_MODIFY, m.mask);
}

static const char max_queued[] = "/proc/sys/fs/fanotify/max_queued_events";

static int try_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Room for three events. */
SUBJECT(overflow)
{
	char was[64] = "", names[8][2];
	static struct events ev;
	int fd, i;

	make_dir("w");
	for (i = 0; i < 8; i++) {
		names[i][0] = 'a' + i;
		names[i][1] = 0;
		make_file(names[i]);
	}
	CHECK(ckpt_slurp(max_queued, was, sizeof(was)) > 0);
	CHECK_EQ(0, try_sysctl(max_queued, "3"));
	fd = group(FAN_NONBLOCK | DFID_NAME, O_RDONLY);
	CHECK_EQ(0, try_sysctl(max_queued, was));
	mark(fd, 0, FAN_ATTRIB | FAN_EVENT_ON_CHILD, subject_path("w"));
	for (i = 0; i < 5; i++)
		touch(in_w(names[i]));
	subject_point();
	/* it is full */
	touch(in_w("h"));
	take(fd, &ev);
	for (i = 0; i < 3; i++)
		expect_at(&ev, i, FAN_ATTRIB, names[i]);
	expect_at(&ev, 3, FAN_Q_OVERFLOW, "");
	CHECK_EQ(0, ev.e[3].pid);
	CHECK_EQ(4, ev.nr);
	/* and so it is with new ones */
	for (i = 0; i < 5; i++)
		touch(in_w(names[i]));
	take(fd, &ev);
	expect_at(&ev, 2, FAN_ATTRIB, names[2]);
	expect_at(&ev, 3, FAN_Q_OVERFLOW, "");
	CHECK_EQ(4, ev.nr);
}

/* One reads, one waits in epoll_wait(), one in poll(). */
SUBJECT(blocked)
{
	int fd[3], ep = epoll_create1(0), i;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
	static struct events ev;
	struct pollfd p;
	pid_t pid[3];

	make_dir("w");
	make_file("file");
	for (i = 0; i < 3; i++) {
		fd[i] = group(DFID_NAME, O_RDONLY);
		mark(fd[i], 0, FAN_ATTRIB | FAN_EVENT_ON_CHILD, subject_path("w"));
	}
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &event));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		if (i == 0) {
			char buf[512];

			CHECK(read(fd[0], buf, sizeof(buf)) > 0);
			_exit(0);
		}
		if (i == 1) {
			CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
			CHECK_EQ(5, event.data.u64);
		} else {
			p = (struct pollfd) { .fd = fd[2], .events = POLLIN };
			CHECK_EQ(1, poll(&p, 1, -1));
		}
		expect(fd[i], FAN_ATTRIB, "file");
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, ckpt_wait_state(pid[i], 'S'));
	subject_point();
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, waitpid(pid[i], NULL, WNOHANG));
	touch(in_w("file"));
	for (i = 0; i < 3; i++)
		subject_join(pid[i]);
	for (i = 0; i < 3; i++) {
		take(fd[i], &ev);
		CHECK_EQ(0, ev.nr);
	}
}

/* Of a process that is there again, of one that is not, and of a thread group. */
SUBJECT(pidfds)
{
	int fd = group(FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_PIDFD, O_RDONLY);
	static struct events ev;
	pid_t pid;

	make_dir("w");
	make_file("file");
	make_file("once");
	unlink(in_w("other"));
	mark(fd, 0, FAN_OPEN | FAN_CREATE | FAN_EVENT_ON_CHILD, subject_path("w"));
	by_other(make_other);
	pid = fork();
	if (!pid) {
		visit(in_w("file"));
		for (;;)
			pause();
	}
	CHECK_EQ(0, ckpt_wait_state(pid, 'S'));
	visit(in_w("once"));
	subject_point();
	take(fd, &ev);
	CHECK_EQ(4, ev.nr);
	CHECK(ev.e[0].pid != pid && ev.e[0].pid == ev.e[1].pid && ev.e[0].pid > 0);
	CHECK_EQ(FAN_NOPIDFD, ev.e[0].pidfd);
	CHECK_EQ(FAN_NOPIDFD, ev.e[1].pidfd);
	CHECK_EQ(pid, ev.e[2].pid);
	CHECK_EQ(pid, ev.e[2].pidfd);
	CHECK_EQ(getpid(), ev.e[3].pid);
	CHECK_EQ(getpid(), ev.e[3].pidfd);
	CHECK_EQ(0, kill(pid, SIGKILL));
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
	CHECK_EQ(0, unlink(in_w("other")));
}

/* ---- mounts and filesystems ---- */

/* A filesystem of our own, in two places. */
static void own(void)
{
	CHECK(!mkdir(OWN, 0755) || errno == EEXIST);
	CHECK(!mkdir(OTHER, 0755) || errno == EEXIST);
	CHECK_EQ(0, mount("own", OWN, "tmpfs", 0, NULL));
	CHECK_EQ(0, mount(OWN, OTHER, NULL, MS_BIND, NULL));
	make_file_at(OWN "/file");
	make_file_at(OWN "/ignored");
	CHECK_EQ(0, mkdir(OWN "/dir", 0755));
	make_file_at(OWN "/dir/file");
}

static void unmount_own(void)
{
	while (!umount2(OWN, MNT_DETACH))
		;
	while (!umount2(OTHER, MNT_DETACH))
		;
	rmdir(OWN);
	rmdir(OTHER);
}

SUBJECT(mounts)
{
	int fd[4], i, file;
	static char was[4][4096], is[4096];
	static struct events ev;

	own();
	file = open(OWN "/file", O_RDWR);
	CHECK(file >= 0);
	/* by path and by handle, mount and filesystem */
	fd[0] = group(FAN_NONBLOCK, O_RDONLY);
	mark(fd[0], FAN_MARK_MOUNT, FAN_OPEN | FAN_OPEN_EXEC, OWN);
	fd[1] = group(FAN_NONBLOCK | DFID_NAME, O_RDONLY);
	mark(fd[1], FAN_MARK_MOUNT, FAN_OPEN | FAN_ONDIR, OTHER "/dir");
	fd[2] = group(FAN_NONBLOCK, O_RDONLY);
	mark(fd[2], FAN_MARK_FILESYSTEM, FAN_OPEN, OTHER);
	mark(fd[2], 0, FAN_MODIFY, subject_path("f"));
	fd[3] = group(FAN_NONBLOCK | ALL_FID, O_RDONLY);
	mark(fd[3], FAN_MARK_FILESYSTEM, FAN_OPEN | FAN_CREATE | FAN_DELETE | FAN_RENAME |
	     FAN_ONDIR | FAN_FS_ERROR, OWN);
	mark(fd[3], FAN_MARK_FILESYSTEM | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
	     FAN_CREATE, OWN);
	mark(fd[3], FAN_MARK_MOUNT | FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_ONDIR, OTHER);
	mark(fd[0], FAN_MARK_IGNORE_SURV, FAN_OPEN, OWN "/ignored");
	mark(fd[3], FAN_MARK_IGNORE_SURV, FAN_OPEN, OWN "/ignored");
	for (i = 0; i < 4; i++) {
		expect_none(fd[i]);
		info(fd[i], was[i], sizeof(was[i]));
	}
	visit(OWN "/file");

	subject_point();

	take(fd[0], &ev);
	CHECK_EQ(1, ev.nr);
	CHECK(!strcmp(OWN "/file", ev.e[0].path));
	expect_none(fd[1]);
	expect_path(fd[2], FAN_OPEN, OWN "/file");
	expect(fd[3], FAN_OPEN, "file");
	for (i = 0; i < 4; i++) {
		info(fd[i], is, sizeof(is));
		CHECK(!strcmp(was[i], is));
	}
	visit(OTHER "/file");
	expect_none(fd[0]);
	expect(fd[1], FAN_OPEN, "file");
	expect_path(fd[2], FAN_OPEN, OTHER "/file");
	expect_none(fd[3]);
	visit(OWN "/ignored");
	expect_none(fd[0]);
	expect_none(fd[1]);
	expect_path(fd[2], FAN_OPEN, OWN "/ignored");
	expect_none(fd[3]);
	CHECK_EQ(0, mkdir(OWN "/new", 0755));
	expect_none(fd[3]);
	CHECK_EQ(0, rename(OWN "/new", OWN "/dir/newer"));
	take(fd[3], &ev);
	CHECK_EQ(1, ev.nr);
	expect_at(&ev, 0, FAN_RENAME | FAN_ONDIR, "new");
	CHECK(!strcmp("newer", name_in(&ev.e[0], 1)));
	CHECK_EQ(0, rmdir(OWN "/dir/newer"));
	expect(fd[3], FAN_DELETE | FAN_ONDIR, "newer");
}

#define EXT4		"/tmp/ckpt-fanotify.ext4"

/* A filesystem that can have errors. */
static bool mount_ext4(void)
{
	CHECK(!mkdir(OWN, 0755) || errno == EEXIST);
	return !system("dd if=/dev/zero of=" EXT4 " bs=64k count=16 2>/dev/null") &&
	       !system("mke2fs -F " EXT4 " >/dev/null 2>&1") &&
	       !system("mount -t ext4 -o loop " EXT4 " " OWN " 2>/dev/null");
}

static void report_error(void)
{
	mount(NULL, OWN, NULL, MS_REMOUNT, "abort");
}

/* The filesystem tells of errors; what they are about it does not say. */
SUBJECT(errors)
{
	struct fanotify_event_info_error *error;
	static struct events want, ev;
	int fd[2], i, left;

	for (i = 0; i < 2; i++) {
		fd[i] = group(FAN_NONBLOCK | FAN_REPORT_FID, O_RDONLY);
		mark(fd[i], FAN_MARK_FILESYSTEM, FAN_FS_ERROR, OWN);
	}
	by_other(report_error);
	take(fd[0], &want);
	CHECK_EQ(1, want.nr);
	CHECK_EQ(FAN_FS_ERROR, want.e[0].mask);
	CHECK(want.e[0].info_len > (int)sizeof(*error));
	error = (void *)&want.e[0].info[want.e[0].info_len - sizeof(*error)];
	CHECK_EQ(FAN_EVENT_INFO_TYPE_ERROR, error->hdr.info_type);
	CHECK_EQ(ESHUTDOWN, error->error);
	left = unread(fd[1]);
	subject_point();
	expect_none(fd[0]);
	CHECK_EQ(left, unread(fd[1]));
	take(fd[1], &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_MEM(&want.e[0], &ev.e[0], sizeof(ev.e[0]));
}

/* ---- without privileges ---- */

SUBJECT(unprivileged)
{
	int fd = fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID, O_RDONLY);
	static char was[2048], is[2048];
	static struct events ev;

	CHECK(fd >= 0);
	CHECK_EQ(-1, fanotify_init(0, O_RDONLY));
	make_dir("f/w");
	make_file_at(subject_path("f/w/file"));
	mark(fd, 0, FAN_OPEN | FAN_EVENT_ON_CHILD, subject_path("f/w"));
	info(fd, was, sizeof(was));
	visit(subject_path("f/w/file"));
	subject_point();
	info(fd, is, sizeof(is));
	CHECK(!strcmp(was, is));
	take(fd, &ev);
	CHECK_EQ(1, ev.nr);
	CHECK_EQ(getpid(), ev.e[0].pid);
	if (!fork()) {
		visit(subject_path("f/w/file"));
		_exit(0);
	}
	wait(NULL);
	take(fd, &ev);
	CHECK_EQ(1, ev.nr);
	/* who that was is not for everybody to know */
	CHECK_EQ(0, ev.e[0].pid);
	CHECK_EQ(-1, fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD,
				   subject_path("f")));
	CHECK_EQ(EPERM, errno);
}

/* What a subject did when it went on does not matter. */
#define ROUNDTRIP_AS(fixture, subject, who)				\
	TEST_F_TIMEOUT(fixture, subject, CKPT_TIMEOUT)			\
	{								\
		struct ckpt_run run;					\
		int ret;						\
									\
		ckpt_init(&run, &variant->how);				\
		run.restart_flags = RESTART_FILES_CHANGED;		\
		run.uid = who;						\
		ret = ckpt_roundtrip_run(#subject, &run);		\
		unmount_own();						\
		ASSERT_EQ(0, ret);					\
	}

#define ROUNDTRIP(subject)	ROUNDTRIP_AS(fanotify, subject, 0)
#define ROUNDTRIP_KILLED(subject) ROUNDTRIP_AS(fanotify_events, subject, 0)

CKPT_FIXTURE_HOW(fanotify);
CKPT_VARIANTS(fanotify);

ROUNDTRIP(groups)
ROUNDTRIP(marks)
ROUNDTRIP(deleted)
ROUNDTRIP(overflow)
ROUNDTRIP(blocked)
ROUNDTRIP(mounts)

/* These remove the files that the events are about, to see whether that is told. */
CKPT_FIXTURE_HOW(fanotify_events);
CKPT_VARIANT(fanotify_events, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(fanotify_events, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true,
	     .pipe = true);
CKPT_VARIANT(fanotify_events, self_kill_file, .target = CKPT_SELF, .kill = true);

ROUNDTRIP_KILLED(events_fid)
ROUNDTRIP_KILLED(events_dir)
ROUNDTRIP_KILLED(events_name)
ROUNDTRIP_KILLED(events_target)
ROUNDTRIP_KILLED(events_path)
ROUNDTRIP_KILLED(events_tid)
ROUNDTRIP_KILLED(pidfds)

TEST_F_TIMEOUT(fanotify, errors, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int ret;

	if (!mount_ext4()) {
		unmount_own();
		unlink(EXT4);
		SKIP(return, "no ext4, no loop device or no mke2fs");
	}
	ckpt_init(&run, &variant->how);
	ret = ckpt_roundtrip_run("errors", &run);
	unmount_own();
	unlink(EXT4);
	ASSERT_EQ(0, ret);
}

/* It cannot checkpoint itself. */
TEST_F_TIMEOUT(fanotify, unprivileged, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	if (variant->how.target == CKPT_SELF)
		return;
	ckpt_init(&run, &variant->how);
	run.restart_flags = RESTART_FILES_CHANGED;
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_roundtrip_run("unprivileged", &run));
}

/* ---- refused ---- */

/* As fd 5, which the log has to name. */
static void as_5(int fd)
{
	CHECK(fd >= 0);
	CHECK_EQ(5, dup2(fd, 5));
	close(fd);
}

SUBJECT(permission)
{
	as_5(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
	subject_point();
}

SUBJECT(nameless)
{
	int dir;

	as_5(fanotify_init(FAN_REPORT_FID, O_RDONLY));
	make_dir("w");
	make_dir("w/dir");
	mark(5, 0, FAN_ATTRIB, in_w("dir"));
	dir = open(in_w("dir"), O_PATH);
	CHECK_EQ(9, dup2(dir, 9));
	close(dir);
	CHECK_EQ(0, rmdir(in_w("dir")));
	subject_point();
}

SUBJECT(event_deleted)
{
	as_5(fanotify_init(0, O_RDONLY));
	make_dir("w");
	make_file("gone");
	mark(5, 0, FAN_OPEN | FAN_EVENT_ON_CHILD, subject_path("w"));
	visit(in_w("gone"));
	CHECK_EQ(0, unlink(in_w("gone")));
	subject_point();
	/* it can still be opened */
	take(5, &(struct events) {});
}

SUBJECT(hidden)
{
	own();
	as_5(fanotify_init(0, O_RDONLY));
	mark(5, FAN_MARK_MOUNT, FAN_OPEN, OWN);
	CHECK_EQ(0, mount("on top", OWN, "tmpfs", 0, NULL));
	subject_point();
}

SUBJECT(detached)
{
	int dir;

	own();
	as_5(fanotify_init(0, O_RDONLY));
	mark(5, FAN_MARK_FILESYSTEM, FAN_OPEN, OWN);
	dir = open(OWN, O_PATH);
	CHECK_EQ(9, dup2(dir, 9));
	close(dir);
	CHECK_EQ(0, umount2(OWN, MNT_DETACH));
	CHECK_EQ(0, umount2(OTHER, MNT_DETACH));
	subject_point();
}

SUBJECT(leaked)
{
	subject_point();
	CHECK(fcntl(SUBJECT_FD, F_GETFD) >= 0);
}

SUBJECT(one)
{
	int fd = group(FAN_NONBLOCK | DFID_NAME, O_RDONLY);
	int path = group(FAN_NONBLOCK, O_RDWR);

	make_dir("w");
	make_file("a");
	make_file("b");
	mark(fd, FAN_MARK_FILESYSTEM, FAN_OPEN, OWN);
	mark(fd, 0, FAN_OPEN, in_w("a"));
	mark(path, 0, FAN_OPEN, in_w("b"));
	visit(in_w("b"));
	subject_point();
	expect_path(path, FAN_OPEN, in_w("b"));
	visit(in_w("a"));
	expect(fd, FAN_OPEN, "a");
	visit(OWN "/file");
	expect(fd, FAN_OPEN, "file");
}

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, permission, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("permission", "asked for permission", "fd 5"));
}

TEST_F_TIMEOUT(refused, nameless, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("nameless", "mark on inode", "fd 5"));
}

TEST_F_TIMEOUT(refused, event_deleted, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("event_deleted", "which was deleted", "fd 5"));
}

TEST_F_TIMEOUT(refused, mounts, CKPT_TIMEOUT)
{
	int ret = ckpt_refused("hidden", "mark on a mount (tmpfs)", "fd 5");

	unmount_own();
	ASSERT_EQ(0, ret);
	ret = ckpt_refused("detached", "mark on a filesystem (tmpfs)", "fd 5");
	unmount_own();
	ASSERT_EQ(0, ret);
}

/* We have it, too. */
TEST_F_TIMEOUT(refused, shared_outside, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fd;

	ckpt_init(&run, NULL);
	run.extra_fd = fanotify_init(0, O_RDONLY);
	ASSERT_LE(0, run.extra_fd);
	ASSERT_EQ(0, ckpt_start(&run, "leaked"));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, "fanotify")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "outside")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	close(run.extra_fd);
}

static const char max_marks[] = "/proc/sys/fs/fanotify/max_user_marks";

/* Checkpoint one, so that it can be restarted under other circumstances. */
static pid_t saved(struct __test_metadata *_metadata, struct ckpt_run *run)
{
	pid_t pid;

	unmount_own();
	own();
	ckpt_init(run, &(struct ckpt_how) { .kill = true });
	EXPECT_EQ(0, ckpt_start(run, "one"));
	pid = run->pid;
	EXPECT_EQ(0, ckpt_checkpoint(run));
	run->pid = 0;
	return pid;
}

static void restored(struct __test_metadata *_metadata, struct ckpt_run *run, pid_t pid)
{
	EXPECT_EQ(pid, ckpt_restart(run)) ckpt_print(run, "log");
	EXPECT_EQ(0, ckpt_finish(run));
	EXPECT_EQ(0, ckpt_cleanup(run));
	unmount_own();
}

TEST_F_TIMEOUT(refused, too_many_marks, CKPT_TIMEOUT)
{
	char was[64] = "";
	struct ckpt_run run;
	pid_t pid;

	ASSERT_LT(0, ckpt_slurp(max_marks, was, sizeof(was)));
	pid = saved(_metadata, &run);
	ASSERT_EQ(0, try_sysctl(max_marks, "1"));
	EXPECT_EQ(-ENOSPC, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "max_user_marks")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	ASSERT_EQ(0, try_sysctl(max_marks, was));
	restored(_metadata, &run, pid);
}

TEST_F_TIMEOUT(refused, marked_changed, CKPT_TIMEOUT)
{
	char path[128];
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);

	snprintf(path, sizeof(path), "%s/w/a", run.dir);
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(-ENOENT, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "w/a")) ckpt_print(&run, "log");
	ASSERT_EQ(0, mkdir(path, 0755));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "another type")) ckpt_print(&run, "log");
	ASSERT_EQ(0, rmdir(path));
	make_file_at(path);

	snprintf(path, sizeof(path), "%s/w/b", run.dir);
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, mkfifo(path, 0644));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	ASSERT_EQ(0, unlink(path));
	make_file_at(path);

	ASSERT_EQ(0, umount2(OWN, MNT_DETACH));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "nothing is mounted")) ckpt_print(&run, "log");
	ASSERT_EQ(0, mount("another", OWN, "tmpfs", 0, NULL));
	make_file_at(OWN "/file");
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "another filesystem")) ckpt_print(&run, "log");
	/* who wants that may have it */
	run.restart_flags = RESTART_FILES_CHANGED;
	restored(_metadata, &run, pid);
}

/* What of restart() somebody with fewer privileges is told. */
static int restart_without(struct ckpt_run *run, int cap, int cap2)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	int fd = ckpt_open(run, "image", O_RDONLY), status;
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid_t pid = fork();

	if (!pid) {
		if (syscall(SYS_capget, &head, caps))
			_exit(98);
		caps[0].effective &= ~(1U << cap | 1U << cap2);
		if (syscall(SYS_capset, &head, caps))
			_exit(99);
		_exit(-ckpt_restart_from(fd, 0, log));
	}
	waitpid(pid, &status, 0);
	close(fd);
	close(log);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F_TIMEOUT(refused, no_gain, CKPT_TIMEOUT)
{
	char path[128];
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);

	EXPECT_EQ(EPERM, restart_without(&run, CAP_SYS_ADMIN, CAP_SYS_ADMIN));
	EXPECT_LE(1, ckpt_log_has(&run, "CAP_SYS_ADMIN")) ckpt_print(&run, "log");
	/* what may not be read may not be marked, nor got by an event */
	snprintf(path, sizeof(path), "%s/w/a", run.dir);
	ASSERT_EQ(0, chmod(path, 0));
	EXPECT_EQ(EACCES, restart_without(&run, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH));
	EXPECT_LE(1, ckpt_log_has(&run, "cannot be marked")) ckpt_print(&run, "log");
	ASSERT_EQ(0, chmod(path, 0644));
	snprintf(path, sizeof(path), "%s/w/b", run.dir);
	ASSERT_EQ(0, chmod(path, 0444));
	EXPECT_EQ(EACCES, restart_without(&run, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH));
	EXPECT_LE(1, ckpt_log_has(&run, "for who reads an event")) ckpt_print(&run, "log");
	ASSERT_EQ(0, chmod(path, 0644));
	restored(_metadata, &run, pid);
}

CKPT_TEST_MAIN
