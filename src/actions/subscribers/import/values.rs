//! What the cells of a line stand for.

use secrecy::SecretString;

use super::Known;
use crate::actions::subscribers::Change;
use crate::domain::error::Invalid;
use crate::domain::money::Money;
use crate::domain::sheets::{Column, Line};
use crate::domain::subscribers::{self, Status, Text};
use crate::domain::time::Date;
use crate::domain::users::{Role, UserId, fold};

/// The fields of a line. `None`: the sheet has no such column, or an empty cell where there is no such thing as empty.
#[derive(Debug)]
pub(super) struct Values {
    /// Everything but the password, which must be sealed for its row.
    pub change: Change,
    pub owner: Option<Option<(UserId, Role)>>,
    pub status: Option<Status>,
    pub password: Option<SecretString>,
    pub balance: Option<Money>,
}

impl Values {
    /// Reads what can be read; the rest goes to `problems`.
    pub fn read(line: &Line, known: &Known, problems: &mut Vec<Invalid>) -> Self {
        let mut cells = Cells { line, problems };
        let change = Change {
            full_name: cells.text(Column::FullName, |_, text| Text::FullName.parse(text)),
            phone: cells.text(Column::Phone, |_, text| Text::Phone.parse(text)),
            address: cells.text(Column::Address, |_, text| Text::Address.parse(text)),
            email: cells.text(Column::Email, |_, text| Text::Email.parse(text)),
            note: cells.text(Column::Note, |_, text| Text::Note.parse(text)),
            service_id: cells.filled(Column::Service, |_, name| named(known.services.get(&fold(name)))),
            expiry_date: cells.filled(Column::ExpiryDate, Date::parse),
            external_id: cells.emptied(Column::ExternalId, subscribers::external_id),
            nas_id: cells.emptied(Column::Nas, |_, name| named(known.nas.get(&fold(name)))),
            mac_address: cells.emptied(Column::MacAddress, subscribers::mac_address),
            ..Change::default()
        };
        Self {
            change,
            owner: cells.emptied(Column::Owner, |_, name| named(known.users.get(&fold(name)))),
            status: cells.filled(Column::Status, status),
            password: cells.filled(Column::Password, |field, text| {
                subscribers::password(field, text).map(|()| SecretString::from(text))
            }),
            balance: cells.filled(Column::Balance, balance),
        }
    }
}

struct Cells<'a> {
    line: &'a Line,
    problems: &'a mut Vec<Invalid>,
}

type Parse<T> = Result<T, Invalid>;

impl Cells<'_> {
    /// A cell that is a value also when it is empty.
    fn text<T>(&mut self, column: Column, parse: impl FnOnce(&'static str, &str) -> Parse<T>) -> Option<T> {
        match parse(column.name(), self.line.get(column)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                // A name that is looked for does not know the column it stands in.
                self.problems.push(Invalid { field: column.name().into(), ..problem });
                None
            }
        }
    }

    /// A cell that says nothing when it is empty.
    fn filled<T>(&mut self, column: Column, parse: impl FnOnce(&'static str, &str) -> Parse<T>) -> Option<T> {
        self.emptied(column, parse).flatten()
    }

    /// A cell that says "none" when it is empty.
    fn emptied<T>(&mut self, column: Column, parse: impl FnOnce(&'static str, &str) -> Parse<T>) -> Option<Option<T>> {
        match self.line.get(column)? {
            "" => Some(None),
            _ => self.text(column, parse).map(Some),
        }
    }
}

fn named<T: Copy>(found: Option<&T>) -> Parse<T> {
    found.copied().ok_or_else(|| Invalid::new("name", "does not exist"))
}

/// Expired is not among them: it is what an active subscriber is once its last day has passed.
fn status(field: &'static str, text: &str) -> Parse<Status> {
    let found = [Status::Active, Status::Inactive, Status::Stopped].into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| Invalid::new(field, "must be active, inactive or stopped"))
}

fn balance(field: &'static str, text: &str) -> Parse<Money> {
    let (owed, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let amount = Money::parse(digits).ok_or_else(|| Invalid::new(field, "must be an amount such as 25.00"))?;
    Ok(if owed { Money(-amount.0) } else { amount })
}
