//! `tf2onnx-rs convert`

pub mod choices;
mod input;
mod interface;
mod options;
mod report;
mod standard_output;
mod summary;
mod temporary_model;
mod tf2onnx;
mod verified;

use std::path::{Path, PathBuf};
use std::time::Instant;

use choices::Choices;
pub use input::{InputArgs, image_size};
pub use options::ConversionArgs;
use standard_output::ToStandardOutput;
pub use summary::{Summary, graph_line, join, network_line, options_of};
use temporary_model::TemporaryModel;
pub use tf2onnx::HEADING as TF2ONNX_HEADING;
use tf2onnx::{Tf2onnxArgs, ToArchive};
pub use verified::{Pending, Verification};

use super::{output, progress};
use crate::convert::{Conversion, ConvertOptions, Note, NoteKind, convert};
use crate::error::{Error, Result};
use crate::onnx::WrittenFiles;
use crate::output::refuse_overwriting;
use crate::source::Source;

/// Converts a checkpoint, a graph or a SavedModel to an ONNX model.
///
/// A checkpoint does not need a graph: if there is none, the network is recognized by its variables and rebuilt.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs convert inception_v3.ckpt inception_v3.onnx
  tf2onnx-rs convert inception_v3_2016_08_28.tar.gz inception_v3.onnx
  tf2onnx-rs convert train_dir/ model.onnx --image-size 224 --inputs-as-nchw input:0
  tf2onnx-rs convert model.ckpt-5000 model.onnx --graph inference_graph.pb
  tf2onnx-rs convert saved_model/ model.onnx --signature serving_default
  tf2onnx-rs convert frozen.pb model.onnx --outputs scores:0,boxes:0 --shape images=1,300,300,3
  tf2onnx-rs convert my_net.ckpt my_net.onnx --network my_net.toml --verify
  tf2onnx-rs convert model.ckpt-5000 features.onnx --outputs Mixed_6e,PreLogits
  tf2onnx-rs convert inception_v3.ckpt inception_v3.onnx --report inception_v3.html
  tf2onnx-rs convert inception_v3.ckpt app.onnx --preprocess inception --labels labels.txt
  tf2onnx-rs convert web_model/model.json model.onnx
  tf2onnx-rs convert --saved-model saved_model --output model.onnx
  curl https://example.org/frozen.pb | tf2onnx-rs convert - model.onnx")]
pub struct Args {
    /// A checkpoint (a V1 file, or the prefix or any file of a V2 checkpoint), a .meta, .pb or .pbtxt file, a SavedModel,
    /// a model.json of TensorFlow.js, a folder or archive with one of these, or - for standard input
    #[arg(required_unless_present = "given_input")]
    input: Option<PathBuf>,
    /// The ONNX file to write, or - for standard output
    #[arg(required_unless_present_any = ["given_input", "given_output"])]
    output: Option<PathBuf>,
    #[command(flatten)]
    conversion: Choices,
    #[command(flatten)]
    tf2onnx: Tf2onnxArgs,
    /// Write a report about what was read, assumed and converted, as a web page or as data (repeatable)
    #[arg(long, value_name = "FILE.html|FILE.json", value_delimiter = ',', value_parser = report::Destination::parse)]
    report: Vec<report::Destination>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// List every layer that something was assumed about
    #[arg(short, long, overrides_with = "verbose")]
    verbose: bool,
}

/// A finished conversion.
pub struct Converted {
    pub options: ConvertOptions,
    pub conversion: Conversion,
    pub written: WrittenFiles,
    /// The result of `--verify`.
    pub verification: Option<Verification>,
    pub seconds: f64,
    /// The seconds of these that opening the input took.
    pub opening: f64,
    /// The seconds of these that writing the model took.
    pub writing: f64,
}

impl Args {
    /// The input, as an option or an argument.
    fn input(&self) -> &Path {
        self.tf2onnx.given_input.as_ref().or(self.input.as_ref()).map_or(Path::new(""), PathBuf::as_path)
    }

    /// The output, as an option or an argument. Beside an input that is an option, the first argument is the output.
    fn output(&self) -> &Path {
        let only_argument = self.input.as_ref().filter(|_| self.tf2onnx.given_input.is_some());
        let output = self.tf2onnx.given_output.as_ref().or(self.output.as_ref()).or(only_argument);
        output.map_or(Path::new(""), PathBuf::as_path)
    }

    /// Refuses arguments that do not go with the options of tf2onnx.
    fn check(&self) -> Result<()> {
        self.tf2onnx.check()?;
        let has_output = self.tf2onnx.given_output.is_some() || self.output.is_some();
        if let (Some(given), Some(input), true) = (&self.tf2onnx.given_input, &self.input, has_output) {
            let inputs = format!("{} and {}", given.display(), input.display());
            return Err(
                Error::new("convert", format!("it has two inputs, {inputs}")).advice("leave one of them out")
            );
        }
        if self.output() == Path::new("") {
            return Err(Error::new("convert", "no output is named").advice("give it with --output FILE"));
        }
        Ok(())
    }
}

pub fn run(args: &Args) -> Result<()> {
    args.check()?;
    let reports = report::Reports::begin(&args.report, args.output())?;
    let is_sent = args.output().as_os_str() == standard_output::PATH;
    let sent = is_sent.then(ToStandardOutput::begin).transpose()?;
    let is_packed = args.tf2onnx.is_archive(args.output());
    let packed = is_packed.then(|| ToArchive::begin(args.output())).transpose()?;
    let output = match (&sent, &packed) {
        (Some(sent), _) => sent.path(),
        (_, Some(packed)) => packed.path(),
        _ => args.output().to_owned(),
    };
    let bar = progress::byte_bar(args.quiet, "writing");
    let converted = args.convert(reports, (&output, packed.as_ref()), &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (source, converted) = converted.map_err(|error| match (&sent, &packed) {
        (Some(sent), _) => sent.error(error),
        (_, Some(packed)) => packed.error(error),
        _ => error,
    })?;
    let Converted { conversion, written, verification, seconds, .. } = &converted;
    let summary = Summary::new(args.input(), args.output(), conversion, written, *seconds)
        .with_source(&source)
        .with_verification(verification.as_ref());
    let text = match (args.json, args.quiet) {
        (true, _) => output::json(&summary)?,
        (_, true) => String::new(),
        _ => summary.text(conversion, args.verbose || args.tf2onnx.debug) + &report::lines(&args.report),
    };
    match sent {
        None => output::print(&text)?,
        Some(sent) => {
            sent.send(written)?;
            if !text.is_empty() {
                output::warn(text.trim_end());
            }
        }
    }
    // The process ends now. The system frees the memory faster than dropping does.
    std::mem::forget(converted);
    Ok(())
}

impl Args {
    /// Converts the input, and writes the model to `output`, which may be packed into an archive, and the reports.
    fn convert(
        &self,
        reports: report::Reports<'_>,
        (output, packed): (&Path, Option<&ToArchive>),
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(Source, Converted)> {
        let start = Instant::now();
        let mut choices = self.conversion.clone();
        if self.tf2onnx.has_external_data() {
            choices.set("external-data", vec!["true".into()]);
        }
        if let Some(signature) = self.tf2onnx.signature() {
            choices.set("signature", vec![signature.into()]);
        }
        let args = choices.typed()?;
        let source = Source::open(self.input(), &args.open_options())?;
        let files = source.files();
        self.report.iter().try_for_each(|report| refuse_overwriting(&report.path, &files))?;
        if packed.is_some() {
            refuse_overwriting(self.output(), &files)?;
        }
        let (mut converted, pending) = convert_model(&source, start, output, (&choices, &args), progress)?;
        let notes = self.tf2onnx.notes(self.output()).into_iter();
        converted.conversion.notes.extend(notes.map(|text| Note::info(NoteKind::Options, text)));
        // The model is written only if the reports and the frozen graph can be written.
        reports.write(self, &converted)?;
        self.tf2onnx.write_frozen_graph(&source, &args.input().to_options()?)?;
        pending.persist()?;
        if let Some(packed) = packed {
            packed.pack(&converted.written)?;
            converted.written.external_data = None;
        }
        reports.persist()?;
        Ok((source, converted))
    }

    /// Converts the input for a program: to the output, or to memory if that is standard output.
    ///
    /// # Errors
    /// If it cannot be converted, or the output cannot be written.
    pub fn call(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer> {
        self.check()?;
        let reports = report::Reports::begin(&self.report, self.output())?;
        let is_kept = self.output().as_os_str() == standard_output::PATH;
        let kept = is_kept.then(|| TemporaryModel::new("memory")).transpose()?;
        let output = kept.as_ref().map_or_else(|| self.output().to_owned(), TemporaryModel::path);
        let (source, converted) =
            self.convert(reports, (&output, None), progress).map_err(|error| match &kept {
                Some(kept) => kept.error(error),
                None => error,
            })?;
        let Converted { conversion, written, verification, seconds, .. } = &converted;
        let summary = Summary::new(self.input(), self.output(), conversion, written, *seconds)
            .with_source(&source)
            .with_verification(verification.as_ref());
        Ok(Answer {
            json: crate::cli::output::json(&summary)?,
            notes: summary.notes().to_vec(),
            text: summary.text(conversion, false),
            model: kept.map(|kept| kept.read(written)).transpose()?,
        })
    }
}

/// A finished conversion for a program.
pub struct Answer {
    /// The summary as JSON.
    pub json: String,
    /// The notes of the summary.
    pub notes: Vec<Note>,
    /// The summary in sentences.
    pub text: String,
    /// The model, if it is in no file.
    pub model: Option<Vec<u8>>,
}

/// Converts an open model as `args` say, which were made of `choices`. `start` is when opening it began. Persisting the second result moves the model to `output`.
/// `progress` is called with the bytes written so far and in total.
pub fn convert_model(
    source: &Source,
    start: Instant,
    output: &Path,
    (choices, args): (&Choices, &ConversionArgs),
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(Converted, Pending)> {
    let opening = start.elapsed().as_secs_f64();
    refuse_overwriting(output, source.files())?;
    let convert_and_write = |options: ConvertOptions| {
        let conversion = convert(source, &options)?;
        let converting = start.elapsed().as_secs_f64();
        let (pending, verification) =
            args.verification.write((source, &conversion), output, &args.write_options(), progress)?;
        let seconds = start.elapsed().as_secs_f64();
        let writing = seconds - converting;
        let written = pending.files();
        let converted = Converted { options, conversion, written, verification, seconds, opening, writing };
        Ok((converted, pending))
    };
    let options = || {
        let provenance = args.provenance.then(|| choices.shown());
        Ok(ConvertOptions { provenance, ..args.convert_options()? })
    };
    options().and_then(convert_and_write).map_err(|error| source.error(error))
}
