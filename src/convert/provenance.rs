//! Where a model comes from, in its metadata: the SHA-256 of the files that it was converted from, the program and its options.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Conversion, ConvertOptions};
use crate::error::{Error, Result};
use crate::interruption::Interruption;
use crate::setting::Setting;
use crate::slim::NetworkChoice;
use crate::source::Source;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The files that it was converted from.
    pub files: Vec<SourceFile>,
    /// The program and its version.
    pub converter: String,
    /// The options of the conversion, as text.
    pub options: String,
}

/// A file that a model was converted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFile {
    /// Its path in the folder of the input, or its name if it is elsewhere.
    pub file: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The name of this program, and its version.
const CONVERTER: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// How much of a file is read at a time.
const BLOCK: usize = 1 << 20;

impl Provenance {
    /// The entries of the model's metadata. The hashes have the form of the program `sha256sum`, so that `sha256sum --check` reads
    /// them.
    fn metadata(&self) -> [(String, String); 3] {
        let lines: Vec<String> = self.files.iter().map(SourceFile::line).collect();
        [
            ("source_sha256".to_owned(), lines.join("\n")),
            ("converter".to_owned(), self.converter.clone()),
            ("converter_options".to_owned(), self.options.clone()),
        ]
    }
}

impl SourceFile {
    /// The line of `sha256sum`: a name with a backslash or the end of a line in it is escaped, and a backslash before the hash
    /// says so.
    ///
    /// Source: <https://www.gnu.org/software/coreutils/manual/html_node/cksum-output-modes.html>
    fn line(&self) -> String {
        let escaped = self.file.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        let mark = if escaped == self.file { "" } else { "\\" };
        format!("{mark}{}  {escaped}", self.sha256)
    }
}

/// Converts, and adds the provenance to the model if the options ask for it. The files are hashed meanwhile.
///
/// # Errors
/// If the conversion fails, or a file cannot be read or was replaced.
pub(super) fn traced(
    source: &Source,
    options: &ConvertOptions,
    convert: impl FnOnce() -> Result<Conversion>,
) -> Result<Conversion> {
    let Some(given) = &options.provenance else { return convert() };
    let mut files = source.contents()?;
    files.extend(named_by(options)?);
    let mut hashes: Vec<Result<String>> = files.iter().map(|_| Ok(String::new())).collect();
    let interruption = &Interruption::current();
    // This thread converts: its stack is as large as deep graphs need.
    let conversion = rayon::in_place_scope(|scope| {
        for ((_, path), hash) in files.iter().zip(&mut hashes) {
            scope.spawn(move |_| *hash = sha256(path, interruption));
        }
        convert()
    });
    let mut conversion = conversion?;
    let hashed =
        files.into_iter().zip(hashes).map(|((file, _), hash)| Ok(SourceFile { file, sha256: hash? }));
    let files = hashed.collect::<Result<Vec<_>>>()?;
    // Otherwise the hash would be that of another file than the one whose weights are read.
    source.file_states().iter().try_for_each(|state| state.check_current())?;
    let provenance = Provenance { files, converter: CONVERTER.to_owned(), options: given.clone() };
    conversion.model.metadata.extend(provenance.metadata());
    conversion.provenance = Some(provenance);
    Ok(conversion)
}

/// The files that options name and the source does not know, each with its name.
///
/// # Errors
/// If one of them is a pipe or a device, which can be read only once.
fn named_by(options: &ConvertOptions) -> Result<Vec<(String, PathBuf)>> {
    let network = match &options.network {
        Some(NetworkChoice::Described(path)) => Some(path),
        _ => None,
    };
    let named = |path: &PathBuf| {
        if path.exists() && !path.is_file() {
            let problem = "it is no regular file, and cannot be read a second time for its SHA-256";
            let advice = format!("save it to a file, or leave out {}", Setting::Provenance);
            return Err(Error::file(path, problem).advice(advice));
        }
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path.clone()))
    };
    network.into_iter().chain(&options.labels).map(named).collect()
}

fn sha256(path: &Path, interruption: &Interruption) -> Result<String> {
    let unreadable = |error: std::io::Error| Error::unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        interruption.check()?;
        match file.read(&mut block).map_err(unreadable)? {
            0 => break,
            read => hash.update(&block[..read]),
        }
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_hash_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let hash = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            sha256(&path, &Interruption::default()).unwrap()
        };
        // Source: the examples of FIPS 180-4, <https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values>
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let million = vec![b'a'; 1_000_000];
        assert_eq!(hash(&million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        let twice = million.repeat(2);
        assert_ne!(hash(&twice), hash(&million), "more than one block is read");
    }

    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        let line = |file: &str| SourceFile { file: file.to_owned(), sha256: "00".to_owned() }.line();
        assert_eq!(line("variables/variables.index"), "00  variables/variables.index");
        assert_eq!(line("a\\b\nc"), "\\00  a\\\\b\\nc");
    }
}
