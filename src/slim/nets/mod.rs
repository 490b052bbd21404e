//! The networks of the slim model library, and others that were published as checkpoints, one file for each family. To add a network,
//! add a file here and a line to `NETWORKS`.
//!
//! Source: `research/slim/nets` of github.com/tensorflow/models, unless a file names another one.

mod alexnet;
mod attention_ocr;
mod bit;
mod cifarnet;
mod convolutional_classifier;
mod deeplab;
mod delf;
mod densenet;
mod detection;
mod east;
mod efficientnet;
mod facenet;
mod i3d;
mod im2txt;
mod inception;
mod inception_resnet_v2;
mod inception_v1;
mod inception_v2;
mod inception_v3;
mod inception_v4;
mod lenet;
mod mnasnet;
mod mobilefacenet;
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
mod simclr;
mod transformers;
mod vgg;
mod vggish;
mod yamnet;

use std::sync::{Arc, LazyLock};

use super::network::{Definition, Network, NetworkInput};
use super::{ArgScope, ImageShape, NetworkBuilder, OptionSpec, Options, Variables};
use crate::error::Result;
use crate::graph::TensorRef;

/// A network as its file defines it. The fields are those of [`Network`].
struct LibraryNetwork {
    name: &'static str,
    scope: &'static str,
    image_size: [usize; 2],
    logits: &'static str,
    aux_logits: Option<&'static str>,
    arg_scope_name: &'static str,
    arg_scope: fn() -> ArgScope,
    options: &'static [OptionSpec],
    build: Build,
}

/// A function that builds a network on images, videos or spectrograms.
type BuildFunction = fn(&mut NetworkBuilder<'_>, TensorRef, &Options) -> TensorRef;

/// How a network is built. The functions return the logits, or the features if there are no classes.
#[derive(Clone, Copy)]
enum Build {
    /// From images, videos or spectrograms.
    Images(BuildFunction),
    /// From other inputs.
    Inputs {
        /// See [`Definition::inputs`].
        inputs: fn(&Options, &ImageShape) -> Vec<NetworkInput>,
        /// See [`Definition::check`].
        check: fn(&Options, &Variables) -> Result<()>,
        build: fn(&mut NetworkBuilder<'_>, &[TensorRef], &Options) -> TensorRef,
    },
}

impl Definition for &'static LibraryNetwork {
    fn arg_scope(&self) -> ArgScope {
        (self.arg_scope)()
    }

    fn inputs(&self, options: &Options, image: &ImageShape) -> Vec<NetworkInput> {
        match self.build {
            Build::Images(_) => vec![NetworkInput::images(options.input_shape(image))],
            Build::Inputs { inputs, .. } => inputs(options, image),
        }
    }

    fn check(&self, options: &Options, variables: &Variables) -> Result<()> {
        match self.build {
            Build::Images(_) => Ok(()),
            Build::Inputs { check, .. } => check(options, variables),
        }
    }

    fn build(&self, slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
        match self.build {
            Build::Images(build) => build(slim, inputs[0], options),
            Build::Inputs { build, .. } => build(slim, inputs, options),
        }
    }
}

const NETWORKS: &[&LibraryNetwork] = &[
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
    &im2txt::IM2TXT,
    &attention_ocr::ATTENTION_OCR,
    &transformers::BERT,
    &transformers::ALBERT,
    &transformers::ELECTRA,
    &transformers::MOBILEBERT,
    &delf::DELF,
    &east::EAST,
    &deeplab::XCEPTION_41,
    &deeplab::XCEPTION_65,
    &deeplab::XCEPTION_71,
    &deeplab::RESNET_V1_18,
    &deeplab::RESNET_V1_18_BETA,
    &deeplab::RESNET_V1_50,
    &deeplab::RESNET_V1_50_BETA,
    &deeplab::RESNET_V1_101,
    &deeplab::RESNET_V1_101_BETA,
    &deeplab::MOBILENET_V2,
    &deeplab::MOBILENET_V3_LARGE_SEG,
    &deeplab::MOBILENET_V3_SMALL_SEG,
    &deeplab::MOBILENET_EDGETPU,
    &i3d::INCEPTION_I3D,
    &mobilefacenet::MOBILEFACENET,
    &yamnet::YAMNET,
    &simclr::SIMCLR,
    &bit::BIT,
    &densenet::DENSENET121,
    &densenet::DENSENET161,
    &densenet::DENSENET169,
    &densenet::DENSENET201,
    &detection::SSD,
    &detection::FASTER_RCNN,
];

/// All networks: [`NETWORKS`], and families that have a list of their own.
const FAMILIES: &[&[&LibraryNetwork]] = &[NETWORKS, efficientnet::EFFICIENTNETS, mnasnet::MNASNETS];

/// slim's other names for networks of [`NETWORKS`], with other defaults. The first element is the network's name.
const VARIANTS: &[(&str, &LibraryNetwork)] = &[
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_075),
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_050),
    ("mobilenet_v1", &mobilenet_v1::MOBILENET_V1_025),
    ("mobilenet_v2", &mobilenet_v2::MOBILENET_V2_140),
    ("mobilenet_v2", &mobilenet_v2::MOBILENET_V2_035),
    ("mobilenet_edgetpu", &mobilenet_v3::MOBILENET_EDGETPU_075),
];

/// The networks of [`FAMILIES`], each followed by its variants.
static LIBRARY: LazyLock<Vec<Arc<Network>>> = LazyLock::new(|| {
    let networks = FAMILIES.iter().copied().flatten();
    let all = networks.flat_map(|network| std::iter::once(*network).chain(variants_of(network.name)));
    all.map(|network| Arc::new(Network::from(network))).collect()
});

fn variants_of(name: &str) -> impl Iterator<Item = &'static LibraryNetwork> {
    VARIANTS.iter().filter(move |(network, _)| *network == name).map(|(_, variant)| *variant)
}

impl From<&'static LibraryNetwork> for Network {
    fn from(library: &'static LibraryNetwork) -> Self {
        Self {
            name: library.name.to_owned(),
            scope: library.scope.to_owned(),
            image_size: library.image_size,
            logits: library.logits.to_owned(),
            aux_logits: library.aux_logits.map(str::to_owned),
            arg_scope_name: library.arg_scope_name.to_owned(),
            options: library.options.into(),
            definition: Box::new(library),
        }
    }
}

/// All networks of the library, each followed by its variants.
pub fn networks() -> impl Iterator<Item = &'static Arc<Network>> {
    LIBRARY.iter()
}

impl Network {
    /// The variants of this network: slim's other names for it, with other defaults.
    pub fn variants(&self) -> impl Iterator<Item = &'static Arc<Self>> {
        variants_of(&self.name).filter_map(|variant| find_network(variant.name))
    }

    /// Whether this is a variant of another network.
    pub fn is_variant(&self) -> bool {
        VARIANTS.iter().any(|(_, variant)| variant.name == self.name)
    }
}

/// The network of this name; `-` counts as `_`.
pub fn find_network(name: &str) -> Option<&'static Arc<Network>> {
    let name = name.replace('-', "_").to_lowercase();
    networks().find(|network| network.name == name)
}
