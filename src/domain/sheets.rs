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

/// Whether a spreadsheet takes the cell for a formula once the apostrophes before it are gone. Counting those makes
/// `protect` reversible: a text that itself begins with `'=` is kept apart from a protected `=`.
fn computes(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The cell as a sheet holds it.
pub fn protect(cell: &str) -> Cow<'_, str> {
    if computes(cell) { format!("'{cell}").into() } else { cell.into() }
}

/// The cell as it was meant: without the one apostrophe that protects it.
pub fn unprotect(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| computes(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_protected_computes_nothing_and_comes_back_as_it_was() {
        for cell in ["", "'", "Amr", "'Amr", "O'Neil", "=1+1", "'=1+1", "''=1", "+961 70", "-5.00", "@x", "\tx", "\rx"]
        {
            let held = protect(cell);
            assert!(!held.starts_with(['=', '+', '-', '@', '\t', '\r']), "{held:?}");
            assert_eq!(unprotect(&held), cell);
        }
        assert_eq!((protect("=1"), unprotect("'Amr"), unprotect("=1")), ("'=1".into(), "'Amr", "=1"));
    }

    #[test]
    fn the_columns_are_in_their_order_and_found_by_name() {
        for (place, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!((column as usize, Column::parse(column.name())), (place, Some(column)));
        }
        assert_eq!(Column::parse("Username"), None);
    }
}
