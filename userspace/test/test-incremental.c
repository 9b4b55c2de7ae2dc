// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of libckpt: images that stand on others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image.h"
#include "tap.h"

#define RECORDS	8
#define PER_REC	256	/* pages */
#define NR	(RECORDS * PER_REC)

static char dir[] = "/tmp/test-incremental-XXXXXX";
static char error[512];

/* What is in each page, by a number; and the pids of its processes. */
struct memory {
	unsigned int	page[NR];
	int		pid;
};

static void fill_page(unsigned char *p, unsigned int number)
{
	unsigned long long x = number + 1;
	size_t i;

	for (i = 0; i < PAGE; i += sizeof(x)) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		memcpy(p + i, &x, sizeof(x));
	}
}

static void image_of(struct builder *b, const struct memory *m)
{
	struct ckpt_tree tree = { .nr = 2, .nr_roots = 1 };
	struct ckpt_tree_task tasks[2] = { { .pid = m->pid }, { .pid = m->pid + 1 } };
	static unsigned char pages[PER_REC * PAGE];
	struct ckpt_page_run run;
	unsigned int i, k;

	memset(b, 0, sizeof(*b));
	put_header(b, 0);
	put(b, CKPT_REC_TREE, 0, &tree, sizeof(tree), tasks, sizeof(tasks));
	for (i = 0; i < RECORDS; i++) {
		for (k = 0; k < PER_REC; k++)
			fill_page(pages + k * PAGE, m->page[i * PER_REC + k]);
		run = (struct ckpt_page_run){ 0x10000000ULL + i * sizeof(pages), PER_REC };
		put_pages(b, 1, &run, 1, pages, PER_REC);
	}
	put_trailer(b);
}

static char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const void *data, size_t len)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

static unsigned char *read_file(const char *name, size_t *len)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	unsigned char *p;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		abort();
	*len = (size_t)st.st_size;
	p = malloc(*len + 1);
	if (!p || read(fd, p, *len) != (ssize_t)*len)
		abort();
	close(fd);
	return p;
}

static int memory_file(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Returns 0 or -errno; there must be words for it. */
static int shrink(const struct builder *b, const char *parent, const char *name)
{
	int in = memory_file(b->p, b->len), ret;
	int out = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	*error = '\0';
	ret = ckpt_shrink(in, out, path_of(parent), NULL, error, sizeof(error)) ? -errno : 0;
	if (ret && !*error)
		ret = -1000;
	close(in);
	close(out);
	return ret;
}

/* Likewise; 1 if it is not that image. */
static int merge(const char *name, const struct builder *b)
{
	int in = open(path_of(name), O_RDONLY | O_CLOEXEC);
	int out = memfd_create("merged", MFD_CLOEXEC), ret;
	unsigned char *p;
	struct stat st;

	*error = '\0';
	ret = ckpt_merge(in, out, error, sizeof(error)) ? -errno : 0;
	if (ret && !*error)
		ret = -1000;
	if (!ret && !fstat(out, &st)) {
		p = malloc((size_t)st.st_size + 1);
		if (!p || pread(out, p, (size_t)st.st_size, 0) != st.st_size)
			abort();
		ret = (size_t)st.st_size != b->len || memcmp(p, b->p, b->len);
		free(p);
	}
	close(in);
	close(out);
	return ret;
}

/* Number of records, or -errno. */
static int read_all(const char *name)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC), ret, nr = 0;
	struct ckpt_reader *r = ckpt_reader_open(fd);
	struct ckpt_rec rec;

	while ((ret = ckpt_reader_next(r, &rec)) > 0)
		nr++;
	if (ret < 0)
		nr = *ckpt_reader_error(r) ? -errno : -1000;
	ckpt_reader_close(r);
	close(fd);
	return nr;
}

static size_t size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) ? 0 : (size_t)st.st_size;
}

static void test_sizes(const struct builder *a, const struct memory *m)
{
	struct memory other = *m;
	struct builder b;
	unsigned int i;

	write_file("a", a->p, a->len);
	ok(!shrink(a, "a", "same") && size_of("same") < 400 && !merge("same", a),
	   "an image that is as its parent takes %zu bytes", size_of("same"));
	for (i = 0; i < NR / 100; i++)
		other.page[i * 97 + 13] = 1000000 + i;
	image_of(&b, &other);
	ok(!shrink(&b, "a", "b") && size_of("b") < b.len / 50,
	   "1%% changed takes %zu bytes of %zu", size_of("b"), b.len);
	ok(!merge("b", &b), "and is the same afterwards");
	ok(read_all("b") == (int)b.records, "the reader reads it like any other");
	free(b.p);

	for (i = 0; i < NR; i++)
		other.page[i] = m->page[(i + 700) % NR];
	image_of(&b, &other);
	ok(!shrink(&b, "a", "moved") && size_of("moved") < b.len / 50 && !merge("moved", &b),
	   "pages that were moved are found");
	free(b.p);
	for (i = 0; i < NR; i++)
		other.page[i] = 3000000 + i;
	image_of(&b, &other);
	ok(!shrink(&b, "a", "new") && size_of("new") < b.len + b.len / 100 && !merge("new", &b),
	   "what is all new takes little more");
	free(b.p);
}

static void test_chain(const struct memory *first)
{
	struct memory m = *first;
	struct builder b;
	char name[8] = "a", parent[8];
	unsigned int i, k;
	bool good = true;

	for (i = 0; i < 10; i++) {
		for (k = 0; k < 5; k++)
			m.page[(i * 211 + k * 17) % NR] = 5000000 + i * 5 + k;
		image_of(&b, &m);
		strcpy(parent, name);
		snprintf(name, sizeof(name), "c%u", i);
		good &= !shrink(&b, parent, name) && size_of(name) < 100000 && !merge(name, &b);
		if (i < 9)
			free(b.p);
	}
	ok(good, "a chain of eleven");
	unlink(path_of("c4"));
	ok(merge("c9", &b) == -EBADMSG && strstr(error, "c4"), "one of them is missing");
	free(b.p);
}

static void test_parents(const struct builder *a, const struct memory *m)
{
	struct memory other = *m;
	unsigned char *p;
	struct builder b;
	size_t len, i;
	bool good = true;

	ok(shrink(a, "none", "x") == -ENOENT, "no parent");
	write_file("text", "no image, but text that is long enough for one", 46);
	ok(shrink(a, "text", "x") == -EBADMSG, "a parent that is none");
	write_file("empty", "", 0);
	ok(shrink(a, "empty", "x") == -EBADMSG, "an empty parent");
	for (i = 200; i < a->len; i += 100003) {
		write_file("short", a->p, i);
		good &= shrink(a, "short", "x") == -EBADMSG;
	}
	ok(good, "parents that are cut off");
	other.pid += 100;
	image_of(&b, &other);
	ok(shrink(&b, "a", "x") == -EINVAL && strstr(error, "other processes"),
	   "a parent of other processes");
	ok(!size_of("x"), "nothing was written");
	other.pid = m->pid + 1;
	free(b.p);
	image_of(&b, &other);
	ok(!shrink(&b, "a", "b"), "one process in common is enough");

	/* changed, and back */
	p = read_file("a", &len);
	p[1000]++;
	write_file("a", p, len);
	ok(merge("b", &b) == -EBADMSG && strstr(error, "not the same"), "the parent was changed");
	p[1000]--;
	p[len / 2]++;
	write_file("a", p, len);
	ok(read_all("b") == -EBADMSG, "in the middle, too: the image's own sums tell");
	p[len / 2]--;
	write_file("a", p, len - 8);
	ok(merge("b", &b) == -EBADMSG, "or cut off");
	unlink(path_of("a"));
	ok(merge("b", &b) == -EBADMSG && strstr(error, "missing"), "or removed");
	mkdir(path_of("dir"), 0700);
	write_file("dir/a", p, len);
	rename(path_of("b"), path_of("dir/b"));
	ok(!merge("dir/b", &b), "or moved along with the image");
	write_file("a", p, len);
	unlink(path_of("dir/a"));
	ok(!merge("dir/b", &b), "or where it was");
	rename(path_of("dir/b"), path_of("b"));
	free(p);
	free(b.p);
}

static void test_peek(void)
{
	size_t len;
	unsigned char *p = read_file("b", &len), seen[16];
	int fd = open(path_of("b"), O_RDONLY | O_CLOEXEC), fds[2], plain[2];
	bool good;

	good = ckpt_is_incremental(fd) && lseek(fd, 0, SEEK_CUR) == 0;
	close(fd);
	ok(good, "a file tells what it is");
	if (pipe(fds) || pipe(plain) || write(fds[1], p, 16) != 16 ||
	    write(plain[1], "CKPTINCS", 8) != 8)
		abort();
	good = ckpt_is_incremental(fds[0]) && !ckpt_is_incremental(plain[0]) &&
	       read(fds[0], seen, 16) == 16 && !memcmp(seen, p, 16) &&
	       read(plain[0], seen, 16) == 8;
	ok(good, "and so does a pipe, which keeps what it has");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || write(fds[1], p, 16) != 16)
		abort();
	ok(ckpt_is_incremental(fds[0]) && read(fds[0], seen, 16) == 16 && !memcmp(seen, p, 16),
	   "and a socket");
	free(p);
}

static void test_hostile(const struct builder *b)
{
	size_t len, i, at;
	unsigned char *p = read_file("b", &len);
	struct ckpt_parent parent;
	bool good = true;
	int ret;

	for (i = 0; i < len; i += i < 600 ? 1 : 4099) {
		write_file("bad", p, i);
		ret = merge("bad", b);
		good &= ret == -EBADMSG || (i < 24 && ret == 1);
	}
	ok(good, "cut off anywhere");
	good = true;
	for (i = 0; i < 600; i++) {
		p[i] ^= 1 << i % 8;
		write_file("bad", p, len);
		p[i] ^= 1 << i % 8;
		/* bytes of its own may be others, which the reader finds */
		ret = read_all("bad");
		/* and a parent with another path is beside it */
		good &= (ret < 0 && ret != -1000) || !merge("bad", b);
	}
	ok(good, "a bit that is another one");

	at = sizeof(struct ckpt_incremental);
	memcpy(&parent, p + at, sizeof(parent));
	if (parent.path_len < 16)
		abort();
	memset(p + at + sizeof(parent), 0, parent.path_len);
	strcpy((char *)p + at + sizeof(parent), "/etc/passwd");
	write_file("bad", p, len);
	ok(merge("bad", b) == -EBADMSG, "a parent that is another's secret");
	memset(p + at + sizeof(parent), 'x', parent.path_len);
	write_file("bad", p, len);
	ok(merge("bad", b) == -EBADMSG, "a name without an end");
	free(p);
}

int main(void)
{
	static struct memory m = { .pid = 100 };
	struct builder a, b;
	struct memory other;
	char command[64];
	unsigned int i;

	if (!mkdtemp(dir))
		abort();
	for (i = 0; i < NR; i++)
		m.page[i] = i;
	image_of(&a, &m);
	test_sizes(&a, &m);
	test_chain(&m);
	test_parents(&a, &m);
	test_peek();
	other = m;
	other.pid = m.pid + 1;
	image_of(&b, &other);
	test_hostile(&b);
	free(b.p);
	free(a.p);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	if (system(command))
		abort();
	return tap_end();
}
