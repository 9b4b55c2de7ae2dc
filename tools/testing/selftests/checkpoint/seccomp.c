// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: seccomp, strict mode and filters, whom they are shared
 * with, and who may have them restored.
 *
 * Filters are about system calls that do nothing on any kernel.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER	0x420c
#endif
#ifndef PTRACE_SECCOMP_GET_METADATA
#define PTRACE_SECCOMP_GET_METADATA	0x420d
#endif

#ifndef SYS_SECCOMP
#define SYS_SECCOMP	1	/* si_code */
#endif

struct metadata {
	uint64_t filter_off;
	uint64_t flags;
};

#define DATA(member)	offsetof(struct seccomp_data, member)

/* For the system call @nr, with @arg if that is not 0, @action. */
#define FILTER(nr_, arg_, action) {					\
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr)),			\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr_, 0, 3),			\
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(args[0])),		\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arg_, 0, 1),		\
	BPF_STMT(BPF_RET | BPF_K, action),				\
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),			\
}

static long add_filter(unsigned int flags, const struct sock_filter *insns,
		       unsigned int len)
{
	struct sock_fprog prog = { len, (struct sock_filter *)insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static long filter(unsigned int flags, int nr, unsigned int arg, unsigned int action)
{
	struct sock_filter insns[] = FILTER(nr, arg, action);

	return add_filter(flags, insns, ARRAY_SIZE(insns));
}

static void no_new_privs(void)
{
	CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* A number from /proc/PID/task/TID/status. */
static int status_of(pid_t pid, pid_t tid, const char *key)
{
	char path[64], text[8192], *at;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	at = strstr(text, key);
	CHECK(at);
	return atoi(at + strlen(key));
}

static int my_status(const char *key)
{
	return status_of(getpid(), gettid(), key);
}

#define MODE	"\nSeccomp:"
#define NR	"\nSeccomp_filters:"

static void check_errno(int nr, unsigned long arg, int err)
{
	errno = 0;
	CHECK_EQ(-1, syscall(nr, arg));
	CHECK_EQ(err, errno);
}

/* ---- one task ---- */

static void check_filter(int base)
{
	CHECK_EQ(2, my_status(MODE));
	CHECK_EQ(base + 1, my_status(NR));
	check_errno(SYS_tuxcall, 7, 123);
	check_errno(SYS_tuxcall, 8, ENOSYS);
	check_errno(SYS_security, 7, ENOSYS);
}

SUBJECT(filter)
{
	int base = my_status(NR);

	no_new_privs();
	CHECK_EQ(0, filter(0, SYS_tuxcall, 7, SECCOMP_RET_ERRNO | 123));
	check_filter(base);
	subject_point();
	check_filter(base);
	CHECK_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	/* the mode is for ever, and more filters can be had */
	CHECK_EQ(-1, prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	CHECK_EQ(EINVAL, errno);
	CHECK_EQ(0, filter(0, SYS_security, 0, SECCOMP_RET_ERRNO | 5));
	CHECK_EQ(base + 2, my_status(NR));
	check_errno(SYS_security, 0, 5);
}

/*
 * All filters are asked. The strictest action counts, of equal ones that of the
 * filter that came last.
 */
static volatile sig_atomic_t trapped, trap_errno, trap_nr;

static void on_sigsys(int sig, siginfo_t *info, void *ucontext)
{
	if (info->si_code == SYS_SECCOMP && info->si_arch == AUDIT_ARCH_X86_64) {
		trapped++;
		trap_errno = info->si_errno;
		trap_nr = info->si_syscall;
	}
}

static void check_order(int base)
{
	int before = trapped;

	CHECK_EQ(base + 4, my_status(NR));
	check_errno(SYS_tuxcall, 1, 103);
	check_errno(SYS_tuxcall, 2, 101);
	syscall(SYS_tuxcall, 3);
	CHECK_EQ(before + 1, trapped);
	CHECK_EQ(77, trap_errno);
	CHECK_EQ(SYS_tuxcall, trap_nr);
}

SUBJECT(order)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO,
	};
	int base = my_status(NR);

	CHECK_EQ(0, sigaction(SIGSYS, &sa, NULL));
	no_new_privs();
	CHECK_EQ(0, filter(0, SYS_tuxcall, 1, SECCOMP_RET_ERRNO | 100));
	CHECK_EQ(0, filter(SECCOMP_FILTER_FLAG_SPEC_ALLOW, SYS_tuxcall, 2,
			   SECCOMP_RET_ERRNO | 101));
	CHECK_EQ(0, filter(SECCOMP_FILTER_FLAG_LOG, SYS_tuxcall, 3,
			   SECCOMP_RET_TRAP | 77));
	CHECK_EQ(0, filter(0, SYS_tuxcall, 1, SECCOMP_RET_ERRNO | 103));
	check_order(base);
	subject_point();
	check_order(base);
}

/* What a tracer is told of filters is what they are. */
static void many_insns(struct sock_filter *insns, unsigned int nr)
{
	unsigned int i;

	insns[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DATA(nr));
	for (i = 1; i < nr - 1; i++)
		insns[i] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1000000 + i, 0, 0);
	insns[nr - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

SUBJECT(programs)
{
	static struct sock_filter large[BPF_MAXINSNS], seen[BPF_MAXINSNS];
	struct sock_filter small[] = FILTER(SYS_tuxcall, 9, SECCOMP_RET_KILL_THREAD);
	struct metadata meta;
	int status, base = my_status(NR);
	pid_t pid;

	many_insns(large, BPF_MAXINSNS);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		no_new_privs();
		CHECK_EQ(0, add_filter(SECCOMP_FILTER_FLAG_LOG, small,
				       ARRAY_SIZE(small)));
		CHECK_EQ(0, add_filter(0, large, ARRAY_SIZE(large)));
		subject_touch("child");
		for (;;)
			pause();
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ(base + 2, status_of(pid, pid, NR));
	CHECK_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	CHECK_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(ARRAY_SIZE(small),
		 ptrace(PTRACE_SECCOMP_GET_FILTER, pid, base, seen));
	CHECK_MEM(small, seen, sizeof(small));
	CHECK_EQ(BPF_MAXINSNS,
		 ptrace(PTRACE_SECCOMP_GET_FILTER, pid, base + 1, seen));
	CHECK_MEM(large, seen, sizeof(large));
	meta = (struct metadata) { .filter_off = base };
	CHECK_EQ(sizeof(meta), ptrace(PTRACE_SECCOMP_GET_METADATA, pid,
				      sizeof(meta), &meta));
	CHECK_EQ(SECCOMP_FILTER_FLAG_LOG, meta.flags);
	meta = (struct metadata) { .filter_off = base + 1 };
	CHECK_EQ(sizeof(meta), ptrace(PTRACE_SECCOMP_GET_METADATA, pid,
				      sizeof(meta), &meta));
	CHECK_EQ(0, meta.flags);
	CHECK_EQ(0, kill(pid, SIGKILL));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
}

/* Root's way: without no_new_privs, and then without any privilege. */
SUBJECT(container)
{
	CHECK_EQ(0, filter(0, SYS_tuxcall, 7, SECCOMP_RET_ERRNO | 9));
	CHECK_EQ(0, setresgid(1000, 1000, 1000));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	subject_point();
	CHECK_EQ(0, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	check_errno(SYS_tuxcall, 7, 9);
	/* who has neither gets no more */
	CHECK_EQ(-1, filter(0, SYS_tuxcall, 8, SECCOMP_RET_ERRNO | 9));
	CHECK_EQ(EACCES, errno);
}

/* A call that waits is made again, and filters are asked again. */
SUBJECT(waiting)
{
	int in[2], status;
	char c = 0;
	pid_t pid;

	CHECK_EQ(0, pipe(in));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		no_new_privs();
		/* with this descriptor, read() is allowed; not with others */
		CHECK_EQ(0, filter(0, SYS_read, in[1], SECCOMP_RET_KILL_PROCESS));
		subject_touch("child");
		CHECK_EQ(1, read(in[0], &c, 1));
		CHECK_EQ('x', c);
		read(in[1], &c, 1);
		_exit(1);
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ(1, write(in[1], "x", 1));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(SIGSYS, WTERMSIG(status));
}

/* ---- strict mode ---- */

static void strict_child(int in, int out, bool tsc)
{
	char c;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(3);
	syscall(SYS_write, out, "r", 1);
	if (syscall(SYS_read, in, &c, 1) != 1)
		syscall(SYS_exit, 4);
	syscall(SYS_write, out, &c, 1);
	if (syscall(SYS_read, in, &c, 1) != 1)
		syscall(SYS_exit, 5);
	/* either of them is the end */
	if (tsc)
		__builtin_ia32_rdtsc();
	else
		syscall(SYS_getpid);
	syscall(SYS_exit, 6);
}

SUBJECT(strict)
{
	int in[2][2], out[2][2], status, i;
	pid_t pid[2];
	char c;

	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, pipe(in[i]));
		CHECK_EQ(0, pipe(out[i]));
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i])
			strict_child(in[i][0], out[i][1], i);
		CHECK_EQ(1, read(out[i][0], &c, 1));
		CHECK_EQ('r', c);
	}
	subject_point();
	for (i = 0; i < 2; i++) {
		CHECK_EQ(1, status_of(pid[i], pid[i], MODE));
		CHECK_EQ(1, write(in[i][1], "a", 1));
		CHECK_EQ(1, read(out[i][0], &c, 1));
		CHECK_EQ('a', c);
		CHECK_EQ(1, write(in[i][1], "b", 1));
		CHECK_EQ(pid[i], waitpid(pid[i], &status, 0));
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(i ? SIGSEGV : SIGKILL, WTERMSIG(status));
	}
	CHECK_EQ(0, my_status(MODE));
}

/* ---- who shares them ---- */

static pthread_barrier_t barrier;
static atomic_int step;
static pid_t tids[2];

static void await(int nr)
{
	while (step < nr)
		ckpt_sleep_ms(1);
}

static void *sync_thread(void *arg)
{
	long i = (long)arg;

	tids[i] = gettid();
	/* this one goes its own way */
	if (i)
		CHECK_EQ(0, filter(0, SYS_security, 1, SECCOMP_RET_ERRNO | 31));
	pthread_barrier_wait(&barrier);
	await(i ? 1 : 2);
	check_errno(SYS_tuxcall, 1, 21);
	check_errno(SYS_security, 1, i ? 31 : ENOSYS);
	/* 2 came with the leader, after this thread was made */
	check_errno(SYS_tuxcall, 2, i ? ENOSYS : 22);
	check_errno(SYS_tuxcall, 3, i ? ENOSYS : 23);
	return arg;
}

/* TSYNC looks for filters in common; they must be the same, not just equal. */
SUBJECT(tsync)
{
	int base = my_status(NR);
	pthread_t thread[2];
	long i;

	no_new_privs();
	CHECK_EQ(0, filter(0, SYS_tuxcall, 1, SECCOMP_RET_ERRNO | 21));
	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, pthread_create(&thread[i], NULL, sync_thread, (void *)i));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, filter(0, SYS_tuxcall, 2, SECCOMP_RET_ERRNO | 22));
	subject_point();
	CHECK_EQ(base + 1, status_of(getpid(), tids[0], NR));
	CHECK_EQ(base + 2, status_of(getpid(), tids[1], NR));
	CHECK_EQ(base + 2, my_status(NR));
	check_errno(SYS_security, 1, ENOSYS);

	/* it is the second thread that can't follow */
	CHECK_EQ(tids[1], filter(SECCOMP_FILTER_FLAG_TSYNC, SYS_tuxcall, 3,
				 SECCOMP_RET_ERRNO | 23));
	step = 1;
	CHECK_EQ(0, pthread_join(thread[1], NULL));
	while (status_of(getpid(), getpid(), "\nThreads:") > 2)
		ckpt_sleep_ms(1);
	CHECK_EQ(0, filter(SECCOMP_FILTER_FLAG_TSYNC, SYS_tuxcall, 3,
			   SECCOMP_RET_ERRNO | 23));
	CHECK_EQ(base + 3, status_of(getpid(), tids[0], NR));
	step = 2;
	CHECK_EQ(0, pthread_join(thread[0], NULL));
}

/* Children keep what they were born with, and go on from there. */
SUBJECT(children)
{
	int base = my_status(NR), i;
	pid_t pid[2];

	no_new_privs();
	CHECK_EQ(0, filter(0, SYS_tuxcall, 1, SECCOMP_RET_ERRNO | 41));
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i])
			continue;
		CHECK_EQ(0, filter(0, SYS_tuxcall, 2 + i, SECCOMP_RET_ERRNO | 42));
		subject_touch(i ? "child1" : "child0");
		subject_wait("go");
		CHECK_EQ(base + 2, my_status(NR));
		check_errno(SYS_tuxcall, 1, 41);
		check_errno(SYS_tuxcall, 2, i ? ENOSYS : 42);
		check_errno(SYS_tuxcall, 3, i ? 42 : ENOSYS);
		_exit(0);
	}
	subject_wait("child0");
	subject_wait("child1");
	CHECK_EQ(0, filter(0, SYS_tuxcall, 4, SECCOMP_RET_ERRNO | 43));
	subject_point();
	CHECK_EQ(base + 2, my_status(NR));
	check_errno(SYS_tuxcall, 1, 41);
	check_errno(SYS_tuxcall, 2, ENOSYS);
	check_errno(SYS_tuxcall, 4, 43);
	subject_join(pid[0]);
	subject_join(pid[1]);
}

/* As many as a task can have. */
SUBJECT(deep)
{
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	int nr;

	no_new_privs();
	for (nr = 0; nr < 500; nr++)
		CHECK_EQ(0, add_filter(0, &allow, 1));
	nr = my_status(NR);
	subject_point();
	CHECK_EQ(nr, my_status(NR));
}

CKPT_FIXTURE_HOW(seccomp);
CKPT_VARIANTS(seccomp);

CKPT_ROUNDTRIP(seccomp, filter);
CKPT_ROUNDTRIP(seccomp, order);
CKPT_ROUNDTRIP(seccomp, programs);
CKPT_ROUNDTRIP(seccomp, waiting);
CKPT_ROUNDTRIP(seccomp, strict);
CKPT_ROUNDTRIP(seccomp, tsync);
CKPT_ROUNDTRIP(seccomp, children);
CKPT_ROUNDTRIP(seccomp, deep);

CKPT_FIXTURE_HOW(seccomp_other);
CKPT_VARIANTS_OTHER(seccomp_other);

CKPT_ROUNDTRIP(seccomp_other, container);

/* ---- filters of the caller, and who may ---- */

/* The first filter is the environment's, from before the execve(). */
SUBJECT(inherited)
{
	int nr = my_status(NR);

	/* with --control there is none */
	if (!nr) {
		CHECK_EQ(0, filter(0, SYS_tuxcall, 50, SECCOMP_RET_ERRNO | 51));
		nr++;
	}
	check_errno(SYS_tuxcall, 50, 51);
	no_new_privs();
	CHECK_EQ(0, filter(0, SYS_tuxcall, 52, SECCOMP_RET_ERRNO | 53));
	subject_point();
	CHECK_EQ(nr + 1 + subject_told("more"), my_status(NR));
	check_errno(SYS_tuxcall, 50, 51);
	check_errno(SYS_tuxcall, 52, 53);
	check_errno(SYS_tuxcall, 54, subject_told("more") ? 55 : ENOSYS);
}

CKPT_FIXTURE_HOW(surroundings);
CKPT_VARIANTS(surroundings);

/* Those that the caller has, too, are not there twice. */
TEST_F_TIMEOUT(surroundings, same, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, filter(0, SYS_tuxcall, 50, SECCOMP_RET_ERRNO | 51));
	ASSERT_EQ(0, ckpt_roundtrip("inherited", &variant->how));
}

CKPT_FIXTURE(seccomp_caller);

/* Filters of the caller stay, whatever the image has. */
TEST_F_TIMEOUT(seccomp_caller, more, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ASSERT_EQ(0, filter(0, SYS_tuxcall, 50, SECCOMP_RET_ERRNO | 51));
	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "inherited"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, filter(0, SYS_tuxcall, 54, SECCOMP_RET_ERRNO | 55));
	ckpt_touch(&run, "more");
	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Strict mode is not to be had below a filter. */
TEST_F_TIMEOUT(seccomp_caller, strict, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "strict"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, filter(0, SYS_tuxcall, 54, SECCOMP_RET_ERRNO | 55));
	EXPECT_EQ(-EPERM, ckpt_restart(&run));
	EXPECT_TRUE(ckpt_log_has(&run, "strict mode"));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

static void drop_cap(int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		_exit(90);
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	if (syscall(SYS_capset, &head, data))
		_exit(91);
}

SUBJECT(root_filter)
{
	/* the caller of restart() has no more than these */
	drop_cap(CAP_SYS_RESOURCE);
	CHECK_EQ(0, filter(0, SYS_tuxcall, 7, SECCOMP_RET_ERRNO | 9));
	drop_cap(CAP_SYS_ADMIN);
	subject_point();
	check_errno(SYS_tuxcall, 7, 9);
}

/* Without no_new_privs, filters take CAP_SYS_ADMIN of the caller. */
TEST_F_TIMEOUT(seccomp_caller, privilege, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status, fd, log;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "root_filter"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "image", O_RDONLY);
	log = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid = fork();
	if (!pid) {
		long ret;

		drop_cap(CAP_SYS_ADMIN);
		ret = ckpt_restart_from(fd, 0, log);
		_exit(ret < 0 ? -ret : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EACCES, WEXITSTATUS(status)) ckpt_print(&run, "log");
	close(fd);
	close(log);
	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- what is refused ---- */

SUBJECT(listener)
{
	struct sock_filter insns[] = FILTER(SYS_tuxcall, 7, SECCOMP_RET_USER_NOTIF);
	int fd;

	no_new_privs();
	fd = add_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, insns, ARRAY_SIZE(insns));
	CHECK(fd >= 0);
	subject_point();
	CHECK(fcntl(fd, F_GETFD) >= 0);
}

TEST_F_TIMEOUT(seccomp_caller, listener, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("listener", "seccomp", NULL));
}

/*
 * Somebody outside of the target has the descriptor: no descriptor is refused,
 * but the filter. It is another program, else memory of the harness were shared.
 */
SUBJECT(listener_outside)
{
	struct sock_filter insns[] = FILTER(SYS_tuxcall, 7, SECCOMP_RET_USER_NOTIF);
	pid_t pid, outside;
	int fd, told[2];
	char c;

	CHECK_EQ(0, pipe2(told, O_CLOEXEC));
	no_new_privs();
	fd = add_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, insns, ARRAY_SIZE(insns));
	CHECK(fd >= 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		/* that one is no descendant as soon as this one is gone */
		outside = fork();
		CHECK(outside >= 0);
		if (outside)
			_exit(0);
		outside = getpid();
		CHECK_EQ(sizeof(outside), write(told[1], &outside, sizeof(outside)));
		CHECK_EQ(0, fcntl(fd, F_SETFD, 0));
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	subject_join(pid);
	close(told[1]);
	CHECK_EQ(sizeof(outside), read(told[0], &outside, sizeof(outside)));
	/* until it has become the other program */
	CHECK_EQ(0, read(told[0], &c, 1));
	close(told[0]);
	close(fd);
	subject_point();
	CHECK_EQ(0, kill(outside, SIGKILL));
}

TEST_F_TIMEOUT(seccomp_caller, listener_outside, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("listener_outside", "seccomp filter with a listener",
				  NULL));
}

/* Once it is closed, nobody answers, and that can be saved. */
SUBJECT(no_listener)
{
	struct sock_filter insns[] = FILTER(SYS_tuxcall, 7, SECCOMP_RET_USER_NOTIF);
	int fd;

	no_new_privs();
	fd = add_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, insns, ARRAY_SIZE(insns));
	CHECK(fd >= 0);
	close(fd);
	subject_point();
	check_errno(SYS_tuxcall, 7, ENOSYS);
	CHECK_EQ(0, filter(0, SYS_tuxcall, 8, SECCOMP_RET_ERRNO | 9));
	check_errno(SYS_tuxcall, 8, 9);
}

CKPT_ROUNDTRIP(seccomp, no_listener);

CKPT_TEST_MAIN
