//! A detector whose configuration is missing: what its variables show, and the template of a configuration.

use std::path::Path;

use super::{extractor, template_rcnn};
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::model_config::ModelConfig;
use crate::setting::Setting;
use crate::slim::{NetworkBuilder, Options, Variables};

/// What the variables of an SSD detector show.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    extractor: &'static str,
    extractor_is_depthwise: bool,
    num_classes: usize,
    /// Anchors of a location, for each feature map.
    anchors: Vec<usize>,
    predictor: String,
}

/// The configurations of examples: those of SSD with MobileNet v1 and of Faster R-CNN with Inception v2 for 90 classes.
pub fn example() -> ModelConfig {
    let of_rcnn = template_rcnn::Found::EXAMPLE.template();
    let found = Found {
        extractor: "ssd_mobilenet_v1",
        extractor_is_depthwise: false,
        num_classes: 90,
        anchors: vec![3, 6, 6, 6, 6, 6],
        predictor: format!(
            "convolutional_box_predictor {{ kernel_size: 1 use_dropout: false {HYPERPARAMS} }}"
        ),
    };
    // Both at once: each network reads its own message.
    let text = template(&found) + &of_rcnn;
    let text = text.replace("}\nmodel {\n", "");
    ModelConfig::of_text(Path::new("example"), &text).expect("the templates are a configuration")
}

/// The arguments of layers that most published detectors have.
const HYPERPARAMS: &str =
    "conv_hyperparams { activation: RELU_6 batch_norm { scale: true center: true epsilon: 0.001 } }";

/// The text of a configuration. What no variable shows has the values of most published detectors.
fn template(found: &Found) -> String {
    let Found { extractor, num_classes, predictor, .. } = found;
    let is_pyramid = extractor.ends_with("fpn");
    let anchors = if is_pyramid {
        "multiscale_anchor_generator { min_level: 3 max_level: 7 anchor_scale: 4.0 \
         aspect_ratios: [1.0, 2.0, 0.5] scales_per_octave: 2 }"
            .to_owned()
    } else {
        format!(
            "ssd_anchor_generator {{ num_layers: {} min_scale: 0.2 max_scale: 0.95 \
             aspect_ratios: [1.0, 2.0, 0.5, 3.0, 0.3333] }}",
            found.anchors.len()
        )
    };
    let overrides = if extractor.contains("inception") || is_pyramid {
        " override_base_feature_extractor_hyperparams: true"
    } else {
        ""
    };
    let depthwise = if found.extractor_is_depthwise { " use_depthwise: true" } else { "" };
    format!(
        "model {{
  ssd {{
    num_classes: {num_classes}
    feature_extractor {{
      type: '{extractor}'{depthwise}{overrides}
      {HYPERPARAMS}
    }}
    box_predictor {{
      {predictor}
    }}
    # The variables do not show what follows.
    image_resizer {{ fixed_shape_resizer {{ height: 300 width: 300 }} }}
    anchor_generator {{
      {anchors}
    }}
    box_coder {{ faster_rcnn_box_coder {{ y_scale: 10.0 x_scale: 10.0 height_scale: 5.0 width_scale: 5.0 }} }}
    post_processing {{
      batch_non_max_suppression {{
        score_threshold: 1e-8 iou_threshold: 0.6 max_detections_per_class: 100 max_total_detections: 100
      }}
      score_converter: SIGMOID
    }}
  }}
}}
"
    )
}

/// Refuses a detector without a configuration, or with that of something else, in one message that says what the variables show.
pub fn require_config(message: &str, options: &Options, variables: &Variables) -> Result<()> {
    let given = options.config();
    if variables.is_empty() || given.is_some_and(|config| config.field(message).is_present()) {
        return Ok(());
    }
    let problem = "the checkpoint is that of a detector of the Object Detection API, and its variables do not show \
                   the size of the images, the anchors, the box coder, and how boxes are chosen";
    let error = match given {
        None => Error::new("pipeline.config", problem),
        Some(config) => {
            let contents = contents(config);
            Error::new(config.path().display(), format!("{contents} instead of {message}: {problem}"))
        }
    };
    let given = format!(
        "give the file that it was trained with, with {} or beside the checkpoint",
        Setting::Config.to("FILE")
    );
    let of_template = |what: String, template: String| {
        let advice = format!(
            "{given}. If it is lost, save this template as pipeline.config beside the checkpoint and correct it; {what}"
        );
        error.clone().advice(advice).with_example(template)
    };
    let of_ssd = found(variables).map(|found| {
        let anchors: Vec<String> = found.anchors.iter().map(ToString::to_string).collect();
        let Found { num_classes, extractor, .. } = found;
        let anchors = anchors.join(", ");
        let what = format!("it has the {num_classes} classes of {extractor} and feature maps with {anchors} anchors per location:");
        of_template(what, template(&found))
    });
    let of_rcnn = || {
        let found = template_rcnn::Found::of(variables)?;
        let (classes, extractor, anchors) = (found.num_classes, found.extractor, found.anchors);
        let what = format!("it has the {classes} classes of {extractor} and {anchors} anchors per location:");
        Some(of_template(what, found.template()))
    };
    Err(of_ssd.or_else(of_rcnn).unwrap_or_else(|| error.clone().advice(&given)))
}

/// What a file has that does not describe the detector.
fn contents(config: &ModelConfig) -> String {
    let model = config.field("model").names().next().map(|name| format!("model.{name}"));
    match model.or_else(|| config.root().names().next().map(str::to_owned)) {
        None => "it is empty, and has nothing".to_owned(),
        Some(field) => format!("it has {field}"),
    }
}

/// The variables as they are, without computing from them: a detector is recognized by its scopes.
pub fn variables_alone(slim: &mut NetworkBuilder<'_>, images: TensorRef, scopes: &[&str]) -> TensorRef {
    let variables = slim.variables;
    let is_of = |name: &str, scope: &str| {
        let rest = name.strip_prefix(scope);
        rest.is_some_and(|rest| {
            rest.trim_start_matches(|c: char| c == '_' || c.is_ascii_digit()).starts_with('/')
        })
    };
    let root = slim.current_scope().to_owned();
    let own = |name: &&String| {
        let name = name.strip_prefix(root.as_str());
        name.is_some_and(|name| scopes.iter().any(|scope| is_of(name, scope)))
            && !name
                .is_some_and(|name| name.ends_with("Momentum") || name.ends_with("ExponentialMovingAverage"))
    };
    let names: Vec<&String> = variables.keys().filter(own).collect();
    if !scopes.iter().skip(1).any(|scope| names.iter().any(|name| is_of(&name[root.len()..], scope))) {
        slim.fail(Error::new("box predictor", "the checkpoint holds no variables of one"));
    }
    for name in names {
        slim.variable(&name[root.len()..], &variables[name]);
    }
    images
}

/// What the variables of an SSD detector show.
fn found(variables: &Variables) -> Option<Found> {
    let shape = |name: &str| variables.get(name);
    let last = |name: &str| shape(name)?.last().copied();
    let extractor = extractor::recognized(variables)?;
    let extractor_is_depthwise = variables.keys().any(|name| {
        name.starts_with("FeatureExtractor/") && name.contains("_s2_") && name.ends_with("depthwise_weights")
    });
    let shared = "WeightSharedConvolutionalBoxPredictor";
    if let Some(outputs) = last(&format!("{shared}/BoxPredictor/biases")) {
        let anchors = outputs / 4;
        let slots = last(&format!("{shared}/ClassPredictor/biases"))? / anchors.max(1);
        let tower = |name: &str| format!("{shared}/{name}/conv2d_0/");
        let is_shared = variables.keys().any(|name| name.starts_with(&tower("PredictionTower")));
        let scope = if is_shared { "PredictionTower" } else { "BoxPredictionTower" };
        let layers = (0..).take_while(|layer| {
            let scope = format!("{shared}/{scope}/conv2d_{layer}/");
            variables.keys().any(|name| name.starts_with(&scope))
        });
        let separable = shape(&format!("{}depthwise_weights", tower(scope)));
        let weights = separable.or_else(|| shape(&format!("{}weights", tower(scope))));
        let pointwise = last(&format!("{}pointwise_weights", tower(scope)));
        let depth = pointwise.or_else(|| weights?.last().copied()).unwrap_or(256);
        let maps = (0..).take_while(|map| {
            let suffix = format!("BatchNorm/feature_{map}/moving_mean");
            variables.contains_key(&format!("{}{suffix}", tower(scope)))
        });
        let predictor = format!(
            "weight_shared_convolutional_box_predictor {{ depth: {depth} kernel_size: {} num_layers_before_predictor: {}{}{} {HYPERPARAMS} }}",
            weights.and_then(|shape| shape.first()).unwrap_or(&3),
            layers.count(),
            if is_shared { " share_prediction_tower: true" } else { "" },
            if separable.is_some() { " use_depthwise: true" } else { "" },
        );
        let anchors = vec![anchors; maps.count().max(1)];
        return Some(Found {
            extractor,
            extractor_is_depthwise,
            num_classes: slots.checked_sub(1)?,
            anchors,
            predictor,
        });
    }
    let outputs = |map: usize, head: &str| last(&format!("BoxPredictor_{map}/{head}/biases"));
    let anchors: Vec<usize> =
        (0..).map_while(|map| Some(outputs(map, "BoxEncodingPredictor")? / 4)).collect();
    let slots = outputs(0, "ClassPredictor")?.checked_div(*anchors.first()?)?;
    let depthwise = shape("BoxPredictor_0/BoxEncodingPredictor_depthwise/depthwise_weights");
    let weights = depthwise.or_else(|| shape("BoxPredictor_0/BoxEncodingPredictor/weights"))?;
    let predictor = format!(
        "convolutional_box_predictor {{ kernel_size: {} use_dropout: false{} {HYPERPARAMS} }}",
        weights.first()?,
        if depthwise.is_some() { " use_depthwise: true" } else { "" },
    );
    Some(Found { extractor, extractor_is_depthwise, num_classes: slots.checked_sub(1)?, anchors, predictor })
}
