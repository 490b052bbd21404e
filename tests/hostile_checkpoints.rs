//! Checkpoints that are damaged or contain wrong values: each is an error or is read correctly. None causes a panic, a hang or a huge
//! allocation.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use tempfile::TempDir;
use tf2onnx_rs::checkpoint::Checkpoint;
use tf2onnx_rs::error::Result;
use tf2onnx_rs::proto::DataType::{DtFloat, DtString};
use tf2onnx_rs::proto::{BundleEntryProto, BundleHeaderProto};
use tf2onnx_rs::tensor::{DType, ElementSource};

use crate::support::checkpoint_writer::{
    Compression, Values, data_path, index_path, masked_crc, push_varint, shape_proto, slice, slice_key,
    table, v1_list, v1_listed, v1_slice, v2_entry, v2_header, whole,
};
use crate::support::repository;
use crate::support::settled;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

const BLOCK_BYTES: usize = 1 << 18;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(repository::fixture("checkpoints").join(name)).unwrap()
}

/// A tensor as it was read.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
    elements: Result<Vec<Vec<u8>>>,
}

fn read_all(path: &Path) -> Result<Vec<Read>> {
    let checkpoint = Checkpoint::open(path)?;
    let read = checkpoint.tensors().map(|tensor| Read {
        name: tensor.name().into(),
        dtype: tensor.dtype(),
        shape: tensor.shape().into(),
        elements: match tensor.dtype() {
            DType::String => tensor.strings(),
            _ => tensor.bytes().map(|bytes| vec![bytes.into_owned()]),
        },
    });
    Ok(read.collect())
}

/// Truncates the file to each length, and damages each byte in three ways. What is read of the checkpoint
/// after that is what it was before, or is an error.
fn assert_survives_damage(file: &Path, checkpoint: &Path) {
    let intact = fs::read(file).unwrap();
    let expected = read_all(checkpoint).unwrap();
    assert!(expected.iter().all(|tensor| tensor.elements.is_ok()));
    let assert_honest = |damage: &str, bytes: &[u8]| {
        // Not written in place: the file may still be mapped.
        fs::remove_file(file).unwrap();
        settled::write(file, bytes);
        let Ok(read) = read_all(checkpoint) else { return };
        assert_eq!(read.len(), expected.len(), "{damage}");
        for (read, expected) in read.iter().zip(&expected) {
            assert!(read == expected || read.elements.is_err(), "{damage}: {}", expected.name);
        }
    };
    for length in 0..intact.len() {
        assert_honest(&format!("cut to {length} bytes"), &intact[..length]);
    }
    for position in 0..intact.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut damaged = intact.clone();
            damaged[position] ^= bits;
            assert_honest(&format!("byte {position} changed by {bits:#x}"), &damaged);
        }
    }
    fs::write(file, intact).unwrap();
}

#[test]
fn damage_to_any_byte_of_a_v1_file_is_found() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("model.ckpt");
    for name in ["dtypes_v1/model.ckpt", "partitioned_v1/model.ckpt"] {
        fs::write(&file, fixture(name)).unwrap();
        assert_survives_damage(&file, &file);
    }
    for compression in [Compression::None, Compression::Snappy] {
        // Blocks that are so small that there are many.
        fs::write(&file, table(v1_entries(), compression, 64)).unwrap();
        assert_survives_damage(&file, &file);
    }
}

#[test]
fn damage_to_any_byte_of_a_v2_checkpoint_is_found() {
    let folder = TempDir::new().unwrap();
    for (fixtures, prefix, parts) in [
        ("dtypes_v2", "model.ckpt-7", &["index", "data-00000-of-00002", "data-00001-of-00002"][..]),
        ("partitioned_v2", "model.ckpt", &["index", "data-00000-of-00001"][..]),
    ] {
        let files: Vec<PathBuf> =
            parts.iter().map(|part| folder.path().join(format!("{prefix}.{part}"))).collect();
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            fs::write(file, fixture(&format!("{fixtures}/{name}"))).unwrap();
        }
        for file in &files {
            assert_survives_damage(file, &folder.path().join(prefix));
        }
    }
}

/// Puts the checksums right again, in a table of one data block.
fn resealed(mut file: Vec<u8>, index: usize) -> Vec<u8> {
    const TRAILER: usize = 5;
    let footer = file.len() - 48;
    let metaindex = index - TRAILER - 8;
    for (start, end) in [(0, metaindex), (metaindex, index), (index, footer)] {
        let crc = masked_crc(&file[start..end - TRAILER + 1]);
        file[end - TRAILER + 1..end].copy_from_slice(&crc.to_le_bytes());
    }
    file
}

#[test]
fn damage_with_a_correct_checksum_does_not_cause_a_panic() {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("bundle");
    fs::write(data_path(&prefix), fixture("partitioned_v2/model.ckpt.data-00000-of-00001")).unwrap();
    let file = folder.path().join("model.ckpt");
    let try_all = |intact: &[u8], path: &Path, checkpoint: &Path| {
        // The index comes after the empty metaindex: a restart point, their number, the type and checksum.
        const METAINDEX: [u8; 13] = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 0xf2, 0xa1, 0xb0];
        let metaindex = intact.windows(METAINDEX.len()).rposition(|window| window == METAINDEX).unwrap();
        let index = metaindex + METAINDEX.len();
        assert_eq!(resealed(intact.to_vec(), index), intact);
        for position in 0..intact.len() {
            for bits in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x7f, 0xff] {
                let mut damaged = intact.to_vec();
                damaged[position] ^= bits;
                // A new file each time: ext4 waits for the disk when one is written over.
                let _ = fs::remove_file(path);
                settled::write(path, &resealed(damaged, index));
                let _ = read_all(checkpoint);
            }
        }
    };
    try_all(&fixture("partitioned_v1/model.ckpt"), &file, &file);
    try_all(&fixture("dtypes_v1/model.ckpt"), &file, &file);
    try_all(&fixture("partitioned_v2/model.ckpt.index"), &index_path(&prefix), &prefix);
}

fn floats(count: usize) -> Values {
    Values::Float32((0..count).map(|i| i as f32).collect())
}

fn v1_entries() -> Entries {
    vec![
        v1_list(vec![
            v1_listed("a", DtFloat, &[2, 3], vec![whole(2)]),
            v1_listed("b", DtFloat, &[4], vec![slice(&[(0, 1)]), slice(&[(1, 3)])]),
            v1_listed("c", DtString, &[2], vec![whole(1)]),
        ]),
        v1_slice("a", whole(2), &floats(6)),
        v1_slice("b", slice(&[(0, 1)]), &floats(1)),
        v1_slice("b", slice(&[(1, 3)]), &floats(3)),
        v1_slice("c", whole(1), &Values::Strings(vec![b"x".to_vec(), vec![]])),
    ]
}

/// What is said of a V1 file of one float tensor `w` of this shape with these slices.
fn v1_lie(shape: &[usize], slices: &[(&[(i64, i64)], usize)]) -> String {
    let mut entries = vec![v1_list(vec![v1_listed("w", DtFloat, shape, vec![])])];
    entries.extend(slices.iter().map(|(extents, count)| v1_slice("w", slice(extents), &floats(*count))));
    refusal_of_v1(&table(entries, Compression::None, BLOCK_BYTES))
}

fn refusal_of_v1(file: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.ckpt");
    fs::write(&path, file).unwrap();
    refusal(&path)
}

fn refusal(path: &Path) -> String {
    let error = match read_all(path) {
        Ok(tensors) => tensors.into_iter().find_map(|tensor| tensor.elements.err()).expect("an error"),
        Err(error) => error,
    };
    error.to_string()
}

#[track_caller]
fn assert_says(error: &str, part: &str) {
    assert!(error.contains(part), "{error}");
}

#[test]
fn wrong_shapes_and_slices_of_a_v1_file_are_found() {
    assert_says(&v1_lie(&[1 << 60], &[(&[(0, 1 << 60)], 1)]), "do not hold shape [1152921504606846976]");
    assert_says(&v1_lie(&[1 << 40, 1 << 40], &[]), "more elements than this machine can count");
    assert_says(&v1_lie(&[4], &[]), "its values are missing");
    assert_says(&v1_lie(&[4], &[(&[(0, 3)], 3)]), "3 of its 4 elements");
    assert_says(&v1_lie(&[4], &[(&[(0, 3)], 3), (&[(2, 1)], 1)]), "overlap");
    assert_says(&v1_lie(&[4], &[(&[(0, 3)], 3), (&[(2, 2)], 2)]), "hold 5 elements");
    assert_says(&v1_lie(&[4], &[(&[(3, 2)], 2)]), "extends beyond its shape");
    assert_says(&v1_lie(&[4], &[(&[(0, 4)], 5)]), "it has 5 elements, not 4");
    assert_says(&v1_lie(&[4], &[(&[(0, 4), (0, 1)], 4)]), "a slice of 2 axes");
}

#[test]
fn contradictions_about_a_tensor_in_a_v1_list_are_found() {
    let listed = |shape: &[usize]| v1_listed("w", DtFloat, shape, vec![]);
    let entries = vec![v1_list(vec![listed(&[2]), listed(&[3])])];
    assert_says(&refusal_of_v1(&table(entries, Compression::None, BLOCK_BYTES)), "two types or shapes");
    let entries = vec![(b"w".to_vec(), vec![])];
    assert_says(&refusal_of_v1(&table(entries, Compression::None, BLOCK_BYTES)), "not that of a checkpoint");
    assert_says(&refusal_of_v1(&table(vec![], Compression::None, BLOCK_BYTES)), "its table is empty");
    let bundle = vec![v2_header(1)];
    assert_says(&refusal_of_v1(&table(bundle, Compression::None, BLOCK_BYTES)), "index of a V2 checkpoint");
}

/// A table of the given blocks and index, all with right checksums.
fn raw_table(blocks: &[(u8, Vec<u8>)], handles: impl Fn(&[(usize, usize)]) -> Vec<(u64, u64)>) -> Vec<u8> {
    let mut file = vec![];
    let mut seal = |compression: u8, contents: &[u8]| {
        let start = file.len();
        file.extend(contents);
        file.push(compression);
        let crc = masked_crc(&file[start..]);
        file.extend(crc.to_le_bytes());
        (start, contents.len())
    };
    let placed: Vec<(usize, usize)> =
        blocks.iter().map(|(compression, contents)| seal(*compression, contents)).collect();
    let mut index = vec![];
    for (i, (offset, size)) in handles(&placed).into_iter().enumerate() {
        let mut handle = vec![];
        push_varint(&mut handle, offset);
        push_varint(&mut handle, size);
        index.extend([0, 1, handle.len() as u8, i as u8]);
        index.extend(handle);
    }
    index.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let (offset, size) = seal(0, &index);
    let mut footer = vec![0, 0];
    push_varint(&mut footer, offset as u64);
    push_varint(&mut footer, size as u64);
    footer.resize(40, 0);
    footer.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file.extend(footer);
    file
}

fn as_placed(placed: &[(usize, usize)]) -> Vec<(u64, u64)> {
    placed.iter().map(|&(offset, size)| (offset as u64, size as u64)).collect()
}

#[test]
fn wrong_blocks_of_a_table_are_found() {
    let block = || (0, vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    let twice = raw_table(&[block()], |placed| [as_placed(placed), as_placed(placed)].concat());
    assert_says(&refusal_of_v1(&twice), "overlapping blocks");
    for (offset, size) in [(0, 1 << 40), (1 << 40, 4), (u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX - 4, 4)]
    {
        let beyond = raw_table(&[block()], |_| vec![(offset, size)]);
        assert_says(&refusal_of_v1(&beyond), "beyond its end");
    }
    let restarts = raw_table(&[(0, vec![0xff; 4])], as_placed);
    assert_says(&refusal_of_v1(&restarts), "too small for its restart points");
    assert_says(&refusal_of_v1(&raw_table(&[(0, vec![])], as_placed)), "too small for its restart points");
    assert_says(&refusal_of_v1(&raw_table(&[(9, block().1)], as_placed)), "unknown compression 9");
    // Snappy starts with the length of what it is decompressed to.
    let bomb = raw_table(&[(1, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0])], as_placed);
    assert_says(&refusal_of_v1(&bomb), "impossible length");
    assert_says(&refusal_of_v1(&raw_table(&[(1, vec![20, 0xf0])], as_placed)), "cannot be decompressed");
}

/// What is said of a V2 checkpoint of these entries, with 64 bytes of data.
fn v2_lie(entries: Entries) -> String {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("model.ckpt");
    fs::write(index_path(&prefix), table(entries, Compression::None, BLOCK_BYTES)).unwrap();
    fs::write(data_path(&prefix), floats(16).to_bundle().0).unwrap();
    refusal(&prefix)
}

/// What is said of one float tensor `w` of 16 elements after `change`.
fn v2_lie_of_one(change: impl FnOnce(&mut BundleEntryProto)) -> String {
    let mut entry = v2_entry(&floats(16), &[16], 0);
    change(&mut entry);
    v2_lie(vec![v2_header(1), (b"w".to_vec(), entry.encode_to_vec())])
}

#[test]
fn wrong_offsets_of_v2_entries_are_found() {
    assert_says(&v2_lie_of_one(|entry| entry.shard_id = 1), "data file 1 of 1");
    assert_says(&v2_lie_of_one(|entry| entry.shard_id = -1), "data file -1 of 1");
    for (offset, size) in [(4, 64), (0, 65), (i64::MAX, 64), (i64::MAX, i64::MAX), (-1, 64), (0, -1)] {
        let error = v2_lie_of_one(|entry| (entry.offset, entry.size) = (offset, size));
        assert_says(&error, "beyond the end of");
    }
    assert_says(&v2_lie_of_one(|entry| entry.crc32c ^= 1), "checksum of its values");
    for shape in [&[15][..], &[17], &[1 << 60], &[0, 1 << 60], &[]] {
        let error = v2_lie_of_one(|entry| entry.shape = Some(shape_proto(shape)));
        assert_says(&error, "do not hold shape");
    }
    let error = v2_lie_of_one(|entry| entry.shape.as_mut().unwrap().dim[0].size = -1);
    assert_says(&error, "negative size");
    let error = v2_lie_of_one(|entry| entry.shape = Some(shape_proto(&[1; 300])));
    assert_says(&error, "rank");
}

#[test]
fn a_v2_header_is_checked() {
    let header = |header: BundleHeaderProto| vec![(vec![], header.encode_to_vec())];
    assert_says(&v2_lie(header(BundleHeaderProto { endianness: 1, ..Default::default() })), "big-endian");
    let version = tf2onnx_rs::proto::VersionDef { min_consumer: 2, ..Default::default() };
    let newer = BundleHeaderProto { version: Some(version), ..Default::default() };
    assert_says(&v2_lie(header(newer)), "unknown version 2");
    assert_says(&v2_lie(vec![(b"w".to_vec(), vec![])]), "not the index of a checkpoint");
    let entry = |shard_id| BundleEntryProto { shard_id, ..v2_entry(&floats(16), &[16], 0) }.encode_to_vec();
    let many = vec![v2_header(i32::MAX), (b"w".to_vec(), entry(i32::MAX - 1))];
    assert_says(&v2_lie(many), "data-2147483646-of-2147483647: is missing");
    let garbled = vec![v2_header(1), (b"w".to_vec(), vec![0xff; 9])];
    assert_says(&v2_lie(garbled), "an entry of its table is damaged");
    assert_says(&v2_lie(vec![v2_header(1), (b"\xfe\xfe".to_vec(), entry(0))]), "not UTF-8");
}

/// What is said of a partitioned tensor `w`, whose slices are of the first bytes of the data.
fn v2_slices_lie(shape: &[usize], slices: &[&[(i64, i64)]]) -> String {
    let mut entries = vec![v2_header(1)];
    let mut full = v2_entry(&floats(0), shape, 0);
    for extents in slices {
        let slice = slice(extents);
        let shape: Vec<usize> = extents.iter().map(|&(_, length)| length.max(0) as usize).collect();
        let count = shape.iter().product::<usize>().min(16);
        entries.push((slice_key("w", &slice), v2_entry(&floats(count), &shape, 0).encode_to_vec()));
        full.slices.push(slice);
    }
    entries.push((b"w".to_vec(), full.encode_to_vec()));
    entries.dedup();
    v2_lie(entries)
}

#[test]
fn wrong_v2_slices_are_found() {
    assert_says(&v2_slices_lie(&[4], &[&[(0, 2)], &[(1, 2)]]), "overlap");
    assert_says(&v2_slices_lie(&[4], &[&[(0, 2)], &[(0, 2)]]), "overlap");
    assert_says(&v2_slices_lie(&[4], &[&[(0, 2)]]), "2 of its 4");
    assert_says(&v2_slices_lie(&[4], &[&[(0, 2)], &[(3, 2)]]), "extends beyond");
    assert_says(&v2_slices_lie(&[4], &[&[(0, 4), (0, 1)]]), "a slice of 2 axes");
    // Each slice is all of the data, and there are three.
    assert_says(
        &v2_slices_lie(&[48], &[&[(0, 16)], &[(16, 16)], &[(32, 16)]]),
        "more bytes than the data files",
    );
    let mut full = v2_entry(&floats(0), &[4], 0);
    full.slices = vec![slice(&[(0, 2)]), slice(&[(2, 2)])];
    let lacking = vec![v2_header(1), (b"w".to_vec(), full.encode_to_vec())];
    assert_says(&v2_lie(lacking), "one of its slices is not in the index");
    full.slices = vec![slice(&[(0, 4)])];
    let other_shape = (slice_key("w", &full.slices[0]), v2_entry(&floats(2), &[2], 0).encode_to_vec());
    let other = vec![v2_header(1), (b"w".to_vec(), full.encode_to_vec()), other_shape];
    assert_says(&v2_lie(other), "another type or shape");
}

#[test]
fn very_many_slices_are_refused_before_they_are_compared() {
    let mut full = v2_entry(&floats(0), &[1 << 20], 0);
    full.slices = vec![slice(&[(0, 1)]); (1 << 14) + 1];
    assert_says(&v2_lie(vec![v2_header(1), (b"w".to_vec(), full.encode_to_vec())]), "more than 16384 slices");
}

#[test]
fn wrong_lengths_of_v2_strings_are_found() {
    for shape in [&[1 << 50][..], &[65]] {
        let mut entry = v2_entry(&floats(16), shape, 0);
        entry.dtype = DtString as i32;
        let error = v2_lie(vec![v2_header(1), (b"w".to_vec(), entry.encode_to_vec())]);
        assert_says(&error, "do not hold shape");
    }
    let mut entry = v2_entry(&floats(16), &[16], 0);
    entry.dtype = DtString as i32;
    let error = v2_lie(vec![v2_header(1), (b"w".to_vec(), entry.encode_to_vec())]);
    assert_says(&error, "lengths of its strings");
}

#[test]
fn other_kinds_of_files_are_named() {
    assert_says(&refusal_of_v1(b""), "it is empty");
    assert_says(&refusal_of_v1(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull");
    assert_says(&refusal_of_v1(b"learning_rate: 0.1\n"), "it starts with text");
    let whole = fixture("dtypes_v1/model.ckpt");
    assert_says(&refusal_of_v1(&whole[..500]), "its end is missing");
    assert_says(&refusal_of_v1(&whole[500..]), "beyond its end");
}
