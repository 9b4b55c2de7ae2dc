// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint: write the state of running processes to an image.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
"Usage: checkpoint (-p PID | -g CGROUPDIR) [-o FILE|-] [OPTION]...\n"
"Write the state of running processes to an image, for restart to continue.\n"
"\n"
"  -p, --pid PID        checkpoint this process and all of its descendants\n"
"  -g, --cgroup DIR     checkpoint every task in this cgroup v2 and below\n"
"  -o, --output FILE    write the image to FILE; - is the standard output,\n"
"                       which is the default unless it is a terminal\n"
"      --parent IMAGE   leave out of the image what IMAGE, an earlier one of the\n"
"                       same processes, has already; restart needs both\n"
"  -k, --kill           kill them once the image is complete\n"
"      --stop           stop them (SIGSTOP) once the image is complete\n"
"      --stop-and-copy  let them wait until the whole image is written, rather\n"
"                       than until their memory is copied as by fork(2)\n"
"  -n, --dry-run        write nothing, list all that cannot be checkpointed\n"
"      --timeout SEC    how long to wait for all to come to a stop (10)\n"
"      --external KEY   do not save this, restart is to be handed another:\n"
"                       fd[N], pipe:[INODE], fifo:[INODE], socket:[INODE], tty,\n"
"                       file:PATH, or mount:PATH for all files below PATH\n"
"      --leak ok        go on where something is shared with a process outside:\n"
"                       what is restored has a copy\n"
"  -l, --log FILE       write the kernel's messages to FILE\n"
"  -v, --verbose        show the kernel's messages, and what was done\n"
"  -h, --help           show this text\n"
"      --version        show the version\n"
"\n"
"Examples:\n"
"  checkpoint -p 1234 -o job.ckpt           they run on\n"
"  checkpoint -g /sys/fs/cgroup/job -k -o job.ckpt\n"
"  checkpoint -p 1234 -k | zstd | ssh node2 'zstd -d | restart -d'\n"
"  checkpoint -p 1234 -n                    would it work?\n"
"  checkpoint -p 1234 -o job.ckpt --external file:/var/log/job\n"
"  checkpoint -p 1234 -o job.2 --parent job.1\n"
"\n"
"Exit status: 0 done; 85 done, and killed as asked (-k); 1 wrong use, no such\n"
"process or cgroup; 2 refused: something is not supported; 3 not permitted;\n"
"4 the parent is no good image; 5 the image could not be written. Unless it is 0 or 85, the processes run on\n"
"and no image was left behind.\n";

struct options {
	pid_t		pid;
	const char	*cgroup;
	const char	*output;
	const char	*parent;
	const char	*log;
	unsigned int	timeout_ms;
	__u64		flags;
	__u64		*external;
	unsigned int	nr_external;
	bool		verbose;
};

/**
 * struct output - where the image goes
 * @name: For messages.
 * @fd: Descriptor, or -1 in a dry run.
 * @dir_fd: Directory of @tmp, or -1 if the image is not renamed.
 * @dir: Its path.
 * @base: Name to be.
 * @tmp: Name for now.
 */
struct output {
	const char	*name;
	int		fd;
	int		dir_fd;
	char		*dir;
	char		*base;
	char		*tmp;
};

static atomic_int interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* ---- command line ----------------------------------------------------- */

static pid_t parse_pid(const char *arg)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (errno || end == arg || *end || n <= 0 || n > INT_MAX)
		die_usage("'%s' is not a process id", arg);
	return (pid_t)n;
}

static unsigned int parse_timeout(const char *arg)
{
	char *end;
	double sec;

	errno = 0;
	sec = strtod(arg, &end);
	if (errno || end == arg || *end || !(sec > 0) || sec > 1000000)
		die_usage("'%s' is not a number of seconds", arg);
	sec = sec * 1000;
	return sec < 1 ? 1 : (unsigned int)sec;
}

/* "NAME[NUMBER]" */
static bool is_numbered(const char *key, const char *name)
{
	size_t len = strlen(name), digits;

	if (strncmp(key, name, len))
		return false;
	digits = strspn(key + len, "0123456789");
	return digits && digits < 20 && !strcmp(key + len + digits, "]");
}

/* With the path as the kernel knows it, which has no symbolic links. */
static char *real_key(const char *key)
{
	const char *path = strchr(key, '/');
	char *real = realpath(path, NULL), *ret;

	if (asprintf(&ret, "%.*s%s", (int)(path - key), key, real ? real : path) < 0)
		ret = NULL;
	free(real);
	return ret;
}

static void parse_external(struct options *opt, const char *arg)
{
	char *key = NULL;

	if (!strcmp(arg, "tty") || is_numbered(arg, "fd[") || is_numbered(arg, "pipe:[") ||
	    is_numbered(arg, "fifo:[") || is_numbered(arg, "socket:["))
		key = strdup(arg);
	else if (!strncmp(arg, "file:/", 6) || !strncmp(arg, "mount:/", 7))
		key = real_key(arg);
	else
		die_usage("'%s' is no key of something external; see checkpoint(1)", arg);
	opt->external = reallocarray(opt->external, opt->nr_external + 1,
				     sizeof(*opt->external));
	if (!key || !opt->external)
		die(CKPT_EXIT_IO, "not enough memory");
	if (opt->nr_external == CHECKPOINT_EXTERNAL_MAX)
		die_usage("too many keys of external things");
	opt->external[opt->nr_external++] = (__u64)(uintptr_t)key;
}

static void parse_options(struct options *opt, int argc, char **argv)
{
	enum {
		OPT_STOP = 256, OPT_STOP_AND_COPY, OPT_TIMEOUT, OPT_EXTERNAL, OPT_LEAK,
		OPT_PARENT, OPT_VERSION
	};
	static const struct option longs[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "cgroup", required_argument, NULL, 'g' },
		{ "output", required_argument, NULL, 'o' },
		{ "parent", required_argument, NULL, OPT_PARENT },
		{ "kill", no_argument, NULL, 'k' },
		{ "stop", no_argument, NULL, OPT_STOP },
		{ "stop-and-copy", no_argument, NULL, OPT_STOP_AND_COPY },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT },
		{ "external", required_argument, NULL, OPT_EXTERNAL },
		{ "leak", required_argument, NULL, OPT_LEAK },
		{ "log", required_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:g:o:knl:vh", longs, NULL)) >= 0) {
		switch (c) {
		case 'p':
			if (opt->pid)
				die_usage("-p can be given only once; put more into a cgroup (-g)");
			opt->pid = parse_pid(optarg);
			break;
		case 'g':
			if (opt->cgroup)
				die_usage("-g can be given only once");
			opt->cgroup = optarg;
			break;
		case 'o':
			opt->output = optarg;
			break;
		case OPT_PARENT:
			if (opt->parent)
				die_usage("--parent can be given only once; it knows its own");
			opt->parent = optarg;
			break;
		case 'k':
			opt->flags |= CHECKPOINT_KILL;
			break;
		case OPT_STOP:
			opt->flags |= CHECKPOINT_STOP;
			break;
		case OPT_STOP_AND_COPY:
			opt->flags |= CHECKPOINT_STOP_AND_COPY;
			break;
		case 'n':
			opt->flags |= CHECKPOINT_DRY_RUN;
			break;
		case OPT_TIMEOUT:
			opt->timeout_ms = parse_timeout(optarg);
			break;
		case OPT_EXTERNAL:
			parse_external(opt, optarg);
			break;
		case OPT_LEAK:
			if (strcmp(optarg, "ok"))
				die_usage("'%s': there is --leak ok, and nothing else",
					  optarg);
			opt->flags |= CHECKPOINT_LEAK_OK;
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
			printf("checkpoint %s (image format %d)\n",
			       CKPT_TOOLS_VERSION, CKPT_VERSION);
			exit(fflush(stdout) ? CKPT_EXIT_IO : CKPT_EXIT_OK);
		default:
			fputs("Try 'checkpoint --help'.\n", stderr);
			exit(CKPT_EXIT_USAGE);
		}
	}
	if (optind < argc)
		die_usage("unexpected argument '%s'; give the process with -p, the image with -o",
			  argv[optind]);
	if (!opt->pid && !opt->cgroup)
		die_usage("say what to checkpoint, with -p PID or -g CGROUPDIR");
	if (opt->pid && opt->cgroup)
		die_usage("-p and -g exclude each other");
	if (opt->flags & CHECKPOINT_KILL && opt->flags & CHECKPOINT_STOP)
		die_usage("--kill and --stop exclude each other");
	if (opt->flags & CHECKPOINT_DRY_RUN &&
	    opt->flags & (CHECKPOINT_KILL | CHECKPOINT_STOP))
		die_usage("a dry run neither kills nor stops");
	if (opt->output && opt->log && same_file(opt->output, opt->log))
		die_usage("-o and -l name the same file");
	if (opt->flags & CHECKPOINT_DRY_RUN)
		return;
	/* What is in the pipe when the kernel is done may be lost yet. */
	if (opt->parent && opt->flags & (CHECKPOINT_KILL | CHECKPOINT_STOP))
		die_usage("--parent is for processes that run on: not with --kill or --stop");
	if (opt->parent && opt->output && same_file(opt->output, opt->parent))
		die_usage("--parent and -o name the same file, which would be lost");
	if (opt->parent && opt->log && same_file(opt->log, opt->parent))
		die_usage("--parent and -l name the same file, which would be lost");
	if (!opt->output || !strcmp(opt->output, "-")) {
		if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
			die_usage("the standard output is closed; write the image with -o FILE");
		if (isatty(STDOUT_FILENO))
			die_usage("will not write an image to a terminal; use -o FILE");
	} else if (!*opt->output) {
		die_usage("the name of the image file is empty");
	}
}

/* ---- target ----------------------------------------------------------- */

/* A number from /proc/PID/status, or -1. */
static int proc_status(pid_t pid, const char *key)
{
	char name[32], line[256];
	size_t len = strlen(key);
	int value = -1;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	f = fopen(name, "re");
	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			value = atoi(line + len + 1);
	fclose(f);
	return value;
}

static void refuse_own_ancestor(pid_t pid)
{
	pid_t p = getpid();

	while (p > 0 && p != pid)
		p = proc_status(p, "PPid");
	if (p == pid)
		die(CKPT_EXIT_USAGE,
		    "pid %d: is an ancestor of this command, which would be part of its own image; run it from elsewhere",
		    pid);
}

static int open_process(pid_t pid)
{
	int fd, err, tgid;

	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		err = errno;
		tgid = proc_status(pid, "Tgid");
		if (tgid > 0 && tgid != pid)
			die(CKPT_EXIT_USAGE,
			    "pid %d: is a thread of process %d; give that", pid, tgid);
		if (err == ESRCH)
			die(CKPT_EXIT_USAGE, "pid %d: no such process", pid);
		die(ckpt_exit_code(CKPT_OP_CHECKPOINT, err), "pid %d: %s", pid,
		    ckpt_explain(CKPT_OP_CHECKPOINT, err));
	}
	refuse_own_ancestor(pid);
	return fd;
}

/* Is this command in the cgroup or below? Counts the processes there. */
static bool scan_cgroup(int dir_fd, unsigned long *count)
{
	struct dirent *entry;
	bool found = false;
	int fd, pid;
	FILE *f;
	DIR *d;

	fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f) {
		while (fscanf(f, "%d", &pid) == 1) {
			(*count)++;
			found |= pid == getpid();
		}
		fclose(f);
	}
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return found;
	while (!found && (entry = readdir(d))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dir_fd, entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		found = scan_cgroup(fd, count);
		close(fd);
	}
	closedir(d);
	return found;
}

static int open_target(const struct options *opt)
{
	unsigned long count = 0;
	int fd;

	if (opt->pid)
		return open_process(opt->pid);
	fd = open_cgroup(opt->cgroup);
	if (scan_cgroup(fd, &count))
		die(CKPT_EXIT_USAGE,
		    "cgroup %s: this command is in it and would be part of its own image; run it from elsewhere",
		    opt->cgroup);
	if (!count)
		die(CKPT_EXIT_USAGE, "cgroup %s: there is no task in it", opt->cgroup);
	return fd;
}

/* ---- output ----------------------------------------------------------- */

__attribute__((noreturn))
static void die_output(const struct output *out, int err)
{
	if (err == EINTR && interrupted)
		die_by_signal(interrupted);
	die(own_exit_code(err), "%s: cannot write the image: %s", out->name,
	    strerror(err));
}

static void make_temporary(struct output *out)
{
	unsigned long long id;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
			id = (unsigned long long)time(NULL) * 1000 + tries;
		free(out->tmp);
		/* A name of 255 bytes has no room for more. */
		if (asprintf(&out->tmp, ".%.200s.%d-%012llx.tmp", out->base,
			     getpid(), id & 0xffffffffffffULL) < 0)
			die(CKPT_EXIT_IO, "not enough memory");
		out->fd = openat(out->dir_fd, out->tmp,
				 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				 0600);
		if (out->fd >= 0)
			return;
		if (errno != EEXIST)
			break;
	}
	die_output(out, errno);
}

/*
 * The kernel can write to few of them, and what goes to /dev/null, as the
 * output of a cron job may, is lost.
 */
static void refuse_char_device(const struct output *out, const struct stat *st)
{
	if (S_ISCHR(st->st_mode))
		die(CKPT_EXIT_USAGE,
		    "%s: is a device that cannot hold an image; write it to a file or a pipe",
		    out->name);
}

static void open_output(const struct options *opt, struct output *out)
{
	char *path, *copy;
	struct stat st;

	out->fd = -1;
	out->dir_fd = -1;
	if (opt->flags & CHECKPOINT_DRY_RUN)
		return;
	if (!opt->output || !strcmp(opt->output, "-")) {
		out->name = "standard output";
		out->fd = STDOUT_FILENO;
		if (!fstat(out->fd, &st))
			refuse_char_device(out, &st);
		return;
	}

	out->name = opt->output;
	if (!stat(opt->output, &st)) {
		if (S_ISDIR(st.st_mode))
			die(CKPT_EXIT_USAGE, "%s: is a directory", out->name);
		refuse_char_device(out, &st);
		if (!S_ISREG(st.st_mode)) {
			/* A pipe or disk: nothing to rename. */
			out->fd = open(opt->output, O_WRONLY | O_CLOEXEC | O_NOCTTY);
			if (out->fd < 0)
				die_output(out, errno);
			return;
		}
		/* A symbolic link stays one. */
		path = realpath(opt->output, NULL);
	} else {
		path = strdup(opt->output);
	}
	copy = path ? strdup(path) : NULL;
	if (!copy)
		die_output(out, errno);
	if (path[strlen(path) - 1] == '/')
		die(CKPT_EXIT_USAGE, "%s: is not the name of a file", out->name);
	out->dir = dirname(path);
	out->base = basename(copy);
	out->dir_fd = open(out->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0)
		die_output(out, errno);
	make_temporary(out);
}

static void remove_temporary(const struct output *out)
{
	if (out->dir_fd >= 0)
		unlinkat(out->dir_fd, out->tmp, 0);
}

/*
 * The image is complete. With --kill its tasks are gone, so whatever happens
 * it must not get lost; the kernel has synced it by then.
 */
static int finish_output(const struct output *out, bool killed)
{
	const char *what = NULL;
	int err = 0;

	if (out->dir_fd < 0)
		return CKPT_EXIT_OK;
	if (fsync(out->fd)) {
		err = errno;
		what = "cannot sync the image";
	} else if (renameat(out->dir_fd, out->tmp, out->dir_fd, out->base)) {
		err = errno;
		what = "cannot rename the image";
	}
	if (what) {
		if (killed) {
			say("%s: %s: %s; the processes were killed, their image is %s/%s",
			    out->name, what, strerror(err), out->dir, out->tmp);
		} else {
			say("%s: %s: %s", out->name, what, strerror(err));
			remove_temporary(out);
		}
		return own_exit_code(err);
	}
	if (fsync(out->dir_fd) && errno != EINVAL) {
		say("%s: cannot sync %s: %s; the image is complete, but a crash may undo that",
		    out->name, out->dir, strerror(errno));
		return CKPT_EXIT_IO;
	}
	return CKPT_EXIT_OK;
}

/* How long the tasks stood still is at the end of the image. */
static bool frozen_ms(const struct output *out, bool incremental, double *ms)
{
	struct {
		struct ckpt_record h;
		struct ckpt_trailer t;
	} last;
	struct stat st;
	off_t at;

	if (out->dir_fd < 0 || fstat(out->fd, &st))
		return false;
	at = st.st_size - (off_t)sizeof(last);
	if (incremental)
		at -= (off_t)sizeof(struct ckpt_piece);
	if (at < 0 || pread(out->fd, &last, sizeof(last), at) != (ssize_t)sizeof(last))
		return false;
	if (last.h.type != CKPT_REC_TRAILER || last.h.length != sizeof(last))
		return false;
	*ms = (double)last.t.frozen_ns / 1e6;
	return true;
}

/* ---- with a parent ---------------------------------------------------- */

/**
 * struct shrinker - a thread that the image goes through, which leaves out what
 *	the parent has
 * @opt: The command line.
 * @out: Where the rest goes.
 * @fds: The pipe from the kernel.
 * @thread: It.
 * @err: Errno of its failure, or 0.
 * @error: For people.
 */
struct shrinker {
	const struct options	*opt;
	int			out;
	int			fds[2];
	pthread_t		thread;
	int			err;
	char			error[512];
};

static void *shrink_image(void *arg)
{
	struct shrinker *s = arg;

	if (ckpt_shrink(s->fds[0], s->out, s->opt->parent, s->opt->output,
			s->error, sizeof(s->error)))
		s->err = errno;
	/* What the kernel has yet to say nobody will hear. */
	close(s->fds[0]);
	return NULL;
}

/* Returns the descriptor that the kernel is to write to. */
static int shrinker_start(struct shrinker *s, const struct output *out)
{
	sigset_t all, old;
	int err;

	if (!s->opt->parent || s->out < 0)
		return s->out;
	if (pipe2(s->fds, O_CLOEXEC)) {
		err = errno;
		remove_temporary(out);
		die(CKPT_EXIT_IO, "cannot make a pipe: %s", strerror(err));
	}
	/* As much as an ordinary user may: fewer turns for the same bytes. */
	fcntl(s->fds[1], F_SETPIPE_SZ, 1 << 20);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&s->thread, NULL, shrink_image, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		remove_temporary(out);
		die(CKPT_EXIT_IO, "cannot make a thread: %s", strerror(err));
	}
	return s->fds[1];
}

static int shrink_exit_code(int err)
{
	switch (err) {
	case EINVAL:
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
		return CKPT_EXIT_USAGE;
	case EBADMSG:
	case ENOEXEC:
		return CKPT_EXIT_IMAGE;
	default:
		return own_exit_code(err);
	}
}

/*
 * Is all that the kernel has written where it belongs? Returns true, after it has
 * said why, and changes @err, if that failed, rather than the system call.
 */
static bool shrinker_stop(struct shrinker *s, int *err)
{
	struct timespec until;

	if (!s->opt->parent || s->out < 0)
		return false;
	close(s->fds[1]);
	/* It may be at work for long, for an image that will not be. */
	if (*err && *err != EPIPE)
		return false;
	do {
		if (interrupted) {
			*err = EINTR;
			return false;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	} while (pthread_timedjoin_np(s->thread, NULL, &until) == ETIMEDOUT);
	if (!s->err)
		return false;
	say("--parent: %s", s->error);
	*err = s->err;
	return true;
}

/* ---- main ------------------------------------------------------------- */

static void catch_signals(void)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	static const int held[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigaction old;
	sigset_t set;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fatal); i++) {
		/* What nohup and the like have ignored stays so. */
		if (!sigaction(fatal[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(fatal[i], &sa, NULL);
	}
	/* To stop in mid-work would interrupt the system call. */
	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(held); i++)
		sigaddset(&set, held[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* These come as EPIPE and EFBIG. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void say_done(const struct output *out, const char *target, bool incremental,
		     double sec)
{
	struct stat st;
	char size[32];
	double ms;

	if (out->dir_fd < 0 || fstat(out->fd, &st)) {
		say("%s: done in %.2f s", target, sec);
		return;
	}
	human_bytes(size, (__u64)st.st_size);
	if (frozen_ms(out, incremental, &ms))
		say("%s: %s in %s; done in %.2f s, stood still for %.1f ms",
		    target, size, out->name, sec, ms);
	else
		say("%s: %s in %s; done in %.2f s", target, size, out->name, sec);
}

int main(int argc, char **argv)
{
	struct options opt = { };
	struct output out = { };
	struct checkpoint_args args = { };
	struct klog log;
	struct watch watch = { .verb = "written" };
	struct shrinker shrinker = { .opt = &opt };
	struct timespec start, end;
	bool dry_run, killed, own = false;
	char target[PATH_MAX + 16];
	int err, ret;
	long id = -1;

	tool_name = "checkpoint";
	parse_options(&opt, argc, argv);
	open_std_fds();
	dry_run = opt.flags & CHECKPOINT_DRY_RUN;
	if (opt.pid)
		snprintf(target, sizeof(target), "pid %d", opt.pid);
	else
		snprintf(target, sizeof(target), "cgroup %s", opt.cgroup);

	args.flags = opt.flags;
	args.timeout_ms = opt.timeout_ms;
	args.external = (__u64)(uintptr_t)opt.external;
	args.external_count = opt.nr_external;
	args.target_fd = open_target(&opt);
	require_features(CKPT_OP_CHECKPOINT, opt.flags);
	klog_open(&log, opt.log);
	log.statistics = opt.verbose;
	args.log_fd = log.fd;
	catch_signals();
	open_output(&opt, &out);
	shrinker.out = out.fd;
	killed = opt.flags & CHECKPOINT_KILL;
	args.image_fd = shrinker_start(&shrinker, &out);

	watch.fd = out.fd;
	watch.log = opt.verbose || dry_run ? &log : NULL;
	watch.interrupted = &interrupted;
	clock_gettime(CLOCK_MONOTONIC, &start);
	watch_start(&watch);
	err = EINTR;
	if (!interrupted) {
		id = ckpt_checkpoint(&args);
		err = id < 0 ? errno : 0;
	}
	own = shrinker_stop(&shrinker, &err);
	watch_stop(&watch);
	clock_gettime(CLOCK_MONOTONIC, &end);

	/* What was not refused, but told, is worth being seen. */
	if (err || opt.verbose || dry_run || opt.flags & CHECKPOINT_LEAK_OK ||
	    opt.nr_external)
		klog_show(&log, true);
	klog_close(&log);

	if (err) {
		remove_temporary(&out);
		if (err == EINTR && interrupted) {
			say("%s: interrupted; no image was made, nothing was changed",
			    target);
			die_by_signal(interrupted);
		}
		if (own)
			exit(shrink_exit_code(err));
		if (dry_run && err == EOPNOTSUPP)
			die(CKPT_EXIT_REFUSED, "%s: cannot be checkpointed", target);
		die(ckpt_exit_code(CKPT_OP_CHECKPOINT, err), "%s: %s", target,
		    ckpt_explain(CKPT_OP_CHECKPOINT, err));
	}
	if (dry_run) {
		say("%s: can be checkpointed", target);
		return CKPT_EXIT_OK;
	}

	ret = finish_output(&out, killed);
	if (opt.verbose && !ret)
		say_done(&out, target, opt.parent, (double)(end.tv_sec - start.tv_sec) +
			 (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	if (!ret && killed)
		ret = CKPT_EXIT_KILLED;
	return ret;
}
