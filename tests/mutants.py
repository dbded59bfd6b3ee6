"""The mutants of the package: all of them, a sample that is drawn again by its seed, and those of an earlier list."""

import ast
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Of the operators, those that put variables for one another say little here, and identity in the place of equality is
# the same for the small numbers and None that are compared.
LEFT_OUT = re.compile("Variable|ExceptionReplacer|RemoveDecorator|_Is$|_IsNot$|_Is_Eq|_IsNot_NotEq")


@dataclass(frozen=True)
class Mutant:
    """A place in a file of the package, and what is done to it."""

    room: str
    file: str
    operator: str
    occurrence: int
    line: int
    column: int
    nth: int
    text: str

    @property
    def key(self) -> tuple:
        """What stays the same where lines before it, or its indentation, change."""
        return self.operator, self.column, self.nth, self.text


def annotations(text: str) -> list:
    """Where each annotation starts and ends: nothing evaluates one."""
    found = []
    for node in ast.walk(ast.parse(text)):
        for name in ("annotation", "returns"):
            hint = getattr(node, name, None)
            if hint is not None:
                found.append(((hint.lineno, hint.col_offset), (hint.end_lineno, hint.end_col_offset)))
    return found


def mutants_of(folder: Path, room: str, file: Path) -> list[Mutant]:
    """All of one file."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    text = file.read_text(encoding="utf-8")
    lines, hints, nodes = text.splitlines(), annotations(text), list(ast_nodes(get_ast(text)))
    found = []
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if operator.arguments() or LEFT_OUT.search(name):
            continue
        places = [(node, start) for node in nodes for start, _ in operator().mutation_positions(node)]
        for occurrence, (node, (line, column)) in enumerate(places):
            # A star before what is unpacked, or before parameters that have to be named, is no operator.
            star = node.type == "operator" and node.parent.type in ("parameters", "lambdef", "dictorsetmaker")
            if not star and not any(start <= (line, column) < end for start, end in hints):
                whole = lines[line - 1]
                nth = sum(start == (line, column) for _, start in places[:occurrence])
                column -= len(whole) - len(whole.lstrip())
                place = file.relative_to(folder).as_posix()
                found.append(Mutant(room, place, name, occurrence, line, column, nth, whole.strip()))
    return found


def all_mutants(folder: Path, rooms: Iterable[str]) -> dict[str, list[Mutant]]:
    """All mutants of some packages, by package."""
    return {
        room: [
            mutant
            for file in sorted((folder / "marginclf" / room).rglob("*.py"))
            for mutant in mutants_of(folder, room, file)
        ]
        for room in rooms
    }


def sample(everything: dict[str, list[Mutant]], number: int, seed: int) -> list[Mutant]:
    """Of each package as large a part, in an order of which every beginning is such a sample too."""
    order = []
    for room, found in everything.items():
        shuffled = random.Random(f"{seed} {room}").sample(found, len(found))
        order += [((k + 0.5) / len(found), mutant) for k, mutant in enumerate(shuffled)]
    return [mutant for _, mutant in sorted(order, key=lambda pair: pair[0])[:number]]


def again(everything: dict[str, list[Mutant]], before: list[dict]) -> tuple[list[Mutant], list[dict]]:
    """The mutants of an earlier list, and those whose line is no longer there."""
    known: dict[tuple, list[Mutant]] = {}
    for found in everything.values():
        for mutant in found:
            known.setdefault(mutant.key, []).append(mutant)
    items, gone = [], []
    for entry in before:
        old = Mutant(**{name: entry[name] for name in Mutant.__dataclass_fields__})
        same = known.get(old.key, [])
        if same:
            items.append(min(same, key=lambda new: (new.file != old.file, abs(new.line - old.line))))
        else:
            gone.append(entry)
    return items, gone
