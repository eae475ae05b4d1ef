# `make help` lists what can be done. Everything works with the Swift toolchain and a POSIX shell's usual tools.

.PHONY: help build release install test lint format mutants mutants-simulated classics simulate soak soak-cluster torture faults fuzz bench bench-core bench-sketches bench-store docs demo demo-stop clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

build: ## Build everything, for debugging.
	@Scripts/prerequisites.sh
	swift build

release: ## Build the optimised executable, .build/release/raftnode; manual page and completions in .build/release/share
	@Scripts/prerequisites.sh
	swift build --configuration release --product raftnode
	@Scripts/share.sh .build/release/raftnode .build/release/share

install: release ## Install executable, manual page and completions below PREFIX (/usr/local), in DESTDIR if that is given
	install -d "$(DESTDIR)$(or $(PREFIX),/usr/local)/bin"
	install -m 755 .build/release/raftnode "$(DESTDIR)$(or $(PREFIX),/usr/local)/bin/raftnode"
	Scripts/share.sh .build/release/raftnode "$(DESTDIR)$(or $(PREFIX),/usr/local)/share"

test: ## Check the format, then build and run all tests.
	@Scripts/prerequisites.sh
	@Scripts/test.sh

lint: ## Check the format.
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Examples Benchmarks/Sources

format: ## Put all sources into the format.
	swift format --in-place --recursive --parallel Package.swift Sources Tests Examples Benchmarks/Sources

mutants: ## Check that the tests catch protocol bugs, one at a time (takes half an hour).
	@python3 Scripts/mutants/mutants.py $(BUGS)

mutants-simulated: ## Check that simulated clusters catch bugs in core, driver and store, one at a time (takes an hour).
	@python3 Scripts/mutants/simulate.py $(BUGS)

classics: ## Check that the explorer of small worlds finds five classic bugs, and show the shortest ways to them.
	@python3 Scripts/explore/classics.py

simulate: ## Simulate clusters under faults: fixed seeds, then fresh ones for a minute; DURATION in seconds changes that.
	@Scripts/prerequisites.sh
	@Scripts/simulate.sh $(or $(DURATION),60)

soak: ## Simulate clusters with fresh seeds for as long as it is let, or until a rule is broken.
	@Scripts/prerequisites.sh
	@Scripts/simulate.sh forever

soak-cluster: ## Add, remove, replace and restart nodes while clients write, for DURATION seconds (1800), with STORE memory or database
	@Scripts/prerequisites.sh
	swift build --build-tests
	SOAK_SECONDS=$(or $(DURATION),1800) RAFTNODE_TEST_STORE=$(or $(STORE),memory) swift test --skip-build --disable-xctest --filter 'SoakTests'

torture: ## Cut the power of nodes with databases while clients write, ROUNDS times (200)
	@Scripts/prerequisites.sh
	swift build --build-tests
	TORTURE_ROUNDS=$(or $(ROUNDS),200) swift test --skip-build --disable-xctest --filter 'TortureTests'

faults: release ## Let the disk of a node fail in many ways, and write what it did into Docs/faults.md (takes five minutes).
	@python3 Scripts/faults/faults.py --document Docs/faults.md $(ARGUMENTS)

bench: release ## Measure beside etcd and Redis, in half an hour; QUICK=1 in a few minutes; RECORD=1 writes Benchmarks/results and README
	@python3 Benchmarks/compare/compare.py $(if $(QUICK),--quick) $(if $(RECORD),--record) $(ARGUMENTS)

fuzz: ## Give each parser COUNT (10,000,000) mutated inputs, under the address sanitizer; PARSERS="json resp peer", SEED
	@Scripts/prerequisites.sh
	@Scripts/fuzz/fuzz.sh $(or $(COUNT),10000000) $(or $(SEED),1) $(PARSERS)

bench-core: ## Measure the core, in a release build; ARGUMENTS go to the program: --check, --only TEXT, --rounds COUNT
	@Scripts/prerequisites.sh
	@swift build --package-path Benchmarks --configuration release --product bench-core
	@SWIFT_VERSION_LINE="$$(swift --version 2>/dev/null | head -n 1)" Benchmarks/.build/release/bench-core $(ARGUMENTS)

bench-sketches: ## Measure how far PFCOUNT and Bloom filters are off, in a release build (takes half a minute); --elements COUNT
	@Scripts/prerequisites.sh
	@swift build --configuration release --product bench-sketches
	@.build/release/bench-sketches $(ARGUMENTS)

bench-store: ## Compare durable writes of one node with RocksDB alone; ARGUMENTS go to the program
	@Scripts/prerequisites.sh
	@swift build --configuration release --product raftnode
	@swift build --configuration release --product bench-store
	@.build/release/bench-store $(ARGUMENTS)

docs: ## Build the documentation of RaftCore; a warning is an error. Ends with the folder that it is in.
	@Scripts/prerequisites.sh
	swift package generate-documentation --target RaftCore --warnings-as-errors
	swift package generate-documentation --target RaftSimulation --warnings-as-errors

demo: ## Build, start a cluster of three nodes, write through one and read through another.
	@Scripts/prerequisites.sh
	swift build --product raftnode
	@Scripts/demo.sh start

demo-stop: ## Stop the nodes that `make demo` has started.
	@Scripts/demo.sh stop

clean: ## Stop the demo and remove everything that was built.
	@Scripts/demo.sh stop
	rm -rf .build Benchmarks/.build
