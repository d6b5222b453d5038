//! How much an account may own: counts and megabytes, where -1 is without end. An account inherits its package's quota
//! unless it has its own (contract: panel.md, resellers and packages).

use super::error::Invalid;

/// In the order in which they are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    Users,
    Domains,
    Databases,
    EmailAccounts,
    FtpAccounts,
    DiskMb,
    BandwidthMb,
}

/// Without end.
pub const UNLIMITED: i64 = -1;

impl Quota {
    pub const ALL: [Quota; 7] = [
        Quota::Users,
        Quota::Domains,
        Quota::Databases,
        Quota::EmailAccounts,
        Quota::FtpAccounts,
        Quota::DiskMb,
        Quota::BandwidthMb,
    ];

    /// What an account has of its own, whatever its role. The others are a reseller's ceilings.
    pub const OF_ACCOUNT: [Quota; 4] = [Quota::Domains, Quota::Databases, Quota::EmailAccounts, Quota::FtpAccounts];

    pub fn as_str(self) -> &'static str {
        match self {
            Quota::Users => "max_users",
            Quota::Domains => "max_domains",
            Quota::Databases => "max_databases",
            Quota::EmailAccounts => "max_email_accounts",
            Quota::FtpAccounts => "max_ftp_accounts",
            Quota::DiskMb => "disk_quota_mb",
            Quota::BandwidthMb => "bandwidth_quota_mb",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quota| quota.as_str() == text)
    }

    /// A count from 0 on, or -1 for without end.
    pub fn check(self, value: i64) -> Result<i64, Invalid> {
        if value < UNLIMITED {
            return Err(Invalid::new(self.as_str(), "must be 0 or more, or -1 for unlimited"));
        }
        Ok(value)
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// Whether one quota allows more than another.
pub fn exceeds(quota: i64, other: i64) -> bool {
    let size = |quota: i64| if quota == UNLIMITED { i64::MAX } else { quota };
    size(quota) > size(other)
}

/// One value for each quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quotas<T>(pub [T; 7]);

impl<T: Copy> Quotas<T> {
    pub fn get(&self, quota: Quota) -> T {
        self.0[quota.place()]
    }

    pub fn set(&mut self, quota: Quota, value: T) {
        self.0[quota.place()] = value;
    }

    pub fn iter(&self) -> impl Iterator<Item = (Quota, T)> {
        Quota::ALL.into_iter().zip(self.0)
    }
}

impl Quotas<i64> {
    pub const UNLIMITED: Self = Self([UNLIMITED; 7]);
}

impl Quotas<Option<i64>> {
    /// What is in force: the own value, else the package's.
    pub fn over(&self, package: &Quotas<i64>) -> Quotas<i64> {
        let mut effective = *package;
        for (quota, own) in self.iter() {
            effective.set(quota, own.unwrap_or(package.get(quota)));
        }
        effective
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unlimited_is_more_than_any_number_and_not_less() {
        for (quota, other, more) in [
            (UNLIMITED, i64::MAX - 1, true),
            (UNLIMITED, UNLIMITED, false),
            (5, UNLIMITED, false),
            (6, 5, true),
            (5, 5, false),
            (0, 5, false),
        ] {
            assert_eq!(exceeds(quota, other), more, "{quota} {other}");
        }
        assert!(Quota::Users.check(-2).is_err());
        assert_eq!(Quota::Users.check(-1), Ok(-1));
    }
}
