//! What callers were told, held against the database.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use crate::work::{Deed, Effect, Place, Told};

/// Pairs of counts that are equal as long as no change is half done: rows, and what was audited with them.
const EQUALS: &[(&str, &str, &str)] = &[
    ("subscribers and their audit", "SELECT count(*) FROM subscribers", "subscribers.create"),
    (
        "deleted ones and their audit",
        "SELECT count(*) FROM subscribers WHERE deleted_at IS NOT NULL",
        "subscribers.delete",
    ),
    ("movements and their audit", "SELECT count(*) FROM transactions", "transactions.create"),
    ("renewals and their audit", "SELECT count(*) FROM renewals", "subscribers.renew"),
    ("renewals that were paid", "SELECT count(transaction_id) FROM renewals", "subscribers.renew"),
    ("routers and their audit", "SELECT count(*) FROM nas", "nas.create"),
    ("keys and their audit", "SELECT count(*) FROM api_keys", "keys.create"),
    ("revoked keys and their audit", "SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL", "keys.revoke"),
    ("users but for the first and their audit", "SELECT count(*) - 1 FROM users", "users.create"),
];

/// Statements that count what must not be.
const NEVER: &[(&str, &str)] = &[
    ("references to nothing", "SELECT count(*) FROM pragma_foreign_key_check"),
    (
        "movements that do not begin where the one before ended",
        "SELECT count(*) FROM transactions t WHERE balance_before <> coalesce((SELECT balance_after FROM transactions e
         WHERE e.subscriber_id = t.subscriber_id AND e.id < t.id ORDER BY e.id DESC LIMIT 1), 0)",
    ),
    (
        "balances that are not the sum of their movements",
        "SELECT count(*) FROM subscribers s WHERE balance <> (SELECT coalesce(sum(balance_after - balance_before), 0)
         FROM transactions t WHERE t.subscriber_id = s.id)",
    ),
    (
        "subscribers that are counted wrongly",
        "SELECT abs((SELECT count(*) FROM subscribers WHERE deleted_at IS NULL)
                  - (SELECT coalesce(sum(subscribers), 0) FROM counters WHERE owner_key = -1))",
    ),
    (
        "movements that are counted wrongly",
        "SELECT abs((SELECT count(*) FROM transactions)
                  - (SELECT coalesce(sum(transactions), 0) FROM transaction_counters WHERE owner_key = -1))",
    ),
];

fn number(database: &Connection, statement: &str) -> i64 {
    database.query_row(statement, [], |row| row.get(0)).unwrap()
}

/// What is wrong with the file by itself; nothing of the callers is known.
pub fn broken(database: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if check != "ok" {
        all.push(format!("integrity_check: {check}"));
    }
    for (what, statement) in NEVER {
        let count = number(database, statement);
        if count != 0 {
            all.push(format!("{count} {what}"));
        }
    }
    for (what, statement, action) in EQUALS {
        let (rows, audited) = (
            number(database, statement),
            number(database, &format!("SELECT count(*) FROM audit WHERE action = '{action}'")),
        );
        if rows != audited {
            all.push(format!("{what}: {rows} rows, {audited} audited"));
        }
    }
    all
}

fn rows(database: &Connection, place: Place, mark: &str) -> i64 {
    let (table, column) = place.table_and_column();
    let statement = format!("SELECT count(*) FROM {table} WHERE {column} = ?1");
    database.prepare_cached(&statement).unwrap().query_row([mark], |row| row.get(0)).unwrap()
}

/// Whether the answer to a guarded request was kept.
fn is_kept(database: &Connection, guard: &str) -> bool {
    let mut statement = database.prepare_cached("SELECT count(*) FROM idempotency WHERE header = ?1").unwrap();
    statement.query_row([guard], |row| row.get::<_, i64>(0)).unwrap() == 1
}

/// The last note, status and life of a subscriber that is known; and what may have followed.
#[derive(Default)]
struct Subscriber<'a> {
    note: Option<&'a str>,
    status: Option<i64>,
    gone: bool,
    maybe: Option<&'a Effect>,
}

/// Acknowledged changes that are not there, and unanswered ones that are half there.
pub fn lost(database: &Connection, told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut subscribers: BTreeMap<i64, Subscriber<'_>> = BTreeMap::new();
    for Deed { effect, guard } in &told.acknowledged {
        if guard.as_ref().is_some_and(|guard| !is_kept(database, guard)) {
            wrong.push(format!("the kept answer to {effect:?} is lost"));
        }
        match effect {
            Effect::Row(place, mark) => match rows(database, *place, mark) {
                1 => {}
                count => wrong.push(format!("{count} rows of the acknowledged {effect:?}")),
            },
            Effect::Note(id, note) => subscribers.entry(*id).or_default().note = Some(note),
            Effect::Status(id, status) => subscribers.entry(*id).or_default().status = Some(*status),
            Effect::Gone(id) => subscribers.entry(*id).or_default().gone = true,
        }
    }
    for Deed { effect, guard } in &told.unknown {
        match effect {
            Effect::Row(place, mark) => {
                let count = rows(database, *place, mark);
                let kept = guard.as_ref().map_or(count, |guard| is_kept(database, guard).into());
                if count > 1 || kept != count {
                    wrong.push(format!("{count} rows and {kept} kept answers of the unanswered {effect:?}"));
                }
            }
            Effect::Note(id, _) | Effect::Status(id, _) | Effect::Gone(id) => {
                subscribers.entry(*id).or_default().maybe = Some(effect);
            }
        }
    }
    let mut statement =
        database.prepare("SELECT note, status, deleted_at IS NOT NULL FROM subscribers WHERE id = ?1").unwrap();
    for (id, known) in &subscribers {
        let row = statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional().unwrap();
        let Some((note, status, gone)): Option<(String, i64, bool)> = row else {
            wrong.push(format!("the acknowledged subscriber {id} is lost"));
            continue;
        };
        let may = |effect: &Effect| known.maybe == Some(effect);
        let right = known.note.is_none_or(|known| known == note || may(&Effect::Note(*id, note.clone())))
            && known.status.is_none_or(|known| known == status || may(&Effect::Status(*id, status)))
            && (known.gone == gone || (gone && may(&Effect::Gone(*id))));
        if !right {
            wrong.push(format!("subscriber {id} has {note:?}, {status}, gone {gone}"));
        }
    }
    wrong
}

/// The positive control: what each check is there for is seen by it.
#[test]
fn each_kind_of_damage_is_seen() {
    use crate::home::Home;
    use crate::work::{Credentials, work};

    let home = Home::with_database();
    let mut credentials = Credentials::make(&home);
    let mut server = home.serve_with(&crate::crash::NO_LIMITS);
    credentials.log_in(&server);
    let database = home.open("panel.db");
    let some_of_each = "SELECT min((SELECT count(*) FROM renewals), (SELECT count(*) FROM transactions),
        (SELECT count(*) FROM nas), (SELECT count(*) FROM users) - 1, (SELECT count(*) FROM subscribers WHERE status = 2),
        (SELECT count(*) FROM subscribers WHERE note <> ''), (SELECT count(*) FROM subscribers WHERE deleted_at > 0),
        (SELECT count(*) FROM api_keys WHERE revoked_at > 0))";
    let told = work(server.address, &credentials, 0, &mut crate::size::random("damage"), |_| {
        while number(&database, some_of_each) < 2 {
            std::thread::yield_now();
        }
    });
    assert_eq!(server.stop(), Some(0));
    assert_eq!([broken(&database), lost(&database, &told)].concat(), [""; 0]);
    database.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let changed = |statement: &str| {
        database.execute_batch("SAVEPOINT damage").unwrap();
        assert!(database.execute(statement, []).unwrap() > 0, "{statement} changes nothing");
        let found = (broken(&database), lost(&database, &told));
        database.execute_batch("ROLLBACK TO damage; RELEASE damage").unwrap();
        found
    };
    for statement in [
        "DELETE FROM subscribers WHERE id = (SELECT max(id) FROM subscribers)",
        "UPDATE subscribers SET balance = balance + 1 WHERE id = 1",
        "DELETE FROM transactions WHERE id = (SELECT min(id) FROM transactions)",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE action = 'subscribers.create')",
        "DELETE FROM renewals WHERE id = 1",
        "UPDATE counters SET subscribers = subscribers + 1",
        "UPDATE transaction_counters SET transactions = transactions + 1",
        "UPDATE api_keys SET revoked_at = NULL",
        "UPDATE renewals SET subscriber_id = 999999 WHERE id = 1",
    ] {
        assert_ne!(changed(statement).0, [""; 0], "{statement}");
    }
    for statement in [
        "DELETE FROM subscribers WHERE id = (SELECT max(id) FROM subscribers)",
        "UPDATE transactions SET description = ''",
        "UPDATE nas SET name = name || 'x'",
        "UPDATE subscribers SET note = 'x'",
        "UPDATE subscribers SET status = 3 - status",
        "UPDATE subscribers SET deleted_at = NULL",
        "DELETE FROM idempotency",
        "UPDATE api_keys SET revoked_at = NULL",
        "UPDATE users SET username = username || 'x' WHERE id > 1",
    ] {
        assert_ne!(changed(statement).1, [""; 0], "{statement}");
    }
}
