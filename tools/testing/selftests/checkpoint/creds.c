// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: credentials, limits, names and the other small things of
 * a task; what the C library has registered with the kernel; and checkpoint and
 * restart by somebody who has no privilege.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/rseq.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* All that /proc tells about who we are. */
static char status_before[8192], status_after[8192];

static void read_status(char *out)
{
	static const char * const keys[] = {
		"Name:", "Umask:", "Uid:", "Gid:", "Groups:", "NoNewPrivs:",
		"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:",
		"Seccomp:", "SigBlk:", "SigIgn:", "SigCgt:", "Pid:", "PPid:",
		"Tgid:", "TracerPid:", "Threads:", "THP_enabled:",
		"Cpus_allowed:",
	};
	static char text[8192];
	char *line, *next = NULL;
	unsigned int i;

	CHECK(ckpt_slurp("/proc/thread-self/status", text, sizeof(text)) > 0);
	out[0] = '\0';
	for (line = strtok_r(text, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next))
		for (i = 0; i < ARRAY_SIZE(keys); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				strcat(strcat(out, line), "\n");
}

static void creds_point(void)
{
	char *a, *b, *na = NULL, *nb = NULL;

	read_status(status_before);
	subject_point();
	read_status(status_after);
	for (a = strtok_r(status_before, "\n", &na),
	     b = strtok_r(status_after, "\n", &nb); a && b;
	     a = strtok_r(NULL, "\n", &na), b = strtok_r(NULL, "\n", &nb))
		if (strcmp(a, b))
			subject_fail(__FILE__, __LINE__, "was %s, is %s", a, b);
	CHECK(!a && !b);
}

SUBJECT(root)
{
	creds_point();
	CHECK_EQ(0, getuid());
}

/* An ordinary user. */
SUBJECT(user)
{
	gid_t groups[] = { 4, 20, 24, 1000, 5000 }, seen[16];

	CHECK_EQ(0, setgroups(5, groups));
	CHECK_EQ(0, setresgid(1000, 1000, 1000));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	/* as after an exec: those who may trace us may checkpoint us */
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	creds_point();
	CHECK_EQ(5, getgroups(16, seen));
	CHECK_MEM(groups, seen, sizeof(groups));
	CHECK_EQ(-1, setuid(0));
	CHECK_EQ(EPERM, errno);
	CHECK_EQ(1, prctl(PR_GET_DUMPABLE));
}

/* All of the ids differ, and those of a thread from those of the process. */
static atomic_bool go;
static pthread_barrier_t barrier;

static void *ids_thread(void *arg)
{
	uid_t r, e, s;

	/* the bare calls are for one thread, the library's for all */
	CHECK_EQ(0, syscall(SYS_setresgid, 31, 32, 33));
	CHECK_EQ(0, syscall(SYS_setresuid, 21, 22, 0));
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(1);
	CHECK_EQ(0, getresuid(&r, &e, &s));
	CHECK(r == 21 && e == 22 && s == 0);
	CHECK_EQ(0, getresgid(&r, &e, &s));
	CHECK(r == 31 && e == 32 && s == 33);
	return arg;
}

SUBJECT(ids)
{
	uid_t r, e, s;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, ids_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, syscall(SYS_setresgid, 11, 12, 13));
	CHECK_EQ(0, syscall(SYS_setresuid, 0, 0, 3));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	setfsuid(5);
	setfsgid(6);
	creds_point();
	CHECK_EQ(0, getresuid(&r, &e, &s));
	CHECK(r == 0 && e == 0 && s == 3);
	CHECK_EQ(0, getresgid(&r, &e, &s));
	CHECK(r == 11 && e == 12 && s == 13);
	CHECK_EQ(5, setfsuid(-1));
	CHECK_EQ(6, setfsgid(-1));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

static void set_caps(uint64_t eff, uint64_t perm, uint64_t inherit)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ eff, perm, inherit }, { eff >> 32, perm >> 32, inherit >> 32 },
	};

	CHECK_EQ(0, syscall(SYS_capset, &head, data));
}

SUBJECT(caps)
{
	uint64_t perm = 1ULL << CAP_NET_RAW | 1ULL << CAP_SYS_NICE |
			1ULL << CAP_SYSLOG | 1ULL << CAP_CHOWN;

	CHECK_EQ(0, prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE));
	CHECK_EQ(0, prctl(PR_SET_SECUREBITS,
			  SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP));
	CHECK_EQ(0, setresuid(1000, 1000, 1000));
	set_caps(1ULL << CAP_CHOWN, perm, 1ULL << CAP_NET_RAW);
	CHECK_EQ(0, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0,
			  0));
	CHECK_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	creds_point();
	CHECK_EQ(0, prctl(PR_CAPBSET_READ, CAP_SYS_MODULE));
	CHECK_EQ(1, prctl(PR_CAPBSET_READ, CAP_CHOWN));
	CHECK_EQ(SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP,
		 prctl(PR_GET_SECUREBITS));
	CHECK_EQ(1, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0,
			  0));
	/* effective can be raised from permitted, and no further */
	set_caps(perm, perm, 1ULL << CAP_NET_RAW);
}

SUBJECT(no_new_privs)
{
	CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	creds_point();
	CHECK_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

SUBJECT(rlimits)
{
	struct rlimit was[RLIM_NLIMITS], is;
	int i;

	for (i = 0; i < RLIM_NLIMITS; i++) {
		CHECK_EQ(0, getrlimit(i, &was[i]));
		if (i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_NPROC)
			was[i].rlim_cur = (1UL << 40) + i * 4096;
		else if (i == RLIMIT_NOFILE)
			was[i].rlim_cur = 333;
		else if (i == RLIMIT_STACK)
			was[i].rlim_cur = 4 << 20;
		else if (i == RLIMIT_CPU)
			was[i] = (struct rlimit) { 5000, 6000 };
		else if (i == RLIMIT_CORE)
			was[i] = (struct rlimit) { 0, 12345 };
		else if (i == RLIMIT_FSIZE || i == RLIMIT_RSS || i == RLIMIT_MEMLOCK)
			was[i] = (struct rlimit) { (1UL << 41) + i, (1UL << 42) + i };
		else if (i == RLIMIT_NICE)
			was[i] = (struct rlimit) { 25, 30 };
		else if (i == RLIMIT_RTPRIO)
			was[i] = (struct rlimit) { 11, 22 };
		else if (i == RLIMIT_RTTIME)
			was[i] = (struct rlimit) { 5000000, 6000000 };
		else
			was[i] = (struct rlimit) { 300000 + i, 400000 + i };
		if (was[i].rlim_max < was[i].rlim_cur)
			was[i].rlim_cur = was[i].rlim_max;
		CHECK_EQ(0, setrlimit(i, &was[i]));
	}
	subject_point();
	for (i = 0; i < RLIM_NLIMITS; i++) {
		CHECK_EQ(0, getrlimit(i, &is));
		if (is.rlim_cur != was[i].rlim_cur ||
		    is.rlim_max != was[i].rlim_max)
			subject_fail(__FILE__, __LINE__, "limit %d", i);
	}
	/* and they are in force */
	CHECK_EQ(332, dup2(0, 332));
	CHECK_EQ(-1, dup2(0, 333));
}

SUBJECT(small_things)
{
	char name[16] = "";
	int sig = 0, value = 0, fd;
	char text[32];

	CHECK_EQ(0, prctl(PR_SET_NAME, "a (strange) na\nme"));
	CHECK_EQ(0, prctl(PR_SET_PDEATHSIG, SIGUSR2));
	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_EQ(0, prctl(PR_SET_TIMERSLACK, 123456));
	CHECK(personality(ADDR_NO_RANDOMIZE | SHORT_INODE) >= 0);
	CHECK_EQ(0, setpriority(PRIO_PROCESS, 0, 7));
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	CHECK_EQ(3, write(fd, "321", 3));
	close(fd);
	subject_point();
	CHECK_EQ(0, prctl(PR_GET_NAME, name));
	CHECK(!strncmp(name, "a (strange) na\nme", 15));
	CHECK_EQ(0, prctl(PR_GET_PDEATHSIG, &sig));
	CHECK_EQ(SIGUSR2, sig);
	CHECK_EQ(0, prctl(PR_GET_CHILD_SUBREAPER, &value));
	CHECK_EQ(1, value);
	CHECK_EQ(123456, prctl(PR_GET_TIMERSLACK));
	CHECK_EQ(ADDR_NO_RANDOMIZE | SHORT_INODE, personality(0xffffffff));
	CHECK_EQ(7, getpriority(PRIO_PROCESS, 0));
	CHECK(ckpt_slurp("/proc/self/oom_score_adj", text, sizeof(text)) > 0);
	CHECK_EQ(321, atoi(text));
}

/* Scheduling, of each thread. */
static void *sched_thread(void *arg)
{
	struct sched_param param = { .sched_priority = 0 };
	cpu_set_t set, seen;

	CHECK_EQ(0, sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK,
				       &param));
	CHECK_EQ(0, setpriority(PRIO_PROCESS, 0, 11));
	CHECK_EQ(0, sched_getaffinity(0, sizeof(set), &set));
	if (CPU_COUNT(&set) > 1)
		CPU_CLR(0, &set);
	CHECK_EQ(0, sched_setaffinity(0, sizeof(set), &set));
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(1);
	CHECK_EQ(SCHED_BATCH | SCHED_RESET_ON_FORK, sched_getscheduler(0));
	CHECK_EQ(11, getpriority(PRIO_PROCESS, 0));
	CHECK_EQ(0, sched_getaffinity(0, sizeof(seen), &seen));
	CHECK(CPU_EQUAL(&set, &seen));
	return arg;
}

SUBJECT(scheduling)
{
	struct sched_param param = { .sched_priority = 3 }, seen;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, sched_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, sched_setscheduler(0, SCHED_RR, &param));
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	subject_point();
	CHECK_EQ(SCHED_RR, sched_getscheduler(0));
	CHECK_EQ(0, sched_getparam(0, &seen));
	CHECK_EQ(3, seen.sched_priority);
	CHECK_EQ(2 << 13 | 6, syscall(SYS_ioprio_get, 1, 0));
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- what the C library registers ---- */

static struct rseq *my_rseq(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() +
			       __rseq_offset);
}

/* Moves from processor to processor, the kernel has to tell us where we are. */
static void check_rseq(void)
{
	cpu_set_t all, one;
	unsigned int cpu;
	int i;

	CHECK_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK_EQ(0, sched_setaffinity(0, sizeof(one), &one));
		CHECK_EQ(0, syscall(SYS_getcpu, &cpu, NULL, NULL));
		CHECK_EQ(i, cpu);
		CHECK_EQ(i, READ_ONCE(my_rseq()->cpu_id));
		CHECK_EQ(i, READ_ONCE(my_rseq()->cpu_id_start));
	}
	CHECK_EQ(0, sched_setaffinity(0, sizeof(all), &all));
	/* it is registered, with this very signature */
	CHECK_EQ(-1, syscall(SYS_rseq, my_rseq(), 32, 0, 0x53053053));
	CHECK_EQ(EBUSY, errno);
}

static void *rseq_thread(void *arg)
{
	check_rseq();
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(1);
	check_rseq();
	return arg;
}

SUBJECT(rseq)
{
	pthread_t thread;

	CHECK(__rseq_size > 0);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, rseq_thread, NULL));
	pthread_barrier_wait(&barrier);
	check_rseq();
	subject_point();
	check_rseq();
	go = true;
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* A robust mutex whose owner ends; a thread whose end wakes who joins it. */
static pthread_mutex_t robust;

static void *robust_owner(void *arg)
{
	CHECK_EQ(0, pthread_mutex_lock(&robust));
	pthread_barrier_wait(&barrier);
	while (!go)
		ckpt_sleep_ms(1);
	return arg;
}

SUBJECT(robust_list)
{
	void *head = NULL, *head_after = NULL;
	pthread_mutexattr_t attr;
	pthread_t thread;
	size_t len;
	void *ret;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(0, pthread_create(&thread, NULL, robust_owner, &robust));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, syscall(SYS_get_robust_list, 0, &head, &len));
	CHECK(head);
	subject_point();
	CHECK_EQ(0, syscall(SYS_get_robust_list, 0, &head_after, &len));
	CHECK(head == head_after);
	go = true;
	CHECK_EQ(EOWNERDEAD, pthread_mutex_lock(&robust));
	CHECK_EQ(0, pthread_mutex_consistent(&robust));
	CHECK_EQ(0, pthread_mutex_unlock(&robust));
	CHECK_EQ(0, pthread_join(thread, &ret));
	CHECK(ret == &robust);
	/* new threads can be made and joined as well */
	pthread_barrier_init(&barrier, NULL, 1);
	CHECK_EQ(0, pthread_create(&thread, NULL, robust_owner, NULL));
	CHECK_EQ(0, pthread_join(thread, NULL));
}

/* ---- the parent's death ---- */

SUBJECT(parent_death)
{
	pid_t *pid = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t middle, last;
	int status;

	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	middle = fork();
	if (!middle) {
		last = fork();
		if (last) {
			*pid = last;
		} else {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			subject_touch("child");
			subject_wait("never");
			_exit(1);
		}
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	subject_join(middle);
	/* the orphan comes to us, dead of the signal */
	CHECK_EQ(*pid, waitpid(-1, &status, 0));
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(SIGTERM, WTERMSIG(status));
}

/* ---- of the dead ---- */

/* Who a zombie was, and whether somebody of the same user may look at it. */
static void dead_status(pid_t pid, char *out, size_t size)
{
	static const char * const keys[] = {
		"Uid:", "Gid:", "Groups:", "NoNewPrivs:", "CapInh:", "CapPrm:",
		"CapEff:", "CapBnd:", "CapAmb:",
	};
	char path[64], text[4096], *line, *next = NULL;
	unsigned int i;
	int status;
	pid_t peer;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	out[0] = '\0';
	for (line = strtok_r(text, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next))
		for (i = 0; i < ARRAY_SIZE(keys); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				strcat(strcat(out, line), "\n");

	peer = fork();
	CHECK(peer >= 0);
	if (!peer) {
		int fd;

		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
		    setresuid(1000, 1000, 1000))
			_exit(99);
		/* for those who may trace it, what matters when it is read */
		snprintf(path, sizeof(path), "/proc/%d/io", pid);
		fd = open(path, O_RDONLY);
		_exit(fd < 0 || read(fd, text, sizeof(text)) < 0 ? errno : 0);
	}
	CHECK_EQ(peer, waitpid(peer, &status, 0));
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) != 99);
	snprintf(out + strlen(out), size - strlen(out), "peer: %d\n",
		 WEXITSTATUS(status));
}

static pid_t dead_child(int kind)
{
	gid_t groups[] = { 4, 20, 5000 };
	pid_t pid = fork();
	siginfo_t info;

	CHECK(pid >= 0);
	if (!pid) {
		switch (kind) {
		case 0:		/* an ordinary user's */
		case 1:		/* likewise, that was not for others to look at */
			CHECK_EQ(0, setgroups(3, groups));
			CHECK_EQ(0, setresgid(1000, 1000, 1000));
			CHECK_EQ(0, setresuid(1000, 1000, 1000));
			CHECK_EQ(0, prctl(PR_SET_DUMPABLE, kind == 0));
			break;
		case 2:		/* all of them differ */
			CHECK_EQ(0, setresgid(11, 12, 13));
			CHECK_EQ(0, setresuid(21, 22, 23));
			break;
		case 3:		/* root, with less */
			CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
			set_caps(1ULL << CAP_CHOWN,
				 1ULL << CAP_CHOWN | 1ULL << CAP_SYSLOG, 0);
			break;
		}
		_exit(kind);
	}
	CHECK_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

SUBJECT(dead)
{
	static const uid_t uids[] = { 1000, 1000, 21, 0 };
	static char was[4][1024], is[1024];
	siginfo_t info;
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++) {
		pids[i] = dead_child(i);
		dead_status(pids[i], was[i], sizeof(was[i]));
	}
	subject_point();
	for (i = 0; i < 4; i++) {
		dead_status(pids[i], is, sizeof(is));
		if (strcmp(was[i], is))
			subject_fail(__FILE__, __LINE__, "zombie %d was %s, is %s",
				     i, was[i], is);
		memset(&info, 0, sizeof(info));
		CHECK_EQ(0, waitid(P_PID, pids[i], &info, WEXITED));
		CHECK_EQ(uids[i], info.si_uid);
		CHECK_EQ(i, info.si_status);
	}
}

/* Whose a process is that has lost its leader decides who may signal it. */
static void *widow(void *arg)
{
	static char was[1024], is[1024];

	(void)arg;
	while (ckpt_state(getpid()) != 'Z')
		ckpt_sleep_ms(1);
	dead_status(getpid(), was, sizeof(was));
	subject_point();
	dead_status(getpid(), is, sizeof(is));
	if (strcmp(was, is))
		subject_fail(__FILE__, __LINE__, "leader was %s, is %s", was, is);
	CHECK_EQ(0, getuid());
	exit(0);
}

SUBJECT(dead_leader)
{
	pthread_t thread;

	CHECK_EQ(0, pthread_create(&thread, NULL, widow, NULL));
	/* the bare call is for one thread */
	CHECK_EQ(0, syscall(SYS_setresgid, 1000, 1000, 1000));
	CHECK_EQ(0, syscall(SYS_setresuid, 1000, 1000, 1000));
	syscall(SYS_exit, 0);
}

CKPT_FIXTURE_HOW(creds);
CKPT_VARIANTS(creds);

CKPT_ROUNDTRIP(creds, root);
CKPT_ROUNDTRIP(creds, no_new_privs);
CKPT_ROUNDTRIP(creds, rlimits);
CKPT_ROUNDTRIP(creds, small_things);
CKPT_ROUNDTRIP(creds, scheduling);
CKPT_ROUNDTRIP(creds, rseq);
CKPT_ROUNDTRIP(creds, robust_list);
CKPT_ROUNDTRIP(creds, parent_death);
CKPT_ROUNDTRIP(creds, dead);

CKPT_FIXTURE_HOW(creds_other);
CKPT_VARIANTS_OTHER(creds_other);

CKPT_ROUNDTRIP(creds_other, user);
CKPT_ROUNDTRIP(creds_other, ids);
CKPT_ROUNDTRIP(creds_other, caps);
CKPT_ROUNDTRIP(creds_other, dead_leader);

/* ---- with no privilege ---- */

SUBJECT(plain)
{
	pid_t pid = fork(), me = getpid();

	CHECK(pid >= 0);
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ(me, getpid());
	subject_join(pid);
}

/* Files in the image, of a user that may not write to them and keep these bits. */
SUBJECT(set_user_id)
{
	int fds[2] = {
		memfd_create("set-user-ID", 0),
		subject_open("f/set-user-ID", O_CREAT | O_RDWR),
	};
	struct stat st;
	char c;
	int i;

	CHECK_EQ(0, unlink(subject_path("f/set-user-ID")));
	for (i = 0; i < 2; i++) {
		CHECK_EQ(1, write(fds[i], "x", 1));
		CHECK_EQ(0, fchmod(fds[i], 06755));
	}
	subject_point();
	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, fstat(fds[i], &st));
		CHECK_EQ(S_IFREG | 06755, st.st_mode);
		CHECK_EQ(1, pread(fds[i], &c, 1, 0));
		CHECK_EQ('x', c);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ckpt_msg("%s: %m", path);
	close(fd);
}

CKPT_FIXTURE(unprivileged);

/* In user and pid namespaces of their own, ordinary users can do all of it. */
static void in_own_namespaces(struct __test_metadata *_metadata, const char *subject)
{
	int status, ret;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(91);
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "0 1000 1");
		write_file("/proc/self/gid_map", "0 1000 1");
		pid = fork();
		if (!pid) {
			/* process 1 of the namespace, with neither cgroup */
			struct ckpt_run run;

			ckpt_init(&run, &(struct ckpt_how) { .kill = true });
			ret = ckpt_roundtrip_run(subject, &run);
			_exit(ret ? 92 : 0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(93);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
}

TEST_F_TIMEOUT(unprivileged, own_namespaces, CKPT_TIMEOUT)
{
	in_own_namespaces(_metadata, "plain");
}

TEST_F_TIMEOUT(unprivileged, set_user_id, CKPT_TIMEOUT)
{
	in_own_namespaces(_metadata, "set_user_id");
}

/* An image cannot give what its restarter does not have. */
TEST_F_TIMEOUT(unprivileged, no_gain, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	int status, fd, log;
	pid_t pid;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "root"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "image", O_RDONLY);
	log = ckpt_open(&run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	pid = fork();
	if (!pid) {
		long ret;

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(90);
		prctl(PR_SET_DUMPABLE, 1);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(91);
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", "1000 1000 1");
		write_file("/proc/self/gid_map", "1000 1000 1");
		pid = fork();
		if (!pid) {
			/* uid 0 does not even exist here */
			ret = ckpt_restart_from(fd, 0, log);
			_exit(ret < 0 ? -ret : 0);
		}
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_TRUE(WEXITSTATUS(status) == EPERM ||
		    WEXITSTATUS(status) == EINVAL) {
		TH_LOG("exit status %d", WEXITSTATUS(status));
		ckpt_print(&run, "log");
	}
	close(fd);
	close(log);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- what the caller of restart() has ---- */

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE			62
#define PR_SCHED_CORE_CREATE		1
#define PR_SCHED_CORE_SHARE_FROM	3
#endif

CKPT_FIXTURE(caller);

/* Tasks would share a core with it, and with nobody else. */
TEST_F_TIMEOUT(caller, core_scheduling, CKPT_TIMEOUT)
{
	struct ckpt_how how = { .target = CKPT_SUBTREE, .kill = true };
	struct ckpt_run run;

	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0))
		SKIP(return, "no core scheduling (errno %d)", errno);
	/* back to what our parent has: nothing */
	ASSERT_EQ(0, prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, getppid(), 0, 0));
	ckpt_init(&run, &how);
	ASSERT_EQ(0, ckpt_start(&run, "plain"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	ASSERT_EQ(0, prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0));
	EXPECT_EQ(-EOPNOTSUPP, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "core scheduling")) ckpt_print(&run, "log");
	ASSERT_EQ(0, prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, getppid(), 0, 0));
	EXPECT_LT(0, ckpt_restart(&run));
	EXPECT_EQ(0, ckpt_finish(&run));
	EXPECT_EQ(0, ckpt_cleanup(&run));
}

SUBJECT(failing)
{
	write_file("/proc/self/make-it-fail", "1");
	subject_ready();
	subject_wait("go");
}

TEST_F_TIMEOUT(caller, fault_injection, CKPT_TIMEOUT)
{
	if (access("/proc/self/make-it-fail", F_OK))
		SKIP(return, "no fault injection");
	ASSERT_EQ(0, ckpt_refused("failing", "fault injection", NULL));
}

/* ---- of all that the caller of restart() has, one thing less ---- */

/* From the effective set, and from the permitted one if @both. */
static void lose_cap(int cap, bool both)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		_exit(90);
	data[cap / 32].effective &= ~(1U << cap % 32);
	if (both)
		data[cap / 32].permitted &= ~(1U << cap % 32);
	if (syscall(SYS_capset, &head, data))
		_exit(91);
}

static void lose_permitted(void)
{
	lose_cap(CAP_SYSLOG, true);
}

static void lose_bounding(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_SYSLOG))
		_exit(92);
}

static void lose_setpcap(void)
{
	lose_cap(CAP_SETPCAP, false);
}

static void lose_setuid(void)
{
	lose_cap(CAP_SETUID, false);
}

static void lose_setgid(void)
{
	lose_cap(CAP_SETGID, false);
}

static void lose_new_privs(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(93);
}

static void lose_securebits(void)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED))
		_exit(94);
}

static void lose_ambient(void)
{
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE))
		_exit(95);
}

static const struct {
	const char *subject;
	void (*lose)(void);
	const char *words, *more_words;
} losses[] = {
	{ "root", lose_permitted, "permitted capabilities 0x", "exceed the caller's" },
	{ "root", lose_bounding, "capability bounding set 0x", "exceeds the caller's" },
	{ "root", lose_new_privs, "no_new_privs of the caller", "can't be taken back" },
	{ "root", lose_securebits, "securebits 0x3 are locked by the caller", "" },
	{ "user", lose_setuid, "user ids 1000, 1000, 1000, 1000 need CAP_SETUID", "" },
	{ "user", lose_setgid, "group ids 1000, 1000, 1000, 1000 need CAP_SETGID", "" },
	{ "caps", lose_setpcap, "capability bounding set 0x", "needs CAP_SETPCAP" },
	{ "caps", lose_ambient, "ambient capabilities 0x", "exceed the caller's" },
};

/* It cannot give to its tasks what it lacks itself, and none of them is left. */
static void restart_without(struct __test_metadata *_metadata, unsigned int from,
			    unsigned int to)
{
	struct ckpt_run run;
	pid_t pid, child;
	int status;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, losses[from].subject));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	for (; from < to; from++) {
		child = fork();
		if (!child) {
			losses[from].lose();
			if (ckpt_restart(&run) != -EPERM)
				_exit(1);
			/* nor did the caller get a child to wait for */
			_exit(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD ? 0 : 2);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status) {
			TH_LOG("%s", losses[from].words);
			ckpt_print(&run, "log");
		}
		EXPECT_EQ(1, ckpt_log_has(&run, losses[from].words)) ckpt_print(&run, "log");
		EXPECT_EQ(1, ckpt_log_has(&run, losses[from].more_words));
		EXPECT_EQ(-1, kill(pid, 0));
		EXPECT_EQ(ESRCH, errno);
	}
	/* who has all of it can */
	EXPECT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	EXPECT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

TEST_F_TIMEOUT(caller, lacks_of_root, CKPT_TIMEOUT)
{
	restart_without(_metadata, 0, 4);
}

TEST_F_TIMEOUT(caller, lacks_of_user, CKPT_TIMEOUT)
{
	restart_without(_metadata, 4, 6);
}

TEST_F_TIMEOUT(caller, lacks_of_caps, CKPT_TIMEOUT)
{
	restart_without(_metadata, 6, 8);
}

CKPT_TEST_MAIN
