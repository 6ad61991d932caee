/*
 * control.c - recording that starts and stops while the program runs.
 *
 * A start comes from the program (zmalloc_record_start) or from outside: a
 * recorder writes into zmalloc_record_control and sets a byte of the word that
 * every allocation tests (struct zs_control in session.h).  The next fitting
 * allocation then makes the session; to the program it is a slow one.  A stop
 * comes from the program or through the header's request, which hook.c reads.
 *
 * What is loaded for a session, libunwind, is loaded inside that allocation.
 * So it must not be one that the loader makes, nor one of libc's under a lock
 * that on_exit takes, nor one on a small stack: then the next one does it.
 * Both directions wait until no thread is inside the recorder.
 */
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "logger/logger.h"
#include "malloc/message.h"
#include "malloc/options.h"
#include "malloc/registry.h"
#include "malloc/state.h"
#include "os/os.h"
#include "zone/szone.h"

enum {
	STACK_ROOM = 96 << 10, /* bytes that a start may use */
	STACK_STEP = 16 << 10,
	MAIN_STACK = 4 << 20 /* what the first thread surely has */
};

extern void *__libc_stack_end __attribute__((weak));

/* In reach of the recorder, which finds it by its name. */
ZM_EXPORT struct zs_control zmalloc_record_control = {
	.magic = ZS_CONTROL_MAGIC,
	.version = ZS_CONTROL_VERSION,
	.bytes = sizeof(struct zs_control),
};

/* ---- one at a time ---------------------------------------------------- */

static uint32_t busy; /* pid of the process that starts or stops; 0: none */

/* A fork child may inherit the mark of a thread that it does not have. */
static bool
take_turn(void)
{
	uint32_t me = (uint32_t)zm_os_getpid();
	uint32_t seen = __atomic_load_n(&busy, __ATOMIC_RELAXED);

	do {
		if (seen == me)
			return false;
	} while (!__atomic_compare_exchange_n(
	    &busy, &seen, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

static void
end_turn(void)
{
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static void
set_running(uint32_t running)
{
	__atomic_store_n(&zmalloc_record_control.running, running,
			 __ATOMIC_RELEASE);
}

/* ---- start ------------------------------------------------------------ */

/* What lives already: it stays unrecorded. */
static void
count_before(void)
{
	struct zs_header *h = zm_session.h;

	for (unsigned id = 1; id < ZS_ZONES_MAX; id++) {
		struct zm_statistics st = { 0 };
		struct zm_zone *z = zm_zone_by_id(id);
		if (!z || id == ZM_ZONE_ID_LOGGER)
			continue;
		zm_szone_statistics(z->szone, ZM_SUB_ALL, &st);
		h->before_blocks += st.blocks_in_use;
		h->before_bytes += st.size_in_use;
	}
}

static int
open_recording(void)
{
	static bool loaded;
	uint32_t without = 0;
	struct zm_thread *t = zm_thread();

	if (!t || !zm_logger_zone())
		return -ENOMEM;
	if (loaded && zm_session.h)
		without = zm_session.h->trouble & ZS_TROUBLE_NO_UNWINDER;
	if (!zm_hooks_quiet(t->logger))
		return -EBUSY;
	int err = zm_session_begin();
	if (err < 0)
		return err;
	__atomic_store_n(&zm_trace_counter, zm_count_point, __ATOMIC_RELAXED);
	if (loaded)
		zm_trouble(without);
	else
		zm_hook_table.started();
	loaded = true;
	count_before();
	zm_hook_install(&zm_hook_table, zm_session.sample != 0);
	zm_record_watch_exit();
	set_running(1);
	return 0;
}

/* With the turn taken. */
static int
start(uint32_t depth, uint64_t sample)
{
	int saved = errno, err = -EALREADY;

	if (!zm_session_active()) {
		zm_session.depth = depth;
		zm_session.sample = sample;
		err = open_recording();
	}
	errno = saved;
	return err;
}

/* One that zrecord told us of, one of ours that still runs, or a new one. */
static int
find_recorder(void)
{
	const char *session = zm_options.tracing_session;

	if (session)
		zm_handover_name(session, strlen(session));
	else if (!zm_handover_answers())
		return zm_launch_recorder();
	return 0;
}

int
zm_record_start(void)
{
	if (zm_session_active())
		return -EALREADY;
	if (!take_turn())
		return -EBUSY;
	bool quiet = zm_tracing_quiet;
	zm_tracing_quiet = true; /* the caller gets the reason */
	int err = find_recorder();
	zm_tracing_quiet = quiet;
	if (err == 0)
		err = start((uint32_t)zm_options.tracing_depth,
			    (uint64_t)zm_options.tracing_sample);
	end_turn();
	return err;
}

int
zm_record_start_with(const struct zs_control *c)
{
	uint32_t depth = c->depth;

	/* of a recorder that was killed: nobody reads that */
	if (zm_session_active() && !zm_handover_answers())
		zm_record_stop();
	if (!take_turn())
		return -EBUSY;
	if (!depth || depth > ZM_WALK_MAX)
		depth = (uint32_t)zm_options.tracing_depth;
	if (!zm_session_active())
		zm_handover_name(c->session,
				 strnlen(c->session, sizeof c->session));
	int err = start(depth, c->sample >> ZS_SAMPLE_LOG_MAX ? 0 : c->sample);
	end_turn();
	return err;
}

/* ---- stop ------------------------------------------------------------- */

int
zm_record_stop(void)
{
	struct zm_thread *t = zm_thread();
	struct zs_header *h = zm_session.h;

	if (!zm_session_active())
		return -ENOTCONN;
	if (!take_turn())
		return -EBUSY;
	if (__atomic_exchange_n(zm_session_flag, 0, __ATOMIC_SEQ_CST)) {
		zm_hook_enable(0);
		zm_session.failed = 1;
		zm_hooks_quiet(t ? t->logger : NULL);
		h->stopped_ns = zm_session_ns();
		__atomic_store_n(&h->state, ZS_STOPPED, __ATOMIC_RELEASE);
		zm_areas_drop();
		set_running(0);
	}
	end_turn();
	return 0;
}

/* ---- asked from outside ------------------------------------------------ */

struct place {
	uintptr_t pc, in;
	bool same;
};

static int
same_module(struct dl_phdr_info *info, size_t bytes, void *ctx)
{
	struct place *p = ctx;
	bool pc = false, in = false;

	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + h->p_vaddr;
		if (h->p_type != PT_LOAD)
			continue;
		pc |= p->pc - at < h->p_memsz;
		in |= p->in - at < h->p_memsz;
	}
	p->same = pc && in;
	return pc || in;
}

/* The loader is known without asking it. */
static bool
in_loader(uintptr_t pc)
{
	uintptr_t base = getauxval(AT_BASE);
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)base;

	if (!base)
		return false;
	const ElfW(Phdr) *h = (const ElfW(Phdr) *)(base + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++) {
		if (h[i].p_type == PT_LOAD &&
		    pc - (base + h[i].p_vaddr) < h[i].p_memsz)
			return true;
	}
	return false;
}

static bool
in_libc(uintptr_t pc)
{
	struct place p = { .pc = pc, .in = (uintptr_t)&exit };

	dl_iterate_phdr(same_module, &p);
	return p.same;
}

/* Whether this stack has room; the first thread's grows when it is touched. */
static bool
roomy(void)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	int pid = zm_os_getpid();
	char byte;

	if (&__libc_stack_end && (uintptr_t)__libc_stack_end - sp < MAIN_STACK)
		return true;
	for (uintptr_t n = STACK_STEP; n <= STACK_ROOM; n += STACK_STEP) {
		if (zm_os_process_vm_read(pid, &byte, (void *)(sp - n), 1) != 1)
			return false;
	}
	return true;
}

/* libc takes zeroed blocks for its list of exit handlers, under its lock. */
static bool
good_moment(uintptr_t pc, bool zeroed)
{
	return !in_loader(pc) && roomy() && !(zeroed && in_libc(pc));
}

void
zm_logger_attach(const void *ra, bool zeroed)
{
	struct zs_control *c = &zmalloc_record_control;
	struct zm_thread *t = zm_thread();
	uint32_t wanted = ZS_CONTROL_START;

	if (!t || t->in_logger || !good_moment((uintptr_t)ra, zeroed))
		return;
	zm_slow_set(ZM_SLOW_ATTACH, false);
	if (!__atomic_compare_exchange_n(&c->request, &wanted, ZS_CONTROL_NONE,
					 false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return;
	struct zs_control copy = *c;
	__atomic_store_n(&c->error, -zm_record_start_with(&copy),
			 __ATOMIC_RELEASE);
}
