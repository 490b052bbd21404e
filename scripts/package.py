#!/usr/bin/env python3
"""Packs the program for one system as it is published: an archive with the licence, the licences of its crates and its bill of
materials, and the bill of materials beside it.

usage: scripts/package.py TARGET DIR [--profile PROFILE]

Needs the program that `cargo build --release --target TARGET` has built; without --target, TARGET is `host`. The same program gives the
same archive: its files have the time SOURCE_DATE_EPOCH, by default 1980-01-01. See scripts/dependencies.py for the rest.
"""

import argparse
import gzip
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import dependencies

ROOT = Path(__file__).resolve().parent.parent
# zip archives know no earlier time.
EARLIEST = 315532800


def archived(files, name, moment):
    """A tar.gz, with folders in its names."""
    packed = io.BytesIO()
    # The header of gzip has a time, too.
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=moment, filename="") as compressed:
        with tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, (content, mode) in files.items():
                entry = tarfile.TarInfo(f"{name}/{path}")
                entry.size, entry.mode, entry.mtime = len(content), mode, moment
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def zipped(files, name, moment):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, (content, mode) in files.items():
            entry = zipfile.ZipInfo(f"{name}/{path}", time.gmtime(moment)[:6])
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            # 3 is Unix: otherwise the system that packs is named.
            entry.create_system = 3
            archive.writestr(entry, content)
    return packed.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--profile", default="release", help="the folder in target/ with the program")
    args = parser.parse_args()
    host = dependencies.host()
    target = host if args.target == "host" else args.target
    built = ROOT / "target" / ("" if args.target == "host" else target) / args.profile
    is_windows = "windows" in target
    program = built / ("tf2onnx-rs.exe" if is_windows else "tf2onnx-rs")
    if not program.is_file():
        sys.exit(f"package.py: {program} does not exist; build it with cargo")
    crates = dependencies.Crates("tf2onnx-rs", target)
    sbom = dependencies.sbom(crates).encode()
    version = crates.packages[crates.root]["version"]
    files = {
        program.name: (program.read_bytes(), 0o755),
        "LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
        "README.md": ((ROOT / "README.md").read_bytes(), 0o644),
        "THIRD-PARTY-LICENSES": (dependencies.notices(crates).encode(), 0o644),
        "tf2onnx-rs.cdx.json": (sbom, 0o644),
    }
    name = f"tf2onnx-rs-{version}-{target}"
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)), EARLIEST)
    archive = (zipped if is_windows else archived)(files, name, moment)
    args.dir.mkdir(parents=True, exist_ok=True)
    for path, content in [(f"{name}.{'zip' if is_windows else 'tar.gz'}", archive), (f"{name}.cdx.json", sbom)]:
        (args.dir / path).write_bytes(content)
        print(f"{args.dir / path}: {len(content)} bytes")
    # Where it can run, it shows that it does.
    if target == host:
        subprocess.run([program, "--version"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
