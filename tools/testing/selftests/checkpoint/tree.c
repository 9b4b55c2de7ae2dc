// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: the process tree. Parents, children, threads, zombies,
 * process groups and sessions, and who waits for whom.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/*
 * A process at each place of a tree: all verify who they are, and their parents
 * wait for them.
 */
struct ids {
	pid_t pid, ppid, pgid, sid;
};

static struct ids get_ids(void)
{
	return (struct ids) { getpid(), getppid(), getpgrp(), getsid(0) };
}

static void check_ids(const struct ids *was)
{
	CHECK_EQ(was->pid, getpid());
	CHECK_EQ(was->pid, syscall(SYS_getpid));
	CHECK_EQ(was->ppid, getppid());
	CHECK_EQ(was->pgid, getpgrp());
	CHECK_EQ(was->sid, getsid(0));
}

/* In a child: says that it is there and waits, then checks. */
static void child_point(const char *name)
{
	struct ids was = get_ids();

	subject_touch(name);
	subject_wait("go");
	check_ids(&was);
}

/* Two children of each process, three levels deep. */
static void family(int level, const char *name)
{
	pid_t pids[2];
	char child[32];
	int i;

	for (i = 0; level && i < 2; i++) {
		snprintf(child, sizeof(child), "%s.%d", name, i);
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (!pids[i]) {
			family(level - 1, child);
			_exit(0);
		}
		subject_wait(child);
	}
	if (strchr(name, '.'))
		child_point(name);
	else
		subject_point();
	for (i = 0; level && i < 2; i++)
		subject_join(pids[i]);
	/* no others */
	CHECK_EQ(-1, wait(NULL));
	CHECK_EQ(ECHILD, errno);
}

SUBJECT(children)
{
	struct ids was = get_ids();

	family(3, "child");
	check_ids(&was);
}

/* ---- threads ---- */

#define NR_THREADS 10

static pid_t tids[NR_THREADS];
static pthread_barrier_t barrier;
static atomic_bool go;

static void *thread_fn(void *arg)
{
	int nr = (intptr_t)arg;
	char name[16], seen[16];

	snprintf(name, sizeof(name), "thread-%d", nr);
	prctl(PR_SET_NAME, name);
	tids[nr] = syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(2);
	CHECK_EQ(tids[nr], syscall(SYS_gettid));
	CHECK_EQ(0, prctl(PR_GET_NAME, seen));
	CHECK(!strcmp(name, seen));
	return (void *)(intptr_t)(nr ^ 0x55);
}

static void start_threads(pthread_t *threads)
{
	int i;

	pthread_barrier_init(&barrier, NULL, NR_THREADS + 1);
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, thread_fn,
					   (void *)(intptr_t)i));
	pthread_barrier_wait(&barrier);
}

static void join_threads(pthread_t *threads)
{
	void *ret;
	int i;

	go = true;
	for (i = 0; i < NR_THREADS; i++) {
		CHECK_EQ(0, pthread_join(threads[i], &ret));
		CHECK_EQ(i ^ 0x55, (intptr_t)ret);
	}
}

SUBJECT(threads)
{
	pthread_t threads[NR_THREADS];

	start_threads(threads);
	subject_point();
	join_threads(threads);
}

/* A child of a thread that is not the leader, threads in the child. */
static void *forking_thread(void *arg)
{
	pthread_t threads[NR_THREADS];
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		start_threads(threads);
		child_point("child");
		join_threads(threads);
		_exit(0);
	}
	*(pid_t *)arg = pid;
	while (!go)
		ckpt_sleep_ms(2);
	subject_join(pid);
	return NULL;
}

SUBJECT(threads_fork)
{
	pthread_t thread;
	pid_t pid = 0;

	CHECK_EQ(0, pthread_create(&thread, NULL, forking_thread, &pid));
	subject_wait("child");
	subject_point();
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- zombies ---- */

static pid_t zombie(int code, int sig)
{
	pid_t pid = fork();
	siginfo_t info;

	CHECK(pid >= 0);
	if (!pid) {
		if (!sig)
			_exit(code);
		setrlimit(RLIMIT_CORE, &(struct rlimit){});
		signal(sig, SIG_DFL);
		raise(sig);
		_exit(99);
	}
	CHECK_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

SUBJECT(zombies)
{
	pid_t exits[4], kills[3], nested, grouped;
	static const int codes[] = { 0, 1, 42, 255 };
	static const int sigs[] = { SIGKILL, SIGTERM, SIGSEGV };
	int i, status;
	siginfo_t info;

	for (i = 0; i < 4; i++)
		exits[i] = zombie(codes[i], 0);
	for (i = 0; i < 3; i++)
		kills[i] = zombie(0, sigs[i]);
	/* one that has its own process group */
	grouped = fork();
	if (!grouped) {
		setpgid(0, 0);
		_exit(7);
	}
	CHECK_EQ(0, waitid(P_PID, grouped, &info, WEXITED | WNOWAIT));
	/* one below a child */
	nested = fork();
	if (!nested) {
		pid_t pid = zombie(33, 0);

		child_point("child");
		CHECK_EQ(pid, waitpid(pid, &status, 0));
		CHECK_EQ(33 << 8, status);
		_exit(0);
	}
	subject_wait("child");

	subject_point();

	for (i = 0; i < 4; i++) {
		CHECK_EQ('Z', ckpt_state(exits[i]));
		memset(&info, 0, sizeof(info));
		CHECK_EQ(0, waitid(P_PID, exits[i], &info, WEXITED | WNOWAIT));
		CHECK_EQ(CLD_EXITED, info.si_code);
		CHECK_EQ(codes[i], info.si_status);
		CHECK_EQ(exits[i], waitpid(exits[i], &status, 0));
		CHECK_EQ(codes[i] << 8, status);
	}
	for (i = 0; i < 3; i++) {
		CHECK_EQ('Z', ckpt_state(kills[i]));
		CHECK_EQ(kills[i], waitpid(kills[i], &status, 0));
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(sigs[i], WTERMSIG(status));
	}
	CHECK_EQ(grouped, waitpid(-grouped, &status, 0));
	CHECK_EQ(7 << 8, status);
	subject_join(nested);
	CHECK_EQ(-1, wait(NULL));
}

/* A leader that has exited while a thread of its lives on. */
static void *survivor(void *arg)
{
	struct ids was = get_ids();

	(void)arg;
	while (ckpt_state(getpid()) != 'Z')
		ckpt_sleep_ms(1);
	subject_point();
	check_ids(&was);
	CHECK_EQ('Z', ckpt_state(getpid()));
	exit(0);
}

SUBJECT(dead_thread_leader)
{
	pthread_t thread;

	CHECK_EQ(0, pthread_create(&thread, NULL, survivor, NULL));
	pthread_exit(NULL);
}

/* ---- groups and sessions ---- */

SUBJECT(groups)
{
	pid_t a, b, c, d;
	int status;

	/* a and b in group a; c in its own session; d in our group */
	a = fork();
	if (!a) {
		CHECK_EQ(0, setpgid(0, 0));
		child_point("a");
		_exit(0);
	}
	subject_wait("a");
	b = fork();
	if (!b) {
		CHECK_EQ(0, setpgid(0, a));
		child_point("b");
		_exit(0);
	}
	c = fork();
	if (!c) {
		CHECK_EQ(getpid(), setsid());
		child_point("c");
		_exit(0);
	}
	d = fork();
	if (!d) {
		child_point("d");
		_exit(0);
	}
	subject_wait("b");
	subject_wait("c");
	subject_wait("d");

	subject_point();

	/*
	 * Members are found by their group. The other two are no members, they
	 * may have exited by now all the same.
	 */
	CHECK_EQ(a, getpgid(a));
	CHECK_EQ(c, getsid(c));
	CHECK_EQ(getpid(), getpgid(d));
	/* b first: the number of a group goes with its last member */
	CHECK_EQ(b, waitpid(b, &status, 0));
	CHECK_EQ(0, status);
	CHECK_EQ(a, waitpid(-a, &status, 0));
	CHECK_EQ(0, status);
	subject_join(c);
	subject_join(d);
}

/*
 * A process group, then a session, whose leader is dead and gone while members
 * live on: the numbers must still belong to the group and the session.
 */
SUBJECT(dead_leaders)
{
	pid_t leader, member, sleader;
	struct ids *ids;
	int status;

	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(ids != MAP_FAILED);

	leader = fork();
	if (!leader) {
		setpgid(0, 0);
		subject_touch("leader");
		subject_wait("member");
		_exit(0);
	}
	subject_wait("leader");
	member = fork();
	if (!member) {
		CHECK_EQ(0, setpgid(0, leader));
		child_point("member");
		CHECK_EQ(leader, getpgrp());
		_exit(0);
	}
	CHECK_EQ(leader, waitpid(leader, &status, 0));

	sleader = fork();
	if (!sleader) {
		setsid();
		if (!fork()) {
			ids->pid = getpid();
			subject_wait("orphaned");
			child_point("orphan");
			CHECK_EQ(sleader ?: ids->sid, getsid(0));
			_exit(0);
		}
		subject_wait("leave");
		_exit(0);
	}
	ids->sid = sleader;
	subject_touch("leave");
	CHECK_EQ(sleader, waitpid(sleader, &status, 0));
	subject_touch("orphaned");
	subject_wait("orphan");
	CHECK_EQ(sleader, getsid(ids->pid));

	subject_point();

	CHECK_EQ(-1, kill(leader, 0));
	CHECK_EQ(ESRCH, errno);
	CHECK_EQ(-1, kill(sleader, 0));
	CHECK_EQ(ESRCH, errno);
	subject_join(member);
	/* the orphan is ours, we are the reaper */
	subject_join(ids->pid);
}

/* Same group and session as the test: the restarted task has its caller's. */
SUBJECT(borrowed_session)
{
	struct ids was = get_ids();

	CHECK(was.sid != was.pid);
	subject_point();
	CHECK_EQ(was.sid, getsid(0));
	CHECK_EQ(was.pgid, getpgrp());
}

/* SIGCHLD and wait in the direction that is not by exit. */
SUBJECT(exit_signal)
{
	sigset_t set;
	pid_t pid;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	/* the signal at the end of a child can be any */
	pid = syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, NULL);
	CHECK(pid >= 0);
	if (!pid) {
		child_point("child");
		_exit(5);
	}
	subject_wait("child");

	subject_point();

	CHECK_EQ(0, sigwait(&set, &sig));
	CHECK_EQ(SIGUSR1, sig);
	CHECK_EQ(-1, waitpid(pid, NULL, 0));
	CHECK_EQ(pid, waitpid(pid, &sig, __WCLONE));
	CHECK_EQ(5 << 8, sig);
}

/* ---- many ---- */

#define BIG_PROCESSES	100

static pthread_barrier_t big_barrier;
/* Shared by all: how many processes are there, and whether they may end. */
static atomic_int *big_count, *big_go;

/* A thousand tasks that look for a file would keep the machine from working. */
static void *big_thread(void *arg)
{
	pid_t tid = syscall(SYS_gettid);

	pthread_barrier_wait(&big_barrier);
	pthread_barrier_wait(&big_barrier);
	CHECK_EQ(tid, syscall(SYS_gettid));
	return arg;
}

static void big_process(void)
{
	pthread_t threads[NR_THREADS - 1];
	pthread_attr_t attr;
	void *ret;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&big_barrier, NULL, NR_THREADS);
	for (i = 0; i < NR_THREADS - 1; i++)
		CHECK_EQ(0, pthread_create(&threads[i], &attr, big_thread,
					   (void *)(intptr_t)(getpid() + i)));
	pthread_barrier_wait(&big_barrier);
	(*big_count)++;
	while (!*big_go)
		ckpt_sleep_ms(200);
	pthread_barrier_wait(&big_barrier);
	for (i = 0; i < NR_THREADS - 1; i++) {
		CHECK_EQ(0, pthread_join(threads[i], &ret));
		CHECK_EQ(getpid() + i, (intptr_t)ret);
	}
}

SUBJECT(big)
{
	pid_t pids[BIG_PROCESSES];
	pid_t me = getpid();
	int i;

	big_count = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(big_count != MAP_FAILED);
	big_go = big_count + 1;

	for (i = 0; i < BIG_PROCESSES - 1; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (!pids[i]) {
			struct ids was = get_ids();

			big_process();
			check_ids(&was);
			CHECK_EQ(me, getppid());
			_exit(0);
		}
	}
	while (*big_count < BIG_PROCESSES - 1)
		ckpt_sleep_ms(10);
	subject_point();
	*big_go = 1;
	for (i = 0; i < BIG_PROCESSES - 1; i++)
		subject_join(pids[i]);
	CHECK_EQ(BIG_PROCESSES - 1, *big_count);
}

CKPT_FIXTURE_HOW(tree);
CKPT_VARIANTS(tree);

CKPT_ROUNDTRIP(tree, children);
CKPT_ROUNDTRIP(tree, threads);
CKPT_ROUNDTRIP(tree, threads_fork);
CKPT_ROUNDTRIP(tree, zombies);
CKPT_ROUNDTRIP(tree, groups);
CKPT_ROUNDTRIP(tree, dead_leaders);
CKPT_ROUNDTRIP(tree, exit_signal);

CKPT_FIXTURE_HOW(tree_other);
CKPT_VARIANTS_OTHER(tree_other);

CKPT_ROUNDTRIP(tree_other, dead_thread_leader);

TEST_F_TIMEOUT(tree_other, borrowed_session, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &variant->how);
	run.same_session = true;
	ASSERT_EQ(0, ckpt_roundtrip_run("borrowed_session", &run));
}

TEST_F_TIMEOUT(tree_other, big, 600)
{
	ASSERT_EQ(0, ckpt_roundtrip("big", &variant->how));
}

CKPT_FIXTURE(pids);

/*
 * Every process and thread of an image, with its pid taken by somebody else:
 * refused, nothing is left behind, and the image is good when it is free again.
 */
TEST_F_TIMEOUT(pids, taken, CKPT_TIMEOUT)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	char path[64], text[64];
	struct ckpt_run run;
	pid_t pid, squatter;
	pid_t taken[2];
	unsigned int i, tries;
	int status;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "threads_fork"));
	pid = run.pid;
	taken[0] = pid;
	/* the thread comes right after the leader, or nearly so */
	taken[1] = 0;
	for (i = 1; i < 50 && !taken[1]; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid,
			 pid + i);
		if (ckpt_slurp(path, text, sizeof(text)) > 0)
			taken[1] = pid + i;
	}
	ASSERT_NE(0, taken[1]);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	for (i = 0; i < 2; i++) {
		args.set_tid = (uintptr_t)&taken[i];
		args.set_tid_size = 1;
		/* init may yet have to reap what the subject left behind */
		for (tries = 0; tries < 500; tries++) {
			squatter = syscall(SYS_clone3, &args, sizeof(args));
			if (squatter >= 0 || errno != EEXIST)
				break;
			usleep(10000);
		}
		ASSERT_LE(0, squatter);
		if (!squatter) {
			pause();
			_exit(0);
		}
		EXPECT_EQ(-EEXIST, ckpt_restart(&run)) ckpt_print(&run, "log");
		EXPECT_NE(-1, kill(squatter, 0));
		ASSERT_EQ(0, kill(squatter, SIGKILL));
		ASSERT_EQ(squatter, waitpid(-1, &status, 0));
		EXPECT_EQ(-1, waitpid(-1, &status, WNOHANG));
		EXPECT_EQ(ECHILD, errno);
		EXPECT_EQ(-1, kill(taken[0], 0));
		EXPECT_EQ(-1, kill(taken[1], 0));
	}
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The original itself is what takes the pids. */
TEST_F_TIMEOUT(pids, original_lives, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "children"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	EXPECT_EQ(-EEXIST, ckpt_restart(&run)) ckpt_print(&run, "log");
	run.pid = pid;
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A restarted tree is one that can be killed, group by group. */
TEST_F_TIMEOUT(pids, kill_restarted, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) {
		.target = CKPT_CGROUP, .kill = true
	});
	ASSERT_EQ(0, ckpt_start(&run, "children"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, kill(-pid, SIGTERM));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGTERM, WTERMSIG(status));
	run.pid = 0;
	/* children that init is to reap need a moment */
	ckpt_sleep_ms(200);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
