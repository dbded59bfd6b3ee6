"""The results file (JSON), and the figures that are derived from it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environment

TARGETS = (1e-3, 1e-6, 1e-9)


@dataclass
class Run:
    """All repeats of one rung: seconds and the objective of each. ``ended`` says why there are no (more) repeats."""

    problem: str
    solver: str
    package: str
    rung: str
    level: int
    threads: int = 1
    seconds: list[float] = field(default_factory=list)
    objectives: list[float] = field(default_factory=list)
    ended: str = ""


def suboptimality(objectives: list[float], best: float | None) -> float:
    """(F − F*)/|F*| of the median objective (they differ between repeats only where a solver is random)."""
    if not objectives or best is None:
        return float("inf")
    return max(0.0, (statistics.median(objectives) - best) / abs(best))


@dataclass
class Results:
    machine: dict[str, Any]
    versions: dict[str, str]
    date: str
    commit: str | None
    quick: bool
    blas: dict[str, list] = field(default_factory=dict)  # by number of threads
    problems: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def here(cls, quick: bool) -> Results:
        """No results yet, of this machine and now."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(environment.machine(), environment.versions(), now, environment.commit(), quick)

    @classmethod
    def load(cls, file: Path) -> Results:
        content = json.loads(file.read_text())
        content["runs"] = [
            Run(**{k: v for k, v in run.items() if k in Run.__dataclass_fields__}) for run in content["runs"]
        ]
        return cls(**content)

    def save(self, file: Path) -> None:
        content = dataclasses.asdict(self)
        for run in content["runs"]:
            facts = self.problems[run["problem"]]
            value = suboptimality(run["objectives"], facts["best"])
            run["suboptimality"] = value if run["objectives"] else None
            run["suboptimality_accuracy"] = facts.get("accuracy")
        partial = file.with_name(file.name + ".part")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.replace(file)  # an interrupted run leaves a whole file

    def continues(self, other: Results) -> bool:
        """Whether results of both may stand in one file."""
        return (self.machine, self.versions, self.quick) == (other.machine, other.versions, other.quick)

    def replace(self, problem: str, threads: int, runs: list[Run]) -> None:
        kept = [run for run in self.runs if (run.problem, run.threads) != (problem, threads)]
        self.runs = [*kept, *runs]

    def suboptimality(self, run: Run) -> float:
        return suboptimality(run.objectives, self.problems[run.problem]["best"])

    def select(self, problem: str, threads: int) -> dict[str, list[Run]]:
        """The runs of each solver, from loose to tight."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            if (run.problem, run.threads) == (problem, threads):
                found.setdefault(run.solver, []).append(run)
        return {solver: sorted(runs, key=lambda run: run.level) for solver, runs in found.items()}

    def settings(self) -> list[int]:
        return sorted({run.threads for run in self.runs})

    def to_target(self, runs: list[Run], target: float) -> Run | None:
        """The rung of a solver that is the fastest, by its median, among those that reach the target."""
        reached = [run for run in runs if run.seconds and self.suboptimality(run) <= target]
        return min(reached, key=lambda run: statistics.median(run.seconds), default=None)
