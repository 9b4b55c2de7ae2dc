// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoint/restart: registers.
 *
 * They are filled with patterns, then the program spins in a loop that touches
 * nothing but memory until it was checkpointed and is told to go on, then they
 * are stored and compared. A word of shared memory ends the loop, set by a
 * second thread, since the loop itself can make no system call.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "../kselftest_harness.h"
#include "ckpt_util.h"

/* Named by assembly, hence not static. */
atomic_uint spinning;
atomic_uint done;

/* Does what the main thread cannot, since it spins. */
static void *conductor(void *arg)
{
	(void)arg;
	while (!spinning)
		ckpt_sleep_ms(1);
	ckpt_sleep_ms(10);
	subject_ready();
	subject_wait("go");
	done = 1;
	return NULL;
}

static void start_conductor(pthread_t *thread)
{
	CHECK_EQ(0, pthread_create(thread, NULL, conductor, NULL));
}

#ifdef __x86_64__

struct gprs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13,
		 r14, r15, flags;
};

struct gprs gprs_in;
struct gprs gprs_out;
uint64_t saved_rbp;

SUBJECT(gpr)
{
	uint64_t *p = (uint64_t *)&gprs_in;
	pthread_t thread;
	unsigned int i;

	start_conductor(&thread);
	for (i = 0; i < 15; i++)
		p[i] = 0x1122334455667788ULL * (i + 1) ^ ((uint64_t)i << 56);
	/* the result of "cmp 0, 0", which ends the loop, is in between */
	asm volatile ("movq %%rbp, saved_rbp(%%rip)\n"
		"movl $1, spinning(%%rip)\n"
		"movq gprs_in+0(%%rip), %%rax\n"
		"movq gprs_in+8(%%rip), %%rbx\n"
		"movq gprs_in+16(%%rip), %%rcx\n"
		"movq gprs_in+24(%%rip), %%rdx\n"
		"movq gprs_in+32(%%rip), %%rsi\n"
		"movq gprs_in+40(%%rip), %%rdi\n"
		"movq gprs_in+48(%%rip), %%rbp\n"
		"movq gprs_in+56(%%rip), %%r8\n"
		"movq gprs_in+64(%%rip), %%r9\n"
		"movq gprs_in+72(%%rip), %%r10\n"
		"movq gprs_in+80(%%rip), %%r11\n"
		"movq gprs_in+88(%%rip), %%r12\n"
		"movq gprs_in+96(%%rip), %%r13\n"
		"movq gprs_in+104(%%rip), %%r14\n"
		"movq gprs_in+112(%%rip), %%r15\n"
		"1: pause\n"
		"cmpl $0, done(%%rip)\n"
		"je 1b\n"
		"movq %%rax, gprs_out+0(%%rip)\n"
		"movq %%rbx, gprs_out+8(%%rip)\n"
		"movq %%rcx, gprs_out+16(%%rip)\n"
		"movq %%rdx, gprs_out+24(%%rip)\n"
		"movq %%rsi, gprs_out+32(%%rip)\n"
		"movq %%rdi, gprs_out+40(%%rip)\n"
		"movq %%rbp, gprs_out+48(%%rip)\n"
		"movq %%r8, gprs_out+56(%%rip)\n"
		"movq %%r9, gprs_out+64(%%rip)\n"
		"movq %%r10, gprs_out+72(%%rip)\n"
		"movq %%r11, gprs_out+80(%%rip)\n"
		"movq %%r12, gprs_out+88(%%rip)\n"
		"movq %%r13, gprs_out+96(%%rip)\n"
		"movq %%r14, gprs_out+104(%%rip)\n"
		"movq %%r15, gprs_out+112(%%rip)\n"
		"movq saved_rbp(%%rip), %%rbp\n"
		: : : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9",
		      "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	CHECK_EQ(0, pthread_join(thread, NULL));
	for (i = 0; i < 15; i++)
		CHECK_EQ(p[i], ((uint64_t *)&gprs_out)[i]);
}

/* Flags that no instruction of the loop changes: DF, AC, ID. */
SUBJECT(flags)
{
	const uint64_t want = 1 << 10 | 1 << 18 | 1 << 21;
	pthread_t thread;
	uint64_t seen;

	start_conductor(&thread);
	asm volatile ("subq $128, %%rsp\n"
		"pushfq\n"
		"orq %[want], (%%rsp)\n"
		"popfq\n"
		"movl $1, spinning(%%rip)\n"
		"1: pause\n"
		"cmpl $0, done(%%rip)\n"
		"je 1b\n"
		"pushfq\n"
		"popq %[seen]\n"
		"pushfq\n"
		"andq $~0x40400, (%%rsp)\n"
		"popfq\n"
		"addq $128, %%rsp\n"
		: [seen] "=&r" (seen)
		: [want] "r" (want)
		: "memory", "cc");
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(want, seen & want);
}

static alignas(64) uint8_t vec_in[32][64];
static alignas(64) uint8_t vec_out[32][64];
static uint64_t mask_in[8], mask_out[8];

static void fill_vectors(void)
{
	unsigned int i, k;

	for (i = 0; i < 32; i++)
		for (k = 0; k < 64; k++)
			vec_in[i][k] = i * 64 + k * 7 + 1;
	for (i = 0; i < 8; i++)
		mask_in[i] = 0x0101010101010101ULL * (i + 1) ^ 0xf0f00f0f;
}

#define SPIN					\
	"movl $1, spinning(%%rip)\n"		\
	"1: pause\n"				\
	"cmpl $0, done(%%rip)\n"		\
	"je 1b\n"

#define LOAD(op, reg, n, off)	op " " #off "(%[in]), %%" reg #n "\n"
#define STORE(op, reg, n, off)	op " %%" reg #n ", " #off "(%[out])\n"
#define ALL16(do, op, reg)						\
	do(op, reg, 0, 0) do(op, reg, 1, 64) do(op, reg, 2, 128)	\
	do(op, reg, 3, 192) do(op, reg, 4, 256) do(op, reg, 5, 320)	\
	do(op, reg, 6, 384) do(op, reg, 7, 448) do(op, reg, 8, 512)	\
	do(op, reg, 9, 576) do(op, reg, 10, 640) do(op, reg, 11, 704)	\
	do(op, reg, 12, 768) do(op, reg, 13, 832) do(op, reg, 14, 896)	\
	do(op, reg, 15, 960)
#define MORE16(do, op, reg)						\
	do(op, reg, 16, 1024) do(op, reg, 17, 1088) do(op, reg, 18, 1152) \
	do(op, reg, 19, 1216) do(op, reg, 20, 1280) do(op, reg, 21, 1344) \
	do(op, reg, 22, 1408) do(op, reg, 23, 1472) do(op, reg, 24, 1536) \
	do(op, reg, 25, 1600) do(op, reg, 26, 1664) do(op, reg, 27, 1728) \
	do(op, reg, 28, 1792) do(op, reg, 29, 1856) do(op, reg, 30, 1920) \
	do(op, reg, 31, 1984)

static void check_vectors(unsigned int regs, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < regs; i++)
		if (memcmp(vec_in[i], vec_out[i], size))
			subject_fail(__FILE__, __LINE__,
				     "vector register %u has changed", i);
}

SUBJECT(sse)
{
	pthread_t thread;

	start_conductor(&thread);
	fill_vectors();
	asm volatile (ALL16(LOAD, "movdqa", "xmm")
		      SPIN
		      ALL16(STORE, "movdqa", "xmm")
		      : : [in] "r" (vec_in), [out] "r" (vec_out)
		      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			"xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			"xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	CHECK_EQ(0, pthread_join(thread, NULL));
	check_vectors(16, 16);
}

__attribute__((target("avx")))
SUBJECT(avx)
{
	pthread_t thread;

	start_conductor(&thread);
	fill_vectors();
	asm volatile (ALL16(LOAD, "vmovdqa", "ymm")
		      SPIN
		      ALL16(STORE, "vmovdqa", "ymm")
		      "vzeroupper\n"
		      : : [in] "r" (vec_in), [out] "r" (vec_out)
		      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
			"xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			"xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	CHECK_EQ(0, pthread_join(thread, NULL));
	check_vectors(16, 32);
}

SUBJECT(avx512)
{
	pthread_t thread;
	unsigned int i;

	start_conductor(&thread);
	fill_vectors();
	asm volatile (ALL16(LOAD, "vmovdqa64", "zmm")
		      MORE16(LOAD, "vmovdqa64", "zmm")
		      "movq %[min], %%rax\n"
		      "kmovq 0(%%rax), %%k0\n"
		      "kmovq 8(%%rax), %%k1\n"
		      "kmovq 16(%%rax), %%k2\n"
		      "kmovq 24(%%rax), %%k3\n"
		      "kmovq 32(%%rax), %%k4\n"
		      "kmovq 40(%%rax), %%k5\n"
		      "kmovq 48(%%rax), %%k6\n"
		      "kmovq 56(%%rax), %%k7\n"
		      SPIN
		      ALL16(STORE, "vmovdqa64", "zmm")
		      MORE16(STORE, "vmovdqa64", "zmm")
		      "movq %[mout], %%rax\n"
		      "kmovq %%k0, 0(%%rax)\n"
		      "kmovq %%k1, 8(%%rax)\n"
		      "kmovq %%k2, 16(%%rax)\n"
		      "kmovq %%k3, 24(%%rax)\n"
		      "kmovq %%k4, 32(%%rax)\n"
		      "kmovq %%k5, 40(%%rax)\n"
		      "kmovq %%k6, 48(%%rax)\n"
		      "kmovq %%k7, 56(%%rax)\n"
		      "vzeroupper\n"
		      : : [in] "r" (vec_in), [out] "r" (vec_out),
			  [min] "r" (mask_in), [mout] "r" (mask_out)
		      : "memory", "cc", "rax", "xmm0", "xmm1", "xmm2", "xmm3",
			"xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	CHECK_EQ(0, pthread_join(thread, NULL));
	check_vectors(32, 64);
	for (i = 0; i < 8; i++)
		CHECK_EQ(mask_in[i], mask_out[i]);
}

/* Eight values on the x87 stack, control words that are not the defaults. */
SUBJECT(x87)
{
	uint16_t fcw = 0x0c7f, fcw_out = 0, fsw = 0, old;
	uint32_t mxcsr = 0x9fc0 | 0x6000, mxcsr_out = 0, old_mxcsr;
	double in[8], out[8];
	pthread_t thread;
	unsigned int i;

	start_conductor(&thread);
	for (i = 0; i < 8; i++)
		in[i] = (i + 1) * 1.0625;
	asm volatile ("fnstcw %0; stmxcsr %1" : "=m" (old), "=m" (old_mxcsr));
	asm volatile ("fninit\n"
		      "fldcw %[fcw]\n"
		      "ldmxcsr %[mxcsr]\n"
		      "fldl 0(%[in])\n"
		      "fldl 8(%[in])\n"
		      "fldl 16(%[in])\n"
		      "fldl 24(%[in])\n"
		      "fldl 32(%[in])\n"
		      "fldl 40(%[in])\n"
		      "fldl 48(%[in])\n"
		      "fldl 56(%[in])\n"
		      SPIN
		      "fnstcw %[fcw_out]\n"
		      "fnstsw %[fsw]\n"
		      "stmxcsr %[mxcsr_out]\n"
		      "fstpl 56(%[out])\n"
		      "fstpl 48(%[out])\n"
		      "fstpl 40(%[out])\n"
		      "fstpl 32(%[out])\n"
		      "fstpl 24(%[out])\n"
		      "fstpl 16(%[out])\n"
		      "fstpl 8(%[out])\n"
		      "fstpl 0(%[out])\n"
		      : [fcw_out] "=m" (fcw_out), [fsw] "=m" (fsw),
			[mxcsr_out] "=m" (mxcsr_out)
		      : [in] "r" (in), [out] "r" (out), [fcw] "m" (fcw),
			[mxcsr] "m" (mxcsr)
		      : "memory", "cc");
	asm volatile ("fninit; fldcw %0; ldmxcsr %1"
		      : : "m" (old), "m" (old_mxcsr));
	CHECK_EQ(0, pthread_join(thread, NULL));
	CHECK_EQ(fcw, fcw_out);
	CHECK_EQ(0, fsw >> 11 & 7);
	CHECK_EQ(mxcsr, mxcsr_out);
	CHECK_MEM(in, out, sizeof(in));
}

static int arch_prctl(int op, unsigned long addr)
{
	return syscall(SYS_arch_prctl, op, addr);
}

/* A gs base far from anything, the fs base that TLS lives by. */
SUBJECT(bases)
{
	static uint64_t words[2] = { 0x1234567890abcdef, 42 };
	unsigned long fs, gs, seen = 0;
	uint64_t word;

	CHECK_EQ(0, arch_prctl(ARCH_GET_FS, (unsigned long)&fs));
	CHECK_EQ(0, arch_prctl(ARCH_SET_GS, (unsigned long)words));
	CHECK_EQ(0, arch_prctl(ARCH_GET_GS, (unsigned long)&gs));
	CHECK_EQ((unsigned long)words, gs);

	subject_point();

	asm volatile ("movq %%gs:0, %0" : "=r" (word));
	CHECK_EQ(words[0], word);
	asm volatile ("movq %%gs:8, %0" : "=r" (word));
	CHECK_EQ(words[1], word);
	CHECK_EQ(0, arch_prctl(ARCH_GET_GS, (unsigned long)&seen));
	CHECK_EQ(gs, seen);
	CHECK_EQ(0, arch_prctl(ARCH_GET_FS, (unsigned long)&seen));
	CHECK_EQ(fs, seen);
}

static uint32_t rdpkru(void)
{
	uint32_t eax, edx;

	asm volatile (".byte 0x0f, 0x01, 0xee"
		      : "=a" (eax), "=d" (edx) : "c" (0));
	return eax;
}

static void wrpkru(uint32_t pkru)
{
	asm volatile (".byte 0x0f, 0x01, 0xef"
		      : : "a" (pkru), "c" (0), "d" (0) : "memory");
}

/* The key of the mapping at an address, by /proc/self/smaps. */
static int key_of(void *addr)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool here = false;
	char line[512];
	int key = -1;

	CHECK(f);
	while (key < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = (unsigned long)addr >= start && (unsigned long)addr < end;
		else if (here)
			sscanf(line, "ProtectionKey: %d", &key);
	}
	fclose(f);
	return key;
}

/* The kernel goes by the keys, too, when it is to read or write. */
static bool can_read(void *addr)
{
	int fds[2];
	bool can;

	CHECK_EQ(0, pipe(fds));
	can = write(fds[1], addr, 1) == 1;
	CHECK(can || errno == EFAULT);
	close(fds[0]);
	close(fds[1]);
	return can;
}

static bool can_write(void *addr)
{
	int fd = open("/dev/zero", O_RDONLY);
	bool can;

	CHECK(fd >= 0);
	can = read(fd, addr, 1) == 1;
	CHECK(can || errno == EFAULT);
	close(fd);
	return can;
}

static char *keyed_page(int prot, int flags, int key)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  flags | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	page[0] = 'x';
	page[1] = 'y';
	CHECK_EQ(0, pkey_mprotect(page, 4096, prot, key));
	return page;
}

static char *shut_page;

static void *other_rights(void *arg)
{
	uint32_t before = rdpkru() ^ *(uint32_t *)arg;

	wrpkru(before);
	CHECK(can_read(shut_page));
	subject_touch("thread");
	subject_wait("on");
	CHECK_EQ(before, rdpkru());
	CHECK(can_read(shut_page));
	return NULL;
}

/* Keys, what each thread may do by them, and pages that they protect. */
SUBJECT(pkru)
{
	int ro = pkey_alloc(0, PKEY_DISABLE_WRITE), shut = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	int freed = pkey_alloc(0, 0), next;
	char *ro_page, *freed_page, *shared;
	uint32_t before, toggle = 1U << (2 * shut);
	pthread_t thread;

	CHECK(ro > 0 && shut > 0 && freed > 0);
	ro_page = keyed_page(PROT_READ | PROT_WRITE, MAP_PRIVATE, ro);
	shut_page = keyed_page(PROT_READ, MAP_PRIVATE, shut);
	freed_page = keyed_page(PROT_READ | PROT_WRITE, MAP_PRIVATE, freed);
	shared = keyed_page(PROT_READ | PROT_WRITE, MAP_SHARED, ro);
	CHECK_EQ(0, pkey_free(freed));
	before = rdpkru();
	CHECK_EQ(0, pthread_create(&thread, NULL, other_rights, &toggle));
	subject_wait("thread");

	subject_point();

	subject_touch("on");
	CHECK_EQ(before, rdpkru());
	CHECK_EQ(ro, key_of(ro_page));
	CHECK_EQ(shut, key_of(shut_page));
	CHECK_EQ(freed, key_of(freed_page));
	CHECK_EQ(ro, key_of(shared));
	CHECK_EQ(0, key_of(&before));
	CHECK_EQ('x', ro_page[0]);
	CHECK_EQ('x', shared[0]);
	CHECK_EQ('x', freed_page[0]);
	CHECK(can_read(ro_page) && !can_write(ro_page));
	CHECK(!can_read(shut_page));
	CHECK(can_write(freed_page));
	CHECK_EQ(0, pthread_join(thread, NULL));
	wrpkru(0);
	CHECK_EQ('y', shut_page[1]);
	CHECK(can_write(ro_page));
	CHECK(!can_write(shut_page));
	/* those that were allocated are, the one that was freed is not */
	next = pkey_alloc(0, 0);
	CHECK_EQ(freed, next);
	CHECK_EQ(0, pkey_free(ro));
	CHECK_EQ(-1, pkey_free(ro));
	CHECK_EQ(0, pkey_free(shut));
}

/* Memory that may only be executed has a key by itself, or that of somebody. */
SUBJECT(pkru_exec_only)
{
	int own = pkey_alloc(0, 0), other, exec_key;
	char *plain, *keyed, *exec_only;

	CHECK(own > 0);
	exec_only = keyed_page(PROT_READ, MAP_PRIVATE, 0);
	CHECK_EQ(0, mprotect(exec_only, 4096, PROT_EXEC));
	exec_key = key_of(exec_only);
	CHECK(exec_key > 0 && exec_key != own);
	plain = keyed_page(PROT_EXEC, MAP_PRIVATE, 0);
	keyed = keyed_page(PROT_EXEC, MAP_PRIVATE, own);
	CHECK(can_read(plain) && can_read(keyed) && !can_read(exec_only));

	subject_point();

	CHECK(can_read(plain) && can_read(keyed) && !can_read(exec_only));
	CHECK_EQ(exec_key, key_of(exec_only));
	CHECK_EQ(0, key_of(plain));
	CHECK_EQ(own, key_of(keyed));
	/* the key is the kernel's, and the same one for more of the kind */
	CHECK_EQ(-1, pkey_free(exec_key));
	CHECK_EQ(0, mprotect(plain, 4096, PROT_READ));
	CHECK_EQ(0, key_of(plain));
	CHECK_EQ(0, mprotect(plain, 4096, PROT_EXEC));
	CHECK_EQ(exec_key, key_of(plain));
	CHECK_EQ(0, mprotect(exec_only, 4096, PROT_READ));
	CHECK_EQ(0, key_of(exec_only));
	CHECK_EQ('y', exec_only[1]);
	other = pkey_alloc(0, 0);
	CHECK(other > 0 && other != own && other != exec_key);
}

/* Without a key of its own: the register alone. */
SUBJECT(pkru_plain)
{
	uint32_t before = rdpkru() ^ 0x0c000000;

	wrpkru(before);
	subject_point();
	CHECK_EQ(before, rdpkru());
}

static bool has_xfeature(unsigned int bits)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return false;
	asm volatile ("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));
	return (eax & bits) == bits;
}

static bool has_avx512bw(void)
{
	unsigned int eax, ebx, ecx, edx;

	return has_xfeature(0xe6) &&
	       __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       (ebx & bit_AVX512BW);
}

static bool has_pku(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       (ecx & bit_OSPKE);
}

#endif /* __x86_64__ */

/* Thread-local variables and each thread's own rounding mode and registers. */

#define NR_THREADS 6

static __thread unsigned int tls_word = 0xabcd;
static __thread unsigned int tls_bss[100];
static pthread_barrier_t barrier;
static atomic_bool threads_go;

static void *tls_thread(void *arg)
{
	static const int modes[] = {
		FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO,
	};
	unsigned int nr = (uintptr_t)arg, i;
	unsigned int *where = &tls_word;
	pthread_t me = pthread_self();
	pid_t tid = syscall(SYS_gettid);
	atomic_ulong sum = 0;

	CHECK_EQ(0xabcd, tls_word);
	tls_word = nr * 3 + 1;
	for (i = 0; i < 100; i++)
		tls_bss[i] = nr * 1000 + i;
	CHECK_EQ(0, fesetround(modes[nr % 4]));
	pthread_barrier_wait(&barrier);
	/* some spin, some sleep */
	while (!threads_go) {
		if (nr & 1)
			ckpt_sleep_ms(2);
		else
			sum++;
	}
	CHECK_EQ(nr * 3 + 1, tls_word);
	CHECK(where == &tls_word);
	for (i = 0; i < 100; i++)
		CHECK_EQ(nr * 1000 + i, tls_bss[i]);
	CHECK_EQ(modes[nr % 4], fegetround());
	CHECK(pthread_equal(me, pthread_self()));
	CHECK_EQ(tid, syscall(SYS_gettid));
	return (void *)(uintptr_t)(nr + 100);
}

#ifdef __x86_64__

/*
 * What frames of signals tell of a fault stays until the next one. So a frame
 * that has nothing to do with a fault shows it, too.
 */
static __thread greg_t frame[3];
static __thread sigjmp_buf after_fault;

static void note_frame(void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

	frame[0] = regs[REG_TRAPNO];
	frame[1] = regs[REG_ERR];
	frame[2] = regs[REG_CR2];
}

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
	(void)sig;
	(void)info;
	note_frame(ucontext);
	siglongjmp(after_fault, 1);
}

static void on_usr1(int sig, siginfo_t *info, void *ucontext)
{
	(void)sig;
	(void)info;
	note_frame(ucontext);
}

static void check_frame(const greg_t *was)
{
	memset(frame, 0xff, sizeof(frame));
	CHECK_EQ(0, raise(SIGUSR1));
	CHECK_EQ(was[0], frame[0]);
	CHECK_EQ(was[1], frame[1]);
	CHECK_EQ(was[2], frame[2]);
}

static void *trap_thread(void *arg)
{
	greg_t was[3];

	if (!sigsetjmp(after_fault, 1))
		asm volatile("ud2");
	memcpy(was, frame, sizeof(was));
	CHECK_EQ(6, was[0]);
	check_frame(was);
	pthread_barrier_wait(&barrier);
	while (!threads_go)
		ckpt_sleep_ms(1);
	check_frame(was);
	return arg;
}

static void *plain_thread(void *arg)
{
	static const greg_t none[3];

	/* it was created before there was any */
	check_frame(none);
	pthread_barrier_wait(&barrier);
	while (!threads_go)
		ckpt_sleep_ms(1);
	check_frame(none);
	return arg;
}

SUBJECT(fault_frame)
{
	struct sigaction act = { .sa_flags = SA_SIGINFO };
	char *bad = (char *)0x123456789000;
	pthread_t plain, trap;
	greg_t was[3];

	act.sa_sigaction = on_usr1;
	CHECK_EQ(0, sigaction(SIGUSR1, &act, NULL));
	act.sa_sigaction = on_fault;
	CHECK_EQ(0, sigaction(SIGSEGV, &act, NULL));
	CHECK_EQ(0, sigaction(SIGILL, &act, NULL));
	pthread_barrier_init(&barrier, NULL, 3);
	CHECK_EQ(0, pthread_create(&plain, NULL, plain_thread, NULL));
	CHECK_EQ(0, pthread_create(&trap, NULL, trap_thread, NULL));

	if (!sigsetjmp(after_fault, 1))
		WRITE_ONCE(bad[0x123], 1);
	memcpy(was, frame, sizeof(was));
	CHECK_EQ(14, was[0]);
	/* from user mode, to write */
	CHECK_EQ(6, was[1]);
	CHECK_EQ((uintptr_t)bad + 0x123, was[2]);
	pthread_barrier_wait(&barrier);

	subject_point();

	check_frame(was);
	threads_go = true;
	CHECK_EQ(0, pthread_join(plain, NULL));
	CHECK_EQ(0, pthread_join(trap, NULL));
}

#endif /* __x86_64__ */

SUBJECT(tls)
{
	pthread_t threads[NR_THREADS];
	unsigned int i;
	void *ret;

	tls_word = 0x7777;
	pthread_barrier_init(&barrier, NULL, NR_THREADS + 1);
	for (i = 0; i < NR_THREADS; i++)
		CHECK_EQ(0, pthread_create(&threads[i], NULL, tls_thread,
					   (void *)(uintptr_t)i));
	pthread_barrier_wait(&barrier);

	subject_point();

	CHECK_EQ(0x7777, tls_word);
	threads_go = true;
	for (i = 0; i < NR_THREADS; i++) {
		CHECK_EQ(0, pthread_join(threads[i], &ret));
		CHECK_EQ(i + 100, (uintptr_t)ret);
	}
}

CKPT_FIXTURE_HOW(cpu);
CKPT_VARIANTS_OTHER(cpu);

CKPT_FIXTURE_HOW(cpu_all);
CKPT_VARIANTS(cpu_all);

#ifdef __x86_64__
CKPT_ROUNDTRIP(cpu, gpr);
CKPT_ROUNDTRIP(cpu, flags);
CKPT_ROUNDTRIP(cpu, sse);
CKPT_ROUNDTRIP(cpu, x87);
CKPT_ROUNDTRIP(cpu_all, fault_frame);

TEST_F_TIMEOUT(cpu, avx, CKPT_TIMEOUT)
{
	if (!has_xfeature(0x6))
		SKIP(return, "processor has no AVX");
	ASSERT_EQ(0, ckpt_roundtrip("avx", &variant->how));
}

TEST_F_TIMEOUT(cpu, avx512, CKPT_TIMEOUT)
{
	if (!has_avx512bw())
		SKIP(return, "processor has no AVX-512");
	ASSERT_EQ(0, ckpt_roundtrip("avx512", &variant->how));
}

TEST_F_TIMEOUT(cpu_all, pkru_plain, CKPT_TIMEOUT)
{
	if (!has_pku())
		SKIP(return, "processor or kernel has no protection keys");
	ASSERT_EQ(0, ckpt_roundtrip("pkru_plain", &variant->how));
}

TEST_F_TIMEOUT(cpu_all, pkru, CKPT_TIMEOUT)
{
	if (!has_pku())
		SKIP(return, "processor or kernel has no protection keys");
	ASSERT_EQ(0, ckpt_roundtrip("pkru", &variant->how));
}

TEST_F_TIMEOUT(cpu_all, pkru_exec_only, CKPT_TIMEOUT)
{
	if (!has_pku())
		SKIP(return, "processor or kernel has no protection keys");
	ASSERT_EQ(0, ckpt_roundtrip("pkru_exec_only", &variant->how));
}

CKPT_ROUNDTRIP(cpu_all, bases);
#endif

CKPT_ROUNDTRIP(cpu_all, tls);

CKPT_TEST_MAIN
