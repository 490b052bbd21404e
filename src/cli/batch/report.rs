//! The line about each input that is done: as text, and as JSON.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::shard::Shard;
use crate::cli::output;
use crate::error::{Error, Result};
use crate::output::target_of;

/// The result of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Converted,
    Skipped,
    Failed,
    /// It would be converted.
    Planned,
}

/// The line of an input.
#[derive(Debug, Serialize)]
pub struct Line {
    status: Status,
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::optional_path")]
    output: Option<PathBuf>,
    error: Option<String>,
    shard: Option<ShardLine>,
    network: Option<serde_json::Value>,
    bytes: Option<serde_json::Value>,
    seconds: f64,
    /// The other keys of `convert --json`.
    #[serde(flatten)]
    summary: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize)]
struct ShardLine {
    number: usize,
    of: usize,
}

impl Line {
    /// The line of an input that was read from `input` and belongs to `output`.
    pub fn new(status: Status, input: &Path, output: Option<PathBuf>, shard: Shard) -> Self {
        Self {
            status,
            input: input.to_owned(),
            output,
            error: None,
            shard: shard.is_part().then_some(ShardLine { number: shard.number, of: shard.of }),
            network: None,
            bytes: None,
            seconds: 0.0,
            summary: serde_json::Map::new(),
        }
    }

    /// With the summary of the model, as `convert --json` prints it.
    #[must_use]
    pub fn with_summary(mut self, summary: &serde_json::Value) -> Self {
        let mut summary = summary.as_object().cloned().unwrap_or_default();
        for key in ["input", "output", "seconds"] {
            summary.remove(key);
        }
        self.network = summary.remove("network");
        self.bytes = summary.remove("bytes");
        self.summary = summary;
        self
    }

    /// With the time of the conversion.
    #[must_use]
    pub fn with_seconds(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    /// With why it failed.
    #[must_use]
    pub fn with_error(mut self, error: &Error) -> Self {
        self.error = Some(error.to_string());
        self
    }

    /// The line as text; `None` for a failure, which is in the table at the end.
    pub fn text(&self) -> Option<String> {
        let output = self.output.as_ref().map(|output| output.display().to_string()).unwrap_or_default();
        let line = format!("{} → {output}", self.input.display());
        let from = |key: &str| self.summary.get(key).and_then(serde_json::Value::as_str);
        let network = self.network.as_ref().and_then(serde_json::Value::as_str);
        let what = network.map(str::to_owned).or_else(|| from("graph").map(|graph| format!("graph {graph}")));
        let bytes = self.bytes.as_ref().and_then(serde_json::Value::as_u64).map(output::bytes);
        match self.status {
            Status::Converted => {
                let details = [what, bytes].into_iter().flatten().collect::<Vec<_>>().join(", ");
                Some(format!("{line}: {details} in {:.2} s", self.seconds))
            }
            Status::Skipped => Some(format!("{line}: up to date")),
            Status::Planned => Some(line),
            Status::Failed => None,
        }
    }
}

/// Reads the value of `--report`.
pub fn destination(text: &str) -> std::result::Result<PathBuf, String> {
    match Path::new(text).extension() {
        Some(end) if end.eq_ignore_ascii_case("html") => {
            Err("the report of a batch has lines of JSON: the file name has to end in .jsonl".to_owned())
        }
        _ if text == "-" => Err("--json prints the same lines on standard output".to_owned()),
        _ => Ok(text.into()),
    }
}

/// The file of a report.
#[derive(Debug)]
pub struct BatchReport {
    path: PathBuf,
    file: File,
}

impl BatchReport {
    /// The path of the report of a shard: that of `--report`, with the shard in its name if there are several:
    /// `report.2-of-8.jsonl`.
    pub fn path_for(path: &Path, shard: Shard) -> PathBuf {
        if !shard.is_part() {
            return path.to_owned();
        }
        let end = path.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{stem}.{}{end}", shard.label()))
    }

    /// Creates the file of a report.
    ///
    /// # Errors
    /// If it is no file, or cannot be written.
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(target_of(&path)?).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, file })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, line: &Line) -> Result<()> {
        let json = json(line)?;
        self.file.write_all(json.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::file(path, format!("it cannot be written: {error}"))
        .advice("choose another path for --report")
        .caused_by(error)
}

/// A line of JSON, with its line break.
pub fn json(line: &Line) -> Result<String> {
    let json = serde_json::to_string(line).map_err(|error| {
        Error::file(&line.input, format!("the result cannot be written as JSON: {error}"))
    })?;
    Ok(json + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_has_a_report_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let part = Shard { number: 2, of: 8 };
        for (name, shard, expected) in [
            ("report.jsonl", Shard::WHOLE, "report.jsonl"),
            ("report.jsonl", part, "report.2-of-8.jsonl"),
            ("report", part, "report.2-of-8"),
        ] {
            let path = BatchReport::path_for(&folder.path().join(name), shard);
            let report = BatchReport::create(path).unwrap();
            assert_eq!(report.path, folder.path().join(expected));
        }
    }

    #[test]
    fn a_key_is_written_once() {
        let summary = serde_json::json!({
            "input": "a", "output": "b", "network": "lenet", "bytes": 3, "seconds": 9.0, "opset": 17
        });
        let line = Line::new(Status::Converted, Path::new("a"), Some("b".into()), Shard::WHOLE);
        let line = json(&line.with_summary(&summary).with_seconds(1.0)).unwrap();
        assert_eq!(
            line,
            "{\"status\":\"converted\",\"input\":\"a\",\"output\":\"b\",\"error\":null,\"shard\":null,\
             \"network\":\"lenet\",\"bytes\":3,\"seconds\":1.0,\"opset\":17}\n"
        );
    }
}
