// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: clocks that go on in a time namespace (RESTART_TIMENS).
 *
 * That the machine of the restart was booted later than that of the checkpoint
 * is played by a time namespace, too: the subject is checkpointed in one where
 * both clocks are far ahead, and restarted outside of it.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x80
#endif

/* How much later the other machine was booted, in seconds. */
#define AHEAD_MONOTONIC	1000000
#define AHEAD_BOOTTIME	3000000

/* More than any restart takes, and less than the above. */
#define LATE		(200 * 1000000000LL)

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	CHECK_EQ(0, clock_gettime(clock, &ts));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Not from what the vDSO has mapped. */
static int64_t now_by_call(clockid_t clock)
{
	struct timespec ts;

	CHECK_EQ(0, syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static struct timespec to_ts(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static const clockid_t clocks[] = {
	CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
	CLOCK_MONOTONIC_COARSE,
};

#define NR_CLOCKS	ARRAY_SIZE(clocks)

static void note_clocks(int64_t *was)
{
	unsigned int i;

	for (i = 0; i < NR_CLOCKS; i++)
		was[i] = now(clocks[i]);
}

static void check_clocks(const int64_t *was)
{
	unsigned int i;
	int64_t a, b, c;

	for (i = 0; i < NR_CLOCKS; i++) {
		a = now(clocks[i]);
		b = now_by_call(clocks[i]);
		c = now(clocks[i]);
		CHECK(a >= was[i]);
		CHECK(a <= was[i] + LATE);
		/* the vDSO and the system call tell the same */
		CHECK(a <= b && b <= c);
	}
}

SUBJECT(clocks)
{
	int64_t was[NR_CLOCKS];
	int status;
	pid_t pid;

	note_clocks(was);
	pid = fork();
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		check_clocks(was);
		_exit(0);
	}
	subject_wait("child");
	note_clocks(was);
	subject_point();
	check_clocks(was);
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
	/* and who is born here has the same clocks */
	pid = fork();
	if (!pid) {
		check_clocks(was);
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, status);
}

/* All ways to wait until a time of a clock. */
static int64_t until[2];
static atomic_int woken;

static void *sleeps(void *arg)
{
	clockid_t clock = clocks[(intptr_t)arg];
	struct timespec ts = to_ts(until[(intptr_t)arg]);

	while (clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL))
		;
	CHECK(now(clock) >= until[(intptr_t)arg]);
	CHECK(now(clock) <= until[(intptr_t)arg] + LATE);
	woken++;
	return arg;
}

static void *waits(void *arg)
{
	struct timespec ts = to_ts(until[0]);
	int word = 0;

	CHECK_EQ(-1, syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts,
			     NULL, FUTEX_BITSET_MATCH_ANY));
	CHECK_EQ(ETIMEDOUT, errno);
	CHECK(now(CLOCK_MONOTONIC) >= until[0]);
	CHECK(now(CLOCK_MONOTONIC) <= until[0] + LATE);
	woken++;
	return arg;
}

static void *reads(void *arg)
{
	clockid_t clock = clocks[(intptr_t)arg];
	struct itimerspec its = { .it_value = to_ts(until[(intptr_t)arg]) };
	int fd = timerfd_create(clock, 0);
	uint64_t ticks;

	CHECK_EQ(0, timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	CHECK_EQ(8, read(fd, &ticks, 8));
	CHECK_EQ(1, ticks);
	CHECK(now(clock) >= until[(intptr_t)arg]);
	CHECK(now(clock) <= until[(intptr_t)arg] + LATE);
	woken++;
	return arg;
}

static timer_t timers[2];

static void set_timer(int i)
{
	struct itimerspec its = { .it_value = to_ts(until[i]) };
	struct sigevent sev = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + i,
	};

	CHECK_EQ(0, timer_create(clocks[i], &sev, &timers[i]));
	CHECK_EQ(0, timer_settime(timers[i], TIMER_ABSTIME, &its, NULL));
}

SUBJECT(deadlines)
{
	pthread_t threads[5];
	siginfo_t info;
	sigset_t set;
	int i, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGRTMIN + 1);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < 2; i++)
		until[i] = now(clocks[i]) + 5 * 1000000000LL;
	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, pthread_create(&threads[i], NULL, sleeps,
					   (void *)(intptr_t)i));
		CHECK_EQ(0, pthread_create(&threads[2 + i], NULL, reads,
					   (void *)(intptr_t)i));
		set_timer(i);
	}
	CHECK_EQ(0, pthread_create(&threads[4], NULL, waits, NULL));
	ckpt_sleep_ms(100);
	CHECK_EQ(0, woken);
	subject_point();
	for (i = 0; i < 2; i++) {
		sig = sigwaitinfo(&set, &info);
		CHECK(sig == SIGRTMIN || sig == SIGRTMIN + 1);
		sigdelset(&set, sig);
		CHECK(now(clocks[sig - SIGRTMIN]) >= until[sig - SIGRTMIN]);
		CHECK(now(clocks[sig - SIGRTMIN]) <= until[sig - SIGRTMIN] + LATE);
	}
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK_EQ(5, woken);
}

/* ---- tests -------------------------------------------------------------- */

/* Children will be in a new time namespace that is ahead of this one. */
static int enter_ahead(long monotonic, long boottime)
{
	char text[96];
	int fd, len, ret = 0;

	if (unshare(CLONE_NEWTIME))
		return -errno;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	len = snprintf(text, sizeof(text), "monotonic %ld 0\nboottime %ld 0\n",
		       monotonic, boottime);
	if (fd < 0 || write(fd, text, len) != len)
		ret = -errno;
	close(fd);
	return ret;
}

/* Has somebody in such a namespace start and checkpoint the subject. */
static int checkpoint_ahead(struct ckpt_run *run, const char *subject)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (enter_ahead(AHEAD_MONOTONIC, AHEAD_BOOTTIME))
			_exit(9);
		pid = fork();
		if (!pid)
			_exit(ckpt_start(run, subject) || ckpt_checkpoint(run));
		if (waitpid(pid, &status, 0) != pid)
			_exit(8);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 7);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		ckpt_msg("checkpoint in a time namespace: status %#x", status);
		return -ECHILD;
	}
	return 0;
}

FIXTURE(timens)
{
	struct ckpt_run *run;
};

FIXTURE_SETUP(timens)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	if (access("/proc/self/timens_offsets", F_OK))
		SKIP(return, "kernel has no time namespaces");
	/* who starts the subject is not who restarts it */
	self->run = mmap(NULL, sizeof(*self->run), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->run);
	ckpt_init(self->run, &(struct ckpt_how) { .kill = true });
	self->run->restart_flags = RESTART_TIMENS;
}

FIXTURE_TEARDOWN(timens)
{
	munmap(self->run, sizeof(*self->run));
}

static long restart_again(struct ckpt_run *run)
{
	run->pid = 0;
	run->cgroup_fd = -1;
	return ckpt_restart(run);
}

/* Clocks that would have gone backwards. */
TEST_F_TIMEOUT(timens, clocks, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	pid_t pid;

	ASSERT_EQ(0, checkpoint_ahead(run, "clocks"));
	pid = run->pid;
	ASSERT_EQ(pid, restart_again(run)) ckpt_print(run, "log");
	ASSERT_EQ(0, ckpt_finish(run));
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* ... and did: the test is not in vain. */
TEST_F_TIMEOUT(timens, without, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	pid_t pid;

	ASSERT_EQ(0, checkpoint_ahead(run, "clocks"));
	pid = run->pid;
	run->restart_flags = 0;
	ASSERT_EQ(pid, restart_again(run)) ckpt_print(run, "log");
	EXPECT_NE(0, ckpt_finish(run));
	ckpt_cleanup(run);
}

/* Neither is there a jump where the clocks would have been ahead. */
TEST_F_TIMEOUT(timens, not_ahead, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	int status;
	pid_t pid;

	ASSERT_EQ(0, ckpt_start(run, "clocks"));
	ASSERT_EQ(0, ckpt_checkpoint(run));
	pid = fork();
	if (!pid) {
		if (enter_ahead(AHEAD_MONOTONIC, AHEAD_BOOTTIME))
			_exit(9);
		pid = fork();
		if (!pid) {
			if (restart_again(run) < 0)
				ckpt_print(run, "log");
			_exit(!!ckpt_finish(run));
		}
		_exit(waitpid(pid, &status, 0) != pid || status);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* What waits for a time of a clock waits till then, and no longer. */
TEST_F_TIMEOUT(timens, deadlines, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	pid_t pid;

	ASSERT_EQ(0, checkpoint_ahead(run, "deadlines"));
	pid = run->pid;
	ASSERT_EQ(pid, restart_again(run)) ckpt_print(run, "log");
	ASSERT_EQ(0, ckpt_finish(run));
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* From one time namespace to the next. */
TEST_F_TIMEOUT(timens, again, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	pid_t pid;
	int i;

	ASSERT_EQ(0, checkpoint_ahead(run, "clocks"));
	pid = run->pid;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(pid, restart_again(run)) ckpt_print(run, "log");
		ASSERT_EQ(0, ckpt_checkpoint(run));
	}
	ASSERT_EQ(pid, restart_again(run)) ckpt_print(run, "log");
	ASSERT_EQ(0, ckpt_finish(run));
	ASSERT_EQ(0, ckpt_cleanup(run));
}

/* It takes what it takes to make a time namespace and to set its clocks. */
TEST_F_TIMEOUT(timens, privilege, CKPT_TIMEOUT)
{
	struct ckpt_run *run = self->run;
	int status;
	pid_t pid;

	ASSERT_EQ(0, ckpt_start(run, "clocks"));
	ASSERT_EQ(0, ckpt_checkpoint(run));
	chmod(run->dir, 0777);
	pid = fork();
	if (!pid) {
		int fd = ckpt_open(run, "image", O_RDONLY);

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(9);
		_exit(ckpt_restart_from(fd, RESTART_TIMENS, -1) == -EPERM ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	run->pid = 0;
	ASSERT_EQ(0, ckpt_cleanup(run));
}

CKPT_TEST_MAIN
