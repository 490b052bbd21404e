"""Changes of the entries of checkpoints, whose checksums are right again.

Sources: `tensorflow/core/lib/io/format.cc`, `block_builder.cc` and `table_builder.cc`; `tensorflow/core/lib/hash/crc32c.h`;
`WriteStringTensor` in `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`.
"""
import struct

from tensorflow.core.protobuf import tensor_bundle_pb2, trackable_object_graph_pb2
from tensorflow.core.util import saved_tensor_slice_pb2

from . import fields

FOOTER, MAGIC = 48, struct.pack("<Q", 0xDB4775248B80FB57)
OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"


def checksum_of(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CHECKSUMS = [checksum_of(byte) for byte in range(256)]


def masked_checksum(data):
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = checksum >> 8 ^ CHECKSUMS[(checksum ^ byte) & 0xFF]
    checksum ^= 0xFFFFFFFF
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def written_varint(value):
    written = b""
    while value >= 0x80:
        written, value = written + bytes([value & 0x7F | 0x80]), value >> 7
    return written + bytes([value])


def block_entries(data, offset, size):
    """The keys and values of a block that is not compressed."""
    block = data[offset : offset + size]
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    at, key, found = 0, b"", []
    while at < end:
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        length, at = varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        found.append((key, block[at : at + length]))
        at += length
    return found


def entries(data):
    """The keys and values of a table."""
    at = len(data) - FOOTER
    _, at = varint(data, at)
    _, at = varint(data, at)
    offset, at = varint(data, at)
    size, _ = varint(data, at)
    found = []
    for _, handle in block_entries(data, offset, size):
        offset, at = varint(handle, 0)
        size, _ = varint(handle, at)
        if data[offset + size]:
            raise ValueError("the block is compressed")
        found += block_entries(data, offset, size)
    return found


def table(entries):
    """A table with one block of these entries, in this order."""
    data = b""

    def add(entries):
        nonlocal data
        begins = len(data)
        block = b"".join(
            b"\0" + written_varint(len(key)) + written_varint(len(value)) + key + value for key, value in entries
        )
        block += struct.pack("<II", 0, 1)
        data += block + b"\0" + struct.pack("<I", masked_checksum(block + b"\0"))
        return written_varint(begins) + written_varint(len(block))

    of_entries, of_nothing = add(entries), add([])
    index = add([(max((key for key, _ in entries), default=b"") + b"\xff", of_entries)])
    footer = of_nothing + index
    return data + footer.ljust(FOOTER - len(MAGIC), b"\0") + MAGIC


def mutated(kind, data, rng):
    """The bytes of a table of a V1 or V2 checkpoint with changed entries, and what was changed."""
    found = entries(data)
    index, other = rng.randrange(len(found)), rng.randrange(len(found))
    (key, value), change = found[index], rng.randrange(10)
    if change == 0:
        del found[index]
        what = f"without {key}"
    elif change == 1:
        name = rng.choice(fields.TEXTS).encode()
        found[index] = (name, value)
        what = f"{key} renamed to {name[:20]}"
    elif change == 2:
        found.append((found[other][0], value))
        what = f"{key} also as {found[other][0]}"
    elif change == 3:
        found[index], found[other] = (key, found[other][1]), (found[other][0], value)
        what = f"{key} and {found[other][0]} exchanged"
    else:
        message = message_of(kind, key)
        message.ParseFromString(value)
        what = f"{key}: " + ", ".join(fields.mutated(message, rng) for _ in range(rng.choice([1, 1, 2])))
        found[index] = (key, message.SerializePartialToString())
    # What is out of order is refused before anything else is read.
    return table(sorted(found) if rng.random() < 0.95 else found), what


def with_objects_changed(index, data, rng):
    """The bytes of the index and of the data file of a V2 checkpoint whose objects are changed, and what was changed."""
    found = dict(entries(index))
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(found[OBJECT_GRAPH])
    length, at = varint(data, entry.offset)
    objects = trackable_object_graph_pb2.TrackableObjectGraph.FromString(data[at + 4 : at + 4 + length])
    what = fields.mutated(objects, rng)
    text = objects.SerializeToString()
    lengths = struct.pack("<I", len(text))
    checksum = struct.pack("<I", masked_checksum(lengths))
    written = written_varint(len(text)) + checksum + text
    entry.offset, entry.size, entry.crc32c = len(data), len(written), masked_checksum(lengths + checksum + text)
    found[OBJECT_GRAPH] = entry.SerializeToString()
    return table(sorted(found.items())), data + written, what


def message_of(kind, key):
    if kind == "v1":
        return saved_tensor_slice_pb2.SavedTensorSlices()
    return tensor_bundle_pb2.BundleEntryProto() if key else tensor_bundle_pb2.BundleHeaderProto()
