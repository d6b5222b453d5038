//! Certificates of the tests' own: a root that clients know, an authority below it, and the server's.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    SignatureAlgorithm,
};
use rustls::pki_types::CertificateDer;

use crate::home::Home;
use crate::server::Server;

/// Names under which the server's certificate is good.
pub const NAME: &str = "panel.example.net";

/// A private key for whose making the test's cryptography has no function; it opens nothing.
pub const RSA_KEY: &str = include_str!("rsa_key.pem");

pub struct Made {
    pub root: CertificateDer<'static>,
    /// The server's own.
    pub leaf: CertificateDer<'static>,
    pub chain_pem: String,
    pub key_pem: String,
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

impl Made {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn of(algorithm: &'static SignatureAlgorithm) -> Self {
        Self::around(&KeyPair::generate_for(algorithm).unwrap(), |_| {})
    }

    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::around(&KeyPair::generate().unwrap(), change)
    }

    pub fn around(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (of_root, of_middle) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = authority("Root").self_signed(&of_root).unwrap();
        let root_issuer = Issuer::new(authority("Root"), of_root);
        let middle = authority("Middle").signed_by(&of_middle, &root_issuer).unwrap();
        let mut parameters = CertificateParams::new([NAME.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        change(&mut parameters);
        let leaf: Certificate = parameters.signed_by(key, &Issuer::new(authority("Middle"), of_middle)).unwrap();
        Self {
            root: root.der().clone(),
            leaf: leaf.der().clone(),
            chain_pem: leaf.pem() + &middle.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// Puts both files there as certbot's hook would.
    pub fn lay(&self, home: &Home) {
        home.write("cert.pem", &self.chain_pem);
        home.write("key.pem", &self.key_pem);
        home.set_mode("key.pem", 0o640);
    }
}

/// The settings that name the files which [`Made::lay`] writes.
pub fn settings(home: &Home) -> [(&'static str, String); 2] {
    let path = |name: &str| home.path(name).to_str().unwrap().to_owned();
    [("PANEL_SERVER__TLS_CERT", path("cert.pem")), ("PANEL_SERVER__TLS_KEY", path("key.pem"))]
}

/// A server with these files and these further settings.
pub fn serve(home: &Home, made: &Made, further: &[(&str, &str)]) -> Server {
    made.lay(home);
    let tls = settings(home);
    let all: Vec<_> = tls.iter().map(|(name, value)| (*name, value.as_str())).chain(further.iter().copied()).collect();
    home.serve_with(&all)
}
