"""Write the golden fits anew: ``python tests/golden``. To be done only where a fit is meant to change, and said why."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import fits

if __name__ == "__main__":
    fits.write()
