# make demo | make demo-long | make test | make check — each works in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo demo-long test check format lock picture clean

demo: $(VENV)/ready
	$(BIN)/critique-coder demo

demo-long: $(VENV)/ready
	$(BIN)/critique-coder demo --long

# Files of tests side by side, three on two processors, for many of them wait; one thread of torch each.
test: $(VENV)/ready-to-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/ready-to-test
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

format: $(VENV)/ready-to-test
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

# The CPU build of torch first: the one that the plain index would choose brings gigabytes of CUDA to a laptop.
# It is looked for where pip is set up to look, and then on PyTorch's own index. What is installed for the demo is
# compiled when it is first imported: most of it never is.
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := torch==2.13.0+cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

$(VENV)/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-compile --constraint requirements.lock "$(TORCH)" 2>/dev/null \
	  || $(PIP) install --no-compile --constraint requirements.lock "$(TORCH)" --extra-index-url $(TORCH_INDEX)
	$(PIP) install --quiet --no-compile --requirement requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	touch $@

# Its reward is tested against the judge's server, its readers against exported data; of all that verl needs, they want
# what requirements-dev.lock has (tensordict, omegaconf, pillow).
VERL := verl==0.9.1

$(VENV)/ready-to-test: $(VENV)/ready requirements-dev.lock
	$(PIP) install --quiet --requirement requirements-dev.lock
	$(PIP) install --quiet --no-deps "$(VERL)"
	touch $@

# After a change of the dependencies in pyproject.toml: install it anew and write down what was chosen.
lock:
	rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "$(TORCH)" 2>/dev/null || $(PIP) install --quiet "$(TORCH)" --extra-index-url $(TORCH_INDEX)
	$(PIP) install --quiet --editable ".[train,serve]"
	$(PIP) freeze --exclude-editable | sed "s/+cpu//" > requirements.lock
	$(PIP) install --quiet --editable ".[train,serve,ray,dev]"
	$(PIP) freeze --exclude-editable | sed "s/+cpu//" | grep -vxFf requirements.lock > requirements-dev.lock

# The picture of the report in the README, from a finished demo; needs Chromium.
RUN ?= runs/demo/run
CHROMIUM ?= chromium
picture:
	$(CHROMIUM) --headless --no-sandbox --hide-scrollbars --force-device-scale-factor=1 --window-size=1200,1400 \
	  --screenshot=docs/report.png "file://$(abspath $(RUN))/report.html"

clean:
	rm -rf $(VENV) runs
