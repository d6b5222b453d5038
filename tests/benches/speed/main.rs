//! What the panel does against its limits and its peer, on this machine, in one run. `tests/benches/run` starts it.
//!
//! Servers and load share the machine's cores. Every round measures everything once, so that noise hits all; the table has
//! the medians of the rounds. A failed request ends the run.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]
#![expect(
    clippy::disallowed_types,
    reason = "fills databases past the store, and is held against the engine without it"
)]
#![expect(clippy::disallowed_methods, reason = "clients that wait for their turn sleep")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures are its output")]
#![expect(clippy::float_arithmetic, reason = "statistics are not money")]

mod client;
mod limits;
mod load;
mod machine;
mod ours;
mod peers;
mod picture;
mod rounds;
mod seed;
mod series;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use mimalloc::MiMalloc;

use self::client::Connection;
use self::load::Target;
use self::ours::{House, Panel, Process, free_address};
use self::peers::{Datasette, Pocketbase};
use self::rounds::{Field, Part};
use self::series::Series;

/// The limits have what the panel has.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Subscribers of the databases but the large one.
const FEW: u32 = 10_000;
const MIDDLE: u32 = 100_000;

/// Rows of the request log that are there before.
const LOGGED: u32 = 2_000_000;

/// Room for a subscriber in the large database, and for all else, with the logs of the rounds.
const BYTES_A_SUBSCRIBER: u64 = 1_100;
const BYTES_OF_ALL_ELSE: u64 = 8 * 1024 * 1024 * 1024;

#[derive(Parser)]
struct Options {
    /// The pocketbase binary.
    #[arg(long, requires = "datasette")]
    pocketbase: Option<PathBuf>,
    /// The folder that Datasette is installed in.
    #[arg(long, requires = "pocketbase")]
    datasette: Option<PathBuf>,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each figure is measured in each round.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Subscribers of the large database.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    many: u32,
    /// Where the databases are made; a disk, not memory.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,
    /// Where speed.md and speed.svg are written.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/benches"))]
    out: PathBuf,
    /// Write all figures of all rounds here, too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure only this, may be repeated; speed.md and speed.svg are not written then.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Leave the large database for the next run.
    #[arg(long)]
    keep: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn parts(&self) -> &[Part] {
        if self.only.is_empty() { Part::value_variants() } else { &self.only }
    }
}

/// The folder of this run; what is in it is deleted in the end.
struct Scratch {
    path: PathBuf,
    many: PathBuf,
    keep: bool,
}

impl Scratch {
    fn make(options: &Options) -> Self {
        fs::create_dir_all(&options.dir).unwrap();
        let below = fs::canonicalize(&options.dir).unwrap();
        let (path, many) = (below.join("panel-speed"), below.join(format!("panel-speed-{}", options.many)));
        drop(fs::remove_dir_all(&path));
        let is_growing = options.parts().contains(&Part::Growth);
        let of_many = if many.exists() || !is_growing { 0 } else { u64::from(options.many) * BYTES_A_SUBSCRIBER };
        machine::check(&below, BYTES_OF_ALL_ELSE + of_many);
        fs::create_dir_all(&path).unwrap();
        Self { path, many, keep: options.keep }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
        if !self.keep {
            drop(fs::remove_dir_all(&self.many));
        }
    }
}

/// Makes the databases and starts every server.
fn prepare(scratch: &Scratch, options: &Options, pocketbase: &Pocketbase, datasette: &Datasette) -> Field {
    let folder = &scratch.path;
    let seeded = |name: &str, path: &Path, rows: u32| -> House {
        let began = Instant::now();
        let house = seed::house(path, rows);
        eprintln!("{name}: {rows} subscribers, {} s", began.elapsed().as_secs());
        house
    };
    let is_growing = options.parts().contains(&Part::Growth);
    let many = is_growing.then(|| (seeded("the large database", &scratch.many, options.many), options.many));
    let small = seeded("the small database", &folder.join("small"), FEW);
    let middle = seeded("the database", &folder.join("middle"), MIDDLE);
    let busy = seeded("the one that grows", &folder.join("busy"), MIDDLE);
    seed::logs(&middle, LOGGED);
    let of_limit = folder.join("limit2.db");
    fs::copy(busy.database(), &of_limit).unwrap();
    let peers = [pocketbase.start(folder, &middle.database()), datasette.start(folder, &middle.database())];
    let (small, middle, busy_folder) = (small.serve(), middle.serve(), busy.folder.clone());
    let limit = start_limit(folder, &middle);
    let busy_database = busy.database();
    let busy = busy.serve();
    make_one(&busy);
    if let Some((many, _)) = &many {
        machine::warm(&many.database());
    }
    // What was made is not written back while something is measured.
    rustix::fs::sync();
    Field {
        folder: folder.clone(),
        seconds: options.seconds,
        small: (small, FEW),
        middle: (middle, MIDDLE),
        busy,
        busy_folder,
        many,
        limit,
        raw: limits::Raw::open(&of_limit, &busy_database),
        peers,
    }
}

/// This executable again, answering what the panel answered to one read.
fn start_limit(folder: &Path, panel: &Panel) -> Process {
    let target = Target { address: panel.address(), header: &panel.header };
    let mut connection = Connection::open(panel.address()).unwrap();
    let status = connection.exchange(target.request(&format!("{}4711", rounds::READ)).as_bytes()).unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&connection.answer));
    let (file, address) = (folder.join("answer"), free_address());
    fs::write(&file, &connection.answer).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("limit1").arg(&file).arg(address.to_string());
    Process::start(command, address, "/", &folder.join("said"))
}

/// One create as the measured ones are, for limit 2 to copy.
fn make_one(panel: &Panel) {
    let header = format!("{}Idempotency-Key: made0-0-0000000\r\n", panel.header);
    let body = serde_json::json!({"username": "made0-0-0000000@example.net", "service_id": 1,
                                  "full_name": "Made Customer", "phone": "+961 1 234567"});
    client::json(panel.address(), "POST", "/api/v1/external/subscribers", &header, &body);
}

fn main() {
    let words: Vec<_> = std::env::args().collect();
    if let [_, mode, answer, address] = words.as_slice()
        && mode == "limit1"
    {
        return limits::serve(Path::new(answer), address.parse().unwrap()).unwrap();
    }
    let options = Options::parse();
    let (Some(pocketbase), Some(datasette)) = (&options.pocketbase, &options.datasette) else {
        return eprintln!("speed: nothing is measured without the peers; tests/benches/run installs and passes them");
    };
    let (pocketbase, datasette) = (Pocketbase::at(pocketbase), Datasette::at(datasette));
    let scratch = Scratch::make(&options);
    let mut beside = machine::describe(&scratch.path);
    let (rounds, seconds) = (options.rounds, options.seconds);
    beside.push(format!("{}, {}", pocketbase.version(), datasette.version()));
    beside
        .push(format!("{rounds} rounds, {seconds} s for each figure; many: {} subscribers, few: {FEW}", options.many));
    beside.iter().for_each(|line| eprintln!("{line}"));
    let (mut field, mut series) = (prepare(&scratch, &options, &pocketbase, &datasette), Series::default());
    for round in 1..=rounds {
        field.round(round, options.parts(), &mut series);
    }
    drop(field);
    let lines = table::lines(&series);
    let text = table::text(&lines, &series, &beside);
    println!("{text}");
    if options.only.is_empty() {
        fs::write(options.out.join("speed.md"), &text).unwrap();
        fs::write(options.out.join("speed.svg"), picture::draw(&lines, &beside)).unwrap();
    }
    if let Some(path) = &options.json {
        fs::write(path, table::json(&lines, &series, &beside).to_string()).unwrap();
    }
}
