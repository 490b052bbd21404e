"""Builds a network with TensorFlow and TF-Slim, fills its variables, runs it and saves its checkpoint."""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
import numpy as np  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402
import tf_slim as slim  # noqa: E402
from tf_slim.nets import alexnet, inception, overfeat, resnet_v1, resnet_v2, vgg  # noqa: E402

import fill  # noqa: E402

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
tf.disable_resource_variables()


MODULES = [alexnet, inception, overfeat, resnet_v1, resnet_v2, vgg]


def function_and_arg_scope(name):
    """A network's function and its arg_scope's, which networks of a family share."""
    (module,) = (module for module in MODULES if hasattr(module, name))
    shared = {resnet_v1: "resnet", resnet_v2: "resnet", vgg: "vgg"}.get(module, name)
    return getattr(module, name), getattr(module, shared + "_arg_scope")


class Reference:
    """What TensorFlow has to say about a case."""

    def __init__(self, case, folder):
        """Saves the checkpoint in `folder`."""
        with tf.Graph().as_default():
            images = tf.placeholder(tf.float32, [None, *case.size, case.channels], name="input")
            outputs = self._network(case, images)
            # The names of the tensors that are converted, and what they are.
            self.names = [tensor.name for tensor in outputs]
            model = tf.model_variables()
            names = {full_name(variable) for variable in model}
            # The auxiliary classifier is not converted.
            names = [name for name in names if "/AuxLogits/" not in name]
            self.gammas = sum(name.endswith("/gamma") for name in names)
            self.betas = sum(name.endswith("/beta") for name in names)
            if case.training:
                train(outputs[0], model)
            variables = tf.global_variables()
            with tf.Session() as session:
                # A variable's initializer assigns what its second input computes.
                values = {v.initializer.inputs[1]: contents(v) for v in variables}
                session.run([v.initializer for v in variables], values)
                self.images = fill.image([case.batch, *case.size, case.channels])
                self.values = session.run(outputs, {images: self.images})
                version = getattr(tf.train.SaverDef, case.version)
                self.checkpoint = tf.train.Saver(variables, write_version=version).save(
                    session, os.path.join(folder, "model.ckpt"), global_step=5000 if case.training else None,
                    write_meta_graph=False, write_state=case.folder)

    @staticmethod
    def _network(case, images):
        network, arg_scope = function_and_arg_scope(case.network)
        partitioner = tf.fixed_size_partitioner(case.partitions) if case.partitions else None
        with tf.variable_scope(tf.get_variable_scope(), partitioner=partitioner):
            with slim.arg_scope(arg_scope()), slim.arg_scope([slim.batch_norm], **case.batch_norm):
                logits, end_points = below(
                    case.prefix, lambda: network(images, is_training=False, **case.arguments))
        if case.end_points:
            return [end_points[name] for name in case.end_points]
        predictions = [end_points[name] for name in ("Predictions", "predictions") if name in end_points]
        return [logits, *predictions]


def below(prefix, build):
    """Builds in these variable scopes."""
    if not prefix:
        return build()
    first, _, rest = prefix.partition("/")
    with tf.variable_scope(first):
        return below(rest, build)


def train(logits, variables):
    """Adds the variables that training has beside the model's."""
    step = tf.train.get_or_create_global_step()
    tf.train.RMSPropOptimizer(0.1, momentum=0.9).minimize(tf.reduce_mean(logits), global_step=step)
    tf.train.ExponentialMovingAverage(0.9999, step).apply(variables)


def full_name(variable):
    """The name of a variable, or of the one that it is a slice of."""
    part = variable._get_save_slice_info()
    return part.full_name if part else variable.op.name


def contents(variable):
    """The contents of a variable, or of a part of one."""
    if variable.dtype.base_dtype != tf.float32:
        return np.full(variable.shape.as_list(), 5000)
    return fill.contents(variable)
