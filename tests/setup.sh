# shellcheck shell=bash
# setup.sh - from a fresh Debian to programs that can be run; to be sourced by
# ./demo and tests/all, in the top directory.

say()
{
	printf '\n== %s\n' "$*"
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# packages PURPOSE...: those of tests/packages, one a line.
packages()
{
	local purpose package rest

	while read -r purpose package rest; do
		case " $* " in
		*" $purpose "*) echo "$package" ;;
		esac
	done <tests/packages
}

is_installed()
{
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null |
	    grep -qx installed
}

is_available()
{
	[ -n "$(apt-cache --quiet=0 madison "$1" 2>/dev/null)" ]
}

# The services that come with packages are not wanted, only their programs.
keep_services_down()
{
	policy=/usr/sbin/policy-rc.d
	[ ! -e "$policy" ] || return 0
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	trap 'as_root rm -f "$policy"' EXIT
	trap 'exit 1' HUP INT TERM
}

# keep_units_disabled PACKAGE...: what has just been installed.
keep_units_disabled()
{
	local purpose package unit

	command -v systemctl >/dev/null || return 0
	while read -r purpose package unit; do
		case $purpose,$unit," $* " in
		\#* | *,,*) ;;
		*" $package "*)
			as_root systemctl --root=/ --quiet disable "$unit" ||
			    echo "setup: cannot disable $unit"
			;;
		esac
	done <tests/packages
}

apt()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
	    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
	    -o Acquire::Retries=3 "$@"
}

# install_packages PURPOSE...: what is missing of them.  In a subshell, for
# its traps.
install_packages()
(
	local package list=()

	for package in $(packages "$@"); do
		is_installed "$package" || list+=("$package")
	done
	[ "${#list[@]}" -gt 0 ] || exit 0
	command -v apt-get >/dev/null || {
		echo "setup: not a Debian; needed: ${list[*]}" >&2
		exit 1
	}
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || {
		echo "setup: neither root nor sudo; needed: ${list[*]}" >&2
		exit 1
	}
	say "installing ${list[*]}"
	apt update
	local wanted=()
	for package in "${list[@]}"; do
		if is_available "$package"; then
			wanted+=("$package")
		else
			echo "setup: this Debian has no $package"
		fi
	done
	keep_services_down
	apt install --no-install-recommends "${wanted[@]}"
	keep_units_disabled "${wanted[@]}"
)

# make_quietly ARGUMENT...: without a line for each file that is made.  How make
# ended is known to who has set pipefail.
make_quietly()
{
	make -s "$@" | { grep --line-buffered -v '^  [A-Z][A-Z0-9]*  ' || :; }
}

# build_in DIRECTORY [CONFIGURE-OPTION...]
build_in()
{
	local source=$PWD directory=$1

	shift
	[ configure -nt configure.ac ] && [ configure -nt Makefile.am ] &&
	    [ Makefile.in -nt Makefile.am ] || autoreconf -fi
	mkdir -p "$directory"
	(
		cd "$directory"
		"$source/configure" --quiet "$@"
		make_quietly -j"$(nproc)"
	)
}
