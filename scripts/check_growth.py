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


def constant(name, number, lengths=(), controls=()):
    dims = " ".join(f"dim {{ size: {length} }}" for length in lengths)
    value = f"tensor {{ dtype: DT_FLOAT tensor_shape {{ {dims} }} float_val: {number} }}"
    attributes = f'attr {{ key: "dtype" value {{ type: DT_FLOAT }} }} attr {{ key: "value" value {{ {value} }} }}'
    return node(name, "Const", controls, attributes)


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


def conditionals(count):
    """Conditionals of TensorFlow 1, one after the other."""
    text, last = placeholder("x", "DT_FLOAT", 4) + placeholder("p", "DT_BOOL"), "x"
    for i in range(count // 3):
        text += node(f"s{i}", "Switch", [last, "p"]) + node(f"t{i}", "Exp", [f"s{i}:1"])
        text += node(f"m{i}", "Merge", [f"s{i}", f"t{i}"], FLOAT + integer("N", 2))
        last = f"m{i}"
    return text + node("y", "Exp", [last])


def controls(count):
    """Nodes that control edges order."""
    ordered = "".join(node(f"n{i + 1}", "NoOp", [f"^n{i}"], "") for i in range(count))
    return placeholder("n0", "DT_FLOAT", 4) + ordered + node("y", "Exp", ["n0", f"^n{count}"])


CASES = [chain, forwarded, sums, fan, reads, outputs, functions, conditionals, controls]


def measured(program, folder, text):
    """The seconds and the bytes that a conversion takes."""
    graph = folder / "graph.pbtxt"
    graph.write_text(text)
    limits = [f"--limit={key}=1000000000000" for key in ("nodes", "outputs", "constants")]
    command = [program, "convert", graph, folder / "model.onnx", "--outputs", "y:0", *limits]
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
            small, large = (measured(program, folder, case(count)) for count in (options.nodes, FACTOR * options.nodes))
            # What is too short to be measured counts as the smallest that can be.
            more = [(max(end - start, least), max(big - start, least)) for start, end, big, least in zip(base, small, large, (0.02, 1 << 20))]
            ratios = [big / end for end, big in more]
            is_wrong |= max(ratios) > MOST
            per_node = [big / FACTOR / options.nodes for _, big in more]
            verdict = "TOO MUCH" if max(ratios) > MOST else "ok"
            print(f"{case.__name__:14} time x {ratios[0]:4.1f}  memory x {ratios[1]:4.1f}  {per_node[0] * 1e6:7.1f} us and {per_node[1]:7.0f} bytes a node  {verdict}", flush=True)
    sys.exit(is_wrong)


if __name__ == "__main__":
    main()
