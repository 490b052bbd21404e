//! Output files: inputs are not overwritten, and only regular files are replaced.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use tempfile::TempDir;
use tf2onnx_rs::convert::{ConvertOptions, convert as convert_model};
use tf2onnx_rs::onnx::{WriteOptions, write_model};
use tf2onnx_rs::source::{OpenOptions, Source};

use crate::support::command::{convert, fails, tf2onnx_rs};
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
