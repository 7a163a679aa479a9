# The front door. `make lab` and `make test` do all the set-up that is missing on a Debian 12.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
BUILD ?= build
export CCACHE_MAXSIZE ?= 4G

.PHONY: all build lab test unit test-all bench lint format install clean help

help:
	@echo "make lab        real desktops on this machine: sixteen people join, desktops hand off (ARGS=--stay to keep it up)"
	@echo "make test       build, then every test that belongs to a change"
	@echo "make test-all   also the sanitizer and clang builds, fuzzing, long fault and soak runs"
	@echo "make unit       build, then the unit tests alone"
	@echo "make bench      the figures (NAME=... for one)"
	@echo "make lint       arrows between rooms, format, clang-tidy, shellcheck"
	@echo "make format     clang-format over the tree"
	@echo "make install    into PREFIX (default /usr/local)"

all: build

build:
	@tools/setup build
	@cmake --preset release -B $(BUILD) -Wno-dev >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

unit: build
	@cd $(BUILD) && ctest --output-on-failure -j $(JOBS) -L unit

test: build
	@tools/setup run lab test
	@tools/run-tests $(BUILD)

test-all: test
	@tools/setup lint
	@tools/run-tests-all

lab: build
	@tools/setup run lab
	@lab/lab $(ARGS)

bench: build
	@tools/setup run lab test bench
	@bench/run --build $(BUILD) $(if $(NAME),--name $(NAME)) $(ARGS)

lint:
	@tools/setup build lint
	@tools/lint

format:
	@tools/setup lint
	@git ls-files '*.cpp' '*.h' | xargs clang-format-19 -i

PREFIX ?= /usr/local
install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@rm -rf build
