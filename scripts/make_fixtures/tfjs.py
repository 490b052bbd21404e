"""Makes tfjs/: graph models that TensorFlow.js's converter wrote, with the results of TensorFlow.js.

    net/            convolutions with the ops that the converter fuses with them, and PReLU; its weights are in several shards
    uint8/ uint16/ float16/   the same network, with quantized weights
    loop/           tf.while_loop and tf.cond as functions, with int64
    table/          a hash table of text, which the model's initializer fills
    old/            the network in the files of TensorFlow.js 0.x: tensorflowjs_model.pb and weights_manifest.json

Each folder has inputN.npy and outputN.npy. The arrays are those of the inputs and outputs in the order of their names in the
signature. Needs the converter without its dependencies, which this module replaces by empty ones, and node with TensorFlow.js:

    pip install --no-deps --target DIR tensorflowjs==4.22.0
    npm install --prefix DIR @tensorflow/tfjs@4.22.0

`--source` is DIR.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

RUN = pathlib.Path(__file__).resolve().parents[1] / "run_tfjs.cjs"
SHARD_BYTES = 1000


def converter(source):
    sys.path.append(str(source))
    absent = ["jax", "jax.experimental", "tensorflow_decision_forests", "tensorflow_hub", "tf_keras"]
    sys.modules.update({name: mock.MagicMock() for name in absent})
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    return tf_saved_model_conversion_v2


def network():
    tf.keras.utils.set_random_seed(5)
    layers = tf.keras.layers
    images = layers.Input([8, 6, 3], name="images")
    net = layers.Conv2D(8, 3, strides=2, padding="same", name="conv")(images)
    net = layers.ReLU(6.0)(layers.BatchNormalization(name="norm")(net))
    net = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise", bias_initializer="normal")(net)
    net = layers.Conv2D(12, 1, name="pointwise", bias_initializer="normal")(net)
    net = layers.PReLU(shared_axes=[1, 2], alpha_initializer="uniform", name="prelu")(net)
    net = layers.Conv2D(6, 2, activation="elu", name="elu")(net)
    net = layers.PReLU(shared_axes=[1, 2], alpha_initializer="uniform", name="alone")(layers.MaxPool2D(2)(net))
    net = layers.Dense(10, activation="relu", name="hidden")(layers.Flatten()(net))
    scores = layers.Dense(5, name="scores", bias_initializer="normal")(net)
    return tf.keras.Model(images, [scores, layers.Softmax(name="shares")(scores)])


class Loop(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x"), tf.TensorSpec([], tf.int32, name="n")])
    def __call__(self, x, n):
        def body(i, x):
            x = tf.cond(tf.equal(i % 2, 0), lambda: x * 1.5 + tf.constant([1.0, 2.0, 3.0]), lambda: tf.nn.relu(x - 1.0))
            return i + tf.constant(1, tf.int64), x

        steps, x = tf.while_loop(lambda i, _: i < tf.cast(n, tf.int64), body, [tf.constant(0, tf.int64), x])
        return {"steps": tf.cast(steps, tf.int32), "y": x}


class Table(tf.Module):
    def __init__(self):
        keys, values = tf.constant(["one", "two", "für", ""]), tf.constant([1, 2, 4, 8], tf.int32)
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def __call__(self, words):
        return {"numbers": self.table.lookup(words) * 3}


def run(source, folder, feeds):
    """Runs a model, and saves the arrays."""
    signature = json.loads((folder / "model.json").read_text())["signature"]
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        inputs = []
        for index, name in enumerate(sorted(signature["inputs"])):
            if name not in feeds:
                continue
            value = np.asarray(feeds[name])
            np.save(folder / f"input{index}.npy", value.astype("S") if value.dtype == object else value)
            dtype = "string" if value.dtype == object else str(value.dtype)
            inputs.append({"name": name, "shape": value.shape, "dtype": dtype, "file": f"input{index}.bin"})
            path = place / inputs[-1]["file"]
            path.write_text(json.dumps([word.decode() for word in value])) if dtype == "string" else value.tofile(path)
        (place / "inputs.json").write_text(json.dumps(inputs))
        subprocess.run(["node", RUN, (folder / "model.json").resolve(), place], check=True, cwd=source, stdout=subprocess.DEVNULL)
        outputs = {output["name"]: output for output in json.loads((place / "outputs.json").read_text())}
        for index, name in enumerate(sorted(signature["outputs"])):
            output = outputs[name]
            np.save(folder / f"output{index}.npy", np.fromfile(place / output["file"], output["dtype"]).reshape(output["shape"]))


def write_old(new, folder):
    """The files of TensorFlow.js 0.x."""
    folder.mkdir()
    model = json.loads((new / "model.json").read_text())
    graph = json_format.ParseDict(model["modelTopology"], tf.compat.v1.GraphDef())
    (folder / "tensorflowjs_model.pb").write_bytes(graph.SerializeToString(deterministic=True))
    (folder / "weights_manifest.json").write_text(json.dumps(model["weightsManifest"]))
    for path in [*new.glob("*.bin"), *new.glob("*.npy")]:
        shutil.copy(path, folder)


def make(folder, source):
    source = source.resolve()
    write = converter(source)
    folder = folder / "tfjs"
    shutil.rmtree(folder, ignore_errors=True)
    random = np.random.default_rng(3)
    images = random.uniform(-1, 1, [2, 8, 6, 3]).astype(np.float32)

    def convert(module, name, feeds, **options):
        with tempfile.TemporaryDirectory() as saved:
            tf.saved_model.save(module, saved)
            write.convert_tf_saved_model(saved, str(folder / name), weight_shard_size_bytes=SHARD_BYTES, **options)
        run(source, folder / name, feeds)

    model = network()
    # Statistics that are not those of a new layer.
    layer = model.get_layer("norm")
    layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    convert(model, "net", {"images": images})
    for dtype in ("uint8", "uint16", "float16"):
        convert(model, dtype, {"images": images}, quantization_dtype_map={dtype: "*"})
    convert(Loop(), "loop", {"x": images[0, 0], "n": np.int32(5)}, control_flow_v2=True)
    convert(Table(), "table", {"words": np.array([b"two", b"none", "für".encode(), b""], object)}, skip_op_check=True)
    write_old(folder / "net", folder / "old")
