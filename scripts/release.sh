#!/bin/sh
# `make release`: the wheel and the source archive of the commit that is checked out, built twice and compared, with a bill
# of materials of the wheel and all that it installs on this system, and the SHA-256 of each file, in dist/.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

[ -z "$(git status --porcelain)" ] || echo "Warning: what is not committed is left out" >&2
build() { # in a folder of its own, with permissions of its own
    mkdir -p "$work/$1"
    umask "$2"
    git archive HEAD | tar -x --no-same-permissions -C "$work/$1"
    "$python" -m build --no-isolation --outdir "$work/$1/dist" "$work/$1" >"$work/$1.log" 2>&1 ||
        { cat "$work/$1.log"; exit 1; }
}
echo "Building twice"
build first 022
build second 077
umask 022
for file in "$work"/first/dist/*; do
    cmp "$file" "$work/second/dist/${file##*/}" || { echo "Error: ${file##*/}: two builds differ" >&2; exit 1; }
done

echo "Fetching what the wheel installs"
"$python" -m pip download --quiet --require-hashes --only-binary :all: -r locks/runtime.txt --dest "$work/wheels"
cp "$work"/first/dist/*.whl "$work/wheels"
mkdir -p dist
"$python" -m release.sbom "$work/wheels" fer-edge "$work/sbom.json"
# A release replaces the one before.
rm -f dist/fer_edge-* dist/SHA256SUMS
cp "$work"/first/dist/* dist
version=$(cd dist && echo fer_edge-*.tar.gz)
cp "$work/sbom.json" "dist/${version%.tar.gz}.cdx.json"
(cd dist && sha256sum fer_edge-* >SHA256SUMS && cat SHA256SUMS)
