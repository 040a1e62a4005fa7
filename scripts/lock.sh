#!/bin/sh
# `make lock`: the newest versions that pyproject.toml allows, with the hashes of all their files, for every system and
# every Python from 3.11 on. No address is written: pip downloads from wherever it is configured to.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# uv ignores a package's upper bound on Python: backports.strenum 1.3 is for Python before 3.11.
echo 'backports-strenum<1.3' >"$work/constraints.txt"

lock() {
    name=$1
    shift
    "$python" -m uv --no-config pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --upgrade --output-file "$work/$name.txt" "$@"
    { echo "# Made by: make lock"; cat "$work/$name.txt"; } >"$work/$name.done"
}

lock development --constraints "$work/constraints.txt" --group dev --extra train --extra mqtt --extra archive --extra pandas --extra polars
# The smaller ones take the same versions.
lock runtime --constraints "$work/development.txt"
"$python" -m uv --no-config pip compile --group build --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --constraints "$work/development.txt" --output-file "$work/build.txt"
{ echo "# Made by: make lock"; cat "$work/build.txt"; } >"$work/build.done"

if grep -n '://' "$work"/*.done; then
    echo "Error: a lock would name an address; see above" >&2
    exit 1
fi
for name in development runtime build; do
    cp "$work/$name.done" "locks/$name.txt"
done
