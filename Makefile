# make demo    sets up, starts a minion, fetches a file through it with an unmodified curl
# make test    sets up, runs every check and test (what CI runs)
# make bench   the figures of docs/bench.md, measured here (make bench-interpreted: not compiled)
# make help    all targets

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
SOURCES = setup.py pyproject.toml shim/build_shim.py $(wildcard shim/libminion/*.[ch]) \
    $(wildcard minion/hart/native/*.[ch]) $(wildcard minion/hart/native/*.py minion/hart/isa/*.py)
INSTALLED = $(VENV)-installed
PACKAGES = $(shell find hypercalls stack minion bench shim -name '*.py')

.PHONY: demo test check unit setup setup-programs installed test-installed test-serial conversations stalled python-calls bursts bench bench-interpreted clean help

demo: setup
	$(BIN)/python -m minion.cli.demo

test: setup setup-programs check unit test-installed

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -fsyntax-only shim/libminion/*.c
	$(BIN)/python minion/hart/native/build.py | \
	    $(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -Iminion/hart/native -fsyntax-only -xc -

# Side by side: many tests wait for something most of the time.
WORKERS ?= 4
SIDE_BY_SIDE = -n $(WORKERS) --dist worksteal
unit: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# As `pip install .` gives it to users, its hot modules compiled: an environment of its own.
installed: $(INSTALLED)/.installed

$(INSTALLED)/.installed: $(SOURCES) $(PACKAGES)
	test -d $(INSTALLED) || $(PYTHON) -m venv $(INSTALLED)
	$(INSTALLED)/bin/pip install --quiet --disable-pip-version-check .
	touch $@

# Real programs on the installed minion: its command, the tests of this checkout.
test-installed: installed setup-programs
	$(INSTALLED)/bin/pip install --quiet --disable-pip-version-check 'pytest>=9' 'pytest-xdist>=3.8' 'hypothesis>=6.100'
	$(INSTALLED)/bin/python -m pytest $(SIDE_BY_SIDE) --line dma tests/e2e tests/programs tests/app/test_app_linux.py \
	    tests/app/test_app_network.py tests/boot/test_boot_programs.py

# Everything that real programs are tested with, over the serial line, and over a slow and noisy one.
test-serial: setup setup-programs
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/e2e tests/programs --line serial
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/e2e tests/programs --line noisy -k 'not iperf3 and not 200M'

# Random socket calls on host and minion, compared: new sequences each time (the seed is printed).
SEQUENCES ?= 3000
conversations: setup
	$(BIN)/python -m pytest -s tests/e2e/test_conversations.py --conversations $(SEQUENCES)

# A thousand readers and writers that stand still, 500 connections that nobody accepts, and a new one.
STALLED ?= 1000
stalled: setup
	$(BIN)/python -m pytest tests/e2e/test_stalled.py --stalled $(STALLED)

# Thousands of connections that begin and end at once over a TAP (as root, and alone).
bursts: setup
	$(BIN)/python -m pytest tests/e2e/test_bursts.py

# The calls that a minion spends on a round trip, a connection, 64 kB: a new snapshot (as root).
python-calls: setup
	$(BIN)/python -m pytest tests/e2e/test_python_calls.py --update-costs

bench: installed
	cd $(INSTALLED) && bin/python -m bench

bench-interpreted: setup
	$(BIN)/python -m bench

setup: $(STAMP)

# The project itself is installed editable: the C library is built in place.
$(STAMP): $(SOURCES)
	@command -v $(CC) >/dev/null || { echo "a C compiler is needed: apt-get install gcc libc6-dev"; exit 1; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'setuptools>=68' wheel 'cffi>=1.16'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[test]'
	touch $(STAMP)

# What the tests of real programs run.  Without root they use what is there, and say what is not.
PROGRAMS = curl redis-server redis-tools nginx-light iperf3 apache2-utils nodejs wget netcat-openbsd iproute2 \
    qemu-system-misc qemu-user gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-riscv64-unknown-elf \
    picolibc-riscv64-unknown-elf gdb-multiarch opensbi u-boot-qemu device-tree-compiler \
    openssh-server openssh-client vsftpd haproxy mariadb-server memcached squid
setup-programs:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -e $(VENV)/.programs ]; then \
	    tools/install-programs $(PROGRAMS) && touch $(VENV)/.programs; \
	fi

clean:
	rm -rf $(VENV) $(INSTALLED) build *.egg-info shim/minionsocket/*.so _minionsocket*.so .pytest_cache .mypy_cache .ruff_cache

help:
	@sed -n 's/^# make/make/p' Makefile
	@echo "make check   format, lint, types, C warnings;  make unit: only the tests;  make clean"
	@echo "make test-installed   only the tests of real programs, on the installed (compiled) minion;  make test-serial: over a serial line, with noise"
	@echo "make conversations   thousands of random socket calls, compared with the host's;  make stalled   beside thousands that stand still;  make python-calls   new snapshot of costs"
