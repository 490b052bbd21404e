"""Asks ONNX Runtime which operators it computes in which types, for src/onnx/operators.txt.

usage: check_kernels.py [--write]
For each ONNX operator that the program writes, each version of it from operator set 11 on, and each type that its inputs may have,
builds a model of one node, with inputs of unknown shapes, and creates a session. Compares the table with the answers, and names what
differs; the exit status is then 1. With --write, writes the table.
Needs the environment of scripts/environment.sh.
"""
import argparse
import pathlib
import re
import sys

import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/onnx/operators.txt"
FIRST = 11
# The newest set that the runtime runs.
LAST = 26
# ONNX's name of a type, TensorFlow's name, and the number.
TYPES = {
    "float": ("float32", TensorProto.FLOAT), "double": ("float64", TensorProto.DOUBLE),
    "float16": ("float16", TensorProto.FLOAT16), "bfloat16": ("bfloat16", TensorProto.BFLOAT16),
    "int8": ("int8", TensorProto.INT8), "int16": ("int16", TensorProto.INT16), "int32": ("int32", TensorProto.INT32),
    "int64": ("int64", TensorProto.INT64), "uint8": ("uint8", TensorProto.UINT8), "uint16": ("uint16", TensorProto.UINT16),
    "uint32": ("uint32", TensorProto.UINT32), "uint64": ("uint64", TensorProto.UINT64), "bool": ("bool", TensorProto.BOOL),
    "string": ("string", TensorProto.STRING),
}
# Types that most operators accept, the first of those that an operator accepts stands for the parameters that are not asked about.
USUAL = ["float", "int64", "int32", "bool", "string", "uint8", "double", "int8"]
# Their types are those of the graphs in their attributes.
WITH_GRAPHS = {"If", "Loop", "Scan", "SequenceMap"}
# Attributes without which an operator is not valid.
ATTRIBUTES = {
    "AveragePool": {"kernel_shape": [1, 1]}, "Cast": {"to": TensorProto.FLOAT}, "Concat": {"axis": 0},
    "DepthToSpace": {"blocksize": 2}, "RegexFullMatch": {"pattern": "a"}, "Einsum": {"equation": "ij,jk->ik"}, "GRU": {"hidden_size": 1}, "LRN": {"size": 3},
    "LSTM": {"hidden_size": 1}, "MaxPool": {"kernel_shape": [1, 1]}, "RNN": {"hidden_size": 1},
    "SpaceToDepth": {"blocksize": 2}, "RandomNormal": {"shape": [1]}, "RandomUniform": {"shape": [1]},
}
onnxruntime.set_default_logger_severity(4)


def type_of(text):
    """ONNX's name of the element type of a tensor type; None for sequences and types that TensorFlow has not."""
    found = re.fullmatch(r"tensor\((\w+)\)", text)
    return found[1] if found and found[1] in TYPES else None


def operators():
    """The names of ONNX's operators that are in the program's source."""
    sources = [path.read_text() for folder in ("src/ops", "src/lower") for path in sorted((ROOT / folder).rglob("*.rs"))]
    return {name for source in sources for name in re.findall(r'"([A-Z]\w+)"', source)}


def schemas():
    """The versions of each operator that are the latest in one of the operator sets, in ascending order."""
    written, found = operators(), {}
    # ONNX Runtime has a few operators of its own among those of ONNX.
    newest = onnx.defs.onnx_opset_version()
    known = {(schema.name, schema.since_version) for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    for schema in runtime.get_all_operator_schema():
        if schema.domain in ("", "ai.onnx") and schema.name in written - WITH_GRAPHS and not schema.deprecated:
            if schema.since_version <= newest and (schema.name, schema.since_version) not in known:
                continue
            found.setdefault(schema.name, []).append(schema)
    for name, versions in sorted(found.items()):
        versions.sort(key=lambda schema: schema.since_version)
        older = [schema for schema in versions if schema.since_version <= FIRST]
        yield name, older[-1:] + [schema for schema in versions if schema.since_version > FIRST]


class Operator:
    """A version of an operator."""

    def __init__(self, schema, last):
        self.schema, self.last = schema, last
        self.parameters = {}
        for constraint in schema.type_constraints:
            types = [type_of(text) for text in constraint.allowed_type_strs]
            self.parameters[constraint.type_param_str] = [name for name in TYPES if name in types]

    def is_variadic(self, formal):
        return formal.option.name == "Variadic"

    def formals(self, formals):
        """The type of each input or output: a parameter, or the name of a type."""
        named = []
        for formal in formals:
            kind = formal.typeStr
            if len(self.parameters.get(kind, [])) == 1:
                kind = TYPES[self.parameters[kind][0]][0]
            elif kind not in self.parameters:
                kind = TYPES[type_of(kind)][0] if type_of(kind) else "?"
            named.append(kind + "*" * self.is_variadic(formal))
        return " ".join(named)

    def signature(self):
        return f"{self.formals(self.schema.inputs)} -> {self.formals(self.schema.outputs)}".strip()

    def read(self):
        """The parameters that inputs have, of more than one type."""
        inputs = {formal.typeStr for formal in self.schema.inputs}
        return [name for name, allowed in self.parameters.items() if name in inputs and len(allowed) > 1]

    def runs(self, types):
        """Whether ONNX Runtime creates a session for the operator with these types of its parameters."""
        def values(formals, letter):
            count = max(self.schema.min_input if letter == "i" else self.schema.min_output, 1)
            known = []
            for index, formal in enumerate(formals):
                is_needed = index < count or formal.typeStr in types and letter == "i"
                if not is_needed:
                    break
                number = TYPES[types[formal.typeStr] if formal.typeStr in types else type_of(formal.typeStr)][1]
                known.append(helper.make_tensor_value_info(f"{letter}{index}", number, None))
            return known

        try:
            inputs, outputs = values(self.schema.inputs, "i"), values(self.schema.outputs, "o")
        except KeyError:
            return False
        name = self.schema.name
        node = helper.make_node(name, [i.name for i in inputs], [o.name for o in outputs], **ATTRIBUTES.get(name, {}))
        if name in ("Squeeze", "Unsqueeze") and self.schema.since_version < 13:
            node.attribute.append(helper.make_attribute("axes", [0]))
        if name == "Split" and self.schema.since_version >= 18:
            node.attribute.append(helper.make_attribute("num_outputs", 1))
        for output in outputs:
            # What an attribute or the inference of the runtime decides, need not be declared.
            output.type.Clear()
        graph = helper.make_graph([node], "g", inputs, outputs)
        # Without a kernel, the runtime may compute the definition of an operator by others, but not in each operator set.
        try:
            for opset in {self.opset(), self.last}:
                model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
                onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            return True
        except Exception:
            return False

    def opset(self):
        return max(self.schema.since_version, FIRST)

    def usual(self):
        """The first types for which there is a kernel."""
        def chosen(name, allowed):
            return next((usual for usual in USUAL if usual in allowed), None)
        types = {name: chosen(name, allowed) for name, allowed in self.parameters.items()}
        if self.runs(types):
            return types
        for name, allowed in self.parameters.items():
            for other in allowed:
                if self.runs({**types, name: other}):
                    return {**types, name: other}
        return None

    def kernels(self):
        """The types of each parameter for which there is a kernel, those of the others being usual ones or the same."""
        usual = self.usual()
        found = {}
        for name in self.read():
            run = []
            for kind in self.parameters[name]:
                same = {other: kind for other, allowed in self.parameters.items() if kind in allowed}
                if usual and (self.runs({**usual, name: kind}) or self.runs({**usual, **same})):
                    run.append(kind)
            found[name] = [TYPES[kind][0] for kind in run]
        return found


def lines():
    for name, versions in schemas():
        before = None
        for schema, after in zip(versions, [*versions[1:], None]):
            first = max(schema.since_version, FIRST)
            operator = Operator(schema, max(after.since_version - 1 if after else LAST, first))
            kernels = "; ".join(f"{parameter} = {' '.join(types)}".strip() for parameter, types in operator.kernels().items())
            line = f"{operator.signature()}; {kernels}".rstrip("; ")
            if line != before:
                yield f"{name} {operator.opset()}: {line}"
            before = line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    head = [
        "# The operators of ONNX that the program writes: the operator set that they have this form since, the types of their inputs and",
        "# outputs, and for each type parameter of the inputs the types that ONNX Runtime has a kernel for.",
        f"# ONNX Runtime {onnxruntime.__version__}, asked by scripts/check_kernels.py.",
    ]
    now = head + list(lines())
    if parser.parse_args().write:
        TABLE.write_text("\n".join(now) + "\n")
        return 0
    known = TABLE.read_text().splitlines()
    for line in known:
        if line not in now:
            print("-", line)
    for line in now:
        if line not in known:
            print("+", line)
    print(f"{len(now) - len(head)} rows, {'the same' if now == known else 'different'}")
    return now != known


if __name__ == "__main__":
    sys.exit(main())
