//! `panel subscriber export`: all of them, from one snapshot, a part at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::sheet::Writer;
use crate::actions::{self, subscribers::password};
use crate::app::App;
use crate::cli::operator;
use crate::cli::output::{Failure, Outcome, say};
use crate::domain::error::AppError;
use crate::domain::sheets::Column;
use crate::domain::subscribers::Status;
use crate::store::subscribers::Exported;

pub fn run(app: &App, file: Option<&Path>, with_passwords: bool) -> Outcome {
    let Some(path) = file else {
        return match stream(app, io::stdout().lock(), with_passwords) {
            // A reader that went away ends the command quietly.
            Err(Stopped::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        };
    };
    let cannot = |e: io::Error| {
        Failure::new(format!("{} cannot be created: {e}", path.display()), "Name a file that does not exist yet.")
    };
    // It holds what customers are called and where they live, so it is for its owner's eyes.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(cannot)?;
    match write(app, &file, with_passwords) {
        Ok(exported) => {
            say(&format!("{exported} subscribers exported"));
            Ok(())
        }
        Err(stopped) => {
            // Half an export would be taken for a whole one.
            drop(std::fs::remove_file(path));
            Err(stopped.into())
        }
    }
}

/// Why an export ended early.
enum Stopped {
    App(AppError),
    Output(io::Error),
}

impl From<AppError> for Stopped {
    fn from(error: AppError) -> Self {
        Stopped::App(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Stopped::Output(error)
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::App(error) => error.into(),
            Stopped::Output(error) => {
                Failure::new(format!("the output cannot be written: {error}"), "Check where it goes.")
            }
        }
    }
}

fn write(app: &App, file: &File, with_passwords: bool) -> Result<usize, Stopped> {
    let exported = stream(app, file, with_passwords)?;
    file.sync_all()?;
    Ok(exported)
}

fn stream(app: &App, to: impl Write, with_passwords: bool) -> Result<usize, Stopped> {
    let wanted = |column: &Column| with_passwords || *column != Column::Password;
    let columns: Vec<Column> = Column::ALL.into_iter().filter(wanted).collect();
    let mut sheet = Writer::new(to);
    app.db.read_slowly(|tx| {
        Ok((|| {
            sheet.write(columns.iter().map(|column| column.name()))?;
            let (mut exported, mut after) = (0, 0);
            loop {
                let rows = actions::subscribers::export(tx, &operator(), after)?;
                let Some(last) = rows.last() else { break };
                after = last.id.0;
                exported += rows.len();
                for row in &rows {
                    let password = if with_passwords {
                        Some(password::open(&app.sealer, &row.uid, &row.password_sealed)?)
                    } else {
                        None
                    };
                    let cells: Vec<String> =
                        columns.iter().map(|column| cell(*column, row, password.as_ref())).collect();
                    sheet.write(cells.iter().map(String::as_str))?;
                }
            }
            sheet.finish()?;
            Ok(exported)
        })())
    })?
}

fn cell(column: Column, row: &Exported, password: Option<&SecretString>) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    match column {
        Column::Username => row.username.clone(),
        Column::Owner => optional(&row.owner),
        Column::Password => password.map(|text| text.expose_secret().to_owned()).unwrap_or_default(),
        Column::FullName => row.full_name.clone(),
        Column::Phone => row.phone.clone(),
        Column::Address => row.address.clone(),
        Column::Email => row.email.clone(),
        Column::Note => row.note.clone(),
        Column::ExternalId => optional(&row.external_id),
        Column::Status => Status::from_number(row.status).map_or("", Status::as_str).to_owned(),
        Column::Service => row.service.clone(),
        Column::Nas => optional(&row.nas),
        Column::MacAddress => optional(&row.mac_address),
        Column::ExpiryDate => row.expiry_date.iso(),
        Column::Balance => row.balance.decimal(),
    }
}
