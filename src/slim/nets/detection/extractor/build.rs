//! Builds the classifier of each extractor, and its feature maps.

use std::sync::Arc;

use super::super::feature_maps::{bottom_up, multi_resolution, pooling_pyramid, top_down};
use super::super::{mobiledet, mobiledet_rows as rows};
use super::kind::Kind;
use super::{Extractor, Pyramid};
use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::arg_scope::SAME;
use crate::slim::nets::mobilenet::{Definition, conv, mobilenet_base, training_scope};
use crate::slim::nets::{
    LibraryNetwork, inception_v2, inception_v3, mobilenet_v1, mobilenet_v2, mobilenet_v3, resnet, resnet_v1,
};
use crate::slim::options::scaled_depth;
use crate::slim::{Arg::Stride, Layer, NetworkBuilder, Options, Value};

impl Extractor {
    /// Builds the feature maps of the images.
    pub fn build(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef) -> Vec<TensorRef> {
        let images = self.padded(slim, images);
        slim.variable_scope(self.kind.scope(), |slim| match self.kind {
            Kind::MobilenetV1 => {
                let layers = ["Conv2d_11_pointwise", "Conv2d_13_pointwise"];
                self.mobilenet_v1(slim, images, &mobilenet_v1::SEPARABLE);
                self.multi_resolution(slim, &layers, &MAPS_OF_2)
            }
            Kind::EmbeddedMobilenetV1 => {
                if slim.height_and_width(images) != Some([256, 256]) {
                    slim.fail(Error::new("image size", "this extractor takes images of 256x256"));
                }
                let layers = ["Conv2d_11_pointwise", "Conv2d_13_pointwise"];
                self.mobilenet_v1(slim, images, &mobilenet_v1::SEPARABLE);
                self.multi_resolution(slim, &layers, &[(512, 3), (256, 3), (256, 2)])
            }
            Kind::MobilenetV1Fpn => {
                let mut separable = mobilenet_v1::SEPARABLE;
                if self.use_depthwise {
                    [separable[11], separable[12]] = [(2, 512), (1, 256)];
                }
                self.mobilenet_v1(slim, images, &separable);
                let layers = [
                    "Conv2d_3_pointwise",
                    "Conv2d_5_pointwise",
                    "Conv2d_11_pointwise",
                    "Conv2d_13_pointwise",
                ];
                self.feature_pyramid(slim, &layers, |above| format!("bottom_up_Conv2d_{}", above + 13))
            }
            Kind::MobilenetV1Ppn => {
                self.mobilenet_v1(slim, images, &mobilenet_v1::SEPARABLE);
                let net = slim.built_end_point("Conv2d_11_pointwise");
                self.hyperparams.scope(slim, |slim| pooling_pyramid(slim, net, 0, 6))
            }
            Kind::MobilenetV2 => {
                let layers = ["layer_15/expansion_output", "layer_19"];
                self.mobilenet(slim, images, &mobilenet_v2::MOBILENET_V2, &mobilenet_v2::V2, &layers)
            }
            Kind::MobilenetV2Fpn => {
                let definition = self.mobilenet_v2_of_pyramid();
                self.mobilenet_backbone(slim, images, &mobilenet_v2::MOBILENET_V2, &definition);
                let layers = ["layer_4", "layer_7", "layer_14", "layer_19"];
                self.feature_pyramid(slim, &layers, |above| format!("bottom_up_Conv2d_{}", above + 19))
            }
            Kind::MobilenetV3Large => {
                let layers = ["layer_14/expansion_output", "layer_17"];
                let definition = for_detection(mobilenet_v3::LARGE, 13..17);
                self.mobilenet(slim, images, &mobilenet_v3::MOBILENET_V3_LARGE, &definition, &layers)
            }
            Kind::MobilenetV3Small => {
                let layers = ["layer_10/expansion_output", "layer_13"];
                let definition = for_detection(mobilenet_v3::SMALL, 9..13);
                self.mobilenet(slim, images, &mobilenet_v3::MOBILENET_V3_SMALL, &definition, &layers)
            }
            Kind::MobilenetEdgeTpu => {
                let layers = ["layer_18/expansion_output", "layer_23"];
                let definition = for_detection(mobilenet_v3::EDGETPU, 23..23);
                self.mobilenet(slim, images, &mobilenet_v3::MOBILENET_EDGETPU, &definition, &layers)
            }
            Kind::MobileDetCpu => self.mobiledet(slim, images, &rows::CPU),
            Kind::MobileDetDsp => self.mobiledet(slim, images, &rows::DSP),
            Kind::MobileDetEdgeTpu => self.mobiledet(slim, images, &rows::EDGETPU),
            Kind::MobileDetGpu => self.mobiledet(slim, images, &rows::GPU),
            Kind::InceptionV2 => self.hyperparams.scope(slim, |slim| {
                let options = self.options(&inception_v2::INCEPTION_V2);
                slim.reenter_scope(|slim| {
                    let layers = [Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];
                    slim.arg_scope(&layers, &[Stride(1), SAME], |slim| {
                        inception_v2::base(slim, images, &options)
                    })
                });
                multi_resolution(slim, &["Mixed_4c", "Mixed_5c"], self.taken(&MAPS_OF_2, 2), self)
            }),
            Kind::InceptionV3 => self.hyperparams.scope(slim, |slim| {
                let options = self.options(&inception_v3::INCEPTION_V3);
                slim.reenter_scope(|slim| inception_v3::base(slim, images, &options));
                let layers = ["Mixed_5d", "Mixed_6e", "Mixed_7c"];
                multi_resolution(slim, &layers, self.taken(&[(512, 3), (256, 3), (128, 3)], 3), self)
            }),
            Kind::ResnetFpn(resnet) => {
                let (network, units) = resnet.network();
                let mut options = self.options(network);
                options.set("min_base_depth", Value::Count(self.min_depth));
                self.resnet(slim, images, &options, units);
                let layers =
                    [1, 2, 3, 4].map(|block| format!("FeatureExtractor/{}/block{block}", network.scope));
                let layers = layers.each_ref().map(String::as_str);
                self.feature_pyramid(slim, &layers, |above| format!("bottom_up_block{}", above + 4))
            }
            Kind::ResnetPpn(resnet) => {
                let (network, units) = resnet.network();
                let mut options = Options::defaults(&network.options.into(), network.scope);
                options.set("depth_multiplier", Value::Number(1.0));
                self.resnet(slim, images, &options, units);
                let net = slim.built_end_point(&format!("FeatureExtractor/{}/block3", network.scope));
                self.hyperparams.scope(slim, |slim| pooling_pyramid(slim, net, 1024, 6))
            }
        })
    }

    /// `ops.pad_to_multiple`: zeros after the last rows and columns.
    fn padded(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
        match slim.height_and_width(images) {
            Some(size) if size.iter().any(|length| length % self.pad_to_multiple > 0) => {
                let missing = size.map(|length| length.next_multiple_of(self.pad_to_multiple) - length);
                slim.padded_at_end(images, missing)
            }
            _ => images,
        }
    }

    /// The options of the classifier.
    fn options(&self, network: &LibraryNetwork) -> Options {
        let specs: Arc<_> = network.options.into();
        let mut options = Options::defaults(&specs, network.scope);
        options.set("depth_multiplier", Value::Number(self.depth_multiplier));
        options.set("min_depth", Value::Count(self.min_depth));
        options.set("use_explicit_padding", Value::Flag(self.use_explicit_padding));
        options
    }

    /// Builds the classifier under its arg_scope, and under that of the configuration if it overrides it.
    fn base<T>(&self, slim: &mut NetworkBuilder<'_>, build: impl FnOnce(&mut NetworkBuilder<'_>) -> T) -> T {
        if self.overrides_base { self.hyperparams.scope(slim, build) } else { build(slim) }
    }

    fn mobilenet_v1(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef, separable: &[(usize, usize)]) {
        let options = self.options(&mobilenet_v1::MOBILENET_V1);
        slim.arg_scopes(&mobilenet_v1::arg_scope(), |slim| {
            self.base(slim, |slim| {
                slim.reenter_scope(|slim| mobilenet_v1::padded_base(slim, images, separable, &options))
            })
        });
    }

    fn mobilenet_v2_of_pyramid(&self) -> Definition {
        let mut definition = mobilenet_v2::V2;
        if self.use_depthwise
            && let Some(last) = definition.ops.to_mut().last_mut()
        {
            *last = conv(256, 1);
        }
        definition
    }

    fn mobilenet_backbone(
        &self,
        slim: &mut NetworkBuilder<'_>,
        images: TensorRef,
        network: &LibraryNetwork,
        definition: &Definition,
    ) {
        let options = self.options(network);
        slim.arg_scopes(&training_scope(), |slim| {
            self.base(slim, |slim| mobilenet_base(slim, images, &options, definition))
        });
    }

    /// MobileNet v2, v3 or EdgeTPU, and smaller maps under its arg_scope.
    fn mobilenet(
        &self,
        slim: &mut NetworkBuilder<'_>,
        images: TensorRef,
        network: &LibraryNetwork,
        definition: &Definition,
        layers: &[&str],
    ) -> Vec<TensorRef> {
        self.mobilenet_backbone(slim, images, network, definition);
        slim.arg_scopes(&training_scope(), |slim| self.multi_resolution(slim, layers, &MAPS_OF_2))
    }

    fn mobiledet(
        &self,
        slim: &mut NetworkBuilder<'_>,
        images: TensorRef,
        backbone: &mobiledet::MobileDet,
    ) -> Vec<TensorRef> {
        mobiledet::backbone(slim, images, backbone, self.depth_multiplier);
        self.multi_resolution(slim, &["C4", "C5"], &MAPS_OF_2)
    }

    fn resnet(&self, slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options, units: [usize; 4]) {
        let mut options = options.clone();
        options.set("store_non_strided_activations", Value::Flag(true));
        slim.arg_scopes(&resnet::arg_scope(), |slim| {
            self.base(slim, |slim| slim.reenter_scope(|slim| resnet_v1::base(slim, images, units, &options)))
        });
    }

    /// The first of these maps, so that there are `num_layers` with the `given` ones.
    fn taken<'a>(&self, maps: &'a [(usize, usize)], given: usize) -> &'a [(usize, usize)] {
        &maps[..maps.len().min(self.num_layers.saturating_sub(given))]
    }

    fn multi_resolution(
        &self,
        slim: &mut NetworkBuilder<'_>,
        layers: &[&str],
        maps: &[(usize, usize)],
    ) -> Vec<TensorRef> {
        let layers = &layers[..layers.len().min(self.num_layers)];
        let maps = self.taken(maps, layers.len());
        self.hyperparams.scope(slim, |slim| multi_resolution(slim, layers, maps, self))
    }

    /// A feature pyramid on the end points of levels 2 to 5. `scope` names the levels above them.
    fn feature_pyramid(
        &self,
        slim: &mut NetworkBuilder<'_>,
        layers: &[&str; 4],
        scope: impl Fn(usize) -> String,
    ) -> Vec<TensorRef> {
        let Pyramid { min_level, max_level, depth } = self.pyramid;
        let depth = scaled_depth(depth, self.depth_multiplier, self.min_depth);
        let top = max_level.min(5);
        let features: Vec<TensorRef> =
            (min_level..=top).map(|level| slim.built_end_point(layers[level - 2])).collect();
        let is_resnet = matches!(self.kind, Kind::ResnetFpn(_));
        let use_depthwise = self.use_depthwise && !is_resnet;
        self.hyperparams.scope(slim, |slim| {
            slim.variable_scope("fpn", |slim| {
                let mut maps = top_down(slim, &features, depth, use_depthwise, self.use_explicit_padding);
                // The original counts the levels of residual networks from below, and those of others from the top.
                let above = |level: usize| if is_resnet { level - 5 } else { level - top };
                let scopes: Vec<String> = (top + 1..=max_level).map(|level| scope(above(level))).collect();
                bottom_up(slim, &mut maps, &scopes, depth, use_depthwise, self.use_explicit_padding);
                maps
            })
        })
    }
}

/// Depth and kernel of the maps after two end points.
const MAPS_OF_2: [(usize, usize); 4] = [(512, 3), (256, 3), (256, 3), (128, 3)];

/// `_reduce_consecutive_layers`: the table up to the end of the rows whose depth is halved.
fn for_detection(definition: Definition, halved: std::ops::Range<usize>) -> Definition {
    let row = |(index, op): (usize, &crate::slim::nets::mobilenet::Op)| {
        if halved.contains(&index) { op.halved() } else { *op }
    };
    let ops = definition.ops.iter().take(halved.end).enumerate().map(row).collect();
    Definition { ops, ..definition }
}
