//! The predictors of SSD: for each anchor of a feature map, the encoding of a box, and a number for each class.
//!
//! Sources: `research/object_detection/predictors/convolutional_box_predictor.py`, `heads/box_head.py` and `heads/class_head.py`.

use super::fields::Message;
use super::hyperparams::Hyperparams;
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_BIASES, NO_NORMALIZER, SAME};
use crate::slim::{Activation, Arg, NetworkBuilder};
use crate::tensor::Constant;

/// The fields that both predictors have, and those of each.
#[derive(Debug, Clone)]
pub struct BoxPredictor {
    hyperparams: Hyperparams,
    num_layers_before_predictor: usize,
    kernel_size: usize,
    pub box_code_size: usize,
    use_depthwise: bool,
    use_dropout: bool,
    box_encodings_clip_range: Option<[f32; 2]>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// `ConvolutionalBoxPredictor`: each feature map has its own weights.
    Convolutional { min_depth: usize, max_depth: usize, apply_sigmoid_to_scores: bool },
    /// `WeightSharedConvolutionalBoxPredictor`
    WeightShared { depth: usize, share_prediction_tower: bool, is_sigmoid: bool },
}

/// The predictions for all anchors.
#[derive(Debug, Clone, Copy)]
pub struct Predictions {
    /// `[images, anchors, code size]`
    pub box_encodings: TensorRef,
    /// `[images, anchors, classes]`, with the background first if there is one.
    pub classes: TensorRef,
}

/// Fields of both predictors.
const FIELDS: [&str; 8] = [
    "conv_hyperparams",
    "num_layers_before_predictor",
    "kernel_size",
    "box_code_size",
    "use_depthwise",
    "use_dropout",
    "dropout_keep_probability",
    "box_encodings_clip_range",
];

impl BoxPredictor {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        let kinds = ["convolutional_box_predictor", "weight_shared_convolutional_box_predictor"];
        let (kind, message) = message.one_of(&kinds)?;
        let is_shared = kind == kinds[1];
        let own: &[&str] = if is_shared {
            &["depth", "share_prediction_tower", "score_converter", "class_prediction_bias_init"]
        } else {
            &["min_depth", "max_depth", "apply_sigmoid_to_scores", "class_prediction_bias_init"]
        };
        message.has_only(&[&FIELDS, own].concat())?;
        let kind = if is_shared {
            Kind::WeightShared {
                depth: message.count("depth", 0)?,
                share_prediction_tower: message.flag("share_prediction_tower", false)?,
                is_sigmoid: match message.word("score_converter", "IDENTITY")? {
                    "IDENTITY" => false,
                    "SIGMOID" => true,
                    _ => return Err(message.wrong("score_converter", "it is not IDENTITY or SIGMOID")),
                },
            }
        } else {
            Kind::Convolutional {
                min_depth: message.count("min_depth", 0)?,
                max_depth: message.count("max_depth", 0)?,
                apply_sigmoid_to_scores: message.flag("apply_sigmoid_to_scores", false)?,
            }
        };
        let range = message.message("box_encodings_clip_range");
        range.has_only(&["min", "max"])?;
        let limits = [range.number("min", 0.0)? as f32, range.number("max", 0.0)? as f32];
        let predictor = Self {
            hyperparams: Hyperparams::read(&message.message("conv_hyperparams"))?,
            num_layers_before_predictor: message.count("num_layers_before_predictor", 0)?,
            kernel_size: message.count("kernel_size", if is_shared { 3 } else { 1 })?,
            box_code_size: message.count("box_code_size", 4)?,
            use_depthwise: message.flag("use_depthwise", false)?,
            use_dropout: message.flag("use_dropout", !is_shared)?,
            box_encodings_clip_range: message.has("box_encodings_clip_range").then_some(limits),
            kind,
        };
        if predictor.use_depthwise && predictor.kernel_size == 1 {
            return Err(message.wrong("kernel_size", "it is 1, which use_depthwise does not allow"));
        }
        Ok(predictor)
    }

    /// The predictor of the first stage of Faster R-CNN.
    pub fn of_proposals(hyperparams: Hyperparams) -> Self {
        Self {
            hyperparams,
            num_layers_before_predictor: 0,
            kernel_size: 1,
            box_code_size: 4,
            use_depthwise: false,
            use_dropout: false,
            box_encodings_clip_range: None,
            kind: Kind::Convolutional { min_depth: 0, max_depth: 0, apply_sigmoid_to_scores: false },
        }
    }

    /// Builds the predictions of all feature maps, which have so many anchors per location, for `slots` classes, the background included.
    pub fn build(
        &self,
        slim: &mut NetworkBuilder<'_>,
        maps: &[TensorRef],
        per_location: &[usize],
        slots: usize,
    ) -> Predictions {
        if maps.len() != per_location.len() {
            let problem =
                format!("it is for {} feature maps, but there are {}", per_location.len(), maps.len());
            slim.fail(Error::new("anchor_generator", problem));
        }
        let heads = self.heads(slim, maps, per_location, slots);
        Self::joined(slim, &heads)
    }

    /// The predictions for each feature map: boxes and classes.
    pub fn heads(
        &self,
        slim: &mut NetworkBuilder<'_>,
        maps: &[TensorRef],
        per_location: &[usize],
        slots: usize,
    ) -> Vec<[TensorRef; 2]> {
        match &self.kind {
            Kind::Convolutional { .. } => maps
                .iter()
                .zip(per_location)
                .enumerate()
                .map(|(index, (&map, &anchors))| {
                    let build = |slim: &mut NetworkBuilder<'_>| self.convolutional(slim, map, anchors, slots);
                    if maps.len() > 1 {
                        slim.variable_scope(&format!("BoxPredictor_{index}"), build)
                    } else {
                        build(slim)
                    }
                })
                .collect(),
            Kind::WeightShared { .. } => {
                let common = Self::common_depth(slim, maps);
                let map = |(index, (&map, &anchors)): (usize, (&TensorRef, &usize))| {
                    slim.variable_scope("WeightSharedConvolutionalBoxPredictor", |slim| {
                        self.weight_shared(slim, map, (index, common), anchors, slots)
                    })
                };
                maps.iter().zip(per_location).enumerate().map(map).collect()
            }
        }
    }

    /// The predictions of all feature maps, one after the other.
    pub fn joined(slim: &mut NetworkBuilder<'_>, heads: &[[TensorRef; 2]]) -> Predictions {
        let [boxes, classes] = [0, 1].map(|head| heads.iter().map(|heads| heads[head]).collect::<Vec<_>>());
        if boxes.is_empty() {
            slim.fail(Error::new("feature_extractor", "there are no feature maps"));
            let nothing = slim.constant("nothing", Constant::from_f32(vec![1, 0, 1], &[]));
            return Predictions { box_encodings: nothing, classes: nothing };
        }
        let mut box_encodings = slim.concat_along(1, &boxes, "concat");
        if slim.shape(box_encodings).rank() == Some(4) {
            let attrs = [("squeeze_dims", crate::graph::Attr::Ints(vec![2]))];
            box_encodings = slim.op("Squeeze", "Squeeze", &[box_encodings], attrs);
        }
        Predictions { box_encodings, classes: slim.concat_along(1, &classes, "concat") }
    }

    /// The two heads of a feature map that has its own weights.
    fn convolutional(
        &self,
        slim: &mut NetworkBuilder<'_>,
        map: TensorRef,
        anchors: usize,
        slots: usize,
    ) -> [TensorRef; 2] {
        let Kind::Convolutional { min_depth, max_depth, apply_sigmoid_to_scores } = self.kind else {
            return [map; 2];
        };
        let depth = slim.channels(map).min(max_depth).max(min_depth);
        self.hyperparams.scope(slim, |slim| {
            let mut net = map;
            let layers = if depth > 0 { self.num_layers_before_predictor } else { 0 };
            for layer in 0..layers {
                if slim.has_failed() {
                    break;
                }
                net = slim.conv2d(net, depth, 1, &format!("Conv2d_{layer}_1x1_{depth}"), &[]);
            }
            let boxes =
                self.convolutional_head(slim, net, anchors * self.box_code_size, "BoxEncodingPredictor");
            let boxes = self.clipped(slim, boxes);
            let boxes = rows(slim, boxes, anchors, &[1, self.box_code_size]);
            if self.use_dropout {
                net = slim.dropout(net, "Dropout");
            }
            let mut classes = self.convolutional_head(slim, net, anchors * slots, "ClassPredictor");
            if apply_sigmoid_to_scores {
                classes = slim.sigmoid(classes);
            }
            [boxes, rows(slim, classes, anchors, &[slots])]
        })
    }

    fn convolutional_head(
        &self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        outputs: usize,
        scope: &str,
    ) -> TensorRef {
        let linear = [NO_ACTIVATION, NO_NORMALIZER];
        if self.use_depthwise {
            let net = slim.depthwise_conv2d(net, self.kernel_size, &format!("{scope}_depthwise"), &[SAME]);
            slim.conv2d(net, outputs, 1, scope, &linear)
        } else {
            slim.conv2d(net, outputs, self.kernel_size, scope, &linear)
        }
    }

    /// The depth that maps are projected to, if they differ in depth: the one that most of them have.
    fn common_depth(slim: &mut NetworkBuilder<'_>, maps: &[TensorRef]) -> Option<usize> {
        let depths: Vec<usize> = maps.iter().map(|&map| slim.channels(map)).collect();
        let first = *depths.first()?;
        if depths.iter().all(|&depth| depth == first) {
            return None;
        }
        let count = |depth: usize| depths.iter().filter(|&&other| other == depth).count();
        let greatest = depths.iter().map(|&depth| count(depth)).max()?;
        let mut most = depths.iter().copied().filter(|&depth| count(depth) == greatest);
        let common = most.next()?;
        if most.any(|depth| depth != common) {
            // The original takes whichever comes first out of a Python set.
            let problem = "of the depths of the feature maps, several are the most frequent, and the shared predictor has one of them";
            slim.fail(Error::new("feature_extractor", problem));
        }
        Some(common)
    }

    /// The two heads of a feature map, whose convolutions have the weights of all feature maps, and batch norms of their own.
    fn weight_shared(
        &self,
        slim: &mut NetworkBuilder<'_>,
        mut map: TensorRef,
        (index, common_depth): (usize, Option<usize>),
        anchors: usize,
        slots: usize,
    ) -> [TensorRef; 2] {
        let Kind::WeightShared { share_prediction_tower, is_sigmoid, .. } = self.kind else {
            return [map; 2];
        };
        self.hyperparams.scope(slim, |slim| {
            if let Some(depth) = common_depth {
                let scope = format!("ProjectionLayer/conv2d_{index}");
                map =
                    self.normalized_conv(slim, map, (depth, 1, false), &scope, &format!("{scope}/BatchNorm"));
            }
            let tower = if share_prediction_tower { "PredictionTower" } else { "BoxPredictionTower" };
            let box_tower = self.tower(slim, map, index, tower);
            let boxes = self.shared_head(slim, box_tower, anchors * self.box_code_size, "BoxPredictor");
            let boxes = self.clipped(slim, boxes);
            let boxes = rows(slim, boxes, anchors, &[self.box_code_size]);
            let mut net = box_tower;
            if !share_prediction_tower {
                net = self.tower(slim, map, index, "ClassPredictionTower");
            }
            if self.use_dropout {
                net = slim.dropout(net, "Dropout");
            }
            let mut classes = self.shared_head(slim, net, anchors * slots, "ClassPredictor");
            if is_sigmoid {
                classes = slim.sigmoid(classes);
            }
            [boxes, rows(slim, classes, anchors, &[slots])]
        })
    }

    fn tower(
        &self,
        slim: &mut NetworkBuilder<'_>,
        mut net: TensorRef,
        index: usize,
        scope: &str,
    ) -> TensorRef {
        let Kind::WeightShared { depth, .. } = self.kind else { return net };
        for layer in 0..self.num_layers_before_predictor {
            if slim.has_failed() {
                break;
            }
            let scope = format!("{scope}/conv2d_{layer}");
            net = self.normalized_conv(
                slim,
                net,
                (depth, self.kernel_size, self.use_depthwise),
                &scope,
                &format!("{scope}/BatchNorm/feature_{index}"),
            );
            net = slim.relu6(net);
        }
        net
    }

    /// A convolution, and a batch norm in a scope of its own.
    fn normalized_conv(
        &self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        (depth, kernel, is_separable): (usize, usize, bool),
        scope: &str,
        batch_norm: &str,
    ) -> TensorRef {
        let mut args = vec![NO_ACTIVATION, NO_NORMALIZER, SAME, Arg::Stride(1)];
        args.extend(self.hyperparams.has_batch_norm().then_some(NO_BIASES));
        let mut net = if is_separable {
            slim.separable_conv2d(net, depth, kernel, 1, scope, &args)
        } else {
            slim.conv2d(net, depth, kernel, scope, &args)
        };
        if self.hyperparams.has_batch_norm() {
            net = slim.identity(net, &format!("{scope}/Identity"));
            net = slim.batch_norm_in(batch_norm, net, &[]);
        }
        net
    }

    fn shared_head(
        &self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        outputs: usize,
        scope: &str,
    ) -> TensorRef {
        let args = [NO_ACTIVATION, NO_NORMALIZER, SAME, Arg::Stride(1)];
        if self.use_depthwise {
            slim.separable_conv2d(net, outputs, self.kernel_size, 1, scope, &args)
        } else {
            slim.conv2d(net, outputs, self.kernel_size, scope, &args)
        }
    }

    fn clipped(&self, slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
        match self.box_encodings_clip_range {
            Some([least, greatest]) => slim.clip_by_value(net, least, greatest),
            None => net,
        }
    }
}

/// The predictions of a feature map as one row for each anchor: `[images, anchors, …]`.
fn rows(slim: &mut NetworkBuilder<'_>, net: TensorRef, anchors: usize, tail: &[usize]) -> TensorRef {
    let [height, width] = slim.height_and_width(net).unwrap_or_default();
    let count = height * width * anchors;
    let dims = [-1, count as i32].into_iter().chain(tail.iter().map(|&length| length as i32));
    let dims: Vec<i32> = dims.collect();
    slim.reshape(net, &dims)
}

impl NetworkBuilder<'_> {
    /// `tf.nn.relu6`
    fn relu6(&mut self, net: TensorRef) -> TensorRef {
        self.activated(net, Some(Activation::Relu6))
    }
}
