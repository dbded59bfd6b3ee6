"""Do the tests notice a changed formula? A sample of mutants of losses, kernels and objective, by cosmic-ray.

    pip install cosmic-ray pytest-timeout
    python tests/mutation.py --sample 100 --figures docs/guide/mutation.json

Each mutant is one change of the source (an operator, a number, a comparison) in a copy of the checkout, on which the
tests of those rooms run until one fails. A survivor takes minutes, since all of them run: hours for a thousand.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("losses", "kernels", "objective")
TESTS = (
    *("tests/losses", "tests/kernels", "tests/matrix", "tests/test_objective.py", "tests/faults/test_long_life.py"),
    *("tests/solvers", "tests/test_joint.py", "tests/test_optimum.py", "tests/test_one_vs_rest.py"),
    *("tests/faults/test_bad_inputs.py", "tests/faults/test_cache.py"),
    *("tests/faults/test_degenerate.py", "tests/faults/test_sizes.py", "tests/test_loss_parameter.py"),
)
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
    """A copy of the checkout, with a configuration."""
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv*", "docs", ".*_cache", ".hypothesis", "results")
    shutil.copytree(ROOT, folder, ignore=ignored)
    files = [file for room in ROOMS for file in sorted((folder / "marginclf" / room).glob("*.py"))]
    modules = ", ".join(f'"{file.relative_to(folder).as_posix()}"' for file in files if file.name != "__init__.py")
    tests = " ".join(test for test in TESTS if (folder / test).exists())
    text = CONFIG.format(modules=modules, python=sys.executable, tests=tests)
    (folder / "mutation.toml").write_text(text, encoding="utf-8")


def sample_of(folder, size, seed):
    """Some of all mutants, the same for the same seed."""
    from cosmic_ray.work_db import WorkDB, use_db

    cosmic_ray(folder, "init", "mutation.toml", "all.sqlite")
    with use_db(folder / "all.sqlite", WorkDB.Mode.open) as db:
        items = sorted(db.work_items, key=lambda item: str(item.mutations))
    kept = [item for item in items if not any(name in item.mutations[0].operator_name for name in LEFT_OUT)]
    return len(kept), random.Random(seed).sample(kept, min(size, len(kept)))


def run(folder, items):
    """Killed, and for each survivor where it is and what was changed."""
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(folder / "part.sqlite", WorkDB.Mode.create) as db:
        db.add_work_items(items)
    cosmic_ray(folder, "exec", "mutation.toml", "part.sqlite")
    killed, survivors = 0, []
    with use_db(folder / "part.sqlite", WorkDB.Mode.open) as db:
        for item, result in db.completed_work_items:
            if result.is_killed:
                killed += 1
            else:
                (mutation,) = item.mutations
                lines = (result.diff or "").splitlines()
                was, became = ("; ".join(x[1:].strip() for x in lines if x.startswith(s) and x[1:2] != s) for s in "-+")
                place = f"{mutation.module_path}:{mutation.start_pos[0]}"
                survivors.append({"place": place, "was": was, "became": became})
    return killed, survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--figures", type=Path, help="file for the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(k) for k in range(arguments.jobs)]
        for folder in folders:
            prepare(folder)
        n_all, items = sample_of(folders[0], arguments.sample, arguments.seed)
        print(f"{len(items)} of {n_all} mutants", flush=True)
        parts = [items[k :: arguments.jobs] for k in range(arguments.jobs)]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            found = list(pool.map(run, folders, parts))
    killed = sum(k for k, _ in found)
    survivors = [survivor for _, some in found for survivor in some]
    print(f"killed: {killed} of {killed + len(survivors)}")
    for survivor in survivors:
        print(survivor["place"], survivor["was"], survivor["became"], sep="\n  ")
    if arguments.figures:
        content = {"mutants": n_all, "tried": len(items), "killed": killed, "survivors": survivors}
        arguments.figures.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
