// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: bringing tasks to a stop, and letting them go again,
 * whatever they do at that time and whatever becomes of the checkpoint.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define NR_SPIN 8

static atomic_ulong counts[NR_SPIN];
static atomic_bool stop;

static void *spin(void *arg)
{
	int nr = (intptr_t)arg;
	uint64_t local = 0;

	while (!stop) {
		local++;
		counts[nr]++;
		if (local != counts[nr])
			subject_fail(__FILE__, __LINE__, "a count is wrong");
	}
	return NULL;
}

static void start_spinning(pthread_t *threads)
{
	int i;

	for (i = 0; i < NR_SPIN; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, spin,
					   (void *)(intptr_t)i));
	for (i = 0; i < NR_SPIN; i++)
		while (!counts[i])
			ckpt_sleep_ms(1);
}

SUBJECT(spinning)
{
	pthread_t threads[NR_SPIN];
	uint64_t was[NR_SPIN];
	int i;

	start_spinning(threads);
	for (i = 0; i < NR_SPIN; i++)
		was[i] = counts[i];
	subject_point();
	/* all of them go on */
	for (i = 0; i < NR_SPIN; i++) {
		CHECK(counts[i] >= was[i]);
		was[i] = counts[i];
	}
	for (i = 0; i < NR_SPIN; i++)
		while (counts[i] == was[i])
			ckpt_sleep_ms(1);
	stop = true;
	for (i = 0; i < NR_SPIN; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

SUBJECT(idle)
{
	subject_point();
}

/* Forks as fast as it can. */
SUBJECT(fork_storm)
{
	int i, status, live = 0;

	subject_ready();
	for (i = 0; !subject_told("go"); i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(i & 0x7f);
		CHECK(pid > 0);
		live++;
		while (live > 8 || (live && i % 3 == 0)) {
			CHECK(waitpid(-1, &status, 0) > 0);
			CHECK(WIFEXITED(status));
			live--;
		}
	}
	while (live--)
		CHECK(waitpid(-1, &status, 0) > 0);
}

static void *thread_nothing(void *arg)
{
	return arg;
}

/* Likewise with threads. */
SUBJECT(thread_storm)
{
	pthread_t thread;
	void *ret;
	intptr_t i;

	subject_ready();
	for (i = 0; !subject_told("go"); i++) {
		CHECK_EQ(0, pthread_create(&thread, NULL, thread_nothing,
					   (void *)i));
		CHECK_EQ(0, pthread_join(thread, &ret));
		CHECK_EQ(i, (intptr_t)ret);
	}
}

/* Somebody who calls all the time. */
SUBJECT(syscall_storm)
{
	pid_t me = getpid();

	subject_ready();
	while (!subject_told("go"))
		CHECK_EQ(me, syscall(SYS_getpid));
}

/* A parent that sits in vfork() while its child is at work. */
SUBJECT(vfork_parent)
{
	atomic_int left = 42;
	pid_t pid, me = getpid();
	int status;

	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		left = 43;
		subject_ready();
		subject_wait("go");
		_exit(9);
	}
	CHECK_EQ(43, left);
	CHECK_EQ(me, getpid());
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(9 << 8, status);
}

/* A child is stopped, its parent sees that, and nothing else. */
SUBJECT(stopped_child)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		raise(SIGSTOP);
		_exit(4);
	}
	CHECK_EQ(pid, waitpid(pid, &status, WUNTRACED));
	CHECK(WIFSTOPPED(status));
	subject_point();
	CHECK_EQ('T', ckpt_state(pid));
	/* it has been reported */
	CHECK_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG));
	CHECK_EQ(0, kill(pid, SIGCONT));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(4 << 8, status);
}

/* Likewise, but its stop is yet to be waited for. */
SUBJECT(stopped_unseen)
{
	siginfo_t info;
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		raise(SIGSTOP);
		_exit(4);
	}
	CHECK_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	subject_point();
	CHECK_EQ('T', ckpt_state(pid));
	CHECK_EQ(pid, waitpid(pid, &status, WUNTRACED | WNOHANG));
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(SIGSTOP, WSTOPSIG(status));
	CHECK_EQ(0, kill(pid, SIGCONT));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(4 << 8, status);
}

CKPT_FIXTURE_HOW(freeze);
CKPT_VARIANTS(freeze);

CKPT_ROUNDTRIP(freeze, spinning);
CKPT_ROUNDTRIP(freeze, stopped_child);
CKPT_ROUNDTRIP(freeze, stopped_unseen);

CKPT_FIXTURE_HOW(freeze_other);
CKPT_VARIANTS_OTHER(freeze_other);

CKPT_ROUNDTRIP(freeze_other, fork_storm);
CKPT_ROUNDTRIP(freeze_other, thread_storm);
CKPT_ROUNDTRIP(freeze_other, syscall_storm);

/* The subject itself, all of its threads, is stopped. */
TEST_F_TIMEOUT(freeze_other, stopped, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status;
	pid_t pid;

	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	pid = run.pid;
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	if (!variant->how.kill) {
		ckpt_sleep_ms(50);
		ASSERT_EQ('T', ckpt_state(pid));
		/* the parent has no news */
		ASSERT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG));
		ASSERT_EQ(0, kill(pid, SIGCONT));
		ASSERT_EQ(0, ckpt_go_on(&run));
	}
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_wait_state(pid, 'T'));
	ckpt_sleep_ms(100);
	ASSERT_EQ('T', ckpt_state(pid));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_FIXTURE(trouble);

/* It dies in the middle of it. Whatever the result is, there is one. */
TEST_F_TIMEOUT(trouble, killed, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int i, fd, status;
	pid_t killer;
	long ret;

	for (i = 0; i < 20; i++) {
		ckpt_init(&run, NULL);
		ASSERT_EQ(0, ckpt_start(&run, "spinning"));
		killer = fork();
		if (!killer) {
			usleep(i * 500);
			kill(run.pid, SIGKILL);
			_exit(0);
		}
		fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
		ret = ckpt_checkpoint_log(&run, 0, fd);
		close(fd);
		ASSERT_EQ(killer, waitpid(killer, &status, 0));
		EXPECT_TRUE(ret > 0 || ret == -ESRCH || ret == -EINTR ||
			    ret == -EAGAIN || ret == -EBUSY) {
			TH_LOG("checkpoint: %ld", ret);
			ckpt_print(&run, "log");
		}
		ASSERT_EQ(run.pid, waitpid(run.pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(SIGKILL, WTERMSIG(status));
		run.pid = 0;
		ASSERT_EQ(0, ckpt_cleanup(&run));
	}
}

/* Signals that come in the middle of it are not lost. */
TEST_F_TIMEOUT(trouble, stop_and_go, CKPT_TIMEOUT)
{
	int i, fd, status, done = 0;
	struct ckpt_run run;
	pid_t sender;
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	sender = fork();
	if (!sender) {
		for (;;) {
			kill(run.pid, SIGSTOP);
			usleep(300);
			kill(run.pid, SIGCONT);
			usleep(700);
		}
	}
	for (i = 0; done < 10 && i < 200; i++) {
		fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
		ret = ckpt_checkpoint_log(&run, 0, fd);
		/* it may be that it was continued in the middle of it */
		EXPECT_TRUE(ret > 0 || ret == -EAGAIN)
			ckpt_print(&run, "log");
		done += ret > 0;
		close(fd);
	}
	EXPECT_EQ(10, done);
	kill(sender, SIGKILL);
	ASSERT_EQ(sender, waitpid(sender, &status, 0));
	kill(run.pid, SIGCONT);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Survives, or is refused by name; waits for nobody for ever. */
TEST_F_TIMEOUT(trouble, vfork, CKPT_TIMEOUT)
{
	struct checkpoint_args args = { .timeout_ms = 1000 };
	struct ckpt_run run;
	pid_t pid;
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "vfork_parent"));
	pid = run.pid;
	args.target_fd = ckpt_pidfd(pid);
	args.image_fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	args.log_fd = ckpt_open(&run, "log", O_CREAT | O_WRONLY);
	ret = sys_checkpoint(&args, sizeof(args));
	close(args.target_fd);
	close(args.image_fd);
	close(args.log_fd);
	if (ret < 0) {
		EXPECT_TRUE(ret == -ETIMEDOUT || ret == -EOPNOTSUPP)
			TH_LOG("%ld", ret);
		EXPECT_LE(1, ckpt_log_has(&run, "vfork"))
			ckpt_print(&run, "log");
	}
	/* the original is well */
	ASSERT_EQ(0, ckpt_finish(&run));
	if (ret > 0) {
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
		ASSERT_EQ(0, ckpt_finish(&run));
	}
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(trouble, traced, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "idle"));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, run.pid, NULL, NULL));
	EXPECT_EQ(-EOPNOTSUPP,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_LE(1, ckpt_log_has(&run, "trace")) ckpt_print(&run, "log");
	/* detaching takes a stop */
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, run.pid, NULL, NULL));
	ASSERT_EQ(run.pid, waitpid(run.pid, &status, 0));
	/* and one that is in such a stop is no different, nor waited for */
	EXPECT_EQ(-EOPNOTSUPP,
		  ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	EXPECT_LE(1, ckpt_log_has(&run, "trace")) ckpt_print(&run, "log");
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, run.pid, NULL, NULL));
	EXPECT_EQ(0, ckpt_checkpoint_log(&run, CHECKPOINT_DRY_RUN, -1));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A millisecond is enough, or it is not and nothing has happened. */
TEST_F_TIMEOUT(trouble, timeout, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int null, i;
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (i = 0; i < 20; i++) {
		struct checkpoint_args args = {
			.target_fd = ckpt_pidfd(run.pid),
			.image_fd = null,
			.log_fd = -1,
			.timeout_ms = 1,
		};

		ret = sys_checkpoint(&args, sizeof(args));
		EXPECT_TRUE(ret > 0 || ret == -ETIMEDOUT || ret == -EBUSY)
			TH_LOG("%ld", ret);
		close(args.target_fd);
	}
	close(null);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Starts a checkpoint to a pipe that nobody reads from. */
static pid_t stuck_checkpoint(struct ckpt_run *run, int *fds)
{
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	pid = fork();
	if (!pid) {
		int target = ckpt_pidfd(run->pid);
		long ret;

		close(fds[0]);
		ret = ckpt_checkpoint_to(target, fds[1], 0, -1);
		_exit(ret > 0 ? 0 : -ret);
	}
	close(fds[1]);
	return pid;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A second checkpoint of the same target, while the first has yet to end. */
TEST_F_TIMEOUT(trouble, concurrent, CKPT_TIMEOUT)
{
	struct checkpoint_args args = { .log_fd = -1, .timeout_ms = 1000 };
	struct ckpt_run run;
	int fds[2], status;
	char buf[4096];
	pid_t first;
	long ret;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	first = stuck_checkpoint(&run, fds);
	ASSERT_LT(0, first);
	ckpt_sleep_ms(300);
	args.target_fd = ckpt_pidfd(run.pid);
	args.image_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ret = sys_checkpoint(&args, sizeof(args));
	EXPECT_TRUE(ret > 0 || ret == -EBUSY || ret == -ETIMEDOUT)
		TH_LOG("second: %ld", ret);
	/* the first is not disturbed */
	while (read(fds[0], buf, sizeof(buf)) > 0)
		;
	close(fds[0]);
	ASSERT_EQ(first, waitpid(first, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_LT(0, sys_checkpoint(&args, sizeof(args)));
	close(args.target_fd);
	close(args.image_fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Two at a time that do not block each other. */
TEST_F_TIMEOUT(trouble, parallel, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pids[4];
	int i, status;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			int target = ckpt_pidfd(run.pid);
			int null = open("/dev/null", O_WRONLY);
			int k;
			long ret;

			for (k = 0; k < 5; k++) {
				ret = ckpt_checkpoint_to(target, null, 0, -1);
				if (ret < 0 && ret != -EBUSY)
					_exit(-ret);
			}
			_exit(0);
		}
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A signal to the caller ends a checkpoint that does not come forward. */
TEST_F_TIMEOUT(trouble, interrupted, CKPT_TIMEOUT)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct ckpt_run run;
	int fds[2], target;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	target = ckpt_pidfd(run.pid);
	alarm(1);
	EXPECT_EQ(-EINTR, ckpt_checkpoint_to(target, fds[1], CHECKPOINT_KILL,
					     -1));
	close(target);
	close(fds[0]);
	close(fds[1]);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* So does the death of the caller. */
TEST_F_TIMEOUT(trouble, caller_killed, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int fds[2], status;
	pid_t caller;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	caller = stuck_checkpoint(&run, fds);
	ASSERT_LT(0, caller);
	ckpt_sleep_ms(300);
	ASSERT_EQ(0, kill(caller, SIGKILL));
	ASSERT_EQ(caller, waitpid(caller, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	close(fds[0]);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A restart that waits for its image ends with its caller, and so do tasks. */
TEST_F_TIMEOUT(trouble, restart_killed, CKPT_TIMEOUT)
{
	static char buf[1 << 20];
	struct ckpt_run run;
	int fds[2], status, fd, i;
	ssize_t len, part;
	pid_t caller, pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "image", O_RDONLY);
	len = read(fd, buf, sizeof(buf));
	ASSERT_LT(0, len);
	close(fd);
	for (i = 1; i < 8; i++) {
		part = len * i / 8;
		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		caller = fork();
		if (!caller) {
			close(fds[1]);
			ckpt_restart_from(fds[0], 0, -1);
			_exit(0);
		}
		close(fds[0]);
		ASSERT_EQ(part, write(fds[1], buf, part));
		ckpt_sleep_ms(50);
		ASSERT_EQ(0, kill(caller, SIGKILL));
		ASSERT_EQ(caller, waitpid(caller, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		close(fds[1]);
		ckpt_sleep_ms(50);
		EXPECT_EQ(-1, kill(pid, 0)) TH_LOG("after %zd bytes", part);
	}
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Frozen by hand before: it stays frozen, the image has it running. */
TEST_F_TIMEOUT(trouble, cgroup_frozen, CKPT_TIMEOUT)
{
	char text[256];
	struct ckpt_run run;
	int fd, i;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .target = CKPT_CGROUP });
	ASSERT_EQ(0, ckpt_start(&run, "spinning"));
	pid = run.pid;
	fd = openat(run.cgroup_fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(1, write(fd, "1", 1));
	for (i = 0; i < 1000; i++) {
		int events = openat(run.cgroup_fd, "cgroup.events",
				    O_RDONLY | O_CLOEXEC);

		memset(text, 0, sizeof(text));
		ASSERT_LT(0, read(events, text, sizeof(text) - 1));
		close(events);
		if (strstr(text, "frozen 1"))
			break;
		ckpt_sleep_ms(2);
	}
	ASSERT_NE(NULL, strstr(text, "frozen 1"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ckpt_touch(&run, "go");
	ckpt_sleep_ms(200);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(1, write(fd, "0", 1));
	close(fd);
	ASSERT_EQ(0, ckpt_go_on(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
