// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: system calls in progress that signal(7) says a stop makes
 * fail with EINTR, and waits for System V objects. None of them fails.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define WAIT_MS		3000
#define KEY		0x434b5054

static const struct timespec wait_time = {
	.tv_sec = WAIT_MS / 1000,
	.tv_nsec = WAIT_MS % 1000 * 1000000L,
};

static uint64_t began;
static pthread_t waker;

/* The call is in progress when the checkpoint comes; "go" ends it. */
static void *wake(void *arg)
{
	void (*fn)(void) = arg;

	ckpt_sleep_ms(100);
	subject_ready();
	subject_wait("go");
	if (fn)
		fn();
	return NULL;
}

static void begin(void (*fn)(void))
{
	CHECK_EQ(0, pthread_create(&waker, NULL, wake, fn));
	began = ckpt_now();
}

static void end(void)
{
	CHECK_EQ(0, pthread_join(waker, NULL));
}

/* Time in the image may be in it, too. */
static void end_timed(void)
{
	CHECK(ckpt_now() - began >= (WAIT_MS - 20) * 1000000ULL);
	end();
}

/* ---- signals ---- */

static pthread_t main_thread;

static void send_usr1(void)
{
	CHECK_EQ(0, pthread_kill(main_thread, SIGUSR1));
}

static void block_usr1(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, set, NULL));
	main_thread = pthread_self();
}

SUBJECT(sigwaitinfo)
{
	siginfo_t info;
	sigset_t set;

	block_usr1(&set);
	begin(send_usr1);
	CHECK_EQ(SIGUSR1, sigwaitinfo(&set, &info));
	CHECK_EQ(SIGUSR1, info.si_signo);
	end();
}

SUBJECT(sigtimedwait)
{
	sigset_t set;

	block_usr1(&set);
	begin(NULL);
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &wait_time));
	CHECK_EQ(EAGAIN, errno);
	end_timed();
}

SUBJECT(sigtimedwait_signal)
{
	struct timespec ts = { .tv_sec = CKPT_PATIENCE };
	siginfo_t info;
	sigset_t set;

	block_usr1(&set);
	begin(send_usr1);
	CHECK_EQ(SIGUSR1, sigtimedwait(&set, &info, &ts));
	CHECK_EQ(SIGUSR1, info.si_signo);
	end();
}

/* A handler of another signal still ends it. */
static void nothing(int sig)
{
}

static void send_usr2(void)
{
	CHECK_EQ(0, pthread_kill(main_thread, SIGUSR2));
}

SUBJECT(sigtimedwait_handler)
{
	struct timespec ts = { .tv_sec = CKPT_PATIENCE };
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	sigset_t set;

	CHECK_EQ(0, sigaction(SIGUSR2, &sa, NULL));
	block_usr1(&set);
	begin(send_usr2);
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &ts));
	CHECK_EQ(EINTR, errno);
	end();
}

/* ---- semaphores: objects of the namespace, which outlive the subject ---- */

static int sem_id, msg_id;

static void make_sem(void)
{
	sem_id = semget(KEY, 2, IPC_CREAT | 0600);
	CHECK(sem_id >= 0);
	CHECK_EQ(0, semctl(sem_id, 0, SETVAL, 0));
	CHECK_EQ(0, semctl(sem_id, 1, SETVAL, 0));
}

static void sem_up(void)
{
	struct sembuf op = { .sem_num = 1, .sem_op = 2 };

	CHECK_EQ(0, semop(sem_id, &op, 1));
}

SUBJECT(semop)
{
	struct sembuf op = { .sem_num = 1, .sem_op = -2 };

	make_sem();
	begin(sem_up);
	CHECK_EQ(0, semop(sem_id, &op, 1));
	CHECK_EQ(0, semctl(sem_id, 1, GETVAL));
	end();
}

SUBJECT(semtimedop)
{
	struct sembuf op = { .sem_num = 1, .sem_op = -2 };
	struct timespec ts = { .tv_sec = CKPT_PATIENCE };

	make_sem();
	begin(sem_up);
	CHECK_EQ(0, semtimedop(sem_id, &op, 1, &ts));
	CHECK_EQ(0, semctl(sem_id, 1, GETVAL));
	end();
}

SUBJECT(semtimedop_ends)
{
	struct sembuf ops[2] = {
		{ .sem_num = 0, .sem_op = 1 },
		{ .sem_num = 1, .sem_op = -2 },
	};

	make_sem();
	begin(NULL);
	CHECK_EQ(-1, semtimedop(sem_id, ops, 2, &wait_time));
	CHECK_EQ(EAGAIN, errno);
	/* all or nothing */
	CHECK_EQ(0, semctl(sem_id, 0, GETVAL));
	end_timed();
}

/* ---- messages ---- */

struct message {
	long type;
	char text[8192];
};

static void make_queue(void)
{
	static struct message m;

	msg_id = msgget(KEY, IPC_CREAT | 0600);
	CHECK(msg_id >= 0);
	while (msgrcv(msg_id, &m, sizeof(m.text), 0, IPC_NOWAIT) >= 0)
		;
}

static void send_message(void)
{
	struct message m = { .type = 7, .text = "hello" };

	CHECK_EQ(0, msgsnd(msg_id, &m, 6, 0));
}

SUBJECT(msgrcv)
{
	static struct message m;

	make_queue();
	begin(send_message);
	CHECK_EQ(6, msgrcv(msg_id, &m, sizeof(m.text), 7, 0));
	CHECK_EQ(7, m.type);
	CHECK(!strcmp(m.text, "hello"));
	end();
}

static void receive_all(void)
{
	static struct message m;
	int n = 0;

	while (msgrcv(msg_id, &m, sizeof(m.text), 3, IPC_NOWAIT) >= 0)
		n++;
	CHECK(n);
}

/* Fills the queue first: what it had is there after a restart as well. */
SUBJECT(msgsnd)
{
	static struct message m = { .type = 3 };

	make_queue();
	while (!msgsnd(msg_id, &m, sizeof(m.text), IPC_NOWAIT))
		;
	CHECK_EQ(EAGAIN, errno);
	m.type = 4;
	begin(receive_all);
	CHECK_EQ(0, msgsnd(msg_id, &m, 100, 0));
	end();
	CHECK_EQ(100, msgrcv(msg_id, &m, sizeof(m.text), 4, IPC_NOWAIT));
	CHECK_EQ(4, m.type);
	/* as it was, for who comes back to the checkpoint */
	m.type = 3;
	while (!msgsnd(msg_id, &m, sizeof(m.text), IPC_NOWAIT))
		;
}

/* ---- epoll ---- */

static int ep, ends[2];

static void make_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };

	ep = epoll_create1(0);
	CHECK(ep >= 0);
	CHECK_EQ(0, pipe(ends));
	CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
}

static void write_byte(void)
{
	CHECK_EQ(1, write(ends[1], "x", 1));
}

static void wait_for_byte(int timeout)
{
	struct epoll_event event = {};

	make_epoll();
	begin(write_byte);
	CHECK_EQ(1, epoll_wait(ep, &event, 1, timeout));
	CHECK_EQ(77, event.data.u64);
	end();
}

SUBJECT(epoll_wait)
{
	wait_for_byte(-1);
}

SUBJECT(epoll_wait_timed)
{
	wait_for_byte(CKPT_PATIENCE * 1000);
}

SUBJECT(epoll_wait_ends)
{
	struct epoll_event event;

	make_epoll();
	begin(NULL);
	CHECK_EQ(0, epoll_wait(ep, &event, 1, WAIT_MS));
	end_timed();
}

/* A handler ends it, with the mask of the call, and then there is the old one. */
static volatile int handled;

static void count(int sig)
{
	handled++;
}

/*
 * SIGUSR2, which the call blocks and which was not blocked before, comes first.
 * It has to wait until the call has ended.
 */
static volatile int late_at = -1;

static void late(int sig)
{
	late_at = handled;
}

static void send_both(void)
{
	/* it has the mask from before on its way back into the call */
	while (ckpt_state(getpid()) != 'S')
		ckpt_sleep_ms(1);
	CHECK_EQ(0, pthread_kill(main_thread, SIGUSR2));
	ckpt_sleep_ms(20);
	CHECK_EQ(0, handled);
	CHECK_EQ(-1, late_at);
	CHECK_EQ(0, pthread_kill(main_thread, SIGUSR1));
}

static void wait_for_handler(int (*wait)(int timeout, const sigset_t *mask), int timeout)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = SA_RESTART };
	struct sigaction last = { .sa_handler = late, .sa_flags = SA_RESTART };
	sigset_t set, before, after, mask;

	make_epoll();
	CHECK_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	CHECK_EQ(0, sigaction(SIGUSR2, &last, NULL));
	/* for the thread that sends it, too */
	block_usr1(&set);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, &before));
	begin(send_both);
	CHECK_EQ(-1, wait(timeout, &mask));
	CHECK_EQ(EINTR, errno);
	CHECK_EQ(1, handled);
	CHECK_EQ(1, late_at);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, NULL, &after));
	CHECK_EQ(1, sigismember(&after, SIGUSR1));
	CHECK_EQ(0, sigismember(&after, SIGUSR2));
	CHECK_MEM(&before, &after, 8);
	end();
}

static int in_epoll_pwait(int timeout, const sigset_t *mask)
{
	struct epoll_event event;

	return epoll_pwait(ep, &event, 1, timeout, mask);
}

static int in_ppoll(int timeout, const sigset_t *mask)
{
	struct timespec ts = { .tv_sec = timeout / 1000 };
	struct pollfd fds = { .fd = ends[0], .events = POLLIN };

	return ppoll(&fds, 1, timeout < 0 ? NULL : &ts, mask);
}

static int in_pselect(int timeout, const sigset_t *mask)
{
	struct timespec ts = { .tv_sec = timeout / 1000 };
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(ends[0], &fds);
	return pselect(ends[0] + 1, &fds, NULL, NULL, timeout < 0 ? NULL : &ts, mask);
}

SUBJECT(pwait_handler)
{
	wait_for_handler(in_epoll_pwait, -1);
}

SUBJECT(pwait_timed)
{
	wait_for_handler(in_epoll_pwait, CKPT_PATIENCE * 1000);
}

SUBJECT(ppoll_handler)
{
	wait_for_handler(in_ppoll, -1);
}

SUBJECT(ppoll_timed)
{
	wait_for_handler(in_ppoll, CKPT_PATIENCE * 1000);
}

SUBJECT(pselect_handler)
{
	wait_for_handler(in_pselect, -1);
}

SUBJECT(pselect_timed)
{
	wait_for_handler(in_pselect, CKPT_PATIENCE * 1000);
}

/* Refused for another reason, and so to be left as it was. */
SUBJECT(epoll_refused)
{
	CHECK(open("/dev/kmsg", O_RDONLY) >= 0);
	wait_for_byte(CKPT_PATIENCE * 1000);
}

/* ---- tests ---- */

static void remove_objects(void)
{
	int id = semget(KEY, 0, 0);

	if (id >= 0)
		semctl(id, 0, IPC_RMID);
	id = msgget(KEY, 0);
	if (id >= 0)
		msgctl(id, IPC_RMID, NULL);
}

FIXTURE(inprogress) { };
FIXTURE_VARIANT(inprogress)
{
	struct ckpt_how how;
};

FIXTURE_SETUP(inprogress)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	remove_objects();
}

FIXTURE_TEARDOWN(inprogress)
{
	remove_objects();
}

CKPT_VARIANTS_OTHER(inprogress);

CKPT_ROUNDTRIP(inprogress, sigwaitinfo);
CKPT_ROUNDTRIP(inprogress, sigtimedwait);
CKPT_ROUNDTRIP(inprogress, sigtimedwait_signal);
CKPT_ROUNDTRIP(inprogress, sigtimedwait_handler);
CKPT_ROUNDTRIP(inprogress, semop);
CKPT_ROUNDTRIP(inprogress, semtimedop);
CKPT_ROUNDTRIP(inprogress, semtimedop_ends);
CKPT_ROUNDTRIP(inprogress, msgrcv);
CKPT_ROUNDTRIP(inprogress, msgsnd);
CKPT_ROUNDTRIP(inprogress, epoll_wait);
CKPT_ROUNDTRIP(inprogress, epoll_wait_timed);
CKPT_ROUNDTRIP(inprogress, epoll_wait_ends);
CKPT_ROUNDTRIP(inprogress, pwait_handler);
CKPT_ROUNDTRIP(inprogress, pwait_timed);
CKPT_ROUNDTRIP(inprogress, ppoll_handler);
CKPT_ROUNDTRIP(inprogress, ppoll_timed);
CKPT_ROUNDTRIP(inprogress, pselect_handler);
CKPT_ROUNDTRIP(inprogress, pselect_timed);

/* What is refused goes on to wait as well. */
CKPT_FIXTURE(goes_on);

TEST_F_TIMEOUT(goes_on, epoll_refused, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("epoll_refused", "/dev/kmsg", NULL));
}

CKPT_TEST_MAIN
