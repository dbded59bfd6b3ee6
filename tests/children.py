"""Processes of their own, for what must not happen in that of the tests."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import marginclf


def child(code, *, cache=None, timeout=240):
    """What a process of its own prints as JSON; a hang ends in an error."""
    environment = {**os.environ, "PYTHONPATH": str(Path(marginclf.__file__).parents[1])}
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
