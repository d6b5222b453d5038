//! The CSV of subscribers: lines in, lines out.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Cursor, Write};
use std::path::Path;

use crate::cli::output::Failure;
use crate::domain::error::Invalid;
use crate::domain::sheets::{Column, Line, protect, unprotect};

pub struct Reader {
    csv: csv::Reader<Cursor<Vec<u8>>>,
    record: csv::ByteRecord,
    columns: Vec<Column>,
    /// Up to which byte line breaks were counted, and how many there were.
    counted: (usize, u64),
}

impl fmt::Debug for Reader {
    /// Its cells are people's, and one a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// A line of the file, or why it is none.
#[derive(Debug)]
pub struct Numbered {
    /// Where it begins.
    pub number: u64,
    pub line: Result<Line, Invalid>,
}

impl Reader {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let content = std::fs::read(path)
            .map_err(|e| Failure::new(format!("{} cannot be opened: {e}", path.display()), "Name another file."))?;
        Self::of(content)
    }

    /// Reads the header of a file's content.
    pub fn of(content: Vec<u8>) -> Result<Self, Failure> {
        // Lines of other lengths are the check's to report, all of them at once.
        let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(Cursor::new(content));
        let header = csv.byte_headers().map_err(|e| unreadable(&e))?.clone();
        Ok(Self { csv, record: csv::ByteRecord::new(), columns: columns(&header)?, counted: (0, 0) })
    }

    /// The next line, whether or not it can be read; `None` at the end.
    pub fn read(&mut self) -> Result<Option<Numbered>, Failure> {
        if !self.csv.read_byte_record(&mut self.record).map_err(|e| unreadable(&e))? {
            return Ok(None);
        }
        Ok(Some(Numbered { number: self.number(), line: self.line() }))
    }

    /// The line that the record begins on. The parser's own count leaves out what it skips before a record: empty lines,
    /// and the second half of a Windows line break.
    fn number(&mut self) -> u64 {
        let content = self.csv.get_ref().get_ref();
        let at = self.record.position().map_or(0, csv::Position::byte);
        let mut at = usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
        while content.get(at).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            at += 1;
        }
        // The parser ends a record at a lone carriage return too.
        let is_break = |place: &usize| match content.get(*place) {
            Some(b'\n') => true,
            Some(b'\r') => content.get(place + 1) != Some(&b'\n'),
            _ => false,
        };
        let breaks = (self.counted.0..at).filter(is_break).count() as u64;
        self.counted = (at, self.counted.1 + breaks);
        self.counted.1 + 1
    }

    fn line(&self) -> Result<Line, Invalid> {
        let (has, wants) = (self.record.len(), self.columns.len());
        if has != wants {
            return Err(Invalid::new("line", format!("has {has} cells where the header has {wants}")));
        }
        let mut line = Line::default();
        for (column, cell) in self.columns.iter().zip(&self.record) {
            let text = std::str::from_utf8(cell).map_err(|_| Invalid::new(column.name(), "is not UTF-8"))?;
            line.set(*column, unprotect(text).into_owned());
        }
        Ok(line)
    }
}

fn unreadable(error: &csv::Error) -> Failure {
    Failure::new(format!("the file cannot be read: {error}"), "Check that it is a CSV file.")
}

fn columns(header: &csv::ByteRecord) -> Result<Vec<Column>, Failure> {
    let known = || format!("The columns are {}.", Column::ALL.map(Column::name).join(", "));
    let mut columns = Vec::new();
    for cell in header {
        let name = String::from_utf8_lossy(cell);
        let column = Column::parse(&name)
            .ok_or_else(|| Failure::new(format!("the header has an unknown column {name:?}"), known()))?;
        if columns.contains(&column) {
            return Err(Failure::new(format!("the header has the column {name} twice"), known()));
        }
        columns.push(column);
    }
    if !columns.contains(&Column::Username) {
        return Err(Failure::new("the header has no column username", known()));
    }
    Ok(columns)
}

pub struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Self {
        Self(csv::WriterBuilder::new().from_writer(to))
    }

    pub fn write<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> io::Result<()> {
        let cells = cells.into_iter().map(protect);
        Ok(self.0.write_record(cells.map(Cow::into_owned))?)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_ends_with_a_carriage_return_alone_is_counted() {
        for (content, numbers) in [
            ("username\ra\rb\r\rc", [2, 3, 5]),
            ("username\r\na\nb\r\n\nc", [2, 3, 5]),
            ("username,note\n\"a\",\"x\ry\"\nb,\nc,\r", [2, 4, 5]),
        ] {
            let mut reader = Reader::of(content.into()).unwrap();
            let found = [(); 3].map(|()| reader.read().unwrap().unwrap().number);
            assert_eq!(found, numbers, "{content:?}");
            assert!(reader.read().unwrap().is_none());
        }
    }
}
