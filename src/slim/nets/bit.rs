//! BiT, Big Transfer: ResNet v2 with group norm and standardized filters (<https://arxiv.org/abs/1912.11370>).
//!
//! Source: `bit_tf2/models.py` and `bit_tf2/normalization.py` of github.com/google-research/big_transfer. Published archives of
//! NumPy hold the variables of the definition's first form, whose classifier is a convolution (`bit_pytorch/models.py`).

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::{Attr, TensorRef};
use crate::slim::arg_scope::VALID;
use crate::slim::options::NUM_CLASSES;
use crate::slim::{
    Arg, ArgScope, Counts, LayerName, NetworkBuilder, OptionSource, OptionSpec, Options, Value, Variables,
};

pub const BIT: LibraryNetwork = LibraryNetwork {
    name: "bit",
    scope: "resnet",
    // The features are averaged over the whole image, so that it may have any size.
    image_size: [0, 0],
    logits: "head/dense/kernel",
    aux_logits: None,
    arg_scope_name: "BiT's definition",
    arg_scope: ArgScope::new,
    options: &[
        OptionSpec {
            default: Value::Count(1000),
            source: OptionSource::ReadBy(|variables, root| {
                let names = HEADS.map(|head| format!("{root}{head}/kernel"));
                let kernel = names.iter().find_map(|name| variables.get(name));
                Some(Value::Count(kernel.and_then(|shape| shape.last()).copied().unwrap_or(0)))
            }),
            ..NUM_CLASSES
        },
        OptionSpec {
            name: Cow::Borrowed(NUM_UNITS),
            default: Value::Counts(Counts::new(&[3, 4, 6, 3])),
            source: OptionSource::ReadBy(read_units),
            help: "number of units of each block",
        },
        OptionSpec {
            name: Cow::Borrowed(FILTERS_FACTOR),
            default: Value::Count(4),
            source: OptionSource::ReadBy(|variables, root| {
                let filters = variables.get(&format!("{root}root_block/{CONV}/kernel"))?.last()?;
                Some(Value::Count(filters / 16))
            }),
            help: "a sixteenth of the number of channels of the first convolution",
        },
    ],
    build: Build::Images(bit),
};

const NUM_UNITS: &str = "num_units";
const FILTERS_FACTOR: &str = "filters_factor";

const DENSE_HEAD: &str = "head/dense";
const CONV_HEAD: &str = "head/conv2d";
const HEADS: [&str; 2] = [DENSE_HEAD, CONV_HEAD];

const CONV: &str = "standardized_conv2d";

/// Counts the units of each block.
fn read_units(variables: &Variables, root: &str) -> Option<Value> {
    let units = |block: usize| {
        let name = |unit: usize| format!("{root}block{block}/unit{unit:02}/a/{CONV}/kernel");
        (1..).take_while(|&unit| variables.contains_key(&name(unit))).count()
    };
    let units: Vec<usize> = (1..).map(units).take_while(|&units| units > 0).collect();
    (!units.is_empty()).then(|| Value::Counts(Counts::new(&units)))
}

/// How many layers without a name of their own have been built: Keras numbers them.
#[derive(Default)]
struct Numbers {
    relu: usize,
    padding: usize,
}

fn bit(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let mut numbers = Numbers::default();
    slim.variable_scope(&options.scope, |slim| {
        let filters = 16 * options.count(FILTERS_FACTOR);
        let mut net = root_block(slim, images, filters, &mut numbers);
        for (index, units) in options.counts(NUM_UNITS).into_iter().enumerate() {
            net = slim.variable_scope(&format!("block{}", index + 1), |slim| {
                (1..=units).fold(net, |net, unit| {
                    let stride = if index > 0 && unit == 1 { 2 } else { 1 };
                    slim.variable_scope(&format!("unit{unit:02}"), |slim| {
                        bottleneck(slim, net, filters << index, stride, &mut numbers)
                    })
                })
            });
            slim.scoped_end_point(&format!("block{}", index + 1), net);
            if slim.has_failed() {
                return net;
            }
        }
        net = normalized(slim, net, &mut numbers);
        let net = slim.name_scope("global_average_pooling2d", |slim| slim.mean_over_image(net, "Mean"));
        slim.end_point("global_average_pooling2d", net);
        head(slim, net, options.num_classes())
    })
}

fn root_block(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    filters: usize,
    numbers: &mut Numbers,
) -> TensorRef {
    slim.variable_scope("root_block", |slim| {
        let net = padded(slim, images, 7, numbers);
        let net = conv(slim, net, filters, 7, 2, CONV);
        let net = padded(slim, net, 3, numbers);
        slim.layers_max_pooling2d(net, 3, &[Arg::Stride(2), VALID])
    })
}

/// `BottleneckV2Unit`
fn bottleneck(
    slim: &mut NetworkBuilder<'_>,
    inputs: TensorRef,
    filters: usize,
    stride: usize,
    numbers: &mut Numbers,
) -> TensorRef {
    let net = slim.variable_scope("a", |slim| normalized(slim, inputs, numbers));
    let projects = stride > 1 || slim.channels(inputs) != 4 * filters;
    let shortcut = match projects {
        true => conv(slim, net, 4 * filters, 1, stride, "a/proj/standardized_conv2d"),
        false => inputs,
    };
    let net = conv(slim, net, filters, 1, 1, "a/standardized_conv2d");
    let net = slim.variable_scope("b", |slim| {
        let net = normalized(slim, net, numbers);
        let net = padded(slim, net, 3, numbers);
        conv(slim, net, filters, 3, stride, CONV)
    });
    let net = slim.variable_scope("c", |slim| {
        let net = normalized(slim, net, numbers);
        conv(slim, net, 4 * filters, 1, 1, CONV)
    });
    slim.sum(net, shortcut)
}

/// The classifier: a dense layer, or a convolution of the features as an image of one pixel.
fn head(slim: &mut NetworkBuilder<'_>, net: TensorRef, classes: usize) -> TensorRef {
    if classes == 0 {
        return net;
    }
    if !slim.stores("head/conv2d/kernel") {
        let logits = slim.layers_dense(net, classes, LayerName::Named(DENSE_HEAD), &[]);
        return slim.end_point("logits", logits);
    }
    let net = slim.expand_dims(net, 1);
    let net = slim.expand_dims(net, 1);
    let net = slim.layers_conv2d(net, classes, 1, LayerName::Named(CONV_HEAD), &[]);
    let logits = slim.spatial_squeeze(net, "Squeeze");
    slim.end_point("logits", logits)
}

/// Group norm and ReLU.
fn normalized(slim: &mut NetworkBuilder<'_>, net: TensorRef, numbers: &mut Numbers) -> TensorRef {
    let net = slim.group_normalization(net, 32, 1e-5, "group_norm");
    let name = numbered("re_lu", &mut numbers.relu);
    slim.name_scope(&name, |slim| slim.relu(net))
}

/// `PaddingFromKernelSize`
fn padded(slim: &mut NetworkBuilder<'_>, net: TensorRef, kernel: usize, numbers: &mut Numbers) -> TensorRef {
    let name = numbered("padding_from_kernel_size", &mut numbers.padding);
    slim.name_scope(&name, |slim| slim.fixed_padding(net, kernel, 1))
}

fn numbered(kind: &str, used: &mut usize) -> String {
    let name = if *used == 0 { kind.to_owned() } else { format!("{kind}_{used}") };
    *used += 1;
    name
}

/// `StandardizedConv2D`
fn conv(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    kernel: usize,
    stride: usize,
    name: &str,
) -> TensorRef {
    slim.variable_scope(name, |slim| {
        let channels = slim.channels(net);
        let kernel = slim.variable("kernel", &[kernel, kernel, channels, filters]);
        let kernel = slim.standardized(kernel);
        let stride = stride as i64;
        let attrs = [("strides", Attr::Ints(vec![1, stride, stride, 1])), ("padding", "VALID".into())];
        slim.op("StandardizedConv2D", "Conv2D", &[net, kernel], attrs)
    })
}
