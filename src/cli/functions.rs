//! The commands as functions for the Python module: arguments by their names, results as the values that `--json` prints.
//!
//! The arguments are those of the command line, from the same declarations, so that both have the same options.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, FromArgMatches};

pub use super::convert::Answer;
use super::convert::choices::is_flag;
use super::wording::option;
use super::{convert, inspect, networks, verify};
use crate::error::Error;
use crate::interruption::Interruption;
use crate::setting::Setting;

/// A command that is a function, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Converts a model.
    Convert,
    /// Describes a file.
    Inspect,
    /// Lists the networks, or describes one.
    Networks,
    /// Runs a model and compares its outputs.
    Verify,
}

/// Options of the command line that are no parameters: they say how it prints.
const PRINTING: [&str; 3] = ["json", "quiet", "verbose"];

impl Function {
    /// All functions.
    pub const ALL: [Self; 4] = [Self::Convert, Self::Inspect, Self::Networks, Self::Verify];

    /// Its name, which is that of the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convert => "convert",
            Self::Inspect => "inspect",
            Self::Networks => "networks",
            Self::Verify => "verify",
        }
    }

    /// The function of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// The options that it takes.
    pub fn parameters(self) -> Vec<Parameter> {
        let command = match self {
            Self::Convert => command::<convert::Args>(),
            Self::Inspect => command::<inspect::Args>(),
            Self::Networks => command::<networks::Args>(),
            Self::Verify => command::<verify::Args>(),
        };
        // Options of tf2onnx's command are arguments of tf2onnx's functions, which the package has too.
        let is_own = |arg: &&Arg| arg.get_help_heading() != Some(convert::TF2ONNX_HEADING);
        let named = command.get_arguments().filter(|arg| arg.get_long().is_some()).filter(is_own);
        named.map(Parameter::new).filter(|parameter| !PRINTING.contains(&&*parameter.name)).collect()
    }
}

/// A parameter of a function: an option of its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: that of the option, with underscores.
    pub name: String,
    /// Whether it is on or off, and has no other value.
    pub is_flag: bool,
    /// Whether it can have several values.
    pub is_list: bool,
    /// The form of its value, such as `NAME=DIMS`.
    pub form: Option<String>,
    /// What it does.
    pub help: String,
}

impl Parameter {
    fn new(arg: &Arg) -> Self {
        Self {
            name: parameter_name(arg.get_long().unwrap_or_default()),
            is_flag: is_flag(arg),
            is_list: matches!(arg.get_action(), ArgAction::Append),
            form: arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string),
            help: arg.get_help().map(StyledStr::to_string).unwrap_or_default(),
        }
    }
}

/// The arguments of a call: files, and the values of options by the names of their parameters. A flag has none, and is on.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Those without a name.
    pub files: Vec<OsString>,
    /// Those with a name.
    pub options: Vec<(String, Vec<OsString>)>,
}

/// Why a call fails.
#[derive(Debug)]
pub enum Failure {
    /// The arguments are wrong.
    Usage(Misuse),
    /// The work failed.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What is wrong with the arguments of a call. Parameters have their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misuse {
    /// A parameter cannot have this value.
    Value {
        /// The parameter.
        parameter: String,
        /// Its value.
        value: String,
        /// Why it is wrong.
        problem: String,
    },
    /// Two parameters exclude each other.
    Conflict(String, String),
    /// Some parameters are missing.
    Missing(Vec<String>),
    /// Something else, as the command line puts it.
    Other(String),
}

/// Converts a model. `progress` receives the bytes that are written so far, and the bytes of all files.
///
/// The second file is the output. If it is `-`, the model is in the answer.
///
/// # Errors
/// If the arguments are wrong, the input cannot be converted, or the output cannot be written.
pub fn convert(arguments: &Arguments, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer, Failure> {
    let answer = arguments.parse::<convert::Args>()?.call(progress)?;
    Ok(Answer { text: plain(&answer.text), ..answer })
}

/// Describes a file: as JSON and in sentences.
///
/// # Errors
/// If the arguments are wrong, or the file cannot be read.
pub fn inspect(arguments: &Arguments) -> Result<(String, String), Failure> {
    let (json, text) = inspect::call(&arguments.parse()?)?;
    Ok((json, plain(&text)))
}

/// Lists the networks, or describes one: as JSON.
///
/// # Errors
/// If the arguments are wrong.
pub fn networks(arguments: &Arguments) -> Result<String, Failure> {
    Ok(networks::call(&arguments.parse()?)?)
}

/// Runs a model and compares its outputs: as JSON and in sentences.
///
/// # Errors
/// If the arguments are wrong, or the model cannot be run.
pub fn verify(arguments: &Arguments) -> Result<(String, String), Failure> {
    let (json, text) = verify::call(&arguments.parse()?)?;
    Ok((json, plain(&text)))
}

/// Runs work in threads of its own, which an interruption stops. Its error does not matter if it was interrupted.
///
/// The threads belong to this call: a process that was forked has none of the threads that its parent started before.
pub fn in_own_threads<T: Send>(interruption: &Interruption, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build();
    match pool {
        Ok(pool) => pool.install(|| interruption.run(work)),
        // If the system has no more threads, this one does the work.
        Err(_) => interruption.run(work),
    }
}

/// Runs work in threads that all calls of this process share.
pub fn in_shared_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // A process that was forked has the pool of its parent, but not its threads.
    static POOL: Mutex<Option<(u32, Arc<rayon::ThreadPool>)>> = Mutex::new(None);
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let own = std::process::id();
    if pool.as_ref().is_none_or(|(process, _)| *process != own) {
        let made = rayon::ThreadPoolBuilder::new().build().ok().map(|made| (own, Arc::new(made)));
        // Dropping a pool waits for its threads.
        std::mem::forget(std::mem::replace(&mut *pool, made));
    }
    let shared = pool.as_ref().map(|(_, pool)| pool.clone());
    drop(pool);
    match shared {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// The stack of a thread that converts: that of the main thread of a program, so that the same deep graphs fit.
pub const STACK_BYTES: usize = 8 << 20;

/// Removes the temporary files of work that is still running when the program ends.
pub fn remove_temporary_files() {
    crate::temporary::remove_all();
}

/// Removes the temporary files of interrupted work that has not ended. It creates no others.
pub fn remove_temporary_files_of(interrupted: &Interruption) {
    crate::temporary::remove_of(interrupted);
}

/// The parameter of a setting, for messages.
pub fn parameter_of(setting: Setting) -> String {
    parameter_name(option(setting))
}

/// A text without the colors of terminals.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn parameter_name(long: &str) -> String {
    long.replace('-', "_")
}

fn command<A: Args>() -> clap::Command {
    A::augment_args(clap::Command::new("tf2onnx-rs").no_binary_name(true).disable_help_flag(true))
}

impl Arguments {
    fn parse<A: Args + FromArgMatches>(&self) -> Result<A, Failure> {
        let mut tokens: Vec<OsString> = vec![];
        for (name, values) in &self.options {
            let long = format!("--{}", name.replace('_', "-"));
            if values.is_empty() {
                tokens.push(long.into());
                continue;
            }
            for value in values {
                let mut token = OsString::from(format!("{long}="));
                token.push(value);
                tokens.push(token);
            }
        }
        tokens.push("--".into());
        tokens.extend(self.files.iter().cloned());
        let matches = command::<A>().try_get_matches_from(tokens);
        matches
            .and_then(|matches| A::from_arg_matches(&matches))
            .map_err(|error| Failure::Usage(Misuse::new(&error)))
    }
}

impl Misuse {
    fn new(error: &clap::Error) -> Self {
        let names = |kind| -> Vec<String> {
            match error.get(kind) {
                Some(ContextValue::String(name)) => vec![parameter_in(name)],
                Some(ContextValue::Strings(names)) => names.iter().map(|name| parameter_in(name)).collect(),
                _ => vec![],
            }
        };
        let value = match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) => value.clone(),
            _ => String::new(),
        };
        let arguments = names(ContextKind::InvalidArg);
        let problem = match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
            (Some(ContextValue::Strings(valid)), _) => format!("choose one of {}", valid.join(", ")),
            (_, Some(source)) => source.to_string(),
            _ => "it is not a value of this argument".to_owned(),
        };
        match (error.kind(), &arguments[..], &names(ContextKind::PriorArg)[..]) {
            (ErrorKind::InvalidValue | ErrorKind::ValueValidation, [parameter], _) => {
                Self::Value { parameter: parameter.clone(), value, problem }
            }
            (ErrorKind::ArgumentConflict, [one], [other, ..]) => Self::Conflict(one.clone(), other.clone()),
            (ErrorKind::MissingRequiredArgument, missing, _) => Self::Missing(missing.to_vec()),
            _ => Self::Other(error.to_string().lines().next().unwrap_or_default().to_owned()),
        }
    }
}

/// The name of a parameter in clap's form of an option: `--shape <NAME=DIMS>`.
fn parameter_in(text: &str) -> String {
    let name = text.trim_start_matches(['-', '<']);
    let end = name.find([' ', '=', '>']).unwrap_or(name.len());
    parameter_name(&name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[(&str, &[&str])]) -> Arguments {
        let values = |values: &[&str]| values.iter().map(OsString::from).collect();
        let options = options.iter().map(|(name, given)| ((*name).to_owned(), values(given))).collect();
        Arguments { files: vec!["in".into(), "out".into()], options }
    }

    fn misuse(options: &[(&str, &[&str])]) -> Misuse {
        match with(options).parse::<convert::Args>() {
            Err(Failure::Usage(misuse)) => misuse,
            other => panic!("{:?}", other.err()),
        }
    }

    #[test]
    fn arguments_are_those_of_the_command_line() {
        let parameters = Function::Convert.parameters();
        let find = |name: &str| parameters.iter().find(|parameter| parameter.name == name);
        assert!(find("external_data").unwrap().is_flag);
        assert!(find("outputs").unwrap().is_list && !find("opset").unwrap().is_list);
        assert_eq!(find("shape").unwrap().form.as_deref(), Some("NAME=DIMS"));
        assert!(find("json").is_none());
        assert!(with(&[("external_data", &[]), ("outputs", &["a", "b"])]).parse::<convert::Args>().is_ok());
    }

    #[test]
    fn misuse_names_the_parameters() {
        let value = |parameter: &str, value: &str, problem: &str| {
            let owned = str::to_owned;
            Misuse::Value { parameter: owned(parameter), value: owned(value), problem: owned(problem) }
        };
        assert_eq!(misuse(&[("opset", &["99"])]), value("opset", "99", "not a number from 11 to 28"));
        assert_eq!(
            misuse(&[("preprocess", &["x"])]),
            value("preprocess", "x", "choose one of inception, vgg, none")
        );
        assert_eq!(
            misuse(&[("softmax", &[]), ("no_softmax", &[])]),
            Misuse::Conflict("softmax".to_owned(), "no_softmax".to_owned())
        );
        assert_eq!(misuse(&[("tolerance", &["1"])]), Misuse::Missing(vec!["verify".to_owned()]));
    }
}
