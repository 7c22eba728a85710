# USHER_STATIC_CC: finds the compiler of the small static programs.
#
# Sets STATIC_CC, STATIC_CPPFLAGS, STATIC_CFLAGS and STATIC_LDFLAGS for make,
# static_summary and static_cost (no, dynamic, or glibc) for the summary.  Any of these cases gives
# two working programs:
#   - --with-static-cc=CC, or musl-gcc: static, at a fixed address, small;
#   - neither, or sanitizers or coverage: as the ordinary compiler does it.

AC_DEFUN([USHER_STATIC_CC], [
static_cost=no
AS_CASE([$with_static_cc],
	[yes|auto], [AC_CHECK_PROGS([STATIC_CC], [musl-gcc])],
	[no], [STATIC_CC=],
	[STATIC_CC=$with_static_cc])
AS_IF([test "$enable_sanitizers$enable_coverage" != nono], [STATIC_CC=])
AS_IF([test -n "$STATIC_CC"], [USHER_STATIC_FLAGS], [USHER_ORDINARY_FLAGS])
AC_SUBST([STATIC_CC])
AC_SUBST([STATIC_CPPFLAGS])
AC_SUBST([STATIC_CFLAGS])
AC_SUBST([STATIC_LDFLAGS])
AC_SUBST([RELAY_LDFLAGS])
])

# musl-gcc does not look where the kernel's headers are: it is told to look
# in the ordinary directories after its own.
AC_DEFUN([USHER_STATIC_FLAGS], [
# USHER_STATIC: nothing is loaded at the start (src/sandbox_lists.c).
STATIC_CPPFLAGS=
STATIC_CFLAGS='-Os -g -ffunction-sections -fdata-sections -fno-pie -fno-pic -fno-asynchronous-unwind-tables -fstack-protector-strong'
STATIC_LDFLAGS='-static -no-pie -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,-z,noexecstack -Wl,--gc-sections'
usher_multiarch=`$CC -print-multiarch 2>/dev/null`
usher_after="-idirafter /usr/include${usher_multiarch:+ -idirafter /usr/include/$usher_multiarch}"
usher_CC=$CC usher_CFLAGS=$CFLAGS usher_CPPFLAGS=$CPPFLAGS
usher_LDFLAGS=$LDFLAGS
CC=$STATIC_CC CFLAGS=$STATIC_CFLAGS LDFLAGS=$STATIC_LDFLAGS
usher_found=no
for usher_try in '' "$usher_after"; do
	CPPFLAGS=$usher_try
	AC_MSG_CHECKING([whether $STATIC_CC $usher_try links static programs])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <unistd.h>
]], [[return getpid() == 0 || SECCOMP_RET_ALLOW == 0;]])],
		[usher_found=yes], [usher_found=no])
	AC_MSG_RESULT([$usher_found])
	AS_IF([test $usher_found = yes],
		[STATIC_CPPFLAGS="-DUSHER_STATIC $usher_try"
		break])
done
# usher-relay is linked above usherd, so that the sandbox knows them apart by
# where a system call comes from (src/sandbox_seccomp.c).
usher_base=0x800000
AC_MSG_CHECKING([whether $STATIC_CC links programs at $usher_base])
LDFLAGS="$STATIC_LDFLAGS -Wl,-Ttext-segment=$usher_base"
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
	[RELAY_LDFLAGS="-Wl,-Ttext-segment=$usher_base"
	AC_MSG_RESULT([yes])],
	[usher_base=
	AC_MSG_RESULT([no])])
STATIC_CPPFLAGS="$STATIC_CPPFLAGS${usher_base:+ -DUSHER_RELAY_BASE=$usher_base}"
CC=$usher_CC CFLAGS=$usher_CFLAGS CPPFLAGS=$usher_CPPFLAGS
LDFLAGS=$usher_LDFLAGS
AS_IF([test $usher_found = yes],
	[USHER_STATIC_LIBC],
	[test "$with_static_cc" = auto],
	[USHER_ORDINARY_FLAGS],
	[AC_MSG_ERROR([$STATIC_CC cannot build static programs here])])
])

# Whose library it is, for that says what an exec costs.
AC_DEFUN([USHER_STATIC_LIBC], [
AC_MSG_CHECKING([whether $STATIC_CC links with glibc])
usher_CC=$CC usher_CFLAGS=$CFLAGS usher_CPPFLAGS=$CPPFLAGS
CC=$STATIC_CC CFLAGS=$STATIC_CFLAGS CPPFLAGS=$STATIC_CPPFLAGS
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <features.h>
#ifndef __GLIBC__
#error it is another
#endif
]], [])],
	[static_cost=glibc
	static_summary="$STATIC_CC, static, with glibc"
	AC_MSG_RESULT([yes])],
	[static_summary="$STATIC_CC, static"
	AC_MSG_RESULT([no])])
CC=$usher_CC CFLAGS=$usher_CFLAGS CPPFLAGS=$usher_CPPFLAGS
])

AC_DEFUN([USHER_ORDINARY_FLAGS], [
AS_IF([test "$enable_sanitizers$enable_coverage" = nono],
	[static_cost=dynamic])
STATIC_CC='$(CC)'
STATIC_CPPFLAGS=
RELAY_LDFLAGS=
STATIC_CFLAGS='$(CFLAGS) $(HARDEN_CFLAGS) -ffunction-sections -fdata-sections'
STATIC_LDFLAGS='$(LDFLAGS) $(HARDEN_LDFLAGS) -Wl,--gc-sections'
static_summary="$CC, dynamic"
])
