//! A sheet of subscribers: its columns, and the apostrophe that keeps a spreadsheet from computing a cell.

use std::borrow::Cow;

/// In the order of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Username,
    Owner,
    Password,
    FullName,
    Phone,
    Address,
    Email,
    Note,
    ExternalId,
    Status,
    Service,
    Nas,
    MacAddress,
    ExpiryDate,
    Balance,
}

impl Column {
    pub const ALL: [Column; 15] = [
        Column::Username,
        Column::Owner,
        Column::Password,
        Column::FullName,
        Column::Phone,
        Column::Address,
        Column::Email,
        Column::Note,
        Column::ExternalId,
        Column::Status,
        Column::Service,
        Column::Nas,
        Column::MacAddress,
        Column::ExpiryDate,
        Column::Balance,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Column::Username => "username",
            Column::Owner => "owner",
            Column::Password => "password",
            Column::FullName => "full_name",
            Column::Phone => "phone",
            Column::Address => "address",
            Column::Email => "email",
            Column::Note => "note",
            Column::ExternalId => "external_id",
            Column::Status => "status",
            Column::Service => "service",
            Column::Nas => "nas",
            Column::MacAddress => "mac_address",
            Column::ExpiryDate => "expiry_date",
            Column::Balance => "balance",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// A line of a sheet as text. A column that the sheet does not have says nothing about its field.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Line([Option<String>; Column::ALL.len()]);

impl Line {
    pub fn set(&mut self, column: Column, text: String) {
        self.0[column as usize] = Some(text);
    }

    pub fn get(&self, column: Column) -> Option<&str> {
        self.0[column as usize].as_deref()
    }
}

impl std::fmt::Debug for Line {
    /// One of the cells is a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

/// How formulas begin, in both widths.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// What ends a cell for a program that expects other cells than ours: where a semicolon parts them, quotes inside a line
/// hold nothing together.
const PARTS: [char; 4] = [';', '\t', '\r', '\n'];

/// Whether a spreadsheet takes the part of a cell for a formula once the apostrophes before it are gone. Counting those
/// makes `protect` reversible: a text that itself begins with `'=` is kept apart from a protected `=`.
fn computes(part: &str) -> bool {
    // Part by part a tab or a line break is the end of one; what begins with it may lose it on the way.
    let is_bare = part.trim_start_matches('\'').starts_with(['\t', '\r', '\n']);
    is_bare || part.trim_start_matches(|c: char| c == '\'' || c.is_whitespace()).starts_with(SIGNS)
}

/// The parts of a cell, of which only the first may begin with what ends a part.
fn parts(cell: &str) -> impl Iterator<Item = (bool, &str)> {
    let parts = cell.split_inclusive(PARTS).enumerate();
    parts.map(|(place, part)| {
        (computes(part) && (place == 0 || !part.trim_start_matches('\'').starts_with(PARTS)), part)
    })
}

/// The cell as a sheet holds it.
pub fn protect(cell: &str) -> Cow<'_, str> {
    if !parts(cell).any(|(computes, _)| computes) {
        return cell.into();
    }
    parts(cell).flat_map(|(computes, part)| [if computes { "'" } else { "" }, part]).collect()
}

/// The cell as it was meant: without the apostrophes that protect it.
pub fn unprotect(cell: &str) -> Cow<'_, str> {
    if !cell.contains('\'') {
        return cell.into();
    }
    let bare =
        |(computes, part): (bool, _)| if computes { str::strip_prefix(part, '\'').unwrap_or(part) } else { part };
    parts(cell).map(bare).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_protected_computes_nothing_and_comes_back_as_it_was() {
        let plain = ["", "'", "Amr", "'Amr", "O'Neil", "=1+1", "'=1+1", "''=1", "+961 70", "-5.00", "@x", "\tx", "\rx"];
        let odd = ["\u{ff1d}1", " =1", "\u{3000}-1", "' =1", "\n", "'\n", "\n=1", "\t\t", "'\t'=1", "\r\n+1", "é;'=1"];
        let parted =
            ["a;=1", "a;'=1", "a;;@b;", "a\n-b\n- c", "a\r\n=1", "a;\n'=1", ";", ";=1", "a; b", "a\n\nb", "a;'b"];
        for cell in plain.into_iter().chain(odd).chain(parted) {
            let held = protect(cell);
            assert!(!held.starts_with(['\t', '\r', '\n']), "{held:?}");
            assert!(!held.split(PARTS).any(|part| part.trim_start().starts_with(SIGNS)), "{held:?}");
            assert_eq!(unprotect(&held), cell, "{held:?}");
            assert_eq!(unprotect(&protect(&held)), held, "{held:?}");
        }
        for (cell, held) in [("=1", "'=1"), ("a;=1", "a;'=1"), ("a; b", "a; b"), ("'Amr", "'Amr"), ("a\n\nb", "a\n\nb")]
        {
            assert_eq!(protect(cell), held);
        }
        assert_eq!((unprotect("'Amr"), unprotect("=1")), ("'Amr".into(), "=1".into()));
    }

    proptest! {
        #[test]
        fn every_cell_comes_back_as_it_was(cell in "['=; \\-+a\t\n\r\u{ff1d}\u{3000}]{0,12}") {
            let held = protect(&cell);
            prop_assert!(!held.split(PARTS).any(|part| part.trim_start().starts_with(SIGNS)), "{:?}", held);
            prop_assert_eq!(unprotect(&held), cell.as_str());
        }
    }

    #[test]
    fn the_columns_are_in_their_order_and_found_by_name() {
        for (place, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!((column as usize, Column::parse(column.name())), (place, Some(column)));
        }
        assert_eq!(Column::parse("Username"), None);
    }
}
