//! The two provisioning modules for WHMCS: hosting accounts (billing surface) and subscribers (external surface).

/// Path below the root of WHMCS, and content. Each module has all it needs in its own folder, so that either can be
/// taken alone; what they share is written to both.
pub const FILES: &[(&str, &str)] = &[
    ("modules/servers/panelhosting/panelhosting.php", include_str!("whmcs/panelhosting.php")),
    ("modules/servers/panelhosting/lib/Accounts.php", include_str!("whmcs/lib/Accounts.php")),
    ("modules/servers/panelhosting/lib/Client.php", CLIENT),
    ("modules/servers/panelhosting/lib/Failure.php", FAILURE),
    ("modules/servers/panelhosting/lib/Provisioned.php", PROVISIONED),
    ("modules/servers/panelhosting/lib/Service.php", SERVICE),
    ("modules/servers/panelhosting/lib/Usage.php", USAGE),
    ("modules/servers/panelsubscriber/panelsubscriber.php", include_str!("whmcs/panelsubscriber.php")),
    ("modules/servers/panelsubscriber/lib/Subscribers.php", include_str!("whmcs/lib/Subscribers.php")),
    ("modules/servers/panelsubscriber/lib/Client.php", CLIENT),
    ("modules/servers/panelsubscriber/lib/Failure.php", FAILURE),
    ("modules/servers/panelsubscriber/lib/Provisioned.php", PROVISIONED),
    ("modules/servers/panelsubscriber/lib/Service.php", SERVICE),
    ("modules/servers/panelsubscriber/lib/Usage.php", USAGE),
];

const CLIENT: &str = include_str!("whmcs/lib/Client.php");
const FAILURE: &str = include_str!("whmcs/lib/Failure.php");
const PROVISIONED: &str = include_str!("whmcs/lib/Provisioned.php");
const SERVICE: &str = include_str!("whmcs/lib/Service.php");
const USAGE: &str = include_str!("whmcs/lib/Usage.php");
