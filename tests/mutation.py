"""Do the tests notice a changed line? A sample of mutants of six packages of marginclf, by cosmic-ray.

    pip install cosmic-ray pytest-timeout
    python tests/mutation.py --minutes 60 --list mutants.json --figures docs/guide/mutation.json
    python tests/mutation.py --again mutants.json --figures docs/guide/mutation.json

Each mutant is one change of the source (an operator, a number, a comparison) in a copy of the checkout, on which the
tests next to it run, the nearest first, until one fails. ``--again`` tries those of an earlier list, on the tests of
today: a mutant is found by the text of its line, wherever that has moved to.

The first run of a copy is without a mutant: what fails there is left out, and a cache of compiled code is filled. Every
mutant starts with a copy of that cache. Its entries are named by all that they depend on, so that what a mutant changes
is compiled and the rest is not: a mutant of plain Python takes seconds, one of the kernels up to a minute.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from difflib import SequenceMatcher
from pathlib import Path
from threading import Lock

from mutants import Mutant, again, all_mutants, sample

ROOT = Path(__file__).parents[1]
# The tests of each package, the nearest first. Before them come those that have the name of the changed file or of its
# folder, and those that are named for it here.
_FITS = "tests/faults/test_long_life.py tests/test_joint.py tests/solvers tests/test_optimum.py"
TESTS = {
    "losses": f"tests/losses tests/test_loss_parameter.py tests/test_objective.py {_FITS}",
    "kernels": f"tests/kernels tests/matrix tests/losses/test_formulas.py tests/losses/test_user_losses.py {_FITS}",
    "matrix": f"tests/matrix tests/kernels/test_rows.py tests/test_on_disk.py tests/test_dask.py {_FITS}",
    "objective": f"tests/test_objective.py {_FITS} tests/test_cross_entropy.py tests/test_linear_rule.py",
    "solvers": f"tests/solvers {_FITS} tests/test_one_vs_rest.py tests/test_linear_rule.py tests/test_cross_entropy.py"
    " tests/test_dask.py tests/faults/test_degenerate.py",
    "_estimator": "tests/test_parameters.py tests/test_prediction.py tests/test_inputs.py tests/test_weights.py"
    " tests/test_refit.py tests/test_prior.py tests/test_progress.py tests/test_one_vs_rest.py tests/test_joint.py"
    " tests/faults/test_bad_inputs.py tests/test_dask.py tests/test_on_disk.py tests/test_loss_parameter.py"
    " tests/exchange/test_files.py",
}
NEAR = {
    "kernels/ascent.py": "tests/solvers/test_sweeps.py tests/solvers/test_dual.py",
    "kernels/ascent_classes.py": "tests/solvers/test_classes_side_by_side.py",
    "kernels/packed.py": "tests/solvers/test_dual.py",
    "kernels/csr.py": "tests/kernels/test_rows.py tests/kernels/test_joint.py",
    "kernels/dense.py": "tests/kernels/test_rows.py",
    "kernels/dense_classes.py": "tests/kernels/test_classes.py tests/kernels/test_joint.py",
    "kernels/gram.py": "tests/matrix/test_matrix.py",
    "kernels/joint_ascent.py": "tests/solvers/test_sweeps.py tests/test_joint.py",
    "kernels/joint_margins.py": "tests/kernels/test_joint.py tests/test_joint.py",
    "kernels/prox.py": "tests/solvers/test_dual.py",
    "solvers/ascent.py": "tests/solvers/test_sweeps.py tests/solvers/test_dual.py",
    "solvers/ascent_classes.py": "tests/solvers/test_classes_side_by_side.py",
    "solvers/free_rows.py": "tests/solvers/test_free_rows.py tests/solvers/test_dual.py",
    "_estimator/callbacks.py": "tests/test_progress.py",
    "_estimator/collections.py": "tests/test_dask.py",
    "_estimator/fitting.py": "tests/test_parameters.py tests/test_progress.py tests/test_refit.py",
    "_estimator/partitioned.py": "tests/solvers/test_rounds.py tests/test_on_disk.py",
    "_estimator/persistence.py": "tests/exchange/test_files.py",
    "_estimator/warm_start.py": "tests/test_refit.py",
}
FAILED = re.compile(r"^(?:FAILED|ERROR) (.*?)(?: - |$)", re.MULTILINE)
SECONDS_A_TEST, SECONDS_A_MUTANT = 120, 1200
"""A mutant that takes longer is one that the tests notice: it may never end."""


class Copy:
    """A copy of the checkout in which one mutant after another is tried."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.filled, self.cache = folder / "checkout", folder / "filled", folder / "cache"
        ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv*", "docs", ".*_cache", ".hypothesis", "results")
        shutil.copytree(ROOT, self.folder, ignore=ignored)

    def fill(self, items: list[Mutant]) -> None:
        """Run the tests of some mutants without any of them: those that fail here say nothing about mutants."""
        files = {(mutant.room, mutant.file) for mutant in items}
        tests = sorted({test for room, file in files for test in self.tests(room, file)})
        code, output = self.run(tests, self.filled, SECONDS_A_MUTANT * len(TESTS), "--maxfail=10", written=True)
        self.failing = FAILED.findall(output)
        print(f"fail without a mutant, and are left out: {self.failing}", flush=True)
        if code not in (0, 1) or len(self.failing) == 10:
            raise SystemExit(output)

    def run(
        self, tests: list[str], cache: Path, seconds: float, *options: str, written: bool = False
    ) -> tuple[int | None, str]:
        """Exit code and output of the tests; None where they took too long.

        Bytecode is ``written`` without a mutant only: two that change a file within a second could not be told apart.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "NUMBA_CACHE_DIR": str(cache),
            "PYTHONDONTWRITEBYTECODE": "" if written else "1",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *options]
        # The same examples for all of them, and none that failed for another one.
        command.append("--hypothesis-seed=0")
        shutil.rmtree(self.folder / ".hypothesis", ignore_errors=True)
        limits = [f"--timeout={SECONDS_A_TEST}", "--timeout-method=thread"]  # no signal ends compiled code
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            # A group of its own, so that children of the tests end with them.
            process = subprocess.Popen(
                [*command, *limits, *tests],
                cwd=self.folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, 9)
                    process.wait()
            output.seek(0)
            return code, output.read()

    def tests(self, room: str, file: str) -> list[str]:
        """For one file of the package."""
        path = Path(file)
        names = [path.stem] if path.stem != "__init__" else []
        names += [path.parent.name] if path.parent.name != room else []
        near = [place for name in names for place in sorted(self.folder.glob(f"tests/**/test_{name}*.py"))]
        tests = [place.relative_to(self.folder).as_posix() for place in near]
        tests += f"{NEAR.get(file.removeprefix('marginclf/'), '')} {TESTS[room]}".split()
        return list(dict.fromkeys(tests))

    def attempt(self, mutant: Mutant) -> dict:
        """What became of one mutant."""
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        file, start = self.folder / mutant.file, time.monotonic()
        original = file.read_text(encoding="utf-8")
        mutated = mutate_code(original, get_operator(mutant.operator)(), mutant.occurrence)
        was, became = difference(original, mutated)
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.copytree(self.filled, self.cache)
        file.write_text(mutated, encoding="utf-8")
        tests, left_out = self.tests(mutant.room, mutant.file), [f"--deselect={name}" for name in self.failing]
        try:
            code, output = self.run(tests, self.cache, SECONDS_A_MUTANT, "-x", *left_out)
        finally:
            file.write_text(original, encoding="utf-8")
        failed = FAILED.search(output)
        by = failed[1] if failed else "a time limit" if code is None or "Timeout" in output else f"exit code {code}"
        return {
            **asdict(mutant),
            "was": was,
            "became": became,
            "killed": code != 0,
            "by": by if code != 0 else "",
            "seconds": round(time.monotonic() - start, 1),
        }


def difference(original: str, mutated: str) -> tuple[str, str]:
    """The changed lines, before and after."""
    old, new = original.splitlines(), mutated.splitlines()
    changes = [c for c in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if c[0] != "equal"]
    was = "; ".join(line.strip() for _, i, j, _, _ in changes for line in old[i:j])
    return was, "; ".join(line.strip() for _, _, _, i, j in changes for line in new[i:j])


def write(file: Path | None, content: object) -> None:
    if file is not None:
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def try_all(copies: list[Copy], items: list[Mutant], end: float, file: Path | None) -> list[dict]:
    """Results in the order of the items, as far as the time reaches; the file has them as they come."""
    done: dict[int, dict] = {}
    waiting, lock = iter(enumerate(items)), Lock()

    def work(copy: Copy) -> None:
        while time.monotonic() < end:
            with lock:
                number, mutant = next(waiting, (None, None))
            if number is None:
                return
            result = copy.attempt(mutant)
            with lock:
                done[number] = result
                write(file, [done[k] for k in sorted(done)])
                says = f"killed by {result['by']}" if result["killed"] else "SURVIVED"
                place = f"{mutant.file}:{mutant.line}"
                print(f"{says} ({result['seconds']} s) {place} {result['was']} -> {result['became']}", flush=True)

    with ThreadPoolExecutor(len(copies)) as pool:
        list(pool.map(work, copies))
    return [done[k] for k in sorted(done)]


def summary(everything: dict[str, list[Mutant]], results: list[dict], file: Path | None) -> dict:
    """What the page "Reliability" shows; why a mutant survives is kept where the file says it already."""
    known = json.loads(file.read_text(encoding="utf-8"))["survivors"] if file and file.exists() else []
    why = {(survivor["was"], survivor["became"]): survivor.get("why", "") for survivor in known}
    killed = sum(result["killed"] for result in results)
    for room, found in everything.items():
        here = [result["killed"] for result in results if result["room"] == room]
        print(f"{room}: {sum(here)} of {len(here)} killed, of {len(found)} mutants")
    print(f"killed: {killed} of {len(results)}")
    survivors = [
        {
            "place": f"{result['file']}:{result['line']}",
            "was": result["was"],
            "became": result["became"],
            "why": why.get((result["was"], result["became"]), ""),
        }
        for result in results
        if not result["killed"]
    ]
    return {
        "mutants": sum(map(len, everything.values())),
        "tried": len(results),
        "killed": killed,
        "survivors": survivors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=150, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="list of an earlier run whose mutants are tried once more")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no more are tried")
    parser.add_argument("--figures", type=Path, help="file for the figures and the survivors")
    parser.add_argument("--list", type=Path, help="file for all that were tried")
    arguments = parser.parse_args()
    end = time.monotonic() + 60.0 * arguments.minutes
    with tempfile.TemporaryDirectory() as temporary:
        copies = [Copy(Path(temporary) / str(k)) for k in range(arguments.jobs)]
        everything = all_mutants(copies[0].folder, TESTS)
        items = sample(everything, arguments.sample, arguments.seed)
        if arguments.again:
            items, gone = again(everything, json.loads(arguments.again.read_text(encoding="utf-8")))
            for entry in gone:
                print(f"gone: {entry['file']} {entry['was']} -> {entry['became']}")
        print(f"{len(items)} of {sum(map(len, everything.values()))} mutants", flush=True)
        with ThreadPoolExecutor(len(copies)) as pool:
            list(pool.map(lambda copy: copy.fill(items), copies))
        results = try_all(copies, items, end, arguments.list)
    write(arguments.figures, summary(everything, results, arguments.figures))


if __name__ == "__main__":
    main()
