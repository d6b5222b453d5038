//! Where settings come from: the defaults, at most one file, the environment; later ones win.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use serde::Serialize;

use super::error::nearest;
use super::{Config, ConfigError};

/// Looked for in this order when no file is named; none is needed.
const SEARCHED: [&str; 2] = ["./panel.toml", "/etc/panel/panel.toml"];

/// What a setting's value was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// The environment variable's name.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One effective setting. `Display` is a line of TOML with the origin as its comment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Dotted, as `server.listen`.
    pub key: String,
    /// Null when it is not set.
    pub value: serde_json::Value,
    pub origin: Origin,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            // TOML has no null, and an empty text would not be accepted back.
            serde_json::Value::Null => write!(f, "# {} is not set  # {}", self.key, self.origin),
            _ => write!(f, "{} = {}  # {}", self.key, toml(&self.value), self.origin),
        }
    }
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// The one that was read, if any.
    pub file: Option<PathBuf>,
    /// Every known setting, sorted by key.
    pub settings: Vec<Setting>,
}

/// Reads `named`, or else `./panel.toml`, or else `/etc/panel/panel.toml`, and then the process environment.
///
/// Fails when `named` is missing, and on the first file that cannot be read or parsed, and on the first unknown, wrong
/// or contradictory setting.
pub fn load(named: Option<&Path>) -> Result<Loaded, ConfigError> {
    load_from(named, &SEARCHED.map(Path::new), environment(std::env::vars_os())?)
}

/// [`load`] with the places to search and the environment as arguments.
pub fn load_from(
    named: Option<&Path>,
    searched: &[&Path],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let known = defaults();
    let mut origins: BTreeMap<&str, Origin> = known.keys().map(|key| (key.as_str(), Origin::Default)).collect();
    let mut figment = Figment::from(Serialized::defaults(Config::default()));

    let file = read(named, searched)?;
    let read_from = file.as_ref().map(|(path, _)| path.clone());
    let file = file.map(|(path, text)| from_file(&known, &path, &text).map(|given| (path, given))).transpose()?;
    if let Some((path, given)) = file {
        for (key, value) in given {
            figment = figment.merge(Serialized::default(key, value));
            origins.insert(key, Origin::File(path.clone()));
        }
    }
    for (key, name, value) in from_environment(&known, environment)? {
        figment = figment.merge(Serialized::default(key, value));
        origins.insert(key, Origin::Variable(name));
    }

    let refused = |key: &str, problem: String| refuse(&known, key, origins.get(key), problem);
    let config: Config = figment.extract().map_err(|error| {
        let key = error.path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(".");
        refused(&key, problem(&error.kind))
    })?;
    if let Some((keys, problem)) = config.contradiction() {
        // Somebody set one of them; to blame a default would send the operator to a line that does not exist.
        let set = keys.iter().find(|key| origins.get(**key).is_some_and(|origin| *origin != Origin::Default));
        let key = set.or(keys.first()).copied().unwrap_or_default();
        return Err(refused(key, problem));
    }
    #[expect(clippy::expect_used, reason = "at start-up, and over types that are all plain")]
    let effective = serde_json::to_value(&config).expect("every setting is text, a number, a flag or a list of texts");
    let settings = origins.into_iter().map(|(key, origin)| {
        let value = effective.pointer(&format!("/{}", key.replace('.', "/"))).cloned().unwrap_or_default();
        Setting { key: key.to_owned(), value, origin }
    });
    let settings = settings.collect();
    Ok(Loaded { config, file: read_from, settings })
}

#[expect(clippy::expect_used, reason = "over the compiled defaults alone: a test would fail before any start")]
/// Every known key with its default. `Config` itself is the list, so that no second one can differ from it.
pub(super) fn defaults() -> BTreeMap<String, Value> {
    let config = Value::serialize(Config::default()).expect("the defaults are plain values");
    let sections = config.into_dict().expect("the settings are grouped into sections");
    let keys_of = |(section, names): (String, Value)| {
        let names = names.into_dict().expect("a section is a struct");
        names.into_iter().map(move |(name, value)| (format!("{section}.{name}"), value))
    };
    sections.into_iter().flat_map(keys_of).collect()
}

/// The environment as text. What is not UTF-8 is refused only where it would be a setting.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        if !is_setting(&name) {
            continue;
        }
        let Ok(value) = value.into_string() else {
            return Err(ConfigError::of_file(name.clone(), "is not UTF-8", format!("Correct {name}, or unset it.")));
        };
        texts.push((name, value));
    }
    Ok(texts)
}

/// Bytes of a settings file.
const LONGEST_FILE: u64 = 1024 * 1024;

fn is_setting(variable: &str) -> bool {
    variable.starts_with("PANEL_") && variable.contains("__")
}

pub(super) fn variable_of(key: &str) -> String {
    format!("PANEL_{}", key.to_uppercase().replace('.', "__"))
}

fn read(named: Option<&Path>, searched: &[&Path]) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let unreadable = |path: &Path, error: &io::Error, remedy: &str| {
        ConfigError::of_file(path.display().to_string(), format!("cannot be read: {error}"), remedy)
    };
    if let Some(path) = named {
        let text = read_text(path)
            .map_err(|error| unreadable(path, &error, "Check its path (--config), and who may read it."))?;
        return Ok(Some((path.to_owned(), text)));
    }
    for path in searched {
        match read_text(path) {
            Ok(text) => return Ok(Some((path.to_path_buf(), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A file that is there was meant to be used: going on without it would start with other settings.
            Err(error) => return Err(unreadable(path, &error, "Make it a readable text file, or move it away.")),
        }
    }
    Ok(None)
}

/// Reads no further than settings can be long: what was named may be a device without an end.
fn read_text(path: &Path) -> io::Result<String> {
    // It would be waited for, also by a server that is told to read its settings again.
    if fs::metadata(path)?.file_type().is_fifo() {
        return Err(io::Error::other("it is a named pipe"));
    }
    let mut text = String::new();
    File::open(path)?.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!("it is longer than {LONGEST_FILE} bytes")));
    }
    Ok(text)
}

/// What the file sets, by known key.
fn from_file<'a>(
    known: &'a BTreeMap<String, Value>,
    path: &Path,
    text: &str,
) -> Result<Vec<(&'a str, Value)>, ConfigError> {
    let origin = path.display().to_string();
    let sections: Dict = Toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!(", line {}", before.matches('\n').count() + 1));
        let problem = format!("not valid TOML: {}", error.message().replace('\n', ", "));
        ConfigError::of_file(
            format!("{origin}{}", line.unwrap_or_default()),
            problem,
            "Correct the line; texts need quotes, lists need brackets.",
        )
    })?;
    let mut given = Vec::new();
    for (section, names) in sections {
        let is_known = known.keys().any(|key| key.split('.').next() == Some(section.as_str()));
        if !is_known {
            return Err(unknown_in_file(known, &origin, leaf(&[&section], &names)));
        }
        let Value::Dict(_, names) = names else {
            let problem = format!("found {}, expected a section", shown(&names.to_actual()));
            let remedy = format!("Write [{section}] on a line of its own and its settings below it.");
            return Err(ConfigError::of_key(origin, section, problem, remedy));
        };
        for (name, value) in names {
            match known.get_key_value(&format!("{section}.{name}")) {
                Some((key, _)) => given.push((key.as_str(), value)),
                None => return Err(unknown_in_file(known, &origin, leaf(&[&section, &name], &value))),
            }
        }
    }
    Ok(given)
}

/// The dotted key of the first value inside, with the segments quoted that TOML wants quoted.
fn leaf(path: &[&str], value: &Value) -> String {
    let bare = |segment: &str| segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let quoted = |segment: &&str| if bare(segment) { segment.to_string() } else { format!("{segment:?}") };
    let mut segments: Vec<String> = path.iter().map(quoted).collect();
    let mut inner = value;
    while let Some((name, value)) = inner.as_dict().and_then(|dict| dict.iter().next()) {
        segments.push(quoted(&name.as_str()));
        inner = value;
    }
    segments.join(".")
}

fn unknown_in_file(known: &BTreeMap<String, Value>, origin: &str, key: String) -> ConfigError {
    let near = nearest(&key, known.keys().map(String::as_str)).join(" or ");
    let remedy = if near.is_empty() {
        format!("Remove it from {origin}; `panel config show` lists every setting.")
    } else {
        format!("Did you mean {near}? Correct it in {origin}, or remove it.")
    };
    ConfigError::of_key(origin, key, "is not a setting", remedy)
}

/// What the environment sets: key, variable, value.
fn from_environment(
    known: &BTreeMap<String, Value>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<(&str, String, Value)>, ConfigError> {
    let variables: BTreeMap<String, (&str, &Value)> =
        known.iter().map(|(key, default)| (variable_of(key), (key.as_str(), default))).collect();
    let set: BTreeMap<String, String> = environment.into_iter().filter(|(name, _)| is_setting(name)).collect();
    set.into_iter()
        .map(|(name, text)| match variables.get(&name) {
            Some((key, default)) => Ok((*key, name, typed(default, text))),
            None => Err(unknown_variable(known, &name)),
        })
        .collect()
}

/// The text as a value of the kind that its setting has, so that a path of digits stays a path. What does not fit stays
/// text, and the setting's own type refuses it with the right words.
fn typed(default: &Value, text: String) -> Value {
    match default {
        Value::Num(..) => text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        Value::Bool(..) => text.trim().parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        Value::Array(..) if text.trim().is_empty() => Value::from(Vec::<String>::new()),
        Value::Array(..) => Value::from(text.split(',').map(str::trim).collect::<Vec<_>>()),
        _ => Value::from(text),
    }
}

fn unknown_variable(known: &BTreeMap<String, Value>, name: &str) -> ConfigError {
    let key = name.strip_prefix("PANEL_").unwrap_or(name).replace("__", ".").to_lowercase();
    let near: Vec<String> = nearest(&key, known.keys().map(String::as_str)).into_iter().map(variable_of).collect();
    let remedy = if near.is_empty() {
        format!("Unset {}; `panel config show` lists every setting.", name.escape_debug())
    } else {
        format!("Did you mean {}? Rename it, or unset it.", near.join(" or "))
    };
    ConfigError::of_key(name.escape_debug().to_string(), key.escape_debug().to_string(), "is not a setting", remedy)
}

fn refuse(known: &BTreeMap<String, Value>, key: &str, origin: Option<&Origin>, problem: String) -> ConfigError {
    let default = known.get(key).and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default();
    let default = if default.is_null() { "not set".to_owned() } else { toml(&default) };
    let origin = origin.unwrap_or(&Origin::Default);
    let remedy = match origin {
        Origin::Variable(name) => format!("Correct {name}, or unset it (the default is: {default})."),
        Origin::File(_) => format!("Correct it in {origin}, or remove the line (the default is: {default})."),
        Origin::Default => "Set it in panel.toml or in the environment.".to_owned(),
    };
    ConfigError::of_key(origin.to_string(), key, problem, remedy)
}

fn problem(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("found {}, expected {expected}", shown(found))
        }
        other => other.to_string().escape_debug().to_string(),
    }
}

/// As the operator wrote it, on one line.
fn shown(found: &Actual) -> String {
    match found {
        Actual::Str(text) => format!("{text:?}"),
        Actual::Signed(number) => number.to_string(),
        Actual::Unsigned(number) => number.to_string(),
        Actual::Float(number) => number.to_string(),
        Actual::Bool(flag) => flag.to_string(),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a section".to_owned(),
        other => other.to_string().escape_debug().to_string(),
    }
}

/// JSON's texts, numbers and flags are TOML's; control characters, where they differ, are refused in every setting.
fn toml(value: &serde_json::Value) -> String {
    match value.as_array() {
        Some(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        None => value.to_string(),
    }
}
