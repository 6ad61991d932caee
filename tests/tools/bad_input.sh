#!/usr/bin/env bash
# bad_input.sh - what cannot work ends with one clear line on standard error
# and the contract's exit status; nothing that exists is damaged.
. tests/lib.sh

# refused NAME STATUS TOOL COMMAND...: exactly one line, the tool's name first.
refused()
{
	local name=$1 want=$2 tool=$3 status
	shift 3
	timeout -k 5 30 "$@" >"$T/out" 2>"$T/err" </dev/null
	status=$?
	if [ $status != "$want" ]; then
		not_ok "$name" "exit status $status, expected $want"
		cat "$T/err" | indent 5
	elif [ "$(wc -l <"$T/err")" != 1 ] ||
	    ! grep -q "^$tool: ..*" "$T/err"; then
		not_ok "$name" "not one line \"$tool: what: why\" on stderr"
		cat "$T/err" | indent 5
	elif [ -s "$T/out" ]; then
		not_ok "$name" 'something on stdout'
		cat "$T/out" | indent 5
	else
		ok "$name"
	fi
}

no_report() { if [ -e "$2" ]; then not_ok "$1" "$2 exists"; else ok "$1"; fi; }

# ---- zrecord: commands ------------------------------------------------

R=$T/r.db
refused 'zrecord, no command' 125 zrecord "$ZRECORD" -o "$R"
refused 'zrecord, nothing at all' 125 zrecord "$ZRECORD"
refused 'zrecord, unknown option' 125 zrecord "$ZRECORD" --no-such-option true
refused 'zrecord, option without its value' 125 zrecord "$ZRECORD" -o
refused 'zrecord, --interval=nonsense' 125 zrecord "$ZRECORD" -o "$R" \
    --interval=nonsense true
refused 'zrecord, --depth=-1' 125 zrecord "$ZRECORD" -o "$R" --depth=-1 true
refused 'zrecord, missing command' 127 zrecord "$ZRECORD" -o "$R" no-such-command
refused 'zrecord, missing path' 127 zrecord "$ZRECORD" -o "$R" "$T/none/at/all"
refused 'zrecord, empty command' 127 zrecord "$ZRECORD" -o "$R" ''
echo text >"$T/plain"
refused 'zrecord, not executable' 126 zrecord "$ZRECORD" -o "$R" "$T/plain"
refused 'zrecord, a directory' 126 zrecord "$ZRECORD" -o "$R" "$T"
no_report 'zrecord, refused: no report is left' "$R"

cat >"$T/hello.c" <<'C'
#include <stdlib.h>
int main(void) { return malloc(10) == NULL; }
C
if gcc -static -o "$T/static" "$T/hello.c" 2>/dev/null; then
	refused 'zrecord, static program' 125 zrecord \
	    "$ZRECORD" -o "$R" "$T/static"
	no_report 'zrecord, static program: no report is left' "$R"
else
	skip 'zrecord, static program' 'gcc -static does not work here'
fi
if gcc -static-pie -o "$T/staticpie" "$T/hello.c" 2>/dev/null; then
	refused 'zrecord, static-pie program' 125 zrecord \
	    "$ZRECORD" -o "$R" "$T/staticpie"
else
	skip 'zrecord, static-pie program' 'gcc -static-pie does not work here'
fi
# A 32-bit program of another machine's class: its header is enough.
printf '.globl _start\n_start: mov $1,%%eax\nint $0x80\n' >"$T/small.s"
if as --32 -o "$T/small.o" "$T/small.s" 2>/dev/null && ld -m elf_i386 \
    -pie -dynamic-linker /lib/ld-linux.so.2 -o "$T/program32" "$T/small.o" \
    2>/dev/null; then
	refused 'zrecord, 32-bit program' 125 zrecord \
	    "$ZRECORD" -o "$R" "$T/program32"
else
	skip 'zrecord, 32-bit program' 'as --32 does not work here'
fi
if [ "$(id -u)" = 0 ] && have setpriv; then
	gcc -o "$T/suid" "$T/hello.c" && chown nobody "$T/suid" &&
		chmod 4755 "$T/suid"
	refused 'zrecord, set-user-id program' 125 zrecord \
	    "$ZRECORD" -o "$R" "$T/suid"
else
	skip 'zrecord, set-user-id program' 'not root'
fi

# ---- zrecord: report paths --------------------------------------------

refused 'zrecord, directory of the report missing' 125 zrecord \
    "$ZRECORD" -o "$T/none/r.db" true
refused 'zrecord, a file in place of the directory' 125 zrecord \
    "$ZRECORD" -o "$T/plain/r.db" true
refused 'zrecord, the report is a directory' 125 zrecord \
    "$ZRECORD" -o "$T" true
refused 'zrecord, the report below /proc' 125 zrecord \
    "$ZRECORD" -o /proc/r.db true
if [ "$(id -u)" != 0 ]; then
	mkdir "$T/locked" && chmod 555 "$T/locked"
	refused 'zrecord, read-only directory' 125 zrecord \
	    "$ZRECORD" -o "$T/locked/r.db" true
fi
refused 'zrecord, the report is a device' 125 zrecord \
    "$ZRECORD" -o /dev/null true
check 'zrecord, the device is one still' [ -c /dev/null ]

cp "$T/plain" "$T/precious"
refused 'zrecord, the report is a text file' 125 zrecord \
    "$ZRECORD" -o "$T/precious" touch "$T/was-run"
same_file 'zrecord, the text file is as it was' "$T/plain" "$T/precious"
no_report 'zrecord, the command was not run' "$T/was-run"
sqlite3 "$T/other.db" 'CREATE TABLE process (a); INSERT INTO process VALUES (1)'
cp "$T/other.db" "$T/other.copy"
refused 'zrecord, the report is another SQLite database' 125 zrecord \
    "$ZRECORD" -o "$T/other.db" true
same_file 'zrecord, the database is as it was' "$T/other.copy" "$T/other.db"
no_report 'zrecord, the database was not moved' "$T/other.db.old"

record "$R" sh -c 'exit 0'
first=$(query "$R" 'SELECT min(started) FROM process')
record "$R" sh -c 'exit 0'
same 'zrecord, an existing report becomes .old' "$first" \
    "$(query "$R.old" 'SELECT min(started) FROM process')"
check 'zrecord, and there is a new one' [ "$(query "$R" \
    'SELECT min(started) FROM process')" != "$first" ]
echo precious >"$R.old"
refused 'zrecord, .old is no report' 125 zrecord "$ZRECORD" -o "$R" true
same 'zrecord, .old is as it was' precious "$(cat "$R.old")"

# ---- zrecord: full disk -----------------------------------------------

# full NAME SIZE: the report's file system holds SIZE bytes.
full()
{
	if ! mkdir -p "$T/disk" || ! mount -t tmpfs -o "size=$2" none \
	    "$T/disk" 2>/dev/null; then
		skip "$1" 'cannot mount a small file system'
		return
	fi
	[ "$3" = 0 ] || dd if=/dev/zero of="$T/disk/fill" bs=1k \
	    count="$3" 2>/dev/null
	refused "$1" 125 zrecord "$ZRECORD" -q -o "$T/disk/r.db" -- \
	    "$PROGRAMS/shapes" single list long_list
	if [ -s "$T/disk/r.db" ]; then
		"$ZLEAKS" "$T/disk/r.db" >/dev/null 2>&1 </dev/null
		same "$1: zleaks calls what is there unreadable" 3 $?
	fi
	umount "$T/disk"
}
full 'zrecord, disk full from the start' 64k 64
full 'zrecord, disk full while it records' 1m 0

# ---- zleaks -----------------------------------------------------------

refused 'zleaks, no argument' 2 zleaks "$ZLEAKS"
refused 'zleaks, unknown option' 2 zleaks "$ZLEAKS" --no-such-option "$R"
refused 'zleaks, unknown command' 2 zleaks "$ZLEAKS" nosuchcommand "$R"
refused 'zleaks, command without a report' 2 zleaks "$ZLEAKS" growth
refused 'zleaks, two reports' 2 zleaks "$ZLEAKS" leaks "$R" "$R"
refused 'zleaks, unknown kind' 2 zleaks "$ZLEAKS" --kinds=nonsense "$R"
refused 'zleaks, missing file' 3 zleaks "$ZLEAKS" "$T/none.db"
no_report 'zleaks, missing file: none is made' "$T/none.db"
: >"$T/empty.db"
refused 'zleaks, empty file' 3 zleaks "$ZLEAKS" "$T/empty.db"
refused 'zleaks, text file' 3 zleaks "$ZLEAKS" "$T/plain"
refused 'zleaks, a directory' 3 zleaks "$ZLEAKS" "$T"
refused 'zleaks, another SQLite database' 3 zleaks "$ZLEAKS" "$T/other.db"

record "$T/whole.db" "$PROGRAMS/family" all
sqlite3 "$T/whole.db" 'PRAGMA journal_mode = DELETE' >/dev/null
bytes=$(stat -c %s "$T/whole.db")
for part in 50 100 512 4096 $((bytes / 2)) $((bytes - 4096)); do
	head -c "$part" "$T/whole.db" >"$T/cut.db"
	refused "zleaks, report cut to $((part * 100 / bytes)) % ($part bytes)" 3 \
	    zleaks "$ZLEAKS" "$T/cut.db"
	refused "zleaks growth, the same" 3 zleaks "$ZLEAKS" growth "$T/cut.db"
done
cp "$T/whole.db" "$T/newer.db"
cp "$T/newer.db" "$T/older.db"
sqlite3 "$T/older.db" 'PRAGMA user_version = 1'
refused 'zleaks, report of an older version' 3 zleaks "$ZLEAKS" "$T/older.db"
sqlite3 "$T/newer.db" 'PRAGMA user_version = 1000000'
refused 'zleaks, report of a newer version' 3 zleaks "$ZLEAKS" "$T/newer.db"
cp "$T/whole.db" "$T/views.db"
sqlite3 "$T/views.db" 'DROP VIEW process; DROP VIEW block'
refused 'zleaks, report without its views' 3 zleaks "$ZLEAKS" "$T/views.db"
refused 'zleaks query, bad SQL' 2 zleaks "$ZLEAKS" query 'SELEKT 1' "$T/whole.db"
"$ZLEAKS" query 'DELETE FROM process' "$T/whole.db" >/dev/null 2>&1
"$ZLEAKS" query 'DROP TABLE block_info' "$T/whole.db" >/dev/null 2>&1
same 'zleaks query, cannot change the report' 1 \
    "$(query "$T/whole.db" 'SELECT count(*) FROM process, (SELECT count(*) FROM block)')"

# Overwritten in the middle: an answer or a refusal, but no crash.
for i in 1 2 3 4 5 6 7 8; do
	cp "$T/whole.db" "$T/bad.db"
	head -c 3000 /dev/urandom | dd of="$T/bad.db" bs=1 conv=notrunc \
	    seek=$((4096 + i * (bytes - 8192) / 8)) 2>/dev/null
	for command in leaks growth html flamegraph; do
		timeout 30 "$ZLEAKS" $command "$T/bad.db" >"$T/out" 2>"$T/err" \
		    </dev/null
		status=$?
		case $status in
		[0-3]) ok "zleaks $command, garbage at place $i" ;;
		*) not_ok "zleaks $command, garbage at place $i" \
			"exit status $status" ;;
		esac
	done
done

for tool in "$ZRECORD" "$ZLEAKS"; do
	name=$(basename "$tool")
	for option in --help --version; do
		"$tool" $option >"$T/out" 2>"$T/err" </dev/null
		same "$name $option: exit status" 0 $?
		check "$name $option: on stdout" [ -s "$T/out" ]
		check "$name $option: nothing on stderr" [ ! -s "$T/err" ]
	done
	"$tool" --help >/dev/full 2>"$T/err"
	check "$name --help, full device" [ $? != 0 ]
done
