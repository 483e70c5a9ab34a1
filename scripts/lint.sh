#!/bin/sh
# Checks the formatting and runs the linters at the versions that tools/go.mod
# pins.
set -eu

tool() {
	go tool -modfile=tools/go.mod "$@"
}

echo "gofmt"
unformatted=$(gofmt -l -s .)
if [ -n "$unformatted" ]; then
	echo "error: not formatted:" >&2
	echo "$unformatted" >&2
	echo "hint: make fmt" >&2
	exit 1
fi

echo "golangci-lint"
tool golangci-lint run --allow-parallel-runners ./...

echo "staticcheck"
tool staticcheck -tags failpoints ./...

# govulncheck asks a database on the network. To be without a network is no
# finding; a finding is exit code 3.
echo "govulncheck"
code=0
report=$(tool govulncheck ./... 2>&1) || code=$?
[ "$code" -ne 0 ] || exit 0
case "$code $report" in
"1 "*"fetching vulnerabilities:"*)
	echo "note: the vulnerability database could not be reached, so for this run staticcheck has to do"
	echo "$report" | grep "fetching vulnerabilities:"
	;;
*)
	echo "$report"
	exit 1
	;;
esac
