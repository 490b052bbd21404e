//! What follows the predictions: scores of the classes, and the choice among overlapping boxes.
//!
//! Sources: `research/object_detection/builders/post_processing_builder.py` and `core/post_processing.py`.

use super::fields::Message;
use crate::error::Result;
use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;

/// The fields of `PostProcessing`.
#[derive(Debug, Clone)]
pub struct PostProcessing {
    score_converter: ScoreConverter,
    logit_scale: f32,
    pub suppression: Suppression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScoreConverter {
    Identity,
    Sigmoid,
    Softmax,
}

/// The fields of `BatchNonMaxSuppression`.
#[derive(Debug, Clone, Copy)]
pub struct Suppression {
    pub score_threshold: f32,
    pub iou_threshold: f32,
    pub max_detections_per_class: usize,
    pub max_total_detections: usize,
    pub kind: SuppressionKind,
    /// Whether rows without a box hold the first box with a score of -1, instead of zeros.
    pub use_static_shapes: bool,
}

/// What boxes are suppressed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuppressionKind {
    /// By better boxes of the same class.
    PerClass,
    /// By better boxes of any class; each box has one class.
    ClassAgnostic,
    /// As `tf.image.combined_non_max_suppression` does it: as per class, but boxes outside of the window stay.
    Combined,
}

impl PostProcessing {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&["batch_non_max_suppression", "score_converter", "logit_scale"])?;
        let score_converter = match message.word("score_converter", "IDENTITY")? {
            "IDENTITY" => ScoreConverter::Identity,
            "SIGMOID" => ScoreConverter::Sigmoid,
            "SOFTMAX" => ScoreConverter::Softmax,
            _ => return Err(message.wrong("score_converter", "it is not IDENTITY, SIGMOID or SOFTMAX")),
        };
        Ok(Self {
            score_converter,
            logit_scale: message.number("logit_scale", 1.0)? as f32,
            suppression: Suppression::read(&message.message("batch_non_max_suppression"))?,
        })
    }

    /// The scores of the classes.
    pub fn scores(&self, slim: &mut NetworkBuilder<'_>, classes: TensorRef) -> TensorRef {
        let factor =
            ("y", crate::tensor::Constant::from_f32(vec![], &[(1.0 / f64::from(self.logit_scale)) as f32]));
        let logits = slim.op_with_constant("scale_logits", "Mul", &[classes], factor, []);
        let op = match self.score_converter {
            ScoreConverter::Identity => "Identity",
            ScoreConverter::Sigmoid => "Sigmoid",
            ScoreConverter::Softmax => "Softmax",
        };
        slim.op("convert_scores", op, &[logits], [])
    }
}

impl Suppression {
    fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&[
            "score_threshold",
            "iou_threshold",
            "max_detections_per_class",
            "max_total_detections",
            "use_static_shapes",
            "use_class_agnostic_nms",
            "max_classes_per_detection",
            "soft_nms_sigma",
            "use_partitioned_nms",
            "use_combined_nms",
            // The images fill the input of the model, so that the window of an image is that of the input.
            "change_coordinate_frame",
            // Without soft suppression, it is the same.
            "use_hard_nms",
            "use_cpu_nms",
        ])?;
        if message.number("soft_nms_sigma", 0.0)? != 0.0 {
            return Err(message.refused("soft_nms_sigma", "soft suppression has no operator in ONNX"));
        }
        let use_static_shapes = message.flag("use_static_shapes", false)?;
        if use_static_shapes && message.flag("use_partitioned_nms", false)? {
            let problem = "rows without a box are others than without it, and it is not converted";
            return Err(message.refused("use_partitioned_nms", problem));
        }
        let kind = match [
            message.flag("use_class_agnostic_nms", false)?,
            message.flag("use_combined_nms", false)?,
        ] {
            [false, false] => SuppressionKind::PerClass,
            [true, false] => SuppressionKind::ClassAgnostic,
            [false, true] => SuppressionKind::Combined,
            [true, true] => {
                return Err(
                    message.wrong("use_combined_nms", "it cannot be used with use_class_agnostic_nms")
                );
            }
        };
        if kind == SuppressionKind::ClassAgnostic && message.count("max_classes_per_detection", 1)? > 1 {
            return Err(message.wrong("max_classes_per_detection", "more than 1 is not supported"));
        }
        let suppression = Self {
            score_threshold: message.number("score_threshold", 0.0)? as f32,
            iou_threshold: message.number("iou_threshold", f64::from(0.6f32))? as f32,
            max_detections_per_class: message.count("max_detections_per_class", 100)?,
            max_total_detections: message.count("max_total_detections", 100)?,
            kind,
            use_static_shapes,
        };
        if suppression.score_threshold < 0.0 {
            return Err(message.refused("score_threshold", "scores below 0 are not converted"));
        }
        if suppression.max_detections_per_class > suppression.max_total_detections {
            return Err(message.wrong("max_detections_per_class", "it is greater than max_total_detections"));
        }
        if suppression.max_detections_per_class == 0 {
            return Err(message.refused("max_detections_per_class", "no limit is not converted"));
        }
        Ok(suppression)
    }
}
