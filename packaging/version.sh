#!/bin/sh
# The version of a package from what "git describe" says: v1.2.3 is 1.2.3,
# v1.2.3-4-gabc is 1.2.3+4.gabc, and abc without a tag is 0~N.abc, N being the
# number of commits, so that later ones are newer for dpkg.
set -eu
case $1 in
v[0-9]*) echo "${1#v}" | sed 's/-/+/; s/-/./g' ;;
[0-9]*.[0-9]*) echo "$1" | sed 's/-/+/; s/-/./g' ;;
*) echo "0~$(git rev-list --count HEAD 2>/dev/null || echo 0).$(echo "$1" | sed 's/[^A-Za-z0-9.+]/./g')" ;;
esac
