"""Changes of archives: of their members, which are packed again with right checksums, and of the headers of a tar archive."""
import gzip
import io
import tarfile
import warnings
import zipfile

from .fields import INTEGERS

NAMES = ["", ".", "..", "../{}", "/tmp/{}", "./{}", "a/{}", "{}/", "{}/a", "a//{}", "a/../{}", "{}.gz", "._{}", "x" * 300 + "{}", "a\n{}", "é{}"]
# Where the fields of a header begin, and their lengths: name, size, kind, link and magic.
HEADER, CHECKSUM = 512, slice(148, 156)
FIELDS = [(0, 100), (124, 12), (156, 1), (157, 100), (257, 8)]
# Two members of one name are a change.
warnings.filterwarnings("ignore", "Duplicate name")


def tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        end = archive.offset
    # Two blocks of zeros are the end. Python fills up ten kilobytes.
    return stream.getvalue()[: end + 2 * HEADER]


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def members(data):
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [(member.name, archive.extractfile(member).read()) for member in archive.getmembers()]


def mutated(data, rng, change_file):
    """The bytes of an archive with one change, and what was changed. `change_file` changes a member, by its name and bytes."""
    is_gzip = data.startswith(b"\x1f\x8b")
    plain = gzip.decompress(data) if is_gzip else data
    if not plain.startswith(b"PK") and rng.random() < 0.3:
        plain, what = header_changed(plain, rng)
    else:
        pack = zipped if plain.startswith(b"PK") else tar
        changed, what = members_changed(members(plain), rng, change_file)
        plain = pack(changed)
    return (gzip.compress(plain, mtime=0) if is_gzip else plain), what


def members_changed(found, rng, change_file):
    index, other = rng.randrange(len(found)), rng.randrange(len(found))
    (name, data), change = found[index], rng.randrange(8)
    if change == 0:
        del found[index]
        return found, f"without {name}"
    if change == 1:
        found.append((name, found[other][1]))
        return found, f"{name} again, as {found[other][0]}"
    if change == 2:
        found[index], found[other] = (name, found[other][1]), (found[other][0], data)
        return found, f"{name} and {found[other][0]} exchanged"
    if change in (3, 4):
        renamed = rng.choice(NAMES).format(name)
        found[index] = (renamed, data)
        return found, f"{name} renamed to {renamed[-40:]!r}"
    changed, what = change_file(name, data)
    found[index] = (name, changed)
    return found, f"{name}: {what}"


def header_changed(data, rng):
    """Another text, number or kind in the header of a member of a tar archive, whose checksum is right again."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        begin = rng.choice([member.offset for member in archive.getmembers()])
    at, length = rng.choice(FIELDS)
    texts = [b"%o" % abs(rng.choice(INTEGERS)), b"\x80" + bytes(rng.randrange(256) for _ in range(11)), b"\xff" * length, b"", b" ", b"/", b"../x"]
    kinds = [bytes([kind]) for kind in b"0123456789LKxgSDVA\0"]
    text = rng.choice(kinds if length == 1 else texts)
    header = bytearray(data[begin : begin + HEADER])
    header[at : at + length] = text[:length].ljust(length, b"\0")
    header[CHECKSUM] = b" " * 8
    header[CHECKSUM] = b"%06o\0 " % sum(header)
    return data[:begin] + bytes(header) + data[begin + HEADER :], f"{text[:length]} at {at} of the header at {begin}"
