#!/usr/bin/env bash
# NumPy negates a column of a four-column float32 array in place with the numbers of the first row.
#
# NumPy 2.4.6, as 2.1.3 and 2.3.5 (1.26.4 is right), Linux x86-64 with AVX2, and with NPY_DISABLE_CPU_FEATURES=X86_V3.
# Where the numbers of a column are 4 apart (float32, int32) or 8 apart (float64, int64), `np.negative(a[:, 0], out=a[:, 0])`
# writes -a[0, 0], -a[0, 1], -a[0, 2], -a[0, 3], ... down the column: the input is read as if it were one row. No warning.
# Steps of 2, 3, 5 or 7 are right, so are other functions (np.abs, np.square) and a new array (-a[:, 0]).
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==2.4.6 2>"$place/log" || { cat "$place/log"; exit 1; }
"$place/venv/bin/python" -W error - <<'PYTHON'
import sys
import numpy as np

print("NumPy", np.__version__)
same = True
for kind, wrong in (("float32", 4), ("int32", 4), ("float64", 8), ("int64", 8)):
    for columns in (2, 3, 4, 5, 7, 8):
        a = np.arange(1, 6 * columns + 1).astype(kind).reshape(6, columns)
        column = a[:, 0]
        wanted, fresh, row = -column.copy(), -column, -a.ravel()[:4]
        np.negative(column, out=column)
        is_wrong = not np.array_equal(column, wanted)
        same &= is_wrong == (columns == wrong) and np.array_equal(fresh, wanted)
        if is_wrong:
            same &= np.array_equal(column[:4], row)  # the first row, down the column
            print(f"{kind}, {columns} columns: {column[:4].tolist()}, should be {wanted[:4].tolist()}")
        for other in (np.abs, np.square):
            column = np.arange(1, 6 * columns + 1).astype(kind).reshape(6, columns)[:, 0]
            wanted = other(column.copy())
            other(column, out=column)
            same &= np.array_equal(column, wanted)
sys.exit(0 if same else 1)
PYTHON
