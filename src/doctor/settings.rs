//! Settings that work and are not wise, and the server that runs with them.

use std::net::IpAddr;

use super::{Patient, Said, failed, good, of_error, skipped, warning};
use crate::config::{Listen, Synchronous};
use crate::domain::time::Timestamp;
use crate::tls::{Identity, Validity};

/// Renewing programs do it a month before; by then they have failed for two weeks.
const RENEW_DAYS: i64 = 14;

pub fn server(patient: &Patient<'_>) -> Said {
    match &patient.server {
        Ok(_) => good("it answers"),
        Err((why, fix)) => warning(why.clone(), fix.clone()),
    }
}

pub fn server_version(patient: &Patient<'_>) -> Said {
    let ours = env!("CARGO_PKG_VERSION");
    match &patient.server {
        Ok(theirs) if theirs == ours => good(format!("{ours}, like this command")),
        Ok(theirs) => failed(format!("the server is {theirs}, this command {ours}"), "systemctl restart panel"),
        Err(_) => skipped("no server answers"),
    }
}

fn is_beyond_this_machine(ip: IpAddr) -> bool {
    !ip.is_loopback()
}

pub fn listen(patient: &Patient<'_>) -> Said {
    let server = &patient.config.server;
    let open = server
        .listen
        .iter()
        .find(|listen| matches!(listen, Listen::Tcp(address) if is_beyond_this_machine(address.ip())));
    match open {
        Some(open) if server.tls_cert.is_none() => warning(
            format!("{open} can be reached from other machines without TLS: keys and passwords travel readable"),
            "Set server.tls_cert and server.tls_key, or listen on 127.0.0.1 and put a proxy in front.",
        ),
        Some(open) => good(format!("{open} with TLS")),
        None => good("only this machine"),
    }
}

/// The server keeps the files that it read last, so this is what the next start or SIGHUP finds.
pub fn tls_files(patient: &Patient<'_>) -> Said {
    let Some((cert, key)) = patient.config.server.tls_files() else { return good("no TLS here") };
    match Identity::read(cert, key) {
        Ok(_) => good(format!("{} and its key", cert.display())),
        Err(error) => of_error(&error),
    }
}

pub fn tls_expiry(patient: &Patient<'_>) -> Said {
    let Some((cert, key)) = patient.config.server.tls_files() else { return good("no TLS here") };
    let Ok(identity) = Identity::read(cert, key) else { return skipped("the files cannot be used") };
    let Some(Validity { not_before, not_after }) = identity.validity() else {
        return skipped("the certificate does not say it in the usual words");
    };
    let renew = "Renew it, then: systemctl reload panel";
    if patient.now > not_after {
        return failed(format!("{} expired at {}", cert.display(), not_after.rfc3339()), renew);
    }
    if patient.now < not_before {
        let what = format!("{} is not valid before {}", cert.display(), not_before.rfc3339());
        return failed(what, "Check the clock (timedatectl), or put the right certificate there.");
    }
    match patient.now.plus_millis(RENEW_DAYS * Timestamp::DAY) > not_after {
        true => warning(format!("{} expires at {}", cert.display(), not_after.rfc3339()), renew),
        false => good(format!("until {}", not_after.rfc3339())),
    }
}

pub fn metrics_listen(patient: &Patient<'_>) -> Said {
    match patient.config.metrics.listen {
        Some(address) if is_beyond_this_machine(address.ip()) => warning(
            format!("{address} needs no credential and can be reached from other machines"),
            "Keep it on 127.0.0.1, or let only the monitoring through the firewall.",
        ),
        Some(address) => good(address.to_string()),
        None => good("off"),
    }
}

/// Whoever may forward can be anybody: allow-lists and limits would be what the caller says.
pub fn trusted_proxies(patient: &Patient<'_>) -> Said {
    let wide = |network: &&ipnet::IpNet| match network {
        ipnet::IpNet::V4(network) => network.prefix_len() < 8,
        ipnet::IpNet::V6(network) => network.prefix_len() < 16,
    };
    match patient.config.server.trusted_proxies.iter().find(wide) {
        Some(network) => failed(
            format!("{network} trusts nearly everybody's forwarding header: addresses of callers can be invented"),
            "Name the addresses of your proxies in server.trusted_proxies.",
        ),
        None => good(format!("{} networks", patient.config.server.trusted_proxies.len())),
    }
}

pub fn login_limits(patient: &Patient<'_>) -> Said {
    let limits = &patient.config.limits;
    let off = [
        ("limits.login_per_minute", limits.login_per_minute),
        ("limits.failures_per_minute", limits.failures_per_minute),
        ("limits.per_ip_per_minute", limits.per_ip_per_minute),
    ];
    match off.iter().find(|(_, limit)| *limit == 0) {
        Some((name, _)) => warning(format!("{name} is off: nothing slows down who guesses"), format!("Set {name}.")),
        None => good("on"),
    }
}

pub fn synchronous(patient: &Patient<'_>) -> Said {
    match patient.config.database.synchronous {
        Synchronous::Full => good("full"),
        Synchronous::Normal => warning(
            "normal: a power cut may take the last answers back that were already given",
            "Set database.synchronous to full.",
        ),
    }
}
