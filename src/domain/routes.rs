//! The one route table: what exists on each surface, what it needs, and whether it is built. The door, `key can`,
//! `X-Accepted-Permissions`, the interface description and the matrix tests all read it.

mod table;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use matchit::Router;

use super::keys::{BillingScope, Level, Permission, Scope};
use super::users::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }

    /// `HEAD` is `GET` with the same gates (contract: "Every answer").
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "GET" | "HEAD" => Some(Method::Get),
            "POST" => Some(Method::Post),
            "PUT" => Some(Method::Put),
            "DELETE" => Some(Method::Delete),
            _ => None,
        }
    }
}

/// Which of the four interfaces a path belongs to; decides where the credential is and how a refusal looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    External,
    Panel,
    Billing,
    Admin,
}

impl Surface {
    pub const ALL: [Surface; 4] = [Surface::External, Surface::Panel, Surface::Billing, Surface::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Surface::External => "external",
            Surface::Panel => "panel",
            Surface::Billing => "billing",
            Surface::Admin => "admin",
        }
    }

    /// The surface whose prefix is the longest that the path has. What has none of them is the admin surface's.
    pub fn of(path: &str) -> Self {
        let under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if under("/api/v1/external") {
            Surface::External
        } else if under("/api/v1/billing") || under("/api/health") {
            Surface::Billing
        } else if under("/api/v1") {
            Surface::Panel
        } else {
            Surface::Admin
        }
    }

    pub fn routes(self) -> &'static [Route] {
        match self {
            Surface::External => table::EXTERNAL,
            Surface::Panel => table::PANEL,
            Surface::Billing => table::BILLING,
            Surface::Admin => table::ADMIN,
        }
    }
}

/// What a panel key must have been given for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelNeed {
    /// Any key or session.
    Nothing,
    /// A person's session; a key is refused.
    Session,
    /// `all`, or this token where the resource has one, or `read` for a GET.
    Resource(Option<Permission>),
}

/// What a route needs of the credential, in the terms of its surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// No credential at all, and none is looked at.
    Nobody,
    /// An external key of at least this scope; `None`: any.
    External(Option<Scope>),
    Panel(PanelNeed),
    /// A billing key of at least this level with all scopes of one of the lists; no list: no scope.
    Billing {
        level: Level,
        scopes: &'static [&'static [BillingScope]],
    },
    /// A person's session on the admin surface.
    Admin,
}

/// Whether an answer needs a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Without a credential the request is refused.
    Closed,
    /// Health: answers strangers, but a credential that is sent is judged; never counted against a limit.
    OpenUnmetered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub surface: Surface,
    pub method: Method,
    /// The template, `{name}` for a parameter.
    pub path: &'static str,
    pub need: Need,
    /// The least role of the owner (or session) that may use it.
    pub role: Role,
    pub entry: Entry,
    /// What is done, `noun.verb`: the handler's name, the audit's word, the interface description's operation.
    pub action: &'static str,
    /// Built. A row that is not answers its surface's 404 or 501 after the gates.
    pub served: bool,
}

/// Parameters of a path in the order of its template, percent-decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// A path id is a positive integer; anything else names nothing.
    pub fn id(&self, name: &str) -> Option<i64> {
        let text = self.get(name)?;
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse().ok()).flatten()
    }
}

/// What the table says of a method and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Route(&'static Route, Params),
    /// The path exists with these methods only.
    WrongMethod(Vec<Method>),
    Nothing,
}

struct Slot {
    routes: Vec<&'static Route>,
    names: Vec<&'static str>,
}

static ROUTER: LazyLock<Router<Slot>> = LazyLock::new(|| {
    let mut slots: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
    for route in Surface::ALL.iter().flat_map(|surface| surface.routes()) {
        match slots.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, routes)) => routes.push(route),
            None => slots.push((route.path, vec![route])),
        }
    }
    let mut router = Router::new();
    for (path, routes) in slots {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        #[expect(clippy::expect_used, reason = "the table is constant and a test builds it")]
        router.insert(path, Slot { routes, names }).expect("two templates of the table never collide");
    }
    router
});

/// Finds the row for a raw (still encoded) path without its query. Empty and dot segments and an encoded slash name
/// nothing; a collection root of the panel and of `/api/api-keys` also answers with a trailing slash.
pub fn find(method: Option<Method>, path: &str) -> Found {
    let path = match path.strip_suffix('/') {
        Some(root) if answers_with_slash(root) => root,
        _ => path,
    };
    if !is_well_formed(path) {
        return Found::Nothing;
    }
    let Ok(matched) = ROUTER.at(path) else { return Found::Nothing };
    let slot = matched.value;
    let Some(route) = slot.routes.iter().find(|route| Some(route.method) == method) else {
        return Found::WrongMethod(slot.routes.iter().map(|route| route.method).collect());
    };
    let mut params = Vec::with_capacity(slot.names.len());
    for name in &slot.names {
        match matched.params.get(name).and_then(decode) {
            Some(value) => params.push((*name, value.into_owned())),
            None => return Found::Nothing,
        }
    }
    Found::Route(route, Params(params))
}

/// Without empty and dot segments, encoded slashes and what is no UTF-8.
pub fn is_well_formed(path: &str) -> bool {
    is_plain(path) || has_good_segments(path)
}

/// What most paths are, told at one look: nothing is encoded, and no segment is empty or begins with a dot.
fn is_plain(path: &str) -> bool {
    let next = path.bytes().skip(1).chain([b'/']);
    let is_odd = |(byte, next)| matches!((byte, next), (b'%' | b'\0', _) | (b'/', b'/' | b'.'));
    path.starts_with('/') && !path.bytes().zip(next).any(is_odd)
}

fn has_good_segments(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| rest.is_empty() || !rest.split('/').any(is_bad_segment))
}

fn answers_with_slash(root: &str) -> bool {
    let panel = Surface::of(root) == Surface::Panel && root != "/api/v1";
    root == "/api/api-keys" || (panel && Surface::Panel.routes().iter().any(|route| is_collection(route.path, root)))
}

/// A collection's root is a template that ends in a word and not in a parameter.
fn is_collection(template: &str, root: &str) -> bool {
    !template.ends_with('}')
        && template.split('/').count() == root.split('/').count()
        && template.split('/').zip(root.split('/')).all(|(want, got)| want.starts_with('{') || want == got)
}

fn is_bad_segment(segment: &str) -> bool {
    if segment.is_empty() {
        return true;
    }
    match decode(segment) {
        Some(text) => matches!(&*text, "." | "..") || text.bytes().any(|byte| matches!(byte, b'/' | b'\0')),
        None => true,
    }
}

/// Percent-decodes one segment; `None` where it is not valid or not UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(segment.into());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(*rest.next()?).to_digit(16)?;
            let low = char::from(*rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

/// Every row under which a request can be answered: those of the surfaces, and those that stand in.
pub fn rows() -> impl Iterator<Item = &'static Route> {
    Surface::ALL.iter().flat_map(|surface| surface.routes()).chain(table::LATER).chain(table::UNKNOWN)
}

/// The row that a line of the request log is about. `None`: it named no route, or one that there is no more.
pub fn of_log(method: &str, template: &str) -> Option<&'static Route> {
    // As the door judges a method that no route has.
    let method = Method::parse(method).unwrap_or(Method::Post);
    rows().find(|route| route.method == method && route.path == template && route.action != "unknown")
}

/// The row that stands in where the table has none, so that what presents a key is judged and logged all the same.
/// On the panel surface the permission gate comes before the 404: an out-of-scope key learns nothing.
pub fn stand_in(method: Option<Method>, path: &str) -> &'static Route {
    let surface = Surface::of(path);
    let method = method.unwrap_or(Method::Post);
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let later = table::LATER.iter().find(|route| route.method == method && below(route.path));
    let unknown = || table::UNKNOWN.iter().find(|route| route.surface == surface && route.method == method);
    later.or_else(unknown).unwrap_or(&table::UNKNOWN[0])
}
