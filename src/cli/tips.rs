//! Tips for users who type options of tf2onnx.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

const INPUT: &str = "give the input without an option: tf2onnx-rs convert INPUT OUTPUT";
const OUTPUT: &str = "give the output without an option: tf2onnx-rs convert INPUT OUTPUT";

/// Options of `tf2onnx/convert.py` for which clap suggests nothing, or the wrong option.
const TIPS: [(&str, &str); 14] = [
    ("-o", OUTPUT),
    ("--output", OUTPUT),
    ("--checkpoint", INPUT),
    ("--input", INPUT),
    ("--graphdef", INPUT),
    ("--saved-model", INPUT),
    ("--keras", "give the SavedModel that model.export(\"folder\") writes: tf2onnx-rs convert FOLDER OUTPUT"),
    (
        "--large_model",
        "models above 2 GiB have their weights in a separate file; --external-data does it for others",
    ),
    ("--continue_on_error", "--keep-going writes custom ops for those that cannot be converted"),
    ("--fold_const", "constants are always folded"),
    ("--use-graph-names", "--tensor-names names inputs and outputs after their tensors"),
    ("--target", "models have the operators of ONNX's default domain; --opset chooses their version"),
    ("--extra_opset", "models have the operators of ONNX's default domain; --opset chooses their version"),
    ("--custom-ops", "--keep-going writes custom ops for those that cannot be converted"),
];

/// The error, with a tip if the unknown option is one of tf2onnx.
pub fn with_tip(mut error: Error) -> Error {
    let typed = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) if error.kind() == ErrorKind::UnknownArgument => typed,
        _ => return error,
    };
    let name = typed.split('=').next().unwrap_or_default();
    if let Some((_, tip)) = TIPS.iter().find(|(known, _)| *known == name) {
        // The usage is that of the option that clap suggests.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).into()]));
    }
    error
}
