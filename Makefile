# make install   everything into .venv: Python packages, ROS 2, our messages, the commands cups-train and ros2
# make demo      the whole chain on a small rendered street, results in runs/demo
# make test      lint, types, tests
# Where a real ROS 2 is sourced (ROS_DISTRO is set) ROS and our messages are not installed here: `colcon build` makes them.

VENV   ?= .venv
PYTHON ?= python3
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)

PREFIX := $(abspath $(VENV))
PY     := $(VENV)/bin/python
STAMPS := $(VENV)/.cups
UV     := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .venv-uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never

ifdef ROS_DISTRO
LOCK  := requirements/lock.txt
PARTS := $(STAMPS)/project
else
LOCK  := requirements/lock-ros.txt
PARTS := $(STAMPS)/project $(STAMPS)/messages $(STAMPS)/ros2
export AMENT_PREFIX_PATH := $(PREFIX)
endif

.PHONY: install demo test lint types clean lock
.DELETE_ON_ERROR:

install: $(PARTS)

demo: install
	$(VENV)/bin/python -m cups_train.demo --out runs/demo

test: install
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@$(PY) -m mypy
	@CUPS_REQUIRE_ROS=1 $(PY) -m pytest $(ARGS)

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: install
	$(PY) -m mypy

clean:
	rm -rf build install log dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

# The lock forks by Python version: newer releases of some libraries have no wheels for Python 3.10.
lock: $(UV)
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.10 \
	  --no-header --no-annotate -q -o requirements/lock.txt
	$(UV) pip compile pyproject.toml --extra dev --extra ros --universal --python-version 3.10 \
	  --no-header --no-annotate -q -o requirements/lock-ros.txt

.venv-uv/bin/uv:
	@sh ros_wheels/check_tools.sh $(PYTHON) venv
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/pip install --quiet "uv>=0.7"

$(PY): | $(UV)
	@sh ros_wheels/check_tools.sh $(PYTHON) $(if $(ROS_DISTRO),,compiler)
	$(UV) venv --quiet --python $(PYTHON) $(VENV)

$(STAMPS)/packages: $(LOCK) | $(PY) $(UV)
	@mkdir -p $(STAMPS)
	$(UV) pip install --python $(PY) --requirement $(LOCK)
	@touch $@

$(STAMPS)/project: $(STAMPS)/packages pyproject.toml setup.py
	$(UV) pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/wheels: $(STAMPS)/packages ros_wheels/fix_cmake.py
	$(PY) ros_wheels/fix_cmake.py
	@touch $@

# Only the messages, the program's entry, launch and config files are installed; the sources stay in this checkout.
$(STAMPS)/messages: $(STAMPS)/wheels CMakeLists.txt package.xml cmake/program.py.in cups_ros/__init__.py $(wildcard msg/*.msg) \
                    $(shell find launch config -type f)
	cmake -S . -B build/messages -DCMAKE_BUILD_TYPE=Release -DCUPS_INSTALL_SOURCES=OFF -DPython3_EXECUTABLE=$(PREFIX)/bin/python \
	  -DCMAKE_PREFIX_PATH=$(PREFIX) -DCMAKE_INSTALL_PREFIX=$(PREFIX) > build-messages.log 2>&1 \
	  && cmake --build build/messages -j$(JOBS) >> build-messages.log 2>&1 \
	  && cmake --install build/messages >> build-messages.log 2>&1 \
	  || { tail -40 build-messages.log; echo "the messages could not be built, see build-messages.log"; exit 1; }
	@rm -f build-messages.log
	@touch $@

# A stand-in for the `ros2` command, never beside a real one.
$(STAMPS)/ros2: $(STAMPS)/packages ros_wheels/install_ros2.sh
	sh ros_wheels/install_ros2.sh $(PREFIX)
	@touch $@
