#!/usr/bin/env bash
# Runs the tests that break the program on purpose, larger than "go test -race" does and without the
# race detector:
#
#   scripts/break.sh SIZE [FLAG OF GO TEST...]     SIZE is "ci" or "long"
#
# Each is a test of docs/reliability.md, but for the pages of the dashboard over a long log, which are in docs/performance.md. What follows the size goes to go test. Kills, requests and
# histories are those of each database. A ci run makes the same requests and histories each time; the seed 0
# draws others.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

size=${1:?ci or long}
shift
case $size in
ci) effects=1000 forgeries=100000 kills=200 images=20 histories=500 requests=10000 seed=1 addresses=1000000 log=1000000 ;;
long) effects=10000 forgeries=10000000 kills=2000 images=500 histories=5000 requests=100000 seed=0 addresses=20000000 log=1000000 ;;
*)
	echo "error: the size is ci or long, not $size" >&2
	exit 2
	;;
esac

# What is killed under load comes first and has the machine for itself: its leases and deadlines are real
# time. The rest runs side by side, because much of it is waiting. What each prints is kept together.
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
pids=()
run() {
	go test -count 1 -timeout 0 "$@" >"$out/${#pids[@]}" 2>&1 &
	pids+=($!)
}
failed=0
go test -count 1 -timeout 0 -tags failpoints,clock "$@" ./internal/crash -args -crash.kills=$kills -crash.images=$images || failed=1
run "$@" ./internal/model -args -model.histories=$histories -model.seed=$seed
run "$@" ./internal/apifuzz -args -apifuzz.requests=$requests -apifuzz.seed=$seed
run "$@" ./internal/egress -run 'Vectors|Leads|Names|Agrees|Special' -args -egress.random=$addresses
if [ "$size" = long ]; then # a ci run has these with the race detector
	run "$@" ./internal/send -run 'Evil|Floods'
	run "$@" ./receiver/relay -run NothingIsLost
fi
run "$@" ./receiver -run 'NothingIsLost|Forgeries' -args -receiver.events=$effects -receiver.kills=8 -receiver.forgeries=$forgeries
run "$@" ./internal/web -run PagesStayLight -args -web.log=$log
for i in "${!pids[@]}"; do
	wait "${pids[$i]}" || failed=1
	cat "$out/$i"
done
exit $failed
