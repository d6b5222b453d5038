//! Importing a sheet of subscribers: everything is checked first, then everything is written, or nothing.
//!
//! Checking reads one snapshot and holds up nobody. Writing is one transaction, because nothing else is all or nothing
//! for whoever looks meanwhile: chunks with an undo would show half an import, and their undo could not tell its own
//! changes from those made in between. While it runs, other writes wait; `MOST_ROWS` keeps that well under the five
//! seconds they are willing to. Rows that stay as they are cost no write, so a sheet of any length may carry that many
//! changes, and larger imports are several sheets.

mod values;

use std::collections::{HashMap, HashSet};

use secrecy::ExposeSecret;

use super::{Change, Created, Switch, change, create, password, switch, update};
use crate::crypto::{Sealer, random};
use crate::domain::error::{AppError, Conflict, Invalid};
use crate::domain::policy::Permit;
use crate::domain::services::ServiceId;
use crate::domain::sheets::{Column, Line};
use crate::domain::subscribers::{Login, NewSubscriber, Status, SubscriberId};
use crate::domain::time::{Date, Timestamp};
use crate::domain::users::{Role, UserId, fold};
use crate::store::subscribers::Stored;
use crate::store::{self, ReadTx, WriteTx};

use values::Values;

/// Rows that one import may write.
pub const MOST_ROWS: usize = 5_000;

/// What is done to one row.
#[derive(Debug, Clone)]
pub enum Step {
    Create {
        new: NewSubscriber,
        owner: Option<UserId>,
        /// A create makes active ones.
        switch: Option<Switch>,
    },
    Update {
        id: SubscriberId,
        username: String,
        change: Change,
        switch: Option<Switch>,
    },
}

impl Step {
    fn username(&self) -> &str {
        match self {
            Step::Create { new, .. } => new.draft.username.as_str(),
            Step::Update { username, .. } => username,
        }
    }
}

/// What an import comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: usize,
    pub changed: usize,
    pub unchanged: usize,
    /// New rows whose password the sheet does not give.
    pub random_passwords: usize,
}

impl Counts {
    pub fn to_write(self) -> usize {
        self.new + self.changed
    }
}

/// Checks the lines of a sheet one after the other.
#[derive(Debug)]
pub struct Check<'a> {
    permit: &'a Permit,
    sealer: &'a Sealer,
    now: Timestamp,
    today: Date,
    known: Known,
    usernames: HashSet<String>,
    external_ids: HashSet<(Option<UserId>, String)>,
    pub counts: Counts,
    /// At most `MOST_ROWS`: what is beyond is only counted.
    pub steps: Vec<Step>,
}

/// The rows that a sheet names, by folded name.
#[derive(Debug)]
struct Known {
    services: HashMap<String, ServiceId>,
    nas: HashMap<String, i64>,
    users: HashMap<String, (UserId, Role)>,
}

impl<'a> Check<'a> {
    pub fn begin(
        tx: &ReadTx<'_>,
        permit: &'a Permit,
        sealer: &'a Sealer,
        now: Timestamp,
        today: Date,
    ) -> Result<Self, AppError> {
        let known = Known {
            services: store::services::list(tx)?.into_iter().map(|of| (fold(&of.name), of.id)).collect(),
            nas: store::nas::list(tx, permit)?.into_iter().map(|of| (fold(&of.name), of.id)).collect(),
            users: store::users::list(tx, permit)?
                .into_iter()
                .map(|of| (fold(&of.username), (of.id, of.role)))
                .collect(),
        };
        Ok(Self {
            permit,
            sealer,
            now,
            today,
            known,
            usernames: HashSet::new(),
            external_ids: HashSet::new(),
            counts: Counts::default(),
            steps: Vec::new(),
        })
    }

    /// Gives what is wrong with the line; a right one is counted, and kept to be written where it changes something.
    pub fn line(&mut self, tx: &ReadTx<'_>, line: &Line) -> Result<Vec<Invalid>, AppError> {
        let mut problems = Vec::new();
        let username = match Login::parse("username", line.get(Column::Username).unwrap_or_default()) {
            Ok(username) => username,
            Err(problem) => return Ok(vec![problem]),
        };
        if !self.usernames.insert(username.key()) {
            problems.push(Invalid::new("username", "stands on an earlier line too"));
        }
        let values = Values::read(line, &self.known, &mut problems);
        let found = store::subscribers::find_id_by_username(tx, self.permit, username.as_str())?;
        let stored = match found {
            Some(id) => store::subscribers::find_stored(tx, self.permit, id)?,
            None => None,
        };
        let owner = stored.as_ref().map_or(values.owner.flatten().map(|(id, _)| id), |stored| stored.owner);
        if let Some(Some(id)) = &values.change.external_id
            && !self.external_ids.insert((owner, id.clone()))
        {
            problems.push(Invalid::new("external_id", "stands on an earlier line of the same owner too"));
        }
        match stored {
            Some(stored) => self.updates(tx, &stored, values, &mut problems)?,
            None => self.creates(tx, username, owner, values, &mut problems)?,
        }
        Ok(problems)
    }

    fn updates(
        &mut self,
        tx: &ReadTx<'_>,
        before: &Stored,
        values: Values,
        problems: &mut Vec<Invalid>,
    ) -> Result<(), AppError> {
        if values.owner.is_some_and(|owner| owner.map(|(id, _)| id) != before.owner) {
            problems.push(Invalid::new("owner", "cannot be changed by an import"));
        }
        if let Some(balance) = values.balance
            && super::get(tx, self.permit, before.id, self.today)?.balance != balance
        {
            problems.push(Invalid::new("balance", "differs; money moves through transactions"));
        }
        let mut change = values.change;
        let after = change::changed(tx, self.permit, before, &change);
        match &after {
            Err(AppError::Invalid(problem)) => problems.push(problem.clone()),
            Err(AppError::Conflict(_)) => problems.push(taken()),
            Ok(_) | Err(_) => {}
        }
        if !problems.is_empty() {
            return Ok(());
        }
        let after = after?;
        if let Some(password) = &values.password {
            let has = password::open(self.sealer, &before.uid, &before.password_sealed)?;
            if has.expose_secret() != password.expose_secret() {
                let sealed = password::seal(self.sealer, &before.uid, password)?;
                change.password_sealed = Some(sealed);
            }
        }
        let switch = values.status.filter(|status| status.number() != before.status).and_then(Switch::to);
        if after == *before && change.password_sealed.is_none() && switch.is_none() {
            self.counts.unchanged += 1;
            return Ok(());
        }
        self.counts.changed += 1;
        self.keep(Step::Update { id: before.id, username: before.username.clone(), change, switch });
        Ok(())
    }

    fn creates(
        &mut self,
        tx: &ReadTx<'_>,
        username: Login,
        owner: Option<UserId>,
        values: Values,
        problems: &mut Vec<Invalid>,
    ) -> Result<(), AppError> {
        if let Some(Some((_, role))) = values.owner
            && role != Role::Reseller
        {
            problems.push(Invalid::new("owner", "is not a reseller"));
        }
        if values.balance.is_some_and(|balance| balance.0 != 0) {
            problems.push(Invalid::new("balance", "is not 0; money moves through transactions"));
        }
        let change = values.change;
        if let Some(Some(id)) = &change.external_id
            && store::subscribers::find_by_external_id(tx, owner, id)?.is_some()
        {
            problems.push(taken());
        }
        let Some(service_id) = change.service_id else {
            // A name that does not exist has been reported.
            if !problems.iter().any(|problem| problem.field == Column::Service.name()) {
                problems.push(Invalid::required(Column::Service.name()));
            }
            return Ok(());
        };
        if !problems.is_empty() {
            return Ok(());
        }
        let draft = change.into_draft(username, service_id);
        self.counts.random_passwords += usize::from(values.password.is_none());
        let password = values.password.map_or_else(random::password, Ok)?;
        let uid = random::uid()?;
        let password_sealed = password::seal(self.sealer, &uid, &password)?;
        let switch = values.status.filter(|status| *status != Status::Active).and_then(Switch::to);
        self.counts.new += 1;
        let new = NewSubscriber { draft, uid, password_sealed, now: self.now, today: self.today };
        self.keep(Step::Create { new, owner, switch });
        Ok(())
    }

    fn keep(&mut self, step: Step) {
        if self.steps.len() < MOST_ROWS {
            self.steps.push(step);
        }
    }
}

fn taken() -> Invalid {
    Invalid::new("external_id", "belongs to another subscriber")
}

/// Carries out what was checked. What has changed since the check and now stands in the way undoes all of it.
pub fn write(tx: &WriteTx<'_>, permit: &Permit, steps: &[Step], now: Timestamp, today: Date) -> Result<(), AppError> {
    for step in steps {
        carry_out(tx, permit, step, now, today).map_err(|error| match error {
            AppError::Invalid(_) | AppError::NotFound(_) | AppError::Conflict(_) => AppError::Conflict(
                Conflict::InTheWay(format!("{} was changed since the check: {error}", step.username())),
            ),
            other => other,
        })?;
    }
    Ok(())
}

fn carry_out(tx: &WriteTx<'_>, permit: &Permit, step: &Step, now: Timestamp, today: Date) -> Result<(), AppError> {
    let (id, to) = match step {
        Step::Create { new, owner, switch } => {
            let Created { subscriber, fresh } = create(tx, &permit.for_owner(*owner), new)?;
            if !fresh {
                return Err(AppError::Conflict(Conflict::ExternalIdTaken { fields: vec!["username"] }));
            }
            (subscriber.id, switch)
        }
        Step::Update { id, change, switch, .. } => {
            update(tx, permit, *id, change, now, today)?;
            (*id, switch)
        }
    };
    if let Some(to) = *to {
        switch(tx, permit, id, to, None, now, today)?;
    }
    Ok(())
}
