// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: pipes, their contents, and those that lead out of the
 * target.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static char pattern(size_t i)
{
	return i * 31 + i / 127 + 5;
}

static void fill(char *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(i);
}

static void expect_read(int fd, const char *want, size_t len)
{
	static char got[1 << 20];
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = read(fd, got + have, len - have);
		CHECK(n > 0);
		have += n;
	}
	CHECK_MEM(want, got, len);
}

static int filled(int fd)
{
	int n = -1;

	CHECK_EQ(0, ioctl(fd, FIONREAD, &n));
	return n;
}

/* Writes of many sizes, read at the end. */
SUBJECT(contents)
{
	static char buf[30000];
	size_t len = 0, n;
	int fds[2];

	fill(buf, sizeof(buf));
	CHECK_EQ(0, pipe(fds));
	for (n = 1; len + n < sizeof(buf); n = n * 2 + 1) {
		CHECK_EQ(n, write(fds[1], buf + len, n));
		len += n;
	}
	/* a buffer that has been read from in part */
	expect_read(fds[0], buf, 20);
	CHECK_EQ(len - 20, filled(fds[0]));
	subject_point();
	CHECK_EQ(len - 20, filled(fds[0]));
	expect_read(fds[0], buf + 20, len - 20);
	CHECK_EQ(0, filled(fds[0]));
	/* and it works on */
	CHECK_EQ(100, write(fds[1], buf, 100));
	expect_read(fds[0], buf, 100);
	close(fds[1]);
	CHECK_EQ(0, read(fds[0], buf, 1));
}

SUBJECT(empty)
{
	struct pollfd p;
	char c = 'x';
	int fds[2];

	CHECK_EQ(0, pipe2(fds, O_NONBLOCK));
	subject_point();
	CHECK_EQ(-1, read(fds[0], &c, 1));
	CHECK_EQ(EAGAIN, errno);
	p = (struct pollfd) { .fd = fds[0], .events = POLLIN };
	CHECK_EQ(0, poll(&p, 1, 0));
	CHECK_EQ(1, write(fds[1], &c, 1));
	CHECK_EQ(1, poll(&p, 1, 0));
	CHECK_EQ(POLLIN, p.revents);
}

/* To the last byte. */
SUBJECT(full)
{
	static char buf[1 << 17];
	struct pollfd p;
	size_t len = 0;
	ssize_t n;
	int fds[2];

	fill(buf, sizeof(buf));
	CHECK_EQ(0, pipe2(fds, O_NONBLOCK));
	while ((n = write(fds[1], buf + len, sizeof(buf) - len)) > 0)
		len += n;
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(65536, len);
	subject_point();
	p = (struct pollfd) { .fd = fds[1], .events = POLLOUT };
	CHECK_EQ(0, poll(&p, 1, 0));
	CHECK_EQ(-1, write(fds[1], buf, 1));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(len, filled(fds[0]));
	expect_read(fds[0], buf, len);
	CHECK_EQ(1, poll(&p, 1, 0));
}

SUBJECT(capacity)
{
	static char buf[200000];
	int small[2], large[2];

	fill(buf, sizeof(buf));
	CHECK_EQ(0, pipe2(small, O_NONBLOCK));
	CHECK_EQ(0, pipe2(large, O_NONBLOCK));
	CHECK_EQ(4096, fcntl(small[0], F_SETPIPE_SZ, 4096));
	CHECK_EQ(262144, fcntl(large[0], F_SETPIPE_SZ, 262144));
	CHECK_EQ(4096, write(small[1], buf, 5000));
	CHECK_EQ(200000, write(large[1], buf, 200000));
	subject_point();
	CHECK_EQ(4096, fcntl(small[1], F_GETPIPE_SZ));
	CHECK_EQ(262144, fcntl(large[1], F_GETPIPE_SZ));
	CHECK_EQ(-1, write(small[1], buf, 1));
	expect_read(small[0], buf, 4096);
	expect_read(large[0], buf, 200000);
}

/* Each packet is read as a whole. */
SUBJECT(packets)
{
	char buf[4096];
	int fds[2], i;

	CHECK_EQ(0, pipe2(fds, O_DIRECT | O_NONBLOCK));
	for (i = 1; i <= 10; i++) {
		memset(buf, i, i * 10);
		CHECK_EQ(i * 10, write(fds[1], buf, i * 10));
	}
	subject_point();
	CHECK_EQ(O_DIRECT | O_NONBLOCK,
		 fcntl(fds[1], F_GETFL) & (O_DIRECT | O_NONBLOCK));
	for (i = 1; i <= 10; i++) {
		CHECK_EQ(i * 10, read(fds[0], buf, sizeof(buf)));
		CHECK_EQ(i, buf[0]);
		CHECK_EQ(i, buf[i * 10 - 1]);
	}
	CHECK_EQ(-1, read(fds[0], buf, 1));
	CHECK_EQ(EAGAIN, errno);
	/* still in packets */
	CHECK_EQ(2, write(fds[1], "ab", 2));
	CHECK_EQ(2, write(fds[1], "cd", 2));
	CHECK_EQ(2, read(fds[0], buf, 10));
}

SUBJECT(half_closed)
{
	int no_writer[2], no_reader[2];
	char buf[16];

	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(0, pipe(no_writer));
	CHECK_EQ(0, pipe(no_reader));
	CHECK_EQ(5, write(no_writer[1], "hello", 5));
	close(no_writer[1]);
	CHECK_EQ(5, write(no_reader[1], "world", 5));
	close(no_reader[0]);
	subject_point();
	expect_read(no_writer[0], "hello", 5);
	CHECK_EQ(0, read(no_writer[0], buf, sizeof(buf)));
	CHECK_EQ(-1, write(no_reader[1], "x", 1));
	CHECK_EQ(EPIPE, errno);
	CHECK_EQ(-1, fcntl(no_writer[1], F_GETFD));
	CHECK_EQ(-1, fcntl(no_reader[0], F_GETFD));
}

/* Flags belong to each end, and to each description of an end. */
SUBJECT(descriptions)
{
	char path[32];
	int fds[2], dup_fd, again;

	CHECK_EQ(0, pipe(fds));
	dup_fd = dup(fds[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(again >= 0);
	CHECK_EQ(3, write(fds[1], "one", 3));
	subject_point();
	CHECK_EQ(0, fcntl(dup_fd, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(O_NONBLOCK, fcntl(again, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(FD_CLOEXEC, fcntl(again, F_GETFD));
	CHECK_EQ(0, fcntl(fds[1], F_GETFD));
	/* shared with its duplicate only */
	CHECK_EQ(0, fcntl(dup_fd, F_SETFL, O_NONBLOCK));
	CHECK_EQ(O_NONBLOCK, fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	CHECK_EQ(0, fcntl(again, F_SETFL, 0));
	CHECK_EQ(O_NONBLOCK, fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	CHECK_EQ(3, write(again, "two", 3));
	expect_read(fds[0], "onetwo", 6);
	close(fds[1]);
	close(again);
	CHECK_EQ(5, write(dup_fd, "three", 5));
	close(dup_fd);
	expect_read(fds[0], "three", 5);
	CHECK_EQ(0, read(fds[0], path, 1));
}

/* A shell's pipeline: producer | filter | us, in full flow. */
SUBJECT(pipeline)
{
	enum { TOTAL = 3 << 20 };
	static char buf[8192];
	pid_t producer, filter;
	size_t len = 0;
	int a[2], b[2];
	ssize_t n, i;

	CHECK_EQ(0, pipe(a));
	CHECK_EQ(0, pipe(b));
	producer = fork();
	if (!producer) {
		close(a[0]);
		close(b[0]);
		close(b[1]);
		while (len < TOTAL) {
			for (i = 0; i < 4096; i++)
				buf[i] = pattern(len + i);
			CHECK_EQ(4096, write(a[1], buf, 4096));
			len += 4096;
		}
		_exit(0);
	}
	filter = fork();
	if (!filter) {
		close(a[1]);
		close(b[0]);
		while ((n = read(a[0], buf, 777)) > 0) {
			for (i = 0; i < n; i++)
				buf[i] ^= 0x55;
			CHECK_EQ(n, write(b[1], buf, n));
		}
		CHECK_EQ(0, n);
		_exit(0);
	}
	close(a[0]);
	close(a[1]);
	close(b[1]);
	while (len < TOTAL / 3) {
		n = read(b[0], buf, sizeof(buf));
		CHECK(n > 0);
		for (i = 0; i < n; i++)
			CHECK_EQ((char)(pattern(len + i) ^ 0x55), buf[i]);
		len += n;
	}
	/* they go on until all is full, and then sleep in their calls */
	subject_point();
	while ((n = read(b[0], buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			CHECK_EQ((char)(pattern(len + i) ^ 0x55), buf[i]);
		len += n;
	}
	CHECK_EQ(0, n);
	CHECK_EQ(TOTAL, len);
	subject_join(producer);
	subject_join(filter);
}

/* Not told when: checkpointed in the middle of its work. */
SUBJECT(busy_pipeline)
{
	static char buf[8192];
	size_t len = 0, total;
	pid_t producer;
	ssize_t n, i;
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	producer = fork();
	if (!producer) {
		close(fds[0]);
		while (!subject_told("go") || len < 100000) {
			for (i = 0; i < 1000; i++)
				buf[i] = pattern(len + i);
			CHECK_EQ(1000, write(fds[1], buf, 1000));
			len += 1000;
		}
		subject_report("total", &len, sizeof(len));
		_exit(0);
	}
	close(fds[1]);
	subject_ready();
	while ((n = read(fds[0], buf, 337)) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != pattern(len + i))
				subject_fail(__FILE__, __LINE__,
					     "byte %zu is wrong", len + i);
		len += n;
	}
	CHECK_EQ(0, n);
	subject_join(producer);
	fds[0] = subject_open("total", O_RDONLY);
	CHECK_EQ(sizeof(total), read(fds[0], &total, sizeof(total)));
	CHECK_EQ(total, len);
}

/* ---- what splice(2) and its like put there ---- */

SUBJECT(spliced)
{
	static char buf[10000], mine[8192] __attribute__((aligned(4096)));
	struct iovec vec = { .iov_base = mine + 100, .iov_len = 6000 };
	int from_file[2], copied[2], from_memory[2], file;
	loff_t pos = 1000;

	fill(buf, sizeof(buf));
	memcpy(mine, buf, sizeof(mine));
	file = subject_open("f/file", O_CREAT | O_RDWR);
	CHECK_EQ(sizeof(buf), write(file, buf, sizeof(buf)));
	CHECK_EQ(0, pipe(from_file));
	CHECK_EQ(0, pipe(copied));
	CHECK_EQ(0, pipe(from_memory));
	/* some of three pages, of which some was read already */
	CHECK_EQ(9000, splice(file, &pos, from_file[1], NULL, 9000, 0));
	CHECK_EQ(9000, tee(from_file[0], copied[1], 9000, 0));
	expect_read(from_file[0], buf + 1000, 50);
	CHECK_EQ(6000, vmsplice(from_memory[1], &vec, 1, 0));
	subject_point();
	CHECK_EQ(8950, filled(from_file[0]));
	CHECK_EQ(9000, filled(copied[0]));
	CHECK_EQ(6000, filled(from_memory[0]));
	expect_read(from_file[0], buf + 1050, 8950);
	expect_read(copied[0], buf + 1000, 9000);
	expect_read(from_memory[0], buf + 100, 6000);
	/* what is written goes where it belongs, and not to the file */
	CHECK_EQ(5, write(from_file[1], "after", 5));
	expect_read(from_file[0], "after", 5);
	CHECK_EQ(sizeof(buf), pread(file, mine, sizeof(mine), 0) + 10000 - 8192);
	CHECK_MEM(buf, mine, sizeof(mine));
}

/* Room in a buffer is only after what was written, not where it was read. */
SUBJECT(no_room)
{
	int spliced[2], part_read[2], room[2], file;
	static char buf[4096];
	loff_t pos = 0;

	fill(buf, sizeof(buf));
	file = subject_open("f/file", O_CREAT | O_RDWR);
	CHECK_EQ(4096, write(file, buf, 4096));
	CHECK_EQ(0, pipe2(spliced, O_NONBLOCK));
	CHECK_EQ(0, pipe2(part_read, O_NONBLOCK));
	CHECK_EQ(0, pipe2(room, O_NONBLOCK));
	CHECK_EQ(4096, fcntl(spliced[0], F_SETPIPE_SZ, 4096));
	CHECK_EQ(4096, fcntl(part_read[0], F_SETPIPE_SZ, 4096));
	CHECK_EQ(4096, fcntl(room[0], F_SETPIPE_SZ, 4096));
	CHECK_EQ(10, splice(file, &pos, spliced[1], NULL, 10, 0));
	CHECK_EQ(4000, write(part_read[1], buf, 4000));
	expect_read(part_read[0], buf, 1000);
	CHECK_EQ(1000, write(room[1], buf, 1000));
	subject_point();
	CHECK_EQ(-1, write(spliced[1], buf, 1));
	CHECK_EQ(EAGAIN, errno);
	expect_read(spliced[0], buf, 10);
	CHECK_EQ(-1, write(part_read[1], buf, 97));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(96, write(part_read[1], buf, 96));
	expect_read(part_read[0], buf + 1000, 3000);
	expect_read(part_read[0], buf, 96);
	CHECK_EQ(3096, write(room[1], buf + 1000, 3096));
	expect_read(room[0], buf, 4096);
}

/* A socket may have more than a page in one piece. */
SUBJECT(large_piece)
{
	static char buf[30000];
	int s[2], fds[2];

	fill(buf, sizeof(buf));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(30000, write(s[0], buf, 30000));
	CHECK(splice(s[1], NULL, fds[1], NULL, 30000, 0) > 4096);
	close(s[0]);
	close(s[1]);
	subject_point();
	expect_read(fds[0], buf, filled(fds[0]));
}

/* ---- external ---- */

SUBJECT(external_writer)
{
	CHECK_EQ(6, write(SUBJECT_FD, "before", 6));
	subject_point();
	CHECK_EQ(5, write(SUBJECT_FD, "after", 5));
	CHECK_EQ(O_WRONLY, fcntl(SUBJECT_FD, F_GETFL) & O_ACCMODE);
}

SUBJECT(external_reader)
{
	char buf[16];

	expect_read(SUBJECT_FD, "before", 6);
	subject_point();
	expect_read(SUBJECT_FD, "after", 5);
	CHECK_EQ(0, read(SUBJECT_FD, buf, sizeof(buf)));
}

SUBJECT(external_unread)
{
	subject_point();
	expect_read(SUBJECT_FD, "unread", 6);
}

/* Two of the target's tasks have an external one, and share its description. */
SUBJECT(external_shared)
{
	pid_t pid = fork();
	int fd;

	CHECK(pid >= 0);
	if (!pid) {
		subject_wait("go");
		CHECK_EQ(5, write(SUBJECT_FD, "child", 5));
		_exit(0);
	}
	fd = dup(SUBJECT_FD);
	subject_point();
	subject_join(pid);
	CHECK_EQ(6, write(fd, "parent", 6));
	CHECK_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_EQ(O_NONBLOCK, fcntl(SUBJECT_FD, F_GETFL) & O_NONBLOCK);
}

CKPT_FIXTURE_HOW(pipes);
CKPT_VARIANTS(pipes);

CKPT_ROUNDTRIP(pipes, contents);
CKPT_ROUNDTRIP(pipes, empty);
CKPT_ROUNDTRIP(pipes, full);
CKPT_ROUNDTRIP(pipes, capacity);
CKPT_ROUNDTRIP(pipes, packets);
CKPT_ROUNDTRIP(pipes, half_closed);
CKPT_ROUNDTRIP(pipes, descriptions);
CKPT_ROUNDTRIP(pipes, pipeline);
CKPT_ROUNDTRIP(pipes, spliced);
CKPT_ROUNDTRIP(pipes, no_room);

CKPT_FIXTURE_HOW(pipes_other);
CKPT_VARIANTS_OTHER(pipes_other);

CKPT_ROUNDTRIP(pipes_other, busy_pipeline);

CKPT_FIXTURE(external);

TEST_F_TIMEOUT(external, large_piece, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("large_piece", "more than a page", NULL));
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

static void pipe_key(struct restart_inherit *inherit, int old, int fd)
{
	struct stat st;

	memset(inherit, 0, sizeof(*inherit));
	fstat(old, &st);
	snprintf(inherit->key, sizeof(inherit->key), "pipe:[%lu]",
		 (unsigned long)st.st_ino);
	inherit->fd = fd;
}

/* The writer is in the target. By which name the new pipe is handed in: */
static void writer(struct __test_metadata *_metadata, bool by_fd)
{
	struct restart_inherit inherit;
	int old[2], new[2];
	struct ckpt_run run;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe2(old, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = old[1];
	ASSERT_EQ(0, ckpt_start(&run, "external_writer"));
	pid = run.pid;
	ASSERT_EQ(0, read_exactly(old[0], "before"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;

	/* not handed in: refused, and the log says what is missing */
	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "pipe:[")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));

	pipe_key(&inherit, old[1], new[1]);
	if (by_fd)
		sprintf(inherit.key, "fd[%d]", SUBJECT_FD);
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	close(new[1]);
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, read_exactly(new[0], "after"));
	/* nobody else has the writing end */
	EXPECT_EQ(0, read(new[0], &c, 1));
	close(new[0]);
	close(old[0]);
	close(old[1]);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(external, writer_by_inode, CKPT_TIMEOUT)
{
	writer(_metadata, false);
}

TEST_F_TIMEOUT(external, writer_by_fd, CKPT_TIMEOUT)
{
	writer(_metadata, true);
}

/* A descriptor of the wrong direction is not accepted in its place. */
TEST_F_TIMEOUT(external, wrong_direction, CKPT_TIMEOUT)
{
	struct restart_inherit inherit;
	struct ckpt_run run;
	int old[2], new[2];

	ASSERT_EQ(0, pipe2(old, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = old[1];
	ASSERT_EQ(0, ckpt_start(&run, "external_writer"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	pipe_key(&inherit, old[1], new[0]);
	run.inherit = &inherit;
	run.nr_inherit = 1;
	EXPECT_GT(0, ckpt_restart(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(external, reader, CKPT_TIMEOUT)
{
	struct restart_inherit inherit;
	struct ckpt_run run;
	int old[2], new[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(old, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ASSERT_EQ(6, write(old[1], "before", 6));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = old[0];
	ASSERT_EQ(0, ckpt_start(&run, "external_reader"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(5, write(new[1], "after", 5));
	close(new[1]);
	pipe_key(&inherit, old[0], new[0]);
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* What is in the pipe would be lost with the pipe. */
TEST_F_TIMEOUT(external, unread_data, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fds[2], fd;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(6, write(fds[1], "unread", 6));
	ckpt_init(&run, NULL);
	run.extra_fd = fds[0];
	ASSERT_EQ(0, ckpt_start(&run, "external_unread"));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, "pipe")) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "fd 10")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(external, shared, CKPT_TIMEOUT)
{
	struct restart_inherit inherit;
	struct ckpt_run run;
	int old[2], new[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(old, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ckpt_init(&run, &(struct ckpt_how) {
		.target = CKPT_CGROUP, .kill = true, .pipe = true
	});
	run.extra_fd = old[1];
	ASSERT_EQ(0, ckpt_start(&run, "external_shared"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	pipe_key(&inherit, old[1], new[1]);
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	close(new[1]);
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, read_exactly(new[0], "childparent"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
