//! Tokens of sessions, forged in every known way, on both surfaces that take them: each opens nothing, and what is not
//! ours is answered to the bit like nonsense. Some are signed with the installation's own secret: even that opens nothing.

use std::io::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use panel::crypto::KeyFile;
use panel::domain::encoding::{base64url, from_base64url};
use panel::domain::sessions::Audience;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::raw_http;
use crate::values::wire::{Ask, Got};
use crate::values::world::{World, now};

const HS256: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// A surface with sessions: where one asks who one is, what only an admin may do, and what a wrong token is told.
struct Door {
    audience: Audience,
    me: &'static str,
    make: (&'static str, &'static str),
    wrong: &'static str,
    expired: &'static str,
}

const DOORS: [Door; 2] = [
    Door {
        audience: Audience::Panel,
        me: "/api/v1/auth/me",
        make: ("/api/v1/packages", r#"{"name": "stolen"}"#),
        wrong: "Invalid or expired session",
        expired: "Invalid or expired session",
    },
    Door {
        audience: Audience::Admin,
        me: "/api/auth/me",
        make: ("/api/services", r#"{"name": "stolen"}"#),
        wrong: "invalid token",
        expired: "token expired",
    },
];

/// Ends the session of the user of this name.
type End<'a> = &'a dyn Fn(&str);

/// Which hash a signature is made with.
#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn mac(hash: Hash, secret: &[u8], text: &str) -> Vec<u8> {
    macro_rules! sign {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(secret).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match hash {
        Hash::Sha256 => sign!(sha2::Sha256),
        Hash::Sha384 => sign!(sha2::Sha384),
        Hash::Sha512 => sign!(sha2::Sha512),
    }
}

fn forge(header: &[u8], claims: &[u8], hash: Hash, secret: &[u8]) -> String {
    let text = format!("{}.{}", base64url(header), base64url(claims));
    let signature = mac(hash, secret, &text);
    format!("{text}.{}", base64url(&signature))
}

fn secret_of(world: &World) -> Vec<u8> {
    let key_file = KeyFile::open(world.home.path("panel.key")).unwrap();
    key_file.jwt_secret().expose_secret().to_vec()
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&from_base64url(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The claims with some of them changed; null takes one away.
fn with(claims: &Value, changes: &Value) -> Vec<u8> {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string().into_bytes()
}

fn see(world: &World, door: &Door, token: &str) -> Got {
    world.ask(&Ask::new("GET", door.me).bearer(token))
}

/// What has another form than a token of ours, or another signature.
fn unsigned(good: &str, secret: &[u8]) -> Vec<(String, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let said = from_base64url(claims).unwrap();
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| all.push((name.to_owned(), token));
    for none in ["none", "None", "NONE", "nOnE", "", " none", "HS256 ", "hs256"] {
        let other = base64url(format!(r#"{{"typ":"JWT","alg":"{none}"}}"#).as_bytes());
        add(&format!("alg {none:?} without a signature"), format!("{other}.{claims}."));
        add(&format!("alg {none:?} with two parts"), format!("{other}.{claims}"));
        add(&format!("alg {none:?} with the signature"), format!("{other}.{claims}.{signature}"));
        add(
            &format!("alg {none:?}, signed anew"),
            format!("{other}.{claims}.{}", base64url(&mac(Hash::Sha256, secret, &format!("{other}.{claims}")))),
        );
    }
    let header_of = |alg: &str| format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#);
    for alg in ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS512", "HS384", "A256KW", "dir"] {
        add(&format!("{alg}, our secret as its key"), forge(header_of(alg).as_bytes(), &said, Hash::Sha256, secret));
    }
    add("HS384, signed rightly", forge(header_of("HS384").as_bytes(), &said, Hash::Sha384, secret));
    add("HS512, signed rightly", forge(header_of("HS512").as_bytes(), &said, Hash::Sha512, secret));
    add("HS256 of another hash", forge(HS256.as_bytes(), &said, Hash::Sha512, secret));
    let folder = tempfile::tempdir().unwrap();
    let stranger = KeyFile::open_or_create(folder.path().join("panel.key")).unwrap().jwt_secret();
    for (name, key) in [
        ("another installation's secret", stranger.expose_secret().as_slice()),
        ("no secret", b"".as_slice()),
        ("a word", b"secret"),
        ("zeros", &[0; 32]),
        ("half of the secret", &secret[..16]),
    ] {
        add(&format!("signed with {name}"), forge(HS256.as_bytes(), &said, Hash::Sha256, key));
    }
    add("an empty signature", format!("{header}.{claims}."));
    add("no signature", format!("{header}.{claims}"));
    add("half a signature", format!("{header}.{claims}.{}", &signature[..20]));
    add("one letter less", good[..good.len() - 1].to_owned());
    add("one letter more", format!("{good}A"));
    add("padding", format!("{good}="));
    add("another signature", format!("{header}.{claims}.{}", "A".repeat(43)));
    add("a fourth part", format!("{good}.{signature}"));
    add("five parts, as if it were encrypted", format!("{header}.AA.AA.{claims}.{signature}"));
    add("an empty part before it", format!(".{good}"));
    add("no header", format!(".{claims}.{signature}"));
    add("no claims", format!("{header}..{signature}"));
    add("dots", "..".to_owned());
    add("the header alone", header.to_owned());
    add("the parts turned round", format!("{signature}.{claims}.{header}"));
    add("the standard alphabet", format!("{header}.{claims}.{signature}+/"));
    add("in JSON form", json!({"payload": claims, "protected": header, "signature": signature}).to_string());
    add("huge", format!("{header}.{}.{signature}", "A".repeat(6_000)));
    add("the session's id alone", claims_of(good)["sid"].as_str().unwrap().to_owned());
    all
}

/// Signed with our own secret, of a living session, and still not what we make.
fn signed(good: &str, secret: &[u8]) -> Vec<(String, String)> {
    let claims = claims_of(good);
    let said = claims.to_string();
    let at = now().millis() / 1_000;
    let mut all: Vec<(String, String)> = Vec::new();
    for extra in [
        r#""kid":"../../../../dev/null""#,
        r#""kid":"' UNION SELECT 'a' --""#,
        r#""jku":"http://127.0.0.1:1/keys""#,
        r#""jwk":{"kty":"oct","k":"AA"}"#,
        r#""x5u":"http://127.0.0.1:1/chain""#,
        r#""x5c":["AA"]"#,
        r#""x5t":"AA""#,
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""zip":"DEF""#,
        r#""cty":"JWT""#,
        r#""enc":"A256GCM""#,
        r#""alg":"HS256""#,
        r#""alg":"none""#,
    ] {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256",{extra}}}"#);
        all.push((format!("header {extra}"), forge(header.as_bytes(), said.as_bytes(), Hash::Sha256, secret)));
    }
    for header in
        [r#"{"typ":"at+jwt","alg":"HS256"}"#, r#"{"alg":"HS256"}"#, r#"{"typ":"JWT"}"#, "{}", "[]", "null", "\"\"", ""]
    {
        all.push((format!("header {header}"), forge(header.as_bytes(), said.as_bytes(), Hash::Sha256, secret)));
    }
    let other = if claims["aud"] == "panel" { "admin" } else { "panel" };
    for (name, change) in [
        ("another audience", json!({"aud": other})),
        ("no audience", json!({"aud": null})),
        ("both audiences", json!({"aud": ["panel", "admin"]})),
        ("an unknown audience", json!({"aud": "external"})),
        ("another user", json!({"sub": "2"})),
        ("nobody", json!({"sub": "0"})),
        ("no user", json!({"sub": null})),
        ("a name for a user", json!({"sub": "admin"})),
        ("a number for a user", json!({"sub": 1})),
        ("another session", json!({"sid": "0123456789abcdef0123456789abcdef"})),
        ("no session", json!({"sid": null})),
        ("an empty session", json!({"sid": ""})),
        ("SQL for a session", json!({"sid": "' OR 1=1 --"})),
        ("a list of sessions", json!({"sid": [claims["sid"]]})),
        ("no end", json!({"exp": null})),
        ("an end before all time", json!({"exp": -1})),
        ("a text for an end", json!({"exp": "9999999999"})),
        ("an end beyond numbers", json!({"exp": 1e30})),
        ("made in an hour", json!({"iat": at + 3_600})),
        ("made in a thousand years", json!({"iat": at + 31_556_952_000_i64})),
        ("made never", json!({"iat": null})),
        ("not yet valid", json!({"nbf": at + 3_600})),
        ("valid since long", json!({"nbf": 0})),
        ("with an issuer", json!({"iss": "panel"})),
        ("with permissions", json!({"permissions": ["all"], "is_admin": true})),
    ] {
        all.push((name.to_owned(), forge(HS256.as_bytes(), &with(&claims, &change), Hash::Sha256, secret)));
    }
    let inner = said.trim_matches(|c| matches!(c, '{' | '}'));
    for (name, claims) in [
        ("a claim twice", format!("{{{inner},\"sub\":\"1\"}}").into_bytes()),
        ("the session twice", format!("{{\"sid\":\"a\",{inner}}}").into_bytes()),
        ("an end twice", format!("{{{inner},\"exp\":9999999999}}").into_bytes()),
        ("no object", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("nothing", Vec::new()),
        ("no UTF-8", [b"{\"sid\":\"\xff\",".as_slice(), inner.as_bytes(), b"}"].concat()),
        ("U+0000 after it", [said.as_bytes(), b"\0"].concat()),
        ("another token", good.as_bytes().to_vec()),
    ] {
        all.push((name.to_owned(), forge(HS256.as_bytes(), &claims, Hash::Sha256, secret)));
    }
    all
}

#[test]
fn a_forged_token_opens_nothing_and_is_answered_like_nonsense() {
    let world = World::new();
    let secret = secret_of(&world);
    for door in &DOORS {
        let good = world.session(1, door.audience);
        // The forge is right: what it makes of a token's own words opens like the token.
        let again = forge(HS256.as_bytes(), claims_of(&good).to_string().as_bytes(), Hash::Sha256, &secret);
        assert_eq!(again, good);
        let nonsense = see(&world, door, "nonsense");
        assert_eq!((nonsense.status, nonsense.says().as_str()), (401, door.wrong));
        let services = world.home.count("services") + world.home.count("packages");
        for (name, token) in unsigned(&good, &secret).into_iter().chain(signed(&good, &secret)) {
            let refused = see(&world, door, &token);
            let told = format!("{}: {name}: {token:.300} → {} {}", door.me, refused.status, refused.text);
            assert_eq!((refused.status, refused.without_chance()), (401, nonsense.without_chance()), "{told}");
            let (target, body) = door.make;
            let made = world.ask(&Ask::new("POST", target).bearer(&token).json(body));
            assert_eq!((made.status, made.says().as_str()), (401, door.wrong), "{told}");
        }
        assert_eq!(world.home.count("services") + world.home.count("packages"), services);
        assert_eq!(see(&world, door, &good).status, 200, "and it was a good one all the time");
    }
    world.is_well();
}

#[test]
fn what_ends_a_session_ends_its_token() {
    let world = World::new();
    let secret = secret_of(&world);
    let id = |name: &str| world.home.value("panel.db", &format!("SELECT id FROM users WHERE username = '{name}'"));
    for door in &DOORS {
        let nonsense = see(&world, door, "nonsense").without_chance();
        let at = now().millis() / 1_000;
        // Over by its own words: whoever made it signed with our secret, and may know.
        let good = world.session(1, door.audience);
        for end in [at - 1, at - 86_400, 0] {
            let claims = with(&claims_of(&good), &json!({"exp": end}));
            let expired = see(&world, door, &forge(HS256.as_bytes(), &claims, Hash::Sha256, &secret));
            assert_eq!((expired.status, expired.says().as_str()), (401, door.expired), "{end}");
            assert_eq!(expired.body["denied"][0]["gate"], "expired");
        }
        let person = |name: &str| json!({"username": name, "email": format!("{name}@example.org"), "password": "violet-otter 1871"});
        let told = door.audience.as_str();
        let ends: [(&str, End<'_>); 6] = [
            ("its time is over", &|_| world.change("UPDATE sessions SET expires_at = created_at + 1")),
            ("it is revoked", &|_| world.change("UPDATE sessions SET revoked_at = created_at + 1")),
            ("it is gone", &|name| {
                world.change(&format!(
                    "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = '{name}')"
                ));
            }),
            ("another password", &|name| {
                world.must("PUT", &format!("/api/v1/users/{name}"), &json!({"password": "green-heron 4410"}));
            }),
            ("suspended", &|name| {
                world.must("POST", &format!("/api/v1/users/{name}/suspend"), &json!({}));
            }),
            ("deleted", &|name| {
                world.must("DELETE", &format!("/api/v1/resellers/{name}"), &json!({}));
            }),
        ];
        for (number, (why, end)) in ends.iter().enumerate() {
            let name = format!("{told}-{number}");
            world.must("POST", "/api/v1/resellers", &person(&name));
            let user: i64 = id(&name);
            let token = world.session(user, door.audience);
            assert_eq!(see(&world, door, &token).status, 200, "{why}");
            end(&name);
            // Who ends all sessions ends the acting one too.
            world.change("UPDATE sessions SET revoked_at = NULL, expires_at = created_at + 86400000 WHERE user_id = 1");
            let over = see(&world, door, &token);
            assert_eq!((over.status, over.without_chance()), (401, nonsense.clone()), "{why}: {}", over.text);
        }
        // Another role since: known, and not allowed.
        let name = format!("{told}-demoted");
        world.must("POST", "/api/v1/resellers", &person(&name));
        let token = world.session(id(&name), door.audience);
        world.must("PUT", &format!("/api/v1/users/{name}"), &json!({"role": "user"}));
        let (target, body) = door.make;
        let low = world.ask(&Ask::new("POST", target).bearer(&token).json(body));
        assert_eq!((low.status, low.says().as_str()), (403, "Admin access required"), "{}", low.text);
    }
    world.is_well();
}

#[test]
fn a_token_of_another_kind_or_place_opens_nothing() {
    let world = World::new();
    for door in &DOORS {
        let nonsense = see(&world, door, "nonsense").without_chance();
        let other = if door.audience == Audience::Panel { Audience::Admin } else { Audience::Panel };
        for (name, token) in [
            ("the other surface's", world.session(1, other)),
            ("an external key", world.external.clone()),
            ("a billing key", world.billing[0].clone()),
            ("a billing secret", world.billing[1].clone()),
        ] {
            let refused = see(&world, door, &token);
            assert_eq!((refused.status, refused.without_chance()), (401, nonsense.clone()), "{name}");
        }
        let good = world.session(1, door.audience);
        for path in ["/api/v1/external/services", "/api/v1/billing/accounts"] {
            let as_key = Ask::new("GET", path).header("x-api-key", &good).header("x-api-secret", &good).bearer(&good);
            assert_eq!(world.ask(&as_key).status, 401, "{path}");
        }
        let bytes = ["GET ", door.me, " HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer "].concat();
        for bad in [b"\xff\xfe.\x80.\xc3".as_slice(), "é.é.é".as_bytes(), &[good.as_bytes(), b"\xff"].concat()] {
            let mut stream = raw_http::connect(world.server.address);
            stream.write_all(&[bytes.as_bytes(), bad, b"\r\n\r\n"].concat()).unwrap();
            let refused = raw_http::receive(&mut stream);
            assert_eq!(refused.status, 401, "{bad:?}: {}", refused.body);
        }
    }
    // What renews a session is no token, and a token renews nothing.
    world.home.run_typing("violet-otter 1871\n", ["user", "passwd", "admin", "--password-stdin"]);
    let login = json!({"username": "admin", "password": "violet-otter 1871"}).to_string();
    let opened = world.ask(&Ask::new("POST", "/api/auth/login").json(login));
    let cookie = opened.headers["set-cookie"].split(';').next().unwrap().to_owned();
    let renews = cookie.strip_prefix("refresh_token=").unwrap();
    for door in &DOORS {
        for token in [renews, renews.split('.').next().unwrap(), renews.split('.').next_back().unwrap()] {
            assert_eq!(see(&world, door, token).says(), door.wrong);
        }
    }
    let token = opened.body["token"].as_str().unwrap();
    let with_cookie = |value: &str| {
        let cookie = format!("refresh_token={value}");
        world.ask(&Ask::new("POST", "/api/auth/refresh").header("cookie", cookie)).status
    };
    for bad in [token, "", "a", "a.b", "' OR 1=1 --", &format!("{renews}x"), &renews.to_uppercase()] {
        assert_eq!(with_cookie(bad), 401, "{bad}");
    }
    assert_eq!(with_cookie(renews), 200);
}
