# `make` alone lists what there is. Nothing has to be installed but Python 3.11+ and make.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
DATA_DIR ?= var
VENV := .venv/bin
MANAGE := $(VENV)/python manage.py
PIP := $(VENV)/python -m pip --quiet --disable-pip-version-check install

# Compiled files halve every start.
export PYTHONDONTWRITEBYTECODE :=

# Settings of a production, for the checks that judge one.
PRODUCTION = ENV_FILE=/dev/null DATA_DIR=.venv/data ALLOWED_HOSTS=rewards.example.com \
	SECRET_KEY=$$($(VENV)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	DATABASE_URL=postgres://loyalty@localhost/loyalty TRUST_PROXY=true \
	BUTTON_WEBHOOK_SECRETS=example DEBUG= DEMO= HTTPS= PUBLISH_MARGIN=
# Settings that need nothing, for tools that only load them.
PLAIN = ENV_FILE=/dev/null DATA_DIR=.venv/data DATABASE_URL= DEBUG=true ALLOWED_HOSTS=

.DEFAULT_GOAL := help
.PHONY: help run test test-sqlite test-postgres lint types check ci lock clean \
	bench-settle bench-intake bench-poll bench-backtest bench-verify bench-desk bench-short corruptions storm poll-storm \
	redemption-storm money-storm rules-storm styles chromium sandbox-env

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| expand -t 16

run: .venv/run.stamp sandbox-env ## install what is missing and run everything
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo
	@$(MANAGE) serve

test: test-sqlite test-postgres ## run the suite on SQLite, then on PostgreSQL

test-sqlite: .venv/dev.stamp chromium
	DATABASE_URL= $(VENV)/pytest -m 'once or not postgres' $(PYTEST_ARGS)

test-postgres: .venv/dev.stamp chromium
	$(VENV)/python -m tests.postgres -- $(VENV)/pytest -m 'not once' $(PYTEST_ARGS)

lint: .venv/dev.stamp ## style, unused dependencies
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	find templates -name '*.html' -print0 | xargs -0r $(VENV)/djade --check
	$(VENV)/deptry .

types: .venv/dev.stamp ## mypy
	$(PLAIN) $(VENV)/mypy .

check: .venv/dev.stamp ## missing migrations, a production's settings
	$(PLAIN) $(MANAGE) makemigrations --check --dry-run
	$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

ci: ## everything that has to pass
	.ci/run

styles: ## compile the member pages' stylesheet (needs node and npm)
	cd loyalty_site/styles && npm install --no-package-lock --no-audit --no-fund && npm run build

bench-settle: .venv/dev.stamp ## settled reports a second
	$(VENV)/python -m benchmarks.settle

bench-intake: .venv/dev.stamp ## accepted webhooks a second
	$(VENV)/python -m benchmarks.intake

bench-poll: .venv/dev.stamp ## polled orders a second
	$(VENV)/python -m benchmarks.poll

bench-backtest: .venv/dev.stamp ## 1,000,000 purchases tried on a draft
	$(VENV)/python -m benchmarks.backtest

bench-rules: .venv/dev.stamp ## evaluations a second, against other libraries
	$(VENV)/python -m benchmarks.rules

bench-verify: .venv/dev.stamp ## every invariant over 5,000,000 transfers
	$(VENV)/python -m benchmarks.verify

corruptions: .venv/dev.stamp ## 200 corruptions of a database, every one found
	$(VENV)/python -m benchmarks.corruptions

bench-desk: .venv/dev.stamp ## every admin page over a million purchases
	$(VENV)/python -m benchmarks.desk

bench-short: .venv/dev.stamp ## all of them, and two of the storms, briefly
	$(VENV)/python -m benchmarks.settle --short
	$(VENV)/python -m benchmarks.intake --short
	$(VENV)/python -m benchmarks.poll --short
	$(VENV)/python -m benchmarks.poll_storm --short
	$(VENV)/python -m benchmarks.redemption_storm --short
	$(VENV)/python -m benchmarks.rules --short
	$(VENV)/python -m benchmarks.backtest --short
	$(VENV)/python -m benchmarks.money_storm --short
	$(VENV)/python -m benchmarks.verify --short
	$(VENV)/python -m benchmarks.desk --short
	$(VENV)/python -m benchmarks.corruptions --short

storm: .venv/dev.stamp ## deliveries under kill -9, then every invariant
	$(VENV)/python -m benchmarks.storm

poll-storm: .venv/dev.stamp ## 200,000 orders polled under faults and kill -9
	$(VENV)/python -m benchmarks.poll_storm

redemption-storm: .venv/dev.stamp ## 100,000 redemptions under double clicks and kill -9
	$(VENV)/python -m benchmarks.redemption_storm

money-storm: .venv/dev.stamp ## a million random steps of balances, checked
	$(VENV)/python -m benchmarks.money_storm

rules-storm: .venv/dev.stamp ## 200,000 random evaluations, everything hostile
	$(VENV)/python -m benchmarks.rules_storm

lock: .venv/dev.stamp ## compile requirements*.txt from requirements*.in
	for name in requirements requirements-embedded requirements-dev; do \
		$(VENV)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-header \
			$$name.in --output-file $$name.txt || exit 1; done

clean: ## remove the virtual environment and caches; var/ with your data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# What the targets above stand on.

$(DATA_DIR)/run.env: | .venv/pip.stamp
	@umask 077 && mkdir -p $(DATA_DIR) && \
	secret() { $(VENV)/python -c 'import secrets; print(secrets.token_urlsafe(50))'; } && \
	{ echo '# Made once by `make run`, for trying things out on this machine.'; \
	echo "SECRET_KEY=$$(secret)"; \
	echo "BUTTON_WEBHOOK_SECRETS=$$(secret)"; \
	echo 'DEMO=true'; \
	echo 'PUBLISH_MARGIN=0'; } > $@.new && mv $@.new $@

# Where nobody has said which Button to talk to: the sandbox, on 8010 or a free port.
sandbox-env: $(DATA_DIR)/run.env
	@grep -qsE '^(export )?BUTTON_API_(URL|KEY)' $< .env || $(VENV)/python -c \
	'import secrets, socket; \
	free = lambda port: socket.socket().connect_ex(("127.0.0.1", port)) != 0; \
	port = next(port for port in range(8010, 8100) if free(port)); \
	[print(f"BUTTON_{name}_URL=http://127.0.0.1:{port}") \
		for name in ("API", "OFFERS", "LINK")]; \
	print(f"BUTTON_API_KEY=sk-{secrets.token_hex(16)}"); \
	print(f"BUTTON_ORGANIZATION_ID=org-{secrets.token_hex(8)}")' \
	| while read -r line; do \
		grep -q "^$${line%%=*}=" $< || echo "$$line" >> $<; done

.venv/run.stamp: .venv/pip.stamp requirements.txt requirements-embedded.txt
	@echo 'Installing (about half a minute, once)'
	@$(PIP) -r requirements.txt -r requirements-embedded.txt
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	@echo 'Installing what tests need (about a minute, once)'
	@$(PIP) -r requirements-dev.txt
	@touch $@

# A Debian may come without python3-venv, and so without a pip for the environment:
# then another pip, or uv, brings one; else the package does, where we may install it.
.venv/pip.stamp:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed.'; exit 2; }
	@$(VENV)/python -m pip --version >/dev/null 2>&1 \
		|| $(PYTHON) -m venv --clear .venv >/dev/null 2>&1 \
		|| { $(PYTHON) -m venv --clear --without-pip .venv \
			&& { $(PYTHON) -m pip --python $(VENV)/python install --quiet pip \
				|| uv pip install --quiet --python $(VENV)/python pip; } 2>/dev/null; } \
		|| { apt-get install --yes --quiet python3-venv >/dev/null \
			&& $(PYTHON) -m venv --clear .venv; } \
		|| { echo 'No pip: install python3-venv or python3-pip, then try again.'; exit 2; }
	@touch $@

chromium:
	@command -v chromium >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& echo 'Installing chromium for the browser tests' \
		&& apt-get update --quiet=2 && apt-get install --yes --quiet=2 chromium >/dev/null; \
		} || echo 'No chromium: tests that need a browser are SKIPPED'
