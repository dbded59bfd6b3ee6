"""What a measurement depends on beside the code: threads, machine, versions. Nothing here measures.

The number of threads is fixed in the environment of a child process, because BLAS, OpenMP and Numba read it once, when
they are loaded. ``in_each_setting`` runs a script again for each setting; run.py starts its workers the same way.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

THREADS = "BENCHMARK_THREADS"
_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
# They choose another BLAS kernel than the processor's own; every solver shall run as it does on a plain machine.
_REMOVED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
PACKAGES = (
    *("marginclf", "numpy", "scipy", "scikit-learn", "numba", "threadpoolctl"),
    *("skglm", "celer", "snapml", "glum", "tabmat", "liblinear-multicore"),
)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings(option: str) -> list[int]:
    """Numbers of threads for the option 1, all or both."""
    return {"1": [1], "all": [cores()], "both": sorted({1, cores()})}[option]


def threads() -> int:
    """The number of threads of this process, as ``child_environment`` set it."""
    return int(os.environ.get(THREADS, "1"))


def count(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"


def child_environment(number: int) -> dict[str, str]:
    """This environment with so many threads for everything, and without choices of another BLAS kernel."""
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    return {**kept, **dict.fromkeys((*_LIMITS, THREADS), str(number))}


def add_threads_option(parser: argparse.ArgumentParser, default: str | None = "both") -> None:
    parser.add_argument("--threads", choices=("1", "all", "both"), default=default, help="one thread, all cores, both")


def in_each_setting(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Call main in a fresh process for each thread setting: this script, started again."""
    add_threads_option(parser)
    arguments = parser.parse_args()
    if THREADS in os.environ:
        main(arguments)
        return
    for number in settings(arguments.threads):
        print(f"\n## {count(number)}\n", flush=True)
        subprocess.run([sys.executable, *sys.argv], env=child_environment(number), check=True)


def on_one_thread(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Call main in a fresh process on one thread: this script, started again."""
    arguments = parser.parse_args()
    if THREADS in os.environ:
        main(arguments)
    else:
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=child_environment(1), check=False).returncode)


def machine() -> dict[str, object]:
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.machine()


def versions() -> dict[str, str]:
    """Versions of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> list[dict[str, object]]:
    """The thread pools loaded into this process, without their places on this machine's disk."""
    import threadpoolctl

    shown = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{key: pool[key] for key in shown if key in pool} for pool in threadpoolctl.threadpool_info()]


def commit() -> str | None:
    """Commit of this checkout, marked where files differ from it; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        ran = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()
