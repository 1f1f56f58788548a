"""Makes lenetcli/data/digits.npz from scikit-learn's copy of the data set (needs scikit-learn)."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
target = Path(__file__).parent.parent / "lenetcli" / "data" / "digits.npz"
np.savez_compressed(target, images=digits.images.astype(np.uint8), labels=digits.target.astype(np.uint8))
print(target, target.stat().st_size, "bytes")
