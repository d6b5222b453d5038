//! What a request is made of.

use std::fs;
use std::sync::LazyLock;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use panel::actions::keys::Credential;
use panel::crypto::signer::Token;
use panel::crypto::{KeyFile, Signer};
use panel::domain::error::AppError;
use panel::domain::keys::hash_of;
use panel::domain::routes::{Found, Method, Surface, find, is_well_formed, stand_in};
use panel::domain::sessions::Audience;
use panel::domain::time::Timestamp;
use panel::domain::users::{Role, UserId};
use panel::http::query::Query;
use panel::http::{admin, billing, body, external, fields::Fields, visit};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Parser, taken, text};

/// Of every kind that a body has.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "read by serde")]
struct Sample {
    name: Option<String>,
    number: Option<i64>,
    small: Option<u16>,
    flag: Option<bool>,
    list: Option<Vec<String>>,
    amount: Option<Box<RawValue>>,
    balance: Option<serde_json::Number>,
    #[serde(default, deserialize_with = "panel::http::fields::sent")]
    cleared: Option<Option<String>>,
}

/// A refusal is one short line and repeats no value, which may be a secret; a name it may.
fn refused(error: &AppError, data: &[u8]) {
    let said = error.to_string();
    assert!(super::is_one_line(&said), "{said:?}");
    assert!(!said.contains("s3cret") || text(data).contains("s3cret\":"), "{said:?}");
}

pub const BODIES: Parser = Parser {
    name: "bodies",
    check: |data| {
        let is_object = |data: &[u8]| {
            let text = data.trim_ascii();
            text.is_empty()
                || text.first() == Some(&b'{') && text.last() == Some(&b'}') && std::str::from_utf8(text).is_ok()
        };
        match body::parse::<Sample>(data) {
            Ok(_) => assert!(is_object(data)),
            Err(error) => refused(&error, data),
        }
        match body::parse::<Fields>(data) {
            Ok(fields) => {
                assert!(is_object(data));
                taken("flag", fields.flag("flag"));
                taken("number", fields.number("number"));
                taken("name", fields.text("name"));
                taken("cleared", fields.nullable_text("cleared"));
                for feature in panel::domain::features::Feature::ALL {
                    drop(fields.either_flag(feature));
                }
            }
            Err(error) => refused(&error, data),
        }
    },
    examples: &[
        b"",
        br#"{"name":"a","number":-1,"small":65535,"flag":true,"list":["a"],"amount":25.00,"cleared":null}"#,
        br#"{"name":"s3cret","number":"s3cret","flag":"s3cret"}"#,
        br#"{"api":true,"can_use_api":false,"balance":1e400}"#,
        br#"{"name":"\ud800","name":1}"#,
    ],
};

/// Lines `name: value`.
pub const HEADERS: Parser = Parser {
    name: "headers",
    check: |data| {
        let mut headers = HeaderMap::new();
        for line in data.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let parsed = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii()));
            if let (Ok(name), Ok(value)) = parsed {
                headers.append(name, value);
            }
        }
        body::content(&headers);
        let id = visit::request_id(&headers);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        assert!((1..=64).contains(&id.len()) && id.bytes().all(plain), "{id:?}");
        assert!(!panel::domain::text::may_hold_secret(&id), "{id:?}");
        let many = |name: &str| headers.get_all(name).count();
        let twice = |name: &str, is_error: bool| assert_eq!(is_error, many(name) > 1, "{name}");
        let credentials = [
            (external::auth::credential(&headers), ["x-api-key", "x-api-key"]),
            (panel::http::panel::auth::credential(&headers), ["authorization", "authorization"]),
            (billing::auth::credential(&headers), ["x-api-key", "x-api-secret"]),
            (admin::auth::credential(&headers), ["authorization", "authorization"]),
        ];
        for (credential, [one, other]) in credentials {
            match credential {
                Err(_) => twice(if many(one) > 1 { one } else { other }, true),
                Ok(Credential::Absent) => assert!([one, other].iter().all(|name| many(name) <= 1)),
                Ok(Credential::Whole(key)) => assert!(!key.is_empty() && hash_of(key) == hash_of(key)),
                Ok(Credential::Pair { key, .. }) => assert!(!key.is_empty()),
                Ok(Credential::Session(token, _)) => assert!(!token.is_empty() && token == token.trim_ascii()),
                Ok(Credential::Foreign) => assert!(many(one) + many(other) > 0),
            }
        }
        assert!(billing::auth::for_health(&headers).is_ok() == billing::auth::credential(&headers).is_ok());
    },
    examples: &[
        b"x-api-key: pk_live_0123456789abcdef0123456789abcdef",
        b"X-API-Key: npk_a\nX-API-Secret: nps_b",
        b"authorization: Bearer wsp_0123\nx-request-id: a.b-c_d",
        b"authorization: bearer  eyJ.eyJ.x\nauthorization: Basic YTpi",
        b"content-type: application/json; charset=\"utf-8\"\ncontent-encoding: gzip",
        b"content-type: application/vnd.api+json;charset=latin1\nx-request-id: wsp_x",
    ],
};

pub const QUERIES: Parser = Parser {
    name: "queries",
    check: |data| {
        let query = Query::parse(text(data));
        for name in ["page", "search", "a"] {
            if let Some(Some(value)) = taken(name, query.text(name)) {
                assert!((1..=255).contains(&value.chars().count()) && !value.contains('\0'), "{value:?}");
            }
            if let Some(Some(number)) = taken(name, query.integer(name, 1, 500)) {
                assert!((1..=500).contains(&number));
            }
            if let Some(Some(number)) = taken(name, query.integer(name, 1, i64::MAX)) {
                assert!(number > 0);
            }
            taken(name, query.boolean(name));
        }
    },
    examples: &[b"page=2&search=a%20b&a=true", b"page=500&page=1", b"a=%00", b"page=%31", b"search=%ff+%C3%A9&a=0"],
};

pub const PATHS: Parser = Parser {
    name: "paths",
    check: |data| {
        let path = text(data);
        for method in [None, Some(Method::Get), Some(Method::Post), Some(Method::Put), Some(Method::Delete)] {
            assert_eq!(stand_in(method, path).surface, Surface::of(path));
            let bare = path.strip_suffix('/').unwrap_or(path);
            match find(method, path) {
                Found::Route(route, params) => {
                    assert!(is_well_formed(path) || is_well_formed(bare), "{path:?}");
                    assert_eq!((Some(route.method), route.surface), (method, Surface::of(path)));
                    assert_eq!(route.path.split('/').count(), bare.split('/').count(), "{path:?}");
                    assert!(params.id("id").is_none_or(|id| id > 0));
                    for name in ["id", "username", "name", "token"] {
                        let value = params.get(name).unwrap_or("x");
                        assert!(!value.is_empty() && !value.contains(['/', '\0']) && value != "." && value != "..");
                    }
                }
                Found::WrongMethod(methods) => {
                    assert!(!methods.is_empty() && !methods.iter().any(|m| Some(*m) == method));
                }
                Found::Nothing => {}
            }
        }
    },
    examples: &[
        b"/api/v1/external/subscribers/1/renew",
        b"/api/v1/external/subscribers/by-username/user1234%40example.lb",
        b"/api/v1/users/ada/api-keys/0123456789abcdef",
        b"/api/v1/users/%2e%2E/features",
        b"/api/v1/packages/",
        b"/api/v1/billing/accounts/00",
        b"/api/api-keys//logs",
        b"/setup/%00",
        b"/api/v1/domains/a/b",
    ],
};

/// One signer, and a token of it for each surface.
static SIGNER: LazyLock<(Signer, [SecretString; 2])> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("panel-parsers-{}", std::process::id()));
    drop(fs::create_dir_all(&folder));
    let key = KeyFile::open_or_create(folder.join("panel.key")).unwrap_or_else(|error| panic!("{error}"));
    drop(fs::remove_dir_all(&folder));
    let signer = Signer::new(&key);
    let tokens = [Audience::Panel, Audience::Admin].map(|audience| {
        let (session_id, now) = (SecretString::from("session"), Timestamp(0));
        let token = Token {
            user: UserId(1),
            role: Role::Admin,
            audience,
            session_id: &session_id,
            issued_at: now,
            expires_at: now.plus_millis(Timestamp::DAY),
        };
        signer.sign(token).unwrap_or_else(|error| panic!("{error}"))
    });
    (signer, tokens)
});

/// The first byte says at which place of a good token the rest is put in.
pub const TOKENS: Parser = Parser {
    name: "tokens",
    check: |data| {
        let (signer, tokens) = &*SIGNER;
        let (at, rest) = data.split_first().unwrap_or((&0, &[]));
        for (audience, other, token) in
            [(Audience::Panel, Audience::Admin, &tokens[0]), (Audience::Admin, Audience::Panel, &tokens[1])]
        {
            let good = token.expose_secret().as_bytes();
            assert!(signer.open(good, audience).is_some() && signer.open(good, other).is_none());
            let at = usize::from(*at).min(good.len());
            let end = (at + rest.len()).min(good.len());
            let altered = [&good[..at], rest, &good[end..]].concat();
            for token in [rest, &altered] {
                let opened = signer.open(token, audience).is_some();
                // Nobody makes a signature by chance.
                assert!(!opened || token == good, "{:?}", String::from_utf8_lossy(token));
            }
        }
    },
    examples: &[
        b"\x00eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        b"\x00eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.",
        b"\x24.",
        b"\xffx",
    ],
};
