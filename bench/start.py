"""What starting a program costs under each allocator, and over glibc.

Reads lines "variant pattern metric value" with metrics cpu and wall (ms) and
rss (KiB); prints medians.  Without glibc, the first variant is the base.
"""
import sys

from stats import read

values, variants = read(sys.stdin)
base = "glibc" if "glibc" in variants else variants[0]
for pattern, metrics in values.items():
    print("%-12s %20s %20s %20s" % ("median", "wall us", "CPU us", "peak RSS KiB"))
    for variant in variants:
        cells = []
        for metric, scale in ("wall", 1000), ("cpu", 1000), ("rss", 1):
            value = metrics[metric][variant] * scale
            over = value - metrics[metric][base] * scale
            cells.append("%10.0f %+9.0f" % (value, over))
        print("%-12s" % variant, *cells)
