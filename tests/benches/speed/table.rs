//! The table: each figure against what it must be and what is wished for.

use serde_json::{Value, json};

use crate::series::{Series, figure_text};

/// On which side of the bounds a figure should be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    AtLeast,
    AtMost,
}

impl Wish {
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
        }
    }
}

struct Row {
    what: &'static str,
    of: &'static str,
    /// What it is divided by.
    to: Option<&'static str>,
    unit: &'static str,
    wish: Wish,
    must: f64,
    goal: f64,
}

const fn row(what: &'static str, of: &'static str, to: &'static str, wish: Wish, [must, goal]: [f64; 2]) -> Row {
    Row { what, of, to: Some(to), unit: "", wish, must, goal }
}

const fn plain(what: &'static str, of: &'static str, unit: &'static str, [must, goal]: [f64; 2]) -> Row {
    Row { what, of, to: None, unit, wish: AtMost, must, goal }
}

use Wish::{AtLeast, AtMost};

const ROWS: [Row; 13] = [
    row("read by id : limit 1", "read", "read, limit 1", AtLeast, [0.55, 0.7]),
    row("read by id : PocketBase", "read", "read, PocketBase", AtLeast, [11.0, 15.0]),
    row("durable create : limit 2", "create", "create, limit 2", AtLeast, [0.5, 0.7]),
    row("durable create : PocketBase", "create", "create, PocketBase", AtLeast, [5.0, 8.0]),
    row("list, with total : PocketBase", "list with total", "list with total, PocketBase", AtLeast, [8.0, 15.0]),
    row("list, without total : PocketBase", "list", "list, PocketBase", AtLeast, [8.0, 15.0]),
    row("read by id, many rows : few rows", "read of many", "read of few", AtLeast, [0.85, 0.95]),
    row(
        "p99, 500 reads/s beside creates and backup : alone",
        "p99 of 500 reads/s beside creates and backups ms",
        "p99 of 500 reads/s ms",
        AtMost,
        [3.0, 1.5],
    ),
    row("p99 of creates : commit of one row", "create p99 ms", "commit of one row ms", AtMost, [40.0, 15.0]),
    row(
        "p99, 2 000 reads/s (hey) : limit 1",
        "p99 of 2 000 reads/s ms",
        "p99 of 2 000 reads/s, limit 1 ms",
        AtMost,
        [3.0, 1.5],
    ),
    row(
        "p99, 2 000 reads/s (own clients) : limit 1",
        "p99 of 2 000 reads/s, own clients ms",
        "p99 of 2 000 reads/s, own clients, limit 1 ms",
        AtMost,
        [3.0, 1.5],
    ),
    plain("memory under that load (RssAnon)", "RssAnon MiB", "MiB", [48.0, 24.0]),
    plain("start to the first healthy answer, many rows", "start s", "s", [0.3, 0.1]),
];

/// Below this share of stored log rows reads are worth nothing.
const LOGGED_PERCENT: f64 = 99.0;

/// A row with its figures.
pub struct Line {
    pub what: &'static str,
    /// Medians of both sides, in words.
    sides: String,
    pub value: f64,
    pub unit: &'static str,
    pub wish: Wish,
    pub must: f64,
    pub goal: f64,
    pub verdict: &'static str,
}

impl Line {
    /// How many times better than it must be.
    pub fn score(&self, value: f64) -> f64 {
        match self.wish {
            AtLeast => value / self.must,
            AtMost => self.must / value,
        }
    }

    pub fn text(&self) -> String {
        format!("{} {}", figure_text(self.value), self.unit).trim_end().to_owned()
    }

    pub fn bounds(&self) -> [String; 2] {
        [self.must, self.goal].map(|bound| format!("{} {bound}", self.wish.sign()))
    }
}

pub fn lines(series: &Series) -> Vec<Line> {
    ROWS.iter()
        .filter(|row| !series.of(row.of).is_empty())
        .map(|row| {
            let side = |name: &str| figure_text(series.median(name));
            let (value, sides) = match row.to {
                Some(to) => (series.ratio(row.of, to), format!("{} : {}", side(row.of), side(to))),
                None => (series.median(row.of), String::new()),
            };
            let (what, unit, wish, must, goal) = (row.what, row.unit, row.wish, row.must, row.goal);
            let mut line = Line { what, sides, value, unit, wish, must, goal, verdict: "" };
            let is_logged = row.of != "read" || series.least("read logged %") >= LOGGED_PERCENT;
            line.verdict = match line.score(value) {
                _ if !is_logged => "log rows lost",
                score if score < 1.0 => "missed",
                score if score < line.score(goal) => "must",
                _ => "goal",
            };
            line
        })
        .collect()
}

/// As Markdown, with what belongs to it.
pub fn text(lines: &[Line], series: &Series, beside: &[String]) -> String {
    let mut text = String::new();
    let mut say = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    say("| what | figure | must | goal | reached | medians of both sides |");
    say("|---|---|---|---|---|---|");
    for line in lines {
        let [must, goal] = line.bounds();
        say(&format!("| {} | {} | {must} | {goal} | {} | {} |", line.what, line.text(), line.verdict, line.sides));
    }
    say("");
    let mut told = |what: &str, figure: f64, unit: &str| {
        if figure.is_finite() {
            say(&format!("- {what}: {}{unit}", figure_text(figure)));
        }
    };
    told("log rows stored of the reads, at least", series.least("read logged %"), " %");
    told("creates in a commit", series.median("creates in a commit"), "");
    told("commit of one row", series.median("commit of one row ms"), " ms");
    told("RssAnon of PocketBase under the same load", series.median("RssAnon, PocketBase MiB"), " MiB");
    told("RssAnon after the peaks", series.median("RssAnon before MiB"), " MiB");
    told("RssAnon of PocketBase after the peaks", series.median("RssAnon before, PocketBase MiB"), " MiB");
    told("p99 of PocketBase at 2 000 reads/s (hey)", series.median("p99 of 2 000 reads/s, PocketBase ms"), " ms");
    told("read by id : Datasette", series.ratio("read", "read, Datasette"), "");
    told("create : Datasette", series.ratio("create", "create, Datasette"), "");
    told("list, without total : Datasette", series.ratio("list", "list, Datasette"), "");
    told("list, with total : Datasette", series.ratio("list with total", "list with total, Datasette"), "");
    told(
        "p99 of limit 1 under its peak, which is what the two cores leave",
        series.median("read p99, limit 1 ms"),
        " ms",
    );
    let each = |of: &str, to: &str| series.ratios(of, to).into_iter().map(figure_text).collect::<Vec<_>>().join(", ");
    say(&format!("- read by id : limit 1 in each round: {}", each("read", "read, limit 1")));
    say(&format!("- durable create : limit 2 in each round: {}", each("create", "create, limit 2")));
    beside.iter().for_each(|line| say(&format!("- {line}")));
    text
}

/// For comparing one run with another.
pub fn json(lines: &[Line], series: &Series, beside: &[String]) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            json!({"what": line.what, "value": line.value, "unit": line.unit, "must": line.must, "goal": line.goal,
                   "reached": line.verdict})
        })
        .collect();
    json!({"rows": lines, "rounds": series.json(), "machine": beside})
}
