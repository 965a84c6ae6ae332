//! The directive `privatezone`: names that ExternalDNS publishes, asked of the zone's own resolver.
//!
//! ```text
//!   Statement --check--> PrivateZoneSpec --build--> PrivateZone, a Section for each statement, the longest zone wins
//!
//!   Query --> Section: upstream::Group, within its rates
//!                |--NXDOMAIN of a name that was there--> Vanished: its last answer, for a moment     (not if Follow says: meant)
//!                |--NXDOMAIN, `fallthrough`-----------> the next section, or the next plugin
//!                |--a CNAME that leads out------------> chain: the server blocks anew, joined into one answer
//!                '--nobody answers, nothing is known--> Follow: made of what the cluster's objects say
//!
//!   Follow: an object has changed --> its names are asked again until the zone shows it --> Blocks::renew, Blocks::forget
//! ```

mod across;
mod build;
mod chain;
mod denial;
mod follow;
mod plugin;
mod section;
mod spec;
mod vanished;

pub use across::check_blocks;
pub use spec::{PrivateZoneSpec, check};
