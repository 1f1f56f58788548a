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
