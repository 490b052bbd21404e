"""A program whose types mypy checks: what it expects is what the package declares."""

from pathlib import Path
from typing import Optional

import tf2onnx_rs


def convert(checkpoint: Path) -> Optional[bytes]:
    conversion = tf2onnx_rs.convert(
        checkpoint,
        opset=18,
        outputs=["Logits"],
        shape={"images": (1, 224, 224, 3)},
        freeze={"is_training": False},
        image_size=(224, 160),
        moving_averages="off",
        progress=lambda done, total: print(done / total),
    )
    names: list[str] = [tensor.name for tensor in conversion.inputs]
    synthesized: int = conversion.batch_norms.gamma_synthesized
    for note in conversion.notes:
        print(note.severity.upper(), names, synthesized)
    return conversion.model


def shapes(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    tensors = tf2onnx_rs.load_checkpoint(checkpoint)
    return {name: tensors.shape(name) for name in tensors}


def is_same(one: bytes, other: Path) -> bool:
    return tf2onnx_rs.verify(one, other, seed=1).ok


def advice(error: tf2onnx_rs.Error) -> str:
    return error.advice or error.problem


def wrong(checkpoint: Path) -> None:
    tf2onnx_rs.convert(checkpoint, opset="18")  # type: ignore[arg-type]
    tf2onnx_rs.convert(checkpoint, opsett=18)  # type: ignore[call-arg]
    tf2onnx_rs.inspect(checkpoint, sort="length")  # type: ignore[arg-type]
