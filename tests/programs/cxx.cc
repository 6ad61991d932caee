/*
 * cxx.cc - what C++ allocates: operators, strings, containers, exceptions.
 * What a container leaves is "lost": its header and its nodes may point to
 * each other, and then either may be the entry.
 */
#include "known.h"

#include <list>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

struct plain {
	long a, b, c;
};
struct alignas(64) wide {
	char bytes[128];
};
/* An array of these starts behind a word that counts them. */
struct counted {
	long value = 1;
	~counted()
	{
		used(&value);
	}
};

static NOINLINE void
alloc_new()
{
	for (int i = 0; i < 3; i++)
		used(new plain());
}
static NOINLINE void
alloc_new_array()
{
	used(new plain[10]);
}
static NOINLINE void
alloc_new_aligned()
{
	used(new wide());
	used(new wide[2]);
}
static NOINLINE void
alloc_new_nothrow()
{
	used(new (std::nothrow) plain());
	used(new (std::nothrow) plain[2]);
}
static NOINLINE void
alloc_new_raw()
{
	used(::operator new(21));
	used(::operator new[](22));
	used(::operator new(23, std::align_val_t(256)));
}
static void *volatile counted_holder;
static NOINLINE void
alloc_counted()
{
	counted_holder = (char *)used(new counted[4]) - sizeof(size_t);
}
static NOINLINE void
operators()
{
	alloc_new();
	alloc_new_array();
	alloc_new_aligned();
	alloc_new_nothrow();
	alloc_new_raw();
	alloc_counted();
}

/* Clang declares it when asked to only. */
void operator delete(void *, std::size_t) noexcept;

/* Every form of delete. */
static NOINLINE void
alloc_deleted()
{
	delete (plain *)used(new plain());
	delete[](plain *) used(new plain[3]);
	delete (wide *)used(new wide());
	delete[](wide *) used(new wide[3]);
	delete[](counted *) used(new counted[3]);
	::operator delete(used(::operator new(5)), (size_t)5);
	::operator delete(used(::operator new(5)), std::nothrow);
	std::unique_ptr<plain> owner(new plain());
	std::shared_ptr<plain> share = std::make_shared<plain>();
}

/* The object and the characters of a long string. */
static NOINLINE void
alloc_string()
{
	used(new std::string(100, 'x'));
}
/* A short string points into itself. */
static NOINLINE void
alloc_short_string()
{
	used(new std::string("short"));
}
static NOINLINE void
strings()
{
	alloc_string();
	alloc_short_string();
}

static NOINLINE void
alloc_vector()
{
	auto *v = new std::vector<int>(25);
	used(v);
}
static NOINLINE void
alloc_grown_vector()
{
	std::vector<long> *v = new std::vector<long>();

	v->reserve(10);
	for (long i = 0; i < 33; i++)
		v->push_back(i); /* 10, 20, 40 */
	used(v);
}
static NOINLINE void
vectors()
{
	alloc_vector();
	alloc_grown_vector();
}

static NOINLINE void
alloc_map()
{
	auto *m = new std::map<int, int>();

	for (int i = 0; i < 20; i++)
		(*m)[i] = i;
	used(m);
}
static NOINLINE void
alloc_list()
{
	auto *l = new std::list<int>();

	for (int i = 0; i < 20; i++)
		l->push_back(i);
	used(l);
}
static NOINLINE void
alloc_unordered_map()
{
	auto *m = new std::unordered_map<int, int>();

	m->reserve(13);
	for (int i = 0; i < 10; i++)
		(*m)[i] = i;
	used(m);
}
static NOINLINE void
containers()
{
	alloc_map();
	alloc_list();
	alloc_unordered_map();
}

/* The singleton that is never destroyed: all of it stays reachable. */
static std::vector<plain *> &
registry()
{
	static auto *v = new std::vector<plain *>();
	return *v;
}
static NOINLINE void
alloc_registered()
{
	registry().reserve(8);
	for (int i = 0; i < 8; i++)
		registry().push_back(new plain());
}

/* Destroyed at exit, what it holds included. */
static std::map<int, std::string> static_map;
static std::vector<std::unique_ptr<plain>> static_vector;
static NOINLINE void
alloc_static()
{
	for (int i = 0; i < 50; i++) {
		static_map[i] = std::string(50, 'y');
		static_vector.emplace_back(new plain());
	}
}

static NOINLINE void
alloc_then_throw(int depth)
{
	used(new plain());
	if (depth == 0)
		throw std::runtime_error("a message that is not short at all");
	alloc_then_throw(depth - 1);
}
static NOINLINE void
alloc_in_catch()
{
	used(malloc(31));
}
static NOINLINE void
alloc_while_unwinding()
{
	used(malloc(32));
}
struct unwound {
	~unwound()
	{
		alloc_while_unwinding();
	}
};
static NOINLINE void
throw_through()
{
	unwound guard;

	alloc_then_throw(9);
}
static NOINLINE void
exceptions()
{
	for (int i = 0; i < 3; i++) {
		try {
			throw_through();
		} catch (const std::exception &) {
			alloc_in_catch();
		}
	}
}

/* A constructor throws: its object is given back, its member is not. */
static NOINLINE plain *
alloc_member()
{
	return new plain();
}
struct thrower {
	plain *member;
	thrower() : member(alloc_member())
	{
		throw 1;
	}
};
static NOINLINE void
alloc_thrower()
{
	try {
		used(new thrower());
	} catch (int) {
	}
}

static const struct scenario scenarios[] = {
	{ "operators", operators,
	  "definite alloc_new 3 72\n"
	  "definite alloc_new_array 1 240\n"
	  "definite alloc_new_aligned 2 384\n"
	  "definite alloc_new_nothrow 2 72\n"
	  "definite alloc_new_raw 3 66\n"
	  "reachable alloc_counted 1 40\n",
	  NULL },
	{ "deleted", alloc_deleted, "", NULL },
	{ "strings", strings,
	  "definite alloc_string 1 32\nindirect ~alloc_string 1 101\n"
	  "definite alloc_short_string 1 32\n",
	  NULL },
	{ "vectors", vectors,
	  "definite alloc_vector 1 24\nindirect ~alloc_vector 1 100\n"
	  "definite alloc_grown_vector 1 24\n"
	  "indirect ~alloc_grown_vector 1 320\n",
	  NULL },
	{ "containers", containers,
	  "lost alloc_map 1 48\nlost ~alloc_map 20 800\n"
	  "lost alloc_list 1 24\nlost ~alloc_list 20 480\n"
	  "lost alloc_unordered_map 1 56\n"
	  "lost ~alloc_unordered_map 11 264\n",
	  NULL },
	{ "registry", alloc_registered,
	  "reachable alloc_registered 8 192\n"
	  "reachable ~alloc_registered 2 88\n",
	  NULL },
	{ "static", alloc_static, "", NULL },
	{ "exceptions", exceptions,
	  "definite alloc_then_throw 30 720\n"
	  "definite alloc_in_catch 3 93\n"
	  "definite alloc_while_unwinding 3 96\n",
	  NULL },
	{ "thrower", alloc_thrower, "definite alloc_member 1 24\n", NULL },
};

KNOWN_MAIN(scenarios)
