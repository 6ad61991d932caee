/*
 * workers.c - three threads of known names, counts and blocks:
 *   alpha  100 blocks of 32 bytes, frees 60 of them, ends
 *   beta   10 blocks of 1000 bytes, runs until the program ends
 *   gamma  begins 0.3 s later, allocates 1 block of 500 bytes, frees 4 of
 *          beta's, ends
 * then main allocates 7 blocks of 77 bytes.  One thread after the other.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *volatile alphas[100], *volatile betas[10], *volatile gammas[1];
static void *volatile mains[7];
static pthread_barrier_t beta_done;

static void
alloc_alpha(void)
{
	for (int i = 0; i < 100; i++)
		alphas[i] = malloc(32);
	for (int i = 0; i < 60; i++) {
		free(alphas[i]);
		alphas[i] = NULL;
	}
}

static void *
alpha(void *arg)
{
	pthread_setname_np(pthread_self(), "alpha");
	alloc_alpha();
	return arg;
}

static void
alloc_beta(void)
{
	for (int i = 0; i < 10; i++)
		betas[i] = malloc(1000);
}

static void *
beta(void *arg)
{
	pthread_setname_np(pthread_self(), "beta");
	alloc_beta();
	pthread_barrier_wait(&beta_done);
	for (;;)
		pause();
	return arg;
}

static void
alloc_gamma(void)
{
	gammas[0] = malloc(500);
	for (int i = 0; i < 4; i++) {
		free(betas[i]);
		betas[i] = NULL;
	}
}

static void *
gamma_body(void *arg)
{
	pthread_setname_np(pthread_self(), "gamma");
	alloc_gamma();
	return arg;
}

static void
alloc_main(void)
{
	for (int i = 0; i < 7; i++)
		mains[i] = malloc(77);
}

int
main(void)
{
	pthread_t t;

	pthread_barrier_init(&beta_done, NULL, 2);
	pthread_create(&t, NULL, alpha, NULL);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, beta, NULL);
	pthread_barrier_wait(&beta_done);
	usleep(300000);
	pthread_create(&t, NULL, gamma_body, NULL);
	pthread_join(t, NULL);
	alloc_main();
	return 0;
}
