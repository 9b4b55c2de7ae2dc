// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: AF_UNIX sockets, what waits in them, and what is refused
 * of sockets.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/sockios.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS	59
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK	72
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD	76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD	4
#endif

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

static char pattern(size_t i)
{
	return i * 29 + i / 251 + 3;
}

static void fill(char *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		buf[i] = pattern(i);
}

static int get(int fd, int name)
{
	socklen_t len = sizeof(int);
	int val = -1;

	CHECK_EQ(0, getsockopt(fd, SOL_SOCKET, name, &val, &len));
	return val;
}

static void set(int fd, int name, int val)
{
	CHECK_EQ(0, setsockopt(fd, SOL_SOCKET, name, &val, sizeof(val)));
}

static int queued(int fd, unsigned long which)
{
	int n = -1;

	CHECK_EQ(0, ioctl(fd, which, &n));
	return n;
}

static void expect(int fd, const char *want)
{
	char buf[64] = "";

	CHECK_EQ(strlen(want), recv(fd, buf, strlen(want), MSG_DONTWAIT));
	CHECK_MEM(want, buf, strlen(want));
}

static void expect_empty(int fd)
{
	char c;

	CHECK_EQ(-1, recv(fd, &c, 1, MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
}

static void say(int fd, const char *what)
{
	CHECK_EQ(strlen(what), send(fd, what, strlen(what), MSG_DONTWAIT));
}

/* "@NAME" is an abstract address, made unique by our directory. */
static socklen_t address(struct sockaddr_un *sun, const char *name)
{
	size_t len;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (name[0] == '@') {
		snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, "%s%s",
			 subject_dir, name);
		return offsetof(struct sockaddr_un, sun_path) + 1 +
		       strlen(sun->sun_path + 1);
	}
	len = strlen(subject_path(name)) + 1;
	CHECK(len <= sizeof(sun->sun_path));
	memcpy(sun->sun_path, subject_path(name), len);
	return offsetof(struct sockaddr_un, sun_path) + len;
}

static int bound(int type, const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = address(&sun, name);
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	CHECK_EQ(0, bind(fd, (void *)&sun, len));
	return fd;
}

static int listening(int type, const char *name, int backlog)
{
	int fd = bound(type, name);

	CHECK_EQ(0, listen(fd, backlog));
	return fd;
}

static int try_connect(int type, const char *name, int flags, int *error)
{
	struct sockaddr_un sun;
	socklen_t len = address(&sun, name);
	int fd = socket(AF_UNIX, type | flags, 0);

	CHECK(fd >= 0);
	*error = connect(fd, (void *)&sun, len) ? errno : 0;
	return fd;
}

static int connected(int type, const char *name)
{
	int error, fd = try_connect(type, name, 0, &error);

	CHECK_EQ(0, error);
	return fd;
}

static void check_name(int fd, const char *name, bool peer)
{
	struct sockaddr_un sun, want;
	socklen_t len = sizeof(sun), want_len = offsetof(struct sockaddr_un, sun_path);

	if (name)
		want_len = address(&want, name);
	memset(&sun, 0, sizeof(sun));
	CHECK_EQ(0, peer ? getpeername(fd, (void *)&sun, &len) :
			   getsockname(fd, (void *)&sun, &len));
	CHECK_EQ(want_len, len);
	CHECK_EQ(AF_UNIX, sun.sun_family);
	if (name)
		CHECK_MEM(&want, &sun, len);
}

static void check_works(int a, int b)
{
	say(a, "there");
	expect(b, "there");
	say(b, "and back");
	expect(a, "and back");
	expect_empty(a);
	expect_empty(b);
}

/* ---- pairs ---- */

SUBJECT(empty)
{
	int fds[3][2], i;

	for (i = 0; i < 3; i++)
		CHECK_EQ(0, socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC |
				       (i ? SOCK_NONBLOCK : 0), 0, fds[i]));
	subject_point();
	for (i = 0; i < 3; i++) {
		struct pollfd p = { .fd = fds[i][0], .events = POLLIN | POLLOUT };

		CHECK_EQ(types[i], get(fds[i][0], SO_TYPE));
		CHECK_EQ(AF_UNIX, get(fds[i][1], SO_DOMAIN));
		CHECK_EQ(0, get(fds[i][1], SO_ERROR));
		CHECK_EQ(FD_CLOEXEC, fcntl(fds[i][0], F_GETFD));
		CHECK_EQ(O_RDWR | (i ? O_NONBLOCK : 0), fcntl(fds[i][1], F_GETFL));
		CHECK_EQ(1, poll(&p, 1, 0));
		CHECK_EQ(POLLOUT, p.revents);
		check_name(fds[i][0], NULL, false);
		check_name(fds[i][0], NULL, true);
		check_works(fds[i][0], fds[i][1]);
		close(fds[i][0]);
	}
}

/* Neither bound nor connected. */
SUBJECT(fresh)
{
	char c;
	int i, fd[3];

	for (i = 0; i < 3; i++)
		fd[i] = socket(AF_UNIX, types[i], 0);
	subject_point();
	for (i = 0; i < 3; i++) {
		struct sockaddr_un sun;
		socklen_t len;

		CHECK_EQ(-1, getpeername(fd[i], (void *)&sun, &(socklen_t){ sizeof(sun) }));
		CHECK_EQ(ENOTCONN, errno);
		CHECK_EQ(-1, send(fd[i], "x", 1, 0));
		CHECK_EQ(ENOTCONN, errno);
		len = address(&sun, i == 1 ? "@fresh1" : i ? "@fresh2" : "@fresh0");
		CHECK_EQ(0, bind(fd[i], (void *)&sun, len));
	}
	CHECK_EQ(-1, recv(fd[1], &c, 1, MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
}

/* Read in part, and more than one page. */
SUBJECT(stream)
{
	static char buf[100000], got[100000];
	size_t len = 0, have = 0, n;
	int fds[2], in, out;

	fill(buf, sizeof(buf));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	for (n = 1; len + n < 90000; n = n * 2 + 1) {
		CHECK_EQ(n, send(fds[0], buf + len, n, MSG_DONTWAIT));
		len += n;
	}
	CHECK_EQ(3000, recv(fds[1], got, 3000, 0));
	have = 3000;
	say(fds[1], "other way");
	in = queued(fds[1], SIOCINQ);
	out = queued(fds[0], SIOCOUTQ);
	CHECK_EQ(len - have, in);
	subject_point();
	CHECK_EQ(in, queued(fds[1], SIOCINQ));
	CHECK_EQ(out, queued(fds[0], SIOCOUTQ));
	/* look before it is read */
	CHECK_EQ(500, recv(fds[1], got, 500, MSG_PEEK));
	CHECK_MEM(buf + have, got, 500);
	memcpy(got, buf, have);
	while (have < len) {
		ssize_t ret = recv(fds[1], got + have, sizeof(got) - have, MSG_DONTWAIT);

		CHECK(ret > 0);
		have += ret;
	}
	CHECK_MEM(buf, got, len);
	CHECK_EQ(0, queued(fds[0], SIOCOUTQ));
	expect(fds[0], "other way");
	check_works(fds[0], fds[1]);
}

/* Pages of a file, rather than copies of what is in it; read in part. */
SUBJECT(spliced)
{
	static char buf[60000], got[60000];
	int file = subject_open("f/file", O_RDWR | O_CREAT), fds[2], out;
	off_t pos = 1000;

	fill(buf, sizeof(buf));
	CHECK_EQ(sizeof(buf), write(file, buf, sizeof(buf)));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	say(fds[0], "first");
	CHECK_EQ(sizeof(buf) - 1000, sendfile(fds[0], file, &pos, sizeof(buf)));
	expect(fds[1], "first");
	CHECK_EQ(5000, recv(fds[1], got, 5000, MSG_DONTWAIT));
	out = queued(fds[0], SIOCOUTQ);
	subject_point();
	CHECK(queued(fds[0], SIOCOUTQ) >= out / 2);
	CHECK_EQ(sizeof(buf) - 6000, queued(fds[1], SIOCINQ));
	CHECK_EQ(sizeof(buf) - 6000, recv(fds[1], got, sizeof(got), MSG_WAITALL |
					  MSG_DONTWAIT));
	CHECK_MEM(buf + 6000, got, sizeof(buf) - 6000);
	CHECK_EQ(0, queued(fds[0], SIOCOUTQ));
	check_works(fds[0], fds[1]);
}

/* Each is received as a whole; one is empty, and one large. */
SUBJECT(messages)
{
	static const size_t lens[] = { 1, 0, 100, 4096, 70000, 3, 100000 };
	static char buf[100000], got[100001];
	int fds[2][2], out[2];
	unsigned int i, k;

	fill(buf, sizeof(buf));
	for (k = 0; k < 2; k++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[k + 1], 0, fds[k]));
		for (i = 0; i < ARRAY_SIZE(lens) - 2 * k; i++)
			CHECK_EQ(lens[i], send(fds[k][0], buf + i, lens[i], MSG_DONTWAIT));
		out[k] = queued(fds[k][0], SIOCOUTQ);
	}
	subject_point();
	for (k = 0; k < 2; k++) {
		CHECK_EQ(out[k], queued(fds[k][0], SIOCOUTQ));
		for (i = 0; i < ARRAY_SIZE(lens) - 2 * k; i++) {
			CHECK_EQ(lens[i], recv(fds[k][1], got, sizeof(got), MSG_DONTWAIT));
			CHECK_MEM(buf + i, got, lens[i]);
		}
		expect_empty(fds[k][1]);
		check_works(fds[k][0], fds[k][1]);
	}
}

/* To the last byte, and then there is room again. */
SUBJECT(full)
{
	static char buf[4096];
	struct pollfd p;
	size_t len = 0, have = 0;
	int fds[2], out;
	ssize_t n;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	while ((n = send(fds[0], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		len += n;
	CHECK_EQ(EAGAIN, errno);
	out = queued(fds[0], SIOCOUTQ);
	/* less than what is in there */
	set(fds[0], SO_SNDBUF, 5000);
	subject_point();
	CHECK_EQ(10000, get(fds[0], SO_SNDBUF));
	CHECK_EQ(out, queued(fds[0], SIOCOUTQ));
	CHECK_EQ(len, queued(fds[1], SIOCINQ));
	CHECK_EQ(-1, send(fds[0], buf, 1, MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
	p = (struct pollfd) { .fd = fds[0], .events = POLLOUT };
	CHECK_EQ(0, poll(&p, 1, 0));
	while (have < len) {
		n = recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT);
		CHECK(n > 0);
		have += n;
	}
	CHECK_EQ(1, poll(&p, 1, 0));
	check_works(fds[0], fds[1]);
}

/* To two, so that no queue by itself tells in which order they were sent. */
SUBJECT(full_order)
{
	enum { SMALL = 30000, LARGE = 200000 };
	static char buf[LARGE];
	int first = bound(SOCK_DGRAM, "@first"), second = bound(SOCK_DGRAM, "@second");
	int fd = connected(SOCK_DGRAM, "@second"), i, n = 0, out;
	struct sockaddr_un sun;
	socklen_t len = address(&sun, "@first");

	fill(buf, sizeof(buf));
	set(fd, SO_SNDBUF, 1 << 30);
	while (n < 11 && send(fd, buf, SMALL, MSG_DONTWAIT) == SMALL)
		n++;
	CHECK(n > 8);
	CHECK_EQ(LARGE, sendto(fd, buf, LARGE, MSG_DONTWAIT, (void *)&sun, len));
	out = queued(fd, SIOCOUTQ);
	subject_point();
	CHECK_EQ(out, queued(fd, SIOCOUTQ));
	CHECK_EQ(-1, sendto(fd, buf, 1, MSG_DONTWAIT, (void *)&sun, len));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(LARGE, recv(first, buf, LARGE, MSG_DONTWAIT));
	for (i = 0; i < n; i++)
		CHECK_EQ(SMALL, recv(second, buf, LARGE, MSG_DONTWAIT));
	CHECK_EQ(0, queued(fd, SIOCOUTQ));
	say(fd, "room");
	expect(second, "room");
}

SUBJECT(shut)
{
	int rd[3][2], wr[3][2], i;
	char c;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, rd[i]));
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, wr[i]));
		say(wr[i][0], "last words");
		CHECK_EQ(0, shutdown(rd[i][0], SHUT_RD));
		CHECK_EQ(0, shutdown(wr[i][0], SHUT_WR));
	}
	subject_point();
	for (i = 0; i < 3; i++) {
		CHECK_EQ(-1, send(wr[i][0], "x", 1, 0));
		CHECK_EQ(EPIPE, errno);
		CHECK_EQ(-1, send(rd[i][1], "x", 1, 0));
		CHECK_EQ(EPIPE, errno);
		expect(wr[i][1], "last words");
		if (types[i] == SOCK_DGRAM)
			expect_empty(wr[i][1]);
		else
			CHECK_EQ(0, recv(wr[i][1], &c, 1, 0));
		CHECK_EQ(0, recv(rd[i][0], &c, 1, 0));
		/* the other way is open */
		say(wr[i][1], "still");
		expect(wr[i][0], "still");
		say(rd[i][0], "still");
		expect(rd[i][1], "still");
	}
}

/* With and without something left to read on either side. */
SUBJECT(closed)
{
	int left[3][2], lost[3][2], i;
	char c;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, left[i]));
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, lost[i]));
		say(left[i][0], "last");
		say(left[i][0], "words");
		close(left[i][0]);
		say(lost[i][1], "unread");
		close(lost[i][0]);
	}
	subject_point();
	for (i = 0; i < 3; i++) {
		struct pollfd p = { .fd = left[i][1], .events = POLLIN };

		CHECK_EQ(1, poll(&p, 1, 0));
		CHECK_EQ(types[i] == SOCK_DGRAM ? POLLIN : POLLIN | POLLHUP, p.revents);
		check_name(left[i][1], NULL, true);
		expect(left[i][1], "last");
		expect(left[i][1], "words");
		if (types[i] == SOCK_DGRAM) {
			expect_empty(left[i][1]);
			CHECK_EQ(-1, send(left[i][1], "x", 1, 0));
			CHECK_EQ(ECONNREFUSED, errno);
			CHECK_EQ(-1, send(left[i][1], "x", 1, 0));
			CHECK_EQ(ENOTCONN, errno);
		} else {
			CHECK_EQ(0, recv(left[i][1], &c, 1, 0));
			CHECK_EQ(-1, send(left[i][1], "x", 1, 0));
			CHECK_EQ(EPIPE, errno);
			/* who closed had something to read */
			CHECK_EQ(ECONNRESET, get(lost[i][1], SO_ERROR));
			CHECK_EQ(0, get(lost[i][1], SO_ERROR));
		}
	}
}

SUBJECT(oob)
{
	int fds[2], inlined[2], taken[2], mark;
	char buf[16];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, inlined));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, taken));
	set(inlined[1], SO_OOBINLINE, 1);
	say(fds[0], "before");
	if (send(fds[0], "!", 1, MSG_OOB) != 1)
		_exit(0);	/* a kernel without */
	say(fds[0], "after");
	say(inlined[0], "ab");
	CHECK_EQ(1, send(inlined[0], "c", 1, MSG_OOB));
	say(inlined[0], "de");
	say(taken[0], "ab");
	CHECK_EQ(1, send(taken[0], "c", 1, MSG_OOB));
	say(taken[0], "de");
	CHECK_EQ(1, recv(taken[1], buf, 1, MSG_OOB));
	subject_point();
	CHECK_EQ(6, recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_MEM("before", buf, 6);
	CHECK_EQ(0, ioctl(fds[1], SIOCATMARK, &mark));
	CHECK_EQ(1, mark);
	CHECK_EQ(1, recv(fds[1], buf, 1, MSG_OOB));
	CHECK_EQ('!', buf[0]);
	expect(fds[1], "after");
	CHECK_EQ(2, recv(inlined[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(3, recv(inlined[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_MEM("cde", buf, 3);
	CHECK_EQ(-1, recv(taken[1], buf, 1, MSG_OOB | MSG_DONTWAIT));
	CHECK_EQ(2, recv(taken[1], buf, 2, MSG_DONTWAIT));
	CHECK_EQ(2, recv(taken[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_MEM("de", buf, 2);
}

static int marked(int fd)
{
	int mark = -1;

	CHECK_EQ(0, ioctl(fd, SIOCATMARK, &mark));
	return mark;
}

/* At the head, at the tail, alone, taken by a second one, looked at. */
SUBJECT(oob_places)
{
	int head[2], tail[2], alone[2], two[2], inlined[2], read_alone[2];
	struct pollfd p;
	char buf[16];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, head));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, tail));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, alone));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, two));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, inlined));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, read_alone));
	if (send(head[0], "!", 1, MSG_OOB) != 1)
		_exit(0);	/* a kernel without */
	say(head[0], "after");
	say(tail[0], "before");
	CHECK_EQ(1, send(tail[0], "!", 1, MSG_OOB));
	CHECK_EQ(1, recv(tail[1], buf, 1, MSG_OOB | MSG_PEEK));
	CHECK_EQ(1, send(alone[0], "!", 1, MSG_OOB));
	say(two[0], "a");
	CHECK_EQ(1, send(two[0], "1", 1, MSG_OOB));
	say(two[0], "b");
	CHECK_EQ(1, send(two[0], "2", 1, MSG_OOB));
	say(two[0], "c");
	CHECK_EQ(1, send(inlined[0], "!", 1, MSG_OOB));
	set(inlined[1], SO_OOBINLINE, 1);
	CHECK_EQ(1, send(read_alone[0], "!", 1, MSG_OOB));
	CHECK_EQ(1, recv(read_alone[1], buf, 1, MSG_OOB));
	subject_point();
	p = (struct pollfd) { .fd = head[1], .events = POLLIN | POLLPRI };
	CHECK_EQ(1, poll(&p, 1, 0));
	CHECK_EQ(POLLIN | POLLPRI, p.revents);
	CHECK_EQ(1, marked(head[1]));
	CHECK_EQ(1, recv(head[1], buf, 1, MSG_OOB));
	CHECK_EQ('!', buf[0]);
	CHECK_EQ(5, recv(head[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(0, marked(tail[1]));
	CHECK_EQ(6, recv(tail[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ(1, marked(tail[1]));
	CHECK_EQ(1, recv(tail[1], buf, 1, MSG_OOB));
	CHECK_EQ(1, queued(alone[1], SIOCINQ));
	CHECK_EQ(1, marked(alone[1]));
	expect_empty(alone[1]);
	/* the first one is data like any by now */
	CHECK_EQ(1, recv(two[1], buf, 1, MSG_OOB));
	CHECK_EQ('2', buf[0]);
	CHECK_EQ(3, recv(two[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_MEM("a1b", buf, 3);
	expect(two[1], "c");
	CHECK_EQ(1, recv(inlined[1], buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_EQ('!', buf[0]);
	p = (struct pollfd) { .fd = read_alone[1], .events = POLLPRI };
	CHECK_EQ(0, poll(&p, 1, 0));
	CHECK_EQ(0, queued(read_alone[1], SIOCINQ));
	expect_empty(read_alone[1]);
	say(read_alone[0], "next");
	expect(read_alone[1], "next");
}

/* ---- options ---- */

SUBJECT(options)
{
	struct timeval tv = { .tv_sec = 7, .tv_usec = 500000 }, got;
	struct linger ling = { .l_onoff = 1, .l_linger = 12 }, off;
	socklen_t len;
	int fds[2], plain[2], sndbuf, rcvbuf;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, plain));
	set(fds[0], SO_SNDBUF, 50001);
	set(fds[0], SO_RCVBUF, 60000);
	set(fds[0], SO_PASSCRED, 1);
	set(fds[1], SO_PASSPIDFD, 1);
	set(fds[0], SO_PASSSEC, 1);
	set(fds[0], SO_KEEPALIVE, 1);
	set(fds[0], SO_BROADCAST, 1);
	set(fds[0], SO_REUSEADDR, 1);
	set(fds[0], SO_OOBINLINE, 1);
	set(fds[0], SO_DONTROUTE, 1);
	set(fds[0], SO_PRIORITY, 5);
	set(fds[0], SO_RCVLOWAT, 40);
	set(fds[0], SO_PEEK_OFF, 17);
	set(fds[0], SO_RXQ_OVFL, 1);
	set(fds[0], SO_NO_CHECK, 1);
	set(fds[0], SO_TIMESTAMPNS, 1);
	set(fds[1], SO_TIMESTAMP, 1);
	CHECK_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_sec = 9;
	CHECK_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	CHECK_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &ling, sizeof(ling)));
	/* the time is told even when it does not count */
	CHECK_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &ling, sizeof(ling)));
	off = ling;
	off.l_onoff = 0;
	CHECK_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
	sndbuf = get(plain[0], SO_SNDBUF);
	rcvbuf = get(plain[0], SO_RCVBUF);
	subject_point();
	CHECK_EQ(100002, get(fds[0], SO_SNDBUF));
	CHECK_EQ(120000, get(fds[0], SO_RCVBUF));
	CHECK_EQ(3, get(fds[0], SO_BUF_LOCK));
	CHECK_EQ(1, get(fds[0], SO_PASSCRED));
	CHECK_EQ(0, get(fds[1], SO_PASSCRED));
	CHECK_EQ(1, get(fds[1], SO_PASSPIDFD));
	CHECK_EQ(0, get(fds[0], SO_PASSPIDFD));
	CHECK_EQ(1, get(fds[0], SO_PASSSEC));
	CHECK_EQ(1, get(fds[0], SO_KEEPALIVE));
	CHECK_EQ(1, get(fds[0], SO_BROADCAST));
	CHECK_EQ(1, get(fds[0], SO_REUSEADDR));
	CHECK_EQ(1, get(fds[0], SO_OOBINLINE));
	CHECK_EQ(1, get(fds[0], SO_DONTROUTE));
	CHECK_EQ(0, get(fds[1], SO_DONTROUTE));
	CHECK_EQ(5, get(fds[0], SO_PRIORITY));
	CHECK_EQ(40, get(fds[0], SO_RCVLOWAT));
	CHECK_EQ(17, get(fds[0], SO_PEEK_OFF));
	CHECK_EQ(-1, get(fds[1], SO_PEEK_OFF));
	CHECK_EQ(1, get(fds[0], SO_RXQ_OVFL));
	CHECK_EQ(1, get(fds[0], SO_NO_CHECK));
	CHECK_EQ(1, get(fds[0], SO_TIMESTAMPNS));
	CHECK_EQ(0, get(fds[0], SO_TIMESTAMP));
	CHECK_EQ(1, get(fds[1], SO_TIMESTAMP));
	len = sizeof(got);
	CHECK_EQ(0, getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	CHECK_EQ(7, got.tv_sec);
	CHECK_EQ(500000, got.tv_usec);
	CHECK_EQ(0, getsockopt(fds[1], SOL_SOCKET, SO_SNDTIMEO, &got, &len));
	CHECK_EQ(9, got.tv_sec);
	CHECK_EQ(0, getsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	CHECK_EQ(0, got.tv_sec + got.tv_usec);
	len = sizeof(off);
	CHECK_EQ(0, getsockopt(fds[0], SOL_SOCKET, SO_LINGER, &off, &len));
	CHECK_EQ(1, off.l_onoff);
	CHECK_EQ(12, off.l_linger);
	CHECK_EQ(0, getsockopt(fds[1], SOL_SOCKET, SO_LINGER, &off, &len));
	CHECK_EQ(0, off.l_onoff);
	CHECK_EQ(12, off.l_linger);
	CHECK_EQ(sndbuf, get(plain[0], SO_SNDBUF));
	CHECK_EQ(rcvbuf, get(plain[0], SO_RCVBUF));
	CHECK_EQ(0, get(plain[0], SO_BUF_LOCK));
}

static void expect_peek(int fd, const char *want)
{
	char buf[64];

	CHECK_EQ(strlen(want), recv(fd, buf, strlen(want), MSG_PEEK | MSG_DONTWAIT));
	CHECK_MEM(want, buf, strlen(want));
}

/*
 * SO_PEEK_OFF: how much was looked at, of what was not read yet. It may be in
 * the midst of a message, in one that was read in part, or at the end of all.
 */
SUBJECT(peek_off)
{
	int fds[3][2], end[2], i;
	char buf[16];

	for (i = 0; i < 3; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, fds[i]));
		say(fds[i][0], "abcdef");
		say(fds[i][0], "ghijkl");
		set(fds[i][1], SO_PEEK_OFF, 0);
	}
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, end));
	set(end[1], SO_PEEK_OFF, 0);
	say(end[0], "seen");
	expect_peek(end[1], "seen");
	/* of a stream, the first two bytes were read since; 5 are left to skip */
	expect_peek(fds[0][1], "abcdefg");
	expect(fds[0][1], "ab");
	for (i = 1; i < 3; i++)
		expect_peek(fds[i][1], "abcd");
	CHECK_EQ(5, get(fds[0][1], SO_PEEK_OFF));
	subject_point();
	CHECK_EQ(5, get(fds[0][1], SO_PEEK_OFF));
	CHECK_EQ(-1, get(fds[0][0], SO_PEEK_OFF));
	CHECK_EQ(10, queued(fds[0][1], SIOCINQ));
	expect_peek(fds[0][1], "hij");
	CHECK_EQ(8, get(fds[0][1], SO_PEEK_OFF));
	/* what is read meanwhile needs not be skipped any more */
	expect(fds[0][1], "cdefgh");
	CHECK_EQ(2, get(fds[0][1], SO_PEEK_OFF));
	expect_peek(fds[0][1], "kl");
	CHECK_EQ(-1, recv(fds[0][1], buf, 1, MSG_PEEK | MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
	expect(fds[0][1], "ijkl");
	CHECK_EQ(0, get(fds[0][1], SO_PEEK_OFF));
	for (i = 1; i < 3; i++) {
		CHECK_EQ(4, get(fds[i][1], SO_PEEK_OFF));
		/* not beyond the end of a message */
		CHECK_EQ(2, recv(fds[i][1], buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT));
		CHECK_MEM("ef", buf, 2);
		CHECK_EQ(6, get(fds[i][1], SO_PEEK_OFF));
		expect_peek(fds[i][1], "ghi");
		/* it is the whole message that is received */
		CHECK_EQ(6, recv(fds[i][1], buf, sizeof(buf), MSG_DONTWAIT));
		CHECK_MEM("abcdef", buf, 6);
		CHECK_EQ(3, get(fds[i][1], SO_PEEK_OFF));
		expect_peek(fds[i][1], "jkl");
	}
	CHECK_EQ(4, get(end[1], SO_PEEK_OFF));
	CHECK_EQ(-1, recv(end[1], buf, 1, MSG_PEEK | MSG_DONTWAIT));
	CHECK_EQ(EAGAIN, errno);
	say(end[0], "new");
	expect_peek(end[1], "new");
	expect(end[1], "seennew");
	CHECK_EQ(0, get(end[1], SO_PEEK_OFF));
}

/* Those that take a privilege, which the caller of restart() has. */
SUBJECT(options_root)
{
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	set(fds[0], SO_SNDBUFFORCE, 8 << 20);
	set(fds[0], SO_RCVBUFFORCE, 9 << 20);
	set(fds[0], SO_MARK, 4711);
	set(fds[0], SO_PRIORITY, 100);
	set(fds[0], SO_DEBUG, 1);
	subject_point();
	CHECK_EQ(16 << 20, get(fds[0], SO_SNDBUF));
	CHECK_EQ(18 << 20, get(fds[0], SO_RCVBUF));
	CHECK_EQ(4711, get(fds[0], SO_MARK));
	CHECK_EQ(100, get(fds[0], SO_PRIORITY));
	CHECK_EQ(1, get(fds[0], SO_DEBUG));
	CHECK_EQ(0, get(fds[1], SO_DEBUG));
}

/* Owner and mode of the socket itself: the latter is that of what it binds. */
SUBJECT(owner)
{
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK_EQ(0, fchmod(fd, 0751));
	CHECK_EQ(0, fchown(fd, 12, 34));
	subject_point();
	CHECK_EQ(0, fstat(fd, &st));
	CHECK_EQ(S_IFSOCK | 0751, st.st_mode);
	CHECK_EQ(12, st.st_uid);
	CHECK_EQ(34, st.st_gid);
}

/* A flag that means nothing to a socket. */
SUBJECT(append)
{
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(0, fcntl(fds[1], F_SETFL, O_APPEND));
	subject_point();
	CHECK_EQ(O_RDWR | O_APPEND, fcntl(fds[1], F_GETFL));
	check_works(fds[0], fds[1]);
}

/* ---- addresses ---- */

SUBJECT(bound_path)
{
	int server = bound(SOCK_DGRAM, "f/server"), client = bound(SOCK_DGRAM, "f/client");
	int nameless = connected(SOCK_DGRAM, "f/server"), error, fd;
	struct sockaddr_un sun, want;
	socklen_t len, want_len;
	struct stat st, now;
	char buf[16];

	len = address(&sun, "f/server");
	CHECK_EQ(0, chmod(sun.sun_path, 0640));
	CHECK_EQ(0, stat(sun.sun_path, &st));
	CHECK_EQ(5, sendto(client, "first", 5, 0, (void *)&sun, len));
	say(nameless, "second");
	subject_point();
	check_name(server, "f/server", false);
	check_name(client, "f/client", false);
	check_name(nameless, NULL, false);
	check_name(nameless, "f/server", true);
	address(&sun, "f/server");
	CHECK_EQ(0, stat(sun.sun_path, &now));
	CHECK_EQ(st.st_ino, now.st_ino);
	CHECK_EQ(st.st_mode, now.st_mode);

	len = sizeof(sun);
	CHECK_EQ(5, recvfrom(server, buf, sizeof(buf), 0, (void *)&sun, &len));
	want_len = address(&want, "f/client");
	CHECK_EQ(want_len, len);
	CHECK_MEM(&want, &sun, len);
	/* an answer finds its way */
	CHECK_EQ(6, sendto(server, "answer", 6, 0, (void *)&sun, len));
	expect(client, "answer");
	len = sizeof(sun);
	CHECK_EQ(6, recvfrom(server, buf, sizeof(buf), 0, (void *)&sun, &len));
	CHECK_EQ(0, len);
	say(nameless, "third");
	expect(server, "third");
	/* others find it, or are in its way */
	fd = try_connect(SOCK_DGRAM, "f/server", 0, &error);
	CHECK_EQ(0, error);
	say(fd, "fourth");
	expect(server, "fourth");
	want_len = address(&want, "f/server");
	CHECK_EQ(-1, bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&want, want_len));
	CHECK_EQ(EADDRINUSE, errno);
}

SUBJECT(abstract)
{
	int server = bound(SOCK_DGRAM, "@server"), autobound, error, fd;
	int client = connected(SOCK_DGRAM, "@server");
	struct sockaddr_un sun, now;
	socklen_t len, now_len = sizeof(now);

	autobound = socket(AF_UNIX, SOCK_DGRAM, 0);
	sun.sun_family = AF_UNIX;
	CHECK_EQ(0, bind(autobound, (void *)&sun, sizeof(sun.sun_family)));
	len = sizeof(sun);
	CHECK_EQ(0, getsockname(autobound, (void *)&sun, &len));
	say(client, "hello");
	subject_point();
	check_name(server, "@server", false);
	check_name(client, "@server", true);
	expect(server, "hello");
	CHECK_EQ(0, getsockname(autobound, (void *)&now, &now_len));
	CHECK_EQ(len, now_len);
	CHECK_MEM(&sun, &now, len);
	fd = try_connect(SOCK_DGRAM, "@server", 0, &error);
	CHECK_EQ(0, error);
	say(fd, "new");
	expect(server, "new");
	len = address(&sun, "@server");
	CHECK_EQ(-1, bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&sun, len));
	CHECK_EQ(EADDRINUSE, errno);
	/* of a name it is rid when it is closed */
	close(server);
	CHECK_EQ(0, bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&sun, len));
}

/* The file is gone, or another; the connections are not. */
SUBJECT(unlinked)
{
	int gone = listening(SOCK_STREAM, "f/gone", 5), error;
	int moved = listening(SOCK_STREAM, "f/moved", 5);
	int a = connected(SOCK_STREAM, "f/gone"), b, c;
	char buf[4096];

	b = accept(gone, NULL, NULL);
	CHECK(b >= 0);
	c = connected(SOCK_STREAM, "f/gone");
	CHECK_EQ(0, unlink(subject_path("f/gone")));
	CHECK_EQ(0, rename(subject_path("f/moved"), subject_path("f/elsewhere")));
	subject_point();
	check_name(gone, "f/gone", false);
	check_name(a, "f/gone", true);
	check_name(b, "f/gone", false);
	check_works(a, b);
	b = accept(gone, NULL, NULL);
	CHECK(b >= 0);
	check_works(b, c);
	close(try_connect(SOCK_STREAM, "f/gone", 0, &error));
	CHECK_EQ(ENOENT, error);
	check_name(moved, "f/moved", false);
	a = connected(SOCK_STREAM, "f/elsewhere");
	b = accept(moved, NULL, NULL);
	CHECK(b >= 0);
	check_works(a, b);
	snprintf(buf, sizeof(buf), "%s", subject_path("f/moved"));
	CHECK_EQ(-1, access(buf, F_OK));
}

/* Found by another name of the inode, though not by its own any more. */
SUBJECT(linked)
{
	int fd = listening(SOCK_STREAM, "f/first", 5);
	char first[128];

	snprintf(first, sizeof(first), "%s", subject_path("f/first"));
	CHECK_EQ(0, link(first, subject_path("f/second")));
	CHECK_EQ(0, unlink(first));
	subject_point();
	close(connected(SOCK_STREAM, "f/second"));
	CHECK(accept(fd, NULL, NULL) >= 0);
}

/* Who is gone still has a name. */
SUBJECT(dead_names)
{
	int server = bound(SOCK_DGRAM, "@server"), sender = bound(SOCK_DGRAM, "@sender");
	int listener = listening(SOCK_SEQPACKET, "@listener", 5), client, conn;
	struct sockaddr_un sun, want;
	socklen_t len = address(&sun, "@server"), want_len;
	char buf[16];

	CHECK_EQ(5, sendto(sender, "hello", 5, 0, (void *)&sun, len));
	CHECK_EQ(5, sendto(sender, "again", 5, 0, (void *)&sun, len));
	close(sender);
	client = connected(SOCK_SEQPACKET, "@listener");
	conn = accept(listener, NULL, NULL);
	say(conn, "bye");
	close(conn);
	close(listener);
	subject_point();
	want_len = address(&want, "@sender");
	len = sizeof(sun);
	CHECK_EQ(5, recvfrom(server, buf, sizeof(buf), 0, (void *)&sun, &len));
	CHECK_EQ(want_len, len);
	CHECK_MEM(&want, &sun, len);
	len = sizeof(sun);
	CHECK_EQ(5, recvfrom(server, buf, sizeof(buf), 0, (void *)&sun, &len));
	CHECK_EQ(want_len, len);
	CHECK_EQ(-1, sendto(server, "x", 1, 0, (void *)&sun, len));
	CHECK_EQ(ECONNREFUSED, errno);
	CHECK_EQ(0, bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&want, want_len));
	check_name(client, "@listener", true);
	expect(client, "bye");
	CHECK_EQ(0, recv(client, buf, sizeof(buf), 0));
}

/* One server, three clients; to itself; in a ring. */
SUBJECT(datagrams)
{
	struct sockaddr_un sun;
	int server = bound(SOCK_DGRAM, "@server"), self = bound(SOCK_DGRAM, "@self");
	int client[3], ring[3], i;
	char name[16];
	socklen_t len;

	for (i = 0; i < 3; i++) {
		client[i] = connected(SOCK_DGRAM, "@server");
		snprintf(name, sizeof(name), "@ring%d", i);
		ring[i] = bound(SOCK_DGRAM, name);
	}
	for (i = 0; i < 3; i++) {
		say(client[(i + 1) % 3], i == 0 ? "zero" : i == 1 ? "one" : "two");
		snprintf(name, sizeof(name), "@ring%d", (i + 1) % 3);
		len = address(&sun, name);
		/* who is connected to another one does not hear us */
		if (i < 2)
			CHECK_EQ(4, sendto(ring[i], "ring", 4, 0, (void *)&sun, len));
	}
	len = address(&sun, "@ring1");
	CHECK_EQ(0, connect(ring[0], (void *)&sun, len));
	len = address(&sun, "@ring2");
	CHECK_EQ(0, connect(ring[1], (void *)&sun, len));
	len = address(&sun, "@self");
	CHECK_EQ(0, connect(self, (void *)&sun, len));
	say(self, "me");
	subject_point();
	expect(server, "zero");
	expect(server, "one");
	expect(server, "two");
	expect_empty(server);
	expect(self, "me");
	say(self, "still me");
	expect(self, "still me");
	check_name(ring[0], "@ring1", true);
	check_name(ring[1], "@ring2", true);
	CHECK_EQ(-1, send(ring[0], "x", 1, MSG_DONTWAIT));
	CHECK_EQ(EPERM, errno);
	say(ring[1], "on");
	expect(ring[2], "ring");
	expect(ring[2], "on");
	for (i = 0; i < 3; i++) {
		say(client[i], "more");
		expect(server, "more");
	}
}

/* ---- listening ---- */

static void backlog(int type, const char *name)
{
	int listener = listening(type, name, 3), fd[5], conn[5], i, error;
	char buf[8];
	socklen_t len;
	struct sockaddr_un sun;

	set(listener, SO_PASSCRED, 1);
	for (i = 0; i < 4; i++) {
		fd[i] = connected(type, name);
		buf[0] = 'a' + i;
		CHECK_EQ(1, send(fd[i], buf, 1, 0));
	}
	/* one hangs up before it is accepted */
	close(fd[2]);
	close(try_connect(type, name, SOCK_NONBLOCK, &error));
	CHECK_EQ(EAGAIN, error);
	subject_point();
	CHECK_EQ(1, get(listener, SO_ACCEPTCONN));
	check_name(listener, name, false);
	/* it is as full as it was */
	close(try_connect(type, name, SOCK_NONBLOCK, &error));
	CHECK_EQ(EAGAIN, error);
	for (i = 0; i < 4; i++) {
		len = sizeof(sun);
		conn[i] = accept(listener, (void *)&sun, &len);
		CHECK(conn[i] >= 0);
		CHECK_EQ(offsetof(struct sockaddr_un, sun_path), len);
		check_name(conn[i], name, false);
		CHECK_EQ(1, get(conn[i], SO_PASSCRED));
		CHECK_EQ(1, recv(conn[i], buf, sizeof(buf), MSG_DONTWAIT));
		CHECK_EQ('a' + i, buf[0]);
		if (i == 2) {
			CHECK_EQ(0, recv(conn[i], buf, sizeof(buf), MSG_DONTWAIT));
			continue;
		}
		set(conn[i], SO_PASSCRED, 0);
		check_name(fd[i], name, true);
		check_works(fd[i], conn[i]);
	}
	fd[4] = connected(type, name);
	conn[4] = accept(listener, NULL, NULL);
	CHECK(conn[4] >= 0);
	CHECK_EQ(0, get(fd[4], SO_PASSCRED));
}

SUBJECT(backlog_stream)
{
	backlog(SOCK_STREAM, "f/stream");
}

SUBJECT(backlog_seqpacket)
{
	backlog(SOCK_SEQPACKET, "@seqpacket");
}

/* ---- descriptors in flight ---- */

static void send_fds(int to, const char *text, const int *fds, int nr)
{
	char ctl[CMSG_SPACE(sizeof(int) * 8)] = "";
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = CMSG_SPACE(sizeof(int) * nr),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * nr);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * nr);
	CHECK_EQ(strlen(text), sendmsg(to, &msg, 0));
}

static void send_fds_may_fail(int to, int fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = "fd", .iov_len = 2 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	sendmsg(to, &msg, MSG_DONTWAIT);
}

static void recv_fds(int from, const char *text, int *fds, int nr)
{
	char ctl[CMSG_SPACE(sizeof(int) * 8)], buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;

	CHECK_EQ(strlen(text), recvmsg(from, &msg, MSG_DONTWAIT));
	CHECK_MEM(text, buf, strlen(text));
	CHECK_EQ(0, msg.msg_flags & MSG_CTRUNC);
	c = CMSG_FIRSTHDR(&msg);
	if (!nr) {
		CHECK_EQ(0, c);
		return;
	}
	CHECK(c);
	CHECK_EQ(SCM_RIGHTS, c->cmsg_type);
	CHECK_EQ(CMSG_LEN(sizeof(int) * nr), c->cmsg_len);
	memcpy(fds, CMSG_DATA(c), sizeof(int) * nr);
}

/* Files that are nowhere else, and ones that are. */
SUBJECT(rights)
{
	int fds[3][2], pipe_fds[2], file, got[3], i;
	char buf[16];

	CHECK_EQ(0, pipe(pipe_fds));
	CHECK_EQ(4, write(pipe_fds[1], "pipe", 4));
	file = subject_open("f/file", O_RDWR | O_CREAT);
	CHECK_EQ(10, write(file, "0123456789", 10));
	CHECK_EQ(4, lseek(file, 4, SEEK_SET));
	for (i = 0; i < 3; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, fds[i]));
		say(fds[i][0], "none");
		send_fds(fds[i][0], "some", (int []){ pipe_fds[0], file, file }, 3);
		say(fds[i][0], "more");
	}
	close(pipe_fds[0]);
	subject_point();
	for (i = 0; i < 3; i++) {
		if (types[i] == SOCK_STREAM)
			expect(fds[i][1], "none");
		else
			recv_fds(fds[i][1], "none", NULL, 0);
		recv_fds(fds[i][1], "some", got, 3);
		expect(fds[i][1], "more");
		if (!i) {
			CHECK_EQ(4, read(got[0], buf, sizeof(buf)));
			CHECK_MEM("pipe", buf, 4);
		}
		/* one and the same, everywhere */
		CHECK_EQ(4 + i, lseek(got[1], 0, SEEK_CUR));
		CHECK_EQ(1, read(got[2], buf, 1));
		CHECK_EQ('4' + i, buf[0]);
		CHECK_EQ(5 + i, lseek(file, 0, SEEK_CUR));
		check_works(fds[i][0], fds[i][1]);
		if (i < 2)
			close(got[0]);
	}
	/* the last reader */
	CHECK_EQ(2, write(pipe_fds[1], "ok", 2));
	CHECK_EQ(2, read(got[0], buf, sizeof(buf)));
	close(got[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(-1, write(pipe_fds[1], "x", 1));
	CHECK_EQ(EPIPE, errno);
}

/* Nowhere else, and with more to them than their descriptor. */
SUBJECT(rights_state)
{
	int fds[2], epoll = epoll_create1(0), event = eventfd(0, 0), file, got[3], other;
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 4711 };
	struct flock lock = { .l_type = F_WRLCK, .l_start = 3, .l_len = 4 };

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	file = subject_open("f/locked", O_RDWR | O_CREAT);
	other = subject_open("f/locked", O_RDWR);
	CHECK_EQ(0, flock(file, LOCK_EX));
	CHECK_EQ(0, fcntl(file, F_OFD_SETLK, &lock));
	CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e));
	e.data.u64 = 12;
	CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &e));
	send_fds(fds[0], "rights", (int []){ epoll, event, file }, 3);
	close(epoll);
	close(event);
	close(file);
	subject_point();
	CHECK_EQ(-1, flock(other, LOCK_EX | LOCK_NB));
	CHECK_EQ(EWOULDBLOCK, errno);
	lock = (struct flock) { .l_type = F_WRLCK };
	CHECK_EQ(0, fcntl(other, F_OFD_GETLK, &lock));
	CHECK_EQ(F_WRLCK, lock.l_type);
	CHECK_EQ(3, lock.l_start);
	CHECK_EQ(4, lock.l_len);
	recv_fds(fds[1], "rights", got, 3);
	CHECK_EQ(0, epoll_wait(got[0], &e, 1, 0));
	CHECK_EQ(8, write(got[1], &(uint64_t){ 1 }, 8));
	CHECK_EQ(1, epoll_wait(got[0], &e, 1, 0));
	CHECK_EQ(4711, e.data.u64);
	CHECK_EQ(8, read(got[1], &(uint64_t){ 0 }, 8));
	say(fds[1], "x");
	CHECK_EQ(1, epoll_wait(got[0], &e, 1, 0));
	CHECK_EQ(12, e.data.u64);
	close(got[2]);
	CHECK_EQ(0, flock(other, LOCK_EX | LOCK_NB));
}

/* In a socket that is in a socket that ... */
SUBJECT(nested)
{
	enum { DEPTH = 20 };
	int fds[2], next[2], i;
	char c;

	CHECK_EQ(0, pipe(next));
	CHECK_EQ(1, write(next[1], "!", 1));
	close(next[1]);
	for (i = 0; i < DEPTH; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		send_fds(fds[0], "in", &next[0], 1);
		close(next[0]);
		close(fds[0]);
		next[0] = fds[1];
	}
	subject_point();
	for (i = 0; i < DEPTH; i++) {
		recv_fds(next[0], "in", &fds[0], 1);
		CHECK_EQ(0, recv(next[0], &c, 1, MSG_DONTWAIT));
		close(next[0]);
		next[0] = fds[0];
	}
	CHECK_EQ(1, read(next[0], &c, 1));
	CHECK_EQ('!', c);
	CHECK_EQ(0, read(next[0], &c, 1));
}

/* A socket in its own queue, and two in each other's. */
SUBJECT(circle)
{
	int self[2], a[2], b[2], got, i;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, b));
	send_fds(self[0], "self", &self[1], 1);
	send_fds(a[0], "b in a", &b[1], 1);
	send_fds(b[0], "a in b", &a[1], 1);
	close(a[1]);
	subject_point();
	recv_fds(self[1], "self", &got, 1);
	close(self[1]);
	check_works(self[0], got);
	recv_fds(b[1], "a in b", &a[1], 1);
	check_works(b[0], b[1]);
	recv_fds(a[1], "b in a", &got, 1);
	check_works(a[0], a[1]);
	close(b[1]);
	check_works(b[0], got);
	/* garbage, to be collected as ever */
	for (i = 0; i < 20; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, a));
		send_fds(a[0], "x", &a[1], 1);
		send_fds(a[1], "x", &a[0], 1);
		close(a[0]);
		close(a[1]);
	}
}

/* A connection that waits with a descriptor, even that of who is to accept it. */
SUBJECT(waiting_rights)
{
	int listener = listening(SOCK_STREAM, "@listener", 5), got[2], conn;
	int client = connected(SOCK_STREAM, "@listener");

	send_fds(client, "both", (int []){ listener, client }, 2);
	subject_point();
	conn = accept(listener, NULL, NULL);
	CHECK(conn >= 0);
	recv_fds(conn, "both", got, 2);
	close(listener);
	close(client);
	check_works(conn, got[1]);
	client = connected(SOCK_STREAM, "@listener");
	conn = accept(got[0], NULL, NULL);
	CHECK(conn >= 0);
	check_works(conn, client);
}

/* A socket of another family on its way: with what waits in it. */
SUBJECT(rights_inet)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fds[2], got, udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in was = {}, is = {};
	socklen_t len = sizeof(addr);
	char buf[16];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(0, bind(udp, (void *)&addr, len));
	CHECK_EQ(0, getsockname(udp, (void *)&was, &len));
	CHECK_EQ(4, sendto(udp, "self", 4, 0, (void *)&was, len));
	send_fds(fds[0], "udp", &udp, 1);
	close(udp);
	subject_point();
	recv_fds(fds[1], "udp", &got, 1);
	CHECK_EQ(0, getsockname(got, (void *)&is, &len));
	CHECK_MEM(&was, &is, sizeof(was));
	CHECK_EQ(4, recv(got, buf, sizeof(buf), MSG_DONTWAIT));
	CHECK_MEM("self", buf, 4);
}

/* ---- credentials ---- */

static struct ucred recv_cred(int fd, const char *text)
{
	char ctl[CMSG_SPACE(sizeof(struct ucred))], buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;
	struct ucred cred;

	CHECK_EQ(strlen(text), recvmsg(fd, &msg, MSG_DONTWAIT));
	CHECK_MEM(text, buf, strlen(text));
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c);
	CHECK_EQ(SCM_CREDENTIALS, c->cmsg_type);
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	return cred;
}

static struct ucred peercred(int fd)
{
	struct ucred cred = {};
	socklen_t len = sizeof(cred);

	CHECK_EQ(0, getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	return cred;
}

/* From us, from a child that is there, and one that is not. */
SUBJECT(creds)
{
	int fds[3][2], unset = socket(AF_UNIX, SOCK_STREAM, 0), i, status;
	struct ucred cred;
	pid_t there[3], gone[3], listener_pid;
	int listener, client;

	for (i = 0; i < 3; i++) {
		CHECK_EQ(0, socketpair(AF_UNIX, types[i], 0, fds[i]));
		set(fds[i][1], SO_PASSCRED, 1);
		say(fds[i][0], "us");
		gone[i] = fork();
		if (!gone[i]) {
			CHECK_EQ(0, setgid(77));
			CHECK_EQ(0, setuid(66));
			say(fds[i][0], "gone");
			_exit(0);
		}
		CHECK_EQ(gone[i], waitpid(gone[i], &status, 0));
		CHECK_EQ(0, status);
		there[i] = fork();
		if (!there[i]) {
			say(fds[i][0], "there");
			subject_touch(i == 0 ? "0" : i == 1 ? "1" : "2");
			subject_wait("go");
			_exit(0);
		}
		subject_wait(i == 0 ? "0" : i == 1 ? "1" : "2");
	}
	listener = listening(SOCK_STREAM, "@listener", 5);
	listener_pid = getpid();
	client = connected(SOCK_STREAM, "@listener");
	subject_point();
	CHECK_EQ(getpid(), listener_pid);
	cred = peercred(client);
	CHECK_EQ(getpid(), cred.pid);
	cred = peercred(accept(listener, NULL, NULL));
	CHECK_EQ(getpid(), cred.pid);
	CHECK_EQ(getuid(), cred.uid);
	CHECK_EQ(getgid(), cred.gid);
	cred = peercred(unset);
	CHECK_EQ(0, cred.pid);
	CHECK_EQ(-1, (int)cred.uid);
	for (i = 0; i < 3; i++) {
		cred = peercred(fds[i][0]);
		CHECK_EQ(getpid(), cred.pid);
		CHECK_EQ(getuid(), cred.uid);
		cred = recv_cred(fds[i][1], "us");
		CHECK_EQ(getpid(), cred.pid);
		CHECK_EQ(getuid(), cred.uid);
		CHECK_EQ(getgid(), cred.gid);
		cred = recv_cred(fds[i][1], "gone");
		CHECK_EQ(gone[i], cred.pid);
		CHECK_EQ(66, cred.uid);
		CHECK_EQ(77, cred.gid);
		cred = recv_cred(fds[i][1], "there");
		CHECK_EQ(there[i], cred.pid);
		subject_join(there[i]);
	}
}

/* Made by a process that is no more, with groups of its own. */
SUBJECT(peer_gone)
{
	static const gid_t groups[] = { 5, 6, 1000 };
	gid_t got[16] = { };
	socklen_t len = sizeof(got);
	struct ucred cred;
	int fds[2], status, listener;
	pid_t pid;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	pid = fork();
	if (!pid) {
		int conn[2];

		CHECK_EQ(0, setgroups(3, groups));
		CHECK_EQ(0, setgid(7));
		CHECK_EQ(0, setuid(8));
		CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, conn));
		send_fds(fds[0], "x", conn, 2);
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
	recv_fds(fds[1], "x", fds, 2);
	listener = fds[0];
	subject_point();
	cred = peercred(listener);
	CHECK_EQ(pid, cred.pid);
	CHECK_EQ(8, cred.uid);
	CHECK_EQ(7, cred.gid);
	CHECK_EQ(0, getsockopt(fds[1], SOL_SOCKET, SO_PEERGROUPS, got, &len));
	CHECK_EQ(sizeof(groups), len);
	CHECK_MEM(groups, got, len);
	check_works(fds[0], fds[1]);
}

static int recv_pidfd(int fd, const char *text)
{
	char ctl[CMSG_SPACE(sizeof(int))], buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;
	int pidfd;

	CHECK_EQ(strlen(text), recvmsg(fd, &msg, MSG_DONTWAIT));
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c);
	CHECK_EQ(SCM_PIDFD, c->cmsg_type);
	memcpy(&pidfd, CMSG_DATA(c), sizeof(pidfd));
	return pidfd;
}

static int pidfd_pid(int pidfd)
{
	char path[32], buf[512], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	CHECK(ckpt_slurp(path, buf, sizeof(buf)) > 0);
	p = strstr(buf, "Pid:");
	CHECK(p);
	return atoi(p + 4);
}

/* From us, from a child that is there, and from one that was not waited for. */
SUBJECT(pidfds)
{
	int fds[2], pidfd, status;
	socklen_t len = sizeof(pidfd);
	pid_t there, zombie;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	if (setsockopt(fds[1], SOL_SOCKET, SO_PASSPIDFD, &(int){ 1 }, sizeof(int)))
		_exit(0);
	say(fds[0], "us");
	there = fork();
	if (!there) {
		say(fds[0], "there");
		subject_touch("0");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("0");
	zombie = fork();
	if (!zombie) {
		say(fds[0], "zombie");
		_exit(3);
	}
	CHECK_EQ(0, ckpt_wait_state(zombie, 'Z'));
	subject_point();
	pidfd = -1;
	CHECK_EQ(0, getsockopt(fds[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len));
	CHECK_EQ(getpid(), pidfd_pid(pidfd));
	CHECK_EQ(getpid(), pidfd_pid(recv_pidfd(fds[1], "us")));
	pidfd = recv_pidfd(fds[1], "there");
	CHECK_EQ(there, pidfd_pid(pidfd));
	pidfd = recv_pidfd(fds[1], "zombie");
	CHECK(pidfd >= 0);
	CHECK_EQ(zombie, pidfd_pid(pidfd));
	CHECK_EQ(zombie, waitpid(zombie, &status, 0));
	CHECK_EQ(3, WEXITSTATUS(status));
	subject_join(there);
}

/* Of a message that was sent when it was asked for, and of one that was not. */
SUBJECT(timestamps_kept)
{
	char ctl[CMSG_SPACE(sizeof(struct timeval))], buf[16];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct timeval after, tv;
	struct cmsghdr *c;
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	set(fds[1], SO_TIMESTAMP, 1);
	say(fds[0], "when");
	gettimeofday(&after, NULL);
	set(fds[1], SO_TIMESTAMP, 0);
	subject_point();
	set(fds[1], SO_TIMESTAMP, 1);
	CHECK_EQ(4, recvmsg(fds[1], &msg, MSG_DONTWAIT));
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c);
	memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	CHECK(!timercmp(&tv, &after, >));
}

SUBJECT(timestamps)
{
	char ctl[CMSG_SPACE(sizeof(struct timeval))], buf[16];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct timeval before, after, tv;
	struct cmsghdr *c;
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	set(fds[1], SO_TIMESTAMP, 1);
	gettimeofday(&before, NULL);
	say(fds[0], "when");
	gettimeofday(&after, NULL);
	subject_point();
	CHECK_EQ(4, recvmsg(fds[1], &msg, MSG_DONTWAIT));
	c = CMSG_FIRSTHDR(&msg);
	CHECK(c);
	CHECK_EQ(SCM_TIMESTAMP, c->cmsg_type);
	memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	CHECK(!timercmp(&tv, &before, <));
	CHECK(!timercmp(&tv, &after, >));
}

/* ---- tasks that sleep in it ---- */

static int asleep_listener, asleep_pair[2], asleep_poll[2];

static void *asleep_accept(void *arg)
{
	return (void *)(long)accept(asleep_listener, NULL, NULL);
}

static void *asleep_poller(void *arg)
{
	struct pollfd p = { .fd = asleep_poll[1], .events = POLLIN };

	return (void *)(long)poll(&p, 1, -1);
}

SUBJECT(asleep)
{
	pthread_t acceptor, poller;
	void *conn, *ready;
	char buf[16];
	pid_t pid;
	int fd;

	asleep_listener = listening(SOCK_STREAM, "f/listener", 5);
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, asleep_pair));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, asleep_poll));
	pid = fork();
	if (!pid) {
		close(asleep_pair[0]);
		CHECK_EQ(4, recv(asleep_pair[1], buf, sizeof(buf), 0));
		say(asleep_pair[1], "pong");
		CHECK_EQ(0, recv(asleep_pair[1], buf, sizeof(buf), 0));
		_exit(0);
	}
	close(asleep_pair[1]);
	CHECK_EQ(0, pthread_create(&acceptor, NULL, asleep_accept, NULL));
	CHECK_EQ(0, pthread_create(&poller, NULL, asleep_poller, NULL));
	ckpt_sleep_ms(100);
	subject_point();
	fd = connected(SOCK_STREAM, "f/listener");
	CHECK_EQ(0, pthread_join(acceptor, &conn));
	CHECK((long)conn >= 0);
	check_works(fd, (long)conn);
	say(asleep_poll[0], "x");
	CHECK_EQ(0, pthread_join(poller, &ready));
	CHECK_EQ(1, (long)ready);
	say(asleep_pair[0], "ping");
	CHECK_EQ(4, recv(asleep_pair[0], buf, sizeof(buf), 0));
	close(asleep_pair[0]);
	subject_join(pid);
}

static int blocked_stream[2], blocked_dgram, blocked_recv[2], blocked_all[2];
static char blocked_buf[2][1 << 20];

static void *blocked_send(void *arg)
{
	size_t sent = 0;

	while (sent < sizeof(blocked_buf[0])) {
		ssize_t n = send(blocked_stream[0], blocked_buf[0] + sent,
				 sizeof(blocked_buf[0]) - sent, 0);

		if (n <= 0)
			return (void *)-1L;
		sent += n;
	}
	return (void *)sent;
}

static void *blocked_datagram(void *arg)
{
	return (void *)send(blocked_dgram, "late", 4, 0);
}

static void *blocked_connect(void *arg)
{
	int error, fd = try_connect(SOCK_STREAM, "@backlog", 0, &error);

	return (void *)(long)(error ? -error : fd);
}

static void *blocked_receive(void *arg)
{
	static char buf[8];
	ssize_t n = recv(blocked_recv[1], buf, sizeof(buf), 0);

	return (void *)(n < 0 ? -(long)errno : n);
}

/* The other way to wait for room, by an edge. */
static void *blocked_epoll(void *arg)
{
	struct epoll_event e;
	int epoll = (long)arg;

	return (void *)(long)epoll_wait(epoll, &e, 1, -1);
}

SUBJECT(blocked)
{
	int server = bound(SOCK_DGRAM, "@server"), listener, fd, i, n, epoll[2], other;
	pthread_t send_thread, dgram, connect_thread, receive, poller[2];
	struct epoll_event e = { .events = EPOLLIN };
	size_t have = 0;
	void *ret;
	char buf[8];

	fill(blocked_buf[0], sizeof(blocked_buf[0]));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, blocked_stream));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, blocked_recv));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, blocked_all));
	blocked_dgram = connected(SOCK_DGRAM, "@server");
	for (n = 0; send(blocked_dgram, "full", 4, MSG_DONTWAIT) == 4;)
		n++;
	CHECK_EQ(EAGAIN, errno);
	other = connected(SOCK_DGRAM, "@server");
	listener = listening(SOCK_STREAM, "@backlog", 0);
	fd = connected(SOCK_STREAM, "@backlog");
	epoll[0] = epoll_create1(0);
	epoll[1] = epoll_create1(0);
	CHECK_EQ(0, epoll_ctl(epoll[0], EPOLL_CTL_ADD, blocked_all[1], &e));
	e.events = EPOLLOUT | EPOLLET;
	CHECK_EQ(0, epoll_ctl(epoll[1], EPOLL_CTL_ADD, other, &e));
	CHECK_EQ(0, epoll_wait(epoll[1], &e, 1, 0));
	CHECK_EQ(0, pthread_create(&send_thread, NULL, blocked_send, NULL));
	CHECK_EQ(0, pthread_create(&dgram, NULL, blocked_datagram, NULL));
	CHECK_EQ(0, pthread_create(&connect_thread, NULL, blocked_connect, NULL));
	CHECK_EQ(0, pthread_create(&receive, NULL, blocked_receive, NULL));
	CHECK_EQ(0, pthread_create(&poller[0], NULL, blocked_epoll, (void *)(long)epoll[0]));
	CHECK_EQ(0, pthread_create(&poller[1], NULL, blocked_epoll, (void *)(long)epoll[1]));
	ckpt_sleep_ms(300);
	subject_point();
	while (have < sizeof(blocked_buf[1])) {
		ssize_t len = recv(blocked_stream[1], blocked_buf[1] + have,
				   sizeof(blocked_buf[1]) - have, 0);

		CHECK(len > 0);
		have += len;
	}
	CHECK_MEM(blocked_buf[0], blocked_buf[1], have);
	CHECK_EQ(0, pthread_join(send_thread, &ret));
	CHECK_EQ(have, (size_t)ret);
	for (i = 0; i < n; i++)
		expect(server, "full");
	CHECK_EQ(0, pthread_join(dgram, &ret));
	CHECK_EQ(4, (long)ret);
	expect(server, "late");
	CHECK_EQ(0, pthread_join(poller[1], &ret));
	CHECK_EQ(1, (long)ret);
	CHECK(accept(listener, NULL, NULL) >= 0);
	CHECK_EQ(0, pthread_join(connect_thread, &ret));
	CHECK((long)ret >= 0);
	i = accept(listener, NULL, NULL);
	CHECK(i >= 0);
	check_works(i, (long)ret);
	say(blocked_recv[0], "data");
	CHECK_EQ(0, pthread_join(receive, &ret));
	CHECK_EQ(4, (long)ret);
	say(blocked_all[0], "x");
	CHECK_EQ(0, pthread_join(poller[0], &ret));
	CHECK_EQ(1, (long)ret);
	expect(blocked_all[1], "x");
	CHECK(fd >= 0 && sizeof(buf));
}

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
}

static uint32_t watched(int epoll, uint64_t data)
{
	struct epoll_event e[16];
	int i, n = epoll_wait(epoll, e, 16, 0);

	CHECK(n >= 0);
	for (i = 0; i < n; i++)
		if (e[i].data.u64 == data)
			return e[i].events;
	return 0;
}

/* Watched, and ready by what only a restart of all of them brings back. */
SUBJECT(watched)
{
	int epoll = epoll_create1(0), edge = epoll_create1(0), i;
	int listener = listening(SOCK_STREAM, "@watched", 5);
	int client = connected(SOCK_STREAM, "@watched"), gone[2], shut[2], reset[2], quiet[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, gone));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, shut));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, reset));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, quiet));
	close(gone[0]);
	CHECK_EQ(0, shutdown(shut[0], SHUT_WR));
	say(reset[1], "unread");
	close(reset[0]);
	for (i = 0; i < 2; i++) {
		int to = i ? edge : epoll;
		uint32_t et = i ? EPOLLET : 0;

		watch(to, listener, EPOLLIN | et, 1);
		watch(to, gone[1], EPOLLIN | EPOLLRDHUP | et, 2);
		watch(to, shut[1], EPOLLIN | EPOLLRDHUP | et, 3);
		watch(to, reset[1], EPOLLIN | et, 4);
		watch(to, quiet[1], EPOLLIN | et, 5);
	}
	subject_point();
	CHECK_EQ(EPOLLIN, watched(epoll, 1));
	CHECK_EQ(EPOLLIN | EPOLLRDHUP | EPOLLHUP, watched(epoll, 2));
	CHECK_EQ(EPOLLIN | EPOLLRDHUP, watched(epoll, 3));
	CHECK_EQ(EPOLLIN | EPOLLHUP | EPOLLERR, watched(epoll, 4));
	CHECK_EQ(0, watched(epoll, 5));
	{
		struct epoll_event e[16];

		CHECK_EQ(4, epoll_wait(edge, e, 16, 0));
		CHECK_EQ(0, epoll_wait(edge, e, 16, 0));
	}
	say(quiet[0], "now");
	CHECK_EQ(EPOLLIN, watched(epoll, 5));
	CHECK_EQ(EPOLLIN, watched(edge, 5));
	check_works(client, accept(listener, NULL, NULL));
}

/* A server and its clients, in full flow. */
SUBJECT(busy)
{
	enum { CLIENTS = 3, ROUNDS = 2000 };
	int listener = listening(SOCK_STREAM, "f/server", 5), fd, i, k, n;
	pid_t server, client[CLIENTS];

	for (i = 0; i < CLIENTS; i++) {
		client[i] = fork();
		if (client[i])
			continue;
		fd = connected(SOCK_STREAM, "f/server");
		for (k = 0; k < ROUNDS || !subject_told("go"); k++) {
			CHECK_EQ(sizeof(k), send(fd, &k, sizeof(k), 0));
			CHECK_EQ(sizeof(n), recv(fd, &n, sizeof(n), MSG_WAITALL));
			CHECK_EQ(k + 1, n);
		}
		_exit(0);
	}
	for (i = 0; i < CLIENTS; i++) {
		fd = accept(listener, NULL, NULL);
		CHECK(fd >= 0);
		server = fork();
		if (!server) {
			while (recv(fd, &n, sizeof(n), MSG_WAITALL) == sizeof(n)) {
				n++;
				CHECK_EQ(sizeof(n), send(fd, &n, sizeof(n), 0));
			}
			_exit(0);
		}
		close(fd);
	}
	subject_ready();
	for (i = 0; i < CLIENTS; i++)
		subject_join(client[i]);
	while (wait(&n) > 0)
		CHECK_EQ(0, n);
}

/* Descriptors all over the place, and others who send as well. */
SUBJECT(crowd)
{
	int listener = listening(SOCK_STREAM, "f/listener", 20);
	int inbox = bound(SOCK_DGRAM, "f/inbox"), fds[2], null, i, k;
	char buf[64];
	pid_t pid;

	null = open("/dev/null", O_RDWR);
	CHECK_EQ(0, fcntl(inbox, F_SETFL, O_NONBLOCK));
	CHECK_EQ(0, fcntl(listener, F_SETFL, O_NONBLOCK));
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	for (i = 0; i < 2; i++) {
		pid = fork();
		if (pid)
			continue;
		for (k = 0; !subject_told("go"); k++) {
			int mine[2], got[2] = { -1, -1 };

			CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, mine));
			send_fds(mine[0], "one", (int []){ mine[1], null }, 2);
			if (k % 3) {
				recv_fds(mine[1], "one", got, 2);
				send_fds_may_fail(fds[i], got[0]);
				send_fds_may_fail(fds[i], got[1]);
				close(got[0]);
				close(got[1]);
				/* as much as was sent, more or less; they are lost */
				while (recv(fds[i], buf, sizeof(buf), MSG_DONTWAIT) > 0)
					;
			}
			/* or else it is garbage */
			close(mine[0]);
			close(mine[1]);
			recv(inbox, buf, sizeof(buf), 0);
			close(accept(listener, NULL, NULL));
		}
		_exit(0);
	}
	subject_ready();
	while (wait(&i) > 0)
		CHECK(WIFEXITED(i) || WTERMSIG(i) == SIGKILL);
}

/* ---- refused ---- */

SUBJECT(filter)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, -1) };
	struct sock_fprog prog = { .len = 1, .filter = code };
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	CHECK_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	subject_point();
	check_works(fds[0], fds[1]);
}

SUBJECT(packet)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(unshared)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(0, unshare(CLONE_NEWNET));
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_GETFD));
}

SUBJECT(in_flight)
{
	int fds[2], fd = socket(AF_PACKET, SOCK_DGRAM, 0), got;

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	send_fds(fds[0], "packet", &fd, 1);
	close(fd);
	subject_point();
	recv_fds(fds[1], "packet", &got, 1);
}

/* Of an ordinary user, but made by root. */
static void become_user(void)
{
	CHECK_EQ(0, setgroups(0, NULL));
	CHECK_EQ(0, setresgid(1000, 1000, 1000));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

SUBJECT(peer_root)
{
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(0, fchown(fds[0], 1000, 1000));
	CHECK_EQ(0, fchown(fds[1], 1000, 1000));
	become_user();
	subject_point();
	CHECK_EQ(0, peercred(fds[0]).uid);
}

/* To be restarted where the address is taken, or is another. */
SUBJECT(address_taken)
{
	int fd = listening(SOCK_STREAM, "f/taken", 5);

	subject_point();
	check_name(fd, "f/taken", false);
}

SUBJECT(abstract_taken)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0ckpt-taken" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(0, bind(fd, (void *)&sun, sizeof(sun.sun_family) + 11));
	subject_point();
	CHECK_EQ(0, listen(fd, 5));
}

CKPT_FIXTURE_HOW(unix_sockets);
CKPT_VARIANTS(unix_sockets);

CKPT_ROUNDTRIP(unix_sockets, empty);
CKPT_ROUNDTRIP(unix_sockets, fresh);
CKPT_ROUNDTRIP(unix_sockets, stream);
CKPT_ROUNDTRIP(unix_sockets, spliced);
CKPT_ROUNDTRIP(unix_sockets, messages);
CKPT_ROUNDTRIP(unix_sockets, full);
CKPT_ROUNDTRIP(unix_sockets, shut);
CKPT_ROUNDTRIP(unix_sockets, closed);
CKPT_ROUNDTRIP(unix_sockets, oob);
CKPT_ROUNDTRIP(unix_sockets, options);
CKPT_ROUNDTRIP(unix_sockets, options_root);
CKPT_ROUNDTRIP(unix_sockets, peek_off);
CKPT_ROUNDTRIP(unix_sockets, owner);
CKPT_ROUNDTRIP(unix_sockets, bound_path);
CKPT_ROUNDTRIP(unix_sockets, abstract);
CKPT_ROUNDTRIP(unix_sockets, dead_names);
CKPT_ROUNDTRIP(unix_sockets, datagrams);
CKPT_ROUNDTRIP(unix_sockets, unlinked);
CKPT_ROUNDTRIP(unix_sockets, backlog_stream);
CKPT_ROUNDTRIP(unix_sockets, backlog_seqpacket);
CKPT_ROUNDTRIP(unix_sockets, rights);
CKPT_ROUNDTRIP(unix_sockets, rights_inet);
CKPT_ROUNDTRIP(unix_sockets, nested);
CKPT_ROUNDTRIP(unix_sockets, circle);
CKPT_ROUNDTRIP(unix_sockets, waiting_rights);
CKPT_ROUNDTRIP(unix_sockets, creds);
CKPT_ROUNDTRIP(unix_sockets, peer_gone);
CKPT_ROUNDTRIP(unix_sockets, timestamps);
CKPT_ROUNDTRIP(unix_sockets, full_order);
CKPT_ROUNDTRIP(unix_sockets, oob_places);
CKPT_ROUNDTRIP(unix_sockets, append);
CKPT_ROUNDTRIP(unix_sockets, rights_state);
CKPT_ROUNDTRIP(unix_sockets, pidfds);
CKPT_ROUNDTRIP(unix_sockets, timestamps_kept);
CKPT_ROUNDTRIP(unix_sockets, blocked);
CKPT_ROUNDTRIP(unix_sockets, watched);
CKPT_ROUNDTRIP(unix_sockets, asleep);

CKPT_FIXTURE_HOW(unix_other);
CKPT_VARIANTS_OTHER(unix_other);

CKPT_ROUNDTRIP(unix_other, busy);

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, kinds, CKPT_TIMEOUT)
{
	EXPECT_EQ(0, ckpt_refused("filter", "unix socket", "filter"));
	EXPECT_EQ(0, ckpt_refused("packet", "socket:[", "PF_PACKET"));
	EXPECT_EQ(0, ckpt_refused("unshared", "unix socket", "namespace"));
	EXPECT_EQ(0, ckpt_refused("in_flight", "socket:[", "PF_PACKET"));
	EXPECT_EQ(0, ckpt_refused("linked", "unix socket", "another name"));
}

/* The name of a socket in the directory of a run. */
static socklen_t run_address(struct ckpt_run *run, const char *name,
			     struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/%s", run->dir, name) >=
	    (int)sizeof(sun->sun_path))
		return 0;
	return sizeof(*sun);
}

TEST_F_TIMEOUT(refused, address_gone, CKPT_TIMEOUT)
{
	struct sockaddr_un sun;
	struct ckpt_run run;
	socklen_t len;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "address_taken"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	pid = run.pid;
	run.pid = 0;
	len = run_address(&run, "f/taken", &sun);
	ASSERT_NE(0, len);
	ASSERT_EQ(0, unlink(sun.sun_path));
	EXPECT_EQ(-ENOENT, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));

	/* another one by that name, and bound to */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(fd, (void *)&sun, len));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run)) ckpt_print(&run, "log");
	run.restart_flags = RESTART_FILES_CHANGED;
	EXPECT_EQ(-EADDRINUSE, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	close(fd);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(refused, abstract_taken, CKPT_TIMEOUT)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0ckpt-taken" };
	struct ckpt_run run;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "abstract_taken"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	pid = run.pid;
	run.pid = 0;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(fd, (void *)&sun, sizeof(sun.sun_family) + 11));
	EXPECT_EQ(-EADDRINUSE, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "@ckpt-taken")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Send, connect and leave garbage, until we are killed. */
static void hammer(struct ckpt_run *run)
{
	struct sockaddr_un inbox, listener;
	socklen_t len = run_address(run, "f/inbox", &inbox);
	int null = open("/dev/null", O_RDWR), fds[2], fd;
	unsigned int i;

	run_address(run, "f/listener", &listener);
	for (i = 0;; i++) {
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (!connect(fd, (void *)&inbox, len)) {
			send(fd, "text", 4, MSG_DONTWAIT);
			if (i % 2)
				send_fds_may_fail(fd, null);
		}
		close(fd);
		if (i % 8 == 0) {
			fd = socket(AF_UNIX, SOCK_STREAM, 0);
			connect(fd, (void *)&listener, len);
			close(fd);
		}
		if (!socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) {
			send_fds_may_fail(fds[0], fds[1]);
			send_fds_may_fail(fds[1], fds[0]);
			close(fds[0]);
			close(fds[1]);
		}
		if (i % 16 == 0)
			ckpt_sleep_ms(1);
	}
}

/* Any result will do but to be caught in it, or to harm the target. */
TEST_F_TIMEOUT(refused, crowd, CKPT_TIMEOUT)
{
	int fd, i, status, good = 0;
	struct ckpt_run run;
	pid_t pid, killer;
	char path[128], text[256];
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "crowd"));
	pid = fork();
	if (!pid)
		hammer(&run);
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (i = 0; i < 60; i++) {
		ret = ckpt_checkpoint_log(&run, 0, fd);
		EXPECT_TRUE(ret > 0 || ret == -EOPNOTSUPP) {
			TH_LOG("%ld", ret);
			ckpt_print(&run, "log");
		}
		good += ret > 0;
	}
	TH_LOG("%d went well", good);
	/* none of its processes has found fault with anything */
	snprintf(path, sizeof(path), "%s/result", run.dir);
	EXPECT_EQ(0, ckpt_slurp(path, text, sizeof(text))) TH_LOG("%s", text);
	killer = fork();
	if (!killer) {
		ckpt_sleep_ms(200);
		kill(run.pid, SIGKILL);
		_exit(0);
	}
	for (i = 0; i < 100 && !kill(run.pid, 0); i++)
		if (ckpt_checkpoint_log(&run, 0, fd) == -ESRCH)
			break;
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(killer, waitpid(killer, &status, 0));
	ckpt_touch(&run, "go");
	ASSERT_EQ(run.pid, waitpid(run.pid, &status, 0));
	run.pid = 0;
	close(fd);
	ckpt_sleep_ms(200);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Who may make processes with any id cannot make up other users by that. */
TEST_F_TIMEOUT(refused, other_peer, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fd, log, status;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "peer_root"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	fd = ckpt_open(&run, "image", O_RDONLY);
	log = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid = fork();
	if (!pid) {
		struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct caps[2] = {};
		long ret;

		caps[CAP_CHECKPOINT_RESTORE / 32].permitted = 1U << CAP_CHECKPOINT_RESTORE % 32;
		caps[CAP_CHECKPOINT_RESTORE / 32].effective = 1U << CAP_CHECKPOINT_RESTORE % 32;
		if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
		    setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) ||
		    syscall(SYS_capset, &head, caps) || prctl(PR_SET_DUMPABLE, 1))
			_exit(90);
		ret = ckpt_restart_from(fd, 0, log);
		_exit(ret < 0 ? -ret : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EPERM << 8, status) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "cannot send as user 0")) ckpt_print(&run, "log");
	close(fd);
	close(log);
	/* with the privilege it works */
	run.pid = 0;
	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
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

CKPT_FIXTURE(unprivileged);

/* In user and pid namespaces of their own, ordinary users can do all of it. */
TEST_F_TIMEOUT(unprivileged, own_namespaces, CKPT_TIMEOUT)
{
	static const char * const subjects[] = {
		"bound_path", "abstract", "rights", "rights_state", "circle",
		"backlog_stream", "waiting_rights", "options", "dead_names",
	};
	unsigned int i;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(91);
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "0 1000 1");
		write_file("/proc/self/gid_map", "0 1000 1");
		pid = fork();
		if (!pid) {
			for (i = 0; i < ARRAY_SIZE(subjects); i++) {
				struct ckpt_run run;

				ckpt_init(&run, &(struct ckpt_how) { .kill = true });
				if (ckpt_roundtrip_run(subjects[i], &run)) {
					ckpt_msg("%s", subjects[i]);
					_exit(1 + i);
				}
			}
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(93);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

CKPT_TEST_MAIN
