//! Answers held byte for byte against a file, which is how a seed's sample stays a promise.

use std::fs;
use std::path::PathBuf;

use super::Answer;

/// Compares an answer's bytes with tests/api/golden/<name>.json. `masked`: what differs from run to run, and what stands
/// for it there. PANEL_WRITE_GOLDEN=1 writes the file instead; whoever does so reads it against the seed.
pub fn golden(name: &str, answer: &Answer, masked: &[(&str, &str)]) {
    let mut text = answer.text.clone();
    for (real, placeholder) in masked {
        assert!(!real.is_empty(), "{name}: nothing to mask as {placeholder}");
        text = text.replace(real, placeholder);
    }
    let is = format!("{} {text}\n", answer.status);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/api/golden/{name}.txt"));
    if std::env::var_os("PANEL_WRITE_GOLDEN").is_some() {
        fs::write(&path, &is).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let promised = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(is, promised, "{name}");
}
