//! The failures so far, for the table at the end of a run or at its interruption.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cli::output::Column;
use crate::cli::table;
use crate::error::Error;

/// The inputs that failed, and why. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Failures(Arc<Mutex<Vec<(PathBuf, String)>>>);

impl Failures {
    /// The list. A thread that panicked has not damaged it.
    fn list(&self) -> MutexGuard<'_, Vec<(PathBuf, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a failure.
    pub fn add(&self, path: &Path, error: &Error) {
        let text = error.to_string();
        let why = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
        self.list().push((path.to_owned(), why.to_owned()));
    }

    /// The number of failures.
    pub fn count(&self) -> usize {
        self.list().len()
    }

    /// A table of the failures, sorted by path, as wide as the terminal of standard error; empty if there are none.
    pub fn table(&self) -> String {
        let mut failures = self.list().clone();
        if failures.is_empty() {
            return String::new();
        }
        failures.sort_unstable();
        let rows = failures.into_iter().map(|(path, why)| vec![path.display().to_string(), why]);
        let columns = [Column::names("failed"), Column::sentences("why")];
        let width = table::width_of(&std::io::stderr());
        table::table(&columns, &rows.collect::<Vec<_>>(), width).trim_end().to_owned() + "\n"
    }

    /// The text if a signal ends the run.
    pub fn interrupted(&self) -> String {
        self.table() + "interrupted: run the command again with --resume to convert the rest"
    }
}
