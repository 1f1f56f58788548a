#!/usr/bin/env bash
# Keras 3 writes the names of the layers into a weights file, and does not look at them when it reads it.
#
# keras 3.15.1 (backend jax 0.10.2), h5py 3.15.1, numpy 2.4.6, CPython 3.11, Linux x86-64. A Sequential of Dense layers
# named "alpha" and "beta" writes the groups `layers/dense` and `layers/dense_1` to .weights.h5, numbered by class, each with
# the layer's name as an attribute of its `vars`. A model with the layers "beta", "alpha" of the same sizes takes the file
# without an error or a warning: "beta" gets what "alpha" was. Who changes the order of layers has to move weights by the
# names in the attributes.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 h5py==3.15.1 numpy==2.4.6 2>"$place/log" || { cat "$place/log"; exit 1; }
cd "$place"
KERAS_BACKEND=jax KERAS_HOME="$place" "$place/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import h5py
import keras
import numpy as np


def net(first, second):
    layers = keras.layers
    return keras.Sequential([keras.Input((3,)), layers.Dense(3, name=first), layers.Dense(3, name=second)])


def kernel(model, name):
    return np.asarray(model.get_layer(name).kernel)


written, other = net("alpha", "beta"), net("beta", "alpha")
written.save_weights("w.weights.h5")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    other.load_weights("w.weights.h5")
names = {}
with h5py.File("w.weights.h5") as file:
    for group, part in file["layers"].items():
        names[group] = part["vars"].attrs["name"]
swapped = np.array_equal(kernel(written, "alpha"), kernel(other, "beta"))
kept = np.array_equal(kernel(written, "alpha"), kernel(other, "alpha"))
print("keras", keras.__version__)
print("names in the file:", names, "- warnings:", [str(warning.message) for warning in said])
print("'beta' got what 'alpha' was:", swapped, "- 'alpha' got its own:", kept)
sys.exit(0 if names == {"dense": "alpha", "dense_1": "beta"} and swapped and not kept and not said else 1)
PYTHON
