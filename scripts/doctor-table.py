#!/usr/bin/env python3
"""doctor-table.py FILE...: what `vitcl doctor --json` wrote, of one or several machines, as one Markdown table.

A column a device, a row a check: its worst error, or what failed. Oclgrind is a device only inside its own program:
`OCL_ICD_VENDORS=/nonexistent oclgrind vitcl doctor --json > oclgrind.json`.
"""
import json
import sys


def cell(check) -> str:
    if check is None:
        return "–"
    if check["failures"]:
        return f"**{len(check['failures'])} failures**"
    if check["inputs"] == 0:
        return "–"
    error = check["worst_error"]
    if error == 0:
        return "exact"
    return f"{error:.1f} ulp" if check["unit"] == "ulp" else f"{100 * error:.1f} %"


def main(files: list[str]) -> int:
    if not files:
        print(__doc__, file=sys.stderr)
        return 2
    devices = []
    for file in files:
        with open(file, encoding="utf-8") as stream:
            devices += json.load(stream)
    checks = list(dict.fromkeys(check["op"] for device in devices for check in device["ops"]))
    print("| check | " + " | ".join(f"{d['alias'] or d['platform']} {d['driver_version']}" for d in devices) + " |")
    print("|---|" + "---|" * len(devices))
    for name in checks:
        rows = [next((check for check in d["ops"] if check["op"] == name), None) for d in devices]
        print(f"| {name} | " + " | ".join(map(cell, rows)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
