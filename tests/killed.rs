//! Commands that are killed: no signal handler runs, so the next command removes what they left.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::checkpoint_writer::Variable;
use crate::support::checkpoints::{Format, write};
use crate::support::command::binary;
use crate::support::repository::fixture;

/// The temporary files and folders in a folder.
fn temporary_in(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.trim_start_matches('.').starts_with("tf2onnx-rs-")).collect()
}

/// Starts a conversion that waits for the rest of its input, and returns when it has a temporary folder.
fn waiting(folder: &Path, output: &Path) -> Child {
    let before = temporary_in(folder);
    let mut child = binary()
        .args(["convert", "-", output.to_str().unwrap()])
        .env("TMPDIR", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let graph = fs::read(fixture("graphs/containers/frozen.pb")).unwrap();
    child.stdin.as_mut().unwrap().write_all(&graph[..1024]).unwrap();
    let start = Instant::now();
    while temporary_in(folder).is_subset(&before) {
        assert!(start.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn the_next_command_removes_what_a_killed_one_left_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("tmp")).unwrap();
    let mut killed = waiting(&path("tmp"), &path("killed.onnx"));
    killed.kill().unwrap();
    // It stays listed among the processes until this one asks for its status.
    while !fs::read_to_string(format!("/proc/{}/stat", killed.id())).unwrap().contains(") Z ") {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut living = waiting(&path("tmp"), &path("living.onnx"));
    assert_eq!(temporary_in(&path("tmp")).len(), 1);
    killed.wait().unwrap();
    let graph = fs::read(fixture("graphs/containers/frozen.pb")).unwrap();
    living.stdin.take().unwrap().write_all(&graph[1024..]).unwrap();
    assert!(living.wait().unwrap().success());
    assert!(path("living.onnx").exists() && !path("killed.onnx").exists());
    assert_eq!(temporary_in(&path("tmp")).len(), 0);
}

#[test]
fn a_target_is_as_before_or_complete_when_a_command_is_killed() {
    let folder = TempDir::new().unwrap();
    let large =
        |name: &str, shape: &[usize]| Variable::float32(name, shape, vec![0.25; shape.iter().product()]);
    let checkpoint = write(folder.path(), &[large("a", &[1 << 21]), large("b", &[1 << 21])], Format::V2);
    for (name, is_folder) in [("weights.npz", false), ("weights", true)] {
        let outputs = folder.path().join("outputs");
        fs::create_dir(&outputs).unwrap();
        let target = outputs.join(name);
        let start = |target: &PathBuf| {
            binary().arg("extract").args([&checkpoint, target]).stdout(Stdio::null()).spawn().unwrap()
        };
        let begun = Instant::now();
        assert!(start(&target).wait().unwrap().success());
        let duration = begun.elapsed();
        let size = |path: &Path| match is_folder {
            false => fs::metadata(path).unwrap().len(),
            true => fs::read_dir(path).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum(),
        };
        let complete = size(&target);
        let mut litter = 0;
        for step in 0..20 {
            match is_folder {
                true => fs::remove_dir_all(&target).unwrap(),
                false => fs::write(&target, "old").unwrap(),
            }
            let mut child = start(&target);
            std::thread::sleep(duration * step / 20);
            child.kill().unwrap();
            child.wait().unwrap();
            litter += temporary_in(&outputs).len();
            let before = if is_folder { !target.exists() } else { size(&target) == 3 };
            assert!(before || size(&target) == complete, "{name} {step}");
            if is_folder && target.exists() {
                fs::remove_dir_all(&target).unwrap();
            }
            assert!(start(&target).wait().unwrap().success());
            assert_eq!(fs::read_dir(&outputs).unwrap().count(), 1, "{name} {step}");
            assert_eq!(size(&target), complete);
        }
        assert!(litter > 0, "none was killed while it wrote {name}");
        fs::remove_dir_all(&outputs).unwrap();
    }
}

#[test]
fn files_of_another_machine_stay_for_a_while() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let other = path(".tf2onnx-rs-00000000-1-1-abcdef.partial");
    File::create(&other).unwrap();
    let model = path("model.onnx");
    let convert = || {
        let input = fixture("graphs/containers/frozen.pb");
        assert!(binary().arg("convert").args([&input, &model]).output().unwrap().status.success());
    };
    convert();
    assert!(other.exists());
    let earlier = std::time::SystemTime::now() - Duration::from_secs(2 * 3600);
    File::options().write(true).open(&other).unwrap().set_modified(earlier).unwrap();
    convert();
    assert!(!other.exists());
}
