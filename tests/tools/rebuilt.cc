// rebuilt.cc - leaks of many shapes, for fingerprints.sh: built in several
// ways, with SHIFT at other lines.  Most functions are inlined at -O2.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>
#ifdef SHIFT
#line 1000
#endif

void *volatile sink;
static char *
dup_name(const char *s)
{
	return strdup(s);
}
static void
leak_string(int n)
{
	auto *s = new std::string(100 + n, 'x');
	sink = s;
}
template <class T> struct Pool {
	std::vector<T> items;
	void
	grow(const T &v)
	{
		items.push_back(v);
	}
};
static void
leak_vector()
{
	auto *p = new Pool<std::string>;
	for (int i = 0; i < 10; i++)
		p->grow("a long string that is on the heap");
	sink = p;
}
static void
leak_map()
{
	auto *m = new std::map<std::string, std::shared_ptr<int>>;
	for (int i = 0; i < 5; i++)
		(*m)["key number " + std::to_string(i) + " which is long"] =
		    std::make_shared<int>(i);
	sink = m;
}
static int
recurse(int n)
{
	if (n == 0) {
		sink = std::malloc(77);
		return 1;
	}
	return recurse(n - 1) + n;
}
struct Tree {
	Tree *l, *r;
	Tree(int d) : l(d ? new Tree(d - 1) : nullptr), r(nullptr)
	{
	}
};
static void
leak_lambda()
{
	auto f = [](int n) { sink = std::malloc(n); };
	f(33);
	f(34);
}
int
main(int argc, char **)
{
	sink = dup_name("hello");
	leak_string(argc);
	leak_vector();
	leak_map();
	recurse(argc + 3);
	sink = new Tree(3);
	leak_lambda();
	sink = nullptr;
	char b[8192];
	memset(b, 0, sizeof b);
	__asm__ volatile("" ::"r"(b) : "memory");
	return 0;
}
