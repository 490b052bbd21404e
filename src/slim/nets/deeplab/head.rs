//! What follows the features of the backbone: atrous spatial pyramid pooling, the decoder, and the logits.
//!
//! Source: `extract_features`, `refine_by_decoder` and `get_branch_logits` in `research/deeplab/model.py`, and
//! `split_separable_conv2d` in `research/deeplab/core/utils.py`.

use super::options::{
    ATROUS_RATES, DECODER_OUTPUT_STRIDE, OUTPUT_STRIDE, USE_BOUNDED_ACTIVATION, stage_suffix,
};
use super::variant::Variant;
use crate::graph::{Attr, TensorRef};
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME};
use crate::slim::{
    Activation, Alignment, Arg, Interpolation, Layer, Length, NetworkBuilder, Normalizer, Options,
};
use crate::tensor::DType;

/// What the parts of the head need to know.
pub struct Head<'a> {
    pub variant: &'a Variant,
    pub options: &'a Options,
    pub images: TensorRef,
    /// Height and width of the images, unless they may have any.
    pub crop_size: Option<[usize; 2]>,
}

/// The size of an image that has shrunk by `stride`: its first and last pixels are those of the image.
fn scale_dimension(length: usize, stride: usize) -> usize {
    ((length as f64 - 1.0) * (1.0 / stride as f64) + 1.0) as usize
}

fn scaled(size: [usize; 2], stride: usize) -> [usize; 2] {
    size.map(|length| scale_dimension(length, stride))
}

/// The length of an axis of images of any size, when they have shrunk by `stride`.
fn scaled_length(slim: &mut NetworkBuilder<'_>, images: TensorRef, axis: i32, stride: usize) -> Length {
    slim.name_scope("scale_dimension", |slim| {
        let length = slim.length(images, axis);
        let length = slim.to_float(length);
        let length = slim.plus(length, -1.0);
        let length = slim.times(length, 1.0 / stride as f32);
        let length = slim.plus(length, 1.0);
        Length::Computed(slim.cast(length, DType::Int32))
    })
}

/// The rates of the convolutions of ASPP; `None` if no one knows them.
pub fn atrous_rates(options: &Options) -> Option<Vec<usize>> {
    let rates = options.counts(&ATROUS_RATES.name);
    if rates.contains(&0) {
        return None;
    }
    if rates.is_empty() || !options.is_unset(&ATROUS_RATES.name) {
        return Some(rates);
    }
    match options.count(&OUTPUT_STRIDE.name) {
        16 => Some(rates),
        8 => Some(rates.into_iter().map(|rate| 2 * rate).collect()),
        _ => None,
    }
}

impl Head<'_> {
    /// Resizes features to the size that images have when they have shrunk by `stride`.
    pub fn resized(&self, slim: &mut NetworkBuilder<'_>, net: TensorRef, stride: usize) -> TensorRef {
        let size = match self.crop_size {
            Some(size) => scaled(size, stride).map(Length::Known),
            None => [1, 2].map(|axis| scaled_length(slim, self.images, axis, stride)),
        };
        slim.resize_to_lengths(net, size, Interpolation::Bilinear, Alignment::Corners)
    }

    fn flag(&self, name: &str) -> bool {
        self.options.flag(name)
    }

    fn activation(&self) -> Activation {
        if self.flag(&USE_BOUNDED_ACTIVATION.name) { Activation::Relu6 } else { Activation::Relu }
    }

    /// Builds with the defaults of ASPP and of the decoder.
    fn with_defaults<T>(
        slim: &mut NetworkBuilder<'_>,
        activation: Option<Activation>,
        normalizer: Option<Normalizer>,
        build: impl FnOnce(&mut NetworkBuilder<'_>) -> T,
    ) -> T {
        let args = [Arg::ActivationFn(activation), Arg::NormalizerFn(normalizer), SAME, Arg::Stride(1)];
        let batch_norm = [Arg::Decay(0.9997), Arg::Epsilon(1e-5), Arg::Scale(true)];
        slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], &args, |slim| {
            slim.arg_scope(&[Layer::BatchNorm], &batch_norm, build)
        })
    }

    /// Atrous spatial pyramid pooling.
    pub fn aspp(&self, slim: &mut NetworkBuilder<'_>, features: TensorRef) -> TensorRef {
        if !self.flag("aspp_with_batch_norm") {
            return features;
        }
        let normalizer = Some(Normalizer::BatchNorm);
        Self::with_defaults(slim, Some(self.activation()), normalizer, |slim| {
            let depth = self.options.count("aspp_convs_filters");
            let excites = self.flag("aspp_with_squeeze_and_excitation");
            let image_feature =
                self.flag("add_image_level_feature").then(|| self.image_feature(slim, features, depth));
            let mut branches: Vec<TensorRef> = image_feature.into_iter().filter(|_| !excites).collect();
            branches.push(slim.conv2d(features, depth, 1, "aspp0", &[]));
            let rates = atrous_rates(self.options).unwrap_or_else(|| self.any_rates());
            for (rate, i) in rates.into_iter().zip(1..) {
                let scope = format!("aspp{i}");
                branches.push(if self.flag("aspp_with_separable_conv") {
                    split_separable_conv2d(slim, features, depth, rate, &scope)
                } else {
                    slim.conv2d(features, depth, 3, &scope, &[Arg::Rate(rate)])
                });
            }
            let mut net = slim.concat(&branches);
            if self.flag("aspp_with_concat_projection") {
                net = slim.conv2d(net, depth, 1, "concat_projection", &[]);
                net = slim.dropout(net, "concat_projection_dropout");
            }
            match image_feature.filter(|_| excites) {
                Some(gate) => slim.product(net, gate),
                None => net,
            }
        })
    }

    /// Rates for recognition, which does not depend on them.
    fn any_rates(&self) -> Vec<usize> {
        vec![1; self.options.counts(&ATROUS_RATES.name).len()]
    }

    /// The means of windows of the image, by default of the whole image.
    fn image_feature(&self, slim: &mut NetworkBuilder<'_>, features: TensorRef, depth: usize) -> TensorRef {
        let stride = self.options.count(&OUTPUT_STRIDE.name);
        let pooled = <[usize; 2]>::try_from(self.options.counts("image_pooling_crop_size"));
        let net = match pooled.ok().or(self.crop_size) {
            Some(pooled) => self.window_means(slim, features, scaled(pooled, stride)),
            None => slim.spatial_mean(features, "Mean"),
        };
        let args: &[Arg] =
            match (self.flag("aspp_with_squeeze_and_excitation"), self.flag("image_se_uses_qsigmoid")) {
                (false, _) => &[Arg::ActivationFn(Some(Activation::Relu))],
                (true, false) => &[Arg::ActivationFn(Some(Activation::Sigmoid)), NO_NORMALIZER],
                (true, true) => &[Arg::ActivationFn(Some(Activation::HardSigmoid)), NO_NORMALIZER],
            };
        let net = slim.conv2d(net, depth, 1, "image_pooling", args);
        self.resized(slim, net, stride)
    }

    fn window_means(
        &self,
        slim: &mut NetworkBuilder<'_>,
        features: TensorRef,
        window: [usize; 2],
    ) -> TensorRef {
        let steps = <[usize; 2]>::try_from(self.options.counts("image_pooling_stride")).unwrap_or([1, 1]);
        let [window, steps] = [window, steps].map(|lengths| lengths.map(|length| length as i64));
        slim.name_scope("AvgPool2D", |slim| {
            let attrs = [
                ("ksize", Attr::Ints(vec![1, window[0], window[1], 1])),
                ("strides", Attr::Ints(vec![1, steps[0], steps[1], 1])),
                ("padding", "VALID".into()),
            ];
            slim.op("AvgPool", "AvgPool", &[features], attrs)
        })
    }

    /// Refines the features with those that the backbone has before it shrinks them further.
    pub fn decoder(&self, slim: &mut NetworkBuilder<'_>, mut net: TensorRef) -> TensorRef {
        let strides = self.options.counts(&DECODER_OUTPUT_STRIDE.name);
        if strides.is_empty() {
            return net;
        }
        let root = slim.current_scope().to_owned();
        let (activation, normalizer) = if self.flag("decoder_output_is_logits") {
            (None, None)
        } else {
            (Some(self.activation()), Some(Normalizer::BatchNorm))
        };
        Self::with_defaults(slim, activation, normalizer, |slim| {
            slim.variable_scope("decoder", |slim| {
                for (stage, stride) in strides.into_iter().enumerate() {
                    let end_point = self.variant.decoder_end_point(stride);
                    let name = end_point.map_or(String::new(), |end| self.variant.end_point_name(end, &root));
                    let low_level = slim.built_end_point(&name);
                    net = self.decoder_stage(slim, net, low_level, stride, &stage_suffix(stage));
                }
                net
            })
        })
    }

    fn decoder_stage(
        &self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        low_level: TensorRef,
        stride: usize,
        suffix: &str,
    ) -> TensorRef {
        /// The number of channels that low-level features are projected to before they are concatenated.
        const PROJECTED: usize = 48;
        let (depth, sums) = (self.options.count("decoder_filters"), self.flag("decoder_use_sum_merge"));
        let is_logits = self.flag("decoder_output_is_logits");
        let is_separable = self.flag("decoder_use_separable_conv") && !is_logits;
        let scope = format!("feature_projection0{suffix}");
        let low_level = slim.conv2d(low_level, if sums { depth } else { PROJECTED }, 1, &scope, &[]);
        let [net, low_level] = [net, low_level].map(|net| self.resized(slim, net, stride));
        match (sums, is_separable) {
            (true, true) => {
                let scope = format!("decoder_split_sep_conv0{suffix}");
                let net = split_separable_conv2d(slim, net, depth, 1, &scope);
                slim.sum(net, low_level)
            }
            (true, false) => {
                let kernel = if is_logits { 1 } else { 3 };
                let net = slim.conv2d(net, depth, kernel, &format!("decoder_conv0{suffix}"), &[]);
                slim.sum(net, low_level)
            }
            (false, true) => {
                let net = slim.concat(&[net, low_level]);
                let net = split_separable_conv2d(slim, net, depth, 1, &format!("decoder_conv0{suffix}"));
                split_separable_conv2d(slim, net, depth, 1, &format!("decoder_conv1{suffix}"))
            }
            (false, false) => {
                let net = slim.concat(&[net, low_level]);
                let scope = format!("decoder_conv0{suffix}");
                slim.variable_scope(&scope, |slim| {
                    let net = slim.conv2d(net, depth, 3, &format!("{scope}_1"), &[]);
                    slim.conv2d(net, depth, 3, &format!("{scope}_2"), &[])
                })
            }
        }
    }

    /// The logits, as large as the features.
    pub fn logits(&self, slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
        if self.flag("decoder_output_is_logits") {
            return slim.identity(net, "semantic");
        }
        let classes = self.options.num_classes();
        let kernel = self.options.count("logits_kernel_size");
        let mut rates = vec![1];
        if !self.flag("aspp_with_batch_norm") && !self.options.counts(&ATROUS_RATES.name).is_empty() {
            rates = atrous_rates(self.options).unwrap_or_else(|| self.any_rates());
        }
        slim.variable_scope("logits", |slim| {
            let branches = rates.into_iter().enumerate().map(|(i, rate)| {
                let scope = if i == 0 { "semantic".to_owned() } else { format!("semantic_{i}") };
                slim.conv2d(net, classes, kernel, &scope, &[Arg::Rate(rate), NO_ACTIVATION, NO_NORMALIZER])
            });
            match &branches.collect::<Vec<_>>()[..] {
                [branch] => *branch,
                branches => slim.op("AddN", "AddN", branches, []),
            }
        })
    }
}

/// A depthwise and a pointwise convolution, both with batch norm and activation.
fn split_separable_conv2d(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    rate: usize,
    scope: &str,
) -> TensorRef {
    let net = slim.depthwise_conv2d(net, 3, &format!("{scope}_depthwise"), &[Arg::Rate(rate)]);
    slim.conv2d(net, depth, 1, &format!("{scope}_pointwise"), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_stay_corners_when_an_image_shrinks() {
        assert_eq!(scaled([513, 769], 16), [33, 49]);
        assert_eq!(scaled([65, 66], 4), [17, 17]);
    }
}
