//! `tf2onnx-rs batch`: converting many models into a folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Done, binary, convert};
use crate::support::repository::{example, fixture};

/// What clusters say; the machine that tests run on may be a part of one.
const CLUSTER: [&str; 6] = [
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_STEP",
    "JOB_COMPLETION_INDEX",
    "JOB_COMPLETIONS",
];

/// A folder in which the command is run.
struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }

    fn write(&self, to: &str, contents: impl AsRef<[u8]>) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, contents).unwrap();
    }

    /// `count` small networks, which convert in no time: `models/net_00.pb` and so on.
    fn graphs(&self, count: usize) {
        for number in 0..count {
            self.copy(&fixture("graphs/containers/frozen.pb"), &format!("models/net_{number:02}.pb"));
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.arg("batch").args(args).current_dir(self.dir.path());
        for variable in CLUSTER {
            command.env_remove(variable);
        }
        command
    }

    fn batch(&self, args: &[&str]) -> Done {
        self.batch_in(&[], args)
    }

    fn batch_in(&self, environment: &[(&str, &str)], args: &[&str]) -> Done {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        Done::new(command.output().unwrap())
    }

    /// Demands that all of it succeeds.
    fn converts(&self, args: &[&str]) -> Done {
        let done = self.batch(args);
        assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
        done
    }

    /// Demands that nothing is begun: one sentence, status 1 and no output folder.
    fn refuses(&self, args: &[&str]) -> String {
        let done = self.batch(args);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(!self.path("out").exists());
        done.stderr
    }

    /// The models below a folder.
    fn models(&self, folder: &str) -> BTreeSet<String> {
        let (root, mut found, mut left) = (self.path(folder), BTreeSet::new(), vec![self.path(folder)]);
        while let Some(folder) = left.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    left.push(path);
                } else if path.extension().is_some_and(|extension| extension == "onnx") {
                    found.insert(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found
    }

    fn lines(&self, report: &str) -> Vec<Value> {
        json_lines(&fs::read_to_string(self.path(report)).unwrap())
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn with_status<'l>(lines: &'l [Value], status: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["status"] == status).collect()
}

#[test]
fn three_broken_models_of_thirty_do_not_stop_the_others() {
    let folder = Folder::new();
    for number in 0..27 {
        folder.copy(&example(), &format!("models/net_{number:02}.ckpt"));
    }
    let whole = fs::read(example()).unwrap();
    folder.write("models/truncated.ckpt", &whole[..whole.len() / 2]);
    folder.write("models/notes.ckpt", "learning_rate: 0.1\n");
    folder.copy(&fixture("batchnorm/conv3d_noscale/v1.ckpt"), "models/unknown.ckpt");
    let done = folder.batch(&["models", "--out-dir", "out", "--report", "report.jsonl"]);
    assert_eq!(done.status, 1);
    let last = done.stdout.lines().last().unwrap();
    assert!(last.starts_with("27 converted, 3 failed in "), "{last}");
    let rows: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(rows.len(), 5, "{}", done.stderr);
    for (row, expected) in rows[1..4].iter().zip([
        ["models/notes.ckpt", "is not a checkpoint: it starts with text"],
        ["models/truncated.ckpt", "is not a checkpoint: it starts like a checkpoint, but its end is missing"],
        ["models/unknown.ckpt", "belong to no network of the library"],
    ]) {
        assert!(expected.iter().all(|part| row.contains(part)), "{row}");
    }
    assert_eq!(rows[4], "error: batch: 3 of 30 inputs could not be converted");
    assert_eq!(folder.models("out").len(), 27);
    convert(&folder.path("models/net_13.ckpt"), &folder.path("alone.onnx"), &[]);
    assert!(
        fs::read(folder.path("alone.onnx")).unwrap() == fs::read(folder.path("out/net_13.onnx")).unwrap(),
        "batch writes what convert writes"
    );
    let lines = folder.lines("report.jsonl");
    assert_eq!((with_status(&lines, "converted").len(), with_status(&lines, "failed").len()), (27, 3));
    for line in &lines {
        let converted = line["status"] == "converted";
        assert_eq!(line["network"] == "inception_v3", converted);
        assert_eq!(line["bytes"].is_u64() && line["opset"] == 17, converted);
        assert_eq!(line["error"].is_string(), !converted);
        assert!(line["seconds"].is_f64() && line["shard"].is_null());
    }
}

#[test]
fn json_prints_the_lines_that_convert_prints() {
    let folder = Folder::new();
    folder.copy(&example(), "a.ckpt");
    let done = folder.converts(&["a.ckpt", "--out-dir", "out", "--json"]);
    let lines = json_lines(&done.stdout);
    let alone = convert(&folder.path("a.ckpt"), &folder.path("a.onnx"), &["--json"]);
    let alone: Value = serde_json::from_str(&alone.stdout).unwrap();
    let differing = ["input", "output", "checkpoint", "seconds"];
    for (key, value) in alone.as_object().unwrap() {
        assert!(differing.contains(&key.as_str()) || lines[0][key] == *value, "{key}");
    }
    assert_eq!(lines[0]["output"], "out/a.onnx");
    assert_eq!(done.stderr, "", "nothing is drawn into a pipe");
}

#[test]
fn a_tree_is_searched_for_all_kinds_of_models_and_mirrored() {
    let folder = Folder::new();
    let containers = fixture("graphs/containers");
    let files = ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.ckpt.meta"];
    for file in files {
        for step in [900, 1000, 1100] {
            folder.copy(
                &containers.join(file),
                &format!("tree/train/{}", file.replace("ckpt", &format!("ckpt-{step}"))),
            );
        }
    }
    folder.write("tree/train/checkpoint", "model_checkpoint_path: \"/other/machine/model.ckpt-1000\"\n");
    folder.copy(&containers.join("model.pbtxt"), "tree/train/graph.pbtxt");
    for file in ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"] {
        folder.copy(&containers.join("saved_model").join(file), &format!("tree/export/7/{file}"));
    }
    folder.copy(&containers.join("frozen.pb"), "tree/frozen.pb");
    folder.copy(&containers.join("frozen.pbtxt"), "tree/text/frozen.pbtxt");
    folder.copy(&containers.join("frozen.pb"), "tree/old/frozen.pb");
    folder.write("tree/text/label_map.pbtxt", "item {\n  id: 1\n}\n");
    folder.write("tree/README.md", "# Models\n");
    folder.write("tree/.cache/x.ckpt", "hidden");
    folder.copy(&example(), "tree/slim/inception.ckpt");
    let done = folder.converts(&["tree", "--out-dir", "tree/onnx", "--exclude", "old"]);
    let expected = names([
        "export/7.onnx",
        "frozen.onnx",
        "slim/inception.onnx",
        "text/frozen.onnx",
        "train/model-1000.onnx",
    ]);
    assert_eq!(folder.models("tree/onnx"), expected);
    assert_eq!(
        done.stderr,
        "note: tree/train: 2 earlier steps left out; --all-checkpoints converts them too\n\
         note: tree/train/graph.pbtxt: left out: it is a graph without its weights\n"
    );
    folder.converts(&["tree/train", "--out-dir", "steps", "--all-checkpoints", "-q"]);
    assert_eq!(folder.models("steps"), names(["model-1000.onnx", "model-1100.onnx", "model-900.onnx"]));
}

#[test]
fn patterns_lists_and_paths_name_each_model_once() {
    let folder = Folder::new();
    for run in ["a", "b"] {
        for file in ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.ckpt.meta"] {
            folder.copy(&fixture("graphs/containers").join(file), &format!("runs/{run}/{file}"));
        }
    }
    let both = names(["a/model.onnx", "b/model.onnx"]);
    let done = folder.converts(&["runs/*/model.ckpt*", "--out-dir", "pattern"]);
    assert_eq!(folder.models("pattern"), both);
    assert!(done.stdout.contains("2 converted"), "{}", done.stdout);
    let mut child = folder
        .command(&["-", "--out-dir", "list", "--relative-to", "runs"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let list = b"runs/a/model.ckpt.index\n\nruns/b/model.ckpt\r\nruns/a/model.ckpt.meta\n";
    child.stdin.take().unwrap().write_all(list).unwrap();
    assert_eq!(done_of(child).status, 0);
    assert_eq!(folder.models("list"), both);
    folder.converts(&["runs/a/model.ckpt", "runs/a", "--out-dir", "paths"]);
    assert_eq!(folder.models("paths"), names(["model.onnx"]));
}

fn done_of(child: std::process::Child) -> Done {
    Done::new(child.wait_with_output().unwrap())
}

#[test]
fn two_inputs_with_one_output_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.copy(&example(), "a/net.ckpt");
    folder.copy(&example(), "b/net.ckpt");
    let said = folder.refuses(&["a", "b", "--out-dir", "out"]);
    let parts = ["net.onnx: ", "a/net.ckpt", "b/net.ckpt", "--relative-to", "--manifest"];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    let shell = "[[model]]\ninput = \"a/net.ckpt\"\noutput = \"x\"\n\n[[model]]\ninput = \"b/net.ckpt\"\noutput = \"x.onnx\"\n";
    folder.write("m.toml", shell);
    let said = folder.refuses(&["--manifest", "m.toml", "--out-dir", "out"]);
    assert!(said.contains("a/net.ckpt (m.toml, line 1)") && said.contains("line 5"), "{said}");
}

#[test]
fn missing_inputs_are_reported() {
    let folder = Folder::new();
    folder.write("empty/README.md", "nothing");
    assert!(folder.refuses(&["empty", "--out-dir", "out"]).contains("no checkpoint"));
    folder.graphs(1);
    let done = folder.batch(&["models", "absent.ckpt", "absent*.ckpt", "--out-dir", "out"]);
    assert_eq!((done.status, folder.models("out").len()), (1, 1));
    assert!(done.stderr.contains("absent*.ckpt  no file matches the pattern"), "{}", done.stderr);
    assert!(done.stderr.contains("absent.ckpt   the file or checkpoint does not exist"), "{}", done.stderr);
    assert!(done.stderr.ends_with("error: batch: 2 of 3 inputs could not be converted\n"), "{}", done.stderr);
    let done = folder.batch(&["models", "--out-dir", "models/net_00.pb"]);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.contains("models/net_00.pb: it is a file, not a folder; choose another"),
        "{}",
        done.stderr
    );
    let done = folder.batch(&["models", "--out-dir", "out", "--exclude", "*"]);
    assert!(done.stderr.contains("was found; --exclude leaves out 1 that match it"), "{}", done.stderr);
    let done = folder.batch(&["models", "--out-dir", "out", "--report", "report.html"]);
    assert_eq!(done.status, 2, "{}", done.stderr);
    assert!(done.stderr.contains("the file name has to end in .jsonl"), "{}", done.stderr);
    let done = folder.batch(&["--out-dir", "out"]);
    assert_eq!(done.status, 2, "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_reported() {
    let folder = Folder::new();
    folder.graphs(1);
    std::os::unix::fs::symlink("gone.pb", folder.path("models/link.pb")).unwrap();
    let done = folder.converts(&["models", "--out-dir", "out"]);
    let note = "note: models/link.pb: left out: it is a link to gone.pb, which does not exist\n";
    assert_eq!(done.stderr, note);
    let done = folder.batch(&["models/link.pb", "--out-dir", "out"]);
    assert!(
        done.stderr.contains("it is a link to gone.pb, which does not exist; repair the link"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::new();
    folder.graphs(2);
    let done = folder.converts(&["models", "--out-dir", "out", "--dry-run", "--report", "report.jsonl"]);
    assert!(done.stdout.starts_with("models/net_00.pb → out/net_00.onnx\n"), "{}", done.stdout);
    assert!(done.stdout.contains("2 to convert"), "{}", done.stdout);
    assert!(!folder.path("out").exists() && !folder.path("report.jsonl").exists());
}

#[test]
fn fail_fast_starts_nothing_after_a_failure() {
    let folder = Folder::new();
    folder.graphs(3);
    // The largest is the first.
    folder.write("models/large.ckpt", vec![0; 100_000]);
    let done = folder.batch(&["models", "--out-dir", "out", "--fail-fast", "--jobs", "1"]);
    assert_eq!(done.status, 1);
    assert!(done.stdout.contains("0 converted, 1 failed, 3 not started"), "{}", done.stdout);
    assert!(folder.models("out").is_empty());
}

#[test]
fn a_manifest_gives_each_model_its_name_and_options() {
    let folder = Folder::new();
    folder.copy(&example(), "lists/nets/a.ckpt");
    folder.write(
        "lists/models.toml",
        "[defaults]\nopset = 15\n\n[[model]]\ninput = \"nets/a.ckpt\"\n\n\
         [[model]]\ninput = \"nets/a.ckpt\"\noutput = \"features/a\"\noutputs = \"Mixed_6e\"\nopset = 16\n",
    );
    let done = folder.converts(&["--manifest", "lists/models.toml", "--out-dir", "out", "--json"]);
    let mut lines = json_lines(&done.stdout);
    lines.sort_by_key(|line| line["output"].to_string());
    assert_eq!((&lines[0]["output"], &lines[0]["opset"]), (&"out/a.onnx".into(), &15.into()));
    assert_eq!((&lines[1]["output"], &lines[1]["opset"]), (&"out/features/a.onnx".into(), &16.into()));
    assert_eq!(lines[1]["outputs"][0]["name"], "InceptionV3/InceptionV3/Mixed_6e/concat:0");
    folder.write("lists/models.toml", "[[model]]\ninput = \"nets/a.ckpt\"\nopsett = 15\n");
    let done = folder.batch(&["--manifest", "lists/models.toml", "--out-dir", "out"]);
    assert_eq!(
        (done.status, done.stderr.as_str()),
        (1, "error: lists/models.toml, line 3: a model has no key \"opsett\"; did you mean \"opset\"?\n")
    );
}

#[test]
fn unchanged_models_are_skipped() {
    let folder = Folder::new();
    folder.graphs(4);
    let resume = ["models", "--out-dir", "out", "--resume", "--report", "report.jsonl"];
    folder.converts(&["models", "--out-dir", "out"]);
    let done = folder.converts(&resume);
    assert!(done.stdout.contains("0 converted, 4 up to date"), "{}", done.stdout);
    let lines = folder.lines("report.jsonl");
    assert_eq!(with_status(&lines, "skipped").len(), 4);
    assert!(
        lines.iter().all(|line| line["nodes"].is_u64()),
        "the lines say what they said when it was converted"
    );
    folder.write("models/net_01.pb", fs::read(fixture("graphs/containers/frozen.pb")).unwrap());
    fs::remove_file(folder.path("out/net_02.onnx")).unwrap();
    let done = folder.converts(&resume);
    assert!(done.stdout.contains("2 converted, 2 up to date"), "{}", done.stdout);
    let done = folder.converts(&[&resume[..], &["--opset", "15"]].concat());
    assert!(done.stdout.contains("4 converted"), "{}", done.stdout);
    let done = folder.converts(&["models", "--out-dir", "out"]);
    assert!(done.stdout.contains("4 converted"), "everything is converted again unless --resume is given");
}

#[test]
fn a_changed_file_of_labels_converts_its_models_again() {
    let folder = Folder::new();
    folder.copy(&example(), "a.ckpt");
    let labels = |word: &str| (0..11).map(|class| format!("{word} {class}\n")).collect::<String>();
    folder.write("labels.txt", labels("old"));
    folder.write("m.toml", "[[model]]\ninput = \"a.ckpt\"\nlabels = \"labels.txt\"\n");
    let resume = ["--manifest", "m.toml", "--out-dir", "out", "--resume"];
    assert!(folder.converts(&resume).stdout.contains("1 converted"));
    assert!(folder.converts(&resume).stdout.contains("0 converted, 1 up to date"));
    folder.write("labels.txt", labels("other"));
    assert!(folder.converts(&resume).stdout.contains("1 converted"));
}

#[test]
fn a_killed_run_can_be_resumed() {
    let folder = Folder::new();
    for number in 0..24 {
        folder.copy(&example(), &format!("models/net_{number:02}.ckpt"));
    }
    let args = ["models", "--out-dir", "out", "--resume", "--jobs", "1"];
    // On a busy machine a run may be done before it is killed; then it is begun anew.
    let printed = (0..5).find_map(|_| {
        let _ = fs::remove_dir_all(folder.path("out"));
        let mut child = folder.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let printed = BufReader::new(child.stdout.take().unwrap()).lines().take(5).count();
        child.kill().unwrap();
        child.wait().unwrap().code().is_none().then_some(printed)
    });
    let before = printed.expect("it was killed in the middle");
    // As if it had been killed while it wrote a line.
    let state = folder.path("out/tf2onnx-rs.state.jsonl");
    let mut file = fs::File::options().append(true).open(state).unwrap();
    file.write_all(b"{\"output\":\"net_2").unwrap();
    let done = folder.converts(&args);
    let last = done.stdout.lines().last().unwrap().to_owned();
    let number = |what: &str| -> usize {
        let part = last.split(", ").find(|part| part.contains(what)).unwrap();
        part.split(' ').next().unwrap().parse().unwrap()
    };
    let (converted, skipped) = (number("converted"), number("up to date"));
    assert_eq!(converted + skipped, 24, "{last}");
    assert!(skipped >= before && converted > 0, "{last}");
    assert_eq!(folder.models("out").len(), 24);
    let size = |path: PathBuf| fs::metadata(path).unwrap().len();
    for model in folder.models("out") {
        // They differ in the name of their source, whose length is the same for all.
        assert_eq!(size(folder.path("out").join(model)), size(folder.path("out/net_00.onnx")));
    }
    let done = folder.converts(&args);
    assert!(done.stdout.contains("0 converted, 24 up to date"), "{}", done.stdout);
}

#[test]
fn the_shards_together_convert_every_input_once() {
    let folder = Folder::new();
    folder.graphs(9);
    folder.copy(&example(), "models/large.ckpt");
    folder.write("models/broken.pb", "\u{1}\u{2}");
    let args = ["models", "--out-dir", "out", "--resume", "--report", "report.jsonl"];
    let shard = |id: usize| {
        let variables = [("ID", id), ("MIN", 4), ("COUNT", 3), ("STEP", 2)];
        let mut command = folder.command(&args);
        command.envs(variables.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value.to_string())));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // At the same time, into the same folder.
    let shards: Vec<Done> = [4, 6, 8].map(shard).into_iter().map(done_of).collect();
    for (number, shard) in shards.iter().enumerate() {
        let said = format!("shard {}/3 (from SLURM_ARRAY_TASK_ID): ", number + 1);
        assert!(
            shard.stderr.starts_with(&said) && shard.stderr.contains(" of 11 inputs"),
            "{}",
            shard.stderr
        );
    }
    assert_eq!(shards.iter().map(|shard| shard.status).sum::<i32>(), 1, "one of them has the broken one");
    let lines: Vec<Value> = (1..=3).flat_map(|k| folder.lines(&format!("report.{k}-of-3.jsonl"))).collect();
    let inputs: BTreeSet<&str> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), inputs.len()), (11, 11));
    assert_eq!(folder.models("out").len(), 10);
    // The shards may be others the next time.
    let done = folder.batch_in(&[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "1")], &args);
    assert!(done.stdout.contains("0 converted, 10 up to date, 1 failed"), "{}", done.stdout);
    assert!(
        done.stderr.contains("shard 1/1 (from JOB_COMPLETION_INDEX): 11 of 11 inputs"),
        "{}",
        done.stderr
    );
    let index = [("JOB_COMPLETION_INDEX", "1")];
    let done = folder.batch_in(&index, &["models", "--out-dir", "out", "--shards", "2", "--dry-run"]);
    assert!(done.stderr.starts_with("shard 2/2 "), "{}", done.stderr);
    let done = folder.batch_in(&index, &["models", "--out-dir", "out", "--no-shard", "--dry-run"]);
    assert!(!done.stderr.contains("shard") && done.stdout.contains("11 to convert"), "{}", done.stdout);
}
