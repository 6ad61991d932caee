"""zleaks.py - what each command of zleaks costs on one report.

usage: zleaks.py ZLEAKS REPORT ROUNDS [COMMAND...]

Prints a line per command: median CPU and wall time in ms, greatest peak
memory in MiB, bytes of output.  The commands' status is not looked at (1 is
"leaks"); a signal is an error.
"""
import os
import sys

SQL = ("select zone, size_class, count(*), sum(size) from block"
       " group by 1, 2 order by 4 desc")
COMMANDS = {
    "leaks": ["leaks"],
    "leaks-json": ["leaks", "--json"],
    "leaks-thread": ["leaks", "--thread=worker-5"],
    "growth": ["growth"],
    "growth-zone": ["growth", "--by=zone"],
    "growth-stack": ["growth", "--by=stack"],
    "growth-span": ["growth", "--from=request#100", "--to=800"],
    "stacks": ["stacks"],
    "stacks-bottom-up": ["stacks", "--bottom-up", "--cost=total"],
    "stacks-span": ["stacks", "--from=100", "--to=800"],
    "threads": ["threads"],
    "threads-json": ["threads", "--json"],
    "classes": ["classes"],
    "classes-json": ["classes", "--json"],
    "top": ["top"],
    "doctor": ["doctor"],
    "query": ["query", SQL],
    "html": ["html"],
    "flamegraph": ["flamegraph"],
    "folded": ["export", "--format=folded"],
    "pprof": ["export", "--format=pprof"],
    "speedscope": ["export", "--format=speedscope"],
    "massif": ["export", "--format=massif"],
    "csv": ["export", "--format=csv"],
    "json": ["export", "--format=json"],
}


def run(zleaks, words, report, output):
    """One run: CPU ms, wall ms, peak KiB, bytes written, wait status."""
    argv = [zleaks] + words[:1] + [w for w in words[1:] if w[:2] == "--"]
    argv += [report] + [w for w in words[1:] if w[:2] != "--"]
    begin = os.times().elapsed
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, output, flags, 0o600)]
    pid = os.posix_spawn(zleaks, argv, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = (os.times().elapsed - begin) * 1e3
    cpu = (usage.ru_utime + usage.ru_stime) * 1e3
    return cpu, wall, usage.ru_maxrss, os.path.getsize(output), status


def main():
    zleaks, report, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    names = sys.argv[4:] or list(COMMANDS)
    output = report + ".out"
    print("%-18s %8s %8s %9s %11s" % ("command", "CPU ms", "wall ms",
                                      "peak MiB", "output"))
    bad = 0
    for name in names:
        runs = sorted(run(zleaks, COMMANDS[name], report, output)
                      for _ in range(rounds))
        cpu, wall, _, size, _ = runs[len(runs) // 2]
        peak = max(r[2] for r in runs) / 1024
        ended = [r[4] for r in runs if os.WIFSIGNALED(r[4])
                 or os.WEXITSTATUS(r[4]) > 1]
        print("%-18s %8.0f %8.0f %9.1f %11d%s" % (
            name, cpu, wall, peak, size,
            "  status %d" % ended[0] if ended else ""), flush=True)
        bad |= bool(ended)
    os.unlink(output)
    return bad


if __name__ == "__main__":
    sys.exit(main())
