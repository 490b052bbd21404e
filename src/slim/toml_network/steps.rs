//! What a description says: steps on the current tensor, which is the images at first.

use crate::slim::{Activation, Arg, Layer, LocalResponseNormalization};

/// Defaults for the arguments of layers.
#[derive(Debug)]
pub struct Defaults {
    pub layers: Vec<Layer>,
    pub args: Vec<Arg>,
}

/// One step: what is done, in which scope, and what its result is known as.
#[derive(Debug)]
pub struct Step {
    /// The line of the file that describes it.
    pub line: usize,
    pub action: Action,
    /// The scope of a layer; the scope around a group, where it has one.
    pub scope: Option<String>,
    /// Defaults for the layers of a group.
    pub arg_scope: Vec<Defaults>,
    pub repeat: Option<Repeat>,
    pub condition: Option<Condition>,
    pub end_point: Option<String>,
    /// Whether the result is what the network returns.
    pub is_output: bool,
}

/// `slim.repeat`: the step is built `count` times, in the scopes `block_1`, `block_2` and so on.
#[derive(Debug)]
pub struct Repeat {
    pub count: usize,
    pub block: String,
}

/// The option that a step depends on; a count is true where it is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub option: String,
    pub holds_when: bool,
}

/// What is done with the current tensor.
#[derive(Debug)]
pub enum Action {
    Conv2d {
        num_outputs: Size,
        kernel: KernelSize,
        args: Vec<Arg>,
    },
    /// The depthwise half of a separable convolution.
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
    /// Steps one after the other.
    Layers {
        steps: Vec<Step>,
        reenter_scope: bool,
    },
    /// Steps side by side, each in a scope of its own where it has one, joined along the channels.
    Branches(Vec<(Option<String>, Vec<Step>)>),
    /// `shortcut + scale * steps`; an empty shortcut is the current tensor itself.
    Residual {
        steps: Vec<Step>,
        shortcut: Vec<Step>,
        scale: Option<f32>,
        activation: Option<Activation>,
    },
    /// Steps that leave the current tensor what it was.
    Aside(Vec<Step>),
    /// Steps aside that are the classifier of training.
    AuxLogits(Vec<Step>),
}

/// A number of channels.
#[derive(Debug, PartialEq, Eq)]
pub enum Size {
    /// As it stands.
    Fixed(usize),
    /// The value of an option.
    Option(String),
    /// `depth(N)`: under the options depth_multiplier and min_depth.
    Depth(usize),
}

/// The size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelSize {
    Fixed([usize; 2]),
    WholeImage,
}

impl Action {
    /// The lists of steps that it consists of.
    pub fn steps(&self) -> Vec<&[Step]> {
        match self {
            Self::Layers { steps, .. } | Self::Aside(steps) | Self::AuxLogits(steps) => vec![steps],
            Self::Branches(branches) => branches.iter().map(|(_, steps)| &steps[..]).collect(),
            Self::Residual { steps, shortcut, .. } => vec![shortcut, steps],
            _ => vec![],
        }
    }
}
