//! Output on a terminal: colors, and tables that fit.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use onnx_protobuf::{Message, ModelProto};
use tempfile::TempDir;

use crate::support::command::{binary, convert};
use crate::support::repository::{example, fixture};

/// What a command writes to a terminal.
fn on_a_terminal(args: &[&str], environment: &[(&str, &str)]) -> String {
    on_a_terminal_of_width(0, args, environment)
}

/// What a command writes to a terminal of a width; 0 is not known.
fn on_a_terminal_of_width(width: u16, args: &[&str], environment: &[(&str, &str)]) -> String {
    let size = Winsize { ws_row: 25, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    // Commands that other tests start must not keep the terminal open.
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let terminal = || Stdio::from(OwnedFd::try_clone(&pty.slave).unwrap());
    let mut command = binary();
    command.args(args).stdin(Stdio::null()).stdout(terminal()).stderr(terminal());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        command.env_remove(name);
    }
    let mut child = command.env("TERM", "xterm").envs(environment.iter().copied()).spawn().unwrap();
    drop((command, pty.slave));
    let mut written = vec![];
    // On Linux, reading is an error when all writers are gone.
    let _ = File::from(pty.master).read_to_end(&mut written);
    child.wait().unwrap();
    String::from_utf8_lossy(&written).into_owned()
}

#[test]
fn a_terminal_gets_colors_unless_they_are_disabled() {
    let args = ["inspect", "nowhere"];
    assert!(on_a_terminal(&args, &[]).contains("\u{1b}[31merror:"));
    for (environment, option) in [
        (&[("NO_COLOR", "1")][..], "auto"),
        (&[("CLICOLOR", "0")], "auto"),
        (&[("TERM", "dumb")], "auto"),
        (&[], "never"),
    ] {
        let said = on_a_terminal(&[&args[..], &["--color", option]].concat(), environment);
        assert!(
            said.contains("error: nowhere") && !said.contains('\u{1b}'),
            "{environment:?} {option}: {said}"
        );
    }
    assert!(on_a_terminal(&["networks", "lenet"], &[]).contains("\u{1b}[1mlenet\u{1b}[0m in LeNet"));
    let bad = on_a_terminal(&["frobnicate", "--color", "never"], &[]);
    assert!(bad.contains("unrecognized") && !bad.contains('\u{1b}'), "{bad}");
}

#[test]
fn a_model_is_not_written_to_a_terminal() {
    let said = on_a_terminal(&["convert", example().to_str().unwrap(), "-"], &[]);
    assert!(said.contains("standard output: it is a terminal"), "{said}");
}

/// The lines that a command prints on a terminal of a width, without their colors.
fn lines_at(width: u16, args: &[&str]) -> Vec<String> {
    let text = on_a_terminal_of_width(width, args, &[]);
    // Progress is written over.
    let lines = text.lines().map(|line| line.trim_end().rsplit('\r').next().unwrap_or_default());
    lines.map(|line| anstream::adapter::strip_str(line).to_string()).collect()
}

#[test]
fn tables_fit_the_terminal() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (tiny, model) = (example().to_str().unwrap().to_owned(), path("model.onnx"));
    convert(Path::new(&tiny), Path::new(&model), &[]);
    fs::write(path("broken.ckpt"), "<html>404</html>").unwrap();
    let out = path("out");
    for (args, rows) in [
        (&["inspect", &tiny][..], 388),
        (&["inspect", &tiny, "--stats"], 388),
        (&["inspect", &model, "--stats"], 94),
        (&["verify", &model, "--against", &model], 1),
        (&["networks"], 40),
        (&["networks", "inception_v3", "--image-size", "299x299"], 10),
        (&["ops"], 200),
        (&["batch", &path("broken.ckpt"), "--out-dir", &out], 1),
    ] {
        for width in [40, 60, 80, 100] {
            let lines = lines_at(width, args);
            // A line of a table begins with a space; sentences are left to the terminal.
            let table: Vec<&String> = lines.iter().filter(|line| line.starts_with(' ')).collect();
            assert!(table.len() > rows, "{args:?} at {width}: {}", table.len());
            for line in table {
                assert!(line.chars().count() <= width.into(), "{args:?} at {width}: {line}");
            }
        }
    }
}

#[test]
fn nothing_is_left_out_of_a_narrow_table() {
    let tiny = example();
    let words = |text: String| {
        let (_, table) = text.split_once("kB").unwrap();
        table.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let args = ["inspect", tiny.to_str().unwrap(), "--stats", "--match", "*/Logits/*/weights"];
    let table_at = |width| lines_at(width, &args).join(" ");
    let wide = words(table_at(200));
    assert!(wide.contains(&"InceptionV3/Logits/Conv2d_1c_1x1/weights".to_owned()), "{wide:?}");
    assert_eq!(words(table_at(50)), wide);
}

#[test]
fn names_in_files_do_not_tell_the_terminal_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.onnx");
    convert(&fixture("graphs/containers/frozen.pb"), &path, &[]);
    let mut model = ModelProto::parse_from_bytes(&fs::read(&path).unwrap()).unwrap();
    model.metadata_props[0].value = "\u{1b}[2J\u{1b}]0;\rtitle\u{7}".to_owned();
    fs::write(&path, model.write_to_bytes().unwrap()).unwrap();
    let said = on_a_terminal(&["inspect", path.to_str().unwrap()], &[]);
    assert!(said.contains("\u{fffd}[2J\u{fffd}]0;\u{fffd}title\u{fffd}\r\n"), "{said:?}");
    let said = on_a_terminal(&["inspect", "no\u{1b}[2Jwhere"], &[]);
    assert!(said.contains("\u{1b}[31merror:\u{1b}[0m no\u{fffd}[2Jwhere"), "{said:?}");
}
