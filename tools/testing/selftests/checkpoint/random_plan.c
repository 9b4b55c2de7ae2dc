// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: a plan for a tree of tasks, made from a seed. See random.c.
 *
 * A model follows the plan, so that an operation is mostly about something that
 * is there. What the documentation says is refused is not made.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include "../kselftest.h"
#include "random.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define NR_FILES	6
#define NR_DIRS		4
#define MAX_FDS		64
#define MAX_OBJS	512

enum obj_kind {
	REG, DIRECTORY, DEVICE, OPATH, PIPE, FIFO, EVENTFD, TIMERFD, SIGNALFD,
	EPOLL, INOTIFY, MEMFD, PAIR, SOCK, LISTENER, UDP, TCP, NETLINK, PTY, PIDFD, MQ,
};

#define K(kind)		(1U << (kind))
#define ANY		(~0U)
#define CHANNELS	(K(PIPE) | K(FIFO) | K(EVENTFD) | K(PAIR) | K(SOCK) | K(UDP) | \
			 K(PTY))
#define FILES		(K(REG) | K(MEMFD))
#define SOCKETS		(K(PAIR) | K(SOCK) | K(LISTENER) | K(UDP) | K(TCP))

struct obj {
	enum obj_kind kind;
	int what;		/* number of a file, type of a socket, ... */
	int maker;		/* task */
	bool sleeper, special;
};

struct entry {
	int fd, obj, end;
};

struct table {
	int nr;
	struct entry entry[MAX_FDS];
};

struct task {
	bool alive, thread, busy, wakes, group, setsid;
	int table, vm, parent, process;
};

static struct plan *plan;
static uint64_t random_state;
static struct task tasks[MAX_TASKS];
static struct table tables[MAX_TASKS];
static struct obj objs[MAX_OBJS];
static int nr_tasks, nr_objs, nr_fifos, nr_names, nr_queues, nr_keys, nr_files;
static bool gone_file[64];
static bool slot_used[MAX_SLOTS];
static int slot_vm[MAX_SLOTS];
static int keys[8];		/* 1 segment, 2 semaphores, 3 messages */

static unsigned int rnd(unsigned int n)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return n ? (z >> 16) % n : 0;
}

static bool maybe(unsigned int percent)
{
	return rnd(100) < percent;
}

static uint32_t value(void)
{
	return 1 + rnd(1 << 30);
}

static void emit(int kind, int task, int a, int b, int c, int d, uint32_t v)
{
	if (plan->nr == MAX_OPS)
		return;
	plan->op[plan->nr++] = (struct op) {
		.kind = kind, .task = task, .a = a, .b = b, .c = c, .d = d, .v = v,
	};
}

/* ---- the model ---- */

static struct table *table_of(int task)
{
	return &tables[tasks[task].table];
}

static int find(struct table *t, int fd)
{
	int i;

	for (i = 0; i < t->nr; i++)
		if (t->entry[i].fd == fd)
			return i;
	return -1;
}

static int new_fd(int task)
{
	struct table *t = table_of(task);
	int fd = maybe(12) ? 100 + (int)rnd(800) : 10;

	while (find(t, fd) >= 0)
		fd++;
	return fd;
}

static int new_obj(enum obj_kind kind, int what, int maker)
{
	if (nr_objs == MAX_OBJS)
		nr_objs--;
	objs[nr_objs] = (struct obj) { .kind = kind, .what = what, .maker = maker };
	return nr_objs++;
}

static void add(int task, int fd, int obj, int end)
{
	struct table *t = table_of(task);
	int i = find(t, fd);

	if (i < 0) {
		if (t->nr == MAX_FDS)
			return;
		i = t->nr++;
	}
	t->entry[i] = (struct entry) { fd, obj, end };
}

static void drop(int task, int fd)
{
	struct table *t = table_of(task);
	int i = find(t, fd);

	if (i >= 0)
		t->entry[i] = t->entry[--t->nr];
}

/* A descriptor of the task for one of these kinds of objects, or NULL. */
static struct entry *pick(int task, unsigned int kinds)
{
	struct table *t = table_of(task);
	int i, n = t->nr, start = n ? rnd(n) : 0;

	for (i = 0; i < n; i++) {
		struct entry *e = &t->entry[(start + i) % n];

		if (kinds & K(objs[e->obj].kind))
			return e;
	}
	return NULL;
}

static int live_task(void)
{
	int i, start = rnd(nr_tasks);

	for (i = 0; i < nr_tasks; i++)
		if (tasks[(start + i) % nr_tasks].alive)
			return (start + i) % nr_tasks;
	return 0;
}

/* How many tables have it? */
static int holders(int obj)
{
	bool seen[MAX_TASKS] = { };
	int i, j, nr = 0;

	for (i = 0; i < nr_tasks; i++) {
		if (!tasks[i].alive || seen[tasks[i].table])
			continue;
		seen[tasks[i].table] = true;
		for (j = 0; j < tables[tasks[i].table].nr; j++)
			nr += tables[tasks[i].table].entry[j].obj == obj;
	}
	return nr;
}

static int cloexec(int flag)
{
	return maybe(25) ? flag : 0;
}

static int nonblock(int flag)
{
	return maybe(40) ? flag : 0;
}

/* ---- tasks ---- */

static void make_task(int task)
{
	int child = nr_tasks, flags = 0, process = tasks[task].process, i;

	if (nr_tasks == MAX_TASKS)
		return;
	tasks[child] = (struct task) {
		.alive = true, .parent = process, .process = child,
		.group = tasks[task].group,
	};
	tasks[child].vm = child;
	tasks[child].table = child;
	if (maybe(30)) {
		flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | FORK_THREAD;
		if (maybe(85))
			flags |= CLONE_FILES | CLONE_FS | CLONE_SYSVSEM;
		tasks[child].thread = true;
		tasks[child].process = process;
	} else {
		if (maybe(20))
			flags |= CLONE_FILES;
		if (maybe(20))
			flags |= CLONE_FS;
		if (maybe(15))
			flags |= CLONE_SYSVSEM;
		if (maybe(15))
			flags |= CLONE_VM | (maybe(50) ? CLONE_SIGHAND : 0);
		if (process && maybe(20)) {
			flags |= CLONE_PARENT;
			tasks[child].parent = tasks[process].parent;
		}
	}
	if (flags & CLONE_VM)
		tasks[child].vm = tasks[task].vm;
	if (flags & CLONE_FILES)
		tasks[child].table = tasks[task].table;
	else
		tables[child] = *table_of(task);
	/* an item for a signalfd is of the one who added it */
	if (!(flags & CLONE_FILES))
		for (i = 0; i < tables[child].nr; i++)
			objs[tables[child].entry[i].obj].special = true;
	nr_tasks++;
	emit(OP_FORK, task, child, flags, 0, 0, 0);
}

static void end_task(int task)
{
	int i, how = 0, threads = 0;

	if (!task || tasks[task].busy)
		return;
	for (i = 0; i < nr_tasks; i++)
		if (i != task && tasks[i].alive && tasks[i].process == tasks[task].process) {
			threads++;
			/* everybody would go */
			how = 2;
		}
	if (tasks[task].thread)
		how = 2;
	else if (!how && maybe(30))
		how = 1;
	if (how == 2 && !tasks[task].thread && !threads)
		how = 0;
	emit(OP_EXIT, task, how == 1 ? (maybe(50) ? SIGKILL : SIGTERM) : rnd(100), how, 0, 0,
	     0);
	tasks[task].alive = false;
	emit(OP_GONE, 0, task, 0, 0, 0, 0);
}

static void change_task(int task)
{
	static const int signals[] = { SIGUSR1, SIGUSR2, SIGIO };
	int what = rnd(10), timers;

	switch (what) {
	case 0:
		if (task && !tasks[task].thread && !tasks[task].group) {
			emit(OP_SETSID, task, 0, 0, 0, 0, 0);
			tasks[task].setsid = true;
			tasks[task].group = true;
		}
		break;
	case 1:
		if (task && !tasks[task].thread && !tasks[task].setsid) {
			emit(OP_SETPGID, task, 0, 0, 0, 0, 0);
			tasks[task].group = true;
		}
		break;
	case 2:
		emit(OP_MASK, task, SIGRTMIN + 9 + rnd(4), SIG_BLOCK, 0, 0, 0);
		break;
	case 3:
		emit(OP_HANDLER, task, SIGRTMIN + 9 + rnd(6), rnd(4), 0, 0, 0);
		break;
	case 4:
	case 5:
		emit(OP_QUEUE, task, live_task(), maybe(50) ? SIGRTMIN + (int)rnd(6) :
		     signals[rnd(3)], rnd(2), 0, value());
		break;
	case 6:
		emit(OP_ITIMER, task, rnd(3), 5000 + rnd(1000), 0, 0, 0);
		break;
	case 7:
		for (timers = rnd(3); timers >= 0; timers--)
			emit(OP_TIMER, task, rnd(4), SIGRTMIN + rnd(6), 4000 + rnd(1000), 0, 0);
		break;
	default:
		emit(OP_SMALL, task, rnd(19), 0, 0, 0, value());
		break;
	}
}

/* ---- things to make ---- */

static void make_reg(int task)
{
	int fd = new_fd(task), file = rnd(nr_files), flags;

	switch (rnd(6)) {
	case 0:
		emit(OP_TMPFILE, task, fd, 0, cloexec(O_CLOEXEC), rnd(20000), value());
		add(task, fd, new_obj(REG, -1, task), 0);
		return;
	case 1:
		if (gone_file[file])
			break;
		emit(OP_OPEN, task, fd, file, O_PATH | cloexec(O_CLOEXEC), 0, 0);
		add(task, fd, new_obj(OPATH, file, task), 0);
		return;
	}
	if (gone_file[file]) {
		if (nr_files == 60)
			return;
		file = nr_files++;
		emit(OP_MKFILE, task, file, 0, rnd(30000), 0, value());
	}
	flags = rnd(3) | cloexec(O_CLOEXEC);
	if (maybe(20))
		flags |= O_APPEND;
	if (maybe(10))
		flags |= O_NONBLOCK;
	if (maybe(8))
		flags |= O_SYNC;
	if (maybe(8))
		flags |= O_NOATIME;
	emit(OP_OPEN, task, fd, file, flags, rnd(30000), 0);
	add(task, fd, new_obj(REG, file, task), 0);
}

static void make_dir(int task)
{
	int fd = new_fd(task), dir = rnd(NR_DIRS);

	emit(OP_OPENDIR, task, fd, dir, cloexec(O_CLOEXEC), rnd(4), 0);
	add(task, fd, new_obj(DIRECTORY, dir, task), 0);
}

static void make_dev(int task)
{
	int fd = new_fd(task);

	emit(OP_DEV, task, fd, rnd(4), O_RDWR | cloexec(O_CLOEXEC), 0, 0);
	add(task, fd, new_obj(DEVICE, 0, task), 0);
}

static void make_memfd(int task)
{
	int fd = new_fd(task), flags = cloexec(1 /* MFD_CLOEXEC */);

	if (maybe(70))
		flags |= 2; /* MFD_ALLOW_SEALING */
	if (maybe(20))
		flags |= MFD_NOEXEC_SEAL;
	emit(OP_MEMFD, task, fd, 0, flags, rnd(30000), value());
	add(task, fd, new_obj(MEMFD, 0, task), 0);
	if ((flags & 2) && maybe(50))
		emit(OP_SEAL, task, fd, 1 << rnd(4), 0, 0, 0);
}

static void make_pipe(int task)
{
	int r = new_fd(task), w, obj = new_obj(PIPE, 0, task);
	int flags = cloexec(O_CLOEXEC) | nonblock(O_NONBLOCK);

	if (maybe(20))
		flags |= O_DIRECT;
	add(task, r, obj, 0);
	w = new_fd(task);
	add(task, w, obj, 1);
	emit(OP_PIPE, task, r, w, flags, maybe(25) ? 4096 << rnd(7) : 0, 0);
	if (maybe(60))
		emit(OP_WRITE, task, w, 0, 1 + rnd(9000), 0, value());
	if (maybe(15)) {
		emit(OP_CLOSE, task, maybe(50) ? r : w, 0, 0, 0, 0);
		drop(task, plan->op[plan->nr - 1].a);
	}
}

static void make_fifo(int task)
{
	int fifo = rnd(nr_fifos + 1) % 4, fd = new_fd(task), obj, i;
	static const int modes[] = { O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };

	if (fifo == nr_fifos) {
		nr_fifos++;
		emit(OP_MKFIFO, task, fifo, 0, 0, 0, 0);
	}
	for (obj = 0, i = 0; i < nr_objs; i++)
		if (objs[i].kind == FIFO && objs[i].what == fifo)
			obj = i;
	if (!obj)
		obj = new_obj(FIFO, fifo, task);
	emit(OP_FIFO, task, fd, fifo, modes[rnd(4)] | cloexec(O_CLOEXEC) | nonblock(O_NONBLOCK),
	     0, 0);
	add(task, fd, obj, 2);
	if (maybe(50))
		emit(OP_WRITE, task, fd, 0, 1 + rnd(3000), 0, value());
}

static void make_eventfd(int task)
{
	int fd = new_fd(task);

	emit(OP_EVENTFD, task, fd, 0, cloexec(EFD_CLOEXEC) | nonblock(EFD_NONBLOCK) |
	     (maybe(30) ? EFD_SEMAPHORE : 0), 0, rnd(2) ? rnd(100) : 0);
	add(task, fd, new_obj(EVENTFD, 0, task), 2);
}

static void make_timerfd(int task)
{
	int fd = new_fd(task);

	emit(OP_TIMERFD, task, fd, rnd(3), cloexec(TFD_CLOEXEC) | nonblock(TFD_NONBLOCK),
	     maybe(80) ? 3000 + rnd(100) : 0, maybe(50) ? rnd(1000) : 0);
	add(task, fd, new_obj(TIMERFD, 0, task), 0);
}

static void make_signalfd(int task)
{
	int fd = new_fd(task);

	emit(OP_SIGNALFD, task, fd, 0, cloexec(SFD_CLOEXEC) | nonblock(SFD_NONBLOCK), 0,
	     rnd(256));
	add(task, fd, new_obj(SIGNALFD, 0, task), 0);
}

static bool has_other_end(const struct entry *e)
{
	int i, j;

	for (i = 0; i < nr_tasks; i++) {
		const struct table *t = table_of(i);

		for (j = 0; j < t->nr && tasks[i].alive; j++)
			if (t->entry[j].obj == e->obj &&
			    (e->end == 2 || t->entry[j].end != e->end))
				return true;
	}
	return false;
}

static void add_item(int task)
{
	static const unsigned int events[] = {
		EPOLLIN, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
		EPOLLOUT, EPOLLIN | EPOLLRDHUP | EPOLLPRI, EPOLLIN | EPOLLOUT | EPOLLET,
		EPOLLIN | EPOLLEXCLUSIVE,
	};
	unsigned int chosen;
	struct entry *ep = pick(task, K(EPOLL));
	struct entry *e = pick(task, CHANNELS | K(TIMERFD) | K(INOTIFY) | K(PIDFD) | K(MQ) |
			       K(LISTENER) | K(TCP) | K(EPOLL) | K(SIGNALFD));

	if (!ep || !e || ep->obj == e->obj)
		return;
	/* that one is of the process that adds it, and no other may have it */
	if (objs[e->obj].kind == SIGNALFD)
		return;
	/* no circles, and not too deep */
	if (objs[e->obj].kind == EPOLL && e->obj < ep->obj)
		return;
	chosen = events[rnd(8)];
	/* what was told of these is told once more, the documentation says */
	if (objs[e->obj].kind == EPOLL || (objs[e->obj].kind == PIPE && !has_other_end(e)))
		chosen &= ~EPOLLET;
	emit(OP_EPCTL, task, ep->fd, e->fd, chosen, EPOLL_CTL_ADD, value());
	objs[e->obj].special = true;
	if (maybe(20))
		emit(OP_EPWAIT, task, ep->fd, 1 + rnd(4), 0, 0, 0);
}

static void make_epoll(int task)
{
	int fd = new_fd(task), i;

	emit(OP_EPOLL, task, fd, 0, cloexec(EPOLL_CLOEXEC), 0, 0);
	add(task, fd, new_obj(EPOLL, 0, task), 0);
	for (i = rnd(4); i > 0; i--)
		add_item(task);
}

static void make_inotify(int task)
{
	int fd = new_fd(task), i, file, dir;
	static const int masks[] = {
		IN_MODIFY | IN_ATTRIB, IN_CREATE | IN_DELETE, IN_DELETE_SELF | IN_MODIFY,
		IN_MODIFY | IN_ONESHOT, IN_CREATE | IN_EXCL_UNLINK,
	};

	emit(OP_INOTIFY, task, fd, 0, cloexec(IN_CLOEXEC) | nonblock(IN_NONBLOCK), 0, 0);
	add(task, fd, new_obj(INOTIFY, 0, task), 0);
	for (i = 1 + rnd(3); i > 0; i--) {
		dir = maybe(60);
		file = dir ? rnd(NR_DIRS) : rnd(nr_files);
		emit(OP_WATCH, task, fd, file, masks[rnd(5)], dir, 0);
		if (dir && maybe(50))
			emit(OP_TOUCH, task, file, rnd(50), 0, 0, 0);
	}
}

static void make_pty(int task)
{
	int m = new_fd(task), s, obj = new_obj(PTY, 0, task), i;

	add(task, m, obj, 0);
	s = new_fd(task);
	add(task, s, obj, 1);
	emit(OP_PTY, task, m, s, cloexec(O_CLOEXEC) | nonblock(O_NONBLOCK), rnd(8), 0);
	for (i = rnd(3); i > 0; i--)
		emit(OP_WRITE, task, maybe(50) ? m : s, 0, 1 + rnd(60), 0, value());
	if (maybe(30))
		emit(OP_TTYSET, task, maybe(50) ? m : s, rnd(4), 0, 0, 1 + rnd(100));
	if (tasks[task].setsid && maybe(60))
		emit(OP_CTTY, task, s, 0, 0, 0, 0);
	if (maybe(10)) {
		emit(OP_CLOSE, task, maybe(50) ? m : s, 0, 0, 0, 0);
		drop(task, plan->op[plan->nr - 1].a);
	}
}

static void make_pidfd(int task)
{
	int fd = new_fd(task), other = rnd(nr_tasks);

	/* one that is gone, and whose group lives on, is refused */
	if (!tasks[other].alive && tasks[other].group)
		other = 0;
	emit(OP_PIDFD, task, fd, other, nonblock(O_NONBLOCK) |
	     (tasks[other].thread ? PIDFD_THREAD : 0), 0, 0);
	add(task, fd, new_obj(PIDFD, other, task), 0);
}

static void make_mq(int task)
{
	int fd = new_fd(task), q = rnd(nr_queues + 1) % 3, i;

	if (q == nr_queues)
		nr_queues++;
	emit(OP_MQOPEN, task, fd, q, (maybe(70) ? O_RDWR : maybe(50) ? O_RDONLY : O_WRONLY) |
	     nonblock(O_NONBLOCK), 0, 0);
	add(task, fd, new_obj(MQ, q, task), 0);
	for (i = rnd(4); i > 0; i--)
		emit(OP_MQSEND, task, fd, 0, rnd(256), rnd(8), value());
	if (maybe(20))
		emit(OP_MQNOTIFY, task, fd, maybe(70) ? SIGRTMIN + (int)rnd(6) : 0, 0, 0, 0);
	if (maybe(15))
		emit(OP_MQUNLINK, task, q, 0, 0, 0, 0);
}

/*
 * Sockets that are in each other's messages, and nowhere else, are garbage that is
 * collected some time later: no circles.
 */
static bool may_send(int carrier, int obj)
{
	return !(K(objs[obj].kind) & SOCKETS) ||
	       (objs[carrier].kind == PAIR && objs[obj].kind == PAIR && obj > carrier);
}

static void send_some(int task, int fd, int n)
{
	struct table *t = table_of(task);
	int carrier = find(t, fd) >= 0 ? t->entry[find(t, fd)].obj : 0;
	struct entry *e;

	while (n-- > 0) {
		if (maybe(4))
			emit(OP_OOB, task, fd, 0, 0, 0, value());
		if (maybe(70)) {
			emit(OP_WRITE, task, fd, 0, 1 + rnd(2000), 0, value());
			continue;
		}
		e = pick(task, maybe(50) ? ANY & ~K(OPATH) : FILES | CHANNELS);
		if (!e)
			continue;
		/* nobody else has an idea what is in a message */
		if (objs[e->obj].kind == SIGNALFD || objs[e->obj].special ||
		    !may_send(carrier, e->obj))
			continue;
		objs[e->obj].sleeper = true;
		emit(OP_SENDFD, task, fd, e->fd, 1 + rnd(50), maybe(15), value());
	}
}

static int sock_type(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	return types[rnd(4)] | cloexec(SOCK_CLOEXEC) | nonblock(SOCK_NONBLOCK);
}

static void make_pair(int task)
{
	int type = sock_type(), a = new_fd(task), b, obj = new_obj(PAIR, type & 15, task);

	add(task, a, obj, 0);
	b = new_fd(task);
	add(task, b, obj, 1);
	emit(OP_PAIR, task, a, b, type, 0, 0);
	if (maybe(30))
		emit(OP_SOCKOPT, task, maybe(50) ? a : b, rnd(8), 0, 0, rnd(5000));
	send_some(task, a, rnd(3));
	send_some(task, b, rnd(3));
	if (maybe(15))
		emit(OP_SHUTDOWN, task, maybe(50) ? a : b, rnd(3), 0, 0, 0);
	if (maybe(12)) {
		emit(OP_CLOSE, task, maybe(50) ? a : b, 0, 0, 0, 0);
		drop(task, plan->op[plan->nr - 1].a);
	}
}

/* A listener with a few who wait, or a bound socket and one that knows it. */
static void make_unix(int task)
{
	int type = sock_type(), a = new_fd(task), b, name = nr_names++, how = rnd(2), i;
	bool stream = (type & 15) != SOCK_DGRAM;
	int obj = new_obj(stream ? LISTENER : SOCK, type & 15, task);

	emit(OP_SOCKET, task, a, AF_UNIX, type, 0, 0);
	emit(OP_BIND, task, a, name, how, 0, 0);
	if (stream)
		emit(OP_LISTEN, task, a, 1 + rnd(6), 0, 0, 0);
	add(task, a, obj, 0);
	for (i = rnd(4); i > 0; i--) {
		b = new_fd(task);
		emit(OP_SOCKET, task, b, AF_UNIX, type, 0, 0);
		if (maybe(30))
			emit(OP_BIND, task, b, nr_names++, rnd(2), 0, 0);
		if (!stream && maybe(30)) {
			emit(OP_SENDTO, task, b, name, rnd(500), how, value());
		} else {
			emit(OP_CONNECT, task, b, name, how, 0, 0);
			send_some(task, b, rnd(3));
		}
		add(task, b, new_obj(SOCK, type & 15, task), 0);
		if (maybe(20)) {
			emit(OP_CLOSE, task, b, 0, 0, 0, 0);
			drop(task, b);
		}
	}
	if (stream && maybe(40)) {
		b = new_fd(task);
		emit(OP_ACCEPT, task, a, b, 0, 0, 0);
		add(task, b, new_obj(SOCK, type & 15, task), 0);
	}
	if (maybe(10)) {
		emit(OP_CLOSE, task, a, 0, 0, 0, 0);
		drop(task, a);
	}
}

static void make_inet(int task)
{
	int domain = maybe(50) ? AF_INET : AF_INET6, fd = new_fd(task), name = nr_names++, b, i;
	int flags = cloexec(SOCK_CLOEXEC) | nonblock(SOCK_NONBLOCK);

	if (maybe(15)) {
		emit(OP_SOCKET, task, fd, AF_NETLINK, SOCK_RAW | flags, 0, 0);
		emit(OP_SOCKOPT, task, fd, rnd(4), 0, 0, rnd(5000));
		add(task, fd, new_obj(NETLINK, domain, task), 0);
		return;
	}
	if (maybe(50)) {
		emit(OP_SOCKET, task, fd, domain, SOCK_STREAM | flags, 0, 0);
		if (maybe(80))
			emit(OP_BIND, task, fd, name, 0, 0, 0);
		if (maybe(70))
			emit(OP_LISTEN, task, fd, 1 + rnd(20), 0, 0, 0);
		add(task, fd, new_obj(TCP, domain, task), 0);
		return;
	}
	emit(OP_SOCKET, task, fd, domain, SOCK_DGRAM | flags, 0, 0);
	emit(OP_BIND, task, fd, name, 0, 0, 0);
	add(task, fd, new_obj(UDP, name, task), 0);
	b = new_fd(task);
	emit(OP_SOCKET, task, b, domain, SOCK_DGRAM | flags, 0, 0);
	add(task, b, new_obj(UDP, name, task), 1);
	if (maybe(60))
		emit(OP_CONNECT, task, b, name, 0, 0, 0);
	for (i = rnd(4); i > 0; i--)
		emit(OP_SENDTO, task, b, name, rnd(1000), 0, value());
}

static int free_slot(int task)
{
	int i;

	for (i = 0; i < MAX_SLOTS; i++)
		if (!slot_used[i]) {
			slot_used[i] = true;
			slot_vm[i] = tasks[task].vm;
			return i;
		}
	return -1;
}

static void make_map(int task)
{
	struct entry *e = maybe(50) ? pick(task, FILES) : NULL;
	int slot = free_slot(task), pages = 1 + rnd(16), how = rnd(2);

	if (slot < 0)
		return;
	if (maybe(15))
		how |= 2;
	if (maybe(10))
		how |= 8;
	emit(OP_MMAP, task, slot, e ? e->fd : -1, how, pages, maybe(80) ? value() : 0);
	if (maybe(60))
		emit(OP_POKE, task, slot, 0, rnd(pages), 1 + rnd(3), value());
	if (maybe(20))
		emit(OP_MPROTECT, task, slot, maybe(50) ? PROT_READ : PROT_NONE, rnd(pages), 1,
		     0);
	if (maybe(20))
		emit(OP_MUNMAP, task, slot, 0, rnd(pages), 1, 0);
	if (maybe(25))
		emit(OP_MADVISE, task, slot, rnd(6), rnd(pages), 1 + rnd(4), 0);
}

static void make_sysv(int task)
{
	int key, slot, i, n;

	if (nr_keys == 8 || (nr_keys && maybe(40))) {
		if (!nr_keys)
			return;
		key = rnd(nr_keys);
	} else {
		key = nr_keys++;
		keys[key] = 1 + rnd(3);
	}
	switch (keys[key]) {
	case 1:
		slot = free_slot(task);
		if (slot < 0)
			return;
		emit(OP_SHM, task, key, slot, maybe(20) ? SHM_RDONLY : 0, 4, 0);
		if (maybe(70))
			emit(OP_POKE, task, slot, 0, rnd(4), 1, value());
		if (maybe(15))
			emit(OP_SHMRM, task, key, 0, 0, 0, 0);
		return;
	case 2:
		emit(OP_SEM, task, key, 4, 0, 0, 0);
		for (i = rnd(5); i > 0; i--)
			emit(OP_SEMOP, task, key, rnd(4), maybe(30), rnd(3) ? 1 + (int)rnd(5) : -1,
			     0);
		return;
	}
	emit(OP_MSG, task, key, 0, 0, 0, 0);
	for (n = rnd(4); n > 0; n--)
		emit(OP_MSGSND, task, key, 0, rnd(800), 1 + rnd(4), value());
}

/* ---- things to do with what is there ---- */

static void do_dup(int task)
{
	struct entry *e = pick(task, ANY);
	int fd = new_fd(task);

	if (!e)
		return;
	emit(OP_DUP, task, e->fd, fd, cloexec(O_CLOEXEC), 0, 0);
	add(task, fd, e->obj, e->end);
}

static void do_close(int task)
{
	struct entry *e = pick(task, ANY);
	int fd;

	if (!e || ((objs[e->obj].special || objs[e->obj].sleeper) && holders(e->obj) < 3))
		return;
	fd = e->fd;
	emit(OP_CLOSE, task, fd, 0, 0, 0, 0);
	drop(task, fd);
}

static void do_io(int task)
{
	struct entry *e = pick(task, CHANNELS | FILES | K(DEVICE));

	if (!e)
		return;
	if (maybe(70))
		emit(OP_WRITE, task, e->fd, 0, 1 + rnd(3000), 0, value());
	else
		emit(OP_READ, task, e->fd, 0, 1 + rnd(2000), 0, 0);
}

static void do_lock(int task)
{
	struct entry *e = pick(task, FILES);
	static const int types[] = { F_RDLCK, F_WRLCK, F_UNLCK, F_WRLCK };

	if (!e)
		return;
	switch (rnd(3)) {
	case 0:
		emit(OP_FLOCK, task, e->fd, maybe(50) ? LOCK_SH : LOCK_EX, 0, 0, 0);
		break;
	case 1:
		emit(OP_LOCK, task, e->fd, types[rnd(4)], rnd(100), 1 + rnd(50), 0);
		break;
	case 2:
		emit(OP_OFD, task, e->fd, types[rnd(4)], rnd(100), 1 + rnd(50), 0);
		break;
	}
}

static void do_unlink(int task)
{
	int file = rnd(nr_files), i;

	/* an O_PATH descriptor of a deleted file is refused */
	for (i = 0; i < nr_objs; i++)
		if (objs[i].kind == OPATH && objs[i].what == file)
			return;
	if (maybe(50))
		return;
	gone_file[file] = true;
	emit(OP_UNLINK, task, file, 0, 0, 0, 0);
}

static void do_owner(int task)
{
	struct entry *e = pick(task, K(PIPE) | K(PAIR) | K(SOCK) | K(UDP) | K(FIFO));

	if (!e)
		return;
	emit(OP_SETOWN, task, e->fd, live_task(), maybe(50) ? SIGRTMIN + (int)rnd(6) : 0,
	     maybe(70), rnd(2));
}

static void do_flags(int task)
{
	struct entry *e = pick(task, CHANNELS | FILES);

	if (!e)
		return;
	if (maybe(50))
		emit(OP_SETFL, task, e->fd, rnd(2) ? O_NONBLOCK : 0, 0, 0, 0);
	else
		emit(OP_SETFD, task, e->fd, rnd(2), 0, 0, 0);
}

static void do_send(int task)
{
	struct entry *e = pick(task, K(PAIR) | K(SOCK));

	if (e)
		send_some(task, e->fd, 1 + rnd(2));
}

/* From one task to another that has not got it. */
static void do_pass(int task)
{
	struct entry *e = pick(task, K(PAIR)), *what;
	int other = live_task(), fd, i, obj;
	struct table *t = table_of(other);

	if (!e || t == table_of(task))
		return;
	for (i = 0; i < t->nr; i++)
		if (t->entry[i].obj == e->obj && t->entry[i].end != e->end)
			break;
	if (i == t->nr)
		return;
	what = pick(task, ANY & ~K(SIGNALFD));
	if (!what || !may_send(e->obj, what->obj))
		return;
	obj = what->obj;
	fd = new_fd(other);
	emit(OP_SENDFD, task, e->fd, what->fd, 10, 0, value());
	emit(OP_RECV, other, t->entry[i].fd, fd, 0, 0, 0);
	/* it is there if nothing stood before it */
	objs[obj].special = true;
	add(other, fd, obj, what->end);
}

static void do_poke(int task)
{
	int slot = rnd(MAX_SLOTS);

	if (slot_used[slot])
		emit(OP_POKE, task, slot, 0, rnd(8), 1 + rnd(2), value());
}

static const struct {
	int weight;
	void (*fn)(int task);
} builders[] = {
	{ 10, make_task }, { 4, end_task }, { 12, change_task },
	{ 10, make_reg }, { 3, make_dir }, { 2, make_dev }, { 5, make_memfd },
	{ 8, make_pipe }, { 5, make_fifo }, { 6, make_eventfd }, { 4, make_timerfd },
	{ 4, make_signalfd }, { 7, make_epoll }, { 5, add_item }, { 4, make_inotify },
	{ 4, make_pty }, { 5, make_pidfd }, { 4, make_mq }, { 8, make_pair },
	{ 8, make_unix }, { 4, make_inet }, { 8, make_map }, { 5, make_sysv },
	{ 8, do_dup }, { 6, do_close }, { 8, do_io }, { 6, do_lock }, { 4, do_unlink },
	{ 5, do_owner }, { 4, do_flags }, { 5, do_send }, { 4, do_pass }, { 4, do_poke },
};

static void build_one(void)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < ARRAY_SIZE(builders); i++)
		sum += builders[i].weight;
	at = rnd(sum);
	for (i = 0; at >= (unsigned int)builders[i].weight; i++)
		at -= builders[i].weight;
	builders[i].fn(live_task());
}

/* ---- how they wait ---- */

/* Somebody who can wake up who waits for this. */
static int other_end(struct entry *e, int not, int *fd)
{
	int i, j, start = rnd(nr_tasks);

	for (i = 0; i < nr_tasks; i++) {
		int task = (start + i) % nr_tasks;
		struct table *t = table_of(task);

		if (!tasks[task].alive || task == not || tasks[task].busy)
			continue;
		for (j = 0; j < t->nr; j++)
			if (t->entry[j].obj == e->obj &&
			    (e->end == 2 || t->entry[j].end != e->end)) {
				*fd = t->entry[j].fd;
				return task;
			}
	}
	return -1;
}

static struct {
	int sleeper, waker;
	struct op op;
} wakes[MAX_TASKS];
static int nr_wakes;

static void sleeps(int task, int waker, struct op op)
{
	tasks[task].busy = true;
	tasks[waker].wakes = true;
	op.task = waker;
	wakes[nr_wakes].sleeper = task;
	wakes[nr_wakes].waker = waker;
	wakes[nr_wakes++].op = op;
}

static void choose_mode(int task)
{
	struct entry *e;
	int mode = rnd(NR_WAIT_MODES), waker, fd, key, i;
	struct op wake;

	/* who wakes up another cannot wait for a third */
	if (tasks[task].wakes)
		mode = rnd(WAIT_POLL);
	switch (mode) {
	case WAIT_SPIN:
		if (maybe(60))
			return;
		break;
	case WAIT_STOPPED:
		/* calls of other threads would end with EINTR */
		for (i = 0; i < nr_tasks; i++)
			if (tasks[i].thread && tasks[i].process == tasks[task].process)
				return;
		if (tasks[task].thread)
			return;
		break;
	case WAIT_POLL:
	case WAIT_READ:
	case WAIT_EPOLL:
		e = pick(task, CHANNELS);
		if (!e || objs[e->obj].sleeper)
			return;
		waker = other_end(e, task, &fd);
		if (waker < 0)
			return;
		objs[e->obj].sleeper = true;
		if (mode == WAIT_EPOLL) {
			int ep = new_fd(task), wfd = e->fd;

			emit(OP_EPOLL, task, ep, 0, 0, 0, 0);
			add(task, ep, new_obj(EPOLL, 0, task), 0);
			i = EPOLLIN | (rnd(2) ? EPOLLET : 0);
			emit(OP_EPCTL, task, ep, wfd, i, EPOLL_CTL_ADD, value());
			emit(OP_MODE, task, mode, ep, 0, 0, 0);
		} else {
			/* else it returns at once */
			if (mode == WAIT_READ)
				emit(OP_SETFL, task, e->fd, 0, 0, 0, 0);
			emit(OP_MODE, task, mode, e->fd, 300, 0, 0);
		}
		wake = (struct op) { .kind = OP_WRITE, .a = fd, .c = 1 + rnd(200), .v = value() };
		sleeps(task, waker, wake);
		return;
	case WAIT_SEM:
	case WAIT_MSG:
		for (key = 0; key < nr_keys; key++)
			if (keys[key] == (mode == WAIT_SEM ? 2 : 3))
				break;
		if (key == nr_keys)
			return;
		keys[key] = 9;
		emit(OP_MODE, task, mode, key, mode == WAIT_SEM ? 3 : 9, 0, 0);
		/* root is there, whoever else is */
		wake = (struct op) { .kind = OP_SEMOP, .a = key, .b = 3, .d = 1 };
		if (mode == WAIT_MSG)
			wake = (struct op) { .kind = OP_MSGSND, .a = key, .c = 50, .d = 9,
					     .v = value() };
		sleeps(task, 0, wake);
		return;
	case WAIT_FLOCK: {
		int a = new_fd(task), b = new_fd(0), file = nr_files++;

		if (nr_files > 60)
			return;
		emit(OP_MKFILE, 0, file, 0, 10, 0, value());
		emit(OP_OPEN, 0, b, file, O_RDONLY, 0, 0);
		add(0, b, new_obj(REG, file, 0), 0);
		emit(OP_FLOCK, 0, b, LOCK_EX, 0, 0, 0);
		while (find(table_of(task), a) >= 0)
			a++;
		emit(OP_OPEN, task, a, file, O_RDWR, 0, 0);
		add(task, a, new_obj(REG, file, task), 0);
		emit(OP_MODE, task, mode, a, maybe(50) ? LOCK_EX : LOCK_SH, 0, 0);
		sleeps(task, 0, (struct op) { .kind = OP_FLOCK, .a = b, .b = LOCK_UN });
		return;
	}
	case WAIT_CHILD:
		/* it would return at once, or take what another waits for */
		for (i = 0; i < nr_tasks; i++)
			if (tasks[i].parent == tasks[task].process && !tasks[i].thread)
				return;
		break;
	}
	emit(OP_MODE, task, mode, 0, 0, 0, 0);
	tasks[task].busy = mode == WAIT_STOPPED;
}

/* ---- afterwards ---- */

static void use_fd(int task, struct entry *e)
{
	struct obj *obj = &objs[e->obj];
	int fd = e->fd;

	if (maybe(25)) {
		emit(OP_POLL, task, fd, 0, 0, 0, 0);
		return;
	}
	if (maybe(8)) {
		emit(OP_DUP, task, fd, new_fd(task), 0, 0, 0);
		return;
	}
	switch (obj->kind) {
	case REG:
	case MEMFD:
		switch (rnd(5)) {
		case 0:
			emit(OP_TESTLOCK, task, fd, 0, rnd(100), 1 + rnd(80), 0);
			break;
		case 1:
			emit(OP_FLOCK, task, fd, maybe(50) ? LOCK_EX : LOCK_UN, 0, 0, 0);
			break;
		case 2:
			emit(OP_WRITE, task, fd, 0, 1 + rnd(500), 0, value());
			break;
		case 3:
			emit(OP_LOCK, task, fd, maybe(50) ? F_WRLCK : F_UNLCK, rnd(100), 50, 0);
			break;
		default:
			emit(OP_READ, task, fd, 0, 1 + rnd(5000), 0, 0);
		}
		break;
	case DIRECTORY:
		emit(OP_GETDENTS, task, fd, 0, 0, 0, 0);
		break;
	case EPOLL:
		emit(OP_EPWAIT, task, fd, 1 + rnd(8), 0, 0, 0);
		break;
	case TIMERFD:
		emit(OP_TIMERFDGET, task, fd, 0, 0, 0, 0);
		break;
	case MQ:
		if (maybe(50))
			emit(OP_MQRECV, task, fd, 0, 0, 0, 0);
		else
			emit(OP_MQSEND, task, fd, 0, rnd(200), rnd(8), value());
		break;
	case LISTENER:
		emit(OP_ACCEPT, task, fd, new_fd(task), 0, 0, 0);
		add(task, plan->op[plan->nr - 1].b, new_obj(SOCK, 0, task), 0);
		break;
	case PAIR:
	case SOCK:
	case UDP:
		if (maybe(50))
			emit(OP_RECV, task, fd, maybe(50) ? new_fd(task) : 0,
			     obj->kind == UDP ? 20 : 0, 0, 0);
		else
			emit(OP_WRITE, task, fd, 0, 1 + rnd(800), 0, value());
		break;
	case PTY:
		if (maybe(50))
			emit(OP_READ, task, fd, 0, 100, 20, 0);
		else
			emit(OP_WRITE, task, fd, 0, 1 + rnd(30), 0, value());
		break;
	case PIPE:
	case FIFO:
	case EVENTFD:
		if (maybe(50))
			emit(OP_WRITE, task, fd, 0, 1 + rnd(1500), 0, value());
		else
			emit(OP_READ, task, fd, 0, 1 + rnd(2000), 0, 0);
		break;
	case INOTIFY:
		emit(OP_TOUCH, task, rnd(NR_DIRS), rnd(60), 0, 0, 0);
		emit(OP_READ, task, fd, 0, 1000, 0, 0);
		break;
	case SIGNALFD:
		/* its siginfo has times in it only for timers, which are long */
		emit(OP_READ, task, fd, 0, 128, 0, 0);
		break;
	default:
		emit(OP_POLL, task, fd, 0, 0, 0, 0);
	}
}

static void use_one(void)
{
	int task = live_task(), i;
	struct entry *e;

	switch (rnd(12)) {
	case 0:
		emit(OP_SIGDRAIN, task, 0, 0, 0, 0, 0);
		return;
	case 1:
		for (i = 0; i < MAX_SLOTS; i++)
			if (slot_used[i] && maybe(40)) {
				if (maybe(40))
					emit(OP_POKE, task, i, 0, rnd(8), 1, value());
				emit(OP_PEEK, live_task(), i, 0, 0, 0, 0);
			}
		return;
	case 2:
		for (i = 0; i < nr_tasks; i++)
			if (!tasks[i].alive && !tasks[i].thread && maybe(60))
				emit(OP_WAITID, tasks[i].parent, i, 0, 0, 0, 0);
		return;
	case 3:
		for (i = 0; i < nr_keys; i++)
			if (keys[i] == 3)
				emit(OP_MSGRCV, task, i, maybe(50) ? 0 : -3, 0, 0, 0);
			else if (keys[i] == 2)
				emit(OP_SEMGET, task, i, 4, 0, 0, 0);
		return;
	case 4:
		emit(OP_TIMERGET, task, rnd(3), 0, 0, 0, 0);
		return;
	}
	e = pick(task, ANY);
	if (e)
		use_fd(task, e);
}

/* Nothing may be left that nobody has looked at. */
static void use_all(void)
{
	int i, j;

	for (i = 0; i < nr_tasks; i++) {
		if (!tasks[i].alive)
			continue;
		for (j = 0; j < table_of(i)->nr && plan->nr < MAX_OPS - 30; j++) {
			struct entry *e = &table_of(i)->entry[j];

			/* each once */
			if (objs[e->obj].what == -77 - e->end)
				continue;
			if (K(objs[e->obj].kind) & (K(PAIR) | K(SOCK)))
				emit(OP_RECV, i, e->fd, 0, 0, 0, 0);
			else if (K(objs[e->obj].kind) & (K(PIPE) | K(FIFO)))
				emit(OP_READ, i, e->fd, 0, 70000, 0, 0);
			else if (K(objs[e->obj].kind) & K(EPOLL))
				emit(OP_EPWAIT, i, e->fd, 16, 0, 0, 0);
			else
				continue;
			objs[e->obj].what = -77 - e->end;
		}
	}
}

void plan_make(struct plan *p, uint32_t seed)
{
	int i, n, build;

	memset(p, 0, sizeof(*p));
	plan = p;
	p->seed = seed;
	random_state = seed * 0x2545f4914f6cdd1dULL + 1;
	memset(tasks, 0, sizeof(tasks));
	memset(tables, 0, sizeof(tables));
	memset(objs, 0, sizeof(objs));
	memset(gone_file, 0, sizeof(gone_file));
	memset(slot_used, 0, sizeof(slot_used));
	memset(keys, 0, sizeof(keys));
	nr_tasks = 1;
	nr_objs = 1;
	nr_fifos = 0;
	nr_names = 0;
	nr_queues = 0;
	nr_keys = 0;
	nr_wakes = 0;
	nr_files = NR_FILES;
	tasks[0].alive = true;
	tasks[0].group = true;
	objs[0].special = true;

	for (i = 0; i < NR_FILES; i++)
		emit(OP_MKFILE, 0, i, 0, rnd(40000), 0, value());
	for (i = 0; i < NR_DIRS; i++) {
		emit(OP_MKDIR, 0, i, 0, 0, 0, 0);
		for (n = rnd(4); n > 0; n--)
			emit(OP_TOUCH, 0, i, rnd(20), 0, 0, 0);
	}
	for (n = rnd(5); n > 0; n--)
		make_task(live_task());
	build = 10 + rnd(rnd(3) ? 30 : 80);
	for (i = 0; i < build && plan->nr < MAX_OPS / 2; i++)
		build_one();
	for (i = 1; i < nr_tasks; i++)
		if (tasks[i].alive && maybe(70))
			choose_mode(i);

	p->point = p->nr;
	emit(OP_NOP, 0, 0, 0, 0, 0, 0);
	for (i = 0; i < nr_wakes; i++) {
		p->op[p->nr] = wakes[i].op;
		p->nr++;
		emit(OP_AWAKE, 0, wakes[i].sleeper, 0, 0, 0, 0);
		emit(OP_COLLECT, wakes[i].sleeper, 0, 0, 0, 0, 0);
	}
	n = 15 + rnd(40);
	for (i = 0; i < n && plan->nr < MAX_OPS - 100; i++)
		use_one();
	use_all();
	for (i = 0; i < nr_tasks; i++)
		if (tasks[i].alive)
			emit(OP_SIGDRAIN, i, 0, 0, 0, 0, 0);
}

/* ---- for people ---- */

static const struct {
	const char *name, *operands;
} kinds[] = {
#define X(kind, name, operands) { name, operands },
	OPS(X)
#undef X
};

void op_print(const struct plan *p, unsigned int i, char *buf, size_t size)
{
	const struct op *op = &p->op[i];
	const long values[] = { op->a, op->b, op->c, op->d, op->v };
	const char *word = kinds[op->kind].operands;
	size_t len = snprintf(buf, size, "%3u%s task %u: %s", i, i >= p->point ? "*" : " ",
			      op->task, kinds[op->kind].name);
	int n, k;

	for (k = 0; k < 5 && *word; k++) {
		n = strcspn(word, " ");
		if (*word != '-' && len < size)
			len += snprintf(buf + len, size - len,
					!strncmp(word, "flags", n) || !strncmp(word, "events", n) ?
					", %.*s %#lx" : ", %.*s %ld", n, word, values[k]);
		word += n;
		word += *word == ' ';
	}
}

void plan_print(const struct plan *p)
{
	char line[256];
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		if (p->op[i].dropped)
			continue;
		op_print(p, i, line, sizeof(line));
		printf("# %s\n", line);
	}
	fflush(stdout);
}
