//! Inception v1 of videos: I3D (<https://arxiv.org/abs/1705.07750>), its filters inflated along time, and S3D-G
//! (<https://arxiv.org/abs/1712.04851>), its filters separated into space and time and its features gated.
//!
//! Source: `research/slim/nets/i3d.py`, `s3dg.py` and `i3d_utils.py`.

use std::borrow::Cow;

use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME};
use crate::slim::options::{DEPTH_MULTIPLIER, FRAMES, MIN_DEPTH, NUM_CLASSES, SPATIAL_SQUEEZE};
use crate::slim::{
    Activation, Arg, ArgScope, Layer, NetworkBuilder, Normalizer, OptionSource, OptionSpec, Options, Value,
    Variables,
};

pub const I3D: LibraryNetwork = LibraryNetwork {
    name: "i3d",
    scope: "InceptionV1",
    image_size: [224, 224],
    logits: "Logits/Conv2d_0c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "i3d_arg_scope",
    arg_scope,
    options: &[NUM_CLASSES, FRAMES, SPATIAL_SQUEEZE],
    build: Build::Images(|slim, videos, options| build(slim, videos, &Form::I3D, options)),
};

pub const S3DG: LibraryNetwork = LibraryNetwork {
    name: "s3dg",
    arg_scope_name: "s3dg_arg_scope",
    options: &[
        NUM_CLASSES,
        FRAMES,
        SPATIAL_SQUEEZE,
        FIRST_TEMPORAL_KERNEL_SIZE,
        TEMPORAL_CONV_STARTAT,
        GATING_STARTAT,
        DEPTH_MULTIPLIER,
        MIN_DEPTH,
    ],
    build: Build::Images(|slim, videos, options| {
        let form = Form {
            first_temporal_kernel_size: options.count(&FIRST_TEMPORAL_KERNEL_SIZE.name),
            temporal_conv_startat: options.choice(&TEMPORAL_CONV_STARTAT.name),
            gating_startat: options.choice(&GATING_STARTAT.name),
            is_separable: true,
        };
        build(slim, videos, &form, options)
    }),
    ..I3D
};

/// The blocks from which filters can extend along time, or features can be gated; `None` is after all of them.
const BLOCKS: &[&str] = &[
    "Conv2d_2c_3x3",
    "Mixed_3b",
    "Mixed_3c",
    "Mixed_4b",
    "Mixed_4c",
    "Mixed_4d",
    "Mixed_4e",
    "Mixed_4f",
    "Mixed_5b",
    "Mixed_5c",
    "None",
];

const FIRST_TEMPORAL_KERNEL_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("first_temporal_kernel_size"),
    default: Value::Count(3),
    source: OptionSource::ReadBy(|variables, root| {
        let shape = variables.get(&format!("{root}Conv2d_1a_7x7/weights"))?;
        shape.first().map(|&frames| Value::Count(frames))
    }),
    help: "frames that the first filter covers",
};

const TEMPORAL_CONV_STARTAT: OptionSpec = OptionSpec {
    name: Cow::Borrowed("temporal_conv_startat"),
    default: Value::Choice(BLOCKS[0], BLOCKS),
    source: OptionSource::ReadBy(|variables, root| first_block_with("temporal/weights", variables, root)),
    help: "first block whose filters extend along time",
};

const GATING_STARTAT: OptionSpec = OptionSpec {
    name: Cow::Borrowed("gating_startat"),
    default: Value::Choice(BLOCKS[0], BLOCKS),
    source: OptionSource::ReadBy(|variables, root| {
        first_block_with("self_gating/transformer_W/weights", variables, root)
    }),
    help: "first block whose features are gated",
};

/// The first block that has a variable of this name in one of its layers.
fn first_block_with(name: &str, variables: &Variables, root: &str) -> Option<Value> {
    let holds = |block: &&&str| {
        let scope = format!("{root}{block}/");
        let below = variables.range(scope.clone()..).take_while(|(path, _)| path.starts_with(&scope));
        below.into_iter().any(|(path, _)| path.ends_with(name))
    };
    let first = BLOCKS.iter().find(holds).or(BLOCKS.last())?;
    Some(Value::Choice(first, BLOCKS))
}

/// `i3d_arg_scope` and `s3dg_arg_scope`: batch norm without gamma after every convolution, as separate ops.
fn arg_scope() -> ArgScope {
    let batch_norm_params = vec![Arg::Decay(0.999), Arg::Epsilon(0.001), Arg::Fused(false)];
    ArgScope::new().nested(
        &[Layer::Conv3d],
        &[
            Arg::ActivationFn(Some(Activation::Relu)),
            Arg::NormalizerFn(Some(Normalizer::BatchNorm)),
            Arg::NormalizerParams(batch_norm_params),
        ],
    )
}

/// The differences between the video networks.
struct Form {
    first_temporal_kernel_size: usize,
    temporal_conv_startat: &'static str,
    gating_startat: &'static str,
    /// Whether filters are separated into space and time.
    is_separable: bool,
}

impl Form {
    const I3D: Self = Self {
        first_temporal_kernel_size: 7,
        temporal_conv_startat: BLOCKS[0],
        gating_startat: "None",
        is_separable: false,
    };

    /// How the layers of a block are built.
    fn of_block(&self, block: &str) -> BlockForm {
        let index = |block: &str| BLOCKS.iter().position(|known| *known == block).unwrap_or(BLOCKS.len());
        let is_temporal = index(self.temporal_conv_startat) <= index(block);
        BlockForm {
            temporal_kernel_size: if is_temporal { 3 } else { 1 },
            is_gated: index(self.gating_startat) <= index(block),
            is_separable: self.is_separable,
        }
    }
}

#[derive(Clone, Copy)]
struct BlockForm {
    temporal_kernel_size: usize,
    is_gated: bool,
    is_separable: bool,
}

fn build(slim: &mut NetworkBuilder<'_>, videos: TensorRef, form: &Form, options: &Options) -> TensorRef {
    slim.variable_scope(&options.scope, |slim| {
        let net = slim.reenter_scope(|slim| {
            slim.arg_scope(&[Layer::Conv3d, Layer::MaxPool3d], &[Arg::Stride(1), SAME], |slim| {
                base(slim, videos, form, options)
            })
        });
        slim.variable_scope("Logits", |slim| logits(slim, net, options))
    })
}

fn base(slim: &mut NetworkBuilder<'_>, videos: TensorRef, form: &Form, options: &Options) -> TensorRef {
    let depth = |depth| options.depth(depth);
    let kernel = [form.first_temporal_kernel_size, 7, 7];
    let net = slim.conv3d(videos, depth(64), kernel, "Conv2d_1a_7x7", &[Arg::Stride(2)]);
    slim.end_point("Conv2d_1a_7x7", net);
    let net = max_pool_end_point(slim, net, [1, 3, 3], [1, 2, 2], "MaxPool_2a_3x3");
    let net = slim.conv3d(net, depth(64), [1, 1, 1], "Conv2d_2b_1x1", &[]);
    slim.end_point("Conv2d_2b_1x1", net);
    let net = conv3d_spatiotemporal(slim, net, depth(192), "Conv2d_2c_3x3", form.of_block("Conv2d_2c_3x3"));
    slim.end_point("Conv2d_2c_3x3", net);
    let net = max_pool_end_point(slim, net, [1, 3, 3], [1, 2, 2], "MaxPool_3a_3x3");

    let mixed = |slim: &mut NetworkBuilder<'_>,
                 net,
                 scope: &str,
                 pointwise,
                 branch_1: [usize; 2],
                 branch_2: [usize; 2],
                 pool| {
        let depths = Depths {
            pointwise: depth(pointwise),
            branch_1: branch_1.map(depth),
            branch_2: branch_2.map(depth),
            pool: depth(pool),
        };
        inception_block(slim, net, scope, depths, form.of_block(scope))
    };
    let net = mixed(slim, net, "Mixed_3b", 64, [96, 128], [16, 32], 32);
    let net = mixed(slim, net, "Mixed_3c", 128, [128, 192], [32, 96], 64);
    let net = max_pool_end_point(slim, net, [3, 3, 3], [2, 2, 2], "MaxPool_4a_3x3");
    let net = mixed(slim, net, "Mixed_4b", 192, [96, 208], [16, 48], 64);
    let net = mixed(slim, net, "Mixed_4c", 160, [112, 224], [24, 64], 64);
    let net = mixed(slim, net, "Mixed_4d", 128, [128, 256], [24, 64], 64);
    let net = mixed(slim, net, "Mixed_4e", 112, [144, 288], [32, 64], 64);
    let net = mixed(slim, net, "Mixed_4f", 256, [160, 320], [32, 128], 128);
    let net = max_pool_end_point(slim, net, [2, 2, 2], [2, 2, 2], "MaxPool_5a_2x2");
    let net = mixed(slim, net, "Mixed_5b", 256, [160, 320], [32, 128], 128);
    mixed(slim, net, "Mixed_5c", 384, [192, 384], [48, 128], 128)
}

fn max_pool_end_point(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    kernel: [usize; 3],
    stride: [usize; 3],
    scope: &str,
) -> TensorRef {
    let net = slim.max_pool3d(net, kernel, scope, &[Arg::Stride3d(stride)]);
    slim.end_point(scope, net)
}

/// The channels of the branches of a block.
struct Depths {
    pointwise: usize,
    branch_1: [usize; 2],
    branch_2: [usize; 2],
    pool: usize,
}

/// `inception_block_v1_3d`: the branches of an Inception v1 module, each gated at its end.
fn inception_block(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    scope: &str,
    depths: Depths,
    form: BlockForm,
) -> TensorRef {
    let net = slim.variable_scope(scope, |slim| {
        let branch_0 = slim
            .variable_scope("Branch_0", |slim| pointwise(slim, net, depths.pointwise, "Conv2d_0a_1x1", form));
        let [branch_1, branch_2] = [("Branch_1", depths.branch_1), ("Branch_2", depths.branch_2)].map(
            |(scope, [bottleneck, depth])| {
                slim.variable_scope(scope, |slim| {
                    let net = slim.conv3d(net, bottleneck, [1, 1, 1], "Conv2d_0a_1x1", &[]);
                    conv3d_spatiotemporal(slim, net, depth, "Conv2d_0b_3x3", form)
                })
            },
        );
        let branch_3 = slim.variable_scope("Branch_3", |slim| {
            let net = slim.max_pool3d(net, [3, 3, 3], "MaxPool_0a_3x3", &[]);
            pointwise(slim, net, depths.pool, "Conv2d_0b_1x1", form)
        });
        slim.concat(&[branch_0, branch_1, branch_2, branch_3])
    });
    slim.end_point(scope, net)
}

fn pointwise(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    scope: &str,
    form: BlockForm,
) -> TensorRef {
    let net = slim.conv3d(net, depth, [1, 1, 1], scope, &[]);
    gated(slim, net, scope, form)
}

/// A 3x3 convolution along space and time: at once, or first along space and then, without batch norm, along time.
fn conv3d_spatiotemporal(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    scope: &str,
    form: BlockForm,
) -> TensorRef {
    let frames = form.temporal_kernel_size;
    let net = if form.is_separable && frames > 1 {
        let net = slim.conv3d(net, depth, [1, 3, 3], scope, &[]);
        slim.conv3d(net, depth, [frames, 1, 1], &format!("{scope}/temporal"), &[NO_NORMALIZER])
    } else {
        slim.conv3d(net, depth, [frames, 3, 3], scope, &[])
    };
    gated(slim, net, scope, form)
}

/// `self_gating`: weights each channel by a function of the averages of all channels over the video.
///
/// slim confuses the window's width and height, so that it supports square images only. This function supports any.
fn gated(slim: &mut NetworkBuilder<'_>, net: TensorRef, scope: &str, form: BlockForm) -> TensorRef {
    let (true, Some(volume)) = (form.is_gated, slim.volume(net)) else { return net };
    let pool = format!("{scope}/self_gating/avg_pool3d");
    let average = slim.avg_pool3d(net, volume, &pool, &[Arg::Stride(1)]);
    let transformer = format!("{scope}/self_gating/transformer_W");
    let channels = slim.channels(net);
    let args = [NO_ACTIVATION, NO_NORMALIZER, Arg::BiasesInitializer(false)];
    let weights = slim.conv3d(average, channels, [1, 1, 1], &transformer, &args);
    let [frames, height, width] = volume;
    let weights = slim.tile(weights, &[1, frames, height, width, 1]);
    let weights = slim.sigmoid(weights);
    slim.multiply(weights, net)
}

/// Pooling over the whole features, the classifier, and the mean over time.
fn logits(slim: &mut NetworkBuilder<'_>, net: TensorRef, options: &Options) -> TensorRef {
    let window = [2, 7, 7];
    let kernel =
        slim.volume(net).map_or(window, |volume| [0, 1, 2].map(|axis| window[axis].min(volume[axis])));
    let net = slim.avg_pool3d(net, kernel, "AvgPool_0a_7x7", &[Arg::Stride(1)]);
    if options.num_classes() == 0 {
        return net;
    }
    let net = slim.dropout(net, "Dropout_0b");
    let args = [NO_ACTIVATION, NO_NORMALIZER];
    let net = slim.conv3d(net, options.num_classes(), [1, 1, 1], "Conv2d_0c_1x1", &args);
    let mut net = slim.mean(net, 1);
    if options.flag(&SPATIAL_SQUEEZE.name) {
        net = slim.spatial_squeeze(net, "SpatialSqueeze");
    }
    slim.end_point("Logits", net);
    let predictions = slim.softmax(net, "Predictions");
    slim.end_point("Predictions", predictions);
    net
}
