"""What recording costs, beside heaptrack, in interleaved rounds.

  record.py BUILD TMP ROUNDS [NAME...]     the inputs lie in TMP (inputs.py)

CPU is user + system time of a command and of all processes that it started:
zrecord's own work and heaptrack's interpreter are in it.  "target" is the
program alone, recorded with MallocTracing=1, whose recorder is nobody's child.
An event is a call of the malloc family or of free.
"""
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

build, tmp, rounds = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
wanted = sys.argv[4:]
report = tmp + "/r.db"
alone = tmp + "/r.db.target"


def cc1():
    path = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True,
                          text=True).stdout.strip()
    return path if os.path.isabs(path) else None


def programs():
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else "python3"
    json, xml = tmp + "/big.json", tmp + "/big.xml"
    yield "python", [python, "-S", tmp + "/work.py", json, json], {"PYTHONMALLOC": "malloc"}
    sql = ".read %s/big.sql" % tmp
    yield "sqlite3", ["sqlite3", ":memory:", sql, "drop table t", sql], {}
    if cc1():
        yield "cc1", [cc1(), "-quiet", "-O1", tmp + "/small.c", "-o", tmp + "/small.s"], {}
    yield "jq", ["jq", "-c", ".[].tags"] + 7 * [json], {}
    if os.path.isdir(tmp + "/repo"):
        yield "git-log", ["git", "-C", tmp + "/repo", "log", "-p", "--stat"], {}
    yield "xmllint", ["xmllint", "--noout", xml, xml, xml], {}
    if os.path.exists(tmp + "/maps"):
        yield "maps", [tmp + "/maps", "650000"], {}


def cpu(command, env):
    """CPU seconds of the command and its processes."""
    pid = os.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in 0, 1, 2:
            os.dup2(null, fd)
        os.environ.update(env)
        os.execvp(command[0], command)
    used = os.wait4(pid, 0)[2]
    return used.ru_utime + used.ru_stime


def rows(sql):
    db = sqlite3.connect(report)
    try:
        return db.execute(sql).fetchone()
    finally:
        db.close()


def wait_for_recorder():
    """Nobody's child is done with the report of the run before."""
    for _ in range(400):
        time.sleep(0.05)
        try:
            db = sqlite3.connect("file:%s?mode=ro" % alone, uri=True)
            if db.execute("SELECT value FROM meta WHERE key = 'state'").fetchone()[0] == "finished":
                return
        except sqlite3.Error:
            pass


def clean():
    for name in os.listdir(tmp):
        if name.startswith(("r.db", "ht.")):
            os.unlink(tmp + "/" + name)


def one_round(name, command, env, out):
    zrecord = build + "/zrecord"
    out("plain", cpu(command, env))
    out("zrecord", cpu([zrecord, "-q", "-o", report, "--"] + command, env))
    out("events", rows("SELECT sum(allocations) + sum(frees) FROM process")[0])
    clean()
    out("target", cpu(command, dict(env, MallocTracing="1", MallocTracingFile=alone,
                                    LD_PRELOAD=build + "/libzmalloc.so")))
    wait_for_recorder()
    out("history", cpu([zrecord, "-q", "--history", "-o", report, "--"] + command, env))
    out("bytes", rows("SELECT ifnull(1.0 * sum(length(chunk)) / sum(events), 0) FROM history")[0])
    clean()
    out("sample", cpu([zrecord, "-q", "--sample=512K", "-o", report, "--"] + command, env))
    out("preload", cpu(command, dict(env, LD_PRELOAD=build + "/libzmalloc.so")))
    if shutil.which("heaptrack"):
        out("heaptrack", cpu(["heaptrack", "-o", tmp + "/ht"] + command, env))
    clean()


def main():
    todo = [p for p in programs() if shutil.which(p[1][0]) and (not wanted or p[0] in wanted)]
    values = {p[0]: {} for p in todo}
    for _ in range(rounds):
        for name, command, env in todo:
            one_round(name, command, env,
                      lambda key, v, n=name: values[n].setdefault(key, []).append(v))
    variants = [("zrecord", "zrecord"), ("target", "target"), ("history", "--history"),
                ("sample", "--sample=512K"), ("heaptrack", "heaptrack")]
    print("CPU relative to plain glibc, in brackets ns added per event; median of "
          "%d rounds" % rounds)
    print("%-9s %10s %9s" % ("", "events", "plain ms") +
          "".join("%16s" % title for _, title in variants) + "  bytes/event")
    ratios = {}
    for name, v in values.items():
        m = {key: statistics.median(x) for key, x in v.items()}
        line = "%-9s %10d %9.0f" % (name, m["events"], m["plain"] * 1e3)
        for key, _ in variants:
            if key not in m:
                line += "%16s" % "-"
                continue
            # a sampled program runs on our allocator: that is what it is compared with
            base = m["preload"] if key == "sample" else m["plain"]
            added = (m[key] - base) * 1e9 / m["events"]
            ratios.setdefault(key, []).append((m[key] / base, added))
            line += "%9.2f (%4.0f)" % (m[key] / base, added)
        print(line + "%9.2f" % m["bytes"])
    line = "%-30s" % "geometric mean (median)"
    for key, _ in variants:
        if key in ratios:
            line += "%9.2f (%4.0f)" % (statistics.geometric_mean(r for r, _ in ratios[key]),
                                       statistics.median(a for _, a in ratios[key]))
    print(line)
    print("--sample is relative to the library without recording")


main()
