// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what comes from outside of the target, because it has an
 * end there or since the caller of checkpoint() said so. It is handed in again.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* ---- subjects --------------------------------------------------------- */

static void say(int fd, const char *what)
{
	CHECK_EQ(strlen(what), write(fd, what, strlen(what)));
}

static void hear(int fd, const char *want)
{
	char buf[64] = "";

	CHECK_EQ(strlen(want), read(fd, buf, strlen(want)));
	CHECK_MEM(want, buf, strlen(want));
}

/* To and from whoever is at the other end of what was handed in. */
SUBJECT(talks)
{
	int other = fcntl(SUBJECT_FD, F_DUPFD, SUBJECT_FD + 1);

	CHECK(other >= 0);
	say(SUBJECT_FD, "before");
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_SETFL, O_RDWR | O_NONBLOCK));
	CHECK_EQ(0, fcntl(other, F_SETFD, FD_CLOEXEC));
	subject_point();
	CHECK_EQ(FD_CLOEXEC, fcntl(other, F_GETFD));
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_GETFD));
	/* one description, with the flag that it had */
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(other, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_SETFL, O_RDWR));
	CHECK_EQ(0, fcntl(other, F_GETFL) & O_NONBLOCK);
	hear(other, "answer");
	say(SUBJECT_FD, "after");
}

/* It waits for what never came before the checkpoint. */
SUBJECT(sleeps)
{
	subject_ready();
	hear(SUBJECT_FD, "answer");
	say(SUBJECT_FD, "after");
	subject_wait("go");
}

SUBJECT(hears)
{
	subject_point();
	hear(SUBJECT_FD, "unread");
	say(SUBJECT_FD, "after");
}

SUBJECT(keeps)
{
	subject_point();
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_GETFD));
}

SUBJECT(accepts)
{
	int fd;

	subject_point();
	fd = accept(SUBJECT_FD, NULL, NULL);
	CHECK(fd >= 0);
	hear(fd, "waiting");
	say(fd, "taken");
}

/* A name that is the test's, which has it before there is a subject. */
static socklen_t abstract(struct sockaddr_un *sun, const char *name)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "%d", getpid());
	setenv("CKPT_TAG", tag, 0);
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, "ckpt-external-%s-%s",
			getenv("CKPT_TAG"), name);
}

static int bound(const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = abstract(&sun, name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	CHECK(fd >= 0);
	CHECK_EQ(0, bind(fd, (void *)&sun, len));
	return fd;
}

/* What somebody outside has is so, too, if it is known as who sent something. */
SUBJECT(sends)
{
	struct sockaddr_un sun;
	socklen_t len;
	int fd = bound("mine");

	len = abstract(&sun, "mine");
	CHECK_EQ(5, sendto(SUBJECT_FD, "hello", 5, 0, (void *)&sun, len));
	subject_point();
	hear(fd, "hello");
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_GETFD));
}

/* A chain: who is connected to what is connected to the outside. */
SUBJECT(chain)
{
	int far = socket(AF_UNIX, SOCK_DGRAM, 0), near = bound("near");
	struct sockaddr_un sun;
	socklen_t len;

	len = abstract(&sun, "near");
	CHECK_EQ(0, connect(far, (void *)&sun, len));
	len = abstract(&sun, "ours");
	CHECK_EQ(0, connect(near, (void *)&sun, len));
	CHECK_EQ(20, dup2(near, 20));
	CHECK_EQ(21, dup2(far, 21));
	close(near);
	close(far);
	say(20, "before");
	subject_point();
	say(21, "after");
}

/* On its way between two of ours. */
SUBJECT(in_flight)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[2], fd = SUBJECT_FD;
	char c;

	say(SUBJECT_FD, "before");
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	CHECK_EQ(1, sendmsg(fds[0], &msg, 0));
	CHECK_EQ(0, close(SUBJECT_FD));
	subject_point();
	iov.iov_base = &c;
	msg.msg_controllen = sizeof(control);
	CHECK_EQ(1, recvmsg(fds[1], &msg, 0));
	CHECK(cmsg->cmsg_type == SCM_RIGHTS && msg.msg_controllen);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	hear(fd, "answer");
	say(fd, "after");
}

SUBJECT(watches)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 77 };
	int epoll = epoll_create1(0);

	say(SUBJECT_FD, "before");
	CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, SUBJECT_FD, &ev));
	CHECK_EQ(0, epoll_wait(epoll, &ev, 1, 0));
	subject_point();
	CHECK_EQ(1, epoll_wait(epoll, &ev, 1, 20000));
	CHECK_EQ(EPOLLIN, ev.events);
	CHECK_EQ(77, ev.data.u64);
	hear(SUBJECT_FD, "answer");
	say(SUBJECT_FD, "after");
}

/* Connected to a socket that the caller listens on. */
SUBJECT(calls)
{
	struct sockaddr_un sun;
	socklen_t len = abstract(&sun, "server");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(0, connect(fd, (void *)&sun, len));
	CHECK_EQ(SUBJECT_FD, dup2(fd, SUBJECT_FD));
	close(fd);
	say(SUBJECT_FD, "before");
	subject_point();
	hear(SUBJECT_FD, "answer");
	say(SUBJECT_FD, "after");
}

/* Somebody who is outside is at the door. */
SUBJECT(listens)
{
	struct sockaddr_un sun;
	socklen_t len = abstract(&sun, "door");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(0, bind(fd, (void *)&sun, len));
	CHECK_EQ(0, listen(fd, 5));
	subject_point();
	CHECK(accept(fd, NULL, NULL) >= 0);
}

/* ---- helpers ---------------------------------------------------------- */

static void key_of(struct restart_inherit *in, const char *what, int old, int new)
{
	struct stat st;

	memset(in, 0, sizeof(*in));
	fstat(old, &st);
	snprintf(in->key, sizeof(in->key), "%s:[%lu]", what, (unsigned long)st.st_ino);
	in->fd = new;
}

static void fd_key(struct restart_inherit *in, int old, int new)
{
	memset(in, 0, sizeof(*in));
	snprintf(in->key, sizeof(in->key), "fd[%d]", old);
	in->fd = new;
}

/* It has to come all at once. */
static int expect_from(int fd, const char *want)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64] = "";

	if (poll(&p, 1, 60000) != 1 || read(fd, buf, sizeof(buf) - 1) < 0)
		return -errno;
	if (!strcmp(buf, want))
		return 0;
	ckpt_msg("got \"%s\", not \"%s\"", buf, want);
	return -EINVAL;
}

static int expect_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	return poll(&p, 1, 60000) == 1 && read(fd, &c, 1) == 0 ? 0 : -EINVAL;
}

static int refused(struct ckpt_run *run, const char *words)
{
	int fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY), ret = 0;
	long err = ckpt_checkpoint_log(run, run->checkpoint_flags | CHECKPOINT_KILL, fd);

	close(fd);
	if (err != -EOPNOTSUPP || ckpt_log_has(run, words) < 1) {
		ckpt_msg("checkpoint: %ld, and the log should have \"%s\"", err, words);
		ckpt_print(run, "log");
		ret = -EINVAL;
	}
	return ret;
}

/* ---- sockets with an end outside -------------------------------------- */

FIXTURE(sockets) { };
FIXTURE_VARIANT(sockets)
{
	struct ckpt_how how;
	int type;
	bool by_fd;
};
CKPT_FIXTURE_SETUP(sockets);
FIXTURE_VARIANT_ADD(sockets, stream)
{
	.how = { .kill = true },
	.type = SOCK_STREAM,
};
FIXTURE_VARIANT_ADD(sockets, seqpacket_pipe)
{
	.how = { .target = CKPT_CGROUP, .kill = true, .pipe = true },
	.type = SOCK_SEQPACKET,
	.by_fd = true,
};
FIXTURE_VARIANT_ADD(sockets, dgram_self)
{
	.how = { .target = CKPT_SELF, .kill = true },
	.type = SOCK_DGRAM,
};

/* From start to end; the subject says "before", hears "answer", says "after". */
static void talk(struct __test_metadata *_metadata, const struct ckpt_how *how,
		 const char *subject, int type, bool by_fd)
{
	int old[2], new[2], wrong[2], other[2];
	struct restart_inherit in;
	struct ckpt_run run;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, old));
	ASSERT_EQ(0, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, new));
	ASSERT_EQ(0, socketpair(AF_UNIX, (type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM) |
				SOCK_CLOEXEC, 0, wrong));
	ASSERT_EQ(0, pipe2(other, O_CLOEXEC));
	key_of(&in, "socket", old[0], new[0]);
	ckpt_init(&run, how);
	run.extra_fd = old[0];
	ASSERT_EQ(0, ckpt_start(&run, subject));
	/* until here we have the same open file as the subject */
	close(old[0]);
	pid = run.pid;
	EXPECT_EQ(0, expect_from(old[1], "before"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	if (type != SOCK_DGRAM)
		EXPECT_EQ(0, expect_end(old[1]));

	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, in.key)) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "was not handed in")) ckpt_print(&run, "log");
	run.inherit = &in;
	run.nr_inherit = 1;
	in.fd = other[1];
	EXPECT_EQ(-EACCES, ckpt_restart(&run));
	in.fd = ckpt_open(&run, "file", O_CREAT | O_RDWR);
	EXPECT_EQ(-ENOTSOCK, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "is no socket")) ckpt_print(&run, "log");
	close(in.fd);
	in.fd = wrong[0];
	EXPECT_EQ(-EPROTOTYPE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "another kind of socket")) ckpt_print(&run, "log");
	in.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	EXPECT_EQ(-EPROTOTYPE, ckpt_restart(&run));
	close(in.fd);
	EXPECT_EQ(-1, kill(pid, 0));

	if (by_fd)
		fd_key(&in, SUBJECT_FD, new[0]);
	in.fd = new[0];
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	close(new[0]);
	ASSERT_EQ(6, write(new[1], "answer", 6));
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(new[1], "after"));
	if (type != SOCK_DGRAM)
		EXPECT_EQ(0, expect_end(new[1]));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(sockets, pair, CKPT_TIMEOUT)
{
	talk(_metadata, &variant->how, "talks", variant->type, variant->by_fd);
}

TEST_F_TIMEOUT(sockets, watched, CKPT_TIMEOUT)
{
	talk(_metadata, &variant->how, "watches", variant->type, variant->by_fd);
}

/* Its number is that of no descriptor, so it goes by the inode only. */
TEST_F_TIMEOUT(sockets, in_flight, CKPT_TIMEOUT)
{
	talk(_metadata, &variant->how, "in_flight", variant->type, false);
}

CKPT_FIXTURE(socket);

TEST_F_TIMEOUT(socket, asleep, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct ckpt_run run;
	int old[2], new[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, old));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, new));
	key_of(&in, "socket", old[0], new[0]);
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = old[0];
	ASSERT_EQ(0, ckpt_start(&run, "sleeps"));
	close(old[0]);
	pid = run.pid;
	ASSERT_EQ(0, ckpt_wait_state(pid, 'S'));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(6, write(new[1], "answer", 6));
	EXPECT_EQ(0, expect_from(new[1], "after"));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The other end is a connection that somebody outside has accepted. */
TEST_F_TIMEOUT(socket, connection, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct sockaddr_un sun;
	struct ckpt_run run;
	int server, old, new[2];
	socklen_t len;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = abstract(&sun, "server");
	ASSERT_EQ(0, bind(server, (void *)&sun, len));
	ASSERT_EQ(0, listen(server, 5));
	ASSERT_EQ(0, ckpt_start(&run, "calls"));
	pid = run.pid;
	old = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, old);
	EXPECT_EQ(0, expect_from(old, "before"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	EXPECT_EQ(0, expect_end(old));

	/* another connection takes its place */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, new));
	fd_key(&in, SUBJECT_FD, new[0]);
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(6, write(new[1], "answer", 6));
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(new[1], "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ... or is yet to accept, so that the peer is in a queue outside. */
TEST_F_TIMEOUT(socket, not_accepted, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct sockaddr_un sun;
	struct ckpt_run run;
	int server, new[2];
	socklen_t len;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = abstract(&sun, "server");
	ASSERT_EQ(0, bind(server, (void *)&sun, len));
	ASSERT_EQ(0, listen(server, 5));
	ASSERT_EQ(0, ckpt_start(&run, "calls"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, new));
	fd_key(&in, SUBJECT_FD, new[0]);
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(6, write(new[1], "answer", 6));
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(new[1], "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Nobody would ever read it. */
TEST_F_TIMEOUT(socket, unread, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fds[2], i;

	for (i = 0; i < 3; i++) {
		static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

		ASSERT_EQ(0, socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, fds));
		ASSERT_EQ(6, write(fds[1], "unread", 6));
		ckpt_init(&run, NULL);
		run.extra_fd = fds[0];
		ASSERT_EQ(0, ckpt_start(&run, "hears"));
		close(fds[0]);
		EXPECT_EQ(0, refused(&run, "has unread data and an end elsewhere"));
		EXPECT_LE(1, ckpt_log_has(&run, "fd 10")) ckpt_print(&run, "log");
		ASSERT_EQ(0, ckpt_finish(&run));
		EXPECT_EQ(0, expect_from(fds[1], "after"));
		ASSERT_EQ(0, ckpt_cleanup(&run));
		close(fds[1]);
	}
}

/* It is still there if somebody else has the socket, too. */
TEST_F_TIMEOUT(socket, shared_unread, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct ckpt_run run;
	int fds[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(6, write(fds[1], "unread", 6));
	key_of(&in, "socket", fds[0], fds[0]);
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = fds[0];
	ASSERT_EQ(0, ckpt_start(&run, "hears"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(fds[1], "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* As a server has it from who starts it, with somebody at the door. */
TEST_F_TIMEOUT(socket, listener, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct sockaddr_un sun;
	struct ckpt_run run;
	int server, client;
	socklen_t len;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = abstract(&sun, "server");
	ASSERT_EQ(0, bind(server, (void *)&sun, len));
	ASSERT_EQ(0, listen(server, 5));
	ASSERT_EQ(0, connect(client, (void *)&sun, len));
	ASSERT_EQ(7, write(client, "waiting", 7));
	run.extra_fd = server;
	ASSERT_EQ(0, ckpt_start(&run, "accepts"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	key_of(&in, "socket", server, server);
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(client, "taken"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(socket, shared_sender, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct ckpt_run run;
	int fd;
	pid_t pid;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, fd);
	key_of(&in, "socket", fd, fd);
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = fd;
	ASSERT_EQ(0, ckpt_start(&run, "sends"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(socket, chain, CKPT_TIMEOUT)
{
	struct restart_inherit in[2];
	struct sockaddr_un sun;
	struct ckpt_run run;
	int ours, new[2];
	socklen_t len;
	pid_t pid;

	ours = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	len = abstract(&sun, "ours");
	ASSERT_EQ(0, bind(ours, (void *)&sun, len));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "chain"));
	pid = run.pid;
	EXPECT_EQ(0, expect_from(ours, "before"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, new));
	fd_key(&in[0], 20, ours);
	run.inherit = in;
	run.nr_inherit = 1;
	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "fd 21: was not handed in")) ckpt_print(&run, "log");
	fd_key(&in[1], 21, new[0]);
	run.nr_inherit = 2;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(new[1], "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(socket, at_the_door, CKPT_TIMEOUT)
{
	struct sockaddr_un sun;
	struct ckpt_run run;
	socklen_t len;
	int fd;

	len = abstract(&sun, "door");
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "listens"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(fd, (void *)&sun, len));
	EXPECT_EQ(0, refused(&run, "has a connection from outside waiting"));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- what could be saved, and shall be handed in ---------------------- */

static void *alloc_map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* A pipe of its own, both ends of it. */
SUBJECT(own_pipe)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(20, dup2(fds[0], 20));
	CHECK_EQ(21, dup2(fds[1], 21));
	close(fds[0]);
	close(fds[1]);
	subject_point();
	hear(20, "answer");
	say(21, "after");
}

SUBJECT(full_pipe)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(20, dup2(fds[0], 20));
	CHECK_EQ(21, dup2(fds[1], 21));
	say(21, "unread");
	subject_point();
	hear(20, "unread");
}

/* Both ends of a pair of sockets; the other one has to be handed in, too. */
SUBJECT(own_sockets)
{
	int fds[2];

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	CHECK_EQ(20, dup2(fds[0], 20));
	CHECK_EQ(21, dup2(fds[1], 21));
	close(fds[0]);
	close(fds[1]);
	subject_point();
	hear(20, "answer");
	say(21, "after");
}

/* A log that is written to, and is another afterwards. */
SUBJECT(log)
{
	int fd = subject_open("f/log", O_CREAT | O_RDWR | O_APPEND), other = dup(fd);

	CHECK(fd >= 0 && other >= 0);
	CHECK_EQ(30, dup2(fd, 30));
	close(fd);
	say(30, "before");
	subject_point();
	say(30, "after");
	say(other, "wards");
	CHECK_EQ(11, lseek(30, 0, SEEK_CUR));
	CHECK_EQ(11, lseek(other, 0, SEEK_CUR));
}

/* Mapped, not open; and a page of its own. */
SUBJECT(mapped)
{
	int fd = subject_open("f/map", O_CREAT | O_RDWR);
	char *shared, *private;

	CHECK(fd >= 0);
	CHECK_EQ(0, ftruncate(fd, 8192));
	CHECK_EQ(5, pwrite(fd, "first", 5, 0));
	shared = alloc_map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	private = alloc_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	close(fd);
	private[4000] = 'p';
	CHECK_MEM("first", shared, 5);
	subject_point();
	/* what is in the file is the other file's, what was written is its own */
	CHECK_MEM("other", shared, 5);
	CHECK_EQ('p', private[4000]);
	memcpy(shared, "again", 5);
}

SUBJECT(locked)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = subject_open("f/log", O_CREAT | O_RDWR);

	CHECK_EQ(30, dup2(fd, 30));
	CHECK_EQ(0, fcntl(30, F_SETLK, &lock));
	subject_point();
	CHECK_EQ(1, write(30, "x", 1));
}

SUBJECT(o_path)
{
	CHECK_EQ(30, dup2(open("/", O_PATH), 30));
	subject_point();
	CHECK_EQ(0, fcntl(30, F_GETFD));
}

SUBJECT(counts)
{
	CHECK_EQ(30, dup2(eventfd(1, 0), 30));
	subject_point();
	CHECK_EQ(0, fcntl(30, F_GETFD));
}

SUBJECT(own_pty)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, slave;
	char name[32];

	CHECK(master >= 0);
	CHECK_EQ(0, ioctl(master, TIOCSPTLCK, &zero));
	CHECK_EQ(0, ptsname_r(master, name, sizeof(name)));
	slave = open(name, O_RDWR | O_NOCTTY);
	CHECK_EQ(30, dup2(slave, 30));
	subject_point();
	CHECK(isatty(30));
}

/* A connection to a server outside. */
SUBJECT(tcp)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(getenv("CKPT_PORT"));
	sin.sin_port = htons(atoi(getenv("CKPT_PORT")));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_EQ(0, connect(fd, (void *)&sin, sizeof(sin)));
	CHECK_EQ(SUBJECT_FD, dup2(fd, SUBJECT_FD));
	close(fd);
	say(SUBJECT_FD, "before");
	subject_point();
	hear(SUBJECT_FD, "answer");
	say(SUBJECT_FD, "after");
}

/* An unsupported kind of socket: nothing of it is in the image. */
SUBJECT(raw)
{
	CHECK_EQ(SUBJECT_FD, dup2(socket(AF_PACKET, SOCK_RAW, 0), SUBJECT_FD));
	subject_point();
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_GETFD));
}

#define KEYS(run, ...) do {						\
	const char *keys_[] = { __VA_ARGS__ };				\
									\
	set_keys(run, keys_, ARRAY_SIZE(keys_));			\
} while (0)

static void set_keys(struct ckpt_run *run, const char **keys, unsigned int nr)
{
	static uint64_t addr[8];
	unsigned int i;

	for (i = 0; i < nr; i++)
		addr[i] = (uintptr_t)keys[i];
	run->external = addr;
	run->nr_external = nr;
}

/* As the subject has it as descriptor @fd. */
static void key_there(struct ckpt_run *run, int fd, char *key, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", run->pid, fd);
	len = readlink(path, key, size - 1);
	key[len < 0 ? 0 : len] = '\0';
}

CKPT_FIXTURE_HOW(wanted);
CKPT_VARIANT(wanted, subtree_kill_file, .kill = true);
CKPT_VARIANT(wanted, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true, .pipe = true);

/* By one of its descriptors, or its inode: both ends are external then. */
TEST_F_TIMEOUT(wanted, pipe, CKPT_TIMEOUT)
{
	struct restart_inherit in[2];
	int i, to[2], from[2];
	struct ckpt_run run;
	char key[64];
	pid_t pid;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pipe2(to, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(from, O_CLOEXEC));
		ckpt_init(&run, &variant->how);
		ASSERT_EQ(0, ckpt_start(&run, "own_pipe"));
		pid = run.pid;
		key_there(&run, 20, key, sizeof(key));
		KEYS(&run, i ? "fd[21]" : key);
		ASSERT_EQ(0, ckpt_checkpoint(&run));
		EXPECT_EQ(-ENXIO, ckpt_restart(&run));
		EXPECT_LE(1, ckpt_log_has(&run, key)) ckpt_print(&run, "log");
		/* the same key for both, but open for something else */
		memset(in, 0, sizeof(in));
		strcpy(in[0].key, key);
		in[0].fd = to[0];
		in[1] = in[0];
		in[1].fd = from[1];
		if (i)
			strcpy(in[1].key, "fd[21]");
		run.inherit = in;
		run.nr_inherit = 2;
		ASSERT_EQ(6, write(to[1], "answer", 6));
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
		ASSERT_EQ(0, ckpt_finish(&run));
		EXPECT_EQ(0, expect_from(from[0], "after"));
		ASSERT_EQ(0, ckpt_cleanup(&run));
	}
}

TEST_F_TIMEOUT(wanted, sockets, CKPT_TIMEOUT)
{
	struct restart_inherit in[2];
	struct ckpt_run run;
	char key[2][64];
	int a[2], b[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b));
	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "own_sockets"));
	pid = run.pid;
	key_there(&run, 20, key[0], sizeof(key[0]));
	key_there(&run, 21, key[1], sizeof(key[1]));
	/* the peer of what is external is so, too */
	KEYS(&run, key[0]);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	memset(in, 0, sizeof(in));
	strcpy(in[0].key, key[0]);
	in[0].fd = a[0];
	run.inherit = in;
	run.nr_inherit = 1;
	EXPECT_EQ(-ENXIO, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, key[1])) ckpt_print(&run, "log");
	strcpy(in[1].key, key[1]);
	in[1].fd = b[0];
	run.nr_inherit = 2;
	ASSERT_EQ(6, write(a[1], "answer", 6));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(b[1], "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* By its name, by a directory above, and by descriptor. */
TEST_F_TIMEOUT(wanted, file, CKPT_TIMEOUT)
{
	char key[128], mount[128], text[64];
	struct restart_inherit in = {};
	struct ckpt_run run;
	uint64_t addr;
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++) {
		ckpt_init(&run, &variant->how);
		ASSERT_EQ(0, ckpt_start(&run, "log"));
		pid = run.pid;
		snprintf(key, sizeof(key), "file:%s/f/log", run.dir);
		snprintf(mount, sizeof(mount), "mount:%s/f/", run.dir);
		KEYS(&run, i == 0 ? key : i == 1 ? mount : "fd[30]");
		ASSERT_EQ(0, ckpt_checkpoint(&run));
		/* it is gone, and nobody looks for it */
		ckpt_remove(&run, "f/log");
		EXPECT_EQ(-ENXIO, ckpt_restart(&run));
		EXPECT_LE(1, ckpt_log_has(&run, key)) ckpt_print(&run, "log");

		in.fd = ckpt_open(&run, "other", O_CREAT | O_RDWR | O_APPEND);
		ASSERT_EQ(1, write(in.fd, "=", 1));
		addr = (uintptr_t)key;
		in.key[0] = '\0';
		run.inherit_keys = &addr;
		if (i == 2) {
			strcpy(in.key, "fd[30]");
			run.inherit_keys = NULL;
		}
		run.inherit = &in;
		run.nr_inherit = 1;
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
		ASSERT_EQ(0, ckpt_finish(&run));
		memset(text, 0, sizeof(text));
		EXPECT_EQ(11, pread(in.fd, text, sizeof(text), 0));
		EXPECT_STREQ("=afterwards", text);
		EXPECT_FALSE(ckpt_exists(&run, "f/log"));
		close(in.fd);
		ASSERT_EQ(0, ckpt_cleanup(&run));
	}
}

TEST_F_TIMEOUT(wanted, mapped, CKPT_TIMEOUT)
{
	struct restart_inherit in = {};
	struct ckpt_run run;
	char key[128], text[8] = "";
	uint64_t addr = (uintptr_t)key;
	pid_t pid;

	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "mapped"));
	pid = run.pid;
	snprintf(key, sizeof(key), "file:%s/f/map", run.dir);
	KEYS(&run, key);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ckpt_remove(&run, "f/map");
	in.fd = ckpt_open(&run, "other", O_CREAT | O_RDWR);
	ASSERT_EQ(0, ftruncate(in.fd, 8192));
	ASSERT_EQ(5, pwrite(in.fd, "other", 5, 0));
	run.inherit = &in;
	run.nr_inherit = 1;
	run.inherit_keys = &addr;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(5, pread(in.fd, text, 5, 0));
	EXPECT_STREQ("again", text);
	close(in.fd);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A connection to a server, which its client makes anew. */
TEST_F_TIMEOUT(wanted, tcp, CKPT_TIMEOUT)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct restart_inherit in;
	struct ckpt_run run;
	int server, old, again, udp;
	char port[16], key[64];
	pid_t pid;

	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(server, (void *)&sin, sizeof(sin)));
	ASSERT_EQ(0, listen(server, 5));
	ASSERT_EQ(0, getsockname(server, (void *)&sin, &len));
	snprintf(port, sizeof(port), "%d", ntohs(sin.sin_port));
	setenv("CKPT_PORT", port, 1);
	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "tcp"));
	pid = run.pid;
	old = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	EXPECT_EQ(0, expect_from(old, "before"));
	/* as it is by itself */
	EXPECT_EQ(0, refused(&run, "connection"));
	key_there(&run, SUBJECT_FD, key, sizeof(key));
	KEYS(&run, key);
	/* what was not read would be lost */
	ASSERT_EQ(6, write(old, "unread", 6));
	EXPECT_EQ(0, refused(&run, "has unread data"));
	run.nr_external = 0;
	ASSERT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	run.pid = 0;
	close(old);
	ASSERT_EQ(0, ckpt_cleanup(&run));

	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "tcp"));
	pid = run.pid;
	old = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	EXPECT_EQ(0, expect_from(old, "before"));
	key_there(&run, SUBJECT_FD, key, sizeof(key));
	KEYS(&run, key);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	EXPECT_EQ(0, expect_end(old));
	close(old);
	memset(&in, 0, sizeof(in));
	strcpy(in.key, key);
	run.inherit = &in;
	run.nr_inherit = 1;
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	in.fd = udp;
	EXPECT_EQ(-EPROTOTYPE, ckpt_restart(&run));
	again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(again, (void *)&sin, sizeof(sin)));
	old = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, old);
	in.fd = again;
	ASSERT_EQ(6, write(old, "answer", 6));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, expect_from(old, "after"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* What cannot be saved at all may be external. */
TEST_F_TIMEOUT(wanted, unsupported, CKPT_TIMEOUT)
{
	struct restart_inherit in;
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "raw"));
	pid = run.pid;
	EXPECT_EQ(0, refused(&run, "PF_PACKET"));
	KEYS(&run, "fd[10]", "fd[999]");
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "\"fd[999]\": the target has no such thing"))
		ckpt_print(&run, "log");
	EXPECT_EQ(0, ckpt_log_has(&run, "fd[10]")) ckpt_print(&run, "log");
	fd_key(&in, SUBJECT_FD, socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	run.inherit = &in;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_FIXTURE(unwanted);

TEST_F_TIMEOUT(unwanted, refused, CKPT_TIMEOUT)
{
	static const struct {
		const char *subject, *key, *words;
	} cases[] = {
		{ "full_pipe", "fd[20]", "has unread data and an end elsewhere" },
		{ "locked", "fd[30]", "is to be external, and locked" },
		{ "o_path", "fd[30]", "is to be external, and open with O_PATH" },
		{ "counts", "fd[30]", "is to be external, and of a kind that cannot be" },
		{ "own_pty", "tty", "is to be external, and a terminal of which" },
	};
	struct ckpt_run run;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ckpt_init(&run, NULL);
		ASSERT_EQ(0, ckpt_start(&run, cases[i].subject));
		KEYS(&run, cases[i].key);
		EXPECT_EQ(0, refused(&run, cases[i].words));
		run.nr_external = 0;
		ASSERT_EQ(0, ckpt_finish(&run));
		ASSERT_EQ(0, ckpt_cleanup(&run));
	}
}

TEST_F_TIMEOUT(unwanted, arguments, CKPT_TIMEOUT)
{
	static const char * const bad[] = {
		"", "fd", "fd[", "fd[]", "fd[1", "fd[1]x", "fd[-1]", "fd[+1]", "fd[ 1]",
		"fd[99999999999]", "fd[99999999999999999999999999]", "pipe:[x]", "pipe:1",
		"socket:[0x1]", "tty0", "file:", "file:name", "mount:name", "net:[1]",
	};
	struct checkpoint_args args = { .target_fd = -1, .image_fd = -1, .log_fd = -1 };
	static char too_long[PATH_MAX + 64];
	struct restart_inherit in = { .key = "tty", .fd = 0 };
	struct restart_args rargs = { .log_fd = -1, .cgroup_fd = -1 };
	uint64_t key;
	size_t i;

	args.flags = CHECKPOINT_DRY_RUN;
	args.external = (uintptr_t)&key;
	args.external_count = 1;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		key = (uintptr_t)bad[i];
		EXPECT_EQ(-EINVAL, sys_checkpoint(&args, sizeof(args))) {
			TH_LOG("\"%s\"", bad[i]);
		}
	}
	memset(too_long, 'x', sizeof(too_long) - 1);
	memcpy(too_long, "file:/", 6);
	key = (uintptr_t)too_long;
	EXPECT_EQ(-EINVAL, sys_checkpoint(&args, sizeof(args)));
	key = 16;
	EXPECT_EQ(-EFAULT, sys_checkpoint(&args, sizeof(args)));
	args.external = 16;
	EXPECT_EQ(-EFAULT, sys_checkpoint(&args, sizeof(args)));
	args.external = (uintptr_t)&key;
	args.external_count = CHECKPOINT_EXTERNAL_MAX + 1;
	EXPECT_EQ(-E2BIG, sys_checkpoint(&args, sizeof(args)));
	args.external_count = 0;
	args.reserved = 1;
	EXPECT_EQ(-EINVAL, sys_checkpoint(&args, sizeof(args)));

	rargs.image_fd = memfd_create("empty", MFD_CLOEXEC);
	rargs.inherit = (uintptr_t)&in;
	rargs.inherit_count = 1;
	rargs.inherit_keys = (uintptr_t)&key;
	key = (uintptr_t)"pipe:[1]";
	/* two keys for one */
	EXPECT_EQ(-EINVAL, sys_restart(&rargs, sizeof(rargs)));
	in.key[0] = '\0';
	key = 16;
	EXPECT_EQ(-EFAULT, sys_restart(&rargs, sizeof(rargs)));
	key = (uintptr_t)too_long;
	EXPECT_EQ(-EINVAL, sys_restart(&rargs, sizeof(rargs)));
	rargs.inherit_keys = 16;
	EXPECT_EQ(-EFAULT, sys_restart(&rargs, sizeof(rargs)));
	/* these are all right, the image is empty */
	rargs.inherit_keys = (uintptr_t)&key;
	key = (uintptr_t)"file:/a/name/that/is/longer/than/forty/bytes/are";
	EXPECT_EQ(-EBADMSG, sys_restart(&rargs, sizeof(rargs)));
	close(rargs.image_fd);
}

/* ---- what the target shares with a task outside ------------------------ */

/* A sibling: a child of our parent, which is the test. */
static pid_t fork_outside(unsigned long flags)
{
	pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD | flags, 0, 0, 0, 0);

	CHECK(pid >= 0);
	return pid;
}

/* Waits for the test, without a descriptor of its own for that. */
static void outside_waits(const char *name)
{
	while (access(subject_path(name), F_OK))
		ckpt_sleep_ms(3);
}

SUBJECT(leaks_tables)
{
	char cwd[PATH_MAX];
	int fd;

	CHECK_EQ(30, dup2(subject_open("f/file", O_CREAT | O_RDWR), 30));
	CHECK_EQ(0, chdir("/proc"));
	CHECK_EQ(0, chdir("/tmp"));
	umask(027);
	if (!fork_outside(CLONE_FILES | CLONE_FS)) {
		subject_touch("outside");
		outside_waits("change");
		_exit(close(30) || chdir("/") || umask(0) != 027 ? 1 : 0);
	}
	subject_wait("outside");
	subject_point();
	/* as at the checkpoint, whatever became of the other's */
	CHECK_EQ(0, fcntl(30, F_GETFD));
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/tmp"));
	CHECK_EQ(027, umask(0));
	fd = subject_open("f/file", O_RDWR);
	CHECK(fd >= 0 && fd != 30);
}

SUBJECT(leaks_objects)
{
	int event = eventfd(5, EFD_NONBLOCK), epoll = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 9 };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 16 };
	int shmid = shmget(IPC_PRIVATE, 4096, 0600);
	char *segment = shmat(shmid, NULL, 0);
	char msg[16], name[32];
	uint64_t count;
	mqd_t queue;

	CHECK(page != MAP_FAILED && segment != (void *)-1);
	CHECK_EQ(0, shmctl(shmid, IPC_RMID, NULL));
	strcpy(page, "as it was");
	strcpy(segment, "and here");
	snprintf(name, sizeof(name), "/ckpt-leak-%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	CHECK(queue >= 0);
	CHECK_EQ(0, mq_unlink(name));
	CHECK_EQ(0, mq_send(queue, "message", 8, 5));
	CHECK_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ev));
	if (!fork_outside(0)) {
		subject_touch("outside");
		outside_waits("change");
		strcpy(page, "changed");
		strcpy(segment, "changed");
		_exit(mq_receive(queue, msg, sizeof(msg), NULL) == 8 &&
		      read(event, &count, sizeof(count)) == sizeof(count) &&
		      !epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL) ? 0 : 1);
	}
	subject_wait("outside");
	subject_point();
	CHECK_MEM("as it was", page, 10);
	CHECK_MEM("and here", segment, 9);
	CHECK_EQ(8, mq_receive(queue, msg, sizeof(msg), NULL));
	CHECK_MEM("message", msg, 8);
	CHECK_EQ(1, epoll_wait(epoll, &ev, 1, 0));
	CHECK_EQ(9, ev.data.u64);
	CHECK_EQ(sizeof(count), read(event, &count, sizeof(count)));
	CHECK_EQ(5, count);
}

static char leak_stack[65536] __attribute__((aligned(64)));
static int leak_word;
static volatile unsigned long leak_count[512];

/* Writes to the memory all the time, also while it is checkpointed. */
static int shares_memory(void *arg)
{
	unsigned int i;

	subject_touch("outside");
	while (access(arg, F_OK)) {
		for (i = 0; i < 1000000; i++)
			leak_count[i % 512]++;
	}
	WRITE_ONCE(leak_word, 2);
	return 0;
}

SUBJECT(leaks_memory)
{
	static char name[PATH_MAX];

	strcpy(name, subject_path("change"));
	leak_word = 1;
	CHECK(clone(shares_memory, leak_stack + sizeof(leak_stack),
		    CLONE_VM | CLONE_SIGHAND | CLONE_PARENT | SIGCHLD, name) > 0);
	subject_wait("outside");
	subject_point();
	CHECK_EQ(1, READ_ONCE(leak_word));
}

static void leak(struct __test_metadata *_metadata, const char *subject,
		 const char * const *words)
{
	struct ckpt_run run;
	int status, fd;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, subject));
	pid = run.pid;
	EXPECT_EQ(0, refused(&run, words[0]));
	/* a dry run names all of them, or, if they do no harm, tells of them */
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_EQ(0, ckpt_log_has(&run, "the image has a copy"));
	EXPECT_EQ(0, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN | CHECKPOINT_LEAK_OK, -1))
		ckpt_print(&run, "log");
	run.checkpoint_flags = CHECKPOINT_LEAK_OK;
	fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	ASSERT_LT(0, ckpt_checkpoint_log(&run, CHECKPOINT_KILL | CHECKPOINT_LEAK_OK, fd))
		ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (; *words; words++) {
		EXPECT_LE(1, ckpt_log_has(&run, *words)) {
			TH_LOG("the log has no \"%s\"", *words);
			ckpt_print(&run, "log");
		}
	}
	EXPECT_LE(1, ckpt_log_has(&run, ": the image has a copy")) ckpt_print(&run, "log");

	/* the one outside lives on, and has its way with what it has */
	ckpt_touch(&run, "change");
	EXPECT_LT(0, waitpid(-1, &status, 0));
	EXPECT_EQ(0, status);
	run.pid = 0;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_FIXTURE(leaks);

TEST_F_TIMEOUT(leaks, tables, CKPT_TIMEOUT)
{
	static const char * const words[] = {
		"shares its descriptor table with it",
		"shares its root and working directory (CLONE_FS) with it", NULL
	};

	leak(_metadata, "leaks_tables", words);
}

TEST_F_TIMEOUT(leaks, objects, CKPT_TIMEOUT)
{
	static const char * const words[] = {
		"outside of the target",
		"an eventfd that is also used", "an epoll instance that is also used",
		"memory shared with a task outside of the target",
		"is also open outside of the target", "is also used outside of the target",
		NULL
	};

	leak(_metadata, "leaks_objects", words);
}

TEST_F_TIMEOUT(leaks, memory, CKPT_TIMEOUT)
{
	static const char * const words[] = {
		"shares its memory with it",
		"shares its signal handlers (CLONE_SIGHAND) with it", NULL
	};

	leak(_metadata, "leaks_memory", words);
}

CKPT_TEST_MAIN
