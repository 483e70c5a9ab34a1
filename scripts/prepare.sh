#!/bin/sh
# Makes sure that what the tests need besides Go is installed. As root on Debian
# or Ubuntu it installs what is missing; elsewhere it says what to install and
# fails. When all is there it does nothing and says nothing.
set -eu

# The newest PostgreSQL server is looked for where internal/pgtest looks for it.
have_postgres() {
	[ -n "${COMPLIANCELAYER_TEST_POSTGRES:-}" ] && return 0
	command -v initdb >/dev/null 2>&1 && return 0
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$initdb" ] && return 0
	done
	return 1
}

# The race detector needs a C compiler on Linux.
have_compiler() {
	command -v "$(go env CC)" >/dev/null 2>&1
}

# The tests of the dashboard use a real browser.
have_browser() {
	command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1
}

# missing prints the packages to install, each after a space; nothing when all is there.
missing() {
	have_postgres || printf ' postgresql'
	have_compiler || printf ' gcc libc6-dev'
	have_browser || printf ' chromium'
	command -v make >/dev/null 2>&1 || printf ' make'
}

# advise says what to do by hand, and fails.
advise() {
	echo "error: the tests need programs that are not installed:$1" >&2
	echo "hint: Debian, Ubuntu: sudo apt-get install$1" >&2
	echo "hint: macOS: brew install postgresql chromium (the compiler comes with xcode-select --install)" >&2
	exit 1
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	advise "$packages"
fi

echo "installing:$packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split into words
log=$(apt-get install -y -qq --no-install-recommends $packages 2>&1) || {
	echo "$log" >&2
	advise "$packages"
}

packages=$(missing)
[ -z "$packages" ] || advise "$packages"
