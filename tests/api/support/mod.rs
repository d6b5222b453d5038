//! A server of each test's own, started as `panel serve` starts it, and the one way to call it.

mod answer;
pub mod document;
mod golden;
mod people;
mod raw;
mod request;
mod rows;
mod said;
mod secrets;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use panel::app::{App, Clock};
use panel::config::{Config, Listen, Synchronous};
use panel::domain::time::Timestamp;
use panel::http;
use panel::running::Running;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub use answer::Answer;
pub use golden::golden;
pub use people::{ADMIN_LOGIN, LOGIN, PASSWORD, prefix};
pub use raw::Connection;
pub use request::{Key, Request};
pub use rows::NewKey;
pub use secrets::Secrets;

pub const SUBSCRIBERS: &str = "/api/v1/external/subscribers";
pub const HEALTH: &str = "/api/v1/external/system/health";

/// Longer than anything here may take, so that a hang is a failure and not a wait.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a server is started with.
pub struct Plan {
    config: Config,
    clock: Clock,
    jobs: bool,
}

impl Plan {
    /// Limits are off: only the tests that are about them want them.
    pub fn new() -> Self {
        let mut config = Config::default();
        config.server.listen = vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))];
        config.server.workers = 2;
        config.metrics.listen = None;
        config.limits.per_ip_per_minute = 0;
        config.limits.per_key_per_minute = 0;
        config.limits.failures_per_minute = 0;
        config.limits.login_per_minute = 0;
        // No test cuts the power, and a sync for each commit is most of the suite's time.
        config.database.synchronous = Synchronous::Normal;
        Self { config, clock: Clock::default(), jobs: true }
    }

    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// With the listener for monitoring, on a port that the system chooses.
    pub fn with_metrics(self) -> Self {
        self.config(|config| config.metrics.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0))))
    }

    /// Time stands still at this instant until the test moves it.
    pub fn at(mut self, instant: &str) -> Self {
        self.clock = Clock::standing_at(instant_of(instant));
        self
    }

    pub fn without_jobs(mut self) -> Self {
        self.jobs = false;
        self
    }

    pub async fn spawn(self) -> TestApp {
        TestApp::start(self).await
    }
}

pub fn instant_of(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap_or_else(|| panic!("{text} is no instant"))
}

/// What the server's thread hands over once it listens.
struct Started {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    panel: Arc<App>,
}

pub struct TestApp {
    pub address: SocketAddr,
    /// Where the metrics are, if the plan says so.
    pub metrics: Option<SocketAddr>,
    /// The application behind the server, for what a test prepares through actions.
    pub panel: Arc<App>,
    clock: Clock,
    config: Config,
    jobs: bool,
    client: reqwest::Client,
    database: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    folder: Option<TempDir>,
    /// What must not turn up in the log or in a file.
    pub secrets: Arc<Secrets>,
    /// Where in the log this server's lines begin.
    said: usize,
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestApp at {}", self.address)
    }
}

impl TestApp {
    pub async fn spawn() -> Self {
        Plan::new().spawn().await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Plan::new().config(change).spawn().await
    }

    pub async fn at(instant: &str) -> Self {
        Plan::new().at(instant).spawn().await
    }

    /// Stops the server and starts it again on the same folder, with the same settings and at the same instant.
    pub async fn restart(mut self) -> Self {
        self.stop();
        let folder = self.folder.take().unwrap();
        let plan = Plan { config: self.config.clone(), clock: self.clock.clone(), jobs: self.jobs };
        let secrets = Arc::clone(&self.secrets);
        drop(self);
        Self::start_in(plan, folder, secrets).await
    }

    /// The same, now with what runs by the clock.
    pub async fn restart_with_jobs(mut self) -> Self {
        self.jobs = true;
        self.restart().await
    }

    async fn start(plan: Plan) -> Self {
        Self::start_in(plan, TempDir::new().unwrap(), Arc::default()).await
    }

    async fn start_in(plan: Plan, folder: TempDir, secrets: Arc<Secrets>) -> Self {
        let said = said::listen();
        let database = folder.path().join("panel.db");
        let Plan { mut config, clock, jobs } = plan;
        config.database.path.clone_from(&database);
        let settings = config.clone();
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = channel();
        let of_server = clock.clone();
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || serve(config, of_server, jobs, &ready, stopped))
            .unwrap();
        let Started { address, metrics, panel } =
            tokio::task::spawn_blocking(move || started.recv_timeout(PATIENCE).expect("the server did not start"))
                .await
                .unwrap();
        // A proxy of the machine's environment must not stand between.
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            address,
            metrics,
            panel,
            clock,
            config: settings,
            jobs,
            client,
            database,
            stop: Some(stop),
            thread: Some(thread),
            folder: Some(folder),
            secrets,
            said,
        }
    }

    pub fn move_clock(&self, to: Timestamp) {
        self.clock.move_to(to);
    }

    pub fn move_to(&self, instant: &str) {
        self.clock.move_to(instant_of(instant));
    }

    /// Stops the server in its own order; the database can still be looked into.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server's thread panicked");
        }
    }

    /// Every call goes through here, and every answer is held to what the contract says of all of them.
    pub async fn call(&self, request: Request) -> Answer {
        request.note_secrets(&self.secrets);
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap();
        let mut builder = self.client.request(method, format!("http://{}{}", self.address, request.target));
        for (name, value) in &request.headers {
            builder = builder.header(name, value.as_slice());
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let response = builder.send().await.unwrap_or_else(|e| panic!("{request}: no answer: {e:?}"));
        let status = response.status().as_u16();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        let body = response.bytes().await.unwrap_or_else(|e| panic!("{request}: a broken body: {e:?}"));
        let answer = Answer::checked(&request, status, headers, &body);
        answer.note_secrets(&self.secrets);
        answer
    }

    /// What was logged since this server started.
    pub fn said(&self) -> Vec<String> {
        said::since(self.said)
    }

    /// No secret of the test is logged or kept anywhere but where it belongs.
    fn check_secrets(&self) {
        let lines = self.said().concat();
        let mut files = if self.folder.is_some() { self.files() } else { Vec::new() };
        // The one file that holds what it is there to hold.
        let key_file = files.extract_if(.., |(name, _)| name == "panel.key").next();
        let digits = key_file.as_ref().and_then(|(_, line)| line.strip_prefix(b"panel-key-v1 "));
        self.secrets.note(std::str::from_utf8(digits.unwrap_or_default()).unwrap().trim_end());
        // Of a write-ahead log it holds where what is, not what.
        files.retain(|(name, _)| !name.ends_with("-shm"));
        let files = files.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice()));
        let found = self.secrets.found_in(files.chain([("the log".to_owned(), lines.as_bytes())]));
        assert!(found.is_empty(), "secrets are kept or said:\n{}", found.join("\n"));
    }

    /// Every file of the database's folder and of those in it, whole: backups too.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.as_ref().unwrap().path().to_owned()];
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
            // What a thread that ends late folds into the main file meanwhile is found in one of the two.
            entries.sort_by_key(|entry| !entry.file_name().to_string_lossy().ends_with("-wal"));
            for entry in entries {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    match std::fs::read(entry.path()) {
                        Ok(bytes) => files.push((name, bytes)),
                        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}"),
                    }
                }
            }
        }
        files
    }

    pub async fn get(&self, target: &str, key: &Key) -> Answer {
        self.call(Request::new("GET", target).key(key)).await
    }

    pub async fn post(&self, target: &str, key: &Key, body: Value) -> Answer {
        self.call(Request::new("POST", target).key(key).json(&body)).await
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address, Arc::clone(&self.secrets))
    }

    /// Asks until the answer is yes.
    pub async fn eventually(&self, what: &str, within: Duration, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < within, "{what}: not so after {within:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop();
        if !std::thread::panicking() {
            self.check_secrets();
        }
    }
}

/// What `panel serve` does between its first line and its last.
fn serve(config: Config, clock: Clock, with_jobs: bool, ready: &Sender<Started>, stopped: oneshot::Receiver<()>) {
    let running = Running::begin(App::open(config, clock).unwrap(), with_jobs).unwrap();
    let state = running.state.clone();
    let panel = Arc::clone(&state.app);
    actix_web::rt::System::new().block_on(async {
        let serving = http::start(state.clone(), None).unwrap();
        let (handle, metrics) = (serving.handle(), serving.metrics);
        let Some(Listen::Tcp(address)) = serving.addresses.first().cloned() else { panic!("no TCP address") };
        actix_web::rt::spawn(async move {
            // The other end is dropped, never sent.
            drop(stopped.await);
            handle.stop(false).await;
        });
        // The test may have given up meanwhile.
        drop(ready.send(Started { address, metrics, panel }));
        serving.run().await.unwrap();
    });
    drop(state);
    running.end();
}
