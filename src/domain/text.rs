//! What text may hold.

use std::any::Any;

use super::error::Invalid;

/// Characters that a reader cannot see: control characters, and those that hide or reverse what stands beside them
/// (zero-width and bidirectional marks). A name with one can be taken for another.
pub fn is_unseen(c: char) -> bool {
    let hides = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}');
    hides || c.is_control()
}

/// One line of text: no control characters, at most `max` characters.
pub fn line(field: &'static str, text: &str, max: usize) -> Result<String, Invalid> {
    if text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, format!("must be at most {max} characters without control characters")));
    }
    Ok(text.to_owned())
}

/// At most so many characters of a text, from its beginning.
pub fn beginning(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = text.char_indices().nth(max).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// How our secrets begin, in lower case; of a token it is the part that holds the session's id.
const SECRETS: [&str; 4] = ["pk_live_", "wsp_", "nps_", ".eyj"];

/// Whether a text holds what may be a secret of ours, also one in capitals or percent-encoded: it is as good to whoever reads it.
pub fn may_hold_secret(text: &str) -> bool {
    // Every request is asked: hardly any path has one of these.
    let is_plain = !text.bytes().any(|byte| matches!(byte, b'_' | b'.' | b'%'));
    !is_plain && (has_beginning(text) || text.split('/').any(hides_secret))
}

fn has_beginning(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SECRETS.iter().any(|beginning| text.contains(beginning))
}

/// How often a text is decoded. Nobody encodes as often by mistake, and whoever does it on purpose must not keep us busy.
const LAYERS: usize = 4;

/// Whether a secret comes to light when the text is decoded as often as it was encoded; one that is encoded more often
/// than we look counts as one.
fn hides_secret(segment: &str) -> bool {
    let mut text = segment.as_bytes().to_vec();
    for _ in 0..LAYERS {
        if !text.contains(&b'%') {
            return false;
        }
        let decoded = percent_decoded(&text);
        if decoded.len() == text.len() {
            return false;
        }
        text = decoded;
        if has_beginning(&String::from_utf8_lossy(&text)) {
            return true;
        }
    }
    percent_decoded(&text).len() < text.len()
}

fn percent_decoded(mut text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let byte = match rest {
            [high, low, ..] if first == b'%' => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        decoded.push(byte.unwrap_or(first));
        text = rest.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

/// The text with what may be a secret of ours cut down to how it begins: a key that was put into a path by mistake must not
/// be kept with it. A segment in which one is encoded goes whole.
pub fn without_secrets(text: &str) -> String {
    let masked =
        text.split('/').map(|segment| if hides_secret(segment) { "***".to_owned() } else { cut_down(segment) });
    masked.collect::<Vec<_>>().join("/")
}

fn cut_down(segment: &str) -> String {
    let mut masked = segment.to_owned();
    for beginning in SECRETS {
        // As long as the text itself: only ASCII letters change.
        let lower = masked.to_ascii_lowercase();
        let mut rest = masked.as_str();
        let mut kept = String::new();
        let mut parts = lower.split(beginning).map(str::len);
        let (before, after) = rest.split_at_checked(parts.next().unwrap_or_default()).unwrap_or_default();
        kept.push_str(before);
        rest = after;
        for length in parts {
            let (found, after) = rest.split_at_checked(beginning.len()).unwrap_or_default();
            let (part, after) = after.split_at_checked(length).unwrap_or_default();
            let part = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            kept.extend([found, "***", part]);
            rest = after;
        }
        masked = kept;
    }
    masked
}

/// What a caught panic said.
pub fn of_panic(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

/// What has a line why and a line what to do, in one line.
pub fn one_line(sentences: &impl ToString) -> String {
    sentences.to_string().replace('\n', " ")
}

/// A number of bytes as people read it, to one decimal: `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut unit, mut whole) = (0, bytes);
    while whole >= 1024 * 1024 && unit + 1 < UNITS.len() {
        whole /= 1024;
        unit += 1;
    }
    let tenths = whole.saturating_mul(10) / 1024;
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{beginning, is_unseen, may_hold_secret, without_secrets};

    #[test]
    fn a_beginning_has_so_many_characters_and_not_bytes() {
        for (text, max, short) in [("", 0, ""), ("abc", 3, "abc"), ("abc", 2, "ab"), ("éé中x", 3, "éé中"), ("é", 0, "")]
        {
            assert_eq!(beginning(text, max), short);
        }
    }

    #[test]
    fn secrets_are_cut_down_to_how_they_begin_wherever_they_stand() {
        for (text, masked) in [
            ("/api/v1/users", "/api/v1/users"),
            ("/x/pk_live_a8f3kj92/y", "/x/pk_live_***/y"),
            ("wsp_1wsp_2 nps_a-b_c", "wsp_***wsp_*** nps_***"),
            ("pk_live_", "pk_live_***"),
            ("/x/eyJhbGc.eyJzdWI.c2ln/y", "/x/eyJhbGc.eyJ***.c2ln/y"),
            ("/x/PK_LIVE_A8F3KJ92/Nps_A", "/x/PK_LIVE_***/Nps_***"),
            ("/x/pk%5flive_a8f3kj92/y", "/x/***/y"),
            ("/x/a%2fpk%255Flive%25255fa8f3kj92/%zz%", "/x/***/%zz%"),
            ("/x/%70%6b_live_a8f3", "/x/***"),
            ("/x/%65%79J.%65yJzdWI.c2ln", "/x/***"),
            ("/x/%25252525/y", "/x/%25252525/y"),
            ("/x/%2525252525/y", "/x/***/y"),
            (&format!("/x/%{}/y", "25".repeat(100_000)), "/x/***/y"),
            ("/a%20b/%C3%A9/%/%4/%zz", "/a%20b/%C3%A9/%/%4/%zz"),
        ] {
            assert_eq!(without_secrets(text), masked);
            assert_eq!(may_hold_secret(text), text != masked);
        }
    }

    #[test]
    fn marks_that_hide_are_unseen_and_letters_are_not() {
        for c in ['\0', '\n', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}'] {
            assert!(is_unseen(c), "{c:?}");
        }
        for c in ['a', ' ', 'é', 'ب', '中', '-', '\u{301}'] {
            assert!(!is_unseen(c), "{c:?}");
        }
    }
}
