"""The cases of parity.py: networks of PyPI's TF-Slim, and how each is built, saved and converted."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    name: str
    # The function, in the module of tf_slim.nets that is named in slim_reference.py.
    network: str
    # Height and width of the images.
    size: tuple
    # Arguments of that function.
    arguments: dict = field(default_factory=dict)
    batch: int = 2
    channels: int = 3
    # Variable scopes around the network.
    prefix: str = ""
    # Defaults of batch_norm that override slim's.
    batch_norm: dict = field(default_factory=dict)
    # Splits every weight into this many slices.
    partitions: int = 0
    # Saves what training leaves in a checkpoint: RMSProp slots, global_step, moving averages.
    training: bool = False
    # Saves V1 or V2.
    version: str = "V2"
    # Hands over the folder instead of the checkpoint's path.
    folder: bool = False
    # End points to convert instead of the logits and the predictions.
    end_points: tuple = ()
    # Options of `convert`, besides --image-size and --outputs.
    options: tuple = ()
    # How many Transpose nodes are right.
    transposes: int = 1
    # What batch norms add to variances; nothing where the network has none.
    epsilons: tuple = (0.001,)
    # Run with --full only.
    slow: bool = False


NCHW = ("--inputs-as-nchw", "input:0")
# Small networks whose convolutions all differ in their number of channels from the full ones.
QUARTER = {"num_classes": 17, "depth_multiplier": 0.25}
TINY = {"num_classes": 11, "depth_multiplier": 0.1, "min_depth": 4}

NO_CLASSES = {"num_classes": None}
RESNET = {"epsilons": (1e-5,)}
PLAIN = {"epsilons": ()}


def option(*settings):
    return tuple(word for setting in settings for word in ("--network-option", setting))


CASES = [
    # The published networks.
    Case("inception_v1", "inception_v1", (224, 224), {"num_classes": 1001}, version="V1"),
    Case("inception_v2", "inception_v2", (224, 224), {"num_classes": 1001}),
    Case("inception_v3", "inception_v3", (299, 299), {"num_classes": 1001}, version="V1"),
    Case("inception_v3 from V2", "inception_v3", (299, 299), {"num_classes": 1001}, slow=True),
    Case("inception_v1 from V2", "inception_v1", (224, 224), {"num_classes": 1001}, slow=True),
    Case("inception_v2 from V1", "inception_v2", (224, 224), {"num_classes": 1001}, version="V1", slow=True),
    # Classes, multipliers, least depths, other channels.
    Case("v1, 5 classes", "inception_v1", (224, 224), {"num_classes": 5}),
    Case("v2, half", "inception_v2", (224, 224), {"num_classes": 21, "depth_multiplier": 0.5}, version="V1"),
    Case("v2, least depth 8", "inception_v2", (128, 128),
         {"num_classes": 3, "depth_multiplier": 0.1, "min_depth": 8}),
    Case("v3, tiny", "inception_v3", (299, 299), TINY, version="V1"),
    Case("v3, multiplier 1.25", "inception_v3", (139, 139),
         {"num_classes": 2, "depth_multiplier": 1.25, "create_aux_logits": False}, slow=True),
    Case("v3, without aux logits", "inception_v3", (299, 299), QUARTER | {"create_aux_logits": False}),
    Case("v3, grey images", "inception_v3", (299, 299), TINY, channels=1, transposes=0),
    # Image and batch sizes. SAME padding depends on the image's size.
    Case("v3, 139x139", "inception_v3", (139, 139), QUARTER, version="V1"),
    Case("v3, 331x299", "inception_v3", (331, 299), QUARTER),
    Case("v2, 201x224", "inception_v2", (201, 224), QUARTER),
    Case("v2, one image", "inception_v2", (224, 224), QUARTER, batch=1, options=("--batch-size", "1")),
    Case("v1, 256x320, not squeezed", "inception_v1", (256, 320),
         {"num_classes": 7, "spatial_squeeze": False},
         options=("--network-option", "spatial_squeeze=false"), transposes=2),
    Case("v3, 448x500, not squeezed", "inception_v3", (448, 500), QUARTER | {"spatial_squeeze": False},
         options=("--network-option", "spatial_squeeze=false"), transposes=2),
    # Layouts, outputs, operator sets.
    Case("v3, NCHW input", "inception_v3", (299, 299), QUARTER, options=NCHW, transposes=0),
    Case("v2, NCHW input", "inception_v2", (193, 224), QUARTER, options=NCHW, transposes=0, slow=True),
    Case("v1, NCHW input", "inception_v1", (224, 224), {"num_classes": 5}, options=NCHW, transposes=0),
    Case("v3, end points", "inception_v3", (299, 299), TINY, end_points=("Mixed_6e", "PreLogits"),
         transposes=2),
    Case("v3, end point as NCHW", "inception_v3", (299, 299), TINY, end_points=("Mixed_7a",),
         options=(*NCHW, "--outputs-as-nchw", "Mixed_7a"), transposes=0),
    Case("v3, opset 13", "inception_v3", (299, 299), TINY, options=("--opset", "13")),
    Case("v3, opset 21", "inception_v3", (299, 299), TINY, options=("--opset", "21")),
    # What else is in a checkpoint, and where the network is in it.
    Case("v3, in tower_0/", "inception_v3", (299, 299), TINY, prefix="tower_0", version="V1"),
    Case("v2, in a/b/, another scope", "inception_v2", (224, 224), QUARTER | {"scope": "Net"}, prefix="a/b"),
    Case("v3, another scope, option", "inception_v3", (299, 299),
         TINY | {"scope": "Net", "spatial_squeeze": False},
         options=("--network-option", "spatial_squeeze=false"), transposes=1),
    # The moving averages are filled like weights, also those of variances: networks cannot be computed with them.
    Case("v1, after training", "inception_v1", (224, 224), {"num_classes": 5}, training=True, folder=True,
         options=("--moving-averages", "off")),
    Case("v3, after training, V1", "inception_v3", (299, 299), QUARTER, training=True, version="V1",
         options=("--moving-averages", "off"), slow=True),
    Case("v2, partitioned", "inception_v2", (224, 224), QUARTER, partitions=3),
    Case("v2, partitioned, V1", "inception_v2", (224, 224), QUARTER, partitions=3, version="V1"),
    # The checkpoint decides whether a batch norm has a gamma and a beta.
    Case("v3, with gammas", "inception_v3", (299, 299), TINY, batch_norm={"scale": True}, version="V1"),
    Case("v1, without betas", "inception_v1", (224, 224), {"num_classes": 5}, batch_norm={"center": False}),
    # Residual networks, which PyPI's TF-Slim does not squeeze: strides that dilation replaces, features, sizes.
    Case("resnet v1 50, stride 8, map", "resnet_v1_50", (97, 129),
         {"num_classes": 21, "output_stride": 8, "global_pool": False},
         options=option("output_stride=8", "global_pool=false", "spatial_squeeze=false"), transposes=2, **RESNET),
    Case("resnet v2 50, stride 16", "resnet_v2_50", (225, 193), {"num_classes": 5, "output_stride": 16},
         options=option("output_stride=16", "spatial_squeeze=false"), **RESNET),
    Case("resnet v1 50, no logits", "resnet_v1_50", (224, 224), NO_CLASSES, **RESNET),
    Case("resnet v2 50, map, no logits", "resnet_v2_50", (160, 224), NO_CLASSES | {"global_pool": False},
         options=option("global_pool=false"), transposes=2, slow=True, **RESNET),
    Case("resnet v1 101, 3 classes", "resnet_v1_101", (200, 224), {"num_classes": 3}, version="V1",
         options=option("spatial_squeeze=false"), slow=True, **RESNET),
    # Networks without batch norms.
    Case("vgg a, 10 classes", "vgg_a", (224, 224), {"num_classes": 10}, version="V1", slow=True, **PLAIN),
    Case("vgg 16, map", "vgg_16", (256, 300), {"num_classes": 4, "spatial_squeeze": False},
         options=option("spatial_squeeze=false"), transposes=2, slow=True, **PLAIN),
    Case("alexnet v2, map", "alexnet_v2", (300, 260), {"num_classes": 12, "spatial_squeeze": False},
         options=option("spatial_squeeze=false"), transposes=2, **PLAIN),
    Case("overfeat, 7 classes", "overfeat", (231, 231), {"num_classes": 7}, slow=True, **PLAIN),
]
