// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: pidfds, of processes and threads that live, of zombies,
 * and of those that are gone.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef P_PIDFD
#define P_PIDFD		3
#endif
#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK	O_NONBLOCK
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL
#endif

static int open_pidfd(pid_t pid, unsigned int flags)
{
	int fd = syscall(SYS_pidfd_open, pid, flags);

	CHECK(fd >= 0);
	return fd;
}

static long send_to(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Whose it is, by what /proc says. */
static int whose(int fd)
{
	char path[64], text[1024], *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	line = strstr(text, "\nPid:");
	CHECK(line);
	return atoi(line + 5);
}

static ino_t inode(int fd)
{
	struct stat st;

	CHECK_EQ(0, fstat(fd, &st));
	return st.st_ino;
}

static void check_gone(int fd)
{
	siginfo_t info;

	CHECK_EQ(POLLIN | POLLHUP, polled(fd));
	CHECK_EQ(-1, send_to(fd, 0));
	CHECK_EQ(ESRCH, errno);
	CHECK_EQ(-1, whose(fd));
	CHECK_EQ(-1, waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
	CHECK_EQ(ECHILD, errno);
}

/* Waits for the end of a child by a pidfd. */
static void reap(int fd, pid_t pid, int code, int status)
{
	siginfo_t info = { };

	CHECK_EQ(0, waitid(P_PIDFD, fd, &info, WEXITED));
	CHECK_EQ(pid, info.si_pid);
	CHECK_EQ(code, info.si_code);
	CHECK_EQ(status, info.si_status);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	CHECK(pid > 0);
	return pid;
}

/* By its name in /proc, in another way than it was made. */
SUBJECT(reopened)
{
	int fd = open_pidfd(getpid(), 0), again, flags;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_NONBLOCK);
	flags = fcntl(again, F_GETFL);
	CHECK_EQ(O_RDONLY | O_NONBLOCK, flags & (O_ACCMODE | O_NONBLOCK));
	subject_point();
	CHECK_EQ(O_RDWR, fcntl(fd, F_GETFL));
	CHECK_EQ(flags, fcntl(again, F_GETFL));
	CHECK_EQ(getpid(), whose(again));
	CHECK_EQ(inode(fd), inode(again));
	CHECK_EQ(0, send_to(again, 0));
}

SUBJECT(children)
{
	pid_t first = sleeper(), second = sleeper();
	int a, b, other, copy, self;
	siginfo_t info;

	self = open_pidfd(getpid(), 0);
	a = open_pidfd(first, 0);
	b = open_pidfd(second, PIDFD_NONBLOCK);
	other = open_pidfd(first, 0);
	copy = fcntl(a, F_DUPFD, 0);
	subject_point();
	CHECK_EQ(FD_CLOEXEC, fcntl(a, F_GETFD));
	CHECK_EQ(0, fcntl(copy, F_GETFD));
	CHECK_EQ(O_RDWR, fcntl(a, F_GETFL));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(b, F_GETFL));
	CHECK_EQ(getpid(), whose(self));
	CHECK_EQ(first, whose(a));
	CHECK_EQ(second, whose(b));
	CHECK_EQ(first, whose(other));
	CHECK_EQ(first, whose(copy));
	CHECK_EQ(inode(a), inode(other));
	CHECK(inode(a) != inode(b));
	CHECK_EQ(0, send_to(self, 0));
	CHECK_EQ(0, polled(a));
	CHECK_EQ(0, polled(b));
	/* flags are shared with the duplicate only */
	CHECK_EQ(0, fcntl(copy, F_SETFL, O_NONBLOCK));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(a, F_GETFL));
	CHECK_EQ(O_RDWR, fcntl(other, F_GETFL));
	CHECK_EQ(-1, waitid(P_PIDFD, b, &info, WEXITED));
	CHECK_EQ(EAGAIN, errno);

	CHECK_EQ(0, send_to(other, SIGTERM));
	CHECK_EQ(1, poll(&(struct pollfd) { .fd = copy, .events = POLLIN }, 1, 20000));
	CHECK_EQ(POLLIN, polled(a));
	reap(other, first, CLD_KILLED, SIGTERM);
	check_gone(a);
	check_gone(copy);
	CHECK_EQ(0, polled(b));
	CHECK_EQ(0, send_to(b, SIGKILL));
	CHECK_EQ(1, poll(&(struct pollfd) { .fd = b, .events = POLLIN }, 1, 20000));
	reap(b, second, CLD_KILLED, SIGKILL);
	check_gone(b);
}

/* Of who comes later in the tree, and of who comes earlier; of relatives. */
SUBJECT(relatives)
{
	pid_t parent = getpid(), older, younger;
	int grandchild, of_older, seen[2];
	char text[32];
	pid_t pid;

	/* not a file: that of the one who went on would be there already */
	CHECK_EQ(0, pipe(seen));
	older = fork();
	if (!older) {
		int up = open_pidfd(parent, 0);

		pid = sleeper();
		subject_report("pid", &pid, sizeof(pid));
		subject_touch("older");
		subject_wait("go");
		CHECK_EQ(parent, whose(up));
		CHECK_EQ(0, send_to(up, 0));
		CHECK_EQ(0, polled(up));
		reap(open_pidfd(pid, 0), pid, CLD_KILLED, SIGKILL);
		_exit(0);
	}
	subject_wait("older");
	of_older = open_pidfd(older, 0);
	younger = fork();
	if (!younger) {
		subject_touch("younger");
		subject_wait("go");
		CHECK_EQ(older, whose(of_older));
		CHECK_EQ(1, write(seen[1], "s", 1));
		_exit(0);
	}
	subject_wait("younger");
	CHECK(ckpt_slurp(subject_path("pid"), text, sizeof(text)) >= (ssize_t)sizeof(pid));
	memcpy(&pid, text, sizeof(pid));
	grandchild = open_pidfd(pid, 0);
	subject_point();
	CHECK_EQ(pid, whose(grandchild));
	CHECK_EQ(older, whose(of_older));
	CHECK_EQ(0, polled(grandchild));
	CHECK_EQ(1, read(seen[0], text, 1));
	CHECK_EQ(0, send_to(grandchild, SIGKILL));
	subject_join(older);
	subject_join(younger);
	check_gone(grandchild);
}

SUBJECT(zombies)
{
	pid_t killed = sleeper(), pid = fork();
	siginfo_t info;
	int a, b;

	if (!pid)
		_exit(42);
	a = open_pidfd(pid, 0);
	b = open_pidfd(killed, 0);
	CHECK_EQ(0, kill(killed, SIGUSR1));
	CHECK_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(0, waitid(P_PID, killed, &info, WEXITED | WNOWAIT));
	subject_point();
	CHECK_EQ(POLLIN, polled(a));
	CHECK_EQ(POLLIN, polled(b));
	CHECK_EQ(pid, whose(a));
	CHECK_EQ(0, send_to(a, 0));
	reap(a, pid, CLD_EXITED, 42);
	check_gone(a);
	CHECK_EQ(POLLIN, polled(b));
	reap(b, killed, CLD_KILLED, SIGUSR1);
	check_gone(b);
}

SUBJECT(gone)
{
	pid_t pid = fork();
	int a, b;

	if (!pid)
		_exit(0);
	a = open_pidfd(pid, 0);
	b = open_pidfd(pid, PIDFD_NONBLOCK);
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
	subject_point();
	CHECK_EQ(O_RDWR, fcntl(a, F_GETFL));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(b, F_GETFL));
	check_gone(a);
	check_gone(b);
	CHECK_EQ(inode(a), inode(b));
}

static _Atomic pid_t thread_id;

static void *thread(void *arg)
{
	thread_id = gettid();
	subject_wait("go");
	return arg;
}

SUBJECT(threads)
{
	int of_thread, of_leader, of_process;
	pthread_t t;

	CHECK_EQ(0, pthread_create(&t, NULL, thread, NULL));
	while (!thread_id)
		ckpt_sleep_ms(1);
	of_thread = open_pidfd(thread_id, PIDFD_THREAD | PIDFD_NONBLOCK);
	of_leader = open_pidfd(getpid(), PIDFD_THREAD);
	of_process = open_pidfd(getpid(), 0);
	/* the thread waits, like us, until it is told */
	subject_point();
	CHECK_EQ(O_RDWR | O_NONBLOCK | PIDFD_THREAD, fcntl(of_thread, F_GETFL));
	CHECK_EQ(O_RDWR | PIDFD_THREAD, fcntl(of_leader, F_GETFL));
	CHECK_EQ(O_RDWR, fcntl(of_process, F_GETFL));
	CHECK_EQ(0, pthread_join(t, NULL));
	CHECK_EQ(1, poll(&(struct pollfd) { .fd = of_thread, .events = POLLIN }, 1,
			 20000));
	CHECK_EQ(0, polled(of_leader));
	CHECK_EQ(0, polled(of_process));
	CHECK_EQ(0, send_to(of_leader, 0));
	CHECK_EQ(getpid(), whose(of_process));
	CHECK_EQ(inode(of_leader), inode(of_process));
}

/* Three wait for the end of one, each in its way. */
SUBJECT(sleepers)
{
	pid_t pid = sleeper(), by_poll, by_epoll, by_wait;
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 };
	int fd = open_pidfd(pid, 0), ep;

	by_poll = fork();
	if (!by_poll) {
		CHECK_EQ(1, poll(&(struct pollfd) { .fd = fd, .events = POLLIN }, 1, -1));
		_exit(0);
	}
	by_epoll = fork();
	if (!by_epoll) {
		ep = epoll_create1(0);
		CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
		memset(&event, 0, sizeof(event));
		CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
		CHECK_EQ(5, event.data.u32);
		CHECK(event.events & EPOLLIN);
		_exit(0);
	}
	by_wait = fork();
	if (!by_wait) {
		pid_t child = sleeper();
		int of_child = open_pidfd(child, 0);

		subject_report("pid", &child, sizeof(child));
		subject_touch("child");
		reap(of_child, child, CLD_KILLED, SIGKILL);
		check_gone(of_child);
		_exit(0);
	}
	subject_wait("child");
	CHECK_EQ(0, ckpt_wait_state(by_poll, 'S'));
	CHECK_EQ(0, ckpt_wait_state(by_epoll, 'S'));
	CHECK_EQ(0, ckpt_wait_state(by_wait, 'S'));
	subject_point();
	ckpt_sleep_ms(20);
	CHECK_EQ('S', ckpt_state(by_poll));
	CHECK_EQ('S', ckpt_state(by_epoll));
	CHECK_EQ('S', ckpt_state(by_wait));
	CHECK_EQ(0, send_to(fd, SIGKILL));
	subject_join(by_poll);
	subject_join(by_epoll);
	reap(fd, pid, CLD_KILLED, SIGKILL);
	ep = subject_open("pid", O_RDONLY);
	CHECK_EQ(sizeof(pid), read(ep, &pid, sizeof(pid)));
	CHECK_EQ(0, kill(pid, SIGKILL));
	subject_join(by_wait);
}

/* ---- refused ---- */

SUBJECT(outside)
{
	open_pidfd(getppid(), 0);
	subject_point();
}

/* Its process is gone, but its group can be sent signals by it. */
SUBJECT(group)
{
	pid_t leader = fork(), member;
	int fd;

	if (!leader) {
		setpgid(0, 0);
		subject_touch("leader");
		subject_wait("member");
		_exit(0);
	}
	subject_wait("leader");
	fd = open_pidfd(leader, 0);
	member = fork();
	if (!member) {
		CHECK_EQ(0, setpgid(0, leader));
		subject_touch("member");
		subject_wait("go");
		_exit(0);
	}
	subject_join(leader);
	subject_point();
	close(fd);
	subject_join(member);
}

CKPT_FIXTURE_HOW(pidfd);
CKPT_VARIANTS(pidfd);

CKPT_ROUNDTRIP(pidfd, children);
CKPT_ROUNDTRIP(pidfd, reopened);
CKPT_ROUNDTRIP(pidfd, relatives);
CKPT_ROUNDTRIP(pidfd, zombies);
CKPT_ROUNDTRIP(pidfd, gone);
CKPT_ROUNDTRIP(pidfd, threads);
CKPT_ROUNDTRIP(pidfd, sleepers);

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, outside, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("outside", "outside of the target", "fd "));
}

TEST_F_TIMEOUT(refused, group, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("group", "has left a group", "fd "));
}

CKPT_TEST_MAIN
