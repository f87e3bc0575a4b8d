# Shared by the scripts: .venv in the repository, made and kept up to date without root.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1

find_python() { # the first Python 3.10 or later
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  echo "no Python 3.10 or later found; name one: PYTHON=/path/to/python $0" >&2
  return 1
}

make_venv() { # .venv with pip, also where Debian's python3-venv (ensurepip) is not installed
  local python
  python=$(find_python)
  if "$python" -m venv .venv 2>/dev/null; then return; fi
  rm -rf .venv
  if ! "$python" -m venv --without-pip .venv; then
    echo "cannot make .venv with $python; on Debian and Ubuntu: sudo apt install python3-venv" >&2
    return 1
  fi
  if ! "$python" -m pip install --quiet --target "$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')" pip; then
    rm -rf .venv
    echo "cannot put pip into .venv; on Debian and Ubuntu: sudo apt install python3-venv" >&2
    return 1
  fi
}

# need EXTRAS: installs the project with these extras, once for each state of pyproject.toml and the native sources.
need() {
  local extras=$1 stamp state
  [ -x .venv/bin/python ] || make_venv
  stamp=.venv/.wholebody-$(echo "$extras" | tr ',' '-')
  state=$(cat pyproject.toml scripts/constraints.txt runtime/native/*.cpp runtime/native/*.h | cksum)
  if [ "$(cat "$stamp" 2>/dev/null)" != "$state" ]; then
    echo "setting up .venv: wholebody[$extras] (the first time takes a minute or two)" >&2
    # pip warns about every package index of the machine that does not answer; errors still show.
    if ! .venv/bin/python -m pip install --quiet -c scripts/constraints.txt -e ".[$extras]" 2>.venv/pip.log; then
      cat .venv/pip.log >&2
      return 1
    fi
    echo "$state" >"$stamp"
  fi
}
