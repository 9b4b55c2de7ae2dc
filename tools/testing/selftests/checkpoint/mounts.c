// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: files by way of mounts that are there at the restart, too:
 * of overlayfs, and bind mounts.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

#define PAGE	4096UL
#define RW	(PROT_READ | PROT_WRITE)

static int make_file(const char *name, const char *text)
{
	int fd = subject_open(name, O_CREAT | O_TRUNC | O_RDWR);

	CHECK(fd >= 0);
	CHECK_EQ(strlen(text), write(fd, text, strlen(text)));
	return fd;
}

static void make_dir(const char *name)
{
	CHECK_EQ(0, mkdir(subject_path(name), 0755));
}

static int open_file(const char *name, int flags)
{
	int fd = subject_open(name, flags);

	CHECK(fd >= 0);
	return fd;
}

static char *map_file(int fd, int prot, int flags)
{
	char *p = mmap(NULL, 2 * PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void expect_at(int fd, off_t pos, const char *want)
{
	char buf[64];

	CHECK_EQ(strlen(want), pread(fd, buf, strlen(want), pos));
	CHECK_MEM(want, buf, strlen(want));
}

static void expect_name(const char *link, const char *want)
{
	char name[PATH_MAX] = "";

	CHECK(readlink(link, name, sizeof(name) - 1) > 0);
	if (strcmp(name, want))
		subject_fail(__FILE__, __LINE__, "%s is %s, not %s", link, name, want);
}

/* A line of /proc/self/maps ends so. */
static void expect_mapped(const char *name)
{
	static char text[1 << 16];
	char end[PATH_MAX];

	snprintf(end, sizeof(end), " %s\n", subject_path(name));
	CHECK(ckpt_slurp("/proc/self/maps", text, sizeof(text)) > 0);
	if (!strstr(text, end))
		subject_fail(__FILE__, __LINE__, "%s is not mapped", name);
}

/* How a file is known, and by which mount it was opened. */
struct seen {
	struct stat st;
	int flags;
	off_t pos;
	int mount;
};

static struct seen see(int fd)
{
	struct seen seen = {
		.flags = fcntl(fd, F_GETFL),
		.pos = lseek(fd, 0, SEEK_CUR),
	};
	char path[64], text[1024], *p;

	CHECK_EQ(0, fstat(fd, &seen.st));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(ckpt_slurp(path, text, sizeof(text)) > 0);
	p = strstr(text, "mnt_id:");
	CHECK(p);
	seen.mount = atoi(p + 7);
	return seen;
}

static void expect_seen(const struct seen *was, int fd, const char *name)
{
	struct seen is = see(fd);
	char link[64];

	CHECK_EQ(was->st.st_dev, is.st.st_dev);
	CHECK_EQ(was->st.st_ino, is.st.st_ino);
	CHECK_EQ(was->st.st_mode, is.st.st_mode);
	CHECK_EQ(was->st.st_nlink, is.st.st_nlink);
	CHECK_EQ(was->st.st_size, is.st.st_size);
	CHECK_EQ(was->st.st_mtim.tv_sec, is.st.st_mtim.tv_sec);
	CHECK_EQ(was->st.st_mtim.tv_nsec, is.st.st_mtim.tv_nsec);
	CHECK_EQ(was->flags, is.flags);
	CHECK_EQ(was->pos, is.pos);
	CHECK_EQ(was->mount, is.mount);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	expect_name(link, subject_path(name));
}

/* ---- overlayfs ---- */

static void mount_overlay(void)
{
	char options[3 * PATH_MAX];

	make_dir("f/upper");
	make_dir("f/work");
	make_dir("f/both");
	snprintf(options, sizeof(options),
		 "lowerdir=%1$s/f/lower,upperdir=%1$s/f/upper,workdir=%1$s/f/work",
		 subject_dir);
	CHECK_EQ(0, mount("none", subject_path("f/both"), "overlay", 0, options));
}

/*
 * Files that are below only, that were copied up when they were opened for
 * writing, and that are above only.
 */
enum { LOWER, COPIED, UPPER, LOCKED, MAPPED, DIR, NR };

SUBJECT(overlay)
{
	static const char * const names[] = {
		"f/both/lower", "f/both/copied", "f/both/upper", "f/both/locked",
		"f/both/sub/mapped", "f/both/sub",
	};
	char *shared, *private, *copied;
	int fds[NR], copied_ro, other, i;
	struct seen was[NR], was_ro;

	make_dir("f/lower");
	make_dir("f/lower/sub");
	close(make_file("f/lower/lower", "below"));
	close(make_file("f/lower/copied", "to be copied"));
	close(make_file("f/lower/locked", "locked"));
	i = make_file("f/lower/sub/mapped", "mapped");
	CHECK_EQ(0, ftruncate(i, 2 * PAGE));
	close(i);
	mount_overlay();

	fds[LOWER] = open_file(names[LOWER], O_RDONLY | O_NONBLOCK);
	CHECK_EQ(2, lseek(fds[LOWER], 2, SEEK_SET));
	fds[COPIED] = open_file(names[COPIED], O_RDWR | O_APPEND);
	CHECK_EQ(0, ftruncate(fds[COPIED], 2 * PAGE));
	CHECK_EQ(4, write(fds[COPIED], "more", 4));
	copied_ro = open_file(names[COPIED], O_RDONLY);
	copied = map_file(fds[COPIED], RW, MAP_SHARED);
	memcpy(copied + 100, "by memory", 9);
	fds[UPPER] = make_file(names[UPPER], "above");
	fds[LOCKED] = open_file(names[LOCKED], O_RDONLY);
	CHECK_EQ(0, flock(fds[LOCKED], LOCK_EX));
	fds[MAPPED] = open_file(names[MAPPED], O_RDONLY);
	shared = map_file(fds[MAPPED], PROT_READ, MAP_SHARED);
	private = map_file(fds[MAPPED], RW, MAP_PRIVATE);
	memcpy(private + PAGE, "mine", 4);
	fds[DIR] = open_file(names[DIR], O_RDONLY | O_DIRECTORY);
	CHECK_EQ(0, chdir(subject_path("f/both/sub")));
	/* what was written to memory is known to the filesystem from here on */
	CHECK_EQ(0, msync(copied, 2 * PAGE, MS_SYNC));
	for (i = 0; i < NR; i++)
		was[i] = see(fds[i]);
	was_ro = see(copied_ro);
	CHECK(access(subject_path("f/upper/lower"), F_OK));
	CHECK_EQ(0, access(subject_path("f/upper/copied"), F_OK));
	CHECK(access(subject_path("f/upper/locked"), F_OK));
	CHECK(access(subject_path("f/upper/sub"), F_OK));

	subject_point();

	for (i = 0; i < NR; i++)
		expect_seen(&was[i], fds[i], names[i]);
	expect_seen(&was_ro, copied_ro, names[COPIED]);
	expect_name("/proc/self/cwd", subject_path(names[DIR]));
	expect_mapped(names[COPIED]);
	expect_mapped(names[MAPPED]);
	/* nothing more was copied up to open these */
	CHECK(access(subject_path("f/upper/lower"), F_OK));
	CHECK(access(subject_path("f/upper/locked"), F_OK));
	CHECK(access(subject_path("f/upper/sub"), F_OK));
	expect_at(fds[LOWER], 0, "below");
	expect_at(fds[UPPER], 0, "above");
	expect_at(fds[COPIED], 0, "to be copied");
	expect_at(fds[COPIED], 2 * PAGE, "more");
	expect_at(fds[COPIED], 100, "by memory");
	CHECK_MEM("mapped", shared, 6);
	CHECK_MEM("mapped", private, 6);
	CHECK_MEM("mine", private + PAGE, 4);
	CHECK_EQ(0, shared[PAGE]);
	/* one file, which is above, and not that below */
	CHECK_EQ(3, write(fds[COPIED], "END", 3));
	expect_at(copied_ro, 2 * PAGE + 4, "END");
	memcpy(copied + 200, "again", 5);
	expect_at(copied_ro, 200, "again");
	other = open_file("f/upper/copied", O_RDONLY);
	expect_at(other, 100, "by memory");
	expect_at(other, 2 * PAGE, "moreEND");
	close(other);
	other = open_file("f/lower/copied", O_RDONLY);
	expect_at(other, 0, "to be copied");
	CHECK_EQ(12, lseek(other, 0, SEEK_END));
	close(other);
	/* the lock is there, and is given up */
	other = open_file(names[LOCKED], O_RDONLY);
	CHECK_EQ(-1, flock(other, LOCK_SH | LOCK_NB));
	CHECK_EQ(EWOULDBLOCK, errno);
	CHECK_EQ(0, flock(fds[LOCKED], LOCK_UN));
	CHECK_EQ(0, flock(other, LOCK_SH | LOCK_NB));
	close(other);
	CHECK(openat(fds[DIR], "mapped", O_RDONLY) >= 0);
	/* nobody else holds it */
	for (i = 3; i < 100; i++)
		close(i);
	CHECK_EQ(0, munmap(shared, 2 * PAGE));
	CHECK_EQ(0, munmap(private, 2 * PAGE));
	CHECK_EQ(0, munmap(copied, 2 * PAGE));
	CHECK_EQ(0, chdir("/"));
	CHECK_EQ(0, umount(subject_path("f/both")));
}

/*
 * A file that was opened and mapped before it was copied up. Who reads it finds
 * what is above from then on, but a mapping goes on with what is below.
 */
SUBJECT(copied_later)
{
	char *shared, *private;
	int ro, rw;

	make_dir("f/lower");
	ro = make_file("f/lower/file", "below");
	CHECK_EQ(0, ftruncate(ro, 2 * PAGE));
	close(ro);
	mount_overlay();
	ro = open_file("f/both/file", O_RDONLY);
	CHECK_EQ(1, lseek(ro, 1, SEEK_SET));
	shared = map_file(ro, PROT_READ, MAP_SHARED);
	private = map_file(ro, RW, MAP_PRIVATE);
	memcpy(private + PAGE, "mine", 4);
	rw = open_file("f/both/file", O_RDWR);
	CHECK_EQ(5, write(rw, "above", 5));
	expect_at(ro, 0, "above");
	CHECK_MEM("below", shared, 5);
	CHECK_MEM("below", private, 5);
	subject_point();
	expect_at(ro, 0, "above");
	expect_at(rw, 0, "above");
	CHECK_EQ(1, lseek(ro, 0, SEEK_CUR));
	CHECK_EQ(5, lseek(rw, 0, SEEK_CUR));
	CHECK_MEM("mine", private + PAGE, 4);
	CHECK_MEM("below", shared, 5);
	CHECK_MEM("below", private, 5);
}

/* ---- bind mounts ---- */

/* A directory, the same one read-only, and a file that is another's name. */
enum { THERE, IN_RO, SINGLE, B_DIR, B_NR };

SUBJECT(bind)
{
	static const char * const names[] = {
		"f/target/file", "f/readonly/file", "f/over", "f/target",
	};
	struct seen was[B_NR], plain_was;
	char *map, *private, path[64];
	int fds[B_NR], plain, i, fd;

	make_dir("f/source");
	make_dir("f/target");
	make_dir("f/readonly");
	i = make_file("f/source/file", "file in a directory");
	CHECK_EQ(0, ftruncate(i, 2 * PAGE));
	close(i);
	close(make_file("f/single", "a single file"));
	close(make_file("f/over", "not to be seen"));
	CHECK_EQ(0, mount(subject_path("f/source"), subject_path("f/target"), NULL,
			  MS_BIND, NULL));
	CHECK_EQ(0, mount(subject_path("f/source"), subject_path("f/readonly"), NULL,
			  MS_BIND, NULL));
	CHECK_EQ(0, mount(NULL, subject_path("f/readonly"), NULL,
			  MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_EQ(0, mount(subject_path("f/single"), subject_path("f/over"), NULL,
			  MS_BIND, NULL));

	fds[THERE] = open_file(names[THERE], O_RDWR);
	CHECK_EQ(3, lseek(fds[THERE], 3, SEEK_SET));
	fds[IN_RO] = open_file(names[IN_RO], O_RDONLY);
	fds[SINGLE] = open_file(names[SINGLE], O_RDWR | O_APPEND);
	fds[B_DIR] = open_file(names[B_DIR], O_RDONLY | O_DIRECTORY);
	plain = open_file("f/source/file", O_RDONLY);
	map = map_file(fds[THERE], RW, MAP_SHARED);
	private = map_file(fds[IN_RO], RW, MAP_PRIVATE);
	memcpy(private + PAGE, "mine", 4);
	CHECK_EQ(0, chdir(subject_path("f/target")));
	for (i = 0; i < B_NR; i++)
		was[i] = see(fds[i]);
	plain_was = see(plain);
	CHECK(was[THERE].mount != plain_was.mount);
	CHECK(was[THERE].mount != was[IN_RO].mount);

	subject_point();

	for (i = 0; i < B_NR; i++)
		expect_seen(&was[i], fds[i], names[i]);
	expect_seen(&plain_was, plain, "f/source/file");
	expect_name("/proc/self/cwd", subject_path("f/target"));
	expect_mapped(names[THERE]);
	expect_mapped(names[IN_RO]);
	expect_at(fds[THERE], 0, "file in a directory");
	expect_at(fds[SINGLE], 0, "a single file");
	CHECK_MEM("file in a directory", map, 19);
	CHECK_MEM("file in a directory", private, 19);
	CHECK_MEM("mine", private + PAGE, 4);
	/* it is one file, by whatever mount */
	CHECK_EQ(3, pwrite(fds[THERE], "one", 3, 100));
	expect_at(fds[IN_RO], 100, "one");
	expect_at(plain, 100, "one");
	CHECK_MEM("one", map + 100, 3);
	memcpy(map + 200, "two", 3);
	expect_at(plain, 200, "two");
	CHECK_EQ(0, map[PAGE]);
	/* what the mount does not allow is still not allowed */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[IN_RO]);
	CHECK_EQ(-1, open(path, O_RDWR));
	CHECK_EQ(EROFS, errno);
	CHECK_EQ(-1, fchmod(fds[IN_RO], 0600));
	CHECK_EQ(EROFS, errno);
	CHECK_EQ(0, fchmod(fds[THERE], 0640));
	CHECK_EQ(4, write(fds[SINGLE], "!END", 4));
	CHECK_EQ(0, umount2(subject_path("f/over"), MNT_DETACH));
	fd = open_file("f/over", O_RDONLY);
	expect_at(fd, 0, "not to be seen");
	fd = open_file("f/single", O_RDONLY);
	expect_at(fd, 0, "a single file!END");
	CHECK(openat(fds[B_DIR], "file", O_RDONLY) >= 0);
	/* nobody else holds them */
	for (i = 3; i < 100; i++)
		close(i);
	CHECK_EQ(0, munmap(map, 2 * PAGE));
	CHECK_EQ(0, munmap(private, 2 * PAGE));
	CHECK_EQ(0, chdir("/"));
	CHECK_EQ(0, umount(subject_path("f/target")));
	CHECK_EQ(0, umount(subject_path("f/readonly")));
}

CKPT_FIXTURE_HOW(mounts);

/* The original would change what is mounted. */
CKPT_VARIANT(mounts, subtree_kill_file, .target = CKPT_SUBTREE, .kill = true);
CKPT_VARIANT(mounts, cgroup_kill_pipe, .target = CKPT_CGROUP, .kill = true, .pipe = true);
CKPT_VARIANT(mounts, self_kill_file, .target = CKPT_SELF, .kill = true);

CKPT_ROUNDTRIP(mounts, overlay);
CKPT_ROUNDTRIP(mounts, bind);

CKPT_FIXTURE(mounts_refused);

TEST_F_TIMEOUT(mounts_refused, copied_later, CKPT_TIMEOUT)
{
	ASSERT_EQ(0, ckpt_refused("copied_later",
				  "a file of an overlay as it was before it was copied up",
				  "a file of an overlay as it was before it was copied up"));
}

CKPT_TEST_MAIN
