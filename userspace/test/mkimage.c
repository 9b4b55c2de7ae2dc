// SPDX-License-Identifier: GPL-2.0
/*
 * mkimage [WORD...]: writes an image for tests to the standard output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

int main(int argc, char **argv)
{
	static const struct {
		const char	*word;
		unsigned int	how;
	} words[] = {
		{ "later", IMAGE_LATER }, { "changed", IMAGE_CHANGED },
		{ "dangling", IMAGE_DANGLING }, { "grown", IMAGE_GROWN },
		{ "optional", IMAGE_OPTIONAL }, { "evil", IMAGE_EVIL },
	};
	unsigned int how = 0;
	struct builder b;
	size_t i;

	while (--argc)
		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (!strcmp(argv[argc], words[i].word))
				how |= words[i].how;
	make_image(&b, how);
	if (fwrite(b.p, b.len, 1, stdout) != 1 || fflush(stdout))
		return 1;
	free(b.p);
	return 0;
}
