"""The comparison of cache and history with the market model."""

import sys
from pathlib import Path

# Run as a file, Python looks for packages beside it and not in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.oracle_check import main

if __name__ == "__main__":
    sys.exit(main())
