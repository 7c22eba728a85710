/*
 * log_rig.h - a process that logs, and the test on the other end of the line.
 */
#ifndef USHER_TESTS_LOG_RIG_H
#define USHER_TESTS_LOG_RIG_H

/* What was said comes out of the first; the second is the child's. */
extern int ears[2];

void open_ears(void);

/*
 * Runs speak(arg) in a process of its own, since it logs to the descriptors
 * LOG_FD and standard error, which here belong to others.
 */
void in_child(void (*speak)(const void *arg), const void *arg);

/* The next datagram, or "" if there is none. */
const char *hear(void);

/* Puts N in place of the number after key, which is never the same. */
void blot(char *text, const char *key);

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

#endif
