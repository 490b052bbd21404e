//! The networks of the slim model library, one file for each family. To add a network, add a file here and a line to
//! `NETWORKS`.
//!
//! Source: `research/slim/nets` of github.com/tensorflow/models.

mod alexnet;
mod cifarnet;
mod convolutional_classifier;
mod facenet;
mod inception;
mod inception_resnet_v2;
mod inception_v1;
mod inception_v2;
mod inception_v3;
mod inception_v4;
mod lenet;
mod mobilenet;
mod mobilenet_v1;
mod mobilenet_v2;
mod mobilenet_v3;
mod nasnet;
mod nasnet_cell;
mod overfeat;
mod pnasnet;
mod resnet;
mod resnet_v1;
mod resnet_v2;
mod s3d;
mod vgg;
mod vggish;

use super::{ArgScope, ImageShape, NetworkBuilder, OptionSpec, Options};
use crate::graph::TensorRef;

/// A network of the library, or one that a TOML file describes (see [`super::toml_network`]).
pub struct Network {
    /// Its name in slim's `nets_factory`.
    pub name: &'static str,
    /// The variable scope it has by default.
    pub scope: &'static str,
    /// The height and width of the images that it was published with.
    pub image_size: [usize; 2],
    /// The name of the classifier's weights below the scope. Their last axis is the classes.
    pub logits: &'static str,
    /// The scope of the auxiliary classifier, if the network has one.
    pub aux_logits: Option<&'static str>,
    /// slim's name of the arg_scope that it is trained with.
    pub arg_scope_name: &'static str,
    /// That arg_scope.
    pub arg_scope: &'static (dyn Fn() -> ArgScope + Sync),
    /// The arguments of its function.
    pub options: &'static [OptionSpec],
    /// Builds the network from the images to the logits, or to the features if there are no classes.
    pub build: &'static BuildFunction,
}

/// A function that builds a network on the images and returns its output.
pub type BuildFunction = dyn Fn(&mut NetworkBuilder<'_>, TensorRef, &Options) -> TensorRef + Sync;

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("name", &self.name).finish_non_exhaustive()
    }
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
    &mobilenet_v1::MOBILENET_V1,
    &mobilenet_v2::MOBILENET_V2,
    &mobilenet_v3::MOBILENET_V3_LARGE,
    &mobilenet_v3::MOBILENET_V3_SMALL,
    &mobilenet_v3::MOBILENET_V3_LARGE_MINIMALISTIC,
    &mobilenet_v3::MOBILENET_V3_SMALL_MINIMALISTIC,
    &mobilenet_v3::MOBILENET_EDGETPU,
    &nasnet::NASNET_CIFAR,
    &nasnet::NASNET_MOBILE,
    &nasnet::NASNET_LARGE,
    &pnasnet::PNASNET_MOBILE,
    &pnasnet::PNASNET_LARGE,
    &facenet::INCEPTION_RESNET_V1,
    &facenet::INCEPTION_RESNET_V2,
    &facenet::SQUEEZENET,
    &vggish::VGGISH,
];

/// slim's other names for networks of [`NETWORKS`], with other defaults. The first element is the network's name.
const VARIANTS: &[(&str, &Network)] = &[
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_075),
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_050),
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_025),
    ("mobilenet_v2", &mobilenet_v2::MOBILENET_V2_140),
    ("mobilenet_v2", &mobilenet_v2::MOBILENET_V2_035),
    ("mobilenet_edgetpu", &mobilenet_v3::MOBILENET_EDGETPU_075),
];

/// All networks of the library, each followed by its variants.
pub fn networks() -> impl Iterator<Item = &'static Network> {
    NETWORKS.iter().flat_map(|network| std::iter::once(*network).chain(network.variants()))
}

impl Network {
    /// The variants of this network: slim's other names for it, with other defaults.
    pub fn variants(&self) -> impl Iterator<Item = &'static Network> {
        let name = self.name;
        VARIANTS.iter().filter(move |(network, _)| *network == name).map(|(_, variant)| *variant)
    }

    /// Images of the size that it was published with, in a batch of any size.
    pub fn default_images(&self, channels: usize) -> ImageShape {
        let [height, width] = self.image_size;
        ImageShape { batch: None, height, width, channels }
    }

    /// Whether this is a variant of another network.
    pub fn is_variant(&self) -> bool {
        VARIANTS.iter().any(|(_, variant)| variant.name == self.name)
    }
}

/// The network of this name; `-` counts as `_`.
pub fn find_network(name: &str) -> Option<&'static Network> {
    let name = name.replace('-', "_").to_lowercase();
    networks().find(|network| network.name == name)
}
