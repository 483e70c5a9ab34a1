#!/usr/bin/env bash
# Runs every fuzz target of this module for a time each: scripts/fuzz.sh 30s [TARGET...].
# What a target finds is kept by Go in the testdata of its package: commit it with the repair.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

time=${1:?how long for each target, such as 30s}
shift
grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | sort | while read -r file target; do
	if [ $# -gt 0 ] && [[ " $* " != *" $target "* ]]; then
		continue
	fi
	echo "== $target in $(dirname "$file")"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$(dirname "$file")" </dev/null
done
