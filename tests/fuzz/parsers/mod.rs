//! Every parser of what comes from outside, each with what must hold for whatever bytes it is given: it does not panic,
//! what it takes is what it promises and comes back the same, what it refuses is refused by name. One list, used twice:
//! `tests/trust/fuzz.rs` with random input, and cargo-fuzz with input grown by coverage.

mod config;
mod files;
mod http;
mod values;

use panel::domain::error::Invalid;

pub struct Parser {
    pub name: &'static str,
    pub check: fn(&[u8]),
    /// Input that is taken, or nearly: where random changes begin.
    pub examples: &'static [&'static [u8]],
}

pub const ALL: [Parser; 20] = [
    values::MONEY,
    values::TIMES,
    values::NAMES,
    values::TEXTS,
    values::NETWORKS,
    values::FORWARDED,
    values::VOCABULARY,
    values::METADATA,
    values::ENCODED,
    values::COMMAND_LINE,
    http::BODIES,
    http::HEADERS,
    http::QUERIES,
    http::PATHS,
    http::TOKENS,
    config::SETTINGS,
    config::SETTINGS_FILES,
    files::SHEETS,
    files::SEALS,
    files::CERTIFICATES,
];

/// The entry of a target.
pub fn check(name: &str, data: &[u8]) {
    let parser = ALL.iter().find(|parser| parser.name == name);
    (parser.unwrap_or_else(|| panic!("no parser is called {name}")).check)(data);
}

/// What is no text never reaches a parser of text: bodies, queries and paths are refused before.
fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

/// A refusal names the field that was asked about, and says what is wrong in one short line.
fn taken<T>(field: &str, result: Result<T, Invalid>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(refused) => {
            assert_eq!(refused.field, field);
            assert!(is_one_line(&refused.problem), "{refused:?}");
            None
        }
    }
}

fn is_one_line(text: &str) -> bool {
    (1..=500).contains(&text.len()) && !text.contains(char::is_control)
}
