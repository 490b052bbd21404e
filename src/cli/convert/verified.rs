//! `convert --verify`: the model is run and compared before it is renamed to the output.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;

use crate::cli::verify::{shown, tolerance, verdict};
use crate::convert::{Conversion, Evaluated};
use crate::error::{Error, Result};
use crate::onnx::{self, WriteOptions, WrittenFiles, WrittenModel, write_beside, write_model};
use crate::output::{
    OutputFile, folder_beside, keep_owner, keep_permissions, rename_all, target_of, unwritable,
};
use crate::setting::Setting;
use crate::source::Source;
use crate::temporary::Temporary;
use crate::verify::{
    ArrayFile, Difference, Executable, FLOAT16_TOLERANCE, InputSource, Limit, Limits, Named, RandomInputs,
    TOLERANCE, compare, compare_all, departs, find, is_contradiction, read_arrays,
};

/// The heading of these options in the help.
pub const CHECKS: &str = "Verification";

/// Whether and how a model is verified.
#[derive(Debug, Clone, clap::Args)]
pub struct VerificationArgs {
    /// Run the model and compare its outputs with the TensorFlow graph, which is evaluated op by op; a model that differs
    /// is not written, and the summary names what could not be compared
    #[arg(long, help_heading = CHECKS)]
    verify: bool,
    /// The inputs for --verify: .npz, .npy or NAME=FILE.npy (repeatable) [default: random inputs]
    #[arg(long, help_heading = CHECKS, value_name = "FILE", requires = "verify")]
    verify_inputs: Vec<ArrayFile>,
    /// The largest difference that is accepted, relative to the largest expected value [default: 2e-5; 1e-2 with
    /// --float16]
    #[arg(long, help_heading = CHECKS, value_name = "X", value_parser = tolerance, requires = "verify",
          allow_negative_numbers = true)]
    tolerance: Option<f64>,
    /// What the model may use while --verify runs it: seconds=N, or memory=N bytes, NMB or NGB (repeatable) [default: by the sizes of
    /// the model and its inputs]
    #[arg(long, help_heading = CHECKS, value_name = "KEY=VALUE", requires = "verify")]
    verify_limit: Vec<Limit>,
}

/// The verdict on a model. A model that differs from the TensorFlow graph is an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// The whole model was compared.
    Verified,
    /// A part of the model was compared.
    Partial,
    /// Nothing was compared.
    Unverified,
}

/// The result of a verification.
#[derive(Debug, Serialize)]
pub struct Verification {
    verdict: Verdict,
    tolerance: f64,
    outputs: Vec<Difference>,
    /// For a model in float16: its outputs if each op rounds its result to float16.
    float16: Vec<Difference>,
    /// Tensors inside of the model.
    inside: Vec<Difference>,
    /// Ops whose results were taken from the model, with the number of their nodes.
    trusted: BTreeMap<String, usize>,
    /// Outputs that were not evaluated.
    unverified_outputs: Vec<String>,
    /// Why not the whole model was compared.
    reason: Option<String>,
}

impl Verification {
    fn unverified(tolerance: f64, reason: &Error) -> Self {
        Self {
            verdict: Verdict::Unverified,
            tolerance,
            outputs: vec![],
            float16: vec![],
            inside: vec![],
            trusted: BTreeMap::new(),
            unverified_outputs: vec![],
            reason: Some(reason.to_string()),
        }
    }

    /// The comparison with a graph that may have been evaluated only in part.
    fn of(evaluated: Evaluated, outputs: Vec<Difference>, inside: Vec<Difference>, tolerance: f64) -> Self {
        let counted = |ops: &BTreeMap<String, usize>| -> Vec<String> {
            let count = |count| if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
            ops.iter().map(|(op, &nodes)| format!("{op} ({})", count(nodes))).collect()
        };
        let all: BTreeMap<String, usize> =
            evaluated.trusted.iter().chain(&evaluated.lost).map(|(op, &count)| (op.clone(), count)).collect();
        let reason = (!all.is_empty()).then(|| format!("{} not evaluated here", are(&counted(&all))));
        let verdict = match (outputs.is_empty() && inside.is_empty(), &reason) {
            (true, _) => Verdict::Unverified,
            (_, Some(_)) => Verdict::Partial,
            (_, None) => Verdict::Verified,
        };
        let (trusted, unverified_outputs) = (evaluated.trusted, evaluated.unknown);
        let float16 = vec![];
        Self { verdict, tolerance, outputs, float16, inside, trusted, unverified_outputs, reason }
    }

    /// With the comparison in float16, or the reason why there is none.
    fn with_float16(self, outputs: &Result<Vec<Named>>, expected: &[Named]) -> Self {
        match outputs {
            Ok(outputs) => Self { float16: compare_all(outputs, expected, self.tolerance), ..self },
            Err(error) => {
                let why = format!("the effect of rounding to float16 cannot be evaluated: {error}");
                let reason = self.reason.into_iter().chain([why]).collect::<Vec<_>>().join("; ");
                let verdict = match self.verdict {
                    Verdict::Unverified => Verdict::Unverified,
                    _ => Verdict::Partial,
                };
                Self { verdict, reason: Some(reason), ..self }
            }
        }
    }

    fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.outputs.iter().chain(&self.float16).chain(&self.inside)
    }

    /// In one sentence.
    pub fn line(&self) -> String {
        let worst = self.differences().map(|difference| difference.relative).fold(0.0, f64::max);
        let compared = format!(
            "differs from the evaluated TensorFlow graph by at most {worst:.1e} of the largest value (tolerance {})",
            shown(self.tolerance)
        );
        let compared = match &self.float16[..] {
            [] => compared,
            _ => format!(
                "{compared}; the evaluation rounded to float16 after each op, and rten ran the written model, which computes in \
                 float32"
            ),
        };
        let reason = self.reason.as_deref().unwrap_or("nothing could be compared");
        match self.verdict {
            Verdict::Verified => format!("verified: {compared}"),
            Verdict::Unverified => format!("not verified: {reason}"),
            Verdict::Partial => {
                let outputs = match &self.unverified_outputs[..] {
                    [] => String::new(),
                    names => format!("; not verified: {}", names.join(", ")),
                };
                let trusted: Vec<&str> = self.trusted.keys().map(String::as_str).collect();
                let trusted = match &trusted[..] {
                    [] => String::new(),
                    ops => format!("; the results of {} were taken from the model", ops.join(", ")),
                };
                format!("verified in part: {compared}; {reason}{trusted}{outputs}")
            }
        }
    }
}

/// `A is`, or `A and B are`.
fn are(names: &[String]) -> String {
    match names {
        [name] => format!("{name} is"),
        [names @ .., last] => format!("{} and {last} are", names.join(", ")),
        [] => String::new(),
    }
}

impl VerificationArgs {
    /// Writes the model to a temporary file or folder, and verifies it with `--verify`.
    pub fn write(
        &self,
        (source, conversion): (&Source, &Conversion),
        output: &Path,
        options: &WriteOptions,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(Pending, Option<Verification>)> {
        if !self.verify {
            return Ok((Pending::Written(write_beside(&conversion.model, output, options, progress)?), None));
        }
        let staged = Staged::new(output)?;
        let written = write_model(&conversion.model, &staged.path, options, progress)
            .map_err(|error| error.with_path_replaced(&staged.path, output))?;
        let default = if conversion.float16.is_some() { FLOAT16_TOLERANCE } else { TOLERANCE };
        let tolerance = self.tolerance.unwrap_or(default);
        let limits = Limits::of(Setting::VerifyLimit, &self.verify_limit);
        let verification = limits
            .compared(written.bytes, || self.compare((source, conversion), &staged.path, tolerance, &limits))
            .map_err(|error| error.with_path_replaced(&staged.path, output))?;
        let differences: Vec<Difference> = verification.differences().cloned().collect();
        verdict(output, &differences, tolerance).map_err(|error| {
            let advice = format!("it is not written; convert without {} to look at it", Setting::Verify);
            error.advice(advice)
        })?;
        let reason = verification
            .reason
            .map(|reason| reason.replace(&*staged.path.to_string_lossy(), &output.to_string_lossy()));
        Ok((Pending::Verified(staged, written), Some(Verification { reason, ..verification })))
    }

    fn compare(
        &self,
        (source, conversion): (&Source, &Conversion),
        path: &Path,
        tolerance: f64,
        limits: &Limits,
    ) -> Result<Verification> {
        // If it cannot be run or evaluated, the model may still be right.
        let unverified = |error: &Error| Ok(Verification::unverified(tolerance, error));
        let model = match Executable::load_within(path, limits) {
            Ok(model) => model,
            Err(error) => {
                return self.compare_before((source, conversion), (path, limits), tolerance, &error);
            }
        };
        let declared = match model.inputs() {
            Ok(inputs) => inputs,
            Err(error) => return unverified(&error),
        };
        let names: Vec<String> = declared.iter().map(|input| input.name.clone()).collect();
        let inputs = match &self.verify_inputs[..] {
            [] => match InputSource::Random(RandomInputs::default()).arrays(&declared) {
                Ok(inputs) => inputs,
                Err(error) => {
                    let advice = format!(
                        "give an input with {}, or its shape with {}",
                        Setting::VerifyInputs,
                        Setting::Shape
                    );
                    return unverified(&error.advice(advice));
                }
            },
            given => InputSource::Given(read_arrays(given, &names)?).arrays(&declared)?,
        };
        let outputs = match model.run(&inputs) {
            Ok(outputs) => outputs,
            Err(error) => {
                // The graph may not accept random inputs, either.
                let is_wrong =
                    is_contradiction(&error) && conversion.evaluate(source, &inputs, &|_, _| ()).is_ok();
                return match is_wrong {
                    true => Err(error),
                    false => self.compare_before((source, conversion), (path, limits), tolerance, &error),
                };
            }
        };
        // From here on, the weights are read from the source.
        drop(model);
        let mut execute =
            |model: &onnx::Model, inputs: &[Named]| executable(model, path, limits)?.run(inputs);
        let evaluated = match conversion.evaluate_past(source, &inputs, &departs, &mut execute) {
            Ok(evaluated) => evaluated,
            Err(error) => return unverified(&error),
        };
        let differences = compare_all(&outputs, &evaluated.outputs, tolerance);
        let inside = evaluated.layers.iter();
        let inside =
            inside.map(|layer| compare(&layer.name, &layer.got, &layer.expected, tolerance)).collect();
        let float16 = conversion.float16.is_some().then(|| conversion.evaluate_in_float16(&inputs));
        let expected = evaluated.outputs.clone();
        let verification = Verification::of(evaluated, differences, inside, tolerance);
        Ok(match float16 {
            Some(outputs) => verification.with_float16(&outputs, &expected),
            None => verification,
        })
    }

    /// Compares the part of the model before the operators that the runtime cannot execute.
    fn compare_before(
        &self,
        (source, conversion): (&Source, &Conversion),
        (path, limits): (&Path, &Limits),
        tolerance: f64,
        error: &Error,
    ) -> Result<Verification> {
        let names: Vec<String> = conversion.model.inputs.iter().map(|input| input.name.clone()).collect();
        let given = match &self.verify_inputs[..] {
            [] => None,
            given => {
                let arrays = read_arrays(given, &names)?;
                let array = |name: &String| Some((name.clone(), find(&arrays, name)?.1.clone()));
                Some(names.iter().filter_map(array).collect::<Vec<Named>>())
            }
        };
        let mut probe = |model: &onnx::Model, given: Option<&[Named]>| {
            let model = executable(model, path, limits)?;
            let declared = model.inputs()?;
            let inputs = match given {
                None => InputSource::Random(RandomInputs::default()).arrays(&declared)?,
                Some(given) => {
                    let is_read = |(name, _): &&Named| declared.iter().any(|input| input.name == *name);
                    given.iter().filter(is_read).cloned().collect()
                }
            };
            let outputs = model.run(&inputs)?;
            Ok((inputs, outputs))
        };
        let layers =
            conversion.evaluate_before(source, given.as_deref(), &departs, &mut probe).unwrap_or_default();
        let inside: Vec<Difference> =
            layers.iter().map(|layer| compare(&layer.name, &layer.got, &layer.expected, tolerance)).collect();
        let unverified = Verification::unverified(tolerance, error);
        if inside.is_empty() {
            return Ok(unverified);
        }
        let outputs = conversion.model.outputs.iter().map(|output| output.name.clone());
        let unverified_outputs =
            outputs.filter(|name| !layers.iter().any(|layer| layer.name == *name)).collect();
        Ok(Verification { verdict: Verdict::Partial, inside, unverified_outputs, ..unverified })
    }
}

/// A model with other outputs, to look at tensors inside of the one at `path`. It is written beside that.
fn executable(model: &onnx::Model, path: &Path, limits: &Limits) -> Result<Executable> {
    let path = path.with_file_name("inside.onnx");
    write_model(model, &path, &WriteOptions { external_data: false }, &|_, _| ())?;
    Executable::load_within(&path, limits)
}

/// A model that is written and not yet renamed to the output.
pub enum Pending {
    Written(WrittenModel),
    /// A verified model in a folder of its own, with the files that were written there.
    Verified(Staged, WrittenFiles),
}

impl Pending {
    /// The files that were written.
    pub fn files(&self) -> WrittenFiles {
        match self {
            Self::Written(written) => written.files.clone(),
            Self::Verified(staged, written) => {
                WrittenFiles { external_data: staged.weights(written).map(|(_, target)| target), ..*written }
            }
        }
    }

    /// Renames it to the output.
    ///
    /// # Errors
    /// If the output cannot be replaced.
    pub fn persist(self) -> Result<()> {
        match self {
            Self::Written(written) => written.persist(),
            Self::Verified(staged, written) => staged.persist(&written),
        }
    }
}

/// A folder beside the output, which holds the model under its own name until it is renamed.
pub struct Staged {
    /// Removed on drop.
    _folder: Temporary<TempDir>,
    path: PathBuf,
    /// Where the model goes.
    target: PathBuf,
}

impl Staged {
    fn new(output: &Path) -> Result<Self> {
        // An output that cannot be written is an error now, not after the model was run.
        OutputFile::create(output)?;
        let target = target_of(output)?;
        let folder = folder_beside(&target)?;
        let path = folder.path().join(target.file_name().unwrap_or_default());
        Ok(Self { _folder: folder, path, target })
    }

    /// The file with the weights, and where it goes.
    fn weights<'w>(&self, written: &'w WrittenFiles) -> Option<(&'w Path, PathBuf)> {
        let path = written.external_data.as_deref()?;
        Some((path, self.target.with_file_name(path.file_name()?)))
    }

    /// Renames the weights first, so that there is never a model without its weights.
    fn persist(self, written: &WrittenFiles) -> Result<()> {
        let weights = self.weights(written).map(|(path, target)| Ok((path, target_of(&target)?)));
        let mut files = weights.into_iter().collect::<Result<Vec<(&Path, PathBuf)>>>()?;
        files.push((&self.path, self.target.clone()));
        for (path, target) in &files {
            let file = File::open(path).map_err(|error| unwritable(target, &error))?;
            keep_permissions(&file, target)?;
            keep_owner(&file, target);
        }
        rename_all(files.iter().map(|(path, target)| (*path, target.as_path())))
    }
}
