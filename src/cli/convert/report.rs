//! `--report`: where reports go, and when they are begun and written.

use std::path::{Path, PathBuf};

use super::{Args, Converted};
use crate::error::Result;
use crate::output::{OutputFile, keep_apart};
use crate::report::{ConversionReport, Format, Subject, Timing};

/// A report that is asked for.
#[derive(Debug, Clone)]
pub struct Destination {
    pub path: PathBuf,
    format: Format,
}

impl Destination {
    /// The file that a report is asked for in.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let path = PathBuf::from(text);
        match Format::of(&path) {
            Some(format) => Ok(Self { path, format }),
            None => Err("its name ends neither in .html nor in .json".to_owned()),
        }
    }
}

/// A line for each report in the summary of a conversion.
pub fn lines(destinations: &[Destination]) -> String {
    destinations.iter().map(|destination| format!("report {}\n", destination.path.display())).collect()
}

/// Reports that are going to be written: their files are begun before anything is converted, so that a folder that is
/// missing is noticed in time.
pub struct Reports<'a>(Vec<(&'a Destination, OutputFile)>);

impl<'a> Reports<'a> {
    /// Begins the reports of a conversion to `output`.
    ///
    /// # Errors
    /// Where a file cannot be written, or two are one.
    pub fn begin(destinations: &'a [Destination], output: &Path) -> Result<Self> {
        let mut begun: Vec<(&Destination, OutputFile)> = vec![];
        for destination in destinations {
            let path = &destination.path;
            let others = begun.iter().map(|(other, _)| other.path.as_path());
            keep_apart(path, others.chain([output]))?;
            begun.push((destination, OutputFile::create(path)?));
        }
        Ok(Self(begun))
    }

    /// Writes them beside their places.
    ///
    /// # Errors
    /// Where a weight cannot be read again, or a file cannot be written.
    pub fn write(&self, args: &Args, converted: &Converted) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Converted { conversion, written, opening, writing, .. } = converted;
        let crate::convert::Timing { building, rewriting, lowering } = conversion.timing;
        let timing =
            Timing { opening: *opening, building, rewriting, lowering, writing: *writing, report: 0.0 };
        let options = &args.conversion.convert_options()?;
        let subject = Subject { input: &args.input, output: &args.output, options, written, timing };
        let report = ConversionReport::new(subject, conversion)?;
        self.0.iter().try_for_each(|(destination, file)| report.write(file, destination.format))
    }

    /// Puts them into their places.
    ///
    /// # Errors
    /// Where what is there cannot be replaced.
    pub fn persist(self) -> Result<()> {
        self.0.into_iter().try_for_each(|(_, file)| file.persist())
    }
}
