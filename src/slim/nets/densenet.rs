//! DenseNet: every layer reads the outputs of all layers before it in its block (<https://arxiv.org/abs/1608.06993>).
//!
//! Source: `nets/densenet.py` of github.com/pudae/tensorflow-densenet. DenseNet-201 is not in that file; its numbers of layers are those of
//! the paper.

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{COLLECTED, NO_ACTIVATION, NO_BIASES, SAME};
use crate::slim::options::NUM_CLASSES;
use crate::slim::{
    Arg, Arg::Stride, ArgScope, Layer, NetworkBuilder, OptionSource, OptionSpec, Options, UNNAMED, Value,
};

pub const DENSENET121: LibraryNetwork = LibraryNetwork {
    name: "densenet121",
    scope: "densenet121",
    // The features are averaged over the whole image, so that it may have any size.
    image_size: [0, 0],
    logits: "logits/weights",
    aux_logits: None,
    arg_scope_name: "densenet_arg_scope",
    arg_scope,
    options: &options(32, 64),
    build: Build::Images(|slim, images, options| densenet(slim, images, [6, 12, 24, 16], options)),
};
pub const DENSENET161: LibraryNetwork = LibraryNetwork {
    name: "densenet161",
    scope: "densenet161",
    options: &options(48, 96),
    build: Build::Images(|slim, images, options| densenet(slim, images, [6, 12, 36, 24], options)),
    ..DENSENET121
};
pub const DENSENET169: LibraryNetwork = LibraryNetwork {
    name: "densenet169",
    scope: "densenet169",
    build: Build::Images(|slim, images, options| densenet(slim, images, [6, 12, 32, 32], options)),
    ..DENSENET121
};
pub const DENSENET201: LibraryNetwork = LibraryNetwork {
    name: "densenet201",
    scope: "densenet201",
    build: Build::Images(|slim, images, options| densenet(slim, images, [6, 12, 48, 32], options)),
    ..DENSENET121
};

const fn options(growth_rate: usize, num_filters: usize) -> [OptionSpec; 4] {
    [
        OptionSpec { default: Value::Count(1000), ..NUM_CLASSES },
        OptionSpec {
            name: Cow::Borrowed(GROWTH_RATE),
            default: Value::Count(growth_rate),
            source: OptionSource::ReadBy(|variables, root| {
                let last =
                    variables.get(&format!("{root}dense_block1/conv_block1/x2/Conv/weights"))?.last()?;
                Some(Value::Count(*last))
            }),
            help: "number of channels that each layer adds",
        },
        OptionSpec {
            name: Cow::Borrowed(NUM_FILTERS),
            default: Value::Count(num_filters),
            source: OptionSource::ReadBy(|variables, root| {
                Some(Value::Count(*variables.get(&format!("{root}conv1/weights"))?.last()?))
            }),
            help: "number of channels of the first convolution",
        },
        OptionSpec {
            name: Cow::Borrowed(REDUCTION),
            default: Value::Number(0.5),
            source: OptionSource::ReadBy(|variables, root| {
                let weights = variables.get(&format!("{root}transition_block1/blk/Conv/weights"))?;
                let [.., before, after] = weights[..] else { return None };
                Some(Value::Number(1.0 - after as f64 / before as f64))
            }),
            help: "share of the channels that is left out between blocks",
        },
    ]
}

const GROWTH_RATE: &str = "growth_rate";
const NUM_FILTERS: &str = "num_filters";
const REDUCTION: &str = "reduction";

fn arg_scope() -> ArgScope {
    ArgScope::new()
        .nested(&[Layer::Conv2d], &[NO_ACTIVATION, NO_BIASES])
        .nested(&[Layer::BatchNorm], &[Arg::Scale(true), Arg::Decay(0.99), Arg::Epsilon(1.1e-5)])
}

fn densenet(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    num_layers: [usize; 4],
    options: &Options,
) -> TensorRef {
    let growth_rate = options.count(GROWTH_RATE);
    slim.variable_scope(&options.scope, |slim| {
        slim.arg_scope(&[Layer::Conv2d], &[COLLECTED], |slim| {
            let net = slim.conv2d(images, options.count(NUM_FILTERS), 7, "conv1", &[Stride(2)]);
            let net = slim.batch_norm(net, &[]);
            let net = slim.relu(net);
            let mut net = slim.max_pool2d(net, 3, "MaxPool2D", &[Stride(2), SAME]);
            for (number, layers) in (1..).zip(num_layers) {
                net = dense_block(slim, net, layers, growth_rate, number);
                if number < num_layers.len() {
                    net = transition_block(slim, net, 1.0 - options.number(REDUCTION), number);
                }
            }
            let net = slim.variable_scope("final_block", |slim| {
                let net = slim.batch_norm(net, &[]);
                let net = slim.relu(net);
                slim.variable_scope("global_avg_pool", |slim| slim.spatial_mean(net, "Mean"))
            });
            match options.num_classes() {
                0 => net,
                classes => {
                    let biases = Arg::BiasesInitializer(true);
                    let logits = slim.conv2d(net, classes, 1, "logits", &[biases]);
                    let predictions = slim.softmax(logits, "predictions");
                    slim.end_point("predictions", predictions);
                    logits
                }
            }
        })
    })
}

/// Layers that each read the block's input and the outputs of all layers before.
fn dense_block(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    layers: usize,
    growth_rate: usize,
    number: usize,
) -> TensorRef {
    slim.variable_scope(&format!("dense_block{number}"), |slim| {
        let net = (1..=layers).fold(net, |net, layer| {
            slim.variable_scope(&format!("conv_block{layer}"), |slim| {
                let new = conv(slim, net, 4 * growth_rate, 1, "x1");
                let new = conv(slim, new, growth_rate, 3, "x2");
                let net = slim.concat(&[net, new]);
                slim.scoped_end_point("", net)
            })
        });
        slim.scoped_end_point("", net)
    })
}

/// Reduces the channels to `compression` of them, and halves the size of the image.
fn transition_block(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    compression: f64,
    number: usize,
) -> TensorRef {
    slim.variable_scope(&format!("transition_block{number}"), |slim| {
        let channels = (slim.channels(net) as f64 * compression) as usize;
        let net = conv(slim, net, channels, 1, "blk");
        let net = slim.avg_pool2d(net, 2, "AvgPool2D", &[]);
        slim.scoped_end_point("", net)
    })
}

/// Batch norm, ReLU, convolution.
fn conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    num_filters: usize,
    kernel: usize,
    scope: &str,
) -> TensorRef {
    slim.variable_scope(scope, |slim| {
        let net = slim.batch_norm(net, &[]);
        let net = slim.relu(net);
        let net = slim.conv2d(net, num_filters, kernel, UNNAMED, &[]);
        slim.scoped_end_point("", net)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slim::{Network, Overrides, Variables, build, recognize};

    #[test]
    fn growth_width_and_reduction_are_read_from_the_variables() {
        let network = Network::from(&DENSENET121);
        let mut options = Options::defaults(&network.options, &network.scope);
        for (name, value) in [(GROWTH_RATE, "12"), (NUM_FILTERS, "24"), (REDUCTION, "0.25")] {
            options.set_from_text(name, value).unwrap();
        }
        let built = build(&network, "", &options, &network.default_images(3), &Variables::new()).unwrap();
        let variables = built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
        let recognized = recognize(&variables, Overrides::default()).unwrap();
        assert_eq!(recognized.network.name, "densenet121");
        assert_eq!(recognized.found, recognized.expected);
        assert_eq!((recognized.options.count(GROWTH_RATE), recognized.options.count(NUM_FILTERS)), (12, 24));
        assert!((recognized.options.number(REDUCTION) - 0.25).abs() < 1e-9);
    }
}
