//! What is seen of queries while they are answered, and who may ask for it: the unix socket, the status page, the command line.
//!
//! ```text
//!   threads that answer --tap--> sketch, watchers, witnesses --.
//!   counters, stories of questions ---------------------------+--> api --door--> unix socket, page
//!                                                                         client --> explain, top, watch, doctor
//! ```

pub mod api;
pub mod causes;
pub mod client;
pub mod door;
pub mod doors;
pub mod explain;
mod history;
mod overview;
pub mod page;
mod sketch;
pub mod socket;
pub mod tap;
mod whole;

pub use tap::{BadFilter, Filter, TooManyWatchers, Watch};
pub use whole::See;

/// The unix socket in the folder of the daemon's state.
pub const SOCKET: &str = "nearpath.sock";
