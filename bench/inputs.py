"""Writes the inputs of the real programs into a folder; always the same."""
import json
import random
import sys

folder = sys.argv[1]
random.seed(1)


def write(name, text):
    with open(folder + "/" + name, "w") as f:
        f.write(text)


write("big.json", json.dumps(
    [{"id": i, "name": "n%d" % i, "tags": [str(random.random()) for _ in range(8)]}
     for i in range(40000)]))

write("big.xml", "<r>" + "".join(
    '<e id="%d"><v>%f</v><w>text</w></e>' % (i, random.random())
    for i in range(120000)) + "</r>")

FUNCTION = ("int f%d(int a,int b){int s=0;"
            "for(int i=0;i<a;i++){s+=i*b;if(s>%d)s-=b;}return s;}\n")
write("big.c", "".join(FUNCTION % (i, i) for i in range(3000)))
write("small.c", "".join(FUNCTION % (i, i) for i in range(500)))

write("big.sql", "create table t(a,b,c);begin;" + "".join(
    'insert into t values(%d,%d,"x%d");' % (i, i * 7919 % 10007, i)
    for i in range(60000)) +
    "commit;create index i on t(b);"
    "select b,count(*),group_concat(c) from t group by b order by 2;")

write("work.py", """
import json, sys
class Item:
    def __init__(self, d):
        self.name, self.tags = d["name"], [t[:6] for t in d["tags"]]
def work(path):
    data = json.load(open(path))[:20000]
    index = {}
    for d in data:
        item = Item(d)
        for t in item.tags:
            index.setdefault(t, []).append(item)
    words = sorted(" ".join(sorted(i.name for i in v)) for v in index.values())
    text = json.dumps([{"w": w, "n": len(w)} for w in words])
    assert len(text) > 1000
for path in sys.argv[1:]:
    work(path)
""")

write("work.lua", """
local t = {}
for i = 1, 60000 do t[i] = { id = i, name = "n" .. i, tags = { i, i + 1 } } end
local index = {}
for _, v in ipairs(t) do index[v.name] = v end
local parts = {}
for round = 1, 4 do
  for i = 1, 60000, 3 do
    t[i] = { id = i, name = t[i].name .. round, tags = {} }
    parts[#parts + 1] = t[i].name:upper()
  end
end
assert(#table.concat(parts, ",") > 1000)
""")

write("work.pl", """
my (%h, @a);
for my $i (1 .. 120000) {
    my $s = "key" . ($i * 7919 % 40009);
    push @{ $h{$s} }, { n => $i, s => $s x 3 };
    $a[$i % 5000] .= $s;
    $a[$i % 5000] = "" if length $a[$i % 5000] > 2000;
}
my $n = 0;
for my $k (sort keys %h) { $n += length join ",", map { $_->{s} } @{ $h{$k} } }
die unless $n > 1000;
""")


def repository():
    """A git fast-import stream: a history of small changes to 150 files."""
    files = [["line %d of file %d" % (n, f) for n in range(120)] for f in range(150)]
    for commit in range(1300):
        message = "change %d" % commit
        yield "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata %d\n%s\n" % (
            1700000000 + commit, len(message), message)
        changed = range(150) if commit == 0 else random.sample(range(150), 3)
        for f in changed:
            files[f][random.randrange(120)] = "changed in %d" % commit
            text = "\n".join(files[f]) + "\n"
            yield "M 644 inline d%d/f%d.txt\ndata %d\n%s\n" % (f % 10, f, len(text), text)


write("repo.stream", "".join(repository()))
