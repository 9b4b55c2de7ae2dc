// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: jobs that are stopped, on their way to it, or continued,
 * what their parents are told of that, and what becomes of those that have no
 * parent any more.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static void nap(void)
{
	ckpt_sleep_ms(2);
}

/* What the parent sees, once and no second time. */
static void check_told(pid_t pid, int flag, int code, int status)
{
	siginfo_t info = {};

	CHECK_EQ(0, waitid(P_PID, pid, &info, flag | WNOHANG));
	CHECK_EQ(pid, info.si_pid);
	CHECK_EQ(SIGCHLD, info.si_signo);
	CHECK_EQ(code, info.si_code);
	CHECK_EQ(status, info.si_status);
	CHECK_EQ(getuid(), info.si_uid);
	info.si_pid = 0;
	CHECK_EQ(0, waitid(P_PID, pid, &info, flag | WNOHANG));
	CHECK_EQ(0, info.si_pid);
}

static void check_not_told(pid_t pid, int flags)
{
	siginfo_t info = {};

	CHECK_EQ(0, waitid(P_PID, pid, &info, flags | WNOHANG));
	CHECK_EQ(0, info.si_pid);
}

static void end(pid_t pid)
{
	int status;

	CHECK_EQ(0, kill(pid, SIGKILL));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(SIGKILL, status);
}

/* ---- stopped, and continued ---- */

static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

#define NR_STOPS	ARRAY_SIZE(stops)

/* In a group of its own, whose leader's parent is in the same session. */
static pid_t stopped(int sig)
{
	siginfo_t info;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		for (;;)
			pause();
	}
	CHECK_EQ(0, setpgid(pid, pid));
	CHECK_EQ(0, kill(pid, sig));
	CHECK_EQ(0, waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(sig, info.si_status);
	return pid;
}

SUBJECT(stops)
{
	pid_t unseen[NR_STOPS], seen[NR_STOPS];
	unsigned int i;
	int status;

	for (i = 0; i < NR_STOPS; i++) {
		unseen[i] = stopped(stops[i]);
		seen[i] = stopped(stops[i]);
		CHECK_EQ(seen[i], waitpid(seen[i], &status, WUNTRACED));
	}
	subject_point();
	for (i = 0; i < NR_STOPS; i++) {
		CHECK_EQ('T', ckpt_state(unseen[i]));
		CHECK_EQ('T', ckpt_state(seen[i]));
		check_not_told(unseen[i], WCONTINUED | WEXITED);
		check_told(unseen[i], WSTOPPED, CLD_STOPPED, stops[i]);
		check_not_told(seen[i], WSTOPPED | WCONTINUED | WEXITED);
		/* who is stopped takes no signal but these */
		CHECK_EQ(0, kill(seen[i], SIGTERM));
		ckpt_sleep_ms(10);
		CHECK_EQ('T', ckpt_state(seen[i]));
		CHECK_EQ(0, kill(seen[i], SIGCONT));
		CHECK_EQ(seen[i], waitpid(seen[i], &status, 0));
		CHECK_EQ(SIGTERM, status);
		CHECK_EQ(0, kill(unseen[i], SIGCONT));
		while (ckpt_state(unseen[i]) == 'T')
			nap();
		check_told(unseen[i], WCONTINUED, CLD_CONTINUED, SIGCONT);
		end(unseen[i]);
	}
}

SUBJECT(continued)
{
	pid_t unseen = stopped(SIGTSTP), seen = stopped(SIGSTOP);
	siginfo_t info;
	int status;

	CHECK_EQ(0, kill(unseen, SIGCONT));
	CHECK_EQ(0, kill(seen, SIGCONT));
	CHECK_EQ(0, waitid(P_PID, unseen, &info, WCONTINUED | WNOWAIT));
	CHECK_EQ(seen, waitpid(seen, &status, WCONTINUED));
	subject_point();
	check_not_told(unseen, WSTOPPED | WEXITED);
	check_told(unseen, WCONTINUED, CLD_CONTINUED, SIGCONT);
	check_not_told(seen, WSTOPPED | WCONTINUED | WEXITED);
	end(unseen);
	end(seen);
}

/*
 * A stop of a process that is not complete: one of its threads waits in
 * vfork(), where it cannot stop, for a child that does not exit.
 */
static void *waits_in_vfork(void *arg)
{
	pid_t pid = vfork();

	if (!pid) {
		/* no signal that ends the parent's group is for it */
		while (!subject_told("release"))
			nap();
		_exit(0);
	}
	return arg;
}

static void *waits_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static char thread_state(pid_t pid, pid_t tid)
{
	char path[64], text[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return 0;
	p = strrchr(text, ')');
	return p ? p[2] : 0;
}

struct shared {
	pid_t tid;
};

static struct shared *shared;

static void *stops_at_once(void *arg)
{
	WRITE_ONCE(shared->tid, syscall(SYS_gettid));
	return waits_for_ever(arg);
}

SUBJECT(stop_in_progress)
{
	pthread_t thread;
	pid_t pid;
	int status;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, pthread_create(&thread, NULL, waits_in_vfork, NULL));
		ckpt_sleep_ms(50);
		CHECK_EQ(0, pthread_create(&thread, NULL, stops_at_once, NULL));
		waits_for_ever(NULL);
	}
	/* the terminal's stop signals are not for a group without a parent */
	CHECK_EQ(0, setpgid(pid, pid));
	while (!READ_ONCE(shared->tid))
		nap();
	ckpt_sleep_ms(50);
	CHECK_EQ(0, kill(pid, SIGTSTP));
	while (thread_state(pid, shared->tid) != 'T')
		nap();
	/* two of three threads */
	check_not_told(pid, WSTOPPED);
	subject_point();
	CHECK_EQ('T', thread_state(pid, shared->tid));
	CHECK_EQ('T', thread_state(pid, pid));
	check_not_told(pid, WSTOPPED | WCONTINUED | WEXITED);
	ckpt_sleep_ms(50);
	CHECK_EQ('T', thread_state(pid, shared->tid));
	check_not_told(pid, WSTOPPED | WCONTINUED | WEXITED);
	/* the third one follows, and only then the parent is told */
	subject_touch("release");
	CHECK_EQ(pid, waitpid(pid, &status, WUNTRACED));
	CHECK_EQ(0, unlink(subject_path("release")));
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(SIGTSTP, WSTOPSIG(status));
	CHECK_EQ(0, kill(pid, SIGCONT));
	CHECK_EQ(pid, waitpid(pid, &status, WCONTINUED));
	CHECK(WIFCONTINUED(status));
	end(pid);
}

/* ---- orphans ---- */

/* Its parent is in another session from the beginning. */
SUBJECT(orphaned_group)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (!pid) {
		setsid();
		subject_touch("child");
		for (;;)
			pause();
	}
	subject_wait("child");
	subject_point();
	/* the terminal's stop signals mean nothing to it */
	CHECK_EQ(0, kill(pid, SIGTSTP));
	CHECK_EQ(0, kill(pid, SIGTTIN));
	ckpt_sleep_ms(50);
	CHECK_EQ('S', ckpt_state(pid));
	check_not_told(pid, WSTOPPED);
	CHECK_EQ(0, kill(pid, SIGSTOP));
	CHECK_EQ(pid, waitpid(pid, &status, WUNTRACED));
	CHECK_EQ(SIGSTOP, WSTOPSIG(status));
	end(pid);
}

static atomic_int hups;

static void on_hup(int sig)
{
	hups++;
}

/* One that becomes orphaned after the restart, with a member that is stopped. */
SUBJECT(becomes_orphaned)
{
	pid_t pid, middle, *last = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	middle = fork();
	if (!middle) {
		setsid();
		pid = fork();
		if (pid) {
			WRITE_ONCE(*last, pid);
		} else {
			setpgid(0, 0);
			signal(SIGHUP, on_hup);
			raise(SIGTSTP);
			/* the order of both is known */
			while (!hups)
				nap();
			_exit(33);
		}
		subject_wait("release");
		_exit(0);
	}
	while (!READ_ONCE(*last) || ckpt_state(*last) != 'T')
		nap();
	subject_point();
	CHECK_EQ('T', ckpt_state(*last));
	CHECK_EQ(*last, getpgid(*last));
	subject_touch("release");
	CHECK_EQ(middle, waitpid(middle, &status, 0));
	CHECK_EQ(0, status);
	CHECK_EQ(0, unlink(subject_path("release")));
	CHECK_EQ(*last, waitpid(*last, &status, 0));
	CHECK_EQ(33 << 8, status);
}

/* Who lost his parent before, or does so after, has the subreaper for one. */
SUBJECT(subreaper)
{
	struct {
		pid_t before, after, later;
	} *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t me = getpid(), middle, pid;
	int i, status;

	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	middle = fork();
	if (!middle) {
		pid = fork();
		if (pid) {
			pids->before = pid;
		} else {
			subject_wait("go");
			CHECK_EQ(me, getppid());
			_exit(1);
		}
		_exit(0);
	}
	subject_join(middle);
	middle = fork();
	if (!middle) {
		pid = fork();
		if (pid) {
			pids->after = pid;
		} else {
			CHECK_EQ(0, prctl(PR_SET_PDEATHSIG, SIGUSR1));
			signal(SIGUSR1, on_hup);
			subject_touch("child");
			while (!hups)
				nap();
			CHECK_EQ(me, getppid());
			_exit(2);
		}
		subject_wait("go");
		/* of a child that is born after the restart, too */
		pid = fork();
		if (pid) {
			pids->later = pid;
		} else {
			while (getppid() != me)
				nap();
			_exit(3);
		}
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ(middle, waitpid(middle, &status, 0));
	for (i = 0; i < 3; i++) {
		pid = waitpid(-1, &status, 0);

		CHECK_EQ(pid == pids->before ? 1 << 8 : pid == pids->after ?
			 2 << 8 : pid == pids->later ? 3 << 8 : -1, status);
	}
	CHECK_EQ(-1, waitpid(-1, &status, 0));
}

/* ---- zombies ---- */

/* One that left a core, one that had threads, one whose parent is not told. */

static void *ends_all(void *arg)
{
	/* not while the C library is at work in the first thread */
	while (ckpt_state(getpid()) != 'Z')
		ckpt_sleep_ms(3);
	_exit(77);
	return arg;
}

static int exits_with_5(void *arg)
{
	return 5;
}

static void set_core_pattern(const char *text)
{
	int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(strlen(text), write(fd, text, strlen(text)));
	close(fd);
}

SUBJECT(zombies)
{
	static alignas(16) char stack[4096];
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t cored, threads, quiet;
	bool dumped;
	pthread_t thread;
	char pattern[128];
	siginfo_t info;
	int status;

	/* the kernel would remove what was there before: not /dev/null */
	CHECK(ckpt_slurp("/proc/sys/kernel/core_pattern", pattern,
			 sizeof(pattern)) > 0);
	set_core_pattern("core");
	CHECK_EQ(0, chdir(subject_dir));
	cored = fork();
	if (!cored) {
		setrlimit(RLIMIT_CORE, &core);
		signal(SIGQUIT, SIG_DFL);
		raise(SIGQUIT);
		_exit(0);
	}
	threads = fork();
	if (!threads) {
		pthread_create(&thread, NULL, ends_all, NULL);
		pthread_create(&thread, NULL, waits_for_ever, NULL);
		pthread_exit(NULL);
	}
	/* no signal for the parent: only who asks for such sees it */
	quiet = clone(exits_with_5, stack + sizeof(stack), 0, NULL);
	CHECK(quiet > 0);
	CHECK_EQ(0, waitid(P_PID, cored, &info, WEXITED | WNOWAIT));
	set_core_pattern(pattern);
	/* if the kernel does that at all */
	dumped = info.si_code == CLD_DUMPED;
	CHECK_EQ(0, waitid(P_PID, threads, &info, WEXITED | WNOWAIT));
	CHECK_EQ(77, info.si_status);
	CHECK_EQ(0, waitid(P_PID, quiet, &info, WEXITED | WNOWAIT | __WCLONE));
	CHECK_EQ(0, chdir("/"));
	subject_point();
	CHECK_EQ(0, waitid(P_PID, cored, &info, WEXITED | WNOWAIT));
	CHECK_EQ(dumped ? CLD_DUMPED : CLD_KILLED, info.si_code);
	CHECK_EQ(SIGQUIT, info.si_status);
	CHECK_EQ(cored, waitpid(cored, &status, 0));
	CHECK_EQ(SIGQUIT | (dumped ? 0x80 : 0), status);
	CHECK_EQ(threads, waitpid(threads, &status, 0));
	CHECK_EQ(77 << 8, status);
	CHECK_EQ(-1, waitpid(-1, &status, 0));
	CHECK_EQ(quiet, waitpid(-1, &status, __WCLONE));
	CHECK_EQ(5 << 8, status);
}

/* ---- restartable sequences ---- */

#ifdef __x86_64__
/*
 * A sequence that never comes to its end by itself: to leave it takes an abort.
 * It looks all the time whether it still is on the processor that it began on,
 * which is what it may rely on.
 */
static atomic_int aborts, wrong, leave;

static struct rseq *my_rseq(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() +
			       __rseq_offset);
}

static void sequence(void)
{
	unsigned int cpu;

	asm volatile(".pushsection __rseq_cs, \"aw\"\n"
		".balign 32\n"
		"3:\n"
		".long 0, 0\n"
		".quad 1f, (2f - 1f), 4f\n"
		".popsection\n"
		"leaq 3b(%%rip), %%rax\n"
		"movq %%rax, 8(%[rseq])\n"		/* rseq_cs */
		"1:\n"
		"movl (%[rseq]), %[cpu]\n"		/* cpu_id_start */
		"5:\n"
		"rdtscp\n"
		"andl $0xfff, %%ecx\n"
		"cmpl %%ecx, %[cpu]\n"
		"je 5b\n"
		"movl $1, %[wrong]\n"
		"jmp 5b\n"
		"2:\n"
		".pushsection .text.unlikely, \"ax\"\n"
		".long 0x53053053\n"			/* the C library's */
		"4:\n"
		"jmp 6f\n"
		".popsection\n"
		"6:\n"
		: [cpu] "=&r" (cpu), [wrong] "+m" (wrong)
		: [rseq] "r" (my_rseq())
		: "rax", "rcx", "rdx", "memory", "cc");
	aborts++;
}

static void *sequences(void *arg)
{
	while (!leave)
		sequence();
	return arg;
}

SUBJECT(rseq_sequence)
{
	pthread_t threads[3];
	int i, before;

	CHECK(__rseq_size > 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, sequences, NULL));
	ckpt_sleep_ms(100);
	before = aborts;
	subject_point();
	/* all three were in it, as there is hardly a way out */
	CHECK(aborts >= before + 3);
	CHECK_EQ(0, wrong);
	leave = 1;
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK_EQ(0, wrong);
}
#endif

CKPT_FIXTURE_HOW(jobs);
CKPT_VARIANTS(jobs);

CKPT_ROUNDTRIP(jobs, stops);
CKPT_ROUNDTRIP(jobs, continued);
CKPT_ROUNDTRIP(jobs, stop_in_progress);
CKPT_ROUNDTRIP(jobs, orphaned_group);
CKPT_ROUNDTRIP(jobs, becomes_orphaned);
CKPT_ROUNDTRIP(jobs, subreaper);
CKPT_ROUNDTRIP(jobs, zombies);
#ifdef __x86_64__
CKPT_ROUNDTRIP(jobs, rseq_sequence);
#endif

CKPT_TEST_MAIN
