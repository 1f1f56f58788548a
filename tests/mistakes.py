"""Common mistakes and the message each gets. `python -m tests.mistakes --write` writes docs/mistakes.md.

Each is one line of Python, run with `lenet`, `nn`, `optim` and `F` as in the tutorial; with torch installed the page
shows torch's message beside ours.
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "mistakes.md"

MISTAKES = {
    "shapes": [
        "lenet.zeros(2, 3) + lenet.zeros(2, 4)",
        "lenet.zeros(2, 3) @ lenet.zeros(2, 3)",
        "lenet.mm(lenet.zeros(2, 3), lenet.zeros(3))",
        "lenet.zeros(2, 3).view(4, 2)",
        "lenet.zeros(2, 3).reshape(-1, -1)",
        "lenet.zeros(2, 3).view(-1, 4)",
        "lenet.cat([lenet.zeros(2, 3), lenet.zeros(2, 4)])",
        "lenet.stack([lenet.zeros(2), lenet.zeros(3)])",
        "lenet.cat([])",
        "lenet.zeros(2, 3).expand(4, 3)",
        "lenet.zeros(2, 3).permute(0, 0)",
        "lenet.zeros(2, 3).sum(2)",
        "lenet.zeros(2, 3).t().t().unsqueeze(5)",
        "lenet.zeros(2, 3, 4).t()",
        "lenet.bmm(lenet.zeros(2, 3, 4), lenet.zeros(3, 4, 5))",
        "lenet.zeros(4).split([1, 2])",
        "lenet.einsum('ij,jk', lenet.zeros(2, 3), lenet.zeros(4, 5))",
    ],
    "layers": [
        "nn.Linear(3, 4)(lenet.zeros(2, 5))",
        "nn.Conv2d(1, 6, 3)(lenet.zeros(32, 32))",
        "nn.Conv2d(1, 6, 3)(lenet.zeros(4, 3, 32, 32))",
        "nn.Conv2d(1, 6, 5)(lenet.zeros(1, 1, 3, 3))",
        "nn.Conv2d(3, 6, 3, groups=2)",
        "nn.Conv2d(1, 6, 3, stride=0)(lenet.zeros(1, 1, 8, 8))",
        "nn.MaxPool2d(4)(lenet.zeros(1, 1, 3, 3))",
        "nn.MaxPool2d(2, padding=2)(lenet.zeros(1, 1, 8, 8))",
        "nn.BatchNorm2d(3)(lenet.zeros(2, 3))",
        "nn.BatchNorm2d(3)(lenet.zeros(2, 4, 5, 5))",
        "nn.BatchNorm1d(3)(lenet.zeros(1, 3))",
        "nn.LayerNorm(4)(lenet.zeros(2, 3))",
        "nn.GroupNorm(3, 4)",
        "nn.Dropout(1.5)",
        "nn.Embedding(10, 3)(lenet.tensor([10]))",
        "nn.Embedding(10, 3)(lenet.tensor([0.5]))",
        "nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 6))(lenet.zeros(1, 3))",
        "nn.Linear(3)",
        "nn.Module().weight",
        "nn.Linear(2, 2).load_state_dict({'weight': lenet.zeros(2, 2)})",
        "nn.Linear(2, 2).load_state_dict({'weight': lenet.zeros(3, 2), 'bias': lenet.zeros(2)})",
    ],
    "losses": [
        "F.cross_entropy(lenet.zeros(2, 3), lenet.tensor([0, 3]))",
        "F.cross_entropy(lenet.zeros(2, 3), lenet.tensor([0, 1, 2]))",
        "F.cross_entropy(lenet.zeros(2, 3), lenet.tensor([0.0, 1.0]))",
        "F.cross_entropy(lenet.zeros(2, 3), lenet.tensor([0, 1]), reduction='avg')",
        "F.nll_loss(lenet.zeros(2, 3), lenet.tensor([0, 1]), weight=lenet.ones(2))",
        "F.binary_cross_entropy(lenet.tensor([1.5]), lenet.tensor([1.0]))",
        "F.mse_loss(lenet.zeros(2, 3), lenet.zeros(4))",
        "nn.CrossEntropyLoss(label_smoothing=2.0)(lenet.zeros(1, 2), lenet.tensor([0]))",
    ],
    "gradients": [
        "lenet.zeros(2).backward()",
        "lenet.zeros(2, requires_grad=True).exp().backward()",
        "(lambda y: (y.backward(), y.backward()))((lenet.ones(1, requires_grad=True) ** 2).sum())",
        "lenet.ones(1, requires_grad=True).add_(1)",
        "(lambda x: (lambda y: (y.mul_(2), y.sum().backward()))(x.exp()))(lenet.ones(2, requires_grad=True))",
        "lenet.ones(2, requires_grad=True).numpy()",
        "lenet.tensor([1, 2], requires_grad=True)",
        "lenet.autograd.grad(lenet.ones(1, requires_grad=True).sum(), lenet.ones(1, requires_grad=True))",
        "lenet.ones(2, requires_grad=True).sum().backward(lenet.ones(3))",
        "(lenet.ones(2, requires_grad=True) * 2).requires_grad_(False)",
    ],
    "types and values": [
        "lenet.tensor('a')",
        "lenet.tensor([[1, 2], [3]])",
        "lenet.zeros(2).item()",
        "bool(lenet.zeros(2))",
        "lenet.zeros(2) + 'a'",
        "lenet.zeros(-1)",
        "lenet.arange(0, 3, 0)",
        "lenet.ones(2, dtype=lenet.int64).mean()",
        "lenet.ones(2, dtype=lenet.int64).add_(0.5)",
        "lenet.zeros(3)[5]",
        "lenet.zeros(3)[0, 0]",
        "lenet.zeros(3)[::-1]",
        "lenet.zeros(3).gather(0, lenet.tensor([3]))",
        "lenet.zeros(2, 3)[lenet.ones(3, dtype=lenet.bool)]",
        "lenet.zeros(0).max()",
        "lenet.randint(3, 3, (2,))",
        "lenet.ones(2).to('disk')",
        "lenet.zeros(3).topk(4)",
    ],
    "optimizers": [
        "optim.SGD([], lr=0.1)",
        "optim.SGD(lenet.zeros(2, requires_grad=True), lr=0.1)",
        "optim.SGD([lenet.zeros(2, requires_grad=True)], lr=-1)",
        "optim.SGD([lenet.zeros(2, requires_grad=True)], lr=0.1, nesterov=True)",
        "optim.Adam([lenet.zeros(2, requires_grad=True)], betas=(1.0, 0.9))",
        "optim.SGD([lenet.zeros(2, requires_grad=True).exp()], lr=0.1)",
        "optim.Adam([lenet.zeros(2, requires_grad=True)], momentum=0.9)",
        "optim.lr_scheduler.StepLR('optimizer', 2)",
    ],
}


def message(code: str, package: str = "lenetcli") -> str:
    """What the line raises with `package`, on one line; "no error" where it raises nothing."""
    scope: dict[str, Any] = {
        "lenet": importlib.import_module(package),
        "nn": importlib.import_module(f"{package}.nn"),
        "optim": importlib.import_module(f"{package}.optim"),
        "F": importlib.import_module(f"{package}.nn.functional"),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            eval(code, scope)
        except Exception as error:
            text = re.sub(r"\s+", " ", str(error)).strip().strip('"')
            return f"{type(error).__name__}: {text}"
    return "no error"


def page() -> str:
    """docs/mistakes.md as of today."""
    count = sum(map(len, MISTAKES.values()))
    lines = [
        "# Common mistakes and what is said about them",
        "",
        f"{count} lines that go wrong, each with the message it gets (`tests/mistakes.py` writes this page, the tests",
        "keep it true), and torch 2.13's for comparison.",
    ]
    for title, codes in MISTAKES.items():
        lines += ["", f"## {title[0].upper()}{title[1:]}"]
        for code in codes:
            lines += ["", "```python", code, "```", "", f"- here: {shown(message(code))}"]
            lines += [f"- torch: {shown(message(code, 'torch'))}"]
    return "\n".join(lines) + "\n"


def shown(text: str) -> str:
    """A message in a Markdown list, cut where it is very long."""
    text = text if len(text) <= 400 else text[:397] + "..."
    return "`" + text.replace("`", "'") + "`"


def written() -> dict[str, str]:
    """Each mistake on the page with our message there."""
    found = re.findall(r"```python\n(.*?)\n```\n\n- here: (.*)", PAGE.read_text("utf-8"))
    return dict(found)


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        print(page())
