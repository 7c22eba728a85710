#!/bin/sh
# Nothing leaves the sandbox that should not, and all that must does.
set -eu
exec "${builddir:-.}/tests/cage"
