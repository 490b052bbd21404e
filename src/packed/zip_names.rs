//! Members of a zip archive that have the same name. A program that reads the archive by name loses all of them but one.
//!
//! Source: section 4.3.12 of <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use hashbrown::HashSet;

/// What the entry of a member in the directory begins with.
const SIGNATURE: &[u8] = b"PK\x01\x02";
/// What is in front of the name in an entry.
const ENTRY_BYTES: usize = 46;
/// Where an entry has the lengths of the name, of other fields, and of a comment, which follow each other.
const LENGTHS: [usize; 3] = [28, 30, 32];

/// A name that several members have, in the directory that begins at `start`.
pub fn repeated_name(archive: &[u8], start: u64) -> Option<String> {
    let mut rest = archive.get(usize::try_from(start).ok()?..)?;
    let mut names = HashSet::new();
    while rest.starts_with(SIGNATURE) {
        let length =
            |at: usize| rest.get(at..)?.first_chunk().map(|&bytes| usize::from(u16::from_le_bytes(bytes)));
        let [name, others, comment] = LENGTHS.map(length);
        let (name, after) = rest.get(ENTRY_BYTES..)?.split_at_checked(name?)?;
        if !names.insert(name) {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
        rest = after.get(others?.saturating_add(comment?)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, comment: &str) -> Vec<u8> {
        let mut entry = [SIGNATURE, &[0; ENTRY_BYTES - 4], name.as_bytes(), comment.as_bytes()].concat();
        (entry[28], entry[32]) = (name.len() as u8, comment.len() as u8);
        entry
    }

    #[test]
    fn the_first_name_that_comes_again_is_found() {
        let directory = |names: &[&str]| {
            let entries = names.iter().map(|name| entry(name, "PK\x01\x02")).collect::<Vec<_>>().concat();
            [b"before", &entries[..], b"PK\x05\x06"].concat()
        };
        assert_eq!(repeated_name(&directory(&["a", "b", "ab"]), 6), None);
        assert_eq!(repeated_name(&directory(&["a", "b", "b", "a"]), 6).unwrap(), "b");
        let cut = directory(&["a", "a"]);
        for length in 0..cut.len() - 9 {
            assert_eq!(repeated_name(&cut[..length], 6), None);
        }
    }
}
