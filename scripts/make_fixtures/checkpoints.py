"""Makes checkpoints/: V1 and V2, with all element types that TensorFlow saves, in two shards, and with partitioned variables.

Each folder has a checkpoint, the file `checkpoint` that names it, and tensors.json: type, shape and SHA-256 of the elements of each
tensor as TensorFlow reads them, little-endian, or the strings of a string tensor, in which each character is a byte.
"""

import hashlib
import json

import fill
import numpy as np

from tensorflow.python.framework import dtypes

from .tensorflow1 import tf

WORDS = [b"", b"gamma", b"x" * 300, "бета".encode()]


def uniform(name, shape, low, high):
    return low + (high - low) * fill.uniform(name, shape)


def tensors():
    """Name and value, in the order in which they are saved."""
    integers = {
        "c/int32": ([4, 4], -500_000, 500_000), "d/int64": ([3], -(2.0**60), 2.0**60), "e/uint8": ([9], 0, 256), "f/int16": ([2, 3], -500, 500),
        "g/int8": ([5], -128, 128), "n/uint16": ([4], 0, 65536),
    }
    values = {name: uniform(name, *rest).astype(name.partition("/")[2]) for name, rest in integers.items()}
    for name, shape, dtype in (("a/float32", [3, 5, 2], np.float32), ("b/float64", [7], np.float64), ("k/half", [6], np.float16)):
        values[name] = fill.uniform(name, shape).astype(dtype)
    values["m/bfloat16"] = fill.uniform("m/bfloat16", [8]).astype(tf.bfloat16.as_numpy_dtype)
    values["h/bool"] = fill.uniform("h/bool", [10]) < 0.5
    values["i/complex64"] = fill.uniform("i/complex64", [3, 2]).astype(np.float32).view(np.complex64)[:, 0]
    values["j/scalar"] = np.float32(1e-3)
    values["l/empty"] = np.zeros([0, 4], np.float32)
    values["s/string"] = np.array(WORDS, object)
    values["global_step"] = np.int64(123456)
    return dict(sorted(values.items()))


# What the op that writes V1 accepts, of these types.
IN_V1 = ["a/float32", "b/float64", "c/int32", "d/int64", "e/uint8", "f/int16", "g/int8", "global_step", "j/scalar"]


def describe(value):
    value = np.asarray(value)
    if value.dtype == object:
        return {"dtype": "string", "shape": list(value.shape), "values": [text.decode("latin1") for text in value.ravel()]}
    digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    return {"dtype": value.dtype.name, "shape": list(value.shape), "sha256": digest}


def write_notes(folder, prefix, values):
    """Writes what is beside a checkpoint."""
    tf.train.update_checkpoint_state(str(folder), prefix, [prefix])
    text = json.dumps({name: describe(value) for name, value in values.items()}, indent=1)
    (folder / "tensors.json").write_text(text)


def variables(values):
    """A variable for each value."""
    made = {}
    for name, value in values.items():
        # A string has no placeholder of NumPy's type.
        dtype = tf.string if np.asarray(value).dtype == object else tf.as_dtype(np.asarray(value).dtype)
        initial = tf.placeholder(dtype, np.shape(value))
        made[name] = tf.get_variable(name, initializer=initial, use_resource=False), initial, value
    return made


def save(made, path, config=None, global_step=None, **options):
    with tf.Session(config=config) as session:
        for variable, initial, value in made.values():
            session.run(variable.initializer, {initial: value})
        saver = tf.train.Saver([variable for variable, _, _ in made.values()], **options)
        saver.save(session, str(path), global_step, write_meta_graph=False, write_state=False)


def dtypes_v1(folder):
    values = {name: value for name, value in tensors().items() if name in IN_V1}
    with tf.Graph().as_default():
        save(variables(values), folder / "model.ckpt", write_version=tf.train.SaverDef.V1)
    write_notes(folder, "model.ckpt", values)


def dtypes_v2(folder):
    """In two shards: a saver writes one for each device."""
    values = tensors()
    with tf.Graph().as_default():
        made = {}
        for index, (name, value) in enumerate(values.items()):
            with tf.device(f"/cpu:{index % 2}"):
                made |= variables({name: value})
        config = tf.ConfigProto(device_count={"CPU": 2})
        save(made, folder / "model.ckpt", config, global_step=7, sharded=True)
    write_notes(folder, "model.ckpt-7", values)


def partitioned(version):
    def write(folder):
        values = {"whole": fill.variable("whole", [4])}
        with tf.Graph().as_default(), tf.Session() as session:
            for name, shape, axis, parts in (("p/rows", [10, 4], 0, 3), ("q/columns", [3, 5], 1, 2)):
                whole = tf.get_variable(name, shape, partitioner=tf.fixed_size_partitioner(parts, axis))
                # Each part is filled under its own name.
                filled = [fill.variable(part.op.name, part.shape.as_list()) for part in whole]
                values[name] = np.concatenate(filled, axis)
                for part, value in zip(whole, filled):
                    session.run(part.initializer, {part.initializer.inputs[1]: value})
            variable = tf.get_variable("whole", [4])
            session.run(variable.initializer, {variable.initializer.inputs[1]: values["whole"]})
            saver = tf.train.Saver(write_version=version)
            saver.save(session, str(folder / "model.ckpt"), write_meta_graph=False, write_state=False)
        write_notes(folder, "model.ckpt", dict(sorted(values.items())))

    return write


def narrow_v2(folder):
    """Types of eight and four bits. Variables of TensorFlow 2.15 do not have all of them, but its op for saving does."""
    numbers = np.array([[0.0, 1.0, -2.5], [0.125, 6.0, -0.5]], np.float32)
    integers = np.array([[0, 1, -2], [7, -8, 3]])
    values = {
        "a/float8_e4m3fn": numbers.astype(dtypes.float8_e4m3fn.as_numpy_dtype),
        "b/float8_e5m2": numbers.astype(dtypes.float8_e5m2.as_numpy_dtype),
        "c/int4": integers.astype(dtypes.int4.as_numpy_dtype),
        "d/uint4": np.abs(integers).astype(dtypes.uint4.as_numpy_dtype),
    }
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(value) for value in values.values()]
        slices = [""] * len(values)
        session.run(tf.raw_ops.SaveV2(
            prefix=str(folder / "model.ckpt"), tensor_names=list(values), shape_and_slices=slices, tensors=tensors
        ))
    write_notes(folder, "model.ckpt", values)


CASES = {
    "dtypes_v1": dtypes_v1,
    "dtypes_v2": dtypes_v2,
    "narrow_v2": narrow_v2,
    "partitioned_v1": partitioned(tf.train.SaverDef.V1),
    "partitioned_v2": partitioned(tf.train.SaverDef.V2),
}


def make(folder, cases=tuple(CASES)):
    for name in cases:
        target = folder / "checkpoints" / name
        target.mkdir(parents=True, exist_ok=True)
        CASES[name](target)
