#!/usr/bin/env bash
# Compiles a bundle's graph for the Edge TPU with the vendor's compiler and puts the result into the bundle.
# Usage: tools/compile_edgetpu.sh models/edgeasr-en
set -euo pipefail
bundle=${1:?usage: tools/compile_edgetpu.sh BUNDLE_FOLDER}
if ! command -v edgetpu_compiler >/dev/null; then
  echo "edgetpu_compiler is not installed: see https://coral.ai/docs/edgetpu/compiler/ (x86-64 Linux), then run this again" >&2
  exit 1
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
edgetpu_compiler --min_runtime_version 13 --out_dir "$out" --show_operations "$bundle/encoder.tflite"
cp "$out/encoder_edgetpu.tflite" "$bundle/encoder_edgetpu.tflite"
python3 - "$bundle" <<'PY'
import pathlib, re, sys
from edgeasr.bundle import write_checksums

folder = pathlib.Path(sys.argv[1])
manifest = folder / "model.toml"
text = manifest.read_text(encoding="utf-8")
if "edgetpu_file" not in text:
    text = re.sub(r"(?m)^\[encoder\]\n", '[encoder]\nedgetpu_file = "encoder_edgetpu.tflite"\n', text)
    manifest.write_text(text, encoding="utf-8")
write_checksums(folder)
PY
echo "the bundle now holds encoder_edgetpu.tflite; 'edgeasr models verify $bundle' checks it"
