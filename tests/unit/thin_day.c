/*
 * thin_day.c - a day of samples through zrecord's thinning: what stays, that
 * every value is what it was, and how much room it takes.
 *
 * The curves are functions of the sample's number, so that the test knows each
 * value.  THIN_INTERVAL=0.1 does it at the default distance (1 s), THIN_CURVES
 * with so many classes and stacks that change all the time (4).
 */
#include "unit/tools_check.h"
#include "zrecord/sampler.h"
#include "zrecord/thin.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DAY = 86400, SEEN_MAX = 5000 };

static double interval = 1;
static int64_t curves = 4;

/* Curve c changes at every (c + 1)-th sample. */
static int64_t
value(int64_t c, int64_t sample)
{
	int64_t n = sample / (c + 1) * (c + 1);
	return 1000 + n * (c + 7) % 977;
}

static void
take(struct process *p, struct writer *w)
{
	int64_t n = p->samples;

	writer_row(w, ROW_SAMPLE, "iidiiii", p->id, n, (double)n * interval,
		   (int64_t)1, value(0, n), (int64_t)0, (int64_t)0);
	for (int64_t c = 0; c < curves; c++) {
		if (n && value(c, n) == value(c, n - 1))
			continue;
		writer_row(w, ROW_CLASS_SAMPLE, "iiiiiiii", p->id, (int64_t)1,
			   16 * (c + 1), n, value(c, n), value(c, n), n, n);
		writer_row(w, ROW_STACK_SAMPLE, "iiii", c + 1, n, value(c, n),
			   value(c, n));
		p->stack_rows++;
	}
	p->samples++;
	p->taken++;
	thin_process(p, w);
	if (n % 1000 == 0)
		writer_commit(w, 0);
}

static int64_t
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* ---- what stayed ------------------------------------------------------ */

static int64_t seen[SEEN_MAX];
static size_t seen_count;

static void
read_samples(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;

	seen_count = 0;
	sqlite3_prepare_v2(db, "SELECT sample FROM sample ORDER BY sample", -1,
			   &st, NULL);
	while (sqlite3_step(st) == SQLITE_ROW && seen_count < SEEN_MAX)
		seen[seen_count++] = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
}

/* Does the curve say at each sample what was there?  sql: its rows. */
static int64_t
wrong_values(sqlite3 *db, const char *sql, int64_t c)
{
	sqlite3_stmt *st = NULL;
	int64_t wrong = 0, now = -1, next = -1, next_value = -1;

	sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	sqlite3_bind_int64(st, 1, c);
	for (size_t i = 0; i < seen_count; i++) {
		while (next <= seen[i]) {
			now = next_value;
			if (sqlite3_step(st) != SQLITE_ROW) {
				next = INT64_MAX;
				break;
			}
			next = sqlite3_column_int64(st, 0);
			next_value = sqlite3_column_int64(st, 1);
		}
		wrong += now != value(c, seen[i]);
	}
	sqlite3_finalize(st);
	return wrong;
}

static int64_t
all_wrong_values(sqlite3 *db)
{
	int64_t wrong = 0;

	for (int64_t c = 0; c < curves && c < 4; c++) {
		wrong += wrong_values(
		    db,
		    "SELECT sample, live_bytes FROM class_sample"
		    " WHERE size_class = 16 * (?1 + 1) ORDER BY sample",
		    c);
		wrong += wrong_values(db,
				      "SELECT sample, live_bytes FROM"
				      " stack_sample WHERE stack_id = ?1 + 1"
				      " ORDER BY sample",
				      c);
	}
	return wrong;
}

/* Samples of the first and the last `n` that are there. */
static void
check_ends(int64_t last, int64_t n)
{
	size_t first = 0, late = 0;
	int64_t widest = 0;

	for (size_t i = 0; i < seen_count; i++) {
		first += seen[i] <= n;
		late += seen[i] > last - n;
		if (i && seen[i] - seen[i - 1] > widest)
			widest = seen[i] - seen[i - 1];
	}
	check((int64_t)first == n + 1, "the first minute is whole",
	      "samples are missing");
	check((int64_t)late == n, "the last minute is whole",
	      "samples are missing");
	check(seen[0] == 0 && seen[seen_count - 1] == last,
	      "the first and the last sample", "missing");
	check(widest * MIDDLE_MAX <= 2 * last + 2 * MIDDLE_MAX,
	      "the middle is even", "a gap");
	check(seen_count < (size_t)(2 * FINE_MAX + MIDDLE_MAX + 2 * THIN_BATCH),
	      "so many samples in all", "more");
}

static void
check_report(const char *path, int64_t last)
{
	struct stat st = { 0 };
	sqlite3 *db = NULL;
	char text[80];

	sqlite3_open(path, &db);
	read_samples(db);
	int64_t fine = (int64_t)(FINE_SECONDS / interval);
	check_ends(last, fine < FINE_MAX ? fine : FINE_MAX);
	snprintf(text, sizeof text, "%lld are wrong",
		 (long long)all_wrong_values(db));
	check(all_wrong_values(db) == 0, "every value is what it was", text);
	check(number(db, "SELECT (SELECT count(*) FROM class_sample WHERE"
			 " sample NOT IN (SELECT sample FROM sample)) +"
			 " (SELECT count(*) FROM stack_sample WHERE sample"
			 " NOT IN (SELECT sample FROM sample))") == 0,
	      "rows stand at samples", "some do not");
	stat(path, &st);
	snprintf(text, sizeof text, "%lld bytes", (long long)st.st_size);
	check(st.st_size > 0 && st.st_size < 50 << 20, "a day in 50 MB", text);
	printf("  %zu samples, %lld rows of classes, %lld of stacks, %s\n",
	       seen_count,
	       (long long)number(db, "SELECT count(*) FROM class_sample"),
	       (long long)number(db, "SELECT count(*) FROM stack_sample"),
	       text);
	sqlite3_close(db);
}

static void
begin(struct process *p, struct writer *w, const char *path)
{
	unlink(path);
	writer_open(w, path);
	*p = (struct process){ .interval = interval };
	thin_begin(p);
	p->id = writer_row(w, ROW_PROCESS, "iitttdt", (int64_t)1, (int64_t)1,
			   "[]", "x", "start", 0.0, "complete");
	for (int64_t c = 0; c < curves; c++)
		writer_row(w, ROW_STACK, "i", p->id);
}

/* --max-size after the end: every sample may go but the first and last. */
static void
squeezed(const char *path)
{
	struct process p;
	struct writer w;
	sqlite3 *db = NULL;

	begin(&p, &w, path);
	for (int i = 0; i < 1000; i++)
		take(&p, &w);
	p.stopped = STOP_ENDED;
	thin_to(&p, &w, 1, 1);
	writer_close(&w);
	sqlite3_open(path, &db);
	read_samples(db);
	check(seen_count <= 3 && seen[0] == 0 && seen[seen_count - 1] == 999,
	      "squeezed: the first and the last sample stay", "others");
	check(all_wrong_values(db) == 0, "squeezed: their values", "differ");
	sqlite3_close(db);
}

int
main(void)
{
	const char *dir = getenv("TMPDIR");
	struct process p;
	struct writer w;
	char path[300];

	if (getenv("THIN_INTERVAL"))
		interval = atof(getenv("THIN_INTERVAL"));
	if (getenv("THIN_CURVES"))
		curves = atol(getenv("THIN_CURVES"));
	snprintf(path, sizeof path, "%s/day.db", dir ? dir : "/tmp");
	begin(&p, &w, path);
	int64_t last = (int64_t)(DAY / interval);
	while (p.samples <= last)
		take(&p, &w);
	check(w.failed == 0 && w.refused == 0, "all rows were written", w.why);
	check(p.taken == (uint32_t)number(w.db, "SELECT count(*) FROM sample"),
	      "the recorder knows how many there are", "it does not");
	writer_close(&w);
	check_report(path, last);
	squeezed(path);
	unlink(path);
	return failures != 0;
}
