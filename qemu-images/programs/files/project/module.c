// SPDX-License-Identifier: GPL-2.0
/*
 * Something for the compiler to chew: a heap, a hash table and a small matrix,
 * with sizes that depend on the number of the module.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASTE(a, b) a##b
#define NAME(a, b) PASTE(a, b)

#define SIZE	(256 + NUMBER)
#define BUCKETS	(64 + NUMBER % 7)
#define DIM	(8 + NUMBER % 5)

struct entry {
	struct entry *next;
	uint64_t key;
	char name[24];
};

static struct entry *table[BUCKETS];
static struct entry entries[SIZE];
static uint64_t heap[SIZE];
static size_t heap_len;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void swap(uint64_t *a, uint64_t *b)
{
	uint64_t t = *a;

	*a = *b;
	*b = t;
}

static void heap_push(uint64_t value)
{
	size_t i = heap_len++;

	heap[i] = value;
	for (; i && heap[(i - 1) / 2] > heap[i]; i = (i - 1) / 2)
		swap(&heap[(i - 1) / 2], &heap[i]);
}

static uint64_t heap_pop(void)
{
	uint64_t top = heap[0];
	size_t i = 0, child;

	heap[0] = heap[--heap_len];
	while ((child = 2 * i + 1) < heap_len) {
		if (child + 1 < heap_len && heap[child + 1] < heap[child])
			child++;
		if (heap[i] <= heap[child])
			break;
		swap(&heap[i], &heap[child]);
		i = child;
	}
	return top;
}

static void insert(struct entry *e)
{
	struct entry **slot = &table[e->key % BUCKETS];

	while (*slot && (*slot)->key < e->key)
		slot = &(*slot)->next;
	e->next = *slot;
	*slot = e;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->key > y->key) - (x->key < y->key);
}

static uint64_t matrix(uint64_t seed)
{
	double a[DIM][DIM], b[DIM][DIM], c[DIM][DIM], trace = 0;

	for (int i = 0; i < DIM; i++)
		for (int j = 0; j < DIM; j++) {
			a[i][j] = next_random(&seed) % 100;
			b[i][j] = next_random(&seed) % 100;
		}
	for (int i = 0; i < DIM; i++)
		for (int j = 0; j < DIM; j++) {
			c[i][j] = 0;
			for (int k = 0; k < DIM; k++)
				c[i][j] += a[i][k] * b[k][j];
		}
	for (int i = 0; i < DIM; i++)
		trace += c[i][i];
	return trace;
}

unsigned long NAME(module_, NUMBER)(unsigned long seed)
{
	uint64_t state = seed * 2654435761u + NUMBER, sum = 0;

	for (int i = 0; i < SIZE; i++) {
		heap_push(next_random(&state) % 100000);
		entries[i].key = next_random(&state) % 1000;
		snprintf(entries[i].name, sizeof(entries[i].name), "%llu",
			 (unsigned long long)next_random(&state));
	}
	while (heap_len)
		sum = sum * 33 + heap_pop();
	qsort(entries, SIZE, sizeof(*entries), compare);
	for (int i = 0; i < SIZE; i++) {
		sum = sum * 33 + entries[i].name[0];
		insert(&entries[i]);
	}
	for (int i = 0; i < BUCKETS; i++)
		for (struct entry *e = table[i]; e; e = e->next)
			sum = sum * 33 + e->key;
	return sum + matrix(state);
}
