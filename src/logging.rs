//! The server's log: one line for each event, as text or as JSON. Whatever a caller put into a field, it stays one line of
//! bounded length.

mod stderr;

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::app::Clock;
use crate::config::{Log, LogFormat, LogLevel};
use crate::domain::text::is_unseen;

pub use stderr::{Flush, flush_at_end};

/// Characters of a field that are kept.
const LONGEST: usize = 1_024;

/// Makes the log louder or quieter.
pub type SetLevel = Box<dyn Fn(LogLevel) + Send + Sync>;

/// Sends the log to standard error.
pub fn start(settings: &Log) -> Result<SetLevel, TryInitError> {
    let (filter, handle) = reload::Layer::new(filter(settings.level));
    let lines = Lines::new(settings.format, |line: &str| stderr::write(line.to_owned()));
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Box::new(move |level| drop(handle.reload(self::filter(level)))))
}

/// What cannot be parsed is answered without a word: strangers must not fill the log.
fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(format!("warn,actix_http=off,panel={level}"))
}

/// Says something that is for a person whatever the level, in the form of the log.
pub fn announce(settings: &Log, message: &str, name: &'static str, value: &str) {
    match settings.format {
        LogFormat::Text => stderr::write(format!("{message}:\n{value}\n")),
        LogFormat::Json => {
            let fields = Fields { message: message.to_owned(), others: vec![(name, value.into())] };
            stderr::write(fields.json(Clock::default().now().rfc3339_millis(), Level::INFO));
        }
    }
}

/// Makes a line of each event and hands it on, with its newline.
#[derive(Debug)]
pub struct Lines<W> {
    format: LogFormat,
    clock: Clock,
    write: W,
}

impl<W: Fn(&str)> Lines<W> {
    pub fn new(format: LogFormat, write: W) -> Self {
        Self { format, clock: Clock::default(), write }
    }
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        // Ours is the rule and not told.
        if !metadata.target().starts_with("panel") {
            fields.set("target", metadata.target().into());
        }
        let at = self.clock.now().rfc3339_millis();
        let line = match self.format {
            LogFormat::Text => fields.text(&at, *metadata.level()),
            LogFormat::Json => fields.json(at, *metadata.level()),
        };
        (self.write)(&line);
    }
}

/// What an event says, in its own order.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn set(&mut self, name: &'static str, value: Value) {
        match value {
            Value::String(text) if name == "message" => self.message = text,
            value => self.others.push((name, value)),
        }
    }

    fn text(&self, at: &str, level: Level) -> String {
        let mut line = format!("{at} {level:>5} {}", self.message);
        for (name, value) in &self.others {
            let value = match value {
                Value::String(text) => quoted(text),
                other => other.to_string(),
            };
            // A string takes everything.
            let _ = write!(line, " {name}={value}");
        }
        line.push('\n');
        line
    }

    fn json(self, at: String, level: Level) -> String {
        let head = [("timestamp", at), ("level", level.to_string()), ("message", self.message)];
        let head = head.map(|(name, text)| (name.to_owned(), text.into()));
        let others = self.others.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut line = Value::Object(Map::from_iter(head.into_iter().chain(others))).to_string();
        line.push('\n');
        line
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut clean = Clean::default();
        // It fails only where it is full.
        let _ = write!(clean, "{value:?}");
        self.set(field.name(), clean.text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut clean = Clean::default();
        let _ = clean.write_str(value);
        self.set(field.name(), clean.text.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }
}

/// Text without what could end a line, steer a terminal or reverse what stands beside it, and not too long.
#[derive(Default)]
struct Clean {
    text: String,
    count: usize,
}

impl fmt::Write for Clean {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            if self.count == LONGEST {
                self.text.push('…');
                self.count += 1;
            }
            if self.count > LONGEST {
                return Err(fmt::Error);
            }
            self.count += 1;
            match is_unseen(c) {
                true => self.text.extend(c.escape_default()),
                false => self.text.push(c),
            }
        }
        Ok(())
    }
}

/// A value of several words must not look like several fields.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '='));
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::time::Timestamp;

    fn lines_of(format: LogFormat, work: impl FnOnce()) -> Vec<String> {
        let said = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&said);
        let clock = Clock::standing_at(Timestamp(1_800_000_000_007));
        let lines = Lines { format, clock, write: move |line: &str| into.lock().unwrap().push(line.to_owned()) };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        Arc::into_inner(said).unwrap().into_inner().unwrap()
    }

    fn event() {
        tracing::warn!(ip = %"10.0.0.1", request_id = "req-1", status = 403, path = "/a b", gone = None::<&str>, "refused: {}", 7);
    }

    #[test]
    fn a_line_of_text_has_the_time_the_level_the_message_and_its_fields() {
        let expected =
            "2027-01-15T08:00:00.007Z  WARN refused: 7 ip=10.0.0.1 request_id=req-1 status=403 path=\"/a b\"\n";
        assert_eq!(lines_of(LogFormat::Text, event), [expected]);
    }

    #[test]
    fn a_line_for_machines_is_one_object_with_the_same() {
        let lines = lines_of(LogFormat::Json, event);
        let expected = concat!(
            r#"{"timestamp":"2027-01-15T08:00:00.007Z","level":"WARN","message":"refused: 7","ip":"10.0.0.1","#,
            r#""request_id":"req-1","status":403,"path":"/a b"}"#,
            "\n"
        );
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn what_a_caller_put_into_a_field_cannot_end_the_line_steer_a_terminal_or_pass_for_other_fields() {
        let evil = "x\n2027-01-15T08:00:00.007Z ERROR forged\r\u{1b}[31m\u{9b}2J\u{202e}\u{2028}\0 ip=6.6.6.6 \"";
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = lines_of(format, || {
                tracing::error!(plain = evil, shown = %evil, debugged = ?evil, status = 1, "{evil}");
            });
            assert_eq!(lines.len(), 1);
            let line = lines[0].strip_suffix('\n').unwrap();
            assert!(!line.contains(is_unseen), "{line:?}");
            if format == LogFormat::Text {
                assert!(line.contains(r#"plain="x\\n2027"#) && line.contains(r#" ip=6.6.6.6 \"" shown="x"#), "{line}");
            } else {
                let object: Map<String, Value> = serde_json::from_str(line).unwrap();
                let names: Vec<_> = object.keys().map(String::as_str).collect();
                assert_eq!(names, ["timestamp", "level", "message", "plain", "shown", "debugged", "status"]);
            }
        }
    }

    #[test]
    fn a_line_is_bounded_however_long_its_fields_are() {
        let long = "ü".repeat(1_000_000);
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = lines_of(format, || tracing::error!(plain = long, shown = %long, "{long}"));
            assert_eq!(lines[0].matches('ü').count(), 3 * LONGEST);
            assert!(lines[0].ends_with('\n') && lines[0].contains("ü…"));
        }
    }
}
