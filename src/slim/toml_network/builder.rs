//! Builds a described network with slim's layers.

use super::Description;
use super::options::MAX_OUTPUTS;
use super::steps::{Action, Condition, KernelSize, Size, Step};
use super::tensors;
use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::{ArgScope, NetworkBuilder, Options};
use crate::tensor::DType;

/// The most elements of a tensor for one image, so that products and sums of lengths do not overflow. Recognition builds
/// networks with a million channels to see which layers follow the depth multiplier: the limit allows 4096 by 4096
/// pixels even then.
const MAX_ELEMENTS: usize = 1 << 44;

/// The end point that the network returns if no step is marked as the output.
const LOGITS: &str = "Logits";

/// The arg_scope of the whole network.
pub fn arg_scope(description: &Description) -> ArgScope {
    let nested =
        |scope: ArgScope, defaults: &super::steps::Defaults| scope.nested(&defaults.layers, &defaults.args);
    description.arg_scope.iter().fold(ArgScope::new(), nested)
}

/// Builds the network on the images and returns its output.
pub fn build(
    description: &Description,
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
) -> TensorRef {
    let mut builder = StepBuilder { description, options, images, output: None, logits: None };
    slim.variable_names.clone_from(&description.variable_names);
    let net = match options.scope.as_str() {
        "" => builder.steps(slim, images, &description.steps),
        scope => slim.variable_scope(scope, |slim| builder.steps(slim, images, &description.steps)),
    };
    slim.variable_names.clear();
    builder.output.or(builder.logits).unwrap_or(net)
}

struct StepBuilder<'d> {
    description: &'d Description,
    options: &'d Options,
    images: TensorRef,
    /// The result of the step that is marked as the output.
    output: Option<TensorRef>,
    /// The end point `Logits`.
    logits: Option<TensorRef>,
}

impl StepBuilder<'_> {
    fn steps(&mut self, slim: &mut NetworkBuilder<'_>, net: TensorRef, steps: &[Step]) -> TensorRef {
        steps.iter().fold(net, |net, step| {
            let location = self.description.location(step.line);
            slim.at_location(location, |slim| self.step(slim, net, step))
        })
    }

    fn step(&mut self, slim: &mut NetworkBuilder<'_>, net: TensorRef, step: &Step) -> TensorRef {
        let is_true = |option: &str| self.options.flag(option) || self.options.count(option) > 0;
        let is_false = |condition: &Condition| is_true(&condition.option) != condition.expected;
        if step.condition.as_ref().is_some_and(is_false) {
            return net;
        }
        let is_aux = matches!(step.action, Action::AuxLogits(_));
        if is_aux && !(self.options.flag("create_aux_logits") && self.options.num_classes() > 0) {
            return net;
        }
        let input = match &step.from {
            Some(name) => tensors::named(slim, self.images, name),
            None => net,
        };
        let names = slim.variable_names.len();
        slim.variable_names.extend(step.variable_names.iter().cloned());
        let end = self.repeated(slim, input, step);
        slim.variable_names.truncate(names);
        self.check_size(slim, end);
        if let Some(name) = &step.end_point {
            slim.end_point(name, end);
            if name == LOGITS {
                self.logits = Some(end);
            }
        }
        if step.is_output {
            self.output = Some(end);
        }
        if let Some(name) = &step.model_output {
            slim.model_output(name, end);
            self.output.get_or_insert(end);
        }
        if is_aux || matches!(step.action, Action::Aside(_)) { net } else { end }
    }

    fn repeated(&mut self, slim: &mut NetworkBuilder<'_>, net: TensorRef, step: &Step) -> TensorRef {
        let Some(repeat) = &step.repeat else { return self.once(slim, net, step, step.scope.as_deref()) };
        let build = |slim: &mut NetworkBuilder<'_>| {
            (1..=repeat.count)
                .fold(net, |net, i| self.once(slim, net, step, Some(&format!("{}_{i}", repeat.block))))
        };
        match &step.scope {
            Some(scope) => slim.variable_scope(scope, build),
            None => slim.default_scope("Repeat", build),
        }
    }

    /// Builds a step once, in `scope`.
    fn once(
        &mut self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        step: &Step,
        scope: Option<&str>,
    ) -> TensorRef {
        let name = scope.unwrap_or_default();
        match &step.action {
            Action::Conv2d { num_outputs, kernel, args } => {
                let (outputs, kernel) = (self.outputs(slim, num_outputs), window(slim, net, *kernel));
                slim.conv2d(net, outputs, kernel, name, args)
            }
            Action::SeparableConv2d { num_outputs, kernel, depth_multiplier, args } => {
                let (outputs, kernel) = (self.outputs(slim, num_outputs), window(slim, net, *kernel));
                slim.separable_conv2d(net, outputs, kernel, *depth_multiplier, name, args)
            }
            Action::DepthwiseConv2d { kernel, args } => {
                let kernel = window(slim, net, *kernel);
                slim.depthwise_conv2d(net, kernel, name, args)
            }
            Action::Conv2dTranspose { num_outputs, kernel, args } => {
                let (outputs, kernel) = (self.outputs(slim, num_outputs), window(slim, net, *kernel));
                slim.conv2d_transpose(net, outputs, kernel, name, args)
            }
            Action::FullyConnected { num_outputs, args } => {
                let outputs = self.outputs(slim, num_outputs);
                slim.fully_connected(net, outputs, name, args)
            }
            Action::MaxPool2d { kernel, args } => {
                let kernel = window(slim, net, *kernel);
                slim.max_pool2d(net, kernel, scope.unwrap_or("MaxPool2D"), args)
            }
            Action::AvgPool2d { kernel, args } => {
                let kernel = window(slim, net, *kernel);
                slim.avg_pool2d(net, kernel, scope.unwrap_or("AvgPool2D"), args)
            }
            Action::BatchNorm { args } => slim.batch_norm_in(name, net, args),
            Action::Dropout => slim.dropout(net, name),
            Action::Flatten => slim.flatten(net, name),
            Action::Softmax => slim.softmax(net, name),
            Action::PlainSoftmax => slim.plain_softmax(net, name),
            Action::SpatialSqueeze => slim.spatial_squeeze(net, name),
            Action::SpatialMean { keeps_axes: true } => slim.spatial_mean(net, name),
            Action::SpatialMean { keeps_axes: false } => slim.mean_over_image(net, name),
            Action::Identity => slim.identity(net, name),
            Action::ArgMax => {
                let rank = slim.shape(net).rank().unwrap_or(4);
                slim.arg_max(net, rank as i32 - 1, DType::Int64, name)
            }
            Action::L2Normalize { axis, epsilon } => tensors::normalized(slim, net, *axis, *epsilon, name),
            Action::Resize { size, interpolation, alignment } => {
                tensors::resized(slim, net, self.images, *size, (*interpolation, *alignment))
            }
            Action::SpaceToDepth(block) => slim.space_to_depth(net, *block),
            Action::DepthToSpace(block) => slim.depth_to_space(net, *block),
            Action::Add(operand) => tensors::combined(slim, net, self.images, "add", operand),
            Action::Multiply(operand) => tensors::combined(slim, net, self.images, "mul", operand),
            Action::Concat(names) => {
                let parts: Vec<TensorRef> =
                    names.iter().map(|name| tensors::named(slim, self.images, name)).collect();
                slim.concat(&parts)
            }
            Action::Activation(activation) => slim.activated(net, *activation),
            Action::LocalResponseNormalization(args) => slim.local_response_normalization(net, name, *args),
            Action::Pad([before, after]) => slim.spatial_pad(net, *before, *after),
            group => {
                let outside = slim.scope.enter(&[], &[]);
                for defaults in &step.arg_scope {
                    slim.scope.enter(&defaults.layers, &defaults.args);
                }
                let end = match scope {
                    Some(scope) => slim.variable_scope(scope, |slim| self.group(slim, net, group)),
                    None => self.group(slim, net, group),
                };
                slim.scope.leave(outside);
                end
            }
        }
    }

    fn group(&mut self, slim: &mut NetworkBuilder<'_>, net: TensorRef, group: &Action) -> TensorRef {
        match group {
            Action::Layers { steps, reenter_scope, name_scope } => {
                let mut build = |slim: &mut NetworkBuilder<'_>| match name_scope {
                    Some(name) => slim.name_scope(name, |slim| self.steps(slim, net, steps)),
                    None => self.steps(slim, net, steps),
                };
                if *reenter_scope { slim.reenter_scope(build) } else { build(slim) }
            }
            Action::Gate { steps, gate_first } => {
                let gate = self.steps(slim, net, steps);
                if *gate_first { slim.product(gate, net) } else { slim.product(net, gate) }
            }
            Action::Branches(branches) => {
                let ends: Vec<TensorRef> = branches
                    .iter()
                    .map(|(scope, steps)| match scope {
                        Some(scope) => slim.variable_scope(scope, |slim| self.steps(slim, net, steps)),
                        None => self.steps(slim, net, steps),
                    })
                    .collect();
                slim.concat(&ends)
            }
            Action::Residual { steps, shortcut, scale, activation, shortcut_last, name } => {
                let shortcut = self.steps(slim, net, shortcut);
                let residual = self.steps(slim, net, steps);
                let sum = match scale {
                    Some(scale) => slim.add_scaled(shortcut, *scale, residual),
                    None => {
                        let (a, b) = if *shortcut_last { (residual, shortcut) } else { (shortcut, residual) };
                        slim.op(name.as_deref().unwrap_or("add"), "AddV2", &[a, b], [])
                    }
                };
                slim.activated(sum, *activation)
            }
            other => other.steps().into_iter().fold(net, |net, steps| self.steps(slim, net, steps)),
        }
    }

    fn outputs(&self, slim: &mut NetworkBuilder<'_>, size: &Size) -> usize {
        let (outputs, what) = match size {
            Size::Fixed(outputs) => return *outputs,
            Size::Option(option) => (self.options.count(option), option.clone()),
            Size::Depth(depth) => (self.options.depth(*depth), format!("depth({depth})")),
        };
        if (1..=MAX_OUTPUTS).contains(&outputs) {
            return outputs;
        }
        let error = Error::new(&what, format!("it gives a layer {outputs} outputs"));
        slim.fail(match size {
            Size::Option(option) if outputs == 0 => {
                error.advice(format!("skip the layer in this case, with when = \"{option}\""))
            }
            _ => error.advice(format!("a layer can have from 1 to {MAX_OUTPUTS}")),
        });
        1
    }

    /// Fails if a tensor has more than [`MAX_ELEMENTS`] elements.
    fn check_size(&self, slim: &mut NetworkBuilder<'_>, tensor: TensorRef) {
        let dims = slim.shape(tensor).dims().unwrap_or_default().iter().skip(1).flatten();
        let elements = dims.copied().try_fold(1, usize::checked_mul);
        if elements.is_none_or(|elements| elements > MAX_ELEMENTS) {
            let problem = format!("its result has more than {MAX_ELEMENTS} elements");
            slim.fail(Error::new("layer", problem));
        }
    }
}

fn window(slim: &mut NetworkBuilder<'_>, net: TensorRef, kernel: KernelSize) -> [usize; 2] {
    match kernel {
        KernelSize::Fixed(size) => size,
        KernelSize::WholeImage => slim.height_and_width(net).unwrap_or_else(|| {
            let problem = format!("a tensor of shape {} is not an image", slim.shape(net));
            slim.fail(Error::new("\"whole image\"", problem));
            [1, 1]
        }),
    }
}
