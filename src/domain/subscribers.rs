//! Subscribers: the ISP's end customers, with what makes a value of theirs acceptable (contract: external.md).

pub mod view;

use std::fmt;

use super::error::Invalid;
use super::money::Money;
use super::services::ServiceId;
use super::text::{is_unseen, line};
use super::time::{Date, Timestamp};
use super::users::{UserId, fold};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(pub i64);

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As callers see it: 3 is what an active subscriber is once its last day has passed, computed on read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    Inactive,
    Expired,
    Stopped,
}

impl Status {
    /// From the stored status (1, 2, 4) and the last day that works.
    pub fn of(stored: i64, expiry: Date, today: Date) -> Self {
        match stored {
            2 => Status::Inactive,
            4 => Status::Stopped,
            _ if expiry < today => Status::Expired,
            _ => Status::Active,
        }
    }

    pub fn number(self) -> i64 {
        match self {
            Status::Active => 1,
            Status::Inactive => 2,
            Status::Expired => 3,
            Status::Stopped => 4,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Inactive => "inactive",
            Status::Expired => "expired",
            Status::Stopped => "stopped",
        }
    }

    pub fn from_number(number: i64) -> Option<Self> {
        [Status::Active, Status::Inactive, Status::Expired, Status::Stopped]
            .into_iter()
            .find(|status| status.number() == number)
    }
}

/// 1-100 characters without spaces or control characters; unique among the living, case-insensitively.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login(String);

impl Login {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::required(field));
        }
        if text.chars().count() > 100 || text.chars().any(|c| c.is_whitespace() || is_unseen(c)) {
            return Err(Invalid::new(field, "must be 1-100 characters without spaces or control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

/// Text of several lines: tabs and line breaks are the only control characters.
pub fn lines(field: &'static str, text: &str, max: usize) -> Result<String, Invalid> {
    if text.chars().count() > max || text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Invalid::new(field, format!("must be at most {max} characters without control characters")));
    }
    Ok(text.to_owned())
}

/// A text that a subscriber has, with the rule it must keep wherever it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    FullName,
    Phone,
    Address,
    Email,
    Note,
}

impl Text {
    pub fn parse(self, text: &str) -> Result<String, Invalid> {
        match self {
            Text::FullName => line("full_name", text, 200),
            Text::Phone => line("phone", text, 50),
            Text::Address => lines("address", text, 500),
            Text::Email => line("email", text, 254),
            Text::Note => lines("note", text, 2_000),
        }
    }
}

/// The caller's own id for a row: 1-255 characters.
pub fn external_id(field: &'static str, text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must be 1-255 characters without control characters"));
    }
    Ok(text.to_owned())
}

/// A PPPoE password: what RADIUS can carry (RFC 2865, 5.2: at most 128 octets).
pub fn password(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must be 1-128 bytes without control characters"));
    }
    Ok(())
}

/// A hardware address in the one form in which it is kept: `AA:BB:CC:DD:EE:FF`. Hyphens and lower case are read too.
pub fn mac_address(field: &'static str, text: &str) -> Result<String, Invalid> {
    let upper = text.to_ascii_uppercase().replace('-', ":");
    let pairs: Vec<_> = upper.split(':').collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    if pairs.len() != 6 || !pairs.iter().all(is_pair) {
        return Err(Invalid::new(field, "must be a hardware address such as AA:BB:CC:DD:EE:FF"));
    }
    Ok(upper)
}

/// What a create asks for, checked. `None`: the field was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub username: Login,
    pub service_id: ServiceId,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub email: Option<String>,
    pub note: Option<String>,
    pub expiry_date: Option<Date>,
    pub nas_id: Option<i64>,
    pub mac_address: Option<String>,
    pub external_id: Option<String>,
}

/// A create, ready to be written: everything that must be made outside the transaction is made.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    pub draft: Draft,
    pub uid: [u8; 16],
    pub password_sealed: Vec<u8>,
    pub now: Timestamp,
    /// Today in the configured zone.
    pub today: Date,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub owner: Option<UserId>,
    pub username: String,
    pub full_name: String,
    pub phone: String,
    pub address: String,
    pub email: String,
    pub note: String,
    pub external_id: Option<String>,
    pub status: Status,
    pub service_id: ServiceId,
    pub service_name: String,
    pub nas_id: Option<i64>,
    pub is_online: bool,
    pub ip_address: Option<String>,
    pub mac_address: Option<String>,
    pub expiry_date: Date,
    pub balance: Money,
    /// Bytes.
    pub daily_download_used: i64,
    /// Bytes.
    pub monthly_download_used: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a subscriber has used, and may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes.
    pub daily_download: i64,
    /// Bytes.
    pub daily_upload: i64,
    /// Bytes.
    pub monthly_download: i64,
    /// Bytes.
    pub monthly_upload: i64,
    /// Bytes; 0 is unlimited.
    pub daily_quota: i64,
    /// Bytes; 0 is unlimited.
    pub monthly_quota: i64,
    pub fup_level: i64,
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSubscriber {
    pub id: SubscriberId,
    pub owner: Option<UserId>,
    pub username: String,
    pub full_name: String,
    pub phone: String,
    pub status: Status,
    pub service_id: ServiceId,
    pub is_online: bool,
    pub ip_address: Option<String>,
    pub expiry_date: Date,
    pub nas_id: Option<i64>,
    pub balance: Money,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a list is narrowed to; every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the username, folded.
    pub username: Option<String>,
    pub status: Option<Status>,
    pub service_id: Option<i64>,
    pub nas_id: Option<i64>,
    pub is_online: Option<bool>,
    pub external_id: Option<String>,
    /// Last day before this one.
    pub expires_before: Option<Date>,
    /// Changed at this instant or later.
    pub updated_since: Option<Timestamp>,
    /// Of this reseller; `Some(None)`: of the house.
    pub owner: Option<Option<UserId>>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Asks for a status and nothing else.
    pub fn status_alone(&self) -> Option<Status> {
        self.status.filter(|status| *self == Self { status: Some(*status), ..Self::default() })
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From 1; answers with totals.
    Page(i64),
    /// After the row of this id; costs the same at any depth.
    After(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOf {
    pub place: Place,
    /// 1-500.
    pub limit: i64,
    /// Of a page. A walk by cursor is by id.
    pub sort: Sort,
}

/// By what a page is sorted; rows that are equal in it stand by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    #[default]
    Id,
    Username,
    ExpiryDate,
    UpdatedAt,
}

impl Sort {
    /// `created_at` is the order of the ids.
    pub const WORDS: [&'static str; 5] = ["id", "username", "expiry_date", "updated_at", "created_at"];

    pub fn parse(word: &str, descending: bool) -> Self {
        let by = match word {
            "username" => SortBy::Username,
            "expiry_date" => SortBy::ExpiryDate,
            "updated_at" => SortBy::UpdatedAt,
            _ => SortBy::Id,
        };
        Self { by, descending }
    }
}

impl PageOf {
    /// How many rows to read: one more than asked for tells whether more follow.
    pub fn rows_to_read(&self) -> i64 {
        self.limit + 1
    }

    /// Rows before a page are walked over one by one.
    const FAR: i64 = 2_000;

    pub fn is_far(&self) -> bool {
        match self.place {
            Place::Page(number) => number.saturating_sub(1).saturating_mul(self.limit) > Self::FAR,
            Place::After(_) => false,
        }
    }
}

impl<T> Listed<T> {
    /// From the rows that were read: cuts off the one too many, and says where the next part begins.
    pub fn from_rows(mut rows: Vec<T>, page: PageOf, total: Option<i64>, id: impl Fn(&T) -> i64) -> Self {
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().filter(|_| more).map(id);
        Self { rows, total, next }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// How many there are in all; absent when walking by cursor.
    pub total: Option<i64>,
    /// Where the next part begins, if more rows follow.
    pub next: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_outside_the_rule_are_refused() {
        for text in ["", "a b", "a\tb", "a\u{0}", "a\u{a0}b", "\u{2028}", "\u{85}", &"a".repeat(101)] {
            assert!(Login::parse("username", text).is_err(), "{text:?}");
        }
        for text in ["a", "user1234@example.lb", "étage-2", &"é".repeat(100)] {
            assert!(Login::parse("username", text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn an_active_subscriber_is_expired_from_the_day_after_its_last() {
        let day = |text| Date::parse("d", text).unwrap_or_else(|e| panic!("{e}"));
        for (stored, expiry, today, status) in [
            (1, "2026-12-31", "2026-12-31", Status::Active),
            (1, "2026-12-31", "2027-01-01", Status::Expired),
            (2, "2026-12-31", "2027-01-01", Status::Inactive),
            (4, "2026-12-31", "2027-01-01", Status::Stopped),
        ] {
            assert_eq!(Status::of(stored, day(expiry), day(today)), status);
        }
    }

    #[test]
    fn a_password_that_radius_cannot_carry_is_refused() {
        for text in ["", "a\n", "\u{0}", &"a".repeat(129), &"é".repeat(65)] {
            assert!(password("password", text).is_err(), "{text:?}");
        }
        assert!(password("password", &"a".repeat(128)).is_ok());
    }
}
