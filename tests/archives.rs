//! Checkpoints in the archives that the slim model library ships them in.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

use crate::support::checkpoints::{Format, filled, write};
use crate::support::command::{convert, fails, fed, tf2onnx_rs};
use crate::support::fill;
use crate::support::onnx::{Model, execute, relative_error};
use crate::support::repository::example;
use crate::support::zoo::Case;

/// The files of a checkpoint of `inception_v3_tiny`.
fn checkpoint_files(folder: &Path, format: Format) -> Vec<PathBuf> {
    let checkpoint = folder.join("unpacked");
    fs::create_dir_all(&checkpoint).unwrap();
    write(&checkpoint, &filled(&Case::load("inception_v3_tiny")), format);
    fs::read_dir(checkpoint).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn tar_into<W: Write>(out: W, files: &[PathBuf], prefix: &str) -> W {
    let mut builder = tar::Builder::new(out);
    for file in files {
        let name = format!("{prefix}{}", file.file_name().unwrap().to_str().unwrap());
        builder.append_path_with_name(file, name).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zipped(path: &Path, files: &[PathBuf]) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    for file in files {
        let name = format!("model/{}", file.file_name().unwrap().to_str().unwrap());
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&fs::read(file).unwrap()).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn archives_are_converted() {
    let folder = TempDir::new().unwrap();
    let case = Case::load("inception_v3_tiny");
    let shape = [2, 299, 299, 3];
    let (v1, v2) = (folder.path().join("v1"), folder.path().join("v2"));
    let (v1, v2) = (checkpoint_files(&v1, Format::V1), checkpoint_files(&v2, Format::V2));
    let path = |name: &str| folder.path().join(name);
    tar_into(File::create(path("a.tar")).unwrap(), &v2, "./nested/folder/");
    let gz = GzEncoder::new(File::create(path("a.tar.gz")).unwrap(), Compression::fast());
    tar_into(gz, &v1, "").finish().unwrap();
    fs::copy(path("a.tar.gz"), path("a.tgz")).unwrap();
    zipped(&path("a.zip"), &v2);
    for name in ["a.tar", "a.tar.gz", "a.tgz", "a.zip"] {
        let output = path("model.onnx");
        let done = convert(&path(name), &output, &[]);
        assert!(done.stdout.starts_with(&format!("{} → ", path(name).display())), "{}", done.stdout);
        assert_eq!(Model::load(&output).metadata("source"), Some(name));
        let outputs = execute(&output, &shape, fill::image(&shape));
        assert!(relative_error(&outputs[0].1, &case.logits()) <= 2e-5, "{name}");
    }
}

#[test]
fn bad_archives_are_reported() {
    let folder = TempDir::new().unwrap();
    let files = checkpoint_files(folder.path(), Format::V2);
    let (path, output) = (folder.path().join("a.tar"), folder.path().join("model.onnx"));
    let says = |part: &str| {
        let said = fails(&["convert", path.to_str().unwrap(), output.to_str().unwrap()]);
        assert!(said.contains(part) && said.contains("a.tar"), "{said}");
        assert!(!said.contains("tf2onnx-rs-"), "the reader knows nothing of where it was unpacked: {said}");
        assert!(!output.exists());
    };
    // Without its data file.
    let index: Vec<PathBuf> =
        files.iter().filter(|file| file.extension().is_some_and(|e| e == "index")).cloned().collect();
    tar_into(File::create(&path).unwrap(), &index, "");
    says("model.ckpt.data-00000-of-00001");
    // With two checkpoints.
    let mut builder = tar::Builder::new(File::create(&path).unwrap());
    for (file, prefix) in files.iter().flat_map(|file| [(file, "a"), (file, "b")]) {
        builder.append_path_with_name(file, Path::new(prefix).join(file.file_name().unwrap())).unwrap();
    }
    builder.finish().unwrap();
    says("several checkpoints: a, b");
    // Cut off.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    says("cannot be read");
}

#[test]
fn an_archive_does_not_lead_to_a_checkpoint_outside_of_it() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (state, output) = (path("checkpoint"), path("model.onnx"));
    let absolute = example().display().to_string();
    for named in [absolute.clone(), format!("{}{absolute}", "../".repeat(30))] {
        fs::write(&state, format!("model_checkpoint_path: \"{named}\"\n")).unwrap();
        let files = [state.clone()];
        tar_into(File::create(path("a.tar")).unwrap(), &files, "");
        zipped(&path("a.zip"), &files);
        let packed = GzEncoder::new(vec![], Compression::fast());
        let packed = tar_into(packed, &files, "model/").finish().unwrap();
        fs::write(path("a.tar.gz"), &packed).unwrap();
        let is_refused = |said: &str| {
            said.contains("its file \"checkpoint\" names ") && said.contains("which is not in it")
        };
        for archive in ["a.tar", "a.zip", "a.tar.gz"].map(path) {
            for (command, output) in [("convert", &output), ("extract", &path("a.npz"))] {
                let said = fails(&[command, archive.to_str().unwrap(), output.to_str().unwrap()]);
                assert!(is_refused(&said), "{said}");
            }
        }
        let (done, _) = fed(&["convert", "-", output.to_str().unwrap()], &packed);
        assert!(done.status == 1 && is_refused(&done.stderr), "{}", done.stderr);
        assert!(!output.exists());
    }
}

#[test]
fn other_programs_archives_are_named() {
    let folder = TempDir::new().unwrap();
    for (name, member, content, said) in [
        (
            "model.keras",
            "model.weights.h5",
            &b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"[..],
            "it is a model in Keras's own format; make a SavedModel of it in Keras",
        ),
        (
            "model.pt",
            "model/data.pkl",
            b"weights",
            "it is a PyTorch file; export the model to ONNX in PyTorch",
        ),
    ] {
        let path = folder.path().join(name);
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap();
        let error = fails(&["convert", path.to_str().unwrap(), "model.onnx"]);
        assert!(error.contains(said), "{error}");
    }
}

/// A limit on the length of files stands in for a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_temporary_folder_is_not_reported_as_a_damaged_archive() {
    let folder = TempDir::new().unwrap();
    let files = checkpoint_files(&folder.path().join("v1"), Format::V1);
    let (archive, temporary) = (folder.path().join("a.tar.gz"), folder.path().join("tmp"));
    let gz = GzEncoder::new(File::create(&archive).unwrap(), Compression::fast());
    tar_into(gz, &files, "").finish().unwrap();
    fs::create_dir(&temporary).unwrap();
    let done = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tf2onnx-rs")])
        .arg("convert")
        .args([&archive, &folder.path().join("model.onnx")])
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        said.contains("it cannot be unpacked to a temporary folder") && said.contains("set TMPDIR"),
        "{said}"
    );
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    assert!(!folder.path().join("model.onnx").exists());
}

/// A limit on the length of files shows that nothing is copied.
#[cfg(unix)]
#[test]
fn a_checkpoint_in_an_uncompressed_archive_is_read_where_it_is() {
    for format in [Format::V1, Format::V2] {
        let folder = TempDir::new().unwrap();
        let archive = folder.path().join("a.tar");
        tar_into(File::create(&archive).unwrap(), &checkpoint_files(folder.path(), format), "model/");
        let done = std::process::Command::new("sh")
            .args(["-c", "ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tf2onnx-rs")])
            .args(["inspect", "--stats", "--match", "*/Logits/*/biases"])
            .arg(&archive)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.contains("a.tar") && !said.contains("tf2onnx-rs-"), "{said}");
    }
}

#[test]
fn arrays_of_numpy_are_variables() {
    let folder = TempDir::new().unwrap();
    let case = Case::load("mobilenet_v1_025");
    let checkpoint = write(folder.path(), &filled(&case), Format::V2);
    let path = |name: &str| folder.path().join(name);
    let arrays = path("arrays.npz");
    let done = tf2onnx_rs(["extract", checkpoint.to_str().unwrap(), arrays.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    convert(&checkpoint, &path("expected.onnx"), &[]);
    let done = convert(&arrays, &path("model.onnx"), &[]);
    assert!(done.stdout.starts_with(&format!("{} → ", arrays.display())), "{}", done.stdout);
    let shape = [1, 224, 224, 3];
    let results =
        ["model.onnx", "expected.onnx"].map(|name| execute(&path(name), &shape, fill::image(&shape)));
    assert_eq!(results[0], results[1]);
}

#[test]
fn a_damaged_array_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("arrays.npz");
    let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
    archive.start_file("resnet/kernel.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(b"not an array").unwrap();
    archive.finish().unwrap();
    let output = folder.path().join("model.onnx");
    let error = fails(&["convert", path.to_str().unwrap(), output.to_str().unwrap()]);
    assert!(
        error.contains("arrays.npz: resnet/kernel.npy") && error.contains("not an array that NumPy saved"),
        "{error}"
    );
}
