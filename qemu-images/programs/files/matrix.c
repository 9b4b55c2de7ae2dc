// SPDX-License-Identifier: GPL-2.0
/*
 * Powers of a matrix modulo a prime, by all threads that OpenMP offers. The
 * arithmetic is exact, so the result does not depend on who does what.
 */
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIME	2147483647u

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 256;
	int rounds = argc > 2 ? atoi(argv[2]) : 8;
	uint32_t *a = malloc(sizeof(*a) * n * n);
	uint32_t *b = malloc(sizeof(*b) * n * n);
	uint32_t *c = malloc(sizeof(*c) * n * n);
	uint64_t sum;

	if (n <= 0 || !a || !b || !c)
		return 1;
	for (int i = 0; i < n * n; i++)
		a[i] = (i * 2654435761u + 12345) % PRIME;
	memcpy(b, a, sizeof(*b) * n * n);
	printf("%d threads\n", omp_get_max_threads());
	for (int round = 0; round < rounds; round++) {
		sum = 0;
#pragma omp parallel for schedule(dynamic, 4) reduction(+:sum)
		for (int i = 0; i < n; i++) {
			for (int j = 0; j < n; j++) {
				uint64_t s = 0;

				for (int k = 0; k < n; k++)
					s = (s + (uint64_t)a[i * n + k] * b[k * n + j]) % PRIME;
				c[i * n + j] = s;
				sum += s;
			}
		}
		uint32_t *t = b;

		b = c;
		c = t;
		printf("%d %llu\n", round, (unsigned long long)sum);
		fflush(stdout);
	}
	return 0;
}
