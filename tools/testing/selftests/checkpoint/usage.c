// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: what tasks have used, CPU time and all that getrusage(2)
 * tells: it goes on from where it was, and nothing counts twice.
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define MS	1000000L
#define SEC	1000000000L
#define MB	(1L << 20)
#define PAGES	6000		/* more than a restart has to bring in */

static long clock_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK_EQ(0, clock_gettime(clock, &ts));
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static long tv_ns(struct timeval tv)
{
	return tv.tv_sec * SEC + tv.tv_usec * 1000;
}

static long cpu_ns(const struct rusage *ru)
{
	return tv_ns(ru->ru_utime) + tv_ns(ru->ru_stime);
}

static void burn(long ns)
{
	long end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void fault(long pages)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i;

	CHECK(p != MAP_FAILED);
	CHECK_EQ(0, madvise(p, pages * 4096, MADV_NOHUGEPAGE) && errno != EINVAL);
	for (i = 0; i < pages; i++)
		p[i * 4096] = 1;
	CHECK_EQ(0, munmap(p, pages * 4096));
}

static void nap(int times)
{
	while (times--)
		usleep(1000);
}

/* No less than before, and not twice that either. */
#define CHECK_ON(before, after) do {					\
	CHECK((after) >= (before));					\
	CHECK((after) < 2 * (before));					\
} while (0)

static void check_goes_on(const struct rusage *was, const struct rusage *is)
{
	CHECK_ON(cpu_ns(was), cpu_ns(is));
	CHECK(tv_ns(is->ru_utime) >= tv_ns(was->ru_utime));
	CHECK(tv_ns(is->ru_stime) >= tv_ns(was->ru_stime));
	CHECK_ON(was->ru_minflt, is->ru_minflt);
	CHECK(is->ru_majflt >= was->ru_majflt);
	CHECK(is->ru_nvcsw >= was->ru_nvcsw);
	CHECK(is->ru_nivcsw >= was->ru_nivcsw);
	CHECK(is->ru_inblock >= was->ru_inblock);
	CHECK(is->ru_oublock >= was->ru_oublock);
	CHECK(is->ru_maxrss >= was->ru_maxrss);
}

static void *dead_thread(void *arg)
{
	burn(SEC / 2);
	fault(PAGES);
	nap(200);
	return arg;
}

static void spend(void)
{
	pthread_t thread;

	burn(SEC / 2);
	fault(PAGES);
	nap(200);
	CHECK_EQ(0, pthread_create(&thread, NULL, dead_thread, NULL));
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* A process with one thread that is and one that was. */
SUBJECT(process)
{
	struct rusage was, is;
	long clock;

	spend();
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &was));
	clock = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(clock >= SEC);
	CHECK(was.ru_nvcsw >= 300);
	subject_point();
	CHECK_ON(clock, clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &is));
	check_goes_on(&was, &is);
	CHECK_EQ(0, getrusage(RUSAGE_CHILDREN, &is));
	CHECK_EQ(0, cpu_ns(&is));
	CHECK_EQ(0, is.ru_minflt);
}

/* Threads: each has its own. */
static pthread_barrier_t ready;
static atomic_bool go;
static atomic_long sum_before, sum_after;

static void *thread(void *arg)
{
	long times = (long)arg;
	struct rusage was, is;
	long clock;

	burn(times * 300 * MS);
	fault(times * 1000);
	nap(100);
	CHECK_EQ(0, getrusage(RUSAGE_THREAD, &was));
	clock = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	sum_before += clock;
	CHECK(clock >= times * 300 * MS);
	pthread_barrier_wait(&ready);
	while (!go)
		ckpt_sleep_ms(10);
	CHECK_ON(clock, clock_ns(CLOCK_THREAD_CPUTIME_ID));
	sum_after += clock_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK_EQ(0, getrusage(RUSAGE_THREAD, &is));
	check_goes_on(&was, &is);
	pthread_barrier_wait(&ready);
	return NULL;
}

SUBJECT(threads)
{
	pthread_t threads[3];
	long i, process;

	pthread_barrier_init(&ready, NULL, 4);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, thread,
					   (void *)(i + 1)));
	pthread_barrier_wait(&ready);
	subject_point();
	go = true;
	pthread_barrier_wait(&ready);
	process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(process >= sum_after);
	CHECK(process < sum_after + sum_before);
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, pthread_join(threads[i], NULL));
	CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= process);
}

static pid_t spending_child(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		/* one of its own that it waits for, and a thread */
		pid = fork();
		if (!pid) {
			burn(SEC / 4);
			_exit(0);
		}
		subject_join(pid);
		spend();
		_exit(7);
	}
	return pid;
}

static void check_same(const struct rusage *was, const struct rusage *is)
{
	CHECK_EQ(tv_ns(was->ru_utime), tv_ns(is->ru_utime));
	CHECK_EQ(tv_ns(was->ru_stime), tv_ns(is->ru_stime));
	CHECK_EQ(was->ru_minflt, is->ru_minflt);
	CHECK_EQ(was->ru_majflt, is->ru_majflt);
	CHECK_EQ(was->ru_nvcsw, is->ru_nvcsw);
	CHECK_EQ(was->ru_nivcsw, is->ru_nivcsw);
	CHECK_EQ(was->ru_inblock, is->ru_inblock);
	CHECK_EQ(was->ru_oublock, is->ru_oublock);
	CHECK_EQ(was->ru_maxrss, is->ru_maxrss);
}

/* Children that were waited for: nothing is added to these. */
SUBJECT(children)
{
	struct rusage was, is;
	pid_t pid = spending_child();
	int status;

	CHECK_EQ(pid, waitpid(pid, &status, 0));
	CHECK_EQ(7, WEXITSTATUS(status));
	CHECK_EQ(0, getrusage(RUSAGE_CHILDREN, &was));
	CHECK(cpu_ns(&was) >= SEC);
	subject_point();
	CHECK_EQ(0, getrusage(RUSAGE_CHILDREN, &is));
	check_same(&was, &is);
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &is));
	CHECK(cpu_ns(&is) < cpu_ns(&was));
}

/* One that was not: its parent is told when it waits. */
SUBJECT(zombie)
{
	struct rusage was, is, children;
	pid_t pid = spending_child();
	siginfo_t info;
	int status;

	CHECK_EQ(0, syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, &was));
	CHECK_EQ(pid, info.si_pid);
	CHECK(cpu_ns(&was) >= SEC);
	subject_point();
	CHECK_EQ(0, syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, &is));
	check_goes_on(&was, &is);
	CHECK_EQ(was.ru_maxrss, is.ru_maxrss);
	CHECK_EQ(pid, wait4(pid, &status, 0, &is));
	CHECK_EQ(7, WEXITSTATUS(status));
	check_goes_on(&was, &is);
	CHECK_EQ(was.ru_maxrss, is.ru_maxrss);
	CHECK_EQ(0, getrusage(RUSAGE_CHILDREN, &children));
	check_same(&is, &children);
}

/* A leader that is dead, with a thread that lives on. */
static long leader_clock;

static void *survivor(void *arg)
{
	struct rusage was, is;
	long clock;

	/* the leader is on its way out */
	ckpt_sleep_ms(300);
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &was));
	clock = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(clock >= leader_clock);
	subject_point();
	CHECK_ON(clock, clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &is));
	check_goes_on(&was, &is);
	exit(0);
}

SUBJECT(dead_leader)
{
	pthread_t thread;

	spend();
	leader_clock = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	CHECK_EQ(0, pthread_create(&thread, NULL, survivor, NULL));
	syscall(SYS_exit, 0);
}

/* RLIMIT_CPU counts what was used before, and that once. */
static atomic_int told;

static void on_xcpu(int sig)
{
	told++;
}

SUBJECT(cpu_limit)
{
	struct rlimit limit = { .rlim_cur = 3, .rlim_max = 1000 };
	struct itimerval timer = { .it_value = { .tv_sec = 900 } }, left;
	timer_t id;
	struct itimerspec spec = { .it_value = { .tv_sec = 900 } };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	long clock;

	signal(SIGXCPU, on_xcpu);
	CHECK_EQ(0, setrlimit(RLIMIT_CPU, &limit));
	CHECK_EQ(0, setitimer(ITIMER_PROF, &timer, NULL));
	CHECK_EQ(0, timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &id));
	CHECK_EQ(0, timer_settime(id, 0, &spec, NULL));
	burn(1700 * MS);
	CHECK_EQ(0, told);
	subject_point();
	CHECK_EQ(0, told);
	CHECK_EQ(0, getitimer(ITIMER_PROF, &left));
	CHECK(left.it_value.tv_sec >= 890 && left.it_value.tv_sec < 899);
	CHECK_EQ(0, timer_gettime(id, &spec));
	CHECK(spec.it_value.tv_sec >= 890 && spec.it_value.tv_sec < 899);
	while (!told)
		burn(MS);
	clock = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	/* ticks are not exact */
	CHECK(clock >= 2500 * MS);
	CHECK(clock < 6000 * MS);
}

static long status_kb(const char *key)
{
	static char text[8192];
	char *line;

	CHECK(ckpt_slurp("/proc/self/status", text, sizeof(text)) > 0);
	line = strstr(text, key);
	CHECK(line);
	return atol(line + strlen(key));
}

SUBJECT(peaks)
{
	char *p = mmap(NULL, 64 * MB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rusage was, is;
	long hwm, peak;

	CHECK(p != MAP_FAILED);
	memset(p, 1, 32 * MB);
	CHECK_EQ(0, munmap(p, 64 * MB));
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &was));
	CHECK(was.ru_maxrss >= 32 << 10);
	hwm = status_kb("VmHWM:");
	peak = status_kb("VmPeak:");
	CHECK(hwm >= 32 << 10);
	CHECK(peak >= 64 << 10);
	subject_point();
	CHECK(status_kb("VmHWM:") >= hwm);
	CHECK(status_kb("VmHWM:") < hwm + (16 << 10));
	CHECK(status_kb("VmPeak:") >= peak);
	CHECK(status_kb("VmPeak:") < peak + (16 << 10));
	CHECK(status_kb("VmRSS:") < 24 << 10);
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &is));
	CHECK(is.ru_maxrss >= was.ru_maxrss);
	CHECK(is.ru_maxrss < was.ru_maxrss + (16 << 10));
}

/* /proc/PID/io, of a thread that is and of one that was. */
static const char * const io_keys[] = {
	"rchar: ", "wchar: ", "syscr: ", "syscw: ", "\nread_bytes: ",
	"\nwrite_bytes: ", "cancelled_write_bytes: ",
};

static void read_io(long *out)
{
	static char text[1024];
	unsigned int i;
	char *at;

	CHECK(ckpt_slurp("/proc/self/io", text, sizeof(text)) > 0);
	for (i = 0; i < ARRAY_SIZE(io_keys); i++) {
		at = strstr(text, io_keys[i]);
		CHECK(at);
		out[i] = atol(at + strlen(io_keys[i]));
	}
}

static void *do_io(void *arg)
{
	int in = open("/dev/zero", O_RDONLY), out = open("/dev/null", O_WRONLY);
	static char buf[65536];
	int i;

	for (i = 0; i < 1000; i++) {
		CHECK_EQ(sizeof(buf), read(in, buf, sizeof(buf)));
		CHECK_EQ(sizeof(buf), write(out, buf, sizeof(buf)));
	}
	close(in);
	close(out);
	return arg;
}

SUBJECT(io)
{
	long was[ARRAY_SIZE(io_keys)], is[ARRAY_SIZE(io_keys)];
	pthread_t thread;
	unsigned int i;

	if (access("/proc/self/io", R_OK)) {
		subject_point();
		return;
	}
	do_io(NULL);
	CHECK_EQ(0, pthread_create(&thread, NULL, do_io, NULL));
	CHECK_EQ(0, pthread_join(thread, NULL));
	read_io(was);
	CHECK(was[0] >= 2000 * 65536);
	CHECK(was[2] >= 2000);
	subject_point();
	read_io(is);
	for (i = 0; i < ARRAY_SIZE(io_keys); i++)
		CHECK(is[i] >= was[i]);
	for (i = 0; i < 4; i++)
		CHECK(is[i] < 2 * was[i]);
}

CKPT_FIXTURE_HOW(usage);
CKPT_VARIANTS(usage);

CKPT_ROUNDTRIP(usage, process);
CKPT_ROUNDTRIP(usage, threads);
CKPT_ROUNDTRIP(usage, children);
CKPT_ROUNDTRIP(usage, zombie);
CKPT_ROUNDTRIP(usage, cpu_limit);
CKPT_ROUNDTRIP(usage, peaks);
CKPT_ROUNDTRIP(usage, io);

CKPT_FIXTURE_HOW(usage_other);
CKPT_VARIANTS_OTHER(usage_other);

CKPT_ROUNDTRIP(usage_other, dead_leader);

CKPT_FIXTURE(limited);

/* RLIMIT_CPU of who restarts is not about what was used before. */
TEST_F_TIMEOUT(limited, restarter, CKPT_TIMEOUT)
{
	struct rlimit was, limit;
	struct ckpt_run run;
	struct timespec used;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "process"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, getrlimit(RLIMIT_CPU, &was));
	ASSERT_EQ(0, clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used));
	limit = was;
	limit.rlim_cur = used.tv_sec + 1;
	signal(SIGXCPU, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_CPU, &limit));
	run.pid = 0;
	EXPECT_LT(0, ckpt_restart(&run));
	ASSERT_EQ(0, setrlimit(RLIMIT_CPU, &was));
	EXPECT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Used up much, and needs a privilege to be restarted. */
SUBJECT(costly)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	struct rusage ru;
	pthread_t thread;
	pid_t pid;

	CHECK(fd >= 0);
	CHECK_EQ(4, write(fd, "-500", 4));
	close(fd);
	burn(2 * SEC);
	fault(16384);
	CHECK_EQ(0, pthread_create(&thread, NULL, dead_thread, NULL));
	CHECK_EQ(0, pthread_join(thread, NULL));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		burn(SEC);
		_exit(0);
	}
	subject_join(pid);
	CHECK_EQ(0, getrusage(RUSAGE_SELF, &ru));
	CHECK(ru.ru_maxrss >= 64 << 10);
	CHECK(cpu_ns(&ru) >= 2 * SEC);
	CHECK(ru.ru_minflt >= 20000);
	subject_point();
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

/* Who tries in vain is told what that has cost, and no more. */
TEST_F_TIMEOUT(limited, failed, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	struct rusage ru;
	int status, fd, log;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "costly"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "image", O_RDONLY);
	log = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid = fork();
	if (!pid) {
		drop_cap(CAP_SYS_RESOURCE);
		if (ckpt_restart_from(fd, 0, log) != -EACCES)
			_exit(1);
		getrusage(RUSAGE_CHILDREN, &ru);
		_exit(cpu_ns(&ru) >= SEC ? 2 :
		      ru.ru_maxrss >= 48 << 10 ? 3 :
		      ru.ru_minflt < 0 || ru.ru_minflt >= 10000 ? 4 :
		      ru.ru_nvcsw < 0 || ru.ru_nvcsw >= 150 ? 5 :
		      ru.ru_inblock < 0 || ru.ru_oublock < 0 ? 6 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status)) ckpt_print(&run, "log");
	close(fd);
	close(log);
	ASSERT_LT(0, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
