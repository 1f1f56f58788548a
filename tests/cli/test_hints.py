"""Hints of the command line can be pasted into a shell."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.cli.conftest import Lenet


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("--epochs 3", "train.epochs=3"), ("--epochs=3", "train.epochs=3"), ("--lr 0.1", "optimizer.lr=0.1"),
        ("-lr 0,05", "optimizer.lr=0.05"), ("--batch-size 8", "train.batch_size=8"), ("--gpu", "device=cuda"),
        ("--optimizer adam", "optimizer={type: Adam}"), ("--conv1.out_channels 8", "model.layers.conv1.out_channels=8"),
        ("--train.epochs 3", "train.epochs=3"), ("train.epochs 3", "train.epochs=3"),
        ("optimizer=adam", "optimizer={type: Adam}"), ("data=digits", "data={type: Digits}"),
    ],
)  # fmt: skip
def test_the_words_of_a_hint_can_be_pasted_into_a_shell(typed: str, right: str, lenet: Lenet) -> None:
    done = lenet("show", "configs/lenet.yaml", *typed.split())
    assert (done.code, done.out) == (2, "")
    pasted = re.findall(r"did you mean (.+?)\?", done.err)[-1]
    assert shlex.split(pasted) == [right]
    assert lenet("show", "configs/lenet.yaml", *shlex.split(pasted)).code == 0


def test_an_option_that_is_no_change_gets_no_hint(lenet: Lenet) -> None:
    for words in (["show", "configs/lenet.yaml", "--frobnicate", "3"], ["plot", "--lr", "3"], ["eval", "--lr", "3"]):
        assert "did you mean" not in lenet(*words).err


def test_a_model_by_name_leads_to_a_preset_that_can_be_written(lenet: Lenet) -> None:
    for name in ("resnet", "lenet5", "LeNet-5"):
        told = lenet("show", "configs/lenet.yaml", f"model={name}").err
        found = re.search("`lenet (init .+?)`", told)
        assert found is not None, told
        assert lenet(*shlex.split(found[1].replace("my.yaml", f"{name}.yaml"))).code == 0


def test_braces_that_a_shell_took_apart_are_put_together(lenet: Lenet) -> None:
    done = lenet("show", "configs/mlp.yaml", "optimizer={type:", "Adam,", "lr:", "0.5}", "train.epochs=2", "--json")
    assert done.code == 0, done.err
    assert '"lr": 0.5' in done.out
