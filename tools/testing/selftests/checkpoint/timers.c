// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: timers of timer_create(2), of every clock and way to
 * notify.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define MS		1000000L
#define SEC		1000000000L
#define LONG		1000L		/* s, more than any test takes */
#define MOST		800L		/* what is left of it, at least */

/* The C library's timer ids are not the kernel's. */
static int create(clockid_t clock, int notify, int signo, long value, pid_t tid)
{
	struct sigevent event = {
		.sigev_notify = notify,
		.sigev_signo = signo,
		.sigev_value.sival_ptr = (void *)value,
	};
	int id = -1;

	event._sigev_un._tid = tid;
	CHECK_EQ(0, syscall(SYS_timer_create, clock, &event, &id));
	return id;
}

static void set(int id, int flags, long first, long interval)
{
	struct itimerspec spec = {
		.it_value = { first / SEC, first % SEC },
		.it_interval = { interval / SEC, interval % SEC },
	};

	CHECK_EQ(0, syscall(SYS_timer_settime, id, flags, &spec, NULL));
}

static long left(int id, long *interval)
{
	struct itimerspec spec;

	CHECK_EQ(0, syscall(SYS_timer_gettime, id, &spec));
	if (interval)
		*interval = spec.it_interval.tv_sec * SEC + spec.it_interval.tv_nsec;
	return spec.it_value.tv_sec * SEC + spec.it_value.tv_nsec;
}

static void block(int sig)
{
	sigset_t all;

	sigemptyset(&all);
	sigaddset(&all, sig);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &all, NULL));
}

/* The signal that a timer sent, or -1 if there is none within that time. */
static int take(int sig, siginfo_t *info, long ns)
{
	struct timespec wait = { ns / SEC, ns % SEC };
	sigset_t one;
	int ret;

	sigemptyset(&one);
	sigaddset(&one, sig);
	do {
		ret = sigtimedwait(&one, info, &wait);
	} while (ret < 0 && errno == EINTR);
	return ret;
}

static const clockid_t clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI,
	CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
};

#define NR_CLOCKS	ARRAY_SIZE(clocks)

/* Each clock: what is left, and that it expires, once and repeatedly. */
/* The names that timers have for their clocks, in the order of creation. */
static void clock_names(int *names, unsigned int nr)
{
	char text[8192], *p = text;
	unsigned int i;

	CHECK(ckpt_slurp("/proc/self/timers", text, sizeof(text)) > 0);
	for (i = 0; i < nr; i++) {
		p = strstr(p, "ClockID: ");
		CHECK(p);
		p += strlen("ClockID: ");
		names[i] = atoi(p);
	}
	CHECK(!strstr(p, "ClockID: "));
}

SUBJECT(clocks)
{
	int names[2 * NR_CLOCKS], names_now[2 * NR_CLOCKS];
	long interval, was[NR_CLOCKS];
	int ids[NR_CLOCKS], off[NR_CLOCKS];
	siginfo_t info;
	unsigned int i;

	for (i = 0; i < NR_CLOCKS; i++) {
		ids[i] = create(clocks[i], SIGEV_SIGNAL, SIGRTMIN + i, 4000 + i, 0);
		off[i] = create(clocks[i], SIGEV_SIGNAL, SIGRTMIN + i, 5000 + i, 0);
		block(SIGRTMIN + i);
		set(ids[i], 0, (LONG + i) * SEC, (7 + i) * SEC);
		was[i] = left(ids[i], NULL);
	}
	clock_names(names, 2 * NR_CLOCKS);
	subject_point();
	clock_names(names_now, 2 * NR_CLOCKS);
	CHECK_MEM(names, names_now, sizeof(names));
	for (i = 0; i < NR_CLOCKS; i++) {
		CHECK(left(ids[i], &interval) <= was[i]);
		CHECK(left(ids[i], NULL) > MOST * SEC);
		CHECK_EQ((7 + i) * SEC, interval);
		CHECK_EQ(0, left(off[i], &interval));
		CHECK_EQ(0, interval);
		CHECK_EQ(-1, take(SIGRTMIN + i, &info, 0));
	}
	for (i = 0; i < NR_CLOCKS; i++) {
		set(off[i], 0, MS, 0);
		/* clocks of CPU time need some */
		while (take(SIGRTMIN + i, &info, 0) < 0)
			;
		CHECK_EQ(SIGRTMIN + i, info.si_signo);
		CHECK_EQ(SI_TIMER, info.si_code);
		CHECK_EQ(off[i], info.si_timerid);
		CHECK_EQ(5000 + i, (long)info.si_value.sival_ptr);
		CHECK_EQ(0, left(off[i], NULL));
	}
}

/* They go off by themselves, with nobody to set them again. */
static const struct {
	clockid_t clock;
	int flags;
	long first;
} expiring[] = {
	{ CLOCK_REALTIME, 0, 2 * SEC },
	{ CLOCK_REALTIME, TIMER_ABSTIME, 3 * SEC },
	{ CLOCK_MONOTONIC, 0, 2 * SEC },
	{ CLOCK_BOOTTIME, 0, 2 * SEC },
	{ CLOCK_TAI, 0, 2 * SEC },
	{ CLOCK_PROCESS_CPUTIME_ID, 0, 300 * MS },
	{ CLOCK_THREAD_CPUTIME_ID, 0, 300 * MS },
};

SUBJECT(expire)
{
	int ids[ARRAY_SIZE(expiring)], k;
	struct timespec now;
	siginfo_t info;
	unsigned int i;
	long first;

	for (i = 0; i < ARRAY_SIZE(expiring); i++) {
		block(SIGRTMIN + i);
		ids[i] = create(expiring[i].clock, SIGEV_SIGNAL, SIGRTMIN + i, 40 + i, 0);
		first = expiring[i].first;
		clock_gettime(expiring[i].clock, &now);
		if (expiring[i].flags)
			first += now.tv_sec * SEC + now.tv_nsec;
		set(ids[i], expiring[i].flags, first, 10 * MS);
	}
	subject_point();
	for (i = 0; i < ARRAY_SIZE(expiring); i++) {
		/* the first one, and those that the interval makes of it */
		for (k = 0; k < 3; k++) {
			/* clocks of CPU time need some */
			while (take(SIGRTMIN + i, &info, 0) < 0)
				;
			CHECK_EQ(SIGRTMIN + i, info.si_signo);
			CHECK_EQ(SI_TIMER, info.si_code);
			CHECK_EQ(ids[i], info.si_timerid);
			CHECK_EQ(40 + i, info.si_value.sival_int);
		}
		set(ids[i], 0, 0, 0);
	}
}

/* What was said of a signal that was taken before it is still to be had. */
SUBJECT(overrun_taken)
{
	siginfo_t info;
	int id, other;

	block(SIGRTMIN);
	block(SIGRTMIN + 1);
	id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 11, 0);
	other = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 12, 0);
	set(id, 0, 1, 10 * MS);
	set(other, 0, 1, 0);
	do {
		ckpt_sleep_ms(50);
		CHECK_EQ(SIGRTMIN, take(SIGRTMIN, &info, 100 * SEC));
	} while (!info.si_overrun);
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, id));
	subject_point();
	/* the next signal is pending, or will be, but nobody has taken it */
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, id));
	CHECK_EQ(0, syscall(SYS_timer_getoverrun, other));
	ckpt_sleep_ms(50);
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, id));
	CHECK_EQ(SIGRTMIN, take(SIGRTMIN, &info, 100 * SEC));
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, id));
	CHECK(info.si_overrun > 0);
}

/* A time of day is kept, as is time that is left of what was asked for so. */
SUBJECT(absolute)
{
	int until, during, tai;
	struct timespec now;
	siginfo_t info;
	long end;

	block(SIGUSR1);
	until = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 1, 0);
	during = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 2, 0);
	tai = create(CLOCK_TAI, SIGEV_SIGNAL, SIGUSR1, 3, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	end = (now.tv_sec + LONG) * SEC + now.tv_nsec;
	set(until, TIMER_ABSTIME, end, 0);
	set(during, 0, LONG * SEC, 0);
	clock_gettime(CLOCK_TAI, &now);
	set(tai, TIMER_ABSTIME, (now.tv_sec + 2 * LONG) * SEC, 0);
	subject_point();
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(labs(left(until, NULL) - (end - now.tv_sec * SEC - now.tv_nsec)) < SEC);
	CHECK(left(during, NULL) >= left(until, NULL));
	CHECK(left(during, NULL) > MOST * SEC);
	CHECK(left(tai, NULL) > (LONG + MOST) * SEC);
	CHECK_EQ(-1, take(SIGUSR1, &info, 0));
}

/* Ids, with holes between them, and the one that comes next. */
SUBJECT(ids)
{
	int ids[100], i;

	for (i = 0; i < 100; i++)
		ids[i] = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	for (i = 0; i < 100; i += 3)
		CHECK_EQ(0, syscall(SYS_timer_delete, ids[i]));
	subject_point();
	for (i = 0; i < 100; i++)
		CHECK_EQ(i % 3 ? 0 : -1, syscall(SYS_timer_delete, ids[i]));
	CHECK_EQ(ids[99] + 1, create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0));
}

/* No timer is left, but the next id is not 0. */
SUBJECT(next_id)
{
	int id = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);

	CHECK_EQ(0, syscall(SYS_timer_delete, id));
	subject_point();
	CHECK_EQ(id + 1, create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0));
}

/* Nobody is told: one can only ask. */
SUBJECT(none)
{
	int once, again, over, disarmed;
	long interval;

	once = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	again = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	over = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0);
	disarmed = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_NONE, 0, 0, 0);
	set(once, 0, LONG * SEC, 0);
	set(again, 0, 10 * MS, LONG * SEC);
	set(over, 0, 1, 0);
	ckpt_sleep_ms(20);
	subject_point();
	CHECK(left(once, &interval) > MOST * SEC);
	CHECK_EQ(0, interval);
	CHECK(left(again, &interval) > MOST * SEC);
	CHECK_EQ(LONG * SEC, interval);
	CHECK_EQ(0, left(over, NULL));
	CHECK_EQ(0, left(disarmed, NULL));
}

/* Expired: the signal is pending, expirations without one are counted. */
SUBJECT(pending)
{
	int once, again, odd;
	siginfo_t info;
	sigset_t set_;

	block(SIGRTMIN);
	block(SIGRTMIN + 1);
	block(SIGUSR2);
	once = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 11, 0);
	again = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 22, 0);
	odd = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR2, 33, 0);
	set(once, 0, 1, 0);
	set(again, 0, 1, 10 * MS);
	set(odd, 0, 1, LONG * SEC);
	do {
		sigpending(&set_);
	} while (!sigismember(&set_, SIGRTMIN) || !sigismember(&set_, SIGUSR2) ||
		 !sigismember(&set_, SIGRTMIN + 1));
	ckpt_sleep_ms(35);
	subject_point();

	CHECK_EQ(SIGRTMIN, take(SIGRTMIN, &info, 0));
	CHECK_EQ(SI_TIMER, info.si_code);
	CHECK_EQ(once, info.si_timerid);
	CHECK_EQ(0, info.si_overrun);
	CHECK_EQ(11, info.si_value.sival_int);
	CHECK_EQ(-1, take(SIGRTMIN, &info, 20 * MS));

	CHECK_EQ(SIGRTMIN + 1, take(SIGRTMIN + 1, &info, 0));
	CHECK_EQ(again, info.si_timerid);
	CHECK(info.si_overrun >= 3);
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, again));
	CHECK_EQ(22, info.si_value.sival_int);
	/* it goes on by itself */
	CHECK_EQ(SIGRTMIN + 1, take(SIGRTMIN + 1, &info, 100 * SEC));
	CHECK_EQ(again, info.si_timerid);

	CHECK_EQ(SIGUSR2, take(SIGUSR2, &info, 0));
	CHECK_EQ(odd, info.si_timerid);
	CHECK(left(odd, NULL) > MOST * SEC);
	CHECK_EQ(-1, take(SIGUSR2, &info, 0));
}

/* Its signal is pending, but it was set anew, or deleted, since. */
SUBJECT(pending_set_anew)
{
	int anew, gone;
	siginfo_t info;
	sigset_t set_;

	block(SIGRTMIN);
	block(SIGRTMIN + 1);
	anew = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 11, 0);
	gone = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 22, 0);
	set(anew, 0, 1, MS);
	set(gone, 0, 1, 0);
	do {
		sigpending(&set_);
	} while (!sigismember(&set_, SIGRTMIN) || !sigismember(&set_, SIGRTMIN + 1));
	set(anew, 0, LONG * SEC, 5 * SEC);
	CHECK_EQ(0, syscall(SYS_timer_delete, gone));
	subject_point();

	CHECK_EQ(SIGRTMIN, take(SIGRTMIN, &info, 0));
	CHECK_EQ(anew, info.si_timerid);
	CHECK(left(anew, NULL) > MOST * SEC);
	CHECK_EQ(-1, take(SIGRTMIN, &info, 20 * MS));
	CHECK_EQ(SIGRTMIN + 1, take(SIGRTMIN + 1, &info, 0));
	CHECK_EQ(SI_TIMER, info.si_code);
	CHECK_EQ(-1, syscall(SYS_timer_delete, gone));
}

/* For one thread, by the CPU time of one thread, and of the main one. */
static atomic_int thread_tid;

static void *thread(void *arg)
{
	struct timespec spent;
	siginfo_t info;

	thread_tid = syscall(SYS_gettid);
	subject_wait("go");
	CHECK_EQ(SIGRTMIN + 3, take(SIGRTMIN + 3, &info, 0));
	CHECK_EQ(SI_TIMER, info.si_code);
	CHECK_EQ(77, info.si_value.sival_int);
	CHECK_EQ(SIGRTMIN + 4, take(SIGRTMIN + 4, &info, 100 * SEC));
	CHECK_EQ(78, info.si_value.sival_int);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	} while (take(SIGRTMIN + 5, &info, 0) < 0);
	CHECK_EQ(79, info.si_value.sival_int);
	return arg;
}

SUBJECT(threads)
{
	int pending, later, cpu, mine;
	clockid_t clock;
	siginfo_t info;
	pthread_t t;
	long was;
	int i;

	for (i = 3; i < 6; i++)
		block(SIGRTMIN + i);
	CHECK_EQ(0, pthread_create(&t, NULL, thread, NULL));
	while (!thread_tid)
		ckpt_sleep_ms(1);
	CHECK_EQ(0, pthread_getcpuclockid(t, &clock));
	pending = create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 3, 77, thread_tid);
	later = create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 4, 78, thread_tid);
	cpu = create(clock, SIGEV_THREAD_ID, SIGRTMIN + 5, 79, thread_tid);
	mine = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 5, 80, 0);
	set(pending, 0, 1, 0);
	set(later, 0, LONG * SEC, 0);
	set(cpu, 0, LONG * SEC, 3 * SEC);
	set(mine, 0, LONG * SEC, 0);
	was = left(mine, NULL);
	ckpt_sleep_ms(20);
	subject_point();

	CHECK(left(later, NULL) > MOST * SEC);
	CHECK(left(cpu, NULL) > MOST * SEC);
	CHECK(left(mine, NULL) <= was && left(mine, NULL) > MOST * SEC);
	CHECK_EQ(-1, take(SIGRTMIN + 3, &info, 0));
	set(later, 0, 10 * MS, 0);
	set(cpu, 0, 10 * MS, 0);
	CHECK_EQ(0, pthread_join(t, NULL));
	CHECK_EQ(-1, take(SIGRTMIN + 5, &info, 0));
}

/* By the CPU time of another process, the parent's. */
SUBJECT(other_process)
{
	atomic_bool *taken;
	clockid_t clock;
	siginfo_t info;
	pid_t child;
	int id;

	taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(taken != MAP_FAILED);
	CHECK_EQ(0, clock_getcpuclockid(getpid(), &clock));
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		block(SIGUSR1);
		id = create(clock, SIGEV_SIGNAL, SIGUSR1, 0, 0);
		set(id, 0, LONG * SEC, 0);
		subject_touch("child");
		subject_wait("go");
		CHECK(left(id, NULL) > MOST * SEC && left(id, NULL) < LONG * SEC);
		set(id, 0, MS, 0);
		CHECK_EQ(SIGUSR1, take(SIGUSR1, &info, 100 * SEC));
		*taken = true;
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	while (!*taken)
		;
	subject_join(child);
}

/* A handler that runs often, all the time. */
static atomic_int ticks;

static void tick(int sig)
{
	(void)sig;
	ticks++;
}

SUBJECT(ticking)
{
	int id, was;

	signal(SIGRTMIN, tick);
	id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0);
	set(id, 0, MS, MS);
	while (ticks < 10)
		ckpt_sleep_ms(1);
	subject_point();
	was = ticks;
	while (ticks < was + 10)
		ckpt_sleep_ms(1);
	set(id, 0, 0, 0);
	was = ticks;
	ckpt_sleep_ms(20);
	CHECK(ticks <= was + 1);
}

SUBJECT(stranger)
{
	clockid_t clock;
	int id;

	CHECK_EQ(0, clock_getcpuclockid(1, &clock));
	id = create(clock, SIGEV_NONE, 0, 0, 0);
	subject_point();
	left(id, NULL);
}

CKPT_FIXTURE_HOW(timers);
CKPT_VARIANTS(timers);

CKPT_ROUNDTRIP(timers, clocks);
CKPT_ROUNDTRIP(timers, expire);
CKPT_ROUNDTRIP(timers, overrun_taken);
CKPT_ROUNDTRIP(timers, absolute);
CKPT_ROUNDTRIP(timers, ids);
CKPT_ROUNDTRIP(timers, next_id);
CKPT_ROUNDTRIP(timers, none);
CKPT_ROUNDTRIP(timers, pending);
CKPT_ROUNDTRIP(timers, pending_set_anew);
CKPT_ROUNDTRIP(timers, threads);
CKPT_ROUNDTRIP(timers, other_process);

/* Signals end a checkpoint of oneself. */
CKPT_FIXTURE_HOW(timers_other);
CKPT_VARIANTS_OTHER(timers_other);

CKPT_ROUNDTRIP(timers_other, ticking);

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, stranger, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("stranger", "CPU time of task 1", NULL));
}

CKPT_TEST_MAIN
