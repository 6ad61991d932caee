// operators.cc - new and delete in all their forms, as the standard has them.
//
// Run by tests/tools/linking.sh, preloaded and linked in each way; also right
// with libstdc++'s own operators.  Exit status 0 and "operators: good", or 1
// and what was wrong.  An argument leaves out what the library cannot do when
// the C++ runtime is linked in statically.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			std::printf("operators: line %d: %s\n",       \
				    __LINE__, #condition);            \
			std::exit(1);                                 \
		}                                                     \
	} while (0)

static volatile std::size_t huge = PTRDIFF_MAX;
static int calls;
static void *volatile sink;

static void
handler_gives_up()
{
	if (++calls == 3)
		std::set_new_handler(nullptr);
}

static void
handler_throws()
{
	calls++;
	throw std::bad_alloc();
}

template <typename F>
static bool
throws(F f)
{
	try {
		f();
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

static const std::align_val_t wide{256};

static void
test_plain()
{
	for (std::size_t n : {0, 1, 16, 100, 300, 5000, 100000, 20000000}) {
		void *p = ::operator new(n), *q = ::operator new[](n);
		CHECK(p && q && p != q);
		::operator delete(p);
		::operator delete[](q);
		p = ::operator new(n, std::nothrow);
		q = ::operator new[](n, std::nothrow);
		CHECK(p && q);
		::operator delete(p, n);
		::operator delete[](q, n);
		p = ::operator new(n, wide);
		q = ::operator new[](n, wide, std::nothrow);
		CHECK(reinterpret_cast<std::uintptr_t>(p) % 256 == 0);
		CHECK(reinterpret_cast<std::uintptr_t>(q) % 256 == 0);
		::operator delete(p, wide);
		::operator delete[](q, n, wide);
	}
	::operator delete(nullptr);
	::operator delete[](nullptr, std::nothrow);
}

static void
test_failure()
{
	std::set_new_handler(nullptr);
	CHECK(throws([] { sink = ::operator new(huge); }));
	CHECK(throws([] { sink = ::operator new[](huge); }));
	CHECK(throws([] { sink = ::operator new(huge, wide); }));
	CHECK(!::operator new(huge, std::nothrow));
	CHECK(!::operator new[](huge, std::nothrow));
	CHECK(!::operator new(huge, wide, std::nothrow));
}

static void
test_handler()
{
	std::set_new_handler(handler_gives_up);
	calls = 0;
	CHECK(throws([] { sink = ::operator new(huge); }) && calls == 3);
	std::set_new_handler(handler_gives_up);
	calls = 0;
	CHECK(!::operator new(huge, std::nothrow) && calls == 3);
	std::set_new_handler(nullptr);
}

// A nothrow new catches what the handler throws.
static void
test_throwing_handler()
{
	std::set_new_handler(handler_throws);
	calls = 0;
	CHECK(throws([] { sink = ::operator new[](huge); }) && calls == 1);
	CHECK(!::operator new[](huge, std::nothrow) && calls == 2);
	CHECK(!::operator new(huge, wide, std::nothrow) && calls == 3);
	std::set_new_handler(nullptr);
}

// The runtime's own allocations, mixed with ours.
static void
test_library()
{
	std::vector<std::string> v;
	for (int i = 0; i < 10000; i++)
		v.push_back(std::string(static_cast<std::size_t>(i % 300), 'x'));
	for (int i = 0; i < 10000; i += 2)
		std::string().swap(v[static_cast<std::size_t>(i)]);
	CHECK(v[301].size() == 1);
	for (int i = 0; i < 100; i++)
		CHECK(throws([] { throw std::bad_alloc(); }));
}

int
main(int argc, char **)
{
	test_plain();
	test_failure();
	test_handler();
	if (argc < 2)
		test_throwing_handler();
	test_library();
	std::puts("operators: good");
	return 0;
}
