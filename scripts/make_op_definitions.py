#!/usr/bin/env python3
"""Writes src/graph/op_definitions.txt: the definitions of ops for inference, from TensorFlow's op registry.

usage: scripts/environment.sh && target/parity-env/bin/python scripts/make_op_definitions.py

One op a line, sorted by name in byte order, in four fields:

    ConcatV2 | values:N*T axis:Tidx | output:T | N:int>=2 T:type Tidx:type=int32{int32,int64}

    inputs and outputs   NAME:TYPE. TYPE is an element type or the attribute that holds it; N*TYPE is as many tensors of
                         this type as the attribute N says; TYPES* is a tensor for each type that the attribute lists.
                         Reference types are written as their base type.
    attributes           NAME:KIND, with the least value or length (>=), the default (=) and the values that are allowed
                         ({}). Defaults that are a shape, a tensor or an unusual text are written as "?".

Ops that only training, input pipelines, TensorFlow's own rewrites or its tests use are left out.
"""

import os
import pathlib
import re

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

PATH = pathlib.Path(__file__).resolve().parent.parent / "src/graph/op_definitions.txt"

# Ops without these are in no graph for inference.
LEFT_OUT = re.compile(
    r"^(Xla(Cluster|Concat|Host|Launch|Recv|Send|Split)|TPU|Risc|Experimental|BoostedTrees|Collective|Nccl|Sdca|DTensor|CudnnRNNBackprop|Rpc|Infeed|Outfeed|CrossReplica|Debug"
    r"|(Sparse|Resource|ResourceSparse)?Apply[A-Z]|(Load|Retrieve|Configure|Enqueue|Recv|Send)TPU|.*TPUEmbedding"
    r"|.*DatasetV?\d*$|.*Dataset(ToGraph|ToTFRecord|Cardinality|FromGraph)|Dataset|.*StatsAggregator|.*SummaryWriter"
    r"|Write\w*Summary|Data[Ss]ervice|.*MemoryCache|.*RandomSeedGenerator|.*Accumulator|Barrier|OrderedMap|Delete|Prelinearize|.*DistributedTPU)"
    r"|Grad(V\d+|WithArgmax|Grad|GradV2|GradWithArgmax|Ex|ient|A|Input|Image|Boxes)?$|BackpropFilter|Gradients|MultiDeviceIterator"
)

# What these compute is their input, and graphs compute gradients to explain their results.
KEPT = {
    "PreventGradient", "StopGradient",
    "AvgPool3DGrad", "AvgPoolGrad", "BiasAddGrad", "BroadcastGradientArgs", "Conv2DBackpropFilter", "Conv3DBackpropFilterV2",
    "CropAndResizeGradImage", "DepthwiseConv2dNativeBackpropFilter", "Dilation2DBackpropFilter", "EluGrad", "FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3",
    "InvGrad", "LRNGrad", "LeakyReluGrad", "MaxPool3DGrad", "MaxPoolGrad", "MaxPoolGradV2", "MaxPoolGradWithArgmax",
    "MirrorPadGrad", "ReciprocalGrad", "Relu6Grad", "ReluGrad", "ResizeBicubicGrad", "ResizeBilinearGrad", "ResizeNearestNeighborGrad", "RsqrtGrad",
    "SeluGrad", "SigmoidGrad", "SoftplusGrad", "SoftsignGrad", "SqrtGrad", "StridedSliceGrad", "TanhGrad",
}


def dtype(number):
    return tf.dtypes.as_dtype(number).base_dtype.name


def argument(arg):
    if arg.type_list_attr:
        return f"{arg.name}:{arg.type_list_attr}*"
    kind = arg.type_attr or dtype(arg.type)
    return f"{arg.name}:{arg.number_attr}*{kind}" if arg.number_attr else f"{arg.name}:{kind}"


def scalar(value):
    """One value as text, or None where a word does not do."""
    kind = value.WhichOneof("value")
    if kind == "type":
        return dtype(value.type)
    if kind == "s":
        text = value.s.decode("latin1")
        return text if re.fullmatch(r"[\w.+-]*", text) else None
    if kind == "b":
        return str(value.b).lower()
    if kind in ("i", "f"):
        return f"{getattr(value, kind):g}" if kind == "f" else str(value.i)
    return None


def values(attr_list):
    if attr_list.type:
        return [dtype(number) for number in attr_list.type]
    if attr_list.s:
        return [text.decode("latin1") for text in attr_list.s]
    return [f"{v:g}" if isinstance(v, float) else str(v).lower() for v in [*attr_list.i, *attr_list.f, *attr_list.b]]


def attribute(attr):
    text = f"{attr.name}:{attr.type}"
    if attr.has_minimum:
        text += f">={attr.minimum}"
    if attr.HasField("default_value"):
        default = attr.default_value
        if default.WhichOneof("value") == "list":
            words = values(default.list)
            text += "=[" + ",".join(words) + "]" if all(re.fullmatch(r"[\w.+-]*", w) for w in words) else "=?"
        else:
            word = scalar(default)
            text += f"={'?' if word is None else word}"
    if attr.HasField("allowed_values"):
        text += "{" + ",".join(values(attr.allowed_values.list)) + "}"
    return text


def line(op):
    fields = [
        op.name,
        " ".join(map(argument, op.input_arg)),
        " ".join(map(argument, op.output_arg)),
        " ".join(map(attribute, op.attr)),
    ]
    return " | ".join(fields).rstrip()


def main():
    buffer = pywrap_tf_session.TF_GetAllOpList()
    ops = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(buffer)).op
    # The registry also holds the ops of TensorFlow's tests and of its rewrites, which raw_ops leaves out. It leaves out XLA's, too.
    is_public = lambda op: hasattr(tf.raw_ops, op.name) or op.name.startswith("Xla")
    kept = [op for op in ops if is_public(op) and (op.name in KEPT or not LEFT_OUT.search(op.name))]
    lines = sorted(map(line, kept), key=lambda text: text.split(" ")[0].encode())
    PATH.write_text("\n".join(lines) + "\n")
    print(f"{PATH}: {len(lines)} of {len(ops)} ops, {PATH.stat().st_size} bytes")


main()
