#!/bin/sh
# `make audit`: check the runtime's dependencies for known vulnerabilities with pip-audit, using the index's data.
# Fails if that data is unreachable: a package that was not checked must not pass.
set -eu
python=$1
work=build/audit
if [ ! -e "$work/bin/pip-audit" ]; then
    "$python" -m venv "$work"
    "$work/bin/python" -m pip install --quiet pip-audit
fi
"$work/bin/pip-audit" --strict --require-hashes --disable-pip --requirement locks/runtime.txt
