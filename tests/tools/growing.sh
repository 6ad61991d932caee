#!/usr/bin/env bash
# growing.sh - programs whose memory takes a known shape: the verdict is right,
# and who is behind the growth is named first.  SEEDS=20 runs each kind with so
# many seeds (2), FROM=n begins at that seed.  The rule is known to be wrong now
# and then (docs/GROWTH.md), the more on a busy machine that gives the recorder
# no time: without SEEDS a wrong verdict gets a second, longer recording.
. tests/lib.sh

seeds=${SEEDS:-2} from=${FROM:-1}

# look KIND SEED [MS]: "GROWING CONFIDENCE FIRST-FUNCTION" of the class of KIND
look()
{
	local class=64
	[ "$1" = request ] && class=48
	"$ZRECORD" -q --interval 5ms -o "$T/$1.db" -- "$PROGRAMS/growing" "$@"
	"$ZLEAKS" growth --json "$T/$1.db" >"$T/$1.json"
	sqlite3 -batch -separator ' ' :memory: "SELECT
	    iif(value ->> 'growing', 'yes', 'no'), value ->> 'confidence',
	    coalesce(value ->> '\$.top_stacks[0].stack[0].function', '-')
	    FROM json_each(readfile('$T/$1.json'), '\$.rows')
	    WHERE value ->> 'size_class' = $class"
}

# kind KIND VERDICT FUNCTION: for all seeds
kind()
{
	local seed got wrong='' count=0
	for ((seed = from; seed < from + seeds; seed++)); do
		got=$(look "$1" "$seed")
		if [ -z "${SEEDS-}" ] && [[ $got != "$2 "*" $3" ]]; then
			got=$(look "$1" "$seed" 4000)
		fi
		count=$((count + 1))
		case $got in
		"$2 "*" $3") ;;
		*) wrong="$wrong
  seed $seed: $got" ;;
		esac
	done
	if [ -z "$wrong" ]; then
		ok "$1: $2 $3, $count seeds"
	else
		not_ok "$1: expected $2 $3" "wrong for$wrong"
	fi
}

kind steady yes alloc_steady
kind request yes alloc_request
# What each request keeps, exactly, and by whom.
same 'per request' '3.0 144.0 0.0 1 3.0 alloc_request' "$(sqlite3 -batch \
    -separator ' ' :memory: "SELECT value ->> 'blocks_per_mark',
	value ->> 'bytes_per_mark', value ->> 'blocks_sd', value ->> 'growing',
	round(value ->> '\$.top_stacks[0].blocks_per_mark', 2),
	value ->> '\$.top_stacks[0].stack[0].function'
	FROM json_each(readfile('$T/request.json'), '\$.marks')")"
check 'per request, as text' grep -q 'per mark  "request": +3.00 blocks and +144.0 bytes each, sd 0 and 0,' \
    <("$ZLEAKS" growth "$T/request.db")
kind warm no -
kind saw no -
kind step no -
kind slow yes alloc_slow
kind noise no -

# What a mark says is what is live: threads that ended, threads that hold back
# what they have not published, and then nothing more happens.
cat >"$T/marks.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#define ZMALLOC_RECORD_WEAK
#include <zmalloc/record.h>
static void *keep[8][300];
static pthread_barrier_t ready;
static void *
work(void *arg)
{
	int n = (int)(long)arg;
	for (int i = 0; i < 300; i++)
		keep[n][i] = malloc(16 + i % 50);
	for (int i = 0; i < 300; i += 3)
		free(keep[n][i]);
	if (n < 4)
		return NULL;
	pthread_barrier_wait(&ready);
	pause();
	return NULL;
}
int
main(void)
{
	pthread_t t[8];
	pthread_barrier_init(&ready, NULL, 5);
	for (long i = 0; i < 8; i++) {
		pthread_create(&t[i], NULL, work, (void *)i);
		if (i < 4)
			pthread_join(t[i], NULL);
	}
	pthread_barrier_wait(&ready);
	usleep(50000);
	for (int i = 0; i < 1000; i++)
		zmalloc_record_mark(i % 3 ? "odd" : "even");
	return kill(getpid(), SIGKILL);
}
C
gcc -O1 -fno-builtin -Ilibzmalloc/include -o "$T/marks" "$T/marks.c" -lpthread
"$ZRECORD" -q -o "$T/m.db" -- "$T/marks" 2>/dev/null
same 'a mark says what is live' '1000' "$(query "$T/m.db" "SELECT count(*)
    FROM mark JOIN process USING (process_id) WHERE (mark.live_blocks, mark.live_bytes) =
    (SELECT count(*), sum(size) FROM block)")"
same 'labels of marks' 'even 334
odd 666' "$(query "$T/m.db" 'SELECT label, count(*) FROM mark GROUP BY 1 ORDER BY 1')"
