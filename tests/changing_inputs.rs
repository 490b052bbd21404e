//! Inputs that become shorter or are overwritten while they are read: the command ends with one sentence and writes nothing, or its
//! output is that of the whole file.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, write};
use crate::support::command::binary;
use crate::support::repository::{example, fixture};

/// What happens to the input.
#[derive(Debug, Clone, Copy)]
enum Change {
    Truncated,
    Overwritten,
}

impl Change {
    fn make(self, input: &Path, part: u64) {
        let mut file = File::options().write(true).open(input).unwrap();
        let length = file.metadata().unwrap().len();
        match self {
            Self::Truncated => file.set_len(length * part / 7).unwrap(),
            Self::Overwritten => file.write_all(&vec![0x3f; (length * (part + 1) / 7) as usize]).unwrap(),
        }
    }
}

/// A command with an input that changes.
struct Case {
    folder: TempDir,
    /// The file that changes.
    input: PathBuf,
    /// Its content.
    content: Vec<u8>,
    args: Vec<String>,
    output: PathBuf,
}

impl Case {
    fn new(folder: TempDir, input: PathBuf, args: &[&str], output: &str) -> Self {
        let content = fs::read(&input).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        let output = folder.path().join("out").join(output);
        let args = args.iter().map(|&arg| arg.to_owned()).chain([output.display().to_string()]).collect();
        Self { folder, input, content, args, output }
    }

    fn start(&self) -> Child {
        binary()
            .args(&self.args)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Writes the input as it was, long ago: a change within the same tick of the system's clock would not show.
    fn restore(&self) {
        fs::write(&self.input, &self.content).unwrap();
        let file = File::options().write(true).open(&self.input).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        let _ = fs::remove_file(&self.output);
    }

    /// Changes the input at several moments. Returns how often the command noticed.
    fn change_often(&self, change: Change, times: u32) -> u32 {
        self.restore();
        let begun = Instant::now();
        assert!(self.start().wait().unwrap().success(), "{:?}", self.args);
        let duration = begun.elapsed();
        let complete = fs::read(&self.output).unwrap();
        let mut noticed = 0;
        for step in 0..times {
            self.restore();
            let child = self.start();
            std::thread::sleep(duration * step / times);
            change.make(&self.input, u64::from(step % 6));
            let done = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&done.stderr);
            let what = format!("{change:?} {:?} {step}: {stderr}", self.args);
            match done.status.code() {
                Some(0) => assert!(fs::read(&self.output).unwrap() == complete, "{what}"),
                Some(1) => {
                    assert_eq!(stderr.lines().count(), 1, "{what}");
                    assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{what}");
                    assert_eq!(fs::read_dir(self.folder.path().join("out")).unwrap().count(), 0, "{what}");
                    noticed += u32::from(stderr.contains("while it was read"));
                }
                status => panic!("{what}: {status:?}"),
            }
        }
        noticed
    }
}

/// A checkpoint that takes some time to read.
fn large(format: Format) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let variable = |index: usize| {
        let values = (0..1 << 18).map(|value| (value * index) as f32).collect();
        Variable::float32(&format!("scope/w{index}"), &[1 << 10, 1 << 8], values)
    };
    let variables: Vec<Variable> = (0..24).map(variable).collect();
    write(folder.path(), &variables, format);
    let data = match format {
        Format::V1 => "model.ckpt",
        Format::V2 => "model.ckpt.data-00000-of-00001",
    };
    let data = folder.path().join(data);
    (folder, data)
}

fn copied(from: PathBuf, name: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join(name);
    fs::copy(from, &input).unwrap();
    (folder, input)
}

#[test]
fn an_input_that_changes_while_it_is_read_is_an_error() {
    let case = |(folder, input), args: &[&str], output| Case::new(folder, input, args, output);
    let cases = [
        case(large(Format::V1), &["extract", "model.ckpt"], "weights.npz"),
        case(large(Format::V2), &["extract", "model.ckpt"], "weights.safetensors"),
        case(copied(example(), "net.ckpt"), &["convert", "net.ckpt"], "model.onnx"),
        case(copied(example(), "net.ckpt"), &["graph", "net.ckpt", "--frozen"], "frozen.pb"),
        case(
            copied(fixture("graphs/containers/frozen.pb"), "frozen.pb"),
            &["convert", "frozen.pb"],
            "model.onnx",
        ),
    ];
    let mut noticed = 0;
    for case in &cases {
        for change in [Change::Truncated, Change::Overwritten] {
            noticed += case.change_often(change, 12);
        }
    }
    assert!(noticed > 10, "only {noticed} changes were made in time");
}
