//! Reads tar archives member by member, without trusting the lengths in them.
//!
//! Source: `pax` and `ustar` in <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>, and GNU's extensions in
//! <https://www.gnu.org/software/tar/manual/html_node/Standard.html>.

use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;

/// What is wrong with an archive.
pub(super) type Damage = String;

const BLOCK: usize = 512;

/// The longest extended header: names have some hundred bytes.
const MAX_EXTENDED: u64 = 1 << 20;

/// The fields of a header.
mod field {
    use std::ops::Range;

    pub(super) const NAME: Range<usize> = 0..100;
    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const KIND: usize = 156;
    pub(super) const LINK: Range<usize> = 157..257;
    pub(super) const MAGIC: Range<usize> = 257..263;
    pub(super) const PREFIX: Range<usize> = 345..500;
}

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: PathBuf,
    pub(super) kind: MemberKind,
    /// Where its contents are in the archive.
    pub(super) range: Range<u64>,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MemberKind {
    File,
    /// A file whose holes are left out.
    Sparse,
    /// A link, the path that it leads to, and whether that is one of the archive.
    Link(PathBuf, bool),
    /// A folder or a device.
    Other,
}

/// What contents are read from. What is not needed is skipped, which costs nothing in a mapped file.
pub(super) trait Input: Read {
    /// Skips bytes, and returns how many of them there were.
    fn skip(&mut self, bytes: u64) -> io::Result<u64>;
}

impl Input for &[u8] {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let count = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.len());
        *self = self.get(count..).unwrap_or_default();
        Ok(count as u64)
    }
}

/// A pipe, or what is decompressed.
pub(super) struct Stream<R>(pub(super) R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Input for Stream<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())
    }
}

/// The members of an archive, in its order.
pub(super) struct Members<R> {
    input: R,
    position: u64,
    /// The end of the contents of the current member, and of the blocks that they fill.
    end: u64,
    next: u64,
    /// What extended headers say about all members.
    global: Extended,
}

/// What extended headers say about a member, in place of its header.
#[derive(Debug, Clone, Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl<R: Input> Members<R> {
    pub(super) fn of(input: R) -> Self {
        Self { input, position: 0, end: 0, next: 0, global: Extended::default() }
    }

    /// The next member; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut extended = self.global.clone();
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let size =
                number(&header[field::SIZE]).ok_or_else(|| damaged("the length of a member is damaged"))?;
            let kind = header[field::KIND];
            match kind {
                b'L' | b'K' => {
                    let mut text = self.extended(size)?;
                    text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(text.len()));
                    *(if kind == b'L' { &mut extended.name } else { &mut extended.link }) = Some(text);
                }
                b'x' | b'g' => {
                    let records = self.extended(size)?;
                    let records = || records_of(&records);
                    let of = |mut known: Extended| {
                        records().try_for_each(|record| known.add(record?)).map(|()| known)
                    };
                    extended = of(extended).map_err(damaged)?;
                    if kind == b'g' {
                        self.global = of(self.global.clone()).map_err(damaged)?;
                    }
                }
                _ => return self.member(&header, extended, size).map(Some),
            }
        }
    }

    fn member(&mut self, header: &[u8; BLOCK], extended: Extended, size: u64) -> io::Result<Member> {
        let is_file = matches!(header[field::KIND], b'0' | 0 | b'7' | b'S');
        // Only files have contents.
        let size = if is_file { extended.size.unwrap_or(size) } else { 0 };
        self.contain(size)?;
        let name = path(&extended.name.unwrap_or_else(|| name_in(header)));
        let kind = match header[field::KIND] {
            b'S' => MemberKind::Sparse,
            b'1' | b'2' => {
                let link = extended.link.unwrap_or_else(|| until_zero(&header[field::LINK]).to_vec());
                MemberKind::Link(path(&link), header[field::KIND] == b'1')
            }
            _ if is_file && extended.is_sparse => MemberKind::Sparse,
            // Old archives have folders whose names end in a slash.
            _ if is_file && !name.as_os_str().as_encoded_bytes().ends_with(b"/") => MemberKind::File,
            _ => MemberKind::Other,
        };
        Ok(Member { name, kind, range: self.position..self.end })
    }

    /// Reads the header at the next block; `None` at the end of the archive, which is a block of zeros.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let skipped = self.next.saturating_sub(self.position);
        if self.input.skip(skipped)? < skipped {
            return Err(damaged("its end is missing"));
        }
        let mut block = Vec::with_capacity(BLOCK);
        (&mut self.input).take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(None);
        }
        let header = <[u8; BLOCK]>::try_from(block).map_err(|_| damaged("its end is missing"))?;
        self.position = self.next.saturating_add(BLOCK as u64);
        if header.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !has_checksum(&header) {
            return Err(damaged("the checksum of a member's header does not match"));
        }
        (self.end, self.next) = (self.position, self.position);
        Ok(Some(header))
    }

    /// Sets the end of the contents that begin here.
    fn contain(&mut self, size: u64) -> io::Result<()> {
        let end = self.position.checked_add(size);
        let next = end.and_then(|end| end.checked_next_multiple_of(BLOCK as u64));
        let (Some(end), Some(next)) = (end, next) else {
            return Err(damaged("a member is longer than any file"));
        };
        (self.end, self.next) = (end, next);
        Ok(())
    }

    fn extended(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENDED {
            return Err(damaged("the name of a member is longer than any name"));
        }
        self.contain(size)?;
        let mut bytes = vec![];
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What follows the members.
    pub(super) fn into_input(self) -> R {
        self.input
    }
}

/// The contents of the current member.
impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.position);
        let count = (&mut self.input).take(left).read(buffer)?;
        self.position = self.position.saturating_add(count as u64);
        if count == 0 && left > 0 && !buffer.is_empty() {
            return Err(damaged("its end is missing"));
        }
        Ok(count)
    }
}

impl Extended {
    /// Takes a record of a pax header.
    fn add(&mut self, (key, value): (&[u8], &[u8])) -> Result<(), Damage> {
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => {
                let size = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                self.size = Some(size.ok_or("the length of a member is damaged")?);
            }
            b"GNU.sparse.name" => {
                self.name = Some(value.to_vec());
                self.is_sparse = true;
            }
            _ => self.is_sparse |= key.starts_with(b"GNU.sparse."),
        }
        Ok(())
    }
}

/// The records of a pax header: `LENGTH KEY=VALUE` and a line break, where the length is that of all of it.
fn records_of(mut text: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), Damage>> {
    std::iter::from_fn(move || {
        if text.first().is_none_or(|&byte| byte == 0) {
            return None;
        }
        let record = record_at(&mut text);
        if record.is_none() {
            text = &[];
        }
        Some(record.ok_or_else(|| "an extended header of it is damaged".to_owned()))
    })
}

fn record_at<'t>(text: &mut &'t [u8]) -> Option<(&'t [u8], &'t [u8])> {
    let (length, _) = split_once(text, b' ')?;
    let (record, rest) = text.split_at_checked(str::from_utf8(length).ok()?.parse().ok()?)?;
    *text = rest;
    let (_, pair) = split_once(record.strip_suffix(b"\n")?, b' ')?;
    split_once(pair, b'=')
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |&byte| byte == separator);
    Some((parts.next()?, parts.next()?))
}

fn name_in(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_zero(&header[field::NAME]);
    let prefix = until_zero(&header[field::PREFIX]);
    // GNU's own format has other fields where POSIX has the prefix.
    if &header[field::MAGIC] != b"ustar\0" || prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// A number: octal digits, or for large ones the bytes themselves after a first bit that is set.
fn number(bytes: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = bytes
        && first & 0x80 != 0
    {
        let first = u64::from(first & 0x7f);
        return rest
            .iter()
            .try_fold(first, |number, &byte| number.checked_mul(256)?.checked_add(byte.into()));
    }
    let digits = until_zero(bytes).trim_ascii();
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(str::from_utf8(digits).ok()?, 8).ok() }
}

/// Whether the checksum is right: the sum of all bytes, where its own are spaces. Old programs added signed bytes.
fn has_checksum(header: &[u8; BLOCK]) -> bool {
    let Some(expected) = number(&header[field::CHECKSUM]) else { return false };
    let mut bytes = *header;
    bytes[field::CHECKSUM].fill(b' ');
    let unsigned: u64 = bytes.iter().map(|&byte| u64::from(byte)).sum();
    let signed = || bytes.iter().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
    expected == unsigned || i64::try_from(expected) == Ok(signed())
}

/// A path from its bytes. Where paths are text, other bytes are replaced.
fn path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::OsStr::from_bytes(bytes).into()
    }
    #[cfg(not(unix))]
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn damaged(damage: impl Into<Damage>) -> io::Error {
    io::Error::other(damage.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn padded(contents: &[u8]) -> Vec<u8> {
        let mut block = contents.to_vec();
        block.resize(contents.len().next_multiple_of(BLOCK), 0);
        block
    }

    fn pax(records: &[(&str, &str)]) -> Vec<u8> {
        let record = |(key, value): &(&str, &str)| {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| rest + length.to_string().len() == *length).unwrap();
            format!("{length} {key}={value}\n")
        };
        let text: String = records.iter().map(record).collect();
        [header("pax", b'x', text.len() as u64), padded(text.as_bytes())].concat()
    }

    fn members(bytes: &[u8]) -> io::Result<Vec<Member>> {
        let mut members = Members::of(bytes);
        std::iter::from_fn(|| members.next().transpose()).collect()
    }

    fn names(bytes: &[u8]) -> Vec<(String, u64)> {
        let described =
            |member: Member| (member.name.display().to_string(), member.range.end - member.range.start);
        members(bytes).unwrap().into_iter().map(described).collect()
    }

    #[test]
    fn members_are_those_that_another_program_wrote() {
        let mut builder = tar::Builder::new(vec![]);
        let long = format!("{}/x.ckpt", "folder/".repeat(40));
        for (name, contents) in [("a.ckpt", &b"one"[..]), (&long, &[7; 2000]), ("empty", b"")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            builder.append_data(&mut header, name, contents).unwrap();
        }
        let bytes = builder.into_inner().unwrap();
        let long = long.replace("//", "/");
        let expected = [("a.ckpt".to_owned(), 3), (long, 2000), ("empty".to_owned(), 0)];
        let found: Vec<_> =
            names(&bytes).into_iter().map(|(name, size)| (name.replace("//", "/"), size)).collect();
        assert_eq!(found, expected);
        let first = &members(&bytes).unwrap()[0];
        assert_eq!(&bytes[first.range.start as usize..first.range.end as usize], b"one");
        let mut streamed = Members::of(Stream(bytes.as_slice()));
        streamed.next().unwrap();
        streamed.next().unwrap();
        let mut contents = vec![];
        streamed.read_to_end(&mut contents).unwrap();
        assert_eq!(contents, [7; 2000]);
        assert_eq!(streamed.next().unwrap().unwrap().name, PathBuf::from("empty"));
    }

    #[test]
    fn extended_headers_replace_names_and_lengths() {
        let bytes =
            [pax(&[("path", "b.ckpt"), ("size", "3")]), header("short", b'0', 0), padded(b"one")].concat();
        assert_eq!(names(&bytes), [("b.ckpt".to_owned(), 3)]);
        for size in ["18446744073709551615", "-1", "x"] {
            let lie = [pax(&[("size", size)]), header("short", b'0', 0), padded(b"one")].concat();
            assert!(members(&lie).is_err(), "{size}");
        }
        // Longer than the archive.
        let mut long = header("x", b'0', 1 << 30);
        long.extend(padded(b"one"));
        assert!(members(&long).unwrap_err().to_string().contains("its end is missing"));
        let endless = [header("x", b'L', 1 << 40), padded(b"one")].concat();
        assert!(members(&endless).unwrap_err().to_string().contains("longer than any name"));
    }

    #[test]
    fn links_and_sparse_files_are_no_files() {
        let mut link = tar::Header::new_ustar();
        link.set_path("latest.ckpt").unwrap();
        link.set_link_name("/etc/passwd").unwrap();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        link.set_cksum();
        let sparse =
            [pax(&[("GNU.sparse.name", "s.ckpt"), ("GNU.sparse.major", "1")]), header("GNUSparse", b'0', 0)];
        let bytes = [link.as_bytes().to_vec(), sparse.concat(), header("device", b'3', 0)].concat();
        let kinds: Vec<_> = members(&bytes).unwrap().into_iter().map(|member| member.kind).collect();
        let link = MemberKind::Link("/etc/passwd".into(), false);
        assert_eq!(kinds, [link, MemberKind::Sparse, MemberKind::Other]);
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        let mut bytes = header("x", b'0', 0);
        bytes[0] ^= 1;
        assert!(members(&bytes).unwrap_err().to_string().contains("checksum"));
        assert!(members(&bytes[..100]).unwrap_err().to_string().contains("its end is missing"));
    }
}
