"""`lenet export RUN -o NAME.c`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lenetcli.export.c_compiled import compiler
from tests.cli.conftest import Lenet


@pytest.mark.skipif(compiler() is None, reason="no C compiler is here")
def test_a_run_becomes_a_c_file(lenet: Lenet, run: Path) -> None:
    done = lenet("export", "run", "-o", "my-net.c", "--json")
    record = json.loads(done.out)
    assert (record["format"], record["function"]) == ("c", "my_net_predict")
    assert record["difference"] < 1e-5
    source = Path("my-net.c").read_text()
    assert "void my_net_predict(const float *in, float *out)" in source
    assert "void my_net_predict_pixels(const unsigned char *pixels, float *out)" in source
    assert lenet("export", "run", "-o", "net.c", "--batch", "3").code == 2


def test_without_a_compiler_it_is_written_untried(lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.export.c_compiled.compiler", lambda: None)
    assert "not tried: no C compiler here" in lenet("export", "run", "-o", "net.c").out


def test_a_run_becomes_integers_in_all_forms(lenet: Lenet, run: Path) -> None:
    float_, whole = (json.loads(lenet("eval", "run", *more, "--json").out) for more in ((), ("--int8",)))
    assert whole["int8"]
    assert abs(whole["accuracy"] - float_["accuracy"]) < 0.02
    assert "int8, test split" in lenet("eval", "run", "--int8").out
    for name, format in (("net.c", "c"), ("net.onnx", "onnx")):
        done = lenet("export", "run", "-o", name, "--int8")
        assert f"wrote {name} ({format} int8, " in done.out
        if format == "onnx" or compiler() is not None:
            assert done.out.endswith("; its integers are the engine's\n")
    assert "net_predict_int8(const int8_t *in, int8_t *out)" in Path("net.c").read_text()
    record = json.loads(lenet("export", "run", "-o", "net.c", "--int8", "--json").out)
    assert (record["int8"], record["function"]) == (True, "net_predict_int8")
    done = lenet("export", "run", "-o", "net.py", "--int8")
    assert (done.code, "--int8 is for ONNX and C files" in done.err) == (2, True)
    assert lenet("export", "run", "-o", "net.onnx", "--int8", "--opset", "11").code == 2
