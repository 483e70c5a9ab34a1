SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The version that the binary reports: the nearest tag, or the commit, or "dev".
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# One package's tests may take this long before they count as hung. Go's own
# limit of 10 minutes is near on two cores with the race detector.
TEST_TIMEOUT ?= 15m

# The race detector does not watch what is inside SQLite, which is C made into Go with memory of its own, and
# inside the hash of passwords: with it they take five times as long. It watches what we do with them. They have no generic
# code: what a package makes of the standard library's is used by all, which would then not be watched. A program
# under it would go on for a second at its end, to see what others do.
UNWATCHED = modernc.org/sqlite/lib modernc.org/memory golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b
RACE = GORACE=atexit_sleep_ms=20 go test -race $(UNWATCHED:%=-gcflags=%=-race=false) -timeout $(TEST_TIMEOUT)

# Those that kill and compare histories run at full size in scripts/break.sh.
PACKAGES = $$(go list ./... | grep -v -e /internal/model -e /internal/crash)

# How long "make soak" goes on at least, and how often it kills at least.
TIME ?= 10m
KILLS ?= 0

# The examples are a module of their own, because they bring routers along.
EXAMPLES = go -C examples/go test -timeout $(TEST_TIMEOUT)

.PHONY: help
help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run the demonstration: a server and a receiver, with nothing to set up
	go run ./cmd/compliancelayer demo

.PHONY: build
build: ## Build bin/compliancelayer, static and without cgo
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/compliancelayer ./cmd/compliancelayer

.PHONY: prepare
prepare: ## Install what the tests need (PostgreSQL, Redis, Chromium, a C compiler, axe-core, PHP, Ruby ...), or say what is missing
	@scripts/prepare.sh

.PHONY: test
test: prepare ## Run all tests: with the race detector, then those that break things at full size (REPORT=1: short output)
	go vet ./...
ifdef REPORT
	{ bad=0; $(RACE) -json $(PACKAGES) || bad=1; $(EXAMPLES) -json ./... || bad=1; scripts/break.sh ci -json || bad=1; exit $$bad; } | go run ./scripts/testreport
else
	$(RACE) $(PACKAGES)
	$(EXAMPLES) ./...
	scripts/break.sh ci
endif

.PHONY: screenshots
screenshots: prepare ## Take the pictures of the dashboard in docs/images
	mkdir -p docs/images
	go test -count 1 ./internal/web -run TestThroughABrowser -args -web.screenshots=$(CURDIR)/docs/images

.PHONY: album
album: prepare ## Take pictures of every page of the dashboard, light and dark, wide and narrow, into .cache/album
	go test -count 1 ./internal/web -run TestEveryPageCanBeUsed -args -web.album=$(CURDIR)/.cache/album

.PHONY: lint
lint: ## Check the format and run golangci-lint, staticcheck and govulncheck
	scripts/lint.sh

.PHONY: fmt
fmt: ## Format the code
	gofmt -l -s -w .

.PHONY: generate-check
generate-check: ## Check that go generate changes nothing
	scripts/generate-check.sh

.PHONY: bench
bench: prepare ## Measure this tree against a bare HTTP client (BIG=1: with a huge log; PROFILE=1: write profiles)
	PROFILE=$(PROFILE) go run ./internal/bench $(if $(BIG),-big)

.PHONY: soak
soak: prepare ## Make every fault in turn until TIME (10m) and KILLS (0) are reached, each for a minute or so, and account for every event
	go test -v -count 1 -timeout 0 -tags failpoints,clock ./internal/crash -run Soak -args -soak.time=$(TIME) -soak.kills=$(KILLS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for TIME
	scripts/fuzz.sh $(TIME)

.PHONY: evidence
evidence: prepare ## Break everything on purpose, for about an hour, and write docs/reliability.md of it
	EVIDENCE_DIR=$(CURDIR)/docs/evidence EVIDENCE_MADE="commit $(VERSION) on $(shell date -u +%F), $(shell nproc) processors" scripts/break.sh long
	go run ./scripts/reliability

.PHONY: ci
ci: ## Do what the build machine does
	.ci/run
