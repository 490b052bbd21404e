//! Single-shot detectors: SSD (<https://arxiv.org/abs/1512.02325>) and RetinaNet (<https://arxiv.org/abs/1708.02002>).
//!
//! Source: `research/object_detection/meta_architectures/ssd_meta_arch.py`, and `exporter.py` for the outputs.

use super::anchors::{AnchorGenerator, Corners, check_count};
use super::box_coder::BoxCoder;
use super::box_predictor::{BoxPredictor, Predictions};
use super::extractor::Extractor;
use super::fields::Message;
use super::outputs;
use super::post_processing::PostProcessing;
use super::suppression::{Candidates, choose};
use crate::error::Result;
use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;

/// The fields of `Ssd`.
#[derive(Debug, Clone)]
pub struct Ssd {
    num_classes: usize,
    extractor: Extractor,
    box_coder: BoxCoder,
    box_predictor: BoxPredictor,
    anchor_generator: AnchorGenerator,
    post_processing: PostProcessing,
    add_background_class: bool,
    explicit_background_class: bool,
}

impl Ssd {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&[
            "num_classes",
            "image_resizer",
            "feature_extractor",
            "box_coder",
            "box_predictor",
            "anchor_generator",
            "post_processing",
            "add_background_class",
            "explicit_background_class",
            // They are for training.
            "matcher",
            "similarity_calculator",
            "encode_background_as_zeros",
            "negative_class_weight",
            "normalize_loss_by_num_matches",
            "normalize_loc_loss_by_codesize",
            "loss",
            "freeze_batchnorm",
            "inplace_batchnorm_update",
            "use_confidences_as_targets",
            "implicit_example_weight",
            // It adds no output that is not there without it.
            "return_raw_detections_during_predict",
        ])?;
        let ssd = Self {
            num_classes: message.count("num_classes", 0)?,
            extractor: Extractor::read(&message.message("feature_extractor"))?,
            box_coder: BoxCoder::read(&message.message("box_coder"))?,
            box_predictor: BoxPredictor::read(&message.message("box_predictor"))?,
            anchor_generator: AnchorGenerator::read(&message.message("anchor_generator"))?,
            post_processing: PostProcessing::read(&message.message("post_processing"))?,
            add_background_class: message.flag("add_background_class", true)?,
            explicit_background_class: message.flag("explicit_background_class", false)?,
        };
        if ssd.add_background_class && ssd.explicit_background_class {
            return Err(
                message.wrong("explicit_background_class", "it cannot be used with add_background_class")
            );
        }
        if ssd.box_predictor.box_code_size != ssd.box_coder.code_size() {
            let problem = format!("its encodings have {} values", ssd.box_coder.code_size());
            return Err(message.wrong(
                "box_coder",
                format!("{problem}, but box_code_size is {}", ssd.box_predictor.box_code_size),
            ));
        }
        Ok(ssd)
    }

    /// Builds the detector from the preprocessed images to its outputs. Returns the predictions.
    pub fn build(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
        let maps = slim.default_scope("FeatureExtractor", |slim| self.extractor.build(slim, images));
        let slots = self.num_classes + usize::from(self.add_background_class);
        let per_location = self.anchor_generator.per_location();
        let Predictions { box_encodings, classes } =
            self.box_predictor.build(slim, &maps, &per_location, slots);
        let raw = slim.concat_along(2, &[box_encodings, classes], "raw_predictions");
        slim.end_point("raw_predictions", raw);
        // There are as many anchors as pixels of the features, which are not known after a mistake.
        if slim.has_failed() {
            return images;
        }
        match self.anchors(slim, images, &maps, box_encodings) {
            Ok(anchors) => self.post_process(slim, box_encodings, classes, &anchors),
            Err(error) => slim.fail(error),
        }
        raw
    }

    /// The anchors of the feature maps.
    fn anchors(
        &self,
        slim: &NetworkBuilder<'_>,
        images: TensorRef,
        maps: &[TensorRef],
        box_encodings: TensorRef,
    ) -> Result<Vec<Corners>> {
        let sizes: Vec<[usize; 2]> = maps.iter().filter_map(|&map| slim.height_and_width(map)).collect();
        let image = slim.height_and_width(images).unwrap_or_default();
        let anchors = self.anchor_generator.generate(slim.budget(), &sizes, image)?;
        check_count(&anchors, slim.shape(box_encodings).dim(1), "anchor_generator")?;
        Ok(anchors)
    }

    /// The scores of the classes, and the boxes that are chosen.
    fn post_process(
        &self,
        slim: &mut NetworkBuilder<'_>,
        box_encodings: TensorRef,
        classes: TensorRef,
        anchors: &[Corners],
    ) {
        let (chosen, raw_boxes, raw_scores) = slim.name_scope("Postprocessor", |slim| {
            let encodings = slim.identity(box_encodings, "raw_box_encodings");
            let boxes = self.box_coder.decode(slim, encodings, anchors);
            let raw_boxes = slim.identity(boxes, "raw_box_locations");
            let with_background = self.post_processing.scores(slim, classes);
            let raw_scores = slim.identity(with_background, "raw_box_scores");
            let mut scores = raw_scores;
            if self.add_background_class || self.explicit_background_class {
                scores = slim.from_channel(scores, 1);
            }
            let boxes = slim.expand_dims(raw_boxes, 2);
            let candidates = Candidates { boxes, scores, window: [1.0; 2] };
            (choose(slim, candidates, &self.post_processing.suppression), raw_boxes, raw_scores)
        });
        outputs::detections(slim, &chosen);
        outputs::raw(slim, raw_boxes, raw_scores);
        outputs::of_anchors(slim, &chosen, raw_scores);
    }
}
