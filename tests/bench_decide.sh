#!/bin/sh
# A decision takes the processor time that it may, many services or few.  A
# slow machine or a compiler told not to optimise gets eight times as much:
# that still tells a search that grew a dimension.
set -eu

exec "${builddir:-.}/tests/bench/decide" 8
