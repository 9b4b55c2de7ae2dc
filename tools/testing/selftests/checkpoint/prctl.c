// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what prctl(2) and arch_prctl(2) set for a thread or for its
 * memory, membarrier(2), how low oom_score_adj may go, and who may trace a process
 * (Yama).
 *
 * Machines differ in what can be controlled. What can't be is left alone here.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER	57
#define PR_GET_IO_FLUSHER	58
#endif
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG	0x4211
#endif

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65
#define PR_GET_MDWE		66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT	2
#endif

/* In the flags of /proc/PID/stat: forked, but did not execute. */
#define PF_FORKNOEXEC		0x40

static atomic_bool go;
static pthread_barrier_t barrier;

static void await_go(void)
{
	while (!go)
		ckpt_sleep_ms(1);
}

/* ---- speculation ---- */

static const unsigned long controls[] = {
	PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH,
};

static int spec_get(int i)
{
	return prctl(PR_GET_SPECULATION_CTRL, controls[i], 0, 0, 0);
}

static void spec_set(int i, unsigned long value)
{
	int was = spec_get(i);

	/* another state of the same control may not be there */
	if (was > 0 && was & PR_SPEC_PRCTL)
		prctl(PR_SET_SPECULATION_CTRL, controls[i], value, 0, 0);
}

static void *spec_thread(void *arg)
{
	const unsigned long *values = arg;
	int was[3], i;

	for (i = 0; i < 3; i++)
		spec_set(i, values[i]);
	for (i = 0; i < 3; i++)
		was[i] = spec_get(i);
	pthread_barrier_wait(&barrier);
	await_go();
	for (i = 0; i < 3; i++)
		CHECK_EQ(was[i], spec_get(i));
	for (i = 0; i < 3; i++)
		if (was[i] > 0 && was[i] & PR_SPEC_FORCE_DISABLE && was[i] & PR_SPEC_PRCTL)
			CHECK_EQ(-1, prctl(PR_SET_SPECULATION_CTRL, controls[i],
					   PR_SPEC_ENABLE, 0, 0));
	return NULL;
}

SUBJECT(speculation)
{
	static const unsigned long values[3][3] = {
		{ PR_SPEC_DISABLE, PR_SPEC_DISABLE, PR_SPEC_ENABLE },
		{ PR_SPEC_FORCE_DISABLE, PR_SPEC_FORCE_DISABLE, PR_SPEC_DISABLE },
		{ PR_SPEC_DISABLE_NOEXEC, PR_SPEC_ENABLE, PR_SPEC_ENABLE },
	};
	pthread_t thread[3];
	int was[3], i;

	pthread_barrier_init(&barrier, NULL, 4);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&thread[i], NULL, spec_thread,
					   (void *)values[i]));
	pthread_barrier_wait(&barrier);
	for (i = 0; i < 3; i++)
		was[i] = spec_get(i);
	subject_point();
	for (i = 0; i < 3; i++)
		CHECK_EQ(was[i], spec_get(i));
	go = true;
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(thread[i], NULL));
}

/* ---- memory that fails, and whether execve() was called ---- */

static const int mce_values[] = { PR_MCE_KILL_LATE, PR_MCE_KILL_EARLY, PR_MCE_KILL_DEFAULT };

static void *mce_thread(void *arg)
{
	long i = (long)arg;

	CHECK_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, mce_values[i], 0, 0));
	pthread_barrier_wait(&barrier);
	await_go();
	CHECK_EQ(mce_values[i], prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	return NULL;
}

SUBJECT(mce_kill)
{
	pthread_t thread[3];
	long i;

	/* which new threads inherit */
	CHECK_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	pthread_barrier_init(&barrier, NULL, 4);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&thread[i], NULL, mce_thread, (void *)i));
	pthread_barrier_wait(&barrier);
	subject_point();
	CHECK_EQ(PR_MCE_KILL_EARLY, prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	go = true;
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(thread[i], NULL));
}

static bool did_exec(pid_t pid)
{
	char path[64], text[512];
	unsigned int flags;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	n = sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %u", &flags);
	CHECK_EQ(1, n);
	return !(flags & PF_FORKNOEXEC);
}

/* Only a child that did not can be put into another process group. */
SUBJECT(execve)
{
	char self[PATH_MAX];
	pid_t pid[2];
	int i;

	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i] && i) {
			self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = 0;
			execl(self, self, "--subject", "execve_child", subject_dir,
			      "0", NULL);
			CHECK(false);
		}
		if (!pid[i]) {
			subject_touch("child0");
			subject_wait("go");
			_exit(0);
		}
	}
	subject_wait("child0");
	subject_wait("child1");
	subject_point();
	CHECK(did_exec(getpid()));
	CHECK(!did_exec(pid[0]));
	CHECK(did_exec(pid[1]));
	CHECK_EQ(-1, setpgid(pid[1], 0));
	CHECK_EQ(EACCES, errno);
	CHECK(!setpgid(pid[0], 0) || errno == ESRCH);
	for (i = 0; i < 2; i++)
		subject_join(pid[i]);
}

SUBJECT(execve_child)
{
	subject_touch("child1");
	subject_wait("go");
}

/* Whether addresses are random, which /proc/PID/stat tells, and where brk() begins. */
#define PF_RANDOMIZE		0x00400000

static void get_random(unsigned long *flag, unsigned long *start_brk)
{
	char text[1024], *p;
	int i;

	CHECK(ckpt_slurp("/proc/self/stat", text, sizeof(text)) > 0);
	/* the third field; flags are the 9th, start_brk the 47th */
	p = strrchr(text, ')') + 2;
	for (i = 3; i <= 47; i++) {
		if (i == 9)
			*flag = strtoul(p, NULL, 10) & PF_RANDOMIZE;
		else if (i == 47)
			*start_brk = strtoul(p, NULL, 10);
		p = strchr(p, ' ') + 1;
	}
}

static void random_point(void (*point)(void))
{
	unsigned long flag, seen, start, seen_start, end;

	get_random(&flag, &start);
	point();
	get_random(&seen, &seen_start);
	CHECK_EQ(flag, seen);
	CHECK_EQ(start, seen_start);
	/* it could go back to there, but no further */
	end = syscall(SYS_brk, 0);
	CHECK(end > start);
	CHECK_EQ(end, syscall(SYS_brk, start - 1));
}

static void child_point(void)
{
	subject_touch("child");
	subject_wait("go");
}

SUBJECT(not_random)
{
	CHECK(personality(0xffffffff) & ADDR_NO_RANDOMIZE);
	/* which new programs are to be, unlike this one */
	CHECK(personality(0) >= 0);
	random_point(child_point);
}

SUBJECT(random)
{
	char self[PATH_MAX];
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
		self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = 0;
		execl(self, self, "--subject", "not_random", subject_dir, "0", NULL);
		CHECK(false);
	}
	subject_wait("child");
	random_point(subject_point);
	subject_join(pid);
}

/* ---- membarrier ---- */

static const struct {
	int registers;
	int cmd;
} barriers[] = {
	{ MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_GLOBAL_EXPEDITED },
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED },
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE },
	{ MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
	  MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ },
};

static int membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

/* What is registered, and which commands work therefore. */
static unsigned int membarrier_state(void)
{
	int registered = membarrier(MEMBARRIER_CMD_GET_REGISTRATIONS);
	unsigned int i, state = registered;

	for (i = 0; i < ARRAY_SIZE(barriers); i++)
		if (!membarrier(barriers[i].cmd))
			state |= 1U << (24 + i);
	return state;
}

SUBJECT(membarriers)
{
	enum { N = 1 << ARRAY_SIZE(barriers) };
	int can = membarrier(MEMBARRIER_CMD_QUERY);
	unsigned int i, k, state;
	char name[16];
	pid_t pid[N];

	if (can < 0) {
		CHECK_EQ(ENOSYS, errno);
		subject_point();
		return;
	}
	/* each way to choose from them */
	for (k = 0; k < N; k++) {
		pid[k] = fork();
		CHECK(pid[k] >= 0);
		if (pid[k])
			continue;
		for (i = 0; i < ARRAY_SIZE(barriers); i++)
			if (k & 1 << i && can & barriers[i].registers)
				CHECK_EQ(0, membarrier(barriers[i].registers));
		state = membarrier_state();
		/* this works without, too */
		CHECK_EQ((k | 1) & (can & barriers[3].registers ? 0xf : 0x7),
			 state >> 24);
		snprintf(name, sizeof(name), "ready%u", k);
		subject_touch(name);
		subject_wait("go");
		CHECK_EQ(state, membarrier_state());
		_exit(0);
	}
	for (k = 0; k < N; k++) {
		snprintf(name, sizeof(name), "ready%u", k);
		while (!subject_told(name)) {
			CHECK_EQ(0, waitpid(pid[k], NULL, WNOHANG));
			ckpt_sleep_ms(3);
		}
	}
	subject_point();
	for (k = 0; k < N; k++)
		subject_join(pid[k]);
}

/* ---- memory ---- */

static void check_mm(int dumpable, const char *filter, int thp, int mdwe)
{
	char text[32] = "";
	char *p;

	CHECK_EQ(dumpable, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	CHECK(ckpt_slurp("/proc/self/coredump_filter", text, sizeof(text)) > 0);
	CHECK(!strcmp(text, filter));
	CHECK_EQ(thp, prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	CHECK_EQ(mdwe, prctl(PR_GET_MDWE, 0, 0, 0, 0));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(mdwe ? -1 : 0, mprotect(p, 4096, PROT_READ | PROT_EXEC));
	CHECK_EQ(0, munmap(p, 4096));
}

static const struct {
	int dumpable;
	const char *filter, *seen;
	int thp;
	int mdwe;
} mms[] = {
	{ 0, "0x33", "00000033\n", 0, 0 },
	{ 1, "0x00", "00000000\n", 1, 0 },
	{ 1, "0x1ff", "000001ff\n", 0, PR_MDWE_REFUSE_EXEC_GAIN },
	{ 0, "0x155", "00000155\n", 1, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT },
};

SUBJECT(mm)
{
	enum { N = ARRAY_SIZE(mms) };
	int thp[N], mdwe[N];
	char name[16];
	pid_t pid[N], child;
	unsigned int i;
	int fd;

	for (i = 0; i < N; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (pid[i])
			continue;
		fd = open("/proc/self/coredump_filter", O_WRONLY);
		CHECK(write(fd, mms[i].filter, strlen(mms[i].filter)) > 0);
		close(fd);
		/* as far as the kernel has them */
		prctl(PR_SET_THP_DISABLE, mms[i].thp, 0, 0, 0);
		prctl(PR_SET_MDWE, mms[i].mdwe, 0, 0, 0);
		thp[i] = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
		mdwe[i] = prctl(PR_GET_MDWE, 0, 0, 0, 0);
		CHECK_EQ(0, prctl(PR_SET_DUMPABLE, mms[i].dumpable, 0, 0, 0));
		snprintf(name, sizeof(name), "ready%u", i);
		subject_touch(name);
		subject_wait("go");
		check_mm(mms[i].dumpable, mms[i].seen, thp[i], mdwe[i]);
		/* what children get of it */
		child = fork();
		CHECK(child >= 0);
		if (!child) {
			check_mm(mms[i].dumpable, mms[i].seen, thp[i],
				 mdwe[i] & PR_MDWE_NO_INHERIT ? 0 : mdwe[i]);
			_exit(0);
		}
		subject_join(child);
		_exit(0);
	}
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "ready%u", i);
		subject_wait(name);
	}
	subject_point();
	for (i = 0; i < N; i++)
		subject_join(pid[i]);
}

/* ---- where things are in memory: PR_SET_MM ---- */

/* Start and end of code, stack; data, brk, arguments, environment. */
static void read_bounds(unsigned long *to)
{
	static const int fields[] = { 26, 27, 28, 45, 46, 47, 48, 49, 50, 51 };
	char text[1024], *p, *save = NULL;
	int i = 2, k = 0;

	CHECK(ckpt_slurp("/proc/self/stat", text, sizeof(text)) > 0);
	p = strtok_r(strrchr(text, ')') + 1, " ", &save);
	for (; p && k < 10; p = strtok_r(NULL, " ", &save))
		if (++i == fields[k])
			to[k++] = strtoul(p, NULL, 10);
	CHECK_EQ(10, k);
}

SUBJECT(mm_map)
{
	static const char args[] = "another\0name\0for it";
	static const char env[] = "A=1\0B=two";
	unsigned long was[10], is[10], auxv[6] = { 33, 0x1234, 16, 0x5678, 0, 0 };
	unsigned long seen[64];
	struct prctl_mm_map map;
	char *p, text[256];
	ssize_t len;

	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memcpy(p + 100, args, sizeof(args));
	memcpy(p + 200, env, sizeof(env));
	read_bounds(was);
	memset(&map, 0, sizeof(map));
	map.start_code = (uintptr_t)p;
	map.end_code = (uintptr_t)p + 10;
	map.start_data = (uintptr_t)p + 20;
	map.end_data = (uintptr_t)p + 30;
	map.start_brk = was[5];
	map.brk = (uintptr_t)sbrk(0);
	map.start_stack = (uintptr_t)p + 40;
	map.arg_start = (uintptr_t)p + 100;
	map.arg_end = map.arg_start + sizeof(args);
	map.env_start = (uintptr_t)p + 200;
	map.env_end = map.env_start + sizeof(env);
	map.auxv = (void *)auxv;
	map.auxv_size = sizeof(auxv);
	map.exe_fd = -1;
	CHECK_EQ(0, prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0));
	read_bounds(was);
	CHECK_EQ((uintptr_t)p, was[0]);
	CHECK_EQ((uintptr_t)p + 10, was[1]);
	CHECK_EQ((uintptr_t)p + 20, was[3]);
	CHECK_EQ(map.arg_start, was[6]);
	CHECK_EQ(map.env_end, was[9]);
	subject_point();
	read_bounds(is);
	CHECK_MEM(was, is, sizeof(was));
	len = ckpt_slurp("/proc/self/cmdline", text, sizeof(text));
	CHECK_EQ(sizeof(args), len);
	CHECK_MEM(args, text, sizeof(args));
	len = ckpt_slurp("/proc/self/environ", text, sizeof(text));
	CHECK_EQ(sizeof(env), len);
	CHECK_MEM(env, text, sizeof(env));
	len = ckpt_slurp("/proc/self/auxv", (char *)seen, sizeof(seen));
	CHECK(len >= (ssize_t)sizeof(auxv));
	CHECK_MEM(auxv, seen, sizeof(auxv));
	CHECK(sbrk(0) == (void *)map.brk);
}

/* ---- instructions ---- */

static __thread sigjmp_buf jump;

static void on_sigsegv(int sig)
{
	siglongjmp(jump, 1);
}

static bool tsc_works(void)
{
	if (sigsetjmp(jump, 1))
		return false;
	__builtin_ia32_rdtsc();
	return true;
}

static bool cpuid_works(void)
{
	unsigned int a = 0, b, c = 0, d;

	if (sigsetjmp(jump, 1))
		return false;
	asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
	return true;
}

static void *no_tsc_thread(void *arg)
{
	int mode = 0;

	CHECK_EQ(0, prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	CHECK(!tsc_works());
	pthread_barrier_wait(&barrier);
	await_go();
	CHECK_EQ(0, prctl(PR_GET_TSC, &mode));
	CHECK_EQ(PR_TSC_SIGSEGV, mode);
	CHECK(!tsc_works());
	CHECK_EQ(0, prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CHECK(tsc_works());
	return NULL;
}

static void *no_cpuid_thread(void *arg)
{
	/* few machines can do that */
	bool can = !syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);

	CHECK_EQ(!can, cpuid_works());
	pthread_barrier_wait(&barrier);
	await_go();
	CHECK_EQ(!can, syscall(SYS_arch_prctl, ARCH_GET_CPUID));
	CHECK_EQ(!can, cpuid_works());
	return NULL;
}

SUBJECT(instructions)
{
	pthread_t thread[2];
	int mode = 0;

	CHECK(signal(SIGSEGV, on_sigsegv) != SIG_ERR);
	pthread_barrier_init(&barrier, NULL, 3);
	CHECK_EQ(0, pthread_create(&thread[0], NULL, no_tsc_thread, NULL));
	CHECK_EQ(0, pthread_create(&thread[1], NULL, no_cpuid_thread, NULL));
	pthread_barrier_wait(&barrier);
	subject_point();
	CHECK_EQ(0, prctl(PR_GET_TSC, &mode));
	CHECK_EQ(PR_TSC_ENABLE, mode);
	CHECK(tsc_works());
	CHECK(cpuid_works());
	go = true;
	CHECK_EQ(0, pthread_join(thread[0], NULL));
	CHECK_EQ(0, pthread_join(thread[1], NULL));
}

/* ---- system calls ---- */

static volatile char selector;
static volatile sig_atomic_t dispatched, dispatched_nr;

static void on_sigsys(int sig, siginfo_t *info, void *ucontext)
{
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	dispatched++;
	dispatched_nr = info->si_syscall;
}

static void check_dispatch(void)
{
	int before = dispatched;

	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	syscall(SYS_tuxcall);
	CHECK_EQ(before + 1, dispatched);
	CHECK_EQ(SYS_tuxcall, dispatched_nr);
	syscall(SYS_tuxcall);
	CHECK_EQ(before + 1, dispatched);
}

static void *plain_thread(void *arg)
{
	int before = dispatched;

	pthread_barrier_wait(&barrier);
	await_go();
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	syscall(SYS_tuxcall);
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	CHECK_EQ(before + 2, dispatched);
	return NULL;
}

SUBJECT(dispatch)
{
	struct {
		uint64_t mode, selector, offset, len;
	} config = {};
	struct sigaction sa = {
		.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO,
	};
	pthread_t thread;
	int status;
	pid_t pid;

	CHECK_EQ(0, sigaction(SIGSYS, &sa, NULL));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(0, prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
				  0x10000, 0x20000, &selector));
		subject_touch("child");
		for (;;)
			pause();
	}
	subject_wait("child");
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, plain_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0,
			  &selector));
	check_dispatch();
	subject_point();
	check_dispatch();

	CHECK_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	CHECK_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(0, ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, pid,
			   sizeof(config), &config));
	CHECK_EQ(PR_SYS_DISPATCH_ON, config.mode);
	CHECK_EQ(0x10000, config.offset);
	CHECK_EQ(0x20000, config.len);
	CHECK_EQ((uintptr_t)&selector, config.selector);
	CHECK_EQ(0, kill(pid, SIGKILL));
	CHECK_EQ(pid, waitpid(pid, &status, 0));

	/* the other thread had none, and must not meet our selector */
	CHECK_EQ(0, prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- memory ---- */

static void *plain_io_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	await_go();
	CHECK_EQ(0, prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	return NULL;
}

SUBJECT(io_flusher)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, plain_io_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	subject_point();
	CHECK_EQ(1, prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
	CHECK_EQ(0, prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
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

static int set_oom(int value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int ret;

	CHECK(fd >= 0);
	ret = write(fd, text, snprintf(text, sizeof(text), "%d", value)) < 0 ?
		errno : 0;
	close(fd);
	return ret;
}

static int get_oom(void)
{
	char text[16];

	CHECK(ckpt_slurp("/proc/self/oom_score_adj", text, sizeof(text)) > 0);
	return atoi(text);
}

static void check_oom(int lowest)
{
	CHECK_EQ(0, set_oom(lowest));
	CHECK_EQ(0, set_oom(333));
	CHECK_EQ(EACCES, set_oom(lowest - 1));
	CHECK_EQ(333, get_oom());
}

static void oom(int lowest)
{
	CHECK_EQ(0, set_oom(lowest));
	drop_cap(CAP_SYS_RESOURCE);
	check_oom(lowest);
	subject_point();
	CHECK_EQ(333, get_oom());
	check_oom(lowest);
}

SUBJECT(oom_above)
{
	oom(200);
}

SUBJECT(oom_below)
{
	oom(-500);
}

CKPT_FIXTURE_HOW(prctl);
CKPT_VARIANTS(prctl);

CKPT_ROUNDTRIP(prctl, speculation);
CKPT_ROUNDTRIP(prctl, instructions);
CKPT_ROUNDTRIP(prctl, mce_kill);
CKPT_ROUNDTRIP(prctl, execve);
CKPT_ROUNDTRIP(prctl, random);
CKPT_ROUNDTRIP(prctl, membarriers);
CKPT_ROUNDTRIP(prctl, mm);
CKPT_ROUNDTRIP(prctl, mm_map);
CKPT_ROUNDTRIP(prctl, dispatch);
CKPT_ROUNDTRIP(prctl, io_flusher);
CKPT_ROUNDTRIP(prctl, oom_above);
CKPT_ROUNDTRIP(prctl, oom_below);

/* ---- restarted by those who may not ---- */

static int restart_without(struct ckpt_run *run, int cap, int other_cap)
{
	int fd = ckpt_open(run, "image", O_RDONLY);
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid_t pid = fork();
	int status;
	long ret;

	if (!pid) {
		drop_cap(cap);
		drop_cap(other_cap);
		ret = ckpt_restart_from(fd, 0, log);
		_exit(ret < 0 ? -ret : 0);
	}
	close(fd);
	close(log);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
		WEXITSTATUS(status) : -1;
}

/* To ask with prctl() takes the privilege; the kernel's flags tell it, too. */
static unsigned long io_flusher_flags(void)
{
	char text[1024], *p;
	unsigned long flags;

	CHECK(ckpt_slurp("/proc/self/stat", text, sizeof(text)) > 0);
	p = strrchr(text, ')');
	CHECK(p && sscanf(p, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1);
	return flags & 0x180000;	/* PF_MEMALLOC_NOIO, PF_LOCAL_THROTTLE */
}

SUBJECT(io_flusher_alone)
{
	CHECK_EQ(0, io_flusher_flags());
	CHECK_EQ(0, prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	drop_cap(CAP_SYS_RESOURCE);
	subject_point();
	CHECK_EQ(0x180000, io_flusher_flags());
}

CKPT_FIXTURE(prctl_privilege);

static int privilege(const char *subject, int err)
{
	struct ckpt_run run;
	int ret;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	if (ckpt_start(&run, subject) || ckpt_checkpoint(&run))
		return -1;
	run.pid = 0;
	ret = restart_without(&run, CAP_SYS_RESOURCE, CAP_SYS_RESOURCE);
	if (ret != err) {
		ckpt_msg("restart: %d, not %d", ret, err);
		ckpt_print(&run, "log");
		return -1;
	}
	if (ckpt_restart(&run) < 0 || ckpt_finish(&run))
		return -1;
	return ckpt_cleanup(&run);
}

TEST_F_TIMEOUT(prctl_privilege, io_flusher, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, privilege("io_flusher_alone", EPERM));
}

TEST_F_TIMEOUT(prctl_privilege, oom_below, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, privilege("oom_below", EACCES));
}

/* ---- who may trace ---- */

#define YAMA	"/proc/sys/kernel/yama/ptrace_scope"

static void yama_user(void)
{
	CHECK_EQ(0, setresgid(1000, 1000, 1000));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
}

static pid_t yama_tracee(const char *name, unsigned long tracer)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	yama_user();
	CHECK_EQ(0, prctl(PR_SET_PTRACER, tracer, 0, 0, 0));
	subject_touch(name);
	subject_wait("traced");
	_exit(0);
}

/* Tells which of the tracees it may trace. */
static pid_t yama_tracer(const volatile pid_t *tracees)
{
	pid_t pid = fork();
	int may = 0, i;

	CHECK(pid >= 0);
	if (pid)
		return pid;
	yama_user();
	subject_wait("go");
	for (i = 0; i < 3; i++) {
		if (ptrace(PTRACE_SEIZE, tracees[i], NULL, NULL))
			CHECK_EQ(EPERM, errno);
		else
			may |= 1 << i;
	}
	_exit(may);
}

/* With no Yama, or one that is not in force, it is another kind of test. */
SUBJECT(ptracer)
{
	volatile pid_t *tracees = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status[2], i;
	pid_t tracer[2];
	char scope[8];

	if (prctl(PR_SET_PTRACER, 0, 0, 0, 0)) {
		CHECK_EQ(EINVAL, errno);
		subject_point();
		return;
	}
	CHECK(ckpt_slurp(YAMA, scope, sizeof(scope)) > 0);
	tracer[0] = yama_tracer(tracees);
	tracer[1] = yama_tracer(tracees);
	tracees[0] = yama_tracee("t0", tracer[0]);
	tracees[1] = yama_tracee("t1", PR_SET_PTRACER_ANY);
	tracees[2] = yama_tracee("t2", 0);
	subject_wait("t0");
	subject_wait("t1");
	subject_wait("t2");
	subject_point();
	for (i = 0; i < 2; i++)
		CHECK_EQ(tracer[i], waitpid(tracer[i], &status[i], 0));
	if (atoi(scope) == 1) {
		/* one at a time: both try the second */
		CHECK(WIFEXITED(status[0]) && WIFEXITED(status[1]));
		CHECK_EQ(1, WEXITSTATUS(status[0]) & 5);
		CHECK_EQ(0, WEXITSTATUS(status[1]) & 5);
		CHECK((WEXITSTATUS(status[0]) | WEXITSTATUS(status[1])) & 2);
	}
	subject_touch("traced");
	for (i = 0; i < 3; i++)
		subject_join(tracees[i]);
}

FIXTURE(yama)
{
	char scope[8];
};

static int write_scope(const char *value)
{
	int fd = open(YAMA, O_WRONLY), ret;

	ret = fd >= 0 && write(fd, value, 1) == 1 ? 0 : -1;
	close(fd);
	return ret;
}

FIXTURE_SETUP(yama)
{
	ASSERT_TRUE(ckpt_supported());
	if (ckpt_slurp(YAMA, self->scope, sizeof(self->scope)) <= 0)
		SKIP(return, "no Yama");
	ASSERT_EQ(0, write_scope("1"));
}

FIXTURE_TEARDOWN(yama)
{
	write_scope(self->scope);
}

FIXTURE_VARIANT(yama)
{
	struct ckpt_how how;
};

/* Both tracers can't have the second, so not while the original goes on. */
CKPT_VARIANT(yama, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(yama, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true, .pipe = true);

CKPT_ROUNDTRIP(yama, ptracer);

SUBJECT(ptracer_outside)
{
	if (prctl(PR_SET_PTRACER, getppid(), 0, 0, 0))
		CHECK_EQ(EINVAL, errno);
	subject_point();
}

TEST_F_TIMEOUT(prctl_privilege, ptracer_outside, CKPT_TIMEOUT)
{
	if (access(YAMA, F_OK))
		SKIP(return, "no Yama");
	ASSERT_EQ(0, ckpt_refused("ptracer_outside", "PR_SET_PTRACER", "outside"));
}

CKPT_TEST_MAIN
