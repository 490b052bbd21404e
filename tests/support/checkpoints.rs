//! Checkpoints of the library's networks, filled by the formula.

use std::path::{Path, PathBuf};

use super::checkpoint_writer::{Compression, Variable, write_v1, write_v2};
use super::fill;
use super::zoo::Case;

/// The container of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    V1,
    V2,
}

/// The variables of a case with their contents.
pub fn filled(case: &Case) -> Vec<Variable> {
    let weights = case.variables.iter().filter(|(_, _, dtype, _)| dtype == "float32");
    let mut variables: Vec<Variable> = weights
        .map(|(name, shape, _, gain)| Variable::float32(name, shape, fill::variable(name, shape, *gain)))
        .collect();
    if variables.len() < case.variables.len() {
        variables.push(Variable::int64_scalar("global_step", 0));
    }
    variables
}

/// Writes variables as `model.ckpt` in a folder and returns what to hand to `convert`.
pub fn write(folder: &Path, variables: &[Variable], format: Format) -> PathBuf {
    let path = folder.join("model.ckpt");
    match format {
        Format::V1 => write_v1(&path, variables, Compression::None),
        Format::V2 => write_v2(&path, variables),
    }
    .expect("the checkpoint can be written");
    path
}
