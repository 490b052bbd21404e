//! Reads the values of a step that are not arguments of layers: scopes, windows and sizes.

use super::arguments::MAX_WINDOW;
use super::fields::{Field, Fields};
use super::steps::KernelSize;
use crate::error::Result;
use crate::slim::LocalResponseNormalization;

/// Reads the name of a scope, as TensorFlow allows it.
pub fn scope_name(field: &Field<'_>) -> Result<String> {
    let name = field.text()?;
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    if name.split('/').all(is_part) {
        return Ok(name.to_owned());
    }
    let problem = format!("\"{}\" is not a valid name of a scope", name.escape_debug());
    Err(field.error(problem).advice("use letters, digits, _, . and -, with / between scopes"))
}

/// Reads other names of variables: `{ weights = "kernel", biases = "bias" }`.
pub fn variable_names(field: &Field<'_>) -> Result<Vec<(String, String)>> {
    let example = "a table such as { weights = \"kernel\", biases = \"bias\" }";
    let names = field.table(example, ("variable_names", "variable"))?.take_all();
    let read = |name: &Field<'_>| match VARIABLES.contains(&name.key.as_str()) {
        true => Ok((name.key.clone(), scope_name(name)?)),
        false => Err(name.unknown_key("variable_names", "variable", VARIABLES)),
    };
    names.iter().map(read).collect()
}

/// The names that slim gives to the variables of layers.
const VARIABLES: [&str; 9] = [
    "weights",
    "biases",
    "depthwise_weights",
    "pointwise_weights",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
    "alphas",
];

/// Reads the arguments of `tf.nn.local_response_normalization`, with TensorFlow's defaults.
pub fn local_response_normalization(fields: &mut Fields<'_>) -> Result<LocalResponseNormalization> {
    let depth_radius = fields.take("depth_radius").map_or(Ok(5), |field| field.count(0..=MAX_WINDOW))?;
    let mut number = |key, default| fields.take(key).map_or(Ok(default), |field| field.number());
    let (bias, alpha, beta) = (number("bias", 1.0)?, number("alpha", 1.0)?, number("beta", 0.5)?);
    Ok(LocalResponseNormalization { depth_radius, bias, alpha, beta })
}

/// Reads the zeros before and after rows and columns: one number for both, or a list.
pub fn padding(field: &Field<'_>) -> Result<[usize; 2]> {
    let count = |field: &Field<'_>| field.as_count().filter(|&count| count <= MAX_WINDOW);
    let pads = match field.as_list().as_deref() {
        Some([before, after]) => count(before).zip(count(after)),
        Some(_) => None,
        None => count(field).map(|pad| (pad, pad)),
    };
    let expected = || format!("a whole number up to {MAX_WINDOW} or [before, after]");
    pads.map(|(before, after)| [before, after]).ok_or_else(|| field.wrong_value(expected()))
}

pub fn kernel(field: &Field<'_>) -> Result<KernelSize> {
    match field.as_text() {
        Some("whole image") => Ok(KernelSize::WholeImage),
        _ => pair(field, MAX_WINDOW, ", [height, width] or \"whole image\"").map(KernelSize::Fixed),
    }
}

/// Reads one number for height and width, or a list of both. `alternatives` are other values for the error to name.
pub fn pair(field: &Field<'_>, most: usize, alternatives: &str) -> Result<[usize; 2]> {
    let fits = |number: &usize| (1..=most).contains(number);
    let count = |field: &Field<'_>| field.as_count().filter(fits);
    let pair = match field.as_list().as_deref() {
        Some([height, width]) => count(height).zip(count(width)),
        Some(_) => None,
        None => count(field).map(|size| (size, size)),
    };
    let (height, width) =
        pair.ok_or_else(|| field.wrong_value(format!("a whole number from 1 to {most}{alternatives}")))?;
    Ok([height, width])
}
