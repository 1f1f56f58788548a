"""The program's own random numbers: nothing of the house takes over their stream, and trainings may run in threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn, optim
from lenetcli.autograd.random import Generator, drawing_from
from lenetcli.build.parts import build_criterion, build_model, build_run, check, resolved
from lenetcli.cli.app import main
from lenetcli.data import DataLoader
from lenetcli.export.lowering import lower
from lenetcli.inspection.compare import replay
from lenetcli.inspection.graph.step_traces import traces
from lenetcli.inspection.lab import LESSONS, Bench
from lenetcli.inspection.model.gradient_check import check_model
from lenetcli.inspection.step.profile import time_step
from lenetcli.inspection.step.record import advance, record_step
from lenetcli.inspection.training.checkpoint_history import checkpoint_flow, updates
from lenetcli.inspection.training.lr_finder import lr_range
from lenetcli.inspection.training.replay import Recorded
from lenetcli.kernels import dispatch, native
from lenetcli.runs.open import load_config, load_run, load_training
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.loop import fit
from lenetcli.trainer.in_directory import SPLITS
from tests.conftest import ROOT
from tests.train.small import write_config

OWN = """
import lenetcli as lenet
from lenetcli import nn


class Noisy(nn.Module):
    \"\"\"Adds noise in training and in use, and is made with some.\"\"\"

    def __init__(self) -> None:
        super().__init__()
        self.shift = float(lenet.rand(1))

    def forward(self, x):
        return x + 0.01 * lenet.randn(*x.shape) + self.shift


class NoisyLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = 1 + float(lenet.rand(1))

    def forward(self, output, target):
        return self.factor * nn.functional.cross_entropy(output, target) + 0.01 * lenet.rand(1).sum()
"""
NOISY = """
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, out_channels: 4, kernel_size: 3}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Dropout2d, p: 0.2}
    - {type: Flatten}
    - {type: "own.py:Noisy"}
    - {type: Linear, out_features: 16}
    - {type: Dropout, p: 0.3}
    - {type: ReLU}
    - {type: Linear, out_features: 10}
data: {type: Digits, augment: {shift: 1, rotate: 10, noise: 0.1}}
loss: {type: "own.py:NoisyLoss"}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
train: {epochs: 2, batch_size: 32, limit_batches: {train: 3, eval: 1}, validation: 0.05}
"""


@pytest.fixture(scope="module", autouse=True)
def _agreed(config_home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A training that was asked for remembers that own.py may be imported, wherever it lies."""
    place = tmp_path_factory.mktemp("agreed")
    (place / "own.py").write_text(OWN)
    (place / "noisy.yaml").write_text(NOISY)
    lenet.Trainer(place / "noisy.yaml", "train.epochs=1", out=place / "run").fit(progress="off")


@pytest.fixture(autouse=True)
def place(short_timing: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "noisy.yaml").write_text(NOISY)
    return tmp_path


def trained(out: str = "run", *changes: str) -> lenet.Trainer:
    trainer = lenet.Trainer("noisy.yaml", *changes, out=out)
    trainer.fit(progress="off")
    return trainer


def of_objects() -> Any:
    with drawing_from(Generator()):  # what the test itself draws is not what it looks at
        net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
        data = lenet.randn(24, 4), lenet.randint(0, 3, (24,))
    return lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss(), data, data, epochs=2)


def small_run() -> Any:
    return build_run(configuration.load("noisy.yaml", []))


def one_batch() -> Any:
    run = small_run()
    return run, next(run.train_loader.batches(0))


def check_gradients() -> None:
    run, (inputs, targets) = one_batch()
    check_model(run.model, nn.CrossEntropyLoss(), inputs[:2], targets[:2], 1)


def follow_checkpoints() -> None:
    run = small_run()
    trained()
    checkpoint_flow(Path("run"), run.model, run, next(batches_of_steps(run)))


def replayed() -> None:
    trained("a")
    trained("b", "seed=1")
    sides = [Recorded.of(Path(place)) for place in ("a", "b")]
    assert replay.replay(sides[0], sides[0], 0).parting is None
    assert replay.replay(sides[0], sides[1], 0).parting is not None


def lessons() -> None:
    loaded = configuration.load(str(ROOT / "configs" / "mlp.yaml"), ["train.batch_size=16"])
    for name in ("bad-init", "forget-eval", "cut-graph", "wrong-loss-targets"):
        LESSONS[name].compare(Bench(lambda: build_run(loaded)))


def half_a_training() -> None:
    """A program that looks at a training from outside, and leaves it."""
    for number, _ in enumerate(fit(small_run())):
        if number == 2:
            break


ENTRIES: dict[str, Callable[[], Any]] = {
    "Trainer": lambda: lenet.Trainer("noisy.yaml"),
    "Trainer.fit": trained,
    "Trainer.fit, further": lambda: trained().fit("train.epochs=3", progress="off"),
    "Trainer.model": lambda: (lenet.Trainer("noisy.yaml").model, trained().model),
    "Trainer.evaluate": lambda: (trained(), *(lenet.Trainer.open("run").evaluate(split) for split in SPLITS)),
    "Trainer.predict": lambda: trained().predict(np.zeros((3, 8, 8), np.uint8)),
    "Trainer.open": lambda: (trained(), lenet.Trainer.open("run").evaluate(), lenet.Trainer.open("run").model),
    "Trainer.of": of_objects,
    "Trainer.of, fit": lambda: of_objects().fit(progress="off"),
    "Trainer.of, evaluate": lambda: of_objects().evaluate(),
    "Trainer.of, predict": lambda: of_objects().predict(np.zeros((2, 4), np.float32)),
    "build_model": lambda: build_model(configuration.load("noisy.yaml", [])),
    "build_run": small_run,
    "build_criterion": lambda: build_criterion(configuration.load("noisy.yaml", ["loss={type: NLLLoss}"])),
    "check": lambda: check(configuration.load("noisy.yaml", [])),
    "resolved": lambda: resolved(configuration.load("noisy.yaml", [])),
    "load_config": lambda: load_config("noisy.yaml", []).criterion,
    "load_run": lambda: (trained(), load_run(Path("run")).criterion),
    "load_training": lambda: (trained(), load_training("run", [])),
    "fit, left": half_a_training,
    "lr_range": lambda: lr_range(small_run(), 1e-4, 1e-1, 5),
    "advance and record_step": lambda: (lambda run: (advance(run, 2), record_step(run)))(small_run()),
    "traces": lambda: list(traces(small_run(), [], 1, 2, check=True)),
    "time_step": lambda: time_step(small_run()),
    "updates": lambda: (trained(), updates(Path("run"), small_run())),
    "check_model": check_gradients,
    "checkpoint_flow": follow_checkpoints,
    "replay": replayed,
    "lessons": lessons,
    "lower": lambda: lower(nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), (4,)),
    "a loader": lambda: list(small_run().train_loader),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_programs_random_stream_stays_where_it_was(name: str) -> None:
    if name == "lower":  # a net of the user's own is made of the user's own numbers
        with drawing_from(Generator()):
            net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
        entry: Callable[[], Any] = partial(lower, net, (4,))
    else:
        entry = ENTRIES[name]
    lenet.manual_seed(11)
    lenet.rand(3)
    before = lenet.get_rng_state()
    entry()
    assert lenet.get_rng_state() == before


@pytest.mark.parametrize(
    "words",
    [
        "train noisy.yaml --out x",
        "validate noisy.yaml",
        "step noisy.yaml --json",
        "trace-grad noisy.yaml",
        "find-lr noisy.yaml --steps 4",
        "gradcheck small.yaml",
        "inspect-params noisy.yaml",
        "eval run",
        "report run",
        "export run --format npz --output net.npz",
        "sweep noisy.yaml optimizer.lr=[0.1,0.01] --out tried",
        "time noisy.yaml --json",
    ],
)
def test_a_command_in_the_process_leaves_it_too(
    words: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(place)
    if "run" in words.split():
        lenet.Trainer("small.yaml", "data.shape=[1, 4, 4]", "model.input=[1, 4, 4]", out="run").fit(progress="off")
    before = lenet.get_rng_state()
    monkeypatch.setattr(sys, "argv", ["lenet", *words.split()])
    with suppress(SystemExit):
        main()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "error:" not in told
    assert lenet.get_rng_state() == before


def test_a_random_search_draws_another_rate_each_time() -> None:
    rates = []
    for _ in range(4):
        rates.append(10 ** -float(1 + lenet.rand(1).item()))
        lenet.Trainer("noisy.yaml", f"optimizer.lr={rates[-1]}", "train.epochs=1").fit(progress="off")
    assert len(set(rates)) == 4


def test_what_the_program_draws_does_not_change_a_training() -> None:
    """Nor does it matter what is drawn between two events, nor a second training that goes on beside it."""

    def weights(run: Any) -> list[bytes]:
        return [tensor.array.tobytes() for tensor in run.model.state_dict().values()]

    alone = small_run()
    list(fit(alone))
    a, b = small_run(), small_run()
    events = fit(a), fit(b)
    while [next(one, None) for one in events] != [None, None]:
        lenet.rand(3)
        lenet.manual_seed(5)
    assert weights(a) == weights(b) == weights(alone)


def test_an_evaluation_repeats_even_where_layers_draw() -> None:
    trainer = trained()
    first = trainer.evaluate()
    lenet.rand(5)
    assert (trainer.evaluate().loss, trainer.evaluate().accuracy) == (first.loss, first.accuracy)
    picture = np.full((2, 8, 8), 90, np.uint8)
    assert trainer.predict(picture) == lenet.Trainer.open("run").predict(picture)


class Jittered:
    """A data set of the user's own, whose samples are never the same."""

    is_slow = True

    def __len__(self) -> int:
        return 20

    def __getitem__(self, number: int) -> Any:
        return number + lenet.rand(2), number % 2


def test_what_a_data_set_draws_belongs_to_the_batch() -> None:
    def drawn(prefetch: bool, start: int = 0) -> list[Any]:
        loader = DataLoader(Jittered(), 6, shuffle=True, seed=3, prefetch=prefetch)
        return [x.tolist() for x, _ in loader.batches(1, start)]

    before = lenet.get_rng_state()
    assert drawn(False) == drawn(True)
    assert drawn(True, 2) == drawn(True)[2:]
    assert len({x for batch in drawn(True) for row in batch for x in row}) == 40
    assert lenet.get_rng_state() == before


# Threads

KINDS = [
    [],
    ["optimizer={type: Adam, lr: 0.01}"],
    ["data.augment=null", "train.limit_batches.train=5"],
    ["train.clip_grad_norm=0.5", "train.accumulate=2", "train.ema=0.9"],
]


def ended(seed: int) -> list[Any]:
    """A training's losses and the last bit of all that it has changed."""
    changes = [*KINDS[seed % len(KINDS)], f"seed={seed}", "train.epochs=1"]
    trainer = lenet.Trainer("noisy.yaml", *changes, "train.epochs=1")
    history = trainer.fit(progress="off")
    found = trainer.evaluate()
    return [
        history.steps.loss.tobytes(),
        *(tensor.array.tobytes() for tensor in trainer.model.state_dict().values()),
        *(tensor.array.tobytes() for tensor in lenet.Trainer("noisy.yaml", *changes).model.state_dict().values()),
        (found.loss, found.accuracy),
        trainer.predict(np.arange(128, dtype=np.uint8).reshape(2, 8, 8))[0].top,
    ]


@pytest.mark.parametrize("twin", ["numpy", "native"])
def test_trainings_in_threads_have_the_same_bits_as_one_after_the_other(twin: Any) -> None:
    if twin == "native" and native.absent is not None:
        pytest.skip("the native kernels are not built")
    with dispatch.force(twin), warnings.catch_warnings():
        warnings.simplefilter("error")
        filters, before = list(warnings.filters), lenet.get_rng_state()
        serial = [ended(seed) for seed in range(8)]
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(ended, range(8)))
        assert warnings.filters == filters
        assert lenet.get_rng_state() == before
    assert [a == b for a, b in zip(serial, together)] == [True] * 8


def test_modules_called_in_two_threads_know_their_own_places() -> None:
    """A node's module is that of its own thread's call, however the threads' calls interleave."""
    gate = threading.Barrier(2, timeout=30)

    class Waiting(nn.Module):
        def forward(self, x: Any) -> Any:
            gate.wait()
            y = x * 2
            gate.wait()
            return y

    def place_of(name: str) -> dict[str, Any]:
        net = nn.Sequential()
        net.add_module(name, Waiting())
        y = net(lenet.ones(2, requires_grad=True))
        found: dict[str, Any] = y.grad_fn.metadata
        return found

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(place_of, ("a", "b"))) == [{"module": "a"}, {"module": "b"}]


def test_threads_may_begin_before_anything_was_imported(place: Path) -> None:
    """Parts are imported when first used: also when four threads use them first, at once."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import lenetcli as lenet\n"
        "def one(seed):\n"
        "    trainer = lenet.Trainer('noisy.yaml', f'seed={seed % 2}')\n"
        "    trainer.fit(progress='off')\n"
        "    return trainer.evaluate().loss\n"
        "with ThreadPoolExecutor(4) as threads:\n"
        "    losses = list(threads.map(one, range(4)))\n"
        "assert losses[0] == losses[2] != losses[1] == losses[3], losses\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode == 0, done.stderr
