"""The results of configs/papers/, three seeds each, as the table in docs/papers.md.

python benchmarks/papers.py --data DIR [--runs DIR] [--seeds 3] [--write] [NAME ...]

--data holds the directories mnist and fashion-mnist. Finished runs in --runs are read, others trained; so it can be
stopped and started again. An error is that of the last epoch, not of the best one: which epoch is best on the test
images is not known before they are seen.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "papers.md"
ROWS = {  # config: what it is, the published error in percent and where it stands
    "lenet5-1998": ("LeNet-5 as published", "0.95", "LeCun et al. 1998, figure 5"),
    "lenet5-1998-distorted": ("the same with distortions", "0.8", "LeCun et al. 1998, section III.A"),
    "mlp-2003": ("two-layer MLP, 800 hidden units", "1.6", "Simard et al. 2003, table 1"),
    "cnn-mnist": ("CNN with batch-norm, augmented, MNIST", "0.5 (our aim)", ""),
    "cnn-fashion": ("the same net on Fashion-MNIST", "7.0 (our aim)", ""),
}


def finished(run: Path) -> tuple[float, float] | None:
    """Test error in percent after the last epoch, and seconds; None where the run was not trained to its end."""
    if not (run / "metrics.jsonl").exists():
        return None
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    if events[-1].get("reason") != "finished":  # running, killed or interrupted
        return None
    tested = [e for e in events if e["event"] == "evaluated" and e["split"] == "test"]
    return 100 * (1 - tested[-1]["accuracy"]), events[-1]["seconds"]


def train(name: str, seed: int, data: Path, run: Path) -> None:
    """Trains one config, or goes on where it was stopped."""
    root = data / ("fashion-mnist" if "fashion" in name else "mnist")
    words = ["--resume", str(run)]
    if not (run / "config.yaml").exists():
        words = [
            str(ROOT / "configs" / "papers" / f"{name}.yaml"),
            f"data.root={root}",
            f"seed={seed}",
            "--out",
            str(run),
        ]
    subprocess.run([sys.executable, "-m", "lenetcli", "train", *words], check=True)


def row(name: str, found: list[tuple[float, float]]) -> str:
    """A line of the table."""
    what, published, source = ROWS[name]
    errors, seconds = [e for e, _ in found], statistics.mean(s for _, s in found)
    return (
        f"| [{name}](../configs/papers/{name}.yaml) | {what} | {published} | {statistics.mean(errors):.2f} "
        f"| {min(errors):.2f}-{max(errors):.2f} | {len(found)} | {seconds / 60:.1f} min | {source} |"
    )


def replaced(page: str, name: str, line: str) -> str:
    """The page with this line of the table in place of the one that it had for the name."""
    text, count = re.subn(rf"^\| \[{re.escape(name)}\]\(.*$", lambda _: line, page, flags=re.MULTILINE)
    assert count == 1, f"the page has {count} lines for {name}"
    return text


def main() -> None:
    """Trains what is missing, prints the lines of the table; with --write puts them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "papers")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(ROWS)}; default: all")
    arguments = parser.parse_args()
    for name in arguments.names or ROWS:
        found = []
        for seed in range(arguments.seeds):
            run = arguments.runs / f"{name}-{seed}"
            if finished(run) is None:
                train(name, seed, arguments.data, run)
            figures = finished(run)
            assert figures is not None
            found.append(figures)
        line = row(name, found)
        print(line, flush=True)
        if arguments.write:
            PAGE.write_text(replaced(PAGE.read_text("utf-8"), name, line), "utf-8")


if __name__ == "__main__":
    main()
