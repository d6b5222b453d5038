//! This surface's part of the interface description.

use schemars::Schema;

use super::accounts::change::{Deleted, SwitchBody, UpdateBody};
use super::accounts::create::CreateBody;
use super::accounts::{Stats, View};
use super::{health, whoami};
use crate::http::describe::{Description, Face, Kind, Parameter, answers, body, object, of, parameter, text};

pub const FACE: Face = Face {
    title: "Billing",
    about: "For systems that sell hosting accounts: `/api/v1/billing` and `/api/health`, with `npk_` in `X-API-Key` and `nps_` in `X-API-Secret`.",
    refusal,
    described: DESCRIBED,
};

fn refusal(status: u16) -> Option<Schema> {
    let refused = object([
        ("detail", text("Says what to change.")),
        ("request_id", text("Leads to the log, as `X-Request-Id` does.")),
    ]);
    matches!(status, 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 500 | 503).then_some(refused)
}

const LIST: &[Parameter] = &[
    parameter("skip", Kind::Integer { least: 0, most: i64::MAX }, "Accounts to leave out from the beginning."),
    parameter("limit", Kind::Integer { least: 1, most: 1_000 }, "Default 100."),
    parameter("username", Kind::Text, "The account of this name, in any case."),
    parameter("billing_id", Kind::Text, "The accounts of this id of the billing system."),
];

pub const DESCRIBED: &[(&str, Description)] = &[
    ("accounts.list", answers("List accounts", 200, body::<Vec<View<'_>>>).query(LIST)),
    ("accounts.get", answers("One account", 200, of::<View<'_>>)),
    (
        "accounts.create",
        answers("Create an account", 201, of::<View<'_>>)
            .takes(
                body::<CreateBody>,
                r#"{"username": "testuser123", "email": "test@example.com", "password": "TestPass123!", "full_name": "Test User"}"#,
            )
            .notes("Sent again within a day with the same username, e-mail and billing_id it is answered 201 with the same account. `is_admin: true` makes a reseller account and needs SUPER_ADMIN."),
    ),
    (
        "accounts.update",
        answers("Change an account", 200, of::<View<'_>>)
            .takes(body::<UpdateBody>, r#"{"package_id": "default", "phone": null}"#),
    ),
    ("accounts.delete", answers("Delete an account", 200, of::<Deleted>)),
    (
        "accounts.suspend",
        answers("Suspend an account", 200, of::<View<'_>>).takes(body::<SwitchBody>, r#"{"reason": "unpaid"}"#),
    ),
    ("accounts.unsuspend", answers("Let an account work again", 200, of::<View<'_>>).takes(body::<SwitchBody>, r#"{"reason": "paid"}"#)),
    ("accounts.stats", answers("Figures of an account", 200, of::<Stats<'_>>)),
    ("whoami", answers("What the key is and may do here", 200, of::<whoami::View<'_>>)),
    (
        "health",
        answers("Whether the server works, and whether the key could create an account", 200, of::<health::Health>)
            .notes("Without a key the server's health alone. Never counted against a limit."),
    ),
];
