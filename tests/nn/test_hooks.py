"""Hooks of modules: when they are called, with what, and what they may replace, beside torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet

Story = Callable[[Any, list[Any]], Any]  # over a package and a log; what it returns is compared, too


def scale(m: Any) -> Any:
    class Scale(m.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any, by: Any = 2.0, fail: bool = False) -> Any:
            if fail:
                raise ValueError("forward failed")
            return x * by

    return Scale()


def leaf(m: Any) -> Any:
    return m.tensor([1.0, -2.0], requires_grad=True)


def plain(value: Any) -> Any:
    """Tensors as lists, also inside tuples and dicts."""
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def keywords(m: Any, log: list[Any]) -> Any:
    net = scale(m)
    net.register_forward_pre_hook(lambda n, args, kw: log.append(("second", args, kw)), with_kwargs=True)
    net.register_forward_pre_hook(lambda n, args: log.append(("third", args)))
    first = lambda n, args, kw: ((args[0] + 1,), {**kw, "by": 5.0})  # noqa: E731
    handle = net.register_forward_pre_hook(first, prepend=True, with_kwargs=True)
    net.register_forward_hook(lambda n, args, kw, out: log.append(("after", args, kw, out)), with_kwargs=True)
    net.register_forward_hook(lambda n, args, out: out + 100, prepend=True)
    log.append(net(leaf(m), by=3.0))
    handle.remove()
    return net(leaf(m), by=3.0)


def always(m: Any, log: list[Any]) -> Any:
    net = scale(m)
    net.register_forward_hook(lambda n, args, out: log.append(("never", out)))
    net.register_forward_hook(lambda n, args, out: log.append(("always", out)), always_call=True)
    net.register_forward_hook(
        lambda n, args, kw, out: log.append(("with words", kw, out)), with_kwargs=True, always_call=True
    )
    try:
        net(leaf(m), fail=True)
    except ValueError as error:
        log.append(str(error))
    return net(leaf(m))


def a_hook_fails(m: Any, log: list[Any]) -> Any:
    net = scale(m)

    def bad(n: Any, args: Any, out: Any) -> None:
        log.append("bad")
        raise ValueError("a hook failed")

    net.register_forward_hook(bad, always_call=True)
    net.register_forward_hook(bad, always_call=True)
    net.register_forward_hook(lambda n, args, out: log.append(("last", out)), always_call=True)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            net(leaf(m))
        except ValueError as error:
            log.append(str(error))
    return [str(w.message) for w in seen]


def a_wrong_answer(m: Any, log: list[Any]) -> Any:
    net = scale(m)
    net.register_forward_pre_hook(lambda n, args, kw: (1, 2, 3), with_kwargs=True)
    return net(leaf(m))


def before_backward(m: Any, log: list[Any]) -> Any:
    net, x = scale(m), leaf(m)
    net.register_full_backward_hook(lambda n, given, got: log.append(("hook", given, got)))
    net.register_full_backward_pre_hook(lambda n, got: log.append(("pre", got)))
    net.register_full_backward_pre_hook(lambda n, got: (got[0] * 10,), prepend=True)
    net(x).sum().backward()
    return x.grad


def before_backward_alone(m: Any, log: list[Any]) -> Any:
    net, x = scale(m), leaf(m)
    handle = net.register_full_backward_pre_hook(lambda n, got: (got[0] * 10,))
    net(x).sum().backward()
    handle.remove()
    net(x).sum().backward()
    return x.grad


def no_input_needs_one(m: Any, log: list[Any]) -> Any:
    net = m.nn.Linear(2, 1)
    net.register_full_backward_hook(lambda n, given, got: log.append((given, got)))
    net.register_full_backward_hook(lambda n, given, got: (None,))
    net.register_full_backward_pre_hook(lambda n, got: (got[0] * 10,))
    net(m.ones(3, 2)).sum().backward()
    return net.bias.grad


def other_values(m: Any, log: list[Any]) -> Any:
    class Two(m.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, n: int, x: Any, y: Any) -> Any:
            return "text", x * n, y

    net, x = Two(), leaf(m)
    net.register_full_backward_hook(lambda n, given, got: log.append((given, got)))
    net.register_full_backward_hook(lambda n, given, got: (None, given[1] * 7, None))
    word, out, same = net(3, x, m.ones(2))
    out.sum().backward()
    return word, x.grad, same.requires_grad


def past_the_outputs(m: Any, log: list[Any]) -> Any:
    class Keeps(m.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any) -> Any:
            self.kept = [x * 3]
            return x * 2

    net, x = Keeps(), leaf(m)
    net.register_full_backward_hook(lambda n, given, got: log.append((given, got)))
    net(x)
    net.kept[0].sum().backward()
    return x.grad


def a_dict_comes_out(m: Any, log: list[Any]) -> Any:
    class Named(m.nn.Module):  # type: ignore[misc,name-defined]
        def forward(self, x: Any) -> Any:
            return {"y": x * 2}

    net, x = Named(), leaf(m)
    net.register_full_backward_hook(lambda n, given, got: log.append((given, got)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        net(x)["y"].sum().backward()
    return x.grad, [str(w.message).partition(" but received")[0] for w in seen]


def too_many_gradients(m: Any, log: list[Any]) -> Any:
    net, x = scale(m), leaf(m)
    net.register_full_backward_pre_hook(lambda n, got: (got[0], got[0]))
    net(x).sum().backward()


def without_gradients(m: Any, log: list[Any]) -> Any:
    net = scale(m)
    net.register_full_backward_hook(lambda n, given, got: log.append("called"))
    with m.no_grad():
        return net(leaf(m))


STORIES: list[Story] = [
    keywords, always, a_hook_fails, a_wrong_answer, before_backward, before_backward_alone, no_input_needs_one,
    other_values, past_the_outputs, a_dict_comes_out, too_many_gradients, without_gradients,
]  # fmt: skip


def told(m: Any, story: Story) -> Any:
    log: list[Any] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        try:
            result = story(m, log)
        except RuntimeError as error:
            result = str(error)
    return plain(log), plain(result)


@pytest.mark.parametrize("story", STORIES)
def test_hooks_are_called_as_torchs_are(torch: Any, story: Story) -> None:
    assert told(lenet, story) == told(torch, story)


def test_a_module_has_hooks_of_every_kind() -> None:
    net = lenet.nn.ReLU()
    for name in ("forward", "forward_pre", "full_backward", "full_backward_pre"):
        with getattr(net, f"register_{name}_hook")(lambda *_: None):
            assert net.has_hooks
        assert not net.has_hooks
