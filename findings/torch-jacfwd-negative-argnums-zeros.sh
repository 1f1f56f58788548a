#!/usr/bin/env bash
# torch.func.jacfwd and hessian answer a negative argnums with zeros, where grad and jacrev answer rightly.
#
# torch 2.13.0 (CPU). argnums counts positional arguments; -1 is the last one, which grad, grad_and_value and jacrev accept
# and differentiate by. jacfwd accepts it, too (it checks the range as they do), and gives zeros of the right shape, alone or
# in a tuple beside a positive number; hessian, which is jacfwd of jacrev, gives zeros for the same reason. No error, no
# warning: a Newton step by that Hessian has nothing to solve, a penalty on that Jacobian is 0.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log"; exit 1; }
"$place/venv/bin/python" - <<'PYTHON'
import sys
import torch
from torch.func import grad, hessian, jacfwd, jacrev

a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])


def product(a, b):
    return a * b


def loss(a, b):
    return (a * b**3).sum()


found = {
    "grad(loss, -1)": (grad(loss, -1)(a, b), [27.0, 96.0]),
    "jacrev(product, -1)": (jacrev(product, -1)(a, b), [[1.0, 0.0], [0.0, 2.0]]),
    "jacfwd(product, 1)": (jacfwd(product, 1)(a, b), [[1.0, 0.0], [0.0, 2.0]]),
    "jacfwd(product, -1)": (jacfwd(product, -1)(a, b), [[0.0, 0.0], [0.0, 0.0]]),
    "jacfwd(product, (0, -1))[1]": (jacfwd(product, (0, -1))(a, b)[1], [[0.0, 0.0], [0.0, 0.0]]),
    "hessian(loss, 1)": (hessian(loss, 1)(a, b), [[18.0, 0.0], [0.0, 48.0]]),
    "hessian(loss, -1)": (hessian(loss, -1)(a, b), [[0.0, 0.0], [0.0, 0.0]]),
}
print("torch", torch.__version__)
for what, (value, told) in found.items():
    print(f"{what:30} {value.tolist()}")
sys.exit(0 if all(value.tolist() == told for value, told in found.values()) else 1)
PYTHON
