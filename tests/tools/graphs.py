"""What kinds the blocks of graphs.c must have, from the graphs alone.

  graphs.py DESCRIPTION    rows "ADDRESS KIND" of the report on standard input

Prints what is wrong, then one line: GRAPHS BLOCKS and how many of each kind.
"""
import collections
import sys


def closure(start, edges):
    seen, todo = set(start), list(start)
    while todo:
        for to in edges[todo.pop()]:
            if to not in seen:
                seen.add(to)
                todo.append(to)
    return seen


def judge(name, graph, found):
    every, starts = collections.defaultdict(set), collections.defaultdict(set)
    for a, b, inside in graph["e"]:
        every[a].add(b)
        if not inside:
            starts[a].add(b)
    reachable = closure({to for to, inside in graph["r"] if not inside}, starts)
    touched = {to for to, _ in graph["r"]} | reachable
    possible = closure(touched, every) - reachable
    lost = set(graph["n"]) - reachable - possible
    ways = {a: closure({a}, every) for a in lost}
    wrong, entries = [], 0
    for a in graph["n"]:
        kind = found.get(graph["n"][a], "missing")
        if a in reachable and kind != "reachable" or a in possible and kind != "possible":
            wrong.append((name, a, kind, "reachable" if a in reachable else "possible"))
        if a in lost and kind not in ("definite", "indirect"):
            wrong.append((name, a, kind, "lost"))
    # one entry for each knot that no other lost block leads to
    for a in lost:
        knot = {b for b in ways[a] & lost if a in ways[b]} | {a}
        led_to = any(a in ways[b] for b in lost - knot)
        want = 0 if led_to else 1
        have = sum(found.get(graph["n"][b]) == "definite" for b in knot)
        if min(knot) == a:
            entries += want
            if have != want:
                wrong.append((name, a, "%d definite" % have, want))
    counts = [len(reachable), len(possible), len(lost), entries]
    return wrong, counts


def main():
    graphs = collections.defaultdict(lambda: {"n": {}, "e": [], "r": []})
    for line in open(sys.argv[1]):
        what, graph, *numbers = line.split()
        numbers = [int(n) for n in numbers]
        if what == "n":
            graphs[graph]["n"][numbers[0]] = numbers[1]
        else:
            graphs[graph][what].append(tuple(numbers))
    found = {}
    for line in sys.stdin:
        address, kind = line.split()
        found[int(address)] = kind
    sums = [0, 0, 0, 0]
    for name, graph in sorted(graphs.items(), key=lambda g: int(g[0])):
        wrong, counts = judge(name, graph, found)
        for w in wrong[:5]:
            print("graph %s, block %s: %s, should be %s" % w)
        sums = [a + b for a, b in zip(sums, counts)]
    print(len(graphs), "graphs:", *sums)


main()
