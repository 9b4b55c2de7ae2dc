// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: scheduling, NUMA policies, and that processes of another
 * user count as his.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define NORMAL	0
#define FIFO	1
#define RR	2
#define BATCH	3
#define IDLE	5
#define DEADLINE 6

#define MS	1000000ULL
#define USER	4321

static int set_attr(struct sched_attr *attr)
{
	attr->size = sizeof(*attr);
	return syscall(SYS_sched_setattr, 0, attr, 0);
}

static struct sched_attr get_attr(void)
{
	struct sched_attr attr = { .size = sizeof(attr) };

	CHECK_EQ(0, syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	return attr;
}

SUBJECT(deadline)
{
	struct sched_attr attr = {
		.sched_policy = DEADLINE,
		.sched_runtime = 20 * MS,
		.sched_deadline = 50 * MS,
		.sched_period = 100 * MS,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM |
			       SCHED_FLAG_DL_OVERRUN,
	}, seen;

	/* that it overruns, it is told with this */
	signal(SIGXCPU, SIG_IGN);
	CHECK_EQ(0, setpriority(PRIO_PROCESS, 0, 4));
	CHECK_EQ(0, set_attr(&attr));
	attr = get_attr();
	CHECK_EQ(DEADLINE, attr.sched_policy);
	subject_point();
	seen = get_attr();
	CHECK_MEM(&attr, &seen, sizeof(attr));
	/* the nice value that it hides */
	CHECK_EQ(4, getpriority(PRIO_PROCESS, 0));
}

/* A slice of its own, and one that another policy hides. */
static pthread_barrier_t ready;
static atomic_bool go;

static void *hidden_slice(void *arg)
{
	struct sched_attr attr = {
		.sched_policy = NORMAL, .sched_nice = 9, .sched_runtime = 7 * MS,
	};
	int none = 0, prio = 5;

	CHECK_EQ(0, set_attr(&attr));
	CHECK_EQ(0, syscall(SYS_sched_setscheduler, 0, FIFO, &prio));
	pthread_barrier_wait(&ready);
	while (!go)
		ckpt_sleep_ms(10);
	attr = get_attr();
	CHECK_EQ(FIFO, attr.sched_policy);
	CHECK_EQ(5, attr.sched_priority);
	CHECK_EQ(9, getpriority(PRIO_PROCESS, 0));
	CHECK_EQ(0, syscall(SYS_sched_setscheduler, 0, NORMAL, &none));
	attr = get_attr();
	CHECK_EQ(9, attr.sched_nice);
	/* where there are such slices */
	if (arg)
		CHECK_EQ(7 * MS, attr.sched_runtime);
	return NULL;
}

SUBJECT(slice)
{
	struct sched_attr attr = {
		.sched_policy = BATCH, .sched_nice = 3, .sched_runtime = 11 * MS,
	}, seen;
	pthread_t thread;

	CHECK_EQ(0, set_attr(&attr));
	seen = get_attr();
	attr.sched_runtime = seen.sched_runtime;
	pthread_barrier_init(&ready, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, hidden_slice,
				   (void *)(long)attr.sched_runtime));
	pthread_barrier_wait(&ready);
	subject_point();
	attr = get_attr();
	CHECK_MEM(&attr, &seen, sizeof(attr));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* Both clamps, and one alone in a thread with another policy. */
static void *one_clamp(void *arg)
{
	struct sched_attr attr = {
		.sched_policy = RR, .sched_priority = 2,
		.sched_flags = SCHED_FLAG_UTIL_CLAMP_MAX, .sched_util_max = 600,
	}, seen;
	int prio = 2;

	if (set_attr(&attr))
		CHECK_EQ(0, syscall(SYS_sched_setscheduler, 0, RR, &prio));
	seen = get_attr();
	pthread_barrier_wait(&ready);
	while (!go)
		ckpt_sleep_ms(10);
	attr = get_attr();
	CHECK_MEM(&attr, &seen, sizeof(attr));
	return arg;
}

SUBJECT(clamps)
{
	struct sched_attr attr = {
		.sched_policy = NORMAL,
		.sched_flags = SCHED_FLAG_UTIL_CLAMP,
		.sched_util_min = 100, .sched_util_max = 700,
	}, seen;
	bool has = !set_attr(&attr);
	pthread_t thread;

	CHECK(has || errno == EOPNOTSUPP);
	seen = get_attr();
	CHECK(!has || (seen.sched_util_min == 100 && seen.sched_util_max == 700));
	pthread_barrier_init(&ready, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, one_clamp, NULL));
	pthread_barrier_wait(&ready);
	subject_point();
	attr = get_attr();
	CHECK_MEM(&attr, &seen, sizeof(attr));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* Every policy, in threads, with nice values, and I/O classes besides. */
static const struct {
	int policy, prio, nice, ioprio;
	bool reset;
} kinds[] = {
	{ NORMAL, 0, -7, 0, false },
	{ NORMAL, 0, 19, 1 << 13 | 4, true },
	{ BATCH, 0, 5, 2 << 13 | 0, true },
	{ IDLE, 0, 2, 3 << 13, false },
	{ FIFO, 99, 0, 2 << 13 | 7, false },
	{ RR, 1, 11, 1 << 13 | 7, true },
};

static void *kind(void *arg)
{
	long i = (long)arg;
	int prio = kinds[i].prio, policy = kinds[i].policy;
	struct sched_attr attr, seen;

	if (kinds[i].reset)
		policy |= 0x40000000;	/* SCHED_RESET_ON_FORK */
	CHECK_EQ(0, setpriority(PRIO_PROCESS, 0, kinds[i].nice));
	CHECK_EQ(0, syscall(SYS_sched_setscheduler, 0, policy, &prio));
	if (kinds[i].ioprio)
		CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, kinds[i].ioprio));
	attr = get_attr();
	pthread_barrier_wait(&ready);
	while (!go)
		ckpt_sleep_ms(10);
	seen = get_attr();
	CHECK_EQ(attr.sched_policy, seen.sched_policy);
	CHECK_EQ(attr.sched_flags, seen.sched_flags);
	CHECK_EQ(attr.sched_nice, seen.sched_nice);
	CHECK_EQ(attr.sched_priority, seen.sched_priority);
	CHECK_EQ(attr.sched_runtime, seen.sched_runtime);
	CHECK_MEM(&attr, &seen, sizeof(attr));
	CHECK_EQ(policy, syscall(SYS_sched_getscheduler, 0));
	CHECK_EQ(kinds[i].nice, getpriority(PRIO_PROCESS, 0));
	if (kinds[i].ioprio)
		CHECK_EQ(kinds[i].ioprio, syscall(SYS_ioprio_get, 1, 0));
	return NULL;
}

SUBJECT(policies)
{
	pthread_t threads[ARRAY_SIZE(kinds)];
	unsigned long i;

	pthread_barrier_init(&ready, NULL, ARRAY_SIZE(kinds) + 1);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, kind, (void *)i));
	pthread_barrier_wait(&ready);
	subject_point();
	go = true;
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* ---- CPUs ---- */

SUBJECT(not_bound)
{
	unsigned long was[32] = {}, is[32] = {};

	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(was), was) > 0);
	subject_point();
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(is), is) > 0);
	CHECK_MEM(was, is, sizeof(was));
}

/* ---- NUMA ---- */

#define NODE0	1UL

static void get_policy(int *mode, unsigned long *nodes, void *addr)
{
	unsigned long mask[16] = {};

	CHECK_EQ(0, syscall(SYS_get_mempolicy, mode, mask, sizeof(mask) * 8, addr,
			    addr ? MPOL_F_ADDR : 0));
	*nodes = mask[0];
}

static bool has_numa(void)
{
	int mode;

	return !syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);
}

static const struct {
	int mode;
	unsigned long nodes;
} numa[] = {
	{ MPOL_BIND, NODE0 },
	{ MPOL_BIND | MPOL_F_STATIC_NODES, NODE0 | 2 },
	{ MPOL_INTERLEAVE, NODE0 },
	{ MPOL_INTERLEAVE | MPOL_F_RELATIVE_NODES, NODE0 | 4 },
	{ MPOL_PREFERRED, NODE0 },
	{ MPOL_LOCAL, 0 },
	{ MPOL_PREFERRED_MANY, NODE0 },
	{ MPOL_WEIGHTED_INTERLEAVE, NODE0 },
	{ MPOL_WEIGHTED_INTERLEAVE | MPOL_F_STATIC_NODES, NODE0 | 8 },
	{ MPOL_DEFAULT, 0 },
};

static void *numa_thread(void *arg)
{
	unsigned long nodes, seen_nodes;
	int mode, seen_mode;
	long i = (long)arg;

	CHECK_EQ(0, syscall(SYS_set_mempolicy, numa[i].mode, &numa[i].nodes, 64));
	get_policy(&mode, &nodes, NULL);
	CHECK_EQ(numa[i].mode, mode);
	pthread_barrier_wait(&ready);
	while (!go)
		ckpt_sleep_ms(10);
	get_policy(&seen_mode, &seen_nodes, NULL);
	CHECK_EQ(mode, seen_mode);
	CHECK_EQ(nodes, seen_nodes);
	return NULL;
}

SUBJECT(numa_task)
{
	pthread_t threads[ARRAY_SIZE(numa)];
	unsigned long i;

	if (!has_numa()) {
		subject_point();
		return;
	}
	pthread_barrier_init(&ready, NULL, ARRAY_SIZE(numa) + 1);
	for (i = 0; i < ARRAY_SIZE(numa); i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, numa_thread, (void *)i));
	pthread_barrier_wait(&ready);
	subject_point();
	go = true;
	for (i = 0; i < ARRAY_SIZE(numa); i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

SUBJECT(numa_memory)
{
	unsigned long nodes[ARRAY_SIZE(numa)], seen_nodes, i;
	int mode[ARRAY_SIZE(numa)], seen_mode;
	char *p = mmap(NULL, 4096 * ARRAY_SIZE(numa), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memset(p, 7, 4096 * ARRAY_SIZE(numa));
	if (!has_numa()) {
		subject_point();
		return;
	}
	for (i = 0; i < ARRAY_SIZE(numa); i++) {
		CHECK_EQ(0, syscall(SYS_mbind, p + i * 4096, 4096, numa[i].mode,
				    &numa[i].nodes, 64, 0));
		get_policy(&mode[i], &nodes[i], p + i * 4096);
	}
	/* set_mempolicy_home_node(); the test looks for it in the image */
	CHECK_EQ(0, syscall(450, p, 4096, 0, 0));
	subject_point();
	for (i = 0; i < ARRAY_SIZE(numa); i++) {
		get_policy(&seen_mode, &seen_nodes, p + i * 4096);
		CHECK_EQ(mode[i], seen_mode);
		CHECK_EQ(nodes[i], seen_nodes);
		CHECK_EQ(7, p[i * 4096]);
	}
}

SUBJECT(numa_shared)
{
	unsigned long nodes = NODE0;
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(0, syscall(SYS_mbind, p, 4096, MPOL_BIND, &nodes, 64, 0));
	subject_point();
}

/* ---- who processes count for ---- */

static void become_user(void)
{
	CHECK_EQ(0, setresgid(USER, USER, USER));
	CHECK_EQ(0, setresuid(USER, USER, USER));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

/* Has the user so many processes, with this one? */
static bool has_processes(int nr)
{
	struct rlimit limit = { nr, nr + 10 };
	pid_t pid;

	CHECK_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
	pid = fork();
	if (!pid)
		_exit(0);
	if (pid > 0) {
		CHECK_EQ(pid, waitpid(pid, NULL, 0));
		return false;
	}
	CHECK_EQ(EAGAIN, errno);
	limit.rlim_cur = nr + 1;
	CHECK_EQ(0, setrlimit(RLIMIT_NPROC, &limit));
	pid = fork();
	if (!pid)
		_exit(0);
	if (pid < 0)
		return false;
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
	return true;
}

/* A process whose tasks are those of a user: it, a thread and two children. */
static void *waits(void *arg)
{
	while (!go)
		ckpt_sleep_ms(10);
	return arg;
}

SUBJECT(nproc)
{
	struct stat st;
	pid_t pids[2];
	pthread_t thread;
	int i;

	become_user();
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (!pids[i]) {
			subject_wait("go");
			_exit(0);
		}
	}
	CHECK_EQ(0, pthread_create(&thread, NULL, waits, NULL));
	CHECK(has_processes(4));
	subject_point();
	subject_join(pids[0]);
	subject_join(pids[1]);
	/* the thread is left, and this one */
	CHECK(has_processes(2));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
	/* it is counted for a moment after that, until it is gone from here */
	do
		CHECK_EQ(0, stat("/proc/self/task", &st));
	while (st.st_nlink > 3);
	CHECK(has_processes(1));
}

/* One more than he may have, which is no reason not to become him, but to exec. */
#define OTHER_USER	4322

SUBJECT(too_many)
{
	struct rlimit none = { 0, 10 }, some = { 10, 10 };
	pid_t pids[2];
	int fds[2], i;
	char c;

	CHECK_EQ(0, pipe(fds));
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i]) {
			subject_wait(i ? "child1" : "child0");
			continue;
		}
		CHECK_EQ(0, setrlimit(RLIMIT_NPROC, &none));
		CHECK_EQ(0, setresuid(OTHER_USER, OTHER_USER, OTHER_USER));
		subject_touch(i ? "child1" : "child0");
		CHECK_EQ(1, read(fds[0], &c, 1));
		if (i) {
			CHECK_EQ(-1, execl("/proc/self/exe", "exe", "--subject",
					   "not_to_be", subject_dir, "0", NULL));
			CHECK_EQ(EAGAIN, errno);
			CHECK_EQ(0, setrlimit(RLIMIT_NPROC, &some));
		}
		execl("/proc/self/exe", "exe", "--subject", "too_many_exec",
		      subject_dir, "0", NULL);
		subject_fail(__FILE__, __LINE__, "child %d cannot exec: %m", i);
	}
	subject_point();
	/* both are there until the one that is too many was told */
	CHECK_EQ(1, write(fds[1], "e", 1));
	CHECK_EQ(1, write(fds[1], "e", 1));
	for (i = 0; i < 2; i++)
		subject_join(pids[i]);
}

SUBJECT(too_many_exec)
{
	ckpt_sleep_ms(500);
}

/* ---- which tasks a scheduler takes for one ---- */

#define BEST_EFFORT(data)	(2 << 13 | (data))

static int io_priority(void)
{
	return syscall(SYS_ioprio_get, 1, 0);
}

static void set_io_priority(int prio)
{
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, prio));
}

SUBJECT(shared_io)
{
	int mate[2], other[2];
	pid_t pids[2];
	char c;

	CHECK_EQ(0, pipe(mate));
	CHECK_EQ(0, pipe(other));
	set_io_priority(BEST_EFFORT(6));
	pids[0] = syscall(SYS_clone, CLONE_IO | SIGCHLD, 0, 0, 0, 0);
	CHECK(pids[0] >= 0);
	if (!pids[0]) {
		CHECK_EQ(1, read(mate[0], &c, 1));
		CHECK_EQ(BEST_EFFORT(3), io_priority());
		set_io_priority(BEST_EFFORT(1));
		_exit(0);
	}
	pids[1] = fork();
	CHECK(pids[1] >= 0);
	if (!pids[1]) {
		CHECK_EQ(1, read(other[0], &c, 1));
		CHECK_EQ(BEST_EFFORT(6), io_priority());
		set_io_priority(BEST_EFFORT(7));
		_exit(0);
	}
	subject_point();
	CHECK_EQ(BEST_EFFORT(6), io_priority());
	set_io_priority(BEST_EFFORT(3));
	CHECK_EQ(1, write(mate[1], "m", 1));
	subject_join(pids[0]);
	CHECK_EQ(BEST_EFFORT(1), io_priority());
	CHECK_EQ(1, write(other[1], "o", 1));
	subject_join(pids[1]);
	CHECK_EQ(BEST_EFFORT(1), io_priority());
}

/* The number of the autogroup of a process, or 0; and its nice value. */
static long autogroup(pid_t pid, int *nice)
{
	char path[64], text[64];
	long nr = 0;

	*nice = -100;
	snprintf(path, sizeof(path), "/proc/%d/autogroup", pid);
	CHECK(ckpt_slurp(path, text, sizeof(text)) >= 0);
	if (*text)
		CHECK_EQ(2, sscanf(text, "/autogroup-%ld nice %d", &nr, nice));
	return nr;
}

static void set_autogroup_nice(const char *nice)
{
	int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(strlen(nice), write(fd, nice, strlen(nice)));
	close(fd);
}

static pid_t session(const char *nice, const char *ready, bool with_child)
{
	pid_t pid = fork(), child = 0;

	CHECK(pid >= 0);
	if (pid) {
		subject_wait(ready);
		return pid;
	}
	CHECK(setsid() > 0);
	set_autogroup_nice(nice);
	if (with_child) {
		child = fork();
		CHECK(child >= 0);
		if (!child) {
			subject_report("mate", (pid_t []) { getpid() }, sizeof(pid_t));
			subject_wait("bye");
			_exit(0);
		}
	}
	subject_touch(ready);
	subject_wait("bye");
	if (child)
		subject_join(child);
	_exit(0);
}

SUBJECT(autogroup)
{
	long mine, first, second;
	pid_t pids[2], mate;
	int nice, fd;

	pids[0] = session("5", "first", true);
	pids[1] = session("-3", "second", false);
	subject_wait("mate");
	fd = subject_open("mate", O_RDONLY);
	CHECK_EQ(sizeof(mate), read(fd, &mate, sizeof(mate)));
	close(fd);
	subject_point();

	mine = autogroup(getpid(), &nice);
	CHECK(mine);
	first = autogroup(pids[0], &nice);
	CHECK_EQ(5, nice);
	CHECK_EQ(first, autogroup(mate, &nice));
	second = autogroup(pids[1], &nice);
	CHECK_EQ(-3, nice);
	CHECK(first && second && first != second && first != mine && second != mine);
	subject_touch("bye");
	subject_join(pids[0]);
	subject_join(pids[1]);
}

SUBJECT(important_session)
{
	pid_t pid = session("-5", "session", false);

	subject_point();
	subject_touch("bye");
	subject_join(pid);
}

CKPT_FIXTURE_HOW(sched);
CKPT_VARIANTS(sched);

CKPT_ROUNDTRIP(sched, deadline);
CKPT_ROUNDTRIP(sched, slice);
CKPT_ROUNDTRIP(sched, policies);
CKPT_ROUNDTRIP(sched, too_many);
CKPT_ROUNDTRIP(sched, shared_io);
CKPT_ROUNDTRIP(sched, autogroup);

/* What the kernel does not have cannot be shown to come back. */
static bool has_clamps(void)
{
	struct sched_attr attr = {
		.sched_flags = SCHED_FLAG_UTIL_CLAMP | SCHED_FLAG_KEEP_ALL,
		.sched_util_max = 1024,
	};

	return !set_attr(&attr);
}

TEST_F_TIMEOUT(sched, clamps, CKPT_TIMEOUT)
{
	if (!has_clamps())
		SKIP(return, "no utilization clamps");
	ASSERT_EQ(0, ckpt_roundtrip("clamps", &variant->how));
}

TEST_F_TIMEOUT(sched, numa_task, CKPT_TIMEOUT)
{
	if (!has_numa())
		SKIP(return, "no NUMA");
	ASSERT_EQ(0, ckpt_roundtrip("numa_task", &variant->how));
}

TEST_F_TIMEOUT(sched, numa_memory, CKPT_TIMEOUT)
{
	if (!has_numa())
		SKIP(return, "no NUMA");
	ASSERT_EQ(0, ckpt_roundtrip("numa_memory", &variant->how));
}

CKPT_FIXTURE(sched_special);

/* How many mappings of an image have this home node; -1 if it is no image. */
static int home_nodes(const struct ckpt_run *run, int node)
{
	struct ckpt_mempolicy policy;
	struct ckpt_record rec;
	int fd = ckpt_open(run, "image", O_RDONLY), nr = 0;
	off_t pos = 0;

	while (pread(fd, &rec, sizeof(rec), pos) == sizeof(rec)) {
		if (rec.length < sizeof(rec))
			break;
		if (rec.type == CKPT_REC_VMA_POLICY &&
		    pread(fd, &policy, sizeof(policy), pos + sizeof(rec)) == sizeof(policy))
			nr += policy.home_node == node;
		pos += rec.length;
		if (rec.type == CKPT_REC_TRAILER) {
			close(fd);
			return nr;
		}
	}
	close(fd);
	return -1;
}

/* No call tells what it is: so the next image has to. */
TEST_F_TIMEOUT(sched_special, numa_home, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;
	int i;

	if (!has_numa())
		SKIP(return, "no NUMA");
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "numa_memory"));
	pid = run.pid;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ckpt_checkpoint(&run));
		EXPECT_EQ(1, home_nodes(&run, 0));
		run.pid = 0;
		ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	}
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(sched_special, numa_shared, CKPT_TIMEOUT)
{
	if (!has_numa())
		SKIP(return, "no NUMA");
	ASSERT_EQ(0, ckpt_refused("numa_shared", "NUMA memory policy of shared", NULL));
}

/* That its restarter is bound is nothing to a task that was not. */
TEST_F_TIMEOUT(sched_special, not_bound, CKPT_TIMEOUT)
{
	unsigned long was[32] = {}, one[32] = {};
	struct ckpt_run run;
	unsigned int i;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "not_bound"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_LT(0, syscall(SYS_sched_getaffinity, 0, sizeof(was), was));
	for (i = 0; !was[i]; i++)
		;
	one[i] = was[i] & -was[i];
	ASSERT_EQ(0, syscall(SYS_sched_setaffinity, 0, sizeof(one), one));
	run.pid = 0;
	EXPECT_LT(0, ckpt_restart(&run));
	ASSERT_EQ(0, syscall(SYS_sched_setaffinity, 0, sizeof(was), was));
	EXPECT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- what the restart must have ---- */

SUBJECT(second_cpu)
{
	unsigned long mask[16] = { 2 }, is[16] = {};

	CHECK_EQ(0, syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	subject_point();
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(is), is) > 0);
	CHECK_MEM(mask, is, sizeof(mask));
}

SUBJECT(second_node)
{
	unsigned long nodes = 2, is;
	int mode;

	CHECK_EQ(0, syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64));
	subject_point();
	get_policy(&mode, &is, NULL);
	CHECK_EQ(MPOL_BIND, mode);
	CHECK_EQ(2, is);
}

static int put(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ret ? 0 : -1;
}

/* A cgroup that has but the first CPU and the first node. Or NULL. */
static const char *first_only(void)
{
	static const char dir[] = "/sys/fs/cgroup/ckpt-test-first";

	put("/sys/fs/cgroup", "cgroup.subtree_control", "+cpuset");
	rmdir(dir);
	if (mkdir(dir, 0755))
		return NULL;
	if (put(dir, "cpuset.cpus", "0") || put(dir, "cpuset.mems", "0")) {
		rmdir(dir);
		return NULL;
	}
	return dir;
}

static void restart_there(struct __test_metadata *_metadata, const char *subject,
			  const char *words)
{
	const char *dir = first_only();
	struct restart_args args = { .flags = RESTART_CGROUP };
	struct ckpt_run run;
	pid_t pid;

	if (!dir)
		SKIP(return, "no cpuset");
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, subject));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	args.image_fd = ckpt_open(&run, "image", O_RDONLY);
	args.log_fd = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	args.cgroup_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_EQ(-EOPNOTSUPP, sys_restart(&args, sizeof(args)));
	EXPECT_EQ(1, ckpt_log_has(&run, words)) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	close(args.image_fd);
	close(args.log_fd);
	close(args.cgroup_fd);
	rmdir(dir);
	/* where there are all of them it works */
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(sched_special, no_cpu, CKPT_TIMEOUT)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "takes two CPUs");
	restart_there(_metadata, "second_cpu", "none of the CPUs that it is bound to is there");
}

TEST_F_TIMEOUT(sched_special, no_node, CKPT_TIMEOUT)
{
	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "takes two NUMA nodes");
	restart_there(_metadata, "second_node", "node");
}

/* Of two CPUs one is there: it has that one, and the other when it comes back. */
SUBJECT(two_cpus)
{
	unsigned long mask[16] = { 3 }, is[16] = {};

	CHECK_EQ(0, syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask));
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(is), is) > 0);
	CHECK_MEM(mask, is, sizeof(mask));
	subject_point();
	memset(is, 0, sizeof(is));
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(is), is) > 0);
	CHECK_MEM(mask, is, sizeof(mask));
}

static unsigned long cpus_of(pid_t pid)
{
	unsigned long mask[16] = {};
	unsigned int i;

	if (syscall(SYS_sched_getaffinity, pid, sizeof(mask), mask) <= 0)
		return 0;
	for (i = 1; i < 16; i++)
		if (mask[i])
			return ~0UL;
	return mask[0];
}

TEST_F_TIMEOUT(sched_special, fewer_cpus, CKPT_TIMEOUT)
{
	struct restart_args args = { .flags = RESTART_CGROUP };
	struct ckpt_run run;
	const char *dir;
	char text[16];
	pid_t pid;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "takes two CPUs");
	dir = first_only();
	if (!dir)
		SKIP(return, "no cpuset");
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "two_cpus"));
	pid = run.pid;
	EXPECT_EQ(3, cpus_of(pid));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	args.image_fd = ckpt_open(&run, "image", O_RDONLY);
	args.log_fd = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	args.cgroup_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_EQ(pid, sys_restart(&args, sizeof(args))) ckpt_print(&run, "log");
	close(args.image_fd);
	close(args.log_fd);
	close(args.cgroup_fd);
	run.pid = pid;
	EXPECT_EQ(1, cpus_of(pid));
	/* elsewhere there are both of them */
	snprintf(text, sizeof(text), "%d", pid);
	EXPECT_EQ(0, put(run.cgroup, "cgroup.procs", text));
	EXPECT_EQ(3, cpus_of(pid));
	EXPECT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	/* it may be a moment until it is empty */
	for (i = 0; rmdir(dir) && i < 2000; i++)
		ckpt_sleep_ms(1);
	EXPECT_EQ(-1, access(dir, F_OK));
}

/* Who restarts it could not give that nice value to its own. */
TEST_F_TIMEOUT(sched_special, autogroup_privilege, CKPT_TIMEOUT)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	struct ckpt_run run;
	pid_t pid, child;
	int status;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "important_session"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	child = fork();
	if (!child) {
		syscall(SYS_capget, &head, caps);
		caps[CAP_SYS_NICE / 32].effective &= ~(1U << CAP_SYS_NICE % 32);
		if (syscall(SYS_capset, &head, caps))
			_exit(99);
		_exit(ckpt_restart(&run) == -EPERM ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, ckpt_log_has(&run, "autogroup with nice value -5")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	ckpt_remove(&run, "bye");
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Others have so much of the CPUs that there is no room for it any more. */
TEST_F_TIMEOUT(sched_special, no_room, CKPT_TIMEOUT)
{
	struct sched_attr attr = {
		.sched_policy = DEADLINE,
		.sched_runtime = 18 * MS, .sched_deadline = 100 * MS,
		.sched_period = 100 * MS,
	};
	int fds[2], nr = 0, ok, i;
	struct ckpt_run run;
	pid_t pid, pids[64];

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "deadline"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	do {
		pids[nr] = fork();
		if (!pids[nr]) {
			ok = !set_attr(&attr);
			if (write(fds[1], &ok, sizeof(ok)) == sizeof(ok) && ok)
				pause();
			_exit(0);
		}
		ASSERT_EQ(sizeof(ok), read(fds[0], &ok, sizeof(ok)));
	} while (++nr < 64 && ok);
	EXPECT_EQ(-EBUSY, ckpt_restart(&run));
	EXPECT_EQ(1, ckpt_log_has(&run, "SCHED_DEADLINE")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	for (i = 0; i < nr; i++) {
		kill(pids[i], SIGKILL);
		ASSERT_EQ(pids[i], waitpid(pids[i], NULL, 0));
	}
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	close(fds[0]);
	close(fds[1]);
}

/* A process counts for the user that it has, not for who restarts it. */
TEST_F_TIMEOUT(sched_special, nproc, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .kill = true };
	int status, i;
	pid_t pid;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ckpt_roundtrip("nproc", &how));
	/* what is gone no longer counts */
	pid = fork();
	if (!pid) {
		become_user();
		_exit(has_processes(1) ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

CKPT_TEST_MAIN
