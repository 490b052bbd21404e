"""Changes of files as bytes and as text."""
import re
import struct

NUMBERS = [0, 1, -1, 2, 7, 127, 128, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)]


def damaged(data, rng):
    """The bytes with one change, and what was changed."""
    if not data:
        return bytes([rng.randrange(256)]), "a byte where there was none"
    change = rng.choice(CHANGES)
    result, what = change(data, rng)
    return (result, what) if result != data else bit(data, rng)


def bit(data, rng):
    at = rng.randrange(len(data))
    changed = bytearray(data)
    index = rng.randrange(8)
    changed[at] ^= 1 << index
    return bytes(changed), f"bit {index} of byte {at}"


def byte(data, rng):
    at = rng.randrange(len(data))
    value = rng.choice([0, 0xFF, 0x7F, 0x80, rng.randrange(256)])
    return data[:at] + bytes([value]) + data[at + 1 :], f"byte {at} is {value:#x}"


def bits(data, rng):
    for _ in range(rng.randint(2, 20)):
        data, _ = bit(data, rng)
    return data, "several bits"


def truncated(data, rng):
    end = rng.choice([rng.randrange(len(data)), len(data) - rng.randint(1, min(len(data), 48))])
    return data[:end], f"the first {end} bytes"


def longer(data, rng):
    more = bytes(rng.randrange(256) for _ in range(rng.choice([1, 8, 48, 1000])))
    return data + more, f"{len(more)} bytes more at the end"


def block(data, rng):
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice([1, 2, 4, 8, 16, 64, 512, 4096]))


def zeroed(data, rng):
    start, end = block(data, rng)
    return data[:start] + bytes(end - start) + data[end:], f"zeros from {start} to {end}"


def doubled(data, rng):
    start, end = block(data, rng)
    return data[:end] + data[start:end] + data[end:], f"{start} to {end} twice"


def cut(data, rng):
    start, end = block(data, rng)
    return data[:start] + data[end:], f"without {start} to {end}"


def moved(data, rng):
    start, end = block(data, rng)
    at = rng.randrange(len(data))
    return data[:at] + data[start:end] + data[at + end - start :], f"{start} to {end} also at {at}"


def spliced(data, other, rng):
    """The beginning of one file and the end of another, or all of the other."""
    if rng.random() < 0.3:
        return other, "another file"
    begin, end = rng.randint(0, len(data)), rng.randint(0, len(other))
    return data[:begin] + other[end:], f"the first {begin} bytes, and another file from {end}"


def length(data, rng):
    """A number where one may be: fixed in either order, or in the form of protocol buffers."""
    at = rng.randrange(len(data))
    value = rng.choice(NUMBERS)
    form = rng.choice(["<H", "<I", "<Q", ">I", "varint"])
    if form == "varint":
        written, left = b"", value % 2**64
        while left >= 0x80:
            written, left = written + bytes([left & 0x7F | 0x80]), left >> 7
        written += bytes([left])
    else:
        size = struct.calcsize(form)
        written = struct.pack(form, value % 2 ** (8 * size))
    kept = rng.choice([len(written), 1])
    return data[:at] + written + data[at + kept :], f"{form} {value} at {at}"


CHANGES = [bit, bit, bit, byte, byte, bits, truncated, truncated, longer, zeroed, doubled, cut, moved, length, length]


def damaged_text(data, rng):
    """The same for a text: its lines, numbers and words."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    if not lines or rng.random() < 0.3:
        return damaged(data, rng)
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.randrange(6)
    if change == 0:
        what, lines[at : at + 1] = f"without line {at + 1}", []
    elif change == 1:
        what = f"line {at + 1} again at {other + 1}"
        lines.insert(other, lines[at])
    elif change == 2:
        what = f"lines {at + 1} and {other + 1} swapped"
        lines[at], lines[other] = lines[other], lines[at]
    elif change == 3:
        what = f"another word in line {at + 1}"
        words = re.findall(r"\w+", lines[other]) or ["x"]
        lines[at] = re.sub(r"\w+", lambda _: rng.choice(words), lines[at], count=rng.randint(1, 2))
    else:
        numbers = list(re.finditer(r"-?\d+(\.\d+)?", lines[at]))
        if not numbers:
            return damaged(data, rng)
        number = rng.choice(numbers)
        value = str(rng.choice(NUMBERS + ["1e999", "-0.5", "nan", '""']))
        what = f"{value} instead of {number[0]} in line {at + 1}"
        lines[at] = lines[at][: number.start()] + value + lines[at][number.end() :]
    return "".join(lines).encode(), what
