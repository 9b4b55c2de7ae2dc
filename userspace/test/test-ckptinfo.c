// SPDX-License-Identifier: GPL-2.0
/*
 * Unit test of ckptinfo: that it knows every member of every record, and that
 * no image, however hostile, does it any harm. Meant to be built with the
 * address and undefined behaviour sanitizers.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../ckptinfo/info.h"
#include "image.h"
#include "tap.h"

static FILE *null;

static struct image *load(const void *data, size_t len)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct image *img;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	img = image_load("test", fd);
	close(fd);
	return img;
}

/* Everything that can be done with an image, whole or not. */
static void look(struct image *img)
{
	int json;

	for (json = 0; json <= 1; json++) {
		show_summary(img, json, null);
		show_tree(img, json, null);
		show_fds(img, json, null);
		show_maps(img, json, null);
		show_externals(img, json, null);
		show_stats(img, json, null);
		show_verify(img, json, null);
	}
}

static void test_members(void)
{
	const struct field *f;
	bool all = true, in_order = true;
	size_t sum;
	__u32 type;

	for (type = 0; type < NR_COUNTS; type++) {
		sum = 0;
		for (f = type_of(type)->fields; f->name; f++) {
			in_order &= f->offset == sum;
			sum += f->size;
		}
		if (sum != ckpt_record_size(type)) {
			printf("# %s\n", ckpt_record_name(type));
			all = false;
		}
		sum = 0;
		for (f = type_of(type)->elem; f && f->name; f++)
			sum += f->size;
		all &= sum == type_of(type)->elem_size;
	}
	ok(all, "every member of every record is known");
	ok(in_order, "and in order");
}

static int compare(unsigned int a, unsigned int b, bool but_time)
{
	struct image *x, *y;
	struct builder bx, by;
	int ret;

	make_image(&bx, a);
	make_image(&by, b);
	x = load(bx.p, bx.len);
	y = load(by.p, by.len);
	ret = show_diff(x, y, but_time, false, null);
	image_free(x);
	image_free(y);
	free(bx.p);
	free(by.p);
	return ret;
}

static void test_good(void)
{
	static const unsigned int kinds[] = {
		0, IMAGE_LATER, IMAGE_CHANGED, IMAGE_GROWN, IMAGE_OPTIONAL, IMAGE_EVIL
	};
	struct builder b;
	struct image *img;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		make_image(&b, kinds[i]);
		img = load(b.p, b.len);
		look(img);
		ok(show_verify(img, false, null) == 0, "image of kind %u is good", kinds[i]);
		if (img->nr_problems)
			printf("# %s\n", img->problems[0]);
		image_free(img);
		free(b.p);
	}
	make_image(&b, IMAGE_DANGLING);
	img = load(b.p, b.len);
	look(img);
	ok(show_verify(img, false, null) == CKPT_EXIT_IMAGE,
	   "a reference to nothing is noticed");
	image_free(img);
	free(b.p);
	ok(compare(0, IMAGE_LATER, false) == 0, "no difference but time");
	ok(compare(0, IMAGE_CHANGED, false) == 1, "differences");
	ok(compare(0, IMAGE_CHANGED, true) == 1, "differences but for time");
	ok(compare(0, IMAGE_USED, false) == 1, "a timer that has less time left");
	ok(compare(0, IMAGE_USED, true) == 0, "likewise, but for time");
	ok(compare(0, IMAGE_OFF, true) == 1, "a timer that is off, but for time");
	ok(compare(IMAGE_EVIL, IMAGE_DANGLING, false) == 1, "differences to a damaged image");
}

static void test_truncated(void)
{
	struct builder b;
	struct image *img;
	bool noticed = true;
	size_t i;

	make_image(&b, 0);
	for (i = 0; i < b.len; i++) {
		/* Of pages some are enough. */
		if (i % 61 && i > 4096 && b.len - i > 4096)
			continue;
		img = load(b.p, i);
		noticed &= show_verify(img, false, null) == CKPT_EXIT_IMAGE;
		if (!(i % 16))
			look(img);
		image_free(img);
	}
	free(b.p);
	ok(noticed, "truncated at every byte");
}

static __u64 seed = 88172645463325252ULL;

static __u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Where records begin, as long as lengths are right. */
static size_t random_record(const struct builder *b)
{
	struct ckpt_record h;
	__u64 n = rnd() % b->records;
	size_t at = 0;

	while (n--) {
		memcpy(&h, b->p + at, sizeof(h));
		at += h.length;
	}
	return at;
}

/* Contents that are wrong, with checksums that are right. */
static void test_hostile(int rounds)
{
	static const __u32 favourites[] = {
		0, 1, 2, 7, 8, 16, 21, 0xff, 0x7fffffff, 0x80000000, 0xffffffff
	};
	struct image *img, *other;
	struct builder b;
	int i, n;

	for (i = 0; i < rounds; i++) {
		make_image(&b, rnd() & (IMAGE_GROWN | IMAGE_OPTIONAL | IMAGE_EVIL));
		for (n = 1 + (int)(rnd() % 4); n; n--) {
			size_t at = random_record(&b);
			struct ckpt_record h;
			__u32 v = favourites[rnd() % ARRAY_SIZE(favourites)];

			memcpy(&h, b.p + at, sizeof(h));
			if (rnd() % 8) {
				/* In the body or the first of the data. */
				size_t len = h.length - sizeof(h);

				if (len > 160)
					len = 160;
				if (!len)
					continue;
				at += sizeof(h) + (rnd() % len & ~3ULL);
			} else {
				/* Not the length, for others to be found. */
				at += rnd() % 2 ? rnd() % 8 & ~3ULL : 16 + (rnd() % 12 & ~3ULL);
			}
			if (rnd() % 2)
				memcpy(b.p + at, &v, sizeof(v));
			else
				b.p[at + rnd() % 4] ^= (unsigned char)(1 << rnd() % 8);
		}
		fix_checksums(b.p, b.len);
		img = load(b.p, b.len);
		look(img);
		if (!img->error && !(i % 4)) {
			other = load(b.p, b.len);
			show_diff(img, other, false, false, null);
			image_free(other);
		}
		image_free(img);
		free(b.p);
	}
	ok(true, "%d hostile images with right checksums", rounds);
}

/* Bytes changed anywhere, checksums left alone. */
static void test_noise(int rounds)
{
	struct image *img;
	struct builder b;
	bool noticed = true;
	int i, n;

	for (i = 0; i < rounds; i++) {
		make_image(&b, 0);
		for (n = 1 + (int)(rnd() % 8); n; n--)
			b.p[rnd() % b.len] ^= (unsigned char)(1 + rnd() % 255);
		img = load(b.p, b.len);
		/* Two changes may undo each other, but not for this seed. */
		noticed &= show_verify(img, false, null) == CKPT_EXIT_IMAGE;
		look(img);
		image_free(img);
		free(b.p);
	}
	ok(noticed, "%d images with noise", rounds);
}

/* As deep as a tree can be. */
static void test_deep(void)
{
	enum { NR = 20000 };
	struct ckpt_tree_task *tasks = calloc(NR, sizeof(*tasks));
	struct ckpt_tree tree = { .nr = NR, .nr_roots = 1 };
	struct builder b = { };
	struct image *img;
	__u32 i;

	for (i = 0; i < NR; i++)
		tasks[i] = (struct ckpt_tree_task){
			(int)i + 1, i, i ? i - 1 : CKPT_NO_PARENT, 1, 1, 0
		};
	put_header(&b, 0);
	put(&b, CKPT_REC_TREE, 0, &tree, sizeof(tree), tasks, NR * sizeof(*tasks));
	put_trailer(&b);
	img = load(b.p, b.len);
	look(img);
	ok(img->nr_tasks == NR, "a chain of %d processes", NR);
	image_free(img);
	free(b.p);
	free(tasks);
}

int main(void)
{
	null = fopen("/dev/null", "w");
	if (!null)
		return 1;
	test_members();
	test_good();
	test_truncated();
	test_hostile(1500);
	test_noise(300);
	test_deep();
	fclose(null);
	return tap_end();
}
