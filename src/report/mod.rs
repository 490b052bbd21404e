//! The report about a conversion: one [`ConversionReport`], written as a web page for people or as JSON for programs.
//!
//! The page is made only from the data, so that both have the same content.

mod assumptions;
mod batch_norms;
mod coordinates;
mod data;
mod histogram;
mod html;
mod layers;
mod layout;
pub mod numbers;
mod scopes;
mod warnings;

use std::io::{BufWriter, Write};
use std::path::Path;

pub use assumptions::Assumption;
pub use batch_norms::NormReport;
pub use data::{ConversionReport, Format, ModelReport, SourceReport, TensorReport, Timing, Totals, VERSION};
pub use histogram::Histogram;
pub use layers::{LayerReport, WeightReport};
pub use layout::Arrangement;
pub use scopes::{Part, Picture, Scope};
pub use warnings::Warning;

use crate::convert::{Conversion, ConvertOptions};
use crate::error::{Error, Result};
use crate::onnx::WrittenFiles;
use crate::output::OutputFile;

/// The paths, options and times of a conversion.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The path that the user gave.
    pub input: &'a Path,
    /// The model's path.
    pub output: &'a Path,
    /// The options.
    pub options: &'a ConvertOptions,
    /// The files that were written.
    pub written: &'a WrittenFiles,
    /// The times so far.
    pub timing: Timing,
}

impl ConversionReport {
    /// The report about a conversion. Every weight is read again for its statistics.
    ///
    /// # Errors
    /// If a weight cannot be read.
    pub fn new(subject: Subject<'_>, conversion: &Conversion) -> Result<Self> {
        let start = std::time::Instant::now();
        let Conversion { graph, batch_norms, model, .. } = conversion;
        let outputs: Vec<&str> = conversion.output_tensors().collect();
        let listed = layers::list(graph, batch_norms, &outputs);
        let constants: Vec<_> = listed.weights.iter().map(|(_, constant)| constant).collect();
        let numbers = histogram::of_all(&constants)?;
        let weights: Vec<WeightReport> = listed
            .weights
            .iter()
            .zip(numbers)
            .map(|((weight, _), (statistics, histogram))| WeightReport {
                statistics,
                histogram,
                ..weight.clone()
            })
            .collect();
        let norms = batch_norms::report(graph, batch_norms, &listed.weight_of, &weights);
        let totals = Totals::new(&listed.layers, &weights);
        let picture = Picture::new(&listed.layers);
        let warnings = warnings::collect(conversion, &weights, &norms);
        let timing = Timing { report: start.elapsed().as_secs_f64(), ..subject.timing };
        Ok(Self {
            report_version: VERSION,
            generator: format!("tf2onnx-rs {}", env!("CARGO_PKG_VERSION")),
            input: subject.input.display().to_string(),
            output: subject.output.display().to_string(),
            source: SourceReport::new(conversion),
            model: ModelReport::new(model, subject.written),
            totals,
            assumptions: assumptions::collect(conversion, subject.options),
            warnings,
            timing,
            layers: listed.layers,
            weights,
            batch_norms: norms,
            picture,
        })
    }

    /// Writes the report to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, file: &OutputFile, format: Format) -> Result<()> {
        let mut out = BufWriter::new(file.file());
        let written = match format {
            Format::Html => out.write_all(html::page(self).into_string().as_bytes()),
            Format::Json => serde_json::to_writer(&mut out, self)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
        };
        let flushed = written.and_then(|()| out.flush());
        flushed.map_err(|error: std::io::Error| -> Error { file.error(&error) })
    }
}
