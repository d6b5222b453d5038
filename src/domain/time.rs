//! Instants and calendar dates as values; nothing here reads the clock.

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, NaiveTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;

use super::error::Invalid;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const SECOND: i64 = 1_000;
    pub const MINUTE: i64 = 60 * Self::SECOND;
    pub const HOUR: i64 = 60 * Self::MINUTE;
    pub const DAY: i64 = 24 * Self::HOUR;

    /// The first instant of the year 0.
    pub const BEGIN: Timestamp = Timestamp(-62_167_219_200_000);

    /// The first instant of the year 10000.
    pub const END: Timestamp = Timestamp(253_402_300_800_000);

    pub fn millis(self) -> i64 {
        self.0
    }

    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// RFC 3339 in whole seconds with `Z` (contract: "Time, money, sizes").
    pub fn rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// RFC 3339 in milliseconds with `Z`, for the log.
    pub fn rfc3339_millis(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// RFC 3339 in whole seconds with the offset of a zone, how the panel surface renders an instant.
    pub fn rfc3339_in(self, zone: Tz) -> String {
        let local = self.utc().with_timezone(&zone);
        local.to_rfc3339_opts(SecondsFormat::Secs, zone == Tz::UTC)
    }

    /// UTC without separators, to the millisecond, for names of files: `20261122T033000.000Z`.
    pub fn compact(self) -> String {
        self.utc().format("%Y%m%dT%H%M%S%.3fZ").to_string()
    }

    /// An HTTP date (RFC 9110), for `Sunset`.
    pub fn http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The calendar date of this instant in a zone.
    pub fn date_in(self, zone: Tz) -> Date {
        Date(self.utc().with_timezone(&zone).date_naive())
    }

    /// An RFC 3339 instant, or a date, which means its beginning in a zone.
    pub fn parse_instant(field: &'static str, text: &str, zone: Tz) -> Result<Self, Invalid> {
        if let Some(at) = Self::parse_rfc3339(text) {
            return Ok(at);
        }
        let date =
            Date::parse(field, text).map_err(|_| Invalid::new(field, "must be an RFC 3339 instant or a date"))?;
        Ok(date.start_in(zone))
    }

    /// Accepts any RFC 3339 instant that can be written again: an offset or a leap second may lead out of its years.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at = Self(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis());
        (Self::BEGIN..Self::END).contains(&at).then_some(at)
    }
}

/// A calendar date between 1970-01-01 and 9999-12-31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

const EPOCH_FROM_CE: i32 = 719_163;

impl Date {
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).filter(|date| (1970..=9999).contains(&date.year())).map(Self)
    }

    /// `YYYY-MM-DD`, or RFC 3339 of which the date part is kept (contract: `expiry_date`).
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(field, "must be a date between 1970-01-01 and 9999-12-31 as YYYY-MM-DD");
        if text.len() > 10 && DateTime::parse_from_rfc3339(text).is_err() {
            return Err(wrong());
        }
        let day = text.get(..10).ok_or_else(wrong)?;
        let shaped =
            day.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shaped {
            return Err(wrong());
        }
        let number = |range| day.get(range).and_then(|digits: &str| digits.parse().ok());
        match (number(0..4), number(5..7), number(8..10)) {
            (Some(year), Some(month), Some(day)) => {
                Self::from_ymd(i32::try_from(year).unwrap_or(0), month, day).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        i64::from(self.0.num_days_from_ce() - EPOCH_FROM_CE)
    }

    pub fn from_days(days: i64) -> Option<Self> {
        let from_ce = i32::try_from(days).ok()?.checked_add(EPOCH_FROM_CE)?;
        NaiveDate::from_num_days_from_ce_opt(from_ce).map(Self)
    }

    /// The first day of this month.
    pub fn month_start(self) -> Self {
        Self(self.0.with_day(1).unwrap_or(self.0))
    }

    /// `YYYY-MM-DD`.
    pub fn iso(self) -> String {
        self.0.to_string()
    }

    /// `<date>T00:00:00Z`, how the external surface renders a date in every zone.
    pub fn midnight_z(self) -> String {
        format!("{}T00:00:00Z", self.0)
    }

    pub fn plus_days(self, days: u32) -> Option<Self> {
        self.0.checked_add_days(Days::new(u64::from(days))).filter(|date| date.year() <= 9999).map(Self)
    }

    /// Months clamp to the last day: 31 January + 1 month is the last day of February.
    pub fn plus_months(self, months: u32) -> Option<Self> {
        self.0.checked_add_months(Months::new(months)).filter(|date| date.year() <= 9999).map(Self)
    }

    /// The instant at which this day begins in a zone. Where the clock skips midnight, the first instant that exists.
    pub fn start_in(self, zone: Tz) -> Timestamp {
        self.time_in(zone, 0)
    }

    /// The instant so many minutes after midnight by the clock of a zone: the first of two, the next that exists of none.
    pub fn time_in(self, zone: Tz, minutes: u32) -> Timestamp {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(minutes.saturating_mul(60), 0);
        let mut local = self.0.and_time(time.unwrap_or(NaiveTime::MIN));
        loop {
            match zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return Timestamp(at.timestamp_millis()),
                // A gap is at most a few hours (a skipped day at the date line: 24), and always whole minutes today.
                LocalResult::None => local += chrono::TimeDelta::minutes(1),
            }
        }
    }

    /// The last second of this day in a zone (a key's date-only expiry).
    pub fn last_second_in(self, zone: Tz) -> Timestamp {
        let next = Self(self.0.succ_opt().unwrap_or(self.0));
        next.start_in(zone).plus_millis(-Timestamp::SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse("d", text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn an_instant_out_of_the_years_that_can_be_written_is_none() {
        for (text, date) in [
            ("9999-12-31T23:59:59-00:01", "9999-12-31"),
            ("9999-12-31T23:59:60Z", "9999-12-31"),
            ("0000-01-01T00:00:00+00:01", ""),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
            assert_eq!(Date::parse("d", text).map(Date::iso).unwrap_or_default(), date, "its date can be, {text}");
        }
        for text in ["9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse_rfc3339(text).map(Timestamp::rfc3339).as_deref(), Some(text));
        }
        assert_eq!(Timestamp::parse_rfc3339("0000-01-01T00:00:00Z"), Some(Timestamp::BEGIN));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "26-01-01",
            "2026/01/01",
            "2026-01-01x",
            "2026-01-01T25:00:00Z",
            "1969-12-31",
            "+026-01-01",
            "2026-01-0é",
            "二〇二六-01-01",
            "2026-01-01 ",
            " 2026-01-01",
        ] {
            assert!(Date::parse("expiry_date", text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_are_read_from_both_forms() {
        for (text, iso) in [
            ("2026-12-31", "2026-12-31"),
            ("2026-12-31T23:59:59Z", "2026-12-31"),
            ("2026-12-31T23:59:59.5-11:00", "2026-12-31"),
            ("2028-02-29", "2028-02-29"),
        ] {
            assert_eq!(date(text).iso(), iso);
        }
        assert_eq!(date("1970-01-01").days(), 0);
        assert_eq!(Date::from_days(date("2026-12-31").days()), Some(date("2026-12-31")));
    }

    #[test]
    fn months_clamp_to_the_last_day() {
        for (from, months, to) in [
            ("2026-01-31", 1, "2026-02-28"),
            ("2028-01-31", 1, "2028-02-29"),
            ("2026-03-31", 1, "2026-04-30"),
            ("2026-12-15", 2, "2027-02-15"),
        ] {
            assert_eq!(date(from).plus_months(months), Some(date(to)), "{from} + {months}");
        }
        assert_eq!(date("9999-12-31").plus_months(1), None);
        assert_eq!(date("9999-12-31").plus_days(1), None);
    }

    #[test]
    fn a_day_without_midnight_begins_when_its_clock_begins() {
        let beirut = Tz::Asia__Beirut;
        assert_eq!(date("2026-03-29").start_in(beirut).rfc3339(), "2026-03-28T22:00:00Z");
        assert_eq!(date("2026-03-28").last_second_in(beirut).rfc3339(), "2026-03-28T21:59:59Z");
        assert_eq!(date("2011-12-30").start_in(Tz::Pacific__Apia).rfc3339(), "2011-12-30T10:00:00Z");
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_rendered_and_not_a_panic() {
        assert!(!Timestamp(i64::MAX).rfc3339().is_empty());
        assert!(!Timestamp(i64::MIN).date_in(Tz::UTC).iso().is_empty());
    }
}
