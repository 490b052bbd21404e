"""Compares models that were converted from TensorFlow's graph with models of rebuilt networks.

usage: compare_paths.py WITH_GRAPH.onnx WITHOUT_GRAPH.onnx…
The first output of both must be computed by the same operators, in the same numbers, from initializers with the same shapes and
elements. Names may differ. Other outputs are ignored, because a graph may be converted with its logits only.
The arguments are pairs of models. Prints the differences of each pair, and exits with 1 if there are any.
"""
import collections
import hashlib
import sys

import onnx


def contents(path):
    graph = onnx.load(path).graph
    needed, ops = {graph.output[0].name}, collections.Counter()
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            ops[node.op_type] += 1
    arrays = (onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in needed)
    tensors = collections.Counter((str(a.dtype), a.shape, hashlib.sha256(a.tobytes()).hexdigest()) for a in arrays)
    return ops, tensors


def differences(left, right):
    found = []
    (left_ops, left_tensors), (right_ops, right_tensors) = contents(left), contents(right)
    for op in sorted(left_ops.keys() | right_ops.keys()):
        if left_ops[op] != right_ops[op]:
            found.append(f"{left_ops[op]} and {right_ops[op]} {op}")
    for sign, rest in (("only with the graph", left_tensors - right_tensors), ("only without", right_tensors - left_tensors)):
        found += [f"{sign}: {count} x {dtype}{list(shape)}" for (dtype, shape, _), count in rest.items()]
    return found


def main():
    paths = sys.argv[1:]
    failed = False
    for left, right in zip(paths[::2], paths[1::2]):
        found = differences(left, right)
        failed |= bool(found)
        print(f"{'differ' if found else 'same  '} {left} {right} {'; '.join(found)[:600]}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
