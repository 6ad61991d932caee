#!/usr/bin/env bash
# growing.sh - programs whose memory takes a known shape: the verdict is right,
# and who is behind the growth is named first.  SEEDS=20 runs each kind with so
# many seeds (2), FROM=n begins at that seed.
. tests/lib.sh

seeds=${SEEDS:-2} from=${FROM:-1}

# look KIND SEED: "GROWING CONFIDENCE FIRST-FUNCTION" of the class of KIND
look()
{
	local class=64
	[ "$1" = request ] && class=48
	"$ZRECORD" -q --interval 5ms -o "$T/$1.db" -- "$PROGRAMS/growing" "$1" "$2"
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
