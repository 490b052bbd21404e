//! The options that a description declares: the arguments of the network's function, with their defaults.

use std::sync::Arc;

use super::fields::Field;
use super::steps::{Condition, Size};
use crate::error::{Error, Result};
use crate::slim::options::{
    CREATE_AUX_LOGITS, DEPTH_MULTIPLIER, DIVISIBLE_BY, FRAMES, GLOBAL_POOL, MIN_DEPTH, NUM_BANDS,
    NUM_CLASSES, NUM_FRAMES, SPATIAL_SQUEEZE,
};
use crate::slim::{OptionSource, OptionSpec, Value};

/// The options that slim's networks have in common. They have the same meaning in descriptions.
const COMMON: &[OptionSpec] = &[
    NUM_CLASSES,
    CREATE_AUX_LOGITS,
    DEPTH_MULTIPLIER,
    MIN_DEPTH,
    DIVISIBLE_BY,
    SPATIAL_SQUEEZE,
    GLOBAL_POOL,
];

/// Options of the library's networks whose input is not images.
const OTHER_INPUTS: [OptionSpec; 3] = [FRAMES, NUM_FRAMES, NUM_BANDS];

/// The most channels that a layer can have.
pub const MAX_OUTPUTS: usize = 1 << 24;

/// The beginning of `depth(64)`.
const DEPTH: &str = "depth(";

/// The options of a description with their defaults.
#[derive(Debug, Default)]
pub struct Declared(Vec<(String, Value)>);

impl Declared {
    /// Reads the table `options`.
    pub fn read(field: &Field<'_>) -> Result<Self> {
        let example = "a table such as { num_classes = 1000, spatial_squeeze = true }";
        let fields = field.table(example, ("options", "option"))?.take_all();
        let values = fields.iter().map(|field| Ok((field.key.clone(), default(field)?)));
        let declared = Self(values.collect::<Result<_>>()?);
        let multiplier = fields.iter().find(|field| field.key == DEPTH_MULTIPLIER.name);
        match (multiplier, declared.get(&MIN_DEPTH.name)) {
            // Recognition sets min_depth to see which layers follow the multiplier.
            (Some(multiplier), None | Some(Value::Count(0))) => {
                let error = multiplier.error("depth_multiplier needs min_depth, which has to be at least 1");
                Err(error.advice("declare it: options = { depth_multiplier = 1.0, min_depth = 8 }"))
            }
            _ => Ok(declared),
        }
    }

    fn get(&self, name: &str) -> Option<Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Whether the description declares this option.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The options of the network.
    pub fn specs(&self) -> Arc<[OptionSpec]> {
        let spec = |(name, default): &(String, Value)| match COMMON.iter().find(|spec| spec.name == *name) {
            Some(common) => OptionSpec { default: *default, ..common.clone() },
            None => OptionSpec {
                name: name.clone().into(),
                default: *default,
                source: OptionSource::User,
                help: "an option that the description declares",
            },
        };
        self.0.iter().map(spec).collect()
    }

    /// Reads `when` or `unless`, the name of a flag or a count.
    pub fn condition(&self, field: &Field<'_>, expected: bool) -> Result<Condition> {
        let name = field.text()?;
        match self.get(name) {
            Some(Value::Flag(_) | Value::Count(_)) => Ok(Condition { option: name.to_owned(), expected }),
            Some(_) => Err(field.error(format!("the option {name} is neither true or false nor a count"))),
            None => Err(self.undeclared(field, name)),
        }
    }

    /// Reads a number of outputs: `64`, `"num_classes"` or `"depth(64)"`.
    pub fn size(&self, field: &Field<'_>) -> Result<Size> {
        let expected = "a number of outputs, an option that is a count, or \"depth(N)\"";
        let Some(text) = field.as_text() else {
            let outputs = field.as_count().filter(|count| (1..=MAX_OUTPUTS).contains(count));
            return outputs.map(Size::Fixed).ok_or_else(|| {
                field.wrong_value(format!(
                    "a whole number from 1 to {MAX_OUTPUTS}, an option that is a count, or \"depth(N)\""
                ))
            });
        };
        if let Some(depth) = text.strip_prefix(DEPTH).and_then(|rest| rest.strip_suffix(')')) {
            let depth = depth.parse().ok().filter(|depth| (1..=MAX_OUTPUTS).contains(depth));
            let depth = depth.ok_or_else(|| field.wrong_value(expected))?;
            return if self.has(&DEPTH_MULTIPLIER.name) {
                Ok(Size::Depth(depth))
            } else {
                Err(self.undeclared(field, &DEPTH_MULTIPLIER.name))
            };
        }
        match self.get(text) {
            Some(Value::Count(_)) => Ok(Size::Option(text.to_owned())),
            Some(_) => Err(field.wrong_value(expected)),
            None => Err(self.undeclared(field, text)),
        }
    }

    fn undeclared(&self, field: &Field<'_>, name: &str) -> Error {
        let error = field.error(format!("there is no option \"{}\"", name.escape_debug()));
        match COMMON.iter().find(|spec| spec.name == *name) {
            Some(spec) => {
                error.advice(format!("declare it: options = {{ {name} = {} }}", toml(spec.default)))
            }
            None => crate::suggestion::suggesting(error, name, self.names()),
        }
    }
}

/// A value in TOML: a number always has a decimal point.
fn toml(value: Value) -> String {
    match value {
        Value::Number(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// Reads the default of an option: of slim's type for slim's options, else a flag or a count.
fn default(field: &Field<'_>) -> Result<Value> {
    let name = &field.key;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_name {
        let problem = format!("\"{}\" is not a valid name of an option", name.escape_debug());
        return Err(field.error(problem).advice("use lower-case letters, digits and _"));
    }
    if OTHER_INPUTS.iter().any(|spec| spec.name == *name) {
        return Err(
            field.error(format!("only networks whose input is not images can have the option {name}"))
        );
    }
    match COMMON.iter().find(|spec| spec.name == *name).map(|spec| spec.default) {
        Some(Value::Flag(_)) => field.flag().map(Value::Flag),
        Some(Value::Count(_)) => field.count(0..=MAX_OUTPUTS).map(Value::Count),
        Some(_) => match field.number()? {
            number if number > 0.0 && number < 1e6 => Ok(Value::Number(number)),
            _ => Err(field.wrong_value("a positive number")),
        },
        None if field.as_count().is_some() => field.count(0..=MAX_OUTPUTS).map(Value::Count),
        None => field.flag().map(Value::Flag).map_err(|_| field.wrong_value("true, false or a whole number")),
    }
}
