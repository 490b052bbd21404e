//! `--report`: the files of reports, opened before the conversion and written after it.

use std::path::{Path, PathBuf};

use super::{Args, Converted};
use crate::error::Result;
use crate::file_state::FileState;
use crate::output::{OutputFile, refuse_same_path};
use crate::report::{ConversionReport, Format, Subject, Timing};

/// The file of a report.
#[derive(Debug, Clone)]
pub struct Destination {
    pub path: PathBuf,
    format: Format,
}

impl Destination {
    /// Reads the value of `--report`.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let path = PathBuf::from(text);
        match Format::of(&path) {
            Some(format) => Ok(Self { path, format }),
            None => Err("the file name has to end in .html or .json".to_owned()),
        }
    }
}

/// A line for each report in the summary of a conversion.
pub fn lines(destinations: &[Destination]) -> String {
    destinations.iter().map(|destination| format!("report {}\n", destination.path.display())).collect()
}

/// The reports of a conversion. Their files are created before anything is converted, so that a missing folder is an error
/// early.
pub struct Reports<'a>(Vec<(&'a Destination, OutputFile)>);

impl<'a> Reports<'a> {
    /// Creates the files for the reports of a conversion to `output`.
    ///
    /// # Errors
    /// If a file cannot be written, or two of them are the same.
    pub fn begin(destinations: &'a [Destination], output: &Path) -> Result<Self> {
        let mut begun: Vec<(&Destination, OutputFile)> = vec![];
        for destination in destinations {
            let path = &destination.path;
            let others = begun.iter().map(|(other, _)| other.path.as_path());
            refuse_same_path(path, others.chain([output]))?;
            begun.push((destination, OutputFile::create(path)?));
        }
        Ok(Self(begun))
    }

    /// Writes them to temporary files.
    ///
    /// # Errors
    /// If a weight cannot be read again or has changed, or a file cannot be written.
    pub fn write(&self, args: &Args, converted: &Converted) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Converted { options, conversion, written, opening, writing, .. } = converted;
        let crate::convert::Timing { building, rewriting, lowering } = conversion.timing;
        let timing =
            Timing { opening: *opening, building, rewriting, lowering, writing: *writing, report: 0.0 };
        let subject = Subject { input: args.input(), output: args.output(), options, written, timing };
        let report = ConversionReport::new(subject, conversion)?;
        self.0.iter().try_for_each(|(destination, file)| report.write(file, destination.format))?;
        // The weights were read again.
        conversion.model.sources.iter().try_for_each(FileState::check)
    }

    /// Renames the temporary files.
    ///
    /// # Errors
    /// If an existing file cannot be replaced.
    pub fn persist(self) -> Result<()> {
        OutputFile::persist_all(self.0.into_iter().map(|(_, file)| file), &[])
    }
}
