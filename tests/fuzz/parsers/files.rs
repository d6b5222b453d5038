//! Files that somebody brings.

use panel::cli::subscriber::sheet::{Reader, Writer};
use panel::domain::sheets::{Column, Line};
use panel::store::Seal;
use panel::tls::validity;

use super::{Parser, text};

/// What was read, as far as it can be, by column.
fn read(content: &[u8]) -> Option<Vec<Line>> {
    let mut reader = Reader::of(content.to_owned()).ok()?;
    let (mut lines, mut last) = (Vec::new(), 0);
    while let Some(numbered) = reader.read().unwrap_or_default() {
        assert!(numbered.number > last, "line {} after line {last}", numbered.number);
        last = numbered.number;
        match numbered.line {
            Ok(line) => lines.push(line),
            Err(refused) => assert!(super::is_one_line(&refused.problem), "{refused:?}"),
        }
    }
    assert!(last <= 1 + content.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count() as u64);
    Some(lines)
}

/// A spreadsheet of subscribers: what is read and written is read the same again, and computes nothing.
pub const SHEETS: Parser = Parser {
    name: "sheets",
    check: |data| {
        let Some(lines) = read(data) else { return };
        let mut written = Vec::new();
        let mut writer = Writer::new(&mut written);
        let wrote = writer.write(Column::ALL.map(Column::name));
        assert!(wrote.is_ok());
        for line in &lines {
            assert!(writer.write(Column::ALL.map(|column| line.get(column).unwrap_or_default())).is_ok());
        }
        assert!(writer.finish().is_ok());
        let again = read(&written).unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&written)));
        let cells = |line: &Line| Column::ALL.map(|column| line.get(column).unwrap_or_default().to_owned());
        assert!(lines.iter().map(cells).eq(again.iter().map(cells)), "{:?}", String::from_utf8_lossy(&written));
    },
    examples: &[
        b"username,full_name,expiry_date,balance\nuser1,John Customer,2026-12-31,-5.00\n",
        b"username,note\r\n\r\nuser1,\"two\r\nlines, \"\"quoted\"\"\"\r\nuser2,'=1+1\r\n",
        b"\xef\xbb\xbfusername;password\nuser1;x\n",
        b"username\n\xff\n'\n",
        b"username,phone\nuser1\nuser2,+961,x\n",
    ],
};

pub const SEALS: Parser = Parser {
    name: "seals",
    check: |data| {
        if let Some(seal) = Seal::parse(text(data)) {
            assert_eq!(seal.text(), text(data));
        }
    },
    examples: &[
        b"panel-backup-v1\ntaken_at 1795408347000\nversion 1.0.0\nschema 2\nbytes 4096\nrows users 3\nrows api_keys 0\n",
        b"panel-backup-v1\ntaken_at -1\nversion  \nschema -9\nbytes 18446744073709551615\n",
    ],
};

/// A certificate's bytes, as they come out of its file.
pub const CERTIFICATES: Parser = Parser {
    name: "certificates",
    check: |data| {
        if let Some(valid) = validity::of(data) {
            // Years of four digits.
            for at in [valid.not_before, valid.not_after] {
                assert!(at.rfc3339().len() == 20, "{}", at.rfc3339());
            }
        }
    },
    examples: &[
        b"\x30\x38\x30\x36\xa0\x03\x02\x01\x02\x02\x01\x01\x30\x00\x30\x00\x30\x26\x17\x0d261123000000Z\x18\x0f20491231235959Z",
        b"\x30\x82\x00\x2e\x30\x2c\x02\x01\x01\x30\x00\x30\x00\x30\x22\x17\x0d500101000000Z\x18\x0f99991231235960Z",
    ],
};
