"""Medians of interleaved runs, and ratios to the first column.

Reads lines "variant pattern value"; prints one row per pattern and the
geometric mean of the ratios of each variant to the reference variant.
"""
import math
import statistics
import sys

reference = sys.argv[1]
values, patterns, variants = {}, [], []
for line in sys.stdin:
    try:
        variant, pattern, value = line.split()
        value = float(value)
    except ValueError:
        continue
    if pattern not in patterns:
        patterns.append(pattern)
    if variant not in variants:
        variants.append(variant)
    values.setdefault((variant, pattern), []).append(value)

median = {k: statistics.median(v) for k, v in values.items()}
print("%-24s" % "median", *("%14s" % v for v in variants))
logs = {v: [] for v in variants}
for p in patterns:
    row = ["%-24s" % p]
    base = median.get((reference, p))
    for v in variants:
        m = median.get((v, p))
        if m is None or not base:
            row.append("%14s" % "-")
            continue
        row.append("%7.1f %5.2fx" % (m, m / base))
        logs[v].append(math.log(max(m / base, 1e-9)))
    print(*row)
print("%-24s" % "geometric mean of ratios",
      *("%13.2fx" % math.exp(sum(l) / len(l)) if l else "%14s" % "-"
        for l in (logs[v] for v in variants)))
