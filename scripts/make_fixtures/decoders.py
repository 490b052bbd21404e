"""Makes decoders/cases.zip: networks that read images and write texts, as their definitions build and TensorFlow runs them.

The files of a case are those of transformers.py; case.json also has the batch, height and width of the images, which fill.py computes.
Two images are a batch if it is open. `source` is a folder with checkouts:

    im2txt/         research/im2txt of github.com/tensorflow/models, here in girish332/models at 3b3fd6e
    attention_ocr/  research/attention_ocr/python of github.com/tensorflow/models, here in mach-12/models at 3880236
    contrib/        tensorflow_core/contrib of the wheel of tensorflow-cpu 1.15.0 on PyPI
"""

import ast
import contextlib
import types

import fill
import numpy as np
import tf_slim.nets.inception
import tf_slim.nets.inception_v3

from tensorflow.python.ops import variable_scope
from tensorflow.python.util import nest

from . import cases
from .image_networks import modules, stub
from .tensorflow1 import slim, tf
from .transformers import files_of, numbers

TOLERANCE = 1e-5


@contextlib.contextmanager
def contrib(source, *folders):
    """Imports from these folders, with what they use of tf.contrib."""
    with modules(*(source / folder for folder in folders)) as load:
        api = load("tensorflow")
        api.contrib.slim, api.contrib.rnn = slim, tf.nn.rnn_cell
        api.contrib.layers = types.SimpleNamespace(
            fully_connected=slim.fully_connected, summaries=types.SimpleNamespace(summarize_activation=lambda tensor: None))
        api.contrib.legacy_seq2seq = legacy_seq2seq(source / "contrib")
        stub("tensorflow.contrib.slim", **vars(slim))
        stub("tensorflow.contrib.slim.nets", inception=tf_slim.nets.inception)
        stub("tensorflow.contrib.slim.python.slim.nets.inception_v3", inception_v3_base=tf_slim.nets.inception_v3.inception_v3_base)
        yield load


def legacy_seq2seq(contrib):
    """The decoders of TensorFlow 1, which TensorFlow 2 does not have."""
    names = {
        "array_ops": tf, "constant_op": tf, "dtypes": tf, "init_ops": tf, "math_ops": tf, "nest": nest, "nn_ops": tf.nn,
        "variable_scope": variable_scope, "vs": variable_scope, "xrange": range,
        "_WEIGHTS_VARIABLE_NAME": "kernel", "_BIAS_VARIABLE_NAME": "bias",
    }
    nest.is_sequence = nest.is_nested
    for file, wanted in (("rnn/python/ops/core_rnn_cell.py", ["_Linear"]),
                         ("legacy_seq2seq/python/ops/seq2seq.py", ["rnn_decoder", "attention_decoder"])):
        tree = ast.parse((contrib / file).read_text())
        tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
        exec(compile(tree, file, "exec"), names)
        names["Linear"] = names["_Linear"]
    return types.SimpleNamespace(rnn_decoder=names["rnn_decoder"], attention_decoder=names["attention_decoder"])


def image_input(shape):
    """A placeholder for images of this batch, height and width, and images for it."""
    return tf.placeholder(tf.float32, [*shape, 3], "input"), fill.image([shape[0] or 2, *shape[1:], 3])


def im2txt(source, images, **sizes):
    """ShowAndTellModel for inference. It decodes a file in `image_feed`; the input here is the image after its preprocessing."""
    with contrib(source, "im2txt") as load:
        config = load("im2txt.configuration").ModelConfig()
        vars(config).update({"vocab_size": 50, "embedding_size": 12, "num_lstm_units": 16, **sizes})
        model = load("im2txt.show_and_tell_model").ShowAndTellModel(config, "inference")
        model.build_inputs()
        model.images, image = image_input(images)
        model.build_image_embeddings()
        model.build_seq_embeddings()
        model.build_model()
    tensors = [tf.get_default_graph().get_tensor_by_name(f"{name}:0") for name in (
        "input_feed", "lstm/state_feed", "lstm/initial_state", "softmax", "lstm/state")]
    feeds = [image, numbers("words", [3], config.vocab_size).astype(np.int64), fill.image([3, 2 * config.num_lstm_units])]
    return [model.images, *tensors[:2]], feeds, {tensor.op.name: tensor for tensor in tensors[2:]}


def attention_ocr(source, images, classes=11, length=4, views=2, null_code=None, **parameters):
    """Model of model.py. `predicted_text` looks the classes up in a list of characters, which is no part of a checkpoint."""
    with contrib(source, "attention_ocr") as load:
        model = load("model")
        ocr = model.Model(classes, length, views, classes - 1 if null_code is None else null_code)
        for function, values in parameters.items():
            ocr.set_mparam(function, **values)
        placeholder, image = image_input(images)
        found = ocr.create_base(placeholder, None)
    keys = ["predicted_chars", "predicted_scores", "predicted_length", "predicted_conf", "normalized_seq_conf", "chars_log_prob", "chars_logit"]
    return [placeholder], [image], {key: getattr(found, key) for key in keys}


SMALL = ["num_views=2", "seq_length=4"]
SLICES = {"use_attention": False, "num_lstm_units": 24}
# The network, the images, the options that no variable shows, and arguments of the builder.
CASES = {
    "im2txt": ("im2txt", im2txt, [1, 107, 139], [], {}),
    "fsns": ("attention_ocr", attention_ocr, [None, 150, 600], [], {"classes": 134, "length": 37, "views": 4}),
    "coordinates": ("attention_ocr", attention_ocr, [None, 64, 128], [*SMALL, "null_code=3", "lstm_state_clip_value=0.25"], {
        "null_code": 3, "conv_tower_fn": {"final_endpoint": "Mixed_6b"}, "encode_coordinates_fn": {"enabled": True},
        "sequence_logit_fn": {"num_lstm_units": 24, "lstm_state_clip_value": 0.25},
    }),
    "no_autoregression": ("attention_ocr", attention_ocr, [None, 64, 128], [*SMALL, "use_autoregression=false"], {
        "sequence_logit_fn": {"use_autoregression": False, "num_lstm_units": 24},
    }),
    "slices": ("attention_ocr", attention_ocr, [2, 64, 128], SMALL, {"sequence_logit_fn": {**SLICES, "use_autoregression": False}}),
    "slices_and_characters": ("attention_ocr", attention_ocr, [2, 64, 128], SMALL, {"sequence_logit_fn": SLICES}),
}
# With larger numbers, TensorFlow's kernels differ by 2e-5 among themselves after 37 steps.
GAINS = {"fsns": ["AttentionOcr_v1/sequence_logit_fn/", 0.5]}


def make(folder, source):
    def of(name):
        network, build, images, options, arguments = CASES[name]
        facts = {"network": network, "options": options, "files": {}, "images": images, "gain": GAINS.get(name, ["", 1.0])}
        return files_of(lambda: build(source, images, **arguments), facts)

    cases.write(folder / "decoders/cases.zip", [(name, of(name)) for name in CASES])
