// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: regular files, directories, simple devices, descriptor
 * tables, where names begin, and locks.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

static int make_file(const char *name, const char *text)
{
	int fd = subject_open(name, O_CREAT | O_TRUNC | O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(strlen(text), write(fd, text, strlen(text)));
	return fd;
}

static void expect_at(int fd, off_t pos, const char *want)
{
	char buf[256];
	size_t len = strlen(want);

	CHECK_EQ(len, pread(fd, buf, len, pos));
	CHECK_MEM(want, buf, len);
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	CHECK_EQ(0, fstat(a, &sa));
	CHECK_EQ(0, fstat(b, &sb));
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

SUBJECT(regular)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND,
		O_RDWR | O_NONBLOCK, O_WRONLY | O_SYNC, O_RDONLY | O_NOATIME,
		O_RDWR | O_DSYNC, O_RDONLY | O_DIRECT, O_RDWR | O_DIRECT | O_SYNC,
	};
	enum { N = ARRAY_SIZE(flags) };
	struct stat was[N], is;
	int fds[N], fl[N], i, byname;
	char c;

	close(make_file("f/regular", "0123456789abcdefghijklmnopqrstuvwxyz"));
	for (i = 0; i < N; i++) {
		fds[i] = subject_open("f/regular", flags[i]);
		CHECK(fds[i] >= 0);
		CHECK_EQ(i + 3, lseek(fds[i], i + 3, SEEK_SET));
		if (i & 1)
			CHECK_EQ(0, fcntl(fds[i], F_SETFD, FD_CLOEXEC));
		fl[i] = fcntl(fds[i], F_GETFL);
		CHECK_EQ(0, fstat(fds[i], &was[i]));
	}

	subject_point();

	byname = subject_open("f/regular", O_RDONLY);
	for (i = 0; i < N; i++) {
		CHECK_EQ(fl[i], fcntl(fds[i], F_GETFL));
		CHECK_EQ(i & 1 ? FD_CLOEXEC : 0, fcntl(fds[i], F_GETFD));
		CHECK_EQ(i + 3, lseek(fds[i], 0, SEEK_CUR));
		CHECK(same_file(fds[i], byname));
		CHECK_EQ(0, fstat(fds[i], &is));
		CHECK_EQ(was[i].st_size, is.st_size);
		CHECK_EQ(was[i].st_mode, is.st_mode);
		CHECK_EQ(was[i].st_mtim.tv_sec, is.st_mtim.tv_sec);
		CHECK_EQ(was[i].st_mtim.tv_nsec, is.st_mtim.tv_nsec);
	}
	/* rights are as they were */
	CHECK_EQ(-1, write(fds[0], "x", 1));
	CHECK_EQ(EBADF, errno);
	CHECK_EQ(-1, read(fds[1], &c, 1));
	CHECK_EQ(EBADF, errno);
	CHECK_EQ(1, read(fds[0], &c, 1));
	CHECK_EQ('3', c);
	/* this one writes at the end, wherever it is */
	CHECK_EQ(3, write(fds[3], "END", 3));
	expect_at(byname, 36, "END");
	CHECK_EQ(2, write(fds[2], "##", 2));
	expect_at(byname, 0, "01234##789");
}

/* Who shares a position with whom. */
SUBJECT(shared_positions)
{
	int a, dup_a, b, child_fd, fds[2];
	pid_t pid;
	char c;

	a = make_file("f/shared", "abcdefghijklmnopqrstuvwxyz");
	CHECK_EQ(0, lseek(a, 0, SEEK_SET));
	dup_a = fcntl(a, F_DUPFD_CLOEXEC, 50);
	CHECK_EQ(50, dup_a);
	b = subject_open("f/shared", O_RDONLY);
	CHECK_EQ(1, read(a, &c, 1));
	CHECK_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		child_fd = dup(a);
		CHECK_EQ(1, read(fds[0], &c, 1));
		CHECK_EQ(1, read(child_fd, &c, 1));
		CHECK_EQ('c', c);
		_exit(0);
	}

	subject_point();

	CHECK_EQ(1, lseek(dup_a, 0, SEEK_CUR));
	CHECK_EQ(0, lseek(b, 0, SEEK_CUR));
	CHECK_EQ(FD_CLOEXEC, fcntl(dup_a, F_GETFD));
	CHECK_EQ(0, fcntl(a, F_GETFD));
	CHECK_EQ(1, read(dup_a, &c, 1));
	CHECK_EQ('b', c);
	CHECK_EQ(2, lseek(a, 0, SEEK_CUR));
	CHECK_EQ(1, write(fds[1], "x", 1));
	subject_join(pid);
	/* the child has moved it for us */
	CHECK_EQ(3, lseek(a, 0, SEEK_CUR));
	CHECK_EQ(0, lseek(b, 0, SEEK_CUR));
	CHECK_EQ(1, read(b, &c, 1));
	CHECK_EQ('a', c);
}

/* Descriptors of many numbers, and none of the others. */
SUBJECT(numbers)
{
	static const int numbers[] = { 3, 4, 7, 63, 64, 65, 255, 256, 1000 };
	unsigned int i, k;
	int fd, n;

	fd = make_file("f/numbers", "numbers");
	n = fcntl(fd, F_DUPFD, 500);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		CHECK_EQ(numbers[i], dup2(n, numbers[i]));
	close(n);

	subject_point();

	for (fd = 3, k = 0; fd < 1024; fd++) {
		if (k < ARRAY_SIZE(numbers) && fd == numbers[k]) {
			expect_at(fd, 0, "numbers");
			k++;
		} else {
			CHECK_EQ(-1, fcntl(fd, F_GETFD));
			CHECK_EQ(EBADF, errno);
		}
	}
	/* the lowest free one is next */
	CHECK_EQ(5, dup(3));
	CHECK_EQ(6, dup(3));
	CHECK_EQ(8, dup(3));
}

/* A table shared by threads, and by processes. */
static int shared_table_fn(void *arg)
{
	int fd = *(int *)arg;

	subject_touch("sharing");
	while (fcntl(fd, F_GETFD) < 0)
		ckpt_sleep_ms(1);
	expect_at(fd, 0, "opened later");
	close(fd);
	_exit(0);
}

SUBJECT(shared_table)
{
	static alignas(16) char stack[65536];
	int fd = 77, file;
	pid_t pid;

	pid = clone(shared_table_fn, stack + sizeof(stack),
		    CLONE_FILES | CLONE_FS | SIGCHLD, &fd);
	CHECK(pid > 0);
	subject_wait("sharing");

	subject_point();

	CHECK_EQ(0, chdir(subject_dir));
	file = make_file("f/later", "opened later");
	CHECK_EQ(fd, dup2(file, fd));
	close(file);
	subject_join(pid);
	CHECK_EQ(-1, fcntl(fd, F_GETFD));
}

/* cwd and umask shared by two processes, apart in a third. */
struct phase {
	atomic_int nr;
};

static struct phase *phase;

static int shared_fs_fn(void *arg)
{
	char cwd[PATH_MAX];
	mode_t mask = (intptr_t)arg;

	CHECK_EQ(0, chdir(mask ? "/proc" : subject_dir));
	umask(mask);
	phase->nr++;
	while (phase->nr < 10)
		ckpt_sleep_ms(1);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, mask ? "/proc" : "/tmp"));
	CHECK_EQ(mask ?: 0123, umask(0));
	_exit(0);
}

SUBJECT(fs)
{
	static alignas(16) char stacks[2][65536];
	char cwd[PATH_MAX];
	pid_t a, b;

	phase = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	a = clone(shared_fs_fn, stacks[0] + 65536, CLONE_FS | SIGCHLD, NULL);
	while (phase->nr < 1)
		ckpt_sleep_ms(1);
	b = clone(shared_fs_fn, stacks[1] + 65536, SIGCHLD, (void *)0077);
	while (phase->nr < 2)
		ckpt_sleep_ms(1);
	umask(027);

	subject_point();

	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, subject_dir));
	CHECK_EQ(027, umask(0123));
	CHECK_EQ(0, chdir("/tmp"));
	phase->nr = 10;
	subject_join(a);
	subject_join(b);
}

SUBJECT(cwd)
{
	char cwd[PATH_MAX];
	mode_t mask = 0;
	struct stat st;

	CHECK_EQ(0, mkdir(subject_path("f/sub dir"), 0755));
	CHECK_EQ(0, chdir(subject_path("f/sub dir")));
	umask(0156);
	subject_point();
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, subject_path("f/sub dir")));
	mask = umask(0);
	CHECK_EQ(0156, mask);
	umask(mask);
	close(open("relative", O_CREAT | O_WRONLY, 0777));
	CHECK_EQ(0, stat(subject_path("f/sub dir/relative"), &st));
	CHECK_EQ(0777 & ~0156, st.st_mode & 07777);
	CHECK_EQ(0, unlink("relative"));
}

/* What a task sees of its root and working directories. */
struct view {
	struct stat root, above, cwd;
	char cwd_name[PATH_MAX];
	char in_root[16];
	char in_cwd[16];
};

struct views {
	atomic_int phase;
	struct view of[2];
};

static void look(struct view *v)
{
	memset(v, 0, sizeof(*v));
	stat("/", &v->root);
	stat("/..", &v->above);
	stat(".", &v->cwd);
	/* the C library does not like what is out of reach */
	syscall(SYS_getcwd, v->cwd_name, sizeof(v->cwd_name));
	ckpt_slurp("/mark", v->in_root, sizeof(v->in_root));
	ckpt_slurp("mark", v->in_cwd, sizeof(v->in_cwd));
}

/* It cannot say itself what is wrong, as it does not reach our files. */
static void check_view(const struct view *v, pid_t pid, const char *dir,
		       const char *cwd_name, const char *in_cwd)
{
	char path[64], link[PATH_MAX], cwd[PATH_MAX];
	struct stat st;

	snprintf(cwd, sizeof(cwd), "%s", subject_path(dir));
	CHECK_EQ(0, stat(subject_path("f/jail"), &st));
	CHECK_EQ(st.st_dev, v->root.st_dev);
	CHECK_EQ(st.st_ino, v->root.st_ino);
	CHECK_EQ(st.st_ino, v->above.st_ino);
	CHECK_EQ(0, stat(cwd, &st));
	CHECK_EQ(st.st_dev, v->cwd.st_dev);
	CHECK_EQ(st.st_ino, v->cwd.st_ino);
	CHECK(!strcmp(cwd_name, v->cwd_name));
	CHECK(!strcmp("jail", v->in_root));
	CHECK(!strcmp(in_cwd, v->in_cwd));
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	memset(link, 0, sizeof(link));
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(subject_path("f/jail"), link));
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	memset(link, 0, sizeof(link));
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(cwd, link));
}

/*
 * Two tasks have another root directory than we have. One has its working
 * directory in it, and a file open; the other has left it outside.
 */
SUBJECT(chroot)
{
	struct views *views = mmap(NULL, sizeof(*views), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char unreachable[PATH_MAX + 16];
	int fd, i, round;
	pid_t pids[2];

	CHECK(views != MAP_FAILED);
	CHECK_EQ(0, mkdir(subject_path("f/jail"), 0755));
	CHECK_EQ(0, mkdir(subject_path("f/jail/sub"), 0755));
	close(make_file("f/mark", "outside"));
	close(make_file("f/jail/mark", "jail"));
	close(make_file("f/jail/sub/mark", "sub"));
	snprintf(unreachable, sizeof(unreachable), "(unreachable)%s", subject_path("f"));
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i])
			continue;
		CHECK_EQ(0, chdir(subject_path(i ? "f" : "f/jail/sub")));
		CHECK_EQ(0, chroot(subject_path("f/jail")));
		fd = open("/sub/mark", O_RDONLY);
		CHECK(fd >= 0);
		look(&views->of[i]);
		views->phase++;
		while (views->phase < 10)
			ckpt_sleep_ms(1);
		look(&views->of[i]);
		expect_at(fd, 0, "sub");
		views->phase++;
		while (views->phase < 20)
			ckpt_sleep_ms(1);
		_exit(0);
	}
	while (views->phase < 2)
		ckpt_sleep_ms(1);

	for (round = 0; round < 2; round++) {
		check_view(&views->of[0], pids[0], "f/jail/sub", "/sub", "sub");
		check_view(&views->of[1], pids[1], "f", unreachable, "outside");
		if (round)
			break;
		subject_point();
		memset(views->of, 0, sizeof(views->of));
		views->phase = 10;
		/* unless one of them is dead */
		for (i = 0; i < 10000 && views->phase < 12; i++)
			ckpt_sleep_ms(3);
	}
	views->phase = 20;
	for (i = 0; i < 2; i++)
		subject_join(pids[i]);
}

static void check_name(const char *link, const char *want)
{
	char name[PATH_MAX] = "";

	CHECK(readlink(link, name, sizeof(name) - 1) > 0);
	if (strcmp(name, want))
		subject_fail(__FILE__, __LINE__, "%s is %s, not %s", link, name, want);
}

static void check_fd_name(int fd, const char *want)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	check_name(link, want);
}

/*
 * The file has another name than when it was opened, and that name is now the
 * one of another file; so has a directory, with what is in it.
 */
SUBJECT(renamed)
{
	int rw, ro, other, dir, in_dir, fd;
	static char maps[1 << 16];
	char *map, *own, *map_in;

	rw = make_file("f/before", "a file that is renamed");
	CHECK_EQ(0, ftruncate(rw, 8192));
	CHECK_EQ(7, lseek(rw, 7, SEEK_SET));
	ro = subject_open("f/before", O_RDONLY);
	CHECK_EQ(2, lseek(ro, 2, SEEK_SET));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0);
	own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, rw, 0);
	CHECK(map != MAP_FAILED && own != MAP_FAILED);
	memcpy(own + 4096, "mine", 4);
	CHECK_EQ(0, mkdir(subject_path("f/dir"), 0755));
	in_dir = make_file("f/dir/file", "in a directory");
	map_in = mmap(NULL, 4096, PROT_READ, MAP_SHARED, in_dir, 0);
	CHECK(map_in != MAP_FAILED);
	dir = subject_open("f/dir", O_RDONLY | O_DIRECTORY);
	CHECK(ro >= 0 && dir >= 0);
	CHECK_EQ(0, chdir(subject_path("f/dir")));
	CHECK_EQ(0, rename(subject_path("f/before"), subject_path("f/after")));
	CHECK_EQ(0, rename(subject_path("f/dir"), subject_path("f/moved")));
	other = make_file("f/before", "another file with that name");

	subject_point();

	check_fd_name(rw, subject_path("f/after"));
	check_fd_name(ro, subject_path("f/after"));
	check_fd_name(other, subject_path("f/before"));
	check_fd_name(dir, subject_path("f/moved"));
	check_fd_name(in_dir, subject_path("f/moved/file"));
	check_name("/proc/self/cwd", subject_path("f/moved"));
	CHECK(ckpt_slurp("/proc/self/maps", maps, sizeof(maps)) > 0);
	CHECK(strstr(maps, subject_path("f/after\n")));
	CHECK(strstr(maps, subject_path("f/moved/file\n")));
	CHECK_EQ(-1, access(subject_path("f/dir"), F_OK));
	CHECK_EQ(ENOENT, errno);
	CHECK(same_file(rw, ro));
	CHECK(!same_file(rw, other));
	fd = subject_open("f/after", O_RDONLY);
	CHECK(same_file(rw, fd));
	fd = openat(dir, "file", O_RDONLY);
	CHECK(same_file(in_dir, fd));
	CHECK_EQ(7, lseek(rw, 0, SEEK_CUR));
	CHECK_EQ(2, lseek(ro, 0, SEEK_CUR));
	CHECK_EQ(14, lseek(in_dir, 0, SEEK_CUR));
	CHECK_EQ(8192, lseek(ro, 0, SEEK_END));
	expect_at(ro, 0, "a file that is renamed");
	expect_at(other, 0, "another file with that name");
	expect_at(in_dir, 0, "in a directory");
	CHECK_MEM("in a directory", map_in, 14);
	CHECK_MEM("a file that is renamed", map, 22);
	CHECK_MEM("mine", own + 4096, 4);
	/* mappings and descriptors are of one file */
	CHECK_EQ(4, pwrite(rw, "both", 4, 100));
	CHECK_MEM("both", map + 100, 4);
	CHECK_MEM("both", own + 100, 4);
	memcpy(map + 200, "ways", 4);
	expect_at(ro, 200, "ways");
	CHECK_EQ(0, map[4096]);
}

/* An open directory goes on where it was. */
SUBJECT(directory)
{
	char name[64], seen[64] = "";
	struct dirent *entry;
	int i, nr = 0, fd;
	long pos;
	DIR *dir;

	CHECK_EQ(0, mkdir(subject_path("f/dir"), 0755));
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f/dir/%d", i);
		close(make_file(name, ""));
	}
	dir = opendir(subject_path("f/dir"));
	CHECK(dir);
	fd = open(subject_path("f"), O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	/* "." and ".." and a few */
	for (i = 0; i < 20; i++) {
		entry = readdir(dir);
		CHECK(entry);
		if (entry->d_name[0] != '.') {
			seen[atoi(entry->d_name)] = 1;
			nr++;
		}
	}
	pos = telldir(dir);
	/* what has been read ahead does not count */
	seekdir(dir, pos);

	subject_point();

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK(!seen[atoi(entry->d_name)]);
		seen[atoi(entry->d_name)] = 1;
		nr++;
	}
	CHECK_EQ(40, nr);
	closedir(dir);
	/* a directory is somewhere to start from */
	fd = openat(fd, "dir/39", O_RDONLY);
	CHECK(fd >= 0);
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f/dir/%d", i);
		CHECK_EQ(0, unlink(subject_path(name)));
	}
	CHECK_EQ(0, rmdir(subject_path("f/dir")));
	/* as before, should we be run again */
	CHECK_EQ(0, mkdir(subject_path("f/dir"), 0755));
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f/dir/%d", i);
		close(make_file(name, ""));
	}
}

/* ---- deleted ---- */

SUBJECT(deleted)
{
	struct stat was, is;
	int rw, ro, dup_rw;
	static char zeros[8192], buf[8192];

	rw = make_file("f/deleted", "contents of a deleted file");
	ro = subject_open("f/deleted", O_RDONLY);
	dup_rw = dup(rw);
	/* with a hole, and something far behind it */
	CHECK_EQ(3, pwrite(rw, "far", 3, 1 << 20));
	CHECK_EQ(0, ftruncate(rw, (1 << 20) + 5000));
	CHECK_EQ(0, fchmod(rw, 0640));
	CHECK_EQ(0, unlink(subject_path("f/deleted")));
	CHECK_EQ(9, lseek(rw, 9, SEEK_SET));
	CHECK_EQ(2, lseek(ro, 2, SEEK_SET));
	CHECK_EQ(0, fstat(rw, &was));

	subject_point();

	CHECK_EQ(0, fstat(rw, &is));
	CHECK_EQ(was.st_size, is.st_size);
	CHECK_EQ(was.st_mode, is.st_mode);
	CHECK_EQ(0, is.st_nlink);
	CHECK(same_file(rw, ro));
	CHECK(same_file(rw, dup_rw));
	CHECK_EQ(9, lseek(rw, 0, SEEK_CUR));
	CHECK_EQ(9, lseek(dup_rw, 0, SEEK_CUR));
	CHECK_EQ(2, lseek(ro, 0, SEEK_CUR));
	CHECK_EQ(O_RDONLY, fcntl(ro, F_GETFL) & O_ACCMODE);
	expect_at(ro, 0, "contents of a deleted file");
	expect_at(ro, 1 << 20, "far");
	CHECK_EQ(8192, pread(ro, buf, 8192, 65536));
	CHECK_MEM(zeros, buf, 8192);
	/* holes are holes */
	CHECK(is.st_blocks <= was.st_blocks + 16);
	/* one file it is */
	CHECK_EQ(4, pwrite(rw, "back", 4, 0));
	expect_at(ro, 0, "backents");
	CHECK_EQ(-1, write(ro, "x", 1));
	/* and nothing with its name has come back */
	CHECK_EQ(-1, access(subject_path("f/deleted"), F_OK));
}

/*
 * The name by which it was opened is no more, but it has another one; or it had
 * none when it was opened.
 */
SUBJECT(hard_link)
{
	int linked, made, named, i;
	struct stat was[2], is;
	char path[64], *map;

	linked = make_file("f/first", "linked to by two names");
	CHECK_EQ(0, link(subject_path("f/first"), subject_path("f/second")));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, linked, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(0, unlink(subject_path("f/first")));

	made = subject_open("f", O_TMPFILE | O_RDWR);
	CHECK(made >= 0);
	CHECK_EQ(5, write(made, "made.", 5));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", made);
	CHECK_EQ(0, linkat(AT_FDCWD, path, AT_FDCWD, subject_path("f/named"),
			   AT_SYMLINK_FOLLOW));
	CHECK_EQ(0, fstat(linked, &was[0]));
	CHECK_EQ(0, fstat(made, &was[1]));

	subject_point();

	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, fstat(i ? made : linked, &is));
		CHECK_EQ(1, is.st_nlink);
		CHECK_EQ(was[i].st_ino, is.st_ino);
		CHECK_EQ(was[i].st_dev, is.st_dev);
		CHECK_EQ(was[i].st_size, is.st_size);
		named = subject_open(i ? "f/named" : "f/second", O_RDWR);
		CHECK(same_file(i ? made : linked, named));
		CHECK_EQ(i ? 5 : 22, lseek(i ? made : linked, 0, SEEK_CUR));
		expect_at(i ? made : linked, 0, i ? "made." : "linked to by two names");
		close(named);
	}
	/* what is mapped is that file, too */
	memcpy(map, "LINKED", 6);
	expect_at(linked, 0, "LINKED to by");
	CHECK_EQ(-1, access(subject_path("f/first"), F_OK));
}

/* Deleted, and another one has its name now. */
SUBJECT(replaced)
{
	int old, new;

	old = make_file("f/replaced", "the old one");
	CHECK_EQ(0, unlink(subject_path("f/replaced")));
	new = make_file("f/replaced", "the new one!");
	subject_point();
	expect_at(old, 0, "the old one");
	expect_at(new, 0, "the new one!");
	CHECK(!same_file(old, new));
}

/*
 * A directory that was deleted is the working directory of two tasks, and open.
 * One is in it that was deleted before, and so was a file.
 */
SUBJECT(deleted_dir)
{
	int dir, sub, file, plain;
	struct stat st[4], is;
	char want[PATH_MAX + 16], link[PATH_MAX];
	pid_t pid;

	CHECK(!mkdir(subject_path("dir"), 0755) || errno == EEXIST);
	CHECK_EQ(0, mkdir(subject_path("dir/gone"), 0755));
	CHECK_EQ(0, mkdir(subject_path("dir/gone/sub"), 0755));
	CHECK_EQ(0, chdir(subject_path("dir/gone")));
	CHECK_EQ(0, chmod(".", 0751));
	CHECK_EQ(0, chown("sub", 12, 34));
	CHECK_EQ(0, chmod("sub", 01700));
	dir = open(".", O_RDONLY | O_DIRECTORY);
	sub = open("sub", O_RDONLY);
	file = make_file("dir/gone/sub/file", "text");
	plain = make_file("dir/gone/plain", "plain");
	CHECK(dir >= 0 && sub >= 0);
	CHECK_EQ(0, unlink("sub/file"));
	CHECK_EQ(0, unlink("plain"));
	CHECK_EQ(0, rmdir("sub"));
	CHECK_EQ(0, rmdir(subject_path("dir/gone")));
	pid = fork();
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		CHECK_EQ(0, fstat(dir, &st[0]));
		CHECK_EQ(0, stat(".", &is));
		CHECK_EQ(st[0].st_ino, is.st_ino);
		_exit(0);
	}
	subject_wait("child");

	subject_point();

	CHECK_EQ(0, fstat(dir, &st[0]));
	CHECK_EQ(0, fstat(sub, &st[1]));
	CHECK_EQ(0, fstat(file, &st[2]));
	CHECK_EQ(0, stat(".", &is));
	CHECK_EQ(st[0].st_ino, is.st_ino);
	CHECK_EQ(st[0].st_dev, is.st_dev);
	CHECK_EQ(S_IFDIR | 0751, st[0].st_mode);
	CHECK_EQ(0, st[0].st_uid);
	CHECK_EQ(0, st[0].st_nlink);
	CHECK_EQ(S_IFDIR | 01700, st[1].st_mode);
	CHECK_EQ(12, st[1].st_uid);
	CHECK_EQ(34, st[1].st_gid);
	CHECK_EQ(0, st[2].st_nlink);
	CHECK_EQ(O_RDONLY | O_DIRECTORY, fcntl(dir, F_GETFL) & (O_ACCMODE | O_DIRECTORY));
	CHECK_EQ(0, fcntl(sub, F_GETFL) & O_DIRECTORY);
	expect_at(file, 0, "text");
	expect_at(plain, 0, "plain");
	/* nothing can be made in there, or is to be found */
	CHECK_EQ(-1, open("new", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(ENOENT, errno);
	CHECK_EQ(-1, openat(sub, "new", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(ENOENT, errno);
	CHECK_EQ(-1, access(subject_path("dir/gone"), F_OK));
	CHECK_EQ(0, rmdir(subject_path("dir")));
	CHECK_EQ(0, mkdir(subject_path("dir"), 0755));
	memset(link, 0, sizeof(link));
	CHECK(readlink("/proc/self/cwd", link, sizeof(link) - 1) > 0);
	snprintf(want, sizeof(want), "%s (deleted)", subject_path("dir/gone"));
	CHECK(!strcmp(want, link));
	/* and there is a way out */
	CHECK_EQ(0, chdir(".."));
	CHECK_EQ(0, stat(".", &is));
	CHECK_EQ(0, chdir("/"));
	subject_join(pid);
}

/* Another one has its name now. */
SUBJECT(replaced_dir)
{
	struct stat old, new;

	CHECK(!mkdir(subject_path("dir"), 0755) || errno == EEXIST);
	CHECK_EQ(0, chdir(subject_path("dir")));
	CHECK_EQ(0, rmdir(subject_path("dir")));
	CHECK_EQ(0, mkdir(subject_path("dir"), 0700));
	subject_point();
	CHECK_EQ(0, stat(".", &old));
	CHECK_EQ(0, stat(subject_path("dir"), &new));
	CHECK(old.st_ino != new.st_ino);
	CHECK_EQ(0, old.st_nlink);
	CHECK_EQ(S_IFDIR | 0755, old.st_mode);
	CHECK_EQ(S_IFDIR | 0700, new.st_mode);
}

/* A deleted file of two tasks, one of which has it mapped. */
SUBJECT(deleted_shared)
{
	int fd = make_file("f/gone", "shared by two");
	pid_t pid;
	char *map;

	CHECK_EQ(0, ftruncate(fd, 8192));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(0, unlink(subject_path("f/gone")));
	pid = fork();
	if (!pid) {
		while (READ_ONCE(map[5000]) != 'g')
			ckpt_sleep_ms(1);
		CHECK_EQ(4, pwrite(fd, "done", 4, 6000));
		_exit(0);
	}
	subject_point();
	CHECK_MEM("shared by two", map, 13);
	CHECK_EQ(1, pwrite(fd, "g", 1, 5000));
	subject_join(pid);
	CHECK_MEM("done", map + 6000, 4);
}

/* ---- O_PATH: nothing but a name ---- */

SUBJECT(o_path)
{
	static const int flags[] = {
		O_PATH, O_PATH | O_CLOEXEC, O_PATH | O_NOFOLLOW,
	};
	int file[3], dir, plain, fd, i;
	char c, path[64];

	plain = make_file("f/o_path", "by name only");
	CHECK_EQ(0, fchmod(plain, 0600));
	close(plain);
	for (i = 0; i < 3; i++) {
		file[i] = subject_open("f/o_path", flags[i]);
		CHECK(file[i] >= 0);
	}
	dir = subject_open("f", O_PATH | O_DIRECTORY);
	CHECK(dir >= 0);
	/* one that two descriptors share */
	fd = dup(file[0]);

	subject_point();

	plain = openat(dir, "o_path", O_RDONLY);
	CHECK(plain >= 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(flags[i] & ~O_CLOEXEC,
			 fcntl(file[i], F_GETFL) & ~0100000 /* O_LARGEFILE */);
		CHECK_EQ(flags[i] & O_CLOEXEC ? FD_CLOEXEC : 0, fcntl(file[i], F_GETFD));
		CHECK_EQ(-1, read(file[i], &c, 1));
		CHECK_EQ(EBADF, errno);
		CHECK(same_file(plain, file[i]));
	}
	CHECK(same_file(plain, fd));
	CHECK_EQ(-1, lseek(dir, 0, SEEK_CUR));
	CHECK(fcntl(dir, F_GETFL) & O_PATH);
	CHECK(fcntl(dir, F_GETFL) & O_DIRECTORY);
	CHECK_EQ(0, syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, file[0], fd));
	/* what it is good for */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file[0]);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	expect_at(fd, 0, "by name only");
}

/* ---- O_TMPFILE: may get a name, or must not ---- */

SUBJECT(tmpfile)
{
	struct stat was[2], is;
	int fd[2], i;
	char path[64];

	for (i = 0; i < 2; i++) {
		fd[i] = subject_open("f", O_TMPFILE | O_RDWR | (i ? O_EXCL : 0));
		CHECK(fd[i] >= 0);
		CHECK_EQ(8, write(fd[i], i ? "no name." : "nameless", 8));
		CHECK_EQ(0, fchmod(fd[i], i ? 0604 : 0640));
		CHECK_EQ(0, ftruncate(fd[i], 9000));
		CHECK_EQ(0, fstat(fd[i], &was[i]));
	}

	subject_point();

	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, fstat(fd[i], &is));
		CHECK_EQ(was[i].st_mode, is.st_mode);
		CHECK_EQ(was[i].st_size, is.st_size);
		CHECK_EQ(was[i].st_uid, is.st_uid);
		CHECK_EQ(was[i].st_gid, is.st_gid);
		CHECK_EQ(0, is.st_nlink);
		CHECK_EQ(8, lseek(fd[i], 0, SEEK_CUR));
		expect_at(fd[i], 0, i ? "no name." : "nameless");
		CHECK(fcntl(fd[i], F_GETFL) & O_TMPFILE & ~O_DIRECTORY);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[i]);
		unlink(subject_path("named"));
		if (i) {
			CHECK_EQ(-1, linkat(AT_FDCWD, path, AT_FDCWD,
					    subject_path("named"), AT_SYMLINK_FOLLOW));
			CHECK_EQ(ENOENT, errno);
		} else {
			CHECK_EQ(0, linkat(AT_FDCWD, path, AT_FDCWD,
					   subject_path("named"), AT_SYMLINK_FOLLOW));
			CHECK_EQ(0, fstat(fd[i], &is));
			CHECK_EQ(1, is.st_nlink);
		}
	}
}

/* ---- devices ---- */

SUBJECT(devices)
{
	static const char * const names[] = {
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
		"/dev/urandom",
	};
	static const int minors[] = { 3, 5, 7, 8, 9 };
	char buf[64], zeros[64] = "";
	struct stat st;
	int fds[5], i;

	for (i = 0; i < 5; i++) {
		fds[i] = open(names[i], i & 1 ? O_RDONLY : O_RDWR | O_NONBLOCK);
		CHECK(fds[i] >= 0);
	}
	subject_point();
	for (i = 0; i < 5; i++) {
		CHECK_EQ(0, fstat(fds[i], &st));
		CHECK(S_ISCHR(st.st_mode));
		CHECK_EQ(1, major(st.st_rdev));
		CHECK_EQ(minors[i], minor(st.st_rdev));
		CHECK_EQ(i & 1 ? 0 : O_NONBLOCK,
			 fcntl(fds[i], F_GETFL) & O_NONBLOCK);
	}
	CHECK_EQ(5, write(fds[0], "12345", 5));
	CHECK_EQ(0, read(fds[0], buf, 5));
	memset(buf, 1, sizeof(buf));
	CHECK_EQ(64, read(fds[1], buf, 64));
	CHECK_MEM(zeros, buf, 64);
	CHECK_EQ(-1, write(fds[2], "x", 1));
	CHECK_EQ(ENOSPC, errno);
	CHECK_EQ(64, read(fds[4], buf, 64));
	CHECK(memcmp(zeros, buf, 64));
}

/* To read them for the image leaves no trace. */
SUBJECT(untouched)
{
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	int fds[2] = {
		memfd_create("untouched", 0),
		subject_open("f/untouched", O_CREAT | O_RDWR),
	};
	struct stat st;
	int i;

	CHECK_EQ(0, unlink(subject_path("f/untouched")));
	for (i = 0; i < 2; i++) {
		CHECK_EQ(1, write(fds[i], "x", 1));
		CHECK_EQ(0, futimens(fds[i], times));
	}
	subject_point();
	for (i = 0; i < 2; i++) {
		CHECK_EQ(0, fstat(fds[i], &st));
		CHECK_EQ(1000, st.st_atime);
		CHECK_EQ(2000, st.st_mtime);
	}
}

CKPT_FIXTURE(original);

TEST_F_TIMEOUT(original, untouched, CKPT_TIMEOUT)
{
	struct ckpt_run run;

	ckpt_init(&run, &(struct ckpt_how) { .target = CKPT_SUBTREE });
	ASSERT_EQ(0, ckpt_start(&run, "untouched"));
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- memfd ---- */

SUBJECT(memfd)
{
	int sealed, plain, again;
	char path[64], name[128];
	char *map;

	sealed = memfd_create("a name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	plain = memfd_create("plain", 0);
	CHECK(sealed >= 0 && plain >= 0);
	CHECK_EQ(6, write(sealed, "sealed", 6));
	CHECK_EQ(0, ftruncate(sealed, 10000));
	CHECK_EQ(0, fcntl(sealed, F_ADD_SEALS,
			  F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_EQ(5, write(plain, "plain", 5));
	CHECK_EQ(0, ftruncate(plain, 8192));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	again = open(path, O_RDONLY);
	CHECK(again >= 0);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, plain, 0);
	CHECK(map != MAP_FAILED);
	map[4096] = 'm';

	subject_point();

	CHECK_EQ(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
		 fcntl(sealed, F_GET_SEALS));
	CHECK_EQ(F_SEAL_SEAL, fcntl(plain, F_GET_SEALS));
	expect_at(sealed, 0, "sealed");
	CHECK_EQ(10000, lseek(sealed, 0, SEEK_END));
	CHECK_EQ(-1, pwrite(sealed, "x", 1, 0));
	CHECK_EQ(EPERM, errno);
	CHECK_EQ(FD_CLOEXEC, fcntl(sealed, F_GETFD));
	CHECK_EQ(0, fcntl(plain, F_GETFD));
	CHECK_EQ(5, lseek(plain, 0, SEEK_CUR));
	CHECK_EQ(0, lseek(again, 0, SEEK_CUR));
	CHECK(same_file(plain, again));
	CHECK_EQ('m', map[4096]);
	CHECK_EQ(2, pwrite(plain, "zz", 2, 5000));
	CHECK_MEM("zz", map + 5000, 2);
	expect_at(again, 5000, "zz");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sealed);
	memset(name, 0, sizeof(name));
	CHECK(readlink(path, name, sizeof(name) - 1) > 0);
	CHECK(!strcmp(name, "/memfd:a name (deleted)"));
}

/* ---- locks ---- */

static void lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };

	CHECK_EQ(0, fcntl(fd, cmd, &fl));
}

SUBJECT(locks)
{
	int fd = make_file("f/posix", "0123456789"), i, ofd;
	int flocks[2];

	lock(fd, F_SETLK, F_WRLCK, 0, 3);
	lock(fd, F_SETLK, F_RDLCK, 5, 2);
	lock(fd, F_SETLK, F_WRLCK, 1000, 0);
	flocks[0] = make_file("f/flock-ex", "");
	flocks[1] = make_file("f/flock-sh", "");
	CHECK_EQ(0, flock(flocks[0], LOCK_EX));
	CHECK_EQ(0, flock(flocks[1], LOCK_SH));
	ofd = make_file("f/ofd", "");
	lock(ofd, F_OFD_SETLK, F_WRLCK, 7, 7);

	subject_point();
	/* the test tries to take them, then they are given up */
	subject_touch("tried");
	for (i = 0; i < 2; i++)
		CHECK_EQ(0, flock(flocks[i], LOCK_UN));
	lock(fd, F_SETLK, F_UNLCK, 0, 0);
	lock(ofd, F_OFD_SETLK, F_UNLCK, 0, 0);
}

/* ---- refused ---- */

#define REFUSED_SUBJECT(name, make)					\
	SUBJECT(name)							\
	{								\
		CHECK_EQ(5, dup2(make, 5));				\
		close(3);						\
		subject_point();					\
		CHECK_EQ(0, fcntl(5, F_GETFD));				\
	}

REFUSED_SUBJECT(socket, socket(AF_PACKET, SOCK_DGRAM, 0))
REFUSED_SUBJECT(socket_inet, socket(AF_INET, SOCK_DGRAM, 0))
REFUSED_SUBJECT(procfile, open("/proc/self/maps", O_RDONLY))

CKPT_FIXTURE_HOW(files);
CKPT_VARIANTS(files);

CKPT_ROUNDTRIP(files, regular);
CKPT_ROUNDTRIP(files, shared_positions);
CKPT_ROUNDTRIP(files, numbers);
CKPT_ROUNDTRIP(files, shared_table);
CKPT_ROUNDTRIP(files, fs);
CKPT_ROUNDTRIP(files, cwd);
CKPT_ROUNDTRIP(files, chroot);
CKPT_ROUNDTRIP(files, renamed);
CKPT_ROUNDTRIP(files, directory);
CKPT_ROUNDTRIP(files, deleted);
CKPT_ROUNDTRIP(files, deleted_shared);
CKPT_ROUNDTRIP(files, hard_link);
CKPT_ROUNDTRIP(files, replaced);
CKPT_ROUNDTRIP(files, deleted_dir);
CKPT_ROUNDTRIP(files, replaced_dir);
CKPT_ROUNDTRIP(files, o_path);
CKPT_ROUNDTRIP(files, tmpfile);
CKPT_ROUNDTRIP(files, devices);
CKPT_ROUNDTRIP(files, memfd);

CKPT_FIXTURE(refused);

TEST_F_TIMEOUT(refused, socket, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("socket", "socket", "fd 5"));
}

TEST_F_TIMEOUT(refused, procfile, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("procfile", "fd 5", NULL));
}

CKPT_FIXTURE_HOW(locks);
CKPT_VARIANTS_OTHER(locks);

/* Can we have this lock? */
static bool can_lock(struct ckpt_run *run, const char *name, int cmd, int type,
		     off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_start = start, .l_len = len };
	int fd = ckpt_open(run, name, O_RDWR);
	bool ok = !fcntl(fd, cmd, &fl);

	close(fd);
	return ok;
}

static bool can_flock(struct ckpt_run *run, const char *name, int op)
{
	int fd = ckpt_open(run, name, O_RDWR);
	bool ok = !flock(fd, op | LOCK_NB);

	close(fd);
	return ok;
}

static void check_locks(struct __test_metadata *_metadata, struct ckpt_run *run,
			bool held)
{
	int set = F_SETLK;

	/* bytes 0 to 2 */
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_RDLCK, 0, 1));
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_RDLCK, 2, 1));
	EXPECT_EQ(true, can_lock(run, "f/posix", set, F_WRLCK, 3, 2));
	/* bytes 5 to 6, for readers */
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_WRLCK, 5, 1));
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_WRLCK, 6, 1));
	EXPECT_EQ(true, can_lock(run, "f/posix", set, F_RDLCK, 5, 2));
	EXPECT_EQ(true, can_lock(run, "f/posix", set, F_WRLCK, 7, 993));
	/* from 1000 to the end of time */
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_RDLCK, 1000, 1));
	EXPECT_EQ(!held, can_lock(run, "f/posix", set, F_RDLCK, 1L << 50, 1));
	EXPECT_EQ(!held, can_flock(run, "f/flock-ex", LOCK_SH));
	EXPECT_EQ(!held, can_flock(run, "f/flock-sh", LOCK_EX));
	EXPECT_EQ(true, can_flock(run, "f/flock-sh", LOCK_SH));
	EXPECT_EQ(!held, can_lock(run, "f/ofd", F_OFD_SETLK, F_RDLCK, 7, 1));
	EXPECT_EQ(!held, can_lock(run, "f/ofd", F_OFD_SETLK, F_RDLCK, 13, 1));
	EXPECT_EQ(true, can_lock(run, "f/ofd", F_OFD_SETLK, F_WRLCK, 14, 1));
}

TEST_F_TIMEOUT(locks, held, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;

	ckpt_init(&run, &variant->how);
	ASSERT_EQ(0, ckpt_start(&run, "locks"));
	pid = run.pid;
	check_locks(_metadata, &run, true);
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	check_locks(_metadata, &run, !variant->how.kill);
	if (!variant->how.kill) {
		ASSERT_EQ(0, ckpt_go_on(&run));
		check_locks(_metadata, &run, false);
	}
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	check_locks(_metadata, &run, true);
	ASSERT_EQ(0, ckpt_finish(&run));
	check_locks(_metadata, &run, false);
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* A lock that somebody else took meanwhile. */
TEST_F_TIMEOUT(refused, lock_taken, CKPT_TIMEOUT)
{
	struct ckpt_run run;
	pid_t pid;
	int fd;

	ckpt_init(&run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&run, "locks"));
	pid = run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&run));
	run.pid = 0;
	fd = ckpt_open(&run, "f/flock-ex", O_RDWR);
	ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	EXPECT_GT(0, ckpt_restart(&run));
	EXPECT_LE(1, ckpt_log_has(&run, "lock")) ckpt_print(&run, "log");
	EXPECT_EQ(-1, kill(pid, 0));
	close(fd);
	/* a failed attempt leaves no locks */
	check_locks(_metadata, &run, false);
	ASSERT_EQ(pid, ckpt_restart(&run)) ckpt_print(&run, "log");
	ASSERT_EQ(0, ckpt_finish(&run));
	ASSERT_EQ(0, ckpt_cleanup(&run));
}

/* ---- files that are not what they were ---- */

SUBJECT(one_file)
{
	int fd = make_file("f/data", "some data");

	subject_point();
	expect_at(fd, 0, "s");
	CHECK_EQ(9, lseek(fd, 0, SEEK_CUR));
}

FIXTURE(changed)
{
	struct ckpt_run run;
	pid_t pid;
};

FIXTURE_SETUP(changed)
{
	ASSERT_TRUE(ckpt_supported()) {
		TH_LOG("kernel has no checkpoint()");
	}
	ckpt_init(&self->run, &(struct ckpt_how) { .kill = true });
	ASSERT_EQ(0, ckpt_start(&self->run, "one_file"));
	self->pid = self->run.pid;
	ASSERT_EQ(0, ckpt_checkpoint(&self->run));
	self->run.pid = 0;
}

FIXTURE_TEARDOWN(changed)
{
	EXPECT_EQ(0, ckpt_cleanup(&self->run));
}

TEST_F_TIMEOUT(changed, missing, CKPT_TIMEOUT)
{
	ckpt_remove(&self->run, "f/data");
	EXPECT_EQ(-ENOENT, ckpt_restart(&self->run));
	EXPECT_LE(1, ckpt_log_has(&self->run, "f/data"))
		ckpt_print(&self->run, "log");
	EXPECT_EQ(-1, kill(self->pid, 0));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	EXPECT_EQ(-ENOENT, ckpt_restart(&self->run));
	EXPECT_EQ(-1, kill(self->pid, 0));
	/* nor has it been made */
	EXPECT_FALSE(ckpt_exists(&self->run, "f/data"));
}

static void expect_stale(struct __test_metadata *_metadata,
			 FIXTURE_DATA(changed) * self)
{
	EXPECT_EQ(-ESTALE, ckpt_restart(&self->run));
	EXPECT_LE(1, ckpt_log_has(&self->run, "f/data"))
		ckpt_print(&self->run, "log");
	EXPECT_EQ(-1, kill(self->pid, 0));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	ASSERT_EQ(self->pid, ckpt_restart(&self->run))
		ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

TEST_F_TIMEOUT(changed, mtime, CKPT_TIMEOUT)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int fd = ckpt_open(&self->run, "f/data", O_WRONLY);

	ASSERT_EQ(0, futimens(fd, times));
	close(fd);
	expect_stale(_metadata, self);
}

TEST_F_TIMEOUT(changed, size, CKPT_TIMEOUT)
{
	struct timespec times[2];
	struct stat st;
	int fd = ckpt_open(&self->run, "f/data", O_WRONLY | O_APPEND);

	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(4, write(fd, "more", 4));
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	ASSERT_EQ(0, futimens(fd, times));
	close(fd);
	expect_stale(_metadata, self);
}

/* Something of another kind is no replacement, whatever the flags. */
TEST_F_TIMEOUT(changed, kind, CKPT_TIMEOUT)
{
	char path[128];

	ckpt_remove(&self->run, "f/data");
	snprintf(path, sizeof(path), "%s/f/data", self->run.dir);
	ASSERT_EQ(0, mkdir(path, 0755));
	EXPECT_GT(0, ckpt_restart(&self->run));
	self->run.restart_flags = RESTART_FILES_CHANGED;
	EXPECT_GT(0, ckpt_restart(&self->run));
	EXPECT_EQ(-1, kill(self->pid, 0));
	ASSERT_EQ(0, rmdir(path));
	/* a fifo must not make it wait for a writer */
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_GT(0, ckpt_restart(&self->run));
	EXPECT_EQ(-1, kill(self->pid, 0));
}

/* Atime and the like do not matter. */
TEST_F_TIMEOUT(changed, unchanged, CKPT_TIMEOUT)
{
	struct timespec times[2] = {
		{ .tv_sec = 12345 }, { .tv_nsec = UTIME_OMIT },
	};
	int fd = ckpt_open(&self->run, "f/data", O_WRONLY);

	ASSERT_EQ(0, futimens(fd, times));
	close(fd);
	ASSERT_EQ(self->pid, ckpt_restart(&self->run))
		ckpt_print(&self->run, "log");
	ASSERT_EQ(0, ckpt_finish(&self->run));
}

CKPT_TEST_MAIN
