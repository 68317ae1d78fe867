#!/usr/bin/env python3
"""check.py [CHECK]: looks for breaches of the project's rules; all checks where none is named.

Exit code 0 none found, 1 some, 77 the check can't be made here.
"""
import sys
from pathlib import Path

import checks


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    names = sys.argv[1:] or list(checks.ALL)
    found = 0
    for name in names:
        try:
            for offence in checks.ALL[name](root):
                print(offence)
                found += 1
        except checks.Skip as reason:
            print(f"{name}: skipped: {reason}")
            if len(names) == 1:
                return 77
    print(f"{', '.join(names)}: {found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
