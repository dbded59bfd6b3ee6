"""The shape of the package: which module imports which, what stays private, and how long files and functions are."""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "marginclf"

LEVELS = (
    ("_process", "_version"),
    ("kernels",),
    ("losses", "_penalties"),
    ("matrix",),
    ("objective",),
    ("solvers",),
    ("_estimator",),
    ("inspection", "exchange", "penalties"),
)
"""The folders and modules below ``marginclf/``: each imports from those of earlier lines and from itself."""

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 300, 60

KNOWN: set[tuple[str, str]] = set()
"""What breaks a rule today. This list only shrinks: what would be new in it is split, or its circle broken, instead."""


@cache
def modules() -> dict[str, ast.Module]:
    """The parsed modules by their full names; that of a package is the name of its folder."""
    return {
        ".".join(("marginclf", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): ast.parse(
            file.read_text(encoding="utf-8")
        )
        for file in sorted(ROOT.rglob("*.py"))
    }


@cache
def nodes(module: str) -> list[ast.AST]:
    return list(ast.walk(modules()[module]))


@cache
def packages() -> set[str]:
    return {".".join(("marginclf", *file.parent.relative_to(ROOT).parts)) for file in ROOT.rglob("__init__.py")}


def room(module: str) -> str:
    """The folder or module below ``marginclf/`` that a module is in; of ``marginclf/__init__.py``, nothing."""
    return module.partition(".")[2].partition(".")[0]


def imported(module: str) -> Iterator[tuple[str, str]]:
    """Modules of marginclf and the names that a module takes from them, wherever in it they are imported.

    A name of a package that is a module is that module, and the name is empty.
    """
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) + (module in packages()) - node.level]
            source = ".".join((above if node.level else []) + ([node.module] if node.module else []))
            if source in modules():
                for alias in node.names:
                    inner = f"{source}.{alias.name}"
                    yield (inner, "") if inner in modules() else (source, alias.name)


@cache
def dependencies() -> dict[str, set[str]]:
    """The modules that run when a module is imported, where they are not those that run before it in any case.

    These are what it imports and the packages around that, without the packages around the module itself.
    """
    found = {}
    for module in modules():
        targets = {target for target, _ in imported(module)}
        around = {".".join(target.split(".")[:k]) for target in targets for k in range(1, target.count(".") + 1)}
        found[module] = targets | {package for package in around if not f"{module}.".startswith(f"{package}.")}
    return found


def circles() -> list[list[str]]:
    """The groups of modules each of which imports, through others, every other one."""

    @cache
    def reached(module: str) -> frozenset[str]:
        seen, ahead = set(), [module]
        while ahead:
            new = dependencies()[ahead.pop()] - seen
            seen |= new
            ahead += new
        return frozenset(seen)

    groups = {tuple(sorted(b for b in reached(a) if a in reached(b))) for a in modules() if a in reached(a)}
    return [list(group) for group in sorted(groups)]


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def private_names(inside: str) -> set[str]:
    """The private names that the modules of a room define, as functions, classes, variables or attributes."""
    found = set()
    for module in modules():
        for node in nodes(module) if room(module) == inside else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
    return {name for name in found if private(name)}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from ``def`` to the end, without those of the docstring and of decorators."""
    assert function.end_lineno is not None
    total = function.end_lineno - function.lineno + 1
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    return total - (first.end_lineno - first.lineno + 1 if documented else 0)


def breaches() -> Iterator[tuple[str, str]]:
    """Each circle, file and function that breaks a rule, as in KNOWN."""
    yield from (("circle", " ".join(group)) for group in circles())
    for file in sorted(ROOT.rglob("*.py")):
        if len(file.read_text(encoding="utf-8").splitlines()) > LINES_OF_A_FILE:
            yield "file", file.relative_to(ROOT).as_posix()
    for module in modules():
        for node in nodes(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LINES_OF_A_FUNCTION:
                yield "function", f"{module}.{node.name}"


@pytest.mark.parametrize("kind", ["circle", "file", "function"])
def test_circles_and_lengths(kind):
    found = {breach for breach in breaches() if breach[0] == kind}
    known = {breach for breach in KNOWN if breach[0] == kind}
    assert not found - known
    assert not known - found, "no longer so: remove it from KNOWN"


def test_imports_go_one_way():
    may: dict[str, set[str]] = {}
    for k, level in enumerate(LEVELS):
        may |= {name: {name}.union(*LEVELS[:k]) for name in level}
    inside = {module: room(module) for module in modules() if module != "marginclf"}
    assert set(inside.values()) == may.keys(), "LEVELS must name every folder and module"
    for module, here in inside.items():
        assert {room(target) for target, _ in imported(module)} <= may[here], module


def test_private_names_stay_in_their_room():
    for module in modules():
        elsewhere = [(target, name) for target, name in imported(module) if room(target) != room(module)]
        assert not [(target, name) for target, name in elsewhere if private(name)], module
        # A private module is the room itself; one further inside belongs to its room.
        assert not [target for target, _ in elsewhere if any(private(part) for part in target.split(".")[2:])], module
        # Attributes: what this room does not define and another one does. What none does belongs to other packages.
        others = set().union(*(private_names(other) for other in chain(*LEVELS) if other != room(module)))
        reached = {node.attr for node in nodes(module) if isinstance(node, ast.Attribute) and private(node.attr)}
        assert not (reached & others) - private_names(room(module)), module
