// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: tasks that sleep in a system call go on sleeping in it,
 * for the time that remained, and the call never fails with EINTR.
 *
 * The image lies about for a while. That time does not count for sleeps that
 * are relative; a sleep until a point in time ends at that point.
 */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define SLEEP_MS	4000	/* what a subject sleeps */
#define BEFORE_MS	2000	/* checkpointed after so much of it */
#define AWAY_MS		1500	/* between checkpoint and restart */
/* emulation on a busy machine is slow, but a sleep begun anew is too much */
#define SLACK_MS	1500
#define EARLY_MS	20	/* rounding of time left */
#define WOKEN_MS	100	/* asleep before and after, where time is no matter */
#define ETOOSLOW	EALREADY	/* it had slept enough before the checkpoint */

/* When a call began and ended. */
struct times {
	uint64_t start, end;
};

static struct times times;

static void begin(void)
{
	subject_ready();
	times.start = ckpt_now();
}

static void end(void)
{
	times.end = ckpt_now();
	subject_report("times", &times, sizeof(times));
	subject_wait("go");
}

static const struct timespec sleep_time = {
	.tv_sec = SLEEP_MS / 1000,
	.tv_nsec = SLEEP_MS % 1000 * 1000000L,
};

SUBJECT(do_nanosleep)
{
	struct timespec left = { .tv_sec = 77, .tv_nsec = 77 };

	begin();
	CHECK_EQ(0, syscall(SYS_nanosleep, &sleep_time, &left));
	end();
}

SUBJECT(do_clock_nanosleep)
{
	begin();
	CHECK_EQ(0, syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &sleep_time,
			    NULL));
	end();
}

static void *sleeping_thread(void *arg)
{
	CHECK_EQ(0, usleep(SLEEP_MS * 1000));
	times.end = ckpt_now();
	return arg;
}

/* The sleeper is a thread, its leader waits for it in a call as well. */
SUBJECT(do_nanosleep_thread)
{
	pthread_t thread;

	begin();
	CHECK_EQ(0, pthread_create(&thread, NULL, sleeping_thread, NULL));
	CHECK_EQ(0, pthread_join(thread, NULL));
	end();
}

static struct timespec later(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += sleep_time.tv_sec;
	ts.tv_nsec += sleep_time.tv_nsec;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000L;
	}
	return ts;
}

SUBJECT(do_sleep_until)
{
	struct timespec ts = later(CLOCK_MONOTONIC);

	begin();
	CHECK_EQ(0, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC,
			    TIMER_ABSTIME, &ts, NULL));
	end();
}

SUBJECT(do_sleep_until_realtime)
{
	struct timespec ts = later(CLOCK_REALTIME);

	begin();
	CHECK_EQ(0, syscall(SYS_clock_nanosleep, CLOCK_REALTIME,
			    TIMER_ABSTIME, &ts, NULL));
	end();
}

static long futex(uint32_t *word, int op, uint32_t val,
		  const struct timespec *ts, uint32_t bits)
{
	return syscall(SYS_futex, word, op, val, ts, NULL, bits);
}

SUBJECT(do_futex)
{
	uint32_t word = 5;

	begin();
	CHECK_EQ(-1, futex(&word, FUTEX_WAIT_PRIVATE, 5, &sleep_time, 0));
	CHECK_EQ(ETIMEDOUT, errno);
	end();
}

SUBJECT(do_futex_shared)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*word = 5;
	begin();
	CHECK_EQ(-1, futex(word, FUTEX_WAIT, 5, &sleep_time, 0));
	CHECK_EQ(ETIMEDOUT, errno);
	end();
}

/*
 * This one takes a point in time. Once it was interrupted, the kernel has no
 * note of that any more: it goes on for the time that was left.
 */
SUBJECT(do_futex_until)
{
	struct timespec ts = later(CLOCK_MONOTONIC);
	uint32_t word = 5;

	begin();
	CHECK_EQ(-1, futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &ts, ~0U));
	CHECK_EQ(ETIMEDOUT, errno);
	end();
}

SUBJECT(do_poll)
{
	struct pollfd fds;
	int pipe_fds[2];

	CHECK_EQ(0, pipe(pipe_fds));
	fds.fd = pipe_fds[0];
	fds.events = POLLIN;
	fds.revents = 0x55;
	begin();
	CHECK_EQ(0, poll(&fds, 1, SLEEP_MS));
	CHECK_EQ(0, fds.revents);
	end();
}

SUBJECT(do_ppoll)
{
	struct timespec ts = sleep_time;
	sigset_t set;

	sigemptyset(&set);
	begin();
	CHECK_EQ(0, ppoll(NULL, 0, &ts, &set));
	end();
}

SUBJECT(do_select)
{
	struct timeval tv = { .tv_sec = SLEEP_MS / 1000 };
	int pipe_fds[2];
	fd_set set;

	CHECK_EQ(0, pipe(pipe_fds));
	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	begin();
	CHECK_EQ(0, syscall(SYS_select, pipe_fds[0] + 1, &set, NULL, NULL,
			    &tv));
	CHECK(!FD_ISSET(pipe_fds[0], &set));
	end();
}

SUBJECT(do_getevents)
{
	struct timespec ts = sleep_time;
	struct io_event events[2];
	aio_context_t ctx = 0;

	CHECK_EQ(0, syscall(SYS_io_setup, 2, &ctx));
	begin();
	CHECK_EQ(0, syscall(SYS_io_getevents, ctx, 1L, 2L, events, &ts));
	end();
}

SUBJECT(do_pgetevents)
{
	struct timespec ts = sleep_time;
	struct io_event events[2];
	aio_context_t ctx = 0;
	sigset_t set;
	struct {
		sigset_t *set;
		size_t size;
	} mask = { &set, 8 };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(0, syscall(SYS_io_setup, 2, &ctx));
	begin();
	CHECK_EQ(0, syscall(SYS_io_pgetevents, ctx, 1L, 2L, events, &ts, &mask));
	end();
}

SUBJECT(do_sigtimedwait)
{
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	begin();
	ret = sigtimedwait(&set, NULL, &sleep_time);
	CHECK_EQ(-1, ret);
	/* any stop and continue ends these with EINTR, see signal(7) */
	CHECK_EQ(EAGAIN, errno);
	end();
}

static int make_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fds[2], ep = epoll_create1(0);

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event));
	return ep;
}

SUBJECT(do_epoll_wait)
{
	struct epoll_event event;
	int ep = make_epoll();

	begin();
	CHECK_EQ(0, epoll_wait(ep, &event, 1, SLEEP_MS));
	end();
}

SUBJECT(do_epoll_pwait2)
{
	struct epoll_event event;
	int ep = make_epoll();
	sigset_t set;

	sigemptyset(&set);
	begin();
	CHECK_EQ(0, syscall(SYS_epoll_pwait2, ep, &event, 1, &sleep_time, &set, 8));
	end();
}

SUBJECT(do_semtimedop)
{
	struct sembuf op = { .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600);

	CHECK(id >= 0);
	begin();
	CHECK_EQ(-1, semtimedop(id, &op, 1, &sleep_time));
	CHECK_EQ(EAGAIN, errno);
	end();
	CHECK_EQ(0, semctl(id, 0, IPC_RMID));
}

SUBJECT(do_pselect)
{
	struct timespec ts = sleep_time;
	int pipe_fds[2];
	sigset_t mask;
	fd_set set;

	CHECK_EQ(0, pipe(pipe_fds));
	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	sigemptyset(&mask);
	begin();
	CHECK_EQ(0, pselect(pipe_fds[0] + 1, &set, NULL, NULL, &ts, &mask));
	CHECK(!FD_ISSET(pipe_fds[0], &set));
	end();
}

/* ---- without an end of their own ---- */

static atomic_int got_signal;

static void handler(int sig)
{
	got_signal = sig;
}

static void check_quiet(void)
{
	/* nothing ended the call but what the test sent */
	CHECK(subject_told("wake"));
}

SUBJECT(do_pause)
{
	signal(SIGUSR1, handler);
	begin();
	CHECK_EQ(-1, pause());
	CHECK_EQ(EINTR, errno);
	check_quiet();
	CHECK_EQ(SIGUSR1, got_signal);
	end();
}

SUBJECT(do_sigsuspend)
{
	sigset_t set, before, after;

	signal(SIGUSR1, handler);
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigaddset(&before, SIGHUP);
	CHECK_EQ(0, sigprocmask(SIG_SETMASK, &before, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	begin();
	CHECK_EQ(-1, sigsuspend(&set));
	CHECK_EQ(EINTR, errno);
	check_quiet();
	CHECK_EQ(SIGUSR1, got_signal);
	/* the mask from before is back */
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, NULL, &after));
	CHECK_EQ(1, sigismember(&after, SIGUSR1));
	CHECK_EQ(1, sigismember(&after, SIGHUP));
	CHECK_EQ(0, sigismember(&after, SIGTERM));
	end();
}

SUBJECT(do_sigwait)
{
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(0, sigprocmask(SIG_SETMASK, &set, NULL));
	begin();
	do {
		sig = sigwaitinfo(&set, NULL);
	} while (sig < 0 && errno == EINTR);
	CHECK_EQ(SIGUSR1, sig);
	check_quiet();
	end();
}

SUBJECT(do_poll_forever)
{
	signal(SIGUSR1, handler);
	begin();
	CHECK_EQ(-1, poll(NULL, 0, -1));
	CHECK_EQ(EINTR, errno);
	check_quiet();
	end();
}

/* A child that ends when it is told to. */
static pid_t make_child(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		subject_wait("wake");
		_exit(17);
	}
	return pid;
}

SUBJECT(do_waitpid)
{
	pid_t pid = make_child();
	int status;

	begin();
	CHECK_EQ(pid, syscall(SYS_wait4, pid, &status, 0, NULL));
	CHECK_EQ(17 << 8, status);
	end();
}

SUBJECT(do_waitid)
{
	pid_t pid = make_child();
	siginfo_t info;

	begin();
	CHECK_EQ(0, waitid(P_ALL, 0, &info, WEXITED));
	CHECK_EQ(pid, info.si_pid);
	CHECK_EQ(17, info.si_status);
	end();
}

SUBJECT(do_pipe_read)
{
	char buf[16] = "";
	int fds[2];
	pid_t pid;

	CHECK_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		close(fds[0]);
		subject_wait("wake");
		CHECK_EQ(4, write(fds[1], "ping", 4));
		_exit(0);
	}
	close(fds[1]);
	begin();
	CHECK_EQ(4, read(fds[0], buf, sizeof(buf)));
	CHECK(!strcmp(buf, "ping"));
	CHECK_EQ(0, read(fds[0], buf, sizeof(buf)));
	subject_join(pid);
	end();
}

SUBJECT(do_pipe_write)
{
	static char buf[65536 + 4096], got[65536 + 4096];
	size_t len = 0, i;
	int fds[2];
	ssize_t n;
	pid_t pid;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i * 13 + i / 251;
	CHECK_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		close(fds[0]);
		/*
		 * The pipe takes part of it, the rest has to wait. What was
		 * interrupted after a part tells so, it is not restarted.
		 */
		while (len < sizeof(buf)) {
			n = write(fds[1], buf + len, sizeof(buf) - len);
			CHECK(n > 0);
			len += n;
		}
		_exit(0);
	}
	close(fds[1]);
	ckpt_sleep_ms(50);
	begin();
	subject_wait("wake");
	while (len < sizeof(got)) {
		n = read(fds[0], got + len, sizeof(got) - len);
		CHECK(n > 0);
		len += n;
	}
	CHECK_EQ(0, read(fds[0], got, 1));
	got[0] = buf[0];
	CHECK_MEM(buf, got, sizeof(buf));
	subject_join(pid);
	end();
}

SUBJECT(do_flock)
{
	pid_t pid = fork();
	int fd;

	fd = subject_open("f/lock", O_CREAT | O_RDWR);
	CHECK(fd >= 0);
	if (!pid) {
		struct flock lock = { .l_type = F_WRLCK };

		CHECK_EQ(0, fcntl(fd, F_SETLKW, &lock));
		subject_touch("locked");
		subject_wait("wake");
		_exit(0);
	}
	subject_wait("locked");
	begin();
	CHECK_EQ(0, fcntl(fd, F_SETLKW, &(struct flock){ .l_type = F_WRLCK }));
	check_quiet();
	subject_join(pid);
	end();
}

static uint32_t *shared_word;

static void *futex_waiter(void *arg)
{
	CHECK_EQ(0, futex(shared_word, FUTEX_WAIT, 0, NULL, 0));
	check_quiet();
	return arg;
}

/* Two threads and a child wait for ever, until woken. */
SUBJECT(do_futex_forever)
{
	pthread_t threads[2];
	int i, woken = 0;
	pid_t pid;

	shared_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (!pid) {
		futex_waiter(NULL);
		_exit(0);
	}
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, futex_waiter,
					   NULL));
	ckpt_sleep_ms(50);
	begin();
	subject_wait("wake");
	for (i = 0; i < 5000 && woken < 3; i++) {
		woken += futex(shared_word, FUTEX_WAKE, 3, NULL, 0);
		ckpt_sleep_ms(1);
	}
	CHECK_EQ(3, woken);
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	subject_join(pid);
	end();
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping_pong(void *arg)
{
	int me = (intptr_t)arg, i;

	for (i = 0; i < 300; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&cond, &mutex);
		turn = !me;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
		ckpt_sleep_ms(1);
	}
	return arg;
}

/* Locks and conditions of the C library, in full swing. */
SUBJECT(do_condvar)
{
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, ping_pong,
					   (void *)(intptr_t)i));
	ckpt_sleep_ms(30);
	begin();
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK_EQ(0, turn);
	end();
}

/* ---- tests ---- */

enum kind {
	RELATIVE,	/* time in the image does not count */
	ABSOLUTE,	/* ends at a point in time */
	WOKEN,		/* by the file "wake" */
	SIGNALLED,	/* by SIGUSR1 */
	NO_MATTER,
};

/**
 * struct sleeper - a subject, and how it fares
 * @subject: Its name.
 * @kind: How its call ends.
 * @run: The subject.
 * @err: What went wrong, or 0.
 * @frozen_ns: When checkpoint() had returned.
 * @thawed_ns: When restart() was called.
 */
struct sleeper {
	const char *subject;
	enum kind kind;
	struct ckpt_run run;
	int err;
	uint64_t frozen_ns;
	uint64_t thawed_ns;
};

static void sleeper_start(struct sleeper *s, const struct ckpt_how *how)
{
	ckpt_init(&s->run, how);
	s->err = ckpt_start(&s->run, s->subject);
}

static void sleeper_checkpoint(struct sleeper *s)
{
	if (s->err)
		return;
	s->err = ckpt_checkpoint(&s->run);
	s->frozen_ns = ckpt_now();
}

static void sleeper_restart(struct sleeper *s)
{
	pid_t pid = s->run.pid;
	long ret;

	/* otherwise the original's call has to be undisturbed as well */
	if (s->err || !s->run.how.kill)
		return;
	s->run.pid = 0;
	s->thawed_ns = ckpt_now();
	ret = ckpt_restart(&s->run);
	if (ret != pid) {
		ckpt_msg("restart: %ld", ret);
		ckpt_print(&s->run, "log");
		s->err = ret < 0 ? ret : -ESRCH;
	}
}

static void sleeper_wake(struct sleeper *s)
{
	if (s->err || (s->kind != WOKEN && s->kind != SIGNALLED))
		return;
	ckpt_sleep_ms(WOKEN_MS);
	if (ckpt_exists(&s->run, "times")) {
		ckpt_msg("call has ended before it was to");
		s->err = -EINTR;
	}
	ckpt_touch(&s->run, "wake");
	if (s->kind == SIGNALLED)
		kill(s->run.pid, SIGUSR1);
}

/* Has it slept for as long as it was to? */
static void sleeper_times(struct sleeper *s)
{
	long least, most, seen;
	char path[128], buf[64];
	struct times t;
	int ret;

	ret = ckpt_wait_for(&s->run, "times");
	if (ret) {
		s->err = s->err ?: ret;
		return;
	}
	ckpt_sleep_ms(10);
	snprintf(path, sizeof(path), "%s/times", s->run.dir);
	if (ckpt_slurp(path, buf, sizeof(buf)) != sizeof(t)) {
		s->err = -EIO;
		return;
	}
	memcpy(&t, buf, sizeof(t));
	if ((s->kind == RELATIVE || s->kind == ABSOLUTE) &&
	    s->frozen_ns - t.start > SLEEP_MS * 1000000UL) {
		ckpt_msg("the machine is too slow to checkpoint it in time");
		s->err = -ETOOSLOW;
		return;
	}
	if (s->kind == RELATIVE && s->run.how.kill) {
		/*
		 * What was left when it was checkpointed, which was at some
		 * time in that call, from some time in restart() on.
		 */
		least = SLEEP_MS - (long)(s->frozen_ns - t.start) / 1000000;
		least -= (long)(s->run.restart_ns - s->thawed_ns) / 1000000;
		most = SLEEP_MS -
		       (long)(s->run.checkpoint_ns - t.start) / 1000000;
		seen = (long)(t.end - s->run.restart_ns) / 1000000;
	} else {
		least = SLEEP_MS;
		most = SLEEP_MS;
		seen = (long)(t.end - t.start) / 1000000;
	}
	if ((s->kind == RELATIVE || s->kind == ABSOLUTE) &&
	    (seen < least - EARLY_MS || seen > most + SLACK_MS)) {
		ckpt_msg("slept for %ld ms, not %ld to %ld", seen, least, most);
		s->err = -ETIME;
	}
}

static void sleeper_end(struct sleeper *s)
{
	int ret;

	if (s->run.pid > 0 && (!s->err || s->err == -EINTR ||
			       s->err == -ETIME || s->err == -ETOOSLOW)) {
		ret = ckpt_finish(&s->run);
		s->err = s->err ?: ret;
	}
	ret = ckpt_cleanup(&s->run);
	s->err = s->err ?: ret;
	if (s->err)
		ckpt_msg("that was %s: %s", s->subject, strerror(-s->err));
}

static int sleepers_once(struct sleeper *s, unsigned int nr,
			 const struct ckpt_how *how)
{
	bool timed = s->kind == RELATIVE || s->kind == ABSOLUTE;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr; i++)
		sleeper_start(&s[i], how);
	ckpt_sleep_ms(timed ? BEFORE_MS : WOKEN_MS);
	for (i = 0; i < nr; i++)
		sleeper_checkpoint(&s[i]);
	if (how->kill)
		ckpt_sleep_ms(timed ? AWAY_MS : WOKEN_MS);
	for (i = 0; i < nr; i++)
		sleeper_restart(&s[i]);
	for (i = 0; i < nr; i++)
		sleeper_wake(&s[i]);
	for (i = 0; i < nr; i++)
		if (!s[i].err || s[i].err == -EINTR)
			sleeper_times(&s[i]);
	for (i = 0; i < nr; i++) {
		sleeper_end(&s[i]);
		ret = ret ?: s[i].err;
	}
	return ret;
}

/*
 * All of these at the same time, as that is what they take; fewer at a time
 * where the machine is too slow for that.
 */
static int sleepers(struct sleeper *s, unsigned int nr,
		    const struct ckpt_how *how)
{
	unsigned int i, at_once = nr, tries = 0;
	int ret;

	do {
		ret = 0;
		for (i = 0; i < nr; i++)
			s[i].err = 0;
		for (i = 0; i < nr && !ret; i += at_once)
			ret = sleepers_once(&s[i], nr - i < at_once ? nr - i : at_once, how);
		at_once = (at_once + 1) / 2;
	} while (ret == -ETOOSLOW && ++tries < 5);
	return ret;
}

static int sleeper(const char *subject, const struct ckpt_how *how,
		   enum kind kind)
{
	struct sleeper one = { .subject = subject, .kind = kind };

	return sleepers(&one, 1, how);
}

CKPT_FIXTURE_HOW(syscalls);
CKPT_VARIANTS_OTHER(syscalls);

/* Those that take their time take it together. */
TEST_F_TIMEOUT(syscalls, sleep_for, CKPT_TIMEOUT)
{
	struct sleeper all[] = {
		{ .subject = "do_nanosleep" },
		{ .subject = "do_nanosleep_thread" },
		{ .subject = "do_clock_nanosleep" },
		{ .subject = "do_futex" },
		{ .subject = "do_futex_shared" },
		{ .subject = "do_futex_until" },
		{ .subject = "do_poll" },
		{ .subject = "do_ppoll" },
		{ .subject = "do_select" },
		{ .subject = "do_getevents" },
		{ .subject = "do_pgetevents" },
		{ .subject = "do_pselect" },
		{ .subject = "do_sigtimedwait" },
		{ .subject = "do_epoll_wait" },
		{ .subject = "do_epoll_pwait2" },
		{ .subject = "do_semtimedop" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		all[i].kind = RELATIVE;
	ASSERT_EQ(0, sleepers(all, ARRAY_SIZE(all), &variant->how));
}

TEST_F_TIMEOUT(syscalls, sleep_until, CKPT_TIMEOUT)
{
	struct sleeper all[] = {
		{ .subject = "do_sleep_until" },
		{ .subject = "do_sleep_until_realtime" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		all[i].kind = ABSOLUTE;
	ASSERT_EQ(0, sleepers(all, ARRAY_SIZE(all), &variant->how));
}

#define SLEEPER(name, kind)						\
	TEST_F_TIMEOUT(syscalls, name, CKPT_TIMEOUT)			\
	{								\
		ASSERT_EQ(0, sleeper("do_" #name, &variant->how, kind)); \
	}

SLEEPER(pause, SIGNALLED);
SLEEPER(sigsuspend, SIGNALLED);
SLEEPER(sigwait, SIGNALLED);
SLEEPER(poll_forever, SIGNALLED);
SLEEPER(waitpid, WOKEN);
SLEEPER(waitid, WOKEN);
SLEEPER(pipe_read, WOKEN);
SLEEPER(pipe_write, WOKEN);
SLEEPER(flock, WOKEN);
SLEEPER(futex_forever, WOKEN);
SLEEPER(condvar, NO_MATTER);

CKPT_TEST_MAIN
