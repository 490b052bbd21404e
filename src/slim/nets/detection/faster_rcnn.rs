//! Faster R-CNN (<https://arxiv.org/abs/1506.01497>) and Mask R-CNN (<https://arxiv.org/abs/1703.06870>): a first stage proposes boxes, a second
//! one classifies and refines them, and a third one predicts a mask for each.
//!
//! Source: `research/object_detection/meta_architectures/faster_rcnn_meta_arch.py`.

use super::anchors::{AnchorGenerator, Corners, check_count};
use super::box_coder::{CODER_OF_FASTER_RCNN, OF_FASTER_RCNN, decode};
use super::box_predictor::{BoxPredictor, Predictions};
use super::fields::Message;
use super::hyperparams::Hyperparams;
use super::outputs;
use super::post_processing::{PostProcessing, Suppression, SuppressionKind};
use super::rcnn_extractor::RcnnExtractor;
use super::second_stage::{Crops, SecondStagePredictor};
use super::suppression::{Candidates, Chosen, choose, in_window, is_before};
use crate::error::{Error, Result};
use crate::graph::{Attr, TensorRef};
use crate::slim::{Activation, Arg, NetworkBuilder};
use crate::tensor::{Constant, DType};

/// The fields of `FasterRcnn`.
#[derive(Debug, Clone)]
pub struct FasterRcnn {
    num_classes: usize,
    has_masks: bool,
    extractor: RcnnExtractor,
    anchor_generator: AnchorGenerator,
    first_stage: FirstStage,
    crops: Crops,
    second_stage: SecondStagePredictor,
    post_processing: PostProcessing,
}

/// The fields of the first stage.
#[derive(Debug, Clone)]
struct FirstStage {
    atrous_rate: usize,
    hyperparams: Hyperparams,
    kernel_size: usize,
    depth: usize,
    suppression: Suppression,
}

impl FasterRcnn {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&FIELDS)?;
        for name in
            ["use_matmul_crop_and_resize", "output_final_box_features", "output_final_box_rpn_features"]
        {
            if message.flag(name, false)? {
                return Err(message.refused(name, "it is not converted"));
            }
        }
        if message.flag("use_static_shapes", false)? && message.flag("use_static_shapes_for_eval", false)? {
            return Err(message.refused("use_static_shapes_for_eval", "it is not converted"));
        }
        let stages = message.count("number_of_stages", 2)?;
        if ![2, 3].contains(&stages) {
            return Err(message.refused("number_of_stages", "only detectors of 2 or 3 stages are converted"));
        }
        let num_classes = message.count("num_classes", 0)?;
        let post_processing = PostProcessing::read(&message.message("second_stage_post_processing"))?;
        if post_processing.suppression.kind == SuppressionKind::Combined {
            let problem = "the second stage does not support use_combined_nms";
            return Err(message.wrong("second_stage_post_processing", problem));
        }
        let second_stage =
            SecondStagePredictor::read(&message.message("second_stage_box_predictor"), num_classes)?;
        if stages == 3 && !second_stage.has_masks() {
            let problem = "the third stage needs predict_instance_masks";
            return Err(message.wrong("second_stage_box_predictor", problem));
        }
        Ok(Self {
            num_classes,
            has_masks: stages == 3,
            extractor: RcnnExtractor::read(&message.message("feature_extractor"))?,
            anchor_generator: AnchorGenerator::read(&message.message("first_stage_anchor_generator"))?,
            first_stage: FirstStage::read(message)?,
            crops: Crops::read(message)?,
            second_stage,
            post_processing,
        })
    }

    /// Builds the detector from the preprocessed images to its outputs. Returns the chosen boxes.
    pub fn build(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
        const FIRST: &str = "FirstStageFeatureExtractor";
        let window = slim.height_and_width(images).unwrap_or_default().map(|length| length as f32);
        let features =
            slim.variable_scope(FIRST, |slim| self.extractor.proposal_features(slim, images, FIRST));
        slim.end_point("rpn_features_to_crop", features);
        let Predictions { box_encodings, classes } =
            self.first_stage.predictions(slim, features, &self.anchor_generator);
        slim.end_point("rpn_box_encodings", box_encodings);
        slim.end_point("rpn_objectness_predictions_with_background", classes);
        // There are as many anchors as pixels of the features, which are not known after a mistake.
        if slim.has_failed() {
            return images;
        }
        let proposals = match self.anchors(slim, features, box_encodings, window) {
            Ok(anchors) => self.first_stage.proposals(slim, box_encodings, classes, &anchors, window),
            Err(error) => {
                slim.fail(error);
                return images;
            }
        };
        slim.end_point("proposal_boxes", proposals.boxes);
        slim.end_point("num_proposals", proposals.count);
        let normalized = scaled(slim, proposals.boxes, window.map(|length| 1.0 / length));
        slim.end_point("proposal_boxes_normalized", normalized);
        let crops = self.crops.build(slim, features, normalized);
        let features_of_boxes = self.box_classifier_features(slim, crops);
        let (encodings, classes) = slim.variable_scope("SecondStageBoxPredictor", |slim| {
            self.second_stage.boxes_and_classes(slim, features_of_boxes)
        });
        slim.end_point("refined_box_encodings", encodings);
        slim.end_point("class_predictions_with_background", classes);
        let absolute = scaled(slim, normalized, window);
        let refined = self.refine(slim, [encodings, classes], absolute, proposals.count, window);
        if self.has_masks {
            let boxes = refined.chosen.boxes;
            let crops = self.crops.build(slim, features, boxes);
            let features_of_boxes = self.box_classifier_features(slim, crops);
            let masks = slim.variable_scope("SecondStageBoxPredictor", |slim| {
                self.second_stage.masks(slim, features_of_boxes, refined.chosen.classes)
            });
            self.outputs(slim, &refined);
            let masks = slim.identity(masks, "detection_masks");
            slim.model_output("detection_masks", masks);
        } else {
            self.outputs(slim, &refined);
        }
        refined.chosen.boxes
    }

    /// The anchors, clipped to the image.
    fn anchors(
        &self,
        slim: &NetworkBuilder<'_>,
        features: TensorRef,
        box_encodings: TensorRef,
        [height, width]: [f32; 2],
    ) -> Result<Vec<Corners>> {
        let size = slim.height_and_width(features).unwrap_or_default();
        let image = [height as usize, width as usize];
        let anchors = self.anchor_generator.generate(slim.budget(), &[size], image)?;
        let clipped: Vec<Corners> = anchors
            .into_iter()
            .map(|[y, x, y2, x2]| {
                let [y, y2] = [y, y2].map(|row| row.min(height).max(0.0));
                let [x, x2] = [x, x2].map(|column| column.min(width).max(0.0));
                [y, x, y2, x2]
            })
            .collect();
        let has_no_area = |[y, x, y2, x2]: &Corners| (y2 - y) * (x2 - x) <= 0.0;
        if clipped.iter().any(has_no_area) {
            // The original removes it, and then has more predictions than anchors.
            return Err(Error::new("first_stage_anchor_generator", "an anchor is outside of the image"));
        }
        check_count(&clipped, slim.shape(box_encodings).dim(1), "first_stage_anchor_generator")?;
        Ok(clipped)
    }

    fn box_classifier_features(&self, slim: &mut NetworkBuilder<'_>, crops: TensorRef) -> TensorRef {
        let scope = "SecondStageFeatureExtractor";
        slim.variable_scope(scope, |slim| self.extractor.box_classifier_features(slim, crops))
    }

    /// `_postprocess_box_classifier`
    fn refine(
        &self,
        slim: &mut NetworkBuilder<'_>,
        [encodings, classes]: [TensorRef; 2],
        proposals: TensorRef,
        num_proposals: TensorRef,
        window: [f32; 2],
    ) -> Refined {
        let count = self.first_stage.suppression.max_total_detections;
        slim.name_scope("SecondStagePostprocessor", |slim| {
            let boxes_of_proposal = slim.shape(encodings).dim(1).unwrap_or(1);
            let dims = [-1, count as i32, boxes_of_proposal as i32, 4];
            let encodings = slim.reshape(encodings, &dims);
            let classes = slim.reshape(classes, &[-1, count as i32, self.num_classes as i32 + 1]);
            let per_proposal = slim.expand_dims(proposals, 2);
            let [least, greatest] = slim.split(per_proposal, 3);
            let sizes = slim.op("sub", "Sub", &[greatest, least], []);
            let halves = slim.with_number("RealDiv", sizes, 2.0);
            let centers = slim.sum(least, halves);
            let boxes = decode(slim, encodings, [centers, sizes], OF_FASTER_RCNN);
            let raw_scores = self.post_processing.scores(slim, classes);
            let scores = slim.from_channel(raw_scores, 1);
            // Rows after the last proposal have no boxes.
            let is_proposal = is_before(slim, count, num_proposals);
            let is_proposal = slim.expand_dims(is_proposal, 2);
            let valid_scores = slim.where_else(is_proposal, scores, -1.0);
            let candidates = Candidates { boxes, scores: valid_scores, window };
            let mut chosen = choose(slim, candidates, &self.post_processing.suppression);
            let relative = window.map(|length| 1.0 / length);
            chosen.boxes = scaled(slim, chosen.boxes, relative);
            let raw_boxes = self.raw_boxes(slim, boxes, classes);
            let raw_boxes = scaled(slim, raw_boxes, relative);
            let raw_boxes = in_window(slim, raw_boxes, [1.0; 2]);
            Refined { chosen, raw_boxes, raw_scores }
        })
    }

    /// Of each proposal, the box of its best class.
    fn raw_boxes(&self, slim: &mut NetworkBuilder<'_>, boxes: TensorRef, classes: TensorRef) -> TensorRef {
        if slim.shape(boxes).dim(2) == Some(1) {
            return slim.op("Squeeze", "Squeeze", &[boxes], [("squeeze_dims", Attr::Ints(vec![2]))]);
        }
        let foreground = slim.from_channel(classes, 1);
        let class = slim.arg_max(foreground, 2, DType::Int32, "ArgMax");
        slim.gather_of_pairs(boxes, class)
    }

    fn outputs(&self, slim: &mut NetworkBuilder<'_>, refined: &Refined) {
        outputs::detections(slim, &refined.chosen);
        outputs::raw(slim, refined.raw_boxes, refined.raw_scores);
        outputs::of_anchors(slim, &refined.chosen, refined.raw_scores);
    }
}

/// What the second stage returns.
struct Refined {
    chosen: Chosen,
    raw_boxes: TensorRef,
    raw_scores: TensorRef,
}

/// Boxes with their rows multiplied by the first factor, and their columns by the second.
fn scaled(slim: &mut NetworkBuilder<'_>, boxes: TensorRef, [rows, columns]: [f32; 2]) -> TensorRef {
    if rows == columns {
        return slim.with_number("Mul", boxes, rows);
    }
    slim.with_constant("Mul", boxes, Constant::from_f32(vec![4], &[rows, columns, rows, columns]))
}

impl FirstStage {
    fn read(message: &Message<'_>) -> Result<Self> {
        let proposals = message.count("first_stage_max_proposals", 300)?;
        let kind = match message.flag("use_combined_nms_in_first_stage", false)? {
            true => SuppressionKind::Combined,
            false => SuppressionKind::PerClass,
        };
        let suppression = Suppression {
            score_threshold: message.number("first_stage_nms_score_threshold", 0.0)? as f32,
            iou_threshold: message.number("first_stage_nms_iou_threshold", f64::from(0.7f32))? as f32,
            max_detections_per_class: proposals,
            max_total_detections: proposals,
            kind,
            use_static_shapes: false,
        };
        if suppression.score_threshold < 0.0 {
            return Err(
                message.refused("first_stage_nms_score_threshold", "scores below 0 are not converted")
            );
        }
        Ok(Self {
            atrous_rate: message.count("first_stage_atrous_rate", 1)?.max(1),
            hyperparams: Hyperparams::read(&message.message("first_stage_box_predictor_conv_hyperparams"))?,
            kernel_size: message.count("first_stage_box_predictor_kernel_size", 3)?,
            depth: message.count("first_stage_box_predictor_depth", 512)?,
            suppression,
        })
    }

    /// The encodings of boxes, and whether there is an object.
    fn predictions(
        &self,
        slim: &mut NetworkBuilder<'_>,
        features: TensorRef,
        anchors: &AnchorGenerator,
    ) -> Predictions {
        let args = [Arg::Rate(self.atrous_rate), Arg::ActivationFn(Some(Activation::Relu6))];
        let net = self
            .hyperparams
            .scope(slim, |slim| slim.conv2d(features, self.depth, self.kernel_size, "Conv", &args));
        let predictor = BoxPredictor::of_proposals(self.hyperparams.clone());
        let heads = slim.variable_scope("FirstStageBoxPredictor", |slim| {
            predictor.heads(slim, &[net], &anchors.per_location(), 2)
        });
        BoxPredictor::joined(slim, &heads)
    }

    /// `_postprocess_rpn`: boxes in pixels.
    fn proposals(
        &self,
        slim: &mut NetworkBuilder<'_>,
        box_encodings: TensorRef,
        classes: TensorRef,
        anchors: &[Corners],
        window: [f32; 2],
    ) -> Chosen {
        let boxes = CODER_OF_FASTER_RCNN.decode(slim, box_encodings, anchors);
        let scores = slim.plain_softmax(classes, "Softmax");
        let objects = slim.from_channel(scores, 1);
        let boxes = slim.expand_dims(boxes, 2);
        choose(slim, Candidates { boxes, scores: objects, window }, &self.suppression)
    }
}

/// The fields that are read, and those of training.
const FIELDS: [&str; 40] = [
    "number_of_stages",
    "num_classes",
    "image_resizer",
    "feature_extractor",
    "first_stage_anchor_generator",
    "first_stage_atrous_rate",
    "first_stage_box_predictor_conv_hyperparams",
    "first_stage_box_predictor_kernel_size",
    "first_stage_box_predictor_depth",
    "first_stage_nms_score_threshold",
    "first_stage_nms_iou_threshold",
    "first_stage_max_proposals",
    "initial_crop_size",
    "maxpool_kernel_size",
    "maxpool_stride",
    "second_stage_box_predictor",
    "second_stage_post_processing",
    "use_matmul_crop_and_resize",
    "use_static_shapes",
    "use_static_shapes_for_eval",
    "use_combined_nms_in_first_stage",
    "output_final_box_features",
    "output_final_box_rpn_features",
    // It matters with static shapes alone.
    "use_partitioned_nms_in_first_stage",
    // They are for training and evaluation.
    "first_stage_minibatch_size",
    "first_stage_positive_balance_fraction",
    "first_stage_localization_loss_weight",
    "first_stage_objectness_loss_weight",
    "second_stage_batch_size",
    "second_stage_balance_fraction",
    "second_stage_localization_loss_weight",
    "second_stage_classification_loss_weight",
    "second_stage_mask_prediction_loss_weight",
    "second_stage_classification_loss",
    "hard_example_miner",
    "inplace_batchnorm_update",
    "clip_anchors_to_image",
    "use_matmul_gather_in_matcher",
    "use_static_balanced_label_sampler",
    "resize_masks",
];
