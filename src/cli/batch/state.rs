//! State files: which models are converted, so that `--resume` continues a run that was killed.
//!
//! Each shard appends a line to its own file after a model is written. All files are read. If a process dies while it
//! writes a line, the line is not JSON and is skipped.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::inputs::Input;
use super::shard::Shard;
use crate::cli::output;
use crate::error::{Error, Result};
use crate::output::{target_of, unwritable};

/// The names of state files begin and end with these.
const PREFIX: &str = "tf2onnx-rs.state";
const SUFFIX: &str = ".jsonl";

/// A file at some time: a changed file has another size or another modification time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    // A path that is not UTF-8 does not match when it is read, and its input is converted again.
    #[serde(serialize_with = "output::path")]
    path: PathBuf,
    /// `None` if there was no such file.
    bytes: Option<u64>,
    /// Nanoseconds since 1970.
    modified: Option<u64>,
}

impl Stamp {
    /// The current state of a file.
    pub fn of(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let metadata = fs::metadata(&path).ok();
        let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            path,
            bytes: metadata.map(|metadata| metadata.len()),
            modified: since.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        }
    }

    fn still_holds(&self) -> bool {
        Self::of(&self.path) == *self
    }
}

/// A model that was converted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The path of the output, relative to the folder of the outputs.
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    version: String,
    options: BTreeMap<String, Vec<String>>,
    sources: Vec<Stamp>,
    /// The files that were written, relative to the folder of the outputs, and their sizes.
    written: Vec<(String, u64)>,
    /// Seconds since 1970.
    finished: f64,
    /// The summary, as `convert --json` prints it.
    pub summary: serde_json::Value,
}

impl Record {
    /// The record of an input that was just converted to the files `written` in `out_dir`.
    pub fn new(
        input: &Input,
        sources: Vec<Stamp>,
        out_dir: &Path,
        written: &[PathBuf],
        summary: serde_json::Value,
    ) -> Self {
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let below = |path: &PathBuf| path.strip_prefix(out_dir).unwrap_or(path).display().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            output: input.output.clone(),
            input: absolute(&input.path),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            options: input.choices.to_text(),
            sources,
            written: written.iter().map(|path| (below(path), size(path))).collect(),
            finished: now.map_or(0.0, |since| since.as_secs_f64()),
            summary,
        }
    }

    /// Whether converting the input again would write the same files.
    fn holds_for(&self, input: &Input, out_dir: &Path) -> bool {
        let is_there = |(path, bytes): &(String, u64)| {
            fs::metadata(out_dir.join(path)).is_ok_and(|file| file.is_file() && file.len() == *bytes)
        };
        self.version == env!("CARGO_PKG_VERSION")
            && self.input == absolute(&input.path)
            && self.options == input.choices.to_text()
            && self.sources.iter().all(Stamp::still_holds)
            && self.written.iter().all(is_there)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The models in a folder that all shards converted before.
#[derive(Debug)]
pub struct Done {
    out_dir: PathBuf,
    /// The latest record of each output.
    records: HashMap<PathBuf, Record>,
}

impl Done {
    /// Reads the state files of a folder.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read(out_dir: &Path) -> Result<Self> {
        let mut records: HashMap<PathBuf, Record> = HashMap::new();
        let entries = fs::read_dir(out_dir).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| is_state(path) && path.is_file()).collect();
        paths.sort_unstable();
        for path in paths {
            let bytes = fs::read(&path).map_err(|error| Error::unreadable(&path, &error))?;
            for line in bytes.split(|&byte| byte == b'\n') {
                // The last line of a process that was killed may be incomplete.
                let Ok(record) = serde_json::from_slice::<Record>(line) else { continue };
                let is_later = |known: &Record| known.finished.total_cmp(&record.finished).is_le();
                if records.get(&record.output).is_none_or(is_later) {
                    records.insert(record.output.clone(), record);
                }
            }
        }
        Ok(Self { out_dir: out_dir.to_owned(), records })
    }

    /// The record of an input that is up to date.
    pub fn up_to_date(&self, input: &Input) -> Option<&Record> {
        self.records.get(&input.output).filter(|record| record.holds_for(input, &self.out_dir))
    }
}

/// Whether a file has the name of a state file.
pub fn is_state(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// The state file of one shard.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl StateFile {
    /// Opens the state file of a shard to append to it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(out_dir: &Path, shard: Shard) -> Result<Self> {
        let shard = if shard.is_part() { format!(".{}", shard.label()) } else { String::new() };
        let path = out_dir.join(format!("{PREFIX}{shard}{SUFFIX}"));
        let failed = |error: std::io::Error| not_stored(&path, &error);
        target_of(&path)?;
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(failed)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(-1)).is_ok() {
            file.read_exact(&mut last).map_err(failed)?;
        }
        // After an incomplete line, the next record needs a line of its own.
        if last != [b'\n'] {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { file: Mutex::new(file), path })
    }

    /// Adds a model that is written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| not_stored(&self.path, &error.into()))?;
        line.push(b'\n');
        // A single write, so that lines of several processes do not mix.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).map_err(|error| not_stored(&self.path, &error))
    }
}

fn not_stored(path: &Path, error: &std::io::Error) -> Error {
    unwritable(path, error).advice("--resume needs it: choose another folder for --out-dir")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::convert::choices::Choices;

    struct Folder {
        dir: tempfile::TempDir,
        input: Input,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.ckpt");
            fs::write(&path, "weights").unwrap();
            fs::write(dir.path().join("a.onnx"), "model").unwrap();
            let choices = Choices::default();
            let input = Input {
                files: vec![path.clone()],
                path,
                bytes: 7,
                output: "a.onnx".into(),
                choices,
                location: None,
            };
            Self { dir, input }
        }

        fn path(&self) -> &Path {
            self.dir.path()
        }

        fn record(&self) -> Record {
            let sources = vec![Stamp::of(&self.input.path), Stamp::of(&self.path().join("a.ckpt.meta"))];
            let written = [self.path().join("a.onnx")];
            Record::new(&self.input, sources, self.path(), &written, serde_json::json!({"bytes": 5}))
        }

        fn store(&self, shard: Shard) {
            StateFile::open(self.path(), shard).unwrap().append(&self.record()).unwrap();
        }

        fn is_up_to_date(&self) -> bool {
            Done::read(self.path()).unwrap().up_to_date(&self.input).is_some()
        }
    }

    #[test]
    fn what_is_unchanged_is_up_to_date_whichever_shard_converted_it() {
        let folder = Folder::new();
        assert!(!folder.is_up_to_date());
        folder.store(Shard { number: 2, of: 3 });
        assert!(folder.is_up_to_date());
    }

    #[test]
    fn any_change_makes_it_out_of_date() {
        type Change = fn(&mut Folder);
        let changes: [(&str, Change); 5] = [
            ("source", |f| fs::write(&f.input.path, "other weights").unwrap()),
            ("a graph that was not there", |f| fs::write(f.path().join("a.ckpt.meta"), "").unwrap()),
            ("output", |f| fs::write(f.path().join("a.onnx"), "mode").unwrap()),
            ("missing output", |f| fs::remove_file(f.path().join("a.onnx")).unwrap()),
            ("options", |f| f.input.choices.set("opset", vec!["15".into()])),
        ];
        for (what, change) in changes {
            let mut folder = Folder::new();
            folder.store(Shard::WHOLE);
            assert!(folder.is_up_to_date());
            change(&mut folder);
            assert!(!folder.is_up_to_date(), "{what}");
        }
    }

    #[test]
    fn a_file_of_the_same_size_is_recognized_by_its_time() {
        let folder = Folder::new();
        folder.store(Shard::WHOLE);
        let file = File::options().write(true).open(&folder.input.path).unwrap();
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(5)).unwrap();
        assert!(!folder.is_up_to_date());
    }

    #[test]
    fn an_incomplete_line_does_not_damage_the_next_one() {
        let folder = Folder::new();
        let path = folder.path().join("tf2onnx-rs.state.jsonl");
        let mut line = serde_json::to_vec(&folder.record()).unwrap();
        line.truncate(line.len() / 2);
        fs::write(&path, &line).unwrap();
        assert!(!folder.is_up_to_date());
        folder.store(Shard::WHOLE);
        assert!(folder.is_up_to_date());
    }

    #[test]
    fn the_latest_record_of_an_output_counts() {
        let mut folder = Folder::new();
        folder.store(Shard { number: 1, of: 2 });
        folder.input.choices.set("opset", vec!["15".into()]);
        folder.store(Shard { number: 2, of: 2 });
        assert!(folder.is_up_to_date());
        folder.input.choices = Choices::default();
        assert!(!folder.is_up_to_date(), "the model was written again since, with other options");
    }
}
