"""Do the tests notice a changed formula? A sample of mutants of losses, kernels and objective, by cosmic-ray.

    pip install cosmic-ray pytest-timeout
    python tests/mutation.py --sample 100 --figures docs/guide/mutation.json

Each mutant is one change of the source (an operator, a number, a comparison) in a copy of the checkout, on which the
tests of those rooms run until one fails. A survivor takes minutes, since all of them run: hours for a thousand.
"""

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The tests of each room, the nearest first.
_FITS = (
    "tests/faults/test_long_life.py tests/test_joint.py tests/solvers tests/test_optimum.py tests/test_one_vs_rest.py"
)
_FAULTS = "tests/faults/test_degenerate.py tests/faults/test_sizes.py tests/faults/test_cache.py"
TESTS = {
    "losses": f"tests/losses tests/test_loss_parameter.py {_FITS} {_FAULTS}",
    "kernels": f"tests/kernels tests/losses tests/matrix {_FITS} {_FAULTS}",
    "objective": f"tests/test_objective.py {_FITS} tests/test_cross_entropy.py tests/test_linear_rule.py {_FAULTS}",
}
# Of the operators, those that put variables for one another and that change annotations say little here.
LEFT_OUT = ("VariableInserter", "VariableReplacer", "ExceptionReplacer", "RemoveDecorator")
CONFIG = """
[cosmic-ray]
module-path = [{modules}]
timeout = 1200
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider -p no:randomly {tests}"
[cosmic-ray.distributor]
name = "local"
"""


def cosmic_ray(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("cosmic-ray")), *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def prepare(folder):
    """A copy of the checkout, with a configuration for each room."""
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv*", "docs", ".*_cache", ".hypothesis", "results")
    shutil.copytree(ROOT, folder, ignore=ignored)
    for room in TESTS:
        files = sorted((folder / "marginclf" / room).glob("*.py"))
        configure(folder, room, *(file.relative_to(folder) for file in files if file.name != "__init__.py"))


def configure(folder, room, *files):
    """What cosmic-ray changes, and the tests that it runs: first those that have the name of the file."""
    near = sorted(folder.glob(f"tests/**/test_{files[0].stem}*.py")) if len(files) == 1 else []
    tests = " ".join([*(file.relative_to(folder).as_posix() for file in near), TESTS[room]])
    modules = ", ".join(f'"{file.as_posix()}"' for file in files)
    text = CONFIG.format(modules=modules, python=sys.executable, tests=tests)
    (folder / f"{room}.toml").write_text(text, encoding="utf-8")


def mutants(folder):
    """All of them, by room."""
    from cosmic_ray.work_db import WorkDB, use_db

    found = []
    for room in TESTS:
        cosmic_ray(folder, "init", f"{room}.toml", f"{room}-all.sqlite")
        with use_db(folder / f"{room}-all.sqlite", WorkDB.Mode.open) as db:
            items = sorted(db.work_items, key=lambda item: str(item.mutations))
        operators = [item.mutations[0].operator_name for item in items]
        kept = [not any(name in operator for name in LEFT_OUT) for operator in operators]
        found += [(room, item) for item, good in zip(items, kept, strict=True) if good]
    return found


def run(folder, items, end):
    """How many were killed, and for each survivor where it is and what was changed."""
    from cosmic_ray.work_db import WorkDB, use_db

    killed, survivors = 0, []
    for number, (room, item) in enumerate(items):
        if time.monotonic() > end:
            break
        session = f"{number}.sqlite"
        configure(folder, room, Path(item.mutations[0].module_path))
        with use_db(folder / session, WorkDB.Mode.create) as db:
            db.add_work_items([item])
        cosmic_ray(folder, "exec", f"{room}.toml", session)
        with use_db(folder / session, WorkDB.Mode.open) as db:
            ((_, result),) = db.completed_work_items
        (mutation,) = item.mutations
        place = f"{mutation.module_path}:{mutation.start_pos[0]}"
        lines = (result.diff or "").splitlines()
        was, became = ("; ".join(x[1:].strip() for x in lines if x.startswith(s) and x[1:2] != s) for s in "-+")
        print("killed  " if result.is_killed else "SURVIVED", place, was, "->", became, flush=True)
        if result.is_killed:
            killed += 1
        else:
            survivors.append({"place": place, "was": was, "became": became})
    return killed, survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no more are tried")
    parser.add_argument("--figures", type=Path, help="file for the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(k) for k in range(arguments.jobs)]
        for folder in folders:
            prepare(folder)
        everything = mutants(folders[0])
        items = random.Random(arguments.seed).sample(everything, min(arguments.sample, len(everything)))
        print(f"{len(items)} of {len(everything)} mutants", flush=True)
        end = time.monotonic() + 60.0 * arguments.minutes
        parts = [items[k :: arguments.jobs] for k in range(arguments.jobs)]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            found = list(pool.map(run, folders, parts, [end] * arguments.jobs))
    killed = sum(k for k, _ in found)
    survivors = [survivor for _, some in found for survivor in some]
    print(f"killed: {killed} of {killed + len(survivors)}")
    if arguments.figures:
        content = {
            "mutants": len(everything),
            "tried": killed + len(survivors),
            "killed": killed,
            "survivors": survivors,
        }
        arguments.figures.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
