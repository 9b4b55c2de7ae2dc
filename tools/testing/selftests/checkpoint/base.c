// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: the simplest program, in every way there is to checkpoint
 * and restart it, and the flags that say how.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ckpt_util.h"

static atomic_uint data_word = 0x600dda7a;
static atomic_uint bss_words[5000];

SUBJECT(simple)
{
	atomic_uint stack_word = 0x57ac1234;
	unsigned int *heap = malloc(10000 * sizeof(*heap));
	pid_t pid = getpid(), ppid = getppid();
	unsigned int i;

	CHECK(heap);
	data_word = 0xdeadbeef;
	for (i = 0; i < 10000; i++)
		heap[i] = i * 2654435761U;
	for (i = 0; i < 5000; i++)
		bss_words[i] = ~i;

	subject_point();

	CHECK_EQ(0xdeadbeef, data_word);
	CHECK_EQ(0x57ac1234, stack_word);
	for (i = 0; i < 10000; i++)
		CHECK_EQ(i * 2654435761U, heap[i]);
	for (i = 0; i < 5000; i++)
		CHECK_EQ(~i, bss_words[i]);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(pid, syscall(SYS_gettid));
	CHECK_EQ(pid, getsid(0));
	CHECK_EQ(pid, getpgrp());
	CHECK_EQ(ppid, getppid());
	free(heap);
}

CKPT_FIXTURE_HOW(base);
CKPT_VARIANT(base, self_kill_file, .target = CKPT_SELF, .kill = true);
CKPT_VARIANT(base, self_kill_pipe, .target = CKPT_SELF, .kill = true,
	     .pipe = true);
CKPT_VARIANT(base, self_leave_file, .target = CKPT_SELF);
CKPT_VARIANT(base, self_leave_pipe, .target = CKPT_SELF, .pipe = true);
CKPT_VARIANT(base, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(base, subtree_kill_pipe, .target = CKPT_SUBTREE, .kill = true,
	     .pipe = true);
CKPT_VARIANT(base, subtree_leave_file, .target = CKPT_SUBTREE);
CKPT_VARIANT(base, subtree_leave_pipe, .target = CKPT_SUBTREE, .pipe = true);
CKPT_VARIANT(base, cgroup_kill_file, .target = CKPT_CGROUP, .kill = true);
CKPT_VARIANT(base, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true,
	     .pipe = true);
CKPT_VARIANT(base, cgroup_leave_file, .target = CKPT_CGROUP);
CKPT_VARIANT(base, cgroup_leave_pipe, .target = CKPT_CGROUP, .pipe = true);

CKPT_ROUNDTRIP(base, simple);

CKPT_FIXTURE(flags);

static const struct ckpt_how subtree_kill = {
	.target = CKPT_SUBTREE, .kill = true,
};

static const struct ckpt_how subtree_leave = { .target = CKPT_SUBTREE };
static const struct ckpt_how cgroup_kill = {
	.target = CKPT_CGROUP, .kill = true,
};

/* One image serves as often as one likes. */
TEST_F_TIMEOUT(flags, restart_thrice, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int i, pid;

	ckpt_init(&run, &subtree_kill);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
		ASSERT_EQ(0, ckpt_finish(&run));
	}
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* An image gets its name when it is whole, as with open(2), O_TMPFILE. */
SUBJECT(nameless_image)
{
	int fd = open(subject_dir, O_TMPFILE | O_WRONLY, 0600);
	char path[64];
	long id;

	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	id = ckpt_checkpoint_to(-1, fd, 0, -1);
	CHECK(id >= 0);
	if (id) {
		CHECK_EQ(0, linkat(AT_FDCWD, path, AT_FDCWD, subject_path("image"),
				   AT_SYMLINK_FOLLOW));
		subject_ready();
	} else {
		/* that of restart() now */
		CHECK_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	}
	subject_wait("go");
}

TEST_F_TIMEOUT(flags, nameless_image, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &subtree_leave);
	ASSERT_EQ(0, ckpt_start(&run, "nameless_image"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* What was restarted can be checkpointed like anything else. */
TEST_F_TIMEOUT(flags, generations, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int i, pid;

	ckpt_init(&run, &subtree_kill);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, ckpt_checkpoint(&run));
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	}
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Many checkpoints of a program that goes on. */
TEST_F_TIMEOUT(flags, again_and_again, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int i, pid;

	ckpt_init(&run, &subtree_leave);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, ckpt_go_on(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The original stops; the image knows nothing of it. */
TEST_F_TIMEOUT(flags, checkpoint_stop, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status, pid;

	ckpt_init(&run, &subtree_leave);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	run.checkpoint_flags = CHECKPOINT_STOP;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(SIGSTOP, WSTOPSIG(status));
	ASSERT_EQ('T', ckpt_state(pid));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(0, ckpt_go_on(&run));

	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ckpt_sleep_ms(50);
	ASSERT_NE('T', ckpt_state(pid));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(flags, restart_stopped, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status, pid;

	ckpt_init(&run, &subtree_kill);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.restart_flags = RESTART_STOPPED;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(SIGSTOP, WSTOPSIG(status));
	ASSERT_EQ('T', ckpt_state(pid));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Where a restarted task lives. */
TEST_F_TIMEOUT(flags, restart_cgroup, CKPT_TIMEOUT)
{
	char path[64], text[512];
	struct ckpt_run run;
	int pid;

	ckpt_init(&run, &cgroup_kill);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	ASSERT_LT(0, ckpt_slurp(path, text, sizeof(text)));
	ASSERT_NE(NULL, strstr(text, strrchr(run.cgroup, '/')));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The target's end is noticed where it always was: in its parent. */
TEST_F_TIMEOUT(flags, restart_is_child, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	siginfo_t info = {};
	sigset_t set;
	int pid;

	ckpt_init(&run, &subtree_kill);
	ASSERT_EQ(0, ckpt_start(&run, "simple"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	while (sigtimedwait(&set, NULL, &(struct timespec){}) > 0)
		;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ckpt_touch(&run, "go");
	ASSERT_EQ(SIGCHLD, sigtimedwait(&set, &info,
					&(struct timespec){ CKPT_PATIENCE, 0 }));
	ASSERT_EQ(pid, info.si_pid);
	ASSERT_EQ(CLD_EXITED, info.si_code);
	ASSERT_EQ(0, info.si_status);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
