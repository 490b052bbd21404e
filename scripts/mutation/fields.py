"""Changes of any field of any message, and of any value of a JSON text."""
import json

from google.protobuf.descriptor import FieldDescriptor as Field

INTEGERS = [0, 1, -1, 2, 127, 128, 2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**62, 2**63 - 1, -(2**63), 2**64 - 1]
FLOATS = [0.0, -1.0, 0.5, 1e-30, 1e30, float("nan"), float("inf")]
TEXTS = ["", "a", "/", "..", "../a", "/tmp/a", "a:0", "^a", "a\n b", "a\0b", "\x1b[31m", "é", "%s", "x" * 300, "x" * 70_000]
SIZES = {
    Field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    Field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT32: (0, 2**32 - 1),
    Field.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def mutated(message, rng):
    """Changes one field of a message or of a message in it, and says which."""
    path = []
    while True:
        present = [(field, value) for field, value in message.ListFields() if value or not is_repeated(field)]
        inner = [(field, value) for field, value in present if is_message(field)]
        if not inner or rng.random() < 0.2:
            break
        field, value = rng.choice(inner)
        path.append(field.name)
        message = element(field, value, rng)
    path = "/".join(path) or "message"
    if not present or rng.random() < 0.1:
        return f"{path}: {add(message, rng)}"
    field, value = rng.choice(present)
    return f"{path}: {field.name} {change(message, field, value, rng)}"


def is_repeated(field):
    return field.label == Field.LABEL_REPEATED


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_message(field):
    """Whether the field has messages, which can be changed in their places."""
    described = field.message_type.fields_by_name["value"] if is_map(field) else field
    return described.message_type is not None


def element(field, value, rng):
    if is_map(field):
        return value[rng.choice(sorted(value))]
    return rng.choice(value) if is_repeated(field) else value


def change(message, field, value, rng):
    if rng.random() < 0.15:
        message.ClearField(field.name)
        return "is missing"
    if is_map(field):
        return change_map(field, value, rng)
    if is_repeated(field):
        return change_list(field, value, rng)
    if is_message(field):
        value.Clear()
        return "is empty"
    return assign(field, rng, value, lambda new: setattr(message, field.name, new))


def change_map(field, values, rng):
    key, other = rng.choice(sorted(values)), rng.choice(sorted(values))
    if rng.random() < 0.3:
        del values[key]
        return f"without {key!r}"
    new = rng.choice([other, rng.choice(TEXTS)]) if isinstance(key, str) else other
    if is_message(field):
        copy = type(values[key])()
        copy.CopyFrom(values[key])
        values[new].CopyFrom(copy)
    else:
        values[new] = values[key]
    return f"{new[:20]!r} is {key!r}" if isinstance(new, str) else f"{new} is {key}"


def change_list(field, values, rng):
    index, other = rng.randrange(len(values)), rng.randrange(len(values))
    change = rng.randrange(4)
    if change == 0:
        del values[index]
        return f"without {index}"
    if change == 1:
        if is_message(field):
            values.add().CopyFrom(values[index])
        else:
            values.append(values[index])
        return f"{index} again"
    if change == 2 or is_message(field):
        return exchange(field, values, index, other)
    return f"{index} " + assign(field, rng, values[index], lambda new: values.__setitem__(index, new))


def exchange(field, values, first, second):
    if is_message(field):
        copy = type(values[first])()
        copy.CopyFrom(values[first])
        values[first].CopyFrom(values[second])
        values[second].CopyFrom(copy)
    else:
        values[first], values[second] = values[second], values[first]
    return f"{first} and {second} exchanged"


def add(message, rng):
    """Sets a field that the message may have."""
    if not message.DESCRIPTOR.fields:
        return "as it was"
    field = rng.choice(message.DESCRIPTOR.fields)
    if is_map(field):
        return "as it was"
    values = getattr(message, field.name)
    if is_repeated(field):
        what = "" if is_message(field) else assign(field, rng, None, values.append)
        if is_message(field):
            values.add()
        return f"{field.name} has one more {what}"
    if is_message(field):
        values.SetInParent()
        return f"{field.name} is there"
    return f"{field.name} " + assign(field, rng, values, lambda new: setattr(message, field.name, new))


def assign(field, rng, old, put):
    kind = field.cpp_type
    if kind in SIZES:
        least, most = SIZES[kind]
        near = [] if old is None else [old - 1, old + 1, old * 2]
        new = max(least, min(rng.choice([*INTEGERS, *near]), most))
    elif kind == Field.CPPTYPE_ENUM:
        new = rng.choice(field.enum_type.values).number
    elif kind == Field.CPPTYPE_BOOL:
        new = not old
    elif kind == Field.CPPTYPE_STRING:
        new = rng.choice(TEXTS)
        new = new.encode() if field.type == Field.TYPE_BYTES else new
        if old and rng.random() < 0.5:
            new = rng.choice([old + old[:1], old[1:], old[: len(old) // 2], new[:300] + old])
    else:
        new = rng.choice(FLOATS)
    put(new)
    return f"is {str(new)[:40]!r}"


def mutated_json(data, rng):
    """The bytes of a JSON text with one value changed."""
    top = value = json.loads(data)
    key, path = None, []
    while isinstance(value, dict | list) and value and (key is None or rng.random() < 0.8):
        parent, key = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value = parent[key]
        path.append(str(key))
    if key is None:
        return data, "as it was"
    where = "/".join(path)[-60:]
    odd = [None, True, -1, 0, 0.5, 2**31, 2**62, 2**64, 1e300, "", "float32", "a" * 300, "../a", "a\0", [], {}, [[]], {"a": 1}]
    change = rng.randrange(4)
    if change == 0:
        del parent[key]
        what = f"without {where}"
    elif change == 1 and isinstance(parent, list):
        parent.append(value)
        what = f"{where} again"
    elif change == 2:
        other = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        parent[key], parent[other] = parent[other], parent[key]
        what = f"{where} and {other} exchanged"
    else:
        parent[key] = rng.choice(odd)
        what = f"{where} is {str(parent[key])[:40]!r}"
    return json.dumps(top).encode(), what
