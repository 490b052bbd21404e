//! Tips for users who type options of tf2onnx that do not exist.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options for which clap suggests nothing, or the wrong option: of older versions of `tf2onnx/convert.py`, and a usual abbreviation.
const TIPS: [(&str, &str); 3] = [
    ("-o", "--output, or the second argument, is the output: tf2onnx-rs convert INPUT OUTPUT"),
    ("--unknown-dim", "--inputs NAME[-1,224,224,3] gives an input a shape; -1 is any length"),
    ("--shape_override", "--inputs NAME[1,224,224,3] or --shape NAME=1,224,224,3 gives an input a shape"),
];

/// The error, with a tip if the unknown option is one of these.
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
