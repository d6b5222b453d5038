//! One round: everything that is measured, once, ours and what it is held against right after each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::ValueEnum;

use crate::limits::{self, Raw};
use crate::load::{self, Rate, Target};
use crate::ours::{self, House, Panel, Process};
use crate::peers::{Peer, Pocketbase};
use crate::seed::SERVICES;
use crate::series::Series;

pub const READ: &str = "/api/v1/external/subscribers/";
const SUBSCRIBERS: &str = "/api/v1/external/subscribers";

/// What a create sends; NAME stands for the name.
const BODY: &str =
    r#"{"username":"NAME@example.net","service_id":1,"full_name":"Made Customer","phone":"+961 1 234567"}"#;

/// A row that is there everywhere, for what asks for one path only.
const ONE: u32 = 4711;

/// Everything that runs while rounds are measured.
pub struct Field {
    pub folder: PathBuf,
    pub seconds: u32,
    pub small: (Panel, u32),
    pub middle: (Panel, u32),
    pub busy: Panel,
    pub busy_folder: PathBuf,
    /// Made only where it is asked for.
    pub many: Option<(House, u32)>,
    pub limit: Process,
    pub raw: Raw,
    /// The first is PocketBase.
    pub peers: [Peer; 2],
}

/// A part of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Reads,
    Creates,
    Lists,
    Growth,
    Backups,
    Constant,
}

impl Field {
    pub fn round(&mut self, round: u32, parts: &[Part], series: &mut Series) {
        eprintln!("round {round}");
        for part in parts {
            match part {
                Part::Reads => self.reads(round, series),
                Part::Creates => self.creates(round, series),
                Part::Lists => self.lists(round, series),
                Part::Growth => self.growth(round, series),
                Part::Backups => self.beside_backups(round, series),
                Part::Constant => self.constant(round, series),
            }
        }
    }

    fn wrk(&self, address: SocketAddr, script: &str) -> load::Peak {
        load::wrk(address, script, &self.folder.join("wrk.lua"), self.seconds)
    }

    fn limit_target(&self) -> Target<'_> {
        // With the same headers: reading them is a part of its work.
        Target { address: self.limit.address, header: &self.middle.0.header }
    }

    fn reads(&self, round: u32, series: &mut Series) {
        let (panel, upto) = (&self.middle.0, self.middle.1);
        let ours = Target { address: panel.address(), header: &panel.header };
        let path = format!("\"{READ}\" .. id");
        for turn in alternately(2 + self.peers.len(), round) {
            let seed = u64::from(round);
            match turn {
                0 => {
                    let before = panel.logged();
                    let peak = self.wrk(ours.address, &load::gets(ours, &path, upto, seed));
                    let stored = panel.log_grows(before, peak.requests);
                    series.add("read", peak.per_second);
                    // Answers that wrk did not wait for have rows too.
                    series.add("read logged %", (stored as f64 / peak.requests as f64 * 100.0).min(100.0));
                }
                1 => {
                    let limit = self.limit_target();
                    let peak = self.wrk(limit.address, &load::gets(limit, &path, upto, seed));
                    series.add("read, limit 1", peak.per_second);
                    series.add("read p99, limit 1 ms", peak.p99_ms);
                }
                _ => {
                    let peer = &self.peers[turn - 2];
                    let peak = self.wrk(peer.process.address, &load::gets(peer.target(), &peer.read, upto, seed));
                    series.add(peer.names.read, peak.per_second);
                }
            }
        }
    }

    fn creates(&mut self, round: u32, series: &mut Series) {
        let lasting = Duration::from_secs(self.seconds.into());
        for turn in alternately(1 + self.peers.len(), round) {
            if turn == 0 {
                let ours = Target { address: self.busy.address(), header: &self.busy.header };
                let [groups, jobs] = ["panel_writer_batch_size_count", "panel_writer_batch_size_sum"];
                let before = [groups, jobs].map(|name| self.busy.metric(name));
                let peak = self.wrk(ours.address, &load::posts(ours, SUBSCRIBERS, BODY, round));
                let mean = (self.busy.metric(jobs) - before[1]) / (self.busy.metric(groups) - before[0]);
                series.add("create", peak.per_second);
                series.add("create p99 ms", peak.p99_ms);
                series.add("creates in a commit", mean);
                self.busy.settles();
                // Needs the group size of this very round.
                series.add("create, limit 2", self.raw.creates(mean, lasting));
                let commits = self.folder.join("commits.db");
                series.add("commit of one row ms", limits::commit_ms(&commits, lasting.min(Duration::from_secs(2))));
            } else {
                let peer = &self.peers[turn - 1];
                let script = load::posts(peer.target(), &peer.create, peer.body, round);
                series.add(peer.names.create, self.wrk(peer.process.address, &script).per_second);
            }
        }
    }

    fn lists(&self, round: u32, series: &mut Series) {
        let panel = &self.middle.0;
        let ours = Target { address: panel.address(), header: &panel.header };
        let path = |rest: &str| format!("\"{SUBSCRIBERS}?service_id=\" .. id .. \"&limit=20{rest}\"");
        let mut lists = vec![("list with total", ours, path("")), ("list", ours, path("&cursor=0"))];
        for peer in &self.peers {
            lists.push((peer.names.total, peer.target(), peer.total.clone()));
            lists.push((peer.names.list, peer.target(), peer.list.clone()));
        }
        for turn in alternately(lists.len(), round) {
            let (name, target, path) = &lists[turn];
            let script = load::gets(*target, path, SERVICES, u64::from(round));
            let before = panel.logged();
            let peak = self.wrk(target.address, &script);
            series.add(name, peak.per_second);
            if target.address == ours.address {
                // Its log is written before the next one is measured.
                panel.log_grows(before, peak.requests);
            }
        }
    }

    /// The large database and the small one, and how long the large one takes to start.
    fn growth(&self, round: u32, series: &mut Series) {
        let Some((many, upto)) = &self.many else { return };
        let large = many.serve();
        series.add("start s", large.process.took.as_secs_f64());
        let sides = [("read of many", &large, *upto), ("read of few", &self.small.0, self.small.1)];
        for turn in alternately(2, round) {
            let (name, panel, upto) = sides[turn];
            let target = Target { address: panel.address(), header: &panel.header };
            let script = load::gets(target, &format!("\"{READ}\" .. id"), upto, u64::from(round));
            let before = panel.logged();
            let peak = self.wrk(target.address, &script);
            series.add(name, peak.per_second);
            panel.log_grows(before, peak.requests);
        }
        large.process.stop();
    }

    /// Reads at a rate alone, and the same while others create and backups are made.
    fn beside_backups(&self, round: u32, series: &mut Series) {
        let lasting = Duration::from_secs(self.seconds.into());
        let panel = &self.busy;
        let target = Target { address: panel.address(), header: &panel.header };
        let upto = u64::from(self.middle.1);
        let reads = Rate { per_second: 500, lasting, status: 200 };
        let read = |number: u64| target.request(&format!("{READ}{}", 1 + spread(number) % upto));
        series.add("p99 of 500 reads/s ms", load::constant(target.address, reads, read));
        let create = |number: u64| {
            let name = format!("beside{round}-{number:07}");
            let body = BODY.replace("NAME", &name);
            let head = format!("POST {SUBSCRIBERS} HTTP/1.1\r\nHost: {}\r\n{}", target.address, target.header);
            let length = body.len();
            format!(
                "{head}Content-Type: application/json\r\nIdempotency-Key: {name}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        };
        let done = AtomicBool::new(false);
        let (from, to) = (self.busy_folder.as_path(), self.folder.join("backup.db"));
        let to = to.as_path();
        let (p99, backups) = std::thread::scope(|scope| {
            let backups = scope.spawn(|| back_up_until(&done, from, to));
            let creates = Rate { per_second: 500, lasting, status: 201 };
            let creates = scope.spawn(move || load::constant(target.address, creates, create));
            let p99 = load::constant(target.address, reads, read);
            creates.join().unwrap();
            done.store(true, Ordering::Relaxed);
            (p99, backups.join().unwrap())
        });
        series.add("p99 of 500 reads/s beside creates and backups ms", p99);
        series.add("backups meanwhile", f64::from(backups));
        panel.settles();
    }

    /// 2 000 reads a second, and what the servers hold in memory meanwhile: new processes, which had no peak before.
    fn constant(&mut self, round: u32, series: &mut Series) {
        const PER_SECOND: u32 = 2_000;
        series.add("RssAnon before MiB", self.middle.0.process.rss_anon_mib());
        series.add("RssAnon before, PocketBase MiB", self.peers[0].process.rss_anon_mib());
        self.middle.0.process.restart();
        self.peers[0].process.restart();
        self.limit.restart();
        let (panel, upto) = (&self.middle.0, u64::from(self.middle.1));
        let sides = [
            ("p99 of 2 000 reads/s ms", "p99 of 2 000 reads/s, own clients ms", panel.address()),
            ("p99 of 2 000 reads/s, limit 1 ms", "p99 of 2 000 reads/s, own clients, limit 1 ms", self.limit.address),
        ];
        for turn in alternately(2, round) {
            let (by_hey, by_own, address) = sides[turn];
            let target = Target { address, header: &panel.header };
            let p99 = load::hey(target, &format!("{READ}{ONE}"), PER_SECOND, self.seconds);
            series.add(by_hey, p99.unwrap_or_else(|| panic!("{address} did not reach {PER_SECOND} reads a second")));
            let rate = Rate { per_second: PER_SECOND, lasting: Duration::from_secs(self.seconds.into()), status: 200 };
            let read = |number: u64| target.request(&format!("{READ}{}", 1 + spread(number) % upto));
            series.add(by_own, load::constant(address, rate, read));
            if turn == 0 {
                series.add("RssAnon MiB", panel.process.rss_anon_mib());
            }
        }
        let peer = &self.peers[0];
        match load::hey(peer.target(), &Pocketbase::record(ONE), PER_SECOND, self.seconds) {
            Some(p99) => series.add("p99 of 2 000 reads/s, PocketBase ms", p99),
            None => eprintln!("  PocketBase did not reach {PER_SECOND} reads a second"),
        }
        series.add("RssAnon, PocketBase MiB", peer.process.rss_anon_mib());
    }
}

/// `panel backup` again and again; how often.
fn back_up_until(done: &AtomicBool, from: &Path, to: &Path) -> u32 {
    let mut made = 0;
    while !done.load(Ordering::Relaxed) {
        ours::run(from, &["backup", &to.to_string_lossy()]);
        std::fs::remove_file(to).unwrap();
        made += 1;
    }
    made
}

/// Who comes first changes with the round.
fn alternately(sides: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<_> = (0..sides).collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

/// Numbers that stand nowhere near each other.
fn spread(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1
}
