/*
 * programs.h - where the other programs are.
 *
 * The one idea: usher and usherd lie in one directory, installed or in a
 * build tree, so each finds the other beside itself.
 */
#ifndef USHER_PROGRAMS_H
#define USHER_PROGRAMS_H

#define PROGRAMS_PATH_MAX 4096

/* Puts the path of the program called name, beside this one, into path. */
void programs_beside(const char *name, char path[PROGRAMS_PATH_MAX]);

/* The same for usher-relay: beside this one, or else where it is installed. */
void programs_relay(char path[PROGRAMS_PATH_MAX]);

#endif
