"""When a schedule steps, how long it is, and what it watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn, optim
from lenetcli.build.model import build_model
from lenetcli.build.parts import build_optimizer, build_run
from lenetcli.build.scheduler import hints, with_lengths
from lenetcli.config.catalogue import ROLES
from lenetcli.errors import ConfigError
from lenetcli.optim import lr_scheduler
from lenetcli.train.events import Evaluated, Step
from lenetcli.train.loop import fit
from lenetcli.train.schedule import after_epoch
from tests.train.small import CONFIG, difference, figures, resume, train
from tests.train.test_resume import SCHEDULERS

PLAIN = CONFIG.replace("Adam, lr: 0.01", "SGD, lr: 0.01, momentum: 0.9")
EPOCHS, STEPS = 3, 4


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(PLAIN)
    (tmp_path / "my_rates.py").write_text(
        "def halving(epoch: int) -> float:\n    return 0.5**epoch\n\n\nfalling = halving\n"
    )
    return path


def rates(path: Path, *changes: str) -> list[float]:
    """The learning rate of each step."""
    run = build_run(configuration.load(path, changes))
    return [event.lr for event in fit(run) if isinstance(event, Step)]


def by_hand(make: Any, every: int, steps: int = EPOCHS * STEPS) -> list[float]:
    """The rates of a scheduler that steps every so many steps."""
    optimizer = optim.SGD([lenet.ones(1, requires_grad=True)], lr=0.01, momentum=0.9)
    scheduler, found = make(optimizer), []
    for step in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == every - 1:
            scheduler.step()
    return found


ONE = lambda o: lr_scheduler.OneCycleLR(o, 0.1, EPOCHS * STEPS)  # noqa: E731 - a table of makers
CYCLE = lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.1, 2)  # noqa: E731


@pytest.mark.parametrize(
    ("text", "make", "every"),
    [
        ("{type: OneCycleLR, max_lr: 0.1}", ONE, 1),
        ("{type: OneCycleLR, max_lr: 0.1, total_steps: 12}", ONE, 1),
        ("{type: OneCycleLR, max_lr: 0.1, epochs: 3}", ONE, 1),
        ("{type: OneCycleLR, max_lr: 0.1, steps_per_epoch: 4}", ONE, 1),
        ("{type: OneCycleLR, max_lr: 0.1, step: epoch}", lambda o: lr_scheduler.OneCycleLR(o, 0.1, 3), STEPS),
        ("{type: CyclicLR, base_lr: 0.001, max_lr: 0.1, step_size_up: 2}", CYCLE, 1),
        ("{type: CyclicLR, base_lr: 0.001, max_lr: 0.1, step_size_up: 2, step: epoch}", CYCLE, STEPS),
        ("{type: CosineAnnealingLR}", lambda o: lr_scheduler.CosineAnnealingLR(o, 3), STEPS),
        ("{type: CosineAnnealingLR, step: batch}", lambda o: lr_scheduler.CosineAnnealingLR(o, 12), 1),
        ("{type: PolynomialLR}", lambda o: lr_scheduler.PolynomialLR(o, 3), STEPS),
        ("{type: PolynomialLR, total_iters: 2}", lambda o: lr_scheduler.PolynomialLR(o, 2), STEPS),
        ("{type: StepLR, step_size: 1}", lambda o: lr_scheduler.StepLR(o, 1), STEPS),
        ("{type: ExponentialLR, gamma: 0.9, step: batch}", lambda o: lr_scheduler.ExponentialLR(o, 0.9), 1),
        (
            "{type: SequentialLR, milestones: [1], schedulers: [{type: ConstantLR}, {type: CosineAnnealingLR}]}",
            lambda o: lr_scheduler.SequentialLR(
                o, [lr_scheduler.ConstantLR(o), lr_scheduler.CosineAnnealingLR(o, 2)], [1]
            ),
            STEPS,
        ),
    ],
)
def test_a_schedule_steps_after_what_it_is_made_for(text: str, make: Any, every: int, config: Path) -> None:
    assert rates(config, f"scheduler={text}") == pytest.approx(by_hand(make, every), rel=1e-12)


def test_every_scheduler_has_a_unit_and_shows_it(config: Path, consenting: None) -> None:
    for name, text in SCHEDULERS.items():
        if name == "none":
            continue
        cls = ROLES["scheduler"].classes[name]
        unit = "batch" if name in ("OneCycleLR", "CyclicLR") else "epoch"
        assert cls.unit == unit  # type: ignore[attr-defined]  # of every scheduler
        shown = configuration.dump(with_lengths(configuration.load(config, [f"scheduler={text}"])))
        assert f"step: {unit}" in shown
        (config.parent / "again.yaml").write_text(shown)
        assert configuration.dump(configuration.load(config.parent / "again.yaml")) == shown


def test_with_accumulated_batches_a_step_is_the_optimizers(config: Path) -> None:
    found = rates(config, "scheduler={type: OneCycleLR, max_lr: 0.1}", "train.accumulate=3")
    assert found == pytest.approx(by_hand(lambda o: lr_scheduler.OneCycleLR(o, 0.1, 6), 1, 6), rel=1e-12)
    limited = rates(config, "scheduler={type: OneCycleLR, max_lr: 0.1}", "train.limit_batches=2")
    assert limited == found


def test_warm_up_takes_its_share_of_a_schedule_of_batches(config: Path) -> None:
    found = rates(config, "scheduler={type: CosineAnnealingLR, step: batch}", "train.warmup=4")
    wanted = np.array(by_hand(lambda o: lr_scheduler.CosineAnnealingLR(o, 12), 1))
    assert found == pytest.approx((wanted * np.minimum(1, np.arange(1, 13) / 4)).tolist(), rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["{type: OneCycleLR, max_lr: 0.1}", "{type: ExponentialLR, gamma: 0.9, step: batch}", SCHEDULERS["CyclicLR"]],
)
def test_a_schedule_of_batches_goes_on_exactly_in_the_middle_of_an_epoch(
    text: str, config: Path, tmp_path: Path
) -> None:
    from lenetcli.train.run import Run

    train(config, tmp_path / "whole", f"scheduler={text}")
    kept: list[Run] = []
    original = Run.start_clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "start_clock", lambda run: (kept.append(run), original(run))[1])

        def stop(event: Any) -> None:
            if isinstance(event, Step) and event.step == 6:
                kept[0].stop = "SIGTERM"

        train(config, tmp_path / "run", f"scheduler={text}", also=stop)
    assert len([e for e in figures(tmp_path / "run") if e["event"] == "step"]) < 12
    resume(tmp_path / "run")
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_a_schedule_follows_the_training_unless_it_is_told_its_length(config: Path) -> None:
    for changes, wanted in (
        ("train.epochs=7", 7),
        ("scheduler.T_max=5", 5),
    ):
        loaded = configuration.load(config, ["scheduler={type: CosineAnnealingLR}", changes])
        spec = with_lengths(loaded).scheduler
        assert spec is not None
        assert spec.args["T_max"] == wanted
    run = build_run(configuration.load(config, ["scheduler={type: OneCycleLR, max_lr: 0.1}"]))
    assert run.config is not None
    assert run.config["scheduler"]["total_steps"] == 12
    assert run.config["scheduler"]["step"] == "batch"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{type: CosineAnnealingLR, T_max: 30}", "made for T_max: 30, but goes on for 3 epochs: .* does not come down"),
        ("{type: CosineAnnealingLR, T_max: 2}", "made for T_max: 2, but goes on for 3 epochs: .* rises again"),
        ("{type: CosineAnnealingLR, T_max: 3, step: batch}", "goes on for 12 steps: .* rises again"),
        ("{type: PolynomialLR, total_iters: 1}", "is 0 for the rest"),
        ("{type: OneCycleLR, max_lr: 0.1, total_steps: 50}", "total_steps: 50, but goes on for 12 steps"),
        ("{type: CosineAnnealingLR}", None),
        ("{type: CosineAnnealingLR, T_max: 3}", None),
        ("{type: OneCycleLR, max_lr: 0.1}", None),
        ("{type: StepLR, step_size: 30}", None),
    ],
)
def test_a_length_that_is_not_the_trainings_is_said(text: str, said: str | None, config: Path) -> None:
    import re

    found = hints(configuration.load(config, [f"scheduler={text}"]), STEPS)
    assert len(found) == (said is not None)
    assert said is None or re.search(said, found[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{type: OneCycleLR, max_lr: 0.1, total_steps: 11}", "over after 11 steps and would have to last for 12"),
        ("{type: OneCycleLR, max_lr: 0.1, epochs: 2}", "over after 8 steps and would have to last for 12"),
        ("{type: OneCycleLR, max_lr: 0.1, last_epoch: 3}", "last_epoch: wanted -1"),
        ("{type: StepLR, step_size: 0}", "scheduler.step_size: wanted at least 1, got 0"),
        ("{type: CosineAnnealingLR, T_max: -3}", "scheduler.T_max: wanted at least 1, got -3"),
        ("{type: CyclicLR, base_lr: 0.1, max_lr: 0.2, step_size_down: 0}", "scheduler.step_size_down: wanted at least"),
        ("{type: LinearLR, total_iters: -1}", "scheduler.total_iters: wanted at least 0"),
        ("{type: ReduceLROnPlateau, patience: -1}", "scheduler.patience: wanted at least 0"),
        (
            "{type: ChainedScheduler, schedulers: [{type: ConstantLR}, {type: StepLR, step_size: -2}]}",
            r"schedulers\[1\]\.step_size: wanted at least 1, got -2",
        ),
        *(
            (
                f"{{type: SequentialLR, milestones: {marks}, schedulers: [{', '.join(3 * ['{type: ConstantLR}'])}]}}",
                said,
            )
            for marks in ("[2, 1]", "[0, 1]", "[1, 1]", "[-1, 1]")
            for said in ("scheduler.milestones: wanted rising numbers from 1",)
        ),
        ("{type: ReduceLROnPlateau, step: batch}", "scheduler.step: ReduceLROnPlateau looks at an evaluation"),
        ("{type: ReduceLROnPlateau, watch: accuracy}", "scheduler.watch: accuracy should rise"),
        ("{type: ReduceLROnPlateau, watch: acuracy}", "did you mean accuracy"),
        ("{type: StepLR, step_size: 1, watch: loss}", "scheduler.watch: unknown argument of StepLR"),
        ("{type: StepLR, step_size: 1, step: batches}", "did you mean batch"),
        (
            "{type: ChainedScheduler, schedulers: [{type: StepLR, step_size: 1, step: batch}]}",
            r"schedulers\[0\]\.step: unknown argument of StepLR",
        ),
        (
            "{type: ChainedScheduler, schedulers: [{type: ConstantLR}, {type: OneCycleLR, max_lr: 0.1}]}",
            "ConstantLR: epoch, OneCycleLR: batch",
        ),
        ("{type: SequentialLR, milestones: [1, 2], schedulers: [{type: ConstantLR}, {type: ConstantLR}]}", "milestone"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_words(text: str, message: str, config: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build_run(configuration.load(config, [f"scheduler={text}"]))


def test_an_accuracy_that_is_not_there_cannot_be_watched(config: Path) -> None:
    regression = ["data={type: Random, shape: [1, 2, 2], classes: 0, targets: 3}", "loss={type: MSELoss}"]
    for text, key in (("mode: max", "mode"), ("mode: max, watch: accuracy", "watch")):
        with pytest.raises(ConfigError, match=f"scheduler.{key}: there is no accuracy"):
            build_run(configuration.load(config, [*regression, f"scheduler={{type: ReduceLROnPlateau, {text}}}"]))
    build_run(configuration.load(config, [*regression, "scheduler={type: ReduceLROnPlateau, mode: max, watch: loss}"]))


def evaluated(loss: float, accuracy: float | None) -> Evaluated:
    return Evaluated(1, 1, "test", loss, accuracy, 10, 0.1, 1.0, 10.0)


@pytest.mark.parametrize(("mode", "watch", "falls"), [
    ("max", None, False), ("max", "loss", True), ("min", None, True), ("min", "loss", True), ("max", "accuracy", False),
])  # fmt: skip
def test_a_plateau_is_one_of_what_its_mode_means(mode: Any, watch: Any, falls: bool, config: Path) -> None:
    key = "" if watch is None else f", watch: {watch}"
    text = f"scheduler={{type: ReduceLROnPlateau, mode: {mode}, patience: 0, factor: 0.5{key}}}"
    run = build_run(configuration.load(config, [text]))
    for epoch in range(4):  # accuracy rises; the loss rises as well, then falls
        after_epoch(run, evaluated((1.0, 2.0, 3.0, 0.5)[epoch], 0.5 + epoch / 10))
    assert (run.lr < 0.01) is falls


def test_a_trainer_of_objects_steps_a_scheduler_as_it_is_meant() -> None:
    net, data = nn.Linear(4, 3), (lenet.randn(12, 4), lenet.randint(0, 3, (12,)))

    def fitted(make: Any, **options: Any) -> list[float]:
        optimizer = optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        trainer = lenet.Trainer.of(
            net,
            optimizer,
            nn.CrossEntropyLoss(),
            data,
            data,
            epochs=3,
            batch_size=3,
            scheduler=make(optimizer),
            **options,
        )
        return trainer.fit(progress="off").steps.lr.tolist()

    assert fitted(ONE) == pytest.approx(by_hand(ONE, 1))
    assert fitted(CYCLE, scheduler_step="epoch") == pytest.approx(by_hand(CYCLE, STEPS))
    step = lambda o: lr_scheduler.StepLR(o, 1)  # noqa: E731 - as above
    assert fitted(step) == pytest.approx(by_hand(step, STEPS))
    with pytest.raises(ConfigError, match="step after different things"):
        fitted(lambda o: lr_scheduler.ChainedScheduler([step(o), ONE(o)]))


def test_a_try_leaves_the_schedule_at_its_beginning(config: Path) -> None:
    loaded = configuration.load(config, ["scheduler={type: LinearLR}"])
    _, scheduler = build_optimizer(loaded, build_model(loaded)[0])
    assert scheduler.last_epoch == 0
    assert scheduler.get_last_lr() == pytest.approx([0.01 / 3])
