# Every command of the project. `make help` lists them.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
TOOLS := $(TARGET)/tools
PEERS := $(TARGET)/peers
# What judges the pages; a package of npm, pinned by tests/browser/package-lock.json.
AXE := tests/browser/node_modules/axe-core/axe.min.js
FUZZ_SECONDS ?= 60
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
ARTEFACT := $(TARGET)/evenkeel-$(VERSION)
STATIC := x86_64-unknown-linux-gnu
# The programs as they are in the image.
BARE := $(TARGET)/bare
# Folders of this machine have no place in the product's bytes. Packed relocations (glibc 2.36, DT_RELR) spare lbd the
# 1.5 MB of memory that the plain ones take.
STATIC_FLAGS := -C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom" \
	-C link-arg=-Wl,-z,pack-relative-relocs \
	--remap-path-prefix=$(CURDIR)=/evenkeel --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
# Debian 12 packages: the compiler's linker, the product's own nft, and the peers of tests and benchmark. Postfix is
# configured by the lab, in namespaces, and chrony too: RUNLEVEL=1 keeps the machine's own from being started.
PACKAGES := build-essential git bsdextrautils curl iproute2 procps util-linux e2fsprogs nftables conntrack iputils-ping openssl \
	python3-venv dcmtk haproxy nginx-light libnginx-mod-stream iperf3 \
	qemu-system-x86 qemu-utils ovmf libxml2-utils chromium chromium-driver busybox-static ipvsadm sslscan \
	locales rsyslog rsyslog-gnutls postfix sasl2-bin dnsmasq-base chrony zsh fish snmp snmptrapd smitools nmap tinyproxy-bin
IMAGE := $(TARGET)/release/image --packages $(TARGET)/packages --apt $(TARGET)/apt
# A key of minisign's, NAME.key with NAME.pub beside it, makes a release: RELEASE_KEY=NAME.key. Without one a key made here
# signs, and the image, which trusts nobody else, calls itself a development build.
RELEASE_KEY ?=
UPDATE_KEY := $(or $(RELEASE_KEY),$(TARGET)/development.key)
DEVELOPMENT := $(if $(RELEASE_KEY),,--development)
# The oldest version that can be updated to this one.
MINIMUM_VERSION := 0.1.0
# Gigabytes that a build has written: each write that a story waits for would wait for them too, for up to half a minute.
SETTLE := sync
export PATH := $(TOOLS)/bin:$(PATH):/usr/sbin:/sbin
export EVENKEEL_LBD := $(TARGET)/debug/lbd
export EVENKEEL_PEERS := $(PEERS)
export EVENKEEL_OVA := $(ARTEFACT).ova

.PHONY: help setup build appliance update reproducible lock run lint test test-long stories guest-stories bench fuzz clean

UNIT_TESTS := $(basename $(notdir $(wildcard image/tests/*.rs lbd/tests/*.rs ova/tests/*.rs))) \
	$(notdir $(patsubst %/main.rs,%,$(wildcard ova/tests/*/main.rs)))
# Always the whole workspace, of which targets are chosen: a choice of packages would build their dependencies anew.
# To the end, whatever fails: one run tells of everything that is red.
CARGO_TEST := cargo test --workspace --no-fail-fast
# Two processors: a story in namespaces waits half its time, an emulated machine hardly ever.
NAMESPACE_THREADS ?= 6
GUEST_THREADS ?= 2

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1|\2/' | column -t -s '|'

setup: $(PEERS)/ready $(AXE) ## Install what this machine lacks (Debian 12 with Rust), saying what
	@# Twice: where one from another archive is there already (qemu-utils from backports), apt removes it for Debian 12's own.
	@for turn in 1 2; do missing=$$(for p in $(PACKAGES); do dpkg -s $$p 2>/dev/null | grep -q '^Status:.* installed' || echo $$p; done); \
	test -n "$$missing" || break; echo "setup: apt-get install" $$missing; \
	echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections && apt-get update -qq && \
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing || exit 1; done
	@for c in rustfmt clippy; do cargo $${c#rust} --version >/dev/null 2>&1 || \
		{ echo "setup: rustup component add $$c"; rustup component add $$c; }; done
	@cargo deny --version >/dev/null 2>&1 || \
		{ echo "setup: cargo install cargo-deny into $(TOOLS)"; cargo install --locked --debug --root $(TOOLS) cargo-deny; }

$(PEERS)/ready: tests/peers/requirements.txt
	@dpkg -s python3-venv >/dev/null 2>&1 || \
		{ echo "setup: apt-get install python3-venv"; apt-get update -qq; apt-get install -y -qq python3-venv; }
	@echo "setup: Python packages $$(sed -n 's/^\([a-z][^ ]*\) .*/\1/p' $< | tr '\n' ' ')into $(PEERS)"
	@python3 -m venv $(PEERS) && $(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(AXE): tests/browser/package-lock.json
	@npm --version >/dev/null 2>&1 || \
		{ echo "setup: apt-get install npm"; apt-get update -qq; apt-get install -y -qq --no-install-recommends npm; }
	@echo "setup: npm package axe-core into tests/browser/node_modules"
	@cd tests/browser && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

build: ## Build the product (release)
	cargo build --release -p lbd

appliance: ## Build the OVA: target/evenkeel-VERSION.ova, .ova.sha256, .sbom.json
	@echo "$$(date +%T) appliance: init and lbd, static"
	@# The crate ntpd would write the day of its build into lbd.
	CARGO_INCREMENTAL=0 RUSTFLAGS='$(STATIC_FLAGS)' NTPD_RS_GIT_REV=- NTPD_RS_GIT_DATE=- \
		cargo build --release --target $(STATIC) -p lbd -p evenkeel-init
	@# Names of functions would be a quarter of lbd. They stay here, for the places that a crash names.
	mkdir -p $(BARE)
	for program in init lbd; do strip --strip-all -o $(BARE)/$$program $(TARGET)/$(STATIC)/release/$$program || exit 1; done
	cp $(TARGET)/$(STATIC)/release/lbd $(ARTEFACT).symbols
	cargo build --release -p evenkeel-image -p evenkeel-ova
	@echo "$$(date +%T) appliance: image and OVA"
	@# The image's list of crates is made offline, and asks for those of tests too, which no build has fetched yet.
	cargo fetch --quiet --locked --target $(STATIC)
	$(if $(RELEASE_KEY),,$(IMAGE) key $(UPDATE_KEY))
	$(IMAGE) build --init $(BARE)/init --lbd $(BARE)/lbd \
		--trusted-key $(UPDATE_KEY:.key=.pub) $(DEVELOPMENT) --version $(VERSION) --output $(ARTEFACT).raw
	$(TARGET)/release/ova pack --disk $(ARTEFACT).raw --version $(VERSION) --output $(ARTEFACT).ova
	$(TARGET)/release/ova verify $(ARTEFACT).ova > $(ARTEFACT).verified || { cat $(ARTEFACT).verified; exit 1; }
	@tail -n 1 $(ARTEFACT).verified

update: appliance ## Build the update archive: target/evenkeel-VERSION.update, .update.sha256, .index.json (RELEASE_KEY=NAME.key: a release)
	$(IMAGE) update --image $(ARTEFACT).raw --version $(VERSION) --minimum-version $(MINIMUM_VERSION) \
		--key $(UPDATE_KEY) $(DEVELOPMENT)

reproducible: appliance ## Build the OVA again as another user, elsewhere: the same bytes, without any privilege
	.ci/reproducible $(ARTEFACT).ova $(RELEASE_KEY)

lock: ## Take the newest Debian packages into packages.lock
	cargo build --release -p evenkeel-image
	$(IMAGE) lock

run: setup appliance ## Boot the appliance under QEMU, WebUI on https://localhost:9443; Ctrl-C ends it
	cargo run --release -p evenkeel-tests --bin run

lint: ## Format, clippy and dependency rules; any finding fails
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo deny --workspace check --hide-inclusion-graph bans licenses sources

test: setup lint stories guest-stories ## All checks and tests, some 50 minutes on two processors (needs root for namespaces)
	@echo "$$(date +%T) test: everything passed"

test-long: export EVENKEEL_LONG := 1
test-long: setup lint stories guest-stories reproducible ## The same with the full counts of the randomised stories
	@# Five minutes of a processor where nothing is compiled yet; in `make test` the targets are compiled as tests of lbd.
	cargo check --manifest-path lbd/fuzz/Cargo.toml --target-dir $(TARGET)/fuzz

# Programs and tests in one build: the dependencies of tests change what others are built with.
stories:
	cargo build --workspace --bins --tests
	@echo "$$(date +%T) test: unit tests of the workspace"
	$(CARGO_TEST) --lib --bins $(addprefix --test ,$(UNIT_TESTS))
	$(SETTLE)
	@echo "$$(date +%T) test: stories in network namespaces"
	$(CARGO_TEST) --test namespaces --test browser -- --test-threads $(NAMESPACE_THREADS)

guest-stories: update
	cargo build --workspace --bins --tests
	@echo "$$(date +%T) test: stories with the appliance as a virtual machine"
	$(SETTLE)
	$(CARGO_TEST) --test appliance -- --test-threads $(GUEST_THREADS)

# The lbd that is measured is the one in the image.
bench: setup appliance ## Compare with a direct route, IPVS, HAProxy and nginx (ONLY="--runs 3 memory echo": some of it)
	cargo build --release -p evenkeel-tests --bins
	EVENKEEL_LBD=$(TARGET)/$(STATIC)/release/lbd $(TARGET)/release/bench $(ONLY)

fuzz: ## Run every fuzz target for FUZZ_SECONDS (60) seconds
	@cargo fuzz --version >/dev/null 2>&1 || \
		{ echo "fuzz: cargo install cargo-fuzz into $(TOOLS)"; cargo install --locked --root $(TOOLS) cargo-fuzz; }
	@rustup toolchain list | grep -q nightly || rustup toolchain install nightly --profile minimal
	cd lbd && targets=$$(cargo +nightly fuzz list) && test -n "$$targets" && for target in $$targets; do \
		cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

clean: ## Remove everything that was built
	cargo clean
