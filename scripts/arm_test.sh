#!/bin/sh
# `make arm-test`: run the wheel on an emulated 64-bit ARM processor, as on a Raspberry Pi. Tests function, not speed.
# Requires root on Debian or Ubuntu; takes about ten minutes. DATA=fer2013.tar.gz also compares predictions for 500 faces.
set -eu
python=$1
data=${2:-}
suite=bookworm # ships Python 3.11
root=$PWD/build/arm/root
files=$PWD/build/arm/files
portrait=$PWD/tests/data/grace_hopper.jpg

[ "$(id -u)" = 0 ] || { echo "Error: emulating another system requires root; run: sudo make arm-test" >&2; exit 1; }
# Unmount on every exit, so that nothing is deleted through a mount.
release() {
    for folder in proc sys dev/pts dev; do
        while mountpoint -q "$root/$folder"; do umount "$root/$folder" || return 0; done
    done
}
trap release EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
release
rm -rf "$files"
mkdir -p "$files/wheels"

echo "Preparing an emulated Debian system"
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes --quiet --no-install-recommends qemu-user-static debootstrap >"$files/apt.log" 2>&1 ||
    { cat "$files/apt.log"; exit 1; }
[ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] ||
    grep -h . /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
if [ ! -e "$root/ready" ]; then
    rm -rf --one-file-system "$root"
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,python3-venv "$suite" "$root" \
        >"$files/debootstrap.log" 2>&1 || { tail -20 "$files/debootstrap.log"; exit 1; }
    chroot "$root" /debootstrap/debootstrap --second-stage >>"$files/debootstrap.log" 2>&1 ||
        { tail -20 "$files/debootstrap.log"; exit 1; }
    touch "$root/ready"
fi

echo "Building the wheel and downloading its dependencies as wheels"
"$python" -m build --no-isolation --wheel --outdir "$files/wheels" . >"$files/build.log" 2>&1 || { cat "$files/build.log"; exit 1; }
"$python" -m pip download --quiet --dest "$files/wheels" --only-binary :all: --python-version 3.11 --implementation cp \
    --abi cp311 --abi abi3 --abi none --platform manylinux_2_36_aarch64 --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
    "$files"/wheels/fer_edge-*.whl
size=$(du -sk "$files/wheels" | cut -f1)
echo "Downloads: $((size / 1024)) MB"
[ "$size" -le $((115 * 1024)) ] || { echo "Error: downloads exceed 115 MB" >&2; exit 1; }

cp "$portrait" "$files/portrait.jpg"
"$python" - "$files" "$data" <<'PYTHON'
import csv, sys
from pathlib import Path
from fer_edge.benchmark.synthetic_video import write_synthetic_video
files, data = Path(sys.argv[1]), sys.argv[2]
write_synthetic_video(files / "clip.mp4", 30)
if data:
    import cv2
    from fer_train.data.dataset import load_faces

    faces = load_faces(data).split("PublicTest")
    for number in range(500):
        folder = files / "faces" / "PublicTest" / faces.label_names[faces.labels[number]]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), faces.pixels[number])
PYTHON
rm -rf "$root/trial"
mkdir "$root/trial"
cp -r "$files"/. "$root/trial"

run() { chroot "$root" /bin/sh -ec "cd /trial && $1"; }
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
echo "Installing the wheel in the emulated system"
run "python3 -m venv venv && venv/bin/python -m pip install --quiet --no-deps wheels/*.whl && venv/bin/python -m pip check"
run "uname -m && venv/bin/fer-edge --version"
run "venv/bin/fer-edge doctor"
run "venv/bin/fer-edge image portrait.jpg --output annotated.jpg --results -" | tee "$files/image.jsonl"
run "venv/bin/fer-edge video clip.mp4 --output annotated.mp4 --results rows.jsonl --summary summary.json"
"$python" - "$root/trial" <<'PYTHON'
import json, sys
from pathlib import Path
work = Path(sys.argv[1])
rows = [json.loads(line) for line in (work / "rows.jsonl").read_text().splitlines()]
assert len(rows) == 30, len(rows)
assert sum(bool(row["faces"]) for row in rows) >= 28, "the synthetic face was not found"
assert (work / "annotated.mp4").stat().st_size > 10_000
PYTHON
if [ -n "$data" ]; then
    model=edge/fer_edge/models/default.tflite
    cp "$model" "$root/trial/default.tflite"
    "$(dirname "$python")/fer-convert" verify "$model" --data "$files/faces" | tee "$files/verify-here.txt"
    run "venv/bin/fer-convert verify default.tflite --data faces" | tee "$files/verify-arm.txt"
    "$python" - "$files" <<'PYTHON'
import re, sys
from pathlib import Path

here, arm = (
    float(re.search(r"(\d+\.\d+) ?%", (Path(sys.argv[1]) / name).read_text())[1])
    for name in ("verify-here.txt", "verify-arm.txt")
)
print(f"Accuracy on 500 faces: {here} % here, {arm} % on emulated ARM")
assert abs(here - arm) <= 0.5, "accuracy differs by more than half a point"
PYTHON
fi
echo "The wheel works on $(run 'uname -m')"
