//! The steps of a description. Each step is applied to the current tensor, which is the images at first.

use crate::slim::{Activation, Alignment, Arg, Interpolation, Layer, LocalResponseNormalization};

/// Defaults for the arguments of layers.
#[derive(Debug)]
pub struct Defaults {
    pub layers: Vec<Layer>,
    pub args: Vec<Arg>,
}

/// One step: its action, its scope, and the name of its result.
#[derive(Debug)]
pub struct Step {
    /// The line of the file that describes it.
    pub line: usize,
    pub action: Action,
    /// The scope of a layer, or the scope around a group, if it has one.
    pub scope: Option<String>,
    /// Defaults for the layers of a group.
    pub arg_scope: Vec<Defaults>,
    pub repeat: Option<Repeat>,
    pub condition: Option<Condition>,
    /// The end point that the step reads instead of the current tensor.
    pub from: Option<String>,
    /// Other names of variables inside it: slim's, and the name in the checkpoint.
    pub variable_names: Vec<(String, String)>,
    pub end_point: Option<String>,
    /// Whether the result is the output of the network.
    pub is_output: bool,
    /// The name of the result as an output of the model.
    pub model_output: Option<String>,
}

/// `slim.repeat`: the step is built `count` times, in the scopes `block_1`, `block_2` and so on.
#[derive(Debug)]
pub struct Repeat {
    pub count: usize,
    pub block: String,
}

/// The option that a step depends on, and the value that it has to have. A count other than 0 is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub option: String,
    pub expected: bool,
}

/// An operation on the current tensor.
#[derive(Debug)]
pub enum Action {
    Conv2d {
        num_outputs: Size,
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    /// The depthwise part of a separable convolution.
    DepthwiseConv2d {
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    SeparableConv2d {
        num_outputs: Size,
        kernel: KernelSize,
        depth_multiplier: usize,
        args: Vec<Arg>,
    },
    Conv2dTranspose {
        num_outputs: Size,
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    FullyConnected {
        num_outputs: Size,
        args: Vec<Arg>,
    },
    MaxPool2d {
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    AvgPool2d {
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    BatchNorm {
        args: Vec<Arg>,
    },
    Dropout,
    Flatten,
    Softmax,
    PlainSoftmax,
    SpatialSqueeze,
    SpatialMean {
        keeps_axes: bool,
    },
    L2Normalize {
        axis: Option<usize>,
        epsilon: f32,
    },
    Identity,
    /// The index of the largest channel.
    ArgMax,
    Resize {
        size: NewSize,
        interpolation: Interpolation,
        alignment: Alignment,
    },
    SpaceToDepth(usize),
    DepthToSpace(usize),
    /// The current tensor plus another one.
    Add(Operand),
    /// The current tensor times another one.
    Multiply(Operand),
    /// End points joined along the channels.
    Concat(Vec<String>),
    Activation(Option<Activation>),
    LocalResponseNormalization(LocalResponseNormalization),
    /// Zeros before and after rows and columns.
    Pad([usize; 2]),
    /// Steps in sequence.
    Layers {
        steps: Vec<Step>,
        reenter_scope: bool,
        /// A scope of the names of ops alone, around the steps.
        name_scope: Option<String>,
    },
    /// Parallel lists of steps, each with an optional scope. Their results are joined along the channels.
    Branches(Vec<(Option<String>, Vec<Step>)>),
    /// `shortcut + scale * steps`. An empty shortcut is the current tensor itself.
    Residual {
        steps: Vec<Step>,
        shortcut: Vec<Step>,
        scale: Option<f32>,
        activation: Option<Activation>,
        /// Whether the sum is `steps + shortcut`.
        shortcut_last: bool,
        /// The name of the op of the sum.
        name: Option<String>,
    },
    /// The current tensor times the result of the steps.
    Gate {
        steps: Vec<Step>,
        /// Whether the product is that of the steps and the current tensor.
        gate_first: bool,
    },
    /// Steps that do not change the current tensor.
    Aside(Vec<Step>),
    /// Steps of the auxiliary classifier, which do not change the current tensor.
    AuxLogits(Vec<Step>),
}

/// A tensor that another one is added to or multiplied with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Number(f32),
    EndPoint(String),
}

/// The height and width of resized images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewSize {
    Fixed([usize; 2]),
    /// That of the network's images divided by a number, rounded up.
    Images(usize),
    /// That of the current tensor times a number.
    Times(usize),
}

/// A number of channels.
#[derive(Debug, PartialEq, Eq)]
pub enum Size {
    /// A number.
    Fixed(usize),
    /// The value of an option.
    Option(String),
    /// `depth(N)`: scaled by the options depth_multiplier and min_depth.
    Depth(usize),
}

/// The size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelSize {
    Fixed([usize; 2]),
    WholeImage,
}

impl Action {
    /// The lists of steps inside a group.
    pub fn steps(&self) -> Vec<&[Step]> {
        match self {
            Self::Layers { steps, .. }
            | Self::Gate { steps, .. }
            | Self::Aside(steps)
            | Self::AuxLogits(steps) => vec![steps],
            Self::Branches(branches) => branches.iter().map(|(_, steps)| &steps[..]).collect(),
            Self::Residual { steps, shortcut, .. } => vec![shortcut, steps],
            _ => vec![],
        }
    }
}
