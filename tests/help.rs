//! Help, manual pages, completions, and suggestions for options of tf2onnx.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::command::{fed_in, prints, tf2onnx_rs};
use crate::support::repository::repository;

const COMMANDS: [&str; 10] =
    ["convert", "batch", "inspect", "extract", "graph", "verify", "networks", "ops", "completions", "man"];

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
            // Bad usage is an error before the command does anything. Missing files are not bad usage.
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
    let page = fs::read_to_string(repository("docs/options.md")).unwrap();
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
fn unknown_options_of_tf2onnx_get_a_tip() {
    for (args, tip) in [
        (&["a.ckpt", "-o", "a.onnx"][..], "tip: --output, or the second argument, is the output"),
        (&["a.ckpt", "a.onnx", "--shape_override", "x"], "tip: --inputs NAME[1,224,224,3]"),
        (&["a.ckpt", "a.onnx", "--saved_model", "x"], "'--saved-model'"),
    ] {
        let done = tf2onnx_rs([&["convert"], args].concat());
        assert_eq!(done.status, 2);
        assert!(done.stderr.contains(tip), "{}", done.stderr);
        assert!(!done.stderr.contains("as a value, use"), "{}", done.stderr);
    }
}
