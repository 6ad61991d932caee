#!/usr/bin/env bash
# holders.sh - who holds a block, what each root retains, who held a lost block
# last, and C++ types.  The truth is in the programs, by construction: retain
# computes what a root retains by taking it away, types knows what it made.
. tests/lib.sh
ulimit -c 0

record() { "$ZRECORD" -q -o "$T/$1.db" -- "$PROGRAMS/${@:2}" >"$T/$1.txt" 2>"$T/$1.err"; }
address() { awk -v n="$2" '$1 == "block" && $2 == n { print $3; exit }' "$T/$1.txt"; }
# why NAME BLOCK: the chain that holds it
why()
{
	"$ZLEAKS" why "$(address "$1" "$2")" "$T/$1.db" 2>&1 |
		awk 'NR > 1 && !NF { exit } NR > 1 { $1 = $1; printf "%s%s", sep, $0; sep = " " }' |
		sed 's/(tid [0-9]*)/(tid N)/; s/ at 0x[0-9a-f]*/ at ADDRESS/; s/ of 4,096 bytes at/ at/'
}
retained()
{
	query "$1" "select 'retains ' || symbol || ' ' || blocks || ' ' || bytes
	    from root_retained join root using (root_id)
	    where symbol like '$2' and blocks > 0 order by symbol"
}

# ---- chains -----------------------------------------------------------

record roots retain roots
block='alloc_block (retain.c:'$(sed -n '/^alloc_block/,/^}/=' tests/programs/retain.c | sed -n 3p)')'
same 'a variable holds a list' \
    "g_list (data of retain) -> $block +0 (99 in a row) -> $block" \
    "$(why roots last_of_list)"
same 'an element of an array' \
    "g_array+0x38 (data of retain) -> $block" "$(why roots in_array)"
same 'the end of a diamond' \
    "g_diamond (data of retain) -> $block +0 -> $block +8 -> $block" \
    "$(why roots tip)"
same 'a member of a static structure' \
    "s_struct+0x18 (data of retain) -> $block" "$(why roots member)"
same 'a thread-local variable' \
    "t_local (thread-local of retain, thread main) -> $block" \
    "$(why roots main_local)"
same "another thread's thread-local variable" \
    "t_local (thread-local of retain, thread holding (tid N)) -> $block" \
    "$(why roots thread_local)"
same 'a pointer into a block' "g_only_inner (data of retain) -> $block" \
    "$(why roots possible)"
check 'a stack' grep -qE '^stack of thread holding \(tid N\) \+0x[0-9a-f]+ -> ' \
    <(why roots on_stack)
check 'a mapping' grep -qE '^mapping at ADDRESS\+0x88 -> ' <(why roots mapped)
same 'nothing' 'nothing points to it' "$(why roots lost)"
same 'what is lost itself' "lost with $block +8 -> $block" \
    "$(why roots indirect)"
check 'held by two' grep -qE '^g_(one|other) \(data of retain\) -> ' \
    <(why roots shared)

"$ZLEAKS" why --json "$(address roots last_of_list)" "$T/roots.db" >"$T/why.json"
same 'the same as JSON' 'data g_list 0 99 reachable' "$(jq -r '.chains[0] |
    "\(.held_by[0].kind) \(.held_by[0].symbol) \(.held_by[0].offset) " +
    "\(.held_by[1].times) \(.kind)"' "$T/why.json")"

interior=$(printf '0x%x' $(($(address roots tip) + 17)))
check 'an address inside of a block' grep -q "($interior is at +17)" \
    <("$ZLEAKS" why "$interior" "$T/roots.db")

stack=$(query "$T/roots.db" "select stack_id from block where size = 100 limit 1")
check 'a stack by its number' grep -qE '^1,000 bytes in 10 blocks of this stack' \
    <("$ZLEAKS" why "$stack" "$T/roots.db")
check 'elements of an array in one answer' grep -q '^1,000 bytes in 10 blocks, reachable, such as 0x' \
    <("$ZLEAKS" why "$stack" "$T/roots.db")
print=$("$ZLEAKS" leaks --kinds=reachable --json "$T/roots.db" | jq -r \
    "[.leaks[] | select(.stack_id == $stack)][0].fingerprint")
same 'a stack by its fingerprint' \
    "$("$ZLEAKS" why "$stack" "$T/roots.db")" \
    "$("$ZLEAKS" why "$print" "$T/roots.db")"

# ---- what roots retain ------------------------------------------------

same 'what the roots of all kinds retain' \
    "$(grep ^retains "$T/roots.txt" | sed 's/s_static/s_static.0/' | sort)" \
    "$(retained "$T/roots.db" '%' | grep -E ' (g|s)_')"
same 'what several hold together' '2 564' \
    "$(query "$T/roots.db" 'select shared_blocks, shared_bytes from scan
        order by t desc limit 1')"
same 'what each thread holds' '1 1000 1 1300 1 1200' "$(query "$T/roots.db" "
    select group_concat(x, ' ') from (select blocks || ' ' || bytes x
    from root_retained join root using (root_id)
    where kind in ('tls', 'stack') and bytes > 500 order by kind desc, bytes)")"
same 'held blocks are the reachable and possible ones' \
    "$(query "$T/roots.db" "select count(*), sum(size) from block
        where leak_kind in ('reachable', 'possible')")" \
    "$(query "$T/roots.db" 'select held_blocks, held_bytes from scan
        order by t desc limit 1')"
same 'every held block has a holder' 0 "$(query "$T/roots.db" "
    select count(*) from block left join block_holder using (address)
    where leak_kind = 'reachable' and root_id is null and holder_address is null")"

bad=
for seed in $(seq 1 25); do
	record random retain random "$seed"
	[ "$(grep ^retains "$T/random.txt")" = "$(retained "$T/random.db" 'g_r_')" ] ||
		bad="$bad $seed"
done
same 'random graphs: roots retain what goes when they go' '' "$bad"

# ---- growth -----------------------------------------------------------

record grow retain grow
same 'growth between two scans' 'g_cache 3200 131200 true g_still 1000 1000 false' \
    "$("$ZLEAKS" roots --json "$T/grow.db" | jq -r '[.processes[0].roots[] |
    "\(.symbol) \(.first_bytes) \(.bytes) \(.bytes_per_second > 0)"] | join(" ")')"
check 'growth as text' grep -qE '^ +131,200 +4,100 +\+[0-9.]+ KiB/s +\+4,000 +g_cache \(data of retain\)' \
    <("$ZLEAKS" roots "$T/grow.db")

# ---- last holders -----------------------------------------------------

record lost retain lost
"$ZLEAKS" --json "$T/lost.db" >"$T/lost.json"
# losses FUNCTION: blocks, marks, the links of the last holder
losses()
{
	jq -r --arg f "$1" '[.leaks[] | select(.stack[0].function == $f)][0] |
	    if .lost then "\(.lost.blocks) \(.lost.held.mark) \(.lost.lost.mark)" +
	    ([.lost.last_held_by[]? | " \(.symbol // .function)+\(.offset)"] | join(""))
	    else "not known" end' "$T/lost.json"
}
same 'carts were lost between two marks' '3 loaded served g_sessions open_session+24' \
    "$(losses alloc_cart | sed 's/g_sessions+[0-9]*/g_sessions/')"
same 'the rest of a list' '1 served closed g_chain+0 lost_setup+0' \
    "$(losses lost_setup)"
same 'lost before any scan' 'not known' "$(losses alloc_early)"
same 'lost between scans, but never held at one' 'not known' "$(losses alloc_late)"
"$ZLEAKS" "$T/lost.db" >"$T/lost.report"
check 'the report says when' grep -qE \
    '^    lost between [0-9.]+ s \(after mark "loaded"\) and [0-9.]+ s \(after mark "served"\),$' "$T/lost.report"
check 'the report says by whom' grep -qE \
    '^    last held by g_sessions\+0x[0-9a-f]+ \(data of retain\) -> open_session \(retain.c:[0-9]+\) \+24, alike at 2 other places in it$' "$T/lost.report"
same 'all of the list have a last holder' '40 1' "$(query "$T/lost.db" "
    select count(*), count(distinct last_holder_path) > 1 from block
    join block_holder using (address) where size = 32 and last_holder_path is not null")"

# ---- types ------------------------------------------------------------

record types types
same 'types of objects, and of none that is none' \
    "$(awk '{ print $3, $2 }' "$T/types.txt" | sort)" \
    "$(query "$T/types.db" "select printf('0x%x', address),
        ifnull(replace(type, ' ', '_'), '-') from block" | sort |
	grep -Ff <(awk '{ print $3 " " }' "$T/types.txt"))"
check 'why names types' grep -q '^    g_session (data of types) -> shop::Session (types.cc:[0-9]*) +8 -> ' \
    <("$ZLEAKS" why "$(awk '$2 == "shop::Box<int>" { print $3; exit }' "$T/types.txt")" "$T/types.db")
check 'an array of objects stands behind its number' grep -q 'g_array (data of types) -> main' \
    <("$ZLEAKS" why "$(query "$T/types.db" "select stack_id from block b where made_by = 'new[]' limit 1")" "$T/types.db")

"$ZRECORD" -q --interval 20ms -o "$T/more.db" -- "$PROGRAMS/types" grow
check 'growth says which type grows' grep -q '^ *shop::Session objects$' \
    <("$ZLEAKS" growth "$T/more.db")
check 'and as JSON' test "$("$ZLEAKS" growth --json "$T/more.db" | jq -r '[.. | objects |
    select(.type == "shop::Session")] | length > 0')" = true

# ---- bad input --------------------------------------------------------

refuses()
{
	local name=$1 want=$2 text=$3 out status
	shift 3
	out=$("$ZLEAKS" "$@" 2>&1 >/dev/null)
	status=$?
	same "$name" "$want $text" "$status $(sed 's,/[^ ]*/,,g' <<<"$out")"
}
refuses 'no such block' 2 'zleaks: why: roots.db: no live block at 0x10' \
    why 0x10 "$T/roots.db"
refuses 'no such stack' 2 'zleaks: why: roots.db: no live block of stack 99999' \
    why 99999 "$T/roots.db"
refuses 'no address' 2 "zleaks: why: 'abc' is neither an address like 0x7f0012345670 nor a stack's number or fingerprint" \
    why abc "$T/roots.db"
cp "$T/roots.db" "$T/old.db"
sqlite3 "$T/old.db" 'alter table block_info rename column holder to unknown'
refuses 'a report without holders' 3 'zleaks: old.db: an older zrecord wrote it, without who holds what' \
    roots "$T/old.db"
check 'its leaks can be read all the same' grep -q definite \
    <("$ZLEAKS" "$T/old.db")
