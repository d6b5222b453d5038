//! Backups: what is known of one, what its file is called, when the next is due and which are kept (contract: cli.md).

use chrono_tz::Tz;

use super::time::{Date, Timestamp};

/// How a copy is called that is on its way.
pub const PART: &str = ".part";

/// How a copy is called that was made to give an unsealed one a seal.
pub const RESEALED: &str = ".resealed";

/// How a database is called that a restore put aside, up to the time.
pub fn replaced_prefix(stem: &str) -> String {
    format!("{stem}-replaced-")
}

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asked for it.
    Manual,
    /// By the clock; only these are deleted when newer ones have taken their place.
    Scheduled,
    /// Before the schema was changed.
    Migration,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Manual, Kind::Scheduled, Kind::Migration];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Manual => "manual",
            Kind::Scheduled => "scheduled",
            Kind::Migration => "migration",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub id: i64,
    /// Whatever was acknowledged before this instant is in it.
    pub taken_at: Timestamp,
    pub kind: Kind,
    pub path: String,
    pub bytes: i64,
    /// Of the whole file but its last line.
    pub sha256: [u8; 32],
    /// When it was last restored to a scratch place and found whole.
    pub verified_at: Option<Timestamp>,
}

/// What a new backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackup {
    pub taken_at: Timestamp,
    pub kind: Kind,
    pub path: String,
    pub bytes: i64,
    pub sha256: [u8; 32],
}

/// `panel-20261122T033000.000Z.db`; the stem is the database's.
pub fn file_name(stem: &str, kind: Kind, taken_at: Timestamp) -> String {
    format!("{}{}.db", prefix(stem, kind), taken_at.compact())
}

fn prefix(stem: &str, kind: Kind) -> String {
    match kind {
        Kind::Manual => format!("{stem}-"),
        Kind::Scheduled | Kind::Migration => format!("{stem}-{}-", kind.as_str()),
    }
}

/// Of the backups by the clock, the latest first, those that as many whole ones have taken the place of as are kept. What only
/// bears such a name is not among them: another panel may use the same folder.
pub fn superseded(scheduled: &[Backup], keep: usize) -> Vec<&Backup> {
    let mut whole = 0;
    let is_superseded = |backup: &&Backup| {
        let superseded = whole >= keep;
        whole += usize::from(backup.verified_at.is_some());
        superseded
    };
    scheduled.iter().filter(is_superseded).collect()
}

/// Of the names in a folder those that a backup without a name of its own has on its way, or left there when it was cut short.
pub fn on_their_way(stem: &str, mut names: Vec<String>) -> Vec<String> {
    let of_part = |name: &str| name.strip_prefix('.').and_then(|rest| rest.strip_suffix(PART)).map(str::to_owned);
    names.retain(|name| of_part(name).is_some_and(|name| Kind::ALL.iter().any(|kind| is_named(stem, *kind, &name))));
    names
}

/// Somebody else's file must not go because its name begins alike.
fn is_named(stem: &str, kind: Kind, name: &str) -> bool {
    let is_stamp = |text: &str| {
        text.len() == 20
            && text.bytes().enumerate().all(|(place, byte)| match place {
                8 => byte == b'T',
                15 => byte == b'.',
                19 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
    };
    name.strip_prefix(&prefix(stem, kind)).and_then(|rest| rest.strip_suffix(".db")).is_some_and(is_stamp)
}

/// The last instant at or before `now` at which a daily backup was due, by the clock of a zone.
pub fn latest_slot(now: Timestamp, minutes: u32, zone: Tz) -> Timestamp {
    let today = now.date_in(zone);
    let slot = today.time_in(zone, minutes);
    if slot <= now {
        return slot;
    }
    Date::from_days(today.days() - 1).map_or(slot, |yesterday| yesterday.time_in(zone, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn as_many_whole_ones_are_kept_as_the_settings_say_and_what_lies_between_them() {
        let backup = |id: i64, whole: bool| Backup {
            id,
            // Clocks go back: the order is that of making.
            taken_at: Timestamp(-id),
            kind: Kind::Scheduled,
            path: id.to_string(),
            bytes: 1,
            sha256: [0; 32],
            verified_at: whole.then_some(Timestamp(1)),
        };
        let all =
            [backup(6, true), backup(5, false), backup(4, true), backup(3, false), backup(2, true), backup(1, false)];
        let ids = |keep: usize| superseded(&all, keep).iter().map(|backup| backup.id).collect::<Vec<_>>();
        assert_eq!(ids(4), Vec::<i64>::new());
        assert_eq!(ids(3), [1]);
        assert_eq!(ids(2), [3, 2, 1]);
        assert_eq!(ids(1), [5, 4, 3, 2, 1]);
        assert_eq!(superseded(&[backup(1, false), backup(2, false)], 1).len(), 0, "the last resort stays");
    }

    #[test]
    fn only_what_bears_our_name_is_swept_away() {
        let names = [
            ".panel-scheduled-20250101T033000.000Z.db.part",
            ".panel-20250101T033000.000Z.db.part",
            ".panel-migration-20250101T033000.000Z.db.part",
            ".panel2-scheduled-20250101T033000.000Z.db.part",
            ".panel-scheduled-20250101X033000.000Z.db.part",
            ".panel-scheduled-important.db.part",
            "panel-scheduled-20250101T033000.000Z.db",
            ".x.db.part",
        ];
        assert_eq!(on_their_way("panel", names.map(str::to_owned).to_vec()), names[..3]);
    }

    #[test]
    fn a_slot_is_by_the_clock_on_the_wall_also_where_that_hour_is_skipped_or_comes_twice() {
        let half_past_three = 3 * 60 + 30;
        for (now, zone, slot) in [
            ("2026-11-22T03:29:59Z", Tz::UTC, "2026-11-21T03:30:00Z"),
            ("2026-11-22T03:30:00Z", Tz::UTC, "2026-11-22T03:30:00Z"),
            ("2026-11-22T01:30:00Z", Tz::Asia__Beirut, "2026-11-22T01:30:00Z"),
            ("2026-11-22T01:29:00Z", Tz::Asia__Beirut, "2026-11-21T01:30:00Z"),
        ] {
            assert_eq!(latest_slot(at(now), half_past_three, zone).rfc3339(), slot, "{now} {zone}");
        }
        // 02:30 does not exist on 2026-03-29 in Berlin, and comes twice on 2026-10-25.
        let half_past_two = 2 * 60 + 30;
        let berlin = Tz::Europe__Berlin;
        assert_eq!(latest_slot(at("2026-03-29T12:00:00Z"), half_past_two, berlin).rfc3339(), "2026-03-29T01:00:00Z");
        assert_eq!(latest_slot(at("2026-10-25T12:00:00Z"), half_past_two, berlin).rfc3339(), "2026-10-25T00:30:00Z");
        assert_eq!(latest_slot(at("1970-01-01T00:00:00Z"), half_past_two, Tz::UTC).rfc3339(), "1969-12-31T02:30:00Z");
    }
}
