// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: files that tell of events: eventfds, timerfds, signalfds,
 * and epoll instances that watch them and others.
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET (1 << 1)
#endif

#define MS		1000000L
#define SEC		1000000000L
#define LONG		1000L		/* s, more than any test takes */
#define MOST		800L		/* what is left of it, at least */

/* A line of /proc/self/fdinfo, without its name. */
static void read_fdinfo(int fd, const char *name, char *buf, size_t size)
{
	static char text[1 << 16];
	char path[64], *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	line = strstr(text, name);
	CHECK(line);
	line += strlen(name);
	snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Is it one description? */
static void check_same(pid_t pid, int fd, int other)
{
	long ret = syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd, other);

	if (ret < 0 && errno == ENOSYS)
		return;
	CHECK_EQ(0, ret);
}

static uint64_t take(int fd)
{
	uint64_t value = ~0ULL;

	CHECK_EQ(8, read(fd, &value, 8));
	return value;
}

static void put(int fd, uint64_t value)
{
	CHECK_EQ(8, write(fd, &value, 8));
}

static void check_empty(int fd)
{
	uint64_t value;

	CHECK_EQ(-1, read(fd, &value, 8));
	CHECK_EQ(EAGAIN, errno);
}

static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void block(sigset_t *set, int first, int last)
{
	sigemptyset(set);
	while (first <= last)
		sigaddset(set, first++);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, set, NULL));
}

/* ---- eventfd ---- */

SUBJECT(eventfd_counter)
{
	int plain, zero, huge;

	plain = eventfd(0, EFD_NONBLOCK);
	zero = eventfd(0, EFD_CLOEXEC);
	huge = eventfd(1, EFD_NONBLOCK);
	put(plain, 5);
	put(plain, 0x123456789aULL);
	put(huge, ~0ULL - 2);
	subject_point();
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(plain, F_GETFL));
	CHECK_EQ(O_RDWR, fcntl(zero, F_GETFL));
	CHECK_EQ(FD_CLOEXEC, fcntl(zero, F_GETFD));
	CHECK_EQ(0, fcntl(plain, F_GETFD));
	CHECK_EQ(0x123456789fULL, take(plain));
	check_empty(plain);
	CHECK_EQ(POLLOUT, polled(zero));
	put(zero, 3);
	CHECK_EQ(POLLIN | POLLOUT, polled(zero));
	CHECK_EQ(3, take(zero));
	/* no more fits in */
	CHECK_EQ(POLLIN, polled(huge));
	CHECK_EQ(-1, write(huge, &(uint64_t) { 1 }, 8));
	CHECK_EQ(EAGAIN, errno);
	CHECK_EQ(~0ULL - 1, take(huge));
}

SUBJECT(eventfd_semaphore)
{
	int fd = eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK);
	int other = dup(fd), i;

	CHECK(fd >= 0 && other >= 0);
	subject_point();
	check_same(getpid(), fd, other);
	for (i = 0; i < 7; i++)
		CHECK_EQ(1, take(i & 1 ? fd : other));
	check_empty(fd);
	check_empty(other);
}

/* Two processes have it; one waits for the counter, one for room in it. */
SUBJECT(eventfd_blocked)
{
	int up = eventfd(0, 0), full = eventfd(0, 0);
	pid_t reader, writer;

	put(full, ~0ULL - 1);
	reader = fork();
	if (!reader) {
		CHECK_EQ(9, take(up));
		_exit(0);
	}
	writer = fork();
	if (!writer) {
		put(full, 4);
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(reader, 'S'));
	CHECK_EQ(0, ckpt_wait_state(writer, 'S'));
	subject_point();
	check_same(reader, up, up);
	check_same(writer, full, full);
	CHECK_EQ(0, waitpid(reader, NULL, WNOHANG));
	CHECK_EQ(0, waitpid(writer, NULL, WNOHANG));
	put(up, 9);
	subject_join(reader);
	CHECK_EQ(~0ULL - 1, take(full));
	subject_join(writer);
	CHECK_EQ(4, take(full));
}

/* ---- timerfd ---- */

static void set(int fd, int flags, long first, long interval)
{
	struct itimerspec spec = {
		.it_value = { first / SEC, first % SEC },
		.it_interval = { interval / SEC, interval % SEC },
	};

	CHECK_EQ(0, timerfd_settime(fd, flags, &spec, NULL));
}

static long left(int fd, long *interval)
{
	struct itimerspec spec;

	CHECK_EQ(0, timerfd_gettime(fd, &spec));
	if (interval)
		*interval = spec.it_interval.tv_sec * SEC + spec.it_interval.tv_nsec;
	return spec.it_value.tv_sec * SEC + spec.it_value.tv_nsec;
}

static long now_of(clockid_t clock)
{
	struct timespec now;

	CHECK_EQ(0, clock_gettime(clock, &now));
	return now.tv_sec * SEC + now.tv_nsec;
}

static const clockid_t clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
	CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM,
};

#define NR_CLOCKS	ARRAY_SIZE(clocks)

/* Each clock: what is left, being off, and that it still goes. */
SUBJECT(timerfd_clocks)
{
	int fds[NR_CLOCKS], off[NR_CLOCKS], stopped[NR_CLOCKS];
	long interval, was[NR_CLOCKS];
	char line[64], want[64];
	unsigned int i;

	for (i = 0; i < NR_CLOCKS; i++) {
		fds[i] = timerfd_create(clocks[i], TFD_NONBLOCK);
		/* without the privilege, or in a kernel without alarms */
		if (fds[i] < 0 && i >= 3)
			continue;
		CHECK(fds[i] >= 0);
		off[i] = timerfd_create(clocks[i], 0);
		stopped[i] = timerfd_create(clocks[i], TFD_NONBLOCK);
		set(fds[i], 0, (LONG + i) * SEC, (7 + i) * SEC);
		set(stopped[i], 0, LONG * SEC, SEC);
		set(stopped[i], 0, 0, 2 * SEC);
		was[i] = left(fds[i], NULL);
	}
	subject_point();
	for (i = 0; i < NR_CLOCKS; i++) {
		if (fds[i] < 0)
			continue;
		snprintf(want, sizeof(want), " %d", clocks[i]);
		read_fdinfo(fds[i], "clockid:", line, sizeof(line));
		CHECK(!strcmp(want, line));
		CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(fds[i], F_GETFL));
		CHECK_EQ(O_RDWR, fcntl(off[i], F_GETFL));
		CHECK(left(fds[i], &interval) <= was[i]);
		CHECK(left(fds[i], NULL) > MOST * SEC);
		CHECK_EQ((7 + i) * SEC, interval);
		CHECK_EQ(0, left(off[i], &interval));
		CHECK_EQ(0, interval);
		/* an alarm that is off tells what was left of it */
		CHECK(!left(stopped[i], &interval) || i >= 3);
		CHECK_EQ(2 * SEC, interval);
		check_empty(fds[i]);
		check_empty(stopped[i]);
		set(off[i], 0, MS, 0);
		CHECK_EQ(1, take(off[i]));
		CHECK_EQ(0, left(off[i], NULL));
	}
}

/* A time of day is kept, as is time that is left of what was asked for so. */
SUBJECT(timerfd_absolute)
{
	int until, during, mono;
	char line[64];
	long end;

	until = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	during = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	mono = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	end = now_of(CLOCK_REALTIME) + LONG * SEC;
	set(until, TFD_TIMER_ABSTIME, end, 3 * SEC);
	set(during, 0, LONG * SEC, 0);
	set(mono, TFD_TIMER_ABSTIME, now_of(CLOCK_MONOTONIC) + LONG * SEC, 0);
	subject_point();
	CHECK(labs(left(until, NULL) - (end - now_of(CLOCK_REALTIME))) < SEC);
	CHECK(left(during, NULL) >= left(until, NULL));
	CHECK(left(during, NULL) > MOST * SEC);
	CHECK(left(mono, NULL) > MOST * SEC);
	read_fdinfo(until, "settime flags:", line, sizeof(line));
	CHECK(!strcmp(" 01", line));
	read_fdinfo(during, "settime flags:", line, sizeof(line));
	CHECK(!strcmp(" 00", line));
	read_fdinfo(mono, "settime flags:", line, sizeof(line));
	CHECK(!strcmp(" 01", line));
	check_empty(until);
	check_empty(during);
	check_empty(mono);
}

/* Expirations that were not read yet, of each way that a timer can be then. */
SUBJECT(timerfd_ticks)
{
	int once, again, looked, read_once, realtime;
	long interval;

	once = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	again = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	looked = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	read_once = timerfd_create(CLOCK_MONOTONIC, 0);
	realtime = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	set(once, 0, 1, 0);
	set(again, 0, 1, 10 * MS);
	set(looked, 0, 1, LONG * SEC);
	set(read_once, 0, 1, 0);
	set(realtime, TFD_TIMER_ABSTIME, now_of(CLOCK_REALTIME), 10 * MS);
	CHECK_EQ(1, take(read_once));
	CHECK_EQ(0, fcntl(read_once, F_SETFL, O_NONBLOCK));
	while (polled(looked) != POLLIN || polled(once) != POLLIN)
		ckpt_sleep_ms(1);
	/* this sets it going again */
	CHECK(left(looked, NULL) > MOST * SEC);
	ckpt_sleep_ms(35);
	subject_point();

	CHECK_EQ(1, take(once));
	check_empty(once);
	CHECK_EQ(0, left(once, NULL));
	CHECK(take(again) >= 4);
	CHECK(left(again, &interval) <= 10 * MS);
	CHECK_EQ(10 * MS, interval);
	while (!(polled(again) & POLLIN))
		ckpt_sleep_ms(1);
	CHECK_EQ(POLLIN, polled(looked));
	CHECK(left(looked, NULL) > MOST * SEC);
	CHECK_EQ(1, take(looked));
	CHECK(left(looked, NULL) > MOST * SEC);
	check_empty(looked);
	check_empty(read_once);
	CHECK_EQ(0, left(read_once, NULL));
	CHECK(take(realtime) >= 4);
	while (!(polled(realtime) & POLLIN))
		ckpt_sleep_ms(1);
}

/* Who waits for one goes on, for as long as was left. */
SUBJECT(timerfd_blocked)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	pid_t pid;

	set(fd, 0, 1500 * MS, 0);
	pid = fork();
	if (!pid) {
		CHECK_EQ(1, take(fd));
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(pid, 'S'));
	subject_point();
	check_same(pid, fd, fd);
	subject_join(pid);
	CHECK_EQ(0, left(fd, NULL));
}

/* The clock is set to what it is, which is a little later by then. */
static void set_clock(void)
{
	struct timespec now;

	CHECK_EQ(0, clock_gettime(CLOCK_REALTIME, &now));
	CHECK_EQ(0, clock_settime(CLOCK_REALTIME, &now));
}

static void check_canceled(int fd)
{
	uint64_t value;

	CHECK_EQ(-1, read(fd, &value, 8));
	CHECK_EQ(ECANCELED, errno);
}

static int cancelable(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

	set(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
	    now_of(CLOCK_REALTIME) + LONG * SEC, 0);
	return fd;
}

/* The clock was set before, or is set after. */
SUBJECT(timerfd_canceled)
{
	int canceled, told, later, never;
	char line[64];

	canceled = cancelable();
	told = cancelable();
	never = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	set(never, TFD_TIMER_ABSTIME, now_of(CLOCK_REALTIME) + LONG * SEC, 0);
	set_clock();
	check_canceled(told);
	later = cancelable();
	CHECK_EQ(POLLIN, polled(canceled));
	subject_point();
	CHECK_EQ(POLLIN, polled(canceled));
	check_canceled(canceled);
	check_empty(canceled);
	CHECK(left(canceled, NULL) > MOST * SEC);
	check_empty(told);
	check_empty(never);
	read_fdinfo(later, "settime flags:", line, sizeof(line));
	CHECK(!strcmp(" 03", line));
	/* a restart does not set the clock */
	check_empty(later);
	set_clock();
	check_canceled(later);
	check_canceled(told);
	check_canceled(canceled);
	check_empty(never);
}

/* ---- signalfd ---- */

static int taken_signal(int fd, int *value)
{
	struct signalfd_siginfo info;
	ssize_t n = read(fd, &info, sizeof(info));

	if (n < 0 && errno == EAGAIN)
		return 0;
	CHECK_EQ(sizeof(info), n);
	if (value)
		*value = info.ssi_int;
	return info.ssi_signo;
}

SUBJECT(signalfd_mask)
{
	char was[2][64], line[64];
	int few, many, value;
	sigset_t set_;

	sigfillset(&set_);
	many = signalfd(-1, &set_, SFD_CLOEXEC);
	block(&set_, SIGRTMIN, SIGRTMIN + 3);
	few = signalfd(-1, &set_, SFD_NONBLOCK);
	CHECK(few >= 0 && many >= 0);
	sigdelset(&set_, SIGRTMIN + 2);
	CHECK_EQ(few, signalfd(few, &set_, 0));
	read_fdinfo(few, "sigmask:", was[0], sizeof(was[0]));
	read_fdinfo(many, "sigmask:", was[1], sizeof(was[1]));
	CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 1, (union sigval) { 42 }));
	CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 2, (union sigval) { 43 }));
	CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 3, (union sigval) { 44 }));
	subject_point();
	read_fdinfo(few, "sigmask:", line, sizeof(line));
	CHECK(!strcmp(was[0], line));
	read_fdinfo(many, "sigmask:", line, sizeof(line));
	CHECK(!strcmp(was[1], line));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(few, F_GETFL));
	CHECK_EQ(O_RDWR, fcntl(many, F_GETFL));
	CHECK_EQ(FD_CLOEXEC, fcntl(many, F_GETFD));
	CHECK_EQ(SIGRTMIN + 1, taken_signal(few, &value));
	CHECK_EQ(42, value);
	CHECK_EQ(SIGRTMIN + 3, taken_signal(few, &value));
	CHECK_EQ(44, value);
	CHECK_EQ(0, taken_signal(few, NULL));
	CHECK_EQ(SIGRTMIN + 2, taken_signal(many, &value));
	CHECK_EQ(43, value);
}

SUBJECT(signalfd_blocked)
{
	sigset_t set_;
	int fd, value;
	pid_t pid;

	block(&set_, SIGRTMIN, SIGRTMIN);
	fd = signalfd(-1, &set_, 0);
	pid = fork();
	if (!pid) {
		CHECK_EQ(SIGRTMIN, taken_signal(fd, &value));
		CHECK_EQ(99, value);
		_exit(0);
	}
	CHECK_EQ(0, ckpt_wait_state(pid, 'S'));
	subject_point();
	check_same(pid, fd, fd);
	CHECK_EQ(0, waitpid(pid, NULL, WNOHANG));
	CHECK_EQ(0, sigqueue(pid, SIGRTMIN, (union sigval) { 99 }));
	subject_join(pid);
}

/* ---- epoll ---- */

static void ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	CHECK_EQ(0, epoll_ctl(ep, op, fd, &event));
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	ctl(ep, EPOLL_CTL_ADD, fd, events, data);
}

/* What is told, one after another: with these data, and these events. */
static void expect_event(int ep, uint64_t data, uint32_t events)
{
	struct epoll_event event = {};

	CHECK_EQ(1, epoll_wait(ep, &event, 1, 0));
	CHECK_EQ(data, event.data.u64);
	CHECK_EQ(events, event.events);
}

static void expect_none(int ep)
{
	struct epoll_event event;

	CHECK_EQ(0, epoll_wait(ep, &event, 1, 0));
}

/* Each item as fdinfo has it. */
static void expect_item(int ep, int fd, uint32_t events, uint64_t data)
{
	char name[32], line[128];
	unsigned long long seen_data;
	unsigned int seen_events;
	int n;

	snprintf(name, sizeof(name), "tfd: %8d", fd);
	read_fdinfo(ep, name, line, sizeof(line));
	n = sscanf(line, " events: %x data: %llx", &seen_events, &seen_data);
	CHECK_EQ(2, n);
	CHECK_EQ(events | EPOLLERR | EPOLLHUP, seen_events);
	CHECK_EQ(data, seen_data);
}

static int nr_items(int ep)
{
	char path[64], text[4096], *p = text;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	while ((p = strstr(p, "tfd:"))) {
		p++;
		nr++;
	}
	return nr;
}

/* Level: told as long as it lasts, in turns. */
SUBJECT(epoll_level)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), empty = epoll_create1(0);
	int a = eventfd(1, 0), b = eventfd(0, 0), fds[2];

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(0, fcntl(empty, F_SETFL, O_NONBLOCK));
	add(ep, a, EPOLLIN, 0x1111222233334444ULL);
	add(ep, b, EPOLLIN | EPOLLPRI | EPOLLRDHUP, ~0ULL);
	add(ep, fds[0], EPOLLIN, 3);
	add(ep, fds[1], EPOLLOUT, 4);
	subject_point();
	CHECK_EQ(FD_CLOEXEC, fcntl(ep, F_GETFD));
	CHECK_EQ(O_RDWR, fcntl(ep, F_GETFL));
	CHECK_EQ(O_RDWR | O_NONBLOCK, fcntl(empty, F_GETFL));
	CHECK_EQ(4, nr_items(ep));
	CHECK_EQ(0, nr_items(empty));
	expect_item(ep, a, EPOLLIN, 0x1111222233334444ULL);
	expect_item(ep, b, EPOLLIN | EPOLLPRI | EPOLLRDHUP, ~0ULL);
	expect_item(ep, fds[0], EPOLLIN, 3);
	expect_item(ep, fds[1], EPOLLOUT, 4);
	expect_event(ep, 0x1111222233334444ULL, EPOLLIN);
	expect_event(ep, 4, EPOLLOUT);
	expect_event(ep, 0x1111222233334444ULL, EPOLLIN);
	CHECK_EQ(1, take(a));
	ctl(ep, EPOLL_CTL_DEL, fds[1], 0, 0);
	expect_none(ep);
	put(b, 1);
	expect_event(ep, ~0ULL, EPOLLIN);
	CHECK_EQ(5, write(fds[1], "hello", 5));
	expect_event(ep, ~0ULL, EPOLLIN);
	expect_event(ep, 3, EPOLLIN);
	close(b);
	close(fds[1]);
	expect_event(ep, 3, EPOLLIN | EPOLLHUP);
	expect_none(empty);
}

/* Edge: told once, and not again, whether that was before or after. */
SUBJECT(epoll_edge)
{
	int ep = epoll_create1(0), told, untold, later, writable;

	told = eventfd(1, 0);
	untold = eventfd(0, 0);
	later = eventfd(0, 0);
	writable = eventfd(0, 0);
	add(ep, told, EPOLLIN | EPOLLET, 1);
	add(ep, later, EPOLLIN | EPOLLET, 3);
	add(ep, writable, EPOLLIN | EPOLLOUT | EPOLLET, 4);
	expect_event(ep, 1, EPOLLIN);
	expect_event(ep, 4, EPOLLOUT);
	add(ep, untold, EPOLLIN | EPOLLET, 2);
	put(untold, 1);
	subject_point();
	expect_event(ep, 2, EPOLLIN);
	expect_none(ep);
	put(later, 1);
	expect_event(ep, 3, EPOLLIN);
	/* one more of the same is news */
	put(told, 1);
	expect_event(ep, 1, EPOLLIN);
	put(writable, 1);
	expect_event(ep, 4, EPOLLIN | EPOLLOUT);
	expect_none(ep);
	CHECK_EQ(2, take(told));
	CHECK_EQ(1, take(untold));
}

/* They are told in the order in which they got ready. */
SUBJECT(epoll_order)
{
	int ep = epoll_create1(0), fds[10], i;

	for (i = 0; i < 10; i++) {
		fds[i] = eventfd(0, 0);
		add(ep, fds[i], EPOLLIN | EPOLLET, i);
	}
	for (i = 0; i < 10; i++)
		put(fds[i * 7 % 10], 1);
	expect_event(ep, 0, EPOLLIN);
	subject_point();
	for (i = 1; i < 10; i++)
		expect_event(ep, i * 7 % 10, EPOLLIN);
	expect_none(ep);
}

SUBJECT(epoll_oneshot)
{
	int ep = epoll_create1(0), disarmed, armed, edge;
	char line[128], name[32];

	disarmed = eventfd(1, 0);
	armed = eventfd(0, 0);
	edge = eventfd(1, 0);
	add(ep, disarmed, EPOLLIN | EPOLLONESHOT, 1);
	add(ep, edge, EPOLLIN | EPOLLONESHOT | EPOLLET, 3);
	expect_event(ep, 1, EPOLLIN);
	expect_event(ep, 3, EPOLLIN);
	add(ep, armed, EPOLLIN | EPOLLONESHOT, 2);
	subject_point();
	snprintf(name, sizeof(name), "tfd: %8d", disarmed);
	read_fdinfo(ep, name, line, sizeof(line));
	CHECK(!strncmp(line, " events: 40000000 ", 18));
	expect_none(ep);
	put(disarmed, 1);
	put(edge, 1);
	expect_none(ep);
	put(armed, 1);
	expect_event(ep, 2, EPOLLIN);
	put(armed, 1);
	expect_none(ep);
	ctl(ep, EPOLL_CTL_MOD, disarmed, EPOLLIN | EPOLLONESHOT, 11);
	expect_event(ep, 11, EPOLLIN);
	ctl(ep, EPOLL_CTL_MOD, edge, EPOLLIN | EPOLLET, 33);
	expect_event(ep, 33, EPOLLIN);
	expect_none(ep);
}

/* Flags that can only be seen, or by what they do not allow. */
SUBJECT(epoll_flags)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(0), exclusive, wakeup, none;
	char name[32], was[128], line[128];

	exclusive = eventfd(0, 0);
	wakeup = eventfd(0, 0);
	none = eventfd(1, 0);
	add(ep, exclusive, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
	/* without the privilege, or suspend, it is not there */
	add(ep, wakeup, EPOLLIN | EPOLLWAKEUP, 2);
	add(ep, none, 0, 3);
	snprintf(name, sizeof(name), "tfd: %8d", wakeup);
	read_fdinfo(ep, name, was, sizeof(was));
	subject_point();
	read_fdinfo(ep, name, line, sizeof(line));
	CHECK(!strncmp(was, line, strcspn(was, "p")));
	expect_item(ep, exclusive, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
	expect_item(ep, none, 0, 3);
	CHECK_EQ(-1, epoll_ctl(ep, EPOLL_CTL_MOD, exclusive, &event));
	CHECK_EQ(EINVAL, errno);
	expect_none(ep);
	put(exclusive, 1);
	expect_event(ep, 1, EPOLLIN);
	put(wakeup, 1);
	expect_event(ep, 2, EPOLLIN);
}

/* An item goes by the file and the number that it had. */
SUBJECT(epoll_closed)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd, kept, other;

	fd = eventfd(0, 0);
	kept = dup(fd);
	add(ep, fd, EPOLLIN, 1);
	add(ep, kept, EPOLLIN | EPOLLET, 2);
	other = eventfd(0, 0);
	CHECK_EQ(fd, dup2(other, fd));
	add(ep, fd, EPOLLIN, 3);
	close(other);
	subject_point();
	CHECK_EQ(3, nr_items(ep));
	expect_none(ep);
	put(fd, 1);
	expect_event(ep, 3, EPOLLIN);
	CHECK_EQ(1, take(fd));
	expect_none(ep);
	put(kept, 1);
	/* which of the two comes first is not said */
	CHECK_EQ(1, epoll_wait(ep, &event, 1, 0));
	expect_event(ep, 3 - event.data.u64, EPOLLIN);
	ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
	CHECK_EQ(2, nr_items(ep));
	ctl(ep, EPOLL_CTL_DEL, kept, 0, 0);
	/* that one can be taken out no more, but goes with the file */
	CHECK_EQ(-1, epoll_ctl(ep, EPOLL_CTL_DEL, kept, NULL));
	expect_event(ep, 1, EPOLLIN);
	close(kept);
	expect_none(ep);
	CHECK_EQ(0, nr_items(ep));
}

SUBJECT(epoll_nested)
{
	int top = epoll_create1(0), mid = epoll_create1(0), low = epoll_create1(0);
	int edge = epoll_create1(0), fd = eventfd(0, 0), quiet = eventfd(0, 0);
	struct epoll_event event = { .events = EPOLLIN };

	add(low, fd, EPOLLIN, 1);
	add(mid, low, EPOLLIN, 2);
	add(top, mid, EPOLLIN, 3);
	add(edge, low, EPOLLIN | EPOLLET, 4);
	add(top, quiet, EPOLLIN, 5);
	put(fd, 1);
	subject_point();
	/* still no loop */
	CHECK_EQ(-1, epoll_ctl(low, EPOLL_CTL_ADD, top, &event));
	CHECK_EQ(ELOOP, errno);
	expect_event(top, 3, EPOLLIN);
	expect_event(mid, 2, EPOLLIN);
	expect_event(edge, 4, EPOLLIN);
	expect_none(edge);
	expect_event(low, 1, EPOLLIN);
	CHECK_EQ(1, take(fd));
	expect_none(top);
	expect_none(low);
	put(fd, 1);
	expect_event(top, 3, EPOLLIN);
	expect_event(edge, 4, EPOLLIN);
}

/* Timers and signals: what came before, and what comes after. */
SUBJECT(epoll_timers)
{
	int ep = epoll_create1(0), once, later, ticked, far;
	struct epoll_event event;

	once = timerfd_create(CLOCK_MONOTONIC, 0);
	later = timerfd_create(CLOCK_MONOTONIC, 0);
	ticked = timerfd_create(CLOCK_MONOTONIC, 0);
	far = timerfd_create(CLOCK_REALTIME, 0);
	add(ep, once, EPOLLIN, 1);
	add(ep, later, EPOLLIN | EPOLLET, 2);
	add(ep, ticked, EPOLLIN | EPOLLET, 3);
	add(ep, far, EPOLLIN, 4);
	set(ticked, 0, 1, 0);
	CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
	CHECK_EQ(3, event.data.u64);
	set(once, 0, 1, 0);
	while (polled(once) != POLLIN)
		ckpt_sleep_ms(1);
	set(later, 0, 1000 * MS, 0);
	set(far, 0, LONG * SEC, 0);
	subject_point();
	CHECK_EQ(1, epoll_wait(ep, &event, 1, 0));
	CHECK_EQ(1, event.data.u64);
	CHECK_EQ(1, take(once));
	CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
	CHECK_EQ(2, event.data.u64);
	expect_none(ep);
	CHECK_EQ(1, take(ticked));
	CHECK_EQ(1, take(later));
}

SUBJECT(epoll_signals)
{
	int ep = epoll_create1(0), level, edge, told;
	sigset_t set_;
	pid_t pid;

	block(&set_, SIGRTMIN, SIGRTMIN);
	level = signalfd(-1, &set_, SFD_NONBLOCK);
	block(&set_, SIGRTMIN + 1, SIGRTMIN + 1);
	edge = signalfd(-1, &set_, SFD_NONBLOCK);
	block(&set_, SIGRTMIN + 2, SIGRTMIN + 2);
	told = signalfd(-1, &set_, SFD_NONBLOCK);
	add(ep, level, EPOLLIN, 1);
	add(ep, edge, EPOLLIN | EPOLLET, 2);
	add(ep, told, EPOLLIN | EPOLLET, 3);
	CHECK_EQ(0, kill(getpid(), SIGRTMIN + 2));
	expect_event(ep, 3, EPOLLIN);
	CHECK_EQ(0, kill(getpid(), SIGRTMIN));
	/* a wake-up is of all signals */
	expect_event(ep, 1, EPOLLIN);
	while (epoll_wait(ep, &(struct epoll_event) {}, 1, 0) == 1 &&
	       taken_signal(level, NULL))
		;
	expect_none(ep);
	CHECK_EQ(0, kill(getpid(), SIGRTMIN));
	/* a child that has them watched for its parent */
	pid = fork();
	if (!pid) {
		subject_wait("go");
		CHECK_EQ(0, kill(getppid(), SIGRTMIN + 1));
		_exit(0);
	}
	subject_point();
	subject_join(pid);
	CHECK_EQ(SIGRTMIN, taken_signal(level, NULL));
	CHECK_EQ(SIGRTMIN + 1, taken_signal(edge, NULL));
	CHECK_EQ(SIGRTMIN + 2, taken_signal(told, NULL));
	while (epoll_wait(ep, &(struct epoll_event) {}, 1, 0))
		;
	CHECK_EQ(0, kill(getpid(), SIGRTMIN + 1));
	expect_event(ep, 2, EPOLLIN);
	CHECK_EQ(0, kill(getpid(), SIGRTMIN));
	expect_event(ep, 1, EPOLLIN);
}

/* Pending and not told yet: told after a restart, and woken by. */
SUBJECT(epoll_signal_ready)
{
	int ep = epoll_create1(0), fd;
	sigset_t set_;

	block(&set_, SIGRTMIN, SIGRTMIN + 1);
	fd = signalfd(-1, &set_, SFD_NONBLOCK);
	add(ep, fd, EPOLLIN | EPOLLET, 7);
	CHECK_EQ(0, kill(getpid(), SIGRTMIN));
	subject_point();
	expect_event(ep, 7, EPOLLIN);
	expect_none(ep);
	CHECK_EQ(SIGRTMIN, taken_signal(fd, NULL));
	CHECK_EQ(0, kill(getpid(), SIGRTMIN + 1));
	expect_event(ep, 7, EPOLLIN);
}

/* Two processes and a thread sleep in calls on one instance. */
static int shared_ep;

static void *wait_thread(void *arg)
{
	struct epoll_event event;

	CHECK_EQ(1, epoll_wait(shared_ep, &event, 1, -1));
	CHECK_EQ(1, event.data.u64);
	return arg;
}

SUBJECT(epoll_sleepers)
{
	struct epoll_event event;
	pthread_t thread;
	pid_t pids[2];
	int fd, i;

	shared_ep = epoll_create1(0);
	fd = eventfd(0, EFD_SEMAPHORE);
	add(shared_ep, fd, EPOLLIN, 1);
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		CHECK_EQ(1, i ? epoll_wait(shared_ep, &event, 1, CKPT_PATIENCE * 1000) :
			 epoll_pwait(shared_ep, &event, 1, -1, &(sigset_t) {}));
		CHECK_EQ(1, event.data.u64);
		_exit(0);
	}
	CHECK_EQ(0, pthread_create(&thread, NULL, wait_thread, NULL));
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, ckpt_wait_state(pids[i], 'S'));
	ckpt_sleep_ms(20);
	subject_point();
	for (i = 0; i < 2; i++) {
		check_same(pids[i], shared_ep, shared_ep);
		CHECK_EQ(0, waitpid(pids[i], NULL, WNOHANG));
	}
	put(fd, 1);
	for (i = 0; i < 2; i++)
		subject_join(pids[i]);
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* What is watched is in the table of a child only, as is one of the watchers. */
SUBJECT(epoll_elsewhere)
{
	int ep = epoll_create1(0), fd = eventfd(0, 0), up = eventfd(0, 0);
	struct epoll_event event;
	pid_t pid;

	add(ep, fd, EPOLLIN, 1);
	pid = fork();
	if (!pid) {
		int own = epoll_create1(0);

		add(own, up, EPOLLIN, 2);
		subject_touch("child");
		CHECK_EQ(1, epoll_wait(own, &event, 1, -1));
		CHECK_EQ(2, event.data.u64);
		put(fd, 1);
		_exit(0);
	}
	close(fd);
	subject_wait("child");
	subject_point();
	expect_none(ep);
	put(up, 1);
	subject_join(pid);
	/* gone with the last descriptor */
	expect_none(ep);
	CHECK_EQ(0, nr_items(ep));
}

/* More than tasks can put aside one by one. */
SUBJECT(epoll_many)
{
	enum { INSTANCES = 100, ITEMS = 800 };
	static struct epoll_event events[ITEMS];
	static char seen[ITEMS];
	int eps[INSTANCES], fds[ITEMS], big = epoll_create1(0), i, n;

	for (i = 0; i < ITEMS; i++) {
		fds[i] = i < 200 ? eventfd(i & 1, 0) : dup(fds[i % 200]);
		CHECK(fds[i] >= 0);
		add(big, fds[i], EPOLLIN, i);
	}
	for (i = 0; i < INSTANCES; i++) {
		eps[i] = epoll_create1(0);
		CHECK(eps[i] >= 0);
		add(eps[i], fds[i], EPOLLIN, 5000 + i);
	}
	subject_point();
	n = epoll_wait(big, events, ITEMS, 0);
	CHECK_EQ(ITEMS / 2, n);
	for (i = 0; i < n; i++) {
		CHECK(events[i].data.u64 & 1);
		CHECK_EQ(1, ++seen[events[i].data.u64]);
	}
	for (i = 0; i < INSTANCES; i++) {
		if (i & 1)
			expect_event(eps[i], 5000 + i, EPOLLIN);
		else
			expect_none(eps[i]);
	}
}

/* See EPIOCSPARAMS; headers may be older. */
struct busy_poll {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer;
	uint8_t pad;
};

SUBJECT(epoll_busy_poll)
{
	struct busy_poll p = { .usecs = 77, .budget = 9, .prefer = 1 };
	int ep = epoll_create1(0), ret;

	ret = ioctl(ep, _IOW(0x8a, 1, struct busy_poll), &p);
	if (ret)
		CHECK(errno == EOPNOTSUPP || errno == EINVAL || errno == ENOTTY);
	subject_point();
	if (ret)
		return;
	memset(&p, 0xff, sizeof(p));
	CHECK_EQ(0, ioctl(ep, _IOR(0x8a, 2, struct busy_poll), &p));
	CHECK_EQ(77, p.usecs);
	CHECK_EQ(9, p.budget);
	CHECK_EQ(1, p.prefer);
	CHECK_EQ(0, p.pad);
}

CKPT_FIXTURE_HOW(events);
CKPT_VARIANTS(events);

CKPT_ROUNDTRIP(events, eventfd_counter);
CKPT_ROUNDTRIP(events, eventfd_semaphore);
CKPT_ROUNDTRIP(events, eventfd_blocked);
CKPT_ROUNDTRIP(events, timerfd_clocks);
CKPT_ROUNDTRIP(events, timerfd_absolute);
CKPT_ROUNDTRIP(events, timerfd_ticks);
CKPT_ROUNDTRIP(events, timerfd_blocked);
CKPT_ROUNDTRIP(events, timerfd_canceled);
CKPT_ROUNDTRIP(events, signalfd_mask);
CKPT_ROUNDTRIP(events, signalfd_blocked);
CKPT_ROUNDTRIP(events, epoll_level);
CKPT_ROUNDTRIP(events, epoll_edge);
CKPT_ROUNDTRIP(events, epoll_order);
CKPT_ROUNDTRIP(events, epoll_oneshot);
CKPT_ROUNDTRIP(events, epoll_flags);
CKPT_ROUNDTRIP(events, epoll_closed);
CKPT_ROUNDTRIP(events, epoll_nested);
CKPT_ROUNDTRIP(events, epoll_timers);
CKPT_ROUNDTRIP(events, epoll_signals);
CKPT_ROUNDTRIP(events, epoll_signal_ready);
CKPT_ROUNDTRIP(events, epoll_sleepers);
CKPT_ROUNDTRIP(events, epoll_elsewhere);
CKPT_ROUNDTRIP(events, epoll_many);
CKPT_ROUNDTRIP(events, epoll_busy_poll);

/* ---- external ---- */

/* A pipe with an end outside; what is in the new one is news. */
SUBJECT(epoll_external)
{
	int ep = epoll_create1(0);
	struct epoll_event event;
	char buf[16];

	add(ep, SUBJECT_FD, EPOLLIN | EPOLLET, 1);
	subject_point();
	CHECK_EQ(1, epoll_wait(ep, &event, 1, -1));
	CHECK_EQ(1, event.data.u64);
	CHECK_EQ(5, read(SUBJECT_FD, buf, sizeof(buf)));
	CHECK_MEM("after", buf, 5);
}

CKPT_FIXTURE(external);

TEST_F_TIMEOUT(external, epoll_external, CKPT_TIMEOUT)
{
	struct restart_inherit inherit = { .key = "fd[10]" };
	struct ckpt_run run;
	int old[2], new[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(old, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(new, O_CLOEXEC));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	run.extra_fd = old[0];
	ASSERT_EQ(0, ckpt_start(&run, "epoll_external"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(5, write(new[1], "after", 5));
	inherit.fd = new[0];
	run.inherit = &inherit;
	run.nr_inherit = 1;
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- refused ---- */

SUBJECT(leaked)
{
	subject_point();
	CHECK(fcntl(SUBJECT_FD, F_GETFD) >= 0);
}

SUBJECT(epoll_of_outside)
{
	int ep = epoll_create1(0);

	CHECK_EQ(5, dup2(ep, 5));
	close(ep);
	add(5, SUBJECT_FD, EPOLLIN, 1);
	close(SUBJECT_FD);
	subject_point();
	CHECK_EQ(1, nr_items(5));
}

SUBJECT(epoll_of_other)
{
	int ep = epoll_create1(0);
	sigset_t set_;
	pid_t pid;

	CHECK_EQ(5, dup2(ep, 5));
	close(ep);
	block(&set_, SIGUSR1, SIGUSR1);
	pid = fork();
	if (!pid) {
		add(5, signalfd(-1, &set_, 0), EPOLLIN, 1);
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	subject_join(pid);
}

CKPT_FIXTURE(refused);

static void refused_with(struct __test_metadata *_metadata, const char *subject,
			 int extra_fd, const char *words, const char *more_words)
{
	struct ckpt_run run;
	int fd;

	ASSERT_LE(0, extra_fd);
	ckpt_init(&run, NULL);
	run.extra_fd = extra_fd;
	ASSERT_EQ(0, ckpt_start(&run, subject));
	fd = ckpt_open(&run, "image", O_CREAT | O_WRONLY);
	EXPECT_EQ(-EOPNOTSUPP, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_LE(1, ckpt_log_has(&run, words)) ckpt_print(&run, "log");
	EXPECT_LE(1, ckpt_log_has(&run, more_words)) ckpt_print(&run, "log");
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
	close(extra_fd);
}

/* We have them, too. */
TEST_F_TIMEOUT(refused, shared_outside, CKPT_TIMEOUT)
{
	sigset_t set_;

	sigemptyset(&set_);
	refused_with(_metadata, "leaked", eventfd(0, 0), "eventfd", "outside");
	refused_with(_metadata, "leaked", timerfd_create(CLOCK_MONOTONIC, 0),
		     "timerfd", "outside");
	refused_with(_metadata, "leaked", signalfd(-1, &set_, 0), "signalfd", "outside");
	refused_with(_metadata, "leaked", epoll_create1(0), "epoll", "outside");
}

TEST_F_TIMEOUT(refused, watched_outside, CKPT_TIMEOUT)
{
	refused_with(_metadata, "epoll_of_outside", eventfd(0, 0),
		     "no task of the target has it", "fd 5");
}

TEST_F_TIMEOUT(refused, watched_by_other, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("epoll_of_other", "another process", "fd 5"));
}

/* ---- limits ---- */

static const char max_watches[] = "/proc/sys/fs/epoll/max_user_watches";

static int set_max_watches(const char *text)
{
	int fd = open(max_watches, O_WRONLY);
	ssize_t n = write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

TEST_F_TIMEOUT(refused, too_many_watches, CKPT_TIMEOUT)
{
	char was[64] = "";
	struct ckpt_run run;
	pid_t pid;

	ASSERT_LT(0, ckpt_slurp(max_watches, was, sizeof(was)));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "epoll_level"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, set_max_watches("3"));
	EXPECT_EQ(-ENOSPC, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "max_user_watches")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	ASSERT_EQ(0, set_max_watches(was));
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
