#!/usr/bin/env python3
"""Follows the links of all Markdown files of the repository.

usage: scripts/check_links.py
Needs Python and git, and no network. A relative link must lead to a file of the repository, and its part after
a # to a heading in it. Other links must look like addresses. docs/README.md must link every page in docs/.
Prints a line for each mistake, and exits with 1 if there are any.
"""

import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "docs/README.md"
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s>]*(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
# Links in links: a picture that leads somewhere.
PICTURE = re.compile(r"!\[[^\]]*\]\(([^()\s]+)\)")
AUTOMATIC = re.compile(r"<([a-z][a-z0-9+.-]*:[^>\s]*)>")
FENCE = re.compile(r"^ {0,3}(```|~~~)")


def pages():
    """The pages that git tracks or would add: not those of a build or an environment."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0")) - {""}) if (ROOT / name).exists()]


def prose(text):
    """The text with its code blanked, line by line, so that lines keep their numbers."""
    lines, fence, blank = [], None, True
    for line in text.splitlines():
        mark = FENCE.match(line)
        if fence or mark:
            fence = None if fence and mark and mark[1] == fence else fence or mark[1]
            lines.append("")
            blank = False
            continue
        # An indented block begins after an empty line; deeper lines of a list are indented too, but hold no such gap.
        indented = line.startswith("    ") and (blank or (lines and lines[-1] is None))
        lines.append(None if indented else line)
        blank = not line.strip()
    return "\n".join(line or "" for line in lines)


def without_code(text):
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", lambda code: " " * len(code[0]), text)


def slug(heading):
    """GitHub's anchor of a heading."""
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    heading = re.sub(r"[*`]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(path):
    found, times = set(), {}
    for line in prose(path.read_text()).splitlines():
        heading = re.match(r" {0,3}#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = slug(heading[1])
            number = times.get(name, 0)
            times[name] = number + 1
            found.add(f"{name}-{number}" if number else name)
    return found


def links(text):
    """The links of a page, each with its line."""
    text = without_code(prose(text))
    for pattern in (LINK, REFERENCE, PICTURE, AUTOMATIC):
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match[1]


def problem(page, target):
    """What is wrong with a link, and the file that it leads to."""
    parts = urllib.parse.urlsplit(target)
    if parts.scheme in ("http", "https"):
        good = re.fullmatch(r"[\w.-]+\.\w+(:\d+)?", parts.netloc)
        return (None if good else "is not an address"), None
    if parts.scheme == "mailto":
        return (None if "@" in parts.path else "is not an address"), None
    if parts.scheme or parts.netloc or target.startswith("/"):
        return "is neither relative nor an address of the web", None
    path = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page
    if not path.is_relative_to(ROOT):
        return "leads out of the repository", None
    if not path.exists():
        return "leads to a file that does not exist", None
    if parts.fragment and path.suffix == ".md" and urllib.parse.unquote(parts.fragment) not in anchors(path):
        return f"leads to a heading that {path.relative_to(ROOT)} does not have", path
    return (None if target else "leads nowhere"), path


def main():
    mistakes, count, indexed = [], 0, set()
    for page in pages():
        for line, target in sorted(set(links(page.read_text()))):
            count += 1
            wrong, leads_to = problem(page, target)
            if page == INDEX:
                indexed.add(leads_to)
            if wrong:
                mistakes.append(f"{page.relative_to(ROOT)}:{line}: {target} {wrong}")
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if page != INDEX and page not in indexed:
            mistakes.append(f"docs/README.md: does not lead to {page.relative_to(ROOT)}")
    print("\n".join(mistakes) or f"{count} links in {len(pages())} pages")
    sys.exit(1 if mistakes else 0)


if __name__ == "__main__":
    main()
