// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart selftests: what they share. See ckpt_util.h.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <time.h>

#include "ckpt_util.h"

#define CGROUP2_MAGIC		0x63677270
#define MODE_SELF		1
#define MODE_KILL		2
#define MODE_PIPE		4

char subject_dir[64];
static unsigned int subject_mode;
static struct ckpt_subject *subjects;

/* ---- system calls ----------------------------------------------------- */

long sys_checkpoint(const void *args, size_t size)
{
	long ret = syscall(__NR_checkpoint, args, size);

	return ret < 0 ? -errno : ret;
}

long sys_restart(const void *args, size_t size)
{
	long ret = syscall(__NR_restart, args, size);

	return ret < 0 ? -errno : ret;
}

long ckpt_checkpoint_to(int target_fd, int image_fd, uint64_t flags, int log_fd)
{
	struct checkpoint_args args = {
		.flags = flags,
		.target_fd = target_fd,
		.image_fd = image_fd,
		.log_fd = log_fd,
		.timeout_ms = 30000,
	};

	return sys_checkpoint(&args, sizeof(args));
}

long ckpt_restart_from(int image_fd, uint64_t flags, int log_fd)
{
	struct restart_args args = {
		.flags = flags,
		.image_fd = image_fd,
		.log_fd = log_fd,
		.cgroup_fd = -1,
	};

	return sys_restart(&args, sizeof(args));
}

bool ckpt_supported(void)
{
	return sys_checkpoint(NULL, 0) >= 0 && sys_restart(NULL, 0) >= 0;
}

int ckpt_pidfd(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* ---- small things ----------------------------------------------------- */

void ckpt_msg(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDOUT_FILENO, "# %s\n", line);
}

uint64_t ckpt_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void ckpt_sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

ssize_t ckpt_slurp(const char *path, char *buf, size_t size)
{
	ssize_t len = 0, n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < (ssize_t)size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	close(fd);
	buf[len] = '\0';
	return len;
}

static void path_of(const struct ckpt_run *run, const char *name, char *path,
		    size_t size)
{
	snprintf(path, size, "%s/%s", run->dir, name);
}

int ckpt_open(const struct ckpt_run *run, const char *name, int flags)
{
	char path[PATH_MAX];

	path_of(run, name, path, sizeof(path));
	return open(path, flags | O_CLOEXEC, 0666);
}

bool ckpt_exists(const struct ckpt_run *run, const char *name)
{
	char path[PATH_MAX];

	path_of(run, name, path, sizeof(path));
	return !access(path, F_OK);
}

void ckpt_touch(const struct ckpt_run *run, const char *name)
{
	close(ckpt_open(run, name, O_CREAT | O_WRONLY));
}

void ckpt_remove(const struct ckpt_run *run, const char *name)
{
	char path[PATH_MAX];

	path_of(run, name, path, sizeof(path));
	unlink(path);
}

/* Prints a file, each line as a comment of TAP. */
void ckpt_print(const struct ckpt_run *run, const char *name)
{
	char path[PATH_MAX], text[8192], *line, *next = NULL;

	path_of(run, name, path, sizeof(path));
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return;
	for (line = strtok_r(text, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next))
		ckpt_msg("%s: %s", name, line);
}

/* Does one line of the log have these words? Counts them. */
int ckpt_log_has(const struct ckpt_run *run, const char *words)
{
	char path[PATH_MAX], text[16384], *line, *next = NULL;
	int count = 0;

	path_of(run, "log", path, sizeof(path));
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return 0;
	for (line = strtok_r(text, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next))
		count += !!strcasestr(line, words);
	return count;
}

char ckpt_state(pid_t pid)
{
	char path[64], text[512], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (ckpt_slurp(path, text, sizeof(text)) <= 0)
		return 0;
	p = strrchr(text, ')');
	return p ? p[2] : 0;
}

int ckpt_wait_state(pid_t pid, char state)
{
	uint64_t end = ckpt_now() + 20 * 1000000000ULL;

	while (ckpt_state(pid) != state) {
		if (ckpt_now() > end) {
			ckpt_msg("task %d is in state '%c', not '%c'", pid,
				 ckpt_state(pid), state);
			return -ETIMEDOUT;
		}
		ckpt_sleep_ms(2);
	}
	return 0;
}

int ckpt_nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int nr = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static int copy_fd(int from, int to)
{
	static char buf[65536];
	ssize_t n, done, w;

	for (;;) {
		n = read(from, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		for (done = 0; done < n; done += w) {
			w = write(to, buf + done, n - done);
			if (w < 0)
				return -1;
		}
	}
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* ---- files that are set back ------------------------------------------ */

static int copy_file(const char *from, const char *to)
{
	struct timespec times[2];
	struct stat st;
	int in, out, ret;

	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0 || fstat(in, &st))
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0) {
		close(in);
		return -errno;
	}
	ret = copy_fd(in, out);
	fchmod(out, st.st_mode & 07777);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(out, times))
		ret = -errno;
	close(in);
	close(out);
	return ret;
}

static int copy_files(const struct ckpt_run *run, const char *from,
		      const char *to)
{
	char src[PATH_MAX + 300], dst[PATH_MAX + 300], path[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	int ret = 0;
	DIR *dir;

	path_of(run, from, path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		snprintf(src, sizeof(src), "%s/%s/%s", run->dir, from,
			 entry->d_name);
		snprintf(dst, sizeof(dst), "%s/%s/%s", run->dir, to,
			 entry->d_name);
		if (lstat(src, &st) || !S_ISREG(st.st_mode))
			continue;
		ret = copy_file(src, dst);
	}
	closedir(dir);
	return ret;
}

/* ---- steps of a test -------------------------------------------------- */

/* Where cgroup v2 is, or NULL. */
static const char *cgroup_mount(void)
{
	static const char * const where[] = {
		"/sys/fs/cgroup", "/sys/fs/cgroup/unified",
	};
	struct statfs st;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (!statfs(where[i], &st) && st.f_type == CGROUP2_MAGIC)
			return where[i];
	return NULL;
}

void ckpt_init(struct ckpt_run *run, const struct ckpt_how *how)
{
	memset(run, 0, sizeof(*run));
	if (how)
		run->how = *how;
	run->cgroup_fd = -1;
	run->stdio_fd = -1;
	run->extra_fd = -1;
}

static int run_setup(struct ckpt_run *run)
{
	static const char * const dirs[] = { "f", "saved" };
	const char *mount = cgroup_mount();
	char path[PATH_MAX];
	unsigned int i;
	int fd;

	snprintf(run->dir, sizeof(run->dir), "/tmp/ckpt-test-XXXXXX");
	if (!mkdtemp(run->dir)) {
		ckpt_msg("cannot make %s: %m", run->dir);
		return -errno;
	}
	chmod(run->dir, 0777);
	for (i = 0; i < 2; i++) {
		path_of(run, dirs[i], path, sizeof(path));
		if (mkdir(path, 0777))
			return -errno;
		chmod(path, 0777);
	}
	fd = ckpt_open(run, "result", O_CREAT | O_WRONLY);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0666);
	close(fd);

	if (!mount)
		return 0;
	/* by that name: pids are the same in each pid namespace */
	snprintf(run->cgroup, sizeof(run->cgroup), "%s%s", mount, strrchr(run->dir, '/'));
	if (mkdir(run->cgroup, 0755)) {
		run->cgroup[0] = '\0';
		return 0;
	}
	run->cgroup_fd = open(run->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static void __noreturn
run_exec(const struct ckpt_run *run, const char *subject)
{
	int extra = run->extra_fd;
	unsigned int mode = 0;
	char self[PATH_MAX], number[16], path[PATH_MAX];
	ssize_t len;
	int fd;

	if (run->how.target == CKPT_SELF)
		mode |= MODE_SELF;
	if (run->how.kill)
		mode |= MODE_KILL;
	if (run->how.pipe)
		mode |= MODE_PIPE;

	if (!run->same_session)
		setsid();
	if (run->cgroup[0]) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", run->cgroup);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (write(fd, "0", 1) != 1)
			_exit(99);
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len < 0)
		_exit(98);
	self[len] = '\0';
	fd = run->stdio_fd;
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	/* out of the way of what follows */
	fd = fcntl(fd, F_DUPFD, 100);
	if (extra >= 0)
		extra = fcntl(extra, F_DUPFD, 100);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (extra >= 0)
		dup2(extra, SUBJECT_FD);
	else
		close(SUBJECT_FD);
	close_range(3, SUBJECT_FD - 1, 0);
	close_range(SUBJECT_FD + 1, ~0U, 0);
	if (chdir("/"))
		_exit(97);
	if (run->uid) {
		if (setresgid(run->uid, run->uid, run->uid) ||
		    setresuid(run->uid, run->uid, run->uid))
			_exit(96);
	}
	snprintf(number, sizeof(number), "%u", mode);
	execl(self, self, "--subject", subject, run->dir, number, NULL);
	_exit(95);
}

static void explain(const struct ckpt_run *run, const char *what, int status)
{
	if (WIFSIGNALED(status))
		ckpt_msg("%s: killed by signal %d", what, WTERMSIG(status));
	else
		ckpt_msg("%s: exit status %d", what, WEXITSTATUS(status));
	ckpt_print(run, "result");
	ckpt_print(run, "log");
}

/* Waits until the subject has made a file. */
int ckpt_wait_for(const struct ckpt_run *run, const char *name)
{
	uint64_t end = ckpt_now() + CKPT_PATIENCE * 1000000000ULL;
	siginfo_t info;

	while (!ckpt_exists(run, name)) {
		info.si_pid = 0;
		if (waitid(P_PID, run->pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
		    info.si_pid) {
			if (ckpt_exists(run, name))
				break;
			ckpt_msg("subject is gone (%d) before \"%s\"",
				 info.si_status, name);
			ckpt_print(run, "result");
			ckpt_print(run, "log");
			return -ECHILD;
		}
		if (ckpt_now() > end) {
			ckpt_msg("waited too long for \"%s\"", name);
			ckpt_print(run, "result");
			return -ETIMEDOUT;
		}
		ckpt_sleep_ms(2);
	}
	return 0;
}

/* Waits for the subject's end with patience that has an end. */
static int wait_end(const struct ckpt_run *run, int *status)
{
	uint64_t end = ckpt_now() + CKPT_PATIENCE * 1000000000ULL;
	pid_t pid;

	for (;;) {
		pid = waitpid(run->pid, status, WNOHANG);
		if (pid == run->pid)
			return 0;
		if (pid < 0) {
			ckpt_msg("cannot wait for %d: %m", run->pid);
			return -errno;
		}
		if (ckpt_now() > end) {
			ckpt_msg("subject %d does not end (state %c)", run->pid,
				 ckpt_state(run->pid));
			ckpt_print(run, "result");
			ckpt_print(run, "log");
			return -ETIMEDOUT;
		}
		ckpt_sleep_ms(2);
	}
}

int ckpt_start(struct ckpt_run *run, const char *subject)
{
	char fifo[PATH_MAX];
	int ret = run_setup(run);
	pid_t pid;

	if (ret) {
		ckpt_msg("cannot set up: %s", strerror(-ret));
		return ret;
	}
	if (run->how.target == CKPT_CGROUP && run->cgroup_fd < 0) {
		ckpt_msg("no cgroup v2");
		return -ENOENT;
	}
	if (run->how.target == CKPT_SELF && run->how.pipe) {
		path_of(run, "fifo", fifo, sizeof(fifo));
		if (mkfifo(fifo, 0666))
			return -errno;
	}
	/* the child must not change @run, some tests have it in shared memory */
	pid = fork();
	if (!pid)
		run_exec(run, subject);
	if (pid < 0) {
		ckpt_msg("cannot fork: %m");
		return -errno;
	}
	run->pid = pid;
	if (run->how.target == CKPT_SELF)
		return 0;
	ret = ckpt_wait_for(run, "ready");
	/* let it go to sleep in whatever it waits in */
	if (!ret)
		ckpt_sleep_ms(20);
	return ret;
}

/* A plain call for the subject, with messages in "log". */
long ckpt_checkpoint_log(struct ckpt_run *run, uint64_t flags, int image_fd)
{
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	struct checkpoint_args args = {
		.flags = flags,
		.image_fd = image_fd,
		.log_fd = log,
		.timeout_ms = 30000,
		.external = (uintptr_t)run->external,
		.external_count = run->nr_external,
	};
	long ret;

	if (run->how.target == CKPT_CGROUP)
		args.target_fd = dup(run->cgroup_fd);
	else
		args.target_fd = ckpt_pidfd(run->pid);
	ret = sys_checkpoint(&args, sizeof(args));
	close(args.target_fd);
	close(log);
	return ret;
}

static pid_t drain(struct ckpt_run *run, int pipe_rd, int pipe_wr)
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	if (pipe_wr >= 0)
		close(pipe_wr);
	if (pipe_rd < 0)
		pipe_rd = ckpt_open(run, "fifo", O_RDONLY);
	ckpt_sleep_ms(run->pipe_ms);
	fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	_exit(copy_fd(pipe_rd, fd) ? 1 : 0);
}

static int checkpoint_self(struct ckpt_run *run)
{
	pid_t helper = 0;
	int status, ret;

	if (run->how.pipe)
		helper = drain(run, -1, -1);
	if (run->how.kill) {
		/* it has no more to say when it is gone */
		ret = wait_end(run, &status);
		if (!ret && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)) {
			explain(run, "self-checkpoint", status);
			ret = -ECHILD;
		}
	} else {
		ret = ckpt_wait_for(run, "done");
	}
	if (helper) {
		if (ret)
			kill(helper, SIGKILL);
		if (waitpid(helper, &status, 0) != helper || status) {
			ckpt_msg("image did not come through the pipe");
			ret = ret ?: -EIO;
		}
	}
	return ret;
}

int ckpt_checkpoint(struct ckpt_run *run)
{
	uint64_t flags = run->checkpoint_flags;
	int fds[2], fd, status, ret;
	pid_t helper = 0;

	run->checkpoint_ns = ckpt_now();
	if (run->how.target == CKPT_SELF) {
		ret = checkpoint_self(run);
		goto out;
	}
	if (run->how.kill)
		flags |= CHECKPOINT_KILL;
	if (run->how.pipe) {
		if (pipe2(fds, O_CLOEXEC))
			return -errno;
		fd = fds[1];
		helper = drain(run, fds[0], fds[1]);
		close(fds[0]);
	} else {
		fd = ckpt_open(run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	}
	run->image_id = ckpt_checkpoint_log(run, flags, fd);
	close(fd);
	ret = 0;
	if (run->image_id <= 0) {
		ckpt_msg("checkpoint: %ld (%s)", run->image_id,
			 strerror(-run->image_id));
		ckpt_print(run, "log");
		ret = run->image_id ?: -EIO;
	}
	if (helper && (waitpid(helper, &status, 0) != helper || status)) {
		ckpt_msg("image did not come through the pipe");
		ret = ret ?: -EIO;
	}
	if (!ret && run->how.kill) {
		ret = wait_end(run, &status);
		if (!ret && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)) {
			explain(run, "after checkpoint", status);
			ret = -ECHILD;
		}
	}
	/* as init, we have got its children, and pids of zombies are taken */
	if (!ret && run->how.kill && getpid() == 1)
		while (waitpid(-1, NULL, 0) > 0)
			;
out:
	if (!ret)
		ret = copy_files(run, "f", "saved");
	return ret;
}

/* Lets the subject verify its state, and waits for its verdict. */
int ckpt_finish(struct ckpt_run *run)
{
	int status, ret;

	ckpt_touch(run, "go");
	ret = wait_end(run, &status);
	ckpt_remove(run, "go");
	if (ret)
		return ret;
	if (status) {
		explain(run, "subject", status);
		return -ECHILD;
	}
	run->pid = 0;
	return 0;
}

/* Removes the files in the subject's directory but for those in @keep. */
static int remove_others(const struct ckpt_run *run, struct dirent **keep, int nr)
{
	struct dirent **found;
	int i, k, n;

	n = scandir(run->dir, &found, NULL, NULL);
	for (i = 0; i < n; i++) {
		for (k = 0; k < nr && strcmp(keep[k]->d_name, found[i]->d_name); k++)
			;
		if (k == nr && found[i]->d_type == DT_REG)
			ckpt_remove(run, found[i]->d_name);
		free(found[i]);
	}
	if (n >= 0)
		free(found);
	return n < 0 ? -errno : 0;
}

/*
 * The subject goes on after a checkpoint; its end comes before a restart, which
 * is not to find what it has told its children, and us, by then.
 */
int ckpt_go_on(struct ckpt_run *run)
{
	struct dirent **before;
	pid_t pid = run->pid;
	int nr = scandir(run->dir, &before, NULL, NULL);
	int ret = nr < 0 ? -errno : ckpt_finish(run);

	if (!ret)
		ret = remove_others(run, before, nr);
	while (nr > 0)
		free(before[--nr]);
	if (nr == 0)
		free(before);
	if (ret) {
		ckpt_msg("that was the original, after the checkpoint");
		return ret;
	}
	run->pid = pid;
	return copy_files(run, "saved", "f");
}

int ckpt_kill(struct ckpt_run *run)
{
	int status;

	if (kill(run->pid, SIGKILL))
		return -errno;
	return wait_end(run, &status);
}

/* Returns the pid of the root task, or -errno. */
long ckpt_restart(struct ckpt_run *run)
{
	int log = ckpt_open(run, "log", O_CREAT | O_TRUNC | O_WRONLY);
	int image = ckpt_open(run, "image", O_RDONLY);
	int fds[2], pidfd = -1, status;
	struct restart_args args = {
		.flags = run->restart_flags | RESTART_PIDFD,
		.image_fd = image,
		.log_fd = log,
		.cgroup_fd = -1,
		.inherit_count = run->nr_inherit,
		.inherit = (uintptr_t)run->inherit,
		.pidfd = (uintptr_t)&pidfd,
		.inherit_keys = (uintptr_t)run->inherit_keys,
	};
	pid_t helper = 0;
	long ret;

	if (run->how.target == CKPT_CGROUP) {
		args.flags |= RESTART_CGROUP;
		args.cgroup_fd = run->cgroup_fd;
	}
	if (run->how.pipe) {
		if (pipe2(fds, O_CLOEXEC))
			return -errno;
		helper = fork();
		if (!helper) {
			close(fds[0]);
			ckpt_sleep_ms(run->pipe_ms);
			_exit(copy_fd(image, fds[1]) ? 1 : 0);
		}
		close(fds[1]);
		args.image_fd = fds[0];
	}
	ret = sys_restart(&args, sizeof(args));
	run->restart_ns = ckpt_now();
	close(image);
	close(log);
	if (helper) {
		close(fds[0]);
		if (waitpid(helper, &status, 0) != helper) {
			ckpt_msg("lost the helper that feeds the pipe");
			ret = ret < 0 ? ret : -ECHILD;
		}
	}
	if (ret > 0) {
		run->pid = ret;
		if (pidfd < 0 ||
		    syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0)) {
			ckpt_msg("restart gave no pidfd");
			ret = -EIO;
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	return ret;
}

/* Of a subject that could not unmount what it had mounted. */
static void unmount_below(const struct ckpt_run *run)
{
	static char text[1 << 16];
	char *line, *next = NULL, *dir, *last, path[PATH_MAX];
	size_t len = strlen(run->dir);

	/* the last one of them is above the others, or beside */
	do {
		if (ckpt_slurp("/proc/self/mounts", text, sizeof(text)) <= 0)
			return;
		last = NULL;
		for (line = strtok_r(text, "\n", &next); line;
		     line = strtok_r(NULL, "\n", &next)) {
			dir = strchr(line, ' ');
			if (dir && !strncmp(dir + 1, run->dir, len) && dir[1 + len] == '/')
				last = dir + 1;
		}
		if (last)
			snprintf(path, sizeof(path), "%.*s", (int)strcspn(last, " "), last);
	} while (last && !umount2(path, MNT_DETACH));
}

/* What is left is a failure too. */
int ckpt_cleanup(struct ckpt_run *run)
{
	char path[PATH_MAX], text[4096];
	int status, i, ret = 0;
	ssize_t len;

	if (run->pid > 0) {
		if (!run->same_session)
			kill(-run->pid, SIGKILL);
		kill(run->pid, SIGKILL);
		waitpid(run->pid, &status, 0);
	}
	if (run->cgroup_fd >= 0) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", run->cgroup);
		/* Who was told to end, or let go by a tracer, may take a moment. */
		for (i = 0; (len = ckpt_slurp(path, text, sizeof(text))) > 0 &&
		     run->pid <= 0 && i < 2000; i++)
			ckpt_sleep_ms(1);
		if (len > 0) {
			if (run->pid <= 0) {
				ckpt_msg("tasks left behind: %s", text);
				ret = -EBUSY;
			}
			snprintf(path, sizeof(path), "%s/cgroup.kill",
				 run->cgroup);
			status = open(path, O_WRONLY | O_CLOEXEC);
			if (write(status, "1", 1) != 1)
				ckpt_msg("cannot kill %s: %m", run->cgroup);
			close(status);
		}
		close(run->cgroup_fd);
		run->cgroup_fd = -1;
		for (status = 0; rmdir(run->cgroup) && status < 500; status++)
			ckpt_sleep_ms(10);
	}
	if (run->dir[0]) {
		unmount_below(run);
		nftw(run->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	run->pid = 0;
	return ret;
}

int ckpt_roundtrip_run(const char *subject, struct ckpt_run *run)
{
	int fds = ckpt_nr_fds(), ret;
	long pid;
	pid_t was;

	ret = ckpt_start(run, subject);
	if (ret)
		goto out;
	was = run->pid;
	ret = ckpt_checkpoint(run);
	if (ret)
		goto out;
	if (!run->how.kill) {
		ret = ckpt_go_on(run);
		if (ret)
			goto out;
	}
	run->pid = 0;
	pid = ckpt_restart(run);
	if (pid != was) {
		ckpt_msg("restart: %ld (%s), not %d", pid,
			 pid < 0 ? strerror(-pid) : "", was);
		ckpt_print(run, "log");
		ret = pid < 0 ? pid : -ESRCH;
		goto out;
	}
	ret = ckpt_finish(run);
out:
	ret = ckpt_cleanup(run) ?: ret;
	if (!ret && ckpt_nr_fds() != fds) {
		ckpt_msg("descriptors have leaked: %d, were %d", ckpt_nr_fds(),
			 fds);
		ret = -EMFILE;
	}
	return ret;
}

int ckpt_roundtrip(const char *subject, const struct ckpt_how *how)
{
	struct ckpt_run run;

	ckpt_init(&run, how);
	return ckpt_roundtrip_run(subject, &run);
}

int ckpt_refused(const char *subject, const char *words, const char *more_words)
{
	struct ckpt_run run;
	long err;
	int fd, ret;

	ckpt_init(&run, NULL);
	ret = ckpt_start(&run, subject);
	if (ret)
		goto out;
	fd = ckpt_open(&run, "image", O_CREAT | O_TRUNC | O_WRONLY);
	err = ckpt_checkpoint_log(&run, CHECKPOINT_KILL, fd);
	close(fd);
	if (err != -EOPNOTSUPP) {
		ckpt_msg("checkpoint: %ld, not -EOPNOTSUPP", err);
		ckpt_print(&run, "log");
		ret = -EINVAL;
		/* it is gone if that was a success */
		goto out;
	}
	if (!ckpt_log_has(&run, words) ||
	    (more_words && !ckpt_log_has(&run, more_words))) {
		ckpt_msg("log has no \"%s\" or no \"%s\"", words,
			 more_words ?: "");
		ckpt_print(&run, "log");
		ret = -EINVAL;
	}
	/* refused, hence not killed, nor changed */
	ret = ckpt_finish(&run) ?: ret;
out:
	return ckpt_cleanup(&run) ?: ret;
}

/* ---- in a subject ----------------------------------------------------- */

void ckpt_register_subject(struct ckpt_subject *subject)
{
	subject->next = subjects;
	subjects = subject;
}

/* Not for use by two threads at a time. */
const char *subject_path(const char *name)
{
	static char path[2][PATH_MAX];
	static int i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", subject_dir, name);
	return path[i];
}

int subject_open(const char *name, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", subject_dir, name);
	return open(path, flags, 0666);
}

void subject_report(const char *name, const void *buf, size_t len)
{
	int fd = subject_open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(len, write(fd, buf, len));
	close(fd);
}

void subject_fail(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len, fd;

	len = snprintf(text, sizeof(text), "%s:%d: ", file, line);
	va_start(ap, fmt);
	len += vsnprintf(text + len, sizeof(text) - len - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(text) - 2)
		len = sizeof(text) - 2;
	text[len++] = '\n';
	fd = subject_open("result", O_WRONLY | O_CREAT | O_APPEND);
	if (fd < 0 || write(fd, text, len) != len)
		_exit(2);
	_exit(1);
}

void subject_touch(const char *name)
{
	int fd = subject_open(name, O_CREAT | O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	close(fd);
}

bool subject_told(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", subject_dir, name);
	return !access(path, F_OK);
}

void subject_ready(void)
{
	subject_touch("ready");
}

void subject_wait(const char *name)
{
	int i;

	/* ends some day, whatever becomes of the test */
	for (i = 0; i < CKPT_PATIENCE * 1000 / 3; i++) {
		if (subject_told(name))
			return;
		ckpt_sleep_ms(3);
	}
	subject_fail(__FILE__, __LINE__, "nobody said \"%s\"", name);
}

static void subject_self(void)
{
	uint64_t flags = subject_mode & MODE_KILL ? CHECKPOINT_KILL : 0;
	long ret, id;
	int fd, log;

	if (subject_mode & MODE_PIPE)
		fd = subject_open("fifo", O_WRONLY);
	else
		fd = subject_open("image", O_CREAT | O_TRUNC | O_WRONLY);
	CHECK(fd >= 0);
	id = ckpt_checkpoint_to(-1, fd, flags, -1);
	/* in the restarted process it need not be anything of use */
	close(fd);
	if (id > 0) {
		if (subject_mode & MODE_KILL)
			subject_fail(__FILE__, __LINE__, "not killed");
		subject_report("done", &id, sizeof(id));
	} else if (id < 0) {
		log = subject_open("log", O_CREAT | O_TRUNC | O_WRONLY);
		ret = ckpt_checkpoint_to(-1, -1, CHECKPOINT_DRY_RUN, log);
		close(log);
		subject_fail(__FILE__, __LINE__,
			     "self-checkpoint: %ld (%s); dry run: %ld", id,
			     strerror(-id), ret);
	}
}

/* Here is where the subject is checkpointed. */
void subject_point(void)
{
	if (subject_mode & MODE_SELF)
		subject_self();
	else
		subject_ready();
	subject_wait("go");
}

void subject_join(pid_t pid)
{
	int status;

	CHECK_EQ(pid, waitpid(pid, &status, 0));
	if (status)
		subject_fail(__FILE__, __LINE__, "child's status is %#x", status);
}

static struct ckpt_subject *find_subject(const char *name)
{
	struct ckpt_subject *s;

	for (s = subjects; s; s = s->next)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static int control(const char *name)
{
	struct ckpt_run run;
	int ret;

	ckpt_init(&run, NULL);
	ret = ckpt_start(&run, name);
	/* what some wait for before "go" */
	ckpt_touch(&run, "now");
	ckpt_touch(&run, "wake");
	if (!ret)
		ret = ckpt_finish(&run);
	ret = ckpt_cleanup(&run) ?: ret;
	printf("%s %s\n", ret ? "not ok" : "ok", name);
	fflush(stdout);
	return ret;
}

/* Returns an exit status, or -1 if this is no subject. */
int ckpt_subject_main(int argc, char **argv)
{
	struct ckpt_subject *s;
	int i, failed = 0;

	if (argc == 5 && !strcmp(argv[1], "--subject")) {
		s = find_subject(argv[2]);
		if (!s)
			return 94;
		snprintf(subject_dir, sizeof(subject_dir), "%s", argv[3]);
		subject_mode = atoi(argv[4]);
		s->fn();
		return 0;
	}
	if (argc < 2 || strcmp(argv[1], "--control"))
		return -1;
	for (i = 2; i < argc; i++)
		failed |= control(argv[i]);
	if (argc == 2)
		for (s = subjects; s; s = s->next)
			failed |= control(s->name);
	return !!failed;
}
