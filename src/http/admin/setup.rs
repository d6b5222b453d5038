//! `/setup/{token}`: a form that sets the first password. It works without JavaScript; the token is in the path, the page
//! tells nobody where it was opened, and an answer never repeats what was typed.

use std::sync::Arc;

use actix_web::http::StatusCode;
use secrecy::SecretString;

use crate::actions;
use crate::domain::error::{AppError, Noun};
use crate::domain::passwords::Password;
use crate::http::answer::{Answer, Failure, Reply};
use crate::http::call::Call;

/// GET /setup/{token}
pub async fn form(call: Call) -> Answer {
    let token = call.params.get("token").unwrap_or_default();
    match call.read(|tx| actions::setup::find(tx, token, call.now)) {
        Ok(link) => Ok(page(StatusCode::OK, &ask(&link.username, None))),
        Err(error) => dead_link(error),
    }
}

/// POST /setup/{token}
pub async fn set_password(call: Call) -> Answer {
    let token = call.params.get("token").unwrap_or_default().to_owned();
    let link = match call.read(|tx| actions::setup::find(tx, &token, call.now)) {
        Ok(link) => link,
        Err(error) => return dead_link(error),
    };
    let (first, second) = typed(&call.body);
    let password = match Password::parse("Password", &first) {
        Err(invalid) => return Ok(page(StatusCode::BAD_REQUEST, &ask(&link.username, Some(&invalid.to_string())))),
        Ok(_) if first != second => {
            return Ok(page(StatusCode::BAD_REQUEST, &ask(&link.username, Some("The two passwords are not the same"))));
        }
        Ok(password) => password,
    };
    let hash = call.state.app.hasher.hash(SecretString::clone(password.secret())).await?;
    let (origin, now) = (Arc::new(call.permit.origin().clone()), call.now);
    let used = call.state.app.db.write(move |tx| actions::setup::use_link(tx, &token, &hash, &origin, now)).await;
    match used {
        Ok(()) => {
            Ok(page(StatusCode::OK, &format!("<p>The password of <b>{}</b> is set.</p>", escape(&link.username))))
        }
        Err(error) => dead_link(error),
    }
}

/// The two fields of the form.
fn typed(body: &[u8]) -> (String, String) {
    let field = |name: &str| {
        let found = form_urlencoded::parse(body).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    (field("password"), field("again"))
}

fn dead_link(error: AppError) -> Answer {
    match error {
        AppError::NotFound(Noun::SetupLink) => Ok(page(
            StatusCode::NOT_FOUND,
            "<p>This link was used, is older than 30 minutes, or never was.</p><p>On the server, <code>panel admin reset</code> prints a new one.</p>",
        )),
        other => Err(Failure::App(other)),
    }
}

fn ask(username: &str, problem: Option<&str>) -> String {
    let problem = problem.map(|text| format!("<p role=\"alert\"><b>{}</b></p>", escape(text))).unwrap_or_default();
    let field = |name, label| {
        format!(
            "<p><label>{label}<br><input type=\"password\" name=\"{name}\" autocomplete=\"new-password\" required minlength=\"8\" maxlength=\"128\"></label></p>"
        )
    };
    format!(
        "<p>Set the password of <b>{}</b>: 8 to 128 characters, not a common one.</p>{problem}<form method=\"post\">{}{}<p><button>Set password</button></p></form>",
        escape(username),
        field("password", "Password"),
        field("again", "The same again")
    )
}

fn page(status: StatusCode, content: &str) -> Reply {
    let style = "body{font:1.1rem system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem}input,button{font:inherit;padding:.4rem;width:100%;box-sizing:border-box}";
    Reply::html(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>panel setup</title><style>{style}</style></head><body><h1>panel</h1>{content}</body></html>"
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
