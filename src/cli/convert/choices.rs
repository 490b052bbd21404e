//! Options of a conversion by their names on the command line, typed or from a manifest. `batch`, `inspect` and `extract`
//! have them, too.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::ConversionArgs;
use super::verified::CHECKS;
use crate::cli::wording;
use crate::error::{Error, Result};
use crate::setting::Setting;
use crate::slim::NetworkChoice;
use crate::tensors_in_file::TensorFile;

/// The options that are set: their values by their long names. A flag has the value `true` or `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices(BTreeMap<String, Vec<OsString>>);

/// The options of `convert` alone, as a command to parse them with.
fn command() -> Command {
    ConversionArgs::augment_args(
        Command::new("tf2onnx-rs batch").no_binary_name(true).disable_help_flag(true),
    )
}

/// All options of a conversion.
pub fn options() -> Vec<Arg> {
    command().get_arguments().filter(|arg| arg.get_long().is_some()).cloned().collect()
}

/// Whether an option is a flag, without a value.
pub fn is_flag(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// Whether two options exclude each other, which is declared for one of them.
fn exclude_each_other(command: &Command, option: &Arg, other: &str) -> bool {
    let excludes = |one: &Arg, other: &str| {
        command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_long() == Some(other))
    };
    let declared = command.get_arguments().find(|arg| arg.get_long() == Some(other));
    excludes(option, other)
        || declared.is_some_and(|arg| excludes(arg, option.get_long().unwrap_or_default()))
}

/// Whether this value of an option names a file.
pub fn is_path(option: &Arg, value: &str) -> bool {
    option.get_value_parser().type_id() == TypeId::of::<PathBuf>()
        || (option.get_long() == Some("network") && matches!(value.into(), NetworkChoice::Described(_)))
}

impl Choices {
    /// Sets the values of an option.
    pub fn set(&mut self, option: &str, values: Vec<OsString>) {
        self.0.insert(option.to_owned(), values);
    }

    /// These choices, overridden by those of `stronger`: for the same options, and for options that they exclude.
    #[must_use]
    pub fn overridden_by(&self, stronger: &Self) -> Self {
        let command = command();
        let mut both = self.clone();
        for option in command.get_arguments().filter(|option| stronger.has_chosen(option)) {
            both.0.retain(|weaker, _| !exclude_each_other(&command, option, weaker));
        }
        both.0.extend(stronger.0.clone());
        both
    }

    /// Whether an option is set, and not to `false`.
    fn has_chosen(&self, option: &Arg) -> bool {
        let values = self.values(option.get_long().unwrap_or_default());
        !values.is_empty() && (values != ["false"] || !is_flag(option))
    }

    /// The values of an option.
    pub fn values(&self, option: &str) -> &[OsString] {
        self.0.get(option).map(Vec::as_slice).unwrap_or_default()
    }

    /// The files that the options name.
    pub fn files(&self) -> Vec<PathBuf> {
        let named = |option: &Arg| -> Vec<PathBuf> {
            let values = self.values(option.get_long().unwrap_or_default()).iter();
            values.filter(|value| is_path(option, &value.to_string_lossy())).map(PathBuf::from).collect()
        };
        options().iter().flat_map(named).collect()
    }

    /// The options as text, for the state file of `batch`: files have absolute paths.
    pub fn to_text(&self) -> BTreeMap<String, Vec<String>> {
        let options = options();
        let text = |name: &str, value: &OsString| {
            let is_path = options
                .iter()
                .any(|option| option.get_long() == Some(name) && is_path(option, &value.to_string_lossy()));
            let absolute = is_path.then(|| std::path::absolute(value).ok()).flatten();
            absolute.map_or(value.clone(), PathBuf::into_os_string).to_string_lossy().into_owned()
        };
        let texts = |(name, values): (&String, &Vec<OsString>)| {
            (name.clone(), values.iter().map(|value| text(name, value)).collect())
        };
        self.0.iter().map(texts).collect()
    }

    /// The options as they could be typed, for the metadata of the model. Files have no folders, and options that do not change the
    /// model are left out.
    pub fn shown(&self) -> String {
        let is_shown = |option: &&Arg| {
            option.get_help_heading() != Some(CHECKS) && option.get_long() != Some("provenance")
        };
        let mut words: Vec<String> = vec![];
        for option in options().iter().filter(is_shown) {
            let name = option.get_long().unwrap_or_default();
            for value in self.values(name).iter().map(|value| value.to_string_lossy()) {
                let file = is_path(option, &value).then(|| Path::new(&*value).file_name()).flatten();
                let value = file.map_or(value.clone(), |file| file.to_string_lossy());
                match is_flag(option) {
                    true if value == "true" => words.push(format!("--{name}")),
                    true => {}
                    false => words.push(quoted(&format!("--{name}={value}"))),
                }
            }
        }
        words.join(" ")
    }

    /// The arguments of a conversion, if the choices were typed.
    ///
    /// # Errors
    /// If they are bad usage. Parsing the command line has refused that already.
    pub fn typed(&self) -> Result<ConversionArgs> {
        self.to_args().map_err(|problem| Error::new("command line", problem))
    }

    /// Refuses options of a conversion for an ONNX model, which is not converted.
    ///
    /// # Errors
    /// If the file is an ONNX model and an option is set.
    pub fn check_use(&self, file: &TensorFile) -> Result<()> {
        match (file, self.0.keys().next()) {
            (TensorFile::Onnx(onnx), Some(option)) => {
                let problem = format!("it is an ONNX model, which {} does not apply to", in_words(option));
                Err(Error::file(onnx.path(), problem).advice("leave out the options of a conversion"))
            }
            _ => Ok(()),
        }
    }

    /// The first option that is about the conversion, and not about which files are opened.
    pub fn beyond_opening(&self) -> Option<&str> {
        self.0.keys().map(String::as_str).find(|option| !matches!(*option, "graph" | "tag"))
    }

    /// The arguments of the conversion, or what is wrong with the options, in one line.
    pub fn to_args(&self) -> std::result::Result<ConversionArgs, String> {
        self.parse().map_err(|error| in_one_line(&error))
    }

    /// Checks the value of each option. Options that need other options are not an error here.
    pub fn check_values(&self) -> std::result::Result<(), String> {
        match self.parse() {
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => Err(in_one_line(&error)),
            _ => Ok(()),
        }
    }

    fn parse(&self) -> std::result::Result<ConversionArgs, clap::Error> {
        let mut tokens: Vec<OsString> = vec![];
        for option in options() {
            let name = option.get_long().unwrap_or_default();
            for value in self.values(name) {
                let mut token = OsString::from(format!("--{name}"));
                if !is_flag(&option) {
                    token.push("=");
                    token.push(value);
                } else if value != "true" {
                    continue;
                }
                tokens.push(token);
            }
        }
        let matches = command().try_get_matches_from(tokens);
        matches.and_then(|matches| ConversionArgs::from_arg_matches(&matches))
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// An option as the user knows it: the Python module has the same options under other names.
fn in_words(option: &str) -> String {
    let setting = Setting::ALL.iter().find(|&&setting| wording::option(setting) == option);
    setting.map_or_else(|| format!("--{option}"), Setting::to_string)
}

/// clap's error message as one line, without usage and tips.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

impl FromArgMatches for Choices {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        // Wrong values are errors now, not when the first input is converted.
        ConversionArgs::from_arg_matches(matches)?;
        let mut choices = Self::default();
        for option in options() {
            let id = option.get_id().as_str();
            if matches.value_source(id) == Some(ValueSource::CommandLine) {
                let values = if is_flag(&option) {
                    vec!["true".into()]
                } else {
                    matches.get_raw(id).unwrap_or_default().map(OsString::from).collect()
                };
                choices.set(option.get_long().unwrap_or_default(), values);
            }
        }
        Ok(choices)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = self.overridden_by(&Self::from_arg_matches(matches)?);
        Ok(())
    }
}

impl Args for Choices {
    fn augment_args(command: Command) -> Command {
        ConversionArgs::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        ConversionArgs::augment_args_for_update(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(tokens: &[&str]) -> Choices {
        Choices::from_arg_matches(&command().try_get_matches_from(tokens).unwrap()).unwrap()
    }

    #[test]
    fn what_was_typed_means_the_same_when_it_is_read_back() {
        let tokens = [
            "--opset=15",
            "--external-data",
            "--outputs=a,b",
            "--outputs=c",
            "--image-size=224x160",
            "--network-option=spatial_squeeze=false",
        ];
        let direct =
            ConversionArgs::from_arg_matches(&command().try_get_matches_from(tokens).unwrap()).unwrap();
        let again = typed(&tokens).to_args().unwrap();
        assert_eq!(format!("{again:?}"), format!("{direct:?}"));
        assert_eq!(typed(&tokens).values("outputs"), ["a", "b", "c"]);
        assert_eq!(typed(&[]), Choices::default(), "what was not typed is no choice");
    }

    #[test]
    fn the_stronger_choice_replaces_all_values_of_an_option() {
        let weak = typed(&["--outputs=a,b", "--external-data", "--opset=14"]);
        let mut strong = typed(&["--outputs=c"]);
        strong.set("external-data", vec!["false".into()]);
        let both = weak.overridden_by(&strong);
        assert_eq!(both.values("outputs"), ["c"]);
        let args = format!("{:?}", both.to_args().unwrap());
        assert!(args.contains("external_data: false") && args.contains("opset: 14"), "{args}");
    }

    #[test]
    fn the_stronger_choice_excludes_what_does_not_go_with_it() {
        for (weak, strong) in [("--softmax", "--no-softmax"), ("--no-softmax", "--softmax")] {
            let both = typed(&[weak, "--opset=14"]).overridden_by(&typed(&[strong]));
            assert_eq!(both, typed(&[strong, "--opset=14"]));
        }
    }

    #[test]
    fn files_are_remembered_by_their_absolute_paths() {
        let text = typed(&["--graph=g.pb", "--network=nets/mine.toml", "--signature=g.pb"]).to_text();
        let absolute = |path: &str| [std::path::absolute(path).unwrap().display().to_string()];
        assert_eq!(text["graph"], absolute("g.pb"));
        assert_eq!(text["network"], absolute("nets/mine.toml"));
        assert_eq!(text["signature"], ["g.pb"]);
        assert_eq!(typed(&["--network=lenet"]).to_text()["network"], ["lenet"]);
    }

    #[test]
    fn a_model_shows_its_options_without_folders_and_checks() {
        let shown = |tokens: &[&str]| typed(tokens).shown();
        assert_eq!(shown(&[]), "");
        assert_eq!(
            shown(&[
                "--provenance",
                "--verify",
                "--tolerance=0.1",
                "--opset=15",
                "--external-data",
                "--outputs=a,b"
            ]),
            "--outputs=a --outputs=b --opset=15 --external-data"
        );
        assert_eq!(
            shown(&["--graph=/home/me/secret/g.pb", "--network=/home/me/my net.toml", "--labels=../l.txt"]),
            "'--network=my net.toml' --graph=g.pb --labels=l.txt"
        );
        assert_eq!(shown(&["--freeze=x=it's"]), "'--freeze=x=it'\\''s'");
    }

    #[test]
    fn a_mistake_is_said_in_one_line() {
        let mut choices = Choices::default();
        choices.set("opset", vec!["99".into()]);
        let said = choices.to_args().unwrap_err();
        assert!(said.contains("99") && !said.contains('\n') && !said.starts_with("error"), "{said}");
    }
}
