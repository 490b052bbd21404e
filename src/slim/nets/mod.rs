//! The networks of the slim model library, a family a file. A new network is a file here and a line in
//! [`NETWORKS`].
//!
//! Source: `research/slim/nets` of github.com/tensorflow/models.

mod alexnet;
mod cifarnet;
mod convolutional_classifier;
mod inception;
mod inception_resnet_v2;
mod inception_v1;
mod inception_v2;
mod inception_v3;
mod inception_v4;
mod lenet;
mod overfeat;
mod resnet;
mod resnet_v1;
mod resnet_v2;
mod s3d;
mod vgg;

use super::{ArgScope, Drawing, OptionSpec, Options};
use crate::graph::TensorRef;

/// A network of the library.
#[derive(Debug)]
pub struct Network {
    /// Its name in slim's `nets_factory`.
    pub name: &'static str,
    /// The variable scope it has by default.
    pub scope: &'static str,
    /// The height and width of the images that it was published with.
    pub image_size: usize,
    /// The classifier's weights below the scope; their last axis is the classes.
    pub logits: &'static str,
    /// The scope of the auxiliary classifier, where the network has one.
    pub aux_logits: Option<&'static str>,
    /// slim's name of the arg_scope that it is trained under.
    pub arg_scope_name: &'static str,
    /// That arg_scope.
    pub arg_scope: fn() -> ArgScope,
    /// The arguments its function takes.
    pub options: &'static [OptionSpec],
    /// Draws it from the images to the logits, or to the features where there are no classes.
    pub draw: fn(&mut Drawing<'_>, TensorRef, &Options) -> TensorRef,
}

const NETWORKS: &[&Network] = &[
    &lenet::LENET,
    &cifarnet::CIFARNET,
    &alexnet::ALEXNET_V2,
    &overfeat::OVERFEAT,
    &vgg::VGG_A,
    &vgg::VGG_16,
    &vgg::VGG_19,
    &inception_v1::INCEPTION_V1,
    &inception_v2::INCEPTION_V2,
    &inception_v3::INCEPTION_V3,
    &inception_v4::INCEPTION_V4,
    &inception_resnet_v2::INCEPTION_RESNET_V2,
    &resnet_v1::RESNET_V1_50,
    &resnet_v1::RESNET_V1_101,
    &resnet_v1::RESNET_V1_152,
    &resnet_v1::RESNET_V1_200,
    &resnet_v2::RESNET_V2_50,
    &resnet_v2::RESNET_V2_101,
    &resnet_v2::RESNET_V2_152,
    &resnet_v2::RESNET_V2_200,
    &s3d::I3D,
    &s3d::S3DG,
];

/// All networks of the library.
pub fn networks() -> impl Iterator<Item = &'static Network> {
    NETWORKS.iter().copied()
}

/// The network of this name; `-` counts as `_`.
pub fn find_network(name: &str) -> Option<&'static Network> {
    let name = name.replace('-', "_").to_lowercase();
    networks().find(|network| network.name == name)
}
