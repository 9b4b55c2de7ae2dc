// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: parents that wait in vfork(), and the children that they
 * wait for.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define STACK_SIZE	(256 << 10)

static volatile int left;

/* A child that waits, and exits. */
SUBJECT(child_exits)
{
	pid_t pid, me = getpid();
	int status;

	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		left = 43;
		subject_ready();
		subject_wait("go");
		left++;
		_exit(9);
	}
	/* the parent went on when that was over, and not before */
	CHECK_EQ(44, left);
	CHECK_EQ(me, getpid());
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(9 << 8, status);
	CHECK_EQ(-1, waitpid(-1, &status, 0));
}

SUBJECT(program)
{
	if (access(subject_path("vforked"), F_OK)) {
		/* run by its own */
		subject_point();
		return;
	}
	_exit(11);
}

/* A child that calls execve() at last. */
SUBJECT(child_execs)
{
	char *argv[] = { "vfork", "--subject", "program", subject_dir, "0", NULL };
	int status;
	pid_t pid;

	subject_touch("vforked");
	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		left = 43;
		subject_ready();
		subject_wait("go");
		left++;
		execve("/proc/self/exe", argv, environ);
		_exit(9);
	}
	CHECK_EQ(44, left);
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(11 << 8, status);
}

/* A child that is within vfork() itself. */
SUBJECT(nested)
{
	pid_t pid, inner;
	int status;

	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		inner = vfork();
		if (!inner) {
			left = 1;
			subject_ready();
			subject_wait("go");
			left = 2;
			_exit(5);
		}
		CHECK(inner > 0);
		CHECK_EQ(2, left);
		CHECK_EQ(inner, waitpid(inner, &status, 0));
		CHECK_EQ(5 << 8, status);
		left = 3;
		_exit(6);
	}
	CHECK_EQ(3, left);
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(6 << 8, status);
}

/* The parent waits, but has memory of its own. */
SUBJECT(own_memory)
{
	int status;
	pid_t pid;

	left = 1;
	pid = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, 0);
	CHECK(pid >= 0);
	if (!pid) {
		left = 2;
		subject_ready();
		subject_wait("go");
		subject_touch("child-was-first");
		_exit(3);
	}
	CHECK(!access(subject_path("child-was-first"), F_OK));
	CHECK_EQ(1, left);
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(3 << 8, status);
}

/* Several threads wait, each for a child of its own; the leader does not. */
#define NR_THREADS	3

static volatile int thread_left[NR_THREADS];

static void *vforking_thread(void *arg)
{
	int nr = (intptr_t)arg, status;
	char name[16];
	pid_t pid;

	snprintf(name, sizeof(name), "child.%d", nr);
	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		subject_touch(name);
		subject_wait("go");
		thread_left[nr] = 1;
		_exit(20 + nr);
	}
	CHECK_EQ(1, thread_left[nr]);
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ((20 + nr) << 8, status);
	return arg;
}

SUBJECT(threads)
{
	pthread_t threads[NR_THREADS];
	char name[16];
	int i;

	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, vforking_thread,
					   (void *)(intptr_t)i));
	for (i = 0; i < NR_THREADS; i++) {
		snprintf(name, sizeof(name), "child.%d", i);
		subject_wait(name);
	}
	subject_ready();
	subject_wait("go");
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* Who waits is a sibling of the child: CLONE_PARENT. */
static int child_waits(void *arg)
{
	left = 1;
	subject_ready();
	subject_wait("go");
	left = 2;
	_exit(4);
}

SUBJECT(sibling)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status, i, seen = 0;
	pid_t pid, middle;

	middle = fork();
	CHECK(middle >= 0);
	if (!middle) {
		pid = clone(child_waits, stack + STACK_SIZE,
			    CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, NULL);
		CHECK(pid > 0);
		CHECK_EQ(2, left);
		_exit(7);
	}
	for (i = 0; i < 2; i++) {
		pid = waitpid(-1, &status, 0);
		CHECK(pid > 0);
		CHECK_EQ((pid == middle ? 7 : 4) << 8, status);
		seen += pid == middle;
	}
	CHECK_EQ(1, seen);
}

/* A signal that came meanwhile has its handler run when vfork() is over. */
static volatile int handled_at;

static void handler(int sig)
{
	handled_at = left;
}

SUBJECT(signal)
{
	pid_t pid, me = getpid();

	signal(SIGUSR1, handler);
	pid = vfork();
	CHECK(pid >= 0);
	if (!pid) {
		left = 1;
		CHECK_EQ(0, kill(me, SIGUSR1));
		subject_ready();
		subject_wait("go");
		left = 2;
		_exit(0);
	}
	CHECK_EQ(2, handled_at);
	subject_join(pid);
}

CKPT_FIXTURE_HOW(vfork);
CKPT_VARIANTS_OTHER(vfork);

CKPT_ROUNDTRIP(vfork, child_exits);
CKPT_ROUNDTRIP(vfork, child_execs);
CKPT_ROUNDTRIP(vfork, nested);
CKPT_ROUNDTRIP(vfork, own_memory);
CKPT_ROUNDTRIP(vfork, threads);
CKPT_ROUNDTRIP(vfork, sibling);
CKPT_ROUNDTRIP(vfork, signal);

CKPT_FIXTURE(again);

/* It still waits after the restart, and can be checkpointed there again. */
TEST_F_TIMEOUT(again, twice, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .kill = true };
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &how);
	ASSERT_EQ(0, ckpt_start(&run, "child_exits"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_wait_state(pid, 'D'));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A restarted parent can be killed, and the child is none the worse for it. */
TEST_F_TIMEOUT(again, parent_killed, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .kill = true };
	struct ckpt_run run;
	int i;

	ckpt_init(&run, &how);
	ASSERT_EQ(0, ckpt_start(&run, "own_memory"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_kill(&run));
	ckpt_touch(&run, "go");
	for (i = 0; !ckpt_exists(&run, "child-was-first") && i < 100 * CKPT_PATIENCE; i++)
		ckpt_sleep_ms(10);
	ASSERT_TRUE(ckpt_exists(&run, "child-was-first"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
