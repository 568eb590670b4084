#!/usr/bin/env bash
# Upload the files of a release by publib. Nothing runs that a registry could change.
#
#   BUILT=… TESTED=… publish.sh FOLDER    with the output of digests.py for the built and for the tested files
#
# publib is installed from its lock, without its scripts. Its own script installs an upload tool by pip: it gets a folder
# of wheels that were fetched by their hashes, and no index.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hold() { python3 "$here/digests.py" "$1" --are "$BUILT" "$TESTED"; }

hold "$1"

cp "$here"/package.json "$here"/package-lock.json "$work"
npm ci --loglevel=error --no-fund --no-audit --ignore-scripts --prefix "$work"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
  --requirement "$here/requirements.txt" --dest "$work/wheels"

export PIP_NO_INDEX=1 PIP_FIND_LINKS="$work/wheels" PIP_CONFIG_FILE=/dev/null PIP_ONLY_BINARY=:all:
# The packages of the runner's Python are not the locked ones, and a system's Python rejects `pip install --user`.
export PIP_IGNORE_INSTALLED=1 PIP_BREAK_SYSTEM_PACKAGES=1 PYTHONUSERBASE="$work/user"
hold "$1"
"$work/node_modules/.bin/publib-pypi" "$1"
