//! The seal at the end of a backup: what is in the file, and the SHA-256 of all of it. The engine reads as many pages as the
//! head of the file says, so a sealed backup is also a database that any SQLite opens.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::CopyError;
use super::pace::Pace;
use crate::domain::encoding::hex;
use crate::domain::time::Timestamp;

const HEAD: &str = "panel-backup-v1\n";
const LAST: &str = "sha256 ";
/// `sha256`, a space, 64 digits, a newline.
const LAST_LINE: usize = 72;
/// Many times what the tables of any version need.
const LONGEST: u64 = 64 * 1024;
const CHUNK: usize = 256 * 1024;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Whatever was acknowledged before this instant is in it.
    pub taken_at: Timestamp,
    /// Of the panel that made it.
    pub version: String,
    pub schema: i64,
    /// Of the database, without the seal.
    pub bytes: u64,
    /// Of every table.
    pub rows: Vec<(String, i64)>,
}

impl Seal {
    pub fn text(&self) -> String {
        let Self { taken_at, version, schema, bytes, rows } = self;
        let mut text =
            format!("{HEAD}taken_at {}\nversion {version}\nschema {schema}\nbytes {bytes}\n", taken_at.millis());
        for (table, count) in rows {
            text.push_str(&format!("rows {table} {count}\n"));
        }
        text
    }

    /// Reads what `text` writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut seal = Self { taken_at: Timestamp(0), version: String::new(), schema: 0, bytes: 0, rows: Vec::new() };
        let body = text.strip_prefix(HEAD)?;
        for line in body.lines() {
            let (word, value) = line.split_once(' ')?;
            match word {
                "taken_at" => seal.taken_at = Timestamp(value.parse().ok()?),
                "version" => seal.version = value.to_owned(),
                "schema" => seal.schema = value.parse().ok()?,
                "bytes" => seal.bytes = value.parse().ok()?,
                "rows" => {
                    let (table, count) = value.rsplit_once(' ')?;
                    seal.rows.push((table.to_owned(), count.parse().ok()?));
                }
                _ => return None,
            }
        }
        Some(seal).filter(|seal| seal.text() == text)
    }
}

/// Writes the seal behind the database in a file that nobody uses any more, and gives its SHA-256 and length.
pub fn append(path: &Path, file: &mut File, seal: &Seal, pace: &mut Pace<'_>) -> Result<([u8; 32], u64), CopyError> {
    let written = CopyError::file(path, "written");
    file.seek(SeekFrom::Start(0)).map_err(&written)?;
    let mut hash = Sha256::new();
    pass(path, &mut (&*file).take(seal.bytes), &mut hash, &mut io::sink(), pace)?;
    let text = seal.text();
    hash.update(text.as_bytes());
    let sha256: [u8; 32] = hash.finalize().into();
    let text = format!("{text}{LAST}{}\n", hex(&sha256));
    file.write_all(text.as_bytes()).map_err(&written)?;
    file.sync_all().map_err(&written)?;
    Ok((sha256, seal.bytes.saturating_add(text.len() as u64)))
}

/// Reads the whole file, hands the database on, and gives its seal if not a byte of it has changed.
pub fn open(path: &Path, database: &mut impl Write, pace: &mut Pace<'_>) -> Result<(Seal, [u8; 32]), CopyError> {
    let read = CopyError::file(path, "read");
    let mut file = regular_file(path).map_err(&read)?;
    let length = file.metadata().map_err(&read)?.len();
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST))).map_err(&read)?;
    (&mut file).take(LONGEST).read_to_end(&mut end).map_err(&read)?;
    let last = end.len().checked_sub(LAST_LINE).and_then(|at| end.get(at..)).unwrap_or_default();
    let told = std::str::from_utf8(last).ok().and_then(|line| line.strip_prefix(LAST)?.strip_suffix('\n'));
    let was_sealed = told.is_some() || end.windows(HEAD.len()).any(|window| window == HEAD.as_bytes());
    file.seek(SeekFrom::Start(0)).map_err(&read)?;
    let Some(bytes) = database_bytes(&mut file).map_err(&read)? else {
        return Err(not_whole(path, was_sealed, "its first bytes are not those of a database"));
    };
    if length < bytes {
        return Err(CopyError::damaged(path, format!("it is cut off: {length} of {bytes} bytes are there")));
    }
    let Some(told) = told else { return Err(not_whole(path, was_sealed, "its last line is missing")) };
    let sealed = length.saturating_sub(LAST_LINE as u64);
    let rest = sealed.saturating_sub(bytes);
    if bytes > sealed || rest > LONGEST {
        return Err(not_whole(path, was_sealed, "its end is another's"));
    }
    file.seek(SeekFrom::Start(0)).map_err(&read)?;
    let mut hash = Sha256::new();
    let mut reader = BufReader::with_capacity(CHUNK, file);
    pass(path, &mut (&mut reader).take(bytes), &mut hash, database, pace)?;
    let mut text = Vec::new();
    (&mut reader).take(rest).read_to_end(&mut text).map_err(&read)?;
    hash.update(&text);
    let sha256: [u8; 32] = hash.finalize().into();
    let seal = String::from_utf8(text).ok().and_then(|text| Seal::parse(&text));
    match seal {
        Some(seal) if told == hex(&sha256) && seal.bytes == bytes => Ok((seal, sha256)),
        _ => Err(CopyError::damaged(path, "its SHA-256 is not the one it was sealed with")),
    }
}

/// A named pipe would be waited for, and a device has no end.
fn regular_file(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// A file with a seal that does not fit was a backup once; one without never was.
fn not_whole(path: &Path, was_sealed: bool, what: &str) -> CopyError {
    match was_sealed {
        true => CopyError::damaged(path, what),
        false => CopyError::NotABackup { path: path.to_owned() },
    }
}

/// How much of the file is the database: from its head, as the engine itself does (file format, section 1.3).
fn database_bytes(file: &mut File) -> io::Result<Option<u64>> {
    let mut head = Vec::new();
    file.take(100).read_to_end(&mut head)?;
    if head.len() < 100 || !head.starts_with(b"SQLite format 3\0") {
        return Ok(None);
    }
    let number = |range: std::ops::Range<usize>| {
        head.get(range).map_or(0, |bytes| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let page = match number(16..18) {
        1 => 65_536,
        page => page,
    };
    Ok(page.checked_mul(number(28..32)).filter(|bytes| *bytes > 0))
}

fn pass(
    path: &Path,
    from: &mut impl Read,
    hash: &mut Sha256,
    to: &mut impl Write,
    pace: &mut Pace<'_>,
) -> Result<(), CopyError> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).map_err(CopyError::file(path, "read"))?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        hash.update(bytes);
        to.write_all(bytes).map_err(CopyError::file(path, "copied"))?;
        pace.spend(read as u64)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_reads_back_as_it_was_written_and_no_other_text_is_one() {
        let seal = Seal {
            taken_at: Timestamp(1_778_574_151_000),
            version: "1.0.0".to_owned(),
            schema: 2,
            bytes: 4096,
            rows: vec![("users".to_owned(), 3), ("api_keys".to_owned(), 0)],
        };
        assert_eq!(Seal::parse(&seal.text()), Some(seal.clone()));
        for text in [
            String::new(),
            HEAD.to_owned(),
            seal.text().replace("v1", "v2"),
            seal.text().replace("schema 2", "schema two"),
            seal.text() + "more 1\n",
            seal.text().trim_end().to_owned(),
        ] {
            assert_eq!(Seal::parse(&text), None, "{text}");
        }
    }
}
