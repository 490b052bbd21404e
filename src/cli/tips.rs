//! What options of tf2onnx are called here, for those who type them.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

const INPUT: &str = "the input has no name: tf2onnx-rs convert INPUT OUTPUT";
const OUTPUT: &str = "the output has no name: tf2onnx-rs convert INPUT OUTPUT";

/// Options of `tf2onnx/convert.py` that clap finds nothing like for, or something else.
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
        "models above 2 GiB have their weights beside them; --external-data does it for others",
    ),
    ("--continue_on_error", "ops that cannot be converted are written as they are with --keep-going"),
    ("--fold_const", "what is known before the model runs is always computed"),
    ("--use-graph-names", "inputs and outputs are called after their tensors with --tensor-names"),
    ("--target", "models have the operators of ONNX's default domain; --opset chooses their version"),
    ("--extra_opset", "models have the operators of ONNX's default domain; --opset chooses their version"),
    ("--custom-ops", "ops that cannot be converted are written as they are with --keep-going"),
];

/// The error with what the unknown option is called here, where it is one of tf2onnx's.
pub fn with_tip(mut error: Error) -> Error {
    let typed = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) if error.kind() == ErrorKind::UnknownArgument => typed,
        _ => return error,
    };
    let name = typed.split('=').next().unwrap_or_default();
    if let Some((_, tip)) = TIPS.iter().find(|(known, _)| *known == name) {
        // The usage is that of what clap took it for.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).into()]));
    }
    error
}
