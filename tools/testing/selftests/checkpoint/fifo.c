// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: named pipes, those that were deleted, those that lead out
 * of the target, and tasks that wait for the other side in open(2).
 */
#define _GNU_SOURCE
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static void expect_read(int fd, const char *want)
{
	char got[256] = "";

	CHECK_EQ(strlen(want), read(fd, got, strlen(want)));
	CHECK_MEM(want, got, strlen(want));
}

static void put(int fd, const char *what)
{
	CHECK_EQ(strlen(what), write(fd, what, strlen(what)));
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void make(const char *name)
{
	CHECK_EQ(0, mkfifo(subject_path(name), 0640));
}

static int open_end(const char *name, int flags)
{
	int fd = subject_open(name, flags);

	CHECK(fd >= 0);
	return fd;
}

/* What /proc says that it is. */
static void check_name(int fd, const char *want)
{
	char path[64], got[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, got, sizeof(got) - 1);
	CHECK(len > 0);
	got[len] = '\0';
	if (strcmp(want, got))
		subject_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"",
			     path, got, want);
}

/* Both ends in one task, with contents, and a name that still leads there. */
SUBJECT(contents)
{
	struct stat before, after;
	int rd, wr, again, n;
	char big[9000];

	make("f/fifo");
	rd = open_end("f/fifo", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/fifo", O_WRONLY | O_CLOEXEC);
	CHECK_EQ(0, fcntl(rd, F_SETFL, 0));
	CHECK_EQ(8192, fcntl(wr, F_SETPIPE_SZ, 8192));
	put(wr, "partly read");
	expect_read(rd, "partly ");
	CHECK_EQ(0, fstat(rd, &before));
	subject_point();
	CHECK_EQ(0, fstat(rd, &after));
	CHECK_EQ(before.st_ino, after.st_ino);
	CHECK_EQ(before.st_dev, after.st_dev);
	CHECK_EQ(S_IFIFO | 0640, after.st_mode);
	check_name(rd, subject_path("f/fifo"));
	check_name(wr, subject_path("f/fifo"));
	CHECK_EQ(O_RDONLY, fcntl(rd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CHECK_EQ(O_WRONLY, fcntl(wr, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CHECK_EQ(FD_CLOEXEC, fcntl(wr, F_GETFD));
	CHECK_EQ(0, fcntl(rd, F_GETFD));
	CHECK_EQ(8192, fcntl(rd, F_GETPIPE_SZ));
	CHECK_EQ(0, ioctl(rd, FIONREAD, &n));
	CHECK_EQ(4, n);
	CHECK_EQ(POLLIN, polled(rd));
	CHECK_EQ(POLLOUT, polled(wr));
	expect_read(rd, "read");
	/* somebody else would get the same one by that name */
	again = open_end("f/fifo", O_WRONLY | O_NONBLOCK);
	put(again, "more");
	expect_read(rd, "more");
	/* as large as it was */
	memset(big, 'x', sizeof(big));
	CHECK_EQ(8192, write(again, big, sizeof(big)));
	CHECK_EQ(0, polled(wr));
	CHECK_EQ(8192, read(rd, big, sizeof(big)));
	close(again);
	CHECK_EQ(0, polled(rd));
	close(wr);
	CHECK_EQ(POLLHUP, polled(rd));
	CHECK_EQ(0, read(rd, big, 1));
}

/* One side only. Who reads is told of the end only if there was a beginning. */
SUBJECT(one_sided)
{
	int early, late, both, wr, tmp;
	char c;

	signal(SIGPIPE, SIG_IGN);
	make("f/early");
	make("f/late");
	make("f/both");
	make("f/wr");
	early = open_end("f/early", O_RDONLY | O_NONBLOCK);
	late = open_end("f/late", O_RDONLY | O_NONBLOCK);
	tmp = open_end("f/late", O_WRONLY);
	put(tmp, "left");
	close(tmp);
	both = open_end("f/both", O_RDWR);
	put(both, "self");
	tmp = open_end("f/wr", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/wr", O_WRONLY);
	close(tmp);
	CHECK_EQ(0, polled(early));
	CHECK_EQ(POLLIN | POLLHUP, polled(late));
	CHECK_EQ(POLLIN | POLLOUT, polled(both));
	CHECK_EQ(POLLOUT | POLLERR, polled(wr));
	subject_point();
	CHECK_EQ(0, polled(early));
	CHECK_EQ(POLLIN | POLLHUP, polled(late));
	CHECK_EQ(POLLIN | POLLOUT, polled(both));
	CHECK_EQ(POLLOUT | POLLERR, polled(wr));

	CHECK_EQ(0, read(early, &c, 1));
	tmp = open_end("f/early", O_WRONLY);
	CHECK_EQ(-1, read(early, &c, 1));
	CHECK_EQ(EAGAIN, errno);
	close(tmp);
	CHECK_EQ(POLLHUP, polled(early));

	expect_read(late, "left");
	CHECK_EQ(0, read(late, &c, 1));
	CHECK_EQ(POLLHUP, polled(late));

	CHECK_EQ(O_RDWR, fcntl(both, F_GETFL) & O_ACCMODE);
	expect_read(both, "self");
	CHECK_EQ(POLLOUT, polled(both));

	CHECK_EQ(-1, write(wr, "x", 1));
	CHECK_EQ(EPIPE, errno);
	tmp = open_end("f/wr", O_RDONLY);
	put(wr, "again");
	expect_read(tmp, "again");
}

/* Each packet is read as a whole; O_DIRECT can be set for a fifo only later. */
SUBJECT(packets)
{
	int rd, wr, i;
	char buf[512];

	make("f/fifo");
	rd = open_end("f/fifo", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/fifo", O_WRONLY);
	CHECK_EQ(0, fcntl(wr, F_SETFL, O_DIRECT));
	for (i = 1; i <= 5; i++) {
		memset(buf, i, sizeof(buf));
		CHECK_EQ(i * 10, write(wr, buf, i * 10));
	}
	subject_point();
	CHECK_EQ(O_DIRECT, fcntl(wr, F_GETFL) & O_DIRECT);
	CHECK_EQ(0, fcntl(rd, F_GETFL) & O_DIRECT);
	for (i = 1; i <= 5; i++) {
		CHECK_EQ(i * 10, read(rd, buf, sizeof(buf)));
		CHECK_EQ(i, buf[0]);
	}
	put(wr, "one");
	put(wr, "two");
	CHECK_EQ(3, read(rd, buf, sizeof(buf)));
}

/* No name any more, though there may be another one of that name. */
SUBJECT(deleted)
{
	int rd, wr, other, now;
	char name[PATH_MAX];
	struct stat st;

	make("f/gone");
	rd = open_end("f/gone", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/gone", O_WRONLY);
	CHECK_EQ(0, fchmod(rd, 0604));
	CHECK_EQ(0, fchown(rd, 12, 34));
	CHECK_EQ(0, unlink(subject_path("f/gone")));
	put(wr, "contents");
	make("f/two");
	other = open_end("f/two", O_RDWR);
	put(other, "old");
	CHECK_EQ(0, unlink(subject_path("f/two")));
	make("f/two");
	now = open_end("f/two", O_RDWR);
	put(now, "new");
	subject_point();
	CHECK_EQ(0, fstat(wr, &st));
	CHECK_EQ(0, st.st_nlink);
	CHECK_EQ(S_IFIFO | 0604, st.st_mode);
	CHECK_EQ(12, st.st_uid);
	CHECK_EQ(34, st.st_gid);
	snprintf(name, sizeof(name), "%s (deleted)", subject_path("f/gone"));
	check_name(rd, name);
	CHECK_EQ(-1, access(subject_path("f/gone"), F_OK));
	CHECK_EQ(POLLIN, polled(rd));
	expect_read(rd, "contents");
	put(wr, "more");
	expect_read(rd, "more");
	close(wr);
	CHECK_EQ(POLLHUP, polled(rd));

	expect_read(other, "old");
	expect_read(now, "new");
	check_name(now, subject_path("f/two"));
	CHECK_EQ(0, fstat(other, &st));
	CHECK_EQ(0, st.st_nlink);
	/* what was in the way is as it was, and nothing else is left there */
	CHECK_EQ(0, stat(subject_path("f/two"), &st));
	CHECK_EQ(1, st.st_nlink);
	put(other, "x");
	CHECK_EQ(POLLOUT, polled(now));
}

/* A fifo with two names is one. */
SUBJECT(two_names)
{
	int rd, wr;

	make("f/one");
	CHECK_EQ(0, link(subject_path("f/one"), subject_path("f/two")));
	rd = open_end("f/one", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/two", O_WRONLY);
	put(wr, "before");
	subject_point();
	check_name(rd, subject_path("f/one"));
	check_name(wr, subject_path("f/two"));
	expect_read(rd, "before");
	put(wr, "after");
	expect_read(rd, "after");
	close(wr);
	CHECK_EQ(POLLHUP, polled(rd));
}

/* One end each; both sleep, one as it is empty and one as it is full. */
SUBJECT(two_tasks)
{
	static char buf[65536];
	pid_t reader, writer;
	int fd, n;

	make("f/empty");
	make("f/full");
	reader = fork();
	if (!reader) {
		fd = open_end("f/empty", O_RDONLY);
		subject_touch("reader");
		expect_read(fd, "at last");
		CHECK_EQ(0, read(fd, buf, 1));
		_exit(0);
	}
	writer = fork();
	if (!writer) {
		fd = open_end("f/full", O_WRONLY);
		CHECK_EQ(65536, write(fd, buf, 65536));
		subject_touch("writer");
		put(fd, "the rest");
		_exit(0);
	}
	fd = open_end("f/empty", O_WRONLY);
	n = open_end("f/full", O_RDONLY);
	subject_wait("reader");
	subject_wait("writer");
	CHECK_EQ(0, ckpt_wait_state(reader, 'S'));
	CHECK_EQ(0, ckpt_wait_state(writer, 'S'));
	subject_point();
	CHECK_EQ(0, waitpid(reader, NULL, WNOHANG));
	CHECK_EQ(0, waitpid(writer, NULL, WNOHANG));
	put(fd, "at last");
	close(fd);
	subject_join(reader);
	for (fd = 0; fd < 65536; fd += 4096)
		CHECK_EQ(4096, read(n, buf, 4096));
	subject_join(writer);
	expect_read(n, "the rest");
	CHECK_EQ(0, read(n, buf, 1));
}

/* Two wait in open(2) for somebody at the other end, who comes later. */
SUBJECT(opening)
{
	pid_t reader, writer;
	int fd;
	char c;

	make("f/no-writer");
	make("f/no-reader");
	reader = fork();
	if (!reader) {
		subject_touch("reader");
		fd = open_end("f/no-writer", O_RDONLY);
		expect_read(fd, "hello");
		CHECK_EQ(0, read(fd, &c, 1));
		_exit(0);
	}
	writer = fork();
	if (!writer) {
		subject_touch("writer");
		fd = open_end("f/no-reader", O_WRONLY);
		put(fd, "hello");
		_exit(0);
	}
	subject_wait("reader");
	subject_wait("writer");
	CHECK_EQ(0, ckpt_wait_state(reader, 'S'));
	CHECK_EQ(0, ckpt_wait_state(writer, 'S'));
	subject_point();
	/* nobody must have been let through */
	ckpt_sleep_ms(50);
	CHECK_EQ('S', ckpt_state(reader));
	CHECK_EQ('S', ckpt_state(writer));
	fd = open_end("f/no-writer", O_WRONLY);
	put(fd, "hello");
	close(fd);
	subject_join(reader);
	fd = open_end("f/no-reader", O_RDONLY);
	expect_read(fd, "hello");
	CHECK_EQ(0, read(fd, &c, 1));
	subject_join(writer);
}

/* Watched at the edge: there is no edge in a restart. */
SUBJECT(watched)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = 7 };
	int rd, wr, ep = epoll_create1(0);

	make("f/fifo");
	rd = open_end("f/fifo", O_RDONLY | O_NONBLOCK);
	wr = open_end("f/fifo", O_WRONLY);
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, rd, &event));
	put(wr, "told");
	CHECK_EQ(1, epoll_wait(ep, &event, 1, 0));
	subject_point();
	CHECK_EQ(0, epoll_wait(ep, &event, 1, 0));
	put(wr, "new");
	CHECK_EQ(1, epoll_wait(ep, &event, 1, 0));
	CHECK_EQ(EPOLLIN, event.events);
	CHECK_EQ(7, event.data.u32);
	expect_read(rd, "toldnew");
}

/* ---- with somebody outside ---- */

SUBJECT(external_writer)
{
	put(SUBJECT_FD, "before");
	subject_point();
	put(SUBJECT_FD, "after");
	CHECK_EQ(O_WRONLY, fcntl(SUBJECT_FD, F_GETFL) & O_ACCMODE);
}

SUBJECT(external_unread)
{
	subject_point();
	expect_read(SUBJECT_FD, "unread");
}

SUBJECT(reader)
{
	int fd;

	make("f/fifo");
	fd = open_end("f/fifo", O_RDONLY | O_NONBLOCK);
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_SETFL, 0));
	expect_read(fd, "from outside");
}

SUBJECT(filled)
{
	int fd;

	make("f/fifo");
	fd = open_end("f/fifo", O_RDWR);
	put(fd, "mine");
	subject_point();
	expect_read(fd, "mine");
}

SUBJECT(renamed)
{
	int fd;

	make("f/one");
	CHECK_EQ(0, link(subject_path("f/one"), subject_path("f/two")));
	fd = open_end("f/one", O_RDWR);
	CHECK_EQ(0, unlink(subject_path("f/one")));
	subject_point();
	put(fd, "x");
}

CKPT_FIXTURE_HOW(fifo);
CKPT_VARIANTS(fifo);

CKPT_ROUNDTRIP(fifo, contents);
CKPT_ROUNDTRIP(fifo, one_sided);
CKPT_ROUNDTRIP(fifo, packets);
CKPT_ROUNDTRIP(fifo, deleted);
CKPT_ROUNDTRIP(fifo, two_names);
CKPT_ROUNDTRIP(fifo, two_tasks);
CKPT_ROUNDTRIP(fifo, opening);
CKPT_ROUNDTRIP(fifo, watched);

CKPT_FIXTURE(outside);

static void fifo_path(const struct ckpt_run *run, char *buf, size_t size)
{
	snprintf(buf, size, "%s/f/fifo", run->dir);
}

static int read_exactly(int fd, const char *want)
{
	char buf[64] = "";
	size_t have = 0;
	ssize_t n;

	while (have < strlen(want)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 20000) != 1)
			break;
		n = read(fd, buf + have, strlen(want) - have);
		if (n <= 0)
			break;
		have += n;
	}
	if (!strcmp(buf, want))
		return 0;
	ckpt_msg("read \"%s\", not \"%s\"", buf, want);
	return -EIO;
}

/* The reader is outside: a new one is handed in. */
TEST_F_TIMEOUT(outside, external, CKPT_TIMEOUT)
{
	struct restart_inherit inherit = { };
	struct ckpt_run run;
	int rd, wr, new[2];
	char path[64];
	struct stat st;
	pid_t pid;
	char c;

	snprintf(path, sizeof(path), "/tmp/ckpt-fifo-%d", getpid());
	ASSERT_EQ(0, mkfifo(path, 0600));
	rd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	wr = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(0, fstat(wr, &st));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = wr;
	ASSERT_EQ(0, ckpt_start(&run, "external_writer"));
	pid = run.pid;
	EXPECT_EQ(0, read_exactly(rd, "before"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;

	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "fifo:[")) ckpt_print(&run, "log");

	snprintf(inherit.key, sizeof(inherit.key), "fifo:[%lu]",
		 (unsigned long)st.st_ino);
	inherit.fd = new[1];
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	close(new[1]);
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, read_exactly(new[0], "after"));
	EXPECT_EQ(0, read(new[0], &c, 1));
	close(new[0]);
	close(rd);
	close(wr);
	unlink(path);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(outside, unread_data, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[64];
	int rd, wr, fd;

	snprintf(path, sizeof(path), "/tmp/ckpt-fifo-%d", getpid());
	ASSERT_EQ(0, mkfifo(path, 0600));
	rd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	wr = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(6, write(wr, "unread", 6));
	ckpt_init(&run, NULL);
	run.extra_fd = rd;
	ASSERT_EQ(0, ckpt_start(&run, "external_unread"));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, "unread data")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	close(rd);
	close(wr);
	unlink(path);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Somebody outside waits in open(2) for the target to come back. */
TEST_F_TIMEOUT(outside, waits, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[128];
	pid_t pid, waiter;
	int fd, status;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "reader"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	fifo_path(&run, path, sizeof(path));
	waiter = fork();
	if (!waiter) {
		fd = open(path, O_WRONLY);
		_exit(write(fd, "from outside", 12) != 12);
	}
	ASSERT_EQ(0, ckpt_wait_state(waiter, 'S'));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(waiter, waitpid(waiter, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Nobody else gets what was in it, and it does not mix with what others write. */
TEST_F_TIMEOUT(outside, busy, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[128], c;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "filled"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fifo_path(&run, path, sizeof(path));
	fd = open(path, O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "somebody else")) ckpt_print(&run, "log");
	EXPECT_EQ(0, read(fd, &c, 1));
	/* that no writer was there it can still tell */
	EXPECT_EQ(0, poll(&(struct pollfd) { .fd = fd, .events = POLLIN }, 1, 0));
	close(fd);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* What has its name now is something else, or nothing. */
TEST_F_TIMEOUT(outside, replaced, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[128];
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "filled"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fifo_path(&run, path, sizeof(path));
	ASSERT_EQ(0, unlink(path));
	EXPECT_EQ(-ENOENT, ckpt_restart(&run));
	close(open(path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	ASSERT_EQ(0, unlink(path));
	/* another one is as good, as with a terminal or a pipe */
	ASSERT_EQ(0, mkfifo(path, 0600));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(outside, other_name, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("renamed", "has another one", NULL));
}

CKPT_TEST_MAIN
