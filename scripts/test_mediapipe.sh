#!/bin/sh
# `make test-mediapipe`: run the tests that need MediaPipe, without skipping any.
# MediaPipe installs another OpenCV, so it gets a separate environment, created with `pip install '.[mediapipe]'`.
set -eu
python=$1
work=build/mediapipe
inside=$work/venv/bin/python
export CI=true CI_SKIPS=/dev/null
mkdir -p "$work"

if [ ! -e "$work/installed" ] || [ pyproject.toml -nt "$work/installed" ]; then
    echo "Installing MediaPipe"
    "$python" -m venv --clear "$work/venv"
    "$inside" -m pip install --quiet --editable '.[mediapipe]' 'pytest>=8.3'
    touch "$work/installed"
fi

# The model file comes from the last wheel that contained it; that wheel is for older Pythons and is not installed.
model=$work/face_detection_short_range.tflite
if [ ! -e "$model" ]; then
    echo "Extracting the model from MediaPipe 0.10.21"
    "$inside" -m pip download --quiet mediapipe==0.10.21 --no-deps --only-binary=:all: \
        --python-version 3.11 --platform manylinux_2_28_x86_64 --dest "$work/wheel"
    "$inside" - "$work"/wheel/mediapipe-0.10.21-*.whl "$model" <<'END'
import hashlib, sys, zipfile
from pathlib import Path

wheel, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(wheel) as archive:
    content = archive.read("mediapipe/modules/face_detection/face_detection_short_range.tflite")
found = hashlib.sha256(content).hexdigest()
if found != "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8":
    sys.exit(f"Error: {wheel}: unexpected model file, sha256 {found}")
target.write_bytes(content)
END
    rm -r "$work/wheel"
fi

FER_MEDIAPIPE_MODEL=$PWD/$model "$inside" -m pytest tests/edge/detectors/test_mediapipe.py

# Test Google's TFLite metadata reader on files created by TensorFlow, with only MediaPipe from the environment above.
mkdir -p "$work/reader"
ln -sfn "$("$inside" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/mediapipe" "$work/reader/mediapipe"
PYTHONPATH=$PWD/$work/reader${PYTHONPATH:+:$PYTHONPATH} "$python" -m pytest \
    tests/convert/tflite/test_metadata.py -k test_google_s_generated_reader_finds_the_same
