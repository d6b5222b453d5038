//! Files that cannot be served refuse to start; what clients will judge is a warning.

use rcgen::KeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::client::{Client, presented};
use super::made::{self, Made, RSA_KEY};
use crate::home::Home;

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// What PKCS#8 wraps: SEC1 of an EC key, PKCS#1 of an RSA key. It is the octet string at the end, whose length fits.
fn inner_key(pkcs8_pem: &str) -> Vec<u8> {
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(pkcs8_pem.as_bytes()).unwrap() else {
        panic!("not PKCS#8")
    };
    let der = key.secret_pkcs8_der();
    let begins = |at: usize| {
        let short = der[at - 2] == 0x04 && usize::from(der[at - 1]) == der.len() - at;
        der[at] == 0x30 && (short || der[at - 4..at - 2] == [0x04, 0x82])
    };
    let at = (8..der.len()).find(|at| begins(*at)).unwrap();
    der[at..].to_vec()
}

type Case = (&'static str, fn(&Home, &Made), &'static str, &'static str);

#[test]
fn files_that_cannot_be_served_refuse_to_start_and_name_setting_and_file() {
    let cases: [Case; 21] = [
        (
            "no cert",
            |home, _| std::fs::remove_file(home.path("cert.pem")).unwrap(),
            "server.tls_cert: {cert} is not there",
            "correct the setting",
        ),
        (
            "no key",
            |home, _| std::fs::remove_file(home.path("key.pem")).unwrap(),
            "server.tls_key: {key} is not there",
            "correct the setting",
        ),
        (
            "a folder as cert",
            |home, _| {
                std::fs::remove_file(home.path("cert.pem")).unwrap();
                std::fs::create_dir(home.path("cert.pem")).unwrap();
            },
            "server.tls_cert: {cert} is not a regular file",
            "PEM file itself",
        ),
        (
            "a pipe as cert",
            |home, _| {
                std::fs::remove_file(home.path("cert.pem")).unwrap();
                let made = std::process::Command::new("mkfifo").arg(home.path("cert.pem")).status().unwrap();
                assert!(made.success());
            },
            "server.tls_cert: {cert} is not a regular file",
            "PEM file itself",
        ),
        (
            "a link to nothing",
            |home, _| {
                std::fs::remove_file(home.path("key.pem")).unwrap();
                std::os::unix::fs::symlink(home.path("nothing"), home.path("key.pem")).unwrap();
            },
            "server.tls_key: {key} is not there",
            "correct the setting",
        ),
        (
            "a link to itself",
            |home, _| {
                std::fs::remove_file(home.path("cert.pem")).unwrap();
                std::os::unix::fs::symlink(home.path("cert.pem"), home.path("cert.pem")).unwrap();
            },
            "server.tls_cert: {cert} cannot be read",
            "Let the user who runs the panel read the file",
        ),
        (
            "all may read the key",
            |home, _| home.set_mode("key.pem", 0o644),
            "server.tls_key: {key} has mode 0644",
            "chmod 640 {key}",
        ),
        (
            "all may write the key",
            |home, _| home.set_mode("key.pem", 0o602),
            "server.tls_key: {key} has mode 0602",
            "chmod 640 {key}",
        ),
        (
            "the group may write the key",
            |home, _| home.set_mode("key.pem", 0o660),
            "server.tls_key: {key} has mode 0660",
            "chmod 640 {key}",
        ),
        (
            "an empty cert",
            |home, _| home.write("cert.pem", ""),
            "server.tls_cert: {cert} holds no certificate",
            "the server's own first",
        ),
        (
            "text as cert",
            |home, _| home.write("cert.pem", "certificate\n"),
            "server.tls_cert: {cert} holds no certificate",
            "the server's own first",
        ),
        (
            "exchanged",
            |home, made| {
                home.write("cert.pem", &made.key_pem);
                home.write("key.pem", &made.chain_pem);
            },
            "server.tls_cert: {cert} holds no certificate",
            "perhaps exchanged",
        ),
        (
            "a cert as key",
            |home, made| home.write("key.pem", &made.chain_pem),
            "server.tls_key: {key} holds no private key",
            "PKCS#8, SEC1 or PKCS#1",
        ),
        (
            "an encrypted key",
            |home, made| {
                home.write("key.pem", made.key_pem.replace("PRIVATE", "ENCRYPTED PRIVATE"));
            },
            "server.tls_key: {key} holds an encrypted private key",
            "openssl pkey -in {key}",
        ),
        (
            "half a cert",
            |home, made| home.write("cert.pem", &made.chain_pem[..200]),
            "server.tls_cert: {cert} is not valid PEM",
            "whole and as text",
        ),
        (
            "half a key",
            |home, made| home.write("key.pem", &made.key_pem[..100]),
            "server.tls_key: {key} is not valid PEM",
            "whole and as text",
        ),
        (
            "a cert with a wrong letter",
            |home, made| {
                home.write("cert.pem", made.chain_pem.replacen("MII", "M!I", 1));
            },
            "server.tls_cert: {cert} is not valid PEM",
            "whole and as text",
        ),
        (
            "no certificate inside",
            |home, _| home.write("cert.pem", pem("CERTIFICATE", b"anything at all")),
            "server.tls_cert: {cert} has a first certificate that cannot be read",
            "X.509",
        ),
        (
            "no key inside",
            |home, _| home.write("key.pem", pem("PRIVATE KEY", b"anything at all")),
            "server.tls_key: {key} holds a private key of a kind that cannot be used",
            "ECDSA",
        ),
        (
            "another's key",
            |home, _| home.write("key.pem", KeyPair::generate().unwrap().serialize_pem()),
            "server.tls_key: {key} does not belong to the first certificate in {cert}",
            "the certificate was made for",
        ),
        (
            "endless",
            |home, made| {
                home.write("cert.pem", made.chain_pem.repeat(2_000));
            },
            "server.tls_cert: {cert} is longer than any PEM file",
            "PEM file itself",
        ),
    ];
    for (case, spoil, why, remedy) in cases {
        let (home, made) = (Home::new(), Made::new());
        made.lay(&home);
        spoil(&home, &made);
        let tls = made::settings(&home);
        let named = |text: &str| text.replace("{cert}", &tls[0].1).replace("{key}", &tls[1].1);
        let mut variables: Vec<_> = tls.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.push(("PANEL_SERVER__LISTEN", "127.0.0.1:0"));

        let ran = home.run_with(&variables, ["serve"]);

        ran.refused(&named(why), &named(remedy));
        for pem in [&made.chain_pem, &made.key_pem] {
            for line in pem.lines().filter(|line| !line.starts_with('-')) {
                assert!(!ran.stderr.contains(line), "{case}: the content is shown: {ran:?}");
            }
        }
        assert!(!home.path("panel.db").exists(), "{case}: a database was made");
    }
}

#[test]
fn every_usual_kind_of_key_in_every_usual_form_is_served_with_its_whole_chain() {
    let ec = Made::new();
    let of_rsa = || KeyPair::from_pkcs8_pem_and_sign_algo(RSA_KEY, &rcgen::PKCS_RSA_SHA256).unwrap();
    let sec1 = pem("EC PRIVATE KEY", &inner_key(&ec.key_pem));
    let pkcs1 = pem("RSA PRIVATE KEY", &inner_key(RSA_KEY));
    let parameters = pem("EC PARAMETERS", &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    for (kind, made) in [
        ("SEC1", Made { key_pem: sec1.clone(), ..ec }),
        ("PKCS#8 P-384", Made::of(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("PKCS#8 Ed25519", Made::of(&rcgen::PKCS_ED25519)),
        ("PKCS#8 RSA", Made::around(&of_rsa(), |_| {})),
        ("PKCS#1", Made { key_pem: pkcs1, ..Made::around(&of_rsa(), |_| {}) }),
    ] {
        let home = Home::new();
        // As openssl writes it, with what is of no use in front.
        let made =
            Made { key_pem: if kind == "SEC1" { parameters.clone() + &made.key_pem } else { made.key_pem }, ..made };
        let server = made::serve(&home, &made, &[]);
        let stream = Client::knowing(&made).open(server.address).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(presented(&stream), made.leaf, "{kind}");
    }
}

#[test]
fn a_certificate_that_is_out_of_date_is_served_with_one_warning() {
    for (from, to, warning) in [
        ((2020, 1, 1), (2021, 1, 1), Some("expired at 2021-01-01T00:00:00Z")),
        ((2199, 1, 1), (2200, 1, 1), Some("is not valid before 2199-01-01T00:00:00Z")),
        ((2020, 1, 1), (2200, 1, 1), None),
    ] {
        let home = Home::new();
        let made = Made::with(|parameters| {
            parameters.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            parameters.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
        });
        let server = made::serve(&home, &made, &[]);
        let said = server.said();
        let warned: Vec<_> = said.lines().filter(|line| line.contains("server.tls_cert")).collect();
        assert_eq!(warned.len(), usize::from(warning.is_some()), "{said}");
        assert!(warned.iter().all(|line| line.contains("WARN") && line.contains(warning.unwrap())), "{said}");
        assert_eq!(Client::knowing(&made).open(server.address).is_ok(), warning.is_none(), "the client judges it");
    }
}

#[test]
fn the_setup_link_is_of_https() {
    let home = Home::new();
    let server = made::serve(&home, &Made::new(), &[]);
    assert!(server.said().contains("\nhttps://127.0.0.1:"), "{}", server.said());
}
