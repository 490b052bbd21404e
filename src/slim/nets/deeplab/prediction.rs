//! The classes and probabilities of pixels.
//!
//! Source: `predict_labels` in `research/deeplab/model.py`, and `main` in `research/deeplab/export_model.py`.

use crate::graph::{Attr, TensorRef};
use crate::slim::{Alignment, Interpolation, NetworkBuilder, Options};
use crate::tensor::DType;

/// Predicts the classes of the pixels of `images`. Returns the logits, resized to the images, which are an output beside the
/// classes.
pub fn predicted(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    logits: TensorRef,
    options: &Options,
) -> TensorRef {
    let upsampled = options.flag("prediction_with_upsampled_logits");
    let (logits, classes, probabilities) =
        if upsampled { from_upsampled(slim, images, logits) } else { upsampled_last(slim, images, logits) };
    slim.end_point("semantic", classes);
    slim.end_point("semantic_prob", probabilities);
    slim.model_output("logits", logits);
    exported(slim, classes, probabilities);
    logits
}

/// Classes and probabilities of the resized logits.
fn from_upsampled(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    logits: TensorRef,
) -> (TensorRef, TensorRef, TensorRef) {
    let size = slim.spatial_shape(images);
    let op = Interpolation::Bilinear.op();
    let logits = slim.resize_to(logits, size, Interpolation::Bilinear, Alignment::Corners, op);
    let classes = slim.arg_max(logits, 3, DType::Int64, "ArgMax");
    let probabilities = slim.plain_softmax(logits, "Softmax");
    (logits, classes, probabilities)
}

/// Classes and probabilities of the small logits, resized.
fn upsampled_last(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    logits: TensorRef,
) -> (TensorRef, TensorRef, TensorRef) {
    let classes = slim.arg_max(logits, 3, DType::Int64, "ArgMax");
    let classes = slim.expand_dims(classes, 3);
    let size = slim.spatial_shape(images);
    let (nearest, corners) = (Interpolation::Nearest, Alignment::Corners);
    let classes = slim.resize_to(classes, size, nearest, corners, "resize_prediction");
    let classes = slim.op("Squeeze", "Squeeze", &[classes], [("squeeze_dims", Attr::Ints(vec![3]))]);
    let probabilities = slim.plain_softmax(logits, "Softmax");
    let size = slim.spatial_shape(images);
    let probabilities = slim.resize_to(probabilities, size, Interpolation::Bilinear, corners, "resize_prob");
    (logits, classes, probabilities)
}

/// The outputs of exported models, for an image that is not cropped nor resized before.
fn exported(slim: &mut NetworkBuilder<'_>, classes: TensorRef, probabilities: TensorRef) {
    let raw = slim.cast(classes, DType::Float32);
    let raw = slim.identity(raw, "RawSemanticPredictions");
    slim.end_point("RawSemanticPredictions", raw);
    let probabilities = slim.identity(probabilities, "RawSemanticProbabilities");
    slim.end_point("RawSemanticProbabilities", probabilities);
    let classes = slim.cast(classes, DType::Int32);
    let classes = slim.identity(classes, "SemanticPredictions");
    slim.model_output("SemanticPredictions", classes);
    let probabilities = slim.identity(probabilities, "SemanticProbabilities");
    slim.end_point("SemanticProbabilities", probabilities);
}
