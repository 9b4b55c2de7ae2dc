// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: the image. What it looks like, and what becomes of one
 * that is cut off, damaged, or made by somebody who means harm: an error, and
 * nothing is left behind.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
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
static void add_events(const sigset_t *set)
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
}

SUBJECT(rich)
{
	int fds[2], file, deleted;
	pid_t pid, zombie;
	siginfo_t info;
	sigset_t set;
	char *shared;

	CHECK_EQ(0, pipe(fds));
	CHECK_EQ(5, write(fds[1], "bytes", 5));
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
	add_events(&set);
	CHECK_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	add_filter();
	add_filter();
	zombie = fork();
	if (!zombie)
		_exit(3);
	CHECK_EQ(0, waitid(P_PID, zombie, &info, WEXITED | WNOWAIT));
	pid = fork();
	if (!pid) {
		subject_touch("child");
		subject_wait("go");
		_exit(0);
	}
	subject_wait("child");
	subject_point();
	CHECK_EQ('s', shared[0]);
	CHECK_EQ(zombie, waitpid(zombie, NULL, 0));
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

/* What an edit may lead to, other than success. */
static bool is_edit_error(long err)
{
	switch (err) {
	case -EPERM:
	case -ENOMEM:
	case -EMFILE:		/* number of a descriptor */
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

/* Restarts from bytes in memory, which must fail and leave nobody behind. */
static long try_bytes(struct __test_metadata *_metadata,
		      FIXTURE_DATA(image) * self, const void *bytes, size_t size)
{
	int status;
	long ret;

	EXPECT_EQ(0, ftruncate(self->file, 0));
	EXPECT_EQ(size, pwrite(self->file, bytes, size, 0));
	EXPECT_EQ(0, lseek(self->file, 0, SEEK_SET));
	EXPECT_EQ(0, ftruncate(self->log, 0));
	EXPECT_EQ(0, lseek(self->log, 0, SEEK_SET));
	ret = ckpt_restart_from(self->file, 0, self->log);
	if (ret > 0)
		end_all(ret);
	EXPECT_EQ(-1, waitpid(-1, &status, WNOHANG));
	EXPECT_EQ(-1, kill(self->pid, 0));
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

#define EXPECT_BAD(type, nth, ptr_type, where, edit)			\
	EXPECT_TRUE(is_edit_error(self->ret =				\
			EDITED(type, nth, ptr_type, where, edit))) {	\
		TH_LOG("%s: %s: %ld", #type, #edit, self->ret);		\
		ckpt_print(&self->run, "log");				\
	}

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
		T(p[1].pid = p[0].pid);
		T(p[2].pid = p[1].pid);
		T(p[1].parent = 2);
		T(p[1].parent = 1);
		T(p[1].parent = CKPT_NO_PARENT);
		T(p[2].leader = 1);
		T(p[1].leader = 2);
		T(p[2].pid = INT32_MAX);
	}
#undef N
#undef T
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

TEST_F_TIMEOUT(image, files, CKPT_TIMEOUT)
{
#define F(edit)	EXPECT_BAD(CKPT_REC_FILE, 0, struct ckpt_file, body, edit)
#define D(edit)	EXPECT_BAD(CKPT_REC_FILES, 0, struct ckpt_fd, data, edit)
	F(p->kind = 0);
	F(p->kind = 999);
	F(p->f_flags = ~0U);
	F(p->f_flags |= O_CREAT | O_TRUNC);
	F(p->f_flags |= O_CLOEXEC);
	/* no device was opened so, the first file is /dev/null */
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
	EXPECT_BAD(CKPT_REC_FS, 0, struct ckpt_fs, body, p->reserved = 1);
	if (strcmp(variant->subject, "rich"))
		return;
#define P(edit)	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe, body, edit)
#define I(edit)	EXPECT_BAD(CKPT_REC_INODE, 0, struct ckpt_inode, body, edit)
	P(p->ring_size = 0);
	P(p->ring_size = ~0U);
	P(p->ring_size = 3);
	P(p->nr_bufs = ~0U);
	P(p->nr_bufs = p->ring_size + 1);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data, p->len = ~0U);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data, p->len = 0);
	EXPECT_BAD(CKPT_REC_PIPE, 0, struct ckpt_pipe_buf, data,
		   p->flags = ~0U);
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
