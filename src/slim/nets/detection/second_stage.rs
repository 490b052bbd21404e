//! What Faster R-CNN predicts for crops of features: refined boxes, classes and masks.
//!
//! Sources: `research/object_detection/predictors/mask_rcnn_box_predictor.py`, `heads/mask_head.py`, and
//! `_compute_second_stage_input_feature_maps` in `meta_architectures/faster_rcnn_meta_arch.py`.

use super::fields::Message;
use super::hyperparams::Hyperparams;
use crate::error::Result;
use crate::graph::{Attr, TensorRef};
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, VALID};
use crate::slim::{Arg::Stride, NetworkBuilder, UNNAMED};
use crate::tensor::{Constant, DType};

/// How features are cropped.
#[derive(Debug, Clone, Copy)]
pub struct Crops {
    size: usize,
    pool_kernel: usize,
    pool_stride: usize,
}

impl Crops {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        let crops = Self {
            size: message.count("initial_crop_size", 0)?,
            pool_kernel: message.count("maxpool_kernel_size", 0)?,
            pool_stride: message.count("maxpool_stride", 0)?,
        };
        for (name, value) in [
            ("initial_crop_size", crops.size),
            ("maxpool_kernel_size", crops.pool_kernel),
            ("maxpool_stride", crops.pool_stride),
        ] {
            if value == 0 {
                return Err(message.wrong(name, "it is not set"));
            }
        }
        Ok(crops)
    }

    /// The features in each box: boxes `[images, boxes, 4]`, crops `[images * boxes, height, width, channels]`.
    pub fn build(&self, slim: &mut NetworkBuilder<'_>, features: TensorRef, boxes: TensorRef) -> TensorRef {
        let count = slim.shape(boxes).dim(1).unwrap_or(1);
        let net = slim.name_scope("CropAndResize", |slim| {
            let images = image_of_each(slim, boxes, count);
            let boxes = slim.reshape(boxes, &[-1, 4]);
            let size =
                slim.constant("CropAndResize/crop_size", Constant::from_i32(vec![2], &[self.size as i32; 2]));
            slim.op("CropAndResize", "CropAndResize", &[features, boxes, images, size], [])
        });
        slim.max_pool2d(net, self.pool_kernel, "MaxPool2D", &[Stride(self.pool_stride), VALID])
    }
}

/// The index of the image of each box.
fn image_of_each(slim: &mut NetworkBuilder<'_>, boxes: TensorRef, count: usize) -> TensorRef {
    if let Some(images) = slim.shape(boxes).dim(0) {
        let indices: Vec<i32> = (0..images as i32).flat_map(|image| vec![image; count]).collect();
        return slim.constant("indices", Constant::from_i32(vec![indices.len()], &indices));
    }
    // The sum of ones over the images before.
    let flat = slim.reshape(boxes, &[-1, 4 * count as i32]);
    let begin = slim.constant("Slice/begin", Constant::from_i32(vec![2], &[0; 2]));
    let size = slim.constant("Slice/size", Constant::from_i32(vec![2], &[-1, 1]));
    let first = slim.op("Slice", "Slice", &[flat, begin, size], []);
    let ones = slim.op("Equal", "Equal", &[first, first], []);
    let ones = slim.cast(ones, DType::Int32);
    let axis = ("axis", Constant::from_i32(vec![], &[0]));
    let images = slim.op_with_constant("Cumsum", "Cumsum", &[ones], axis, [("exclusive", Attr::Bool(true))]);
    let images = slim.tile(images, &[1, count]);
    slim.reshape(images, &[-1])
}

/// The fields of `MaskRCNNBoxPredictor`.
#[derive(Debug, Clone)]
pub struct SecondStagePredictor {
    num_classes: usize,
    hyperparams: Hyperparams,
    use_dropout: bool,
    shares_boxes: bool,
    masks: Option<Masks>,
}

/// The fields of masks.
#[derive(Debug, Clone)]
struct Masks {
    hyperparams: Hyperparams,
    size: [usize; 2],
    depth: usize,
    layers: usize,
    is_class_agnostic: bool,
    convolves_first: bool,
}

impl SecondStagePredictor {
    pub fn read(message: &Message<'_>, num_classes: usize) -> Result<Self> {
        let (_, message) = message.one_of(&["mask_rcnn_box_predictor"])?;
        message.has_only(&[
            "fc_hyperparams",
            "use_dropout",
            "dropout_keep_probability",
            "box_code_size",
            "conv_hyperparams",
            "predict_instance_masks",
            "mask_prediction_conv_depth",
            "mask_height",
            "mask_width",
            "mask_prediction_num_conv_layers",
            "masks_are_class_agnostic",
            "share_box_across_classes",
            "convolve_then_upsample_masks",
        ])?;
        if message.count("box_code_size", 4)? != 4 {
            return Err(message.wrong("box_code_size", "encodings of Faster R-CNN have 4 values"));
        }
        let masks = Masks {
            hyperparams: Hyperparams::read(&message.message("conv_hyperparams"))?,
            size: [message.count("mask_height", 15)?, message.count("mask_width", 15)?],
            depth: message.count("mask_prediction_conv_depth", 256)?,
            layers: message.count("mask_prediction_num_conv_layers", 2)?,
            is_class_agnostic: message.flag("masks_are_class_agnostic", false)?,
            convolves_first: message.flag("convolve_then_upsample_masks", false)?,
        };
        let has_masks = message.flag("predict_instance_masks", false)?;
        Ok(Self {
            num_classes,
            hyperparams: Hyperparams::read(&message.message("fc_hyperparams"))?,
            use_dropout: message.flag("use_dropout", false)?,
            shares_boxes: message.flag("share_box_across_classes", false)?,
            masks: has_masks.then_some(masks),
        })
    }

    pub fn has_masks(&self) -> bool {
        self.masks.is_some()
    }

    /// Encodings `[crops, classes or 1, 4]`, and classes `[crops, classes]` with the background first.
    pub fn boxes_and_classes(
        &self,
        slim: &mut NetworkBuilder<'_>,
        features: TensorRef,
    ) -> (TensorRef, TensorRef) {
        let boxes = if self.shares_boxes { 1 } else { self.num_classes };
        let encodings = self.head(slim, features, 4 * boxes, "BoxEncodingPredictor");
        let encodings = slim.reshape(encodings, &[-1, boxes as i32, 4]);
        (encodings, self.head(slim, features, self.num_classes + 1, "ClassPredictor"))
    }

    fn head(
        &self,
        slim: &mut NetworkBuilder<'_>,
        features: TensorRef,
        outputs: usize,
        scope: &str,
    ) -> TensorRef {
        let net = slim.spatial_mean(features, "AvgPool");
        let mut net = slim.flatten(net, "Flatten");
        if self.use_dropout {
            net = slim.dropout(net, "Dropout");
        }
        self.hyperparams.scope(slim, |slim| slim.fully_connected(net, outputs, scope, &[NO_ACTIVATION]))
    }

    /// The masks of boxes that have these classes: `[images, boxes, height, width]`.
    pub fn masks(&self, slim: &mut NetworkBuilder<'_>, features: TensorRef, classes: TensorRef) -> TensorRef {
        let Some(masks) = &self.masks else { return features };
        let count = if masks.is_class_agnostic { 1 } else { self.num_classes };
        let channels = slim.channels(features);
        let depth = if masks.depth == 0 { self.mask_depth(channels) } else { masks.depth };
        let [height, width] = masks.size;
        let net = masks.hyperparams.scope(slim, |slim| {
            let mut net = features;
            if !masks.convolves_first {
                net = resized(slim, net, "ResizeBilinear", masks.size);
            }
            for _ in 1..masks.layers {
                if slim.has_failed() {
                    break;
                }
                net = slim.conv2d(net, depth, 3, UNNAMED, &[]);
            }
            if masks.convolves_first {
                let size = slim.height_and_width(net).unwrap_or([1, 1]);
                let scaled = [0, 1].map(|axis| masks.size[axis] / size[axis].max(1) * size[axis]);
                net = resized(slim, net, "ResizeNearestNeighbor", scaled);
                net = slim.conv2d(net, depth, 3, UNNAMED, &[]);
            }
            slim.conv2d(net, count, 3, UNNAMED, &[NO_ACTIVATION, NO_NORMALIZER])
        });
        let [height, width] = slim.height_and_width(net).unwrap_or([height, width]);
        let order = ("perm", Constant::from_i32(vec![4], &[0, 3, 1, 2]));
        let mut net = slim.op_with_constant("transpose", "Transpose", &[net], order, []);
        if count > 1 {
            let class = slim.cast(classes, DType::Int32);
            let class = slim.reshape(class, &[-1, 1]);
            net = slim.gather_of_each(net, class);
        }
        let net = slim.sigmoid(net);
        let boxes = slim.shape(classes).dim(1).unwrap_or(1);
        slim.reshape(net, &[-1, boxes as i32, height as i32, width as i32])
    }

    /// `_get_mask_predictor_conv_depth`: between the depth of the features and the number of classes, as a power of 2.
    fn mask_depth(&self, channels: usize) -> usize {
        let (of_features, of_classes) = ((channels as f64).log2(), (self.num_classes as f64).log2());
        // Python rounds halves to even numbers.
        let exponent = ((of_features * 2.0 + of_classes * 3.0) / 5.0).round_ties_even();
        2f64.powf(exponent) as usize
    }
}

fn resized(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    op: &str,
    [height, width]: [usize; 2],
) -> TensorRef {
    let size = ("size", Constant::from_i32(vec![2], &[height as i32, width as i32]));
    let align_corners = op == "ResizeBilinear";
    slim.op_with_constant(op, op, &[net], size, [("align_corners", Attr::Bool(align_corners))])
}
