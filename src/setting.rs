//! Settings and commands in messages, in the words of the program that shows them.
//!
//! An error may advise another operator set, and the user of the command reads `--opset 18` where the user of the library
//! reads `opset = 18`. Messages contain a [`Setting`] or a [`Command`], and the front end sets the [`Wording`] of both.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// Declares the settings, each with the name of its field.
macro_rules! settings {
    ($($(#[$doc:meta])* $setting:ident = $field:literal,)+) => {
        /// A setting that messages name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Setting {
            $($(#[$doc])* $setting,)+
        }

        impl Setting {
            /// All settings.
            pub const ALL: &[Self] = &[$(Self::$setting,)+];

            /// The name of its field in the library's options.
            pub fn field(self) -> &'static str {
                match self {
                    $(Self::$setting => $field,)+
                }
            }
        }
    };
}

settings! {
    /// Whether to convert the network if the checkpoint holds more.
    Backbone = "backbone",
    /// The number of images in a batch.
    BatchSize = "batch_size",
    /// The file that describes the model.
    Config = "config",
    /// The file for a first description of a network.
    Draft = "draft",
    /// Whether batch norms become a part of the convolutions before them.
    FoldBatchNorm = "fold_batch_norm",
    /// A placeholder that becomes a constant.
    Freeze = "freeze",
    /// Whether the variables of a graph that is written are constants.
    Frozen = "frozen",
    /// The file with the graph.
    Graph = "graph",
    /// A placeholder that is an input although it has a default.
    IgnoreDefault = "ignore_default",
    /// Height and width of the images.
    ImageSize = "image_size",
    /// The tensors that are inputs.
    Inputs = "inputs",
    /// Inputs that have their channels second.
    InputsAsNchw = "inputs_as_nchw",
    /// Ops, nodes and scopes that compute in float32.
    KeepFloat32 = "keep_float32",
    /// Whether ops that cannot be converted are written as they are.
    KeepGoing = "keep_going",
    /// The file with the names of the classes.
    Labels = "labels",
    /// The order of the axes of weights.
    Layout = "layout",
    /// The most that a conversion makes of a graph, or that a model may use while it runs.
    Limit = "limits",
    /// Patterns of the names of tensors.
    Match = "filter",
    /// Whether the moving averages of the weights are used.
    MovingAverages = "moving_averages",
    /// The network.
    Network = "network",
    /// An argument of slim's network function.
    NetworkOption = "network_options",
    /// Whether probabilities are left out.
    NoSoftmax = "probabilities = LeftOut",
    /// The version of the ONNX operator set.
    Opset = "opset",
    /// The tensors that are outputs.
    Outputs = "outputs",
    /// Outputs that have their channels second.
    OutputsAsNchw = "outputs_as_nchw",
    /// How the model preprocesses images.
    Preprocess = "preprocessing",
    /// Whether the metadata say where the model comes from.
    Provenance = "provenance",
    /// New names of the inputs.
    RenameInputs = "rename_inputs",
    /// New names of the outputs.
    RenameOutputs = "rename_outputs",
    /// The shape of an input.
    Shape = "shapes",
    /// The signature of a SavedModel.
    Signature = "signature",
    /// Whether probabilities are added.
    Softmax = "probabilities = Added",
    /// The tags of the graph in a SavedModel.
    Tag = "tag",
    /// A placeholder that uses its default.
    UseDefault = "use_default",
    /// Whether a model is compared with the graph.
    Verify = "verify",
    /// The inputs of that comparison.
    VerifyInputs = "verify_inputs",
    /// What a model may use during that comparison.
    VerifyLimit = "verify_limit",
    /// Whether parts of batch norms that are not stored are written too.
    WithSynthesized = "with_synthesized",
}

impl Setting {
    /// The setting with a value.
    pub fn to(self, value: impl fmt::Display) -> SettingValue {
        SettingValue { setting: self, value: value.to_string() }
    }
}

/// A setting with a value, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingValue {
    setting: Setting,
    value: String,
}

/// A command of the program that messages name. [`fmt::Display`] writes its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Converts many models.
    Batch,
    /// Converts a model.
    Convert,
    /// Writes tensors to files of other programs.
    Extract,
    /// Writes a graph of TensorFlow.
    Graph,
    /// Describes a file.
    Inspect,
    /// Lists the networks.
    Networks,
    /// Runs a model.
    Verify,
}

impl Command {
    /// All commands that messages name.
    pub const ALL: [Self; 6] =
        [Self::Batch, Self::Convert, Self::Extract, Self::Inspect, Self::Networks, Self::Verify];

    /// How the user runs the command.
    pub fn run(self) -> String {
        wording().run(self)
    }
}

/// How the user converts a file with this setting.
pub fn conversion(input: &Path, setting: &SettingValue) -> String {
    wording().conversion(input, setting)
}

/// How a front end words settings and commands.
pub trait Wording: Sync {
    /// A setting, alone or with a value.
    fn setting(&self, setting: Setting, value: Option<&str>) -> String;

    /// How the user runs a command.
    fn run(&self, command: Command) -> String;

    /// How the user converts a file with this setting.
    fn conversion(&self, input: &Path, setting: &SettingValue) -> String;
}

static WORDING: OnceLock<&'static dyn Wording> = OnceLock::new();

/// Sets the wording of all messages of this process. Only the first call has an effect.
pub fn set_wording(wording: &'static dyn Wording) {
    // Later calls are documented to do nothing.
    let _ = WORDING.set(wording);
}

fn wording() -> &'static dyn Wording {
    *WORDING.get().unwrap_or(&(&Library as &dyn Wording))
}

/// The wording for users of the library: settings are fields, commands are functions.
struct Library;

impl Wording for Library {
    fn setting(&self, setting: Setting, value: Option<&str>) -> String {
        let field = setting.field();
        match value {
            None => field.to_owned(),
            // An entry of a list, such as `shapes images=1,224,224,3`.
            Some(entry) if entry.contains('=') => format!("{field} {entry}"),
            Some(value) => format!("{field} = {value}"),
        }
    }

    fn run(&self, command: Command) -> String {
        match command {
            Command::Networks => "slim::networks".to_owned(),
            command => command.to_string(),
        }
    }

    fn conversion(&self, _: &Path, setting: &SettingValue) -> String {
        setting.to_string()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wording().setting(*self, None))
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wording().setting(self.setting, Some(&self.value)))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batch => "batch",
            Self::Convert => "convert",
            Self::Extract => "extract",
            Self::Graph => "graph",
            Self::Inspect => "inspect",
            Self::Networks => "networks",
            Self::Verify => "verify",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_the_library_read_the_names_of_fields() {
        assert_eq!(format!("leave out {}", Setting::Graph), "leave out graph");
        assert_eq!(format!("choose {} or later", Setting::Opset.to(18)), "choose opset = 18 or later");
        assert_eq!(Setting::Freeze.to("is_training=false").to_string(), "freeze is_training=false");
    }
}
