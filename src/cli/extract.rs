//! `tf2onnx-rs extract`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::convert::choices::Choices;
use super::{output, progress};
use crate::convert::{ConvertOptions, Note, NoteKind};
use crate::error::{Error, Result};
use crate::extract::{Choice, Chosen, Format, Layout, choose};
use crate::output::refuse_overwriting;
use crate::tensors_in_file::{NameFilter, NamePattern, TensorFile, parse_pattern};

/// Writes tensors to files for NumPy or safetensors.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs extract inception_v3.ckpt weights.npz
  tf2onnx-rs extract inception_v3.ckpt weights.safetensors --layout onnx
  tf2onnx-rs extract train_dir/ gammas/ --match '*/gamma' --with-synthesized
  tf2onnx-rs extract model.onnx weights.npz
  python -c 'import numpy; print(numpy.load(\"weights.npz\").files)'")]
pub struct Args {
    /// A checkpoint (a V1 file, or the prefix or any file of a V2 checkpoint), a frozen graph, a SavedModel, a folder or
    /// archive with one of these, or an ONNX model
    input: PathBuf,
    /// The file to write, .npz or .safetensors, or a new folder for .npy files
    output: PathBuf,
    /// Write only tensors whose names match; * is any text, including slashes (repeatable)
    #[arg(long = "match", value_name = "GLOB", value_parser = parse_pattern)]
    patterns: Vec<NamePattern>,
    /// The order of the axes of weights [default: that of the file]
    #[arg(long, value_name = "LAYOUT", value_enum)]
    layout: Option<Layout>,
    /// Also write the parts of batch norms that are not stored: ones for gamma, zeros for beta
    #[arg(long)]
    with_synthesized: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
    #[command(
        flatten,
        next_help_heading = "Conversion, as for convert: with --layout onnx and --with-synthesized"
    )]
    conversion: Choices,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    input: &'a Path,
    output: &'a Path,
    /// The number of tensors that were written.
    tensors: usize,
    /// The number of these that are ones or zeros and not stored in the file.
    synthesized: usize,
    /// Bytes of their elements.
    bytes: u64,
    notes: Vec<String>,
}

/// Refuses options of a conversion if tensors are written as they are stored.
fn refuse_conversion(args: &Args) -> Result<()> {
    let Some(option) = args.conversion.beyond_opening() else { return Ok(()) };
    let problem = "it applies to a conversion, and the tensors are written as they are stored";
    Err(Error::new(format!("--{option}"), problem).advice("add --layout onnx, or leave it out"))
}

pub fn run(args: &Args) -> Result<()> {
    let format = Format::of(&args.output)?;
    let conversion = args.conversion.typed()?;
    let file = TensorFile::open(&args.input, &conversion.open_options())?;
    args.conversion.check_use(&file)?;
    if args.layout != Some(Layout::Onnx) && !args.with_synthesized {
        refuse_conversion(args)?;
    }
    let summary =
        extract(args, format, &file, conversion.convert_options()?).map_err(|error| file.error(error))?;
    match (args.json, args.quiet) {
        (true, _) => output::print_json(&summary),
        (_, true) => Ok(()),
        _ => output::print(&summary.text()),
    }
}

fn extract<'a>(
    args: &'a Args,
    format: Format,
    file: &'a TensorFile,
    options: ConvertOptions,
) -> Result<Summary<'a>> {
    let choice = Choice {
        filter: NameFilter::new(&args.patterns),
        layout: args.layout,
        with_synthesized: args.with_synthesized,
        options,
    };
    let Chosen { mut tensors, synthesized, mut notes } = choose(file, &choice)?;
    tensors.retain(|tensor| {
        let dtype = tensor.value.dtype();
        let can_hold = format.can_hold(dtype);
        if !can_hold {
            let text = format!("{} is left out: {} has no type for {dtype}", tensor.name, format.name());
            notes.push(Note::info(NoteKind::Dtype, text).about(&tensor.name));
        }
        can_hold
    });
    if tensors.is_empty() {
        let problem = format!("{} has no type for any of the tensors", format.name());
        return Err(Error::file(&args.output, problem).advice("choose another output format"));
    }
    refuse_overwriting(&args.output, file.files())?;
    let bytes = tensors.iter().filter_map(|tensor| tensor.value.byte_len()).sum::<usize>() as u64;
    let bar = progress::byte_bar(args.quiet, "extracting");
    bar.set_length(bytes);
    let written = format.write(&tensors, &file.file_states(), &args.output, &mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    written?;
    Ok(Summary {
        input: file.path(),
        output: &args.output,
        tensors: tensors.len(),
        synthesized,
        bytes,
        notes: notes.into_iter().map(|note| note.text).collect(),
    })
}

impl Summary<'_> {
    fn text(&self) -> String {
        let count = output::count(self.tensors, "tensor");
        let mut text = format!("{} → {}: {count}", self.input.display(), self.output.display());
        if self.synthesized > 0 {
            text += &format!(", {} of them synthesized", self.synthesized);
        }
        text.push('\n');
        self.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
        text
    }
}
