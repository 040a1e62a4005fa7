#!/bin/sh
# `make setup`: install this checkout in editable mode with its dependencies: `runtime`, or `development` for all of them.
# locked=1: exactly the files whose hashes are in locks/; 0: the newest versions that pyproject.toml allows.
set -eu
python=$1
what=$2
locked=$3

pip() { "$python" -m pip --quiet --disable-pip-version-check "$@"; }

if [ "$locked" = 1 ]; then
    pip install --require-hashes -r locks/build.txt
    pip install --require-hashes -r "locks/$what.txt"
    pip install --no-deps --no-build-isolation --editable .
elif [ "$what" = runtime ]; then
    pip install --upgrade pip
    pip install --upgrade --editable .
else
    pip install --upgrade --editable '.[train]' --group dev
fi
