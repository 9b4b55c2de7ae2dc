// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: who gets signals for an open file: F_SETOWN, F_SETSIG,
 * O_ASYNC, and leases.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS	17
#endif

#define SIG_A	(SIGRTMIN + 3)
#define SIG_B	(SIGRTMIN + 4)

static void block(void)
{
	sigset_t set;

	sigfillset(&set);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
}

static sigset_t one(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

/* Nobody has sent it. */
static void check_none(int sig)
{
	struct timespec none = { };
	sigset_t set = one(sig);

	CHECK_EQ(-1, sigtimedwait(&set, NULL, &none));
	CHECK_EQ(EAGAIN, errno);
}

/* It was sent for this descriptor, once. */
static void check_sent(int sig, int fd, int code)
{
	struct timespec soon = { .tv_sec = 20 };
	sigset_t set = one(sig);
	siginfo_t info;

	CHECK_EQ(sig, sigtimedwait(&set, &info, &soon));
	if (fd < 0)
		return;
	CHECK_EQ(fd, info.si_fd);
	CHECK_EQ(code, info.si_code);
}

static void set_owner(int fd, int type, pid_t pid, int sig)
{
	struct f_owner_ex owner = { .type = type, .pid = pid };

	CHECK_EQ(0, fcntl(fd, F_SETOWN_EX, &owner));
	CHECK_EQ(0, fcntl(fd, F_SETSIG, sig));
}

static void set_async(int fd)
{
	CHECK_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static void check_owner(int fd, int type, pid_t pid, int sig, uid_t uid)
{
	struct f_owner_ex owner = { .type = 77 };
	uid_t uids[2] = { 77, 77 };

	CHECK_EQ(0, fcntl(fd, F_GETOWN_EX, &owner));
	CHECK_EQ(type, owner.type);
	CHECK_EQ(pid, owner.pid);
	CHECK_EQ(sig, fcntl(fd, F_GETSIG));
	CHECK_EQ(0, fcntl(fd, F_GETOWNER_UIDS, uids));
	CHECK_EQ(uid, uids[0]);
	CHECK_EQ(uid, uids[1]);
}

/* ---- owners ---- */

SUBJECT(pipes)
{
	int a[2], b[2], other;
	char c;

	block();
	CHECK_EQ(0, pipe(a));
	CHECK_EQ(0, pipe2(b, O_NONBLOCK));
	set_owner(a[0], F_OWNER_PID, getpid(), SIG_A);
	other = dup(a[0]);
	/* signals tell the one that it was set by */
	set_async(other);
	set_owner(b[1], F_OWNER_PID, getpid(), SIG_B);
	set_async(b[1]);
	CHECK_EQ(1, write(b[1], "x", 1));
	check_none(SIG_A);
	check_none(SIG_B);
	subject_point();
	/* that the pipe was filled again is no news */
	check_none(SIG_A);
	check_none(SIG_B);
	check_owner(a[0], F_OWNER_PID, getpid(), SIG_A, 0);
	check_owner(b[1], F_OWNER_PID, getpid(), SIG_B, 0);
	CHECK_EQ(getpid(), fcntl(a[0], F_GETOWN));
	CHECK_EQ(O_RDONLY | O_ASYNC, fcntl(a[0], F_GETFL) & (O_ACCMODE | O_ASYNC));
	CHECK_EQ(0, fcntl(a[1], F_GETFL) & O_ASYNC);
	check_owner(a[1], F_OWNER_TID, 0, 0, 0);
	CHECK_EQ(O_WRONLY | O_ASYNC | O_NONBLOCK,
		 fcntl(b[1], F_GETFL) & (O_ACCMODE | O_ASYNC | O_NONBLOCK));
	CHECK_EQ(1, write(a[1], "y", 1));
	check_sent(SIG_A, other, POLL_IN);
	check_none(SIG_A);
	CHECK_EQ(1, read(b[0], &c, 1));
	check_sent(SIG_B, b[1], POLL_OUT);
	/* and it ends where it began */
	CHECK_EQ(0, fcntl(a[0], F_SETFL, 0));
	CHECK_EQ(1, write(a[1], "z", 1));
	check_none(SIG_A);
}

SUBJECT(sockets)
{
	int s[2];

	block();
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	set_owner(s[0], F_OWNER_PID, getpid(), SIG_A);
	set_async(s[0]);
	CHECK_EQ(4, write(s[1], "read", 4));
	check_sent(SIG_A, s[0], POLL_IN);
	subject_point();
	check_none(SIG_A);
	check_owner(s[0], F_OWNER_PID, getpid(), SIG_A, 0);
	CHECK(fcntl(s[0], F_GETFL) & O_ASYNC);
	CHECK(!(fcntl(s[1], F_GETFL) & O_ASYNC));
	CHECK_EQ(1, write(s[1], "x", 1));
	check_sent(SIG_A, s[0], POLL_IN);
}

/* A fifo, and a pipe that is open for both. */
SUBJECT(fifo)
{
	int fd;
	char c;

	block();
	CHECK_EQ(0, mkfifo(subject_path("f/fifo"), 0600));
	fd = subject_open("f/fifo", O_RDWR);
	set_owner(fd, F_OWNER_PID, getpid(), SIG_A);
	set_async(fd);
	subject_point();
	check_none(SIG_A);
	CHECK_EQ(1, write(fd, "x", 1));
	check_sent(SIG_A, fd, POLL_IN);
	CHECK_EQ(1, read(fd, &c, 1));
	check_sent(SIG_A, fd, POLL_OUT);
}

static _Atomic pid_t thread_id;
static _Atomic bool checked;

static void *thread(void *arg)
{
	int *fds = arg;

	thread_id = gettid();
	while (!checked)
		ckpt_sleep_ms(1);
	/* it is for us alone, so the other does not see it */
	CHECK_EQ(1, write(fds[1], "x", 1));
	check_sent(SIG_A, fds[0], POLL_IN);
	return NULL;
}

SUBJECT(threads)
{
	pthread_t t;
	int fds[2];

	block();
	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(0, pthread_create(&t, NULL, thread, fds));
	while (!thread_id)
		ckpt_sleep_ms(1);
	set_owner(fds[0], F_OWNER_TID, thread_id, SIG_A);
	set_async(fds[0]);
	subject_point();
	check_owner(fds[0], F_OWNER_TID, thread_id, SIG_A, 0);
	checked = true;
	CHECK_EQ(0, pthread_join(t, NULL));
	check_none(SIG_A);
}

/* One pipe's owner is another process, one's a group. Without F_SETSIG. */
SUBJECT(others)
{
	int to_one[2], to_group[2];
	pid_t child, member;

	block();
	CHECK_EQ(0, pipe(to_one));
	CHECK_EQ(0, pipe(to_group));
	child = fork();
	if (!child) {
		CHECK_EQ(0, setpgid(0, 0));
		member = fork();
		if (!member) {
			subject_touch("member");
			check_sent(SIGIO, -1, 0);
			_exit(0);
		}
		/* one for each pipe */
		check_sent(SIGIO, -1, 0);
		subject_touch("first");
		check_sent(SIGIO, -1, 0);
		subject_join(member);
		_exit(0);
	}
	subject_wait("member");
	CHECK_EQ(0, fcntl(to_one[0], F_SETOWN, child));
	CHECK_EQ(0, fcntl(to_group[0], F_SETOWN, -child));
	set_async(to_one[0]);
	set_async(to_group[0]);
	CHECK_EQ(0, unlink(subject_path("member")));
	subject_point();
	check_owner(to_one[0], F_OWNER_PID, child, 0, 0);
	check_owner(to_group[0], F_OWNER_PGRP, child, 0, 0);
	CHECK_EQ(-child, fcntl(to_group[0], F_GETOWN));
	CHECK_EQ(0, waitpid(child, NULL, WNOHANG));
	CHECK_EQ(1, write(to_one[1], "x", 1));
	subject_wait("first");
	CHECK_EQ(1, write(to_group[1], "x", 1));
	subject_join(child);
	CHECK_EQ(0, unlink(subject_path("first")));
	check_none(SIGIO);
}

/* What is told of files that send no signals, and of owners that are gone. */
SUBJECT(silent)
{
	int file, only_sig, gone, gone_group, fds[2];
	pid_t pid;

	block();
	CHECK_EQ(0, pipe(fds));
	file = subject_open("f/file", O_CREAT | O_RDWR);
	only_sig = subject_open("f/file", O_RDONLY);
	gone = subject_open("f/file", O_RDONLY);
	gone_group = subject_open("f/file", O_RDONLY);
	set_owner(file, F_OWNER_PID, getpid(), SIG_B);
	CHECK_EQ(0, fcntl(only_sig, F_SETSIG, SIGUSR1));
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		subject_touch("group");
		subject_wait("end");
		_exit(0);
	}
	subject_wait("group");
	set_owner(gone, F_OWNER_PID, pid, 0);
	set_owner(gone_group, F_OWNER_PGRP, pid, SIG_A);
	set_owner(fds[0], F_OWNER_PGRP, pid, 0);
	set_owner(fds[0], F_OWNER_PGRP, 0, 0);
	set_async(fds[0]);
	subject_touch("end");
	subject_join(pid);
	subject_point();
	check_owner(file, F_OWNER_PID, getpid(), SIG_B, 0);
	check_owner(only_sig, F_OWNER_TID, 0, SIGUSR1, 0);
	check_owner(gone, F_OWNER_PID, 0, 0, 0);
	check_owner(gone_group, F_OWNER_PGRP, 0, SIG_A, 0);
	check_owner(fds[0], F_OWNER_PGRP, 0, 0, 0);
	CHECK(fcntl(fds[0], F_GETFL) & O_ASYNC);
	CHECK_EQ(1, write(fds[1], "x", 1));
	check_none(SIGIO);
	/* now there is one */
	set_owner(fds[0], F_OWNER_PID, getpid(), SIG_A);
	CHECK_EQ(1, write(fds[1], "x", 1));
	check_sent(SIG_A, fds[0], POLL_IN);
}

/* Who may be sent a signal depends on who has set the owner. */
SUBJECT(users)
{
	int mine[2], his[2];

	block();
	CHECK_EQ(0, pipe(mine));
	CHECK_EQ(0, pipe(his));
	set_owner(mine[0], F_OWNER_PID, getpid(), SIG_A);
	set_async(mine[0]);
	CHECK_EQ(0, setresuid(1234, 1234, 0));
	set_owner(his[0], F_OWNER_PID, getpid(), SIG_B);
	set_async(his[0]);
	CHECK_EQ(0, setresuid(0, 0, 0));
	CHECK_EQ(1, write(his[1], "x", 1));
	check_none(SIG_B);
	subject_point();
	check_owner(mine[0], F_OWNER_PID, getpid(), SIG_A, 0);
	check_owner(his[0], F_OWNER_PID, getpid(), SIG_B, 1234);
	CHECK_EQ(1, write(his[1], "x", 1));
	check_none(SIG_B);
	check_none(SIGIO);
	CHECK_EQ(1, write(mine[1], "x", 1));
	check_sent(SIG_A, mine[0], POLL_IN);
}

/* ---- leases ---- */

/* Somebody opens it, and does not wait. */
static void open_it(const char *name, int flags, bool succeeds)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		fd = subject_open(name, flags | O_NONBLOCK);
		CHECK_EQ(succeeds, fd >= 0);
		if (fd < 0)
			CHECK_EQ(EWOULDBLOCK, errno);
		_exit(0);
	}
	subject_join(pid);
}

SUBJECT(leases)
{
	int rd, wr;

	block();
	/* not in f/, where the test opens each file */
	close(subject_open("lease-r", O_CREAT | O_WRONLY));
	rd = subject_open("lease-r", O_RDONLY);
	wr = subject_open("lease-w", O_CREAT | O_RDWR);
	set_owner(rd, F_OWNER_PID, getpid(), SIG_A);
	CHECK_EQ(0, fcntl(rd, F_SETLEASE, F_RDLCK));
	CHECK_EQ(0, fcntl(wr, F_SETLEASE, F_WRLCK));
	CHECK_EQ(0, fcntl(wr, F_SETSIG, SIG_B));
	subject_point();
	check_none(SIG_A);
	check_none(SIG_B);
	CHECK_EQ(F_RDLCK, fcntl(rd, F_GETLEASE));
	CHECK_EQ(F_WRLCK, fcntl(wr, F_GETLEASE));
	check_owner(rd, F_OWNER_PID, getpid(), SIG_A, 0);
	check_owner(wr, F_OWNER_PID, getpid(), SIG_B, 0);
	CHECK(fcntl(rd, F_GETFL) & O_ASYNC);
	/* others may read what we only read */
	open_it("lease-r", O_RDONLY, true);
	check_none(SIG_A);
	open_it("lease-r", O_WRONLY, false);
	check_sent(SIG_A, rd, POLL_MSG);
	CHECK_EQ(F_UNLCK, fcntl(rd, F_GETLEASE));
	CHECK_EQ(0, fcntl(rd, F_SETLEASE, F_UNLCK));
	open_it("lease-r", O_WRONLY, true);

	open_it("lease-w", O_RDONLY, false);
	check_sent(SIG_B, wr, POLL_MSG);
	CHECK_EQ(F_RDLCK, fcntl(wr, F_GETLEASE));
	CHECK_EQ(0, fcntl(wr, F_SETLEASE, F_UNLCK));
	open_it("lease-w", O_WRONLY, true);
	CHECK(!(fcntl(wr, F_GETFL) & O_ASYNC));
}

SUBJECT(one_lease)
{
	int fd = subject_open("lease", O_CREAT | O_RDWR);

	CHECK_EQ(0, fcntl(fd, F_SETLEASE, F_WRLCK));
	subject_point();
	CHECK_EQ(F_WRLCK, fcntl(fd, F_GETLEASE));
}

/* ---- refused ---- */

SUBJECT(outside)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(0, fcntl(fds[0], F_SETOWN, getppid()));
	subject_point();
	CHECK_EQ(getppid(), fcntl(fds[0], F_GETOWN));
}

SUBJECT(group_outside)
{
	int fds[2];

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(0, fcntl(fds[0], F_SETOWN, -getpgid(getppid())));
	subject_point();
	CHECK_EQ(-getpgid(getppid()), fcntl(fds[0], F_GETOWN));
}

SUBJECT(external)
{
	CHECK_EQ(0, fcntl(SUBJECT_FD, F_SETOWN, getpid()));
	subject_point();
	CHECK_EQ(getpid(), fcntl(SUBJECT_FD, F_GETOWN));
}

SUBJECT(device)
{
	int fd = open("/dev/random", O_RDONLY);

	CHECK_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	set_async(fd);
	subject_point();
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
}

SUBJECT(lease_deleted)
{
	int fd = subject_open("lease", O_CREAT | O_RDWR);

	CHECK_EQ(0, fcntl(fd, F_SETLEASE, F_WRLCK));
	CHECK_EQ(0, unlink(subject_path("lease")));
	subject_point();
	CHECK_EQ(F_WRLCK, fcntl(fd, F_GETLEASE));
}

SUBJECT(lease_breaking)
{
	int fd = subject_open("lease", O_CREAT | O_RDWR);
	sigset_t set = one(SIGIO);
	pid_t pid;

	block();
	CHECK_EQ(0, fcntl(fd, F_SETLEASE, F_WRLCK));
	pid = fork();
	if (!pid) {
		CHECK(subject_open("lease", O_RDONLY) >= 0);
		_exit(0);
	}
	CHECK_EQ(SIGIO, sigwaitinfo(&set, NULL));
	subject_point();
	CHECK_EQ(0, fcntl(fd, F_SETLEASE, F_UNLCK));
	subject_join(pid);
}

CKPT_FIXTURE_HOW(owners);
CKPT_VARIANTS(owners);

CKPT_ROUNDTRIP(owners, pipes);
CKPT_ROUNDTRIP(owners, sockets);
CKPT_ROUNDTRIP(owners, fifo);
CKPT_ROUNDTRIP(owners, threads);
CKPT_ROUNDTRIP(owners, others);
CKPT_ROUNDTRIP(owners, silent);
CKPT_ROUNDTRIP(owners, users);
CKPT_ROUNDTRIP(owners, leases);

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, outside, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("outside", "signals go to process", "outside"));
	ASSERT_EQ(0, ckpt_refused("group_outside", "signals go to process group",
				  "outside"));
}

TEST_F_TIMEOUT(refused, device, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("device", "neither pipe nor socket", NULL));
}

TEST_F_TIMEOUT(refused, lease, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("lease_deleted", "has a lease, but was deleted", NULL));
	ASSERT_EQ(0, ckpt_refused("lease_breaking", "that somebody waits for", NULL));
}

/* It would be the caller's file then that sends signals. */
TEST_F_TIMEOUT(refused, external, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fds[2], fd;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ckpt_init(&run, NULL);
	run.extra_fd = fds[1];
	ASSERT_EQ(0, ckpt_start(&run, "external"));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, "comes from outside")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Who could not be that user cannot have set an owner as that user. */
TEST_F_TIMEOUT(refused, no_gain, CKPT_TIMEOUT)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	struct ckpt_run run;
	int status, fd, log;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "users"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "image", O_RDONLY);
	log = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid = fork();
	if (!pid) {
		if (syscall(SYS_capget, &head, caps))
			_exit(98);
		caps[0].effective &= ~(1U << CAP_SETUID);
		if (syscall(SYS_capset, &head, caps))
			_exit(99);
		_exit(-ckpt_restart_from(fd, 0, log));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
	EXPECT_LE(1, ckpt_log_has(&run, "set by user 1234")) ckpt_print(&run, "log");
	close(fd);
	close(log);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Somebody has it open now: nothing is broken, nor is there a lease. */
TEST_F_TIMEOUT(refused, lease_taken, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "one_lease"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "lease", O_RDONLY);
	EXPECT_EQ(-EAGAIN, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "no lease is to be had")) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
