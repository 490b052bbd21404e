"""Runs a command on changed files, and says what is wrong with what it does."""
import hashlib
import os
import pathlib
import resource
import shutil
import subprocess
import threading
import time

# What a command may take, and when it is ended.
SECONDS, KILL_SECONDS = 10, 20
MEGABYTES, SMALL_BYTES = 256, 1_000_000
# Nothing that a test does is to take the memory of the machine.
ADDRESS_SPACE = 8 << 30
OLD_OUTPUT = b"what was there before"
# A time of modification, in seconds since 1970.
LONG_AGO = 10**9


def limit_memory():
    """For the programs that are started from now on."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Done:
    """What a command did: its status (negative for a signal), seconds, megabytes, messages and outputs."""

    def __init__(self, status, seconds, megabytes, stderr, problems, output):
        self.status, self.seconds, self.megabytes = status, seconds, megabytes
        self.stderr, self.problems, self.output = stderr, problems, output


def words(command, seed, inside, outside):
    """The words of a command, with the paths of this run."""
    places = {"IN": str(inside / seed.input), "OUT": str(outside / "output"), "HERE": str(inside)}

    def word(text):
        for key, path in places.items():
            if text == key or text.startswith((key + ".", key + "/")):
                return path + text[len(key) :]
        return text

    return [word(text) for text in command]


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def run(binary, seed, files, command, work):
    """Runs the command on the files in the empty folder `work`."""
    work = pathlib.Path(work)
    inside, outside, temporary = (work / name for name in ("in", "out", "tmp"))
    for folder in (inside, outside, temporary):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, data in files.items():
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(data)
        # The program waits for some milliseconds before it reads a file that was written just now.
        os.utime(inside / name, (LONG_AGO, LONG_AGO))
    typed = words(command, seed, inside, outside)
    target = next((pathlib.Path(word) for word in typed if word.startswith(str(outside))), None)
    if target:
        target.write_bytes(OLD_OUTPUT)
    status, seconds, megabytes, stderr = execute([binary, *typed], work, temporary)
    problems = []
    # The program turns a panic into an error.
    if "internal error" in stderr or "panicked" in stderr:
        problems.append(("panics", f"status {status}"))
    elif status < 0 or status > 2 or "overflowed its stack" in stderr:
        problems.append(("aborts", f"status {status}"))
    elif status and (stderr.count("\n") != 1 or not stderr.startswith("error: ") or len(stderr) > 4000):
        problems.append(("messages", "no sentence"))
    if seconds > SECONDS:
        problems.append(("slow", f"{seconds:.0f} s"))
    if megabytes > MEGABYTES and sum(map(len, files.values())) < SMALL_BYTES:
        problems.append(("memory", f"{megabytes:.0f} MB"))
    if snapshot(inside) != {**{str(p): None for name in files for p in pathlib.PurePath(name).parents if str(p) != "."}, **files}:
        problems.append(("inputs changed", "the folder of the input has other files"))
    after = snapshot(outside)
    output = after.pop(target.name, None) if target else None
    if after or any(temporary.iterdir()):
        problems.append(("files left", ", ".join([*after, *os.listdir(temporary)])))
    if target and status and output != OLD_OUTPUT:
        problems.append(("targets changed", target.name))
    if target and not status and output == OLD_OUTPUT:
        problems.append(("targets changed", "nothing was written"))
    return Done(status, seconds, megabytes, stderr, problems, None if status or output is None else hashlib.sha256(output).hexdigest())


def execute(command, work, temporary):
    environment = {**os.environ, "TMPDIR": str(temporary), "RUST_BACKTRACE": "0"}
    start = time.monotonic()
    with open(work / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=environment, cwd=work, start_new_session=True
        )
    timer = threading.Timer(KILL_SECONDS, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    message = (work / "stderr").read_bytes().decode("utf-8", "replace")
    return process.returncode, time.monotonic() - start, usage.ru_maxrss / 1024, message
