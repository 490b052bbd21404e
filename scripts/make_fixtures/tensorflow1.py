"""The API of TensorFlow 1 in TensorFlow 2, in graph mode and without messages, and TF-Slim."""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
import tensorflow.compat.v1 as tf  # noqa: E402
import tf_slim as slim  # noqa: E402, F401
from tensorflow.python.framework import ops  # noqa: E402

# TF-Slim 1.1.0 looks for it there when it normalizes a fully connected layer; TensorFlow 2.15 has moved it.
ops.Tensor = tf.Tensor
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
tf.disable_resource_variables()
