/*
 * spawn.c - what a process costs on this machine, whatever is run in it.
 *
 *   spawn fork N   fork, exit, wait: microseconds each, and those of them
 *                  that a processor was busy, the child's as well
 *   spawn exec N   the same with an exec of this program in between
 *
 * Link it statically, as the programs it stands for are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double
busy_us(int whose)
{
	struct rusage used;

	getrusage(whose, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
	    (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static double
all_busy_us(void)
{
	return busy_us(RUSAGE_SELF) + busy_us(RUSAGE_CHILDREN);
}

static void
spawn(char *self, int exec)
{
	char *argv[] = { self, NULL }, *envp[] = { NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (exec)
			execve("/proc/self/exe", argv, envp);
		_exit(exec);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "spawn: %s\n", strerror(errno));
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	double start, busy;
	long i, n;

	if (argc < 3)
		return 0;
	n = strtol(argv[2], NULL, 10);
	if (n < 1)
		return 2;
	start = now_us();
	busy = all_busy_us();
	for (i = 0; i < n; i++)
		spawn(argv[0], strcmp(argv[1], "exec") == 0);
	printf("%.3f %.3f\n", (now_us() - start) / (double)n,
	    (all_busy_us() - busy) / (double)n);
	return 0;
}
