#!/usr/bin/env bash
# zleaks_moments.sh - --from and --to: times, marks and their numbers, over the
# curves of mkgrowth.sql, of which each sample is known.
. tests/lib.sh

R=$T/m.db
{
	echo 'BEGIN;'
	cat schema/tables.sql schema/views.sql tests/tools/mkreport.sql \
	    tests/tools/mkgrowth.sql
	# process 2 began 1 s after process 1
	cat <<-'SQL'
	DELETE FROM mark_info;
	INSERT INTO mark_info (process_id, t, label) VALUES (1, 1.0, 'request'), (1, 2.0, 'request'),
	    (1, 3.0, 'request'), (1, 1.15, 'loaded'), (1, 2.5, '7s'), (1, 2.2, 'odd#2');
	COMMIT;
	SQL
} | sqlite3 -batch "$R"

# span ARGUMENT...: first and last blocks of class 16 (10 + 2 a sample) and of
# class 80 (10, from 2.0 s on 1000), first and last time
span()
{
	"$ZLEAKS" growth --json --pid 100 "$@" "$R" >"$T/out" 2>"$T/err"
	sqlite3 -batch -separator ' ' :memory: "SELECT group_concat(t, ' ') FROM
	    (SELECT (value ->> 'first_blocks') || ' ' || (value ->> 'last_blocks')
		|| iif(value ->> 'size_class' = 16, ' ' ||
		    (value ->> '\$.samples[0][0]') || ' ' ||
		    (value ->> '\$.samples[#-1][0]'), '') AS t
	    FROM json_each(readfile('$T/out'), '\$.rows')
	    WHERE value ->> 'zone' = 'default' AND value ->> 'size_class' IN (16, 80)
	    ORDER BY value ->> 'size_class')"
}
same 'all of it' '10 90 0.0 4.0 10 1000' "$(span)"
same 'from a time' '30 90 1.0 4.0 10 1000' "$(span --from=1)"
same 'what changed before holds' '72 90 3.1 4.0 1000 1000' "$(span --from=3.05s)"
same 'to a time' '10 40 0.0 1.5 10 10' "$(span --to=1500ms)"
same 'before the end' '70 80 3.0 3.5 1000 1000' "$(span --from=-1s --to=-0.5s)"
same 'a label: the first, the last' '30 70 1.0 3.0 10 1000' "$(span --from=request --to=request)"
same 'a label with a number' '50 70 2.0 3.0 1000 1000' "$(span --from='request#2' --to='request#3')"
same 'a label that looks like a number' '54 90 2.2 4.0 1000 1000' "$(span --from='odd#2')"
same 'a label that looks like a time' '60 90 2.5 4.0 1000 1000' "$(span --from=mark:7s)"
# the mark at 1.15 s of process 1 is 0.15 s in process 2, which has 5 samples
"$ZLEAKS" growth --json --pid 101 --from=loaded "$R" >"$T/out"
same "another process's mark" '0.2 0.4' "$(sqlite3 -batch -separator ' ' :memory: "
    SELECT value ->> '\$.samples[0][0]', value ->> '\$.samples[#-1][0]'
    FROM json_each(readfile('$T/out'), '\$.rows') LIMIT 1")"
same 'the page says which part' 1 "$("$ZLEAKS" growth --pid 100 --from=1 --to=2 "$R" |
    grep -c 'samples from 1.000 s to 2.000 s')"

# refused NAME WORDS ARGUMENT...: status 2 and one line with these words
refused()
{
	local name=$1 words=$2 status
	shift 2
	"$ZLEAKS" growth "$@" "$R" >"$T/out" 2>"$T/err"
	status=$?
	if [ $status = 2 ] && [ ! -s "$T/out" ] && [ "$(wc -l <"$T/err")" = 1 ] &&
	    grep -qF -- "$words" "$T/err"; then
		ok "$name"
	else
		not_ok "$name" "status $status: $(cat "$T/err")"
	fi
}
refused 'no such mark' "--to: neither a time nor a mark: 'reqest'; marks: request, loaded" --to=reqest
refused 'no such number' "neither a time nor a mark: 'request#4'" --from='request#4'
refused 'end before begin' '--to: 1.000 s lies before --from, 2.000 s' --from=2 --to=1

# ---- stacks -----------------------------------------------------------

# Stack 5 holds 160 bytes and 32 more with each sample, stack 4 always 1120,
# stack 1 from 0.3 s on 300.
# live ARGUMENT...: cost of the whole tree and of open_session
live()
{
	"$ZLEAKS" stacks --json --pid 100 "$@" -o "$T/out" "$R"
	sqlite3 -batch -separator ' ' :memory: "SELECT readfile('$T/out') ->> '\$.tree.cost',
	    (SELECT sum(value ->> '\$.self') FROM json_tree(readfile('$T/out'), '\$.tree')
		WHERE type = 'object' AND value ->> 'function' = 'open_session')"
}
same 'stacks: at a moment' '2220 800' "$(live --to=2)"
same 'stacks: before one of them' '1312 192' "$(live --to=0.15)"
same 'stacks: gained in between' '320 320' "$(live --from=1 --to=2)"
same 'stacks: gained since a mark' '960 960' "$(live --from=request)"
same 'stacks: the page says so' 1 "$("$ZLEAKS" stacks --from=1 --to=2 "$R" |
    grep -c '^live bytes gained from 1 to 2: 320 bytes')"
"$ZLEAKS" stacks --from=1 --cost=total "$R" >"$T/out" 2>"$T/err"
same 'stacks: other costs are not sampled' '2 1' "$? $(grep -c 'go with --cost=live' "$T/err")"
