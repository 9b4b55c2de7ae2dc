// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: open files in /proc and /sys, and namespaces.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static char text[1 << 20];

/* Read all there is, from where it stands. */
static size_t read_all(int fd)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	CHECK_EQ(0, n);
	text[len] = 0;
	return len;
}

static int open_ro(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		subject_fail(__FILE__, __LINE__, "%s: errno %d", path, errno);
	return fd;
}

static off_t tell(int fd)
{
	return lseek(fd, 0, SEEK_CUR);
}

static const char * const names[] = {
	"cmdline", "cpuinfo", "devices", "filesystems", "loadavg", "meminfo",
	"partitions", "stat", "uptime", "version", "vmstat", "interrupts",
};

#define NR	ARRAY_SIZE(names)

/* What tools for the whole machine hold open: not read yet, and read to its end. */
SUBJECT(machine)
{
	static const char * const starts[NR] = {
		[1] = "processor", [5] = "MemTotal:", [7] = "cpu ", [9] = "Linux version",
		[10] = "nr_free_pages",
	};
	int fresh[NR], ended[NR];
	off_t end[NR];
	char path[64];
	unsigned int i;

	for (i = 0; i < NR; i++) {
		snprintf(path, sizeof(path), "/proc/%s", names[i]);
		fresh[i] = open(path, O_RDONLY | O_CLOEXEC);
		ended[i] = open_ro(path);
		CHECK(fresh[i] >= 0);
		end[i] = read_all(ended[i]);
		CHECK_EQ(end[i], tell(ended[i]));
	}
	subject_point();
	for (i = 0; i < NR; i++) {
		CHECK_EQ(FD_CLOEXEC, fcntl(fresh[i], F_GETFD));
		CHECK_EQ(O_RDONLY, fcntl(fresh[i], F_GETFL) & O_ACCMODE);
		CHECK_EQ(0, tell(fresh[i]));
		CHECK(read_all(fresh[i]) > 0 || i == 0 || i == 6);
		if (starts[i])
			CHECK(!strncmp(text, starts[i], strlen(starts[i])));
		/* at its end it stays, even if there would be more by now */
		CHECK_EQ(end[i], tell(ended[i]));
		CHECK_EQ(0, read(ended[i], text, sizeof(text)));
		CHECK_EQ(0, lseek(ended[i], 0, SEEK_SET));
		CHECK(read_all(ended[i]) > 0 || i == 0 || i == 6);
		if (starts[i])
			CHECK(!strncmp(text, starts[i], strlen(starts[i])));
	}
}

static void check_pid(const char *buf, const char *name, pid_t pid)
{
	const char *found = strstr(buf, name);

	CHECK(found);
	CHECK_EQ(pid, atoi(found + strlen(name)));
}

/* A task's own, and its parent's; a thread's by way of "task". */
SUBJECT(tasks)
{
	int status = open_ro("/proc/self/status"), stat_ = open_ro("/proc/self/stat");
	int limits = open_ro("/proc/self/limits"), ended = open_ro("/proc/self/statm");
	int other;
	char path[64];
	off_t end;
	pid_t pid;

	end = read_all(ended);
	CHECK(end > 0);
	pid = fork();
	if (!pid) {
		snprintf(path, sizeof(path), "/proc/%d/status", getppid());
		other = open_ro(path);
		subject_touch("child");
		subject_wait("go");
		CHECK(read_all(other) > 0);
		check_pid(text, "\nPid:\t", getppid());
		/* these are its parent's as well, and were read by nobody else */
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	CHECK(read_all(status) > 0);
	check_pid(text, "\nPid:\t", getpid());
	CHECK(read_all(stat_) > 0);
	CHECK_EQ(getpid(), atoi(text));
	CHECK(read_all(limits) > 0);
	CHECK(strstr(text, "Max open files"));
	CHECK_EQ(end, tell(ended));
	CHECK_EQ(0, read(ended, text, sizeof(text)));
	subject_join(pid);
}

static bool has_entry(int fd, const char *name)
{
	bool found = false;
	struct dirent *entry;
	DIR *dir;

	dir = fdopendir(dup(fd));
	CHECK(dir);
	rewinddir(dir);
	while ((entry = readdir(dir)))
		found |= !strcmp(entry->d_name, name);
	closedir(dir);
	return found;
}

/* Directories, and one that is read on from where it was. */
SUBJECT(directories)
{
	int proc = open_ro("/proc"), self = open_ro("/proc/self");
	int fds = open_ro("/proc/self/fd"), task = open_ro("/proc/self/task");
	int sys = open_ro("/proc/sys/kernel/.."), sysfs = open_ro("/sys/kernel");
	char pid[16], buf[4096], rest[4096];
	int part = open_ro("/proc/self/fdinfo");
	long n, nr_rest;
	off_t pos;

	close(sys);
	snprintf(pid, sizeof(pid), "%d", getpid());
	/* a few of them, then the rest, twice */
	n = syscall(SYS_getdents64, part, buf, 128);
	CHECK(n > 0);
	pos = tell(part);
	CHECK(pos > 0);
	nr_rest = syscall(SYS_getdents64, part, rest, sizeof(rest));
	CHECK(nr_rest > 0);
	CHECK_EQ(pos, lseek(part, pos, SEEK_SET));
	subject_point();
	CHECK_EQ(pos, tell(part));
	n = syscall(SYS_getdents64, part, buf, sizeof(buf));
	CHECK_EQ(nr_rest, n);
	CHECK(has_entry(proc, pid));
	CHECK(has_entry(proc, "meminfo"));
	CHECK(has_entry(self, "status"));
	CHECK(has_entry(task, pid));
	CHECK(has_entry(fds, "0"));
	CHECK(has_entry(sysfs, "mm") || has_entry(sysfs, "security"));
	CHECK_EQ(0, openat(self, "status", O_RDONLY) < 0);
	snprintf(buf, sizeof(buf), "%d", proc);
	CHECK(has_entry(fds, buf));
}

static short changed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* As those who mount, or show what is mounted, hold them open. */
SUBJECT(mounts)
{
	static const char * const lists[] = { "mounts", "mountinfo", "mountstats" };
	int fresh[3], ended[3], i;
	off_t end[3];
	char path[64];

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", lists[i]);
		fresh[i] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fresh[i] >= 0);
		ended[i] = open_ro(path);
		end[i] = read_all(ended[i]);
		CHECK(end[i] > 0);
		CHECK(i == 2 || !changed(ended[i]));
	}
	subject_point();
	for (i = 0; i < 3; i++) {
		CHECK_EQ(FD_CLOEXEC, fcntl(fresh[i], F_GETFD));
		CHECK_EQ(0, tell(fresh[i]));
		CHECK(read_all(fresh[i]) > 0);
		CHECK(strstr(text, "proc"));
		/* at its end it stays, and who waits is told at most once */
		CHECK_EQ(end[i], tell(ended[i]));
		CHECK_EQ(0, read(ended[i], text, sizeof(text)));
		if (i < 2) {
			changed(ended[i]);
			CHECK_EQ(0, changed(ended[i]));
		}
		CHECK_EQ(0, lseek(ended[i], 0, SEEK_SET));
		CHECK(read_all(ended[i]) > 0);
		CHECK(strstr(text, "proc"));
	}
}

#define THP	"/sys/kernel/mm/transparent_hugepage/enabled"

/* A file of the cgroup that the subject is in. */
static const char *cgroup_file(const char *name)
{
	static char path[512];
	char buf[256], *own;

	CHECK(ckpt_slurp("/proc/self/cgroup", buf, sizeof(buf)) > 0);
	own = strstr(buf, "0::");
	CHECK(own);
	own[strcspn(own, "\n")] = 0;
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", own + 3, name);
	return path;
}

/* Read again and again, from the beginning without a seek, or to the end. */
SUBJECT(attributes)
{
	char want[256], is[256];
	int fds[2][3], i;
	off_t end[2];
	ssize_t n;

	for (i = 0; i < 3; i++) {
		fds[0][i] = open_ro(THP);
		fds[1][i] = open_ro(cgroup_file("cgroup.events"));
	}
	n = pread(fds[0][1], want, sizeof(want), 0);
	CHECK(n > 0);
	CHECK(pread(fds[1][1], is, sizeof(is), 0) > 0);
	for (i = 0; i < 2; i++) {
		end[i] = read_all(fds[i][2]);
		CHECK(end[i] > 0);
	}
	subject_point();
	CHECK_EQ(n, pread(fds[0][1], is, sizeof(is), 0));
	CHECK_MEM(want, is, n);
	CHECK_EQ(n, read_all(fds[0][0]));
	CHECK_MEM(want, text, n);
	CHECK(read_all(fds[1][0]) > 0);
	CHECK(strstr(text, "populated "));
	CHECK_EQ(0, tell(fds[1][1]));
	CHECK(read_all(fds[1][1]) > 0);
	CHECK(strstr(text, "populated "));
	for (i = 0; i < 2; i++) {
		CHECK_EQ(O_RDONLY, fcntl(fds[i][2], F_GETFL) & O_ACCMODE);
		CHECK_EQ(end[i], tell(fds[i][2]));
		CHECK_EQ(0, read(fds[i][2], text, sizeof(text)));
		CHECK_EQ(0, lseek(fds[i][2], 0, SEEK_SET));
		CHECK(read_all(fds[i][2]) > 0);
	}
	CHECK(strstr(text, "populated "));
}

static const struct {
	const char *name;
	int type;
} spaces[] = {
	{ "mnt", CLONE_NEWNS }, { "uts", CLONE_NEWUTS }, { "ipc", CLONE_NEWIPC },
	{ "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET }, { "user", CLONE_NEWUSER },
	{ "cgroup", CLONE_NEWCGROUP },
};

SUBJECT(namespaces)
{
	unsigned int i;
	int fds[ARRAY_SIZE(spaces)];
	struct stat want, is;
	char path[64];

	for (i = 0; i < ARRAY_SIZE(spaces); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i].name);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fds[i] >= 0);
	}
	subject_point();
	for (i = 0; i < ARRAY_SIZE(spaces); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i].name);
		CHECK_EQ(0, stat(path, &want));
		CHECK_EQ(0, fstat(fds[i], &is));
		CHECK_EQ(want.st_ino, is.st_ino);
		CHECK_EQ(want.st_dev, is.st_dev);
		CHECK_EQ(spaces[i].type, ioctl(fds[i], NS_GET_NSTYPE));
		CHECK_EQ(O_RDONLY, fcntl(fds[i], F_GETFL) & O_ACCMODE);
		CHECK_EQ(FD_CLOEXEC, fcntl(fds[i], F_GETFD));
	}
}

CKPT_FIXTURE_HOW(procfiles);
CKPT_VARIANTS(procfiles);

CKPT_ROUNDTRIP(procfiles, machine);
CKPT_ROUNDTRIP(procfiles, tasks);
CKPT_ROUNDTRIP(procfiles, directories);
CKPT_ROUNDTRIP(procfiles, mounts);
CKPT_ROUNDTRIP(procfiles, attributes);
CKPT_ROUNDTRIP(procfiles, namespaces);

/* ---- refused ---- */

#define REFUSED_SUBJECT(name, make)					\
	SUBJECT(name)							\
	{								\
		int fd = make;						\
									\
		CHECK(fd >= 0);						\
		CHECK_EQ(5, dup2(fd, 5));				\
		close(fd);						\
		subject_point();					\
		CHECK_EQ(0, fcntl(5, F_GETFD));				\
	}

static int open_part(const char *path)
{
	int fd = open_ro(path);
	char c;

	CHECK_EQ(1, read(fd, &c, 1));
	return fd;
}

static int other_namespace(void)
{
	int was = open_ro("/proc/self/ns/uts"), fd;

	CHECK_EQ(0, unshare(CLONE_NEWUTS));
	fd = open_ro("/proc/self/ns/uts");
	CHECK_EQ(0, setns(was, CLONE_NEWUTS));
	close(was);
	return fd;
}

/* Of below another root directory. */
static int other_mounts(void)
{
	int was = open_ro("/"), fd;

	CHECK_EQ(0, chroot("/proc"));
	fd = open_ro("/self/mountinfo");
	CHECK_EQ(0, fchdir(was));
	CHECK_EQ(0, chroot("."));
	close(was);
	return fd;
}

REFUSED_SUBJECT(in_part, open_part("/proc/meminfo"))
REFUSED_SUBJECT(mounts_in_part, open_part("/proc/self/mountinfo"))
REFUSED_SUBJECT(other_mounts, other_mounts())
REFUSED_SUBJECT(memory, open("/proc/self/maps", O_RDONLY))
REFUSED_SUBJECT(unknown, open("/proc/kmsg", O_RDONLY | O_NONBLOCK))
REFUSED_SUBJECT(sysctl, open("/proc/sys/kernel/pid_max", O_RDONLY))
REFUSED_SUBJECT(attribute, open(THP, O_RDWR))
REFUSED_SUBJECT(attribute_part, open_part(THP))
REFUSED_SUBJECT(attribute_binary, open("/sys/kernel/notes", O_RDONLY))
REFUSED_SUBJECT(attribute_tasks, open_part(cgroup_file("cgroup.procs")))
REFUSED_SUBJECT(other_task, open("/proc/1/status", O_RDONLY))
REFUSED_SUBJECT(namespace, other_namespace())

CKPT_FIXTURE(refused);

#define REFUSED(name, words)						\
	TEST_F_TIMEOUT(refused, name, CKPT_TIMEOUT)			\
	{								\
		ASSERT_EQ(0, ckpt_refused(#name, words, "fd 5"));	\
	}

REFUSED(in_part, "read in part")
REFUSED(mounts_in_part, "read in part")
REFUSED(other_mounts, "another mount namespace or root directory")
REFUSED(memory, "is not supported")
REFUSED(unknown, "not among the supported files of /proc")
REFUSED(sysctl, "is not supported")
REFUSED(attribute, "is an attribute that is open for writing")
REFUSED(attribute_part, "is an attribute that was read in part")
REFUSED(attribute_binary, "is more than an attribute")
REFUSED(attribute_tasks, "is more than an attribute")
REFUSED(other_task, "a task outside of the target")
REFUSED(namespace, "not the caller's")

CKPT_TEST_MAIN
