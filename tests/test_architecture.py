"""The house's own rules: imports go down the storeys only, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lenetcli"

# from the ground up; a module may import from its own storey and those before it
STOREYS = [
    ["errors", "lazy", "background"],
    ["kernels", "display"],
    ["autograd"],
    ["ops"],
    ["_tensor_str", "_tensor_operators", "_tensor", "creation", "sampling", "linalg", "cuda"],
    ["disk"],
    ["serialization", "nn", "optim", "data"],
    ["config"],
    ["train", "inspect", "export"],
    ["parallel"],
    ["build_model", "build_schedule", "build"],
    ["training", "loaded"],
    ["sweep"],
    ["report"],
    ["trainer"],
    ["cli", "__main__"],
]
LEVEL = {name: level for level, names in enumerate(STOREYS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_BELOW_CONFIG = {"typer", "rich", "pydantic", "yaml"}


def room(path: Path) -> str:
    """The first part of a module's place in the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Full names of what a file imports at run time (not under TYPE_CHECKING)."""
    names: list[str] = []

    class Visitor(ast.NodeVisitor):
        def visit_If(self, node: ast.If) -> None:
            if "TYPE_CHECKING" in ast.unparse(node.test):
                for other in node.orelse:
                    self.visit(other)
            else:
                self.generic_visit(node)

        def visit_Import(self, node: ast.Import) -> None:
            names.extend(alias.name for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            assert node.level == 0, f"{path}: relative import"
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)

    Visitor().visit(ast.parse(path.read_text("utf-8")))
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_the_storeys_only(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in LEVEL, f"{here} has no storey"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "lenetcli" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= LEVEL[here], f"{path.name} ({here}) imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_storeys(path: Path) -> None:
    here = room(path)
    libraries = {name.split(".")[0] for name in imports(path)}
    assert "torch" not in libraries
    if here not in LEVEL:
        return
    if here != "parallel":
        assert "mpi4py" not in libraries
    if LEVEL[here] < LEVEL["config"]:
        assert not libraries & FORBIDDEN_BELOW_CONFIG
    if here not in ("report", "cli", "__main__"):
        assert "rich" not in libraries


def test_no_import_cycle_between_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "lenetcli" and len(parts) > 1 and parts[1] in LEVEL and parts[1] != room(path):
                graph.setdefault(room(path), set()).add(parts[1])

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        stack = list(graph.get(start, ()))
        while stack:
            found = stack.pop()
            if found not in seen:
                seen.add(found)
                stack.extend(graph.get(found, ()))
        return seen

    for name in graph:
        assert name not in reach(name), f"{name} reaches itself"


def test_importing_the_package_imports_no_numpy() -> None:
    code = "import sys, lenetcli; assert 'numpy' not in sys.modules; print(lenetcli.__version__)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=PACKAGE.parent)


def test_every_public_name_can_be_had() -> None:
    import lenetcli

    for name in lenetcli.__all__:
        assert getattr(lenetcli, name) is not None, name
