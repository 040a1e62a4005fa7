#!/bin/sh
# `make lock`: lock the newest versions that pyproject.toml allows, with the hashes of all their files, for every system
# and Python 3.11 or newer. No URL is written, so pip downloads from its configured index.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# uv ignores upper bounds on Python: backports.strenum 1.3 requires a Python older than 3.11.
echo 'backports-strenum<1.3' >"$work/constraints.txt"

lock() {
    name=$1
    shift
    "$python" -m uv --no-config pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --upgrade --output-file "$work/$name.txt" "$@"
    { echo "# Made by: make lock"; cat "$work/$name.txt"; } >"$work/$name.done"
}

lock development --constraints "$work/constraints.txt" --group dev --extra train --extra mqtt --extra archive --extra pandas --extra polars
# The smaller locks use the same versions.
lock runtime --constraints "$work/development.txt"
"$python" -m uv --no-config pip compile --group build --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --constraints "$work/development.txt" --output-file "$work/build.txt"
{ echo "# Made by: make lock"; cat "$work/build.txt"; } >"$work/build.done"

if grep -n '://' "$work"/*.done; then
    echo "Error: a lock file contains the URL shown above; remove it from the pip or uv configuration" >&2
    exit 1
fi
for name in development runtime build; do
    cp "$work/$name.done" "locks/$name.txt"
done
