// SPDX-License-Identifier: GPL-2.0
/*
 * restart: continue the processes whose state is in an image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"
#include "tool.h"

static const char usage[] =
"Usage: restart [-i FILE|-] [OPTION]...\n"
"Continue the processes whose state checkpoint has written to an image.\n"
"\n"
"  -i, --input FILE     read the image from FILE; - is the standard input,\n"
"                       which is the default unless it is a terminal\n"
"  -d, --detach         return as soon as everything runs\n"
"      --pidfile FILE   write the process id of the root task to FILE\n"
"      --pidns          run them in a pid namespace of their own, where their\n"
"                       process ids are not taken\n"
"      --cgroup DIR     restart into this cgroup v2\n"
"      --inherit fd[N]:KEY  let descriptor N take the place of the thing from\n"
"                       outside that the image calls KEY\n"
"      --relocate OLD=NEW  look for files in NEW that were in OLD\n"
"      --no-inherit     do not hand in the terminal and descriptors 0 to 2\n"
"      --allow-changed-files  accept files that changed since the checkpoint\n"
"      --stopped        stop them (SIGSTOP) before they run\n"
"      --timens         in a time namespace, where the clocks that count from\n"
"                       the boot go on from where they were\n"
"      --lsm-label caller  accept the label that the security module has for this\n"
"                       process, if they had another\n"
"  -l, --log FILE       write the kernel's messages to FILE\n"
"  -v, --verbose        show the kernel's messages\n"
"  -h, --help           show this text\n"
"      --version        show the version\n"
"\n"
"Examples:\n"
"  restart -i job.ckpt\n"
"  restart -i job.ckpt -d --pidfile job.pid\n"
"  ssh node1 checkpoint -p 1234 | restart --pidns\n"
"  restart -i job.ckpt --inherit 'fd[3]:pipe:[12345]' 3< data\n"
"  restart -i job.ckpt --relocate /home/me=/mnt/home/me\n"
"\n"
"Exit status: that of the root task, or, if it could not be restarted (and\n"
"with --detach): 0 done; 1 wrong use; 2 refused: a process id is taken, a file\n"
"missing or changed, or something is not supported; 3 not permitted; 4 bad or\n"
"incompatible image; 5 other errors. Unless it is 0, nothing was left behind.\n";

/**
 * struct options - what the command line asks for
 * @input: Name of the image, "-" for the standard input.
 * @cgroup, @log, @pidfile: Names, or NULL.
 * @inherit, @nr_inherit: Descriptors to hand in.
 * @keys: Addresses of keys that are too long for those, or 0.
 * @long_keys: There are such.
 * @moves, @nr_moves: Paths that are others now.
 */
struct options {
	const char		*input;
	const char		*cgroup;
	const char		*log;
	const char		*pidfile;
	struct restart_inherit	*inherit;
	unsigned int		nr_inherit;
	__u64			*keys;
	bool			long_keys;
	struct ckpt_move	*moves;
	size_t			nr_moves;
	__u64			flags;
	bool			detach;
	bool			pidns;
	bool			no_inherit;
	bool			verbose;
};

static atomic_int interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* ---- command line ----------------------------------------------------- */

static void add_inherit(struct options *opt, const char *key, int fd)
{
	struct restart_inherit *in;
	__u64 *keys;

	in = reallocarray(opt->inherit, opt->nr_inherit + 1, sizeof(*in));
	keys = reallocarray(opt->keys, opt->nr_inherit + 1, sizeof(*keys));
	if (!in || !keys)
		die(CKPT_EXIT_IO, "not enough memory");
	opt->inherit = in;
	opt->keys = keys;
	in += opt->nr_inherit;
	keys += opt->nr_inherit++;
	memset(in, 0, sizeof(*in));
	*keys = 0;
	in->fd = fd;
	if (strlen(key) < sizeof(in->key)) {
		memcpy(in->key, key, strlen(key));
	} else {
		*keys = (__u64)(uintptr_t)key;
		opt->long_keys = true;
	}
}

static void parse_inherit(struct options *opt, const char *arg)
{
	char *end;
	const char *num = arg, *key;
	bool brackets;
	long fd;

	brackets = !strncmp(arg, "fd[", 3);
	if (brackets)
		num += 3;
	errno = 0;
	fd = strtol(num, &end, 10);
	key = end;
	if (brackets && *key == ']')
		key++;
	else if (brackets)
		key = "";
	if (errno || end == num || fd < 0 || fd > 0x7fffffff || *key != ':' || !key[1])
		die_usage("'%s' is not of the form fd[N]:KEY", arg);
	key++;
	if (strlen(key) > sizeof("mount:") - 1 + PATH_MAX - 1)
		die_usage("'%s': the key is too long", arg);
	if (fcntl((int)fd, F_GETFD) < 0)
		die_usage("'%s': descriptor %ld is not open", arg, fd);
	if (opt->nr_inherit + 7 >= RESTART_INHERIT_MAX)
		die_usage("too many descriptors to hand in");
	add_inherit(opt, key, (int)fd);
}

/* At the first '=' before a '/', as a name may have others. */
static void parse_relocate(struct options *opt, char *arg)
{
	char *to = strstr(arg, "=/");

	if (arg[0] != '/' || !to)
		die_usage("'%s' is not of the form OLD=NEW, with two absolute paths", arg);
	*to++ = '\0';
	if (strlen(arg) >= PATH_MAX || strlen(to) >= PATH_MAX)
		die_usage("'%.100s...': the path is too long", arg);
	opt->moves = reallocarray(opt->moves, opt->nr_moves + 1, sizeof(*opt->moves));
	if (!opt->moves)
		die(CKPT_EXIT_IO, "not enough memory");
	opt->moves[opt->nr_moves++] = (struct ckpt_move){ .from = arg, .to = to };
}

static void parse_options(struct options *opt, int argc, char **argv)
{
	enum {
		OPT_PIDFILE = 256, OPT_PIDNS, OPT_CGROUP, OPT_INHERIT, OPT_RELOCATE,
		OPT_NO_INHERIT, OPT_CHANGED, OPT_STOPPED, OPT_TIMENS, OPT_LSM_LABEL,
		OPT_VERSION
	};
	static const struct option longs[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "detach", no_argument, NULL, 'd' },
		{ "pidfile", required_argument, NULL, OPT_PIDFILE },
		{ "pidns", no_argument, NULL, OPT_PIDNS },
		{ "cgroup", required_argument, NULL, OPT_CGROUP },
		{ "inherit", required_argument, NULL, OPT_INHERIT },
		{ "relocate", required_argument, NULL, OPT_RELOCATE },
		{ "no-inherit", no_argument, NULL, OPT_NO_INHERIT },
		{ "allow-changed-files", no_argument, NULL, OPT_CHANGED },
		{ "stopped", no_argument, NULL, OPT_STOPPED },
		{ "timens", no_argument, NULL, OPT_TIMENS },
		{ "lsm-label", required_argument, NULL, OPT_LSM_LABEL },
		{ "log", required_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:dl:vh", longs, NULL)) >= 0) {
		switch (c) {
		case 'i':
			opt->input = optarg;
			break;
		case 'd':
			opt->detach = true;
			break;
		case OPT_PIDFILE:
			opt->pidfile = optarg;
			break;
		case OPT_PIDNS:
			opt->pidns = true;
			break;
		case OPT_CGROUP:
			opt->cgroup = optarg;
			opt->flags |= RESTART_CGROUP;
			break;
		case OPT_INHERIT:
			parse_inherit(opt, optarg);
			break;
		case OPT_RELOCATE:
			parse_relocate(opt, optarg);
			break;
		case OPT_NO_INHERIT:
			opt->no_inherit = true;
			break;
		case OPT_CHANGED:
			opt->flags |= RESTART_FILES_CHANGED;
			break;
		case OPT_STOPPED:
			opt->flags |= RESTART_STOPPED;
			break;
		case OPT_TIMENS:
			opt->flags |= RESTART_TIMENS;
			break;
		case OPT_LSM_LABEL:
			if (strcmp(optarg, "caller"))
				die_usage("--lsm-label: '%s' is not 'caller'", optarg);
			opt->flags |= RESTART_LSM_CALLER;
			break;
		case 'l':
			opt->log = optarg;
			break;
		case 'v':
			opt->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(fflush(stdout) ? CKPT_EXIT_IO : CKPT_EXIT_OK);
		case OPT_VERSION:
			printf("restart %s (image format %d)\n",
			       CKPT_TOOLS_VERSION, CKPT_VERSION);
			exit(fflush(stdout) ? CKPT_EXIT_IO : CKPT_EXIT_OK);
		default:
			fputs("Try 'restart --help'.\n", stderr);
			exit(CKPT_EXIT_USAGE);
		}
	}
	if (optind < argc)
		die_usage("unexpected argument '%s'; the image is given with -i FILE",
			  argv[optind]);
	if (!opt->input || !strcmp(opt->input, "-")) {
		opt->input = "-";
		if (fcntl(STDIN_FILENO, F_GETFD) < 0)
			die_usage("the standard input is closed; give the image with -i FILE");
		if (isatty(STDIN_FILENO))
			die_usage("will not read an image from a terminal; give it with -i FILE");
	}
	if (opt->log && same_file(opt->input, opt->log))
		die_usage("-i and -l name the same file");
	if (opt->pidfile && same_file(opt->input, opt->pidfile))
		die_usage("-i and --pidfile name the same file");
}

/* ---- what is handed in ------------------------------------------------ */

/*
 * The kernel takes the first of several that is open for what is needed, so
 * ours come first, then the terminal by its name.
 */
static void add_terminals(struct options *opt)
{
	int fd, flags;

	for (fd = 0; fd <= 2; fd++) {
		if (!isatty(fd))
			continue;
		add_inherit(opt, "tty", fd);
		flags = fcntl(fd, F_GETFL);
		if (flags >= 0 && (flags & O_ACCMODE) == O_RDWR)
			return;
	}
	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		add_inherit(opt, "tty", fd);
}

static void add_default_inherit(struct options *opt, const bool *was_open)
{
	char key[8];
	int fd;

	if (opt->no_inherit)
		return;
	add_terminals(opt);
	for (fd = 0; fd <= 2; fd++) {
		/* The image is nobody's standard input. */
		if (!was_open[fd] || (!fd && !strcmp(opt->input, "-")))
			continue;
		snprintf(key, sizeof(key), "fd[%d]", fd);
		add_inherit(opt, key, fd);
	}
}

static int open_image(const struct options *opt)
{
	const char *name = "standard input";
	int fd = STDIN_FILENO;
	struct stat st;

	if (strcmp(opt->input, "-")) {
		name = opt->input;
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			die(own_exit_code(errno), "%s: %s", name, strerror(errno));
	}
	if (fstat(fd, &st))
		return fd;
	if (S_ISDIR(st.st_mode))
		die(CKPT_EXIT_USAGE, "%s: is a directory", name);
	/* Such as /dev/null. The kernel can read from few of them. */
	if (S_ISCHR(st.st_mode))
		die(CKPT_EXIT_IMAGE, "%s: is a device, not an image; give one with -i FILE",
		    name);
	return fd;
}

/* ---- pid file --------------------------------------------------------- */

/* Make its temporary file. Returns its descriptor or -1. */
static int make_pidfile(const char *path, char **tmp)
{
	char *a = strdup(path), *b = strdup(path);
	int fd = -1;

	*tmp = NULL;
	if (a && b && asprintf(tmp, "%s/.%.200s.%d.tmp", dirname(a), basename(b),
			       getpid()) < 0)
		*tmp = NULL;
	if (*tmp)
		fd = open(*tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	else
		errno = ENOMEM;
	free(a);
	free(b);
	return fd;
}

/* While it costs nothing: could the file be written? */
static void check_pidfile(const char *path)
{
	struct stat st;
	char *tmp;
	int fd;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		die(CKPT_EXIT_USAGE, "pid file %s: is a directory", path);
	fd = make_pidfile(path, &tmp);
	if (fd < 0)
		die(own_exit_code(errno), "pid file %s: %s", path, strerror(errno));
	if (write(fd, "4194304\n", 8) != 8) {
		int err = errno;

		unlink(tmp);
		die(own_exit_code(err), "pid file %s: %s", path, strerror(err));
	}
	close(fd);
	unlink(tmp);
	free(tmp);
}

static void write_pidfile(const char *path, pid_t pid)
{
	char text[16], *tmp;
	int fd, len;

	len = snprintf(text, sizeof(text), "%d\n", pid);
	fd = make_pidfile(path, &tmp);
	if (fd < 0 || write(fd, text, len) != len || rename(tmp, path)) {
		/* Too late for the restart to fail. */
		say("pid file %s: %s; the root task runs as pid %d", path,
		    strerror(errno), pid);
		if (fd >= 0)
			unlink(tmp);
	}
	if (fd >= 0)
		close(fd);
	free(tmp);
}

/* ---- what the kernel can't read as it is ------------------------------ */

/**
 * struct mover - a thread that the image comes through, with other paths, or with
 *	what it has from its parents
 * @opt: The command line.
 * @in: Where it comes from.
 * @needed: There is something to do.
 * @fds: The pipe to the kernel.
 * @thread: It.
 * @done: It has come to its end.
 * @err: Errno of its failure, or 0.
 * @error: For people.
 */
struct mover {
	const struct options	*opt;
	int			in;
	bool			needed;
	int			fds[2];
	pthread_t		thread;
	atomic_bool		done;
	int			err;
	char			error[512];
};

static void *move_image(void *arg)
{
	struct mover *m = arg;

	if (m->opt->nr_moves ?
	    ckpt_relocate(m->in, m->fds[1], m->opt->moves, m->opt->nr_moves,
			  m->error, sizeof(m->error)) :
	    ckpt_merge(m->in, m->fds[1], m->error, sizeof(m->error)))
		m->err = errno;
	/* Before the kernel is told of the end. */
	m->done = true;
	close(m->fds[1]);
	return NULL;
}

/* Returns the descriptor to restart from. */
static int mover_start(struct mover *m)
{
	sigset_t all, old;
	int err;

	m->needed = m->opt->nr_moves || ckpt_is_incremental(m->in);
	if (!m->needed)
		return m->in;
	if (pipe2(m->fds, O_CLOEXEC))
		die(CKPT_EXIT_IO, "cannot make a pipe: %s", strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&m->thread, NULL, move_image, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		die(CKPT_EXIT_IO, "cannot make a thread: %s", strerror(err));
	return m->fds[0];
}

/* Returns the errno to report for @err. */
static int mover_stop(struct mover *m, int err)
{
	struct timespec until;

	if (!m->needed)
		return err;
	close(m->fds[0]);
	/*
	 * It may wait for an image that nobody wants any more. But if the image
	 * was no good, it may be about to say why.
	 */
	if (!err || m->done) {
		pthread_join(m->thread, NULL);
	} else {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += err == EBADMSG;
		if (pthread_timedjoin_np(m->thread, NULL, &until))
			return err;
	}
	/* That the kernel has turned away is no failure of its own. */
	if (!err || !m->err || m->err == EPIPE)
		return err;
	say("%s: %s", m->opt->nr_moves ? "--relocate" : m->opt->input, m->error);
	return m->err;
}

/* ---- restart ---------------------------------------------------------- */

/**
 * struct call - what the system call is to be passed
 * @opt: The command line.
 * @log: Where the kernel's messages go.
 * @image_fd, @cgroup_fd: Descriptors, or -1.
 * @signals: To be blocked once the processes run.
 */
struct call {
	const struct options	*opt;
	struct klog		*log;
	int			image_fd;
	int			cgroup_fd;
	const sigset_t		*signals;
};

/* Returns the pid of the root task, or -1 with errno set. */
static pid_t call_restart(const struct call *call, int *pidfd)
{
	const struct options *opt = call->opt;
	struct mover mover = { .opt = opt, .in = call->image_fd };
	struct restart_args args = {
		.flags = opt->flags | RESTART_PIDFD,
		.log_fd = call->log->fd,
		.cgroup_fd = call->cgroup_fd,
		.inherit_count = opt->nr_inherit,
		.inherit = (__u64)(uintptr_t)opt->inherit,
		.pidfd = (__u64)(uintptr_t)pidfd,
		/* An older kernel knows of none. */
		.inherit_keys = opt->long_keys ? (__u64)(uintptr_t)opt->keys : 0,
	};
	struct watch watch = {
		.fd = call->image_fd,
		.verb = "read",
		.log = opt->verbose ? call->log : NULL,
		.interrupted = &interrupted,
	};
	pid_t pid;
	int err;

	*pidfd = -1;
	args.image_fd = mover_start(&mover);
	watch_start(&watch);
	pid = ckpt_restart(&args);
	err = mover_stop(&mover, pid < 0 ? errno : 0);
	/* From now on they are the job's, see restart_here(). */
	pthread_sigmask(SIG_BLOCK, call->signals, NULL);
	watch_stop(&watch);
	errno = err;
	return pid;
}

__attribute__((noreturn))
static void die_restart(const struct call *call, int err)
{
	const char *name = call->opt->input;

	klog_show(call->log, true);
	klog_close(call->log);
	die(ckpt_exit_code(CKPT_OP_RESTART, err), "%s: %s",
	    strcmp(name, "-") ? name : "standard input",
	    ckpt_explain(CKPT_OP_RESTART, err));
}

__attribute__((noreturn))
static void die_interrupted(int sig)
{
	say("interrupted; nothing was left behind");
	die_by_signal(sig);
}

/* Hold no end of a pipe open that is the job's now. */
static void let_go(const struct call *call)
{
	unsigned int i;

	close(call->image_fd);
	for (i = 0; i < call->opt->nr_inherit; i++)
		if (call->opt->inherit[i].fd > 2)
			close(call->opt->inherit[i].fd);
	open_std_fds();
}

/* Until everything runs, a signal that would end us ends the restart. */
static void catch_signals(const struct call *call)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fatal); i++)
		if (sigismember(call->signals, fatal[i]) == 1)
			sigaction(fatal[i], &sa, NULL);
	/* To stop in mid-work would interrupt the system call. */
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void restart_here(const struct call *call, struct job *job)
{
	int err;

	catch_signals(call);
	job->root = call_restart(call, &job->pidfd);
	if (job->root < 0) {
		err = errno;
		if (err == EINTR && interrupted)
			die_interrupted(interrupted);
		die_restart(call, err);
	}
	/* It came when everything was running already: pass it on. */
	if (interrupted && !call->opt->detach)
		syscall(SYS_pidfd_send_signal, job->pidfd, interrupted, NULL, 0);
	job->pgid = getpgid(job->root);
	job->sock = -1;
}

/* ---- a pid namespace of its own --------------------------------------- */

static void write_map(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(own_exit_code(errno), "cannot set up a user namespace: %s: %s",
		    file, strerror(errno));
	close(fd);
}

static void unshare_pids(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (!unshare(CLONE_NEWPID))
		return;
	if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWPID))
		die(own_exit_code(errno), "cannot make a pid namespace: %s",
		    strerror(errno));
	write_map("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	write_map("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	write_map("/proc/self/gid_map", map);
}

static void send_event(int sock, enum job_event event, int value, int fd)
{
	struct job_message m = { .event = event, .value = value };
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	union {
		char		buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr	align;
	} control = { };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	/* If nobody listens any more, the job goes on all the same. */
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static bool recv_event(int sock, struct job_message *m, int *fd)
{
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	union {
		char		buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr	align;
	} control = { };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*m))
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(int));
	return true;
}

static void mount_proc(void)
{
	const char *what = "make mounts private";
	int err = 0;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		err = errno;
	} else if (mount("proc", "/proc", "proc",
			 MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) {
		err = errno;
		what = "mount /proc";
		/* Where there never was one, none is missed. */
		if (err == ENOENT || err == ENODEV)
			return;
	}
	if (err) {
		say("--pidns: cannot %s: %s", what, strerror(err));
		_exit(own_exit_code(err));
	}
}

/*
 * Process 1 of the namespace: parent of the root task, and of all who lose
 * theirs. When it exits, the kernel kills whatever is left in the namespace.
 */
__attribute__((noreturn))
static void be_init(const struct call *call, int sock)
{
	struct pollfd pfd = { .fd = sock };
	bool gone = false;
	int pidfd, st, status = 0, null;
	pid_t root, pid, pgid;
	char ack;

	/* Until everything runs, this ends with the process outside. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&pfd, 1, 0) > 0)
		_exit(CKPT_EXIT_IO);
	prctl(PR_SET_NAME, "restart-init");
	mount_proc();

	root = call_restart(call, &pidfd);
	if (root < 0) {
		send_event(sock, JOB_FAILED, errno, -1);
		_exit(CKPT_EXIT_IO);
	}
	pgid = getpgid(root);
	if (pgid < 0)
		pgid = root;
	prctl(PR_SET_PDEATHSIG, 0);
	send_event(sock, JOB_RUNS, 0, pidfd);
	while (recv(sock, &ack, 1, 0) < 0 && errno == EINTR)
		;
	close(pidfd);
	let_go(call);
	if (call->opt->detach) {
		/* Hold nobody's pipe or terminal open. */
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (st = 0; st <= 2 && null >= 0; st++)
			dup2(null, st);
	}

	while (!job_is_over(gone, pgid)) {
		pid = waitpid(-1, &st, WUNTRACED | (gone ? WNOHANG : 0));
		if (pid < 0 && errno != EINTR)
			break;
		if (!pid)
			poll(NULL, 0, JOB_POLL_MS);
		if (pid != root)
			continue;
		if (WIFSTOPPED(st)) {
			send_event(sock, JOB_STOPPED, WSTOPSIG(st), -1);
		} else {
			status = st;
			gone = true;
		}
	}
	send_event(sock, JOB_DONE, status, -1);
	_exit(0);
}

/* The pid that a pidfd stands for, as this process sees it, or -1. */
static pid_t pidfd_pid(int pidfd)
{
	char name[64], line[128];
	pid_t pid = -1;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(name, "re");
	if (!f)
		return -1;
	while (pid < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) != 1)
			pid = -1;
	fclose(f);
	return pid;
}

/* Wait for news of the init; a signal to end ends it too. */
static void await_start(const struct call *call, struct job *job)
{
	struct pollfd pfd = { .fd = job->sock, .events = POLLIN };
	static const struct timespec none;
	struct job_message m;
	sigset_t fatal;
	int sig, status;

	/* The others may wait for the job. */
	sigemptyset(&fatal);
	for (sig = 1; sig < 32; sig++)
		if (sig != SIGCONT && sig != SIGTSTP &&
		    sigismember(&job->signals, sig) == 1)
			sigaddset(&fatal, sig);
	while (poll(&pfd, 1, 50) <= 0) {
		sig = sigtimedwait(&fatal, NULL, &none);
		if (sig > 0) {
			kill(job->init, SIGKILL);
			waitpid(job->init, NULL, 0);
			die_interrupted(sig);
		}
	}

	if (!recv_event(job->sock, &m, &job->pidfd)) {
		/* It has said why, unless it was killed. */
		if (waitpid(job->init, &status, 0) != job->init ||
		    !WIFEXITED(status)) {
			klog_show(call->log, true);
			die(CKPT_EXIT_IO, "the init of the pid namespace died");
		}
		exit(WEXITSTATUS(status));
	}
	if (m.event == JOB_FAILED) {
		waitpid(job->init, NULL, 0);
		die_restart(call, m.value);
	}
	job->root = pidfd_pid(job->pidfd);
	job->pgid = getpgid(job->root);
	/* Now the init may reap. */
	send(job->sock, "", 1, MSG_NOSIGNAL);
}

static void restart_in_pidns(const struct call *call, struct job *job)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		die(CKPT_EXIT_IO, "cannot make a socket: %s", strerror(errno));
	pthread_sigmask(SIG_BLOCK, &job->signals, NULL);
	unshare_pids();
	job->init = fork();
	if (job->init < 0)
		die(CKPT_EXIT_IO, "cannot fork: %s", strerror(errno));
	if (!job->init) {
		close(sv[0]);
		be_init(call, sv[1]);
	}
	close(sv[1]);
	job->sock = sv[0];
	await_start(call, job);
}

/* ---- main ------------------------------------------------------------- */

__attribute__((noreturn))
static void exit_like(int status)
{
	if (WIFSIGNALED(status))
		die_by_signal(WTERMSIG(status));
	exit(WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	struct options opt = { };
	struct call call = { .opt = &opt, .cgroup_fd = -1 };
	struct job job = { .pidfd = -1, .sock = -1 };
	struct klog log;
	bool was_open[3];
	int fd;

	tool_name = "restart";
	parse_options(&opt, argc, argv);
	for (fd = 0; fd <= 2; fd++)
		was_open[fd] = fcntl(fd, F_GETFD) >= 0;
	open_std_fds();
	/* A parent that ignored it would leave us without a status. */
	signal(SIGCHLD, SIG_DFL);
	job_signals(&job.signals);

	call.image_fd = open_image(&opt);
	if (opt.cgroup)
		call.cgroup_fd = open_cgroup(opt.cgroup);
	require_features(CKPT_OP_RESTART, opt.flags | RESTART_PIDFD);
	if (opt.pidfile)
		check_pidfile(opt.pidfile);
	add_default_inherit(&opt, was_open);
	klog_open(&log, opt.log);
	call.log = &log;
	call.signals = &job.signals;

	if (opt.pidns)
		restart_in_pidns(&call, &job);
	else
		restart_here(&call, &job);

	if (opt.pidfile)
		write_pidfile(opt.pidfile, job.root);
	if (opt.verbose) {
		klog_show(&log, true);
		say("pid %d: runs", job.root);
	}
	klog_close(&log);
	if (opt.detach)
		return CKPT_EXIT_OK;
	let_go(&call);
	exit_like(job_wait(&job));
}
