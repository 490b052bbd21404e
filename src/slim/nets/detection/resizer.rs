//! The size of the images that a detector gets.
//!
//! Source: `research/object_detection/builders/image_resizer_builder.py`.

use super::fields::Message;
use crate::error::Result;

/// Height and width of the images. If images keep their aspect ratio, these are those of the widest image.
///
/// # Errors
/// If the configuration does not limit the size.
pub fn size(message: &Message<'_>) -> Result<[usize; 2]> {
    let (kind, resizer) = message.one_of(&[
        "fixed_shape_resizer",
        "keep_aspect_ratio_resizer",
        "identity_resizer",
        "conditional_shape_resizer",
        "pad_to_multiple_resizer",
    ])?;
    match kind {
        "fixed_shape_resizer" => Ok([resizer.count("height", 300)?, resizer.count("width", 300)?]),
        "keep_aspect_ratio_resizer" => {
            let least = resizer.count("min_dimension", 600)?;
            let greatest = resizer.count("max_dimension", 1024)?;
            Ok(if resizer.flag("pad_to_max_dimension", false)? { [greatest; 2] } else { [least, greatest] })
        }
        _ => Err(message
            .wrong(kind, "it leaves the size of the images open, and the model is for one size")
            .advice(
                "replace it in a copy of the file by a fixed_shape_resizer with the size of your images",
            )),
    }
}
