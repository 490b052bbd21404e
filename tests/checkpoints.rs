//! Reads checkpoints that TensorFlow or our own writer wrote, by every path that can name them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tf2onnx_rs::checkpoint::{Checkpoint, Version, listing};
use tf2onnx_rs::tensor::{DType, ElementSource};

use crate::support::checkpoint_writer::{Compression, Values, Variable, write_v1, write_v2};
use crate::support::repository;

/// What TensorFlow says of a tensor.
#[derive(Deserialize)]
struct Expected {
    dtype: String,
    shape: Vec<usize>,
    /// Of the elements, little-endian.
    sha256: Option<String>,
    /// Of a string tensor; each character is a byte.
    values: Option<Vec<String>>,
}

fn fixture(name: &str) -> PathBuf {
    repository::fixture("checkpoints").join(name)
}

fn assert_reads_as_in_tensorflow(folder: &Path, checkpoint: &Checkpoint) {
    let expected = fs::read(folder.join("tensors.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    let names: Vec<&str> = checkpoint.tensors().map(|tensor| tensor.name()).collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
    for (name, expected) in &expected {
        let tensor = checkpoint.get(name).unwrap();
        assert_eq!((tensor.dtype().name(), tensor.shape()), (&*expected.dtype, &*expected.shape), "{name}");
        if let Some(values) = &expected.values {
            let bytes = |value: &String| value.chars().map(|c| c as u8).collect::<Vec<u8>>();
            assert_eq!(tensor.strings().unwrap(), values.iter().map(bytes).collect::<Vec<_>>(), "{name}");
        }
        if let Some(sha256) = &expected.sha256 {
            let digest = Sha256::digest(tensor.bytes().unwrap());
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(&digest, sha256, "{name}");
        }
    }
}

#[test]
fn every_tensor_that_tensorflow_wrote_is_read_as_it_was() {
    for (name, version) in [
        ("dtypes_v1", Version::V1),
        ("dtypes_v2", Version::V2),
        ("partitioned_v1", Version::V1),
        ("partitioned_v2", Version::V2),
    ] {
        let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
        assert_eq!(checkpoint.version(), version, "{name}");
        assert_reads_as_in_tensorflow(&fixture(name), &checkpoint);
    }
}

#[test]
fn types_of_eight_and_four_bits_are_read_and_not_converted() {
    let checkpoint = Checkpoint::open(&fixture("narrow_v2")).unwrap();
    let read = checkpoint.tensors().map(|tensor| {
        let error = tensor.bytes().unwrap_err().to_string();
        let problem = format!("elements of type {} cannot be converted", tensor.type_name());
        assert!(error.contains(&problem), "{error}");
        assert_eq!(
            (tensor.dtype(), tensor.element_size(), tensor.shape()),
            (DType::Variant, Some(1), &[2, 3][..])
        );
        (tensor.type_name(), tensor.bits().unwrap().into_owned())
    });
    // 0, 1, -2.5, 0.125, 6, -0.5; and 0, 1, -2, 7, -8, 3, for uint4 without the signs.
    let expected = [
        ("float8_e4m3fn", [0x00, 0x38, 0xc2, 0x20, 0x4c, 0xb0]),
        ("float8_e5m2", [0x00, 0x3c, 0xc1, 0x30, 0x46, 0xb8]),
        ("int4", [0x00, 0x01, 0xfe, 0x07, 0xf8, 0x03]),
        ("uint4", [0x00, 0x01, 0x02, 0x07, 0x08, 0x03]),
    ];
    assert_eq!(read.collect::<Vec<_>>(), expected.map(|(name, bits)| (name, bits.to_vec())));
}

/// Reads the checkpoints of the folders in `TF2ONNX_CHECKPOINTS` (separated by `:`), each with a
/// `tensors.json`: for larger ones that are not kept here.
#[test]
#[ignore = "needs checkpoints that are not part of the repository"]
fn checkpoints_elsewhere_are_read_as_they_were() {
    for path in std::env::var("TF2ONNX_CHECKPOINTS").unwrap().split(':').map(Path::new) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap() };
        assert_reads_as_in_tensorflow(folder, &Checkpoint::open(path).unwrap());
    }
}

#[test]
fn any_part_of_a_checkpoint_means_the_whole() {
    let folder = fixture("dtypes_v2");
    let prefix = folder.join("model.ckpt-7");
    for part in ["", ".index", ".data-00000-of-00002", ".data-00001-of-00002"] {
        let checkpoint = Checkpoint::open(&folder.join(format!("model.ckpt-7{part}"))).unwrap();
        assert_eq!(checkpoint.path(), prefix, "{part}");
        let files = ["index", "data-00000-of-00002", "data-00001-of-00002"];
        assert_eq!(checkpoint.files(), files.map(|part| folder.join(format!("model.ckpt-7.{part}"))));
    }
    let v1 = fixture("dtypes_v1").join("model.ckpt");
    let checkpoint = Checkpoint::open(&v1).unwrap();
    assert_eq!((checkpoint.path(), checkpoint.files()), (&*v1, &[v1.clone()][..]));
    assert_eq!(Checkpoint::open(&fixture("dtypes_v1").join("checkpoint")).unwrap().path(), v1);
}

/// `saver.save(session, "model/")` writes `model/.index`.
#[test]
fn a_folder_with_a_slash_is_the_prefix_of_any_file_in_it() {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("model").join("");
    fs::create_dir(&prefix).unwrap();
    write_v2(&prefix, &[Variable::int64_scalar("global_step", 3)]).unwrap();
    fs::write(prefix.join(".meta"), "a graph").unwrap();
    let files = [".index", ".data-00000-of-00001"].map(|name| prefix.join(name));
    for state in [None, Some("."), Some("/trained/model/")] {
        if let Some(named) = state {
            let text = format!("model_checkpoint_path: {named:?}\n");
            fs::write(prefix.join("checkpoint"), text).unwrap();
        }
        for part in ["", "/", "/.index", "/.meta", "/.data-00000-of-00001"] {
            let path = format!("{}{part}", folder.path().join("model").display());
            let checkpoint = Checkpoint::open(Path::new(&path)).unwrap();
            assert_eq!(checkpoint.files(), files, "{state:?} {part}");
            assert_eq!(listing::named(Path::new(&path)).unwrap().files, files, "{state:?} {part}");
        }
    }
    let listed = listing::list(&prefix);
    assert_eq!((listed.len(), &listed[0].files[..]), (1, &files[..]));
    fs::remove_file(prefix.join("checkpoint")).unwrap();
    write_v2(&prefix.join("other"), &[Variable::int64_scalar("global_step", 3)]).unwrap();
    let error = Checkpoint::open(&prefix).unwrap_err().to_string();
    assert!(error.contains("2 checkpoints: .index, other"), "{error}");
    assert_eq!(Checkpoint::open(&prefix.join(".index")).unwrap().files(), files);
}

#[test]
fn a_graph_leads_to_the_checkpoint_beside_it() {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("model.ckpt-3");
    let meta = folder.path().join("model.ckpt-3.meta");
    fs::write(&meta, "a graph").unwrap();
    assert!(Checkpoint::open(&meta).unwrap_err().to_string().contains("its checkpoint is not beside it"));
    write_v2(&prefix, &[Variable::int64_scalar("global_step", 3)]).unwrap();
    assert_eq!(Checkpoint::open(&meta).unwrap().path(), prefix);
}

#[test]
fn a_moved_training_folder_is_read_where_it_is() {
    let folder = TempDir::new().unwrap();
    for step in [1, 2] {
        let prefix = folder.path().join(format!("model.ckpt-{step}"));
        write_v2(&prefix, &[Variable::int64_scalar("global_step", step)]).unwrap();
    }
    let state = |path: &str| {
        fs::write(folder.path().join("checkpoint"), format!("model_checkpoint_path: {path:?}\n")).unwrap();
        Checkpoint::open(folder.path())
    };
    assert_eq!(
        state("/home/somebody/train/model.ckpt-1").unwrap().path(),
        folder.path().join("model.ckpt-1")
    );
    assert_eq!(state("model.ckpt-2").unwrap().path(), folder.path().join("model.ckpt-2"));
    let error = state("/home/somebody/train/model.ckpt-9").unwrap_err().to_string();
    assert!(error.contains("model.ckpt-9, which does not exist"), "{error}");
    assert!(error.contains("model.ckpt-1, model.ckpt-2"), "{error}");
}

#[test]
fn several_checkpoints_in_a_folder_are_listed() {
    let folder = TempDir::new().unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("there is no checkpoint in this folder"), "{error}");
    for step in [10, 9] {
        let prefix = folder.path().join(format!("model.ckpt-{step}"));
        write_v2(&prefix, &[Variable::int64_scalar("global_step", step)]).unwrap();
    }
    let error = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("there are 2 checkpoints: model.ckpt-10, model.ckpt-9;"), "{error}");
    assert!(error.contains("the newest is ") && error.ends_with("model.ckpt-10"), "{error}");
    let error = Checkpoint::open(&folder.path().join("model.ckpt")).unwrap_err().to_string();
    assert!(error.contains("its folder has model.ckpt-10, model.ckpt-9"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = TempDir::new().unwrap();
    for file in ["model.ckpt-7.index", "model.ckpt-7.data-00000-of-00002"] {
        fs::copy(fixture("dtypes_v2").join(file), folder.path().join(file)).unwrap();
    }
    let prefix = folder.path().join("model.ckpt-7");
    let error = Checkpoint::open(&prefix).unwrap_err().to_string();
    assert!(error.contains("model.ckpt-7.data-00001-of-00002: is missing"), "{error}");
    assert!(error.contains("side by side"), "{error}");
    fs::remove_file(folder.path().join("model.ckpt-7.index")).unwrap();
    let data = folder.path().join("model.ckpt-7.data-00000-of-00002");
    let error = Checkpoint::open(&data).unwrap_err().to_string();
    assert!(error.contains("model.ckpt-7.index: is missing"), "{error}");
}

#[test]
fn weights_are_slices_of_the_mapped_file() {
    for name in ["dtypes_v1", "dtypes_v2"] {
        let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
        let tensor = checkpoint.get("a/float32").unwrap();
        assert!(matches!(tensor.bytes().unwrap(), std::borrow::Cow::Borrowed(_)), "{name}");
        let constant = tensor.constant();
        drop(checkpoint);
        assert_eq!((constant.dtype(), constant.shape()), (DType::Float32, &[3, 5, 2][..]));
        assert_eq!(
            constant.to_f32s().unwrap().unwrap()[..2],
            [f32::from_bits(0x3ebe5384), f32::from_bits(0x3f7f84f1)]
        );
    }
}

/// Enough variables for several blocks, and one that is larger than a block.
fn variables() -> Vec<Variable> {
    let floats = |count: usize, start: usize| (start..start + count).map(|i| i as f32).collect::<Vec<_>>();
    let mut variables: Vec<Variable> = (0..70)
        .map(|i| Variable::float32(&format!("layer_{i}/weights"), &[10, 13, 11], floats(1430, i)))
        .collect();
    variables.push(Variable::float32("fc/weights", &[300, 400], floats(120_000, 7)));
    variables.push(Variable::int64_scalar("global_step", -5));
    let other = |name: &str, values| Variable { name: name.into(), shape: vec![2], values };
    variables.push(other("other/double", Values::Float64(vec![0.1, -0.2])));
    variables.push(other("other/int", Values::Int32(vec![-1, i32::MAX])));
    variables.push(other("other/byte", Values::UInt8(vec![0, 200])));
    variables.push(other("other/bool", Values::Bool(vec![true, false])));
    variables.push(other("other/strings", Values::Strings(vec![b"".to_vec(), vec![b'x'; 300]])));
    variables
}

fn assert_holds(checkpoint: &Checkpoint, variables: &[Variable]) {
    assert_eq!(checkpoint.len(), variables.len());
    for Variable { name, shape, values } in variables {
        let tensor = checkpoint.get(name).unwrap();
        assert_eq!(tensor.shape(), shape, "{name}");
        assert_eq!(tensor.dtype().to_proto(), values.dtype(), "{name}");
        match values {
            Values::Strings(strings) => assert_eq!(&tensor.strings().unwrap(), strings, "{name}"),
            _ => assert_eq!(tensor.bytes().unwrap(), values.to_bundle().0, "{name}"),
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = TempDir::new().unwrap();
    for (name, compression) in [("plain.ckpt", Compression::None), ("snappy.ckpt", Compression::Snappy)] {
        let path = folder.path().join(name);
        write_v1(&path, &variables(), compression).unwrap();
        assert_holds(&Checkpoint::open(&path).unwrap(), &variables());
    }
    let prefix = folder.path().join("bundle.ckpt");
    write_v2(&prefix, &variables()).unwrap();
    assert_holds(&Checkpoint::open(&prefix).unwrap(), &variables());
}

#[test]
fn shards_of_v1_are_one_checkpoint() {
    use crate::support::checkpoint_writer::{slice, table, v1_list, v1_listed, v1_slice};
    use tf2onnx_rs::proto::DataType::DtFloat;
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("model.ckpt");
    for shard in 0..2i64 {
        let rows = slice(&[(2 * shard, 2), (0, 3)]);
        let values = Values::Float32((0..6).map(|i| (6 * shard + i) as f32).collect());
        let own = format!("own_{shard}");
        let entries = vec![
            v1_list(vec![
                v1_listed("shared", DtFloat, &[4, 3], vec![rows.clone()]),
                v1_listed(&own, DtFloat, &[1], vec![slice(&[(0, 1)])]),
            ]),
            v1_slice("shared", rows, &values),
            v1_slice(&own, slice(&[(0, 1)]), &Values::Float32(vec![shard as f32])),
        ];
        let path = folder.path().join(format!("model.ckpt-{shard:05}-of-00002"));
        fs::write(path, table(entries, Compression::None, 1 << 18)).unwrap();
    }
    for path in [prefix.clone(), folder.path().join("model.ckpt-00001-of-00002"), folder.path().into()] {
        let checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!((checkpoint.path(), checkpoint.files().len()), (&*prefix, 2));
        assert_eq!(
            checkpoint.tensors().map(|tensor| tensor.name()).collect::<Vec<_>>(),
            ["own_0", "own_1", "shared"]
        );
        let shared = checkpoint.get("shared").unwrap().constant().to_f32s().unwrap().unwrap();
        assert_eq!(shared, (0..12).map(|i| i as f32).collect::<Vec<_>>());
    }
    let state = "model_checkpoint_path: \"/trained/model.ckpt-?????-of-00002\"";
    fs::write(folder.path().join("checkpoint"), state).unwrap();
    assert_eq!(Checkpoint::open(folder.path()).unwrap().path(), prefix);
    fs::remove_file(folder.path().join("model.ckpt-00000-of-00002")).unwrap();
    let error = Checkpoint::open(&prefix).unwrap_err().to_string();
    assert!(error.contains("model.ckpt-00000-of-00002: is missing"), "{error}");
}

#[test]
fn the_names_of_an_object_based_checkpoint_are_those_of_the_program() {
    use prost::Message;
    use tf2onnx_rs::proto::TrackableObjectGraph;
    use tf2onnx_rs::proto::trackable_object_graph::{TrackableObject, trackable_object::SerializedTensor};
    let key = "net/kernel/.ATTRIBUTES/VARIABLE_VALUE";
    let attribute = |full_name: &str, key: &str| SerializedTensor {
        name: "VARIABLE_VALUE".into(),
        full_name: full_name.into(),
        checkpoint_key: key.into(),
    };
    let attributes =
        vec![attribute("dense/kernel", key), attribute("", "save_counter/.ATTRIBUTES/VARIABLE_VALUE")];
    let graph = TrackableObjectGraph { nodes: vec![TrackableObject { children: vec![], attributes }] };
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("ckpt-1");
    let graph = Variable {
        name: "_CHECKPOINTABLE_OBJECT_GRAPH".into(),
        shape: vec![],
        values: Values::Strings(vec![graph.encode_to_vec()]),
    };
    write_v2(&prefix, &[Variable::float32(key, &[1], vec![1.0]), graph]).unwrap();
    let checkpoint = Checkpoint::open(&prefix).unwrap();
    assert!(checkpoint.get(key).is_some());
    let names = checkpoint.object_names().unwrap();
    assert_eq!(names, BTreeMap::from([(key.to_owned(), "dense/kernel".to_owned())]));
    assert!(Checkpoint::open(&fixture("dtypes_v2")).unwrap().object_names().unwrap().is_empty());
}

#[test]
fn a_type_that_cannot_be_read_does_not_hide_the_others() {
    use crate::support::checkpoint_writer::{data_path, index_path, table, v2_entry, v2_header};
    use prost::Message;
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("model.ckpt");
    let values = Values::Float32(vec![1.5]);
    let mut entries = vec![v2_header(1), (b"known".to_vec(), v2_entry(&values, &[1], 0).encode_to_vec())];
    for (name, dtype) in [("resource", 20), ("unknown", 77)] {
        let mut entry = v2_entry(&values, &[1 << 60], 0);
        entry.dtype = dtype;
        entries.push((name.into(), entry.encode_to_vec()));
    }
    fs::write(index_path(&prefix), table(entries, Compression::None, 1 << 18)).unwrap();
    fs::write(data_path(&prefix), values.to_bundle().0).unwrap();
    let checkpoint = Checkpoint::open(&prefix).unwrap();
    assert_eq!(checkpoint.len(), 3);
    assert_eq!(checkpoint.get("known").unwrap().constant().to_f32s().unwrap().unwrap(), [1.5]);
    let error = checkpoint.get("resource").unwrap().bytes().unwrap_err().to_string();
    assert!(error.contains("tensor \"resource\": elements of type resource cannot be read"), "{error}");
    let error = checkpoint.get("unknown").unwrap().bytes().unwrap_err().to_string();
    assert!(error.contains("unknown number 77"), "{error}");
}
