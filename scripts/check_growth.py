"""Compares how long conversions take, and how much memory they need, for graphs of different sizes.

usage: check_growth.py --bin PATH_TO_tf2onnx-rs [--nodes N] [CASE...]
Each graph is converted with N nodes and with four times as many. The exit status is 1 if time or memory grows more than six times: a
step that compares each node with all others would take sixteen times as long. Only ratios are compared, so the machine does not matter;
the processor time is measured, and what an empty graph needs is subtracted. Graphs are written in text form: nothing else is needed.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

FACTOR, MOST = 4, 6
# Other processes take time from the caches: a case is too much only if it is so again.
ATTEMPTS = 3
FLOAT = 'attr { key: "T" value { type: DT_FLOAT } }'


def node(name, op, inputs, attributes=FLOAT, of="node"):
    reads = " ".join(f'input: "{name}"' for name in inputs)
    return f'{of} {{ name: "{name}" op: "{op}" {reads} {attributes} }}\n'


def integer(key, value):
    return f' attr {{ key: "{key}" value {{ i: {value} }} }}'


def placeholder(name, dtype="DT_FLOAT", *lengths):
    dims = " ".join(f"dim {{ size: {length} }}" for length in lengths)
    shape = f'attr {{ key: "shape" value {{ shape {{ {dims} }} }} }}'
    return node(name, "Placeholder", [], f'attr {{ key: "dtype" value {{ type: {dtype} }} }} {shape}')


def constant(name, number, lengths=(), dtype="DT_FLOAT"):
    dims = " ".join(f"dim {{ size: {length} }}" for length in lengths)
    elements = f"{'float' if dtype == 'DT_FLOAT' else 'int'}_val: {number}"
    value = f"tensor {{ dtype: {dtype} tensor_shape {{ {dims} }} {elements} }}"
    attributes = f'attr {{ key: "dtype" value {{ type: {dtype} }} }} attr {{ key: "value" value {{ {value} }} }}'
    return node(name, "Const", [], attributes)


def row(count, ops):
    nodes = "".join(node(f"n{i + 1}", ops[i % len(ops)], [f"n{i}"]) for i in range(count))
    return placeholder("n0", "DT_FLOAT", 4) + nodes + node("y", "Exp", [f"n{count}"])


def chain(count):
    """Nodes that each read the one before."""
    return row(count, ["Exp", "Tanh", "Abs"])


def forwarded(count):
    """A tensor that is forwarded again and again."""
    return row(count, ["Identity"])


def sums(count):
    """Constants that are computed from constants."""
    text = placeholder("x", "DT_FLOAT", 4) + constant("c", 1.5, [4])
    last = "c"
    for i in range(count):
        text += node(f"s{i}", "AddV2", [last, "c"])
        last = f"s{i}"
    return text + node("y", "AddV2", ["x", last])


def fan(count):
    """Many nodes that read one, and one that reads them."""
    parts = "".join(constant(f"c{i}", i) + node(f"n{i}", "Mul", ["x", f"c{i}"]) for i in range(count // 2))
    total = node("y", "AddN", [f"n{i}" for i in range(count // 2)], FLOAT + integer("N", count // 2))
    return placeholder("x", "DT_FLOAT", 4) + parts + total


def reads(count):
    """One node that reads one tensor many times."""
    return placeholder("x", "DT_FLOAT", 4) + node("y", "AddN", ["x"] * count, FLOAT + integer("N", count))


def outputs(count):
    """One node with many outputs, and one that reads them."""
    unpack = node("parts", "Unpack", ["x"], FLOAT + integer("num", count))
    total = node("y", "AddN", [f"parts:{i}" for i in range(count)], FLOAT + integer("N", count))
    return placeholder("x", "DT_FLOAT", count, 4) + unpack + total


def functions(count):
    """Calls of one function."""
    signature = 'signature { name: "f" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } }'
    body = node("a", "Exp", ["x"], of="node_def") + node("b", "Tanh", ["a:y:0"], of="node_def")
    library = f'library {{ function {{ {signature} {body} ret {{ key: "y" value: "b:y:0" }} }} }}\n'
    attributes = 'attr { key: "f" value { func { name: "f" } } }'
    attributes += "".join(f' attr {{ key: "{key}" value {{ list {{ type: DT_FLOAT }} }} }}' for key in ("Tin", "Tout"))
    calls = "".join(node(f"n{i + 1}", "PartitionedCall", [f"n{i}"], attributes) for i in range(count // 2))
    return placeholder("n0", "DT_FLOAT", 4) + calls + node("y", "Exp", [f"n{count // 2}"]) + library


def conditional(index, data, decider):
    """A conditional of TensorFlow 1."""
    switch = node(f"s{index}", "Switch", [data, decider]) + node(f"t{index}", "Exp", [f"s{index}:1"])
    return switch + node(f"m{index}", "Merge", [f"s{index}", f"t{index}"], FLOAT + integer("N", 2))


def conditionals(count):
    """Conditionals, one after the other, that one tensor decides."""
    text, last = placeholder("x", "DT_FLOAT", 4) + placeholder("p", "DT_BOOL"), "x"
    for i in range(count // 3):
        text += conditional(i, last, "p")
        last = f"m{i}"
    return text + node("y", "Exp", [last])


def deciders(count):
    """Conditionals, one after the other, that each another tensor decides. Each returns two tensors."""
    text, last = placeholder("x", "DT_FLOAT", 4), "x"
    for i in range(0, count // 4, 2):
        text += placeholder(f"p{i}", "DT_BOOL") + conditional(i, last, f"p{i}") + conditional(i + 1, last, f"p{i}")
        text += node(f"a{i}", "AddV2", [f"m{i}", f"m{i + 1}"])
        last = f"a{i}"
    return text + node("y", "Exp", [last])


def controls(count):
    """Nodes that control edges order."""
    ordered = "".join(node(f"n{i + 1}", "NoOp", [f"^n{i}"], "") for i in range(count))
    return placeholder("n0", "DT_FLOAT", 4) + ordered + node("y", "Exp", ["n0", f"^n{count}"])


def concats(count):
    """Concatenations that each join one more tensor."""
    joined = FLOAT + integer("N", 2) + ' attr { key: "Tidx" value { type: DT_INT32 } }'
    nodes = "".join(node(f"n{i + 1}", "ConcatV2", [f"n{i}", "x", "axis"], joined) for i in range(count))
    return placeholder("x", "DT_FLOAT", 4) + constant("axis", 0, dtype="DT_INT32") + node("n0", "Exp", ["x"]) + nodes + node("y", "Exp", [f"n{count}"])


def inputs(count):
    """Inputs of the model."""
    parts = "".join(placeholder(f"x{i}", "DT_FLOAT", 4) for i in range(count))
    return parts + node("y", "AddN", [f"x{i}" for i in range(count)], FLOAT + integer("N", count))


def results(count):
    """Outputs of the model: what no node reads, since there is no y."""
    return placeholder("x", "DT_FLOAT", 4) + "".join(node(f"n{i}", "Exp", ["x"]) for i in range(count))


def probabilities(count):
    """Outputs that are computed from logits."""
    logits = "".join(node(f"n{i}", "Exp", ["x"]) + node(f"p{i}", "Softmax", [f"n{i}"]) for i in range(count // 2))
    return placeholder("x", "DT_FLOAT", 4) + logits


def reductions(count):
    """Reductions, each along axes of its own."""
    attributes = FLOAT + ' attr { key: "Tidx" value { type: DT_INT32 } } attr { key: "keep_dims" value { b: true } }'
    text = placeholder("x", "DT_FLOAT", 4)
    for i in range(count // 3):
        text += node(f"n{i}", "Exp", ["x"]) + constant(f"axes{i}", 0, dtype="DT_INT32")
        text += node(f"m{i}", "Max", [f"n{i}", f"axes{i}"], attributes)
    return text + node("y", "AddN", [f"m{i}" for i in range(count // 3)], FLOAT + integer("N", count // 3))


def batch_norms(count):
    """Batch norms that normalize by the statistics of each batch."""
    of_training = FLOAT + ' attr { key: "U" value { type: DT_FLOAT } } attr { key: "is_training" value { b: true } }'
    parts = placeholder("n0", "DT_FLOAT", 2, 3, 3, 4) + constant("part", 1.5, [4]) + constant("none", 1, [0]).replace("float_val: 1 ", "")
    read = ["part", "part", "none", "none"]
    norms = "".join(node(f"n{i + 1}", "FusedBatchNormV3", [f"n{i}", *read], of_training) for i in range(count // 4))
    return parts + norms + node("y", "Exp", [f"n{count // 4}"])


def function(name, arguments, results, nodes):
    """A function of a library. Arguments are names and types; so are results, each with the tensor that it is."""
    signature = "".join(f'input_arg {{ name: "{argument}" type: {dtype} }} ' for argument, dtype in arguments)
    signature += "".join(f'output_arg {{ name: "{result}" type: {dtype} }} ' for result, dtype, _ in results)
    returned = "".join(f'ret {{ key: "{result}" value: "{tensor}" }} ' for result, _, tensor in results)
    return f'function {{ signature {{ name: "{name}" {signature} }} {nodes} {returned} }}\n'


def lists(count):
    """A loop that writes parts of a tensor to many lists, which are joined after it."""
    count //= 20
    a_type, of = (lambda key, dtype: f' attr {{ key: "{key}" value {{ type: {dtype} }} }}'), {"of": "node_def"}
    inside = lambda text: text.replace("node {", "node_def {")
    element, shape = a_type("element_dtype", "DT_FLOAT"), a_type("shape_type", "DT_INT32")
    arguments = [("i", "DT_INT32"), ("x", "DT_FLOAT"), *((f"l{k}", "DT_VARIANT") for k in range(count))]
    less = node("less", "Less", ["i", "four:output:0"], a_type("T", "DT_INT32"), **of)
    goes_on = inside(constant("four", 4, dtype="DT_INT32")) + less
    body = inside(constant("one", 1, dtype="DT_INT32")) + node("next", "AddV2", ["i", "one:output:0"], a_type("T", "DT_INT32"), **of)
    body += inside(constant("none", 0, [1], "DT_INT32")) + node("end", "ExpandDims", ["i", "none:output:0"], a_type("T", "DT_INT32"), **of)
    begin, steps = "none:output:0", inside(constant("ones", 1, [1], "DT_INT32"))
    part = a_type("T", "DT_FLOAT") + a_type("Index", "DT_INT32")
    body += steps + node("part", "StridedSlice", ["x", begin, "end:output:0", "ones:output:0"], part, **of)
    body += "".join(node(f"s{k}", "TensorListSetItem", [f"l{k}", "i", "part:output:0"], element, **of) for k in range(count))
    results = [("i_", "DT_INT32", "next:z:0"), ("x_", "DT_FLOAT", "x"), *((f"l{k}_", "DT_VARIANT", f"s{k}:output_handle:0") for k in range(count))]
    library = function("goes_on", arguments, [("go", "DT_BOOL", "less:z:0")], goes_on) + function("body", arguments, results, body)
    text = placeholder("x", "DT_FLOAT", 9, 4) + constant("zero", 0, dtype="DT_INT32") + constant("any", -1, dtype="DT_INT32")
    text += constant("four", 4, dtype="DT_INT32") + constant("lengths", 0, [0], "DT_INT64").replace("int_val: 0 ", "")
    text += "".join(node(f"r{k}", "TensorListReserve", ["any", "four"], element + shape) for k in range(count))
    types = " ".join(f"type: {dtype}" for _, dtype in arguments)
    calls = f'attr {{ key: "T" value {{ list {{ {types} }} }} }}'
    calls += "".join(f' attr {{ key: "{key}" value {{ func {{ name: "{name}" }} }} }}' for key, name in (("cond", "goes_on"), ("body", "body")))
    text += node("loop", "While", ["zero", "x", *(f"r{k}" for k in range(count))], calls)
    text += "".join(node(f"c{k}", "TensorListConcatV2", [f"loop:{k + 2}", "any", "lengths"], element + shape) for k in range(count))
    total = node("y", "AddN", [f"c{k}" for k in range(count)], FLOAT + integer("N", count))
    return text + total + f"library {{ {library} }}\n"


CASES = [
    chain, forwarded, sums, fan, reads, outputs, functions, conditionals, deciders, controls, concats, inputs, results, probabilities, reductions, batch_norms, lists
]


def measured(program, folder, text):
    """The seconds and the bytes that a conversion takes."""
    graph = folder / "graph.pbtxt"
    graph.write_text(text)
    limits = [f"--limit={key}=1000000000000" for key in ("nodes", "outputs", "constants")]
    outputs = ["--outputs", "y:0"] if 'name: "y"' in text else []
    command = [program, "convert", graph, folder / "model.onnx", *outputs, *limits]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            sys.exit(f"{graph} is not converted: {said.read().decode().strip()}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    options = parser.parse_args()
    is_wrong = False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = options.bin.resolve()
        base = measured(program, folder, placeholder("x", "DT_FLOAT", 4) + node("y", "Exp", ["x"]))
        for case in CASES:
            if options.cases and case.__name__ not in options.cases:
                continue
            for _ in range(ATTEMPTS):
                small, large = (measured(program, folder, case(count)) for count in (options.nodes, FACTOR * options.nodes))
                # What is too short to be measured counts as the smallest that can be.
                more = [(max(end - start, least), max(big - start, least)) for start, end, big, least in zip(base, small, large, (0.02, 1 << 20))]
                ratios = [big / end for end, big in more]
                if max(ratios) <= MOST:
                    break
            is_wrong |= max(ratios) > MOST
            per_node = [big / FACTOR / options.nodes for _, big in more]
            verdict = "TOO MUCH" if max(ratios) > MOST else "ok"
            print(f"{case.__name__:14} time x {ratios[0]:4.1f}  memory x {ratios[1]:4.1f}  {per_node[0] * 1e6:7.1f} us and {per_node[1]:7.0f} bytes a node  {verdict}", flush=True)
    sys.exit(is_wrong)


if __name__ == "__main__":
    main()
