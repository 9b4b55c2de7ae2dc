// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of the test machine: sets the guest up, runs one command, tells
 * the host how it ended, and turns the machine off.
 *
 * scripts/vm, on the host, talks to it over virtio-serial ports:
 *
 *   vm.control	host: NUL-terminated "key=value" strings, the last one is "end";
 *		      later, at any time, "winsize=ROWSxCOLUMNS"
 *		guest: lines "ready", "error TEXT", "leaks", "taint N", "exit N"
 *	vm.tty	the command's terminal, both ways
 *	vm.err	the command's standard error, when that is not the terminal
 *	vm.in	the command's standard input, when that is not the terminal
 *
 * The command gets pseudo terminals instead of the ports themselves, because
 * that is what programs meet in real life: a session with a controlling
 * terminal. The kernel log has the serial port for itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ITEMS 4096

struct config {
	char *argv[MAX_ITEMS];
	char *env[MAX_ITEMS];
	char *shares[MAX_ITEMS];
	int argc, envc, sharec;
	const char *root;	/* "disk" or a 9p tag; NULL: stay in the initramfs */
	bool root_rw;
	bool tty;		/* somebody sits at vm.tty */
	bool input;		/* vm.in is in use */
	bool leak_check;
	struct winsize winsize;
};

/* One direction of traffic, with what could not be passed on yet. */
struct pump {
	int from, to;
	size_t have, done;
	char buf[32768];
};

static int control = -1;

static void tell(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (control < 0 || write(control, line, len) != len)
		dprintf(2, "init: %.*s", len, line);
}

static void __attribute__((noreturn)) power_off(void)
{
	sync();
	/* without ACPI a reset is the way out; QEMU runs with -no-reboot */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* Whatever goes wrong before the command runs ends the machine. */
static void __attribute__((noreturn)) die(const char *what)
{
	tell("error %s: %s", what, strerror(errno));
	power_off();
}

static void __attribute__((noreturn)) die_unknown(const char *word)
{
	errno = EPROTO;
	die(word);
}

static void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void must_mount(const char *src, const char *dir, const char *type,
		       unsigned long flags, const char *data)
{
	char what[256];

	if ((mkdir(dir, 0755) && errno != EEXIST) ||
	    mount(src, dir, type, flags, data)) {
		snprintf(what, sizeof(what), "mount %s on %s", src, dir);
		die(what);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

/* Ports are announced asynchronously and numbered by the host: go by name. */
static int open_port(const char *name, int flags)
{
	for (int tries = 0; tries < 10000; tries++) {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[512], found[64] = "";
			int fd;

			snprintf(path, sizeof(path),
				 "/sys/class/virtio-ports/%s/name", entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (read(fd, found, sizeof(found) - 1) > 0)
				found[strcspn(found, "\n")] = 0;
			close(fd);
			if (strcmp(found, name))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, flags | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		nap(1);
	}
	errno = ENXIO;
	die(name);
}

/* Read the next string of the host; waits for it. */
static char *next_string(void)
{
	static char *buf;
	static size_t size;
	size_t len = 0;
	char c;

	/* byte by byte would be slow for long ones, but they are short */
	for (;;) {
		ssize_t n = read(control, &c, 1);

		if (n == 0) {	/* the host has not connected yet */
			nap(1);
			continue;
		}
		if (n < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			die("read from the host");
		}
		if (len == size) {
			size = size ? size * 2 : 256;
			buf = realloc(buf, size);
			if (!buf)
				die("memory");
		}
		buf[len++] = c;
		if (!c)
			return strdup(buf);
	}
}

static void read_config(struct config *c)
{
	for (;;) {
		char *s = next_string();
		char *value;

		if (!s)
			die("memory");
		if (!strcmp(s, "end"))
			return;
		value = strchr(s, '=');
		if (!value) {
			errno = EPROTO;
			die(s);
		}
		*value++ = 0;
		if (c->argc == MAX_ITEMS - 1 || c->envc == MAX_ITEMS - 1 ||
		    c->sharec == MAX_ITEMS - 1) {
			errno = E2BIG;
			die("command");
		}
		if (!strcmp(s, "arg"))
			c->argv[c->argc++] = value;
		else if (!strcmp(s, "env"))
			c->env[c->envc++] = value;
		else if (!strcmp(s, "share"))
			c->shares[c->sharec++] = value;
		else if (!strcmp(s, "root"))
			c->root = value;
		else if (!strcmp(s, "root_rw"))
			c->root_rw = atoi(value);
		else if (!strcmp(s, "tty"))
			c->tty = atoi(value);
		else if (!strcmp(s, "input"))
			c->input = atoi(value);
		else if (!strcmp(s, "leak_check"))
			c->leak_check = atoi(value);
		else if (!strcmp(s, "winsize"))
			sscanf(value, "%hux%hu", &c->winsize.ws_row,
			       &c->winsize.ws_col);
		else
			die_unknown(s);
	}
}

/*
 * cache=mmap: files are read and written through to the host, so both sides
 * see each other's changes at once, and only mappings go through the page
 * cache. With cache=none a writable shared mapping would be refused; with
 * anything above, the host's changes would be missed.
 */
static const char p9_options[] = "trans=virtio,version=9p2000.L,msize=512000,cache=mmap";

static void mount_shares(struct config *c)
{
	for (int i = 0; i < c->sharec; i++) {
		char *dir = strchr(c->shares[i], ':');
		char *p;

		*dir++ = 0;
		for (p = dir + 1; (p = strchr(p, '/')); *p++ = '/') {
			*p = 0;
			if (mkdir(dir, 0755) && errno != EEXIST)
				die(dir);
		}
		must_mount(c->shares[i], dir, "9p", 0, p9_options);
	}
}

static void mount_cgroups(void)
{
	static const char * const names[] = { "cpuset", "cpu", "io", "memory", "pids" };
	char have[512] = "", line[64];
	int fd;

	must_mount("cgroup2", "/sys/fs/cgroup", "cgroup2",
		   MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate");
	fd = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, have + 1, sizeof(have) - 2) < 0)
		die("cgroup.controllers");
	close(fd);
	have[0] = ' ';
	have[strcspn(have, "\n")] = ' ';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(line, sizeof(line), " %s ", names[i]);
		if (!strstr(have, line))
			continue;
		snprintf(line, sizeof(line), "+%s", names[i]);
		put("/sys/fs/cgroup/cgroup.subtree_control", line);
	}
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		die("loopback");
	close(fd);
}

/* Enter the root file system of --rootfs, taking the mounts made so far along. */
static void switch_root(struct config *c)
{
	static const char * const move[] = { "/dev", "/proc", "/sys", "/run", "/tmp" };
	static const char * const tools[] = { "checkpoint", "restart", "ckptinfo" };
	char path[256], target[256];

	if (mkdir("/newroot", 0755))
		die("/newroot");
	if (!strcmp(c->root, "disk")) {
		must_mount("/dev/vda", "/newroot", "ext4", 0, NULL);
	} else if (c->root_rw) {
		must_mount(c->root, "/newroot", "9p", 0, p9_options);
	} else {
		must_mount(c->root, "/lower", "9p", MS_RDONLY, p9_options);
		must_mount("upper", "/upper", "tmpfs", 0, NULL);
		if (mkdir("/upper/upper", 0755) || mkdir("/upper/work", 0755))
			die("/upper");
		must_mount("overlay", "/newroot", "overlay", 0,
			   "lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work");
	}
	/* the tools live in /run/tools, a path that no root file system fills */
	must_mount("/selftests", "/newroot/selftests", NULL, MS_BIND, NULL);
	for (size_t i = 0; i < sizeof(move) / sizeof(*move); i++) {
		snprintf(path, sizeof(path), "/newroot%s", move[i]);
		must_mount(move[i], path, NULL, MS_MOVE, NULL);
	}
	if (!c->root_rw) {
		/* for those who reset PATH, such as su -; the image is not changed */
		for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++) {
			snprintf(target, sizeof(target), "/run/tools/%s", tools[i]);
			snprintf(path, sizeof(path), "/tools/%s", tools[i]);
			if (access(path, X_OK))
				continue;
			snprintf(path, sizeof(path), "/newroot/usr/local/bin/%s", tools[i]);
			if (symlink(target, path) && errno != EEXIST && errno != ENOENT)
				die(path);
		}
	}
	if (chdir("/newroot") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		die("switch to the root file system");
}

static void set_limits(void)
{
	struct rlimit nofile = { 1024, 1048576 };
	struct rlimit memlock = { 64 << 20, 64 << 20 };
	struct rlimit core = { 0, RLIM_INFINITY };

	if (setrlimit(RLIMIT_NOFILE, &nofile) ||
	    setrlimit(RLIMIT_MEMLOCK, &memlock) ||
	    setrlimit(RLIMIT_CORE, &core))
		die("setrlimit");
}

static void set_up(struct config *c)
{
	umask(022);
	must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	must_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	must_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);

	control = open_port("vm.control", O_RDWR);
	read_config(c);

	must_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "gid=5,mode=620,ptmxmode=666");
	must_mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	must_mount("mqueue", "/dev/mqueue", "mqueue",
		   MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	must_mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	must_mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	must_mount("/tools", "/run/tools", NULL, MS_BIND, NULL);
	must_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount_cgroups();
	loopback_up();
	if (symlink("/proc/self/fd", "/dev/fd") ||
	    symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") ||
	    symlink("/proc/self/fd/2", "/dev/stderr"))
		die("/dev/fd");
	/* a dump goes nowhere, even if the command raises its limit */
	put("/proc/sys/kernel/core_pattern", "/dev/null");
	put("/proc/sys/kernel/sysrq", "1");
	/* every report is wanted, not just the first dozen */
	if (!access("/proc/sys/kernel/hung_task_warnings", F_OK))
		put("/proc/sys/kernel/hung_task_warnings", "-1");
	if (sethostname("vm", 2))
		die("sethostname");
	if (c->root)
		switch_root(c);
	mount_shares(c);
	set_limits();
}

static void open_terminal(int *master, int *slave, const struct config *c)
{
	struct termios raw;

	if (openpty(master, slave, NULL, NULL, &c->winsize))
		die("openpty");
	if (!c->tty) {
		/* nobody types: bytes go through as they are */
		if (tcgetattr(*slave, &raw))
			die("tcgetattr");
		cfmakeraw(&raw);
		if (tcsetattr(*slave, TCSANOW, &raw))
			die("tcsetattr");
	}
	if (fcntl(*master, F_SETFL, O_RDWR | O_NONBLOCK) ||
	    fcntl(*master, F_SETFD, FD_CLOEXEC) ||
	    fcntl(*slave, F_SETFD, FD_CLOEXEC))
		die("fcntl");
}

static pid_t start(struct config *c, int in, int out, int err)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid)
		return pid;
	setsid();
	if (ioctl(out, TIOCSCTTY, 0))
		die("controlling terminal");
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		die("dup2");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir("/root") && chdir("/"))
		die("chdir");
	/* PATH, of the new environment, decides where the command is */
	environ = c->env;
	execvp(c->argv[0], c->argv);
	dprintf(2, "vm: %s: %s\n", c->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Guest to host. The port takes all, since the host never stops reading. */
static bool pump_out(int from, int to)
{
	static char buf[32768];
	ssize_t n = read(from, buf, sizeof(buf)), done = 0;

	if (n <= 0)
		return false;
	while (done < n) {
		ssize_t w = write(to, buf + done, n - done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			die("write to the host");
		done += w;
	}
	return true;
}

/* Host to guest. Takes no more while the reader has not taken the last lot. */
static void pump_in(struct pump *p, short revents)
{
	ssize_t n;

	if (p->done == p->have) {
		n = read(p->from, p->buf, sizeof(p->buf));
		if (n < 0 && errno == EAGAIN)
			return;
		p->done = 0;
		p->have = n > 0 ? n : 0;
		if (n <= 0) {
			if (revents & POLLHUP) {
				close(p->to);
				p->to = -1;
			}
			return;
		}
	}
	n = write(p->to, p->buf + p->done, p->have - p->done);
	if (n >= 0) {
		p->done += n;
	} else if (errno != EAGAIN && errno != EINTR) {
		close(p->to);	/* nobody reads any more */
		p->to = -1;
	}
}

static void control_message(int master)
{
	char *s = next_string();
	struct winsize ws = {};

	if (s && sscanf(s, "winsize=%hux%hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(master, TIOCSWINSZ, &ws);
	free(s);
}

/* Run the command to its end; returns its exit status as a shell gives it. */
static int run(struct config *c)
{
	int master, slave, err_master = -1, err_slave, in, status = -1;
	int tty_port, err_port = -1, chld;
	static struct pump input = { .from = -1, .to = -1 };
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	chld = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (chld < 0)
		die("signalfd");

	tty_port = open_port("vm.tty", O_RDWR);
	open_terminal(&master, &slave, c);
	err_slave = slave;
	in = slave;
	if (c->tty) {
		input.from = tty_port;
		input.to = master;
	} else {
		err_port = open_port("vm.err", O_RDWR);
		open_terminal(&err_master, &err_slave, c);
		if (c->input) {
			int fds[2];

			if (pipe2(fds, O_CLOEXEC))
				die("pipe");
			in = fds[0];
			input.from = open_port("vm.in", O_RDWR);
			input.to = fds[1];
		} else {
			in = open("/dev/null", O_RDONLY | O_CLOEXEC);
			if (in < 0)
				die("/dev/null");
		}
	}
	if (input.from >= 0 &&
	    (fcntl(input.from, F_SETFL, O_RDWR | O_NONBLOCK) ||
	     fcntl(input.to, F_SETFL, O_WRONLY | O_NONBLOCK)))
		die("fcntl");

	signal(SIGPIPE, SIG_DFL);
	pid = start(c, in, slave, err_slave);
	signal(SIGPIPE, SIG_IGN);
	if (pid < 0)
		die("fork");
	tell("ready");
	if (in != slave)
		close(in);
	/*
	 * The slave sides stay open here, so that output survives a time in
	 * which nobody holds them, such as between a checkpoint and a restart.
	 */
	while (status < 0) {
		bool full = input.done < input.have;
		struct pollfd p[] = {
			{ chld, POLLIN, 0 },
			{ master, POLLIN, 0 },
			{ err_master, POLLIN, 0 },
			{ control, POLLIN, 0 },
			{ input.to < 0 || full ? -1 : input.from, POLLIN, 0 },
			{ full ? input.to : -1, POLLOUT, 0 },
		};
		struct signalfd_siginfo info;
		int s;
		pid_t dead;

		if (poll(p, sizeof(p) / sizeof(*p), -1) < 0 && errno != EINTR)
			die("poll");
		if (p[1].revents)
			pump_out(master, tty_port);
		if (p[2].revents)
			pump_out(err_master, err_port);
		if (p[3].revents & POLLIN)
			control_message(master);
		if (p[4].revents || p[5].revents)
			pump_in(&input, p[4].revents);
		if (!p[0].revents || read(chld, &info, sizeof(info)) < 0)
			continue;
		/* orphans come here to be reaped, too */
		while ((dead = waitpid(-1, &s, WNOHANG)) > 0)
			if (dead == pid)
				status = WIFSIGNALED(s) ? 128 + WTERMSIG(s)
							: WEXITSTATUS(s);
	}
	/* poll() flushes what is still on its way through the terminals */
	for (;;) {
		struct pollfd p[] = { { master, POLLIN, 0 }, { err_master, POLLIN, 0 } };
		bool more = false;

		if (poll(p, 2, 0) <= 0)
			break;
		if (p[0].revents)
			more |= pump_out(master, tty_port);
		if (p[1].revents)
			more |= pump_out(err_master, err_port);
		if (!more)
			break;
	}
	close(slave);
	close(master);
	if (err_master >= 0) {
		close(err_slave);
		close(err_master);
	}
	return status;
}

/* Nothing may survive SIGKILL: what does has been broken by the kernel. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
	for (int ms = 0; ms < 20000; ms += 10) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return;
		nap(10);
	}
	tell("error tasks survive SIGKILL");
	put("/proc/sysrq-trigger", "w");
}

static void check_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	static char buf[65536];
	bool found = false;
	int fd, log;
	ssize_t n;

	if (access(path, F_OK))
		return;		/* a kernel without kmemleak */
	/*
	 * What is younger than five seconds is not looked at, and a block must
	 * look lost in two scans to be reported.
	 */
	nap(5500);
	put(path, "scan");
	put(path, "scan");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || log < 0)
		die(path);
	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
		char *save, *line;

		found = true;
		buf[n] = 0;
		for (line = strtok_r(buf, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			dprintf(log, "<4>kmemleak: %s\n", line);
	}
	if (n < 0)
		die(path);
	close(fd);
	close(log);
	if (found)
		tell("leaks");
}

static long taint_bits(void)
{
	char buf[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		die("tainted");
	close(fd);
	return atol(buf);
}

int main(void)
{
	static struct config c;
	int status;

	/* the serial port stays open all the time, for SysRq needs it to be */
	set_up(&c);
	status = run(&c);
	kill_all();
	if (c.leak_check)
		check_leaks();
	tell("taint %ld", taint_bits());
	sync();
	if (c.root && c.root_rw && mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL))
		die("remount of the root file system");
	tell("exit %d", status);
	power_off();
}
