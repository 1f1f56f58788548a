"""backward-twice: a second backward through the same graph."""

from __future__ import annotations

from lenetcli.inspection.lab.bench import Bench, batches, gradient_norm
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.run import Run


def wrong(run: Run, inputs: Tensor, targets: Tensor) -> None:
    loss = run.criterion(run.model(inputs), targets)
    loss.backward()
    loss.backward()


def right(run: Run, inputs: Tensor, targets: Tensor) -> None:
    loss = run.criterion(run.model(inputs), targets)
    loss.backward()
    run.optimizer.zero_grad()
    loss = run.criterion(run.model(inputs), targets)
    loss.backward()


def with_retained_graph(run: Run, inputs: Tensor, targets: Tensor) -> None:
    """What silences the error, and is wrong all the same."""
    loss = run.criterion(run.model(inputs), targets)
    loss.backward(retain_graph=True)
    loss.backward()


def compare(bench: Bench) -> Finding:
    """The error, and what the gradient is when it is silenced."""
    once = bench.make()
    inputs, targets = next(batches(once, 1))
    once.criterion(once.model(inputs), targets).backward()
    rows: list[tuple[Cell, ...]] = [("one backward", gradient_norm(once.model), "")]
    messages = []
    for title, way in (
        ("wrong: backward again", wrong),
        ("wrong: again, with retain_graph=True", with_retained_graph),
        ("right: zero_grad and forward, then backward again", right),
    ):
        run = bench.make()
        inputs, targets = next(batches(run, 1))
        try:
            way(run, inputs, targets)
        except RuntimeError as error:
            messages.append(str(error))
            rows.append((title, gradient_norm(run.model), "RuntimeError"))
        else:
            rows.append((title, gradient_norm(run.model), ""))
    twice, single = rows[2][1], rows[0][1]
    assert isinstance(twice, float)
    assert isinstance(single, float)
    signs = [f"the error says: {message}" for message in messages]
    signs.append(
        f"with retain_graph=True there is no error, and the gradient is {twice / single:.3g} times what it should be"
    )
    return Finding(("what was done", "|grad|", "error"), rows, tuple(signs))


LESSON = Lesson(
    "backward-twice",
    "backward() is called a second time on a loss whose graph the first call has used up",
    wrong,
    right,
    compare,
    "backward() frees what the nodes saved, because it is rarely needed again and large. retain_graph=True keeps "
    "it, but then both calls add the same gradient to .grad, as if the learning rate had doubled. Most often the "
    "second call is an accident: a loss made of last step's tensors (a hidden state, a running sum) that still lead "
    "into its graph.",
    "Compute the loss anew for each backward(); detach() what is carried over from one step to the next.",
)
