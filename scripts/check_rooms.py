#!/usr/bin/env python3
"""Compares the table "What uses what" of docs/architecture.md with what the files of src/ import.

usage: scripts/check_rooms.py
Needs Python alone. Tests and comments are left out. Exits with 1, and a line for each room, where they differ, or where
rooms use each other in a circle.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Used by nearly all, or generated.
UNTOLD = {"error", "proto"}


def rooms():
    return {path.stem: path for path in (ROOT / "src").iterdir() if path.stem not in {"lib", "main"} | UNTOLD}


def imported(room, path):
    used = set()
    for file in path.rglob("*.rs") if path.is_dir() else [path]:
        code = file.read_text().split("#[cfg(test)]\nmod tests {")[0]
        code = re.sub(r"//.*", "", code)
        used |= set(re.findall(r"\bcrate::([a-z0-9_]+)", code))
        for group in re.findall(r"\bcrate::\{([^}]*)\}", code):
            used |= set(re.findall(r"(?:^|,)\s*([a-z0-9_]+)", group))
    return (used & set(rooms())) - {room}


def written():
    text = (ROOT / "docs/architecture.md").read_text()
    table = text[text.index("\n| room | uses |") :].strip().split("\n\n")[0].splitlines()[2:]
    told = {}
    for row in table:
        names, used = (re.findall(r"`([a-z0-9_]+)`", cell) for cell in row.split("|")[1:3])
        used = set(rooms()) - {"cli"} if "all of them" in row else set(used)
        for name in names:
            told[name] = used
    return told


def circle(uses):
    """The rooms that are left when those that use nothing more are taken away."""
    left = dict(uses)
    while free := [room for room, used in left.items() if not used & set(left)]:
        for room in free:
            del left[room]
    return sorted(left)


def main():
    uses = {room: imported(room, path) for room, path in sorted(rooms().items())}
    told = written()
    mistakes = []
    for room, used in uses.items():
        missing = used - told.get(room, set())
        # The command line may use all, and does not have to.
        idle = told.get(room, set()) - used if room != "cli" else set()
        mistakes += [f"{room} uses {name}, and the table does not say so" for name in sorted(missing)]
        mistakes += [f"the table says that {room} uses {name}, and it does not" for name in sorted(idle)]
    mistakes += [f"the table has no row for {room}" for room in uses if room not in told]
    mistakes += [f"the table has a row for {room}, which is not there" for room in told if room not in uses]
    if left := circle(uses):
        mistakes.append(f"there is a circle among {', '.join(left)}")
    print("\n".join(mistakes) or f"{len(uses)} rooms, as docs/architecture.md has them")
    sys.exit(1 if mistakes else 0)


if __name__ == "__main__":
    main()
