/*
 * live_screen.c - `top` on a terminal: a round a second, keys in between.
 *
 * The terminal is given back on every way out: at the end of the loop, by
 * atexit when something ends the program in a round, and before a message is
 * written.  Signals that end a program end the loop.  Relies on ncurses.
 */
#include "live.h"
#include "text.h"

#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_LEAST = 1000, WAIT_SHARE = 10, WAIT_MOST = 30000 }; /* ms */

struct screen {
	const char *path;
	const struct settings *settings;
	struct live_view *view;
	char **line;
	size_t count, head; /* lines; those that stay while the rest scrolls */
	size_t scroll;
	int paused, done, running;
	double read_at, took; /* seconds */
};

static volatile sig_atomic_t told_to_end;
static int shown; /* the terminal is ours */

static void
on_signal(int sig)
{
	told_to_end = sig;
}

static void
give_back(void)
{
	if (shown)
		endwin();
	shown = 0;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* ---- lines ------------------------------------------------------------ */

static void
drop_lines(struct screen *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->line[i]);
	free(s->line);
	s->line = NULL;
	s->count = 0;
}

static void
read_lines(struct screen *s)
{
	double begin = now();
	struct live *l = live_read(s->path, s->settings, s->view);
	char *text = NULL, *rest, *line;
	size_t bytes = 0, room = 0;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		die(EXIT_UNREADABLE, "out of memory");
	live_text(l, f);
	fclose(f);
	drop_lines(s);
	s->head = live_head_lines(l);
	s->running = l->running;
	live_free(l);
	for (rest = text; (line = strsep(&rest, "\n")) != NULL && rest;) {
		if (s->count == room) {
			room = room ? 2 * room : 64;
			s->line = text_grow(s->line, room, sizeof *s->line);
		}
		s->line[s->count++] = text_copy(line);
	}
	free(text);
	s->read_at = now();
	s->took = s->read_at - begin;
}

/* A line that is no wider than the screen. */
static void
put_line(int y, const char *text, int attributes)
{
	char *line = text_copy(text);
	size_t n = strlen(line), columns = COLS > 0 ? (size_t)COLS : 0;

	while (n && text_columns(line) > columns) {
		while (n > 1 && (line[n - 1] & 0xc0) == 0x80)
			n--; /* not inside a character */
		line[--n] = 0;
	}
	attrset(attributes);
	mvaddstr(y, 0, line);
	attrset(A_NORMAL);
	free(line);
}

static void
draw(const struct screen *s)
{
	static const char *const by[] = { "live bytes", "blocks", "?", "rate" };
	char *title = text_format(
	    "%s, by %s%s", s->running ? "live" : "ended, as of its end",
	    by[s->view->sort - SORT_BYTES], s->paused ? ", paused" : "");
	int y = 0;

	erase();
	put_line(y++, title, A_BOLD);
	free(title);
	for (size_t i = 0; i < s->head && i < s->count && y < LINES - 1; i++)
		put_line(y++, s->line[i], i + 1 == s->head ? A_REVERSE : 0);
	for (size_t i = s->head + s->scroll; i < s->count && y < LINES - 1; i++)
		put_line(y++, s->line[i], 0);
	put_line(LINES - 1,
		 "b bytes  r rate  n blocks   s stacks  c classes  z zones   "
		 "p pause  q quit",
		 A_DIM);
	refresh();
}

/* ---- keys ------------------------------------------------------------- */

static void
scroll_by(struct screen *s, long lines)
{
	size_t rows = s->count > s->head ? s->count - s->head : 0;
	size_t most = rows ? rows - 1 : 0;

	if (lines < 0 && (size_t)-lines > s->scroll)
		s->scroll = 0;
	else
		s->scroll = (size_t)((long)s->scroll + lines);
	if (s->scroll > most)
		s->scroll = most;
}

/* 1 when the rows have to be read anew. */
static int
change_view(struct screen *s, enum sort sort, enum by by)
{
	s->view->sort = sort;
	s->view->by = by;
	s->scroll = 0;
	return 1;
}

static int
key(struct screen *s, int c)
{
	struct live_view *v = s->view;
	long page = LINES > (int)s->head + 3 ? LINES - (long)s->head - 3 : 1;

	switch (c) {
	case 'b':
		return change_view(s, SORT_BYTES, v->by);
	case 'r':
		return change_view(s, SORT_RATE, v->by);
	case 'n':
		return change_view(s, SORT_BLOCKS, v->by);
	case 's':
		return change_view(s, v->sort, BY_STACK);
	case 'c':
		return change_view(s, v->sort, BY_CLASS);
	case 'z':
		return change_view(s, v->sort, BY_ZONE);
	case 'p':
		s->paused = !s->paused;
		return !s->paused;
	case ' ':
		return 1;
	case 'q':
		s->done = 1;
		return 0;
	case KEY_DOWN:
	case 'j':
		scroll_by(s, 1);
		return 0;
	case KEY_UP:
	case 'k':
		scroll_by(s, -1);
		return 0;
	case KEY_NPAGE:
		scroll_by(s, page);
		return 0;
	case KEY_PPAGE:
		scroll_by(s, -page);
		return 0;
	case KEY_HOME:
		s->scroll = 0;
		return 0;
	default:
		return 0;
	}
}

/* Milliseconds until the next round: reading takes a tenth of the time at
 * most. */
static int
pause_ms(const struct screen *s)
{
	double wait = s->took * 1000 * WAIT_SHARE;

	if (wait < WAIT_LEAST)
		wait = WAIT_LEAST;
	if (wait > WAIT_MOST)
		wait = WAIT_MOST;
	wait -= (now() - s->read_at) * 1000;
	return wait > 1 ? (int)wait : 1;
}

static void
loop(struct screen *s)
{
	int due = 1;

	while (!s->done && !told_to_end) {
		if (due)
			read_lines(s);
		draw(s);
		/* a short wait: a signal may come between test and wait */
		int wait = pause_ms(s);
		timeout(wait < 250 ? wait : 250);
		int c = getch();
		due = c != ERR && key(s, c);
		if (!s->paused && pause_ms(s) <= 1)
			due = 1;
	}
}

/* ---- the terminal ----------------------------------------------------- */

static void
catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction a = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &a, NULL);
}

int
live_screen(const char *path, const struct settings *settings,
	    struct live_view *view)
{
	struct screen s = { .path = path, .settings = settings, .view = view };
	const char *term = getenv("TERM");

	if (!term || !*term || !strcmp(term, "dumb"))
		return -1;
	/* what is wrong with the report is said on an untouched terminal */
	read_lines(&s);
	SCREEN *screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		drop_lines(&s);
		return -1;
	}
	shown = 1;
	atexit(give_back);
	message_before(give_back);
	catch_signals();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	loop(&s);
	give_back();
	message_before(NULL);
	delscreen(screen);
	drop_lines(&s);
	if (told_to_end) { /* end as the signal wants it */
		signal(told_to_end, SIG_DFL);
		raise(told_to_end);
	}
	return EXIT_CLEAN;
}
