"""Changes of graphs as messages: nodes, their inputs and attributes, and functions."""
from google.protobuf import text_format
from onnx import onnx_ml_pb2
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from . import fields

NUMBERS = [0, 1, -1, 2, -2, 3, 4, 7, 8, 16, 100, 255, 256, 65536, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63 - 1, -(2**63)]
WORDS = ["", "NHWC", "NCHW", "SAME", "VALID", "EXPLICIT", "a", "T", "body", "MIRROR_PAD", "/", "NDHWC", "é", "add:z:0"]
TYPES = range(0, 25)
MESSAGES = {
    "graph": graph_pb2.GraphDef,
    "meta": meta_graph_pb2.MetaGraphDef,
    "saved_model": saved_model_pb2.SavedModel,
    "onnx": onnx_ml_pb2.ModelProto,
}
# What has nodes of TensorFlow is mostly changed there.
SHARE_OF_FIELDS = {"graph": 0.2, "meta": 0.4, "saved_model": 0.4, "onnx": 1}


def mutated(kind, data, rng, is_text=False, most=3):
    """The bytes of a message with some changes, most often one, of a graph in it or of any field, and what was changed."""
    message = MESSAGES[kind]()
    text_format.Parse(data.decode(), message) if is_text else message.ParseFromString(data)
    changes = [change(kind, message, rng) for _ in range(rng.choice([1, 1, 1, *range(1, most + 1)]))]
    data = text_format.MessageToString(message).encode() if is_text else message.SerializePartialToString()
    return data, ", ".join(changes)


def change(kind, message, rng):
    if rng.random() < SHARE_OF_FIELDS[kind] or (kind == "saved_model" and not message.meta_graphs):
        return fields.mutated(message, rng)
    graph = {
        "graph": lambda: message,
        "meta": lambda: message.graph_def,
        "saved_model": lambda: rng.choice(message.meta_graphs).graph_def,
    }[kind]()
    return mutate_graph(graph, rng)


def mutate_graph(graph, rng):
    functions = graph.library.function
    if not functions or rng.random() < 0.5:
        return mutate_nodes(graph.node, rng)
    function = rng.choice(functions)
    name = function.signature.name
    change = rng.randrange(12)
    if change == 0:
        functions.remove(function)
        return f"without function {name}"
    if change == 1:
        functions.add().CopyFrom(function)
        return f"function {name} twice"
    return f"in function {name}: {mutate_function(function, rng)}"


def mutate_function(function, rng):
    change = rng.randrange(8)
    if change in (0, 1):
        arguments = function.signature.input_arg if change == 0 else function.signature.output_arg
        return "arguments " + shuffle_messages(arguments, rng)
    arguments = [*function.signature.input_arg, *function.signature.output_arg]
    if change == 2 and arguments:
        argument = rng.choice(arguments)
        argument.type = rng.choice(TYPES)
        return f"argument {argument.name} has the type {argument.type}"
    if change == 3 and function.ret and function.node_def:
        name = rng.choice(sorted(function.ret))
        function.ret[name] = f"{rng.choice(function.node_def).name}:{rng.choice(WORDS)}:{rng.randrange(3)}"
        return f"result {name} is {function.ret[name]}"
    if change == 4 and function.ret:
        name = rng.choice(sorted(function.ret))
        del function.ret[name]
        return f"no result {name}"
    return mutate_nodes(function.node_def, rng)


def mutate_nodes(nodes, rng):
    if not nodes:
        return "nothing"
    node, other = rng.choice(nodes), rng.choice(nodes)
    name = f"{node.op} {node.name}"
    change = rng.randrange(26)
    if change == 0:
        nodes.remove(node)
        return f"without {name}"
    if change == 1:
        nodes.add().CopyFrom(other)
        return f"{other.name} twice"
    if change == 2:
        node.name = rng.choice([other.name, rng.choice(WORDS), node.name + "_"])
        return f"{name} renamed to {node.name!r}"
    if change == 3:
        node.op = other.op
        return f"{name} becomes {node.op}"
    if change == 4:
        copy = nodes.add()
        copy.CopyFrom(node)
        copy.name += "_1"
        if copy.input:
            copy.input[0] = node.name
        return f"another {name} behind it"
    if change <= 13 or not node.attr:
        return f"{name}: inputs {mutate_inputs(node.input, other.name, rng)}"
    key = rng.choice(sorted(node.attr))
    if change == 14:
        del node.attr[key]
        return f"{name}: no {key}"
    if change == 15 and other.attr:
        from_key = rng.choice(sorted(other.attr))
        node.attr[key].CopyFrom(other.attr[from_key])
        return f"{name}: {key} is {from_key} of {other.name}"
    return f"{name}: {key} {mutate_attribute(node.attr[key], rng)}"


def mutate_inputs(inputs, other, rng):
    replaced = rng.choice([other, other, other, f"^{other}", f"{other}:{rng.randrange(4)}"])
    if not inputs or rng.random() < 0.15:
        inputs.insert(rng.randint(0, len(inputs)), replaced)
        return f"with {replaced}"
    if rng.random() < 0.4:
        return shuffle(inputs, rng)
    index = rng.randrange(len(inputs))
    inputs[index] = replaced
    return f"{index} is {replaced}"


def mutate_attribute(attribute, rng):
    kind = attribute.WhichOneof("value")
    if kind == "i":
        attribute.i = number(rng)
    elif kind == "f":
        attribute.f = rng.choice([0.0, -1.0, 0.5, 1e30, float("nan"), float("inf"), 1e-30])
    elif kind == "b":
        attribute.b = not attribute.b
    elif kind == "s":
        attribute.s = rng.choice(WORDS).encode()
    elif kind == "type":
        attribute.type = rng.choice(TYPES)
    elif kind == "shape":
        return mutate_shape(attribute.shape, rng)
    elif kind == "tensor":
        return mutate_tensor(attribute.tensor, rng)
    elif kind == "func":
        attribute.func.name = rng.choice(WORDS)
    elif kind == "list":
        for field in ("i", "f", "b", "type", "s"):
            values = getattr(attribute.list, field)
            if values:
                return mutate_list(values, field, rng)
        if attribute.list.shape:
            return mutate_shape(rng.choice(attribute.list.shape), rng)
        attribute.list.i.append(number(rng))
    else:
        attribute.i = 1
    return "is " + " ".join(str(attribute).split())[:60]


def mutate_list(values, field, rng):
    if field in ("i", "type") and rng.random() < 0.6:
        index = rng.randrange(len(values))
        values[index] = number(rng) if field == "i" else rng.choice(TYPES)
        return f"{index} is {values[index]}"
    return shuffle(values, rng)


def mutate_shape(shape, rng):
    change = rng.randrange(4)
    if change == 0:
        shape.unknown_rank = not shape.unknown_rank
        return "rank is unknown"
    if change == 1 or not shape.dim:
        shape.dim.add().size = number(rng)
        return f"has an axis of {shape.dim[-1].size} more"
    if change == 2:
        del shape.dim[-1]
        return "has one axis less"
    index = rng.randrange(len(shape.dim))
    shape.dim[index].size = number(rng)
    return f"axis {index} is {shape.dim[index].size}"


def mutate_tensor(tensor, rng):
    change = rng.randrange(5)
    if change == 0:
        tensor.dtype = rng.choice(TYPES)
        return f"has the type {tensor.dtype}"
    if change == 1:
        return mutate_shape(tensor.tensor_shape, rng)
    for field in ("tensor_content", "int_val", "float_val", "int64_val", "bool_val", "double_val"):
        values = getattr(tensor, field)
        if values and field == "tensor_content":
            if change == 2:
                tensor.tensor_content = values[: rng.randrange(len(values))]
                return "is cut off"
            at = rng.randrange(len(values))
            tensor.tensor_content = values[:at] + bytes([rng.randrange(256)]) + values[at + 1 :]
            return f"byte {at}"
        if values:
            if field in ("int_val", "int64_val") and change == 3:
                values[rng.randrange(len(values))] = max(-(2**31), min(number(rng), 2**31 - 1))
                return f"{field} {list(values)[:4]}"
            return shuffle(values, rng)
    return "as it was"


def shuffle(values, rng):
    """Drops, repeats or swaps elements of a field of numbers or texts."""
    first, second = rng.randrange(len(values)), rng.randrange(len(values))
    change = rng.choice(["dropped", "repeated", "swapped"])
    if change == "dropped":
        del values[first]
    elif change == "repeated":
        values.insert(second, values[first])
    else:
        values[first], values[second] = values[second], values[first]
    return f"{change} {first}"


def shuffle_messages(values, rng):
    if not values:
        return "as they were"
    kept = [type(value).FromString(value.SerializeToString()) for value in values]
    what = shuffle(kept, rng)
    del values[:]
    values.extend(kept)
    return what


def number(rng):
    return rng.randint(-3, 10) if rng.random() < 0.6 else rng.choice(NUMBERS)
