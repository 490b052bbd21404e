"""Makes detectors/cases.zip: detectors of the Object Detection API, as the API builds and TensorFlow runs them from their configurations.

A case is a folder in the archive:

    pipeline.config   the configuration
    case.json         the shape of the images; variables, as [name, shape, gain]; outputs, as [name of the file, name in the model]
    NAME.npy          an output for variables and images that fill.py computes; of raw_predictions, every STEP-th row

`source` is a folder with the packages `object_detection`, with compiled protos, and `slim` of `research` in the TensorFlow model
repository; PyPI's tf-models-research-object-detection 2.8 has both.
"""

import importlib.abc
import importlib.machinery
import io
import json
import re
import sys
import unittest.mock
import zipfile

import fill
import numpy as np

from .tensorflow1 import tf

# Of raw_predictions, every so many rows are kept.
STEP = 5
TOLERANCE = 1e-4
# Factors of weights: with those of fill.py, rounding adds up over the linear bottlenecks.
GAINS = [
    (r"/project/weights$", 0.4),
    (r"MobileDet.*/(IBN|FusedConv|TuckerConv)\w*/Conv_[12]/weights$", 0.5),
    (r"/shortcut/weights$", 0.7),
    (r"/bottleneck_v1/conv3/weights$", 0.3),
]
LAYERS = "{ activation: RELU_6 batch_norm { scale: true center: true epsilon: 0.001 } }"
PLAIN = "{ op: CONV }"
CODER = "faster_rcnn_box_coder { y_scale: 10.0 x_scale: 10.0 height_scale: 5.0 width_scale: 5.0 }"
SSD_ANCHORS = "ssd_anchor_generator { num_layers: 6 min_scale: 0.2 max_scale: 0.95 aspect_ratios: [1.0, 2.0, 0.5, 3.0, 0.3333] }"
PYRAMID = "multiscale_anchor_generator { min_level: 3 max_level: 7 anchor_scale: 4.0 aspect_ratios: [1.0, 2.0, 0.5] scales_per_octave: 2 }"
POOLED_ANCHORS = "ssd_anchor_generator { num_layers: 6 min_scale: 0.15 max_scale: 0.95 aspect_ratios: [1.0, 2.0] reduce_boxes_in_lowest_layer: false }"
OVERRIDES = "override_base_feature_extractor_hyperparams: true"


def convolutional(fields="kernel_size: 1"):
    return f"convolutional_box_predictor {{ conv_hyperparams {LAYERS} {fields} }}"


def shared(fields="depth: 64 num_layers_before_predictor: 2"):
    return f"weight_shared_convolutional_box_predictor {{ conv_hyperparams {LAYERS} {fields} }}"


LITE = convolutional("kernel_size: 3 use_depthwise: true")


def ssd(kind, size=128, predictor=None, anchors=SSD_ANCHORS, extractor="", coder=CODER, model="", classes=3, nms="", scores="SIGMOID", threshold="1e-8", resizer=None):
    resizer = resizer or f"fixed_shape_resizer {{ height: {size} width: {size} }}"
    return f"""model {{ ssd {{
  num_classes: {classes}
  image_resizer {{ {resizer} }}
  feature_extractor {{ type: '{kind}' conv_hyperparams {LAYERS} {extractor} }}
  box_coder {{ {coder} }}
  box_predictor {{ {predictor or convolutional()} }}
  anchor_generator {{ {anchors} }}
  matcher {{ argmax_matcher {{ }} }}
  similarity_calculator {{ iou_similarity {{ }} }}
  loss {{ classification_loss {{ weighted_sigmoid {{ }} }} localization_loss {{ weighted_smooth_l1 {{ }} }} }}
  post_processing {{
    batch_non_max_suppression {{ score_threshold: {threshold} iou_threshold: 0.6 max_detections_per_class: 10 max_total_detections: 20 {nms} }}
    score_converter: {scores}
  }}
  {model}
}} }}
"""


def rcnn(kind, size=128, masks=False, stride=16, crop="initial_crop_size: 14 maxpool_kernel_size: 2 maxpool_stride: 2", predictor="", model=""):
    if masks:
        predictor += f" predict_instance_masks: true mask_height: 9 mask_width: 9 mask_prediction_conv_depth: 16 conv_hyperparams {PLAIN}"
    return f"""model {{ faster_rcnn {{
  num_classes: 3
  {"number_of_stages: 3" if masks else ""}
  image_resizer {{ fixed_shape_resizer {{ height: {size} width: {size + 32} }} }}
  feature_extractor {{ type: '{kind}' first_stage_features_stride: {stride} }}
  first_stage_anchor_generator {{ grid_anchor_generator {{
    height: 64 width: 64 scales: [0.5, 1.0] aspect_ratios: [0.5, 1.0, 2.0] height_stride: {stride} width_stride: {stride} }} }}
  first_stage_box_predictor_conv_hyperparams {PLAIN}
  first_stage_box_predictor_depth: 64
  first_stage_max_proposals: 12
  {crop}
  second_stage_box_predictor {{ mask_rcnn_box_predictor {{ fc_hyperparams {{ op: FC }} {predictor} }} }}
  second_stage_post_processing {{
    batch_non_max_suppression {{ score_threshold: 0.0 iou_threshold: 0.6 max_detections_per_class: 6 max_total_detections: 10 }}
    score_converter: SOFTMAX
  }}
  {model}
}} }}
"""


GRIDS = """flexible_grid_anchor_generator {
  anchor_grid { base_sizes: [30, 40, 50] aspect_ratios: [1.0, 2.0, 0.5] height_stride: 16 width_stride: 16 height_offset: 8 width_offset: 8 }
  anchor_grid { base_sizes: [60, 70] aspect_ratios: [1.0, 3.0] height_stride: 32 width_stride: 32 height_offset: 16 width_offset: 16 } }"""
STRIDES = """ssd_anchor_generator { num_layers: 5 scales: [0.1, 0.2, 0.4, 0.6, 0.8] aspect_ratios: [1.0, 2.0] base_anchor_height: 0.8
  base_anchor_width: 1.2 interpolated_scale_aspect_ratio: 1.3 reduce_boxes_in_lowest_layer: false height_stride: [16, 32, 64, 128, 256]
  width_stride: [16, 32, 64, 128, 256] height_offset: [8, 16, 32, 64, 128] width_offset: [8, 16, 32, 64, 128] }"""
LITE_PYRAMID = "fpn { min_level: 3 max_level: 7 additional_layer_depth: 32 } use_depthwise: true"
LITE_SHARED = shared("depth: 32 num_layers_before_predictor: 2 use_depthwise: true share_prediction_tower: true")
SMALL = "depth_multiplier: 0.25"

CASES = {
    # The feature extractors.
    "ssd_mobilenet_v1": ssd("ssd_mobilenet_v1"),
    "ssd_mobilenet_v2": ssd("ssd_mobilenet_v2"),
    "ssdlite_mobilenet_v2": ssd("ssd_mobilenet_v2", predictor=LITE, extractor=f"use_depthwise: true {OVERRIDES}"),
    "ssd_inception_v2": ssd("ssd_inception_v2", extractor=OVERRIDES),
    "ssd_inception_v3": ssd("ssd_inception_v3", 160, extractor=OVERRIDES),
    "ssdlite_mobilenet_v3_large": ssd("ssd_mobilenet_v3_large", predictor=LITE, extractor=f"use_depthwise: true {OVERRIDES}"),
    "ssdlite_mobilenet_v3_small": ssd("ssd_mobilenet_v3_small", predictor=LITE, extractor="use_depthwise: true"),
    "ssdlite_mobilenet_edgetpu": ssd("ssd_mobilenet_edgetpu", predictor=LITE, extractor=f"use_depthwise: true {OVERRIDES}"),
    **{f"ssdlite_mobiledet_{processor}": ssd(f"ssd_mobiledet_{processor}", predictor=LITE, extractor="use_depthwise: true")
       for processor in ("cpu", "dsp", "edgetpu", "gpu")},
    "ssd_mobilenet_v1_fpn": ssd("ssd_mobilenet_v1_fpn", predictor=shared(), anchors=PYRAMID, extractor=OVERRIDES),
    "ssd_mobilenet_v1_fpnlite": ssd("ssd_mobilenet_v1_fpn", predictor=LITE_SHARED, anchors=PYRAMID, extractor=LITE_PYRAMID),
    "ssd_mobilenet_v2_fpnlite": ssd("ssd_mobilenet_v2_fpn", predictor=LITE_SHARED, anchors=PYRAMID, extractor=f"{LITE_PYRAMID} {OVERRIDES}"),
    "ssd_resnet50_v1_fpn": ssd("ssd_resnet50_v1_fpn", 129, predictor=shared(), anchors=PYRAMID, extractor=f"pad_to_multiple: 128 {OVERRIDES}"),
    "ssd_resnet101_v1_fpn": ssd("ssd_resnet101_v1_fpn", 192, predictor=shared(), anchors=PYRAMID.replace("max_level: 7", "max_level: 6"), extractor="fpn { min_level: 3 max_level: 6 }"),
    "ssd_resnet50_v1_ppn": ssd("ssd_resnet50_v1_ppn", 160, predictor=shared(), anchors=POOLED_ANCHORS),
    "ssd_mobilenet_v1_ppn": ssd("ssd_mobilenet_v1_ppn", predictor=shared(), anchors=POOLED_ANCHORS),
    "embedded_ssd_mobilenet_v1": ssd("embedded_ssd_mobilenet_v1", 256, extractor="depth_multiplier: 0.5", anchors=SSD_ANCHORS.replace("6", "5", 1)),
    # The other fields.
    "strides_and_padding": ssd(
        "ssd_mobilenet_v1", resizer="fixed_shape_resizer { height: 100 width: 145 }", anchors=STRIDES,
        extractor="use_explicit_padding: true depth_multiplier: 0.25 min_depth: 12 num_layers: 5 pad_to_multiple: 32"),
    "pyramid_with_explicit_padding": ssd("ssd_mobilenet_v2_fpn", predictor=shared(), anchors=PYRAMID, extractor=f"use_explicit_padding: true {SMALL}"),
    "layers_before_predictor": ssd(
        "ssd_mobilenet_v1", model="add_background_class: false", scores="IDENTITY", extractor=SMALL,
        predictor=convolutional("min_depth: 16 max_depth: 64 num_layers_before_predictor: 2 kernel_size: 3 apply_sigmoid_to_scores: true box_encodings_clip_range { min: -0.3 max: 0.4 }")),
    "scores_of_shared_predictor": ssd(
        "ssd_mobilenet_v1_fpn", anchors=PYRAMID, scores="IDENTITY", extractor=SMALL,
        predictor=shared("depth: 16 num_layers_before_predictor: 1 score_converter: SIGMOID box_encodings_clip_range { min: -0.2 max: 0.2 }")),
    "softmax": ssd("ssd_mobilenet_v1", scores="SOFTMAX logit_scale: 2.5", threshold="0.4", extractor=SMALL),
    "explicit_background": ssd("ssd_mobilenet_v1", model="add_background_class: false explicit_background_class: true", extractor=SMALL),
    "grids": ssd("ssd_mobilenet_v1", extractor=f"num_layers: 2 {SMALL}", anchors=GRIDS),
    "one_feature_map": ssd("ssd_mobilenet_v1", extractor=f"num_layers: 1 {SMALL}", anchors=GRIDS.partition("  anchor_grid { base_sizes: [60")[0] + "}"),
    "class_agnostic": ssd("ssd_mobilenet_v1", nms="use_class_agnostic_nms: true", extractor=SMALL),
    "few_boxes": ssd("ssd_mobilenet_v1", threshold="0.72", extractor=SMALL),
    "static_shapes": ssd("ssd_mobilenet_v1", threshold="0.72", nms="use_static_shapes: true", extractor=SMALL),
    "static_and_agnostic": ssd("ssd_mobilenet_v1", threshold="0.72", nms="use_static_shapes: true use_class_agnostic_nms: true", extractor=SMALL),
    "combined": ssd("ssd_mobilenet_v1", threshold="0.72", nms="use_combined_nms: true change_coordinate_frame: false", extractor=SMALL),
    "batch": ssd("ssd_mobilenet_v1", threshold="0.7", extractor=SMALL),
    "mean_and_stddev": ssd("ssd_mobilenet_v1", coder="mean_stddev_box_coder { stddev: 0.1 }", extractor=SMALL),
    "squares": ssd("ssd_mobilenet_v1", coder="square_box_coder { }", predictor=convolutional("box_code_size: 3"), extractor=SMALL),
    # Two and three stages.
    "faster_rcnn_inception_v2": rcnn("faster_rcnn_inception_v2"),
    "faster_rcnn_resnet50": rcnn("faster_rcnn_resnet50", predictor="share_box_across_classes: true"),
    "faster_rcnn_resnet101_atrous": rcnn("faster_rcnn_resnet101", stride=8, model="first_stage_atrous_rate: 2"),
    "faster_rcnn_inception_resnet_v2": rcnn(
        "faster_rcnn_inception_resnet_v2", stride=8, crop="initial_crop_size: 17 maxpool_kernel_size: 1 maxpool_stride: 1"),
    "mask_rcnn_inception_v2": rcnn("faster_rcnn_inception_v2", masks=True),
    "mask_rcnn_resnet50": rcnn("faster_rcnn_resnet50", masks=True, predictor="masks_are_class_agnostic: true"),
}
BATCHES = {"batch": 3, "mask_rcnn_resnet50": 2}


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Packages that the API imports for training and evaluation."""

    NAMES = {"lvis", "pycocotools", "official", "pandas", "contextlib2", "lxml", "matplotlib", "PIL", "scipy", "tensorflow_addons", "tensorflow_io"}

    def find_spec(self, name, path, target=None):
        known = name.partition(".")[0] in self.NAMES or name.startswith("tensorflow.contrib")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec):
        module = unittest.mock.MagicMock(name=spec.name, __path__=[], __all__=[])
        module.__name__, module.__spec__ = spec.name, spec
        return module

    def exec_module(self, module):
        pass


def api(source):
    """The API's classes for TensorFlow 1, which TensorFlow 2 runs."""
    np.int, np.float, np.bool = int, float, bool
    sys.meta_path.append(Absent())
    sys.path[1:1] = [str(source), str(source / "slim")]
    from object_detection.utils import tf_version

    tf_version.is_tf1, tf_version.is_tf2 = lambda: True, lambda: False
    from object_detection.builders import model_builder
    from object_detection.protos import pipeline_pb2

    return model_builder, pipeline_pb2


def gain(variable):
    return next((gain for names, gain in GAINS if re.search(names, variable)), 1.0)


def outputs_of(model, images, shapes):
    prediction = model.predict(images, shapes)
    outputs = {}
    if "box_encodings" in prediction:
        sides = [prediction["box_encodings"], prediction["class_predictions_with_background"]]
        outputs["raw_predictions"] = tf.concat(sides, 2)[:, ::STEP]
    found = model.postprocess(prediction, shapes)
    columns = [found["detection_scores"][..., None], found["detection_classes"][..., None]]
    outputs["detections"] = tf.concat([found["detection_boxes"], *columns], 2)
    for name in ("num_detections", "detection_multiclass_scores", "detection_anchor_indices", "detection_masks", "raw_detection_boxes"):
        if name in found:
            outputs[name] = found[name][:, ::STEP] if name.startswith("raw") else found[name]
    return outputs


def make_case(name, model_builder, pipeline_pb2):
    from google.protobuf import text_format

    configuration = text_format.Parse(CASES[name], pipeline_pb2.TrainEvalPipelineConfig())
    resizer = getattr(configuration.model, configuration.model.WhichOneof("model")).image_resizer.fixed_shape_resizer
    shape = [BATCHES.get(name, 1), resizer.height, resizer.width, 3]
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, shape, name="input")
        outputs = outputs_of(model_builder.build(configuration.model, is_training=False), images, tf.constant([shape[1:]] * shape[0]))
        variables = [[variable.op.name, variable.shape.as_list(), gain(variable.op.name)] for variable in tf.global_variables()]
        for variable, described in zip(tf.global_variables(), variables):
            variable.load(fill.variable(*described), session)
        values = session.run(outputs, {images: fill.image(shape)})
    case = {"input": shape, "variables": variables, "outputs": list(values)}
    files = {"pipeline.config": CASES[name].encode(), "case.json": json.dumps(case, separators=(",", ":")).encode()}
    for output, value in values.items():
        content = io.BytesIO()
        np.save(content, value)
        files[f"{output}.npy"] = content.getvalue()
    return files


def make(folder, source, cases=()):
    modules = api(source)
    folder = folder / "detectors"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "cases.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in cases or CASES:
            print(name, flush=True)
            for file, content in make_case(name, *modules).items():
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}", (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
