//! Recognizes files of other formats by their first bytes, for errors that name the format of the file.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::path::Path;

use crate::error::Error;
use crate::setting::{Command, Setting};

/// The advice for models in Keras's own formats.
pub(crate) const EXPORT_FROM_KERAS: &str = "make a SavedModel of it in Keras, with keras.models.load_model(FILE).export(\"saved_model\"), and convert that";

/// The first bytes of HDF5 files, such as the weights of Keras.
pub(crate) const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Formats that are often mistaken for checkpoints: the first bytes, what the file is, and what to try.
const KNOWN: [(&[u8], &str, &str); 9] = [
    (
        b"version https://git-lfs.github.com/spec",
        "it is a Git LFS pointer, not the file itself",
        "run `git lfs pull` in its repository",
    ),
    (HDF5, "it is an HDF5 file (Keras weights)", EXPORT_FROM_KERAS),
    (
        b"PK\x03\x04",
        "it is a zip archive",
        "unpack it, or save from PyTorch or Keras as a TensorFlow checkpoint",
    ),
    (b"\x1f\x8b", "it is a gzip archive", "unpack it (`tar xzf`)"),
    (b"BZh", "it is a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ\0", "it is an xz archive", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7-Zip archive", "unpack it"),
    (b"\x93NUMPY", "it is a NumPy array", "give the checkpoint that it came from"),
    (b"\x80\x02", "it is a Python pickle (PyTorch weights)", "give a TensorFlow checkpoint"),
];

/// The first bytes of a SavedModel's graph.
const SAVED_MODEL: &[u8] = b"\x08\x01\x12";
/// The first bytes of a graph in text form.
const GRAPH_AS_TEXT: &[u8] = b"node {";

/// The first bytes of web pages, in lower case.
const WEB_PAGES: [&[u8]; 2] = [b"<!doctype", b"<html"];

/// The text in the first record of an events file (`tensorflow/core/util/events_writer.cc`).
const EVENTS: &[u8] = b"brain.Event:";

/// The most characters of a text file that the error quotes.
const QUOTED_CHARS: usize = 32;
/// The number of bytes that are checked to be text or zeros.
const SAMPLE_BYTES: usize = 512;

const DOWNLOAD_AGAIN: &str = "download it again";

/// The error for a file that does not end like a checkpoint.
pub(crate) fn not_a_checkpoint(path: &Path, bytes: &[u8]) -> Error {
    let (is, advice) = describe(bytes);
    Error::file(path, format_args!("is not a checkpoint: {is}")).advice(advice)
}

const IS_TFLITE: &str = "it is a TensorFlow Lite model";
const INSTEAD_OF_TFLITE: &str = "give the SavedModel or the checkpoint that it was converted from; tf2onnx \
     converts this file itself";

/// Whether a file is a TensorFlow Lite model (`file_identifier` in `tensorflow/lite/schema/schema.fbs`).
fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

/// The error for a file that has the name of a graph or a model and the content of another known format, if it is one.
pub(crate) fn not_a_model(path: &Path, bytes: &[u8]) -> Option<Error> {
    let tflite = is_tflite(bytes).then_some((IS_TFLITE, INSTEAD_OF_TFLITE));
    known(bytes).or(tflite).map(|(is, advice)| Error::file(path, is).advice(advice))
}

/// The error for an ONNX model in place of a TensorFlow model, if it is one.
pub(crate) fn onnx_model(path: &Path, bytes: &[u8]) -> Option<Error> {
    let advice = || {
        let [inspect, extract, verify] = [Command::Inspect, Command::Extract, Command::Verify];
        format!("{inspect}, {extract} and {verify} take it, as FILE.onnx")
    };
    is_onnx(bytes).then(|| Error::file(path, IS_ONNX).advice(advice()))
}

const IS_ONNX: &str = "it is an ONNX model already, which needs no conversion";

/// A ModelProto starts with the version of its format, which is at least 3. Then follow the producer, a description, the
/// graph, the operator sets or the metadata. A SavedModel starts with its version too, which is 1.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 3..=0x20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
}

/// Recognizes formats that no command reads: what the file is, and what to try.
fn known(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.is_empty() {
        return Some(("it is empty", DOWNLOAD_AGAIN));
    }
    let text = bytes.trim_ascii_start();
    let is_page =
        |start: &&[u8]| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    if WEB_PAGES.iter().any(is_page) {
        return Some(("it is a web page", "it was saved instead of the file: download the file itself"));
    }
    KNOWN.iter().find(|(start, ..)| bytes.starts_with(start)).map(|(_, is, advice)| (*is, *advice))
}

fn describe(bytes: &[u8]) -> (String, String) {
    let owned = |is: &str, advice: &str| (is.to_owned(), advice.to_owned());
    if let Some((is, advice)) = known(bytes) {
        return owned(is, advice);
    }
    if bytes.starts_with(SAVED_MODEL) {
        return owned("it is a SavedModel's graph", "give the folder that contains it");
    }
    if bytes.starts_with(GRAPH_AS_TEXT) {
        let advice = format!("give its checkpoint, and the graph with {}", Setting::Graph);
        return ("it is a graph in text form".to_owned(), advice);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return owned("it is a tar archive", "unpack it (`tar xf`)");
    }
    if is_tflite(bytes) {
        return owned(IS_TFLITE, INSTEAD_OF_TFLITE);
    }
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    if let Some(text) = as_text(sample) {
        let quoted: String = text.trim_start().chars().take(QUOTED_CHARS).collect();
        return owned(
            &format!("it starts with text ({quoted:?})"),
            "give the checkpoint's own file or prefix",
        );
    }
    // TensorBoard's log starts with a record of about 24 bytes, which holds its version.
    if sample.windows(EVENTS.len()).take(32).any(|window| window == EVENTS) {
        return owned("it is a log for TensorBoard", "give the checkpoint beside it");
    }
    if sample.iter().all(|&byte| byte == 0) {
        return owned("it starts with zeros, like an incomplete download", DOWNLOAD_AGAIN);
    }
    // A V1 file starts with an entry under the empty key: no shared bytes, no key, and a message whose first field is
    // the list of tensors.
    if sample.starts_with(&[0, 0]) && sample.iter().skip(2).take(7).any(|&byte| byte == 0x0a) {
        return owned("it starts like a checkpoint, but its end is missing", DOWNLOAD_AGAIN);
    }
    if is_onnx(sample) {
        return (IS_ONNX.to_owned(), format!("`{}` shows what it contains", Command::Inspect));
    }
    // A GraphDef starts with a node, which starts with its name.
    if matches!(sample, [0x0a, _, rest @ ..] if rest.len() > 2 && rest.iter().take(3).any(|&byte| byte == 0x0a))
    {
        return owned("it may be a frozen graph", "if it is one, rename it so that its name ends in .pb");
    }
    owned("it does not end like a checkpoint", "if it should be one, its end is missing: download it again")
}

fn as_text(sample: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // The sample may end inside a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(sample.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        not_a_checkpoint(Path::new("model.ckpt"), bytes).to_string()
    }

    #[test]
    fn the_error_names_the_format_and_what_to_try() {
        let pointer =
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\n";
        assert_eq!(
            message(pointer),
            "model.ckpt: is not a checkpoint: it is a Git LFS pointer, not the file itself; \
             run `git lfs pull` in its repository"
        );
        assert!(message(b"").contains("it is empty"));
        assert!(message(b"\x89HDF\r\n\x1a\n\0\0").contains("HDF5"));
        assert!(
            message(b"learning_rate: 0.01\n").contains("it starts with text (\"learning_rate: 0.01\\n\")")
        );
        assert!(message("б".repeat(400).as_bytes()).contains("it starts with text"));
        assert!(message(&[0; 4096]).contains("zeros"));
        assert!(
            message(b"\x18\0\0\0\0\0\0\0\xa3\x7fK\"\t\0\0\xc0Z\x1d\xd9\x41\x1a\rbrain.Event:2")
                .contains("TensorBoard")
        );
        assert!(message(&[0, 0, 0xea, 1, 0x0a, 0xe7, 1, 0x0a, 0x23, 9]).contains("its end is missing"));
        assert!(
            message(b"\x08\x08\x12\x0atf2onnx-rs").contains("ONNX model already, which needs no conversion")
        );
        assert!(message(&[0x0a, 0x20, 0x0a, 0x05, b'i', 0, 0xff]).contains("frozen graph"));
        assert!(message(b"\n<!doctype html>\n<html>").contains("it is a web page"));
        assert!(message(&[0xfe, 0xdc, 0xba]).contains("does not end like a checkpoint"));
    }
}
