/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes images for tests, without a kernel.
 */
#ifndef TEST_IMAGE_H
#define TEST_IMAGE_H

#include <stddef.h>

#include "ckpt.h"

#define PAGE	4096

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

struct builder {
	unsigned char	*p;
	size_t		len, max;
	__u64		records, objects, pages;
};

/* Differences from the plain fixture. */
#define IMAGE_LATER	0x01	/* the same, at another time */
#define IMAGE_CHANGED	0x02	/* a name, a position, a page */
#define IMAGE_DANGLING	0x04	/* a reference to what is not there */
#define IMAGE_GROWN	0x08	/* bodies of a later version, zeros added */
#define IMAGE_OPTIONAL	0x10	/* a record that need not be known */
#define IMAGE_EVIL	0x20	/* names that no terminal should get */
#define IMAGE_USED	0x40	/* less time left */
#define IMAGE_OFF	0x80	/* timers that are off */

void put(struct builder *b, __u32 type, __u32 objref, const void *body,
	 size_t body_len, const void *data, size_t data_len);
void put_flags(struct builder *b, __u32 type, __u32 flags, __u32 objref,
	       const void *body, size_t body_len, const void *data,
	       size_t data_len);
void put_pages(struct builder *b, __u32 objref, const struct ckpt_page_run *runs,
	       __u32 nr_runs, const void *pages, __u32 nr_pages);
void put_header(struct builder *b, unsigned int how);
void put_trailer(struct builder *b);

/* Two pipelines' worth of tasks, with one of everything. */
void make_image(struct builder *b, unsigned int how);

/* Make the checksums of all records right that can be found. */
void fix_checksums(unsigned char *p, size_t len);

#endif /* TEST_IMAGE_H */
