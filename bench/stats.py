"""Medians of interleaved runs as a table of values and ratios.

Reads lines "variant pattern [metric] value"; prints one row per pattern and
the geometric means of the ratios of each variant.

  stats.py REFERENCE                     ratio = value / the reference's
  stats.py REFERENCE --inverse           ratio = the reference's / value, and
                                         last column: the reference's / best
  --metrics ns,cpu   of each pattern the first metric that it has
  --without ns       no pattern that has this metric
  --divide 1024      values are divided by this
"""
import argparse
import math
import statistics
import sys


def read(lines):
    """{pattern: {metric: {variant: median}}} and the variants, in order."""
    values, variants = {}, []
    for line in lines:
        fields = line.split()
        if len(fields) == 3:
            fields.insert(2, "value")
        try:
            variant, pattern, metric, value = fields
            value = float(value)
        except ValueError:
            continue
        if variant not in variants:
            variants.append(variant)
        values.setdefault(pattern, {}).setdefault(metric, {}).setdefault(
            variant, []).append(value)
    for metrics in values.values():
        for of_variant in metrics.values():
            for variant, v in of_variant.items():
                of_variant[variant] = statistics.median(v)
    return values, variants


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


class Table:
    def __init__(self, options, variants):
        self.options = options
        self.reference = options.reference
        self.variants = list(variants)
        if options.inverse and self.reference in self.variants:
            self.variants.remove(self.reference)
            self.variants.insert(0, self.reference)
        self.ratios = {v: [] for v in [*self.variants, "best peer"]}
        self.rows = 0

    def ratio(self, name, value, base):
        if not value or not base:
            return "%6s" % "-"
        r = base / value if self.options.inverse else value / base
        self.ratios[name].append(r)
        return "%5.2fx" % r if r < 100 else "%5.0fx" % r

    def head(self):
        cells = ["%-20s" % "median", *("%14s" % v for v in self.variants)]
        if self.options.inverse:
            cells.append("%10s" % "best peer")
        print(*cells)

    def row(self, label, medians):
        self.rows += 1
        base = medians.get(self.reference)
        cells = ["%-20s" % label]
        for v in self.variants:
            value = medians.get(v)
            number = "-" if value is None else "%.1f" % (
                value / self.options.divide)
            shown = "" if self.options.inverse and v == self.reference else (
                self.ratio(v, value, base))
            cells.append("%7s %6s" % (number, shown))
        peers = [m for v, m in medians.items() if v != self.reference]
        if self.options.inverse:
            best = self.ratio("best peer", min(peers), base) if peers else "-"
            cells.append("%10s" % best)
        print(*cells, flush=True)

    def foot(self):
        cells = ["%-20s" % "geometric mean"]
        for v, ratios in self.ratios.items():
            width = 10 if v == "best peer" else 14
            if v == "best peer" and not self.options.inverse:
                continue
            mean = "%.2fx" % geometric_mean(ratios) if ratios else ""
            # Not all rows have it: say so.
            part = "" if len(ratios) in (0, self.rows) else "%d/%d " % (
                len(ratios), self.rows)
            cells.append("%*s" % (width, part + mean))
        print(*cells)
        if self.options.inverse:
            cells = ["%-20s" % "as good (<= 1.03x)"]
            for v, ratios in self.ratios.items():
                count = "%d of %d" % (sum(r <= 1.03 for r in ratios), len(ratios))
                width = 10 if v == "best peer" else 14
                cells.append("%*s" % (width, count if ratios else ""))
            print(*cells)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reference")
    parser.add_argument("--inverse", action="store_true")
    parser.add_argument("--metrics", default="value")
    parser.add_argument("--without")
    parser.add_argument("--divide", type=float, default=1)
    options = parser.parse_args()
    values, variants = read(sys.stdin)
    wanted = options.metrics.split(",")
    table = Table(options, variants)
    table.head()
    for pattern, metrics in values.items():
        metric = next((m for m in wanted if m in metrics), None)
        if metric is None or options.without in metrics:
            continue
        unit = metric if len(wanted) > 1 and metric == "ns" else ""
        table.row((pattern + " " + unit).strip(), metrics[metric])
    table.foot()


if __name__ == "__main__":
    main()
