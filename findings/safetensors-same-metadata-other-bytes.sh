#!/usr/bin/env bash
# safetensors writes the same tensors with the same metadata to other bytes at each call.
#
# safetensors 0.8.0 with numpy 2.4.6, CPython 3.11, Linux x86-64. Of 200 calls of `safetensors.numpy.save` in one process
# with one tensor and the metadata {"a": "1", "b": "2", "c": "3", "d": "4"}, all 24 orders of the four entries occur in
# the header, and as many different files; PYTHONHASHSEED=0 changes nothing. With one entry, or none, all files are equal,
# and so are the tensors' bytes always. Who compares or signs weights by a hash of the file has to leave metadata out, keep
# it in one entry, or write the header anew.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log"; exit 1; }
PYTHONHASHSEED=0 "$place/venv/bin/python" - <<'PYTHON'
import json
import sys

import numpy as np
import safetensors
from safetensors.numpy import save

tensors = {"weight": np.arange(4, dtype=np.float32)}


def files(metadata):
    return {save(tensors, metadata) for _ in range(200)}


def order(file):
    length = int.from_bytes(file[:8], "little")
    return "".join(json.loads(file[8 : 8 + length])["__metadata__"])


four, one, none = files({"a": "1", "b": "2", "c": "3", "d": "4"}), files({"a": "1"}), files(None)
orders = {order(file) for file in four}
print("safetensors", safetensors.__version__)
print(f"200 calls each: {len(four)} files with four entries ({len(orders)} orders), {len(one)} with one, {len(none)} without")
print("the tensors' bytes are the same:", len({file[-16:] for file in four}) == 1)
sys.exit(0 if len(four) == len(orders) > 12 and len(one) == len(none) == 1 else 1)
PYTHON
