//! How the program behaves among others: help, manual pages and completions, colors, pipes, signals, suggestions.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::checkpoint_writer::Variable;
use support::checkpoints::{Format, write};
use support::command::{Done, fails, tf2onnx_rs};
use support::onnx::Model;
use tempfile::TempDir;

const COMMANDS: [&str; 9] =
    ["convert", "batch", "inspect", "extract", "verify", "networks", "ops", "completions", "man"];

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tf2onnx-rs"))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tiny() -> PathBuf {
    repository().join("examples/inception_v3_tiny/inception_v3_tiny.ckpt")
}

/// What a successful command prints.
fn prints(args: &[&str]) -> String {
    let done = tf2onnx_rs(args);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{args:?}");
    done.stdout
}

/// Runs a command with something on its standard input.
fn fed(args: &[&str], input: &[u8]) -> (Done, Vec<u8>) {
    fed_in(Path::new("."), args, input)
}

/// The same in another folder.
fn fed_in(folder: &Path, args: &[&str], input: &[u8]) -> (Done, Vec<u8>) {
    let mut child = binary()
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its input need not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let done = Done {
        status: output.status.code().unwrap(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    (done, output.stdout)
}

/// Whether another program is there; what needs it is left out where it is not, and said.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = found.is_ok();
    if !is_there {
        eprintln!("left out: {program} is not installed");
    }
    is_there
}

#[test]
fn every_command_has_a_short_help_and_a_long_one_with_examples() {
    for command in COMMANDS {
        let (short, long) = (prints(&[command, "-h"]), prints(&[command, "--help"]));
        assert!(!short.contains("Examples:"), "{command}");
        assert!(
            long.contains("Examples:\n  tf2onnx-rs ") || long.contains("Examples:\n  curl"),
            "{command}: {long}"
        );
        assert_eq!(long, prints(&["help", command]));
    }
    let help = prints(&["--help"]);
    assert!(help.contains("docs/options.md") && help.contains("README.md"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command}  ")), "{command}");
    }
}

#[test]
fn the_examples_of_the_help_are_good_usage() {
    for command in COMMANDS {
        let help = prints(&[command, "--help"]);
        let examples = help.split_once("Examples:\n").unwrap().1.lines().map(str::trim);
        for example in examples.filter(|line| line.contains("tf2onnx-rs ")) {
            let args = example.split_once("tf2onnx-rs ").unwrap().1;
            let args = args.split_whitespace().take_while(|word| !["|", ">"].contains(word));
            // Bad usage is said before anything is done; files that are not there are no bad usage.
            let folder = TempDir::new().unwrap();
            let path = folder.path().to_str().unwrap();
            let args = args.map(|word| if word.contains('~') { path } else { word });
            let done = fed_in(folder.path(), &args.collect::<Vec<_>>(), b"").0;
            assert_ne!(done.status, 2, "{example}: {}", done.stderr);
        }
    }
}

#[test]
fn the_page_of_options_is_what_help_says() {
    let page = fs::read_to_string(repository().join("docs/options.md")).unwrap();
    let printed = prints(&["man", "--markdown"]);
    assert!(page == printed, "run `cargo run -- man --markdown > docs/options.md`");
    for command in COMMANDS {
        let help = prints(&[command, "--help"]);
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        let options: BTreeSet<&str> =
            options.map(|word| word.trim_end_matches([',', '`', ')', '.'])).collect();
        for option in options.iter().filter(|option| option.len() > 2) {
            let option = option.split('=').next().unwrap();
            assert!(page.contains(option), "{command}: {option}");
        }
    }
}

#[test]
fn manual_pages_are_free_of_warnings() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    prints(&["man", "--out-dir", pages.to_str().unwrap()]);
    let mut written: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    let mut expected: Vec<String> =
        COMMANDS.iter().map(|command| format!("tf2onnx-rs-{command}.1")).collect();
    expected.push("tf2onnx-rs.1".to_owned());
    expected.sort();
    assert_eq!(written, expected);
    let convert = fs::read_to_string(pages.join("tf2onnx-rs-convert.1")).unwrap();
    assert_eq!(prints(&["man", "convert"]), convert);
    for part in [".SH NAME", ".SH EXAMPLES", ".SH \"EXIT STATUS\"", "preprocess"] {
        assert!(convert.contains(part), "{part}");
    }
    let done = tf2onnx_rs(["man", "convrt"]);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("there is no such command; did you mean \"convert\"?"), "{}", done.stderr);
    for (program, args) in
        [("groff", &["-man", "-ww", "-z", "-Tutf8"][..]), ("mandoc", &["-Tlint", "-Werror"])]
    {
        if !has(program) {
            continue;
        }
        for page in &written {
            let output = Command::new(program).args(args).arg(pages.join(page)).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            assert!(said.is_empty(), "{program} {page}: {}", String::from_utf8_lossy(&said));
        }
    }
}

/// What a shell says when it runs a script that reads the completions from a file.
fn completed(shell: &str, script: &str) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(if shell == "zsh" { "_tf2onnx-rs" } else { "completions" });
    fs::write(&file, prints(&["completions", shell])).unwrap();
    if !has(shell) {
        return None;
    }
    let script =
        script.replace("FILE", file.to_str().unwrap()).replace("FOLDER", folder.path().to_str().unwrap());
    let output = Command::new(shell).args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn bash_completes_commands_options_and_values() {
    let complete = |words: &str, last: usize| {
        let script = format!(
            "source FILE; complete=$(complete -p tf2onnx-rs); complete=${{complete#*-F }}; \
             COMP_WORDS=({words}); COMP_CWORD={last}; COMP_LINE='{words}'; \
             ${{complete%% *}} tf2onnx-rs \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last} - 1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        completed("bash", &script)
    };
    let Some(commands) = complete("tf2onnx-rs con", 1) else { return };
    assert_eq!(commands, "convert\n");
    assert_eq!(complete("tf2onnx-rs convert --prep", 2).unwrap(), "--preprocess\n");
    assert_eq!(complete("tf2onnx-rs convert --preprocess ''", 3).unwrap(), "inception\nvgg\nnone\n");
}

#[test]
fn fish_completes_commands_options_and_values() {
    let complete = |line: &str| completed("fish", &format!("source FILE; complete -C '{line}'"));
    let Some(commands) = complete("tf2onnx-rs con") else { return };
    assert!(commands.starts_with("convert\t"), "{commands}");
    assert!(complete("tf2onnx-rs convert --prep").unwrap().starts_with("--preprocess\t"));
    let values = complete("tf2onnx-rs convert --preprocess ").unwrap();
    assert!(values.contains("inception") && values.contains("vgg"), "{values}");
}

#[test]
fn zsh_loads_the_completions_and_knows_the_command() {
    let script = "fpath=(FOLDER $fpath); autoload -Uz compinit; compinit -D -u; \
                  print -r -- $_comps[tf2onnx-rs]; autoload +X _tf2onnx-rs; whence -w _tf2onnx-rs";
    let Some(said) = completed("zsh", script) else { return };
    assert_eq!(said, "_tf2onnx-rs\n_tf2onnx-rs: function\n");
}

#[test]
fn a_pipe_gets_no_colors_unless_they_are_asked_for() {
    const ESCAPE: char = '\u{1b}';
    let checkpoint = tiny();
    let inspect = ["inspect", checkpoint.to_str().unwrap()];
    assert!(!prints(&inspect).contains(ESCAPE));
    assert!(prints(&[&inspect[..], &["--color", "always"]].concat()).contains(ESCAPE));
    assert!(!fails(&["inspect", "nowhere"]).contains(ESCAPE));
    assert!(fails(&["inspect", "nowhere", "--color=always"]).contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "));
    let json = prints(&[&inspect[..], &["--json", "--color=always"]].concat());
    assert!(!json.contains(ESCAPE));
    assert!(tf2onnx_rs(["frobnicate", "--color=always"]).stderr.contains(ESCAPE));
}

#[cfg(unix)]
mod unix {
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        for args in
            [&["networks"][..], &["inspect", tiny().to_str().unwrap()], &["convert", "--help"], &["man"]]
        {
            let mut child =
                binary().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            drop(child.stdout.take());
            let output = child.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
            assert_eq!(output.status.code(), Some(0), "{args:?}");
        }
    }

    /// Waits until something is in a folder.
    fn wait_for_file(folder: &Path) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if fs::read_dir(folder).unwrap().next().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        false
    }

    /// Whether this process was begun with hangups ignored, as the commands that it starts are then too.
    fn hangup_is_ignored() -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
    }

    #[test]
    fn an_interrupted_command_leaves_no_temporary_files_and_has_its_own_status() {
        // Under nohup, hangups are ignored, and stay so.
        let ends = [(Signal::SIGHUP, 129), (Signal::SIGINT, 130), (Signal::SIGTERM, 143)];
        for (signal, status) in ends.into_iter().skip(usize::from(hangup_is_ignored())) {
            let folder = TempDir::new().unwrap();
            let temporary = folder.path().join("tmp");
            fs::create_dir(&temporary).unwrap();
            let output = folder.path().join("model.onnx");
            // It waits for the rest of its input, with what it has in a temporary file.
            let mut child = binary()
                .args(["convert", "-", output.to_str().unwrap()])
                .env("TMPDIR", &temporary)
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"the beginning").unwrap();
            assert!(wait_for_file(&temporary));
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            let done = child.wait_with_output().unwrap();
            drop(input);
            assert_eq!(done.status.code(), Some(status));
            assert_eq!(String::from_utf8_lossy(&done.stderr), "");
            assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
            assert!(!output.exists());
        }
    }

    #[test]
    fn what_is_interrupted_while_it_writes_leaves_nothing() {
        let folder = TempDir::new().unwrap();
        let large =
            |name: &str, shape: &[usize]| Variable::float32(name, shape, vec![0.25; shape.iter().product()]);
        let variables = [large("a", &[1 << 23]), large("b", &[1 << 23])];
        let checkpoint = write(folder.path(), &variables, Format::V2);
        let (large, small) = (checkpoint.to_str().unwrap(), tiny());
        interrupt_often(&["extract", large], "weights.npz", &[]);
        interrupt_often(&["extract", large], "weights/", &[]);
        interrupt_often(&["convert", small.to_str().unwrap()], "model.onnx", &["--verify"]);
    }

    #[test]
    fn a_batch_that_is_interrupted_says_what_failed_until_then() {
        use std::io::{BufRead, BufReader};
        let folder = TempDir::new().unwrap();
        for number in 0..60 {
            fs::copy(tiny(), folder.path().join(format!("net_{number}.ckpt"))).unwrap();
        }
        // The largest is the first.
        fs::write(folder.path().join("broken.ckpt"), vec![0; 20 << 20]).unwrap();
        let mut child = binary()
            .args(["batch", ".", "--out-dir", "out", "--jobs", "1", "--no-shard"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut String::new()).unwrap();
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(130), "{said}");
        assert!(said.contains("broken.ckpt  is not a checkpoint: it starts with zeros"), "{said}");
        assert!(
            said.ends_with("interrupted: run the command again with --resume to convert the rest\n"),
            "{said}"
        );
    }

    /// Interrupts a command several times, as soon as there is anything beside its output.
    fn interrupt_often(command: &[&str], output: &str, options: &[&str]) {
        let mut interrupted = 0;
        // The end may come before the signal does.
        for _ in 0..20 {
            let outputs = TempDir::new().unwrap();
            let mut child = binary()
                .args(command)
                .arg(outputs.path().join(output))
                .args(options)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            assert!(wait_for_file(outputs.path()));
            kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
            let code = child.wait().unwrap().code();
            // All of the output, or nothing.
            for entry in fs::read_dir(outputs.path()).unwrap() {
                assert_eq!(entry.unwrap().path(), outputs.path().join(output), "{command:?}");
            }
            match code {
                // It was done, and had only to end.
                Some(130) if outputs.path().join(output).exists() => {}
                Some(130) => {
                    interrupted += 1;
                    if interrupted == 3 {
                        break;
                    }
                }
                code => assert_eq!(code, Some(0)),
            }
        }
        assert!(interrupted > 0, "{command:?} {output}");
    }
}

#[test]
fn a_model_goes_through_pipes() {
    let folder = TempDir::new().unwrap();
    let (file, piped) = (folder.path().join("file.onnx"), folder.path().join("piped.onnx"));
    for input in [tiny(), repository().join("tests/fixtures/graphs/containers/frozen.pb")] {
        let bytes = fs::read(&input).unwrap();
        support::command::convert(&input, &file, &[]);
        let (done, model) = fed(&["convert", "-", "-"], &bytes);
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(done.stderr.starts_with("standard input → standard output\n"), "{}", done.stderr);
        fs::write(&piped, model).unwrap();
        let [of_file, of_pipe] = [&file, &piped].map(|path| Model::load(path));
        // They differ in what they say they come from, and in nothing else.
        assert_eq!(of_pipe.metadata("source"), Some("standard input"));
        assert_eq!(of_pipe.proto().graph.node, of_file.proto().graph.node);
        assert_eq!(of_pipe.proto().graph.initializer, of_file.proto().graph.initializer);
    }
    let (done, _) = fed(&["inspect", "-"], &fs::read(tiny()).unwrap());
    assert!(done.stdout.starts_with("standard input: V1 checkpoint, 388 tensors"), "{}", done.stdout);
    let arrays = folder.path().join("weights.npz");
    let (done, _) = fed(&["extract", "-", arrays.to_str().unwrap()], &fs::read(tiny()).unwrap());
    assert!(done.stdout.starts_with("standard input → "), "{}", done.stdout);
}

#[test]
fn what_does_not_fit_a_pipe_is_said() {
    for (input, said) in [
        (&b""[..], "standard input: it is empty"),
        (b"<html>404</html>", "standard input: it is a web page"),
        (b"learning_rate: 0.1", "standard input: is text, but no graph"),
        (b"\x1f\x8bdamaged", "standard input: the archive cannot be read"),
    ] {
        let (done, _) = fed(&["convert", "-", "-"], input);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{}", done.stderr);
        assert!(done.stderr.contains(said) && !done.stderr.contains("/tf2onnx-rs-"), "{}", done.stderr);
    }
    let saved = "tests/fixtures/graphs/keras/saved_model/variables/variables.index";
    let index = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(saved)).unwrap();
    let (done, _) = fed(&["convert", "-", "-"], &index);
    assert!(done.stderr.contains("standard input: it is the index of a V2 checkpoint"), "{}", done.stderr);
    let (done, _) = fed(&["convert", tiny().to_str().unwrap(), "-", "--external-data"], b"");
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.contains("standard output: the weights go to a file beside the model"),
        "{}",
        done.stderr
    );
}

#[test]
fn one_network_is_shown_with_its_end_points() {
    let text = prints(&["networks", "inception_v3"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains(" Mixed_6e [?, 17, 17, 768] "), "{text}");
    assert!(text.contains("InceptionV3/Predictions/Reshape_1:0"), "{text}");
    let options = ["--image-size", "203x331", "--network-option", "depth_multiplier=0.5", "--json"];
    let json = prints(&[&["networks", "inception-v3"][..], &options].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let points = json["end_points"].as_array().unwrap();
    let point = points.iter().find(|point| point["name"] == "Mixed_6e").unwrap();
    assert_eq!(point["tensor"], "InceptionV3/InceptionV3/Mixed_6e/concat:0");
    assert_eq!(point["shape"], serde_json::json!([null, 11, 19, 384]));
    assert_eq!(json["name"], "inception_v3");
    let described = repository().join("examples/networks/plain_cnn.toml");
    assert!(prints(&["networks", described.to_str().unwrap()]).contains("end point"));
    assert!(fails(&["networks", "inceptoin_v3"]).contains("did you mean \"inception_v3\""));
    assert!(
        fails(&["networks", "lenet", "--network-option", "classes=3"])
            .contains("did you mean \"num_classes\"?")
    );
}

#[test]
fn every_network_can_be_shown() {
    let all: serde_json::Value = serde_json::from_str(&prints(&["networks", "--json"])).unwrap();
    for network in all.as_array().unwrap() {
        let name = network["name"].as_str().unwrap();
        assert!(prints(&["networks", name]).contains("\n end point"), "{name}");
    }
}

#[test]
fn who_types_tf2onnxs_options_is_told_what_is_here() {
    for (args, tip) in [
        (&["a.ckpt", "-o", "a.onnx"][..], "tip: the output has no name"),
        (&["a.ckpt", "--output=a.onnx"], "tip: the output has no name"),
        (&["--checkpoint", "a.ckpt.meta"], "tip: the input has no name"),
        (&["a.ckpt", "a.onnx", "--continue_on_error"], "--keep-going"),
        (&["a.ckpt", "a.onnx", "--signature_def", "x"], "'--signature'"),
    ] {
        let done = tf2onnx_rs([&["convert"], args].concat());
        assert_eq!(done.status, 2);
        assert!(done.stderr.contains(tip), "{}", done.stderr);
        assert!(!done.stderr.contains("as a value, use"), "{}", done.stderr);
    }
}

#[test]
fn files_that_are_nearly_there_are_named() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let checkpoint = write(folder.path(), &[Variable::float32("w", &[2], vec![1.0, 2.0])], Format::V2);
    for (part, renamed) in
        [("index", "model.ckpt-5000.index"), ("data-00000-of-00001", "model.ckpt-5000.data-00000-of-00001")]
    {
        fs::rename(format!("{}.{part}", checkpoint.display()), path(renamed)).unwrap();
    }
    fs::write(path("frozen_graph.pb"), b"x").unwrap();
    let inspect = |name: &str| fails(&["inspect", &path(name)]);
    let said = inspect("model.ckpt-500");
    assert!(said.contains("did you mean \"model.ckpt-5000\"?"), "{said}");
    let said = inspect("frozn_graph.pb");
    assert!(said.contains("did you mean \"frozen_graph.pb\"?"), "{said}");
    let said = inspect("something/else.ckpt");
    assert!(said.contains("there is no folder"), "{said}");
    // A data file stands for its checkpoint.
    prints(&["inspect", &path("model.ckpt-5000.data-00000-of-00001")]);
    fs::remove_file(path("model.ckpt-5000.index")).unwrap();
    for name in ["model.ckpt-5000", "model.ckpt-5000.data-00000-of-00001"] {
        let said = inspect(name);
        assert!(
            said.contains("model.ckpt-5000.index: is missing, and is a part of the checkpoint"),
            "{said}"
        );
    }
}
