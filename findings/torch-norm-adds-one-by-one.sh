#!/usr/bin/env bash
# torch's norms add float32 numbers one by one, its sums in a cascade.
#
# torch 2.13.0 (CPU), Linux x86-64. The 2-norm of a million numbers 0.1 should be 100. Along dimension 0 of a contiguous
# (1000000, 10) tensor `norm` and `linalg.vector_norm` give 99.32383, 0.7 percent off; the 1-norm gives 100958.34 for
# 100000; the 2-norm of all ten million, divided by sqrt(10), gives 99.22351. `sum` of the same squares and sizes is right
# to seven digits, so sqrt of a sum is not what norm computes. The numbers are the same with ATEN_CPU_CAPABILITY=default,
# avx2 and avx512, and with one thread or two. Who limits gradients by the norm of a large tensor scales by a wrong factor.
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

x = torch.full((1_000_000, 10), 0.1)
found = {
    "x.norm(dim=0)": (x.norm(dim=0)[0].item(), 99.32383, 100),
    "linalg.vector_norm(x, dim=0)": (torch.linalg.vector_norm(x, dim=0)[0].item(), 99.32383, 100),
    "x.norm(p=1, dim=0)": (x.norm(p=1, dim=0)[0].item(), 100958.34, 100000),
    "x.norm() / sqrt(10)": (x.norm().item() / 10**0.5, 99.22351, 100),
    "(x * x).sum(0).sqrt()": ((x * x).sum(0).sqrt()[0].item(), 100, 100),
    "x.abs().sum(0)": (x.abs().sum(0)[0].item(), 100000, 100000),
}
print("torch", torch.__version__)
same = True
for what, (value, told, exact) in found.items():
    same &= abs(value - told) < 1e-6 * exact
    print(f"{what:30} {value:.7g}   exactly {exact}")
sys.exit(0 if same else 1)
PYTHON
