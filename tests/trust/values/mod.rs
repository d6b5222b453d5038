//! Abuse by values: every body, field and parameter that the panel's own description names, filled with what breaks
//! programs: JSON that is hardly JSON, strings that mean something elsewhere, SQL, formulas of spreadsheets.

pub mod described;
mod hole;
mod injection;
mod json;
mod json_corpus;
mod sheets;
mod sqlmap;
mod strings;
mod strings_corpus;
pub mod wire;
pub mod world;

/// Says what was measured, which the long form shows.
fn tell(figures: &str) {
    tell!("{figures}");
}
