//! `tf2onnx-rs inspect`

mod layers;
mod report;
mod text;

use std::path::{Path, PathBuf};

use super::convert::choices::Choices;
use super::{output, progress};
use crate::convert::ConvertOptions;
use crate::error::{Error, Result};
use crate::inspect::{
    BatchNormEntry, Inspected, Parts, conversion_fails, conversion_problem, draft, identify, inspect_tensors,
    layers_in, unused_variables,
};
use crate::output::OutputFile;
use crate::setting::Setting;
use crate::tensors_in_file::{NameFilter, NamePattern, TensorFile, parse_pattern};
use report::InspectReport;

/// Shows what is in a file: its tensors, its network or graph, its batch norms, and what to know before a conversion.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs inspect inception_v3.ckpt
  tf2onnx-rs inspect train_dir/ --match '*/gamma' --match '*/moving_variance'
  tf2onnx-rs inspect model.ckpt-5000 --stats --sort size
  tf2onnx-rs inspect model.ckpt-5000 --draft my_net.toml
  tf2onnx-rs inspect frozen.pb
  tf2onnx-rs inspect model.onnx --json")]
pub struct Args {
    /// A checkpoint (a V1 file, or the prefix or any file of a V2 checkpoint), a .meta, .pb or .pbtxt file, a SavedModel,
    /// a folder or archive with one of these, or an ONNX model
    input: PathBuf,
    /// Show only tensors and batch norms whose names match; * is any text, including slashes (repeatable)
    #[arg(long = "match", value_name = "GLOB", value_parser = parse_pattern)]
    patterns: Vec<NamePattern>,
    /// The order of the tensors
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Order::Name)]
    sort: Order,
    /// Read all tensors, and show statistics: minimum, maximum, mean, standard deviation, zeros, NaN and infinities
    #[arg(long)]
    stats: bool,
    /// Write a first description of the network, for convert's --network, from the layers that the variables of a checkpoint
    /// show
    #[arg(long, value_name = "FILE.toml")]
    draft: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Conversion, as for convert")]
    conversion: Choices,
}

/// The order in which tensors are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// By name
    Name,
    /// The largest first
    Size,
    /// By kind: weights, batch norms, optimizer slots and so on
    Kind,
    /// By type
    Dtype,
    /// In the order of the file; in a checkpoint, that is by name
    File,
}

pub fn run(args: &Args) -> Result<()> {
    with_report(args, !args.stats, |report| match args.json {
        true => output::print_json(report),
        false => output::print(&text::text(report)),
    })
}

/// The report for a program: as JSON and in sentences.
///
/// # Errors
/// If the file cannot be read.
pub fn call(args: &Args) -> Result<(String, String)> {
    with_report(args, true, |report| Ok((output::json(report)?, text::text(report))))
}

/// Makes the report and shows it. Reading all tensors is `quiet`, or has a progress bar.
fn with_report<T>(args: &Args, quiet: bool, show: impl FnOnce(&InspectReport<'_>) -> Result<T>) -> Result<T> {
    let conversion = args.conversion.typed()?;
    let file = TensorFile::open(&args.input, &conversion.open_options())?;
    args.conversion.check_use(&file)?;
    let options = conversion.convert_options()?;
    let filter = NameFilter::new(&args.patterns);
    if let Some(draft) = &args.draft {
        write_draft(&file, draft).map_err(|error| file.error(error))?;
    }
    let report = inspect((args, quiet), &file, &options, &filter).map_err(|error| file.error(error))?;
    file.check()?;
    show(&report)
}

fn inspect<'a>(
    (args, quiet): (&Args, bool),
    file: &'a TensorFile,
    options: &ConvertOptions,
    filter: &NameFilter,
) -> Result<InspectReport<'a>> {
    let mut tensors = file.tensors();
    let total = tensors.len();
    let mut identified = identify(file, &tensors, options)?;
    let problem = conversion_problem(file, &identified, options).map(|error| file.error(error));
    let parts = Parts::of(file);
    // The kind of a tensor depends on the names of the others, so that all names are needed.
    let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    tensors.retain(|tensor| filter.accepts(&tensor.name));
    identified.batch_norms.retain(|norm| accepts_norm(filter, norm));
    let bar = progress::byte_bar(quiet, "reading");
    bar.set_length(tensors.iter().filter_map(|tensor| tensor.byte_len()).sum::<usize>() as u64);
    let read = identified.read.as_ref();
    let mut tensors = inspect_tensors(tensors, &names, &parts, read, args.stats, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    for inspected in &mut tensors {
        inspected.problem = inspected.problem.take().map(|problem| file.error(problem));
    }
    sort(&mut tensors, args.sort);
    // A graph counts more than the network. If a conversion fails because of unused variables, its error names them.
    let is_rebuilt = identified.graph.is_none() && problem.is_none();
    let unused = identified.network.as_ref().ok().filter(|_| is_rebuilt);
    let unused =
        unused.and_then(|network| unused_variables(&network.recognition.network.name, &network.unused));
    let mut report = InspectReport::new(file, identified, tensors, total, args.stats);
    report.findings.extend(unused);
    report.findings.extend(problem.and_then(|problem| conversion_fails(file.path(), &problem)));
    Ok(report)
}

/// Writes a first description of the network of a checkpoint.
fn write_draft(file: &TensorFile, path: &Path) -> Result<()> {
    let checkpoint = match file {
        TensorFile::Model(model) => model.checkpoint(),
        TensorFile::Onnx(_) => None,
    };
    let Some(checkpoint) = checkpoint else {
        let problem = "a draft is made of the variables of a checkpoint, and this file is none";
        return Err(Error::file(file.path(), problem).advice(format!("leave out {}", Setting::Draft)));
    };
    if checkpoint.is_object_based() {
        let problem =
            "its variables have the names of Python objects, which the layers of a description do not have";
        return Err(Error::file(file.path(), problem).advice("give the SavedModel of the model to `convert`"));
    }
    // A draft is edited, so that a second one must not replace it.
    if path.exists() {
        return Err(Error::file(path, "exists already").advice("choose another name for the draft"));
    }
    let text = draft(&file.path().display().to_string(), &layers_in(file));
    let output = OutputFile::create(path)?;
    output.write_at(0, text.as_bytes())?;
    output.persist(&file.file_states())
}

/// Whether the name of a batch norm or of one of its parts matches.
fn accepts_norm(filter: &NameFilter, norm: &BatchNormEntry) -> bool {
    let parts = ["gamma", "beta", "moving_mean", "moving_variance"];
    filter.accepts(&norm.name) || parts.iter().any(|part| filter.accepts(&format!("{}/{part}", norm.name)))
}

fn sort(tensors: &mut [Inspected], order: Order) {
    if order == Order::File {
        return;
    }
    tensors.sort_unstable_by(|a, b| a.tensor.name.cmp(&b.tensor.name));
    // Sorting is stable: equal ones stay sorted by name.
    match order {
        Order::Name | Order::File => {}
        Order::Size => tensors.sort_by_key(|inspected| std::cmp::Reverse(inspected.tensor.byte_len())),
        Order::Kind => tensors.sort_by_key(|inspected| inspected.kind),
        Order::Dtype => tensors.sort_by(|a, b| a.tensor.type_name.cmp(&b.tensor.type_name)),
    }
}
