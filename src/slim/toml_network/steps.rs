//! The steps of a description. Each step is applied to the current tensor, which is the images at first.

use crate::slim::{Activation, Arg, Layer, LocalResponseNormalization};

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
    pub end_point: Option<String>,
    /// Whether the result is the output of the network.
    pub is_output: bool,
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
    SpatialMean,
    Activation(Option<Activation>),
    LocalResponseNormalization(LocalResponseNormalization),
    /// Zeros before and after rows and columns.
    Pad([usize; 2]),
    /// Steps in sequence.
    Layers {
        steps: Vec<Step>,
        reenter_scope: bool,
    },
    /// Parallel lists of steps, each with an optional scope. Their results are joined along the channels.
    Branches(Vec<(Option<String>, Vec<Step>)>),
    /// `shortcut + scale * steps`. An empty shortcut is the current tensor itself.
    Residual {
        steps: Vec<Step>,
        shortcut: Vec<Step>,
        scale: Option<f32>,
        activation: Option<Activation>,
    },
    /// Steps that do not change the current tensor.
    Aside(Vec<Step>),
    /// Steps of the auxiliary classifier, which do not change the current tensor.
    AuxLogits(Vec<Step>),
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
            Self::Layers { steps, .. } | Self::Aside(steps) | Self::AuxLogits(steps) => vec![steps],
            Self::Branches(branches) => branches.iter().map(|(_, steps)| &steps[..]).collect(),
            Self::Residual { steps, shortcut, .. } => vec![shortcut, steps],
            _ => vec![],
        }
    }
}
