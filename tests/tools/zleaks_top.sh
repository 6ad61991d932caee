#!/usr/bin/env bash
# zleaks_top.sh - zleaks top of a program that is being recorded: one table in a
# pipe, live on a terminal, which gets back what it had on every way out.
. tests/lib.sh

mkfifo "$T/end"
"$ZRECORD" -q -o "$T/r.db" -- "$PROGRAMS/grow" "$T/end" >"$T/truth" &
recorder=$!
exec 3<>"$T/end"

# top_json EXPRESSION ARGUMENT...: of one round
top_json()
{
	local what=$1
	shift
	"$ZLEAKS" top --json "$@" -o "$T/top.json" "$T/r.db" &&
	    sqlite3 -batch -separator ' ' :memory: "WITH t AS (SELECT readfile('$T/top.json') AS t)
		SELECT $what FROM t"
}
seen() { [ "$(top_json "coalesce(t ->> '\$.rows[0].live_blocks', 0) > 200")" = 1 ]; }
check 'grows while it is looked at' wait_for seen

first="t ->> '\$.rows[0]"
same 'who: name and sizes' 'alloc_growing 1' "$(top_json "$first.stack[0].function',
    $first.live_bytes' = 3000 * ($first.live_blocks')")"
# one block of 3000 bytes a millisecond, when the machine has time
same 'rate: it grows, and no faster than it can' 1 \
    "$(top_json "$first.bytes_per_second' BETWEEN 10000 AND 3200000")"
same 'by class' '3072 DefaultMallocZone' \
    "$(top_json "$first.size_class', $first.zone'" --by=class)"
same 'running' 1 "$(top_json "t ->> '\$.running'")"
same 'in a pipe: a table and the end' 1 \
    "$("$ZLEAKS" top "$T/r.db" </dev/null | grep -c 'alloc_growing < main$')"
same 'in a pipe: no control characters' 0 "$("$ZLEAKS" top "$T/r.db" | LC_ALL=C grep -c '[[:cntrl:]]')"

# What other commands know meanwhile.
"$ZLEAKS" classes --json -o "$T/c.json" "$T/r.db"
same 'classes, while it runs: the class, and all of the RSS' '1 1 1' "$(sqlite3 -batch -separator ' ' :memory: "
    WITH p AS (SELECT readfile('$T/c.json') -> '\$.processes[0]' AS p)
    SELECT (SELECT value ->> 'bytes' = 3000 * (value ->> 'blocks') AND
	    value ->> 'slack_bytes' = 72 * (value ->> 'blocks') FROM json_each(p, '\$.classes')
	    WHERE value ->> 'size_class' = 3072),
	(SELECT sum(iif(key = 'rss', -value, value)) = 0 FROM json_each(p, '\$.memory.bytes')),
	p ->> '\$.memory.bytes.live' > 200 * 3000 FROM p")"
"$ZLEAKS" threads --json -o "$T/t.json" "$T/r.db"
same 'threads, while it runs' '1 1 1' "$(sqlite3 -batch -separator ' ' :memory: "
    SELECT value -> 'main' = 'true', value ->> 'allocations' > 200, value ->> 'live_blocks' IS NULL
    FROM json_each(readfile('$T/t.json'), '\$.threads')")"

# A terminal of our own: what is written to it, and what state it ends in.
cat >"$T/terminal.py" <<'END'
import os, pty, select, signal, sys, termios, time

zleaks, report, how = sys.argv[1:4]
master, slave = pty.openpty()
termios.tcsetwinsize(slave, (24, 100)) if hasattr(termios, "tcsetwinsize") else None
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.environ.update(TERM="xterm", LINES="24", COLUMNS="100")
    os.execv(zleaks, [zleaks, "top", report])
text = b""

def until(*wanted):
    """Reads until all these were seen since the last call; 20 s at most."""
    global text
    new, end = b"", time.time() + 20
    while time.time() < end and not all(w in new for w in wanted):
        if select.select([master], [], [], 0.2)[0]:
            new += os.read(master, 65536)
    text += new
    return all(w in new for w in wanted)

ok = until(b"alloc_growing", b"q quit")
if how == "q":
    os.write(master, b"c")
    ok &= until(b"DefaultMallocZone")
    os.write(master, b"rp")
    ok &= until(b"paused")
    os.write(master, b"q")
elif how == "gone":
    os.rename(report, report + ".gone")
    ok &= until(b"no such file")
else:
    os.kill(pid, getattr(signal, how))
status, end = None, time.time() + 20
while time.time() < end and status is None:
    if select.select([master], [], [], 0.05)[0]:
        text += os.read(master, 65536)
    done, s = os.waitpid(pid, os.WNOHANG)
    if done:
        status = s
while select.select([master], [], [], 0.2)[0]:
    text += os.read(master, 65536)
if how == "gone":
    os.rename(report + ".gone", report)
left = text.rfind(b"\033[?1049l")
print("seen" if ok else "not seen",
      "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "status %d" % os.WEXITSTATUS(status),
      "left" if left > text.rfind(b"\033[?1049h") >= 0 else "not left",
      "cursor" if text.rfind(b"\033[?25h") > text.rfind(b"\033[?25l") else "no cursor",
      "same" if termios.tcgetattr(slave) == before else "changed")
if how == "gone":
    print("message behind it" if text.rfind(b"no such file") > left else "message inside")
END
terminal() { python3 "$T/terminal.py" "$ZLEAKS" "$T/r.db" "$1" 2>&1; }
same 'terminal: keys, q' 'seen status 0 left cursor same' "$(terminal q)"
same 'terminal: SIGTERM' 'seen signal 15 left cursor same' "$(terminal SIGTERM)"
same 'terminal: SIGINT' 'seen signal 2 left cursor same' "$(terminal SIGINT)"
same 'terminal: SIGHUP' 'seen signal 1 left cursor same' "$(terminal SIGHUP)"
same 'terminal: the report goes' 'seen status 3 left cursor same
message behind it' "$(terminal gone)"

# The end: what the program says it kept.
echo >&3
wait $recorder
exec 3>&-
same 'ended: all of it' "$(cat "$T/truth")" "$(top_json "$first.live_blocks', $first.live_bytes'")"
same 'ended: not running' 0 "$(top_json "t ->> '\$.running'")"
query "$T/r.db" 'SELECT count(DISTINCT stack_id) - 1 FROM growth_by_stack' >"$T/others"
same 'rows are cut and counted' "$(cat "$T/others")" "$("$ZLEAKS" top -n 1 "$T/r.db" | sed -n 's/ more not shown//p;$!d' | grep . || echo 0)"
"$ZLEAKS" top --by=thread "$T/r.db" >"$T/out" 2>"$T/err"
same 'no such key' '2 zleaks: top: there is --by=stack, class and zone' "$? $(cat "$T/err")"
