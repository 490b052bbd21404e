"""The parts of tensorflow.contrib that research/deeplab and research/delf import, from TF-Slim, which they moved to."""

import sys
import types

import numpy as np
import tf_slim
from tf_slim.layers import layers, utils
from tf_slim.nets import resnet_utils


def install():
    """Makes `from tensorflow.contrib import slim` and the like work."""
    # NumPy 1.24 has removed a name that MobileNet v3 uses.
    np.int = int
    nets = types.SimpleNamespace(resnet_utils=resnet_utils)
    python_layers = types.SimpleNamespace(layers=layers, utils=utils)
    contrib_layers = types.SimpleNamespace(**vars(layers), xavier_initializer=tf_slim.initializers.xavier_initializer)
    members = {
        "": types.SimpleNamespace(slim=tf_slim, framework=tf_slim, layers=contrib_layers, training=types.SimpleNamespace(HParams=object)),
        ".slim": tf_slim, ".slim.nets": nets, ".framework": tf_slim, ".layers": contrib_layers, ".layers.python": None,
        ".layers.python.layers": python_layers,
    }
    for path, content in members.items():
        module = types.ModuleType("tensorflow.contrib" + path)
        module.__path__ = []
        module.__dict__.update({name: value for name, value in vars(content).items() if not name.startswith("__")} if content else {})
        sys.modules[module.__name__] = module
