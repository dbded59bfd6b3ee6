"""Write golden fits: ``python tests/golden --missing`` those of a new loss, ``python tests/golden`` all of them anew.

The others stay as they are by the first; the second is to be done only where a fit is meant to change, and said why.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import fits

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python tests/golden", description="Write the golden fits anew.")
    parser.add_argument("--missing", action="store_true", help="only those that are not stored yet")
    if parser.parse_args().missing:
        print("\n".join(fits.write_missing()) or "nothing is missing")
    else:
        fits.write()
