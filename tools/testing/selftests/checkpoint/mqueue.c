// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: POSIX message queues.
 *
 * A queue outlives its processes. Some subjects take away the name of theirs
 * when they are through, so that the next restart finds none.
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static char queue_name[64];

static const char *name_of(pid_t pid)
{
	snprintf(queue_name, sizeof(queue_name), "/ckpt-mqueue-%d", pid);
	return queue_name;
}

static mqd_t make_queue(const char *name, int flags, long maxmsg, long msgsize)
{
	struct mq_attr attr = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };
	mqd_t mq = mq_open(name, flags | O_CREAT | O_EXCL, 0600, &attr);

	CHECK(mq >= 0);
	return mq;
}

static void check_attr(mqd_t mq, long flags, long maxmsg, long msgsize, long curmsgs)
{
	struct mq_attr attr;

	CHECK_EQ(0, mq_getattr(mq, &attr));
	CHECK_EQ(flags, attr.mq_flags);
	CHECK_EQ(maxmsg, attr.mq_maxmsg);
	CHECK_EQ(msgsize, attr.mq_msgsize);
	CHECK_EQ(curmsgs, attr.mq_curmsgs);
}

static void expect(mqd_t mq, const char *text, size_t len, unsigned int prio)
{
	static char buf[1 << 16];
	unsigned int got = ~0U;

	CHECK_EQ((ssize_t)len, mq_receive(mq, buf, sizeof(buf), &got));
	CHECK_MEM(text, buf, len);
	CHECK_EQ(prio, got);
}

/* What mount(8)s of the filesystem tell, too: reader is a queue descriptor. */
static void check_info(mqd_t mq, int notify, int signo, pid_t pid)
{
	char line[128] = "";
	int n, s, p;
	unsigned long size;

	CHECK(pread(mq, line, sizeof(line) - 1, 0) > 0);
	CHECK_EQ(4, sscanf(line, "QSIZE:%lu NOTIFY:%d SIGNO:%d NOTIFY_PID:%d",
			   &size, &n, &s, &p));
	CHECK_EQ(notify, n);
	CHECK_EQ(signo, s);
	CHECK_EQ(pid, p);
}

static char large[8192];

/* Priorities, lengths, and three descriptions of one queue. */
static void messages(bool unlinked)
{
	const char *name = name_of(getpid());
	struct mq_attr attr = { .mq_flags = O_NONBLOCK };
	struct stat was, is;
	mqd_t rw, ro, wo;
	char buf[8192];
	unsigned int i;

	for (i = 0; i < sizeof(large); i++)
		large[i] = i * 7 + i / 256;
	rw = make_queue(name, O_RDWR, 9, sizeof(large));
	ro = mq_open(name, O_RDONLY | O_NONBLOCK);
	wo = mq_open(name, O_WRONLY);
	CHECK(ro >= 0 && wo >= 0);
	CHECK_EQ(0, fcntl(wo, F_SETFD, 0));
	CHECK_EQ(0, mq_setattr(wo, &attr, NULL));
	CHECK_EQ(0, fchmod(rw, 0640));
	CHECK_EQ(0, fchown(rw, 12, 34));
	CHECK_EQ(0, mq_send(wo, "low", 3, 0));
	CHECK_EQ(0, mq_send(wo, "first of 5", 10, 5));
	CHECK_EQ(0, mq_send(wo, large, sizeof(large), 32767));
	CHECK_EQ(0, mq_send(wo, "", 0, 5));
	CHECK_EQ(0, mq_send(wo, "third of 5", 10, 5));
	CHECK_EQ(0, mq_send(wo, large, 5000, 1));
	CHECK_EQ(0, mq_send(wo, "low again", 9, 0));
	if (unlinked)
		CHECK_EQ(0, mq_unlink(name));
	CHECK_EQ(7, lseek(rw, 7, SEEK_SET));
	CHECK_EQ(0, fstat(rw, &was));

	subject_point();

	check_attr(rw, 0, 9, sizeof(large), 7);
	check_attr(ro, O_NONBLOCK, 9, sizeof(large), 7);
	check_attr(wo, O_NONBLOCK, 9, sizeof(large), 7);
	CHECK_EQ(O_RDWR, fcntl(rw, F_GETFL) & O_ACCMODE);
	CHECK_EQ(O_RDONLY, fcntl(ro, F_GETFL) & O_ACCMODE);
	CHECK_EQ(O_WRONLY, fcntl(wo, F_GETFL) & O_ACCMODE);
	CHECK_EQ(FD_CLOEXEC, fcntl(rw, F_GETFD));
	CHECK_EQ(0, fcntl(wo, F_GETFD));
	CHECK_EQ(7, lseek(rw, 0, SEEK_CUR));
	CHECK_EQ(0, fstat(rw, &is));
	CHECK_EQ(was.st_mode, is.st_mode);
	CHECK_EQ(12, is.st_uid);
	CHECK_EQ(34, is.st_gid);
	CHECK_EQ(!unlinked, is.st_nlink);
	CHECK_EQ(0, fstat(wo, &was));
	CHECK_EQ(was.st_ino, is.st_ino);
	check_info(rw, 0, 0, 0);
	CHECK_EQ(-1, mq_send(ro, "x", 1, 0));
	CHECK_EQ(EBADF, errno);
	CHECK_EQ(-1, mq_receive(wo, buf, sizeof(buf), NULL));
	CHECK_EQ(EBADF, errno);
	if (unlinked) {
		CHECK_EQ(-1, mq_open(name, O_RDWR));
		CHECK_EQ(ENOENT, errno);
	} else {
		int again = mq_open(name, O_RDWR);

		CHECK_EQ(0, fstat(again, &was));
		CHECK_EQ(was.st_ino, is.st_ino);
		close(again);
	}

	expect(ro, large, sizeof(large), 32767);
	expect(rw, "first of 5", 10, 5);
	expect(ro, "", 0, 5);
	expect(ro, "third of 5", 10, 5);
	expect(ro, large, 5000, 1);
	expect(ro, "low", 3, 0);
	/* it has room for nine, and is one */
	for (i = 0; i < 8; i++)
		CHECK_EQ(0, mq_send(wo, "more", 4, 3));
	CHECK_EQ(-1, mq_send(wo, "full", 4, 3));
	CHECK_EQ(EAGAIN, errno);
	for (i = 0; i < 8; i++)
		expect(ro, "more", 4, 3);
	expect(ro, "low again", 9, 0);
	CHECK_EQ(-1, mq_receive(ro, buf, sizeof(buf), NULL));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(-1, mq_send(rw, large, sizeof(large) + 1, 0));
	CHECK_EQ(EMSGSIZE, errno);
	if (!unlinked)
		CHECK_EQ(0, mq_unlink(name));
}

SUBJECT(messages)
{
	messages(false);
}

SUBJECT(unlinked)
{
	messages(true);
}

/* Afterwards it is in the namespace of who restarts it. */
SUBJECT(own_namespace)
{
	CHECK_EQ(0, unshare(CLONE_NEWIPC));
	messages(false);
}

/* One without a name, and another one that has its name now. */
SUBJECT(replaced)
{
	const char *name = name_of(getpid());
	mqd_t old, new;

	old = make_queue(name, O_RDWR, 2, 16);
	CHECK_EQ(0, mq_send(old, "old", 3, 1));
	CHECK_EQ(0, mq_unlink(name));
	new = make_queue(name, O_RDWR, 3, 32);
	CHECK_EQ(0, mq_send(new, "new", 3, 2));
	subject_point();
	check_attr(old, 0, 2, 16, 1);
	check_attr(new, 0, 3, 32, 1);
	expect(old, "old", 3, 1);
	expect(new, "new", 3, 2);
	CHECK_EQ(0, mq_unlink(name));
}

static void wait_signal(const sigset_t *set, int signo, int value)
{
	struct timespec patience = { .tv_sec = CKPT_PATIENCE };
	siginfo_t info;

	CHECK_EQ(signo, sigtimedwait(set, &info, &patience));
	CHECK_EQ(SI_MESGQ, info.si_code);
	CHECK_EQ(value, info.si_value.sival_int);
	CHECK_EQ(getpid(), info.si_pid);
}

/* Of each kind; of a child; and one that was registered before an execve(). */
SUBJECT(notify)
{
	struct sigevent by_signal = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3,
		.sigev_value.sival_ptr = (void *)0x1122334455667788,
	};
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	const char *name = name_of(getpid());
	mqd_t mq[4];
	sigset_t set;
	pid_t pid;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < 4; i++) {
		mq[i] = make_queue(name, O_RDWR | O_NONBLOCK, 4, 16);
		CHECK_EQ(0, mq_unlink(name));
	}
	CHECK_EQ(0, mq_notify(mq[0], &by_signal));
	CHECK_EQ(0, mq_notify(mq[1], &silent));
	pid = fork();
	if (!pid) {
		by_signal.sigev_signo = SIGUSR1;
		by_signal.sigev_value.sival_ptr = (void *)77;
		CHECK_EQ(0, mq_notify(mq[2], &by_signal));
		subject_touch("child");
		subject_wait("go");
		CHECK_EQ(0, mq_send(mq[2], "x", 1, 0));
		wait_signal(&set, SIGUSR1, 77);
		_exit(0);
	}
	subject_wait("child");
	/* nobody is told of the second message of a queue */
	CHECK_EQ(0, mq_send(mq[3], "first", 5, 0));
	CHECK_EQ(0, mq_notify(mq[3], &by_signal));

	subject_point();

	check_info(mq[0], SIGEV_SIGNAL, SIGRTMIN + 3, getpid());
	check_info(mq[1], SIGEV_NONE, 0, getpid());
	check_info(mq[3], SIGEV_SIGNAL, SIGRTMIN + 3, getpid());
	for (i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		CHECK_EQ(-1, mq_notify(mq[i], &silent));
		CHECK_EQ(EBUSY, errno);
	}
	CHECK_EQ(0, mq_send(mq[0], "one", 3, 0));
	wait_signal(&set, SIGRTMIN + 3, 0x55667788);
	check_info(mq[0], 0, 0, 0);
	CHECK_EQ(0, mq_send(mq[1], "one", 3, 0));
	check_info(mq[1], 0, 0, 0);
	CHECK_EQ(0, mq_send(mq[3], "second", 6, 0));
	check_info(mq[3], SIGEV_SIGNAL, SIGRTMIN + 3, getpid());
	expect(mq[3], "first", 5, 0);
	expect(mq[3], "second", 6, 0);
	CHECK_EQ(0, mq_send(mq[3], "third", 5, 0));
	wait_signal(&set, SIGRTMIN + 3, 0x55667788);
	subject_join(pid);
	check_info(mq[2], 0, 0, 0);
	/* and its own signal is as it was */
	CHECK_EQ(0, mq_notify(mq[0], &silent));
	CHECK_EQ(0, mq_notify(mq[0], NULL));
}

/* Who waits for a message, for room, until a time, and in epoll_wait(). */
SUBJECT(blocked)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 6 };
	const char *name = name_of(getpid());
	int ep = epoll_create1(0), i;
	mqd_t empty, full, timed, polled;
	struct timespec until;
	pid_t pid[4];
	char buf[16];

	mqd_t *all[] = { &empty, &full, &timed, &polled };

	for (i = 0; i < 4; i++) {
		*all[i] = make_queue(name, O_RDWR, 1, 16);
		CHECK_EQ(0, mq_unlink(name));
	}
	CHECK_EQ(0, mq_send(full, "full", 4, 2));
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, polled, &event));
	CHECK_EQ(0, clock_gettime(CLOCK_REALTIME, &until));
	until.tv_sec += 2;
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		switch (i) {
		case 0:
			expect(empty, "text", 4, 9);
			break;
		case 1:
			CHECK_EQ(0, mq_send(full, "room", 4, 4));
			break;
		case 2:
			CHECK_EQ(-1, mq_timedreceive(timed, buf, 16, NULL, &until));
			CHECK_EQ(ETIMEDOUT, errno);
			break;
		case 3:
			CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
			CHECK_EQ(6, event.data.u64);
			break;
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		if (i != 2)
			CHECK_EQ(0, ckpt_wait_state(pid[i], 'S'));
	subject_point();
	for (i = 0; i < 4; i++)
		if (i != 2)
			CHECK_EQ(0, waitpid(pid[i], NULL, WNOHANG));
	CHECK_EQ(0, mq_send(empty, "text", 4, 9));
	subject_join(pid[0]);
	check_attr(empty, 0, 1, 16, 0);
	expect(full, "full", 4, 2);
	subject_join(pid[1]);
	expect(full, "room", 4, 4);
	subject_join(pid[2]);
	CHECK_EQ(0, mq_send(polled, "", 0, 0));
	subject_join(pid[3]);
}

/* Many, and large; no two the same. */
SUBJECT(many)
{
	const char *name = name_of(getpid());
	mqd_t small, big;
	char text[32];
	int i;

	for (i = 0; i < (int)sizeof(large); i++)
		large[i] = i * 5 + i / 256;
	small = make_queue(name, O_RDWR, 2000, 32);
	CHECK_EQ(0, mq_unlink(name));
	big = make_queue(name, O_RDWR, 40, sizeof(large));
	CHECK_EQ(0, mq_unlink(name));
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		CHECK_EQ(0, mq_send(small, text, strlen(text) + 1, i % 10));
	}
	for (i = 0; i < 40; i++)
		CHECK_EQ(0, mq_send(big, large + i, sizeof(large) - i, 40 - i));
	subject_point();
	check_attr(small, 0, 2000, 32, 2000);
	check_attr(big, 0, 40, sizeof(large), 40);
	for (i = 0; i < 2000; i++) {
		int n = 9 - i / 200 + i % 200 * 10;

		snprintf(text, sizeof(text), "%d", n);
		expect(small, text, strlen(text) + 1, n % 10);
	}
	for (i = 0; i < 40; i++)
		expect(big, large + i, sizeof(large) - i, 40 - i);
}

CKPT_FIXTURE_HOW(mqueue);
CKPT_VARIANTS(mqueue);

CKPT_ROUNDTRIP(mqueue, messages);
CKPT_ROUNDTRIP(mqueue, unlinked);
CKPT_ROUNDTRIP(mqueue, own_namespace);
CKPT_ROUNDTRIP(mqueue, replaced);
CKPT_ROUNDTRIP(mqueue, notify);
CKPT_ROUNDTRIP(mqueue, blocked);
CKPT_ROUNDTRIP(mqueue, many);

/* ---- a queue that is there ---- */

SUBJECT(kept)
{
	const char *name = name_of(getpid());
	mqd_t mq = make_queue(name, O_RDWR | O_NONBLOCK, 4, 16);
	char buf[16];

	CHECK_EQ(0, mq_send(mq, "kept", 4, 1));
	subject_point();
	subject_report("received", buf, mq_receive(mq, buf, 16, NULL));
	mq_unlink(name);
}

CKPT_FIXTURE(there);

static pid_t saved(struct __test_metadata *_metadata, struct ckpt_run *run)
{
	pid_t pid;

	ckpt_init(run, &(struct ckpt_how) { .kill = true });
	EXPECT_EQ(0, ckpt_start(run, "kept"));
	pid = run->pid;
	EXPECT_EQ(0, ckpt_checkpoint(run));
	run->pid = 0;
	return pid;
}

static void finish(struct __test_metadata *_metadata, struct ckpt_run *run,
		   const char *received)
{
	char path[128], buf[32] = "";

	ASSERT_EQ(0, ckpt_finish(run));
	snprintf(path, sizeof(path), "%s/received", run->dir);
	EXPECT_EQ((ssize_t)strlen(received), ckpt_slurp(path, buf, sizeof(buf)));
	EXPECT_STREQ(received, buf);
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* Messages that came or went since: it is not the queue that it was. */
TEST_F_TIMEOUT(there, other_messages, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);
	mqd_t mq = mq_open(name_of(pid), O_RDWR | O_NONBLOCK);
	char buf[16];

	ASSERT_LE(0, mq);
	ASSERT_EQ(0, mq_send(mq, "news", 4, 2));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "other messages")) ckpt_print(&run, "log");
	/* nothing was touched */
	EXPECT_EQ(4, mq_receive(mq, buf, 16, NULL));
	EXPECT_EQ(0, memcmp("news", buf, 4));
	EXPECT_EQ(4, mq_receive(mq, buf, 16, NULL));
	EXPECT_EQ(0, memcmp("kept", buf, 4));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	ASSERT_EQ(0, mq_send(mq, "else", 4, 1));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	close(mq);
	finish(_metadata, &run, "else");
}

TEST_F_TIMEOUT(there, other_attributes, CKPT_TIMEOUT)
{
	struct mq_attr attr = { .mq_maxmsg = 5, .mq_msgsize = 16 };
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);

	ASSERT_EQ(0, mq_unlink(name_of(pid)));
	close(mq_open(queue_name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr));
	EXPECT_EQ(-ESTALE, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "other attributes")) ckpt_print(&run, "log");
	ASSERT_EQ(0, mq_unlink(queue_name));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	finish(_metadata, &run, "kept");
}

/* A restart that fails leaves none behind. */
TEST_F_TIMEOUT(there, failed, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid = saved(_metadata, &run);
	char path[128];
	struct stat st;

	ASSERT_EQ(0, mq_unlink(name_of(pid)));
	snprintf(path, sizeof(path), "%s/image", run.dir);
	ASSERT_EQ(0, stat(path, &st));
	ASSERT_EQ(0, truncate(path, st.st_size - 8));
	EXPECT_GT(0, ckpt_restart(&run));
	EXPECT_EQ(-1, mq_open(queue_name, O_RDWR));
	EXPECT_EQ(ENOENT, errno);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ckpt_msg("%s: %m", path);
	close(fd);
}

/* By an ordinary user, who may choose ids of processes in its own namespaces. */
static long restart_as_user(struct ckpt_run *run)
{
	int fd = ckpt_open(run, "image", O_RDONLY), status = 0;
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid_t pid = fork();
	long ret;

	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(91);
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "1000 1000 1");
		write_file("/proc/self/gid_map", "1000 1000 1");
		pid = fork();
		if (!pid) {
			ret = ckpt_restart_from(fd, RESTART_FILES_CHANGED, log);
			_exit(ret < 0 ? -ret : 0);
		}
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	waitpid(pid, &status, 0);
	close(fd);
	close(log);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
}

SUBJECT(asks)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	mqd_t mq = make_queue(name_of(getpid()), O_RDWR, 4, 16);

	CHECK_EQ(0, mq_notify(mq, &silent));
	subject_point();
}

/* It tells nobody of its messages who may not read them, nor when they come. */
TEST_F_TIMEOUT(there, unreadable, CKPT_TIMEOUT)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	struct ckpt_run run;
	mqd_t mq;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_start(&run, "asks"));
	name_of(run.pid);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, mq_unlink(queue_name));
	mq = mq_open(queue_name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	ASSERT_LE(0, mq);
	EXPECT_EQ(-EACCES, restart_as_user(&run)) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, "may not be read")) ckpt_print(&run, "log");
	EXPECT_EQ(0, mq_notify(mq, &silent));
	close(mq);
	ASSERT_EQ(0, mq_unlink(queue_name));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- refused ---- */

SUBJECT(leaked)
{
	subject_point();
	CHECK(fcntl(SUBJECT_FD, F_GETFD) >= 0);
}

SUBJECT(thread)
{
	struct sigevent by_thread = { .sigev_notify = SIGEV_THREAD };
	const char *name = name_of(getpid());
	mqd_t mq = make_queue(name, O_RDWR, 4, 16);
	int sock, cookie[8] = { 0 };

	CHECK_EQ(5, dup2(mq, 5));
	close(mq);
	CHECK_EQ(0, mq_unlink(name));
	/* as the C library does it; in a message queue it stays when closed here */
	sock = socket(AF_NETLINK, SOCK_RAW, 0);
	by_thread.sigev_signo = sock;
	by_thread.sigev_value.sival_ptr = cookie;
	CHECK_EQ(0, syscall(SYS_mq_notify, 5, &by_thread));
	CHECK_EQ(9, dup2(sock, 9));
	close(sock);
	subject_point();
}

/* Its descriptors live on, and so does what it has asked for. */
SUBJECT(notifies_gone)
{
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const char *name = name_of(getpid());
	mqd_t mq = make_queue(name, O_RDWR, 4, 16);
	pid_t pid;

	CHECK_EQ(0, mq_unlink(name));
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid)
		_exit(mq_notify(mq, &by_signal) ? 1 : 0);
	subject_join(pid);
	subject_point();
}

SUBJECT(open_outside)
{
	const char *name = name_of(getpid());
	mqd_t mq = make_queue(name, O_RDWR, 4, 16);

	CHECK_EQ(5, dup2(mq, 5));
	close(mq);
	subject_point();
	CHECK_EQ(0, mq_unlink(name));
}

/* Who may send to a queue of somebody else's does not see what is in there. */
SUBJECT(unreadable)
{
	int image = subject_open("image", O_CREAT | O_WRONLY);
	int log = subject_open("log", O_CREAT | O_RDWR);
	char text[512] = "";

	CHECK(mq_open(name_of(getppid()), O_WRONLY) >= 0);
	CHECK_EQ(-EOPNOTSUPP, ckpt_checkpoint_to(-1, image, 0, log));
	CHECK(pread(log, text, sizeof(text) - 1, 0) > 0);
	CHECK(strstr(text, "may not be read by the caller"));
	subject_ready();
	subject_wait("go");
}

CKPT_FIXTURE(refused);

static void refused_run(struct __test_metadata *_metadata, struct ckpt_run *run,
			const char *words, const char *more_words)
{
	int fd = ckpt_open(run, "image", O_CREAT | O_WRONLY);

	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(run, words)) ckpt_print(run, "log");
	EXPECT_LE(1, ckpt_log_has(run, more_words)) ckpt_print(run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(run));
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* We have the description, too. */
TEST_F_TIMEOUT(refused, shared_outside, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, NULL);
	run.extra_fd = mq_open(name_of(getpid()), O_CREAT | O_RDWR, 0600, NULL);
	ASSERT_LE(0, run.extra_fd);
	ASSERT_EQ(0, mq_unlink(queue_name));
	ASSERT_EQ(0, ckpt_start(&run, "leaked"));
	refused_run(_metadata, &run, "message queue", "outside of the target");
	close(run.extra_fd);
}

/* We have one of our own. */
TEST_F_TIMEOUT(refused, open_outside, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	mqd_t mq;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "open_outside"));
	mq = mq_open(name_of(run.pid), O_RDONLY);
	ASSERT_LE(0, mq);
	refused_run(_metadata, &run, "also open outside of the target", "fd 5");
	close(mq);
}

TEST_F_TIMEOUT(refused, unreadable, CKPT_TIMEOUT)
{
	mqd_t mq = mq_open(name_of(getpid()), O_CREAT | O_EXCL | O_RDWR, 0600, NULL);
	struct ckpt_run run;

	ASSERT_LE(0, mq);
	ASSERT_EQ(0, fchmod(mq, 0622));
	ASSERT_EQ(0, mq_send(mq, "secret", 6, 0));
	close(mq);
	ckpt_init(&run, NULL);
	run.uid = 1000;
	EXPECT_EQ(0, ckpt_start(&run, "unreadable"));
	EXPECT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, ckpt_cleanup(&run));
	ASSERT_EQ(0, mq_unlink(queue_name));
}

TEST_F_TIMEOUT(refused, notifies_gone, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("notifies_gone", "notifies a process that is gone", NULL));
}

TEST_F_TIMEOUT(refused, thread, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("thread", "SIGEV_THREAD", "fd 5"));
}

CKPT_TEST_MAIN
