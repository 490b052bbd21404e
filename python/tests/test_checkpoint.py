"""Checkpoints as mappings, compared with what TensorFlow reads (tests/fixtures/checkpoints)."""

import gc
import hashlib
import json
import shutil
import sys
from multiprocessing import get_context

import pytest
from conftest import FIXTURES

import tf2onnx_rs

np = pytest.importorskip("numpy")
FOLDERS = ["dtypes_v1", "dtypes_v2", "narrow_v2", "partitioned_v1", "partitioned_v2"]
NOT_NUMPYS = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")


@pytest.mark.parametrize("folder", FOLDERS)
def test_tensors_are_those_of_tensorflow(folder):
    expected = json.loads((FIXTURES / "checkpoints" / folder / "tensors.json").read_text())
    checkpoint = tf2onnx_rs.load_checkpoint(FIXTURES / "checkpoints" / folder)
    assert list(checkpoint) == checkpoint.names == sorted(expected)
    for name, tensor in expected.items():
        assert checkpoint.shape(name) == tuple(tensor["shape"])
        assert checkpoint.dtype(name) == tensor["dtype"]
        if tensor["dtype"] in NOT_NUMPYS:
            pytest.importorskip("ml_dtypes")
        array = checkpoint[name]
        assert array.shape == tuple(tensor["shape"])
        assert not array.flags.writeable
        if tensor["dtype"] == "string":
            assert [text.decode("latin1") for text in array.ravel()] == tensor["values"]
        else:
            assert array.dtype.name == tensor["dtype"]
            assert array.flags.aligned and array.flags.c_contiguous
            if tensor["dtype"] in NOT_NUMPYS:
                # ml_dtypes leaves out the upper bits of int4, and TensorFlow writes them.
                array = array.astype(np.float64).astype(array.dtype)
            assert hashlib.sha256(array.tobytes()).hexdigest() == tensor["sha256"]


def test_arrays_outlive_the_checkpoint_and_its_file(tmp_path):
    for file in (FIXTURES / "checkpoints" / "partitioned_v2").iterdir():
        shutil.copy(file, tmp_path)
    whole = tf2onnx_rs.load_checkpoint(tmp_path / "model.ckpt")["whole"]
    before = whole.tolist()
    shutil.rmtree(tmp_path)
    gc.collect()
    assert whole.tolist() == before
    assert whole.base is not None, "the array maps the file"
    with pytest.raises(ValueError, match="read-only"):
        whole[0] = 0


def test_a_checkpoint_is_a_mapping(checkpoint):
    tensors = tf2onnx_rs.load_checkpoint(str(checkpoint))
    name = "InceptionV3/Logits/Conv2d_1c_1x1/biases"
    assert name in tensors and "other" not in tensors and 7 not in tensors
    assert tensors.get("other") is None
    assert len(tensors) == 388 and len(dict(tensors)) == 388
    assert tensors.version == "V1" and tensors.path == str(checkpoint)
    assert repr(tensors) == f"<Checkpoint {str(checkpoint)!r}, V1, 388 tensors>"


def test_a_mistyped_name_is_answered_with_a_similar_one(checkpoint):
    tensors = tf2onnx_rs.load_checkpoint(checkpoint)
    for access in (tensors.__getitem__, tensors.shape, tensors.dtype):
        with pytest.raises(KeyError, match='did you mean "InceptionV3/Logits/Conv2d_1c_1x1/biases"'):
            access("InceptionV3/Logits/Conv2d_1c_1x1/biasse")


def test_a_checkpoint_in_an_archive_is_read(tmp_path, checkpoint):
    archive = shutil.make_archive(str(tmp_path / "model"), "gztar", checkpoint.parent, checkpoint.name)
    tensors = tf2onnx_rs.load_checkpoint(archive)
    assert len(tensors) == 388
    name = tensors.names[-1]
    array = tensors[name]
    del tensors
    assert (array == tf2onnx_rs.load_checkpoint(checkpoint)[name]).all()


def test_the_graph_beside_a_checkpoint_does_not_matter(tmp_path):
    for file in (FIXTURES / "checkpoints" / "partitioned_v2").iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "model.ckpt.meta").write_bytes(b"\xff\xff\xff")
    assert len(tf2onnx_rs.load_checkpoint(tmp_path)) == 3


def test_damage_is_an_error(tmp_path):
    for file in (FIXTURES / "checkpoints" / "partitioned_v2").iterdir():
        shutil.copy(file, tmp_path)
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    tensors = tf2onnx_rs.load_checkpoint(tmp_path)
    with pytest.raises(tf2onnx_rs.InvalidError, match="checksum") as caught:
        for name in tensors:
            tensors[name]
    assert str(data) in caught.value.subject
    assert caught.value.advice


def test_a_missing_file_is_an_error():
    with pytest.raises(tf2onnx_rs.FileError) as caught:
        tf2onnx_rs.load_checkpoint("missing.ckpt")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("missing", ["numpy", "ml_dtypes"])
def test_a_missing_package_is_named(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    tensors = tf2onnx_rs.load_checkpoint(FIXTURES / "checkpoints" / "dtypes_v2")
    with pytest.raises(ImportError, match=f"pip install {missing}"):
        tensors["m/bfloat16"]
    assert tensors.dtype("m/bfloat16") == "bfloat16" and tensors.shape("m/bfloat16") == (8,)


def _sum(path):
    tensors = tf2onnx_rs.load_checkpoint(path)
    return float(sum(array.sum() for array in tensors.values()))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_a_forked_process_reads_and_converts(checkpoint):
    # Threads of the parent do not exist in the child.
    expected, nodes = _sum(checkpoint), tf2onnx_rs.convert(checkpoint).nodes
    with get_context("fork").Pool(2) as pool:
        assert pool.map(_sum, [checkpoint] * 4, chunksize=1) == [expected] * 4
        assert pool.map(_nodes, [checkpoint] * 4, chunksize=1) == [nodes] * 4


def _nodes(path):
    return tf2onnx_rs.convert(path).nodes
