/*
 * memory.c - mapping memory, and what the machine has of it.
 *
 * Contract in os.h; relies on zm_os_syscall.  Called by zone/ for everything
 * that it carves, by malloc/ and logger/ for their own mappings.
 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "os/trace.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define CALL(nr, a, b, c, d, e, f)                                    \
	zm_os_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), \
		      (long)(e), (long)(f))

static bool
failed(long result)
{
	return (unsigned long)result > -4096UL;
}

long
zm_os_mmap(void *p, size_t bytes, int prot, int flags, int fd, int64_t offset)
{
	return CALL(SYS_mmap, p, bytes, prot, flags, fd, offset);
}

void
zm_os_name(void *p, size_t bytes, const char *name)
{
	static bool unknown; /* kernels before 5.17, or built without */
	if (!name || unknown)
		return;
	if (zm_os_prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)p,
			bytes, (unsigned long)name) == -EINVAL)
		unknown = true;
}

static void *
map(size_t bytes, int prot, int flags, const char *name)
{
	long p = zm_os_mmap(NULL, bytes, prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (failed(p))
		return NULL;
	zm_os_name((void *)p, bytes, name);
	return (void *)p;
}

/* Maps more than asked and trims both ends. */
static void *
map_aligned(size_t bytes, size_t align, int prot, int flags, const char *name)
{
	size_t page = zm_os_page_size(), room;
	if (align <= page)
		return map(bytes, prot, flags, name);
	if (__builtin_add_overflow(bytes, align - page, &room))
		return NULL;
	uintptr_t p = (uintptr_t)map(room, prot, flags, NULL);
	if (!p)
		return NULL;
	uintptr_t start = (p + align - 1) & ~(align - 1);
	if (start > p)
		zm_os_unmap((void *)p, start - p);
	if (start + bytes < p + room)
		zm_os_unmap((void *)(start + bytes), p + room - start - bytes);
	zm_os_name((void *)start, bytes, name);
	return (void *)start;
}

void *
zm_os_map(size_t bytes, const char *name)
{
	void *p = map(bytes, PROT_READ | PROT_WRITE, 0, name);
	if (p)
		zm_os_own_add(p, bytes);
	return p;
}

void *
zm_os_map_aligned(size_t bytes, size_t align, const char *name)
{
	void *p = map_aligned(bytes, align, PROT_READ | PROT_WRITE, 0, name);
	if (p)
		zm_os_own_add(p, bytes);
	return p;
}

/* Not MAP_NORESERVE: what is opened later shall be charged then, so that a
 * request for more than the machine has is refused as the kernel is set. */
void *
zm_os_reserve(size_t bytes, size_t align, const char *name)
{
	void *p = map_aligned(bytes, align, PROT_NONE, 0, name);
	if (p)
		zm_os_own_add(p, bytes);
	return p;
}

int
zm_os_protect(void *p, size_t bytes, int prot)
{
	return (int)CALL(SYS_mprotect, p, bytes, prot, 0, 0, 0);
}

int
zm_os_commit(void *p, size_t bytes)
{
	return zm_os_protect(p, bytes, PROT_READ | PROT_WRITE);
}

static unsigned counting; /* atomic */
static size_t released;	  /* atomic */

size_t
zm_os_release_begin(void)
{
	__atomic_fetch_add(&counting, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&released, __ATOMIC_RELAXED);
}

size_t
zm_os_released(size_t begin)
{
	return __atomic_load_n(&released, __ATOMIC_RELAXED) - begin;
}

void
zm_os_release_end(void)
{
	__atomic_fetch_sub(&counting, 1, __ATOMIC_RELAXED);
}

/* Before pages go. */
static size_t
present(void *p, size_t bytes)
{
	return __atomic_load_n(&counting, __ATOMIC_RELAXED)
		   ? zm_os_resident(p, bytes)
		   : 0;
}

static int
gone(int result, size_t bytes)
{
	if (bytes && !result)
		__atomic_fetch_add(&released, bytes, __ATOMIC_RELAXED);
	return result;
}

int
zm_os_decommit(void *p, size_t bytes)
{
	size_t n = present(p, bytes);
	long r = zm_os_mmap(p, bytes, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return gone(failed(r) ? (int)r : 0, n);
}

int
zm_os_unmap(void *p, size_t bytes)
{
	size_t n = present(p, bytes);
	zm_os_own_remove(p, bytes);
	return gone((int)CALL(SYS_munmap, p, bytes, 0, 0, 0, 0), n);
}

int
zm_os_madvise(void *p, size_t bytes, int advice)
{
	return (int)CALL(SYS_madvise, p, bytes, advice, 0, 0, 0);
}

int
zm_os_purge(void *p, size_t bytes)
{
	ZM_TRACE(madvise, 0, p, bytes);
	size_t n = present(p, bytes);
	return gone(zm_os_madvise(p, bytes, MADV_DONTNEED), n);
}

int
zm_os_populate(void *p, size_t bytes)
{
	return zm_os_madvise(p, bytes, MADV_POPULATE_WRITE);
}

long
zm_os_mremap(void *p, size_t bytes, size_t new_bytes, int flags,
	     void *new_address)
{
	return CALL(SYS_mremap, p, bytes, new_bytes, flags, new_address, 0);
}

size_t
zm_os_resident(void *p, size_t bytes)
{
	unsigned char map_of[512];
	size_t page = zm_os_page_size(), total = 0;
	uintptr_t at = (uintptr_t)p & ~(page - 1);
	uintptr_t end = (uintptr_t)p + bytes;
	while (at < end) {
		size_t pages = (end - at + page - 1) / page;
		if (pages > sizeof(map_of))
			pages = sizeof(map_of);
		if (CALL(SYS_mincore, at, pages * page, map_of, 0, 0, 0))
			return total;
		for (size_t i = 0; i < pages; i++)
			total += map_of[i] & 1 ? page : 0;
		at += pages * page;
	}
	return total;
}

/* ---- the machine -------------------------------------------------------- */

/* x86-64 has 4 KiB always.  Elsewhere the kernel is asked without libc: only
 * a start at a multiple of the page size can be unmapped. */
size_t
zm_os_page_size(void)
{
#if defined(__x86_64__)
	return 4096;
#else
	static size_t size;
	if (size)
		return size;
	long p = zm_os_mmap(NULL, 1 << 17, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (failed(p))
		return 4096;
	size_t found = 65536;
	for (size_t try = 4096; try < 65536; try *= 4)
		if (zm_os_madvise((void *)(p + (long)try), 65536,
				  MADV_NORMAL) == 0) {
			found = try;
			break;
		}
	zm_os_unmap((void *)p, 1 << 17);
	return size = found;
#endif
}

/* The kernel's struct sysinfo, of which libc has none without its header. */
uint64_t
zm_os_ram(void)
{
	struct {
		long uptime;
		unsigned long loads[3], total, free, shared, buffer, swap,
		    swap_free;
		unsigned short procs, pad;
		unsigned long high, high_free;
		unsigned unit;
		char rest[64];
	} info = { 0 };
	if (CALL(SYS_sysinfo, &info, 0, 0, 0, 0, 0))
		return 0;
	return (uint64_t)info.total * (info.unit ? info.unit : 1);
}

size_t
zm_os_address_space(void)
{
	uint64_t soft;
	if (zm_os_getrlimit(RLIMIT_AS, &soft, NULL) || soft >= SIZE_MAX)
		return SIZE_MAX;
	return soft;
}

unsigned
zm_os_cpu(void)
{
	int cpu = sched_getcpu();
	return cpu < 0 ? 0 : (unsigned)cpu;
}

unsigned
zm_os_ncpu(void)
{
	unsigned long set[128]; /* 8192 CPUs */
	long bytes = CALL(SYS_sched_getaffinity, 0, sizeof(set), set, 0, 0, 0);
	unsigned n = 0;
	for (long i = 0; i * (long)sizeof(*set) < bytes; i++)
		n += (unsigned)__builtin_popcountl(set[i]);
	return n ? n : 1;
}

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts = { 0, 0 };
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t
zm_os_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
zm_os_realtime(void)
{
	return clock_ns(CLOCK_REALTIME);
}

void
zm_os_random(void *out, size_t bytes)
{
	enum { NONBLOCK = 1 };
	unsigned char *p = out;
	long n = CALL(SYS_getrandom, out, bytes, NONBLOCK, 0, 0, 0);
	size_t have = n > 0 ? (size_t)n : 0;
	if (have == bytes)
		return;
	uint64_t x = clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)&have << 20;
	for (; have < bytes; have++) {
		x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15) + 1;
		p[have] = (unsigned char)(x >> 56);
	}
}

int
zm_os_sleep(uint64_t ns)
{
	struct {
		int64_t s, ns;
	} ts = { (int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000) };
	return (int)CALL(SYS_nanosleep, &ts, NULL, 0, 0, 0, 0);
}

int
zm_os_yield(void)
{
	return (int)CALL(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}
