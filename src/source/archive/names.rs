//! The names of members: where they are unpacked, and whether they can belong to a model.

use std::path::{Component, Path, PathBuf};

use crate::file_signature::HDF5;

/// The ends of the names of files that belong to models: checkpoints, graphs, their descriptions and vocabularies, arrays of NumPy,
/// and weights of TensorFlow.js.
const ENDS: [&str; 15] = [
    ".index",
    ".ckpt",
    ".meta",
    ".pb",
    ".pbtxt",
    ".graphdef",
    ".prototxt",
    ".txt",
    ".json",
    ".config",
    ".npy",
    ".bin",
    ".vocab",
    ".csv",
    ".tsv",
];

/// Parts of the names of numbered files: steps of a checkpoint, and shards of V1, V2 and TensorFlow.js.
const PARTS: [&str; 4] = [".ckpt-", ".data-", "-of-", "shard"];

/// The folders of a SavedModel, which have files of any name.
const FOLDERS: [&str; 3] = ["assets", "assets.extra", "variables"];

/// What archives are called.
const ARCHIVES: [&str; 8] = [".tar", ".gz", ".tgz", ".zip", ".npz", ".bz2", ".xz", ".7z"];

/// The path of a member below the folder, without what means nothing in it; `None` if it is outside.
pub(super) fn target(name: &Path) -> Option<PathBuf> {
    let mut target = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => target.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(target)
}

/// Whether a member can belong to a model, by its name or else by its first bytes.
pub(super) fn is_of_model(target: &Path, head: &[u8]) -> bool {
    let name = target.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    // What macOS knows about a file, under the name of the file.
    if name.starts_with("._") {
        return false;
    }
    let folders = target.parent().into_iter().flat_map(Path::iter);
    name == "checkpoint"
        || ENDS.iter().any(|end| name.ends_with(end))
        || PARTS.iter().any(|part| name.contains(part))
        || folders.into_iter().any(|folder| FOLDERS.iter().any(|known| folder == *known))
        || begins_like_table(head)
}

/// Whether a member has the name of a checkpoint's file, or of a graph.
pub(super) fn is_of_checkpoint_or_graph(target: &Path) -> bool {
    const PARTS: [&str; 6] = [".index", ".meta", ".pb", ".ckpt", ".data-", ".graphdef"];
    let name = target.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

/// Whether a file begins like a V1 checkpoint, which can have any name: an entry under the empty key, of which it shares nothing with
/// the one before. If the block is compressed, its length and that of the first literal come first. HDF5 files have zeros after
/// their signature.
fn begins_like_table(head: &[u8]) -> bool {
    const LENGTHS: usize = 8;
    if head.starts_with(HDF5) {
        return false;
    }
    let head = head.get(..LENGTHS + 2).unwrap_or(head);
    head.windows(2).any(|pair| pair == [0, 0]) && head.iter().any(|&byte| byte != 0)
}

/// Whether a member is an archive, too.
pub(super) fn is_archive(target: &Path) -> bool {
    let name = target.to_string_lossy().to_lowercase();
    ARCHIVES.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_models_are_known_by_their_names() {
        for name in [
            "checkpoint",
            "model.ckpt-1000.data-00000-of-00002",
            "m/model.ckpt-1000.index",
            "model.ckpt-00001-of-00004",
            "saved_model/assets/labels",
            "group1-shard1of2",
            "Frozen.PB",
            "bert_config.json",
        ] {
            assert!(is_of_model(Path::new(name), b""), "{name}");
        }
        for name in ["._model.ckpt.index", "train.py", "events.out.tfevents.1", "images/cat.jpg"] {
            assert!(!is_of_model(Path::new(name), b"\x89PNG"), "{name}");
        }
    }

    #[test]
    fn a_v1_checkpoint_of_any_name_is_known_by_its_first_bytes() {
        assert!(is_of_model(Path::new("model-5000"), &[0, 0, 0xea, 1, 0x0a, 0xe7, 1, 0x0a]));
        assert!(is_of_model(Path::new("model-5000"), &[0xd1, 0x9d, 0x05, 0xf4, 0xe8, 1, 0, 0, 0xea, 1]));
        assert!(!is_of_model(Path::new("zeros"), &[0; 512]));
        assert!(!is_of_model(Path::new("model.weights.h5"), b"\x89HDF\r\n\x1a\n\0\0\0\0"));
    }

    #[test]
    fn paths_stay_in_the_folder() {
        assert_eq!(target(Path::new("./model//x.ckpt")).unwrap(), Path::new("model/x.ckpt"));
        for outside in ["../x.ckpt", "/tmp/x.ckpt", "a/../../x.ckpt", "a/../x"] {
            assert_eq!(target(Path::new(outside)), None, "{outside}");
        }
    }
}
