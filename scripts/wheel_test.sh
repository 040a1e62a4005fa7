#!/bin/sh
# `make wheel-test`: build the wheel, install it into an empty environment and run it, as after `pip install fer-edge`.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
portrait=$PWD/tests/data/grace_hopper.jpg

echo "Building the wheel"
"$python" -m build --no-isolation --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet "$work"/dist/*.whl
cd "$work" # out of reach of the checkout

installed=$(venv/bin/python -m pip list --format freeze | cut -d= -f1 | tr '[:upper:]' '[:lower:]')
for heavy in tensorflow keras pandas matplotlib torch jax; do
    if echo "$installed" | grep -qx "$heavy"; then
        echo "Error: the runtime installed $heavy" >&2
        exit 1
    fi
done
echo "Installed: $(echo "$installed" | tr '\n' ' ')"

venv/bin/fer-edge --version
venv/bin/fer-edge models
venv/bin/fer-edge image "$portrait" --output annotated.jpg --results - >result.jsonl
venv/bin/python -c "
import json
record, = map(json.loads, open('result.jsonl'))
face, = record['faces']
assert abs(sum(face['scores'].values()) - 1) < 1e-3, face
print('Found', face['emotion'], face['score'], 'at', face['box'])"
test -s annotated.jpg

# The wheel contains both bundled models with their cards and answers, within their size limits.
for model in default:1500000 accurate:8000000; do
    name=${model%:*}
    venv/bin/fer-edge image "$portrait" --model "$name" --results - >/dev/null
    venv/bin/python -c "
import sys
from fer_edge.models.find_model import find_model
model = find_model('$name')
assert model.size <= ${model#*:}, model.size
assert all(model.path.with_suffix(suffix).is_file() for suffix in ('.md', '.answers.json')), model.path"
done
models=$(venv/bin/fer-edge doctor | grep 'model ')
echo "$models"
case $models in
    *FAULT*) echo "Error: fer-edge doctor reports a fault in a bundled model" >&2; exit 1 ;;
esac

# The files of the live view's page.
venv/bin/python -c "
from fer_edge.sinks.http.routes import read_page_file
for name in ('index.html', 'token.html', 'style.css', 'icon.svg', 'app.js', 'connection.js', 'faces.js'):
    assert read_page_file(name), name"

# Without their extra, the two desktop commands report how to install it.
for command in "fer-train fit nowhere --out run" "fer-convert run --data nowhere --out out"; do
    if message=$(venv/bin/$command 2>&1); then
        echo "Error: $command ran without its extra" >&2
        exit 1
    fi
    case $message in
        *"fer-edge[train]"*) ;;
        *) echo "Error: $command does not name its extra: $message" >&2; exit 1 ;;
    esac
done
echo "The wheel works"
