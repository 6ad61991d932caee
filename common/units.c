/* units.c - see units.h.  Used by zleaks's text pages. */
#include "units.h"

#include "message.h"

#include <math.h>
#include <stdio.h>

char *
units_time(char buf[UNITS_BYTES], double seconds)
{
	double s = fabs(seconds);
	unsigned long long whole = s < 1e15 ? (unsigned long long)s : 0;

	if (!isfinite(seconds) || s >= 1e15)
		snprintf(buf, UNITS_BYTES, "?");
	else if (s < 60)
		snprintf(buf, UNITS_BYTES, s < 10 ? "%.3f s" : "%.1f s",
			 seconds);
	else if (s < 3600)
		snprintf(buf, UNITS_BYTES, "%llu min %02llu s", whole / 60,
			 whole % 60);
	else
		snprintf(buf, UNITS_BYTES, "%llu h %02llu min", whole / 3600,
			 whole / 60 % 60);
	return buf;
}

char *
units_change(char buf[UNITS_BYTES], int64_t n)
{
	char digits[32];
	unsigned long long size =
	    n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;

	snprintf(buf, UNITS_BYTES, "%s%s",
		 n > 0	 ? "+"
		 : n < 0 ? "-"
			 : "",
		 message_number(digits, sizeof digits, size));
	return buf;
}

char *
units_rate(char buf[UNITS_BYTES], double rate)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double r = fabs(rate);
	unsigned u = 0;

	if (!isfinite(rate)) {
		snprintf(buf, UNITS_BYTES, "?");
		return buf;
	}
	if (r < 0.5) {
		snprintf(buf, UNITS_BYTES, "0");
		return buf;
	}
	for (; r >= 1023.5 && u < 4; u++)
		r /= 1024;
	snprintf(buf, UNITS_BYTES, "%c%.*f %s/s", rate < 0 ? '-' : '+',
		 u == 0 || r >= 100 ? 0 : 1, r, unit[u]);
	return buf;
}

char *
units_share(char buf[UNITS_BYTES], uint64_t part, uint64_t whole)
{
	double share = whole ? 100.0 * (double)part / (double)whole : 0;

	if (whole == 0)
		snprintf(buf, UNITS_BYTES, "?");
	else if (part == 0 || part >= whole)
		snprintf(buf, UNITS_BYTES, part ? "100 %%" : "0 %%");
	else
		snprintf(buf, UNITS_BYTES, "%.1f %%",
			 fmin(fmax(share, 0.1), 99.9));
	return buf;
}
