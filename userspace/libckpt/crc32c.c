// SPDX-License-Identifier: LGPL-2.1
/*
 * CRC32C, by the processor's instruction where it has one.
 */
#include <pthread.h>
#include <string.h>

#include "ckpt.h"

#define POLY	0x82f63b78U	/* Castagnoli, reflected */

static __u32 table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	__u32 i, k, crc;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc & 1 ? (crc >> 1) ^ POLY : crc >> 1;
		table[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			table[k][i] = (table[k - 1][i] >> 8) ^
				      table[0][table[k - 1][i] & 0xff];
}

static __u32 crc_by_table(__u32 crc, const unsigned char *p, size_t len)
{
	__u64 word;

	pthread_once(&table_once, make_table);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		word ^= crc;
		crc = table[7][word & 0xff] ^
		      table[6][(word >> 8) & 0xff] ^
		      table[5][(word >> 16) & 0xff] ^
		      table[4][(word >> 24) & 0xff] ^
		      table[3][(word >> 32) & 0xff] ^
		      table[2][(word >> 40) & 0xff] ^
		      table[1][(word >> 48) & 0xff] ^
		      table[0][word >> 56];
	}
	while (len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static __u32 crc_by_insn(__u32 crc, const unsigned char *p, size_t len)
{
	__u64 word, crc64 = crc;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		crc64 = __builtin_ia32_crc32di(crc64, word);
	}
	crc = (__u32)crc64;
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

__u32 ckpt_crc32c(__u32 crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_by_insn(crc, data, len);
#endif
	return crc_by_table(crc, data, len);
}

/* For the unit test: the two must agree. */
__u32 ckpt_crc32c_portable(__u32 crc, const void *data, size_t len);

__u32 ckpt_crc32c_portable(__u32 crc, const void *data, size_t len)
{
	return crc_by_table(crc, data, len);
}
