//! What an account may be allowed to use. An account inherits its package's flag unless it has its own.

/// In the order in which they are stored and shown (contract: panel.md, features).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    Api,
    Php,
    Cgi,
    Ssl,
    Ssh,
    Cron,
    Spam,
    Catchall,
    Dnscontrol,
    Sysinfo,
}

impl Feature {
    pub const ALL: [Feature; 10] = [
        Feature::Api,
        Feature::Php,
        Feature::Cgi,
        Feature::Ssl,
        Feature::Ssh,
        Feature::Cron,
        Feature::Spam,
        Feature::Catchall,
        Feature::Dnscontrol,
        Feature::Sysinfo,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Api => "api",
            Feature::Php => "php",
            Feature::Cgi => "cgi",
            Feature::Ssl => "ssl",
            Feature::Ssh => "ssh",
            Feature::Cron => "cron",
            Feature::Spam => "spam",
            Feature::Catchall => "catchall",
            Feature::Dnscontrol => "dnscontrol",
            Feature::Sysinfo => "sysinfo",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == text)
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// One value for each feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags<T>(pub [T; 10]);

impl<T: Copy> Flags<T> {
    pub fn get(&self, feature: Feature) -> T {
        self.0[feature.place()]
    }

    pub fn set(&mut self, feature: Feature, value: T) {
        self.0[feature.place()] = value;
    }

    pub fn iter(&self) -> impl Iterator<Item = (Feature, T)> {
        Feature::ALL.into_iter().zip(self.0)
    }
}

impl Flags<Option<bool>> {
    /// What is in force: the account's own, else the package's.
    pub fn over(&self, package: &Flags<bool>) -> Flags<bool> {
        let mut effective = *package;
        for (feature, own) in self.iter() {
            effective.set(feature, own.unwrap_or(package.get(feature)));
        }
        effective
    }
}
