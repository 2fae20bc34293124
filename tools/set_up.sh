#!/usr/bin/env bash
# Makes .venv and installs one lock into it, then the project itself, editable.
#   tools/set_up.sh LOCK [FOLDER]    LOCK is requirements.txt (everything), requirements-runtime.txt (to run only)
#                                    or requirements-bench.txt (to measure); FOLDER is another one than .venv.
# Needs a Python of at least 3.11 and a way to pip: ensurepip, or a pip beside that Python.
# It installs only what the lock names, with the lock's hashes, and never touches anything outside that folder.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=$1
venv=${2:-.venv}

fail() {
  echo "set-up: $1" >&2
  exit 1
}

find_python() {
  local name names=${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}
  for name in $names; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "none of these is a Python 3.11 or newer: $names; install one (Debian: apt-get install python3) or name it: make PYTHON=/path/to/python"
}

can_run() {
  "$python" -m "$@" >/dev/null 2>&1
}

make_venv() {
  echo "set-up: making $venv with $("$python" --version)"
  if can_run ensurepip --version && can_run venv --clear "$venv"; then
    return
  fi
  can_run venv --help || fail "$python has no module venv; install it (Debian: apt-get install python3-venv)"
  can_run pip --version || fail "$python has neither ensurepip nor pip; install one (Debian: apt-get install python3-venv)"
  "$python" -m venv --clear --without-pip "$venv"
}

# The pip inside .venv, or the one beside the system's Python, told to work on .venv.
pip_install() {
  local pip=("$venv/bin/python" -m pip)
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || pip=("$python" -m pip --python "$venv/bin/python")
  "${pip[@]}" --disable-pip-version-check install -qq --no-input --progress-bar off "$@"
}

python=$(find_python)
"$venv/bin/python" -c "" 2>/dev/null || make_venv
echo "set-up: installing $lock (a minute or two the first time)"
pip_install --require-hashes -r "$lock"
pip_install --no-build-isolation --no-deps -e .
