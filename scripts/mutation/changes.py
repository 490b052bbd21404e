"""Changes of a file by what it is: its fields, entries or members, or else its bytes."""
from . import archives, damage, fields, messages, tables

# What files are, by the ends of their names, and how they are changed.
KINDS = {
    "tfhub_module.pb": None,
    "saved_model.pb": "saved_model",
    "saved_model.pbtxt": "saved_model",
    ".pb": "graph",
    ".pbtxt": "graph",
    ".meta": "meta",
    ".onnx": "onnx",
    ".ckpt": "v1",
    ".index": "v2",
    ".json": "json",
    ".tar": "archive",
    ".tar.gz": "archive",
    ".zip": "archive",
    ".npz": "archive",
}
TEXTS = (".pbtxt", ".json", ".toml", ".config", "checkpoint")


def changed(seed, name, others, rng):
    """The files of a seed with a change of one of them, what was changed, and whether checksums have to notice it. `others` are
    seeds of the same format."""
    files, kind = dict(seed.files), kind_of(name)
    # What TensorFlow is to run is always changed as what it is.
    is_damage = not (kind and (seed.case or rng.random() < 0.6))
    weights = name.removesuffix(".index") + ".data-00000-of-00001"
    if is_damage and rng.random() < 0.05:
        other = rng.choice(others).files
        files[name], what = damage.spliced(files[name], other[rng.choice(sorted(other))], rng)
        return files, what, False
    if is_damage:
        files[name], what = of_bytes(name, files[name], rng)
    elif weights in files and tables.OBJECT_GRAPH in files[name] and rng.random() < 0.5:
        files[name], files[weights], what = tables.with_objects_changed(files[name], files[weights], rng)
    else:
        files[name], what = of_kind(kind, name, files[name], rng)
    return files, what, is_damage


def kind_of(name):
    return next((kind for end, kind in KINDS.items() if name.endswith(end)), None)


def of_kind(kind, name, data, rng):
    if kind == "json":
        return fields.mutated_json(data, rng)
    if kind == "archive":
        return archives.mutated(data, rng, lambda name, data: of_member(name, data, rng))
    if kind in ("v1", "v2"):
        return tables.mutated(kind, data, rng)
    return messages.mutated(kind, data, rng, name.endswith("txt"))


def of_member(name, data, rng):
    kind = kind_of(name)
    return of_kind(kind, name, data, rng) if kind and rng.random() < 0.6 else of_bytes(name, data, rng)


def of_bytes(name, data, rng):
    return damage.damaged_text(data, rng) if name.endswith(TEXTS) else damage.damaged(data, rng)
