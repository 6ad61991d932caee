/*
 * sample.c - with --sample=B: which blocks are recorded.
 *
 * Each thread counts down the bytes to its next event of a Poisson process
 * with one event in B bytes; a block that the event falls into is recorded.
 * The distances are exponentially distributed, so the process has no memory:
 * it makes no difference that the count begins anew behind a recorded block.
 * What a recorded block stands for is in session.h (zs_weight).
 *
 * All there is to do for a block is one subtraction.  Called by malloc/
 * through hook.h, and by hook.c.
 */
#include "logger/logger.h"
#include "os/os.h"

static __thread uint64_t state /* of the generator; not 0 */
    __attribute__((tls_model("initial-exec")));

/* xorshift64*: 2^64 - 1 numbers before they come again. */
static uint64_t
next_random(void)
{
	if (!state)
		zm_os_random(&state, sizeof state);
	if (!state)
		state = 1;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d);
}

/* -ln(u), u in (0, 1]; libm is not ours to call.  The series of the inverse
 * hyperbolic tangent on a mantissa in [1, 2): good to 1e-10. */
static double
minus_log(double u)
{
	union {
		double d;
		uint64_t u;
	} m = { .d = u };
	int exponent = (int)(m.u >> 52 & 2047) - 1023;
	m.u = (m.u & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
	double s = (m.d - 1) / (m.d + 1), q = s * s, sum = 0;

	for (int i = 19; i > 0; i -= 2)
		sum = sum * q + 1.0 / i;
	return -(2 * s * sum + exponent * 0.69314718055994530942);
}

static int64_t
next_gap(void)
{
	double u = (double)((next_random() >> 11) + 1) * 0x1p-53;

	/* An event lies inside a byte: of the first byte on is 1. */
	return (int64_t)(minus_log(u) * (double)zm_session.sample) + 1;
}

bool
zm_sample_end(int64_t size)
{
	if (!state) { /* a new thread: there was no distance yet */
		zm_sample_left = next_gap() - size;
		if (zm_sample_left > 0)
			return false;
	}
	zm_sample_left = next_gap();
	return true;
}
