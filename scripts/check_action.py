#!/usr/bin/env python3
"""Runs the steps of action.yml as a GitHub runner does, and checks their results.

usage: check_action.py
Installs the command in both ways: from the source of the action, and from the wheel that scripts/check_wheel.sh has built in
target/wheels, without a package index. Needs Rust and Python 3.9 or newer with venv. PyYAML and check-jsonschema, which has the
schema of actions, are installed from PyPI into target/action-env.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target/action-env"
WHEELS = ROOT / "target/wheels"
EXAMPLE = ROOT / "examples/inception_v3_tiny/inception_v3_tiny.ckpt"
# bash as GitHub starts it for `shell: bash`:
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
EXPRESSION = re.compile(r"\$\{\{\s*inputs\.([\w-]+)\s*\}\}")


def enter_environment():
    """Goes on in an interpreter that has what is needed."""
    python = ENVIRONMENT / "bin/python"
    if Path(sys.prefix) == ENVIRONMENT:
        return
    if not (ENVIRONMENT / "bin/check-jsonschema").exists():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        packages = ["pyyaml>=6", "check-jsonschema>=0.28"]
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True)
    os.execv(python, [python, *sys.argv])


def demand(holds, what):
    if not holds:
        sys.exit(f"check_action.py: {what}")


class Runner:
    """What GitHub provides: a folder to work in, one for what is temporary, and the files that steps write to."""

    def __init__(self, action, folder):
        self.action = action
        self.work, self.temp = folder / "work", folder / "temp"
        self.files = {name: folder / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        self.work.mkdir(parents=True)
        self.temp.mkdir()

    def run(self, inputs, environment=None):
        """Runs the steps up to one that fails; its result, or that of the last one."""
        for file in self.files.values():
            file.write_text("")
        values = {name: inputs.get(name, given.get("default", "")) for name, given in self.action["inputs"].items()}
        for step in self.action["runs"]["steps"]:
            demand(set(step) <= {"name", "id", "shell", "env", "run"}, f"{step['name']}: a key that this script does not know")
            demand("${{" not in step["run"], f"{step['name']}: an expression inside of a script, where it could run")
            script = self.temp / "step.sh"
            script.write_text(step["run"])
            variables = {**os.environ, **(environment or {}), "RUNNER_TEMP": self.temp, "GITHUB_ACTION_PATH": ROOT, **self.files}
            for name, text in step["env"].items():
                variables[name] = EXPRESSION.sub(lambda found: values[found[1]], text)
            # The last folder added comes first.
            added = self.files["GITHUB_PATH"].read_text().splitlines()[::-1]
            variables["PATH"] = os.pathsep.join([*added, os.environ["PATH"]])
            done = subprocess.run([*BASH, script], cwd=self.work, env=variables, capture_output=True, text=True)
            if done.returncode:
                break
        return done

    def converts(self, inputs, environment=None):
        done = self.run(inputs, environment)
        demand(done.returncode == 0, f"{inputs} failed:\n{done.stdout}{done.stderr}")
        demand(self.files["GITHUB_OUTPUT"].read_text() == f"model={inputs['output']}\n", f"{inputs}: the output `model` is wrong")
        demand(inputs["output"] in self.files["GITHUB_STEP_SUMMARY"].read_text(), f"{inputs}: nothing in the job's summary")
        return (self.work / inputs["output"]).read_bytes()

    def fails(self, inputs, why):
        done = self.run(inputs)
        demand(done.returncode != 0, f"{inputs} did not fail")
        demand(why in done.stdout + done.stderr, f"{inputs} failed for another reason:\n{done.stdout}{done.stderr}")
        demand(not self.files["GITHUB_OUTPUT"].read_text(), f"{inputs} failed and has an output")
        demand(not list(self.work.rglob("failed.onnx")), f"{inputs} failed and left a model")


def main():
    enter_environment()
    import yaml

    checker = ENVIRONMENT / "bin/check-jsonschema"
    subprocess.run([checker, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"], check=True)
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    wheels = list(WHEELS.glob("*.whl"))
    demand(len(wheels) == 1, "there has to be one wheel in target/wheels; run scripts/check_wheel.sh")
    version = wheels[0].name.split("-")[1]

    with tempfile.TemporaryDirectory() as scratch:
        built = Runner(action, Path(scratch) / "built")
        # A name with a space, options with quotes and on two lines, and what a shell would run.
        name = "a model $(touch expanded)"
        (built.work / name).write_bytes(EXAMPLE.read_bytes())
        options = "--rename-inputs 'the image'\n--outputs \"Logits\" --opset 15"
        inputs = {"input": name, "output": "models/new/a model.onnx", "options": options}
        model = built.converts(inputs)
        demand(not (built.work / "expanded").exists(), "a name was run as a command")
        command = built.temp / "tf2onnx-rs/bin/tf2onnx-rs"
        arguments = ["--rename-inputs", "the image", "--outputs", "Logits", "--opset", "15"]
        subprocess.run([command, "convert", "-q", name, "direct.onnx", *arguments], cwd=built.work, check=True)
        demand(model == (built.work / "direct.onnx").read_bytes(), "the options did not arrive as they were written")
        print("built from source: converts, with quotes and spaces")

        failing = {"input": name, "output": "failed.onnx"}
        built.fails({**failing, "input": "missing.ckpt"}, "missing.ckpt")
        built.fails({**failing, "options": "--no-such-option"}, "--no-such-option")
        built.fails({**failing, "options": "--outputs 'Logits"}, "quote")
        built.fails({"output": "failed.onnx"}, "input and output have to be")
        print("fails with a reason, and without a model")

        only = built.run({})
        demand(only.returncode == 0 and not built.files["GITHUB_OUTPUT"].read_text(), "without inputs more than the command is installed")
        demand(only.stdout == "" and built.files["GITHUB_PATH"].read_text().strip() == str(command.parent), "the command is not on the PATH")
        print("without inputs: the command is installed and nothing else")

        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
        for wanted in (version, f"v{version}", "latest"):
            from_wheel = Runner(action, Path(scratch) / wanted)
            from_wheel.converts({"input": str(EXAMPLE), "output": "model.onnx", "version": wanted}, index)
            print(f"version {wanted}: installed by pip, converts")
        none = Runner(action, Path(scratch) / "none").run({"version": "0.0.0"}, index)
        demand(none.returncode != 0 and "0.0.0" in none.stderr, "a version that is not there was installed")


if __name__ == "__main__":
    main()
