//! A folder with a panel in it, and the command line there.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::types::FromSql;
use serde_json::Value;
use tempfile::TempDir;

use crate::detector::Secrets;
use crate::server::{Said, Server};

/// Far beyond what anything here takes: reaching it is the failure.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The external surface's door.
pub const SUBSCRIBERS: &str = "/api/v1/external/subscribers";

pub struct Home {
    folder: TempDir,
    /// What must not turn up in a log or a database.
    pub secrets: Arc<Secrets>,
    /// What each command and server said on stderr.
    said: Mutex<Vec<Arc<Said>>>,
}

/// What one command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Refused: exit 1, nothing on stdout, one line why and one line what to do, each saying what is expected of it.
    #[track_caller]
    pub fn refused(&self, why: &str, remedy: &str) {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!((self.code, self.stdout.as_str(), lines.len()), (1, "", 2), "{self:?}");
        assert!(lines[0].starts_with("panel: ") && lines[0].contains(why), "{why:?} is not said: {self:?}");
        assert!(lines[1].contains(remedy), "{remedy:?} is not said: {self:?}");
    }
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), secrets: Arc::default(), said: Mutex::default() }
    }

    /// With the database that the first command makes, whole in its one file.
    pub fn with_database() -> Self {
        let home = Self::new();
        home.ok(["user", "list"]);
        home.open("panel.db").query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        home
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Every file with its content, also in the folders below, to show that nothing was changed.
    pub fn contents(&self) -> Vec<(String, u32, Vec<u8>)> {
        let (mut all, mut folders) = (Vec::new(), vec![PathBuf::new()]);
        while let Some(below) = folders.pop() {
            for entry in std::fs::read_dir(self.folder().join(&below)).unwrap() {
                let entry = entry.unwrap();
                let name = below.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(name);
                } else {
                    let name = name.to_str().unwrap().to_owned();
                    all.push((name.clone(), self.mode(&name), std::fs::read(self.path(&name)).unwrap()));
                }
            }
        }
        all.sort();
        all
    }

    /// The binary here, with none of the settings of whoever runs the tests.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_panel"));
        command.args(arguments).current_dir(self.folder());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("PANEL_") || text.starts_with("WATCHDOG_") || text == "NOTIFY_SOCKET" {
                command.env_remove(name);
            }
        }
        // The figures' default port is one and the tests are many.
        command.env("PANEL_METRICS__LISTEN", "");
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.finish(self.command(arguments), "")
    }

    /// Runs a command of this home to its end. What is typed is a secret: nothing else is read from there.
    pub fn finish(&self, command: Command, typed: &str) -> Ran {
        typed.lines().for_each(|line| self.secrets.note(line));
        let ran = finish(command, typed);
        self.secrets.note_body(ran.stdout.as_bytes());
        for line in ran.stdout.lines() {
            if let Some((_, secret)) = line.split_once(": ").filter(|(name, _)| matches!(*name, "password" | "secret"))
            {
                self.secrets.note(secret);
            }
        }
        self.said.lock().unwrap().push(Arc::new(ran.stderr.clone().into()));
        ran
    }

    pub fn run_with<A: AsRef<OsStr>>(&self, settings: &[(&str, &str)], arguments: impl IntoIterator<Item = A>) -> Ran {
        let mut command = self.command(arguments);
        command.envs(settings.iter().copied());
        self.finish(command, "")
    }

    pub fn run_typing<A: AsRef<OsStr>>(&self, typed: &str, arguments: impl IntoIterator<Item = A>) -> Ran {
        self.finish(self.command(arguments), typed)
    }

    /// Runs what must succeed.
    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }

    pub fn add_user(&self, name: &str, role: &str) -> Ran {
        self.ok(["--json", "user", "add", name, "--role", role, "--email", &format!("{name}@example.com")])
    }

    /// Mints an external key of the administrator: its id and the key.
    #[track_caller]
    pub fn mint(&self, scope: &str) -> (i64, String) {
        let made = self.ok(["--json", "key", "mint", "--style", "external", "--user", "admin", "--scopes", scope]);
        let made = made.json();
        (made["id"].as_i64().unwrap(), made["key"].as_str().unwrap().to_owned())
    }

    /// Mints an external key of the administrator that works from one network only.
    #[track_caller]
    pub fn mint_from(&self, scope: &str, network: &str) -> String {
        let options = ["--style", "external", "--user", "admin", "--scopes", scope, "--allow-ip", network];
        let made = self.ok(["--json", "key", "mint"].into_iter().chain(options)).json();
        made["key"].as_str().unwrap().to_owned()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(["serve"]);
        command.env("PANEL_SERVER__LISTEN", "127.0.0.1:0").env("PANEL_SERVER__WORKERS", "2");
        // Whatever is said at all is held against the secrets in the end. A file of the test's own has the last word.
        if !self.path("panel.toml").exists() {
            command.env("PANEL_LOG__LEVEL", "trace");
        }
        command.envs(settings.iter().copied());
        self.start(command)
    }

    /// Starts a server of this home and waits until it listens.
    pub fn start(&self, command: Command) -> Server {
        let said = Arc::<Said>::default();
        self.said.lock().unwrap().push(Arc::clone(&said));
        Server::start(command, said, Arc::clone(&self.secrets))
    }

    pub fn open(&self, file: &str) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.path(file)).unwrap();
        database.busy_timeout(DEADLINE).unwrap();
        database
    }

    /// The one value that a statement gives.
    pub fn value<T: FromSql>(&self, file: &str, statement: &str) -> T {
        self.open(file).query_row(statement, [], |row| row.get(0)).unwrap()
    }

    pub fn count(&self, table: &str) -> i64 {
        self.value("panel.db", &format!("SELECT count(*) FROM {table}"))
    }

    /// The names of all files in which these bytes occur.
    pub fn files_with(&self, needle: &str) -> Vec<String> {
        let holds = |content: &[u8]| content.windows(needle.len()).any(|window| window == needle.as_bytes());
        self.contents().into_iter().filter(|(_, _, content)| holds(content)).map(|(name, _, _)| name).collect()
    }
}

impl Drop for Home {
    /// No secret of the test was said, or is kept in a database or what belongs to one.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let said = self.said.lock().unwrap().iter().map(|said| said.text()).collect::<String>();
        self.secrets.note_text(&said);
        if let Ok(line) = std::fs::read_to_string(self.path("panel.key")) {
            self.secrets.note(line.trim_end().strip_prefix("panel-key-v1 ").unwrap_or_default());
        }
        // Said to a person, once: the link where the first password is set, and what opens an exported key.
        let links = ["http", r#"{"timestamp":""#];
        let is_link = |line: &&str| line.contains("/setup/") && links.iter().any(|begin| line.starts_with(begin));
        let is_passphrase = |line: &&str| line.starts_with("Passphrase (shown this once");
        let said = said.lines().filter(|line| !is_link(line) && !is_passphrase(line)).collect::<Vec<_>>().join("\n");
        let mut files = Vec::new();
        databases(self.folder(), &mut files);
        let files = files.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice()));
        let found = self.secrets.found_in(files.chain([("stderr".to_owned(), said.as_bytes())]));
        assert!(found.is_empty(), "secrets are kept or said:\n{}", found.join("\n"));
    }
}

/// Every database below a folder, whatever its name, and every journal of one.
fn databases(folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            databases(&path, into);
        }
        let name = path.display().to_string();
        // A test may have taken its rights, or put a socket there.
        let Some(bytes) = kind.is_file().then(|| std::fs::read(&path).ok()).flatten() else { continue };
        if bytes.starts_with(b"SQLite format 3\0") || name.ends_with("-wal") || name.ends_with("-journal") {
            into.push((name, bytes));
        }
    }
}

pub fn finish(mut command: Command, typed: &str) -> Ran {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    // A command that refuses early does not read what is typed.
    drop(child.stdin.take().unwrap().write_all(typed.as_bytes()));
    let (done, outcome) = channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = outcome.recv_timeout(DEADLINE) else {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        panic!("did not end: {command:?}");
    };
    let output = output.unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
