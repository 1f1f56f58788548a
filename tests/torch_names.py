"""Every public name of torch 2.13 in six of its modules: here, or why not. `python -m tests.torch_names --write`.

The page is docs/torch-names.md; tests/test_torch_names.py holds it to what is there.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "torch-names.md"
HERE, LATER, OUT = "here", "not here", "out of scope"
MODULES = ("nn", "nn.functional", "optim", "optim.lr_scheduler", "Tensor", "utils.data")
SCOPE = {  # why a name is out of scope: the patterns, one of which the whole name fits
    "sparse tensors: all are dense here": """.*sparse.* coalesce is_coalesced c?col_indices c?row_indices crow_indices
        indices values (dense|sparse)_dim smm sspaddmm to_dense SparseAdam""",
    "quantised tensors: `export --int8` makes them of trained nets": ".*quant.* int_repr q_.* qscheme",
    "complex numbers: all are real here": """c(double|float) chalf conj.* resolve_(conj|neg) angle imag real is_conj
        is_neg isreal i?stft polar view_as_(real|complex)""",
    "the memory of a tensor: every order counts as contiguous, and storages are NumPy's": """as_strided.*
        new_empty_strided .*storage.* set_ is_set_to const_data_ptr dim_order hash_tensor new record_stream layout
        resize_? resize_as_? slice_inverse nonzero_static narrow_copy to_mkldnn to_padded_tensor""",
    "devices: the CPU and CUDA are there": """ipu mtia xpu
        is_(distributed|ipu|maia|mkldnn|mtia|vulkan|xla|inference|nested|pinned|shared)""",
    "deprecated or removed in torch itself": """eig symeig lstsq lu lu_solve solve reinforce volatile name qr cholesky
        svd Container CrossMapLRN2d NLLLoss2d upsample.* .*_bilinear""",
    "inside of torch: names that its own files use": """has_torch_function.* handle_torch_function boolean_dispatch
        assert_int_or_pair as_subclass map2?_ apply_ module_load grad_dtype factory_kwargs RNN(Cell)?Base
        .*_with_indices native_channel_shuffle multi_head_attention_forward Uninitialized.* conv_tbc""",
    "half-precision kernels of GPUs": "(scaled_)?grouped_mm scaled_(grouped_)?mm bfloat16 ScalingType SwizzleType",
    "training by several machines: `mpiexec lenet train`": "DataParallel Distributed.*",
    "data pipes, which torch has given up": """.*DataPipe DataChunk functional_datapipe non_deterministic
        guaranteed_datapipes_determinism argument_validation runtime_validation.*""",
}


def named(module: str) -> Iterator[str]:
    """The public names of one of torch's modules, in order: classes and functions that torch itself defines."""
    torch = importlib.import_module("torch")
    if module == "Tensor":
        yield from (name for name in sorted(dir(torch.Tensor)) if not name.startswith("_"))
        return
    found = importlib.import_module(f"torch.{module}")
    for name in sorted(getattr(found, "__all__", None) or dir(found)):
        value = getattr(found, name, None)
        own = str(getattr(value, "__module__", "") or "torch").startswith("torch") and "torchgen" not in name
        if name.startswith("_") or inspect.ismodule(value) or not callable(value) or not own:
            continue
        if module != "utils.data" and inspect.isclass(value) and value.__module__ in ("torch", "torch._C"):
            continue  # types that the module imports
        if module == "optim.lr_scheduler" and value.__module__ != "torch.optim.lr_scheduler":
            continue
        if module == "nn.functional" and inspect.isclass(value):
            continue
        yield name


def holder(module: str) -> Any:
    """What answers a module's names here."""
    if module == "Tensor":
        return importlib.import_module("lenetcli").Tensor
    return importlib.import_module(f"lenetcli.{module}")


def state(module: str, name: str) -> tuple[str, str]:
    """Here, or not; and why it is out of scope, where it is."""
    if hasattr(holder(module), name):
        return HERE, ""
    for why, patterns in SCOPE.items():
        pattern = f"({'|'.join(patterns.split())})_?"
        if re.fullmatch(pattern, name):
            return OUT, why
    return LATER, ""


def page() -> str:
    """The page."""
    lines = [
        "# torch's names",
        "",
        "Every public name of torch 2.13.0 in six modules, and whether it is here. What arguments are refused with",
        "words, and how far numbers agree, is in [parity](parity.md). A script's missing names are listed by",
        "`python -m lenetcli.as_torch --check SCRIPT`. `python -m tests.torch_names --write` writes this page.",
        "",
        "| module | names | here | not here | out of scope | share | share of what is in scope |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    states = {module: {name: state(module, name) for name in named(module)} for module in MODULES}
    for module, found in states.items():
        count = Counter(kind for kind, _ in found.values())
        whole, scope = len(found), len(found) - count[OUT]
        lines.append(
            f"| `{module}` | {whole} | {count[HERE]} | {count[LATER]} | {count[OUT]} | {count[HERE] / whole:.1%} | "
            f"{count[HERE] / scope:.1%} |"
        )
    for module, found in states.items():
        lines += ["", f"## {module}", ""]
        for kind in (HERE, LATER):
            names = [f"`{name}`" for name, (which, _) in found.items() if which == kind]
            if names:
                lines += [f"{kind.capitalize()}: {', '.join(names)}.", ""]
        for why in dict.fromkeys(why for which, why in found.values() if which == OUT):
            names = [f"`{name}`" for name, (_, reason) in found.items() if reason == why]
            lines.append(f"- out of scope, {why}: {', '.join(names)}")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    print(page().split("\n## ")[0])
