#!/bin/sh
# Makes sure that what the tests need besides Go is there. As root on Debian or
# Ubuntu it installs what is missing; elsewhere it says what to install and
# fails. axe-core and what the library and the examples for Node are tested with come
# from npm into .cache. When all is there it does nothing and says nothing.
set -eu
cd "$(dirname "$0")/.."

# axe-core finds what keeps people from using a page. The sum is that of the file
# that the tests read, so that nothing but this version can be in its place.
axe_version=4.14.1
axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
axe=.cache/axe.min.js

# The newest PostgreSQL server is looked for where internal/pgtest looks for it.
have_postgres() {
	[ -n "${COMPLIANCELAYER_TEST_POSTGRES:-}" ] && return 0
	command -v initdb >/dev/null 2>&1 && return 0
	for initdb in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$initdb" ] && return 0
	done
	return 1
}

# A Redis server is looked for where internal/redistest looks for it. Another one is not enough: some tests kill theirs.
have_redis() {
	command -v redis-server >/dev/null 2>&1
}

# The race detector needs a C compiler on Linux.
have_compiler() {
	command -v "$(go env CC)" >/dev/null 2>&1
}

# The tests of the dashboard use a real browser.
have_browser() {
	command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1
}

# have_languages: the tests run the receivers that the dashboard shows in the languages that they are written in.
have_languages() {
	for program in node python3 php ruby; do
		command -v "$program" >/dev/null 2>&1 || return 1
	done
}

# new_node: Fastify needs this version; the library itself runs on 18.
new_node() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# What comes from npm lies in the same places below .cache/node as in the tree.
node_folders="clients/node examples/node"

# have_modules reports whether the modules of a folder are there, as its lock file says.
have_modules() {
	cmp -s "$1/package.json" ".cache/node/$1/package.json" && cmp -s "$1/package-lock.json" ".cache/node/$1/complete"
}

# right_axe reports whether a file is axe-core of the version above.
right_axe() {
	[ -f "$1" ] || return 1
	sum=$( (sha256sum "$1" 2>/dev/null || shasum -a 256 "$1") | cut -d ' ' -f 1)
	[ "$sum" = "$axe_sum" ]
}

# missing prints the packages to install, each after a space; nothing when all is there.
missing() {
	have_postgres || printf ' postgresql'
	have_redis || printf ' redis-server'
	have_compiler || printf ' gcc libc6-dev'
	have_browser || printf ' chromium'
	have_languages || printf ' nodejs python3 php-cli ruby'
	command -v npm >/dev/null 2>&1 || printf ' npm'
	command -v make >/dev/null 2>&1 || printf ' make'
}

# advise says what to do by hand, and fails.
advise() {
	echo "error: the tests need programs that are not installed:$1" >&2
	echo "hint: Debian, Ubuntu: sudo apt-get install$1" >&2
	echo "hint: macOS: brew install postgresql redis chromium node python php ruby (the compiler comes with xcode-select --install)" >&2
	exit 1
}

# install installs packages.
install() {
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		advise "$1"
	fi
	echo "installing:$1"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086 # the list is meant to be split into words
	log=$(apt-get install -y -qq --no-install-recommends $1 2>&1) || {
		echo "$log" >&2
		advise "$1"
	}
	left=$(missing)
	[ -z "$left" ] || advise "$left"
}

# fetch_axe puts axe-core in its place, whole or not at all.
fetch_axe() {
	echo "fetching: axe-core $axe_version"
	# A name of its own: it is read at the very end.
	unpacked=$(mktemp -d)
	trap 'rm -rf "$unpacked"' EXIT
	log=$(npm pack --silent --pack-destination "$unpacked" "axe-core@$axe_version" 2>&1) || {
		echo "$log" >&2
		echo "error: axe-core could not be fetched from npm" >&2
		echo "hint: npm pack axe-core@$axe_version where there is a network; put package/axe.min.js of it at $axe" >&2
		exit 1
	}
	tar -xzf "$unpacked/axe-core-$axe_version.tgz" -C "$unpacked" package/axe.min.js
	if ! right_axe "$unpacked/package/axe.min.js"; then
		echo "error: what npm has as axe-core $axe_version is not what scripts/prepare.sh expects: its SHA-256 is $sum" >&2
		echo "hint: somebody may have changed it on the way; look before you change the sum in the script" >&2
		exit 1
	fi
	mkdir -p "$(dirname "$axe")"
	mv "$unpacked/package/axe.min.js" "$axe"
}

# fetch_modules installs the modules that a folder's lock file names. A copy of the lock
# file says that all of them came.
fetch_modules() {
	echo "fetching: modules of $1"
	into=.cache/node/$1
	rm -rf "$into"
	mkdir -p "$into"
	cp "$1/package.json" "$1/package-lock.json" "$into"
	log=$(npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$into" 2>&1) || {
		echo "$log" >&2
		echo "error: the modules of $1 could not be fetched from npm" >&2
		echo "hint: npm ci in $into where there is a network; then cp $1/package-lock.json $into/complete" >&2
		exit 1
	}
	mv "$into/package-lock.json" "$into/complete"
}

packages=$(missing)
[ -z "$packages" ] || install "$packages"
new_node || {
	echo "error: the examples need Node 20.19 or newer, and this is $(node --version)" >&2
	echo "hint: https://nodejs.org/en/download" >&2
	exit 1
}
right_axe "$axe" || fetch_axe
for folder in $node_folders; do
	have_modules "$folder" || fetch_modules "$folder"
done
