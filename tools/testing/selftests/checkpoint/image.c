// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: the image. What it looks like, and what becomes of one
 * that is cut off, damaged, or made by somebody who means harm: an error, and
 * nothing is left behind.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/mempolicy.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* How much a loop tries; each restart takes some milliseconds, or tens. */
#define FIRST_BYTES	512	/* cut at each of them */
#define MORE_CUTS	100
#define MAX_FLIPS	300
#define MAX_EDITS	120

/* ---- CRC32C ---- */

static uint32_t crc_table[256];

static uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t c;
	int i, k;

	if (!crc_table[1]) {
		for (i = 0; i < 256; i++) {
			c = i;
			for (k = 0; k < 8; k++)
				c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
			crc_table[i] = c;
		}
	}
	while (len--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return crc;
}

/* ---- an image in memory ---- */

struct image {
	char *data;
	size_t size;
	unsigned int nr;	/* records */
	size_t *offsets;
};

static struct ckpt_record *record(struct image *image, unsigned int nr)
{
	return (struct ckpt_record *)(image->data + image->offsets[nr]);
}

static void *body(struct ckpt_record *rec)
{
	return rec + 1;
}

static void *data(struct ckpt_record *rec)
{
	return (char *)(rec + 1) + rec->body_len;
}

/* CRC of a record, with its own member taken as 0. */
static uint32_t record_crc(struct ckpt_record *rec, unsigned int nr)
{
	struct ckpt_record head = *rec;
	uint32_t crc;

	head.crc = 0;
	/* the number comes first, so that order matters */
	crc = crc32c(~0U, &nr, sizeof(nr));
	crc = crc32c(crc, &head, sizeof(head));
	return crc32c(crc, rec + 1, rec->length - sizeof(head));
}

/* Makes an edited record look as if it had been written so. */
static void seal(struct image *image, unsigned int nr)
{
	record(image, nr)->crc = record_crc(record(image, nr), nr);
}

static int find(struct image *image, unsigned int type, unsigned int nth)
{
	unsigned int i;

	for (i = 0; i < image->nr; i++)
		if (record(image, i)->type == type && !nth--)
			return i;
	return -1;
}

static int parse(struct image *image)
{
	size_t pos = 0;

	image->nr = 0;
	free(image->offsets);
	image->offsets = malloc(image->size / 32 * sizeof(*image->offsets));
	while (pos + sizeof(struct ckpt_record) <= image->size) {
		struct ckpt_record *rec = (void *)(image->data + pos);

		if (rec->length < sizeof(*rec) || rec->length % 8 ||
		    rec->length > image->size - pos) {
			ckpt_msg("record %u at %zu: length %llu", image->nr,
				 pos, (unsigned long long)rec->length);
			return -1;
		}
		image->offsets[image->nr++] = pos;
		pos += rec->length;
	}
	return pos == image->size ? 0 : -1;
}

static int load(struct image *image, const struct ckpt_run *run)
{
	int fd = ckpt_open(run, "image", O_RDONLY);
	struct stat st;

	memset(image, 0, sizeof(*image));
	if (fd < 0 || fstat(fd, &st))
		return -1;
	image->size = st.st_size;
	image->data = malloc(image->size + 65536);
	if (read(fd, image->data, image->size) != st.st_size)
		return -1;
	close(fd);
	return parse(image);
}

static struct image copy(const struct image *image)
{
	struct image new = *image;

	new.data = malloc(image->size + 65536);
	memcpy(new.data, image->data, image->size);
	new.offsets = malloc(image->nr * sizeof(*new.offsets));
	memcpy(new.offsets, image->offsets, image->nr * sizeof(*new.offsets));
	return new;
}

static void release(struct image *image)
{
	free(image->data);
	free(image->offsets);
}

/* ---- the subjects ---- */

SUBJECT(small)
{
	subject_point();
}

/* A bit of everything, for edits to work on. */
static void add_timer(int signo, long first, long interval)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo };
	struct itimerspec spec = {
		.it_value = { first, 1 }, .it_interval = { 0, interval },
	};
	int id;

	CHECK_EQ(0, syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	CHECK_EQ(0, syscall(SYS_timer_settime, id, 0, &spec, NULL));
}

static void add_filter(void)
{
	struct sock_filter allow[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 2, allow };

	CHECK_EQ(0, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}

/* An instance that watches all of them, and is watched itself. */
static int add_events(const sigset_t *set)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 5 };
	struct itimerspec spec = { .it_value = { 1000, 1 } };
	int ep = epoll_create1(0), top = epoll_create1(0), fds[3], i;

	fds[0] = eventfd(3, 0);
	fds[1] = timerfd_create(CLOCK_MONOTONIC, 0);
	fds[2] = signalfd(-1, set, 0);
	CHECK_EQ(0, timerfd_settime(fds[1], 0, &spec, NULL));
	for (i = 0; i < 3; i++)
		CHECK_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	CHECK_EQ(0, epoll_ctl(top, EPOLL_CTL_ADD, ep, &event));
	return fds[0];
}

static socklen_t socket_name(struct sockaddr_un *sun, bool abstract)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (abstract)
		snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, "%s", subject_dir);
	else
		snprintf(sun->sun_path, sizeof(sun->sun_path), "%s",
			 subject_path("f/socket"));
	return sizeof(*sun);
}

static void send_fd(int to, int fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { .iov_base = "fd", .iov_len = 2 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	CHECK_EQ(2, sendmsg(to, &msg, 0));
}

/* How the sockets are told from each other: by type, and by what waits in them. */
static void add_sockets(int event, int pipe_end)
{
	int stream[2], dgram[2], seq[2], listener, client[2], gone, i;
	struct sockaddr_un sun;
	socklen_t len;
	pid_t pid;

	/* a message read in part, one with descriptors, in circles, one out of band */
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	CHECK_EQ(6, send(stream[0], "stream", 6, 0));
	CHECK_EQ(2, recv(stream[1], &sun, 2, 0));
	send_fd(stream[0], stream[1]);
	send_fd(stream[0], pipe_end);
	send_fd(stream[0], event);
	send(stream[0], "!", 1, MSG_OOB);
	/* a sender that is gone, and one that has a name */
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram));
	CHECK_EQ(0, setsockopt(dgram[1], SOL_SOCKET, SO_PASSCRED, &(int){ 1 },
			       sizeof(int)));
	CHECK_EQ(2, send(dgram[0], "us", 2, 0));
	pid = fork();
	if (!pid) {
		CHECK_EQ(4, send(dgram[0], "them", 4, 0));
		_exit(0);
	}
	CHECK_EQ(pid, waitpid(pid, NULL, 0));
	/* closed by who had something to read */
	CHECK_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seq));
	CHECK_EQ(4, send(seq[0], "last", 4, 0));
	CHECK_EQ(4, send(seq[1], "more", 4, 0));
	close(seq[0]);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	len = socket_name(&sun, true);
	CHECK_EQ(0, bind(listener, (void *)&sun, len));
	CHECK_EQ(0, listen(listener, 5));
	for (i = 0; i < 2; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		CHECK_EQ(0, connect(client[i], (void *)&sun, len));
		CHECK_EQ(3, send(client[i], "hey", 3, 0));
	}
	send_fd(client[1], listener);
	close(client[0]);
	gone = socket(AF_UNIX, SOCK_DGRAM, 0);
	len = socket_name(&sun, false);
	CHECK_EQ(0, bind(gone, (void *)&sun, len));
}

/* One that listens, one that has a datagram, one that is a member of a group. */
static void add_inet(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(addr);

	CHECK_EQ(0, bind(tcp, (struct sockaddr *)&addr, len));
	CHECK_EQ(0, listen(tcp, 1));
	CHECK_EQ(0, bind(udp, (struct sockaddr *)&addr, len));
	CHECK_EQ(0, getsockname(udp, (struct sockaddr *)&addr, &len));
	CHECK_EQ(0, connect(udp, (struct sockaddr *)&addr, len));
	CHECK_EQ(4, write(udp, "self", 4));
	CHECK_EQ(0, setsockopt(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), SOL_NETLINK,
			       NETLINK_ADD_MEMBERSHIP, &(int) { 1 }, sizeof(int)));
}

static void add_queues(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
	};
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	int fd = inotify_init1(IN_NONBLOCK);
	char name[64];
	mqd_t mq;

	CHECK_EQ(1, inotify_add_watch(fd, subject_path("f"), IN_CREATE));
	close(subject_open("f/created", O_CREAT | O_RDWR));
	snprintf(name, sizeof(name), "/ckpt-image-%d", getpid());
	mq = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	CHECK(mq >= 0);
	CHECK_EQ(0, mq_unlink(name));
	CHECK_EQ(0, mq_send(mq, "one", 3, 7));
	CHECK_EQ(0, mq_send(mq, "two", 3, 7));
	CHECK_EQ(0, mq_notify(mq, &event));
}

/* One that opens files for who reads its events, one that tells names. */
static void add_fanotify(void)
{
	unsigned int flags[] = { 0, FAN_REPORT_DIR_FID | FAN_REPORT_NAME };
	int i, fd;

	close(subject_open("f/fan", O_CREAT | O_RDWR));
	for (i = 0; i < 2; i++) {
		fd = fanotify_init(flags[i], O_RDONLY);
		CHECK(fd >= 0);
		CHECK_EQ(0, fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD,
					  subject_path("f/fan")));
	}
	close(subject_open("f/fan", O_RDONLY));
}

/* Two contexts with an event each, one of which is full up to its end. */
static void add_aio(void)
{
	static char buf[4];
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = open("/dev/zero", O_RDONLY),
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = sizeof(buf),
	}, *iocbs = &iocb;
	aio_context_t ctx;
	int i;

	for (i = 0; i < 2; i++) {
		ctx = 0;
		CHECK_EQ(0, syscall(SYS_io_setup, 4, &ctx));
		CHECK_EQ(1, syscall(SYS_io_submit, ctx, 1, &iocbs));
	}
}

/* Files, a hole, and buffers, all with tags. */
static void add_tables(int ring)
{
	static alignas(4096) char buf[8192];
	uint64_t tags[3] = { 1, 0, 2 };
	int fds[3] = { open("/dev/zero", O_RDONLY), -1, eventfd(0, 0) };
	struct iovec iov[3] = { { buf, 4096 }, {}, { buf + 4096, 4096 } };
	struct io_uring_rsrc_register rr = { .nr = 3, .tags = (uintptr_t)tags };

	rr.data = (uintptr_t)fds;
	CHECK_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES2,
			    &rr, sizeof(rr)));
	rr.data = (uintptr_t)iov;
	CHECK_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS2,
			    &rr, sizeof(rr)));
	CHECK_EQ(0, syscall(SYS_io_uring_register, ring, IORING_REGISTER_EVENTFD,
			    &fds[2], 1));
}

/* A ring that one thread may use, registered, and mapped. */
static void add_ring(void)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER };
	struct io_uring_rsrc_update up = { .offset = 2 };

	up.data = syscall(SYS_io_uring_setup, 8, &p);
	CHECK((int)up.data >= 0);
	CHECK_EQ(1, syscall(SYS_io_uring_register, (int)up.data, IORING_REGISTER_RING_FDS,
			    &up, 1));
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		   (int)up.data, IORING_OFF_SQ_RING) != MAP_FAILED);
	add_tables(up.data);
}

static long aio_nr(void)
{
	char text[32] = "";

	ckpt_slurp("/proc/sys/fs/aio-nr", text, sizeof(text));
	return atol(text);
}

/* A terminal of its own, with lines that were not read. */
static void add_terminal(void)
{
	int master, slave;

	signal(SIGHUP, SIG_IGN);
	CHECK_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	CHECK_EQ(0, ioctl(slave, TIOCSCTTY, 0));
	CHECK_EQ(11, write(master, "line\nand on", 11));
	CHECK(open("/dev/tty", O_RDONLY) >= 0);
}

/* Of all three kinds, on one file. */
static void add_locks(int file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 1, .l_len = 2 };
	int other = subject_open("f/locked", O_CREAT | O_RDWR);

	CHECK_EQ(0, fcntl(file, F_SETLK, &lock));
	CHECK_EQ(0, flock(file, LOCK_EX));
	CHECK_EQ(0, fcntl(other, F_OFD_SETLK, &lock));
}

/* Memory with a policy, where there are such. */
static void add_policy(void)
{
	unsigned long node = 1;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	*p = 'n';
	if (syscall(SYS_mbind, p, 4096, MPOL_BIND, &node, 64, 0))
		CHECK_EQ(ENOSYS, errno);
}

static void *waits_for_go(void *arg)
{
	subject_wait("go");
	return arg;
}

/* In the tree there is it, its thread, the zombie, the child. */
enum { LEADER, THREAD, DEAD, CHILD };

SUBJECT(rich)
{
	struct itimerval later = { .it_value = { 1000, 1 }, .it_interval = { 7, 0 } };
	int fds[2], file, deleted;
	pthread_t thread;
	pid_t pid, zombie;
	siginfo_t info;
	sigset_t set;
	char *shared;

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(5, write(fds[1], "bytes", 5));
	CHECK_EQ(0, fcntl(fds[0], F_SETOWN, getpid()));
	CHECK_EQ(0, fcntl(fds[0], F_SETFL, O_ASYNC));
	CHECK_EQ(0, mkfifo(subject_path("f/fifo"), 0600));
	fds[1] = subject_open("f/fifo", O_RDWR);
	CHECK_EQ(5, write(fds[1], "named", 5));
	file = subject_open("f/file", O_CREAT | O_RDWR);
	CHECK_EQ(4, write(file, "file", 4));
	deleted = subject_open("f/deleted", O_CREAT | O_RDWR);
	CHECK_EQ(4, write(deleted, "gone", 4));
	CHECK_EQ(0, unlink(subject_path("f/deleted")));
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared[0] = 's';
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	/* one with a signal that is pending, and is to start it again */
	add_timer(SIGUSR2, 1000, 0);
	add_timer(SIGUSR1, 0, 1000);
	add_sockets(add_events(&set), fds[0]);
	add_inet();
	add_queues();
	add_fanotify();
	add_aio();
	add_ring();
	add_terminal();
	CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	add_filter();
	add_filter();
	add_locks(file);
	add_policy();
	CHECK_EQ(0, setitimer(ITIMER_REAL, &later, NULL));
	CHECK_EQ(0, syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
	CHECK_EQ(0, pthread_create(&thread, NULL, waits_for_go, NULL));
	zombie = fork();
	if (!zombie)
		_exit(3);
	CHECK_EQ(0, waitid(P_PID, zombie, &info, WEXITED | WNOWAIT));
	pid = syscall(SYS_clone, CLONE_SYSVSEM | CLONE_IO | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	CHECK(ckpt_pidfd(zombie) >= 0);
	CHECK(ckpt_pidfd(pid) >= 0);
	subject_point();
	CHECK_EQ('s', shared[0]);
	CHECK_EQ(zombie, waitpid(zombie, NULL, 0));
	CHECK_EQ(0, pthread_join(thread, NULL));
	subject_join(pid);
}

#define HUGE	(2UL << 20)

/* A huge page, and a child that has it, too. */
SUBJECT(huge)
{
	char *mem = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	size_t i;

	CHECK(mem != MAP_FAILED);
	mem = (void *)(((uintptr_t)mem + HUGE - 1) & -HUGE);
	CHECK_EQ(0, madvise(mem, HUGE, MADV_HUGEPAGE));
	memset(mem, 'h', HUGE);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		for (i = 0; i < HUGE; i++)
			CHECK_EQ('h', mem[i]);
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	for (i = 0; i < HUGE; i++)
		CHECK_EQ('h', mem[i]);
	subject_join(pid);
}

/* ---- fixture: a subject that is in an image only ---- */

FIXTURE(image)
{
	struct ckpt_run run;
	struct image image;
	pid_t pid;
	int fds;
	int file;	/* where edited images go */
	int log;
	long ret;	/* of the last restart, for messages */
	bool said;	/* it has said something */
};

FIXTURE_VARIANT(image)
{
	const char *subject;
};

FIXTURE_VARIANT_ADD(image, small) { .subject = "small" };
FIXTURE_VARIANT_ADD(image, rich) { .subject = "rich" };

FIXTURE_SETUP(image)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	ckpt_init(&self->run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&self->run, variant->subject));
	self->pid = self->run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&self->run));
	self->run.pid = 0;
	ASSERT_EQ(0, load(&self->image, &self->run));
	self->file = ckpt_open(&self->run, "edited", O_CREAT | O_RDWR);
	ASSERT_LE(0, self->file);
	self->log = ckpt_open(&self->run, "log", O_CREAT | O_RDWR | O_TRUNC);
	self->fds = ckpt_nr_fds();
}

FIXTURE_TEARDOWN(image)
{
	int status;

	/* nobody and nothing has been left behind by what failed */
	EXPECT_EQ(-1, waitpid(-1, &status, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
	EXPECT_EQ(self->fds, ckpt_nr_fds());
	/* and the image itself is as good as ever */
	EXPECT_EQ(self->pid, ckpt_restart(&self->run))
		ckpt_print(&self->run, "log");
	EXPECT_EQ(0, ckpt_finish(&self->run));
	release(&self->image);
	close(self->file);
	close(self->log);
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
}

static bool is_image_error(long err)
{
	switch (err) {
	case -EBADMSG:
	case -EINVAL:
	case -E2BIG:
	case -ENOEXEC:
		return true;
	}
	return false;
}

/* Which FILE is the first of a kind, and which VMA has it? */
static int file_of(struct image *im, uint32_t kind)
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_FILE, i)) >= 0; i++)
		if (((struct ckpt_file *)body(record(im, nr)))->kind == kind)
			return i;
	return -1;
}

static uint32_t nth_file(struct image *im, int nr)
{
	return record(im, find(im, CKPT_REC_FILE, nr))->objref;
}

static int vma_of(struct image *im, uint32_t kind)
{
	uint32_t file = nth_file(im, file_of(im, kind));
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_VMA, i)) >= 0; i++)
		if (((struct ckpt_vma *)body(record(im, nr)))->file == file)
			return i;
	return -1;
}

/* What an edit may lead to, other than success. */
static bool is_edit_error(long err)
{
	switch (err) {
	case -EPERM:
	case -ENOMEM:
	case -EMFILE:		/* number of a descriptor */
	case -EADDRNOTAVAIL:	/* address of a socket */
	case -ENODEV:		/* its device */
	case -EOPNOTSUPP:	/* something that this machine does not have */
		return true;
	}
	return is_image_error(err);
}

/* Ends what was restarted after all, all of it, and waits until it is gone. */
static void end_all(pid_t pid)
{
	int status, i;

	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	/* others are for init to reap */
	for (i = 0; !kill(-pid, 0) && i < 2000; i++)
		ckpt_sleep_ms(1);
}

/* What restart() is asked for. */
static uint64_t try_flags;

/* Restarts from bytes in memory, which must fail and leave nobody behind. */
static long try_bytes(struct __test_metadata *_metadata,
		      FIXTURE_DATA(image) * self, const void *bytes, size_t size)
{
	struct stat st;
	int status;
	long ret;

	EXPECT_EQ(0, ftruncate(self->file, 0));
	EXPECT_EQ(size, pwrite(self->file, bytes, size, 0));
	EXPECT_EQ(0, lseek(self->file, 0, SEEK_SET));
	EXPECT_EQ(0, ftruncate(self->log, 0));
	EXPECT_EQ(0, lseek(self->log, 0, SEEK_SET));
	ret = ckpt_restart_from(self->file, try_flags, self->log);
	if (ret > 0)
		end_all(ret);
	EXPECT_EQ(-1, waitpid(-1, &status, WNOHANG));
	EXPECT_EQ(-1, kill(self->pid, 0));
	EXPECT_EQ(0, fstat(self->log, &st));
	self->said = st.st_size > 0;
	return ret;
}

static long try_image(struct __test_metadata *_metadata,
		      FIXTURE_DATA(image) * self, struct image *image)
{
	return try_bytes(_metadata, self, image->data, image->size);
}

/* ---- as it should be ---- */

TEST_F_TIMEOUT(image, records, CKPT_TIMEOUT)
{
	struct image *im = &self->image;
	struct ckpt_record *rec = record(im, 0);
	struct ckpt_trailer *trailer;
	struct ckpt_header *head;
	struct ckpt_tree *tree;
	unsigned int i, index = 0, in_task = 0, pages = 0;
	struct ckpt_record *last;

	ASSERT_LE(6, im->nr);
	ASSERT_EQ(CKPT_REC_HEADER, rec->type);
	head = body(rec);
	EXPECT_EQ(CKPT_MAGIC, head->magic);
	EXPECT_EQ(CKPT_VERSION, head->version);
#ifdef __x86_64__
	EXPECT_EQ(EM_X86_64, head->arch);
#endif
	EXPECT_EQ(getpagesize(), head->page_size);
	EXPECT_EQ(self->run.image_id, head->image_id);
	EXPECT_LT(0, strlen(head->release));
	EXPECT_GT(sizeof(head->release), strlen(head->release));

	ASSERT_EQ(CKPT_REC_TREE, record(im, 1)->type);
	tree = body(record(im, 1));
	EXPECT_LE(1, tree->nr);
	EXPECT_EQ(1, tree->nr_roots);
	EXPECT_EQ(tree->nr * sizeof(struct ckpt_tree_task),
		  record(im, 1)->data_len);
	EXPECT_EQ(self->pid,
		  ((struct ckpt_tree_task *)data(record(im, 1)))->pid);

	for (i = 0; i < im->nr; i++) {
		rec = record(im, i);
		EXPECT_EQ(record_crc(rec, i), rec->crc)
			TH_LOG("record %u, type %u", i, rec->type);
		EXPECT_EQ(0, rec->flags & ~CKPT_RF_ALL);
		EXPECT_EQ(0, rec->body_len % 8);
		EXPECT_GE(rec->length, sizeof(*rec) + rec->body_len);
		if (rec->type == CKPT_REC_PAGES) {
			struct ckpt_pages *p = body(rec);

			EXPECT_EQ(0, rec->data_len);
			pages += p->nr_pages;
			/* the pages are at the end, and aligned in the stream */
			EXPECT_EQ(0, (im->offsets[i] + rec->length) %
				  getpagesize());
		} else {
			EXPECT_EQ(rec->length, sizeof(*rec) + rec->body_len +
				  ((rec->data_len + 7ULL) & ~7ULL));
		}
		if (rec->type == CKPT_REC_TASK_BEGIN) {
			EXPECT_EQ(0, in_task);
			in_task = 1;
			EXPECT_EQ(index,
				  ((struct ckpt_task_begin *)body(rec))->index);
			index++;
		}
		if (rec->type == CKPT_REC_TASK_END) {
			EXPECT_EQ(1, in_task);
			in_task = 0;
		}
	}
	EXPECT_EQ(tree->nr, index);
	last = record(im, im->nr - 1);
	ASSERT_EQ(CKPT_REC_TRAILER, last->type);
	trailer = body(last);
	EXPECT_EQ(im->nr - 1, trailer->records);
	EXPECT_EQ(im->offsets[im->nr - 1], trailer->bytes);
	EXPECT_EQ(pages, trailer->pages);
	EXPECT_LT(0, trailer->objects);
}

/* Padding has nothing in it that was not put there. */
TEST_F_TIMEOUT(image, padding, CKPT_TIMEOUT)
{
	struct image *im = &self->image;
	unsigned int i;
	size_t k;

	for (i = 0; i < im->nr; i++) {
		struct ckpt_record *rec = record(im, i);
		char *p = data(rec), *end = (char *)rec + rec->length;
		size_t from = rec->data_len;

		if (rec->type == CKPT_REC_PAGES) {
			struct ckpt_pages *pages = body(rec);

			from = pages->nr_runs * sizeof(struct ckpt_page_run);
			end -= pages->nr_pages * (size_t)getpagesize();
		}
		for (k = from; p + k < end; k++)
			if (p[k])
				break;
		EXPECT_EQ(end, p + k) TH_LOG("record %u, type %u", i, rec->type);
	}
}

/* What follows an image in a stream is left there for others to read. */
TEST_F_TIMEOUT(image, followed, CKPT_TIMEOUT)
{
	char rest[16] = "";
	long pid;

	ASSERT_EQ(self->image.size, pwrite(self->file, self->image.data,
					   self->image.size, 0));
	ASSERT_EQ(5, pwrite(self->file, "after", 5, self->image.size));
	pid = ckpt_restart_from(self->file, 0, self->log);
	ASSERT_EQ(self->pid, pid) ckpt_print(&self->run, "log");
	EXPECT_EQ(5, read(self->file, rest, sizeof(rest)));
	EXPECT_STREQ("after", rest);
	end_all(pid);
}

/* ---- cut off and damaged ---- */

static int by_offset(const void *a, const void *b)
{
	size_t x = *(size_t *)a, y = *(size_t *)b;

	return x < y ? -1 : x > y;
}

TEST_F_TIMEOUT(image, truncated, 1200)
{
	struct image *im = &self->image;
	bool small = !strcmp(variant->subject, "small");
	size_t nr = 0, last = -1, step, i, k, *cuts, max;
	long ret;

	/*
	 * At each byte (or eighth) of the first records, those of the tree and
	 * of the first task; between all others, and in the head, the body and
	 * the data of each; then all over the place.
	 */
	max = FIRST_BYTES + im->nr * 4 + MORE_CUTS + 1;
	cuts = calloc(max, sizeof(*cuts));
	ASSERT_NE(NULL, cuts);
	for (i = 0; i < FIRST_BYTES; i += small ? 1 : 8)
		cuts[nr++] = i;
	for (i = 0; i < im->nr; i++) {
		struct ckpt_record *rec = record(im, i);
		size_t at = im->offsets[i];

		cuts[nr++] = at;
		cuts[nr++] = at + 1 + i % (sizeof(*rec) - 1);
		cuts[nr++] = at + sizeof(*rec) + i % (rec->body_len + 1);
		cuts[nr++] = at + rec->length - 1;
	}
	step = im->size / MORE_CUTS + 1;
	for (k = 0; k < im->size; k += step)
		cuts[nr++] = k;
	ASSERT_GE(max, nr);
	qsort(cuts, nr, sizeof(*cuts), by_offset);

	/* the file becomes shorter and shorter */
	ASSERT_EQ(im->size, pwrite(self->file, im->data, im->size, 0));
	for (i = nr; i-- > 0;) {
		if (cuts[i] == last || cuts[i] >= im->size)
			continue;
		last = cuts[i];
		ASSERT_EQ(0, ftruncate(self->file, last));
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
		ret = ckpt_restart_from(self->file, 0, -1);
		ASSERT_TRUE(ret == -EBADMSG || (ret == -ENOEXEC && last < 256))
			TH_LOG("cut at %zu of %zu: %ld", last, im->size, ret);
		ASSERT_EQ(-1, waitpid(-1, NULL, WNOHANG));
		ASSERT_EQ(ECHILD, errno);
		ASSERT_EQ(-1, kill(self->pid, 0));
	}
	free(cuts);
}

/* The same in a pipe, where the end comes later. */
TEST_F_TIMEOUT(image, truncated_pipe, CKPT_TIMEOUT)
{
	struct image *im = &self->image;
	int fds[2], i, status;
	pid_t feeder;
	size_t len;

	for (i = 0; i < 16; i++) {
		len = im->size * i / 16;
		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		feeder = fork();
		if (!feeder) {
			signal(SIGPIPE, SIG_IGN);
			close(fds[0]);
			if (write(fds[1], im->data, len) != (ssize_t)len)
				_exit(1);
			_exit(0);
		}
		close(fds[1]);
		EXPECT_EQ(-EBADMSG, ckpt_restart_from(fds[0], 0, -1));
		close(fds[0]);
		ASSERT_EQ(feeder, waitpid(-1, &status, 0));
		EXPECT_EQ(-1, kill(self->pid, 0));
	}
}

/* Single bits, at places that are not the same in any two runs. */
TEST_F_TIMEOUT(image, bits, 1200)
{
	struct image *im = &self->image;
	unsigned int seed = getpid(), i, bit;
	size_t pos;
	long ret;

	ASSERT_EQ(im->size, pwrite(self->file, im->data, im->size, 0));
	for (i = 0; i < MAX_FLIPS; i++) {
		/* half of them in the headers of records */
		if (i & 1)
			pos = ((size_t)rand_r(&seed) << 16 ^ rand_r(&seed)) %
			      im->size;
		else
			pos = im->offsets[rand_r(&seed) % im->nr] +
			      rand_r(&seed) % sizeof(struct ckpt_record);
		bit = rand_r(&seed) % 8;
		im->data[pos] ^= 1 << bit;
		ASSERT_EQ(1, pwrite(self->file, &im->data[pos], 1, pos));
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
		ret = ckpt_restart_from(self->file, 0, -1);
		im->data[pos] ^= 1 << bit;
		ASSERT_EQ(1, pwrite(self->file, &im->data[pos], 1, pos));
		ASSERT_TRUE(is_image_error(ret))
			TH_LOG("byte %zu bit %u: %ld", pos, bit, ret);
		ASSERT_EQ(-1, waitpid(-1, NULL, WNOHANG));
		ASSERT_EQ(-1, kill(self->pid, 0));
	}
}

/* Records that are whole, but not where they belong. */
TEST_F_TIMEOUT(image, reordered, CKPT_TIMEOUT)
{
	struct image *im = &self->image, edited;
	unsigned int i;
	size_t len;

	for (i = 0; i + 1 < im->nr; i += im->nr / 50 + 1) {
		size_t at = im->offsets[i], next = im->offsets[i + 1];

		/* one left out */
		edited = copy(im);
		memmove(edited.data + at, edited.data + next, im->size - next);
		edited.size -= next - at;
		EXPECT_TRUE(is_image_error(try_image(_metadata, self, &edited)))
			TH_LOG("without record %u", i);
		release(&edited);

		/* one twice */
		len = next - at;
		if (len > 65536)
			continue;
		edited = copy(im);
		memmove(edited.data + next, edited.data + at, im->size - at);
		edited.size += len;
		EXPECT_TRUE(is_image_error(try_image(_metadata, self, &edited)))
			TH_LOG("record %u twice", i);
		release(&edited);
	}
}

/* ---- not an image at all ---- */

TEST_F_TIMEOUT(image, other_things, CKPT_TIMEOUT)
{
	static char junk[100000];
	unsigned int i;
	long ret;
	int fd;

	EXPECT_EQ(-EBADMSG, try_bytes(_metadata, self, "", 0));
	ret = try_bytes(_metadata, self, "x", 1);
	EXPECT_TRUE(ret == -ENOEXEC || ret == -EBADMSG) TH_LOG("%ld", ret);
	EXPECT_EQ(-ENOEXEC, try_bytes(_metadata, self, junk, sizeof(junk)));
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = "#!/bin/sh\necho this is text\n"[i % 28];
	EXPECT_EQ(-ENOEXEC, try_bytes(_metadata, self, junk, sizeof(junk)));
	memset(junk, 0xff, sizeof(junk));
	EXPECT_EQ(-ENOEXEC, try_bytes(_metadata, self, junk, sizeof(junk)));
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-ENOEXEC, ckpt_restart_from(fd, 0, -1));
	close(fd);
	/* the kernel does not read from all devices on its own behalf */
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ret = ckpt_restart_from(fd, 0, -1);
	EXPECT_TRUE(ret == -ENOEXEC || ret == -EINVAL) TH_LOG("%ld", ret);
	close(fd);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = ckpt_restart_from(fd, 0, -1);
	EXPECT_TRUE(ret == -EISDIR || ret == -EINVAL) TH_LOG("%ld", ret);
	close(fd);
}

/* ---- edits with good CRCs ---- */

/* Tries an image with one record edited; gives the result. */
#define EDITED(type_, nth_, ptr_type, where, edit) ({			\
	struct image edited_ = copy(&self->image);			\
	int nr_ = find(&edited_, type_, nth_);				\
	long ret_ = -ENODATA;						\
									\
	EXPECT_LE(0, nr_) TH_LOG("no such record: " #type_);		\
	if (nr_ >= 0) {							\
		struct ckpt_record *rec = record(&edited_, nr_);	\
		ptr_type *p = where(rec);				\
									\
		(void)p;						\
		edit;							\
		seal(&edited_, nr_);					\
		ret_ = try_image(_metadata, self, &edited_);		\
	}								\
	release(&edited_);						\
	ret_;								\
})

#define EXPECT_EDIT(err, type, nth, ptr_type, where, edit)		\
	EXPECT_EQ(err, EDITED(type, nth, ptr_type, where, edit))	\
		TH_LOG("%s: %s", #type, #edit)

/* It is refused, and the log tells why. */
#define EXPECT_BAD(type, nth, ptr_type, where, edit)			\
	EXPECT_TRUE(is_edit_error(self->ret =				\
			EDITED(type, nth, ptr_type, where, edit)) &&	\
		    self->said) {					\
		TH_LOG("%s: %s: %ld%s", #type, #edit, self->ret,	\
		       self->said ? "" : ", without a word");		\
		ckpt_print(&self->run, "log");				\
	}

/* ... in these words. */
#define EXPECT_SAYS(err, words, type, nth, ptr_type, where, edit) do {	\
	EXPECT_EDIT(err, type, nth, ptr_type, where, edit);		\
	EXPECT_LE(1, ckpt_log_has(&self->run, words)) {			\
		TH_LOG("%s: %s: no \"%s\"", #type, #edit, words);	\
		ckpt_print(&self->run, "log");				\
	}								\
} while (0)

/* Without an edit it works: the CRC is made as the kernel makes it. */
TEST_F_TIMEOUT(image, not_edited, CKPT_TIMEOUT)
{
	EXPECT_EDIT(self->pid, CKPT_REC_HEADER, 0, struct ckpt_header, body,
		    p->magic = CKPT_MAGIC);
}

TEST_F_TIMEOUT(image, header, CKPT_TIMEOUT)
{
#define H(err, edit)							\
	EXPECT_EDIT(err, CKPT_REC_HEADER, 0, struct ckpt_header, body, edit)
	H(-ENOEXEC, p->magic++);
	H(-ENOEXEC, p->version++);
	H(-ENOEXEC, p->version = 0);
	H(-ENOEXEC, p->arch = EM_AARCH64);
	H(-ENOEXEC, p->page_size *= 2);
	H(-ENOEXEC, p->features = 1);
	H(-ENOEXEC, p->features = 1ULL << 63);
	H(-ENOEXEC, p->vdso_crc++);
	H(-ENOEXEC, p->vdso_size += 4096);
#undef H
}

/* A label of a security module that is not the caller's. */
TEST_F_TIMEOUT(image, label, CKPT_TIMEOUT)
{
	/* one of a whole page lets the pages stay aligned in the stream */
	static const struct {
		const char *label;
		unsigned int len;
		uint64_t flags;
		long want;
	} edits[] = {
		{ "unconfined", 11, 0, -EOPNOTSUPP },
		{ "odd\033[2J\n%s", 11, 0, -EOPNOTSUPP },
		{ "no end", 6, 0, -EINVAL },
		{ "no end", 6, RESTART_LSM_CALLER, -EINVAL },
		{ "two\0ends", 9, 0, -EINVAL },
		{ NULL, 4096, 0, -EOPNOTSUPP },
		{ NULL, 4096, RESTART_LSM_CALLER, 1 },
		{ NULL, 8192, RESTART_LSM_CALLER, -EINVAL },
	};
	struct ckpt_trailer *trailer;
	unsigned int i, pad;
	struct image im;
	size_t at;
	long ret;

	/* what our label is this test cannot tell */
	if (record(&self->image, 0)->data_len)
		SKIP(return, "there is a security module that has labels");
	for (i = 0; i < ARRAY_SIZE(edits); i++) {
		pad = (edits[i].len + 7) & ~7;
		im = copy(&self->image);
		at = record(&im, 0)->length;
		memmove(im.data + at + pad, im.data + at, im.size - at);
		memset(im.data + at, 0, pad);
		if (edits[i].label)
			memcpy(im.data + at, edits[i].label, edits[i].len);
		else
			memset(im.data + at, 'x', edits[i].len - 1);
		record(&im, 0)->data_len = edits[i].len;
		record(&im, 0)->length += pad;
		im.size += pad;
		ASSERT_EQ(0, parse(&im));
		trailer = body(record(&im, im.nr - 1));
		trailer->bytes += pad;
		seal(&im, 0);
		seal(&im, im.nr - 1);
		try_flags = edits[i].flags;
		ret = try_image(_metadata, self, &im);
		EXPECT_EQ(edits[i].want > 0 ? self->pid : edits[i].want, ret) {
			TH_LOG("label %u", i);
			ckpt_print(&self->run, "log");
		}
		release(&im);
	}
	try_flags = 0;
}

/* A type that nobody knows, with and without the must-understand bit. */
TEST_F_TIMEOUT(image, unknown_type, CKPT_TIMEOUT)
{
	int nr = find(&self->image, CKPT_REC_TASK_END, 0);
	size_t at = self->image.offsets[nr];
	struct ckpt_record extra = { .type = 4242, .length = 40 };
	struct image im;
	unsigned int i, must;
	long ret;

	for (must = 0; must < 2; must++) {
		im = copy(&self->image);
		memmove(im.data + at + 40, im.data + at, im.size - at);
		extra.flags = must ? CKPT_RF_MUST : 0;
		extra.body_len = 8;
		memcpy(im.data + at, &extra, sizeof(extra));
		memset(im.data + at + 32, 0x11, 8);
		im.size += 40;
		/* later records have got another number, and pages a place */
		ASSERT_EQ(0, parse(&im));
		((struct ckpt_trailer *)body(record(&im, im.nr - 1)))->records++;
		((struct ckpt_trailer *)body(record(&im, im.nr - 1)))->bytes +=
			40;
		for (i = nr; i < im.nr; i++)
			seal(&im, i);
		if (must) {
			ret = try_image(_metadata, self, &im);
			EXPECT_TRUE(is_image_error(ret) || ret == -EOPNOTSUPP)
				TH_LOG("%ld", ret);
		} else if (find(&self->image, CKPT_REC_PAGES, 0) < nr &&
			   !strcmp(variant->subject, "small")) {
			/* optional ones are skipped */
			ASSERT_EQ(im.size, pwrite(self->file, im.data, im.size,
						  0));
			lseek(self->file, 0, SEEK_SET);
			ret = ckpt_restart_from(self->file, 0, self->log);
			EXPECT_EQ(self->pid, ret)
				ckpt_print(&self->run, "log");
			if (ret > 0)
				end_all(ret);
		}
		release(&im);
	}
}

TEST_F_TIMEOUT(image, record_heads, CKPT_TIMEOUT)
{
#define R(type, edit)							\
	EXPECT_BAD(type, 0, struct ckpt_record, body, edit)
	R(CKPT_REC_TREE, rec->flags = ~0U);
	R(CKPT_REC_TREE, rec->body_len = 0);
	R(CKPT_REC_TREE, rec->body_len += 8);
	R(CKPT_REC_TREE, rec->body_len = 0xfffffff8);
	R(CKPT_REC_TREE, rec->data_len = 0xffffffff);
	R(CKPT_REC_TREE, rec->data_len += 8);
	R(CKPT_REC_TREE, rec->data_len -= 1);
	R(CKPT_REC_TREE, rec->type = CKPT_REC_INVALID);
	R(CKPT_REC_TREE, rec->type = CKPT_REC_TASK_BEGIN);
	R(CKPT_REC_MM, rec->objref = 0);
	R(CKPT_REC_MM, rec->objref = ~0U);
	R(CKPT_REC_VMA, rec->objref++);
	R(CKPT_REC_VMA, rec->objref = 0);
	R(CKPT_REC_PAGES, rec->objref = 0);
	R(CKPT_REC_TASK, rec->type = CKPT_REC_CRED);
	R(CKPT_REC_CPU, rec->type = CKPT_REC_RLIMITS);
#undef R
}

/* Lengths beyond what is there, for which the CRC does not matter. */
TEST_F_TIMEOUT(image, lengths, CKPT_TIMEOUT)
{
	static const uint64_t lengths[] = {
		0, 8, 24, 31, 33, 1ULL << 20, 1ULL << 31, 1ULL << 32,
		1ULL << 62, ~0ULL, ~7ULL,
	};
	struct image im;
	unsigned int i, k;

	for (i = 0; i < self->image.nr; i += self->image.nr / 10 + 1) {
		for (k = 0; k < ARRAY_SIZE(lengths); k++) {
			im = copy(&self->image);
			record(&im, i)->length = lengths[k];
			EXPECT_TRUE(is_image_error(try_image(_metadata, self,
							     &im)))
				TH_LOG("record %u, length %llx", i,
				       (unsigned long long)lengths[k]);
			release(&im);
		}
	}
}

TEST_F_TIMEOUT(image, tree, CKPT_TIMEOUT)
{
#define T(edit)								\
	EXPECT_BAD(CKPT_REC_TREE, 0, struct ckpt_tree_task, data, edit)
#define N(edit)								\
	EXPECT_BAD(CKPT_REC_TREE, 0, struct ckpt_tree, body, edit)
	N(p->nr = 0);
	N(p->nr++);
	N(p->nr = ~0U);
	N(p->nr = 1U << 28);
	N(p->nr_roots = 0);
	N(p->nr_roots = 2);
	N(p->nr_roots = ~0U);
	T(p[0].pid = 0);
	T(p[0].pid = -1);
	T(p[0].leader = 1);
	T(p[0].leader = ~0U);
	T(p[0].parent = 0);
	T(p[0].parent = 1);
	T(p[0].parent = 77777);
	T(p[0].flags = ~0U);
	T(p[0].flags |= CKPT_TASK_ZOMBIE);
	T(p[0].sid = -5);
	T(p[0].pgid = -5);
	if (!strcmp(variant->subject, "rich")) {
		T(p[DEAD].pid = p[LEADER].pid);
		T(p[CHILD].pid = p[DEAD].pid);
		T(p[DEAD].parent = CHILD);
		T(p[DEAD].parent = DEAD);
		T(p[DEAD].parent = CKPT_NO_PARENT);
		T(p[CHILD].parent = DEAD);
		T(p[CHILD].leader = DEAD);
		T(p[DEAD].leader = CHILD);
		T(p[CHILD].pid = INT32_MAX);
	}
#undef N
#undef T
}

/* A thread is what its leader is. */
TEST_F_TIMEOUT(image, threads, CKPT_TIMEOUT)
{
	struct ckpt_task_objs *child;
	struct ckpt_tree_task *tree;
	int nr;

	if (strcmp(variant->subject, "rich"))
		return;
	tree = data(record(&self->image, find(&self->image, CKPT_REC_TREE, 0)));
	ASSERT_EQ(LEADER, tree[LEADER].leader);
	ASSERT_EQ(LEADER, tree[THREAD].leader);
	ASSERT_EQ(CKPT_TASK_ZOMBIE, tree[DEAD].flags);
	ASSERT_EQ(CHILD, tree[CHILD].leader);
#define T(edit)								\
	EXPECT_BAD(CKPT_REC_TREE, 0, struct ckpt_tree_task, data, edit)
	T(p[THREAD].leader = THREAD);
	T(p[THREAD].leader = DEAD);
	T(p[THREAD].leader = CHILD);
	T(p[THREAD].leader = CHILD + 1);
	T(p[THREAD].leader = ~0U);
	T(p[THREAD].leader = THREAD; p[THREAD].parent = LEADER);
	T(p[THREAD].parent = LEADER);
	T(p[THREAD].parent = THREAD);
	T(p[THREAD].parent = 77777);
	T(p[THREAD].pid = p[LEADER].pid);
	T(p[THREAD].pid = p[CHILD].pid);
	T(p[THREAD].pid = 0);
	T(p[THREAD].pid = -1);
	T(p[THREAD].pid = INT32_MAX);
	T(p[THREAD].pgid = 0);
	T(p[THREAD].pgid++);
	T(p[THREAD].pgid = p[THREAD].pid);
	T(p[THREAD].sid = 0);
	T(p[THREAD].sid++);
	T(p[THREAD].sid = p[THREAD].pid);
	T(p[THREAD].flags |= CKPT_TASK_ZOMBIE);
	T(p[THREAD].flags = ~0U);
	/* groups and sessions have the number of a process */
	T(p[CHILD].pgid = p[THREAD].pid);
	T(p[CHILD].pgid = p[CHILD].sid = p[THREAD].pid);
	/* whose thread was none */
	T(p[CHILD].leader = LEADER);
	T(p[CHILD].leader = LEADER; p[CHILD].parent = p[LEADER].parent);
	T(p[CHILD].leader = THREAD);
	T(p[CHILD].leader = DEAD);
	T(p[DEAD].leader = LEADER; p[DEAD].parent = p[LEADER].parent);
#undef T
	/* zombies have no such record */
	nr = find(&self->image, CKPT_REC_TASK_OBJS, 2);
	ASSERT_LE(0, nr);
	child = body(record(&self->image, nr));
#define O(edit)								\
	EXPECT_BAD(CKPT_REC_TASK_OBJS, 1, struct ckpt_task_objs, body, edit)
	O(p->mm = 0);
	O(p->mm = 999999);
	O(p->mm = p->files);
	O(p->mm = child->mm);
	O(p->files = 0);
	O(p->files = child->files);
	O(p->fs = 0);
	O(p->fs = child->fs);
	O(p->sighand = 0);
	O(p->sighand = child->sighand);
	O(p->sighand = p->mm);
	O(p->reserved = 1);
#undef O
#define B(type, struct_type, edit)					\
	EXPECT_BAD(type, 1, struct struct_type, body, edit)
	B(CKPT_REC_TASK_BEGIN, ckpt_task_begin, p->index = LEADER);
	B(CKPT_REC_TASK_BEGIN, ckpt_task_begin, p->index = DEAD);
	B(CKPT_REC_TASK, ckpt_task, p->exit_signal = SIGCHLD);
	B(CKPT_REC_TASK, ckpt_task, p->exit_signal = 0);
	B(CKPT_REC_TASK, ckpt_task, p->flags |= CKPT_TASK_F_VFORKED;
	  p->vfork_waiter = THREAD);
	B(CKPT_REC_USAGE, ckpt_usage, p->nr = 3);
	B(CKPT_REC_USAGE, ckpt_usage, p->maxrss = 1);
	B(CKPT_REC_USAGE, ckpt_usage, p->group_told_utime = 1);
#undef B
}

/* Which of a process has what makes no sense is told, and why. */
TEST_F_TIMEOUT(image, reasons, CKPT_TIMEOUT)
{
#define T(words, edit)							\
	EXPECT_SAYS(-EINVAL, words, CKPT_REC_TREE, 0, struct ckpt_tree_task, data, edit)
#define B(err, words, type, struct_type, edit)				\
	EXPECT_SAYS(err, words, type, 0, struct struct_type, body, edit)
	/* parents that are not there */
	T("task 0 comes before its parent", p[0].parent = 77777);
	T("task 0 comes before its parent", p[0].parent = 0);
	/* signals that are none */
	B(-EINVAL, "task record makes no sense", CKPT_REC_TASK, ckpt_task,
	  p->pdeath_signal = 65);
	B(-EINVAL, "task record makes no sense", CKPT_REC_TASK, ckpt_task,
	  p->exit_signal = 65);
	B(-EPERM, "exit signal 15 is not for the caller", CKPT_REC_TASK, ckpt_task,
	  p->exit_signal = SIGTERM);
	B(-EINVAL, "job control state makes no sense", CKPT_REC_TASK, ckpt_task,
	  p->stop_signal = 65);
	B(-EINVAL, "signal state makes no sense", CKPT_REC_SIGNAL, ckpt_signal,
	  p->group_exit_code = 65);
	/* four billion of something */
	B(-EINVAL, "tree: 4294967295 tasks in", CKPT_REC_TREE, ckpt_tree, p->nr = ~0U);
	B(-EINVAL, "roots, not 4294967295", CKPT_REC_TREE, ckpt_tree, p->nr_roots = ~0U);
	B(-EINVAL, "credentials make no sense", CKPT_REC_CRED, ckpt_cred, p->ngroups = ~0U);
	B(-EINVAL, "resource limits make no sense", CKPT_REC_RLIMITS, ckpt_rlimits,
	  p->nr = ~0U);
	B(-EINVAL, "usage makes no sense", CKPT_REC_USAGE, ckpt_usage, p->nr = ~0U);
	B(-EINVAL, "has too many parts", CKPT_REC_CPU, ckpt_cpu, p->nr_parts = ~0U);
	B(-EINVAL, "scheduling makes no sense", CKPT_REC_SCHED, ckpt_sched,
	  p->nr_cpus = ~0U);
	B(-EINVAL, "too many nodes", CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->nr_nodes = ~0U);
	B(-EINVAL, "files: 4294967295 descriptors in", CKPT_REC_FILES, ckpt_files,
	  p->nr = ~0U);
	B(-EINVAL, "pages: bad number of runs", CKPT_REC_PAGES, ckpt_pages,
	  p->nr_runs = ~0U);
	B(-EINVAL, "pages: runs do not add up", CKPT_REC_PAGES, ckpt_pages,
	  p->nr_pages = ~0U);
	B(-E2BIG, "pages: too many runs", CKPT_REC_PAGES, ckpt_pages,
	  p->nr_runs = ~0U; p->nr_pages = ~0U);
	B(-EINVAL, "tree: lengths do not add up", CKPT_REC_TREE, ckpt_tree,
	  rec->data_len = ~0U);
	if (strcmp(variant->subject, "rich"))
		return;
	T("is there twice", p[THREAD].pid = p[LEADER].pid);
	T("is there twice", p[CHILD].pid = p[DEAD].pid);
	T("task 3 comes before its parent", p[CHILD].parent = 77777);
	T("parent of task 3 is dead", p[CHILD].parent = DEAD);
	/* a thread that is in two groups of them, a group that is in two sessions */
	T("2 roots, not 1", p[THREAD].leader = THREAD);
	T("thread 1 differs from its leader", p[THREAD].pgid = p[THREAD].pid);
	T("thread 3 differs from its leader", p[CHILD].leader = LEADER);
	T("is in two sessions", p[CHILD].sid = p[CHILD].pid + 1000);
	EXPECT_SAYS(-EINVAL, "pending signals make no sense", CKPT_REC_SIGPENDING, 0,
		    siginfo_t, data, p->si_signo = 65);
	EXPECT_SAYS(-EINVAL, "POSIX timers make no sense", CKPT_REC_POSIX_TIMERS, 0,
		    struct ckpt_posix_timer, data, p->signo = 65);
	B(-EINVAL, "pending signals make no sense", CKPT_REC_SIGPENDING, ckpt_sigpending,
	  p->nr = ~0U);
	B(-EINVAL, "POSIX timers have a wrong size", CKPT_REC_POSIX_TIMERS,
	  ckpt_posix_timers, p->nr = ~0U);
	B(-EINVAL, "epoll: 4294967295 items in", CKPT_REC_EPOLL_ITEMS, ckpt_epoll_items,
	  p->nr = ~0U);
	B(-EINVAL, "locks: 4294967295 in", CKPT_REC_LOCKS, ckpt_locks, p->nr = ~0U);
#undef B
#undef T
}

TEST_F_TIMEOUT(image, signals, CKPT_TIMEOUT)
{
#define H(edit)								\
	EXPECT_BAD(CKPT_REC_SIGHAND, 0, struct ckpt_sigaction, data, edit)
#define S(edit)								\
	EXPECT_BAD(CKPT_REC_SIGNAL, 0, struct ckpt_signal, body, edit)
#define M(edit)								\
	EXPECT_BAD(CKPT_REC_SIGMASK, 0, struct ckpt_sigmask, body, edit)
#define P(edit)								\
	EXPECT_BAD(CKPT_REC_SIGPENDING, 0, struct ckpt_sigpending, body, edit)
#define Q(edit)								\
	EXPECT_BAD(CKPT_REC_SIGPENDING, 0, siginfo_t, data, edit)
#define I(edit)								\
	EXPECT_BAD(CKPT_REC_ITIMERS, 0, struct ckpt_itimers, body, edit)
	H(p[0].flags = ~0ULL);
	H(p[63].flags |= 1ULL << 40);
	H(p[SIGKILL - 1].handler = 1);
	H(p[SIGKILL - 1].handler = 0x400000);
	H(p[SIGSTOP - 1].handler = 1);
	H(rec->objref = 0);
	H(rec->objref = 999999);
	H(rec->data_len -= 32);
	H(rec->body_len = 8);
	H(rec->body_len = 32; rec->data_len -= 32);
	S(p->group_stop_count = 3);
	S(p->group_stop_count = INT_MAX);
	S(p->group_stop_count = 1U << 31);
	S(p->group_stop_count = ~0U);
	S(p->group_exit_code = -1);
	S(p->group_exit_code = 65);
	S(p->group_exit_code = SIGSTOP << 8);
	S(p->group_exit_code = INT_MIN);
	S(p->group_exit_code = INT_MAX);
	M(p->blocked |= 1ULL << (SIGKILL - 1));
	M(p->blocked |= 1ULL << (SIGSTOP - 1));
	M(p->restore_saved = 1; p->saved = ~0ULL);
	M(p->restore_saved = 0; p->saved = 1);
	M(p->altstack_size = 1);
	M(p->altstack_sp = 4096);
	P(p->set |= 1ULL << (SIGKILL - 1));
	if (strcmp(variant->subject, "rich"))
		return;
	P(p->set = 0);
	P(p->nr = 0);
	P(p->nr++);
	Q(p->si_signo = 0);
	Q(p->si_signo = -1);
	Q(p->si_signo = 65);
	Q(p->si_signo = INT_MAX);
	Q(p->si_signo = SIGKILL);
	/* it is not among those that are pending */
	Q(p->si_signo = SIGUSR2);
	/* the kernel keeps 48 bytes of it */
	Q(((char *)p)[48] = 1);
	Q(((char *)p)[127] = 1);
	I(p->real_value = ~0ULL);
	I(p->real_value = 1ULL << 63);
	I(p->real_interval = ~0ULL);
	I(p->virt_value = 1ULL << 63);
	I(p->virt_interval = ~0ULL);
	I(p->prof_value = ~0ULL);
	I(p->prof_interval = 1ULL << 63);
#undef I
#undef Q
#undef P
#undef M
#undef S
#undef H
}

/* Which of the records of locks has one of this kind. */
static int find_lock(struct image *im, uint32_t kind)
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_LOCKS, i)) >= 0; i++)
		if (((struct ckpt_lock *)data(record(im, nr)))->kind == kind)
			return i;
	return -1;
}

TEST_F_TIMEOUT(image, locks, CKPT_TIMEOUT)
{
	static const uint32_t kinds[] = { CKPT_LOCK_POSIX, CKPT_LOCK_FLOCK, CKPT_LOCK_OFD };
	uint32_t pipe_file;
	unsigned int i;
	int nth;

	if (strcmp(variant->subject, "rich"))
		return;
	pipe_file = nth_file(&self->image, file_of(&self->image, CKPT_FILE_PIPE));
#define L(edit)	EXPECT_BAD(CKPT_REC_LOCKS, nth, struct ckpt_lock, data, edit)
#define N(edit)	EXPECT_BAD(CKPT_REC_LOCKS, nth, struct ckpt_locks, body, edit)
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		nth = find_lock(&self->image, kinds[i]);
		ASSERT_LE(0, nth) TH_LOG("no lock of kind %u", kinds[i]);
		N(p->nr = 0);
		N(p->nr++);
		N(p->nr = ~0U);
		N(p->reserved = 1);
		N(rec->objref = 0);
		N(rec->objref = 999999);
		L(p->file = 0);
		L(p->file = 999999);
		/* a pipe cannot be locked */
		L(p->file = pipe_file);
		L(p->kind = 0);
		L(p->kind = 99);
		L(p->kind = p->kind == CKPT_LOCK_POSIX ? CKPT_LOCK_OFD : CKPT_LOCK_POSIX);
		L(p->type = F_UNLCK);
		L(p->type = 77);
		L(p->fd = 9999);
		L(p->fd = ~0U);
		L(p->start = p->end + 1);
		L(p->start = ~0ULL);
		L(p->end = ~0ULL);
		L(p->end = 1ULL << 63);
	}
	/* that is for all of a file */
	nth = find_lock(&self->image, CKPT_LOCK_FLOCK);
	L(p->start = 1);
	L(p->end = 1);
#undef N
#undef L
}

/* What has no body, or little in it, and what is shared. */
TEST_F_TIMEOUT(image, small_records, CKPT_TIMEOUT)
{
	bool rich = !strcmp(variant->subject, "rich");

#define E(edit)	EXPECT_BAD(CKPT_REC_MM_END, 0, char, body, edit)
#define A(edit)	EXPECT_BAD(CKPT_REC_AUTOGROUP, 0, struct ckpt_autogroup, body, edit)
#define U(edit)	EXPECT_BAD(CKPT_REC_SEM_UNDO, 0, char, body, edit)
#define I(edit)	EXPECT_BAD(CKPT_REC_IO_CONTEXT, 0, char, body, edit)
#define V(edit)	EXPECT_BAD(CKPT_REC_VMA_POLICY, 0, struct ckpt_mempolicy, body, edit)
	E(rec->objref = 0);
	E(rec->objref++);
	E(rec->objref = 999999);
	E(rec->type = CKPT_REC_TASK_BEGIN);
	E(rec->type = CKPT_REC_VMA);
	E(rec->type = CKPT_REC_PAGES);
	/* nobody knows it, and it need not be known */
	E(rec->type = 4242);
	if (find(&self->image, CKPT_REC_AUTOGROUP, 0) >= 0) {
		A(p->nice = 20);
		A(p->nice = -21);
		A(p->nice = INT_MIN);
		A(p->reserved = 1);
		A(rec->objref = 0);
		A(rec->objref++);
	}
	if (!rich)
		return;
	U(rec->objref = 0);
	U(rec->objref = 999999);
	U(rec->type = CKPT_REC_IO_CONTEXT);
	U(rec->type = CKPT_REC_SIGHAND);
	I(rec->objref = 0);
	I(rec->objref = 999999);
	I(rec->type = CKPT_REC_SEM_UNDO);
	I(rec->type = CKPT_REC_AUTOGROUP);
	if (find(&self->image, CKPT_REC_VMA_POLICY, 0) >= 0) {
		V(p->mode = 77);
		V(p->mode = ~0U);
		V(p->flags = ~0U);
		V(p->flags = 1);
		V(p->home_node = -2);
		V(p->home_node = INT_MAX);
		V(p->nr_nodes = 0);
		V(p->nr_nodes = ~0U);
		V(rec->objref = 0);
		V(rec->objref = 999999);
		EXPECT_BAD(CKPT_REC_VMA_POLICY, 0, uint64_t, data, *p = 0);
		EXPECT_BAD(CKPT_REC_VMA_POLICY, 0, uint64_t, data, *p = ~0ULL);
	}
#undef V
#undef I
#undef U
#undef A
#undef E
}

TEST_F_TIMEOUT(image, tasks, CKPT_TIMEOUT)
{
#define B(type, struct_type, edit)					\
	EXPECT_BAD(type, 0, struct struct_type, body, edit)
	B(CKPT_REC_TASK_BEGIN, ckpt_task_begin, p->index = 1);
	B(CKPT_REC_TASK_BEGIN, ckpt_task_begin, p->index = ~0U);
	B(CKPT_REC_TASK_BEGIN, ckpt_task_begin, p->reserved = 1);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->mm = 0);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->mm = 999999);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->mm = p->files);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->files = p->fs);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->fs = p->mm);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->sighand = 0);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->sighand = p->mm);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->sem_undo = 999999);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->sem_undo = p->sighand);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->io_context = 999999);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->io_context = p->mm);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->autogroup = 999999);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->autogroup = p->mm);
	B(CKPT_REC_TASK_OBJS, ckpt_task_objs, p->reserved = 1);
	B(CKPT_REC_TASK, ckpt_task, p->jobctl = ~0U);
	B(CKPT_REC_TASK, ckpt_task, p->pdeath_signal = 65);
	B(CKPT_REC_TASK, ckpt_task, p->stop_signal = 1000);
	B(CKPT_REC_TASK, ckpt_task, p->exit_signal = 65);
	/* the caller would get it, whether or not we may send it that */
	B(CKPT_REC_TASK, ckpt_task, p->exit_signal = SIGTERM);
	B(CKPT_REC_TASK, ckpt_task, p->oom_score_adj = 100000);
	B(CKPT_REC_TASK, ckpt_task, p->child_subreaper = 2);
	B(CKPT_REC_TASK, ckpt_task, p->flags = ~0U);
	/* only the dead have it */
	B(CKPT_REC_TASK, ckpt_task, p->flags |= CKPT_TASK_F_DUMPABLE);
	B(CKPT_REC_TASK, ckpt_task, p->fault_nr = 33);
	B(CKPT_REC_TASK, ckpt_task, p->fault_code = 1ULL << 32);
	B(CKPT_REC_TASK, ckpt_task, p->oom_score_adj_min = -1001);
	B(CKPT_REC_TASK, ckpt_task, p->oom_score_adj_min = INT32_MAX);
	B(CKPT_REC_TASK, ckpt_task, p->flags = ~0U);
	B(CKPT_REC_TASK, ckpt_task, p->ptracer = -2);
	B(CKPT_REC_TASK, ckpt_task, p->ptracer = INT32_MIN);
	B(CKPT_REC_TASK, ckpt_task, p->ptracer = INT32_MAX);
	B(CKPT_REC_TASK, ckpt_task, p->spec_store_bypass = ~0U);
	B(CKPT_REC_TASK, ckpt_task, p->spec_store_bypass = PR_SPEC_PRCTL);
	B(CKPT_REC_TASK, ckpt_task, p->spec_indirect_branch = PR_SPEC_DISABLE);
	B(CKPT_REC_TASK, ckpt_task,
	  p->spec_l1d_flush = PR_SPEC_PRCTL | PR_SPEC_ENABLE | PR_SPEC_DISABLE);
	B(CKPT_REC_TASK, ckpt_task, p->arch_flags = ~0U);
	B(CKPT_REC_TASK, ckpt_task, p->dispatch_offset = 1);
	B(CKPT_REC_TASK, ckpt_task, p->dispatch_selector = 1);
	B(CKPT_REC_TASK, ckpt_task,
	  p->flags |= CKPT_TASK_F_DISPATCH; p->dispatch_selector = ~0ULL);
	B(CKPT_REC_TASK, ckpt_task,
	  p->flags |= CKPT_TASK_F_DISPATCH; p->dispatch_offset = ~0ULL;
	  p->dispatch_len = 2);
	B(CKPT_REC_TASK, ckpt_task, p->vfork_waiter = 1);
	/* that is itself */
	B(CKPT_REC_TASK, ckpt_task, p->flags |= CKPT_TASK_F_VFORKED);
	B(CKPT_REC_TASK, ckpt_task, p->flags |= CKPT_TASK_F_VFORKED;
	  p->vfork_waiter = 77777);
	B(CKPT_REC_RESTART_BLOCK, ckpt_restart_block, p->fn = 77);
	B(CKPT_REC_RESTART_BLOCK, ckpt_restart_block,
	  p->fn = CKPT_RESTART_SIGTIMEDWAIT; p->arg = 1);
	B(CKPT_REC_RESTART_BLOCK, ckpt_restart_block,
	  p->fn = CKPT_RESTART_EPOLL; p->arg = 2);
	B(CKPT_REC_RESTART_BLOCK, ckpt_restart_block,
	  p->fn = CKPT_RESTART_SEMTIMEDOP; p->remaining_ns = ~0ULL);
	B(CKPT_REC_RESTART_BLOCK, ckpt_restart_block,
	  p->fn = CKPT_RESTART_SEMTIMEDOP; p->remaining_ns = 1ULL << 63);
	B(CKPT_REC_CRED, ckpt_cred, p->ngroups = 1U << 30);
	B(CKPT_REC_CRED, ckpt_cred, p->reserved = 1);
	B(CKPT_REC_CRED, ckpt_cred, p->uid = ~0U);
	B(CKPT_REC_CRED, ckpt_cred, p->cap_permitted = ~0ULL);
	B(CKPT_REC_CRED, ckpt_cred, p->securebits = ~0U);
	B(CKPT_REC_CRED, ckpt_cred, p->no_new_privs = 2);
	B(CKPT_REC_RLIMITS, ckpt_rlimits, p->nr = 1000);
	B(CKPT_REC_RLIMITS, ckpt_rlimits, p->nr = ~0U);
	B(CKPT_REC_SCHED, ckpt_sched, p->policy = 77);
	B(CKPT_REC_SCHED, ckpt_sched, p->nice = 99);
	B(CKPT_REC_SCHED, ckpt_sched, p->slice = 1);
	B(CKPT_REC_SCHED, ckpt_sched, p->slice = ~0ULL);
	B(CKPT_REC_SCHED, ckpt_sched, p->dl_period = 1);
	B(CKPT_REC_SCHED, ckpt_sched, p->dl_flags = 2);
	B(CKPT_REC_SCHED, ckpt_sched, p->policy = 6);
	B(CKPT_REC_SCHED, ckpt_sched, p->util_min = 1025);
	B(CKPT_REC_SCHED, ckpt_sched, p->reserved = 1);
	B(CKPT_REC_USAGE, ckpt_usage, p->nr = 2);
	B(CKPT_REC_USAGE, ckpt_usage, p->nr = ~0U);
	B(CKPT_REC_USAGE, ckpt_usage, p->reserved = 1);
	B(CKPT_REC_USAGE, ckpt_usage, p->told_utime = ~0ULL);
	B(CKPT_REC_USAGE, ckpt_usage, p->group_told_stime = 1ULL << 63);
	B(CKPT_REC_USAGE, ckpt_usage, p->maxrss = ~0ULL);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p->utime = 1ULL << 63);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p->utime = 1ULL << 62; p->stime = p->utime);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p->runtime = ~0ULL);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p->inblock = 1);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p->runtime = 1ULL << 62);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p[0].utime = 1ULL << 61; p[1].stime = p[0].utime);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p[2].rchar = 1);
	EXPECT_BAD(CKPT_REC_USAGE, 0, struct ckpt_usage_sum, data,
		   p[2].runtime = 1);
	B(CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->mode = 77);
	B(CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->flags = ~0U);
	B(CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->home_node = 0);
	B(CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->nr_nodes = 1);
	B(CKPT_REC_MEMPOLICY, ckpt_mempolicy, p->nr_nodes = ~0U);
	B(CKPT_REC_SIGMASK, ckpt_sigmask, p->restore_saved = 2);
	B(CKPT_REC_SIGMASK, ckpt_sigmask, p->altstack_flags = 0x7777);
	B(CKPT_REC_SIGNAL, ckpt_signal, p->flags = ~0U);
	B(CKPT_REC_SIGNAL, ckpt_signal, p->reserved = 1);
	B(CKPT_REC_CPU, ckpt_cpu, p->note = 0x12345);
	B(CKPT_REC_CPU, ckpt_cpu, p->nr_parts = ~0U);
	B(CKPT_REC_CPU, ckpt_cpu, p->nr_parts += 1000);
	if (!strcmp(variant->subject, "rich")) {
		B(CKPT_REC_SIGPENDING, ckpt_sigpending, p->nr = ~0U);
		B(CKPT_REC_SIGPENDING, ckpt_sigpending, p->shared = 2);
		B(CKPT_REC_POSIX_TIMERS, ckpt_posix_timers, p->nr = 1);
		B(CKPT_REC_POSIX_TIMERS, ckpt_posix_timers, p->nr = ~0U);
		B(CKPT_REC_POSIX_TIMERS, ckpt_posix_timers, p->next_id = ~0U);
	}
#undef B
#define B(edit)								\
	EXPECT_BAD(CKPT_REC_POSIX_TIMERS, 0, struct ckpt_posix_timer, data, edit)
	if (!strcmp(variant->subject, "rich")) {
		B(p->id = -1);
		B(p[1].id = p[0].id);
		B(p->clock = 99);
		B(p->clock = CLOCK_MONOTONIC_RAW);
		B(p->clock = -1);
		B(p->flags = ~0U);
		B(p->flags |= CKPT_TIMER_ABSOLUTE);
		B(p->flags |= CKPT_TIMER_OWN_CLOCK);
		B(p->notify = 99);
		B(p->notify = SIGEV_THREAD_ID; p->tid = 1);
		B(p->tid = 1);
		B(p->signo = 0);
		B(p->signo = 65);
		B(p->expires = INT64_MIN);
		B(p->interval = ~0ULL);
		B(p->overrun = -2);
		B(p->overrun = INT64_MAX);
		B(p->overrun_last = INT64_MIN);
		B(p->reserved = 1);
		/* waits for a signal that cannot be the one to start it */
		B(p[1].requeue++);
	}
#undef B
#define F(edit)								\
	EXPECT_BAD(CKPT_REC_SECCOMP_FILTER, 1, struct ckpt_seccomp_filter, body, edit)
#define I(edit)								\
	EXPECT_BAD(CKPT_REC_SECCOMP_FILTER, 1, struct sock_filter, data, edit)
#define S(edit)								\
	EXPECT_BAD(CKPT_REC_SECCOMP, 0, struct ckpt_seccomp, body, edit)
	if (!strcmp(variant->subject, "rich")) {
		F(p->prev = rec->objref);
		F(p->prev = 1);
		F(p->prev = ~0U);
		F(rec->objref = p->prev);
		F(rec->objref = 0);
		F(p->flags = ~0U);
		F(p->flags = CKPT_SECCOMP_ALL + 1);
		F(p->len = 0);
		F(p->len++);
		F(p->len = ~0U);
		F(p->len = 1U << 29);
		F(p->reserved = 1);
		I(p->code = 0xffff);
		I(p->k = sizeof(struct seccomp_data));
		I(p->k = 1);
		/* the last one does not return */
		I(p[1] = p[0]);
		/* what sockets may use, and this may not */
		I(p->code = BPF_LD | BPF_B | BPF_ABS);
		I(p->code = BPF_LD | BPF_W | BPF_IND);
		I(p->code = BPF_JMP | BPF_JA; p->k = ~0U);
		S(p->mode = SECCOMP_MODE_DISABLED);
		S(p->mode = SECCOMP_MODE_STRICT);
		S(p->mode = 3);
		S(p->mode = ~0U);
		S(p->filter = 0);
		S(p->filter = 1);
		S(p->filter = ~0U);
	}
#undef S
#undef I
#undef F
	/* registers, an address in the kernel among them */
	EXPECT_BAD(CKPT_REC_CPU, 0, uint64_t, data, rec->data_len = 0;
		   rec->length = sizeof(*rec) + rec->body_len);
}

static long io_of(pid_t pid, const char *key)
{
	char path[64], text[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return -1;
	at = strstr(text, key);
	return at ? atol(at + strlen(key)) : -1;
}

/* No less than it was, and little more. */
#define EXPECT_ON(was, is) do {						\
	EXPECT_LE(was, is);						\
	EXPECT_GT((was) + 500, is);					\
} while (0)

/* Of what no test can use much for sure, the image says it was used. */
TEST_F_TIMEOUT(image, usage, CKPT_TIMEOUT)
{
	struct image im = copy(&self->image);
	int nr = find(&im, CKPT_REC_USAGE, 0);
	struct ckpt_usage_sum *sums;
	struct rusage ru;
	long seen;

	ASSERT_LE(0, nr);
	sums = data(record(&im, nr));
	sums[0].maj_flt = 10000;
	sums[1].maj_flt = 2000;
	sums[2].maj_flt = 700;
	sums[0].nivcsw = 20000;
	sums[1].nivcsw = 4000;
	sums[2].nivcsw = 700;
	sums[0].read_bytes = 30000 * 512;
	sums[1].inblock = 5000;
	sums[2].inblock = 600;
	sums[0].write_bytes = 40000 * 512;
	sums[1].oublock = 6000;
	sums[2].oublock = 700;
	sums[1].read_bytes = 1UL << 40;
	sums[1].write_bytes = 1UL << 41;
	sums[0].cancelled_write_bytes = 1UL << 42;
	seal(&im, nr);

	ASSERT_EQ(0, ftruncate(self->file, 0));
	ASSERT_EQ(im.size, pwrite(self->file, im.data, im.size, 0));
	ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
	release(&im);
	ASSERT_EQ(self->pid, ckpt_restart_from(self->file, 0, self->log))
		ckpt_print(&self->run, "log");
	seen = io_of(self->pid, "\nread_bytes: ");
	if (seen >= 0) {
		EXPECT_LE(30000 * 512 + (1L << 40), seen);
		EXPECT_LE(40000 * 512 + (1L << 41),
			  io_of(self->pid, "\nwrite_bytes: "));
		EXPECT_LE(1L << 42, io_of(self->pid, "cancelled_write_bytes: "));
	}
	kill(-self->pid, SIGKILL);
	kill(self->pid, SIGKILL);
	ASSERT_EQ(self->pid, wait4(self->pid, NULL, 0, &ru));
	end_all(self->pid);
	EXPECT_ON(12700, ru.ru_majflt);
	EXPECT_ON(24700, ru.ru_nivcsw);
	EXPECT_ON(seen >= 0 ? 35600 : 5600, ru.ru_inblock);
	EXPECT_ON(seen >= 0 ? 46700 : 6700, ru.ru_oublock);
}

#ifdef __x86_64__
/* Segments and flags of kernel mode: refused or not taken over. */
TEST_F_TIMEOUT(image, registers, CKPT_TIMEOUT)
{
	struct image im = copy(&self->image);
	int nr, i;
	long ret;

	for (i = 0;; i++) {
		nr = find(&im, CKPT_REC_CPU, i);
		ASSERT_LE(0, nr);
		if (((struct ckpt_cpu *)body(record(&im, nr)))->note ==
		    NT_PRSTATUS)
			break;
	}
	release(&im);
	for (i = 0; i < 27; i++) {
		uint64_t *regs;

		im = copy(&self->image);
		regs = data(record(&im, nr));
		regs[i] = i == 17 || i >= 23 ? 0x10 : 0xffffffff81000000;
		seal(&im, nr);
		ASSERT_EQ(0, ftruncate(self->file, 0));
		ASSERT_EQ(im.size, pwrite(self->file, im.data, im.size, 0));
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
		ret = ckpt_restart_from(self->file, 0, self->log);
		if (ret > 0) {
			/* it goes on or it crashes, on its own account */
			ckpt_sleep_ms(5);
			end_all(ret);
		} else {
			EXPECT_TRUE(is_image_error(ret) || ret == -EIO ||
				    ret == -EPERM)
				TH_LOG("register %d: %ld", i, ret);
		}
		release(&im);
	}
}
#endif

TEST_F_TIMEOUT(image, mappings, CKPT_TIMEOUT)
{
	int first = find(&self->image, CKPT_REC_VMA, 0);
	uint64_t first_start;

	ASSERT_LE(0, first);
	first_start = ((struct ckpt_vma *)body(record(&self->image,
						      first)))->start;
#define V(edit)	EXPECT_BAD(CKPT_REC_VMA, 0, struct ckpt_vma, body, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_MM, 0, struct ckpt_mm, body, edit)
	V(p->start++);
	V(p->end++);
	V(p->end = p->start);
	V(p->end = p->start - 4096);
	V(p->start = 0xffffffff80000000; p->end = 0xffffffff80001000);
	V(p->end = ~0ULL & ~4095ULL);
	V(p->end = 1ULL << 60);
	V(p->flags = ~0ULL);
	V(p->flags |= 1ULL << 40);
	V(p->flags |= CKPT_VM_PFNMAP);
	V(p->flags |= CKPT_VM_IO);
	V(p->kind = 0);
	V(p->kind = 1000);
	V(p->file = 999999; p->kind = CKPT_VMA_FILE);
	V(p->file = 0; p->kind = CKPT_VMA_FILE);
	V(p->kind = CKPT_VMA_FILE; p->file = rec->objref);
	V(p->pgoff = 1; p->kind = CKPT_VMA_FILE);
	V(p->pgoff = ~0ULL);
	M(p->exe = 999999);
	M(p->exe = rec->objref);
	M(p->flags = ~0U);
	M(p->brk = ~0ULL);
	M(p->start_brk = p->brk + 4096);
	M(p->arg_end = p->arg_start - 1);
	M(p->start_stack = 0xffffffff81000000);
	M(p->mmap_base = ~0ULL);
	M(p->dumpable = 77);
#undef M
#undef V
	/* the second one over what comes before it */
	EXPECT_BAD(CKPT_REC_VMA, 1, struct ckpt_vma, body,
		   p->start = first_start);
}

TEST_F_TIMEOUT(image, pages, CKPT_TIMEOUT)
{
#define G(edit)	EXPECT_BAD(CKPT_REC_PAGES, 0, struct ckpt_pages, body, edit)
#define U(edit)	EXPECT_BAD(CKPT_REC_PAGES, 0, struct ckpt_page_run, data, edit)
	G(p->nr_runs = 0);
	G(p->nr_runs = ~0U);
	G(p->nr_runs += 100000);
	G(p->nr_pages = 0);
	G(p->nr_pages++);
	G(p->nr_pages = ~0U);
	U(p->addr++);
	U(p->addr = 0);
	U(p->addr = 0xffffffff81000000);
	U(p->addr = 0x10000);
	U(p->nr = 0);
	U(p->nr++);
	U(p->nr = ~0ULL);
	U(p->nr = 1ULL << 52);
	U(p->addr = 0x7ffffffff000; p->nr = 1);
#undef U
#undef G
}

TEST_F_TIMEOUT(image, shared_pages, CKPT_TIMEOUT)
{
	int nr, i, shared = find(&self->image, CKPT_REC_PAGES_SHARED, 0);
	unsigned int seed = 1;

	/* only who has a child shares something */
	if (!strcmp(variant->subject, "small")) {
		ASSERT_GT(0, shared);
		return;
	}
	ASSERT_LE(0, shared);
#define S(edit)	EXPECT_BAD(CKPT_REC_PAGES_SHARED, 0, struct ckpt_shared_run, data, edit)
	S(p->from = 0);
	S(p->from = 999999);
	S(p->from = rec->objref);
	S(p->addr++);
	S(p->addr = 0);
	S(p->addr = 0x10000);
	S(p->addr = 0xffffffff81000000);
	S(p->from_addr++);
	S(p->from_addr = 0);
	S(p->from_addr = 0x10000);
	S(p->from_addr = 0xffffffff81000000);
	S(p->from_addr = 0x7fffffffe000; p->nr = 2);
	S(p->nr = 0);
	S(p->nr = ~0U);
	S(rec->data_len -= 8);
#undef S
	/* the first one of the child */
	for (nr = 0, i = 0; nr < shared; i++) {
		struct ckpt_record *rec;

		nr = find(&self->image, CKPT_REC_VMA, i);
		ASSERT_LE(0, nr);
		rec = record(&self->image, nr);
		if (((struct ckpt_vma *)body(rec))->origin)
			break;
	}
	EXPECT_BAD(CKPT_REC_VMA, i, struct ckpt_vma, body, p->origin = 999999);
	EXPECT_BAD(CKPT_REC_VMA, i, struct ckpt_vma, body, p->origin = rec->objref);

	/* What is at the wrong place is an error, or memory that is wrong. */
	for (i = 0; i < 60; i++) {
		self->ret = EDITED(CKPT_REC_PAGES_SHARED, 0, struct ckpt_shared_run, data, ({
			unsigned int n = rec->data_len / sizeof(*p);
			struct ckpt_shared_run *q = p + rand_r(&seed) % n;

			p += rand_r(&seed) % n;
			switch (i % 6) {
			case 0:
				p->addr = q->addr;
				p->from_addr = q->addr;
				break;
			case 1:
				p->addr += 4096 * (rand_r(&seed) % 64);
				p->from_addr = p->addr;
				break;
			case 2:
				p->from_addr = q->from_addr;
				break;
			case 3:
				p->nr += rand_r(&seed) % 64;
				break;
			case 4:
				p->addr -= 4096 * (rand_r(&seed) % 64);
				p->nr += rand_r(&seed) % 64;
				p->from_addr = p->addr;
				break;
			default:
				*p = *q;
			}
		}));
		EXPECT_TRUE(self->ret == self->pid || is_edit_error(self->ret)) {
			TH_LOG("%d: %ld", i, self->ret);
			ckpt_print(&self->run, "log");
		}
	}
}

FIXTURE(shared_huge)
{
	struct ckpt_run run;
	struct image image;
};

FIXTURE_SETUP(shared_huge)
{
	ASSERT_TRUE(ckpt_supported());
	ckpt_init(&self->run, &(struct ckpt_how) { .kill = true });
}

FIXTURE_TEARDOWN(shared_huge)
{
	release(&self->image);
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
}

/* A run that is all of a huge page, in a record in which it is not the first. */
static struct ckpt_shared_run *find_huge_run(struct image *im, int *nr)
{
	struct ckpt_shared_run *first, *run;
	struct ckpt_record *rec;
	int i;

	for (i = 0; (*nr = find(im, CKPT_REC_PAGES_SHARED, i)) >= 0; i++) {
		rec = record(im, *nr);
		first = data(rec);
		for (run = first + rec->data_len / sizeof(*run) - 1; run > first; run--)
			if (run->nr == HUGE / getpagesize() && !(run->addr % HUGE))
				return run;
	}
	return NULL;
}

/* A huge page that is shared to where there is a small one already. */
TEST_F_TIMEOUT(shared_huge, over_small, CKPT_TIMEOUT)
{
	struct ckpt_shared_run *run, *first;
	int nr, fd, log;
	pid_t pid;
	long ret;

	ASSERT_EQ(0, ckpt_start(&self->run, "huge"));
	pid = self->run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&self->run));
	self->run.pid = 0;
	ASSERT_EQ(0, load(&self->image, &self->run));
	run = find_huge_run(&self->image, &nr);
	ASSERT_NE(NULL, run);
	first = data(record(&self->image, nr));
	*first = *run;
	first->nr = 1;
	seal(&self->image, nr);

	fd = ckpt_open(&self->run, "edited", O_CREAT | O_RDWR);
	log = ckpt_open(&self->run, "log", O_CREAT | O_RDWR | O_TRUNC);
	ASSERT_EQ(self->image.size, pwrite(fd, self->image.data, self->image.size, 0));
	ret = ckpt_restart_from(fd, 0, log);
	EXPECT_TRUE(ret == pid || is_edit_error(ret))
		TH_LOG("%ld", ret);
	if (ret > 0)
		end_all(ret);
	close(fd);
	close(log);
	EXPECT_EQ(pid, ckpt_restart(&self->run))
		ckpt_print(&self->run, "log");
	EXPECT_EQ(0, ckpt_finish(&self->run));
}

/* Which of the open files is the first of this kind, or -1. */
static int find_file(struct image *im, uint32_t kind)
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_FILE, i)) >= 0; i++)
		if (((struct ckpt_file *)body(record(im, nr)))->kind == kind)
			return i;
	return -1;
}

TEST_F_TIMEOUT(image, files, CKPT_TIMEOUT)
{
	int fifo, pidfd, nth = -1, nr;
	struct ckpt_file *file;

	/* /dev/null; files in messages come first */
	do {
		nr = find(&self->image, CKPT_REC_FILE, ++nth);
		ASSERT_LE(0, nr);
		file = body(record(&self->image, nr));
	} while (file->kind != CKPT_FILE_CHRDEV);
#define F(edit)	EXPECT_BAD(CKPT_REC_FILE, nth, struct ckpt_file, body, edit)
#define D(edit)	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_fd, data, edit)
	F(p->kind = 0);
	F(p->kind = 999);
	F(p->f_flags = ~0U);
	F(p->f_flags |= O_CREAT | O_TRUNC);
	F(p->f_flags |= O_CLOEXEC);
	/* no device was opened so */
	F(p->f_flags |= O_TMPFILE);
	F(p->f_flags |= O_DIRECTORY);
	F(p->pos = ~0ULL);
	F(p->kind = CKPT_FILE_PIPE; p->inode = 999999);
	F(p->kind = CKPT_FILE_INODE; p->inode = 999999);
	F(rec->data_len = 0);
	F(memset(data(rec), 'x', (rec->data_len + 7) & ~7));
	D(p[1].fd = p[0].fd);
	D(p[0].fd = ~0U);
	D(p[0].fd = 1U << 30);
	D(p[0].flags = ~0U);
	D(p[0].file = 0);
	D(p[0].file = 999999);
	D(p[0].file = rec->objref);
	D(p[0].reserved = 1);
	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_files, body, p->nr = ~0U);
	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_files, body, p->nr++);
	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_files, body,
		   p->reserved = 1);
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->umask = ~0U);
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->root_len = ~0U);
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->cwd_len = 0);
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->cwd_len += 100);
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->cwd_inode = 1);
	if (strcmp(variant->subject, "rich"))
		return;
#define P(edit)	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe, body, edit)
#define I(edit)	EXPECT_BAD(CKPT_REC_INODE, 0, struct ckpt_inode, body, edit)
	P(p->ring_size = 0);
	P(p->ring_size = ~0U);
	P(p->ring_size = 3);
	P(p->nr_bufs = ~0U);
	P(p->nr_bufs = p->ring_size + 1);
	P(p->flags = ~0U);
	P(p->flags = CKPT_PIPE_DELETED);
	P(p->name_len = ~0U);
	P(p->name_len = 1);
	P(p->mode = S_IFREG | 0600);
	P(p->reserved = 1);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data, p->len = ~0U);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data, p->len = 0);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->flags = ~0U);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->flags = CKPT_PIPE_BUF_PACKET | CKPT_PIPE_BUF_FULL);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->offset = ~0U);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->offset = 4096 - p->len + 1);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->offset = 1; p->flags = CKPT_PIPE_BUF_FULL);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->reserved = 1);
	/* a named pipe, and one that has none */
	fifo = find_file(&self->image, CKPT_FILE_FIFO);
	EXPECT_BAD(CKPT_REC_PIPE, 1, struct ckpt_pipe, body, p->name_len = 0);
	EXPECT_BAD(CKPT_REC_PIPE, 1, struct ckpt_pipe, body, p->name_len--);
	EXPECT_BAD(CKPT_REC_PIPE, 1, struct ckpt_pipe, body,
		   p->flags = CKPT_PIPE_DELETED);
	EXPECT_BAD(CKPT_REC_FILE, fifo, struct ckpt_file, body,
		   p->kind = CKPT_FILE_PIPE);
	EXPECT_BAD(CKPT_REC_FILE, fifo, struct ckpt_file, body,
		   p->pos = 2);
	EXPECT_BAD(CKPT_REC_FILE, fifo, struct ckpt_file, body,
		   p->inode--);
	EXPECT_BAD(CKPT_REC_FILE, fifo, struct ckpt_file, body,
		   p->f_flags |= O_PATH);
	pidfd = find_file(&self->image, CKPT_FILE_PIDFD);
	EXPECT_BAD(CKPT_REC_FILE, pidfd, struct ckpt_file, body, p->inode = 0);
	EXPECT_BAD(CKPT_REC_FILE, pidfd, struct ckpt_file, body, p->inode = 1);
	EXPECT_BAD(CKPT_REC_FILE, pidfd, struct ckpt_file, body, p->inode = ~0U);
	EXPECT_BAD(CKPT_REC_FILE, pidfd, struct ckpt_file, body,
		   p->f_flags |= O_PATH);
	EXPECT_BAD(CKPT_REC_FILE, pidfd, struct ckpt_file, body,
		   p->f_flags |= O_DIRECT);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, p->nr = 0);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, p->nr = -1);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, p->nr = 1);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, p->nr = 1 << 30);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, p->flags = ~0U);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body,
		   p->flags = CKPT_PID_THREAD);
	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body,
		   p->flags = CKPT_PID_THREAD | CKPT_PID_GONE);
	I(p->kind = 0);
	I(p->kind = 99);
	I(p->size = ~0ULL);
	I(p->seals = ~0U);
	I(p->flags = ~0U);
	I(p->mode = S_IFCHR | 0666);
	EXPECT_BAD(CKPT_REC_FILE_DATA, 0, struct ckpt_file_data, body,
		   p->offset = ~0ULL);
	EXPECT_BAD(CKPT_REC_FILE_DATA, 0, struct ckpt_file_data, body,
		   p->len = ~0ULL);
	EXPECT_BAD(CKPT_REC_FILE_DATA, 0, struct ckpt_file_data, body,
		   p->offset = 1ULL << 40);
#define O(edit)	EXPECT_BAD(CKPT_REC_FILE_OWNER, 0, struct ckpt_file_owner, body, edit)
	O(p->file = 0);
	O(p->file = 999999);
	O(p->file = rec->objref);
	O(p->pid = 1);
	O(p->pid = -1);
	O(p->type = 99);
	O(p->signum = 999);
	O(p->flags = ~0U);
	O(p->fd = -5);
	O(p->uid = ~0U);
	O(p->uid = p->euid = ~0U);
	O(p->lease = 1);
	O(p->lease = 99);
	O(p->reserved = 1);
#undef O
#undef I
#undef P
#undef D
#undef F
}

/* The open file that is an epoll instance. */
static uint32_t epoll_file(struct image *im, uint32_t epoll)
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_FILE, i)) >= 0; i++) {
		struct ckpt_record *rec = record(im, nr);
		struct ckpt_file *file = body(rec);

		if (file->kind == CKPT_FILE_EPOLL && file->inode == epoll)
			return rec->objref;
	}
	return 0;
}

TEST_F_TIMEOUT(image, events, CKPT_TIMEOUT)
{
	struct ckpt_epoll_item *items;
	uint32_t top;
	int nr;

	if (strcmp(variant->subject, "rich"))
		return;
#define E(edit)	EXPECT_BAD(CKPT_REC_EVENTFD, 0, struct ckpt_eventfd, body, edit)
#define T(edit)	EXPECT_BAD(CKPT_REC_TIMERFD, 0, struct ckpt_timerfd, body, edit)
#define S(edit)	EXPECT_BAD(CKPT_REC_SIGNALFD, 0, struct ckpt_signalfd, body, edit)
#define P(edit)	EXPECT_BAD(CKPT_REC_EPOLL, 0, struct ckpt_epoll, body, edit)
#define I(edit)	EXPECT_BAD(CKPT_REC_EPOLL_ITEMS, 0, struct ckpt_epoll_item, data, edit)
#define N(edit)	EXPECT_BAD(CKPT_REC_EPOLL_ITEMS, 0, struct ckpt_epoll_items, body, edit)
	E(p->flags = ~0U);
	E(p->reserved = 1);
	T(p->clock = CLOCK_TAI);
	T(p->clock = -6);
	T(p->clock = CLOCK_PROCESS_CPUTIME_ID);
	T(p->flags = ~0U);
	T(p->flags |= CKPT_TIMERFD_ABSOLUTE);
	T(p->flags |= CKPT_TIMERFD_EXPIRED);
	T(p->flags |= CKPT_TIMERFD_EXPIRED; p->ticks = 1);
	T(p->flags |= CKPT_TIMERFD_CANCEL);
	T(p->flags |= CKPT_TIMERFD_CANCELED);
	T(p->flags &= ~CKPT_TIMERFD_ARMED);
	T(p->clock = CLOCK_REALTIME; p->flags |= CKPT_TIMERFD_CANCELED);
	T(p->clock = CLOCK_REALTIME; p->flags |= CKPT_TIMERFD_ABSOLUTE; p->expires = 0);
	T(p->clock = CLOCK_REALTIME_ALARM);
	T(p->expires = INT64_MIN);
	T(p->interval = ~0ULL);
	T(p->settime_flags = ~0U);
	T(p->reserved = 1);
	S(p->mask = ~0ULL);
	S(p->mask |= 1ULL << (SIGKILL - 1));
	P(p->uid = ~0U);
	P(p->busy_poll_usecs = ~0U);
	P(p->busy_poll_budget = ~0U);
	P(p->prefer_busy_poll = 2);
	N(p->nr = 0);
	N(p->nr = 3);
	N(p->nr = ~0U);
	N(p->reserved = 1);
	I(p->epoll = 0);
	I(p->epoll = p->file);
	I(p->file = 0);
	I(p->file = 999999);
	I(p->file = p->epoll);
	I(p->fd = -1);
	I(p->events = 0);
	I(p->events = EPOLLIN);
	I(p->events |= EPOLLEXCLUSIVE | EPOLLPRI);
	I(p->events = EPOLLET);
	I(p->told = ~0U);
	I(p->told = EPOLLIN; p->events &= ~EPOLLET);
	I(p->reserved = 1);
	/* twice the same; one that watches itself, and by way of another */
	I(p[1] = p[0]);
	I(p[0].file = p[3].file);
	nr = find(&self->image, CKPT_REC_EPOLL_ITEMS, 0);
	ASSERT_LE(0, nr);
	items = data(record(&self->image, nr));
	top = epoll_file(&self->image, items[3].epoll);
	ASSERT_NE(0, top);
	I(p[0].file = top);
#undef N
#undef I
#undef P
#undef S
#undef T
#undef E
}

static struct ckpt_inet_opt *inet_opts(struct ckpt_record *rec, struct ckpt_inet *inet)
{
	struct ckpt_sockopt *first = data(rec);

	return (struct ckpt_inet_opt *)(first + inet->nr_opts);
}

static struct ckpt_sockopt *sock_opt(struct ckpt_record *rec, uint32_t name)
{
	struct ckpt_sockopt *opt = data(rec);

	while (opt->name != name)
		opt++;
	return opt;
}

TEST_F_TIMEOUT(image, inet, CKPT_TIMEOUT)
{
	if (strcmp(variant->subject, "rich"))
		return;
#define T(edit)	EXPECT_BAD(CKPT_REC_INET, 0, struct ckpt_inet, body, edit)
#define U(edit)	EXPECT_BAD(CKPT_REC_INET, 1, struct ckpt_inet, body, edit)
#define O(edit)	EXPECT_BAD(CKPT_REC_INET, 0, struct ckpt_sockopt, data, edit)
#define I(edit)	EXPECT_BAD(CKPT_REC_INET, 0, struct ckpt_inet, body, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_INET_MSG, 0, struct ckpt_inet_msg, body, edit)
	T(p->family = AF_UNIX);
	T(p->family = ~0U);
	T(p->type = SOCK_DGRAM);
	T(p->type = SOCK_RAW);
	T(p->protocol = IPPROTO_UDP);
	T(p->protocol = IPPROTO_ICMP);
	T(p->flags = ~0U);
	T(p->state = 0);
	T(p->state = CKPT_INET_CONNECTED);
	T(p->state = ~0U);
	T(p->state = CKPT_INET_CLOSE);
	T(p->backlog = ~0U);
	T(p->shutdown = 4);
	T(p->err = 512);
	T(p->err = 4096);
	T(p->port = 0);
	T(p->port = 65536);
	T(p->peer_port = 1);
	T(p->nr_opts = 0);
	T(p->nr_opts = ~0U);
	T(p->nr_inet_opts = 0);
	T(p->nr_inet_opts = ~0U);
	T(p->nr_opts -= 4; p->nr_inet_opts += 3);
	T(p->uid = ~0U);
	T(p->gid = ~0U);
	T(p->mode = 0100644);
	T(p->mode = ~0U);
	T(p->addr[4] = 1);
	T(p->flags &= ~CKPT_INET_ADDR_LOCK);
	T(p->src[4] = 1);
	T(p->peer[0] = 1);
	T(memset(p->device, 'x', sizeof(p->device)));
	T(p->device[0] = 'x');
	T(p->device[1] = 'x');
	/* not an address of ours */
	T(p->addr[0] = 10);
	U(p->family = AF_INET6);
	U(p->flags |= CKPT_INET_CONGESTION);
	U(p->state = CKPT_INET_LISTEN);
	U(p->state = CKPT_INET_CLOSE);
	U(p->backlog = 1);
	U(p->src[0] = 10);
	O(p->name = ~0U);
	O(p->len = 0);
	O(p->len = 17);
	I(inet_opts(rec, p)->level = SOL_IPV6);
	I(inet_opts(rec, p)->level = ~0U);
	I(inet_opts(rec, p)->name = ~0U);
	I(inet_opts(rec, p)->len = 0);
	I(inet_opts(rec, p)->len = 17);
	I(inet_opts(rec, p)->reserved = 1);
	I(inet_opts(rec, p)[1].val[0] = ~0ULL);
	I(inet_opts(rec, p)[2].val[0] = 4711);
	/* of a kernel with shorter ticks: rounded, as by setsockopt() */
	EXPECT_EDIT(self->pid, CKPT_REC_INET, 0, struct ckpt_inet, body,
		    sock_opt(rec, SO_RCVTIMEO_NEW)->val[1] = 1);
	M(rec->objref = 0);
	M(rec->objref--);
	M(rec->data_len += 8);
	M(p->family = 0);
	M(p->family = AF_INET6);
	M(p->sport = 65536);
	M(p->dport = ~0U);
	M(p->ttl = 256);
	M(p->tos = ~0U);
	M(p->flowlabel = 1);
	M(p->frag_max_size = ~0U);
	M(p->tstamp_ns = ~0ULL);
	M(p->saddr[15] = 1);
	M(p->daddr[4] = 1);
	M(memset(p->device, 'x', sizeof(p->device)));
	M(p->device[0] = 'x');
#define N(edit)	EXPECT_BAD(CKPT_REC_NETLINK, 0, struct ckpt_netlink, body, edit)
	N(p->type = SOCK_STREAM);
	N(p->protocol = NETLINK_AUDIT);
	N(p->protocol = ~0U);
	N(p->options = ~0U);
	N(p->dst_portid = 1);
	N(p->dst_group = 1);
	N(p->options |= CKPT_NETLINK_CONNECTED);
	N(p->options |= CKPT_NETLINK_CONNECTED; p->portid = 1; p->dst_group = 33);
	N(p->err = 512);
	N(p->err = 4096);
	N(p->nr_opts = ~0U);
	N(p->nr_opts = 0);
	N(p->nr_groups = ~0U);
	N(p->nr_groups = 0);
	N(p->uid = ~0U);
	N(p->gid = ~0U);
	N(p->mode = 0100644);
	N(p->reserved = 1);
	N(((uint32_t *)(data(rec) + rec->data_len))[-1] = 0);
	N(((uint32_t *)(data(rec) + rec->data_len))[-1] = ~0U);
#undef N
#undef M
#undef I
#undef O
#undef U
#undef T
}

TEST_F_TIMEOUT(image, fanotify, CKPT_TIMEOUT)
{
	if (strcmp(variant->subject, "rich"))
		return;
#define G(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY, 0, struct ckpt_fanotify, body, edit)
#define H(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY, 1, struct ckpt_fanotify, body, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_MARK, 0, struct ckpt_fanotify_mark, body, edit)
#define N(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_MARK, 1, struct ckpt_fanotify_mark, body, edit)
#define D(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_MARK, 0, char, data, edit)
#define E(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_EVENT, 0, struct ckpt_fanotify_event, body, edit)
#define F(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_EVENT, 1, struct ckpt_fanotify_event, body, edit)
#define P(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_EVENT, 0, char, data, edit)
#define T(edit)	EXPECT_BAD(CKPT_REC_FANOTIFY_EVENT, 1, char, data, edit)
	G(p->uid = ~0U);
	G(p->flags = ~0U);
	G(p->flags |= FAN_CLASS_CONTENT);
	G(p->flags |= FAN_CLASS_PRE_CONTENT);
	G(p->flags |= FAN_UNLIMITED_QUEUE);
	G(p->flags |= FAN_REPORT_NAME);
	G(p->flags |= FAN_REPORT_PIDFD | FAN_REPORT_TID);
	/* what it has queued is no event of such a group */
	G(p->flags |= FAN_REPORT_FID);
	H(p->flags = 0);
	G(p->event_f_flags = ~0U);
	G(p->event_f_flags |= 3);
	G(p->max_events = ~0U);
	G(p->max_events = 0);
	G(p->unpriv = 1);
	G(p->unpriv = 2);
	H(p->unpriv = 1; p->flags |= FAN_UNLIMITED_MARKS);
	G(p->reserved = 1);
	M(p->flags = ~0U);
	M(p->flags |= FAN_MARK_MOUNT);
	M(p->flags |= FAN_MARK_FILESYSTEM);
	M(p->flags |= FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM; p->mode = 0);
	M(p->flags |= FAN_MARK_IGNORED_MASK);
	M(p->flags |= FAN_MARK_ADD);
	M(p->mask = ~0U);
	M(p->mask |= FAN_OPEN_PERM);
	M(p->mask |= FAN_Q_OVERFLOW);
	M(p->mask |= FAN_CREATE);
	M(p->mask |= FAN_EVENT_ON_CHILD);
	M(p->ignore_mask = ~0U);
	M(p->ignore_mask = FAN_OPEN_PERM);
	M(p->ignore_mask = FAN_ONDIR);
	M(p->ignore_mask = FAN_EVENT_ON_CHILD);
	N(p->mask |= FAN_FS_ERROR);
	M(p->file = 1);
	M(p->file = 999999);
	M(p->fsid[0] = 1);
	M(p->reserved = 1);
	D(p[0] = 'x');
	D(p[1] = 0);
	EXPECT_EDIT(-ESTALE, CKPT_REC_FANOTIFY_MARK, 0, struct ckpt_fanotify_mark, body,
		    p->mode = S_IFDIR);
	/* nothing is mounted there */
	EXPECT_EDIT(-ESTALE, CKPT_REC_FANOTIFY_MARK, 0, struct ckpt_fanotify_mark, body,
		    p->flags |= FAN_MARK_MOUNT; p->mode = 0);
	EXPECT_EDIT(-ESTALE, CKPT_REC_FANOTIFY_MARK, 1, struct ckpt_fanotify_mark, body,
		    p->fsid[0]++);
	E(p->kind = 0);
	E(p->kind = CKPT_FANOTIFY_FID);
	E(p->kind = CKPT_FANOTIFY_OVERFLOW);
	E(p->kind = 99);
	E(p->mask = 0);
	E(p->mask = ~0U);
	E(p->mask = FAN_CREATE);
	E(p->mask |= FAN_OPEN_PERM);
	E(p->mask |= FAN_Q_OVERFLOW);
	E(p->mask |= FAN_FS_ERROR);
	E(p->mask |= FAN_ONDIR);
	E(p->pid = 999999);
	E(p->file = 1);
	E(p->error = 1);
	E(p->error_count = 1);
	E(p->fsid[1] = 1);
	E(p->dir.len = 4);
	E(p->name_len = 1);
	E(p->name2_len = 1);
	P(p[0] = 'x');
	P(p[1] = 0);
	F(p->kind = CKPT_FANOTIFY_PATH);
	F(p->kind = CKPT_FANOTIFY_FID);
	F(p->kind = CKPT_FANOTIFY_ERROR);
	F(p->kind = CKPT_FANOTIFY_OVERFLOW);
	F(p->kind = CKPT_FANOTIFY_OVERFLOW; p->mask = FAN_Q_OVERFLOW);
	F(p->mask |= FAN_OPEN_PERM);
	F(p->mask |= FAN_Q_OVERFLOW);
	F(p->mask |= FAN_FS_ERROR);
	F(p->mask = FAN_ONDIR);
	/* a new place without a name, a name without a place */
	F(p->mask |= FAN_RENAME; p->dir2 = p->dir; p->dir.len = 0);
	F(p->mask |= FAN_RENAME; p->name2_len = p->name_len; p->name_len = 0);
	F(p->dir.len++);
	F(p->dir.len = ~0U);
	F(p->dir.len = 256);
	F(p->dir.type = 0);
	F(p->dir.type = 0xff);
	F(p->dir.type = 256);
	F(p->dir2.len = 4);
	F(p->object.len = ~3U);
	F(p->object.type = 256);
	F(p->name_len = 0);
	F(p->name_len++);
	F(p->name_len = ~0U);
	F(p->name2_len = 1);
	F(p->file = 1);
	F(p->error = 1);
	T(p[12] = '/');
	T(p[12] = 0);
#undef G
#undef H
#undef M
#undef N
#undef D
#undef E
#undef F
#undef P
#undef T
}

/* Has all descriptors of a table be of another file than this one. */
static void forget_file(struct ckpt_record *rec, uint32_t file)
{
	struct ckpt_fd *fds = data(rec);
	unsigned int i, nr = rec->data_len / sizeof(*fds);

	for (i = 0; i < nr; i++)
		if (fds[i].file == file)
			fds[i].file = fds[0].file;
}

TEST_F_TIMEOUT(image, queues, CKPT_TIMEOUT)
{
	uint32_t queue;
	int nth;

	if (strcmp(variant->subject, "rich"))
		return;
	nth = find_file(&self->image, CKPT_FILE_MQUEUE);
	ASSERT_LE(0, nth);
	queue = record(&self->image, find(&self->image, CKPT_REC_FILE, nth))->objref;
	/* who does not have it open does not hear of it */
	EXPECT_EDIT(-EINVAL, CKPT_REC_FILES, 0, char, data, forget_file(rec, queue));
#define N(edit)	EXPECT_BAD(CKPT_REC_INOTIFY, 0, struct ckpt_inotify, body, edit)
#define W(edit)	EXPECT_BAD(CKPT_REC_INOTIFY_WATCH, 0, struct ckpt_inotify_watch, body, edit)
#define P(edit)	EXPECT_BAD(CKPT_REC_INOTIFY_WATCH, 0, char, data, edit)
#define E(edit)	EXPECT_BAD(CKPT_REC_INOTIFY_EVENT, 0, struct ckpt_inotify_event, body, edit)
#define T(edit)	EXPECT_BAD(CKPT_REC_INOTIFY_EVENT, 0, char, data, edit)
#define Q(edit)	EXPECT_BAD(CKPT_REC_MQUEUE, 0, struct ckpt_mqueue, body, edit)
#define A(edit)	EXPECT_BAD(CKPT_REC_MQUEUE, 0, char, data, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_MQUEUE_MSG, 0, struct ckpt_mqueue_msg, body, edit)
	N(p->uid = ~0U);
	N(p->max_events = ~0U);
	N(p->max_events = 0);
	N(p->next_wd = ~0U);
	N(p->reserved = 1);
	W(p->wd = 0);
	W(p->wd = -1);
	W(p->mask = ~0U);
	W(p->mask |= IN_ISDIR);
	W(p->mask |= IN_Q_OVERFLOW);
	EXPECT_EDIT(-ESTALE, CKPT_REC_INOTIFY_WATCH, 0, struct ckpt_inotify_watch, body,
		    p->mode = S_IFREG);
	W(p->file = 1);
	W(p->file = 999999);
	P(p[0] = 'x');
	P(p[1] = 0);
	E(p->wd = 0);
	E(p->wd = -1);
	E(p->mask = ~0U);
	E(p->mask |= IN_Q_OVERFLOW);
	E(p->mask = IN_Q_OVERFLOW);
	E(p->reserved = 1);
	T(p[0] = 0);
	T(p[0] = '/');
	T(p[1] = 0);
	Q(p->flags = ~0U);
	Q(p->mode = S_IFDIR);
	Q(p->mode = ~0U);
	Q(p->uid = ~0U);
	Q(p->gid = ~0U);
	Q(p->maxmsg = 0);
	Q(p->maxmsg = 1);
	Q(p->maxmsg = ~0ULL);
	Q(p->msgsize = 0);
	Q(p->msgsize = 2);
	Q(p->msgsize = ~0ULL);
	Q(p->user = ~0U);
	Q(p->nr = 0);
	Q(p->nr = 1);
	Q(p->nr = 3);
	Q(p->nr = ~0U);
	Q(p->notify = 0);
	Q(p->notify = CKPT_MQUEUE_NOTIFY_NONE);
	Q(p->notify = ~0U);
	Q(p->signo = 99);
	Q(p->owner = 0);
	Q(p->owner = 999999);
	Q(p->reserved = 1);
	A(p[0] = '/');
	A(p[0] = 0);
	A(p[3] = 0);
	M(p->priority = 32768);
	M(p->reserved = 1);
#undef M
#undef A
#undef Q
#undef T
#undef E
#undef P
#undef W
#undef N
}

TEST_F_TIMEOUT(image, aio, CKPT_TIMEOUT)
{
	int aio_file;
	long nr = aio_nr();

	if (strcmp(variant->subject, "rich"))
		return;
#define R(edit)	EXPECT_BAD(CKPT_REC_AIO, 0, struct ckpt_aio, body, edit)
#define C(edit)	EXPECT_BAD(CKPT_REC_AIO_CTX, 1, struct ckpt_aio_ctx, body, edit)
#define V(edit)								\
	EXPECT_BAD(CKPT_REC_FILE, file_of(&self->image, CKPT_FILE_AIO),	\
		   struct ckpt_file, body, edit)
	R(p->nr_pages = 0);
	R(p->nr_pages = ~0U);
	R(p->nr_pages = 1U << 31);
	R(p->max_reqs = 0);
	R(p->max_reqs = ~0U);
	R(p->max_reqs = 1U << 31);
	R(p->max_reqs = 4096 / 32);
	R(p->tail = 4096 / 32);
	R(p->tail = ~0U);
	R(p->completed = 4096 / 32);
	R(p->completed = ~0U);
	R(p->reserved[0] = 1);
	R(p->reserved[1] = 1);
	R(memset(p, 0, sizeof(*p)));
	R(rec->objref = 0);
	C(p->addr = 0);
	C(p->addr++);
	C(p->addr = ~0ULL << 12);
	C(p->addr = 1ULL << 47);
	C(p->id = 0);
	C(p->id = ~0U);
	C(p->id = 1U << 20);
	C(p->ring = 0);
	C(p->ring--);
	C(p->ring = ~0U);
	/* one ring for both */
	C(p->ring = ((struct ckpt_aio_ctx *)
		     body(record(&self->image, find(&self->image, CKPT_REC_AIO_CTX, 0))))->ring);
	C(rec->objref = 0);
	C(rec->objref++);
	V(p->inode = 0);
	V(p->inode--);
	V(p->f_flags = O_RDONLY);
	V(p->kind = CKPT_FILE_EVENTFD);
	EXPECT_EDIT(-EAGAIN, CKPT_REC_AIO, 0, struct ckpt_aio, body, p->nr_pages = 1U << 16);
	/* it would be no descriptor, nor a private mapping */
	aio_file = find(&self->image, CKPT_REC_FILE, file_of(&self->image, CKPT_FILE_AIO));
	ASSERT_LE(0, aio_file);
	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_fd, data,
		   p[3].file = record(&self->image, aio_file)->objref);
	EXPECT_BAD(CKPT_REC_VMA, vma_of(&self->image, CKPT_FILE_AIO), struct ckpt_vma, body,
		   p->flags &= ~(CKPT_VM_SHARED | CKPT_VM_MAYSHARE));
#undef V
#undef C
#undef R
	/* what failed has given back what it had */
	EXPECT_EQ(nr, aio_nr());
}

TEST_F_TIMEOUT(image, io_uring_tables, CKPT_TIMEOUT)
{
	if (strcmp(variant->subject, "rich"))
		return;
#define R(edit)	EXPECT_BAD(CKPT_REC_IO_URING, 0, struct ckpt_io_uring, body, edit)
#define T(edit)	EXPECT_BAD(CKPT_REC_IO_URING_FILES, 0, struct ckpt_io_uring_files, body, edit)
#define F(edit)	EXPECT_BAD(CKPT_REC_IO_URING_FILES, 0, struct ckpt_io_uring_slot, data, edit)
#define B(edit)	EXPECT_BAD(CKPT_REC_IO_URING_BUFS, 0, struct ckpt_io_uring_bufs, body, edit)
#define U(edit)	EXPECT_BAD(CKPT_REC_IO_URING_BUFS, 0, struct ckpt_io_uring_buf, data, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_IO_URING_MM, 0, struct ckpt_io_uring_mm, data, edit)
	R(p->eventfd = 0; p->eventfd_tail = 1);
	R(p->eventfd = 0; p->state |= CKPT_IO_URING_EVENTFD_ASYNC);
	R(p->eventfd = 1);
	R(p->eventfd = ~0U);
	R(p->eventfd = rec->objref);
	T(p->nr = 0);
	T(p->nr = 1);
	T(p->nr = 2);
	T(p->nr = (1U << 20) + 1);
	T(p->nr = ~0U);
	T(p->alloc_start = 4);
	T(p->alloc_start = 2; p->alloc_end = 1);
	T(p->alloc_end = 4);
	T(p->alloc_end = ~0U);
	T(p->alloc_hint = 4);
	T(p->alloc_hint = ~0U);
	T(rec->objref = 0);
	T(rec->objref++);
	F(rec->data_len = 24);
	F(p->slot = 2);
	F(p->slot = 3);
	F(p->slot = ~0U);
	F(p->file = 0);
	F(p->file = ~0U);
	F(p->file = rec->objref);
	/* the ring, and memory */
	F(p->file = nth_file(&self->image, file_of(&self->image, CKPT_FILE_IO_URING)));
	B(p->nr = 0);
	B(p->nr = 1);
	B(p->nr = 2);
	B(p->nr = (1U << 14) + 1);
	B(p->nr = ~0U);
	B(p->reserved = 1);
	B(rec->objref = 0);
	B(rec->objref++);
	U(rec->data_len = 28);
	U(p->slot = 2);
	U(p->slot = 3);
	U(p->slot = ~0U);
	U(p->len = 0);
	U(p->len = ~0U);
	U(p->len = 1U << 30);
	U(p->addr = 0);
	U(p->addr = 1);
	U(p->addr = ~0ULL);
	U(p->addr = ~0ULL - 4096);
	U(p->addr = 0xffffffff81000000ULL);
	U(p->addr = 1ULL << 47);
	M(p->ring = 0);
	M(p->ring = 1);
	M(p->ring = ~0U);
	M(p->flags = 0);
	M(p->flags = ~0U);
	M(rec->data_len = 4);
#undef M
#undef U
#undef B
#undef F
#undef T
#undef R
}

TEST_F_TIMEOUT(image, io_uring, CKPT_TIMEOUT)
{
	if (strcmp(variant->subject, "rich"))
		return;
#define R(edit)	EXPECT_BAD(CKPT_REC_IO_URING, 0, struct ckpt_io_uring, body, edit)
#define F(edit)	EXPECT_BAD(CKPT_REC_IO_URING_FDS, 0, struct ckpt_io_uring_fd, data, edit)
#define V(edit)								\
	EXPECT_BAD(CKPT_REC_VMA, vma_of(&self->image, CKPT_FILE_IO_URING),	\
		   struct ckpt_vma, body, edit)
	R(p->flags = ~0U);
	R(p->flags |= IORING_SETUP_IOPOLL);
	R(p->flags |= IORING_SETUP_SQPOLL);
	R(p->flags |= IORING_SETUP_NO_MMAP);
	R(p->flags |= IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY);
	R(p->flags |= IORING_SETUP_TASKRUN_FLAG);
	R(p->flags = 0);
	R(p->flags = IORING_SETUP_DEFER_TASKRUN; p->submitter = 0);
	R(p->flags |= IORING_SETUP_R_DISABLED);
	R(p->sq_entries = 0);
	R(p->sq_entries = 7);
	R(p->sq_entries = 32);
	R(p->sq_entries = p->cq_entries = 65536);
	R(p->cq_entries = 0);
	R(p->cq_entries = 17);
	R(p->cq_entries = 1U << 17);
	R(p->cq_entries = ~0U);
	R(p->state = ~0U);
	R(p->clockid = CLOCK_REALTIME);
	R(p->clockid = -1);
	R(p->submitter = 0);
	R(p->submitter = ~0U);
	R(p->submitter = 1);
	R(p->reserved = 1);
	R(rec->objref = 0);
	F(p->slot = 16);
	F(p->slot = ~0U);
	F(p->file = 0);
	F(p->file = 1);
	F(p->file--);
	F(rec->data_len = 4);
	V(p->flags &= ~CKPT_VM_MIXEDMAP);
	V(p->flags &= ~(CKPT_VM_SHARED | CKPT_VM_MAYSHARE));
	V(p->pgoff = ~0ULL << 12);
	EXPECT_BAD(CKPT_REC_FILE, file_of(&self->image, CKPT_FILE_IO_URING),
		   struct ckpt_file, body, p->f_flags = O_RDONLY);
	EXPECT_BAD(CKPT_REC_FILE, file_of(&self->image, CKPT_FILE_IO_URING),
		   struct ckpt_file, body, p->inode--);
	/* others are not mapped like this */
	EXPECT_BAD(CKPT_REC_VMA, 0, struct ckpt_vma, body, p->flags |= CKPT_VM_MIXEDMAP);
#undef V
#undef F
#undef R
}

TEST_F_TIMEOUT(image, terminals, CKPT_TIMEOUT)
{
	int master, slave, nr, i;
	struct image edited;
	struct ckpt_file *file;

	if (strcmp(variant->subject, "rich"))
		return;
	master = find_file(&self->image, CKPT_FILE_PTMX);
	slave = find_file(&self->image, CKPT_FILE_PTS);
	ASSERT_LE(0, master);
	ASSERT_LE(0, slave);
#define P(edit)	EXPECT_BAD(CKPT_REC_PTY, 0, struct ckpt_pty, body, edit)
#define N(edit)	EXPECT_BAD(CKPT_REC_PTY, 0, char, data, edit)
#define M(edit)	EXPECT_BAD(CKPT_REC_PTY_SIDE, 0, struct ckpt_pty_side, body, edit)
#define S(edit)	EXPECT_BAD(CKPT_REC_PTY_SIDE, 1, struct ckpt_pty_side, body, edit)
#define D(edit)	EXPECT_BAD(CKPT_REC_PTY_SIDE, 1, uint32_t, data, edit)
#define C(edit)	EXPECT_BAD(CKPT_REC_CTTY, 0, struct ckpt_ctty, body, edit)
#define F(edit)	EXPECT_BAD(CKPT_REC_FILE, master, struct ckpt_file, body, edit)
#define G(edit)	EXPECT_BAD(CKPT_REC_FILE, slave, struct ckpt_file, body, edit)
	P(p->index = 1 << 20);
	P(p->index = ~0U);
	P(p->flags = ~0U);
	P(p->flags |= CKPT_PTY_DEAD);
	P(p->flags |= CKPT_PTY_HUNG_UP);
	P(p->flags |= CKPT_PTY_DEAD | CKPT_PTY_HUNG_UP);
	P(p->f_flags = O_ACCMODE);
	P(p->f_flags = O_RDONLY);
	P(p->f_flags |= O_TRUNC);
	P(p->mode = 0);
	P(p->mode = S_IFREG | 0600);
	P(p->uid = ~0U);
	P(p->gid = ~0U; p->flags &= ~CKPT_PTY_GROUP_GIVEN);
	P(p->session = 0);
	P(p->session = 1);
	P(p->session = ~0U);
	P(p->pgrp = 0);
	P(p->pgrp = 1);
	P(p->pgrp = ~0U);
	P(p->session = p->pgrp = 0);
	P(p->session = p->pgrp = 1);
	N(*p = 'x');
	M(p->side = 1);
	M(p->side = 2);
	M(p->termios.lflag |= ECHO);
	M(p->flags |= CKPT_TTY_NO_LDISC);
	M(p->flags |= CKPT_TTY_OTHER_CLOSED);
	S(p->side = 0);
	S(p->flags = ~0U);
	S(p->flags |= CKPT_TTY_NO_LDISC);
	S(p->termios.cflag &= ~CREAD);
	S(p->termios.cc[22] = 1);
	S(p->locked.cc[19] = 1);
	S(p->rows = 1 << 16);
	S(p->cols = ~0U);
	S(p->xpixel = ~0U);
	S(p->ypixel = 1 << 16);
	S(p->pktstatus = 256);
	S(p->nr_marks = 0);
	S(p->nr_marks = ~0U);
	S(p->nr_marks = 1 << 30);
	S(p->read_len = 0);
	S(p->read_len = ~0U);
	S(p->canon_len = -1);
	S(p->canon_len = 12);
	S(p->commit_len = -2);
	S(p->commit_len = 12);
	S(p->echo_len = 4096);
	S(p->echo_commit = p->echo_len + 1);
	S(p->echo_mark = p->echo_len + 1);
	S(p->flip_len++);
	S(p->flip_len = ~0U);
	S(p->flip_seen = p->flip_len + 1);
	D(*p = 11);
	D(*p = ~0U);
	C(p->pty = 0);
	C(p->pty = 999999);
	C(p->pty++);
	C(p->old_pgrp = ~0U);
	C(p->old_pgrp = 1);
	C(p->flags = ~0U);
	C(p->flags = CKPT_CTTY_GONE);
	C(p->reserved = 1);
	F(p->inode = 0);
	F(p->inode++);
	F(p->size = 1);
	F(p->f_flags = O_WRONLY);
	G(p->inode = 0);
	G(p->inode++);
	G(p->size = 2);
	/* a session has a terminal only as long as somebody has it open */
	edited = copy(&self->image);
	for (i = 0; (nr = find(&edited, CKPT_REC_FILE, i)) >= 0; i++) {
		file = body(record(&edited, nr));
		if (file->kind == CKPT_FILE_PTS)
			file->size = CKPT_PTS_HUNG_UP;
		seal(&edited, nr);
	}
	EXPECT_EQ(-EINVAL, try_image(_metadata, self, &edited));
	release(&edited);
#undef G
#undef F
#undef C
#undef D
#undef S
#undef M
#undef N
#undef P
}

/* Which one of the sockets has these: the first that @is says yes to. */
static int find_socket(struct image *im, bool (*is)(const struct ckpt_unix *s))
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_UNIX, i)) >= 0; i++)
		if (is(body(record(im, nr))))
			return i;
	return -1;
}

static bool is_stream(const struct ckpt_unix *s)
{
	return s->type == SOCK_STREAM && s->peer && !s->listener;
}

static bool is_dgram(const struct ckpt_unix *s)
{
	return s->type == SOCK_DGRAM && s->peer;
}

static bool is_bound(const struct ckpt_unix *s)
{
	return s->type == SOCK_DGRAM && s->path_len;
}

static bool is_listener(const struct ckpt_unix *s)
{
	return s->state == CKPT_UNIX_LISTEN;
}

static bool is_embryo(const struct ckpt_unix *s)
{
	return s->listener;
}

static bool is_dead(const struct ckpt_unix *s)
{
	return s->flags & CKPT_UNIX_DEAD;
}

static uint32_t socket_ref(struct image *im, bool (*is)(const struct ckpt_unix *s))
{
	return record(im, find(im, CKPT_REC_UNIX, find_socket(im, is)))->objref;
}

/* Which one of the messages is from this socket, and has credentials. */
static int find_message(struct image *im, uint32_t sender)
{
	int i, nr;

	for (i = 0; (nr = find(im, CKPT_REC_UNIX_MSG, i)) >= 0; i++) {
		struct ckpt_unix_msg *msg = body(record(im, nr));

		if (msg->sender == sender && msg->uid != (uint32_t)-1)
			return i;
	}
	return -1;
}

TEST_F_TIMEOUT(image, sockets, CKPT_TIMEOUT)
{
	struct image *im = &self->image;
	uint32_t dgram, stream, listener, dead;
	int nth;

	if (strcmp(variant->subject, "rich"))
		return;
	dgram = socket_ref(im, is_dgram);
	stream = socket_ref(im, is_stream);
	listener = socket_ref(im, is_listener);
	dead = socket_ref(im, is_dead);
#define U(edit)	EXPECT_BAD(CKPT_REC_UNIX, nth, struct ckpt_unix, body, edit)
#define O(edit)	EXPECT_BAD(CKPT_REC_UNIX, nth, struct ckpt_sockopt, data, edit)
	nth = find_socket(im, is_stream);
	U(p->type = SOCK_RAW);
	U(p->type = SOCK_DGRAM);
	U(p->flags = ~0U);
	U(p->flags |= CKPT_UNIX_DEAD);
	U(p->flags |= CKPT_UNIX_BOUND);
	U(p->flags &= ~CKPT_UNIX_CRED);
	U(p->state = 0);
	U(p->state = CKPT_UNIX_CLOSE);
	U(p->state = CKPT_UNIX_LISTEN);
	U(p->state = 99);
	U(p->shutdown = 4);
	U(p->err = 1 << 20);
	U(p->backlog = 1);
	U(p->peer = 0);
	U(p->peer = rec->objref);
	U(p->peer = dgram);
	U(p->peer = listener);
	U(p->peer = 999999);
	U(p->listener = listener);
	U(p->listener = rec->objref);
	U(p->peer_pid = 999999);
	U(p->peer_pid = stream);
	U(p->peer_uid = -1);
	U(p->nr_groups = ~0U);
	U(p->nr_groups++);
	U(p->nr_opts = ~0U);
	U(p->nr_opts--);
	U(p->addr_len = ~0U);
	U(p->addr_len = 2);
	U(p->path_len = ~0U);
	U(p->uid = -1);
	U(p->mode = S_IFCHR | 0777);
	U(p->mtime_nsec = 1000000000);
	U(p->reserved = 1);
	O(p->name = SO_ATTACH_BPF);
	O(p->name = 9999);
	O(p->len = 0);
	O(p->len = ~0U);
	O(p->val[0] = ~0ULL);
	nth = find_socket(im, is_listener);
	U(p->backlog = ~0U);
	U(p->peer = stream);
	U(p->type = SOCK_SEQPACKET);
	U(p->addr_len = 0);
	U(p->state = CKPT_UNIX_CLOSE);
	nth = find_socket(im, is_embryo);
	U(p->listener = stream);
	U(p->listener = rec->objref);
	U(p->peer = 0);
	U(p->peer = stream);
	U(p->peer = listener);
	U(p->flags |= CKPT_UNIX_CONNECTED);
	U(p->mode = S_IFSOCK | 0777);
	nth = find_socket(im, is_dead);
	U(p->peer = stream);
	U(p->shutdown = 1);
	U(p->flags = 0);
	U(p->type = SOCK_DGRAM);
	nth = find_socket(im, is_bound);
	U(p->path_len--);
	U(p->flags &= ~CKPT_UNIX_BOUND);
	U(p->addr_len--);
	U(memset(data(rec) + rec->data_len - 3, 'x', 3));
#undef O
#undef U
	nth = 0;
#define M(edit)	EXPECT_BAD(CKPT_REC_UNIX_MSG, nth, struct ckpt_unix_msg, body, edit)
	M(p->sender = 0);
	M(p->sender = dgram);
	M(p->sender = rec->objref);
	M(p->sender = 999999);
	M(p->flags = ~0U);
	M(p->flags = CKPT_UNIX_MSG_OOB);
	M(p->head_len = ~0U);
	M(p->head_len++);
	M(p->frags_len = ~0U);
	M(p->frags_len = 1 << 30; p->head_len = 1 << 30);
	M(p->consumed = ~0U);
	M(p->consumed = p->head_len + 1);
	M(p->nr_files = ~0U);
	M(p->nr_files = 1);
	M(p->pid = 999999);
	M(p->pid = stream);
	M(p->reserved = 1);
	M(p->tstamp_ns = ~0ULL);
	M(rec->objref = listener);
	M(rec->objref = dead);
	M(rec->objref = dgram);
	/* one that has credentials */
	nth = find_message(im, dgram);
	M(p->uid = -1);
	M(p->gid = -1);
	M(p->consumed = 1);
	M(p->flags = CKPT_UNIX_MSG_OOB);
#undef M
#define P(edit)	EXPECT_BAD(CKPT_REC_PID, 0, struct ckpt_pid, body, edit)
	P(p->nr = 0);
	P(p->nr = -1);
	P(p->nr = INT_MAX; p->flags = CKPT_PID_GONE);
	P(p->nr = 1; p->flags = 0);
	P(p->flags = ~0U);
#undef P
}

/* Security modules may look at the file of who listens: there has to be one. */
TEST_F_TIMEOUT(image, listener_no_file, CKPT_TIMEOUT)
{
	/* of Linux 6.12: also the scope */
	struct { __u64 fs, net, scoped; } attr = { .scoped = 1 };
	struct image *im = &self->image;
	int i, nr, ruleset, status;
	struct ckpt_file other = {};
	uint32_t listener;
	pid_t pid;

	if (strcmp(variant->subject, "rich"))
		return;
	listener = socket_ref(im, is_listener);
	for (i = 0; (nr = find(im, CKPT_REC_FILE, i)) >= 0; i++) {
		struct ckpt_file *file = body(record(im, nr));

		if (file->kind == CKPT_FILE_PIPE)
			other = *file;
	}
	ASSERT_EQ(CKPT_FILE_PIPE, other.kind);
	for (i = 0; (nr = find(im, CKPT_REC_FILE, i)) >= 0; i++) {
		struct ckpt_file *file = body(record(im, nr));

		if (file->kind == CKPT_FILE_UNIX && file->inode == listener)
			break;
	}
	ASSERT_LE(0, nr);
	pid = fork();
	if (!pid) {
		ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
		if (ruleset < 0)
			_exit(2);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscall(SYS_landlock_restrict_self, ruleset, 0))
			_exit(1);
		close(ruleset);
		EXPECT_EDIT(-EINVAL, CKPT_REC_FILE, i, struct ckpt_file, body, *p = other);
		EXPECT_LE(1, ckpt_log_has(&self->run, "accepts")) ckpt_print(&self->run, "log");
		/* neither is anything else about it in the way */
		i = try_image(_metadata, self, im);
		EXPECT_LT(0, i) ckpt_print(&self->run, "log");
		_exit(_metadata->exit_code == KSFT_FAIL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Each number of what is about sockets, one by one. Any result will do. */
TEST_F_TIMEOUT(image, socket_edits, 1200)
{
	static const uint32_t values[] = { 0, 1, 2, 3, 7, INT_MAX, ~0U };
	struct image *im = &self->image, edited;
	unsigned int seed = getpid(), i, k, nr, types[3] = {
		CKPT_REC_UNIX, CKPT_REC_UNIX_MSG, CKPT_REC_PID,
	};
	struct ckpt_record *rec;
	int status;
	long ret;

	if (strcmp(variant->subject, "rich"))
		return;
	TH_LOG("seed %u", seed);
	for (i = 0; i < MAX_EDITS; i++) {
		edited = copy(im);
		for (k = 0; k < 1 + i % 2; k++) {
			uint32_t *p;

			do {
				nr = rand_r(&seed) % im->nr;
				rec = record(&edited, nr);
			} while (rec->type != types[0] && rec->type != types[1] &&
				 rec->type != types[2]);
			p = body(rec);
			p += rand_r(&seed) % (rec->body_len / sizeof(*p));
			/* often, what could be the name of another object */
			*p = rand_r(&seed) % 2 ? values[rand_r(&seed) % 7] :
						 rand_r(&seed) % 100;
			if (rand_r(&seed) % 4 == 0)
				rec->objref = rand_r(&seed) % 100;
			seal(&edited, nr);
		}
		ASSERT_EQ(0, ftruncate(self->file, 0));
		ASSERT_EQ(edited.size, pwrite(self->file, edited.data,
					      edited.size, 0));
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
		ret = ckpt_restart_from(self->file, 0, -1);
		ASSERT_NE(0, ret);
		if (ret > 0)
			end_all(ret);
		ASSERT_EQ(-1, waitpid(-1, &status, WNOHANG));
		release(&edited);
	}
	ckpt_sleep_ms(100);
}

TEST_F_TIMEOUT(image, trailer, CKPT_TIMEOUT)
{
#define T(edit)								\
	EXPECT_BAD(CKPT_REC_TRAILER, 0, struct ckpt_trailer, body, edit)
	T(p->records++);
	T(p->bytes--);
	T(p->objects++);
	T(p->pages++);
	T(rec->type = CKPT_REC_TASK_BEGIN);
#undef T
}

/* Clocks that a time namespace cannot have, or that nobody knows. */
TEST_F_TIMEOUT(image, clocks, CKPT_TIMEOUT)
{
#define C(err, edit)							\
	EXPECT_EDIT(err, CKPT_REC_TRAILER, 0, struct ckpt_trailer, body, edit)
	if (access("/proc/self/timens_offsets", F_OK))
		SKIP(return, "kernel has no time namespaces");
	try_flags = RESTART_TIMENS;
	C(self->pid, p->monotonic_ns += 1000000000);
	C(self->pid, p->boottime_ns -= 1000);
	C(-EINVAL, p->monotonic_ns = 0);
	C(-EINVAL, p->boottime_ns = 0);
	C(-EINVAL, p->monotonic_ns = ~0ULL);
	C(-EINVAL, p->boottime_ns = 1ULL << 63);
	C(-EINVAL, p->boottime_ns = 5ULL << 60);
	try_flags = 0;
	/* nobody asks for them */
	C(self->pid, p->monotonic_ns = 0);
	C(self->pid, p->boottime_ns = ~0ULL);
#undef C
}

/* Random edits of bodies and data, with good CRCs. Any result will do. */
TEST_F_TIMEOUT(image, random_edits, 1200)
{
	struct image *im = &self->image, edited;
	unsigned int seed = getpid(), i, k, nr;
	struct ckpt_record *rec;
	int status;
	size_t pos;
	long ret;

	TH_LOG("seed %u", seed);
	for (i = 0; i < MAX_EDITS; i++) {
		edited = copy(im);
		nr = 1 + rand_r(&seed) % (im->nr - 1);
		rec = record(&edited, nr);
		if (rec->length == sizeof(*rec)) {
			release(&edited);
			continue;
		}
		for (k = 0; k < 1 + rand_r(&seed) % 3; k++) {
			pos = sizeof(*rec) + (size_t)rand_r(&seed) %
			      (rec->length - sizeof(*rec));
			if (pos > 512)
				pos = sizeof(*rec) + pos % 256;
			if (pos < rec->length)
				((char *)rec)[pos] = rand_r(&seed);
		}
		seal(&edited, nr);
		ASSERT_EQ(0, ftruncate(self->file, 0));
		ASSERT_EQ(edited.size, pwrite(self->file, edited.data,
					      edited.size, 0));
		ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
		ret = ckpt_restart_from(self->file, 0, -1);
		ASSERT_NE(0, ret);
		if (ret > 0)
			end_all(ret);
		ASSERT_EQ(-1, waitpid(-1, &status, WNOHANG));
		release(&edited);
	}
	ckpt_sleep_ms(100);
}

/* ---- writing it ---- */

CKPT_FIXTURE(writing);

/* No room on the device: the tasks go on, whatever was to become of them. */
TEST_F_TIMEOUT(writing, no_space, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char path[128];
	long ret;
	int fd;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "rich"));
	snprintf(path, sizeof(path), "%s/full", run.dir);
	ASSERT_EQ(0, mkdir(path, 0755));
	ASSERT_EQ(0, mount("none", path, "tmpfs", 0, "size=16k"));
	strcat(path, "/image");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOSPC, ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd));
	EXPECT_EQ(-ENOSPC, ckpt_checkpoint_log(&run, CHECKPOINT_STOP, fd));
	close(fd);
	/* nor does the kernel write to all devices on its own behalf */
	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ret = ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd);
	EXPECT_TRUE(ret == -ENOSPC || ret == -EINVAL) TH_LOG("%ld", ret);
	close(fd);
	EXPECT_NE('T', ckpt_state(run.pid));
	ASSERT_EQ(0, ckpt_finish(&run));
	/* what there is of an image is none */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADMSG, ckpt_restart_from(fd, 0, -1));
	close(fd);
	*strrchr(path, '/') = '\0';
	ASSERT_EQ(0, umount(path));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Nobody reads from the pipe any more, at once or after a while. */
TEST_F_TIMEOUT(writing, broken_pipe, CKPT_TIMEOUT)
{
	char buf[10000];
	struct ckpt_run run;
	int fds[2], status, i;
	pid_t reader;

	signal(SIGPIPE, SIG_IGN);
	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "rich"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		fcntl(fds[1], F_SETPIPE_SZ, 4096);
		reader = fork();
		if (!reader) {
			close(fds[1]);
			if (i && read(fds[0], buf, sizeof(buf)) <= 0)
				_exit(1);
			_exit(0);
		}
		close(fds[0]);
		EXPECT_EQ(-EPIPE, ckpt_checkpoint_log(&run, CHECKPOINT_KILL,
						      fds[1]));
		close(fds[1]);
		ASSERT_EQ(reader, waitpid(reader, &status, 0));
	}
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* The position and what precedes it are the caller's business. */
TEST_F_TIMEOUT(writing, in_the_middle, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	char text[8] = "";
	pid_t pid;
	int fd;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "rich"));
	pid = run.pid;
	fd = ckpt_open(&run, "image", O_CREAT | O_RDWR);
	ASSERT_EQ(7, write(fd, "preface", 7));
	ASSERT_LT(0, ckpt_checkpoint_log(&run, 0, fd))
		ckpt_print(&run, "log");
	ASSERT_EQ(3, write(fd, "end", 3));
	ASSERT_EQ(0, ckpt_go_on(&run));
	ASSERT_EQ(7, pread(fd, text, 7, 0));
	EXPECT_STREQ("preface", text);
	ASSERT_EQ(7, lseek(fd, 7, SEEK_SET));
	ASSERT_EQ(pid, ckpt_restart_from(fd, 0, -1));
	memset(text, 0, sizeof(text));
	ASSERT_EQ(3, read(fd, text, sizeof(text)));
	EXPECT_STREQ("end", text);
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* Two images of the same state have different ids. */
TEST_F_TIMEOUT(writing, ids, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	long a, b;
	int fd;

	ckpt_init(&run, NULL);
	ASSERT_EQ(0, ckpt_start(&run, "small"));
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	a = ckpt_checkpoint_log(&run, 0, fd);
	b = ckpt_checkpoint_log(&run, 0, fd);
	EXPECT_LT(0, a);
	EXPECT_LT(0, b);
	EXPECT_NE(a, b);
	close(fd);
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

CKPT_TEST_MAIN
