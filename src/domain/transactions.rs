//! Transactions: movements of a subscriber's balance, append-only (contract: external.md, Transactions).

use std::fmt;

use super::error::Invalid;
use super::money::Money;
use super::subscribers::SubscriberId;
use super::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub i64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Payment,
    Charge,
    Renewal,
    Refund,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Payment, Kind::Charge, Kind::Renewal, Kind::Refund];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Payment => "payment",
            Kind::Charge => "charge",
            Kind::Renewal => "renewal",
            Kind::Refund => "refund",
        }
    }

    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| Invalid::new(field, "must be payment, charge, renewal or refund"))
    }

    /// What it does to the balance: payments and refunds raise it, charges and renewals lower it.
    pub fn effect(self, amount: Money) -> i64 {
        match self {
            Kind::Payment | Kind::Refund => amount.0,
            Kind::Charge | Kind::Renewal => -amount.0,
        }
    }
}

/// The highest amount of one transaction: 9 999 999.99.
pub const HIGHEST: Money = Money(999_999_999);

/// Above zero, at most two decimals, at most 9 999 999.99. Takes the text of the JSON number, never a float.
pub fn parse_amount(field: &'static str, text: &str) -> Result<Money, Invalid> {
    let wrong = || Invalid::new(field, "must be a number above 0 and up to 9999999.99, with at most two decimals");
    Money::parse(text).filter(|amount| amount.0 > 0 && *amount <= HIGHEST).ok_or_else(wrong)
}

/// A transaction about to be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    pub subscriber_id: SubscriberId,
    pub kind: Kind,
    pub amount: Money,
    /// `None`: not sent.
    pub description: Option<String>,
    pub external_id: Option<String>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub id: TransactionId,
    pub subscriber_id: SubscriberId,
    pub kind: Kind,
    pub amount: Money,
    pub balance_before: Money,
    pub balance_after: Money,
    pub description: String,
    pub external_id: Option<String>,
    pub created_at: Timestamp,
}

/// What a list is narrowed to; every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub subscriber_id: Option<i64>,
    pub kind: Option<Kind>,
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub before: Option<Timestamp>,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_outside_the_rule_are_refused() {
        for text in ["0", "0.00", "-1", "1.001", "1e2", "10000000", "9999999.995", "\"5\"", "null", "1,5", ""] {
            assert!(parse_amount("amount", text).is_err(), "{text}");
        }
        for (text, minor) in [("0.01", 1), ("25", 2500), ("25.5", 2550), ("9999999.99", 999_999_999)] {
            assert_eq!(parse_amount("amount", text), Ok(Money(minor)));
        }
    }

    #[test]
    fn payments_raise_and_charges_lower() {
        for (kind, effect) in [(Kind::Payment, 5), (Kind::Refund, 5), (Kind::Charge, -5), (Kind::Renewal, -5)] {
            assert_eq!(kind.effect(Money(5)), effect);
        }
    }
}
