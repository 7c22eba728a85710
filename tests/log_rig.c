#include "log_rig.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"

int ears[2];

void
open_ears(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ears), 0);
}

void
in_child(void (*speak)(const void *arg), const void *arg)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		dup2(ears[1], LOG_FD);
		dup2(ears[1], STDERR_FILENO);
		speak(arg);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

const char *
hear(void)
{
	static char heard[8192];
	ssize_t n = recv(ears[0], heard, sizeof(heard) - 1, MSG_DONTWAIT);

	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

void
blot(char *text, const char *key)
{
	char *number = strstr(text, key);
	size_t n;

	if (!number)
		return;
	number += strlen(key);
	n = strspn(number, "0123456789");
	number[0] = 'N';
	memmove(number + 1, number + n, strlen(number + n) + 1);
}
