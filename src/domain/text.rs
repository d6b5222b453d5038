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

/// What a caught panic said.
pub fn of_panic(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::is_unseen;

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
