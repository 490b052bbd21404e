//! Output files: inputs are not overwritten, and only regular files are replaced.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use flate2::read::GzDecoder;
use tempfile::TempDir;
use tf2onnx_rs::convert::{ConvertOptions, convert as convert_model};
use tf2onnx_rs::onnx::{WriteOptions, write_model};
use tf2onnx_rs::source::{OpenOptions, Source};

use crate::support::command::{Done, binary, convert, fails, tf2onnx_rs};
use crate::support::repository::repository;

fn copied(from: &str, folder: &TempDir, name: &str) -> PathBuf {
    let to = folder.path().join(name);
    fs::copy(repository(from), &to).unwrap();
    to
}

#[test]
fn inputs_are_not_overwritten() {
    let folder = TempDir::new().unwrap();
    let checkpoint =
        copied("examples/inception_v3_tiny/inception_v3_tiny.ckpt", &folder, "inception_v3_tiny.ckpt");
    let graph = copied("tests/fixtures/graphs/containers/frozen.pb", &folder, "frozen.pb");
    let model = folder.path().join("model.onnx");
    let said = "it is an input too, and would be overwritten; choose another output";
    for input in [&checkpoint, &graph] {
        let before = fs::read(input).unwrap();
        let [input, model] = [input, &model].map(|path| path.to_str().unwrap());
        let again = folder.path().join(".").join(Path::new(input).file_name().unwrap());
        assert!(fails(&["convert", input, again.to_str().unwrap()]).contains(said));
        let report = folder.path().join("report.json");
        fs::hard_link(input, &report).unwrap();
        assert!(fails(&["convert", input, model, "--report", report.to_str().unwrap()]).contains(said));
        fs::remove_file(&report).unwrap();
        assert_eq!(fs::read(input).unwrap(), before);
    }
    let weights = folder.path().join("weights.npz");
    fs::hard_link(&checkpoint, &weights).unwrap();
    assert!(fails(&["extract", checkpoint.to_str().unwrap(), weights.to_str().unwrap()]).contains(said));
}

#[test]
fn arrays_are_saved_under_a_name_that_says_so() {
    let done = tf2onnx_rs(["verify", "model.onnx", "--against", "other.onnx", "--save-inputs", "inputs.npy"]);
    assert_eq!(done.status, 2);
    assert!(done.stderr.contains("arrays are saved as .npz"), "{}", done.stderr);
}

#[test]
fn tensors_are_not_sent_to_standard_output() {
    let error = fails(&["extract", "model.ckpt", "-"]);
    assert!(error.contains("tensors are not written to standard output"), "{error}");
}

/// Ends a command that does not end by itself.
#[cfg(unix)]
fn within_seconds(args: &[&str], folder: &Path) -> Done {
    let mut child = binary()
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Done::new(child.wait_with_output().unwrap())
}

#[cfg(unix)]
#[test]
fn only_files_are_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    copied("tests/fixtures/graphs/containers/frozen.pb", &folder, "frozen.pb");
    fs::create_dir(path("inputs")).unwrap();
    copied("tests/fixtures/graphs/containers/frozen.pb", &folder, "inputs/net.pb");
    tf2onnx_rs(["convert", path("frozen.pb").to_str().unwrap(), path("model.onnx").to_str().unwrap()]);
    // The target is `{}` with the extension that the command needs.
    let commands: [(&[&str], &str); 11] = [
        (&["convert", "frozen.pb", "{}"], ".onnx"),
        (&["convert", "frozen.pb", "{}", "--verify"], ".onnx"),
        (&["convert", "frozen.pb", "new.onnx", "--report", "{}"], ".html"),
        (&["convert", "frozen.pb", "{}", "--large_model"], ".zip"),
        (&["convert", "frozen.pb", "new.onnx", "--output_frozen_graph", "{}"], ".pb"),
        (&["extract", "frozen.pb", "{}"], ".npz"),
        (&["extract", "frozen.pb", "{}"], ".safetensors"),
        (&["extract", "frozen.pb", "{}"], ""),
        (&["graph", "frozen.pb", "{}", "--frozen"], ".pb"),
        (&["verify", "model.onnx", "--against", "model.onnx", "--save-inputs", "{}"], ".npz"),
        (&["batch", "inputs", "--out-dir", "out", "--report", "{}"], ".jsonl"),
    ];
    for (command, extension) in commands {
        let name = |what: &str| format!("{what}{extension}");
        let made = Command::new("mkfifo").arg(path(&name("pipe"))).status().unwrap();
        assert!(made.success());
        let listener = UnixListener::bind(path(&name("socket"))).unwrap();
        symlink("/dev/null", path(&name("device"))).unwrap();
        symlink("nowhere", path(&name("dangling"))).unwrap();
        symlink(name("circle"), path(&name("circle"))).unwrap();
        for what in ["pipe", "socket", "device", "dangling", "circle"] {
            let args: Vec<String> = command.iter().map(|arg| arg.replace("{}", &name(what))).collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let kind = fs::symlink_metadata(path(&name(what))).unwrap().file_type();
            let done = within_seconds(&args, folder.path());
            assert_eq!(done.status, 1, "{args:?}: {}{}", done.stdout, done.stderr);
            assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {}", done.stderr);
            let said = match what {
                "dangling" => "it is a link to nowhere, which does not exist",
                "circle" => "which cannot be followed",
                _ if extension.is_empty() => "exists already, and is not a folder",
                _ => "it is a device or a pipe, not a file",
            };
            assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
            assert_eq!(fs::symlink_metadata(path(&name(what))).unwrap().file_type(), kind);
            assert!(!path("new.onnx").exists(), "{args:?}");
            fs::remove_file(path(&name(what))).unwrap();
        }
        drop(listener);
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[cfg(unix)]
#[test]
fn a_state_file_that_is_a_pipe_is_not_opened() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("inputs")).unwrap();
    copied("tests/fixtures/graphs/containers/frozen.pb", &folder, "inputs/net.pb");
    within_seconds(&["batch", "inputs", "--out-dir", "out"], folder.path());
    let mut state = fs::read_dir(path("out")).unwrap().map(|entry| entry.unwrap().path());
    let state = state.find(|path| path.extension().unwrap() == "jsonl").unwrap();
    fs::remove_file(&state).unwrap();
    assert!(Command::new("mkfifo").arg(&state).status().unwrap().success());
    let done = within_seconds(&["batch", "inputs", "--out-dir", "out", "--resume"], folder.path());
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("it is a device or a pipe, not a file"), "{}", done.stderr);
}

/// A file of mode 0444 is not replaced, as `cp` would not, unless the user is root, who may write to it; then its mode stays.
#[cfg(unix)]
#[test]
fn files_that_the_user_may_not_write_are_not_replaced() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let folder = TempDir::new().unwrap();
    let (input, model) = (
        copied("tests/fixtures/graphs/containers/frozen.pb", &folder, "frozen.pb"),
        folder.path().join("model.onnx"),
    );
    let mode = |mode: u32| fs::set_permissions(&model, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = chown(folder.path(), Some(NOBODY), Some(NOBODY)).is_ok();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The user of this test, and, if that is root, another one: its own file, and that of somebody else.
    let program = folder.path().join("program");
    fs::copy(env!("CARGO_BIN_EXE_tf2onnx-rs"), &program).unwrap();
    let mut users = vec![(None, None)];
    if is_root {
        users.extend([(Some(NOBODY), Some(NOBODY)), (Some(NOBODY), Some(0)), (None, Some(NOBODY))]);
    }
    for (user, owner) in users {
        for before in [0o444, 0o600, 0o640, 0o666] {
            let _ = fs::remove_file(&model);
            fs::write(&model, "old").unwrap();
            if owner.is_some() {
                chown(&model, owner, owner).unwrap();
            }
            mode(before);
            let old = fs::metadata(&model).unwrap();
            let mut command = Command::new(&program);
            if let Some(user) = user {
                command.uid(user).gid(user);
            }
            let done = command.arg("convert").args([&input, &model]).output().unwrap();
            let stderr = String::from_utf8_lossy(&done.stderr);
            let is_written = match (user.is_none() && is_root, owner == user) {
                (true, _) => true,
                (false, true) => before & 0o200 != 0,
                (false, false) => before & 0o002 != 0,
            };
            let new = fs::metadata(&model).unwrap();
            let case = format!("{before:o}, {user:?} and {owner:?}: {stderr}");
            assert_eq!(done.status.code(), Some(i32::from(!is_written)), "{case}");
            assert_eq!(new.len() > 3, is_written, "{case}");
            assert_eq!(new.mode(), old.mode(), "{case}");
            if !is_written {
                assert!(stderr.contains("it exists, and you have no permission to write it"), "{case}");
                assert_eq!(new.ino(), old.ino());
            }
            if user.is_none() {
                assert_eq!((new.uid(), new.gid()), (old.uid(), old.gid()), "{case}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_devices_devices() {
    let folder = TempDir::new().unwrap();
    let input = repository("tests/fixtures/graphs/containers/frozen.pb");
    let (real, link) = (folder.path().join("models/real.onnx"), folder.path().join("link.onnx"));
    fs::create_dir(folder.path().join("models")).unwrap();
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for options in [&[][..], &["--verify"], &["--external-data"]] {
        fs::write(&real, "old").unwrap();
        convert(&input, &link, options);
        assert!(link.is_symlink() && fs::metadata(&real).unwrap().len() > 1000, "{options:?}");
    }
    assert!(folder.path().join("models/real.onnx.data").exists());
    let error = fails(&["convert", input.to_str().unwrap(), "/dev/null"]);
    assert!(error.contains("/dev/null: it is a device or a pipe"), "{error}");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn unused_weights_are_named() {
    let folder = TempDir::new().unwrap();
    let input = repository("tests/fixtures/graphs/containers/frozen.pb");
    let model = folder.path().join("model.onnx");
    let said = "model.onnx.data belongs to another model; this one does not need it";
    assert!(!convert(&input, &model, &["--external-data"]).stdout.contains(said));
    assert!(convert(&input, &model, &[]).stdout.contains(said));
}

#[test]
fn a_checkpoint_that_changes_during_the_conversion_is_refused() {
    let folder = TempDir::new().unwrap();
    for (checkpoint, data) in [("v1.ckpt", "v1.ckpt"), ("model.ckpt", "model.ckpt.data-00000-of-00001")] {
        for file in ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "v1.ckpt"] {
            let from = repository("tests/fixtures/batchnorm/fused_scale_center").join(file);
            fs::write(folder.path().join(file), fs::read(from).unwrap()).unwrap();
        }
        let data = fs::File::options().read(true).write(true).open(folder.path().join(data)).unwrap();
        // Writing twice within a tick of the system's clock would not show.
        data.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        let graph = repository("tests/fixtures/batchnorm/fused_scale_center/model.ckpt.meta.gz");
        let mut meta = vec![];
        GzDecoder::new(fs::File::open(graph).unwrap()).read_to_end(&mut meta).unwrap();
        let graph = folder.path().join("graph.meta");
        fs::write(&graph, meta).unwrap();
        let open = OpenOptions { graph: Some(graph), ..OpenOptions::default() };
        let source = Source::open(&folder.path().join(checkpoint), &open).unwrap();
        let conversion = convert_model(&source, &ConvertOptions::default()).unwrap();
        // From here on checksums are not looked at again.
        for tensor in source.checkpoint().unwrap().tensors() {
            tensor.constant().bytes().unwrap();
        }
        (&data).seek(SeekFrom::Start(64)).unwrap();
        (&data).write_all(&[0x3f; 8]).unwrap();
        let output = folder.path().join("model.onnx");
        let error = write_model(&conversion.model, &output, &WriteOptions::default(), &|_, _| ());
        assert!(
            error.unwrap_err().to_string().contains("it was written to while it was read"),
            "{checkpoint}"
        );
        assert!(!output.exists());
    }
}
