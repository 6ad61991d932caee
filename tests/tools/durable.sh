#!/usr/bin/env bash
# durable.sh - whatever ends the program, the recorder or the disk: the program
# notices nothing, and the report is whole or says what is missing.
#
# KILLS: how many programs are killed at random moments (10; 200 before a
# release: KILLS=200 TEST_LIMIT=1800 tests/run tools/durable).
. tests/lib.sh
set +m

# The program writes to a pipe what it allocates and frees; each line is one
# write, so that what the reader has is what was done.
cat >"$T/ends.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
static void *kept[50];
__attribute__((noinline)) static void *alloc_kept(int i) { return malloc(100 + (size_t)i); }
static volatile int sink;
static int deep(int n) { volatile char b[4096]; b[0] = (char)n; sink = deep(n + 1) + b[0]; return sink; }
static void hog(void)
{
	struct rlimit r = { 64 << 20, 64 << 20 };
	setrlimit(RLIMIT_DATA, &r);
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			raise(SIGKILL); /* as the out-of-memory killer does */
		memset(p, 1, 1 << 20);
	}
}
int main(int argc, char **argv)
{
	for (int i = 0; i < 50; i++)
		kept[i] = alloc_kept(i);
	const char *how = argc > 1 ? argv[1] : "";
	if (!strcmp(how, "kill")) raise(SIGKILL);
	if (!strcmp(how, "abort")) abort();
	if (!strcmp(how, "_exit")) _exit(3);
	if (!strcmp(how, "quick")) quick_exit(4);
	if (!strcmp(how, "overflow")) return deep(0);
	if (!strcmp(how, "hog")) hog();
	if (!strcmp(how, "segv")) { raise(SIGSEGV); }
	if (!strcmp(how, "exec")) { execl("/bin/sh", "sh", "-c", "exit 5", (char *)0); }
	if (!strcmp(how, "eat")) for (;;) { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); }
	return 0;
}
C
gcc -O1 -g -fno-builtin -fno-optimize-sibling-calls -o "$T/ends" "$T/ends.c" 2>/dev/null
ulimit -c 0

ends()
{
	local how=$1 want=$2 status
	record "$T/r.db" "$T/ends" "$how" 2>/dev/null
	status=$?
	same "$how: exit status" "$want" $status
	same "$how: integrity" ok "$(query "$T/r.db" 'PRAGMA integrity_check')"
	same "$how: live blocks" '50 6225' "$(query "$T/r.db" "
	    SELECT count(*), sum(size) FROM block JOIN stack_frame USING
	    (stack_id) WHERE depth = 0 AND function = 'alloc_kept'")"
	same "$how: finished, one file" 'finished' "$(query "$T/r.db" "
	    SELECT value FROM meta WHERE key = 'state'")"
	check "$how: no log is left" [ ! -e "$T/r.db-wal" ]
}
ends kill 137
ends abort 134
ends _exit 3
ends quick 4
ends overflow 139
ends segv 139
ends hog 137
ends exec 5

# The kernel's out-of-memory killer, where a cgroup can be made.
group=/sys/fs/cgroup/memory/zmalloc-test-$$
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	group=/sys/fs/cgroup/zmalloc-test-$$
fi
limit=memory.max
if mkdir "$group" 2>/dev/null; then
	[ -e "$group/$limit" ] || limit=memory.limit_in_bytes
	if echo 64M >"$group/$limit" 2>/dev/null; then
		"$ZRECORD" -q -o "$T/r.db" -- sh -c \
		    'echo $$ >"$1/cgroup.procs"; exec "$2" eat' sh "$group" \
		    "$T/ends" 2>/dev/null
		same 'out of memory: killed' 137 $?
		same 'out of memory: integrity' ok \
		    "$(query "$T/r.db" 'PRAGMA integrity_check')"
		same 'out of memory: live blocks' 50 "$(query "$T/r.db" "
		    SELECT count(*) FROM block JOIN stack_frame USING (stack_id)
		    WHERE depth = 0 AND function = 'alloc_kept'")"
	else
		skip 'out of memory' 'no limit can be set'
	fi
	rmdir "$group" 2>/dev/null
else
	skip 'out of memory' 'no cgroup can be made'
fi

# ---- killed at random moments: what went through a pipe is what is there ----

live_from_diary()
{
	awk '$1 == "+" && NF == 3 { size[$2] = $3 }
	    $1 == "-" && NF == 2 { delete size[$2] }
	    END { for (a in size) print a, size[a] }' "$1" | sort
}
bad=0 broken=0 runs=${KILLS:-10}
mkfifo "$T/pipe"
for ((i = 0; i < runs; i++)); do
	rm -f "$T"/k.db* "$T/pid" "$T/diary"
	cat "$T/pipe" >"$T/diary" &
	reader=$!
	record "$T/k.db" sh -c 'echo $$ >"$1"; exec "$2" "$3"' sh "$T/pid" \
	    "$PROGRAMS/diary" "$T/pipe" &
	recorder=$!
	wait_for [ -s "$T/diary" ]
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
	kill -KILL "$(cat "$T/pid")"
	wait $recorder $reader 2>/dev/null
	query "$T/k.db" "SELECT address, size FROM block JOIN stack_frame
	    USING (stack_id) WHERE depth = 0 AND function = 'alloc_diary'" |
		sort >"$T/ours"
	live_from_diary "$T/diary" >"$T/theirs"
	[ "$(comm -3 "$T/theirs" "$T/ours" | wc -l)" -le 1 ] || bad=$((bad + 1))
	[ "$(query "$T/k.db" 'PRAGMA integrity_check')" = ok ] || broken=$((broken + 1))
done 2>/dev/null
same "$runs killed: blocks differ from the pipe by more than a call" 0 $bad
same "$runs killed: broken reports" 0 $broken

# ---- the recorder's own trouble -----------------------------------------

# A shim under zrecord alone: writes fail once FAIL_FILE exists.
cat >"$T/shim.c" <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int fails(void)
{
	extern char *program_invocation_short_name;
	return !strcmp(program_invocation_short_name, "zrecord") && getenv("FAIL_FILE") &&
	    access(getenv("FAIL_FILE"), F_OK) == 0;
}
#define WRITE(name, ...) \
ssize_t name(int fd, const void *b, size_t n, off_t at) { \
	static ssize_t (*real)(int, const void *, size_t, off_t); \
	if (!real) real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, #name); \
	if (fails()) { errno = atoi(getenv("FAIL_ERRNO")); return -1; } \
	return real(fd, b, n, at); }
WRITE(pwrite)
WRITE(pwrite64)
C
gcc -O1 -shared -fPIC -o "$T/shim.so" "$T/shim.c" -ldl 2>/dev/null

# undisturbed NAME: what grow said, and that zrecord said one line at most.
undisturbed()
{
	check "$1: the program goes on to its end" grep -q '^[0-9]* [0-9]*$' "$T/out"
	same "$1: exit status is the command's or 125" yes \
	    "$([ "$2" = 0 ] || [ "$2" = 125 ] && echo yes)"
	check "$1: one line" [ "$(grep -c '^zrecord: ' "$T/err")" -le 1 ]
	same "$1: nothing else is said" '' "$(grep -v '^zrecord: ' "$T/err")"
}
has_samples() { [ "$(query "$1" 'SELECT count(*) > 1 FROM process_sample')" = 1 ]; }
mkfifo "$T/stop"

for number in 5 28; do
	rm -f "$T"/e.db* "$T/fail"
	FAIL_FILE=$T/fail FAIL_ERRNO=$number LD_PRELOAD=$T/shim.so "$ZRECORD" -q \
	    -o "$T/e.db" -- "$PROGRAMS/grow" "$T/stop" >"$T/out" 2>"$T/err" &
	recorder=$!
	wait_for has_samples "$T/e.db"
	touch "$T/fail"
	sleep 1.2
	echo stop >"$T/stop"
	wait $recorder
	undisturbed "write error $number" $?
	check "write error $number: zrecord says so" grep -q 'e.db: ' "$T/err"
	rm -f "$T/fail"
	same "write error $number: integrity" ok \
	    "$(query "$T/e.db" 'PRAGMA integrity_check')"
	same "write error $number: not called complete" 0 "$(query "$T/e.db" "
	    SELECT count(*) FROM process WHERE recording = 'complete'")"
	"$ZLEAKS" doctor "$T/e.db" >"$T/page" 2>&1
	same "write error $number: doctor" 3 $?
done

# The report, or its folder, goes away meanwhile.
for what in file folder; do
	mkdir -p "$T/folder"
	"$ZRECORD" -q -o "$T/folder/d.db" -- "$PROGRAMS/grow" "$T/stop" \
	    >"$T/out" 2>"$T/err" &
	recorder=$!
	wait_for has_samples "$T/folder/d.db"
	if [ $what = file ]; then
		rm -f "$T"/folder/d.db*
	else
		rm -rf "$T/folder"
	fi
	sleep 0.3
	echo stop >"$T/stop"
	wait $recorder
	status=$?
	undisturbed "report's $what removed" $status
	check "report's $what removed: zrecord says so" grep -q 'd.db: ' "$T/err"
done

# The limit of file sizes, met while recording.
if have prlimit; then
	rm -f "$T"/f.db*
	"$ZRECORD" -q --interval 2ms -o "$T/f.db" -- "$PROGRAMS/grow" "$T/stop" \
	    >"$T/out" 2>"$T/err" &
	recorder=$!
	wait_for has_samples "$T/f.db"
	prlimit --pid $recorder --fsize=100000
	sleep 3
	echo stop >"$T/stop"
	wait $recorder
	undisturbed 'file size limit' $?
	check 'file size limit: zrecord says so' grep -q 'f.db: ' "$T/err"
	same 'file size limit: integrity' ok \
	    "$(query "$T/f.db" 'PRAGMA integrity_check')"
else
	skip 'file size limit' 'no prlimit'
fi
