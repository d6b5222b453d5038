//! `panel healthcheck` over TLS: it takes the certificate of its own settings and no other, whoever signed it.

use std::net::TcpListener;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::made::{self, Made};
use crate::home::{Home, Ran};

fn check(home: &Home, listen: &str) -> Ran {
    let tls = made::settings(home);
    let mut settings: Vec<_> = tls.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.push(("PANEL_SERVER__LISTEN", listen));
    home.run_with(&settings, ["healthcheck"])
}

#[test]
fn no_server_and_no_certificate_are_told_apart() {
    let (home, made) = (Home::new(), Made::new());
    check(&home, "127.0.0.1:1").refused("cert.pem is not there", "correct the setting");
    made.lay(&home);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    check(&home, &free).refused(&format!("no server answers at {free}"), "panel serve");
    // Whoever asks need not be allowed to read the key.
    std::fs::remove_file(home.path("key.pem")).unwrap();
    check(&home, &free).refused(&format!("no server answers at {free}"), "panel serve");
}

#[test]
fn a_certificate_that_was_renewed_but_not_reloaded_is_not_healthy_until_it_is() {
    let (home, old, new) = (Home::new(), Made::new(), Made::new());
    let server = made::serve(&home, &old, &[]);
    let listen = server.address.to_string();
    assert_eq!(check(&home, &listen).code, 0);
    new.lay(&home);
    check(&home, &listen).refused("presents another certificate than the one in", "systemctl reload panel");
    server.reload(1);
    let ran = check(&home, &listen);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn a_certificate_that_no_client_would_take_is_healthy_because_it_is_the_one_of_the_settings() {
    let home = Home::new();
    let expired = Made::with(|parameters| {
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        parameters.subject_alt_names.clear();
    });
    let server = made::serve(&home, &expired, &[("PANEL_SERVER__LISTEN", "0.0.0.0:0")]);
    let ran = check(&home, &format!("0.0.0.0:{}", server.address.port()));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_server_without_tls_and_settings_with_it_do_not_match_and_neither_the_other_way_round() {
    let (home, made) = (Home::new(), Made::new());
    made.lay(&home);
    let plain = home.serve();
    check(&home, &plain.address.to_string()).refused("does not speak TLS", "systemctl restart panel");
    drop(plain);
    let server = made::serve(&home, &made, &[]);
    let ran = home.run_with(&[("PANEL_SERVER__LISTEN", &server.address.to_string())], ["healthcheck"]);
    ran.refused("perhaps it speaks TLS", "journalctl");
}

#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[test]
fn the_right_certificate_without_its_key_is_refused() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (home, made, other) = (Home::new(), Made::new(), Made::new());
        made.lay(&home);
        let key = PrivateKeyDer::from_pem_slice(other.key_pem.as_bytes()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let chain = CertificateDer::pem_slice_iter(made.chain_pem.as_bytes()).map(Result::unwrap).collect();
        let impostor = Arc::new(Impostor(Arc::new(CertifiedKey::new(chain, key))));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
        let config = Arc::new(config.with_cert_resolver(impostor));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(config).unwrap();
            while connection.is_handshaking() {
                connection.complete_io(&mut stream)?;
            }
            Ok::<(), std::io::Error>(())
        });
        check(&home, &address).refused("BadSignature", "panel serve");
        assert!(served.join().unwrap().is_err(), "the handshake was not finished");
    }
}
