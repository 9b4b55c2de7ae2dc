// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: a tree of tasks that does what a plan says. See random.c.
 *
 * The tasks take turns: each operation of the plan is done by one of them while
 * all others wait for their turn. So nothing depends on the scheduler, and two
 * runs of one plan come to the same results.
 *
 * Tasks may share their memory, but have no thread-local memory of their own.
 * So system calls are made without the C library, which would set errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
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
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "ckpt_util.h"
#include "random.h"

#define STACK_SIZE	(128 << 10)
#define SIG_WAKE	(SIGRTMIN + 8)	/* interrupts who does not wake up */
#define SIG_GO		(SIGRTMIN + 7)	/* what WAIT_SIGNAL waits for */
#define BUF_SIZE	(128 << 10)

/* What all tasks share; nobody outside does. */
struct board {
	atomic_uint turn;
	atomic_uint go;
	atomic_uint paused;
	atomic_uint alive[MAX_TASKS];
	atomic_uint awake[MAX_TASKS];
	pid_t tid[MAX_TASKS];
	pid_t tgid[MAX_TASKS];
	struct result slept[MAX_TASKS];
	struct result result[MAX_OPS];
	int mode[MAX_TASKS], mode_fd[MAX_TASKS], mode_arg[MAX_TASKS];
	int msg[8], sem[8], shm[8];
};

static struct board *board;
static struct plan plan;

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
#ifdef __x86_64__
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (nr), "D" (a), "S" (b), "d" (c), "r" (r10), "r" (r8),
		       "r" (r9)
		     : "rcx", "r11", "memory");
	return ret;
#else
	long ret = syscall(nr, a, b, c, d, e, f);

	return ret < 0 ? -errno : ret;
#endif
}

#define RAW(nr, a, b, c, d, e, f, ...) \
	raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(...) RAW(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static void nap(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	sys(SYS_nanosleep, &ts, NULL);
}

/* ---- small helpers ---- */

static void fill(unsigned char *buf, size_t len, uint32_t value)
{
	size_t i;

	for (i = 0; i < len; i++) {
		value = value * 1664525u + 1013904223u;
		buf[i] = value >> 24;
	}
}

/* The stack of a task that shares its memory is small. */
static unsigned char *scratch(void)
{
	void *p = (void *)sys(SYS_mmap, NULL, BUF_SIZE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (unsigned long)p > -4096UL ? NULL : p;
}

static const char *in_dir(char *buf, const char *prefix, int number)
{
	sprintf(buf, "%s/f/%s%d", subject_dir, prefix, number);
	return buf;
}

/* Puts a new descriptor where the plan wants it. */
static long place(long fd, int where, int flags)
{
	long ret;

	if (fd < 0 || fd == where)
		return fd;
	ret = sys(SYS_dup3, fd, where, flags & O_CLOEXEC);
	sys(SYS_close, fd);
	return ret;
}

static long place2(long ret, const int *fds, const struct op *op, int flags)
{
	int a, b;

	if (ret < 0)
		return ret;
	/* out of the way of each other */
	a = sys(SYS_fcntl, fds[0], F_DUPFD, 950);
	b = sys(SYS_fcntl, fds[1], F_DUPFD, 950);
	sys(SYS_close, fds[0]);
	sys(SYS_close, fds[1]);
	ret = place(a, op->a, flags);
	if (ret >= 0)
		ret = place(b, op->b, flags);
	return ret < 0 ? ret : 0;
}

static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	sys(SYS_poll, &p, 1, ms);
	return p.revents;
}

static int set_nonblock(int fd)
{
	int flags = sys(SYS_fcntl, fd, F_GETFL, 0);

	if (flags >= 0 && !(flags & O_NONBLOCK))
		sys(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
	return flags;
}

static void set_back(int fd, int flags)
{
	if (flags >= 0 && !(flags & O_NONBLOCK))
		sys(SYS_fcntl, fd, F_SETFL, flags);
}

static socklen_t address(struct sockaddr_storage *ss, int fd, int name, int how)
{
	struct sockaddr_un *un = (void *)ss;
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;
	socklen_t len = sizeof(int);
	int domain = AF_UNIX;

	memset(ss, 0, sizeof(*ss));
	sys(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	if (domain == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(5000 + name);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*in);
	}
	if (domain == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(5000 + name);
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	un->sun_family = AF_UNIX;
	if (how) {
		sprintf(un->sun_path + 1, "ckpt-random-%d", name);
		return offsetof(struct sockaddr_un, sun_path) + 1 +
		       strlen(un->sun_path + 1);
	}
	in_dir(un->sun_path, "s", name);
	return sizeof(*un);
}

static uint32_t hash_fd(uint32_t hash, int fd)
{
	unsigned char buf[64];
	struct stat st;
	long n;

	if (sys(SYS_fstat, fd, &st) < 0)
		return hash;
	hash = hash_add(hash, &st.st_mode, sizeof(st.st_mode));
	if (S_ISREG(st.st_mode)) {
		n = sys(SYS_pread64, fd, buf, sizeof(buf), 0);
		if (n > 0)
			hash = hash_add(hash, buf, n);
	} else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
		int left = 0;

		sys(SYS_ioctl, fd, FIONREAD, &left);
		hash = hash_add(hash, &left, sizeof(left));
	}
	return hash;
}

/* ---- operations ---- */

static int task_main(void *arg);

static long op_fork(const struct op *op, int *child)
{
	unsigned long flags = op->b & ~FORK_THREAD;
	long pid;

	*child = -1;
	if (!(op->b & FORK_THREAD))
		flags |= SIGCHLD;
	if (flags & CLONE_VM) {
		void *stack = (void *)sys(SYS_mmap, NULL, STACK_SIZE,
					  PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if ((unsigned long)stack > -4096UL)
			return (long)stack;
		pid = clone(task_main, stack + STACK_SIZE, flags,
			    (void *)(long)(op - plan.op));
	} else {
		pid = sys(SYS_clone, flags, 0, 0, 0, 0);
		if (!pid)
			*child = op->a;
	}
	return pid > 0 ? 0 : pid;
}

static long op_small(const struct op *op)
{
	struct rlimit rlim;
	stack_t ss = { .ss_sp = (void *)0x200000000000UL + op->v, .ss_size = 1 << 16 };
	static struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog allow_all = { 1, &allow };
	char path[PATH_MAX], text[32];
	unsigned long cpus;
	long fd;

	switch (op->a) {
	case 0:
		sprintf(text, "task-%u", op->v);
		return sys(SYS_prctl, PR_SET_NAME, text);
	case 1:
		return sys(SYS_umask, op->v & 0777) * 0;
	case 2:
		return sys(SYS_chdir, in_dir(path, "d", op->v % 4));
	case 3:
		return sys(SYS_setpriority, PRIO_PROCESS, 0, op->v % 20);
	case 4:
		rlim.rlim_cur = 1 << 20 | op->v;
		rlim.rlim_max = 1 << 24;
		return sys(SYS_prlimit64, 0, RLIMIT_CORE, &rlim, NULL);
	case 5:
		return sys(SYS_prctl, PR_SET_PDEATHSIG, op->v % 2 ? SIGUSR1 : SIGUSR2);
	case 6:
		return sys(SYS_prctl, PR_SET_TIMERSLACK, 100000 + op->v);
	case 7:
		return sys(SYS_sigaltstack, &ss, NULL);
	case 8:
		return sys(SYS_prctl, PR_SET_DUMPABLE, op->v % 2);
	case 9:
		return sys(SYS_prctl, PR_SET_CHILD_SUBREAPER, op->v % 2);
	case 10:
		fd = sys(SYS_open, "/proc/self/oom_score_adj", O_WRONLY);
		sprintf(text, "%u", op->v % 900);
		sys(SYS_write, fd, text, strlen(text));
		return sys(SYS_close, fd);
	case 11:
		return sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	case 12: {
		struct sched_param param = { .sched_priority = 0 };

		return sys(SYS_sched_setscheduler, 0, op->v % 2 ? SCHED_BATCH : SCHED_IDLE,
			   &param);
	}
	case 13:
		return sys(SYS_setresgid, op->v % 5, op->v % 7, -1);
	case 15:
		/* one that looks at nothing, and allows all */
		sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		return sys(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &allow_all);
	case 16:
		return sys(SYS_prctl, PR_SET_THP_DISABLE, op->v % 2, 0, 0, 0);
	case 17:
		return sys(SYS_ioprio_set, 1, 0, 2 << 13 | op->v % 8);
	case 18:
		cpus = 1UL << op->v % 2;
		return sys(SYS_sched_setaffinity, 0, sizeof(cpus), &cpus);
	case 14:
		return sys(SYS_personality, 0x1000000 /* SHORT_INODE */);
	}
	return -EINVAL;
}

static void no_handler(int sig)
{
}

/* As the kernel has it. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

#ifdef __x86_64__
asm(".text\nraw_restorer:\n\tmov $15, %eax\n\tsyscall\n");
#else
#define raw_restorer NULL
#endif

static long set_handler(int sig, void *handler, unsigned long flags)
{
	struct kernel_action sa = {
		.handler = handler,
		.flags = flags | 0x04000000 /* SA_RESTORER */,
		.restorer = (void *)raw_restorer,
		.mask = 1UL << (SIGUSR1 - 1),
	};

	return sys(SYS_rt_sigaction, sig, &sa, NULL, 8);
}

static long op_sigdrain(uint32_t *hash)
{
	struct timespec zero = { };
	unsigned long all = ~(1UL << (SIG_WAKE - 1) | 1UL << (SIGCHLD - 1));
	siginfo_t info;
	long ret, nr = 0;

	while (nr < 100) {
		memset(&info, 0, sizeof(info));
		ret = sys(SYS_rt_sigtimedwait, &all, &info, &zero, 8);
		if (ret < 0)
			break;
		nr++;
		*hash = hash_add(*hash, &info.si_signo, sizeof(int));
		*hash = hash_add(*hash, &info.si_code, sizeof(int));
		if (info.si_code == SI_QUEUE)
			*hash = hash_add(*hash, &info.si_value, sizeof(int));
		if (info.si_code <= 0 && info.si_code != SI_TIMER)
			*hash = hash_add(*hash, &info.si_pid, sizeof(int));
		if (info.si_code > 0)
			*hash = hash_add(*hash, &info.si_fd, sizeof(int));
	}
	return nr;
}

static long op_queue(const struct op *op)
{
	siginfo_t info = {
		.si_signo = op->b,
		.si_code = SI_QUEUE,
	};

	info.si_pid = board->tgid[op->task];
	info.si_value.sival_int = op->v;
	if (!board->alive[op->a])
		return -ESRCH;
	if (op->c)
		return sys(SYS_rt_tgsigqueueinfo, board->tgid[op->a],
			   board->tid[op->a], op->b, &info);
	return sys(SYS_rt_sigqueueinfo, board->tgid[op->a], op->b, &info);
}

static long op_timer(const struct op *op)
{
	static const int clocks[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
		CLOCK_PROCESS_CPUTIME_ID,
	};
	struct sigevent ev = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = op->b,
		.sigev_value.sival_int = 4711,
	};
	struct itimerspec its = { .it_value.tv_sec = op->c };
	int id = -1;
	long ret = sys(SYS_timer_create, clocks[op->a % 4], &ev, &id);

	if (ret < 0)
		return ret;
	sys(SYS_timer_settime, id, 0, &its, NULL);
	return id;
}

static long op_file(const struct op *op, unsigned char *buf)
{
	char path[PATH_MAX];
	long fd, ret;

	fd = sys(SYS_open, in_dir(path, "r", op->a), O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (fd < 0)
		return fd;
	fill(buf, op->c, op->v);
	ret = sys(SYS_write, fd, buf, op->c);
	sys(SYS_close, fd);
	return ret;
}

static long op_open(const struct op *op)
{
	char path[PATH_MAX];
	long fd = place(sys(SYS_open, in_dir(path, "r", op->b), op->c, 0640),
			op->a, op->c);

	if (fd >= 0 && op->d)
		sys(SYS_lseek, fd, op->d, SEEK_SET);
	return fd;
}

static long op_dir(const struct op *op, unsigned char *buf)
{
	char path[PATH_MAX];
	long fd = place(sys(SYS_open, in_dir(path, "d", op->b),
			    O_RDONLY | O_DIRECTORY | (op->c & O_CLOEXEC)), op->a, op->c);

	if (fd >= 0 && op->d)
		sys(SYS_getdents64, fd, buf, 24 * op->d);
	return fd;
}

static long op_getdents(const struct op *op, unsigned char *buf, uint32_t *hash)
{
	long n = sys(SYS_getdents64, op->a, buf, 4096), at, nr = 0;

	if (n < 0)
		return n;
	for (at = 0; at < n; nr++) {
		/* struct linux_dirent64 */
		*hash = hash_add(*hash, buf + at + 18, strlen((char *)buf + at + 18));
		at += *(unsigned short *)(buf + at + 16);
	}
	return nr;
}

static long op_tmpfile(const struct op *op, unsigned char *buf)
{
	char path[PATH_MAX];
	long fd;

	sprintf(path, "%s/f", subject_dir);
	fd = place(sys(SYS_open, path, O_TMPFILE | O_RDWR | op->c, 0600), op->a, op->c);
	if (fd < 0)
		return fd;
	fill(buf, op->d, op->v);
	return sys(SYS_write, fd, buf, op->d);
}

static long op_memfd(const struct op *op, unsigned char *buf)
{
	long fd = place(sys(SYS_memfd_create, "random", op->c), op->a,
			op->c & MFD_CLOEXEC ? O_CLOEXEC : 0);

	if (fd < 0)
		return fd;
	fill(buf, op->d, op->v);
	return sys(SYS_write, fd, buf, op->d);
}

static long op_lock(const struct op *op, int cmd)
{
	struct flock lock = {
		.l_type = op->b,
		.l_start = op->c,
		.l_len = op->d,
	};

	return sys(SYS_fcntl, op->a, cmd, &lock);
}

static long op_testlock(const struct op *op, uint32_t *hash)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_start = op->c,
		.l_len = op->d,
	};
	long ret = sys(SYS_fcntl, op->a, F_GETLK, &lock);
	int v[3] = { lock.l_type, lock.l_start, lock.l_len };

	*hash = hash_add(*hash, v, sizeof(v));
	lock.l_type = F_WRLCK;
	lock.l_start = op->c;
	lock.l_len = op->d;
	lock.l_pid = 0;
	v[0] = sys(SYS_fcntl, op->a, F_OFD_GETLK, &lock);
	v[1] = lock.l_type;
	v[2] = lock.l_start;
	*hash = hash_add(*hash, v, sizeof(v));
	return ret;
}

static long op_pipe(const struct op *op)
{
	int fds[2];
	long ret = place2(sys(SYS_pipe2, fds, op->c), fds, op, op->c);

	if (ret >= 0 && op->d)
		sys(SYS_fcntl, op->b, F_SETPIPE_SZ, op->d);
	return ret;
}

static long op_timerfd(const struct op *op)
{
	static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	struct itimerspec its = {
		.it_value.tv_sec = op->d,
		.it_interval.tv_sec = op->v,
	};
	long fd = place(sys(SYS_timerfd_create, clocks[op->b % 3], op->c), op->a, op->c);

	if (fd < 0)
		return fd;
	return sys(SYS_timerfd_settime, fd, 0, &its, NULL);
}

static long op_timerfd_get(const struct op *op, uint32_t *hash)
{
	struct itimerspec its = { };
	long ret = sys(SYS_timerfd_gettime, op->a, &its);
	long v[2] = { !!its.it_value.tv_sec, its.it_interval.tv_sec };

	*hash = hash_add(*hash, v, sizeof(v));
	return ret;
}

static long op_epctl(const struct op *op)
{
	struct epoll_event ev = { .events = op->c, .data.u32 = op->v };

	return sys(SYS_epoll_ctl, op->a, op->d, op->b, &ev);
}

static long epwait(int fd, int max, int ms, uint32_t *hash)
{
	struct epoll_event ev[16];
	long ret, i;

	ret = sys(SYS_epoll_wait, fd, ev, max < 16 ? max : 16, ms);
	for (i = 0; i < ret; i++) {
		uint32_t v[2] = { ev[i].events, ev[i].data.u32 };

		*hash = hash_add(*hash, v, sizeof(v));
	}
	return ret;
}

static long op_pty(const struct op *op)
{
	struct termios t;
	int fds[2], zero = 0, number = 0;
	char path[32];
	long ret;

	fds[0] = sys(SYS_open, "/dev/ptmx", O_RDWR | O_NOCTTY | op->c);
	if (fds[0] < 0)
		return fds[0];
	sys(SYS_ioctl, fds[0], TIOCSPTLCK, &zero);
	sys(SYS_ioctl, fds[0], TIOCGPTN, &number);
	sprintf(path, "/dev/pts/%d", number);
	fds[1] = sys(SYS_open, path, O_RDWR | O_NOCTTY | op->c);
	if (op->d) {
		/* struct termios of the C library begins as the kernel's does */
		memset(&t, 0, sizeof(t));
		sys(SYS_ioctl, fds[1], TCGETS, &t);
		if (op->d & 1)
			t.c_lflag &= ~ICANON;
		if (op->d & 2)
			t.c_lflag &= ~ECHO;
		if (op->d & 4)
			t.c_oflag &= ~OPOST;
		sys(SYS_ioctl, fds[1], TCSETS, &t);
	}
	ret = place2(0, fds, op, op->c);
	return ret;
}

static long op_ttyset(const struct op *op)
{
	struct winsize ws = { .ws_row = op->v, .ws_col = op->v + 7 };
	struct termios t;
	int on = op->v & 1;

	switch (op->b) {
	case 0:
		return sys(SYS_ioctl, op->a, TIOCSWINSZ, &ws);
	case 1:
		memset(&t, 0, sizeof(t));
		if (sys(SYS_ioctl, op->a, TCGETS, &t) < 0)
			return -ENOTTY;
		t.c_cc[VERASE] = op->v;
		t.c_iflag ^= ISTRIP;
		return sys(SYS_ioctl, op->a, TCSETS, &t);
	case 2:
		return sys(SYS_ioctl, op->a, TIOCPKT, &on);
	default:
		return sys(SYS_ioctl, op->a, TIOCEXCL, 0);
	}
}

static const char *queue_name(char *buf, int nr)
{
	/* without the slash of mq_open(3) */
	sprintf(buf, "random-%d", nr);
	return buf;
}

static long op_mqopen(const struct op *op)
{
	struct mq_attr attr = { .mq_maxmsg = 6, .mq_msgsize = 256 };
	char name[32];

	return place(sys(SYS_mq_open, queue_name(name, op->b), op->c | O_CREAT, 0600, &attr),
		     op->a, op->c);
}

static long op_mqnotify(const struct op *op)
{
	struct sigevent ev = {
		.sigev_notify = op->b ? SIGEV_SIGNAL : SIGEV_NONE,
		.sigev_signo = op->b,
		.sigev_value.sival_int = 4712,
	};

	return sys(SYS_mq_notify, op->a, &ev);
}

static long op_sendfd(const struct op *op, unsigned char *buf)
{
	char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { buf, op->c ?: 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = op->b;

	memset(control, 0, sizeof(control));
	fill(buf, iov.iov_len, op->v);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (op->d) {
		struct ucred cred = { board->tgid[op->task], 0, 0 };

		msg.msg_controllen += CMSG_SPACE(sizeof(cred));
		cmsg = CMSG_NXTHDR(&msg, cmsg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_CREDENTIALS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(cred));
		memcpy(CMSG_DATA(cmsg), &cred, sizeof(cred));
	}
	return sys(SYS_sendmsg, op->a, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static long op_sendto(const struct op *op, unsigned char *buf)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, op->a, op->b, op->d & 1);

	fill(buf, op->c, op->v);
	return sys(SYS_sendto, op->a, buf, op->c, MSG_DONTWAIT | MSG_NOSIGNAL, &ss, len);
}

static long op_recv(const struct op *op, unsigned char *buf, uint32_t *hash)
{
	char control[256];
	struct sockaddr_storage ss;
	struct iovec iov = { buf, 4096 };
	struct msghdr msg = {
		.msg_name = &ss,
		.msg_namelen = sizeof(ss),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fds[32], nr, i;
	long ret;

	memset(&ss, 0, sizeof(ss));
	readable(op->a, op->c);
	ret = sys(SYS_recvmsg, op->a, &msg, MSG_DONTWAIT);
	if (ret < 0)
		return ret;
	*hash = hash_add(*hash, buf, ret);
	*hash = hash_add(*hash, &msg.msg_flags, sizeof(msg.msg_flags));
	*hash = hash_add(*hash, &msg.msg_namelen, sizeof(msg.msg_namelen));
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		*hash = hash_add(*hash, &cmsg->cmsg_type, sizeof(int));
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS)
			*hash = hash_add(*hash, CMSG_DATA(cmsg), sizeof(struct ucred));
		if (cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (nr > 32)
			nr = 32;
		memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(int));
		for (i = 0; i < nr; i++) {
			*hash = hash_fd(*hash, fds[i]);
			if (op->b && !i)
				place(fds[i], op->b, 0);
			else
				sys(SYS_close, fds[i]);
		}
	}
	return ret;
}

static long op_accept(const struct op *op, uint32_t *hash)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	long ret;

	memset(&ss, 0, sizeof(ss));
	if (!(readable(op->a, 20) & POLLIN))
		return -EAGAIN;
	ret = sys(SYS_accept4, op->a, &ss, &len, 0);
	if (ret < 0)
		return ret;
	*hash = hash_add(*hash, &len, sizeof(len));
	return place(ret, op->b, 0);
}

static long op_sockopt(const struct op *op)
{
	struct timeval tv = { .tv_sec = 100 + op->v };
	int level = SOL_SOCKET, value = op->v & 1;
	struct linger linger = { value, 5 };

	switch (op->b) {
	case 0:
		return sys(SYS_setsockopt, op->a, level, SO_PASSCRED, &value, sizeof(value));
	case 1:
		value = 4096 + op->v;
		return sys(SYS_setsockopt, op->a, level, SO_SNDBUF, &value, sizeof(value));
	case 2:
		value = 8192 + op->v;
		return sys(SYS_setsockopt, op->a, level, SO_RCVBUF, &value, sizeof(value));
	case 3:
		return sys(SYS_setsockopt, op->a, level, SO_RCVTIMEO, &tv, sizeof(tv));
	case 4:
		return sys(SYS_setsockopt, op->a, level, SO_LINGER, &linger, sizeof(linger));
	case 5:
		value = 1 + op->v % 100;
		return sys(SYS_setsockopt, op->a, level, SO_RCVLOWAT, &value, sizeof(value));
	case 6:
		return sys(SYS_setsockopt, op->a, level, SO_KEEPALIVE, &value, sizeof(value));
	default:
		return sys(SYS_setsockopt, op->a, level, SO_TIMESTAMP, &value, sizeof(value));
	}
}

static long op_write(const struct op *op, unsigned char *buf)
{
	int flags = set_nonblock(op->a);
	uint64_t add = 1 + op->v % 5;
	struct stat st;
	char link[64], name[64] = "";
	long ret;

	if (flags < 0)
		return flags;
	sys(SYS_fstat, op->a, &st);
	sprintf(link, "/proc/self/fd/%d", op->a);
	sys(SYS_readlink, link, name, sizeof(name) - 1);
	fill(buf, op->c, op->v);
	if (S_ISCHR(st.st_mode)) {
		long i;

		/* nothing that a terminal takes for a command */
		for (i = 0; i < op->c; i++)
			buf[i] = i + 1 == op->c ? '\n' : 'a' + buf[i] % 26;
	}
	if (strstr(name, "[eventfd]"))
		ret = sys(SYS_write, op->a, &add, sizeof(add));
	else
		ret = sys(SYS_write, op->a, buf, op->c);
	set_back(op->a, flags);
	/* a worker of the kernel takes it to the other side */
	if (S_ISCHR(st.st_mode) && strstr(name, "/pt"))
		nap(50);
	return ret;
}

static long op_read(const struct op *op, unsigned char *buf, uint32_t *hash)
{
	char link[64], name[64] = "";
	int flags;
	long ret;

	readable(op->a, op->d);
	flags = set_nonblock(op->a);
	if (flags < 0)
		return flags;
	memset(buf, 0, 64);
	ret = sys(SYS_read, op->a, buf, op->c);
	set_back(op->a, flags);
	sprintf(link, "/proc/self/fd/%d", op->a);
	sys(SYS_readlink, link, name, sizeof(name) - 1);
	if (ret > 0 && !strstr(name, "random"))
		*hash = hash_add(*hash, buf, ret);
	return ret;
}

static long op_setown(const struct op *op)
{
	struct f_owner_ex owner = { F_OWNER_TID, board->tid[op->b] };
	int flags = sys(SYS_fcntl, op->a, F_GETFL, 0);
	long ret;

	if (flags < 0)
		return flags;
	if (!board->tid[op->b])
		return -ESRCH;
	if (op->v & 1)
		owner = (struct f_owner_ex) { F_OWNER_PID, board->tgid[op->b] };
	ret = sys(SYS_fcntl, op->a, F_SETOWN_EX, &owner);
	if (op->c)
		sys(SYS_fcntl, op->a, F_SETSIG, op->c);
	if (op->d)
		sys(SYS_fcntl, op->a, F_SETFL, flags | O_ASYNC);
	return ret;
}

static void *slot(int nr, long page)
{
	return (void *)(SLOT_ADDR + nr * SLOT_SIZE + page * 4096);
}

/* A write that fails where it would kill. */
static long poke(int nr, long page, long pages, uint32_t value, unsigned char *buf)
{
	struct iovec to = { slot(nr, page), pages * 4096 };
	struct iovec from = { buf, pages * 4096 };

	if (pages * 4096 > BUF_SIZE)
		return -EINVAL;
	fill(buf, pages * 4096, value);
	return sys(SYS_process_vm_writev, sys(SYS_gettid), &from, 1, &to, 1, 0);
}

static long op_mmap(const struct op *op, unsigned char *buf)
{
	/* how: 1 shared, 2 read only, 4 grows down, 8 no reserve */
	int prot = op->c & 2 ? PROT_READ : PROT_READ | PROT_WRITE;
	int flags = op->c & 1 ? MAP_SHARED : MAP_PRIVATE;
	long ret;

	flags |= MAP_FIXED_NOREPLACE;
	if (op->b < 0)
		flags |= MAP_ANONYMOUS;
	if (op->c & 8)
		flags |= MAP_NORESERVE;
	ret = sys(SYS_mmap, slot(op->a, 0), op->d * 4096, prot, flags, op->b, 0);
	if (ret < 0)
		return ret;
	if (op->v)
		return poke(op->a, 0, 1, op->v, buf);
	return 0;
}

static long op_peek(const struct op *op, unsigned char *buf, uint32_t *hash)
{
	long page, nr = 0, n;

	for (page = 0; page < 16; page++) {
		struct iovec from = { slot(op->a, page), 4096 };
		struct iovec to = { buf, 4096 };

		n = sys(SYS_process_vm_readv, sys(SYS_gettid), &to, 1, &from, 1, 0);
		*hash = hash_add(*hash, &n, sizeof(n));
		if (n <= 0)
			continue;
		nr++;
		*hash = hash_add(*hash, buf, n);
	}
	return nr;
}

static long op_madvise(const struct op *op)
{
	static const int advices[] = {
		MADV_DONTFORK, MADV_WIPEONFORK, MADV_DONTDUMP, MADV_SEQUENTIAL,
		MADV_RANDOM, MADV_DONTNEED,
	};

	return sys(SYS_madvise, slot(op->a, op->c), op->d * 4096, advices[op->b % 6]);
}

static long op_shm(const struct op *op)
{
	long id = sys(SYS_shmget, 0x5000 + op->a, op->d * 4096, IPC_CREAT | 0600);
	long ret;

	if (id < 0)
		return id;
	board->shm[op->a] = id + 1;
	ret = sys(SYS_shmat, id, slot(op->b, 0), op->c);
	return ret < 0 ? ret : 0;
}

static long op_semop(const struct op *op, int nowait)
{
	struct sembuf sop = { op->b, op->d, nowait | (op->c ? SEM_UNDO : 0) };

	return sys(SYS_semop, board->sem[op->a] - 1, &sop, 1);
}

static long op_semget(const struct op *op, uint32_t *hash)
{
	unsigned short values[32];
	long ret = sys(SYS_semctl, board->sem[op->a] - 1, 0, GETALL, values);

	if (ret >= 0)
		*hash = hash_add(*hash, values, op->b * sizeof(values[0]));
	return ret;
}

struct message {
	long type;
	unsigned char text[1024];
};

static long op_msgsnd(const struct op *op)
{
	struct message msg = { .type = op->d };

	fill(msg.text, op->c, op->v);
	return sys(SYS_msgsnd, board->msg[op->a] - 1, &msg, op->c, IPC_NOWAIT);
}

static long op_msgrcv(const struct op *op, int nowait, uint32_t *hash)
{
	struct message msg;
	long ret = sys(SYS_msgrcv, board->msg[op->a] - 1, &msg, sizeof(msg.text), op->b,
		       nowait);

	if (ret >= 0) {
		*hash = hash_add(*hash, &msg.type, sizeof(msg.type));
		*hash = hash_add(*hash, msg.text, ret);
	}
	return ret;
}

/* Its state, or X if it is no more. */
static char state_of(int task)
{
	char path[64], text[256];
	char *p;
	long fd, n;

	sprintf(path, "/proc/%d/stat", board->tid[task]);
	fd = sys(SYS_open, path, O_RDONLY);
	if (fd < 0)
		return 'X';
	n = sys(SYS_read, fd, text, sizeof(text) - 1);
	sys(SYS_close, fd);
	if (n <= 0)
		return 'X';
	text[n] = 0;
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}

static long op_gone(int task)
{
	char state;
	int i;

	if (board->alive[task])
		return -EBUSY;
	for (i = 0; i < 30000; i++) {
		state = state_of(task);
		if (state == 'Z' || state == 'X')
			return 0;
		nap(1);
	}
	return -ETIMEDOUT;
}

static long op_awake(const struct op *op)
{
	int i;

	if (!board->alive[op->a] || !board->mode[op->a])
		return -ESRCH;
	/* where all is slow, it may be awake, and not have come far */
	for (i = 0; i < 1500 || (i < 15000 && state_of(op->a) == 'R'); i++) {
		if (board->awake[op->a])
			return 0;
		/* the first moments are the likely ones */
		nap(i < 20 ? 1 : 2);
	}
	sys(SYS_tgkill, board->tgid[op->a], board->tid[op->a], SIG_WAKE);
	for (i = 0; i < 15000 && !board->awake[op->a]; i++)
		nap(2);
	return -ETIMEDOUT;
}

static long op_waitid(const struct op *op, uint32_t *hash)
{
	siginfo_t info;
	long ret;

	memset(&info, 0, sizeof(info));
	if (!board->tid[op->a])
		return -ESRCH;
	ret = sys(SYS_waitid, P_PID, board->tid[op->a], &info,
		  WEXITED | WSTOPPED | WCONTINUED | WNOHANG, NULL);
	/* when the news of SIGCONT come is a matter of time */
	if (info.si_code == CLD_CONTINUED || info.si_code == CLD_STOPPED)
		return 0;
	*hash = hash_add(*hash, &info.si_pid, sizeof(int));
	*hash = hash_add(*hash, &info.si_code, sizeof(int));
	*hash = hash_add(*hash, &info.si_status, sizeof(int));
	return ret;
}

/* Returns what came of it; in a child of fork(), *child is its number. */
static long run_op(const struct op *op, uint32_t *hash, int *child)
{
	unsigned char *buf;
	char path[PATH_MAX];
	struct sockaddr_storage ss;
	struct itimerval itv = { };
	struct itimerspec its = { };
	unsigned long mask;
	int fds[2];
	long ret = -EINVAL;

	switch (op->kind) {
	/* these come before the scratch memory is there */
	case OP_FORK:
		return op_fork(op, child);
	case OP_NOP:
		return 0;
	}

	buf = scratch();
	if (!buf)
		return -ENOMEM;
	switch (op->kind) {
	case OP_GONE:
		ret = op_gone(op->a);
		break;
	case OP_SETSID:
		ret = sys(SYS_setsid);
		if (ret > 0)
			ret = 0;
		break;
	case OP_SETPGID:
		ret = sys(SYS_setpgid, 0, 0);
		break;
	case OP_MODE:
		board->mode_fd[op->task] = op->b;
		board->mode_arg[op->task] = op->c;
		board->mode[op->task] = op->a;
		ret = 0;
		break;
	case OP_AWAKE:
		ret = op_awake(op);
		break;
	case OP_COLLECT:
		ret = board->slept[op->task].ret;
		*hash = board->slept[op->task].hash;
		break;
	case OP_SMALL:
		ret = op_small(op);
		break;
	case OP_MASK:
		mask = 1UL << (op->a - 1);
		ret = sys(SYS_rt_sigprocmask, op->b, &mask, NULL, 8);
		break;
	case OP_HANDLER:
		ret = set_handler(op->a, op->b & 1 ? no_handler : SIG_IGN,
				  op->b & 2 ? SA_RESTART | SA_NODEFER : 0);
		break;
	case OP_QUEUE:
		ret = op_queue(op);
		break;
	case OP_SIGDRAIN:
		ret = op_sigdrain(hash);
		break;
	case OP_ITIMER:
		itv.it_value.tv_sec = op->b;
		itv.it_interval.tv_sec = op->b / 2;
		ret = sys(SYS_setitimer, op->a, &itv, NULL);
		break;
	case OP_TIMER:
		ret = op_timer(op);
		break;
	case OP_TIMERGET:
		ret = sys(SYS_timer_gettime, op->a, &its);
		mask = !!its.it_value.tv_sec;
		*hash = hash_add(*hash, &mask, sizeof(mask));
		break;
	case OP_WAITID:
		ret = op_waitid(op, hash);
		break;
	case OP_MKFILE:
		ret = op_file(op, buf);
		break;
	case OP_MKDIR:
		ret = sys(SYS_mkdir, in_dir(path, "d", op->a), 0755);
		break;
	case OP_OPEN:
		ret = op_open(op);
		break;
	case OP_UNLINK:
		ret = sys(SYS_unlink, in_dir(path, "r", op->a));
		break;
	case OP_TMPFILE:
		ret = op_tmpfile(op, buf);
		break;
	case OP_OPENDIR:
		ret = op_dir(op, buf);
		break;
	case OP_GETDENTS:
		ret = op_getdents(op, buf, hash);
		break;
	case OP_TOUCH:
		sprintf(path, "%s/f/d%d/x%d", subject_dir, op->a, op->b);
		ret = sys(SYS_open, path, O_CREAT | O_WRONLY, 0600);
		if (ret >= 0)
			ret = sys(SYS_close, ret);
		break;
	case OP_DEV: {
		static const char * const devs[] = {
			"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
		};

		ret = place(sys(SYS_open, devs[op->b % 4], op->c), op->a, op->c);
		break;
	}
	case OP_MEMFD:
		ret = op_memfd(op, buf);
		break;
	case OP_SEAL:
		ret = sys(SYS_fcntl, op->a, F_ADD_SEALS, op->b);
		break;
	case OP_FLOCK:
		ret = sys(SYS_flock, op->a, op->b | LOCK_NB);
		break;
	case OP_LOCK:
		ret = op_lock(op, F_SETLK);
		break;
	case OP_OFD:
		ret = op_lock(op, F_OFD_SETLK);
		break;
	case OP_TESTLOCK:
		ret = op_testlock(op, hash);
		break;
	case OP_TRUNCATE:
		ret = sys(SYS_ftruncate, op->a, op->b);
		break;
	case OP_SEEK:
		ret = sys(SYS_lseek, op->a, op->b, SEEK_SET);
		break;
	case OP_PIPE:
		ret = op_pipe(op);
		break;
	case OP_MKFIFO:
		ret = sys(SYS_mknod, in_dir(path, "p", op->a), S_IFIFO | 0600, 0);
		break;
	case OP_FIFO:
		ret = place(sys(SYS_open, in_dir(path, "p", op->b), op->c | O_NONBLOCK),
			    op->a, op->c);
		if (ret >= 0 && !(op->c & O_NONBLOCK))
			sys(SYS_fcntl, ret, F_SETFL, op->c);
		break;
	case OP_EVENTFD:
		ret = place(sys(SYS_eventfd2, op->v, op->c), op->a, op->c);
		break;
	case OP_TIMERFD:
		ret = op_timerfd(op);
		break;
	case OP_TIMERFDGET:
		ret = op_timerfd_get(op, hash);
		break;
	case OP_SIGNALFD:
		mask = op->v;
		mask = (mask & 0xff) << (SIGRTMIN - 1) | 1UL << (SIGUSR1 - 1);
		ret = place(sys(SYS_signalfd4, -1, &mask, 8, op->c), op->a, op->c);
		break;
	case OP_EPOLL:
		ret = place(sys(SYS_epoll_create1, op->c), op->a, op->c);
		break;
	case OP_EPCTL:
		ret = op_epctl(op);
		break;
	case OP_EPWAIT:
		ret = epwait(op->a, op->b, 0, hash);
		break;
	case OP_INOTIFY:
		ret = place(sys(SYS_inotify_init1, op->c), op->a, op->c);
		break;
	case OP_WATCH:
		ret = sys(SYS_inotify_add_watch, op->a,
			  in_dir(path, op->d ? "d" : "r", op->b), op->c);
		break;
	case OP_PTY:
		ret = op_pty(op);
		break;
	case OP_CTTY:
		ret = sys(SYS_ioctl, op->a, TIOCSCTTY, 0);
		break;
	case OP_TTYSET:
		ret = op_ttyset(op);
		break;
	case OP_PIDFD:
		if (board->tid[op->b])
			ret = place(sys(SYS_pidfd_open, board->tid[op->b], op->c), op->a,
				    O_CLOEXEC);
		break;
	case OP_MQOPEN:
		ret = op_mqopen(op);
		break;
	case OP_MQSEND: {
		struct timespec past = { 1, 0 };

		fill(buf, op->c, op->v);
		ret = sys(SYS_mq_timedsend, op->a, buf, op->c, op->d, &past);
		break;
	}
	case OP_MQRECV: {
		struct timespec past = { 1, 0 };
		unsigned int prio = 0;

		ret = sys(SYS_mq_timedreceive, op->a, buf, 4096, &prio, &past);
		if (ret >= 0) {
			*hash = hash_add(*hash, buf, ret);
			*hash = hash_add(*hash, &prio, sizeof(prio));
		}
		break;
	}
	case OP_MQNOTIFY:
		ret = op_mqnotify(op);
		break;
	case OP_MQUNLINK:
		ret = sys(SYS_mq_unlink, queue_name(path, op->a));
		break;
	case OP_PAIR:
		ret = place2(sys(SYS_socketpair, AF_UNIX, op->c, 0, fds), fds, op, op->c);
		break;
	case OP_SOCKET:
		ret = place(sys(SYS_socket, op->b, op->c, 0), op->a, op->c);
		fds[0] = 1;
		if (ret >= 0 && op->b != AF_UNIX)
			sys(SYS_setsockopt, ret, SOL_SOCKET, SO_REUSEADDR, fds, sizeof(int));
		break;
	case OP_BIND: {
		socklen_t len = address(&ss, op->a, op->b, op->c);

		ret = sys(SYS_bind, op->a, &ss, len);
		break;
	}
	case OP_LISTEN:
		ret = sys(SYS_listen, op->a, op->b);
		break;
	case OP_CONNECT: {
		socklen_t len = address(&ss, op->a, op->b, op->c);
		int flags = set_nonblock(op->a);

		ret = sys(SYS_connect, op->a, &ss, len);
		set_back(op->a, flags);
		break;
	}
	case OP_ACCEPT:
		ret = op_accept(op, hash);
		break;
	case OP_SENDFD:
		ret = op_sendfd(op, buf);
		break;
	case OP_SENDTO:
		ret = op_sendto(op, buf);
		break;
	case OP_RECV:
		ret = op_recv(op, buf, hash);
		break;
	case OP_OOB:
		buf[0] = op->v;
		ret = sys(SYS_sendto, op->a, buf, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
			  0);
		break;
	case OP_SHUTDOWN:
		ret = sys(SYS_shutdown, op->a, op->b);
		break;
	case OP_SOCKOPT:
		ret = op_sockopt(op);
		break;
	case OP_WRITE:
		ret = op_write(op, buf);
		break;
	case OP_READ:
		ret = op_read(op, buf, hash);
		break;
	case OP_POLL: {
		struct pollfd p = {
			op->a, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM
		};

		ret = sys(SYS_poll, &p, 1, 0);
		*hash = hash_add(*hash, &p.revents, sizeof(p.revents));
		break;
	}
	case OP_DUP:
		ret = sys(SYS_dup3, op->a, op->b, op->c);
		break;
	case OP_CLOSE:
		ret = sys(SYS_close, op->a);
		break;
	case OP_SETFL:
		ret = sys(SYS_fcntl, op->a, F_SETFL, op->b);
		break;
	case OP_SETFD:
		ret = sys(SYS_fcntl, op->a, F_SETFD, op->b);
		break;
	case OP_SETOWN:
		ret = op_setown(op);
		break;
	case OP_MMAP:
		ret = op_mmap(op, buf);
		break;
	case OP_POKE:
		ret = poke(op->a, op->c, op->d, op->v, buf);
		break;
	case OP_PEEK:
		ret = op_peek(op, buf, hash);
		break;
	case OP_MPROTECT:
		ret = sys(SYS_mprotect, slot(op->a, op->c), op->d * 4096, op->b);
		break;
	case OP_MUNMAP:
		ret = sys(SYS_munmap, slot(op->a, op->c), op->d * 4096);
		break;
	case OP_MADVISE:
		ret = op_madvise(op);
		break;
	case OP_SHM:
		ret = op_shm(op);
		break;
	case OP_SHMRM:
		ret = sys(SYS_shmctl, board->shm[op->a] - 1, IPC_RMID, NULL);
		break;
	case OP_SEM:
		ret = sys(SYS_semget, 0x6000 + op->a, op->b, IPC_CREAT | 0600);
		board->sem[op->a] = ret + 1;
		ret = ret < 0 ? ret : 0;
		break;
	case OP_SEMOP:
		ret = op_semop(op, IPC_NOWAIT);
		break;
	case OP_SEMGET:
		ret = op_semget(op, hash);
		break;
	case OP_MSG:
		ret = sys(SYS_msgget, 0x7000 + op->a, IPC_CREAT | 0600);
		board->msg[op->a] = ret + 1;
		ret = ret < 0 ? ret : 0;
		break;
	case OP_MSGSND:
		ret = op_msgsnd(op);
		break;
	case OP_MSGRCV:
		ret = op_msgrcv(op, IPC_NOWAIT, hash);
		break;
	}
	sys(SYS_munmap, buf, BUF_SIZE);
	return ret;
}

/* ---- turns ---- */

static void wait_word(atomic_uint *word, unsigned int at_least)
{
	unsigned int seen;

	while ((seen = *word) < at_least)
		sys(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

/* The next one that somebody is there to do; none is skipped at the point. */
static void pass_turn(unsigned int i)
{
	unsigned int next = i + 1;

	while (next < plan.nr && next != plan.point &&
	       (plan.op[next].dropped || !board->alive[plan.op[next].task]))
		next++;
	board->turn = next;
	sys(SYS_futex, &board->turn, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void __noreturn leave(const struct op *op)
{
	int me = op->task;
	/* who shares the stack must not come after us */
	atomic_uint *alive = &board->alive[me];
	pid_t tgid = board->tgid[me];

	*alive = 0;
	pass_turn(op - plan.op);
	for (;;) {
		if (op->b == 1)
			sys(SYS_kill, tgid, op->a);
		if (op->b == 2)
			sys(SYS_exit, op->a);
		sys(SYS_exit_group, op->a);
	}
}

/*
 * How a task waits while it is checkpointed. Nothing in its memory changes
 * meanwhile. What came of it is told by COLLECT.
 */
static void pause_here(int me)
{
	int mode = board->mode[me], fd = board->mode_fd[me], arg = board->mode_arg[me];
	struct timespec ts = { .tv_nsec = 4000000 };
	struct timespec *patience = (struct timespec *)PATIENCE_ADDR + me;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned long set = 1UL << (SIG_GO - 1);
	struct op op = { .a = fd, .b = arg, .d = -1 };
	uint32_t hash = HASH_START;
	unsigned char buf[512];
	struct stat st = { };
	long ret = 0, more;

	board->awake[me] = 0;
	board->paused++;
	switch (mode) {
	case WAIT_NAP:
		while (!board->go)
			sys(SYS_nanosleep, &ts, NULL);
		break;
	case WAIT_SPIN:
		while (!board->go)
			;
		break;
	case WAIT_STOPPED:
		sys(SYS_kill, board->tgid[me], SIGSTOP);
		break;
	case WAIT_POLL:
		patience->tv_sec = PATIENCE_SECONDS;
		ret = sys(SYS_ppoll, &p, 1, patience, NULL, 8);
		if (patience->tv_sec < 0 || patience->tv_sec > PATIENCE_SECONDS)
			ret = -ERANGE;
		hash = hash_add(hash, &p.revents, sizeof(p.revents));
		break;
	case WAIT_READ:
		ret = sys(SYS_read, fd, buf, arg);
		/* what is written to a terminal comes in pieces: a line and its end */
		sys(SYS_fstat, fd, &st);
		while (S_ISCHR(st.st_mode) && ret > 0 && ret < arg && readable(fd, 100) & POLLIN) {
			more = sys(SYS_read, fd, buf + ret, arg - ret);
			if (more <= 0)
				break;
			ret += more;
		}
		if (ret > 0)
			hash = hash_add(hash, buf, ret);
		break;
	case WAIT_SIGNAL:
		ret = sys(SYS_rt_sigtimedwait, &set, NULL, NULL, 8);
		break;
	case WAIT_EPOLL:
		ret = epwait(fd, 4, PATIENCE_SECONDS * 1000, &hash);
		break;
	case WAIT_SEM:
		ret = op_semop(&op, 0);
		break;
	case WAIT_MSG:
		ret = op_msgrcv(&op, 0, &hash);
		break;
	case WAIT_FLOCK:
		ret = sys(SYS_flock, fd, arg);
		break;
	case WAIT_CHILD:
		ret = sys(SYS_wait4, -1, NULL, 0x40000000 /* __WALL */, NULL);
		break;
	}
	board->slept[me].ret = ret;
	board->slept[me].hash = hash;
	board->awake[me] = 1;
	wait_word(&board->go, 1);
}

/* Root is the one to whom the test talks. */
static void pause_root(void)
{
	unsigned int i, nr = 0;
	char path[PATH_MAX];
	struct timespec ts = { .tv_nsec = 4000000 };

	for (i = 1; i < MAX_TASKS; i++)
		nr += board->alive[i];
	for (i = 0; i < 60000 && board->paused < nr; i++)
		nap(1);
	subject_ready();
	sprintf(path, "%s/go", subject_dir);
	while (sys(SYS_access, path, F_OK) < 0)
		sys(SYS_nanosleep, &ts, NULL);
	for (i = 1; i < MAX_TASKS; i++) {
		if (!board->alive[i])
			continue;
		if (board->mode[i] == WAIT_STOPPED)
			sys(SYS_kill, board->tgid[i], SIGCONT);
		if (board->mode[i] == WAIT_SIGNAL)
			sys(SYS_tgkill, board->tgid[i], board->tid[i], SIG_GO);
	}
	board->go = 1;
	sys(SYS_futex, &board->go, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	/* that operation is nobody's but ours */
	pass_turn(plan.point);
}

static void __noreturn finish_root(void)
{
	unsigned int i;
	long fd;

	fd = subject_open("results", O_CREAT | O_WRONLY | O_TRUNC);
	sys(SYS_write, fd, board->result, sizeof(board->result));
	sys(SYS_close, fd);
	for (i = 1; i < MAX_TASKS; i++)
		if (board->alive[i] && board->tgid[i] != board->tgid[0])
			sys(SYS_kill, board->tgid[i], SIGKILL);
	while (sys(SYS_wait4, -1, NULL, 0x40000000, NULL) > 0)
		;
	sys(SYS_exit_group, 0);
	__builtin_unreachable();
}

static void run_plan(int me, unsigned int i)
{
	bool paused = i > plan.point;
	const struct op *op;
	uint32_t hash;
	int child;
	long ret;

	for (; i < plan.nr; i++) {
		op = &plan.op[i];
		if (i == plan.point && !paused) {
			wait_word(&board->turn, i);
			if (me)
				pause_here(me);
			else
				pause_root();
			paused = true;
			continue;
		}
		if (op->task != me || op->dropped)
			continue;
		wait_word(&board->turn, i);
		if (op->kind == OP_EXIT)
			leave(op);
		hash = HASH_START;
		child = -1;
		if (op->kind == OP_FORK)
			board->tid[op->a] = 0;
		ret = run_op(op, &hash, &child);
		if (child >= 0) {
			/* it starts at the operation behind */
			me = child;
			board->tid[me] = sys(SYS_gettid);
			board->tgid[me] = sys(SYS_getpid);
			board->alive[me] = 1;
			continue;
		}
		if (op->kind == OP_FORK && !ret)
			while (!board->alive[op->a])
				sys(SYS_sched_yield);
		board->result[i].ret = ret;
		board->result[i].hash = hash;
		pass_turn(i);
	}
	wait_word(&board->turn, plan.nr);
	if (!me)
		finish_root();
	for (;;)
		sys(SYS_pause);
}

/* A task that shares memory with the one that made it. */
static int task_main(void *arg)
{
	unsigned int i = (long)arg;
	int me = plan.op[i].a;

	board->tid[me] = sys(SYS_gettid);
	board->tgid[me] = sys(SYS_getpid);
	board->alive[me] = 1;
	run_plan(me, i + 1);
	return 0;
}

SUBJECT(random)
{
	unsigned long set = 0;
	int sig, fd;

	fd = open(getenv("CKPT_PLAN") ?: "", O_RDONLY);
	CHECK(fd >= 0);
	CHECK(read(fd, &plan, sizeof(plan)) == sizeof(plan));
	close(fd);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(board != MAP_FAILED);
	CHECK(mmap((void *)PATIENCE_ADDR, 4096, PROT_READ | PROT_WRITE, MAP_SHARED |
		   MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
	/* orphans stay in the tree */
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* all that the plan makes use of waits until it is asked for */
	for (sig = SIGRTMIN; sig < SIGRTMIN + 8; sig++)
		set |= 1UL << (sig - 1);
	set |= 1UL << (SIGUSR1 - 1) | 1UL << (SIGUSR2 - 1) | 1UL << (SIGIO - 1);
	set |= 1UL << (SIGPIPE - 1) | 1UL << (SIGHUP - 1) | 1UL << (SIGWINCH - 1);
	set |= 1UL << (SIGTTOU - 1) | 1UL << (SIGTTIN - 1) | 1UL << (SIGALRM - 1);
	set |= 1UL << (SIGVTALRM - 1) | 1UL << (SIGPROF - 1) | 1UL << (SIGURG - 1);
	sys(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	set_handler(SIG_WAKE, no_handler, 0);

	board->tid[0] = getpid();
	board->tgid[0] = getpid();
	board->alive[0] = 1;
	/* the first operation that has somebody to do it */
	pass_turn(-1);
	run_plan(0, 0);
}
