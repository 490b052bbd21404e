//! `tf2onnx-rs verify`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output::{self, Column};
use crate::error::{Error, Result};
use crate::output::{OutputFile, refuse_overwriting, refuse_same_path};
use crate::setting::Setting;
use crate::verify::{
    ArrayFile, Difference, Executable, InputSource, Limit, Limits, Named, RandomInputs, TOLERANCE,
    compare_all, parse_shape, read_arrays, save_arrays,
};

/// Runs an ONNX model and compares its outputs with arrays, or with the outputs of another model.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs verify model.onnx --inputs images.npy --expected logits:0=logits.npy
  tf2onnx-rs verify model.onnx --inputs feeds.npz --expected results.npz --tolerance 1e-4
  tf2onnx-rs verify model.onnx --against folded.onnx
  tf2onnx-rs verify model.onnx --against other.onnx --shape images=1,300,300,3 --seed 7 --json")]
#[command(group(clap::ArgGroup::new("comparison").required(true).args(["expected", "against"])))]
pub struct Args {
    /// The ONNX model to run
    model: PathBuf,
    /// The inputs: an .npz file with an array for each input, an .npy file for a single input, or NAME=FILE.npy
    /// (repeatable) [default: random inputs; required with --expected]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shape", "seed"])]
    inputs: Vec<ArrayFile>,
    /// The expected outputs, in the same forms as --inputs; not all outputs are needed (repeatable)
    #[arg(long, value_name = "FILE", requires = "inputs", conflicts_with = "against")]
    expected: Vec<ArrayFile>,
    /// Another ONNX model that should have the same outputs
    #[arg(long, value_name = "OTHER.onnx")]
    against: Option<PathBuf>,
    /// The shape of a random input, if the model leaves more axes open than the batch (repeatable)
    #[arg(long, value_name = "NAME=DIMS")]
    shape: Vec<String>,
    /// The seed of random inputs: the same seed makes the same inputs
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed, allow_negative_numbers = true)]
    seed: u64,
    /// The largest difference that is accepted, relative to the largest expected value
    #[arg(long, value_name = "X", default_value_t = TOLERANCE, value_parser = tolerance,
          allow_negative_numbers = true)]
    tolerance: f64,
    /// What a model may use while it runs: seconds=N, or memory=N bytes, NMB or NGB (repeatable) [default: by the sizes of
    /// the model and its inputs]
    #[arg(long, value_name = "KEY=VALUE")]
    limit: Vec<Limit>,
    /// Write the inputs of the model to this file
    #[arg(long, value_name = "FILE.npz", value_parser = archive)]
    save_inputs: Option<PathBuf>,
    /// Write the outputs of the model to this file
    #[arg(long, value_name = "FILE.npz", value_parser = archive)]
    save_outputs: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Comparison<'a> {
    #[serde(serialize_with = "output::path")]
    model: &'a Path,
    #[serde(serialize_with = "output::optional_path")]
    against: Option<&'a Path>,
    /// `null` if inputs were given.
    seed: Option<u64>,
    tolerance: f64,
    ok: bool,
    outputs: &'a [Difference],
}

pub fn run(args: &Args) -> Result<()> {
    let differences = compare_outputs(args, |report| match (args.json, args.quiet) {
        (true, _) => output::print_json(report),
        (_, true) => Ok(()),
        _ => output::print(&report.text(&args.expected)),
    })?;
    verdict(&args.model, &differences, args.tolerance)
}

/// The result for a program: as JSON and in sentences. That outputs differ is a result, and no error.
///
/// # Errors
/// If the model cannot be run, or there is nothing to compare.
pub fn call(args: &Args) -> Result<(String, String)> {
    let mut shown = (String::new(), String::new());
    compare_outputs(args, |report| {
        shown = (output::json(report)?, report.text(&args.expected));
        Ok(())
    })?;
    Ok(shown)
}

/// Runs the model, shows the result, and returns the differences.
fn compare_outputs(args: &Args, show: impl FnOnce(&Comparison<'_>) -> Result<()>) -> Result<Vec<Difference>> {
    // Files that cannot be written are errors before the model runs.
    for path in [&args.save_inputs, &args.save_outputs].into_iter().flatten() {
        OutputFile::create(path)?;
        refuse_overwriting(path, args.inputs.iter().chain(&args.expected).map(|file| &file.path))?;
    }
    if let (Some(inputs), Some(outputs)) = (&args.save_inputs, &args.save_outputs) {
        refuse_same_path(outputs, [inputs])?;
    }
    let limits = Limits::of(Setting::Limit, &args.limit);
    let model = load(&args.model, &limits)?;
    let inputs = model.inputs()?;
    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let source = match &args.inputs[..] {
        [] => {
            let shapes = args.shape.iter().map(|text| parse_shape(text)).collect::<Result<_>>()?;
            InputSource::Random(RandomInputs { seed: args.seed, shapes })
        }
        given => InputSource::Given(read_arrays(given, &names)?),
    };
    let expected = match &args.against {
        None => Some(read_arrays(&args.expected, &model.outputs())?),
        Some(_) => None,
    };
    let inputs = source.arrays(&inputs).map_err(|error| error.within(args.model.display()))?;
    if let Some(path) = &args.save_inputs {
        save_arrays(path, &inputs)?;
    }
    let outputs = model.run(&inputs)?;
    drop(model);
    if let Some(path) = &args.save_outputs {
        save_arrays(path, &outputs)?;
    }
    let expected = match (expected, &args.against) {
        (Some(expected), _) => expected,
        (None, Some(other)) => run_other(other, &inputs, &limits)?,
        (None, None) => vec![],
    };
    if expected.is_empty() {
        return Err(Error::file(&args.model, "there is nothing to compare it with")
            .advice("give an array for at least one of its outputs"));
    }
    let differences = compare_all(&outputs, &expected, args.tolerance);
    let is_empty =
        |difference: &Difference| difference.shape.as_ref().is_some_and(|shape| shape.contains(&0));
    if differences.iter().all(is_empty) {
        return Err(Error::file(&args.model, "its outputs have no elements to compare")
            .advice("give inputs that are not empty"));
    }
    let report = Comparison {
        model: &args.model,
        against: args.against.as_deref(),
        seed: args.inputs.is_empty().then_some(args.seed),
        tolerance: args.tolerance,
        ok: differences.iter().all(|difference| difference.ok),
        outputs: &differences,
    };
    show(&report)?;
    Ok(differences)
}

/// The model at `path`, ready to be run.
fn load(path: &Path, limits: &Limits) -> Result<Executable> {
    let model = Executable::load_within(path, limits)?;
    if model.outputs().is_empty() {
        return Err(Error::file(path, "the model has no outputs"));
    }
    Ok(model)
}

/// Reads the path of an .npz file.
fn archive(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_npz = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"));
    if is_npz { Ok(path) } else { Err("arrays are saved as .npz".to_owned()) }
}

/// Reads a seed.
fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("not a whole number from 0 to {}", u64::MAX))
}

/// Reads a tolerance.
pub fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("not a number of at least 0".to_owned()),
    }
}

/// A tolerance in short form: `2e-5`.
pub fn shown(tolerance: f64) -> String {
    if tolerance == 0.0 { "0".to_owned() } else { format!("{tolerance:e}") }
}

/// The outputs of another model for the same inputs, which may have other names in it.
fn run_other(path: &Path, inputs: &[Named], limits: &Limits) -> Result<Vec<Named>> {
    let other = load(path, limits)?;
    let names: Vec<String> = other.inputs()?.into_iter().map(|input| input.name).collect();
    let is_known = |name: &String| crate::verify::find(inputs, name).is_some();
    if names.len() != inputs.len() || names.iter().any(is_known) {
        return other.run(inputs);
    }
    let renamed: Vec<Named> =
        names.into_iter().zip(inputs).map(|(name, (_, tensor))| (name, tensor.clone())).collect();
    other.run(&renamed)
}

/// The error if an output is beyond the tolerance.
pub fn verdict(model: &Path, differences: &[Difference], tolerance: f64) -> Result<()> {
    let beyond: Vec<&Difference> = differences.iter().filter(|difference| !difference.ok).collect();
    let Some(worst) = beyond.iter().max_by(|a, b| a.relative.total_cmp(&b.relative)) else { return Ok(()) };
    let which = match beyond.len() {
        1 => format!("output {}", worst.name),
        count => format!("{count} of {} outputs are beyond the tolerance; {}", differences.len(), worst.name),
    };
    let problem = match &worst.problem {
        Some(problem) => format!("{which} cannot be compared: {problem}"),
        None if worst.max_difference.is_infinite() => {
            format!("{which} differs: NaN or infinity at {:?}", worst.at.as_deref().unwrap_or_default())
        }
        None => format!(
            "{which} differs by {:.3e}, which is {:.1e} of the largest expected value and more than {}",
            worst.max_difference,
            worst.relative,
            shown(tolerance)
        ),
    };
    Err(Error::file(model, problem))
}

/// A line for each output.
pub fn table(differences: &[Difference]) -> String {
    const COLUMNS: [Column; 8] = [
        Column::names("output"),
        Column::new("shape"),
        Column::new("largest difference"),
        Column::new("at"),
        Column::new("mean"),
        Column::new("relative"),
        Column::new("same largest"),
        Column::sentences(""),
    ];
    let rows = differences.iter().map(|difference| {
        let number = |number: f64| if number == 0.0 { "0".to_owned() } else { format!("{number:.2e}") };
        let measured = |value: f64| if difference.problem.is_some() { String::new() } else { number(value) };
        vec![
            difference.name.clone(),
            difference.shape.as_deref().map(output::shape).unwrap_or_default(),
            measured(difference.max_difference),
            difference.at.as_deref().map(output::shape).unwrap_or_default(),
            measured(difference.mean_difference),
            measured(difference.relative),
            difference.top1.map(|top1| format!("{} of {}", top1.agree, top1.rows)).unwrap_or_default(),
            match (&difference.problem, difference.ok) {
                (Some(problem), _) => format!("beyond: {problem}"),
                (None, true) => "ok".to_owned(),
                (None, false) => "beyond".to_owned(),
            },
        ]
    });
    output::table(&COLUMNS, rows)
}

impl Comparison<'_> {
    fn text(&self, expected: &[ArrayFile]) -> String {
        let against = match self.against {
            Some(path) => path.display().to_string(),
            None => expected.iter().map(ArrayFile::to_string).collect::<Vec<_>>().join(", "),
        };
        let inputs = match self.seed {
            Some(seed) => format!("; random inputs, seed {seed}"),
            None => String::new(),
        };
        let mut text = format!(
            "{} against {against}{inputs}; tolerance {} of the largest expected value\n\n{}",
            self.model.display(),
            shown(self.tolerance),
            table(self.outputs)
        );
        let renamed: Vec<String> = self
            .outputs
            .iter()
            .filter_map(|difference| {
                let expected = difference.expected_name.as_ref()?;
                Some(format!("{} with {expected}", difference.name))
            })
            .collect();
        if !renamed.is_empty() {
            text += &format!("note: no names agree; outputs are compared in order: {}\n", renamed.join(", "));
        }
        text
    }
}
