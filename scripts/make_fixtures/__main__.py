"""Makes fixtures of the tests with real TensorFlow. README.md lists them.

usage: python scripts/make_fixtures FIXTURE [CASE ...] [--source DIR] [--into DIR] [--check]

Runs in the environment of scripts/environment.sh.
"""

import argparse
import importlib
import inspect
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "tests/fixtures"
NOT_GENERATORS = {"__main__", "cases", "compare", "contrib", "tensorflow1"}
GENERATORS = sorted({path.stem for path in HERE.glob("*.py")} - NOT_GENERATORS)


def arguments():
    parser = argparse.ArgumentParser(prog="make_fixtures", description=__doc__.partition("\n")[0])
    parser.add_argument("fixture", choices=GENERATORS, metavar="FIXTURE", help=", ".join(GENERATORS))
    parser.add_argument("cases", nargs="*", metavar="CASE", help="the cases to make, where a fixture is a folder of cases; by default all")
    parser.add_argument("--source", type=pathlib.Path, metavar="DIR", help="other people's code that the generator runs: see README.md")
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", default=FIXTURES, help="where to write [default: tests/fixtures]")
    parser.add_argument("--check", action="store_true", help="write nothing, and compare with the fixtures in tests/fixtures")
    return parser, parser.parse_args()


def make(parser, args, folder):
    # As modules of a package: the name of a generator hides no module that TensorFlow imports.
    sys.path[0] = str(HERE.parent)
    generator = importlib.import_module(f"{HERE.name}.{args.fixture}")
    options = {name: value for name, value in (("cases", args.cases), ("source", args.source)) if value}
    for name in options.keys() - inspect.signature(generator.make).parameters.keys():
        parser.error(f"the generator of {args.fixture} takes no {name}")
    generator.make(folder, **options)
    return generator


def main():
    parser, args = arguments()
    if not args.check:
        make(parser, args, args.into)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        generator = make(parser, args, folder)
        from make_fixtures.compare import report

        return int(not report(args.fixture, folder, FIXTURES, getattr(generator, "TOLERANCE", 1e-6)))


if __name__ == "__main__":
    sys.exit(main())
