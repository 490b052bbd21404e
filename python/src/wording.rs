//! Settings and commands in messages, as they are written in Python.

use std::path::Path;
use std::sync::OnceLock;

use tf2onnx_rs::cli::functions::{Function, Parameter, parameter_of};
use tf2onnx_rs::setting::{self, Command, Setting, SettingValue};

/// The wording of the package.
struct Python;

/// Words all messages of this process for Python. The command words them for itself, if it comes first.
pub fn use_python() {
    setting::set_wording(&Python);
}

impl setting::Wording for Python {
    fn setting(&self, setting: Setting, value: Option<&str>) -> String {
        let name = parameter_of(setting);
        let Some(parameter) = parameter(&name) else {
            // It belongs to a command that is no function.
            let option = format!("--{}", name.replace('_', "-"));
            return value.map_or(option.clone(), |value| format!("{option} {value}"));
        };
        let Some(value) = value else { return argument(&name) };
        let is_list = parameter.is_list;
        match value.split_once('=') {
            Some((key, value)) if is_list => format!("{name}={{{}: {}}}", literal(key), literal(value)),
            _ if is_list => {
                let items: Vec<String> = value.split(',').map(quoted).collect();
                format!("{name}=[{}]", items.join(", "))
            }
            _ => format!("{name}={}", literal(value)),
        }
    }

    fn run(&self, command: Command) -> String {
        match command {
            Command::Convert | Command::Inspect | Command::Networks | Command::Verify => {
                format!("tf2onnx_rs.{command}")
            }
            Command::Batch | Command::Extract | Command::Graph => format!("tf2onnx-rs {command}"),
        }
    }

    fn conversion(&self, input: &Path, setting: &SettingValue) -> String {
        format!("tf2onnx_rs.convert({}, 'model.onnx', {setting})", quoted(&input.display().to_string()))
    }
}

/// A parameter without a value: `softmax=True` for one that is on or off, else `graph=`.
pub fn argument(name: &str) -> String {
    match parameter(name) {
        Some(parameter) if parameter.is_flag => format!("{name}=True"),
        _ => format!("{name}="),
    }
}

/// A value as Python writes it: numbers as they are, anything else as a string.
pub fn literal(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok() && value.starts_with(|first: char| !first.is_alphabetic());
    if is_number { value.to_owned() } else { quoted(value) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The parameter of this name of any function.
fn parameter(name: &str) -> Option<&'static Parameter> {
    static PARAMETERS: OnceLock<Vec<Parameter>> = OnceLock::new();
    let known = PARAMETERS.get_or_init(|| Function::ALL.into_iter().flat_map(Function::parameters).collect());
    known.iter().find(|parameter| parameter.name == name)
}
