#!/usr/bin/env python3
"""Makes the files that the fuzz targets begin with, from the fixtures of the tests, and keeps what a fuzzer has found.

usage: corpus.py --bin PATH_TO_tf2onnx-rs          writes the files of the fixtures to corpus/TARGET
       corpus.py --keep TARGET FOLDER              adds files of FOLDER (of libFuzzer's set_cover_merge) to corpus/TARGET
A file has at most 4096 bytes, a target at most 60 files. Runs in the environment of scripts/environment.sh.
"""
import argparse
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))
MAX_BYTES, MAX_FILES = 4096, 60


def write(target, name, data):
    if len(data) > MAX_BYTES:
        return
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def keep(target, folder):
    """Files by their hashes: those that are there already stay, and of the new ones as many as there is room for."""
    there = list((HERE / "corpus" / target).iterdir())
    known = {path.read_bytes() for path in there}
    new = [path.read_bytes() for path in sorted(folder.iterdir())]
    new = [data for data in new if data not in known and len(data) <= MAX_BYTES]
    for data in new[: max(0, MAX_FILES - len(there))]:
        write(target, hashlib.sha256(data).hexdigest()[:16], data)


def graphs(seeds, messages):
    """Graphs of few nodes: several of each archive, among them those with functions."""
    by_archive = {}
    for seed in seeds.op_cases():
        data = seed.files["graph.pb"]
        graph = messages.graph_pb2.GraphDef.FromString(data)
        key = (seed.name.split("/")[0], bool(graph.library.function))
        if len(data) <= 2500:
            by_archive.setdefault(key, []).append((seed, graph))
    for (archive, has_functions), found in sorted(by_archive.items()):
        found.sort(key=lambda pair: len(pair[0].files["graph.pb"]))
        count = 4 if has_functions or archive == "ops" else 2
        for seed, graph in found[:: max(1, len(found) // count)][:count]:
            yield seed.name.replace("/", "_"), seed, graph


def tfjs(graph, messages):
    from google.protobuf import json_format

    weights = [{"name": "w", "shape": [2, 3], "dtype": "float32"}, {"name": "b", "shape": [4], "dtype": "uint8", "quantization": {"min": -1.0, "scale": 0.1, "dtype": "uint8"}}]
    manifest = [{"paths": ["group1-shard1of1.bin"], "weights": weights}]
    model = {"format": "graph-model", "modelTopology": json_format.MessageToDict(graph), "weightsManifest": manifest}
    return json.dumps(model).encode()


def from_fixtures(binary):
    import numpy as np
    from google.protobuf import text_format
    from mutation import archives, messages, seeds

    chosen = list(graphs(seeds, messages))
    for index, (name, seed, graph) in enumerate(chosen):
        data = graph.SerializeToString()
        write("graph", name, data)
        if index % 4:
            continue
        meta = messages.meta_graph_pb2.MetaGraphDef(graph_def=graph)
        meta.meta_info_def.tags.append("serve")
        for key, tensors in (("inputs", seed.case["inputs"]), ("outputs", seed.case["outputs"])):
            for tensor in tensors:
                getattr(meta.signature_def["serving_default"], key)[tensor.split(":")[0]].name = tensor
        saved = messages.saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
        write("graph_bytes", name, data)
        write("graph_text", name, text_format.MessageToString(graph).encode())
        write("meta_graph", name, meta.SerializeToString())
        write("saved_model", name, saved.SerializeToString())
        write("tfjs", name, tfjs(graph, messages))
        write("gzip", name + ".pb", gzip.compress(data, mtime=0))
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "graph.pb").write_bytes(data)
            model = pathlib.Path(folder) / "model.onnx"
            if subprocess.run([binary, "convert", "-q", f"{folder}/graph.pb", model], stderr=subprocess.DEVNULL).returncode == 0:
                write("onnx", name, model.read_bytes())
    for folder in sorted((seeds.FIXTURES / "checkpoints").iterdir()):
        files = {name: data for name, data in seeds.read(folder).items() if name != "tensors.json"}
        model = {name: data for name, data in files.items() if name != "checkpoint"}
        index = next((name for name in model if name.endswith(".index")), "model.ckpt")
        write("checkpoint_v2" if index.endswith(".index") else "checkpoint_v1", folder.name, model[index])
        write("checkpoint_state", folder.name, files["checkpoint"])
        write("tar", folder.name, archives.tar(model.items()))
        write("zip", folder.name, archives.zipped(model.items()))
        write("gzip", folder.name + ".tar", gzip.compress(archives.tar(model.items()), mtime=0))
    for name in ("containers", "keras/embedding", "cudnn_gru"):
        for path in sorted((seeds.GRAPHS / name).rglob("*.index")):
            write("checkpoint_v2", name.replace("/", "_"), path.read_bytes())
    for path in [*(seeds.FIXTURES / "networks").rglob("*.toml"), *(seeds.ROOT / "examples/networks").glob("*.toml")]:
        write("network_toml", path.stem, path.read_bytes())
    with zipfile.ZipFile(seeds.FIXTURES / "detectors/cases.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith("pipeline.config"):
                write("config_text", name.split("/")[0], archive.read(name))
    bert = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "gelu"}
    more = {"hidden_dropout_prob": 0.1, "max_position_embeddings": 16, "type_vocab_size": 2, "initializer_range": 0.02}
    mobile = {"intra_bottleneck_size": 4, "key_query_shared_bottleneck": True, "num_feedforward_networks": 2, "normalization_type": "no_norm", "trigram_input": True}
    for name, config in {"bert": bert, "bert_all": {**bert, **more}, "albert": {**bert, "embedding_size": 4, "inner_group_num": 1, "num_hidden_groups": 1}, "mobilebert": {**bert, **more, **mobile}}.items():
        write("config_json", name, json.dumps(config, indent=2).encode())
    arrays = {"float32": np.zeros((2, 3), "f4"), "int64": np.arange(4), "bool": np.array([True]), "float16": np.zeros(3, "f2"), "scalar": np.float64(1), "text": np.array(["a", "bc"]), "fortran": np.asfortranarray(np.ones((2, 3), "f4"))}
    for name, array in arrays.items():
        stream = io.BytesIO()
        np.save(stream, array)
        write("npy", name, stream.getvalue())
        write("npz", name, archives.zipped([(f"{name}.npy", stream.getvalue())]))
    for name, save in {"stored": np.savez, "compressed": np.savez_compressed}.items():
        stream = io.BytesIO()
        save(stream, **arrays)
        write("npz", name, stream.getvalue())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--bin")
    parser.add_argument("--keep", nargs=2, metavar=("TARGET", "FOLDER"))
    a = parser.parse_args()
    if a.keep:
        keep(a.keep[0], pathlib.Path(a.keep[1]))
    else:
        from_fixtures(a.bin)


if __name__ == "__main__":
    main()
