//! Settings and commands in messages, as they are typed.

use std::path::Path;

use crate::setting::{self, Command, Setting, SettingValue};

/// The wording of the command line.
pub struct CommandLine;

impl setting::Wording for CommandLine {
    fn setting(&self, setting: Setting, value: Option<&str>) -> String {
        let option = option(setting);
        match value {
            None => format!("--{option}"),
            Some(value) => format!("--{option} {value}"),
        }
    }

    fn run(&self, command: Command) -> String {
        format!("tf2onnx-rs {command}")
    }

    fn conversion(&self, input: &Path, setting: &SettingValue) -> String {
        format!("{} {} model.onnx {setting}", self.run(Command::Convert), input.display())
    }
}

/// The long name of a setting's option.
pub fn option(setting: Setting) -> &'static str {
    match setting {
        Setting::Backbone => "backbone",
        Setting::Config => "config",
        Setting::BatchSize => "batch-size",
        Setting::Draft => "draft",
        Setting::FoldBatchNorm => "fold-batch-norm",
        Setting::Freeze => "freeze",
        Setting::Frozen => "frozen",
        Setting::Graph => "graph",
        Setting::IgnoreDefault => "ignore-default",
        Setting::ImageSize => "image-size",
        Setting::Inputs => "inputs",
        Setting::InputsAsNchw => "inputs-as-nchw",
        Setting::KeepFloat32 => "keep-float32",
        Setting::KeepGoing => "keep-going",
        Setting::Labels => "labels",
        Setting::Layout => "layout",
        Setting::Limit => "limit",
        Setting::Match => "match",
        Setting::MovingAverages => "moving-averages",
        Setting::Network => "network",
        Setting::NetworkOption => "network-option",
        Setting::NoSoftmax => "no-softmax",
        Setting::Opset => "opset",
        Setting::Outputs => "outputs",
        Setting::OutputsAsNchw => "outputs-as-nchw",
        Setting::Preprocess => "preprocess",
        Setting::Provenance => "provenance",
        Setting::RenameInputs => "rename-inputs",
        Setting::RenameOutputs => "rename-outputs",
        Setting::Shape => "shape",
        Setting::Signature => "signature",
        Setting::Softmax => "softmax",
        Setting::Tag => "tag",
        Setting::UseDefault => "use-default",
        Setting::Verify => "verify",
        Setting::VerifyInputs => "verify-inputs",
        Setting::VerifyLimit => "verify-limit",
        Setting::WithSynthesized => "with-synthesized",
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::setting::Wording;

    #[test]
    fn every_setting_and_command_of_messages_can_be_typed() {
        let program = Cli::command();
        let subcommands = || program.get_subcommands();
        let longs: Vec<String> = subcommands()
            .flat_map(|command| command.get_arguments().filter_map(|argument| argument.get_long()))
            .map(|long| format!("--{long}"))
            .collect();
        for &setting in Setting::ALL {
            let typed = CommandLine.setting(setting, None);
            assert!(longs.contains(&typed), "{typed}");
            assert_eq!(CommandLine.setting(setting, Some("x")), format!("{typed} x"));
        }
        for command in Command::ALL {
            assert!(subcommands().any(|known| known.get_name() == command.to_string()), "{command}");
        }
    }
}
