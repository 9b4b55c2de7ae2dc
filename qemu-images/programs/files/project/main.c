// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#define X(n) unsigned long module_##n(unsigned long seed);
MODULES
#undef X

int main(void)
{
	unsigned long sum = 0;

#define X(n) sum = sum * 31 + module_##n(n);
	MODULES
#undef X
	printf("%lu\n", sum);
	return 0;
}
