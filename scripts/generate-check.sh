#!/bin/sh
# Runs go generate and fails when that changes a file: then what is committed
# was not made from its source. It compares checksums and not git's view, so it
# works in a tree with changes of its own and without git.
set -eu

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT

sums() {
	find . -type f -not -path './.git/*' -not -path './bin/*' -exec cksum {} + | sort -k 3
}

sums >"$before"
go generate ./...
sums >"$after"
if ! cmp -s "$before" "$after"; then
	echo "error: go generate changed these files:" >&2
	diff "$before" "$after" | awk '/^[<>]/ {print "  " $4}' | sort -u >&2
	echo "hint: commit what go generate makes" >&2
	exit 1
fi
