"""Who is fitted when: rounds over all solvers and all rungs of their ladders, in one worker process.

The first round goes from loose to tight. A rung is not run (again) once a looser one of the same solver has come within
1e-9 of the optimum, has taken longer than the time limit or has failed, or once its own runs add up to the time limit.
A fit that is still running at the limit is ended with its process, and the others go on in a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from environment import child_environment
from problems import QUICK, QUICK_LEVELS
from results import Run, suboptimality
from solvers import Solver

REACHED = 1e-9
_SETUP_LIMIT = 600.0
_WARM_LIMIT = 120.0


class Ended(Exception):
    """The worker is gone; the text says why."""


class Worker:
    """A process of worker.py, started when it is first needed."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.process: subprocess.Popen | None = None
        self.problem: str | None = None
        self.warm: set[str] = set()

    def ask(self, limit: float, **command: Any) -> dict[str, Any]:
        """Send a command and wait for its answer, no longer than ``limit`` seconds."""
        if self.process is None:
            self._start()
        assert self.process is not None
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            self._kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line and not overdue.is_set():
            return json.loads(line)
        reason = "over the time limit" if overdue.is_set() else self._last_words()
        self.close()
        raise Ended(reason)

    def close(self) -> None:
        """End the process; the next command starts another."""
        if self.process is not None:
            self._kill()
            for stream in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
            self.process.wait()
            self.errors.close()
        self.process, self.problem, self.warm = None, None, set()

    def _start(self) -> None:
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (it lives as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=child_environment(self.threads), start_new_session=True,
        )  # fmt: skip

    def _kill(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        if hasattr(os, "killpg"):  # with the processes that a solver may have started
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()

    def _last_words(self) -> str:
        status = self.process.wait()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().splitlines() if line.strip()]
        return f"the process ended with status {status}{': ' + lines[-1][:150] if lines else ''}"


class Measurement:
    """All runs of one problem with one number of threads."""

    def __init__(self, worker: Worker, problem: str, quick: bool, solvers: list[Solver], limit: float) -> None:
        self.worker, self.problem, self.quick, self.solvers, self.limit = worker, problem, quick, solvers, limit
        self.runs: dict[tuple[str, int], Run] = {}
        self.best: float | None = None
        self.facts = self._setup()

    def _setup(self) -> dict[str, Any]:
        answer = self.worker.ask(_SETUP_LIMIT, do="problem", name=self.problem, shrink=QUICK if self.quick else 1)
        if "error" in answer:
            raise RuntimeError(f"{self.problem}: {answer['error']}")
        self.worker.problem, self.worker.warm = self.problem, set()
        return answer

    def reference(self) -> dict[str, Any]:
        """F* before the first round, and what is known of its accuracy."""
        try:
            return self.worker.ask(_SETUP_LIMIT, do="reference")
        except Ended as reason:
            return {"error": str(reason)}

    def round(self, number: int) -> int:
        """One run of every rung that is still wanted; returns how many there were."""
        deepest = max(len(solver.ladder) for solver in self.solvers)
        levels = QUICK_LEVELS if self.quick else range(deepest)
        pairs = [(s, level) for level in levels for s in self.solvers if level < len(s.ladder)]
        if number:  # no solver shall always follow the same other one
            random.Random(number).shuffle(pairs)
        done = 0
        for solver, level in pairs:
            if self._wanted(solver, level):
                self._fit(solver, level)
                done += 1
        return done

    def _wanted(self, solver: Solver, level: int) -> bool:
        own = self.runs.get((solver.name, level))
        if own is not None and (own.ended or sum(own.seconds) >= self.limit):
            return False
        looser = [self.runs[solver.name, k] for k in range(level) if (solver.name, k) in self.runs]
        return not any(run.ended or suboptimality(run.objectives, self.best) <= REACHED for run in looser)

    def _fit(self, solver: Solver, level: int) -> None:
        value = solver.ladder[level]
        new = Run(self.problem, solver.name, solver.package, f"{solver.knob}={value:g}" if value else "default", level)
        run = self.runs.setdefault((solver.name, level), new)
        run.threads = self.worker.threads
        try:
            if self.worker.problem != self.problem:
                self._setup()
            if solver.name not in self.worker.warm:
                answer = self.worker.ask(_WARM_LIMIT, do="warm", solver=solver.name)
                self.worker.warm.add(solver.name)
            answer = self.worker.ask(self.limit, do="fit", solver=solver.name, value=value)
        except Ended as reason:
            run.ended = str(reason)
            return
        if "error" in answer:
            run.ended = answer["error"]
            return
        run.seconds.append(answer["seconds"])
        run.objectives.append(answer["objective"])
        self.best = min(answer["objective"], self.best if self.best is not None else answer["objective"])
