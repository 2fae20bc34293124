#!/usr/bin/env bash
# Writes the three locks from pyproject.toml: requirements.txt (everything), requirements-runtime.txt (to run
# only) and requirements-bench.txt (to measure), all of the same versions. They hold for every platform and every
# Python from 3.11 on, and name no host.
#   tools/lock.sh [--upgrade | --upgrade-package NAME]
# Needs uv, which is in no lock: the one on the PATH, or it is installed into .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
uv_version=0.13.9

uv=$(command -v uv || echo .venv/bin/uv)
[ -x "$uv" ] || .venv/bin/python -m pip install -qq "uv==$uv_version" || {
  echo "lock: uv is neither on the PATH nor could pip install it into .venv" >&2
  exit 1
}

compile() {
  "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --extra postgres --extra calendars "$@"
}

compile --group dev --output-file requirements.txt "$@"
compile --group build --constraint requirements.txt --output-file requirements-runtime.txt
compile --group bench --extra fast --constraint requirements.txt --output-file requirements-bench.txt
