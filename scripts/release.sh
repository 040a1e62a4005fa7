#!/bin/sh
# `make release`: build the wheel and the source archive of the current commit twice, compare the builds, and write them
# into dist/ with SHA-256 sums and a bill of materials of the wheel and its dependencies on this system.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

[ -z "$(git status --porcelain)" ] || echo "Warning: uncommitted changes are not included" >&2
build() { # in a separate folder, with the given umask
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

echo "Downloading the wheel's dependencies"
"$python" -m pip download --quiet --require-hashes --only-binary :all: -r locks/runtime.txt --dest "$work/wheels"
cp "$work"/first/dist/*.whl "$work/wheels"
mkdir -p dist
"$python" -m release.sbom "$work/wheels" fer-edge "$work/sbom.json"
# Replace the previous release.
rm -f dist/fer_edge-* dist/SHA256SUMS
cp "$work"/first/dist/* dist
version=$(cd dist && echo fer_edge-*.tar.gz)
cp "$work/sbom.json" "dist/${version%.tar.gz}.cdx.json"
(cd dist && sha256sum fer_edge-* >SHA256SUMS && cat SHA256SUMS)
