//! What is in the database.

use super::{Patient, Said, failed, good, skipped, warning};
use crate::domain::policy;
use crate::domain::time::Timestamp;
use crate::store::{SchemaFile, soundness};

/// Clocks of one box differ from themselves by less.
const AHEAD: i64 = 5 * Timestamp::MINUTE;

const UNUSED_FOR_DAYS: i64 = 180;

const RESTORE: &str = "Restore the newest backup that is whole: panel backup verify FILE, then panel restore FILE (they are in backup.folder)";

pub fn schema(patient: &Patient<'_>) -> Said {
    let known = SchemaFile::Main.version();
    match patient.look.as_ref().map(|look| look.version) {
        Ok(Some(found)) if found < known => failed(
            format!("the database has schema {found}, this version wants {known}"),
            "panel migrate (it makes a backup first), or start the panel",
        ),
        Ok(Some(found)) if found > known => failed(
            format!("the database has schema {found}, this version knows {known}"),
            "Install the newer panel, or restore a backup from before the upgrade.",
        ),
        Ok(Some(found)) => good(format!("schema {found}")),
        Ok(None) => skipped("the database is empty"),
        Err(_) => skipped("the database cannot be opened"),
    }
}

pub fn schema_objects(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        let different = look.schema_differences()?;
        let names = different.iter().map(|object| object.name.as_str()).collect::<Vec<_>>().join(", ");
        Ok(match different.iter().all(|object| object.is_extra_index) {
            true if different.is_empty() => good("as in a fresh database"),
            true => warning(
                format!("indexes of your own: {names}"),
                "Each makes every write slower; drop those you do not need.",
            ),
            false => failed(format!("otherwise than in a fresh database: {names}"), RESTORE),
        })
    })
}

pub fn pages(patient: &Patient<'_>) -> Said {
    patient.ask_slowly(|look| {
        Ok(look.damage()?.map_or_else(
            || good("every page and index is whole"),
            |damage| failed(damage.replace('\n', "; "), RESTORE),
        ))
    })
}

pub fn references(patient: &Patient<'_>) -> Said {
    patient.ask_slowly(|look| {
        Ok(match look.orphan()? {
            Some(table) => failed(format!("a row of {table} refers to one that is not there"), RESTORE),
            None => good("every row refers to one that is there"),
        })
    })
}

pub fn ledger(patient: &Patient<'_>) -> Said {
    patient.ask_slowly(|look| {
        Ok(match look.read(|tx| soundness::ledger_breaks(tx, &policy::system()))? {
            (0, 0) => good("every balance is the sum of its movements"),
            (chains, balances) => failed(
                format!("{chains} movements do not begin where the one before ended, {balances} balances are not where the last one ended"),
                "Somebody changed the file by hand: restore a backup, or book what is missing.",
            ),
        })
    })
}

pub fn counters(patient: &Patient<'_>) -> Said {
    patient.ask_slowly(|look| {
        Ok(match look.read(soundness::wrong_counters)? {
            0 => good("as a recount"),
            wrong => failed(format!("{wrong} totals are not what a recount gives"), "panel doctor --recount"),
        })
    })
}

pub fn clock(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        let newest = look.read(soundness::newest_change)?;
        Ok(match newest.millis() > patient.now.plus_millis(AHEAD).millis() {
            true => failed(
                format!("the newest change is of {}, and it is {}", newest.rfc3339(), patient.now.rfc3339()),
                "Set the clock (timedatectl): keys and subscribers expire by it.",
            ),
            false => good("not behind the newest change"),
        })
    })
}

pub fn admin_login(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        Ok(match look.read(soundness::has_admin_with_password)? {
            true => good("an administrator can log in"),
            false => failed("no active administrator has a password", "panel admin reset"),
        })
    })
}

pub fn unused_keys(patient: &Patient<'_>) -> Said {
    patient.ask(|look| {
        let since = patient.now.plus_millis(-UNUSED_FOR_DAYS * Timestamp::DAY);
        Ok(match look.read(|tx| soundness::count_unused_keys(tx, since, patient.now))? {
            0 => good("none"),
            count => warning(
                format!("{count} keys that work were not used for {UNUSED_FOR_DAYS} days"),
                "panel key list shows last_used_at; panel key revoke ID",
            ),
        })
    })
}
