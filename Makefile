# The commands of the README. CMake builds everything into build/<preset>; CONTRIBUTING.md has more.
#
#   make PREFIX=/usr DESTDIR=/tmp/package install     make JOBS=8 check

JOBS ?= 2
PREFIX ?= /usr/local
DESTDIR ?=

ifneq ($(shell command -v ninja),)
export CMAKE_GENERATOR ?= Ninja
endif
export JOBS

release: ## build what users get into build/release (the default)
	@tools/build release

dev asan tsan cov: ## build another preset into build/<preset>
	@tools/build $@

deps: ## install what building, demo and check need (apt-get, root or sudo)
	@tools/deps check

demo: ## filter two photographs on every device of this machine, into demo-output/
	@tools/deps demo
	@tools/build release
	@build/release/fastgpu demo
	@echo "The pictures are in $(CURDIR)/demo-output"

check: ## every check and test: layout, warnings, sanitizers, fuzz corpora, README, install
	@tools/deps check
	@tools/check

test: dev ## the tests alone, with invariant checks
	@ctest --test-dir build/dev -LE tree -j $(JOBS) --output-on-failure

bench: ## the benchmarks, both sides of each comparison in turn in one run
	@tools/build release
	@tools/bench

soak: ## the seeded tests with 10,000 seeds each, stress and conform with 101 (hours)
	@tools/soak

coverage: ## which lines the tests run, by folder
	@tools/build cov
	@tools/coverage

install: ## headers, libraries, pkg-config file, CMake package, command, man pages
	@tools/build release all -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@DESTDIR=$(DESTDIR) cmake --install build/release
	@case "$(DESTDIR)$(PREFIX)" in /usr | /usr/local) ldconfig ;; esac

format: ## lay out all C files with clang-format
	@git ls-files -co --exclude-standard -- '*.c' '*.h' | xargs clang-format -i

clean: ## remove everything that was built
	@rm -rf build demo-output

help: ## these lines
	@awk -F ':.*## ' '/^[a-z][a-z ]*:.*## / { printf "make %-24s %s\n", $$1, $$2 }' Makefile

.DEFAULT_GOAL := release
.PHONY: release dev asan tsan cov deps demo check test bench soak coverage install format \
	clean help
