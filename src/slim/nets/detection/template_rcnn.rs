//! What the variables of a Faster R-CNN detector show, and the template of its configuration.

use super::rcnn_extractor;
use crate::slim::Variables;

/// What the variables show.
pub struct Found {
    pub extractor: &'static str,
    pub num_classes: usize,
    pub anchors: usize,
    has_masks: bool,
}

impl Found {
    /// The detector of an example: Inception v2 for 90 classes.
    pub const EXAMPLE: Self =
        Self { extractor: "faster_rcnn_inception_v2", num_classes: 90, anchors: 12, has_masks: false };

    pub fn of(variables: &Variables) -> Option<Self> {
        let outputs = |name: &str| variables.get(name)?.last().copied();
        Some(Self {
            extractor: rcnn_extractor::recognized(variables)?,
            num_classes: outputs("SecondStageBoxPredictor/ClassPredictor/biases")?.checked_sub(1)?,
            anchors: outputs("FirstStageBoxPredictor/BoxEncodingPredictor/biases")? / 4,
            has_masks: variables.keys().any(|name| name.starts_with("SecondStageBoxPredictor/Conv/")),
        })
    }

    /// The text of a configuration. What no variable shows has the values of most published detectors.
    pub fn template(&self) -> String {
        let Self { extractor, num_classes, has_masks, .. } = self;
        let stages = if *has_masks { "number_of_stages: 3" } else { "number_of_stages: 2" };
        let masks = if *has_masks {
            "\n        predict_instance_masks: true mask_height: 15 mask_width: 15
        mask_prediction_conv_depth: 0 mask_prediction_num_conv_layers: 2 conv_hyperparams { }"
        } else {
            ""
        };
        let (crop, kernel, stride) =
            if extractor.ends_with("inception_resnet_v2") { (17, 1, 8) } else { (14, 2, 16) };
        format!(
            "model {{
  faster_rcnn {{
    {stages}
    num_classes: {num_classes}
    feature_extractor {{ type: '{extractor}' first_stage_features_stride: {stride} }}
    second_stage_box_predictor {{
      mask_rcnn_box_predictor {{
        fc_hyperparams {{ op: FC }}{masks}
      }}
    }}
    # The variables do not show what follows.
    image_resizer {{ fixed_shape_resizer {{ height: 600 width: 600 }} }}
    first_stage_anchor_generator {{
      grid_anchor_generator {{
        scales: [0.25, 0.5, 1.0, 2.0] aspect_ratios: [0.5, 1.0, 2.0]
        height_stride: {stride} width_stride: {stride}
      }}
    }}
    first_stage_box_predictor_conv_hyperparams {{ }}
    first_stage_nms_score_threshold: 0.0
    first_stage_nms_iou_threshold: 0.7
    first_stage_max_proposals: 300
    initial_crop_size: {crop}
    maxpool_kernel_size: {kernel}
    maxpool_stride: {kernel}
    second_stage_post_processing {{
      batch_non_max_suppression {{
        score_threshold: 0.0 iou_threshold: 0.6 max_detections_per_class: 100 max_total_detections: 300
      }}
      score_converter: SOFTMAX
    }}
  }}
}}
"
        )
    }
}
