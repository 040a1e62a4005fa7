#!/bin/sh
# `make demo`: run the runtime on a portrait, or on the user's image, folder, video or camera.
set -eu
input=${1:-tests/data/grace_hopper.jpg}
mkdir -p demo
set -- --summary demo/summary.json --overwrite
case $input in
    *[!0-9]*)
        if [ -d "$input" ]; then
            output=demo/annotated
            "$FER_EDGE" folder "$input" --output "$output" "$@"
        else
            case $(printf '%s' "$input" | tr '[:upper:]' '[:lower:]') in
                *.jpg | *.jpeg | *.png | *.bmp | *.webp | *.tif | *.tiff)
                    output=demo/annotated.jpg
                    "$FER_EDGE" image "$input" --output "$output" "$@" ;;
                rtsp://* | http://* | https://* | /dev/video*)
                    output=demo/annotated.mp4
                    "$FER_EDGE" camera "$input" --output "$output" "$@" ;;
                *)
                    output=demo/annotated.mp4
                    "$FER_EDGE" video "$input" --output "$output" "$@" ;;
            esac
        fi ;;
    *)
        output=demo/annotated.mp4
        "$FER_EDGE" camera "$input" --output "$output" "$@" ;;
esac
fps=$(sed -n 's/.*"fps": *\([0-9.]*\).*/\1/p' demo/summary.json | head -n 1)
echo "Speed: $fps frames per second"
echo "Annotated: $output"
