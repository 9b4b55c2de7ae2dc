// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: inotify instances, their watches and their events.
 *
 * What is watched is in a directory of its own, "w", which nobody but the
 * subject touches, and which is as it was when a subject is through.
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define MAX_EVENTS	64

struct events {
	int nr;
	struct {
		int wd;
		uint32_t mask;
		uint32_t cookie;
		char name[64];
	} e[MAX_EVENTS];
};

static int unread(int fd)
{
	int n = -1;

	CHECK_EQ(0, ioctl(fd, FIONREAD, &n));
	return n;
}

/* Read what there is. */
static void take(int fd, struct events *ev)
{
	static char buf[1 << 16] __attribute__((aligned(8)));
	int want = unread(fd), n, pos;

	memset(ev, 0, sizeof(*ev));
	if (!want)
		return;
	n = read(fd, buf, sizeof(buf));
	CHECK_EQ(want, n);
	for (pos = 0; pos < n;) {
		struct inotify_event *in = (void *)&buf[pos];

		CHECK(ev->nr < MAX_EVENTS);
		ev->e[ev->nr].wd = in->wd;
		ev->e[ev->nr].mask = in->mask;
		ev->e[ev->nr].cookie = in->cookie;
		if (in->len) {
			CHECK(in->len <= sizeof(ev->e[0].name));
			memcpy(ev->e[ev->nr].name, in->name, in->len);
		}
		ev->nr++;
		pos += sizeof(*in) + in->len;
	}
}

static void expect_none(int fd)
{
	struct events ev;

	if (!unread(fd))
		return;
	take(fd, &ev);
	subject_fail(__FILE__, __LINE__, "%d events, first of wd %d, mask %#x, name %s",
		     ev.nr, ev.e[0].wd, ev.e[0].mask, ev.e[0].name);
}

static void expect_at(const struct events *ev, int i, int wd, uint32_t mask,
		      const char *name)
{
	CHECK(i < ev->nr);
	CHECK_EQ(wd, ev->e[i].wd);
	CHECK_EQ(mask, ev->e[i].mask);
	CHECK(!strcmp(name, ev->e[i].name));
}

/* One event, and nothing else. */
static void expect(int fd, int wd, uint32_t mask, const char *name)
{
	struct events ev;

	take(fd, &ev);
	expect_at(&ev, 0, wd, mask, name);
	CHECK_EQ(1, ev.nr);
}

static const char *in_w(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "w/%s", name);
	return subject_path(path);
}

static void make_dir(const char *name)
{
	CHECK(!mkdir(subject_path(name), 0755) || errno == EEXIST);
}

static void make_file(const char *name)
{
	int fd = open(in_w(name), O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static int watch(int fd, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(fd, path, mask);

	CHECK(wd > 0);
	return wd;
}

/* A line of /proc/self/fdinfo: inode, device and mask of a watch. */
static bool info(int fd, int wd, char *line, size_t size)
{
	static char text[1 << 18];
	char path[64], want[32], *found;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "inotify wd:%x ", wd);
	found = strstr(text, want);
	if (!found)
		return false;
	snprintf(line, size, "%.*s", (int)strcspn(found, "\n"), found);
	return true;
}

/*
 * Watches of all kinds, and files that are opened at the restart, or made anew:
 * nobody is to be told of that.
 */
SUBJECT(watches)
{
	enum { NR = 8 };
	static const uint32_t extra[NR] = { 0, 0, 0, IN_ONESHOT, IN_EXCL_UNLINK };
	int plain = inotify_init1(0), fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int wd[NR], file, deleted, dir, i, next, d;
	char was[NR][256], is[256];
	struct events ev;
	char *map;

	make_dir("w");
	make_dir("w/sub");
	for (i = 0; i < NR; i++)
		make_file((char []) { 'a' + i, 0 });
	unlink(in_w("link"));
	CHECK_EQ(0, symlink("a", in_w("link")));
	file = open(in_w("a"), O_RDWR);
	CHECK_EQ(1, write(file, "x", 1));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(map != MAP_FAILED);
	deleted = open(in_w("deleted"), O_CREAT | O_RDWR, 0600);
	CHECK_EQ(4, write(deleted, "text", 4));
	CHECK_EQ(0, unlink(in_w("deleted")));
	dir = open(subject_path("w"), O_RDONLY | O_DIRECTORY);
	CHECK(file >= 0 && deleted >= 0 && dir >= 0);

	CHECK_EQ(1, inotify_add_watch(fd, in_w("h"), IN_ALL_EVENTS));
	wd[0] = watch(fd, subject_path("w"), IN_ALL_EVENTS);
	wd[1] = watch(fd, in_w("a"), IN_ALL_EVENTS);
	wd[2] = watch(fd, in_w("link"), IN_ALL_EVENTS | IN_DONT_FOLLOW);
	for (i = 3; i < 5; i++)
		wd[i] = watch(fd, in_w((char []) { 'a' + i, 0 }), IN_ATTRIB | extra[i]);
	/* for no event at all; for what was added; for what it was replaced by */
	wd[5] = watch(fd, in_w("sub"), IN_ONLYDIR);
	wd[6] = watch(fd, in_w("g"), IN_OPEN);
	CHECK_EQ(wd[6], watch(fd, in_w("g"), IN_ATTRIB | IN_MASK_ADD));
	wd[7] = watch(fd, in_w("f"), IN_ALL_EVENTS | IN_ONESHOT);
	CHECK_EQ(wd[7], watch(fd, in_w("f"), IN_CLOSE_NOWRITE));
	/* a gap, and numbers that are not given again so soon */
	CHECK_EQ(0, inotify_rm_watch(fd, 1));
	next = watch(fd, in_w("h"), IN_OPEN);
	CHECK_EQ(0, inotify_rm_watch(fd, next++));
	take(fd, &ev);
	d = open(in_w("d"), O_RDONLY);
	CHECK_EQ(0, watch(plain, subject_path("w"), IN_ALL_EVENTS) - 1);
	/* of the open() */
	take(fd, &ev);
	for (i = 0; i < NR; i++)
		CHECK(info(fd, wd[i], was[i], sizeof(was[i])));

	subject_point();

	expect_none(fd);
	expect_none(plain);
	CHECK_EQ(O_RDONLY | O_NONBLOCK, fcntl(fd, F_GETFL));
	CHECK_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	CHECK_EQ(O_RDONLY, fcntl(plain, F_GETFL));
	CHECK_EQ(0, fcntl(plain, F_GETFD));
	CHECK_EQ(-1, read(fd, is, sizeof(is)));
	CHECK_EQ(EAGAIN, errno);
	for (i = 0; i < NR; i++) {
		CHECK(info(fd, wd[i], is, sizeof(is)));
		CHECK(!strcmp(was[i], is));
	}
	CHECK(!info(fd, 1, is, sizeof(is)));
	CHECK(info(plain, 1, is, sizeof(is)));

	/* and they tell what they are to tell */
	CHECK_EQ(1, pwrite(file, "y", 1, 0));
	take(fd, &ev);
	expect_at(&ev, 0, wd[0], IN_MODIFY, "a");
	expect_at(&ev, 1, wd[1], IN_MODIFY, "");
	CHECK_EQ(2, ev.nr);
	CHECK_EQ(0, fchmod(d, 0600));
	take(fd, &ev);
	expect_at(&ev, 0, wd[0], IN_ATTRIB, "d");
	expect_at(&ev, 1, wd[3], IN_ATTRIB, "");
	expect_at(&ev, 2, wd[3], IN_IGNORED, "");
	CHECK_EQ(3, ev.nr);
	CHECK_EQ(0, fchmod(d, 0644));
	expect(fd, wd[0], IN_ATTRIB, "d");
	i = open(in_w("g"), O_RDONLY);
	CHECK_EQ(0, fchmod(i, 0644));
	take(fd, &ev);
	expect_at(&ev, 0, wd[0], IN_OPEN, "g");
	expect_at(&ev, 1, wd[6], IN_OPEN, "");
	expect_at(&ev, 2, wd[0], IN_ATTRIB, "g");
	expect_at(&ev, 3, wd[6], IN_ATTRIB, "");
	CHECK_EQ(4, ev.nr);
	CHECK_EQ(0, fchownat(AT_FDCWD, in_w("link"), 0, 0, AT_SYMLINK_NOFOLLOW));
	take(fd, &ev);
	expect_at(&ev, 0, wd[0], IN_ATTRIB, "link");
	expect_at(&ev, 1, wd[2], IN_ATTRIB, "");
	CHECK_EQ(2, ev.nr);
	/* closed in the end, so that it tells of itself: not of one event only */
	i = open(in_w("f"), O_RDONLY);
	close(i);
	i = open(in_w("f"), O_RDONLY);
	close(i);
	take(fd, &ev);
	CHECK_EQ(6, ev.nr);
	expect_at(&ev, 2, wd[7], IN_CLOSE_NOWRITE, "");
	expect_at(&ev, 5, wd[7], IN_CLOSE_NOWRITE, "");
	CHECK_EQ(next, inotify_add_watch(fd, in_w("h"), IN_OPEN));
	CHECK_EQ(wd[1], inotify_add_watch(fd, in_w("a"), IN_OPEN));
	CHECK(unread(plain) > 0);
}

/* Two that are told the same: one is read before, the other one after. */
SUBJECT(events)
{
	int twins[2], i, wd = 0, file, sub = 0;
	struct events want, ev;
	static char is[256];

	make_dir("w");
	unlink(in_w("second"));
	make_file("file");
	file = open(in_w("file"), O_WRONLY);
	for (i = 0; i < 2; i++) {
		twins[i] = inotify_init1(IN_NONBLOCK);
		wd = watch(twins[i], subject_path("w"),
			   IN_CREATE | IN_MOVE | IN_DELETE | IN_MODIFY | IN_ATTRIB);
		sub = watch(twins[i], in_w("file"), IN_ATTRIB | IN_ONESHOT);
	}
	make_dir("w/dir");
	make_file("first");
	CHECK_EQ(0, rename(in_w("first"), subject_path("w/second")));
	CHECK_EQ(0, rmdir(subject_path("w/dir")));
	CHECK_EQ(0, fchmod(file, 0600));
	CHECK_EQ(0, unlink(in_w("second")));
	make_file("a-name-of-31-characters-is-this");
	CHECK_EQ(0, unlink(in_w("a-name-of-31-characters-is-this")));
	CHECK_EQ(1, write(file, "x", 1));
	CHECK_EQ(1, write(file, "x", 1));
	take(twins[0], &want);
	expect_at(&want, 0, wd, IN_CREATE | IN_ISDIR, "dir");
	expect_at(&want, 1, wd, IN_CREATE, "first");
	expect_at(&want, 2, wd, IN_MOVED_FROM, "first");
	expect_at(&want, 3, wd, IN_MOVED_TO, "second");
	CHECK(want.e[2].cookie && want.e[2].cookie == want.e[3].cookie);
	expect_at(&want, want.nr - 1, wd, IN_MODIFY, "file");
	CHECK_EQ(12, want.nr);
	i = unread(twins[1]);

	subject_point();

	CHECK_EQ(i, unread(twins[1]));
	/* one more of the same is the same */
	CHECK_EQ(1, write(file, "x", 1));
	CHECK_EQ(i, unread(twins[1]));
	expect(twins[0], wd, IN_MODIFY, "file");
	take(twins[1], &ev);
	CHECK_EQ(want.nr, ev.nr);
	CHECK_MEM(&want, &ev, sizeof(ev));
	/* the watch for one event is gone with it */
	CHECK(!info(twins[1], sub, is, sizeof(is)));
	CHECK_EQ(0, fchmod(file, 0644));
	expect(twins[1], wd, IN_ATTRIB, "file");
}

static const char max_queued[] = "/proc/sys/fs/inotify/max_queued_events";

static void set_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

/* Room for three events, and one of them was read. */
SUBJECT(overflow)
{
	char was[64] = "", names[8][2];
	int fd, wd, i;
	struct events ev;

	make_dir("w");
	for (i = 0; i < 8; i++) {
		names[i][0] = 'a' + i;
		names[i][1] = 0;
		make_file(names[i]);
	}
	CHECK(ckpt_slurp(max_queued, was, sizeof(was)) > 0);
	set_sysctl(max_queued, "3");
	fd = inotify_init1(IN_NONBLOCK);
	set_sysctl(max_queued, was);
	wd = watch(fd, subject_path("w"), IN_ATTRIB);
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, chmod(in_w(names[i]), 0644));
	subject_point();
	/* it is full */
	CHECK_EQ(0, chmod(in_w("h"), 0644));
	take(fd, &ev);
	for (i = 0; i < 3; i++)
		expect_at(&ev, i, wd, IN_ATTRIB, names[i]);
	expect_at(&ev, 3, -1, IN_Q_OVERFLOW, "");
	CHECK_EQ(4, ev.nr);
	/* and so it is with new ones */
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, chmod(in_w(names[i]), 0644));
	take(fd, &ev);
	expect_at(&ev, 2, wd, IN_ATTRIB, names[2]);
	expect_at(&ev, 3, -1, IN_Q_OVERFLOW, "");
	CHECK_EQ(4, ev.nr);
}

/* Two processes have it: one reads, one waits in epoll_wait(), one in poll(). */
SUBJECT(blocked)
{
	int fd[3], ep = epoll_create1(0), i, wd = 0;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
	struct pollfd p;
	struct events ev;
	pid_t pid[3];

	make_dir("w");
	make_file("file");
	for (i = 0; i < 3; i++) {
		fd[i] = inotify_init1(0);
		wd = watch(fd[i], subject_path("w"), IN_ATTRIB);
	}
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &event));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		if (i == 0) {
			char buf[256];

			CHECK_EQ(32, read(fd[0], buf, sizeof(buf)));
			_exit(0);
		}
		if (i == 1) {
			CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
			CHECK_EQ(5, event.data.u64);
		} else {
			p = (struct pollfd) { .fd = fd[2], .events = POLLIN };
			CHECK_EQ(1, poll(&p, 1, -1));
		}
		expect(fd[i], wd, IN_ATTRIB, "file");
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, ckpt_wait_state(pid[i], 'S'));
	subject_point();
	for (i = 0; i < 3; i++) {
		long same = syscall(SYS_kcmp, getpid(), pid[i], KCMP_FILE, fd[i], fd[i]);

		CHECK(!same || (same < 0 && errno == ENOSYS));
		CHECK_EQ(0, waitpid(pid[i], NULL, WNOHANG));
	}
	CHECK_EQ(0, chmod(in_w("file"), 0644));
	for (i = 0; i < 3; i++)
		subject_join(pid[i]);
	for (i = 0; i < 3; i++) {
		take(fd[i], &ev);
		CHECK_EQ(0, ev.nr);
	}
}

/* A file that was deleted is watched as long as it is open. */
SUBJECT(deleted)
{
	int fd = inotify_init1(IN_NONBLOCK), wd, file;
	struct events ev;

	make_dir("w");
	make_file("gone");
	file = open(in_w("gone"), O_RDWR);
	CHECK_EQ(6, write(file, "before", 6));
	wd = watch(fd, in_w("gone"), IN_ALL_EVENTS);
	CHECK_EQ(0, unlink(in_w("gone")));
	take(fd, &ev);
	expect_at(&ev, 0, wd, IN_ATTRIB, "");
	CHECK_EQ(1, ev.nr);
	subject_point();
	expect_none(fd);
	CHECK_EQ(5, write(file, "after", 5));
	expect(fd, wd, IN_MODIFY, "");
	close(file);
	take(fd, &ev);
	expect_at(&ev, 0, wd, IN_CLOSE_WRITE, "");
	expect_at(&ev, 1, wd, IN_DELETE_SELF, "");
	expect_at(&ev, 2, wd, IN_IGNORED, "");
	CHECK_EQ(3, ev.nr);
}

/* A pipe never had a name; it is watched by way of /proc. */
SUBJECT(pipe)
{
	int fd = inotify_init1(IN_NONBLOCK), fds[2], wd, told, mode;
	char path[64];

	CHECK_EQ(0, pipe(fds));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	wd = watch(fd, path, IN_MODIFY | IN_ATTRIB);
	/* not all kernels tell of this */
	CHECK_EQ(1, write(fds[1], "x", 1));
	told = unread(fd);
	CHECK(!told || told == 16);
	subject_point();
	CHECK_EQ(told, unread(fd));
	if (told)
		expect(fd, wd, IN_MODIFY, "");
	for (mode = 0; mode < 2; mode++) {
		CHECK_EQ(0, fchmod(fds[mode], 0600));
		expect(fd, wd, IN_ATTRIB, "");
	}
}

/* More than there may be records of a task; with gaps. */
SUBJECT(many)
{
	enum { NR = 420 };
	int fd = inotify_init1(IN_NONBLOCK), i, wd[NR];
	char name[32], is[256];

	make_dir("w");
	for (i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		make_file(name);
		wd[i] = watch(fd, in_w(name), IN_ATTRIB);
	}
	for (i = 0; i < NR; i += 7)
		CHECK_EQ(0, inotify_rm_watch(fd, wd[i]));
	/* those told that they are ignored */
	CHECK_EQ(NR / 7 * 16, unread(fd));
	subject_point();
	CHECK_EQ(NR / 7 * 16, unread(fd));
	for (i = 0; i < NR; i++) {
		CHECK_EQ(i % 7 != 0, info(fd, wd[i], is, sizeof(is)));
		snprintf(name, sizeof(name), "many-%d", i);
		CHECK_EQ(0, chmod(in_w(name), 0644));
	}
	CHECK_EQ(NR * 16, unread(fd));
}

/* What a subject did to "w" when it went on does not matter. */
#define ROUNDTRIP(subject)						\
	TEST_F_TIMEOUT(inotify, subject, CKPT_TIMEOUT)			\
	{								\
		struct ckpt_run run;					\
									\
		ckpt_init(&run, &variant->how);				\
		run.restart_flags = RESTART_FILES_CHANGED;		\
		ASSERT_EQ(0, ckpt_roundtrip_run(#subject, &run));	\
	}

CKPT_FIXTURE_HOW(inotify);
CKPT_VARIANTS(inotify);

ROUNDTRIP(watches)
ROUNDTRIP(events)
ROUNDTRIP(overflow)
ROUNDTRIP(blocked)
ROUNDTRIP(deleted)
ROUNDTRIP(pipe)
ROUNDTRIP(many)

/* ---- refused ---- */

SUBJECT(leaked)
{
	subject_point();
	CHECK(fcntl(SUBJECT_FD, F_GETFD) >= 0);
}

SUBJECT(nameless)
{
	int fd = inotify_init1(0), dir;

	CHECK_EQ(5, dup2(fd, 5));
	close(fd);
	make_dir("w");
	make_dir("w/dir");
	watch(5, subject_path("w/dir"), IN_ATTRIB);
	dir = open(subject_path("w/dir"), O_PATH);
	CHECK_EQ(9, dup2(dir, 9));
	close(dir);
	CHECK_EQ(0, rmdir(subject_path("w/dir")));
	/* that it was deleted is told when it is gone */
	subject_point();
}

SUBJECT(one)
{
	int fd = inotify_init1(IN_NONBLOCK), wd[4], i;

	make_dir("w");
	for (i = 0; i < 4; i++) {
		make_file((char []) { 'a' + i, 0 });
		wd[i] = watch(fd, in_w((char []) { 'a' + i, 0 }), IN_ATTRIB);
	}
	subject_point();
	for (i = 0; i < 4; i++) {
		CHECK_EQ(0, chmod(in_w((char []) { 'a' + i, 0 }), 0644));
		expect(fd, wd[i], IN_ATTRIB, "");
	}
}

CKPT_FIXTURE(refused);

/* We have it, too. */
TEST_F_TIMEOUT(refused, shared_outside, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fd;

	ckpt_init(&run, NULL);
	run.extra_fd = inotify_init1(0);
	ASSERT_LE(0, run.extra_fd);
	ASSERT_EQ(0, ckpt_start(&run, "leaked"));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, "inotify")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "outside")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	close(run.extra_fd);
}

TEST_F_TIMEOUT(refused, nameless, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("nameless", "no known name", "fd 5"));
}

static const char max_watches[] = "/proc/sys/fs/inotify/max_user_watches";

static int try_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Checkpoint one, so that it can be restarted under other circumstances. */
static pid_t saved(struct __test_metadata *_metadata, struct ckpt_run *run)
{
	pid_t pid;

	ckpt_init(run, &(struct ckpt_how) { .kill = true });
	EXPECT_EQ(0, ckpt_start(run, "one"));
	pid = run->pid;
	EXPECT_EQ(0, ckpt_checkpoint(run));
	run->pid = 0;
	return pid;
}

TEST_F_TIMEOUT(refused, too_many_watches, CKPT_TIMEOUT)
{
	char was[64] = "";
	struct ckpt_run run;
	pid_t pid;

	ASSERT_LT(0, ckpt_slurp(max_watches, was, sizeof(was)));
	pid = saved(_metadata, &run);
	ASSERT_EQ(0, try_sysctl(max_watches, "3"));
	EXPECT_EQ(-ENOSPC, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "max_user_watches")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	ASSERT_EQ(0, try_sysctl(max_watches, was));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(refused, watched_changed, CKPT_TIMEOUT)
{
	char path[128];
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);
	int fd;

	snprintf(path, sizeof(path), "%s/w/b", run.dir);
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(-ENOENT, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "w/b")) ckpt_print(&run, "log");
	ASSERT_EQ(0, mkdir(path, 0755));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "another type")) ckpt_print(&run, "log");
	ASSERT_EQ(0, rmdir(path));
	/* another one of that name will do */
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
