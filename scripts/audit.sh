#!/bin/sh
# `make audit`: known vulnerabilities in what the runtime installs, as pip-audit finds them in the index's own data.
# It fails where that data is out of reach: a package that was not looked up is not a package without faults.
set -eu
python=$1
work=build/audit
if [ ! -e "$work/bin/pip-audit" ]; then
    "$python" -m venv "$work"
    "$work/bin/python" -m pip install --quiet pip-audit
fi
"$work/bin/pip-audit" --strict --require-hashes --disable-pip --requirement locks/runtime.txt
