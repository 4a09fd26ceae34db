# qmtui: everything a developer types. "make" alone lists the targets.
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS = -s -w -X main.release=$(VERSION)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/qmtui with its version stamped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/qmtui ./cmd/qmtui

# What a package is called: a tag v1.2.3 is 1.2.3, a commit after it 1.2.3+4.gabc, one without any tag 0~N.abc.
GOARCH ?= $(shell $(GO) env GOHOSTARCH)
PACKAGE_VERSION ?= $(shell packaging/version.sh '$(VERSION)')
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
STAGED = dist/qmtui-$(PACKAGE_VERSION)-linux-$(GOARCH)
export GOARCH VERSION PACKAGE_VERSION SOURCE_DATE_EPOCH

.PHONY: dist
dist: deb tarball ## the .deb and the tarball, for GOARCH (this machine's unless said)

.PHONY: stage
stage:
	GOOS=linux CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/qmtui-linux-$(GOARCH) ./cmd/qmtui
	packaging/stage.sh dist/stage

.PHONY: deb
deb: stage ## dist/qmtui_VERSION_ARCH.deb: binary, unit, man pages, completions, configuration, assets
	GOARCH= $(GO) build -modfile=packaging/nfpm.mod -o bin/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm
	bin/nfpm package --config packaging/nfpm.yaml --packager deb --target dist/

.PHONY: tarball
tarball: stage ## the same as a plain archive, dist/qmtui-VERSION-linux-ARCH.tar.gz
	rm -rf $(STAGED) && cp -r dist/stage $(STAGED)
	tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) -cf - $(notdir $(STAGED)) | gzip -9n > $(STAGED).tar.gz
	rm -rf $(STAGED) && ls -l $(STAGED).tar.gz

.PHONY: walk
walk: deb ## slow: every step of the operators' pages in a clean Debian with systemd and nginx (root, mmdebstrap, systemd-nspawn)
	packaging/walk.sh "$$(ls -t dist/*_$(GOARCH).deb | head -1)"

.PHONY: demo
demo: ## the whole system on this machine, simulated, to its end
	$(GO) run ./cmd/qmtui demo --headless --users 20 --jobs 5 --replicas 4 --faults all --seed 1

.PHONY: test
test: ## the README's test command
	$(GO) test ./...

.PHONY: race
race: ## all tests under the race detector (under five minutes)
	$(GO) test -race ./...

.PHONY: lint
lint: ## gofmt, vet and staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run make fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: fmt
fmt: ## format all Go files
	gofmt -w $$(git ls-files '*.go')

.PHONY: generate
generate: ## write the generated documents anew
	$(GO) generate ./...

.PHONY: pictures
pictures: ## the README's pictures of the panel, from the demo (a minute; needs DejaVu Sans Mono)
	$(GO) run ./internal/ui/pictures -out docs/pictures

.PHONY: seeds
seeds: build ## slow: the demo with every fault, seeds 1 to 20, four at a time
	@seq 1 20 | xargs -P 4 -I{} sh -c 'bin/qmtui demo --headless --users 20 --jobs 5 --replicas 4 --faults all --seed {} > dist-seed-{}.txt 2>&1; s=$$?; cat dist-seed-{}.txt; rm -f dist-seed-{}.txt; exit $$s'

.PHONY: kills
kills: ## slow: the daemon killed 50 times in one run, the ledger's writer 200 times, the engine in 300 worlds of a model
	QMTUI_CAMPAIGN=1 $(GO) test -count=1 -v -timeout 20m -run 'Kill' ./internal/demo ./internal/store
	QMTUI_MODEL=300 $(GO) test -count=1 -timeout 20m -run "TestModel|TestOwners" ./internal/engine

.PHONY: fuzz
fuzz: ## slow: every fuzz target for a minute
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 60s -fuzzminimizetime 10x $$p || exit 1; done; done

.PHONY: bench
bench: ## the benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchtime 1s ./internal/store ./internal/engine/... ./internal/comfy

.PHONY: budgets
budgets: ## what the panel's screens and keys may cost, held to on this machine
	QMTUI_BUDGETS=1 $(GO) test -count=1 -p 1 -v -run 'AtMost5ms|100000|ThousandChanges|OneCell|Idle' ./internal/ui ./cmd/qmtui | grep -v '=== RUN'

ATTACK ?= 20s
.PHONY: attacks
attacks: ## slow: each attack of one participant for ATTACK, and what others and the daemon pay for it, held to
	QMTUI_BUDGETS=1 QMTUI_ATTACK=$(ATTACK) $(GO) test -count=1 -v -timeout 30m -run TestAttacks ./cmd/qmtui | grep -v 'level='

.PHONY: comfyui
comfyui: ## tests against real ComfyUIs, one after the other: make comfyui COMFYUI_DIR="/path/to/0.8 /path/to/0.33"
	@test -n "$(COMFYUI_DIR)" || { echo "say where it is: make comfyui COMFYUI_DIR=/path/to/ComfyUI (or several, in quotes)"; exit 2; }
	@failed=; for dir in $(COMFYUI_DIR); do \
	  test -f "$$dir/main.py" || { echo "skipped: there is no ComfyUI in $$dir (no main.py)"; continue; }; \
	  echo "== $$dir"; \
	  COMFYUI_DIR=$$dir $(GO) test -count=1 -v -timeout 60m -run 'ComfyUI' ./cmd/qmtui || failed="$$failed $$dir"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }
