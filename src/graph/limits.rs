//! What a conversion may make of a file: a few bytes can describe functions that call each other without end in sight, and
//! constants that are computed or repeat an element.
//!
//! All graphs of a conversion share one [`Budget`], which each step charges before it makes something.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::setting::Setting;

/// The most that a conversion makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes of functions, of which each call adds all, and some for the call; and those of a network that a checkpoint belongs to.
    pub nodes: usize,
    /// Outputs of a single node.
    pub outputs: usize,
    /// Bytes of the constants that a few bytes of the graph describe: those that are computed, and those that repeat an element.
    pub constants: usize,
}

impl Limits {
    /// No limits: for a graph that a conversion has been through.
    pub const NONE: Self = Self { nodes: usize::MAX, outputs: usize::MAX, constants: usize::MAX };

    /// These limits, or others where those are higher.
    #[must_use]
    pub fn at_least(self, others: Self) -> Self {
        Self {
            nodes: self.nodes.max(others.nodes),
            outputs: self.outputs.max(others.outputs),
            constants: self.constants.max(others.constants),
        }
    }

    /// Changes the limit that `KEY=VALUE` names.
    ///
    /// # Errors
    /// If there is no such limit, or the value is not a number.
    pub fn set(&mut self, text: &str) -> Result<()> {
        let wrong = |problem: &str| {
            let advice = "write it as nodes=N, outputs=N or constants=BYTES";
            Err(Error::new(Setting::Limit.to(text), problem).advice(advice))
        };
        let Some((key, value)) = text.split_once('=') else {
            return wrong("it is not of the form KEY=VALUE");
        };
        let limit = match key {
            "nodes" => &mut self.nodes,
            "outputs" => &mut self.outputs,
            "constants" => &mut self.constants,
            _ => return wrong("there is no such limit"),
        };
        match value.parse() {
            Ok(value) => *limit = value,
            Err(_) => return wrong("its value is not a number"),
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 250_000, outputs: 1 << 16, constants: 160 << 20 }
    }
}

/// The limits of a conversion, and how much of them is used.
#[derive(Debug, Default)]
pub struct Budget {
    limits: Limits,
    nodes: AtomicUsize,
    constants: AtomicUsize,
    /// The first error. A step that ignores errors does not go past it.
    exceeded: OnceLock<Error>,
}

impl Budget {
    /// Nothing of these limits is used.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Charges the nodes of a function that is called.
    ///
    /// # Errors
    /// If that is more than the limit.
    pub fn charge_nodes(&self, function: &str, count: usize) -> Result<()> {
        let total = add(&self.nodes, count);
        if total <= self.limits.nodes {
            return self.check();
        }
        let problem = format!(
            "with a call of it, which counts as {count} nodes, calls of functions add {total} nodes, and the limit is {}",
            self.limits.nodes
        );
        self.exceed(Error::new(format!("function \"{function}\""), problem), "nodes", total)
    }

    /// Charges a node of a network that has no graph. `node` names it.
    ///
    /// # Errors
    /// If that is more than the limit.
    pub fn charge_network(&self, node: &str) -> Result<()> {
        let total = add(&self.nodes, 1);
        if total <= self.limits.nodes {
            return self.check();
        }
        let problem =
            format!("with it, the network has {total} nodes, and the limit is {}", self.limits.nodes);
        self.exceed(Error::new(format!("\"{node}\""), problem), "nodes", total)
    }

    /// Charges the bytes of constants that a node computes, or of one that repeats an element. `node` names it.
    ///
    /// # Errors
    /// If that is more than the limit.
    pub fn charge_constants(&self, node: impl fmt::Display, bytes: usize) -> Result<()> {
        let total = add(&self.constants, bytes);
        if total <= self.limits.constants {
            return self.check();
        }
        let problem = format!(
            "with its {bytes} bytes, constants that are computed or repeat an element have {total} bytes, and the limit is {}",
            self.limits.constants
        );
        self.exceed(Error::new(node.to_string(), problem), "constants", total)
    }

    /// Checks the number of outputs of a node. `node` names it.
    ///
    /// # Errors
    /// If it has more than the limit.
    pub fn check_outputs(&self, node: impl fmt::Display, count: usize) -> Result<()> {
        if count <= self.limits.outputs {
            return Ok(());
        }
        let problem = format!("it has {count} outputs, and the limit is {}", self.limits.outputs);
        self.exceed(Error::new(node.to_string(), problem), "outputs", count)
    }

    /// Repeats the error about a limit that was exceeded before.
    ///
    /// # Errors
    /// If a limit was exceeded.
    pub fn check(&self) -> Result<()> {
        self.exceeded.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Adds the file of the graph to an error, if a limit was exceeded: it says what the file is made of.
    #[must_use]
    pub fn in_file(&self, path: &Path, error: Error) -> Error {
        match self.exceeded.get() {
            Some(_) => error.within(path.display()),
            None => error,
        }
    }

    fn exceed(&self, error: Error, key: &str, needed: usize) -> Result<()> {
        // More than what has been needed so far, since the rest is not known.
        let raised = Setting::Limit.to(format!("{key}={}", needed.saturating_mul(10)));
        let error = error.advice(format!("if the file is what you expect, raise the limit with {raised}"));
        Err(self.exceeded.get_or_init(|| error).clone())
    }
}

/// Adds to a number that stays at its largest value.
fn add(number: &AtomicUsize, more: usize) -> usize {
    let added = |before: usize| Some(before.saturating_add(more));
    let before = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    before.unwrap_or_else(|before| before).saturating_add(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_by_its_name() {
        let mut limits = Limits::default();
        limits.set("nodes=7").unwrap();
        limits.set("constants=9").unwrap();
        assert_eq!(limits, Limits { nodes: 7, constants: 9, ..Limits::default() });
        for (text, problem) in [("nodes", "form"), ("depth=3", "no such"), ("nodes=-1", "number")] {
            let error = limits.set(text).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("constants=BYTES"), "{error}");
        }
    }

    #[test]
    fn an_error_names_what_exceeds_the_limit_and_how_to_raise_it_and_stays() {
        let budget = Budget::new(Limits { nodes: 10, ..Limits::default() });
        budget.charge_nodes("f", 10).unwrap();
        let error = budget.charge_nodes("g", 5).unwrap_err().to_string();
        assert!(
            error.contains("\"g\"") && error.contains("15 nodes") && error.contains("nodes=150"),
            "{error}"
        );
        assert_eq!(budget.check().unwrap_err().to_string(), error);
        assert_eq!(budget.charge_constants("Add", 1).unwrap_err().to_string(), error);
        let unlimited = Budget::new(Limits::NONE);
        unlimited.charge_nodes("f", usize::MAX).unwrap();
        unlimited.charge_nodes("f", usize::MAX).unwrap();
    }
}
