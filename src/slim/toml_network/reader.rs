//! Parses the text of a description into steps.

use super::Description;
use super::arguments::{
    BATCH_NORM, CONVOLUTION, FULLY_CONNECTED, POOLING, TRANSPOSED, activation, arg_scope, take_arguments,
};
use super::checks::check;
use super::document::Document;
use super::fields::{Field, Fields};
use super::kinds::{KINDS, Kind, no_kind};
use super::options::Declared;
use super::steps::{Action, Repeat, Step};
use super::tensors;
use super::values::{kernel, local_response_normalization, padding, pair, scope_name, variable_names};
use crate::error::Result;
use crate::slim::{Interpolation, Network};

/// The most levels of nested groups. Deeper nesting is not written by hand.
const MAX_NESTING: usize = 16;
/// The most times that a step is repeated.
const MAX_REPEAT: usize = 10_000;
/// The largest height or width of images that is accepted.
const MAX_IMAGE_SIZE: usize = 100_000;
/// The most depthwise filters for each channel.
const MAX_DEPTH_MULTIPLIER: usize = 1024;

/// The end point of the auxiliary classifier.
const AUX_LOGITS: &str = "AuxLogits";

const A_STEP: &str = "a table such as { conv2d = 64, kernel = 3, scope = \"conv1\" }";
const STEPS: &str = "a list of steps, such as [{ conv2d = 64, kernel = 3, scope = \"conv1\" }]";

/// Reads the description of a network.
pub fn read(document: &Document<'_>) -> Result<Network> {
    let table = document.parse()?;
    let mut fields = Fields::new(document, ("the network", "key"), 0..0, table.get_ref());
    let name = scope_name(&fields.require("name")?)?;
    let scope = fields.take("scope").map(|field| scope_name(&field)).transpose()?.unwrap_or_default();
    let image_size = pair(&fields.require("image_size")?, MAX_IMAGE_SIZE, " or [height, width]")?;
    let options_field = fields.take("options");
    let options = options_field.as_ref().map(Declared::read).transpose()?.unwrap_or_default();
    let arg_scope = fields.take("arg_scope").map(|field| arg_scope(&field)).transpose()?.unwrap_or_default();
    let names = fields.take("variable_names").map(|field| variable_names(&field)).transpose()?;
    let variable_names = names.unwrap_or_default();
    let layers = fields.require("layers")?;
    fields.finish()?;
    let steps = Reader { options: &options }.steps(&layers, 0)?;
    let (logits, aux_logits) =
        check(document, &scope, &options, options_field.as_ref(), &steps, &variable_names)?;
    Ok(Network {
        arg_scope_name: format!("{name}_arg_scope"),
        name,
        scope,
        image_size,
        logits: logits.unwrap_or_default(),
        aux_logits,
        options: options.specs(),
        definition: Box::new(Description { file: document.file.clone(), arg_scope, variable_names, steps }),
    })
}

struct Reader<'o> {
    options: &'o Declared,
}

impl Reader<'_> {
    /// Reads a list of at least one step.
    fn steps(&self, field: &Field<'_>, depth: usize) -> Result<Vec<Step>> {
        let steps = self.optional_steps(field, depth)?;
        if steps.is_empty() { Err(field.error(format!("{} has no steps", field.key))) } else { Ok(steps) }
    }

    /// Reads a list of steps, which may be empty.
    fn optional_steps(&self, field: &Field<'_>, depth: usize) -> Result<Vec<Step>> {
        if depth > MAX_NESTING {
            return Err(field.error(format!("groups are nested more than {MAX_NESTING} deep")));
        }
        field.list(STEPS)?.iter().map(|step| self.step(step, depth + 1)).collect()
    }

    fn step(&self, field: &Field<'_>, depth: usize) -> Result<Step> {
        let mut fields = field.table(A_STEP, ("a step", "key"))?;
        let line = fields.line();
        let is_given = |key: &str| fields.keys().any(|given| given == key);
        let kinds: Vec<(&'static str, Kind)> =
            KINDS.iter().copied().filter(|&(key, _)| is_given(key)).collect();
        let (key, kind) = match kinds[..] {
            [kind] => kind,
            [] => return Err(no_kind(fields)),
            [(a, _), (b, _), ..] => return Err(fields.error(format!("a step is {a} or {b}, not both"))),
        };
        fields.describe(key, "argument");
        let head = fields.require(key)?;
        let (action, scope) = self.action(kind, &head, &mut fields, depth)?;
        let is_group = !action.steps().is_empty();
        let arg_scope = match is_group.then(|| fields.take("arg_scope")).flatten() {
            Some(field) => arg_scope(&field)?,
            None => vec![],
        };
        let names = if is_group || has_weights(&action) || matches!(action, Action::BatchNorm { .. }) {
            fields.take("variable_names").map(|field| variable_names(&field)).transpose()?
        } else {
            None
        };
        let from = fields.take("from").map(|field| tensors::end_point_name(&field)).transpose()?;
        let repeat = if has_weights(&action) { repeat(&mut fields, scope.as_deref())? } else { None };
        let condition = match (fields.take("when"), fields.take("unless")) {
            (Some(when), None) => Some(self.options.condition(&when, true)?),
            (None, Some(unless)) => Some(self.options.condition(&unless, false)?),
            (None, None) => None,
            (Some(_), Some(unless)) => {
                let error = unless.error(format!("{key} has both \"when\" and \"unless\""));
                return Err(error.advice("put one of them on a group around the step"));
            }
        };
        let end_point = if kind == Kind::AuxLogits {
            // A conversion builds the auxiliary classifier if the user asks for the end point of this name.
            Some(AUX_LOGITS.to_owned())
        } else {
            let field = fields.take("end_point");
            field.map(|field| end_point(&field, scope.as_deref())).transpose()?.flatten()
        };
        let output = fields.take("output");
        let model_output = output.as_ref().and_then(Field::as_text).map(str::to_owned);
        let is_output = match &output {
            Some(field) if model_output.is_none() => field.flag()?,
            Some(field) if model_output.as_deref() == Some("") => {
                return Err(field.error("the name of an output is empty"));
            }
            _ => false,
        };
        fields.finish()?;
        let variable_names = names.unwrap_or_default();
        Ok(Step {
            line,
            action,
            scope,
            arg_scope,
            repeat,
            condition,
            from,
            variable_names,
            end_point,
            is_output,
            model_output,
        })
    }

    /// Reads the action of a step, and its scope.
    fn action(
        &self,
        kind: Kind,
        head: &Field<'_>,
        fields: &mut Fields<'_>,
        depth: usize,
    ) -> Result<(Action, Option<String>)> {
        // The value of a step that needs no other value is its scope.
        let named = |action: Action| Ok((action, Some(scope_name(head)?)));
        let optional_scope =
            |fields: &mut Fields<'_>| fields.take("scope").map(|field| scope_name(&field)).transpose();
        let own_scope = |fields: &mut Fields<'_>| scope_name(&fields.require("scope")?).map(Some);
        Ok(match kind {
            Kind::SeparableConv2d if head.as_text() == Some("none") => {
                let kernel = kernel(&fields.require("kernel")?)?;
                let scope = own_scope(fields)?;
                (Action::DepthwiseConv2d { kernel, args: take_arguments(fields, CONVOLUTION)? }, scope)
            }
            Kind::Conv2d => {
                let num_outputs = self.options.size(head)?;
                let kernel = kernel(&fields.require("kernel")?)?;
                let scope = own_scope(fields)?;
                (Action::Conv2d { num_outputs, kernel, args: take_arguments(fields, CONVOLUTION)? }, scope)
            }
            Kind::SeparableConv2d => {
                let num_outputs = self.options.size(head)?;
                let kernel = kernel(&fields.require("kernel")?)?;
                let scope = own_scope(fields)?;
                let args = take_arguments(fields, CONVOLUTION)?;
                let depth_multiplier = fields.take("depth_multiplier");
                let depth_multiplier =
                    depth_multiplier.map_or(Ok(1), |field| field.count(1..=MAX_DEPTH_MULTIPLIER))?;
                (Action::SeparableConv2d { num_outputs, kernel, depth_multiplier, args }, scope)
            }
            Kind::Conv2dTranspose => {
                let num_outputs = self.options.size(head)?;
                let kernel = kernel(&fields.require("kernel")?)?;
                let scope = own_scope(fields)?;
                (
                    Action::Conv2dTranspose {
                        num_outputs,
                        kernel,
                        args: take_arguments(fields, TRANSPOSED)?,
                    },
                    scope,
                )
            }
            Kind::FullyConnected => {
                let num_outputs = self.options.size(head)?;
                let scope = own_scope(fields)?;
                (
                    Action::FullyConnected { num_outputs, args: take_arguments(fields, FULLY_CONNECTED)? },
                    scope,
                )
            }
            Kind::MaxPool2d => {
                let (kernel, scope) = (kernel(head)?, optional_scope(fields)?);
                (Action::MaxPool2d { kernel, args: take_arguments(fields, POOLING)? }, scope)
            }
            Kind::AvgPool2d => {
                let (kernel, scope) = (kernel(head)?, optional_scope(fields)?);
                (Action::AvgPool2d { kernel, args: take_arguments(fields, POOLING)? }, scope)
            }
            Kind::BatchNorm => return named(Action::BatchNorm { args: take_arguments(fields, BATCH_NORM)? }),
            Kind::LocalResponseNormalization => {
                return named(Action::LocalResponseNormalization(local_response_normalization(fields)?));
            }
            Kind::Pad => (Action::Pad(padding(head)?), None),
            Kind::Dropout => return named(Action::Dropout),
            Kind::Flatten => return named(Action::Flatten),
            Kind::Softmax => return named(Action::Softmax),
            Kind::PlainSoftmax => return named(Action::PlainSoftmax),
            Kind::SpatialSqueeze => return named(Action::SpatialSqueeze),
            Kind::SpatialMean => {
                let keeps_axes = fields.take("keepdims").map_or(Ok(true), |field| field.flag())?;
                return named(Action::SpatialMean { keeps_axes });
            }
            Kind::Activation => (Action::Activation(activation(head)?), None),
            Kind::L2Normalize => return named(tensors::l2_normalize(fields)?),
            Kind::Identity => return named(Action::Identity),
            Kind::ArgMax => return named(Action::ArgMax),
            Kind::ResizeBilinear => (tensors::resize(head, fields, Interpolation::Bilinear)?, None),
            Kind::ResizeNearest => (tensors::resize(head, fields, Interpolation::Nearest)?, None),
            Kind::SpaceToDepth => (Action::SpaceToDepth(tensors::block(head)?), None),
            Kind::DepthToSpace => (Action::DepthToSpace(tensors::block(head)?), None),
            Kind::Add => (Action::Add(tensors::operand(head)?), None),
            Kind::Multiply => (Action::Multiply(tensors::operand(head)?), None),
            Kind::Concat => (tensors::concat(head)?, None),
            Kind::Gate => {
                let steps = self.steps(head, depth)?;
                let gate_first = fields.take("gate_first").map_or(Ok(false), |field| field.flag())?;
                (Action::Gate { steps, gate_first }, optional_scope(fields)?)
            }
            Kind::Layers => {
                let reenter_scope = fields.take("reenter_scope").map(|field| field.flag()).transpose()?;
                let name_scope = fields.take("name_scope").map(|field| scope_name(&field)).transpose()?;
                let steps = self.steps(head, depth)?;
                let reenter_scope = reenter_scope.unwrap_or(false);
                (Action::Layers { steps, reenter_scope, name_scope }, optional_scope(fields)?)
            }
            Kind::Branches => {
                (Action::Branches(self.branches(head, fields, depth)?), optional_scope(fields)?)
            }
            Kind::Residual => {
                let steps = self.steps(head, depth)?;
                let shortcut = fields.take("shortcut").map(|field| self.steps(&field, depth)).transpose()?;
                let scale = fields.take("scale").map(|field| field.number()).transpose()?;
                let activation = fields.take("activation_fn").map(|field| activation(&field));
                let activation = activation.transpose()?.flatten();
                let shortcut = shortcut.unwrap_or_default();
                let shortcut_last = fields.take("shortcut_last").map_or(Ok(false), |field| field.flag())?;
                let name = fields.take("name").map(|field| scope_name(&field)).transpose()?;
                let sum = Action::Residual { steps, shortcut, scale, activation, shortcut_last, name };
                (sum, optional_scope(fields)?)
            }
            Kind::Aside => (Action::Aside(self.steps(head, depth)?), optional_scope(fields)?),
            Kind::AuxLogits => {
                if !self.options.has("create_aux_logits") {
                    let error = head.error("aux_logits needs the option create_aux_logits");
                    return Err(error.advice("declare it: options = { create_aux_logits = true }"));
                }
                (Action::AuxLogits(self.steps(head, depth)?), own_scope(fields)?)
            }
        })
    }

    /// Reads `branches = [[…], […]]`. Their scopes are `Branch_0`, `Branch_1` and so on, or those of `scopes`.
    fn branches(
        &self,
        head: &Field<'_>,
        fields: &mut Fields<'_>,
        depth: usize,
    ) -> Result<Vec<(Option<String>, Vec<Step>)>> {
        let lists = head.list("a list of lists of steps")?;
        if lists.len() < 2 {
            return Err(head.error("branches needs at least two branches"));
        }
        let names: Vec<Option<String>> = match fields.take("scopes") {
            None => (0..lists.len()).map(|i| Some(format!("Branch_{i}"))).collect(),
            Some(field) if field.as_text() == Some("none") => vec![None; lists.len()],
            Some(field) => {
                let names = field.list("a list of scopes, or \"none\"")?;
                if names.len() != lists.len() {
                    let (names, branches) = (names.len(), lists.len());
                    let problem = format!("scopes names {names} of {branches} branches");
                    return Err(field.error(problem));
                }
                names.iter().map(|name| scope_name(name).map(Some)).collect::<Result<_>>()?
            }
        };
        // A branch without steps returns its input.
        let steps = lists.iter().map(|list| self.optional_steps(list, depth));
        names.into_iter().zip(steps).map(|(name, steps)| Ok((name, steps?))).collect()
    }
}

/// Whether a step can be repeated: it has a scope for its variables.
fn has_weights(action: &Action) -> bool {
    matches!(
        action,
        Action::Conv2d { .. }
            | Action::DepthwiseConv2d { .. }
            | Action::SeparableConv2d { .. }
            | Action::Conv2dTranspose { .. }
            | Action::FullyConnected { .. }
            | Action::Layers { .. }
            | Action::Branches(_)
            | Action::Residual { .. }
            | Action::Gate { .. }
    )
}

fn repeat(fields: &mut Fields<'_>, scope: Option<&str>) -> Result<Option<Repeat>> {
    let (repeat, block) = (fields.take("repeat"), fields.take("block"));
    let Some(repeat) = repeat else {
        return match block {
            Some(block) => Err(block.error("\"block\" needs \"repeat\"")),
            None => Ok(None),
        };
    };
    let count = repeat.count(1..=MAX_REPEAT)?;
    let block = match (block, scope) {
        (Some(block), _) => scope_name(&block)?,
        (None, Some(scope)) => scope.rsplit('/').next().unwrap_or(scope).to_owned(),
        (None, None) => return Err(repeat.error("\"repeat\" needs \"block\", the scope of each repetition")),
    };
    Ok(Some(Repeat { count, block }))
}

/// Reads `end_point = "name"`, or `true` for the name of the scope.
fn end_point(field: &Field<'_>, scope: Option<&str>) -> Result<Option<String>> {
    match (field.as_text(), scope) {
        (Some(""), _) => Err(field.error("the name of an end point is empty")),
        (Some(name), _) => Ok(Some(name.to_owned())),
        (None, Some(scope)) => Ok(field.flag()?.then(|| scope.to_owned())),
        (None, None) if field.flag()? => {
            Err(field.error("\"end_point = true\" uses the name of the scope, but the step has no scope"))
        }
        (None, None) => Ok(None),
    }
}
