// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: signals. Handlers, masks, stacks, what is pending, and
 * frames of handlers that are running.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static atomic_int count, last_sig, last_value, last_code;
static atomic_int last_pid;

static void handler(int sig)
{
	count++;
	last_sig = sig;
}

static void info_handler(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	count++;
	last_sig = sig;
	last_code = info->si_code;
	last_pid = info->si_pid;
	last_value = info->si_value.sival_int;
}

/* As the kernel has it, without the C library in between. */
struct raw_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static struct raw_sigaction get_action(int sig)
{
	struct raw_sigaction act = {};

	CHECK_EQ(0, syscall(SYS_rt_sigaction, sig, NULL, &act, 8));
	return act;
}

/* Each signal with another combination of handler, flags and mask. */
SUBJECT(actions)
{
	static const int flags[] = {
		0, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK,
		SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESTART | SA_ONSTACK,
	};
	struct raw_sigaction was[65], is;
	struct sigaction act;
	int sig;

	for (sig = 1; sig <= 64; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		memset(&act, 0, sizeof(act));
		sigemptyset(&act.sa_mask);
		if (sig % 7)
			sigaddset(&act.sa_mask, sig % 30 + 1);
		act.sa_flags = flags[sig % 8];
		if (sig % 5 == 0) {
			act.sa_handler = SIG_IGN;
		} else if (sig % 5 == 1) {
			act.sa_handler = SIG_DFL;
		} else if (sig % 5 == 2) {
			act.sa_handler = handler;
		} else {
			act.sa_sigaction = info_handler;
			act.sa_flags |= SA_SIGINFO;
		}
		CHECK_EQ(0, sigaction(sig, &act, NULL));
	}
	for (sig = 1; sig <= 64; sig++)
		was[sig] = get_action(sig);

	subject_point();

	for (sig = 1; sig <= 64; sig++) {
		is = get_action(sig);
		if (memcmp(&was[sig], &is, sizeof(is)))
			subject_fail(__FILE__, __LINE__,
				     "action of signal %d has changed", sig);
	}
	/* and they work: signal 12 is 2 modulo 5, 13 is 3 */
	CHECK_EQ(0, raise(12));
	CHECK_EQ(12, last_sig);
	CHECK_EQ(0, raise(13));
	CHECK_EQ(13, last_sig);
	CHECK_EQ(getpid(), last_pid);
	CHECK_EQ(0, raise(15));
}

/* SA_RESETHAND that was used up, and one that was not. */
SUBJECT(reset_hand)
{
	struct sigaction act = { .sa_flags = SA_RESETHAND };

	act.sa_handler = handler;
	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
	CHECK_EQ(0, sigaction(SIGUSR2, &act, NULL));
	raise(SIGUSR1);
	subject_point();
	CHECK_EQ((uintptr_t)SIG_DFL, get_action(SIGUSR1).handler);
	CHECK_EQ((uintptr_t)handler, get_action(SIGUSR2).handler);
	raise(SIGUSR2);
	CHECK_EQ(2, count);
	CHECK_EQ((uintptr_t)SIG_DFL, get_action(SIGUSR2).handler);
}

/* ---- masks ---- */

#define NR_THREADS 4

static pthread_barrier_t barrier;
static atomic_bool go;

static uint64_t get_mask(void)
{
	uint64_t mask = 0;

	CHECK_EQ(0, syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8));
	return mask;
}

static void set_mask(uint64_t mask)
{
	CHECK_EQ(0, syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8));
	CHECK_EQ(mask, get_mask());
}

static uint64_t a_mask(int nr)
{
	/* any but SIGKILL, SIGSTOP */
	return (0x0123456789abcdefULL << nr | 1) &
	       ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1));
}

static void *mask_thread(void *arg)
{
	int nr = (intptr_t)arg;

	set_mask(a_mask(nr));
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(2);
	CHECK_EQ(a_mask(nr), get_mask());
	return NULL;
}

SUBJECT(masks)
{
	pthread_t threads[NR_THREADS];
	int i;

	pthread_barrier_init(&barrier, NULL, NR_THREADS + 1);
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, mask_thread,
					   (void *)(intptr_t)(i + 1)));
	pthread_barrier_wait(&barrier);
	set_mask(a_mask(0));
	subject_point();
	CHECK_EQ(a_mask(0), get_mask());
	set_mask(0);
	go = true;
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
}

/* ---- pending ---- */

static void take(const sigset_t *set, int sig, int code, int value, pid_t pid)
{
	siginfo_t info;

	memset(&info, 0x5a, sizeof(info));
	/* the library's makes SI_USER of SI_TKILL */
	CHECK_EQ(sig, syscall(SYS_rt_sigtimedwait, set, &info,
			      &(struct timespec){}, 8));
	CHECK_EQ(sig, info.si_signo);
	CHECK_EQ(code, info.si_code);
	CHECK_EQ(0, info.si_errno);
	CHECK_EQ(pid, info.si_pid);
	CHECK_EQ(getuid(), info.si_uid);
	if (code == SI_QUEUE)
		CHECK_EQ(value, info.si_value.sival_int);
}

static void queue(int sig, int value)
{
	union sigval v = { .sival_int = value };

	CHECK_EQ(0, sigqueue(getpid(), sig, v));
}

static int queue_thread(int sig, int value)
{
	siginfo_t info = {
		.si_signo = sig, .si_code = SI_QUEUE,
	};

	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
		       sig, &info);
}

SUBJECT(pending)
{
	sigset_t set, pending;
	pid_t me = getpid();
	int i;

	sigfillset(&set);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	sigdelset(&set, SIGCHLD);
	/* to the process */
	CHECK_EQ(0, kill(me, SIGUSR1));
	CHECK_EQ(0, kill(me, SIGUSR1));
	queue(SIGUSR2, 1234);
	for (i = 0; i < 20; i++)
		queue(SIGRTMIN + 3, 100 + i);
	for (i = 0; i < 5; i++)
		queue(SIGRTMIN + 1, 500 + i);
	/* to the thread */
	CHECK_EQ(0, syscall(SYS_tgkill, me, me, SIGHUP));
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, queue_thread(SIGRTMIN + 7, -i));
	CHECK_EQ(0, sigpending(&pending));

	subject_point();

	CHECK_EQ(0, sigpending(&set));
	CHECK_MEM(&pending, &set, 8);
	sigfillset(&set);
	/*
	 * The thread's before the process's; lowest first; those of one number
	 * in the order they were sent.
	 */
	take(&set, SIGHUP, SI_TKILL, 0, me);
	for (i = 0; i < 5; i++)
		take(&set, SIGRTMIN + 7, SI_QUEUE, -i, me);
	take(&set, SIGUSR1, SI_USER, 0, me);
	take(&set, SIGUSR2, SI_QUEUE, 1234, me);
	for (i = 0; i < 5; i++)
		take(&set, SIGRTMIN + 1, SI_QUEUE, 500 + i, me);
	for (i = 0; i < 20; i++)
		take(&set, SIGRTMIN + 3, SI_QUEUE, 100 + i, me);
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &(struct timespec){}));
	CHECK_EQ(EAGAIN, errno);
}

/* Pending in a thread that is not the leader; others must not see it. */
static void *pending_thread(void *arg)
{
	sigset_t set;
	int i;

	sigfillset(&set);
	CHECK_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, queue_thread(SIGRTMIN + 2, 70 + i));
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(2);
	for (i = 0; i < 3; i++)
		take(&set, SIGRTMIN + 2, SI_QUEUE, 70 + i, getpid());
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &(struct timespec){}));
	return arg;
}

/*
 * Each form that a siginfo can have. A process may send itself any, also those
 * that the kernel sends for faults. What the kernel keeps of each is what
 * siginfo_layout() says of it, so all other bytes are zero.
 */
#ifndef TRAP_PERF
#define TRAP_PERF	6
#endif

static void make_layout(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_errno = 17 + code;
}

static int make_layouts(siginfo_t *infos)
{
	siginfo_t *i = infos;

	/* address */
	make_layout(i, SIGSEGV, SEGV_MAPERR);
	i++->si_addr = (void *)0x123456789abcdef0;
	make_layout(i, SIGILL, ILL_ILLOPN);
	i++->si_addr = (void *)0x1234;
	make_layout(i, SIGFPE, FPE_INTDIV);
	i++->si_addr = (void *)0x2345;
	/* and more about it */
	make_layout(i, SIGBUS, BUS_MCEERR_AO);
	i->si_addr = (void *)0x7000;
	i++->si_addr_lsb = 12;
	make_layout(i, SIGTRAP, TRAP_PERF);
	i->si_addr = (void *)0x8000;
	((uint64_t *)i)[3] = 0xfedcba9876543210;	/* si_perf_data */
	((uint32_t *)i)[8] = 3;				/* si_perf_type */
	((uint32_t *)i)[9] = 1;				/* si_perf_flags */
	i++;
	/* a child */
	make_layout(i, SIGCHLD, CLD_DUMPED);
	i->si_pid = 4242;
	i->si_uid = 1000;
	i->si_status = 11;
	i->si_utime = 123456;
	i++->si_stime = 234567;
	/* a file */
	make_layout(i, SIGIO, POLL_IN);
	i->si_band = 0x41;
	i++->si_fd = 9;
	/* a system call */
	make_layout(i, SIGSYS, 1);
	i->si_call_addr = (void *)0x9000;
	i->si_syscall = 231;
	i++->si_arch = 0xc000003e;
	/* a process, with a value or without one */
	make_layout(i, SIGHUP, SI_USER);
	i->si_pid = 99;
	i++->si_uid = 98;
	make_layout(i, SIGUSR1, SI_TKILL);
	i->si_pid = 97;
	i++->si_uid = 96;
	make_layout(i, SIGRTMIN + 1, SI_QUEUE);
	i->si_pid = 95;
	i->si_uid = 94;
	i++->si_ptr = (void *)0x1122334455667788;
	make_layout(i, SIGRTMIN + 2, SI_MESGQ);
	i->si_pid = 93;
	i->si_uid = 92;
	i++->si_ptr = (void *)0x2233445566778899;
	make_layout(i, SIGRTMIN + 3, SI_ASYNCIO);
	i->si_pid = 91;
	i->si_uid = 90;
	i++->si_int = 0x5a5a;
	make_layout(i, SIGRTMIN + 4, SI_SIGIO);
	i->si_band = 0x81;
	i++->si_fd = 7;
	/* the kernel itself */
	make_layout(i, SIGRTMIN + 5, SI_KERNEL);
	i++;
	/* whatever nobody knows comes from a process */
	make_layout(i, SIGRTMIN + 6, -60);
	i->si_pid = 89;
	i->si_uid = 88;
	i++->si_ptr = (void *)0x33;
	return i - infos;
}

static void check_layouts(const siginfo_t *want, int nr)
{
	static siginfo_t plain[32], seen;
	const struct timespec none = {};
	int i, k;
	sigset_t set;

	sigfillset(&set);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	/* what comes back without a checkpoint in between */
	for (i = 0; i < nr; i++) {
		CHECK_EQ(0, syscall(SYS_rt_sigqueueinfo, getpid(),
				    want[i].si_signo, &want[i]));
		sigemptyset(&set);
		sigaddset(&set, want[i].si_signo);
		CHECK_EQ(want[i].si_signo, syscall(SYS_rt_sigtimedwait, &set,
						   &plain[i], &none, 8));
		/* that is all that it was */
		for (k = 0; k < 40; k++)
			CHECK_EQ(((uint8_t *)&want[i])[k], ((uint8_t *)&plain[i])[k]);
	}
	for (i = 0; i < nr; i++)
		CHECK_EQ(0, syscall(SYS_rt_sigqueueinfo, getpid(),
				    want[i].si_signo, &want[i]));
	subject_point();
	for (i = 0; i < nr; i++) {
		sigemptyset(&set);
		sigaddset(&set, want[i].si_signo);
		memset(&seen, 0x5a, sizeof(seen));
		if (syscall(SYS_rt_sigtimedwait, &set, &seen, &none, 8) !=
		    want[i].si_signo)
			subject_fail(__FILE__, __LINE__, "no signal %d",
				     want[i].si_signo);
		if (memcmp(&plain[i], &seen, sizeof(seen)))
			subject_fail(__FILE__, __LINE__, "signal %d, code %d",
				     want[i].si_signo, want[i].si_code);
	}
}

SUBJECT(layouts)
{
	static siginfo_t want[32];
	int nr = make_layouts(want);

	check_layouts(want, nr);
}

/* Of one number there is but one at a time, so these are for themselves. */
SUBJECT(layout_bounds)
{
	siginfo_t want;

	make_layout(&want, SIGSEGV, SEGV_BNDERR);
	want.si_addr = (void *)0x123456789abcdef0;
	want.si_lower = (void *)0x1111222233334444;
	want.si_upper = (void *)0x5555666677778888;
	check_layouts(&want, 1);
}

SUBJECT(layout_pkey)
{
	siginfo_t want;

	make_layout(&want, SIGSEGV, SEGV_PKUERR);
	want.si_addr = (void *)0x123456789abcdef0;
	want.si_pkey = 0xfedcba98;
	check_layouts(&want, 1);
}

SUBJECT(pending_threads)
{
	pthread_t thread;
	sigset_t set;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, pending_thread, NULL));
	pthread_barrier_wait(&barrier);
	sigfillset(&set);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));

	subject_point();

	sigdelset(&set, SIGCHLD);
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &(struct timespec){}));
	CHECK_EQ(EAGAIN, errno);
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* Unblocked after the restart, it goes to its handler with its siginfo. */
SUBJECT(pending_handled)
{
	struct sigaction act = { .sa_flags = SA_SIGINFO };
	sigset_t set;

	act.sa_sigaction = info_handler;
	CHECK_EQ(0, sigaction(SIGRTMIN, &act, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	queue(SIGRTMIN, 31337);
	subject_point();
	CHECK_EQ(0, count);
	CHECK_EQ(0, sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(1, count);
	CHECK_EQ(SIGRTMIN, last_sig);
	CHECK_EQ(SI_QUEUE, last_code);
	CHECK_EQ(31337, last_value);
}

/* The siginfo of a child's end, which the kernel made. */
SUBJECT(pending_sigchld)
{
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	pid = fork();
	if (!pid)
		_exit(23);
	CHECK_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));

	subject_point();

	/* once, though the zombie has come back too */
	CHECK_EQ(SIGCHLD, sigtimedwait(&set, &info, &(struct timespec){}));
	CHECK_EQ(CLD_EXITED, info.si_code);
	CHECK_EQ(pid, info.si_pid);
	CHECK_EQ(23, info.si_status);
	CHECK_EQ(-1, sigtimedwait(&set, &info, &(struct timespec){}));
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
}

/* A zombie whose SIGCHLD has been dealt with does not send another. */
SUBJECT(no_second_sigchld)
{
	siginfo_t info;
	pid_t pid;

	signal(SIGCHLD, handler);
	pid = fork();
	if (!pid)
		_exit(3);
	CHECK_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	while (count < 1)
		ckpt_sleep_ms(1);
	subject_point();
	CHECK_EQ(1, count);
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
}

/* Children reap themselves. */
SUBJECT(sigchld_ignored)
{
	siginfo_t info;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	subject_point();
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		_exit(1);
	CHECK_EQ(-1, waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(ECHILD, errno);
	CHECK_EQ((uintptr_t)SIG_IGN, get_action(SIGCHLD).handler);
}

/* ---- stacks and frames ---- */

static atomic_uintptr_t handler_sp;
static char *altstack;
#define ALTSTACK_SIZE 65536

static void stack_handler(int sig)
{
	atomic_int local = sig;

	handler_sp = (uintptr_t)&local;
	count++;
}

static void use_altstack(void)
{
	struct sigaction act = { .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_size = ALTSTACK_SIZE };

	altstack = mmap(NULL, ALTSTACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ss.ss_sp = altstack;
	CHECK_EQ(0, sigaltstack(&ss, NULL));
	act.sa_handler = stack_handler;
	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
}

SUBJECT(stack)
{
	stack_t ss = {};

	use_altstack();
	subject_point();
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK(ss.ss_sp == altstack);
	CHECK_EQ(ALTSTACK_SIZE, ss.ss_size);
	CHECK_EQ(0, ss.ss_flags);
	raise(SIGUSR1);
	CHECK_EQ(1, count);
	CHECK(handler_sp >= (uintptr_t)altstack &&
	      handler_sp < (uintptr_t)altstack + ALTSTACK_SIZE);
}

/* Checkpointed within a handler on that stack; it must return to where it was. */
static void point_handler(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	stack_t ss = {};
	uint64_t mask = get_mask();

	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK_EQ(SS_ONSTACK, ss.ss_flags);
	CHECK_EQ(77, info->si_value.sival_int);
	subject_point();
	CHECK_EQ(mask, get_mask());
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK_EQ(SS_ONSTACK, ss.ss_flags);
	CHECK_EQ(77, info->si_value.sival_int);
	CHECK_EQ(SIGUSR2, sig);
	CHECK(uc->uc_stack.ss_sp == altstack);
	count++;
}

SUBJECT(frame)
{
	struct sigaction act = { .sa_flags = SA_ONSTACK | SA_SIGINFO };
	double real = 1.25;
	uint64_t mask;
	stack_t ss;

	use_altstack();
	act.sa_sigaction = point_handler;
	sigaddset(&act.sa_mask, SIGTERM);
	CHECK_EQ(0, sigaction(SIGUSR2, &act, NULL));
	mask = get_mask();
	queue(SIGUSR2, 77);
	CHECK_EQ(1, count);
	CHECK_EQ(mask, get_mask());
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK_EQ(0, ss.ss_flags);
	CHECK(real == 1.25);
}

/* A stack that there is none of while a handler is on it. */
#ifndef SS_AUTODISARM
#define SS_AUTODISARM	(1U << 31)
#endif

static bool point_inside;

static void disarmed_handler(int sig)
{
	stack_t ss = {};

	stack_handler(sig);
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK_EQ(SS_DISABLE, ss.ss_flags);
	CHECK_EQ(0, ss.ss_size);
	if (!point_inside)
		return;
	subject_point();
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK_EQ(SS_DISABLE, ss.ss_flags);
	CHECK_EQ(0, ss.ss_size);
}

static void autodisarm(void)
{
	struct sigaction act = { .sa_flags = SA_ONSTACK, .sa_handler = disarmed_handler };
	stack_t ss = { .ss_size = ALTSTACK_SIZE, .ss_flags = SS_AUTODISARM };

	altstack = mmap(NULL, ALTSTACK_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ss.ss_sp = altstack;
	CHECK_EQ(0, sigaltstack(&ss, NULL));
	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
	if (!point_inside)
		subject_point();
	raise(SIGUSR1);
	CHECK_EQ(1, count);
	CHECK(handler_sp >= (uintptr_t)altstack &&
	      handler_sp < (uintptr_t)altstack + ALTSTACK_SIZE);
	/* it is back with the end of the handler */
	memset(&ss, 0, sizeof(ss));
	CHECK_EQ(0, sigaltstack(NULL, &ss));
	CHECK(ss.ss_sp == altstack);
	CHECK_EQ(ALTSTACK_SIZE, ss.ss_size);
	CHECK_EQ((int)SS_AUTODISARM, ss.ss_flags);
}

SUBJECT(autodisarm)
{
	autodisarm();
}

SUBJECT(autodisarm_frame)
{
	point_inside = true;
	autodisarm();
}

/* ---- limits of queues ---- */

/* How many signals are pending for this user, and how many may be. */
static void sigq(unsigned int *nr, unsigned int *limit)
{
	static char text[8192];
	char *line;

	CHECK(ckpt_slurp("/proc/self/status", text, sizeof(text)) > 0);
	line = strstr(text, "SigQ:");
	CHECK(line);
	CHECK_EQ(2, sscanf(line, "SigQ: %u/%u", nr, limit));
}

/* They count for whose they are, not for whom they were brought back by. */
SUBJECT(user_pending)
{
	struct rlimit limit = { .rlim_cur = 30, .rlim_max = 30 };
	unsigned int was[2], is[2], i;
	union sigval value;
	sigset_t set;

	CHECK(getuid());
	sigfillset(&set);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < 12; i++) {
		value.sival_int = i;
		if (i % 2)
			CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 5, value));
		else
			CHECK_EQ(0, pthread_sigqueue(pthread_self(), SIGRTMIN + 6, value));
	}
	CHECK_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	sigq(&was[0], &was[1]);
	CHECK_EQ(12, was[0]);
	CHECK_EQ(30, was[1]);

	subject_point();

	sigq(&is[0], &is[1]);
	CHECK_EQ(was[0], is[0]);
	CHECK_EQ(was[1], is[1]);
	for (; i < 30; i++)
		CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 5, value));
	CHECK_EQ(-1, sigqueue(getpid(), SIGRTMIN + 5, value));
	CHECK_EQ(EAGAIN, errno);
	for (i = 0; i < 30; i++)
		CHECK(sigtimedwait(&set, NULL, &(struct timespec){}) > 0);
	/* none is left behind, nor taken off twice */
	sigq(&is[0], &is[1]);
	CHECK_EQ(0, is[0]);
}

SUBJECT(many_pending)
{
	struct rlimit limit = { .rlim_cur = 50, .rlim_max = 50 };
	union sigval value = { .sival_int = 0 };
	sigset_t set;
	int sent = 0;

	sigfillset(&set);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	while (!sigqueue(getpid(), SIGRTMIN + 5, value)) {
		value.sival_int = ++sent;
		CHECK(sent <= 50);
	}
	CHECK_EQ(EAGAIN, errno);

	subject_point();

	sigdelset(&set, SIGCHLD);
	for (value.sival_int = 0; value.sival_int < sent; value.sival_int++)
		take(&set, SIGRTMIN + 5, SI_QUEUE, value.sival_int, getpid());
	CHECK_EQ(-1, sigtimedwait(&set, NULL, &(struct timespec){}));
}

/* Timers of setitimer(2) go on with the time that was left. */
SUBJECT(itimer)
{
	struct itimerval long_one = {
		.it_value = { .tv_sec = 1000 }, .it_interval = { .tv_sec = 7 },
	};
	struct itimerval soon = { .it_value = { .tv_usec = 10000 } };
	struct itimerval left = {};

	signal(SIGALRM, handler);
	CHECK_EQ(0, setitimer(ITIMER_REAL, &long_one, NULL));
	CHECK_EQ(0, setitimer(ITIMER_VIRTUAL, &long_one, NULL));
	subject_point();
	CHECK_EQ(0, getitimer(ITIMER_REAL, &left));
	CHECK_EQ(7, left.it_interval.tv_sec);
	CHECK(left.it_value.tv_sec > 800 && left.it_value.tv_sec < 1000);
	CHECK_EQ(0, getitimer(ITIMER_VIRTUAL, &left));
	CHECK_EQ(7, left.it_interval.tv_sec);
	CHECK(left.it_value.tv_sec > 900 && left.it_value.tv_sec <= 1000);
	CHECK_EQ(0, count);
	CHECK_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	while (!count)
		ckpt_sleep_ms(1);
	CHECK_EQ(SIGALRM, last_sig);
}

/* They go off by themselves after it, again and again. */
static const struct {
	int which, sig;
	struct itimerval value;
} running[] = {
	{ ITIMER_REAL, SIGALRM, { .it_interval = { 0, 30000 }, .it_value = { 2, 0 } } },
	{ ITIMER_VIRTUAL, SIGVTALRM, { .it_interval = { 0, 20000 }, .it_value = { 0, 300000 } } },
	{ ITIMER_PROF, SIGPROF, { .it_interval = { 0, 10000 }, .it_value = { 0, 400000 } } },
};

static atomic_int expired[65];

static void expires(int sig)
{
	expired[sig]++;
}

SUBJECT(itimers_run)
{
	int was[ARRAY_SIZE(running)];
	struct itimerval left;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(running); i++) {
		signal(running[i].sig, expires);
		CHECK_EQ(0, setitimer(running[i].which, &running[i].value, NULL));
	}
	subject_point();
	for (i = 0; i < ARRAY_SIZE(running); i++)
		was[i] = expired[running[i].sig];
	/* this takes time of the user's, which two of them count */
	for (i = 0; i < ARRAY_SIZE(running); i++)
		while (expired[running[i].sig] < was[i] + 3)
			;
	for (i = 0; i < ARRAY_SIZE(running); i++) {
		CHECK_EQ(0, getitimer(running[i].which, &left));
		CHECK_EQ(running[i].value.it_interval.tv_sec, left.it_interval.tv_sec);
		CHECK_EQ(running[i].value.it_interval.tv_usec, left.it_interval.tv_usec);
		CHECK(left.it_value.tv_sec || left.it_value.tv_usec);
	}
}

/* It goes off once, when it is due, and no sooner. */
#define ALARM_SECONDS	4

SUBJECT(alarm)
{
	uint64_t set;

	signal(SIGALRM, expires);
	set = ckpt_now();
	CHECK_EQ(0, alarm(ALARM_SECONDS));
	subject_point();
	while (!expired[SIGALRM])
		ckpt_sleep_ms(1);
	CHECK(ckpt_now() - set >= ALARM_SECONDS * 1000000000ULL - 1000000);
	CHECK_EQ(0, alarm(0));
	ckpt_sleep_ms(20);
	CHECK_EQ(1, expired[SIGALRM]);
}

/* What is left is told in seconds. */
SUBJECT(alarm_left)
{
	unsigned int left;

	CHECK_EQ(0, alarm(1000));
	subject_point();
	left = alarm(0);
	CHECK(left > 800 && left <= 1000);
	CHECK_EQ(0, alarm(0));
}

/* One that runs out while, or after, what is pending was written. */
#define NR_QUEUED 4000

SUBJECT(itimer_late)
{
	struct rlimit limit = { NR_QUEUED + 100, NR_QUEUED + 100 };
	struct itimerval soon = { .it_value = { .tv_sec = 4 } };
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	CHECK_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_EQ(0, setrlimit(RLIMIT_SIGPENDING, &limit));
	for (i = 0; i < NR_QUEUED; i++)
		CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 5, (union sigval) {}));
	signal(SIGALRM, handler);
	CHECK_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	subject_point();
	for (i = 0; !count && i < 2000; i++)
		ckpt_sleep_ms(10);
	ckpt_sleep_ms(20);
	CHECK_EQ(1, count);
}

CKPT_FIXTURE_HOW(signals);
CKPT_VARIANTS(signals);

CKPT_ROUNDTRIP(signals, actions);
CKPT_ROUNDTRIP(signals, reset_hand);
CKPT_ROUNDTRIP(signals, masks);
CKPT_ROUNDTRIP(signals, pending);
CKPT_ROUNDTRIP(signals, layouts);
CKPT_ROUNDTRIP(signals, layout_bounds);
CKPT_ROUNDTRIP(signals, layout_pkey);
CKPT_ROUNDTRIP(signals, pending_threads);
CKPT_ROUNDTRIP(signals, pending_handled);
CKPT_ROUNDTRIP(signals, pending_sigchld);
CKPT_ROUNDTRIP(signals, no_second_sigchld);
CKPT_ROUNDTRIP(signals, sigchld_ignored);
CKPT_ROUNDTRIP(signals, stack);
CKPT_ROUNDTRIP(signals, frame);
CKPT_ROUNDTRIP(signals, autodisarm);
CKPT_ROUNDTRIP(signals, autodisarm_frame);
CKPT_ROUNDTRIP(signals, many_pending);
CKPT_ROUNDTRIP(signals, itimer);
CKPT_ROUNDTRIP(signals, alarm_left);

/* Signals end a checkpoint of oneself. */
CKPT_FIXTURE_HOW(signals_other);
CKPT_VARIANTS_OTHER(signals_other);

CKPT_ROUNDTRIP(signals_other, itimers_run);
CKPT_ROUNDTRIP(signals_other, alarm);

CKPT_FIXTURE(late);

static bool alarm_pending(pid_t pid)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (ckpt_slurp(path, text, sizeof(text) - 1) < 0)
		return false;
	line = strstr(text, "ShdPnd:");
	return line && strtoull(line + 7, NULL, 16) & 1ULL << (SIGALRM - 1);
}

/* From @from to @to, at most @left bytes. Returns how many there were. */
static size_t pass_on(int from, int to, size_t left)
{
	static char buf[65536];
	size_t all = 0;
	ssize_t len;

	while (all < left) {
		len = read(from, buf, left - all < sizeof(buf) ? left - all : sizeof(buf));
		if (len <= 0 || write(to, buf, len) != len)
			break;
		all += len;
	}
	return all;
}

/*
 * The target stands still until all of its image is taken. Its timer does not:
 * let it run out when the pending signals are saved, and the timer is not yet.
 */
TEST_F_TIMEOUT(late, itimer_late, CKPT_TIMEOUT)
{
	const size_t rest = 300 << 10;
	int image, fds[2], status, i;
	struct ckpt_run run;
	struct stat st;
	pid_t caller;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "itimer_late"));
	image = ckpt_open(&run, "image", O_CREAT | O_RDWR);
	ASSERT_LT(0, ckpt_checkpoint_log(&run, 0, image));
	ASSERT_EQ(0, fstat(image, &st));
	ASSERT_LT(rest, st.st_size);
	ASSERT_FALSE(alarm_pending(run.pid));
	ASSERT_EQ(0, ftruncate(image, 0));
	ASSERT_EQ(0, lseek(image, 0, SEEK_SET));

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	caller = fork();
	if (!caller)
		_exit(ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fds[1]) <= 0);
	close(fds[1]);
	ASSERT_EQ(st.st_size - rest, pass_on(fds[0], image, st.st_size - rest));
	for (i = 0; !alarm_pending(run.pid) && i < 100 * CKPT_PATIENCE; i++)
		ckpt_sleep_ms(10);
	EXPECT_TRUE(alarm_pending(run.pid));
	ASSERT_EQ(rest, pass_on(fds[0], image, SIZE_MAX));
	ASSERT_EQ(caller, waitpid(caller, &status, 0));
	ASSERT_EQ(0, status) ckpt_print(&run, "log");
	ASSERT_EQ(run.pid, waitpid(run.pid, &status, 0));
	close(image);

	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_FIXTURE(of_user);

TEST_F_TIMEOUT(of_user, user_pending, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .target = CKPT_SUBTREE, .kill = true };
	struct ckpt_run run;

	ckpt_init(&run, &how);
	run.uid = 1000;
	ASSERT_EQ(0, ckpt_roundtrip_run("user_pending", &run));
}

CKPT_TEST_MAIN
