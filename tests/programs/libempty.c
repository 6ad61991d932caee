/* libempty.c - a preloaded library that does nothing, to compare with. */
int zm_test_empty;
