"""The package where NumPy has 32-bit integers by default (32-bit systems, WebAssembly), played on any other machine.

python -m tests.narrow

Prints as JSON, by its name, what every operation, layer and the rest below gives: the types of its results, or its
error. The package's modules are compiled with their calls of NumPy wrapped: where NumPy would have
chosen the type of integers itself, they come out as int32. An int64 then stands only where somebody asked for it.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
# what counts or numbers elements: of the platform's own type whatever goes in
COUNTING = {
    "argmax", "argmin", "argpartition", "argsort", "argwhere", "bincount", "digitize", "flatnonzero", "indices",
    "lexsort", "nonzero", "permutation", "searchsorted", "tril_indices", "triu_indices", "unravel_index",
}  # fmt: skip
WIDE = {np.dtype(np.int64), np.dtype(np.uint64)}


def _asked(value: Any) -> bool:
    """Whether an argument brings 64-bit integers along: an array, a scalar or a type of them."""
    if isinstance(value, (list, tuple)):
        return any(map(_asked, value))
    if isinstance(value, dict):
        return any(map(_asked, value.values()))
    if isinstance(value, type) and value is not int:
        return issubclass(value, np.generic) and np.dtype(value) in WIDE
    if isinstance(value, np.dtype):
        return value in WIDE
    return getattr(value, "dtype", None) in WIDE if isinstance(value, (np.ndarray, np.generic)) else False


def _narrowed(result: Any) -> Any:
    if isinstance(result, tuple):
        parts = [_narrowed(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if isinstance(result, np.dtype) and result == np.int64:
        return np.dtype(np.int32)
    if isinstance(result, (np.ndarray, np.generic)) and result.dtype == np.int64:
        with np.errstate(all="ignore"):
            return result.astype(np.int32)
    return result


def _is_numpys(call: Any) -> bool:
    owner = getattr(call, "__self__", None)
    if isinstance(owner, (np.ndarray, np.generic, np.random.Generator)):
        return True
    if isinstance(call, type):
        return False
    return (
        isinstance(call, np.ufunc)
        or isinstance(owner, np.ufunc)
        or (getattr(call, "__module__", None) or "").startswith("numpy")
    )


def called(call: Any, *args: Any, **kwargs: Any) -> Any:
    """A call as it would come out there."""
    result = call(*args, **kwargs)
    if call is np.dtype and args[0] in (int, "int"):
        return np.dtype(np.int32)
    if not _is_numpys(call) or kwargs.get("out") is not None:
        return result
    name, owner = getattr(call, "__name__", ""), getattr(call, "__self__", None)
    kind = kwargs.get("dtype")
    if name == "unique" and isinstance(result, tuple):  # its values, then places and counts
        return result[:1] + _narrowed(tuple(result[1:]))
    names = [word for word in args if isinstance(word, str) and word in ("int64", "i8")]
    if name == "integers" or names or (kind is not None and kind is not int):
        return result
    if name in COUNTING or (name == "where" and len(args) == 1):
        return _narrowed(result)
    return result if _asked([owner, args, kwargs]) else _narrowed(result)


def combined(operator: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """An operator's result as it would come out there: of bools and numbers of Python."""
    result = operator(a, b)
    return result if _asked([a, b]) or not isinstance(result, (np.ndarray, np.generic)) else _narrowed(result)


class _Wrapping(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            return ast.copy_location(
                ast.Call(ast.Name("__called__", ast.Load()), [node.func, *node.args], node.keywords), node
            )
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr in ("intp", "int_"):
            node.attr = "int32"
        return node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        words = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "floordiv", ast.Mod: "mod"}
        word = words.get(type(node.op))
        if word is None:
            return node
        operator = ast.Attribute(ast.Name("__operator__", ast.Load()), word, ast.Load())
        return ast.copy_location(
            ast.Call(ast.Name("__combined__", ast.Load()), [operator, node.left, node.right], []), node
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def source_to_code(self, data: Any, path: Any, *args: Any, **kwargs: Any) -> Any:
        tree = ast.fix_missing_locations(_Wrapping().visit(ast.parse(data, path)))
        return compile(tree, path, "exec", dont_inherit=True)

    def get_code(self, fullname: str) -> Any:  # never from a cache
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class Finder(importlib.abc.MetaPathFinder):
    """Compiles the package's modules so."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.partition(".")[0] != "lenetcli":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path or [str(ROOT)], target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def play() -> None:
    """From now on the package, which has not been imported yet, runs as it would there."""
    import operator

    assert not any(name.partition(".")[0] == "lenetcli" for name in sys.modules), "too late"
    vars(builtins).update(__called__=called, __combined__=combined, __operator__=operator)
    sys.meta_path.insert(0, Finder())


def kinds(result: Any) -> Any:
    """The types in a result."""
    if isinstance(result, dict):
        return {str(key): kinds(value) for key, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [kinds(part) for part in result]
    if type(result).__name__ == "Tensor" or isinstance(result, (np.ndarray, np.generic)):
        return f"{result.dtype}"
    return type(result).__name__


def found(make: Callable[[], Any]) -> Any:
    """What a call gives, or how it fails."""
    try:
        return kinds(make())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def operations() -> Iterator[tuple[str, Any]]:
    from tests.ops.sample import all_samples
    from tests.ops.test_sweep import backward, call

    for number, sample in enumerate(all_samples()):

        def run(sample: Any = sample) -> Any:
            leaves, outs = call(sample)
            backward(outs, lambda seed, out: type(out)(seed.astype(out.array.dtype)))
            return outs, [leaf.grad for leaf in leaves]

        yield f"{number} {sample}", found(run)


def made() -> Iterator[tuple[str, Any]]:
    """Tensors that are made, not computed."""
    import lenetcli as lenet
    from lenetcli.data import random_split
    from lenetcli.data.dataset import gather

    x = lenet.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    calls: dict[str, Callable[[], Any]] = {
        "tensor": lambda: [
            lenet.tensor(v) for v in (1, [1, 2], [[True]], [True, 2], np.array([1]), [lenet.tensor(1), 2])
        ],
        "Tensor": lambda: lenet.tensor([1.5, 2]).long(),
        "as_tensor": lambda: [lenet.as_tensor(v) for v in (1, [1, 2], True)],
        "full": lambda: [lenet.full((2,), 1), lenet.full_like(x.long(), 1), lenet.full((2,), True)],
        "arange": lambda: [lenet.arange(3), lenet.arange(1, 3), lenet.arange(0, 9, 2), lenet.arange(3.0)],
        "random": lambda: [lenet.randint(0, 5, (3,)), lenet.randperm(4), lenet.bernoulli(x.sigmoid())],
        "like": lambda: [
            lenet.zeros_like(lenet.arange(2)),
            lenet.ones_like(lenet.arange(2)),
            lenet.randint_like(lenet.arange(3), 5),
        ],
        "new": lambda: [x.new_tensor([1, 2]), lenet.arange(2).new_tensor([1.0, 2.0])],
        "eye": lambda: [lenet.eye(2, dtype=lenet.int64), lenet.tril_indices(3, 3), lenet.triu_indices(3, 3)],
        "python numbers": lambda: [
            x > 1,
            lenet.arange(3) + 1,
            lenet.arange(3) // 2,
            lenet.tensor([True, False]) + 1,
            lenet.arange(3) ** 2,
        ],
        "where": lambda: [lenet.where(x > 1), lenet.where(x > 1, lenet.tensor(1), 2)],
        "sums": lambda: [
            (x > 1).sum(),
            (x > 1).sum(0),
            x.int().sum(),
            lenet.arange(3).cumsum(0),
            (x > 1).cumsum(1),
            x.int().prod(),
        ],
        "indexing": lambda: [
            x[lenet.tensor([0, 1])],
            x[[0, 1], [1, 2]],
            x[x > 1],
            lenet.arange(4)[1],
            lenet.arange(4)[[0, 2]],
        ],
        "assigned": lambda: _assigned(lenet),
        "one_hot": lambda: [
            lenet.nn.functional.one_hot(lenet.tensor([0, 2])),
            lenet.nn.functional.one_hot(lenet.tensor([0, 2]), 4),
        ],
        "item and list": lambda: [lenet.arange(2).tolist(), lenet.tensor(3).item(), x.argmax().item()],
        "numpy": lambda: [lenet.arange(2).numpy(), x.argmax(1).numpy(), np.asarray(lenet.tensor([1, 2]))],
        "count_nonzero": lambda: [lenet.count_nonzero(x), lenet.count_nonzero(x, dim=0)],
        "gather": lambda: gather(lenet.data.TensorDataset(x, lenet.tensor([0, 1])), np.array([0, 1], np.int32)),
        "random_split": lambda: [part.indices for part in random_split(lenet.data.TensorDataset(x), [1, 1])],
        "state": lambda: lenet.nn.BatchNorm1d(3).state_dict(),
        "default": lambda: lenet.get_rng_state(),
    }
    for name, make in calls.items():
        yield name, found(make)


def _assigned(lenet: Any) -> Any:
    a = lenet.zeros(3, dtype=lenet.int64)
    a[0], a[1:] = 5, lenet.tensor([1, 2])
    a += 1
    return a


def layers() -> Iterator[tuple[str, Any]]:
    import lenetcli as lenet
    from tests.nn.sample import collected, leaves

    for number, sample in enumerate(collected("SAMPLES")):

        def run(sample: Any = sample) -> Any:
            layer = sample.make(lenet.nn, lenet.from_numpy)
            y = layer(*(leaf.clone() for leaf in leaves(sample, lenet.from_numpy)), **sample.named(lenet.from_numpy))
            outs = y if isinstance(y, (tuple, list)) else [y]
            if outs[0].requires_grad:
                outs[0].sum().backward()
            return outs, dict(layer.state_dict()), [p.grad for p in layer.parameters()]

        yield f"{number} {sample}", found(run)


CONFIG: dict[str, Any] = {
    "model": {
        "input": [1, 8, 8],
        "layers": [
            {"type": "Conv2d", "out_channels": 4, "kernel_size": [3, 3]},
            {"type": "BatchNorm2d"},
            {"type": "ReLU"},
            {"type": "MaxPool2d", "kernel_size": 2},
            {"type": "Flatten"},
            {"type": "Dropout", "p": 0.3},
            {"type": "Linear", "out_features": 10},
        ],
    },
    "data": {"type": "Digits", "augment": {"shift": 1, "rotate": 5, "noise": 0.1}},
    "loss": {"type": "CrossEntropyLoss", "weight": [1, 2, 1, 1, 1, 1, 1, 1, 1, 3], "label_smoothing": 0.1},
    "optimizer": {"type": "Adam", "lr": 0.01},
    "train": {"epochs": 1, "limit_batches": 3, "validation": 0.1, "ema": 0.9, "log_gradients": 1},
}


def trainings() -> Iterator[tuple[str, Any]]:
    import copy
    import tempfile

    import lenetcli as lenet

    def trained(changes: tuple[str, ...], out: str) -> Any:
        trainer = lenet.Trainer(copy.deepcopy(CONFIG), *changes, out=out)
        history = trainer.fit(progress="off")
        judged = trainer.evaluate()
        said = trainer.predict(np.zeros((2, 8, 8), np.uint8))
        return vars(judged), [p.record() for p in said], dict(trainer.model.state_dict()), history.steps.loss

    mixed = (
        "loss={type: MultiMarginLoss, weight: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]}", "optimizer={type: SGD, lr: 0.1}",
        "train.validation=null", "train.accumulate=2",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        yield "a training", found(lambda: trained((), f"{place}/1"))
        yield (
            "weights of classes",
            found(lambda: trained(("loss={type: NLLLoss}", "train.class_weights=balanced"), f"{place}/2")),
        )
        yield "another loss", found(lambda: trained(mixed, f"{place}/3"))

        def of_objects() -> Any:
            net = lenet.nn.Sequential(lenet.nn.Embedding(5, 4), lenet.nn.Flatten(), lenet.nn.Linear(8, 3))
            data = lenet.randint(0, 5, (12, 2)), lenet.randint(0, 3, (12,))
            criterion = lenet.nn.CrossEntropyLoss(weight=lenet.tensor([1.0, 2.0, 3.0]))
            trainer = lenet.Trainer.of(
                net, lenet.optim.SGD(net.parameters(), lr=0.1), criterion, data, data, classes="abc"
            )
            return vars(trainer.fit(progress="off").judged[0]), vars(trainer.evaluate())

        yield "objects", found(of_objects)
        yield "files", found(lambda: _files(Path(place)))


GROUPS = (made, operations, layers, trainings)


def _files(place: Path) -> Any:
    """Targets as data sets read them, and the numbers of samples."""
    from lenetcli import data

    rows = [",".join(map(str, [i % 3, *range(4)])) for i in range(30)]
    (place / "t.csv").write_text("\n".join(rows))
    pictures, labels = np.zeros((9, 1, 2, 2), np.uint8), np.arange(9, dtype=np.int32) % 3
    np.savez(place / "t.npz", x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    sources = [
        data.CSV(str(place / "t.csv"), (1, 2, 2)),
        data.NPZ(str(place / "t.npz")),
        data.Digits(),
        data.Random((1, 2, 2), 3),
    ]
    found = []
    for source in sources:
        held = data.hold_back(source.train, source.train.targets, 0.2, 0)
        loader = data.DataLoader(held[0], 4, shuffle=True)
        found.append([source.train.targets, next(iter(loader)), loader.order(0), held[1][0]])
    return found


def main() -> None:
    play()
    warnings.simplefilter("ignore")
    json.dump({group.__name__: dict(group()) for group in GROUPS}, sys.stdout)


if __name__ == "__main__":
    main()
