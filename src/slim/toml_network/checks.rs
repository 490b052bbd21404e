//! Validates a description as a whole.

use super::document::Document;
use super::fields::Field;
use super::options::Declared;
use super::steps::{Action, Condition, Operand, Size, Step};
use super::tensors::IMAGES;
use crate::error::{Error, Result};

/// The most layers of a network. Nested repeats could build any number of them.
const MAX_LAYERS: usize = 20_000;

/// Validates the steps of a network. Returns where recognition finds the options: the variable below the network's scope
/// whose last axis is the classes, and the scope of the auxiliary classifier.
pub fn check(
    document: &Document<'_>,
    scope: &str,
    options: &Declared,
    options_field: Option<&Field<'_>>,
    steps: &[Step],
    variable_names: &[(String, String)],
) -> Result<(Option<String>, Option<String>)> {
    if layer_count(steps) > MAX_LAYERS {
        let line = steps.iter().max_by_key(|step| layer_count(std::slice::from_ref(step)));
        let location = document.location(line.map_or(1, |step| step.line));
        return Err(Error::new(location, format!("the network has more than {MAX_LAYERS} layers")));
    }
    let mut walk = Walk {
        document,
        scopeless: scope.is_empty(),
        variable_names: variable_names.to_vec(),
        conditions: vec![],
        repeated: false,
        in_aux: false,
        end_points: vec![],
        outputs: vec![],
        logits: None,
        aux_logits: None,
    };
    walk.steps(steps, "")?;
    if let (true, None, Some(options)) = (options.has("num_classes"), &walk.logits, options_field) {
        let problem = "the option num_classes is declared, but no layer has \"num_classes\" outputs";
        return Err(options.error(problem));
    }
    Ok((walk.logits, walk.aux_logits))
}

fn layer_count(steps: &[Step]) -> usize {
    steps.iter().fold(0, |sum, step| {
        let inside = step.action.steps().into_iter().map(layer_count).fold(1, usize::saturating_add);
        let times = step.repeat.as_ref().map_or(1, |repeat| repeat.count);
        sum.saturating_add(inside.saturating_mul(times))
    })
}

/// A walk over all steps, in the order in which they are built.
struct Walk<'a> {
    document: &'a Document<'a>,
    /// Whether the network has no scope.
    scopeless: bool,
    /// The other names of variables in the current step, the innermost last.
    variable_names: Vec<(String, String)>,
    /// The conditions of the current step and of all groups around it.
    conditions: Vec<Condition>,
    repeated: bool,
    in_aux: bool,
    /// Names, lines and conditions.
    end_points: Vec<(String, usize, Vec<Condition>)>,
    outputs: Vec<(usize, Option<String>, Vec<Condition>)>,
    logits: Option<String>,
    aux_logits: Option<String>,
}

impl Walk<'_> {
    fn error(&self, line: usize, problem: impl std::fmt::Display) -> Error {
        Error::new(self.document.location(line), problem)
    }

    /// Visits steps in the scope `path`, which is empty or ends in `/`.
    fn steps(&mut self, steps: &[Step], path: &str) -> Result<()> {
        steps.iter().try_for_each(|step| self.step(step, path))
    }

    fn step(&mut self, step: &Step, path: &str) -> Result<()> {
        let (depth, names) = (self.conditions.len(), self.variable_names.len());
        self.variable_names.extend(step.variable_names.clone());
        self.reads(step)?;
        self.conditions.extend(step.condition.clone());
        let outside = (self.repeated, self.in_aux);
        self.in_aux |= matches!(step.action, Action::AuxLogits(_));
        let path = scope_of(step, path);
        // A repeated step has only one result, that of its last repetition. A step inside it has several.
        self.names(step)?;
        self.repeated |= step.repeat.as_ref().is_some_and(|repeat| repeat.count > 1);
        self.action(step, &path)?;
        (self.repeated, self.in_aux) = outside;
        self.conditions.truncate(depth);
        self.variable_names.truncate(names);
        Ok(())
    }

    /// Checks that the end points exist that a step reads.
    fn reads(&self, step: &Step) -> Result<()> {
        let read = match &step.action {
            Action::Add(Operand::EndPoint(name)) | Action::Multiply(Operand::EndPoint(name)) => vec![name],
            Action::Concat(names) => names.iter().collect(),
            _ => vec![],
        };
        for name in step.from.iter().chain(read) {
            let known = || self.end_points.iter().map(|(known, ..)| known.as_str()).chain([IMAGES]);
            if !known().any(|known| known == name) {
                let problem = format!("no step before this one has the end point \"{name}\"");
                return Err(crate::suggestion::suggesting(self.error(step.line, problem), name, known()));
            }
        }
        Ok(())
    }

    /// Records the end point and the output of a step.
    fn names(&mut self, step: &Step) -> Result<()> {
        if let Some(name) = &step.end_point {
            if self.repeated {
                return Err(self.error(step.line, format!("the end point \"{name}\" is inside a repeat")));
            }
            let twin = self.end_points.iter().find(|(known, _, conditions)| {
                known == name && !exclude_each_other(conditions, &self.conditions)
            });
            if let Some((_, line, _)) = twin {
                let problem = format!("the end point \"{name}\" is defined on line {line} already");
                return Err(self.error(step.line, problem));
            }
            self.end_points.push((name.clone(), step.line, self.conditions.clone()));
        }
        if step.is_output || step.model_output.is_some() {
            if self.repeated {
                return Err(self.error(step.line, "the output is inside a repeat"));
            }
            let twin = self.outputs.iter().find(|(_, name, conditions)| {
                *name == step.model_output && !exclude_each_other(conditions, &self.conditions)
            });
            if let Some((line, ..)) = twin {
                return Err(self.error(step.line, format!("the output is defined on line {line} already")));
            }
            self.outputs.push((step.line, step.model_output.clone(), self.conditions.clone()));
        }
        Ok(())
    }

    /// Visits the action of a step, and the steps inside a group.
    fn action(&mut self, step: &Step, path: &str) -> Result<()> {
        let is_classes = |size: &Size| *size == Size::Option("num_classes".to_owned());
        let weights = match &step.action {
            Action::Conv2d { num_outputs, .. } | Action::FullyConnected { num_outputs, .. } => {
                is_classes(num_outputs).then_some("weights")
            }
            Action::SeparableConv2d { num_outputs, .. } => {
                is_classes(num_outputs).then_some("pointwise_weights")
            }
            // The last axis of its filter is that of its input.
            Action::Conv2dTranspose { num_outputs, .. } => is_classes(num_outputs).then_some("biases"),
            Action::Layers { reenter_scope: true, .. } if self.scopeless && path.is_empty() => {
                return Err(
                    self.error(step.line, "there is no scope around the group that it could enter again")
                );
            }
            Action::AuxLogits(_) => {
                let scope = path.trim_end_matches('/').to_owned();
                if self.aux_logits.replace(scope).is_some() {
                    return Err(self.error(step.line, "the network has aux_logits already"));
                }
                None
            }
            _ => None,
        };
        if let (Some(weights), false, None) = (weights, self.in_aux, &self.logits) {
            let other = self.variable_names.iter().rfind(|(name, _)| name == weights);
            let weights = other.map_or(weights, |(_, other)| other.as_str());
            self.logits = Some(format!("{path}{weights}"));
        }
        let Action::Branches(branches) = &step.action else {
            return step.action.steps().into_iter().try_for_each(|steps| self.steps(steps, path));
        };
        branches.iter().try_for_each(|(scope, steps)| match scope {
            Some(scope) => self.steps(steps, &format!("{path}{scope}/")),
            None => self.steps(steps, path),
        })
    }
}

/// The scope of the variables of a step; for a repeated step, that of its first repetition.
fn scope_of(step: &Step, path: &str) -> String {
    let scope = step.scope.as_ref().map(|scope| format!("{scope}/"));
    match &step.repeat {
        None => format!("{path}{}", scope.unwrap_or_default()),
        Some(repeat) => {
            format!("{path}{}{}_1/", scope.unwrap_or_else(|| "Repeat/".to_owned()), repeat.block)
        }
    }
}

/// Whether steps with these conditions are never both built.
fn exclude_each_other(a: &[Condition], b: &[Condition]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.option == b.option && a.expected != b.expected))
}
