// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: pseudo terminals with both sides in the target, and the
 * sessions that they control.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef TIOCPKT_IOCTL
#define TIOCPKT_IOCTL	64
#endif

/* As the kernel has it; <asm/termbits.h> does not go with <termios.h>. */
struct raw_termios {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[19];
	uint32_t ispeed, ospeed;
};

#define RAW_TCGETS2	_IOR('T', 0x2A, struct raw_termios)
#define RAW_TCSETS2	_IOW('T', 0x2B, struct raw_termios)

static int open_pair(int *master)
{
	int slave;

	CHECK_EQ(0, openpty(master, &slave, NULL, NULL, NULL));
	return slave;
}

/* fork(), and note the child where it will not write to. */
static pid_t fork_to(pid_t *where)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		*where = pid;
	return pid;
}

static void set_lflag(int fd, tcflag_t clear, tcflag_t set)
{
	struct termios tio;

	CHECK_EQ(0, tcgetattr(fd, &tio));
	tio.c_lflag = (tio.c_lflag & ~clear) | set;
	CHECK_EQ(0, tcsetattr(fd, TCSANOW, &tio));
}

static void make_raw(int fd)
{
	struct termios tio;

	CHECK_EQ(0, tcgetattr(fd, &tio));
	cfmakeraw(&tio);
	CHECK_EQ(0, tcsetattr(fd, TCSANOW, &tio));
}

static void put(int fd, const char *text)
{
	CHECK_EQ(strlen(text), write(fd, text, strlen(text)));
}

static int pending(int fd)
{
	int n = -1;

	CHECK_EQ(0, ioctl(fd, FIONREAD, &n));
	return n;
}

/* Wait until there is as much to be read. */
static void await(int fd, int n)
{
	int i;

	for (i = 0; i < 1000 && pending(fd) < n; i++)
		ckpt_sleep_ms(5);
	CHECK_EQ(n, pending(fd));
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Read that, all of it. */
static void expect(int fd, const char *want, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[1 << 16];
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		if (poll(&p, 1, 20000) != 1)
			break;
		n = read(fd, buf + have, len - have);
		if (n <= 0)
			break;
		have += n;
	}
	if (have != len || memcmp(buf, want, len))
		subject_fail(__FILE__, __LINE__, "fd %d gave %zu bytes \"%.*s\", not %zu \"%.*s\"",
			     fd, have, (int)have, buf, len, (int)len, want);
}

static void expect_text(int fd, const char *want)
{
	expect(fd, want, strlen(want));
}

static void expect_nothing(int fd)
{
	char c;
	int flags = fcntl(fd, F_GETFL);

	ckpt_sleep_ms(20);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	CHECK_EQ(-1, read(fd, &c, 1));
	CHECK_EQ(EAGAIN, errno);
	fcntl(fd, F_SETFL, flags);
}

/* One line, as read() gives it at once. */
static void expect_line(int fd, const char *want)
{
	char buf[256];

	CHECK_EQ(strlen(want), read(fd, buf, sizeof(buf)));
	CHECK_MEM(want, buf, strlen(want));
}

static void name_of(int fd, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, size - 1);
	CHECK(n > 0);
	buf[n] = 0;
}

/* ---- the pair ---- */

/* Number, names, owner, who can open it, and what is under way. */
SUBJECT(pair)
{
	struct stat before, after, before_m, after_m;
	char name[64], other[64];
	int first, master, slave, second, ro, n = -1;

	/* a number that is not the first one that is free */
	first = posix_openpt(O_RDWR | O_NOCTTY);
	slave = open_pair(&master);
	make_raw(slave);
	CHECK_EQ(0, close(first));
	CHECK_EQ(0, fchown(slave, 12, 34));
	CHECK_EQ(0, fchmod(slave, 0641));
	CHECK_EQ(0, ptsname_r(master, name, sizeof(name)));
	second = open(name, O_WRONLY | O_NOCTTY | O_APPEND | O_CLOEXEC);
	ro = open(name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	CHECK(second >= 0 && ro >= 0);
	CHECK_EQ(0, fstat(slave, &before));
	CHECK_EQ(0, fstat(master, &before_m));
	put(master, "to the slave");
	put(slave, "to the master");
	await(slave, 12);
	await(master, 13);
	subject_point();
	CHECK_EQ(0, ioctl(master, TIOCGPTN, &n));
	CHECK_EQ(0, ptsname_r(master, other, sizeof(other)));
	CHECK_EQ(0, strcmp(name, other));
	name_of(slave, other, sizeof(other));
	CHECK_EQ(0, strcmp(name, other));
	name_of(master, other, sizeof(other));
	CHECK(strstr(other, "ptmx"));
	CHECK_EQ(0, fstat(slave, &after));
	CHECK_EQ(before.st_rdev, after.st_rdev);
	CHECK_EQ(12, after.st_uid);
	CHECK_EQ(34, after.st_gid);
	CHECK_EQ(S_IFCHR | 0641, after.st_mode);
	CHECK_EQ(before.st_ino, after.st_ino);
	CHECK_EQ(0, fstat(master, &after_m));
	CHECK_EQ(before_m.st_rdev, after_m.st_rdev);
	CHECK_EQ(before_m.st_ino, after_m.st_ino);
	CHECK_EQ(O_RDWR, fcntl(slave, F_GETFL) & ~O_LARGEFILE & ~0100000);
	CHECK_EQ(O_WRONLY | O_APPEND, fcntl(second, F_GETFL) & ~0100000);
	CHECK_EQ(FD_CLOEXEC, fcntl(second, F_GETFD));
	CHECK_EQ(O_RDONLY | O_NONBLOCK, fcntl(ro, F_GETFL) & ~0100000);
	CHECK_EQ(12, pending(slave));
	CHECK_EQ(13, pending(master));
	expect_text(ro, "to the slave");
	expect_text(master, "to the master");
	put(second, "more");
	expect_text(master, "more");
	put(master, "back");
	expect_text(slave, "back");
	expect_nothing(slave);
	expect_nothing(master);
	/* a new one opens it as well */
	n = open(name, O_RDWR | O_NOCTTY);
	CHECK(n >= 0);
	put(n, "new");
	expect_text(master, "new");
}

/* Descriptors of several tasks, dup()ed and by TIOCGPTPEER. */
SUBJECT(shared)
{
	int master, slave, peer, copy;
	pid_t pid;

	slave = open_pair(&master);
	make_raw(slave);
	peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	copy = dup(master);
	CHECK(peer >= 0 && copy >= 0);
	pid = fork();
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		expect_text(slave, "x");
		put(peer, "y");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), getpid(), 0, master, copy));
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), pid, 0, master, copy));
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), pid, 0, peer, peer));
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, slave, peer) > 0);
	put(copy, "x");
	expect_text(master, "y");
	subject_join(pid);
}

/* Each member of the settings, and the size of the window. */
SUBJECT(settings)
{
	struct winsize ws = { 12, 345, 678, 9 }, seen_ws;
	struct raw_termios t = {}, seen = {};
	int master, slave, i;

	slave = open_pair(&master);
	CHECK_EQ(0, ioctl(slave, RAW_TCGETS2, &t));
	t.iflag = BRKINT | IGNPAR | ICRNL | IXANY | IUTF8 | IMAXBEL;
	t.oflag = OPOST | ONLCR | XTABS;
	t.cflag = (t.cflag & ~(CBAUD | 017)) | 0010000 | HUPCL | CLOCAL;
	t.lflag = ICANON | ECHO | ECHOE | NOFLSH | TOSTOP | IEXTEN;
	for (i = 0; i < 19; i++)
		t.cc[i] = 0x81 + i;
	t.ispeed = 12345;
	t.ospeed = 12345;
	CHECK_EQ(0, ioctl(slave, RAW_TCSETS2, &t));
	CHECK_EQ(0, ioctl(slave, RAW_TCGETS2, &t));
	CHECK_EQ(12345, t.ospeed);
	CHECK_EQ(0, ioctl(master, TIOCSWINSZ, &ws));
	subject_point();
	CHECK_EQ(0, ioctl(slave, RAW_TCGETS2, &seen));
	CHECK_MEM(&t, &seen, sizeof(t));
	memset(&seen, 0, sizeof(seen));
	CHECK_EQ(0, ioctl(master, RAW_TCGETS2, &seen));
	CHECK_MEM(&t, &seen, sizeof(t));
	CHECK_EQ(0, ioctl(slave, TIOCGWINSZ, &seen_ws));
	CHECK_MEM(&ws, &seen_ws, sizeof(ws));
	CHECK_EQ(0, ioctl(master, TIOCGWINSZ, &seen_ws));
	CHECK_MEM(&ws, &seen_ws, sizeof(ws));
}

#define RAW_TIOCGLCKTRMIOS	0x5456
#define RAW_TIOCSLCKTRMIOS	0x5457

/* What nobody shall change: TIOCSLCKTRMIOS. */
SUBJECT(settings_locked)
{
	struct raw_termios lock = {}, seen = {}, t;
	int master, slave;

	slave = open_pair(&master);
	lock.lflag = ECHO;
	lock.cc[VINTR] = 1;
	CHECK_EQ(0, ioctl(slave, RAW_TIOCSLCKTRMIOS, &lock));
	subject_point();
	CHECK_EQ(0, ioctl(slave, RAW_TIOCGLCKTRMIOS, &seen));
	CHECK_EQ(ECHO, seen.lflag);
	CHECK_EQ(0, seen.iflag | seen.oflag | seen.cflag);
	CHECK_EQ(1, seen.cc[VINTR]);
	CHECK_EQ(0, seen.cc[VQUIT]);
	CHECK_EQ(0, ioctl(slave, RAW_TCGETS2, &t));
	t.lflag &= ~(ECHO | ISIG);
	CHECK_EQ(0, ioctl(slave, RAW_TCSETS2, &t));
	CHECK_EQ(0, ioctl(slave, RAW_TCGETS2, &t));
	CHECK_EQ(ECHO, t.lflag & (ECHO | ISIG));
}

/* TIOCSPTLCK, TIOCEXCL, as the ioctls tell them, and as open() does. */
SUBJECT(locks)
{
	int locked, slave, master, value = 1;
	char name[64];

	locked = posix_openpt(O_RDWR | O_NOCTTY);
	slave = open_pair(&master);
	CHECK_EQ(0, ioctl(slave, TIOCEXCL));
	subject_point();
	value = -1;
	CHECK_EQ(0, ioctl(locked, TIOCGPTLCK, &value));
	CHECK_EQ(1, value);
	CHECK_EQ(0, ptsname_r(locked, name, sizeof(name)));
	CHECK_EQ(-1, open(name, O_RDWR | O_NOCTTY));
	CHECK_EQ(EIO, errno);
	CHECK_EQ(0, unlockpt(locked));
	CHECK(open(name, O_RDWR | O_NOCTTY) >= 0);
	CHECK_EQ(0, ioctl(master, TIOCGPTLCK, &value));
	CHECK_EQ(0, value);
	CHECK_EQ(0, ioctl(slave, TIOCGEXCL, &value));
	CHECK_EQ(1, value);
	CHECK_EQ(0, ioctl(master, TIOCGEXCL, &value));
	CHECK_EQ(0, value);
}

/* ---- what was typed and written ---- */

/* What a person types, before and after; what all of it looks like. */
static void type_first(int master)
{
	put(master, "one\ntwo\nthr\x7f\x7f\x04" "four\x16\x04\n");
	/* a line that is not whole yet: words, a tab, a literal ^C */
	put(master, "five six\tseven\x16\x03\x17");
}

static void type_rest(int master)
{
	put(master, "\x7f\x7f\x7f" "7\x7f\x7f\x08" "eight\x12 nine\n");
}

static void read_lines(int slave)
{
	char buf[4];

	/* in pieces, and to the end of one that has no newline */
	CHECK_EQ(2, read(slave, buf, 2));
	CHECK_MEM("on", buf, 2);
}

static void read_rest(int slave, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n;

	do {
		n = read(slave, buf + have, size - have - 2);
		CHECK(n > 0);
		have += n;
		/* where one read() ends is part of it */
		buf[have++] = '|';
		buf[have] = 0;
	} while (!strstr(buf, "nine\n|"));
}

static size_t read_all(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	ssize_t n;

	while (poll(&p, 1, 100) == 1 && p.revents & POLLIN) {
		n = read(fd, buf + have, size - have - 1);
		if (n <= 0)
			break;
		have += n;
	}
	buf[have] = 0;
	return have;
}

SUBJECT(lines)
{
	static char lines[1024], want[1024], echo[4096], want_echo[4096];
	int master, slave, other_master, other_slave;
	size_t n;

	slave = open_pair(&master);
	put(slave, "prompt> ");
	expect_text(master, "prompt> ");
	type_first(master);
	await(slave, 15);
	read_lines(slave);
	subject_point();
	/* the same without a checkpoint */
	other_slave = open_pair(&other_master);
	put(other_slave, "prompt> ");
	expect_text(other_master, "prompt> ");
	type_first(other_master);
	await(other_slave, 15);
	read_lines(other_slave);
	CHECK_EQ(pending(other_slave), pending(slave));

	type_rest(master);
	type_rest(other_master);
	read_rest(slave, lines, sizeof(lines));
	read_rest(other_slave, want, sizeof(want));
	if (strcmp(lines, want))
		subject_fail(__FILE__, __LINE__, "lines are \"%s\", not \"%s\"", lines, want);
	CHECK(!strncmp(lines, "e\n|two\n|t|four\x04\n|", 17));
	n = read_all(other_master, want_echo, sizeof(want_echo));
	CHECK(n > 20);
	CHECK_EQ(n, read_all(master, echo, sizeof(echo)));
	CHECK_MEM(want_echo, echo, n);
}

/* ^D on an empty line is an end of file; and after ^V comes a literal one. */
SUBJECT(end_of_file)
{
	int master, slave, m2, s2;
	char c[8];

	slave = open_pair(&master);
	s2 = open_pair(&m2);
	put(master, "\x04");
	put(m2, "ab\x16");
	ckpt_sleep_ms(50);
	CHECK_EQ(POLLIN | POLLOUT, polled(slave));
	CHECK_EQ(POLLOUT, polled(s2));
	subject_point();
	CHECK_EQ(POLLIN | POLLOUT, polled(slave));
	CHECK_EQ(0, read(slave, c, sizeof(c)));
	expect_nothing(slave);
	put(master, "x\n");
	expect_line(slave, "x\n");
	put(m2, "\x03\n");
	expect_line(s2, "ab\x03\n");
}

/* ICANON was switched over what was there. */
SUBJECT(switched)
{
	int master, slave, m2, s2;

	/* typed raw, read as a line without an end */
	slave = open_pair(&master);
	set_lflag(slave, ICANON | ECHO, 0);
	put(master, "raw");
	await(slave, 3);
	set_lflag(slave, 0, ICANON);
	put(master, "line\n");
	/* typed as half a line, read raw */
	s2 = open_pair(&m2);
	set_lflag(s2, ECHO, 0);
	put(m2, "half");
	ckpt_sleep_ms(50);
	set_lflag(s2, ICANON, 0);
	await(s2, 4);
	subject_point();
	expect_line(slave, "raw");
	expect_line(slave, "line\n");
	CHECK_EQ(4, pending(s2));
	expect_text(s2, "half");
}

static void fill(int fd, char first, size_t *total)
{
	char c = first;
	int idle = 0;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*total = 0;
	while (idle < 10) {
		ssize_t n = write(fd, &c, 1);

		if (n == 1) {
			++*total;
			c = first + *total % 23;
			idle = 0;
		} else {
			CHECK_EQ(EAGAIN, errno);
			ckpt_sleep_ms(10);
			idle++;
		}
	}
}

static void drain(int fd, char first, size_t total)
{
	static char buf[1 << 16];
	size_t i;

	CHECK(total < sizeof(buf));
	for (i = 0; i < total; i++)
		buf[i] = first + i % 23;
	expect(fd, buf, total);
}

/* Full to the brim, both ways: more than a line discipline holds. */
SUBJECT(full)
{
	size_t down, up;
	int master, slave;

	slave = open_pair(&master);
	make_raw(slave);
	fill(master, 'a', &down);
	fill(slave, 'A', &up);
	CHECK(down > 4096 && up > 4096);
	CHECK_EQ(POLLIN, polled(slave));
	CHECK_EQ(POLLIN, polled(master));
	subject_point();
	drain(slave, 'a', down);
	drain(master, 'A', up);
	expect_nothing(slave);
	expect_nothing(master);
	CHECK_EQ(POLLOUT, polled(slave));
	put(slave, "go on");
	expect_text(master, "go on");
}

/* Who waits goes on waiting: for input on both sides, and for room. */
SUBJECT(blocked)
{
	int master, slave, m2, s2;
	pid_t below, above, writer;
	static char big[30000];

	slave = open_pair(&master);
	s2 = open_pair(&m2);
	set_lflag(slave, ECHO, 0);
	make_raw(s2);
	memset(big, 'w', sizeof(big));
	below = fork();
	if (!below) {
		expect_line(slave, "hello\n");
		_exit(0);
	}
	above = fork();
	if (!above) {
		expect_text(master, "up");
		_exit(0);
	}
	writer = fork();
	if (!writer) {
		size_t done = 0;

		while (done < sizeof(big)) {
			ssize_t n = write(s2, big + done, sizeof(big) - done);

			CHECK(n > 0);
			done += n;
		}
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(below, 'S'));
	CHECK_EQ(0, ckpt_wait_state(above, 'S'));
	CHECK_EQ(0, ckpt_wait_state(writer, 'S'));
	subject_point();
	CHECK_EQ(0, waitpid(-1, NULL, WNOHANG));
	put(master, "hello\n");
	subject_join(below);
	put(slave, "up");
	subject_join(above);
	expect(m2, big, sizeof(big));
	subject_join(writer);
}

/* Stopped by TCOOFF, by ^S, and by a ^S that waits behind a full buffer. */
SUBJECT(stopped)
{
	int m[3], s[3], i;
	size_t total;

	for (i = 0; i < 3; i++) {
		s[i] = open_pair(&m[i]);
		set_lflag(s[i], ECHO | ICANON, 0);
	}
	CHECK_EQ(0, tcflow(s[0], TCOOFF));
	put(m[1], "\x13");
	fill(m[2], 'a', &total);
	fcntl(m[2], F_SETFL, 0);
	/* there is room for it, in the end */
	drain(s[2], 'a', 1500);
	ckpt_sleep_ms(50);
	CHECK_EQ(1, write(m[2], "\x13", 1));
	ckpt_sleep_ms(50);
	for (i = 0; i < 3; i++) {
		fcntl(s[i], F_SETFL, O_RDWR | O_NONBLOCK);
		CHECK_EQ(-1, write(s[i], "x", 1));
		CHECK_EQ(EAGAIN, errno);
	}
	/* told by other means: what was seen must not be seen again */
	CHECK_EQ(0, tcflow(s[2], TCOOFF));
	CHECK_EQ(0, tcflow(s[2], TCOON));
	CHECK_EQ(1, write(s[2], "x", 1));
	subject_point();
	CHECK_EQ(-1, write(s[0], "x", 1));
	CHECK_EQ(EAGAIN, errno);
	/* ^Q is nothing against TCOOFF */
	put(m[0], "\x11");
	ckpt_sleep_ms(50);
	CHECK_EQ(-1, write(s[0], "x", 1));
	CHECK_EQ(0, tcflow(s[0], TCOON));
	CHECK_EQ(1, write(s[0], "x", 1));
	expect_text(m[0], "x");
	CHECK_EQ(-1, write(s[1], "x", 1));
	put(m[1], "\x11");
	for (i = 0; i < 200 && write(s[1], "x", 1) != 1; i++)
		ckpt_sleep_ms(10);
	expect_text(m[1], "x");
	expect_text(m[2], "x");
	CHECK_EQ(1, write(s[2], "y", 1));
	expect_text(m[2], "y");
	expect_nothing(s[0]);
}

/* The state of the master: packet mode and what it has to tell. */
SUBJECT(packet)
{
	int on = 1, master, slave, m2, s2;
	char buf[16];

	slave = open_pair(&master);
	make_raw(slave);
	s2 = open_pair(&m2);
	CHECK_EQ(0, ioctl(master, TIOCPKT, &on));
	CHECK_EQ(0, tcflow(slave, TCOOFF));
	CHECK_EQ(0, tcflush(slave, TCIFLUSH));
	CHECK_EQ(POLLPRI, polled(master) & POLLPRI);
	CHECK_EQ(0, ioctl(m2, TIOCPKT, &on));
	put(s2, "data");
	subject_point();
	on = 0;
	CHECK_EQ(0, ioctl(master, TIOCGPKT, &on));
	CHECK_EQ(1, on);
	CHECK_EQ(POLLPRI, polled(master) & POLLPRI);
	CHECK_EQ(1, read(master, buf, sizeof(buf)));
	CHECK_EQ(TIOCPKT_STOP | TIOCPKT_FLUSHREAD, buf[0]);
	CHECK_EQ(0, polled(master) & POLLPRI);
	CHECK_EQ(0, tcflow(slave, TCOON));
	CHECK_EQ(1, read(master, buf, sizeof(buf)));
	CHECK_EQ(TIOCPKT_START, buf[0]);
	CHECK_EQ(5, read(m2, buf, sizeof(buf)));
	CHECK_MEM("\0data", buf, 5);
}

/* Echoes that have no room, as the output is stopped. */
SUBJECT(echo_waits)
{
	int master, slave;

	slave = open_pair(&master);
	CHECK_EQ(0, tcflow(slave, TCOOFF));
	put(master, "hi\x01\tthere\n");
	await(slave, 10);
	expect_nothing(master);
	subject_point();
	expect_nothing(master);
	expect_line(slave, "hi\x01\tthere\n");
	CHECK_EQ(0, tcflow(slave, TCOON));
	put(slave, "out");
	expect_text(master, "hi^A\tthere\r\nout");
}

/* ---- one side is closed ---- */

SUBJECT(slave_closed)
{
	int closed, never, slave, ptn = -1;
	char name[64], buf[8];

	slave = open_pair(&closed);
	make_raw(slave);
	put(slave, "last");
	await(closed, 4);
	CHECK_EQ(0, close(slave));
	never = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK_EQ(0, unlockpt(never));
	put(never, "early\n");
	subject_point();
	CHECK_EQ(POLLIN | POLLOUT | POLLHUP, polled(closed));
	expect_text(closed, "last");
	CHECK_EQ(-1, read(closed, buf, sizeof(buf)));
	CHECK_EQ(EIO, errno);
	CHECK(polled(closed) & POLLHUP);
	/* and is opened again */
	CHECK_EQ(0, ptsname_r(closed, name, sizeof(name)));
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	CHECK_EQ(0, polled(closed) & POLLHUP);
	put(slave, "next");
	expect_text(closed, "next");

	CHECK_EQ(0, polled(never) & POLLHUP);
	/* of what was typed ahead the echo is there */
	expect_text(never, "early\r\n");
	expect_nothing(never);
	CHECK_EQ(0, ioctl(never, TIOCGPTN, &ptn));
	slave = ioctl(never, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	expect_line(slave, "early\n");
}

static void check_dead(int fd)
{
	struct termios tio;
	char c;

	CHECK_EQ(0, read(fd, &c, 1));
	CHECK_EQ(-1, write(fd, "x", 1));
	CHECK_EQ(EIO, errno);
	CHECK_EQ(-1, tcgetattr(fd, &tio));
	CHECK_EQ(EIO, errno);
	CHECK_EQ(POLLIN | POLLOUT | POLLERR | POLLHUP,
		 polled(fd) & (POLLIN | POLLOUT | POLLERR | POLLHUP));
}

/* Nothing is left but descriptors, as of a job whose window was closed. */
SUBJECT(master_closed)
{
	struct stat before, after;
	int master, slave, other, copy;
	char name[64], was[64], is[64];

	slave = open_pair(&master);
	CHECK_EQ(0, ptsname_r(master, name, sizeof(name)));
	other = open(name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	copy = dup(slave);
	CHECK(other >= 0 && copy >= 0);
	CHECK_EQ(0, fchmod(slave, 0604));
	CHECK_EQ(0, close(master));
	check_dead(slave);
	CHECK_EQ(0, fstat(slave, &before));
	name_of(slave, was, sizeof(was));
	subject_point();
	check_dead(slave);
	check_dead(copy);
	CHECK_EQ(O_RDONLY | O_NONBLOCK, fcntl(other, F_GETFL) & ~0100000);
	CHECK_EQ(0, fstat(slave, &after));
	CHECK_EQ(before.st_rdev, after.st_rdev);
	CHECK_EQ(before.st_mode, after.st_mode);
	CHECK_EQ(0, after.st_nlink);
	name_of(slave, is, sizeof(is));
	CHECK_EQ(0, strcmp(was, is));
	CHECK(access(name, F_OK));
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), getpid(), 0, slave, copy));
	CHECK_EQ(0, close(slave));
	CHECK_EQ(0, close(copy));
	CHECK_EQ(0, close(other));
	/* the number is free again */
	CHECK(open_pair(&master) >= 0);
}

/* ---- instances of devpts ---- */

/*
 * Two of them, beside the usual one: one whose ptmx is beside the mount, as it
 * is in /dev, and one whose ptmx is that in the mount.
 */
static const char * const instances[2][2] = {
	{ "f/beside/ptmx", "f/beside/pts" },
	{ "f/inside/ptmx", "f/inside" },
};

static void mount_instances(void)
{
	CHECK_EQ(0, mkdir(subject_path("f/beside"), 0755));
	/* for a device node, which /tmp may not have */
	CHECK_EQ(0, mount("none", subject_path("f/beside"), "tmpfs", 0, "mode=755"));
	CHECK_EQ(0, mkdir(subject_path("f/beside/pts"), 0755));
	CHECK_EQ(0, mknod(subject_path("f/beside/ptmx"), S_IFCHR | 0666, makedev(5, 2)));
	CHECK_EQ(0, chmod(subject_path("f/beside/ptmx"), 0666));
	CHECK_EQ(0, mkdir(subject_path("f/inside"), 0755));
	CHECK_EQ(0, mount("none", subject_path("f/beside/pts"), "devpts", 0,
			  "mode=620,gid=5"));
	CHECK_EQ(0, mount("none", subject_path("f/inside"), "devpts", 0,
			  "mode=600,ptmxmode=666"));
}

static int open_in(int i, int *master)
{
	int zero = 0, nr = -1, slave;
	char name[64];

	*master = subject_open(instances[i][0], O_RDWR | O_NOCTTY);
	CHECK(*master >= 0);
	CHECK_EQ(0, ioctl(*master, TIOCSPTLCK, &zero));
	CHECK_EQ(0, ioctl(*master, TIOCGPTN, &nr));
	snprintf(name, sizeof(name), "%s/%d", instances[i][1], nr);
	slave = subject_open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	return slave;
}

/* By path, as there are slaves of that number elsewhere. */
static void check_number(int i, int master, int slave, int nr)
{
	char name[64], seen[PATH_MAX];
	struct stat st, by_name;
	int n = -1;

	CHECK_EQ(0, ioctl(master, TIOCGPTN, &n));
	CHECK_EQ(nr, n);
	name_of(master, seen, sizeof(seen));
	CHECK(!strcmp(subject_path(instances[i][0]), seen));
	snprintf(name, sizeof(name), "%s/%d", instances[i][1], nr);
	name_of(slave, seen, sizeof(seen));
	CHECK(!strcmp(subject_path(name), seen));
	CHECK_EQ(0, fstat(slave, &st));
	CHECK_EQ(0, stat(subject_path(name), &by_name));
	CHECK_EQ(st.st_dev, by_name.st_dev);
	CHECK_EQ(st.st_ino, by_name.st_ino);
	CHECK_EQ(i ? 0 : 5, st.st_gid);
	CHECK_EQ(S_IFCHR | (i ? 0600 : 0620), st.st_mode);
}

SUBJECT(instances)
{
	int master[2][2], slave[2][2], i, k;
	struct stat was[2][2], is;
	char text[16];

	mount_instances();
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++) {
			slave[i][k] = open_in(i, &master[i][k]);
			make_raw(slave[i][k]);
			check_number(i, master[i][k], slave[i][k], k);
			CHECK_EQ(0, fstat(slave[i][k], &was[i][k]));
			snprintf(text, sizeof(text), "to %d of %d", k, i);
			put(master[i][k], text);
			await(slave[i][k], strlen(text));
		}
	}
	CHECK(was[0][0].st_dev != was[1][0].st_dev);
	subject_point();
	for (i = 0; i < 2; i++) {
		for (k = 0; k < 2; k++) {
			check_number(i, master[i][k], slave[i][k], k);
			CHECK_EQ(0, fstat(slave[i][k], &is));
			CHECK_EQ(was[i][k].st_dev, is.st_dev);
			CHECK_EQ(was[i][k].st_ino, is.st_ino);
			CHECK_EQ(was[i][k].st_rdev, is.st_rdev);
			snprintf(text, sizeof(text), "to %d of %d", k, i);
			expect_text(slave[i][k], text);
			put(slave[i][k], text);
			expect_text(master[i][k], text);
			expect_nothing(slave[i][k]);
		}
	}
}

/* The master of one of them was closed: nothing but its number is left. */
static void dead_instance(int i)
{
	int master, slave, alive, dead;
	struct stat was, is;
	char name[PATH_MAX], seen[PATH_MAX], other[64];

	mount_instances();
	/* a number that is not the first */
	slave = open_in(i, &alive);
	dead = open_in(i, &master);
	CHECK_EQ(0, fchmod(dead, 0604));
	CHECK_EQ(0, close(master));
	check_dead(dead);
	CHECK_EQ(0, fstat(dead, &was));
	name_of(dead, name, sizeof(name));
	subject_point();
	check_dead(dead);
	check_number(i, alive, slave, 0);
	name_of(dead, seen, sizeof(seen));
	CHECK(!strcmp(name, seen));
	CHECK_EQ(0, fstat(dead, &is));
	CHECK_EQ(was.st_dev, is.st_dev);
	CHECK_EQ(was.st_rdev, is.st_rdev);
	CHECK_EQ(S_IFCHR | 0604, is.st_mode);
	CHECK_EQ(0, is.st_nlink);
	snprintf(other, sizeof(other), "%s/1", instances[i][1]);
	CHECK_EQ(-1, access(subject_path(other), F_OK));
	/* the number is free again */
	CHECK_EQ(0, close(dead));
	dead = open_in(i, &master);
	check_number(i, master, dead, 1);
}

SUBJECT(dead_beside)
{
	dead_instance(0);
}

SUBJECT(dead_inside)
{
	dead_instance(1);
}

/* vhangup(2), while the master is open; one slave was opened since. */
SUBJECT(hung_up)
{
	int m[2], s[2], again, i, status;
	char name[64];
	pid_t pid;

	for (i = 0; i < 2; i++) {
		s[i] = open_pair(&m[i]);
		pid = fork();
		if (!pid) {
			signal(SIGHUP, SIG_IGN);
			setsid();
			CHECK_EQ(0, ioctl(s[i], TIOCSCTTY, 0));
			CHECK_EQ(0, vhangup());
			_exit(0);
		}
		CHECK_EQ(pid, waitpid(pid, &status, 0));
		CHECK_EQ(0, status);
		check_dead(s[i]);
	}
	CHECK_EQ(0, ptsname_r(m[1], name, sizeof(name)));
	again = open(name, O_RDWR | O_NOCTTY);
	CHECK(again >= 0);
	make_raw(again);
	put(again, "alive");
	await(m[1], 5);
	subject_point();
	check_dead(s[0]);
	check_dead(s[1]);
	expect_text(m[1], "alive");
	put(m[1], "yes");
	expect_text(again, "yes");
	/* a first one that is opened after that */
	CHECK_EQ(0, ptsname_r(m[0], name, sizeof(name)));
	again = open(name, O_RDWR | O_NOCTTY);
	CHECK(again >= 0);
	put(m[0], "first\n");
	expect_line(again, "first\n");
	check_dead(s[0]);
}

/* ---- sessions ---- */

/*
 * What is told after the checkpoint is told in f/. The original, if it goes on,
 * leaves nothing of that for who is restarted.
 */
static void clean_up(void)
{
	const char *dir = subject_path("f");
	struct dirent *entry;
	DIR *d = opendir(dir);

	CHECK(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			CHECK_EQ(0, unlinkat(dirfd(d), entry->d_name, 0));
	closedir(d);
}

static void on_signal(int sig)
{
	static const char *const names[] = {
		[SIGINT] = "sigint", [SIGHUP] = "sighup", [SIGWINCH] = "sigwinch",
		[SIGCONT] = "sigcont",
	};
	char name[64];

	snprintf(name, sizeof(name), "f/%s-%d", names[sig], getpgrp());
	subject_touch(name);
}

static void catch(int sig)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	CHECK_EQ(0, sigaction(sig, &act, NULL));
}

static bool got(const char *sig, pid_t pgrp)
{
	char name[64];

	snprintf(name, sizeof(name), "f/%s-%d", sig, pgrp);
	return subject_told(name);
}

static void await_signal(const char *sig, pid_t pgrp)
{
	int i;

	for (i = 0; i < 2000 && !got(sig, pgrp); i++)
		ckpt_sleep_ms(5);
	CHECK(got(sig, pgrp));
}

static int tty_nr(pid_t pid)
{
	char path[64], buf[512], *p;
	int nr;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(ckpt_slurp(path, buf, sizeof(buf)) > 0);
	p = strrchr(buf, ')');
	CHECK(p && sscanf(p, ") %*c %*d %*d %*d %d", &nr) == 1);
	return nr;
}

/* Kill an orphan, or who is to become one. */
static void kill_off(pid_t pid)
{
	int i;

	CHECK_EQ(0, kill(pid, SIGKILL));
	for (i = 0; i < 1000 && !kill(pid, 0) && ckpt_state(pid) != 'Z'; i++)
		ckpt_sleep_ms(5);
}

struct job {
	pid_t leader, fg, bg, zombie, none;
};

/* A shell with a job in front, one in the background, and a dead one. */
static void shell(int master, int slave, struct job *job)
{
	int devtty;

	CHECK_EQ(0, close(master));
	CHECK_EQ(getpid(), setsid());
	CHECK_EQ(0, ioctl(slave, TIOCSCTTY, 0));
	signal(SIGTTOU, SIG_IGN);
	catch(SIGINT);
	catch(SIGHUP);
	catch(SIGCONT);
	catch(SIGWINCH);
	job->leader = getpid();
	devtty = open("/dev/tty", O_RDWR);
	CHECK(devtty >= 0);
	if (!fork_to(&job->zombie))
		_exit(0);
	CHECK_EQ(0, ckpt_wait_state(job->zombie, 'Z'));
	if (!fork_to(&job->fg)) {
		setpgid(0, 0);
		subject_wait("go");
		for (;;)
			pause();
	}
	setpgid(job->fg, job->fg);
	if (!fork_to(&job->none)) {
		/* one of the session that has given up the terminal */
		CHECK_EQ(0, ioctl(devtty, TIOCNOTTY));
		CHECK_EQ(-1, open("/dev/tty", O_RDWR));
		subject_touch("none");
		subject_wait("go");
		CHECK_EQ(-1, open("/dev/tty", O_RDWR));
		CHECK_EQ(ENXIO, errno);
		for (;;)
			pause();
	}
	if (!fork_to(&job->bg)) {
		char c;

		signal(SIGINT, on_signal);
		setpgid(0, 0);
		subject_touch("bg");
		subject_wait("f/read");
		/* SIGTTIN stops it */
		CHECK_EQ(1, read(devtty, &c, 1));
		CHECK_EQ('!', c);
		subject_touch("f/bg-has-read");
		for (;;)
			pause();
	}
	setpgid(job->bg, job->bg);
	CHECK_EQ(0, tcsetpgrp(slave, job->fg));
	subject_wait("bg");
	subject_wait("none");
	subject_touch("shell");
	subject_wait("f/shell-goes");
	CHECK_EQ(job->fg, tcgetpgrp(devtty));
	CHECK_EQ(getpid(), tcgetsid(devtty));
	put(devtty, "by /dev/tty");
	close(devtty);
	devtty = open("/dev/tty", O_RDWR);
	CHECK(devtty >= 0);
	put(devtty, "again");
	subject_touch("f/shell-done");
	/* wait for SIGHUP */
	for (;;)
		pause();
}

SUBJECT(session)
{
	struct winsize ws = { 1, 2, 3, 4 };
	struct job *job;
	int master, slave, nr;

	job = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(job != MAP_FAILED);
	slave = open_pair(&master);
	make_raw(slave);
	set_lflag(slave, 0, ISIG);
	if (!fork())
		shell(master, slave, job);
	subject_wait("shell");
	nr = tty_nr(job->leader);
	CHECK(nr);
	CHECK_EQ(nr, tty_nr(job->zombie));
	CHECK_EQ(0, tty_nr(job->none));
	subject_point();
	CHECK_EQ(nr, tty_nr(job->leader));
	CHECK_EQ(nr, tty_nr(job->fg));
	CHECK_EQ(nr, tty_nr(job->bg));
	CHECK_EQ(nr, tty_nr(job->zombie));
	CHECK_EQ(0, tty_nr(job->none));
	CHECK_EQ(0, tty_nr(getpid()));
	CHECK_EQ(job->fg, tcgetpgrp(master));
	CHECK_EQ(job->leader, tcgetsid(master));
	subject_touch("f/shell-goes");
	subject_wait("f/shell-done");
	expect_text(master, "by /dev/ttyagain");

	put(master, "\x03");
	await_signal("sigint", job->fg);
	CHECK(!got("sigint", job->bg));
	CHECK(!got("sigint", job->leader));
	CHECK_EQ(0, ioctl(master, TIOCSWINSZ, &ws));
	await_signal("sigwinch", job->fg);
	CHECK(!got("sigwinch", job->bg));

	subject_touch("f/read");
	CHECK_EQ(0, ckpt_wait_state(job->bg, 'T'));
	CHECK_EQ(0, ckpt_wait_state(job->fg, 'S'));

	/* its end */
	CHECK_EQ(0, close(slave));
	CHECK_EQ(0, close(master));
	await_signal("sighup", job->leader);
	CHECK_EQ(0, tty_nr(job->leader));
	kill_off(job->none);
	kill_off(job->bg);
	kill_off(job->fg);
	kill(job->leader, SIGKILL);
	CHECK_EQ(job->leader, waitpid(job->leader, NULL, 0));
	clean_up();
}

/* The foreground group is of nobody any more. */
SUBJECT(group_gone)
{
	int master, slave, status;
	pid_t leader, *fg;

	fg = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	slave = open_pair(&master);
	set_lflag(slave, ECHO, 0);
	leader = fork();
	if (!leader) {
		CHECK_EQ(getpid(), setsid());
		CHECK_EQ(0, ioctl(slave, TIOCSCTTY, 0));
		signal(SIGTTOU, SIG_IGN);
		if (!fork_to(fg)) {
			CHECK_EQ(0, setpgid(0, 0));
			CHECK_EQ(0, tcsetpgrp(slave, getpid()));
			_exit(0);
		}
		CHECK_EQ(*fg, waitpid(*fg, NULL, 0));
		CHECK_EQ(*fg, tcgetpgrp(slave));
		subject_touch("child");
		subject_wait("f/on");
		CHECK_EQ(*fg, tcgetpgrp(slave));
		CHECK_EQ(0, tcsetpgrp(slave, getpgrp()));
		CHECK_EQ(getpgrp(), tcgetpgrp(slave));
		expect_line(slave, "line\n");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	/* nobody is there to be interrupted */
	put(master, "\x03");
	ckpt_sleep_ms(50);
	put(master, "line\n");
	subject_touch("f/on");
	CHECK_EQ(leader, waitpid(leader, &status, 0));
	CHECK_EQ(0, status);
	clean_up();
}

/*
 * A session leader that lives on without its terminal owes SIGHUP to what was
 * its foreground group, when it exits.
 */
SUBJECT(lost)
{
	pid_t leader, *job;
	int master, slave;

	job = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	slave = open_pair(&master);
	leader = fork();
	if (!leader) {
		signal(SIGHUP, SIG_IGN);
		signal(SIGTTOU, SIG_IGN);
		CHECK_EQ(getpid(), setsid());
		CHECK_EQ(0, ioctl(slave, TIOCSCTTY, 0));
		if (!fork_to(job)) {
			catch(SIGHUP);
			setpgid(0, 0);
			close(master);
			subject_touch("job");
			for (;;)
				pause();
		}
		setpgid(*job, *job);
		subject_wait("job");
		CHECK_EQ(0, tcsetpgrp(slave, *job));
		CHECK_EQ(0, close(master));
		subject_touch("leader");
		subject_wait("f/exit");
		_exit(0);
	}
	subject_wait("leader");
	CHECK_EQ(0, close(slave));
	CHECK_EQ(0, close(master));
	ckpt_sleep_ms(50);
	CHECK_EQ(0, tty_nr(leader));
	CHECK(!got("sighup", *job));
	subject_point();
	CHECK_EQ(0, tty_nr(leader));
	CHECK(!got("sighup", *job));
	subject_touch("f/exit");
	await_signal("sighup", *job);
	subject_join(leader);
	kill_off(*job);
	clean_up();
}

/* What is typed ahead, and interrupts when it comes through. */
SUBJECT(typed_ahead)
{
	int master, slave, status;
	size_t total;
	pid_t leader;

	slave = open_pair(&master);
	set_lflag(slave, ECHO | ICANON, 0);
	leader = fork();
	if (!leader) {
		CHECK_EQ(getpid(), setsid());
		CHECK_EQ(0, ioctl(slave, TIOCSCTTY, 0));
		catch(SIGINT);
		subject_touch("child");
		subject_wait("f/drain");
		set_lflag(slave, 0, NOFLSH);
		/* one byte is behind the ^C */
		while (!got("sigint", getpgrp())) {
			char c;

			CHECK_EQ(1, read(slave, &c, 1));
		}
		_exit(0);
	}
	subject_wait("child");
	fill(master, 'a', &total);
	/* behind what the line discipline has room for */
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	{
		char buf[300];
		int i, n = 0;

		/* make some room in the buffers in between */
		fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
		for (i = 0; i < 20 && !n; i++) {
			CHECK(read(slave, buf, sizeof(buf)) > 0);
			ckpt_sleep_ms(20);
			n = write(master, "\x03z", 2) == 2;
		}
		CHECK(n);
		fcntl(slave, F_SETFL, O_RDWR);
	}
	CHECK(!got("sigint", leader));
	subject_point();
	CHECK(!got("sigint", leader));
	subject_touch("f/drain");
	CHECK_EQ(leader, waitpid(leader, &status, 0));
	CHECK_EQ(0, status);
	clean_up();
}

/* epoll goes on, and does not tell again what it has told (EPOLLET). */
SUBJECT(watched)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 1 }, seen;
	int ep = epoll_create1(0), master, slave, dead, m2;

	slave = open_pair(&master);
	make_raw(slave);
	dead = open_pair(&m2);
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, slave, &e));
	e.data.u32 = 2;
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, master, &e));
	e = (struct epoll_event) { .events = EPOLLIN, .data.u32 = 3 };
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, dead, &e));
	put(master, "x");
	await(slave, 1);
	CHECK_EQ(1, epoll_wait(ep, &seen, 1, 20000));
	CHECK_EQ(1, seen.data.u32);
	CHECK_EQ(0, close(m2));
	subject_point();
	CHECK_EQ(1, epoll_wait(ep, &seen, 1, 20000));
	CHECK_EQ(3, seen.data.u32);
	CHECK_EQ(EPOLLHUP, seen.events & EPOLLHUP);
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_DEL, dead, NULL));
	CHECK_EQ(0, epoll_wait(ep, &seen, 1, 0));
	put(slave, "y");
	CHECK_EQ(1, epoll_wait(ep, &seen, 1, 20000));
	CHECK_EQ(2, seen.data.u32);
	put(master, "z");
	CHECK_EQ(1, epoll_wait(ep, &seen, 1, 20000));
	CHECK_EQ(1, seen.data.u32);
}

CKPT_FIXTURE_HOW(pty);
CKPT_VARIANTS(pty);

CKPT_ROUNDTRIP(pty, pair);
CKPT_ROUNDTRIP(pty, shared);
CKPT_ROUNDTRIP(pty, settings);
CKPT_ROUNDTRIP(pty, settings_locked);
CKPT_ROUNDTRIP(pty, locks);
CKPT_ROUNDTRIP(pty, lines);
CKPT_ROUNDTRIP(pty, end_of_file);
CKPT_ROUNDTRIP(pty, switched);
CKPT_ROUNDTRIP(pty, full);
CKPT_ROUNDTRIP(pty, blocked);
CKPT_ROUNDTRIP(pty, stopped);
CKPT_ROUNDTRIP(pty, packet);
CKPT_ROUNDTRIP(pty, echo_waits);
CKPT_ROUNDTRIP(pty, slave_closed);
CKPT_ROUNDTRIP(pty, master_closed);
CKPT_ROUNDTRIP(pty, hung_up);
CKPT_ROUNDTRIP(pty, session);
CKPT_ROUNDTRIP(pty, group_gone);
CKPT_ROUNDTRIP(pty, lost);
CKPT_ROUNDTRIP(pty, typed_ahead);
CKPT_ROUNDTRIP(pty, watched);

CKPT_FIXTURE_HOW(devpts);

/* The instances stay mounted, and have the same numbers to give. */
CKPT_VARIANT(devpts, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(devpts, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true, .pipe = true);
CKPT_VARIANT(devpts, self_kill_file, .target = CKPT_SELF, .kill = true);

CKPT_ROUNDTRIP(devpts, instances);
CKPT_ROUNDTRIP(devpts, dead_beside);
CKPT_ROUNDTRIP(devpts, dead_inside);

/* ---- what does not work ---- */

CKPT_FIXTURE(pty_refused);

SUBJECT(line_discipline)
{
	int master, slave, none = 27;	/* N_NULL */

	slave = open_pair(&master);
	CHECK_EQ(0, ioctl(slave, TIOCSETD, &none));
	subject_ready();
	subject_wait("go");
}

TEST_F_TIMEOUT(pty_refused, line_discipline, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("line_discipline", "line discipline other than N_TTY", NULL));
}

/* To a file, as an image would be written if nothing were against it. */
static long try_checkpoint(struct ckpt_run *run)
{
	int fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	long ret = ckpt_checkpoint_log(run, CHECKPOINT_KILL, fd);

	close(fd);
	return ret;
}

/* Sits with what it was given as SUBJECT_FD. */
SUBJECT(sits)
{
	subject_ready();
	subject_wait("go");
}

static void try_with(struct __test_metadata *_metadata, int fd, const char *words)
{
	struct ckpt_run run;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = fd;
	ASSERT_EQ(0, ckpt_start(&run, "sits"));
	EXPECT_EQ(-EOPNOTSUPP, try_checkpoint(&run));
	EXPECT_LE(1, ckpt_log_has(&run, words)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(pty_refused, master_outside, CKPT_TIMEOUT)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	ASSERT_LE(0, master);
	try_with(_metadata, master, "also open outside of the target");
	close(master);
}

/* The target has the other side, too. */
SUBJECT(opens_slave)
{
	char name[64];
	int master, slave;

	slave = open_pair(&master);
	CHECK_EQ(0, ptsname_r(master, name, sizeof(name)));
	subject_report("name", name, strlen(name) + 1);
	(void)slave;
	subject_ready();
	subject_wait("go");
}

TEST_F_TIMEOUT(pty_refused, slave_outside, CKPT_TIMEOUT)
{
	char name[64] = "";
	struct ckpt_run run;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "opens_slave"));
	fd = ckpt_open(&run, "name", O_RDONLY);
	ASSERT_LT(0, read(fd, name, sizeof(name) - 1));
	close(fd);
	fd = open(name, O_RDWR | O_NOCTTY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, try_checkpoint(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "also open outside of the target"))
		ckpt_print(&run, "log");
	close(fd);
	/* and now nothing is against it */
	EXPECT_EQ(0, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1))
		ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The slave's session began in the target, the master is elsewhere. */
SUBJECT(controlled)
{
	CHECK_EQ(getpid(), getsid(0));
	CHECK_EQ(0, ioctl(SUBJECT_FD, TIOCSCTTY, 0));
	signal(SIGHUP, SIG_IGN);
	subject_ready();
	subject_wait("go");
}

TEST_F_TIMEOUT(pty_refused, controlled, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int master, slave;

	ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = slave;
	ASSERT_EQ(0, ckpt_start(&run, "controlled"));
	EXPECT_EQ(-EOPNOTSUPP, try_checkpoint(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "has a terminal outside")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	close(master);
	close(slave);
}

/* Hung up for the target, but the master is open elsewhere. */
TEST_F_TIMEOUT(pty_refused, hung_up_outside, CKPT_TIMEOUT)
{
	int master, slave, status;
	pid_t pid;

	ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	pid = fork();
	if (!pid) {
		signal(SIGHUP, SIG_IGN);
		setsid();
		_exit(ioctl(slave, TIOCSCTTY, 0) || vhangup());
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	try_with(_metadata, slave, "was hung up, and is a terminal outside of the target");
	close(slave);
	close(master);
}

/* By another name than /dev/pts has for it. */
SUBJECT(unusual_name)
{
	int master, slave, fd;
	char name[64];

	slave = open_pair(&master);
	CHECK_EQ(0, ptsname_r(master, name, sizeof(name)));
	fd = subject_open("f/tty", O_CREAT | O_RDWR);
	close(fd);
	CHECK_EQ(0, mount(name, subject_path("f/tty"), NULL, MS_BIND, NULL));
	fd = open(subject_path("f/tty"), O_RDWR | O_NOCTTY);
	CHECK(fd >= 0 && slave >= 0);
	CHECK_EQ(0, umount2(subject_path("f/tty"), MNT_DETACH));
	subject_ready();
	subject_wait("go");
}

TEST_F_TIMEOUT(pty_refused, unusual_name, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("unusual_name", "opened by an unusual name", NULL));
}

/* ---- at the restart ---- */

CKPT_FIXTURE(pty_restart);

/* Somebody else has that number now. */
TEST_F_TIMEOUT(pty_restart, taken, CKPT_TIMEOUT)
{
	int fds[64], i, n = -1, nr;
	struct ckpt_run run;
	char name[64] = "";
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "opens_slave"));
	fd = ckpt_open(&run, "name", O_RDONLY);
	ASSERT_LT(0, read(fd, name, sizeof(name) - 1));
	close(fd);
	ASSERT_EQ(1, sscanf(name, "/dev/pts/%d", &nr));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	for (i = 0; i < 64 && n != nr; i++) {
		fds[i] = posix_openpt(O_RDWR | O_NOCTTY);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, ioctl(fds[i], TIOCGPTN, &n));
	}
	ASSERT_EQ(nr, n);
	EXPECT_EQ(-EBUSY, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "is there already")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	while (i--)
		close(fds[i]);
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ... and one without a master takes another, if told that this may be. */
SUBJECT(dead_end)
{
	struct stat before, after;
	int master, slave;

	slave = open_pair(&master);
	CHECK_EQ(0, close(master));
	CHECK_EQ(0, fstat(slave, &before));
	subject_point();
	CHECK_EQ(0, fstat(slave, &after));
	CHECK_EQ(before.st_mode, after.st_mode);
	check_dead(slave);
}

TEST_F_TIMEOUT(pty_restart, taken_dead, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fds[64], i;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "dead_end"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	/* one of these has its number */
	for (i = 0; i < 64; i++) {
		fds[i] = posix_openpt(O_RDWR | O_NOCTTY);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(-EBUSY, ckpt_restart(&run));
	run.restart_flags = RESTART_FILES_CHANGED;
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	while (i--)
		close(fds[i]);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Of a user, who owns the slave and has no privilege. */
TEST_F_TIMEOUT(pty_restart, unprivileged, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_start(&run, "session"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			ckpt_msg("cannot write to %s", path);
		close(fd);
	}
}

/* What stat(2) tells of an owner that has no number here. */
#define NO_NUMBER	65534

static bool all_have_numbers(void)
{
	unsigned int first, outside, nr;
	char text[200];

	CHECK(ckpt_slurp("/proc/self/gid_map", text, sizeof(text)) > 0);
	CHECK_EQ(3, sscanf(text, "%u %u %u", &first, &outside, &nr));
	return nr == UINT32_MAX;
}

/* The slave has the group of terminals. */
SUBJECT(group_given)
{
	struct stat before, after;
	int master, slave;

	slave = open_pair(&master);
	make_raw(slave);
	CHECK_EQ(0, fstat(slave, &before));
	CHECK_EQ(getuid(), before.st_uid);
	put(master, "to the slave");
	subject_point();
	CHECK_EQ(0, fstat(slave, &after));
	CHECK_EQ(before.st_uid, after.st_uid);
	CHECK_EQ(all_have_numbers() ? before.st_gid : NO_NUMBER, after.st_gid);
	CHECK_EQ(before.st_mode, after.st_mode);
	expect_text(slave, "to the slave");
}

static void user_namespaces(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
		_exit(91);
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "1000 1000 1");
	write_file("/proc/self/gid_map", "1000 1000 1");
}

/* A user's namespaces have no number for that group: begun outside ... */
TEST_F_TIMEOUT(pty_restart, into_own_namespaces, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		ckpt_init(&run, &(struct ckpt_how) { .kill = true });
		if (ckpt_start(&run, "group_given") || ckpt_checkpoint(&run))
			_exit(92);
		run.pid = 0;
		user_namespaces();
		pid = fork();
		if (!pid) {
			if (ckpt_restart(&run) <= 0) {
				ckpt_print(&run, "log");
				_exit(93);
			}
			_exit(ckpt_finish(&run) || ckpt_cleanup(&run) ? 94 : 0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(95);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 96);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* ... or in them. */
TEST_F_TIMEOUT(pty_restart, own_namespaces, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		user_namespaces();
		pid = fork();
		if (!pid) {
			ckpt_init(&run, &(struct ckpt_how) { .kill = true });
			_exit(ckpt_roundtrip_run("group_given", &run) ? 92 : 0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(93);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

CKPT_TEST_MAIN
