"""Where no thread can begin, all is done in the program's own, with the same results."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.background import begun, mapped
from lenetcli.data import Augmentation, DataLoader, Digits
from lenetcli.data.encoded import PictureForm, Pictures
from lenetcli.data.prefetch import prefetched
from lenetcli.kernels import dispatch
from lenetcli.report.training.progress import EpochTable
from lenetcli.train.events import Step
from tests.train.small import CONFIG, write_config

resource = pytest.importorskip("resource")


@pytest.fixture(params=[0, 1])
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The system lets so many threads begin and refuses all others; gives those that have been refused."""
    left, refused, start = [request.param], list[threading.Thread](), threading.Thread.start

    def start_some(thread: threading.Thread) -> None:
        if not left[0]:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    return refused


def test_results_come_in_order_and_the_first_error_comes_out(limited: list[threading.Thread]) -> None:
    before = threading.active_count()
    assert mapped(lambda i: i * i, range(50), 8) == [i * i for i in range(50)]
    assert mapped(lambda i: i, [], 8) == []

    def some(i: int) -> int:
        if i in (7, 30):
            raise KeyError(i)
        return i

    with pytest.raises(KeyError, match="7"):
        mapped(some, range(50), 8)
    assert limited
    assert threading.active_count() == before


def test_as_many_threads_work_as_were_asked_for() -> None:
    gate = threading.Barrier(4, timeout=30)
    assert mapped(lambda i: (gate.wait(), i)[1], range(4), 4) == [0, 1, 2, 3]


def test_items_are_made_when_asked_for(limited: list[threading.Thread]) -> None:
    while begun(int):
        pass
    made: list[int] = []

    def items() -> Any:
        for i in range(3):
            made.append(i)
            yield i
        raise KeyError("end")

    reader = prefetched(items())
    assert (next(reader), made) == (0, [0])
    assert (next(reader), next(reader)) == (1, 2)
    with pytest.raises(KeyError):
        next(reader)


def batches() -> list[bytes]:
    digits = Digits(augment=Augmentation(rotate=10, noise=0.1))
    loader = DataLoader(digits.train, 400, shuffle=True, augment=digits.augmenter)
    return [x.numpy().tobytes() for x, _ in loader.batches(2)]


def pictures() -> list[bytes]:
    pillow = pytest.importorskip("PIL.Image")

    def content(number: int) -> bytes:
        held = io.BytesIO()
        pillow.new("L", (6, 4), number).save(held, "PNG")
        return held.getvalue()

    return [np.asarray(Pictures(content, str, 12, PictureForm(1, None), [])[np.arange(12)]).tobytes()]


def training() -> list[bytes]:
    place = Path("run")
    while place.exists():
        place = Path(f"{place}x")
    digits = "data={type: Digits, augment: {rotate: 5}}", "model.input=[1, 8, 8]", "train.limit_batches=3"
    trainer = lenet.Trainer("small.yaml", *digits, "model.layers.fc2.out_features=10", out=place)
    trainer.fit(progress="plain")
    files = []
    for i in range(3):
        np.save(f"{i}.npy", np.full((8, 8), 40 * i, np.uint8))
        files.append(f"{i}.npy")
    found = [trainer.predict(files), trainer.evaluate().loss]
    return [*(tensor.array.tobytes() for tensor in trainer.model.state_dict().values()), repr(found).encode()]


@pytest.mark.parametrize("work", [batches, pictures, training])
def test_everything_is_the_same_without_threads(
    work: Callable[[], list[bytes]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    with_threads = work()
    refused = []

    def refuse(thread: threading.Thread) -> None:
        refused.append(thread)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert work() == with_threads
    assert refused


def test_the_bar_is_drawn_by_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda thread: begin_none())
    monkeypatch.setattr("lenetcli.report.bar.PAUSE", -1)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = EpochTable(1, 3, bar=True)
    assert table.bar is not None
    console = table.bar.console
    console.file, console._force_terminal, console.is_interactive = io.StringIO(), True, True
    table(Step(1, 1, 0.5, 0.1, 8, 0.01, 800.0))
    table(Step(1, 2, 0.25, 0.1, 8, 0.01, 800.0))
    table.close()
    assert "loss 0.2500" in console.file.getvalue()


def begin_none() -> None:
    raise RuntimeError("can't start new thread")


def test_tensorboard_wants_no_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    monkeypatch.setattr(threading.Thread, "start", lambda thread: begin_none())
    lenet.Trainer(write_config(tmp_path), out=tmp_path / "run").fit(progress="off", tensorboard=True)
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def limit() -> None:
    """In the process that comes: a thread's stack would be larger than all of its memory may be."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 40, hard))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 36, 1 << 36))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("threads", ["", "3"])
def test_the_command_works_where_the_system_gives_no_thread(threads: str, tmp_path: Path) -> None:
    """Also the native kernels' pool and BLAS, whose threads are not Python's."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")} | {"LENET_THREADS": threads}
    ends = []
    for number, before in enumerate((limit, None)):
        words = ["train", "config.yaml", "model.input=[1, 32, 32]", "data.shape=[1, 32, 32]", "data.train=400",
                 "model.layers.fc1.out_features=64", "train.batch_size=200",
                 "optimizer={type: SGD, lr: 0.01}", "--out", f"run{number}"]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "lenetcli", *words], cwd=tmp_path, env=environment, preexec_fn=before,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        ends.append(lenet.load(tmp_path / f"run{number}" / "model.safetensors"))
    close = 0 if dispatch.twin == "native" else 1e-4  # NumPy's BLAS divides its sums among its threads
    for name, tensor in ends[0].items():
        np.testing.assert_allclose(tensor.numpy(), ends[1][name].numpy(), rtol=close, atol=close, err_msg=name)
    kept = json.loads((tmp_path / "run0" / "environment.json").read_text())["threads"]["lenet"]
    assert kept == (int(threads) if threads else 1)
