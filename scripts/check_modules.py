#!/usr/bin/env python3
"""Compares the table of docs/architecture.md, which says what each module uses, with what the files of src/ import.

usage: scripts/check_modules.py
Needs Python only. A module is a folder or file directly in src/. Unit tests do not count. Prints a line for each
difference and for modules that use each other in a circle, and exits with 1 if there are any.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Nearly all modules use `error`, `proto` is generated, and `allocator` is the program's alone: the table leaves them out.
NOT_IN_TABLE = {"error", "proto", "allocator"}


def modules():
    paths = (ROOT / "src").iterdir()
    return {path.stem: path for path in paths if path.stem not in {"lib", "main"} | NOT_IN_TABLE}


def imported(module, path):
    used = set()
    files = [file for file in path.rglob("*.rs") if file.stem != "tests"] if path.is_dir() else [path]
    for file in files:
        code = file.read_text().split("#[cfg(test)]\nmod tests {")[0]
        code = re.sub(r"//.*", "", code)
        used |= set(re.findall(r"\bcrate::([a-z0-9_]+)", code))
        for group in re.findall(r"\bcrate::\{([^}]*)\}", code):
            used |= set(re.findall(r"(?:^|,)\s*([a-z0-9_]+)", group))
    return (used & set(modules())) - {module}


def documented():
    text = (ROOT / "docs/architecture.md").read_text()
    table = text[text.index("\n| module | uses |") :].strip().split("\n\n")[0].splitlines()[2:]
    documented = {}
    for row in table:
        names, used = (re.findall(r"`([a-z0-9_]+)`", cell) for cell in row.split("|")[1:3])
        used = set(modules()) - {"cli"} if "all of them" in row else set(used)
        for name in names:
            documented[name] = used
    return documented


def circle(uses):
    """The modules that remain when those that use none of the remaining ones are removed, again and again."""
    remaining = dict(uses)
    while free := [module for module, used in remaining.items() if not used & set(remaining)]:
        for module in free:
            del remaining[module]
    return sorted(remaining)


def main():
    uses = {module: imported(module, path) for module, path in sorted(modules().items())}
    table = documented()
    mistakes = []
    for module, used in uses.items():
        missing = used - table.get(module, set())
        # The command line may use all modules, and does not have to.
        unused = table.get(module, set()) - used if module != "cli" else set()
        mistakes += [f"{module} uses {name}, and the table does not say so" for name in sorted(missing)]
        mistakes += [f"the table says that {module} uses {name}, and it does not" for name in sorted(unused)]
    mistakes += [f"the table has no row for {module}" for module in uses if module not in table]
    mistakes += [f"the table has a row for {module}, which does not exist" for module in table if module not in uses]
    if remaining := circle(uses):
        mistakes.append(f"there is a circle among {', '.join(remaining)}")
    print("\n".join(mistakes) or f"{len(uses)} modules, as docs/architecture.md has them")
    sys.exit(1 if mistakes else 0)


if __name__ == "__main__":
    main()
