/*
 * types.cc - C++ objects of known types, and blocks that only look like them.
 *
 *   types grow       sessions become more and more
 *   types            prints "block TYPE ADDRESS", with - where a block has no
 *                    type that can be told, blanks in names as '_'
 */
#include "known.h"

#include <map>
#include <string>
#include <vector>

struct Left {
	long a = 1;
	virtual ~Left()
	{
	}
	virtual long
	left()
	{
		return a;
	}
};

struct Right {
	long b = 2;
	virtual ~Right()
	{
	}
	virtual long
	right()
	{
		return b;
	}
};

struct Both : Left, Right {
	long c = 3;
	long
	left() override
	{
		return c;
	}
	long
	right() override
	{
		return c;
	}
};

namespace shop
{
struct Session {
	virtual ~Session()
	{
	}
	void *cart = nullptr;
};
namespace
{
struct Hidden {
	virtual ~Hidden()
	{
	}
	void *next = nullptr;
};
} // namespace
template <typename T> struct Box {
	T value{};
	virtual ~Box()
	{
	}
};
} // namespace shop

struct Plain {
	long x = 0, y = 0;
};

/* Valid and alive at exit: each by its own variable. */
Left *g_left;
Right *g_second_base; /* points into the middle of a Both */
Both *g_both;
shop::Session *g_session;
void *g_hidden;
shop::Box<int> *g_box;
Plain *g_plain;
Left *g_array;
void *g_decoys[3];
std::map<std::string, shop::Session *> *g_map;

static void
say(const char *type, const void *p)
{
	dprintf(1, "block %s %p\n", type, p);
}

/* Words that point into a table of functions, but not where an object's would:
 * to a later function, and to the table of a second base. */
static void
decoys()
{
	void **vtable = *reinterpret_cast<void ***>(g_left);
	void **second =
	    *reinterpret_cast<void ***>(static_cast<Right *>(g_both));
	void *words[3] = { vtable + 1, second, (void *)&decoys };

	for (int i = 0; i < 3; i++) {
		void **block = static_cast<void **>(used(malloc(40)));
		block[0] = words[i];
		g_decoys[i] = block;
		say("-", block);
	}
}

std::vector<shop::Session *> *g_sessions;

static void
grow()
{
	g_sessions = new std::vector<shop::Session *>;
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 50; k++)
			g_sessions->push_back(new shop::Session);
		usleep(10000);
	}
	exit(0);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "grow"))
		grow();
	g_left = new Left;
	g_both = new Both;
	Both *other = new Both;
	g_second_base = other;
	g_session = new shop::Session;
	g_session->cart = new shop::Box<int>;
	g_hidden = new shop::Hidden;
	g_box = new shop::Box<int>;
	g_plain = new Plain;
	g_array = new Left[3];
	g_map = new std::map<std::string, shop::Session *>;
	(*g_map)["a"] = new shop::Session;
	say("Left", g_left);
	say("Both", g_both);
	say("Both", other);
	say("shop::Session", g_session);
	say("shop::Box<int>", g_session->cart);
	say("shop::(anonymous_namespace)::Hidden", g_hidden);
	say("shop::Box<int>", g_box);
	say("-", g_plain);
	say("shop::Session", g_map->begin()->second);
	say("-", g_map);
	decoys();
	used(g_left);
	exit(0);
}
