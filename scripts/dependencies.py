#!/usr/bin/env python3
"""What the program consists of besides its own code: checks the crates, lists them (SBOM), and collects their licences.

usage: scripts/dependencies.py check            licences, versions and sources, by the rules in deny.toml
       scripts/dependencies.py sbom FILE.json   a bill of materials in CycloneDX 1.5: https://cyclonedx.org/docs/1.5/json
       scripts/dependencies.py notices FILE     the licence texts of the crates that are linked into the program
       --package NAME                           the crate that is built, by default tf2onnx-rs
       --target TRIPLE                          the system that it is for, by default this one

Needs cargo, and Python 3.11 or a Python with pip, which has a reader of TOML too. `check` also knows the crates of other systems,
of tests and of the Python package; the others are about one program. The same Cargo.lock gives the same files.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import uuid
from collections import defaultdict
from pathlib import Path

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def metadata(*options):
    command = ["cargo", "metadata", "--format-version=1", "--locked", *options]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def toml(name):
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


def expression(package):
    """The licence in SPDX's form; an older form of Cargo separates alternatives by a slash."""
    return re.sub(r"\s*/\s*", " OR ", package["license"] or "")


def is_allowed(licence, allowed):
    """Whether an SPDX expression can be met with the allowed licences."""
    words = re.findall(r"\(|\)|[^\s()]+", licence)

    def alternatives():
        met = all_of()
        while words[:1] == ["OR"]:
            words.pop(0)
            met = all_of() or met
        return met

    def all_of():
        met = one()
        while words[:1] == ["AND"]:
            words.pop(0)
            met = one() and met
        return met

    def one():
        word = words.pop(0)
        if word == "(":
            met = alternatives()
            words.pop(0)
            return met
        if words[:1] == ["WITH"]:
            word = f"{word} WITH {words[1]}"
            del words[:2]
        return word in allowed

    return bool(words) and alternatives()


def is_skipped(package, skipped):
    """Whether the version is one of `name@version`, in which parts of the version may be left out."""
    names = (entry["crate"].split("@") for entry in skipped)
    return any(name == package["name"] and f"{package['version']}.".startswith(f"{version}.") for name, version in names)


def check():
    rules = toml("deny.toml")
    exceptions = {entry["crate"]: entry["allow"] for entry in rules["licenses"]["exceptions"]}
    found = metadata("--all-features")
    own = set(found["workspace_members"])
    problems, versions = [], defaultdict(list)
    for package in found["packages"]:
        name = f"{package['name']} {package['version']}"
        allowed = {*rules["licenses"]["allow"], *exceptions.get(package["name"], [])}
        if not is_allowed(expression(package), allowed):
            problems.append(f"{name}: the licence {package['license']} is not allowed by deny.toml")
        if package["source"] != CRATES_IO and package["id"] not in own:
            problems.append(f"{name}: it comes from {package['source'] or package['manifest_path']}")
        if not is_skipped(package, rules["bans"]["skip"]):
            versions[package["name"]].append(package["version"])
    problems += [f"{name}: there are several versions, {', '.join(of)}" for name, of in versions.items() if len(of) > 1]
    for entry in rules["bans"]["skip"]:
        if not any(is_skipped(package, [entry]) for package in found["packages"]):
            problems.append(f"{entry['crate']}: deny.toml skips it, and it is no longer used")
    print("\n".join(problems) or f"{len(found['packages'])} crates: licences, versions and sources are as deny.toml says")
    return 1 if problems else 0


def host():
    """The system that runs this."""
    version = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.search(r"^host: (.*)$", version, re.M)[1]


class Crates:
    """The crates that a program for one system is built of."""

    def __init__(self, package, target):
        found = metadata(f"--filter-platform={target}")
        self.packages = {package["id"]: package for package in found["packages"]}
        self.edges = {
            node["id"]: [
                (dep["pkg"], {kind["kind"] for kind in dep["dep_kinds"]})
                for dep in node["deps"]
                if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])
            ]
            for node in found["resolve"]["nodes"]
        }
        self.root = next(id for id in found["workspace_members"] if self.packages[id]["name"] == package)
        self.linked = self.reachable(lambda id, kinds: None in kinds and not self.is_macro(id))
        self.built = self.reachable(lambda id, kinds: True)

    def is_macro(self, id):
        return any("proc-macro" in target["kind"] for target in self.packages[id]["targets"])

    def reachable(self, follows):
        seen, open_ = {self.root}, [self.root]
        while open_:
            new = [id for id, kinds in self.edges[open_.pop()] if id not in seen and follows(id, kinds)]
            seen.update(new)
            open_ += new
        return seen

    def sorted(self, ids):
        return sorted((self.packages[id] for id in ids), key=lambda package: (package["name"], package["version"]))


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, crates, checksums):
    entry = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": expression(package)}],
        "purl": purl(package),
    }
    if package["id"] == crates.root:
        return {**entry, "type": "application"}
    # Macros and build scripts run while the program is compiled, and are no part of it.
    entry["scope"] = "required" if package["id"] in crates.linked else "excluded"
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def sbom(crates):
    locked = toml("Cargo.lock")["package"]
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in locked}
    parts = crates.sorted(crates.built - {crates.root})
    components = [component(package, crates, checksums) for package in parts]
    depends = [
        {
            "ref": purl(package),
            "dependsOn": sorted({purl(crates.packages[id]) for id, _ in crates.edges[package["id"]]}),
        }
        for package in crates.sorted(crates.built)
    ]
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(crates.packages[crates.root], crates, checksums)},
        "components": components,
        "dependencies": depends,
    }
    # No time and no random number: the name of the document follows from its content.
    content = hashlib.sha256(json.dumps(bom, sort_keys=True).encode()).hexdigest()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, content).urn
    schema = "http://cyclonedx.org/schema/bom-1.5.schema.json"
    return json.dumps({"$schema": schema, "serialNumber": serial, **bom}, indent=1) + "\n"


def notices(crates):
    texts, without = defaultdict(list), []
    for package in crates.sorted(crates.linked - {crates.root}):
        folder = Path(package["manifest_path"]).parent
        is_licence = re.compile(r"(licen[cs]e|copying|notice|unlicense)", re.I).match
        files = sorted(file for file in folder.iterdir() if is_licence(file.name) and file.is_file())
        name = f"{package['name']} {package['version']} ({expression(package)})"
        for file in files:
            texts[file.read_text(encoding="utf-8", errors="replace").strip()].append(name)
        if not files:
            without.append(f"{name}: {package['repository'] or purl(package)}")
    parts = ["The program contains these crates. Each text stands below the crates that have it."]
    for text, names in sorted(texts.items(), key=lambda item: item[1]):
        parts.append("\n".join(sorted(set(names))) + "\n\n" + text)
    if without:
        parts.append("These crates name their licence and come without its text:\n" + "\n".join(without))
    return f"\n\n{'=' * 80}\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "sbom", "notices"])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--package", default="tf2onnx-rs")
    parser.add_argument("--target", default=None)
    args = parser.parse_args()
    if args.command == "check":
        return check()
    if args.file is None:
        parser.error(f"{args.command} needs a file")
    crates = Crates(args.package, args.target or host())
    text = {"sbom": sbom, "notices": notices}[args.command](crates)
    args.file.write_bytes(text.encode())
    print(f"{args.file}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
