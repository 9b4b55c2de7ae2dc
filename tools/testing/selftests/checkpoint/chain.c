// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: again and again. What one round loses or adds, however
 * little, is there for the next one to lose or add to: so all images of a chain
 * of round trips are the same, but for what time itself changes, and the kernel
 * has no more objects afterwards than before.
 *
 * CKPT_ROUNDS in the environment says how many rounds (20 if not).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define SIG_GO		(SIGRTMIN + 5)
#define MEM_SIZE	(256 << 10)
#define NR_SLABS	512

/* ---- many kinds of state ---------------------------------------------- */

static void say(int fd, const void *data, size_t len)
{
	CHECK_EQ(len, write(fd, data, len));
}

static void hear(int fd, const void *data, size_t len)
{
	char buf[64] = "";

	CHECK(len <= sizeof(buf));
	CHECK_EQ(len, read(fd, buf, len));
	CHECK_MEM(data, buf, len);
}

/* Files, and what is none but has a descriptor. */
static struct {
	int file, append, deleted, memfd, dir, pipe[2], sv[2], dgram[2];
	int event, timer, absolute, signal, epoll, notify, ptm, pts, udp, tcp;
	int passed, fifo, pidfd;
	mqd_t mq;
} fds;

static int pass_fd(int sock, int fd)
{
	char c = 'p', buf[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0);
}

static int take_fd(int sock)
{
	char c, buf[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *cmsg;
	int fd = -1;

	CHECK_EQ(1, recvmsg(sock, &msg, 0));
	cmsg = CMSG_FIRSTHDR(&msg);
	CHECK(cmsg && cmsg->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static void make_files(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 3, .l_len = 4 };
	char *big = calloc(1, 20000);
	int other[2];

	fds.file = subject_open("f/file", O_CREAT | O_RDWR);
	CHECK(fds.file >= 0);
	say(fds.file, "0123456789", 10);
	CHECK_EQ(5, lseek(fds.file, 5, SEEK_SET));
	CHECK_EQ(0, fcntl(fds.file, F_SETLK, &lock));
	fds.append = subject_open("f/file", O_RDWR | O_APPEND | O_CLOEXEC);
	CHECK_EQ(0, flock(fds.append, LOCK_SH));
	fds.deleted = subject_open("f/deleted", O_CREAT | O_RDWR);
	say(fds.deleted, "gone", 4);
	CHECK_EQ(0, unlink(subject_path("f/deleted")));
	fds.memfd = memfd_create("chain", MFD_ALLOW_SEALING);
	say(fds.memfd, big, 20000);
	CHECK_EQ(0, fcntl(fds.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	fds.dir = subject_open("f", O_RDONLY | O_DIRECTORY);
	CHECK(fds.dir >= 0);

	CHECK_EQ(0, pipe2(fds.pipe, O_NONBLOCK));
	say(fds.pipe[1], "pipe", 4);
	say(fds.pipe[1], big, 5000);
	CHECK_EQ(0, mkfifo(subject_path("f/fifo"), 0600));
	fds.fifo = subject_open("f/fifo", O_RDWR);
	say(fds.fifo, "fifo", 4);

	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds.sv));
	say(fds.sv[0], "stream", 6);
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.dgram));
	/* one end of these is in a message only */
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other));
	say(other[0], "seq", 3);
	CHECK_EQ(1, pass_fd(fds.dgram[0], other[1]));
	close(other[1]);
	fds.passed = other[0];
	free(big);
}

static void make_network(void)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(40404),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	fds.udp = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(0, bind(fds.udp, (void *)&in, sizeof(in)));
	CHECK_EQ(3, sendto(fds.udp, "udp", 3, 0, (void *)&in, sizeof(in)));
	fds.tcp = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(0, setsockopt(fds.tcp, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 },
			       sizeof(int)));
	CHECK_EQ(0, bind(fds.tcp, (void *)&in, sizeof(in)));
	CHECK_EQ(0, listen(fds.tcp, 7));
}

static void make_events(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = 77 };
	struct itimerspec its = { .it_value.tv_sec = 100000, .it_interval.tv_sec = 9 };
	struct timespec now;
	sigset_t set;

	fds.event = eventfd(5, EFD_SEMAPHORE | EFD_NONBLOCK);
	fds.timer = timerfd_create(CLOCK_BOOTTIME, 0);
	CHECK_EQ(0, timerfd_settime(fds.timer, 0, &its, NULL));
	fds.absolute = timerfd_create(CLOCK_REALTIME, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	its.it_value.tv_sec = now.tv_sec + 100000;
	CHECK_EQ(0, timerfd_settime(fds.absolute, TFD_TIMER_ABSTIME, &its, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fds.signal = signalfd(-1, &set, SFD_NONBLOCK);
	fds.epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK_EQ(0, epoll_ctl(fds.epoll, EPOLL_CTL_ADD, fds.event, &ev));
	CHECK_EQ(0, epoll_ctl(fds.epoll, EPOLL_CTL_ADD, fds.pipe[0], &ev));
	CHECK_EQ(0, epoll_ctl(fds.epoll, EPOLL_CTL_ADD, fds.signal, &ev));
	fds.notify = inotify_init1(IN_NONBLOCK);
	CHECK_EQ(1, inotify_add_watch(fds.notify, subject_path("f"), IN_CREATE));
	close(subject_open("f/created", O_CREAT | O_WRONLY));
}

static void make_pty(void)
{
	char name[64];
	int zero = 0;

	fds.ptm = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(fds.ptm >= 0);
	CHECK_EQ(0, ioctl(fds.ptm, TIOCSPTLCK, &zero));
	CHECK_EQ(0, ptsname_r(fds.ptm, name, sizeof(name)));
	fds.pts = open(name, O_RDWR | O_NOCTTY);
	CHECK(fds.pts >= 0);
	say(fds.ptm, "typed\nhalf", 10);
	say(fds.pts, "shown", 5);
}

static struct { int shm, sem, msg; int *mem; } ipc;

static void make_ipc(void)
{
	struct { long type; char text[8]; } msg = { 3, "message" };
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };

	ipc.shm = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	ipc.mem = shmat(ipc.shm, NULL, 0);
	CHECK(ipc.mem != (void *)-1);
	ipc.mem[1] = 4711;
	ipc.sem = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	CHECK_EQ(0, semop(ipc.sem, &(struct sembuf){ 1, 6, SEM_UNDO }, 1));
	ipc.msg = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	CHECK_EQ(0, msgsnd(ipc.msg, &msg, 8, 0));
	fds.mq = mq_open("/chain", O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	CHECK(fds.mq >= 0);
	CHECK_EQ(0, mq_unlink("/chain"));
	CHECK_EQ(0, mq_send(fds.mq, "posix", 5, 8));
}

/* Memory, in pieces. */
static char *mem, *shared, *mapped, *locked;

static void make_memory(void)
{
	int i;

	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < MEM_SIZE; i += 4096)
		mem[i] = i >> 12 | 1;
	CHECK_EQ(0, mprotect(mem + 8192, 4096, PROT_READ));
	CHECK_EQ(0, madvise(mem + 16384, 8192, MADV_DONTFORK));
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem + 65536, 4096, "chain");
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared[5000] = 's';
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds.file, 0);
	CHECK(mapped != MAP_FAILED);
	mapped[1] = 'X';
	locked = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(0, mlock(locked, 4096));
	locked[0] = 'l';
}

static timer_t timer;

static void nothing(int sig)
{
	(void)sig;
}

static void make_signals(void)
{
	static char stack[16384];
	struct sigaction act = {
		.sa_handler = nothing, .sa_flags = SA_ONSTACK | SA_RESTART,
	};
	struct itimerspec its = { .it_value.tv_sec = 90000, .it_interval.tv_sec = 1 };
	struct itimerval itv = { .it_value.tv_sec = 80000 };
	struct sigevent sev = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 7,
		.sigev_value.sival_int = 99,
	};
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	sigset_t set;
	int i;

	sigaddset(&act.sa_mask, SIGHUP);
	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
	CHECK_EQ(0, sigaltstack(&ss, NULL));
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	CHECK_EQ(0, sigprocmask(SIG_SETMASK, &set, NULL));
	for (i = 0; i < 5; i++)
		CHECK_EQ(0, sigqueue(getpid(), SIGRTMIN + 6,
				     (union sigval){ .sival_int = i }));
	CHECK_EQ(0, raise(SIGWINCH));
	CHECK_EQ(0, timer_create(CLOCK_MONOTONIC, &sev, &timer));
	CHECK_EQ(0, timer_settime(timer, 0, &its, NULL));
	CHECK_EQ(0, setitimer(ITIMER_REAL, &itv, NULL));
	CHECK_EQ(0, setitimer(ITIMER_VIRTUAL, &itv, NULL));
}

/* Threads that wait, each in another way. */
static int futex_word;
static pthread_mutex_t pi_mutex;
static pthread_barrier_t barrier;

static long futex(int *word, int op, int val)
{
	return syscall(SYS_futex, word, op, val, NULL, NULL, 0);
}

static void *futex_thread(void *arg)
{
	CHECK_EQ(0, prctl(PR_SET_NAME, "chain-futex"));
	CHECK_EQ(0, pthread_mutex_lock(&pi_mutex));
	pthread_barrier_wait(&barrier);
	while (!READ_ONCE(futex_word))
		futex(&futex_word, FUTEX_WAIT_PRIVATE, 0);
	CHECK_EQ(0, pthread_mutex_unlock(&pi_mutex));
	return arg;
}

static void *pi_thread(void *arg)
{
	CHECK_EQ(0, prctl(PR_SET_NAME, "chain-pi"));
	CHECK_EQ(0, setpriority(PRIO_PROCESS, syscall(SYS_gettid), 5));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, pthread_mutex_lock(&pi_mutex));
	CHECK_EQ(0, pthread_mutex_unlock(&pi_mutex));
	return arg;
}

static void *sleep_thread(void *arg)
{
	struct timespec ts = { .tv_sec = 200000 };

	CHECK_EQ(0, prctl(PR_SET_NAME, "chain-sleep"));
	pthread_barrier_wait(&barrier);
	/* and does not want to know how much is left */
	nanosleep(&ts, NULL);
	return arg;
}

static pthread_t threads[2];

static void make_threads(void)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	CHECK_EQ(0, pthread_mutexattr_init(&attr));
	CHECK_EQ(0, pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	CHECK_EQ(0, pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK_EQ(0, pthread_mutex_init(&pi_mutex, &attr));
	CHECK_EQ(0, pthread_barrier_init(&barrier, NULL, 2));
	CHECK_EQ(0, pthread_create(&threads[0], NULL, futex_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, pthread_create(&threads[1], NULL, pi_thread, NULL));
	pthread_barrier_wait(&barrier);
	CHECK_EQ(0, pthread_create(&thread, NULL, sleep_thread, NULL));
	pthread_barrier_wait(&barrier);
}

/* Children, who wait for SIGKILL unless told otherwise. */
enum {
	IDLE, STOPPED, ZOMBIE, KILLED, SESSION, GROUP, FILTERED, OTHER_USER,
	POLLS, EPOLLS, VFORKS, SHARES, SEMOP, READS, NR_CHILDREN
};

static pid_t children[NR_CHILDREN];

static int shares(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
	return 0;
}

static void __noreturn child(int what)
{
	static alignas(16) char stack[16384];
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { .len = 1, .filter = &allow };
	struct pollfd pfd = { .fd = fds.event, .events = POLLPRI };
	struct epoll_event ev;
	char c;

	signal(SIGUSR1, SIG_IGN);
	switch (what) {
	case STOPPED:
		raise(SIGSTOP);
		break;
	case ZOMBIE:
		exit(42);
	case KILLED:
		kill(getpid(), SIGKILL);
		break;
	case SESSION:
		setsid();
		break;
	case GROUP:
		setpgid(0, 0);
		break;
	case FILTERED:
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
		break;
	case OTHER_USER:
		if (setresgid(1000, 1001, 1002) || setresuid(1000, 1000, 1000))
			_exit(1);
		prctl(PR_SET_DUMPABLE, 1);
		break;
	case POLLS:
		poll(&pfd, 1, 300000000);
		break;
	case EPOLLS:
		/* edges that are told once: nothing is there any more */
		while (epoll_wait(fds.epoll, &ev, 1, 0) > 0)
			;
		epoll_wait(fds.epoll, &ev, 1, 200000000);
		break;
	case VFORKS:
		if (!vfork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		break;
	case SHARES:
		clone(shares, stack + sizeof(stack),
		      CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
		break;
	case SEMOP:
		semop(ipc.sem, &(struct sembuf){ 2, -1, 0 }, 1);
		break;
	case READS:
		if (read(fds.sv[0], &c, 1))
			_exit(1);
		break;
	}
	for (;;)
		pause();
}

static void make_children(void)
{
	siginfo_t info;
	int i;

	for (i = 0; i < NR_CHILDREN; i++) {
		children[i] = fork();
		if (!children[i])
			child(i);
	}
	CHECK_EQ(0, waitid(P_PID, children[ZOMBIE], &info, WEXITED | WNOWAIT));
	CHECK_EQ(0, waitid(P_PID, children[KILLED], &info, WEXITED | WNOWAIT));
	CHECK_EQ(0, waitid(P_PID, children[STOPPED], &info, WSTOPPED | WNOWAIT));
	fds.pidfd = syscall(SYS_pidfd_open, children[IDLE], 0);
	CHECK(fds.pidfd >= 0);
}

static void check_state(void)
{
	struct { long type; char text[8]; } msg;
	struct itimerval itv;
	struct itimerspec its;
	struct pollfd pfd = { .fd = fds.pidfd, .events = POLLIN };
	siginfo_t info;
	uint64_t count;
	sigset_t set;
	char buf[64];
	int i, fd, status;

	CHECK_EQ(5, lseek(fds.file, 0, SEEK_CUR));
	CHECK_EQ(4, pread(fds.deleted, buf, sizeof(buf), 0));
	CHECK_MEM("gone", buf, 4);
	CHECK_EQ(F_SEAL_SHRINK, fcntl(fds.memfd, F_GET_SEALS));
	hear(fds.pipe[0], "pipe", 4);
	hear(fds.fifo, "fifo", 4);
	hear(fds.sv[1], "stream", 6);
	fd = take_fd(fds.dgram[1]);
	hear(fd, "seq", 3);
	hear(fds.udp, "udp", 3);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(8, read(fds.event, &count, 8));
		CHECK_EQ(1, count);
	}
	CHECK_EQ(-1, read(fds.event, &count, 8));
	CHECK_EQ(0, timerfd_gettime(fds.timer, &its));
	CHECK(its.it_value.tv_sec > 90000 && its.it_interval.tv_sec == 9);
	CHECK_EQ(0, timerfd_gettime(fds.absolute, &its));
	CHECK(its.it_value.tv_sec > 90000);
	CHECK(read(fds.notify, buf, sizeof(buf)) > 0);
	hear(fds.pts, "typed\n", 6);
	CHECK_EQ(4711, ipc.mem[1]);
	CHECK_EQ(6, semctl(ipc.sem, 1, GETVAL));
	CHECK_EQ(8, msgrcv(ipc.msg, &msg, 8, 3, IPC_NOWAIT));
	CHECK_MEM("message", msg.text, 8);
	CHECK_EQ(5, mq_receive(fds.mq, buf, 16, NULL));
	for (i = 0; i < MEM_SIZE; i += 4096)
		CHECK_EQ((char)(i >> 12 | 1), mem[i]);
	CHECK_EQ('s', shared[5000]);
	CHECK_EQ('X', mapped[1]);
	CHECK_EQ('l', locked[0]);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 6);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(SIGRTMIN + 6, sigtimedwait(&set, &info, &(struct timespec){}));
		CHECK_EQ(i, info.si_value.sival_int);
	}
	CHECK_EQ(0, timer_gettime(timer, &its));
	CHECK(its.it_value.tv_sec > 80000);
	CHECK_EQ(0, getitimer(ITIMER_REAL, &itv));
	CHECK(itv.it_value.tv_sec > 70000);
	WRITE_ONCE(futex_word, 1);
	futex(&futex_word, FUTEX_WAKE_PRIVATE, 1);
	CHECK_EQ(0, pthread_join(threads[0], NULL));
	CHECK_EQ(0, pthread_join(threads[1], NULL));

	CHECK_EQ(0, poll(&pfd, 1, 0));
	CHECK_EQ('T', ckpt_state(children[STOPPED]));
	CHECK_EQ(children[SESSION], getsid(children[SESSION]));
	CHECK_EQ(children[GROUP], getpgid(children[GROUP]));
	for (i = 0; i < NR_CHILDREN; i++) {
		if (i != ZOMBIE && i != KILLED) {
			CHECK_EQ(0, waitpid(children[i], &status, WNOHANG));
			CHECK_EQ(0, kill(children[i], SIGKILL));
		}
		CHECK_EQ(children[i], waitpid(children[i], &status, 0));
		CHECK_EQ(i == ZOMBIE ? 42 << 8 : SIGKILL, status);
	}
	CHECK_EQ(1, poll(&pfd, 1, 0));
	/* the children of VFORKS and SHARES are ours by now */
	for (i = 0; i < 2; i++) {
		CHECK(waitpid(-1, &status, __WALL) > 0);
		CHECK_EQ(SIGKILL, status);
	}
	CHECK_EQ(-1, waitpid(-1, &status, __WALL));
	shmctl(ipc.shm, IPC_RMID, NULL);
	semctl(ipc.sem, 0, IPC_RMID);
	msgctl(ipc.msg, IPC_RMID, NULL);
}

SUBJECT(many)
{
	siginfo_t info;
	sigset_t set;

	CHECK_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_EQ(0, prctl(PR_SET_TIMERSLACK, 77777));
	make_files();
	make_network();
	make_events();
	make_pty();
	make_ipc();
	make_memory();
	make_signals();
	make_threads();
	make_children();

	subject_ready();
	/* no polling: that leaves traces */
	sigemptyset(&set);
	sigaddset(&set, SIG_GO);
	CHECK_EQ(SIG_GO, sigwaitinfo(&set, &info));
	check_state();
}

/* ---- what the kernel has ---------------------------------------------- */

struct slab {
	char name[64];
	long objects;
};

struct resources {
	struct slab slabs[NR_SLABS];
	int nr_slabs;
	long files;
	long inodes;
	long tasks;
	long memory[4];		/* in KiB */
};

static const char * const memory_names[] = {
	"SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:",
};

/* Numeric entries are processes. */
static int count_tasks(void)
{
	DIR *proc = opendir("/proc"), *dir;
	char path[300], exe[PATH_MAX];
	struct dirent *de;
	int nr = 0;

	while (proc && (de = readdir(proc))) {
		if (!isdigit(de->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/exe", de->d_name);
		/* threads of the kernel come and go */
		if (readlink(path, exe, sizeof(exe)) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", de->d_name);
		dir = opendir(path);
		while (dir && readdir(dir))
			nr++;
		if (dir)
			closedir(dir);
	}
	if (proc)
		closedir(proc);
	return nr;
}

/* Gives back the slabs that processors keep, and tells what is in use. */
static void count_slabs(struct resources *r)
{
	char line[512], path[128], name[64];
	FILE *file = fopen("/proc/slabinfo", "r");
	struct slab *s;
	long active;
	int fd;

	r->nr_slabs = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", name, &active) != 2 ||
		    r->nr_slabs == NR_SLABS)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			if (write(fd, "1", 1) != 1)
				ckpt_msg("cannot shrink %s", name);
			close(fd);
		}
	}
	if (!file)
		return;
	rewind(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %ld", name, &active) != 2 ||
		    r->nr_slabs == NR_SLABS)
			continue;
		s = &r->slabs[r->nr_slabs++];
		snprintf(s->name, sizeof(s->name), "%s", name);
		s->objects = active;
	}
	fclose(file);
}

static void count_memory(struct resources *r)
{
	char text[8192], *p;
	int i;

	if (ckpt_slurp("/proc/meminfo", text, sizeof(text)) <= 0)
		return;
	for (i = 0; i < 4; i++) {
		p = strstr(text, memory_names[i]);
		if (p)
			r->memory[i] = atol(p + strlen(memory_names[i]));
	}
}

static void count_resources(struct resources *r)
{
	char text[128];

	/* what is freed after a grace period, or by a worker */
	ckpt_sleep_ms(500);
	if (ckpt_slurp("/proc/sys/vm/drop_caches", text, sizeof(text)) >= 0) {
		int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

		if (write(fd, "2", 1) != 1)
			ckpt_msg("cannot drop caches");
		close(fd);
	}
	ckpt_sleep_ms(200);
	memset(r, 0, sizeof(*r));
	if (ckpt_slurp("/proc/sys/fs/file-nr", text, sizeof(text)) > 0)
		r->files = atol(text);
	if (ckpt_slurp("/proc/sys/fs/inode-nr", text, sizeof(text)) > 0)
		r->inodes = atol(text);
	r->tasks = count_tasks();
	count_slabs(r);
	count_memory(r);
}

/*
 * Something that each round leaves behind is there at least once a round. What
 * others do meanwhile is little, and what counts in batches (file-nr, of
 * each processor) is off by a few dozens at most.
 */
static bool has_grown(const char *what, long before, long after, int rounds)
{
	if (after - before < (rounds < 40 ? rounds : 40 + (rounds - 40) / 4))
		return false;
	ckpt_msg("%s: %ld before, %ld after %d rounds", what, before, after,
		 rounds);
	return true;
}

static int resources_grown(const struct resources *before,
			   const struct resources *after, int rounds)
{
	int i, k, grown = 0;

	grown += has_grown("tasks", before->tasks, after->tasks, 1);
	grown += has_grown("open files", before->files, after->files, rounds);
	grown += has_grown("inodes", before->inodes, after->inodes, rounds);
	/* one that has not many objects yet gets a whole slab for each processor */
	for (i = 0; i < 4; i++)
		grown += has_grown(memory_names[i], before->memory[i],
				   after->memory[i] - 256, rounds);
	for (i = 0; i < after->nr_slabs; i++)
		for (k = 0; k < before->nr_slabs; k++)
			if (!strcmp(before->slabs[k].name, after->slabs[i].name))
				grown += has_grown(after->slabs[i].name,
						   before->slabs[k].objects,
						   after->slabs[i].objects,
						   rounds);
	return grown;
}

/* ---- the chain -------------------------------------------------------- */

/* Waits until all of the subject's threads sleep, are stopped or dead. */
static int wait_quiet(void)
{
	char path[600], text[512], self[PATH_MAX], exe[PATH_MAX], *p;
	uint64_t end = ckpt_now() + 60 * 1000000000ULL;
	struct dirent *de, *thread;
	bool busy;
	ssize_t n;

	n = readlink("/proc/self/exe", self, sizeof(self));
	do {
		DIR *proc = opendir("/proc");

		busy = false;
		while ((de = readdir(proc))) {
			DIR *dir;

			if (!isdigit(de->d_name[0]) || atoi(de->d_name) == getpid() ||
			    atoi(de->d_name) == getppid())
				continue;
			snprintf(path, sizeof(path), "/proc/%s/exe", de->d_name);
			if (readlink(path, exe, sizeof(exe)) != n ||
			    memcmp(exe, self, n))
				continue;
			snprintf(path, sizeof(path), "/proc/%s/task", de->d_name);
			dir = opendir(path);
			while (dir && (thread = readdir(dir))) {
				snprintf(path, sizeof(path), "/proc/%s/task/%s/stat",
					 de->d_name, thread->d_name);
				if (!isdigit(thread->d_name[0]) ||
				    ckpt_slurp(path, text, sizeof(text)) <= 0)
					continue;
				p = strrchr(text, ')');
				busy |= p && !strchr("SDTZ", p[2]);
			}
			if (dir)
				closedir(dir);
		}
		closedir(proc);
		if (busy)
			ckpt_sleep_ms(2);
	} while (busy && ckpt_now() < end);
	return busy ? -ETIMEDOUT : 0;
}

static int run_diff(const struct ckpt_run *run, const char *other)
{
	char path[2][160];
	int status, fd;
	pid_t pid;

	snprintf(path[0], sizeof(path[0]), "%s/%s", run->dir, other);
	snprintf(path[1], sizeof(path[1]), "%s/image", run->dir);
	pid = fork();
	if (!pid) {
		fd = ckpt_open(run, "diff", O_CREAT | O_TRUNC | O_WRONLY);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("ckptinfo", "ckptinfo", "diff", "--but-time", path[0],
		       path[1], NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

/*
 * After the first round, system calls that wait for some time are others: they
 * go on by restart_syscall(2), as after any stop. And who waits in vfork() has
 * the child's id as its result already. So the registers of some tasks differ,
 * and nothing else does.
 */
static bool only_registers(const struct ckpt_run *run)
{
	char path[160], text[8192], *line, *next = NULL;
	int nr = 0;

	snprintf(path, sizeof(path), "%s/diff", run->dir);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return false;
	for (line = strtok_r(text, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (line[0] != '~' || !strstr(line, ": cpu note 0x1 data:"))
			return false;
		nr++;
	}
	return nr <= 4;
}

CKPT_FIXTURE(chain);

TEST_F_TIMEOUT(chain, many, CKPT_TIMEOUT)
{
	static struct resources before, after;
	const char *env = getenv("CKPT_ROUNDS");
	int i, warm = 3, rounds = env ? atoi(env) : 20;
	struct ckpt_run run;
	char from[160], to[160];
	cpu_set_t set;
	pid_t pid;

	/* rseq tells the processor that a thread is on, in its memory */
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(set), &set));

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "many"));
	pid = run.pid;
	for (i = 0; i < rounds + warm; i++) {
		ASSERT_EQ(0, wait_quiet());
		ASSERT_EQ(0, ckpt_checkpoint(&run)) TH_LOG("round %d", i);
		snprintf(from, sizeof(from), "%s/image", run.dir);
		snprintf(to, sizeof(to), "%s/first", run.dir);
		if (i == warm)
			count_resources(&before);
		if (i) {
			int ret = run_diff(&run, "first");

			if (ret == 127)
				SKIP(goto out, "no ckptinfo");
			ASSERT_TRUE(!ret || (i == 1 && only_registers(&run))) {
				TH_LOG("image %d is not as the first one", i);
				ckpt_print(&run, "diff");
			}
		}
		/* the one to compare with; from now on that is another file */
		if (i < 2) {
			unlink(to);
			ASSERT_EQ(0, link(from, to));
		}
		run.pid = 0;
		ASSERT_EQ(pid, ckpt_restart(&run)) {
			TH_LOG("round %d", i);
			ckpt_print(&run, "log");
		}
		/* the image is written to anew */
		if (i < 2)
			ckpt_remove(&run, "image");
	}
	ASSERT_EQ(0, wait_quiet());
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	count_resources(&after);
	/* where freed memory is kept for a while, others look for leaks */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		EXPECT_EQ(0, resources_grown(&before, &after, rounds));
	run.pid = 0;
	ASSERT_EQ(pid, ckpt_restart(&run));
	ASSERT_EQ(0, kill(pid, SIG_GO));
out:
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
