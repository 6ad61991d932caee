// maps.cc - a C++ program for bench/run record: maps and strings that change on
// four threads, 20 to 40 frames deep.
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using Map = std::map<std::string, std::vector<std::string>>;

__attribute__((noinline)) void change(Map &map, unsigned &r)
{
	r = r * 1664525u + 1013904223u;
	auto &list = map["key number " + std::to_string(r >> 22)];
	if (list.size() > 6)
		list.clear();
	else
		list.push_back("a value that is long enough " + std::to_string(r));
}

__attribute__((noinline)) void below(Map &map, unsigned &r, int depth)
{
	if (depth == 0)
		change(map, r);
	else
		below(map, r, depth - 1);
	asm volatile("");
}

void work(unsigned seed, long steps)
{
	Map map;
	for (long i = 0; i < steps; i++)
		below(map, seed, 12 + static_cast<int>(seed >> 16) % 16);
}

} // namespace

int main(int argc, char **argv)
{
	long steps = argc > 1 ? std::atol(argv[1]) : 200000;
	std::vector<std::thread> threads;
	for (unsigned i = 1; i <= 4; i++)
		threads.emplace_back(work, i * 77, steps);
	for (auto &t : threads)
		t.join();
	return 0;
}
