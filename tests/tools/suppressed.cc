// suppressed.cc - leaks behind C++ names, for suppressions.sh: namespaces,
// templates, constructors, operators, nameless namespaces, lambdas.
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#define KEEP __attribute__((noinline))

static void *volatile sink;

namespace shop
{
struct Order {
	char *note;
	KEEP
	Order(int n)
	    : note(static_cast<char *>(std::malloc(n)))
	{
	}
	KEEP void
	fill(const std::string &text, int n)
	{
		note = static_cast<char *>(std::realloc(note, n));
		std::memcpy(note, text.data(), 3);
	}
	KEEP bool
	operator<<(int n)
	{
		sink = new char[n];
		return true;
	}
};
template <class K, class V> struct Registry {
	std::map<K, std::vector<V>> table;
	KEEP V *
	put(const K &key, V value)
	{
		table[key].push_back(value);
		return new V(value);
	}
};
namespace
{
KEEP void
hidden(int n)
{
	sink = std::malloc(n);
}
} // namespace
KEEP void
reach_hidden()
{
	hidden(500);
}
} // namespace shop

template <class T>
KEEP T *
make(int n)
{
	return static_cast<T *>(std::calloc(n, sizeof(T)));
}

KEEP static void
all()
{
	auto *order = new shop::Order(90);
	order->fill("abcdef", 200);
	*order << 300;
	auto *r = new shop::Registry<std::string, std::vector<int>>;
	for (int i = 0; i < 3; i++)
		r->put("a key that is not short " + std::to_string(i),
		       { 1, 2, 3 });
	sink = make<long>(40);
	shop::reach_hidden();
	auto inner = [](int n) KEEP { sink = std::malloc(n); };
	inner(600);
}

KEEP static void
clear()
{
	char dead[16384];

	sink = nullptr;
	std::memset(dead, 0, sizeof dead);
	__asm__ volatile("" : : "r"(dead) : "memory");
}

int
main()
{
	all();
	clear();
	return 0;
}
