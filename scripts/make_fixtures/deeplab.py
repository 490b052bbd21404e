"""Makes the cases deeplab_* of zoo/: DeepLab v3 and v3+ on each of its backbones, as `model.predict_labels` builds them.

A case is a folder as zoo.py describes it. `output` is the tensor of the logits, resized to the images; the end points are those of the
model: `merged_logits`, `predictions`, `probabilities`.

`source` is a folder `research` of the TensorFlow model repository (github.com/tensorflow/models, commit 015d6ed6): `deeplab` and `slim`
in it. The definition's flags have other defaults than its published models: a case names what differs from the flags.
"""

import gzip
import json
import re
import sys

import fill
import numpy as np

from . import contrib
from .tensorflow1 import ops, tf

# The published models with ASPP and a decoder.
V3_PLUS = {"atrous_rates": [6, 12, 18], "decoder_output_stride": [4]}
# The published models on MobileNet v3: "Lite R-ASPP" (https://arxiv.org/abs/1905.02244).
LITE_R_ASPP = {
    "output_stride": 32, "aspp_convs_filters": 32, "aspp_with_concat_projection": False, "aspp_with_squeeze_and_excitation": True,
    "decoder_use_sum_merge": True, "decoder_output_is_logits": True, "decoder_output_stride": [8],
}
# The model variant, the number of classes, the size, and the flags.
CASES = {
    "deeplab_mobilenet_v2": ("mobilenet_v2", 4, 65, {}),
    "deeplab_mobilenet_v2_half": ("mobilenet_v2", 5, 65, {"depth_multiplier": 0.5, "output_stride": 8}),
    "deeplab_mobilenet_v2_decoder": ("mobilenet_v2", 7, [65, 97], {**V3_PLUS, "atrous_rates": [1, 2], "decoder_output_stride": [16, 4]}),
    "deeplab_mobilenet_v2_softmax": ("mobilenet_v2", 4, 49, {"aspp_with_batch_norm": False, "prediction_with_upsampled_logits": False}),
    "deeplab_mobilenet_v3_large_seg": (
        "mobilenet_v3_large_seg", 4, 97, {**LITE_R_ASPP, "image_pooling_crop_size": [65, 65], "image_pooling_stride": [1, 2],
                                            "image_se_uses_qsigmoid": True}),
    "deeplab_mobilenet_v3_small_seg": ("mobilenet_v3_small_seg", 4, [65, 97], LITE_R_ASPP),
    "deeplab_mobilenet_edgetpu": ("mobilenet_edgetpu", 6, 65, {}),
    "deeplab_resnet_v1_50": ("resnet_v1_50", 4, 49, {**V3_PLUS, "aspp_with_separable_conv": False, "decoder_use_separable_conv": False}),
    "deeplab_resnet_v1_50_beta": ("resnet_v1_50_beta", 4, 65, {**V3_PLUS, "multi_grid": [1, 2, 4]}),
    "deeplab_resnet_v1_101_beta": (
        "resnet_v1_101_beta", 3, 49, {**V3_PLUS, "output_stride": 8, "multi_grid": [1, 2, 4], "atrous_rates": [12, 24, 36]}),
    "deeplab_resnet_v1_18_beta": ("resnet_v1_18_beta", 4, 49, {**V3_PLUS, "decoder_use_sum_merge": True}),
    "deeplab_v2_resnet_v1_101": (
        "resnet_v1_101", 3, 49, {"output_stride": 8, "aspp_with_batch_norm": False, "atrous_rates": [6, 12], "logits_kernel_size": 3}),
    "deeplab_xception_41": ("xception_41", 5, 65, {**V3_PLUS, "image_pooling_crop_size": [33, 49]}),
    "deeplab_xception_65": ("xception_65", 4, 65, V3_PLUS),
    "deeplab_xception_65_stride8": ("xception_65", 3, [49, 65], {**V3_PLUS, "output_stride": 8, "atrous_rates": [12, 24, 36]}),
    "deeplab_xception_71": ("xception_71", 4, 65, {**V3_PLUS, "multi_grid": [1, 2, 4], "use_bounded_activation": True}),
}
# What no variable shows: a user has to give it. Lists have the syntax of the flags.
HIDDEN = [
    "output_stride", "atrous_rates", "multi_grid", "image_pooling_crop_size", "image_pooling_stride", "image_se_uses_qsigmoid",
    "prediction_with_upsampled_logits", "use_bounded_activation",
]
# How much logits may differ from those in the repository: rounding adds up over a hundred layers.
TOLERANCE = 1e-5
# Factors of weights: with those of fill.py, the activations of deep networks would be too large.
GAINS = [
    (r"MobilenetV2/.*/project/weights$", 0.6), (r"MobilenetV3/.*/project/weights$", 0.5), (r"MobilenetEdgeTPU/.*/project/weights$", 0.4), (r"resnet_v1.*/shortcut/weights$", 0.7),
    (r"resnet_v1.*bottleneck_v1/conv3/weights$", 0.3), (r"middle_flow/.*separable_conv3_pointwise/weights$", 0.1),
]


def definition(source):
    """DeepLab's modules, without the deployment of quantized networks, which is for training."""
    contrib.install()
    # The preparation of images imports a module of contrib.training that inference does not need.
    sys.path[:0] = [str(source), str(source / "slim")]
    from deeplab import common, model
    from deeplab.core import conv2d_ws

    # Keras has renamed the method since.
    conv2d_ws.Conv2D._convolution_op = property(lambda layer: layer.convolution_op)
    if not common.flags.FLAGS.is_parsed():
        common.flags.FLAGS(["deeplab"])
    return common, model


def options(common, variant, classes, size, arguments):
    """The definition's ModelOptions; the flags have effect through them alone."""
    given = dict(arguments)
    made = common.ModelOptions(
        {common.OUTPUT_TYPE: classes}, crop_size=size, atrous_rates=given.pop("atrous_rates", None),
        output_stride=given.pop("output_stride", 16))
    if given.get("decoder_output_is_logits"):
        given["decoder_filters"] = classes
    return made._replace(model_variant=variant, **given)


def make_case(name, folder, source):
    variant, classes, size, arguments = CASES[name]
    height_width = size if isinstance(size, list) else [size, size]
    common, model = definition(source)
    told = {key: arguments[key] for key in HIDDEN if key in arguments}
    kwargs = {key: ",".join(map(str, value)) if isinstance(value, list) else value for key, value in told.items()}
    case = {"network": f"deeplab_{variant}", "num_classes": classes, "size": size, "kwargs": kwargs}
    shape = [*height_width, 3]
    logits = []
    merged = model.multi_scale_logits
    resize = model._resize_bilinear

    def multi_scale_logits(*args, **kwargs):
        result = merged(*args, **kwargs)
        logits.append(result[common.OUTPUT_TYPE][model.MERGED_LOGITS_SCOPE])
        return result

    def resize_bilinear(images, *args):
        result = resize(images, *args)
        if logits and images is logits[0]:
            logits.append(result)
        return result

    model.multi_scale_logits, model._resize_bilinear = multi_scale_logits, resize_bilinear
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, *shape], name="input")
        results = model.predict_labels(images, options(common, variant, classes, height_width, arguments))
        predictions, probabilities = (results[common.OUTPUT_TYPE + suffix] for suffix in ("", model.PROB_SUFFIX))
        output = logits[-1]
        variables = tf.global_variables()
        case["input"] = {"name": images.name, "shape": [None, *shape], "batch": 2}
        case["output"] = output.name
        gains = [next((gain for names, gain in GAINS if re.search(names, variable.op.name)), 1.0) for variable in variables]
        for variable, factor in zip(variables, gains):
            variable.load(fill.variable(variable.op.name, variable.shape.as_list(), factor), session)
        values = session.run(output, {images: fill.image([2, *shape])})
        case["output_shape"] = list(values.shape)
        case["predictions"] = predictions.name
        case["variables"] = [
            [variable.op.name, variable.shape.as_list(), variable.dtype.base_dtype.name, factor] for variable, factor in zip(variables, gains)
        ]
        ends = {"merged_logits": logits[0], "semantic": predictions, "semantic_prob": probabilities}
        shapes = {key: list(value.shape) for key, value in session.run(ends, {images: fill.image([2, *shape])}).items()}
        case["end_points"] = {key: {"tensor": tensor.name, "shape": shapes[key]} for key, tensor in ends.items()}
        graph = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [tensor.op.name for tensor in (output, *ends.values())])
    model.multi_scale_logits, model._resize_bilinear = merged, resize
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(case, separators=(",", ":"))
    for file, content in (("case.json.gz", text.encode()), ("graph.pb.gz", graph.SerializeToString(deterministic=True))):
        (folder / file).write_bytes(gzip.compress(content, 9, mtime=0))
    np.save(folder / "logits.npy", values)


def make(folder, cases=(), source=None):
    for name in cases or CASES:
        make_case(name, folder / "zoo" / name, source)
