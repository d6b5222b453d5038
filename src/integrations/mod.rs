//! What the binary can write out for other systems. Never: the database, the network.

pub mod whmcs;
