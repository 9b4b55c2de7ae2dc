// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: futexes that the kernel knows more of than that somebody
 * waits: with priority inheritance, robust, several at once, until a time, in a
 * file that has a name.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static atomic_int here, got;

static void wait_here(int value)
{
	while (here < value)
		ckpt_sleep_ms(1);
	/* and let those that are here go to sleep */
	ckpt_sleep_ms(50);
}

static void make_mutex(pthread_mutex_t *m, bool pi, bool robust, bool shared)
{
	pthread_mutexattr_t attr;

	CHECK_EQ(0, pthread_mutexattr_init(&attr));
	if (pi)
		CHECK_EQ(0, pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	if (robust)
		CHECK_EQ(0, pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	if (shared)
		CHECK_EQ(0, pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
	CHECK_EQ(0, pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
	CHECK_EQ(0, pthread_mutex_init(m, &attr));
}

/* ---- priority inheritance ---- */

SUBJECT(pi_held)
{
	make_mutex(&mutex, true, false, false);
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	subject_point();
	CHECK_EQ(EDEADLK, pthread_mutex_lock(&mutex));
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	CHECK_EQ(EPERM, pthread_mutex_unlock(&mutex));
}

static void *locks_it(void *arg)
{
	here++;
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	got++;
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	return arg;
}

/* Three threads wait for what the first one has. */
SUBJECT(pi_contended)
{
	pthread_t threads[3];
	int i;

	make_mutex(&mutex, true, false, false);
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, locks_it, NULL));
	wait_here(3);
	subject_point();
	CHECK_EQ(0, got);
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK_EQ(3, got);
}

/* Likewise, for a while only; nobody gets it. */
static void *locks_it_a_while(void *arg)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3;
	here++;
	CHECK_EQ(ETIMEDOUT, pthread_mutex_timedlock(&mutex, &ts));
	got++;
	return arg;
}

SUBJECT(pi_timed)
{
	pthread_t thread;

	make_mutex(&mutex, true, false, false);
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	CHECK_EQ(0, pthread_create(&thread, NULL, locks_it_a_while, NULL));
	wait_here(1);
	subject_point();
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(1, got);
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
}

/* Between processes. */
SUBJECT(pi_shared)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	make_mutex(m, true, false, true);
	CHECK_EQ(0, pthread_mutex_lock(m));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, pthread_mutex_lock(m));
		CHECK(!access(subject_path("go"), F_OK));
		CHECK_EQ(0, pthread_mutex_unlock(m));
		_exit(0);
	}
	ckpt_sleep_ms(100);
	subject_point();
	CHECK_EQ(0, pthread_mutex_unlock(m));
	subject_join(pid);
}

static void *waits_for_cond(void *arg)
{
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	here++;
	while (!got)
		CHECK_EQ(0, pthread_cond_wait(&cond, &mutex));
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	return arg;
}

SUBJECT(pi_cond)
{
	pthread_t threads[3];
	int i;

	make_mutex(&mutex, true, false, false);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, waits_for_cond, NULL));
	wait_here(3);
	subject_point();
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	got = 1;
	CHECK_EQ(0, pthread_cond_broadcast(&cond));
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* FUTEX_WAIT_REQUEUE_PI itself, which the C library no longer uses. */
static uint32_t cond_word, pi_word;

static void *waits_for_requeue(void *arg)
{
	uint32_t tid = syscall(SYS_gettid);

	here++;
	CHECK_EQ(0, syscall(SYS_futex, &cond_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE,
			    0, NULL, &pi_word, 0));
	CHECK_EQ(tid, READ_ONCE(pi_word) & FUTEX_TID_MASK);
	CHECK_EQ(0, syscall(SYS_futex, &pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL,
			    NULL, 0));
	return arg;
}

SUBJECT(requeue_pi)
{
	pthread_t thread;

	CHECK_EQ(0, pthread_create(&thread, NULL, waits_for_requeue, NULL));
	wait_here(1);
	subject_point();
	/* it may be on its way back into the call */
	ckpt_sleep_ms(100);
	CHECK_EQ(1, syscall(SYS_futex, &cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE,
			    1, NULL, &pi_word, 0));
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/*
 * It has been moved on already, to a mutex that somebody has. A stop by a signal
 * makes the call fail then, with EAGAIN, as a checkpoint does: who called it asks
 * for the mutex itself.
 */
static uint32_t lock_pi_word(void)
{
	CHECK_EQ(0, syscall(SYS_futex, &pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	return syscall(SYS_gettid);
}

static void unlock_pi_word(void)
{
	CHECK_EQ(0, syscall(SYS_futex, &pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

static void *was_requeued_pi(void *arg)
{
	uint32_t tid = syscall(SYS_gettid);
	long ret;

	here++;
	ret = syscall(SYS_futex, &cond_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL,
		      &pi_word, 0);
	if (ret) {
		CHECK_EQ(EAGAIN, errno);
		CHECK_EQ(tid, lock_pi_word());
	}
	CHECK_EQ(tid, READ_ONCE(pi_word) & FUTEX_TID_MASK);
	got++;
	unlock_pi_word();
	return arg;
}

SUBJECT(requeued_pi)
{
	uint32_t me = lock_pi_word();
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, was_requeued_pi, NULL));
	wait_here(2);
	/* one that is to be woken, which cannot be, and the other one */
	CHECK_EQ(2, syscall(SYS_futex, &cond_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, 1,
			    &pi_word, 0));
	CHECK_EQ(me | FUTEX_WAITERS, pi_word);
	cond_word = 1;
	subject_point();
	CHECK_EQ(0, got);
	CHECK_EQ(me, READ_ONCE(pi_word) & FUTEX_TID_MASK);
	unlock_pi_word();
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK_EQ(2, got);
	CHECK_EQ(0, pi_word);
}

/*
 * Without priorities: the word has changed since, or it would not have been
 * moved. So who is made to look again goes on without, by EAGAIN.
 */
static uint32_t from_word, to_word;

static void *was_requeued(void *arg)
{
	long ret;

	here++;
	ret = syscall(SYS_futex, &from_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	CHECK(!ret || errno == EAGAIN);
	/* as users do: it has to ask for what it was moved to */
	while (!READ_ONCE(to_word)) {
		ret = syscall(SYS_futex, &to_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		CHECK(!ret || errno == EAGAIN);
	}
	got++;
	return arg;
}

SUBJECT(requeued)
{
	pthread_t threads[3];
	int i;

	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, was_requeued, NULL));
	wait_here(3);
	/* compared with what it is, and changed before anybody is let go */
	CHECK_EQ(3, syscall(SYS_futex, &from_word, FUTEX_CMP_REQUEUE_PRIVATE, 0, 3,
			    &to_word, 0));
	from_word = 1;
	/* nobody waits where they were */
	CHECK_EQ(0, syscall(SYS_futex, &from_word, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0));
	subject_point();
	CHECK_EQ(0, got);
	WRITE_ONCE(to_word, 1);
	do {
		CHECK(syscall(SYS_futex, &to_word, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0) >= 0);
	} while (got < 3 && !usleep(1000));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* The priority that /proc tells: that of others, as long as they wait for it. */
static int priority(void)
{
	char text[1024], *p;
	int prio;

	CHECK(ckpt_slurp("/proc/thread-self/stat", text, sizeof(text)) > 0);
	p = strrchr(text, ')');
	CHECK(p);
	CHECK_EQ(1, sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d",
			   &prio));
	return prio;
}

#define FIFO_PRIO	7

static void *boosts(void *arg)
{
	struct sched_param param = { .sched_priority = FIFO_PRIO };

	/* the bare call is for a thread */
	CHECK_EQ(0, syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
	CHECK_EQ(-1 - FIFO_PRIO, priority());
	return locks_it(arg);
}

SUBJECT(pi_boost)
{
	pthread_t thread;
	int plain = priority();

	CHECK(plain >= 0);
	make_mutex(&mutex, true, false, false);
	CHECK_EQ(0, pthread_mutex_lock(&mutex));
	CHECK_EQ(0, pthread_create(&thread, NULL, boosts, NULL));
	/* patience has its end in that of the test */
	while (priority() != -1 - FIFO_PRIO)
		ckpt_sleep_ms(1);
	subject_point();
	/* as soon as the other one has asked for it again */
	while (priority() != -1 - FIFO_PRIO)
		ckpt_sleep_ms(1);
	CHECK_EQ(SCHED_OTHER, sched_getscheduler(0));
	CHECK_EQ(0, got);
	CHECK_EQ(0, pthread_mutex_unlock(&mutex));
	CHECK_EQ(plain, priority());
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(1, got);
}

/* ---- robust ---- */

/* Whoever is killed after the restart leaves its mutex to the other. */
static void robust(bool pi)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	atomic_int *locked = (atomic_int *)(m + 1);
	int status;
	pid_t pid;

	make_mutex(m, pi, true, true);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, pthread_mutex_lock(m));
		*locked = 1;
		for (;;)
			pause();
	}
	while (!*locked)
		ckpt_sleep_ms(1);
	subject_point();
	CHECK_EQ(EBUSY, pthread_mutex_trylock(m));
	CHECK_EQ(0, kill(pid, SIGKILL));
	CHECK_EQ(EOWNERDEAD, pthread_mutex_lock(m));
	CHECK_EQ(0, pthread_mutex_consistent(m));
	CHECK_EQ(0, pthread_mutex_unlock(m));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(SIGKILL, status);
}

SUBJECT(robust_owner)
{
	robust(false);
}

SUBJECT(robust_pi_owner)
{
	robust(true);
}

/* ---- several, and until a time ---- */

static uint32_t words[4];

static void *waits_for_any(void *arg)
{
	struct futex_waitv waiters[4] = {};
	int i;

	for (i = 0; i < 4; i++) {
		waiters[i].uaddr = (uintptr_t)&words[i];
		waiters[i].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	}
	here++;
	CHECK_EQ(2, syscall(SYS_futex_waitv, waiters, 4, 0, NULL, CLOCK_MONOTONIC));
	return arg;
}

SUBJECT(waitv)
{
	pthread_t thread;
	long ret;

	CHECK_EQ(0, pthread_create(&thread, NULL, waits_for_any, NULL));
	wait_here(1);
	subject_point();
	do {
		ret = syscall(SYS_futex, &words[2], FUTEX_WAKE_PRIVATE, 1, NULL,
			      NULL, 0);
		CHECK(ret >= 0);
	} while (!ret && !usleep(1000));
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* None of them is woken: it ends at a time, of either clock. */
static void *waits_for_none(void *arg)
{
	clockid_t clock = (intptr_t)arg;
	struct futex_waitv waiters[4] = {};
	struct timespec ts, now;
	int i;

	for (i = 0; i < 4; i++) {
		waiters[i].uaddr = (uintptr_t)&words[i];
		waiters[i].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	}
	clock_gettime(clock, &ts);
	ts.tv_sec += 3;
	here++;
	CHECK_EQ(-1, syscall(SYS_futex_waitv, waiters, 4, 0, &ts, clock));
	CHECK_EQ(ETIMEDOUT, errno);
	clock_gettime(clock, &now);
	CHECK(now.tv_sec > ts.tv_sec ||
	      (now.tv_sec == ts.tv_sec && now.tv_nsec >= ts.tv_nsec));
	return arg;
}

SUBJECT(waitv_timed)
{
	pthread_t threads[2];
	int i;

	CHECK_EQ(0, pthread_create(&threads[0], NULL, waits_for_none,
				   (void *)(intptr_t)CLOCK_REALTIME));
	CHECK_EQ(0, pthread_create(&threads[1], NULL, waits_for_none,
				   (void *)(intptr_t)CLOCK_MONOTONIC));
	wait_here(2);
	subject_point();
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* Who has other bits does not wake it. */
static long wake_bits(uint32_t bits)
{
	return syscall(SYS_futex, words, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, bits);
}

static void *waits_for_bits(void *arg)
{
	here++;
	CHECK_EQ(0, syscall(SYS_futex, words, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 5));
	got++;
	return arg;
}

SUBJECT(bitset)
{
	pthread_t thread;
	long ret;
	int i;

	CHECK_EQ(0, pthread_create(&thread, NULL, waits_for_bits, NULL));
	wait_here(1);
	CHECK_EQ(0, wake_bits(2));
	subject_point();
	for (i = 0; i < 50; i++) {
		CHECK_EQ(0, wake_bits(~5U));
		ckpt_sleep_ms(1);
	}
	CHECK_EQ(0, got);
	/* it may be on its way back into the call */
	do {
		ret = wake_bits(4);
		CHECK(ret >= 0);
	} while (!ret && !usleep(1000));
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(1, got);
}

static void *waits_until(void *arg)
{
	struct timespec ts, now;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3;
	here++;
	CHECK_EQ(-1, syscall(SYS_futex, words, FUTEX_WAIT_BITSET_PRIVATE |
			     FUTEX_CLOCK_REALTIME, 0, &ts, NULL, 5));
	CHECK_EQ(ETIMEDOUT, errno);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(now.tv_sec > ts.tv_sec ||
	      (now.tv_sec == ts.tv_sec && now.tv_nsec >= ts.tv_nsec));
	return arg;
}

SUBJECT(until_realtime)
{
	pthread_t thread;

	CHECK_EQ(0, pthread_create(&thread, NULL, waits_until, NULL));
	wait_here(1);
	subject_point();
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- POSIX semaphores and shared memory, by name ---- */

/* Where they are is not our directory, but the name of that is unique. */
static const char *shared_name(const char *dir, const char *kind)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s-%s", strrchr(dir, '/'), kind);
	return name;
}

struct shared {
	atomic_int phase;
	atomic_int passed;
};

/*
 * One process sleeps in sem_wait(3), another one will post; what they have in
 * common are two files in /dev/shm, which are there at the restart.
 */
SUBJECT(semaphore)
{
	int fd, i, value = -1, other;
	struct shared *s, *again;
	pid_t pids[2];
	sem_t *sem;

	sem = sem_open(shared_name(subject_dir, "sem"), O_CREAT | O_EXCL, 0600, 0);
	CHECK(sem != SEM_FAILED);
	/* the C library gave it another name at first, which is gone */
	CHECK_EQ(0, sem_close(sem));
	sem = sem_open(shared_name(subject_dir, "sem"), 0);
	fd = shm_open(shared_name(subject_dir, "shm"), O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(sem != SEM_FAILED && fd >= 0);
	CHECK_EQ(0, ftruncate(fd, 8192));
	s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(s != MAP_FAILED);
	strcpy((char *)s + 5000, "shared memory");
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i])
			continue;
		if (i) {
			s->phase++;
			while (s->phase < 10)
				ckpt_sleep_ms(1);
			CHECK_EQ(0, sem_post(sem));
		} else {
			s->phase++;
			CHECK_EQ(0, sem_wait(sem));
			s->passed++;
		}
		_exit(0);
	}
	while (s->phase < 2)
		ckpt_sleep_ms(1);
	CHECK_EQ(0, ckpt_wait_state(pids[0], 'S'));
	ckpt_sleep_ms(50);
	subject_point();
	CHECK_EQ(2, s->phase);
	CHECK_EQ(0, s->passed);
	CHECK_EQ(0, sem_getvalue(sem, &value));
	CHECK_EQ(0, value);
	CHECK_MEM("shared memory", (char *)s + 5000, 14);
	/* it is the file of that name, and not a copy */
	other = shm_open(shared_name(subject_dir, "shm"), O_RDWR, 0);
	CHECK(other >= 0);
	again = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	CHECK(again != MAP_FAILED);
	again->phase = 10;
	subject_join(pids[1]);
	subject_join(pids[0]);
	CHECK_EQ(1, again->passed);
	CHECK_EQ(4, pread(fd, &value, 4, offsetof(struct shared, passed)));
	CHECK_EQ(1, value);
	CHECK_EQ(0, sem_getvalue(sem, &value));
	CHECK_EQ(0, value);
	/* likewise the semaphore */
	CHECK_EQ(0, sem_close(sem));
	sem = sem_open(shared_name(subject_dir, "sem"), 0);
	CHECK(sem != SEM_FAILED);
	CHECK_EQ(0, sem_post(sem));
	CHECK_EQ(0, sem_trywait(sem));
}

/* Of who has made it; the C library gave it another name at first. */
SUBJECT(semaphore_made)
{
	const char *name = shared_name(subject_dir, "sem");
	sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0640, 3), *other;
	int value = -1;

	CHECK(sem != SEM_FAILED);
	subject_point();
	CHECK_EQ(0, sem_getvalue(sem, &value));
	CHECK_EQ(3, value);
	/* it is the one of that name; the C library knows that */
	other = sem_open(name, 0);
	CHECK(sem == other);
	CHECK_EQ(0, sem_post(other));
	CHECK_EQ(0, sem_getvalue(sem, &value));
	CHECK_EQ(4, value);
}

CKPT_FIXTURE_HOW(named);

/* What the original does to these files would be there at the restart. */
CKPT_VARIANT(named, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(named, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true, .pipe = true);
CKPT_VARIANT(named, self_kill_file, .target = CKPT_SELF, .kill = true);

TEST_F_TIMEOUT(named, semaphore, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &variant->how);
	EXPECT_EQ(0, ckpt_roundtrip_run("semaphore", &run));
	EXPECT_EQ(0, sem_unlink(shared_name(run.dir, "sem")));
	EXPECT_EQ(0, shm_unlink(shared_name(run.dir, "shm")));
}

TEST_F_TIMEOUT(named, semaphore_made, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &variant->how);
	EXPECT_EQ(0, ckpt_roundtrip_run("semaphore_made", &run));
	EXPECT_EQ(0, sem_unlink(shared_name(run.dir, "sem")));
}

CKPT_FIXTURE_HOW(futex);
CKPT_VARIANTS(futex);

CKPT_ROUNDTRIP(futex, pi_held);
CKPT_ROUNDTRIP(futex, pi_contended);
CKPT_ROUNDTRIP(futex, pi_timed);
CKPT_ROUNDTRIP(futex, pi_shared);
CKPT_ROUNDTRIP(futex, pi_cond);
CKPT_ROUNDTRIP(futex, requeue_pi);
CKPT_ROUNDTRIP(futex, requeued_pi);
CKPT_ROUNDTRIP(futex, requeued);
CKPT_ROUNDTRIP(futex, pi_boost);
CKPT_ROUNDTRIP(futex, robust_owner);
CKPT_ROUNDTRIP(futex, robust_pi_owner);
CKPT_ROUNDTRIP(futex, waitv);
CKPT_ROUNDTRIP(futex, waitv_timed);
CKPT_ROUNDTRIP(futex, bitset);
CKPT_ROUNDTRIP(futex, until_realtime);

CKPT_TEST_MAIN
